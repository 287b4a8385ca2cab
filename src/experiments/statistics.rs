//! Means, spreads and fitted lines.

use super::words::plus_minus;
use crate::Float;
use crate::report::student_95;

/// 2⁻⁶⁰⁰: times this, every number has a square.
const SMALL: f64 = f64::from_bits((1023 - 600) << 52);

/// Mean and standard deviation (with n − 1); the deviation of a single number is 0.
pub fn mean_and_deviation(xs: &[f64]) -> (f64, f64) {
    let n = xs.len() as f64;
    let mean = xs.iter().sum::<f64>() / n;
    if xs.len() < 2 {
        return (mean, 0.0);
    }
    if xs.iter().all(|x| *x == xs[0]) {
        return (xs[0], 0.0);
    }
    let largest = xs.iter().fold(0.0, |m, x| Float::max(m, x.abs()));
    if largest.is_finite() && !Float::powi(spread(xs), 2).is_finite() {
        // Squares would leave the range: the same of smaller numbers, divided by a power of two, so that no digit is
        // lost.
        let small: Vec<f64> = xs.iter().map(|x| x * SMALL).collect();
        let (mean, deviation) = mean_and_deviation(&small);
        return (mean / SMALL, deviation / SMALL);
    }
    let (mut rest, mut squares) = (0.0, 0.0);
    for x in xs {
        (rest, squares) = (rest + (x - mean), squares + (x - mean) * (x - mean));
    }
    // Without what the rounding of the mean has added.
    (mean, ((squares - rest * rest / n) / (n - 1.0)).sqrt())
}

/// The largest distance from the first number, times their number: the squares of all are below that of it.
fn spread(xs: &[f64]) -> f64 {
    xs.iter().fold(0.0, |m, x| Float::max(m, (x - xs[0]).abs())) * xs.len() as f64
}

/// The mean, as in [`mean_and_deviation`].
pub fn mean(xs: &[f64]) -> f64 {
    mean_and_deviation(xs).0
}

/// The mean of something over all rows.
pub(super) fn mean_of<R>(rows: &[R], of: impl Fn(&R) -> f64) -> f64 {
    mean(&rows.iter().map(of).collect::<Vec<_>>())
}

/// The mean and its standard error: the deviation over √n.
pub fn mean_and_error(xs: &[f64]) -> (f64, f64) {
    let (mean, deviation) = mean_and_deviation(xs);
    (mean, deviation / (xs.len() as f64).sqrt())
}

/// The mean and half the width of its 95 % interval, from Student's distribution; that of a single number is infinite.
pub fn mean_and_interval(xs: &[f64]) -> (f64, f64) {
    let (mean, error) = mean_and_error(xs);
    let freedom = xs.len().saturating_sub(1);
    (mean, if freedom == 0 { f64::INFINITY } else { student_95(freedom) * error })
}

/// a − b of each pair: two runs from the same seed share what is random, and their difference tells more than
/// the means of both.
///
/// # Panics
/// If there are not as many of one as of the other.
#[track_caller]
pub fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    assert!(a.len() == b.len(), "{} numbers cannot be paired with {}", a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// log₂(a/b): by how many powers of 2 the one is above the other.
pub(super) fn log2_ratio(a: f64, b: f64) -> f64 {
    Float::ln(a / b) / std::f64::consts::LN_2
}

/// log₁₀ x.
pub(super) fn log10(x: f64) -> f64 {
    Float::ln(x) / std::f64::consts::LN_10
}

/// The length of the straight line between two points.
///
/// # Panics
/// If they have not as many coordinates.
#[track_caller]
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert!(a.len() == b.len(), "points of {} and {} coordinates have no distance", a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// The least and the greatest number; (∞, −∞) where there is none, and what is not a number does not count.
pub fn range(xs: impl IntoIterator<Item = f64>) -> (f64, f64) {
    xs.into_iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)))
}

/// The row of which something is least, the first of several.
///
/// # Panics
/// If there is no row.
#[track_caller]
pub fn least<R>(rows: &[R], of: impl Fn(&R) -> f64) -> &R {
    assert!(!rows.is_empty(), "there is no least of no rows");
    rows.iter().fold(&rows[0], |a, b| if of(b) < of(a) { b } else { a })
}

/// The row of which something is greatest, the first of several.
///
/// # Panics
/// If there is no row.
#[track_caller]
pub fn greatest<R>(rows: &[R], of: impl Fn(&R) -> f64) -> &R {
    least(rows, |row| -of(row))
}

/// Middle of the sorted numbers: what to take of repeated times.
///
/// # Panics
/// If there are none.
#[track_caller]
pub fn median(xs: &[f64]) -> f64 {
    assert!(!xs.is_empty(), "there is no median of no numbers");
    let mut sorted = xs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// The line of least squares through points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Its slope.
    pub slope: f64,
    /// Its value at 0.
    pub intercept: f64,
    /// Half the width of the 95 % confidence interval of the slope, from Student's distribution; not
    /// finite for fewer than three points.
    pub half_width: f64,
    /// Share of the variance that the line explains.
    pub r_squared: f64,
    /// How many points there were.
    pub points: usize,
}

impl Fit {
    /// y ≈ intercept + slope·x.
    ///
    /// # Panics
    /// If there are fewer than two different x.
    #[track_caller]
    pub fn line(points: &[(f64, f64)]) -> Fit {
        let n = points.len() as f64;
        let x_mean = points.iter().map(|p| p.0).sum::<f64>() / n;
        let y_mean = points.iter().map(|p| p.1).sum::<f64>() / n;
        let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            points.iter().map(|(x, y)| f(x - x_mean, y - y_mean)).sum()
        };
        let places = points.iter().any(|p| p.0 != points[0].0);
        assert!(places, "a line needs points at two places at least");
        // Without what the rounding of the means has added.
        let (sx, sy) = (sum(&|x, _| x), sum(&|_, y| y));
        let (xx, xy) = (sum(&|x, _| x * x) - sx * sx / n, sum(&|x, y| x * y) - sx * sy / n);
        let constant = points.iter().all(|p| p.1 == points[0].1);
        let yy = if constant { 0.0 } else { sum(&|_, y| y * y) - sy * sy / n };
        let slope = xy / xx;
        let off = sy - slope * sx;
        let rest = Float::max(sum(&|x, y| (y - slope * x) * (y - slope * x)) - off * off / n, 0.0);
        let freedom = points.len().saturating_sub(2);
        let half_width = if freedom == 0 {
            f64::INFINITY
        } else {
            student_95(freedom) * (rest / freedom as f64 / xx).sqrt()
        };
        let r_squared = if yy > 0.0 { 1.0 - rest / yy } else { 1.0 };
        Fit {
            slope,
            intercept: y_mean - slope * x_mean + off / n,
            half_width,
            r_squared,
            points: points.len(),
        }
    }

    /// log y ≈ log c + slope·log x: the exponent of a power law. Points that are not positive are left out.
    ///
    /// # Panics
    /// If there are fewer than two different positive x.
    #[track_caller]
    pub fn power_law(points: &[(f64, f64)]) -> Fit {
        let logs: Vec<(f64, f64)> = points
            .iter()
            .filter(|(x, y)| *x > 0.0 && *y > 0.0)
            .map(|(x, y)| (Float::ln(*x), Float::ln(*y)))
            .collect();
        Fit::line(&logs)
    }

    /// The power law of [`power_law`](Fit::power_law) at `x`.
    pub fn power_at(&self, x: f64) -> f64 {
        Float::exp(self.intercept + self.slope * Float::ln(x))
    }
}

/// The slope with its interval: `1.02 ± 0.03`.
impl std::fmt::Display for Fit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&plus_minus((self.slope, self.half_width), 3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_known_fit() {
        // Anscombe's first set, "Graphs in Statistical Analysis", 1973: 3.00 + 0.500·x, R² = 0.67; the
        // standard error of the slope is 0.1179.
        let xs = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0];
        let ys = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
        let points: Vec<(f64, f64)> = xs.into_iter().zip(ys).collect();
        let fit = Fit::line(&points);
        assert!((fit.slope - 0.5001).abs() < 1e-4 && (fit.intercept - 3.0001).abs() < 1e-4);
        assert!((fit.r_squared - 0.6665).abs() < 1e-4);
        assert!((fit.half_width - 2.262 * 0.1179).abs() < 1e-3);
    }

    #[test]
    fn the_exponent_of_a_power_law() {
        let points: Vec<(f64, f64)> = (1..20).map(f64::from).map(|n| (n, 3.0 * n * n * n)).collect();
        let fit = Fit::power_law(&points);
        assert!((fit.slope - 3.0).abs() < 1e-12 && (fit.power_at(10.0) - 3000.0).abs() < 1e-8);
    }

    #[test]
    fn of_pairs_and_of_rows() {
        assert_eq!(differences(&[3.0, 1.0], &[1.0, 2.0]), [2.0, -1.0]);
        assert_eq!(distance(&[1.0, 1.0], &[4.0, 5.0]), 5.0);
        // The deviation of 0, 1, 2, 3, 4 is √2.5.
        let (mean, error) = mean_and_error(&[0.0, 1.0, 2.0, 3.0, 4.0]);
        assert!(mean == 2.0 && (error - 0.5f64.sqrt()).abs() < 1e-15);
        assert_eq!(range([2.0, f64::NAN, -1.0]), (-1.0, 2.0));
        assert_eq!(range([]), (f64::INFINITY, f64::NEG_INFINITY));
        let rows = [(0, 2.0), (1, 1.0), (2, 1.0), (3, 2.0)];
        assert_eq!((least(&rows, |row| row.1).0, greatest(&rows, |row| row.1).0), (1, 0));
        assert_eq!(mean_of(&rows, |row| row.1), 1.5);
        assert!((log2_ratio(24.0, 3.0) - 3.0).abs() < 1e-15 && (log10(1e-5) + 5.0).abs() < 1e-15);
    }

    #[test]
    fn the_interval_of_a_mean() {
        // Four of 1, 2, 3, 4: deviation √(5/3), and Student's 3.182 for three degrees of freedom.
        let (mean, half) = mean_and_interval(&[1.0, 2.0, 3.0, 4.0]);
        assert!(mean == 2.5 && (half - 3.182 * (5.0f64 / 12.0).sqrt()).abs() < 1e-12, "{half}");
        assert_eq!(mean_and_interval(&[3.0]), (3.0, f64::INFINITY));
        assert_eq!(mean_and_interval(&[3.0; 5]), (3.0, 0.0));
    }

    #[test]
    #[should_panic(expected = "1 numbers cannot be paired with 2")]
    fn pairs_need_two() {
        differences(&[1.0], &[1.0, 2.0]);
    }

    #[test]
    fn middles() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        let (mean, deviation) = mean_and_deviation(&[1.0, 2.0, 3.0]);
        assert_eq!((mean, deviation), (2.0, 1.0));
        // Σx/10 is not 0.1, and 1000 numbers 10¹⁴ and 10¹⁴ + 1 have a mean that is off by rounding.
        assert_eq!(mean_and_deviation(&[0.1; 10]), (0.1, 0.0));
        let large: Vec<f64> = (0..1000).map(|i| 1e14 + f64::from(i % 2)).collect();
        let (_, deviation) = mean_and_deviation(&large);
        assert!((deviation / (0.25f64 * 1000.0 / 999.0).sqrt() - 1.0).abs() < 1e-14, "{deviation}");
        let (mean, deviation) = mean_and_deviation(&[1e200, -1e200, 2e200, 0.0]);
        assert!((mean / 0.5e200 - 1.0).abs() < 1e-15);
        assert!((deviation / 1.2909944487358056e200 - 1.0).abs() < 1e-15, "{deviation:e}");
    }

    /// Far from the origin the means are rounded: a slope of 2 all the same, and of constant numbers 0.
    #[test]
    fn a_line_far_from_the_origin() {
        let points: Vec<(f64, f64)> =
            (0..1000).map(f64::from).map(|i| (1e14 + i % 7.0, 3e14 + 2.0 * (i % 7.0))).collect();
        let fit = Fit::line(&points);
        assert!((fit.slope - 2.0).abs() < 1e-12 && fit.r_squared > 1.0 - 1e-12, "{fit:?}");
        let flat: Vec<(f64, f64)> = (0..1000).map(|i| (f64::from(i), 0.1)).collect();
        assert_eq!(Fit::line(&flat).r_squared, 1.0);
    }
}
