//! A drawing with places: what is written to a file.

use crate::sketch::{Ink, Look, Tone};

/// A rectangle by its corner and its size.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// Its left side.
    pub x: f64,
    /// Its upper side.
    pub y: f64,
    /// Its width.
    pub w: f64,
    /// Its height.
    pub h: f64,
}

/// A text and the rectangle that it fills at most.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// The room that it takes, whatever the font.
    pub rect: Rect,
    /// What is written.
    pub text: String,
    /// How it is set.
    pub font: Font,
}

/// How a text is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Font {
    /// Above the drawing.
    Heading,
    /// A line of a box.
    Line(Ink),
    /// The label of a frame.
    Frame(Tone),
    /// The label of a wire.
    Wire(Look),
    /// The meaning of a colour.
    Legend,
}

impl Font {
    /// Size, and whether it is bold.
    pub(crate) fn size(self) -> (f64, bool) {
        match self {
            Font::Heading => (15.0, true),
            Font::Line(Ink::Title) => (15.0, true),
            Font::Line(Ink::Blue | Ink::Red) => (13.0, true),
            Font::Line(Ink::Plain | Ink::Purple) => (11.0, false),
            Font::Line(Ink::Small) => (10.0, false),
            Font::Frame(_) => (12.0, true),
            Font::Wire(_) => (10.0, true),
            Font::Legend => (12.0, false),
        }
    }

    /// The width and height of `text`.
    pub(crate) fn measure(self, text: &str) -> [f64; 2] {
        let (size, bold) = self.size();
        [crate::metrics::width(text, size, bold), (size * 1.3).ceil()]
    }
}

/// A box or frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Where it stands.
    pub rect: Rect,
    /// Its colour.
    pub tone: Tone,
    /// The radius of its corners.
    pub round: f64,
    /// Whether it has a heavier border.
    pub strong: bool,
    /// Whether it is drawn as a stack.
    pub stacked: bool,
    /// Shown while the pointer rests on it.
    pub tooltip: String,
    /// What is written in it.
    pub texts: Vec<Text>,
}

/// The line of the wires that leave one box with one look.
#[derive(Clone, Debug, PartialEq)]
pub struct Stroke {
    /// How it is drawn.
    pub look: Look,
    /// Where it runs, along and across the flow.
    pub trace: Trace,
    /// Shown while the pointer rests on it.
    pub tooltip: String,
    /// What stands on it, in x and y.
    pub label: Option<Text>,
}

/// A line, in places along and across the flow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// From (x, y) to (x, y): straight if level, else an S.
    pub pieces: Vec<[f64; 4]>,
    /// Where it ends at a box, with an arrowhead.
    pub tips: Vec<[f64; 2]>,
}

/// Where wires lead to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// From left to right.
    #[default]
    Right,
    /// Down the page.
    Down,
}

impl Flow {
    /// A place or a size along and across the flow as one in x and y, or the other way round.
    pub fn turn(self, [a, b]: [f64; 2]) -> [f64; 2] {
        match self {
            Flow::Right => [a, b],
            Flow::Down => [b, a],
        }
    }

    /// A rectangle by its corner and size along and across the flow.
    pub fn rect(self, corner: [f64; 2], size: [f64; 2]) -> Rect {
        let ([x, y], [w, h]) = (self.turn(corner), self.turn(size));
        Rect { x, y, w, h }
    }
}

/// A drawing with places, made by [`Sketch::placed`](crate::Sketch::placed).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// Where wires lead to.
    pub flow: Flow,
    /// Width and height.
    pub size: [f64; 2],
    /// The frames, outer ones first.
    pub frames: Vec<Panel>,
    /// The wires.
    pub strokes: Vec<Stroke>,
    /// The boxes.
    pub boxes: Vec<Panel>,
    /// The colours with their meanings.
    pub legend: Vec<Panel>,
    /// What dashes mean.
    pub dashes: Vec<Stroke>,
    /// What stands above the drawing.
    pub heading: Vec<Text>,
}
