//! Loops and choices as steps that have plans of their own.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{DType, Layout, Tensor};

use super::{Lowerer, Place};
use crate::body::Body;
use crate::error::Result;
use crate::exec::call::Call;
use crate::exec::compile::{Compiler, Subject};
use crate::exec::plan::Plan;
use crate::exec::within::{Choice, Cycle, Output};
use crate::ir::Graph;
use crate::prim::branch::Branch;
use crate::prim::loops::Loop;
use crate::prim::part::result_types;
use crate::types::{NodeId, Type};

impl Lowerer<'_> {
    /// The results of node `id` that are needed, by number.
    fn needed_results(&self, id: NodeId, count: usize) -> Vec<usize> {
        let parts = self.parts.get(&id);
        let needed = |i: &usize| {
            if *i == 0 { self.shared.contains(&id) } else { parts.is_some_and(|p| p.contains_key(i)) }
        };
        (0..count).filter(needed).collect()
    }

    pub(super) fn looped(&mut self, id: NodeId, l: &Loop) -> Result<()> {
        let args = self.nodes[id.index()].args.clone();
        let results = result_types(self.nodes, id);
        let needed = self.needed_results(id, results.len());
        let stacks: Vec<usize> = needed.iter().filter_map(|i| i.checked_sub(1 + l.carries)).collect();
        let step = self.step_plan(&l.body, l.carries, &stacks)?;
        let test = l.test.as_ref().map(|test| self.plan_of(test)).transpose()?;
        let mut stacked = 0..;
        let outputs = needed.iter().map(|i| match i.checked_sub(1) {
            None => Output::Count,
            Some(i) if i < l.carries => Output::Carry(i),
            Some(_) => Output::Stack(stacked.next().unwrap_or_default()),
        });
        let cycle = Cycle {
            step,
            test,
            carries: l.carries,
            slices: l.slices,
            captures: l.body.parameters() - l.carries - l.slices,
            counted: l.counted,
            length: l.length,
            reverse: l.reverse,
            outputs: outputs.collect(),
        };
        self.with_plans(id, &args, Call::Loop(Box::new(cycle)), &needed, &results);
        Ok(())
    }

    pub(super) fn branch(&mut self, id: NodeId, b: &Branch) -> Result<()> {
        let args = self.nodes[id.index()].args.clone();
        let results = result_types(self.nodes, id);
        let needed = self.needed_results(id, results.len());
        let only = |body: &Body| body.with_results(needed.iter().map(|i| body.results()[*i]).collect());
        let choice = Choice { yes: self.plan_of(&only(&b.yes))?, no: self.plan_of(&only(&b.no))? };
        self.with_plans(id, &args, Call::Branch(Box::new(choice)), &needed, &results);
        Ok(())
    }

    /// The step of a node with plans within, and where its results are.
    fn with_plans(&mut self, id: NodeId, args: &[NodeId], call: Call, needed: &[usize], results: &[Type]) {
        let inputs: Vec<usize> = args.iter().map(|a| self.whole(*a).0).collect();
        let mut outputs = Vec::new();
        for i in needed {
            let buffer = self.buffer(&results[*i]);
            let place = Place::At(buffer, Layout::contiguous(results[*i].shape.clone()));
            if *i == 0 {
                self.places.insert(id, place.clone());
            }
            self.part_places.insert((id, *i), place);
            outputs.push(buffer);
        }
        let node = &self.nodes[id.index()];
        let shape = needed.first().map(|i| results[*i].shape.clone()).unwrap_or_default();
        self.step(call, [&inputs, &outputs], shape, node.origin.clone(), node.op.label());
    }

    /// One step of a loop: `stacks` are the results to be stacked that are needed.
    fn step_plan(&self, body: &Body, carries: usize, stacks: &[usize]) -> Result<Plan> {
        let graph = Graph::new();
        let parameters: Vec<_> = body.nodes()[..body.parameters()]
            .iter()
            .enumerate()
            .map(|(i, node)| {
                let start = (i < carries).then(|| self.zeros(&node.ty));
                let _line = graph.blame_origin(node.origin.clone());
                graph.new_leaf("value of a step", node.ty.clone(), start)
            })
            .collect();
        let results = graph.inline(body, &parameters);
        let (carried, stacked) = results.split_at(carries);
        let compiler = Compiler {
            graph: Subject::Given(&graph),
            inputs: parameters[carries..].iter().map(|v| v.id()).collect(),
            outputs: stacks.iter().map(|i| stacked[*i].id()).collect(),
            state: parameters.iter().zip(carried).map(|(old, new)| (old.id(), new.id())).collect(),
            precision: self.precision,
            optimise: self.optimise,
            anomaly: self.anomaly,
            exact: self.exact,
            known: Default::default(),
            refused: None,
        };
        compiler.plan()
    }

    /// A body as a plan from its parameters to its results.
    fn plan_of(&self, body: &Body) -> Result<Plan> {
        self.step_plan(body, 0, &(0..body.results().len()).collect::<Vec<_>>())
    }

    fn zeros(&self, ty: &Type) -> Tensor {
        let dtype = match ty.kind {
            Kind::Real => self.precision.dtype(),
            Kind::Int => DType::I64,
            Kind::Truth => DType::Bool,
        };
        Tensor::zeros(ty.shape.clone(), dtype)
    }
}
