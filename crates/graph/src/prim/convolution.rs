//! Convolutions that are one product each, and read their windows where they lie.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::matmul::MatMul;
use chainrule_tensor::{Compound, Error, Layout, Shape};
use smallvec::SmallVec;

use super::rows::Rows;
use super::windows::Window;
use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::ir::Type;
use crate::var::Var;

/// The product of kernels, (groups, outputs, inputs, elements…), with the windows of a value, (batch, groups, inputs,
/// spatial…): (batch, groups, outputs, positions…).
///
/// All of it could be said by windows and a product, with the same bits. As one operation it has a gradient of its own:
/// with a stride of 1, that of the value is a convolution too, of the cotangent with the turned kernel, which adds no windows up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Convolution {
    windows: SmallVec<[Window; 3]>,
}

/// More positions than this many times those of the result make a gradient that adds windows up cheaper.
const MOST_POSITIONS: usize = 3;

fn joined(parts: &[&[usize]]) -> Shape {
    parts.concat().into()
}

fn all(lengths: &[usize]) -> usize {
    lengths.iter().product()
}

impl<'g> Var<'g> {
    /// The convolution of this, (batch, groups, inputs, spatial…), with `kernel`, (groups, outputs, inputs, elements…), by
    /// these windows along the spatial axes: (batch, groups, outputs, positions…).
    #[track_caller]
    pub(crate) fn convolve(self, kernel: Var<'g>, windows: &[Window]) -> Var<'g> {
        let convolution = Convolution { windows: windows.into() };
        let types = [self.ty(), kernel.ty()];
        match convolution.infer(&[&types[1], &types[0]]) {
            Ok(ty) if !convolution.is_one_product(&types[1].shape, &ty.shape) => {
                let y = kernel.by_output().matmul(self.columns(windows));
                y.reshape_to(ty.shape)
            }
            _ => kernel.record(Op::Convolution(convolution), &[self]),
        }
    }

    /// A kernel as matrices: (groups, outputs, inputs · elements).
    #[track_caller]
    fn by_output(self) -> Var<'g> {
        let own = self.shape();
        self.reshape_to([own[0], own[1], all(&own[2..])].into())
    }

    /// The windows as matrices: (batch, groups, inputs · elements, positions).
    #[track_caller]
    fn columns(self, windows: &[Window]) -> Var<'g> {
        let n = windows.len();
        let x = (0..n).fold(self, |x, i| x.windows_of(3 + 2 * i, windows[i]));
        let x = x.permute_to(elements_first(n));
        let own = x.shape();
        x.reshape_to([own[0], own[1], all(&own[2..3 + n]), all(&own[3 + n..])].into())
    }

    /// The transpose of [`columns`](Var::columns) of a value of this shape.
    #[track_caller]
    fn add_columns(
        self,
        windows: &[Window],
        elements: &[usize],
        positions: &[usize],
        own: &Shape,
    ) -> Var<'g> {
        let n = windows.len();
        let x = self.reshape_to(joined(&[&own[..3], elements, positions]));
        let x = x.permute_to((0..3).chain((0..n).flat_map(|i| [3 + i, 3 + n + i])).collect());
        (0..n).rev().fold(x, |x, i| x.overlap_add_to(3 + 2 * i, windows[i], own[3 + i]))
    }
}

/// Of windows along `n` axes, from the third on: all their elements before all their positions.
fn elements_first(n: usize) -> SmallVec<[usize; 4]> {
    (0..3).chain((0..n).map(|i| 3 + 2 * i)).chain((0..n).map(|i| 4 + 2 * i)).collect()
}

impl Convolution {
    /// Whether the product reads windows where they lie.
    fn is_one_product(&self, kernel: &Shape, out: &Shape) -> bool {
        let matrices = Shape::from([kernel[0], kernel[1], all(&kernel[2..])]);
        let columns = Shape::from([out[0], out[1], all(&kernel[2..]), all(&out[3..])]);
        MatMul::reads(&matrices, &columns, &Layout::contiguous(columns.clone()).into())
    }

    /// The gradient of the value: with a stride of 1, of each element, the products of the turned kernel with the cotangents of
    /// the windows that hold it.
    #[track_caller]
    fn of_value<'g>(&self, own: &Shape, kernel: Var<'g>, ct: Var<'g>) -> Var<'g> {
        let (n, shape) = (self.windows.len(), kernel.shape());
        let positions = ct.shape()[3..].to_vec();
        let worth = all(&own[3..]) <= MOST_POSITIONS * all(&positions) && shape[2] <= all(&own[3..]);
        if worth && self.windows.iter().all(|w| w.stride == 1) {
            let order = [0, 2, 1].into_iter().chain(3..3 + n).collect();
            let turned = (0..n).fold(kernel.permute_to(order), |k, i| k.flip(3 + i as isize));
            let ct = self.windows.iter().enumerate().fold(ct, |ct, (i, window)| {
                let around = window.span().unwrap_or(1) - 1;
                ct.pad(3 + i as isize, around, around)
            });
            return ct.convolve(turned, &self.windows);
        }
        let product = [ct.shape()[0], shape[0], shape[1], all(&positions)];
        let columns = kernel.by_output().t().matmul(ct.reshape_to(product.into()));
        columns.add_columns(&self.windows, &shape[3..], &positions, own)
    }

    /// The gradient of the kernel.
    #[track_caller]
    fn of_kernel<'g>(&self, x: Var<'g>, own: &Shape, ct: Var<'g>) -> Var<'g> {
        let shape = ct.shape();
        let product = [shape[0], shape[1], shape[2], all(&shape[3..])];
        let each = ct.reshape_to(product.into()).matmul(x.columns(&self.windows).t());
        each.sum(0).reshape_to(own.clone())
    }
}

impl Primitive for Convolution {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn attributes(&self) -> String {
        let each: Vec<_> =
            self.windows.iter().map(|w| format!("stride={} dilation={}", w.stride, w.dilation)).collect();
        each.join(", ")
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let [kernel, x] = [&args[0].shape, &args[1].shape];
        if let Some(other) = args.iter().find(|a| a.kind != Kind::Real) {
            return Err(wrong_kind(
                "convolution",
                format!("does not take {other}; cast it with .real() first"),
            ));
        }
        let n = self.windows.len();
        let fits = x.len() == 3 + n && kernel.len() == 3 + n && x[1] == kernel[0] && x[2] == kernel[2];
        let sizes = || self.windows.iter().zip(&kernel[3..]).all(|(w, size)| w.size == *size);
        let positions = |(w, len): (&Window, &usize)| w.positions(*len).filter(|p| *p > 0);
        let positions: Option<Vec<_>> =
            if fits && sizes() { self.windows.iter().zip(&x[3..]).map(positions).collect() } else { None };
        let Some(positions) = positions else {
            let why = "these are not kernels, (groups, outputs, inputs, elements…), and a value, (batch, groups, inputs, \
                       spatial…), whose windows fit"
                .to_string();
            return Err(Error::shape("convolution", [&kernel[..], &x[..]], why).into());
        };
        Ok(args[0].shaped(joined(&[&x[..2], &kernel[1..2], &positions])))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Multilinear(&[0, 1], |p, i, ct, s| match i {
            0 => p.of_kernel(s.x[1], &s.x[0].shape(), ct),
            _ => p.of_value(&s.x[1].shape(), s.x[0], ct),
        })
    }

    /// Examples are a longer batch; kernels of their own make them groups.
    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        let (kernel, own) = rows.arg(0);
        let (x, v) = (rows.each(1), rows.n);
        let shape = x.shape();
        if !own {
            let y = x.reshape_to(joined(&[&[v * shape[1]], &shape[2..]])).convolve(kernel, &self.windows);
            return y.reshape_to(joined(&[&[v, shape[1]], &y.shape()[1..]]));
        }
        let swapped = |x: Var<'g>| x.permute_to([1, 0].into_iter().chain(2..x.rank()).collect());
        let x = swapped(x).reshape_to(joined(&[&[shape[1], v * shape[2]], &shape[3..]]));
        let each = kernel.shape();
        let kernel = kernel.reshape_to(joined(&[&[v * each[1]], &each[2..]]));
        let y = x.convolve(kernel, &self.windows);
        swapped(y.reshape_to(joined(&[&[shape[1], v, shape[2]], &y.shape()[2..]])))
    }

    fn lower(&self, args: &[Layout], ty: &Type) -> Lowering {
        let (n, out) = (self.windows.len(), &ty.shape);
        let windows = self.windows.iter().enumerate().fold(args[1].clone(), |x, (i, w)| {
            x.windows(3 + 2 * i, out[3 + i], w.stride, w.size, w.dilation)
        });
        let terms = all(&args[0].shape[2..]);
        let matrices = Compound::from(&args[0]).reshape(&[out[1], out[2], terms].into());
        let columns = Compound::from(windows.permute(&elements_first(n)));
        let columns = columns.reshape(&[out[0], out[1], terms, all(&out[3..])].into());
        match (matrices, columns) {
            (Some(a), Some(b)) => Lowering::Kernel(Call::MatMul { a: a.merged(), b: b.merged() }),
            _ => unreachable!("axes of matrices begin where axes of windows do"),
        }
    }

    fn strided(&self) -> bool {
        true
    }

    fn samples() -> Vec<Sample> {
        let sample = |name: &str, x: &[usize], kernel: &[usize], stride: usize, dilation: usize| {
            let windows: Vec<_> =
                kernel[3..].iter().map(|size| Window { size: *size, stride, dilation }).collect();
            Sample::new(name, &[x, kernel], -1.0..1.0, move |x| x[0].convolve(x[1], &windows).square())
        };
        vec![
            sample("convolution (2, 1, 2, 3, 4) x (1, 5, 2, 2, 2)", &[2, 1, 2, 3, 4], &[1, 5, 2, 2, 2], 1, 1),
            sample("convolution of groups (1, 2, 1, 9) x (2, 3, 1, 2)", &[1, 2, 1, 9], &[2, 3, 1, 2], 1, 1),
            sample("convolution by 2 (1, 1, 2, 5) x (1, 3, 2, 2)", &[1, 1, 2, 5], &[1, 3, 2, 2], 2, 1),
            sample("convolution, dilated, (1, 1, 2, 6) x (1, 3, 2, 2)", &[1, 1, 2, 6], &[1, 3, 2, 2], 1, 2),
            sample(
                "convolution with many terms (1, 1, 5, 12) x (1, 5, 5, 7)",
                &[1, 1, 5, 12],
                &[1, 5, 5, 7],
                1,
                1,
            ),
            sample("convolution of nothing (0, 1, 2, 3) x (1, 2, 2, 2)", &[0, 1, 2, 3], &[1, 2, 2, 2], 1, 1),
            Sample::new(
                "convolution of transposes (3, 6, 1, 1)",
                &[&[3, 6, 1, 1], &[2, 3, 5, 1]],
                -1.0..1.0,
                |x| {
                    let windows = [Window { size: 2, stride: 1, dilation: 1 }];
                    x[0].permute([2, 3, 0, 1]).convolve(x[1].permute([3, 2, 1, 0]), &windows).square()
                },
            ),
        ]
    }
}
