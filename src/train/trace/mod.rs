//! The record of a run: what was set, and what every epoch brought.

mod diff;
mod hashes;
mod read;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use super::{Audit, Value};
use crate::linalg::ORDER;
use crate::text::{csv_field, printable};
use crate::{Result, file};

pub use diff::TraceDiff;
pub use hashes::{Hash, Hashes, StepHashes};
pub use read::WrittenTrace;

/// What the order of sums is called in a trace.
const ORDER_NAME: &str = "order_of_sums";

/// What stands in front of a line of hashes in text and CSV; a setting has a blank behind the `#`.
const HASHES_MARK: &str = "#hashes ";

/// A run as text that can be compared to the last bit.
///
/// It holds nothing that differs between two identical runs; wall-clock times are written on request
/// only. Numbers are written with as many digits as it takes to read back the same bits. Its head has the
/// version of the order of sums, [`ORDER`](crate::linalg::ORDER), besides the settings: the bits of a run are
/// those of its order. [`WrittenTrace`] reads a file again and [compares](WrittenTrace::diff) two of them.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// What was set, in order: name and value.
    pub settings: Vec<(String, Value)>,
    /// One record per finished epoch.
    pub epochs: Vec<Epoch>,
    /// What came out in the end, in order: name and number.
    pub results: Vec<(String, f64)>,
    /// Hashes of every step, where the observer `Hashes` made them.
    pub hashes: Option<Hashes>,
}

/// What one epoch brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Optimizer steps since the start of the run.
    pub steps: u64,
    /// Learning rate of the epoch's last step.
    pub lr: f64,
    /// Mean loss over the training samples, each with the weights of its step.
    pub train_loss: f64,
    /// Share of training samples classified right, likewise; `None` for regression.
    pub train_accuracy: Option<f64>,
    /// Mean over the steps of the global gradient norm ‖∇L‖₂.
    pub gradient_norm: f64,
    /// Mean loss over the validation samples after the epoch.
    pub validation_loss: Option<f64>,
    /// Accuracy on the validation samples after the epoch.
    pub validation_accuracy: Option<f64>,
    /// Gradient flow over the steps of the epoch, where it was asked for.
    pub audit: Option<Audit>,
    /// Wall-clock time of the training part, in seconds; NaN in bare WebAssembly, which has no clock.
    pub seconds: f64,
    /// Training samples a second, likewise.
    pub samples_per_second: f64,
}

/// One value in a row of the trace.
#[derive(Clone, Copy)]
enum Cell {
    Count(u64),
    Number(f64),
    Missing,
}

impl From<Option<f64>> for Cell {
    fn from(x: Option<f64>) -> Cell {
        x.map_or(Cell::Missing, Cell::Number)
    }
}

/// A column: its name, and where its values come from. All formats share this table.
type Column = (&'static str, fn(&Epoch) -> Cell);

const COLUMNS: [Column; 8] = [
    ("epoch", |e| Cell::Count(e.epoch as u64)),
    ("steps", |e| Cell::Count(e.steps)),
    ("lr", |e| Cell::Number(e.lr)),
    ("train_loss", |e| Cell::Number(e.train_loss)),
    ("train_accuracy", |e| e.train_accuracy.into()),
    ("gradient_norm", |e| Cell::Number(e.gradient_norm)),
    ("validation_loss", |e| e.validation_loss.into()),
    ("validation_accuracy", |e| e.validation_accuracy.into()),
];

const TIMES: [Column; 2] = [
    ("seconds", |e| Cell::Number(e.seconds)),
    ("samples_per_second", |e| Cell::Number(e.samples_per_second)),
];

/// How a trace is written; a file's ending chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceFormat {
    /// Aligned columns for people: any ending but the two below.
    Text,
    /// Comma-separated columns (RFC 4180, with single line feeds), `.csv`; settings and results as comment
    /// lines with `# `, hashes with `#hashes `. What would break such a line, as a line feed, is written out as `\n`.
    Csv,
    /// One JSON object a line, `.jsonl`: the order of sums and the settings, an object per epoch, one per step
    /// that has hashes, and the results.
    JsonLines,
}

impl TraceFormat {
    /// The format of a file by its ending.
    pub fn of(path: &Path) -> TraceFormat {
        match path.extension().and_then(|e| e.to_str()) {
            Some("csv") => TraceFormat::Csv,
            Some("jsonl" | "ndjson" | "json") => TraceFormat::JsonLines,
            _ => TraceFormat::Text,
        }
    }
}

impl Trace {
    /// Adds a setting.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.settings.push((name.to_string(), value.into()));
    }

    /// Adds a result.
    pub fn result(&mut self, name: &str, value: f64) {
        self.results.push((name.to_string(), value));
    }

    /// The trace in a format, with wall-clock times if asked for.
    pub fn render(&self, format: TraceFormat, times: bool) -> String {
        let table = self.table(times);
        match format {
            TraceFormat::Text => self.text(&table),
            TraceFormat::Csv => self.csv(&table),
            TraceFormat::JsonLines => self.json_lines(&table),
        }
    }

    /// The columns of the table above, and behind them the figures of the audits, if there are any.
    fn table(&self, times: bool) -> Table {
        let columns: Vec<&Column> = COLUMNS.iter().chain(TIMES.iter().filter(|_| times)).collect();
        let mut heads: Vec<String> = columns.iter().map(|(name, _)| name.to_string()).collect();
        let audited = self.epochs.iter().find_map(|epoch| epoch.audit.as_ref());
        let figures = audited.map_or(Vec::new(), Audit::figures);
        for (name, _) in &figures {
            heads.push(unused(&heads, name));
        }
        let row = |epoch: &Epoch| -> Vec<Cell> {
            let mut row: Vec<Cell> = columns.iter().map(|(_, get)| get(epoch)).collect();
            if let Some(audit) = &epoch.audit {
                let own = audit.figures();
                // By place, as parameters may share a name; by name, as a module that changes over time need not have
                // all of its activations in every epoch.
                let found = figures.iter().enumerate().map(|(i, (name, _))| {
                    let at = own.get(i).filter(|figure| figure.0 == *name);
                    at.or_else(|| own.iter().find(|figure| figure.0 == *name))
                });
                row.extend(found.map(|figure| figure.map_or(Cell::Missing, |(_, x)| Cell::Number(*x))));
            }
            row.resize(heads.len(), Cell::Missing);
            row
        };
        let rows = self.epochs.iter().map(row).collect();
        Table { heads, rows }
    }

    /// Writes the trace to a file in the format of its ending. The file is replaced as a whole: at no
    /// time is there a half-written one.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>, times: bool) -> Result<()> {
        let path = path.as_ref();
        let text = self.render(TraceFormat::of(path), times);
        file::write(path, |out| out.write_all(text.as_bytes()))
    }

    fn text(&self, table: &Table) -> String {
        let rows: Vec<Vec<String>> =
            table.rows.iter().map(|row| row.iter().map(|cell| plain(cell, "-")).collect()).collect();
        let mut out = self.comments();
        // People count characters, and a line feed in a name would make a row.
        let heads: Vec<String> = table.heads.iter().map(|name| printable(name).into_owned()).collect();
        let length = |cell: &str| cell.chars().count();
        let widths: Vec<usize> = heads
            .iter()
            .enumerate()
            .map(|(c, name)| rows.iter().map(|row| length(&row[c])).max().unwrap_or(0).max(length(name)))
            .collect();
        for row in std::iter::once(&heads).chain(&rows) {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, w)| format!("{cell:>w$}")).collect();
            out.push_str(&cells.join("  "));
            out.push('\n');
        }
        out + &self.hashes_as_comments() + &self.results_as_comments()
    }

    fn csv(&self, table: &Table) -> String {
        let mut out = self.comments();
        let heads: Vec<_> = table.heads.iter().map(|name| csv_field(name)).collect();
        out.push_str(&heads.join(","));
        out.push('\n');
        for row in &table.rows {
            let cells: Vec<String> = row.iter().map(|cell| plain(cell, "")).collect();
            out.push_str(&cells.join(","));
            out.push('\n');
        }
        out + &self.hashes_as_comments() + &self.results_as_comments()
    }

    fn json_lines(&self, table: &Table) -> String {
        use serde_json::{Map, Value};
        let mut lines = Vec::new();
        let settings: Map<String, Value> =
            self.settings.iter().map(|(name, value)| (name.clone(), Value::from(value))).collect();
        lines.push(Value::Object(Map::from_iter([
            (ORDER_NAME.to_string(), Value::from(ORDER)),
            ("settings".to_string(), Value::Object(settings)),
        ])));
        for row in &table.rows {
            let row = table.heads.iter().zip(row).map(|(name, cell)| {
                let value = match *cell {
                    Cell::Count(n) => Value::from(n),
                    Cell::Number(x) => Value::from(x),
                    Cell::Missing => Value::Null,
                };
                (name.clone(), value)
            });
            lines.push(Value::Object(row.collect()));
        }
        for line in self.hash_lines() {
            lines.push(Value::Object(Map::from_iter([("hashes".to_string(), line)])));
        }
        if !self.results.is_empty() {
            let results: Map<String, Value> =
                self.results.iter().map(|(name, x)| (name.clone(), Value::from(*x))).collect();
            lines.push(Value::Object(Map::from_iter([("results".to_string(), Value::Object(results))])));
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn comments(&self) -> String {
        let settings = self.settings.iter().map(|(name, value)| comment(name, &value.to_string()));
        std::iter::once(comment(ORDER_NAME, &ORDER.to_string())).chain(settings).collect()
    }

    fn hashes_as_comments(&self) -> String {
        // Not all lines at once as values of JSON: there may be many.
        self.hash_lines().map(|line| format!("{HASHES_MARK}{line}\n")).collect()
    }

    /// The names of the parameters, then the steps, each a line.
    fn hash_lines(&self) -> impl Iterator<Item = serde_json::Value> + '_ {
        let names = |hashes: &Hashes| serde_json::json!({ "parameters": hashes.parameters });
        let step = |step: &StepHashes| serde_json::json!(step);
        self.hashes
            .iter()
            .flat_map(move |hashes| std::iter::once(names(hashes)).chain(hashes.steps.iter().map(step)))
    }

    fn results_as_comments(&self) -> String {
        self.results.iter().map(|(name, value)| comment(name, &value.to_string())).collect()
    }
}

/// A setting or a result as a line of its own.
fn comment(name: &str, value: &str) -> String {
    format!("# {} = {}\n", word(name), word(value))
}

/// A text within such a line: as it is, if it can be told apart there. If it has control characters, a
/// quotation mark in front or blanks at an end, it is written as JSON has it.
fn word(text: &str) -> Cow<'_, str> {
    if matches!(printable(text), Cow::Borrowed(_)) && !text.starts_with('"') && text.trim() == text {
        return Cow::Borrowed(text);
    }
    // JSON leaves some of them as they are.
    let json = serde_json::Value::from(text).to_string();
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(printable(c.encode_utf8(&mut [0; 4])), Cow::Borrowed(_)) {
            out.push(c);
        } else {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
    }
    Cow::Owned(out)
}

/// The name, or with a number behind it if there is one of that name already.
fn unused(names: &[String], name: &str) -> String {
    let mut new = name.to_string();
    let mut number = 2;
    while names.contains(&new) {
        new = format!("{name} ({number})");
        number += 1;
    }
    new
}

/// What all formats write: the heads of the columns, and a row for every epoch.
struct Table {
    heads: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// Rust prints the shortest digits that read back to the same number.
fn plain(cell: &Cell, missing: &str) -> String {
    match cell {
        Cell::Count(n) => n.to_string(),
        Cell::Number(x) => x.to_string(),
        Cell::Missing => missing.to_string(),
    }
}

#[cfg(test)]
mod tests;
