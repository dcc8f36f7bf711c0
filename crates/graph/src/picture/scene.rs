//! A drawing with places: what is written to a file.

use super::layers::Trace;
use super::sketch::{Ink, Look, Tone};

/// A rectangle by its corner and its size.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) w: f64,
    pub(super) h: f64,
}

/// A text and the rectangle that it fills at most.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) rect: Rect,
    pub(super) text: String,
    pub(super) ink: Font,
}

/// How a text is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Font {
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
    pub(super) fn size(self) -> (f64, bool) {
        match self {
            Font::Heading => (15.0, true),
            Font::Line(Ink::Title) => (15.0, true),
            Font::Line(Ink::Value | Ink::Derivative) => (13.0, true),
            Font::Line(Ink::Shape | Ink::Saved) => (11.0, false),
            Font::Line(Ink::Place) => (10.0, false),
            Font::Frame(_) => (12.0, true),
            Font::Wire(_) => (10.0, true),
            Font::Legend => (12.0, false),
        }
    }

    /// The width and height of `text`.
    pub(super) fn measure(self, text: &str) -> [f64; 2] {
        let (size, bold) = self.size();
        [super::metrics::width(text, size, bold), (size * 1.3).ceil()]
    }
}

/// A box or frame.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    pub(super) rect: Rect,
    pub(super) tone: Tone,
    /// The radius of its corners.
    pub(super) round: f64,
    pub(super) strong: bool,
    /// It stands for the boxes of a collapsed frame.
    pub(super) stacked: bool,
    pub(super) tooltip: String,
    pub(super) texts: Vec<Text>,
}

/// The line of one net, along and across the flow.
#[derive(Clone, Debug)]
pub(super) struct Stroke {
    pub(super) look: Look,
    pub(super) trace: Trace,
    pub(super) tooltip: String,
    pub(super) label: Option<Text>,
}

/// Where values flow to. Places are computed along the flow and across it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Flow {
    #[default]
    Right,
    Down,
}

impl Flow {
    /// A place or a size along and across the flow as one in x and y, or the other way round.
    pub(super) fn turn(self, [a, b]: [f64; 2]) -> [f64; 2] {
        match self {
            Flow::Right => [a, b],
            Flow::Down => [b, a],
        }
    }

    /// A rectangle by its corner and size along and across the flow.
    pub(super) fn rect(self, corner: [f64; 2], size: [f64; 2]) -> Rect {
        let ([x, y], [w, h]) = (self.turn(corner), self.turn(size));
        Rect { x, y, w, h }
    }
}

/// A drawing with places.
#[derive(Debug, Default)]
pub(super) struct Scene {
    pub(super) flow: Flow,
    pub(super) size: [f64; 2],
    /// Outer ones first.
    pub(super) frames: Vec<Panel>,
    pub(super) strokes: Vec<Stroke>,
    pub(super) boxes: Vec<Panel>,
    /// The heading and the legend.
    pub(super) legend: Vec<Panel>,
    pub(super) dashes: Vec<Stroke>,
    pub(super) heading: Vec<Text>,
}
