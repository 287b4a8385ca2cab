//! The record of a run: what was set, and what every epoch brought.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use super::{Audit, Value};
use crate::text::{csv_field, printable};
use crate::{Result, file};

/// A run as text that can be compared to the last bit.
///
/// It holds nothing that differs between two identical runs; wall-clock times are written on request
/// only. Numbers are written with as many digits as it takes to read back the same bits.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// What was set, in order: name and value.
    pub settings: Vec<(String, Value)>,
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
    /// lines with `#`. What would break such a line, as a line feed, is written out as `\n`.
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
        out + &self.results_as_comments()
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
        out + &self.results_as_comments()
    }

    fn json_lines(&self, table: &Table) -> String {
        use serde_json::{Map, Value};
        let mut lines = Vec::new();
        let settings: Map<String, Value> =
            self.settings.iter().map(|(name, value)| (name.clone(), Value::from(value))).collect();
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
        self.settings.iter().map(|(name, value)| comment(name, &value.to_string())).collect()
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

    /// Reads CSV as RFC 4180 has it, without the comment lines.
    fn parse(csv: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
        let mut chars = csv.chars().peekable();
        let (mut quoted, mut start) = (false, true);
        while let Some(c) = chars.next() {
            if start && c == '#' {
                chars.by_ref().find(|c| *c == '\n');
                continue;
            }
            start = false;
            match c {
                '"' if quoted && chars.next_if_eq(&'"').is_some() => field.push('"'),
                '"' => quoted = !quoted,
                ',' if !quoted => row.push(std::mem::take(&mut field)),
                '\n' if !quoted => {
                    row.push(std::mem::take(&mut field));
                    rows.push(std::mem::take(&mut row));
                    start = true;
                }
                c => field.push(c),
            }
        }
        assert!(row.is_empty() && field.is_empty() && !quoted);
        rows
    }

    #[test]
    fn any_name_and_any_setting_is_one_column_and_one_line() {
        use crate::train::ParamFlow;
        let names = ["conv,1", "say \"no\"", "two\nlines", "two\r\nlines", "w#1", "#", "", "w", "w", " w "];
        let mut trace = example();
        let flow = |name: &&str| ParamFlow {
            name: name.to_string(),
            gradient_norm: 1.0,
            weight_norm: 2.0,
            update_ratio: 0.5,
        };
        let mut audit = Audit::default();
        audit.params = names.iter().map(flow).collect();
        trace.epochs.iter_mut().for_each(|epoch| epoch.audit = Some(audit.clone()));
        trace.set("note", "first\nsecond,\"third\"\r\u{1b}[2J");
        trace.set("two\nlines", "\"quoted\"");
        trace.result("a\nb", 1.0);
        let csv = trace.render(TraceFormat::Csv, false);
        let rows = parse(&csv);
        assert_eq!(rows.len(), 3, "{csv}");
        assert!(rows.iter().all(|row| row.len() == COLUMNS.len() + 2 * names.len()), "{csv}");
        let heads: Vec<&str> =
            rows[0].iter().filter_map(|head| head.strip_prefix("gradient_norm:")).collect();
        assert_eq!(heads[..8], names[..8]);
        assert!(rows[0].contains(&"gradient_norm:w (2)".to_string()), "{csv}");
        let comments: Vec<&str> = csv.lines().filter(|line| line.starts_with("# ")).collect();
        assert_eq!(
            comments,
            [
                "# model = mlp 4-2",
                r##"# note = "first\nsecond,\"third\"\r\u001b[2J""##,
                r##"# "two\nlines" = "\"quoted\"""##,
                "# test_accuracy = 0.975",
                r##"# "a\nb" = 1"##,
            ]
        );
        // The others: as many lines as there are settings, epochs and results.
        let text = trace.render(TraceFormat::Text, false);
        assert_eq!(text.lines().count(), 3 + 1 + 2 + 2, "{text}");
        let json = trace.render(TraceFormat::JsonLines, false);
        let lines: Vec<serde_json::Value> =
            json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 1 + 2 + 1);
        assert_eq!(lines[0]["settings"]["note"], "first\nsecond,\"third\"\r\u{1b}[2J");
        assert_eq!(lines[1]["gradient_norm:conv,1"], 1.0);
        assert_eq!(lines[1].as_object().unwrap().len(), COLUMNS.len() + 2 * names.len());
    }

    /// Whatever the value: the setting decides.
    #[test]
    fn the_type_of_a_setting_does_not_follow_its_value() {
        for (value, json, text) in [
            (Value::from(1.0), "1.0", "1"),
            (Value::from(0.5), "0.5", "0.5"),
            (Value::from(1e-300), "1e-300", &1e-300f64.to_string()),
            (Value::from(f64::INFINITY), "null", "inf"),
            (Value::Scientific(1e-7), "1e-7", "1e-7"),
            (Value::Scientific(1.0), "1.0", "1e0"),
            (Value::from("007"), "\"007\"", "007"),
            (Value::from("1".to_string()), "\"1\"", "1"),
            (Value::from(format_args!("{}", 1)), "\"1\"", "1"),
            (Value::from(7usize), "7", "7"),
            (Value::from(u64::MAX), "18446744073709551615", "18446744073709551615"),
            (Value::from(-3), "-3.0", "-3"),
            (Value::from(true), "true", "true"),
            (Value::from("true"), "\"true\"", "true"),
        ] {
            let mut trace = Trace::default();
            trace.set("x", value);
            let expected = format!("{{\"settings\":{{\"x\":{json}}}}}\n");
            assert_eq!(trace.render(TraceFormat::JsonLines, false), expected);
            assert_eq!(trace.render(TraceFormat::Csv, false).lines().next(), Some(&*format!("# x = {text}")));
        }
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
