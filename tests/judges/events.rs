//! Event files that TensorBoard has read (tensorboard_events.py): those written today are the same but for the time.

use std::fs;
use std::path::{Path, PathBuf};

use chainrule::nn::Events;
use chainrule::prelude::*;

fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Linear::new(5).forward(&s.at("block.hidden"), x).relu();
    Linear::new(2).forward(&s.at("output"), h)
}

fn written(folder: &Path) {
    let mut events = Events::create(folder).expect("a file");
    let image = |shape: &[usize]| {
        let n: usize = shape.iter().product();
        Tensor::from_vec((0..n).map(|i| i as f32 / 16.0).collect(), shape).expect("as many")
    };
    events.scalar("loss/train", 3, 0.25).expect("written");
    events.histogram("block.hidden.weight", 3, &Tensor::from([-1.0, 0.5, 0.5, 2.0])).expect("written");
    events.image("grey", 4, &image(&[2, 3])).expect("written");
    events.image("colour", 5, &image(&[3, 2, 2])).expect("written");
    events.model(&model, &Params::new(), [3]).expect("written");
    events.flush().expect("written");
}

fn only(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder).expect("a folder");
    files.next().expect("a file").expect("readable").path()
}

/// Messages without their first field, the time.
fn messages(file: &Path) -> Vec<Vec<u8>> {
    let (bytes, mut at, mut all) = (fs::read(file).expect("a file"), 0, Vec::new());
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight")) as usize;
        all.push(bytes[at + 12 + 9..at + 12 + length].to_vec());
        at += length + 16;
    }
    all
}

#[test]
fn what_is_written_is_what_tensorboard_has_read() {
    let right = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges/data/events");
    if std::env::var_os("UPDATE_EVENTS").is_some() {
        let _ = fs::remove_dir_all(&right);
        written(&right);
    }
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path());
    let (found, right) = (messages(&only(folder.path())), messages(&only(&right)));
    assert_eq!(found.len(), 6);
    assert!(found == right, "UPDATE_EVENTS=1 writes it anew; then let TensorBoard read it");
}

#[test]
fn what_is_no_image_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut events = Events::create(folder.path()).expect("a file");
    for shape in [&[4][..], &[2, 3, 3], &[0, 3], &[1, 1, 3, 3]] {
        let error =
            events.image("x", 0, &Tensor::zeros(shape, DType::F32)).expect_err("no image").to_string();
        assert!(error.contains("(height, width) or (1 or 3, height, width)"), "{error}");
    }
    assert!(events.model(&Conv::new(1, [3, 3]), &Params::new(), [3]).is_err(), "no images");
}
