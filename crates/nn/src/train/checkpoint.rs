//! Runs in files, from which a fresh process goes on as if nothing had happened.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chainrule_tensor::{Tensor, io::safetensors};
use serde_json::{Value, json};

use super::run::At;
use crate::History;
use crate::data::Augment;
use crate::digest;
use crate::error::{Error, Result};
use crate::params::Params;
use crate::step::Step;

/// Saves a run as it goes, and goes on from what is saved: a program that was killed is started again as it was, and
/// ends with the same bits as if it had never stopped, with any number of threads.
///
/// ```
/// use chainrule_nn::{Checkpoints, Linear, Params, Trainer, data::iris, loss};
/// let folder = tempfile::tempdir()?;
/// let iris = iris()?;
/// let trainer = |seed| {
///     let saved = Checkpoints::to(folder.path()).every(2).keep(3);
///     Trainer::new(Linear::new(3), loss::softmax_cross_entropy).seed(seed).epochs(4).checkpoints(saved)
/// };
/// let first = trainer(1);
/// let mut run = first.start(Params::new(), &iris, None)?;
/// for _ in 0..5 {
///     run.step()?; // an epoch has three batches
/// }
/// drop(run);
/// let again = trainer(1);
/// let mut run = again.start(Params::new(), &iris, None)?;
/// assert_eq!(run.step()?.map(|step| (step.epoch, step.batch)), Some((2, 2)));
/// let other = trainer(2).start(Params::new(), &iris, None).map(drop).unwrap_err();
/// assert!(other.to_string().contains("the seed is 2, that of the checkpoint 1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A file is complete or not there: it is written beside, flushed to the disk and renamed. It is a safetensors file: the
/// state of the step by name under `now/`, the parameters of the last whole epoch under `epoch/` and of the best under
/// `best/`, and notes: the version of the format, how far the run is, its history, dials, what it was made of, a checksum.
/// `best.safetensors` holds the best parameters alone, if the trainer [keeps them](crate::Trainer::best).
///
/// A run goes on only if program, data, seed, batch size and the parameters that it started from are the same. The program
/// is what is computed, rates and penalties included, not its lines. More epochs are no other run.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoints {
    folder: PathBuf,
    every: u64,
    keep: usize,
}

/// What tells one run from another.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Marks {
    seed: u64,
    batch: usize,
    /// How many batches make a step.
    accumulate: usize,
    program: String,
    data: String,
    start: String,
}

/// A run as it was saved.
pub(super) struct Saved {
    pub(super) at: At,
    pub(super) state: BTreeMap<String, Tensor>,
    pub(super) dials: Vec<f64>,
    pub(super) source: String,
}

const VERSION: &str = "1";
const NOTE: &str = "chainrule.checkpoint";
const RUN: &str = "chainrule.run";
const HISTORY: &str = "chainrule.history";
const CHECKSUM: &str = "chainrule.checksum";

impl Checkpoints {
    /// Into `folder`, which is made if it is not there, at the end of each epoch; the last two are kept.
    pub fn to(folder: impl Into<PathBuf>) -> Self {
        Checkpoints { folder: folder.into(), every: 0, keep: 2 }
    }

    /// Also after every so many batches, within steps of [several](crate::Trainer::accumulate), too.
    pub fn every(mut self, steps: u64) -> Self {
        self.every = steps;
        self
    }

    /// Keeps the last `files`, at least one.
    pub fn keep(mut self, files: usize) -> Self {
        self.keep = files.max(1);
        self
    }

    pub(super) fn is_due(&self, steps: u64) -> bool {
        self.every > 0 && steps.is_multiple_of(self.every)
    }

    /// The files that are there, the newest last.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::io(&self.folder, &e)),
        };
        let mut files: Vec<(u64, PathBuf)> = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| Error::io(&self.folder, &e))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let number = name.strip_prefix("step-").and_then(|rest| rest.strip_suffix(".safetensors"));
            files.extend(number.and_then(|n| n.parse().ok()).map(|n| (n, path)));
        }
        files.sort();
        Ok(files.into_iter().map(|(_, path)| path).collect())
    }

    fn prune(&self) -> Result<()> {
        let files = self.files()?;
        let old = files.len().saturating_sub(self.keep);
        files[..old].iter().try_for_each(|path| fs::remove_file(path).map_err(|e| Error::io(path, &e)))
    }

    /// The newest run that is saved, if any; it must be the one of `marks`.
    pub(super) fn newest(&self, marks: &Marks) -> Result<Option<Saved>> {
        let Some(path) = self.files()?.pop() else { return Ok(None) };
        let saved = read(&path, marks)?;
        self.prune()?;
        Ok(Some(saved))
    }

    pub(super) fn write(&self, marks: &Marks, at: &At, step: &Step) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|e| Error::io(&self.folder, &e))?;
        if let Some((epoch, _, best)) = &at.best
            && *epoch == at.epoch
            && at.batch == 0
        {
            best.save(self.folder.join("best.safetensors"))?;
        }
        let mut tensors: Vec<(String, Tensor)> = Vec::new();
        let mut add = |prefix: &str, name: &str, value: &Tensor| {
            tensors.push((format!("{prefix}/{name}"), value.clone()));
        };
        step.named_state().iter().for_each(|(name, value)| add("now", name, value));
        at.params.iter().for_each(|(name, value)| add("epoch", name, value));
        let best = at.best.iter().flat_map(|(_, _, best)| best.iter());
        best.for_each(|(name, value)| add("best", name, value));
        let run = json!({
            "epoch": at.epoch, "batch": at.batch, "steps": at.steps, "total": hex(at.total),
            "seed": marks.seed, "batch size": marks.batch, "batches a step": marks.accumulate, "program": marks.program, "data": marks.data,
            "start": marks.start, "dials": step.dials().into_iter().map(hex).collect::<Vec<_>>(),
            "recent": at.recent.iter().copied().map(hex).collect::<Vec<_>>(),
            "best": at.best.as_ref().map(|(epoch, value, _)| json!([epoch, hex(*value)])),
        });
        let mut notes = BTreeMap::from([
            (NOTE.to_owned(), VERSION.to_owned()),
            (RUN.to_owned(), run.to_string()),
            (HISTORY.to_owned(), at.history.to_csv()),
        ]);
        notes.insert(CHECKSUM.into(), checksum(tensors.iter().map(|(n, t)| (n.as_str(), t)), &notes));
        let path = self.folder.join(format!("step-{:010}.safetensors", at.steps));
        safetensors::write(&path, tensors.iter().map(|(name, value)| (name, value)), &notes)?;
        self.prune()
    }
}

impl Marks {
    pub(super) fn of(
        seed: u64,
        [batch, accumulate]: [usize; 2],
        step: &Step,
        augment: Option<&Augment>,
        data: &[String],
        start: &Params,
    ) -> Self {
        let (data, start) = (digest::of_text(&data.join(" ")), digest::of(start.iter()));
        let augment = augment.map_or_else(String::new, |augment| format!("{augment:?}"));
        let program = digest::of_text(&(step.program().to_owned() + &augment));
        Marks { seed, batch, accumulate, program, data, start }
    }
}

/// Reads a checkpoint of the run that `marks` tell of.
fn read(path: &Path, marks: &Marks) -> Result<Saved> {
    let source = path.display().to_string();
    let broken = |why: String| {
        let file = source.clone();
        Error::Format { file, format: "checkpoint", position: 0, why }
    };
    let contents = safetensors::read(path)?;
    let mut notes = contents.metadata;
    let note = |notes: &BTreeMap<String, String>, key: &str| {
        notes.get(key).cloned().ok_or_else(|| broken(format!("its note `{key}` is missing")))
    };
    let version = note(&notes, NOTE)?;
    if version != VERSION {
        let why = format!("it has version {version} of the format; this library reads version {VERSION}");
        return Err(broken(why));
    }
    let stored = note(&notes, CHECKSUM)?;
    notes.remove(CHECKSUM);
    if stored != checksum(contents.tensors.iter().map(|(n, t)| (n.as_str(), t)), &notes) {
        return Err(broken(
            "it is damaged: its checksum differs; delete it to go on from the one before".into(),
        ));
    }
    let run: Value = serde_json::from_str(&note(&notes, RUN)?).map_err(|e| broken(e.to_string()))?;
    let lacking = |key: &str| broken(format!("`{key}` is missing"));
    let number = |key: &str| run[key].as_u64().ok_or_else(|| lacking(key));
    let word = |key: &str| run[key].as_str().ok_or_else(|| lacking(key));
    let real = |value: &Value| {
        value.as_str().and_then(|text| u64::from_str_radix(text, 16).ok()).map(f64::from_bits)
    };

    let mut changed = Vec::new();
    let mut compare = |what: &str, now: u64, then: u64| {
        if now != then {
            changed.push(format!("the {what} is {now}, that of the checkpoint {then}"));
        }
    };
    compare("seed", marks.seed, number("seed")?);
    compare("batch size", marks.batch as u64, number("batch size")?);
    compare("number of batches a step", marks.accumulate as u64, number("batches a step")?);
    let same_seed = changed.is_empty();
    if word("data")? != marks.data {
        changed.push("the data are others".into());
    }
    if word("start")? != marks.start {
        changed.push("the parameters that it started from are others".into());
    }
    // What these change is another program, too.
    if same_seed && word("program")? != marks.program {
        changed.push(
            "the program computes something else: model, loss, penalty, optimiser, rates or augmentation"
                .into(),
        );
    }
    if !changed.is_empty() {
        let why = format!("{}; go on with what it was, or save into another folder", changed.join("; "));
        return Err(Error::Checkpoint { path: path.to_owned(), why });
    }

    let mut parts: BTreeMap<&str, Vec<(String, Tensor)>> = BTreeMap::new();
    for (name, value) in &contents.tensors {
        let (part, name) = name.split_once('/').ok_or_else(|| broken(format!("`{name}` has no part")))?;
        parts.entry(part).or_default().push((name.to_owned(), value.clone()));
    }
    let mut part = |name: &str| parts.remove(name).unwrap_or_default();
    let best = match &run["best"] {
        Value::Null => None,
        pair => {
            let epoch = pair[0].as_u64().ok_or_else(|| lacking("best"))? as usize;
            let value = real(&pair[1]).ok_or_else(|| lacking("best"))?;
            Some((epoch, value, part("best").into_iter().collect()))
        }
    };
    let reals = |key: &str| -> Result<Vec<f64>> {
        let values = run[key].as_array().ok_or_else(|| lacking(key))?;
        values.iter().map(|value| real(value).ok_or_else(|| lacking(key))).collect()
    };
    let at = At {
        epoch: number("epoch")? as usize,
        batch: number("batch")? as usize,
        steps: number("steps")?,
        total: real(&run["total"]).ok_or_else(|| lacking("total"))?,
        recent: reals("recent")?,
        params: part("epoch").into_iter().collect(),
        history: History::from_csv(&note(&notes, HISTORY)?, &source)?,
        best,
    };
    Ok(Saved { at, state: part("now").into_iter().collect(), dials: reals("dials")?, source })
}

/// The bits of a number.
fn hex(value: f64) -> String {
    format!("{:016x}", value.to_bits())
}

fn checksum<'a>(
    tensors: impl Iterator<Item = (&'a str, &'a Tensor)>,
    notes: &BTreeMap<String, String>,
) -> String {
    let notes: Vec<String> = notes.iter().map(|(k, n)| format!("{}:{k}{}:{n}", k.len(), n.len())).collect();
    format!("{}{}", digest::of_text(&notes.concat()), digest::of(tensors))
}
