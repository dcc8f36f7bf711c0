//! A profile as a flame graph that hangs from the run: below it scopes, then the steps, as wide as they take long.

use std::fmt::{self, Write};
use std::time::Duration;

use super::metrics::{shortened, width};
use super::sketch::Tone;
use super::svg::{colours, escape};
use crate::exec::profile::{Profile, ProfiledStep, readable};
use crate::origin::Phase;

const WIDE: f64 = 1200.0;
const HIGH: f64 = 24.0;
const FONT: f64 = 12.0;
/// Anything narrower says nothing.
const LEAST: f64 = 0.3;

/// A scope or a step, and what is in it.
struct Bar {
    name: String,
    time: Duration,
    tone: Tone,
    tooltip: String,
    within: Vec<Bar>,
}

impl Profile {
    /// Draws where the time goes, as an SVG file: the scopes of the model side by side, in them their steps, each as wide as
    /// it takes long and coloured by forward, tangent and backward; under the pointer it tells all that was measured.
    pub fn svg(&self) -> String {
        let mut root = Bar::new("run".into(), Tone::Leaf, String::new());
        for step in self.steps.iter().filter(|step| step.times > 0) {
            root.add(step);
        }
        let between =
            Bar { time: self.between(), ..Bar::new("between the steps".into(), Tone::Leaf, String::new()) };
        root.within.push(between);
        root.time = root.within.iter().map(|bar| bar.time).sum();
        root.tooltip = format!("{} for a run", readable(self.time));
        root.sort();
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = root.write_all(&mut out);
        out
    }
}

impl Bar {
    fn new(name: String, tone: Tone, tooltip: String) -> Self {
        Bar { name, time: Duration::ZERO, tone, tooltip, within: Vec::new() }
    }

    /// Puts a step below the scopes that it was written in.
    fn add(&mut self, step: &ProfiledStep) {
        let mut at = self;
        for part in step.origin.scope.split('/').filter(|part| !part.is_empty()) {
            let found = at.within.iter().position(|bar| bar.name == part && bar.tone == Tone::Leaf);
            let i = found.unwrap_or_else(|| {
                at.within.push(Bar::new(part.into(), Tone::Leaf, String::new()));
                at.within.len() - 1
            });
            at = &mut at.within[i];
            at.time += step.time;
            at.tooltip = readable(at.time);
        }
        let tone = match step.origin.phase {
            Phase::Forward => Tone::Forward,
            Phase::Tangent => Tone::Tangent,
            Phase::Backward => Tone::Backward,
        };
        let tooltip = format!(
            "{} {}\n{}\n{}, kernel run {} times, {} bytes",
            step.kernel,
            step.label,
            step.origin,
            readable(step.time),
            step.times,
            step.bytes
        );
        at.within.push(Bar {
            time: step.time,
            ..Bar::new(format!("{}, line {}", step.label, step.origin.location.line()), tone, tooltip)
        });
    }

    fn sort(&mut self) {
        self.within.sort_by_key(|bar| std::cmp::Reverse(bar.time));
        self.within.iter_mut().for_each(Bar::sort);
    }

    fn depth(&self) -> usize {
        1 + self.within.iter().map(Bar::depth).max().unwrap_or(0)
    }

    fn write_all(&self, out: &mut String) -> fmt::Result {
        let high = HIGH * self.depth() as f64;
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDE}\" height=\"{high}\" viewBox=\"0 0 {WIDE} {high}\" \
             font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" font-size=\"{FONT}\">"
        )?;
        self.write(out, 0.0, WIDE, 0)?;
        out.push_str("</svg>\n");
        Ok(())
    }

    fn write(&self, out: &mut String, x: f64, wide: f64, level: usize) -> fmt::Result {
        if wide < LEAST {
            return Ok(());
        }
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
        writeln!(out, "</g>")?;
        let mut x = x;
        for bar in &self.within {
            let part = wide * bar.time.as_secs_f64() / self.time.as_secs_f64().max(f64::MIN_POSITIVE);
            bar.write(out, x, part, level + 1)?;
            x += part;
        }
        Ok(())
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
