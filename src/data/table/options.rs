//! What reading and encoding a table are told.

use serde::{Deserialize, Serialize};

/// Whether the first row names the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// It does unless one of its cells is a number.
    #[default]
    Auto,
    /// It does.
    Present,
    /// It does not: the columns are `column_1`, `column_2`, ….
    Absent,
}

/// What [`Table::read`](super::Table::read) is told. The default finds out everything by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The byte between two cells; `None` takes a tab for files that end in `.tsv` or `.tab`, and otherwise
    /// finds out which of tab, semicolon, bar and comma divides the first ten lines alike.
    pub delimiter: Option<u8>,
    /// Whether the first row names the columns.
    pub header: Header,
    /// Columns whose cells are texts even if they look like numbers, such as postal codes.
    pub text: Vec<String>,
}

/// What to do about cells that are missing: those that are empty, `?` or, in capitals or not, `NA`, `N/A`,
/// `#N/A`, `<NA>`, `NaN`, `null`, and `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// An error that names line and column.
    #[default]
    Error,
    /// A number is replaced by the mean of its column in the table that the schema was fitted to, a text by
    /// the most frequent one there, the first in the alphabet of equals. A missing target stays an error.
    Mean,
    /// The row is left out.
    Drop,
}

/// What is to be predicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Decided by the target column. Text: a classification. Numbers: a classification if they look like
    /// class numbers, that is 0, 1, 2, … or 1, 2, 3, … without a gap, or −1 and 1, with at most 20 classes
    /// and on average two rows or more for each; a regression otherwise.
    #[default]
    Auto,
    /// The class of a row: each different text or number of the target column is one.
    Classification,
    /// A number.
    Regression,
}

/// What [`Schema::fit`](super::Schema::fit) is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOptions {
    /// The column to predict; without one the data has no labels.
    pub target: Option<String>,
    /// What is to be predicted.
    pub task: Task,
    /// What to do about missing cells.
    pub missing: Missing,
    /// Columns to leave out.
    pub drop: Vec<String>,
    /// The most different texts that a text column may have: each becomes a feature of its own.
    pub max_texts: usize,
}

impl TableOptions {
    /// All columns but `name` are features.
    pub fn target(name: impl Into<String>) -> Self {
        TableOptions { target: Some(name.into()), ..TableOptions::default() }
    }
}

/// No target, an error for missing cells, at most 100 texts a column.
impl Default for TableOptions {
    fn default() -> Self {
        let (task, missing) = (Task::Auto, Missing::Error);
        TableOptions { target: None, task, missing, drop: Vec::new(), max_texts: 100 }
    }
}
