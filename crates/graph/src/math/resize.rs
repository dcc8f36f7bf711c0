//! Images of other sizes, and values with something else than zeros around them. Both are linear.

use std::panic::Location;

use chainrule_tensor::{Error, Tensor, shape};

use crate::var::Var;

/// How what lies between elements is made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// The element in whose share of the axis a place falls (PyTorch's `nearest`).
    Nearest,
    /// The line between the two neighbours: bilinear of two axes. Places are the centres of equal shares; with
    /// `align_corners` the first and last elements stay what they are, with `antialias` a smaller size is a mean over
    /// all that it stands for.
    Linear {
        /// Whether the corners stay what they are.
        align_corners: bool,
        /// Whether to take a mean of all elements where the result is smaller.
        antialias: bool,
    },
}

impl Resize {
    /// The line between neighbours, shares aligned, without antialiasing.
    pub const LINEAR: Resize = Resize::Linear { align_corners: false, antialias: false };

    /// The matrix from `n` elements to `to`, row by row.
    fn matrix(self, n: usize, to: usize) -> Vec<f64> {
        let mut matrix = vec![0.0; to * n];
        let scale = n as f64 / to as f64;
        for (i, row) in matrix.chunks_exact_mut(n).enumerate() {
            match self {
                Resize::Nearest => row[i * n / to] = 1.0,
                Resize::Linear { align_corners: true, .. } => {
                    let place = if to > 1 { i as f64 * (n - 1) as f64 / (to - 1) as f64 } else { 0.0 };
                    let low = (place.floor() as usize).min(n - 1);
                    row[low] += 1.0 - (place - low as f64);
                    row[(low + 1).min(n - 1)] += place - low as f64;
                }
                Resize::Linear { antialias: true, .. } if scale > 1.0 => {
                    // A triangle as wide as what one element stands for.
                    let centre = scale * (i as f64 + 0.5);
                    let weight = |j: usize| (1.0 - ((j as f64 + 0.5 - centre) / scale).abs()).max(0.0);
                    let total: f64 = (0..n).map(weight).sum();
                    (0..n).for_each(|j| row[j] = weight(j) / total);
                }
                Resize::Linear { .. } => {
                    let place = (scale * (i as f64 + 0.5) - 0.5).max(0.0);
                    let low = (place.floor() as usize).min(n - 1);
                    row[low] += 1.0 - (place - low as f64);
                    row[(low + 1).min(n - 1)] += place - low as f64;
                }
            }
        }
        matrix
    }
}

/// What stands around a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Around {
    /// This number.
    Constant(f64),
    /// Its elements from the edge inwards, without that at the edge: a mirror in it.
    Reflect,
    /// The element at the edge.
    Replicate,
    /// Its elements from the other end.
    Circular,
}

impl Around {
    /// Which element of `n` stands at place `i` of an axis with `before` elements in front.
    fn element(self, i: usize, before: usize, n: usize) -> usize {
        let at = i as isize - before as isize;
        let (n, last) = (n as isize, n as isize - 1);
        let inside = match self {
            Around::Reflect => {
                let turn = (2 * last).max(1);
                let folded = at.rem_euclid(turn);
                if folded > last { turn - folded } else { folded }
            }
            Around::Circular => at.rem_euclid(n),
            Around::Replicate | Around::Constant(_) => at.clamp(0, last),
        };
        inside as usize
    }
}

impl<'g> Var<'g> {
    /// The last axes in the lengths `to`, as many as `to` has.
    ///
    /// ```
    /// use chainrule_graph::{Graph, Resize};
    /// use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let x = g.leaf("x", [[1.0, 3.0]]);
    /// assert_eq!(x.resize([4], Resize::LINEAR).value()?, Tensor::from([[1.0, 1.5, 2.5, 3.0]]));
    /// assert_eq!(x.resize([4], Resize::Nearest).value()?, Tensor::from([[1.0, 1.0, 3.0, 3.0]]));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    ///
    /// # Errors
    /// Poison for fewer axes than `to` has, empty axes, and lengths of 0.
    #[doc(alias = "interpolate")]
    #[doc(alias = "upsample")]
    #[track_caller]
    pub fn resize(self, to: impl AsRef<[usize]>, how: Resize) -> Var<'g> {
        let _here = self.graph.blame("resize", Location::caller());
        let to = to.as_ref();
        self.shaped(|own| {
            let first = own.len().checked_sub(to.len());
            let Some(first) = first.filter(|first| !own[*first..].contains(&0) && !to.contains(&0)) else {
                let why = format!("its last axes cannot be resized to {to:?}");
                return Err(Error::shape("resize", [&own[..]], why));
            };
            Ok(to.iter().enumerate().fold(self, |x, (i, to)| {
                let n = own[first + i];
                let columns = if how == Resize::Nearest { 1 } else { n };
                if let Err(error) = shape::room("resize", &[*to, columns].into(), 8) {
                    return x.fail(error);
                }
                if how == Resize::Nearest {
                    let index = (0..*to).map(|at| (at * n / to).min(n - 1) as i64);
                    return x.picked(first + i, index.collect());
                }
                if n == *to { x } else { x.along(first + i, *to, how.matrix(n, *to)) }
            }))
        })
    }

    /// `before` elements in front of `axis` and `after` behind, made as `around` says.
    ///
    /// ```
    /// use chainrule_graph::{Around, Graph};
    /// use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let x = g.leaf("x", [1.0, 2.0, 3.0]);
    /// assert_eq!(x.pad_with(0, 2, 1, Around::Reflect).value()?, Tensor::from([3.0, 2.0, 1.0, 2.0, 3.0, 2.0]));
    /// assert_eq!(x.pad_with(0, 0, 2, Around::Constant(9.0)).value()?, Tensor::from([1.0, 2.0, 3.0, 9.0, 9.0]));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    ///
    /// # Errors
    /// Poison for an axis out of range, and an empty one from which something is to be taken.
    #[track_caller]
    pub fn pad_with(self, axis: isize, before: usize, after: usize, around: Around) -> Var<'g> {
        let _here = self.graph.blame("pad_with", Location::caller());
        self.shaped(|own| {
            let at = shape::axis("pad_with", axis, &own)?;
            let padded = self.pad(axis, before, after);
            if let Around::Constant(number) = around {
                if number == 0.0 || padded.is_poisoned() {
                    return Ok(padded);
                }
                let inside =
                    self.graph.constant(1.0).broadcast_to(own[at]).pad(0, before, after).greater(0.0);
                let lead = own[at + 1..].iter().fold(inside, |x, _| x.insert_axis(-1));
                return Ok(lead.select(padded, number));
            }
            if padded.is_poisoned() {
                return Ok(padded);
            }
            if own[at] == 0 {
                return Err(Error::shape(
                    "pad_with",
                    [&own[..]],
                    "there is nothing to take from an empty axis",
                ));
            }
            let n = before + own[at] + after;
            shape::room("pad_with", &[n].into(), 8)?;
            Ok(self.picked(at, (0..n).map(|i| around.element(i, before, own[at]) as i64).collect()))
        })
    }

    #[track_caller]
    fn picked(self, axis: usize, index: Vec<i64>) -> Var<'g> {
        self.take(axis as isize, self.graph.constant(Tensor::from(&index[..])))
    }
}
