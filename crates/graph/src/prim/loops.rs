//! Repetition: a formula carried out step after step.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Layout, Shape};

use super::{Carried, Derivative, Lowering, Primitive, Sample, wrong_kind};
use crate::body::Body;
use crate::control::{Scan, scan};
use crate::error::ErrorKind;
use crate::types::Type;

/// A body carried out `length` times, or as long as `test` holds and at most so often.
///
/// The body makes new *carries* and *stacked* values of carries, *slices* and *captures*. The carries go from step to
/// step; the slices of a step are its entries of the leading axes of arguments; the captures are the same in each
/// step; the stacked values of all steps are results with a leading axis, 0 for steps that were not taken.
///
/// Arguments: first carries, what is sliced, the number of steps if it is `counted`, captures of the body, captures of
/// the test. Results: the number of steps taken, the last carries, the stacked values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Loop {
    pub(crate) body: Body,
    pub(crate) carries: usize,
    pub(crate) slices: usize,
    pub(crate) length: usize,
    /// Whether the last slice comes first.
    pub(crate) reverse: bool,
    /// Whether an argument says how many of the steps are taken: those with the first slices, in either direction.
    pub(crate) counted: bool,
    /// Over carries and captures of its own: whether there is to be another step.
    pub(crate) test: Option<Body>,
}

/// The arguments of a loop, or what stands for each of them.
pub(crate) struct LoopArgs<'a, T> {
    pub(crate) carries: &'a [T],
    pub(crate) slices: &'a [T],
    pub(crate) count: &'a [T],
    pub(crate) captures: &'a [T],
    pub(crate) test_captures: &'a [T],
}

impl Loop {
    /// `args` by what they are.
    pub(crate) fn split<'a, T>(&self, args: &'a [T]) -> LoopArgs<'a, T> {
        let (carries, rest) = args.split_at(self.carries);
        let (slices, rest) = rest.split_at(self.slices);
        let (count, rest) = rest.split_at(usize::from(self.counted));
        let (captures, test_captures) = rest.split_at(self.body.parameters() - self.carries - self.slices);
        LoopArgs { carries, slices, count, captures, test_captures }
    }

    /// The number of stacked values.
    pub(crate) fn stacked(&self) -> usize {
        self.body.results().len() - self.carries
    }

    fn check(&self, args: &[&Type]) -> Result<(), String> {
        let LoopArgs { carries, slices, count, captures, test_captures } = self.split(args);
        let given = slices.iter().map(|ty| match ty.shape.first() {
            Some(n) if *n == self.length => Ok(ty.shaped(ty.shape.without(0))),
            _ => Err(format!("{ty} is not sliced into {} steps", self.length)),
        });
        let given = carries.iter().map(|ty| Ok((*ty).clone())).chain(given);
        let given = given.chain(captures.iter().map(|ty| Ok((*ty).clone())));
        for (i, (given, wanted)) in given.zip(self.body.parameter_types()).enumerate() {
            let given = given?;
            if given != *wanted {
                return Err(format!("value {i} of a step is {wanted}, not {given}"));
            }
        }
        for (i, (before, after)) in carries.iter().zip(self.body.result_types()).enumerate() {
            if *before != after {
                return Err(format!("carry {i} begins as {before} and becomes {after}"));
            }
        }
        if count.iter().any(|ty| ty.kind != Kind::Int || !ty.shape.is_empty()) {
            return Err("the number of steps is a single integer".into());
        }
        if let Some(test) = &self.test {
            let given = carries.iter().chain(test_captures);
            if test.parameter_types().zip(given).any(|(wanted, given)| wanted != *given) {
                return Err("the test is of other types than the carries".into());
            }
            let truth = Type { shape: Shape::scalar(), kind: Kind::Truth };
            if test.result_types().ne([&truth]) {
                return Err("the test gives one truth value".into());
            }
        }
        Ok(())
    }
}

impl Primitive for Loop {
    fn name(&self) -> &'static str {
        if self.test.is_some() { "while" } else { "scan" }
    }

    fn attributes(&self) -> String {
        let mut all = Vec::new();
        if self.length != usize::MAX {
            all.push(format!("length={}", self.length));
        }
        all.extend(self.reverse.then(|| "reverse".into()));
        all.extend(self.counted.then(|| "counted".into()));
        all.join(" ")
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        self.check(args).map_err(|why| wrong_kind(self.name(), why))?;
        Ok(Type { shape: Shape::scalar(), kind: Kind::Int })
    }

    fn further(&self, args: &[&Type]) -> Vec<Type> {
        let _ = args;
        let stacked = |ty: &Type| ty.shaped(ty.shape.with_leading(self.length));
        let (carries, stacks): (Vec<_>, Vec<_>) =
            self.body.result_types().enumerate().partition(|(i, _)| *i < self.carries);
        let carries = carries.into_iter().map(|(_, ty)| ty.clone());
        carries.chain(stacks.into_iter().map(|(_, ty)| stacked(ty))).collect()
    }

    fn bodies(&self) -> Vec<Carried<'_>> {
        let tested = self.test.as_ref().map_or(0, |test| test.parameters() - self.carries);
        let all: Vec<usize> = (0..self.body.parameters() + usize::from(self.counted) + tested).collect();
        let LoopArgs { carries, slices, captures, test_captures, .. } = self.split(&all);
        let given = |what: &'static str, from: &[usize]| -> Vec<(usize, String)> {
            from.iter().enumerate().map(|(i, at)| (*at, format!("{what} {i}"))).collect()
        };
        let test = self.test.iter().map(|test| Carried {
            when: "as long as".into(),
            body: test,
            given: [given("carry", carries), given("captured", test_captures)].concat(),
        });
        let most = if self.test.is_some() || self.counted { "at most " } else { "" };
        let backwards = if self.reverse { ", the last first" } else { "" };
        let step = Carried {
            when: match self.length {
                usize::MAX => "each step".into(),
                n => format!("each of {most}{n} steps{backwards}"),
            },
            body: &self.body,
            given: [given("carry", carries), given("slice", slices), given("captured", captures)].concat(),
        };
        test.chain([step]).collect()
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Structured(|p| p)
    }

    fn lower(&self, _: &[Layout], _: &Type) -> Lowering {
        Lowering::Formulas
    }

    fn samples() -> Vec<Sample> {
        let sample = |name: &str, shapes: &[&[usize]], reverse: bool| {
            Sample::new(name, shapes, -1.0..1.0, move |x| {
                let (w, h, x) = (x[0], x[1], x[2]);
                let made = Scan::new().reverse(reverse).run(&[h], &[x], |c, x| {
                    let h = (c[0] * w + x[0]).sin();
                    Ok((vec![h], vec![h * x[0]]))
                });
                match made {
                    Ok((carries, stacked)) => stacked[0].sum(0) * carries[0],
                    Err(error) => w.graph().poison(error),
                }
            })
        };
        vec![
            sample("recurrence of (4, 3)", &[&[3], &[3], &[4, 3]], false),
            sample("recurrence of (4, 2, 3) with (3,), backwards", &[&[3], &[2, 3], &[4, 2, 3]], true),
            sample("recurrence of numbers", &[&[], &[], &[5]], false),
            sample("one step", &[&[2], &[2], &[1, 2]], false),
            sample("no step", &[&[2], &[2], &[0, 2]], false),
            sample("a recurrence of no numbers", &[&[0], &[0], &[3, 0]], true),
            Sample::new("running products of (5,)", &[&[5]], -2.0..2.0, |x| {
                match scan(&[x[0].graph().constant(1.0)], &[x[0]], |c, x| {
                    let p = c[0] * x[0];
                    Ok((vec![p], vec![p]))
                }) {
                    Ok((_, stacked)) => stacked[0],
                    Err(error) => x[0].graph().poison(error),
                }
            }),
        ]
    }
}
