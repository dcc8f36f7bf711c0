//! Whether what a program made has one value, however it is computed.

use chainrule::graph::{Compiled, ErrorKind, Optimise, Precision};
use chainrule::prelude::*;
use chainrule::tensor::kernels::threads::set_threads;

use crate::world::{LARGE, World};

/// Whether computing `outputs` takes little memory and time.
pub(crate) fn affordable(g: &Graph, outputs: &[Var<'_>]) -> bool {
    let own = outputs.iter().filter(|y| std::ptr::eq(y.graph(), g));
    let Some(last) = own.clone().map(|y| y.id().index()).max() else { return true };
    let nodes = g.nodes();
    let mut needed = vec![false; last + 1];
    own.for_each(|y| needed[y.id().index()] = true);
    let mut total = 0_usize;
    for i in (0..=last).rev().filter(|i| *i <= last) {
        if needed[i] {
            total = total.saturating_add(nodes[i].ty.shape.size());
            nodes[i].args.iter().for_each(|a| needed[a.index()] = true);
        }
    }
    total <= 8 * LARGE
}

/// Computes some of what the program made by plans of all kinds, and compares; whether there is a value.
///
/// # Panics
/// If values differ in a bit, or in type from what was recorded.
pub(crate) fn agree(w: &mut World<'_>) -> bool {
    let sound = |v: &&Var<'_>| !v.is_poisoned() && std::ptr::eq(v.graph(), w.g);
    let fit: Vec<Var<'_>> = w.pool.iter().filter(sound).copied().collect();
    let outputs: Vec<Var<'_>> = (0..3.min(fit.len())).map(|_| w.dice.pick(&fit)).collect();
    if !affordable(w.g, &outputs) {
        return false;
    }
    let precision = w.dice.pick(&[Precision::F32, Precision::F64]);
    let (inputs, values): (Vec<Var<'_>>, Vec<Tensor>) = w.inputs.iter().cloned().unzip();
    let compiler = || w.g.compiler(&inputs, &outputs).precision(precision);
    let run = |made: chainrule::graph::Result<Compiled>| {
        made.and_then(|mut f| f.run(&values).map(<[Tensor]>::to_vec))
    };
    let all = run(compiler().build());
    let none = run(compiler().optimise(Optimise::NONE).build());
    if let Ok(all) = &all {
        for (found, y) in all.iter().zip(&outputs) {
            let ty = y.ty();
            assert_eq!(found.shape(), &ty.shape[..], "the shape of {y:?}");
            assert_eq!(found.dtype().kind(), ty.kind, "the kind of {y:?}");
            assert!(ty.kind != Kind::Real || found.dtype() == precision.dtype(), "the width of {y:?}");
        }
    }
    match (&all, &none) {
        (Ok(all), Ok(none)) => assert!(same(all, none), "optimised {all:?}, not {none:?}, of {outputs:?}"),
        (Err(_), Err(_)) => {}
        _ => panic!("optimised {all:?}, not {none:?}, of {outputs:?}"),
    }
    if w.dice.once_in(4) {
        match run(compiler().anomaly(true).build()) {
            Ok(watched) => {
                assert!(none.is_ok_and(|none| same(&watched, &none)), "anomaly mode changes {outputs:?}")
            }
            Err(error) => {
                let non_finite = matches!(error.kind(), ErrorKind::NonFinite { .. });
                assert!(non_finite || none.is_err(), "only anomaly mode fails: {error}");
            }
        }
    }
    if w.dice.once_in(4) {
        set_threads(1);
        let alone = run(compiler().build());
        set_threads(2);
        match (&all, &alone) {
            (Ok(all), Ok(alone)) => assert!(same(all, alone), "threads change {outputs:?}"),
            _ => assert!(all.is_err() && alone.is_err(), "only one fails, by threads: {all:?}, {alone:?}"),
        }
    }
    all.is_ok() && !outputs.is_empty()
}

/// Whether the two have the same bits; any NaN is as good as another.
pub(crate) fn same(a: &[Tensor], b: &[Tensor]) -> bool {
    fn bits(t: &Tensor) -> Vec<u64> {
        match t.dtype() {
            DType::F32 => each(t, |x: f32| if x.is_nan() { u64::MAX } else { x.to_bits().into() }),
            DType::F64 => each(t, |x: f64| if x.is_nan() { u64::MAX } else { x.to_bits() }),
            DType::I64 => each(t, |x: i64| x as u64),
            DType::Bool => each(t, |x: bool| x.into()),
        }
    }
    fn each<E: chainrule::tensor::Element>(t: &Tensor, bits: impl Fn(E) -> u64) -> Vec<u64> {
        t.to_vec().expect("of that type").into_iter().map(bits).collect()
    }
    let equal =
        |(a, b): (&Tensor, &Tensor)| a.dtype() == b.dtype() && a.shape() == b.shape() && bits(a) == bits(b);
    a.len() == b.len() && a.iter().zip(b).all(equal)
}
