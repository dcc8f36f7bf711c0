//! Losses of sequences.

use std::panic::Location;

use chainrule_graph::{Error, ErrorKind, Kind, Result, Scan, Var};

use super::Reduction;

/// Skip-grams with negative sampling (Mikolov and others 2013; course 5, lecture 2.7): the mean of
/// −ln σ(s) − Σ ln σ(−n), for the scores s, (m,), of words that stood together, and n, (m, k), of k drawn for each.
#[track_caller]
pub fn negative_sampling<'g>(together: Var<'g>, drawn: Var<'g>) -> Var<'g> {
    let _here = together.graph().blame("negative_sampling", Location::caller());
    let (s, n) = (together.shape(), drawn.shape());
    if let Some(poisoned) = [together, drawn].into_iter().find(|x| x.is_poisoned()) {
        return poisoned;
    }
    if s.len() != 1 || n.len() != 2 || s[0] != n[0] {
        let why = format!("scores are (m,) and (m, drawn), not {s} and {n}");
        let error = Error::new(ErrorKind::Value { op: "negative_sampling", why });
        return together.fail(error.operand("scores", together.ty(), together.origin()));
    }
    ((-together).softplus() + drawn.softplus().sum(1)).mean(..)
}

/// Connectionist temporal classification (Graves and others 2006; course 5, lecture 3.9): −ln of the probability that the
/// steps' classes, with repetitions and then blanks taken out, are the labels.
///
/// The mean is that of each sequence's loss divided by the number of its labels, as PyTorch has it. Labels that no path gives,
/// of more than the steps allow, have an infinite loss with derivative 0.
///
/// ```
/// use chainrule_graph::Graph;
/// use chainrule_nn::loss::Ctc;
/// use chainrule_tensor::{DType, Tensor};
/// let g = Graph::new();
/// let z = g.leaf("z", Tensor::zeros([1, 2, 2], DType::F64)); // one sequence, 2 steps, the blank and one letter
/// let labels = g.constant([[1_i64]]);
/// // Of four paths three, 01, 10 and 11, give the letter.
/// let loss = Ctc::new().of(z, labels, None, None).value()?.item::<f64>()?;
/// assert!((loss + 0.75_f64.ln()).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ctc {
    blank: usize,
    reduction: Reduction,
}

impl Ctc {
    /// Class 0 is the blank.
    pub fn new() -> Self {
        Ctc::default()
    }

    /// The class that stands for no label.
    pub fn blank(self, class: usize) -> Self {
        Ctc { blank: class, ..self }
    }

    /// How the sequences' losses become the loss.
    pub fn reduction(self, reduction: Reduction) -> Self {
        Ctc { reduction, ..self }
    }

    /// The loss of logits (batch, time, classes) for labels (batch, most labels), of which sequence i has `steps[i]` steps
    /// and `lengths[i]` labels: all, if nothing is said.
    #[track_caller]
    pub fn of<'g>(
        self,
        logits: Var<'g>,
        labels: Var<'g>,
        steps: Option<Var<'g>>,
        lengths: Option<Var<'g>>,
    ) -> Var<'g> {
        let g = logits.graph();
        let here = Location::caller();
        let given = [Some(logits), Some(labels), steps, lengths];
        if let Some(poisoned) = given.into_iter().flatten().find(|x| x.is_poisoned()) {
            return poisoned;
        }
        let _here = g.blame("ctc", here);
        let (z, l) = (logits.shape(), labels.shape());
        let batch = z.first().copied().unwrap_or(0);
        let counts =
            |x: &Option<Var<'g>>| x.is_none_or(|x| x.kind() == Kind::Int && x.shape()[..] == [batch]);
        let why = if z.len() != 3 || l.len() != 2 || labels.kind() != Kind::Int || l[0] != batch {
            "logits are (batch, time, classes), labels integers (batch, most labels)"
        } else if !counts(&steps) || !counts(&lengths) {
            "steps and lengths are integers, one for each sequence"
        } else if self.blank >= z[2] {
            "the blank is one of the classes"
        } else {
            return self.losses(logits, labels, steps, lengths).unwrap_or_else(|error| g.poison(error));
        };
        let error = Error::new(ErrorKind::Value { op: "ctc", why: why.into() });
        let error = error.operand("logits", logits.ty(), logits.origin());
        logits.fail(error.operand("labels", labels.ty(), labels.origin()))
    }

    fn losses<'g>(
        self,
        logits: Var<'g>,
        labels: Var<'g>,
        steps: Option<Var<'g>>,
        lengths: Option<Var<'g>>,
    ) -> Result<Var<'g>> {
        let g = logits.graph();
        let (batch, time, classes) = (logits.dim(0), logits.dim(1), logits.dim(2));
        let most = labels.dim(1);
        let states = 2 * most + 1;
        let all = |n: usize| g.constant(n as i64).broadcast_to([batch]);
        let steps = steps.map_or_else(|| all(time), |n| n.in_range(time + 1, "number of steps"));
        let lengths = lengths.map_or_else(|| all(most), |n| n.in_range(most + 1, "number of labels"));
        // A blank before, between and behind the labels.
        let blanks = |n: usize| g.constant(self.blank as i64).broadcast_to([batch, n]);
        let pairs = g.stack(&[blanks(most), labels.in_range(classes, "label")], -1);
        let states_of = g.concat(&[pairs.reshape([batch as isize, 2 * most as isize]), blanks(1)], 1);
        let two_before = g.concat(&[blanks(2), states_of], 1).slice(1, 0..states);
        let skips = states_of.not_equal(two_before);
        let index = states_of.insert_axis(0).broadcast_to([time, batch, states]);
        let emitted = logits.log_softmax(-1).swap_axes(0, 1).take_along_axis(-1, index);
        let inside = g.iota([time, 1], 0).less(steps.insert_axis(0)).insert_axis(-1);
        let state = g.iota([1, states], 1);
        let never = f64::NEG_INFINITY;
        let first = state.equal(0).select(g.constant(0.0), never).broadcast_to([batch, states]);
        let (last, _) = Scan::new().run(&[first], &[emitted, inside], |before, x| {
            let from = |n: usize| {
                let none = g.constant(never).broadcast_to([batch, n]);
                g.concat(&[none, before[0]], 1).slice(1, 0..states)
            };
            let ways = g.stack(&[before[0], from(1), skips.select(from(2), never)], -1);
            let now = ways.logsumexp(-1) + x[0];
            Ok((vec![x[1].select(now, before[0])], vec![]))
        })?;
        let end = 2 * lengths.insert_axis(-1);
        let ends = state.equal(end).select(true, state.equal(end - 1));
        let losses = -ends.select(last[0], never).logsumexp(-1);
        Ok(match self.reduction {
            Reduction::Mean => (losses / lengths.maximum(1).real()).mean(..),
            other => other.of(losses),
        })
    }
}
