//! The plans of a dozen programs, as text: what a change of the planner changes is seen here.

use std::fmt::Write;
use std::path::Path;

use chainrule_graph::{Compiled, Graph, Kind, Precision, Result, Scan, Var, cond, hvp, vmap, while_loop};
use chainrule_tensor::{DType, Key, Tensor, keep};

/// What a program computes: arguments, results, and state with its next values.
pub(crate) type Parts<'g> = (Vec<Var<'g>>, Vec<Var<'g>>, Vec<(Var<'g>, Var<'g>)>);
pub(crate) type Program = for<'g> fn(&'g Graph) -> Result<Parts<'g>>;

fn data<'g>(g: &'g Graph, rows: usize, columns: usize) -> Var<'g> {
    g.input("x", [rows, columns], Kind::Real)
}

fn weights<'g>(g: &'g Graph, name: &str, shape: &[usize]) -> Var<'g> {
    g.leaf(name, Tensor::full(shape, 0.5_f32))
}

/// One step of gradient descent on `loss`.
fn descent<'g>(loss: Var<'g>, w: &[Var<'g>]) -> Result<Vec<(Var<'g>, Var<'g>)>> {
    let d = loss.grad(w)?;
    Ok(w.iter().zip(d).map(|(w, d)| (*w, *w - 0.1 * d)).collect())
}

fn attention<'g>(x: Var<'g>) -> Var<'g> {
    let scores = x.matmul(x.t()) / (x.dim(-1) as f64).sqrt();
    scores.softmax(-1).matmul(x)
}

pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("logistic regression, a training step", |g| {
        let (x, y) = (data(g, 8, 3), g.input("y", [8], Kind::Real));
        let (w, b) = (weights(g, "w", &[3, 1]), weights(g, "b", &[]));
        let z = x.matmul(w).squeeze(1) + b;
        let loss = (z.softplus() - y * z).mean(..);
        Ok((vec![x, y], vec![loss], descent(loss, &[w, b])?))
    }),
    ("a deep network with softmax, a training step", |g| {
        let (x, y) = (data(g, 8, 3), g.input("y", [8], Kind::Int));
        let w = [weights(g, "w1", &[3, 5]), weights(g, "b1", &[5]), weights(g, "w2", &[5, 4])];
        let z = (x.matmul(w[0]) + w[1]).relu().matmul(w[2]);
        let loss = -(y.one_hot(4).select(z.log_softmax(-1), 0.0)).sum(..) / 8.0;
        Ok((vec![x, y], vec![loss], descent(loss, &w)?))
    }),
    ("momentum", |g| {
        let (x, w, v) = (data(g, 8, 3), weights(g, "w", &[3, 1]), weights(g, "v", &[3, 1]));
        let loss = x.matmul(w).square().mean(..);
        let next = 0.9 * v + 0.1 * loss.grad(&[w])?[0];
        Ok((vec![x], vec![loss], vec![(v, next), (w, w - next)]))
    }),
    ("layer norm", |g| {
        let x = data(g, 8, 6);
        let centred = x - x.mean(keep(-1));
        Ok((vec![x], vec![centred * (centred.square().mean(keep(-1)) + 1e-5).rsqrt()], vec![]))
    }),
    ("attention and its gradient", |g| {
        let x = data(g, 6, 4);
        let y = attention(x);
        let d = y.square().sum(..).grad(&[x])?;
        Ok((vec![x], vec![y, d[0]], vec![]))
    }),
    ("per-example gradients", |g| {
        let (x, w) = (data(g, 8, 3), weights(g, "w", &[3]));
        let each = vmap(&[x], |e| (e[0] * w).sum(..).tanh().grad(&[w]))?;
        Ok((vec![x], each, vec![]))
    }),
    ("a Hessian-vector product", |g| {
        let (x, w, v) = (data(g, 8, 3), weights(g, "w", &[3, 1]), weights(g, "v", &[3, 1]));
        let loss = x.matmul(w).tanh().square().sum(..);
        Ok((vec![x], hvp(loss, &[w], &[v])?, vec![]))
    }),
    ("a checkpoint", |g| {
        let (x, w) = (data(g, 8, 3), weights(g, "w", &[3, 3]));
        let y = x.matmul(w).tanh().sin().checkpoint(&[x, w]);
        Ok((vec![x], y.square().sum(..).grad(&[w])?, vec![]))
    }),
    ("a recurrence and its gradient", |g| {
        let (x, w, h) = (data(g, 5, 3), weights(g, "w", &[3]), weights(g, "h", &[3]));
        let (last, all) = Scan::new().run(&[h], &[x], |h, x| {
            let h = (w * h[0] + x[0]).tanh();
            Ok((vec![h], vec![h]))
        })?;
        let loss = last[0].sum(..) + all[0].square().sum(..);
        let d = loss.grad(&[w])?;
        Ok((vec![x], vec![loss, d[0]], vec![]))
    }),
    ("Newton's square root", |g| {
        let a = g.input("a", (), Kind::Real);
        let root = while_loop(
            &[a],
            |y| (y[0] * y[0] - a).abs().greater(1e-12),
            |y| Ok(vec![0.5 * (y[0] + a / y[0])]),
        )?;
        Ok((vec![a], root, vec![]))
    }),
    ("a choice and its gradient", |g| {
        let x = data(g, 2, 3);
        let y = cond(x.sum(..).greater(0.0), || Ok(vec![x.exp()]), || Ok(vec![x * x]))?;
        Ok((vec![x], y[0].sum(..).grad(&[x])?, vec![]))
    }),
    ("views are layouts", |g| {
        let x = data(g, 4, 6);
        let y = x.t().slice(0, 1..5).flip(1).reshape([2, 2, 4]).permute([1, 0, 2]);
        Ok((vec![x], vec![y.sum(0), y.exp()], vec![]))
    }),
    ("a sorted table looked up", |g| {
        let (x, rows) = (data(g, 8, 3), g.input("rows", [5], Kind::Int));
        let taken = x.sort(0, chainrule_graph::Order::Ascending).take(0, rows);
        Ok((vec![x, rows], vec![taken, taken.square().sum(..).grad(&[x])?[0]], vec![]))
    }),
];

/// The plan of a program, without the lines of this file.
fn plan(program: Program) -> String {
    let g = Graph::new();
    let (inputs, outputs, state) = program(&g).expect("a formula");
    let compiler = g.compiler(&inputs, &outputs).state(&state).precision(Precision::F32);
    let text = compiler.build().expect("a plan").to_string();
    text.lines().fold(String::new(), |mut text, line| {
        let (step, origin) = line.split_once("  ; ").unwrap_or((line, ""));
        let phase = origin.rfind('(').map_or("", |at| &origin[at..]);
        let _ = writeln!(text, "{}", format!("{step}  {phase}").trim_end());
        text
    })
}

/// One of the programs in f64, with arguments.
pub(crate) fn golden(index: usize) -> (&'static str, Compiled, Vec<Tensor>) {
    let (name, program) = PROGRAMS[index];
    let g = Graph::new();
    let (inputs, outputs, state) = program(&g).expect("a formula");
    let drawn = |(i, x): (usize, &Var<'_>)| match x.kind() {
        Kind::Int => {
            let count: i64 = x.shape().iter().product::<usize>() as i64;
            Tensor::from_vec((0..count).map(|i| i % 4).collect(), x.shape())
        }
        _ => Tensor::uniform(Key::new(i as u64), x.shape(), 0.5..2.0, DType::F64),
    };
    let arguments = inputs
        .iter()
        .enumerate()
        .map(drawn)
        .collect::<Result<_, chainrule_tensor::Error>>()
        .expect("arguments");
    let f = g.compiler(&inputs, &outputs).state(&state).precision(Precision::F64).build().expect("a plan");
    (name, f, arguments)
}

#[test]
fn plans_are_what_they_were() {
    let mut text = String::new();
    for (name, program) in PROGRAMS {
        let _ = writeln!(text, "# {name}\n{}", plan(*program));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    for (now, before) in text.split("# ").zip(before.split("# ")) {
        assert!(
            now == before,
            "a plan has changed; if it shall, run UPDATE_GOLDEN=1 cargo test -p chainrule-graph --test graph golden\n\
             before:\n{before}\nnow:\n{now}"
        );
    }
    assert_eq!(text.len(), before.len());
}
