//! A formula carried out as long as a test holds.

use std::panic::Location;

use chainrule_tensor::Tensor;

use crate::body::Outline;
use crate::error::{Error, Result};
use crate::origin::Origin;
use crate::prim::loops::Loop;
use crate::prim::wrong_kind;
use crate::var::Var;

/// Carries `step` out as long as `test` of the carries, a single truth value, holds; the last carries.
///
/// Both closures are called a single time, as that of [`scan`](crate::scan) is. Forward mode and
/// [`vmap`](crate::vmap), under which each example stops for itself, work as they are; reverse mode stores the steps, so
/// it needs a bound: [`WhileLoop::most`].
///
/// # Errors
/// The errors of the closures; a test that is no single truth value; a new carry of another type than the old one, or
/// another number of them.
///
/// ```
/// use chainrule_graph::{Graph, while_loop};
/// let g = Graph::new();
/// let a = g.leaf("a", 2.0);
/// // Heron's method for √a.
/// let root = while_loop(
///     &[a],
///     |x| (x[0] * x[0] - a).abs().greater(1e-12),
///     |x| Ok(vec![0.5 * (x[0] + a / x[0])]),
/// )?;
/// assert!((root[0].value()?.item::<f64>()? - 2.0_f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn while_loop<'g>(
    carries: &[Var<'g>],
    test: impl FnOnce(&[Var<'g>]) -> Var<'g>,
    step: impl FnOnce(&[Var<'g>]) -> Result<Vec<Var<'g>>>,
) -> Result<Vec<Var<'g>>> {
    WhileLoop::new().run(carries, test, step)
}

/// A [`while_loop`] with a bound, so that it can be differentiated in reverse mode.
///
/// ```
/// use chainrule_graph::{Graph, WhileLoop};
/// let g = Graph::new();
/// let a = g.leaf("a", 2.0);
/// let root = WhileLoop::new().most(50).run(
///     &[a.stop_gradient()],
///     |x| (x[0] * x[0] - a).abs().greater(1e-12),
///     |x| Ok(vec![0.5 * (x[0] + a / x[0])]),
/// )?;
/// let slope = root[0].grad(&[a])?[0].value()?.item::<f64>()?;
/// assert!((slope - 0.5 / 2.0_f64.sqrt()).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "it does nothing until it is run"]
pub struct WhileLoop {
    most: Option<usize>,
}

impl WhileLoop {
    /// Without a bound.
    pub fn new() -> Self {
        WhileLoop::default()
    }

    /// At most so many steps: a loop that would take more fails when it is run. Reverse mode stores what it needs of
    /// so many.
    pub fn most(mut self, most: usize) -> Self {
        self.most = Some(most);
        self
    }

    /// Records the loop; as [`while_loop`].
    ///
    /// # Errors
    /// As [`while_loop`]; no carry.
    #[track_caller]
    pub fn run<'g>(
        self,
        carries: &[Var<'g>],
        test: impl FnOnce(&[Var<'g>]) -> Var<'g>,
        step: impl FnOnce(&[Var<'g>]) -> Result<Vec<Var<'g>>>,
    ) -> Result<Vec<Var<'g>>> {
        let here = Location::caller();
        let Some(graph) = carries.first().map(|x| x.graph) else {
            let why = "needs a carry: without one its test never changes".to_owned();
            return Err(Error::new(wrong_kind("while", why)).placed(Origin::of(here)));
        };
        graph.admit("while", carries)?;
        let (in_test, test_number) = (graph.stand_ins(carries), graph.number_of_run());
        let goes_on = graph.repeated(&[], Some(test_number), || test(&in_test)).0;
        let (in_step, number) = (graph.stand_ins(carries), graph.number_of_run());
        let after = graph.repeated(&[], Some(number), || step(&in_step)).0?;
        graph.admit("while", &[goes_on])?;
        graph.admit("while", &after)?;
        let _here = graph.blame_line(here);
        graph.check_carries("while", carries, &after, here)?;
        // Who draws in a step needs to know which one it is: the loop counts.
        let counter = graph.constant(Tensor::from(0_i64));
        let one = graph.constant(Tensor::from(1_i64));
        let of_test = graph.outline(&[&in_test[..], &[test_number]].concat(), &[goes_on]);
        let of_step =
            graph.outline(&[&in_step[..], &[number]].concat(), &[&after[..], &[number + one]].concat());
        let n = carries.len();
        let drawn = of_test.body.uses(n) || of_step.body.uses_but_for_result(n, n);
        let (of_test, of_step, start) = if drawn {
            (of_test, of_step, [carries, &[counter]].concat())
        } else {
            (graph.outline(&in_test, &[goes_on]), graph.outline(&in_step, &after), carries.to_vec())
        };
        let Outline { body, captures } = of_step;
        let made = Loop {
            body,
            carries: start.len(),
            slices: 0,
            length: self.most.unwrap_or(usize::MAX),
            reverse: false,
            counted: false,
            test: Some(of_test.body),
        };
        let found = graph.record_all(made, &[start, captures, of_test.captures].concat())?;
        Ok(found[1..=n].to_vec())
    }
}
