//! Random numbers, shapes and tensors, of which some are what nobody should pass.

use chainrule::prelude::*;
use chainrule::tensor::{Axes, keep};

/// Numbers from a seed (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    /// Whether one of so many throws meets it.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.throw(n) == 0
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.throw(from.len())].clone()
    }

    pub(crate) fn real(&mut self) -> f64 {
        match self.throw(12) {
            0 => self.pick(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300, -1e300, 1e-310, 3e38]),
            1 => self.pick(&[0.0, 1.0, -1.0, 0.5, 2.0]),
            _ => self.throw(4001) as f64 / 1000.0 - 2.0,
        }
    }

    pub(crate) fn int(&mut self) -> i64 {
        match self.throw(12) {
            0 => self.pick(&[i64::MIN, i64::MAX, i64::MAX - 1, (1 << 53) + 1]),
            _ => self.throw(7) as i64 - 3,
        }
    }

    /// An axis of a value with `rank` axes, mostly.
    pub(crate) fn axis(&mut self, rank: usize) -> isize {
        match self.throw(10) {
            0 => self.pick(&[isize::MIN, isize::MAX, -32, 31, rank as isize, -(rank as isize) - 1]),
            1 | 2 => self.throw(4) as isize - 2,
            _ => self.throw(rank.max(1)) as isize,
        }
    }

    pub(crate) fn axes(&mut self, rank: usize) -> Vec<isize> {
        (0..self.throw(4)).map(|_| self.axis(rank)).collect()
    }

    /// A length of an axis, a position on one, or a count.
    pub(crate) fn len(&mut self) -> usize {
        match self.throw(16) {
            0 => self.pick(&[usize::MAX, usize::MAX - 1, isize::MAX as usize, 1 << 40]),
            _ => self.throw(4),
        }
    }

    /// Axes to reduce a value of `rank` axes over.
    pub(crate) fn reduced(&mut self, rank: usize) -> Axes {
        let axes = if self.once_in(4) { Axes::from(..) } else { self.axes(rank).into() };
        if self.once_in(2) { keep(axes) } else { axes }
    }

    /// Every axis once, in any order.
    pub(crate) fn order(&mut self, rank: usize) -> Vec<isize> {
        let mut axes: Vec<isize> = (0..rank as isize).collect();
        for i in (1..rank).rev() {
            axes.swap(i, self.throw(i + 1));
        }
        axes
    }

    /// A shape of few elements.
    pub(crate) fn small(&mut self) -> Vec<usize> {
        if self.once_in(60) {
            return (0..self.throw(32)).map(|_| 1).collect();
        }
        let rank = self.pick(&[0, 1, 1, 2, 2, 2, 2, 3, 3, 4]);
        (0..rank).map(|_| self.pick(&[0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 4])).collect()
    }

    /// Any shape.
    pub(crate) fn shape(&mut self) -> Vec<usize> {
        let mut shape = self.small();
        if self.once_in(12) && !shape.is_empty() {
            let at = self.throw(shape.len());
            shape[at] = self.len();
        }
        shape
    }

    pub(crate) fn kind(&mut self) -> Kind {
        self.pick(&[Kind::Real, Kind::Real, Kind::Real, Kind::Int, Kind::Truth])
    }

    /// A tensor of `kind`; reals in f64 or f32.
    pub(crate) fn tensor(&mut self, shape: &[usize], kind: Kind, wide: bool) -> Tensor {
        let n: usize = shape.iter().product();
        let made = match (kind, wide) {
            (Kind::Real, true) => Tensor::from_vec((0..n).map(|_| self.real()).collect(), shape),
            (Kind::Real, false) => Tensor::from_vec((0..n).map(|_| self.real() as f32).collect(), shape),
            (Kind::Int, _) => Tensor::from_vec((0..n).map(|_| self.int()).collect(), shape),
            (Kind::Truth, _) => Tensor::from_vec((0..n).map(|_| self.once_in(2)).collect(), shape),
        };
        made.expect("as many elements as the shape has")
    }
}
