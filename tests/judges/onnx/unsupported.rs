//! Operators without a formula, by reason.

use super::node::{Node, Outcome};

#[rustfmt::skip]
const REASONS: &[(&str, &[&str])] = &[
    ("bits of numbers", &["BitCast", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor"]),
    ("random numbers of ONNX's own generator", &["Bernoulli"]),
    ("the result's shape depends on values", &["Compress", "NonZero", "Unique"]),
    ("sequences", &["SplitToSequence"]),
    ("decision trees", &["TreeEnsemble"]),
    ("a table of constants", &["MelWeightMatrix"]),
];

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    let (why, _) = REASONS.iter().find(|(_, ops)| ops.contains(&n.op.as_str()))?;
    Some(Err(why))
}
