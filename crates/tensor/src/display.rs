//! How a tensor prints: the numbers in aligned columns, then dtype and shape.

use std::fmt;

use ndarray::Axis;

use crate::tensor::{ArrayD, each};
use crate::{Element, Shape, Tensor};

/// Beyond this many elements only the ends of long axes are shown.
const WHOLE: usize = 1000;
/// How many indices are shown at each end of an axis that is cut.
const ENDS: usize = 3;

/// Nested brackets with aligned columns, as NumPy prints them, and a line with dtype and shape.
///
/// Reals have at most four decimals (or as many as `{:.6}` asks for) and go over to scientific notation all
/// together where that would lose the small ones. Above 1000 elements, axes longer than 6 show
/// their first and last three indices.
///
/// ```
/// # use chainrule_tensor::Tensor;
/// let t = Tensor::from([[1.0_f32, -2.5], [30.0, 4.125]]);
/// assert_eq!(t.to_string(), "\
/// [[ 1.000, -2.500],
///  [30.000,  4.125]]
/// f32 (2, 2)");
/// ```
impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let small = ends(self);
        let cells = cells(&small, f.precision());
        let width = cells.iter().map(String::len).max().unwrap_or(0);
        if self.size() == 0 {
            f.write_str("[]")?;
        } else {
            nest(f, &cells, width, self.shape(), small.shape())?;
        }
        write!(f, "\n{} {}", self.dtype(), Shape::from(self.shape()))
    }
}

/// One short line: dtype, shape, the first few elements.
impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn first<T: Element>(a: &ArrayD<T>) -> String {
            let shown: Vec<String> = a.iter().take(2 * ENDS).map(|x| format!("{x:?}")).collect();
            shown.join(", ") + if a.len() > 2 * ENDS { ", …" } else { "" }
        }
        let elements = each!(self, a => first(a));
        write!(f, "Tensor({} {} [{elements}])", self.dtype(), Shape::from(self.shape()))
    }
}

/// The tensor with the middle of long axes taken out, if it is too big to be shown whole.
fn ends(tensor: &Tensor) -> Tensor {
    fn go<T: Element>(a: &ArrayD<T>) -> Tensor {
        let mut small = a.view();
        let mut cut;
        for axis in 0..a.ndim() {
            let n = a.shape()[axis];
            if n > 2 * ENDS {
                let kept: Vec<usize> = (0..ENDS).chain(n - ENDS..n).collect();
                cut = small.select(Axis(axis), &kept).into_shared();
                small = cut.view();
            }
        }
        T::wrap(small.to_shared())
    }
    if tensor.size() <= WHOLE { tensor.clone() } else { each!(tensor, a => go(a)) }
}

/// Writes the cells of a tensor of shape `small`, cut out of one of shape `whole`. A loop: as many axes as a file can
/// have would be too deep for the stack.
fn nest(
    f: &mut fmt::Formatter<'_>,
    cells: &[String],
    width: usize,
    whole: &[usize],
    small: &[usize],
) -> fmt::Result {
    let rank = small.len();
    let mut index = vec![0; rank];
    f.write_str(&"[".repeat(rank))?;
    for (i, cell) in cells.iter().enumerate() {
        if i > 0 {
            // The axis that goes on; those inside it have ended and begin anew.
            let axis = (0..rank).rev().find(|a| index[*a] + 1 < small[*a]).unwrap_or(0);
            index[axis] += 1;
            index[axis + 1..].fill(0);
            let inside = rank - 1 - axis;
            let separate = |f: &mut fmt::Formatter<'_>| match inside {
                0 => f.write_str(", "),
                // One blank line more for each axis further out, so that blocks stand apart.
                _ => write!(f, ",{}{}", "\n".repeat(inside), " ".repeat(axis + 1)),
            };
            f.write_str(&"]".repeat(inside))?;
            separate(f)?;
            if small[axis] < whole[axis] && index[axis] == ENDS {
                f.write_str("...")?;
                separate(f)?;
            }
            f.write_str(&"[".repeat(inside))?;
        }
        write!(f, "{cell:>width$}")?;
    }
    f.write_str(&"]".repeat(rank))
}

fn cells(tensor: &Tensor, precision: Option<usize>) -> Vec<String> {
    match tensor {
        Tensor::F32(a) => reals(a.iter().map(|x| f64::from(*x)).collect(), precision),
        Tensor::F64(a) => reals(a.iter().copied().collect(), precision),
        Tensor::I64(a) => a.iter().map(i64::to_string).collect(),
        Tensor::Bool(a) => a.iter().map(bool::to_string).collect(),
    }
}

fn reals(numbers: Vec<f64>, precision: Option<usize>) -> Vec<String> {
    let magnitudes = || numbers.iter().map(|x| x.abs()).filter(|x| *x > 0.0 && x.is_finite());
    let (least, most) = (magnitudes().fold(f64::INFINITY, f64::min), magnitudes().fold(0.0, f64::max));
    let decimals = precision.unwrap_or(4);
    if most >= 1e8 || least < 1e-4 || (most > 1.0 && most / least > 1e6) {
        return numbers.iter().map(|x| format!("{x:.decimals$e}")).collect();
    }
    // Without a wish of the user's: as many decimals as the number that needs most, and at least one.
    let needed = |x: &f64| {
        let text = format!("{x:.decimals$}");
        text.trim_end_matches('0').split_once('.').map_or(0, |(_, fraction)| fraction.len())
    };
    let decimals = precision.unwrap_or_else(|| numbers.iter().map(needed).max().unwrap_or(0).max(1));
    numbers.iter().map(|x| format!("{x:.decimals$}")).collect()
}

#[cfg(test)]
mod tests {
    use crate::{DType, Tensor};

    #[test]
    fn ranks_and_sizes() {
        assert_eq!(Tensor::from(2.5_f64).to_string(), "2.5\nf64 ()");
        assert_eq!(Tensor::zeros([0, 3], DType::F32).to_string(), "[]\nf32 (0, 3)");
        assert_eq!(Tensor::from([true, false]).to_string(), "[ true, false]\nbool (2,)");
        let cube = Tensor::from([[[1_i64], [2]], [[3], [10]]]);
        assert_eq!(cube.to_string(), "[[[ 1],\n  [ 2]],\n\n [[ 3],\n  [10]]]\ni64 (2, 2, 1)");
    }

    #[test]
    fn extremes_are_scientific_and_specials_are_named() {
        let t = Tensor::from([1e-9, f64::NAN, f64::INFINITY]);
        assert_eq!(t.to_string(), "[1.0000e-9,       NaN,       inf]\nf64 (3,)");
        assert_eq!(format!("{:.1}", Tensor::from([1e-9, 1.0])), "[1.0e-9,  1.0e0]\nf64 (2,)");
        assert_eq!(format!("{:.2}", Tensor::from([1.0, 0.125])), "[1.00, 0.12]\nf64 (2,)");
    }

    #[test]
    fn long_axes_are_cut() {
        let text = Tensor::zeros([2000, 2], DType::I64).to_string();
        let row = " [0, 0]";
        let expected =
            format!("[{0}\n{row},\n{row},\n ...,\n{row},\n{row},\n{row}]\ni64 (2000, 2)", "[0, 0],");
        assert_eq!(text, expected);
        assert!(Tensor::zeros([5000], DType::I64).to_string().starts_with("[0, 0, 0, ..., 0, 0, 0]"));
    }

    #[test]
    fn no_number_of_axes_is_too_deep() {
        let deep = Tensor::ones(vec![1; 100_000], DType::I64).to_string();
        assert!(deep.starts_with("[[[") && deep.contains("[1]]"));
    }

    #[test]
    fn debug_is_one_line() {
        let text = format!("{:?}", Tensor::arange(0..100));
        assert_eq!(text, "Tensor(i64 (100,) [0, 1, 2, 3, 4, 5, …])");
    }
}
