//! What is to be drawn, before anything has a place: boxes with lines of text, frames around them, wires.

/// The colour of a box or frame, and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    /// A leaf, constant or argument.
    Leaf,
    /// A node that the user wrote, or a step that computes only such.
    Forward,
    /// A node of forward-mode differentiation.
    Tangent,
    /// A node of reverse-mode differentiation.
    Backward,
    /// A result, or the next value of a state, of a plan.
    Result,
}

/// How a line of a box is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// The name of the operation, large.
    Title,
    /// Shape and kind.
    Shape,
    /// A value.
    Value,
    /// A derivative.
    Derivative,
    /// The memory that a forward value takes until the backward part has read it.
    Saved,
    /// The user's source line, small.
    Place,
}

/// A box.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Its text, from top to bottom.
    pub(super) lines: Vec<(Ink, String)>,
    pub(super) tone: Tone,
    /// Drawn with a heavier border: a result.
    pub(super) strong: bool,
    /// Of the backward part, which stands to the right of what it reads.
    pub(super) late: bool,
    /// The frames that it stands in, outermost first, as positions in [`Sketch::frames`].
    pub(super) path: Vec<usize>,
    /// Shown while the pointer rests on it.
    pub(super) tooltip: String,
    /// What a collapsed frame tells of it: nodes, shape of the value, bytes kept for the backward part.
    pub(super) nodes: usize,
    pub(super) shape: String,
    pub(super) saved: usize,
    /// Text on the wire that leaves it.
    pub(super) label: Option<String>,
}

/// A value on its way from box to box.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wire {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Which argument of `to` it is; arguments enter a box from top to bottom.
    pub(super) slot: usize,
    pub(super) look: Look,
}

/// How a wire is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Look {
    /// A value used on the spot.
    Plain,
    /// A forward value kept for, or read again by, the backward part: dashed.
    Saved,
    /// A buffer of a plan, in its own colour; 0 for one that is only read.
    Buffer(usize),
}

/// A labelled frame around boxes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    pub(super) label: String,
    pub(super) tone: Tone,
}

/// A drawing without places.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    pub(super) heading: String,
    pub(super) boxes: Vec<Block>,
    pub(super) wires: Vec<Wire>,
    pub(super) frames: Vec<Frame>,
    /// What the colours mean.
    pub(super) tones: Vec<(Tone, &'static str)>,
    /// What dashes mean; empty if there are none.
    pub(super) dashes: String,
}
