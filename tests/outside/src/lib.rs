//! Models as a stranger to the library writes them.
//!
//! The lines that are marked `@…` are the ones that the library must name.

use std::cell::Cell;

use chainrule::prelude::*;

/// What the marked lines do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing special.
    None,
    /// They multiply matrices that do not fit.
    Shape,
    /// They make infinities.
    Infinity,
    /// They have a wrong derivative.
    Wrong,
}

thread_local! {
    /// What the marked lines of this thread do.
    pub static FAULT: Cell<Fault> = const { Cell::new(Fault::None) };
}

/// Does to a value what [`FAULT`] says, in the line where it is written.
macro_rules! spot {
    ($x:expr) => {
        match FAULT.get() {
            Fault::None => $x.tanh(),
            Fault::Shape => $x.matmul($x.graph().constant(Tensor::ones([9, 9], DType::F32))),
            Fault::Infinity => ($x * 0.0).ln(),
            Fault::Wrong => $x.graph().custom_vjp(
                "tripled",
                &[$x],
                |x| x[0].sin(),
                |x, _, ct| vec![ct * x[0].cos() * 3.0],
            ),
        }
    };
}

/// The number of the line that is marked `@mark`.
pub fn line(mark: &str) -> u32 {
    let mark = format!("// @{mark}");
    let found: Vec<usize> = include_str!("lib.rs")
        .lines()
        .enumerate()
        .filter(|(_, line)| line.trim_end().ends_with(&mark))
        .map(|(i, _)| i + 1)
        .collect();
    assert_eq!(found.len(), 1, "{mark}");
    found[0] as u32
}

/// A model that is a function.
pub fn function<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Linear::new(5).forward(&s.at("hidden"), x);
    let h = spot!(h); // @function
    Linear::new(3).forward(&s.at("output"), h)
}

/// A model that is a struct.
pub struct Struct {
    /// The width of the hidden layer.
    pub width: usize,
}

impl Layer for Struct {
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let w = s.param("w", [4, self.width], Init::He);
        let h = spot!(x.matmul(w)); // @struct
        Linear::new(3).forward(&s.at("output"), h)
    }
}

/// A block within a model.
pub struct Block;

impl Layer for Block {
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let h = Linear::new(4).forward(&s.at("linear"), x);
        spot!(h) // @block
    }
}

/// A layer around another.
pub struct Residual<L>(pub L);

impl<L: Layer> Layer for Residual<L> {
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        x + self.0.forward(&s.at("inner"), x) // @residual
    }
}

/// Layers one after another.
pub struct Chain(pub Vec<Box<dyn Layer>>);

impl Layer for Chain {
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        self.0.iter().enumerate().fold(x, |x, (i, layer)| layer.forward(&s.at(&i.to_string()), x)) // @chain
    }
}

/// A layer with an activation that is a value.
pub fn activated<'g>(s: &Scope<'g>, x: Var<'g>, activation: fn(Var<'g>) -> Var<'g>) -> Var<'g> {
    let s = s.at("activated"); // @activated
    activation(Linear::new(3).forward(&s, x))
}

/// A model that is a closure.
pub fn closure(width: usize) -> impl Layer {
    layer(move |s, x| {
        let h = Linear::new(width).forward(&s.at("hidden"), x);
        let h = spot!(h); // @closure
        Linear::new(3).forward(&s.at("output"), h)
    })
}

/// A loss that is a function.
pub fn loss_function<'g>(z: Var<'g>, y: Var<'g>) -> Var<'g> {
    let z = spot!(z); // @loss_function
    chainrule::loss::softmax_cross_entropy(z, y)
}

/// A loss that is a struct.
pub struct LossStruct;

impl Loss for LossStruct {
    fn of<'g>(&self, z: Var<'g>, y: Var<'g>) -> Var<'g> {
        let z = spot!(z); // @loss_struct
        chainrule::loss::softmax_cross_entropy(z, y)
    }
}

/// A loss that is a closure.
pub fn loss_closure(scale: f64) -> impl Loss {
    chainrule::loss::from_fn(move |z, y| {
        let z = spot!(z); // @loss_closure
        chainrule::loss::softmax_cross_entropy(z, y) * scale
    })
}

/// A model without a fault.
pub fn plain<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    Linear::new(3).forward(&s.at("output"), x)
}

/// An optimiser.
pub struct SignDescent;

impl chainrule::optim::Optimiser for SignDescent {
    fn steps<'g>(
        &self,
        memory: &mut chainrule::optim::Memory<'g>,
        all: &[chainrule::optim::Parameter<'g>],
        steps: Vec<Var<'g>>,
    ) -> Vec<Var<'g>> {
        let step = |(p, gradient): (&chainrule::optim::Parameter<'g>, Var<'g>)| {
            let mean = memory.remember(p, "mean", |m| m * 0.9 + gradient); // @remember
            spot!(mean) * 0.01 // @optimiser
        };
        all.iter().zip(steps).map(step).collect()
    }
}

/// The function sin, whose rule does what [`FAULT`] says.
pub fn by_vjp(x: Var<'_>) -> Var<'_> {
    x.graph().custom_vjp(
        "sine",
        &[x],
        |x| x[0].sin(),
        |x, _, ct| {
            vec![ct * spot!(x[0])] // @vjp
        },
    )
}

/// The same in forward mode.
pub fn by_jvp(x: Var<'_>) -> Var<'_> {
    x.graph().custom_jvp(
        "sine",
        &[x],
        |x| x[0].sin(),
        |x, _, t| {
            t[0] * spot!(x[0]) // @jvp
        },
    )
}

/// The same as an operation.
pub struct Sine;

impl CustomOp for Sine {
    fn name(&self) -> &'static str {
        "sine"
    }
    fn infer(&self, args: &[&chainrule::graph::Type]) -> Result<chainrule::graph::Type, String> {
        Ok(args[0].clone())
    }
    fn forward(&self, args: &[Tensor]) -> chainrule::tensor::Result<Tensor> {
        args[0].sin()
    }
    fn vjp<'g>(&self, x: &[Var<'g>], _: Var<'g>, ct: Var<'g>) -> Vec<Var<'g>> {
        vec![ct * spot!(x[0])] // @custom_op
    }
}
