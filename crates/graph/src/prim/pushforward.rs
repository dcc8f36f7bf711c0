//! The tangent of a node whose derivative is given as a vjp, until it is transposed.

use chainrule_tensor::Layout;
use smallvec::SmallVec;

use super::{Derivative, Lowering, Primitive, Rule, Sample, Site};
use crate::error::{Error, ErrorKind};
use crate::ir::Type;
use crate::var::Var;

/// J·t of the node that is the last argument; the arguments before are the tangents of its arguments `varying`.
///
/// Reverse mode records it and transposes it at once, by the node's vjp. It is never carried out: forward mode
/// records the transpose of the vjp instead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pushforward {
    pub(crate) varying: SmallVec<[usize; 4]>,
}

impl Pushforward {
    /// The cotangent of tangent `i`: that of the node's argument it belongs to.
    fn pull<'g>(&self, i: usize, ct: Var<'g>, site: &Site<'_, 'g>) -> Var<'g> {
        let Some(node) = site.x.last() else { return ct };
        let recorded = node.graph.node(node.id);
        let x: Vec<Var<'g>> = recorded.args.iter().map(|a| node.graph.var(*a)).collect();
        let Rule::Vjp(cotangents, _) = recorded.op.rule() else {
            return ct.fail(Error::new(ErrorKind::Gradient(format!("{} has no vjp", recorded.op.name()))));
        };
        let found = cotangents(ct, &Site { x: &x, y: *node });
        let argument = self.varying[i];
        found.get(argument).copied().flatten().unwrap_or_else(|| x[argument].like(0.0))
    }
}

impl Primitive for Pushforward {
    fn name(&self) -> &'static str {
        "pushforward"
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        Ok(args[args.len() - 1].clone())
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|p, i, ct, s| p.pull(i, ct, s))
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        Lowering::View(Some(args[0].clone()))
    }

    fn samples() -> Vec<Sample> {
        // It lives only between the two halves of reverse mode; the samples of custom operations go through it.
        Vec::new()
    }
}
