//! NPY and NPZ: what is written is read, by others too, and nothing broken is.

use chainrule_tensor::io::{npy, npz};
use chainrule_tensor::{DType, Error, Tensor};
use ndarray_npy::{NpzReader, ReadNpyExt, WriteNpyExt};
use proptest::prelude::*;

use crate::samples::{any_shape, any_tensor};

fn read_npy_bytes(bytes: &[u8]) -> Result<Tensor, Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.npy");
    std::fs::write(&path, bytes).unwrap();
    npy::read(&path)
}

/// A version 1 file with this header dictionary.
fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16 + 1).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.push(b'\n');
    bytes.extend(data);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn npy_gives_back_what_was_written(t in any_tensor()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        npy::write(&path, &t).unwrap();
        prop_assert_eq!(npy::read(&path).unwrap(), t);
    }

    #[test]
    fn other_readers_read_our_npy(t in any_shape(DType::F32)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        npy::write(&path, &t).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let array = ndarray::ArrayD::<f32>::read_npy(file).unwrap();
        prop_assert_eq!(Tensor::from(array), t);
    }

    #[test]
    fn we_read_the_npy_of_others(t in any_shape(DType::F64)) {
        let mut bytes = Vec::new();
        // Transposed arrays are written in Fortran order.
        t.view::<f64>().unwrap().write_npy(&mut bytes).unwrap();
        prop_assert_eq!(read_npy_bytes(&bytes).unwrap(), t);
    }

    #[test]
    fn npz_gives_back_names_and_order(parts in prop::collection::vec(any_tensor(), 0..4)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npz");
        let named: Vec<(String, Tensor)> =
            parts.into_iter().enumerate().map(|(i, t)| (format!("layer/{}", 9 - i), t)).collect();
        npz::write(&path, named.iter().map(|(n, t)| (n, t))).unwrap();
        prop_assert_eq!(npz::read(&path).unwrap(), named);
    }

    #[test]
    fn no_damage_makes_the_readers_panic(
        t in any_tensor(),
        zipped: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        if zipped { npz::write(&path, [("x", &t)]).unwrap() } else { npy::write(&path, &t).unwrap() }
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        std::fs::write(&path, &bytes).unwrap();
        let read = || if zipped { npz::read(&path).map(drop) } else { npy::read(&path).map(drop) };
        let _ = read();
        std::fs::write(&path, &whole[..cut.index(whole.len())]).unwrap();
        let refused = matches!(read(), Err(Error::Format { .. }));
        prop_assert!(refused);
    }
}

#[test]
fn other_element_types_are_widened() {
    let shape = "'fortran_order': False, 'shape': (2,), }";
    let read = |descr: &str, data: &[u8]| {
        read_npy_bytes(&with_header(&format!("{{'descr': '{descr}', {shape}"), data))
            .map_err(|e| e.to_string())
    };
    assert_eq!(read("<i2", &[1, 0, 255, 255]), Ok(Tensor::from([1_i64, -1])));
    assert_eq!(read(">u2", &[1, 0, 0, 2]), Ok(Tensor::from([256_i64, 2])));
    assert_eq!(read("|u1", &[7, 255]), Ok(Tensor::from([7_i64, 255])));
    assert_eq!(read("<f2", &[0, 0x3c, 0, 0xc0]), Ok(Tensor::from([1.0_f32, -2.0])));
    assert!(read("|b1", &[0, 3]).unwrap_err().contains("element 1 is byte 3, not a truth value"));
    assert!(read("<u8", &[255; 16]).unwrap_err().contains("element 0 is too large"));
    assert!(read("<c8", &[0; 16]).unwrap_err().contains("unsupported dtype \"<c8\""));
}

#[test]
fn broken_npy_headers_are_refused_with_the_reason() {
    let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }";
    assert_eq!(read_npy_bytes(&with_header(good, &[0; 4])).unwrap(), Tensor::from([0.0_f32]));
    for (header, data, reason) in [
        (good, 3, "shape (1,) needs 4 bytes, not 3"),
        (good, 5, "shape (1,) needs 4 bytes, not 5"),
        ("{'descr': '<f4', 'shape': (1,), }", 4, "\"fortran_order\" is missing"),
        ("{'descr': '<f4', 'descr': '<f4', }", 4, "\"descr\" occurs twice"),
        ("{'descr': [('a', '<f4')], }", 4, "expected '\\'', found \"[('a', '<f4')], }\""),
        ("{'descr': '<f4', 'fortran_order': 0, }", 4, "expected True or False"),
        ("{'shape': (99999999999999999999,), }", 4, "expected an axis length"),
        ("{'color': 'red', }", 4, "unknown key \"color\""),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (), } x", 4, "\"x\" follows the dictionary"),
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
            8,
            "does not fit the address space",
        ),
    ] {
        let error = read_npy_bytes(&with_header(header, &vec![0; data])).unwrap_err().to_string();
        assert!(error.contains("not a valid NPY file") && error.contains(reason), "{error}");
    }
    assert!(read_npy_bytes(b"PK").unwrap_err().to_string().contains("does not begin with"));
}

#[test]
fn npz_files_agree_with_other_writers_and_refuse_repeated_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.npz");
    let t = Tensor::from([[1.5_f64, 2.0], [3.0, 4.0]]);
    npz::write(&path, [("t", &t)]).unwrap();
    let mut reader = NpzReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    assert_eq!(Tensor::from(reader.by_index::<ndarray::OwnedRepr<f64>, ndarray::Ix2>(0).unwrap()), t);

    let mut writer = ndarray_npy::NpzWriter::new_compressed(std::fs::File::create(&path).unwrap());
    writer.add_array("t", &t.view::<f64>().unwrap()).unwrap();
    writer.finish().unwrap();
    assert_eq!(npz::read(&path).unwrap(), [("t".to_owned(), t.clone())]);

    let error = npz::write(&path, [("t", &t), ("t", &t)]).unwrap_err();
    assert!(
        matches!(&error, Error::Value { op: "npz::write", why } if why.starts_with("name \"t\"")),
        "{error}"
    );
    assert_eq!(npz::read(&path).unwrap().len(), 1, "the failed write left the old file");
}

#[test]
fn a_missing_file_is_an_io_error_that_names_it() {
    for error in [npy::read("/no/x.npy").unwrap_err(), npz::read("/no/x.npz").unwrap_err()] {
        assert!(matches!(error, Error::Io { .. }) && error.to_string().starts_with("/no/x.np"));
    }
}
