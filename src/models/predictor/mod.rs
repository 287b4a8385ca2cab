//! [`Predictor`]: what has been trained, of every family, asked in one way.

mod evaluation;
mod fitted;
mod inputs;
mod task;

pub(super) use evaluation::errors;
pub use fitted::{Fitted, Scores};
pub use inputs::{Inputs, Rows};
pub use task::Task;

use std::any::Any;

use crate::linalg::first_not_finite;
use crate::memory::with_room;
use crate::metrics::Evaluation;
use crate::store::{Settings, Store};
use crate::text::count;
use crate::{Dataset, Error, Matrix, Result};

/// Most samples that are prepared at a time, and most numbers: of wide samples, what is prepared takes many times
/// the memory of the bytes that are stored.
const BLOCK: usize = 4096;
const BLOCK_NUMBERS: usize = 1 << 24;

fn usual_block(inputs: &Inputs) -> usize {
    (BLOCK_NUMBERS / inputs.features().max(1)).clamp(1, BLOCK)
}

/// The outputs for block after block of the samples, one below the other.
pub(super) fn by_blocks(
    data: &Dataset,
    block: usize,
    outputs: impl Fn(&Dataset) -> Result<Matrix<f64>>,
) -> Result<Matrix<f64>> {
    let (n, block) = (data.len(), block.max(1));
    if n <= block {
        return outputs(data);
    }
    let (mut all, mut cols) = (Vec::new(), 0);
    for start in (0..n).step_by(block) {
        let rows: Vec<usize> = (start..n.min(start + block)).collect();
        let found = outputs(&data.try_subset(&rows)?).map_err(|error| match error {
            Error::Data(why) if start > 0 => {
                Error::Data(format!("of the rows from {start} on, counted from there: {why}"))
            }
            Error::NonFinite(why) if start > 0 => {
                Error::NonFinite(format!("of the rows from {start} on, counted from there: {why}"))
            }
            other => other,
        })?;
        cols = found.ncols();
        if start == 0 {
            all = with_room(n.saturating_mul(cols), "the outputs")?;
        }
        all.extend_from_slice(found.as_slice());
    }
    Ok(Matrix::new(all, n, cols))
}

/// Copies what was computed to where it is wanted.
#[track_caller]
pub(super) fn copy(call: &str, from: &Matrix<f64>, to: &mut [f64]) {
    let ((rows, cols), places) = (from.shape(), to.len());
    assert!(
        rows * cols == places,
        "{call}: the answer is {rows}×{cols}, but there is room for {}",
        count(places, "number")
    );
    to.copy_from_slice(from.as_slice());
}

/// What is said of a model that does not continue texts.
pub(super) fn no_text(model: &(impl Predictor + ?Sized)) -> Error {
    Error::Data(format!("{} is no model of text, byte by byte", model.describe()))
}

/// What has been trained. It has all that it needs to answer: the preparation of the features, the names of the
/// classes, the scale of the targets.
///
/// Every method takes samples as a data set, as a matrix with a sample a row, or as the features of one sample.
/// Features come as they are; the model prepares them. Any number of threads may ask one model at once, and get
/// the same bits as one thread.
///
/// ```
/// use tapegrad::Dataset;
/// use tapegrad::models::{Fitted, Inputs, LogisticOptions, LogisticRegression, Predictor};
///
/// let x = vec![1.0, 2.0, 3.0, 10.0, 11.0, 12.0];
/// let train = Dataset::new(x, 1)?.with_labels(&[0, 0, 0, 1, 1, 1], 2)?.with_class_names(["low", "high"])?;
/// let inputs = Inputs::of(&train).standardize(&train)?;
/// let options = LogisticOptions { lambda: 0.1, ..Default::default() };
/// let model = LogisticRegression::fit_dataset(&inputs.prepare(&train)?, &options)?;
/// let model = Fitted::classifier(model, inputs, &train)?;
///
/// let class = model.classify(&[9.0])?[0].expect("decided");
/// assert_eq!(model.task().class_names()[class], "high");
/// assert!(model.probabilities(&[9.0])?[(0, 1)] > 0.7);
/// assert_eq!(model.evaluate(&train)?.accuracy(), Some(1.0));
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// What was read from a file is of some family. As [`Any`] it is the model itself again, with all that its type has beyond
/// this trait, such as [`Network::training_tape`](crate::models::Network::training_tape).
pub trait Predictor: Any + Send + Sync {
    /// What it is, in a line.
    fn describe(&self) -> String;

    /// What it takes.
    fn inputs(&self) -> &Inputs;

    /// What it tells.
    fn task(&self) -> &Task;

    /// The model's own outputs for samples that are prepared already, a sample a row.
    ///
    /// # Errors
    /// [`Error::Data`] if the samples do not fit; [`Error::NonFinite`] where an output leaves the range.
    fn outputs(&self, prepared: &Dataset) -> Result<Matrix<f64>>;

    /// What the model itself is, for a file; its numbers go to `to`. All else is saved for every family alike.
    ///
    /// # Errors
    /// [`Error::Data`] if it cannot be saved, as by default.
    fn store(&self, to: &mut Store) -> Result<Settings> {
        let _ = to;
        Err(Error::Data(format!("{} cannot be saved", self.describe())))
    }

    /// The numbers behind a part of a network, such as `code` of an autoencoder, a sample a row: `part` is the name of the
    /// part as it stands before those of its parameters.
    ///
    /// # Errors
    /// As [`scores`](Self::scores); [`Error::Data`] if there is no such part.
    fn behind(&self, part: &str, rows: &dyn Rows) -> Result<Matrix<f64>> {
        let _ = rows;
        let part = crate::text::printable(part);
        Err(Error::Data(format!("{} is no network, and has no part `{part}`", self.describe())))
    }

    /// How many bytes of a text it sees at most, if it is a model of texts; `None` by default.
    fn context(&self) -> Option<usize> {
        None
    }

    /// The scores of all bytes as the one that follows a text, of which the model sees the last ones:
    /// [`context`](Self::context). A text may be shorter than that.
    ///
    /// # Errors
    /// [`Error::Data`] if it is no model of texts, or the text is empty; [`Error::NonFinite`] where a score leaves the
    /// range.
    fn next_scores(&self, text: &[u8]) -> Result<Vec<f64>> {
        let _ = text;
        Err(no_text(self))
    }

    /// How many samples [`scores`](Self::scores) prepares and hands to [`outputs`](Self::outputs) at a time.
    fn block(&self) -> usize {
        usual_block(self.inputs())
    }

    /// The scores of the classes, such as logits, or the values, a sample a row.
    ///
    /// # Errors
    /// [`Error::Data`] if the samples have another number of features, or one is NaN or infinite.
    /// [`Error::NonFinite`] where a score leaves the range.
    fn scores(&self, rows: &dyn Rows) -> Result<Matrix<f64>> {
        let data = rows.to_dataset()?;
        if data.is_empty() {
            self.inputs().prepare(&data)?;
            return Ok(Matrix::zeros(0, self.task().outputs()));
        }
        let mut scores =
            by_blocks(&data, self.block(), |block| self.outputs(&self.inputs().prepare(block)?))?;
        if let Task::Values { scale: Some(scale), .. } = self.task() {
            scale.undo(scores.as_mut_slice());
        }
        if let Some(at) = first_not_finite(scores.as_slice()) {
            let (row, column, x) = (at / scores.ncols(), at % scores.ncols(), scores.as_slice()[at]);
            return Err(Error::NonFinite(format!("row {row}: score {column} of the model is {x}")));
        }
        Ok(scores)
    }

    /// The predicted values, a sample a row.
    ///
    /// # Errors
    /// As [`scores`](Self::scores); [`Error::Data`] if the model tells classes.
    fn predict(&self, rows: &dyn Rows) -> Result<Matrix<f64>> {
        match self.task() {
            Task::Values { .. } => self.scores(rows),
            Task::Classes { .. } => {
                Err(Error::Data("the model tells classes: ask it to classify, or for probabilities".into()))
            }
        }
    }

    /// The class of every sample, of those that occurred in training; `None` where it is
    /// [undecided](crate::metrics::argmax()).
    ///
    /// # Errors
    /// As [`scores`](Self::scores); [`Error::Data`] if the model tells values.
    fn classify(&self, rows: &dyn Rows) -> Result<Vec<Option<usize>>> {
        match self.task() {
            Task::Classes { .. } => Ok(self.task().classes_of(&self.scores(rows)?)),
            Task::Values { .. } => {
                Err(Error::Data("the model tells values, and no classes: ask it to predict".into()))
            }
        }
    }

    /// The probability of every class, a sample a row; a row sums to 1.
    ///
    /// # Errors
    /// As [`scores`](Self::scores); [`Error::Data`] if the model has no probabilities.
    fn probabilities(&self, rows: &dyn Rows) -> Result<Matrix<f64>> {
        let none = |why: &str| Err(Error::Data(why.into()));
        match self.task() {
            Task::Values { .. } => return none("the model tells values, and no probabilities"),
            // Before the scores, which may take long.
            Task::Classes { link, .. } if !link.has_probabilities() => {}
            Task::Classes { .. } => {
                if let Some(probabilities) = self.task().probabilities_of(&self.scores(rows)?) {
                    return Ok(probabilities);
                }
            }
        }
        none("the model has scores of classes, but no probabilities")
    }

    /// [`scores`](Self::scores), written into `to`, a sample a row: the same bits.
    ///
    /// Asked about one sample, as a slice, an array, a vector or a matrix of one row, a
    /// [network](crate::models::Network) allocates nothing after the first calls of each thread, if its features are
    /// taken as they come, standardised or scaled to 0..1, and its modules allocate nothing. All else that can be asked
    /// is answered as `scores` does, which allocates.
    ///
    /// ```
    /// use tapegrad::models::{Network, Predictor};
    /// # let data = tapegrad::data::synthetic::moons(40, 0.1, 7)?;
    ///
    /// let net = Network::<f32>::new(1).standardize(&data)?.linear(8).relu().outputs_for(&data)?;
    /// let mut scores = [0.0; 2];
    /// for sample in [[0.5, -0.3], [1.0, 0.2]] {
    ///     net.scores_into(&sample, &mut scores)?;
    ///     assert_eq!(net.task().class_of(&scores), net.classify(&sample)?[0]);
    /// }
    /// # Ok::<(), tapegrad::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`scores`](Self::scores); what stands in `to` then has no meaning.
    ///
    /// # Panics
    /// If `to` does not have a place for every score.
    #[track_caller]
    fn scores_into(&self, rows: &dyn Rows, to: &mut [f64]) -> Result<()> {
        copy("scores_into", &self.scores(rows)?, to);
        Ok(())
    }

    /// [`predict`](Self::predict), written into `to`, a sample a row: the same bits. It allocates as little as
    /// [`scores_into`](Self::scores_into).
    ///
    /// # Errors
    /// As [`predict`](Self::predict); what stands in `to` then has no meaning.
    ///
    /// # Panics
    /// If `to` does not have a place for every value.
    #[track_caller]
    fn predict_into(&self, rows: &dyn Rows, to: &mut [f64]) -> Result<()> {
        match self.task() {
            Task::Values { .. } => self.scores_into(rows, to),
            Task::Classes { .. } => self.predict(rows).map(|found| copy("predict_into", &found, to)),
        }
    }

    /// [`probabilities`](Self::probabilities), written into `to`, a sample a row: the same bits. It allocates as little
    /// as [`scores_into`](Self::scores_into).
    ///
    /// ```
    /// use tapegrad::models::{Network, Predictor};
    /// # let data = tapegrad::data::synthetic::moons(40, 0.1, 7)?;
    ///
    /// let net = Network::<f32>::new(1).standardize(&data)?.linear(8).relu().outputs_for(&data)?;
    /// let mut p = [0.0; 2];
    /// net.probabilities_into(&[0.5, -0.3], &mut p)?;
    /// assert_eq!(p, net.probabilities(&[0.5, -0.3])?.as_slice());
    /// # Ok::<(), tapegrad::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`probabilities`](Self::probabilities); what stands in `to` then has no meaning.
    ///
    /// # Panics
    /// If `to` does not have a place for every class of every sample.
    #[track_caller]
    fn probabilities_into(&self, rows: &dyn Rows, to: &mut [f64]) -> Result<()> {
        if let Task::Classes { names, link, .. } = self.task()
            && link.has_probabilities()
            && rows.sample().is_some()
            && to.len() == names.len()
        {
            self.scores_into(rows, &mut to[..self.task().outputs()])?;
            link.probabilities_in_place(to);
            return Ok(());
        }
        copy("probabilities_into", &self.probabilities(rows)?, to);
        Ok(())
    }

    /// How good it is on data that it has not learnt from; the data's weights count.
    ///
    /// # Errors
    /// As [`scores`](Self::scores); [`Error::Data`] if there are no samples, or their labels or targets do not mean
    /// what they meant in training: see [`Task::check`].
    fn evaluate(&self, data: &Dataset) -> Result<Evaluation> {
        self.task().check(data)?;
        evaluation::evaluation(self.task(), &self.scores(data)?, data)
    }
}
