//! What a report shows of data, metrics, parameters, models, plans and several runs.

use std::fmt::Write as _;
use std::panic::Location;

use chainrule_graph::{Compiled, Graph, Kind};
use chainrule_tensor::{DType, Shape, Tensor};

use super::{Report, grid, plotted, scrolling, text};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::metric::Ranking;
use crate::plot::{LinePlot, image_sheet};
use crate::scope::{Mode, Scope};
use crate::{History, Layer, Params};

/// Bars of a histogram, and weights that are shown.
const BARS: usize = 40;
const SHOWN: usize = 12;

impl Report {
    /// Data: sizes, classes, and a fingerprint ([`Dataset::fingerprint`]) that tells whether others are the same.
    pub fn data(self, name: &str, data: &Dataset) -> Self {
        let mut facts = vec![
            ("examples", data.examples().to_string()),
            ("features", format!("{} {}", data.features().dtype(), data.example_shape())),
        ];
        if let (Some(classes), Some(counts)) = (data.classes(), data.class_counts()) {
            let of = classes.names().iter().zip(counts).take(20).map(|(name, n)| format!("{name} {n}"));
            facts.push(("classes", of.collect::<Vec<_>>().join(", ")));
        }
        facts.push(("SHA-256", data.fingerprint()));
        self.facts(name, facts)
    }

    /// Yes and no by a score: the ROC curve, precision over recall, and, for probabilities, the reliability diagram.
    ///
    /// # Errors
    /// [`Error::Argument`] unless there are both yes and no.
    pub fn ranking(self, ranking: &Ranking) -> Result<Self> {
        let curve = ranking.curve()?;
        let roc = [(0.0, 0.0)].into_iter().chain(curve.iter().map(|t| (t.false_alarms, t.recall)));
        let (area, precision) = (ranking.roc_auc()?, ranking.average_precision()?);
        let mut plots = vec![
            LinePlot::new(format!("ROC, area {area:.4}"), "false alarms", "recall")
                .line("model", roc)
                .line("chance", [(0.0, 0.0), (1.0, 1.0)]),
            LinePlot::new(format!("Average precision {precision:.4}"), "recall", "precision")
                .line("model", curve.iter().map(|t| (t.recall, t.precision))),
        ];
        if let Ok(bins) = ranking.reliability(10) {
            let error = ranking.calibration_error(10)?;
            let points = bins.iter().map(|(_, probability, share)| (*probability, *share));
            let title = format!("Reliability, calibration error {error:.4}");
            plots.push(
                LinePlot::new(title, "probability", "share of yes")
                    .line("model", points)
                    .line("as it should be", [(0.0, 0.0), (1.0, 1.0)]),
            );
        }
        Ok(self.section("Ranking", grid(&plots, "ranking")?))
    }

    /// The formula of a model for `inputs` of this shape, batch included: the outermost scopes are boxes within which each operation
    /// stands with its shape and line, what is nested deeper is one box each.
    ///
    /// # Errors
    /// Any error in the model, with the user's line.
    #[track_caller]
    pub fn graph(self, model: &impl Layer, params: &Params, inputs: impl Into<Shape>) -> Result<Self> {
        let graph = Graph::new();
        let x = graph.input("x", inputs, Kind::Real);
        let passed = graph.passed_at(Location::caller());
        let output = model.forward(&Scope::root(&graph, params.clone(), Mode::Train, 0), x);
        output.checked()?;
        drop(passed);
        let svg = graph.picture(&[output]).depth(1).svg()?;
        let figure = format!("<figure role=\"img\" aria-label=\"graph of the model\">{svg}</figure>");
        Ok(self.section("Graph", scrolling("graph", &figure)))
    }

    /// A plan, such as that of a [step](crate::Step::plan): the bytes that it holds while it runs, and its steps.
    pub fn plan(self, title: &str, plan: &Compiled) -> Self {
        let steps = plan.to_string();
        let facts = format!("<p>{} bytes planned.</p>", plan.bytes());
        let listed = scrolling("steps of the plan", &format!("<pre>{}</pre>", text(&steps)));
        self.section(title, format!("{facts}<details><summary>Steps</summary>{listed}</details>"))
    }

    /// How the elements of each parameter are spread, of the first twelve that are no single number.
    ///
    /// # Errors
    /// [`Error::Empty`] if there is nothing finite to show.
    pub fn histograms(self, params: &Params) -> Result<Self> {
        let mut plots = Vec::new();
        for (path, value) in params.iter().filter(|(_, value)| value.size() > 1).take(SHOWN) {
            let values = value.cast(DType::F64).to_vec::<f64>()?;
            let finite = || values.iter().copied().filter(|v| v.is_finite());
            let (least, most) = finite().fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(v), m.max(v)));
            if least > most {
                continue;
            }
            let width = if most > least { (most - least) / BARS as f64 } else { 1.0 };
            let mut counts = [0.0; BARS];
            finite().for_each(|v| counts[(((v - least) / width) as usize).min(BARS - 1)] += 1.0);
            // A bar is a step of the outline.
            let outline = counts.iter().enumerate().flat_map(|(i, count)| {
                let left = least + i as f64 * width;
                [(left, *count), (left + width, *count)]
            });
            plots.push(LinePlot::new("", path, "elements").line(path, outline));
        }
        if plots.is_empty() {
            return Err(Error::Empty { op: "Report::histograms", what: "parameters" });
        }
        Ok(self.section("Parameters", grid(&plots, "histogram of parameters")?))
    }

    /// The `most` examples with the greatest `losses` ([`Evaluator::losses`](crate::Evaluator::losses)), with label and what was
    /// `predicted` ([`Evaluation::classes`](crate::Evaluation::classes)); images, (height, width) or with one channel, are shown.
    ///
    /// # Errors
    /// [`Error::Unpaired`] unless there is a loss and a prediction for each example; data without classes.
    pub fn worst(self, data: &Dataset, losses: &[f64], predicted: &Tensor, most: usize) -> Result<Self> {
        const OP: &str = "Report::worst";
        let Some(classes) = data.classes() else {
            return Err(Error::argument(OP, "the targets are no classes"));
        };
        let (labels, predicted) = (data.targets().to_vec::<i64>()?, predicted.to_vec::<i64>()?);
        for (right_name, right) in [("losses", losses.len()), ("predictions", predicted.len())] {
            if right != data.examples() || labels.len() != data.examples() {
                return Err(Error::Unpaired {
                    op: OP,
                    left_name: "examples",
                    left: data.examples(),
                    right_name,
                    right,
                });
            }
        }
        let mut rows: Vec<usize> = (0..losses.len()).collect();
        rows.sort_by(|a, b| losses[*b].total_cmp(&losses[*a]));
        rows.truncate(most);
        let name = |label: i64| usize::try_from(label).ok().and_then(|i| classes.name(i)).unwrap_or("?");
        let mut table = String::from(
            "<tr><th scope=\"col\">row</th><th scope=\"col\">loss</th><th scope=\"col\">label</th><th scope=\"col\">predicted</th></tr>",
        );
        let mut captions = Vec::new();
        for &row in &rows {
            let (label, guess) = (name(labels[row]), name(predicted[row]));
            let _ = write!(
                table,
                "<tr><th scope=\"row\">{row}</th><td>{:.3}</td><td>{}</td><td>{}</td></tr>",
                losses[row],
                text(label),
                text(guess)
            );
            let wrong = if label == guess { String::new() } else { format!(", not {guess}") };
            captions.push(format!("{row}: {label}{wrong}"));
        }
        let mut html = super::scrolling("worst examples", &format!("<table>{table}</table>"));
        let shape = data.example_shape();
        if let [height, width] | [1, height, width] = shape[..] {
            let images = data.select(&rows)?.reshape_examples(&[height as isize, width as isize])?;
            let sheet = image_sheet(&images.features().cast(DType::F32), &captions, 4)?;
            html.push_str(&super::figure(&sheet, "worst examples"));
        }
        Ok(self.section("Worst examples", html))
    }

    /// Several runs side by side: what each measured last, the best of it in brackets, and a plot for each series.
    ///
    /// # Errors
    /// [`Error::Empty`] if nothing was measured.
    pub fn compare(self, runs: &[(&str, &History)]) -> Result<Self> {
        let mut names: Vec<&str> = Vec::new();
        for name in runs.iter().flat_map(|(_, history)| history.names()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let head: String =
            names.iter().map(|name| format!("<th scope=\"col\">{}</th>", text(name))).collect();
        let mut rows = String::new();
        for (run, history) in runs {
            let _ = write!(rows, "<tr><th scope=\"row\">{}</th>", text(run));
            for name in &names {
                // A loss or an error is good where it is low.
                let higher =
                    ["accuracy", "precision", "recall", "F1", "AUC"].iter().any(|word| name.contains(word));
                let best = if higher { history.highest(name) } else { history.lowest(name) };
                match (history.last(name), best) {
                    (Some((_, last)), Some((epoch, best))) => {
                        let _ = write!(rows, "<td>{last:.4} ({best:.4} in epoch {epoch})</td>");
                    }
                    _ => rows.push_str("<td>–</td>"),
                }
            }
            rows.push_str("</tr>");
        }
        let plot = |name: &&str| {
            runs.iter().fold(LinePlot::new("", "epoch", *name), |plot, (run, history)| {
                plot.line(*run, history.series(name).iter().map(|(epoch, value)| (*epoch as f64, *value)))
            })
        };
        let plots: Vec<LinePlot> = names.iter().map(plot).filter(|plot| plot.check().is_ok()).collect();
        if plots.is_empty() {
            return Err(Error::Empty { op: "Report::compare", what: "series" });
        }
        let table = super::scrolling("runs", &format!("<table><tr><td></td>{head}</tr>{rows}</table>"));
        Ok(self.section("Runs", table + &grid(&plots, "runs side by side")?))
    }
}

impl LinePlot {
    /// As a figure of a report, small enough to be read on a phone.
    pub(super) fn figure(&self, what: &str) -> Result<String> {
        Ok(plotted(&self.draw_at((440, 330))?, what))
    }
}
