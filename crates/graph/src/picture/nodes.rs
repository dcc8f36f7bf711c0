//! A graph as a sketch: which nodes are boxes, what is written in them, and what the backward part reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chainrule_sketch::{Block, Frame, Ink, Look, Sketch, Tone, Wire, shortened};
use chainrule_tensor::Tensor;
use chainrule_tensor::kernels::Kind;

use super::Picture;
use super::bodies::{self, Source};
use super::label::{self, Operand};
use super::style::{self, BACKWARD, DERIVATIVE, FORWARD, KEPT, LEAF, PLACE, SAVED, SHAPE, TANGENT, VALUE};
use crate::error::{Error, ErrorKind, Result};
use crate::ir::Node;
use crate::origin::Phase;
use crate::precision::Precision;
use crate::prim::Op;
use crate::types::{NodeId, Type};
use crate::walk;

/// What a folded scope tells of a box in it.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) shape: String,
    /// The bytes that its value takes until the backward part has read it.
    pub(super) saved: usize,
}

/// A sketch, what is known of each of its boxes, and the box of each node that has one.
pub(super) struct Drawn {
    pub(super) sketch: Sketch,
    pub(super) told: Vec<Told>,
    pub(super) boxes: HashMap<NodeId, usize>,
}

/// Draws the nodes that the outputs depend on.
pub(super) fn draw(picture: &Picture<'_>) -> Result<Drawn> {
    let graph = picture.graph;
    let wanted: Vec<NodeId> = picture.outputs.iter().map(|v| v.id).collect();
    let nodes = graph.nodes();
    let live = walk::made_of(&nodes, wanted.iter().copied());
    let precision = picture.precision.unwrap_or_else(|| Precision::of_leaves(graph));
    let reverse = reverse(&nodes, &live);
    let saved = match reverse.contains(&true) {
        true => graph.saved(&wanted, precision).values,
        false => Vec::new(),
    };
    let saved = saved.into_iter().map(|v| (v.id, v.bytes)).collect();
    let (shown, boxes) = (Vec::new(), HashMap::new());
    let mut pen = Pen { picture, nodes: &nodes, precision, reverse, saved, shown, boxes };
    pen.shown = pen.choose(&wanted, &live)?;
    pen.boxes = pen.shown.iter().copied().zip(0..).collect();
    let values = pen.values()?;
    let (mut sketch, mut told) = (Sketch::default(), Vec::new());
    for &id in pen.shown.iter().filter(|id| nodes[id.index()].op.bodies().is_empty()) {
        for (slot, arg) in nodes[id.index()].args.iter().filter_map(|a| pen.source(*a)).enumerate() {
            sketch.wires.push(Wire { slot, ..pen.wire(arg, id) });
        }
    }
    let mut frames = Known::new();
    for &id in &pen.shown {
        let mut block = pen.block(id, &values, wanted.contains(&id));
        block.path = frames_of(&nodes[id.index()], pen.reverse[id.index()], &mut frames, &mut sketch.frames);
        sketch.boxes.push(block);
        let shape = nodes[id.index()].ty.shape.to_string();
        told.push(Told { shape, saved: pen.saved.get(&id).copied().unwrap_or(0) });
    }
    for &id in pen.shown.iter().filter(|id| !nodes[id.index()].op.bodies().is_empty()) {
        let source = |arg: &NodeId| match pen.source(*arg) {
            Some(from) => Source::Box(pen.wire(from, id)),
            None => Source::Number(pen.operand(*arg)),
        };
        let sources: Vec<Source> = nodes[id.index()].args.iter().map(source).collect();
        bodies::draw(picture, &nodes[id.index()], pen.boxes[&id], &sources, &mut sketch, &mut told)?;
    }
    sketch.heading = label::count(live.len(), "node");
    if !pen.saved.is_empty() {
        let (count, sum) = (pen.saved.len(), label::bytes(pen.saved.values().sum()));
        let plural = if count == 1 { "value" } else { "values" };
        sketch.heading += &format!(" · {count} {plural} kept for the backward part: {sum}");
    }
    let tangents = |part: bool| {
        let is = |id: &&NodeId| nodes[id.index()].origin.phase == Phase::Tangent;
        pen.shown.iter().filter(is).any(|id| pen.reverse[id.index()] == part)
    };
    let tangent = match (tangents(false), tangents(true)) {
        (true, true) => "tangent or local derivative",
        (false, true) => "local derivative",
        _ => "tangent",
    };
    let meanings = [(LEAF, "leaf"), (FORWARD, "forward"), (TANGENT, tangent), (BACKWARD, "backward")];
    sketch.tones = style::legend(&meanings, &sketch.boxes);
    if sketch.wires.iter().any(|w| w.look == KEPT) {
        sketch.dashes = "read by the backward part".into();
    }
    Ok(Drawn { sketch, told, boxes: pen.boxes })
}

struct Pen<'a, 'g> {
    picture: &'a Picture<'g>,
    nodes: &'a [Node],
    precision: Precision,
    /// Which nodes belong to reverse mode: backward nodes, and the local derivatives that they are made with.
    reverse: Vec<bool>,
    /// The bytes of each value kept for the backward part.
    saved: BTreeMap<NodeId, usize>,
    /// The nodes with boxes of their own, and the box of each.
    shown: Vec<NodeId>,
    boxes: HashMap<NodeId, usize>,
}

impl Pen<'_, '_> {
    /// The live nodes that get boxes: all but numbers, which stand in their users' boxes, and views that only
    /// repeat a value or add axes of length 1, which are part of the wire.
    fn choose(&self, wanted: &[NodeId], live: &[NodeId]) -> Result<Vec<NodeId>> {
        let picture = self.picture;
        let mut asked: BTreeSet<NodeId> = wanted.iter().copied().collect();
        asked.extend(picture.names.keys());
        for d in &picture.derivatives {
            if live.binary_search(&d.wrt).is_err() {
                let name = picture.graph.inner.borrow().called(d.wrt);
                let why = format!("{name} is not in the picture, so its derivative has no place");
                let error = Error::new(ErrorKind::Gradient(why)).placed(picture.graph.var(d.wrt).origin());
                return Err(error.hint("draw an output that is made from it"));
            }
            asked.insert(d.wrt);
        }
        let is_number = |mut id: NodeId| loop {
            let node = &self.nodes[id.index()];
            match (&node.op, node.args.first()) {
                (Op::Scalar(_), _) => return true,
                (Op::Broadcast(_) | Op::Reshape(_), Some(below)) if !asked.contains(&id) => id = *below,
                _ => return false,
            }
        };
        let folded = |id: NodeId| {
            let node = &self.nodes[id.index()];
            match &node.op {
                Op::Scalar(_) | Op::Broadcast(_) => true,
                op if op.name() == "neg" && node.ty.kind == Kind::Real => is_number(node.args[0]),
                Op::Reshape(_) => {
                    let lengths =
                        |ty: &Type| ty.shape.iter().copied().filter(|n| *n != 1).collect::<Vec<_>>();
                    lengths(&node.ty) == lengths(&self.nodes[node.args[0].index()].ty)
                }
                _ => false,
            }
        };
        Ok(live.iter().copied().filter(|id| asked.contains(id) || !folded(*id)).collect())
    }

    /// The node whose box a value comes from, through views without a box; `None` for a number.
    fn source(&self, mut id: NodeId) -> Option<NodeId> {
        while !self.boxes.contains_key(&id) {
            id = *self.nodes[id.index()].args.first()?;
        }
        Some(id)
    }

    /// The wire between two nodes with boxes.
    fn wire(&self, arg: NodeId, user: NodeId) -> Wire {
        let look = if self.saves(arg, user) { KEPT } else { Look::Plain };
        Wire { from: self.boxes[&arg], to: self.boxes[&user], slot: 0, look }
    }

    /// Whether `user` is of the backward part and `arg` is not.
    fn saves(&self, arg: NodeId, user: NodeId) -> bool {
        self.reverse[user.index()] && !self.reverse[arg.index()]
    }

    /// The value of each node with a box, and of each derivative, if values are asked for.
    fn values(&self) -> Result<HashMap<NodeId, Tensor>> {
        if !self.picture.values {
            return Ok(HashMap::new());
        }
        let mut wanted = self.shown.clone();
        wanted.extend(self.picture.derivatives.iter().map(|d| d.found));
        let vars: Vec<_> = wanted.iter().map(|id| self.picture.graph.var(*id)).collect();
        let mut run = self.picture.graph.compiler(&[], &vars).precision(self.precision).build()?;
        Ok(wanted.into_iter().zip(run.run(&[])?.iter().cloned()).collect())
    }

    fn name(&self, id: NodeId) -> Option<String> {
        let node = &self.nodes[id.index()];
        match (&node.op, self.picture.names.get(&id)) {
            (_, Some(name)) => Some(name.clone()),
            (Op::Input(_), None) => Some(self.title(node)),
            (op @ Op::Scalar(_), None) => Some(label::constant(op, false)),
            _ => None,
        }
    }

    /// What the operation is called in its box.
    fn title(&self, node: &Node) -> String {
        let label = self.picture.graph.label(node);
        let scope = &node.origin.scope;
        match &node.op {
            // The frame says the rest of a parameter's path.
            Op::Input(_) => match label.strip_prefix(&**scope).and_then(|rest| rest.strip_prefix('.')) {
                Some(rest) if !rest.is_empty() => rest.into(),
                _ => label,
            },
            Op::Constant(_) => "constant".into(),
            op @ Op::Scalar(_) => label::constant(op, false),
            Op::Permute(_) if node.ty.shape.len() == 2 => "transpose".into(),
            _ => label,
        }
    }

    fn operand(&self, id: NodeId) -> Operand {
        let (mut at, mut negative) = (id, false);
        while !self.boxes.contains_key(&at) {
            let node = &self.nodes[at.index()];
            match (&node.op, node.args.first()) {
                (op, Some(below)) => {
                    negative ^= op.name() == "neg";
                    at = *below;
                }
                (op, None) => return Operand::Number(label::constant(op, negative)),
            }
        }
        self.name(at).map_or(Operand::Wired, Operand::Named)
    }

    fn block(&self, id: NodeId, values: &HashMap<NodeId, Tensor>, strong: bool) -> Block {
        let node = &self.nodes[id.index()];
        let op_label = self.title(node);
        let name = self.picture.names.get(&id);
        // What is given to a formula stands in its frame.
        let written = if node.op.bodies().is_empty() { &node.args[..] } else { &[] };
        let operands: Vec<Operand> = written.iter().map(|a| self.operand(*a)).collect();
        let formula = label::formula(&node.op, &op_label, &operands, name.is_some());
        let title = match name {
            Some(name) if *name != formula => format!("{name} = {formula}"),
            _ => formula,
        };
        let mut lines = vec![(Ink::Title, title), (SHAPE, node.ty.to_string())];
        if let (Some(value), false) = (values.get(&id), matches!(node.op, Op::Scalar(_))) {
            lines.extend(label::value(value).into_iter().map(|l| (VALUE, l)));
        }
        for d in self.picture.derivatives.iter().filter(|d| d.wrt == id) {
            let of = self.name(d.of).unwrap_or_default();
            let what = format!("d{of}/d{}", self.name(id).unwrap_or_else(|| format!("%{}", id.index())));
            let found = match values.get(&d.found).map(label::value) {
                Some(found) if found.len() == 1 => found,
                Some(found) => [vec![String::new()], found].concat(),
                None => vec![format!("%{}", d.found.index())],
            };
            lines.push((DERIVATIVE, format!("{what} = {}", found[0])));
            lines.extend(found[1..].iter().map(|l| (DERIVATIVE, l.clone())));
        }
        let saved = self.saved.get(&id).copied().unwrap_or(0);
        if saved > 0 {
            lines.push((SAVED, format!("saved {}", label::bytes(saved))));
        }
        lines.push((PLACE, label::place(&node.origin)));
        let tone = if node.args.is_empty() { LEAF } else { style::tone(node.origin.phase) };
        let tooltip = self.picture.graph.line(id.index(), node);
        Block { strong, late: self.reverse[id.index()], ..style::block(lines, tone, tooltip) }
    }
}

/// Which nodes belong to reverse mode.
fn reverse(nodes: &[Node], live: &[NodeId]) -> Vec<bool> {
    let mut reverse = vec![false; nodes.len()];
    for i in live.iter().rev().map(|id| id.index()) {
        let phase = nodes[i].origin.phase;
        reverse[i] |= phase == Phase::Backward;
        if reverse[i] {
            for a in nodes[i].args.iter().map(|a| a.index()) {
                reverse[a] |= nodes[a].origin.phase == Phase::Tangent;
            }
        }
    }
    reverse
}

/// Frames by the one around them, their own name, and tone.
type Known<'n> = BTreeMap<(Option<usize>, &'n str, Tone), usize>;

/// The frames around a node, one for each part of its scope's path; derivatives have frames of their own.
fn frames_of<'n>(
    node: &'n Node,
    reverse: bool,
    known: &mut Known<'n>,
    frames: &mut Vec<Frame>,
) -> Vec<usize> {
    let scope = &node.origin.scope;
    let (tone, suffix) = match node.origin.phase {
        _ if reverse => (BACKWARD, " · backward"),
        Phase::Tangent => (TANGENT, " · tangent"),
        _ => (FORWARD, ""),
    };
    let mut path: Vec<usize> = Vec::new();
    let mut end = 0;
    for name in scope.split('.').filter(|_| !scope.is_empty()) {
        end += name.len();
        let frame = *known.entry((path.last().copied(), name, tone)).or_insert_with(|| {
            frames.push(style::frame(format!("{}{suffix}", shortened(&scope[..end], 40)), tone));
            frames.len() - 1
        });
        path.push(frame);
        end += 1;
    }
    path
}
