//! Tables in CSV files.

mod datasets;
mod numbers;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::Classes;
use super::csv::{COMMA, Records};
use super::names::repeated;
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

/// A table of text cells, from which a [`Dataset`](super::Dataset) is made by saying what is to be predicted.
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
///      drop the column with `without`, make it numeric, or spread it with `one_hot`"
/// );
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
///
/// Numbers are f32 if that keeps every digit of every cell that is read, else f64: 33554433 and 98765432.1 stay what
/// they are. A missing value (an empty cell, `NA`, `N/A`, `n/a`, `NaN`, `nan`, `null`, `NULL`, `<NA>`, `#N/A` or `?`) is
/// an error, unless the column is given a number for it with [`fill`](Table::fill).
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    source: String,
    header: Header,
    columns: Vec<Heading>,
    names: Vec<String>,
    records: Arc<Records>,
    /// The first record that is a row, 1 below a header.
    first: usize,
}

/// What a column shows of the cells at a place of each record.
#[derive(Clone, Debug, PartialEq)]
struct Heading {
    place: usize,
    /// 1 where the cell is this one of these texts, else 0.
    is: Option<(usize, Classes)>,
    /// Stands for a missing value.
    fill: Option<f64>,
}

impl Table {
    /// Reads a CSV file in UTF-8: cells separated by commas, quoted with `"` where needed; blanks around cells do not
    /// count, nor do lines of nothing but blanks.
    ///
    /// # Errors
    /// An I/O error naming the path, or those of [`parse`](Table::parse).
    pub fn read(path: impl AsRef<Path>, header: Header) -> Result<Self> {
        Table::read_separated(path, header, COMMA)
    }

    /// As [`read`](Table::read), with another separator than a comma, such as `b';'` or `b'\t'`.
    ///
    /// # Errors
    /// As [`read`](Table::read).
    pub fn read_separated(path: impl AsRef<Path>, header: Header, separator: u8) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| Error::io(path, &e))?;
        Table::parse_separated(file, &path.display().to_string(), header, separator)
    }

    /// Reads CSV text from any source; `name` names it in errors.
    ///
    /// # Errors
    /// [`Error::Cell`] for a row with another number of cells than the first, a quote that is not closed or is closed
    /// within its cell, a column name that comes twice, or text that is not UTF-8; [`Error::Empty`] if there are no rows.
    pub fn parse(source: impl Read, name: &str, header: Header) -> Result<Self> {
        Table::parse_separated(source, name, header, COMMA)
    }

    /// As [`parse`](Table::parse), with another separator than a comma.
    ///
    /// # Errors
    /// As [`parse`](Table::parse); [`Error::Argument`] for a separator that is a quote, a line's end, a blank or not ASCII.
    pub fn parse_separated(mut source: impl Read, name: &str, header: Header, separator: u8) -> Result<Self> {
        if matches!(separator, b'"' | b'\n' | b'\r' | b' ') || !separator.is_ascii() {
            let why = format!("{:?} cannot separate cells", char::from(separator));
            return Err(Error::argument("Table::parse_separated", why));
        }
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes).map_err(|e| Error::io(Path::new(name), &e))?;
        let refuse = |line: u64, column: usize, why: String| Error::Cell {
            table: name.to_owned(),
            line,
            column: column.to_string(),
            why,
        };
        let records = Records::read(&bytes, separator).map_err(|f| refuse(f.line, f.column, f.why))?;
        let first = usize::from(header == Header::Names);
        if records.len() <= first {
            return Err(Error::Empty { op: "Table::parse", what: "rows" });
        }
        let places = 0..records.width();
        let names: Vec<String> = match header {
            Header::Names => places.clone().map(|c| records.cell(0, c).trim().to_owned()).collect(),
            Header::None => places.clone().map(|c| c.to_string()).collect(),
        };
        if let Some([a, b]) = repeated(&names) {
            let why = format!(
                "columns {a} and {b} (from 0) are both called {:?}; give each a name of its own",
                names[a]
            );
            return Err(refuse(records.line(0), b, why));
        }
        let columns = places.map(|place| Heading { place, is: None, fill: None }).collect();
        Ok(Table { source: name.to_owned(), header, columns, names, records: Arc::new(records), first })
    }

    /// The columns' names, or their positions if the file has no header.
    pub fn columns(&self) -> &[String] {
        &self.names
    }

    /// The number of rows below the header.
    pub fn rows(&self) -> usize {
        self.records.len() - self.first
    }

    /// The same table without a column, such as a running number that predicts nothing.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such column.
    pub fn without(mut self, column: impl Into<Column>) -> Result<Self> {
        let at = self.find("Table::without", &column.into())?;
        self.columns.remove(at);
        self.names.remove(at);
        Ok(self)
    }

    /// The same table with `value` for each missing value of a column of numbers. Take it from the training set alone.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such column, or for NaN and infinity.
    pub fn fill(mut self, column: impl Into<Column>, value: f64) -> Result<Self> {
        let op = "Table::fill";
        let at = self.find(op, &column.into())?;
        if !value.is_finite() {
            return Err(Error::argument(op, format!("{value} is no finite number")));
        }
        self.columns[at].fill = Some(value);
        Ok(self)
    }

    /// The distinct texts of a column, as classes: in ascending order, as numbers if all are whole numbers (so 2 comes
    /// before 10), else as text.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such column; [`Error::Cell`] for a missing value, or a text that goes over
    /// several lines.
    pub fn categories(&self, column: impl Into<Column>) -> Result<Classes> {
        let at = self.find("Table::categories", &column.into())?;
        let mut texts = self.texts(at)?;
        texts.sort_unstable();
        texts.dedup();
        if texts.iter().all(|name| name.parse::<i64>().is_ok()) {
            texts.sort_by_key(|name| name.parse::<i64>().unwrap_or_default());
        }
        Ok(texts.into_iter().map(str::to_owned).collect())
    }

    /// The same table with a column of text spread over a column for each of `categories`, named `column=category`: 1
    /// where the cell is that category, else 0.
    ///
    /// ```
    /// use chainrule_nn::data::{Header, Table};
    ///
    /// let read = |csv: &str| Table::parse(csv.as_bytes(), "homes.csv", Header::Names);
    /// let (train, test) = (read("city,price\nRome,3\nOslo,4\n")?, read("city,price\nRome,2\n")?);
    /// let cities = train.categories("city")?; // those of the training set, for both
    /// let (train, test) = (train.one_hot("city", &cities)?, test.one_hot("city", &cities)?);
    /// assert_eq!(test.columns(), ["city=Oslo", "city=Rome", "price"]);
    /// let test = test.regression_like(["price"], &train.regression(["price"])?)?;
    /// assert_eq!(test.features().as_slice::<f32>(), Some(&[0.0, 1.0][..]));
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such column; [`Error::Cell`] for a cell that is none of the categories.
    pub fn one_hot(mut self, column: impl Into<Column>, categories: impl Into<Classes>) -> Result<Self> {
        let (op, categories) = ("Table::one_hot", categories.into());
        let at = self.find(op, &column.into())?;
        self.labels(at, &categories)?;
        let place = self.columns[at].place;
        let names: Vec<String> =
            categories.names().iter().map(|c| format!("{}={c}", self.names[at])).collect();
        let spread =
            (0..categories.count()).map(|i| Heading { place, is: Some((i, categories.clone())), fill: None });
        self.columns.splice(at..=at, spread);
        self.names.splice(at..=at, names);
        match repeated(&self.names) {
            Some([a, _]) => {
                Err(Error::argument(op, format!("there is a column {:?} already", self.names[a])))
            }
            None => Ok(self),
        }
    }

    fn find(&self, op: &'static str, column: &Column) -> Result<usize> {
        let found = match column {
            Column::Name(name) => self.names.iter().position(|c| c == name),
            Column::Position(at) => Some(*at).filter(|at| *at < self.columns.len()),
            Column::Last => self.columns.len().checked_sub(1),
        };
        found.ok_or_else(|| {
            let wanted = match column {
                Column::Name(name) => format!("column {name:?}"),
                Column::Position(at) => format!("column {at} (from 0)"),
                Column::Last => "last column".to_owned(),
            };
            let columns = self.names.join(", ");
            Error::argument(op, format!("{} has no {wanted}; its columns are: {columns}", self.source))
        })
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
        assert!(message("x,y\nNaN,0\n").starts_with("2 \"x\" \"NaN\" marks a missing value"));
        assert!(message("x,y\n1e399,0\n").starts_with("2 \"x\" 1e399 is not a finite number"));
        assert!(message("x,y\n1,0\n1, \n").starts_with("3 \"y\" is empty; leave the row out"));
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
