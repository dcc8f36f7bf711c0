//! The search for hyperparameters: at random or on a grid, each on its own scale (course 2, lectures 3.1 to 3.3).

use std::fmt;
use std::ops::{Range, RangeInclusive};

use chainrule_tensor::{DType, Key, Tensor};

use crate::error::{Error, Result};
use crate::plot::{LinePlot, Picture, side_by_side};

/// The hyperparameters that are searched, each with its range and scale.
///
/// ```
/// use chainrule_nn::search::Space;
/// use chainrule_nn::{Adam, Error, Linear, Params, Trainer, data::iris, loss, progress::Silent};
/// use chainrule_tensor::Key;
/// let [train, dev] = iris()?.split_stratified([0.7, 0.3], Key::new(1))?;
/// let space = Space::new().log("rate", 1e-4..1.0).whole("batch", 16..=64);
/// let found = space.random(5, Key::new(2), |point| {
///     let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).epochs(10);
///     let trainer = trainer.optimiser(Adam::new(point.get("rate")?)).batch_size(point.get("batch")? as usize);
///     let history = trainer.fit(&mut Params::new(), &train, Some(&dev), &mut Silent)?;
///     Ok::<_, Error>(history.last("dev loss").map_or(f64::NAN, |(_, loss)| loss))
/// })?;
/// println!("{found}");
/// let (best, loss) = found.lowest().expect("five points");
/// assert!(best.get("rate")? > 1e-4 && *loss < 1.0);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space {
    axes: Vec<(String, Axis)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Axis {
    Linear(Range<f64>),
    Log(Range<f64>),
    Whole(RangeInclusive<i64>),
    Choice(Vec<f64>),
}

/// A value for each hyperparameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Point(Vec<(String, f64)>);

/// The points that were tried, and what was measured at each, in the order of the trials.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    space: Space,
    /// Point and measure; NaN where a trial came to nothing.
    pub tried: Vec<(Point, f64)>,
}

/// A grid of more points is a mistake.
const MOST: usize = 1_000_000;

impl Space {
    /// Without hyperparameters.
    pub fn new() -> Self {
        Space::default()
    }

    /// A number on the plain scale, such as the share that dropout keeps.
    pub fn linear(self, name: &str, range: Range<f64>) -> Self {
        self.with(name, Axis::Linear(range))
    }

    /// A number on the logarithmic scale, such as a rate or a penalty: as many trials between 0.001 and 0.01 as between 0.1 and 1.
    /// For a decay β near 1, it is 1 − β.
    pub fn log(self, name: &str, range: Range<f64>) -> Self {
        self.with(name, Axis::Log(range))
    }

    /// A whole number, both ends included, such as the number of units.
    pub fn whole(self, name: &str, range: RangeInclusive<i64>) -> Self {
        self.with(name, Axis::Whole(range))
    }

    /// One of some values.
    pub fn choice(self, name: &str, values: impl Into<Vec<f64>>) -> Self {
        self.with(name, Axis::Choice(values.into()))
    }

    fn with(mut self, name: &str, axis: Axis) -> Self {
        self.axes.push((name.into(), axis));
        self
    }

    /// Tries `points` points drawn by `key`. Each is a function of its number, so that more points are the same and others.
    ///
    /// # Errors
    /// [`Error::Argument`] for no hyperparameters, two of one name, a range that is empty, not finite, or on the logarithmic scale
    /// not positive; the first error of `measure`. A trial that diverges is best told as NaN.
    pub fn random<E: From<Error>>(
        &self,
        points: usize,
        key: Key,
        measure: impl FnMut(&Point) -> Result<f64, E>,
    ) -> Result<Search, E> {
        self.sound()?;
        let drawn = |i: usize| -> Result<Point> {
            let units = Tensor::uniform(key.at(i as u64), [self.axes.len()], 0.0..1.0, DType::F64)?;
            Ok(self.point(&units.to_vec::<f64>()?, |axis, unit| axis.at(unit)))
        };
        let points: Result<Vec<Point>> = (0..points).map(drawn).collect();
        self.measured(points?, measure)
    }

    /// Tries all combinations of `each` values of each hyperparameter, evenly on its scale from one end to the other; of choices
    /// all, of whole numbers no more than there are.
    ///
    /// # Errors
    /// As [`random`](Space::random); a grid of none or of more than a million points.
    pub fn grid<E: From<Error>>(
        &self,
        each: usize,
        measure: impl FnMut(&Point) -> Result<f64, E>,
    ) -> Result<Search, E> {
        self.sound()?;
        let values: Vec<Vec<f64>> =
            self.axes.iter().map(|(_, axis)| axis.ladder(each.min(MOST + 1))).collect();
        let points = values.iter().try_fold(1_usize, |n, values| n.checked_mul(values.len()));
        let Some(points) = points.filter(|n| (1..=MOST).contains(n)) else {
            let why = format!("{each} values of {} hyperparameters are no grid to try", self.axes.len());
            return Err(Error::argument("Space::grid", why).into());
        };
        let at = |mut i: usize| {
            let mut chosen = vec![0.0; values.len()];
            // The last one changes fastest.
            for (chosen, values) in chosen.iter_mut().zip(&values).rev() {
                *chosen = values[i % values.len()];
                i /= values.len();
            }
            self.point(&chosen, |_, value| value)
        };
        self.measured((0..points).map(at).collect(), measure)
    }

    fn point(&self, values: &[f64], of: impl Fn(&Axis, f64) -> f64) -> Point {
        Point(
            self.axes
                .iter()
                .zip(values)
                .map(|((name, axis), value)| (name.clone(), of(axis, *value)))
                .collect(),
        )
    }

    fn measured<E>(
        &self,
        points: Vec<Point>,
        mut measure: impl FnMut(&Point) -> Result<f64, E>,
    ) -> Result<Search, E> {
        let tried = points.into_iter().map(|point| measure(&point).map(|value| (point, value)));
        Ok(Search { space: self.clone(), tried: tried.collect::<Result<_, E>>()? })
    }

    fn sound(&self) -> Result<()> {
        let refuse = |why: String| Err(Error::argument("Space", why));
        if self.axes.is_empty() {
            return refuse("there is nothing to search: name a hyperparameter, as in Space::log".into());
        }
        for (i, (name, axis)) in self.axes.iter().enumerate() {
            if self.axes[..i].iter().any(|(other, _)| other == name) {
                return refuse(format!("two hyperparameters are called `{name}`"));
            }
            if let Some(why) = axis.fault() {
                return refuse(format!("`{name}`: {why}"));
            }
        }
        Ok(())
    }
}

impl Axis {
    /// From 0..1 to the range.
    fn at(&self, unit: f64) -> f64 {
        match self {
            Axis::Linear(range) => range.start + unit * (range.end - range.start),
            Axis::Log(range) => range.start * (range.end / range.start).powf(unit),
            Axis::Whole(range) => {
                let count = (range.end() - range.start()) as f64 + 1.0;
                (*range.start() as f64 + (unit * count).floor()).min(*range.end() as f64)
            }
            Axis::Choice(values) => values[((unit * values.len() as f64) as usize).min(values.len() - 1)],
        }
    }

    /// `n` values from one end to the other.
    fn ladder(&self, n: usize) -> Vec<f64> {
        let unit = |i: usize| if n == 1 { 0.5 } else { i as f64 / (n - 1) as f64 };
        match self {
            Axis::Choice(values) => values.clone(),
            Axis::Whole(range) => {
                let length = (range.end() - range.start()) as f64;
                let mut values: Vec<f64> =
                    (0..n).map(|i| *range.start() as f64 + (unit(i) * length).round()).collect();
                values.dedup();
                values
            }
            axis => (0..n).map(|i| axis.at(unit(i))).collect(),
        }
    }

    fn fault(&self) -> Option<String> {
        match self {
            Axis::Linear(range) | Axis::Log(range)
                if !(range.start < range.end && range.start.is_finite() && range.end.is_finite()) =>
            {
                Some(format!("the range {range:?} is empty or not finite"))
            }
            Axis::Log(range) if range.start <= 0.0 => {
                Some(format!("the range {range:?} is not positive, as a logarithmic scale asks"))
            }
            Axis::Whole(range) if range.is_empty() => Some(format!("the range {range:?} is empty")),
            Axis::Choice(values) if values.is_empty() => Some("there is nothing to choose from".into()),
            _ => None,
        }
    }
}

impl Point {
    /// The value of the hyperparameter `name`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a name that is not searched.
    pub fn get(&self, name: &str) -> Result<f64> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
            Error::argument("Point::get", format!("`{name}` is not searched; there are {}", names.join(", ")))
        })
    }

    /// All, in the order in which they were named.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

impl Search {
    /// The point with the least measure, the first of equals.
    pub fn lowest(&self) -> Option<&(Point, f64)> {
        let known = self.tried.iter().filter(|(_, value)| !value.is_nan());
        known.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The point with the greatest measure, the first of equals.
    pub fn highest(&self) -> Option<&(Point, f64)> {
        let known = self.tried.iter().filter(|(_, value)| !value.is_nan());
        known.rev().max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// A panel for each hyperparameter, on its scale: what was measured at each point; `measure` names it.
    ///
    /// # Errors
    /// [`Error::Empty`] if nothing finite was measured.
    pub fn plot(&self, measure: &str) -> Result<Picture> {
        let panel = |(i, (name, axis)): (usize, &(String, Axis))| {
            let log = matches!(axis, Axis::Log(_));
            let place = |value: f64| if log { value.log10() } else { value };
            let points = self.tried.iter().map(|(point, value)| (place(point.0[i].1), *value));
            let label = if log { format!("log10 {name}") } else { name.clone() };
            LinePlot::new("", label, measure).points(measure, points)
        };
        side_by_side("Search::plot", self.space.axes.iter().enumerate().map(panel).collect())
    }
}

/// A table: a row for each point, in the order of the trials.
impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell = |value: f64| match value {
            value if value != 0.0 && !(1e-3..1e5).contains(&value.abs()) => format!("{value:.3e}"),
            value if value.fract() == 0.0 => format!("{value}"),
            value => format!("{value:.4}"),
        };
        let names = self.space.axes.iter().map(|(name, _)| name.clone()).chain(["measured".into()]);
        let rows = self.tried.iter().map(|(point, value)| {
            point.0.iter().map(|(_, value)| *value).chain([*value]).map(cell).collect::<Vec<String>>()
        });
        let table: Vec<Vec<String>> = [names.collect()].into_iter().chain(rows).collect();
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..=self.space.axes.len()).map(width).collect();
        for (i, row) in table.iter().enumerate() {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
            let end = if i + 1 < table.len() { "\n" } else { "" };
            write!(f, "{}{end}", cells.join("  "))?;
        }
        Ok(())
    }
}
