//! Four things that go wrong with derivatives, and what the library says about each: a rule with a mistake in it, a
//! parameter that cannot learn, a NaN, and a step that needs too much memory.
//!
//!     cargo run --release --example what_is_wrong

use anyhow::{Context, Result, ensure};
use chainrule::graph::{Precision, check::Checker};
use chainrule::prelude::*;

fn main() -> Result<()> {
    a_wrong_rule()?;
    a_dead_parameter()?;
    a_number_that_is_none()?;
    too_much_kept()?;
    Ok(())
}

fn draw(name: &str, shape: &[usize]) -> Result<Tensor> {
    Ok(Tensor::normal(Key::new(1).named(name), shape, 0.0, 0.5, DType::F64)?)
}

/// z = xw + b with a derivative by hand, in which the bias forgets that it was used once per example.
fn affine<'g>(x: Var<'g>, w: Var<'g>, b: Var<'g>) -> Var<'g> {
    x.graph().custom_vjp(
        "affine",
        &[x, w, b],
        |v| v[0].matmul(v[1]) + v[2],
        |v, _, ct| vec![ct.matmul(v[1].t()), v[0].t().matmul(ct), ct.mean(0)],
    )
}

fn a_wrong_rule() -> Result<()> {
    println!("1. A derivative by hand: does it agree with the formula?\n");
    let g = Graph::new();
    let (x, y) = (g.constant(draw("x", &[16, 3])?), g.constant(draw("y", &[16, 1])?));
    let (w1, b1) = (g.leaf("hidden.weight", draw("w1", &[3, 8])?), g.leaf("hidden.bias", draw("b1", &[8])?));
    let (w2, b2) = (g.leaf("output.weight", draw("w2", &[8, 1])?), g.leaf("output.bias", draw("b2", &[1])?));
    let h = {
        let _scope = g.enter("hidden");
        affine(x, w1, b1).tanh()
    };
    let loss = (h.matmul(w2) + b2 - y).square().mean(..);
    let report = Checker::default().check(loss, &[w1, b1, w2, b2])?;
    ensure!(!report.is_fine(), "the mistake must be found");
    println!("{report}\n");
    Ok(())
}

fn a_dead_parameter() -> Result<()> {
    println!("2. A parameter behind a step: can it learn?\n");
    let g = Graph::new();
    let (x, w) = (g.constant(draw("x", &[4, 2])?), g.leaf("threshold", 0.1));
    let loss = x.greater(w).real().mean(..);
    let error = loss.grad(&[w]).err().context("a step has no slope")?;
    println!("{error}\n");
    Ok(())
}

fn a_number_that_is_none() -> Result<()> {
    println!("3. A loss that becomes NaN: where does it begin?\n");
    let g = Graph::new();
    let logits = g.leaf("logits", [2.0_f32, 40.0, -3.0, 95.0]);
    let y = g.constant([1.0_f32, 1.0, 0.0, 1.0]);
    let p = logits.sigmoid();
    let loss = -(y * p.ln() + (1.0 - y) * (1.0 - p).ln()).mean(..);
    println!("the loss is {}", loss.value()?.item::<f64>()?);
    let watched = g.compiler(&[], &[loss]).anomaly(true).build()?.run(&[]).err();
    println!("{}\n", watched.context("0 · ln 0")?);
    let sound = (logits.softplus() - y * logits).mean(..);
    println!("the same loss from the logits is {:.4}\n", sound.value()?.item::<f64>()?);
    Ok(())
}

fn too_much_kept() -> Result<()> {
    println!("4. A step that needs too much memory: what does backward keep?\n");
    let g = Graph::new();
    let (x, w) = (g.constant(draw("x", &[256, 64])?), g.leaf("w", draw("w", &[64, 64])?));
    let h = x.matmul(w).softplus();
    let wide = (h.sin() * h.exp()).tanh();
    for (how, y) in [("as it is", wide), ("with a checkpoint", wide.checkpoint(&[h]))] {
        let saved = g.saved_for_backward(&y.mean(..).grad(&[w])?, Precision::F32)?;
        println!("{how}, {saved}");
    }
    Ok(())
}
