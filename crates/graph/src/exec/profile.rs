//! Where the time of a compiled function goes, step by step.

use std::fmt;
use std::time::{Duration, Instant};

use chainrule_tensor::Tensor;

use super::compiled::Compiled;
use super::cpu::Cpu;
use super::executor::Executor;
use super::machine::Machine;
use super::plan::Plan;
use super::timed::{Spent, Timed};
use crate::error::Result;
use crate::origin::Origin;
use crate::precision::Precision;

/// What a step of a plan took.
#[derive(Clone, Debug)]
pub struct ProfiledStep {
    /// Its kernel, such as `matmul`.
    pub kernel: &'static str,
    /// What it computes, as in the dump of the plan.
    pub label: String,
    /// Where that was written.
    pub origin: Origin,
    /// How often it ran in one run: more than once in a loop.
    pub times: u64,
    /// How long it took in one run, all times together.
    pub time: Duration,
    /// Operations on numbers in one run ([`Call::operations`](crate::plan::Call::operations)).
    pub operations: Option<u64>,
    /// Bytes of its inputs and outputs in one run, whether they are in a cache or not.
    pub bytes: u64,
}

/// Where the time of a compiled function goes; made by [`Compiled::profile`]. It prints as a table, the longest first, and
/// [`svg`](Profile::svg) draws it.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Each step, in the order of the plan; those of the plans within a loop or a choice stand in its place.
    pub steps: Vec<ProfiledStep>,
    /// How long one run took.
    pub time: Duration,
    /// How many runs were measured; all times are their medians.
    pub runs: usize,
}

impl Compiled {
    /// Measures `runs` runs for `arguments` (at least one), after two to warm up, on a machine of their own: the state of this
    /// one stays as it is.
    ///
    /// # Errors
    /// As [`run`](Compiled::run).
    ///
    /// ```
    /// use chainrule_graph::{Graph, Kind};
    /// use chainrule_tensor::{DType, Tensor};
    /// let g = Graph::new();
    /// let (x, w) = (g.input("x", [64, 32], Kind::Real), g.input("w", [32, 32], Kind::Real));
    /// let loss = x.matmul(w).tanh().sum(..);
    /// let f = g.compile(&[x, w], &loss.grad(&[w])?)?;
    /// let ones = |shape: [usize; 2]| Tensor::ones(shape, DType::F64);
    /// let profile = f.profile(&[ones([64, 32]), ones([32, 32])], 5)?;
    /// assert!(profile.steps.iter().any(|step| step.kernel == "matmul" && step.operations == Some(2 * 64 * 32 * 32)));
    /// println!("{profile}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn profile(&self, arguments: &[Tensor], runs: usize) -> Result<Profile> {
        match self.precision() {
            Precision::F32 => measured(self, Cpu::<f32>::new(), arguments, runs.max(1)),
            Precision::F64 => measured(self, Cpu::<f64>::new(), arguments, runs.max(1)),
        }
    }
}

fn measured<E: Executor>(of: &Compiled, executor: E, arguments: &[Tensor], runs: usize) -> Result<Profile> {
    let mut machine = Machine::new(of.plan().clone(), Timed::new(executor))?;
    machine.set_state(&of.state())?;
    for _ in 0..2 {
        machine.run(arguments)?;
    }
    let mut before = machine.executor().spent().to_vec();
    let (mut totals, mut each) = (Vec::new(), vec![Vec::new(); before.len()]);
    for _ in 0..runs {
        let start = Instant::now();
        machine.run(arguments)?;
        totals.push(start.elapsed());
        let after = machine.executor().spent().to_vec();
        for ((each, before), after) in each.iter_mut().zip(&before).zip(&after) {
            each.push(Spent { runs: after.runs - before.runs, time: after.time - before.time });
        }
        before = after;
    }
    let mut spent = each.iter_mut().map(|each| {
        each.sort_by_key(|spent| spent.time);
        each[runs / 2]
    });
    let mut steps = Vec::new();
    collect(machine.plan(), &mut spent, &mut steps);
    totals.sort();
    Ok(Profile { steps, time: totals[runs / 2], runs })
}

/// The steps of a plan in the order in which their kernels were made.
fn collect(plan: &Plan, spent: &mut impl Iterator<Item = Spent>, steps: &mut Vec<ProfiledStep>) {
    for step in &plan.steps {
        let within = step.call.within();
        if !within.is_empty() {
            within.into_iter().for_each(|plan| collect(plan, spent, steps));
            continue;
        }
        let Spent { runs: times, time } = spent.next().unwrap_or_default();
        steps.push(ProfiledStep {
            kernel: step.call.name(),
            label: step.about.label.clone(),
            origin: step.about.origin.clone(),
            times,
            time,
            operations: step.call.operations().map(|n| n * times),
            bytes: step.bytes(plan) * times,
        });
    }
}

impl Profile {
    /// Time of one run that no step took: handing values over, the plan itself, loops.
    pub fn between(&self) -> Duration {
        self.time.saturating_sub(self.steps.iter().map(|step| step.time).sum())
    }

    fn share(&self, time: Duration) -> f64 {
        100.0 * time.as_secs_f64() / self.time.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// A time in the unit that gives it two to four digits before the point.
pub(crate) fn readable(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    match us {
        us if us < 1e4 => format!("{us:.1} µs"),
        us if us < 1e7 => format!("{:.1} ms", us / 1e3),
        us => format!("{:.1} s", us / 1e6),
    }
}

/// A table, the longest first: share of a run, time, how often, 10⁹ operations and 10⁹ bytes a second, the step and its line.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (time, runs) = (readable(self.time), self.runs);
        writeln!(f, "profile: {time} for a run, the median of {runs}; {} steps", self.steps.len())?;
        writeln!(f, "  share       time   times   Gop/s    GB/s  step")?;
        let mut steps: Vec<&ProfiledStep> = self.steps.iter().filter(|step| step.times > 0).collect();
        steps.sort_by_key(|step| std::cmp::Reverse(step.time));
        for step in steps {
            let rate = |n: u64| format!("{:.1}", n as f64 / 1e9 / step.time.as_secs_f64().max(1e-9));
            let operations = step.operations.map_or_else(|| "-".into(), rate);
            writeln!(
                f,
                "{:5.1} % {:>10} {:7} {operations:>7} {:>7}  {}  {}  ; {}",
                self.share(step.time),
                readable(step.time),
                step.times,
                rate(step.bytes),
                step.kernel,
                step.label,
                step.origin
            )?;
        }
        let between = self.between();
        writeln!(
            f,
            "{:5.1} % {:>10}                          between the steps",
            self.share(between),
            readable(between)
        )
    }
}
