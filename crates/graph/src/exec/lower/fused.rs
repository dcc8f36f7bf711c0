//! A group of elementwise nodes as one step.

use chainrule_tensor::Layout;
use chainrule_tensor::kernels::elementwise::{ProgramBuilder, Reg};
use rustc_hash::FxHashMap;

use super::{Lowerer, Place};
use crate::exec::call::Call;
use crate::exec::elementwise::Instruction;
use crate::exec::operation::{Operand, Operation};
use crate::prim::Lowering;
use crate::types::NodeId;
use crate::walk::IdMap;

impl Lowerer<'_> {
    /// A fused group: one program, an output for each node that is needed outside.
    pub(super) fn fused(&mut self, group: &[NodeId]) {
        let shape = self.nodes[group[0].index()].ty.shape.clone();
        let origin = self.nodes[group[group.len() - 1].index()].origin.clone();
        let mut program = ProgramBuilder::new();
        let mut regs: IdMap<Reg> = IdMap::default();
        let mut read: Vec<(usize, Layout)> = Vec::new();
        let mut inputs: FxHashMap<(usize, Layout), Reg> = FxHashMap::default();
        for id in group {
            let node = &self.nodes[id.index()];
            let args: Vec<Reg> = node
                .args
                .iter()
                .map(|a| {
                    *regs.entry(*a).or_insert_with(|| match self.placed(*a) {
                        Place::Immediate(value) => program.constant(value),
                        Place::At(buffer, layout) => {
                            let kind = self.out.buffers[buffer].kind;
                            *inputs.entry((buffer, layout)).or_insert_with_key(|input| {
                                read.push(input.clone());
                                program.input(kind)
                            })
                        }
                    })
                })
                .collect();
            if let Lowering::Elementwise(instruction) = node.op.lower(&[], &node.ty) {
                let reg = instruction.emit(&mut program, &args, self.exact);
                regs.insert(*id, reg);
            }
        }
        let mut outputs = Vec::new();
        for id in group {
            if !self.shared.contains(id) {
                continue;
            }
            let ty = self.nodes[id.index()].ty.clone();
            program.output(regs[id]);
            let buffer = self.buffer(&ty);
            self.out.buffers[buffer].format = match self.nodes[id.index()].op.lower(&[], &ty) {
                Lowering::Elementwise(Instruction::Round(format)) if self.optimise.reuse && !self.exact => {
                    Some(format)
                }
                _ => None,
            };
            outputs.push(buffer);
            self.places.insert(*id, Place::At(buffer, Layout::contiguous(shape.clone())));
        }
        let names: Vec<_> = group.iter().map(|id| self.nodes[id.index()].op.name()).collect();
        let (buffers, layouts): (Vec<_>, _) = read.iter().cloned().unzip();
        let call = Call::map(program.finish(), shape.clone(), layouts);
        self.step(call, [&buffers, &outputs], shape, origin, names.join(" "));
        let operations = self.operations(group, &read);
        if let Some(step) = self.out.steps.last_mut() {
            step.about.operations = operations;
        }
        self.watch(group, &read);
    }

    /// What a group does, operation by operation.
    fn operations(&self, group: &[NodeId], read: &[(usize, Layout)]) -> Vec<Operation> {
        let inside: IdMap<usize> = group.iter().copied().zip(0..).collect();
        let inputs: FxHashMap<&(usize, Layout), usize> = read.iter().zip(0..).collect();
        let operand = |a: &NodeId| match inside.get(a) {
            Some(&i) => Operand::Operation(i),
            None => match self.place(*a) {
                Place::Immediate(value) => Operand::Number(value),
                Place::At(buffer, layout) => Operand::Input(inputs[&(buffer, layout)]),
            },
        };
        let operation = |id: &NodeId| {
            let node = &self.nodes[id.index()];
            let (op, origin) = (node.op.clone(), node.origin.clone());
            let output = self.shared.contains(id);
            Operation { op, args: node.args.iter().map(operand).collect(), origin, output }
        };
        group.iter().map(operation).collect()
    }
}
