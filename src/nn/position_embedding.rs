//! The layer that tells where a token stands.

use std::sync::Arc;

use rand::Rng;

use super::embedding::DEVIATION;
use super::restore::{Made, Place, set};
use super::tokens::sequences_of;
use super::{Mode, Module};
use crate::rng::{Purpose, standard_normal, stream};
use crate::store::Settings;
use crate::tape::{Param, Tape, Var};
use crate::{Float, Result, settings};

/// A vector for each position, which is learnt, on top of tokens that are vectors already, such as the patches of an
/// image: (m·l)×d and l×d give (m·l)×d, by [`Tape::add_positions`]. [`Embedding`](super::Embedding) has positions of its
/// own.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::nn::{Mode, Module, PositionEmbedding};
/// use tapegrad::rng::{Purpose, stream};
///
/// let mut tape = Tape::new();
/// let layer = PositionEmbedding::new(&mut tape, 3, 2, &mut stream(1, Purpose::Init))?;
/// // Two sequences of three tokens.
/// let x = tape.constant_with(6, 2, |_| ());
/// let y = layer.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.value_slice(y)[..6], *tape.value_slice(layer.table));
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionEmbedding {
    /// The vectors, l×d.
    pub table: Param,
    length: usize,
    width: usize,
}

impl PositionEmbedding {
    /// For sequences of `length` tokens of `width` numbers: normal draws with mean 0 and deviation 0.02.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if one of the two is 0.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn new<T: Float>(
        tape: &mut Tape<T>,
        length: usize,
        width: usize,
        rng: &mut impl Rng,
    ) -> Result<Self> {
        settings::at_least_one("length", length)?;
        settings::at_least_one("width", width)?;
        let table = tape.param_with(length, width, |to| {
            to.iter_mut().for_each(|w| *w = T::of(DEVIATION * standard_normal(rng)));
        });
        Ok(PositionEmbedding { table, length, width })
    }
}

impl<T: Float> Module<T> for PositionEmbedding {
    fn describe(&self) -> String {
        // The same for one of them: checkpoints hold this text, and one of before is compared with it.
        format!("{} positions of {}", self.length, self.width)
    }

    /// # Panics
    /// If x has another number of columns, or its rows are no sequences.
    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        let (_, length) = sequences_of(tape, "PositionEmbedding", x, self.length);
        tape.add_positions(x, self.table, length)
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        visit("table", self.table);
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.width)
    }

    fn keeps_width(&self) -> bool {
        true
    }

    fn rows(&self, rows: usize) -> Option<usize> {
        rows.is_multiple_of(self.length).then_some(rows)
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("position_embedding"))
    }
}

/// What a file holds of it.
pub(super) fn restore<T: Float>(
    tape: &mut Tape<T>,
    _: &Settings,
    from: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    // Before room is made for as many.
    let (length, _) = from.from.shape::<T>("table")?;
    from.from.check_shape::<T>("table", length, width)?;
    let layer = PositionEmbedding::new(tape, length, width, &mut stream(0, Purpose::Init))?;
    set(tape, &layer, from.from)?;
    Ok((Arc::new(layer), width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "PositionEmbedding: v1 is 4×2, whose rows are no sequences of 3 tokens each")]
    fn rows_that_are_no_sequences() {
        let mut tape = Tape::new();
        let layer = PositionEmbedding::new(&mut tape, 3, 2, &mut stream(1, Purpose::Init)).unwrap();
        let x = tape.constant_with(4, 2, |_| ());
        layer.forward(&mut tape, x, &mut Mode::evaluation());
    }

    #[test]
    fn a_sequence_alone_may_be_shorter() {
        let mut tape = Tape::new();
        let layer = PositionEmbedding::new(&mut tape, 3, 2, &mut stream(1, Purpose::Init)).unwrap();
        let x = tape.constant_with(2, 2, |x| x.fill(1.0));
        let y = layer.forward(&mut tape, x, &mut Mode::evaluation());
        assert_eq!(tape.value_slice(y)[3], 1.0 + tape.value_slice(layer.table)[3]);
        let error = |length, width| {
            let rng = &mut stream(1, Purpose::Init);
            PositionEmbedding::new(&mut Tape::new(), length, width, rng).unwrap_err().to_string()
        };
        assert!(error(0, 2).starts_with("length: ") && error(3, 0).starts_with("width: "));
    }
}
