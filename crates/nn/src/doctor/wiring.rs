//! What the formula of a model shows before a number is known: its layers, its activations, how loss and outputs fit.

use std::collections::{BTreeMap, BTreeSet};

use chainrule_graph::{Graph, Node, NodeId, Op, Phase, Var};

use super::vitals::Squash;
use super::{Finding, Illness};
use crate::loss::Outputs;
use crate::outputs;

/// A value worth measuring.
pub(super) struct Place<'g> {
    pub(super) var: Var<'g>,
    pub(super) name: String,
    pub(super) line: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Linear,
    Relu,
    Bounded(Squash),
}

/// A traced model and loss.
pub(super) struct Wiring<'g> {
    graph: &'g Graph,
    nodes: Vec<Node>,
    prediction: Var<'g>,
    /// What the outputs are made of.
    within: Vec<bool>,
    /// What depends on the inputs.
    moved: Vec<bool>,
    /// What depends on parameters and not on the inputs.
    learnt: Vec<bool>,
}

impl<'g> Wiring<'g> {
    pub(super) fn of(graph: &'g Graph, x: Var<'g>, prediction: Var<'g>, parameters: &[Var<'g>]) -> Self {
        let nodes = graph.nodes();
        let mut within = vec![false; nodes.len()];
        within[prediction.id().index()] = true;
        for i in (0..nodes.len()).rev() {
            if within[i] {
                nodes[i].args.iter().for_each(|a| within[a.index()] = true);
            }
        }
        let spread = |from: &[NodeId]| {
            let mut reached = vec![false; nodes.len()];
            from.iter().for_each(|id| reached[id.index()] = true);
            for (i, node) in nodes.iter().enumerate() {
                reached[i] |= node.args.iter().any(|a| reached[a.index()]);
            }
            reached
        };
        let moved = spread(&[x.id()]);
        let ids: Vec<NodeId> = parameters.iter().map(|p| p.id()).collect();
        let mut learnt = spread(&ids);
        learnt.iter_mut().zip(&moved).for_each(|(l, m)| *l &= !m);
        Wiring { graph, nodes, prediction, within, moved, learnt }
    }

    /// Linear layers and activations, in the order of the model.
    pub(super) fn places(&self) -> Vec<Place<'g>> {
        let mut places: Vec<Place<'g>> = Vec::new();
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut vars = BTreeMap::from([(self.prediction.id(), self.prediction)]);
        let mut ahead = vec![self.prediction];
        while let Some(var) = ahead.pop() {
            for argument in self.graph.arguments(var) {
                if vars.insert(argument.id(), argument).is_none() {
                    ahead.push(argument);
                }
            }
        }
        for (id, var) in vars {
            let (i, node) = (id.index(), &self.nodes[id.index()]);
            if !self.moved[i] || node.origin.phase != Phase::Forward {
                continue;
            }
            let Some((kind, word)) = self.kind(i) else { continue };
            let scope = if node.origin.scope.is_empty() { "model" } else { &node.origin.scope };
            let mut name = format!("{scope} ({word})");
            let mut count = 1;
            while !names.insert(name.clone()) {
                count += 1;
                name = format!("{scope} ({word} {count})");
            }
            places.push(Place { var, name, line: line(&node.origin), kind });
        }
        places
    }

    fn kind(&self, i: usize) -> Option<(Kind, &'static str)> {
        let node = &self.nodes[i];
        match (node.op.name(), node.origin.within) {
            ("select", Some("relu")) => Some((Kind::Relu, "relu")),
            ("tanh", _) => Some((Kind::Bounded(Squash::Tanh), "tanh")),
            ("sigmoid", _) => Some((Kind::Bounded(Squash::Sigmoid), "sigmoid")),
            _ if self.is_linear(i) => Some((Kind::Linear, "linear")),
            _ => None,
        }
    }

    /// Whether it is a product of what the inputs have become with something learnt.
    fn is_linear(&self, i: usize) -> bool {
        let node = &self.nodes[i];
        matches!(node.op, Op::MatMul(_) | Op::Convolution(_))
            && node.args.iter().any(|a| self.moved[a.index()])
            && node.args.iter().any(|a| self.learnt[a.index()])
    }

    /// What is wrong by the formula alone, and of how many classes the loss is a cross-entropy.
    pub(super) fn findings(&self) -> (Vec<Finding>, Option<usize>) {
        let mut found = Vec::new();
        let mut classes = None;
        for (meaning, read, _) in outputs::readings(self.graph) {
            let at = read.id().index();
            if at >= self.moved.len() || !self.moved[at] {
                continue;
            }
            classes = classes.or(match meaning {
                Outputs::Scores => read.shape().last().copied().filter(|k| *k > 1),
                Outputs::Logits | Outputs::Probabilities => Some(2),
                Outputs::Values => None,
            });
            found.extend(self.fits(meaning, at));
        }
        found.extend(self.missing());
        if !self.moved[self.prediction.id().index()] {
            let measured = "the outputs do not depend on the inputs";
            found.push(Finding::new(Illness::DataUnused, 0.0, measured).at(line(&self.prediction.origin())));
        }
        (found, classes)
    }

    /// What makes the value that a loss reads, without changes of shape.
    fn maker(&self, mut i: usize) -> usize {
        while matches!(self.nodes[i].op, Op::Reshape(_) | Op::InRange(_) | Op::Cast(_) | Op::Permute(_)) {
            i = self.nodes[i].args[0].index();
        }
        i
    }

    fn fits(&self, meaning: Outputs, read: usize) -> Option<Finding> {
        let at = self.maker(read);
        let node = &self.nodes[at];
        let name = node.origin.within.unwrap_or(node.op.name());
        let name =
            if node.op.name() == "sigmoid" || node.op.name() == "tanh" { node.op.name() } else { name };
        let illness = match (meaning, name) {
            (Outputs::Scores, "softmax" | "sigmoid") | (Outputs::Logits, "softmax" | "sigmoid") => {
                Illness::SquashedTwice
            }
            (Outputs::Scores | Outputs::Logits, "relu" | "tanh") => Illness::ActivationOnOutput,
            (Outputs::Probabilities, _) if self.ends_linear(at) => Illness::LogitsAsProbabilities,
            _ => return None,
        };
        let measured = match illness {
            Illness::LogitsAsProbabilities => {
                "the loss reads what a linear layer gives as probabilities".into()
            }
            _ => format!("the loss reads logits, and the model ends in {name}"),
        };
        Some(Finding::new(illness, 1.0, measured).of(&node.origin.scope).at(line(&node.origin)))
    }

    /// Whether it is a linear layer, its bias included.
    fn ends_linear(&self, i: usize) -> bool {
        self.is_linear(i)
            || self.nodes[i].op.name() == "add"
                && self.nodes[i].args.iter().any(|a| self.is_linear(self.maker(a.index())))
    }

    /// Two linear layers with nothing between them that is not affine. A narrow middle is meant so: it is a factorisation.
    fn missing(&self) -> Option<Finding> {
        // For each node the linear layer of which it is an affine function.
        let mut since: Vec<Option<usize>> = vec![None; self.nodes.len()];
        // What is used twice is more than a layer's input: the path around a block, the input of several heads.
        let mut uses = vec![0; self.nodes.len()];
        let within = self.nodes.iter().zip(&self.within).filter(|(_, within)| **within);
        within.flat_map(|(node, _)| &node.args).for_each(|a| uses[a.index()] += 1);
        for (i, node) in self.nodes.iter().enumerate() {
            if !self.within[i] || !self.moved[i] {
                continue;
            }
            let from: Vec<usize> = node.args.iter().map(|a| a.index()).filter(|a| self.moved[*a]).collect();
            let before = match from[..] {
                [one] if uses[one] == 1 => since[one],
                _ => None,
            };
            if self.is_linear(i) {
                if let Some(first) = before {
                    let width = |n: usize| self.nodes[n].ty.shape.last().copied().unwrap_or(0);
                    let input = self.nodes[first].args.iter().find(|a| self.moved[a.index()]);
                    let narrow =
                        input.is_some_and(|a| width(first) < width(a.index())) && width(first) < width(i);
                    if !narrow && self.is_plain(first) && self.is_plain(i) {
                        let (a, b) = (&self.nodes[first].origin, &node.origin);
                        let measured = format!("between `{}` and `{}`", a.scope, b.scope);
                        return Some(
                            Finding::new(Illness::ActivationMissing, 1.0, measured).of(&b.scope).at(line(b)),
                        );
                    }
                }
                since[i] = Some(i);
            } else if matches!(node.op.name(), "add" | "sub" | "mul" | "reshape" | "select" | "neg") {
                // Dropout is a product with a mask that the inputs have no part in.
                since[i] = before.filter(|_| node.origin.within.is_none_or(|w| !w.contains("relu")));
            }
        }
        None
    }

    /// Whether a linear layer multiplies with a parameter as it is.
    fn is_plain(&self, i: usize) -> bool {
        self.nodes[i].args.iter().any(|a| self.learnt[a.index()] && self.nodes[a.index()].args.is_empty())
    }
}

/// `file:line:column`.
pub(super) fn line(origin: &chainrule_graph::Origin) -> String {
    let at = origin.location;
    format!("{}:{}:{}", at.file(), at.line(), at.column())
}
