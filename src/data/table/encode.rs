//! A table made into a data set, by a schema.

use std::io::Read;
use std::path::Path;

use super::names::quoted;
use super::read::{Blocks, Wanted, read_file, read_stream};
use super::schema::{Code, Feature, Target, TargetKind, no_row_left, used_rows};
use super::{Column, MISSING, ReadOptions, Schema, Table, Values};
use crate::data::Dataset;
use crate::text::count;
use crate::{Error, Result};

/// A table as numbers.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Features with their names; labels with the classes' names, or targets, where the table has the target.
    pub data: Dataset,
    /// The table's row that each row of the data was made of: all, unless rows were dropped.
    pub rows: Vec<usize>,
    /// How many rows were left out, as a cell is missing.
    pub left_out: usize,
}

impl Schema {
    /// Reads a file with the types of the columns that this schema knows, and encodes it.
    ///
    /// # Errors
    /// As [`Table::read`] and [`encode`](Self::encode).
    pub fn read(&self, path: impl AsRef<Path>, options: &ReadOptions) -> Result<Encoded> {
        self.encode(&read_file(path.as_ref(), options, Some(&self.wanted()), &|| ())?)
    }

    /// The same from a stream; `name` stands for it in messages.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_reader(&self, reader: impl Read, name: &str, options: &ReadOptions) -> Result<Encoded> {
        self.encode(&read_stream(reader, name, options, Some(&self.wanted()))?)
    }

    /// The rows of a stream as they come in: for a stream whose writer waits for answers, and for one that is longer than
    /// the memory.
    ///
    /// # Errors
    /// As [`read`](Self::read), of its beginning.
    pub fn blocks<R: Read>(
        &self,
        reader: R,
        name: &str,
        options: &ReadOptions,
    ) -> Result<EncodedBlocks<'_, R>> {
        let blocks = Blocks::open(reader, name, options, Some(&self.wanted()), true)?;
        Ok(EncodedBlocks { schema: self, blocks })
    }

    /// The same without the column that is predicted: rows are encoded whether it is filled or not.
    pub fn without_target(&self) -> Schema {
        Schema { target: None, ..self.clone() }
    }

    /// Of columns of these names that are all numbers, and none is told.
    pub fn of_numbers(names: &[String]) -> Schema {
        let number = |column: &String| Feature { column: column.clone(), code: Code::Number { fill: None } };
        Schema {
            features: names.iter().map(number).collect(),
            target: None,
            missing: super::Missing::Error,
            names: names.to_vec(),
        }
    }

    /// The columns that it makes something of.
    fn wanted(&self) -> Wanted<'_> {
        let needed = self.features.iter().map(|feature| feature.column.as_str()).collect();
        let texts = self.features.iter().filter(|feature| matches!(feature.code, Code::Texts { .. }));
        let mut text: Vec<&str> = texts.map(|feature| feature.column.as_str()).collect();
        if let Some(Target { column, kind: TargetKind::Texts(_) }) = &self.target {
            text.push(column);
        }
        Wanted { needed, target: self.target(), text }
    }

    /// A schema that was written by hand, or changed in its file, may be none.
    pub(crate) fn check(&self, features: Option<usize>) -> Result<()> {
        let wrong = |column: &str, why: &str| {
            Err(Error::Data(format!("schema: column {}: {why}", crate::text::printable(column))))
        };
        let width: usize = self.features.iter().map(Feature::width).sum();
        if width == 0
            || width != self.feature_names().len()
            || features.is_some_and(|features| features != width)
        {
            let names = self.feature_names().len();
            return Err(Error::Data(format!(
                "schema: {} with {} cannot be those of the model",
                count(width, "feature"),
                count(names, "name")
            )));
        }
        for feature in &self.features {
            let Code::Texts { texts, fill } = &feature.code else { continue };
            if texts.is_empty() {
                return wrong(&feature.column, "it has no texts");
            }
            if !texts.is_sorted_by(|a, b| a < b) {
                return wrong(&feature.column, "its texts are not in alphabetical order, each once");
            }
            if let Some(fill) = fill.filter(|fill| *fill >= texts.len()) {
                return wrong(
                    &feature.column,
                    &format!("fill is {fill}, beyond {}", count(texts.len(), "text")),
                );
            }
        }
        match &self.target {
            Some(Target { column, kind: TargetKind::Texts(texts) }) if !texts.is_sorted_by(|a, b| a < b) => {
                wrong(column, "its classes are not in alphabetical order, each once")
            }
            Some(Target { column, kind: TargetKind::ClassNumbers(numbers) })
                if !numbers.is_sorted_by(|a, b| a < b) =>
            {
                wrong(column, "its classes do not ascend")
            }
            _ => Ok(()),
        }
    }

    /// Makes numbers of a table, the one it was fitted to or another.
    ///
    /// Columns are found by name: their order does not matter, and others are passed over. The target's
    /// column may be absent, or missing in every row; then the data has no labels.
    ///
    /// # Errors
    /// [`Error::Data`] if the schema is not as `fit` makes it, a column is absent, or is text where numbers are
    /// expected or the other way round.
    /// [`Error::Table`], with the line, if a cell is missing and may not be, a text of a text column was not
    /// there when the schema was fitted, or a class was not. [`Error::Data`] if the memory does not suffice.
    pub fn encode(&self, table: &Table) -> Result<Encoded> {
        let encoded = self.encode_some(table)?;
        if encoded.rows.is_empty() {
            return Err(no_row_left(&table.file));
        }
        Ok(encoded)
    }

    /// The same, where it may be that no row is left.
    fn encode_some(&self, table: &Table) -> Result<Encoded> {
        self.check(None)?;
        let columns: Vec<&Column> =
            self.features.iter().map(|feature| table.column(&feature.column)).collect::<Result<_>>()?;
        let target = self.target.as_ref().and_then(|target| {
            let column = table.columns.iter().find(|column| column.name == target.column)?;
            (column.missing() < table.rows).then_some((target, column))
        });
        let rows = used_rows(table, &columns, target.map(|(_, column)| column), self.missing)?;
        let width: usize = self.features.iter().map(Feature::width).sum();
        let numbers = rows.len().checked_mul(width);
        let mut values: Vec<f64> = Vec::new();
        let reserved = numbers.is_some_and(|numbers| values.try_reserve_exact(numbers).is_ok());
        let Some(numbers) = numbers.filter(|_| reserved) else {
            let why =
                format!("{} of {} cannot fit into memory", count(rows.len(), "row"), count(width, "feature"));
            return Err(Error::Data(format!("{}: {why}", table.file)));
        };
        values.resize(numbers, 0.0);
        let mut start = 0;
        for (feature, column) in self.features.iter().zip(columns) {
            // Of no row there is nothing to write, and no place for it.
            if !rows.is_empty() {
                write_feature(table, feature, column, &rows, &mut values[start..], width)?;
            }
            start += feature.width();
        }
        let data = Dataset::new(values, width)?.with_feature_names(self.feature_names().iter().cloned())?;
        let data = match target {
            None => data,
            Some((target, column)) => self.with_target(data, table, target, column, &rows)?,
        };
        let left_out = table.rows - rows.len();
        Ok(Encoded { data, rows, left_out })
    }

    fn with_target(
        &self,
        data: Dataset,
        table: &Table,
        target: &Target,
        column: &Column,
        rows: &[usize],
    ) -> Result<Dataset> {
        let name = quoted(&column.name);
        let unknown = |row, class: String| {
            let names = self.class_names();
            let some = names.iter().take(10).map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
            let more = if names.len() > 10 { ", …" } else { "" };
            table.at(row, format!("column {name}: class {class} is unknown; the classes are {some}{more}"))
        };
        let labels: Vec<usize> = match (&target.kind, &column.values) {
            (TargetKind::Number, Values::Numbers(numbers)) => {
                return data.with_targets(rows.iter().map(|row| numbers[*row]).collect(), 1);
            }
            (TargetKind::ClassNumbers(classes), Values::Numbers(numbers)) => {
                let class = |row: &usize| {
                    let x = numbers[*row];
                    let found = classes.iter().position(|class| *class == x);
                    found.ok_or_else(|| unknown(*row, x.to_string()))
                };
                rows.iter().map(class).collect::<Result<_>>()?
            }
            (TargetKind::Texts(classes), Values::Text { codes, texts }) => {
                let of_code: Vec<Option<usize>> = texts.iter().map(|text| find(classes, text)).collect();
                let class = |row: &usize| {
                    let code = codes[*row] as usize;
                    of_code[code].ok_or_else(|| unknown(*row, quoted(&texts[code])))
                };
                rows.iter().map(class).collect::<Result<_>>()?
            }
            (TargetKind::Texts(_), Values::Numbers(_)) => return Err(expected_text(table, &name)),
            (_, Values::Text { codes, texts }) => {
                return Err(expected_number(table, &name, codes, texts, rows));
            }
        };
        let names = self.class_names();
        data.with_labels(&labels, names.len())?.with_class_names(names)
    }
}

/// The rows of a stream, encoded as they come in.
pub struct EncodedBlocks<'a, R> {
    schema: &'a Schema,
    blocks: Blocks<R>,
}

impl<R: Read> EncodedBlocks<'_, R> {
    /// The next rows, at least one and `most` at most: those that have come in. Where rows with a missing cell are left
    /// out, it may be that none is left. `None` at the end of the stream.
    ///
    /// # Errors
    /// As [`Schema::read`], of these rows.
    pub fn next_block(&mut self, most: usize) -> Result<Option<Encoded>> {
        let table = self.blocks.next(most)?;
        table.map(|table| self.schema.encode_some(&table)).transpose()
    }
}

/// Writes a column into its place in each row of `width` numbers, of which `out` begins with the first.
fn write_feature(
    table: &Table,
    feature: &Feature,
    column: &Column,
    rows: &[usize],
    out: &mut [f64],
    width: usize,
) -> Result<()> {
    let name = quoted(&column.name);
    let out = out.chunks_mut(width).zip(rows);
    // That no cell without a substitute is missing has been checked, unless the schema was fitted elsewhere.
    match (&feature.code, &column.values) {
        (Code::Number { fill }, Values::Numbers(numbers)) => {
            for (out, row) in out {
                let x = numbers[*row];
                out[0] = if x.is_nan() { fill.unwrap_or(x) } else { x };
            }
        }
        (Code::Texts { texts: known, fill }, Values::Text { codes, texts }) => {
            let of_code: Vec<Option<usize>> = texts.iter().map(|text| find(known, text)).collect();
            for (out, row) in out {
                let code = codes[*row];
                let at = if code == MISSING { *fill } else { of_code[code as usize] };
                let Some(at) = at else {
                    let text = texts.get(code as usize).map_or_else(String::new, |text| quoted(text));
                    let why = format!("column {name}: {text} is unknown: the training data does not have it");
                    return Err(table.at(*row, why));
                };
                out[at] = 1.0;
            }
        }
        (Code::Texts { fill, .. }, Values::Numbers(numbers)) => {
            if numbers.iter().any(|x| !x.is_nan()) {
                return Err(expected_text(table, &name));
            }
            if let Some(at) = fill {
                out.for_each(|(out, _)| out[*at] = 1.0);
            }
        }
        (Code::Number { .. }, Values::Text { codes, texts }) => {
            return Err(expected_number(table, &name, codes, texts, rows));
        }
    }
    Ok(())
}

/// The place of `text` in ascending texts.
fn find(texts: &[String], text: &str) -> Option<usize> {
    texts.binary_search_by(|known| known.as_str().cmp(text)).ok()
}

fn expected_text(table: &Table, name: &str) -> Error {
    let why = format!("column {name} is numbers here and was text in training; read it as text");
    Error::Data(format!("{}: {why}", table.file))
}

/// The error at the first cell that is no number.
fn expected_number(
    table: &Table,
    name: &str,
    codes: &[u32],
    texts: &[std::sync::Arc<str>],
    rows: &[usize],
) -> Error {
    let text = |row: &usize| texts.get(codes[*row] as usize).filter(|text| text.parse::<f64>().is_err());
    let first = rows.iter().find_map(|row| text(row).map(|text| (*row, quoted(text))));
    let Some((row, text)) = first else {
        let why = format!("column {name} was numbers in training and is read as text here");
        return Error::Data(format!("{}: {why}", table.file));
    };
    table.at(row, format!("column {name}: {text} is not a number; the column was numbers in training"))
}
