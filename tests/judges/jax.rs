//! Random programs in f64: value, jvp, vjp, hvp, Jacobian, Hessian and vmap as JAX has them; see `jax_graphs.py`, which
//! wrote them.

use chainrule::graph::{Graph, Precision, Result, Var, hessian, hvp, jacobian, jvp, vjp, vmap};
use chainrule::tensor::{Tensor, io::safetensors};

use crate::program::Program;

/// A difference relative to the greatest element of the array; arrays smaller than this are compared absolutely.
const FLOOR: f64 = 1e-3;
const PERMITTED: f64 = 1e-10;
/// Examples of a mapped input.
const EXAMPLES: usize = 3;
const PROGRAMS: usize = 400;
const COMPARISONS: usize = 5_167;

/// Reads one array after the other from a flat one.
struct Reader<'a> {
    left: &'a [f64],
}

impl<'a> Reader<'a> {
    fn next(&mut self, shape: &[usize]) -> &'a [f64] {
        let (head, rest) = self.left.split_at(shape.iter().product());
        self.left = rest;
        head
    }

    fn tensor(&mut self, shape: &[usize]) -> Tensor {
        Tensor::from_vec(self.next(shape).to_vec(), shape).expect("as many elements as the shape says")
    }
}

/// The worst difference seen, and how many arrays were compared.
#[derive(Default)]
struct Tally {
    comparisons: usize,
    worst: f64,
    at: String,
    wrong: Vec<String>,
}

impl Tally {
    fn compare(&mut self, what: &str, ours: &Tensor, theirs: &[f64]) {
        let ours = ours.to_vec::<f64>().expect("a value in f64");
        let size = theirs.iter().fold(FLOOR, |m, v| m.max(v.abs()));
        let error = |(a, b): (&f64, &f64)| if a.is_nan() { f64::INFINITY } else { (a - b).abs() / size };
        let worst = ours.iter().zip(theirs).map(error).fold(0.0, f64::max);
        self.comparisons += 1;
        if ours.len() != theirs.len() || worst > PERMITTED {
            self.wrong.push(format!("{what}: {worst:.1e}, {ours:?} instead of {theirs:?}"));
        }
        if worst > self.worst {
            (self.worst, self.at) = (worst, what.into());
        }
    }
}

/// All that JAX says of one program, against what we say.
fn judge(name: &str, program: &Program, array: &[f64], tally: &mut Tally) -> Result<()> {
    let g = Graph::new();
    let mut array = Reader { left: array };
    let shapes = &program.inputs;
    let values: Vec<Tensor> = shapes.iter().map(|s| array.tensor(s)).collect();
    let x: Vec<Var<'_>> = values.into_iter().map(|v| g.leaf("x", v)).collect();
    let t: Vec<Var<'_>> = shapes.iter().map(|s| g.constant(array.tensor(s))).collect();
    let y = program.record(&g, &x)?;
    y.checked()?;
    let ct = g.constant(array.tensor(&y.shape()));
    let over = |shape: &[usize]| [&[EXAMPLES], shape].concat();
    let examples: Vec<Var<'_>> =
        program.mapped.iter().map(|i| g.constant(array.tensor(&over(&shapes[*i])))).collect();

    let mut found = vec![("value".to_owned(), y), ("jvp".to_owned(), jvp(&[y], &x, &t)?[0])];
    let cotangents = vjp(&[y], &x, &[ct])?;
    // Where the output does not depend on an input, JAX says zeros and chainrule says so.
    let zeros = |shape: &[&[usize]]| g.constant(0.0).broadcast_to(shape.concat());
    let reached: Vec<usize> = (0..x.len()).filter(|i| cotangents[*i].is_some()).collect();
    for (i, v) in cotangents.iter().enumerate() {
        found.push((format!("vjp {i}"), v.unwrap_or_else(|| zeros(&[&shapes[i]]))));
    }
    let (near, along): (Vec<_>, Vec<_>) = reached.iter().map(|i| (x[*i], t[*i])).unzip();
    let scalar = (ct * y.sin()).sum(..);
    let curved = if reached.is_empty() { vec![] } else { hvp(scalar, &near, &along)? };
    for (i, shape) in shapes.iter().enumerate() {
        let place = reached.iter().position(|r| *r == i);
        found.push((format!("hvp {i}"), place.map_or_else(|| zeros(&[shape]), |p| curved[p])));
    }
    for (i, input) in x.iter().enumerate().filter(|_| program.jacobian) {
        let j = if reached.contains(&i) { jacobian(y, *input)? } else { zeros(&[&y.shape(), &shapes[i]]) };
        found.push((format!("Jacobian {i}"), j));
    }
    if program.hessian {
        let reached = reached.contains(&0);
        let h = if reached { hessian(scalar, &x[..1])?[0][0] } else { zeros(&[&shapes[0], &shapes[0]]) };
        found.push(("Hessian".to_owned(), h));
    }
    let per_example = vmap(&examples, |e| {
        let mut x = x.clone();
        for (i, e) in program.mapped.iter().zip(e) {
            x[*i] = *e;
        }
        let y = program.record(&g, &x)?;
        let tangent = jvp(&[y], &x, &t)?[0];
        let near: Vec<Var<'_>> = reached.iter().map(|i| x[*i]).collect();
        let scalar = (ct * y.sin()).sum(..);
        let gradients = if near.is_empty() { vec![] } else { scalar.grad(&near)? };
        Ok([vec![y, tangent], gradients].concat())
    })?;
    found.push(("vmap of value".to_owned(), per_example[0]));
    found.push(("vmap of jvp".to_owned(), per_example[1]));
    for (i, shape) in shapes.iter().enumerate() {
        let place = reached.iter().position(|r| *r == i);
        let v = place.map_or_else(|| zeros(&[&over(shape)]), |p| per_example[2 + p]);
        found.push((format!("vmap of gradient {i}"), v));
    }

    let outputs: Vec<Var<'_>> = found.iter().map(|f| f.1).collect();
    let mut compiled = g.compiler(&[], &outputs).precision(Precision::F64).build()?;
    for ((what, var), value) in found.iter().zip(compiled.run(&[])?) {
        tally.compare(&format!("{what} of program {name}"), value, array.next(&var.shape()));
    }
    assert!(array.left.is_empty(), "program {name}: {} numbers too many", array.left.len());
    Ok(())
}

/// Judges the programs of `json` by the arrays in `data/<arrays>`; how many programs and comparisons there were.
pub(crate) fn judged(json: &str, arrays: &str) -> (usize, usize) {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judges/data");
    let programs = Program::read(json);
    let arrays = safetensors::read(format!("{data}/{arrays}")).expect("the arrays of the script");
    let mut tally = Tally::default();
    for (i, program) in programs.iter().enumerate() {
        let name = i.to_string();
        let array = arrays.get(&name).expect("one array for each program").to_vec::<f64>().expect("f64");
        if let Err(error) = judge(&name, program, &array, &mut tally) {
            tally.wrong.push(format!("program {name}: {error}"));
        }
    }
    println!(
        "jax: {} programs, {} comparisons, worst {:.1e} ({})",
        programs.len(),
        tally.comparisons,
        tally.worst,
        tally.at
    );
    assert!(tally.wrong.is_empty(), "{} differ:\n{}", tally.wrong.len(), tally.wrong.join("\n"));
    (programs.len(), tally.comparisons)
}

#[test]
fn random_programs_agree_with_jax() {
    let seen = judged(include_str!("data/jax.json"), "jax.safetensors");
    assert_eq!(seen, (PROGRAMS, COMPARISONS), "none is left out");
}
