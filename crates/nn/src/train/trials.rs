//! The same training with several seeds.

use std::fmt;

use super::{Loss, Trainer};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::metric::Trials;
use crate::params::Params;
use crate::progress::Progress;
use crate::{History, Layer};

/// Trainings that differ by their seed alone; made by [`Trainer::with_seeds`].
#[derive(Clone, Debug)]
pub struct Seeds {
    /// Seed, history and parameters of each.
    pub runs: Vec<(u64, History, Params)>,
}

impl<M: Layer, L: Loss> Trainer<M, L> {
    /// Trains anew with each of `seeds`, which decide start, order and all that is random, and gives all that was measured: the
    /// spread of a result is part of it.
    ///
    /// ```
    /// use chainrule_nn::{Adam, Linear, Trainer, data::iris, loss, progress::Silent};
    /// use chainrule_tensor::Key;
    /// let [train, dev] = iris()?.split_stratified([0.7, 0.3], Key::new(1))?;
    /// let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).optimiser(Adam::new(0.05)).epochs(60);
    /// let seeds = trainer.with_seeds(0..5, &train, Some(&dev), &mut Silent)?;
    /// let accuracy = seeds.last("dev accuracy");
    /// println!("dev accuracy {accuracy:.3}, its 95 % interval included\n{seeds}");
    /// assert!(accuracy.mean() > 0.8 && accuracy.margin() < 0.2);
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// No seeds; the first error of a training, as [`fit`](Trainer::fit). A trainer that saves [checkpoints](Trainer::checkpoints)
    /// would save all runs into one folder: that is an error.
    pub fn with_seeds(
        mut self,
        seeds: impl IntoIterator<Item = u64>,
        train: &Dataset,
        dev: Option<&Dataset>,
        progress: &mut dyn Progress,
    ) -> Result<Seeds> {
        const OP: &str = "Trainer::with_seeds";
        if self.checkpoints.is_some() {
            return Err(Error::argument(
                OP,
                "a folder of checkpoints is one run's: train each seed by itself",
            ));
        }
        let mut runs = Vec::new();
        for seed in seeds {
            self = self.seed(seed);
            let mut params = Params::new();
            let history = self.fit(&mut params, train, dev, progress)?;
            runs.push((seed, history, params));
        }
        if runs.is_empty() {
            return Err(Error::argument(OP, "there are no seeds"));
        }
        Ok(Seeds { runs })
    }
}

impl Seeds {
    /// What was measured last as `name`, such as `dev loss`, in each run.
    pub fn last(&self, name: &str) -> Trials {
        self.of(|history| history.last(name))
    }

    /// The lowest that was measured as `name` in each run.
    pub fn lowest(&self, name: &str) -> Trials {
        self.of(|history| history.lowest(name))
    }

    /// The highest that was measured as `name` in each run.
    pub fn highest(&self, name: &str) -> Trials {
        self.of(|history| history.highest(name))
    }

    fn of(&self, value: impl Fn(&History) -> Option<(usize, f64)>) -> Trials {
        Trials(self.runs.iter().map(|(_, history, _)| value(history).map_or(f64::NAN, |(_, v)| v)).collect())
    }

    /// The mean history: of each series and epoch that all runs have, the mean over the runs.
    pub fn mean(&self) -> History {
        let mut mean = History::new();
        let Some((_, first, _)) = self.runs.first() else { return mean };
        for name in first.names() {
            for (epoch, _) in first.series(name) {
                let at = |history: &History| {
                    history.series(name).iter().find(|(e, _)| e == epoch).map(|(_, v)| *v)
                };
                let values: Option<Vec<f64>> = self.runs.iter().map(|(_, history, _)| at(history)).collect();
                if let Some(values) = values {
                    mean.record(*epoch, name, Trials(values).mean());
                }
            }
        }
        mean
    }
}

/// What was measured last, as `mean ± margin` of the 95 % interval, a line for each series.
impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            self.runs.first().map(|(_, history, _)| history.names().collect()).unwrap_or_default();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for name in names {
            writeln!(f, "{name:<width$}  {:.4}", self.last(name))?;
        }
        write!(f, "{} seeds", self.runs.len())
    }
}
