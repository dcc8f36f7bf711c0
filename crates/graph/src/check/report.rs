//! What a gradient check found, for programs and for people.

use std::fmt;

use super::culprit::Culprit;
use super::verdict::{Band, Verdict};

/// The element (or direction) on which the two derivatives differ most.
#[derive(Clone, Debug, PartialEq)]
pub struct Worst {
    /// Its position; the number of the direction if directions were checked.
    pub index: Vec<usize>,
    /// What automatic differentiation says.
    pub recorded: f64,
    /// What differences of values say.
    pub numeric: f64,
}

/// What was moved to take differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One element at a time.
    Elements,
    /// All elements at once, along random directions.
    Directions,
}

/// The check of one parameter.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// 1 for the gradient, 2 for the gradient's own derivatives.
    pub order: usize,
    /// What was moved.
    pub mode: Mode,
    /// How many elements or directions were checked.
    pub checked: usize,
    /// ‖g − ĝ‖₂ / (‖g‖₂ + ‖ĝ‖₂) over what was checked; 0 if both are 0. At a kink, ĝ is the slope next to g.
    pub difference: f64,
    /// How far the differences themselves may be off, in the same measure.
    pub error: f64,
    /// The step at the worst element, relative to the size of the element or 1, whichever is greater.
    pub step: f64,
    /// The element that differs most; `None` if nothing was checked.
    pub worst: Option<Worst>,
    /// The conclusion.
    pub verdict: Verdict,
}

impl Parameter {
    /// An entry before the check.
    pub(super) fn unchecked(name: String, shape: Vec<usize>, order: usize, mode: Mode) -> Self {
        let (difference, error, step) = (0.0, 0.0, 0.0);
        Parameter {
            name,
            shape,
            order,
            mode,
            checked: 0,
            difference,
            error,
            step,
            worst: None,
            verdict: Verdict::Pass,
        }
    }

    /// The conclusion in the words of the course: [`Band::Fine`] unless there is something to look at.
    pub fn band(&self) -> Band {
        match &self.verdict {
            Verdict::Pass | Verdict::Kink(_) if self.difference <= 4.0 * self.error => Band::Fine,
            Verdict::Pass | Verdict::Kink(_) => Band::of(self.difference).min(Band::Look),
            Verdict::NoiseFloor { .. } => Band::Look,
            _ => Band::Wrong,
        }
    }
}

/// The check of all parameters of a function.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// One entry per parameter, in the order asked for; then those of second order, if asked for.
    pub parameters: Vec<Parameter>,
    /// The measure over all that was checked; the greatest, if several orders were.
    pub difference: f64,
    /// If a gradient is wrong: the recorded operations whose own derivatives are wrong, the one nearest to the loss
    /// first.
    pub culprits: Vec<Culprit>,
}

impl Report {
    /// The worst band of any parameter.
    pub fn band(&self) -> Band {
        self.parameters.iter().map(Parameter::band).max().unwrap_or(Band::Fine)
    }

    /// Whether every parameter is [`Band::Fine`].
    pub fn is_fine(&self) -> bool {
        self.band() == Band::Fine
    }

    /// The gravest verdict of any parameter.
    pub fn verdict(&self) -> &Verdict {
        self.parameters.iter().map(|p| &p.verdict).max_by_key(|v| gravity(v)).unwrap_or(&Verdict::Pass)
    }
}

fn gravity(verdict: &Verdict) -> usize {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Kink(_) => 1,
        Verdict::NoiseFloor { .. } => 2,
        Verdict::Unused(_) => 3,
        Verdict::Random { .. } => 4,
        Verdict::Wrong(_) => 5,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = |p: &Parameter| {
            if p.order > 1 { format!("{} (order {})", p.name, p.order) } else { p.name.clone() }
        };
        let width = self.parameters.iter().map(|p| title(p).chars().count()).max().unwrap_or(0).max(9);
        let (checked, difference, step) = ("checked", "difference", "step");
        writeln!(
            f,
            "{:width$}  {checked:>9}  {difference:>10}  {step:>7}  verdict  worst element",
            "parameter"
        )?;
        for p in &self.parameters {
            let size: usize = p.shape.iter().product();
            let checked = match p.mode {
                Mode::Elements => format!("{}/{size}", p.checked),
                Mode::Directions => format!("{} dirs", p.checked),
            };
            let (title, difference, step) = (title(p), p.difference, p.step);
            let word =
                if p.verdict == Verdict::Pass && p.band() == Band::Look { "look" } else { p.verdict.word() };
            write!(f, "{title:width$}  {checked:>9}  {difference:>10.1e}  {step:>7.0e}  {word:7}")?;
            match &p.worst {
                Some(w) => {
                    writeln!(f, "  {:?}: recorded {:.9e}, numeric {:.9e}", w.index, w.recorded, w.numeric)?
                }
                None => writeln!(f)?,
            }
        }
        write!(f, "{:width$}  {:>9}  {:>10.1e}  {:>7}  {}", "all", "", self.difference, "", self.verdict())?;
        for p in &self.parameters {
            if let Some(why) = p.verdict.explanation() {
                write!(f, "\n`{}`: {why}", p.name)?;
                let still = p.worst.as_ref().is_some_and(|w| w.recorded == 0.0);
                if still && matches!(p.verdict, Verdict::NoiseFloor { .. }) {
                    f.write_str("; the recorded gradient is 0 there, as at a minimum: check beside it")?;
                }
            }
        }
        for culprit in &self.culprits {
            write!(f, "\n\n{culprit}")?;
        }
        if self.verdict().is_wrong() && self.culprits.is_empty() {
            write!(
                f,
                "\n\nno culprit: each recorded operation stands the check on its own, as far as looked at"
            )?;
        }
        Ok(())
    }
}
