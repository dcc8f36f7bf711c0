//! Mistakes of place: the right derivatives at wrong elements, or of only a part of the result.

use chainrule_tensor::Tensor;

use super::formula::close;
use super::guess::Evidence;
use super::hypothesis::Hypothesis;
use super::probe::reals;
use crate::error::Result;

impl Evidence<'_> {
    /// Whether the recorded derivative of each element is the right one of the element that `from` gives.
    fn comes_from(&mut self, from: impl Fn(usize) -> Option<usize>) -> Result<bool> {
        let (mut mapped, mut told) = (0, false);
        for k in 0..self.sample.len() {
            let (scene, at) = self.sample[k];
            let Some(other) = from(at) else { continue };
            let numeric = self.numeric_at(scene, other)?;
            if !close(self.recorded[k], numeric, self.gauge) {
                return Ok(false);
            }
            mapped += 1;
            told |= !close(self.recorded[k], self.numeric[k], self.gauge);
        }
        Ok(told && 3 * mapped >= 2 * self.sample.len())
    }

    /// Right elements at wrong places.
    pub(super) fn moved(&mut self) -> Result<Option<Hypothesis>> {
        let shape = self.shape.clone();
        let strides: Vec<usize> = shape.strides().iter().map(|s| *s as usize).collect();
        let coordinate = |at: usize, axis: usize| at / strides[axis] % shape[axis];
        if let [rows, columns] = shape[..]
            && rows.min(columns) > 1
            && self.comes_from(|p| Some(p % rows * columns + p / rows))?
        {
            return Ok(Some(Hypothesis::Transposed { formulas: None }));
        }
        for a in 0..shape.len() {
            for b in a + 1..shape.len() {
                let swap = |p: usize| {
                    let (i, j) = (coordinate(p, a), coordinate(p, b));
                    Some(p - i * strides[a] - j * strides[b] + j * strides[a] + i * strides[b])
                };
                if shape[a] == shape[b] && shape[a] > 1 && self.comes_from(swap)? {
                    return Ok(Some(Hypothesis::Transposed { formulas: None }));
                }
            }
        }
        for axis in 0..shape.len() {
            let (n, stride) = (shape[axis], strides[axis]);
            let to = |p: usize, i: usize| Some(p - coordinate(p, axis) * stride + i * stride);
            if n < 2 {
                continue;
            }
            if n > 2 && self.comes_from(|p| to(p, n - 1 - coordinate(p, axis)))? {
                return Ok(Some(Hypothesis::Flipped { axis }));
            }
            for by in [1_isize, -1, 2, -2, 3, -3].into_iter().filter(|by| by.unsigned_abs() < n) {
                let cyclic =
                    |p: usize| to(p, (coordinate(p, axis) as isize + by).rem_euclid(n as isize) as usize);
                let cut = |p: usize| {
                    let i = coordinate(p, axis) as isize + by;
                    (0..n as isize).contains(&i).then(|| to(p, i as usize)).flatten()
                };
                if self.comes_from(cyclic)? || n > 2 && self.comes_from(cut)? {
                    return Ok(Some(Hypothesis::Shifted { axis, by }));
                }
            }
        }
        Ok(None)
    }

    /// The share of one slice of the result, alone or missing.
    pub(super) fn slice(&mut self) -> Result<Option<Hypothesis>> {
        let result = self.replay.shape.clone();
        let first: Vec<usize> = (0..self.sample.len()).filter(|k| self.sample[*k].0 == 0).collect();
        let step = first.len().div_ceil(32).max(1);
        let looked: Vec<usize> = first.into_iter().step_by(step).collect();
        let strides = result.strides();
        for axis in (0..result.len()).filter(|a| result[*a] > 1) {
            let n = result[axis];
            for index in [0, n - 1, 1, 2, 3].into_iter().filter(|i| *i < n) {
                let ct = self.scenes[0].values.last().map(|ct| reals(ct).to_vec()).unwrap_or_default();
                let inside = |p: usize| p / strides[axis] as usize % n == index;
                let masked = ct.iter().enumerate().map(|(p, c)| if inside(p) { *c } else { 0.0 }).collect();
                let masked = Tensor::from_vec::<f64>(masked, &result)?;
                let (mut only, mut without, mut some) = (true, true, false);
                for &k in &looked {
                    let share = self.replay.with_cotangent(
                        &self.scenes[0],
                        self.input,
                        self.sample[k].1,
                        masked.clone(),
                    )?;
                    only &= close(self.recorded[k], share, self.gauge);
                    without &= close(self.recorded[k], self.numeric[k] - share, self.gauge);
                    some |= share.abs() > 1e-3 * self.gauge;
                    if !(only || without) {
                        break;
                    }
                }
                if some && (only || without) {
                    return Ok(Some(Hypothesis::Slice { axis, index, only }));
                }
            }
        }
        Ok(None)
    }

    /// The same numbers in another order.
    pub(super) fn permuted(&self) -> Option<Hypothesis> {
        let all = self.scenes[0].recorded.len();
        let (mut a, mut b) = (self.recorded.get(..all)?.to_vec(), self.numeric.get(..all)?.to_vec());
        a.sort_by(f64::total_cmp);
        b.sort_by(f64::total_cmp);
        let same = a.iter().zip(&b).all(|(a, b)| close(*a, *b, self.gauge));
        (all > 1 && same).then_some(Hypothesis::Permuted)
    }
}
