//! Course 5, week 1, lectures 1.5 to 1.7: music as a sequence of pitches. An LSTM that hears tunes learns their key and their form,
//! which reach over more notes than counts can, and improvises others. The tunes are made by a rule, not by people.
//!
//!     cargo run --release --example c5w1_04_music

mod lecture;

use anyhow::{Result, ensure};
use chainrule::generate::Sampling;
use chainrule::metric::{Trials, perplexity};
use chainrule::optim::Rate;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;
use lecture::sequences::{Draws, NGrams, each_token, evaluate, first, fit, padded};

const SCALE: [i64; 7] = [0, 2, 4, 5, 7, 9, 11];
/// Pitches in half tones, and the one that begins.
const PITCHES: usize = 32;
const TOKENS: usize = PITCHES + 1;
const NOTES: usize = 16;
const BAR: usize = 4;
/// How many notes the counts know, the last among them.
const ORDERS: [usize; 4] = [2, 3, 5, 8];

/// The pitch of a step of the scale of `key`.
fn pitch(key: usize, step: i64) -> i64 {
    key as i64 + 12 * step.div_euclid(7) + SCALE[step.rem_euclid(7) as usize]
}

/// The beginning and four bars: a motif, the same a step higher or lower, the motif again, and an end on the key's own note.
fn tune(draws: &mut Draws) -> Vec<i64> {
    let key = draws.below(12);
    let mut motif = vec![2 + draws.below(5) as i64];
    while motif.len() < BAR {
        let next = motif[motif.len() - 1] + *draws.of(&[-2, -1, -1, 0, 1, 1, 2]);
        motif.push(next.clamp(1, 10));
    }
    let moved = *draws.of(&[-1, 1]);
    let end = *draws.of(&[[4, 2, 1, 0], [4, 5, 6, 7], [2, 3, 1, 0]]);
    let steps = [motif.clone(), motif.iter().map(|s| s + moved).collect(), motif, end.to_vec()].concat();
    std::iter::once(PITCHES as i64).chain(steps.iter().map(|s| pitch(key, *s))).collect()
}

fn tensors(tunes: &[Vec<i64>]) -> Result<Vec<Tensor>> {
    let all = padded(tunes, NOTES + 1, 0)?;
    Ok(vec![all.slice(1, 0..NOTES as isize, 1)?, all.slice(1, 1..NOTES as isize + 1, 1)?])
}

fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let x = Embedding::new(TOKENS, 24).init(Init::Normal(0.3)).forward(&s.at("pitches"), x);
    let h = Recurrent::lstm(96).forward(&s.at("lstm"), x);
    Linear::new(TOKENS).init(Init::Xavier).forward(&s.at("next"), h)
}

/// Tunes, note by note; all at once.
fn improvised(params: &Params, count: usize, seed: u64) -> Result<Vec<Vec<i64>>> {
    let g = Graph::new();
    let x = g.input("x", [count, NOTES], Kind::Int);
    let logits = model(&Scope::root(&g, params.clone(), Mode::Evaluate, 0), x);
    let mut net = g.compile(&[x], &[logits])?;
    let mut tunes = vec![vec![PITCHES as i64]; count];
    for note in 0..NOTES {
        let so_far = padded(&tunes, NOTES + 1, 0)?.slice(1, 0..NOTES as isize, 1)?;
        let z = net.run(&[so_far])?[0].to_vec::<f32>()?;
        for (i, tune) in tunes.iter_mut().enumerate() {
            let at = (i * NOTES + note) * TOKENS;
            let z: Vec<f64> = z[at..at + PITCHES].iter().map(|z| f64::from(*z)).collect();
            let key = Key::new(seed).named("note").at((i * NOTES + note) as u64);
            tune.push(Sampling::new().temperature(0.8).pick(&z, key)? as i64);
        }
    }
    Ok(tunes)
}

/// Whether the third bar is the first again, and whether some key has all notes.
fn form(tune: &[i64]) -> [bool; 2] {
    let tune = &tune[1..];
    let has = |key: i64| tune.iter().all(|p| SCALE.contains(&(p - key).rem_euclid(12)));
    [tune[..BAR] == tune[2 * BAR..3 * BAR], (0..12).any(has)]
}

/// Prints perplexities and what was improvised, draws tunes; fails if the claim does not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!("claim: an LSTM knows a tune's key and form, counts of a few notes do not\n");
    let (mut ours, mut theirs) = (Trials::default(), [const { Trials(Vec::new()) }; 4]);
    let (mut again, mut in_key, mut by_counts) = (Trials::default(), Trials::default(), Trials::default());
    let mut picture = None;
    for seed in 0..seeds {
        let mut draws = Draws::new(Key::new(seed).named("tunes"));
        let all: Vec<Vec<i64>> = (0..4500).map(|_| tune(&mut draws)).collect();
        let (test, train) = all.split_at(500);
        let data = tensors(train)?;
        let mut step = Step::builder().seed(seed).record(Params::new(), &first(&data, 64)?, |s, x| {
            let loss = each_token().of(model(s, x[0]), x[1]);
            Learning::of(Goal::new("loss", loss, Adam::new(Rate::one_cycle(0.015, steps))))
        })?;
        fit(&mut step, &data, steps, seed)?;
        let heard = tensors(test)?;
        let loss = evaluate(&step.params(), &heard, |s, x| vec![each_token().of(model(s, x[0]), x[1])])?;
        ours.0.push(perplexity(loss[0].item::<f32>()?.into()));
        let counts = ORDERS.map(|order| NGrams::count(order, TOKENS, train.iter().map(|t| &t[..])));
        for (grams, trials) in counts.iter().zip(&mut theirs) {
            trials.0.push(perplexity(grams.cross_entropy(test.iter().map(|t| &t[..]), 1)));
        }
        let share = |tunes: &[Vec<i64>], what: usize| {
            tunes.iter().filter(|t| form(t)[what]).count() as f64 / tunes.len() as f64 * 100.0
        };
        let played = improvised(&step.params(), 200, seed)?;
        again.0.push(share(&played, 0));
        in_key.0.push(share(&played, 1));
        let [.., grams] = &counts;
        let drawn = (0..200).map(|_| {
            let mut tune = vec![PITCHES as i64];
            (0..NOTES).for_each(|_| tune.push(grams.drawn(&tune, &mut draws)));
            tune
        });
        by_counts.0.push(share(&drawn.collect::<Vec<_>>(), 0));
        if seed == 0 {
            picture = Some(roll(&played[..6])?);
        }
    }
    println!("perplexity of notes in 500 tunes not heard ({seeds} seeds)");
    println!("  LSTM                {ours:.2}");
    for (order, trials) in ORDERS.iter().zip(&theirs) {
        println!("  counts of {order} notes   {trials:.2}");
    }
    println!("of 200 tunes improvised, one key has all notes in {in_key:.0} %;");
    println!("the third bar is the first again in {again:.0} % (by counts of 8 notes {by_counts:.0} %)");
    ensure!(theirs.iter().all(|t| t.minus(&ours).mean() > 0.3), "{ours:?} against {theirs:?}");
    // The form takes longer to learn than the key does.
    ensure!(steps < 1500 || again.minus(&by_counts).mean() > 40.0, "{again:?}, {by_counts:?}");
    println!("\nthe claim holds");
    Ok(picture.expect("one seed at least"))
}

/// Tunes as a piano's roll: time to the right, pitch upwards.
fn roll(tunes: &[Vec<i64>]) -> Result<Picture> {
    let mut pixels = vec![0.0_f32; tunes.len() * PITCHES * NOTES];
    for (i, tune) in tunes.iter().enumerate() {
        for (t, p) in tune[1..].iter().enumerate() {
            pixels[(i * PITCHES + PITCHES - 1 - *p as usize) * NOTES + t] = 1.0;
        }
    }
    let captions: Vec<String> = (1..=tunes.len()).map(|i| format!("improvised {i}")).collect();
    Ok(image_sheet(&Tensor::from_vec(pixels, [tunes.len(), PITCHES, NOTES])?, &captions, 3)?)
}

fn main() -> Result<()> {
    lecture::draw("c5w1_04_music", &run(3, 2000)?)
}
