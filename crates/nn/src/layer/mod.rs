//! Layers: small structs of hyperparameters. Their parameters live in the [`Scope`].

mod attention;
mod cell;
mod conv;
mod dropout;
mod embedding;
mod linear;
mod multi_head;
mod norm;
mod pool;
pub mod position;
mod recurrent;
mod transformer;

use chainrule_graph::Var;

use crate::scope::Scope;

pub use attention::Attention;
pub use conv::{Conv, ConvTranspose};
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use linear::Linear;
pub use multi_head::{Cache, MultiHead};
pub use norm::{BatchNorm, GroupNorm, LayerNorm, RmsNorm};
pub use pool::{AvgPool, Flatten, GlobalAvgPool, MaxPool, Upsample};
pub use position::Position;
pub use recurrent::Recurrent;
pub use transformer::TransformerBlock;

/// Anything that maps a value to a value, with parameters found by name: a layer, a block, a whole model.
///
/// Every function of the right form is one, so models are composed from plain functions:
///
/// ```
/// use chainrule_graph::Var;
/// use chainrule_nn::{Layer, Linear, Scope};
///
/// fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
///     let h = Linear::new(25).forward(&s.at("hidden"), x).relu();
///     Linear::new(1).forward(&s.at("output"), h)
/// }
/// fn is_a_layer(_: impl Layer) {}
/// is_a_layer(model);
/// ```
#[diagnostic::on_unimplemented(
    note = "a function is a layer if it is `for<'g> fn(&Scope<'g>, Var<'g>) -> Var<'g>`; wrap a closure: `layer(|s, x| …)`"
)]
pub trait Layer {
    /// Records the output for input `x`, whose rows are examples.
    ///
    /// Errors, pictures and the gradient check name the lines of this function. An implementation that is marked
    /// `#[track_caller]`, as those of a library of layers should be, hands them the line of its caller instead.
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g>;
}

impl<F> Layer for F
where
    F: for<'g> Fn(&Scope<'g>, Var<'g>) -> Var<'g>,
{
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        self(scope, x)
    }
}

/// The closure `f` as a layer. A closure is one as it is, but only where it meets this signature does the compiler find
/// out that it is to work for every graph.
///
/// ```
/// use chainrule_nn::data::iris;
/// use chainrule_nn::{Layer, Linear, Params, Trainer, layer, loss, progress::Silent};
/// let width = 8;
/// let model = layer(|s, x| {
///     let h = Linear::new(width).forward(&s.at("hidden"), x).tanh();
///     Linear::new(3).forward(&s.at("output"), h)
/// });
/// let trainer = Trainer::new(model, loss::softmax_cross_entropy).epochs(1);
/// trainer.fit(&mut Params::new(), &iris()?, None, &mut Silent)?;
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
pub fn layer<F>(f: F) -> F
where
    F: for<'g> Fn(&Scope<'g>, Var<'g>) -> Var<'g>,
{
    f
}
