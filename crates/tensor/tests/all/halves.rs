//! Files of 16 bits.

use std::collections::BTreeMap;

use chainrule_tensor::io::{npy, safetensors};
use chainrule_tensor::{DType, Error, Format, Key, Tensor};

fn values() -> Tensor {
    let drawn = Tensor::uniform(Key::new(1), [40, 5], -3.0..3.0, DType::F64).unwrap();
    let odd = Tensor::from([0.0, -0.0, 1e-7, 65504.0, 1e9, -1e300, f64::INFINITY, f64::NAN, 5e-324, 1.0]);
    Tensor::concat(&[&drawn, &odd.reshape([2, 5]).unwrap()], 0).unwrap()
}

fn bits(x: &Tensor) -> Vec<u32> {
    x.cast(DType::F32).to_vec::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

#[test]
fn what_is_read_is_what_was_rounded() {
    let dir = tempfile::tempdir().unwrap();
    let (path, count) = (dir.path().join("x"), Tensor::from([1_i64, 2, 3]));
    for wide in [values(), values().cast(DType::F32)] {
        for &format in Format::ALL {
            let tensors = [("x", &wide), ("count", &count)];
            safetensors::write_in(&path, format, tensors, &BTreeMap::new()).unwrap();
            let read = safetensors::read(&path).unwrap();
            let (x, rounded) = (read.get("x").unwrap(), wide.round_to(format).unwrap());
            assert_eq!((x.dtype(), bits(x)), (DType::F32, bits(&rounded)), "{format}");
            assert_eq!(read.get("count"), Some(&count));
            // What is rounded once is stored as it is.
            safetensors::write_in(&path, format, [("x", x)], &BTreeMap::new()).unwrap();
            assert_eq!(bits(&safetensors::read_named(&path, "x").unwrap()), bits(x));
            let data = std::fs::metadata(&path).unwrap().len() as usize;
            assert!((2 * wide.size()..2 * wide.size() + 200).contains(&data), "{data} bytes");
        }
        npy::write_in(&path, Format::F16, &wide).unwrap();
        assert_eq!(bits(&npy::read(&path).unwrap()), bits(&wide.round_to(Format::F16).unwrap()));
        assert_eq!(std::fs::metadata(&path).unwrap().len() as usize, 128 + 2 * wide.size());
    }
}

#[test]
fn what_has_no_format_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let error = npy::write_in(dir.path().join("x.npy"), Format::Bf16, &values()).unwrap_err();
    assert!(matches!(error, Error::Value { op: "npy::write_in", .. }), "{error}");
    assert!(error.to_string().contains("NPY has no bf16"), "{error}");
    let error = Tensor::from([1_i64]).round_to(Format::F16).unwrap_err();
    assert!(matches!(error, Error::DType { .. }), "{error}");
}
