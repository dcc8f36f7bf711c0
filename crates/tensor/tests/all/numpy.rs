//! Files that NumPy 2.4 and the Python package of safetensors 0.8 wrote (`tests/data`), read without Python.

use std::path::PathBuf;

use chainrule_tensor::io::{npy, npz, safetensors};
use chainrule_tensor::{DType, Tensor};

fn data(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "data", name].iter().collect()
}

#[test]
fn npy() {
    let fortran = npy::read(data("fortran_i4.npy")).unwrap();
    assert_eq!(fortran, Tensor::from([[0_i64, 1, 2], [3, 4, 5]]));
    assert_eq!(npy::read(data("big_endian.npy")).unwrap(), Tensor::from([[1.5, -2.25]]));
}

#[test]
fn compressed_npz() {
    let contents = npz::read(data("compressed.npz")).unwrap();
    let expected = [
        ("weight".to_owned(), Tensor::from([0.0_f32, 0.25, 0.5, 0.75, 1.0])),
        ("mask".to_owned(), Tensor::from([true, false])),
        ("scalar".to_owned(), Tensor::from(2.5_f64)),
        ("empty".to_owned(), Tensor::zeros([0, 3], DType::I64)),
    ];
    assert_eq!(contents, expected);
}

#[test]
fn safetensors() {
    let contents = safetensors::read(data("mixed.safetensors")).unwrap();
    assert_eq!(contents.tensors.len(), 4);
    assert_eq!(contents.get("a.weight"), Some(&Tensor::from([[1.0_f32, 2.0], [3.0, 4.0]])));
    assert_eq!(contents.get("half"), Some(&Tensor::from([0.5_f32, -1.5])));
    assert_eq!(contents.get("labels"), Some(&Tensor::from([3_i64, 1])));
    assert_eq!(contents.get("flag"), Some(&Tensor::from(true)));
    assert_eq!(contents.metadata["epoch"], "7");
}
