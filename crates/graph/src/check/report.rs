//! What a gradient check found, for programs and for people.

use std::fmt;

/// How far apart two gradients are, in the words of the course.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// Below 1e-6 (the notes' "about 1e-7"): differences of rounding.
    Fine,
    /// Below 1e-4 (the notes' "about 1e-5"): look at the worst element.
    Look,
    /// 1e-4 and above (the notes' "about 1e-3"), or not a number: one of the two is wrong.
    Wrong,
}

impl Band {
    /// The band of a relative difference.
    pub fn of(difference: f64) -> Band {
        match difference {
            d if d < 1e-6 => Band::Fine,
            d if d < 1e-4 => Band::Look,
            _ => Band::Wrong,
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Band::Fine => "fine",
            Band::Look => "look",
            Band::Wrong => "WRONG",
        })
    }
}

/// The element on which the two gradients differ most.
#[derive(Clone, Debug, PartialEq)]
pub struct Worst {
    /// Its position.
    pub index: Vec<usize>,
    /// What automatic differentiation says.
    pub recorded: f64,
    /// What differences of values say.
    pub numeric: f64,
}

/// The check of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// How many of its elements were checked.
    pub checked: usize,
    /// ‖g − ĝ‖₂ / (‖g‖₂ + ‖ĝ‖₂) over the checked elements; 0 if both are 0.
    pub difference: f64,
    /// The element that differs most; `None` if it has no elements.
    pub worst: Option<Worst>,
}

/// The check of all parameters of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// One entry per parameter, in the order asked for.
    pub parameters: Vec<Parameter>,
    /// The measure over all checked elements together.
    pub difference: f64,
}

impl Report {
    /// The worst band of any parameter.
    pub fn band(&self) -> Band {
        self.parameters.iter().map(|p| Band::of(p.difference)).fold(Band::of(self.difference), Band::max)
    }

    /// Whether every parameter is [`Band::Fine`].
    pub fn is_fine(&self) -> bool {
        self.band() == Band::Fine
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.parameters.iter().map(|p| p.name.chars().count()).max().unwrap_or(0).max(9);
        writeln!(
            f,
            "{:width$}  {:>9}  {:>10}  verdict  worst element",
            "parameter", "checked", "difference"
        )?;
        for p in &self.parameters {
            let size: usize = p.shape.iter().product();
            let checked = format!("{}/{size}", p.checked);
            write!(
                f,
                "{:width$}  {checked:>9}  {:>10.1e}  {:7}",
                p.name,
                p.difference,
                Band::of(p.difference)
            )?;
            match &p.worst {
                Some(w) => {
                    writeln!(f, "  {:?}: recorded {:.9e}, numeric {:.9e}", w.index, w.recorded, w.numeric)?;
                }
                None => writeln!(f)?,
            }
        }
        write!(f, "{:width$}  {:>9}  {:>10.1e}  {}", "all", "", self.difference, self.band())
    }
}
