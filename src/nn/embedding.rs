//! Vectors for tokens.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rand::Rng;

use super::restore::{Made, Place, set};
use super::{Mode, Module};
use crate::ops::fill_sinusoidal;
use crate::rng::{Purpose, standard_normal, stream};
use crate::store::Settings;
use crate::tape::{Param, Tape, Var};
use crate::text::count;
use crate::{Error, Float, Result, settings};

/// Where a token stands: what is added to its vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Positions {
    /// Nothing: a recurrence, or attention with rotary positions, tells by itself.
    None,
    /// A vector for each position, which is learnt.
    #[default]
    Learned,
    /// Sines and cosines: [`Tape::sinusoidal_positions`].
    Sinusoidal,
}

impl Positions {
    /// All of them with their names.
    pub const TABLE: [(Positions, &str); 3] =
        [(Positions::None, "none"), (Positions::Learned, "learned"), (Positions::Sinusoidal, "sinusoidal")];
}

/// The name, such as `learned`.
impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::TABLE.iter().find(|(positions, _)| positions == self).map(|(_, name)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

/// The inverse of `Display`.
impl FromStr for Positions {
    type Err = Error;

    fn from_str(s: &str) -> Result<Positions> {
        Self::TABLE.iter().find(|(_, name)| *name == s).map(|(positions, _)| *positions).ok_or_else(|| {
            let names = Self::TABLE.map(|(_, name)| name).join(", ");
            Error::setting("positions", format!("there is no `{s}`; there are {names}"))
        })
    }
}

/// Vectors for the tokens of texts, m×l with a text a row, and what tells their positions: (m·l)×d, a token a row, as
/// attention and recurrence take it.
///
/// A token is a whole number below the size of the vocabulary. A text may be shorter than the positions, and not longer.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::nn::{Embedding, Mode, Module, Positions};
/// use tapegrad::rng::{Purpose, stream};
///
/// let mut tape = Tape::new();
/// let rng = &mut stream(1, Purpose::Init);
/// let embedding = Embedding::new(&mut tape, 256, 3, 8, Positions::Learned, rng)?;
/// let texts = tape.constant_slice(2, 3, &[72.0, 105.0, 33.0, 89.0, 111.0, 33.0]);
/// let y = embedding.forward(&mut tape, texts, &mut Mode::evaluation());
/// assert_eq!(tape.shape(y).to_string(), "6×8");
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// The vectors of the tokens, v×d.
    pub table: Param,
    /// Those of the positions, p×d: a parameter, or a buffer of sines and cosines.
    pub positions: Option<Param>,
    kind: Positions,
    vocabulary: usize,
    length: usize,
    width: usize,
}

/// The standard deviation of new vectors: that of GPT-2 (Radford et al., *Language Models are Unsupervised Multitask
/// Learners*, 2019).
pub(super) const DEVIATION: f64 = 0.02;

impl Embedding {
    /// For `vocabulary` tokens, texts of `length` tokens and vectors of `width` numbers, drawn from a normal
    /// distribution with mean 0 and deviation 0.02; so are positions that are learnt.
    ///
    /// # Errors
    /// [`Error::Setting`] if one of the three is 0.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn new<T: Float>(
        tape: &mut Tape<T>,
        vocabulary: usize,
        length: usize,
        width: usize,
        positions: Positions,
        rng: &mut impl Rng,
    ) -> Result<Self> {
        settings::at_least_one("vocabulary", vocabulary)?;
        settings::at_least_one("length", length)?;
        settings::at_least_one("width", width)?;
        let mut draw =
            |to: &mut [T]| to.iter_mut().for_each(|w| *w = T::of(DEVIATION * standard_normal(rng)));
        let table = tape.param_with(vocabulary, width, &mut draw);
        let kind = positions;
        let positions = match kind {
            Positions::None => None,
            Positions::Learned => Some(tape.param_with(length, width, &mut draw)),
            Positions::Sinusoidal => Some(tape.buffer_with(length, width, |to| fill_sinusoidal(to, width))),
        };
        Ok(Embedding { table, positions, kind, vocabulary, length, width })
    }
}

impl<T: Float> Module<T> for Embedding {
    fn describe(&self) -> String {
        let Embedding { kind, vocabulary, length, width, .. } = self;
        let positions = if *kind == Positions::None { String::new() } else { format!(", {kind} positions") };
        format!("embedding {length} of {vocabulary}→{width}{positions}")
    }

    /// # Panics
    /// If a number is no token, as [`Tape::embedding`] says, or the texts are not of as many tokens as was said; one text
    /// alone may be shorter: of several, what stands behind could not tell where one ends.
    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        let shape = tape.shape_for("Embedding", x);
        let length = shape.cols;
        assert!(
            length == self.length || shape.rows <= 1 && length < self.length,
            "Embedding: {x} is {shape}, but texts have {} (one alone may have fewer)",
            count(self.length, "token")
        );
        let y = tape.embedding(self.table, x);
        match self.positions {
            Some(positions) => tape.add_positions(y, positions, length),
            None => y,
        }
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        visit("weight", self.table);
        if let Some(positions) = self.positions {
            visit("positions", positions);
        }
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.length)
    }

    fn vocabulary(&self) -> Option<usize> {
        Some(self.vocabulary)
    }

    fn rows(&self, rows: usize) -> Option<usize> {
        rows.checked_mul(self.length)
    }

    fn store(&self) -> Option<Settings> {
        let settings = Settings::of("embedding").with("positions", self.kind.to_string());
        Some(settings.with("length", self.length))
    }
}

/// What a file holds of it.
pub(super) fn restore<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    inputs: usize,
) -> Result<Made<T>> {
    let kind = settings.get::<String>("positions")?.parse()?;
    let length: usize = settings.get("length")?;
    if length != inputs {
        return Err(Error::Data(format!(
            "an embedding of {} for {} per sample",
            count(length, "token"),
            count(inputs, "number")
        )));
    }
    // Before room is made for as many.
    let (vocabulary, width) = from.from.shape::<T>("weight")?;
    if kind != Positions::None {
        from.from.check_shape::<T>("positions", length, width)?;
    }
    let embedding = Embedding::new(tape, vocabulary, length, width, kind, &mut stream(0, Purpose::Init))?;
    set(tape, &embedding, from.from)?;
    Ok((Arc::new(embedding), width))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedding(tape: &mut Tape, positions: Positions) -> Embedding {
        Embedding::new(tape, 5, 3, 4, positions, &mut stream(1, Purpose::Init)).unwrap()
    }

    #[test]
    fn vectors_and_positions() {
        for (positions, name) in Positions::TABLE {
            assert_eq!(name.parse::<Positions>().unwrap(), positions);
            let mut tape = Tape::new();
            let embedding = embedding(&mut tape, positions);
            let x = tape.constant_slice(2, 3, &[4.0, 0.0, 2.0, 1.0, 4.0, 3.0]);
            let y = embedding.forward(&mut tape, x, &mut Mode::evaluation());
            let (table, y) = (tape.value(embedding.table).to_dmatrix(), tape.value(y).to_dmatrix());
            for (row, (token, t)) in [(4, 0), (0, 1), (2, 2), (1, 0), (4, 1), (3, 2)].into_iter().enumerate()
            {
                let at = embedding.positions.map(|p| tape.value(p).to_dmatrix().row(t).into_owned());
                let expected = table.row(token) + at.unwrap_or(nalgebra::RowDVector::zeros(4));
                assert_eq!(y.row(row), expected, "{name}");
            }
            let trained = embedding.positions.is_some_and(|p| tape.is_trained(p));
            assert_eq!(trained, positions == Positions::Learned);
        }
    }

    #[test]
    fn settings_that_cannot_be() {
        let of = |v, l, d| {
            let mut tape = Tape::<f32>::default();
            let made = Embedding::new(&mut tape, v, l, d, Positions::None, &mut stream(1, Purpose::Init));
            made.unwrap_err().to_string()
        };
        assert_eq!(of(0, 1, 1), "vocabulary: 0 is not at least 1");
        assert_eq!(of(1, 0, 1), "length: 0 is not at least 1");
        assert_eq!(of(1, 1, 0), "width: 0 is not at least 1");
        let error = "sines".parse::<Positions>().unwrap_err().to_string();
        assert_eq!(error, "positions: there is no `sines`; there are none, learned, sinusoidal");
    }

    #[test]
    #[should_panic(expected = "Embedding: v2 is 1×4, but texts have 3 tokens (one alone may have fewer)")]
    fn a_text_that_is_too_long() {
        let mut tape = Tape::new();
        let embedding = embedding(&mut tape, Positions::Learned);
        let x = tape.constant_slice(1, 4, &[0.0; 4]);
        embedding.forward(&mut tape, x, &mut Mode::evaluation());
    }

    /// Of two, what stands behind could not tell where one ends.
    #[test]
    #[should_panic(expected = "Embedding: v1 is 2×2, but texts have 3 tokens (one alone may have fewer)")]
    fn two_texts_that_are_too_short() {
        let mut tape = Tape::new();
        let embedding = embedding(&mut tape, Positions::None);
        let one = tape.constant_slice(1, 2, &[1.0, 2.0]);
        let y = embedding.forward(&mut tape, one, &mut Mode::evaluation());
        assert_eq!(tape.shape(y).to_string(), "2×4");
        tape.rewind();
        let two = tape.constant_slice(2, 2, &[0.0; 4]);
        embedding.forward(&mut tape, two, &mut Mode::evaluation());
    }
}
