//! What is recorded once and runs many times: examples of a mapped closure, steps of a loop. Each draws its own random
//! numbers.

use chainrule_tensor::Shape;
use chainrule_tensor::kernels::Kind;

use crate::copy::between;
use crate::ir::Graph;
use crate::types::{NodeId, Type};
use crate::var::Var;

/// A closure being recorded for many runs.
pub(crate) struct Repeat {
    /// What stands for the values of one run. A key made of them is that run's own.
    inputs: Vec<NodeId>,
    /// The number of the run, once it has been asked for.
    number: Option<NodeId>,
}

impl Repeat {
    /// Follows nodes that are moved or taken out of the graph: `now` says where they are.
    pub(crate) fn rename(&mut self, now: impl Fn(NodeId) -> Option<NodeId>) {
        self.number = self.number.and_then(now);
    }
}

impl Graph {
    /// What `record` gives, recorded for many runs, and what stood for the number of the run, if that is given or was
    /// asked for. A key that is made of `inputs` is left as it is.
    pub(crate) fn repeated<'g, R>(
        &'g self,
        inputs: &[Var<'g>],
        number: Option<Var<'g>>,
        record: impl FnOnce() -> R,
    ) -> (R, Option<Var<'g>>) {
        /// Ends the recording, whether `record` returns or panics.
        struct Ending<'g>(&'g Graph);
        impl Drop for Ending<'_> {
            fn drop(&mut self) {
                self.0.inner.borrow_mut().repeats.pop();
            }
        }
        let repeat = Repeat { inputs: inputs.iter().map(|x| x.id).collect(), number: number.map(|n| n.id) };
        self.inner.borrow_mut().repeats.push(repeat);
        let _ending = Ending(self);
        let made = record();
        let number = self.inner.borrow().repeats.last().and_then(|r| r.number);
        (made, number.map(|id| self.var(id)))
    }

    /// A leaf that stands for the number of the run.
    #[track_caller]
    pub(crate) fn number_of_run(&self) -> Var<'_> {
        let ty = Type { shape: Shape::scalar(), kind: Kind::Int };
        self.placeholder("number", ty, "it stands for the number of an example or step inside a closure")
    }
}

/// `key`, and behind it the number of the run in each repetition whose inputs it is not made of, the outermost first.
pub(crate) fn key_of_run(key: Var<'_>) -> Var<'_> {
    let graph = key.graph;
    let shape = key.shape();
    let ([axes @ .., _], Kind::Int) = (&shape[..], key.kind()) else { return key };
    let one: Shape = axes.iter().copied().chain([1]).collect();
    let mut parts = vec![key];
    let repeats = graph.inner.borrow().repeats.len();
    for i in 0..repeats {
        let inputs = graph.inner.borrow().repeats[i].inputs.clone();
        if inputs.contains(&key.id) || !between(graph, &inputs, &[key.id]).is_empty() {
            continue;
        }
        let known = graph.inner.borrow().repeats[i].number;
        let number = known.unwrap_or_else(|| {
            let number = graph.number_of_run();
            graph.inner.borrow_mut().repeats[i].number = Some(number.id);
            number.id
        });
        parts.push(graph.var(number).broadcast_to(one.clone()));
    }
    if parts.len() == 1 { key } else { graph.concat(&parts, -1) }
}
