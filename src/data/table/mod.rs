//! Tables of text, such as CSV, and how their columns become numbers.
//!
//! [`Table::read`] reads a file into columns of numbers and of text. A [`Schema`] is fitted to the training
//! table: which column is the target, whether it names classes, which texts a text column knows, what stands
//! in for missing numbers. It makes a [`Dataset`] of that table and of every later one, so
//! that a test set is coded as the training set was.
//!
//! ```
//! use tapegrad::data::table::{ReadOptions, Schema, Table, TableOptions};
//!
//! let text = "colour,weight,fruit\nred,150,apple\ngreen,170,apple\nyellow,120,banana\nyellow,130,banana\n";
//! let train = Table::from_reader(text.as_bytes(), "fruit.csv", &ReadOptions::default())?;
//! let schema = Schema::fit(&train, &TableOptions::target("fruit"))?;
//! assert_eq!(schema.feature_names(), ["colour=green", "colour=red", "colour=yellow", "weight"]);
//! let data = schema.encode(&train)?.data;
//! assert_eq!(data.to_rows::<f64>()[..4], [0.0, 1.0, 0.0, 150.0]);
//! assert_eq!(data.class_name(data.label(3)), "banana");
//!
//! let later = Table::from_reader("weight,colour\n140,blue\n".as_bytes(), "later.csv", &ReadOptions::default())?;
//! let error = schema.encode(&later).unwrap_err().to_string();
//! assert!(error.starts_with("later.csv: line 2: column \"colour\": \"blue\" is unknown"), "{error}");
//! # Ok::<(), tapegrad::Error>(())
//! ```

mod columns;
mod encode;
mod names;
mod options;
mod read;
mod records;
mod schema;

pub use encode::{Encoded, EncodedBlocks};
pub use options::{Header, Missing, ReadOptions, TableOptions, Task};
pub use schema::Schema;
pub(super) use schema::{MOST_CLASS_NUMBERS, class_numbers};

use std::path::Path;
use std::sync::Arc;

use super::Dataset;
use crate::text::count;
use crate::{Error, Result};
use names::{nearest, quoted};

/// The code of a missing text.
const MISSING: u32 = u32::MAX;

/// The contents of a text file of rows and columns: each column numbers or text.
#[derive(Clone, Debug)]
pub struct Table {
    file: String,
    columns: Vec<Column>,
    rows: usize,
    lines: Lines,
}

/// A named column of a [`Table`].
#[derive(Clone, Debug)]
pub struct Column {
    name: String,
    values: Values,
}

/// The cells of a column, from the first row to the last.
#[derive(Clone, Debug)]
pub enum Values {
    /// Numbers; NaN where a cell is missing. All others are finite.
    Numbers(Vec<f64>),
    /// Texts, each stored once.
    Text {
        /// Index into `texts` for each row; [`u32::MAX`] where the cell is missing.
        codes: Vec<u32>,
        /// The different texts, in the order in which they come.
        texts: Vec<Arc<str>>,
    },
}

impl Table {
    /// What was read: the path, or the name it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Number of rows, the header not counted.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Always false: a table without rows is an error when it is read.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The columns from left to right.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of that name.
    ///
    /// # Errors
    /// [`Error::Data`] if there is none; it names the most similar one.
    pub fn column(&self, name: &str) -> Result<&Column> {
        let found = self.columns.iter().find(|column| column.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            unknown(&self.file, &names, name)
        })
    }

    /// The line of the file on which row `row` begins; the first line is 1.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn line(&self, row: usize) -> u64 {
        assert!(row < self.rows, "line: row {row} of a table of {}", count(self.rows, "row"));
        self.lines.of(row)
    }

    /// An error at a row.
    fn at(&self, row: usize, why: String) -> Error {
        Error::Table { file: self.file.clone(), line: self.line(row), why }
    }
}

/// An error about a column that is not there.
fn unknown(file: &str, names: &[impl AsRef<str>], name: &str) -> Error {
    let names = names.iter().map(AsRef::as_ref);
    let hint = nearest(name, names.clone()).map_or_else(
        || {
            let some: Vec<&str> = names.clone().take(10).collect();
            let more = if names.len() > some.len() { ", …" } else { "" };
            format!("there are {}{more}", some.join(", "))
        },
        |similar| format!("did you mean {}?", quoted(similar)),
    );
    Error::Data(format!("{file}: there is no column {}; {hint}", quoted(name)))
}

impl Column {
    /// Its name, from the header; `column_1`, `column_2`, … where there is none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its cells.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// How many cells are missing.
    pub fn missing(&self) -> usize {
        match &self.values {
            Values::Numbers(numbers) => numbers.iter().filter(|x| x.is_nan()).count(),
            Values::Text { codes, .. } => codes.iter().filter(|code| **code == MISSING).count(),
        }
    }

    /// The least and the largest number; `None` for text, and where all cells are missing.
    pub fn range(&self) -> Option<(f64, f64)> {
        let Values::Numbers(numbers) = &self.values else { return None };
        let mut filled = numbers.iter().copied().filter(|x| !x.is_nan());
        let first = filled.next()?;
        Some(filled.fold((first, first), |(least, largest), x| (least.min(x), largest.max(x))))
    }

    /// The different texts and how many rows each has, in alphabetical order; `None` for numbers.
    pub fn texts(&self) -> Option<Vec<(&str, usize)>> {
        let Values::Text { codes, texts } = &self.values else { return None };
        let mut counts = vec![0; texts.len()];
        codes.iter().filter(|code| **code != MISSING).for_each(|code| counts[*code as usize] += 1);
        let mut both: Vec<(&str, usize)> = texts.iter().map(|text| &**text).zip(counts).collect();
        both.sort_unstable();
        Some(both)
    }

    fn is_missing(&self, row: usize) -> bool {
        match &self.values {
            Values::Numbers(numbers) => numbers[row].is_nan(),
            Values::Text { codes, .. } => codes[row] == MISSING,
        }
    }
}

/// On which line each row begins: only where a row does not follow on the line after the one before it.
#[derive(Clone, Debug, Default)]
struct Lines {
    /// (row, its line), ascending. Rows between follow line by line.
    breaks: Vec<(usize, u64)>,
}

impl Lines {
    fn push(&mut self, row: usize, line: u64) {
        if self.breaks.is_empty() || self.of(row) != line {
            self.breaks.push((row, line));
        }
    }

    fn of(&self, row: usize) -> u64 {
        match self.breaks.partition_point(|(first, _)| *first <= row) {
            0 => row as u64 + 1,
            after => {
                let (first, line) = self.breaks[after - 1];
                line + (row - first) as u64
            }
        }
    }
}

impl Dataset {
    /// The samples of a CSV file with a header: `target` is the column that is to be told, and all others are
    /// features. Whether it names classes or is a real value is told by what stands in it: see [`Task::Auto`], and
    /// [`TableOptions`] for other choices.
    ///
    /// ```
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/iris.csv");
    /// let iris = tapegrad::Dataset::read_csv(path, "species")?;
    /// assert_eq!((iris.len(), iris.features(), iris.class_name(2)), (150, 4, "virginica".into()));
    /// # Ok::<(), tapegrad::Error>(())
    /// ```
    ///
    /// A file that is coded as another one was, such as a test set beside a training set, is read by the
    /// [`Schema`] of that.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the file cannot be read; [`Error::Table`](crate::Error::Table) that names
    /// line and column where it cannot be used.
    pub fn read_csv(path: impl AsRef<Path>, target: &str) -> Result<Dataset> {
        let table = Table::read(path, &ReadOptions::default())?;
        Ok(Schema::fit(&table, &TableOptions::target(target))?.encode(&table)?.data)
    }
}
