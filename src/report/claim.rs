//! Claims: what the theory says, beside what came out.

use std::ops::RangeBounds;

use super::brief::brief;
use super::estimate::range_words;
use super::name::Name;
use super::{Estimate, Verdict};

/// What the theory says, what was measured, and whether it holds by a criterion stated before.
///
/// It is built in one sentence that cannot leave a part out: a claim that may fail needs its explanation
/// before anybody knows whether it will. One measurement is judged by [`holds`](Criterion::holds); one that was
/// repeated, over seeds or in time, by its interval and a range, which has three outcomes.
///
/// ```
/// use tapegrad::report::{Claim, Estimate, Verdict};
///
/// let slope = 1.02;
/// let claim = Claim::that("Memory grows linearly with depth")
///     .named("memory-linear")
///     .expected("slope 1")
///     .measured(format!("slope {slope}"))
///     .criterion("within 0.05 of 1")
///     .holds((slope - 1.0f64).abs() <= 0.05, "Buffers grow by doubling.");
/// assert!(claim.verdict == Verdict::Holds && claim.explanation.is_empty());
///
/// let claim = Claim::that("Time grows linearly with depth")
///     .expected("slope 1")
///     .estimated(Estimate::new(1.04, 1.01, 1.07, 7, "runs"))
///     .within(0.95..=1.05, "Caches are smaller than the graph.");
/// assert_eq!(claim.verdict, Verdict::NotDecided);
/// assert_eq!(claim.criterion, "the whole 95\u{a0}% interval is between 0.95 and 1.05");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// A name that stays when the sentence is changed, for links: small letters, digits, hyphens. Empty if it has
    /// none.
    pub id: String,
    /// The claim of the theory, in words.
    pub statement: String,
    /// The figure that it predicts.
    pub expected: String,
    /// The figure that came out.
    pub measured: String,
    /// The same with its interval, where it was measured repeatedly.
    pub estimate: Option<Estimate>,
    /// When it counts as held: `slope within 0.1 of −1`.
    pub criterion: String,
    /// Whether it held.
    pub verdict: Verdict,
    /// Why it does not hold, or is not decided; empty if it does, but for a [`remark`](Claim::remark).
    pub explanation: String,
    /// Whether the measured figure is a time, which no two runs share.
    pub timed: bool,
}

/// A claim without a figure that it predicts.
#[derive(Clone, Debug)]
#[must_use]
pub struct Statement {
    id: String,
    text: String,
}

/// A claim that has not been measured.
#[derive(Clone, Debug)]
#[must_use]
pub struct Prediction(Statement, String);

/// A claim that has been measured, but cannot be judged for want of a criterion.
#[derive(Clone, Debug)]
#[must_use]
pub struct Measurement(Prediction, String);

/// A claim whose figure was measured repeatedly, and cannot be judged for want of a range.
#[derive(Clone, Debug)]
#[must_use]
pub struct Estimated(Measurement, Estimate);

/// A claim that waits for its verdict.
#[derive(Clone, Debug)]
#[must_use]
pub struct Criterion(Measurement, Option<Estimate>, String);

impl Claim {
    /// Begins with the claim in words.
    pub fn that(statement: impl Into<String>) -> Statement {
        Statement { id: String::new(), text: statement.into() }
    }

    /// Whether the verdict is that it holds.
    pub fn holds(&self) -> bool {
        self.verdict == Verdict::Holds
    }

    /// What was measured in about `most` letters: see [`brief`].
    pub(super) fn brief(&self, most: usize) -> String {
        let whole = self.estimate.as_ref().map_or(String::new(), Estimate::to_string);
        match (&self.estimate, self.measured.strip_prefix(&whole)) {
            (Some(estimate), Some(words)) => brief(&(estimate.brief() + words), most),
            _ => brief(&self.measured, most),
        }
    }

    /// The same with a remark that stands beside it whether it holds or not: what limits it.
    pub fn remark(self, text: &str) -> Claim {
        let between = if self.explanation.is_empty() { "" } else { " " };
        Claim { explanation: self.explanation + between + text, ..self }
    }

    /// The same, marked as one about times.
    pub fn timed(self) -> Claim {
        Claim { timed: true, ..self }
    }

    /// The same with a name for links, as by [`Statement::named`].
    ///
    /// # Panics
    /// If the name has other characters than small letters, digits and hyphens, or none.
    #[track_caller]
    pub fn named(self, id: &str) -> Claim {
        Claim { id: Name::new(id).as_str().into(), ..self }
    }
}

impl Statement {
    /// Gives it a name that stays when the sentence is changed: other pages, and the table of the source's
    /// sentences, link to it.
    ///
    /// # Panics
    /// If the name has other characters than small letters, digits and hyphens, or none.
    #[track_caller]
    pub fn named(self, id: &str) -> Statement {
        Statement { id: Name::new(id).as_str().into(), ..self }
    }

    /// The figure that the theory predicts.
    pub fn expected(self, figure: impl Into<String>) -> Prediction {
        Prediction(self, figure.into())
    }
}

impl Prediction {
    /// The figure that came out.
    pub fn measured(self, figure: impl Into<String>) -> Measurement {
        Measurement(self, figure.into())
    }

    /// The figure that came out of several seeds or measurements, with its interval.
    pub fn estimated(self, estimate: Estimate) -> Estimated {
        let text = estimate.to_string();
        Estimated(Measurement(self, text), estimate)
    }
}

impl Measurement {
    /// When the claim counts as held, fixed before anything was measured.
    pub fn criterion(self, criterion: impl Into<String>) -> Criterion {
        Criterion(self, None, criterion.into())
    }
}

impl Estimated {
    /// Adds words to the measured figure: of what it is, or where it was taken.
    pub fn saying(self, words: &str) -> Estimated {
        let Estimated(Measurement(prediction, text), estimate) = self;
        Estimated(Measurement(prediction, format!("{text}{words}")), estimate)
    }

    /// Judges by where the interval lies: inside of the range it holds, outside of it does not, and across an
    /// end it is not decided. What explains the latter two is shown only then.
    pub fn within(self, range: impl RangeBounds<f64>, otherwise: impl Into<String>) -> Claim {
        let verdict = self.1.against(&range);
        let criterion = format!("the whole 95\u{a0}% interval is {}", range_words(&range));
        Criterion(self.0, Some(self.1), criterion).judged(verdict, otherwise)
    }

    /// A criterion in words, for a verdict that takes more than this one interval.
    pub fn criterion(self, criterion: impl Into<String>) -> Criterion {
        Criterion(self.0, Some(self.1), criterion.into())
    }
}

impl Criterion {
    /// Whether the criterion is met; and what explains it if it is not, which is shown only then.
    pub fn holds(self, holds: bool, otherwise: impl Into<String>) -> Claim {
        self.judged(holds.into(), otherwise)
    }

    /// The same with a verdict that may be *not decided*.
    pub fn judged(self, verdict: Verdict, otherwise: impl Into<String>) -> Claim {
        let Criterion(
            Measurement(Prediction(Statement { id, text: statement }, expected), measured),
            estimate,
            criterion,
        ) = self;
        let explanation = if verdict == Verdict::Holds { String::new() } else { otherwise.into() };
        Claim { id, statement, expected, measured, estimate, criterion, verdict, explanation, timed: false }
    }
}
