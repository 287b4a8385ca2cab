//! What a network is asked besides its answers: the numbers behind a part of it, what follows a text, and its tape.

use super::super::predictor::{Predictor, Rows, by_blocks, no_text};
use super::{Network, Task};
use crate::data::BYTES;
use crate::linalg::first_not_finite;
use crate::memory::filled;
use crate::nn::{Batch, Mode, Module};
use crate::rng::Place;
use crate::{Dataset, Error, Float, Matrix, Result, Tape, text, train};

impl<T: Float> Network<T> {
    /// The tape of a training step, from the parameters to the loss, for `batch` samples whose features are all 0. It prints
    /// as text, and [`dot`](Tape::dot) draws it.
    ///
    /// ```
    /// use std::any::Any;
    /// use tapegrad::models::{Network, load, save};
    /// # let data = tapegrad::data::synthetic::moons(40, 0.1, 7)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("moons.safetensors");
    ///
    /// save(&Network::<f32>::new(1).linear(8).relu().outputs_for(&data)?, &path, &Default::default())?;
    /// let model: &dyn Any = &*load(&path)?.model;
    /// let tape = model.downcast_ref::<Network<f32>>().expect("saved in f32").training_tape(32)?;
    /// assert!(tape.to_string().contains("v5: 32×8 = linear v4 v0 v1\nv6: 32×8 = relu v5\n"));
    /// # Ok::<(), tapegrad::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] if the batch is smaller than the [least](Module::least_batch) that the network trains on;
    /// [`Error::Memory`] if there is none for a list of the samples. As [`Inputs::prepare`](crate::models::Inputs::prepare).
    pub fn training_tape(&self, batch: usize) -> Result<Tape<T>> {
        train::check_batch(&self.module, batch)?;
        let (data, rows) =
            (self.prepared(&self.sample_of_zeros()?)?, filled(batch, 0, "the rows of a batch")?);
        let mut tape = self.tape.clone_parameters();
        train::check_fit(&self.module, &*self.loss, &mut tape, &data)?;
        let x = tape.constant_whole(batch, data.features(), |to| data.gather(&rows, to));
        let output = self.module.forward(&mut tape, x, &mut Mode::training(Place::default()));
        self.loss.forward(&mut tape, output, &Batch::new(&data, &rows, true, &mut Vec::new()));
        Ok(tape)
    }

    /// A sample of zeros, with something told of it such as the network tells.
    fn sample_of_zeros(&self) -> Result<Dataset> {
        let zeros = self.inputs.zeros()?;
        match &self.task {
            Task::Classes { names, each, .. } => zeros
                .with_token_labels(filled(*each, 0, "the labels of a sample")?, *each, names.len())?
                .with_class_names(names.iter().cloned()),
            Task::Values { reconstructs: true, .. } => Ok(zeros),
            Task::Values { width, .. } => {
                zeros.with_targets(filled(*width, 0.0, "the targets of a sample")?, *width)
            }
        }
    }

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
