//! How a window slides over the spatial axes of a value.

use chainrule_tensor::{Error, Result};

use crate::prim::windows::{Along, Window};

/// How a window slides: its stride, the distance between its elements, and what is put around the value.
///
/// Each is one number for all spatial axes or one for each.
///
/// ```
/// use chainrule_graph::{Padding, Slide};
/// let same = Slide::new().padding(Padding::Same);
/// let wide = Slide::new().stride([2, 1]).dilation(2).padding([(0, 1), (1, 1)]);
/// assert_ne!(same, wide);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slide {
    stride: Option<PerAxis>,
    dilation: Option<PerAxis>,
    padding: Padding,
}

/// One number for all spatial axes, or one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerAxis(Vec<usize>);

/// What is put around the spatial axes before a window slides over them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// Nothing: windows lie within the value.
    #[default]
    Valid,
    /// As much that there are ⌈n / stride⌉ windows; where it is odd, one more behind than in front.
    Same,
    /// So much in front of and behind each axis; one entry stands for all.
    Each(Vec<(usize, usize)>),
}

impl Slide {
    /// By 1 (of pooling: by the size of the window), without gaps or padding.
    pub fn new() -> Self {
        Slide::default()
    }

    /// From the beginning of one window to that of the next.
    pub fn stride(self, stride: impl Into<PerAxis>) -> Self {
        Slide { stride: Some(stride.into()), ..self }
    }

    /// From one element of the window to the next; 1 is without gaps.
    pub fn dilation(self, dilation: impl Into<PerAxis>) -> Self {
        Slide { dilation: Some(dilation.into()), ..self }
    }

    /// What is put around the value.
    pub fn padding(self, padding: impl Into<Padding>) -> Self {
        Slide { padding: padding.into(), ..self }
    }

    /// How windows of `sizes` slide over axes of `lengths`; by `stride` where none is said.
    pub(crate) fn over(
        &self,
        op: &'static str,
        sizes: &[usize],
        lengths: &[usize],
        stride: &[usize],
    ) -> Result<Vec<Along>> {
        let n = lengths.len();
        let each = |what: &str, given: &[usize]| match given.len() {
            1 => Ok(vec![given[0]; n]),
            found if found == n => Ok(given.to_vec()),
            found => {
                let why = format!("{what} is given for {found} axes, the value has {n} spatial ones");
                Err(Error::Value { op, why })
            }
        };
        let strides = each("the stride", self.stride.as_ref().map_or(stride, |s| &s.0))?;
        let dilations = each("the dilation", self.dilation.as_ref().map_or(&[1], |d| &d.0))?;
        let mut all = Vec::new();
        for i in 0..n {
            let window = Window { size: sizes[i], stride: strides[i], dilation: dilations[i] };
            let Some(span) = window.span().filter(|_| window.stride > 0 && window.dilation > 0) else {
                let why = format!(
                    "sizes, strides and dilations are at least 1; spatial axis {i} has {}, {} and {}",
                    window.size, window.stride, window.dilation
                );
                return Err(Error::Value { op, why });
            };
            let (before, after) = match &self.padding {
                Padding::Valid => (0, 0),
                Padding::Same => {
                    let covered = (lengths[i].div_ceil(window.stride).max(1) - 1) * window.stride + span;
                    let total = covered.saturating_sub(lengths[i]);
                    (total / 2, total - total / 2)
                }
                Padding::Each(given) if given.len() == 1 => given[0],
                Padding::Each(given) if given.len() == n => given[i],
                Padding::Each(given) => {
                    let why =
                        format!("padding is given for {} axes, the value has {n} spatial ones", given.len());
                    return Err(Error::Value { op, why });
                }
            };
            all.push(Along { window, before, after });
        }
        Ok(all)
    }
}

impl From<usize> for PerAxis {
    fn from(n: usize) -> Self {
        PerAxis(vec![n])
    }
}

impl<const N: usize> From<[usize; N]> for PerAxis {
    fn from(each: [usize; N]) -> Self {
        PerAxis(each.to_vec())
    }
}

impl From<Vec<usize>> for PerAxis {
    fn from(each: Vec<usize>) -> Self {
        PerAxis(each)
    }
}

impl From<usize> for Padding {
    fn from(n: usize) -> Self {
        Padding::Each(vec![(n, n)])
    }
}

impl<const N: usize> From<[usize; N]> for Padding {
    fn from(each: [usize; N]) -> Self {
        Padding::Each(each.iter().map(|n| (*n, *n)).collect())
    }
}

impl<const N: usize> From<[(usize, usize); N]> for Padding {
    fn from(each: [(usize, usize); N]) -> Self {
        Padding::Each(each.to_vec())
    }
}

impl From<Vec<(usize, usize)>> for Padding {
    fn from(each: Vec<(usize, usize)>) -> Self {
        Padding::Each(each)
    }
}
