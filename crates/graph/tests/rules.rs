use chainrule_graph::check::Checker;
use chainrule_graph::{Graph, Optimise, Precision, Sample, Var, compositions, jvp, samples, vjp};
use chainrule_tensor::Tensor;
use proptest::prelude::*;

/// Numbers in `range`, different for every seed and position, no two close together.
pub(crate) fn draw(range: &std::ops::Range<f64>, shape: &[usize], seed: u64) -> Tensor {
    let n: usize = shape.iter().product();
    let spread = |i: usize| {
        // Multiples of the golden ratio are evenly spread in [0, 1).
        let u = ((i as f64 + 1.0) * 0.618_033_988_75 + seed as f64 * 0.377_123).fract();
        range.start + (range.end - range.start) * u
    };
    Tensor::from_vec((0..n).map(spread).collect::<Vec<f64>>(), shape).expect("n elements")
}

pub(crate) fn leaves<'g>(g: &'g Graph, sample: &Sample, seed: u64) -> Vec<Var<'g>> {
    let named =
        |(i, s): (usize, &Vec<usize>)| g.leaf(&format!("x{i}"), draw(&sample.range, s, seed + 31 * i as u64));
    sample.shapes.iter().enumerate().map(named).collect()
}

/// The sample's result made a number, every element weighted differently.
pub(crate) fn weighted<'g>(y: Var<'g>, seed: u64) -> Var<'g> {
    (y.real() * y.graph().constant(draw(&(0.5..1.5), &y.shape(), seed))).sum(..)
}

pub(crate) fn each_sample(mut test: impl FnMut(&str, &Sample)) {
    let mut count = 0;
    for (primitive, samples) in samples().into_iter().chain(compositions()) {
        for sample in samples {
            test(&format!("{primitive}: {}", sample.name), &sample);
            count += 1;
        }
    }
    assert!(count > 100, "the samples of all primitives, not {count}");
}

pub(crate) fn elements(t: &Tensor) -> Vec<f64> {
    t.as_slice::<f64>().expect("contiguous f64").to_vec()
}

#[test]
fn forward_and_reverse_mode_agree() {
    // ⟨ct, J t⟩ = ⟨Jᵀ ct, t⟩
    each_sample(|name, sample| {
        let g = Graph::new();
        let x = leaves(&g, sample, 4);
        let y = (sample.formula)(&x);
        let t: Vec<_> = sample.shapes.iter().map(|s| g.constant(draw(&(-1.0..1.0), s, 9))).collect();
        let ct = g.constant(draw(&(-1.0..1.0), &y.shape(), 13));
        let forward = (jvp(&[y], &x, &t).expect(name)[0] * ct).sum(..);
        let reverse = vjp(&[y], &x, &[ct]).expect(name);
        let zero = g.constant(0.0);
        let reverse =
            reverse.iter().zip(&t).fold(zero, |sum, (d, t)| d.map_or(sum, |d| sum + (d * *t).sum(..)));
        let value = |v: Var<'_>| v.value().expect(name).item::<f64>().expect(name);
        let (a, b) = (value(forward), value(reverse));
        assert!((a - b).abs() <= 1e-12 * a.abs().max(1.0), "{name}: {a} forward, {b} reverse");
    });
}

#[test]
fn every_plan_gives_the_same_bits() {
    each_sample(|name, sample| {
        let g = Graph::new();
        let x = leaves(&g, sample, 5);
        let loss = weighted((sample.formula)(&x), 3);
        let mut outputs = loss.grad_or_zeros(&x).expect(name);
        outputs.push(loss);
        for precision in [Precision::F32, Precision::F64] {
            let run = |optimise| {
                let mut f =
                    g.compiler(&[], &outputs).precision(precision).optimise(optimise).build().expect(name);
                // The second run finds the buffers as the first has left them.
                f.run(&[]).expect(name);
                f.run(&[]).expect(name).to_vec()
            };
            let plain = run(Optimise::NONE);
            for (fold, fuse, reuse) in
                [(true, false, false), (false, true, false), (false, false, true), (true, true, true)]
            {
                let optimised = run(Optimise { fold, fuse, reuse });
                assert!(same_bits(&plain, &optimised), "{name} in {precision:?}: {plain:?} {optimised:?}");
            }
        }
    });
}

pub(crate) fn same_bits(a: &[Tensor], b: &[Tensor]) -> bool {
    let bits = |t: &Tensor| -> Vec<u64> {
        match t {
            Tensor::F32(a) => a.iter().map(|x| u64::from(x.to_bits())).collect(),
            Tensor::F64(a) => a.iter().map(|x| x.to_bits()).collect(),
            Tensor::I64(a) => a.iter().map(|x| *x as u64).collect(),
            Tensor::Bool(a) => a.iter().map(|x| u64::from(*x)).collect(),
        }
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.shape() == b.shape() && bits(a) == bits(b))
}

#[test]
fn single_precision_is_close_to_double() {
    each_sample(|name, sample| {
        let g = Graph::new();
        let x = leaves(&g, sample, 6);
        let loss = weighted((sample.formula)(&x), 3);
        let mut outputs = loss.grad_or_zeros(&x).expect(name);
        outputs.push(loss);
        let wide = g
            .compiler(&[], &outputs)
            .precision(Precision::F64)
            .build()
            .expect(name)
            .run(&[])
            .expect(name)
            .to_vec();
        let narrow = g
            .compiler(&[], &outputs)
            .precision(Precision::F32)
            .build()
            .expect(name)
            .run(&[])
            .expect(name)
            .to_vec();
        for (w, n) in wide.iter().zip(&narrow) {
            let w = elements(w);
            let n = n.as_slice::<f32>().expect("contiguous f32");
            let scale = w.iter().fold(1.0_f64, |m, x| m.max(x.abs()));
            for (w, n) in w.iter().zip(n) {
                assert!((w - f64::from(*n)).abs() < 2e-5 * scale, "{name}: {w} in f64, {n} in f32");
            }
        }
    });
}

/// A shape that broadcasts with others of its kind: each axis is 0 or 1 or the length all share.
fn broadcastable() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    prop::collection::vec((0_usize..4, any::<bool>(), any::<bool>()), 0..4).prop_flat_map(|axes| {
        let pick = |left: bool| {
            axes.iter().map(|(n, l, r)| if if left { *l } else { *r } { 1 } else { *n }).collect::<Vec<_>>()
        };
        let (a, b) = (pick(true), pick(false));
        let cut = 0..=b.len();
        (Just(a), Just(b), cut).prop_map(|(a, b, cut)| (a, b[cut..].to_vec()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn broadcasting_formulas_have_right_gradients((a, b) in broadcastable(), seed in 0_u64..1000, swap: bool) {
        let g = Graph::new();
        let (mut x, mut y) = (g.leaf("x", draw(&(0.5..2.0), &a, seed)), g.leaf("y", draw(&(0.5..2.0), &b, seed + 1)));
        if swap {
            std::mem::swap(&mut x, &mut y);
        }
        let z = (x * y + x / y - y.exp() * x.ln()).tanh() * x.pow(y);
        let report = Checker::default().check(weighted(z, seed), &[x, y]).expect("shapes broadcast");
        prop_assert!(report.difference < 1e-7, "{report}");
    }

    #[test]
    fn reductions_of_random_views_have_right_gradients(
        shape in prop::collection::vec(0_usize..4, 1..4),
        axis in 0_usize..3,
        flip: bool,
        seed in 0_u64..1000,
    ) {
        let axis = (axis % shape.len()) as isize;
        let g = Graph::new();
        let x = g.leaf("x", draw(&(-2.0..2.0), &shape, seed));
        let order: Vec<isize> = (0..shape.len() as isize).rev().collect();
        let view = if flip { x.permute(&order).flip(axis) } else { x.permute(&order) };
        let y = view.softmax(axis).square().sum(axis) + view.mean(axis) * view.prod(axis);
        prop_assume!(!y.is_poisoned());
        let report = Checker::default().check(weighted(y, seed), &[x]).expect("an axis of the view");
        prop_assert!(report.difference < 1e-7, "{report}");
    }
}
