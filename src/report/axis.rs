//! Axes: what they show, where their ticks are, and how plotters maps them.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::{fixed, scientific};
use crate::Float;

/// One axis of a chart: its label, with the unit in parentheses where there is one, and its scale.
///
/// The range is that of the data unless [`range`](Axis::range) sets it.
#[derive(Clone, Debug)]
pub struct Axis {
    pub(super) label: String,
    pub(super) kind: Kind,
    range: Option<(f64, f64)>,
    /// Numbers that the range has to hold whatever the data is.
    holds: Vec<f64>,
    /// Whether ticks stand at whole numbers only.
    whole: bool,
}

/// What the scale of an axis is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Linear,
    Log,
    /// Whole numbers from 0 that stand for these names.
    Categories(Vec<String>),
}

impl Axis {
    /// An axis with even steps: `Axis::linear("time (s)")`.
    pub fn linear(label: impl Into<String>) -> Axis {
        Axis { label: label.into(), kind: Kind::Linear, range: None, holds: Vec::new(), whole: false }
    }

    /// An axis of even steps for what is counted, with ticks at whole numbers only: `Axis::whole("epoch")`.
    pub fn whole(label: impl Into<String>) -> Axis {
        Axis { whole: true, ..Axis::linear(label) }
    }

    /// An axis of powers of ten. What is not positive and finite is left out of the drawing.
    pub fn log(label: impl Into<String>) -> Axis {
        Axis { kind: Kind::Log, ..Axis::linear(label) }
    }

    /// An axis of names; the data says 0 for the first, 1 for the second, …
    pub fn categories(label: impl Into<String>, names: impl IntoIterator<Item = impl Into<String>>) -> Axis {
        Axis { kind: Kind::Categories(names.into_iter().map(Into::into).collect()), ..Axis::linear(label) }
    }

    /// The range from `low` to `high`; what lies outside is cut off.
    ///
    /// # Panics
    /// If it is empty or not finite, or not positive on an axis of powers of ten.
    #[track_caller]
    pub fn range(mut self, low: f64, high: f64) -> Axis {
        assert!(low < high && low.is_finite() && high.is_finite(), "the axis range {low} to {high} is empty");
        assert!(self.kind != Kind::Log || low > 0.0, "an axis of powers of ten cannot begin at {low}");
        self.range = Some((low, high));
        self
    }

    /// Stretches the range of the data to hold `x`, such as the 0 under bars.
    pub fn holding(mut self, x: f64) -> Axis {
        self.holds.push(x);
        self
    }

    /// Whether the axis can show `x` at all.
    pub(super) fn shows(&self, x: f64) -> bool {
        x.is_finite() && (self.kind != Kind::Log || x > 0.0)
    }

    /// The axis for data with these values; without room around them if it is to be `tight`.
    pub(super) fn resolve(&self, values: impl Iterator<Item = f64>, tight: bool) -> Scale {
        let log = self.kind == Kind::Log;
        let to = |x: f64| if log { libm::log10(x) } else { x };
        let (low, high) = match (&self.kind, self.range) {
            (Kind::Categories(names), _) => (-0.5, names.len() as f64 - 0.5),
            (_, Some((low, high))) => (to(low), to(high)),
            _ => {
                let all = values.chain(self.holds.iter().copied()).filter(|x| self.shows(*x)).map(to);
                let (low, high) =
                    all.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
                let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
                // A single value needs some room around it.
                let width = if high > low { high - low } else { low.abs().max(1.0) * 0.2 };
                let room = if tight { 0.0 } else { 0.04 };
                let pad = if high > low { room * width } else { 0.5 * width };
                let held = |end: f64| !log && self.holds.contains(&end);
                if high == low && held(low) {
                    // All values are the one that is to be an end.
                    (low, low + 1.0)
                } else {
                    (if held(low) { low } else { low - pad }, if held(high) { high } else { high + pad })
                }
            }
        };
        let (ticks, minor) = match &self.kind {
            Kind::Linear => (linear_ticks(low, high, if self.whole { 1.0 } else { 0.0 }), Vec::new()),
            Kind::Log => log_ticks(low, high),
            Kind::Categories(names) => {
                (names.iter().enumerate().map(|(i, name)| (i as f64, name.clone())).collect(), Vec::new())
            }
        };
        Scale { log, low, high, ticks, minor }
    }
}

/// An axis with everything decided, in the form that plotters takes.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    log: bool,
    /// Ends of the axis; their logarithms where it is one of powers of ten.
    low: f64,
    high: f64,
    /// Places, as the data has them, and labels.
    pub ticks: Vec<(f64, String)>,
    /// Places of lines without a label.
    minor: Vec<f64>,
}

impl Scale {
    /// The same from the other end.
    pub fn reversed(self) -> Scale {
        Scale { low: self.high, high: self.low, ..self }
    }

    /// The ends as they are drawn: logarithms to base 10 where it is an axis of powers of ten, and whether it is.
    pub fn ends_drawn(&self) -> (f64, f64, bool) {
        (self.low, self.high, self.log)
    }

    /// The ends as the data has them.
    pub fn ends(&self) -> (f64, f64) {
        if self.log { (power(self.low), power(self.high)) } else { (self.low, self.high) }
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let x = if self.log { libm::log10(value.max(f64::MIN_POSITIVE)) } else { *value };
        let share = (x - self.low) / (self.high - self.low);
        let (from, to) = (f64::from(limit.0), f64::from(limit.1));
        // Far outside is cut off anyway; SVG readers have trouble with huge coordinates.
        (from + share.clamp(-5.0, 6.0) * (to - from)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, hint: H) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            self.minor.clone()
        } else {
            self.ticks.iter().map(|(at, _)| *at).collect()
        }
    }

    fn range(&self) -> Range<f64> {
        let (low, high) = self.ends();
        low..high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        self.ticks.iter().find(|(at, _)| at == value).map_or(String::new(), |(_, label)| label.clone())
    }
}

/// Four to eight ticks at multiples of 1, 2 or 5 times a power of ten, and fewer where the steps between
/// them would be less than `least`.
fn linear_ticks(low: f64, high: f64, least: f64) -> Vec<(f64, String)> {
    let rough = (high - low) / 6.0;
    let exponent = libm::log10(rough).floor();
    let base = power(exponent);
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| f * base >= rough * 0.999).unwrap_or(10.0);
    let step = (factor * base).max(least);
    let decimals = (-libm::log10(step) - 1e-9).ceil().max(0.0) as usize;
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    let largest = low.abs().max(high.abs());
    (first..=last)
        .map(|k| {
            let x = k as f64 * step;
            let label = if largest >= 1e5 || decimals > 4 { scientific(x, 2) } else { fixed(x, decimals) };
            (x, label)
        })
        .collect()
}

/// Powers of ten, or 1, 2 and 5 times them where there are few; and the lines between.
fn log_ticks(low: f64, high: f64) -> (Vec<(f64, String)>, Vec<f64>) {
    let (first, last) = ((low - 1e-9).ceil() as i32, (high + 1e-9).floor() as i32);
    let inside = |x: f64| (low - 1e-9..=high + 1e-9).contains(&libm::log10(x));
    let every = ((last - first) / 7 + 1).max(1);
    let plain_labels = first >= -3 && last <= 4;
    let label = |x: f64, e: i32| {
        if plain_labels { fixed(x, (-e).max(0) as usize) } else { scientific(x, 2) }
    };
    let multiples: &[i32] = match last - first {
        ..=0 if high - low < 0.7 => &[1, 2, 3, 4, 5, 6, 7, 8, 9],
        ..=1 => &[1, 2, 5],
        _ => &[1],
    };
    let (mut ticks, mut minor) = (Vec::new(), Vec::new());
    for e in first - 1..=last {
        for k in 1..10 {
            let x = f64::from(k) * power(f64::from(e));
            if !inside(x) {
            } else if multiples.contains(&k) && e.rem_euclid(every) == 0 {
                ticks.push((x, label(x, e)));
            } else if every == 1 && last - first <= 6 {
                minor.push(x);
            }
        }
    }
    if ticks.len() < 3 {
        // Too short for powers of ten and their multiples: steps of equal size say more.
        let even =
            linear_ticks(power(low), power(high), 0.0).into_iter().filter(|(x, _)| *x > 0.0 && inside(*x));
        return (even.collect(), Vec::new());
    }
    (ticks, minor)
}

fn power(exponent: f64) -> f64 {
    if exponent == exponent.trunc() && exponent.abs() < 300.0 {
        // Whole powers as they are read: 10⁻³ is the literal 1e-3.
        return format!("1e{exponent}").parse().unwrap_or(f64::NAN);
    }
    Float::exp(exponent * std::f64::consts::LN_10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, values: &[f64]) -> Vec<String> {
        axis.resolve(values.iter().copied(), false).ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn linear_labels() {
        let axis = Axis::linear("x").range(0.0, 1.0);
        assert_eq!(labels(&axis, &[]), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let axis = Axis::linear("x").range(-1.0, 1.0);
        assert_eq!(labels(&axis, &[]), ["−1.0", "−0.5", "0.0", "0.5", "1.0"]);
        let axis = Axis::linear("x").range(0.0, 20_000.0);
        assert_eq!(labels(&axis, &[])[2], "10\u{2009}000");
        let axis = Axis::linear("x").range(0.0, 3e-7);
        assert_eq!(labels(&axis, &[])[2], "10⁻⁷");
    }

    #[test]
    fn labels_of_powers_of_ten() {
        let axis = Axis::log("x").range(0.01, 100.0);
        assert_eq!(labels(&axis, &[]), ["0.01", "0.1", "1", "10", "100"]);
        let axis = Axis::log("x").range(1e-6, 1.0);
        assert_eq!(labels(&axis, &[])[..2], ["10⁻⁶", "10⁻⁵"]);
        let axis = Axis::log("x").range(1.0, 20.0);
        assert_eq!(labels(&axis, &[]), ["1", "2", "5", "10", "20"]);
        let axis = Axis::log("x").range(1e-30, 1.0);
        assert!(labels(&axis, &[]).len() <= 8);
    }

    #[test]
    fn ranges_come_from_the_data() {
        assert_eq!(Axis::linear("x").holding(0.0).resolve([1.0, 2.0].into_iter(), false).ends().0, 0.0);
        let one = Axis::linear("x").resolve([3.0].into_iter(), false).ends();
        assert!(one.0 < 3.0 && one.1 > 3.0);
        let none = Axis::log("x").resolve([0.0, -1.0, f64::NAN].into_iter(), false).ends();
        assert!(none.0 > 0.0 && none.1 > none.0);
    }
}
