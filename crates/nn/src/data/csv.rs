//! Records of text in CSV form, as RFC 4180 has it, read strictly.

use std::ops::Range;

/// What separates cells, unless a caller says otherwise.
pub(crate) const COMMA: u8 = b',';

/// Rows of cells, all of one width. The text of all cells lies in one string.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Records {
    text: String,
    /// Where each cell ends in the text, row by row.
    ends: Vec<usize>,
    /// The line on which each row begins, from 1.
    lines: Vec<u64>,
    width: usize,
}

/// A fault in the text: its line from 1, its column from 0, and what is wrong.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) line: u64,
    pub(crate) column: usize,
    pub(crate) why: String,
}

impl Records {
    /// Reads UTF-8 text: rows end with a line, cells with `separator`. A cell that begins with `"` ends with one, and may
    /// hold separators, line breaks and doubled quotes between them. Blanks around cells do not count, those within
    /// quotes do. Lines that hold nothing but blanks are no rows; a byte-order mark is passed over.
    pub(crate) fn read(bytes: &[u8], separator: u8) -> Result<Self, Fault> {
        if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
            let why = "is UTF-16 text; save the file as UTF-8".into();
            return Err(Fault { line: 1, column: 0, why });
        }
        let at = if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) { 3 } else { 0 };
        let mut reader = Reader { bytes, at, line: 1, separator };
        let empty = Records { text: String::new(), ends: Vec::new(), lines: Vec::new(), width: 0 };
        let mut records = empty;
        while reader.at < bytes.len() {
            reader.row(&mut records)?;
        }
        Ok(records)
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The number of cells in a row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The line on which a row begins, from 1.
    pub(crate) fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// A cell's text.
    pub(crate) fn cell(&self, row: usize, column: usize) -> &str {
        let i = row * self.width + column;
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[start..self.ends[i]]
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    line: u64,
    separator: u8,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Whether a cell ends here.
    fn ends_here(&self) -> bool {
        self.peek().is_none_or(|b| b == self.separator || b == b'\n' || b == b'\r')
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|b| (b == b' ' || b == b'\t') && b != self.separator) {
            self.at += 1;
        }
    }

    /// Takes the end of a line.
    fn end_line(&mut self) {
        if self.peek() == Some(b'\r') && self.bytes.get(self.at + 1) == Some(&b'\n') {
            self.at += 1;
        }
        self.at += 1;
        self.line += 1;
    }

    fn row(&mut self, records: &mut Records) -> Result<(), Fault> {
        let line = self.line;
        let (first, start) = (records.ends.len(), records.text.len());
        let mut quoted = false;
        loop {
            let column = records.ends.len() - first;
            quoted |= self.cell(column, &mut records.text)?;
            records.ends.push(records.text.len());
            if self.peek() != Some(self.separator) {
                break;
            }
            self.at += 1;
        }
        if self.at < self.bytes.len() {
            self.end_line();
        }
        let cells = records.ends.len() - first;
        if cells == 1 && records.text.len() == start && !quoted {
            records.ends.pop();
            return Ok(());
        }
        if records.lines.is_empty() {
            records.width = cells;
        } else if cells != records.width {
            let why = format!("the row has {cells} cells, not {}", records.width);
            return Err(Fault { line, column: cells.min(records.width), why });
        }
        records.lines.push(line);
        Ok(())
    }

    /// Appends the next cell to `text`; whether it was quoted.
    fn cell(&mut self, column: usize, text: &mut String) -> Result<bool, Fault> {
        self.skip_blanks();
        let line = self.line;
        if self.peek() != Some(b'"') {
            let start = self.at;
            while !self.ends_here() {
                self.at += 1;
            }
            let cell = self.utf8(start..self.at, column, line)?;
            text.push_str(cell.trim_end_matches([' ', '\t']));
            return Ok(false);
        }
        self.at += 1;
        let mut start = self.at;
        loop {
            match self.peek() {
                None => {
                    let why = "the quote that opens here is never closed".into();
                    return Err(Fault { line, column, why });
                }
                Some(b'"') if self.bytes.get(self.at + 1) == Some(&b'"') => {
                    text.push_str(self.utf8(start..self.at + 1, column, line)?);
                    self.at += 2;
                    start = self.at;
                }
                Some(b'"') => break,
                Some(b'\n' | b'\r') => self.end_line(),
                Some(_) => self.at += 1,
            }
        }
        text.push_str(self.utf8(start..self.at, column, line)?);
        self.at += 1;
        self.skip_blanks();
        if self.ends_here() {
            return Ok(true);
        }
        let rest = &self.bytes[self.at..self.bytes.len().min(self.at + 40)];
        let rest: String =
            String::from_utf8_lossy(rest).chars().take_while(|c| *c != '\n').take(12).collect();
        let why = format!(
            "the quote that opens here is closed in line {} before {rest:?}; is one missing? A quote within quotes is \
             written twice",
            self.line
        );
        Err(Fault { line, column, why })
    }

    fn utf8(&self, range: Range<usize>, column: usize, line: u64) -> Result<&str, Fault> {
        let refuse = |_| Fault { line, column, why: "is not UTF-8 text".into() };
        std::str::from_utf8(&self.bytes[range]).map_err(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Vec<String>> {
        let records = Records::read(text.as_bytes(), COMMA).unwrap();
        let row = |r| (0..records.width()).map(|c| records.cell(r, c).to_owned()).collect();
        (0..records.len()).map(row).collect()
    }

    fn fault(text: &str) -> (u64, usize) {
        let fault = Records::read(text.as_bytes(), COMMA).unwrap_err();
        (fault.line, fault.column)
    }

    #[test]
    fn cells_are_read_as_python_reads_them() {
        // What `csv.reader(…, strict=True, skipinitialspace=True)` gives, but for blanks behind a cell.
        assert_eq!(
            rows("a,b\r\n1, \"x, y\" \r\"q\"\"q\",5\" pipe\n"),
            [["a", "b"], ["1", "x, y"], ["q\"q", "5\" pipe"]]
        );
        assert_eq!(rows("\u{feff}a , b\n\n  \n\" a \",\"\"\n"), [["a", "b"], [" a ", ""]]);
        assert_eq!(rows("\"two\nlines\",1\n2,3"), [["two\nlines", "1"], ["2", "3"]]);
        assert_eq!(rows("a\n\"\"\n"), [["a"], [""]]);
        assert!(rows("").is_empty() && rows("\n \n").is_empty());
    }

    #[test]
    fn faults_are_where_they_begin() {
        assert_eq!(fault("age,job\n31,cook\n45,\"baker\n27,smith\n"), (3, 1));
        assert_eq!(fault("age,job\n31,cook\n45,\"baker\n27,\"smith\"\n"), (3, 1));
        assert_eq!(fault("\"age,job\n31,cook\n"), (1, 0));
        assert_eq!(fault("a,b\n\"x\"y,1\n"), (2, 0));
        assert_eq!(fault("a,b\n\n\"x\ny\",1\n1,2,3\n"), (5, 2));
    }

    #[test]
    fn text_of_another_encoding_is_refused() {
        let fault = |bytes: &[u8]| Records::read(bytes, COMMA).unwrap_err();
        assert_eq!((fault(b"a,b\n1,\xff\n").line, fault(b"a,b\n1,\xff\n").column), (2, 1));
        assert!(fault(b"\xff\xfea\0").why.contains("UTF-16"));
    }
}
