//! Course 5, week 3, lectures 3.3 to 3.6: greedy search takes the likeliest word and so misses the likeliest sentence; a beam
//! finds it, needs a norm for length, and a comparison of two probabilities says whether search or network made a mistake.
//!
//!     cargo run --release --example c5w3_03_beam_search

mod lecture;

use anyhow::{Result, ensure};
use chainrule::generate::{Beam, Found};
use chainrule::metric::{Trials, bleu};
use chainrule::plot::{LinePlot, Picture};
use chainrule::prelude::*;
use lecture::sequences::{Asked, Draws, Translator, padded};

/// Verbs that are translated, and in how many roundabout ways each can be.
const VERBS: usize = 6;
const WAYS: usize = 4;
const READ: usize = 5;
/// "is", one word for each verb, words for its roundabout ways, the end, the beginning.
const GOING: usize = 0;
const END: usize = 1 + VERBS + VERBS * WAYS;
const LONGEST: usize = 2 * READ + 1;
const NET: Translator = Translator { reads: VERBS, writes: END + 2, units: 24 };
const WIDTHS: [usize; 4] = [1, 3, 10, 30];

/// The short translation: of all, the likeliest.
fn short(read: &[usize]) -> Vec<usize> {
    read.iter().map(|v| 1 + v).collect()
}

/// A translation as people write it: nine of twenty times "visits", else "is going to" and one of four ways to say so, which is
/// likelier word by word and less likely as a whole. One in sixteen stops after any verb, as those of careless people do.
fn people(read: &[usize], draws: &mut Draws) -> Vec<usize> {
    let mut said = Vec::new();
    for v in read {
        if draws.chance(0.45) {
            said.push(1 + v);
        } else {
            said.extend([GOING, 1 + VERBS + v * WAYS + draws.below(WAYS)]);
        }
        if draws.chance(0.06) {
            break;
        }
    }
    said
}

fn pairs(m: usize, draws: &mut Draws) -> Result<[Tensor; 3]> {
    let (mut read, mut begun, mut next) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..m {
        let verbs: Vec<usize> = (0..READ).map(|_| draws.below(VERBS)).collect();
        let said: Vec<i64> = people(&verbs, draws).iter().map(|t| *t as i64).collect();
        read.push(verbs.iter().map(|v| *v as i64).collect());
        begun.push([&[END as i64 + 1], &said[..]].concat());
        next.push([&said[..], &[END as i64]].concat());
    }
    Ok([padded(&read, READ, 0)?, padded(&begun, LONGEST, 0)?, padded(&next, LONGEST, -1)?])
}

/// The trained network, asked for translations of one sentence.
struct Asker(Asked, usize);

impl Asker {
    /// ln of the probabilities of all tokens at all places.
    fn all(&mut self, read: &[usize], said: &[Vec<usize>]) -> Result<Vec<f32>> {
        let row: Vec<i64> = read.iter().map(|v| *v as i64).collect();
        let said: Vec<Vec<i64>> = said.iter().map(|s| s.iter().map(|t| *t as i64).collect()).collect();
        Ok(self.0.all(&padded(&vec![row; self.1], READ, 0)?, &said)?[0].to_vec()?)
    }

    fn next(&mut self, read: &[usize], said: &[Vec<usize>]) -> Result<Vec<Vec<f64>>> {
        let p = self.all(read, said)?;
        let at = |(i, s): (usize, &Vec<usize>)| {
            let from = (i * LONGEST + s.len()) * NET.writes;
            p[from..from + END + 1].iter().map(|p| f64::from(*p)).collect()
        };
        Ok(said.iter().enumerate().map(at).collect())
    }

    fn search(&mut self, read: &[usize], width: usize, alpha: f64) -> Result<Found> {
        let beam = Beam::new(width, END, LONGEST - 1).normalised(alpha);
        let refused = |e: anyhow::Error| chainrule::nn::Error::argument("network", e.to_string());
        let found = beam.search(|said| self.next(read, said).map_err(refused))?;
        Ok(found[0].clone())
    }

    /// ln of the probability of a whole translation.
    fn probability(&mut self, read: &[usize], said: &[usize]) -> Result<f64> {
        let p = self.all(read, &[said.to_vec()])?;
        let tokens = said.iter().copied().chain([END]).enumerate();
        Ok(tokens.map(|(i, t)| f64::from(p[i * NET.writes + t])).sum())
    }
}

/// Prints the tables, draws BLEU; fails if the claim does not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!("claim: a beam finds likelier sentences than greedy search, and good ones if told of length\n");
    // Of each width: ln p, length and BLEU by probability; BLEU with length, and whose mistake the wrong ones are.
    let mut all = WIDTHS.map(|_| [const { Trials(Vec::new()) }; 6]);
    for seed in 0..seeds {
        let mut draws = Draws::new(Key::new(seed).named("sentences"));
        let params = NET.train(&pairs(8000, &mut draws)?, 64, steps, seed)?;
        let test: Vec<Vec<usize>> =
            (0..60).map(|_| (0..READ).map(|_| draws.below(VERBS)).collect()).collect();
        let m = test.len() as f64;
        for (width, of) in WIDTHS.into_iter().zip(&mut all) {
            let mut asked = Asker(Asked::new(NET, &params, [width, READ], LONGEST)?, width);
            let [mut log_p, mut length, mut search, mut network] = [0.0; 4];
            let (mut by_p, mut by_both) = (Vec::new(), Vec::new());
            for read in &test {
                let plain = asked.search(read, width, 0.0)?;
                log_p += plain.log_probability / m;
                length += plain.tokens.len() as f64 / m;
                let normed = asked.search(read, width, 1.0)?;
                // The lecture's question, of each wrong translation: does the network prefer the right one?
                if normed.tokens != short(read) {
                    let score = asked.probability(read, &short(read))? / (READ + 1) as f64;
                    *if score > normed.score { &mut search } else { &mut network } += 100.0 / m;
                }
                by_p.push((plain.tokens, vec![short(read)]));
                by_both.push((normed.tokens, vec![short(read)]));
            }
            let bleu = [100.0 * bleu(&by_p, 1)?, 100.0 * bleu(&by_both, 1)?];
            let measured = [log_p, length, bleu[0], bleu[1], search, network];
            of.iter_mut().zip(measured).for_each(|(trials, value)| trials.0.push(value));
        }
    }
    println!("({seeds} seeds, %)      by probability alone                   divided by the length");
    println!(
        "width     ln p found  words (of {READ})          BLEU            BLEU  wrong: search's   network's"
    );
    for (width, [log_p, length, by_p, by_both, search, network]) in WIDTHS.iter().zip(&all) {
        print!("{width:>5} {log_p:>14.2} {length:>13.2} {by_p:>13.1}");
        println!(" {by_both:>15.1} {search:>16.1} {network:>11.1}");
    }
    let means = all.map(|of| of.map(|trials| trials.mean()));
    let [greedy, .., [log_p, length, by_p, by_both, search, _]] = means;
    ensure!(log_p > greedy[0] + 1.0, "a beam finds what is likelier");
    ensure!(length < READ as f64 - 1.0, "the likeliest are too short: {length}");
    ensure!(by_both > 90.0 && by_both > by_p + 10.0, "length counts");
    ensure!(greedy[4] > 80.0 && search < 5.0, "greedy search is at fault");
    println!("\nthe claim holds");
    let line = |bleu: usize| (0..WIDTHS.len()).map(move |i| ((WIDTHS[i] as f64).log2(), means[i][bleu]));
    let plot = LinePlot::new("Beam search", "log2 width", "BLEU");
    Ok(plot.line("by probability", line(2)).line("divided by the length", line(3)).draw()?)
}

fn main() -> Result<()> {
    lecture::draw("c5w3_03_beam_search", &run(3, 600)?)
}
