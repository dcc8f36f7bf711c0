//! What colours and lines mean in pictures of graphs, plans and profiles.

use chainrule_sketch::{Block, Frame, Ink, Look, Meaning, Tone};

use crate::origin::Phase;

/// A leaf, constant or argument.
pub(super) const LEAF: Tone = Tone::Grey;
/// What the user wrote.
pub(super) const FORWARD: Tone = Tone::Blue;
/// A tangent or local derivative.
pub(super) const TANGENT: Tone = Tone::Green;
/// A cotangent.
pub(super) const BACKWARD: Tone = Tone::Orange;
/// A result, or the next value of a state, of a plan.
pub(super) const RESULT: Tone = Tone::Violet;

/// Shape and kind.
pub(super) const SHAPE: Ink = Ink::Plain;
/// A value.
pub(super) const VALUE: Ink = Ink::Blue;
/// A derivative.
pub(super) const DERIVATIVE: Ink = Ink::Red;
/// The memory that a forward value takes until the backward part has read it.
pub(super) const SAVED: Ink = Ink::Purple;
/// The user's source line.
pub(super) const PLACE: Ink = Ink::Small;

/// The wire of a forward value that is kept for, or read again by, the backward part.
pub(super) const KEPT: Look = Look::Dashed;

/// The colour of what belongs to a phase.
pub(super) fn tone(phase: Phase) -> Tone {
    match phase {
        Phase::Forward => FORWARD,
        Phase::Tangent => TANGENT,
        Phase::Backward => BACKWARD,
    }
}

/// A frame; that of the backward part stands to the right of what it reads.
pub(super) fn frame(label: String, tone: Tone) -> Frame {
    Frame { label, tone, late: tone == BACKWARD }
}

/// A box; that of a leaf or result has round ends.
pub(super) fn block(lines: Vec<(Ink, String)>, tone: Tone, tooltip: String) -> Block {
    Block { lines, tone, round: is_round(tone), tooltip, ..Block::default() }
}

/// Those of `meanings` whose colour some box has.
pub(super) fn legend(meanings: &[(Tone, &str)], boxes: &[Block]) -> Vec<Meaning> {
    let seen = meanings.iter().filter(|(tone, _)| boxes.iter().any(|b| b.tone == *tone));
    seen.map(|(tone, text)| Meaning { tone: *tone, round: is_round(*tone), text: (*text).into() }).collect()
}

fn is_round(tone: Tone) -> bool {
    tone == LEAF || tone == RESULT
}
