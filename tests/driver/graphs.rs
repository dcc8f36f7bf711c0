//! Every method of `Graph`, every transform, and rules and operations of the user's, right and wrong.

use chainrule::graph::{Error, ErrorKind, Mixed, Precision, Type};
use chainrule::prelude::*;

use crate::plans::affordable;
use crate::vars::said;
use crate::world::{calls, foreign, poisoned};

calls! { CALLS:
    leaf |w| w.leaf();
    input |w| w.input();
    constant |w| { let t = w.tensor(); w.g.constant(t) };
    poison |w| poisoned(w.g);
    iota |w| { let shape = w.dice.shape(); let axis = w.dice.axis(shape.len()); w.g.iota(shape, axis) };
    eye |w| { let (m, n, k) = (w.dice.len(), w.dice.len(), w.dice.int()); w.g.eye([m, n], k) };
    concat |w| { let parts = w.several(0); let a = parts.first().map_or(0, |p| w.dice.axis(p.rank())); w.g.concat(&parts, a) };
    stack |w| { let parts = w.several(0); let a = parts.first().map_or(0, |p| w.dice.axis(p.rank() + 1)); w.g.stack(&parts, a) };
    einsum |w| {
        let spec = w.dice.pick(&["i->", "ij->ji", "ii", "ii->i", "ij,jk->ik", "ij,kj->ik", "...,...->...", "...i,...i->...",
            "ij,kj,kl->il", "i,i,i->i", "bij,bjk->bik", "", "ij,", "->", "i,j->ijk", "ab->a1", "...ii->...i", "ij,ij->j"]);
        let n = if w.dice.once_in(8) { w.dice.throw(4) } else { spec.matches(',').count() + 1 };
        let first = w.x();
        let operands: Vec<Var<'_>> = (0..n).map(|_| if w.dice.once_in(2) { first } else { w.beside(first) }).collect();
        w.g.einsum(spec, &operands)
    };
    custom |w| {
        let faulty = w.dice.throw(10);
        let least = usize::from(!w.dice.once_in(30));
        let args = w.several(least);
        let y = w.g.custom(Product { fault: faulty }, &args);
        differentiated(y, &args)
    };
    custom_vjp |w| {
        let sources = w.several(1);
        let (rule, x) = (w.dice.throw(9), sources.clone());
        // Over views, whose own rules meet what the rule returns.
        let x: Vec<Var<'_>> = match w.dice.throw(5) {
            0 => x.iter().map(|x| x.slice(0, 0..1)).collect(),
            1 => x.iter().map(|x| x.pad(0, 1, 1)).collect(),
            2 => x.iter().map(|x| x.broadcast_to([2, 3])).collect(),
            3 => vec![w.g.concat(&x, 0)],
            _ => x,
        };
        let y = w.g.custom_vjp("rule", &x, |x| x.iter().fold(x[0] * 2.0, |y, x| y * *x), move |x, y, ct| match rule {
            0 => vec![ct],
            1 => Vec::new(),
            2 => x.iter().map(|_| ct.sum(..)).collect(),
            3 => x.iter().map(|x| poisoned(x.graph())).collect(),
            4 => x.iter().map(|_| foreign()).collect(),
            5 => x.iter().map(|x| ct.insert_axis(0) * x.sum(..)).collect(),
            6 => x.iter().map(|_| ct * ct).collect(),
            7 => x.iter().map(|_| ct.truth()).collect(),
            _ => x.iter().map(|x| ct * y / *x).collect(),
        });
        differentiated(y, &sources)
    };
    custom_jvp |w| {
        let x = w.several(1);
        let rule = w.dice.throw(7);
        let y = w.g.custom_jvp("rule", &x, |x| x.iter().fold(x[0] * 2.0, |y, x| y * *x), move |x, y, t| match rule {
            0 => t[0].sum(..),
            1 => poisoned(y.graph()),
            2 => foreign(),
            3 => t[0] * t[0],
            4 => y,
            5 => t[0].insert_axis(-1),
            _ => t.iter().zip(x).fold(y.like(0.0), |sum, (t, x)| sum + *t * y / *x),
        });
        differentiated(y, &x)
    };
    jvp |w| { let (y, x) = (w.several(1), w.wrt()); let t: Vec<_> = x.iter().map(|x| w.beside(*x)).collect(); jvp(&y, &x, &t) };
    vjp |w| { let (y, x) = (w.wrt(), w.wrt()); let ct: Vec<_> = y.iter().map(|y| w.beside(*y)).collect(); vjp(&y, &x, &ct) };
    hvp |w| { let (y, x) = (w.loss(), w.wrt()); let v: Vec<_> = x.iter().map(|x| w.beside(*x)).collect(); hvp(y, &x, &v) };
    jacobian |w| { let (y, x) = (w.real(), w.real()); few(&[y, x]).then(|| jacobian(y, x)) };
    hessian |w| { let (y, x) = (w.loss(), w.wrt()); few(&x).then(|| hessian(y, &x)) };
    vmap |w| {
        let least = usize::from(!w.dice.once_in(20));
        let x = w.several(least);
        let form = w.dice.throw(8);
        let shared = w.x();
        let axis = w.dice.axis(2);
        let mapped = |e: &[Var<'_>]| -> bool { e.iter().all(|e| e.shape().first().is_none_or(|n| *n <= 64)) };
        mapped(&x).then(|| vmap(&x, |e| match form {
            0 => e[0].sum(..).grad(&[e[0]]),
            1 => Ok(vec![e[0] * shared, e[0].sort(axis, Order::Ascending)]),
            2 => Ok(vec![e[0].matmul(shared), e[0].softmax(axis)]),
            3 => Ok(vec![shared, poisoned(shared.graph())]),
            4 => Err(Error::new(ErrorKind::Batch("as the driver wants it".into()))),
            5 => Ok(vec![e[0].graph().custom(Product { fault: 9 }, e), e[0].cumsum(axis)]),
            6 => Ok(vec![e[0].insert_axis(axis).flip(axis), e[0].reshape([-1]), e[0].sum(axis)]),
            _ => Ok(e.iter().map(|e| e.tanh() + e.slice(axis, 0..1)).collect()),
        }))
    };
    function |w| {
        let arguments: Vec<Tensor> = (0..w.dice.throw(3)).map(|_| w.tensor()).collect();
        let form = w.dice.throw(3);
        let mut f = Function::new(move |g, x| match (form, x.first()) {
            (0, Some(x)) => Ok(vec![*x + 1, x.sum(..)]),
            (1, Some(x)) => x.sum(..).grad(&[*x]),
            _ => Ok(vec![g.constant(1.0)]),
        });
        let first = f.call(&arguments).map(<[Tensor]>::len);
        assert!(f.signatures() <= 1);
        said(first)
    };
    value_and_grad |w| {
        let arguments: Vec<Tensor> = (0..w.dice.throw(3)).map(|_| w.tensor()).collect();
        let mut f = value_and_grad(|g, x| Ok(x.iter().fold(g.constant(1.0), |sum, x| sum + x.sum(..))));
        said(f.call(&arguments).map(<[Tensor]>::len))
    };
    dot |w| { let x = w.x(); if w.g.len() < 200 { said(w.g.dot(&[x])) } };
    picture |w| { let x = w.x(); if w.g.len() < 60 && affordable(w.g, &[x]) { said(w.g.picture(&[x]).svg()) } };
    saved_for_backward |w| { let d = w.several(1); said(w.g.saved_for_backward(&d, Precision::F64).map(|s| s.bytes())) };
    compile |w| { let (x, y) = (w.x(), w.x()); if affordable(w.g, &[y]) { said(w.g.compile(&[x], &[y]).map(|f| f.bytes())) } };
    compiler |w| {
        let (x, y, s) = (w.x(), w.x(), w.x());
        let next = if w.dice.once_in(2) { s * 0.5 } else { w.beside(s) };
        if affordable(w.g, &[y, next, s]) {
            let made = w.g.compiler(&[x], &[y]).state(&[(s, next)]).build();
            said(made.and_then(|mut f| f.run(&[]).map(<[Tensor]>::len)));
        }
    };
    attribution |w| {
        let (_scope, _passed) = (w.g.enter("part"), w.g.passed_at(std::panic::Location::caller()));
        let _blame = w.g.blame("function", std::panic::Location::caller());
        w.x().exp()
    };
    accessors |w| {
        let g = w.g;
        if g.len() < 200 { assert!(!g.is_empty() && g.nodes().len() == g.len() && !format!("{g} {g:?}").is_empty()); }
    };
    mixed |w| {
        let x = w.x();
        let policy = Mixed::new(w.dice.pick(chainrule::tensor::Format::ALL)).ops(w.dice.pick(&[vec![], vec!["exp"], vec!["none"]]));
        w.g.mixed(&policy, || Ok(x.exp())).unwrap_or(x)
    };
    check |w| {
        let (y, x) = (w.loss(), w.wrt());
        if w.dice.once_in(30) && few(&x) && affordable(w.g, &[y]) { said(check::gradients(y, &x).map(|r| r.to_string())) }
    };
}

/// Methods that stand under another name: `origin` is what a guard of `attribution` gives, the others are `accessors`.
/// `library`, `note` and `notes` make no value and change none.
pub(crate) const ELSEWHERE: &[&str] = &[
    "new",
    "len",
    "is_empty",
    "nodes",
    "enter",
    "blame",
    "passed_at",
    "origin",
    "library",
    "note",
    "notes",
    "arguments",
];

/// Calls that make no value, or none without an error.
pub(crate) const WITHOUT_VALUE: &[&str] = &[
    "poison",
    "function",
    "value_and_grad",
    "dot",
    "picture",
    "saved_for_backward",
    "compile",
    "compiler",
    "accessors",
    "check",
];

/// `y`, and its derivatives in both modes by each of `x`.
fn differentiated<'g>(y: Var<'g>, x: &[Var<'g>]) -> Vec<Var<'g>> {
    let mut made = vec![y];
    for x in x {
        made.extend(y.sum(..).grad(&[*x]).unwrap_or_default());
        made.extend(jvp(&[y], &[*x], &[*x]).unwrap_or_default());
    }
    made
}

/// Whether a matrix of all derivatives of these values is small.
fn few(x: &[Var<'_>]) -> bool {
    x.iter().all(|x| x.shape().iter().try_fold(1_usize, |n, a| n.checked_mul(*a)).is_some_and(|n| n <= 64))
}

/// The product of its arguments, with one of several faults.
struct Product {
    fault: usize,
}

impl CustomOp for Product {
    fn name(&self) -> &'static str {
        "product"
    }
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            _ if self.fault == 0 => Err("as the driver wants it".into()),
            [] => Ok(Type::real(())),
            [first, ..] if self.fault == 1 => Ok(first.shaped([usize::MAX, 2])),
            [first, rest @ ..] if rest.iter().all(|r| r == first) => Ok((*first).clone()),
            _ => Err("takes values of one type".into()),
        }
    }
    fn forward(&self, args: &[Tensor]) -> chainrule::tensor::Result<Tensor> {
        let first = args.first().cloned().unwrap_or_else(|| Tensor::from(1.0));
        match self.fault {
            2 => Err(chainrule::tensor::Error::Value { op: "product", why: "as the driver wants it".into() }),
            3 => first.insert_axis(0),
            4 => Ok(first.cast(DType::Bool)),
            _ => args.iter().skip(1).try_fold(first, |y, x| y.mul(x)),
        }
    }
    fn vjp<'g>(&self, x: &[Var<'g>], y: Var<'g>, ct: Var<'g>) -> Vec<Var<'g>> {
        match self.fault {
            5 => Vec::new(),
            6 => x.iter().map(|_| ct.sum(..)).collect(),
            7 => vec![ct; x.len() + 1],
            8 => x.iter().map(|_| foreign()).collect(),
            _ => x.iter().map(|x| ct * y / *x).collect(),
        }
    }
}
