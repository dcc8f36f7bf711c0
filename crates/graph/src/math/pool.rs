//! Pooling: what becomes of windows without a kernel.

use std::panic::Location;

use chainrule_tensor::{Error, Tensor, shape};

use super::slide::{PerAxis, Slide};
use crate::prim::windows::Along;
use crate::var::Var;

impl<'g> Var<'g> {
    /// The greatest element of each window of `sizes` over the last axes, as many as `sizes` has; the stride is the size
    /// where `slide` says none. Padding is never the greatest. Elements that are equally great share the derivative
    /// evenly, as of [`max`](Var::max); elsewhere the first of them has it all.
    ///
    /// ```
    /// use chainrule_graph::{Graph, Slide};
    /// use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let x = g.leaf("x", [[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 1.0, 7.0]]);
    /// assert_eq!(x.max_pool([2, 2], &Slide::new()).value()?, Tensor::from([[5.0, 7.0]]));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    ///
    /// # Errors
    /// Poison for windows longer than the padded value, strides of 0, fewer axes than `sizes`.
    #[track_caller]
    pub fn max_pool(self, sizes: impl AsRef<[usize]>, slide: &Slide) -> Var<'g> {
        let _here = self.graph.blame("max_pool", Location::caller());
        self.pooled("max_pool", sizes.as_ref(), slide, f64::NEG_INFINITY, |windows, axes, _| {
            windows.max(axes)
        })
    }

    /// The mean of each window, as [`max_pool`](Var::max_pool) has them. Padding counts as zeros if `padding_counts`, else it
    /// is left out of the mean.
    ///
    /// # Errors
    /// As [`max_pool`](Var::max_pool).
    #[track_caller]
    pub fn avg_pool(self, sizes: impl AsRef<[usize]>, slide: &Slide, padding_counts: bool) -> Var<'g> {
        let _here = self.graph.blame("avg_pool", Location::caller());
        self.pooled("avg_pool", sizes.as_ref(), slide, 0.0, |windows, axes, inside| match inside {
            Some(inside) if !padding_counts => windows.sum(axes.clone()) / inside.sum(axes),
            _ => windows.mean(axes),
        })
    }

    /// (Σ|x|ᵖ)^(1/p) of each window, as [`max_pool`](Var::max_pool) has them.
    ///
    /// # Errors
    /// As [`max_pool`](Var::max_pool).
    #[track_caller]
    pub fn lp_pool(self, p: f64, sizes: impl AsRef<[usize]>, slide: &Slide) -> Var<'g> {
        let _here = self.graph.blame("lp_pool", Location::caller());
        let powers = if p == 2.0 { self.square() } else { self.abs().pow(p) };
        powers.pooled("lp_pool", sizes.as_ref(), slide, 0.0, |windows, axes, _| {
            let sum = windows.sum(axes);
            if p == 2.0 { sum.sqrt() } else { sum.pow(1.0 / p) }
        })
    }

    /// Pools so that the last axes get the lengths `to`: entry i of n is the mean of elements ⌊i·own/n⌋ to ⌈(i + 1)·own/n⌉.
    ///
    /// # Errors
    /// Poison for fewer axes than `to` has, empty axes, and lengths of 0.
    #[track_caller]
    pub fn adaptive_avg_pool(self, to: impl AsRef<[usize]>) -> Var<'g> {
        let _here = self.graph.blame("adaptive_avg_pool", Location::caller());
        self.adapted("adaptive_avg_pool", to.as_ref(), |x, axis, n, bins| {
            let share = |(from, to): &(usize, usize)| {
                let (from, to) = (*from, *to);
                (0..n).map(move |i| if (from..to).contains(&i) { 1.0 / (to - from) as f64 } else { 0.0 })
            };
            x.along(axis, bins.len(), bins.iter().flat_map(share).collect())
        })
    }

    /// As [`adaptive_avg_pool`](Var::adaptive_avg_pool), with the greatest element of each.
    ///
    /// # Errors
    /// As [`adaptive_avg_pool`](Var::adaptive_avg_pool).
    #[track_caller]
    pub fn adaptive_max_pool(self, to: impl AsRef<[usize]>) -> Var<'g> {
        let _here = self.graph.blame("adaptive_max_pool", Location::caller());
        self.adapted("adaptive_max_pool", to.as_ref(), |x, axis, _, bins| {
            let axis = axis as isize;
            let parts: Vec<Var<'g>> =
                bins.iter().map(|(from, to)| x.slice(axis, *from..*to).max(axis)).collect();
            x.graph.stack(&parts, axis)
        })
    }

    #[track_caller]
    fn adapted(
        self,
        op: &'static str,
        to: &[usize],
        pool: impl Fn(Var<'g>, usize, usize, &[(usize, usize)]) -> Var<'g>,
    ) -> Var<'g> {
        self.shaped(|own| {
            let first = own.len().checked_sub(to.len());
            let Some(first) = first.filter(|first| !own[*first..].contains(&0) && !to.contains(&0)) else {
                let why = format!("its last axes cannot be pooled to {to:?}");
                return Err(Error::shape(op, [&own[..]], why));
            };
            Ok(to.iter().enumerate().fold(self, |x, (i, count)| {
                let n = own[first + i];
                if let Err(error) = shape::room(op, &[*count, n].into(), 8) {
                    return x.fail(error);
                }
                let bins = (0..*count).map(|i| (i * n / count, ((i + 1) * n).div_ceil(*count)));
                pool(x, first + i, n, &bins.collect::<Vec<_>>())
            }))
        })
    }

    /// This with `axis` multiplied by a matrix of `rows` rows, given row by row.
    #[track_caller]
    pub(super) fn along(self, axis: usize, rows: usize, matrix: Vec<f64>) -> Var<'g> {
        self.shaped(|own| {
            let columns = own[axis];
            let matrix = self.graph.constant(Tensor::from_vec(matrix, [rows, columns])?);
            let axis = axis as isize;
            let x = self.swap_axes(axis, -1);
            let lead: Vec<isize> = x.shape()[..own.len() - 1].iter().map(|n| *n as isize).collect();
            let y = x.reshape((-1, columns)).matmul(matrix.t());
            Ok(y.reshape([&lead[..], &[rows as isize]].concat()).swap_axes(axis, -1))
        })
    }

    /// What `pool` makes of the windows, their axes, and whether each element is no padding, as 1 or 0, where there is any.
    #[track_caller]
    fn pooled(
        self,
        op: &'static str,
        sizes: &[usize],
        slide: &Slide,
        around: f64,
        pool: impl FnOnce(Var<'g>, Vec<isize>, Option<Var<'g>>) -> Var<'g>,
    ) -> Var<'g> {
        self.shaped(|own| {
            let n = sizes.len();
            let Some(first) = own.len().checked_sub(n).filter(|_| n > 0) else {
                let why = format!("windows of {n} axes do not fit into it");
                return Err(Error::shape(op, [&own[..]], why));
            };
            let along = slide.over(op, sizes, &own[first..], sizes)?;
            for (i, a) in along.iter().enumerate() {
                a.fits(op, i, own[first + i], &[&own])?;
                // A window of nothing but padding has no greatest element and no mean.
                if a.before >= a.window.span().unwrap_or(0).max(1)
                    || a.after >= a.window.span().unwrap_or(0).max(1)
                {
                    let why =
                        format!("padding {} and {} holds windows without an element", a.before, a.after);
                    return Err(Error::shape(op, [&own[..]], why));
                }
            }
            let padded = |x: Var<'g>, first: usize| {
                along.iter().enumerate().fold(x, |x, (i, a)| x.pad((first + i) as isize, a.before, a.after))
            };
            // The elements of windows are the first axes, so that what is pooled is pooled in long runs.
            let windows = |x: Var<'g>, first: usize| {
                let windows = along
                    .iter()
                    .enumerate()
                    .fold(x, |x, (i, a): (usize, &Along)| x.windows_of(first + 2 * i, a.window));
                let elements = (0..n).map(|i| first + 2 * i);
                let order = elements.chain(0..first).chain((0..n).map(|i| first + 2 * i + 1));
                windows.permute(order.map(|a| a as isize).collect::<Vec<_>>())
            };
            let is_padded = along.iter().any(|a| a.before > 0 || a.after > 0);
            let inside = is_padded.then(|| padded(self.graph.constant(1.0).broadcast_to(&own[first..]), 0));
            let whole = match inside {
                Some(inside) if around != 0.0 => inside.greater(0.0).select(padded(self, first), around),
                _ => padded(self, first),
            };
            let axes = (0..n as isize).collect();
            let inside = inside.map(|inside| {
                let seen = windows(inside, 0);
                let shape = seen.shape();
                let (elements, positions) = shape.split_at(n.min(shape.len()));
                seen.reshape([elements, &vec![1; first], positions].concat())
            });
            Ok(pool(windows(whole, first), axes, inside))
        })
    }
}

impl From<&[usize]> for PerAxis {
    fn from(each: &[usize]) -> Self {
        each.to_vec().into()
    }
}
