//! Tables, such as CSV files, as a source of samples, and what else is cut in two for a test: NumPy's arrays, IDX files
//! that are no images.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::output;
use super::reading::{is_arrays, warn_if_left_out, within_memory};
use super::source::{Cut, Source, kept_apart};
use crate::data::Dataset;
use crate::data::npy::is_archive;
use crate::data::table::{Encoded, Missing, ReadOptions, Schema, Table, TableOptions, Task};
use crate::{Error, Result, text};

/// What is said of a table.
#[derive(Args, Default)]
#[command(next_help_heading = "Tables and arrays (--data FILE.csv, .tsv, .npy, .npz)")]
pub struct TableArgs {
    /// The column that is to be told; all others are features. For samples in a .npy file, the .npy file of what is told
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Test samples: a share of all, class by class, or for a table another one [default: 0.2]; of a text the share with
    /// which it ends, or another text [default: 0.1]
    #[arg(long, value_name = "SHARE|FILE")]
    test: Option<Test>,
    /// Whether classes are told or values [default: by what stands in the column]
    #[arg(long, value_enum)]
    task: Option<Told>,
    /// What a missing cell does [default: error]
    #[arg(long, value_enum)]
    missing: Option<WhenMissing>,
    /// Columns of numbers that are names, as postal codes, separated by commas: one feature for each, as for texts
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    one_hot: Vec<String>,
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

/// An error if the same is told of all samples.
fn check_classes(data: &Dataset) -> Result<()> {
    let one = |found: &str| {
        Err(Error::Data(format!("{found} is told of all samples: there is nothing to tell apart")))
    };
    match (data.labels(), data.targets()) {
        (Some([first, others @ ..]), _) if others.iter().all(|label| label == first) => {
            one(&format!("class {}", text::printable(&data.class_name(*first))))
        }
        (_, Some([first, others @ ..])) if others.iter().all(|target| target == first) => {
            one(&first.to_string())
        }
        _ => Ok(()),
    }
}

/// The same, which knows whether classes or values are told.
fn with_task(mut source: Source) -> Source {
    let task = if source.train.labels().is_some() { Told::Classification } else { Told::Regression };
    source.worked_out.push(("task", name_of(task)));
    source
}

/// As it is written on the command line.
fn name_of(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or(String::new(), |value| value.get_name().to_string())
}

impl TableArgs {
    /// The file of what is told of samples in another.
    pub fn target_file(&self) -> Option<&Path> {
        self.target.as_deref().map(Path::new).filter(|path| is_arrays(path))
    }

    /// The share of all samples that is kept apart for the test, if one was said.
    pub fn test_share(&self) -> Option<f64> {
        if let Some(Test::Share(share)) = self.test { Some(share) } else { None }
    }

    /// The table or text to test on.
    pub fn test_file(&self) -> Option<&Path> {
        if let Some(Test::File(file)) = &self.test { Some(file) } else { None }
    }

    /// An error if something was said that has no meaning for what the data is.
    pub fn refuse(&self, but: &[&str], why: &'static str) -> Result<()> {
        let given = [
            ("target", self.target.is_some()),
            ("test", self.test.is_some()),
            ("task", self.task.is_some()),
            ("missing", self.missing.is_some()),
            ("drop", !self.drop.is_empty()),
            ("one_hot", !self.one_hot.is_empty()),
        ];
        match given.iter().find(|(name, given)| *given && !but.contains(name)) {
            Some((name, _)) => Err(Error::setting(name, why)),
            None => Ok(()),
        }
    }

    /// What a missing cell does, by its name.
    fn when_missing(&self) -> String {
        name_of(self.missing.unwrap_or(WhenMissing::Error))
    }

    fn task(&self) -> Task {
        match self.task {
            None => Task::Auto,
            Some(Told::Classification) => Task::Classification,
            Some(Told::Regression) => Task::Regression,
        }
    }

    /// The share of `all` that was asked for as test samples, and the others.
    pub fn apart(&self, all: &Dataset, seed: u64) -> Result<Cut> {
        if all.is_empty() {
            return Err(Error::Data("there are no samples".into()));
        }
        let share = match &self.test {
            None => SHARE,
            Some(Test::Share(share)) => *share,
            Some(Test::File(file)) => {
                let why = format!(
                    "{} is not a share, and only a table is tested on another file",
                    text::path(file)
                );
                return Err(Error::setting("test", why));
            }
        };
        if let Some(class) = all.class_counts().iter().position(|count| *count == 1) {
            let name = all.class_name(class);
            let why = format!(
                "class {} has one sample only, but training and test need one each: leave it out",
                text::printable(&name)
            );
            return Err(Error::Data(why));
        }
        check_classes(all)?;
        let (test, train) = kept_apart(all, share, seed)?;
        if test.is_empty() || train.is_empty() {
            let why = format!("{share} of {} leaves a set without any", text::count(all.len(), "sample"));
            return Err(Error::setting("test", why));
        }
        Ok(Cut { train, test, share })
    }

    /// The arrays of the file at `path`: an archive, or one of samples with another, named by the target.
    pub fn open_arrays(&self, path: &Path, seed: u64) -> Result<Source> {
        let (shown, task) = (text::path(path), self.task());
        let source = if is_archive(path) {
            self.refuse(
                &["test", "task"],
                "the arrays of an archive have names: X and y, or x_train and so on",
            )?;
            let found = within_memory(|options| Dataset::from_npz(path, task, options))?;
            match (found, &self.test) {
                ((train, Some(test)), None) => {
                    check_classes(&train)?;
                    Source::of(train, test, format!("arrays of {shown}"), "arrays")
                }
                ((_, Some(_)), Some(_)) => {
                    return Err(Error::setting("test", format!("{shown} has test samples of its own")));
                }
                ((all, None), _) => self.apart(&all, seed)?.of(&format!("arrays of {shown}"), "arrays"),
            }
        } else {
            self.refuse(&["test", "task", "target"], "it has a meaning for a table only")?;
            let Some(target) = &self.target else {
                let why = "what is told of the samples? --target y.npy, or an archive with X and y";
                return Err(Error::setting("target", why));
            };
            let all = within_memory(|options| Dataset::from_npy(path, target, task, options))?;
            let what = format!("arrays of {shown} and {}", text::printable(target));
            self.apart(&all, seed)?.of(&what, "arrays")
        };
        Ok(with_task(source))
    }

    /// The samples of IDX files that are no images, cut in two by `seed`.
    pub fn open_columns(&self, folder: &Path, seed: u64) -> Result<Source> {
        self.refuse(
            &["test"],
            "it has no meaning for such data, only for a table: --data FILE.csv or FILE.tsv",
        )?;
        let all = within_memory(|options| Dataset::from_columns(folder, options))?;
        Ok(self.apart(&all, seed)?.of(&format!("IDX files in {}", text::path(folder)), "idx"))
    }

    /// The samples of the table at `path`, cut in two by `seed` if there is no other table to test on.
    pub fn open(&self, path: &Path, seed: u64) -> Result<Source> {
        let reading = ReadOptions { text: self.one_hot.clone(), ..Default::default() };
        let table = Table::read(path, &reading)?;
        let Some(target) = &self.target else {
            let names: Vec<&str> = table.columns().iter().map(|column| column.name()).collect();
            let (path, names) = (text::path(path), output::names(&names));
            let why = format!("which column is to be told? --target COLUMN; {path} has {names}");
            return Err(Error::setting("target", why));
        };
        if let Some(name) = self.one_hot.iter().find(|name| *name == target || self.drop.contains(name)) {
            let why = format!("{} is no feature", text::printable(name));
            return Err(Error::setting("one_hot", why));
        }
        let missing = match self.missing {
            None | Some(WhenMissing::Error) => Missing::Error,
            Some(WhenMissing::Mean) => Missing::Mean,
            Some(WhenMissing::Drop) => Missing::Drop,
        };
        let task = self.task();
        let options = TableOptions { missing, task, drop: self.drop.clone(), ..TableOptions::target(target) };
        let schema = Schema::fit(&table, &options)?;
        let samples = |encoded: Encoded, of: &Path| -> Dataset {
            warn_if_left_out(&text::path(of), encoded.left_out);
            encoded.data
        };
        let all = samples(schema.encode(&table)?, path);
        let what = format!("table {}, target {}", text::path(path), text::printable(target));
        let source = match &self.test {
            Some(Test::File(file)) => {
                let test = Table::read(file, &reading)?;
                let test = samples(schema.encode(&test)?, file);
                if test.labels().is_none() && test.targets().is_none() {
                    let why = format!("{} has no column {target} to measure by", text::path(file));
                    return Err(Error::setting("test", why));
                }
                Source::of(all, test, format!("{what}, tested on {}", text::path(file)), "table")
            }
            _ => self.apart(&all, seed)?.of(&what, "table"),
        };
        let mut source = Source { schema: Some(schema), ..with_task(source) };
        source.worked_out.push(("missing", self.when_missing()));
        Ok(source)
    }
}
