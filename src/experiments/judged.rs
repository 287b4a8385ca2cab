//! Claims about a mean over several seeds, judged by its interval.

use super::outcome::claim;
use super::statistics::mean_and_interval;
use super::{Outcome, words};

/// What a mean is held against.
#[derive(Clone, Copy)]
pub enum Bound {
    /// It lies above.
    Above(f64),
    /// It lies below.
    Below(f64),
    /// It lies between.
    Between(f64, f64),
}

/// A claim about the mean of what several seeds gave: it holds if the whole 95 % interval of Student's distribution lies
/// where it should, and is not decided where a part of it does.
pub struct Judged<'a> {
    pub statement: String,
    pub expected: &'a str,
    /// What the values are, as in "mean share of right answers".
    pub what: &'a str,
    pub values: &'a [f64],
    pub bound: Bound,
    pub decimals: usize,
    /// Why it does not hold.
    pub otherwise: &'a str,
}

impl Judged<'_> {
    /// Adds the claim to the outcome.
    pub fn add(self, outcome: &mut Outcome) {
        let (mean, half) = mean_and_interval(self.values);
        let (low, high) = match self.bound {
            Bound::Above(low) => (low, f64::INFINITY),
            Bound::Below(high) => (f64::NEG_INFINITY, high),
            Bound::Between(low, high) => (low, high),
        };
        let number = |x| crate::report::fixed(x, self.decimals);
        let criterion = match self.bound {
            Bound::Above(low) => format!("the 95 % interval of the mean lies above {}", number(low)),
            Bound::Below(high) => format!("the 95 % interval of the mean lies below {}", number(high)),
            Bound::Between(low, high) => {
                format!("the 95 % interval of the mean lies between {} and {}", number(low), number(high))
            }
        };
        let outside = mean + half < low || mean - half > high;
        let otherwise = if outside {
            self.otherwise.to_string()
        } else {
            format!(
                "Not decided by {} seeds: the interval reaches over the bound. {}",
                self.values.len(),
                self.otherwise
            )
        };
        let measured = format!(
            "{}: {} over {} seeds",
            self.what,
            words::plus_minus((mean, half), self.decimals),
            self.values.len()
        );
        claim(outcome, self.statement)
            .expected(self.expected)
            .measured(measured)
            .criterion(criterion)
            .holds(mean - half >= low && mean + half <= high, otherwise);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_interval_decides() {
        // Mean 2, standard error √(1/3), and 4.303 times that is 2.48.
        let values = [1.0, 2.0, 3.0];
        for (bound, holds, decided) in [
            (Bound::Above(-0.5), true, true),
            (Bound::Above(-0.4), false, false),
            (Bound::Above(4.5), false, true),
            (Bound::Below(4.5), true, true),
            (Bound::Below(4.4), false, false),
            (Bound::Below(-0.5), false, true),
            (Bound::Between(-0.5, 4.5), true, true),
            (Bound::Between(0.0, 4.5), false, false),
            (Bound::Between(5.0, 6.0), false, true),
        ] {
            let mut outcome = Outcome::default();
            let judged = Judged {
                statement: "s".into(),
                expected: "e",
                what: "mean",
                values: &values,
                bound,
                decimals: 1,
                otherwise: "because",
            };
            judged.add(&mut outcome);
            let claim = &outcome.section.claims[0];
            assert_eq!(claim.measured, "mean: 2.0 ± 2.5 over 3 seeds");
            assert_eq!(claim.explanation.is_empty(), holds);
            assert_eq!(!claim.explanation.starts_with("Not decided by 3 seeds"), decided);
        }
    }
}
