use chainrule::loss::{binary_cross_entropy, binary_cross_entropy_with_logits};
use chainrule::prelude::*;

type Activation = for<'g> fn(Var<'g>) -> Var<'g>;

fn tanh(z: Var<'_>) -> Var<'_> {
    z.tanh()
}
fn sigmoid(z: Var<'_>) -> Var<'_> {
    z.sigmoid()
}
fn relu(z: Var<'_>) -> Var<'_> {
    z.relu()
}
fn leaky(z: Var<'_>) -> Var<'_> {
    z.leaky_relu(0.01)
}

/// g(z) and, from lecture 3.8, g'(z), of plain tensors.
fn by_lecture(activation: usize, z: &Tensor) -> chainrule::tensor::Result<(Tensor, Tensor)> {
    let one = Tensor::from(1.0);
    let negative = z.less(&Tensor::from(0.0))?;
    Ok(match activation {
        0 => {
            let a = z.tanh()?;
            let slope = (&one - &(&a * &a)?)?;
            (a, slope)
        }
        1 => {
            let a = z.sigmoid()?;
            let slope = (&a * &(&one - &a)?)?;
            (a, slope)
        }
        2 => (negative.select(&Tensor::from(0.0), z)?, negative.select(&Tensor::from(0.0), &one)?),
        _ => {
            let small = Tensor::from(0.01);
            (negative.select(&(z * &small)?, z)?, negative.select(&small, &one)?)
        }
    })
}

const ACTIVATIONS: [Activation; 4] = [tanh, sigmoid, relu, leaky];

fn normal(seed: u64, name: &str, shape: [usize; 2]) -> Tensor {
    Tensor::normal(Key::new(seed).named(name), shape, 0.0, 1.0, DType::F64).expect("a standard deviation")
}

fn labels(seed: u64, m: usize) -> Tensor {
    let u = Tensor::uniform(Key::new(seed).named("y"), [1, m], 0.0..1.0, DType::F64).expect("a range");
    u.less(&Tensor::from(0.5)).expect("one dtype").cast(DType::F64)
}

fn close(a: &Tensor, b: &Tensor) -> bool {
    let gap = (a - b).and_then(|d| d.abs()).and_then(|d| d.sum(..));
    let scale = b.abs().and_then(|b| b.sum(..));
    let number =
        |t: chainrule::tensor::Result<Tensor>| t.and_then(|t| t.item::<f64>()).expect("equal shapes");
    a.shape() == b.shape() && number(gap) <= 1e-12 * number(scale).max(1e-3)
}

/// A number in a range, by seed and purpose.
fn drawn(seed: u64, purpose: &str, range: std::ops::Range<usize>) -> usize {
    range.start + Key::new(seed).named(purpose).permutation(range.len()).expect("a few")[0]
}

/// 2.14: dZ = A − Y, dw = X dZᵀ/m, db = Σ dZ/m.
#[test]
fn logistic_regression() -> Result<(), Box<dyn std::error::Error>> {
    for seed in 0..30 {
        let (n, m) = (drawn(seed, "n", 1..8), drawn(seed, "m", 1..30));
        let (x, y, w) = (normal(seed, "x", [n, m]), labels(seed, m), normal(seed, "w", [n, 1]));
        let a = w.t()?.matmul(&x)?.add(&Tensor::from(0.25))?.sigmoid()?;
        let dz = (&a - &y)?;
        let count = Tensor::from(m as f64);
        let dw = (&x.matmul(&dz.t()?)? / &count)?;
        let db = (&dz.sum(..)? / &count)?;

        let g = Graph::new();
        let (w, b) = (g.leaf("w", w), g.leaf("b", 0.25));
        let (x, y) = (g.constant(x), g.constant(y));
        let z = w.t().matmul(x) + b;
        for loss in [binary_cross_entropy_with_logits(z, y), binary_cross_entropy(z.sigmoid(), y)] {
            let d = loss.grad(&[w, b])?;
            assert!(close(&d[0].value()?, &dw) && close(&d[1].value()?, &db));
        }
    }
    Ok(())
}

/// 3.9 and 4.6: the recursion dZ[l] = W[l+1]ᵀ dZ[l+1] ∗ g'(Z[l]), dW = dZ Aᵀ/m, db = Σ dZ/m, through any number
/// of layers, with the penalty's λ/m W (course 2, 1.4) added.
#[test]
fn deep_networks() -> Result<(), Box<dyn std::error::Error>> {
    for seed in 0..30 {
        let depth = drawn(seed, "depth", 2..5);
        let sizes: Vec<usize> = (0..depth).map(|l| drawn(seed, &format!("size{l}"), 1..6)).collect();
        let (m, activation) = (drawn(seed, "m", 1..12), drawn(seed, "activation", 0..4));
        let lambda = drawn(seed, "lambda", 0..100) as f64 / 50.0;
        let layers = sizes.len();
        let widths: Vec<usize> = sizes.iter().copied().chain([1]).collect();
        let weights: Vec<Tensor> =
            (0..layers).map(|l| normal(seed, &format!("w{l}"), [widths[l + 1], widths[l]])).collect();
        let biases: Vec<Tensor> =
            (0..layers).map(|l| normal(seed, &format!("b{l}"), [widths[l + 1], 1])).collect();
        let (x, y) = (normal(seed, "x", [sizes[0], m]), labels(seed, m));
        let count = Tensor::from(m as f64);

        // By the lectures: forward with caches, then backward.
        let (mut a, mut slopes) = (vec![x.clone()], Vec::new());
        for l in 0..layers {
            let z = weights[l].matmul(&a[l])?.add(&biases[l])?;
            let (next, slope) = if l + 1 == layers { (z.sigmoid()?, z) } else { by_lecture(activation, &z)? };
            a.push(next);
            slopes.push(slope);
        }
        let mut dz = (&a[layers] - &y)?;
        let mut expected = Vec::new();
        for l in (0..layers).rev() {
            let penalty = (&weights[l] * &Tensor::from(lambda / m as f64))?;
            let dw = (&(&dz.matmul(&a[l].t()?)? / &count)? + &penalty)?;
            let db = (&dz.sum(keep(1))? / &count)?;
            expected.push((dw, db));
            if l > 0 {
                dz = (&weights[l].t()?.matmul(&dz)? * &slopes[l - 1])?;
            }
        }
        expected.reverse();

        // By recording the forward formula alone.
        let g = Graph::new();
        let w: Vec<_> = weights.into_iter().enumerate().map(|(l, w)| g.leaf(&format!("W{l}"), w)).collect();
        let b: Vec<_> = biases.into_iter().enumerate().map(|(l, b)| g.leaf(&format!("b{l}"), b)).collect();
        let mut out = g.constant(x);
        for l in 0..layers {
            let z = w[l].matmul(out) + b[l];
            out = if l + 1 == layers { z } else { ACTIVATIONS[activation](z) };
        }
        let cost = binary_cross_entropy_with_logits(out, g.constant(y));
        let named: Vec<(String, Var<'_>)> = w.iter().map(|w| ("layer.weight".to_string(), *w)).collect();
        let loss = cost + Penalty::l2(lambda).of(&g, &named, m);
        let (dw, db) = (loss.grad(&w)?, loss.grad(&b)?);
        for (l, (right_w, right_b)) in expected.iter().enumerate() {
            assert!(close(&dw[l].value()?, right_w), "dW{l}");
            assert!(close(&db[l].value()?, right_b), "db{l}");
        }
    }
    Ok(())
}

/// 3.8: the derivative at 0 is that of the right side.
#[test]
fn kinks_take_the_right_side() {
    let g = Graph::new();
    let z = g.leaf("z", [-2.0, 0.0, 2.0]);
    let slope = |y: Var<'_>| y.sum(..).grad(&[z]).expect("connected")[0].value().expect("a value");
    assert_eq!(slope(z.relu()), Tensor::from([0.0, 1.0, 1.0]));
    assert_eq!(slope(z.leaky_relu(0.01)), Tensor::from([0.01, 1.0, 1.0]));
    assert_eq!(slope(z.abs()), Tensor::from([-1.0, 0.0, 1.0]));
    assert_eq!(slope(z.maximum(0.0)), Tensor::from([0.0, 0.5, 1.0]));
}

/// 2.7 and 2.8: J = 3(a + bc).
#[test]
fn computation_graph() {
    let g = Graph::new();
    let (a, b, c) = (g.leaf("a", 5.0), g.leaf("b", 3.0), g.leaf("c", 2.0));
    let u = b * c;
    let v = a + u;
    let j = 3.0 * v;
    let d = j.grad(&[v, a, u, b, c]).expect("connected");
    let value = |v: &Var<'_>| v.value().and_then(|t| Ok(t.item::<f64>()?)).expect("a number");
    assert_eq!(value(&j), 33.0);
    assert_eq!(d.iter().map(value).collect::<Vec<_>>(), [3.0, 3.0, 3.0, 6.0, 9.0]);
}

/// Losses from logits stay finite and right at ±1e4 in f32.
#[test]
fn losses_are_stable_for_any_logits() {
    let g = Graph::new();
    let z = g.leaf("z", [1e4_f32, -1e4, 1e4, -1e4]);
    let y = g.constant([1.0_f32, 0.0, 0.0, 1.0]);
    let loss = binary_cross_entropy_with_logits(z, y);
    assert_eq!(loss.value().expect("a value").item::<f32>().expect("a number"), 5e3);
    let d = loss.grad(&[z]).expect("connected")[0].value().expect("a value");
    assert_eq!(d, Tensor::from([0.0_f32, 0.0, 0.25, -0.25]));
    let z = g.leaf("scores", [[1e4_f32, 0.0, -1e4], [-1e4, 1e4, 0.0]]);
    let loss = chainrule::loss::softmax_cross_entropy(z, g.constant([0_i64, 2]));
    assert_eq!(loss.value().expect("a value").item::<f32>().expect("a number"), 5e3);
    let d = loss.grad(&[z]).expect("connected")[0].value().expect("a value");
    assert_eq!(d, Tensor::from([[0.0_f32, 0.0, 0.0], [0.0, 0.5, -0.5]]));
}
