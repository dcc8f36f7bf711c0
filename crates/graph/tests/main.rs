//! What the graph crate promises.

/// Values and slopes have the digits of their width: the page `docs/accuracy.md`.
mod accuracy;
/// Anomaly mode names who made the first NaN or infinity.
mod anomaly;
/// Gradient checks: every verdict; planted faults are found and named; no false alarms.
mod check;
/// Checkpoints change no derivative.
mod checkpoints;
/// Loops and choices equal what they stand for, in all modes and under every transform.
mod control;
/// What is asked for costs what it is made of; nothing piles up.
mod costs;
/// What is checked of every primitive, counted: the page `docs/coverage.md`.
mod coverage;
/// Errors carry the rule, the user's line, and the operands' lines.
mod errors;
/// The exponential of matrices.
mod expm;
/// Decompositions: what they are, and where they and their derivatives are not.
mod factors;
/// What the planner makes of a dozen programs.
mod golden;
/// Transforms of transforms change nothing that they should not.
mod laws;
/// Compositions equal their definitions.
mod math;
/// Literals and kinds: one rule, whatever the value; what decides the width of reals.
mod operands;
/// Maps and reductions of rows in one pass change no bit.
mod passes;
/// Every kernel against nested loops in f64.
mod plain;
/// Plans: folding, fusing and reusing buffers change no bit; state; deep graphs.
mod plans;
/// Mistakes inside compositions and under rules of the user's stay errors.
mod poison;
/// Profiles count what runs, and leave alone what is measured.
mod profile;
/// Every primitive's samples: both modes, all plans, both widths.
mod rules;
/// What can be read of a graph: equations, and what backward keeps.
mod seeing;
/// Numbers of 16 bits: rounding, policies, memory.
mod sixteen;
/// Plans are read as they are printed.
mod text;
/// Transforms of formulas and of each other: vmap, Jacobians, custom rules.
mod transforms;
/// Words and operators that are compositions equal their definitions.
mod words;
