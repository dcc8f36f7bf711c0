//! Mistakes in matrix products.

use chainrule_tensor::Tensor;

use super::formula::{Named, close};
use super::guess::Evidence;
use super::hypothesis::Hypothesis;
use super::probe::reals;
use super::replay::Scene;
use crate::error::Result;

/// A matrix with a name.
struct Matrix {
    name: String,
    transposed: bool,
    value: Tensor,
}

/// Cotangents behind the usual activations, in terms of their result.
const ACTIVATIONS: &[Named] = &[
    ("ct∘(1 - y²)", |y| 1.0 - y * y),
    ("ct∘y∘(1 - y)", |y| y * (1.0 - y)),
    ("ct∘[y > 0]", |y| f64::from(y > 0.0)),
];

/// Whether the recorded derivative is a product of two of the operands, the result and its cotangent, and the right
/// one another such product.
pub(super) fn product(scene: &Scene, evidence: &Evidence<'_>) -> Result<Option<Hypothesis>> {
    if evidence.shape.len() != 2 {
        return Ok(None);
    }
    let factors = factors(scene, &evidence.names)?;
    let (mut recorded, mut shown) = (None, None);
    for a in &factors {
        for b in &factors {
            if a.value.shape()[1] != b.value.shape()[0] {
                continue;
            }
            let product = a.value.matmul(&b.value)?;
            if product.shape() != &evidence.shape[..] {
                continue;
            }
            let p = reals(&product);
            let fits = |of: fn((usize, f64, f64)) -> (usize, f64)| {
                evidence.first().map(of).all(|(at, d)| close(p[at], d, evidence.gauge))
            };
            if recorded.is_none() && fits(|(at, g, _)| (at, g)) {
                recorded = Some((a, b));
            }
            if shown.is_none() && fits(|(at, _, t)| (at, t)) {
                shown = Some((a, b));
            }
        }
    }
    let (Some(recorded), Some(shown)) = (recorded, shown) else { return Ok(None) };
    let write = |(a, b): (&Matrix, &Matrix)| {
        let letter = |m: &Matrix| {
            let name = if m.name.contains('∘') { format!("({})", m.name) } else { m.name.clone() };
            if m.transposed { name + "ᵀ" } else { name }
        };
        format!("{}·{}", letter(a), letter(b))
    };
    let (text, right) = (write(recorded), write(shown));
    let same = (&recorded.0.name, &recorded.1.name) == (&shown.0.name, &shown.1.name);
    Ok(Some(if same {
        Hypothesis::Transposed { formulas: Some((text, right)) }
    } else {
        Hypothesis::Formula { recorded: text, shown: Some(right) }
    }))
}

/// All matrices about an operation, as they are and transposed.
fn factors(scene: &Scene, names: &[usize]) -> Result<Vec<Matrix>> {
    let ct = scene.values.last().cloned();
    let mut named: Vec<(String, Tensor)> = ct.map(|ct| ("ct".to_string(), ct)).into_iter().collect();
    named.extend(names.iter().zip(&scene.values).map(|(n, v)| (format!("x{n}"), v.clone())));
    named.push(("y".into(), scene.result.clone()));
    // A layer in one operation: the cotangent of what its activation is applied to.
    if let Some(ct) = scene.values.last().filter(|_| reals(&scene.result).len() > 1) {
        for (name, slope) in ACTIVATIONS {
            let through = reals(ct).iter().zip(reals(&scene.result)).map(|(ct, y)| ct * slope(*y)).collect();
            named.push(((*name).into(), Tensor::from_vec::<f64>(through, scene.result.shape())?));
        }
    }
    let mut found = Vec::new();
    for (name, value) in named.into_iter().filter(|(_, v)| v.rank() == 2 && v.dtype().is_real()) {
        found.push(Matrix { name: name.clone(), transposed: true, value: value.t()?.to_contiguous() });
        found.push(Matrix { name, transposed: false, value });
    }
    Ok(found)
}
