//! Layers: small structs of hyperparameters. Their parameters live in the [`Scope`].

mod dropout;
mod linear;

use chainrule_graph::Var;

use crate::scope::Scope;

pub use dropout::Dropout;
pub use linear::Linear;

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
pub trait Layer {
    /// Records the output for input `x`, whose rows are examples.
    #[track_caller]
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
