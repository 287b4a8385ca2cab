//! One row of cells after the other, with the line on which each begins.
//!
//! The state machine is that of the `csv` crate, `csv-core`. Above it stands what that crate leaves open: the
//! line on which a row begins (it counts from the end of the row before, which blank lines and CRLF shift), a
//! quote that is never closed, and a limit to the memory of a row.

use std::io::{self, BufRead, BufReader, Read};

use csv_core::{ReadRecordResult, Reader};

use crate::{Error, Result};

/// Bytes of a row. Without a limit a quote that is not closed would take the whole file for a cell.
const MOST_BYTES: usize = 16 << 20;

/// Cells of a row.
pub(super) const MOST_CELLS: usize = 1 << 17;

/// The rows of a text with quoted cells.
pub(super) struct Records<R> {
    file: String,
    input: R,
    reader: Reader,
    /// What counts as the end of a line: a carriage return where there is no line feed.
    newline: u8,
    /// The line of the next byte.
    line: u64,
    cells: Vec<u8>,
    ends: Vec<usize>,
}

/// Where a row begins and how many cells it has.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub line: u64,
    pub cells: usize,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(file: &str, input: R, delimiter: u8, newline: u8) -> Self {
        let reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        let (cells, ends) = (vec![0; 1 << 10], vec![0; 64]);
        Records { file: file.to_string(), input, reader, newline, line: 1, cells, ends }
    }

    /// What messages call it.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// The next row that is not blank.
    pub(super) fn next(&mut self) -> Result<Option<Record>> {
        let (mut written, mut ended) = (0, 0);
        let mut start = None;
        loop {
            let input = match self.input.fill_buf() {
                Ok(input) => input,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unreadable(&self.file, self.line, &error)),
            };
            let at_end = input.is_empty();
            if at_end && start.is_none() {
                return Ok(None);
            }
            // At the end, a line feed ends the row as an end of file would, unless a quote is open.
            let input = if at_end { b"\n" } else { input };
            let mut consumed_lines_from = 0;
            if start.is_none() {
                let blank = input.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
                self.line += count(self.newline, &input[..blank]);
                consumed_lines_from = blank;
                start = (blank < input.len()).then_some(self.line);
            }
            let (result, read, wrote, ends) =
                self.reader.read_record(input, &mut self.cells[written..], &mut self.ends[ended..]);
            if !at_end {
                // No part of the blank is left unread unless nothing else was read either.
                let from = consumed_lines_from.min(read);
                self.line += count(self.newline, &input[from..read]);
                self.input.consume(read);
            }
            (written, ended) = (written + wrote, ended + ends);
            let line = start.unwrap_or(self.line);
            match result {
                ReadRecordResult::Record => return Ok(Some(Record { line, cells: ended })),
                ReadRecordResult::InputEmpty if at_end => {
                    let why = "a quote is opened in this row and never closed".into();
                    return Err(Error::Table { file: self.file.clone(), line, why });
                }
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    if self.cells.len() >= MOST_BYTES {
                        let most = MOST_BYTES >> 20;
                        let why = format!("the row is longer than {most} MiB: is a quote not closed?");
                        return Err(Error::Table { file: self.file.clone(), line, why });
                    }
                    self.cells.resize(2 * self.cells.len(), 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    if self.ends.len() >= MOST_CELLS {
                        let why = format!("the row has more than {MOST_CELLS} cells");
                        return Err(Error::Table { file: self.file.clone(), line, why });
                    }
                    self.ends.resize(2 * self.ends.len(), 0);
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// Cell `i` of `record`, the last row read, without the blanks around it.
    ///
    /// # Errors
    /// [`Error::Table`] if it is not UTF-8.
    pub(super) fn cell(&self, record: Record, i: usize) -> Result<&str> {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        match std::str::from_utf8(&self.cells[start..self.ends[i]]) {
            Ok(text) => Ok(text.trim()),
            Err(error) => {
                let byte = self.cells[start + error.valid_up_to()];
                let why =
                    format!("column {}: byte {byte:02x} is not UTF-8; save the file in that encoding", i + 1);
                Err(Error::Table { file: self.file.clone(), line: record.line, why })
            }
        }
    }
}

impl<R: Read> Records<BufReader<R>> {
    /// Whether the next row has been read already, so that to look at it is not to wait; unless a line of it ends within
    /// quotes.
    pub(super) fn has_more_at_hand(&self) -> bool {
        self.input.buffer().contains(&self.newline)
    }
}

fn count(newline: u8, bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == newline)).sum()
}

/// What a reader says: the gzip stream is wrong, or the disk is.
pub(super) fn unreadable(file: &str, line: u64, error: &io::Error) -> Error {
    Error::Table { file: file.into(), line, why: format!("the file cannot be read on: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All rows of `text`, read in pieces of `size` bytes: line and cells.
    fn rows(text: &str, newline: u8, size: usize) -> Result<Vec<(u64, Vec<String>)>> {
        let input = io::BufReader::with_capacity(size, text.as_bytes());
        let mut records = Records::new("t", input, b',', newline);
        let mut out = Vec::new();
        while let Some(record) = records.next()? {
            let cells = (0..record.cells).map(|i| records.cell(record, i).map(String::from));
            out.push((record.line, cells.collect::<Result<_>>()?));
        }
        Ok(out)
    }

    #[test]
    fn lines_are_those_of_an_editor() {
        let cases = [
            ("a,b\n1,2\n3,4\n", vec![1, 2, 3]),
            ("a,b\r\n1,2\r\n3,4", vec![1, 2, 3]),
            ("\n\na,b\n\n\n1,2\n\"x\n\ny\",4\n5,6", vec![3, 6, 7, 10]),
            ("\r\n\r\na,b\r\n\r\n1,2\r\n\"x\r\ny\",4\r\n\r\n\r\n5,6\r\n", vec![3, 5, 6, 10]),
            ("", vec![]),
            ("\n\r\n\n", vec![]),
        ];
        for (text, lines) in cases {
            for size in [1, 2, 3, 5, 7, 4096] {
                let found: Vec<u64> = rows(text, b'\n', size).unwrap().iter().map(|r| r.0).collect();
                assert_eq!(found, lines, "{text:?} by {size}");
            }
        }
        let old = rows("a,b\r1,2\r\r3,4\r", b'\r', 3).unwrap();
        assert_eq!(old.iter().map(|row| row.0).collect::<Vec<_>>(), [1, 2, 4]);
    }

    #[test]
    fn quotes() {
        let found = rows("\"a,\"\"b\"\"\", c ,\"\"\n", b'\n', 4).unwrap();
        assert_eq!(found, [(1, vec!["a,\"b\"".to_string(), "c".into(), String::new()])]);
        for text in ["a,b\n1,\"2\n3,4\n", "a,b\n1,\"2", "a,b\n1,\""] {
            let error = rows(text, b'\n', 4096).unwrap_err().to_string();
            assert_eq!(error, "t: line 2: a quote is opened in this row and never closed", "{text:?}");
        }
        assert_eq!(rows("a\n\"b\"", b'\n', 1).unwrap().len(), 2);
    }

    #[test]
    fn a_row_without_end_is_an_error() {
        let text = format!("a,b\n1,\"{}", "x\n".repeat(MOST_BYTES));
        let error = rows(&text, b'\n', 1 << 16).unwrap_err().to_string();
        assert_eq!(error, "t: line 2: the row is longer than 16 MiB: is a quote not closed?");
        let error = rows(&",".repeat(MOST_CELLS + 9), b'\n', 1 << 16).unwrap_err().to_string();
        assert_eq!(error, "t: line 1: the row has more than 131072 cells");
    }

    #[test]
    fn other_encodings_are_named() {
        let input = io::BufReader::new(&b"a,b\n1,M\xfcnchen\n"[..]);
        let mut records = Records::new("t", input, b',', b'\n');
        records.next().unwrap();
        let record = records.next().unwrap().unwrap();
        let error = records.cell(record, 1).unwrap_err().to_string();
        assert_eq!(error, "t: line 2: column 2: byte fc is not UTF-8; save the file in that encoding");
    }
}
