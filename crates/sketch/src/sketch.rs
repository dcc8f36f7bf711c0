//! What is to be drawn, before anything has a place: boxes with lines of text, frames around them, wires.

/// The colour of a box or frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tone {
    /// Light grey.
    #[default]
    Grey,
    /// Light blue.
    Blue,
    /// Light green.
    Green,
    /// Light orange.
    Orange,
    /// Light violet.
    Violet,
}

/// How a line of a box is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ink {
    /// Large and bold.
    Title,
    /// Of the usual size.
    Plain,
    /// Bold and blue.
    Blue,
    /// Bold and red.
    Red,
    /// Of the usual size and purple, as dashed wires are.
    Purple,
    /// Small and pale.
    Small,
}

/// A box.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Its text, from top to bottom.
    pub lines: Vec<(Ink, String)>,
    /// Its colour.
    pub tone: Tone,
    /// Whether its ends are round.
    pub round: bool,
    /// Whether it has a heavier border.
    pub strong: bool,
    /// Whether it is drawn as a stack of boxes.
    pub stacked: bool,
    /// Whether it stands as near to those who read it as they allow, rather than near what it reads.
    pub late: bool,
    /// The frames that it stands in, outermost first, as positions in [`Sketch::frames`].
    pub path: Vec<usize>,
    /// Shown while the pointer rests on it or on its wires; empty if there is nothing to tell.
    pub tooltip: String,
    /// Text on the wire that leaves it.
    pub label: Option<String>,
}

/// An arrow from box to box. Those that leave one box with one look are drawn as one line until they part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wire {
    /// The box that it leaves, as a position in [`Sketch::boxes`].
    pub from: usize,
    /// The box that it enters.
    pub to: usize,
    /// Where among the wires that enter `to`: they stand in the order of their slots.
    pub slot: usize,
    /// How it is drawn.
    pub look: Look,
}

impl Wire {
    /// A plain wire, the first that enters `to`.
    pub fn new(from: usize, to: usize) -> Self {
        Wire { from, to, slot: 0, look: Look::Plain }
    }
}

/// How a wire is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Look {
    /// Grey.
    #[default]
    Plain,
    /// Dashed and purple.
    Dashed,
    /// In a colour of its own, the same for the same number; grey for 0.
    Coloured(usize),
}

/// A labelled frame around boxes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// What stands in its corner.
    pub label: String,
    /// Its colour.
    pub tone: Tone,
    /// As [`Block::late`], of the whole frame.
    pub late: bool,
}

/// What a colour means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meaning {
    /// The colour.
    pub tone: Tone,
    /// Whether it is told of boxes with round ends.
    pub round: bool,
    /// The meaning.
    pub text: String,
}

/// A drawing without places. The crate's page shows one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    /// What stands above the drawing.
    pub heading: String,
    /// The boxes, in any order: wires say which stands before which. Boxes that no wire orders stand as listed.
    pub boxes: Vec<Block>,
    /// The wires, which lead in no circle.
    pub wires: Vec<Wire>,
    /// The frames that [`Block::path`] names.
    pub frames: Vec<Frame>,
    /// What the colours mean, below the heading.
    pub tones: Vec<Meaning>,
    /// What dashes mean; empty if there are none.
    pub dashes: String,
}
