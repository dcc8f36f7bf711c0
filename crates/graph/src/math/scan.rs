//! Running products.

use std::panic::Location;

use chainrule_tensor::shape;

use crate::var::Var;

impl<'g> Var<'g> {
    /// Running products along `axis`: element i is the product of elements 0 to i. Doubling steps instead of
    /// divisions, so derivatives of every order are right even where elements are 0.
    #[track_caller]
    pub fn cumprod(self, axis: isize) -> Var<'g> {
        let _here = self.graph.blame("cumprod", Location::caller());
        let own = self.shape();
        self.try_record(shape::axis("cumprod", axis, &own), |at| {
            let n = own[at];
            let mut out = self;
            let mut width = 1;
            while width < n {
                // Each element times the product of the `width` elements before it.
                let head = out.slice(axis, 0..width);
                let tail = out.slice(axis, width..n) * out.slice(axis, 0..n - width);
                out = self.graph.concat(&[head, tail], axis);
                width *= 2;
            }
            out
        })
    }
}
