//! The heading of a drawing and what its colours mean.

use crate::scene::{Font, Panel, Rect, Scene, Stroke, Text, Trace};
use crate::sketch::{Look, Meaning, Sketch};

/// A patch of colour in the legend, and the distances around it.
const SWATCH: [f64; 2] = [26.0, 16.0];
const NEAR: f64 = 7.0;
const FAR: f64 = 22.0;

/// Writes heading and legend at the top of the scene; how far down they reach.
pub(crate) fn write(sketch: &Sketch, scene: &mut Scene, margin: f64) -> f64 {
    let mut y = margin;
    let mut right = margin;
    if !sketch.heading.is_empty() {
        let [w, h] = Font::Heading.measure(&sketch.heading);
        let rect = Rect { x: margin, y, w, h };
        scene.heading.push(Text { rect, text: sketch.heading.clone(), font: Font::Heading });
        right = margin + w;
        y += h + NEAR;
    }
    let mut x = margin;
    let mut meaning = |x: &mut f64, text: &str| {
        let [w, h] = Font::Legend.measure(text);
        let rect = Rect { x: *x + SWATCH[0] + NEAR, y, w, h };
        *x = rect.x + w + FAR;
        right = right.max(rect.x + w);
        Text { rect, text: text.into(), font: Font::Legend }
    };
    for Meaning { tone, round, text } in &sketch.tones {
        let rect = Rect { x, y, w: SWATCH[0], h: SWATCH[1] };
        let texts = vec![meaning(&mut x, text)];
        let round = if *round { 8.0 } else { 4.0 };
        let (strong, stacked, tooltip) = (false, false, String::new());
        scene.legend.push(Panel { rect, tone: *tone, round, strong, stacked, tooltip, texts });
    }
    if !sketch.dashes.is_empty() {
        let level = y + SWATCH[1] / 2.0;
        let trace = Trace { pieces: vec![[x, level, x + SWATCH[0], level]], tips: Vec::new() };
        let label = Some(meaning(&mut x, &sketch.dashes));
        scene.dashes.push(Stroke { look: Look::Dashed, trace, tooltip: String::new(), label });
    }
    scene.size[0] = right + margin;
    y + if x > margin { SWATCH[1] + margin } else { 0.0 }
}
