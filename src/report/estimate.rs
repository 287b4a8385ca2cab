//! A measured figure with what it is uncertain by, and the range that it is held against.

use std::ops::{Bound, RangeBounds};

use super::{fixed, rounded};

/// What came out of a claim's measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The criterion is met.
    Holds,
    /// It is not met.
    DoesNotHold,
    /// The interval of what was measured reaches over an end of the criterion: more seeds or longer runs would
    /// decide it, this run does not.
    NotDecided,
}

impl Verdict {
    /// In words: *holds*, *does not hold*, *not decided by this run*.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::DoesNotHold => "does not hold",
            Verdict::NotDecided => "not decided by this run",
        }
    }

    /// The verdict on a claim that needs both: one part that does not hold is enough against it, and one that is
    /// not decided leaves it open.
    pub fn and(self, other: Verdict) -> Verdict {
        match (self, other) {
            (Verdict::DoesNotHold, _) | (_, Verdict::DoesNotHold) => Verdict::DoesNotHold,
            (Verdict::NotDecided, _) | (_, Verdict::NotDecided) => Verdict::NotDecided,
            _ => Verdict::Holds,
        }
    }

    /// The verdict on a claim that needs all of them; it holds where there is none.
    pub fn all(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        verdicts.into_iter().fold(Verdict::Holds, Verdict::and)
    }
}

impl From<bool> for Verdict {
    fn from(met: bool) -> Verdict {
        if met { Verdict::Holds } else { Verdict::DoesNotHold }
    }
}

/// A figure and the interval that holds it with 95 %, from repeated measurements.
///
/// The experiments make it from what several seeds gave: `Estimate::mean`, by Student's distribution, and
/// `Estimate::median`, by order statistics, for times.
///
/// ```
/// use tapegrad::report::{Estimate, Verdict};
///
/// let slope = Estimate::new(1.0213, 1.011, 1.0316, 5, "seeds");
/// assert_eq!(slope.to_string(), "1.021 (95\u{a0}%: 1.011 to 1.032; 5 seeds)");
/// assert_eq!(slope.against(&(0.95..=1.05)), Verdict::Holds);
/// assert_eq!(slope.against(&(1.02..)), Verdict::NotDecided);
/// assert_eq!(slope.against(&(1.5..)), Verdict::DoesNotHold);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// `None` where it is not finite: NaN is not equal to itself, and two runs that diverge alike are.
    value: Option<f64>,
    /// Lower end; `None` where there is none.
    low: Option<f64>,
    /// Upper end; `None` where there is none.
    high: Option<f64>,
    count: usize,
    of: String,
    /// Whether all measurements gave the same.
    same: bool,
}

impl Estimate {
    /// A figure, the ends of its interval, and from how many of what it was taken: `5, "seeds"`.
    ///
    /// An end that is not finite is none: nothing is known on that side, as after a single measurement.
    pub fn new(value: f64, low: f64, high: f64, count: usize, of: impl Into<String>) -> Estimate {
        let finite = |x: f64| x.is_finite().then_some(x);
        Estimate {
            value: finite(value),
            low: finite(low),
            high: finite(high),
            count,
            of: of.into(),
            same: false,
        }
    }

    /// The same, taken from so many of something else than seeds.
    pub fn of(self, of: impl Into<String>) -> Estimate {
        Estimate { of: of.into(), ..self }
    }

    /// The same, and whether all measurements gave that figure: then it is told without an interval, which has no width.
    pub(crate) fn same(self, same: bool) -> Estimate {
        Estimate { same, ..self }
    }

    /// The same for what cannot be below `least`, as a distance cannot be below 0: there the interval ends.
    pub fn at_least(self, least: f64) -> Estimate {
        Estimate { low: self.low.map(|low| low.max(least)), ..self }
    }

    /// The figure itself; NaN if it is not finite.
    pub fn value(&self) -> f64 {
        self.value.unwrap_or(f64::NAN)
    }

    /// The ends of the interval, −∞ and ∞ where there is none.
    pub fn interval(&self) -> (f64, f64) {
        (self.low.unwrap_or(f64::NEG_INFINITY), self.high.unwrap_or(f64::INFINITY))
    }

    /// Whether the interval lies inside of the range, outside of it, or across one of its ends. A figure that is
    /// not finite decides nothing.
    pub fn against(&self, range: &impl RangeBounds<f64>) -> Verdict {
        let (low, high) = self.interval();
        let below = match range.start_bound() {
            Bound::Included(start) => high < *start,
            Bound::Excluded(start) => high <= *start,
            Bound::Unbounded => false,
        };
        let above = match range.end_bound() {
            Bound::Included(end) => low > *end,
            Bound::Excluded(end) => low >= *end,
            Bound::Unbounded => false,
        };
        // An end that is not known lies within a range that has no end there.
        let holds_low = self.low.is_some_and(|low| range.contains(&low))
            || (self.low.is_none() && range.start_bound() == Bound::Unbounded);
        let holds_high = self.high.is_some_and(|high| range.contains(&high))
            || (self.high.is_none() && range.end_bound() == Bound::Unbounded);
        match self.value {
            None => Verdict::NotDecided,
            Some(_) if below || above => Verdict::DoesNotHold,
            Some(_) if holds_low && holds_high => Verdict::Holds,
            Some(_) => Verdict::NotDecided,
        }
    }
}

/// `1.021 (95 %: 1.011 to 1.032; 5 seeds)`, with two digits of half the interval.
impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Estimate { value: Some(value), count, of, .. } = self else {
            return write!(f, "not a finite number ({} {})", self.count, self.of);
        };
        let (Some(low), Some(high)) = (self.low, self.high) else {
            return write!(f, "{} ({count} {of}: no interval)", rounded(*value, 4));
        };
        if self.same && *count > 1 {
            return write!(f, "{} (the same in all {count} {of})", rounded(*value, 5));
        }
        let [value, low, high] = [*value, low, high].map(|x| self.say(x));
        write!(f, "{value} (95\u{a0}%: {low} to {high}; {count} {of})")
    }
}

impl Estimate {
    /// The figure and its interval without from what they were taken: `1.021 ± 0.010` where it lies in the middle,
    /// `1.021 (1.011 to 1.051)` where it does not.
    pub(super) fn brief(&self) -> String {
        let (Some(value), Some(low), Some(high)) = (self.value, self.low, self.high) else {
            return self.to_string();
        };
        if self.same {
            return self.to_string();
        }
        let (below, above) = (value - low, high - value);
        if (above - below).abs() <= 1e-6 * (high - low) {
            format!("{}\u{a0}±\u{a0}{}", self.say(value), self.say(above))
        } else {
            format!("{} ({} to {})", self.say(value), self.say(low), self.say(high))
        }
    }

    /// A number with as many digits as the interval tells.
    fn say(&self, x: f64) -> String {
        let ends = [self.value, self.low, self.high].map(|x| x.unwrap_or(f64::NAN));
        let largest = ends.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        if largest >= 1e6 || (largest < 1e-3 && largest > 0.0) {
            return rounded(x, 3);
        }
        let half = 0.5 * (ends[2] - ends[1]);
        if half == 0.0 {
            return rounded(x, 5);
        }
        // The place of the first digit of half the interval, and one more.
        let place = libm::log10(half).floor() as i32;
        fixed(x, (1 - place).clamp(0, 6) as usize)
    }
}

/// A range in words: `between 0.9 and 1.1`, `at least 0`, `below 2`.
pub fn range_words(range: &impl RangeBounds<f64>) -> String {
    let say = |x: &f64| rounded(*x, 4);
    match (range.start_bound(), range.end_bound()) {
        (Bound::Unbounded, Bound::Unbounded) => "finite".into(),
        (Bound::Included(low), Bound::Unbounded) => format!("at least {}", say(low)),
        (Bound::Excluded(low), Bound::Unbounded) => format!("above {}", say(low)),
        (Bound::Unbounded, Bound::Included(high)) => format!("at most {}", say(high)),
        (Bound::Unbounded, Bound::Excluded(high)) => format!("below {}", say(high)),
        (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => {
            format!("between {} and {}", say(low), say(high))
        }
    }
}

/// The 97.5 % point of Student's distribution with so many degrees of freedom; infinite without any.
pub fn student_95(freedom: usize) -> f64 {
    const POINTS: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
        2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
        2.045, 2.042,
    ];
    if freedom == 0 {
        return f64::INFINITY;
    }
    // Beyond the table by the first term of the expansion of Cornish and Fisher.
    POINTS.get(freedom - 1).copied().unwrap_or(1.960 + 2.372 / freedom as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An interval around a figure somewhere in it.
    fn estimate(low: f64, high: f64) -> Estimate {
        Estimate::new(0.5 * (low.max(-9.0) + high.min(9.0)), low, high, 5, "seeds")
    }

    #[test]
    fn inside_outside_across() {
        use Verdict::{DoesNotHold, Holds, NotDecided};
        let cases = [
            (1.0, 2.0, Holds),
            (0.9, 2.0, NotDecided),
            (1.5, 2.1, NotDecided),
            (0.0, 3.0, NotDecided),
            (0.0, 0.9, DoesNotHold),
            (2.1, 3.0, DoesNotHold),
            (f64::NEG_INFINITY, 0.9, DoesNotHold),
            (f64::NEG_INFINITY, f64::INFINITY, NotDecided),
        ];
        for (low, high, verdict) in cases {
            assert_eq!(estimate(low, high).against(&(1.0..=2.0)), verdict, "{low} to {high}");
        }
        // An end that belongs to the range, and one that does not.
        assert_eq!(estimate(0.0, 1.0).against(&(..=1.0)), Holds);
        assert_eq!(estimate(0.0, 1.0).against(&(..1.0)), NotDecided);
        assert_eq!(estimate(1.0, 2.0).against(&(..1.0)), DoesNotHold);
        assert_eq!(estimate(f64::NEG_INFINITY, 1.0).against(&(..2.0)), Holds);
        let nan = Estimate::new(f64::NAN, 0.0, 1.0, 5, "seeds");
        assert_eq!(nan.against(&(..2.0)), NotDecided);
    }

    #[test]
    fn one_part_is_enough_against_a_claim() {
        use Verdict::{DoesNotHold, Holds, NotDecided};
        assert_eq!(Verdict::all([Holds, NotDecided, DoesNotHold]), DoesNotHold);
        assert_eq!(Verdict::all([NotDecided, Holds]), NotDecided);
        assert_eq!(Verdict::all([]), Holds);
    }

    #[test]
    fn in_words() {
        assert_eq!(range_words(&(0.9..=1.1)), "between 0.9 and 1.1");
        assert_eq!(range_words(&(0.0..)), "at least 0");
        assert_eq!(range_words(&(..2.0)), "below 2");
        assert_eq!(estimate(0.96, 0.98).to_string(), "0.970 (95\u{a0}%: 0.960 to 0.980; 5 seeds)");
        let single = Estimate::new(0.5, f64::NEG_INFINITY, f64::INFINITY, 1, "seed");
        assert_eq!(single.to_string(), "0.5 (1 seed: no interval)");
        let large = Estimate::new(150.0, 120.0, 180.0, 5, "seeds");
        assert_eq!(large.to_string(), "150 (95\u{a0}%: 120 to 180; 5 seeds)");
        let diverged = Estimate::new(f64::NAN, f64::NAN, f64::NAN, 5, "seeds");
        assert_eq!(diverged.to_string(), "not a finite number (5 seeds)");
        assert_eq!(estimate(0.96, 0.98).brief(), "0.970\u{a0}±\u{a0}0.010");
        assert_eq!(Estimate::new(0.5, 0.45, 0.9, 9, "times").brief(), "0.50 (0.45 to 0.90)");
        assert_eq!(single.brief(), single.to_string());
        // Zeros would say that the interval was measured.
        let one = Estimate::new(1.0, 1.0, 1.0, 5, "seeds");
        assert_eq!(one.to_string(), "1 (95\u{a0}%: 1 to 1; 5 seeds)");
        assert_eq!((one.clone().same(true).to_string(), one.same(true).brief()), {
            let all = String::from("1 (the same in all 5 seeds)");
            (all.clone(), all)
        });
        let distance = Estimate::new(0.5, -0.25, 1.25, 5, "seeds").at_least(0.0);
        assert_eq!((distance.interval(), distance.brief()), ((0.0, 1.25), "0.50 (0.00 to 1.25)".into()));
    }
}
