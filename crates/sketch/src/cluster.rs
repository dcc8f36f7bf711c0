//! Which boxes share a frame.
//!
//! A frame can only be drawn around boxes that no wire leaves and enters again through others. Where a scope is
//! used twice with something in between, it has two frames.

use std::collections::{BTreeMap, HashMap};

use crate::sketch::Sketch;

/// A frame, or the whole drawing, and what stands directly in it.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Position in [`Sketch::frames`]; `None` for the whole drawing.
    pub(crate) frame: Option<usize>,
    /// The cluster around it, and how many there are; the whole drawing is its own.
    pub(crate) parent: usize,
    pub(crate) depth: usize,
    pub(crate) parts: Vec<Part>,
}

/// What stands in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// A box.
    Box(usize),
    /// A further frame.
    Cluster(usize),
}

/// All clusters, each after the one around it; the first is the whole drawing. Also the innermost one of each box.
pub(crate) fn clusters(sketch: &Sketch) -> (Vec<Cluster>, Vec<usize>) {
    let n = sketch.boxes.len();
    let mut inputs = vec![Vec::new(); n];
    sketch.wires.iter().for_each(|w| inputs[w.to].push(w.from));
    let order = topological(&inputs);
    let mut home = vec![0; n];
    let mut clusters = vec![Cluster { frame: None, parent: 0, depth: 0, parts: Vec::new() }];
    let mut members = vec![order];
    let mut next = 0;
    while next < clusters.len() {
        let (depth, boxes) = (clusters[next].depth, std::mem::take(&mut members[next]));
        for (frame, boxes) in runs(sketch, &inputs, &home, next, depth, &boxes) {
            let part = match frame {
                Some(_) => {
                    boxes.iter().for_each(|&b| home[b] = clusters.len());
                    clusters.push(Cluster { frame, parent: next, depth: depth + 1, parts: Vec::new() });
                    members.push(boxes);
                    Part::Cluster(clusters.len() - 1)
                }
                None => Part::Box(boxes[0]),
            };
            clusters[next].parts.push(part);
        }
        next += 1;
    }
    (clusters, home)
}

/// The boxes, each after its arguments, as listed where possible.
pub(crate) fn topological(inputs: &[Vec<usize>]) -> Vec<usize> {
    let mut waiting: Vec<usize> = inputs.iter().map(Vec::len).collect();
    let mut users = vec![Vec::new(); inputs.len()];
    for (b, from) in inputs.iter().enumerate() {
        from.iter().for_each(|&a| users[a].push(b));
    }
    let start = (0..inputs.len()).filter(|&b| waiting[b] == 0).map(std::cmp::Reverse);
    let mut ready: std::collections::BinaryHeap<_> = start.collect();
    let mut order = Vec::with_capacity(inputs.len());
    while let Some(std::cmp::Reverse(b)) = ready.pop() {
        order.push(b);
        for &u in &users[b] {
            waiting[u] -= 1;
            if waiting[u] == 0 {
                ready.push(std::cmp::Reverse(u));
            }
        }
    }
    order
}

/// The boxes of cluster `own` as single boxes and groups that share a frame at `depth`, such that the groups wait
/// for each other in no circle.
///
/// The *stage* of a box is the greatest number of changes of frame on any path to it. A path that leaves a group
/// comes to a higher stage, so boxes of one frame and one stage are a group; groups of one frame are then joined
/// where that closes no circle.
fn runs(
    sketch: &Sketch,
    inputs: &[Vec<usize>],
    home: &[usize],
    own: usize,
    depth: usize,
    boxes: &[usize],
) -> Vec<(Option<usize>, Vec<usize>)> {
    let frame = |b: usize| sketch.boxes[b].path.get(depth).copied();
    let mut stage: HashMap<usize, usize> = HashMap::new();
    let mut group_of: HashMap<(usize, usize), usize> = HashMap::new();
    let mut unit: HashMap<usize, usize> = HashMap::new();
    let mut groups: Vec<(Option<usize>, Vec<usize>)> = Vec::new();
    for &b in boxes {
        let before = inputs[b].iter().filter(|&&a| home[a] == own);
        let steps = before.map(|&a| stage[&a] + usize::from(frame(a) != frame(b) || frame(b).is_none()));
        let reached = steps.max().unwrap_or(0);
        stage.insert(b, reached);
        let fresh = groups.len();
        let group = match frame(b) {
            Some(f) => *group_of.entry((f, reached)).or_insert(fresh),
            None => fresh,
        };
        if group == fresh {
            groups.push((frame(b), Vec::new()));
        }
        groups[group].1.push(b);
        unit.insert(b, group);
    }
    let mut join =
        Joiner { into: (0..groups.len()).collect(), users: vec![Vec::new(); groups.len()], work: 0 };
    for &b in boxes {
        for a in inputs[b].iter().filter(|&&a| home[a] == own && unit[&a] != unit[&b]) {
            join.users[unit[a]].push(unit[&b]);
        }
    }
    let mut of_frame: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for g in 0..groups.len() {
        let Some(frame) = groups[g].0 else { continue };
        let known = of_frame.entry(frame).or_default();
        match known.iter().find(|&&k| join.may_join(k, g)) {
            Some(&k) => {
                let moved = std::mem::take(&mut groups[g].1);
                groups[k].1.extend(moved);
                join.join(k, g);
            }
            None => known.push(g),
        }
    }
    let rank: HashMap<usize, usize> = boxes.iter().enumerate().map(|(i, &b)| (b, i)).collect();
    groups.iter_mut().for_each(|g| g.1.sort_by_key(|b| rank[b]));
    groups.retain(|g| !g.1.is_empty());
    groups
}

/// Groups that may become one.
struct Joiner {
    into: Vec<usize>,
    users: Vec<Vec<usize>>,
    work: usize,
}

/// Visits after which no more groups are joined: a picture of thousands of groups is no better for it.
const MOST_WORK: usize = 3_000_000;

impl Joiner {
    fn find(&self, mut g: usize) -> usize {
        while self.into[g] != g {
            g = self.into[g];
        }
        g
    }

    fn join(&mut self, a: usize, b: usize) {
        self.into[b] = a;
        let users = std::mem::take(&mut self.users[b]);
        self.users[a].extend(users);
    }

    /// Whether no path leads from one of two groups through a third to the other.
    fn may_join(&mut self, a: usize, b: usize) -> bool {
        !self.detour(a, b) && !self.detour(b, a)
    }

    fn detour(&mut self, from: usize, to: usize) -> bool {
        let mut seen = vec![false; self.into.len()];
        seen[from] = true;
        let first = self.users[from].iter().map(|&u| self.find(u)).filter(|&u| u != to);
        let mut open: Vec<usize> = first.collect();
        while let Some(g) = open.pop() {
            if g == to || self.work > MOST_WORK {
                return true;
            }
            if !std::mem::replace(&mut seen[g], true) {
                self.work += 1 + self.users[g].len();
                open.extend(self.users[g].iter().map(|&u| self.find(u)));
            }
        }
        false
    }
}
