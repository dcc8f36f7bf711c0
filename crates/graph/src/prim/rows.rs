//! The arguments of a node under vmap.

use chainrule_tensor::Tensor;

use super::Op;
use crate::ir::Graph;
use crate::types::Type;
use crate::var::Var;

/// Arguments of which some have a further leading axis, one entry per example; the others are shared by all
/// examples. At least one has the axis.
pub(crate) struct Rows<'g> {
    /// Number of examples.
    pub(crate) n: usize,
    /// Each argument, and whether it has the leading axis.
    args: Vec<(Var<'g>, bool)>,
}

impl<'g> Rows<'g> {
    pub(crate) fn new(n: usize, args: Vec<(Var<'g>, bool)>) -> Self {
        Rows { n, args }
    }

    pub(crate) fn graph(&self) -> &'g Graph {
        self.args[0].0.graph
    }

    /// Argument `i` as it is, and whether it has the leading axis.
    pub(crate) fn arg(&self, i: usize) -> (Var<'g>, bool) {
        self.args[i]
    }

    /// The arguments as they are, and whether each has the leading axis.
    pub(crate) fn args(&self) -> &[(Var<'g>, bool)] {
        &self.args
    }

    /// Argument `i` with the leading axis: a shared one is repeated, which costs nothing.
    pub(crate) fn each(&self, i: usize) -> Var<'g> {
        let (var, batched) = self.args[i];
        if batched { var } else { repeat(var, self.n) }
    }

    /// All arguments with the leading axis.
    pub(crate) fn all(&self) -> Vec<Var<'g>> {
        (0..self.args.len()).map(|i| self.each(i)).collect()
    }

    /// `op` on all arguments with the leading axis.
    pub(crate) fn record(&self, op: impl Into<Op>) -> Var<'g> {
        self.graph().record(op.into(), &self.all())
    }

    /// One node per example, their results stacked: for what has no other way.
    pub(crate) fn unrolled(&self, op: impl Into<Op>) -> Var<'g> {
        let op = op.into();
        let graph = self.graph();
        let example = |i: usize| {
            let pick = |(var, batched): &(Var<'g>, bool)| if *batched { row(*var, i) } else { *var };
            graph.record(op.clone(), &self.args.iter().map(pick).collect::<Vec<_>>())
        };
        if self.n > 0 {
            return graph.stack(&(0..self.n).map(example).collect::<Vec<_>>(), 0);
        }
        // No example: the type of one, none of which there are.
        let one = |(var, batched): &(Var<'g>, bool)| {
            let ty = var.ty();
            if *batched { ty.shaped(ty.shape.without(0)) } else { ty }
        };
        let types: Vec<Type> = self.args.iter().map(one).collect();
        match op.infer(&types.iter().collect::<Vec<_>>()) {
            Ok(ty) => graph.constant(none_of(&ty)),
            Err(error) => graph.poison(crate::Error::new(error)),
        }
    }
}

/// What `yes` has for the examples that the `test` of each holds for, what `no` has for the others.
pub(crate) fn choose<'g>(test: Var<'g>, yes: Var<'g>, no: Var<'g>) -> Var<'g> {
    let mut shape = vec![1; yes.rank()];
    shape[0] = test.shape()[0] as isize;
    test.reshape(&shape).select(yes, no)
}

/// `var` with a leading axis along which it is equal.
pub(crate) fn repeat(var: Var<'_>, n: usize) -> Var<'_> {
    var.broadcast_to(var.shape().with_leading(n))
}

/// Entry `i` of the leading axis.
fn row(var: Var<'_>, i: usize) -> Var<'_> {
    var.slice(0, i..i + 1).reshape_to(var.shape().without(0))
}

/// A tensor of no examples of type `ty`.
fn none_of(ty: &Type) -> Tensor {
    use chainrule_tensor::DType;
    use chainrule_tensor::kernels::Kind;
    let dtype = match ty.kind {
        Kind::Real => DType::F32,
        Kind::Int => DType::I64,
        Kind::Truth => DType::Bool,
    };
    Tensor::zeros(ty.shape.with_leading(0), dtype)
}
