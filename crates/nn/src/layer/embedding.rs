//! Tables of vectors, one for each token.

use std::panic::Location;

use chainrule_graph::{Error, ErrorKind, Kind, Var};

use super::Layer;
use crate::init::Init;
use crate::scope::Scope;

/// A vector of `size` numbers for each of `tokens` tokens: integers (…) become (…, size) (course 5, lecture 2.4). That a
/// token is one of 0..`tokens` is checked when the graph runs.
///
/// The table is also to be had by itself. So the vectors that read tokens can be the weights that predict them:
///
/// ```
/// use chainrule_graph::Graph;
/// use chainrule_nn::{Embedding, Mode, Params, Scope};
/// use chainrule_tensor::Tensor;
/// let g = Graph::new();
/// let s = Scope::root(&g, Params::new(), Mode::Train, 1);
/// let embedding = Embedding::new(27, 8);
/// let table = embedding.table(&s.at("letters"));
/// let x = embedding.look_up(table, g.constant(Tensor::from([3_i64, 1, 20])));
/// let logits = x.matmul(table.t());
/// assert_eq!(logits.shape()[..], [3, 27]);
/// ```
#[derive(Clone, Debug)]
pub struct Embedding {
    tokens: usize,
    size: usize,
    init: Init,
}

impl Embedding {
    /// For `tokens` tokens, `size` numbers each, which start standard normal.
    pub fn new(tokens: usize, size: usize) -> Self {
        Embedding { tokens, size, init: Init::Normal(1.0) }
    }

    /// How the table starts.
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// The parameter `weight`, (tokens, size).
    #[track_caller]
    pub fn table<'g>(&self, scope: &Scope<'g>) -> Var<'g> {
        scope.param("weight", [self.tokens, self.size], self.init)
    }

    /// The rows of `table` for `tokens`.
    #[track_caller]
    pub fn look_up<'g>(&self, table: Var<'g>, tokens: Var<'g>) -> Var<'g> {
        let _here = table.graph().blame("embedding", Location::caller());
        if !tokens.is_poisoned() && tokens.kind() != Kind::Int {
            let why = format!("tokens are integers, not {}", tokens.ty());
            let error = Error::new(ErrorKind::Kind { op: "embedding", why });
            return tokens.fail(error.operand("tokens", tokens.ty(), tokens.origin()));
        }
        table.take(0, tokens.in_range(self.tokens, "token"))
    }
}

impl Layer for Embedding {
    #[track_caller]
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        self.look_up(self.table(scope), x)
    }
}
