//! What is measured of one tensor: a handful of numbers, of an array or as formulas in a plan.

use chainrule_graph::Var;
use chainrule_tensor::{DType, Tensor};

use crate::error::Result;

/// How an activation is bounded, and so where it is saturated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Squash {
    /// Not bounded on both sides.
    None,
    /// Between −1 and 1.
    Tanh,
    /// Between 0 and 1.
    Sigmoid,
}

/// |tanh z| beyond which a unit counts as saturated: |z| > 5, as DeepDiagnosis has it; the slope is below 0.0002 there.
const SATURATED: f64 = 0.999_909;

/// What is measured of one tensor.
///
/// ```
/// use chainrule_nn::doctor::{Squash, Vitals};
/// use chainrule_tensor::Tensor;
/// let v = Vitals::of(&Tensor::from([[0.0, 3.0], [0.0, 5.0]]), Some(1), Squash::None)?;
/// assert_eq!((v.mean, v.zeros, v.silent, v.largest), (2.0, 0.5, 0.5, 5.0));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vitals {
    /// Mean of all elements.
    pub mean: f64,
    /// Standard deviation of all elements.
    pub deviation: f64,
    /// Root of the mean square.
    pub rms: f64,
    /// The greatest magnitude.
    pub largest: f64,
    /// Share of elements that are exactly 0.
    pub zeros: f64,
    /// Share of elements at a bound of the activation.
    pub saturated: f64,
    /// Share of units, positions of one axis, that are 0 in all of the tensor.
    pub silent: f64,
    /// The greatest difference of a unit from the first one: 0 where all units are equal.
    pub apart: f64,
    /// Share of elements that are NaN or infinite.
    pub not_finite: f64,
}

/// How many numbers [`recorded`] gives.
pub(super) const NUMBERS: usize = 9;

impl Vitals {
    /// Of an array whose units lie along axis `units`.
    ///
    /// # Errors
    /// A tensor of truth values or without elements is measured as zeros; none but those of the tensor crate.
    pub fn of(x: &Tensor, units: Option<usize>, squash: Squash) -> Result<Self> {
        let graph = chainrule_graph::Graph::new();
        if x.size() == 0 {
            return Ok(Vitals::default());
        }
        let x = graph.constant(x.cast(DType::F64));
        let numbers = recorded(x, units, squash).value()?.to_vec::<f64>()?;
        Ok(Vitals::from_numbers(&numbers))
    }

    /// From the numbers of [`recorded`].
    pub(super) fn from_numbers(n: &[f64]) -> Self {
        let at = |i: usize| n.get(i).copied().unwrap_or(0.0);
        Vitals {
            mean: at(0),
            deviation: at(1),
            rms: at(2),
            largest: at(3),
            zeros: at(4),
            saturated: at(5),
            silent: at(6),
            apart: at(7),
            not_finite: at(8),
        }
    }
}

/// The axis of the units of an activation (batch, …): channels of images, features of all else.
pub(super) fn units_of_activation(rank: usize) -> Option<usize> {
    match rank {
        0 | 1 => None,
        4.. => Some(1),
        _ => Some(rank - 1),
    }
}

/// The axis of the units of a weight: its last, but of a convolution its first.
pub(super) fn units_of_weight(rank: usize) -> Option<usize> {
    match rank {
        0 | 1 => None,
        2 => Some(1),
        _ => Some(0),
    }
}

/// [`Vitals`] of `x` as one value of shape `(9,)`.
pub(super) fn recorded<'g>(x: Var<'g>, units: Option<usize>, squash: Squash) -> Var<'g> {
    let size = x.abs();
    let share = |truth: Var<'g>| truth.real().mean(..);
    let bounded = match squash {
        Squash::None => None,
        Squash::Tanh => Some(size),
        Squash::Sigmoid => Some((x * 2.0 - 1.0).abs()),
    };
    let none = x.graph().constant(Tensor::from(0.0_f64));
    let (silent, apart) = match units {
        Some(axis) if x.dim(axis as isize) > 1 => {
            let others: Vec<isize> = (0..x.rank() as isize).filter(|a| *a != axis as isize).collect();
            let first = x.slice(axis as isize, 0..1);
            (share(size.max(&others).equal(0.0)), (x - first).abs().max(..))
        }
        // A single unit is silent where all is 0, and has no twin.
        _ => (share(size.max(..).equal(0.0)), none + 1.0),
    };
    let parts = [
        x.mean(..),
        x.var(..).sqrt(),
        x.square().mean(..).sqrt(),
        size.max(..),
        share(x.equal(0.0)),
        bounded.map_or(none, |b| share(b.greater(SATURATED))),
        silent,
        apart,
        1.0 - share(x.is_finite()),
    ];
    debug_assert_eq!(parts.len(), NUMBERS);
    x.graph().stack(&parts, 0)
}
