//! Scheduled work as steps over virtual buffers, each written once.

mod fused;
mod views;
mod watch;
mod within;

use std::collections::HashMap;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::elementwise::{ProgramBuilder, Scalar};
use chainrule_tensor::{Compound, Format, Layout, Shape, Tensor};

use super::anomaly::{Leaf, Watch};
use super::call::Call;
use super::compile::{Compiler, Optimise};
use super::fuse::Work;
use super::operation::Operation;
use super::verify;
use crate::error::Result;
use crate::ir::{Node, NodeId, Type};
use crate::origin::Origin;
use crate::precision::Precision;
use crate::prim::part::result_types;
use crate::prim::{Lowering, Op};
use crate::walk::{IdMap, IdSet, Values};

/// A buffer that is written by one step, or given.
#[derive(Clone, Debug)]
pub(crate) struct Virtual {
    pub(crate) kind: Kind,
    pub(crate) len: usize,
    /// What reals are known to be rounded to, so that two bytes hold them.
    pub(crate) format: Option<Format>,
    /// The shape of the value; for pictures.
    pub(crate) shape: Shape,
    pub(crate) source: Source,
}

/// Where a virtual buffer's content comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A step.
    Step,
    /// A value known at planning time; the name of the leaf, if it is one.
    Constant(Tensor, Option<String>),
    /// Argument `i` of the compiled function.
    Input(usize),
    /// The value that state `i` has before the run.
    State(usize),
}

/// One step over virtual buffers.
pub(crate) struct VirtualStep {
    /// What it works on in place is known only with its buffers.
    pub(crate) call: Call,
    pub(crate) inputs: Vec<usize>,
    pub(crate) outputs: Vec<usize>,
    pub(crate) about: About,
}

/// What is said of a step: in dumps, pictures and errors.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) origin: Origin,
    pub(crate) label: String,
    /// The operands of a single operation, for its error if it fails.
    pub(crate) operands: Vec<(String, Type, Origin)>,
    /// In anomaly mode: what to look at after the step.
    pub(crate) watch: Option<Watch>,
    /// The shape of its outputs, and what it does if it is elementwise; for pictures.
    pub(crate) shape: Shape,
    pub(crate) operations: Vec<Operation>,
}

/// Steps over virtual buffers, and which buffers are arguments, state and results.
pub(crate) struct Lowered {
    pub(crate) buffers: Vec<Virtual>,
    pub(crate) steps: Vec<VirtualStep>,
    /// Name, type and origin of each argument.
    pub(crate) inputs: Vec<(String, Type, Origin)>,
    /// For each state: its start value, shape, and the buffer that holds its next value.
    pub(crate) state: Vec<(Tensor, usize)>,
    /// The name of each state.
    pub(crate) state_names: Vec<String>,
    /// The buffer and shape of each result.
    pub(crate) outputs: Vec<(usize, Shape)>,
    /// In anomaly mode: what to look at before the steps.
    pub(crate) leaves: Vec<Leaf>,
}

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
    out: Lowered,
}

/// Lowers the scheduled work.
pub(crate) fn lower(compiler: &Compiler<'_>, order: &[Work], folded: Values) -> Result<Lowered> {
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
        out: Lowered {
            buffers: Vec::new(),
            steps: Vec::new(),
            inputs: Vec::new(),
            state: Vec::new(),
            state_names: Vec::new(),
            outputs: Vec::new(),
            leaves: Vec::new(),
        },
        anomaly: compiler.anomaly,
        exact: compiler.exact,
    };
    for (id, value) in folded {
        lowerer.given(id, Source::Constant(value, None));
    }
    for (i, id) in compiler.inputs.iter().enumerate() {
        let node = &inner.nodes[id.index()];
        if let Op::Input(p) = &node.op {
            let name = inner.leaves[p.index].name.to_string();
            lowerer.out.inputs.push((name, node.ty.clone(), node.origin.clone()));
        }
        lowerer.given(*id, Source::Input(i));
    }
    for (i, (old, _)) in compiler.state.iter().enumerate() {
        lowerer.given(*old, Source::State(i));
    }
    let leaf = |id: NodeId| match &inner.nodes[id.index()].op {
        Op::Input(p) => {
            let leaf = &inner.leaves[p.index];
            leaf.value.clone().map(|value| (value, Some(leaf.name.to_string())))
        }
        Op::Constant(p) => Some(((*p.value).clone(), None)),
        _ => None,
    };
    let wanted = compiler.outputs.iter().chain(compiler.state.iter().map(|s| &s.1));
    let arguments = |id: &NodeId| {
        let user = &inner.nodes[id.index()];
        user.args.iter().map(move |a| (a, user))
    };
    let used = order.iter().flat_map(Work::nodes).flat_map(arguments);
    for (id, user) in used.chain(wanted.map(|id| (id, &inner.nodes[id.index()]))) {
        if let (false, Some((value, name))) = (lowerer.places.contains_key(id), leaf(*id)) {
            lowerer.given(*id, Source::Constant(value, name));
        }
        lowerer.watch_number(*id, user);
    }
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
    for (i, (old, new)) in compiler.state.iter().enumerate() {
        let start = match &inner.nodes[old.index()].op {
            Op::Input(p) => inner.leaves[p.index].value.clone(),
            _ => None,
        };
        let next = lowerer.own(*new);
        // What is handed out, or kept from run to run, has the width of the plan.
        lowerer.out.buffers[next].format = None;
        if let Some(start) = start {
            debug_assert_eq!(lowerer.out.state.len(), i);
            lowerer.out.state.push((start, next));
            lowerer.out.state_names.push(compiler.graph.label(&inner.nodes[old.index()]));
        }
    }
    for id in &compiler.outputs {
        let buffer = lowerer.own(*id);
        lowerer.out.buffers[buffer].format = None;
        lowerer.out.outputs.push((buffer, inner.nodes[id.index()].ty.shape.clone()));
    }
    if cfg!(debug_assertions) {
        verify::written(&lowerer.out);
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
    fn buffer(&mut self, ty: &Type, source: Source) -> usize {
        let (kind, shape) = (ty.kind, ty.shape.clone());
        self.out.buffers.push(Virtual { kind, len: shape.size(), format: None, shape, source });
        self.out.buffers.len() - 1
    }

    /// A node whose value is not computed by a step.
    fn given(&mut self, id: NodeId, source: Source) {
        let ty = self.nodes[id.index()].ty.clone();
        let buffer = self.buffer(&ty, source);
        self.watch_leaf(id, buffer);
        self.places.insert(id, Place::At(buffer, Layout::contiguous(ty.shape)));
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

    fn step(&mut self, call: Call, inputs: Vec<usize>, outputs: Vec<usize>, origin: Origin, label: String) {
        let shape = outputs.first().map(|v| self.out.buffers[*v].shape.clone()).unwrap_or_default();
        let (operands, watch, operations) = (Vec::new(), None, Vec::new());
        let about = About { origin, label, operands, watch, shape, operations };
        self.out.steps.push(VirtualStep { call, inputs, outputs, about });
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
            let buffer = self.buffer(ty, Source::Step);
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
        self.step(call, buffers, outputs, node.origin.clone(), node.op.label());
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
                    && matches!(self.out.buffers[buffer].source, Source::Step) =>
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
        let out = self.buffer(&ty, Source::Step);
        self.out.buffers[out].format = inputs.first().and_then(|v| self.out.buffers[*v].format);
        self.step(call, inputs, vec![out], node.origin.clone(), "copy".into());
        (out, Layout::contiguous(ty.shape))
    }
}
