//! Labels as rows of zeros with a single one.

use chainrule_tensor::Tensor;

use super::Classes;
use crate::{Error, Result};

/// Labels (…) as one-hot rows (…, classes) in f32: 1 in the label's column, 0 elsewhere.
///
/// ```
/// use chainrule_nn::data::one_hot;
/// use chainrule_tensor::Tensor;
///
/// let labels = Tensor::from_vec(vec![2_i64, 0], [2])?;
/// let rows = one_hot(&labels, 3)?;
/// assert_eq!(rows.shape(), [2, 3]);
/// assert_eq!(rows.as_slice::<f32>(), Some(&[0.0, 0.0, 1.0, 1.0, 0.0, 0.0][..]));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
///
/// # Errors
/// [`Error::Label`](crate::Error::Label) for a label outside the classes,
/// [`Error::Argument`](crate::Error::Argument) for labels that are not i64, or more rows and classes than memory has
/// addresses.
pub fn one_hot(labels: &Tensor, classes: impl Into<Classes>) -> Result<Tensor> {
    let classes = classes.into();
    let indices = classes.indices("one_hot", labels)?;
    let size = indices.len().checked_mul(classes.count()).filter(|n| *n <= isize::MAX as usize / 4);
    let mut rows: Vec<f32> = Vec::new();
    let Some(size) = size.filter(|n| rows.try_reserve_exact(*n).is_ok()) else {
        let why = format!("{} rows of {} classes do not fit into memory", indices.len(), classes.count());
        return Err(Error::argument("one_hot", why));
    };
    rows.resize(size, 0.0);
    for (row, label) in indices.into_iter().enumerate() {
        rows[row * classes.count() + label] = 1.0;
    }
    let shape: Vec<usize> = labels.shape().iter().copied().chain([classes.count()]).collect();
    Ok(Tensor::from_vec(rows, shape)?)
}
