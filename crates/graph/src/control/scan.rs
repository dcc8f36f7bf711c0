//! A formula carried out once for each entry of leading axes.

use std::panic::Location;

use super::keep::{self, Keep};
use crate::body::Outline;
use crate::error::{Error, Result};
use crate::origin::Origin;
use crate::prim::loops::Loop;
use crate::prim::wrong_kind;
use crate::types::Type;
use crate::var::Var;

/// Carries `step` out once for each entry of the leading axes of `slices`, from the first to the last.
///
/// `step` gets the carries, which are `carries` at first and what the step before returned from then on, and its
/// entries of `slices`. It returns new carries, of the same types, and values to be stacked. The results are the last
/// carries, and the stacked values of all steps, with a leading axis.
///
/// `step` is called a single time, with values that stand for those of any step, so that a loop of 10,000 steps is recorded,
/// differentiated and planned as fast as one step; its values have the bits of the same formula written out step by
/// step. Whatever else it uses is the same in each step, without being listed. Loops can be differentiated in all modes
/// and orders and mapped by [`vmap`](crate::vmap), and they nest. Random numbers are other ones in each step.
///
/// # Errors
/// The errors of `step`; slices without axes or with leading axes of different length; a new carry of another type than
/// the old one, or another number of them.
///
/// ```
/// use chainrule_graph::{Graph, scan};
/// use chainrule_tensor::Tensor;
/// let g = Graph::new();
/// let (w, h0) = (g.leaf("w", 0.5), g.leaf("h0", 1.0));
/// let x = g.constant([1.0, 2.0, 3.0]);
/// let (h, all) = scan(&[h0], &[x], |h, x| {
///     let h = h[0] * w + x[0];
///     Ok((vec![h], vec![h]))
/// })?;
/// assert_eq!(all[0].value()?, Tensor::from([1.5, 2.75, 4.375]));
/// let dw = h[0].grad(&[w])?[0]; // 3w² + 2w·x₁ + x₂
/// assert_eq!(dw.value()?.item::<f64>()?, 3.75);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn scan<'g>(
    carries: &[Var<'g>],
    slices: &[Var<'g>],
    step: impl FnOnce(&[Var<'g>], &[Var<'g>]) -> Result<(Vec<Var<'g>>, Vec<Var<'g>>)>,
) -> Result<(Vec<Var<'g>>, Vec<Var<'g>>)> {
    Scan::new().run(carries, slices, step)
}

/// A [`scan`] with choices: its direction, its length, and what it keeps for its backward pass.
///
/// ```
/// use chainrule_graph::{Graph, Keep, Scan};
/// let g = Graph::new();
/// let (w, x) = (g.leaf("w", 0.9), g.leaf("x", 0.3));
/// // A hundred steps of a map, of which backward keeps ten carries.
/// let (x, _) = Scan::new().length(100).keep(Keep::SquareRoot).run(&[x], &[], |x, _| {
///     Ok((vec![(x[0] * w).sin()], vec![]))
/// })?;
/// assert!(x[0].grad(&[w])?[0].value()?.item::<f64>()?.is_finite());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "it does nothing until it is run"]
pub struct Scan {
    reverse: bool,
    length: Option<usize>,
    keep: Keep,
}

impl Scan {
    /// From the first entry to the last, keeping all that backward needs.
    pub fn new() -> Self {
        Scan::default()
    }

    /// Whether to begin with the last entry. Stacked values stand where the entries of their steps do.
    pub fn reverse(mut self, reverse: bool) -> Self {
        self.reverse = reverse;
        self
    }

    /// The number of steps, where there is nothing to slice.
    pub fn length(mut self, length: usize) -> Self {
        self.length = Some(length);
        self
    }

    /// What the backward pass finds of the steps. It changes no bit of a derivative.
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Records the loop; as [`scan`].
    ///
    /// # Errors
    /// As [`scan`]; no carry and nothing to slice; a length that is not that of the slices.
    #[track_caller]
    pub fn run<'g>(
        self,
        carries: &[Var<'g>],
        slices: &[Var<'g>],
        step: impl FnOnce(&[Var<'g>], &[Var<'g>]) -> Result<(Vec<Var<'g>>, Vec<Var<'g>>)>,
    ) -> Result<(Vec<Var<'g>>, Vec<Var<'g>>)> {
        let here = Location::caller();
        let Some(graph) = carries.first().or(slices.first()).map(|x| x.graph) else {
            let why = "needs a carry, or something to slice".to_owned();
            return Err(Error::new(wrong_kind("scan", why)).placed(Origin::of(here)));
        };
        graph.admit("scan", carries)?;
        graph.admit("scan", slices)?;
        let (length, rows) = self.rows(slices, here)?;
        let advice = "inside the closure of a loop it stands for the value in one step, outside it has none; return what \
                      is needed of it";
        let c: Vec<Var<'g>> = carries.iter().map(|x| x.stand_in("step", x.ty(), advice)).collect();
        let x: Vec<Var<'g>> = slices.iter().zip(rows).map(|(x, ty)| x.stand_in("step", ty, advice)).collect();
        let number = graph.number_of_run();
        let (after, stacked) = graph.repeated(&[], Some(number), || step(&c, &x)).0?;
        graph.admit("scan", &after)?;
        graph.admit("scan", &stacked)?;
        let _here = graph.blame_line(here);
        graph.check_carries("scan", carries, &after, here)?;
        let results = [after, stacked].concat();
        let mut slices = slices.to_vec();
        let given = [&c[..], &x].concat();
        // Who draws in a step needs to know which one it is.
        let mut outline = graph.outline(&[&given[..], &[number]].concat(), &results);
        if outline.body.uses(given.len()) {
            slices.push(graph.iota([length], 0));
        } else {
            outline = graph.outline(&given, &results);
        }
        let Outline { body, captures } = outline;
        let one = Loop {
            body,
            carries: carries.len(),
            slices: slices.len(),
            length,
            reverse: self.reverse,
            counted: false,
            test: None,
        };
        let mut found = match self.keep.stride(length).filter(|_| length > 0) {
            Some(stride) => keep::record(graph, &one, stride, carries, &slices, &captures)?,
            None => graph.record_all(one, &[carries, &slices, &captures].concat())?.split_off(1),
        };
        let stacks = found.split_off(carries.len());
        Ok((found, stacks))
    }

    /// The number of steps, and the type of a step's entry of each of `slices`.
    fn rows(&self, slices: &[Var<'_>], here: &'static Location<'static>) -> Result<(usize, Vec<Type>)> {
        let mut length = self.length;
        let mut rows = Vec::new();
        for x in slices {
            let ty = x.ty();
            let refuse = |why: String| {
                let error = x.graph.refusal("scan", why, here);
                Err(error.operand("slices", ty.clone(), x.origin()))
            };
            let Some(&n) = ty.shape.first() else {
                return refuse(format!("{ty} has no axis to slice")).map_err(|error| {
                    error.hint("what is the same in each step is used in the closure without being listed")
                });
            };
            match length {
                Some(length) if length != n => {
                    return refuse(format!("{ty} is sliced into {n} steps, the loop has {length}"));
                }
                _ => length = Some(n),
            }
            rows.push(ty.shaped(ty.shape.without(0)));
        }
        match length {
            Some(length) => Ok((length, rows)),
            None => {
                let why = "nothing says how many steps there are".to_owned();
                let error = Error::new(wrong_kind("scan", why)).placed(Origin::of(here));
                Err(error.hint("give it something to slice, or a length: Scan::new().length(n)"))
            }
        }
    }
}
