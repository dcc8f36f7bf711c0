//! Chains of elementwise operations, run block by block: one kernel for any mix of them.
//!
//! A [`Program`] is a straight line of instructions over inputs of equal shape. Bound to a shape and to the
//! layouts of its inputs it is a [`Kernel`], which runs all instructions on one block of elements before it goes
//! on to the next, so that everything between the inputs and the outputs stays in the nearest cache.
//!
//! ```
//! use chainrule_tensor::kernels::elementwise::{Binary, Kernel, ProgramBuilder, Scalar, Unary};
//! use chainrule_tensor::kernels::{Kind, Slice, SliceMut};
//! use chainrule_tensor::{Layout, Shape};
//!
//! // y = tanh(2 x)
//! let mut program = ProgramBuilder::new();
//! let x = program.input(Kind::Real);
//! let two = program.constant(Scalar::Real(2.0));
//! let product = program.binary(Binary::Mul, two, x);
//! let y = program.unary(Unary::Tanh, product);
//! program.output(y);
//!
//! let shape = Shape::from([3]);
//! let kernel = Kernel::new(&program.finish(), &shape, &[Layout::contiguous([3])], &[None]);
//! let mut out = [0.0_f64; 3];
//! kernel.run(&[Slice::Real(&[0.0, 0.5, -0.5])], &mut [SliceMut::Real(&mut out)]);
//! assert!((out[1] - 1.0_f64.tanh()).abs() < 1e-15);
//! ```

#[cfg(test)]
mod accuracy;
mod bind;
mod load;
mod loops;
mod memory;
mod run;
#[cfg(test)]
mod small;
#[cfg(test)]
mod tests;
mod unary;

use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use super::Kind;

pub use bind::Kernel;
pub(super) use memory::Shared;
pub(super) use run::WORTH_A_THREAD;
pub use run::unary_at;
pub use unary::Unary;
pub(crate) use unary::functions;

/// Elements of a block: a dozen blocks of f32 fit in the nearest cache.
const BLOCK: usize = 1024;

/// An enum of operations with their names, from one row each: `Mul "mul"` gives `Binary::Mul` and its name.
macro_rules! operations {
    ($(#[$doc:meta])* $name:ident { $($(#[$row:meta])* $variant:ident $label:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$row])* $variant),* }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant),*];

            /// The name in messages and dumps.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $label),* }
            }
        }
    };
}

operations! {
    /// An elementwise function of two arguments of one kind.
    Binary {
        /// x + y; wraps on integers.
        Add "add",
        /// x − y; wraps on integers.
        Sub "sub",
        /// x·y; wraps on integers.
        Mul "mul",
        /// x/y.
        Div "div",
        /// xʸ.
        Pow "pow",
        /// The greater; NaN if either is. On truth values: or.
        Max "maximum",
        /// The lesser; NaN if either is. On truth values: and.
        Min "minimum",
    }
}

operations! {
    /// A comparison of two values of one kind, giving a truth value; false < true.
    Compare {
        /// x = y.
        Eq "equal",
        /// x ≠ y.
        Ne "not_equal",
        /// x < y.
        Lt "less",
        /// x ≤ y.
        Le "less_equal",
        /// x > y.
        Gt "greater",
        /// x ≥ y.
        Ge "greater_equal",
    }
}

impl Binary {
    /// Whether it is defined on this kind.
    pub fn takes(self, kind: Kind) -> bool {
        match kind {
            Kind::Real => true,
            Kind::Int => !matches!(self, Binary::Div | Binary::Pow),
            Kind::Truth => matches!(self, Binary::Max | Binary::Min),
        }
    }
}

/// A single value of any kind; reals are rounded to the width that a kernel runs at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// A real.
    Real(f64),
    /// An integer.
    Int(i64),
    /// A truth value.
    Truth(bool),
}

impl Scalar {
    /// Whether it is the same number, NaN and the sign of 0 included.
    fn same(self, other: Scalar) -> bool {
        match (self, other) {
            (Scalar::Real(a), Scalar::Real(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        }
    }

    /// Its kind.
    pub fn kind(self) -> Kind {
        match self {
            Scalar::Real(_) => Kind::Real,
            Scalar::Int(_) => Kind::Int,
            Scalar::Truth(_) => Kind::Truth,
        }
    }
}

/// A value in a program under construction; it belongs to the [`ProgramBuilder`] that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reg {
    index: u32,
    kind: Kind,
    builder: u64,
}

impl Reg {
    /// Its position among the values of its program.
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// Its kind.
    pub fn kind(self) -> Kind {
        self.kind
    }
}

/// What defines a value of a program; operands are earlier values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Definition {
    /// This input.
    Input(usize),
    /// A number.
    Constant(Scalar),
    /// A function of a value.
    Unary(Unary, Reg),
    /// A function of two.
    Binary(Binary, Reg, Reg),
    /// A comparison of two.
    Compare(Compare, Reg, Reg),
    /// The second where the first holds, else the third.
    Select(Reg, Reg, Reg),
    /// A value as the kind of this one.
    Cast(Reg),
}

/// A straight line of elementwise instructions; made by a [`ProgramBuilder`]. Programs are equal if they do the same.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Each value's definition and kind, operands first.
    values: Vec<(Definition, Kind)>,
    inputs: usize,
    outputs: Vec<Reg>,
}

/// Builds a [`Program`], instruction by instruction.
///
/// Operands must be of the kinds that the operation takes ([`Unary::takes`], [`Binary::takes`]; one kind on both
/// sides; truth as a condition), and values of this builder.
///
/// # Panics
/// Each method panics if they are not: that is a fault of the calling code, not of a user's data.
#[derive(Debug)]
pub struct ProgramBuilder {
    program: Program,
    /// Which builder of the process this is: a value of another one is none here.
    id: u64,
}

impl Default for ProgramBuilder {
    fn default() -> Self {
        static BUILDERS: AtomicU64 = AtomicU64::new(0);
        ProgramBuilder { program: Program::default(), id: BUILDERS.fetch_add(1, Ordering::Relaxed) }
    }
}

impl ProgramBuilder {
    /// An empty program.
    pub fn new() -> Self {
        ProgramBuilder::default()
    }

    /// Kernels read registers and buffers unchecked where the program says, so every operand passes here.
    fn define(&mut self, definition: Definition, kind: Kind) -> Reg {
        Program::operands(&definition).for_each(|operand| self.own(operand));
        self.program.values.push((definition, kind));
        Reg { index: self.program.values.len() as u32 - 1, kind, builder: self.id }
    }

    fn own(&self, operand: Reg) {
        assert!(operand.builder == self.id, "an operand is a value of another program builder");
    }

    /// The next input.
    pub fn input(&mut self, kind: Kind) -> Reg {
        self.program.inputs += 1;
        self.define(Definition::Input(self.program.inputs - 1), kind)
    }

    /// A value that is the same everywhere.
    pub fn constant(&mut self, value: Scalar) -> Reg {
        self.define(Definition::Constant(value), value.kind())
    }

    /// `op(x)`.
    pub fn unary(&mut self, op: Unary, x: Reg) -> Reg {
        assert!(op.takes(x.kind), "{} does not take {:?}", op.name(), x.kind);
        self.define(Definition::Unary(op, x), x.kind)
    }

    /// `op(x, y)`.
    pub fn binary(&mut self, op: Binary, x: Reg, y: Reg) -> Reg {
        assert!(op.takes(x.kind) && x.kind == y.kind, "{} of {:?} and {:?}", op.name(), x.kind, y.kind);
        self.define(Definition::Binary(op, x, y), x.kind)
    }

    /// `x op y`.
    pub fn compare(&mut self, op: Compare, x: Reg, y: Reg) -> Reg {
        assert!(x.kind == y.kind, "{} of {:?} and {:?}", op.name(), x.kind, y.kind);
        self.define(Definition::Compare(op, x, y), Kind::Truth)
    }

    /// `yes` where `condition` holds, else `no`.
    pub fn select(&mut self, condition: Reg, yes: Reg, no: Reg) -> Reg {
        let fits = condition.kind == Kind::Truth && yes.kind == no.kind;
        assert!(fits, "select by {:?} of {:?} and {:?}", condition.kind, yes.kind, no.kind);
        self.define(Definition::Select(condition, yes, no), yes.kind)
    }

    /// `x` as `kind`: reals are truncated to integers (saturating, NaN becomes 0), truth is 0 or 1, and a number
    /// is true if it is not 0.
    pub fn cast(&mut self, x: Reg, kind: Kind) -> Reg {
        self.own(x);
        if x.kind == kind { x } else { self.define(Definition::Cast(x), kind) }
    }

    /// Makes `x` the next output.
    pub fn output(&mut self, x: Reg) {
        self.own(x);
        self.program.outputs.push(x);
    }

    /// The program.
    pub fn finish(self) -> Program {
        self.program
    }
}

impl PartialEq for Program {
    fn eq(&self, other: &Self) -> bool {
        // Which builder made them is no part of what they do.
        let regs = |d: &Definition| Program::operands(d).map(Reg::index).collect::<SmallVec<[usize; 3]>>();
        let what = |d: &Definition| match *d {
            Definition::Unary(f, _) => Some((0, f as usize)),
            Definition::Binary(f, ..) => Some((1, f as usize)),
            Definition::Compare(f, ..) => Some((2, f as usize)),
            Definition::Select(..) => Some((3, 0)),
            Definition::Cast(_) => Some((4, 0)),
            Definition::Input(k) => Some((5, k)),
            Definition::Constant(_) => None,
        };
        let same = |((a, kind), (b, other)): (&(Definition, Kind), &(Definition, Kind))| match (a, b) {
            (Definition::Constant(a), Definition::Constant(b)) => a.same(*b),
            _ => kind == other && what(a) == what(b) && regs(a) == regs(b),
        };
        self.inputs == other.inputs
            && self.values.len() == other.values.len()
            && self.values.iter().zip(&other.values).all(same)
            && self.outputs.iter().map(|r| r.index).eq(other.outputs.iter().map(|r| r.index))
    }
}

impl Program {
    /// What defines each value, and its kind; operands stand before what is made of them.
    pub fn values(&self) -> impl ExactSizeIterator<Item = (Definition, Kind)> {
        self.values.iter().copied()
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The values that are results.
    pub fn outputs(&self) -> &[Reg] {
        &self.outputs
    }

    fn operands(definition: &Definition) -> impl Iterator<Item = Reg> {
        let (a, b, c) = match *definition {
            Definition::Input(_) | Definition::Constant(_) => (None, None, None),
            Definition::Unary(_, x) | Definition::Cast(x) => (Some(x), None, None),
            Definition::Binary(_, x, y) | Definition::Compare(_, x, y) => (Some(x), Some(y), None),
            Definition::Select(c, x, y) => (Some(c), Some(x), Some(y)),
        };
        [a, b, c].into_iter().flatten()
    }
}
