//! How a shape lies in a flat buffer: offset and strides, so that many views cost nothing.

use smallvec::SmallVec;

use crate::Shape;

/// A view of a flat buffer: the element at index `i` lies at `offset + Σ i[axis] · strides[axis]`.
///
/// A stride may be 0 (a broadcast axis) or negative (a flipped one).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// The length of each axis.
    pub shape: Shape,
    /// The distance between neighbours on each axis, in elements.
    pub strides: SmallVec<[isize; 4]>,
    /// Where the first element lies.
    pub offset: usize,
}

impl Layout {
    /// Row-major, starting at 0.
    pub fn contiguous(shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        let strides = shape.strides();
        Layout { shape, strides, offset: 0 }
    }

    /// Whether the elements lie row-major without gaps from offset 0.
    pub fn is_contiguous(&self) -> bool {
        let strides = self.shape.strides();
        self.offset == 0
            && (self.shape.size() == 0
                || (0..self.shape.len()).all(|i| self.shape[i] == 1 || self.strides[i] == strides[i]))
    }

    /// Whether every element is the same one (all strides 0 where an axis is longer than 1).
    pub fn is_splat(&self) -> bool {
        (0..self.shape.len()).all(|i| self.shape[i] <= 1 || self.strides[i] == 0)
    }

    /// The axes in a new order.
    ///
    /// # Panics
    /// If `axes` does not name each axis once.
    pub fn permute(&self, axes: &[usize]) -> Self {
        let each_once = axes.len() == self.shape.len() && (0..axes.len()).all(|a| axes.contains(&a));
        assert!(each_once, "{axes:?} does not name each axis of {} once", self.shape);
        Layout {
            shape: axes.iter().map(|&a| self.shape[a]).collect(),
            strides: axes.iter().map(|&a| self.strides[a]).collect(),
            offset: self.offset,
        }
    }

    /// Repeats axes of length 1 (and new leading axes) to fill `shape`.
    ///
    /// # Panics
    /// If this shape does not broadcast to `shape`; [`shape::broadcast`](crate::shape::broadcast) is the rule.
    pub fn broadcast(&self, shape: &Shape) -> Self {
        let new = shape.len().checked_sub(self.shape.len());
        let new =
            new.filter(|new| self.shape.iter().zip(&shape[*new..]).all(|(&own, &n)| own == n || own == 1));
        let Some(new) = new else { panic!("{} does not broadcast to {shape}", self.shape) };
        let strides = (0..shape.len())
            .map(|i| if i < new || self.shape[i - new] != shape[i] { 0 } else { self.strides[i - new] })
            .collect();
        Layout { shape: shape.clone(), strides, offset: self.offset }
    }

    /// Elements `start`, `start + step`, … of `axis`, `len` of them; `step` may be negative.
    ///
    /// # Panics
    /// If there is no such axis, or an index lies outside it.
    pub fn slice(&self, axis: usize, start: usize, len: usize, step: isize) -> Self {
        let n = self.shape.get(axis).copied();
        let last = len.checked_sub(1).map(|gaps| start as i128 + gaps as i128 * step as i128);
        let inside = n.is_some_and(|n| last.is_none_or(|last| start < n && (0..n as i128).contains(&last)));
        assert!(inside, "{len} elements from {start} by {step} leave axis {axis} of {}", self.shape);
        let mut out = self.clone();
        if len > 0 {
            out.offset = (self.offset as isize + start as isize * self.strides[axis]) as usize;
        }
        out.shape = self.shape.with(axis, len);
        out.strides[axis] *= step;
        out
    }

    /// Two axes in place of `axis`: the `size` elements of a window, `dilation` apart, and its `positions`, `stride` apart.
    /// Elements in several windows are there several times.
    ///
    /// # Panics
    /// If there is no such axis, or a window reaches beyond it.
    pub fn windows(
        &self,
        axis: usize,
        positions: usize,
        stride: usize,
        size: usize,
        dilation: usize,
    ) -> Self {
        let reach = |count: usize, step: usize| count.saturating_sub(1).saturating_mul(step);
        let last = reach(positions, stride).saturating_add(reach(size, dilation));
        let empty = positions == 0 || size == 0;
        assert!(empty || last < self.shape[axis], "windows reach beyond axis {axis} of {}", self.shape);
        let mut out = self.clone();
        let whole = self.shape.with(axis, positions);
        out.shape = [&whole[..axis], &[size], &whole[axis..]].concat().into();
        // Of a single one the step is never taken, and might be too long for a stride.
        let step = |count: usize, step: usize| if count > 1 { step as isize } else { 0 };
        out.strides[axis] *= step(positions, stride);
        out.strides.insert(axis, self.strides[axis] * step(size, dilation));
        out
    }

    /// The same elements in the same order under another shape of equal size, if no copy is needed for it.
    pub fn reshape(&self, shape: &Shape) -> Option<Self> {
        if self.is_splat() {
            return Some(Layout {
                shape: shape.clone(),
                strides: SmallVec::from_elem(0, shape.len()),
                offset: self.offset,
            });
        }
        // Axes of length 1 may come and go anywhere; everything else needs row-major order.
        let strip = |s: &[usize]| s.iter().copied().filter(|n| *n != 1).collect::<SmallVec<[usize; 4]>>();
        if strip(&self.shape) == strip(shape) {
            let mut old = (0..self.shape.len()).filter(|i| self.shape[*i] != 1).map(|i| self.strides[i]);
            let strides = shape.iter().map(|n| if *n == 1 { 0 } else { old.next().unwrap_or(0) }).collect();
            return Some(Layout { shape: shape.clone(), strides, offset: self.offset });
        }
        let start = Layout { offset: 0, ..self.clone() };
        start.is_contiguous().then(|| Layout { offset: self.offset, ..Layout::contiguous(shape.clone()) })
    }
}
