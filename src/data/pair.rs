//! Whether a training and a test set belong together: type and scale of the features, and classes.

use std::path::Path;

use super::{Dataset, Features};
use crate::{Error, Result, text};

/// Where magnitudes differ by this factor, the scales do: it lies in the middle (geometrically) between 1 and
/// the 255 of bytes that were scaled beside bytes that were not.
const FACTOR: f64 = 16.0;

/// The same for numbers beside bytes: both belong in the interval from 0 to 1.
const MIXED: f64 = 4.0;

/// Where numbers lie.
struct Range {
    low: f64,
    high: f64,
    /// Mean of the magnitudes.
    mean: f64,
}

impl Range {
    /// Of all stored features, as they come out of the map.
    fn of(data: &Dataset) -> Range {
        let (center, scale) = data.map.column(0);
        if let (Features::U8(bytes), true) = (data.stored(), center == 0.0 && scale > 0.0) {
            // Whole numbers first: a quotient for each byte of a large set takes a noticeable time.
            let ends = bytes.iter().fold((u8::MAX, 0), |(low, high), x| (low.min(*x), high.max(*x)));
            let sum: u64 =
                bytes.chunks(1 << 20).map(|part| part.iter().map(|x| u64::from(*x)).sum::<u64>()).sum();
            let mean = sum as f64 / bytes.len() as f64 / scale;
            return Range { low: f64::from(ends.0) / scale, high: f64::from(ends.1) / scale, mean };
        }
        let start = Range { low: f64::INFINITY, high: f64::NEG_INFINITY, mean: 0.0 };
        let fold = |range: Range, x: f64| {
            let x = (x - center) / scale;
            Range { low: range.low.min(x), high: range.high.max(x), mean: range.mean + x.abs() }
        };
        let range = match data.stored() {
            Features::U8(v) => v.iter().fold(start, |range, x| fold(range, f64::from(*x))),
            Features::F32(v) => v.iter().fold(start, |range, x| fold(range, f64::from(*x))),
            Features::F64(v) => v.iter().fold(start, |range, x| fold(range, *x)),
        };
        Range { mean: range.mean / data.stored().len() as f64, ..range }
    }

    fn largest(&self) -> f64 {
        self.high.max(-self.low)
    }
}

/// A factor between two magnitudes; 1 where one is 0, which has no scale.
fn factor(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 1.0 } else { (a / b).max(b / a) }
}

/// Bytes with at least this one among them differ from others by less than [`FACTOR`].
const ENOUGH: u8 = 16;

/// An error unless the features of a training set and of a test set, just read, have the same scale. The
/// codes are those of their element types.
///
/// Bytes come out from 0 to 1, all others as they are: numbers from 0 to 255 beside bytes are another scale,
/// and numbers from 0 to 1 are not. Of two sets of the same type both the largest and the mean magnitude must
/// differ for an error, since a single outlier is none.
pub(super) fn check_scale(
    (train, train_path, train_code): (&Dataset, &Path, u8),
    (test, test_path, test_code): (&Dataset, &Path, u8),
) -> Result<()> {
    if train.stored().is_empty() || test.stored().is_empty() {
        return Ok(());
    }
    if let (Features::U8(a), Features::U8(b)) = (train.stored(), test.stored())
        && [a, b].iter().all(|bytes| bytes.iter().any(|byte| *byte >= ENOUGH))
    {
        return Ok(());
    }
    let (a, b) = (Range::of(train), Range::of(test));
    let (largest, mean) = (factor(a.largest(), b.largest()), factor(a.mean, b.mean));
    let alike = train_code == test_code;
    let bytes = |code| code == 0x08;
    let whole = |code| matches!(code, 0x09 | 0x0B | 0x0C);
    let differ = if alike {
        largest >= FACTOR && mean >= FACTOR
    } else {
        // Whole numbers are not divided as bytes are: they have the same scale only by chance.
        let close = if whole(train_code) || whole(test_code) { 2.0 } else { MIXED };
        // Bytes are never negative.
        largest >= close || (bytes(train_code) && b.low < 0.0) || (bytes(test_code) && a.low < 0.0)
    };
    if !differ {
        return Ok(());
    }
    let side = |path: &Path, code: u8, range: &Range| {
        let scaled = if bytes(code) { ", as bytes are divided by 255" } else { "" };
        let (path, name) = (text::path(path), type_name(code));
        format!("{path} holds {name}, which come out from {} to {}{scaled}", range.low, range.high)
    };
    Err(Error::Data(format!(
        "training and test samples differ in scale: {}; {}. Write both with the same type and scale",
        side(train_path, train_code, &a),
        side(test_path, test_code, &b)
    )))
}

/// An element type in words.
fn type_name(code: u8) -> &'static str {
    match code {
        0x08 => "unsigned bytes (0x08)",
        0x09 => "signed bytes (0x09)",
        0x0B => "16-bit integers (0x0B)",
        0x0C => "32-bit integers (0x0C)",
        0x0D => "32-bit floats (0x0D)",
        _ => "64-bit floats (0x0E)",
    }
}

/// Class names in a message at most.
const MOST_NAMED: usize = 50;

impl Dataset {
    /// A sentence if the features of both do not seem to be on one scale: largest and mean magnitude differ by a
    /// factor of 4, or only one side has negative numbers, and many of them.
    fn difference_in_scale(&self, test: &Dataset) -> Option<String> {
        if self.stored().is_empty() || test.stored().is_empty() || self.features() != test.features() {
            return None;
        }
        // With a scale for each feature there is no range of all of them.
        if self.map.features().is_some() || test.map.features().is_some() {
            return None;
        }
        let (a, b) = (Range::of(self), Range::of(test));
        let apart = factor(a.largest(), b.largest()) >= MIXED && factor(a.mean, b.mean) >= MIXED;
        // A tenth of what is typical: single numbers below zero are none.
        let signs = |a: &Range, b: &Range| a.low < -0.1 * a.mean && b.low >= 0.0;
        if !apart && !signs(&a, &b) && !signs(&b, &a) {
            return None;
        }
        Some(format!(
            "the training features lie between {:?} and {:?}, the test features between {:?} and {:?}: are both on \
             one scale?",
            a.low, a.high, b.low, b.high
        ))
    }

    /// What a training set and its test set do not have in common, a sentence each: the scale of the features,
    /// and the classes that only one of them has.
    ///
    /// ```
    /// use tapegrad::data::Dataset;
    ///
    /// let set = |labels| Dataset::new(vec![0.0; 3], 1)?.with_labels(labels, 4);
    /// let (train, test) = (set(&[0, 0, 1])?, set(&[1, 2, 3])?);
    /// assert_eq!(train.differences(&test), [
    ///     "class 0 has training samples and no test samples: nothing measures how well it is told apart",
    ///     "classes 2, 3 have test samples and no training samples: they cannot be learnt",
    /// ]);
    /// # Ok::<(), tapegrad::Error>(())
    /// ```
    pub fn differences(&self, test: &Dataset) -> Vec<String> {
        let mut differences = Vec::from_iter(self.difference_in_scale(test));
        if self.labels().is_none() || test.labels().is_none() {
            return differences;
        }
        let (train_counts, test_counts) = (self.class_counts(), test.class_counts());
        let count = |counts: &[usize], class: usize| counts.get(class).copied().unwrap_or(0);
        let classes = train_counts.len().max(test_counts.len());
        let only = |here: &[usize], there: &[usize], names: &Dataset| -> Vec<String> {
            let found = (0..classes).filter(|class| count(here, *class) > 0 && count(there, *class) == 0);
            found.map(|class| text::printable(&names.class_name(class)).into_owned()).collect()
        };
        let named = |names: &[String]| {
            let more = match names.len().saturating_sub(MOST_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let list = names[..names.len().min(MOST_NAMED)].join(", ");
            if let [name] = names {
                format!("class {name} has")
            } else {
                format!("classes {list}{more} have")
            }
        };
        let in_train = only(&train_counts, &test_counts, self);
        if !in_train.is_empty() {
            let which = if in_train.len() == 1 { "it is" } else { "they are" };
            differences.push(format!(
                "{} training samples and no test samples: nothing measures how well {which} told apart",
                named(&in_train)
            ));
        }
        let in_test = only(&test_counts, &train_counts, test);
        if !in_test.is_empty() {
            let which = if in_test.len() == 1 { "it" } else { "they" };
            differences.push(format!(
                "{} test samples and no training samples: {which} cannot be learnt",
                named(&in_test)
            ));
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(train: Dataset, train_code: u8, test: Dataset, test_code: u8) -> Result<()> {
        check_scale((&train, Path::new("a"), train_code), (&test, Path::new("b"), test_code))
    }

    #[test]
    fn scales() {
        let bytes = |values: &[u8]| Dataset::new(values.to_vec(), 1).unwrap();
        let numbers = |values: &[f64]| Dataset::new(values.to_vec(), 1).unwrap();
        let pixels = || bytes(&[0, 255, 100]);
        for (test, code, fits) in [
            (numbers(&[0.0, 255.0, 3.0]), 0x0C, false),
            (numbers(&[0.0, 127.0, 3.0]), 0x0B, false),
            (numbers(&[0.0, 1.0, 0.2]), 0x0D, true),
            (numbers(&[0.0, 0.9, 0.2]), 0x0E, true),
            (numbers(&[-1.0, 1.0, 0.2]), 0x0E, false),
            (numbers(&[0.0, 0.0039, 0.002]), 0x0D, false),
            (numbers(&[0.0, 1.0, 1.0]), 0x0C, true),
            (numbers(&[0.0, 15.0, 3.0]), 0x0C, false),
            (numbers(&[0.0, 10.0, 3.0]), 0x0D, false),
            (numbers(&[0.0, 0.0, 0.0]), 0x0C, true),
            (bytes(&[0, 1, 1]), 0x08, false),
            (bytes(&[0, 17, 1]), 0x08, true),
            (bytes(&[0, 0, 0]), 0x08, true),
        ] {
            assert_eq!(check(pixels(), 0x08, test.clone(), code).is_ok(), fits, "{:?}", test.stored());
            assert_eq!(check(test.clone(), code, pixels(), 0x08).is_ok(), fits, "{:?}", test.stored());
        }
        // One outlier is no other scale.
        let heavy = numbers(&[1.0, 1.0, 1.0, 1.0, 50.0]);
        check(heavy, 0x0E, numbers(&[1.0; 5]), 0x0E).unwrap();
        assert!(check(numbers(&[0.1, 1.0]), 0x0D, numbers(&[25.0, 255.0]), 0x0D).is_err());
        check(numbers(&[0.0, 255.0]), 0x0B, numbers(&[0.0, 250.0]), 0x0C).unwrap();
    }

    /// What may be right, and is told.
    #[test]
    fn scales_that_look_odd() {
        let bytes = |values: &[u8]| Dataset::new(values.to_vec(), 1).unwrap();
        let numbers = |values: &[f64]| Dataset::new(values.to_vec(), 1).unwrap();
        let told = |a: &Dataset, b: &Dataset| a.differences(b).len();
        for (a, b, count) in [
            (bytes(&[0, 255, 100]), bytes(&[1, 16, 8]), 1),
            (bytes(&[0, 255, 100]), bytes(&[0, 200, 9]), 0),
            (numbers(&[-0.4, 2.8, 1.0]), numbers(&[0.0, 1.0, 0.2]), 1),
            (numbers(&[-0.001, 1.0, 1.0]), numbers(&[0.0, 1.0, 0.2]), 0),
            (numbers(&[[1.0; 30].as_slice(), &[10.0]].concat()), numbers(&[1.0, 2.0, 1.0]), 0),
        ] {
            assert_eq!((told(&a, &b), told(&b, &a)), (count, count), "{:?} {:?}", a.stored(), b.stored());
        }
        let message = &numbers(&[0.0, 1e300]).differences(&numbers(&[0.0, 1.0]))[0];
        assert_eq!(
            message,
            "the training features lie between 0.0 and 1e300, the test features between 0.0 and 1.0: are both on \
             one scale?"
        );
    }

    #[test]
    fn classes_of_one_side() {
        let set = |labels: &[usize], classes| {
            Dataset::new(vec![0.0; labels.len()], 1).unwrap().with_labels(labels, classes).unwrap()
        };
        assert!(set(&[0, 1], 10).differences(&set(&[1, 0, 0], 2)).is_empty());
        let all: Vec<usize> = (0..100).collect();
        let differences = set(&[0], 1).differences(&set(&all, 100));
        assert_eq!(differences.len(), 1);
        assert!(differences[0].contains(" 49, 50 and 49 more have test samples"), "{differences:?}");
        let named = set(&[0, 1], 2).with_class_names(["cat", "\u{1b}[2J"]).unwrap();
        assert!(named.differences(&set(&[0], 2))[0].starts_with(r"class \u{1b}[2J has training"));
        assert!(Dataset::new(vec![0.0], 1).unwrap().differences(&named).is_empty());
    }
}
