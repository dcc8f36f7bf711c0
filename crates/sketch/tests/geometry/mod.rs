//! What must hold of every drawing, whatever is drawn.

use chainrule_sketch::{Flow, Panel, Rect, Scene, Sketch};

/// Rectangles overlap if they share more than a border.
fn overlap(a: &Rect, b: &Rect) -> bool {
    let slack = 1e-6;
    a.x + slack < b.x + b.w && b.x + slack < a.x + a.w && a.y + slack < b.y + b.h && b.y + slack < a.y + a.h
}

fn inside(a: &Rect, b: &Rect) -> bool {
    let slack = 1e-6;
    b.x <= a.x + slack
        && b.y <= a.y + slack
        && a.x + a.w <= b.x + b.w + slack
        && a.y + a.h <= b.y + b.h + slack
}

/// Finds overlapping pairs by sweeping from left to right.
fn disjoint(what: &str, rects: &[Rect]) {
    let mut sorted: Vec<&Rect> = rects.iter().collect();
    sorted.sort_by(|a, b| a.x.total_cmp(&b.x));
    for (i, a) in sorted.iter().enumerate() {
        for b in sorted[i + 1..].iter().take_while(|b| b.x < a.x + a.w) {
            assert!(!overlap(a, b), "{what} overlap: {a:?} and {b:?}");
        }
    }
}

/// A rectangle by its corner and size along and across the flow.
fn turned(flow: Flow, [along, across]: [f64; 2], [deep, broad]: [f64; 2]) -> Rect {
    match flow {
        Flow::Right => Rect { x: along, y: across, w: deep, h: broad },
        Flow::Down => Rect { x: across, y: along, w: broad, h: deep },
    }
}

/// Fails unless all stands apart or within each other as it should.
pub(crate) fn check(scene: &Scene) {
    let canvas = Rect { x: 0.0, y: 0.0, w: scene.size[0], h: scene.size[1] };
    let rects = |panels: &[Panel]| panels.iter().map(|p| p.rect).collect::<Vec<_>>();
    let panels = || scene.boxes.iter().chain(&scene.frames).chain(&scene.legend);
    let labels = scene.strokes.iter().chain(&scene.dashes).filter_map(|s| s.label.as_ref());
    let texts = panels().flat_map(|p| &p.texts).chain(labels).chain(&scene.heading);
    let texts: Vec<Rect> = texts.map(|t| t.rect).collect();
    disjoint("texts", &texts);
    disjoint("boxes", &rects(&scene.boxes));
    for rect in texts.iter().chain(&rects(&scene.boxes)).chain(&rects(&scene.frames)) {
        assert!(inside(rect, &canvas), "{rect:?} leaves the canvas {canvas:?}");
    }
    for panel in scene.boxes.iter().chain(&scene.frames) {
        assert!(panel.texts.iter().all(|t| inside(&t.rect, &panel.rect)), "text leaves its box: {panel:?}");
    }
    for (i, frame) in scene.frames.iter().enumerate() {
        let others = rects(&scene.boxes).into_iter().chain(rects(&scene.frames[i + 1..]));
        for other in others {
            let apart = !overlap(&frame.rect, &other);
            let nested = inside(&other, &frame.rect) || inside(&frame.rect, &other);
            assert!(apart || nested, "a frame cuts {other:?}: {:?}", frame.rect);
        }
        let label = &frame.texts[0].rect;
        assert!(scene.boxes.iter().all(|b| !overlap(&b.rect, label)), "a box lies on a frame's label");
    }
    // Wires are level where they pass a column of boxes, and pass beside the boxes.
    let flow = scene.flow;
    for stroke in &scene.strokes {
        for [from, a, to, b] in &stroke.trace.pieces {
            assert!(from <= to, "a wire runs backwards");
            let line = turned(flow, [*from, a.min(*b)], [to - from, (a - b).abs()]);
            assert!(inside(&line, &canvas), "a wire leaves the canvas");
            if a == b {
                let line = turned(flow, [*from, a - 0.5], [to - from, 1.0]);
                let cut = scene.boxes.iter().find(|b| overlap(&line, &b.rect));
                assert!(cut.is_none(), "a wire runs through a box: {line:?} {:?}", cut.map(|b| b.rect));
            }
        }
    }
}

/// Places a sketch in both directions.
pub(crate) fn check_sketch(sketch: &Sketch) {
    for flow in [Flow::Right, Flow::Down] {
        let scene = sketch.placed_along(flow).expect("can be drawn");
        assert!(scene.boxes.len() >= sketch.boxes.len());
        check(&scene);
    }
}
