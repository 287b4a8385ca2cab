//! What an experiment hands back.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::report::{Chart, Claim, Criterion, Figure, Measurement, Prediction, Section, Statement, Table};

/// What came out of an experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Claims, figures and tables.
    pub section: Section,
    /// Numbers that every run with the same settings shares, by name.
    pub numbers: Vec<(String, Number)>,
}

/// A number that may not be finite; JSON has no word for that.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Number(Option<f64>);

impl Outcome {
    /// Adds a claim.
    pub fn claim(&mut self, claim: Claim) {
        self.section.claims.push(claim);
    }

    /// Draws a figure of these charts and adds it: its name, which becomes that of a file, its title, and a
    /// caption that says what to see.
    ///
    /// # Panics
    /// As [`Figure::new`].
    #[track_caller]
    pub fn draw(
        &mut self,
        name: &str,
        title: impl Into<String>,
        caption: impl Into<String>,
        charts: impl IntoIterator<Item = Chart>,
    ) {
        self.figure(&Figure::new(name, title, caption).panels(charts));
    }

    /// Draws a figure and adds it.
    pub fn figure(&mut self, figure: &Figure) {
        self.section.figure(figure);
    }

    /// Adds a table: one of rows, or one said column by column ([`Table::of`]).
    pub fn table(&mut self, table: impl Into<Table>) {
        self.section.table(table.into());
    }

    /// Adds a number for the record: **never a time**, nor what follows from one.
    pub fn number(&mut self, name: impl Into<String>, x: f64) {
        self.numbers.push((name.into(), Number(x.is_finite().then_some(x))));
    }

    /// The numbers with `digits` significant digits each, then the verdicts that do not rest on times.
    ///
    /// Other processors may round the last digits of a product in another way, so that a record to be
    /// compared between machines does not hold them.
    pub fn record(&self, digits: usize) -> String {
        let mut text = String::new();
        for (name, Number(x)) in &self.numbers {
            let _ = match x {
                Some(x) => writeln!(text, "{name}: {x:.*e}", digits.saturating_sub(1)),
                None => writeln!(text, "{name}: not finite"),
            };
        }
        for claim in self.section.claims.iter().filter(|claim| !claim.timed) {
            let verdict = if claim.holds { "holds" } else { "does not hold" };
            let _ = writeln!(text, "{verdict}: {} [{}]", claim.statement, claim.criterion);
        }
        text
    }
}

/// A claim of an outcome, in one sentence as [`Claim::that`] has it; [`holds`](Draft::holds) adds it.
pub(super) fn claim(outcome: &mut Outcome, statement: impl Into<String>) -> Draft<'_, Statement> {
    Draft(outcome, Claim::that(statement))
}

/// What there is of the sentence.
#[must_use]
pub(super) struct Draft<'a, Part>(&'a mut Outcome, Part);

impl<'a> Draft<'a, Statement> {
    pub fn expected(self, figure: impl Into<String>) -> Draft<'a, Prediction> {
        Draft(self.0, self.1.expected(figure))
    }
}

impl<'a> Draft<'a, Prediction> {
    pub fn measured(self, figure: impl Into<String>) -> Draft<'a, Measurement> {
        Draft(self.0, self.1.measured(figure))
    }
}

impl<'a> Draft<'a, Measurement> {
    pub fn criterion(self, criterion: impl Into<String>) -> Draft<'a, Criterion> {
        Draft(self.0, self.1.criterion(criterion))
    }
}

impl Draft<'_, Criterion> {
    pub fn holds(self, holds: bool, otherwise: impl Into<String>) {
        self.0.claim(self.1.holds(holds, otherwise));
    }
}
