//! What optimisers remember, and a step's updates as the state of a plan.

use chainrule_graph::{Error, ErrorKind, Graph, Kind, Var};
use chainrule_tensor::Tensor;

use super::rate::Dial;
use super::{Optimiser, Parameter};

/// What an optimiser remembers between steps, by parameter and name, and the number of the step.
pub struct Memory<'g> {
    graph: &'g Graph,
    step: Var<'g>,
    /// How many optimisers stand before the present one.
    place: usize,
    slots: Vec<(Var<'g>, Var<'g>)>,
    averages: Vec<(String, usize)>,
    dials: Vec<(Dial, Var<'g>)>,
}

impl<'g> Memory<'g> {
    /// The graph that is recorded.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// The number of the present step, from 1, as a real.
    pub fn step(&self) -> Var<'g> {
        self.step
    }

    /// Remembers a value of the shape of `parameter`, which starts at 0 and becomes `next(its value before)` at each
    /// step; returns the new value.
    #[track_caller]
    pub fn remember(
        &mut self,
        parameter: &Parameter<'g>,
        name: &str,
        next: impl FnOnce(Var<'g>) -> Var<'g>,
    ) -> Var<'g> {
        let path = match self.place {
            0 => format!("{}.{name}", parameter.path),
            place => format!("{}.{name}.{place}", parameter.path),
        };
        let old = self.graph.leaf(&path, Tensor::full(parameter.value.shape(), 0.0_f32));
        let new = next(old);
        self.slots.push((old, new));
        new
    }

    /// Remembers an average of `parameter`, which a step gives under that name.
    #[track_caller]
    pub(super) fn average(&mut self, parameter: &Parameter<'g>, next: impl FnOnce(Var<'g>) -> Var<'g>) {
        self.averages.push((parameter.path.clone(), self.slots.len()));
        let _kept = self.remember(parameter, "average", next);
    }

    /// What `dial` says, as a value of the graph.
    pub(super) fn dialled(&mut self, dial: &Dial) -> Var<'g> {
        if let Some((_, var)) = self.dials.iter().find(|(known, _)| known.is(dial)) {
            return *var;
        }
        let var = self.graph.input("dial", (), Kind::Real);
        self.dials.push((dial.clone(), var));
        var
    }

    /// What `then` records as one that stands behind another.
    pub(super) fn behind<T>(&mut self, then: impl FnOnce(&mut Self) -> T) -> T {
        self.place += 1;
        let made = then(self);
        self.place -= 1;
        made
    }
}

/// The updates of a training step.
pub struct Updates<'g> {
    /// Parameters, then what the optimiser remembers, each with its next value: for
    /// [`Compiler::state`](chainrule_graph::Compiler::state).
    pub state: Vec<(Var<'g>, Var<'g>)>,
    /// What the host may change between steps: each is an argument of the plan, with the value that
    /// [`Dial::get`] has.
    pub dials: Vec<(Dial, Var<'g>)>,
    /// Averages of parameters: the path, and where it is among what the optimiser remembers.
    pub averages: Vec<(String, usize)>,
}

/// What `optimiser` makes of `parameters` with these gradients in step number `step`, a real that counts from 1.
///
/// A training loop of one's own, in f64:
///
/// ```
/// use chainrule_graph::{Graph, Precision};
/// use chainrule_nn::optim::{Momentum, Parameter, updates};
/// use chainrule_tensor::Tensor;
/// let g = Graph::new();
/// let (w, before) = (g.leaf("w", [3.0, -2.0]), g.leaf("steps", 0.0));
/// let step = before + 1.0;
/// let loss = w.square().sum(..);
/// let parameters = [Parameter { path: "w".into(), value: w }];
/// let updates = updates(&Momentum::new(0.1), step, &parameters, loss.grad(&[w])?);
/// let state = [updates.state, vec![(before, step)]].concat();
/// let mut plan = g.compiler(&[], &[loss]).state(&state).precision(Precision::F64).build()?;
/// let first = plan.run(&[])?[0].item::<f64>()?;
/// (0..100).try_for_each(|_| plan.run(&[]).map(drop))?;
/// assert!(plan.run(&[])?[0].item::<f64>()? < 1e-2 * first);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn updates<'g>(
    optimiser: &dyn Optimiser,
    step: Var<'g>,
    parameters: &[Parameter<'g>],
    gradients: Vec<Var<'g>>,
) -> Updates<'g> {
    let (slots, averages, dials) = (Vec::new(), Vec::new(), Vec::new());
    let mut memory = Memory { graph: step.graph(), step, place: 0, slots, averages, dials };
    let mut steps = optimiser.steps(&mut memory, parameters, gradients);
    if steps.len() != parameters.len() {
        let why = format!("it gives {} steps for {} parameters", steps.len(), parameters.len());
        steps = vec![step.fail(Error::new(ErrorKind::Value { op: "optimiser", why })); parameters.len()];
    }
    let next = parameters.iter().zip(steps).map(|(p, step)| {
        // The update is of the line that made the step.
        let _passed = memory.graph.passed_at(step.origin().location);
        (p.value, p.value - step)
    });
    let next: Vec<_> = next.collect();
    let state = next.into_iter().chain(memory.slots).collect();
    Updates { state, dials: memory.dials, averages: memory.averages }
}
