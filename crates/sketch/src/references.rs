//! Wires that would be too long end in a box that names what it stands for.

use std::borrow::Cow;

use crate::cluster::topological;
use crate::sketch::{Block, Ink, Sketch, Wire};

/// The layers that all wires together may pass. A drawing thousands of boxes deep, of which the last read the first, would
/// otherwise be nothing but parallel lines.
const MOST_PASSED: usize = 20_000;

/// The sketch with its longest wires cut, so that those left pass few enough layers.
pub(crate) fn cut(sketch: &Sketch) -> Cow<'_, Sketch> {
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
        return Cow::Borrowed(sketch);
    }
    let mut sketch = sketch.clone();
    for w in 0..sketch.wires.len() {
        let Wire { from, to, .. } = sketch.wires[w];
        if layer[to] - layer[from] <= longest {
            continue;
        }
        let source = &sketch.boxes[from];
        let title = source.lines.iter().find(|(ink, _)| *ink == Ink::Title);
        let lines = title.cloned().map(|(_, title)| (Ink::Plain, format!("← {title}"))).into_iter();
        let small = source.lines.iter().find(|(ink, _)| *ink == Ink::Small).cloned();
        let reference = Block {
            lines: lines.chain(small).collect(),
            tone: source.tone,
            round: source.round,
            late: true,
            path: sketch.boxes[to].path.clone(),
            tooltip: source.tooltip.clone(),
            label: source.label.clone(),
            ..Block::default()
        };
        sketch.wires[w].from = sketch.boxes.len();
        sketch.boxes.push(reference);
    }
    Cow::Owned(sketch)
}
