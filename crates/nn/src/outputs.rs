//! What the outputs of a model mean. The loss knows it and says it; whoever turns outputs into classes asks here.

use chainrule_graph::{Error, ErrorKind, Graph, Op, Var};
use chainrule_tensor::Shape;

/// What a loss takes outputs for, and with it the class that they name.
///
/// Outputs of the labels' number of elements are one for each label; outputs with one more axis, the last, are
/// several for each, and the greatest names the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// Logits of any size: one alone names class 1 above 0, else class 0.
    Logits,
    /// Probabilities: one alone names class 1 above 0.5, else class 0.
    Probabilities,
    /// A score for each class, as for a softmax: the greatest names the class, be there one class or many.
    Scores,
    /// Estimates of the targets themselves: one alone names the class whose number is nearest.
    Values,
}

/// Says that a loss takes `prediction` for `meaning` against `target`. Every loss of this library does so; one of
/// your own does it where its outputs are to be counted as classes. The first that fits the labels decides.
///
/// Nothing is recorded and no number changes. For a loss that says nothing of any outputs it is enough if these have one
/// number for each class: the greatest names the class whatever they mean. Else no classes are known, and
/// [`Evaluator::accuracy`](crate::Evaluator::accuracy) is an error.
///
/// ```
/// use chainrule_graph::Var;
/// use chainrule_nn::loss::{Outputs, reads};
///
/// fn brier<'g>(p: Var<'g>, labels: Var<'g>) -> Var<'g> {
///     reads(p, labels, Outputs::Probabilities);
///     (p - labels.insert_axis(1).real()).square().mean(..)
/// }
/// ```
pub fn reads<'g>(prediction: Var<'g>, target: Var<'g>, meaning: Outputs) {
    prediction.graph().note(meaning.note(), &[prediction, target]);
}

/// The classes that a model's outputs name, as far as its loss tells.
pub(crate) enum Named<'g> {
    /// Class numbers in the shape of the labels.
    Classes(Var<'g>),
    /// None are known, and why.
    Unknown(String),
}

/// What losses have said that they read: meaning, outputs, targets.
pub(crate) fn readings<'g>(graph: &'g Graph) -> Vec<(Outputs, Var<'g>, Var<'g>)> {
    let meaning = |note| Outputs::ALL.into_iter().find(|m| m.note() == note);
    let reading = |(note, vars): (&'static str, Vec<Var<'g>>)| match vars[..] {
        [read, target] => Some((meaning(note)?, read, target)),
        _ => None,
    };
    graph.notes().into_iter().filter_map(reading).collect()
}

impl Outputs {
    const ALL: [Outputs; 4] = [Outputs::Logits, Outputs::Probabilities, Outputs::Scores, Outputs::Values];

    fn note(self) -> &'static str {
        match self {
            Outputs::Logits => "outputs: logits",
            Outputs::Probabilities => "outputs: probabilities",
            Outputs::Scores => "outputs: scores",
            Outputs::Values => "outputs: values",
        }
    }
}

/// How a value comes from the labels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Flow {
    /// Not at all.
    None,
    /// It is them, perhaps in another shape or as reals.
    Same,
    /// Each of its elements comes from one label, in their order.
    Ordered,
    /// From some of them, or in another order.
    Moved,
}

/// The classes that the outputs of a recorded model and loss name for `labels`, numbers of `classes`.
///
/// # Errors
/// What the loss reads cannot name the classes that the labels do: too few scores, or one number for three.
pub(crate) fn named<'g>(
    graph: &'g Graph,
    prediction: Var<'g>,
    labels: Var<'g>,
    classes: usize,
) -> Result<Named<'g>, Error> {
    let of_labels = flows(graph, labels);
    let of_model = flows(graph, prediction);
    let (mut said, mut misfit) = (false, None);
    for (meaning, read, target) in readings(graph) {
        said |= of_model[read.id().index()] != Flow::None;
        let flow = of_labels[target.id().index()];
        if flow == Flow::None || read.is_poisoned() {
            continue;
        }
        if let Some(found) = classes_of(read, meaning, flow, labels, classes) {
            return Ok(Named::Classes(found));
        }
        misfit = misfit.or(Some((read, meaning, flow)));
    }
    if let Some((read, meaning, flow)) = misfit {
        if flow == Flow::Same {
            return Err(clash(read, meaning, labels, classes));
        }
        let why = "the loss compares the outputs with something made from the labels, not with one label each; \
                   call `loss::reads` in it to say which outputs belong to them";
        return Ok(Named::Unknown(why.into()));
    }
    let several = prediction.shape().last() == Some(&classes) && classes > 1;
    if !said && several && prediction.shape().size() == labels.shape().size() * classes {
        return Ok(Named::Classes(greatest(prediction, &labels.shape())));
    }
    let why = format!(
        "the loss does not say what outputs of shape {} mean for labels of shape {} in {classes} classes; \
         call `loss::reads` in it",
        prediction.shape(),
        labels.shape()
    );
    Ok(Named::Unknown(why))
}

fn classes_of<'g>(
    read: Var<'g>,
    meaning: Outputs,
    flow: Flow,
    labels: Var<'g>,
    classes: usize,
) -> Option<Var<'g>> {
    let (shape, to) = (read.shape(), labels.shape());
    if flow == Flow::Moved {
        return None;
    }
    let single = shape.size() == to.size() && meaning != Outputs::Scores;
    let found = match meaning {
        _ if !single => {
            let several = *shape.last()?;
            let fits = several >= classes && shape.size() == to.size() * several;
            return fits.then(|| greatest(read, &to));
        }
        Outputs::Logits if classes == 2 => read.greater(0.0).int(),
        Outputs::Probabilities if classes == 2 => read.greater(0.5).int(),
        Outputs::Values if flow == Flow::Same => {
            read.round().maximum(0.0).minimum(classes as f64 - 1.0).int()
        }
        _ => return None,
    };
    Some(reshaped(found, &to))
}

fn greatest<'g>(scores: Var<'g>, to: &Shape) -> Var<'g> {
    reshaped(scores.argmax(-1), to)
}

fn reshaped<'g>(found: Var<'g>, to: &Shape) -> Var<'g> {
    let to: Vec<isize> = to.iter().map(|n| *n as isize).collect();
    found.reshape(&to)
}

fn clash(read: Var<'_>, meaning: Outputs, labels: Var<'_>, classes: usize) -> Error {
    let (shape, to) = (read.shape(), labels.shape());
    let single = shape.size() == to.size() && meaning != Outputs::Scores;
    let why = if single {
        format!("one output for each label tells 2 classes apart, but the labels name {classes}")
    } else if shape.size() == to.size() * shape.last().copied().unwrap_or(1) {
        let several = shape.last().copied().unwrap_or(1);
        format!("{several} outputs for each label, but the labels name {classes} classes")
    } else {
        format!("outputs of shape {shape} are not one for each label, nor one for each label and class")
    };
    let hint = if single {
        "give the model an output for each class and take loss::softmax_cross_entropy"
    } else {
        "give the model an output for each class, on the last axis"
    };
    Error::new(ErrorKind::Value { op: "outputs", why })
        .placed(read.origin())
        .operand("outputs", read.ty(), read.origin())
        .operand("labels", labels.ty(), labels.origin())
        .hint(hint)
}

/// For each node, how it comes from `labels`.
fn flows(graph: &Graph, labels: Var<'_>) -> Vec<Flow> {
    let nodes = graph.nodes();
    let mut flows = vec![Flow::None; nodes.len()];
    flows[labels.id().index()] = Flow::Same;
    for (i, node) in nodes.iter().enumerate().skip(labels.id().index() + 1) {
        let Some(from) = node.args.iter().map(|a| flows[a.index()]).max().filter(|f| *f != Flow::None) else {
            continue;
        };
        let rows_stay =
            || node.args.iter().all(|a| nodes[a.index()].ty.shape.first() == node.ty.shape.first());
        let step = match node.op {
            Op::Reshape(_) | Op::Cast(_) | Op::InRange(_) | Op::StopGradient(_) | Op::Narrow(_) => Flow::Same,
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) => Flow::Ordered,
            Op::Broadcast(_) if rows_stay() => Flow::Ordered,
            _ => Flow::Moved,
        };
        flows[i] = from.max(step);
    }
    flows
}
