//! Which axes a reduction takes.

use std::ops::RangeFull;

use smallvec::SmallVec;

use crate::shape::axis;
use crate::{Error, Result, Shape};

/// The axes that a reduction takes: all of them (`..`), one (`0`; negative counts from the end), or a list of them
/// (`[0, 2]`, a slice, a `Vec`). An empty list is none. They disappear, or stay with length 1 by [`keep`].
///
/// ```
/// # use chainrule_tensor::{Tensor, keep};
/// let t = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(t.sum(..)?, Tensor::from(10.0));
/// assert_eq!(t.sum(0)?, Tensor::from([4.0, 6.0]));
/// assert_eq!(t.sum([0, -1])?, Tensor::from(10.0));
/// assert_eq!(t.sum([])?, t);
/// assert_eq!(t.sum(keep(1))?, Tensor::from([[3.0], [7.0]]));
/// # Ok::<(), chainrule_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axes {
    list: Option<SmallVec<[isize; 4]>>,
    keep: bool,
}

/// `axes` that stay with length 1, so that the result of the reduction broadcasts against what was reduced.
///
/// ```
/// # use chainrule_tensor::{Tensor, keep};
/// let t = Tensor::from([[1.0, 2.0], [3.0, 6.0]]);
/// assert_eq!((&t - t.mean(keep(1))?)?, Tensor::from([[-0.5, 0.5], [-1.5, 1.5]]));
/// # Ok::<(), chainrule_tensor::Error>(())
/// ```
#[doc(alias = "keepdim")]
#[doc(alias = "keepdims")]
pub fn keep(axes: impl Into<Axes>) -> Axes {
    Axes { keep: true, ..axes.into() }
}

impl Axes {
    /// The same axes, which disappear.
    #[must_use]
    pub fn dropped(&self) -> Axes {
        Axes { keep: false, ..self.clone() }
    }

    /// Whether they stay with length 1.
    pub fn stay(&self) -> bool {
        self.keep
    }

    /// Their positions in `shape`, ascending. `op` is the operation that an error names.
    ///
    /// # Errors
    /// [`Error::Axis`] for an axis out of range, [`Error::Shape`] for one named twice.
    pub fn of(&self, op: &'static str, shape: &[usize]) -> Result<SmallVec<[usize; 4]>> {
        let Some(list) = &self.list else {
            return Ok((0..shape.len()).collect());
        };
        let mut out: SmallVec<[usize; 4]> =
            list.iter().map(|a| axis(op, *a, shape)).collect::<Result<_>>()?;
        out.sort_unstable();
        if out.windows(2).any(|w| w[0] == w[1]) {
            return Err(Error::shape(op, [shape], format!("axes {list:?} name an axis twice")));
        }
        Ok(out)
    }

    /// What is left of `shape` once the positions `reduced` are reduced.
    pub fn left(&self, shape: &[usize], reduced: &[usize]) -> Shape {
        let one = self.keep.then_some(1);
        let length = |i: usize| if reduced.contains(&i) { one } else { Some(shape[i]) };
        (0..shape.len()).filter_map(length).collect()
    }
}

impl From<RangeFull> for Axes {
    fn from(_: RangeFull) -> Self {
        Axes { list: None, keep: false }
    }
}

// The only integer, so that a literal of no type is one.
impl From<isize> for Axes {
    fn from(axis: isize) -> Self {
        [axis].into()
    }
}

impl From<&[isize]> for Axes {
    fn from(axes: &[isize]) -> Self {
        Axes { list: Some(axes.into()), keep: false }
    }
}

impl<const N: usize> From<[isize; N]> for Axes {
    fn from(axes: [isize; N]) -> Self {
        axes[..].into()
    }
}

impl<const N: usize> From<&[isize; N]> for Axes {
    fn from(axes: &[isize; N]) -> Self {
        axes[..].into()
    }
}

impl From<Vec<isize>> for Axes {
    fn from(axes: Vec<isize>) -> Self {
        axes[..].into()
    }
}

impl From<&Vec<isize>> for Axes {
    fn from(axes: &Vec<isize>) -> Self {
        axes[..].into()
    }
}

impl From<&Axes> for Axes {
    fn from(axes: &Axes) -> Self {
        axes.clone()
    }
}
