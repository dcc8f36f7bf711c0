//! Gives everything its place: frames from the inside to the outside, each laid out like one box of the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::cluster::{Cluster, Part, clusters};
use crate::fault::Fault;
use crate::layers::{self, Edge, Item, Kind, Layout};
use crate::references::cut;
use crate::scene::{Flow, Font, Panel, Rect, Scene, Stroke, Text, Trace};
use crate::sketch::{Block, Look, Sketch};

/// Space around the drawing, and within a frame; beside it stands the frame's label.
const MARGIN: f64 = 16.0;
const PAD: f64 = 14.0;
const FRAME_LABEL: f64 = 30.0;

/// A wider drawing flows down if that makes it smaller: a page is more easily scrolled down than aside.
const WIDE: f64 = 1600.0;

/// Space within a box, left and right, and above and below.
const INSET: [f64; 2] = [12.0, 7.0];

/// The least distance between the wires that enter a box.
const ENTRY: f64 = 12.0;

/// Space for the label of a wire, beside it.
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

/// A box's size in x and y, the room that it takes along and across the flow with the label of its wire, and the number
/// of wires that enter.
struct Card {
    size: [f64; 2],
    room: [f64; 2],
    entries: usize,
}

/// A cluster with its inside laid out.
#[derive(Default)]
struct Inside {
    layout: Layout,
    size: [f64; 2],
    /// The places on the border, across the flow, at which nets come in and go out.
    entry: HashMap<usize, f64>,
    exit: HashMap<usize, f64>,
}

impl Sketch {
    /// The drawing as an SVG file.
    ///
    /// # Errors
    /// Wires or frames that are not there; wires in a circle.
    pub fn svg(&self) -> Result<String, Fault> {
        Ok(self.placed()?.svg())
    }

    /// Where everything stands: from left to right, or down the page where the drawing would be much wider than a screen. A
    /// wire that would be one of very many long ones ends in a box that names where it comes from.
    ///
    /// # Errors
    /// As [`svg`](Sketch::svg).
    pub fn placed(&self) -> Result<Scene, Fault> {
        let right = self.placed_along(Flow::Right)?;
        if right.size[0] <= WIDE {
            return Ok(right);
        }
        let down = self.placed_along(Flow::Down)?;
        let longer = |scene: &Scene| scene.size[0].max(scene.size[1]);
        Ok(if longer(&down) < longer(&right) { down } else { right })
    }

    /// Where everything stands, if wires lead that way.
    ///
    /// # Errors
    /// As [`svg`](Sketch::svg).
    pub fn placed_along(&self, flow: Flow) -> Result<Scene, Fault> {
        self.check()?;
        Ok(place_in(&cut(self), flow))
    }
}

/// Places all that `sketch` holds, with wires leading that way.
fn place_in(sketch: &Sketch, flow: Flow) -> Scene {
    let (clusters, home) = clusters(sketch);
    let nets: BTreeSet<(usize, Look)> = sketch.wires.iter().map(|w| (w.from, w.look)).collect();
    let net_of: BTreeMap<(usize, Look), usize> = nets.into_iter().zip(0..).collect();
    let cards = cards(sketch, flow);
    let ends = distribute(sketch, &clusters, &home, &net_of);
    let mut insides: Vec<Inside> = Vec::new();
    insides.resize_with(clusters.len(), Inside::default);
    for c in (0..clusters.len()).rev() {
        insides[c] = inside(sketch, &clusters, c, &ends[c], &cards, &insides, flow);
    }

    let mut scene = Scene { flow, ..Scene::default() };
    let head = crate::legend::write(sketch, &mut scene, MARGIN);
    let mut traces: Vec<Trace> = vec![Trace::default(); net_of.len()];
    let mut labels: HashMap<usize, Text> = HashMap::new();
    let mut origin = vec![flow.turn([MARGIN, head]); clusters.len()];
    for (c, cluster) in clusters.iter().enumerate() {
        let [along, across] = origin[c];
        for (part, at) in cluster.parts.iter().zip(&insides[c].layout.at) {
            let corner = [along + at[0], across + at[1]];
            match *part {
                Part::Box(b) => {
                    let (card, block) = (&cards[b], &sketch.boxes[b]);
                    scene.boxes.push(panel(block, card, flow.turn(corner)));
                    let [deep, broad] = flow.turn(card.size);
                    let (end, middle) = (corner[0] + deep, corner[1] + broad / 2.0);
                    let leaving = net_of.range((b, Look::Plain)..(b + 1, Look::Plain));
                    for (_, net) in leaving.clone().filter(|_| card.room[0] > deep) {
                        traces[*net].pieces.push([end, middle, corner[0] + card.room[0], middle]);
                    }
                    // Of two nets that leave one box, one is labelled: the coloured one, if there is one.
                    if let (Some(label), Some(((_, look), net))) = (&block.label, leaving.last()) {
                        let font = Font::Wire(*look);
                        let [w, h] = font.measure(label);
                        let [x, y] = flow.turn([end, middle]);
                        let rect = match flow {
                            Flow::Right => Rect { x: x + LABEL, y: y - h - 1.0, w, h },
                            Flow::Down => Rect { x: x + LABEL, y: y + 1.0, w, h },
                        };
                        labels.insert(*net, Text { rect, text: label.clone(), font });
                    }
                }
                Part::Cluster(inner) => {
                    origin[inner] = [corner[0] + PAD, corner[1] + FRAME_LABEL];
                    scene.frames.push(frame(sketch, &clusters[inner], corner, insides[inner].size, flow));
                }
            }
        }
        for (net, trace) in &insides[c].layout.traces {
            let moved = |p: &[f64; 4]| [p[0] + along, p[1] + across, p[2] + along, p[3] + across];
            traces[*net].pieces.extend(trace.pieces.iter().map(moved));
            traces[*net].tips.extend(trace.tips.iter().map(|t| [t[0] + along, t[1] + across]));
        }
    }
    for ((from, look), net) in &net_of {
        let trace = std::mem::take(&mut traces[*net]);
        let tooltip = sketch.boxes[*from].tooltip.clone();
        scene.strokes.push(Stroke { look: *look, trace, tooltip, label: labels.remove(net) });
    }
    let [w, h] = flow.turn(insides[0].layout.size);
    scene.size = [scene.size[0].max(w + 2.0 * MARGIN), head + h + MARGIN];
    scene
}

fn cards(sketch: &Sketch, flow: Flow) -> Vec<Card> {
    let mut entries = vec![0; sketch.boxes.len()];
    sketch.wires.iter().for_each(|w| entries[w.to] = entries[w.to].max(w.slot.saturating_add(1)));
    let leaves: BTreeSet<usize> = sketch.wires.iter().map(|w| w.from).collect();
    let card = |(b, block): (usize, &Block)| {
        let sizes = || block.lines.iter().map(|(ink, text)| Font::Line(*ink).measure(text));
        let w = sizes().map(|s| s[0]).fold(14.0, f64::max) + 2.0 * INSET[0];
        let h = sizes().map(|s| s[1]).sum::<f64>() + 2.0 * INSET[1];
        let [deep, broad] = flow.turn([w, h.max(34.0)]);
        let broad = broad.max(ENTRY * (entries[b] as f64 + 1.0));
        let label = block.label.as_ref().filter(|_| leaves.contains(&b));
        let room = match (label.map(|l| Font::Wire(Look::Plain).measure(l)), flow) {
            (None, _) => [deep, broad],
            (Some([w, _]), Flow::Right) => [deep + w + 2.0 * LABEL, broad],
            (Some([w, h]), Flow::Down) => [deep + h + 2.0, broad.max(broad / 2.0 + w + 2.0 * LABEL)],
        };
        Card { size: flow.turn([deep, broad]), room, entries: entries[b] }
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
    flow: Flow,
) -> Inside {
    let cluster = &clusters[own];
    let mut position: BTreeMap<Part, usize> = BTreeMap::new();
    let mut items: Vec<Item> = Vec::new();
    for part in &cluster.parts {
        let size = match *part {
            Part::Box(b) => cards[b].room,
            Part::Cluster(c) => insides[c].size,
        };
        let (kind, late) = match *part {
            Part::Box(b) => (Kind::Box, sketch.boxes[b].late),
            Part::Cluster(c) => (Kind::Frame, clusters[c].frame.is_some_and(|f| sketch.frames[f].late)),
        };
        position.insert(*part, items.len());
        items.push(Item { size, kind, late });
    }
    let broad = |b: usize| flow.turn(cards[b].size)[1];
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
            End::Box(b, _) => (position[&Part::Box(b)], broad(b) / 2.0),
            End::Frame(c) => (position[&Part::Cluster(c)], insides[c].exit[net]),
            End::Border => border(&mut entries, Kind::Entry),
        };
        let (to, into) = match *to {
            End::Box(b, slot) => {
                let share = (slot as f64 + 1.0) / (cards[b].entries as f64 + 1.0);
                (position[&Part::Box(b)], broad(b) * share)
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
    let end = layout.size[0];
    let length = end.max(label);
    let size = [length + 2.0 * PAD, layout.size[1] + FRAME_LABEL + PAD];
    let mut on_border = |items: &BTreeMap<usize, usize>, from: f64, to: f64| -> HashMap<usize, f64> {
        let mut places = HashMap::new();
        for (net, item) in items {
            let across = layout.at[*item][1];
            layout.traces.entry(*net).or_default().pieces.push([from, across, to, across]);
            places.insert(*net, across + FRAME_LABEL);
        }
        places
    };
    let entry = on_border(&entries, -PAD, 0.0);
    let exit = on_border(&exits, end, length + PAD);
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
        texts.push(Text { rect, text: text.clone(), font: Font::Line(*ink) });
        y += size[1];
    }
    Panel {
        rect: Rect { x: corner[0], y: corner[1], w, h },
        tone: block.tone,
        round: if block.round { 15.0 } else { 5.0 },
        strong: block.strong,
        stacked: block.stacked,
        tooltip: block.tooltip.clone(),
        texts,
    }
}

/// A frame at its place. Its label runs along the flow, where no wire is.
fn frame(sketch: &Sketch, cluster: &Cluster, corner: [f64; 2], size: [f64; 2], flow: Flow) -> Panel {
    let frame = &sketch.frames[cluster.frame.unwrap_or(0)];
    let font = Font::Frame(frame.tone);
    let rect = flow.rect([corner[0] + PAD, corner[1] + 7.0], font.measure(&frame.label));
    Panel {
        rect: flow.rect(corner, size),
        tone: frame.tone,
        round: 9.0,
        strong: false,
        stacked: false,
        tooltip: String::new(),
        texts: vec![Text { rect, text: frame.label.clone(), font }],
    }
}
