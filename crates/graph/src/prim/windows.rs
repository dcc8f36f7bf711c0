//! Windows over an axis, and their transpose, which adds them up where they overlap.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::windows::Overlap;
use chainrule_tensor::{Error, Layout, Shape, shape};

use super::rows::Rows;
use super::{Derivative, Lowering, Op, Primitive, Sample, within, wrong_kind};
use crate::error::ErrorKind;
use crate::exec::call::Call;
use crate::types::Type;
use crate::var::Var;

/// How a window goes along an axis: it holds `size` elements, `dilation` apart, and each window begins `stride` behind
/// the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Window {
    pub(crate) size: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
}

impl Window {
    /// From the first to the last element of a window, both included.
    pub(crate) fn span(self) -> Option<usize> {
        self.size.checked_sub(1)?.checked_mul(self.dilation)?.checked_add(1)
    }

    /// How many windows lie in an axis of length `n`; `None` for steps of 0 and windows of nothing.
    pub(crate) fn positions(self, n: usize) -> Option<usize> {
        let span = self.span().filter(|_| self.stride > 0 && self.dilation > 0)?;
        Some(n.checked_sub(span).map_or(0, |room| room / self.stride + 1))
    }

    /// How many windows there are in an axis of length `n`, if each element is in exactly one.
    fn partition(self, n: usize) -> Option<usize> {
        let positions = self.positions(n).filter(|positions| *positions > 0)?;
        let apart = positions == 1 || self.stride == self.size;
        (apart && self.dilation == 1 && positions * self.size == n).then_some(positions)
    }

    fn text(self) -> String {
        format!("size={} stride={} dilation={}", self.size, self.stride, self.dilation)
    }
}

/// How a window slides along one axis, with zeros around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Along {
    pub(crate) window: Window,
    pub(crate) before: usize,
    pub(crate) after: usize,
}

impl Along {
    /// How a window slides over the positions of this, to each element from all positions whose windows hold it; `None` for
    /// strides, and for padding of which some is in no window.
    pub(crate) fn turned(self) -> Option<Self> {
        let around = self.window.span()? - 1;
        let (before, after) = (around.checked_sub(self.before)?, around.checked_sub(self.after)?);
        (self.window.stride == 1).then_some(Along { before, after, ..self })
    }

    /// The length of an axis of `n` elements with what is around it.
    pub(crate) fn padded(self, n: usize) -> usize {
        n.saturating_add(self.before).saturating_add(self.after)
    }

    /// How many windows an axis of `n` elements has; `None` if none.
    pub(crate) fn positions(self, n: usize) -> Option<usize> {
        self.window.positions(self.padded(n)).filter(|positions| *positions > 0)
    }

    /// Fails if no window fits into the padded axis `i` of length `n`.
    pub(crate) fn fits(self, op: &'static str, i: usize, n: usize, shapes: &[&[usize]]) -> Result<(), Error> {
        match self.positions(n) {
            Some(_) => Ok(()),
            None => {
                let padded = self.padded(n);
                let span = self.window.span().unwrap_or(0);
                let why = format!(
                    "on spatial axis {i} the window spans {span}, the padded value {padded} ({n} + {} + {})",
                    self.before, self.after
                );
                Err(Error::shape(op, shapes.iter().copied(), why))
            }
        }
    }
}

/// Axis `axis` becomes two: the elements of a window, and its positions. Neighbours stay neighbours, so what is made of the
/// windows is made of long runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Windows {
    axis: usize,
    window: Window,
}

/// The transpose of [`Windows`] of an axis of length `n`: each element is the sum of what stands for it in windows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OverlapAdd {
    axis: usize,
    window: Window,
    n: usize,
}

impl<'g> Var<'g> {
    /// The windows of `size` neighbours along `axis`, each `stride` behind the one before: `axis` counts the windows, and
    /// a new last axis their elements. What is left at the end is in no window. A view: nothing is copied.
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let x = g.leaf("x", [1.0, 2.0, 3.0, 4.0]);
    /// let pairs = x.windows(0, 2, 1);
    /// assert_eq!(pairs.value()?, Tensor::from([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    ///
    /// # Errors
    /// Poison for a size or stride of 0, and for an axis shorter than the window.
    #[doc(alias = "unfold")]
    #[doc(alias = "im2col")]
    #[track_caller]
    pub fn windows(self, axis: isize, size: usize, stride: usize) -> Var<'g> {
        self.shaped(|own| {
            let axis = shape::axis("windows", axis, &own)?;
            let windows = self.windows_of(axis, Window { size, stride, dilation: 1 });
            let last = own.len();
            Ok(windows.permute_to((0..=last).filter(|i| *i != axis).chain([axis]).collect()))
        })
    }

    /// An axis of length `n` in place of `axis`, in which windows of the last axis' length, each `stride` behind the one
    /// before, are added up: the transpose of [`windows`](Var::windows).
    ///
    /// # Errors
    /// Poison if `axis` is not as long as there are windows in `n` elements.
    #[doc(alias = "fold")]
    #[doc(alias = "col2im")]
    #[track_caller]
    pub fn overlap_add(self, axis: isize, n: usize, stride: usize) -> Var<'g> {
        self.shaped(|own| {
            let axis = shape::axis("overlap_add", axis, &own)?;
            let last = own.len() - 1;
            if axis == last {
                let why = format!(
                    "axis {axis} holds the elements of the windows; their positions are an axis before"
                );
                return Err(Error::shape("overlap_add", [&own[..]], why));
            }
            let windows = self.permute_to((0..axis).chain([last]).chain(axis..last).collect());
            Ok(windows.overlap_add_to(axis, Window { size: own[last], stride, dilation: 1 }, n))
        })
    }

    /// The windows along an axis. Where each element is in one of them, their transpose adds nothing up.
    #[track_caller]
    pub(crate) fn windows_of(self, axis: usize, window: Window) -> Var<'g> {
        let own = self.shape();
        match own.get(axis).and_then(|n| window.partition(*n)) {
            Some(positions) => {
                let (before, after) = (&own[..axis], &own[axis + 1..]);
                let parts = [before, &[positions, window.size], after].concat();
                self.reshape_to(parts.into()).swap_with_next(axis)
            }
            None => self.record(Op::Windows(Windows { axis, window }), &[]),
        }
    }

    #[track_caller]
    pub(crate) fn overlap_add_to(self, axis: usize, window: Window, n: usize) -> Var<'g> {
        let own = self.shape();
        match window.partition(n) {
            Some(positions) if own.get(axis..axis + 2) == Some(&[window.size, positions]) => {
                self.swap_with_next(axis).reshape_to(own.without(axis).with(axis, n))
            }
            _ => self.record(Op::OverlapAdd(OverlapAdd { axis, window, n }), &[]),
        }
    }

    #[track_caller]
    fn swap_with_next(self, axis: usize) -> Var<'g> {
        self.permute_to((0..axis).chain([axis + 1, axis]).chain(axis + 2..self.rank()).collect())
    }
}

impl Primitive for Windows {
    fn name(&self) -> &'static str {
        "windows"
    }

    fn attributes(&self) -> String {
        format!("axis={} {}", self.axis, self.window.text())
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let own = &args[0].shape;
        within("windows", own, self.axis + 1)?;
        let positions = self.window.positions(own[self.axis]).filter(|n| *n > 0);
        let Some(positions) = positions else {
            let why = format!("axis {} holds no window of {}", self.axis, self.window.text());
            return Err(Error::shape("windows", [&own[..]], why).into());
        };
        let shape = own.with(self.axis, positions);
        let (before, after) = shape.split_at(self.axis);
        Ok(args[0].shaped(Shape::from([before, &[self.window.size], after].concat())))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|p, _, ct, s| ct.overlap_add_to(p.axis, p.window, s.x[0].shape()[p.axis]))
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(Windows { axis: self.axis + 1, ..self.clone() })
    }

    fn lower(&self, args: &[Layout], ty: &Type) -> Lowering {
        let Window { size, stride, dilation } = self.window;
        Lowering::View(Some(args[0].windows(self.axis, ty.shape[self.axis + 1], stride, size, dilation)))
    }

    fn samples() -> Vec<Sample> {
        let sample = |name: &str, s: &[usize], axis: usize, size: usize, stride: usize, dilation: usize| {
            let window = Window { size, stride, dilation };
            Sample::new(name, &[s], -2.0..2.0, move |x| {
                x[0].record(Op::Windows(Windows { axis, window }), &[]).square()
            })
        };
        vec![
            sample("windows of 3 in (5,)", &[5], 0, 3, 1, 1),
            sample("windows of 2 by 2 in (2, 5)", &[2, 5], 1, 2, 2, 1),
            sample("windows of 2, dilated by 2, in (5, 2)", &[5, 2], 0, 2, 1, 2),
            sample("one window of all of (3,)", &[3], 0, 3, 4, 1),
            sample("windows of 1 in (1, 2)", &[1, 2], 0, 1, 1, 1),
            sample("windows of no numbers (0, 3)", &[0, 3], 1, 2, 1, 1),
            Sample::new("windows of a transpose (3, 4)", &[&[3, 4]], -2.0..2.0, |x| {
                x[0].t().windows(0, 2, 1).windows(1, 2, 1).square()
            }),
        ]
    }
}

impl Primitive for OverlapAdd {
    fn name(&self) -> &'static str {
        "overlap_add"
    }

    fn attributes(&self) -> String {
        format!("axis={} n={} {}", self.axis, self.n, self.window.text())
    }

    fn infer(&self, args: &[&Type]) -> Result<Type, ErrorKind> {
        let own = &args[0].shape;
        if args[0].kind != Kind::Real {
            return Err(wrong_kind(
                "overlap_add",
                format!("does not take {}; cast it with .real() first", args[0]),
            ));
        }
        within("overlap_add", own, self.axis + 2)?;
        let positions = self.window.positions(self.n).filter(|n| *n > 0);
        let fits = own[self.axis] == self.window.size && positions == Some(own[self.axis + 1]);
        if !fits {
            let why = format!("these are not the windows of {}", self.attributes());
            return Err(Error::shape("overlap_add", [&own[..]], why).into());
        }
        Ok(args[0].shaped(own.without(self.axis).with(self.axis, self.n)))
    }

    fn derivative(&self) -> Derivative<Self> {
        Derivative::Linear(|p, _, ct, _| ct.windows_of(p.axis, p.window))
    }

    fn batch<'g>(&self, rows: &Rows<'g>) -> Var<'g> {
        rows.record(OverlapAdd { axis: self.axis + 1, ..self.clone() })
    }

    fn lower(&self, args: &[Layout], _: &Type) -> Lowering {
        let Window { stride, dilation, .. } = self.window;
        let how = Overlap { axis: self.axis, n: self.n, stride, dilation };
        Lowering::Kernel(Call::OverlapAdd { x: args[0].clone(), how })
    }

    fn strided(&self) -> bool {
        true
    }

    fn samples() -> Vec<Sample> {
        let sample = |name: &str, s: &[usize], axis: usize, n: usize, stride: usize, dilation: usize| {
            let window = Window { size: s[axis], stride, dilation };
            Sample::new(name, &[s], -2.0..2.0, move |x| x[0].overlap_add_to(axis, window, n).square())
        };
        vec![
            sample("overlap-add of (3, 3)", &[3, 3], 0, 5, 1, 1),
            sample("overlap-add of (2, 3, 2) by 2", &[2, 3, 2], 1, 5, 2, 1),
            sample("overlap-add of (2, 3, 2), dilated by 2", &[2, 3, 2], 0, 5, 1, 2),
            sample("overlap-add with gaps (1, 2)", &[1, 2], 0, 4, 3, 1),
            sample("overlap-add of no numbers (2, 2, 0)", &[2, 2, 0], 0, 3, 1, 1),
            Sample::new("overlap-add of a transpose (3, 4, 2)", &[&[3, 4, 2]], -2.0..2.0, |x| {
                x[0].permute([2, 1, 0])
                    .overlap_add_to(0, Window { size: 2, stride: 1, dilation: 1 }, 5)
                    .square()
            }),
        ]
    }
}
