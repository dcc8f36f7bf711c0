//! shim
use super::{Kind, Slice, SliceMut};
use crate::{Layout, Real, Shape};
macro_rules! ops { ($name:ident { $($v:ident $s:literal),* }) => {
    /// shim
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)] #[allow(missing_docs)]
    pub enum $name { $($v),* }
    #[allow(missing_docs)]
    impl $name { pub const ALL: &[$name] = &[$($name::$v),*]; pub fn name(self) -> &'static str { match self { $($name::$v => $s),* } } }
} }
ops!(Unary { Neg "neg", Abs "abs", Sign "sign", Floor "floor", Ceil "ceil", Round "round", Sqrt "sqrt", Rsqrt "rsqrt", Exp "exp", Expm1 "expm1", Log "log", Log1p "log1p", Sin "sin", Cos "cos", Tanh "tanh", Logistic "logistic", Softplus "softplus", Erf "erf" });
ops!(Binary { Add "add", Sub "sub", Mul "mul", Div "div", Pow "pow", Max "max", Min "min" });
ops!(Compare { Eq "eq", Ne "ne", Lt "lt", Le "le", Gt "gt", Ge "ge" });
impl Unary { /// shim
 pub fn takes(self, k: Kind) -> bool { k == Kind::Real || (k == Kind::Int && matches!(self, Unary::Neg|Unary::Abs|Unary::Sign)) } }
impl Binary { /// shim
 pub fn takes(self, k: Kind) -> bool { match k { Kind::Real => true, Kind::Int => !matches!(self, Binary::Div|Binary::Pow), Kind::Truth => matches!(self, Binary::Max|Binary::Min) } } }
/// shim
#[derive(Clone, Copy, Debug, PartialEq)] #[allow(missing_docs)]
pub enum Scalar { Real(f64), Int(i64), Truth(bool) }
/// shim
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)] pub struct Reg(usize, Kind);
#[derive(Clone, Debug)] enum I { In(usize), C(Scalar), U(Unary, Reg), B(Binary, Reg, Reg), Cmp(Compare, Reg, Reg), S(Reg, Reg, Reg), K(Reg, Kind) }
/// shim
#[derive(Clone, Debug, Default)] pub struct Program { i: Vec<I>, n_in: usize, out: Vec<Reg> }
/// shim
#[derive(Debug, Default)] pub struct ProgramBuilder(Program);
#[allow(missing_docs)]
impl ProgramBuilder {
    pub fn new() -> Self { Self::default() }
    fn p(&mut self, i: I, k: Kind) -> Reg { self.0.i.push(i); Reg(self.0.i.len()-1, k) }
    pub fn input(&mut self, k: Kind) -> Reg { self.0.n_in += 1; let n = self.0.n_in-1; self.p(I::In(n), k) }
    pub fn constant(&mut self, s: Scalar) -> Reg { let k = match s { Scalar::Real(_) => Kind::Real, Scalar::Int(_) => Kind::Int, Scalar::Truth(_) => Kind::Truth }; self.p(I::C(s), k) }
    pub fn unary(&mut self, u: Unary, a: Reg) -> Reg { self.p(I::U(u, a), a.1) }
    pub fn binary(&mut self, u: Binary, a: Reg, b: Reg) -> Reg { self.p(I::B(u, a, b), a.1) }
    pub fn compare(&mut self, u: Compare, a: Reg, b: Reg) -> Reg { self.p(I::Cmp(u, a, b), Kind::Truth) }
    pub fn select(&mut self, c: Reg, a: Reg, b: Reg) -> Reg { self.p(I::S(c, a, b), a.1) }
    pub fn cast(&mut self, a: Reg, k: Kind) -> Reg { self.p(I::K(a, k), k) }
    pub fn output(&mut self, r: Reg) { self.0.out.push(r) }
    pub fn finish(self) -> Program { self.0 }
}
/// shim
#[derive(Debug)] pub struct Kernel { p: Program, shape: Shape, l: Vec<Layout>, ip: Vec<Option<usize>> }
#[derive(Clone, Copy)] enum V<T> { R(T), I(i64), B(bool) }
#[allow(missing_docs)]
impl Kernel {
    pub fn new(p: Program, shape: &Shape, l: Vec<Layout>, ip: Vec<Option<usize>>) -> Self { Kernel { p, shape: shape.clone(), l, ip } }
    pub fn run<T: Real>(&self, ins: &[Slice<'_, T>], outs: &mut [SliceMut<'_, T>]) {
        let n = self.shape.size(); let rank = self.shape.len();
        for flat in 0..n {
            let mut idx = vec![0; rank]; let mut f = flat; for a in (0..rank).rev() { idx[a] = f % self.shape[a]; f /= self.shape[a]; }
            let mut v: Vec<V<T>> = Vec::new();
            for i in &self.p.i { let r = |r: &Reg| v[r.0]; let x = match i {
                I::In(k) => match self.ip[*k] { Some(j) => match &outs[j] { SliceMut::Real(o) => V::R(o[flat]), SliceMut::Int(o) => V::I(o[flat]), SliceMut::Truth(o) => V::B(o[flat]) },
                    None => { let at = (self.l[*k].offset as isize + idx.iter().zip(&self.l[*k].strides).map(|(i, s)| *i as isize * s).sum::<isize>()) as usize; match ins[*k] { Slice::Real(x) => V::R(x[at]), Slice::Int(x) => V::I(x[at]), Slice::Truth(x) => V::B(x[at]) } } },
                I::C(Scalar::Real(x)) => V::R(T::from_f64(*x)), I::C(Scalar::Int(x)) => V::I(*x), I::C(Scalar::Truth(x)) => V::B(*x),
                I::U(u, a) => match r(a) { V::R(x) => { let one = T::one(); let z = T::zero(); V::R(match u { Unary::Neg => -x, Unary::Abs => x.abs(), Unary::Sign => if x > z { one } else if x < z { -one } else { x }, Unary::Floor => x.floor(), Unary::Ceil => x.ceil(), Unary::Round => x.round(), Unary::Sqrt => x.sqrt(), Unary::Rsqrt => one / x.sqrt(), Unary::Exp => x.exp(), Unary::Expm1 => x.exp_m1(), Unary::Log => x.ln(), Unary::Log1p => x.ln_1p(), Unary::Sin => x.sin(), Unary::Cos => x.cos(), Unary::Tanh => x.tanh(), Unary::Logistic => one / (one + (-x).exp()), Unary::Softplus => x.max(z) + (-x.abs()).exp().ln_1p(), Unary::Erf => { let f = x.to_f64(); let mut s = 0.0; let mut t = f; let mut k = 0.0; while k < 60.0 { s += t / (2.0*k+1.0); k += 1.0; t *= -f*f/k; } T::from_f64(s * std::f64::consts::FRAC_2_SQRT_PI) } }) }, V::I(x) => V::I(match u { Unary::Neg => -x, Unary::Abs => x.abs(), _ => x.signum() }), v => v },
                I::B(u, a, b) => match (r(a), r(b)) { (V::R(a), V::R(b)) => V::R(match u { Binary::Add => a + b, Binary::Sub => a - b, Binary::Mul => a * b, Binary::Div => a / b, Binary::Pow => a.powf(b), Binary::Max => if a > b || a.is_nan() { a } else { b }, Binary::Min => if a < b || a.is_nan() { a } else { b } }), (V::I(a), V::I(b)) => V::I(match u { Binary::Add => a + b, Binary::Sub => a - b, Binary::Mul => a * b, Binary::Max => a.max(b), _ => a.min(b) }), (V::B(a), V::B(b)) => V::B(if *u == Binary::Max { a || b } else { a && b }), _ => panic!() },
                I::Cmp(u, a, b) => { let o = match (r(a), r(b)) { (V::R(a), V::R(b)) => a.partial_cmp(&b), (V::I(a), V::I(b)) => a.partial_cmp(&b), (V::B(a), V::B(b)) => a.partial_cmp(&b), _ => panic!() }; use std::cmp::Ordering::*; V::B(match u { Compare::Eq => o == Some(Equal), Compare::Ne => o != Some(Equal), Compare::Lt => o == Some(Less), Compare::Le => matches!(o, Some(Less|Equal)), Compare::Gt => o == Some(Greater), Compare::Ge => matches!(o, Some(Greater|Equal)) }) }
                I::S(c, a, b) => if let V::B(true) = r(c) { r(a) } else { r(b) },
                I::K(a, k) => match (r(a), k) { (V::R(x), Kind::Int) => V::I(x.to_f64() as i64), (V::R(x), Kind::Truth) => V::B(x != T::zero()), (V::I(x), Kind::Real) => V::R(T::from_f64(x as f64)), (V::I(x), Kind::Truth) => V::B(x != 0), (V::B(x), Kind::Real) => V::R(if x { T::one() } else { T::zero() }), (V::B(x), Kind::Int) => V::I(i64::from(x)), (v, _) => v },
            }; v.push(x); }
            for (o, r) in outs.iter_mut().zip(&self.p.out) { match (o, v[r.0]) { (SliceMut::Real(o), V::R(x)) => o[flat] = x, (SliceMut::Int(o), V::I(x)) => o[flat] = x, (SliceMut::Truth(o), V::B(x)) => o[flat] = x, _ => panic!() } }
        }
    }
}
