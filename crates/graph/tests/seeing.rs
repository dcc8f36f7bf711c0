//! What can be read of a graph: equations, and what backward keeps.

use chainrule_graph::{Graph, Precision, Scan, Var, cond};

fn lines(of: &[chainrule_graph::Equation]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}

#[test]
fn logistic_regression_reads_as_in_the_lecture() {
    let g = Graph::new();
    let (x, y) = (g.leaf("x", [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), g.leaf("y", [[0.0], [1.0], [1.0]]));
    let (w, b) = (g.leaf("w", [[0.1], [-0.2]]), g.leaf("b", 0.3));
    let z = x.matmul(w) + b;
    let loss = (z.softplus() - y * z).mean(..);
    let equations = loss.equations(&[w, b]).expect("connected");
    assert_eq!(
        lines(&equations.forward),
        [
            "v1 = x @ w",
            "v2 = v1 + b",
            "v3 = softplus(v2)",
            "v4 = y · v2",
            "v5 = v3 − v4",
            "v6 = sum(v5, axes=0..2)",
            "J = v6 / 3"
        ]
    );
    let backward = lines(&equations.backward);
    assert_eq!(backward.first().map(String::as_str), Some("dJ = 1"));
    for line in [
        "dv6 = dJ / 3",
        "dv4 = −dv5",
        "db = sum(dv2, axes=0..2)",
        "dv2 = y · dv4 + sigmoid(v2) · dv3",
        "dw = xᵀ @ dv1",
    ] {
        assert!(backward.iter().any(|l| l == line), "{line} is missing in\n{equations}");
    }
    assert!(equations.to_string().contains("seeing.rs:"));
}

#[test]
fn equations_mean_what_the_gradient_is() {
    // Every name is defined before it is used, right to left in the backward part.
    let g = Graph::new();
    let (a, b) = (g.leaf("a", [0.5, 1.5]), g.leaf("b", 2.0));
    let mut h = a;
    for _ in 0..5 {
        h = (h * b + a).tanh() / (h.square() + 1.0).sqrt();
    }
    let equations = h.norm().equations(&[a, b]).expect("connected");
    let mut known = vec!["a".to_string(), "b".to_string()];
    for e in equations.forward.iter().chain(&equations.backward) {
        let words = e.expression.split(|c: char| !c.is_alphanumeric());
        let names = words.filter(|w| {
            let w = w.trim_start_matches('d');
            (w.starts_with('v') || w.starts_with('t'))
                && w[1..].chars().all(|c| c.is_ascii_digit())
                && w.len() > 1
        });
        for name in names {
            assert!(known.iter().any(|k| k == name), "{name} is used before it is defined in\n{equations}");
        }
        known.push(e.name.clone());
    }
    assert!(known.contains(&"da".to_string()) && known.contains(&"db".to_string()));
}

#[test]
fn a_long_formula_can_be_written() {
    let g = Graph::new();
    let x = g.leaf("x", 0.1);
    let mut y = x;
    for _ in 0..3000 {
        y = y * 0.999 + x;
    }
    let equations = y.equations(&[x]).expect("connected");
    assert_eq!(equations.forward.len(), 6000);
}

#[test]
fn backward_keeps_what_its_rules_read_and_no_more() {
    let g = Graph::new();
    let x = g.leaf("x", chainrule_tensor::Tensor::zeros([8, 4], chainrule_tensor::DType::F64));
    let w = g.leaf("w", chainrule_tensor::Tensor::zeros([4, 3], chainrule_tensor::DType::F64));
    let z = x.matmul(w);
    let line = line!() + 1;
    let a = z.tanh();
    let saved =
        |y: Var<'_>| g.saved_for_backward(&y.grad(&[w]).expect("connected"), Precision::F64).expect("values");
    let of_tanh = saved(a.sum(..));
    assert_eq!((of_tanh.values.len(), of_tanh.bytes()), (1, 8 * 3 * 8));
    assert_eq!(of_tanh.values[0].op, "tanh");
    let text = of_tanh.to_string();
    assert!(
        text.contains("kept for backward: 1 values, 192 bytes")
            && text.contains(&format!("seeing.rs:{line}")),
        "{text}"
    );
    // A linear function keeps nothing, a checkpoint only where it starts.
    assert_eq!(saved((z * 2.0).sum(..)).bytes(), 0);
    let deep = |checkpointed: bool| {
        let mut h = a;
        for _ in 0..4 {
            h = h.sin();
        }
        saved(if checkpointed { h.checkpoint(&[a]) } else { h }.sum(..)).values.len()
    };
    assert_eq!((deep(false), deep(true)), (4, 1));
}

#[test]
fn each_name_in_equations_means_one_thing() {
    let g = Graph::new();
    let x = g.leaf("x", [[1.0, 2.0], [3.0, 4.0]]);
    let leaf = |scope: &str, name: &str| {
        let _scope = g.enter(scope);
        g.leaf(name, [[0.5, 0.1], [0.2, 0.3]])
    };
    let (a, b) = (leaf("a", "w"), leaf("b", "w"));
    let layers = x.matmul(a).matmul(b).sum(..).equations(&[a, b]).expect("connected");
    assert_eq!(lines(&layers.forward)[..2], ["v1 = x @ a.w", "v2 = v1 @ b.w"]);
    for line in ["da.w = xᵀ @ dv1", "db.w = v1ᵀ @ dv2"] {
        assert!(lines(&layers.backward).iter().any(|l| l == line), "{line} is missing in\n{layers}");
    }
    let (w, v) = (g.leaf("w", 2.0), g.leaf("w", 3.0));
    assert_eq!(lines(&(w * v).equations(&[w, v]).expect("connected").forward), ["J = w · w′"]);
    let v1 = g.leaf("v1", 2.0);
    assert_eq!(
        lines(&(v1 * v1).exp().equations(&[v1]).expect("connected").forward),
        ["v2 = v1 · v1", "J = exp(v2)"]
    );
    let (sum, other, result) = (g.leaf("a + b", 2.0), g.leaf("dw", 3.0), g.leaf("J", 1.0));
    let odd = (sum * w * other * result).equations(&[sum, other, w, result]).expect("connected");
    assert_eq!(lines(&odd.forward), ["v1 = `a + b` · w", "v2 = v1 · dw′", "J = v2 · J′"]);
    assert!(lines(&odd.backward).contains(&"d`a + b` = w · dv1".to_string()), "{odd}");
    let cube = g.custom_vjp("cube", &[w], |w| w[0] * w[0] * w[0], |w, _, ct| vec![ct * 3.0 * w[0] * w[0]]);
    assert_eq!(
        lines(&cube.equations(&[w]).expect("connected").forward).last().map(String::as_str),
        Some("J = cube[vjp](w)")
    );
}

#[test]
fn a_formula_with_a_rule_of_its_own_reads_as_its_rule() {
    let g = Graph::new();
    let w = g.leaf("w", 2.0);
    // What the formula is made of may be used beside it.
    let cube = g.custom_vjp("cube", &[w], |w| w[0] * w[0] * w[0], |w, _, ct| vec![ct * 3.0 * w[0]]);
    let equations = (cube + w * w).equations(&[w]).expect("connected");
    assert!(lines(&equations.forward).contains(&"v2 = cube[vjp](w)".to_string()), "{equations}");
    assert!(lines(&equations.backward).contains(&"dv2 = dJ".to_string()), "{equations}");
    w.asinh().equations(&[w]).expect("its slope is a rule");
}

#[test]
fn equations_leave_no_trace_and_define_nothing_by_itself() {
    let g = Graph::new();
    let (a, b) = (g.leaf("a", [[1.0, 2.0], [3.0, 4.0]]), g.leaf("b", [[0.5, 1.0], [1.5, 2.0]]));
    let loss = a.matmul(b).sum(..);
    let (before, picture) = (format!("{g}"), g.picture(&[loss]).svg().expect("drawn"));
    let equations = loss.equations(&[a, b]).expect("connected");
    chainrule_graph::check::gradients(loss, &[a, b]).expect("a loss");
    assert_eq!((format!("{g}"), g.picture(&[loss]).svg().expect("drawn")), (before, picture));
    assert!(!equations.to_string().contains("/src/"), "{equations}");
    let line = line!() + 1;
    let t = a.t();
    assert_eq!(t.origin().location.line(), line);
    // A value and what it is made of, both asked for.
    let x = g.leaf("x", 0.5);
    let u = x.sin();
    for wrt in [[u, x], [x, u]] {
        let lines = lines(&(u * x).equations(&wrt).expect("connected").backward);
        assert_eq!(lines.len(), 3, "{lines:?}");
        for l in &lines {
            let (name, expression) = l.split_once(" = ").expect("an equation");
            assert!(!expression.split_whitespace().any(|word| word == name), "{lines:?}");
        }
    }
    // What is stopped shows, and so do shapes.
    let stopped = (x * x.stop_gradient()).equations(&[x]).expect("connected");
    assert_eq!(lines(&stopped.forward), ["J = x · stop_gradient(x)"]);
    assert_eq!(lines(&stopped.backward), ["dJ = 1", "dx = stop_gradient(x) · dJ"]);
    let reshaped = (a.reshape([4, 1]) * 2.0).sum(..).equations(&[a]).expect("connected").to_string();
    assert!(reshaped.contains("reshape(a, (4, 1))"), "{reshaped}");
}

#[test]
fn equations_and_what_is_kept_show_what_loops_and_choices_carry_out() {
    let g = Graph::new();
    let (x, w, h) = (g.leaf("x", [[1.0], [2.0], [3.0]]), g.leaf("w", [0.5]), g.leaf("h", [0.1]));
    let (last, _) =
        Scan::new().run(&[h], &[x], |h, x| Ok((vec![(w * h[0] + x[0]).tanh()], vec![]))).expect("a scan");
    let y = cond(last[0].sum(..).greater(0.0), || Ok(vec![last[0].exp()]), || Ok(vec![last[0]]))
        .expect("a choice");
    let loss = y[0].sum(..);
    let text = loss.equations(&[w]).expect("connected").to_string();
    for line in [
        "each of 3 steps:",
        "v1 = `captured 0` · `carry 0`",
        "next carry 0 = v3",
        "if it holds:",
        "v1 = exp(`value 0`)",
        "if not:",
        "result 0 = `value 0`",
        "each of 3 steps, the last first:",
    ] {
        assert!(text.lines().any(|l| l.trim_start().starts_with(line)), "{line} is missing in\n{text}");
    }
    // A frame stands below the line that carries it out, and nowhere else; no line is the library's.
    let all: Vec<&str> = text.lines().map(str::trim_start).collect();
    for (i, line) in all.iter().enumerate().filter(|(_, line)| line.starts_with("if it holds:")) {
        assert!(all[i - 1].contains("= cond("), "{line} stands below {}\n{text}", all[i - 1]);
    }
    assert_eq!(text.matches("of 3 steps, the last first:").count(), 1, "{text}");
    assert!(!text.contains("src/text"), "{text}");
    // Frames stand further in than what carries them out.
    let depth = |part: &str| text.lines().find(|l| l.contains(part)).map(|l| l.len() - l.trim_start().len());
    assert!(
        depth("= scan(") < depth("each of 3 steps:") && depth("each of 3 steps:") < depth("next carry 0")
    );
    let d = loss.grad(&[w]).expect("connected")[0];
    let saved = g.saved_for_backward(&[d], Precision::F64).expect("a derivative");
    let stacked = saved.values.iter().find(|v| v.op == "tanh").expect("the steps of the scan are kept");
    assert!(
        stacked.within.as_deref().is_some_and(|w| w.starts_with("each of 3 steps of the scan at")),
        "{saved}"
    );
    assert!(saved.to_string().contains("in each of 3 steps of the scan at"), "{saved}");
}
