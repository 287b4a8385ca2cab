//! How the columns of a table become features and a target.

use serde::{Deserialize, Serialize};

use super::names::quoted;
use super::{Column, MISSING, Missing, Table, TableOptions, Task, Values};
use crate::linalg::sum;
use crate::{Error, Result};

/// Most different numbers that are taken for class numbers unasked.
pub(in crate::data) const MOST_CLASS_NUMBERS: usize = 20;

/// What a table is made into, fitted to one table and good for every later one: see the
/// [module](super). It can be serialised, to be kept with a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    pub(super) features: Vec<Feature>,
    pub(super) target: Option<Target>,
    pub(super) missing: Missing,
    pub(super) names: Vec<String>,
}

/// A column that becomes features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Feature {
    pub column: String,
    pub code: Code,
}

/// How a cell becomes numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Code {
    /// As it is; `fill` where it is missing.
    Number { fill: Option<f64> },
    /// One number for each text: 1 for the cell's own, 0 for the others. `fill` is an index into `texts`.
    Texts { texts: Vec<String>, fill: Option<usize> },
}

/// A column that is to be predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Target {
    pub column: String,
    pub kind: TargetKind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum TargetKind {
    /// Alphabetical.
    Texts(Vec<String>),
    /// Ascending.
    ClassNumbers(Vec<f64>),
    Number,
}

impl Schema {
    /// Decides what becomes of each column of `table`.
    ///
    /// Features stand in the order of the columns. A column of numbers is one feature; a column of text is
    /// one for each of its texts, in alphabetical order, named `column=text`. Classes are in alphabetical
    /// order, or ascending where they are numbers.
    ///
    /// # Errors
    /// [`Error::Data`] if a column that `options` name does not exist (it names the most similar one), no
    /// column is left for the features, a text column has too many different texts, there is only one class,
    /// or no row or no number is left beside what is missing. [`Error::Table`], with the line, if a cell is
    /// missing and may not be, a class has only one row, or a regression's target is not a number.
    pub fn fit(table: &Table, options: &TableOptions) -> Result<Schema> {
        options.drop.iter().try_for_each(|name| table.column(name).map(drop))?;
        let target = options.target.as_deref().map(|name| table.column(name)).transpose()?;
        if let Some(column) = target.filter(|column| options.drop.contains(&column.name)) {
            let why = format!("column {} is the target and cannot be left out", quoted(&column.name));
            return Err(Error::setting("drop", why));
        }
        let columns: Vec<&Column> = table
            .columns
            .iter()
            .filter(|column| !options.drop.contains(&column.name))
            .filter(|column| target.is_none_or(|target| target.name != column.name))
            .collect();
        if columns.is_empty() {
            return Err(Error::Data(format!("{}: no column is left for the features", table.file)));
        }
        let way_out = "fill it, take the column's mean, or drop such rows";
        let rows = rows_or(way_out, table, &columns, target, options.missing)?;
        if rows.is_empty() {
            return Err(no_row_left(&table.file));
        }
        let features: Vec<Feature> =
            columns.iter().map(|column| fit_feature(table, column, &rows, options)).collect::<Result<_>>()?;
        let target = target.map(|column| fit_target(table, column, &rows, options.task)).transpose()?;
        let names = features.iter().flat_map(Feature::names).collect();
        Ok(Schema { features, target, missing: options.missing, names })
    }

    /// The names of the features, in order.
    pub fn feature_names(&self) -> &[String] {
        &self.names
    }

    /// The names of the columns that become features, in order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(|feature| feature.column.as_str())
    }

    /// The column that is predicted.
    pub fn target(&self) -> Option<&str> {
        self.target.as_ref().map(|target| target.column.as_str())
    }

    /// What is predicted; never [`Task::Auto`], and `None` without a target.
    pub fn task(&self) -> Option<Task> {
        self.target.as_ref().map(|target| match target.kind {
            TargetKind::Number => Task::Regression,
            _ => Task::Classification,
        })
    }

    /// The names of the classes, in order; empty where there are none.
    pub fn class_names(&self) -> Vec<String> {
        match self.target.as_ref().map(|target| &target.kind) {
            Some(TargetKind::Texts(texts)) => texts.clone(),
            Some(TargetKind::ClassNumbers(numbers)) => numbers.iter().map(f64::to_string).collect(),
            Some(TargetKind::Number) | None => Vec::new(),
        }
    }
}

impl Feature {
    /// Numbers for each row.
    pub(super) fn width(&self) -> usize {
        if let Code::Texts { texts, .. } = &self.code { texts.len() } else { 1 }
    }

    fn names(&self) -> Vec<String> {
        match &self.code {
            Code::Number { .. } => vec![self.column.clone()],
            Code::Texts { texts, .. } => texts.iter().map(|text| format!("{}={text}", self.column)).collect(),
        }
    }
}

pub(super) fn no_row_left(file: &str) -> Error {
    Error::Data(format!("{file}: a cell is missing in every row, so that none is left"))
}

/// The rows of a later table that take part. What a missing cell does was settled with the schema, and is no choice now.
pub(super) fn used_rows(
    table: &Table,
    columns: &[&Column],
    target: Option<&Column>,
    missing: Missing,
) -> Result<Vec<usize>> {
    let way_out = "fill it, leave the row out, or train with missing cells allowed";
    rows_or(way_out, table, columns, target, missing)
}

/// The rows that take part: all, or those without a missing cell; `way_out` is what to do about one that may not be missing.
fn rows_or(
    way_out: &str,
    table: &Table,
    columns: &[&Column],
    target: Option<&Column>,
    missing: Missing,
) -> Result<Vec<usize>> {
    let gap = |row: usize| columns.iter().copied().chain(target).find(|column| column.is_missing(row));
    let lacks = |row, column: &Column, way_out: &str| {
        let name = quoted(&column.name);
        Err(table.at(row, format!("column {name}: the cell is missing; {way_out}")))
    };
    let all = 0..table.rows;
    match missing {
        Missing::Error => {
            let found = all.clone().find_map(|row| gap(row).map(|column| (row, column)));
            if let Some((row, column)) = found {
                return lacks(row, column, way_out);
            }
            Ok(all.collect())
        }
        Missing::Mean => {
            if let Some(target) = target
                && let Some(row) = all.clone().find(|row| target.is_missing(*row))
            {
                return lacks(row, target, "a target cannot be made up: drop such rows");
            }
            Ok(all.collect())
        }
        Missing::Drop => Ok(all.filter(|row| gap(*row).is_none()).collect()),
    }
}

fn fit_feature(table: &Table, column: &Column, rows: &[usize], options: &TableOptions) -> Result<Feature> {
    let name = quoted(&column.name);
    let fail = |why: String| Err(Error::Data(format!("{}: column {name}: {why}", table.file)));
    let mean = options.missing == Missing::Mean;
    let code = match &column.values {
        Values::Numbers(_) if !mean => Code::Number { fill: None },
        Values::Numbers(numbers) => {
            let filled: Vec<f64> = numbers.iter().copied().filter(|x| !x.is_nan()).collect();
            let mean = sum(&filled) / filled.len() as f64;
            if filled.is_empty() {
                return fail("every cell is missing, so there is no mean; leave the column out".into());
            }
            if !mean.is_finite() {
                return fail("the mean leaves the range of the numbers; scale the column".into());
            }
            Code::Number { fill: Some(mean) }
        }
        Values::Text { codes, texts } => {
            let mut counts = vec![0usize; texts.len()];
            rows.iter()
                .map(|row| codes[*row])
                .filter(|c| *c != MISSING)
                .for_each(|c| counts[c as usize] += 1);
            let used = texts.iter().zip(counts).filter(|(_, count)| *count > 0);
            let mut used: Vec<(&str, usize)> = used.map(|(text, count)| (&**text, count)).collect();
            used.sort_unstable();
            if used.is_empty() {
                return fail("every cell is missing; leave the column out".into());
            }
            if used.len() > options.max_texts {
                let (found, most) = (used.len(), options.max_texts);
                return fail(format!(
                    "{found} different texts, each a feature of its own, are more than the {most} allowed; \
                     leave the column out"
                ));
            }
            // The first of the most frequent.
            let frequent = (0..used.len()).rev().max_by_key(|i| used[*i].1);
            let texts = used.iter().map(|(text, _)| (*text).to_string()).collect();
            Code::Texts { texts, fill: frequent.filter(|_| mean) }
        }
    };
    Ok(Feature { column: column.name.clone(), code })
}

fn fit_target(table: &Table, column: &Column, rows: &[usize], task: Task) -> Result<Target> {
    let name = quoted(&column.name);
    let kind = match (&column.values, task) {
        (Values::Text { codes, texts }, Task::Auto | Task::Classification) => {
            // Rows by the order of the texts.
            let mut order: Vec<usize> = (0..texts.len()).collect();
            order.sort_unstable_by_key(|code| &texts[*code]);
            let mut rank = vec![0; texts.len()];
            order.iter().enumerate().for_each(|(at, code)| rank[*code] = at);
            let counts = count(rows.iter().map(|row| (*row, rank[codes[*row] as usize])), texts.len());
            let used: Vec<usize> = (0..texts.len()).filter(|at| counts[*at].1 > 0).collect();
            check_classes(table, &name, used.iter().map(|at| (quoted(&texts[order[*at]]), counts[*at])))?;
            TargetKind::Texts(used.iter().map(|at| texts[order[*at]].to_string()).collect())
        }
        (Values::Text { codes, texts }, Task::Regression) => {
            let wrong = |row: &&usize| texts[codes[**row] as usize].parse::<f64>().is_err();
            let row = *rows.iter().find(wrong).unwrap_or(&rows[0]);
            let cell = quoted(&texts[codes[row] as usize]);
            let why =
                format!("column {name}: {cell} is not a number, which the target of a regression must be");
            return Err(table.at(row, why));
        }
        (Values::Numbers(numbers), task) => {
            let mut different: Vec<f64> = rows.iter().map(|row| numbers[*row]).collect();
            // −0 and 0 are one class.
            different.iter_mut().for_each(|x| *x += 0.0);
            different.sort_unstable_by(f64::total_cmp);
            different.dedup();
            if task == Task::Regression
                || task == Task::Auto && !class_numbers(&different, rows.len(), MOST_CLASS_NUMBERS)
            {
                TargetKind::Number
            } else {
                let class = |x: f64| different.partition_point(|y| *y < x);
                let counts = count(rows.iter().map(|row| (*row, class(numbers[*row]))), different.len());
                let named = different.iter().map(f64::to_string);
                check_classes(table, &name, named.zip(counts))?;
                TargetKind::ClassNumbers(different)
            }
        }
    };
    Ok(Target { column: column.name.clone(), kind })
}

/// Whether ascending numbers look like those of `most` classes at most: see [`Task::Auto`].
pub(in crate::data) fn class_numbers(different: &[f64], rows: usize, most: usize) -> bool {
    let (n, first) = (different.len(), different[0]);
    let counted =
        (first == 0.0 || first == 1.0) && different.iter().enumerate().all(|(i, x)| *x == first + i as f64);
    (2..=most).contains(&n) && 2 * n <= rows && (counted || different == [-1.0, 1.0])
}

/// For each class its first row and how many rows it has.
fn count(rows: impl Iterator<Item = (usize, usize)>, classes: usize) -> Vec<(usize, usize)> {
    let mut counts = vec![(0, 0); classes];
    for (row, class) in rows {
        let (first, count) = &mut counts[class];
        if *count == 0 {
            *first = row;
        }
        *count += 1;
    }
    counts
}

/// An error unless there are two classes, and two rows of each; from names, first rows and counts.
fn check_classes(
    table: &Table,
    column: &str,
    classes: impl Iterator<Item = (String, (usize, usize))>,
) -> Result<()> {
    let classes: Vec<(String, (usize, usize))> = classes.collect();
    if let [(class, _)] = &classes[..] {
        let why = format!("column {column} has one class only, {class}; there is nothing to tell apart");
        return Err(Error::Data(format!("{}: {why}", table.file)));
    }
    if let Some((class, (row, _))) = classes.iter().find(|(_, (_, count))| *count == 1) {
        let why = format!(
            "column {column}: class {class} has this row only, but training and test need one each; leave the \
             row out, or make it a regression if the target is a quantity"
        );
        return Err(table.at(*row, why));
    }
    Ok(())
}
