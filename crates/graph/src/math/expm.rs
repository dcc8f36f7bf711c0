//! The exponential of matrices.

use std::f64::consts::LN_2;
use std::panic::Location;

use chainrule_tensor::keep;

use crate::control::WhileLoop;
use crate::prim::solve::square;
use crate::var::Var;

/// Up to this sum of a column the quotient is exact to the last digits of an f64 (Higham, "The Scaling and Squaring Method
/// for the Matrix Exponential Revisited", 2005, table 2.3).
const LARGEST: f64 = 5.371_920_351_148_152;
/// The coefficients of Padé's quotient of degree 13, those of even powers and those of odd ones.
const EVEN: [f64; 7] = [
    64_764_752_532_480_000.0,
    7_771_770_303_897_600.0,
    129_060_195_264_000.0,
    670_442_572_800.0,
    1_323_241_920.0,
    960_960.0,
    182.0,
];
const ODD: [f64; 7] = [
    32_382_376_266_240_000.0,
    1_187_353_796_428_800.0,
    10_559_470_521_600.0,
    33_522_128_640.0,
    40_840_800.0,
    16_380.0,
    1.0,
];
/// Columns with larger sums than 2⁶⁰ of them have no digit left.
const MOST: usize = 60;

impl<'g> Var<'g> {
    /// eᴬ = 1 + A + A²/2 + … of each square matrix (…, n, n), by scaling and squaring: what eˣ is for numbers, and the
    /// solution of dX/dt = A X at t = 1 (`torch.matrix_exp`, `scipy.linalg.expm`).
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// let turn = g.leaf("turn", [[0.0, -1.0], [1.0, 0.0]]);
    /// let half = (turn * std::f64::consts::PI).expm(); // a half turn is −1
    /// assert!((half + g.eye([2, 2], 0)).abs().max(..).value()?.item::<f64>()? < 1e-14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "matrix_exp")]
    #[track_caller]
    pub fn expm(self) -> Var<'g> {
        let _here = self.graph.blame("expm", Location::caller());
        self.shaped(|own| {
            let n = square("expm", &own)?;
            if own.size() == 0 {
                // There is no greatest of no columns, nor anything to do.
                return Ok(self);
            }
            let one = self.graph.eye([n, n], 0);
            let column = self.stop_gradient().abs().sum(keep(-2)).max(keep(-1));
            let halvings = ((column / LARGEST).ln() / LN_2).ceil().maximum(0.0).minimum(MOST as f64);
            let a = self * halvings.like(0.5).pow(halvings);
            let two = a.matmul(a);
            let four = two.matmul(two);
            let six = two.matmul(four);
            // Σ bₖ A²ᵏ, in two halves of which the upper one has A⁶ in common.
            let powers = |b: [f64; 7]| {
                let upper = b[6] * six + b[5] * four + b[4] * two;
                six.matmul(upper) + b[3] * six + b[2] * four + b[1] * two + b[0] * one
            };
            let (odd, even) = (a.matmul(powers(ODD)), powers(EVEN));
            let quotient = (even - odd).solve(even + odd);
            let most = halvings.max(..);
            let squared = WhileLoop::new().most(MOST).run(
                &[self.graph.constant(0.0), quotient],
                |now| now[0].less(most),
                |now| {
                    // Each matrix of a batch as often as it was halved. One that is done is not squared in vain: that
                    // might overflow.
                    let goes_on = now[0].less(halvings);
                    let x = goes_on.select(now[1], 0.0);
                    Ok(vec![now[0] + 1.0, goes_on.select(x.matmul(x), now[1])])
                },
            );
            Ok(match squared {
                Ok(squared) => squared[1],
                Err(error) => self.graph.poison(error),
            })
        })
    }
}
