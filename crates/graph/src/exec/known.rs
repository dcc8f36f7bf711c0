//! Single values: those that were asked for are where later ones start.

use chainrule_tensor::Tensor;

use crate::error::Result;
use crate::ir::Graph;
use crate::precision::Precision;
use crate::prim::Form;
use crate::types::NodeId;
use crate::var::Var;
use crate::walk::Values;

/// A larger value is computed again rather than kept.
const LARGEST: usize = 1 << 16;

impl Var<'_> {
    /// Computes the value, with every leaf at its bound value.
    ///
    /// Reals are computed in f32 if there are reals among the values of the graph's leaves and constants and all of
    /// them are f32, else in f64. Single numbers that are no leaves have no say.
    ///
    /// The values asked for last are kept, unless they are large, and what is made from them starts there: a loop that
    /// asks for the value of each step computes each step once.
    ///
    /// # Errors
    /// The error of a poisoned value; an unbound input.
    pub fn value(self) -> Result<Tensor> {
        let precision = Precision::of_leaves(self.graph);
        if let Some(value) = self.graph.inner.borrow_mut().known.get(&(self.id, precision)) {
            return Ok(value.clone());
        }
        let mut compiler = self.graph.compiler(&[], &[self]).precision(precision);
        compiler.known = self.graph.known(precision);
        let value = compiler.build()?.run(&[])?[0].clone();
        self.graph.remember(self.id, precision, &value);
        Ok(value)
    }
}

impl Graph {
    /// The values that were asked for last, at this precision.
    fn known(&self, precision: Precision) -> Values {
        let inner = self.inner.borrow();
        let same = inner.known.iter().filter(|((_, p), _)| *p == precision);
        same.map(|((id, _), value)| (*id, value.clone())).collect()
    }

    /// Keeps the value of a node for a while. A loop that asks for the value of each step then computes each step once.
    fn remember(&self, id: NodeId, precision: Precision, value: &Tensor) {
        let inner = &mut *self.inner.borrow_mut();
        let node = &inner.nodes[id.index()];
        // What has no arguments is at hand anyway, and one result of several stands for none of the others.
        let alone = !node.args.is_empty() && !matches!(node.op.form(), Form::Structured(_));
        if value.size() <= LARGEST && alone {
            inner.known.insert((id, precision), value.clone());
        }
    }
}
