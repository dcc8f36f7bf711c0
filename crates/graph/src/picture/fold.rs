//! Scopes that are too deep become single boxes, which tell what is in them.

use chainrule_sketch::{Folded, Ink, Sketch};

use super::label;
use super::nodes::Told;
use super::style::{SAVED, SHAPE};

/// The shapes that a folded scope names at most.
const SHAPES: usize = 3;

/// The sketch with each frame that stands in `depth` others drawn as one box; `told` is what is known of each box.
pub(super) fn fold(sketch: Sketch, told: &[Told], depth: usize) -> Sketch {
    let tell = |folded: &Folded<'_>| {
        let shapes = |ends: &[usize]| {
            let all: Vec<&str> = ends.iter().take(SHAPES).map(|b| &told[*b].shape[..]).collect();
            let more = if ends.len() > SHAPES { " …" } else { "" };
            format!("{}{more}", all.join(" and "))
        };
        let mut lines =
            vec![(Ink::Title, folded.frame.label.clone()), (SHAPE, label::count(folded.boxes.len(), "node"))];
        let ends = [("in", folded.incoming), ("out", folded.outgoing)];
        let some = ends.into_iter().filter(|(_, ends)| !ends.is_empty());
        lines.extend(some.map(|(what, ends)| (SHAPE, format!("{what} {}", shapes(ends)))));
        // What is only read back later is told by the bytes that it takes.
        let saved: usize = folded.boxes.iter().map(|b| told[*b].saved).sum();
        if saved > 0 {
            lines.push((SAVED, format!("saved {}", label::bytes(saved))));
        }
        lines
    };
    // What is no drawing is refused when it is drawn.
    sketch.folded(depth, tell).unwrap_or(sketch)
}
