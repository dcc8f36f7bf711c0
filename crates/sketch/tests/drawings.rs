//! Drawings of random and of extreme sketches.

use chainrule_sketch::{Bar, Block, Fault, Flow, Folded, Frame, Ink, Look, Meaning, Sketch, Tone, Wire};
use proptest::prelude::*;

mod geometry;

use geometry::{check, check_sketch};

const INKS: [Ink; 6] = [Ink::Title, Ink::Plain, Ink::Blue, Ink::Red, Ink::Purple, Ink::Small];
const TONES: [Tone; 5] = [Tone::Grey, Tone::Blue, Tone::Green, Tone::Orange, Tone::Violet];

fn block(title: &str) -> Block {
    Block { lines: vec![(Ink::Title, title.into())], ..Block::default() }
}

fn frame(label: &str) -> Frame {
    Frame { label: label.into(), ..Frame::default() }
}

/// Boxes of one frame each in a row, each read by the next.
fn chain(n: usize) -> Sketch {
    let boxes = (0..n).map(|i| block(&format!("box {i}"))).collect();
    let wires = (1..n).map(|i| Wire::new(i - 1, i)).collect();
    Sketch { boxes, wires, ..Sketch::default() }
}

fn told(folded: &Folded<'_>) -> Vec<(Ink, String)> {
    let ends = format!("{:?} to {:?}", folded.incoming, folded.outgoing);
    vec![(Ink::Title, folded.frame.label.clone()), (Ink::Plain, ends)]
}

prop_compose! {
    fn any_block(frames: usize)(
        lines in proptest::collection::vec((0..INKS.len(), "\\PC{0,30}"), 0..4),
        tone in 0..TONES.len(),
        [round, strong, stacked, late] in any::<[bool; 4]>(),
        path in proptest::collection::vec(0..frames, 0..4),
        tooltip in "\\PC{0,9}",
        label in proptest::option::of("[a-z ·0-9]{0,20}"),
    ) -> Block {
        let lines = lines.into_iter().map(|(ink, text)| (INKS[ink], text)).collect();
        Block { lines, tone: TONES[tone], round, strong, stacked, late, path, tooltip, label }
    }
}

prop_compose! {
    fn any_sketch()(
        boxes in proptest::collection::vec(any_block(5), 0..30),
        ends in proptest::collection::vec((any::<u16>(), any::<u16>(), 0_usize..4, 0_usize..4), 0..60),
        frames in proptest::collection::vec(("\\PC{0,30}", 0..TONES.len(), any::<bool>()), 5),
        order in any::<u64>(),
        heading in "\\PC{0,40}",
        dashes in "[a-z]{0,9}",
    ) -> Sketch {
        let n = boxes.len();
        // An odd factor and an offset turn the boxes round, so that wires do not only lead to later ones.
        let place = |i: usize| if order % 2 == 0 { i } else { n - 1 - i };
        let wire = |(a, b, slot, look): (u16, u16, usize, usize)| {
            let (a, b) = (usize::from(a) % n, usize::from(b) % n);
            let look = [Look::Plain, Look::Dashed, Look::Coloured(0), Look::Coloured(7)][look];
            (a != b).then(|| Wire { from: place(a.min(b)), to: place(a.max(b)), slot, look })
        };
        let wires = if n == 0 { Vec::new() } else { ends.into_iter().filter_map(wire).collect() };
        let frames = frames.into_iter().map(|(label, tone, late)| Frame { label, tone: TONES[tone], late });
        let tones = TONES.map(|tone| Meaning { tone, round: tone == Tone::Grey, text: "meaning".into() });
        Sketch { heading, boxes, wires, frames: frames.collect(), tones: tones.into(), dashes }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn random_sketches_are_drawn_without_overlaps(sketch in any_sketch()) {
        check_sketch(&sketch);
        let svg = sketch.svg().expect("can be drawn");
        prop_assert_eq!(&svg, &sketch.svg().expect("again"), "the same sketch gives the same bytes");
        prop_assert_eq!(svg.matches("<g").count(), svg.matches("</g>").count());
        for depth in 0..4 {
            let folded = sketch.folded(depth, told).expect("can be folded");
            prop_assert!(folded.boxes.iter().all(|b| b.path.len() <= depth));
            check_sketch(&folded);
        }
        let as_it_is = sketch.folded(usize::MAX, told).expect("can be folded");
        prop_assert_eq!(as_it_is.boxes, sketch.boxes);
    }
}

#[test]
fn nothing_is_drawn_as_nothing() {
    check_sketch(&Sketch::default());
    assert!(Sketch::default().svg().expect("can be drawn").ends_with("</svg>\n"));
    assert!(Bar::default().svg().ends_with("</svg>\n"));
}

#[test]
fn what_is_no_drawing_is_refused() {
    let mut sketch = Sketch { boxes: vec![Block::default(); 3], ..Sketch::default() };
    sketch.wires = vec![Wire::new(0, 1), Wire::new(1, 3)];
    let fault = sketch.svg().expect_err("there is no box 3");
    assert_eq!(fault, Fault::Wire { wire: 1, named: 3, boxes: 3 });
    assert_eq!(fault.to_string(), "wire 1 names box 3, there are 3");
    sketch.wires = vec![Wire::new(1, 2), Wire::new(2, 1)];
    assert_eq!(sketch.placed().expect_err("a circle"), Fault::Circle { through: 1 });
    sketch.wires = vec![Wire::new(2, 2)];
    assert_eq!(sketch.folded(0, told).expect_err("a circle of one"), Fault::Circle { through: 2 });
    sketch.wires.clear();
    sketch.boxes[2].path = vec![0];
    let fault = sketch.placed_along(Flow::Down).expect_err("there is no frame");
    assert_eq!(fault, Fault::Frame { named_by: 2, named: 0, frames: 0 });
    // Any slot will do: it only says in which order wires enter.
    sketch.boxes[2].path.clear();
    sketch.wires = vec![Wire { slot: usize::MAX, ..Wire::new(0, 1) }];
    assert!(sketch.svg().is_ok());
}

#[test]
fn a_frame_that_is_left_and_entered_again_is_drawn_twice() {
    let mut sketch = chain(3);
    sketch.frames = vec![frame("shared")];
    sketch.boxes[0].path = vec![0];
    sketch.boxes[2].path = vec![0];
    assert_eq!(sketch.placed().expect("can be drawn").frames.len(), 2);
    sketch.boxes[1].path = vec![0];
    assert_eq!(sketch.placed().expect("can be drawn").frames.len(), 1);
}

#[test]
fn a_folded_frame_knows_what_goes_in_and_out() {
    let mut sketch = chain(5);
    sketch.frames = vec![frame("part")];
    (1..4).for_each(|b| sketch.boxes[b].path = vec![0]);
    sketch.wires.push(Wire { look: Look::Dashed, ..Wire::new(2, 4) });
    sketch.boxes[1].strong = true;
    let folded = sketch.folded(0, told).expect("can be folded");
    assert_eq!(folded.boxes.len(), 3);
    assert_eq!(folded.boxes[1].lines[1].1, "[0] to [1, 3]");
    assert!(folded.boxes[1].stacked && folded.boxes[1].strong);
}

#[test]
fn strange_characters_stay_inside_and_are_escaped() {
    let name = "a<b> & \"c\" \u{1} 数学 \u{ffff}".repeat(20);
    let mut sketch = chain(2);
    sketch.boxes[0] =
        Block { path: vec![0], tooltip: name.clone(), label: Some(name.clone()), ..block(&name) };
    sketch.frames = vec![frame(&name)];
    check_sketch(&sketch);
    let svg = sketch.svg().expect("can be drawn");
    assert!(svg.contains("a&lt;b&gt; &amp; &quot;c&quot;") && !svg.contains(['\u{1}', '\u{ffff}']));
}

#[test]
fn a_long_chain_leads_down_the_page() {
    assert_eq!(chain(5).placed().expect("can be drawn").flow, Flow::Right);
    let long = chain(60);
    let (scene, wide) = (long.placed().expect("drawn"), long.placed_along(Flow::Right).expect("drawn"));
    assert!(scene.flow == Flow::Down && scene.size[1] < wide.size[0], "{:?}, {:?}", scene.size, wide.size);
    check(&scene);
}

#[test]
fn ten_thousand_boxes_in_a_row_are_drawn_in_seconds() {
    let mut sketch = chain(10_000);
    // Each of the second half reads what the first half has made, the last first.
    sketch.wires.extend((0..5_000).map(|i| Wire { slot: 1, ..Wire::new(i, 9_999 - i) }));
    let start = std::time::Instant::now();
    let scene = sketch.placed().expect("can be drawn");
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
    // Wires that would be too long end in boxes of their own.
    assert!(scene.boxes.len() > 14_000, "{}", scene.boxes.len());
    let reference = scene.boxes.iter().flat_map(|b| &b.texts).find(|t| t.text == "← box 0");
    assert!(reference.is_some(), "what is far away is named");
}

#[test]
fn frames_in_frames_cost_in_proportion() {
    let length = |depth: usize| {
        let mut sketch = chain(2);
        sketch.frames = vec![frame("a"); depth];
        sketch.boxes[1].path = (0..depth).collect();
        sketch.svg().expect("can be drawn").len()
    };
    let (one, ten) = (length(1_000), length(10_000));
    assert!(ten < 11 * one, "{one} and {ten} bytes");
}

#[test]
fn a_flame_graph_shows_parts_by_size_and_leaves_out_what_has_none() {
    let part = |name: &str, size| Bar { name: name.into(), size, ..Bar::default() };
    let sizes = [6.0, 3.0, -1.0, f64::NAN, f64::INFINITY, 1e-9, 0.5];
    let parts = sizes.iter().map(|s| part(&format!("part {s}"), *s)).collect();
    let svg = Bar { within: parts, ..part("a <whole>", 10.0) }.svg();
    assert!(
        svg.contains("a &lt;whole&gt;") && svg.contains("width=\"720.00\"") && svg.contains("x=\"720.00\"")
    );
    assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{svg}");
    // A name is shortened to its bar; one that has no room is told under the pointer alone.
    let svg = Bar { within: vec![part(&"long ".repeat(99), 1.0)], ..part("whole", 10.0) }.svg();
    assert!(svg.contains('…'), "{svg}");
    // Very deep ones are drawn, too.
    let mut deep = part("leaf", 1.0);
    for _ in 0..2_000 {
        deep = Bar { within: vec![deep], ..part("part", 1.0) };
    }
    assert_eq!(deep.svg().matches("<rect").count(), 2_001);
}
