//! A loop for many examples at once.

use chainrule_tensor::kernels::Kind;

use super::settled;
use crate::body::Body;
use crate::diff::derived::of_examples;
use crate::error::Result;
use crate::ir::Graph;
use crate::prim::loops::Loop;
use crate::prim::rows::{Rows, choose, repeat};
use crate::types::Type;
use crate::var::Var;

impl Loop {
    /// All results for many examples, with their axis first.
    pub(super) fn batched<'g>(&self, rows: &Rows<'g>) -> Result<Vec<Var<'g>>> {
        let (graph, n) = (rows.graph(), rows.n);
        let (x, axes): (Vec<Var<'g>>, Vec<bool>) = rows.args().iter().copied().unzip();
        let (x, axes) = (self.split(&x), self.split(&axes));
        let test_axes = |mask: &[bool]| [&mask[..self.carries], axes.test_captures].concat();
        // Where examples stop at different steps, all that is carried is one per example.
        let are_apart = |mask: &[bool]| {
            let test = self.test.as_ref();
            axes.count.contains(&true) || test.is_some_and(|t| t.reaches(&test_axes(mask), |_| true)[0])
        };
        let mask = settled(self.carries, [axes.carries, axes.slices, axes.captures].concat(), |mask| {
            let apart = are_apart(mask);
            Ok(self.body.reaches(mask, |_| true).into_iter().map(|reached| reached || apart).collect())
        })?;
        let apart = are_apart(&mask);
        let start = x.carries.iter().zip(&mask).zip(axes.carries);
        let start: Vec<Var<'g>> =
            start.map(|((x, mask), axis)| if *mask && !axis { repeat(*x, n) } else { *x }).collect();
        // Steps first, examples second.
        let slices = x.slices.iter().zip(axes.slices);
        let mut slices: Vec<Var<'g>> = slices.map(|(x, axis)| if *axis { swapped(*x) } else { *x }).collect();
        let test_mask = test_axes(&mask);
        let mut batch = Batch { of: self, graph, n, mask, test_mask, alive: None };
        let mut made = self.clone();
        let mut carries = start;
        let mut captures = x.captures.to_vec();
        let mut test_captures = x.test_captures.to_vec();
        if apart {
            let zeros = repeat(graph.constant(chainrule_tensor::Tensor::from(0_i64)), n);
            carries.push(zeros);
            made.carries += 1;
            if let [count] = x.count {
                batch.alive = Some(Alive::Count);
                slices.push(graph.iota([self.length], 0));
                made.slices += 1;
                made.counted = false;
                captures.push(*count);
            } else {
                batch.alive = Some(Alive::Test);
                captures.extend(x.test_captures);
            }
        }
        made.body = batch.body()?;
        made.test = batch.test()?;
        if made.test.is_none() {
            test_captures.clear();
        }
        let count = if made.counted { x.count } else { &[] };
        let found = graph
            .record_all(made.clone(), &[&carries[..], &slices, count, &captures, &test_captures].concat())?;
        let stacks = self.body.reaches(&batch.mask, |_| true)[self.carries..].to_vec();
        let count = if apart { found[made.carries] } else { repeat(found[0], n) };
        let carries =
            (0..self.carries).map(|i| if batch.mask[i] { found[1 + i] } else { repeat(found[1 + i], n) });
        let stacks = stacks.iter().enumerate().map(|(i, axis)| {
            let y = found[1 + made.carries + i];
            if *axis || apart { swapped(y) } else { repeat(y, n) }
        });
        let carries: Vec<Var<'g>> = carries.collect();
        Ok(std::iter::once(count).chain(carries).chain(stacks).collect())
    }
}

/// The first two axes in each other's place.
fn swapped(x: Var<'_>) -> Var<'_> {
    let axes: Vec<isize> = [1, 0].into_iter().chain(2..x.rank() as isize).collect();
    x.permute(&axes)
}

/// What tells whether an example takes a step, where they stop apart.
enum Alive {
    /// Its own number of steps, the last capture; the number of the step is the last slice.
    Count,
    /// The test, whose captures are the last ones.
    Test,
}

/// A loop for many examples in the making.
struct Batch<'a, 'g> {
    of: &'a Loop,
    graph: &'g Graph,
    n: usize,
    /// Which parameters of the body are other ones for each example, and which of the test.
    mask: Vec<bool>,
    test_mask: Vec<bool>,
    alive: Option<Alive>,
}

impl Batch<'_, '_> {
    fn ty(&self, ty: &Type, axis: bool) -> Type {
        if axis { ty.shaped(ty.shape.with_leading(self.n)) } else { ty.clone() }
    }

    /// `body` over `x`, each result with the axis of examples if it differs between them or `all` shall have it.
    fn map<'s>(&self, g: &'s Graph, body: &Body, x: &[Var<'s>], mask: &[bool], all: bool) -> Vec<Var<'s>> {
        let (ys, mapped) = of_examples(g, body, self.n, x, mask);
        let each = ys.iter().zip(mapped).zip(body.reaches(mask, |_| true));
        each.map(|((one, many), reached)| if reached || all { many } else { *one }).collect()
    }

    fn types(&self, body: &Body, mask: &[bool]) -> Vec<Type> {
        body.parameter_types().zip(mask).map(|(ty, axis)| self.ty(ty, *axis)).collect()
    }

    /// The body for all examples. Where they stop apart it counts the steps of each behind the carries, and leaves the
    /// carries of those that have stopped as they are.
    fn body(&self) -> Result<Body> {
        let l = self.of;
        let (c, s) = (l.carries, l.carries + l.slices);
        let types = self.types(&l.body, &self.mask);
        let test_types = l.test.as_ref().map_or_else(Vec::new, |test| self.types(test, &self.test_mask));
        let int = |shape: &[usize]| Type { shape: shape.into(), kind: Kind::Int };
        let (steps, number, end): (&[Type], &[Type], &[Type]) = match self.alive {
            None => (&[], &[], &[]),
            Some(Alive::Count) => (&[int(&[self.n])], &[int(&[])], &[int(&[self.n])]),
            Some(Alive::Test) => (&[int(&[self.n])], &[], &test_types[c..]),
        };
        let all = [&types[..c], steps, &types[c..s], number, &types[s..], end].concat();
        Body::trace(self.graph, all, |g, given| {
            let (carries, rest) = given.split_at(c);
            let (taken, rest) = rest.split_at(steps.len());
            let (slices, rest) = rest.split_at(l.slices);
            let (number, rest) = rest.split_at(number.len());
            let (captures, end) = rest.split_at(types.len() - s);
            let x = [carries, slices, captures].concat();
            let made = self.map(g, &l.body, &x, &self.mask, self.alive.is_some());
            let alive = match (&self.alive, &l.test) {
                (Some(Alive::Count), _) => number[0].broadcast_to([self.n]).less(end[0]),
                (Some(Alive::Test), Some(test)) => {
                    self.map(g, test, &[carries, end].concat(), &self.test_mask, true)[0]
                }
                _ => {
                    let reached = l.body.reaches(&self.mask, |_| true);
                    // A carry that is one per example stays so.
                    let keeps = |i: usize| i < c && self.mask[i] && !reached[i];
                    let each = made.into_iter().enumerate();
                    return Ok(each.map(|(i, y)| if keeps(i) { repeat(y, self.n) } else { y }).collect());
                }
            };
            let mut results: Vec<Var<'_>> = Vec::new();
            for (i, y) in made.iter().enumerate() {
                let stopped = if i < c { carries[i] } else { y.like(0.0) };
                results.push(choose(alive, *y, stopped));
            }
            results.insert(c, taken[0] + alive.int());
            Ok(results)
        })
    }

    /// The test for all examples: whether one of them goes on.
    fn test(&self) -> Result<Option<Body>> {
        let Some(test) = &self.of.test else { return Ok(None) };
        let c = self.of.carries;
        let types = self.types(test, &self.test_mask);
        let steps = self.alive.as_ref().map(|_| Type { shape: [self.n].into(), kind: Kind::Int });
        let behind = usize::from(steps.is_some());
        let all = types[..c].iter().cloned().chain(steps).chain(types[c..].iter().cloned());
        let made = Body::trace(self.graph, all, |g, given| {
            let x = [&given[..c], &given[c + behind..]].concat();
            let alive = self.map(g, test, &x, &self.test_mask, false)[0];
            Ok(vec![if behind == 1 { alive.int().sum(..).truth() } else { alive }])
        })?;
        Ok(Some(made))
    }
}
