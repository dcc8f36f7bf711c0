//! The exponential of matrices against what is known of it.

use chainrule_graph::{Graph, Var, vmap};
use chainrule_tensor::{DType, Key, Tensor, keep};

fn greatest(x: Var<'_>) -> f64 {
    x.abs().max(..).value().and_then(|x| Ok(x.item::<f64>()?)).expect("a number")
}

/// Matrices whose columns have sums from 1/100 to 100.
fn matrices<'g>(g: &'g Graph) -> Var<'g> {
    let drawn = Tensor::uniform(Key::new(3), [9, 4, 4], -1.0..1.0, DType::F64).expect("a range");
    let sizes = Tensor::linspace(-2.0..=2.0, 9, DType::F64).expect("a range");
    let size = g.constant(10.0).pow(g.constant(sizes)).reshape([9, 1, 1]);
    let x = g.leaf("x", drawn);
    x * size / x.stop_gradient().abs().sum(keep(-2)).max(keep(-1))
}

#[test]
fn it_has_the_properties_of_an_exponential() {
    let g = Graph::new();
    let a = matrices(&g);
    let one = g.eye([4, 4], 0);
    // e^A e^−A = 1, in digits that the condition of e^A leaves.
    let (up, down) = (a.expm(), (-a).expm());
    let size = up.abs().max(keep([1, 2])) * down.abs().max(keep([1, 2]));
    assert!(greatest((up.matmul(down) - one) / size) < 1e-13);
    // det e^A = e^trace A, where e^A has a condition that leaves its determinant digits; e^2A = (e^A)²; what is diagonal is
    // done element by element.
    assert!(greatest((up.logdet() - a.trace()).slice(0, 0..6)) < 1e-10);
    assert!(greatest(((2.0 * a).expm() - up.matmul(up)) / up.matmul(up).abs().max(keep([1, 2]))) < 1e-12);
    let d = g.constant([0.3, -20.0, 5.0, 0.0]);
    assert!(greatest(d.diag(0).expm() / d.exp().diag(0).maximum(1e-300) - one) < 1e-13);
    // Turns, however many, are turns.
    let turn = g.constant([[0.0, -1.0], [1.0, 0.0]]);
    for angle in [1e-3, 1.0, 50.0, 1000.0_f64] {
        let wanted = g.constant([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]]);
        assert!(greatest((turn * angle).expm() - wanted) < 1e-15 * angle.max(10.0), "{angle}");
    }
    // A shift is nilpotent: its series ends.
    let shift = g.eye([4, 4], 1).expm();
    let series = g.constant([
        [1.0, 1.0, 0.5, 1.0 / 6.0],
        [0.0, 1.0, 1.0, 0.5],
        [0.0, 0.0, 1.0, 1.0],
        [0.0, 0.0, 0.0, 1.0],
    ]);
    assert!(greatest(shift - series) < 1e-15);
}

#[test]
fn a_matrix_is_squared_as_often_as_it_was_halved() {
    // What stands beside a matrix in its batch changes it no more than rounding, and no gradient is lost or infinite.
    let g = Graph::new();
    let a = matrices(&g);
    let alone = vmap(&[a], |x| Ok(vec![x[0].expm()])).expect("maps")[0];
    let scale = alone.abs().max(keep([1, 2]));
    assert!(greatest((a.expm() - alone) / scale) < 1e-13);
    let wide = g.leaf("wide", [[[700.0, 0.0], [0.0, 1.0]], [[0.5, 0.1], [0.2, 0.3]]]);
    let d = wide.expm().sum(..).grad(&[wide]).expect("a path")[0];
    assert!(greatest(d.is_finite().real() - 1.0) == 0.0);
    // d/dA tr e^A = e^Aᵀ.
    let slope = a.expm().trace().sum(..).grad(&[a]).expect("a path")[0];
    assert!(greatest((slope - a.t().expm()) / scale) < 1e-12);
}

#[test]
fn no_rows_no_batch_and_no_numbers() {
    let g = Graph::new();
    for shape in [vec![0, 0], vec![3, 0, 0], vec![0, 2, 2]] {
        assert_eq!(g.constant(Tensor::zeros(shape.clone(), DType::F64)).expm().shape()[..], shape[..]);
        assert!(g.constant(Tensor::zeros(shape, DType::F64)).expm().value().is_ok());
    }
    let nan = g.constant([[f64::NAN, 0.0], [0.0, 1.0]]).expm().value();
    assert!(nan.is_err() || nan.expect("a value").to_vec::<f64>().expect("reals")[0].is_nan());
    let error = g.leaf("x", [[1.0, 2.0]]).expm().value().expect_err("not square").to_string();
    assert!(error.contains("expm") && error.contains("square") && error.contains("expm.rs"), "{error}");
}
