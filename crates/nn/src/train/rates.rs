//! Which learning rate: a short training with a rising one.

use std::ops::Range;

use chainrule_tensor::Key;

use super::{Loss, Trainer};
use crate::Layer;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::optim::Dial;
use crate::params::Params;
use crate::plot::LinePlot;

/// What [`Trainer::find_rate`] saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// Each rate with the loss before the step that it made.
    pub tried: Vec<(f64, f64)>,
    /// Each rate with the losses so far, averaged exponentially with β = 0.9 and corrected for the start (course 2, lecture 2.5).
    pub smooth: Vec<(f64, f64)>,
}

impl Rates {
    /// The rate at which the smoothed loss falls most steeply over the logarithm of the rate: a good one to start with. `None`
    /// if it never falls.
    pub fn steepest(&self) -> Option<f64> {
        let lowest = self.lowest()?;
        let until = self.smooth.iter().take_while(|(rate, _)| *rate <= lowest).count();
        // The first means are of few losses, and neighbours differ by chance.
        let falling = self.smooth.get(STARTS..until).unwrap_or_default().windows(WIDE).map(|window| {
            let (from, to) = (window[0], window[WIDE - 1]);
            ((to.1 - from.1) / (to.0 / from.0).ln(), window[WIDE / 2].0)
        });
        let steepest = falling.min_by(|a, b| a.0.total_cmp(&b.0));
        steepest.filter(|(slope, _)| *slope < 0.0).map(|(_, rate)| rate)
    }

    /// The rate at which the smoothed loss was least: about the greatest that works. A tenth of it is the other usual choice.
    pub fn lowest(&self) -> Option<f64> {
        self.smooth.iter().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(rate, _)| *rate)
    }

    /// The losses over the logarithm of the rate.
    pub fn plot(&self) -> LinePlot {
        let log = |points: &[(f64, f64)]| {
            points.iter().map(|(rate, loss)| (rate.log10(), *loss)).collect::<Vec<_>>()
        };
        LinePlot::new("learning rates", "log10 of the rate", "loss")
            .line("loss", log(&self.tried))
            .line("smoothed", log(&self.smooth))
    }
}

/// Losses before which no slope is looked at, and over how many one is taken.
const STARTS: usize = 10;
const WIDE: usize = 9;

/// How many rates are tried at most.
const TRIED: usize = 100;

impl<M: Layer, L: Loss> Trainer<M, L> {
    /// Takes a hundred steps from `params` while `rate`, a dial of this trainer's optimiser, rises over `rates` on the log scale,
    /// and tells the losses; it stops where the loss is four times its least, or not finite (Smith 2017). Parameters, data and the
    /// dial are afterwards what they were, and a run that is started has the same bits.
    ///
    /// ```
    /// use chainrule_nn::{Adam, Linear, Params, Trainer, data::iris, loss, optim::Dial};
    /// let rate = Dial::new(0.001);
    /// let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).optimiser(Adam::new(&rate));
    /// let rates = trainer.find_rate(&rate, 1e-5..10.0, &Params::new(), &iris()?)?;
    /// let found = rates.steepest().expect("the loss falls");
    /// assert!((1e-4..1.0).contains(&found));
    /// assert_eq!(rate.get(), 0.001);
    /// rate.set(found);
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`start`](Trainer::start); [`Error::Argument`] for a dial that the optimiser does not ask, and for rates that are not
    /// positive and rising.
    pub fn find_rate(
        &self,
        rate: &Dial,
        rates: Range<f64>,
        params: &Params,
        train: &Dataset,
    ) -> Result<Rates> {
        const OP: &str = "Trainer::find_rate";
        if !(rates.start > 0.0 && rates.end > rates.start && rates.end.is_finite()) {
            return Err(Error::argument(OP, format!("rates {rates:?} are not positive and rising")));
        }
        self.start_anew(params, train)?;
        let before = rate.get();
        let found = self.rising(rate, rates, params, train);
        rate.set(before);
        found
    }

    fn rising(&self, rate: &Dial, rates: Range<f64>, params: &Params, train: &Dataset) -> Result<Rates> {
        let (mut tried, mut smooth) = (Vec::new(), Vec::new());
        let (mut mean, mut least, mut step) = (0.0, f64::INFINITY, None);
        let size = self.batch.min(train.examples());
        for i in 0..TRIED {
            let batches = train.examples() / size;
            let key = Key::new(self.steps.seeded()).named("rates").at((i / batches) as u64);
            let mut shuffled = train.batches(size)?.shuffled(key).from(i % batches);
            let Some(batch) = shuffled.next() else { break };
            let step = match &mut step {
                Some(step) => step,
                empty => empty.insert(self.step(params.clone(), &batch, train.examples())?),
            };
            if !step.has_dial(rate) {
                let why = "the optimiser does not ask this dial: make it with one, as in Adam::new(&dial)";
                return Err(Error::argument("Trainer::find_rate", why));
            }
            rate.set(rates.start * (rates.end / rates.start).powf(i as f64 / (TRIED - 1) as f64));
            let loss = step.run(&batch)?;
            if !loss.is_finite() {
                break;
            }
            mean = 0.9 * mean + 0.1 * loss;
            let smoothed = mean / (1.0 - 0.9_f64.powi(i as i32 + 1));
            least = smoothed.min(least);
            tried.push((rate.get(), loss));
            smooth.push((rate.get(), smoothed));
            if smoothed > 4.0 * least && least > 0.0 {
                break;
            }
        }
        Ok(Rates { tried, smooth })
    }
}
