//! A node of ONNX: its inputs recorded in a graph, its attributes by type.

use chainrule::graph::{Graph, Kind, Var};
use chainrule::nn::{Mode, Params, Scope};
use chainrule::tensor::{DType, Tensor};
use serde_json::Value;

/// The outputs, or why this node has no formula.
pub(crate) type Outcome<'g> = Result<Vec<Var<'g>>, &'static str>;

/// One node to be recorded in `g`.
pub(crate) struct Node<'g> {
    pub(crate) g: &'g Graph,
    pub(crate) op: String,
    pub(crate) opset: i64,
    /// How many outputs are asked for.
    pub(crate) outputs: usize,
    attributes: Value,
    /// The values, and what is known of them while recording.
    inputs: Vec<Option<(Var<'g>, Option<Tensor>)>>,
}

impl<'g> Node<'g> {
    pub(crate) fn new(g: &'g Graph, case: &Value, inputs: &[Option<&Tensor>]) -> Self {
        let named = inputs.iter().map(|t| t.map(|t| (g.leaf("input", t.clone()), Some(t.clone()))));
        Node::of(g, case, case["opset"].as_i64().expect("a number"), named.collect())
    }

    /// A node of a formula that this one carries out.
    pub(crate) fn inner(&self, node: &Value, inputs: &[Option<Var<'g>>]) -> Self {
        let known = inputs.iter().map(|x| x.map(|x| (x, x.value().ok())));
        Node::of(self.g, node, self.opset, known.collect())
    }

    fn of(g: &'g Graph, node: &Value, opset: i64, inputs: Vec<Option<(Var<'g>, Option<Tensor>)>>) -> Self {
        Node {
            g,
            op: node["op"].as_str().expect("a name").to_owned(),
            opset,
            outputs: node["outputs"].as_array().expect("a list").len(),
            attributes: node["attributes"].clone(),
            inputs,
        }
    }

    /// Where a layer of the library finds these parameters.
    pub(crate) fn scope(&self, params: Params) -> Scope<'g> {
        Scope::root(self.g, params, Mode::Evaluate, 0)
    }

    /// How many inputs there are, those left out in the middle included.
    pub(crate) fn arity(&self) -> usize {
        self.inputs.len()
    }

    /// Input `i`, which the operator requires.
    pub(crate) fn x(&self, i: usize) -> Var<'g> {
        self.given(i).unwrap_or_else(|| panic!("{} requires input {i}", self.op))
    }

    /// Input `i`, if it is given.
    pub(crate) fn given(&self, i: usize) -> Option<Var<'g>> {
        self.inputs.get(i)?.as_ref().map(|input| input.0)
    }

    /// All inputs that are given.
    pub(crate) fn all(&self) -> Vec<Var<'g>> {
        self.inputs.iter().flatten().map(|input| input.0).collect()
    }

    /// The value of input `i`: for shapes, axes and the like, which are known when a graph is recorded.
    pub(crate) fn value(&self, i: usize) -> Option<&Tensor> {
        self.inputs.get(i)?.as_ref()?.1.as_ref()
    }

    /// The integers of input `i`.
    pub(crate) fn ints_of(&self, i: usize) -> Option<Vec<i64>> {
        self.value(i).map(|t| t.cast(DType::I64).to_vec().expect("integers"))
    }

    /// The reals of input `i`.
    pub(crate) fn reals_of(&self, i: usize) -> Option<Vec<f64>> {
        self.value(i).map(|t| t.cast(DType::F64).to_vec().expect("reals"))
    }

    /// An attribute as it stands in the file.
    pub(crate) fn attribute(&self, name: &str) -> &Value {
        &self.attributes[name]
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.attributes[name].as_i64()
    }

    pub(crate) fn int_or(&self, name: &str, default: i64) -> i64 {
        self.int(name).unwrap_or(default)
    }

    /// Whether an attribute is a number other than 0.
    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        self.int(name).map_or(default, |n| n != 0)
    }

    /// The attribute `axis`.
    pub(crate) fn axis_or(&self, default: isize) -> isize {
        self.int("axis").map_or(default, |n| n as isize)
    }

    pub(crate) fn real(&self, name: &str) -> Option<f64> {
        self.attributes[name].as_f64()
    }

    pub(crate) fn real_or(&self, name: &str, default: f64) -> f64 {
        self.real(name).unwrap_or(default)
    }

    pub(crate) fn text_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.attributes[name].as_str().unwrap_or(default)
    }

    pub(crate) fn ints(&self, name: &str) -> Option<Vec<i64>> {
        let list = self.attributes[name].as_array()?;
        Some(list.iter().map(|n| n.as_i64().expect("an integer")).collect())
    }

    /// The kind of a number of ONNX's list of types, as in the attributes `to` and `dtype`.
    pub(crate) fn kind(&self, name: &str) -> Option<Kind> {
        Some(match self.int(name)? {
            9 => Kind::Truth,
            1 | 11 => Kind::Real,
            _ => Kind::Int,
        })
    }
}

/// The axis counted from the front.
pub(crate) fn axis_of(x: Var<'_>, axis: isize) -> usize {
    if axis < 0 { (x.rank() as isize + axis) as usize } else { axis as usize }
}

/// The lengths of all axes as reshape wants them.
pub(crate) fn lengths(x: Var<'_>) -> Vec<isize> {
    x.shape().iter().map(|n| *n as isize).collect()
}
