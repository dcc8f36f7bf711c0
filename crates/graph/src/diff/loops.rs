//! Loops, differentiated and for many examples: each is a loop again.

mod examples;

use std::collections::HashMap;
use std::panic::Location;

use smallvec::SmallVec;

use super::transpose::transpose;
use crate::body::{Body, Outline, is_made_of_numbers};
use crate::copy::between;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Graph, Node};
use crate::origin::{Origin, Phase};
use crate::prim::Mode;
use crate::prim::loops::Loop;
use crate::prim::rows::Rows;
use crate::prim::{Op, Site, Structured};
use crate::types::{NodeId, Type};
use crate::var::Var;
use crate::walk::IdSet;

use super::derived::tangent_body;

impl Structured for Loop {
    /// One loop that carries values and tangents.
    fn tangents<'g>(
        &self,
        t: &[Option<Var<'g>>],
        mode: Mode,
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>> {
        let graph = site.y.graph;
        let (x, t) = (self.split(site.x), self.split(t));
        let given = [t.carries, t.slices, t.captures].concat();
        // A carry varies if it does at first, or does after some step.
        let mut found = None;
        let varies = settled(self.carries, given.iter().map(Option::is_some).collect(), |varies| {
            found = tangent_body(graph, &self.body, varies, mode)?;
            Ok(found.as_ref().map_or_else(Vec::new, |(_, reached)| reached.clone()))
        })?;
        let Some((tangent, reached)) = found else {
            return Ok(vec![None; 1 + self.body.results().len()]);
        };
        let n = self.carries;
        let stacked: Vec<bool> = reached[n..].to_vec();
        let body = self.with_tangents(graph, &tangent, &varies, &reached)?;
        let carried = (0..n).filter(|i| varies[*i]);
        let start = carried.clone().map(|i| t.carries[i].unwrap_or_else(|| x.carries[i].like(0.0)));
        let start: Vec<Var<'g>> = start.collect();
        let args: Vec<Var<'g>> = [
            x.carries,
            &start,
            x.slices,
            &t.slices.iter().flatten().copied().collect::<Vec<_>>(),
            x.count,
            x.captures,
            &t.captures.iter().flatten().copied().collect::<Vec<_>>(),
            x.test_captures,
        ]
        .concat();
        let test = self.test.as_ref().map(|test| after_carries(graph, test, n, &start)).transpose()?;
        let made = Loop {
            body,
            carries: n + start.len(),
            slices: self.slices + t.slices.iter().flatten().count(),
            test,
            ..self.clone()
        };
        let found = graph.record_all(made.clone(), &args)?;
        let (mut carries, mut stacks) = (found[1 + n..].iter(), found[1 + made.carries..].iter());
        let carries = (0..n).map(|i| if varies[i] { carries.next().copied() } else { None });
        let stacks = stacked.iter().map(|reached| if *reached { stacks.next().copied() } else { None });
        Ok(std::iter::once(None).chain(carries).chain(stacks).collect())
    }

    /// A loop over the part that does not depend on the tangents, which stacks what the other part needs of it, and a
    /// loop in the other direction over the transpose of that other part.
    fn cotangents<'g>(
        &self,
        ct: &[Option<Var<'g>>],
        linear: &[bool],
        site: &Site<'_, 'g>,
    ) -> Result<Vec<Option<Var<'g>>>> {
        let graph = site.y.graph;
        let x = self.split(site.x);
        let asked = self.split(linear);
        let mask = [asked.carries, asked.slices, asked.captures].concat();
        // A carry that becomes a tangent in some step is one from the beginning: it begins as 0.
        let differentiably = |op: &Op| op.flat().is_none();
        let mask = settled(self.carries, mask, |mask| Ok(self.body.reaches(mask, differentiably)))?;
        let arriving: Vec<Option<Var<'g>>> = ct[1..].to_vec();
        let split = Split::of(graph, self, &mask, &arriving)?;

        // Forwards: what does not depend on the tangents.
        let fixed = |all: &[Var<'g>], from: usize| -> Vec<Var<'g>> {
            all.iter().enumerate().filter(|(i, _)| !mask[from + i]).map(|(_, x)| *x).collect()
        };
        let (carries, slices) = (fixed(x.carries, 0), fixed(x.slices, self.carries));
        let captures = fixed(x.captures, self.carries + self.slices);
        let needs_loop = split.stacked > 0 || self.test.is_some();
        let (count, stacks) = if needs_loop {
            if self.length == usize::MAX {
                let why =
                    "a while_loop without bound has no derivative in reverse mode, which stores its steps";
                let error = Error::new(ErrorKind::Gradient(why.into())).placed(site.y.origin());
                return Err(error.hint("give it a bound with WhileLoop::most, or use forward mode"));
            }
            let of_test = [&mask[..self.carries], &vec![false; x.test_captures.len()]].concat();
            if self.test.as_ref().is_some_and(|test| test.reaches(&of_test, |_| true)[0]) {
                let why = "whether the loop goes on depends on what it shall be linear in";
                return Err(Error::new(ErrorKind::Gradient(why.into())).placed(site.y.origin()));
            }
            let test = self.test.as_ref().map(|test| without_carries(graph, test, &mask[..self.carries]));
            let forwards = Loop {
                body: split.primal,
                carries: carries.len(),
                slices: slices.len(),
                test: test.transpose()?,
                ..self.clone()
            };
            let args = [&carries, &slices, x.count, &captures, x.test_captures].concat();
            // What it does is the formula's own, and in a plan the two are one.
            let _forward = graph.blame_origin(Origin { phase: Phase::Forward, ..site.y.origin() });
            let made = graph.record_all(forwards.clone(), &args)?;
            (made[0], made[1 + forwards.carries..].to_vec())
        } else {
            (site.y, Vec::new())
        };

        // Backwards: the transpose of the rest.
        let zero = |ty: &Type| graph.constant(0.0).broadcast_to(ty.shape.clone());
        let types: Vec<Type> = self.body.parameter_types().cloned().collect();
        let linear_of = |range: std::ops::Range<usize>| range.filter(|i| mask[*i]).collect::<Vec<_>>();
        let carried = linear_of(0..self.carries);
        let summed = linear_of(self.carries + self.slices..types.len());
        let sliced = linear_of(self.carries..self.carries + self.slices);
        let start = carried.iter().map(|i| arriving[*i].unwrap_or_else(|| zero(&types[*i])));
        let start: Vec<Var<'g>> = start.chain(summed.iter().map(|i| zero(&types[*i]))).collect();
        let arriving_stacks = arriving[self.carries..].iter().flatten().copied();
        let slices: Vec<Var<'g>> =
            arriving_stacks.chain(stacks).chain(split.slices.iter().map(|i| site.x[*i])).collect();
        let invariant = graph.inline(&split.invariant, &captures);
        let counted = self.counted || self.test.is_some();
        let count: &[Var<'g>] = if self.test.is_some() { &[count] } else { x.count };
        let backwards = Loop {
            body: split.transposed,
            carries: start.len(),
            slices: slices.len(),
            length: self.length,
            reverse: !self.reverse,
            counted,
            test: None,
        };
        let args = [&start[..], &slices, count, &invariant].concat();
        let found = graph.record_all(backwards, &args)?;
        let places = carried.into_iter().chain(summed).chain(sliced);
        let by_place: HashMap<usize, Var<'g>> = places.zip(found[1..].iter().copied()).collect();
        // The number of steps stands between slices and captures among the arguments.
        let behind = self.carries + self.slices;
        let place = |i: usize| match i {
            i if i < behind => Some(i),
            i => i.checked_sub(usize::from(self.counted)).filter(|i| *i >= behind && *i < types.len()),
        };
        Ok((0..linear.len()).map(|i| by_place.get(&place(i)?).copied().filter(|_| linear[i])).collect())
    }

    fn batch_all<'g>(&self, rows: &Rows<'g>) -> Option<Result<Vec<Var<'g>>>> {
        Some(self.batched(rows))
    }
}

/// `mask` of the parameters of a body, with those carries that are `reached` after some step.
fn settled(
    carries: usize,
    mut mask: Vec<bool>,
    mut reached: impl FnMut(&[bool]) -> Result<Vec<bool>>,
) -> Result<Vec<bool>> {
    loop {
        let reached = reached(&mask)?;
        let more: Vec<usize> = (0..carries).filter(|i| reached.get(*i) == Some(&true) && !mask[*i]).collect();
        if more.is_empty() {
            return Ok(mask);
        }
        more.into_iter().for_each(|i| mask[i] = true);
    }
}

/// A test of `n` carries as one of the same carries with `more` behind them.
fn after_carries(graph: &Graph, test: &Body, n: usize, more: &[Var<'_>]) -> Result<Body> {
    let types: Vec<Type> = test.parameter_types().cloned().collect();
    let (carries, captures) = types.split_at(n);
    let all = carries.iter().cloned().chain(more.iter().map(|t| t.ty())).chain(captures.iter().cloned());
    Body::trace(graph, all, |g, x| Ok(g.inline(test, &[&x[..n], &x[n + more.len()..]].concat())))
}

/// A test as one of those carries only that are not in `mask`, on which it does not depend.
fn without_carries(graph: &Graph, test: &Body, mask: &[bool]) -> Result<Body> {
    let left_out = |i: usize| mask.get(i) == Some(&true);
    let types: Vec<Type> = test.parameter_types().cloned().collect();
    let kept = types.iter().enumerate().filter(|(i, _)| !left_out(*i)).map(|(_, ty)| ty.clone());
    Body::trace(graph, kept, |g, x| {
        let mut x = x.iter().copied();
        let stand = |(i, ty): (usize, &Type)| match left_out(i) {
            true => Some(g.new_leaf("tangent", ty.clone(), None)),
            false => x.next(),
        };
        let all: Vec<Var<'_>> = types.iter().enumerate().filter_map(stand).collect();
        Ok(g.inline(test, &all))
    })
}

impl Loop {
    /// The body, with the tangents of those carries, slices and captures that vary beside them.
    fn with_tangents(
        &self,
        graph: &Graph,
        tangent: &Body,
        varies: &[bool],
        reached: &[bool],
    ) -> Result<Body> {
        let types: Vec<Type> = self.body.parameter_types().cloned().collect();
        let (c, s) = (self.carries, self.carries + self.slices);
        let groups = [0..c, c..s, s..types.len()];
        let mut all = Vec::new();
        for group in &groups {
            all.extend(types[group.clone()].iter().cloned());
            all.extend(group.clone().filter(|i| varies[*i]).map(|i| types[i].clone()));
        }
        Body::trace(graph, all, |g, given| {
            let mut given = given.iter().copied();
            let (mut x, mut t) = (Vec::new(), Vec::new());
            for group in &groups {
                x.extend(given.by_ref().take(group.len()));
                t.extend(given.by_ref().take(group.clone().filter(|i| varies[*i]).count()));
            }
            let ys = g.inline(&self.body, &x);
            let mut found = g.inline(tangent, &[x, t].concat()).into_iter();
            let mut dys: Vec<Option<Var<'_>>> =
                reached.iter().map(|reached| if *reached { found.next() } else { None }).collect();
            for i in (0..c).filter(|i| varies[*i]) {
                // It varies before some step, but no longer after this one.
                dys[i] = dys[i].or_else(|| Some(ys[i].like(0.0)));
            }
            let (carries, stacks) = dys.split_at(c);
            let carries = ys[..c].iter().copied().chain(carries.iter().flatten().copied());
            Ok(carries.chain(stacks.iter().flatten().copied()).collect())
        })
    }
}

/// The two halves of a loop's body.
struct Split {
    /// What does not depend on the tangents: new carries, and `stacked` values that the other half needs.
    primal: Body,
    stacked: usize,
    /// The transpose of the rest, over cotangents of carries, sums for captures; arriving cotangents, stacked values,
    /// slices; and what is invariant.
    transposed: Body,
    /// The positions of the slices it uses.
    slices: Vec<usize>,
    /// What it uses that is the same in all steps, as a function of those captures that are no tangents.
    invariant: Body,
}

impl Split {
    fn of(graph: &Graph, l: &Loop, mask: &[bool], arriving: &[Option<Var<'_>>]) -> Result<Split> {
        let g = &graph.beside();
        let _line = g.blame_origin(graph.origin(Location::caller()));
        let types: Vec<Type> = l.body.parameter_types().cloned().collect();
        let leaf = |ty: &Type| g.new_leaf("parameter", ty.clone(), None);
        let value = |i: usize| {
            let _line = g.blame_origin(l.body.nodes()[i].origin.clone());
            g.new_leaf("value of a step", types[i].clone(), None)
        };
        let fixed: Vec<Option<Var<'_>>> =
            mask.iter().enumerate().map(|(i, linear)| (!linear).then(|| value(i))).collect();
        let mark = g.len();
        let mut seeds = Vec::new();
        let x: Vec<Var<'_>> = (0..types.len())
            .map(|i| {
                fixed[i].unwrap_or_else(|| {
                    seeds.push(value(i));
                    seeds[seeds.len() - 1]
                })
            })
            .collect();
        let ys = g.inline(&l.body, &x);
        g.admit("scan", &ys)?;
        let linear_carries: Vec<usize> = (0..l.carries).filter(|i| mask[*i]).collect();
        let stacks: Vec<usize> = (l.carries..ys.len()).filter(|i| arriving[*i].is_some()).collect();
        let cts: Vec<Var<'_>> = linear_carries.iter().map(|i| leaf(&types[*i])).collect();
        let summed: Vec<usize> = (l.carries + l.slices..types.len()).filter(|i| mask[*i]).collect();
        let sums: Vec<Var<'_>> = summed.iter().map(|i| leaf(&types[*i])).collect();
        let stack_cts: Vec<Var<'_>> = stacks.iter().map(|i| leaf(&ys[*i].ty())).collect();
        let ends = linear_carries.iter().chain(&stacks).map(|i| ys[*i]);
        let found = transpose(g, mark, &seeds, ends.zip(cts.iter().chain(&stack_cts).copied()))?;
        g.admit("scan", &found.iter().flatten().copied().collect::<Vec<_>>())?;
        let linear: Vec<usize> = (0..types.len()).filter(|i| mask[*i]).collect();
        let by_place: HashMap<usize, Option<Var<'_>>> = linear.into_iter().zip(found).collect();
        let or_zero = |i: usize| by_place[&i].unwrap_or_else(|| x[i].like(0.0));
        let carries = linear_carries.iter().map(|i| or_zero(*i));
        let captures = summed.iter().zip(&sums).map(|(i, sum)| by_place[i].map_or(*sum, |ct| *sum + ct));
        let slices = (l.carries..l.carries + l.slices).filter(|i| mask[*i]).map(or_zero);
        let results: Vec<Var<'_>> = carries.chain(captures).chain(slices).collect();

        // What the transpose uses of the forward half.
        let given: Vec<Var<'_>> = cts.iter().chain(&sums).chain(&stack_cts).copied().collect();
        let used = g.outline(&given, &results).captures;
        let free: IdSet = fixed[l.carries..].iter().flatten().map(|v| v.id).collect();
        let roots = roots(g, used, &free);
        let place = |v: &Var<'_>| fixed.iter().position(|x| x.is_some_and(|x| x.id == v.id));
        let is_slice = |v: &Var<'_>| place(v).filter(|i| (l.carries..l.carries + l.slices).contains(i));
        let varying: Vec<Var<'_>> = fixed[..l.carries + l.slices].iter().flatten().copied().collect();
        let [varying, ends] = [&varying, &roots].map(|vars| vars.iter().map(|v| v.id).collect::<Vec<_>>());
        let changes: IdSet = between(g, &varying, &ends).into_iter().chain(varying).collect();
        let (per_step, invariant): (Vec<_>, Vec<_>) =
            roots.into_iter().partition(|v| changes.contains(&v.id));
        let (sliced, stacked): (Vec<_>, Vec<_>) = per_step.into_iter().partition(|v| is_slice(v).is_some());

        let parameters = [&given[..], &stacked, &sliced, &invariant].concat();
        let Outline { body: transposed, captures: stray } = g.outline(&parameters, &results);
        debug_assert!(stray.is_empty(), "the transpose uses {stray:?} besides");
        let kept: Vec<Var<'_>> = fixed.iter().flatten().copied().collect();
        let fixed_carries = (0..l.carries).filter(|i| !mask[*i]).map(|i| ys[i]);
        let primal = g.outline(&kept, &fixed_carries.chain(stacked.iter().copied()).collect::<Vec<_>>()).body;
        let captures: Vec<Var<'_>> = fixed[l.carries + l.slices..].iter().flatten().copied().collect();
        let invariant = g.outline(&captures, &invariant).body;
        let slices = sliced.iter().filter_map(is_slice).collect();
        let transposed = transposed.in_phase(Phase::Backward);
        Ok(Split { primal, stacked: stacked.len(), transposed, slices, invariant })
    }
}

/// What is to be stored so that all `used` values can be had: of a value that is cheaply made of one other, that other, which
/// may serve several; and none that is cheaply made of others that are stored anyway, or are `free`.
fn roots<'g>(graph: &'g Graph, used: Vec<Var<'g>>, free: &IdSet) -> Vec<Var<'g>> {
    let nodes = &graph.inner.borrow().nodes;
    let mut roots: Vec<NodeId> = used.into_iter().map(|v| root(nodes, v.id)).collect();
    roots.sort();
    roots.dedup();
    let mut stored: IdSet = roots.iter().copied().chain(free.iter().copied()).collect();
    for id in roots.iter().rev().filter(|id| !free.contains(id)) {
        stored.remove(id);
        if !is_made_of(nodes, *id, &stored, DEEP, &mut IdSet::default()) {
            stored.insert(*id);
        }
    }
    let mut found = IdSet::default();
    for id in roots {
        is_made_of(nodes, id, &stored, DEEP, &mut found);
    }
    let mut found: Vec<NodeId> = found.into_iter().collect();
    found.sort();
    found.into_iter().map(|id| graph.var(id)).collect()
}

/// A value made by a longer chain of operations is stored.
const DEEP: usize = 8;

/// Whether an operation costs about as much as to read what it makes.
fn is_cheap(op: &Op) -> bool {
    matches!(
        op,
        Op::Binary(_)
            | Op::Compare(_)
            | Op::Select(_)
            | Op::Cast(_)
            | Op::Broadcast(_)
            | Op::Reshape(_)
            | Op::Permute(_)
    )
}

/// Follows a value to the one that it is cheaply made of, as far as there is only one.
fn root(nodes: &[Node], mut id: NodeId) -> NodeId {
    loop {
        let node = &nodes[id.index()];
        let mut made_of: SmallVec<[NodeId; 3]> =
            node.args.iter().copied().filter(|a| !is_made_of_numbers(nodes, *a)).collect();
        made_of.dedup();
        match made_of[..] {
            [only] if is_cheap(&node.op) => id = only,
            _ => return id,
        }
    }
}

/// Whether a value is `stored`, or made of such by a few cheap operations; `found` gets those that it is made of.
fn is_made_of(nodes: &[Node], id: NodeId, stored: &IdSet, depth: usize, found: &mut IdSet) -> bool {
    if stored.contains(&id) {
        found.insert(id);
        return true;
    }
    let node = &nodes[id.index()];
    is_made_of_numbers(nodes, id)
        || (depth > 0
            && is_cheap(&node.op)
            && node.args.iter().all(|a| is_made_of(nodes, *a, stored, depth - 1, found)))
}
