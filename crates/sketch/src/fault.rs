//! What is no drawing.

use crate::cluster::topological;
use crate::sketch::Sketch;

/// Why a [`Sketch`] cannot be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A wire names a box that is not there.
    #[error("wire {wire} names box {named}, there are {boxes}")]
    Wire {
        /// The wire, as a position in [`Sketch::wires`].
        wire: usize,
        /// The box that it names.
        named: usize,
        /// How many there are.
        boxes: usize,
    },
    /// A box names a frame that is not there.
    #[error("box {named_by} names frame {named}, there are {frames}")]
    Frame {
        /// The box, as a position in [`Sketch::boxes`].
        named_by: usize,
        /// The frame that it names.
        named: usize,
        /// How many there are.
        frames: usize,
    },
    /// The wires lead in a circle.
    #[error("the wires lead in a circle through box {through}")]
    Circle {
        /// The first box on a circle, or behind one.
        through: usize,
    },
}

impl Sketch {
    /// Fails if this cannot be drawn.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let (boxes, frames) = (self.boxes.len(), self.frames.len());
        for (wire, w) in self.wires.iter().enumerate() {
            if let Some(named) = [w.from, w.to].into_iter().find(|named| *named >= boxes) {
                return Err(Fault::Wire { wire, named, boxes });
            }
        }
        for (named_by, block) in self.boxes.iter().enumerate() {
            if let Some(&named) = block.path.iter().find(|named| **named >= frames) {
                return Err(Fault::Frame { named_by, named, frames });
            }
        }
        let mut inputs = vec![Vec::new(); boxes];
        self.wires.iter().for_each(|w| inputs[w.to].push(w.from));
        let mut ordered = vec![false; boxes];
        topological(&inputs).into_iter().for_each(|b| ordered[b] = true);
        match ordered.iter().position(|ordered| !ordered) {
            Some(through) => Err(Fault::Circle { through }),
            None => Ok(()),
        }
    }
}
