//! Between samples and the tokens that they are made of.

use std::sync::Arc;

use super::restore::{Made, Place};
use super::{Mode, Module};
use crate::store::Settings;
use crate::tape::{Tape, Var};
use crate::text::count;
use crate::{Error, Float, Result, settings};

/// How many sequences the rows of x are, and of how many tokens each, in a module for sequences of `length` tokens:
/// several of that length, or a single one that is shorter, as while a text is still being written.
///
/// # Panics
/// If the rows are more, and no multiple.
#[track_caller]
pub(super) fn sequences_of<T: Float>(tape: &Tape<T>, name: &str, x: Var, length: usize) -> (usize, usize) {
    let shape = tape.shape_for(name, x);
    if shape.rows > 0 && shape.rows < length {
        return (1, shape.rows);
    }
    assert!(
        shape.rows.is_multiple_of(length),
        "{name}: {x} is {shape}, whose rows are no sequences of {} each",
        count(length, "token")
    );
    (shape.rows / length, length)
}

/// From samples to tokens, or back; the numbers stay as they are.
///
/// A sample of l·d numbers is a sequence of l tokens of d numbers. Attention and recurrence take a token a row, and what
/// comes before and after them a sample a row.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::nn::{Mode, Module, Tokens};
///
/// let mut tape = Tape::new();
/// let x = tape.constant_with(5, 12, |_| ());
/// let tokens = Tokens::split(4)?.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.shape(tokens).to_string(), "20×3");
/// let samples = Tokens::join(4)?.forward(&mut tape, tokens, &mut Mode::evaluation());
/// assert_eq!(tape.shape(samples).to_string(), "5×12");
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    length: usize,
    join: bool,
}

impl Tokens {
    /// Each sample becomes `length` tokens: m×(l·d) gives (m·l)×d.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if `length` is 0.
    pub fn split(length: usize) -> Result<Self> {
        settings::at_least_one("length", length)?;
        Ok(Tokens { length, join: false })
    }

    /// Each `length` tokens become a sample: (m·l)×d gives m×(l·d).
    ///
    /// # Errors
    /// As [`split`](Self::split).
    pub fn join(length: usize) -> Result<Self> {
        Ok(Tokens { join: true, ..Tokens::split(length)? })
    }

    /// Numbers per row that come out where `width` go in; `None` where that cannot be.
    fn width(&self, width: usize) -> Option<usize> {
        if self.join {
            width.checked_mul(self.length)
        } else {
            width.is_multiple_of(self.length).then(|| width / self.length)
        }
    }
}

impl<T: Float> Module<T> for Tokens {
    fn describe(&self) -> String {
        // The same for one of them: checkpoints hold this text, and one of before is compared with it.
        if self.join {
            format!("samples of {} tokens", self.length)
        } else {
            format!("{} tokens a sample", self.length)
        }
    }

    /// # Panics
    /// If the columns are no whole number of tokens, or the tokens no whole number of samples.
    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        let (shape, length) = (tape.shape_for("Tokens", x), self.length);
        if self.join {
            let whole = shape.rows.is_multiple_of(length);
            assert!(
                whole,
                "Tokens: {x} is {shape}, whose rows are no samples of {} each",
                count(length, "token")
            );
            return tape.reshape(x, shape.rows / length, shape.cols * length);
        }
        assert!(
            shape.cols.is_multiple_of(length),
            "Tokens: {x} is {shape}, whose columns are not {}",
            count(length, "token")
        );
        tape.reshape(x, shape.rows * length, shape.cols / length)
    }

    fn takes(&self, width: usize) -> bool {
        self.width(width).is_some()
    }

    fn rows(&self, rows: usize) -> Option<usize> {
        if self.join {
            rows.is_multiple_of(self.length).then(|| rows / self.length)
        } else {
            rows.checked_mul(self.length)
        }
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("tokens").with("length", self.length).with("join", self.join))
    }
}

/// What a file holds of it.
pub(super) fn restore<T: Float>(
    _: &mut Tape<T>,
    settings: &Settings,
    _: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    let tokens = Tokens { join: settings.get("join")?, ..Tokens::split(settings.get("length")?)? };
    let Some(given) = tokens.width(width) else {
        return Err(Error::Data(format!(
            "{} per sample cannot be {}",
            count(width, "number"),
            count(tokens.length, "token")
        )));
    };
    Ok((Arc::new(tokens), given))
}
