//! Wires that would be too long end in a box that names what it stands for.

use super::cluster::topological;
use super::sketch::{Block, Ink, Sketch, Wire};

/// The layers that all wires together may pass. A picture of a graph thousands of nodes deep, whose backward part
/// reads what was computed thousands of layers before, would otherwise be nothing but parallel lines.
const MOST_PASSED: usize = 20_000;

/// The sketch with its longest wires cut, so that those left pass few enough layers.
pub(super) fn cut(mut sketch: Sketch) -> Sketch {
    let mut inputs = vec![Vec::new(); sketch.boxes.len()];
    sketch.wires.iter().for_each(|w| inputs[w.to].push(w.from));
    let mut layer = vec![0_usize; sketch.boxes.len()];
    for b in topological(&inputs) {
        layer[b] = inputs[b].iter().map(|&a| layer[a] + 1).max().unwrap_or(0);
    }
    let span = |w: &Wire| layer[w.to] - layer[w.from];
    let mut spans: Vec<usize> = sketch.wires.iter().map(span).collect();
    spans.sort_unstable();
    let mut left = MOST_PASSED;
    let mut fits = |&s: &usize| {
        let fits = s <= left;
        left = left.saturating_sub(s);
        fits
    };
    // A chain of neighbours is never cut, however long it is.
    let longest = spans.iter().copied().take_while(|s| *s <= 1 || fits(s)).last().unwrap_or(0);
    if spans.last().is_none_or(|&l| l <= longest) {
        return sketch;
    }
    for w in 0..sketch.wires.len() {
        let Wire { from, to, .. } = sketch.wires[w];
        if layer[to] - layer[from] <= longest {
            continue;
        }
        let source = &sketch.boxes[from];
        let title = source.lines.iter().find(|(ink, _)| *ink == Ink::Title);
        let lines = title.cloned().map(|(_, title)| (Ink::Shape, format!("← {title}"))).into_iter();
        let place = source.lines.iter().find(|(ink, _)| *ink == Ink::Place).cloned();
        let reference = Block {
            lines: lines.chain(place).collect(),
            tone: source.tone,
            strong: false,
            late: true,
            path: sketch.boxes[to].path.clone(),
            tooltip: source.tooltip.clone(),
            nodes: 0,
            shape: source.shape.clone(),
            saved: 0,
            label: source.label.clone(),
        };
        sketch.wires[w].from = sketch.boxes.len();
        sketch.boxes.push(reference);
    }
    sketch
}
