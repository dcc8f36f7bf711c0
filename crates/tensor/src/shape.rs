//! Shapes, and the rules by which operations combine them.
//!
//! Each rule stands here once and nowhere else: the eager methods of [`Tensor`](crate::Tensor) and the
//! recording of a graph both ask these functions.

use std::fmt;
use std::ops::{Bound, Deref, RangeBounds};

use smallvec::SmallVec;

use crate::{Error, Result};

/// The length of each axis, outermost first. Rank 0 (`()`) is a single number.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(SmallVec<[usize; 4]>);

impl Shape {
    /// Rank 0: the shape of one number.
    pub fn scalar() -> Self {
        Shape::default()
    }

    /// Number of elements: the product of all axes; 1 for rank 0.
    pub fn size(&self) -> usize {
        self.iter().product()
    }

    /// [`size`](Shape::size), or `None` where no address space holds as many elements of 8 bytes. An axis of length
    /// 0 counts as 1, since strides are products of the other lengths.
    pub fn checked_size(&self) -> Option<usize> {
        let bytes = self.iter().try_fold(8_usize, |n, &axis| n.checked_mul(axis.max(1)))?;
        isize::try_from(bytes).is_ok().then(|| self.size())
    }

    /// Row-major strides in elements.
    pub fn strides(&self) -> SmallVec<[isize; 4]> {
        let mut strides: SmallVec<[isize; 4]> = SmallVec::from_elem(1, self.len());
        for axis in (0..self.len().saturating_sub(1)).rev() {
            strides[axis] = strides[axis + 1] * self[axis + 1].max(1) as isize;
        }
        strides
    }

    /// This shape with `axis` taken out; the shape itself if it has no such axis.
    pub fn without(&self, axis: usize) -> Self {
        self.iter().enumerate().filter(|(i, _)| *i != axis).map(|(_, n)| *n).collect()
    }

    /// This shape with a new first axis of length `n`.
    pub fn with_leading(&self, n: usize) -> Self {
        std::iter::once(n).chain(self.iter().copied()).collect()
    }

    /// This shape with the length of `axis` set to `n`.
    ///
    /// # Panics
    /// If there is no such axis.
    pub fn with(&self, axis: usize, n: usize) -> Self {
        assert!(axis < self.len(), "shape {self} has no axis {axis}");
        let mut shape = self.clone();
        shape.0[axis] = n;
        shape
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(axes: I) -> Self {
        Shape(axes.into_iter().collect())
    }
}

impl From<&[usize]> for Shape {
    fn from(axes: &[usize]) -> Self {
        Shape(SmallVec::from_slice(axes))
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl From<Vec<usize>> for Shape {
    fn from(axes: Vec<usize>) -> Self {
        Shape(axes.into())
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(axes: [usize; N]) -> Self {
        Shape(SmallVec::from_slice(&axes))
    }
}

impl From<usize> for Shape {
    fn from(n: usize) -> Self {
        Shape::from([n])
    }
}

impl From<()> for Shape {
    fn from((): ()) -> Self {
        Shape::scalar()
    }
}

/// Written as Python tuples are: `()`, `(3,)`, `(2, 3)`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self[..] {
            [n] => write!(f, "({n},)"),
            axes => {
                f.write_str("(")?;
                for (i, n) in axes.iter().enumerate() {
                    write!(f, "{}{n}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Resolves an axis number, counting from the end if negative.
pub fn axis(op: &'static str, axis: isize, shape: &[usize]) -> Result<usize> {
    let rank = shape.len() as isize;
    let resolved = if axis < 0 { axis + rank } else { axis };
    if (0..rank).contains(&resolved) {
        Ok(resolved as usize)
    } else {
        Err(Error::Axis { op, axis, shape: shape.into() })
    }
}

/// The number of elements of the result `shape` of `op`; an error if they would not fit the address space.
pub fn size(op: &'static str, shape: &Shape) -> Result<usize> {
    shape.checked_size().ok_or_else(|| Error::shape(op, [&shape[..]], "too many elements for any memory"))
}

/// As [`size`], and an error if the system refuses that many elements of `width` bytes, which would end the program later.
pub fn room(op: &'static str, shape: &Shape, width: usize) -> Result<usize> {
    let n = size(op, shape)?;
    let bytes = n.checked_mul(width);
    if bytes.is_some_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok()) {
        return Ok(n);
    }
    Err(Error::shape(
        op,
        [&shape[..]],
        format!("the system refuses memory for {n} elements of {width} bytes"),
    ))
}

/// THE broadcasting rule: align at the last axis; lengths are equal or one of them is 1.
pub fn broadcast(op: &'static str, a: &[usize], b: &[usize]) -> Result<Shape> {
    let rank = a.len().max(b.len());
    let mut out = Vec::with_capacity(rank);
    for i in 0..rank {
        let from = |s: &[usize]| (i + s.len()).checked_sub(rank).map_or(1, |i| s[i]);
        match (from(a), from(b)) {
            (x, y) if x == y || y == 1 => out.push(x),
            (1, y) => out.push(y),
            (x, y) => {
                let why = format!(
                    "axis {} from the end has {x} on the left and {y} on the right; \
                     lengths must be equal or 1",
                    rank - i
                );
                return Err(Error::shape(op, [a, b], why));
            }
        }
    }
    let out = out.into();
    size(op, &out)?;
    Ok(out)
}

/// Shape of a (batched) matrix product: `(…, m, k) x (…, k, n)` is `(…, m, n)`; the leading axes broadcast.
pub fn matmul(a: &[usize], b: &[usize]) -> Result<Shape> {
    let op = "matmul";
    if a.len() < 2 || b.len() < 2 {
        let why = "both operands need at least 2 axes; make a vector a row (1, n) or a column (n, 1)";
        return Err(Error::shape(op, [a, b], why));
    }
    let (batch_a, m, k) = (&a[..a.len() - 2], a[a.len() - 2], a[a.len() - 1]);
    let (batch_b, k2, n) = (&b[..b.len() - 2], b[b.len() - 2], b[b.len() - 1]);
    if k != k2 {
        return Err(Error::shape(op, [a, b], format!("{k} must equal {k2}")));
    }
    let batch = broadcast(op, batch_a, batch_b)
        .map_err(|_| Error::shape(op, [a, b], "the leading (batch) axes must be equal or 1"))?;
    let out = batch.iter().copied().chain([m, n]).collect();
    size(op, &out)?;
    Ok(out)
}

/// Target of a reshape. One entry may be -1 and is then computed from the rest.
pub fn reshape(from: &[usize], to: &[isize]) -> Result<Shape> {
    let op = "reshape";
    let size: usize = from.iter().product();
    let fail = |why: String| Err(Error::shape(op, [from], why));
    let given: Shape = to.iter().filter(|n| **n >= 0).map(|n| *n as usize).collect();
    let Some(known) = given.checked_size() else {
        return fail(format!("{size} elements cannot become {to:?}, which has too many for any memory"));
    };
    match to.iter().filter(|n| **n < 0).count() {
        0 if known == size => Ok(to.iter().map(|n| *n as usize).collect()),
        0 => fail(format!("{size} elements cannot become {to:?}, which has {known}")),
        1 if to.iter().any(|n| *n < -1) => fail(format!("{to:?} has a negative length other than -1")),
        1 if known != 0 && size.is_multiple_of(known) => {
            Ok(to.iter().map(|n| if *n < 0 { size / known } else { *n as usize }).collect())
        }
        1 => fail(format!("{size} elements cannot be divided to fill the -1 of {to:?}")),
        _ => fail(format!("{to:?} has more than one -1")),
    }
}

/// `shape` without `axis`, which must have length 1.
pub fn squeeze(shape: &[usize], axis: isize) -> Result<Shape> {
    let at = self::axis("squeeze", axis, shape)?;
    if shape[at] != 1 {
        let why = format!("axis {at} has length {}, not 1", shape[at]);
        return Err(Error::shape("squeeze", [shape], why));
    }
    Ok(Shape::from(shape).without(at))
}

/// The positions of the axes of `shape` with `a` and `b` exchanged.
pub fn swap_axes(shape: &[usize], a: isize, b: isize) -> Result<SmallVec<[usize; 4]>> {
    let (a, b) = (axis("swap_axes", a, shape)?, axis("swap_axes", b, shape)?);
    let mut out: SmallVec<[usize; 4]> = (0..shape.len()).collect();
    out.swap(a, b);
    Ok(out)
}

/// Checks that `axes` names each axis of `shape` once, and returns their positions.
pub fn permute(shape: &[usize], axes: &[isize]) -> Result<SmallVec<[usize; 4]>> {
    let op = "permute";
    let mut out: SmallVec<[usize; 4]> = SmallVec::new();
    for &a in axes {
        out.push(axis(op, a, shape)?);
    }
    let mut seen = out.clone();
    seen.sort_unstable();
    if seen.len() != shape.len() || seen.windows(2).any(|w| w[0] == w[1]) {
        let why = format!("{axes:?} must name each of the {} axes once", shape.len());
        return Err(Error::shape(op, [shape], why));
    }
    Ok(out)
}

/// Resolves `range` with `step` on an axis of length `n` to its first index and the number of elements.
///
/// Negative ends count from the end of the axis, as in Python; unlike there, ends outside the axis are errors.
pub fn slice(
    op: &'static str,
    n: usize,
    range: impl RangeBounds<isize>,
    step: usize,
) -> Result<(usize, usize)> {
    let end = n as isize;
    let resolve = |i: isize| if i < 0 { i + end } else { i };
    let start = match range.start_bound() {
        Bound::Included(&i) => resolve(i),
        Bound::Excluded(&i) => resolve(i).saturating_add(1),
        Bound::Unbounded => 0,
    };
    let stop = match range.end_bound() {
        Bound::Included(&i) => resolve(i).saturating_add(1),
        Bound::Excluded(&i) => resolve(i),
        Bound::Unbounded => end,
    };
    if step == 0 {
        return Err(Error::Value { op, why: "a step of 0 never arrives; the smallest step is 1".into() });
    }
    if start < 0 || start > stop || stop > end {
        let why = format!("the range {start}..{stop} does not lie within an axis of length {n}");
        return Err(Error::Value { op, why });
    }
    Ok((start as usize, ((stop - start) as usize).div_ceil(step)))
}

/// Resolves one index on an axis of length `n`, counting from the end if negative.
pub fn index(op: &'static str, index: isize, n: usize) -> Result<usize> {
    let resolved = if index < 0 { index.checked_add(n as isize) } else { Some(index) };
    match resolved {
        Some(i) if (0..n as isize).contains(&i) => Ok(i as usize),
        _ => Err(Error::Value { op, why: format!("index {index} is outside an axis of length {n}") }),
    }
}

/// Shape of the concatenation of `parts` along `axis`: all other axes must be equal.
pub fn concat(parts: &[&[usize]], axis: usize) -> Result<Shape> {
    let op = "concat";
    let Some(first) = parts.first() else {
        return Err(Error::Value { op, why: "needs at least one operand".into() });
    };
    let mut out = Shape::from(*first);
    for part in &parts[1..] {
        let fits = part.len() == first.len() && (0..part.len()).all(|i| i == axis || part[i] == first[i]);
        if !fits {
            let why = format!("all axes but axis {axis} must be equal");
            return Err(Error::shape(op, parts.iter().copied(), why));
        }
        // Too long an axis for a `usize` is too long for any memory.
        out.0[axis] = out[axis].saturating_add(part[axis]);
    }
    size(op, &out)?;
    Ok(out)
}
