//! Convolutions: windows times a kernel.
//!
//! A convolution is a view of the windows and a matrix product, so derivatives of every order, batches of examples and of
//! kernels, and checkpoints come from those.

use std::panic::Location;

use chainrule_tensor::{Error, Result, Shape};

use super::slide::Slide;
use crate::prim::windows::Along;
use crate::var::Var;

/// What is known of a convolution once its operands fit.
struct Sizes {
    batch: usize,
    groups: usize,
    /// Of a group.
    inputs: usize,
    outputs: usize,
    kernel: Vec<usize>,
    along: Vec<Along>,
}

fn joined(parts: &[&[usize]]) -> Vec<usize> {
    parts.concat()
}

fn axes(parts: impl IntoIterator<Item = usize>) -> Vec<isize> {
    parts.into_iter().map(|a| a as isize).collect()
}

impl<'g> Var<'g> {
    /// The convolution (cross-correlation, as networks have it) of this, (batch, channels, spatial…), with `kernel`,
    /// (outputs, channels, spatial…), for any number of spatial axes: (batch, outputs, positions…).
    ///
    /// ```
    /// use chainrule_graph::{Graph, Padding, Slide};
    /// use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let image = g.leaf("image", Tensor::ones([1, 1, 4, 4], chainrule_tensor::DType::F64));
    /// let edges = g.leaf("edges", Tensor::from([[1.0, 0.0, -1.0]; 3]).reshape([1, 1, 3, 3])?);
    /// assert_eq!(image.conv(edges, &Slide::new()).shape()[..], [1, 1, 2, 2]);
    /// assert_eq!(image.conv(edges, &Slide::new().padding(Padding::Same).stride(2)).shape()[..], [1, 1, 2, 2]);
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// Poison for operands of other ranks or channels, a window longer than the padded value, a stride of 0.
    #[doc(alias = "conv2d")]
    #[track_caller]
    pub fn conv(self, kernel: Var<'g>, slide: &Slide) -> Var<'g> {
        self.grouped_conv(kernel, 1, slide)
    }

    /// As [`conv`](Var::conv), in `groups` of channels that have each their share of the outputs: `kernel` is (outputs,
    /// channels / groups, spatial…). With as many groups as channels it is depthwise.
    ///
    /// # Errors
    /// Poison also for channels or outputs that `groups` does not divide.
    #[track_caller]
    pub fn grouped_conv(self, kernel: Var<'g>, groups: usize, slide: &Slide) -> Var<'g> {
        let _here = self.graph.blame("conv", Location::caller());
        if let Some(refused) = self.graph.refused("conv", &[kernel]) {
            return refused;
        }
        self.shaped(|own| {
            let sizes = Sizes::of("conv", &own, &kernel.shape(), groups, false, slide)?;
            for (i, along) in sizes.along.iter().enumerate() {
                along.fits("conv", i, own[2 + i], &[&own, &kernel.shape()])?;
            }
            Ok(sizes.convolved(self, kernel))
        })
    }

    /// The transpose of [`grouped_conv`](Var::grouped_conv) as a layer: of (batch, channels, positions…) and `kernel`,
    /// (channels, outputs / groups, spatial…), (batch, outputs, spatial…), in which each position has put its multiple of
    /// the kernel. Padding takes away from the ends; `more` adds to the end of each spatial axis, since several lengths
    /// have as many windows.
    ///
    /// ```
    /// use chainrule_graph::{Graph, Slide};
    /// use chainrule_tensor::{DType, Tensor};
    /// let g = Graph::new();
    /// let x = g.leaf("x", Tensor::ones([1, 3, 4, 4], DType::F64));
    /// let w = g.leaf("w", Tensor::ones([3, 2, 2, 2], DType::F64));
    /// assert_eq!(x.conv_transpose(w, 1, &Slide::new().stride(2), 0).shape()[..], [1, 2, 8, 8]);
    /// ```
    ///
    /// # Errors
    /// Poison as of [`grouped_conv`](Var::grouped_conv); for padding that takes all.
    #[doc(alias = "deconvolution")]
    #[track_caller]
    pub fn conv_transpose(self, kernel: Var<'g>, groups: usize, slide: &Slide, more: usize) -> Var<'g> {
        let _here = self.graph.blame("conv_transpose", Location::caller());
        if let Some(refused) = self.graph.refused("conv_transpose", &[kernel]) {
            return refused;
        }
        self.shaped(|own| {
            Sizes::of("conv_transpose", &own, &kernel.shape(), groups, true, slide)?
                .transposed(self, kernel, more)
        })
    }
}

impl Sizes {
    fn of(
        op: &'static str,
        own: &Shape,
        kernel: &Shape,
        groups: usize,
        transposed: bool,
        slide: &Slide,
    ) -> Result<Sizes> {
        let fail = |why: String| Err(Error::shape(op, [&own[..], &kernel[..]], why));
        if own.len() < 3 || kernel.len() != own.len() {
            return fail("the value is (batch, channels, spatial…), the kernel has as many axes".into());
        }
        let (given, first, second) = (own[1], kernel[0], kernel[1]);
        // Of the kernel: the axis that is split over the groups, and the one that is of a group already.
        let (split, inputs) =
            if transposed { (first, first) } else { (first, second.saturating_mul(groups)) };
        if groups == 0 || !split.is_multiple_of(groups) || !given.is_multiple_of(groups.max(1)) {
            return fail(format!(
                "{given} channels and {split} of the kernel do not fall into {groups} groups"
            ));
        }
        if inputs != given {
            return fail(format!(
                "the value has {given} channels, the kernel takes {inputs} in {groups} groups"
            ));
        }
        let spatial = &kernel[2..];
        let along = slide.over(op, spatial, &own[2..], &[1])?;
        let outputs = if transposed { second } else { first / groups };
        Ok(Sizes { batch: own[0], groups, inputs: given / groups, outputs, kernel: spatial.to_vec(), along })
    }

    /// Whether each example has products of its own: matrices of channels by positions, in which neighbours on the image are
    /// neighbours. Where there are few positions the batch joins them, since the kernel's gradient is a sum over what
    /// each product makes.
    fn by_example(&self, channels: usize, positions: &[usize]) -> bool {
        channels <= positions.iter().product()
    }

    #[track_caller]
    fn convolved<'g>(&self, x: Var<'g>, kernel: Var<'g>) -> Var<'g> {
        let Sizes { batch, groups, inputs, outputs, .. } = *self;
        let n = self.along.len();
        x.shaped(|own| {
            let x = x.reshape(joined(&[&[batch, groups, inputs], &own[2..]]));
            let positions =
                self.along.iter().zip(&own[2..]).map(|(along, n)| along.positions(*n).unwrap_or(0));
            let positions: Vec<usize> = positions.collect();
            let whole = joined(&[&[batch, groups * outputs], &positions]);
            if self.by_example(outputs, &positions) {
                let kernel = kernel.reshape(joined(&[&[groups, outputs, inputs], &self.kernel]));
                return Ok(x.convolve(kernel, &self.along).reshape(whole));
            }
            let windows = x.windows_along(&self.along);
            let (elements, places) = ((0..n).map(|i| 3 + 2 * i), (0..n).map(|i| 4 + 2 * i));
            let all = positions.iter().product::<usize>();
            let terms = inputs * self.kernel.iter().product::<usize>();
            let kernel = kernel.reshape(joined(&[&[groups, outputs, terms]]));
            // (groups, batch · positions, inputs · kernel) x (groups, inputs · kernel, outputs).
            let order = [1, 0].into_iter().chain(places).chain([2]).chain(elements);
            let rows = windows.permute(axes(order)).reshape(joined(&[&[groups, batch * all, terms]]));
            let y = rows.matmul(kernel.t()).reshape(joined(&[&[groups, batch], &positions, &[outputs]]));
            Ok(y.permute(axes([1, 0, 2 + n].into_iter().chain(2..2 + n))).reshape(whole))
        })
    }

    #[track_caller]
    fn transposed<'g>(&self, x: Var<'g>, kernel: Var<'g>, more: usize) -> Result<Var<'g>> {
        let Sizes { batch, groups, inputs, outputs, .. } = *self;
        let own = x.shape();
        let (n, positions) = (self.along.len(), own[2..].to_vec());
        let mut lengths = Vec::new();
        for (i, along) in self.along.iter().enumerate() {
            let span = along.window.span().unwrap_or(0);
            let whole = positions[i]
                .checked_sub(1)
                .and_then(|n| n.checked_mul(along.window.stride)?.checked_add(span));
            let left =
                whole.and_then(|n| n.checked_add(more)?.checked_sub(along.before.checked_add(along.after)?));
            match (whole, left) {
                (Some(whole), Some(left @ 1..)) => lengths.push((whole, left)),
                _ => {
                    let why = format!("nothing is left of spatial axis {i}, or more than can be counted");
                    return Err(Error::shape("conv_transpose", [&own[..], &kernel.shape()[..]], why));
                }
            }
        }
        let all = positions.iter().product::<usize>();
        let terms = outputs * self.kernel.iter().product::<usize>();
        let kernel = kernel.reshape(joined(&[&[groups, inputs, terms]]));
        let y = if self.by_example(inputs, &positions) {
            let x = x.reshape(joined(&[&[batch, groups, inputs, all]]));
            let y = kernel.t().matmul(x);
            y.reshape(joined(&[&[batch, groups * outputs], &self.kernel, &positions]))
        } else {
            let x = x
                .reshape(joined(&[&[batch, groups, inputs], &positions]))
                .permute(axes([1, 0].into_iter().chain(3..3 + n).chain([2])))
                .reshape(joined(&[&[groups, batch * all, inputs]]));
            let y =
                x.matmul(kernel).reshape(joined(&[&[groups, batch], &positions, &[outputs], &self.kernel]));
            let order = [1, 0].into_iter().chain(2 + n..3 + 2 * n).chain(2..2 + n);
            y.permute(axes(order)).reshape(joined(&[&[batch, groups * outputs], &self.kernel, &positions]))
        };
        // (batch, channels, kernel…, positions…), as the windows of the result lie.
        let order = [0, 1].into_iter().chain((0..n).flat_map(|i| [2 + i, 2 + n + i]));
        let y = y.permute(axes(order));
        let y = (0..n).rev().fold(y, |y, i| y.overlap_add_to(2 + 2 * i, self.along[i].window, lengths[i].0));
        Ok((0..n).fold(y, |y, i| {
            let (whole, left) = lengths[i];
            let (start, end) = (self.along[i].before, self.along[i].before + left);
            let axis = 2 + i as isize;
            y.slice(axis, start.min(whole)..end.min(whole)).pad(axis, 0, end.saturating_sub(whole.max(start)))
        }))
    }
}
