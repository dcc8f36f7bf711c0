//! Convolutional layers.

use chainrule_graph::{Slide, Var};

use super::Layer;
use crate::init::Init;
use crate::scope::Scope;

/// A convolution of (batch, channels, spatial…) with a `weight` of (outputs, channels / groups, spatial…) and a `bias` of
/// (outputs,), for as many spatial axes as the kernel has lengths; the channels are read from the input (course 4,
/// week 1).
///
/// ```
/// use chainrule_graph::{Padding, Slide};
/// use chainrule_nn::{Conv, Layer, Params, Summary, layer};
/// let model = layer(|s, x| Conv::new(8, [3, 3]).slide(Slide::new().padding(Padding::Same)).forward(&s.at("conv"), x).relu());
/// let summary = Summary::of(&model, &Params::new(), [3, 28, 28])?;
/// assert_eq!(summary.parameters(), 8 * 3 * 3 * 3 + 8);
/// assert!(summary.to_string().contains("(m, 8, 28, 28)"));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Conv {
    outputs: usize,
    kernel: Vec<usize>,
    slide: Slide,
    groups: Groups,
    init: Init,
    bias: bool,
}

#[derive(Clone, Copy, Debug)]
enum Groups {
    Of(usize),
    /// One for each channel.
    Each,
}

impl Conv {
    /// `outputs` channels, of a kernel with these spatial lengths; the weight starts with [`Init::He`], the bias with zeros.
    #[doc(alias = "Conv2d")]
    pub fn new(outputs: usize, kernel: impl Into<Vec<usize>>) -> Self {
        let (slide, init) = (Slide::new(), Init::He);
        Conv { outputs, kernel: kernel.into(), slide, groups: Groups::Of(1), init, bias: true }
    }

    /// A kernel for each channel, `multiplier` of them: depthwise.
    pub fn depthwise(multiplier: usize, kernel: impl Into<Vec<usize>>) -> Self {
        Conv { groups: Groups::Each, ..Conv::new(multiplier, kernel) }
    }

    /// How the kernel slides: stride, dilation, padding.
    pub fn slide(self, slide: Slide) -> Self {
        Conv { slide, ..self }
    }

    /// Splits the channels into so many groups, each with its share of the outputs.
    pub fn groups(self, groups: usize) -> Self {
        Conv { groups: Groups::Of(groups), ..self }
    }

    /// How the weight starts.
    pub fn init(self, init: Init) -> Self {
        Conv { init, ..self }
    }

    /// Leaves the bias out, as before a normalisation that takes it away.
    pub fn without_bias(self) -> Self {
        Conv { bias: false, ..self }
    }
}

/// `y` (batch, channels, …) and a bias of the channels.
#[track_caller]
fn biased<'g>(scope: &Scope<'g>, y: Var<'g>, outputs: usize) -> Var<'g> {
    y + per_channel(scope.param("bias", [outputs], Init::Zeros), y)
}

/// A value (channels,) so that it stands beside `like` (batch, channels, …).
#[track_caller]
pub(super) fn per_channel<'g>(value: Var<'g>, like: Var<'g>) -> Var<'g> {
    (2..like.rank()).fold(value, |value, _| value.insert_axis(-1))
}

impl Layer for Conv {
    #[track_caller]
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let channels = x.dim(1);
        let (groups, outputs) = match self.groups {
            Groups::Of(groups) => (groups, self.outputs),
            Groups::Each => (channels, self.outputs.saturating_mul(channels)),
        };
        let inputs = channels / groups.max(1);
        let area = self.kernel.iter().product::<usize>();
        let shape: Vec<usize> = [&[outputs, inputs], &self.kernel[..]].concat();
        let init =
            self.init.of_fans(inputs.saturating_mul(area), outputs.saturating_mul(area) / groups.max(1));
        let y = x.grouped_conv(scope.param("weight", shape, init), groups, &self.slide);
        if self.bias { biased(scope, y, outputs) } else { y }
    }
}

/// The transpose of a convolution: makes (batch, outputs, longer spatial…) of (batch, channels, spatial…), with a `weight` of
/// (channels, outputs, spatial…), PyTorch's order, and a `bias`.
///
/// ```
/// use chainrule_graph::Slide;
/// use chainrule_nn::{ConvTranspose, Layer, Params, Summary};
/// let up = ConvTranspose::new(4, [2, 2]).slide(Slide::new().stride(2));
/// assert!(Summary::of(&up, &Params::new(), [8, 5, 5])?.to_string().contains("(m, 4, 10, 10)"));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConvTranspose {
    outputs: usize,
    kernel: Vec<usize>,
    slide: Slide,
    more: usize,
    bias: bool,
}

impl ConvTranspose {
    /// `outputs` channels, of a kernel with these spatial lengths.
    pub fn new(outputs: usize, kernel: impl Into<Vec<usize>>) -> Self {
        ConvTranspose { outputs, kernel: kernel.into(), slide: Slide::new(), more: 0, bias: true }
    }

    /// How the kernel slides over the result; padding is taken from its ends.
    pub fn slide(self, slide: Slide) -> Self {
        ConvTranspose { slide, ..self }
    }

    /// So many elements more at the end of each spatial axis.
    pub fn more(self, more: usize) -> Self {
        ConvTranspose { more, ..self }
    }

    /// Leaves the bias out.
    pub fn without_bias(self) -> Self {
        ConvTranspose { bias: false, ..self }
    }
}

impl Layer for ConvTranspose {
    #[track_caller]
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let channels = x.dim(1);
        let area = self.kernel.iter().product::<usize>();
        let shape: Vec<usize> = [&[channels, self.outputs], &self.kernel[..]].concat();
        let init = Init::He.of_fans(channels.saturating_mul(area), self.outputs.saturating_mul(area));
        let y = x.conv_transpose(scope.param("weight", shape, init), 1, &self.slide, self.more);
        if self.bias { biased(scope, y, self.outputs) } else { y }
    }
}
