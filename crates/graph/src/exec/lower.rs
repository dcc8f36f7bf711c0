//! Scheduled work as a plan: one step after the other, and a buffer for each value.

mod fused;
mod views;
mod watch;
mod within;

use std::collections::HashMap;

use chainrule_tensor::kernels::elementwise::{ProgramBuilder, Scalar};
use chainrule_tensor::{Compound, Format, Layout, Shape, Tensor};

use super::call::Call;
use super::compile::{Compiler, Optimise};
use super::fuse::Work;
use super::plan::{About, Plan, Room, Slot, Step};
use crate::error::Result;
use crate::ir::Node;
use crate::origin::Origin;
use crate::precision::Precision;
use crate::prim::part::result_types;
use crate::prim::{Lowering, Op};
use crate::types::{NodeId, Type};
use crate::walk::{IdMap, IdSet};

/// Where a node's value is.
#[derive(Clone, Debug)]
enum Place {
    Immediate(Scalar),
    At(usize, Layout),
}

struct Lowerer<'a> {
    nodes: &'a [Node],
    leaves: &'a [crate::ir::Leaf],
    places: IdMap<Place>,
    /// Views that only products read where they lie, by their buffers; who else reads one gets a copy.
    compounds: IdMap<(usize, Compound)>,
    /// The nodes that are further results of others, by those and by number, and where the results are.
    parts: IdMap<HashMap<usize, NodeId>>,
    part_places: HashMap<(NodeId, usize), Place>,
    precision: Precision,
    optimise: Optimise,
    /// Nodes whose value is needed outside the group that computes it.
    shared: IdSet,
    /// Whether leaves and steps are watched.
    anomaly: bool,
    /// Whether nothing is rounded to 16 bits.
    exact: bool,
    /// How many buffers are given; the others are written by steps.
    given: usize,
    out: Plan,
}

/// Lowers the scheduled work. Every buffer is given, or written once.
pub(crate) fn lower(compiler: &Compiler<'_>, order: &[Work]) -> Result<Plan> {
    let inner = compiler.graph.inner.borrow();
    let mut lowerer = Lowerer {
        nodes: &inner.nodes,
        leaves: &inner.leaves,
        places: IdMap::default(),
        compounds: IdMap::default(),
        parts: IdMap::default(),
        part_places: HashMap::new(),
        precision: compiler.precision,
        optimise: compiler.optimise,
        shared: shared(&inner.nodes, compiler, order),
        anomaly: compiler.anomaly,
        exact: compiler.exact,
        given: 0,
        out: Plan::empty(compiler.precision),
    };
    lowerer.give(compiler, order);
    for id in order.iter().flat_map(Work::nodes) {
        if let Op::Part(part) = &inner.nodes[id.index()].op {
            let whole = inner.nodes[id.index()].args[0];
            lowerer.parts.entry(whole).or_default().insert(part.index, *id);
        }
    }
    for work in order {
        match work {
            Work::Fused(group) => lowerer.fused(group),
            Work::Kernel(id) => match &inner.nodes[id.index()].op {
                Op::Loop(l) => lowerer.looped(*id, l)?,
                Op::Branch(b) => lowerer.branch(*id, b)?,
                _ => lowerer.kernel(*id),
            },
            Work::View(id) => lowerer.view(*id),
        }
    }
    // What is handed out, or kept from run to run, has the width of the plan.
    for (i, (_, new)) in compiler.state.iter().enumerate() {
        let next = lowerer.own(*new);
        lowerer.out.buffers[next].format = None;
        let carry = (lowerer.slot(next), lowerer.out.state[i].0);
        lowerer.out.carries.push(carry);
    }
    for id in &compiler.outputs {
        let buffer = lowerer.own(*id);
        lowerer.out.buffers[buffer].format = None;
        let output = (lowerer.slot(buffer), inner.nodes[id.index()].ty.clone());
        lowerer.out.outputs.push(output);
    }
    Ok(lowerer.out)
}

/// Whether a node's value leaves the unit of work that computes it.
fn shared(nodes: &[Node], compiler: &Compiler<'_>, order: &[Work]) -> IdSet {
    let units = order.iter().enumerate();
    let unit: IdMap<usize> =
        units.flat_map(|(i, work)| work.nodes().iter().map(move |id| (*id, i))).collect();
    let mut shared: IdSet =
        compiler.outputs.iter().chain(compiler.state.iter().map(|s| &s.1)).copied().collect();
    for id in order.iter().flat_map(Work::nodes) {
        // A further result is no use of the first.
        if matches!(nodes[id.index()].op, Op::Part(_)) {
            continue;
        }
        let outside = |a: &&NodeId| unit.get(*a) != unit.get(id);
        shared.extend(nodes[id.index()].args.iter().filter(outside));
    }
    shared
}

impl Work {
    /// The nodes of this unit.
    pub(crate) fn nodes(&self) -> &[NodeId] {
        match self {
            Work::Fused(group) => group,
            Work::Kernel(id) | Work::View(id) => std::slice::from_ref(id),
        }
    }
}

impl Lowerer<'_> {
    /// Says where each value is that no step computes.
    fn give(&mut self, compiler: &Compiler<'_>, order: &[Work]) {
        for (id, value) in &compiler.known {
            let buffer = self.given(*id);
            self.out.constants.push((buffer, value.clone(), None));
        }
        for id in &compiler.inputs {
            let node = &self.nodes[id.index()];
            let (name, ty, origin) = (compiler.graph.label(node), node.ty.clone(), node.origin.clone());
            let buffer = self.given(*id);
            self.out.inputs.push((buffer, name, ty, origin));
        }
        for (old, _) in &compiler.state {
            let Some((start, Some(name))) = self.value_of(*old) else {
                unreachable!("a state is a leaf with a value")
            };
            let buffer = self.given(*old);
            self.out.state.push((buffer, start));
            self.out.state_names.push(name);
        }
        let nodes = self.nodes;
        let arguments = |id: &NodeId| {
            let user = &nodes[id.index()];
            user.args.iter().map(move |a| (a, user))
        };
        let used = order.iter().flat_map(Work::nodes).flat_map(arguments);
        let wanted = compiler.outputs.iter().chain(compiler.state.iter().map(|s| &s.1));
        for (id, user) in used.chain(wanted.map(|id| (id, &nodes[id.index()]))) {
            if let (false, Some((value, name))) = (self.places.contains_key(id), self.value_of(*id)) {
                let buffer = self.given(*id);
                self.out.constants.push((buffer, value, name));
            }
            self.watch_number(*id, user);
        }
        self.given = self.out.buffers.len();
    }

    /// The value of a constant or of a leaf that has one; the name of the leaf.
    fn value_of(&self, id: NodeId) -> Option<(Tensor, Option<String>)> {
        match &self.nodes[id.index()].op {
            Op::Input(p) => {
                let leaf = &self.leaves[p.index];
                leaf.value.clone().map(|value| (value, Some(leaf.name.to_string())))
            }
            Op::Constant(p) => Some(((*p.value).clone(), None)),
            _ => None,
        }
    }

    fn buffer(&mut self, ty: &Type) -> usize {
        self.out.buffers.push(Room { kind: ty.kind, format: None, len: ty.shape.size() });
        self.out.buffers.len() - 1
    }

    fn slot(&self, buffer: usize) -> Slot {
        Slot { buffer, len: self.out.buffers[buffer].len }
    }

    /// The buffer of a value that no step computes.
    fn given(&mut self, id: NodeId) -> usize {
        let ty = self.nodes[id.index()].ty.clone();
        let buffer = self.buffer(&ty);
        self.watch_leaf(id, buffer);
        self.places.insert(id, Place::At(buffer, Layout::contiguous(ty.shape)));
        buffer
    }

    /// Where a node's value is; a view that a layout cannot describe is copied first.
    fn placed(&mut self, id: NodeId) -> Place {
        if let Some((buffer, view)) = self.compounds.remove(&id) {
            let (buffer, layout) = self.copy(id, buffer, view.layout().clone());
            self.places.insert(id, Place::At(buffer, layout));
        }
        self.place(id)
    }

    fn place(&self, id: NodeId) -> Place {
        let node = &self.nodes[id.index()];
        match &node.op {
            Op::Scalar(s) => Place::Immediate(s.immediate()),
            _ => match self.places.get(&id) {
                Some(place) => place.clone(),
                None => unreachable!("{} is scheduled before its users", node.op.name()),
            },
        }
    }

    /// A step that makes values of `shape`.
    fn step(
        &mut self,
        call: Call,
        [inputs, outputs]: [&[usize]; 2],
        shape: Shape,
        origin: Origin,
        label: String,
    ) {
        let (operands, watch, operations) = (Vec::new(), None, Vec::new());
        let about = About { origin, label, operands, watch, shape, operations };
        let [inputs, outputs] =
            [inputs, outputs].map(|buffers| buffers.iter().map(|b| self.slot(*b)).collect());
        self.out.steps.push(Step { call, inputs, outputs, about });
    }

    fn kernel(&mut self, id: NodeId) {
        let node = &self.nodes[id.index()];
        let mut buffers = Vec::new();
        let mut layouts = Vec::new();
        let views = self.read_as(node);
        for (a, view) in node.args.iter().zip(&views) {
            let (buffer, layout) = match view {
                Some((buffer, view)) => (*buffer, Layout::contiguous(view.shape())),
                None if !node.op.around(buffers.len()).is_empty() => {
                    self.padded(*a, node.op.around(buffers.len()))
                }
                None if node.op.strided() => self.strided(*a),
                None => self.whole(*a),
            };
            buffers.push(buffer);
            layouts.push(layout);
        }
        let Lowering::Kernel(mut call) = node.op.lower(&layouts, &node.ty) else {
            unreachable!("{} was scheduled as a kernel", node.op.name())
        };
        for (i, view) in views.iter().enumerate() {
            if let Some((_, view)) = view {
                call.read_as(i, view);
            }
        }
        let format = self.moved(&call, &buffers);
        let mut outputs = Vec::new();
        for (i, ty) in result_types(self.nodes, id).iter().enumerate() {
            let buffer = self.buffer(ty);
            self.out.buffers[buffer].format = format;
            let place = Place::At(buffer, Layout::contiguous(ty.shape.clone()));
            match i {
                0 => self.places.insert(id, place),
                i => self.part_places.insert((id, i), place),
            };
            outputs.push(buffer);
        }
        let read: Vec<(usize, Layout)> = buffers.iter().copied().zip(layouts).collect();
        let operand = |a: &NodeId| {
            let arg = &self.nodes[a.index()];
            (self.watched(*a), arg.ty.clone(), arg.origin.clone())
        };
        let operands = node.args.iter().map(operand).collect();
        self.step(call, [&buffers, &outputs], node.ty.shape.clone(), node.origin.clone(), node.op.label());
        if let Some(step) = self.out.steps.last_mut() {
            step.about.operands = operands;
        }
        self.watch(&[id], &read);
    }

    /// The format of what a call makes that only moves elements, if all that it moves has one. Without reuse of memory every
    /// value has the width of the plan.
    fn moved(&self, call: &Call, inputs: &[usize]) -> Option<Format> {
        let moved = match call {
            Call::Place { .. } => inputs,
            Call::Gather(_) => &inputs[..1],
            _ => return None,
        };
        let format = self.out.buffers[*moved.first()?].format;
        format.filter(|_| moved.iter().all(|v| self.out.buffers[*v].format == format))
    }

    /// A node's value in some buffer, in any layout.
    fn strided(&mut self, id: NodeId) -> (usize, Layout) {
        match self.placed(id) {
            Place::At(buffer, layout) => (buffer, layout),
            Place::Immediate(_) => self.copied(id),
        }
    }

    /// A node's value in some buffer, row-major from its start.
    fn contiguous(&mut self, id: NodeId) -> (usize, Layout) {
        match self.placed(id) {
            Place::At(buffer, layout) if layout.is_contiguous() => (buffer, layout),
            _ => self.copied(id),
        }
    }

    /// A node's value as a whole buffer: the first rows of a longer one are contiguous too, but a kernel that is
    /// not told of layouts would read on to its end.
    fn whole(&mut self, id: NodeId) -> (usize, Layout) {
        let (buffer, layout) = self.contiguous(id);
        if self.out.buffers[buffer].len == layout.shape.size() { (buffer, layout) } else { self.copied(id) }
    }

    /// A buffer that holds this node's value and nothing else, written by a step.
    fn own(&mut self, id: NodeId) -> usize {
        match self.placed(id) {
            Place::At(buffer, layout)
                if layout.is_contiguous()
                    && self.out.buffers[buffer].len == layout.shape.size()
                    && buffer >= self.given =>
            {
                buffer
            }
            _ => self.copied(id).0,
        }
    }

    /// A fresh copy of a node's value.
    fn copied(&mut self, id: NodeId) -> (usize, Layout) {
        match self.placed(id) {
            Place::Immediate(value) => {
                let mut program = ProgramBuilder::new();
                let reg = program.constant(value);
                program.output(reg);
                let shape = self.nodes[id.index()].ty.shape.clone();
                self.copy_step(id, Call::map(program.finish(), shape, Vec::new()), Vec::new())
            }
            Place::At(buffer, layout) => self.copy(id, buffer, layout),
        }
    }

    /// A copy of what lies so in a buffer, row-major: the value of a node.
    fn copy(&mut self, id: NodeId, buffer: usize, layout: Layout) -> (usize, Layout) {
        let mut program = ProgramBuilder::new();
        let reg = program.input(self.nodes[id.index()].ty.kind);
        program.output(reg);
        let call = Call::map(program.finish(), layout.shape.clone(), vec![layout]);
        self.copy_step(id, call, vec![buffer])
    }

    fn copy_step(&mut self, id: NodeId, call: Call, inputs: Vec<usize>) -> (usize, Layout) {
        let node = &self.nodes[id.index()];
        let ty = node.ty.clone();
        let out = self.buffer(&ty);
        self.out.buffers[out].format = inputs.first().and_then(|v| self.out.buffers[*v].format);
        let layout = Layout::contiguous(ty.shape.clone());
        self.step(call, [&inputs, &[out]], ty.shape, node.origin.clone(), "copy".into());
        (out, layout)
    }
}
