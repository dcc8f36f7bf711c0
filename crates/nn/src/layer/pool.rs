//! Pooling, flattening, upsampling: layers without parameters.

use chainrule_graph::{Resize, Slide, Var};

use super::Layer;
use crate::scope::Scope;

/// The greatest element of each window (course 4, lecture 1.9); the stride is the size of the window where none is said.
///
/// ```
/// use chainrule_nn::{Layer, MaxPool, Params, Summary};
/// let halved = Summary::of(&MaxPool::new([2, 2]), &Params::new(), [3, 8, 8])?;
/// assert!(halved.to_string().contains("(m, 3, 4, 4)"));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MaxPool {
    sizes: Vec<usize>,
    slide: Slide,
}

impl MaxPool {
    /// Windows of these lengths over the last axes.
    pub fn new(sizes: impl Into<Vec<usize>>) -> Self {
        MaxPool { sizes: sizes.into(), slide: Slide::new() }
    }

    /// How the window slides.
    pub fn slide(self, slide: Slide) -> Self {
        MaxPool { slide, ..self }
    }
}

impl Layer for MaxPool {
    #[track_caller]
    fn forward<'g>(&self, _: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        x.max_pool(&self.sizes, &self.slide)
    }
}

/// The mean of each window, padding counted as zeros.
#[derive(Clone, Debug)]
pub struct AvgPool {
    sizes: Vec<usize>,
    slide: Slide,
}

impl AvgPool {
    /// Windows of these lengths over the last axes.
    pub fn new(sizes: impl Into<Vec<usize>>) -> Self {
        AvgPool { sizes: sizes.into(), slide: Slide::new() }
    }

    /// How the window slides.
    pub fn slide(self, slide: Slide) -> Self {
        AvgPool { slide, ..self }
    }
}

impl Layer for AvgPool {
    #[track_caller]
    fn forward<'g>(&self, _: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        x.avg_pool(&self.sizes, &self.slide, true)
    }
}

/// The mean over all spatial axes: (batch, channels) of (batch, channels, spatial…).
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalAvgPool;

impl Layer for GlobalAvgPool {
    #[track_caller]
    fn forward<'g>(&self, _: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        x.mean((2..x.rank() as isize).collect::<Vec<_>>())
    }
}

/// All axes behind the first in one: (batch, features).
///
/// ```
/// use chainrule_nn::{Flatten, Layer, Params, Summary};
/// assert!(Summary::of(&Flatten, &Params::new(), [3, 8, 8])?.to_string().contains("(m, 192)"));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Flatten;

impl Layer for Flatten {
    #[track_caller]
    fn forward<'g>(&self, _: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let features = x.shape().iter().skip(1).product::<usize>();
        x.reshape([x.dim(0), features])
    }
}

/// The spatial axes of (batch, channels, spatial…) `factor` times as long.
#[derive(Clone, Copy, Debug)]
pub struct Upsample {
    factor: usize,
    how: Resize,
}

impl Upsample {
    /// By repeating elements.
    pub fn nearest(factor: usize) -> Self {
        Upsample { factor, how: Resize::Nearest }
    }

    /// By the line between neighbours: bilinear of two axes.
    pub fn linear(factor: usize) -> Self {
        Upsample { factor, how: Resize::LINEAR }
    }
}

impl Layer for Upsample {
    #[track_caller]
    fn forward<'g>(&self, _: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let longer = |n: &usize| n.saturating_mul(self.factor);
        let to: Vec<usize> = x.shape().iter().skip(2).map(longer).collect();
        x.resize(to, self.how)
    }
}
