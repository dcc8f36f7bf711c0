//! What the cells of a table say: numbers and names.

use chainrule_tensor::Tensor;

use super::{Header, Table};
use crate::data::Classes;
use crate::data::names::listed;
use crate::data::narrow::reals;
use crate::{Error, Result};

/// What stands in cells that hold nothing.
const MISSING: [&str; 11] = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "<NA>", "#N/A", "?"];

impl Table {
    /// A column's cells as text, none of them missing.
    pub(super) fn texts(&self, column: usize) -> Result<Vec<&str>> {
        let text = |row| match self.text(row, column) {
            "" => Err(self.cell(row, column, "is empty; leave the row out")),
            text if MISSING.contains(&text) => Err(self.cell(
                row,
                column,
                &format!("{text:?} marks a missing value; leave the row out or name it otherwise"),
            )),
            text if text.contains(['\n', '\r']) => {
                Err(self.cell(row, column, &format!("{text:?} goes over several lines; is a quote missing?")))
            }
            text => Ok(text),
        };
        (0..self.rows()).map(text).collect()
    }

    /// The number of the class that each cell of a column names.
    pub(super) fn labels(&self, column: usize, classes: &Classes) -> Result<Vec<i64>> {
        let texts = self.texts(column)?;
        let numbers: std::collections::HashMap<&str, i64> =
            classes.names().iter().zip(0..).map(|(name, i)| (name.as_str(), i)).collect();
        let unknown = |row, text: &str| {
            let why = format!("{text:?} is none of the classes {}", listed(classes.names()));
            self.cell(row, column, &why)
        };
        let label =
            |(row, text): (usize, &&str)| numbers.get(text).copied().ok_or_else(|| unknown(row, text));
        texts.iter().enumerate().map(label).collect()
    }

    /// The given columns (rows, columns), as f32 if that keeps all digits, else as f64.
    pub(super) fn numbers(&self, columns: &[usize]) -> Result<Tensor> {
        let shape = [self.rows(), columns.len()];
        let mut numbers = Vec::with_capacity(shape[0] * shape[1]);
        for row in 0..shape[0] {
            for &column in columns {
                numbers.push(self.number(row, column)?);
            }
        }
        reals(numbers, shape)
    }

    fn number(&self, row: usize, column: usize) -> Result<f64> {
        let (heading, text) = (&self.columns[column], self.text(row, column));
        if let Some((i, categories)) = &heading.is {
            return Ok(f64::from(u8::from(categories.names()[*i] == text)));
        }
        let why = match (text.parse::<f64>(), heading.fill) {
            (Ok(number), _) if number.is_finite() => return Ok(number),
            (_, Some(fill)) if MISSING.contains(&text) => return Ok(fill),
            _ if text.is_empty() => "is empty; `fill` it in or leave the row out".to_owned(),
            _ if MISSING.contains(&text) => {
                format!("{text:?} marks a missing value; `fill` it in or leave the row out")
            }
            (Ok(_), _) => format!("{text} is not a finite number"),
            (Err(_), _) => format!(
                "{text:?} is not a number; drop the column with `without`, make it numeric, or spread it with `one_hot`"
            ),
        };
        Err(self.cell(row, column, &why))
    }

    fn text(&self, row: usize, column: usize) -> &str {
        self.records.cell(self.first + row, self.columns[column].place).trim()
    }

    fn cell(&self, row: usize, column: usize, why: &str) -> Error {
        let name = &self.names[column];
        Error::Cell {
            table: self.source.clone(),
            line: self.records.line(self.first + row),
            column: if self.header == Header::Names { format!("{name:?}") } else { name.clone() },
            why: why.to_owned(),
        }
    }
}
