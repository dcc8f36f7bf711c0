//! Tables in CSV files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use chainrule_tensor::Tensor;
use csv::{ReaderBuilder, StringRecord, Trim};

use super::{Classes, Dataset};
use crate::{Error, Result};

/// Whether the first line of a table holds the columns' names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// It does.
    #[default]
    Names,
    /// It is a row like all others; columns are called by their position.
    None,
}

/// A column of a [`Table`]: by its name, by its position from 0, or the last one.
///
/// Functions take it as `"price"`, `3` or `Column::Last`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// The column of this name.
    Name(String),
    /// The column at this position, from 0.
    Position(usize),
    /// The last column, where many files keep the target.
    Last,
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Column::Name(name.to_owned())
    }
}

impl From<usize> for Column {
    fn from(position: usize) -> Self {
        Column::Position(position)
    }
}

/// A table of text cells, from which a [`Dataset`] is made by saying what is to be predicted.
///
/// Cells are numbers, except in a column of class names. A cell that is not is an error that names the line:
///
/// ```
/// use chainrule_nn::data::{Header, Table};
///
/// let csv = "length,width,kind\n5.1,3.5,setosa\n6.3,3.3,virginica\n4.9,3.0,setosa\n";
/// let flowers = Table::parse(csv.as_bytes(), "flowers.csv", Header::Names)?.classification("kind")?;
/// assert_eq!(flowers.to_string(), "3 examples of (2,) f32 in 2 classes (setosa: 2, virginica: 1)");
///
/// let csv = "length,width\n5.1,3.5\n4.9,wide\n";
/// let error = Table::parse(csv.as_bytes(), "flowers.csv", Header::Names)?.regression([0]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "flowers.csv: line 3, column \"width\": \"wide\" is not a number; \
///      drop the column with `without` or make it numeric"
/// );
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    source: String,
    header: Header,
    columns: Vec<String>,
    /// The positions in the records of the columns that are left.
    places: Vec<usize>,
    records: Vec<StringRecord>,
}

impl Table {
    /// Reads a CSV file (cells separated by commas, quoted with `"` where needed; blanks around cells do not
    /// count).
    ///
    /// # Errors
    /// An I/O error naming the path, or those of [`parse`](Table::parse).
    pub fn read(path: impl AsRef<Path>, header: Header) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| Error::io(path, &e))?;
        Table::parse(file, &path.display().to_string(), header)
    }

    /// Reads CSV text from any source; `name` names it in errors.
    ///
    /// # Errors
    /// [`Error::Cell`] for a row with another number of cells than the first, or text that is not UTF-8;
    /// [`Error::Empty`] if there are no rows.
    pub fn parse(source: impl Read, name: &str, header: Header) -> Result<Self> {
        let mut reader =
            ReaderBuilder::new().has_headers(header == Header::Names).trim(Trim::All).from_reader(source);
        let refuse = |e: csv::Error| {
            let line = e.position().map_or(0, csv::Position::line);
            let (column, why) = match e.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => (
                    expected_len.min(len).to_string(),
                    format!("the row has {len} cells, not {expected_len}"),
                ),
                csv::ErrorKind::Utf8 { err, .. } => (err.field().to_string(), "is not UTF-8 text".to_owned()),
                _ => ("0".to_owned(), e.to_string()),
            };
            Error::Cell { table: name.to_owned(), line, column, why }
        };
        let columns: Vec<String> = match header {
            Header::Names => reader.headers().map_err(refuse)?.iter().map(str::to_owned).collect(),
            Header::None => Vec::new(),
        };
        let records: Vec<StringRecord> = reader.records().collect::<Result<_, _>>().map_err(refuse)?;
        let Some(first) = records.first() else {
            return Err(Error::Empty { op: "Table::parse", what: "rows" });
        };
        let places: Vec<usize> = (0..first.len()).collect();
        let columns = match header {
            Header::Names => columns,
            Header::None => places.iter().map(usize::to_string).collect(),
        };
        Ok(Table { source: name.to_owned(), header, columns, places, records })
    }

    /// The columns' names, or their positions if the file has no header.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The number of rows below the header.
    pub fn rows(&self) -> usize {
        self.records.len()
    }

    /// The same table without a column, such as a running number that predicts nothing.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such column.
    pub fn without(mut self, column: impl Into<Column>) -> Result<Self> {
        let at = self.find("Table::without", &column.into())?;
        self.columns.remove(at);
        self.places.remove(at);
        Ok(self)
    }

    /// A dataset that predicts the class in the `target` column from all other columns, which are numbers.
    ///
    /// Each distinct text in the target column is a class. Labels count the classes in ascending order: as
    /// numbers if all are whole numbers (so 2 comes before 10), else as text.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such column or no other, [`Error::Cell`] for a cell that is not a
    /// finite number or a class that is empty.
    pub fn classification(&self, target: impl Into<Column>) -> Result<Dataset> {
        let op = "Table::classification";
        let target = self.find(op, &target.into())?;
        let features = self.numbers(&self.others(op, &[target])?)?;
        let mut names: Vec<&str> = Vec::with_capacity(self.rows());
        for record in &self.records {
            match &record[self.places[target]] {
                "" => return Err(self.cell(record, target, "the class is empty; leave the row out")),
                name => names.push(name),
            }
        }
        let mut classes = names.clone();
        classes.sort_unstable();
        classes.dedup();
        if classes.iter().all(|name| name.parse::<i64>().is_ok()) {
            classes.sort_by_key(|name| name.parse::<i64>().unwrap_or_default());
        }
        let index: std::collections::HashMap<&str, i64> =
            classes.iter().enumerate().map(|(i, name)| (*name, i as i64)).collect();
        let labels = Tensor::from_vec(names.iter().map(|name| index[name]).collect(), self.rows())?;
        let classes: Classes = classes.into_iter().map(str::to_owned).collect();
        Dataset::classification(features, labels, classes)
    }

    /// A dataset that predicts the numbers in the `targets` columns, (m, k), from all other columns.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such column or no other, [`Error::Cell`] for a cell that is not a
    /// finite number.
    pub fn regression<C: Into<Column>>(&self, targets: impl IntoIterator<Item = C>) -> Result<Dataset> {
        let op = "Table::regression";
        let targets: Vec<usize> =
            targets.into_iter().map(|column| self.find(op, &column.into())).collect::<Result<_>>()?;
        let features = self.numbers(&self.others(op, &targets)?)?;
        Dataset::regression(features, self.numbers(&targets)?)
    }

    fn find(&self, op: &'static str, column: &Column) -> Result<usize> {
        let found = match column {
            Column::Name(name) => self.columns.iter().position(|c| c == name),
            Column::Position(at) => Some(*at).filter(|at| *at < self.columns.len()),
            Column::Last => self.columns.len().checked_sub(1),
        };
        found.ok_or_else(|| {
            let wanted = match column {
                Column::Name(name) => format!("column {name:?}"),
                Column::Position(at) => format!("column {at} (from 0)"),
                Column::Last => "last column".to_owned(),
            };
            let columns = self.columns.join(", ");
            Error::argument(op, format!("{} has no {wanted}; its columns are: {columns}", self.source))
        })
    }

    fn others(&self, op: &'static str, targets: &[usize]) -> Result<Vec<usize>> {
        let others: Vec<usize> = (0..self.columns.len()).filter(|at| !targets.contains(at)).collect();
        if others.is_empty() {
            let why = format!("{} has no column left to predict from", self.source);
            return Err(Error::argument(op, why));
        }
        Ok(others)
    }

    /// The given columns as f32 (rows, columns).
    fn numbers(&self, columns: &[usize]) -> Result<Tensor> {
        let mut numbers = Vec::with_capacity(self.rows() * columns.len());
        for record in &self.records {
            for &column in columns {
                let text = &record[self.places[column]];
                match text.parse::<f32>() {
                    Ok(number) if number.is_finite() => numbers.push(number),
                    Ok(_) => return Err(self.cell(record, column, &format!("{text} is not a finite f32"))),
                    Err(_) if text.is_empty() => {
                        return Err(self.cell(record, column, "is empty; fill it in or leave the row out"));
                    }
                    Err(_) => {
                        let why = format!(
                            "{text:?} is not a number; drop the column with `without` or make it numeric"
                        );
                        return Err(self.cell(record, column, &why));
                    }
                }
            }
        }
        Ok(Tensor::from_vec(numbers, [self.rows(), columns.len()])?)
    }

    fn cell(&self, record: &StringRecord, column: usize, why: &str) -> Error {
        let name = &self.columns[column];
        Error::Cell {
            table: self.source.clone(),
            line: record.position().map_or(0, csv::Position::line),
            column: if self.header == Header::Names { format!("{name:?}") } else { name.clone() },
            why: why.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Table> {
        Table::parse(text.as_bytes(), "t.csv", Header::Names)
    }

    #[test]
    fn the_target_is_found_by_name_and_by_position() {
        let table = parse("id,a,y,b\n1,2,3,4\n5,6,7,8\n").unwrap().without("id").unwrap();
        assert_eq!(table.columns(), ["a", "y", "b"]);
        let by_name = table.regression(["y"]).unwrap();
        assert_eq!(by_name, table.regression([1]).unwrap());
        assert_eq!(by_name.features().as_slice::<f32>(), Some(&[2.0, 4.0, 6.0, 8.0][..]));
        assert_eq!(by_name.targets().as_slice::<f32>(), Some(&[3.0, 7.0][..]));
        let two = table.regression(["b", "a"]).unwrap();
        assert_eq!(two.targets().as_slice::<f32>(), Some(&[4.0, 2.0, 8.0, 6.0][..]));
        let error = table.regression(["z"]).unwrap_err().to_string();
        assert!(error.contains("t.csv has no column \"z\"; its columns are: a, y, b"), "{error}");
        assert!(table.regression([3]).is_err());
        assert!(parse("y\n1\n").unwrap().regression(["y"]).is_err());
    }

    #[test]
    fn whole_numbers_are_classes_in_their_own_order() {
        let data = parse("x,kind\n0,10\n0,2\n0,2\n").unwrap().classification(Column::Last).unwrap();
        assert_eq!(data.classes().unwrap().names(), ["2", "10"]);
        assert_eq!(data.targets().as_slice::<i64>(), Some(&[1, 0, 0][..]));
        let text = parse("x,kind\n0,b\n0,a\n0,10\n").unwrap().classification("kind").unwrap();
        assert_eq!(text.classes().unwrap().names(), ["10", "a", "b"]);
    }

    #[test]
    fn cells_are_named_by_line_and_column() {
        let message = |text: &str| match parse(text).and_then(|t| t.classification("y")) {
            Err(Error::Cell { line, column, why, .. }) => format!("{line} {column} {why}"),
            other => panic!("expected a cell error, got {other:?}"),
        };
        assert!(message("x,y\n1,0\n,0\n").starts_with("3 \"x\" is empty"));
        assert!(message("x,y\n\"a\nb\",0\n").starts_with("2 \"x\" \"a\\nb\" is not a number"));
        assert!(message("x,y\nNaN,0\n").starts_with("2 \"x\" NaN is not a finite f32"));
        assert!(message("x,y\n1e39,0\n").starts_with("2 \"x\" 1e39 is not a finite f32"));
        assert!(message("x,y\n1,0\n1, \n").starts_with("3 \"y\" the class is empty"));
        assert!(message("x,y\n1,0\n1,2,3\n").starts_with("3 2 the row has 3 cells, not 2"));
        assert!(matches!(parse("x,y\n"), Err(Error::Empty { .. })));
        assert!(matches!(parse(""), Err(Error::Empty { .. })));
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        let error = Table::parse(&b"x,y\n1,\xff\n"[..], "t.csv", Header::Names).unwrap_err();
        assert!(matches!(error, Error::Cell { line: 2, .. }), "{error:?}");
    }

    proptest! {
        #[test]
        fn numbers_come_back(values in proptest::collection::vec(any::<f32>().prop_filter("finite", |x| x.is_finite()), 2..40)) {
            let rows = values.len() / 2;
            let text: String = values.chunks_exact(2).map(|r| format!(" {} , {}\n", r[0], r[1])).collect();
            let table = Table::parse(text.as_bytes(), "t", Header::None).unwrap();
            let data = table.regression([1]).unwrap();
            let (x, y) = (data.features().as_slice::<f32>().unwrap(), data.targets().as_slice::<f32>().unwrap());
            for i in 0..rows {
                prop_assert_eq!((x[i], y[i]), (values[2 * i], values[2 * i + 1]));
            }
        }

        #[test]
        fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..80)) {
            for header in [Header::Names, Header::None] {
                if let Ok(table) = Table::parse(&noise[..], "noise", header) {
                    let _ = (table.classification(Column::Last), table.regression([0]));
                }
            }
        }
    }
}
