//! What a derivative can be asked: per-example gradients, curvature, sensitivity, memory, and rules of one's own.
//!
//!     cargo run --release --example transforms

use anyhow::{Context, Result, ensure};
use chainrule::data::digits;
use chainrule::loss::softmax_cross_entropy;
use chainrule::prelude::*;
use chainrule::progress::Silent;

fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Linear::new(32).forward(&s.at("hidden"), x).tanh();
    Linear::new(10).forward(&s.at("output"), h)
}

fn main() -> Result<()> {
    let [train, test] = digits()?.reshape_examples(&[64])?.split_stratified([0.8, 0.2], Key::new(1))?;
    let mut params = Params::new();
    let trainer = Trainer::new(model, softmax_cross_entropy).epochs(10).seed(1);
    trainer.fit(&mut params, &train, None, &mut Silent)?;

    let g = Graph::new();
    let scope = Scope::root(&g, params, Mode::Evaluate, 1);
    let (x, y) = (g.constant(test.features().clone()), g.constant(test.targets().clone()));
    let logits = model(&scope, x);
    let loss = softmax_cross_entropy(logits, y);
    let weights: Vec<Var<'_>> = scope.traced().into_iter().map(|(_, v)| v).collect();
    let (size, m) = (weights.iter().map(|w| w.shape().size()).sum::<usize>(), test.examples());
    println!("a network of {size} parameters on {m} digits, loss {:.4}", loss.value()?.item::<f64>()?);

    per_example(&scope, &weights, [x, y, logits])?;
    curvature(&g, loss, &weights)?;
    sensitivity(&scope, x)?;
    memory(&g, x)?;
    own_rules(&g)?;
    Ok(())
}

/// What would this digit change? The gradient of each example alone: vmap of grad.
fn per_example<'g>(scope: &Scope<'g>, weights: &[Var<'g>], [x, y, logits]: [Var<'g>; 3]) -> Result<()> {
    let each = vmap(&[x, y], |e| {
        // One digit is a batch of one.
        softmax_cross_entropy(model(scope, e[0].insert_axis(0)), e[1].insert_axis(0)).grad(weights)
    })?;
    let squares = each.iter().map(|d| d.reshape((x.dim(0), -1)).square().sum(1));
    let norm = squares.reduce(|a, b| a + b).context("there are parameters")?.sqrt();
    let (most, which) = norm.top_k(3, 0);
    let (label, predicted) = (y.take(0, which), logits.argmax(1).take(0, which));
    println!("\nper-example gradients: the digits that would change the network most");
    let (which, label, predicted) = (which.value()?, label.value()?, predicted.value()?);
    for (i, norm) in reals(most)?.into_iter().enumerate() {
        let at = |t: &Tensor| t.get::<i64>(&[i as isize]);
        let (which, label, predicted) = (at(&which)?, at(&label)?, at(&predicted)?);
        println!("  digit {which}: a {label}, read as {predicted}, gradient of norm {norm:.2}");
    }
    let sorted = reals(norm.sort(0, Order::Ascending))?;
    println!("  the median digit has norm {:.4}", sorted[sorted.len() / 2]);
    Ok(())
}

/// The greatest curvature of the loss, by power iteration on Hessian-vector products.
fn curvature<'g>(g: &'g Graph, loss: Var<'g>, weights: &[Var<'g>]) -> Result<()> {
    let directions: Vec<Var<'g>> =
        weights.iter().enumerate().map(|(i, w)| g.input(&format!("v{i}"), w.shape(), Kind::Real)).collect();
    let products = hvp(loss, weights, &directions)?;
    let norm = products.iter().map(|p| p.square().sum(..)).reduce(|a, b| a + b).context("parameters")?.sqrt();
    let mut outputs: Vec<Var<'g>> = products.iter().map(|p| *p / norm).collect();
    outputs.push(norm);
    let mut iterate = g.compile(&directions, &outputs)?;
    let draw = |w: &Var<'_>| Tensor::normal(Key::new(3), w.shape(), 0.0, 1.0, DType::F32);
    let mut v = weights.iter().map(draw).collect::<Result<Vec<_>, _>>()?;
    let mut curvature = 0.0;
    for _ in 0..60 {
        let results = iterate.run(&v)?;
        curvature = results[weights.len()].item::<f64>()?;
        v = results[..weights.len()].to_vec();
    }
    println!("\nHessian-vector products: the steepest direction has curvature {curvature:.2},");
    println!("  so gradient descent needs a rate below 2/{curvature:.2} = {:.3}", 2.0 / curvature);
    Ok(())
}

/// Which pixels move the scores: the Jacobian of the logits by the pixels of the first digit.
fn sensitivity<'g>(scope: &Scope<'g>, x: Var<'g>) -> Result<()> {
    let pixels = x.slice(0, 0..1);
    let scores = model(scope, pixels);
    let j = jacobian(scores, pixels)?.reshape([10, 8, 8]);
    let strength = reals(j.square().sum(0).sqrt().flatten())?;
    let most = strength.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    println!("\nJacobian {}: how much each pixel of the first digit moves the ten scores", j.shape());
    for row in strength.chunks(8) {
        let shade = |s: &f64| [" ·", " ░", " ▒", " ▓", " █"][((s / most) * 4.0).round() as usize];
        println!("  {}", row.iter().map(shade).collect::<String>());
    }
    Ok(())
}

/// Memory for time: a deep chain with and without checkpoints.
fn memory<'g>(g: &'g Graph, x: Var<'g>) -> Result<()> {
    let w = g.leaf("w", Tensor::normal(Key::new(5), [64, 64], 0.0, 0.12, DType::F32)?);
    let net = |checkpointed: bool| {
        let mut h = x;
        for _ in 0..6 {
            let start = h;
            for _ in 0..4 {
                h = Var::matmul(h, w).tanh();
            }
            h = if checkpointed { h.checkpoint(&[start]) } else { h };
        }
        h.square().mean(..)
    };
    println!("\n24 layers, what the plan of their gradient works in:");
    for (name, checkpointed) in [("all kept", false), ("a checkpoint every 4", true)] {
        let d = net(checkpointed).grad(&[w])?;
        println!("  {name:<22} {:>9} bytes", g.compile(&[], &d)?.bytes());
    }
    Ok(())
}

/// A rounding that trains: the straight-through estimator, whose derivative is not that of its formula.
fn own_rules(g: &Graph) -> Result<()> {
    let w = g.leaf("w", [0.2, 1.4, -2.6]);
    let rounded = g.custom_vjp("straight_through", &[w], |w| w[0].round(), |_, _, ct| vec![ct]);
    let plain = (w.round() - 1.0).square().sum(..).grad(&[w]);
    let through = (rounded - 1.0).square().sum(..).grad(&[w])?[0];
    println!("\nround(w) has no gradient, and says so:");
    let refusal = plain.err().context("rounding has no gradient")?.to_string();
    refusal.lines().for_each(|l| println!("  {l}"));
    println!("with a straight-through vjp it is {:?}", reals(through)?);
    ensure!(reals(through)? == [-2.0, 0.0, -8.0], "2 (round(w) − 1)");
    Ok(())
}

fn reals(v: Var<'_>) -> Result<Vec<f64>> {
    let value = v.value()?.cast(DType::F64).to_contiguous();
    Ok(value.as_slice::<f64>().context("reals")?.to_vec())
}
