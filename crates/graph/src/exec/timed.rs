//! An executor that measures how long another one's kernels take.

use std::time::{Duration, Instant};

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Format, Shape, Tensor};

use super::call::Call;
use super::executor::Executor;
use crate::error::ErrorKind;
use crate::types::Type;

/// How often a kernel ran, and for how long in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Runs.
    pub runs: u64,
    /// Time of all of them.
    pub time: Duration,
}

/// Carries out calls as another executor does, and keeps the time of each kernel.
///
/// ```
/// use chainrule_graph::plan::{Cpu, Machine, Timed};
/// use chainrule_graph::{Graph, Kind, Precision};
/// use chainrule_tensor::Tensor;
/// let g = Graph::new();
/// let x = g.input("x", [3], Kind::Real);
/// let f = g.compiler(&[x], &[x.square().sum(..)]).precision(Precision::F64).build()?;
/// let mut machine = Machine::new(f.plan().clone(), Timed::new(Cpu::<f64>::new()))?;
/// machine.run(&[Tensor::from([1.0, 2.0, 3.0])])?;
/// assert!(machine.executor().spent().iter().all(|kernel| kernel.runs == 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Timed<E> {
    inner: E,
    spent: Vec<Spent>,
}

impl<E> Timed<E> {
    /// Nothing measured yet.
    pub fn new(inner: E) -> Self {
        Timed { inner, spent: Vec::new() }
    }

    /// What each kernel took so far, in the order in which they were made ready: that of the steps, with those of the plans
    /// within a step in its place.
    pub fn spent(&self) -> &[Spent] {
        &self.spent
    }
}

/// The kernel of another executor, with its number.
pub struct TimedKernel<K> {
    inner: K,
    number: usize,
}

impl<E: Executor> Executor for Timed<E> {
    type Memory = E::Memory;
    type View<'a> = E::View<'a>;
    type ViewMut<'a> = E::ViewMut<'a>;
    type Kernel = TimedKernel<E::Kernel>;

    fn room(&mut self, kind: Kind, format: Option<Format>, len: usize) -> Self::Memory {
        self.inner.room(kind, format, len)
    }

    fn hold(&mut self, value: &Tensor) -> Self::Memory {
        self.inner.hold(value)
    }

    fn put(&mut self, value: &Tensor, to: Self::ViewMut<'_>) {
        self.inner.put(value, to);
    }

    fn get(&self, from: Self::View<'_>, ty: &Type) -> Tensor {
        self.inner.get(from, ty)
    }

    fn number(&self, from: Self::View<'_>) -> i64 {
        self.inner.number(from)
    }

    fn set_number(&mut self, value: i64, to: Self::ViewMut<'_>) {
        self.inner.set_number(value, to);
    }

    fn view<'a>(&self, memory: &'a Self::Memory, len: usize) -> Self::View<'a> {
        self.inner.view(memory, len)
    }

    fn view_mut<'a>(&self, memory: &'a mut Self::Memory, len: usize) -> Self::ViewMut<'a> {
        self.inner.view_mut(memory, len)
    }

    fn part<'a, 'b: 'a>(&self, of: Self::View<'b>, start: usize, len: usize) -> Self::View<'a> {
        self.inner.part(of, start, len)
    }

    fn nothing<'a>(&self) -> Self::View<'a> {
        self.inner.nothing()
    }

    fn part_mut<'a>(&self, of: &'a mut Self::ViewMut<'_>, start: usize, len: usize) -> Self::ViewMut<'a> {
        self.inner.part_mut(of, start, len)
    }

    fn seen<'a>(&self, of: &'a Self::ViewMut<'_>) -> Self::View<'a> {
        self.inner.seen(of)
    }

    fn copy(&mut self, from: Self::View<'_>, to: Self::ViewMut<'_>) {
        self.inner.copy(from, to);
    }

    fn clear(&mut self, to: Self::ViewMut<'_>) {
        self.inner.clear(to);
    }

    fn prepare(&mut self, call: &Call) -> Result<Self::Kernel, ErrorKind> {
        let inner = self.inner.prepare(call)?;
        self.spent.push(Spent::default());
        Ok(TimedKernel { inner, number: self.spent.len() - 1 })
    }

    fn run(
        &mut self,
        call: &Call,
        kernel: &mut Self::Kernel,
        inputs: &[Self::View<'_>],
        outputs: &mut [Self::ViewMut<'_>],
    ) -> Result<(), ErrorKind> {
        let start = Instant::now();
        let done = self.inner.run(call, &mut kernel.inner, inputs, outputs);
        let spent = &mut self.spent[kernel.number];
        spent.time += start.elapsed();
        spent.runs += 1;
        done
    }

    fn scratch(&self, kernel: &Self::Kernel, halves: usize) -> usize {
        self.inner.scratch(&kernel.inner, halves)
    }

    fn result(&mut self, kind: Kind, shape: &Shape) -> Self::Memory {
        self.inner.result(kind, shape)
    }

    fn renew(&mut self, result: &mut Self::Memory) {
        self.inner.renew(result);
    }

    fn give(&mut self, result: &mut Self::Memory, ty: &Type, to: &mut Tensor) {
        self.inner.give(result, ty, to);
    }
}
