//! Operations of the user's own: a kernel on tensors and a recorded derivative.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chainrule_tensor::{Layout, Tensor};

use super::rows::Rows;
use super::{Derivative, Lowering, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::ir::Graph;
use crate::types::Type;
use crate::var::Var;

/// An operation that the primitives do not offer: how it is computed, and how it is differentiated.
///
/// ```
/// use chainrule_graph::{CustomOp, Graph, Type, Var};
/// use chainrule_tensor::{Result, Tensor, keep};
///
/// /// Position of the greatest element, as weights: 1 there, 0 elsewhere; differentiated as softmax.
/// struct HardMax;
///
/// impl CustomOp for HardMax {
///     fn name(&self) -> &'static str {
///         "hard_max"
///     }
///     fn infer(&self, args: &[&Type]) -> Result<Type, String> {
///         Ok(args[0].clone())
///     }
///     fn forward(&self, args: &[Tensor]) -> Result<Tensor> {
///         let top = args[0].max(keep(-1))?;
///         Ok(args[0].equal(&top)?.cast(args[0].dtype()))
///     }
///     fn vjp<'g>(&self, x: &[Var<'g>], _y: Var<'g>, ct: Var<'g>) -> Vec<Var<'g>> {
///         let s = x[0].softmax(-1);
///         vec![s * (ct - (s * ct).sum(keep(-1)))]
///     }
/// }
///
/// let g = Graph::new();
/// let x = g.leaf("x", [1.0, 3.0, 2.0]);
/// let y = g.custom(HardMax, &[x]);
/// assert_eq!(y.value()?, Tensor::from([0.0, 1.0, 0.0]));
/// let dx = (y * x).sum(..).grad(&[x])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait CustomOp: Send + Sync + 'static {
    /// The name in messages, dumps and pictures.
    fn name(&self) -> &'static str;
    /// The type of the result for arguments of these types.
    ///
    /// # Errors
    /// The rule that the arguments break, in words.
    fn infer(&self, args: &[&Type]) -> Result<Type, String>;
    /// The value. Reals come in the precision in which the graph was compiled, and so must the result.
    ///
    /// # Errors
    /// Whatever prevents it; running the graph reports it with this operation's name and the user's line.
    ///
    /// # Panics
    /// A panic in here is not caught. It unwinds through the run, and each later run of the compiled function is an error:
    /// return one instead.
    fn forward(&self, args: &[Tensor]) -> chainrule_tensor::Result<Tensor>;
    /// Records the cotangent of each argument, given the arguments, the result and its cotangent. Recorded in
    /// primitives and custom operations, it can be differentiated again.
    fn vjp<'g>(&self, x: &[Var<'g>], y: Var<'g>, ct: Var<'g>) -> Vec<Var<'g>>;
}

/// A user's operation; equal to itself only.
#[derive(Clone)]
pub struct Custom(pub(crate) Arc<dyn CustomOp>);

impl Graph {
    /// The result of the user's operation `op` on `args`.
    #[track_caller]
    pub fn custom<'g>(&'g self, op: impl CustomOp, args: &[Var<'g>]) -> Var<'g> {
        self.record(Custom(Arc::new(op)).into(), args)
    }
}

impl Custom {
    /// What the user wrote.
    pub fn op(&self) -> &dyn CustomOp {
        &*self.0
    }
}

impl Primitive for Custom {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        self.0.infer(args).map_err(|why| wrong_kind(self.name(), why))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Structured(|p| p)
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.unrolled(self.clone())
    }

    fn lower(&self, args: &[Layout], ty: &Type) -> Lowering {
        let shapes = args.iter().map(|a| a.shape.clone()).collect();
        Lowering::Kernel(Call::Custom { op: self.clone(), args: shapes, out: ty.shape.clone() })
    }

    fn samples() -> Vec<Sample> {
        vec![
            Sample::new("custom hypotenuse of (2, 3)", &[&[2, 3], &[2, 3]], 0.3..2.0, |x| {
                x[0].graph().custom(sample::Hypot, x)
            }),
            Sample::new("custom hypotenuse of (3,)", &[&[3], &[3]], 0.3..2.0, |x| {
                x[0].graph().custom(sample::Hypot, x)
            }),
            Sample::new("custom hypotenuse of (1,)", &[&[1], &[1]], 0.3..2.0, |x| {
                x[0].graph().custom(sample::Hypot, x)
            }),
            Sample::new("custom hypotenuse of (0,)", &[&[0], &[0]], 0.3..2.0, |x| {
                x[0].graph().custom(sample::Hypot, x)
            }),
            Sample::new("custom hypotenuse of ()", &[&[], &[]], 0.3..2.0, |x| {
                x[0].graph().custom(sample::Hypot, x).square()
            }),
        ]
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Custom {}

impl Hash for Custom {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(Arc::as_ptr(&self.0).cast::<()>(), state);
    }
}

/// The custom operation of the sample cases.
mod sample {
    use super::{CustomOp, Tensor, Type, Var};

    /// √(a² + b²).
    pub(super) struct Hypot;

    impl CustomOp for Hypot {
        fn name(&self) -> &'static str {
            "hypot"
        }
        fn infer(&self, args: &[&Type]) -> Result<Type, String> {
            match args {
                [a, b] if a == b => Ok((*a).clone()),
                _ => Err(format!("takes two values of one type, not {}", args.len())),
            }
        }
        fn forward(&self, args: &[Tensor]) -> chainrule_tensor::Result<Tensor> {
            let square = |x: &Tensor| x.mul(x);
            square(&args[0])?.add(&square(&args[1])?)?.sqrt()
        }
        fn vjp<'g>(&self, x: &[Var<'g>], y: Var<'g>, ct: Var<'g>) -> Vec<Var<'g>> {
            vec![ct * x[0] / y, ct * x[1] / y]
        }
    }
}
