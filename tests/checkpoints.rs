use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use chainrule::data::{Dataset, iris};
use chainrule::loss::softmax_cross_entropy;
use chainrule::nn::optim::Dial;
use chainrule::nn::{Error, Result};
use chainrule::prelude::*;
use chainrule::tensor::kernels::threads::set_threads;

fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Linear::new(16).forward(&s.at("hidden"), x);
    let h = BatchNorm::new().forward(&s.at("norm"), h).relu();
    let h = Dropout::keep(0.8).forward(&s.at("drop"), h);
    Linear::new(3).forward(&s.at("output"), h)
}

fn data() -> [Dataset; 2] {
    iris().and_then(|d| d.split_stratified([0.8, 0.2], Key::new(1))).expect("embedded")
}

type Plain = for<'g> fn(&Scope<'g>, Var<'g>) -> Var<'g>;
type Cost = for<'g> fn(Var<'g>, Var<'g>) -> Var<'g>;

fn trainer(folder: &Path, epochs: usize) -> Trainer<Plain, Cost> {
    let saved = Checkpoints::to(folder).every(1).keep(2);
    Trainer::new(model as Plain, softmax_cross_entropy as Cost)
        .optimiser(Adam::new(0.01))
        .batch_size(16)
        .seed(7)
        .epochs(epochs)
        .best(Best::lowest("dev loss"))
        .checkpoints(saved)
}

/// All files of a folder with their bytes.
fn bytes(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("readable"))
        .map(|e| (e.file_name().to_string_lossy().into_owned(), fs::read(e.path()).expect("a file")))
        .filter(|(name, _)| !name.starts_with(".tmp"))
        .collect();
    files.sort();
    files
}

fn fit(folder: &Path, epochs: usize) -> Result<Params> {
    let [train, dev] = data();
    let mut params = Params::new();
    let trainer = trainer(folder, epochs);
    trainer.fit(&mut params, &train, Some(&dev), &mut chainrule::progress::Silent)?;
    Ok(params)
}

/// What the killed process does: nothing, unless it is told where.
#[test]
fn child() {
    if let Ok(folder) = env::var("CHAINRULE_TEST_RUN") {
        let threads = env::var("CHAINRULE_TEST_THREADS").ok().and_then(|n| n.parse().ok());
        set_threads(threads.unwrap_or(1));
        let params = fit(Path::new(&folder), 12).expect("trains");
        params.save(Path::new(&folder).join("final.safetensors")).expect("saved");
    }
}

#[test]
fn a_run_that_is_killed_at_any_moment_ends_with_the_same_bytes() {
    let kills = env::var("CHAINRULE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(4_usize);
    let whole = tempfile::tempdir().expect("a folder");
    let start = |folder: &Path, threads: usize| {
        Command::new(env::current_exe().expect("this program"))
            .args(["checkpoints::child", "--exact"])
            .env("CHAINRULE_TEST_RUN", folder)
            .env("CHAINRULE_TEST_THREADS", threads.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a process")
    };
    assert!(start(whole.path(), 2).wait().expect("ends").success());
    let expected = bytes(whole.path());
    assert_eq!(expected.len(), 4, "two checkpoints, the best, the end");
    let (mut killed, mut dice) = (0, Key::new(11).permutation(1000).expect("numbers").into_iter().cycle());
    while killed < kills {
        let folder = tempfile::tempdir().expect("a folder");
        let mut threads = 1;
        // At least one kill a run, until one comes through.
        loop {
            let mut process = start(folder.path(), threads);
            threads = 3 - threads;
            let wait = dice.next().expect("endless") as u64 * 3 / 5;
            thread::sleep(Duration::from_millis(wait));
            if process.try_wait().expect("a process").is_some_and(|status| status.success()) {
                break;
            }
            process.kill().expect("SIGKILL");
            process.wait().expect("ends");
            killed += 1;
            if killed >= kills {
                assert!(start(folder.path(), threads).wait().expect("ends").success());
                break;
            }
        }
        assert!(bytes(folder.path()) == expected, "after {killed} kills");
    }
}

#[test]
fn a_run_goes_on_from_every_step() {
    let [train, dev] = data();
    let whole = tempfile::tempdir().expect("a folder");
    let end = fit(whole.path(), 3).expect("trains");
    let part = tempfile::tempdir().expect("a folder");
    // A new run for each of the 24 steps.
    for step in 1..=24 {
        let trainer = trainer(part.path(), 3);
        let mut run = trainer.start(Params::new(), &train, Some(&dev)).expect("goes on");
        let stepped = run.step().expect("runs").expect("not over");
        assert_eq!((stepped.epoch - 1) * 8 + stepped.batch, step);
    }
    assert!(bytes(part.path()) == bytes(whole.path()));
    assert_eq!(fit(part.path(), 3).expect("is over"), end);
    // More epochs are the same run.
    assert_ne!(fit(part.path(), 5).expect("goes on"), Params::new());
}

#[test]
fn what_has_changed_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let [train, dev] = data();
    fit(folder.path(), 1).expect("trains");
    let before = bytes(folder.path());
    let start = |trainer: Trainer<Plain, Cost>, params: Params, train: &Dataset, dev: Option<&Dataset>| {
        let result = trainer.start(params, train, dev).map(drop);
        let error = result.expect_err("another run");
        assert!(matches!(&error, Error::Checkpoint { .. }), "{error}");
        error.to_string()
    };
    let plain = || trainer(folder.path(), 2);
    let says = |text: String, words: &[&str]| {
        assert!(words.iter().all(|word| text.contains(word)) && text.contains("step-0000000008"), "{text}");
    };
    says(start(plain().seed(8), Params::new(), &train, Some(&dev)), &["the seed is 8", "checkpoint 7"]);
    says(start(plain().batch_size(30), Params::new(), &train, Some(&dev)), &["the batch size is 30"]);
    says(start(plain(), Params::new(), &train, None), &["the data are others"]);
    says(start(plain(), Params::new(), &dev, Some(&train)), &["the data are others"]);
    let changed =
        [plain().optimiser(Adam::new(0.02)), plain().penalty(Penalty::l2(0.1)), plain().freeze("hidden")];
    for trainer in changed {
        says(start(trainer, Params::new(), &train, Some(&dev)), &["the program computes something else"]);
    }
    let given = fit(tempfile::tempdir().expect("a folder").path(), 1).expect("trains");
    says(start(plain(), given, &train, Some(&dev)), &["the parameters that it started from"]);
    assert!(bytes(folder.path()) == before, "nothing is lost");
}

#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    fit(folder.path(), 1).expect("trains");
    let path = folder.path().join("step-0000000008.safetensors");
    let sound = fs::read(&path).expect("a file");
    let says = |bytes: &[u8], words: &[&str]| {
        fs::write(&path, bytes).expect("written");
        let text = fit(folder.path(), 2).expect_err("damaged").to_string();
        assert!(words.iter().all(|word| text.contains(word)) && text.contains("step-0000000008"), "{text}");
    };
    let mut bit = sound.clone();
    *bit.last_mut().expect("bytes") ^= 1;
    says(&bit, &["checksum", "delete it"]);
    says(&sound[..sound.len() / 2], &["safetensors"]);
    says(&[], &["safetensors"]);
    let key = b"chainrule.checkpoint\":\"";
    let at = sound.windows(key.len()).position(|bytes| bytes == key).expect("the version") + key.len();
    let mut newer = sound.clone();
    newer[at] = b'2';
    says(&newer, &["version 2", "reads version 1"]);
    // Any other bit.
    for at in (8..sound.len()).step_by(sound.len() / 40) {
        let mut bits = sound.clone();
        bits[at] ^= 4;
        fs::write(&path, &bits).expect("written");
        assert!(fit(folder.path(), 2).is_err(), "byte {at}");
    }
    fs::write(&path, &sound).expect("written");
    fit(folder.path(), 2).expect("goes on");
    // Nothing can be written where a file stands.
    let file = folder.path().join("file");
    fs::write(&file, "").expect("written");
    let text = fit(&file, 1).expect_err("no folder").to_string();
    assert!(text.contains("file"), "{text}");
}

#[test]
fn dials_and_best_parameters_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let [train, dev] = data();
    let dial = Dial::new(0.05);
    let one = trainer(folder.path(), 6).optimiser(Sgd::new(&dial));
    let mut run = one.start(Params::new(), &train, Some(&dev)).expect("starts");
    run.by_ref().take(2).for_each(|epoch| assert!(epoch.is_ok()));
    dial.set(0.5);
    assert_eq!(run.next().map(|e| e.expect("trains").number), Some(3));
    let best = run.best().map(|(epoch, value, params)| (epoch, value, params.clone()));
    let history = run.history().clone();
    drop(run);
    let dial = Dial::new(0.05);
    let again = trainer(folder.path(), 6).optimiser(Sgd::new(&dial));
    let run = again.start(Params::new(), &train, Some(&dev)).expect("goes on");
    assert_eq!(dial.get(), 0.5);
    assert_eq!(run.best().map(|(epoch, value, params)| (epoch, value, params.clone())), best);
    assert_eq!(run.history(), &history);
    assert_eq!(history.lowest("dev loss"), best.as_ref().map(|(epoch, value, _)| (*epoch, *value)));
    let file = Params::load(folder.path().join("best.safetensors")).expect("saved");
    assert_eq!(Some(file), best.map(|(_, _, params)| params));
}
