/// Faults planted in deep, recurrent and small graphs.
mod doubt;
mod planted;
/// Random graphs whose derivatives are right.
mod random;
/// Each verdict, and the options.
mod verdicts;

use chainrule_graph::Var;
use chainrule_graph::check::{self, Band, Culprit, Fault, Report, Verdict};

/// The report on a gradient that is wrong.
fn wrong(loss: Var<'_>, parameters: &[Var<'_>]) -> Report {
    let report = check::gradients(loss, parameters).expect("a loss to check");
    assert_eq!(report.verdict(), &Verdict::Wrong(Fault::Differs), "{report}");
    assert_eq!(report.band(), Band::Wrong);
    report
}

/// The one culprit, which is `op` by `operand`, of line `line` in `scope`.
fn one<'r>(report: &'r Report, op: &str, operand: usize, line: u32, scope: &str) -> &'r Culprit {
    let [culprit] = &report.culprits[..] else {
        panic!("one culprit, not {}\n{report}", report.culprits.len())
    };
    assert_eq!((culprit.op.as_str(), culprit.operand), (op, operand), "{report}");
    assert_eq!(culprit.origin.location.line(), line, "{report}");
    assert!(culprit.origin.location.file().ends_with("planted.rs"), "{report}");
    assert_eq!(&*culprit.origin.scope, scope, "{report}");
    culprit
}
