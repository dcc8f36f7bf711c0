//! Functions and compositions against 300 bits, values and slopes, in both widths: the page `docs/accuracy.md`.
//!
//! Four units in the last place are allowed; more only with a reason, which the page prints.

use std::fmt::Write;
use std::path::Path;

use chainrule_graph::{Graph, Precision, Var};
use chainrule_tensor::{DType, Tensor, keep};

type Function = for<'g> fn(Var<'g>) -> Var<'g>;

/// Logits x and 0.
fn pair(x: Var<'_>) -> Var<'_> {
    x.graph().stack(&[x, x.like(0.0)], -1)
}

fn functions() -> Vec<(&'static str, Function)> {
    vec![
        ("exp", |x| x.exp()),
        ("expm1", |x| x.expm1()),
        ("ln", |x| x.ln()),
        ("ln_1p", |x| x.ln_1p()),
        ("sqrt", |x| x.sqrt()),
        ("rsqrt", |x| x.rsqrt()),
        ("sin", |x| x.sin()),
        ("cos", |x| x.cos()),
        ("tan", |x| x.tan()),
        ("asin", |x| x.asin()),
        ("acos", |x| x.acos()),
        ("atan", |x| x.atan()),
        ("sinh", |x| x.sinh()),
        ("cosh", |x| x.cosh()),
        ("tanh", |x| x.tanh()),
        ("asinh", |x| x.asinh()),
        ("acosh", |x| x.acosh()),
        ("atanh", |x| x.atanh()),
        ("sigmoid", |x| x.sigmoid()),
        ("softplus", |x| x.softplus()),
        ("erf", |x| x.erf()),
        ("erfc", |x| x.erfc()),
        ("relu", |x| x.relu()),
        ("elu", |x| x.elu(1.0)),
        ("selu", |x| x.selu()),
        ("gelu", |x| x.gelu()),
        ("gelu_tanh", |x| x.gelu_tanh()),
        ("silu", |x| x.silu()),
        ("mish", |x| x.mish()),
        ("softsign", |x| x.softsign()),
        ("log_softmax of x and 0", |x| pair(x).log_softmax(-1).slice(1, 0..1).squeeze(1)),
        ("logsumexp of x and 0", |x| pair(x).logsumexp(-1)),
        ("cross-entropy of logits x and 0", |x| -pair(x).log_softmax(-1).slice(1, 0..1).squeeze(1)),
        ("binary cross-entropy with logits", |x| 0.25 * (-x).softplus() + 0.75 * x.softplus()),
        ("x to the power 2.5", |x| x.pow(2.5)),
        ("2.5 to the power x", |x| x.graph().constant(2.5).pow(x)),
    ]
}

/// Functions of a vector of 1,000 numbers.
fn functions_of_many() -> Vec<(&'static str, Function)> {
    /// The first number less the mean, over the standard deviation.
    fn standard(x: Var<'_>) -> Var<'_> {
        (x - x.mean(keep(0))) / x.var(keep(0)).sqrt()
    }
    fn first(x: Var<'_>) -> Var<'_> {
        x.slice(0, 0..1).squeeze(0)
    }
    fn last(x: Var<'_>) -> Var<'_> {
        x.slice(0, 999..1000).squeeze(0)
    }
    vec![
        ("sum of positive numbers", |x| x.sum(..)),
        ("mean far from 0", |x| x.mean(..)),
        ("variance far from 0", |x| x.var(..)),
        ("variance near the greatest", |x| x.var(..)),
        ("standard deviation far from 0", |x| x.var(..).sqrt()),
        ("standardised far from 0", |x| first(standard(x))),
        ("norm", |x| x.norm()),
        ("norm near the greatest", |x| x.norm()),
        ("norm near the least", |x| x.norm()),
        ("logsumexp of large logits", |x| x.logsumexp(0)),
        ("softmax of large logits", |x| first(x.softmax(0))),
        ("log_softmax of large logits", |x| first(x.log_softmax(0))),
        ("product", |x| x.prod(0)),
        ("last running sum", |x| last(x.cumsum(0))),
        ("last running product", |x| last(x.cumprod(0))),
        ("dot product with itself", |x| x.reshape([1, 1000]).matmul(x.reshape([1000, 1])).sum(..)),
        ("sum of sums over rows", |x| x.reshape([20, 50]).sum(1).sum(0)),
        ("scatter_add into one place", |x| {
            let g = x.graph();
            g.constant([0.0]).scatter_add(0, g.constant(&[0i64; 1000][..]), x).sum(..)
        }),
    ]
}

const ROUNDED: &str = "formed from the result: its error is a rounding of 1, not of the slope";
const TAIL: &str = "a tail of e to −x²: the rounding of the argument is multiplied by x²";
const MEAN: &str = "the mean is rounded to its width before it is taken away";
const FACTORS: &str = "each of a thousand products is rounded";
const ZERO: &str = "near a zero of the slope, where terms of opposite sign meet";

/// Larger bounds: function, of the value, of the slope, and why.
const LARGER: &[(&str, f64, f64, &str)] = &[
    ("tanh", 4.0, 5e4, ROUNDED),
    ("sigmoid", 4.0, 1e4, ROUNDED),
    ("silu", 4.0, 20.0, ROUNDED),
    ("mish", 4.0, 12.0, ZERO),
    ("erf", 4.0, 24.0, TAIL),
    ("erfc", 4.0, 48.0, TAIL),
    ("gelu", 100.0, 160.0, TAIL),
    ("gelu_tanh", 40.0, 40.0, TAIL),
    ("standardised far from 0", 4096.0, 4096.0, MEAN),
    ("product", 16.0, 16.0, FACTORS),
    ("last running product", 16.0, 16.0, FACTORS),
];

/// Units in the last place, at this width, between `found` and `right`.
fn ulps(found: f64, right: f64, precision: Precision) -> f64 {
    let unit = match precision {
        Precision::F32 => {
            let size = (right.abs() as f32).max(f32::MIN_POSITIVE);
            if size.is_infinite() {
                return f64::from(u8::from((found as f32).is_finite())) * f64::INFINITY;
            }
            f64::from(size.next_up() - size)
        }
        Precision::F64 => {
            let size = right.abs().max(f64::MIN_POSITIVE);
            size.next_up() - size
        }
    };
    if found == right { 0.0 } else { (found - right).abs() / unit }
}

/// The worst error, and the x where it is, of found values.
fn worst(xs: &[f64], found: &[f64], right: &[f64], precision: Precision) -> (f64, f64) {
    let errors = found.iter().zip(right).map(|(f, r)| ulps(*f, *r, precision));
    errors.zip(xs).fold((0.0, 0.0), |worst, (e, x)| if e > worst.0 || e.is_nan() { (e, *x) } else { worst })
}

/// A function at numbers, with what is right: its values, and the slopes of their sum in some of the numbers.
struct Case {
    name: &'static str,
    f: Function,
    xs: Vec<f64>,
    values: Vec<f64>,
    slopes: Vec<f64>,
    at: Vec<usize>,
}

/// The rows of a table: a name, and numbers.
fn rows(table: &str) -> Vec<(&str, Vec<f64>)> {
    let named = table.lines().map(|line| line.split_once(',').expect("a name"));
    named
        .map(|(name, cells)| (name, cells.split(',').map(|c| c.parse().expect("a number")).collect()))
        .collect()
}

fn cases() -> Vec<Case> {
    let one = rows(include_str!("data/exact.csv"));
    let of_one = functions().into_iter().map(|(name, f)| {
        let column = |i: usize| one.iter().filter(|r| r.0 == name).map(|r| r.1[i]).collect::<Vec<f64>>();
        let xs = column(0);
        Case { name, f, values: column(1), slopes: column(2), at: (0..xs.len()).collect(), xs }
    });
    let many = rows(include_str!("data/exact_many.csv"));
    let of_many = functions_of_many().into_iter().map(|(name, f)| {
        let (_, cells) = many.iter().find(|r| r.0 == name).expect("each function has a row");
        let xs = (0..1000).map(|i| cells[0] + cells[1] * f64::from((7919 * i + 13) % 1009)).collect();
        Case { name, f, xs, values: vec![cells[2]], slopes: cells[3..].to_vec(), at: vec![0, 500, 999] }
    });
    of_one.chain(of_many).collect()
}

/// Values and slopes as computed at a width.
fn computed(case: &Case, precision: Precision) -> [Vec<f64>; 2] {
    let g = Graph::new();
    let x = g.leaf("x", Tensor::from(&case.xs[..]));
    let y = (case.f)(x);
    let d = y.sum(..).grad(&[x]).expect("a gradient")[0];
    let mut plan = g.compiler(&[], &[y, d]).precision(precision).build().expect("a plan");
    let found = plan.run(&[]).expect("runs");
    let [y, d] = [0, 1].map(|i| -> Vec<f64> { found[i].cast(DType::F64).to_vec().expect("f64") });
    [y, case.at.iter().map(|&i| d[i]).collect()]
}

#[test]
fn values_and_slopes_are_those_of_300_bits() {
    let mut page = String::from(
        "# How accurate\n\n\
         Written by `UPDATE_ACCURACY=1 cargo test -p chainrule-graph --test graph accuracy`; the same command without the \
         variable, and so every run of the tests, checks it.\n\n\
         The worst error in units in the last place over the tables `exact.csv` (functions of one number) and `exact_many.csv` \
         (of a thousand) in `crates/graph/tests/data`, whose values and slopes were computed at 300 bits (`exact.py` and \
         `exact_many.py` beside them). Four are allowed; more where a reason is told. Rounded up to a half, so that \
         processors with other instructions agree.\n\n\
         | function | value f32 | slope f32 | value f64 | slope f64 | why more than 4 |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    let mut failed = Vec::new();
    for case in cases() {
        let name = case.name;
        let (_, value_bound, slope_bound, why) =
            LARGER.iter().find(|row| row.0 == name).copied().unwrap_or((name, 4.0, 4.0, ""));
        let _ = write!(page, "| {name} |");
        for precision in [Precision::F32, Precision::F64] {
            let [values, slopes] = computed(&case, precision);
            let at: Vec<f64> = case.at.iter().map(|&i| case.xs[i]).collect();
            for (found, right, bound, what) in
                [(values, &case.values, value_bound, "value"), (slopes, &case.slopes, slope_bound, "slope")]
            {
                assert_eq!((found.len(), found.is_empty()), (right.len(), false), "{name}");
                let (error, x) = worst(&at, &found, right, precision);
                let _ = write!(page, " {} |", (2.0 * error).ceil() / 2.0);
                if error.is_nan() || error > bound {
                    failed.push(format!(
                        "{name}: {what} at {x:e} in {precision:?} is {error:.1} ulp off, {bound} allowed"
                    ));
                }
            }
        }
        let _ = writeln!(page, " {why} |");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/accuracy.md");
    if std::env::var_os("UPDATE_ACCURACY").is_some() {
        std::fs::write(&path, &page).expect("written");
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let names = |text: &str| {
        text.lines()
            .filter_map(|l| l.strip_prefix("| ")?.split(" |").next().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&std::fs::read_to_string(&path).unwrap_or_default()),
        names(&page),
        "docs/accuracy.md is out of date"
    );
}
