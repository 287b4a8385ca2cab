//! The one check of a setting that is a number: in its range as given, and in the type that uses it.

use crate::{Error, Float, Result};

/// What a setting may be.
///
/// Where a range has other words, or other ends, it is written out on the spot:
/// `Range { text: "in the range 1 ≤ x ≤ 2", contains: |x| (1.0..=2.0).contains(&x) }`.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    /// Goes on from "… is not": `finite and at least 0`.
    pub text: &'static str,
    pub contains: fn(f64) -> bool,
}

impl Range {
    /// A rate, a penalty.
    pub const NOT_NEGATIVE: Range =
        Range { text: "finite and at least 0", contains: |x| x >= 0.0 && x.is_finite() };
    /// A bound, a width.
    pub const POSITIVE: Range = Range { text: "positive and finite", contains: |x| x > 0.0 && x.is_finite() };
    /// The decay of a running mean, a probability that leaves something.
    pub const BELOW_ONE: Range =
        Range { text: "in the range 0 ≤ x < 1", contains: |x| (0.0..1.0).contains(&x) };
    /// A factor that makes smaller.
    pub const FACTOR: Range = Range { text: "in the range 0 < x ≤ 1", contains: |x| x > 0.0 && x <= 1.0 };
    /// A share.
    pub const SHARE: Range =
        Range { text: "in the range 0 ≤ x ≤ 1", contains: |x| (0.0..=1.0).contains(&x) };
    /// Any number.
    pub const FINITE: Range = Range { text: "finite", contains: f64::is_finite };
}

/// `value`, if it is in `range`, and what becomes of it in `T` is as well: no number that becomes infinite
/// there, none but 0 that becomes 0, none below 1 that becomes 1 where 1 is out of the range.
///
/// Settings are written and kept in `f64`. What a computation in `f32` would make of them is found here,
/// where the setting still has its name.
///
/// # Errors
/// [`Error::Setting`] with the value as it was given, the type and the range.
pub(crate) fn check<T: Float>(name: &'static str, value: f64, range: Range) -> Result<f64> {
    let (text, found) = (range.text, T::of(value).to_f64());
    let why = if !(range.contains)(value) {
        format!("{} is not {text}", shown(value))
    } else if found.is_infinite() {
        let text = text.replace("finite", &format!("finite (as {})", T::NAME));
        format!("{} is not {text}", shown(value))
    } else if !(range.contains)(found) || (found == 0.0) != (value == 0.0) {
        let (value, found) = (shown(value), shown(found));
        format!("{value} is {found} as {}, though it is to be {text}: f64 holds such numbers", T::NAME)
    } else {
        return Ok(value);
    };
    Err(Error::setting(name, why))
}

/// Whether there is one at least: of what is counted.
///
/// # Errors
/// [`Error::Setting`] if there is none.
pub(crate) fn at_least_one<N: Default + PartialEq>(name: &'static str, count: N) -> Result<()> {
    if count == N::default() {
        return Err(Error::setting(name, "0 is not at least 1"));
    }
    Ok(())
}

/// As people write it: `1`, `0.5`, `1e-50`.
pub(crate) fn shown(x: f64) -> String {
    let text = format!("{x:?}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn fails<T: Float>(value: f64, range: Range, expected: &str) {
        let error = check::<T>("x", value, range).unwrap_err();
        assert_eq!(error.to_string(), format!("x: {expected}"));
    }

    #[test]
    fn as_given() {
        fails::<f64>(-1.0, Range::NOT_NEGATIVE, "-1 is not finite and at least 0");
        fails::<f64>(f64::INFINITY, Range::NOT_NEGATIVE, "inf is not finite and at least 0");
        fails::<f64>(f64::NAN, Range::POSITIVE, "NaN is not positive and finite");
        fails::<f32>(0.0, Range::POSITIVE, "0 is not positive and finite");
        fails::<f32>(1.0, Range::BELOW_ONE, "1 is not in the range 0 ≤ x < 1");
        fails::<f32>(-1e-9, Range::SHARE, "-1e-9 is not in the range 0 ≤ x ≤ 1");
        fails::<f32>(0.0, Range::FACTOR, "0 is not in the range 0 < x ≤ 1");
        fails::<f32>(f64::NEG_INFINITY, Range::FINITE, "-inf is not finite");
    }

    #[test]
    fn in_the_type_that_uses_it() {
        fails::<f32>(1e39, Range::POSITIVE, "1e39 is not positive and finite (as f32)");
        fails::<f32>(1e300, Range::NOT_NEGATIVE, "1e300 is not finite (as f32) and at least 0");
        fails::<f32>(-1e300, Range::FINITE, "-1e300 is not finite (as f32)");
        let zero = "1e-50 is 0 as f32, though it is to be finite and at least 0: f64 holds such numbers";
        fails::<f32>(1e-50, Range::NOT_NEGATIVE, zero);
        let one =
            "0.99999999999 is 1 as f32, though it is to be in the range 0 ≤ x < 1: f64 holds such numbers";
        fails::<f32>(0.99999999999, Range::BELOW_ONE, one);
        for x in [0.0, 0.5, 1e-45, 1e-50, 0.99999999999] {
            assert_eq!(check::<f64>("x", x, Range::BELOW_ONE).unwrap(), x);
        }
        // 1 is in this range, and so may what becomes 1.
        assert_eq!(check::<f32>("x", 0.99999999999, Range::SHARE).unwrap(), 0.99999999999);
        assert_eq!(check::<f32>("x", 3e38, Range::POSITIVE).unwrap(), 3e38);
        assert_eq!(check::<f32>("x", -3e38, Range::FINITE).unwrap(), -3e38);
    }
}
