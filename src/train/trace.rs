//! The record of a run: what was set, and what every epoch brought.

use std::fmt::{self, Write as _};
use std::path::Path;

use super::Audit;
use crate::{Result, file};

/// A run as text that can be compared to the last bit.
///
/// It holds nothing that differs between two identical runs; wall-clock times are written on request
/// only. Numbers are written with as many digits as it takes to read back the same bits.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// What was set, in order: name and value.
    pub settings: Vec<(String, String)>,
    /// One record per finished epoch.
    pub epochs: Vec<Epoch>,
    /// What came out in the end, in order: name and number.
    pub results: Vec<(String, f64)>,
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
    /// Gradient flow in the epoch's last step, where it was asked for.
    pub audit: Option<Audit>,
    /// Wall-clock time of the training part, in seconds.
    pub seconds: f64,
    /// Training samples a second.
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
    /// Comma-separated columns, `.csv`; settings and results as comment lines with `#`.
    Csv,
    /// One JSON object a line, `.jsonl`: the settings, then an object per epoch, then the results.
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
    pub fn set(&mut self, name: &str, value: impl fmt::Display) {
        self.settings.push((name.to_string(), value.to_string()));
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
        heads.extend(figures.iter().map(|(name, _)| name.clone()));
        let row = |epoch: &Epoch| -> Vec<Cell> {
            let mut row: Vec<Cell> = columns.iter().map(|(_, get)| get(epoch)).collect();
            if let Some(audit) = &epoch.audit {
                row.extend(audit.figures().into_iter().map(|(_, x)| Cell::Number(x)));
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
        let widths: Vec<usize> = table
            .heads
            .iter()
            .enumerate()
            .map(|(c, name)| rows.iter().map(|row| row[c].len()).max().unwrap_or(0).max(name.len()))
            .collect();
        for row in std::iter::once(&table.heads).chain(&rows) {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, w)| format!("{cell:>w$}")).collect();
            out.push_str(&cells.join("  "));
            out.push('\n');
        }
        out + &self.results_as_comments()
    }

    fn csv(&self, table: &Table) -> String {
        let mut out = self.comments();
        out.push_str(&table.heads.join(","));
        out.push('\n');
        for row in &table.rows {
            let cells: Vec<String> = row.iter().map(|cell| plain(cell, "")).collect();
            out.push_str(&cells.join(","));
            out.push('\n');
        }
        out + &self.results_as_comments()
    }

    fn json_lines(&self, table: &Table) -> String {
        use serde_json::{Map, Value};
        let mut lines = Vec::new();
        let settings: Map<String, Value> =
            self.settings.iter().map(|(name, value)| (name.clone(), typed(value))).collect();
        lines.push(Value::Object(Map::from_iter([("settings".to_string(), Value::Object(settings))])));
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
        if !self.results.is_empty() {
            let results: Map<String, Value> =
                self.results.iter().map(|(name, x)| (name.clone(), Value::from(*x))).collect();
            lines.push(Value::Object(Map::from_iter([("results".to_string(), Value::Object(results))])));
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn comments(&self) -> String {
        self.settings.iter().fold(String::new(), |mut out, (name, value)| {
            let _ = writeln!(out, "# {name} = {value}");
            out
        })
    }

    fn results_as_comments(&self) -> String {
        self.results.iter().fold(String::new(), |mut out, (name, value)| {
            let _ = writeln!(out, "# {name} = {value}");
            out
        })
    }
}

/// What all formats write: the heads of the columns, and a row for every epoch.
struct Table {
    heads: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// A setting that is a whole number as one, everything else as text.
fn typed(value: &str) -> serde_json::Value {
    value.parse::<u64>().map_or_else(|_| value.into(), serde_json::Value::from)
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
mod tests {
    use super::*;

    fn example() -> Trace {
        let mut trace = Trace::default();
        trace.set("model", "mlp 4-2");
        for epoch in 1..=2 {
            trace.epochs.push(Epoch {
                epoch,
                steps: 10 * epoch as u64,
                lr: 1e-3,
                train_loss: 1.0 / 3.0 / epoch as f64,
                train_accuracy: Some(0.1 + 0.2),
                gradient_norm: 1e-17,
                validation_loss: None,
                validation_accuracy: None,
                audit: None,
                seconds: 0.5,
                samples_per_second: 1e5,
            });
        }
        trace.result("test_accuracy", 0.975);
        trace
    }

    #[test]
    fn numbers_read_back_to_the_same_bits() {
        let trace = example();
        let csv = trace.render(TraceFormat::Csv, false);
        let row: Vec<&str> = csv.lines().nth(2).unwrap().split(',').collect();
        assert_eq!(row.len(), COLUMNS.len());
        assert_eq!(row[3].parse::<f64>().unwrap().to_bits(), (1.0f64 / 3.0).to_bits());
        assert_eq!(row[4].parse::<f64>().unwrap().to_bits(), (0.1f64 + 0.2).to_bits());
        assert_eq!(row[5].parse::<f64>().unwrap().to_bits(), 1e-17f64.to_bits());
        assert_eq!(row[6], "");

        let json = trace.render(TraceFormat::JsonLines, false);
        let row: serde_json::Value = serde_json::from_str(json.lines().nth(1).unwrap()).unwrap();
        assert_eq!(row["train_accuracy"].as_f64().unwrap().to_bits(), (0.1f64 + 0.2).to_bits());
        assert!(row["validation_loss"].is_null());
        let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
        assert_eq!(last["results"]["test_accuracy"], 0.975);
    }

    #[test]
    fn times_stand_in_it_on_request_only() {
        for format in [TraceFormat::Text, TraceFormat::Csv, TraceFormat::JsonLines] {
            assert!(!example().render(format, false).contains("seconds"));
            assert!(example().render(format, true).contains("samples_per_second"));
        }
    }

    #[test]
    fn the_ending_chooses_the_format() {
        assert_eq!(TraceFormat::of(Path::new("a/run.csv")), TraceFormat::Csv);
        assert_eq!(TraceFormat::of(Path::new("run.jsonl")), TraceFormat::JsonLines);
        assert_eq!(TraceFormat::of(Path::new("run")), TraceFormat::Text);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let error = example().write("/no/such/folder/run.csv", false).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/folder/run.csv: "), "{error}");
    }
}
