//! Random programs with `scan`, `while_loop` and `cond`, nested too, as JAX has them; see `jax_loops.py`, which wrote
//! them.

use chainrule::graph::{Graph, Keep, Result, Scan, Var, WhileLoop, cond};
use serde_json::Value;

use crate::jax::judged;
use crate::program::{Step, carry_out, list};

const PROGRAMS: usize = 200;
const COMPARISONS: usize = 2597;

/// The values named by `wanted` after the steps of `body`, which sees the values outside, then `params`.
fn within<'g>(
    g: &'g Graph,
    body: &Value,
    outside: &[Var<'g>],
    params: &[Var<'g>],
    wanted: &[&str],
) -> Result<Vec<Vec<Var<'g>>>> {
    let mut values = [outside, params].concat();
    carry_out(g, &Step::all(&body["steps"]), &mut values)?;
    let named = |name: &&str| list::<usize>(&body[*name]).into_iter().map(|i| values[i]).collect();
    Ok(wanted.iter().map(named).collect())
}

impl Step {
    /// The results of a loop or choice; `None` if this step is neither.
    pub(crate) fn looped<'g>(
        &self,
        g: &'g Graph,
        x: &[Var<'g>],
        values: &[Var<'g>],
    ) -> Result<Option<Vec<Var<'g>>>> {
        let body = &self.attributes["body"];
        let below = |x: Var<'g>| x.mean(..).less(self.by());
        Ok(Some(match self.op.as_str() {
            "scan" => {
                let slices: Vec<Var<'g>> =
                    self.list("slices").into_iter().map(|i: usize| values[i]).collect();
                let keep = match self.int("keep") {
                    -1 => Keep::SquareRoot,
                    0 => Keep::All,
                    k => Keep::Every(k as usize),
                };
                let reverse = self.attributes["reverse"].as_bool().expect("yes or no");
                let scan = Scan::new().reverse(reverse).keep(keep).length(self.size("length"));
                let (carries, stacks) = scan.run(x, &slices, |c, x| {
                    let found = within(g, body, values, &[c, x].concat(), &["carry", "stack"])?;
                    Ok((found[0].clone(), found[1].clone()))
                })?;
                [carries, stacks].concat()
            }
            "while" => WhileLoop::new().most(self.size("most")).run(
                x,
                |c| below(c[0]),
                |c| Ok(within(g, body, values, c, &["carry"])?.concat()),
            )?,
            "cond" => {
                let branch = |name| Ok(within(g, &self.attributes[name], values, &[], &["stack"])?.concat());
                cond(below(x[0]), || branch("yes"), || branch("no"))?
            }
            _ => return Ok(None),
        }))
    }
}

#[test]
fn random_loops_agree_with_jax() {
    let seen = judged(include_str!("data/jax_loops.json"), "jax_loops.safetensors");
    assert_eq!(seen, (PROGRAMS, COMPARISONS), "none is left out");
}
