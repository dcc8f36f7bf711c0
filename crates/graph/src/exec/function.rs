//! A Rust closure as a function on tensors: traced once per signature, then replayed.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{DType, Shape, Tensor};

use super::compiled::Compiled;
use crate::cache::Cache;
use crate::precision::Precision;

use crate::error::Result;
use crate::ir::Graph;
use crate::types::type_of;
use crate::var::Var;

/// A formula written as a closure, compiled once per signature (the shapes and dtypes of its arguments).
///
/// The closure may use the whole language of [`Var`], derivatives included. Reals are computed in f32 if there are
/// reals among the arguments and all of them are f32, else in f64.
///
/// The plans of the 64 signatures used last are kept, with their buffers; [`keep`](Function::keep) sets another number,
/// [`clear`](Function::clear) forgets them all. Sequences of a thousand lengths are better padded to a few.
///
/// ```
/// use chainrule_graph::Function;
/// use chainrule_tensor::Tensor;
/// let mut gradient = Function::new(|_, x| (x[0] * x[0] * x[1]).sum(..).grad(x));
/// let (a, b) = (Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0]));
/// let d = gradient.call(&[a, b])?;
/// assert_eq!(d[0], Tensor::from([6.0, 16.0]));
/// assert_eq!(d[1], Tensor::from([1.0, 4.0]));
/// assert_eq!(gradient.signatures(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Function<F> {
    trace: F,
    compiled: Cache<Vec<(Shape, DType)>, Compiled>,
}

impl<F> Function<F>
where
    F: for<'g> Fn(&'g Graph, &[Var<'g>]) -> Result<Vec<Var<'g>>>,
{
    /// A function that records `trace` when it meets a new signature.
    pub fn new(trace: F) -> Self {
        Function { trace, compiled: Cache::default() }
    }

    /// How many signatures to keep the plans of, one at least. Where there are more, the one not used for the longest
    /// time is compiled anew when it comes again.
    pub fn keep(mut self, signatures: usize) -> Self {
        self.compiled.set_capacity(signatures);
        self
    }

    /// Forgets all plans, and gives their memory back.
    pub fn clear(&mut self) {
        self.compiled.clear();
    }

    /// The results for `arguments`; overwritten by the next call with the same signature unless cloned.
    ///
    /// # Errors
    /// Whatever recording, differentiating, compiling or running reports.
    #[track_caller]
    pub fn call(&mut self, arguments: &[Tensor]) -> Result<&[Tensor]> {
        let signature: Vec<_> = arguments.iter().map(|a| (Shape::from(a.shape()), a.dtype())).collect();
        let (trace, called) = (&self.trace, Location::caller());
        self.compiled.get_or_make(&signature, || compile(trace, arguments, called))?.run(arguments)
    }

    /// How many signatures there are plans of.
    pub fn signatures(&self) -> usize {
        self.compiled.len()
    }
}

fn compile<F>(trace: &F, arguments: &[Tensor], called: &'static Location<'static>) -> Result<Compiled>
where
    F: for<'g> Fn(&'g Graph, &[Var<'g>]) -> Result<Vec<Var<'g>>>,
{
    let graph = Graph::new();
    let here = graph.blame_line(called);
    let inputs: Vec<_> = arguments
        .iter()
        .enumerate()
        .map(|(i, a)| {
            let ty = type_of(a);
            graph.input(&format!("x{i}"), ty.shape, ty.kind)
        })
        .collect();
    drop(here);
    let _passed = graph.passed_at(called);
    let outputs = trace(&graph, &inputs)?;
    let precision = Precision::of(arguments.iter().map(Tensor::dtype));
    graph.compiler(&inputs, &outputs).precision(precision).build()
}

/// The function that computes what `f` does, a single number, and behind it its gradient with respect to each of its
/// real arguments, in their order: the two share all that they can.
///
/// ```
/// use chainrule_graph::value_and_grad;
/// use chainrule_tensor::Tensor;
/// let mut f = value_and_grad(|_, x| Ok((x[0] * x[0] * x[1]).sum(..)));
/// let results = f.call(&[Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0])])?;
/// assert_eq!(results[0].item::<f64>()?, 19.0);
/// assert_eq!(results[1], Tensor::from([6.0, 16.0]));
/// assert_eq!(results[2], Tensor::from([1.0, 4.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn value_and_grad<F>(f: F) -> Function<impl for<'g> Fn(&'g Graph, &[Var<'g>]) -> Result<Vec<Var<'g>>>>
where
    F: for<'g> Fn(&'g Graph, &[Var<'g>]) -> Result<Var<'g>>,
{
    Function::new(move |graph, x| {
        let value = f(graph, x)?;
        let real: Vec<Var<'_>> = x.iter().copied().filter(|x| x.kind() == Kind::Real).collect();
        let mut results = value.grad(&real)?;
        results.insert(0, value);
        Ok(results)
    })
}
