//! Every way in which a kernel's instructions share memory, in runs of a few elements: small enough for Miri, which
//! sees what no result shows. `cargo +nightly miri test -p chainrule-tensor small`

use super::{Binary, Compare, Kernel, Program, ProgramBuilder, Scalar, Unary};
use crate::kernels::{Kind, Slice, SliceMut};
use crate::{Layout, Shape};

const N: usize = 3;

/// A program of one real input bound to `N` elements, which lie in output 0 if `in_place`.
fn bound(program: Program, in_place: bool) -> Kernel {
    let layouts = vec![Layout::contiguous([N])];
    Kernel::new(&program, &Shape::from([N]), &layouts, &[in_place.then_some(0)])
}

#[test]
fn a_computed_value_meets_itself() {
    for in_place in [false, true] {
        let mut p = ProgramBuilder::new();
        let x = p.input(Kind::Real);
        let d = p.unary(Unary::Neg, x);
        let square = p.binary(Binary::Mul, d, d);
        let same = p.compare(Compare::Eq, square, square);
        let either = p.binary(Binary::Max, same, same);
        let chosen = p.select(either, square, square);
        let whole = p.cast(chosen, Kind::Int);
        let double = p.binary(Binary::Add, whole, whole);
        for y in [chosen, d] {
            p.output(y);
        }
        p.output(either);
        p.output(double);
        let mut y = [1.0_f64, 2.0, -3.0];
        let (mut d, mut truth, mut int) = ([0.0; N], [false; N], [0; N]);
        let x = y;
        bound(p.finish(), in_place).run(
            &[Slice::Real(if in_place { &[] } else { &x })],
            &mut [
                SliceMut::Real(&mut y),
                SliceMut::Real(&mut d),
                SliceMut::Truth(&mut truth),
                SliceMut::Int(&mut int),
            ],
        );
        assert_eq!((y, d, truth, int), ([1.0, 4.0, 9.0], [-1.0, -2.0, 3.0], [true; N], [2, 8, 18]));
    }
}

#[test]
fn an_input_meets_itself_in_place() {
    let mut p = ProgramBuilder::new();
    let x = p.input(Kind::Real);
    let less = p.compare(Compare::Lt, x, x);
    let square = p.binary(Binary::Mul, x, x);
    let y = p.select(less, x, square);
    let again = p.binary(Binary::Add, y, y);
    p.output(again);
    p.output(y);
    let (mut y, mut z) = ([1.0_f32, 2.0, -3.0], [0.0; N]);
    bound(p.finish(), true).run(&[Slice::Real(&[])], &mut [SliceMut::Real(&mut y), SliceMut::Real(&mut z)]);
    assert_eq!((y, z), ([2.0, 8.0, 18.0], [1.0, 4.0, 9.0]));
}

#[test]
fn strided_and_repeated_inputs_of_every_kind() {
    let shape = Shape::from([2, 2]);
    let turned = Layout::contiguous([2, 2]).permute(&[1, 0]);
    let one = Layout::contiguous(()).broadcast(&shape);
    for layout in [turned, one] {
        let mut p = ProgramBuilder::new();
        let (x, n, t) = (p.input(Kind::Real), p.input(Kind::Int), p.input(Kind::Truth));
        let sum = p.binary(Binary::Add, x, x);
        let (least, both) = (p.binary(Binary::Min, n, n), p.binary(Binary::Min, t, t));
        let two = p.constant(Scalar::Real(2.0));
        let half = p.binary(Binary::Div, sum, two);
        for y in [half, least, both] {
            p.output(y);
        }
        let splat = layout.is_splat();
        let kernel = Kernel::new(&p.finish(), &shape, &vec![layout; 3], &[None; 3]);
        let (mut y, mut m, mut b) = ([0.0_f64; 4], [0; 4], [false; 4]);
        kernel.run(
            &[
                Slice::Real(&[1.0, 2.0, 3.0, 4.0]),
                Slice::Int(&[1, 2, 3, 4]),
                Slice::Truth(&[true, false, true, true]),
            ],
            &mut [SliceMut::Real(&mut y), SliceMut::Int(&mut m), SliceMut::Truth(&mut b)],
        );
        let (reals, ints) = if splat { ([1.0; 4], [1; 4]) } else { ([1.0, 3.0, 2.0, 4.0], [1, 3, 2, 4]) };
        assert_eq!((y, m, b), (reals, ints, if splat { [true; 4] } else { [true, true, false, true] }));
    }
}

/// What a call panics with.
fn panic_of<R>(call: impl FnOnce() -> R + std::panic::UnwindSafe) -> String {
    let payload = std::panic::catch_unwind(call).err().expect("a panic");
    payload.downcast_ref::<&str>().map(|text| (*text).to_owned()).unwrap_or_else(|| "formatted".to_owned())
}

#[test]
fn values_of_another_builder_are_refused_everywhere() {
    let mut other = ProgramBuilder::new();
    let (real, truth) = (other.input(Kind::Real), other.input(Kind::Truth));
    type Use = fn(&mut ProgramBuilder, [super::Reg; 2]);
    let uses: [Use; 8] = [
        |p, [x, _]| _ = p.unary(Unary::Neg, x),
        |p, [x, _]| _ = p.binary(Binary::Add, x, x),
        |p, [x, _]| _ = p.compare(Compare::Lt, x, x),
        |p, [x, t]| _ = p.select(t, x, x),
        |p, [x, _]| _ = p.cast(x, Kind::Int),
        |p, [x, _]| _ = p.cast(x, Kind::Real),
        |p, [x, _]| p.output(x),
        |p, [x, t]| {
            let own = p.input(Kind::Real);
            _ = p.select(t, own, x);
        },
    ];
    for call in uses {
        let mut p = ProgramBuilder::new();
        p.input(Kind::Truth);
        let told = panic_of(std::panic::AssertUnwindSafe(|| call(&mut p, [real, truth])));
        assert_eq!(told, "an operand is a value of another program builder");
    }
}

#[test]
fn buffers_of_another_kind_are_refused_however_they_lie() {
    let shape = Shape::from([2, 2]);
    let layouts = [
        Layout::contiguous([2, 2]),
        Layout::contiguous([2, 2]).permute(&[1, 0]),
        Layout::contiguous(()).broadcast(&shape),
    ];
    for layout in layouts {
        let mut p = ProgramBuilder::new();
        let x = p.input(Kind::Real);
        let y = p.unary(Unary::Neg, x);
        p.output(y);
        let kernel = Kernel::new(&p.finish(), &shape, &[layout], &[None]);
        for wrong in [Slice::Int(&[0; 4]), Slice::Truth(&[true; 4])] {
            let mut y = [0.0_f64; 4];
            let run = || kernel.run(&[wrong], &mut [SliceMut::Real(&mut y)]);
            let told = panic_of(std::panic::AssertUnwindSafe(run));
            assert_eq!(told, "a buffer of another kind than the program's");
        }
        let mut y = [0_i64; 4];
        let run = || kernel.run(&[Slice::Real(&[0.0_f64; 4])], &mut [SliceMut::Int(&mut y)]);
        assert_eq!(
            panic_of(std::panic::AssertUnwindSafe(run)),
            "a buffer of another kind than the program's"
        );
    }
}
