//! Parts of a whole as a flame graph that hangs down: each bar as wide as its share.

use std::fmt::{self, Write};

use crate::metrics::{shortened, width};
use crate::sketch::Tone;
use crate::svg::{colours, escape};

const WIDE: f64 = 1200.0;
const HIGH: f64 = 24.0;
const FONT: f64 = 12.0;
/// Anything narrower says nothing.
const LEAST: f64 = 0.3;

/// A whole, and its parts below it.
///
/// ```
/// use chainrule_sketch::{Bar, Tone};
/// let part = |name: &str, size| Bar { name: name.into(), size, ..Bar::default() };
/// let day = Bar { within: vec![part("sleep", 8.0), part("work", 7.5)], ..part("day", 24.0) };
/// let svg = day.svg();
/// assert!(svg.contains(">sleep<") && svg.contains("width=\"400.00\""));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bar {
    /// What stands in it, as far as it fits.
    pub name: String,
    /// How great it is. Its parts are as wide as their sizes in this; a size that is no positive number has no width.
    pub size: f64,
    /// Its colour.
    pub tone: Tone,
    /// Shown while the pointer rests on it, below its name.
    pub tooltip: String,
    /// Its parts, from left to right. What their sizes leave of its own stays free.
    pub within: Vec<Bar>,
}

impl Bar {
    /// The whole as an SVG file. Parts too narrow to be seen are left out, with all that is in them.
    pub fn svg(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_all(&mut out);
        out
    }

    fn write_all(&self, out: &mut String) -> fmt::Result {
        let high = HIGH * self.depth() as f64;
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDE}\" height=\"{high}\" viewBox=\"0 0 {WIDE} {high}\" \
             font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" font-size=\"{FONT}\">"
        )?;
        // No recursion: parts may be nested deeply.
        let mut open = vec![(self, 0.0, WIDE, 0_usize)];
        while let Some((bar, x, wide, level)) = open.pop() {
            if wide < LEAST {
                continue;
            }
            bar.write(out, x, wide, level)?;
            let mut x = x;
            let first = open.len();
            for part in &bar.within {
                let share = wide * part.size / bar.size.max(f64::MIN_POSITIVE);
                // What is no number has no width; nothing is wider than the whole.
                let share = if share > 0.0 { share.min(wide) } else { 0.0 };
                open.push((part, x, share, level + 1));
                x += share;
            }
            open[first..].reverse();
        }
        out.push_str("</svg>\n");
        Ok(())
    }

    fn depth(&self) -> usize {
        let (mut deepest, mut open) = (0, vec![(self, 1)]);
        while let Some((bar, depth)) = open.pop() {
            deepest = deepest.max(depth);
            open.extend(bar.within.iter().map(|part| (part, depth + 1)));
        }
        deepest
    }

    fn write(&self, out: &mut String, x: f64, wide: f64, level: usize) -> fmt::Result {
        let (y, [fill, edge, _]) = (HIGH * level as f64, colours(self.tone));
        write!(out, "<g><title>")?;
        escape(&format!("{}\n{}", self.name, self.tooltip), out);
        write!(
            out,
            "</title><rect x=\"{x:.2}\" y=\"{y}\" width=\"{wide:.2}\" height=\"{HIGH}\" fill=\"{fill}\" stroke=\"{edge}\" \
             stroke-width=\"0.5\"/>"
        )?;
        if let Some(name) = fitting(&self.name, wide - 8.0) {
            write!(out, "<text x=\"{:.2}\" y=\"{:.2}\" fill=\"#1c1c1a\">", x + 4.0, y + HIGH * 0.68)?;
            escape(&name, out);
            write!(out, "</text>")?;
        }
        writeln!(out, "</g>")
    }
}

/// As much of a name as fits, if that is enough to tell something.
fn fitting(name: &str, wide: f64) -> Option<String> {
    let letters = name.chars().count();
    (letters.min(4)..=letters)
        .rev()
        .map(|most| shortened(name, most))
        .find(|name| width(name, FONT, false) <= wide)
}
