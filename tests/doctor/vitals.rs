use chainrule::doctor::{Squash, Vitals};
use chainrule::prelude::*;

/// Beyond this a bounded activation counts as saturated.
const SATURATED: f64 = 0.999_909;

/// The same as formulas.
fn recorded<'g>(x: Var<'g>, units: usize, squash: Squash) -> Vec<Var<'g>> {
    let share = |truth: Var<'g>| truth.real().mean(..);
    let bounded = match squash {
        Squash::None => x * 0.0,
        Squash::Tanh => x.abs(),
        Squash::Sigmoid => (x * 2.0 - 1.0).abs(),
    };
    let others: Vec<isize> = (0..x.rank() as isize).filter(|a| *a != units as isize).collect();
    vec![
        x.mean(..),
        x.var(..).sqrt(),
        x.square().mean(..).sqrt(),
        x.abs().max(..),
        share(x.equal(0.0)),
        share(bounded.greater(SATURATED)),
        share(x.abs().max(&others).equal(0.0)),
        (x - x.slice(units as isize, 0..1)).abs().max(..),
        1.0 - share(x.is_finite()),
    ]
}

fn numbers(v: &Vitals) -> [f64; 9] {
    [v.mean, v.deviation, v.rms, v.largest, v.zeros, v.saturated, v.silent, v.apart, v.not_finite]
}

#[test]
fn numbers_are_those_of_the_formulas() {
    let shapes: [(&[usize], usize); 5] =
        [(&[7, 3], 1), (&[3, 7], 0), (&[2, 3, 2, 5], 1), (&[4, 1, 9], 2), (&[33, 16], 1)];
    for (seed, (shape, units)) in shapes.into_iter().enumerate() {
        let x = Tensor::normal(Key::new(seed as u64), shape, 0.3, 2.0, DType::F32).expect("measures");
        // A unit and some elements are 0, some are large.
        let quiet = x
            .less(&Tensor::from(0.1_f32))
            .expect("measures")
            .select(&Tensor::from(0.0_f32), &x)
            .expect("measures");
        for x in [&x, &quiet, &x.cast(DType::F64)] {
            for squash in [Squash::None, Squash::Tanh, Squash::Sigmoid] {
                let found = numbers(&Vitals::of(x, Some(units), squash).expect("measures"));
                let g = Graph::new();
                let formulas = recorded(g.constant(x.cast(DType::F64)), units, squash);
                for (found, formula) in found.iter().zip(formulas) {
                    let right = formula.value().expect("measures").item::<f64>().expect("measures");
                    assert!((found - right).abs() <= 1e-12 * right.abs().max(1.0), "{found} {right}");
                }
            }
        }
    }
}

#[test]
fn what_is_not_finite_is_counted_and_goes_through() {
    let v = Vitals::of(&Tensor::from([[1.0, f64::NAN], [f64::INFINITY, 0.0]]), Some(1), Squash::None)
        .expect("measures");
    assert_eq!((v.not_finite, v.zeros, v.silent), (0.5, 0.25, 0.0));
    assert!(v.mean.is_nan() && v.largest.is_nan() && v.apart.is_nan());
    assert_eq!(
        Vitals::of(&Tensor::zeros([0, 3], DType::F32), Some(1), Squash::None).expect("measures"),
        Vitals::default()
    );
}
