//! The programs of `jax_graphs.py`: read from JSON, recorded through the public methods.

use chainrule::graph::{Graph, Var};
use chainrule::tensor::Shape;
use serde_json::Value;

/// Input shapes and a list of steps; the last step is the output.
pub(crate) struct Program {
    pub(crate) inputs: Vec<Vec<usize>>,
    steps: Vec<Step>,
    pub(crate) jacobian: bool,
}

/// One operation: its name, the positions of its arguments, its attributes.
struct Step {
    op: String,
    args: Vec<usize>,
    attributes: Value,
}

/// A list of whole numbers.
fn list<T: TryFrom<i64, Error: std::fmt::Debug>>(value: &Value) -> Vec<T> {
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
        let step = |s: &Value| Step {
            op: s[0].as_str().expect("a name").to_owned(),
            args: list(&s[1]),
            attributes: s[2].clone(),
        };
        Program {
            inputs: array("inputs").iter().map(list).collect(),
            steps: array("steps").iter().map(step).collect(),
            jacobian: value["jacobian"].as_bool().expect("yes or no"),
        }
    }

    /// The output for inputs `x`.
    pub(crate) fn record<'g>(&self, g: &'g Graph, x: &[Var<'g>]) -> Var<'g> {
        let mut values = x.to_vec();
        for step in &self.steps {
            let args: Vec<Var<'g>> = step.args.iter().map(|i| values[*i]).collect();
            values.push(step.record(g, &args));
        }
        *values.last().expect("a program has an input")
    }
}

impl Step {
    fn int(&self, name: &str) -> isize {
        self.attributes[name].as_i64().unwrap_or_else(|| panic!("{} has no {name}", self.op)) as isize
    }

    fn size(&self, name: &str) -> usize {
        self.int(name) as usize
    }

    fn list<T: TryFrom<i64, Error: std::fmt::Debug>>(&self, name: &str) -> Vec<T> {
        list(&self.attributes[name])
    }

    fn shape(&self) -> Shape {
        self.list::<usize>("shape").into()
    }

    fn by(&self) -> f64 {
        self.attributes["by"].as_f64().expect("a number")
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
            "sum" => x[0].sum(&self.list::<isize>("axes")),
            "max" => x[0].max(&self.list::<isize>("axes")),
            "min" => x[0].min(&self.list::<isize>("axes")),
            "mean" => x[0].mean(&self.list::<isize>("axes")),
            "var" => x[0].var(&self.list::<isize>("axes")),
            "prod" => x[0].prod(self.int("axis")),
            "norm" => x[0].norm(),
            "logsumexp" => x[0].logsumexp(self.int("axis")),
            "softmax" => x[0].softmax(self.int("axis")),
            "log_softmax" => x[0].log_softmax(self.int("axis")),
            "reshape" => x[0].reshape(&self.list::<isize>("shape")),
            "permute" => x[0].permute(&self.list::<isize>("axes")),
            "broadcast_to" => x[0].broadcast_to(self.shape()),
            "expand" => x[0].expand(self.int("axis")),
            "slice_step" => {
                x[0].slice_step(self.int("axis"), self.size("start")..self.size("end"), self.size("step"))
            }
            "pad" => x[0].pad(self.int("axis"), self.size("before"), self.size("after")),
            "concat" => g.concat(x, self.int("axis")),
            "stack" => g.stack(x, self.int("axis")),
            "flip" => x[0].flip(self.int("axis")),
            op => panic!("unknown operation {op}"),
        }
    }
}
