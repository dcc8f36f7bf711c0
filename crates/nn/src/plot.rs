//! Pictures of training: lines, learning curves, sheets of images; as SVG, without fonts or system libraries.
//!
//! ```
//! use chainrule_nn::{History, plot};
//!
//! let mut history = History::new();
//! for epoch in 1..=20 {
//!     history.record(epoch, "train loss", 1.0 / epoch as f64);
//!     history.record(epoch, "dev loss", 1.0 / epoch as f64 + 0.1);
//!     history.record(epoch, "dev accuracy", 1.0 - 0.5 / epoch as f64);
//! }
//! let picture = plot::learning_curves(&history)?; // a panel for loss, a panel for accuracy
//! let folder = tempfile::tempdir().unwrap();
//! picture.write(folder.path().join("curves.svg"))?;
//! # Ok::<(), chainrule_nn::Error>(())
//! ```

mod axis;
mod curves;
mod line;
mod sheet;

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::{Error, Result};

pub use curves::learning_curves;
pub(crate) use curves::{panels, side_by_side};
pub use line::LinePlot;
pub use sheet::image_sheet;

/// A finished drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    svg: String,
}

impl Picture {
    /// The drawing as the text of an SVG file.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// Writes the SVG file: the old file or the new one is there at any moment.
    ///
    /// # Errors
    /// An I/O error naming the path.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        crate::history::write_text(path.as_ref(), &self.svg)
    }

    /// Runs `paint` on a white canvas of `size` (width, height) points.
    fn draw(
        op: &'static str,
        (width, height): (i32, i32),
        paint: impl FnOnce(&Area<'_>) -> Result<(), Refusal>,
    ) -> Result<Self> {
        let mut svg = String::new();
        let fine = (fine(width) as u32, fine(height) as u32);
        let canvas = SVGBackend::with_string(&mut svg, fine).into_drawing_area();
        let painted = canvas.fill(&WHITE).and_then(|()| paint(&canvas)).and_then(|()| canvas.present());
        painted.map_err(|e| Error::Drawing { op, why: e.to_string() })?;
        drop(canvas);
        // The first numbers are the size on the page; those of the view box keep counting in fine units.
        let drawn = format!("width=\"{}\" height=\"{}\"", fine.0, fine.1);
        let shown = format!("width=\"{width}\" height=\"{height}\"");
        Ok(Picture { svg: svg.replacen(&drawn, &shown, 1) })
    }
}

/// Points (1/96 inch on the page) in the units of the canvas. Those are finer because plotters rounds every
/// corner of a line to whole units, which would show as waves on a smooth curve.
fn fine(points: i32) -> i32 {
    8 * points
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Refusal = DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>;

/// Text of `size` points in a colour that is softer than black.
fn font(size: i32) -> TextStyle<'static> {
    ("sans-serif", fine(size)).into_font().color(&RGBColor(0x33, 0x33, 0x33))
}

/// About how many points wide `text` will be: a renderer's font is not known here, so rather too much than too little.
fn text_width(text: &str, size: i32) -> i32 {
    (text.chars().count() as f64 * 0.6 * f64::from(size)).ceil() as i32
}
