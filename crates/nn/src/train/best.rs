//! The best parameters of a run, and when to stop for want of better ones.

use crate::History;

/// Which parameters of a run are the best, by what is measured after each epoch; [`Trainer::fit`](crate::Trainer::fit) gives
/// these, whatever ended the training.
///
/// ```
/// use chainrule_nn::{Adam, Best, Linear, Params, Trainer, data::iris, loss, progress::Silent};
/// use chainrule_tensor::Key;
/// let [train, dev] = iris()?.split_stratified([0.8, 0.2], Key::new(1))?;
/// let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).optimiser(Adam::new(0.3)).epochs(500);
/// let mut params = Params::new();
/// let trainer = trainer.best(Best::lowest("dev loss").patience(5));
/// let history = trainer.fit(&mut params, &train, Some(&dev), &mut Silent)?;
/// let (best, loss) = history.lowest("dev loss").expect("an epoch");
/// assert_eq!(history.epochs().len(), best + 5);
/// assert_eq!(trainer.evaluator().run(&params, &dev)?.loss, loss);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    pub(super) measure: String,
    lowest: bool,
    patience: Option<usize>,
}

impl Best {
    /// Those of the epoch in which the series `measure` of the history is least, the first of equals.
    pub fn lowest(measure: &str) -> Self {
        Best { measure: measure.into(), lowest: true, patience: None }
    }

    /// Those of the epoch in which the series `measure` of the history is greatest, the first of equals.
    pub fn highest(measure: &str) -> Self {
        Best { lowest: false, ..Best::lowest(measure) }
    }

    /// Stops after `epochs` epochs in a row that are no better than the best: early stopping (course 2, lecture 1.8).
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = Some(epochs);
        self
    }

    /// Whether `value` is better than that of the `best`; NaN never is.
    pub(super) fn is_better(&self, value: f64, best: Option<f64>) -> bool {
        !value.is_nan() && best.is_none_or(|best| if self.lowest { value < best } else { value > best })
    }

    /// Whether `epoch` is as far behind the best as patience reaches.
    pub(super) fn gives_up(&self, epoch: usize, best: usize) -> bool {
        self.patience.is_some_and(|patience| epoch >= best + patience.max(1))
    }

    /// What was measured in `epoch`, or why there is nothing.
    pub(super) fn of(&self, epoch: usize, history: &History) -> Result<f64, String> {
        let measured = history.at(epoch).find(|(name, _)| *name == self.measure);
        measured.map(|(_, value)| value).ok_or_else(|| {
            let names: Vec<&str> = history.at(epoch).map(|(name, _)| name).collect();
            format!("there is no `{}` to choose the best by; there are {}", self.measure, names.join(", "))
        })
    }
}
