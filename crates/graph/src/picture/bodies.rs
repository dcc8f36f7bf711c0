//! What loops, choices and calls carry out: a frame before their box, drawn as a picture of its own.

use chainrule_sketch::{Block, Look, Sketch, Wire};

use super::Picture;
use super::label::Operand;
use super::nodes::{self, Told};
use super::style::{self, BACKWARD, FORWARD, TANGENT};
use crate::error::Result;
use crate::ir::{Graph, Node};
use crate::origin::Phase;
use crate::prim::Carried;
use crate::types::Type;
use crate::var::Var;

/// What is given to a formula.
pub(super) enum Source {
    /// A value that comes by wire.
    Box(Wire),
    /// A number.
    Number(Operand),
}

/// Puts a frame for each formula that `node` carries out into `sketch`: the values in `sources` go into its parameters,
/// its results into the box of the node.
pub(super) fn draw(
    picture: &Picture<'_>,
    node: &Node,
    own: usize,
    sources: &[Source],
    sketch: &mut Sketch,
    told: &mut Vec<Told>,
) -> Result<()> {
    let mut slots = 0..;
    let mut enters = |wire: Wire| Wire { to: own, slot: slots.next().unwrap_or(0), ..wire };
    let mut taken = vec![false; sources.len()];
    let mut wires = Vec::new();
    for carried in node.op.bodies() {
        let Inside { drawn, parameters, results } = inside(picture, node, &carried, sources)?;
        let inside = drawn.sketch;
        told.extend(drawn.told);
        let first = sketch.boxes.len();
        let path = place(&carried, node, own, &inside, sketch);
        for mut block in inside.boxes {
            // A formula is recorded in the scope that its user stands in.
            let shared = block
                .path
                .iter()
                .zip(&path.frames)
                .take_while(|(a, b)| inside.frames[**a] == sketch.frames[**b]);
            let shared = shared.count();
            block.path = path
                .frames
                .iter()
                .copied()
                .chain(block.path[shared..].iter().map(|f| f + path.first))
                .collect();
            sketch.boxes.push(block);
        }
        wires.extend(inside.wires.into_iter().map(|w| Wire { from: w.from + first, to: w.to + first, ..w }));
        for ((at, _), parameter) in carried.given.iter().zip(parameters) {
            if let (Source::Box(source), Some(parameter)) = (&sources[*at], parameter) {
                taken[*at] = true;
                wires.push(Wire { to: first + parameter, slot: 0, ..source.clone() });
            }
        }
        wires.extend(
            results
                .into_iter()
                .map(|from| enters(Wire { from: first + from, to: own, slot: 0, look: Look::Plain })),
        );
    }
    let rest = sources.iter().zip(taken).filter_map(|(source, taken)| match source {
        Source::Box(wire) if !taken => Some(wire.clone()),
        _ => None,
    });
    wires.extend(rest.map(enters));
    sketch.wires.extend(wires);
    Ok(())
}

/// A formula drawn alone, with the boxes of its parameters, as far as they are used, and of its results.
struct Inside {
    drawn: nodes::Drawn,
    parameters: Vec<Option<usize>>,
    results: Vec<usize>,
}

fn inside(picture: &Picture<'_>, node: &Node, carried: &Carried<'_>, sources: &[Source]) -> Result<Inside> {
    let graph = Graph::new();
    let parameters: Vec<Var<'_>> = {
        let _origin = graph.blame_origin(node.origin.clone());
        let types = carried.body.parameter_types();
        let leaf = |(ty, (at, name)): (&Type, &(usize, String))| match &sources[*at] {
            Source::Number(Operand::Number(n)) => graph.new_leaf(&format!("{name} = {n}"), ty.clone(), None),
            _ => graph.new_leaf(name, ty.clone(), None),
        };
        types.zip(&carried.given).map(leaf).collect()
    };
    let results = graph.inline(carried.body, &parameters);
    let mut alone = graph.picture(&results);
    alone.precision = picture.precision;
    let drawn = nodes::draw(&alone)?;
    let parameters = parameters.iter().map(|x| drawn.boxes.get(&x.id).copied()).collect();
    let results = results.iter().map(|y| drawn.boxes[&y.id]).collect();
    Ok(Inside { drawn, parameters, results })
}

/// Where the boxes of a formula stand.
struct Place {
    /// The frames around it, its own last.
    frames: Vec<usize>,
    /// Where the frames of the formula are in the list of all.
    first: usize,
}

fn place(carried: &Carried<'_>, node: &Node, own: usize, inside: &Sketch, sketch: &mut Sketch) -> Place {
    let Block { path, late, .. } = &sketch.boxes[own];
    let tone = match node.origin.phase {
        _ if *late => BACKWARD,
        Phase::Tangent => TANGENT,
        _ => FORWARD,
    };
    let label = carried.when.clone();
    let mut frames = path.clone();
    frames.push(sketch.frames.len());
    sketch.frames.push(style::frame(label, tone));
    let first = sketch.frames.len();
    sketch.frames.extend(inside.frames.iter().cloned());
    Place { frames, first }
}
