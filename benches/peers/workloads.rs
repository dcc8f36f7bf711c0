//! The work that is compared: its numbers, its loss, and what is asked of it, written as a user would.

use chainrule::graph::{Compiled, Precision, Profile, hvp};
use chainrule::loss;
use chainrule::nn::{Goal, Learning, Step};
use chainrule::optim::{Adam, Momentum, Sgd};
use chainrule::prelude::*;

/// What one repetition does.
#[derive(Clone, Copy)]
pub(crate) enum Task {
    /// A training step at this rate.
    Sgd(f64),
    Momentum(f64),
    Adam(f64),
    /// The loss and its gradient in every parameter.
    Gradient,
    /// The product of the Hessian with a direction.
    Hessian,
}

impl Task {
    /// As the other side reads it.
    pub(crate) fn words(self) -> String {
        match self {
            Task::Sgd(rate) => format!("sgd {rate}"),
            Task::Momentum(rate) => format!("momentum {rate}"),
            Task::Adam(rate) => format!("adam {rate}"),
            Task::Gradient => "gradient".into(),
            Task::Hessian => "hessian".into(),
        }
    }
}

type Loss = for<'g> fn(&'g Graph, &[Var<'g>], &[Var<'g>]) -> Var<'g>;

/// A name, what it is, its parameters and data, its loss as a formula over them, and what is asked.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) task: Task,
    params: fn() -> Vec<Tensor>,
    data: fn() -> Vec<Tensor>,
    loss: Loss,
}

/// Numbers of the uniform distribution on −`most` to `most`; the same for the same seed and shape.
fn spread(seed: u64, shape: &[usize], most: f64) -> Tensor {
    Tensor::uniform(Key::new(seed), shape, -most..most, DType::F32).expect("a range")
}

fn positive(seed: u64, shape: &[usize]) -> Tensor {
    Tensor::uniform(Key::new(seed), shape, 0.0..1.0, DType::F32).expect("a range")
}

fn coins(seed: u64, rows: usize) -> Tensor {
    let heads = positive(seed, &[rows, 1]).to_vec::<f32>().expect("f32");
    Tensor::from_vec(heads.into_iter().map(f32::round).collect(), [rows, 1]).expect("a column")
}

fn labels(seed: u64, rows: usize, classes: usize) -> Tensor {
    let drawn = positive(seed, &[rows]).to_vec::<f32>().expect("f32");
    Tensor::from(drawn.into_iter().map(|p| (p * classes as f32) as i64).collect::<Vec<_>>())
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32)
}

/// Weights and biases of dense layers of `sizes`, the weights of variance `gain` / (3 · fan-in).
fn dense(sizes: &[usize], gain: f64) -> Vec<Tensor> {
    let layer =
        |(i, s): (usize, &[usize])| [spread(10 + i as u64, s, (gain / s[0] as f64).sqrt()), zeros(&[s[1]])];
    sizes.windows(2).enumerate().flat_map(layer).collect()
}

fn kernel(seed: u64, shape: &[usize], gain: f64) -> Tensor {
    spread(seed, shape, (gain / shape[1..].iter().product::<usize>() as f64).sqrt())
}

fn layers<'g>(p: &[Var<'g>], x: Var<'g>, activation: fn(Var<'g>) -> Var<'g>) -> Var<'g> {
    let last = p.len() / 2 - 1;
    p.chunks(2).enumerate().fold(x, |a, (i, wb)| {
        let z = a.matmul(wb[0]) + wb[1];
        if i < last { activation(z) } else { z }
    })
}

fn logistic<'g>(_: &'g Graph, p: &[Var<'g>], x: &[Var<'g>]) -> Var<'g> {
    loss::binary_cross_entropy_with_logits(layers(p, x[0], Var::tanh), x[1])
}

fn classifier<'g>(_: &'g Graph, p: &[Var<'g>], x: &[Var<'g>]) -> Var<'g> {
    loss::softmax_cross_entropy(layers(p, x[0], Var::relu), x[1])
}

fn smooth_classifier<'g>(_: &'g Graph, p: &[Var<'g>], x: &[Var<'g>]) -> Var<'g> {
    loss::softmax_cross_entropy(layers(p, x[0], Var::tanh), x[1])
}

fn formula<'g>(_: &'g Graph, p: &[Var<'g>], _: &[Var<'g>]) -> Var<'g> {
    let (a, b, c) = (p[0], p[1], p[2]);
    ((a * b + c).tanh() * a.sigmoid() - (-(a * a)).exp()).sum(..)
}

fn lenet<'g>(_: &'g Graph, p: &[Var<'g>], x: &[Var<'g>]) -> Var<'g> {
    let per_channel = |b: Var<'g>| b.reshape([-1, 1, 1]);
    let halved = Slide::new().stride(2);
    let same = Slide::new().padding(Padding::Same);
    let a = (x[0].conv(p[0], &same) + per_channel(p[1])).relu().max_pool([2, 2], &halved);
    let a = (a.conv(p[2], &Slide::new()) + per_channel(p[3])).relu().max_pool([2, 2], &halved);
    let a = a.reshape([-1, 400]);
    loss::softmax_cross_entropy(layers(&p[4..], a, Var::relu), x[1])
}

fn residual<'g>(_: &'g Graph, p: &[Var<'g>], _: &[Var<'g>]) -> Var<'g> {
    let same = Slide::new().padding(Padding::Same);
    let per_channel = |b: Var<'g>| b.reshape([-1, 1, 1]);
    let x = p[4];
    let h = (x.conv(p[0], &same) + per_channel(p[1])).relu();
    (h.conv(p[2], &same) + per_channel(p[3]) + x).relu().square().mean(..)
}

fn lstm<'g>(g: &'g Graph, p: &[Var<'g>], x: &[Var<'g>]) -> Var<'g> {
    let (batch, units) = (x[0].dim(1), p[1].dim(0));
    let zero = g.constant(0.0).broadcast_to([batch, units]);
    let inputs = x[0].matmul(p[0]) + p[2];
    let all = scan(&[zero, zero], &[inputs], |old, x| {
        let z = x[0] + old[0].matmul(p[1]);
        let gate = |i: usize| z.slice(-1, i * units..(i + 1) * units);
        let c = gate(1).sigmoid() * old[1] + gate(0).sigmoid() * gate(2).tanh();
        let h = gate(3).sigmoid() * c.tanh();
        Ok((vec![h, c], vec![h]))
    });
    match all {
        Ok((_, hidden)) => hidden[0].square().mean(..),
        Err(error) => g.poison(error),
    }
}

fn transformer<'g>(_: &'g Graph, p: &[Var<'g>], _: &[Var<'g>]) -> Var<'g> {
    let normal = |x: Var<'g>, scale, shift| {
        let centred = x - x.mean(-1).insert_axis(-1);
        let spread = (centred.square().mean(-1).insert_axis(-1) + 1e-5).sqrt();
        centred / spread * scale + shift
    };
    let x = p[12];
    let qkv = normal(x, p[0], p[1]).matmul(p[2]) + p[3];
    let qkv = qkv.reshape([8, 128, 3, 4, 64]).permute([2, 0, 3, 1, 4]);
    let part = |i| qkv.slice(0, i..i + 1).squeeze(0);
    let a = chainrule::nn::Attention::new().of(part(0), part(1), part(2));
    let x = x + a.swap_axes(1, 2).reshape([8, 128, 256]).matmul(p[4]) + p[5];
    let h = (normal(x, p[6], p[7]).matmul(p[8]) + p[9]).gelu();
    (x + h.matmul(p[10]) + p[11]).square().mean(..)
}

fn block() -> Vec<Tensor> {
    let d = 256;
    let ones = || Tensor::ones([d], DType::F32);
    let mut p = vec![ones(), zeros(&[d])];
    p.extend(dense(&[d, 3 * d], 3.0));
    p.extend(dense(&[d, d], 3.0));
    p.extend([ones(), zeros(&[d])]);
    p.extend(dense(&[d, 4 * d, d], 3.0));
    p.push(spread(1, &[8, 128, d], 1.0));
    p
}

/// All of them.
pub(crate) fn all() -> Vec<Workload> {
    let w = |name, what, task, params, data, loss| Workload { name, what, task, params, data, loss };
    let digits = || vec![positive(1, &[128, 784]), labels(2, 128, 10)];
    let few = || vec![positive(1, &[32, 784]), labels(2, 32, 10)];
    let wide = || dense(&[784, 512, 256, 10], 6.0);
    let slim = || dense(&[784, 128, 64, 10], 6.0);
    vec![
        w(
            "W1",
            "logistic regression, 209 × 12288, SGD",
            Task::Sgd(0.001),
            || vec![zeros(&[12288, 1]), zeros(&[1])],
            || vec![positive(1, &[209, 12288]), coins(2, 209)],
            logistic,
        ),
        w(
            "W1t",
            "logistic regression, 569 × 30, SGD",
            Task::Sgd(0.001),
            || vec![zeros(&[30, 1]), zeros(&[1])],
            || vec![positive(1, &[569, 30]), coins(2, 569)],
            logistic,
        ),
        w(
            "W2",
            "2-4-1, tanh, 400 rows, SGD",
            Task::Sgd(0.1),
            || dense(&[2, 4, 1], 3.0),
            || vec![spread(1, &[400, 2], 1.0), coins(2, 400)],
            logistic,
        ),
        w("W3a", "784-512-256-10, batch 128, momentum", Task::Momentum(0.01), wide, digits, classifier),
        w("W3a-adam", "784-512-256-10, batch 128, Adam", Task::Adam(0.001), wide, digits, classifier),
        w("W3b", "784-128-64-10, batch 32, momentum", Task::Momentum(0.01), slim, few, classifier),
        w("W3b-adam", "784-128-64-10, batch 32, Adam", Task::Adam(0.001), slim, few, classifier),
        w(
            "W4",
            "20 layers of 64, batch 64, ReLU, SGD",
            Task::Sgd(0.01),
            || dense(&[64; 21], 6.0),
            || vec![spread(1, &[64, 64], 1.0), labels(2, 64, 64)],
            classifier,
        ),
        w(
            "W5",
            "Σ tanh(ab + c) σ(a) − exp(−a²), 10⁶ elements, gradients",
            Task::Gradient,
            || (1..4).map(|i| spread(i, &[1_000_000], 1.0)).collect(),
            Vec::new,
            formula,
        ),
        w(
            "W6a",
            "LeNet-5, batch 64, SGD",
            Task::Sgd(0.01),
            || {
                let mut p = vec![kernel(20, &[6, 1, 5, 5], 6.0), zeros(&[6])];
                p.extend([kernel(21, &[16, 6, 5, 5], 6.0), zeros(&[16])]);
                p.extend(dense(&[400, 120, 84, 10], 6.0));
                p
            },
            || vec![positive(1, &[64, 1, 28, 28]), labels(2, 64, 10)],
            lenet,
        ),
        w(
            "W6b",
            "residual block, 3 × 3, 64 channels, 16 × 32², gradients",
            Task::Gradient,
            || {
                let conv = |seed| [kernel(seed, &[64, 64, 3, 3], 3.0), zeros(&[64])];
                let mut p = [conv(20), conv(21)].concat();
                p.push(spread(1, &[16, 64, 32, 32], 1.0));
                p
            },
            Vec::new,
            residual,
        ),
        w(
            "W7",
            "LSTM 64 → 128, 64 steps, batch 32, SGD",
            Task::Sgd(0.01),
            || {
                let most = 128_f64.powf(-0.5);
                vec![spread(20, &[64, 512], most), spread(21, &[128, 512], most), spread(22, &[512], most)]
            },
            || vec![spread(1, &[64, 32, 64], 1.0)],
            lstm,
        ),
        w(
            "W8",
            "transformer block, width 256, 4 heads, 8 × 128, gradients",
            Task::Gradient,
            block,
            Vec::new,
            transformer,
        ),
        w(
            "W9",
            "Hessian-vector product, 784-128-10, tanh, batch 128",
            Task::Hessian,
            || dense(&[784, 128, 10], 3.0),
            digits,
            smooth_classifier,
        ),
    ]
}

/// What is ready to be repeated.
pub(crate) enum Job {
    Step(Step, Vec<Tensor>),
    Function(Compiled, Vec<Tensor>),
}

impl Job {
    /// Does the work once: the loss, or for the Hessian the sum of the squares of the product.
    pub(crate) fn run(&mut self) -> anyhow::Result<f64> {
        Ok(match self {
            Job::Step(step, data) => step.run(data)?,
            Job::Function(f, arguments) => f.run(arguments)?[0].item::<f64>()?,
        })
    }

    /// Where the time goes.
    pub(crate) fn profile(&mut self, runs: usize) -> anyhow::Result<Profile> {
        Ok(match self {
            Job::Step(step, data) => step.profile(data, runs)?,
            Job::Function(f, arguments) => f.profile(arguments, runs)?,
        })
    }
}

impl Workload {
    /// All numbers by name: parameters `p00` …, data `x00` …, and of the Hessian the direction `v00` ….
    pub(crate) fn numbers(&self) -> Vec<(String, Tensor)> {
        let named = |letter: &'static str, all: Vec<Tensor>| {
            all.into_iter().enumerate().map(move |(i, t)| (format!("{letter}{i:02}"), t))
        };
        let all = named("p", (self.params)()).chain(named("x", (self.data)()));
        all.chain(named("v", self.direction())).collect()
    }

    fn direction(&self) -> Vec<Tensor> {
        match self.task {
            Task::Hessian => {
                let along = |(i, p): (usize, Tensor)| spread(40 + i as u64, p.shape(), 1.0);
                (self.params)().into_iter().enumerate().map(along).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Records, differentiates and plans.
    pub(crate) fn prepare(&self) -> anyhow::Result<Job> {
        let (params, data) = ((self.params)(), (self.data)());
        let rate = match self.task {
            Task::Gradient | Task::Hessian => return self.function(&params, &data),
            Task::Sgd(rate) | Task::Momentum(rate) | Task::Adam(rate) => rate,
        };
        let mut store = Params::new();
        let paths: Vec<String> = (0..params.len()).map(|i| format!("p{i:02}")).collect();
        for (path, tensor) in paths.iter().zip(&params) {
            store.insert(path, tensor.clone());
        }
        let step = Step::builder().record(store, &data, |s, x| {
            let p: Vec<Var<'_>> =
                paths.iter().zip(&params).map(|(path, t)| s.param(path, t.shape(), Init::Zeros)).collect();
            let loss = (self.loss)(s.graph(), &p, x);
            Learning::of(match self.task {
                Task::Momentum(_) => Goal::new("loss", loss, Momentum::new(rate)),
                Task::Adam(_) => Goal::new("loss", loss, Adam::new(rate)),
                _ => Goal::new("loss", loss, Sgd::new(rate)),
            })
        })?;
        Ok(Job::Step(step, data))
    }

    fn function(&self, params: &[Tensor], data: &[Tensor]) -> anyhow::Result<Job> {
        let g = Graph::new();
        let input = |(i, t): (usize, &Tensor)| {
            let kind = if t.dtype() == DType::I64 { Kind::Int } else { Kind::Real };
            g.input(&format!("input{i}"), t.shape(), kind)
        };
        let direction = self.direction();
        let arguments = [params, data, &direction].concat();
        let all: Vec<Var<'_>> = arguments.iter().enumerate().map(input).collect();
        let (p, rest) = all.split_at(params.len());
        let (x, v) = rest.split_at(data.len());
        let loss = (self.loss)(&g, p, x);
        let mut outputs = if v.is_empty() { loss.grad(p)? } else { hvp(loss, p, v)? };
        let first = match v {
            [] => loss,
            _ => outputs.iter().map(|h| h.square().sum(..)).reduce(|a, b| a + b).unwrap_or(loss),
        };
        outputs.insert(0, first);
        Ok(Job::Function(g.compiler(&all, &outputs).precision(Precision::F32).build()?, arguments))
    }
}
