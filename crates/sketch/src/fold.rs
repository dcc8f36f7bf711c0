//! Frames that stand too deep become single boxes.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::clusters;
use crate::fault::Fault;
use crate::sketch::{Block, Frame, Ink, Look, Sketch, Wire};

/// A frame that is to become one box. Boxes are positions in [`Sketch::boxes`], in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The boxes in it.
    pub boxes: &'a [usize],
    /// The boxes outside from which wires come in.
    pub incoming: &'a [usize],
    /// Those of its boxes that wires leave which are not dashed, and its strong ones.
    pub outgoing: &'a [usize],
}

impl Sketch {
    /// The sketch with each frame that stands in `depth` others drawn as one box, in which stands what `tell` says of it.
    ///
    /// ```
    /// use chainrule_sketch::{Block, Frame, Ink, Sketch, Wire};
    /// let frame = |label: &str| Frame { label: label.into(), ..Frame::default() };
    /// let mut sketch = Sketch { frames: vec![frame("outer"), frame("inner")], ..Sketch::default() };
    /// sketch.boxes = vec![Block::default(); 3];
    /// sketch.boxes[1].path = vec![0, 1];
    /// sketch.boxes[2].path = vec![0, 1];
    /// sketch.wires = vec![Wire::new(0, 1), Wire::new(1, 2)];
    /// let tell = |f: &chainrule_sketch::Folded<'_>| {
    ///     vec![(Ink::Title, format!("{} of {} boxes", f.frame.label, f.boxes.len()))]
    /// };
    /// let folded = sketch.folded(1, tell)?;
    /// assert_eq!(folded.boxes[1].lines[0].1, "inner of 2 boxes");
    /// assert_eq!(folded.wires, [Wire::new(0, 1)]);
    /// # Ok::<(), chainrule_sketch::Fault>(())
    /// ```
    ///
    /// # Errors
    /// As [`svg`](Sketch::svg).
    pub fn folded(
        &self,
        depth: usize,
        tell: impl Fn(&Folded<'_>) -> Vec<(Ink, String)>,
    ) -> Result<Sketch, Fault> {
        self.check()?;
        let (clusters, home) = clusters(self);
        let hidden_in = |b: usize| {
            let mut c = home[b];
            while clusters[c].depth > depth.saturating_add(1) {
                c = clusters[c].parent;
            }
            (clusters[c].depth == depth.saturating_add(1)).then_some(c)
        };
        let mut boxes: Vec<Block> = Vec::new();
        let mut box_of_cluster: BTreeMap<usize, usize> = BTreeMap::new();
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut new = Vec::with_capacity(self.boxes.len());
        for (b, block) in self.boxes.iter().enumerate() {
            let fresh = boxes.len();
            let place = match hidden_in(b) {
                Some(c) => {
                    let place = *box_of_cluster.entry(c).or_insert(fresh);
                    members.entry(place).or_default().push(b);
                    place
                }
                None => fresh,
            };
            if place == fresh {
                boxes.push(block.clone());
            }
            new.push(place);
        }
        for (&c, &place) in &box_of_cluster {
            let own = &members[&place];
            let crossing = || self.wires.iter().filter(|w| (new[w.from] == place) != (new[w.to] == place));
            let incoming: BTreeSet<usize> =
                crossing().filter(|w| new[w.to] == place).map(|w| w.from).collect();
            let leaving = crossing().filter(|w| new[w.from] == place && w.look != Look::Dashed);
            let strong = own.iter().copied().filter(|&b| self.boxes[b].strong);
            let outgoing: BTreeSet<usize> = leaving.map(|w| w.from).chain(strong).collect();
            let (incoming, outgoing) = (Vec::from_iter(incoming), Vec::from_iter(outgoing));
            let frame = &self.frames[clusters[c].frame.unwrap_or(0)];
            let of = || own.iter().map(|&b| &self.boxes[b]);
            boxes[place] = Block {
                lines: tell(&Folded { frame, boxes: own, incoming: &incoming, outgoing: &outgoing }),
                tone: frame.tone,
                strong: of().any(|b| b.strong),
                stacked: own.len() > 1,
                late: frame.late,
                path: boxes[place].path[..depth].to_vec(),
                tooltip: of().map(|b| &b.tooltip[..]).collect::<Vec<_>>().join("\n"),
                ..Block::default()
            };
        }
        let wires: BTreeSet<Wire> = self
            .wires
            .iter()
            .map(|w| Wire { from: new[w.from], to: new[w.to], ..w.clone() })
            .filter(|w| w.from != w.to)
            .map(|w| if members.contains_key(&w.to) { Wire { slot: 0, ..w } } else { w })
            .collect();
        // What enters a folded frame enters in the order of its origin.
        let mut entered = vec![0; boxes.len()];
        let wires = wires.into_iter().map(|w| {
            let slot = &mut entered[w.to];
            *slot += 1;
            if members.contains_key(&w.to) { Wire { slot: *slot - 1, ..w } } else { w }
        });
        Ok(Sketch { wires: wires.collect(), boxes, ..self.clone() })
    }
}
