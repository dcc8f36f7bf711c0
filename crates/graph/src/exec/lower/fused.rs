//! A group of elementwise nodes as one step.

use std::collections::HashMap;

use chainrule_tensor::Layout;
use chainrule_tensor::kernels::elementwise::{ProgramBuilder, Reg};

use super::{Lowerer, Place, Source, Task};
use crate::exec::operation::{Operand, Operation};
use crate::ir::NodeId;
use crate::prim::Lowering;

impl Lowerer<'_> {
    /// A fused group: one program, an output for each node that is needed outside.
    pub(super) fn fused(&mut self, group: &[NodeId]) {
        let shape = self.nodes[group[0].index()].ty.shape.clone();
        let origin = self.nodes[group[group.len() - 1].index()].origin.clone();
        let mut program = ProgramBuilder::new();
        let mut regs: HashMap<NodeId, Reg> = HashMap::new();
        let mut inputs: Vec<(usize, Layout, Reg)> = Vec::new();
        for id in group {
            let node = &self.nodes[id.index()];
            let args: Vec<Reg> = node
                .args
                .iter()
                .map(|a| {
                    *regs.entry(*a).or_insert_with(|| match self.place(*a) {
                        Place::Immediate(value) => program.constant(value),
                        Place::At(buffer, layout) => {
                            let known = inputs.iter().find(|(b, l, _)| *b == buffer && *l == layout);
                            known.map(|k| k.2).unwrap_or_else(|| {
                                let reg = program.input(self.out.buffers[buffer].kind);
                                inputs.push((buffer, layout, reg));
                                reg
                            })
                        }
                    })
                })
                .collect();
            if let Lowering::Elementwise(instruction) = node.op.lower(&[], &node.ty) {
                let reg = instruction.emit(&mut program, &args);
                regs.insert(*id, reg);
            }
        }
        let mut outputs = Vec::new();
        for id in group {
            if !self.shared[id.index()] {
                continue;
            }
            let ty = self.nodes[id.index()].ty.clone();
            program.output(regs[id]);
            let buffer = self.buffer(&ty, Source::Step);
            outputs.push(buffer);
            self.places.insert(*id, Place::At(buffer, Layout::contiguous(shape.clone())));
        }
        let names: Vec<_> = group.iter().map(|id| self.nodes[id.index()].op.name()).collect();
        let read: Vec<(usize, Layout)> = inputs.iter().map(|(b, l, _)| (*b, l.clone())).collect();
        let (buffers, layouts) = inputs.into_iter().map(|(b, l, _)| (b, l)).unzip();
        let work = Task::Map { program: program.finish(), shape, layouts };
        self.step(work, buffers, outputs, origin, names.join(" "));
        let operations = self.operations(group, &read);
        if let Some(step) = self.out.steps.last_mut() {
            step.about.operations = operations;
        }
        self.watch(group, &read);
    }

    /// What a group does, operation by operation.
    fn operations(&self, group: &[NodeId], read: &[(usize, Layout)]) -> Vec<Operation> {
        let inside: HashMap<NodeId, usize> = group.iter().copied().zip(0..).collect();
        let operand = |a: &NodeId| match (inside.get(a), self.places.get(a)) {
            (Some(&i), _) => Operand::Operation(i),
            (None, Some(Place::At(buffer, layout))) => {
                let same = |(b, l): &(usize, Layout)| b == buffer && l == layout;
                Operand::Input(read.iter().position(same).unwrap_or(0))
            }
            _ => match self.place(*a) {
                Place::Immediate(value) => Operand::Number(value),
                Place::At(..) => unreachable!("a value in a buffer has been found above"),
            },
        };
        let operation = |id: &NodeId| {
            let node = &self.nodes[id.index()];
            let (op, origin) = (node.op.clone(), node.origin.clone());
            let output = self.shared[id.index()];
            Operation { op, args: node.args.iter().map(operand).collect(), origin, output }
        };
        group.iter().map(operation).collect()
    }
}
