//! What an experiment hands back.

use std::fmt::Write as _;
use std::ops::{Bound, RangeBounds};

use crate::report::{
    Chart, Claim, Criterion, Estimate, Estimated, Figure, Measurement, Prediction, Section, Statement, Table,
    Verdict,
};

/// What came out of an experiment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Claims, figures and tables.
    pub section: Section,
    /// Numbers that every run with the same settings shares, by name; `None` where one is not finite. NaN is not equal
    /// to itself, and two runs that diverge alike are.
    pub numbers: Vec<(String, Option<f64>)>,
}

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
        self.numbers.push((name.into(), x.is_finite().then_some(x)));
    }

    /// The first number of that name; `None` if there is none, or it is not finite.
    pub fn number_named(&self, name: &str) -> Option<f64> {
        self.numbers.iter().find(|(other, _)| other == name)?.1
    }

    /// The numbers with `digits` significant digits each, then the verdicts that do not rest on times.
    ///
    /// It is for people to read, and to compare line by line. With 17 digits two records are equal only if all numbers
    /// are.
    pub fn record(&self, digits: usize) -> String {
        let mut text = String::new();
        for (name, x) in &self.numbers {
            let _ = match x {
                Some(x) => writeln!(text, "{name}: {x:.*e}", digits.saturating_sub(1)),
                None => writeln!(text, "{name}: not finite"),
            };
        }
        for claim in self.section.claims.iter().filter(|claim| !claim.timed) {
            let _ = writeln!(text, "{}: {} [{}]", claim.verdict.words(), claim.statement, claim.criterion);
        }
        text
    }
}

/// What a claim allows that something is above 0, or below: the whole interval has to lie there.
pub(super) const ABOVE_0: (Bound<f64>, Bound<f64>) = (Bound::Excluded(0.0), Bound::Unbounded);
pub(super) const BELOW_0: (Bound<f64>, Bound<f64>) = (Bound::Unbounded, Bound::Excluded(0.0));

/// A claim of an outcome, in one sentence as [`Claim::that`] has it; [`within`](Draft::within) and
/// [`judged`](Draft::judged) add it.
pub(super) fn claim(outcome: &mut Outcome, statement: impl Into<String>) -> Draft<'_, Statement> {
    Draft(outcome, Claim::that(statement))
}

/// What there is of the sentence.
#[must_use]
pub(super) struct Draft<'a, Part>(&'a mut Outcome, Part);

impl<'a> Draft<'a, Statement> {
    /// See [`Statement::named`].
    #[track_caller]
    pub fn named(self, id: &str) -> Self {
        Draft(self.0, self.1.named(id))
    }

    pub fn expected(self, figure: impl Into<String>) -> Draft<'a, Prediction> {
        Draft(self.0, self.1.expected(figure))
    }
}

impl<'a> Draft<'a, Prediction> {
    pub fn measured(self, figure: impl Into<String>) -> Draft<'a, Measurement> {
        Draft(self.0, self.1.measured(figure))
    }

    pub fn estimated(self, estimate: Estimate) -> Draft<'a, Estimated> {
        Draft(self.0, self.1.estimated(estimate))
    }
}

impl<'a> Draft<'a, Measurement> {
    pub fn criterion(self, criterion: impl Into<String>) -> Draft<'a, Criterion> {
        Draft(self.0, self.1.criterion(criterion))
    }
}

impl<'a> Draft<'a, Estimated> {
    pub fn saying(self, words: &str) -> Self {
        Draft(self.0, self.1.saying(words))
    }

    pub fn within(self, range: impl RangeBounds<f64>, otherwise: impl Into<String>) {
        self.0.claim(self.1.within(range, otherwise));
    }
}

impl Draft<'_, Criterion> {
    pub fn judged(self, verdict: Verdict, otherwise: impl Into<String>) {
        self.0.claim(self.1.judged(verdict, otherwise));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_of_three_verdicts_are_in_the_record_but_those_of_times() {
        let mut outcome = Outcome::default();
        for (id, of) in [("inside", 1.0), ("across", 1.95), ("outside", 3.0)] {
            let measured = [of, of + 0.1, of - 0.1, of + 0.05, of - 0.05, of];
            claim(&mut outcome, id)
                .named(id)
                .expected("1 to 2")
                .estimated(Estimate::mean(&measured))
                .within(0.8..=2.0, "why");
        }
        let time = Claim::that("time").expected("").measured("").criterion("").holds(true, "").timed();
        outcome.claim(time);
        let record = outcome.record(3);
        let verdicts: Vec<&str> = record.lines().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(verdicts, ["holds", "not decided by this run", "does not hold"], "{record}");
        let why: Vec<&str> = outcome.section.claims.iter().map(|claim| claim.explanation.as_str()).collect();
        assert_eq!(why, ["", "why", "why", ""]);
    }

    #[test]
    #[should_panic(expected = "there is no figure `paths`")]
    fn a_headline_that_is_not_there() {
        Outcome::default().section.headline("paths");
    }
}
