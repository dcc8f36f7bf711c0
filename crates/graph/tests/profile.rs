//! Profiles count what runs, and leave alone what is measured.

use chainrule_graph::{ErrorKind, Graph, Kind, Precision, scan};
use chainrule_tensor::{DType, Tensor};

#[test]
fn each_kernel_is_counted_as_often_as_it_runs_and_its_work_with_it() {
    let g = Graph::new();
    let (x, w) = (g.input("x", [8, 4], Kind::Real), g.input("w", [4, 4], Kind::Real));
    let y = x.matmul(w);
    let (h, _) = {
        let _scope = g.enter("loop");
        scan(&[y], &[g.constant(Tensor::zeros([5], DType::F64))], |h, t| {
            Ok((vec![h[0].matmul(w).tanh() + t[0]], vec![]))
        })
        .unwrap()
    };
    let f = g.compiler(&[x, w], &[h[0].sum(..)]).precision(Precision::F32).build().unwrap();
    let arguments = [Tensor::ones([8, 4], DType::F32), Tensor::ones([4, 4], DType::F32)];
    // None is one.
    for (asked, runs) in [(0, 1), (3, 3)] {
        let profile = f.profile(&arguments, asked).unwrap();
        assert_eq!(profile.runs, runs);
        let products: Vec<_> = profile.steps.iter().filter(|step| step.kernel == "matmul").collect();
        let work: Vec<_> = products.iter().map(|step| (step.times, step.operations, step.bytes)).collect();
        let (operations, bytes) = (2 * 8 * 4 * 4, 4 * (32 + 16 + 32));
        assert_eq!(work, [(1, Some(operations), bytes), (5, Some(5 * operations), 5 * bytes)]);
        assert!(products[1].origin.scope.contains("loop"));
        assert!(profile.steps.iter().all(|step| step.time <= profile.time));
    }
}

#[test]
fn a_profile_prints_the_longest_first_and_draws_scopes_and_steps() {
    let g = Graph::new();
    let x = g.input("x", [300, 300], Kind::Real);
    let y = {
        let _scope = g.enter("a<b");
        x.matmul(x)
    };
    let deep = {
        let _scope = g.enter("encoder.layer0.attention");
        x.matmul(x + 1.0)
    };
    let f = g.compile(&[x], &[y, x.slice(0, 0..1).square(), deep]).unwrap();
    let profile = f.profile(&[Tensor::ones([300, 300], DType::F64)], 3).unwrap();
    let text = profile.to_string();
    let lines: Vec<&str> = text.lines().skip(2).collect();
    let shares: Vec<f64> =
        lines.iter().map(|l| l.trim_start().split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(shares[..shares.len() - 1].windows(2).all(|w| w[0] >= w[1]), "{text}");
    assert!(text.contains("tests/profile.rs:") && text.contains("in `a<b`"), "{text}");
    let svg = profile.svg();
    assert!(svg.contains(">a&lt;b<") || svg.contains("a&lt;b\n"), "{svg}");
    // A scope in a scope is a bar below its bar.
    for scope in ["encoder", "layer0", "attention"] {
        assert!(svg.contains(&format!("<title>{scope}\n")), "{scope}: {svg}");
    }
    assert_eq!(svg.matches("<rect").count(), svg.matches("<title>").count());
    assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
}

#[test]
fn the_state_of_what_is_measured_stays() {
    let g = Graph::new();
    let x = g.leaf("x", 1.0);
    let mut f = g.compiler(&[], &[x]).state(&[(x, x + 1.0)]).build().unwrap();
    f.run(&[]).unwrap();
    f.profile(&[], 4).unwrap();
    assert_eq!(f.state()[0].item::<f64>().unwrap(), 2.0);
}

#[test]
fn what_does_not_run_has_no_profile() {
    let g = Graph::new();
    let x = g.input("x", [2], Kind::Real);
    let f = g.compile(&[x], &[x.sum(..)]).unwrap();
    let kind = |arguments: &[Tensor]| f.profile(arguments, 1).unwrap_err().kind().clone();
    assert!(matches!(kind(&[]), ErrorKind::Count { .. }));
    assert!(matches!(kind(&[Tensor::from([1.0, 2.0, 3.0])]), ErrorKind::Argument { .. }));
}
