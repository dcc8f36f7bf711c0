//! The fully connected layer.

use chainrule_graph::Var;

use super::Layer;
use crate::init::Init;
use crate::scope::Scope;

/// y = x W + b, with x `(…, n_in)`, W `(n_in, n_out)`, b `(n_out,)`. The input size is read from `x`.
///
/// The lectures put examples in columns and write Z = W A + b; here they are rows.
///
/// ```
/// use chainrule_graph::Var;
/// use chainrule_nn::{Init, Layer, Linear, Scope};
/// fn scores<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
///     Linear::new(10).init(Init::Xavier).forward(&s.at("output"), x)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Linear {
    units: usize,
    init: Init,
    bias: bool,
}

impl Linear {
    /// `units` outputs; the weight starts with [`Init::He`], the bias with zeros.
    pub fn new(units: usize) -> Self {
        Linear { units, init: Init::He, bias: true }
    }

    /// How the weight starts.
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Leaves the bias out.
    pub fn without_bias(mut self) -> Self {
        self.bias = false;
        self
    }
}

impl Layer for Linear {
    #[track_caller]
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let y = x.matmul(scope.param("weight", [x.dim(-1), self.units], self.init));
        if self.bias { y + scope.param("bias", [self.units], Init::Zeros) } else { y }
    }
}
