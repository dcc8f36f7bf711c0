//! Course 1, week 2, lectures 2.7 and 2.8: J = 3(a + bc) as a computation graph, values from left to right, derivatives from right
//! to left.
//!
//!     cargo run --release --example c1w2_07_computation_graph

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use chainrule::prelude::*;
use clap::Parser;

/// A computation graph, forward and backward.
#[derive(Parser)]
struct Options {
    /// Folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "out/computation_graph")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let Options { out } = Options::parse();
    let g = Graph::new();
    let (a, b, c) = (g.leaf("a", 5.0), g.leaf("b", 3.0), g.leaf("c", 2.0));
    let u = b * c;
    let v = a + u;
    let j = 3.0 * v;

    println!("from left to right: values");
    let names = ["a", "b", "c", "u = bc", "v = a + u", "J = 3v"];
    for (name, var) in names.into_iter().zip([a, b, c, u, v, j]) {
        println!("  {name:<10} {}", number(var)?);
    }
    println!("\nthe graph as recorded: operation, arguments, type, line\n{g}");

    println!("from right to left: derivatives of J, each the one before times a local derivative");
    // A gradient may be asked for with respect to anything in the graph, the steps in between included.
    let wrt = [v, a, u, b, c];
    let derivatives = j.grad(&wrt)?;
    let chain =
        ["dJ/dv = 3", "dJ/da = dJ/dv · 1", "dJ/du = dJ/dv · 1", "dJ/db = dJ/du · c", "dJ/dc = dJ/du · b"];
    for (name, derivative) in chain.into_iter().zip(&derivatives) {
        println!("  {name:<18} {}", number(*derivative)?);
    }
    let found = derivatives.iter().map(|d| number(*d)).collect::<Result<Vec<f64>>>()?;
    ensure!(found == [3.0, 3.0, 3.0, 6.0, 9.0], "the lecture has 3, 3, 3, 6, 9, not {found:?}");

    println!("\nthe same for any formula: the derivative as equations\n{}", j.equations(&[a, b, c])?);
    std::fs::create_dir_all(&out).with_context(|| format!("{}: cannot make this folder", out.display()))?;
    let write = |file: &str, text: &str| {
        std::fs::write(out.join(file), text).with_context(|| format!("{file}: cannot be written"))
    };
    for (file, dot) in [("forward.dot", g.dot(&[j])?), ("backward.dot", g.dot(&derivatives)?)] {
        write(file, &dot)?;
    }
    // The lecture's figure, the graph that computes it, and the plan that runs it.
    let lecture = g.picture(&[j]).name(u, "u").name(v, "v").name(j, "J").values(true);
    write("graph.svg", &lecture.derivatives(j, &wrt, &derivatives).svg()?)?;
    let mut outputs = vec![j];
    outputs.extend(&derivatives);
    let both = g.picture(&outputs).name(u, "u").name(v, "v").name(j, "J");
    let both = both.name(derivatives[3], "dJ/db").name(derivatives[4], "dJ/dc");
    write("gradient.svg", &both.values(true).svg()?)?;
    write("plan.svg", &g.compile(&[a, b, c], &outputs)?.svg())?;
    println!("in {}: graph.svg, gradient.svg and plan.svg for any browser; the DOT files", out.display());
    println!("are for Graphviz, `dot -Tsvg`");

    // Raising b by a little raises J by six times as much: the slope, seen in numbers.
    let nudged = 3.0 * (a + (b + 0.001) * c);
    println!("\nb from 3 to 3.001 takes J from {} to {:.3}", number(j)?, number(nudged)?);
    Ok(())
}

fn number(v: Var<'_>) -> Result<f64> {
    Ok(v.value()?.item()?)
}
