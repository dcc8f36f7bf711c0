//! Lines over a common x axis.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, Scale};
use super::{Area, Picture, Refusal, fine, font, text_width};
use crate::{Error, Result};

/// Okabe and Ito's colours: told apart with any kind of colour vision.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x33, 0x33, 0x33),
];

/// Lines with up to this many points show each point.
const MARKED: usize = 25;
const LEGEND_FONT: i32 = 14;
const LEGEND_ROW: i32 = 22;

/// One or more named lines with labelled axes and a legend above them.
///
/// Points that are NaN or infinite leave a gap.
///
/// ```
/// use chainrule_nn::plot::LinePlot;
///
/// let sine = (0..100).map(|i| f64::from(i) * 0.1).map(|x| (x, x.sin()));
/// let picture = LinePlot::new("Sine", "x", "sin x").line("f32", sine).draw()?;
/// assert!(picture.svg().starts_with("<svg"));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LinePlot {
    title: String,
    x: String,
    y: String,
    lines: Vec<(String, Vec<(f64, f64)>)>,
    /// The lines of which only the points are shown.
    loose: Vec<usize>,
    scale: Scale,
}

impl LinePlot {
    /// A plot without lines; `x` and `y` label the axes.
    pub fn new(title: impl Into<String>, x: impl Into<String>, y: impl Into<String>) -> Self {
        let (lines, loose) = (Vec::new(), Vec::new());
        LinePlot { title: title.into(), x: x.into(), y: y.into(), lines, loose, scale: Scale::Linear }
    }

    /// With one more line, drawn through `points` (x, y) in their order.
    pub fn line(mut self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.add(name, points);
        self
    }

    /// With points that no line joins.
    pub fn points(mut self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.loose.push(self.lines.len());
        self.add(name, points);
        self
    }

    pub(super) fn add(&mut self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) {
        self.lines.push((name.into(), points.into_iter().collect()));
    }

    /// With a logarithmic y axis; points at or below 0 leave a gap.
    pub fn log_y(self) -> Self {
        LinePlot { scale: Scale::Log, ..self }
    }

    /// The picture, 640 by 400.
    ///
    /// # Errors
    /// [`Error::Empty`] if no line has a point that can be shown.
    pub fn draw(&self) -> Result<Picture> {
        self.check()?;
        Picture::draw("LinePlot", (640, 400), |area| self.paint(area))
    }

    pub(crate) fn draw_at(&self, size: (i32, i32)) -> Result<Picture> {
        self.check()?;
        Picture::draw("LinePlot", size, |area| self.paint(area))
    }

    pub(crate) fn check(&self) -> Result<()> {
        let visible = self.lines.iter().any(|(_, points)| points.iter().any(|p| self.shows(*p)));
        if visible { Ok(()) } else { Err(Error::Empty { op: "LinePlot", what: "lines" }) }
    }

    fn shows(&self, (x, y): (f64, f64)) -> bool {
        Scale::Linear.shows(x) && self.scale.shows(y)
    }

    pub(super) fn paint(&self, area: &Area<'_>) -> Result<(), Refusal> {
        let area = area.margin(fine(8), fine(8), fine(8), fine(8));
        let area = if self.title.is_empty() { area } else { area.titled(&self.title, font(18))? };
        self.chart(&self.legend(&area)?)
    }

    /// Draws the legend and returns what is left below it: in a strip of its own it never hides a line.
    fn legend<'a>(&self, area: &Area<'a>) -> Result<Area<'a>, Refusal> {
        let (left, right) = (fine(16), area.dim_in_pixel().0 as i32);
        let (mut x, mut y) = (left, fine(LEGEND_ROW / 2));
        for (i, (name, _)) in self.lines.iter().enumerate() {
            let width = fine(30 + text_width(name, LEGEND_FONT) + 12);
            if x > left && x + width > right {
                (x, y) = (left, y + fine(LEGEND_ROW));
            }
            let middle = font(LEGEND_FONT).pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&PathElement::new(vec![(x, y), (x + fine(24), y)], stroke(i)))?;
            area.draw(&Text::new(name.clone(), (x + fine(30), y), middle))?;
            x += width;
        }
        Ok(area.split_vertically(y + fine(LEGEND_ROW / 2)).1)
    }

    fn chart(&self, area: &Area<'_>) -> Result<(), Refusal> {
        let shown = || self.lines.iter().flat_map(|(_, points)| points).filter(|p| self.shows(**p));
        let whole = shown().all(|(x, _)| x.fract() == 0.0);
        let x = Axis::around(shown().map(|p| p.0), if whole { Scale::Whole } else { Scale::Linear }, 0.0);
        let y = Axis::around(shown().map(|p| p.1), self.scale, 0.05);
        let mut chart = ChartBuilder::on(area)
            .margin_right(fine(20))
            .margin_top(fine(6))
            .x_label_area_size(fine(42))
            .y_label_area_size(fine(64))
            .build_cartesian_2d(x.range(), y.range())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(RGBColor(0xE5, 0xE5, 0xE5).stroke_width(fine(1) as u32))
            .axis_style(RGBColor(0x99, 0x99, 0x99).stroke_width(fine(1) as u32))
            .set_all_tick_mark_size(fine(4))
            .label_style(font(12))
            .axis_desc_style(font(14))
            .x_labels(x.ticks())
            .y_labels(y.ticks())
            .x_label_formatter(&|place| x.label(*place))
            .y_label_formatter(&|place| y.label(*place))
            .x_desc(&self.x)
            .y_desc(&self.y)
            .draw()?;
        for (i, (_, points)) in self.lines.iter().enumerate() {
            for run in points.split(|p| !self.shows(*p)).filter(|run| !run.is_empty()) {
                let run = run.iter().map(|p| (x.place(p.0), y.place(p.1)));
                let loose = self.loose.contains(&i);
                if !loose {
                    chart.draw_series(LineSeries::new(run.clone(), stroke(i)))?;
                }
                if loose || points.len() <= MARKED {
                    chart.draw_series(run.map(|p| Circle::new(p, fine(3), stroke(i).filled())))?;
                }
            }
        }
        Ok(())
    }
}

fn stroke(line: usize) -> ShapeStyle {
    COLOURS[line % COLOURS.len()].stroke_width(fine(2) as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_numbers_can_be_drawn(
            points in proptest::collection::vec((any::<f64>(), any::<f64>()), 1..30),
            log in any::<bool>(),
        ) {
            let plot = LinePlot::new("noise", "x", "y").line("noise", points);
            let plot = if log { plot.log_y() } else { plot };
            match plot.draw() {
                Ok(picture) => prop_assert!(!picture.svg().contains("NaN")),
                Err(error) => prop_assert!(matches!(error, Error::Empty { .. }), "{}", error),
            }
        }
    }

    #[test]
    fn nothing_to_show_is_an_error() {
        assert!(matches!(LinePlot::new("t", "x", "y").draw(), Err(Error::Empty { .. })));
        let gaps = LinePlot::new("t", "x", "y").line("gaps", [(0.0, f64::NAN), (1.0, f64::INFINITY)]);
        assert!(gaps.draw().is_err());
        assert!(LinePlot::new("t", "x", "y").log_y().line("low", [(0.0, -1.0)]).draw().is_err());
    }

    #[test]
    fn names_are_text_and_not_markup() {
        let picture = LinePlot::new("a < b & c", "x", "y").line("<script>", [(0.0, 1.0)]).draw().unwrap();
        assert!(picture.svg().contains("a &lt; b &amp; c"));
        assert!(!picture.svg().contains("<script>"));
    }
}
