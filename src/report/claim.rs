//! Claims: what the theory says, beside what came out.

use serde::{Deserialize, Serialize};

/// What the theory says, what was measured, and whether it holds by a criterion stated before.
///
/// It is built in one sentence that cannot leave a part out: a claim that may fail needs its explanation
/// before anybody knows whether it will.
///
/// ```
/// use tapegrad::report::Claim;
///
/// let slope = 1.02;
/// let claim = Claim::that("Memory grows linearly with depth")
///     .expected("slope 1")
///     .measured(format!("slope {slope}"))
///     .criterion("within 0.05 of 1")
///     .holds((slope - 1.0f64).abs() <= 0.05, "Buffers grow by doubling.");
/// assert!(claim.holds && claim.explanation.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The claim of the theory, in words.
    pub statement: String,
    /// The figure that it predicts.
    pub expected: String,
    /// The figure that came out.
    pub measured: String,
    /// When it counts as held: `slope within 0.1 of −1`.
    pub criterion: String,
    /// Whether it held.
    pub holds: bool,
    /// Why it does not hold; empty if it does, but for a [`remark`](Claim::remark).
    pub explanation: String,
    /// Whether the measured figure is a time, which no two runs share.
    pub timed: bool,
}

/// A claim without a figure that it predicts.
#[derive(Clone, Debug)]
#[must_use]
pub struct Statement(String);

/// A claim that has not been measured.
#[derive(Clone, Debug)]
#[must_use]
pub struct Prediction(String, String);

/// A claim that has been measured, but cannot be judged for want of a criterion.
#[derive(Clone, Debug)]
#[must_use]
pub struct Measurement(String, String, String);

/// A claim that waits for its verdict.
#[derive(Clone, Debug)]
#[must_use]
pub struct Criterion(String, String, String, String);

impl Claim {
    /// Begins with the claim in words.
    pub fn that(statement: impl Into<String>) -> Statement {
        Statement(statement.into())
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
}

impl Statement {
    /// The figure that the theory predicts.
    pub fn expected(self, figure: impl Into<String>) -> Prediction {
        Prediction(self.0, figure.into())
    }
}

impl Prediction {
    /// The figure that came out.
    pub fn measured(self, figure: impl Into<String>) -> Measurement {
        Measurement(self.0, self.1, figure.into())
    }
}

impl Measurement {
    /// When the claim counts as held, fixed before anything was measured.
    pub fn criterion(self, criterion: impl Into<String>) -> Criterion {
        Criterion(self.0, self.1, self.2, criterion.into())
    }
}

impl Criterion {
    /// Whether the criterion is met; and what explains it if it is not, which is shown only then.
    pub fn holds(self, holds: bool, otherwise: impl Into<String>) -> Claim {
        let Criterion(statement, expected, measured, criterion) = self;
        let explanation = if holds { String::new() } else { otherwise.into() };
        Claim { statement, expected, measured, criterion, holds, explanation, timed: false }
    }
}
