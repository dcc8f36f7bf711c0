//! The doctor: three runs that learn badly, or seem to learn, and what it says about each.
//!
//!     cargo run --release --example doctor

use anyhow::{Context, Result, ensure};
use chainrule::doctor::{Doctor, Illness};
use chainrule::prelude::*;
use chainrule::{data, loss, metric::Confusion, progress::Silent, report::Report};

fn main() -> Result<()> {
    let [train, dev] = data::wine()?.split_stratified([0.8, 0.2], Key::new(1))?;
    let scale = data::Standardize::fit(&train)?;
    let (scaled, scaled_dev) = (scale.apply(&train)?, scale.apply(&dev)?);

    println!("1. Wine as it comes: alcohol in per cent, proline in the hundreds.\n");
    let network = || Trainer::new(model, loss::softmax_cross_entropy).epochs(20).batch_size(32);
    let mut doctor = Doctor::new();
    doctor.attend(&network(), &mut Params::new(), &train, Some(&dev), &mut Silent)?;
    println!("{}\n", doctor.advice());
    ensure!(
        doctor.findings().iter().any(|f| f.illness == Illness::InputsNotNormalised),
        "raw columns are found"
    );

    println!("2. The same, standardised, with a softmax before a loss that has one.\n");
    let twice = layer(|s, x| model(s, x).softmax(-1));
    let trainer = Trainer::new(twice, loss::softmax_cross_entropy).epochs(20).batch_size(32);
    let mut doctor = Doctor::new();
    doctor.attend(&trainer, &mut Params::new(), &scaled, Some(&scaled_dev), &mut Silent)?;
    println!("{}\n", doctor.advice());
    ensure!(
        doctor.findings().iter().any(|f| f.illness == Illness::SquashedTwice),
        "the second softmax is found"
    );

    println!("3. Without it.\n");
    let (mut doctor, mut params, trainer) = (Doctor::new(), Params::new(), network());
    let history = doctor.attend(&trainer, &mut params, &scaled, Some(&scaled_dev), &mut Silent)?;
    println!("{}", doctor.advice());
    ensure!(doctor.findings().is_empty(), "a healthy run");

    let mut evaluator = trainer.evaluator();
    let classes = evaluator.run(&params, &scaled_dev)?.classes;
    let losses = evaluator.losses(&params, &scaled_dev)?;
    let names = scaled_dev.classes().context("wine has classes")?.clone();
    let confusion = Confusion::new(&classes, scaled_dev.targets(), names)?;
    let report = Report::new("Wine")
        .facts("Configuration", [("epochs", "20"), ("batch", "32"), ("optimiser", "Adam, 0.001")])
        .data("Training data", &scaled)
        .history(&history)?
        .doctor(&doctor)?
        .confusion(&confusion)
        .worst(&scaled_dev, &losses, &classes, 5)?
        .histograms(&params)?
        .summary(&Summary::of(&model, &params, [13])?);
    std::fs::create_dir_all("out")?;
    report.write("out/doctor.html")?;
    println!("\nthe report of this run is out/doctor.html");
    Ok(())
}

fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Linear::new(16).forward(&s.at("hidden"), x).relu();
    Linear::new(3).forward(&s.at("output"), h)
}
