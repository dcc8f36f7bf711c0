//! Products of matrices, and their determinants.

use chainrule::graph::Var;

use super::node::{Node, Outcome};

pub(crate) fn record<'g>(n: &Node<'g>) -> Option<Outcome<'g>> {
    let y = match n.op.as_str() {
        "Det" => n.x(0).det(),
        "Einsum" => n.g.einsum(n.text_or("equation", ""), &n.all()),
        "Gemm" => gemm(n),
        "MatMul" => product(n.x(0), n.x(1)),
        _ => return None,
    };
    Some(Ok(vec![y]))
}

fn gemm<'g>(n: &Node<'g>) -> Var<'g> {
    let turned = |i: usize, name| if n.flag(name, false) { n.x(i).t() } else { n.x(i) };
    let product = turned(0, "transA").matmul(turned(1, "transB")) * n.real_or("alpha", 1.0);
    n.given(2).map_or(product, |c| product + c * n.real_or("beta", 1.0))
}

/// NumPy's product: a vector is a row on the left, a column on the right, and that axis goes again.
fn product<'g>(a: Var<'g>, b: Var<'g>) -> Var<'g> {
    let row = if a.rank() == 1 { a.insert_axis(0) } else { a };
    let column = if b.rank() == 1 { b.insert_axis(1) } else { b };
    let y = row.matmul(column);
    let y = if b.rank() == 1 { y.sum(-1) } else { y };
    // A sum over an axis of length 1 is a reshape that needs no lengths.
    match (a.rank(), b.rank()) {
        (1, 1) => y.sum(-1),
        (1, _) => y.sum(-2),
        _ => y,
    }
}
