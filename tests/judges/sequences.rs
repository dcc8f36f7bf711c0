//! Layers over sequences against the values, gradients and second derivatives of PyTorch's (torch_sequences.py).

use std::cell::RefCell;
use std::collections::BTreeMap;

use chainrule::loss::{Ctc, Reduction};
use chainrule::prelude::*;

/// Inputs and parameters, filled as the script fills them, in its order.
struct Made<'g> {
    g: &'g Graph,
    all: RefCell<Vec<Var<'g>>>,
    params: RefCell<Params>,
    /// Names of the parameters among them, and whether PyTorch has them transposed.
    named: RefCell<Vec<(usize, String, bool)>>,
}

impl<'g> Made<'g> {
    fn filled(&self, shape: &[usize], size: f64) -> Tensor {
        let (n, k) = (shape.iter().product::<usize>(), self.all.borrow().len() as f64);
        let x = (0..n).map(|i| (1.7 * i as f64 + 0.37 * k + 0.3).sin() * size).collect();
        Tensor::from_vec(x, shape).expect("as many")
    }

    fn input(&self, shape: &[usize], size: f64) -> Var<'g> {
        let x = self.g.leaf("x", self.filled(shape, size));
        self.all.borrow_mut().push(x);
        x
    }

    /// A parameter of PyTorch's shape; a matrix is transposed.
    fn param(&self, path: &str, shape: &[usize], size: f64) {
        let value = self.filled(shape, size);
        let matrix = shape.len() == 2;
        let value = if matrix { value.t().expect("a matrix").to_contiguous() } else { value };
        self.named.borrow_mut().push((self.all.borrow().len(), path.into(), matrix));
        // Its place; the scope makes the leaf.
        self.all.borrow_mut().push(self.g.constant(0.0));
        self.params.borrow_mut().insert(path, value);
    }

    fn linear(&self, path: &str, to: usize, from: usize, size: f64) {
        self.param(&format!("{path}.weight"), &[to, from], size);
    }

    fn scope(&self) -> Scope<'g> {
        Scope::root(self.g, self.params.borrow().clone(), Mode::Train, 1)
    }

    /// Everything in the script's order, as it is now known.
    fn order(&self, scope: &Scope<'g>) -> Vec<(Var<'g>, bool)> {
        let traced: BTreeMap<String, Var<'g>> = scope.traced().into_iter().collect();
        let mut all: Vec<(Var<'g>, bool)> = self.all.borrow().iter().map(|x| (*x, false)).collect();
        for (i, path, matrix) in self.named.borrow().iter() {
            let var = traced.get(path).unwrap_or_else(|| panic!("`{path}` is not among {:?}", traced.keys()));
            all[*i] = (*var, *matrix);
        }
        assert_eq!(traced.len(), self.named.borrow().len(), "{:?}", traced.keys());
        all
    }
}

struct Options<'a>(BTreeMap<&'a str, &'a str>);

impl Options<'_> {
    fn n(&self, name: &str) -> usize {
        self.0[name].parse().unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn is(&self, name: &str) -> bool {
        self.n(name) == 1
    }

    fn list(&self, name: &str) -> Vec<i64> {
        self.0[name].split('x').filter(|n| !n.is_empty()).map(|n| n.parse().expect("a number")).collect()
    }
}

fn integers<'g>(g: &'g Graph, list: &[i64]) -> Var<'g> {
    g.constant(Tensor::from(list))
}

fn recurrent<'g>(o: &Options<'_>, made: &Made<'g>) -> (Scope<'g>, Vec<Var<'g>>) {
    let (layers, both, units) = (o.n("layers"), o.is("both"), o.n("units"));
    let x = made.input(&[o.n("batch"), o.n("steps"), o.n("features")], 1.0);
    let (net, gates, states) = match o.0["kind"] {
        "plain" => (Recurrent::plain(units), 1, 1),
        "relu" => (Recurrent::relu(units), 1, 1),
        "lstm" => (Recurrent::lstm(units), 4, 2),
        _ => (Recurrent::gru(units), 3, 1),
    };
    let net = net.layers(layers);
    let net = if both { net.bidirectional() } else { net };
    let directions = 1 + usize::from(both);
    let wanted = if o.is("state") { states } else { 0 };
    let first: Vec<Var<'g>> =
        (0..wanted).map(|_| made.input(&[layers * directions, o.n("batch"), units], 1.0)).collect();
    for layer in 0..layers {
        for name in ["forward", "backward"].into_iter().take(directions) {
            let from = if layer == 0 { o.n("features") } else { units * directions };
            let (path, width) = (format!("{name}{layer}"), gates * units);
            made.linear(&format!("{path}.input"), width, from, 0.6);
            made.linear(&format!("{path}.hidden"), width, units, 0.6);
            made.param(&format!("{path}.input.bias"), &[width], 0.6);
            made.param(&format!("{path}.hidden.bias"), &[width], 0.6);
        }
    }
    let lengths = o.list("lengths");
    let lengths = (!lengths.is_empty()).then(|| integers(made.g, &lengths));
    let scope = made.scope();
    let (y, last) = net.unroll(&scope, x, lengths, &first);
    (scope, [vec![y], last].concat())
}

fn attention<'g>(o: &Options<'_>, made: &Made<'g>) -> Var<'g> {
    let (m, n) = (o.n("m"), o.n("n"));
    let q = made.input(&[2, o.n("heads"), m, o.n("size")], 1.0);
    let k = made.input(&[2, o.n("shared"), n, o.n("size")], 1.0);
    let v = made.input(&[2, o.n("shared"), n, o.n("width")], 1.0);
    let mut attention = chainrule::nn::Attention::new();
    if o.is("biased") {
        attention = attention.bias(made.input(&[o.n("heads"), m, n], 1.0));
    }
    if o.is("causal") {
        attention = attention.causal();
    }
    if o.is("masked") {
        let sees = |i: usize, j: usize| !(3 * i + 5 * j).is_multiple_of(4) || i % n == j;
        let mask: Vec<bool> = (0..m * n).map(|at| sees(at / n, at % n)).collect();
        attention = attention.mask(made.g.constant(Tensor::from_vec(mask, [m, n]).expect("as many")));
    }
    if o.n("block") > 0 {
        attention = attention.blocks(o.n("block"));
    }
    attention.of(q, k, v)
}

fn projections(made: &Made<'_>, path: &str, size: usize, bias: bool) {
    let names = ["query", "key", "value", "output"];
    for name in names {
        made.linear(&format!("{path}{name}"), size, size, 0.6);
    }
    for name in names.into_iter().filter(|_| bias) {
        made.param(&format!("{path}{name}.bias"), &[size], 1.0);
    }
}

/// Of the second sequence the last key is padding, unless it is the only one.
fn padding<'g>(g: &'g Graph, n: usize) -> Var<'g> {
    let lengths = integers(g, &[n as i64, (n as i64 - 1).max(1)]);
    g.iota([n], 0).less(lengths.insert_axis(-1)).insert_axis(1).insert_axis(1)
}

fn multi_head<'g>(o: &Options<'_>, made: &Made<'g>) -> (Scope<'g>, Vec<Var<'g>>) {
    let size = o.n("size");
    let x = made.input(&[2, o.n("m"), size], 1.0);
    let y = if o.is("cross") { made.input(&[2, o.n("n"), size], 1.0) } else { x };
    projections(made, "", size, o.is("bias"));
    let net = MultiHead::new(o.n("heads"));
    let net = if o.is("bias") { net } else { net.without_bias() };
    let net = if o.is("causal") { net.causal() } else { net };
    let mask = o.is("padded").then(|| padding(made.g, o.n("n")));
    let scope = made.scope();
    let z = net.attend(&scope, x, y, mask);
    (scope, vec![z])
}

fn transformer<'g>(o: &Options<'_>, made: &Made<'g>) -> (Scope<'g>, Vec<Var<'g>>) {
    let (size, hidden, decoder) = (o.n("size"), o.n("hidden"), o.is("decoder"));
    let x = made.input(&[2, o.n("m"), size], 1.0);
    let memory = decoder.then(|| made.input(&[2, o.n("n"), size], 1.0));
    projections(made, "attention.", size, true);
    if decoder {
        projections(made, "cross.", size, true);
    }
    made.linear("first", hidden, size, 1.0);
    made.param("first.bias", &[hidden], 1.0);
    made.linear("second", size, hidden, 1.0);
    made.param("second.bias", &[size], 1.0);
    let norms: &[&str] = if decoder { &["norm1", "norm_cross", "norm2"] } else { &["norm1", "norm2"] };
    for name in norms {
        made.param(&format!("{name}.weight"), &[size], 1.0);
        made.param(&format!("{name}.bias"), &[size], 1.0);
    }
    let heads = MultiHead::new(o.n("heads"));
    let net = TransformerBlock::new(if o.is("causal") { heads.causal() } else { heads }, hidden);
    let net = if o.is("pre") { net.pre_norm() } else { net };
    let net = if o.is("gelu") { net.gelu() } else { net };
    let mask = o.is("padded").then(|| padding(made.g, o.n("m")));
    let scope = made.scope();
    let z = match memory {
        Some(memory) => net.decode(&scope, x, memory, [mask, None]),
        None => net.encode(&scope, x, mask),
    };
    (scope, vec![z])
}

fn ctc<'g>(o: &Options<'_>, made: &Made<'g>) -> Var<'g> {
    let batch = o.n("batch");
    let z = made.input(&[batch, o.n("steps"), o.n("classes")], 2.0);
    let labels = o.list("labels");
    let most = labels.len() / batch;
    let labels = made.g.constant(Tensor::from_vec(labels, [batch, most]).expect("as many"));
    let reduction = match o.0["reduction"] {
        "none" => Reduction::Each,
        "sum" => Reduction::Sum,
        _ => Reduction::Mean,
    };
    let [steps, lengths] = ["inputs", "lengths"].map(|name| integers(made.g, &o.list(name)));
    Ctc::new().blank(o.n("blank")).reduction(reduction).of(z, labels, Some(steps), Some(lengths))
}

fn cosines<'g>(x: Var<'g>) -> Var<'g> {
    let y = x.reshape([-1]);
    (y * y.graph().iota([y.dim(0)], 0).real().cos()).sum(..)
}

fn digest(x: &[f64]) -> [f64; 2] {
    let sum = |f: &dyn Fn(f64) -> f64| x.iter().enumerate().map(|(i, x)| x * f(i as f64)).sum::<f64>();
    [sum(&|i| (0.7 * i + 0.2).cos()), sum(&|i| (1.3 * i).sin())]
}

#[test]
fn layers_over_sequences_have_the_values_and_derivatives_of_pytorch() {
    let (mut worst, mut cases, mut numbers) = (0.0_f64, 0, 0);
    for line in include_str!("data/sequences.txt").lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let o = Options(fields[1].split(',').filter_map(|o| o.split_once('=')).collect());
        let g = Graph::new();
        let made =
            Made { g: &g, all: RefCell::default(), params: RefCell::default(), named: RefCell::default() };
        let (scope, results) = match fields[0] {
            "recurrent" => recurrent(&o, &made),
            "multi_head" => multi_head(&o, &made),
            "transformer" => transformer(&o, &made),
            "attention" => (made.scope(), vec![attention(&o, &made)]),
            _ => (made.scope(), vec![ctc(&o, &made)]),
        };
        let order = made.order(&scope);
        let vars: Vec<Var<'_>> = order.iter().map(|(x, _)| *x).collect();
        let loss = results.iter().map(|y| cosines(*y)).reduce(|a, b| a + b).expect("a result");
        let slopes = loss.grad_or_zeros(&vars).unwrap_or_else(|e| panic!("{line}: {e}"));
        let mut arrays = results.clone();
        arrays.extend(slopes.iter().zip(&order).map(|(s, (_, matrix))| if *matrix { s.t() } else { *s }));
        if fields[0] != "ctc" {
            arrays.push(slopes[0].square().sum(..).grad_or_zeros(&vars[..1]).expect("a gradient")[0]);
        }
        let mut plan = g.compile(&[], &arrays).unwrap_or_else(|e| panic!("{line}: {e}"));
        let found: Vec<f64> = plan
            .run(&[])
            .expect("runs")
            .iter()
            .flat_map(|x| digest(&x.to_vec::<f64>().expect("f64")))
            .collect();
        let wanted: Vec<f64> = fields[2].split(' ').map(|x| x.parse().expect("a number")).collect();
        assert_eq!(found.len(), wanted.len(), "{line}");
        for (i, (a, b)) in found.iter().zip(&wanted).enumerate() {
            let error = (a - b).abs() / b.abs().max(1.0);
            assert!(error <= 1e-10, "{line}: number {i} is {a}, not {b}");
            worst = worst.max(error);
        }
        cases += 1;
        numbers += wanted.len();
    }
    println!("{cases} layers over sequences, {numbers} numbers, the worst off by {worst:.1e}");
    assert_eq!(cases, 592);
}
