//! Recognises functions from their values.

use super::hypothesis::number;

/// Numbers with a name: an operand, the result.
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) values: Vec<f64>,
}

/// A function of one variable, and how it is written.
pub(super) type Named = (&'static str, fn(f64) -> f64);

/// Functions that occur as derivatives, simplest first; `#` stands for the variable.
#[rustfmt::skip]
const FUNCTIONS: &[Named] = &[
    ("#",              |v| v),
    ("#²",             |v| v * v),
    ("1/#",            |v| 1.0 / v),
    ("√#",             f64::sqrt),
    ("1/√#",           |v| 1.0 / v.sqrt()),
    ("1/#²",           |v| 1.0 / (v * v)),
    ("#³",             |v| v * v * v),
    ("exp #",          f64::exp),
    ("exp(-#)",        |v| (-v).exp()),
    ("ln #",           f64::ln),
    ("sin #",          f64::sin),
    ("cos #",          f64::cos),
    ("tanh #",         f64::tanh),
    ("σ(#)",           sigmoid),
    ("(1 - #)",        |v| 1.0 - v),
    ("(1 + #)",        |v| 1.0 + v),
    ("(1 - #²)",       |v| 1.0 - v * v),
    ("#·(1 - #)",      |v| v * (1.0 - v)),
    ("(1 - tanh² #)",  |v| 1.0 - v.tanh().powi(2)),
    ("(1 - tanh #)",   |v| 1.0 - v.tanh()),
    ("σ(#)·(1 - σ(#))", |v| sigmoid(v) * (1.0 - sigmoid(v))),
    ("(1 - σ(#))",     |v| 1.0 - sigmoid(v)),
    ("1/(1 + #)",      |v| 1.0 / (1.0 + v)),
    ("1/(1 + #²)",     |v| 1.0 / (1.0 + v * v)),
    ("exp(-#²)",       |v| (-v * v).exp()),
    ("sign #",         f64::signum),
    ("[# > 0]",        |v| f64::from(v > 0.0)),
    ("|#|",            f64::abs),
];

/// How many of the first functions are powers.
const POWERS: usize = 7;

fn sigmoid(v: f64) -> f64 {
    1.0 / (1.0 + (-v).exp())
}

/// Whether two derivatives are the same to within the error of differences, where typical ones are of size `gauge`.
pub(super) fn close(a: f64, b: f64, gauge: f64) -> bool {
    (a - b).abs() <= 1e-5 * a.abs().max(b.abs()) + 1e-7 * gauge
}

/// The constant k for which `values` are k times `of`, everywhere.
pub(super) fn ratio(values: &[f64], of: &[f64]) -> Option<f64> {
    let square: f64 = of.iter().map(|f| f * f).sum();
    let k = values.iter().zip(of).map(|(v, f)| v * f).sum::<f64>() / square;
    let gauge = root_mean_square(values);
    let fits = k.is_finite() && k != 0.0 && values.iter().zip(of).all(|(v, f)| close(*v, k * f, gauge));
    fits.then_some(k)
}

pub(super) fn root_mean_square(values: &[f64]) -> f64 {
    (values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64).sqrt()
}

/// A name for the function that `values` are of the variables, up to a constant factor; `None` if it is not known.
pub(super) fn recognise(values: &[f64], variables: &[Variable]) -> Option<String> {
    let ones = vec![1.0; values.len()];
    if let Some(k) = ratio(values, &ones) {
        return Some(number(k));
    }
    // Two numbers fit too many functions.
    if values.len() < 3 {
        return None;
    }
    let named = |k: f64, name: String| match k {
        k if (k - 1.0).abs() < 1e-6 => name,
        k if (k + 1.0).abs() < 1e-6 => format!("-{name}"),
        k => format!("{}·{name}", number(k)),
    };
    for (name, function) in FUNCTIONS {
        for v in variables {
            let of: Vec<f64> = v.values.iter().map(|v| function(*v)).collect();
            if let Some(k) = ratio(values, &of) {
                return Some(named(k, name.replace('#', &v.name)));
            }
        }
    }
    // Products of powers of two variables.
    for (i, a) in variables.iter().enumerate() {
        for b in &variables[i + 1..] {
            for (first, f) in &FUNCTIONS[..POWERS] {
                for (second, g) in &FUNCTIONS[..POWERS] {
                    let of: Vec<f64> = a.values.iter().zip(&b.values).map(|(a, b)| f(*a) * g(*b)).collect();
                    if let Some(k) = ratio(values, &of) {
                        let name =
                            format!("{}·{}", first.replace('#', &a.name), second.replace('#', &b.name));
                        return Some(named(k, name));
                    }
                }
            }
        }
    }
    None
}

/// A name for a power of one variable that `values` are, up to a constant factor.
pub(super) fn power(values: &[f64], variables: &[Variable]) -> Option<String> {
    if values.len() < 3 {
        return None;
    }
    for (name, function) in &FUNCTIONS[..POWERS] {
        for v in variables {
            let of: Vec<f64> = v.values.iter().map(|v| function(*v)).collect();
            if let Some(k) = ratio(values, &of).filter(|k| (k.abs() - 1.0).abs() < 1e-6) {
                let sign = if k < 0.0 { "-" } else { "" };
                return Some(format!("{sign}{}", name.replace('#', &v.name)));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_recognised_from_their_values() {
        let x: Vec<f64> = vec![0.3, -0.7, 1.9, -2.2, 0.45];
        let y: Vec<f64> = x.iter().map(|x| x.tanh()).collect();
        let of = |f: fn(f64, f64) -> f64| {
            let values: Vec<f64> = x.iter().zip(&y).map(|(x, y)| f(*x, *y)).collect();
            let name = |name: &str, values: &[f64]| Variable { name: name.into(), values: values.to_vec() };
            recognise(&values, &[name("x0", &x), name("y", &y)]).unwrap_or_default()
        };
        assert_eq!(of(|x, _| 3.0 * x * x), "3·x0²");
        assert_eq!(of(|x, _| -x.cos()), "-cos x0");
        assert_eq!(of(|_, y| 1.0 - y * y), "(1 - y²)");
        assert_eq!(of(|x, y| 0.5 * x * y * y), "1/2·x0·y²");
        assert_eq!(of(|_, _| -1.0), "-1");
        assert_eq!(of(|x, _| (x + 0.1).sin()), "");
    }
}
