//! How far to go along a direction of descent: the strong Wolfe conditions.

/// Least share of the decrease that the slope promises: c₁ of Nocedal and Wright, "Numerical Optimization", 2nd ed., §3.1.
const DECREASE: f64 = 1e-4;

/// Largest share of the first slope that may be left: c₂.
const SLOPE: f64 = 0.9;

/// How many points are tried along one direction.
const LIMIT: usize = 40;

/// By how much the trial length grows while the function falls.
const GROWTH: f64 = 4.0;

/// A point along a direction: its length, and value and slope of the function there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trial {
    pub length: f64,
    pub value: f64,
    pub slope: f64,
}

impl Trial {
    fn is_finite(&self) -> bool {
        self.value.is_finite() && self.slope.is_finite()
    }
}

/// A length at which the strong Wolfe conditions hold: f falls by at least c₁ of what the slope promises, and what is left
/// of the slope is at most c₂ of it. The last point that `at` is asked for is the one that is returned.
///
/// The interval is found and then narrowed as in algorithms 3.5 and 3.6 of Nocedal and Wright. Points where the function is
/// not finite count as too far. Near an optimum values may differ by their rounding only, by `noise` at most; there slopes
/// decide, as they do for Hager and Zhang, "A New Conjugate Gradient Method with Guaranteed Descent and an Efficient Line
/// Search", SIAM J. Optim. 16 (2005).
///
/// # Errors
/// The lowest point that was seen, which may be `start` itself, if there is none of that kind among 40.
pub(super) fn search(
    start: Trial,
    first: f64,
    noise: f64,
    mut at: impl FnMut(f64) -> Trial,
) -> Result<Trial, Trial> {
    let falls =
        |t: &Trial| t.is_finite() && t.value <= start.value + DECREASE * t.length * start.slope + noise;
    // Between `low`, which falls and is the lowest that does, and `high`, once there is one, lies what is looked for.
    let (mut low, mut high) = (start, None::<Trial>);
    let mut length = first;
    for _ in 0..LIMIT {
        let trial = at(length);
        if falls(&trial) && trial.slope.abs() <= -SLOPE * start.slope {
            return Ok(trial);
        }
        let onwards = high.map_or(1.0, |high| high.length - low.length);
        if !falls(&trial) || trial.value > low.value + noise {
            high = Some(trial);
        } else {
            if trial.slope * onwards >= 0.0 {
                high = Some(low);
            }
            low = trial;
        }
        length = match high {
            None => length * GROWTH,
            Some(high) => between(&low, &high, noise),
        };
        if !length.is_finite() || length == low.length || high.is_some_and(|high| length == high.length) {
            break;
        }
    }
    Err(low)
}

/// The least point of the cubic with these values and slopes at the two ends, kept away from both of them; the middle where
/// there is no such cubic. Where the values differ by their rounding, it is where the line through the slopes is 0.
fn between(low: &Trial, high: &Trial, noise: f64) -> f64 {
    let width = high.length - low.length;
    let middle = low.length + 0.5 * width;
    if !high.is_finite() {
        // How far the finite numbers reach is not known.
        return low.length + 0.1 * width;
    }
    let share = if (high.value - low.value).abs() <= noise && low.slope * high.slope < 0.0 {
        low.slope / (low.slope - high.slope)
    } else {
        let d1 = low.slope + high.slope - 3.0 * (high.value - low.value) / width;
        let square = d1 * d1 - low.slope * high.slope;
        if square < 0.0 {
            return middle;
        }
        let d2 = width.signum() * square.sqrt();
        1.0 - (high.slope + d2 - d1) / (high.slope - low.slope + 2.0 * d2)
    };
    if share.is_finite() { low.length + share.clamp(0.1, 0.9) * width } else { middle }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Follows a function of one number from 0, and checks what is promised.
    fn follow(f: impl Fn(f64) -> (f64, f64), first: f64) -> Trial {
        let at = |length: f64| {
            let (value, slope) = f(length);
            Trial { length, value, slope }
        };
        let (start, mut tried) = (at(0.0), Vec::new());
        // A function of one double has its rounding, as any other.
        let noise = 1e-14 * (1.0 + start.value.abs());
        let found = search(start, first, noise, |length| {
            tried.push(length);
            at(length)
        })
        .unwrap();
        assert_eq!(found.length, tried[tried.len() - 1]);
        assert!(found.value <= start.value + DECREASE * found.length * start.slope + noise);
        assert!(found.slope.abs() <= SLOPE * start.slope.abs());
        found
    }

    #[test]
    fn from_far_too_short_and_far_too_long() {
        for first in [1e-8, 1e-3, 1.0, 1e3, 1e8] {
            // A parabola, and the functions 1 to 3 of Moré and Thuente, "Line Search Algorithms with Guaranteed Sufficient
            // Decrease", ACM TOMS 20, 1994, the third without its sine.
            follow(|x| ((x - 3.0) * (x - 3.0), 2.0 * (x - 3.0)), first);
            follow(|x| (-x / (x * x + 2.0), (x * x - 2.0) / ((x * x + 2.0) * (x * x + 2.0))), first);
            let quintic = |x: f64| {
                let y = x + 0.004;
                (y.powi(5) - 2.0 * y.powi(4), 5.0 * y.powi(4) - 8.0 * y.powi(3))
            };
            follow(quintic, first);
        }
    }

    #[test]
    fn infinite_values_are_too_far() {
        let found = follow(
            |x| if x < 1.0 { (-1.5 * x - (1.0 - x).ln(), 1.0 / (1.0 - x) - 1.5) } else { (f64::NAN, 0.0) },
            1e6,
        );
        assert!(found.length < 1.0);
    }

    #[test]
    fn a_function_without_a_least_value_is_followed_and_given_up() {
        let at = |length: f64| Trial { length, value: -length, slope: -1.0 };
        let lowest = search(at(0.0), 1.0, 0.0, at).unwrap_err();
        assert!(lowest.value < -1e20);
    }

    #[test]
    fn what_does_not_fall_is_left_where_it_is() {
        // The slope is wrong: it rises on all sides.
        let at = |length: f64| Trial { length, value: length, slope: if length > 0.0 { 1.0 } else { -1.0 } };
        assert_eq!(search(at(0.0), 1.0, 0.0, at), Err(at(0.0)));
    }

    /// Values that are all rounding, to two units of the last place to both sides: the slopes lead to the minimum at 1.
    #[test]
    fn slopes_decide_where_values_are_rounded() {
        for first in [0.01, 0.05, 0.1, 1.0, 3.0, 10.0, 100.0] {
            for seed in 0..50u64 {
                let mut state = seed;
                let (mut tried, noise) = (0, 10.0 * f64::EPSILON);
                let mut at = |length: f64| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let off = (state >> 60) as f64 / 4.0 - 2.0;
                    tried += 1;
                    Trial { length, value: 1.0 + off * f64::EPSILON, slope: 1e-18 * (length - 1.0) }
                };
                let start = Trial { value: 1.0, ..at(0.0) };
                let found = search(start, first, noise, &mut at).unwrap();
                assert!(
                    found.slope.abs() <= SLOPE * 1e-18 && tried <= 12,
                    "{first}: {found:?} after {tried}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn quartics(a in 0.01..10.0, b in -10.0..10.0, c in -10.0..10.0, slope in -10.0..-0.01, first in -6.0..6.0) {
            let f = |x: f64| {
                let value = x * (slope + x * (c + x * (b + x * a)));
                (value, slope + x * (2.0 * c + x * (3.0 * b + x * 4.0 * a)))
            };
            follow(f, 10f64.powf(first));
        }
    }
}
