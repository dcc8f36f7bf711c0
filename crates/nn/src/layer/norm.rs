//! Normalisations: mean 0 and variance 1 over some axes, then a learnt scale and shift.

use chainrule_graph::{Error, ErrorKind, Var};
use chainrule_tensor::{Axes, keep};

use super::Layer;
use super::conv::per_channel;
use crate::init::Init;
use crate::scope::{Mode, Scope};

/// Added to variances where nothing else is said.
const EPSILON: f64 = 1e-5;

/// `x` with mean 0 and variance 1 over `axes`, but for `epsilon`.
#[track_caller]
fn normalised<'g>(x: Var<'g>, axes: impl Into<Axes>, epsilon: f64) -> Var<'g> {
    let axes = axes.into();
    let centred = x - x.mean(keep(&axes));
    centred * (centred.square().mean(keep(axes)) + epsilon).rsqrt()
}

/// Batch normalisation (course 2, week 3; Ioffe and Szegedy 2015): each channel, axis 1 of (batch, channels, …), with mean
/// 0 and variance 1 over the examples and positions of the batch, times a learnt `weight`, plus a learnt `bias`.
///
/// While training it remembers `running_mean` and `running_var`: running ← (1 − momentum)·running + momentum·of the batch,
/// the variance with n − 1 below it, as PyTorch has it; outside training these take the place of the batch's own.
///
/// ```
/// use chainrule_nn::{BatchNorm, Layer, Linear, Params, Trainer, data, layer, loss, progress::Silent};
/// let model = layer(|s, x| {
///     let h = Linear::new(8).without_bias().forward(&s.at("hidden"), x);
///     Linear::new(3).forward(&s.at("output"), BatchNorm::new().forward(&s.at("norm"), h).relu())
/// });
/// let trainer = Trainer::new(model, loss::softmax_cross_entropy).epochs(20);
/// let (iris, mut params) = (data::iris()?, Params::new());
/// trainer.fit(&mut params, &iris, None, &mut Silent)?;
/// assert!(params.get("norm.running_mean").is_some());
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
///
/// # Errors
/// Poison where there is one number for each channel while training: it has no variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    momentum: f64,
    epsilon: f64,
}

impl BatchNorm {
    /// With momentum 0.1 and ε = 1e-5.
    pub fn new() -> Self {
        BatchNorm { momentum: 0.1, epsilon: EPSILON }
    }

    /// The share of a batch in the running statistics.
    pub fn momentum(self, momentum: f64) -> Self {
        BatchNorm { momentum, ..self }
    }

    /// What is added to variances.
    pub fn epsilon(self, epsilon: f64) -> Self {
        BatchNorm { epsilon, ..self }
    }
}

impl Default for BatchNorm {
    fn default() -> Self {
        BatchNorm::new()
    }
}

impl Layer for BatchNorm {
    #[track_caller]
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let (shape, channels) = (x.shape(), x.dim(1));
        let all: Vec<isize> = (0..shape.len() as isize).filter(|a| *a != 1).collect();
        let n = shape.iter().enumerate().filter(|(a, _)| *a != 1).map(|(_, n)| *n).product::<usize>();
        let training = scope.mode() == Mode::Train;
        if training && n < 2 && !x.is_poisoned() {
            let why = format!("{n} numbers for each channel have no variance to train on");
            let error = Error::new(ErrorKind::Value { op: "batch_norm", why });
            return x.fail(
                error.operand("input", x.ty(), x.origin()).hint("train on batches of 2 examples or more"),
            );
        }
        let (mean, var) = (x.mean(&all), x.var(&all));
        let running =
            |old: Var<'g>, new: Var<'g>| (1.0 - self.momentum) * old + self.momentum * new.stop_gradient();
        let unbiased = n as f64 / (n.max(2) - 1) as f64;
        let kept_mean = scope.remember("running_mean", [channels], Init::Zeros, |old| running(old, mean));
        let kept_var = scope
            .remember("running_var", [channels], Init::Constant(1.0), |old| running(old, var * unbiased));
        let y = if training {
            normalised(x, &all, self.epsilon)
        } else {
            (x - per_channel(kept_mean, x)) * per_channel((kept_var + self.epsilon).rsqrt(), x)
        };
        scaled_channels(scope, y, channels)
    }
}

/// `y` (batch, channels, …) times a `weight` and plus a `bias` of the channels.
#[track_caller]
fn scaled_channels<'g>(scope: &Scope<'g>, y: Var<'g>, channels: usize) -> Var<'g> {
    let weight = scope.param("weight", [channels], Init::Constant(1.0));
    let bias = scope.param("bias", [channels], Init::Zeros);
    y * per_channel(weight, y) + per_channel(bias, y)
}

/// Layer normalisation (Ba and others 2016): each example alone, over the last axis, times a learnt `weight`, plus a learnt
/// `bias`, both of that axis.
///
/// ```
/// use chainrule_nn::{Layer, LayerNorm, Params, Summary};
/// assert_eq!(Summary::of(&LayerNorm::new(), &Params::new(), [5, 16])?.parameters(), 32);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNorm {
    epsilon: f64,
}

impl LayerNorm {
    /// With ε = 1e-5.
    pub fn new() -> Self {
        LayerNorm { epsilon: EPSILON }
    }

    /// What is added to variances.
    pub fn epsilon(self, epsilon: f64) -> Self {
        LayerNorm { epsilon }
    }
}

impl Default for LayerNorm {
    fn default() -> Self {
        LayerNorm::new()
    }
}

impl Layer for LayerNorm {
    #[track_caller]
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let n = x.dim(-1);
        let (weight, bias) =
            (scope.param("weight", [n], Init::Constant(1.0)), scope.param("bias", [n], Init::Zeros));
        normalised(x, -1, self.epsilon) * weight + bias
    }
}

/// Root-mean-square normalisation (Zhang and Sennrich 2019): the last axis divided by the root of its mean square, times a
/// learnt `weight`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsNorm {
    epsilon: f64,
}

impl RmsNorm {
    /// With ε = 1e-5.
    pub fn new() -> Self {
        RmsNorm { epsilon: EPSILON }
    }

    /// What is added to mean squares.
    pub fn epsilon(self, epsilon: f64) -> Self {
        RmsNorm { epsilon }
    }
}

impl Default for RmsNorm {
    fn default() -> Self {
        RmsNorm::new()
    }
}

impl Layer for RmsNorm {
    #[track_caller]
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let weight = scope.param("weight", [x.dim(-1)], Init::Constant(1.0));
        x * (x.square().mean(keep(-1)) + self.epsilon).rsqrt() * weight
    }
}

/// Group normalisation (Wu and He 2018): the channels of each example in `groups`, each over its channels and positions,
/// times a learnt `weight`, plus a learnt `bias` of the channels. In as many groups as channels it is instance
/// normalisation, in one it is layer normalisation over all.
///
/// # Errors
/// Poison for channels that the groups do not divide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupNorm {
    groups: usize,
    epsilon: f64,
}

impl GroupNorm {
    /// In so many groups, with ε = 1e-5.
    pub fn new(groups: usize) -> Self {
        GroupNorm { groups, epsilon: EPSILON }
    }

    /// Each channel alone: instance normalisation (Ulyanov and others 2016), as in style transfer.
    pub fn instance() -> Self {
        GroupNorm::new(usize::MAX)
    }

    /// What is added to variances.
    pub fn epsilon(self, epsilon: f64) -> Self {
        GroupNorm { epsilon, ..self }
    }
}

impl Layer for GroupNorm {
    #[track_caller]
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let (shape, channels) = (x.shape(), x.dim(1));
        let groups = if self.groups == usize::MAX { channels } else { self.groups };
        if (groups == 0 || channels % groups != 0) && !x.is_poisoned() {
            let why = format!("{channels} channels do not fall into {groups} groups");
            let error = Error::new(ErrorKind::Value { op: "group_norm", why });
            return x.fail(error.operand("input", x.ty(), x.origin()));
        }
        let of_group: usize = shape.iter().skip(1).product::<usize>() / groups.max(1);
        let rows = x.reshape([x.dim(0), groups, of_group]);
        let own: Vec<isize> = shape.iter().map(|n| *n as isize).collect();
        scaled_channels(scope, normalised(rows, -1, self.epsilon).reshape(own), channels)
    }
}
