#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use chainrule::data::iris;
use chainrule::loss::softmax_cross_entropy;
use chainrule::nn::Stop;
use chainrule::prelude::*;
use chainrule::progress::Silent;
use signal_hook::consts::SIGINT;

/// Steps of an epoch: 150 examples in batches of 16.
const STEPS: usize = 10;

fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = BatchNorm::new().forward(&s.at("norm"), Linear::new(16).forward(&s.at("hidden"), x)).relu();
    Linear::new(3).forward(&s.at("output"), Dropout::keep(0.8).forward(&s.at("drop"), h))
}

/// What the interrupted process does: nothing, unless it is told where.
#[test]
fn child() {
    let Ok(folder) = env::var("CHAINRULE_TEST_INTERRUPTED") else { return };
    let epochs = env::var("CHAINRULE_TEST_EPOCHS").expect("told").parse().expect("a number");
    let (folder, stop, mut params) = (Path::new(&folder), Stop::new(), Params::new());
    signal_hook::flag::register(SIGINT, stop.flag()).expect("a handler");
    let trainer = Trainer::new(model, softmax_cross_entropy)
        .batch_size(16)
        .seed(7)
        .epochs(epochs)
        .checkpoints(Checkpoints::to(folder.join("run")))
        .stop(&stop);
    trainer.fit(&mut params, &iris().expect("embedded"), None, &mut Silent).expect("trains or stops");
    if !stop.is_asked() {
        params.save(folder.join("final.safetensors")).expect("saved");
    }
}

fn start(folder: &Path, epochs: usize) -> Child {
    Command::new(env::current_exe().expect("this program"))
        .args(["interrupt::child", "--exact"])
        .env("CHAINRULE_TEST_INTERRUPTED", folder)
        .env("CHAINRULE_TEST_EPOCHS", epochs.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process")
}

/// Checkpoints, the newest last.
fn saved(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.join("run")).into_iter().flatten();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("step-")));
    files.sort();
    files
}

#[test]
fn ctrl_c_saves_and_stops_and_the_run_goes_on_to_the_same_bytes() {
    let (part, whole) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut process = start(part.path(), usize::MAX / STEPS);
    while saved(part.path()).is_empty() {
        assert!(process.try_wait().expect("a process").is_none(), "ended before it was asked to");
        thread::sleep(Duration::from_millis(5));
    }
    let signal = Command::new("kill").args(["-INT", &process.id().to_string()]).status();
    assert!(signal.expect("kill(1)").success());
    assert!(process.wait().expect("ends").success(), "it ends by itself, not by the signal");
    let reached = saved(part.path()).pop().expect("it saved");
    let name = reached.file_stem().expect("a name").to_string_lossy();
    let steps: usize = name.trim_start_matches("step-").parse().expect("the number of steps");
    assert!(!part.path().join("final.safetensors").exists(), "it had not come to its end");
    for folder in [part.path(), whole.path()] {
        assert!(start(folder, steps / STEPS + 2).wait().expect("ends").success());
    }
    let end = |folder: &Path| fs::read(folder.join("final.safetensors")).expect("the end");
    assert!(end(part.path()) == end(whole.path()), "other bytes after step {steps}");
}
