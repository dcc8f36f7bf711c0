//! What is written in a box: formulas, numbers, sizes.

use chainrule_sketch::shortened;
use chainrule_tensor::{DType, Tensor};

use crate::origin::Origin;
use crate::prim::Op;

/// The longest line of a box, in characters.
const LONGEST: usize = 44;

/// An operand as it is written in its user's box.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// A number, written out.
    Number(String),
    /// A value that comes by wire and has a name.
    Named(String),
    /// A value that comes by wire.
    Wired,
}

/// The operation with its numbers: `3 ×`, `matmul`, `1 −`; with the names of its operands if `named`: `3 × v`.
pub(super) fn formula(op: &Op, label: &str, operands: &[Operand], named: bool) -> String {
    let text = |o: &Operand| match o {
        Operand::Number(n) => Some(n.clone()),
        Operand::Named(n) if named => Some(n.clone()),
        Operand::Named(_) | Operand::Wired => None,
    };
    let texts: Vec<Option<String>> = operands.iter().map(text).collect();
    if let (Some(sign), [left, right]) = (op.notation(), &texts[..]) {
        // Between two wires the sign says it all; beside a name or number the other side needs a place.
        let blank = |side: &Option<String>| {
            side.clone().unwrap_or_else(|| if named { "·".into() } else { String::new() })
        };
        let whole = format!("{} {sign} {}", blank(left), blank(right));
        return shortened(whole.trim(), LONGEST);
    }
    if texts.iter().all(Option::is_none) {
        return shortened(label, LONGEST);
    }
    let list: Vec<String> = texts.into_iter().map(|t| t.unwrap_or_else(|| "·".into())).collect();
    shortened(&format!("{label}({})", list.join(", ")), LONGEST)
}

/// A single number known at recording time, or its negative.
pub(super) fn constant(op: &Op, negative: bool) -> String {
    let sign = if negative { -1.0 } else { 1.0 };
    match op {
        Op::Scalar(s) => s.real().map_or_else(|| op.attributes(), |x| number(sign * x)),
        _ => op.attributes(),
    }
}

/// A name, not too long.
pub(super) fn name(text: &str) -> String {
    shortened(text, LONGEST)
}

/// File and line, without the folders.
pub(super) fn place(origin: &Origin) -> String {
    let file = origin.location.file();
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    shortened(&format!("{name}:{}", origin.location.line()), LONGEST)
}

/// A number of bytes, rounded to what the eye takes in.
pub(super) fn bytes(n: usize) -> String {
    match n {
        1 => "1 byte".into(),
        0..1000 => format!("{n} bytes"),
        1000..1_000_000 => format!("{} kB", number(n as f64 / 1e3)),
        1_000_000..1_000_000_000 => format!("{} MB", number(n as f64 / 1e6)),
        _ => format!("{} GB", number(n as f64 / 1e9)),
    }
}

/// Rows and columns that are written in full.
const ROWS: usize = 4;
const COLUMNS: usize = 5;

/// A small tensor in full, one line per row; the start of a bigger one.
pub(super) fn value(tensor: &Tensor) -> Vec<String> {
    let truth = tensor.dtype() == DType::Bool;
    let wide = if truth { tensor.cast(DType::I64).cast(DType::F64) } else { tensor.cast(DType::F64) }
        .to_contiguous();
    let elements = wide.as_slice::<f64>().unwrap_or_default();
    let one = |x: &f64| match truth {
        true => (*x != 0.0).to_string(),
        false => number(*x),
    };
    let listed = |row: &[f64]| {
        let shown = row.iter().take(if row.len() > COLUMNS { COLUMNS - 2 } else { COLUMNS });
        let mut texts: Vec<String> = shown.map(one).collect();
        if row.len() > COLUMNS {
            texts.push("…".into());
        }
        format!("[{}]", texts.join(", "))
    };
    match (tensor.rank(), tensor.shape()) {
        (0, _) => elements.iter().map(one).collect(),
        (2, &[rows, columns]) if rows <= ROWS && columns > 0 => {
            elements.chunks(columns).map(listed).collect()
        }
        (2, &[_, columns]) if columns > 0 => {
            let mut lines: Vec<String> = elements.chunks(columns).take(ROWS - 2).map(listed).collect();
            lines.push("…".into());
            lines
        }
        _ => vec![listed(elements)],
    }
}

/// A number to four digits, as a person would write it.
fn number(x: f64) -> String {
    let size = x.abs();
    if !x.is_finite() || (x == x.trunc() && size < 1e6) {
        return if x == 0.0 { "0".into() } else { x.to_string() };
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{x:.2e}");
    }
    let before = size.log10().floor() as i32 + 1;
    let text = format!("{x:.*}", (4 - before).clamp(0, 6) as usize);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.into()
}

/// So many of a thing.
pub(super) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (33.0, "33"),
            (-0.0, "0"),
            (0.5, "0.5"),
            (1.0 / 3.0, "0.3333"),
            (-2.0 / 3.0, "-0.6667"),
            (1234.5678, "1235"),
            (0.001234, "0.001234"),
            (1e-9, "1.00e-9"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (x, text) in cases {
            assert_eq!(number(x), text);
        }
    }

    #[test]
    fn small_tensors_are_written_in_full_and_large_ones_by_their_start() {
        assert_eq!(value(&Tensor::from(33.0)), ["33"]);
        assert_eq!(value(&Tensor::from([[1.0, 2.0], [3.0, 4.5]])), ["[1, 2]", "[3, 4.5]"]);
        assert_eq!(value(&Tensor::from([true, false])), ["[true, false]"]);
        assert_eq!(value(&Tensor::from([1_i64, 2, 3, 4, 5, 6])), ["[1, 2, 3, …]"]);
        assert_eq!(value(&Tensor::from_vec(vec![0.0_f32; 60], [10, 6]).expect("60")).len(), 3);
        assert_eq!(value(&Tensor::from_vec(Vec::<f64>::new(), [2, 0]).expect("none")), ["[]"]);
    }

    #[test]
    fn sizes_are_rounded() {
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(96), "96 bytes");
        assert_eq!(bytes(1536), "1.536 kB");
        assert_eq!(bytes(12_345_678), "12.35 MB");
    }
}
