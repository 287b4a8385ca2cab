//! A model on data it does not learn from.

use super::{ConfusionMatrix, Loss};
use crate::data::{Batches, Dataset};
use crate::models::Model;
use crate::tape::Tape;
use crate::{Error, Float, Result};

/// Rows that go through the model at once: enough for the products to run at full speed.
pub const EVALUATION_ROWS: usize = 256;

/// How a model does on a set.
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
    /// Share of samples classified right, from 0 to 1; `None` for regression.
    pub fn accuracy(&self) -> Option<f64> {
        self.confusion.as_ref().map(ConfusionMatrix::accuracy)
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
    super::fit::check_fit(model, data, loss)?;
    let mut confusion = loss.classifies().then(|| ConfusionMatrix::new(model.outputs()));
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
            confusion.add_scores(&labels, tape.value_slice(output));
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
