//! Readers of damaged files: an error or a tensor, never a panic, and never more elements than the bytes can stand for.
//! `CHAINRULE_FUZZ=500000 cargo test -p chainrule-tensor --test all fuzz` damages more.

use std::collections::BTreeMap;
use std::path::Path;

use chainrule_tensor::io::{npy, npz, safetensors};
use chainrule_tensor::{DType, Error, Tensor};

use crate::mutate::{Mutator, rounds};

/// Deflate packs 1032 bytes into one, and a byte may stand for an i64.
const GREATEST_RATIO: usize = 1032 * 8;

/// Damages the files `seeds`, reads them, and uses what was read. Returns how many were read.
fn survives(seed: u64, seeds: &[Vec<u8>], read: impl Fn(&Path) -> Result<Vec<Tensor>, Error>) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("damaged");
    let mut mutator = Mutator::new(seed);
    let mut taken = 0;
    for _ in 0..rounds() {
        let (one, other) = (mutator.below(seeds.len()), mutator.below(seeds.len()));
        let bytes = mutator.damaged(&seeds[one], &seeds[other]);
        std::fs::write(&path, &bytes).unwrap();
        match read(&path) {
            Ok(tensors) => {
                taken += 1;
                for t in tensors {
                    assert!(
                        t.size().max(1) * t.dtype().size() <= GREATEST_RATIO * bytes.len().max(1),
                        "{t:?}"
                    );
                    assert!(!t.to_string().is_empty() && !format!("{t:?}").is_empty());
                    let _ = t.cast(DType::F64).sum(..);
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    taken
}

fn tensors() -> Vec<Tensor> {
    vec![
        Tensor::from([[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        Tensor::from([1.0_f64, -2.5]),
        Tensor::arange(0..9),
        Tensor::from([[[true], [false]]]),
        Tensor::zeros([3, 0], DType::F64),
        Tensor::from(7_i64),
    ]
}

fn written(write: impl Fn(&Path)) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whole");
    write(&path);
    std::fs::read(path).unwrap()
}

#[test]
fn npy_survives_any_damage() {
    let mut seeds: Vec<Vec<u8>> =
        tensors().iter().map(|t| written(|path| npy::write(path, t).unwrap())).collect();
    seeds.push(include_bytes!("../data/big_endian.npy").to_vec());
    seeds.push(include_bytes!("../data/fortran_i4.npy").to_vec());
    let taken = survives(1, &seeds, |path| Ok(vec![npy::read(path)?]));
    assert!(taken > 0, "some damage is harmless");
}

#[test]
fn npz_survives_any_damage() {
    let (all, names) = (tensors(), ["a", "b", "c", "d", "e", "f"]);
    let stored = written(|path| npz::write(path, names.into_iter().zip(&all)).unwrap());
    let one = written(|path| npz::write(path, [("x", &all[0])]).unwrap());
    let seeds = [stored, one, include_bytes!("../data/compressed.npz").to_vec()];
    let taken = survives(2, &seeds, |path| {
        for name in npz::names(path)? {
            let _ = npz::read_named(path, &name);
        }
        Ok(npz::read(path)?.into_iter().map(|(_, t)| t).collect())
    });
    assert!(taken > 0, "some damage is harmless");
}

#[test]
fn safetensors_survives_any_damage() {
    let (all, names) = (tensors(), ["a", "b", "c", "d", "e", "f"]);
    let notes = BTreeMap::from([("epoch".to_owned(), "7".to_owned())]);
    let whole = written(|path| safetensors::write(path, names.into_iter().zip(&all), &notes).unwrap());
    let one = written(|path| safetensors::write(path, [("x", &all[0])], &BTreeMap::new()).unwrap());
    let seeds = [whole, one, include_bytes!("../data/mixed.safetensors").to_vec()];
    let taken = survives(3, &seeds, |path| {
        for name in safetensors::names(path)? {
            let _ = safetensors::read_named(path, &name);
        }
        Ok(safetensors::read(path)?.tensors.into_iter().map(|(_, t)| t).collect())
    });
    assert!(taken > 0, "some damage is harmless");
}
