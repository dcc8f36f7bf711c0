//! Gives everything its place: frames from the inside to the outside, each laid out like one box of the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::cluster::{Cluster, Part, clusters};
use super::layers::{self, Edge, Item, Kind, Layout, Trace};
use super::scene::{Font, Panel, Rect, Scene, Stroke, Text};
use super::sketch::{Block, Look, Sketch, Tone};

/// Space around the drawing, and within a frame; above it stands the frame's label.
const MARGIN: f64 = 16.0;
const PAD: f64 = 14.0;
const FRAME_TOP: f64 = 30.0;

/// Space within a box, left and right, and above and below.
const INSET: [f64; 2] = [12.0, 7.0];

/// The least distance between the wires that enter a box.
const ENTRY: f64 = 12.0;

/// Space for the label of a wire, left and right of it.
const LABEL: f64 = 6.0;

/// One end of a wire as seen in one cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// On a box, as this argument.
    Box(usize, usize),
    /// On a frame within the cluster.
    Frame(usize),
    /// On the border of the cluster.
    Border,
}

/// A box's size, without the label of its wire and with it, and the number of wires that enter.
struct Card {
    size: [f64; 2],
    whole: f64,
    entries: usize,
}

/// A cluster with its inside laid out.
#[derive(Default)]
struct Inside {
    layout: Layout,
    size: [f64; 2],
    /// The heights on the border at which nets come in and go out.
    entry: HashMap<usize, f64>,
    exit: HashMap<usize, f64>,
}

/// Places all that `sketch` holds.
pub(super) fn place(sketch: &Sketch) -> Scene {
    let (clusters, home) = clusters(sketch);
    let nets: BTreeSet<(usize, Look)> = sketch.wires.iter().map(|w| (w.from, w.look)).collect();
    let net_of: BTreeMap<(usize, Look), usize> = nets.into_iter().zip(0..).collect();
    let cards = cards(sketch);
    let ends = distribute(sketch, &clusters, &home, &net_of);
    let mut insides: Vec<Inside> = Vec::new();
    insides.resize_with(clusters.len(), Inside::default);
    for c in (0..clusters.len()).rev() {
        insides[c] = inside(sketch, &clusters, c, &ends[c], &cards, &insides);
    }

    let mut scene = Scene::default();
    let head = super::legend::write(sketch, &mut scene, MARGIN);
    let mut traces: Vec<Trace> = vec![Trace::default(); net_of.len()];
    let mut labels: HashMap<usize, Text> = HashMap::new();
    let mut origin = vec![[MARGIN, head]; clusters.len()];
    for (c, cluster) in clusters.iter().enumerate() {
        let [x, y] = origin[c];
        for (part, at) in cluster.parts.iter().zip(&insides[c].layout.at) {
            let corner = [x + at[0], y + at[1]];
            match *part {
                Part::Box(b) => {
                    let (card, block) = (&cards[b], &sketch.boxes[b]);
                    scene.boxes.push(panel(block, card, corner));
                    let (right, height) = (corner[0] + card.size[0], corner[1] + card.size[1] / 2.0);
                    let leaving = net_of.range((b, Look::Plain)..(b + 1, Look::Plain));
                    for (_, net) in leaving.clone().filter(|_| card.whole > card.size[0]) {
                        traces[*net].pieces.push([right, height, corner[0] + card.whole, height]);
                    }
                    // Of two nets that leave one box, one is labelled: that of the buffer, if there is one.
                    if let (Some(label), Some(((_, look), net))) = (&block.label, leaving.last()) {
                        let font = Font::Wire(*look);
                        let [w, h] = font.measure(label);
                        let rect = Rect { x: right + LABEL, y: height - h - 1.0, w, h };
                        labels.insert(*net, Text { rect, text: label.clone(), ink: font });
                    }
                }
                Part::Cluster(inner) => {
                    origin[inner] = [corner[0] + PAD, corner[1] + FRAME_TOP];
                    scene.frames.push(frame(sketch, &clusters[inner], corner, insides[inner].size));
                }
            }
        }
        for (net, trace) in &insides[c].layout.traces {
            let moved = trace.pieces.iter().map(|p| [p[0] + x, p[1] + y, p[2] + x, p[3] + y]);
            traces[*net].pieces.extend(moved);
            traces[*net].tips.extend(trace.tips.iter().map(|t| [t[0] + x, t[1] + y]));
        }
    }
    for ((from, look), net) in &net_of {
        let trace = std::mem::take(&mut traces[*net]);
        let tooltip = sketch.boxes[*from].tooltip.clone();
        scene.strokes.push(Stroke { look: *look, trace, tooltip, label: labels.remove(net) });
    }
    let [w, h] = insides[0].layout.size;
    scene.size = [scene.size[0].max(w + 2.0 * MARGIN), head + h + MARGIN];
    scene
}

fn cards(sketch: &Sketch) -> Vec<Card> {
    let mut entries = vec![0; sketch.boxes.len()];
    sketch.wires.iter().for_each(|w| entries[w.to] = entries[w.to].max(w.slot + 1));
    let leaves: BTreeSet<usize> = sketch.wires.iter().map(|w| w.from).collect();
    let card = |(b, block): (usize, &Block)| {
        let sizes = || block.lines.iter().map(|(ink, text)| Font::Line(*ink).measure(text));
        let w = sizes().map(|s| s[0]).fold(14.0, f64::max) + 2.0 * INSET[0];
        let h = sizes().map(|s| s[1]).sum::<f64>() + 2.0 * INSET[1];
        let h = h.max(ENTRY * (entries[b] + 1) as f64).max(34.0);
        let label = block.label.as_ref().filter(|_| leaves.contains(&b));
        let label = label.map_or(0.0, |l| Font::Wire(Look::Plain).measure(l)[0] + 2.0 * LABEL);
        Card { size: [w, h], whole: w + label, entries: entries[b] }
    };
    sketch.boxes.iter().enumerate().map(card).collect()
}

/// The part of each wire that runs in each cluster, by net.
fn distribute(
    sketch: &Sketch,
    clusters: &[Cluster],
    home: &[usize],
    net_of: &BTreeMap<(usize, Look), usize>,
) -> Vec<BTreeSet<(End, End, usize)>> {
    let mut ends = vec![BTreeSet::new(); clusters.len()];
    for wire in &sketch.wires {
        let net = net_of[&(wire.from, wire.look)];
        let (mut from, mut a) = (End::Box(wire.from, 0), home[wire.from]);
        let (mut to, mut b) = (End::Box(wire.to, wire.slot), home[wire.to]);
        while a != b {
            if clusters[a].depth >= clusters[b].depth {
                ends[a].insert((from, End::Border, net));
                (from, a) = (End::Frame(a), clusters[a].parent);
            } else {
                ends[b].insert((End::Border, to, net));
                (to, b) = (End::Frame(b), clusters[b].parent);
            }
        }
        ends[a].insert((from, to, net));
    }
    ends
}

/// Lays out one cluster, of which all inner ones are done.
fn inside(
    sketch: &Sketch,
    clusters: &[Cluster],
    own: usize,
    ends: &BTreeSet<(End, End, usize)>,
    cards: &[Card],
    insides: &[Inside],
) -> Inside {
    let cluster = &clusters[own];
    let mut position: BTreeMap<Part, usize> = BTreeMap::new();
    let mut items: Vec<Item> = Vec::new();
    for part in &cluster.parts {
        let size = match *part {
            Part::Box(b) => [cards[b].whole, cards[b].size[1]],
            Part::Cluster(c) => insides[c].size,
        };
        let (kind, late) = match *part {
            Part::Box(b) => (Kind::Box, sketch.boxes[b].late),
            Part::Cluster(c) => {
                (Kind::Frame, clusters[c].frame.is_some_and(|f| sketch.frames[f].tone == Tone::Backward))
            }
        };
        position.insert(*part, items.len());
        items.push(Item { size, kind, late });
    }
    let (mut entries, mut exits) = (BTreeMap::new(), BTreeMap::new());
    let mut edges = Vec::new();
    for (from, to, net) in ends {
        let mut border = |known: &mut BTreeMap<usize, usize>, kind| {
            let fresh = items.len();
            let item = *known.entry(*net).or_insert(fresh);
            if item == fresh {
                items.push(Item { size: [0.0, 0.0], kind, late: false });
            }
            (item, 0.0)
        };
        let (from, out) = match *from {
            End::Box(b, _) => (position[&Part::Box(b)], cards[b].size[1] / 2.0),
            End::Frame(c) => (position[&Part::Cluster(c)], insides[c].exit[net]),
            End::Border => border(&mut entries, Kind::Entry),
        };
        let (to, into) = match *to {
            End::Box(b, slot) => {
                let share = (slot + 1) as f64 / (cards[b].entries + 1) as f64;
                (position[&Part::Box(b)], cards[b].size[1] * share)
            }
            End::Frame(c) => (position[&Part::Cluster(c)], insides[c].entry[net]),
            End::Border => border(&mut exits, Kind::Exit),
        };
        edges.push(Edge { from, out, to, into, net: *net });
    }
    let mut layout = layers::layout(&items, &edges);
    let label = cluster.frame.map_or(0.0, |f| {
        let frame = &sketch.frames[f];
        Font::Frame(frame.tone).measure(&frame.label)[0]
    });
    let right = layout.size[0];
    let width = right.max(label);
    let size = [width + 2.0 * PAD, layout.size[1] + FRAME_TOP + PAD];
    let mut on_border = |items: &BTreeMap<usize, usize>, from: f64, to: f64| -> HashMap<usize, f64> {
        let mut heights = HashMap::new();
        for (net, item) in items {
            let y = layout.at[*item][1];
            layout.traces.entry(*net).or_default().pieces.push([from, y, to, y]);
            heights.insert(*net, y + FRAME_TOP);
        }
        heights
    };
    let entry = on_border(&entries, -PAD, 0.0);
    let exit = on_border(&exits, right, width + PAD);
    Inside { layout, size, entry, exit }
}

/// A box at its place, its lines centred.
fn panel(block: &Block, card: &Card, corner: [f64; 2]) -> Panel {
    let [w, h] = card.size;
    let measured = || block.lines.iter().map(|(ink, text)| Font::Line(*ink).measure(text));
    let mut y = corner[1] + (h - measured().map(|s| s[1]).sum::<f64>()) / 2.0;
    let mut texts = Vec::new();
    for ((ink, text), size) in block.lines.iter().zip(measured()) {
        let rect = Rect { x: corner[0] + (w - size[0]) / 2.0, y, w: size[0], h: size[1] };
        texts.push(Text { rect, text: text.clone(), ink: Font::Line(*ink) });
        y += size[1];
    }
    Panel {
        rect: Rect { x: corner[0], y: corner[1], w, h },
        tone: block.tone,
        round: if matches!(block.tone, Tone::Leaf | Tone::Result) { 15.0 } else { 5.0 },
        strong: block.strong,
        stacked: block.nodes > 1,
        tooltip: block.tooltip.clone(),
        texts,
    }
}

/// A frame at its place.
fn frame(sketch: &Sketch, cluster: &Cluster, corner: [f64; 2], size: [f64; 2]) -> Panel {
    let frame = &sketch.frames[cluster.frame.unwrap_or(0)];
    let font = Font::Frame(frame.tone);
    let [w, h] = font.measure(&frame.label);
    let rect = Rect { x: corner[0] + PAD, y: corner[1] + 7.0, w, h };
    Panel {
        rect: Rect { x: corner[0], y: corner[1], w: size[0], h: size[1] },
        tone: frame.tone,
        round: 9.0,
        strong: false,
        stacked: false,
        tooltip: String::new(),
        texts: vec![Text { rect, text: frame.label.clone(), ink: font }],
    }
}
