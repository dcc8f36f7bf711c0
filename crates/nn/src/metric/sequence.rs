//! How good sequences are.

use std::collections::HashMap;
use std::hash::Hash;

use crate::{Error, Result};

/// e to the mean cross-entropy of the tokens: among how many equally likely ones a model is undecided (course 5,
/// lecture 1.6).
pub fn perplexity(mean_cross_entropy: f64) -> f64 {
    mean_cross_entropy.exp()
}

/// The least number of insertions, deletions and replacements that make `b` of `a` (Levenshtein 1966).
///
/// ```
/// use chainrule_nn::metric::edit_distance;
/// assert_eq!(edit_distance(b"kitten", b"sitting"), 3);
/// ```
pub fn edit_distance<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = before + usize::from(x != y);
            before = row[j + 1];
            row[j + 1] = replaced.min(before + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// BLEU of a corpus (Papineni and others 2002; course 5, lecture 3.6): the geometric mean of the shares of the candidates'
/// n-grams, of 1 to `most` tokens, that are in the references, each as often as a single reference has it at most; times
/// e^(1 − r/c) where the candidates, c tokens, are shorter than the closest references, r.
///
/// Each item is a candidate and its references.
///
/// ```
/// use chainrule_nn::metric::bleu;
/// let words = |s: &'static str| s.split(' ').collect::<Vec<_>>();
/// let references = vec![words("the cat is on the mat"), words("there is a cat on the mat")];
/// let score = bleu(&[(words("the the the the the the the"), references)], 1)?;
/// assert!((score - 2.0 / 7.0).abs() < 1e-12); // the lecture's example
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
///
/// # Errors
/// [`Error::Empty`] without candidates, [`Error::Argument`] for one without references or n-grams of no tokens.
pub fn bleu<T: Eq + Hash>(items: &[(Vec<T>, Vec<Vec<T>>)], most: usize) -> Result<f64> {
    if items.is_empty() {
        return Err(Error::Empty { op: "bleu", what: "candidates" });
    }
    if let Some(i) = items.iter().position(|(_, references)| references.is_empty()) {
        return Err(Error::argument("bleu", format!("candidate {i} (from 0) has no reference")));
    }
    if most == 0 {
        return Err(Error::argument("bleu", "n-grams have at least one token"));
    }
    let mut sum = 0.0;
    for n in 1..=most {
        let (mut right, mut all) = (0, 0);
        for (candidate, references) in items {
            let known: Vec<HashMap<&[T], usize>> = references.iter().map(|r| counted(r, n)).collect();
            for (gram, count) in counted(candidate, n) {
                let most = known.iter().filter_map(|k| k.get(gram)).max().copied().unwrap_or(0);
                right += count.min(most);
                all += count;
            }
        }
        sum += (right as f64 / (all as f64).max(1.0)).ln();
    }
    let length: usize = items.iter().map(|(candidate, _)| candidate.len()).sum();
    let closest = |(candidate, references): &(Vec<T>, Vec<Vec<T>>)| {
        let far = |r: &Vec<T>| (r.len().abs_diff(candidate.len()), r.len());
        references.iter().map(far).min().map_or(0, |(_, length)| length)
    };
    let wanted: usize = items.iter().map(closest).sum();
    let short = if length < wanted { 1.0 - wanted as f64 / length as f64 } else { 0.0 };
    Ok((sum / most as f64 + short).exp())
}

/// How often each run of `n` tokens occurs.
fn counted<T: Eq + Hash>(tokens: &[T], n: usize) -> HashMap<&[T], usize> {
    let mut counts = HashMap::new();
    for gram in tokens.windows(n) {
        *counts.entry(gram).or_insert(0) += 1;
    }
    counts
}
