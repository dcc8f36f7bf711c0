//! A profile as a flame graph that hangs from the run: below it scopes, then the steps, as wide as they take long.

use std::time::Duration;

use chainrule_sketch::{Bar, Tone};

use super::style::{self, LEAF};
use crate::exec::profile::{Profile, ProfiledStep, readable};

/// Scopes that stand deeper are one bar.
const LEVELS: usize = 64;

/// A scope or a step, and what is in it.
struct Part {
    name: String,
    time: Duration,
    tone: Tone,
    tooltip: String,
    within: Vec<Part>,
}

impl Profile {
    /// Draws where the time goes, as an SVG file: the scopes of the model side by side, in them their steps, each as wide as
    /// it takes long and coloured by forward, tangent and backward; under the pointer it tells all that was measured.
    pub fn svg(&self) -> String {
        let mut root = Part::new("run".into(), LEAF, String::new());
        for step in self.steps.iter().filter(|step| step.times > 0) {
            root.add(step);
        }
        let between =
            Part { time: self.between(), ..Part::new("between the steps".into(), LEAF, String::new()) };
        root.within.push(between);
        root.time = root.within.iter().map(|part| part.time).sum();
        root.tooltip = format!("{} for a run", readable(self.time));
        root.bar().svg()
    }
}

impl Part {
    fn new(name: String, tone: Tone, tooltip: String) -> Self {
        Part { name, time: Duration::ZERO, tone, tooltip, within: Vec::new() }
    }

    /// Puts a step below the scopes that it was written in.
    fn add(&mut self, step: &ProfiledStep) {
        let mut at = self;
        for name in step.origin.scope.splitn(LEVELS, '.').filter(|name| !name.is_empty()) {
            let found = at.within.iter().position(|part| part.name == name && part.tone == LEAF);
            let i = found.unwrap_or_else(|| {
                at.within.push(Part::new(name.into(), LEAF, String::new()));
                at.within.len() - 1
            });
            at = &mut at.within[i];
            at.time += step.time;
            at.tooltip = readable(at.time);
        }
        let tooltip = format!(
            "{} {}\n{}\n{}, kernel run {} times, {} bytes",
            step.kernel,
            step.label,
            step.origin,
            readable(step.time),
            step.times,
            step.bytes
        );
        let name = format!("{}, line {}", step.label, step.origin.location.line());
        at.within.push(Part { time: step.time, ..Part::new(name, style::tone(step.origin.phase), tooltip) });
    }

    /// What is drawn: the longest first.
    fn bar(mut self) -> Bar {
        self.within.sort_by_key(|part| std::cmp::Reverse(part.time));
        let Part { name, time, tone, tooltip, within } = self;
        let within = within.into_iter().map(Part::bar).collect();
        Bar { name, size: time.as_secs_f64(), tone, tooltip, within }
    }
}
