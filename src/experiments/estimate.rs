//! Estimates from repeated measurements.

use super::statistics::{Fit, mean_and_interval, median};
use crate::report::Estimate;

impl Estimate {
    /// The mean of what several seeds gave, with the 95 % interval of Student's distribution: the mean and
    /// t·s/√n to both sides. It holds if the numbers scatter about as a normal distribution does. A single number
    /// has no interval.
    ///
    /// ```
    /// use tapegrad::report::Estimate;
    ///
    /// let mean = Estimate::mean(&[1.0, 2.0, 3.0, 4.0, 5.0]);
    /// let (low, high) = mean.interval();
    /// assert!(mean.value() == 3.0 && (high - 3.0 - 2.776 * 0.5f64.sqrt()).abs() < 1e-12 && low + high == 6.0);
    /// ```
    ///
    /// # Panics
    /// If there are no numbers.
    #[track_caller]
    pub fn mean(xs: &[f64]) -> Estimate {
        assert!(!xs.is_empty(), "there is no mean of no numbers");
        let (mean, half) = mean_and_interval(xs);
        Estimate::new(mean, mean - half, mean + half, xs.len(), "seeds").same(all_the_same(xs))
    }

    /// The median of repeated measurements, with the interval between two of them that holds the true median with
    /// at least 95 %, whatever the distribution (order statistics: each number lies above it with probability ½).
    /// That takes six numbers; fewer have no interval. For times, whose errors are one-sided.
    ///
    /// # Panics
    /// If there are no numbers.
    #[track_caller]
    pub fn median(xs: &[f64]) -> Estimate {
        let (middle, n) = (median(xs), xs.len());
        let mut sorted = xs.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = match outer(n) {
            Some(k) => (sorted[k], sorted[n - 1 - k]),
            None => (f64::NEG_INFINITY, f64::INFINITY),
        };
        Estimate::new(middle, low, high, n, "measurements").same(all_the_same(xs))
    }
}

fn all_the_same(xs: &[f64]) -> bool {
    xs.iter().all(|x| *x == xs[0])
}

/// The slope with its interval.
impl From<&Fit> for Estimate {
    fn from(fit: &Fit) -> Estimate {
        let (low, high) = (fit.slope - fit.half_width, fit.slope + fit.half_width);
        Estimate::new(fit.slope, low, high, fit.points, "points")
    }
}

/// How many numbers may be left out at each end of n sorted ones, so that those between still hold the median with
/// 95 %: the largest k with 2·P(B ≤ k) ≤ 0.05, where B counts heads of n coins. `None` if not even none may.
fn outer(n: usize) -> Option<usize> {
    // The chance of k heads; it is 0 for more than a thousand coins, where the loop runs up to the middle.
    let mut chance = (0..n).fold(1.0, |p: f64, _| p / 2.0);
    let (mut below, mut found) = (0.0, None);
    for k in 0..n / 2 {
        below += chance;
        if 2.0 * below > 0.05 {
            break;
        }
        found = Some(k);
        chance *= (n - k) as f64 / (k + 1) as f64;
    }
    if chance == 0.0 { None } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    /// Conover, "Practical Nonparametric Statistics", table of the sign test.
    #[test]
    fn order_statistics() {
        for (n, k) in [(5, None), (6, Some(0)), (8, Some(0)), (9, Some(1)), (15, Some(3)), (20, Some(5))] {
            assert_eq!(outer(n), k, "{n}");
        }
        let median = Estimate::median(&[9.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((median.value(), median.interval()), (3.5, (1.0, 9.0)));
        let few = Estimate::median(&[1.0, 2.0, 3.0]);
        assert_eq!(few.against(&(0.0..10.0)), Verdict::NotDecided);
        // More coins than powers of two that a number can tell: no interval is claimed.
        assert_eq!(outer(2000), None);
    }

    /// The median's interval leaves out the ends, so that it may have no width where the numbers differ.
    #[test]
    fn runs_that_all_gave_the_same() {
        assert_eq!(Estimate::mean(&[0.0; 5]).to_string(), "0 (the same in all 5 seeds)");
        let mut ones = [1.0; 12];
        assert_eq!(Estimate::median(&ones).to_string(), "1 (the same in all 12 measurements)");
        ones[0] = 0.5;
        assert_eq!(Estimate::median(&ones).to_string(), "1 (95\u{a0}%: 1 to 1; 12 measurements)");
    }

    #[test]
    fn a_single_run_decides_nothing() {
        let one = Estimate::mean(&[1.0]);
        assert_eq!(one.against(&(0.9..=1.1)), Verdict::NotDecided);
        assert_eq!(Estimate::mean(&[1.0; 5]).against(&(0.9..=1.1)), Verdict::Holds);
        assert_eq!(Estimate::mean(&[1.0, f64::NAN]).against(&(0.9..=1.1)), Verdict::NotDecided);
    }

    #[test]
    #[should_panic(expected = "no mean of no numbers")]
    fn of_nothing() {
        Estimate::mean(&[]);
    }
}
