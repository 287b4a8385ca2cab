//! Compensated sums.

/// A running sum that carries what rounding takes from it: its error does not grow with the number of
/// terms (Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", 1974).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CompensatedSum {
    sum: f64,
    lost: f64,
}

impl CompensatedSum {
    /// Adds a term.
    pub fn add(&mut self, x: f64) {
        let sum = self.sum + x;
        self.lost += if self.sum.abs() >= x.abs() { (self.sum - sum) + x } else { (x - sum) + self.sum };
        self.sum = sum;
    }

    /// The sum of the terms so far.
    pub fn value(self) -> f64 {
        // ∞ − ∞ is no correction.
        if self.sum.is_finite() { self.sum + self.lost } else { self.sum }
    }
}

impl FromIterator<f64> for CompensatedSum {
    fn from_iter<I: IntoIterator<Item = f64>>(terms: I) -> CompensatedSum {
        let mut sum = CompensatedSum::default();
        terms.into_iter().for_each(|x| sum.add(x));
        sum
    }
}

/// The sum of some numbers: see [`CompensatedSum`].
pub fn compensated_sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    CompensatedSum::from_iter(terms).value()
}

#[cfg(test)]
mod tests {
    use super::compensated_sum;

    #[test]
    fn what_rounding_takes_is_given_back() {
        assert_eq!(compensated_sum([1.0, 1e100, 1.0, -1e100]), 2.0);
        // A running sum has 999999.9998389754.
        assert_eq!(compensated_sum(std::iter::repeat_n(0.1, 10_000_000)), 1e6);
        assert_eq!(compensated_sum([]), 0.0);
        assert_eq!(compensated_sum([1e308, 1e308]), f64::INFINITY);
        assert!(compensated_sum([1.0, f64::NAN]).is_nan());
    }
}
