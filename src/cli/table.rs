//! Tables, such as CSV files, as a source of samples.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use tapegrad::data::Dataset;
use tapegrad::data::table::{Encoded, Missing, ReadOptions, Schema, Table, TableOptions, Task};
use tapegrad::{Error, Result, text};

use super::output;
use super::source::{Source, kept_apart};

/// What is said of a table.
#[derive(Args)]
#[command(next_help_heading = "Tables (--data FILE.csv or FILE.tsv)")]
pub struct TableArgs {
    /// The column that is to be told; all others are features
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Test samples: a share of the rows, class by class, or another table [default: 0.2]
    #[arg(long, value_name = "SHARE|FILE")]
    test: Option<Test>,
    /// Whether classes are told or values [default: by what stands in the column]
    #[arg(long, value_enum)]
    task: Option<Told>,
    /// What a missing cell does [default: error]
    #[arg(long, value_enum)]
    missing: Option<WhenMissing>,
    /// Columns to leave out, separated by commas
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    drop: Vec<String>,
}

/// Where the test samples come from.
#[derive(Clone, Debug)]
enum Test {
    Share(f64),
    File(PathBuf),
}

/// The share of the rows that are kept apart where nothing else is said.
const SHARE: f64 = 0.2;

impl FromStr for Test {
    type Err = String;

    fn from_str(text: &str) -> Result<Test, String> {
        match text.parse::<f64>() {
            Ok(share) if share > 0.0 && share < 1.0 => Ok(Test::Share(share)),
            Ok(share) => Err(format!("{share} is not a share between 0 and 1")),
            Err(_) => Ok(Test::File(text.into())),
        }
    }
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Told {
    /// The class of a row, of which each different text or number is one
    Classification,
    /// A number
    Regression,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum WhenMissing {
    /// Ends the command, with line and column
    Error,
    /// Is replaced by the mean of the column, a text by the most frequent one
    Mean,
    /// Leaves the row out
    Drop,
}

/// Whether a file of that name is read as a table.
pub fn is_table(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    matches!(ending.as_deref(), Some("csv" | "tsv" | "tab"))
}

impl TableArgs {
    /// The table to test on.
    pub fn test_file(&self) -> Option<&Path> {
        if let Some(Test::File(file)) = &self.test { Some(file) } else { None }
    }

    /// An error if something was said of a table where there is none.
    pub fn refuse(&self) -> Result<()> {
        let given = [
            ("target", self.target.is_some()),
            ("test", self.test.is_some()),
            ("task", self.task.is_some()),
            ("missing", self.missing.is_some()),
            ("drop", !self.drop.is_empty()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => {
                Err(Error::setting(name, "it is said of a table: --data FILE.csv or FILE.tsv"))
            }
            None => Ok(()),
        }
    }

    /// The samples of the table at `path`, cut in two by `seed` if there is no other table to test on.
    pub fn open(&self, path: &Path, seed: u64) -> Result<Source> {
        let table = Table::read(path, &ReadOptions::default())?;
        let Some(target) = &self.target else {
            let names: Vec<&str> = table.columns().iter().map(|column| column.name()).collect();
            let (path, names) = (text::path(path), output::names(&names));
            let why = format!("which column is to be told? --target COLUMN; {path} has {names}");
            return Err(Error::setting("target", why));
        };
        let missing = match self.missing {
            None | Some(WhenMissing::Error) => Missing::Error,
            Some(WhenMissing::Mean) => Missing::Mean,
            Some(WhenMissing::Drop) => Missing::Drop,
        };
        let task = match self.task {
            None => Task::Auto,
            Some(Told::Classification) => Task::Classification,
            Some(Told::Regression) => Task::Regression,
        };
        let options = TableOptions { missing, task, drop: self.drop.clone(), ..TableOptions::target(target) };
        let schema = Schema::fit(&table, &options)?;
        let samples = |encoded: Encoded, of: &Path, rows: usize| -> Dataset {
            let dropped = rows - encoded.rows.len();
            if dropped > 0 {
                output::note(format_args!(
                    "{dropped} rows of {} left out: a cell is missing",
                    text::path(of)
                ));
            }
            encoded.data
        };
        let all = samples(schema.encode(&table)?, path, table.len());
        let (train, test, from) = match &self.test {
            Some(Test::File(file)) => {
                let test = Table::read(file, &ReadOptions::default())?;
                let test = samples(schema.encode(&test)?, file, test.len());
                if test.labels().is_none() && test.targets().is_none() {
                    let why = format!("{} has no column {target} to measure by", text::path(file));
                    return Err(Error::setting("test", why));
                }
                (all, test, format!(", tested on {}", text::path(file)))
            }
            share => {
                let share = if let Some(Test::Share(share)) = share { *share } else { SHARE };
                let (test, train) = kept_apart(&all, share, seed)?;
                if test.is_empty() || train.is_empty() {
                    let why = format!("{share} of {} rows leaves a set without any", all.len());
                    return Err(Error::setting("test", why));
                }
                (train, test, format!(", {share} of its rows kept apart for the test"))
            }
        };
        let description = format!("table {}, target {}{from}", text::path(path), text::printable(target));
        Ok(Source { train, test, description, name: "table", is_table: true, schema: Some(schema) })
    }
}
