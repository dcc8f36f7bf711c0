//! The same measurement with several seeds: its mean, and how far that can be trusted.

use std::fmt;

/// What several independent runs measured, one number each.
///
/// ```
/// use chainrule_nn::metric::Trials;
///
/// // Any error type will do; the first error ends it.
/// let a = Trials::over(0..10, |seed| Ok::<f64, ()>(0.90 + 0.002 * seed as f64)).unwrap();
/// let b = Trials::over(0..10, |seed| Ok::<f64, ()>(0.89 + 0.002 * seed as f64)).unwrap();
/// assert_eq!(format!("{a:.3}"), "0.909 ± 0.004");
/// // The same seeds on both sides: the difference is surer than either.
/// assert_eq!(format!("{:.3}", a.minus(&b)), "0.010 ± 0.000");
/// assert!(a.minus(&b).is_positive());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trials(pub Vec<f64>);

/// The 0.975 quantile of Student's t for 1, 2, … degrees of freedom.
const STUDENT: [f64; 30] = [
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604,
    2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555,
    2.0518, 2.0484, 2.0452, 2.0423,
];

impl Trials {
    /// What `measure` gives for each of `seeds`.
    ///
    /// # Errors
    /// The first error of `measure`.
    pub fn over<E>(
        seeds: impl IntoIterator<Item = u64>,
        measure: impl FnMut(u64) -> Result<f64, E>,
    ) -> Result<Self, E> {
        seeds.into_iter().map(measure).collect::<Result<_, E>>().map(Trials)
    }

    /// The mean; NaN of none.
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    /// The standard deviation of one run, estimated with n − 1; NaN of fewer than two.
    pub fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares = self.0.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        if self.0.len() < 2 { f64::NAN } else { (squares / (self.0.len() - 1) as f64).sqrt() }
    }

    /// Half the width of the mean's 95 % interval, by Student's t; NaN of fewer than two runs.
    pub fn margin(&self) -> f64 {
        let freedom = self.0.len().saturating_sub(1);
        // Beyond the table, Cornish and Fisher's expansion around the normal's quantile.
        let z = 1.959_964_f64;
        let beyond = z + (z.powi(3) + z) / (4.0 * freedom as f64);
        let t = STUDENT.get(freedom.wrapping_sub(1)).copied().unwrap_or(beyond);
        t * self.deviation() / (self.0.len() as f64).sqrt()
    }

    /// The differences, run by run: for the same seeds in the same order. What only one side has is left out.
    pub fn minus(&self, other: &Trials) -> Trials {
        Trials(self.0.iter().zip(&other.0).map(|(a, b)| a - b).collect())
    }

    /// Whether the whole interval lies above 0.
    pub fn is_positive(&self) -> bool {
        self.mean() - self.margin() > 0.0
    }
}

/// `mean ± margin`, with the digits that the format asks for (4 if none).
impl fmt::Display for Trials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(4);
        let text = format!("{:.digits$} ± {:.digits$}", self.mean(), self.margin());
        // The precision is spent; width and alignment are left.
        match (f.width(), f.align()) {
            (Some(width), Some(fmt::Alignment::Left)) => write!(f, "{text:<width$}"),
            (Some(width), _) => write!(f, "{text:>width$}"),
            (None, _) => f.write_str(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use chainrule_tensor::{DType, Key, Tensor};

    use super::*;

    #[test]
    fn the_interval_holds_the_mean_as_often_as_it_says() {
        for runs in [2, 5, 40] {
            let held = (0..2000).filter(|seed| {
                let drawn = Tensor::normal(Key::new(*seed), [runs], 3.0, 2.0, DType::F64).unwrap();
                let trials = Trials(drawn.to_vec().unwrap());
                (trials.mean() - 3.0).abs() <= trials.margin()
            });
            // Four standard errors of a share of 0.95 in 2,000.
            let share = held.count() as f64 / 2000.0;
            assert!((share - 0.95).abs() < 0.02, "{runs} runs: {share}");
        }
    }

    #[test]
    fn columns_line_up() {
        let trials = Trials(vec![1.0, 3.0]);
        let texts = [format!("{trials:>14.1}|"), format!("{trials:<14.1}|"), format!("{trials:.0}|")];
        assert_eq!(texts, ["    2.0 ± 12.7|", "2.0 ± 12.7    |", "2 ± 13|"]);
    }

    #[test]
    fn too_few_runs_say_nothing() {
        assert!(Trials::default().mean().is_nan() && Trials(vec![1.0]).margin().is_nan());
        assert!(!Trials(vec![1.0]).is_positive());
        assert_eq!(Trials::over(0..3, |seed| if seed == 1 { Err("no") } else { Ok(0.0) }), Err("no"));
    }
}
