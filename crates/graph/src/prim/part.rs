//! The further results of an operation that has several.

use chainrule_tensor::Layout;

use super::rows::Rows;
use super::{Derivative, Lowering, Primitive, Sample};
use crate::error::ErrorKind;
use crate::ir::Type;
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
        let further = {
            let inner = self.graph.inner.borrow();
            let node = &inner.nodes[self.id.index()];
            let types: Vec<&Type> = node.args.iter().map(|a| &inner.nodes[a.index()].ty).collect();
            node.op.further(&types)
        };
        let _line = self.graph.blame_origin(self.origin());
        let part = |(i, ty)| self.graph.record(Part { index: i + 1, ty }.into(), &[self]);
        std::iter::once(self).chain(further.into_iter().enumerate().map(part)).collect()
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
