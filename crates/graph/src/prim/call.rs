//! A formula as one operation: with a derivative of the user's own, or one that computes the formula again.

use chainrule_tensor::Layout;

use super::{Carried, Derivative, Lowering, Primitive, Sample, wrong_kind};
use crate::body::Body;
use crate::error::ErrorKind;
use crate::ir::Graph;
use crate::types::Type;
use crate::var::Var;

/// The results of `body` for the arguments. The planner records the body in the place of the call, so a call costs
/// nothing where it runs; it is its derivative that is one thing.
///
/// The arguments are those of the formula, as many as the rule is `given`, then what the formula uses besides, then
/// what the rule uses besides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    pub(crate) name: &'static str,
    pub(crate) body: Body,
    pub(crate) rule: Rule,
}

/// How a call is differentiated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    /// As the formula that it is.
    Own,
    /// As the formula that it is, which is computed again when the cotangent of the result is known: of the formula
    /// nothing is kept but its arguments.
    Recompute,
    /// By a formula of the user's over arguments, result and the cotangent of the result: the cotangents of the
    /// arguments.
    Vjp { rule: Body, given: usize },
    /// By a formula of the user's over arguments, result and the tangents of the arguments: the tangent of the result.
    Jvp { rule: Body, given: usize },
}

impl Graph {
    /// The results of `body` for `args`, as one operation.
    #[track_caller]
    pub(crate) fn call<'g>(
        &'g self,
        name: &'static str,
        body: Body,
        rule: Rule,
        args: &[Var<'g>],
    ) -> Vec<Var<'g>> {
        if body.results().is_empty() {
            return Vec::new();
        }
        let count = body.results().len();
        let first = self.record(Call { name, body, rule }.into(), args);
        if first.is_poisoned() { vec![first; count] } else { first.results() }
    }
}

impl Call {
    /// The number of arguments that the rule has a part for.
    pub(crate) fn given(&self) -> usize {
        match &self.rule {
            Rule::Vjp { given, .. } | Rule::Jvp { given, .. } => *given,
            Rule::Own | Rule::Recompute => self.body.parameters(),
        }
    }
}

impl Primitive for Call {
    fn name(&self) -> &'static str {
        self.name
    }

    fn attributes(&self) -> String {
        match self.rule {
            Rule::Vjp { .. } => "vjp".into(),
            Rule::Jvp { .. } => "jvp".into(),
            Rule::Own | Rule::Recompute => String::new(),
        }
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        for (i, wanted) in self.body.parameter_types().enumerate() {
            if args.get(i).is_none_or(|found| *found != wanted) {
                let found = args.get(i).map_or("nothing".into(), |ty| ty.to_string());
                let why = format!("argument {i} is {wanted}, not {found}");
                return Err(wrong_kind(self.name, why));
            }
        }
        self.body.result_types().next().cloned().ok_or_else(|| wrong_kind(self.name, "it has no result"))
    }

    fn further(&self, _: &[&Type]) -> Vec<Type> {
        self.body.result_types().skip(1).cloned().collect()
    }

    fn bodies(&self) -> Vec<Carried<'_>> {
        let given = (0..self.body.parameters()).map(|i| (i, format!("argument {i}"))).collect();
        vec![Carried { when: self.name.into(), body: &self.body, given }]
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Structured(|p| p)
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Formulas
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 5] = [&[], &[3], &[2, 3], &[0], &[1]];
        let vjp = |s: &[usize]| {
            Sample::new(&format!("custom vjp of a product of {s:?}"), &[s, s], -2.0..2.0, |x| {
                let g = x[0].graph();
                g.custom_vjp("product", x, |x| x[0] * x[1], |x, _, ct| vec![x[1] * ct, x[0] * ct]).square()
            })
        };
        let jvp = |s: &[usize]| {
            Sample::new(&format!("custom jvp of sin of {s:?}"), &[s], -2.0..2.0, |x| {
                x[0].graph().custom_jvp("sine", x, |x| x[0].sin(), |x, _, t| t[0] * x[0].cos())
            })
        };
        let checkpoint = |s: &[usize]| {
            Sample::new(&format!("checkpoint of {s:?}"), &[s], -2.0..2.0, |x| {
                let start = x[0].tanh();
                (start.sin() * start.exp()).checkpoint(&[start]).square()
            })
        };
        shapes.map(vjp).into_iter().chain(shapes.map(jvp)).chain(shapes.map(checkpoint)).collect()
    }
}
