//! The blocks that transformers are stacked of.

use chainrule_graph::Var;

use super::{Cache, Dropout, Layer, LayerNorm, Linear, MultiHead};
use crate::scope::Scope;

/// Attention, then two linear layers at each position, each with a way round it and a layer normalisation (course 5, lecture
/// 4.4; Vaswani and others 2017): (batch, time, size) become the same.
///
/// With an attention that is [causal](MultiHead::causal) it is a block of a language model, with
/// [`decode`](TransformerBlock::decode) one of a decoder, else one of an encoder.
///
/// ```
/// use chainrule_graph::{Graph, Kind};
/// use chainrule_nn::{Layer, Mode, MultiHead, Params, Scope, TransformerBlock};
/// let g = Graph::new();
/// let x = g.input("x", [2, 10, 16], Kind::Real);
/// let s = Scope::root(&g, Params::new(), Mode::Train, 1);
/// let block = TransformerBlock::new(MultiHead::new(4).causal(), 64).pre_norm().gelu();
/// let h = block.forward(&s.at("block1"), x);
/// assert_eq!(block.forward(&s.at("block2"), h).shape()[..], [2, 10, 16]);
/// ```
#[derive(Clone, Debug)]
pub struct TransformerBlock {
    attention: MultiHead,
    hidden: usize,
    pre: bool,
    gelu: bool,
    keep: f64,
}

impl TransformerBlock {
    /// With `hidden` units between the linear layers, ReLU, and normalisation behind each sum, as PyTorch's has it.
    pub fn new(attention: MultiHead, hidden: usize) -> Self {
        TransformerBlock { attention, hidden, pre: false, gelu: false, keep: 1.0 }
    }

    /// Normalises what goes into attention and linear layers instead, which trains deep stacks without a warm-up (Xiong and
    /// others 2020). The output of the last block is then still to be normalised.
    pub fn pre_norm(self) -> Self {
        TransformerBlock { pre: true, ..self }
    }

    /// GELU in place of ReLU.
    pub fn gelu(self) -> Self {
        TransformerBlock { gelu: true, ..self }
    }

    /// Dropout of what is added, and between the linear layers, which keeps each number with this probability.
    pub fn dropout(self, keep: f64) -> Self {
        TransformerBlock { keep, ..self }
    }

    /// As `forward`, where tokens see those for which `mask` holds ([`Attention::mask`](super::Attention::mask)).
    #[track_caller]
    pub fn encode<'g>(&self, scope: &Scope<'g>, x: Var<'g>, mask: Option<Var<'g>>) -> Var<'g> {
        let x = self.around(scope, "norm1", x, |x| self.attention.attend(&scope.at("attention"), x, x, mask));
        self.fed(scope, x)
    }

    /// As `forward`, with attention to `memory`, (batch, time, size), between the two: `mask` is for the tokens, the second for
    /// the memory.
    #[track_caller]
    pub fn decode<'g>(
        &self,
        scope: &Scope<'g>,
        x: Var<'g>,
        memory: Var<'g>,
        [mask, memory_mask]: [Option<Var<'g>>; 2],
    ) -> Var<'g> {
        let x = self.around(scope, "norm1", x, |x| self.attention.attend(&scope.at("attention"), x, x, mask));
        let cross = self.attention.clone().across();
        let x =
            self.around(scope, "norm_cross", x, |x| cross.attend(&scope.at("cross"), x, memory, memory_mask));
        self.fed(scope, x)
    }

    /// As `forward` of a causal block, for the tokens from `position` on: [`MultiHead::cached`].
    #[track_caller]
    pub fn cached<'g>(
        &self,
        scope: &Scope<'g>,
        x: Var<'g>,
        cache: Cache<'g>,
        position: Var<'g>,
    ) -> (Var<'g>, Cache<'g>) {
        let mut next = cache;
        let x = self.around(scope, "norm1", x, |x| {
            let (y, cache) = self.attention.cached(&scope.at("attention"), x, cache, position);
            next = cache;
            y
        });
        (self.fed(scope, x), next)
    }

    #[track_caller]
    fn fed<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        self.around(scope, "norm2", x, |x| {
            let h = Linear::new(self.hidden).forward(&scope.at("first"), x);
            let h = if self.gelu { h.gelu() } else { h.relu() };
            let h = Dropout::keep(self.keep).forward(&scope.at("drop"), h);
            Linear::new(x.dim(-1)).forward(&scope.at("second"), h)
        })
    }

    /// `x` plus what `f` makes of it, normalised before or behind.
    #[track_caller]
    fn around<'g>(
        &self,
        scope: &Scope<'g>,
        name: &str,
        x: Var<'g>,
        f: impl FnOnce(Var<'g>) -> Var<'g>,
    ) -> Var<'g> {
        let place = scope.at(name);
        let norm = |x| LayerNorm::new().forward(&place, x);
        let y = f(if self.pre { norm(x) } else { x });
        let y = x + Dropout::keep(self.keep).forward(&place, y);
        if self.pre { y } else { norm(y) }
    }
}

impl Layer for TransformerBlock {
    #[track_caller]
    fn forward<'g>(&self, scope: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        self.encode(scope, x, None)
    }
}
