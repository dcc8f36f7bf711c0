//! The main job: a deep network learns to read handwritten digits (lectures of course 1, week 4, and course 2).
//!
//!     cargo run --release --example digits
//!     cargo run --release --example digits -- --data DIR        # IDX files in MNIST's format

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use chainrule::data::{Classes, Dataset, Standardize, digits, idx};
use chainrule::metric::{Confusion, mistakes};
use chainrule::prelude::*;
use chainrule::{loss, plot, progress};
use clap::Parser;

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

/// The three parts of the data, and the height and width of an image.
struct Data {
    train: Dataset,
    dev: Dataset,
    test: Dataset,
    image: [usize; 2],
}

fn load(options: &Options) -> Result<Data> {
    let key = Key::new(options.seed).named("split");
    match &options.data {
        None => {
            let [train, dev, test] = digits()?.split_stratified([0.7, 0.15, 0.15], key)?;
            Ok(Data { train, dev, test, image: [8, 8] })
        }
        Some(folder) => {
            let names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
            let mnist = idx::mnist(folder, Classes::from(names))?;
            let shape = mnist.train.example_shape();
            ensure!(shape.len() == 2, "{}: the images are {shape}, not flat or 2-D", folder.display());
            let [train, dev] = mnist.train.split_stratified([0.9, 0.1], key)?;
            let flat = |d: Dataset| d.reshape_examples(&[-1]);
            Ok(Data { train: flat(train)?, dev: flat(dev)?, test: flat(mnist.test)?, image: [shape[0], shape[1]] })
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let Data { train, dev, test, image } = load(&options)?;
    let raw = test.clone();
    let scale = Standardize::fit(&train)?;
    let (train, dev, test) = (scale.apply(&train)?, scale.apply(&dev)?, scale.apply(&test)?);
    let classes = train.classes().context("labelled data")?.clone();
    println!("{} training, {} dev, {} test examples of {}", train.examples(), dev.examples(), test.examples(), train.example_shape());

    let network = Network { hidden: options.hidden.iter().map(|n| *n as usize).collect(), classes: classes.count() };
    let trainer = Trainer::new(network, loss::softmax_cross_entropy)
        .optimiser(Adam::new(0.001))
        .penalty(Penalty::l2(0.5))
        .epochs(options.epochs as usize)
        .batch_size(64)
        .seed(options.seed);

    let mut params = Params::new();
    let few: Vec<usize> = (0..16.min(train.examples())).collect();
    let check = trainer.check(&mut params, &train.select(&few)?, 20)?;
    println!("\ngradient check before training (dropout and penalty included)\n{check}\n");
    ensure!(check.is_fine(), "the gradients are wrong; training would not be worth its time");
    println!("{}\n", Summary::of(trainer.model(), &params, train.example_shape())?);

    let start = Instant::now();
    let history = trainer.fit(&mut params, &train, Some(&dev), &mut *progress::auto())?;
    println!("trained {} epochs in {:.1} s", options.epochs, start.elapsed().as_secs_f64());

    let result = trainer.evaluator().run(&params, &test)?;
    let confusion = Confusion::new(&result.classes, test.targets(), classes.clone())?;
    println!("\n{confusion}");
    println!("test accuracy {:.2} %", 100.0 * confusion.accuracy());

    let out = &options.out;
    std::fs::create_dir_all(out).with_context(|| format!("{}: cannot make this folder", out.display()))?;
    params.save(out.join("model.safetensors"))?;
    history.write_csv(out.join("history.csv"))?;
    plot::learning_curves(&history, out.join("learning_curves.svg"))?;
    let wrong = mistakes(&result.classes, test.targets())?;
    sheet(&raw, &result.classes, &result.outputs, &wrong, image, out.join("misclassified.svg"), &classes)?;
    println!("model, learning curves and the {} misclassified digits are in {}", wrong.len(), out.display());
    Ok(())
}
