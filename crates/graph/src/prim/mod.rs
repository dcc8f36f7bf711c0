//! The primitives: all that a graph is made of.
//!
//! One file per family. A file holds the user's methods, the shape rule, the one derivative rule, the
//! lowering to a kernel and the sample cases that drive the generated tests. To add a primitive: write its
//! file, add one line to [`primitives!`], and the compiler names nothing else.

pub(crate) mod arg;
pub(crate) mod barrier;
pub(crate) mod binary;
pub(crate) mod branch;
pub(crate) mod broadcast;
pub(crate) mod call;
pub(crate) mod cast;
pub(crate) mod cholesky;
pub(crate) mod compare;
pub(crate) mod concat;
pub(crate) mod convolution;
pub(crate) mod cumulate;
pub(crate) mod custom;
pub(crate) mod decompose;
pub(crate) mod determinant;
pub(crate) mod flip;
pub(crate) mod gather;
pub(crate) mod leaf;
pub(crate) mod loops;
pub(crate) mod matmul;
pub(crate) mod narrow;
pub(crate) mod pad;
pub(crate) mod part;
pub(crate) mod permute;
pub(crate) mod place;
pub(crate) mod pushforward;
pub(crate) mod random;
pub(crate) mod range;
pub(crate) mod recurrence;
pub(crate) mod reduce;
pub(crate) mod reshape;
pub(crate) mod rows;
pub(crate) mod scatter;
pub(crate) mod select;
pub(crate) mod slice;
pub(crate) mod solve;
pub(crate) mod sort;
pub(crate) mod stop;
pub(crate) mod unary;
pub(crate) mod windows;

use chainrule_tensor::{Compound, Layout, Shape};

use crate::body::Body;
use crate::error::{Error, ErrorKind};
use crate::exec::call::Call;
use crate::exec::elementwise::Instruction;
use crate::ir::Node;
use crate::types::{NodeId, Type};
use crate::var::Var;
use rows::Rows;

/// A function from leaves to a value.
pub type Formula = std::rc::Rc<dyn for<'g> Fn(&[Var<'g>]) -> Var<'g>>;

/// A sample case of a primitive: a name and a formula over real leaves of given shapes, drawn from an
/// interval on which the formula is smooth. Every generated test runs over all samples.
#[derive(Clone)]
pub struct Sample {
    /// What is special about this case, such as `sum axis 0 of (2, 3)`.
    pub name: String,
    /// Shapes of the real leaves.
    pub shapes: Vec<Vec<usize>>,
    /// The interval the leaves are drawn from.
    pub range: std::ops::Range<f64>,
    /// The formula.
    pub formula: Formula,
}

impl Sample {
    /// A sample over leaves of `shapes`, drawn from `range`.
    pub(crate) fn new<F>(name: &str, shapes: &[&[usize]], range: std::ops::Range<f64>, formula: F) -> Self
    where
        F: for<'g> Fn(&[Var<'g>]) -> Var<'g> + 'static,
    {
        let shapes = shapes.iter().map(|s| s.to_vec()).collect();
        Sample { name: name.into(), shapes, range, formula: std::rc::Rc::new(formula) }
    }
}

/// What tangents are recorded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    /// To be computed.
    Forward,
    /// To be transposed.
    Reverse,
}

/// The operands and the result of a node whose derivative is being recorded: `y = op(x[0], x[1], …)`.
pub(crate) struct Site<'a, 'g> {
    /// The operands.
    pub(crate) x: &'a [Var<'g>],
    /// The result.
    pub(crate) y: Var<'g>,
}

/// Records the cotangent of argument `i` from that of the result.
type TransposeRule<P> = for<'a, 'g> fn(&P, i: usize, ct: Var<'g>, &Site<'a, 'g>) -> Var<'g>;
/// Records the tangent of the result from those of the arguments.
type TangentRule<P> = for<'a, 'g> fn(&P, t: &[Option<Var<'g>>], &Site<'a, 'g>) -> Var<'g>;

/// The one derivative rule of a primitive `P`.
pub(crate) enum Derivative<P> {
    /// Linear in all real arguments together (sum, reshape, concat …): the tangent is the same operation on the
    /// tangents. Given the cotangent of the result, the function records that of argument `i`.
    Linear(TransposeRule<P>),
    /// Linear in each of the listed arguments while the others are fixed (mul, matmul …). Same function.
    Multilinear(&'static [usize], TransposeRule<P>),
    /// Anything smooth: the function records the tangent of the result, linear in the tangents `t` of the
    /// arguments (`None` where an argument does not vary). It is transposed, so it must be linear in them.
    Nonlinear(TangentRule<P>),
    /// Linear in each of the listed arguments, as above, and smooth in the others: the second function records the
    /// tangent from those of the others (division, solving a linear system).
    Mixed(&'static [usize], TransposeRule<P>, TangentRule<P>),
    /// Differentiated as a whole, all results and arguments at once.
    Structured(fn(&P) -> &dyn Structured),
    /// This result of its one argument, with the derivative that that one has.
    Part(fn(&P) -> usize),
    /// No derivative, for the reason given.
    Flat(&'static str),
}

/// The derivative of what has several results, or formulas within.
pub(crate) trait Structured {
    /// Records the tangent of each result from those of the arguments (`None` where an argument does not vary).
    ///
    /// # Errors
    /// Whatever keeps a formula within, or a rule of the user's, from being differentiated.
    fn tangents<'g>(
        &self,
        t: &[Option<Var<'g>>],
        mode: Mode,
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>, Error>;

    /// Records the cotangent of each argument from those of the results, of an operation that is linear in the
    /// arguments `linear` together.
    ///
    /// # Errors
    /// A formula within that is not.
    fn cotangents<'g>(
        &self,
        ct: &[Option<Var<'g>>],
        linear: &[bool],
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>, Error>;

    /// All results for many examples at once, with their axis first; `None` where [`Primitive::batch`] is the rule.
    fn batch_all<'g>(&self, _: &Rows<'g>) -> Option<Result<Vec<Var<'g>>, Error>> {
        None
    }
}

/// How a primitive is carried out.
pub(crate) enum Lowering {
    /// One instruction of a fused elementwise loop.
    Elementwise(Instruction),
    /// No work: another layout over argument 0's buffer. `None`: this buffer's order does not allow it, copy first.
    View(Option<Layout>),
    /// A kernel of its own.
    Kernel(Call),
    /// A value known before the plan runs: an input, a constant.
    Leaf,
    /// Formulas within, which the planner records in their place, or makes plans of within the plan.
    Formulas,
    /// A further result of its argument.
    Part,
}

/// A formula that a primitive carries out.
pub struct Carried<'a> {
    /// When it is: `each of 10 steps`.
    pub when: String,
    /// The formula.
    pub body: &'a Body,
    /// For each of its parameters, the argument that it is or is a part of, and what it is called.
    pub given: Vec<(usize, String)>,
}

/// What the rest of the crate may ask of a primitive.
pub(crate) trait Primitive {
    /// The name in messages, dumps and pictures.
    fn name(&self) -> &'static str;
    /// Its sign between two operands, where it is written so.
    fn notation(&self) -> Option<&'static str> {
        None
    }
    /// Attributes for dumps, such as `axes=0..1`; empty if there are none.
    fn attributes(&self) -> String {
        String::new()
    }
    /// The type of the result, or the rule that the arguments break, whatever they are.
    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind>;
    /// The formulas within.
    fn bodies(&self) -> Vec<Carried<'_>> {
        Vec::new()
    }
    /// The types of the results behind the first, for what has several.
    fn further(&self, _: &[&Type]) -> Vec<Type> {
        Vec::new()
    }
    /// The one derivative rule.
    fn derivative(&self) -> Derivative<Self>
    where
        Self: Sized;
    /// The one batching rule: the results of all examples, from arguments of which some have a further leading axis,
    /// one entry per example. The default suits what treats every element alike.
    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g>
    where
        Self: Sized + Clone + Into<Op>,
    {
        rows.record(self.clone())
    }
    /// How it is carried out on arguments that lie as `args` says.
    fn lower(&self, args: &[Layout], ty: &Type) -> Lowering;
    /// Whether the kernel reads arguments of any layout; otherwise they are made contiguous first.
    fn strided(&self) -> bool {
        false
    }
    /// Zeros that the kernel reads argument `i` with: in front of and behind each of its axes. Empty for none.
    fn around(&self, _: usize) -> &[[usize; 2]] {
        &[]
    }
    /// The view of an argument that lies so, where it is one that no layout describes.
    fn view(&self, _: &Compound) -> Option<Compound> {
        None
    }
    /// Sample cases.
    fn samples() -> Vec<Sample>
    where
        Self: Sized;
}

/// Makes the closed set [`Op`] from the list of primitives, and passes each question on to the right one.
///
/// `primitives! { unary::Unary }` gives `enum Op { Unary(unary::Unary) }` with, for each method of
/// [`Primitive`], a `match` of one arm per primitive: `Op::Unary(p) => p.name()`.
macro_rules! primitives {
    ($($module:ident :: $name:ident),* $(,)?) => {
        /// A primitive with its attributes.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Op {
            $($name($module::$name)),*
        }

        impl Op {
            pub(crate) fn attributes(&self) -> String {
                match self { $(Op::$name(p) => p.attributes()),* }
            }
            pub(crate) fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
                match self { $(Op::$name(p) => p.infer(args)),* }
            }
            /// The formulas within: what a call calls, what a loop repeats, what a choice chooses from.
            pub fn bodies(&self) -> Vec<Carried<'_>> {
                match self { $(Op::$name(p) => p.bodies()),* }
            }
            pub(crate) fn further(&self, args: &[&Type]) -> Vec<Type> {
                match self { $(Op::$name(p) => p.further(args)),* }
            }
            pub(crate) fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
                match self { $(Op::$name(p) => p.batch(rows)),* }
            }
            pub(crate) fn lower(&self, args: &[Layout], ty: &Type) -> Lowering {
                match self { $(Op::$name(p) => p.lower(args, ty)),* }
            }
            pub(crate) fn strided(&self) -> bool {
                match self { $(Op::$name(p) => p.strided()),* }
            }
            pub(crate) fn around(&self, i: usize) -> &[[usize; 2]] {
                match self { $(Op::$name(p) => p.around(i)),* }
            }
            pub(crate) fn view(&self, arg: &Compound) -> Option<Compound> {
                match self { $(Op::$name(p) => p.view(arg)),* }
            }
            /// The name in messages, dumps and pictures.
            pub fn name(&self) -> &'static str {
                match self { $(Op::$name(p) => p.name()),* }
            }
            /// Its sign between two operands, where it is written so.
            pub(crate) fn notation(&self) -> Option<&'static str> {
                match self { $(Op::$name(p) => p.notation()),* }
            }
            /// The form of the derivative.
            pub(crate) fn form(&self) -> Form<'_> {
                match self { $(Op::$name(p) => match p.derivative() {
                    Derivative::Linear(_) => Form::Linear,
                    Derivative::Multilinear(arguments, _) => Form::Multilinear(arguments),
                    Derivative::Nonlinear(_) => Form::Smooth,
                    Derivative::Mixed(arguments, ..) => Form::Mixed(arguments),
                    Derivative::Structured(f) => Form::Structured(f(p)),
                    Derivative::Part(f) => Form::Part(f(p)),
                    Derivative::Flat(why) => Form::Flat(why),
                }),* }
            }
            /// Records the cotangent of argument `i`, in which this is linear, from that of the result.
            pub(crate) fn transpose<'g>(&self, i: usize, ct: Var<'g>, site: &Site<'_, 'g>) -> Option<Var<'g>> {
                match self { $(Op::$name(p) => match p.derivative() {
                    Derivative::Linear(f) | Derivative::Multilinear(_, f) | Derivative::Mixed(_, f, _) => {
                        Some(f(p, i, ct, site))
                    }
                    _ => None,
                }),* }
            }
            /// Records the tangent of the result from those of the arguments in which this is smooth.
            pub(crate) fn tangent<'g>(&self, t: &[Option<Var<'g>>], site: &Site<'_, 'g>) -> Option<Var<'g>> {
                match self { $(Op::$name(p) => match p.derivative() {
                    Derivative::Nonlinear(f) | Derivative::Mixed(_, _, f) => Some(f(p, t, site)),
                    _ => None,
                }),* }
            }
        }

        $(impl From<$module::$name> for Op {
            fn from(p: $module::$name) -> Op {
                Op::$name(p)
            }
        })*

        /// The sample cases of all primitives, by primitive.
        pub fn samples() -> Vec<(&'static str, Vec<Sample>)> {
            vec![$((stringify!($name), $module::$name::samples())),*]
        }
    };
}

/// What a [`Derivative`] is like, asked without its functions.
#[derive(Clone, Copy)]
pub(crate) enum Form<'p> {
    /// Linear in all real arguments together.
    Linear,
    /// Linear in each of these arguments.
    Multilinear(&'static [usize]),
    /// Smooth.
    Smooth,
    /// Linear in each of these arguments, smooth in the others.
    Mixed(&'static [usize]),
    /// Differentiated as a whole.
    Structured(&'p dyn Structured),
    /// A further result of its argument.
    Part(usize),
    /// None, for this reason.
    Flat(&'static str),
}

impl Form<'_> {
    /// Whether this is linear in the arguments `varying` together.
    pub(crate) fn linear_in(self, varying: &[usize]) -> bool {
        match self {
            Form::Linear => true,
            Form::Multilinear(arguments) | Form::Mixed(arguments) => {
                matches!(varying, [only] if arguments.contains(only))
            }
            Form::Smooth | Form::Structured(_) | Form::Part(_) | Form::Flat(_) => false,
        }
    }
}

primitives! {
    leaf::Input, leaf::Scalar, leaf::Constant, leaf::Parameter, leaf::Iota, leaf::Poison,
    unary::Unary, binary::Binary, compare::Compare, select::Select, cast::Cast, narrow::Narrow,
    reshape::Reshape, permute::Permute, broadcast::Broadcast,
    slice::Slice, pad::Pad, place::Place, concat::Concat, flip::Flip,
    reduce::Reduce, arg::ArgReduce, cumulate::CumSum, recurrence::Recurrence, sort::ArgSort,
    gather::Gather, scatter::ScatterAdd, windows::Windows, windows::OverlapAdd, convolution::Convolution,
    matmul::MatMul, solve::Solve, cholesky::Cholesky, determinant::Determinant,
    decompose::Decompose,
    random::Uniform, range::InRange, stop::StopGradient, barrier::Barrier,
    custom::Custom, call::Call, loops::Loop, branch::Branch, pushforward::Pushforward, part::Part,
}

impl Node {
    /// How it is carried out on arguments that lie row-major. Layouts decide only whether a view needs a copy, not whether an
    /// operation is one.
    pub(crate) fn lowering(&self, nodes: &[Node]) -> Lowering {
        let layout = |(i, a): (usize, &NodeId)| {
            let own = &nodes[a.index()].ty.shape;
            let around = self.op.around(i).iter().copied().chain(std::iter::repeat([0; 2]));
            let lengths = own.iter().zip(around).map(|(n, [before, after])| before + n + after);
            Layout::contiguous(lengths.collect::<Shape>())
        };
        self.op.lower(&self.args.iter().enumerate().map(layout).collect::<Vec<_>>(), &self.ty)
    }
}

impl Op {
    /// How many arguments, from the first on, the derivative says something about.
    pub(crate) fn given(&self, arguments: usize) -> usize {
        if let Op::Call(call) = self { call.given() } else { arguments }
    }

    /// Whether this is a formula without a rule of the user's.
    pub(crate) fn is_plain_call(&self) -> bool {
        matches!(self, Op::Call(call) if matches!(call.rule, call::Rule::Own | call::Rule::Recompute))
    }

    /// Why this operation has no derivative; `None` if it has one.
    pub fn flat(&self) -> Option<&'static str> {
        match self.form() {
            Form::Flat(why) => Some(why),
            _ => None,
        }
    }

    /// Name and attributes, as in dumps: `sum[axes=0..1]`.
    pub fn label(&self) -> String {
        let attributes = self.attributes();
        if attributes.is_empty() { self.name().into() } else { format!("{}[{attributes}]", self.name()) }
    }
}

/// Fails if `shape` has fewer axes than `rank`, which `op` speaks of: no shape rule relies on what records it.
pub(crate) fn within(op: &'static str, shape: &[usize], rank: usize) -> Result<(), ErrorKind> {
    if rank <= shape.len() {
        return Ok(());
    }
    let why = format!("needs at least {rank} axes");
    Err(chainrule_tensor::Error::shape(op, [shape], why).into())
}

/// An [`ErrorKind`] for an operand of the wrong kind.
pub(crate) fn wrong_kind(op: &'static str, why: impl Into<String>) -> ErrorKind {
    ErrorKind::Kind { op, why: why.into() }
}
