//! How well probabilities of yes tell yes from no, over all thresholds, and how far they can be believed.

use chainrule_tensor::{DType, Tensor};

use crate::{Error, Result};

/// Probabilities (or other scores) of examples with labels of 0 and 1, gathered over any number of batches: what it says
/// depends on the examples only, not on how they came.
///
/// ```
/// use chainrule_nn::metric::Ranking;
/// use chainrule_tensor::Tensor;
/// let mut ranking = Ranking::new();
/// ranking.add(&Tensor::from([0.1_f32, 0.8]), &Tensor::from([0_i64, 1]))?;
/// ranking.add(&Tensor::from([0.35_f32, 0.4]), &Tensor::from([1_i64, 0]))?;
/// assert_eq!(ranking.roc_auc()?, 0.75);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// Score and label.
    examples: Vec<(f64, bool)>,
}

/// A point of a curve over thresholds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// What scores at least this much is taken for a yes.
    pub score: f64,
    /// Of what is a yes, the share that is taken for one: recall.
    pub recall: f64,
    /// Of what is a no, the share that is taken for a yes.
    pub false_alarms: f64,
    /// Of what is taken for a yes, the share that is one.
    pub precision: f64,
}

impl Ranking {
    /// Without examples.
    pub fn new() -> Self {
        Ranking::default()
    }

    /// Counts a batch: reals and labels of 0 and 1, of one shape.
    ///
    /// # Errors
    /// [`Error::Argument`] for other shapes or labels, and for scores that are NaN; nothing is counted then.
    pub fn add(&mut self, scores: &Tensor, labels: &Tensor) -> Result<()> {
        let refuse = |why: String| Err(Error::argument("Ranking", why));
        if scores.shape() != labels.shape() || !scores.dtype().is_real() {
            return refuse(format!("{scores:?} are no real scores of labels {labels:?}"));
        }
        let scores = scores.cast(DType::F64).to_vec::<f64>()?;
        let labels = labels.cast(DType::F64).to_vec::<f64>()?;
        if let Some(label) = labels.iter().find(|l| **l != 0.0 && **l != 1.0) {
            return refuse(format!("a label is {label}; 0 and 1 are no and yes"));
        }
        if scores.iter().any(|s| s.is_nan()) {
            return refuse("a score is NaN, which is above and below nothing".into());
        }
        self.examples.extend(scores.into_iter().zip(labels.into_iter().map(|l| l == 1.0)));
        Ok(())
    }

    /// Counts what `other` has counted.
    pub fn merge(&mut self, other: &Ranking) {
        self.examples.extend_from_slice(&other.examples);
    }

    /// The number of examples.
    pub fn total(&self) -> usize {
        self.examples.len()
    }

    /// The curve over all thresholds, from the greatest score down. Equal scores are one threshold.
    ///
    /// # Errors
    /// [`Error::Argument`] unless there are both yes and no.
    pub fn curve(&self) -> Result<Vec<Threshold>> {
        let mut sorted = self.examples.clone();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let yes = sorted.iter().filter(|e| e.1).count();
        let no = sorted.len() - yes;
        if yes == 0 || no == 0 {
            let why = format!("{yes} examples are yes and {no} no; both are needed");
            return Err(Error::argument("Ranking", why));
        }
        let (mut hits, mut alarms) = (0, 0);
        let mut curve = Vec::new();
        for (i, (score, label)) in sorted.iter().enumerate() {
            if *label {
                hits += 1
            } else {
                alarms += 1
            }
            if sorted.get(i + 1).is_none_or(|next| next.0 != *score) {
                curve.push(Threshold {
                    score: *score,
                    recall: hits as f64 / yes as f64,
                    false_alarms: alarms as f64 / no as f64,
                    precision: hits as f64 / (hits + alarms) as f64,
                });
            }
        }
        Ok(curve)
    }

    /// The area under the ROC curve: how likely a yes scores above a no, equal scores counting half.
    ///
    /// # Errors
    /// As [`curve`](Ranking::curve).
    pub fn roc_auc(&self) -> Result<f64> {
        let (mut area, mut before) = (0.0, (0.0, 0.0));
        for t in self.curve()? {
            area += (t.false_alarms - before.0) * (t.recall + before.1) / 2.0;
            before = (t.false_alarms, t.recall);
        }
        Ok(area)
    }

    /// The average precision: Σ (recall gained) · precision over the thresholds.
    ///
    /// # Errors
    /// As [`curve`](Ranking::curve).
    pub fn average_precision(&self) -> Result<f64> {
        let (mut sum, mut before) = (0.0, 0.0);
        for t in self.curve()? {
            sum += (t.recall - before) * t.precision;
            before = t.recall;
        }
        Ok(sum)
    }

    /// The mean of −ln of the probability of what was the case; ∞ where that was 0.
    ///
    /// # Errors
    /// [`Error::Argument`] without examples and for scores that are no probabilities.
    pub fn log_loss(&self) -> Result<f64> {
        self.mean(|p, yes| if yes { -p.ln() } else { -(-p).ln_1p() })
    }

    /// Brier's score: the mean of (p − y)².
    ///
    /// # Errors
    /// As [`log_loss`](Ranking::log_loss).
    pub fn brier(&self) -> Result<f64> {
        self.mean(|p, yes| (p - f64::from(u8::from(yes))).powi(2))
    }

    /// How far probabilities are from shares: in each of `bins` equal parts of 0..=1 that holds examples, their number, mean
    /// probability and share of yes. Drawn, it is the reliability diagram.
    ///
    /// # Errors
    /// As [`log_loss`](Ranking::log_loss); for 0 bins.
    pub fn reliability(&self, bins: usize) -> Result<Vec<(usize, f64, f64)>> {
        self.mean(|_, _| 0.0)?;
        if bins == 0 {
            return Err(Error::argument("Ranking", "0 bins hold nothing"));
        }
        let mut sums = vec![(0_usize, 0.0, 0.0); bins];
        for (p, yes) in &self.examples {
            let bin = &mut sums[((p * bins as f64) as usize).min(bins - 1)];
            *bin = (bin.0 + 1, bin.1 + p, bin.2 + f64::from(u8::from(*yes)));
        }
        let whole = sums.into_iter().filter(|b| b.0 > 0);
        Ok(whole.map(|(n, p, yes)| (n, p / n as f64, yes / n as f64)).collect())
    }

    /// The expected calibration error: the mean distance of [`reliability`](Ranking::reliability), by examples.
    ///
    /// # Errors
    /// As [`reliability`](Ranking::reliability).
    pub fn calibration_error(&self, bins: usize) -> Result<f64> {
        let far = self.reliability(bins)?.into_iter().map(|(n, p, yes)| n as f64 * (p - yes).abs());
        Ok(far.sum::<f64>() / self.total() as f64)
    }

    fn mean(&self, of: impl Fn(f64, bool) -> f64) -> Result<f64> {
        if self.examples.is_empty() {
            return Err(Error::Empty { op: "Ranking", what: "examples" });
        }
        if let Some((p, _)) = self.examples.iter().find(|(p, _)| !(0.0..=1.0).contains(p)) {
            return Err(Error::argument("Ranking", format!("{p} is no probability")));
        }
        Ok(self.examples.iter().map(|(p, yes)| of(*p, *yes)).sum::<f64>() / self.total() as f64)
    }
}
