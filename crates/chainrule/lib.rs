//! An autodiff tensor framework: **record → differentiate → plan → run**.
//!
//! This crate is the front door. The rooms behind it are crates of their own:
//!
//! | crate | holds |
//! | --- | --- |
//! | [`tensor`] | n-dimensional values with run-time shape and dtype, kernels, file formats |
//! | [`graph`] | recording, derivatives of any order, plans, the gradient check |
//! | [`nn`] | parameters, layers, losses, optimisers, data, training |
//!
//! Logistic regression, from the formula to a trained model:
//!
//! ```
//! use chainrule::prelude::*;
//! use chainrule::{data, loss, progress::Silent};
//!
//! fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
//!     Linear::new(1).forward(s, x) // one logit for each row of x
//! }
//! fn cost<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
//!     loss::binary_cross_entropy_with_logits(z, y.insert_axis(1))
//! }
//!
//! let [train, test] = data::breast_cancer()?.split_stratified([0.8, 0.2], Key::new(1))?;
//! let scale = data::Standardize::fit(&train)?;
//! let (train, test) = (scale.apply(&train)?, scale.apply(&test)?);
//! let trainer = Trainer::new(model, cost).optimiser(Sgd::new(0.1)).epochs(20);
//! let mut params = Params::new();
//! trainer.fit(&mut params, &train, None, &mut Silent)?;
//! assert!(trainer.evaluator().accuracy(&params, &test)? > 0.95);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Debug builds.** Unoptimised kernels are some thirty times slower. A dependency's profile is set by who depends on it:
//! put this into your `Cargo.toml`, and only your own code is compiled without optimisation.
//!
//! ```toml
//! [profile.dev.package."*"]
//! opt-level = 3
//! ```
#![forbid(unsafe_code)]

pub use chainrule_graph as graph;
pub use chainrule_nn as nn;
pub use chainrule_tensor as tensor;

pub use chainrule_nn::{
    boxes, data, doctor, generate, loss, metric, models, optim, plot, progress, report, search,
};

/// What most programs use: `use chainrule::prelude::*;`.
pub mod prelude {
    pub use chainrule_graph::{
        CustomOp, Function, Graph, Kind, Operand, Order, Padding, Slide, Var, check, cond, hessian, hvp,
        jacobian, jvp, scan, value_and_grad, vjp, vmap, while_loop,
    };
    pub use chainrule_nn::{
        Adam, Attention, AvgPool, BatchNorm, Best, Checkpoints, Conv, ConvTranspose, Dropout, Embedding,
        Flatten, GlobalAvgPool, Goal, GroupNorm, History, Init, Layer, LayerNorm, Learning, Linear, Loss,
        MaxPool, Mode, Momentum, MultiHead, Params, Penalty, Position, Recurrent, RmsNorm, Scope, Sgd, Step,
        Summary, Trainer, TransformerBlock, Upsample, layer,
    };
    pub use chainrule_tensor::{DType, Key, Shape, Tensor, keep};
}

/// The code in the README is tested like any other.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
