//! Course 5, week 3, lecture 3.10: a network hears the word that it waits for in a spectrogram, and says so when it has ended.
//! The sounds are made by the program: words of two vowels, of which only one word counts, over noise.
//!
//!     cargo run --release --example c5w3_10_trigger_word

mod lecture;

use anyhow::{Result, ensure};
use chainrule::loss::binary_cross_entropy_with_logits;
use chainrule::metric::Trials;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;
use lecture::sequences::{Draws, evaluate, first, fit};
use lecture::sounds::{BANDS, Clip, HOP, STEPS, clip, fourier, spectrogram};

/// Steps behind the word's end for which the answer is yes.
const YES: usize = 4;

/// The step of the network in which sample `n` is heard.
fn step_of(n: usize) -> usize {
    (n / (3 * HOP)).min(STEPS - 1)
}

/// Spectrograms, three windows side by side, and yes for some steps behind each end.
fn tensors(clips: &[Clip]) -> Result<Vec<Tensor>> {
    let (mut x, mut y, fourier) = (Vec::new(), Vec::new(), fourier()?);
    for clip in clips {
        x.extend_from_slice(&spectrogram(&clip.sound, &fourier)?[..STEPS * 3 * BANDS]);
        let yes = |t: usize| clip.ends.iter().any(|end| (step_of(*end)..step_of(*end) + YES).contains(&t));
        y.extend((0..STEPS).map(|t| f32::from(u8::from(yes(t)))));
    }
    Ok(vec![
        Tensor::from_vec(x, [clips.len(), STEPS, 3 * BANDS])?,
        Tensor::from_vec(y, [clips.len(), STEPS])?,
    ])
}

fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Linear::new(32).forward(&s.at("windows"), x * 0.3).relu();
    let h = Recurrent::gru(32).forward(&s.at("gru"), h);
    Linear::new(1).init(Init::Xavier).forward(&s.at("output"), h).squeeze(2)
}

/// Prints what was heard, draws a clip; fails if the claim does not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!("claim: a recurrent network hears the word it waits for, and not its vowels in another order\n");
    let (mut heard, mut false_alarms, mut never) = (Trials::default(), Trials::default(), Trials::default());
    let mut picture = None;
    for seed in 0..seeds {
        let mut draws = Draws::new(Key::new(seed).named("clips"));
        let clips: Vec<Clip> = (0..700).map(|_| clip(&mut draws)).collect();
        let (test, train) = clips.split_at(200);
        let (data, unheard) = (tensors(train)?, tensors(test)?);
        let mut step = Step::builder().seed(seed).record(Params::new(), &first(&data, 32)?, |s, x| {
            let loss = binary_cross_entropy_with_logits(model(s, x[0]), x[1]);
            Learning::of(Goal::new("loss", loss, Adam::new(0.005)))
        })?;
        fit(&mut step, &data, steps, seed)?;
        let p = evaluate(&step.params(), &unheard, |s, x| vec![model(s, x[0]).sigmoid()])?.swap_remove(0);
        let all = p.to_vec::<f32>()?;
        let (mut words, mut found, mut alarms) = (0.0, 0.0, 0.0);
        for (clip, p) in test.iter().zip(all.chunks(STEPS)) {
            let mut right = [false; STEPS + YES + 1];
            for end in &clip.ends {
                let answers = step_of(*end)..step_of(*end) + YES;
                words += 1.0;
                found += f64::from(u8::from(answers.clone().any(|t| p[t] > 0.5)));
                right[answers.start.saturating_sub(1)..answers.end + 1].fill(true);
            }
            let begins = |t: usize| p[t] > 0.5 && !right[t] && (t == 0 || p[t - 1] <= 0.5);
            alarms += (0..STEPS).filter(|t| begins(*t)).count() as f64;
        }
        heard.0.push(100.0 * found / words);
        false_alarms.0.push(100.0 * alarms / test.len() as f64);
        never.0.push(100.0 * (1.0 - unheard[1].mean(..)?.item::<f64>()?));
        if seed == 0 {
            picture = Some(drawn(&unheard, &p)?);
        }
    }
    println!("200 clips of two seconds that were not in training, {seeds} seeds");
    println!("  heard of the words that count   {heard:.1} %");
    println!("  alarms without it               {false_alarms:.1} for 100 clips");
    println!(
        "  (right steps of a network that always says no: {never:.1} %, which is why steps are not what is counted)"
    );
    ensure!(heard.mean() > 95.0 && false_alarms.mean() < 10.0, "{heard}, {false_alarms}");
    println!("\nthe claim holds");
    Ok(picture.expect("one seed at least"))
}

/// Spectrograms of four clips with the word, low bands below; under each, black, what was wanted and what the network says.
fn drawn(data: &[Tensor], p: &Tensor) -> Result<Picture> {
    let mut images = Vec::new();
    let said = data[1].max(1)?.to_vec::<f32>()?;
    for clip in (0..said.len()).filter(|c| said[*c] > 0.0).map(|c| c as isize).take(4) {
        let one = |x: &Tensor| -> Result<Tensor> { Ok(x.index_axis(0, clip)?) };
        let bands = one(&data[0])?.reshape([STEPS * 3, BANDS])?.t()?.flip(0)?;
        let (low, high) = (bands.min(..)?.item::<f32>()?, bands.max(..)?.item::<f32>()?);
        let bands = (&(&bands - &Tensor::from(low))? * &Tensor::from(1.0 / (high - low)))?;
        let row = |x: Tensor, rows: usize| -> Result<Tensor> {
            let wide = x.reshape([1, STEPS, 1])?.broadcast_to([rows, STEPS, 3])?;
            Ok(wide.reshape([rows, STEPS * 3])?)
        };
        let space = Tensor::zeros([1, STEPS * 3], DType::F32);
        let (wanted, said) = (row(one(&data[1])?, 2)?, row(one(p)?, 2)?);
        images.push(Tensor::concat(&[&bands, &space, &wanted, &space, &said], 0)?);
    }
    let captions = ["spectrogram; wanted; said"; 4];
    Ok(image_sheet(&Tensor::stack(&images.iter().collect::<Vec<_>>(), 0)?, &captions, 1)?)
}

fn main() -> Result<()> {
    lecture::draw("c5w3_10_trigger_word", &run(3, 500)?)
}
