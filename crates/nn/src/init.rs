//! How parameters start.

use chainrule_tensor::{DType, Key, Result, Shape, Tensor};

/// The distribution a new parameter is drawn from.
///
/// Fan-in and fan-out are the lengths of the last two axes, `(fan_in, fan_out)`, as in a linear layer's weight.
///
/// ```
/// use chainrule_nn::Init;
/// use chainrule_tensor::Key;
/// let w = Init::He.draw(Key::new(1), [100, 50])?;
/// assert_eq!(w.shape(), [100, 50]);
/// # Ok::<(), chainrule_tensor::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All 0: right for biases, wrong for weights, whose units would stay equal for ever (lecture 3.11).
    Zeros,
    /// All equal to this.
    Constant(f64),
    /// Normal with this standard deviation; the lectures start shallow networks with 0.01 (lecture 3.11).
    Normal(f64),
    /// Normal with variance 2 / fan-in: for ReLU (course 2, lecture 1.11; He et al. 2015).
    He,
    /// Normal with variance 1 / fan-in: for tanh (course 2, lecture 1.11).
    Xavier,
    /// Normal with variance 2 / (fan-in + fan-out) (course 2, lecture 1.11; Glorot and Bengio 2010).
    Glorot,
}

impl Init {
    /// A new f32 parameter; the same for the same key.
    ///
    /// # Errors
    /// A standard deviation that is negative or not finite; a shape that no memory could hold.
    pub fn draw(self, key: Key, shape: impl Into<Shape>) -> Result<Tensor> {
        let shape = shape.into();
        chainrule_tensor::shape::room("init", &shape, 4)?;
        match self {
            Init::Zeros => Ok(Tensor::zeros(shape, DType::F32)),
            Init::Constant(value) => Ok(Tensor::full(shape, value as f32)),
            _ => {
                let deviation = self.deviation(&shape);
                Tensor::normal(key, shape, 0.0, deviation, DType::F32)
            }
        }
    }

    /// The same with its deviation for these fans, whatever the shape is: for a kernel, whose fan-in is its channels times
    /// its area.
    pub fn of_fans(self, fan_in: usize, fan_out: usize) -> Init {
        match self {
            Init::He | Init::Xavier | Init::Glorot => Init::Normal(self.deviation(&[fan_in, fan_out])),
            other => other,
        }
    }

    /// The standard deviation that this distribution has for `shape`.
    pub fn deviation(self, shape: &[usize]) -> f64 {
        let (fan_in, fan_out) = match shape {
            [.., fan_in, fan_out] => (*fan_in, *fan_out),
            [n] => (*n, *n),
            [] => (1, 1),
        };
        let root = |variance: f64| if variance.is_finite() { variance.sqrt() } else { 0.0 };
        match self {
            Init::Zeros | Init::Constant(_) => 0.0,
            Init::Normal(deviation) => deviation,
            Init::He => root(2.0 / fan_in as f64),
            Init::Xavier => root(1.0 / fan_in as f64),
            Init::Glorot => root(2.0 / (fan_in as f64 + fan_out as f64)),
        }
    }
}
