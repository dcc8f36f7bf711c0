//! Elements in other places: turned round, repeated, looked up, counted.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Error, Shape, Tensor, shape};

use crate::error::ErrorKind;
use crate::var::Var;

impl<'g> Var<'g> {
    /// The elements of `axis` moved on by `shift` (back if it is negative); what leaves one end comes in at the other.
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// # use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// assert_eq!(g.leaf("x", [1.0, 2.0, 3.0]).roll(0, 1).value()?, Tensor::from([3.0, 1.0, 2.0]));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn roll(self, axis: isize, shift: i64) -> Var<'g> {
        let _here = self.graph.blame("roll", Location::caller());
        self.shaped(|own| {
            let n = own[shape::axis("roll", axis, &own)?];
            // The remainder is below n, which is a usize.
            let back = if n == 0 { 0 } else { shift.rem_euclid(n as i64) as usize };
            if back == 0 {
                return Ok(self);
            }
            Ok(self.graph.concat(&[self.slice(axis, n - back..n), self.slice(axis, 0..n - back)], axis))
        })
    }

    /// The whole value `times[i]` times in a row along axis i, one number for each axis.
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// # use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// assert_eq!(g.leaf("x", [1.0, 2.0]).tile([2]).value()?, Tensor::from([1.0, 2.0, 1.0, 2.0]));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn tile(self, times: impl AsRef<[usize]>) -> Var<'g> {
        let _here = self.graph.blame("tile", Location::caller());
        let times = times.as_ref();
        self.shaped(|own| {
            if times.len() != own.len() {
                let why = format!("{times:?} must have one number for each of the {} axes", own.len());
                return Err(Error::shape("tile", [&own[..]], why));
            }
            let pairs = |first: fn(usize, usize) -> usize| -> Shape {
                own.iter().zip(times).flat_map(|(n, times)| [first(*times, *n), *n]).collect()
            };
            let long = own.iter().zip(times).map(|(n, times)| n.saturating_mul(*times)).collect::<Shape>();
            Ok(self.reshape_to(pairs(|_, _| 1)).broadcast_to(pairs(|times, _| times)).reshape_to(long))
        })
    }

    /// Each element `times` times in a row along `axis`.
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// # use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// assert_eq!(g.leaf("x", [1.0, 2.0]).repeat(0, 2).value()?, Tensor::from([1.0, 1.0, 2.0, 2.0]));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    #[doc(alias = "repeat_interleave")]
    #[track_caller]
    pub fn repeat(self, axis: isize, times: usize) -> Var<'g> {
        let _here = self.graph.blame("repeat", Location::caller());
        self.shaped(|own| {
            let at = shape::axis("repeat", axis, &own)?;
            let with = |new: usize| -> Shape {
                own[..=at].iter().copied().chain([new]).chain(own[at + 1..].iter().copied()).collect()
            };
            let long = own.with(at, own[at].saturating_mul(times));
            Ok(self.reshape_to(with(1)).broadcast_to(with(times)).reshape_to(long))
        })
    }

    /// Where each of `values` would stand in this ascending vector (n,): the number of its elements that are less
    /// (`right` false: in front of equal ones) or not greater (`right` true: behind them). Of the shape of `values`.
    ///
    /// By halving, ⌈log₂(n + 1)⌉ times. What it gives for a vector that is not ascending, or for NaN, means nothing.
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// # use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let (edges, x) = (g.leaf("edges", [0.0, 1.0, 1.0, 5.0]), g.leaf("x", [-1.0, 1.0, 9.0]));
    /// assert_eq!(edges.searchsorted(x, false).value()?, Tensor::from([0_i64, 1, 4]));
    /// assert_eq!(edges.searchsorted(x, true).value()?, Tensor::from([0_i64, 3, 4]));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn searchsorted(self, values: Var<'g>, right: bool) -> Var<'g> {
        let _here = self.graph.blame("searchsorted", Location::caller());
        if let Some(refused) = self.graph.refused("searchsorted", &[values]) {
            return refused;
        }
        self.shaped(|own| {
            let [n] = own[..] else {
                return Err(Error::shape("searchsorted", [&own[..]], "needs a vector (n,)"));
            };
            let mut found = self.graph.constant(0_i64).broadcast_to(values.shape());
            if n == 0 {
                // Of kinds that cannot be compared, nothing is the place.
                let compared = self.sum(0).less(values);
                return Ok(if compared.is_poisoned() { compared } else { found });
            }
            let mut step = n.checked_next_power_of_two().unwrap_or(n);
            while step > 0 {
                let next = found + step as i64;
                let there = self.take(0, next.minimum(n as i64) - 1);
                let before = if right { there.less_equal(values) } else { there.less(values) };
                let fits = next.less_equal(n as i64);
                found = fits.select(before, false).select(next, found);
                step /= 2;
            }
            Ok(found)
        })
    }

    /// How often each of 0, 1, …, `bins` − 1 stands among these integers. The graph fails when it runs on another
    /// integer. With weights, add them to zeros by [`scatter_add`](Var::scatter_add).
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// # use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// assert_eq!(g.leaf("n", [1_i64, 3, 1]).bincount(4).value()?, Tensor::from([0_i64, 2, 0, 1]));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn bincount(self, bins: usize) -> Var<'g> {
        let _here = self.graph.blame("bincount", Location::caller());
        self.shaped(|own| {
            if self.kind() != Kind::Int {
                let why = format!("counts integers, not {}; convert them with .int()", self.ty());
                return Ok(self.fail(ErrorKind::Kind { op: "bincount", why }));
            }
            let number = |n: i64, shape: Shape| self.graph.constant(Tensor::from(n)).broadcast_to(shape);
            let all = own.size();
            let which = self.in_range(bins, "integer").reshape_to([all].into());
            Ok(number(0, [bins].into()).scatter_add(0, which, number(1, [all].into())))
        })
    }
}
