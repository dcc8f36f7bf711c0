//! What the programs of course 5 share: draws, a loop over steps, a translator with attention, and counts of n-grams.

use std::collections::HashMap;

use anyhow::Result;
use chainrule::graph::Compiled;
use chainrule::loss::CrossEntropy;
use chainrule::optim::Rate;
use chainrule::prelude::*;

/// Numbers drawn one after the other; the same for the same key.
pub struct Draws {
    key: Key,
    pages: u64,
    page: Vec<f64>,
}

impl Draws {
    pub fn new(key: Key) -> Self {
        Draws { key, pages: 0, page: Vec::new() }
    }

    /// In [0, 1).
    pub fn share(&mut self) -> f64 {
        if self.page.is_empty() {
            self.pages += 1;
            let page = Tensor::uniform(self.key.at(self.pages), [1024], 0.0..1.0, DType::F64);
            self.page = page.and_then(|p| p.to_vec()).expect("a page of shares");
        }
        self.page.pop().unwrap_or_default()
    }

    /// One of 0..n.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.share() * n as f64) as usize).min(n - 1)
    }

    pub fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.share()).ln()).sqrt() * (std::f64::consts::TAU * self.share()).cos()
    }

    /// True as often as `p` says.
    pub fn chance(&mut self, p: f64) -> bool {
        self.share() < p
    }
}

/// Takes `steps` steps over batches of the rows of `data`, each row once before any comes again. Gives all losses.
pub fn fit(step: &mut Step, data: &[Tensor], steps: usize, seed: u64) -> Result<Vec<f64>> {
    let (rows, size) = (data[0].shape()[0], step.examples());
    let (mut order, mut losses) = (Vec::new(), Vec::new());
    for nth in 0..steps {
        if order.len() < size {
            order = Key::new(seed).named("order").at(nth as u64).permutation(rows)?;
        }
        let batch = order.split_off(order.len() - size);
        let inputs = data.iter().map(|x| x.take(0, &batch)).collect::<Result<Vec<Tensor>, _>>()?;
        losses.push(step.run(&inputs)?);
    }
    Ok(losses)
}

/// The first rows, for which a step is compiled.
pub fn first(data: &[Tensor], rows: usize) -> Result<Vec<Tensor>> {
    Ok(data.iter().map(|x| x.slice(0, 0..rows as isize, 1)).collect::<Result<Vec<Tensor>, _>>()?)
}

/// What `formula` makes of `inputs` in evaluation.
pub fn evaluate<F>(params: &Params, inputs: &[Tensor], formula: F) -> Result<Vec<Tensor>>
where
    F: for<'g> FnOnce(&Scope<'g>, &[Var<'g>]) -> Vec<Var<'g>>,
{
    let g = Graph::new();
    let s = Scope::root(&g, params.clone(), Mode::Evaluate, 0);
    let x: Vec<Var<'_>> = inputs.iter().map(|x| g.constant(x.clone())).collect();
    Ok(g.compile(&[], &formula(&s, &x))?.run(&[])?.to_vec())
}

/// Rows of tokens as one tensor, filled up to `length`.
pub fn padded(rows: &[Vec<i64>], length: usize, fill: i64) -> Result<Tensor> {
    let filled = rows.iter().flat_map(|row| {
        let rest = std::iter::repeat_n(fill, length - row.len());
        row.iter().copied().chain(rest).collect::<Vec<_>>()
    });
    Ok(Tensor::from_vec(filled.collect(), [rows.len(), length])?)
}

/// The mean cross-entropy of tokens; labels of −1 are padding.
pub fn each_token() -> CrossEntropy {
    CrossEntropy::new().ignoring(-1)
}

/// A recurrent network that reads, one that writes, and attention between them (course 5, lectures 3.1 and 3.7).
#[derive(Clone, Copy)]
pub struct Translator {
    pub reads: usize,
    pub writes: usize,
    pub units: usize,
}

impl Translator {
    /// Logits of the next tokens, (batch, written, tokens), and the attention, (batch, written, read), for tokens read and
    /// those written so far, of which the first stands for the beginning.
    pub fn of<'g>(&self, s: &Scope<'g>, read: Var<'g>, written: Var<'g>) -> [Var<'g>; 2] {
        let x = Embedding::new(self.reads, 16).forward(&s.at("read"), read);
        let x = Recurrent::gru(self.units).bidirectional().forward(&s.at("reader"), x);
        let h = Embedding::new(self.writes, 16).forward(&s.at("written"), written);
        let h = Recurrent::gru(2 * self.units).forward(&s.at("writer"), h);
        let asked = Linear::new(2 * self.units).init(Init::Xavier).forward(&s.at("query"), h);
        let seen = Attention::new().of(asked, x, x);
        let both = s.graph().concat(&[h, seen], -1);
        let both = Linear::new(2 * self.units).init(Init::Xavier).forward(&s.at("both"), both).tanh();
        let logits = Linear::new(self.writes).init(Init::Xavier).forward(&s.at("next"), both);
        [logits, Attention::new().weights(asked, x)]
    }

    /// Trained on what was read, what is written from its beginning on, and what is to be written next.
    pub fn train(&self, data: &[Tensor; 3], batch: usize, steps: usize, seed: u64) -> Result<Params> {
        let mut step = Step::builder().seed(seed).record(Params::new(), &first(data, batch)?, |s, x| {
            let loss = each_token().of(self.of(s, x[0], x[1])[0], x[2]);
            Learning::of(Goal::new("loss", loss, Adam::new(Rate::one_cycle(0.006, steps))))
        })?;
        fit(&mut step, data, steps, seed)?;
        Ok(step.params())
    }
}

/// A trained translator, asked for what comes next in so many rows at once; its last token is the beginning.
pub struct Asked {
    net: Compiled,
    shape: [usize; 2],
    begin: i64,
}

impl Asked {
    pub fn new(of: Translator, params: &Params, read: [usize; 2], written: usize) -> Result<Self> {
        let g = Graph::new();
        let s = Scope::root(&g, params.clone(), Mode::Evaluate, 0);
        let x = [g.input("read", read, Kind::Int), g.input("begun", [read[0], written], Kind::Int)];
        let [logits, weights] = of.of(&s, x[0], x[1]);
        let net = g.compile(&x, &[logits.log_softmax(-1), weights])?;
        Ok(Asked { net, shape: [read[0], written], begin: of.writes as i64 - 1 })
    }

    /// ln of the probabilities of all tokens at all places, (rows, written, tokens), and the attention, (rows, written, read),
    /// where this much is said.
    pub fn all(&mut self, read: &Tensor, said: &[Vec<i64>]) -> Result<[Tensor; 2]> {
        let [rows, written] = self.shape;
        let begun = |s: &Vec<i64>| [&[self.begin], &s[..s.len().min(written - 1)]].concat();
        let mut begun: Vec<Vec<i64>> = said.iter().map(begun).collect();
        begun.resize(rows, vec![]);
        let found = self.net.run(&[read.clone(), padded(&begun, written, 0)?])?;
        Ok([found[0].clone(), found[1].clone()])
    }
}

/// Counts of n-grams, each order mixed with the one below by Witten and Bell's rule (1991): a context that was followed by
/// many different tokens leaves more to what it was not seen with.
pub struct NGrams {
    order: usize,
    tokens: usize,
    counts: HashMap<Vec<i64>, HashMap<i64, f64>>,
}

impl NGrams {
    pub fn count<'a>(order: usize, tokens: usize, texts: impl IntoIterator<Item = &'a [i64]>) -> Self {
        let mut counts: HashMap<Vec<i64>, HashMap<i64, f64>> = HashMap::new();
        for text in texts {
            for end in 0..text.len() {
                for start in (end + 1).saturating_sub(order)..=end {
                    *counts.entry(text[start..end].to_vec()).or_default().entry(text[end]).or_default() +=
                        1.0;
                }
            }
        }
        NGrams { order, tokens, counts }
    }

    /// The probability of `next` behind `before`.
    pub fn probability(&self, before: &[i64], next: i64) -> f64 {
        let mut p = 1.0 / self.tokens as f64;
        for length in 0..self.order.min(before.len() + 1) {
            let Some(seen) = self.counts.get(&before[before.len() - length..]) else { break };
            let (all, kinds) = (seen.values().sum::<f64>(), seen.len() as f64);
            p = (seen.get(&next).copied().unwrap_or_default() + kinds * p) / (all + kinds);
        }
        p
    }

    /// A token that may follow, drawn; −1 if the share that is left to the last ones falls to none.
    pub fn drawn(&self, before: &[i64], draws: &mut Draws) -> i64 {
        let mut left = draws.share();
        let falls = |next: &i64| {
            left -= self.probability(before, *next);
            left < 0.0
        };
        (0..self.tokens as i64).find(falls).unwrap_or(-1)
    }

    /// The mean of −ln p over the tokens of `texts` from the position `from` on.
    pub fn cross_entropy<'a>(&self, texts: impl IntoIterator<Item = &'a [i64]>, from: usize) -> f64 {
        let (mut sum, mut n) = (0.0, 0.0);
        for text in texts {
            for i in from..text.len() {
                sum -= self.probability(&text[..i], text[i]).ln();
                n += 1.0;
            }
        }
        sum / n
    }
}
