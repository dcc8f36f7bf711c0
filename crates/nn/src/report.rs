//! The report of a run: one HTML file that needs nothing else, readable on a phone, in the dark and from the keyboard.

use std::fmt::Write as _;
use std::path::Path;

use crate::doctor::{Chart, Doctor, Role};
use crate::error::Result;
use crate::metric::Confusion;
use crate::plot::{LinePlot, Picture, learning_curves};
use crate::{History, Summary};

/// A report, section by section. It holds its drawings itself, and no script.
///
/// ```
/// use chainrule_nn::report::Report;
/// use chainrule_nn::{History, doctor::Doctor};
/// let mut history = History::new();
/// history.record(1, "train loss", 0.9);
/// history.record(2, "train loss", 0.4);
/// let report = Report::new("a run").facts("Configuration", [("seed", "1"), ("rate", "<0.1>")]);
/// let html = report.history(&history)?.doctor(&Doctor::new())?.html();
/// assert!(html.starts_with("<!DOCTYPE html>") && html.contains("&lt;0.1&gt;") && html.contains("<svg"));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    title: String,
    /// Title and HTML of each section.
    sections: Vec<(String, String)>,
}

impl Report {
    /// An empty report.
    pub fn new(title: impl Into<String>) -> Self {
        Report { title: title.into(), sections: Vec::new() }
    }

    /// A section of names and values: a configuration, an environment, the fingerprint of data.
    pub fn facts<N: AsRef<str>, V: ToString>(
        self,
        title: &str,
        facts: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let row = |(name, value): (N, V)| {
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td></tr>",
                text(name.as_ref()),
                text(&value.to_string())
            )
        };
        let rows: String = facts.into_iter().map(row).collect();
        self.section(title, format!("<div class=\"wide\"><table>{rows}</table></div>"))
    }

    /// Learning curves.
    ///
    /// # Errors
    /// A history without numbers.
    pub fn history(self, history: &History) -> Result<Self> {
        let curves = figure(&learning_curves(history)?, "learning curves");
        Ok(self.section("Learning curves", curves))
    }

    /// Findings, and gradients, updates and weights of each layer over the steps.
    ///
    /// # Errors
    /// Numbers that cannot be drawn.
    pub fn doctor(self, doctor: &Doctor) -> Result<Self> {
        let finding = |f: &crate::doctor::Finding| {
            let at =
                if f.line.is_empty() { String::new() } else { format!(" <code>{}</code>", text(&f.line)) };
            let step = f.step.map(|s| format!(" (step {s})")).unwrap_or_default();
            format!(
                "<li><b>{}</b>: {}{step}{at}<br>{}; see {}</li>",
                text(f.illness.name()),
                text(&f.measured),
                text(f.illness.remedy()),
                f.illness.lecture()
            )
        };
        let found: String = doctor.findings().iter().map(finding).collect();
        let found = if found.is_empty() {
            "<p>Nothing is wrong that the doctor knows.</p>".into()
        } else {
            format!("<ul>{found}</ul>")
        };
        let mut report = self.section("Findings", found);
        let chart = doctor.chart();
        let losses = chart.losses.iter().map(|(step, loss)| (*step as f64, *loss));
        let losses: Vec<(f64, f64)> = losses.filter(|(_, loss)| *loss > 0.0 && loss.is_finite()).collect();
        if losses.len() > 1 {
            let plot = LinePlot::new("loss of each step", "step", "loss").line("loss", losses).log_y();
            report = report.section("Loss by steps", figure(&plot.draw()?, "loss of each step"));
        }
        for (title, what, role) in [
            ("Gradients", "root mean square of the gradient", Role::Gradient),
            ("Updates", "update over weight", Role::Update),
            ("Weights", "root mean square of the weight", Role::Parameter),
        ] {
            let plot = by_layer(chart, role, what);
            if let Some(plot) = plot {
                report = report.section(title, figure(&plot.draw()?, what));
            }
        }
        Ok(report)
    }

    /// Which class was taken for which.
    pub fn confusion(self, confusion: &Confusion) -> Self {
        let names: Vec<String> = confusion.classes().names().iter().map(|n| text(n)).collect();
        let head: String = names.iter().map(|n| format!("<th scope=\"col\">{n}</th>")).collect();
        let mut rows = String::new();
        for (label, name) in names.iter().enumerate() {
            let most = (0..names.len()).map(|p| confusion.count(label, p)).sum::<u64>().max(1) as f64;
            let _ = write!(rows, "<tr><th scope=\"row\">{name}</th>");
            for predicted in 0..names.len() {
                let n = confusion.count(label, predicted);
                let strength = n as f64 / most;
                let _ = write!(rows, "<td style=\"--s:{strength:.2}\" class=\"cell\">{n}</td>");
            }
            rows.push_str("</tr>");
        }
        let accuracy = confusion.accuracy();
        let table = format!(
            "<p>Rows are labels, columns predictions. Accuracy {accuracy:.4} of {}.</p>\
             <div class=\"wide\"><table><tr><td></td>{head}</tr>{rows}</table></div>",
            confusion.total()
        );
        self.section("Confusion", table)
    }

    /// The model as a table.
    pub fn summary(self, summary: &Summary) -> Self {
        self.section("Model", format!("<pre class=\"wide\">{}</pre>", text(&summary.to_string())))
    }

    /// A drawing: worst examples, a graph, anything.
    pub fn picture(self, title: &str, picture: &Picture) -> Self {
        let figure = figure(picture, title);
        self.section(title, figure)
    }

    fn section(mut self, title: &str, html: String) -> Self {
        self.sections.push((title.into(), html));
        self
    }

    /// The whole file.
    pub fn html(&self) -> String {
        let title = text(&self.title);
        let (mut links, mut body) = (String::new(), String::new());
        for (i, (name, html)) in self.sections.iter().enumerate() {
            let name = text(name);
            let _ = write!(links, "<a href=\"#s{i}\">{name}</a> ");
            let _ = write!(body, "<section id=\"s{i}\"><h2>{name}</h2>{html}</section>");
        }
        format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
             <style>{STYLE}</style></head><body><h1>{title}</h1><nav>{links}</nav><main>{body}</main></body></html>\n"
        )
    }

    /// Writes the file: the old one or the new one is there at any moment.
    ///
    /// # Errors
    /// An I/O error naming the path.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        crate::history::write_text(path.as_ref(), &self.html())
    }
}

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}\
svg{max-width:100%;height:auto;background:#fff;border-radius:.3rem}figure{margin:0}nav a{display:inline-block;padding:.2rem .4rem}\
table{border-collapse:collapse}th,td{padding:.2rem .6rem;border-bottom:1px solid #8884;text-align:left}\
.wide{overflow-x:auto}.cell{background:rgb(70 130 200/calc(var(--s)*.7));text-align:right}\
a:focus-visible{outline:3px solid #48c}code{overflow-wrap:anywhere}";

/// A line for each weight; updates are shown in shares of the weight.
fn by_layer(chart: &Chart, role: Role, what: &str) -> Option<LinePlot> {
    let mut plot = LinePlot::new(what, "step", what).log_y();
    let mut lines = 0;
    for ((_, name), readings) in chart.readings.iter().filter(|((r, _), _)| *r == role) {
        let weights = chart.readings.get(&(Role::Parameter, name.clone()));
        let scale = |i: usize| match (role, weights.and_then(|w| w.get(i))) {
            (Role::Update, Some((_, weight))) => weight.rms,
            _ => 1.0,
        };
        let points = readings.iter().enumerate().map(|(i, (step, v))| (*step as f64, v.rms / scale(i)));
        let points: Vec<(f64, f64)> = points.filter(|(_, y)| *y > 0.0 && y.is_finite()).collect();
        if points.len() > 1 && lines < 12 {
            plot = plot.line(name.as_str(), points);
            lines += 1;
        }
    }
    (lines > 0).then_some(plot)
}

fn figure(picture: &Picture, what: &str) -> String {
    format!("<figure role=\"img\" aria-label=\"{}\">{}</figure>", text(what), picture.svg())
}

/// Text that no character of which is taken for a tag.
fn text(raw: &str) -> String {
    raw.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
