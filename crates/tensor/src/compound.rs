//! Views whose axes are each made of several: what a layout cannot say without a copy.

use smallvec::SmallVec;

use crate::{Layout, Shape};

/// A view of a flat buffer, each of whose axes is made of one axis of a [`Layout`] or of several neighbours, the last one
/// fastest.
///
/// The windows of an image, say, as the rows of a matrix: one row for each position, whose two axes have no common stride.
///
/// ```
/// use chainrule_tensor::{Compound, Layout};
/// // All four windows of 2 x 2 elements of an image of 3 x 3, as a matrix of elements by positions.
/// let windows = Layout::contiguous([3, 3]).windows(1, 2, 1, 2, 1).windows(0, 2, 1, 2, 1).permute(&[0, 2, 1, 3]);
/// assert_eq!(windows.shape[..], [2, 2, 2, 2]);
/// let matrix = Compound::from(windows).reshape(&[4, 4].into()).unwrap();
/// assert_eq!(matrix.shape()[..], [4, 4]);
/// assert_eq!(matrix.axis(1), ([2, 2].as_slice(), [3, 1].as_slice()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Compound {
    layout: Layout,
    /// How many axes of the layout make each axis; at least one.
    each: SmallVec<[usize; 2]>,
}

impl From<Layout> for Compound {
    fn from(layout: Layout) -> Self {
        let each = SmallVec::from_elem(1, layout.shape.len());
        Compound { layout, each }
    }
}

impl From<&Layout> for Compound {
    fn from(layout: &Layout) -> Self {
        layout.clone().into()
    }
}

impl From<&Compound> for Compound {
    fn from(compound: &Compound) -> Self {
        compound.clone()
    }
}

impl Compound {
    /// The view whose axis i is made of the next `each[i]` axes of `layout`; `None` if those are not all its axes, or one is
    /// made of none.
    pub fn new(layout: Layout, each: &[usize]) -> Option<Self> {
        let all = each.iter().try_fold(0_usize, |sum, n| sum.checked_add(*n));
        let fits = all == Some(layout.shape.len()) && !each.contains(&0);
        fits.then(|| Compound { layout, each: each.into() })
    }

    /// The axes that the axes are made of. Its elements, row-major, are those of the view.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How many axes of the layout make each axis.
    pub fn each(&self) -> &[usize] {
        &self.each
    }

    /// The lengths of the axes.
    pub fn shape(&self) -> Shape {
        let length = |i: usize| self.axis(i).0.iter().fold(1_usize, |all, n| all.saturating_mul(*n));
        (0..self.each.len()).map(length).collect()
    }

    /// Lengths and strides of what makes axis `i`.
    ///
    /// # Panics
    /// If there is no such axis.
    pub fn axis(&self, i: usize) -> (&[usize], &[isize]) {
        let start: usize = self.each[..i].iter().sum();
        let range = start..start + self.each[i];
        (&self.layout.shape[range.clone()], &self.layout.strides[range])
    }

    /// The same view of as few axes as possible: neighbours that make one axis and have a common stride are one.
    pub fn merged(&self) -> Self {
        let mut layout =
            Layout { shape: Shape::from([]), strides: SmallVec::new(), offset: self.layout.offset };
        let (mut lengths, mut each) = (SmallVec::<[usize; 8]>::new(), SmallVec::new());
        for i in 0..self.each.len() {
            let start = lengths.len();
            let (n, strides) = self.axis(i);
            for (n, stride) in n.iter().zip(strides) {
                match (lengths[start..].last_mut(), layout.strides.last_mut()) {
                    (Some(_), _) if *n == 1 => {}
                    (Some(last), Some(step))
                        if *last == 1 || Some(*step) == stride.checked_mul(*n as isize) =>
                    {
                        (*last, *step) = (*last * n, *stride);
                    }
                    _ => {
                        lengths.push(*n);
                        layout.strides.push(*stride);
                    }
                }
            }
            each.push(lengths.len() - start);
        }
        layout.shape = lengths.into_iter().collect();
        Compound { layout, each }
    }

    /// The same view as a layout, if each axis has one stride.
    pub fn simple(&self) -> Option<Layout> {
        let merged = self.merged();
        merged.each.iter().all(|n| *n == 1).then_some(merged.layout)
    }

    /// The same elements in the same order under another shape of equal size, if its axes begin where axes of the layout
    /// begin.
    pub fn reshape(&self, shape: &Shape) -> Option<Self> {
        if shape.contains(&0) && self.layout.shape.contains(&0) {
            return Some(Layout::contiguous(shape.clone()).into());
        }
        let mut left = (0..self.layout.shape.len()).filter(|i| self.layout.shape[*i] != 1);
        let mut out = Layout { shape: Shape::from([]), strides: SmallVec::new(), offset: self.layout.offset };
        let (mut lengths, mut each) = (SmallVec::<[usize; 8]>::new(), SmallVec::new());
        for &n in shape.iter() {
            let before = lengths.len();
            let mut size = 1;
            while size < n {
                let i = left.next()?;
                size *= self.layout.shape[i];
                lengths.push(self.layout.shape[i]);
                out.strides.push(self.layout.strides[i]);
            }
            // An axis that goes on into the next one.
            if size != n {
                return None;
            }
            if lengths.len() == before {
                lengths.push(1);
                out.strides.push(0);
            }
            each.push(lengths.len() - before);
        }
        out.shape = lengths.into_iter().collect();
        left.next().is_none().then_some(Compound { layout: out, each })
    }

    /// The axes in a new order.
    ///
    /// # Panics
    /// If `axes` does not name each axis once.
    pub fn permute(&self, axes: &[usize]) -> Self {
        let start = |i: usize| self.each[..i].iter().sum::<usize>();
        let parts: SmallVec<[usize; 8]> =
            axes.iter().flat_map(|&i| start(i)..start(i) + self.each[i]).collect();
        Compound { layout: self.layout.permute(&parts), each: axes.iter().map(|&i| self.each[i]).collect() }
    }
}

/// The stride of axes taken together, if there is one.
pub(crate) fn stride((lengths, strides): (&[usize], &[isize])) -> Option<isize> {
    if let [stride] = strides {
        return Some(*stride);
    }
    let mut axes = lengths.iter().zip(strides).rev().filter(|(n, _)| **n != 1);
    let Some((n, first)) = axes.next() else { return Some(0) };
    let mut next = first.checked_mul(*n as isize)?;
    for (n, stride) in axes {
        if *stride != next {
            return None;
        }
        next = next.checked_mul(*n as isize)?;
    }
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_merged_where_they_begin_together() {
        let turned = Compound::from(Layout::contiguous([2, 3, 4, 1]).permute(&[1, 0, 3, 2]));
        assert_eq!(turned.shape()[..], [3, 2, 1, 4]);
        let matrix = turned.reshape(&[6, 4].into()).unwrap();
        assert_eq!(matrix.axis(0), ([3, 2].as_slice(), [4, 12].as_slice()));
        assert_eq!(matrix.simple(), None);
        assert_eq!(matrix.permute(&[1, 0]).axis(1), matrix.axis(0));
        assert_eq!(turned.reshape(&[3, 8].into()).unwrap().shape()[..], [3, 8]);
        assert_eq!(turned.reshape(&[2, 12].into()), None);
        assert_eq!(turned.reshape(&[3, 1, 8, 1].into()).unwrap().each(), [1, 1, 2, 1]);
        assert_eq!(turned.reshape(&[3, 2].into()), None);
        assert_eq!(
            Compound::from(Layout::contiguous([0, 3])).reshape(&[3, 0].into()).unwrap().shape()[..],
            [3, 0]
        );
        let merged = turned.reshape(&[6, 4].into()).unwrap().merged();
        assert_eq!((merged.each(), merged.axis(0).1), ([2, 1].as_slice(), [4, 12].as_slice()));
        let whole = Compound::from(Layout::contiguous([2, 3, 4])).reshape(&[2, 12].into()).unwrap();
        assert_eq!(whole.merged(), Compound::from(Layout::contiguous([2, 12])));
        assert_eq!(whole.simple(), Some(Layout::contiguous([2, 12])));
    }

    #[test]
    fn every_axis_of_the_layout_belongs_to_one() {
        let layout = Layout::contiguous([2, 3, 4]);
        assert!(Compound::new(layout.clone(), &[2, 1]).is_some());
        for wrong in [&[2][..], &[3, 0], &[2, 2], &[usize::MAX, 4]] {
            assert_eq!(Compound::new(layout.clone(), wrong), None);
        }
    }
}
