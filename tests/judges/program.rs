//! The programs of `jax_graphs.py`: read from JSON, recorded through the public methods.

use chainrule::graph::{Graph, Order, Result, Var};
use chainrule::tensor::{DType, Shape, Tensor};
use serde_json::Value;

/// Input shapes and a list of steps; the last step is the output.
pub(crate) struct Program {
    pub(crate) inputs: Vec<Vec<usize>>,
    steps: Vec<Step>,
    pub(crate) jacobian: bool,
    pub(crate) hessian: bool,
    /// The inputs that have examples.
    pub(crate) mapped: Vec<usize>,
}

/// One operation: its name, the positions of its arguments, its attributes.
pub(crate) struct Step {
    pub(crate) op: String,
    args: Vec<usize>,
    pub(crate) attributes: Value,
}

/// A list of whole numbers.
pub(crate) fn list<T: TryFrom<i64, Error: std::fmt::Debug>>(value: &Value) -> Vec<T> {
    let array = value.as_array().unwrap_or_else(|| panic!("a list, not {value}"));
    array.iter().map(|n| T::try_from(n.as_i64().expect("a whole number")).expect("in range")).collect()
}

impl Program {
    /// All programs of a file.
    pub(crate) fn read(json: &str) -> Vec<Program> {
        let all: Vec<Value> = serde_json::from_str(json).expect("a list of programs");
        all.iter().map(Program::of).collect()
    }

    fn of(value: &Value) -> Program {
        let array = |name: &str| value[name].as_array().expect("a list");
        Program {
            inputs: array("inputs").iter().map(list).collect(),
            steps: Step::all(&value["steps"]),
            jacobian: value["jacobian"].as_bool().expect("yes or no"),
            hessian: value["hessian"].as_bool().expect("yes or no"),
            mapped: list(&value["mapped"]),
        }
    }

    /// The output for inputs `x`.
    pub(crate) fn record<'g>(&self, g: &'g Graph, x: &[Var<'g>]) -> Result<Var<'g>> {
        let mut values = x.to_vec();
        carry_out(g, &self.steps, &mut values)?;
        Ok(*values.last().expect("a program has an input"))
    }
}

/// Appends the results of the steps.
pub(crate) fn carry_out<'g>(g: &'g Graph, steps: &[Step], values: &mut Vec<Var<'g>>) -> Result<()> {
    for step in steps {
        let args: Vec<Var<'g>> = step.args.iter().map(|i| values[*i]).collect();
        match step.looped(g, &args, values)? {
            Some(found) => values.extend(found),
            None => values.push(step.record(g, &args)),
        }
    }
    Ok(())
}

impl Step {
    /// The steps of a program or of a body.
    pub(crate) fn all(value: &Value) -> Vec<Step> {
        let step = |s: &Value| Step {
            op: s[0].as_str().expect("a name").to_owned(),
            args: list(&s[1]),
            attributes: s[2].clone(),
        };
        value.as_array().expect("a list").iter().map(step).collect()
    }

    pub(crate) fn int(&self, name: &str) -> isize {
        self.attributes[name].as_i64().unwrap_or_else(|| panic!("{} has no {name}", self.op)) as isize
    }

    pub(crate) fn size(&self, name: &str) -> usize {
        self.int(name) as usize
    }

    pub(crate) fn list<T: TryFrom<i64, Error: std::fmt::Debug>>(&self, name: &str) -> Vec<T> {
        list(&self.attributes[name])
    }

    fn shape(&self) -> Shape {
        self.list::<usize>("shape").into()
    }

    pub(crate) fn by(&self) -> f64 {
        self.attributes["by"].as_f64().expect("a number")
    }

    fn index<'g>(&self, g: &'g Graph) -> Var<'g> {
        let index = Tensor::from_vec(self.list::<i64>("index"), self.shape());
        g.constant(index.expect("as many indices as the shape says"))
    }

    fn order(&self) -> Order {
        let descending = self.attributes["descending"].as_bool().expect("yes or no");
        if descending { Order::Descending } else { Order::Ascending }
    }

    #[rustfmt::skip]
    fn record<'g>(&self, g: &'g Graph, x: &[Var<'g>]) -> Var<'g> {
        match self.op.as_str() {
            "neg" => -x[0],
            "abs" => x[0].abs(),
            "sqrt" => x[0].sqrt(),
            "rsqrt" => x[0].rsqrt(),
            "exp" => x[0].exp(),
            "expm1" => x[0].expm1(),
            "ln" => x[0].ln(),
            "ln_1p" => x[0].ln_1p(),
            "sin" => x[0].sin(),
            "cos" => x[0].cos(),
            "tanh" => x[0].tanh(),
            "sigmoid" => x[0].sigmoid(),
            "softplus" => x[0].softplus(),
            "erf" => x[0].erf(),
            "relu" => x[0].relu(),
            "leaky_relu" => x[0].leaky_relu(0.01),
            "square" => x[0].square(),
            "stop_gradient" => x[0].stop_gradient(),
            "scale" => x[0] * self.by(),
            "shift" => x[0] + self.by(),
            "add" => x[0] + x[1],
            "sub" => x[0] - x[1],
            "mul" => x[0] * x[1],
            "div" => x[0] / x[1],
            "pow" => x[0].pow(x[1]),
            "maximum" => x[0].maximum(x[1]),
            "minimum" => x[0].minimum(x[1]),
            "select" => x[0].less(x[1]).select(x[2], x[3]),
            "matmul" => x[0].matmul(x[1]),
            "sum" => x[0].sum(self.list::<isize>("axes")),
            "max" => x[0].max(self.list::<isize>("axes")),
            "min" => x[0].min(self.list::<isize>("axes")),
            "mean" => x[0].mean(self.list::<isize>("axes")),
            "var" => x[0].var(self.list::<isize>("axes")),
            "prod" => x[0].prod(self.int("axis")),
            "norm" => x[0].norm(),
            "logsumexp" => x[0].logsumexp(self.int("axis")),
            "softmax" => x[0].softmax(self.int("axis")),
            "log_softmax" => x[0].log_softmax(self.int("axis")),
            "reshape" => x[0].reshape(self.list::<isize>("shape")),
            "permute" => x[0].permute(self.list::<isize>("axes")),
            "broadcast_to" => x[0].broadcast_to(self.shape()),
            "expand" => x[0].insert_axis(self.int("axis")),
            "slice_step" => {
                x[0].slice_step(self.int("axis"), self.size("start")..self.size("end"), self.size("step"))
            }
            "pad" => x[0].pad(self.int("axis"), self.size("before"), self.size("after")),
            "concat" => g.concat(x, self.int("axis")),
            "stack" => g.stack(x, self.int("axis")),
            "flip" => x[0].flip(self.int("axis")),
            "tan" => x[0].tan(),
            "asin" => x[0].asin(),
            "acos" => x[0].acos(),
            "atan" => x[0].atan(),
            "sinh" => x[0].sinh(),
            "cosh" => x[0].cosh(),
            "asinh" => x[0].asinh(),
            "acosh" => x[0].acosh(),
            "atanh" => x[0].atanh(),
            "gelu" => x[0].gelu(),
            "elu" => x[0].elu(1.0),
            "selu" => x[0].selu(),
            "celu" => x[0].celu(1.5),
            "silu" => x[0].silu(),
            "mish" => x[0].mish(),
            "softsign" => x[0].softsign(),
            "cumsum" => x[0].cumsum(self.int("axis")),
            "cumprod" => x[0].cumprod(self.int("axis")),
            "sort" => x[0].sort(self.int("axis"), self.order()),
            "top_k" => x[0].top_k(self.size("k"), self.int("axis")).0,
            "take" => x[0].take(self.int("axis"), self.index(g)),
            "take_along_axis" => x[0].take_along_axis(self.int("axis"), self.index(g)),
            "scatter_add" => x[0].scatter_add(self.int("axis"), self.index(g), x[1]),
            "scatter_add_along_axis" => x[0].scatter_add_along_axis(self.int("axis"), self.index(g), x[1]),
            "tril" => x[0].tril(self.int("k") as i64),
            "triu" => x[0].triu(self.int("k") as i64),
            "diagonal" => x[0].diagonal(),
            "trace" => x[0].trace(),
            "einsum" => g.einsum(self.attributes["spec"].as_str().expect("a formula"), x),
            "ridge" => {
                let n = x[0].shape()[x[0].rank() - 1];
                x[0] + g.constant(Tensor::eye(n, DType::F64)) * self.by()
            }
            "solve" => x[0].solve(x[1]),
            "solve_lower" => x[0].solve_lower(x[1]),
            "solve_upper" => x[0].solve_upper(x[1]),
            "inverse" => x[0].inverse(),
            "cholesky" => x[0].cholesky(),
            "logdet" => x[0].logdet(),
            "det" => x[0].det(),
            op => panic!("unknown operation {op}"),
        }
    }
}
