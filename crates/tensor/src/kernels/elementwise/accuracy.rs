//! Every function against the standard library or libm, at every SIMD level.

use super::{Binary, Kernel, ProgramBuilder, Unary, unary_at};
use crate::kernels::{Kind, Level, Slice, SliceMut};
use crate::{Layout, Real};

/// Arguments of all sizes and signs, with the special ones.
fn arguments() -> Vec<f64> {
    let mut x = vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5];
    x.extend([f64::MIN_POSITIVE, -f64::MIN_POSITIVE, 5e-324, 1e-310, f64::MAX, f64::MIN, 1e-45, 1e-39, 3e38]);
    for i in 0..4000 {
        let u = f64::from(i) / 4000.0;
        x.extend([(u - 0.5) * 4.0, (u - 0.5) * 40.0, (u - 0.5) * 240.0, (u - 0.5) * 1600.0]);
        let wide = 10_f64.powf(u * 76.0 - 38.0);
        x.extend([wide, -wide, 1.0 + (u - 0.5) * 1e-3]);
    }
    x
}

/// Distance in units in the last place; specials must agree in kind and sign.
macro_rules! ulp {
    ($name:ident, $float:ident, $int:ident) => {
        fn $name(a: $float, b: $float) -> f64 {
            if a.is_nan() || b.is_nan() {
                return if a.is_nan() == b.is_nan() { 0.0 } else { f64::INFINITY };
            }
            if a.is_infinite() != b.is_infinite() && a.abs().max(b.abs()) != $float::INFINITY {
                return f64::INFINITY;
            }
            let ordered = |x: $float| {
                let bits = x.to_bits() as $int;
                if bits < 0 { $int::MIN.wrapping_sub(bits) } else { bits }
            };
            (i128::from(ordered(a)) - i128::from(ordered(b))).unsigned_abs() as f64
        }
    };
}
ulp!(ulp32, f32, i32);
ulp!(ulp64, f64, i64);

#[test]
fn functions_are_accurate_at_every_level() {
    let wide = arguments();
    let narrow: Vec<f32> = wide.iter().map(|x| *x as f32).collect();
    for level in Level::available() {
        for op in Unary::ALL {
            let mut out = vec![0.0_f32; narrow.len()];
            unary_at(level, *op, &narrow, &mut out);
            for (x, y) in narrow.iter().zip(&out) {
                let right = op.reference(f64::from(*x)) as f32;
                assert!(
                    ulp32(*y, right) <= if *op == Unary::Erfc { 8.0 } else { 3.0 },
                    "{level:?} {op:?}({x:e}) = {y:e}, not {right:e}"
                );
            }
            let mut out = vec![0.0_f64; wide.len()];
            unary_at(level, *op, &wide, &mut out);
            for (x, y) in wide.iter().zip(&out) {
                let right = op.reference(*x);
                assert!(
                    ulp64(*y, right) <= if *op == Unary::Erfc { 8.0 } else { 4.0 },
                    "{level:?} {op:?}({x:e}) = {y:e}, not {right:e}"
                );
            }
        }
    }
}

#[test]
fn a_zero_keeps_its_sign() {
    for level in Level::available() {
        use Unary::{Atan, Erf, Expm1, Ln1p, Round, Sin, Sinh, Sqrt, Tanh};
        for op in [Expm1, Ln1p, Tanh, Sinh, Sin, Atan, Sqrt, Round, Erf] {
            let (mut wide, mut narrow) = ([1.0_f64; 2], [1.0_f32; 2]);
            unary_at(level, op, &[0.0, -0.0], &mut wide);
            unary_at(level, op, &[0.0, -0.0], &mut narrow);
            assert_eq!(wide.map(f64::to_bits), [0.0, -0.0].map(f64::to_bits), "{op:?} at {level:?}");
            assert_eq!(narrow.map(f32::to_bits), [0.0, -0.0].map(f32::to_bits), "{op:?} at {level:?}");
        }
    }
}

/// `op(a, b)` at `level`.
fn binary_at<T: Real>(level: Level, op: Binary, a: &[T], b: &[T]) -> Vec<T> {
    let mut p = ProgramBuilder::new();
    let (x, y) = (p.input(Kind::Real), p.input(Kind::Real));
    let z = p.binary(op, x, y);
    p.output(z);
    let layouts = vec![Layout::contiguous([a.len()]); 2];
    let kernel = Kernel::new(&p.finish(), &[a.len()].into(), &layouts, &[None; 2]);
    let mut out = vec![T::zero(); a.len()];
    kernel.run_at(level, &[Slice::Real(a), Slice::Real(b)], &mut [SliceMut::Real(&mut out)]);
    out
}

#[test]
fn powers_are_accurate_at_every_level() {
    let special = [0.0, 0.5, 1.0, 2.0, 3.0, 7.5, 1e10, 1e300, f64::INFINITY, f64::NAN, 1e-310, 5e-324, 1e-45];
    let special: Vec<f64> = special.iter().flat_map(|x| [*x, -*x]).collect();
    let mut pairs: Vec<(f64, f64)> = special.iter().flat_map(|x| special.iter().map(|y| (*x, *y))).collect();
    for i in 0..20_000 {
        let (u, v) = (f64::from(i % 141) / 141.0, f64::from(i) / 20_000.0);
        pairs.extend([(u * 4.0, (v - 0.5) * 40.0), (10_f64.powf(u * 600.0 - 300.0), (v - 0.5) * 3.0)]);
        pairs.extend([(1.0 + (u - 0.5) * 1e-3, (v - 0.5) * 1e6), (-u * 10.0, f64::from(i % 37 - 18))]);
    }
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    let narrow = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<f32>>();
    let (narrow_a, narrow_b) = (narrow(&a), narrow(&b));
    for level in Level::available() {
        for ((a, b), y) in a.iter().zip(&b).zip(binary_at(level, Binary::Pow, &a, &b)) {
            let right = libm::pow(*a, *b);
            assert!(ulp64(y, right) <= 2.0, "{level:?} pow({a:e}, {b:e}) = {y:e}, not {right:e}");
        }
        for ((a, b), y) in
            narrow_a.iter().zip(&narrow_b).zip(binary_at(level, Binary::Pow, &narrow_a, &narrow_b))
        {
            let right = libm::pow(f64::from(*a), f64::from(*b)) as f32;
            assert!(ulp32(y, right) <= 1.0, "{level:?} pow({a:e}, {b:e}) = {y:e}, not {right:e}");
        }
    }
}

#[test]
fn turns_are_taken_off_at_every_level() {
    // Neighbours of whole quarter turns, where most bits cancel, and far out where libm takes over.
    let quarters = (-3000..3000).map(|n| f64::from(n) * std::f64::consts::FRAC_PI_2);
    let far = (0..300).map(|n| 1.5 * 10_f64.powi(n));
    let x: Vec<f64> =
        quarters.flat_map(|x| [x, x * (1.0 + f64::EPSILON), x * (1.0 + 1e-9)]).chain(far).collect();
    let narrow: Vec<f32> = x.iter().map(|x| *x as f32).collect();
    for level in Level::available() {
        for op in [Unary::Sin, Unary::Cos] {
            let (mut y, mut narrow_y) = (vec![0.0; x.len()], vec![0.0_f32; x.len()]);
            unary_at(level, op, &x, &mut y);
            unary_at(level, op, &narrow, &mut narrow_y);
            for (x, y) in x.iter().zip(y) {
                let right = op.reference(*x);
                assert!(ulp64(y, right) <= 1.0, "{level:?} {op:?}({x:e}) = {y:e}, not {right:e}");
            }
            for (x, y) in narrow.iter().zip(narrow_y) {
                let right = op.reference(f64::from(*x)) as f32;
                assert!(ulp32(y, right) <= 1.0, "{level:?} {op:?}({x:e}) = {y:e}, not {right:e}");
            }
        }
    }
}
