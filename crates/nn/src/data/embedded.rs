//! Four small real datasets, part of the library; sources and licences stand in `data/README.md`.

use std::io::Read;

use flate2::read::GzDecoder;

use super::{Classes, Column, Dataset, Header, Table};
use crate::{Error, Result};

/// 1,797 handwritten digits as (8, 8) images with pixels from 0 to 1, in 10 classes.
///
/// ```
/// let digits = chainrule_nn::data::digits()?;
/// assert_eq!(digits.features().shape(), [1797, 8, 8]);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
pub fn digits() -> Result<Dataset> {
    let mut text = Vec::new();
    let unpacked = GzDecoder::new(&include_bytes!("../../data/digits.csv.gz")[..]).read_to_end(&mut text);
    unpacked.map_err(|e| Error::Format {
        file: "digits".into(),
        format: "gzip",
        position: text.len() as u64,
        why: e.to_string(),
    })?;
    let table = Table::parse(text.as_slice(), "digits", Header::None)?;
    // The published pixels count the dark ones among 16.
    let digits = table.classification(Column::Last)?.map_features(|pixels| {
        let counts = pixels.as_slice::<f32>().unwrap_or_default();
        Ok(chainrule_tensor::Tensor::from_vec(counts.iter().map(|n| n / 16.0).collect(), pixels.shape())?)
    })?;
    digits.reshape_examples(&[8, 8])
}

/// 569 tumours by 30 measurements of their cells' nuclei, in 2 classes: malignant and benign.
pub fn breast_cancer() -> Result<Dataset> {
    table("breast cancer", include_str!("../../data/breast_cancer.csv"))
}

/// 150 irises by 4 measurements in cm (sepal length and width, petal length and width), in 3 species.
pub fn iris() -> Result<Dataset> {
    table("iris", include_str!("../../data/iris.csv"))
}

/// 178 wines by 13 chemical measurements, from 3 growers of one region.
pub fn wine() -> Result<Dataset> {
    table("wine", include_str!("../../data/wine.csv"))
}

/// The first line is `examples,features,class names …`; the others end in their label.
fn table(name: &str, text: &str) -> Result<Dataset> {
    let (first, rows) = text.split_once('\n').unwrap_or_default();
    let classes: Classes = first.split(',').skip(2).map(|class| class.trim().to_owned()).collect();
    let data = Table::parse(rows.as_bytes(), name, Header::None)?.classification(Column::Last)?;
    Dataset::classification(data.features().clone(), data.targets().clone(), classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_is_the_published_one() {
        let counts = |data: &Dataset| data.class_counts().unwrap();
        let digits = digits().unwrap();
        assert_eq!(counts(&digits), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        let pixels = digits.features().as_slice::<f32>().unwrap();
        assert!(pixels.iter().all(|p| (0.0..=1.0).contains(p)) && pixels.contains(&1.0));

        let cancer = breast_cancer().unwrap();
        assert_eq!(cancer.features().shape(), [569, 30]);
        assert_eq!(cancer.classes().unwrap().names(), ["malignant", "benign"]);
        assert_eq!(counts(&cancer), [212, 357]);

        let iris = iris().unwrap();
        assert_eq!(iris.features().shape(), [150, 4]);
        assert_eq!(iris.classes().unwrap().names(), ["setosa", "versicolor", "virginica"]);
        assert_eq!(counts(&iris), [50, 50, 50]);

        let wine = wine().unwrap();
        assert_eq!(wine.features().shape(), [178, 13]);
        assert_eq!(counts(&wine), [59, 71, 48]);
    }
}
