//! Values that were asked for, from which later ones start.

use chainrule_tensor::Tensor;

use crate::ir::{Graph, NodeId};
use crate::precision::Precision;
use crate::prim::Form;
use crate::walk::Values;

/// A larger value is computed again rather than kept.
const LARGEST: usize = 1 << 16;

impl Graph {
    /// The values that were asked for last, at this precision.
    pub(crate) fn known(&self, precision: Precision) -> Values {
        let inner = self.inner.borrow();
        let same = inner.known.iter().filter(|((_, p), _)| *p == precision);
        same.map(|((id, _), value)| (*id, value.clone())).collect()
    }

    /// Keeps the value of a node for a while. A loop that asks for the value of each step then computes each step once.
    pub(crate) fn remember(&self, id: NodeId, precision: Precision, value: &Tensor) {
        let inner = &mut *self.inner.borrow_mut();
        let node = &inner.nodes[id.index()];
        // What has no arguments is at hand anyway, and one result of several stands for none of the others.
        let alone = !node.args.is_empty() && !matches!(node.op.form(), Form::Structured(_));
        if value.size() <= LARGEST && alone {
            inner.known.insert((id, precision), value.clone());
        }
    }
}
