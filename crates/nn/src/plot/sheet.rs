//! Images in rows and columns, each with a caption.

use chainrule_tensor::{Shape, Tensor};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Area, Picture, Refusal, fine, font, text_width};
use crate::{Error, Result};

const FONT: i32 = 13;
/// The least width or height of an image on the sheet; small images are magnified.
const SIDE: usize = 112;
const MARGIN: usize = 12;
const CAPTION: usize = 22;

/// Images (n, height, width) in `columns`, each above its caption: the misclassified digits, for example.
///
/// Greys run from white for the least number on the sheet to black for the greatest, as ink on paper.
///
/// ```
/// use chainrule_nn::{data, plot::image_sheet};
///
/// let digits = data::digits()?.select(&[5, 8])?;
/// let captions = ["true 5, predicted 9 (0.61)", "true 8, predicted 3 (0.91)"];
/// let sheet = image_sheet(digits.features(), &captions, 2)?;
/// assert!(sheet.svg().contains("true 8, predicted 3 (0.91)"));
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for images that are not (n, height, width) in f32, or no columns;
/// [`Error::Unpaired`] unless each image has a caption; [`Error::Empty`] for no images;
/// [`Error::NotFinite`] for a pixel that is.
pub fn image_sheet(images: &Tensor, captions: &[impl AsRef<str>], columns: usize) -> Result<Picture> {
    let op = "image_sheet";
    let images = images.to_contiguous();
    let (&[n, height, width], Some(pixels)) = (images.shape(), images.as_slice::<f32>()) else {
        let (shape, dtype) = (Shape::from(images.shape()), images.dtype());
        return Err(Error::argument(op, format!("images are (n, height, width) f32, not {shape} {dtype}")));
    };
    if images.size() == 0 {
        return Err(Error::Empty { op, what: "images" });
    }
    if columns == 0 {
        return Err(Error::argument(op, "a sheet needs at least one column"));
    }
    if captions.len() != n {
        let (left, right) = (n, captions.len());
        return Err(Error::Unpaired { op, left_name: "images", left, right_name: "captions", right });
    }
    let size = height * width;
    if let Some(i) = pixels.iter().position(|p| !p.is_finite()) {
        let (row, column, value) = (i / size, i % size, f64::from(pixels[i]));
        return Err(Error::NotFinite { what: "images", row, column, value });
    }
    let greys = greys(pixels);
    let scale = (SIDE / height.max(width)).max(1);
    let caption = captions.iter().map(|c| text_width(c.as_ref(), FONT)).max().unwrap_or(0) as usize;
    let cell = ((scale * width).max(caption) + MARGIN, scale * height + CAPTION + MARGIN);
    let columns = columns.min(n);
    let sheet = (columns * cell.0 + MARGIN, n.div_ceil(columns) * cell.1 + MARGIN);
    Picture::draw(op, (sheet.0 as i32, sheet.1 as i32), |area| {
        for (i, (image, caption)) in greys.chunks_exact(size).zip(captions).enumerate() {
            let (left, top) = (MARGIN + i % columns * cell.0, MARGIN + i / columns * cell.1);
            let inset = (cell.0 - MARGIN - scale * width) / 2;
            paint(area, image, width, scale, (left + inset, top))?;
            let at = point(left + (cell.0 - MARGIN) / 2, top + scale * height + 5);
            let centred = font(FONT).pos(Pos::new(HPos::Center, VPos::Top));
            area.draw(&Text::new(caption.as_ref().to_owned(), at, centred))?;
        }
        Ok(())
    })
}

fn point(x: usize, y: usize) -> (i32, i32) {
    (fine(x as i32), fine(y as i32))
}

/// White for the least, black for the greatest.
fn greys(pixels: &[f32]) -> Vec<u8> {
    let least = pixels.iter().copied().fold(f32::INFINITY, f32::min);
    let greatest = pixels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = (f64::from(greatest) - f64::from(least)).max(f64::MIN_POSITIVE);
    pixels.iter().map(|p| 255 - (255.0 * (f64::from(*p) - f64::from(least)) / range).round() as u8).collect()
}

/// One image at (left, top): a rectangle for each run of equal grey in a row, on white, in a thin frame.
fn paint(
    area: &Area<'_>,
    image: &[u8],
    width: usize,
    scale: usize,
    (left, top): (usize, usize),
) -> Result<(), Refusal> {
    let corner = |column, row| point(left + column * scale, top + row * scale);
    for (row, greys) in image.chunks_exact(width).enumerate() {
        let mut start = 0;
        for run in greys.chunk_by(|a, b| a == b) {
            let end = start + run.len();
            let grey = run[0];
            if grey < 255 {
                let colour = RGBColor(grey, grey, grey).filled();
                area.draw(&Rectangle::new([corner(start, row), corner(end, row + 1)], colour))?;
            }
            start = end;
        }
    }
    let height = image.len() / width;
    let corners = [(0, 0), (width, 0), (width, height), (0, height), (0, 0)].map(|(x, y)| corner(x, y));
    area.draw(&PathElement::new(corners, RGBColor(0xBB, 0xBB, 0xBB).stroke_width(fine(1) as u32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(shape: &[usize]) -> Tensor {
        Tensor::from_vec((0..shape.iter().product()).map(|i: usize| i as f32).collect(), shape).unwrap()
    }

    #[test]
    fn what_is_no_sheet_is_refused() {
        let error = |t: Tensor, captions: &[&str], columns| image_sheet(&t, captions, columns).unwrap_err();
        assert!(matches!(error(images(&[2, 4]), &["", ""], 1), Error::Argument { .. }));
        assert!(matches!(error(images(&[2, 2, 2]), &["", ""], 0), Error::Argument { .. }));
        assert!(matches!(error(images(&[2, 2, 2]), &[""], 1), Error::Unpaired { .. }));
        assert!(matches!(error(images(&[0, 2, 2]), &[], 1), Error::Empty { .. }));
        let nan = Tensor::from_vec(vec![0.0, f32::NAN], [1, 1, 2]).unwrap();
        assert!(matches!(error(nan, &[""], 1), Error::NotFinite { row: 0, column: 1, .. }));
    }

    #[test]
    fn equal_pixels_are_white() {
        assert_eq!(greys(&[3.0, 3.0]), [255, 255]);
        assert_eq!(greys(&[f32::MIN, 0.0, f32::MAX]), [255, 127, 0]); // 127.5 rounds up before it is inverted
        assert!(image_sheet(&images(&[1, 1, 1]), &["one"], 5).is_ok());
    }
}
