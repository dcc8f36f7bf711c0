//! Course 5, week 3, lecture 3.9: from sounds to letters without being told which sound is which. CTC sums over all ways in
//! which the letters can lie along the frames, and finds them better than a guess that spreads them evenly.
//!
//!     cargo run --release --example c5w3_09_speech

mod lecture;

use anyhow::{Result, ensure};
use chainrule::loss::Ctc;
use chainrule::metric::{Trials, edit_distance};
use chainrule::optim::{ClipGlobalNorm, Optimiser, Rate};
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use lecture::sequences::{Draws, each_token, evaluate, first, fit, padded};

/// Letters are 1 to 8; 0 is the blank.
const NAMES: [&str; CLASSES] = ["blank", "a", "b", "c", "d", "e", "f", "g", "h"];
const CLASSES: usize = 9;
const BANDS: usize = 10;
const MOST: usize = 6;
const FRAMES: usize = 46;
const NOISE: f64 = 0.5;

/// What was said, how it sounds, and where each letter begins and ends.
struct Said {
    letters: Vec<i64>,
    frames: Vec<f32>,
    steps: usize,
    places: Vec<[usize; 2]>,
}

/// Three to six letters, each 2 to 6 frames long, running into each other; a frame's pause between some, in all of noise.
fn say(draws: &mut Draws, voice: &[[f64; BANDS]]) -> Said {
    let count = 3 + draws.below(MOST - 2);
    let letters: Vec<i64> = (0..count).map(|_| 1 + draws.below(CLASSES - 1) as i64).collect();
    let mut sounds = vec![0_usize; 1 + draws.below(3)];
    let mut places = Vec::new();
    for (i, letter) in letters.iter().enumerate() {
        if i > 0 && (letters[i - 1] == *letter || draws.chance(0.2)) {
            sounds.push(0);
        }
        let from = sounds.len();
        sounds.resize(from + 2 + draws.below(5), *letter as usize);
        places.push([from, sounds.len()]);
    }
    sounds.push(0);
    let mut frames = Vec::new();
    for t in 0..FRAMES {
        let (now, before) = (sounds.get(t).copied(), sounds.get(t.saturating_sub(1)).copied());
        let of = |s: Option<usize>, band: usize| s.filter(|s| *s > 0).map_or(0.0, |s| voice[s][band]);
        for band in 0..BANDS {
            let sound = 0.75 * of(now, band) + 0.25 * of(before, band);
            frames.push((sound + NOISE * draws.normal()) as f32);
        }
    }
    Said { letters, frames, steps: sounds.len(), places }
}

/// Frames, letters, numbers of frames and of letters, and the letters spread evenly, each with a blank at its end.
fn tensors(said: &[Said]) -> Result<Vec<Tensor>> {
    let frames: Vec<f32> = said.iter().flat_map(|s| s.frames.iter().copied()).collect();
    let letters: Vec<Vec<i64>> = said.iter().map(|s| s.letters.clone()).collect();
    let counts = |f: fn(&Said) -> usize| said.iter().map(|s| f(s) as i64).collect::<Vec<i64>>();
    let even = |s: &Said| {
        let letter = |t: usize| t * s.letters.len() / s.steps;
        let label = |t: usize| if letter(t) == letter(t + 1) { s.letters[letter(t)] } else { 0 };
        (0..s.steps).map(label).collect::<Vec<i64>>()
    };
    let even: Vec<Vec<i64>> = said.iter().map(even).collect();
    Ok(vec![
        Tensor::from_vec(frames, [said.len(), FRAMES, BANDS])?,
        padded(&letters, MOST, 0)?,
        Tensor::from(&counts(|s| s.steps)[..]),
        Tensor::from(&counts(|s| s.letters.len())[..]),
        padded(&even, FRAMES, -1)?,
    ])
}

fn model<'g>(s: &Scope<'g>, frames: Var<'g>, steps: Var<'g>) -> Var<'g> {
    let h = Recurrent::gru(32).bidirectional().unroll(&s.at("gru"), frames, Some(steps), &[]).0;
    Linear::new(CLASSES).init(Init::Xavier).forward(&s.at("letters"), h)
}

/// Repetitions and then blanks taken out, each letter with the frame where it began.
fn collapsed(classes: &[i64]) -> Vec<(i64, usize)> {
    let new = |t: &usize| classes[*t] != 0 && (*t == 0 || classes[t - 1] != classes[*t]);
    (0..classes.len()).filter(new).map(|t| (classes[t], t)).collect()
}

/// Prints the errors, draws what the network says of one utterance; fails if the claim does not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!("claim: CTC learns from letters alone where they are said\n");
    println!("wrong, left out or added letters of 100, on 400 utterances not heard   ({seeds} seeds)");
    let (mut errors, mut inside) = ([Trials::default(), Trials::default()], Trials::default());
    let mut plot = LinePlot::new("What CTC says of one utterance", "frame", "probability");
    for seed in 0..seeds {
        let mut draws = Draws::new(Key::new(seed).named("utterances"));
        // How each letter sounds: its share of each band. No recording: patterns, drawn once for each seed.
        let voice = [(); CLASSES].map(|()| [(); BANDS].map(|()| draws.normal()));
        let all: Vec<Said> = (0..2400).map(|_| say(&mut draws, &voice)).collect();
        let (train, test) = all.split_at(2000);
        let (train, heard) = (tensors(train)?, tensors(test)?);
        for (ctc, trials) in [true, false].into_iter().zip(&mut errors) {
            let batch = first(&train, 32)?;
            let mut step = Step::builder().seed(seed).record(Params::new(), &batch, |s, x| {
                let z = model(s, x[0], x[2]);
                let by_ctc = |z| Ctc::new().of(z, x[1], Some(x[2]), Some(x[3]));
                let loss = if ctc { by_ctc(z) } else { each_token().of(z, x[4]) };
                let adam = ClipGlobalNorm(5.0).then(Adam::new(Rate::one_cycle(0.01, steps)));
                Learning::of(Goal::new("loss", loss, adam))
            })?;
            fit(&mut step, &train, steps, seed)?;
            let p = evaluate(&step.params(), &heard, |s, x| vec![model(s, x[0], x[2]).softmax(-1)])?;
            let (classes, p) = (p[0].argmax(-1)?.to_vec::<i64>()?, p[0].to_vec::<f32>()?);
            let (mut wrong, mut letters, mut placed, mut spikes) = (0, 0, 0, 0);
            for (said, classes) in test.iter().zip(classes.chunks(FRAMES)) {
                let found = collapsed(&classes[..said.steps]);
                let only: Vec<i64> = found.iter().map(|f| f.0).collect();
                wrong += edit_distance(&only, &said.letters);
                letters += said.letters.len();
                if only == said.letters {
                    let lies = |((_, t), [from, to]): &(&(i64, usize), &[usize; 2])| (from..to).contains(&t);
                    placed += found.iter().zip(&said.places).filter(lies).count();
                    spikes += found.len();
                }
            }
            trials.0.push(100.0 * wrong as f64 / letters as f64);
            if ctc {
                inside.0.push(100.0 * placed as f64 / spikes as f64);
            }
            if ctc && seed == 0 {
                let said = |c: &usize| *c == 0 || test[0].letters.contains(&(*c as i64));
                for c in (0..CLASSES).filter(said) {
                    let at = |t: usize| (t as f64, f64::from(p[t * CLASSES + c]));
                    plot = plot.line(NAMES[c], (0..test[0].steps).map(at));
                }
            }
        }
    }
    println!("  by CTC {:.2}, by letters spread evenly {:.2}", errors[0], errors[1]);
    println!("of CTC's right letters {inside:.0} % begin while they are said");
    ensure!(errors[0].mean() < 5.0 && errors[1].mean() > 3.0 * errors[0].mean(), "{errors:?}");
    ensure!(inside.mean() > 80.0, "{inside}");
    println!("\nthe claim holds");
    Ok(plot.draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c5w3_09_speech", &run(5, 700)?)
}
