//! What the graph crate promises.

/// Errors carry the rule, the user's line, and the operands' lines.
mod errors;
/// Plans: folding, fusing and reusing buffers change no bit; state; deep graphs.
mod plans;
/// Every primitive's samples: values, first and second derivatives, both modes, all plans.
mod rules;
mod transforms;
