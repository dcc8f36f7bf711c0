//! What a model consists of, as a table.

use std::fmt;
use std::panic::Location;

use chainrule_graph::{Graph, Kind, Op, Phase};
use chainrule_tensor::Shape;

use crate::Layer;
use crate::error::Result;
use crate::params::Params;
use crate::scope::{Mode, Scope};

/// Name, output shape, number of parameters, and multiply-adds of matrix products for one example, of each place in a model.
///
/// ```
/// use chainrule_graph::Var;
/// use chainrule_nn::{Layer, Linear, Params, Scope, Summary};
/// fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
///     let h = Linear::new(25).forward(&s.at("hidden"), x).relu();
///     Linear::new(1).forward(&s.at("output"), h)
/// }
/// let summary = Summary::of(&model, &Params::new(), [64])?;
/// assert_eq!(summary.parameters(), 64 * 25 + 25 + 25 + 1);
/// assert_eq!(summary.multiply_adds(), 64 * 25 + 25);
/// assert!(summary.to_string().contains("(m, 25)"));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    path: String,
    output: String,
    parameters: usize,
    products: usize,
}

/// A batch size that no axis of a model has by accident.
const BATCH: usize = 7919;

impl Summary {
    /// Traces `model` for inputs whose examples have the shape `example`; nothing is computed.
    ///
    /// # Errors
    /// Any error in the model, with the user's line.
    #[track_caller]
    pub fn of(model: &impl Layer, params: &Params, example: impl Into<Shape>) -> Result<Self> {
        let graph = Graph::new();
        let shape: Shape = [BATCH].into_iter().chain(example.into().iter().copied()).collect();
        let x = graph.input("x", shape, Kind::Real);
        let _passed = graph.passed_at(Location::caller());
        let scope = Scope::root(&graph, params.clone(), Mode::Train, 0);
        let output = model.forward(&scope, x);
        output.checked()?;
        let mut rows =
            vec![Row { path: "(input)".into(), output: shown(&x.shape()), parameters: 0, products: 0 }];
        let mut add = |path: &str, output: String, parameters: usize, products: usize| {
            let path = if path.is_empty() { "(model)" } else { path };
            match rows.iter_mut().find(|r| r.path == path) {
                Some(row) => {
                    row.parameters += parameters;
                    row.products = row.products.saturating_add(products);
                    row.output = if output.is_empty() { row.output.clone() } else { output };
                }
                None => rows.push(Row { path: path.into(), output, parameters, products }),
            }
        };
        let nodes = graph.nodes();
        for node in nodes.iter().filter(|n| n.origin.phase == Phase::Forward) {
            let products = match (&node.op, node.args.first()) {
                (Op::MatMul(_), Some(left)) => {
                    let inner = nodes[left.index()].ty.shape.last().copied().unwrap_or(1);
                    node.ty.shape.size().saturating_mul(inner) / BATCH
                }
                // Kernels are (groups, outputs, inputs, elements…).
                (Op::Convolution(_), Some(kernel)) => {
                    let terms: usize = nodes[kernel.index()].ty.shape[2..].iter().product();
                    node.ty.shape.size().saturating_mul(terms) / BATCH
                }
                _ => 0,
            };
            if !node.origin.scope.is_empty() {
                let output = if node.args.is_empty() { String::new() } else { shown(&node.ty.shape) };
                add(&node.origin.scope, output, 0, products);
            } else if products > 0 {
                add("", String::new(), 0, products);
            }
        }
        for (path, parameter) in scope.traced() {
            let place = path.rsplit_once('.').map_or("", |(place, _)| place);
            add(place, String::new(), parameter.shape().size(), 0);
        }
        add("(output)", shown(&output.shape()), 0, 0);
        Ok(Summary { rows })
    }

    /// The number of all parameters.
    pub fn parameters(&self) -> usize {
        self.rows.iter().map(|r| r.parameters).sum()
    }

    /// The multiply-adds of matrix products, convolutions among them, that one example takes forwards; backwards it is about twice
    /// as many. What loops repeat is not counted.
    pub fn multiply_adds(&self) -> usize {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(row.products))
    }

    /// The bytes of all parameters in f32.
    pub fn bytes(&self) -> usize {
        4 * self.parameters()
    }
}

fn shown(shape: &[usize]) -> String {
    let axes: Vec<String> =
        shape.iter().map(|n| if *n == BATCH { "m".into() } else { n.to_string() }).collect();
    if axes.len() == 1 { format!("({},)", axes[0]) } else { format!("({})", axes.join(", ")) }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            |of: fn(&Row) -> usize, title: &str| self.rows.iter().map(of).max().unwrap_or(0).max(title.len());
        let name = width(|r| r.path.chars().count(), "layer");
        let output = width(|r| r.output.len(), "output");
        writeln!(
            f,
            "{:name$}  {:output$}  {:>12}  {:>13}",
            "layer", "output", "parameters", "multiply-adds"
        )?;
        writeln!(f, "{}", "─".repeat(name + output + 31))?;
        for row in &self.rows {
            writeln!(
                f,
                "{:name$}  {:output$}  {:>12}  {:>13}",
                row.path, row.output, row.parameters, row.products
            )?;
        }
        writeln!(f, "{}", "─".repeat(name + output + 31))?;
        let (all, products) = (self.parameters(), self.multiply_adds());
        write!(f, "{:name$}  {:output$}  {all:>12}  {products:>13}", "total", "")
    }
}
