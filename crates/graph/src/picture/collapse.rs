//! Frames that are too deep become single boxes.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::clusters;
use super::label;
use super::sketch::{Block, Ink, Look, Sketch, Tone, Wire};

/// The shapes that a collapsed frame names at most.
const SHAPES: usize = 3;

/// The sketch with each frame that stands in `depth` others drawn as one box.
pub(super) fn collapse(sketch: Sketch, depth: usize) -> Sketch {
    let (clusters, home) = clusters(&sketch);
    let hidden_in = |b: usize| {
        let mut c = home[b];
        while clusters[c].depth > depth + 1 {
            c = clusters[c].parent;
        }
        (clusters[c].depth == depth + 1).then_some(c)
    };
    let mut boxes: Vec<Block> = Vec::new();
    let mut box_of_cluster: BTreeMap<usize, usize> = BTreeMap::new();
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut new = Vec::with_capacity(sketch.boxes.len());
    for (b, block) in sketch.boxes.iter().enumerate() {
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
        let shapes = |ends: BTreeSet<usize>| {
            let all: Vec<&str> = ends.into_iter().map(|b| &sketch.boxes[b].shape[..]).collect();
            let more = if all.len() > SHAPES { " …" } else { "" };
            format!("{}{more}", all[..all.len().min(SHAPES)].join(" and "))
        };
        let crossing = || sketch.wires.iter().filter(|w| (new[w.from] == place) != (new[w.to] == place));
        let outside: BTreeSet<usize> = crossing().filter(|w| new[w.to] == place).map(|w| w.from).collect();
        // What is only read back later is told by the bytes that it takes.
        let inside = crossing().filter(|w| new[w.from] == place && w.look != Look::Saved).map(|w| w.from);
        let strong = members[&place].iter().copied().filter(|&b| sketch.boxes[b].strong);
        let results: BTreeSet<usize> = inside.chain(strong).collect();
        let of = || members[&place].iter().map(|&b| &sketch.boxes[b]);
        let frame = &sketch.frames[clusters[c].frame.unwrap_or(0)];
        let saved: usize = of().map(|b| b.saved).sum();
        let mut lines = vec![
            (Ink::Title, frame.label.clone()),
            (Ink::Shape, label::count(of().map(|b| b.nodes).sum(), "node")),
        ];
        let ends = [("in", outside), ("out", results)].into_iter().filter(|(_, ends)| !ends.is_empty());
        lines.extend(ends.map(|(what, ends)| (Ink::Shape, format!("{what} {}", shapes(ends)))));
        if saved > 0 {
            lines.push((Ink::Saved, format!("saved {}", label::bytes(saved))));
        }
        boxes[place] = Block {
            lines,
            tone: frame.tone,
            strong: of().any(|b| b.strong),
            late: frame.tone == Tone::Backward,
            path: boxes[place].path[..depth].to_vec(),
            tooltip: of().map(|b| &b.tooltip[..]).collect::<Vec<_>>().join("\n"),
            nodes: of().map(|b| b.nodes).sum(),
            shape: String::new(),
            saved,
            label: None,
        };
    }
    let wires: BTreeSet<Wire> = sketch
        .wires
        .iter()
        .map(|w| Wire { from: new[w.from], to: new[w.to], ..w.clone() })
        .filter(|w| w.from != w.to)
        .map(|w| if members.contains_key(&w.to) { Wire { slot: 0, ..w } } else { w })
        .collect();
    // What enters a collapsed frame enters in the order of its origin.
    let mut entered = vec![0; boxes.len()];
    let wires = wires.into_iter().map(|w| {
        let slot = &mut entered[w.to];
        *slot += 1;
        if members.contains_key(&w.to) { Wire { slot: *slot - 1, ..w } } else { w }
    });
    Sketch { wires: wires.collect(), boxes, ..sketch }
}
