//! Keys: the same key, the same numbers, forever; other keys, other numbers.

use std::collections::HashSet;

use chainrule_tensor::{DType, Key, Tensor};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_key_is_a_function(seed: u64, name in ".{0,8}", i: u64, n in 0_usize..50) {
        let key = Key::new(seed).named(&name).at(i);
        prop_assert_eq!(key, Key::from_words(key.words()));
        let draw = |dtype| Tensor::normal(key, n, 1.0, 2.0, dtype).unwrap();
        prop_assert_eq!(draw(DType::F64), draw(DType::F64));
        prop_assert_eq!(draw(DType::F64).cast(DType::F32), draw(DType::F32));
        // A longer draw begins with the shorter one.
        let longer = Tensor::uniform(key, n + 5, 0.0..1.0, DType::F64).unwrap();
        let shorter = Tensor::uniform(key, n, 0.0..1.0, DType::F64).unwrap();
        prop_assert_eq!(longer.slice(0, ..n as isize, 1).unwrap(), shorter);
    }

    #[test]
    fn a_permutation_holds_each_number_once(seed: u64, n in 0_usize..200) {
        let mut order = Key::new(seed).permutation(n).expect("few");
        order.sort_unstable();
        prop_assert_eq!(order, (0..n).collect::<Vec<_>>());
    }

    #[test]
    fn uniform_numbers_stay_below_the_end(seed: u64, start in -1e3_f64..1e3, width in 1e-9_f64..10.0) {
        let end = start + width;
        // Some number of f32 lies in the range.
        let rounded = start as f32;
        let first = if f64::from(rounded) < start { rounded.next_up() } else { rounded };
        prop_assume!(f64::from(first) < end);
        for dtype in [DType::F32, DType::F64] {
            let t = Tensor::uniform(Key::new(seed), 20, start..end, dtype).unwrap().cast(DType::F64);
            for x in t.to_vec::<f64>().unwrap() {
                prop_assert!(x < end && x >= f64::from((start as f32).next_down()), "{} in {}..{}", x, start, end);
            }
        }
    }
}

/// `KEY` and `UNIFORM` were computed once more from the definition of ChaCha8, outside of Rust.
const KEY: [u64; 3] = [18101191092196115635, 14252840987800937366, 9418684063399243415];
const ORDER: [usize; 6] = [1, 4, 5, 3, 0, 2];
const UNIFORM: [f64; 2] = [0.34050695312646684, 0.11465939144903559];
const NORMAL: [f64; 2] = [-0.5838370319035676, -0.8561790854232473];

#[test]
fn the_numbers_of_a_key_never_change() {
    let key = Key::new(42).named("init").at(3);
    assert_eq!(key.words(), KEY);
    assert_eq!(key.permutation(6).as_deref(), Ok(&ORDER[..]));
    let uniform = Tensor::uniform(key, 2, 0.0..1.0, DType::F64).unwrap();
    assert_eq!(uniform, Tensor::from(UNIFORM));
    let normal = Tensor::normal(key, 2, 0.0, 1.0, DType::F64).unwrap();
    assert_eq!(normal, Tensor::from(NORMAL));
}

#[test]
fn ways_to_a_key_do_not_collide() {
    let root = Key::new(1);
    let mut keys =
        vec![root, Key::new(2), root.named(""), root.named("a"), root.named("b"), root.named("a").named("b")];
    keys.extend([
        root.named("b").named("a"),
        root.named("a").at(0),
        root.at(0).named("a"),
        root.at(0),
        root.at(1),
    ]);
    let seen: HashSet<Key> = keys.iter().copied().collect();
    assert_eq!(seen.len(), keys.len());
    let draws: HashSet<u64> = keys
        .iter()
        .map(|k| Tensor::uniform(*k, (), 0.0..1.0, DType::F64).unwrap().item::<f64>().unwrap().to_bits())
        .collect();
    assert_eq!(draws.len(), keys.len());
}

#[test]
fn draws_have_their_moments() {
    let n = 200_000;
    let moments = |t: Tensor| {
        let mean: f64 = t.mean(..).unwrap().item().unwrap();
        (mean, t.var(..).unwrap().item::<f64>().unwrap())
    };
    // Five standard errors.
    let (mean, var) = moments(Tensor::normal(Key::new(3), n, 2.0, 3.0, DType::F64).unwrap());
    assert!((mean - 2.0).abs() < 0.034 && (var - 9.0).abs() < 0.15, "{mean} {var}");
    let (mean, var) =
        moments(Tensor::uniform(Key::new(3), n, -1.0..2.0, DType::F32).unwrap().cast(DType::F64));
    assert!((mean - 0.5).abs() < 0.01 && (var - 0.75).abs() < 0.01, "{mean} {var}");
    // Each of the six orders of three about equally often: χ² with 5 degrees of freedom, far tail.
    let mut counts = [0.0_f64; 27];
    for i in 0..6000 {
        let order = Key::new(5).at(i).permutation(3).expect("few");
        counts[order[0] * 9 + order[1] * 3 + order[2]] += 1.0;
    }
    let chi: f64 = counts.iter().filter(|c| **c > 0.0).map(|c| (c - 1000.0).powi(2) / 1000.0).sum();
    assert!(counts.iter().filter(|c| **c > 0.0).count() == 6 && chi < 25.0, "{chi}");
}
