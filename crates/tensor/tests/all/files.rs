//! NPY and NPZ: what is written is read, by others too, and nothing broken is.

use std::io::Write;
use std::path::Path;

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

/// A compressed archive of these members.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, bytes) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn with_npz<R>(bytes: &[u8], read: impl Fn(&Path) -> R) -> R {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.npz");
    std::fs::write(&path, bytes).unwrap();
    read(&path)
}

const THREE: &str = "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }";

#[test]
fn a_header_of_python_2_is_read() {
    for shape in ["(3L,)", "(3L, 1L)", "(1, 3L)"] {
        let header = THREE.replace("(3,)", shape);
        assert_eq!(read_npy_bytes(&with_header(&header, &[0; 24])).unwrap().size(), 3);
    }
    assert!(read_npy_bytes(&with_header(&THREE.replace("3,", "L,"), &[0; 24])).is_err());
}

#[test]
fn an_odd_member_costs_no_other() {
    let text = with_header(&THREE.replace("<f8", "<U1"), &[0; 12]);
    let fields = with_header(&THREE.replace("'<f8'", "[('a', '<f8')]"), &[0; 24]);
    let x = with_header(THREE, &[0; 24]);
    let bytes =
        archive(&[("names.npy", &text), ("fields.npy", &fields), ("x.npy", &x), ("notes.txt", b"hello")]);
    with_npz(&bytes, |path| {
        assert_eq!(npz::names(path).unwrap(), ["names", "fields", "x"]);
        assert_eq!(npz::read_named(path, "x").unwrap(), Tensor::zeros([3], DType::F64));
        let told = npz::read(path).unwrap_err().to_string();
        assert!(told.ends_with("member \"names.npy\": unsupported dtype \"<U1\""), "{told}");
        assert_eq!(npz::read_named(path, "names").unwrap_err().to_string(), told);
        let told = npz::read_named(path, "y").unwrap_err().to_string();
        assert!(told.ends_with("has no tensor \"y\"; there are: \"names\", \"fields\", \"x\""), "{told}");
    });
}

#[test]
fn members_that_overlap_are_refused() {
    let x = with_header(THREE, &[0; 24]);
    let mut bytes = archive(&[("a.npy", &x), ("b.npy", &x)]);
    // The second entry of the directory gets the place of the first.
    let entries: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i..].starts_with(b"PK\x01\x02")).collect();
    let place = bytes[entries[0] + 42..entries[0] + 46].to_vec();
    bytes[entries[1] + 42..entries[1] + 46].copy_from_slice(&place);
    for told in [
        with_npz(&bytes, |path| npz::read(path).unwrap_err()),
        with_npz(&bytes, |path| npz::names(path).unwrap_err()),
        with_npz(&bytes, |path| npz::read_named(path, "a").unwrap_err()),
    ] {
        assert!(told.to_string().ends_with("members \"a.npy\" and \"b.npy\" overlap"), "{told}");
    }
}

#[test]
fn what_a_header_does_not_ask_for_is_not_unpacked() {
    let zeros = vec![0; 1 << 26];
    for (member, reason) in [
        (with_header(THREE, &zeros), "shape (3,) needs 24 bytes, not 67108864"),
        (with_header(&THREE.replace("(3,)", "(9000000,)"), &zeros), "needs 72000000 bytes, not 67108864"),
        (zeros.clone(), "it does not begin with"),
    ] {
        let bytes = archive(&[("x.npy", &member)]);
        assert!(bytes.len() < 1 << 17);
        let told = with_npz(&bytes, |path| npz::read(path).unwrap_err()).to_string();
        assert!(told.contains(reason), "{told}");
        // Another size in the directory than the data have.
        let mut bytes = archive(&[("x.npy", &with_header(THREE, &[0; 24]))]);
        let entry = (0..bytes.len()).find(|i| bytes[*i..].starts_with(b"PK\x01\x02")).unwrap();
        bytes[entry + 24..entry + 28].copy_from_slice(&(1_u32 << 30).to_le_bytes());
        let told = with_npz(&bytes, |path| npz::read(path).unwrap_err()).to_string();
        assert!(told.contains("cannot hold the 1073741824"), "{told}");
    }
}

#[test]
fn a_missing_file_is_an_io_error_that_names_it() {
    for error in [npy::read("/no/x.npy").unwrap_err(), npz::read("/no/x.npz").unwrap_err()] {
        assert!(matches!(error, Error::Io { .. }) && error.to_string().starts_with("/no/x.np"));
    }
}
