//! What the findings of the experiments are told in: the numbers and claims of an outcome, which is made of kept rows, so
//! that a changed sentence needs no new run.

use super::Outcome;
use crate::report::{Claim, Verdict, fixed};

/// The name of the figure that a section opens with, its title, a sentence with the finding, and a paragraph; `None` where a
/// number is missing that it is told in.
pub(super) type Told = Option<(&'static str, String, String)>;

/// What came out of an experiment.
pub(super) struct Found<'a>(pub(super) &'a Outcome);

impl Found<'_> {
    pub fn number(&self, name: &str) -> Option<f64> {
        self.0.number_named(name)
    }

    pub fn claim(&self, id: &str) -> Option<&Claim> {
        self.0.section.claims.iter().find(|claim| claim.id == id)
    }

    /// One of three texts, by the verdict of a claim.
    pub fn by(&self, id: &str, [holds, not, open]: [&'static str; 3]) -> Option<&'static str> {
        Some(match self.claim(id)?.verdict {
            Verdict::Holds => holds,
            Verdict::DoesNotHold => not,
            Verdict::NotDecided => open,
        })
    }

    /// Names and values of all numbers whose name begins and ends so, with what stands between.
    pub fn all<'b>(&'b self, begin: &'b str, end: &'b str) -> impl Iterator<Item = (&'b str, f64)> {
        let numbers = self.0.numbers.iter();
        numbers.filter_map(move |(name, x)| {
            Some((name.strip_prefix(begin)?.strip_suffix(end)?, x.unwrap_or(f64::NAN)))
        })
    }
}

/// A difference of two shares: in points, of which a hundred are the whole.
pub(super) fn points(x: f64) -> String {
    format!("{}\u{a0}points", fixed(100.0 * x, 1))
}

pub(super) fn percent(x: f64) -> String {
    format!("{}\u{a0}%", fixed(100.0 * x, 1))
}
