//! A model on data it does not learn from.

use std::fmt;

use super::Loss;
use crate::data::{Batches, Dataset};
use crate::metrics::{ConfusionMatrix, SeenClasses};
use crate::models::Model;
use crate::tape::Tape;
use crate::{Error, Float, Result};

/// Rows that go through the model at once: enough for the products to run at full speed.
pub const EVALUATION_ROWS: usize = 256;

/// How a model does on a set; printed, loss, accuracy and the confusion matrix.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Number of samples.
    pub samples: usize,
    /// Mean loss over the samples.
    pub loss: f64,
    /// True against predicted class; `None` for regression.
    pub confusion: Option<ConfusionMatrix>,
}

impl Evaluation {
    /// Share of samples classified right, from 0 to 1; `None` for regression. A sample that is
    /// [undecided](Self::undecided) is not.
    pub fn accuracy(&self) -> Option<f64> {
        self.confusion.as_ref().map(ConfusionMatrix::accuracy)
    }

    /// Samples without a class, because their largest score stands there twice or a score is NaN: see
    /// [`argmax`](crate::metrics::argmax). 0 for regression.
    pub fn undecided(&self) -> u64 {
        self.confusion.as_ref().map_or(0, ConfusionMatrix::undecided)
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (samples, loss) = (self.samples, self.loss);
        match &self.confusion {
            None => writeln!(f, "loss {loss:.6} ({samples} samples)"),
            Some(confusion) => {
                let accuracy = confusion.accuracy();
                write!(f, "loss {loss:.6}, accuracy {accuracy:.4} ({samples} samples)\n{confusion}")
            }
        }
    }
}

/// The outputs of `model` for every sample of `data`, row-major. The tape is rewound before and after.
///
/// A feature beyond `T` is infinite to the model; [`Dataset::check_range`] finds it.
///
/// # Errors
/// [`Error::Data`] if the data is empty or has another number of features.
pub fn predict<T: Float>(model: &dyn Model<T>, tape: &mut Tape<T>, data: &Dataset) -> Result<Vec<T>> {
    if data.features() != model.inputs() {
        let (takes, has) = (model.inputs(), data.features());
        return Err(Error::Data(format!("the model takes {takes} features, but the data has {has}")));
    }
    let mut outputs = Vec::with_capacity(data.len() * model.outputs());
    let mut batches = Batches::in_order(data.len(), EVALUATION_ROWS)?;
    for indices in batches.epoch(0) {
        tape.rewind();
        let x = tape.constant_with(indices.len(), data.features(), |to| data.gather(indices, to));
        let output = model.forward(tape, x);
        outputs.extend_from_slice(tape.value_slice(output));
    }
    tape.rewind();
    Ok(outputs)
}

/// Loss and confusion matrix of `model` on `data`. The tape is rewound before and after.
///
/// The class of a sample is the output with the largest score, among all of them. Where a class did not occur
/// in training, [`evaluate_seen`] leaves it out.
///
/// A feature beyond `T` is infinite to the model; [`Dataset::check_range`] finds it.
///
/// # Errors
/// [`Error::Data`] if the data is empty or does not fit the model or the loss; [`Error::NonFinite`] if
/// the loss is not finite.
pub fn evaluate<T: Float>(
    model: &dyn Model<T>,
    tape: &mut Tape<T>,
    data: &Dataset,
    loss: Loss,
) -> Result<Evaluation> {
    evaluate_seen(model, tape, data, loss, &SeenClasses::all(model.outputs()))
}

/// [`evaluate`], with a choice among the classes that occurred in training only.
///
/// Training with a cross-entropy lowers the score of an absent class where the training samples are; far from
/// them it may be the largest all the same. [`fit`](super::fit()) validates in this way.
///
/// # Errors
/// As [`evaluate`]; [`Error::Data`] if there is not an output for each of the classes.
pub fn evaluate_seen<T: Float>(
    model: &dyn Model<T>,
    tape: &mut Tape<T>,
    data: &Dataset,
    loss: Loss,
    seen: &SeenClasses,
) -> Result<Evaluation> {
    super::fit::check_fit(model, data, loss)?;
    if loss.classifies() && seen.classes() != model.outputs() {
        let (classes, outputs) = (seen.classes(), model.outputs());
        return Err(Error::Data(format!(
            "{classes} classes to choose among, but the model has {outputs} outputs"
        )));
    }
    let mut confusion = loss.classifies().then(|| named(ConfusionMatrix::new(model.outputs()), data));
    let mut labels = Vec::with_capacity(EVALUATION_ROWS);
    let mut total = 0.0;
    let mut batches = Batches::in_order(data.len(), EVALUATION_ROWS)?;
    for indices in batches.epoch(0) {
        tape.rewind();
        let x = tape.constant_with(indices.len(), data.features(), |to| data.gather(indices, to));
        let output = model.forward(tape, x);
        let batch_loss = loss.append(tape, output, data, indices, &mut labels);
        total += tape.item(batch_loss).to_f64() * indices.len() as f64;
        if let Some(confusion) = &mut confusion {
            let scores = tape.value_slice(output).chunks(model.outputs().max(1));
            labels.iter().zip(scores).for_each(|(label, scores)| confusion.add(*label, seen.argmax(scores)));
        }
    }
    tape.rewind();
    let mean = total / data.len() as f64;
    if !mean.is_finite() {
        return Err(Error::NonFinite(format!(
            "evaluation on {} samples: the mean loss is {mean}; a smaller learning rate may help",
            data.len()
        )));
    }
    Ok(Evaluation { samples: data.len(), loss: mean, confusion })
}

/// With the names of the classes; an output beyond them has its number.
fn named(matrix: ConfusionMatrix, data: &Dataset) -> ConfusionMatrix {
    let name = |class| if class < data.classes() { data.class_name(class).into() } else { class.to_string() };
    let names: Vec<String> = (0..matrix.classes()).map(name).collect();
    matrix.with_names(names).expect("there is a name for each class")
}
