//! Columns while they are read: numbers or text is decided on the way.

use std::collections::HashMap;
use std::sync::Arc;

use super::names::quoted;
use super::{Column, MISSING, Values};

/// Cells of a column that decide whether it is numbers or text.
const DECIDING: usize = 1000;

/// A column as it grows.
pub(super) struct Growing {
    pub name: String,
    cells: Cells,
}

/// What is made of a column.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// Numbers or text, by what stands in it.
    Decided,
    /// Text, whatever stands in it.
    Text,
    /// Nothing.
    Skipped,
}

enum Cells {
    /// The filled cells so far, with their rows.
    Undecided(Vec<(usize, String)>),
    Numbers(Vec<f64>),
    Text(Texts),
    Skipped,
}

#[derive(Default)]
struct Texts {
    codes: Vec<u32>,
    texts: Vec<Arc<str>>,
    code_of: HashMap<Arc<str>, u32>,
}

/// Why a cell cannot be taken: its row, and what is wrong.
pub(super) struct Refused {
    pub row: usize,
    pub why: String,
}

type Result<T = ()> = std::result::Result<T, Refused>;

impl Growing {
    /// None of its cells yet.
    pub(super) fn new(name: String, kind: Kind) -> Self {
        let cells = match kind {
            Kind::Decided => Cells::Undecided(Vec::new()),
            Kind::Text => Cells::Text(Texts::default()),
            Kind::Skipped => Cells::Skipped,
        };
        Growing { name, cells }
    }

    /// Takes the cell of row `row`; every row comes, in order.
    pub(super) fn push(&mut self, row: usize, cell: &str) -> Result {
        let full = |_| Refused { row, why: "there is not enough memory for the table".into() };
        match &mut self.cells {
            Cells::Skipped => {}
            Cells::Numbers(numbers) => {
                numbers.try_reserve(1).map_err(full)?;
                numbers.push(self::number(&self.name, row, cell)?);
            }
            Cells::Text(texts) => {
                texts.codes.try_reserve(1).map_err(full)?;
                texts.texts.try_reserve(1).map_err(full)?;
                texts.code_of.try_reserve(1).map_err(full)?;
                texts.push(cell);
            }
            Cells::Undecided(cells) => {
                if !is_missing(cell) {
                    cells.push((row, cell.into()));
                    if cells.len() == DECIDING {
                        self.decide(row + 1)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The column of `rows` rows; none where it was skipped.
    pub(super) fn finish(mut self, rows: usize) -> Result<Option<Column>> {
        self.decide(rows)?;
        let values = match self.cells {
            Cells::Skipped => return Ok(None),
            Cells::Numbers(numbers) => Values::Numbers(numbers),
            Cells::Text(Texts { codes, texts, .. }) => Values::Text { codes, texts },
            Cells::Undecided(_) => unreachable!("decided above"),
        };
        Ok(Some(Column { name: self.name, values }))
    }

    /// Numbers if at least half of the filled cells are, with an error for the first that is not.
    fn decide(&mut self, rows: usize) -> Result {
        let Cells::Undecided(cells) = &self.cells else { return Ok(()) };
        let full = |_| Refused { row: rows - 1, why: "there is not enough memory for the table".into() };
        let numbers = cells.iter().filter(|(_, cell)| cell.parse::<f64>().is_ok()).count();
        if 2 * numbers >= cells.len() {
            let mut values = Vec::new();
            values.try_reserve(rows).map_err(full)?;
            values.resize(rows, f64::NAN);
            for (row, cell) in cells {
                values[*row] = number(&self.name, *row, cell)?;
            }
            self.cells = Cells::Numbers(values);
        } else {
            let mut texts = Texts::default();
            texts.codes.try_reserve(rows).map_err(full)?;
            for (row, cell) in cells {
                texts.codes.resize(*row, MISSING);
                texts.push(cell);
            }
            texts.codes.resize(rows, MISSING);
            self.cells = Cells::Text(texts);
        }
        Ok(())
    }
}

impl Texts {
    fn push(&mut self, cell: &str) {
        if is_missing(cell) {
            self.codes.push(MISSING);
            return;
        }
        let code = self.code_of.get(cell).copied().unwrap_or_else(|| {
            let (text, code): (Arc<str>, u32) = (cell.into(), self.texts.len() as u32);
            self.texts.push(text.clone());
            self.code_of.insert(text, code);
            code
        });
        self.codes.push(code);
    }
}

/// Whether a number has a digit besides 0 before its exponent: 1e-400 is not 0.
fn is_above_zero(cell: &str) -> bool {
    let mantissa = cell.split(['e', 'E']).next().unwrap_or(cell);
    mantissa.bytes().any(|b| (b'1'..=b'9').contains(&b))
}

/// The number in a cell; NaN where it is missing.
fn number(column: &str, row: usize, cell: &str) -> Result<f64> {
    match cell.parse::<f64>() {
        Ok(x) if x.is_finite() && !(x == 0.0 && is_above_zero(cell)) => Ok(x),
        _ if is_missing(cell) => Ok(f64::NAN),
        Ok(_) => {
            // `inf` has no digit, 1e999 has.
            let digits = cell.bytes().any(|b| b.is_ascii_digit());
            let what = if digits { "is outside the range of the numbers" } else { "is not finite" };
            let why =
                format!("column {}: {} {what}; mend it or leave the row out", quoted(column), quoted(cell));
            Err(Refused { row, why })
        }
        Err(_) => {
            let comma = cell.matches(',').count() == 1 && cell.replace(',', ".").parse::<f64>().is_ok();
            let way_out =
                if comma { "write it with a decimal point" } else { "mend it, or read the column as text" };
            let (name, cell) = (quoted(column), quoted(cell));
            let why = format!("column {name} has numbers, but {cell} is none; {way_out}");
            Err(Refused { row, why })
        }
    }
}

/// Whether a cell stands for nothing.
pub(super) fn is_missing(cell: &str) -> bool {
    matches!(cell, "" | "?" | "None")
        || (cell.len() <= 4
            && ["na", "n/a", "#n/a", "<na>", "nan", "-nan", "null"]
                .iter()
                .any(|missing| cell.eq_ignore_ascii_case(missing)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(cells: &[&str]) -> std::result::Result<Values, String> {
        let mut growing = Growing::new("x".into(), Kind::Decided);
        let told = |refused: Refused| format!("row {}: {}", refused.row, refused.why);
        for (row, cell) in cells.iter().enumerate() {
            growing.push(row, cell).map_err(told)?;
        }
        growing.finish(cells.len()).map(|column| column.unwrap().values).map_err(told)
    }

    fn numbers(cells: &[&str]) -> Vec<f64> {
        match column(cells) {
            Ok(Values::Numbers(numbers)) => numbers,
            other => panic!("{cells:?}: {other:?}"),
        }
    }

    #[test]
    fn what_a_number_is() {
        assert_eq!(
            numbers(&["1", "-2.5", "+3", ".5", "4.", "1e-3", "1E5", "0e-9"]),
            [1.0, -2.5, 3.0, 0.5, 4.0, 1e-3, 1e5, 0.0]
        );
        let missing =
            numbers(&["", "?", "NA", "na", "N/A", "NaN", "nan", "-NaN", "null", "None", "#N/A", "<NA>"]);
        assert!(missing.iter().all(|x| x.is_nan()) && missing.len() == 12);
        for (cell, what) in [
            ("inf", "is not finite"),
            ("-Infinity", "is not finite"),
            ("1e999", "is outside the range of the numbers"),
            ("-2.5e-400", "is outside the range of the numbers"),
        ] {
            let error = column(&["1", cell, "2"]).unwrap_err();
            assert_eq!(
                error,
                format!("row 1: column \"x\": \"{cell}\" {what}; mend it or leave the row out")
            );
        }
        let error = column(&["1", "2,5", "3"]).unwrap_err();
        assert_eq!(
            error,
            "row 1: column \"x\" has numbers, but \"2,5\" is none; write it with a decimal point"
        );
    }

    #[test]
    fn the_first_thousand_cells_decide() {
        let mut cells = vec!["1"; 70_000];
        cells[69_998] = "l";
        let error = column(&cells).unwrap_err();
        assert!(error.starts_with("row 69998: column \"x\" has numbers, but \"l\" is none"), "{error}");
        let Ok(Values::Text { codes, texts }) = column(&["a", "", "1", "b", "a"]) else { panic!() };
        assert_eq!(codes, [0, MISSING, 1, 2, 0]);
        assert_eq!(texts.iter().map(|t| &**t).collect::<Vec<_>>(), ["a", "1", "b"]);
        // Missing cells before, between and behind, on both sides of the decision.
        let mut cells = vec![""; 3000];
        (500..2500).for_each(|row| cells[row] = if row % 3 == 0 { "7" } else { "" });
        let found = numbers(&cells);
        for (row, x) in found.iter().enumerate() {
            assert_eq!(x.is_nan(), cells[row].is_empty(), "{row}");
        }
        let text: Vec<&str> = cells.iter().map(|cell| if cell.is_empty() { "" } else { "z" }).collect();
        let Ok(Values::Text { codes, .. }) = column(&text) else { panic!() };
        assert!(codes.iter().zip(&text).all(|(code, cell)| (*code == MISSING) == cell.is_empty()));
        assert_eq!(codes.len(), 3000);
    }
}
