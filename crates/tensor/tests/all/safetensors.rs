//! safetensors: what is written is read, by the format's own crate too, and what breaks a rule is refused.

use std::collections::{BTreeMap, HashMap};

use ::safetensors::SafeTensors;
use ::safetensors::tensor::{Dtype, TensorView};
use chainrule_tensor::io::safetensors::{self, Contents};
use chainrule_tensor::{DType, Error, Tensor};
use proptest::prelude::*;

use crate::samples::any_tensor;

fn read_bytes(bytes: &[u8]) -> Result<Contents, Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    std::fs::write(&path, bytes).unwrap();
    safetensors::read(&path)
}

fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn named(parts: Vec<Tensor>) -> Vec<(String, Tensor)> {
    parts.into_iter().enumerate().map(|(i, t)| (format!("größe.{}\"", 9 - i), t)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_file_gives_back_tensors_order_and_notes(
        parts in prop::collection::vec(any_tensor(), 0..5),
        metadata in prop::collection::btree_map(".{0,3}", ".{0,5}", 0..3),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        let tensors = named(parts);
        safetensors::write(&path, tensors.iter().map(|(n, t)| (n, t)), &metadata).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let theirs = SafeTensors::deserialize(&bytes).unwrap();
        for (name, t) in &tensors {
            let view = theirs.tensor(name).unwrap();
            prop_assert_eq!(view.shape(), t.shape());
            // A reader that maps the file needs the elements aligned.
            let start = view.data().as_ptr() as usize - bytes.as_ptr() as usize;
            prop_assert_eq!(start % t.dtype().size(), 0);
        }
        prop_assert_eq!(safetensors::read(&path).unwrap(), Contents { tensors, metadata });
    }

    #[test]
    fn no_damage_makes_the_reader_panic(
        parts in prop::collection::vec(any_tensor(), 0..3),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        let tensors = named(parts);
        safetensors::write(&path, tensors.iter().map(|(n, t)| (n, t)), &BTreeMap::new()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read_bytes(&bytes);
        let refused = matches!(read_bytes(&whole[..cut.index(whole.len())]), Err(Error::Format { .. }));
        prop_assert!(refused);
    }
}

#[test]
fn files_of_the_formats_own_crate_are_read_and_widened() {
    let bytes = |n: usize| (0..n as u8).map(|i| i % 2).collect::<Vec<u8>>();
    let kinds = [
        (Dtype::F64, DType::F64, 8),
        (Dtype::F32, DType::F32, 4),
        (Dtype::F16, DType::F32, 2),
        (Dtype::BF16, DType::F32, 2),
        (Dtype::I64, DType::I64, 8),
        (Dtype::I32, DType::I64, 4),
        (Dtype::U64, DType::I64, 8),
        (Dtype::U32, DType::I64, 4),
        (Dtype::I16, DType::I64, 2),
        (Dtype::U16, DType::I64, 2),
        (Dtype::I8, DType::I64, 1),
        (Dtype::U8, DType::I64, 1),
        (Dtype::BOOL, DType::Bool, 1),
    ];
    for (theirs, ours, size) in kinds {
        let data = bytes(2 * size);
        // The last byte of a little-endian number is its highest: keep unsigned ones small.
        let view = TensorView::new(theirs, vec![2, 1], &data).unwrap();
        let notes = HashMap::from([("a".to_owned(), "b".to_owned())]);
        let file = ::safetensors::serialize([("x", view)], Some(notes)).unwrap();
        let contents = read_bytes(&file).unwrap();
        let x = contents.get("x").unwrap();
        assert_eq!((x.shape(), x.dtype()), (&[2, 1][..], ours), "{theirs}");
        assert_eq!(contents.metadata["a"], "b");
    }
    let file = with_header(
        r#"{"x":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}"#,
        &[255, 255, 255, 255, 2, 0, 0, 0],
    );
    assert_eq!(read_bytes(&file).unwrap().get("x"), Some(&Tensor::from([-1_i64, 2])));
}

#[test]
fn each_broken_rule_is_refused_with_its_reason() {
    let x = r#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let y = |offsets: &str| {
        format!(
            r#"{{"x":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}},"y":{{"dtype":"F32","shape":[1],"data_offsets":{offsets}}}}}"#
        )
    };
    let one = |dtype: &str, shape: &str, end: usize| {
        format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{end}]}}}}"#)
    };
    let twice = format!("{},{}", &x[..x.len() - 1], &x[1..]);
    let notes_twice = r#"{"__metadata__":{"a":"1","a":"2"}}"#;
    let mut too_long = with_header(x, &[0; 4]);
    too_long[..8].copy_from_slice(&100_000_001_u64.to_le_bytes());
    let mut beyond = with_header(x, &[0; 4]);
    beyond[..8].copy_from_slice(&1000_u64.to_le_bytes());
    let mut endless = beyond.clone();
    endless[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("under 8 bytes", vec![0; 7], "header too small"),
        ("header over 100 MB", too_long, "header too large"),
        ("header length near 2^64", endless, "header too large"),
        ("header longer than the file", beyond, "invalid header length"),
        ("not UTF-8", [&4_u64.to_le_bytes()[..], b"{\"\xff\"}"].concat()[..12].to_vec(), "invalid UTF-8"),
        ("not JSON", with_header("{x}", &[]), "invalid JSON"),
        ("not an object", with_header("[]", &[]), "invalid JSON"),
        ("leading space", with_header(&format!(" {x}"), &[0; 4]), "does not begin with `{`"),
        ("wrong type of shape", with_header(&one("F32", "\"1\"", 4), &[0; 4]), "invalid JSON"),
        ("negative length", with_header(&one("F32", "[-1]", 4), &[0; 4]), "invalid JSON"),
        ("unknown dtype", with_header(&one("F33", "[1]", 4), &[0; 4]), "invalid JSON"),
        (
            "dtype without counterpart",
            with_header(&one("F8_E5M2", "[1]", 1), &[0]),
            "tensor \"x\": unsupported dtype",
        ),
        ("overlap", with_header(&y("[2,6]"), &[0; 6]), "invalid offset for tensor `y`"),
        ("same bytes twice", with_header(&y("[0,4]"), &[0; 4]), "invalid offset"),
        ("hole", with_header(&y("[6,10]"), &[0; 10]), "invalid offset for tensor `y`"),
        (
            "hole at the start",
            with_header(r#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}"#, &[0; 5]),
            "invalid offset",
        ),
        (
            "backwards",
            with_header(r#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, &[0; 4]),
            "invalid offset",
        ),
        (
            "size is not that of the shape",
            with_header(&one("F32", "[2]", 4), &[0; 4]),
            "invalid shape, data type, or offset",
        ),
        ("overflow in the size", with_header(&one("F32", "[4294967296,4294967296]", 4), &[0; 4]), "overflow"),
        ("overflow in the bytes", with_header(&one("F64", "[4611686018427387904]", 4), &[0; 4]), "overflow"),
        (
            "too long beside an empty axis",
            with_header(&one("F32", "[0,4611686018427387904,4611686018427387904]", 0), &[]),
            "does not fit the address space",
        ),
        ("trailing bytes", with_header(x, &[0; 5]), "not fully covered"),
        ("missing bytes", with_header(x, &[0; 3]), "not fully covered"),
        ("a name twice", with_header(&twice, &[0; 4]), "occurs twice"),
        ("a note twice", with_header(notes_twice, &[]), "occurs twice"),
        ("a note that is no text", with_header(r#"{"__metadata__":{"a":1}}"#, &[]), "invalid JSON"),
        (
            "a truth value of 2",
            with_header(&one("BOOL", "[1]", 1), &[2]),
            "tensor \"x\": element 0 is byte 2",
        ),
        ("u64 beyond i64", with_header(&one("U64", "[1]", 8), &[255; 8]), "element 0 is too large"),
    ];
    for (what, bytes, reason) in cases {
        let error = read_bytes(&bytes).map(drop).unwrap_err().to_string();
        assert!(error.contains("not a valid safetensors file") && error.contains(reason), "{what}: {error}");
    }
}

#[test]
fn what_the_format_allows_is_read() {
    assert_eq!(read_bytes(&with_header("{}", &[])).unwrap(), Contents::default());
    let empty = with_header(r#"{"x":{"dtype":"F32","shape":[2,0],"data_offsets":[0,0]}}"#, &[]);
    assert_eq!(read_bytes(&empty).unwrap().get("x"), Some(&Tensor::zeros([2, 0], DType::F32)));
    let scalar =
        with_header("{\"x\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}    ", &[0, 0, 128, 127]);
    assert_eq!(read_bytes(&scalar).unwrap().get("x"), Some(&Tensor::from(f32::INFINITY)));
    let nan = with_header(r#"{"x":{"dtype":"F64","shape":[],"data_offsets":[0,8]}}"#, &[255; 8]);
    assert!(read_bytes(&nan).unwrap().get("x").unwrap().item::<f64>().unwrap().is_nan());
}

#[test]
fn names_are_checked_when_writing() {
    let dir = tempfile::tempdir().unwrap();
    let (path, t) = (dir.path().join("x"), Tensor::from(1.0));
    let write = |names: &[&str]| {
        let named = names.iter().map(|n| (*n, &t));
        safetensors::write(&path, named, &BTreeMap::new()).unwrap_err().to_string()
    };
    assert_eq!(write(&["w", "w"]), "[safetensors::write] the name \"w\" is given twice");
    assert!(write(&["__metadata__"]).contains("is reserved for the notes"));
    assert!(!path.exists());
}
