//! Boxes, frames and arrows, laid out in layers and written as SVG: no other program is needed, and no font is asked.
//!
//! A [`Sketch`] says what is to be drawn; [`svg`](Sketch::svg) gives everything a place and writes it.
//!
//! ```
//! use chainrule_sketch::{Block, Frame, Ink, Sketch, Tone, Wire};
//! let block = |title: &str, tone| Block { lines: vec![(Ink::Title, title.into())], tone, ..Block::default() };
//! let mut sketch = Sketch { heading: "from flour to bread".into(), ..Sketch::default() };
//! sketch.frames = vec![Frame { label: "kitchen".into(), tone: Tone::Blue, late: false }];
//! sketch.boxes = vec![
//!     Block { round: true, ..block("flour", Tone::Grey) },
//!     Block { path: vec![0], ..block("knead", Tone::Blue) },
//!     Block { path: vec![0], tooltip: "at 220 °C".into(), ..block("bake", Tone::Blue) },
//! ];
//! sketch.wires = vec![Wire::new(0, 1), Wire::new(1, 2)];
//!
//! let svg = sketch.svg()?;
//! assert!(svg.starts_with("<svg") && svg.contains(">knead<") && svg.contains("at 220 °C"));
//!
//! // A wire to a box that is not there, or one that leads back, is no drawing.
//! sketch.wires.push(Wire::new(2, 1));
//! assert_eq!(sketch.svg().unwrap_err().to_string(), "the wires lead in a circle through box 1");
//! # Ok::<(), chainrule_sketch::Fault>(())
//! ```
//!
//! What holds of every drawing: no two boxes and no two texts overlap, frames hold all that is theirs and cut nothing, wires run
//! forwards and through no box. The same sketch gives the same bytes. Ten thousand boxes take seconds.
//!
//! [`placed`](Sketch::placed) gives the places themselves, as a [`Scene`], to those who draw by other means;
//! [`folded`](Sketch::folded) makes single boxes of frames that stand too deep; a [`Bar`] is a flame graph.
//!
//! How it goes: `cluster` finds the frames, `references` cuts wires that are too long, `layers`, `order` and `heights` lay out
//! one level (the steps of Sugiyama, Tagawa and Toda), `place` puts the levels into each other, `svg` writes.

#![forbid(unsafe_code)]

mod cluster;
mod fault;
mod flame;
mod fold;
mod heights;
mod layers;
mod legend;
mod metrics;
mod order;
mod place;
mod references;
mod scene;
mod sketch;
mod svg;

pub use fault::Fault;
pub use flame::Bar;
pub use fold::Folded;
pub use metrics::shortened;
pub use scene::{Flow, Font, Panel, Rect, Scene, Stroke, Text, Trace};
pub use sketch::{Block, Frame, Ink, Look, Meaning, Sketch, Tone, Wire};
