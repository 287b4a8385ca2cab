//! What a network is asked besides its answers: the numbers behind a part of it, and what follows a text.

use super::super::predictor::{Predictor, Rows, by_blocks, no_text};
use super::Network;
use crate::data::BYTES;
use crate::linalg::first_not_finite;
use crate::nn::{Mode, Module};
use crate::{Error, Float, Matrix, Result, text, train};

impl<T: Float> Network<T> {
    /// What [`Predictor::behind`] answers.
    pub(super) fn numbers_behind(&self, part: &str, rows: &dyn Rows) -> Result<Matrix<f64>> {
        let Some(front) = self.module.until(part) else {
            let names: Vec<&str> = self.module.modules().map(|(name, _)| name).collect();
            let (part, names) = (text::printable(part), names.join(", "));
            return Err(Error::Data(format!("{} has no part `{part}`; there are {names}", self.describe())));
        };
        by_blocks(&rows.to_dataset()?, self.block(), |block| {
            let prepared = self.inputs.prepare(block)?;
            if prepared.is_empty() {
                return Ok(Matrix::zeros(0, 0));
            }
            let numbers = self.pool.with(&self.tape, |tape| train::predict(&front, tape, &prepared))?;
            let cols = numbers.len() / prepared.len();
            if let Some(at) = first_not_finite(&numbers) {
                let (row, column, value) = (at / cols, at % cols, numbers[at]);
                let why = format!("row {row}: number {column} behind {part} is {value}");
                return Err(Error::NonFinite(why));
            }
            Ok(Matrix::new(numbers.iter().map(|x| x.to_f64()).collect(), prepared.len(), cols))
        })
    }

    /// What [`Predictor::context`] answers.
    pub(super) fn bytes_seen(&self) -> Option<usize> {
        let of_bytes = self.module.vocabulary() == Some(BYTES) && self.task.classes() == BYTES;
        (of_bytes && self.task.labels_per_row() > 1 && self.inputs.steps().is_empty())
            .then_some(self.inputs.features())
    }

    /// What [`Predictor::next_scores`] answers.
    pub(super) fn scores_of_next(&self, tokens: &[u8]) -> Result<Vec<f64>> {
        let Some(context) = self.context() else { return Err(no_text(self)) };
        if tokens.is_empty() {
            return Err(Error::Data("an empty text has nothing to go on from".into()));
        }
        let tokens = &tokens[tokens.len().saturating_sub(context)..];
        let scores: Vec<f64> = self.pool.with(&self.tape, |tape| {
            tape.rewind();
            // As long as the context, with zeros behind a shorter text: no token sees those behind it, and a part of the
            // network may take no other length.
            let x = tape.constant_with(1, context, |x| {
                x.iter_mut().zip(tokens).for_each(|(x, byte)| *x = T::of(f64::from(*byte)));
            });
            let y = self.module.forward(tape, x, &mut Mode::evaluation());
            let y = &tape.value_slice(y)[(tokens.len() - 1) * BYTES..][..BYTES];
            y.iter().map(|y| y.to_f64()).collect()
        });
        match first_not_finite(&scores) {
            Some(at) => Err(Error::NonFinite(format!("the score of byte {at} is {}", scores[at]))),
            None => Ok(scores),
        }
    }
}
