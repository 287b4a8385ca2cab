//! The training loop.

use std::ops::ControlFlow;
use std::time::Instant;

use rand_chacha::ChaCha8Rng;

use super::buffers::Buffers;
use super::motion::Motion;
use super::{Audit, EarlyStopping, Epoch, Evaluation, FitOptions, Loss, Penalty, Rate, Trace, evaluate_seen};
use crate::data::{Batches, Dataset};
use crate::metrics::SeenClasses;
use crate::models::Model;
use crate::nn::Mode;
use crate::optim::{Average, Clip, Clipped, Optimizer};
use crate::rng::{Purpose, stream};
use crate::settings::{self, Range};
use crate::tape::{Param, Tape};
use crate::{Error, Float, Result};

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
    /// Early stopping ended it after this epoch (from 1).
    Early {
        /// The last epoch.
        epoch: usize,
    },
    /// The observer ended it, in this epoch (from 1); the trace has the epochs before.
    Interrupted {
        /// The epoch that was not finished.
        epoch: usize,
    },
}

/// What [`fit`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitted {
    /// How the run ended.
    pub stop: Stop,
    /// With early stopping, the epoch (from 1) whose parameters are on the tape now: that with the least
    /// validation loss. `None` without, or if no epoch was finished.
    pub best_epoch: Option<usize>,
    /// Steps left out because their gradient was not finite.
    pub skipped: u64,
    /// Trained parameters that have not moved by a single bit in all finished epochs: their gradient is zero, or
    /// rate times gradient is too small a part of every number to be seen in it.
    pub unmoved: Vec<Param>,
    /// Finished epochs in which no trained parameter moved at all. Short epochs are looked at together, 16 steps
    /// and more at a time.
    pub idle_epochs: usize,
}

/// Trains `model`, whose parameters are on `tape`: batches → forward → loss → backward → step.
///
/// A step that is skipped, for a loss or gradient that is not finite, leaves parameters, optimizer and
/// buffers as they were before it.
///
/// Each finished epoch is appended to `trace`, so that it holds what was done even when this returns
/// an error. After the first step, and the first evaluation, a step allocates no memory. Runs on the threads
/// of [`with_threads`](crate::linalg::with_threads); their number changes no bit.
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
/// let options = FitOptions::new(200, 4, 1, Loss::suited_to(&data)?);
/// let mut trace = Trace::default();
/// let fitted = fit(&model, &mut tape, &mut optimizer, &data, None, &options, &mut Silent, &mut trace)?;
/// assert_eq!(fitted.stop, Stop::Finished);
/// assert_eq!(trace.epochs.last().unwrap().train_accuracy, Some(1.0));
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// A class that does not occur in `train` is never the answer, neither in the accuracies of training nor in
/// those of validation; a sample whose largest score stands there twice is not right.
///
/// A batch with fewer samples than the model [can train on](Model::least_batch), as the last of an epoch may
/// be, is left out.
///
/// # Errors
/// [`Error::Data`] if the data does not fit the model or the loss, or a feature is
/// [beyond `T`](Dataset::check_range); [`Error::Setting`] for a batch size of 0 or below what the model can
/// train on, early stopping without a validation set, or a setting out of its range, as given or as a `T`;
/// [`Error::NonFinite`] if the loss or a gradient leaves the finite numbers, unless such steps are skipped, and
/// if all steps of an epoch were; also if a parameter does, or what the optimizer remembers of one, which no
/// later step would mend.
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
) -> Result<Fitted> {
    let mut run = Run::new(model, tape, train, validation, options)?;
    let stop = run.epochs(tape, optimizer, observer, trace);
    tape.rewind();
    let best_epoch = run.early_stopping.as_ref().and_then(|early| early.restore(tape));
    // What is restored was averaged already.
    if best_epoch.is_none()
        && let Some(average) = run.average.as_mut().filter(|average| average.updates() > 0)
    {
        average.swap(tape);
    }
    let (unmoved, idle_epochs) = (run.motion.unmoved(tape), run.motion.idle);
    Ok(Fitted { stop: stop?, best_epoch, skipped: run.clip.skipped(), unmoved, idle_epochs })
}

/// A run of [`fit`]: what it was told, and what it remembers from epoch to epoch.
struct Run<'a, T: Float> {
    model: &'a dyn Model<T>,
    train: &'a Dataset,
    validation: Option<&'a Dataset>,
    options: &'a FitOptions,
    batches: Batches,
    labels: Vec<usize>,
    /// The classes among the training samples: no other is an answer.
    seen: SeenClasses,
    rng: ChaCha8Rng,
    rate: Rate,
    clip: Clip,
    early_stopping: Option<EarlyStopping<T>>,
    average: Option<Average<T>>,
    /// Where steps may be skipped.
    buffers: Option<Buffers<T>>,
    motion: Motion<T>,
}

/// Sums over the steps of an epoch.
#[derive(Default)]
struct Sums {
    steps: usize,
    samples: usize,
    loss: f64,
    right: usize,
    norm: f64,
    audit: Option<Audit>,
}

impl<'a, T: Float> Run<'a, T> {
    fn new(
        model: &'a dyn Model<T>,
        tape: &Tape<T>,
        train: &'a Dataset,
        validation: Option<&'a Dataset>,
        options: &'a FitOptions,
    ) -> Result<Self> {
        let FitOptions { batch, seed, loss, .. } = *options;
        for data in [Some(train), validation].into_iter().flatten() {
            check_fit(model, data, loss)?;
            data.check_range::<T>()?;
        }
        let batches = Batches::shuffled(train.len(), batch, seed)?;
        let least = model.least_batch();
        if batch < least {
            let why = format!("{batch} is too small: {} trains on batches of at least {least}", model.name());
            return Err(Error::setting("batch", why));
        }
        if train.len() < least {
            let (name, samples) = (model.name(), train.len());
            return Err(Error::Data(format!("{name} needs {least} samples to train on, not {samples}")));
        }
        if options.early_stopping.is_some() && validation.is_none() {
            return Err(Error::setting("early_stopping", "it needs a validation set to judge by"));
        }
        if let Some(Penalty { lambda, .. }) = &options.penalty {
            settings::check::<T>("l2", *lambda, Range::NOT_NEGATIVE)?;
        }
        loss.check::<T>()?;
        options.clip.check::<T>()?;
        Ok(Run {
            model,
            train,
            validation,
            options,
            batches,
            labels: Vec::with_capacity(batch.min(train.len())),
            seen: SeenClasses::of_labels(train.labels().unwrap_or_default(), model.outputs())?,
            rng: stream(seed, Purpose::Dropout),
            rate: options.rate.clone(),
            clip: options.clip,
            early_stopping: options.early_stopping.map(EarlyStopping::new).transpose()?,
            average: options.average.map(Average::exponential).transpose()?,
            buffers: options.clip.skips().then(|| Buffers::of(tape)),
            motion: Motion::of(tape),
        })
    }

    fn epochs(
        &mut self,
        tape: &mut Tape<T>,
        optimizer: &mut Optimizer<T>,
        observer: &mut dyn Observer,
        trace: &mut Trace,
    ) -> Result<Stop> {
        // The first rate was asked for; those that follow from it may become smaller than any number.
        match &self.rate {
            Rate::Plateau(plateau) => optimizer.set_lr(plateau.lr())?,
            Rate::Schedule(schedule) => optimizer.set_lr(schedule.lr(optimizer.steps()))?,
            Rate::Fixed => (),
        }
        for epoch in 1..=self.options.epochs {
            let start = Instant::now();
            let Some(sums) = self.epoch(epoch, tape, optimizer, observer)? else {
                return Ok(Stop::Interrupted { epoch });
            };
            let seconds = start.elapsed().as_secs_f64();
            optimizer.check_finite(tape).map_err(|error| in_epoch(epoch, error))?;
            self.motion.look(tape, sums.steps, epoch == self.options.epochs);
            let lr = optimizer.lr();
            let samples = sums.samples as f64;
            let train_loss = sums.loss / samples;
            let validated = self.validate(tape, train_loss);
            let after = validated.as_ref().ok().and_then(|(evaluation, _)| evaluation.as_ref());
            // Also where validation failed: the epoch itself is finished.
            trace.epochs.push(Epoch {
                epoch,
                steps: optimizer.steps(),
                lr,
                train_loss,
                train_accuracy: self.options.loss.classifies().then(|| sums.right as f64 / samples),
                gradient_norm: sums.norm / sums.steps as f64,
                validation_loss: after.map(|e| e.loss),
                validation_accuracy: after.and_then(Evaluation::accuracy),
                audit: sums.audit,
                seconds,
                samples_per_second: samples / seconds,
            });
            let (after, stop) = validated?;
            if let Rate::Plateau(plateau) = &mut self.rate {
                optimizer.follow(plateau.observe(after.map_or(train_loss, |e| e.loss)))?;
            }
            self.train.check_unchanged()?;
            observer.epoch(trace)?;
            if stop {
                return Ok(Stop::Early { epoch });
            }
        }
        Ok(Stop::Finished)
    }

    /// The steps of an epoch; `None` if the observer ended it.
    fn epoch(
        &mut self,
        epoch: usize,
        tape: &mut Tape<T>,
        optimizer: &mut Optimizer<T>,
        observer: &mut dyn Observer,
    ) -> Result<Option<Sums>> {
        let FitOptions { epochs, loss, ref penalty, audit, .. } = *self.options;
        let (model, train) = (self.model, self.train);
        let rows = train.len();
        // All batches are full but the last, which may be too short to train on.
        let short = rows % self.batches.size();
        let left_out = usize::from((1..model.least_batch()).contains(&short));
        let steps = self.batches.per_epoch() - left_out;
        let (mut sums, mut seen) = (Sums::default(), 0);
        for (step, indices) in self.batches.epoch(epoch as u64 - 1).take(steps).enumerate() {
            tape.rewind();
            if let Some(buffers) = &mut self.buffers {
                buffers.keep(tape);
            }
            let x = tape.constant_with(indices.len(), train.features(), |to| train.gather(indices, to));
            let output = model.append(tape, x, &mut Mode::Training(&mut self.rng));
            let batch_loss = loss.append(tape, output, train, indices, &mut self.labels);
            let value = tape.item(batch_loss).to_f64();
            if !value.is_finite() && !self.clip.skips() {
                return Err(diverged(tape, epoch, step + 1, value));
            }
            let total = match penalty {
                Some(Penalty { lambda, params }) => {
                    let penalty = tape.l2_penalty(params, T::of(*lambda));
                    tape.add(batch_loss, penalty)
                }
                None => batch_loss,
            };
            let mut flow = None;
            let clipped = if value.is_finite() {
                tape.zero_grad();
                tape.backward(total);
                // Before clipping, which would hide a layer whose gradient explodes.
                flow = (audit && step + 1 == steps).then(|| Audit::before_step(tape, total));
                self.clip.apply(tape).map_err(|error| in_step(epoch, step + 1, error))?
            } else {
                // Its gradient may be finite all the same; it is none to follow.
                self.clip.skip();
                Clipped::Skip
            };
            if let Clipped::Ready { norm } = clipped {
                sums.steps += 1;
                sums.samples += indices.len();
                sums.norm += norm;
                sums.loss += value * indices.len() as f64;
                if loss.classifies() {
                    let scores = tape.value_slice(output).chunks(model.outputs());
                    sums.right += scores
                        .zip(&self.labels)
                        .filter(|(row, label)| self.seen.argmax(row) == Some(**label))
                        .count();
                }
                if let Rate::Schedule(schedule) = &self.rate {
                    optimizer.follow(schedule.lr(optimizer.steps()))?;
                }
                optimizer.step(tape).map_err(|error| in_step(epoch, step + 1, error))?;
                if let Some(flow) = &mut flow {
                    flow.after_step(tape)?;
                }
                sums.audit = flow;
                if let Some(average) = &mut self.average {
                    average.update(tape);
                }
            } else if let Some(buffers) = &self.buffers {
                buffers.restore(tape);
            }
            seen += indices.len();
            let progress = Progress {
                epoch,
                epochs,
                step: step + 1,
                steps,
                samples: seen,
                epoch_samples: rows,
                loss: value,
            };
            if observer.step(&progress).is_break() {
                return Ok(None);
            }
        }
        tape.rewind();
        if sums.steps == 0 {
            return Err(Error::NonFinite(format!(
                "epoch {epoch}: no step had a finite gradient, so all were skipped; a smaller learning rate \
                 may help"
            )));
        }
        Ok(Some(sums))
    }

    /// The validation of an epoch, with the averaged parameters where there are any, and whether to stop.
    fn validate(&mut self, tape: &mut Tape<T>, train_loss: f64) -> Result<(Option<Evaluation>, bool)> {
        let Some(validation) = self.validation else { return Ok((None, false)) };
        let mut average = self.average.as_mut().filter(|average| average.updates() > 0);
        if let Some(average) = &mut average {
            average.swap(tape);
        }
        let loss = self.options.loss.for_evaluation();
        let evaluated =
            evaluate_seen(self.model, tape, validation, loss, &self.seen).and_then(|evaluation| {
                let early = self.early_stopping.as_mut();
                let verdict =
                    early.map(|early| early.observe(tape, train_loss, evaluation.loss)).transpose()?;
                Ok((Some(evaluation), verdict.is_some_and(|verdict| verdict.stop)))
            });
        if let Some(average) = average {
            average.swap(tape);
        }
        evaluated
    }
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

fn in_step(epoch: usize, step: usize, error: Error) -> Error {
    match error {
        Error::NonFinite(why) => Error::NonFinite(format!("epoch {epoch}, step {step}: {why}")),
        other => other,
    }
}

fn in_epoch(epoch: usize, error: Error) -> Error {
    match error {
        Error::NonFinite(why) => Error::NonFinite(format!("epoch {epoch}: {why}")),
        other => other,
    }
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
