//! From a model's scores to sequences: sampling, and beam search.

use chainrule_tensor::{DType, Key, Tensor};

use crate::{Error, Result};

/// How the next token is drawn from logits (course 5, lecture 1.7).
///
/// ```
/// use chainrule_nn::generate::Sampling;
/// use chainrule_tensor::Key;
/// let logits = [1.0, 3.0, 2.0, -5.0];
/// assert_eq!(Sampling::greedy().pick(&logits, Key::new(1))?, 1);
/// let drawn = Sampling::new().temperature(0.7).top_k(2).pick(&logits, Key::new(1))?;
/// assert!([1, 2].contains(&drawn));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    temperature: f64,
    top_k: usize,
    top_p: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling { temperature: 1.0, top_k: usize::MAX, top_p: 1.0 }
    }
}

impl Sampling {
    /// By the model's own probabilities.
    pub fn new() -> Self {
        Sampling::default()
    }

    /// The likeliest, always; the first of equals.
    pub fn greedy() -> Self {
        Sampling { top_k: 1, ..Sampling::default() }
    }

    /// Divides logits: below 1 the likely become likelier.
    pub fn temperature(self, temperature: f64) -> Self {
        Sampling { temperature, ..self }
    }

    /// From the `k` likeliest alone.
    pub fn top_k(self, k: usize) -> Self {
        Sampling { top_k: k, ..self }
    }

    /// From the fewest likeliest that have the probability `p` together (Holtzman and others 2020).
    pub fn top_p(self, p: f64) -> Self {
        Sampling { top_p: p, ..self }
    }

    /// The position that is drawn with `key`: the same for the same key.
    ///
    /// # Errors
    /// [`Error::Argument`] for no logits, NaN among them or none finite, a temperature that is not above 0, k = 0, p outside
    /// (0, 1].
    pub fn pick(&self, logits: &[f64], key: Key) -> Result<usize> {
        let p = self.probabilities(logits)?;
        let u = Tensor::uniform(key, [1], 0.0..1.0, DType::F64)?.item::<f64>()?;
        let mut left = u;
        for (i, p) in p.iter().enumerate() {
            left -= p;
            if left < 0.0 {
                return Ok(i);
            }
        }
        // What rounding has left over goes to the last one that can be drawn.
        Ok(p.iter().rposition(|p| *p > 0.0).unwrap_or(0))
    }

    /// The probabilities that are drawn from; they sum to 1.
    ///
    /// # Errors
    /// As [`pick`](Sampling::pick).
    pub fn probabilities(&self, logits: &[f64]) -> Result<Vec<f64>> {
        let refuse = |why: String| Err(Error::argument("sampling", why));
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return refuse(format!("the temperature is {}, which is not above 0", self.temperature));
        }
        if self.top_k == 0 || !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return refuse(format!("k = {}, p = {} leave nothing to draw from", self.top_k, self.top_p));
        }
        let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if logits.iter().any(|z| z.is_nan()) || !top.is_finite() {
            return refuse(format!("of {} logits, some are NaN or the greatest is {top}", logits.len()));
        }
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
        let weight = |i: usize| ((logits[i] - top) / self.temperature).exp();
        order.truncate(self.top_k);
        let all: f64 = order.iter().map(|i| weight(*i)).sum();
        let mut so_far = 0.0;
        let enough = order.iter().position(|i| {
            so_far += weight(*i) / all;
            so_far >= self.top_p
        });
        order.truncate(enough.map_or(order.len(), |n| n + 1));
        let all: f64 = order.iter().map(|i| weight(*i)).sum();
        let mut p = vec![0.0; logits.len()];
        for i in order {
            p[i] = weight(i) / all;
        }
        Ok(p)
    }
}

/// A sequence that a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its tokens, without the end.
    pub tokens: Vec<usize>,
    /// ln of its probability.
    pub log_probability: f64,
    /// What it is ranked by: that divided by its length to the power α, the end being counted.
    pub score: f64,
}

/// The likeliest sequences, of which the `width` best beginnings are kept at each length (course 5, lectures 3.3 and 3.4).
///
/// ```
/// use chainrule_nn::generate::Beam;
/// // Token 1 is likelier at first, but what follows 0 is certain. Token 2 ends.
/// let next = |prefix: &[usize]| match prefix {
///     [] => vec![0.4_f64.ln(), 0.6_f64.ln(), f64::NEG_INFINITY],
///     [0] => vec![f64::NEG_INFINITY, f64::NEG_INFINITY, 0.0],
///     _ => vec![0.3_f64.ln(), 0.3_f64.ln(), 0.4_f64.ln()],
/// };
/// let best = |width| Beam::new(width, 2, 5).search(|all| Ok(all.iter().map(|p| next(p)).collect()));
/// assert_eq!(best(1)?[0].tokens, [1]);
/// assert_eq!(best(2)?[0].tokens, [0]);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beam {
    width: usize,
    end: usize,
    longest: usize,
    alpha: f64,
}

impl Beam {
    /// Keeps `width` beginnings of at most `longest` tokens; the token `end` ends one. α is 0: nothing is normalised.
    pub fn new(width: usize, end: usize, longest: usize) -> Self {
        Beam { width, end, longest, alpha: 0.0 }
    }

    /// α, so that a long sequence is not worse for its length alone; the lecture has 0.7.
    pub fn normalised(self, alpha: f64) -> Self {
        Beam { alpha, ..self }
    }

    /// At most `width` sequences, the best first. `next` gives, for each of some beginnings, ln of the probabilities of all
    /// tokens behind it. What has not ended at `longest` tokens ends there.
    ///
    /// # Errors
    /// Those of `next`; [`Error::Argument`] for a width of 0, and where `next` gives another number of lists, lists without
    /// the end, or NaN.
    pub fn search(&self, mut next: impl FnMut(&[Vec<usize>]) -> Result<Vec<Vec<f64>>>) -> Result<Vec<Found>> {
        let refuse = |why: String| Err(Error::argument("beam", why));
        if self.width == 0 {
            return refuse("a beam of width 0 keeps nothing".into());
        }
        let found = |tokens: Vec<usize>, log_probability: f64, length: usize| {
            let score = log_probability / (length.max(1) as f64).powf(self.alpha);
            Found { tokens, log_probability, score }
        };
        let mut ended: Vec<Found> = Vec::new();
        let mut open: Vec<(Vec<usize>, f64)> = vec![(Vec::new(), 0.0)];
        for length in 1..=self.longest {
            let prefixes: Vec<Vec<usize>> = open.iter().map(|(tokens, _)| tokens.clone()).collect();
            let lists = next(&prefixes)?;
            if lists.len() != open.len() {
                return refuse(format!("{} lists are given for {} beginnings", lists.len(), open.len()));
            }
            if lists.iter().any(|list| list.len() <= self.end || list.iter().any(|p| p.is_nan())) {
                return refuse(format!("a list has no token {}, or NaN", self.end));
            }
            let mut ways: Vec<(usize, usize, f64)> = Vec::new();
            for (from, list) in lists.iter().enumerate() {
                let possible = list.iter().enumerate().filter(|(_, p)| **p > f64::NEG_INFINITY);
                ways.extend(possible.map(|(token, p)| (from, token, open[from].1 + p)));
            }
            ways.sort_by(|a, b| b.2.total_cmp(&a.2));
            ways.truncate(self.width);
            let mut going = Vec::new();
            for (from, token, p) in ways {
                let mut tokens = prefixes[from].clone();
                if token == self.end {
                    ended.push(found(tokens, p, length));
                } else {
                    tokens.push(token);
                    going.push((tokens, p));
                }
            }
            open = going;
            if open.is_empty() {
                break;
            }
        }
        ended.extend(open.into_iter().map(|(tokens, p)| {
            let length = tokens.len();
            found(tokens, p, length)
        }));
        ended.sort_by(|a, b| b.score.total_cmp(&a.score));
        ended.truncate(self.width);
        Ok(ended)
    }
}
