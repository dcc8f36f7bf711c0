//! A step is recorded, checked and compiled.

use std::collections::BTreeMap;
use std::panic::Location;
use std::rc::Rc;

use chainrule_graph::check::{Checker, Report};
use chainrule_graph::{ErrorKind, Graph, Kind, Precision, Var};
use chainrule_tensor::{DType, Tensor};

use super::parts::Parts;
use super::{Goal, Inputs, Learning, Step, Turned};
use crate::digest;
use crate::error::{Error, Result};
use crate::optim::{self, Parameter, Updates};
use crate::params::Params;
use crate::scope::{self, Mode, Remembered, Scope};

/// How a step is recorded; made by [`Step::builder`].
#[derive(Clone)]
pub struct StepBuilder {
    seed: u64,
    precision: Precision,
    anomaly: bool,
    draw_missing: bool,
    in_parts: bool,
    observer: Option<Rc<dyn Observer>>,
    op: &'static str,
    names: &'static [&'static str],
    at: &'static Location<'static>,
}

/// What is shown to an [`Observer`]: a step whose losses, gradients and updates are recorded.
pub struct Observed<'a, 'g> {
    /// The trace: its graph, its parameters, what it remembers.
    pub scope: &'a Scope<'g>,
    /// The step's inputs.
    pub inputs: &'a [Var<'g>],
    /// What it makes small.
    pub goals: Vec<StepGoal<'g>>,
}

/// A goal of a step, recorded.
pub struct StepGoal<'g> {
    /// Its name.
    pub name: String,
    /// Its loss before the step.
    pub loss: Var<'g>,
    /// The parameters that learn from it, before the step.
    pub parameters: Vec<Parameter<'g>>,
    /// Their gradients, in the same order; of a step that comes in parts the sum so far.
    pub gradients: Vec<Var<'g>>,
    /// Their values after the step, in the same order.
    pub after: Vec<Var<'g>>,
}

/// What looks at steps: it records formulas over the step's own values, whose numbers each run then gives among
/// [`Step::outputs`]. What it records changes no bit of the step, and the state of a step with an observer fits one
/// without, so one can look at every tenth step at a tenth of the cost.
///
/// ```
/// use chainrule_nn::{Goal, Init, Learning, Observed, Observer, Params, Sgd, Step};
/// use chainrule_graph::Var;
/// use chainrule_tensor::Tensor;
/// /// The norm of each gradient.
/// struct Norms;
/// impl Observer for Norms {
///     fn record<'g>(&self, step: &Observed<'_, 'g>) -> Vec<(String, Var<'g>)> {
///         let goal = &step.goals[0];
///         let norms = goal.parameters.iter().zip(&goal.gradients);
///         norms.map(|(p, g)| (format!("{} norm", p.path), g.norm())).collect()
///     }
/// }
/// let inputs = [Tensor::from([3.0_f32, 4.0])];
/// let mut step = Step::builder().observe(Norms).record(Params::new(), &inputs, |s, x| {
///     let w = s.param("w", [2], Init::Zeros);
///     Learning::of(Goal::new("loss", (w * x[0]).sum(..), Sgd::new(0.1)))
/// })?;
/// step.run(&inputs)?;
/// assert_eq!(step.output("w norm"), Some(&Tensor::from(5.0_f32)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Observer {
    /// Records what is to be seen, each with a name.
    fn record<'g>(&self, step: &Observed<'_, 'g>) -> Vec<(String, Var<'g>)>;
}

impl StepBuilder {
    #[track_caller]
    pub(super) fn new() -> Self {
        StepBuilder {
            seed: 0,
            precision: Precision::F32,
            anomaly: false,
            draw_missing: false,
            in_parts: false,
            observer: None,
            op: "Step",
            names: &[],
            at: Location::caller(),
        }
    }

    /// Seeds initialisation and what is random in the step.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Computes in f64 instead of f32, parameters included.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Anomaly mode: a run fails at the first operation, forward or backward, that makes a NaN or an infinity, and changes
    /// nothing. Slow; costs nothing when off.
    pub fn anomaly(mut self, on: bool) -> Self {
        self.anomaly = on;
        self
    }

    /// Whether parameters that are missing among those given are drawn; with none given, all are drawn anyway.
    pub fn draw_missing(mut self, on: bool) -> Self {
        self.draw_missing = on;
        self
    }

    /// Takes the examples of a step in parts, each by a [`Step::part`], where memory does not hold the step of all at once.
    /// The gradients of the parts are added in the order of the parts, each times its share of the examples, and with the
    /// last part the optimiser gets the sum: where the loss is a mean over examples, that of all. So the bits are those of one
    /// step that has all examples and sums over them part by part; against a step that sums over all in one go, rounding
    /// differs, by some units in the last place.
    ///
    /// The parts of a step are numbered in the key of what is random, so each draws its own dropout. What a layer
    /// [remembers](Scope::remember) of a batch, as running statistics, would be that of the parts: that is an error.
    ///
    /// ```
    /// use chainrule_nn::{Goal, Init, Learning, Params, Sgd, Step};
    /// use chainrule_tensor::Tensor;
    /// let (five, three) = (Tensor::from([1.0_f32, 2.0, 3.0, 4.0, 5.0]), Tensor::from([6.0_f32, 7.0, 8.0]));
    /// let of = |examples: &Tensor| {
    ///     Step::builder().in_parts(true).record(Params::new(), &[examples.clone()], |s, x| {
    ///         let w = s.param("w", [], Init::Zeros);
    ///         Learning::of(Goal::new("loss", (w - x[0]).square().mean(..), Sgd::new(0.5)))
    ///     })
    /// };
    /// let (mut first, mut second) = (of(&five)?, of(&three)?);
    /// first.part(&[five], 5.0 / 8.0, false)?;
    /// second.set_state(&first.state())?;
    /// second.part(&[three], 3.0 / 8.0, true)?;
    /// assert_eq!(second.params().get("w"), Some(&Tensor::from(4.5_f32))); // the mean of all eight
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_parts(mut self, on: bool) -> Self {
        self.in_parts = on;
        self
    }

    /// Shows the step to `observer`.
    pub fn observe(self, observer: impl Observer + 'static) -> Self {
        StepBuilder { observer: Some(Rc::new(observer)), ..self }
    }

    pub(crate) fn width(&self) -> Precision {
        self.precision
    }

    pub(crate) fn seeded(&self) -> u64 {
        self.seed
    }

    /// What errors call it and its inputs, and whose line they have.
    pub(crate) fn called(
        self,
        op: &'static str,
        names: &'static [&'static str],
        at: &'static Location<'static>,
    ) -> Self {
        StepBuilder { op, names, at, ..self }
    }

    /// Records and compiles the step that `formula` describes, for inputs of the sizes and types of `inputs`.
    /// Parameters come from `params`; if there are none, they are drawn.
    ///
    /// # Errors
    /// Any error in the formula, with the user's line; [`Error::Misfit`] for parameters that do not fit; a parameter that its
    /// loss does not depend on, that no goal has, or that two have; a hyperparameter that makes no sense.
    pub fn record<F>(&self, params: Params, inputs: &(impl Inputs + ?Sized), formula: F) -> Result<Step>
    where
        F: for<'g> FnOnce(&Scope<'g>, &[Var<'g>]) -> Learning<'g>,
    {
        let given = params.clone();
        let graph = Graph::new();
        scope::lines_of(&graph);
        let _made = graph.passed_at(self.at);
        let examples = inputs.tensors();
        let name = |i: usize| self.names.get(i).map_or_else(|| format!("input {i}"), |n| (*n).to_owned());
        let takes: Vec<Var<'_>> =
            examples.iter().enumerate().map(|(i, x)| input(&graph, self.op, &name(i), x, self.at)).collect();
        // Seed and number of the step: the key of everything random, and the optimisers' clock.
        let parts = self.in_parts.then(|| Parts::new(&graph));
        let start: &[i64] = if parts.is_some() { &[0, 0] } else { &[0] };
        let clock = graph.leaf("clock", Tensor::from([&[self.seed as i64], start].concat()));
        let ticked = match &parts {
            Some(parts) => parts.tick(clock),
            None => clock + graph.constant(Tensor::from([0_i64, 1])),
        };
        let scope = Scope::with_key(&graph, params, Mode::Train, self.seed, clock);
        let learning = formula(&scope, &takes);
        self.sound(&learning, &given, &scope)?;

        let number = match &parts {
            Some(_) => (clock.slice(0, 1..2) + 1).reshape(()).real(),
            None => ticked.slice(0, 1..2).reshape(()).real(),
        };
        let mut next: Vec<(String, Var<'_>)> = Vec::new();
        let (mut memory, mut dials, mut goals) = (Vec::new(), Vec::new(), Vec::new());
        let (mut sums, mut averages) = (Vec::new(), Vec::new());
        for goal in &learning.goals {
            let parameters = learns(&learning, goal, &scope);
            let mut gradients = self.gradients(goal, &parameters)?;
            let _passed = graph.passed_at(goal.optimiser_at);
            if let Some(parts) = &parts {
                let (totals, kept) = parts.sum(&parameters, &gradients);
                gradients = totals;
                sums.extend(parameters.iter().map(|p| format!("sum:{}", p.path)).zip(kept));
            }
            let Updates { mut state, dials: turned, averages: of } =
                optim::updates(&*goal.optimiser, number, &parameters, gradients.clone());
            if let Some(parts) = &parts {
                state.iter_mut().for_each(|(before, after)| *after = parts.at_the_end(*before, *after));
            }
            let (learnt, kept) = state.split_at(parameters.len().min(state.len()));
            let after: Vec<Var<'_>> = learnt.iter().map(|(_, after)| *after).collect();
            next.extend(parameters.iter().map(|p| p.path.clone()).zip(after.iter().copied()));
            averages.extend(of.into_iter().map(|(path, slot)| (path, memory.len() + slot)));
            memory.extend_from_slice(kept);
            dials.extend(turned);
            goals.push(StepGoal { name: goal.name.clone(), loss: goal.loss, parameters, gradients, after });
        }
        let mut updates: Vec<(Var<'_>, Var<'_>)> = Vec::new();
        for (path, parameter) in scope.traced() {
            let after =
                next.iter().find(|(learnt, _)| *learnt == path).map_or(parameter, |(_, after)| *after);
            updates.push((parameter, after));
        }
        for Remembered { path, before, after } in scope.remembered() {
            updates.push((before, if learning.is_frozen(&path) { before } else { after }));
        }
        let paths: Vec<String> = scope.asked().into_iter().map(|(path, _)| path).collect();
        updates.extend_from_slice(&memory);
        updates.extend(sums.iter().map(|(_, sum)| *sum));
        updates.push((clock, ticked));
        let program = program(&graph, &updates, &goals);

        let mut outputs: Vec<(String, Var<'_>)> =
            goals.iter().map(|goal| (goal.name.clone(), goal.loss)).collect();
        outputs.extend(learning.outputs.iter().cloned());
        if let Some(observer) = &self.observer {
            outputs.extend(observer.record(&Observed { scope: &scope, inputs: &takes, goals }));
        }
        let (names, values): (Vec<String>, Vec<Var<'_>>) = outputs.into_iter().unzip();
        let told = parts.iter().flat_map(|parts| [parts.share, parts.last]);
        let takes: Vec<Var<'_>> =
            takes.into_iter().chain(dials.iter().map(|(_, v)| *v)).chain(told).collect();
        let compiler = graph.compiler(&takes, &values).state(&updates).precision(self.precision);
        let compiled = compiler.anomaly(self.anomaly).build()?;
        // Paths have no colon.
        // Of several averages of a parameter the last has the name.
        let averages: BTreeMap<String, usize> = averages.into_iter().collect();
        let named = |i: usize| {
            let average = averages.iter().find(|(_, slot)| **slot == i);
            average.map_or_else(|| format!("optimiser:{i}"), |(path, _)| format!("{AVERAGE}{path}"))
        };
        let memory: Vec<String> = (0..memory.len()).map(named).collect();
        let sums = sums.into_iter().map(|(name, _)| name);
        let memory = memory.into_iter().chain(sums).chain(["clock:".into()]).collect();
        let dials = dials.into_iter().map(|(dial, _)| Turned::new(dial, self.precision)).collect();
        let examples = examples.first().and_then(|x| x.shape().first().copied()).unwrap_or(0);
        let (last, in_parts) = (Vec::new(), self.in_parts);
        Ok(Step { compiled, examples, paths, memory, names, last, dials, program, in_parts })
    }

    /// Checks the gradient of each goal's loss against numeric differences in f64, for up to `elements` elements of each
    /// of its parameters. If there are no parameters they are drawn and put into `params`. What an optimiser makes of
    /// gradients, or gradients that were given, are not compared.
    ///
    /// # Errors
    /// As [`record`](StepBuilder::record). A parameter that the loss does not depend on is an `Unused` verdict of the report.
    pub fn check<F>(
        &self,
        params: &mut Params,
        inputs: &(impl Inputs + ?Sized),
        elements: usize,
        formula: F,
    ) -> Result<Vec<(String, Report)>>
    where
        F: for<'g> FnOnce(&Scope<'g>, &[Var<'g>]) -> Learning<'g>,
    {
        let graph = Graph::new();
        let given = |value: &Tensor| {
            let _here = graph.blame(self.op, self.at);
            graph.constant(value.clone())
        };
        let takes: Vec<Var<'_>> = inputs.tensors().iter().map(given).collect();
        let scope = Scope::root(&graph, params.clone(), Mode::Train, self.seed);
        let learning = formula(&scope, &takes);
        self.sound(&learning, params, &scope)?;
        let mut reports = Vec::new();
        for goal in &learning.goals {
            let vars: Vec<Var<'_>> = learns(&learning, goal, &scope).iter().map(|p| p.value).collect();
            let report = Checker::default().elements(elements).check(goal.loss, &vars)?;
            reports.push((goal.name.clone(), report));
        }
        *params = scope.params();
        Ok(reports)
    }

    /// Refuses a formula that makes no step.
    fn sound(&self, learning: &Learning<'_>, given: &Params, scope: &Scope<'_>) -> Result<()> {
        // An error in the model itself comes before what is said of its parameters.
        for goal in &learning.goals {
            goal.loss.checked()?;
        }
        if let Some(why) = learning.goals.iter().find_map(|goal| goal.optimiser.fault()) {
            return Err(Error::argument(self.op, why));
        }
        if self.in_parts
            && let Some(Remembered { path, .. }) = scope.remembered().first()
        {
            let why = format!(
                "`{path}` is made of a whole batch, and the examples come in parts: use a layer without statistics of \
                 the batch (LayerNorm, GroupNorm), or take the examples of a step at once"
            );
            return Err(Error::argument(self.op, why));
        }
        self.fit(given, &scope.asked())?;
        let paths: Vec<String> = scope.traced().into_iter().map(|(path, _)| path).collect();
        let at = |place: &String| !paths.iter().any(|path| crate::train::lies_below(path, place));
        let unknown = |what: &'static str, place: &String| {
            let why = format!("no parameter is at or below `{place}`; there are {}", paths.join(", "));
            Error::argument(what, why)
        };
        if let Some(place) = learning.frozen.iter().find(|place| at(place)) {
            return Err(unknown("freeze", place));
        }
        for goal in &learning.goals {
            if let Some(place) = goal.places.iter().find(|place| at(place)) {
                return Err(unknown("Goal::at", place));
            }
        }
        for path in paths.iter().filter(|path| !learning.is_frozen(path)) {
            let having: Vec<&str> =
                learning.goals.iter().filter(|g| g.has(path)).map(|g| g.name.as_str()).collect();
            if having.len() != 1 {
                let by = if having.is_empty() { "no goal".into() } else { having.join(" and ") };
                let why = format!(
                    "`{path}` learns from {by}; each parameter has one goal: name places with Goal::at, or freeze it"
                );
                return Err(Error::argument(self.op, why));
            }
        }
        Ok(())
    }

    /// Whether `given` are the parameters that a trace asked for, or there are none to compare.
    fn fit(&self, given: &Params, traced: &[(String, Var<'_>)]) -> Result<()> {
        let paths = || traced.iter().map(|(path, _)| path.as_str());
        let missing: Vec<&str> = paths().filter(|path| given.get(path).is_none()).collect();
        let left = given.left_over(paths());
        let whole = missing.is_empty() || self.draw_missing;
        if given.is_empty() || left.is_empty() && whole {
            return Ok(());
        }
        Err(match given.misfit(self.op, &missing, &left) {
            Error::Misfit { source_name, why } if left.is_empty() => {
                let why = format!("{why}; {}::draw_missing has them drawn", self.op);
                Error::Misfit { source_name, why }
            }
            other => other,
        })
    }

    /// The gradients of a goal's loss, or those that were given.
    fn gradients<'g>(&self, goal: &Goal<'g>, parameters: &[Parameter<'g>]) -> Result<Vec<Var<'g>>> {
        let vars: Vec<Var<'_>> = parameters.iter().map(|p| p.value).collect();
        let unused = |error: chainrule_graph::Error| match error.kind() {
            ErrorKind::Disconnected { name, .. } => {
                let path = name.trim_matches('`');
                let place = path.rsplit_once('.').map_or(path, |(place, _)| place);
                let freeze = if self.op == "Step" { "Learning" } else { self.op };
                let hint = format!(
                    "let the loss depend on it, or do not make it; if it is to stay as it is, say so: \
                     {freeze}::freeze(\"{place}\")"
                );
                error.hint(hint)
            }
            _ => error,
        };
        if let Some(value) = goal.reaching.filter(|value| value.id() != goal.loss.id()) {
            value.grad(&vars).map_err(unused)?;
        }
        match &goal.gradients {
            None => Ok(goal.loss.grad(&vars).map_err(unused)?),
            Some(Err(error)) => Err(error.clone().into()),
            Some(Ok(given)) => {
                let fits = |(g, p): (&Var<'g>, &Parameter<'g>)| g.shape() == p.value.shape();
                for gradient in given {
                    gradient.checked()?;
                }
                if given.len() != vars.len() || !given.iter().zip(parameters).all(fits) {
                    let wanted: Vec<String> =
                        parameters.iter().map(|p| format!("`{}` {}", p.path, p.value.shape())).collect();
                    let found: Vec<String> = given.iter().map(|g| g.shape().to_string()).collect();
                    let why = format!(
                        "gradients of shapes {} for {}: one each, in that order",
                        found.join(", "),
                        wanted.join(", ")
                    );
                    return Err(Error::argument("Goal::gradients", why));
                }
                Ok(given.clone())
            }
        }
    }
}

/// What the name of an average in the state begins with, before its parameter's path.
pub(super) const AVERAGE: &str = "average:";

/// The parameters that learn from a goal.
fn learns<'g>(learning: &Learning<'g>, goal: &Goal<'g>, scope: &Scope<'g>) -> Vec<Parameter<'g>> {
    let mine = scope.traced().into_iter().filter(|(path, _)| !learning.is_frozen(path) && goal.has(path));
    mine.map(|(path, value)| Parameter { path, value }).collect()
}

/// What a step computes, without the lines where it was written.
fn program(graph: &Graph, updates: &[(Var<'_>, Var<'_>)], goals: &[StepGoal<'_>]) -> String {
    let dump = graph.to_string();
    let mut text: String = dump.lines().flat_map(|l| [l.split("  ; ").next().unwrap_or(l), "\n"]).collect();
    for (before, after) in updates {
        text.push_str(&format!("{} <- {}\n", before.id().index(), after.id().index()));
    }
    goals.iter().for_each(|goal| text.push_str(&format!("{}: {}\n", goal.name, goal.loss.id().index())));
    for constant in graph.nodes().iter().filter_map(|node| node.constant()) {
        text.push_str(&format!("{:?} {}\n", constant.shape(), digest::of([("constant", constant)])));
    }
    text
}

/// An argument of the type of `example`, for which the line at `made_at` is to blame.
pub(crate) fn input<'g>(
    graph: &'g Graph,
    op: &'static str,
    name: &str,
    example: &Tensor,
    made_at: &'static Location<'static>,
) -> Var<'g> {
    let _here = graph.blame(op, made_at);
    let kind = match example.dtype() {
        DType::F32 | DType::F64 => Kind::Real,
        DType::I64 => Kind::Int,
        DType::Bool => Kind::Truth,
    };
    graph.input(name, example.shape(), kind)
}
