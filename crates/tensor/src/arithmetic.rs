//! Elementwise arithmetic, comparison, choice and functions: each a one-instruction program of the same kernel that
//! runs fused graphs.

use crate::kernels::elementwise::{Binary, Compare, Kernel, Program, ProgramBuilder, Reg, Unary, functions};
use crate::kernels::{Kind, Slice, SliceMut};
use crate::{DType, Element, Error, Layout, Real, Result, Shape, Tensor, shape};

impl DType {
    /// Real, integer or truth.
    pub fn kind(self) -> Kind {
        match self {
            DType::F32 | DType::F64 => Kind::Real,
            DType::I64 => Kind::Int,
            DType::Bool => Kind::Truth,
        }
    }
}

/// Methods from rows: `add Add "…"` gives `pub fn add(&self, right: &Tensor) -> Result<Tensor> { self.binary(Binary::Add, right) }`.
macro_rules! methods {
    ($kind:ident $type:ident $($method:ident $op:ident $doc:literal;)*) => {
        impl Tensor {$(
            #[doc = $doc]
            ///
            /// # Errors
            /// [`Error::Shape`] if the shapes do not broadcast, [`Error::DType`] if the dtypes differ or do not fit.
            pub fn $method(&self, right: &Tensor) -> Result<Tensor> {
                self.$kind($type::$op, right)
            }
        )*}
    };
}

/// Methods from the rows of functions.
macro_rules! unary_methods {
    ($($variant:ident $method:ident $doc:literal $cost:literal
        |$x:ident| $value:expr, $reference:expr $(, far $far:path)?;)*) => {
        impl Tensor {$(
            #[doc = $doc]
            ///
            /// # Errors
            /// [`Error::DType`] if the function is not defined on this dtype.
            pub fn $method(&self) -> Result<Tensor> {
                self.unary(Unary::$variant)
            }
        )*}
    };
}

functions!(unary_methods);

methods! { binary Binary
    add Add "Elementwise sum of the broadcast operands; integers wrap.";
    sub Sub "Elementwise difference of the broadcast operands; integers wrap.";
    mul Mul "Elementwise product of the broadcast operands; integers wrap.";
    div Div "Elementwise quotient of the broadcast operands, of reals only.";
    pow Pow "Elementwise power of the broadcast operands, of reals only.";
    maximum Max "Elementwise maximum of the broadcast operands, NaN if either is; or, on truth values.";
    minimum Min "Elementwise minimum of the broadcast operands, NaN if either is; and, on truth values.";
}

methods! { compare Compare
    equal Eq "Where the broadcast operands are equal. NaN equals nothing.";
    not_equal Ne "Where the broadcast operands differ.";
    less Lt "Where `self < right`, after broadcasting.";
    less_equal Le "Where `self ≤ right`, after broadcasting.";
    greater Gt "Where `self > right`, after broadcasting.";
    greater_equal Ge "Where `self ≥ right`, after broadcasting.";
}

impl Tensor {
    pub(crate) fn unary(&self, op: Unary) -> Result<Tensor> {
        if !op.takes(self.dtype().kind()) {
            return Err(refused(op.name(), self.dtype(), "cast it to f32 or f64 first"));
        }
        let shape = Shape::from(self.shape());
        run(&[self], &shape, self.dtype(), |p, x| p.unary(op, x[0]))
    }

    fn binary(&self, op: Binary, right: &Tensor) -> Result<Tensor> {
        same_dtype(op.name(), self, right)?;
        if !op.takes(self.dtype().kind()) {
            return Err(refused(op.name(), self.dtype(), "cast both to f32 or f64 first"));
        }
        let shape = shape::broadcast(op.name(), self.shape(), right.shape())?;
        run(&[self, right], &shape, self.dtype(), |p, x| p.binary(op, x[0], x[1]))
    }

    fn compare(&self, op: Compare, right: &Tensor) -> Result<Tensor> {
        same_dtype(op.name(), self, right)?;
        let shape = shape::broadcast(op.name(), self.shape(), right.shape())?;
        run(&[self, right], &shape, DType::Bool, |p, x| p.compare(op, x[0], x[1]))
    }

    /// `yes` where this truth value holds, `no` elsewhere; all three broadcast.
    ///
    /// # Errors
    /// [`Error::DType`] unless this is bool and both branches have one dtype; [`Error::Shape`] if the shapes do not
    /// broadcast.
    ///
    /// ```
    /// # use chainrule_tensor::Tensor;
    /// let x = Tensor::from([-1.0, 0.0, 2.0]);
    /// let zero = Tensor::from(0.0);
    /// assert_eq!(x.less(&zero)?.select(&zero, &x)?, Tensor::from([0.0, 0.0, 2.0]));
    /// # Ok::<(), chainrule_tensor::Error>(())
    /// ```
    #[doc(alias = "where")]
    pub fn select(&self, yes: &Tensor, no: &Tensor) -> Result<Tensor> {
        let op = "select";
        if self.dtype() != DType::Bool {
            return Err(refused(op, self.dtype(), "the condition is bool; compare it with something"));
        }
        same_dtype(op, yes, no)?;
        let branches = shape::broadcast(op, yes.shape(), no.shape())?;
        let shape = shape::broadcast(op, self.shape(), &branches)?;
        run(&[self, yes, no], &shape, yes.dtype(), |p, x| p.select(x[0], x[1], x[2]))
    }

    /// The elements as `dtype`: reals are truncated to integers (saturating, NaN becomes 0), truth is 0 or 1, and a
    /// number is true if it is not 0. Free if that is the dtype already.
    ///
    /// ```
    /// # use chainrule_tensor::{DType, Tensor};
    /// assert_eq!(Tensor::from([1.9, -1.9]).cast(DType::I64), Tensor::from([1_i64, -1]));
    /// ```
    pub fn cast(&self, dtype: DType) -> Tensor {
        match (self, dtype) {
            (own, wanted) if own.dtype() == wanted => self.clone(),
            (Tensor::F32(a), DType::F64) => Tensor::F64(a.mapv(f64::from).into_shared()),
            (Tensor::F64(a), DType::F32) => Tensor::F32(a.mapv(|x| x as f32).into_shared()),
            _ => {
                let shape = Shape::from(self.shape());
                match run(&[self], &shape, dtype, |p, x| p.cast(x[0], dtype.kind())) {
                    Ok(cast) => cast,
                    Err(error) => unreachable!("a cast breaks no rule: {error}"),
                }
            }
        }
    }
}

pub(crate) fn refused(op: &'static str, found: DType, why: &str) -> Error {
    Error::DType { op, found, why: why.into() }
}

fn same_dtype(op: &'static str, left: &Tensor, right: &Tensor) -> Result<()> {
    if left.dtype() == right.dtype() {
        return Ok(());
    }
    let why = format!("the other operand is {}; cast one of them", right.dtype());
    Err(Error::DType { op, found: left.dtype(), why })
}

/// Runs a program over broadcast operands; reals have the width of the first real operand, or of the result.
fn run(
    operands: &[&Tensor],
    shape: &Shape,
    result: DType,
    instruction: impl FnOnce(&mut ProgramBuilder, &[Reg]) -> Reg,
) -> Result<Tensor> {
    let mut program = ProgramBuilder::new();
    let regs: Vec<Reg> = operands.iter().map(|t| program.input(t.dtype().kind())).collect();
    let y = instruction(&mut program, &regs);
    program.output(y);
    let wide = operands.iter().map(|t| t.dtype()).chain([result]).any(|d| d == DType::F64);
    let program = program.finish();
    if wide {
        run_as::<f64>(program, operands, shape, result)
    } else {
        run_as::<f32>(program, operands, shape, result)
    }
}

fn run_as<T: Real>(program: Program, operands: &[&Tensor], shape: &Shape, result: DType) -> Result<Tensor> {
    fn filled<E: Element>(shape: &Shape, write: impl FnOnce(&mut [E])) -> Result<Tensor> {
        let mut out = vec![E::default(); shape.size()];
        write(&mut out);
        Tensor::from_vec(out, shape)
    }
    let (operands, layouts): (Vec<Tensor>, Vec<Layout>) = operands.iter().map(|t| t.laid_out()).unzip();
    let layouts: Vec<Layout> = layouts.iter().map(|l| l.broadcast(shape)).collect();
    let kernel = Kernel::new(&program, shape, &layouts, &vec![None; operands.len()]);
    let inputs: Vec<Slice<'_, T>> = operands.iter().map(slice).collect();
    match result.kind() {
        Kind::Real => filled::<T>(shape, |y| kernel.run(&inputs, &mut [SliceMut::Real(y)])),
        Kind::Int => filled::<i64>(shape, |y| kernel.run(&inputs, &mut [SliceMut::Int(y)])),
        Kind::Truth => filled::<bool>(shape, |y| kernel.run(&inputs, &mut [SliceMut::Truth(y)])),
    }
}

fn slice<T: Real>(tensor: &Tensor) -> Slice<'_, T> {
    match tensor.dtype().kind() {
        Kind::Real => Slice::Real(tensor.in_memory()),
        Kind::Int => Slice::Int(tensor.in_memory()),
        Kind::Truth => Slice::Truth(tensor.in_memory()),
    }
}
