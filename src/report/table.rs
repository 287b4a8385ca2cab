//! Tables: short in the page, exact in the CSV file.

use std::fmt::Write as _;

use super::{escape, fixed, name::Name, rounded};
use crate::text::count;
use crate::text::csv_field;

/// A table with named columns.
///
/// ```
/// use tapegrad::report::Table;
///
/// let mut table = Table::new("accuracy", "Accuracy on the test set", ["model", "accuracy"]);
/// table.row(["mlp".into(), 0.97123.into()]);
/// assert_eq!(table.csv(), "model,accuracy\nmlp,0.97123\n");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub(super) name: Name,
    pub(super) caption: String,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// A [`Table`] that grows column by column: see [`Table::of`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Columns<'a, R> {
    table: Table,
    rows: &'a [R],
}

impl<'a, R> Columns<'a, R> {
    /// Adds a column: its heading, and the cell of each row.
    pub fn column<C: Into<Cell>>(
        mut self,
        heading: impl Into<String>,
        cell: impl Fn(&'a R) -> C,
    ) -> Columns<'a, R> {
        self.table.columns.push(heading.into());
        for (to, row) in self.table.rows.iter_mut().zip(self.rows) {
            to.push(cell(row).into());
        }
        self
    }
}

impl<R> From<Columns<'_, R>> for Table {
    fn from(columns: Columns<'_, R>) -> Table {
        columns.table
    }
}

/// One entry of a [`Table`].
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A whole number.
    Count(u64),
    /// A number: four digits in the page, all of them in the file. `None` stands for one that is not
    /// finite, so that two tables with the same gap are equal, as NaN is not to itself.
    Number(Option<f64>),
}

impl Cell {
    /// What there is, or else these words.
    ///
    /// ```
    /// use tapegrad::report::Cell;
    ///
    /// let reached: Option<usize> = None;
    /// assert_eq!(Cell::or(reached, "not reached"), Cell::Text("not reached".into()));
    /// ```
    pub fn or(value: Option<impl Into<Cell>>, otherwise: &str) -> Cell {
        value.map_or_else(|| otherwise.into(), Into::into)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.into())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<usize> for Cell {
    fn from(n: usize) -> Cell {
        Cell::Count(n as u64)
    }
}

impl From<f64> for Cell {
    fn from(x: f64) -> Cell {
        Cell::Number(x.is_finite().then_some(x))
    }
}

impl Table {
    /// A table without rows. Its `name` becomes that of a file: small letters, digits, hyphens.
    ///
    /// # Panics
    /// If the name has other characters or none.
    #[track_caller]
    pub fn new(
        name: &str,
        caption: impl Into<String>,
        columns: impl IntoIterator<Item = impl Into<String>>,
    ) -> Table {
        let columns = columns.into_iter().map(Into::into).collect();
        Table { name: Name::new(name), caption: caption.into(), columns, rows: Vec::new() }
    }

    /// A table with a row for each of `rows`, said column by column, so that what a column is called and what
    /// stands in it are read in one place. Its `name` becomes that of a file, as in [`new`](Table::new).
    ///
    /// ```
    /// use tapegrad::report::Table;
    ///
    /// let steps = [(10, 0.5), (20, 0.25)];
    /// let table = Table::of("steps", "Loss after some steps", &steps)
    ///     .column("steps", |(steps, _)| *steps)
    ///     .column("loss", |(_, loss)| *loss);
    /// assert_eq!(Table::from(table).csv(), "steps,loss\n10,0.5\n20,0.25\n");
    /// ```
    ///
    /// # Panics
    /// If the name has other characters or none.
    #[track_caller]
    pub fn of<'a, R>(name: &str, caption: impl Into<String>, rows: &'a [R]) -> Columns<'a, R> {
        let table = Table { rows: vec![Vec::new(); rows.len()], ..Table::new(name, caption, [""; 0]) };
        Columns { table, rows }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it has another number of entries than there are columns.
    #[track_caller]
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let row: Vec<Cell> = cells.into_iter().collect();
        let (name, columns) = (self.name.as_str(), self.columns.len());
        assert!(
            row.len() == columns,
            "table {name}: a row of {} for {}",
            row.len(),
            count(columns, "column")
        );
        self.rows.push(row);
    }

    /// The table as CSV (RFC 4180, with single line feeds): a header line, then the rows.
    pub fn csv(&self) -> String {
        let field = |text: &str| csv_field(text).into_owned();
        let line = |fields: Vec<String>| fields.join(",") + "\n";
        let mut csv = line(self.columns.iter().map(|c| field(c)).collect());
        for row in &self.rows {
            csv += &line(
                row.iter()
                    .map(|cell| match cell {
                        Cell::Text(text) => field(text),
                        Cell::Count(n) => n.to_string(),
                        Cell::Number(x) => x.map_or("NaN".into(), |x| x.to_string()),
                    })
                    .collect(),
            );
        }
        csv
    }

    /// The table as an element of a page, folded below its caption.
    pub(super) fn folded(&self) -> String {
        let rows = count(self.rows.len(), "row");
        let caption = escape(&self.caption);
        format!(
            "<details class=\"data\"><summary>{caption} <span>({rows})</span></summary>{}</details>",
            self.html()
        )
    }

    /// Columns of numbers stand to the right, with as many decimals in every row.
    fn html(&self) -> String {
        let columns = 0..self.columns.len();
        let is_number = |column: &usize| self.rows.iter().any(|row| !matches!(row[*column], Cell::Text(_)));
        let numbers: Vec<bool> = columns.clone().map(|column| is_number(&column)).collect();
        let decimals: Vec<Option<usize>> = columns.map(|column| self.decimals(column)).collect();
        let class = |column: usize| if numbers[column] { " class=\"number\"" } else { "" };
        let mut html = String::from("<div class=\"table\" tabindex=\"0\"><table><thead><tr>");
        for (i, column) in self.columns.iter().enumerate() {
            let _ = write!(html, "<th scope=\"col\"{}>{}</th>", class(i), escape(column));
        }
        html.push_str("</tr></thead><tbody>");
        for row in &self.rows {
            html.push_str("<tr>");
            for (i, cell) in row.iter().enumerate() {
                let text = match (cell, decimals[i]) {
                    (Cell::Text(text), _) => escape(text),
                    (Cell::Count(n), _) => fixed(*n as f64, 0),
                    (Cell::Number(None), _) => "–".into(),
                    (Cell::Number(Some(x)), Some(decimals)) => fixed(*x, decimals),
                    (Cell::Number(Some(x)), None) => rounded(*x, 4),
                };
                let _ = write!(html, "<td{}>{text}</td>", class(i));
            }
            html.push_str("</tr>");
        }
        html + "</tbody></table></div>"
    }

    /// With how many decimals all numbers of a column can be shown: `None` where they are of too different sizes, so
    /// that each has the digits that it needs.
    fn decimals(&self, column: usize) -> Option<usize> {
        let numbers: Vec<f64> = self
            .rows
            .iter()
            .filter_map(|row| match row.get(column) {
                Some(Cell::Number(Some(x))) => Some(*x),
                _ => None,
            })
            .collect();
        let sizes = || numbers.iter().map(|x| x.abs()).filter(|size| *size > 0.0);
        let (least, most) = sizes().fold((f64::INFINITY, 0.0f64), |(a, b), x| (a.min(x), b.max(x)));
        if least.is_infinite() || least < 1e-4 || most >= 1e7 || most > 1e5 * least {
            return None;
        }
        let needed = |x: &f64| rounded(*x, 4).split_once('.').map_or(0, |(_, rest)| rest.len());
        // Two digits more than four of the largest at most.
        let room = (5 - libm::log10(most).floor() as i32).max(0) as usize;
        let decimals = numbers.iter().map(needed).max()?.min(room);
        // What would be shown as nothing needs digits of its own.
        (fixed(least, decimals).contains(|c: char| c.is_ascii_digit() && c != '0')).then_some(decimals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_quotes_what_needs_it_and_keeps_all_digits() {
        let mut table = Table::new("t", "", ["a, b", "c"]);
        table.row(["say \"no\"".into(), (1.0 / 3.0).into()]);
        table.row([Cell::from(3), f64::INFINITY.into()]);
        assert_eq!(table.csv(), "\"a, b\",c\n\"say \"\"no\"\"\",0.3333333333333333\n3,NaN\n");
    }

    #[test]
    fn text_is_escaped_in_the_page() {
        let mut table = Table::new("t", "", ["<x>"]);
        table.row(["<script>".into()]);
        assert!(!table.html().contains("<script>") && table.html().contains("&lt;x&gt;"));
    }

    #[test]
    fn a_column_of_numbers_has_equal_decimals() {
        let mut table = Table::new("t", "", ["name", "x", "y"]);
        table.row(["a".into(), 0.5.into(), 1e-9.into()]);
        table.row(["b".into(), 0.1234.into(), 3.0.into()]);
        let html = table.html();
        for cell in [">0.5000<", ">0.1234<", ">10⁻⁹<", ">3<", "<th scope=\"col\" class=\"number\">x<"] {
            assert!(html.contains(cell), "{cell} in {html}");
        }
        assert!(html.contains("<td>a</td>") && table.folded().contains("(2 rows)"));
    }
}
