//! The report of a run: one HTML file that needs nothing else, readable on a phone, in the dark and from the keyboard.

mod sections;

use std::fmt::Write as _;
use std::path::Path;

use crate::doctor::{Chart, Doctor, Role};
use crate::error::{Error, Result};
use crate::metric::Confusion;
use crate::plot::{LinePlot, Picture, panels};
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
        self.section(title, scrolling(title, &format!("<table>{rows}</table>")))
    }

    /// Learning curves.
    ///
    /// # Errors
    /// A history without numbers.
    pub fn history(self, history: &History) -> Result<Self> {
        let plots: Vec<LinePlot> = panels(history).into_iter().filter(|plot| plot.check().is_ok()).collect();
        if plots.is_empty() {
            return Err(Error::Empty { op: "Report::history", what: "series" });
        }
        Ok(self.section("Learning curves", grid(&plots, "learning curves")?))
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
            report = report.section("Loss by steps", plot.figure("loss of each step")?);
        }
        for (title, what, role) in [
            ("Gradients", "root mean square of the gradient", Role::Gradient),
            ("Updates", "update over weight", Role::Update),
            ("Weights", "root mean square of the weight", Role::Parameter),
        ] {
            let plot = by_layer(chart, role, what);
            if let Some(plot) = plot {
                report = report.section(title, plot.figure(what)?);
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
        let table = scrolling("confusion", &format!("<table><tr><td></td>{head}</tr>{rows}</table>"));
        let total = confusion.total();
        let what = format!("<p>Rows are labels, columns predictions. Accuracy {accuracy:.4} of {total}.</p>");
        self.section("Confusion", what + &table)
    }

    /// The model as a table.
    pub fn summary(self, summary: &Summary) -> Self {
        self.section("Model", scrolling("model", &format!("<pre>{}</pre>", text(&summary.to_string()))))
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
             <style>{STYLE}</style></head><body><a class=\"skip\" href=\"#s0\">To the first section</a>\
             <h1>{title}</h1><nav aria-label=\"sections\">{links}</nav><main>{body}</main></body></html>\n"
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
:root{color-scheme:light dark;--line:#8886;--soft:#8881}*{box-sizing:border-box}\
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:1rem;overflow-wrap:break-word}\
h1{line-height:1.2;margin:.5rem 0}h2{margin:0 0 .6rem}section{padding:1rem 0;border-top:1px solid var(--line)}\
nav{display:flex;flex-wrap:wrap;gap:.3rem;margin:.8rem 0}nav a{padding:.25rem .6rem;border:1px solid var(--line);border-radius:1rem;text-decoration:none}\
nav a:hover{background:var(--soft)}figure{margin:0}svg{display:block;max-width:100%;height:auto;background:#fff;border-radius:.3rem}\
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1rem}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}\
th[scope=row]{white-space:nowrap}td{overflow-wrap:anywhere;min-width:3rem}.wide{overflow-x:auto}pre{margin:0;font-size:.85rem}\
.cell{background:rgb(70 130 200/calc(var(--s)*.7));text-align:right}li{margin:.4rem 0}code{overflow-wrap:anywhere}\
a:focus-visible,.wide:focus-visible{outline:3px solid #48c;outline-offset:2px}\
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:Canvas;padding:.4rem}\
@media(prefers-color-scheme:dark){.plot svg{filter:invert(.92) hue-rotate(180deg)}}\
@media print{nav,.skip{display:none}section{break-inside:avoid}}";

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

/// A figure of lines, whose colours may be turned round in the dark.
fn plotted(picture: &Picture, what: &str) -> String {
    format!("<figure class=\"plot\" role=\"img\" aria-label=\"{}\">{}</figure>", text(what), picture.svg())
}

/// Plots beside each other where there is room.
fn grid(plots: &[LinePlot], what: &str) -> Result<String> {
    let figures = plots.iter().map(|plot| plot.figure(what)).collect::<Result<String>>()?;
    Ok(format!("<div class=\"grid\">{figures}</div>"))
}

/// What may be wider than the page: it scrolls by itself, from the keyboard too.
fn scrolling(what: &str, html: &str) -> String {
    format!("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">{html}</div>", text(what))
}

/// Text that no character of which is taken for a tag.
fn text(raw: &str) -> String {
    raw.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
