//! One level of a drawing: items in layers from left to right, with wires that bend only between layers. Where values
//! flow down the page, the whole is turned afterwards (`Flow`): x is along the flow, y across it.
//!
//! The steps of Sugiyama, Tagawa and Toda: layers by longest path, a waypoint in every layer that a wire passes,
//! an order within the layers by barycentres, and heights that bring neighbours into line.

use std::collections::BTreeMap;

use crate::heights;
use crate::scene::Trace;

/// What is placed: a box, or a point on the border of the surrounding frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) size: [f64; 2],
    pub(crate) kind: Kind,
    /// Stands as far to the right as its users allow: the backward part comes after the forward part.
    pub(crate) late: bool,
}

/// Where an item may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anywhere; wires end at it with an arrowhead.
    Box,
    /// Anywhere; wires go on inside.
    Frame,
    /// On the left border: a value comes in.
    Entry,
    /// On the right border: a value goes out.
    Exit,
}

/// A wire between two items, from and to heights below their tops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) out: f64,
    pub(crate) to: usize,
    pub(crate) into: f64,
    /// Edges of one net carry one value: they share a line until they part.
    pub(crate) net: usize,
}

/// Places of the items, and the lines of the nets.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) size: [f64; 2],
    /// The upper left corner of each item.
    pub(crate) at: Vec<[f64; 2]>,
    pub(crate) traces: BTreeMap<usize, Trace>,
}

/// An item, or a waypoint of a net.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) height: f64,
    pub(crate) waypoint: bool,
}

/// A wire from a layer to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) from: usize,
    pub(crate) out: f64,
    pub(crate) to: usize,
    pub(crate) into: f64,
    net: usize,
}

/// Cells in layers.
pub(crate) struct Layers {
    pub(crate) cells: Vec<Cell>,
    /// The cells of each layer, from top to bottom.
    pub(crate) rows: Vec<Vec<usize>>,
    pub(crate) links: Vec<Link>,
    /// Links that end, and that start, at each cell.
    pub(crate) before: Vec<Vec<usize>>,
    pub(crate) after: Vec<Vec<usize>>,
}

/// The shortest and the greatest distance between two layers; the steeper the wires, the more they get.
const GAP: [f64; 2] = [34.0, 120.0];

/// Places `items`, between which the edges go in no circle.
pub(crate) fn layout(items: &[Item], edges: &[Edge]) -> Layout {
    let layer = layer_of(items, edges);
    let mut layers = Layers::new(items, edges, &layer);
    crate::order::arrange(&mut layers);
    let y = heights::assign(&layers);
    let mut place = Layout { at: vec![[0.0; 2]; items.len()], ..Layout::default() };
    let mut band = Vec::new(); // The left and right end of each layer.
    let mut x = 0.0;
    for (r, row) in layers.rows.iter().enumerate() {
        let boxes = || row.iter().filter(|&&c| c < items.len());
        let width = boxes().map(|&c| items[c].size[0]).fold(0.0, f64::max);
        for &c in boxes() {
            let free = width - items[c].size[0];
            let source = layers.before[c].is_empty();
            let share = if source {
                1.0
            } else if layers.after[c].is_empty() {
                0.0
            } else {
                0.5
            };
            place.at[c] = [if items[c].kind == Kind::Entry { 0.0 } else { x + free * share }, y[c]];
        }
        band.push([x, x + width]);
        let leaving = row.iter().flat_map(|&c| &layers.after[c]).map(|&l| layers.links[l]);
        let climb = leaving.map(|l| (y[l.from] + l.out - y[l.to] - l.into).abs()).fold(0.0, f64::max);
        x += width;
        if r + 1 < layers.rows.len() {
            x += (GAP[0] + 0.25 * climb).min(GAP[1]);
        }
    }
    let bottom = |(c, cell): (usize, &Cell)| y[c] + cell.height;
    place.size = [x, layers.cells.iter().enumerate().map(bottom).fold(0.0, f64::max)];
    let mut row_of = vec![0; layers.cells.len()];
    for (r, row) in layers.rows.iter().enumerate() {
        row.iter().for_each(|&c| row_of[c] = r);
    }
    for c in 0..layers.cells.len() {
        place.trace(c, items, &layers, &y, &band, &row_of);
    }
    place
}

impl Layout {
    /// Draws all links that leave cell `c`.
    fn trace(
        &mut self,
        c: usize,
        items: &[Item],
        layers: &Layers,
        y: &[f64],
        band: &[[f64; 2]],
        row_of: &[usize],
    ) {
        let [left, right] = band[row_of[c]];
        let mut nets: Vec<usize> = Vec::new();
        for &l in &layers.after[c] {
            let link = layers.links[l];
            let (from, to) = (y[c] + link.out, y[link.to] + link.into);
            let trace = self.traces.entry(link.net).or_default();
            if !nets.contains(&link.net) {
                nets.push(link.net);
                let start = match items.get(c) {
                    Some(item) => self.at[c][0] + item.size[0],
                    None => left,
                };
                trace.level(start, right, from);
            }
            let next = band[row_of[link.to]][0];
            trace.pieces.push([right, from, next, to]);
            match items.get(link.to) {
                Some(item) if item.kind == Kind::Exit => trace.level(next, self.size[0], to),
                Some(item) => {
                    trace.level(next, self.at[link.to][0], to);
                    if item.kind == Kind::Box {
                        trace.tips.push([self.at[link.to][0], to]);
                    }
                }
                None => {}
            }
        }
    }
}

impl Trace {
    fn level(&mut self, from: f64, to: f64, y: f64) {
        if to > from {
            self.pieces.push([from, y, to, y]);
        }
    }
}

/// The layer of each item: one right of its rightmost argument.
fn layer_of(items: &[Item], edges: &[Edge]) -> Vec<usize> {
    let mut waiting = vec![0_usize; items.len()];
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
    for e in edges {
        waiting[e.to] += 1;
        users[e.from].push(e.to);
    }
    let mut layer = vec![0; items.len()];
    let mut order: Vec<usize> = (0..items.len()).filter(|&i| waiting[i] == 0).collect();
    let sources = order.len();
    let mut next = 0;
    while let Some(&i) = order.get(next) {
        next += 1;
        for &u in &users[i] {
            layer[u] = layer[u].max(layer[i] + 1);
            waiting[u] -= 1;
            if waiting[u] == 0 {
                order.push(u);
            }
        }
    }
    for (rank, &i) in order.iter().enumerate().rev() {
        let Some(first) = users[i].iter().map(|&u| layer[u]).min() else { continue };
        // A leaf that is first used far to the right stands there; one used soon stays with the others on the left.
        let far = rank < sources && first > 2 && items[i].kind == Kind::Box;
        if items[i].late || far {
            layer[i] = first - 1;
        }
    }
    let last = layer.iter().copied().max().unwrap_or(0);
    for (l, _) in layer.iter_mut().zip(items).filter(|(_, item)| item.kind == Kind::Exit) {
        *l = last;
    }
    layer
}

impl Layers {
    fn new(items: &[Item], edges: &[Edge], layer: &[usize]) -> Self {
        let depth = layer.iter().max().map_or(0, |l| l + 1);
        let mut layers = Layers {
            cells: items
                .iter()
                .map(|i| Cell { height: i.size[1], waypoint: matches!(i.kind, Kind::Entry | Kind::Exit) })
                .collect(),
            rows: vec![Vec::new(); depth],
            links: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
        };
        for (i, l) in layer.iter().enumerate() {
            layers.rows[*l].push(i);
        }
        // The waypoints of a net are one chain, which each of its edges leaves just before its end.
        let mut sorted: Vec<&Edge> = edges.iter().collect();
        sorted.sort_by_key(|e| (e.from, e.net, layer[e.to], e.to));
        let mut chain: Vec<usize> = Vec::new();
        let mut current = None;
        for e in sorted {
            if current != Some((e.from, e.net)) {
                current = Some((e.from, e.net));
                chain.clear();
            }
            while layer[e.from] + chain.len() + 1 < layer[e.to] {
                let point = layers.cells.len();
                layers.cells.push(Cell { height: 0.0, waypoint: true });
                layers.rows[layer[e.from] + chain.len() + 1].push(point);
                let (from, out) = chain.last().map_or((e.from, e.out), |&p| (p, 0.0));
                layers.links.push(Link { from, out, to: point, into: 0.0, net: e.net });
                chain.push(point);
            }
            let hop = layer[e.to] - layer[e.from] - 1;
            let (from, out) = if hop == 0 { (e.from, e.out) } else { (chain[hop - 1], 0.0) };
            layers.links.push(Link { from, out, to: e.to, into: e.into, net: e.net });
        }
        layers.before = vec![Vec::new(); layers.cells.len()];
        layers.after = vec![Vec::new(); layers.cells.len()];
        for (l, link) in layers.links.iter().enumerate() {
            layers.after[link.from].push(l);
            layers.before[link.to].push(l);
        }
        layers
    }
}
