//! Choice between formulas, of which only one is carried out.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Layout, Shape};

use super::{Carried, Derivative, Lowering, Primitive, Sample, wrong_kind};
use crate::body::Body;
use crate::control::cond;
use crate::error::ErrorKind;
use crate::types::Type;

/// The results of `yes` for the arguments behind the first, a truth value, where that holds, else those of `no`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Branch {
    pub(crate) yes: Body,
    pub(crate) no: Body,
}

impl Primitive for Branch {
    fn name(&self) -> &'static str {
        "cond"
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let truth = Type { shape: Shape::scalar(), kind: Kind::Truth };
        if args[0] != &truth {
            return Err(wrong_kind("cond", format!("the condition is one truth value, not {}", args[0])));
        }
        let (yes, no): (Vec<_>, Vec<_>) =
            (self.yes.result_types().collect(), self.no.result_types().collect());
        if yes.len() != no.len() {
            let why = format!("one branch gives {} values, the other {}", yes.len(), no.len());
            return Err(wrong_kind("cond", why));
        }
        if let Some(i) = (0..yes.len()).find(|i| yes[*i] != no[*i]) {
            return Err(wrong_kind("cond", format!("value {i} of the branches is {} or {}", yes[i], no[i])));
        }
        yes.first().map(|ty| (*ty).clone()).ok_or_else(|| wrong_kind("cond", "the branches give no value"))
    }

    fn further(&self, _: &[&Type]) -> Vec<Type> {
        self.yes.result_types().skip(1).cloned().collect()
    }

    fn bodies(&self) -> Vec<Carried<'_>> {
        [("if it holds", &self.yes), ("if not", &self.no)]
            .map(|(when, body)| {
                let given = (0..body.parameters()).map(|i| (i + 1, format!("value {i}"))).collect();
                Carried { when: when.into(), body, given }
            })
            .into()
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Structured(|p| p)
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Formulas
    }

    fn samples() -> Vec<Sample> {
        let sample = |name: &str, shapes: &[&[usize]], at: f64| {
            Sample::new(name, shapes, -1.0..1.0, move |x| {
                let (a, b) = (x[0], x[1]);
                let chosen = cond(
                    a.sum(..).less(at),
                    || Ok(vec![(a * b).sin(), b.square()]),
                    || Ok(vec![a.exp() + b, a * 0.5 + b * 0.0]),
                );
                match chosen {
                    Ok(y) => y[0] * y[1],
                    Err(error) => a.graph().poison(error),
                }
            })
        };
        vec![
            sample("the first of two formulas of (2, 3)", &[&[2, 3], &[2, 3]], 100.0),
            sample("the second of two formulas of (2, 3)", &[&[2, 3], &[2, 3]], -100.0),
            sample("the first of two formulas of ()", &[&[], &[]], 100.0),
            sample("the second of two formulas of (0,)", &[&[0], &[0]], -100.0),
            sample("the first of two formulas of (1,)", &[&[1], &[1]], 100.0),
        ]
    }
}
