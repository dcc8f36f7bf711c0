//! Views: places of their own in the buffers of others, and what stands between a kernel and its argument.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Compound, Layout};

use super::{Lowerer, Place};
use crate::exec::call::Call;
use crate::ir::Node;
use crate::prim::{Lowering, Op};
use crate::types::{NodeId, Type};

impl Lowerer<'_> {
    /// For each argument of a kernel, the view as which it is read if that is one that no layout describes.
    pub(super) fn read_as(&self, node: &Node) -> Vec<Option<(usize, Compound)>> {
        let found: Vec<_> = node.args.iter().map(|a| self.compounds.get(a)).collect();
        if found.iter().all(Option::is_none) || (0..found.len()).any(|i| !node.op.around(i).is_empty()) {
            return vec![None; found.len()];
        }
        let Lowering::Kernel(mut call) = node.lowering(self.nodes) else {
            unreachable!("{} was scheduled as a kernel", node.op.name())
        };
        let read = |(i, view): (usize, Option<&(usize, Compound)>)| {
            view.filter(|(_, view)| call.read_as(i, view)).cloned()
        };
        found.into_iter().enumerate().map(read).collect()
    }

    /// The view as which products read a node's result, if it is one that no layout describes.
    fn compound(&self, id: NodeId) -> Option<(usize, Compound)> {
        let node = &self.nodes[id.index()];
        let (buffer, of) = match (self.compounds.get(&node.args[0]), self.places.get(&node.args[0])) {
            (Some((buffer, view)), _) => (*buffer, view.clone()),
            (_, Some(Place::At(buffer, layout))) => (*buffer, layout.into()),
            _ => return None,
        };
        let real = node.ty.kind == Kind::Real;
        if real && self.optimise.fuse && !self.anomaly { Some((buffer, node.op.view(&of)?)) } else { None }
    }

    pub(super) fn view(&mut self, id: NodeId) {
        let node = &self.nodes[id.index()];
        if let Op::Part(part) = &node.op {
            let place = self.part_places[&(node.args[0], part.index)].clone();
            self.places.insert(id, place);
            return;
        }
        let compound = self.compound(id);
        if let (Some(view), true) = (&compound, self.compounds.contains_key(&node.args[0])) {
            self.viewed(id, view.clone());
            return;
        }
        let place = match self.placed(node.args[0]) {
            Place::Immediate(value) => Place::Immediate(value),
            Place::At(buffer, layout) => match node.op.lower(&[layout], &node.ty) {
                Lowering::View(Some(view)) => Place::At(buffer, view),
                _ if let Some(view) = compound => {
                    self.viewed(id, view);
                    return;
                }
                _ => {
                    let (buffer, layout) = self.contiguous(node.args[0]);
                    match node.op.lower(&[layout], &node.ty) {
                        Lowering::View(Some(view)) => Place::At(buffer, view),
                        _ => unreachable!("a contiguous buffer has a {} view", node.op.name()),
                    }
                }
            },
        };
        self.places.insert(id, place);
    }

    /// Says where the view `id` is.
    fn viewed(&mut self, id: NodeId, (buffer, view): (usize, Compound)) {
        match view.simple() {
            Some(layout) => drop(self.places.insert(id, Place::At(buffer, layout))),
            None => drop(self.compounds.insert(id, (buffer, view))),
        }
    }

    /// A node's value with zeros in front of and behind each axis.
    pub(super) fn padded(&mut self, id: NodeId, around: &[[usize; 2]]) -> (usize, Layout) {
        let (buffer, from) = self.strided(id);
        let node = &self.nodes[id.index()];
        let lengths = from.shape.iter().zip(around).map(|(n, [before, after])| before + n + after);
        let ty = Type { kind: node.ty.kind, shape: lengths.collect() };
        let whole = Layout::contiguous(ty.shape.clone());
        let axes = around.iter().zip(&from.shape[..]).enumerate();
        let to = axes.fold(whole.clone(), |to, (i, ([before, _], n))| to.slice(i, *before, *n, 1));
        let out = self.buffer(&ty);
        self.out.buffers[out].format = self.out.buffers[buffer].format;
        let call = Call::Place { parts: vec![(from, to)], fill: true };
        self.step(call, [&[buffer], &[out]], ty.shape, node.origin.clone(), "pad".into());
        (out, whole)
    }
}
