//! Convolutions that are one product each, and read their windows where they lie.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Compound, Error, Layout, Shape};
use smallvec::SmallVec;

use super::rows::Rows;
use super::windows::{Along, Window};
use super::{Derivative, Lowering, Op, Primitive, Sample, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// The product of kernels, (groups, outputs, inputs, elements…), with the windows of a value, (batch, groups, inputs,
/// spatial…): (batch, groups, outputs, positions…).
///
/// All of it could be said by windows and a product. As one operation it has a gradient of its own:
/// with a stride of 1, that of the value is a convolution too, of the cotangent with the turned kernel, which adds no windows up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Convolution {
    along: SmallVec<[Along; 3]>,
    /// Zeros around each axis of the value; empty if there are none.
    around: SmallVec<[[usize; 2]; 6]>,
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
    /// windows that slide so along the spatial axes: (batch, groups, outputs, positions…).
    #[track_caller]
    pub(crate) fn convolve(self, kernel: Var<'g>, along: &[Along]) -> Var<'g> {
        kernel.record(Op::Convolution(Convolution::new(along)), &[self])
    }

    /// A kernel as matrices: (groups, outputs, inputs · elements).
    #[track_caller]
    fn by_output(self) -> Var<'g> {
        let own = self.shape();
        self.reshape_to([own[0], own[1], all(&own[2..])].into())
    }

    /// The windows along the axes from the third on: each axis becomes two, elements and positions.
    #[track_caller]
    pub(crate) fn windows_along(self, along: &[Along]) -> Var<'g> {
        let padded = along
            .iter()
            .enumerate()
            .fold(self, |x, (i, along)| x.pad(3 + i as isize, along.before, along.after));
        along.iter().enumerate().fold(padded, |x, (i, along)| x.windows_of(3 + 2 * i, along.window))
    }

    /// The windows as matrices: (batch, groups, inputs · elements, positions).
    #[track_caller]
    fn columns(self, along: &[Along]) -> Var<'g> {
        let n = along.len();
        let x = self.windows_along(along).permute_to(elements_first(n));
        let own = x.shape();
        x.reshape_to([own[0], own[1], all(&own[2..3 + n]), all(&own[3 + n..])].into())
    }

    /// The transpose of [`columns`](Var::columns) of a value of this shape.
    #[track_caller]
    fn add_columns(self, along: &[Along], elements: &[usize], positions: &[usize], own: &Shape) -> Var<'g> {
        let n = along.len();
        let x = self.reshape_to(joined(&[&own[..3], elements, positions]));
        let x = x.permute_to((0..3).chain((0..n).flat_map(|i| [3 + i, 3 + n + i])).collect());
        let x = (0..n)
            .rev()
            .fold(x, |x, i| x.overlap_add_to(3 + 2 * i, along[i].window, along[i].padded(own[3 + i])));
        (0..n).fold(x, |x, i| x.slice(3 + i as isize, along[i].before..along[i].before + own[3 + i]))
    }
}

/// Of windows along `n` axes, from the third on: all their elements before all their positions.
fn elements_first(n: usize) -> SmallVec<[usize; 4]> {
    (0..3).chain((0..n).map(|i| 3 + 2 * i)).chain((0..n).map(|i| 4 + 2 * i)).collect()
}

impl Convolution {
    fn new(along: &[Along]) -> Self {
        let around = along.iter().map(|along| [along.before, along.after]);
        let none = around.clone().all(|around| around == [0; 2]);
        let around = if none { SmallVec::new() } else { [[0; 2]; 3].into_iter().chain(around).collect() };
        Convolution { along: along.into(), around }
    }

    /// The gradient of the value: with a stride of 1, of each element, the products of the turned kernel with the cotangents of
    /// the windows that hold it.
    #[track_caller]
    fn of_value<'g>(&self, own: &Shape, kernel: Var<'g>, ct: Var<'g>) -> Var<'g> {
        let (n, shape) = (self.along.len(), kernel.shape());
        let positions = ct.shape()[3..].to_vec();
        let worth = all(&own[3..]) <= MOST_POSITIONS * all(&positions) && shape[2] <= all(&own[3..]);
        let turned = self.along.iter().map(|along| along.turned()).collect::<Option<SmallVec<[Along; 3]>>>();
        if let (true, Some(along)) = (worth, turned) {
            let order = [0, 2, 1].into_iter().chain(3..3 + n).collect();
            let turned = (0..n).fold(kernel.permute_to(order), |k, i| k.flip(3 + i as isize));
            return ct.convolve(turned, &along);
        }
        let product = [ct.shape()[0], shape[0], shape[1], all(&positions)];
        let columns = kernel.by_output().t().matmul(ct.reshape_to(product.into()));
        columns.add_columns(&self.along, &shape[3..], &positions, own)
    }

    /// The gradient of the kernel.
    #[track_caller]
    fn of_kernel<'g>(&self, x: Var<'g>, own: &Shape, ct: Var<'g>) -> Var<'g> {
        let shape = ct.shape();
        let product = [shape[0], shape[1], shape[2], all(&shape[3..])];
        let each = ct.reshape_to(product.into()).matmul(x.columns(&self.along).t());
        each.sum(0).reshape_to(own.clone())
    }
}

impl Primitive for Convolution {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn attributes(&self) -> String {
        let one = |Along { window, before, after }: &Along| {
            format!("stride={} dilation={} padding={before}+{after}", window.stride, window.dilation)
        };
        self.along.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let [kernel, x] = [&args[0].shape, &args[1].shape];
        if let Some(other) = args.iter().find(|a| a.kind != Kind::Real) {
            return Err(wrong_kind(
                "convolution",
                format!("does not take {other}; cast it with .real() first"),
            ));
        }
        let n = self.along.len();
        let fits = x.len() == 3 + n && kernel.len() == 3 + n && x[1] == kernel[0] && x[2] == kernel[2];
        let fits =
            fits && self.along.iter().zip(&kernel[3..]).all(|(along, size)| along.window.size == *size);
        let positions = |(along, n): (&Along, &usize)| along.positions(*n);
        let positions: Option<Vec<_>> =
            if fits { self.along.iter().zip(&x[3..]).map(positions).collect() } else { None };
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
            let y = x.reshape_to(joined(&[&[v * shape[1]], &shape[2..]])).convolve(kernel, &self.along);
            return y.reshape_to(joined(&[&[v, shape[1]], &y.shape()[1..]]));
        }
        let swapped = |x: Var<'g>| x.permute_to([1, 0].into_iter().chain(2..x.rank()).collect());
        let x = swapped(x).reshape_to(joined(&[&[shape[1], v * shape[2]], &shape[3..]]));
        let each = kernel.shape();
        let kernel = kernel.reshape_to(joined(&[&[v * each[1]], &each[2..]]));
        let y = x.convolve(kernel, &self.along);
        swapped(y.reshape_to(joined(&[&[shape[1], v, shape[2]], &y.shape()[2..]])))
    }

    fn lower(&self, args: &[Layout], ty: &Type) -> Lowering {
        let (n, out) = (self.along.len(), &ty.shape);
        let windows = self.along.iter().enumerate().fold(args[1].clone(), |x, (i, along)| {
            let Window { size, stride, dilation } = along.window;
            x.windows(3 + 2 * i, out[3 + i], stride, size, dilation)
        });
        let terms = all(&args[0].shape[2..]);
        let matrices = Compound::from(&args[0]).reshape(&[out[1], out[2], terms].into());
        let columns = Compound::from(windows.permute(&elements_first(n)));
        let columns = columns.reshape(&[out[0], out[1], terms, all(&out[3..])].into());
        match (matrices, columns) {
            (Some(a), Some(b)) => Lowering::Kernel(Call::Convolve { a: a.merged(), b: b.merged() }),
            _ => unreachable!("axes of matrices begin where axes of windows do"),
        }
    }

    fn strided(&self) -> bool {
        true
    }

    fn around(&self, i: usize) -> &[[usize; 2]] {
        if i == 1 { &self.around } else { &[] }
    }

    fn samples() -> Vec<Sample> {
        // Stride, dilation and padding are those of the last axis; the others go by 1.
        let sample =
            |name: &str, x: &[usize], kernel: &[usize], last: [usize; 2], [before, after]: [usize; 2]| {
                let n = kernel.len() - 3;
                let along: Vec<_> = (0..n)
                    .map(|i| {
                        let [stride, dilation] = if i + 1 == n { last } else { [1, 1] };
                        let [before, after] = if i + 1 == n { [before, after] } else { [0, 0] };
                        Along { window: Window { size: kernel[3 + i], stride, dilation }, before, after }
                    })
                    .collect();
                let name = format!("{name} {x:?} x {kernel:?}").replace('[', "(").replace(']', ")");
                Sample::new(&name, &[x, kernel], -1.0..1.0, move |x| x[0].convolve(x[1], &along).square())
            };
        let (plain, none) = ([1, 1], [0, 0]);
        vec![
            sample("convolution", &[2, 1, 2, 3, 4], &[1, 5, 2, 2, 2], plain, none),
            sample("convolution, padded,", &[2, 1, 2, 3, 4], &[1, 5, 2, 2, 3], plain, [1, 2]),
            sample("convolution, padded by more than a window,", &[1, 1, 2, 3], &[1, 3, 2, 2], plain, [2, 3]),
            sample("convolution of groups", &[1, 2, 1, 9], &[2, 3, 1, 2], plain, none),
            sample("convolution by 2, padded,", &[1, 1, 2, 5], &[1, 3, 2, 2], [2, 1], [1, 1]),
            sample("convolution, dilated,", &[1, 1, 2, 6], &[1, 3, 2, 2], [1, 2], none),
            sample("convolution of many terms", &[1, 1, 5, 12], &[1, 5, 5, 7], plain, none),
            sample("convolution of nothing", &[0, 1, 2, 3], &[1, 2, 2, 2], plain, [1, 0]),
            Sample::new("convolution of transposes", &[&[3, 6, 1, 1], &[2, 3, 5, 1]], -1.0..1.0, |x| {
                let window = Window { size: 2, stride: 1, dilation: 1 };
                let along = [Along { window, before: 1, after: 0 }];
                x[0].permute([2, 3, 0, 1]).convolve(x[1].permute([3, 2, 1, 0]), &along).square()
            }),
        ]
    }
}
