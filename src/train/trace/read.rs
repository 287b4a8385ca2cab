//! Reads a trace again.

use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value as Json;

use super::{HASHES_MARK, ORDER_NAME, TraceFormat};
use crate::text::count;
use crate::train::trace::{Hashes, StepHashes};
use crate::{Error, Result, file, text};

/// A trace as it stands in a file.
///
/// ```
/// use tapegrad::train::{Trace, WrittenTrace};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("run.csv");
/// let mut trace = Trace::default();
/// trace.set("seed", 1_u64);
/// trace.write(&path, false)?;
/// let read = WrittenTrace::read(&path)?;
/// assert_eq!(read.order_of_sums, Some(tapegrad::linalg::ORDER));
/// assert_eq!(read.settings, [("seed".to_string(), "1".to_string())]);
/// assert!(read.diff(&read, ["a", "b"]).differences.is_empty());
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenTrace {
    /// How it was written.
    pub format: TraceFormat,
    /// The version of the order of sums; traces of before there was one have none.
    pub order_of_sums: Option<u32>,
    /// What was set, in order.
    pub settings: Vec<(String, String)>,
    /// Names of the figures of an epoch, the first of them `epoch`; none in JSON where no epoch was finished.
    pub figures: Vec<String>,
    /// A row for each epoch. JSON has `null` also for what is not finite, which reads as `None`.
    pub epochs: Vec<Vec<Option<f64>>>,
    /// What came out in the end, in order.
    pub results: Vec<(String, String)>,
    /// Hashes of the steps, where there are some.
    pub hashes: Option<Hashes>,
}

/// The first line of hashes.
#[derive(Deserialize)]
struct Names {
    parameters: Vec<String>,
}

/// Why a line cannot be read; the file and the line are added outside.
type Why<T> = Result<T, String>;

impl WrittenTrace {
    /// Reads a file that [`Trace::write`](super::Trace::write) has written, in the format of its ending.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read or is no text, [`Error::Table`] if it is no trace or not a whole one.
    pub fn read(path: impl AsRef<Path>) -> Result<WrittenTrace> {
        let path = path.as_ref();
        let mut all = String::new();
        file::open(path, "a trace")?.read_to_string(&mut all).map_err(Error::io(path))?;
        let mut line = 0;
        let found = match TraceFormat::of(path) {
            TraceFormat::JsonLines => json_lines(&all, &mut line),
            format => marked(&all, format, &mut line),
        };
        found.map_err(|why| Error::Table { file: text::path(path), line, why })
    }

    fn new(format: TraceFormat) -> WrittenTrace {
        WrittenTrace {
            format,
            order_of_sums: None,
            settings: Vec::new(),
            figures: Vec::new(),
            epochs: Vec::new(),
            results: Vec::new(),
            hashes: None,
        }
    }

    fn row(&mut self, row: Vec<Option<f64>>) -> Why<()> {
        if row.len() != self.figures.len() {
            return Err(format!(
                "{}, and there are names for {}",
                count(row.len(), "figure"),
                self.figures.len()
            ));
        }
        let last = self.epochs.last().and_then(|row| row[0]).unwrap_or(0.0);
        match row[0] {
            Some(epoch) if epoch > last && epoch.fract() == 0.0 => self.epochs.push(row),
            Some(epoch) => return Err(format!("epoch {epoch} after epoch {last}")),
            None => return Err("an epoch without its number".into()),
        }
        Ok(())
    }

    fn heads(&mut self, heads: Vec<String>) -> Why<()> {
        if heads.first().is_none_or(|name| name != "epoch") {
            return Err("no trace: the first figure of an epoch is to be `epoch`".into());
        }
        if let Some(name) = heads.iter().enumerate().find(|(i, name)| heads[..*i].contains(name)) {
            return Err(format!("two figures of the name `{}`", name.1));
        }
        self.figures = heads;
        Ok(())
    }

    fn hashes(&mut self, line: Json) -> Why<()> {
        let no_hashes = |error: serde_json::Error| format!("hashes that cannot be read: {error}");
        let Some(hashes) = &mut self.hashes else {
            let Names { parameters } = serde_json::from_value(line).map_err(no_hashes)?;
            self.hashes = Some(Hashes { parameters, steps: Vec::new() });
            return Ok(());
        };
        let step: StepHashes = serde_json::from_value(line).map_err(no_hashes)?;
        let count = hashes.parameters.len();
        let (epoch, at) = (step.epoch, step.step);
        if step.values.len() != count || ![0, count].contains(&step.gradients.len()) {
            return Err(format!(
                "epoch {epoch}, step {at}: not one hash for each of {}",
                text::count(count, "parameter")
            ));
        }
        if let Some(last) = hashes.steps.last().filter(|last| (last.epoch, last.step) >= (epoch, at)) {
            let (e, s) = (last.epoch, last.step);
            return Err(format!("hashes of epoch {epoch}, step {at} after those of epoch {e}, step {s}"));
        }
        hashes.steps.push(step);
        Ok(())
    }
}

/// Text and CSV.
fn marked(all: &str, format: TraceFormat, line: &mut u64) -> Why<WrittenTrace> {
    let mut trace = WrittenTrace::new(format);
    let csv = format == TraceFormat::Csv;
    let mut rest = all;
    // Of text, the names: the columns are known by the first row only.
    let mut names: Option<&str> = None;
    while !rest.is_empty() {
        *line += 1;
        if csv && trace.figures.is_empty() && !rest.starts_with('#') {
            let (heads, used) = csv_record(rest)?;
            trace.heads(heads)?;
            *line += rest[..used].matches('\n').count() as u64 - 1;
            rest = &rest[used..];
            continue;
        }
        let (this, next) = rest.split_once('\n').ok_or("the file ends within a line")?;
        rest = next;
        if let Some(json) = this.strip_prefix(HASHES_MARK) {
            trace.hashes(serde_json::from_str(json).map_err(|error| format!("no JSON: {error}"))?)?;
        } else if let Some(pair) = this.strip_prefix("# ") {
            let (name, value) = pair_of(pair)?;
            let headed = names.is_some() || !trace.figures.is_empty();
            if headed {
                trace.results.push((name, value));
            } else if name == ORDER_NAME && trace.order_of_sums.is_none() {
                trace.order_of_sums = Some(value.parse().map_err(|_| format!("no order of sums: {value}"))?);
            } else {
                trace.settings.push((name, value));
            }
        } else if csv {
            trace.row(this.split(',').map(|cell| figure(cell, "")).collect::<Why<_>>()?)?;
        } else if let Some(names) = names {
            if trace.figures.is_empty() {
                trace.heads(columns(names, this)?)?;
            }
            trace.row(this.split_whitespace().map(|cell| figure(cell, "-")).collect::<Why<_>>()?)?;
        } else {
            names = Some(this);
            if !this.trim_start().starts_with("epoch ") {
                return Err("no trace: the first figure of an epoch is to be `epoch`".into());
            }
        }
    }
    match names {
        Some(names) if trace.figures.is_empty() => {
            let heads = names.split("  ").map(str::trim_start).filter(|name| !name.is_empty());
            trace.heads(heads.map(str::to_string).collect())?;
        }
        _ if trace.figures.is_empty() => return Err("no trace: there are no names of figures".into()),
        _ => (),
    }
    Ok(trace)
}

fn json_lines(all: &str, line: &mut u64) -> Why<WrittenTrace> {
    let mut trace = WrittenTrace::new(TraceFormat::JsonLines);
    for (i, this) in all.split_inclusive('\n').enumerate() {
        *line = i as u64 + 1;
        let this = this.strip_suffix('\n').ok_or("the file ends within a line")?;
        let object: Json = serde_json::from_str(this).map_err(|error| format!("no JSON: {error}"))?;
        let Json::Object(mut object) = object else { return Err("no object of JSON".into()) };
        let pairs = |value: &Json| -> Why<Vec<(String, String)>> {
            let pairs = value.as_object().ok_or("names and values are expected")?;
            Ok(pairs.iter().map(|(name, value)| (name.clone(), text_of(value))).collect())
        };
        if i == 0 {
            trace.settings = pairs(object.get("settings").ok_or("no trace: there are no settings")?)?;
            if let Some(order) = object.get(ORDER_NAME) {
                let order_of_sums = order.as_u64().and_then(|order| u32::try_from(order).ok());
                trace.order_of_sums =
                    Some(order_of_sums.ok_or_else(|| format!("no order of sums: {order}"))?);
            }
        } else if object.contains_key("epoch") {
            let names: Vec<String> = object.keys().cloned().collect();
            if trace.figures.is_empty() {
                trace.heads(names)?;
            } else if names != trace.figures {
                return Err("other figures than in the epochs before".into());
            }
            let figure = |(name, value): (&String, &Json)| match value {
                Json::Null => Ok(None),
                value => value.as_f64().map(Some).ok_or_else(|| format!("{name}: {value} is no number")),
            };
            trace.row(object.iter().map(figure).collect::<Why<_>>()?)?;
        } else if let Some(hashes) = object.remove("hashes") {
            trace.hashes(hashes)?;
        } else if let Some(results) = object.get("results") {
            trace.results = pairs(results)?;
        } else {
            return Err("neither an epoch, nor hashes, nor results".into());
        }
    }
    if *line == 0 {
        return Err("no trace: the file is empty".into());
    }
    Ok(trace)
}

fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A number, or none.
fn figure(cell: &str, missing: &str) -> Why<Option<f64>> {
    if cell == missing {
        return Ok(None);
    }
    cell.parse().map(Some).map_err(|_| format!("`{}` is no number", text::printable(cell)))
}

/// The name and the value of a comment; either may stand there as JSON.
fn pair_of(pair: &str) -> Why<(String, String)> {
    let no_pair = || format!("`{}` is no name with a value", text::printable(pair));
    let as_text = |word: &str| match word.starts_with('"') {
        true => serde_json::from_str(word).map_err(|_| no_pair()),
        false => Ok(word.to_string()),
    };
    if pair.starts_with('"') {
        // The name may have an equals sign in it.
        let mut read = serde_json::Deserializer::from_str(pair).into_iter::<String>();
        let name = read.next().and_then(Result::ok).ok_or_else(no_pair)?;
        let value = pair[read.byte_offset()..].strip_prefix(" = ").ok_or_else(no_pair)?;
        return Ok((name, as_text(value)?));
    }
    let (name, value) = pair.split_once(" = ").ok_or_else(no_pair)?;
    Ok((name.to_string(), as_text(value)?))
}

/// The names above a row. They may hold blanks, but columns end where the figures do, which hold none.
fn columns(names: &str, row: &str) -> Why<Vec<String>> {
    let (names, row): (Vec<char>, Vec<char>) = (names.chars().collect(), row.chars().collect());
    if names.len() != row.len() {
        return Err("the names do not stand above their figures".into());
    }
    let ends = (0..row.len()).filter(|i| row[*i] != ' ' && row.get(i + 1).is_none_or(|c| *c == ' '));
    let mut start = 0;
    let name = |end: usize| {
        let name: String = names[std::mem::replace(&mut start, end + 1)..=end].iter().collect();
        name.trim_start().to_string()
    };
    Ok(ends.map(name).collect())
}

/// The fields of the first record of CSV, and how many bytes it takes.
fn csv_record(csv: &str) -> Why<(Vec<String>, usize)> {
    let (mut record, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = csv.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if quoted && chars.next_if(|(_, c)| *c == '"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                record.push(field);
                return Ok((record, at + 1));
            }
            c => field.push(c),
        }
    }
    Err("the file ends within the names of the figures".into())
}
