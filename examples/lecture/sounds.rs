//! Words of two vowels over noise, and their spectrograms.

use std::f64::consts::TAU;

use anyhow::Result;
use chainrule::prelude::*;

use super::sequences::Draws;

const RATE: f64 = 8000.0;
pub const SAMPLES: usize = 16_000;
const WINDOW: usize = 256;
pub const HOP: usize = 160;
pub const WINDOWS: usize = (SAMPLES - WINDOW) / HOP + 1;
pub const BANDS: usize = 20;
/// Three windows are one step of the network.
pub const STEPS: usize = WINDOWS / 3;
/// Steps that follow a word within a clip.
const SILENCE: usize = 4;
/// The vowels' first two formants, in hertz: a, i, u, o.
const VOWELS: [[f64; 2]; 4] = [[800.0, 1250.0], [300.0, 2300.0], [320.0, 750.0], [500.0, 950.0]];
/// The word that counts, and others: the same vowels turned round, or one of them.
const WORDS: [[usize; 2]; 6] = [[0, 1], [1, 0], [0, 2], [3, 1], [0, 0], [1, 1]];

/// A second or two of sound, and where the word that counts has ended.
pub struct Clip {
    pub sound: Vec<f64>,
    pub ends: Vec<usize>,
}

/// Adds a word from `at` on: a voice's harmonics, loud near the formants. Gives its end.
fn speak(sound: &mut [f64], at: usize, word: [usize; 2], draws: &mut Draws) -> usize {
    let (pitch, loud) = (100.0 + 120.0 * draws.share(), 0.15 * (1.0 + draws.share()));
    let mut from = at;
    for vowel in word {
        let length = 800 + draws.below(700);
        let shift = 0.95 + 0.1 * draws.share(); // no two throats are alike
        let harmonics: Vec<[f64; 2]> = (1..)
            .map(|k| pitch * f64::from(k))
            .take_while(|f| *f < RATE / 2.0)
            .map(|f| {
                let near = |formant: f64| (-((f - shift * formant) / 150.0).powi(2)).exp();
                [f, VOWELS[vowel].iter().map(|v| near(*v)).sum::<f64>() + 0.02]
            })
            .collect();
        for n in 0..length {
            let t = n as f64 / RATE;
            let swell = (std::f64::consts::PI * n as f64 / length as f64).sin().sqrt();
            let tone: f64 = harmonics.iter().map(|[f, a]| a * (TAU * f * t).sin()).sum();
            sound[from + n] += loud * swell * tone;
        }
        from += length;
    }
    from
}

/// Up to three words in noise; each is the one that counts every other time.
pub fn clip(draws: &mut Draws) -> Clip {
    let noise = 0.02 + 0.08 * draws.share();
    let mut sound: Vec<f64> = (0..SAMPLES).map(|_| noise * draws.normal()).collect();
    let (mut at, mut ends) = (draws.below(3000), Vec::new());
    while at + 3000 < SAMPLES - 3 * HOP * SILENCE {
        let word = if draws.chance(0.5) { 0 } else { 1 + draws.below(WORDS.len() - 1) };
        let end = speak(&mut sound, at, WORDS[word], draws);
        if word == 0 {
            ends.push(end);
        }
        at = end + 2000 + draws.below(4000);
    }
    Clip { sound, ends }
}

/// Hann's window and Fourier's transform as one matrix: cosines, and then sines, of the frequencies from 0 to half the rate.
pub fn fourier() -> Result<Tensor> {
    let all = (0..WINDOW).flat_map(|n| {
        let hann = 0.5 - 0.5 * (TAU * n as f64 / WINDOW as f64).cos();
        let angle = move |k: usize| TAU * (k * n % WINDOW) as f64 / WINDOW as f64;
        let cosines = (0..WINDOW / 2).map(move |k| (hann * angle(k).cos()) as f32);
        cosines.chain((0..WINDOW / 2).map(move |k| (hann * angle(k).sin()) as f32))
    });
    Ok(Tensor::from_vec(all.collect(), [WINDOW, WINDOW])?)
}

/// ln of the energy in each band, (windows, bands), of bands that widen with the frequency.
pub fn spectrogram(sound: &[f64], fourier: &Tensor) -> Result<Vec<f32>> {
    let from = (0..=SAMPLES - WINDOW).step_by(HOP);
    let parts: Vec<f32> = from.flat_map(|n| sound[n..n + WINDOW].iter().map(|s| *s as f32)).collect();
    let parts = Tensor::from_vec(parts, [WINDOWS, WINDOW])?.matmul(fourier)?.to_vec::<f32>()?;
    // From 100 Hz to 4 kHz in equal ratios.
    let edge = |b: usize| (100.0 * 40_f64.powf(b as f64 / BANDS as f64) * WINDOW as f64 / RATE) as usize;
    let energies = parts.chunks(WINDOW).flat_map(|part| {
        (0..BANDS).map(move |b| {
            let bins = edge(b)..edge(b + 1).max(edge(b) + 1);
            let energy = |k: usize| part[k].powi(2) + part[k + WINDOW / 2].powi(2);
            (bins.clone().map(energy).sum::<f32>() / bins.len() as f32 + 1e-3).ln()
        })
    });
    Ok(energies.collect())
}
