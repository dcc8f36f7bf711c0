//! What a program of random calls works on.

use std::cell::Cell;

use chainrule::graph::{Error, ErrorKind};
use chainrule::prelude::*;

use crate::dice::Dice;

/// A graph, what has been made in it, and how to draw more.
pub(crate) struct World<'g> {
    pub(crate) g: &'g Graph,
    pub(crate) dice: Dice,
    pub(crate) pool: Vec<Var<'g>>,
    /// The leaves without a value, with one to run with.
    pub(crate) inputs: Vec<(Var<'g>, Tensor)>,
    /// Whether tensors of reals are f64.
    pub(crate) wide: bool,
    /// What every value drawn is, if they are all one.
    pub(crate) only: Option<Var<'g>>,
}

/// A call of one public function; what it made.
pub(crate) type Call = for<'g> fn(&mut World<'g>) -> Vec<Var<'g>>;

/// Values as large as this are recorded, but neither computed nor mapped over.
pub(crate) const LARGE: usize = 1 << 16;

impl<'g> World<'g> {
    pub(crate) fn new(g: &'g Graph, seed: u64) -> World<'g> {
        let mut dice = Dice(seed);
        let wide = dice.once_in(2);
        let mut world = World { g, dice, pool: Vec::new(), inputs: Vec::new(), wide, only: None };
        for _ in 0..4 {
            let leaf = world.leaf();
            world.pool.push(leaf);
        }
        world
    }

    pub(crate) fn tensor(&mut self) -> Tensor {
        let (shape, kind) = (self.dice.small(), self.dice.kind());
        self.dice.tensor(&shape, kind, self.wide)
    }

    pub(crate) fn leaf(&mut self) -> Var<'g> {
        let value = if self.dice.once_in(40) {
            // Enough for more than one thread.
            let n = self.dice.pick(&[40_000, 30_001]);
            self.dice.tensor(&[n], Kind::Real, self.wide)
        } else {
            self.tensor()
        };
        self.g.leaf("leaf", value)
    }

    pub(crate) fn input(&mut self) -> Var<'g> {
        let (shape, kind) = (self.dice.shape(), self.dice.kind());
        let input = self.g.input("input", shape.clone(), kind);
        if Shape::from(&shape[..]).checked_size().is_some_and(|n| n <= LARGE) {
            let value = self.dice.tensor(&shape, kind, self.wide);
            self.inputs.push((input, value));
        }
        input
    }

    /// A value made before; at times one that carries an error or is of another graph.
    /// A value of examples and channels, mostly.
    pub(crate) fn image(&mut self) -> Var<'g> {
        let x = self.x();
        match x.rank() {
            0..3 if !self.dice.once_in(10) => (x.rank()..3).fold(x, |x, _| x.insert_axis(0)),
            _ => x,
        }
    }

    pub(crate) fn x(&mut self) -> Var<'g> {
        if let Some(only) = self.only {
            return only;
        }
        match self.dice.throw(60) {
            0 => foreign(),
            1 => poisoned(self.g),
            _ => {
                // Rather a late one, so that formulas grow deep.
                let n = self.pool.len();
                let back = self.dice.throw(n).min(self.dice.throw(n));
                self.pool[n - 1 - back]
            }
        }
    }

    /// A real value, if there is one.
    pub(crate) fn real(&mut self) -> Var<'g> {
        self.of(Kind::Real)
    }

    pub(crate) fn of(&mut self, kind: Kind) -> Var<'g> {
        let fit: Vec<Var<'g>> = self.pool.iter().copied().filter(|v| v.kind() == kind).collect();
        if fit.is_empty() || self.dice.once_in(20) { self.x() } else { self.dice.pick(&fit) }
    }

    /// A value that fits beside `x`, mostly.
    pub(crate) fn beside(&mut self, x: Var<'g>) -> Var<'g> {
        let fit: Vec<Var<'g>> = self.pool.iter().copied().filter(|v| v.ty() == x.ty()).collect();
        if fit.is_empty() || self.dice.once_in(4) { self.x() } else { self.dice.pick(&fit) }
    }

    pub(crate) fn several(&mut self, least: usize) -> Vec<Var<'g>> {
        let first = self.x();
        let n = least + self.dice.throw(3);
        (0..n).map(|_| self.beside(first)).collect()
    }

    /// Real values, mostly leaves, to differentiate by.
    pub(crate) fn wrt(&mut self) -> Vec<Var<'g>> {
        (0..self.dice.throw(3) + 1).map(|_| self.real()).collect()
    }

    /// A single real number made of a value.
    pub(crate) fn loss(&mut self) -> Var<'g> {
        let x = self.real();
        if self.dice.once_in(20) { x } else { x.sum(..) }
    }

    /// An index into axes of `x`.
    pub(crate) fn index(&mut self, x: Var<'g>) -> Var<'g> {
        if self.dice.once_in(3) {
            return self.of(Kind::Int);
        }
        let mut shape = if self.dice.once_in(2) { x.shape().to_vec() } else { self.dice.small() };
        if Shape::from(&shape[..]).checked_size().is_none_or(|n| n > 64) {
            shape.clear();
        }
        let n: usize = shape.iter().product();
        let values: Vec<i64> =
            (0..n).map(|_| self.dice.throw(3) as i64 - self.dice.throw(2) as i64).collect();
        self.g.constant(Tensor::from_vec(values, shape).expect("as many as the shape has"))
    }
}

/// A value of another graph: a new one now and then, since whatever meets the value is recorded there.
pub(crate) fn foreign<'a>() -> Var<'a> {
    thread_local! {
        static OTHER: Cell<Option<Var<'static>>> = const { Cell::new(None) };
    }
    let known = OTHER.get().filter(|other| other.graph().len() < 100);
    let other = known.unwrap_or_else(|| {
        let graph: &'static Graph = Box::leak(Box::new(Graph::new()));
        graph.constant([[1.0, 2.0], [3.0, 4.0]])
    });
    OTHER.set(Some(other));
    other
}

/// A value that carries an error.
pub(crate) fn poisoned(g: &Graph) -> Var<'_> {
    g.poison(Error::new(ErrorKind::Gradient("as the driver wants it".into())))
}

/// Whatever a call returns, as values.
pub(crate) trait Give<'g> {
    fn give(self) -> Vec<Var<'g>>;
}

impl<'g> Give<'g> for Var<'g> {
    fn give(self) -> Vec<Var<'g>> {
        vec![self]
    }
}

impl<'g> Give<'g> for (Var<'g>, Var<'g>) {
    fn give(self) -> Vec<Var<'g>> {
        vec![self.0, self.1]
    }
}

impl<'g> Give<'g> for (Var<'g>, Var<'g>, Var<'g>) {
    fn give(self) -> Vec<Var<'g>> {
        vec![self.0, self.1, self.2]
    }
}

impl<'g> Give<'g> for () {
    fn give(self) -> Vec<Var<'g>> {
        Vec::new()
    }
}

impl<'g, T: Give<'g>> Give<'g> for Vec<T> {
    fn give(self) -> Vec<Var<'g>> {
        self.into_iter().flat_map(Give::give).collect()
    }
}

impl<'g, T: Give<'g>> Give<'g> for Option<T> {
    fn give(self) -> Vec<Var<'g>> {
        self.map(Give::give).unwrap_or_default()
    }
}

impl<'g, T: Give<'g>> Give<'g> for Result<T, Error> {
    fn give(self) -> Vec<Var<'g>> {
        match self {
            Ok(given) => given.give(),
            Err(error) => {
                assert!(!error.to_string().is_empty() && !format!("{error:?}").is_empty());
                Vec::new()
            }
        }
    }
}

/// A table of calls by name.
macro_rules! calls {
    ($table:ident: $($name:ident |$w:ident| $call:expr;)*) => {
        pub(crate) const $table: &[(&str, crate::world::Call)] =
            &[$((stringify!($name), |$w| crate::world::Give::give($call))),*];
    };
}
pub(crate) use calls;
