//! What is to blame inside a loop or a choice: the operations of the body, at the values of one step after the other.

use std::collections::HashMap;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Key, Tensor};

use super::culprit::Culprit;
use super::probe::{draw, wide};
use super::search;
use crate::body::Body;
use crate::error::Result;
use crate::ir::{Graph, Node};
use crate::precision::Precision;
use crate::prim::Op;
use crate::prim::loops::{Loop, LoopArgs};
use crate::types::NodeId;
use crate::var::Var;

/// Steps that are looked into.
const MOST: usize = 32;

/// The operations to blame inside `node`, whose arguments have these values, and in which step they were found; none if no
/// operation in it is wrong by itself.
pub(super) fn culprits(node: &Node, values: &HashMap<NodeId, Tensor>, key: Key) -> Result<Vec<Culprit>> {
    let args: Vec<Tensor> = node.args.iter().map(|a| values[a].clone()).collect();
    match &node.op {
        Op::Loop(l) => of_loop(l, node, &args, key),
        Op::Branch(b) => {
            let holds = args[0].item::<bool>()?;
            let (body, when) = if holds { (&b.yes, "holds") } else { (&b.no, "does not hold") };
            let place = format!("the cond at {}, whose condition {when}", node.origin);
            at(body, &args[1..], key, &place)
        }
        _ => Ok(Vec::new()),
    }
}

fn of_loop(l: &Loop, node: &Node, args: &[Tensor], key: Key) -> Result<Vec<Culprit>> {
    let LoopArgs { carries, slices, count, captures, test_captures } = l.split(args);
    let most = match count {
        [count] => usize::try_from(count.item::<i64>()?).unwrap_or(0).min(l.length),
        _ => l.length,
    };
    let mut step = Evaluated::new(&l.body)?;
    let mut test = l.test.as_ref().map(Evaluated::new).transpose()?;
    let mut carried = carries.to_vec();
    for taken in 0..most.min(MOST) {
        if let Some(test) = &mut test
            && !test.results(&[&carried[..], test_captures].concat())?[0].item::<bool>()?
        {
            break;
        }
        let row = if l.reverse { most - 1 - taken } else { taken };
        let sliced: Vec<Tensor> = slices
            .iter()
            .map(|x| Ok(x.index_axis(0, isize::try_from(row).unwrap_or(isize::MAX))?.to_contiguous()))
            .collect::<Result<_>>()?;
        let given = [&carried[..], &sliced, captures].concat();
        let place = format!("step {row} (the first is 0) of the {} at {}", node.op.name(), node.origin);
        let found = at(&l.body, &given, key.at(row as u64), &place)?;
        if !found.is_empty() {
            return Ok(found);
        }
        carried = step.results(&given)?;
        carried.truncate(carries.len());
    }
    Ok(Vec::new())
}

/// A body as a function.
struct Evaluated(crate::Compiled);

impl Evaluated {
    fn new(body: &Body) -> Result<Self> {
        let graph = Graph::new();
        let (parameters, results) = recorded(&graph, body, None);
        Ok(Evaluated(graph.compiler(&parameters, &results).precision(Precision::F64).exact(true).build()?))
    }

    fn results(&mut self, given: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(self.0.run(given)?.iter().map(wide).collect())
    }
}

fn recorded<'g>(graph: &'g Graph, body: &Body, given: Option<&[Tensor]>) -> (Vec<Var<'g>>, Vec<Var<'g>>) {
    let leaf = |(i, ty): (usize, &crate::types::Type)| {
        graph.new_leaf("value of a step", ty.clone(), given.map(|given| given[i].clone()))
    };
    let parameters: Vec<Var<'g>> = body.parameter_types().enumerate().map(leaf).collect();
    let results = graph.inline(body, &parameters);
    (parameters, results)
}

/// The culprits of a body whose parameters have the values `given`.
fn at(body: &Body, given: &[Tensor], key: Key, place: &str) -> Result<Vec<Culprit>> {
    let graph = Graph::new();
    let (parameters, results) = recorded(&graph, body, Some(given));
    // Every result has a part in what is differentiated, each element with a weight of its own.
    let mut loss = graph.constant(0.0);
    for (i, y) in results.iter().enumerate().filter(|(_, y)| y.kind() == Kind::Real) {
        let shape = y.shape();
        let weights = Tensor::from_vec(draw(key.named("weights").at(i as u64), shape.size()), &shape)?;
        loss += (*y * graph.constant(weights)).sum(..);
    }
    let real: Vec<NodeId> = parameters.iter().filter(|x| x.kind() == Kind::Real).map(|x| x.id).collect();
    let all: Vec<NodeId> = parameters.iter().map(|x| x.id).collect();
    let found = search::find(loss, &all, given, &real, key)?;
    let placed = |mut culprit: Culprit| {
        culprit.within.push(place.to_owned());
        culprit
    };
    Ok(found.culprits.into_iter().map(|suspect| placed(suspect.culprit)).collect())
}
