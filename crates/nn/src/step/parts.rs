//! Steps whose examples come in parts, one after the other.

use chainrule_graph::{Graph, Kind, Var};
use chainrule_tensor::Tensor;

use super::{Inputs, Step};
use crate::error::{Error, Result};
use crate::optim::Parameter;

/// What a run of such a step is told besides its inputs.
pub(super) struct Parts<'g> {
    /// The part's share of the step's examples.
    pub(super) share: Var<'g>,
    /// Whether the step ends with it.
    pub(super) last: Var<'g>,
}

impl<'g> Parts<'g> {
    pub(super) fn new(graph: &'g Graph) -> Self {
        Parts { share: graph.input("share", (), Kind::Real), last: graph.input("last", (), Kind::Truth) }
    }

    /// The clock after a part: (seed, step, part).
    pub(super) fn tick(&self, clock: Var<'g>) -> Var<'g> {
        let constant = |numbers: [i64; 3]| clock.graph().constant(Tensor::from(numbers));
        let next_step = clock * constant([1, 1, 0]) + constant([0, 1, 0]);
        self.at_the_end(clock + constant([0, 0, 1]), next_step)
    }

    /// What becomes of `before`: it stays until the last part, which makes `after` of it.
    pub(super) fn at_the_end(&self, before: Var<'g>, after: Var<'g>) -> Var<'g> {
        self.last.select(after, before)
    }

    /// The gradients of all parts so far, in the order of the parts, and what is kept of them for the next: (before, after).
    pub(super) fn sum(
        &self,
        parameters: &[Parameter<'g>],
        gradients: &[Var<'g>],
    ) -> (Vec<Var<'g>>, Vec<(Var<'g>, Var<'g>)>) {
        let sum = |(parameter, gradient): (&Parameter<'g>, &Var<'g>)| {
            let zeros = Tensor::full(parameter.value.shape(), 0.0_f32);
            let before = self.share.graph().leaf(&format!("{}.sum", parameter.path), zeros);
            let total = before + *gradient * self.share;
            (total, (before, self.last.select(total.like(0.0), total)))
        };
        parameters.iter().zip(gradients).map(sum).unzip()
    }
}

impl Step {
    /// Takes in one part of the examples of a step that comes [in parts](super::StepBuilder::in_parts): `share` is the part's
    /// share of the step's examples, and with the `last` part the step is taken. The loss of the part, before the step.
    ///
    /// # Errors
    /// As [`run`](Step::run); a step that does not come in parts, a share that is not within 0 and 1.
    pub fn part(&mut self, inputs: &(impl Inputs + ?Sized), share: f64, last: bool) -> Result<f64> {
        if !self.in_parts {
            let why = "this step takes its examples at once; record it with StepBuilder::in_parts";
            return Err(Error::argument("Step::part", why));
        }
        if !(0.0..=1.0).contains(&share) {
            let why = format!("a share of {share} of the step's examples; it is within 0 and 1");
            return Err(Error::argument("Step::part", why));
        }
        self.replay(inputs, Some((share, last)))
    }
}
