//! The lengths of a new shape, of which one may be left open.

use smallvec::SmallVec;

use crate::Shape;

/// The lengths that [`reshape`](crate::Tensor::reshape) takes: a list of sizes as they are read off other values, or of
/// integers of which one may be −1 and is computed; a tuple where both stand side by side. `()` is the scalar's.
///
/// ```
/// # use chainrule_tensor::Tensor;
/// let t = Tensor::arange(0..24).reshape([2, 3, -1])?;
/// let rows = t.shape()[0];
/// assert_eq!(t.reshape([rows, 3 * 4])?.shape(), [2, 12]);
/// assert_eq!(t.reshape((rows, -1, 2))?.shape(), [2, 6, 2]);
/// assert_eq!(Tensor::from([7.0]).reshape(())?, Tensor::from(7.0));
/// # Ok::<(), chainrule_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lengths(SmallVec<[isize; 6]>);

impl Lengths {
    /// As they were given.
    pub fn as_slice(&self) -> &[isize] {
        &self.0
    }
}

/// A number that is a length, or −1.
pub trait Length: Copy {
    /// The number; what no memory could hold is the largest.
    fn length(self) -> isize;
}

impl Length for isize {
    fn length(self) -> isize {
        self
    }
}

// What a literal of no type becomes.
impl Length for i32 {
    fn length(self) -> isize {
        self as isize
    }
}

impl Length for i64 {
    fn length(self) -> isize {
        self.try_into().unwrap_or(isize::MAX)
    }
}

impl Length for usize {
    fn length(self) -> isize {
        self.try_into().unwrap_or(isize::MAX)
    }
}

impl<T: Length> From<&[T]> for Lengths {
    fn from(lengths: &[T]) -> Self {
        Lengths(lengths.iter().map(|n| n.length()).collect())
    }
}

impl<T: Length, const N: usize> From<[T; N]> for Lengths {
    fn from(lengths: [T; N]) -> Self {
        lengths[..].into()
    }
}

impl<T: Length, const N: usize> From<&[T; N]> for Lengths {
    fn from(lengths: &[T; N]) -> Self {
        lengths[..].into()
    }
}

impl<T: Length> From<Vec<T>> for Lengths {
    fn from(lengths: Vec<T>) -> Self {
        lengths[..].into()
    }
}

impl<T: Length> From<&Vec<T>> for Lengths {
    fn from(lengths: &Vec<T>) -> Self {
        lengths[..].into()
    }
}

impl From<Shape> for Lengths {
    fn from(shape: Shape) -> Self {
        shape[..].into()
    }
}

impl From<&Shape> for Lengths {
    fn from(shape: &Shape) -> Self {
        shape[..].into()
    }
}

impl From<()> for Lengths {
    fn from((): ()) -> Self {
        Lengths(SmallVec::new())
    }
}

macro_rules! tuples {
    ($($($name:ident)*;)*) => {$(
        impl<$($name: Length),*> From<($($name,)*)> for Lengths {
            #[allow(non_snake_case)]
            fn from(($($name,)*): ($($name,)*)) -> Self {
                Lengths([$($name.length()),*][..].into())
            }
        }
    )*};
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}
