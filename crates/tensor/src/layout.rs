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

    /// The axes in a new order; `axes` must be a permutation.
    pub fn permute(&self, axes: &[usize]) -> Self {
        Layout {
            shape: axes.iter().map(|&a| self.shape[a]).collect(),
            strides: axes.iter().map(|&a| self.strides[a]).collect(),
            offset: self.offset,
        }
    }

    /// Repeats axes of length 1 (and new leading axes) to fill `shape`, which must be broadcastable from this.
    pub fn broadcast(&self, shape: &Shape) -> Self {
        let new = shape.len() - self.shape.len();
        let strides = (0..shape.len())
            .map(|i| if i < new || self.shape[i - new] != shape[i] { 0 } else { self.strides[i - new] })
            .collect();
        Layout { shape: shape.clone(), strides, offset: self.offset }
    }

    /// Elements `start`, `start + step`, … of `axis`, `len` of them; `step` may be negative.
    /// Every index must lie inside the axis.
    pub fn slice(&self, axis: usize, start: usize, len: usize, step: isize) -> Self {
        let mut out = self.clone();
        if len > 0 {
            out.offset = (self.offset as isize + start as isize * self.strides[axis]) as usize;
        }
        out.shape = self.shape.with(axis, len);
        out.strides[axis] *= step;
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
