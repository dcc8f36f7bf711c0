//! The further results of an operation that has several.

use chainrule_tensor::Layout;

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample};
use crate::error::ErrorKind;
use crate::ir::{Graph, Node};
use crate::types::{NodeId, Type};
use crate::var::Var;

/// Result `index` of the operation that is its argument; result 0 is the operation's own node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    pub(crate) index: usize,
    pub(crate) ty: Type,
}

impl<'g> Var<'g> {
    /// All results of the operation that this is the node of.
    pub(crate) fn results(self) -> Vec<Var<'g>> {
        let types = result_types(&self.graph.inner.borrow().nodes, self.id);
        let _line = self.graph.blame_origin(self.origin());
        let part = |(index, ty)| self.graph.record(Part { index, ty }.into(), &[self]);
        std::iter::once(self).chain(types.into_iter().enumerate().skip(1).map(part)).collect()
    }
}

/// The types of all results of the operation at `id`.
pub(crate) fn result_types(nodes: &[Node], id: NodeId) -> Vec<Type> {
    let node = &nodes[id.index()];
    let args: Vec<&Type> = node.args.iter().map(|a| &nodes[a.index()].ty).collect();
    std::iter::once(node.ty.clone()).chain(node.op.further(&args)).collect()
}

impl Graph {
    /// All results of `op` for `args`.
    ///
    /// # Errors
    /// Arguments that do not fit, or are poisoned.
    pub(crate) fn record_all<'g>(
        &'g self,
        op: impl Into<Op>,
        args: &[Var<'g>],
    ) -> crate::Result<Vec<Var<'g>>> {
        let made = self.record(op.into(), args);
        made.checked()?;
        Ok(made.results())
    }
}

impl Primitive for Part {
    fn name(&self) -> &'static str {
        "result"
    }

    fn attributes(&self) -> String {
        self.index.to_string()
    }

    fn infer(&self, _: &[&Type]) -> Result<Type, ErrorKind> {
        Ok(self.ty.clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Part(|p| p.index)
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.arg(0).0.results()[self.index]
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Part
    }

    fn samples() -> Vec<Sample> {
        // The samples of operations with several results go through it.
        Vec::new()
    }
}
