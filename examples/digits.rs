//! The main job: a deep network learns to read handwritten digits (lectures of course 1, week 4, and course 2).
//!
//!     cargo run --release --example digits
//!     cargo run --release --example digits -- --data DIR        # IDX files in MNIST's format
//!     cargo run --release --example digits -- --run DIR         # Ctrl-C saves there, and the same command goes on

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use chainrule::data::{Dataset, Standardize, digits, mnist};
use chainrule::metric::{Confusion, mistakes};
use chainrule::nn::{Evaluation, Stop};
use chainrule::prelude::*;
use chainrule::{loss, plot, progress};
use clap::Parser;
use signal_hook::consts::SIGINT;

/// Trains a deep network on handwritten digits.
#[derive(Parser)]
struct Options {
    /// Folder with MNIST-format IDX files (train-images-idx3-ubyte …, plain or .gz); the embedded 8×8 digits if absent
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How often every example is seen
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Units of the hidden layers, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "128,64", value_parser = clap::value_parser!(u32).range(1..))]
    hidden: Vec<u32>,
    /// Seed of everything random: the same seed gives the same network, to the bit
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for the model and the pictures
    #[arg(long, value_name = "DIR", default_value = "out/digits")]
    out: PathBuf,
    /// Folder of a run that may be interrupted: Ctrl-C saves and stops, and the same command goes on to the same bits
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
}

/// Hidden layers of ReLU with a little dropout, then one score per class.
struct Network {
    hidden: Vec<usize>,
    classes: usize,
}

impl Layer for Network {
    fn forward<'g>(&self, s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        let mut a = x;
        for (l, units) in self.hidden.iter().enumerate() {
            let s = s.at(&format!("hidden{}", l + 1));
            a = Linear::new(*units).forward(&s, a).relu();
            a = Dropout::keep(0.9).forward(&s, a);
        }
        Linear::new(self.classes).init(Init::Xavier).forward(&s.at("output"), a)
    }
}

/// Training, dev and test images.
fn load(options: &Options) -> Result<[Dataset; 3]> {
    let key = Key::new(options.seed).named("split");
    match &options.data {
        None => Ok(digits()?.split_stratified([0.7, 0.15, 0.15], key)?),
        Some(folder) => {
            let data = mnist(folder, 10)?;
            let [train, dev] = data.train.split_stratified([0.9, 0.1], key)?;
            Ok([train, dev, data.test])
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let [train, dev, test] = load(&options)?;
    let classes = train.classes().context("the digits have labels")?.clone();
    let shape = train.example_shape();
    let [m, m_dev, m_test] = [&train, &dev, &test].map(Dataset::examples);
    println!("{m} training, {m_dev} dev, {m_test} test images of {shape}");
    let images = test.features().clone();
    let (train, dev, test) =
        (train.reshape_examples(&[-1])?, dev.reshape_examples(&[-1])?, test.reshape_examples(&[-1])?);
    // μ and σ come from the training set alone (course 2, lecture 1.9).
    let scale = Standardize::fit(&train)?;
    let (train, dev, test) = (scale.apply(&train)?, scale.apply(&dev)?, scale.apply(&test)?);

    let network =
        Network { hidden: options.hidden.iter().map(|n| *n as usize).collect(), classes: classes.count() };
    let stop = Stop::new();
    let mut trainer = Trainer::new(network, loss::softmax_cross_entropy)
        .optimiser(Adam::new(0.001))
        .penalty(Penalty::l2(0.5))
        .epochs(options.epochs as usize)
        .batch_size(64)
        .seed(options.seed)
        .stop(&stop);
    if let Some(folder) = &options.run {
        signal_hook::flag::register_conditional_default(SIGINT, stop.flag())?; // a second Ctrl-C kills
        signal_hook::flag::register(SIGINT, stop.flag())?;
        trainer = trainer.checkpoints(Checkpoints::to(folder));
    }

    let mut params = Params::new();
    let few: Vec<usize> = (0..16.min(train.examples())).collect();
    let check = trainer.check(&mut params, &train.select(&few)?, 20)?;
    println!("\ngradient check before training (dropout and penalty included)\n{check}\n");
    ensure!(check.is_fine(), "the gradients are wrong; training would not be worth its time");
    println!("{}\n", Summary::of(trainer.model(), &params, train.example_shape())?);

    let start = Instant::now();
    let history = trainer.fit(&mut params, &train, Some(&dev), &mut *progress::auto())?;
    if let (Some(folder), true) = (&options.run, stop.is_asked()) {
        println!("stopped, and saved in {}; the same command goes on", folder.display());
        return Ok(());
    }
    println!("trained {} epochs in {:.1} s", options.epochs, start.elapsed().as_secs_f64());

    let result = trainer.evaluator().run(&params, &test)?;
    let confusion = Confusion::new(&result.classes, test.targets(), classes.clone())?;
    println!("\n{confusion}");
    println!("test accuracy {:.2} %", 100.0 * confusion.accuracy());

    let out = &options.out;
    std::fs::create_dir_all(out).with_context(|| format!("{}: cannot make this folder", out.display()))?;
    params.save(out.join("model.safetensors"))?;
    history.write_csv(out.join("history.csv"))?;
    plot::learning_curves(&history)?.write(out.join("learning_curves.svg"))?;
    let wrong = mistakes(&result.classes, test.targets())?;
    if !wrong.is_empty() {
        let shown = &wrong[..wrong.len().min(48)];
        let captions = captions(shown, &test, &result)?;
        let sheet = plot::image_sheet(&images.take(0, shown)?, &captions, 8)?;
        sheet.write(out.join("misclassified.svg"))?;
    }
    println!("model, learning curves and the {} misclassified digits are in {}", wrong.len(), out.display());
    Ok(())
}

/// "true 8, predicted 3 (0.91)" for each of these examples.
fn captions(examples: &[usize], test: &Dataset, result: &Evaluation) -> Result<Vec<String>> {
    let graph = Graph::new();
    let probabilities = graph.constant(result.outputs.clone()).softmax(1).max(1).value()?;
    let caption = |i: &usize| {
        let at = [*i as isize];
        let (truth, predicted) = (test.targets().get::<i64>(&at)?, result.classes.get::<i64>(&at)?);
        Ok(format!("true {truth}, predicted {predicted} ({:.2})", probabilities.get::<f32>(&at)?))
    };
    examples.iter().map(caption).collect()
}
