//! Norms, decompositions and what is made of them against the values and gradients of PyTorch's (torch_factors.py).

use chainrule::graph::MatrixNorm;
use chainrule::prelude::*;

fn formula<'g>(name: &str, a: Var<'g>) -> Var<'g> {
    let norm = |which| a.matrix_norm(which);
    match name {
        "svd" => {
            let (u, s, v) = a.svd();
            (u * u).matmul((v * v * s.insert_axis(-2)).t())
        }
        "qr" => {
            let (q, r) = a.qr();
            (q * q).matmul(r * r).square()
        }
        "singular values" => a.singular_values().pow(3),
        "nuclear" => norm(MatrixNorm::Nuclear),
        "spectral" => norm(MatrixNorm::Spectral),
        "frobenius" => norm(MatrixNorm::Frobenius),
        "one" => norm(MatrixNorm::One),
        "infinity" => norm(MatrixNorm::Infinity),
        "norm 3" => a.vector_norm(3.0, -1),
        "norm 0.5" => a.vector_norm(0.5, -2),
        "pinv" => a.pinv(1e-15).square(),
        "std" => a.std_corrected(-1, 1),
        "var 0" => a.var([-2, -1]),
        "logsumexp" => a.logsumexp([-2, -1]),
        "logaddexp" => a.logaddexp(a * a),
        "cummax" => a.cummax(-1).square(),
        "cummin" => a.cummin(-2).square(),
        "roll" => a.roll(-1, 1) * a,
        "diagonal" => a.diagonal_at(1).square(),
        "lstsq" => a.lstsq(a * a).square(),
        "eigh" => {
            let (w, v) = a.eigh();
            (v * v * w.insert_axis(-2).exp()).square()
        }
        "eigenvalues" => a.eigh().0.pow(3),
        "power 5" => a.matrix_power(5),
        "power -2" => a.matrix_power(-2),
        other => panic!("no case is called {other}"),
    }
    .sum(..)
}

#[test]
fn factors_and_norms_have_the_values_and_gradients_of_pytorch() {
    let (mut worst, mut numbers) = (0.0_f64, 0);
    for line in include_str!("data/factors.txt").lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let list =
            |i: usize| -> Vec<f64> { fields[i].split(' ').map(|x| x.parse().expect("a number")).collect() };
        let shape: Vec<usize> = list(1).iter().map(|n| *n as usize).collect();
        let g = Graph::new();
        let a = g.leaf("a", Tensor::from_vec(list(2), shape).expect("as many"));
        let y = formula(fields[0], a);
        let d = y.grad(&[a]).expect("reaches")[0].value().expect("runs").to_vec::<f64>().expect("reals");
        let y = y.value().expect("runs").item::<f64>().expect("a number");
        for (found, wanted) in [(vec![y], list(3)), (d, list(4))] {
            let size = wanted.iter().fold(1e-3_f64, |most, x| most.max(x.abs()));
            for (a, b) in found.iter().zip(&wanted) {
                let off = (a - b).abs() / size;
                assert!(off <= 1e-10, "{} of {}: {a}, not {b}", fields[0], fields[1]);
                (worst, numbers) = (worst.max(off), numbers + 1);
            }
        }
    }
    println!("{numbers} numbers, the worst off by {worst:.0e}");
}
