//! The training loop.

use std::ops::ControlFlow;
use std::time::Instant;

use super::{Epoch, Loss, Trace, argmax, evaluate};
use crate::data::{Batches, Dataset};
use crate::linalg::norm_squared;
use crate::models::Model;
use crate::optim::Optimizer;
use crate::tape::Tape;
use crate::{Error, Float, Result};

/// What [`fit`] is told.
#[derive(Clone, Copy, Debug)]
pub struct FitOptions {
    /// How many times every sample is seen.
    pub epochs: usize,
    /// Samples in a step.
    pub batch: usize,
    /// Seed of the order of the samples.
    pub seed: u64,
    /// What is made small.
    pub loss: Loss,
}

/// Where a run stands, after each step.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// From 1.
    pub epoch: usize,
    /// Of how many.
    pub epochs: usize,
    /// Step within the epoch, from 1.
    pub step: usize,
    /// Of how many.
    pub steps: usize,
    /// Samples of this epoch that have been seen.
    pub samples: usize,
    /// Of how many.
    pub epoch_samples: usize,
    /// Loss of this step's batch.
    pub loss: f64,
}

/// Looks on while a model is trained, and may end the run.
pub trait Observer {
    /// After each step; `Break` ends the run there.
    fn step(&mut self, progress: &Progress) -> ControlFlow<()> {
        let _ = progress;
        ControlFlow::Continue(())
    }

    /// After each finished epoch, the last of `trace`.
    ///
    /// # Errors
    /// Whatever it returns ends the run, and [`fit`] returns it.
    fn epoch(&mut self, trace: &Trace) -> Result<()> {
        let _ = trace;
        Ok(())
    }
}

/// The observer that does nothing.
pub struct Silent;

impl Observer for Silent {}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All epochs are done.
    Finished,
    /// The observer ended it, in this epoch (from 1); the trace has the epochs before.
    Interrupted {
        /// The epoch that was not finished.
        epoch: usize,
    },
}

/// Trains `model`, whose parameters are on `tape`: batches → forward → loss → backward → step.
///
/// Each finished epoch is appended to `trace`, so that it holds what was done even when this returns
/// an error. After the first step, and the first evaluation, a step allocates no memory. Runs on the threads of
/// [`with_threads`](crate::linalg::with_threads); their number changes no bit.
///
/// ```
/// use tapegrad::data::Dataset;
/// use tapegrad::models::Mlp;
/// use tapegrad::nn::Activation;
/// use tapegrad::optim::{Adam, Optimizer};
/// use tapegrad::rng::{Purpose, stream};
/// use tapegrad::train::{FitOptions, Loss, Silent, Stop, Trace, fit};
/// use tapegrad::Tape;
///
/// // The exclusive or: no linear model can do it.
/// let corners = vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
/// let data = Dataset::new(corners, 2)?.with_labels(&[0, 1, 1, 0], 2)?;
/// let mut tape = Tape::new();
/// let mut rng = stream(1, Purpose::Init);
/// let model = Mlp::new(&mut tape, &[2, 8, 2], Activation::Tanh, None, &mut rng)?;
/// let mut optimizer = Optimizer::new(Adam::default(), 0.05)?;
/// let options = FitOptions { epochs: 200, batch: 4, seed: 1, loss: Loss::suited_to(&data)? };
/// let mut trace = Trace::default();
/// let stop = fit(&model, &mut tape, &mut optimizer, &data, None, &options, &mut Silent, &mut trace)?;
/// assert_eq!(stop, Stop::Finished);
/// assert_eq!(trace.epochs.last().unwrap().train_accuracy, Some(1.0));
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// # Errors
/// [`Error::Data`] if the data does not fit the model or the loss, [`Error::Setting`] for a batch size
/// of 0, [`Error::NonFinite`] if the loss leaves the finite numbers.
#[allow(clippy::too_many_arguments)] // Each is one thing a run consists of; a struct would only rename them.
pub fn fit<T: Float>(
    model: &dyn Model<T>,
    tape: &mut Tape<T>,
    optimizer: &mut Optimizer<T>,
    train: &Dataset,
    validation: Option<&Dataset>,
    options: &FitOptions,
    observer: &mut dyn Observer,
    trace: &mut Trace,
) -> Result<Stop> {
    let FitOptions { epochs, batch, seed, loss } = *options;
    check_fit(model, train, loss)?;
    if let Some(validation) = validation {
        check_fit(model, validation, loss)?;
    }
    let mut batches = Batches::shuffled(train.len(), batch, seed)?;
    let steps = batches.per_epoch();
    let mut labels = Vec::with_capacity(batch.min(train.len()));

    for epoch in 1..=epochs {
        let start = Instant::now();
        let (mut loss_sum, mut right, mut norm_sum, mut seen) = (0.0, 0, 0.0, 0);
        for (step, indices) in batches.epoch(epoch as u64 - 1).enumerate() {
            tape.rewind();
            let x = tape.constant_with(indices.len(), train.features(), |to| train.gather(indices, to));
            let output = model.forward(tape, x);
            let batch_loss = loss.append(tape, output, train, indices, &mut labels);
            let value = tape.item(batch_loss).to_f64();
            if !value.is_finite() {
                return Err(diverged(tape, epoch, step + 1, value));
            }
            tape.zero_grad();
            tape.backward(batch_loss);
            norm_sum += norm_squared(tape.param_grads()).to_f64().sqrt();
            loss_sum += value * indices.len() as f64;
            if loss.classifies() {
                let scores = tape.value_slice(output).chunks(model.outputs());
                right += scores.zip(&labels).filter(|(row, label)| argmax(row) == **label).count();
            }
            optimizer.step(tape);
            seen += indices.len();
            let progress = Progress {
                epoch,
                epochs,
                step: step + 1,
                steps,
                samples: seen,
                epoch_samples: train.len(),
                loss: value,
            };
            if observer.step(&progress).is_break() {
                tape.rewind();
                return Ok(Stop::Interrupted { epoch });
            }
        }
        tape.rewind();
        let seconds = start.elapsed().as_secs_f64();
        let after = validation.map(|data| evaluate(model, tape, data, loss)).transpose()?;
        let samples = train.len() as f64;
        trace.epochs.push(Epoch {
            epoch,
            steps: optimizer.steps(),
            lr: optimizer.lr(),
            train_loss: loss_sum / samples,
            train_accuracy: loss.classifies().then(|| right as f64 / samples),
            gradient_norm: norm_sum / steps as f64,
            validation_loss: after.as_ref().map(|e| e.loss),
            validation_accuracy: after.as_ref().and_then(|e| e.accuracy()),
            seconds,
            samples_per_second: samples / seconds,
        });
        observer.epoch(trace)?;
    }
    Ok(Stop::Finished)
}

/// Whether the model, the data and the loss belong together.
pub(super) fn check_fit<T: Float>(model: &dyn Model<T>, data: &Dataset, loss: Loss) -> Result<()> {
    let outputs = loss.outputs(data)?;
    let enough = if loss.classifies() { outputs <= model.outputs() } else { outputs == model.outputs() };
    if data.features() != model.inputs() || !enough {
        let kind = if loss.classifies() { "classes" } else { "targets" };
        return Err(Error::Data(format!(
            "the model takes {} features to {} outputs, but the data has {} features and {outputs} {kind}",
            model.inputs(),
            model.outputs(),
            data.features(),
        )));
    }
    if data.is_empty() {
        return Err(Error::Data("there are no samples".into()));
    }
    Ok(())
}

fn diverged<T: Float>(tape: &Tape<T>, epoch: usize, step: usize, loss: f64) -> Error {
    let place = format!("epoch {epoch}, step {step}: the loss is {loss}");
    Error::NonFinite(match tape.anomaly() {
        Some(anomaly) => format!("{place}; first: {anomaly}"),
        None => format!(
            "{place}; a smaller learning rate may help, and detecting anomalies names the operation at fault"
        ),
    })
}
