//! The training loop.

use super::check::{check_buffers, check_fit, value_of};
use super::checkpoint::{self, Settled, Standing, Sums};
use super::clock::Clock;
use super::motion::Motion;
use super::observers::of_options;
use super::{
    Checkpoint, Epoch, Evaluation, FitOptions, History, Observer, Penalty, Progress, Run, evaluate_seen,
};
use crate::data::{Batches, Dataset, Weighing};
use crate::metrics::SeenClasses;
use crate::nn::buffers::Buffers;
use crate::nn::{Batch, Loss, Mode, Module, ModuleExt};
use crate::optim::Optimizer;
use crate::rng::Place;
use crate::settings::{self, Range};
use crate::tape::Tape;
use crate::{Error, Float, Result};

/// Trains `module`, whose parameters are on `tape`: batch → forward → loss → backward → step.
///
/// Around each step and epoch the observers act: first those that the options stand for (audit, clipping,
/// schedule or plateau, average, early stopping), then those given here, in their order. A step that is left
/// out, for a loss or gradient that is not finite, leaves parameters, optimizer and buffers as they were.
///
/// Every random draw is a function of seed, epoch and step. After the first step, and the first evaluation, a
/// step allocates no memory. Runs on the threads of [`with_threads`](crate::linalg::with_threads); their
/// number changes no bit.
///
/// ```
/// use tapegrad::data::Dataset;
/// use tapegrad::models::Mlp;
/// use tapegrad::nn::{Activation, loss};
/// use tapegrad::optim::{Adam, Optimizer};
/// use tapegrad::rng::{Purpose, stream};
/// use tapegrad::train::{FitOptions, Stop, fit};
/// use tapegrad::Tape;
///
/// // The exclusive or: no linear model can do it.
/// let corners = vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
/// let data = Dataset::new(corners, 2)?.with_labels(&[0, 1, 1, 0], 2)?;
/// let mut tape = Tape::new();
/// let net = Mlp::new(&[2, 8, 2], Activation::Tanh).build(&mut tape, &mut stream(1, Purpose::Init))?;
/// let mut optimizer = Optimizer::new(Adam::default(), 0.05)?;
/// let loss = loss::suited_to(&data)?;
/// let options = FitOptions { epochs: 200, batch: 4, seed: 1, ..Default::default() };
/// let history = fit(&net, &*loss, &mut tape, &mut optimizer, &data, None, &options, &mut [])?;
/// assert_eq!(history.stop, Stop::Finished);
/// assert_eq!(history.epochs.last().unwrap().train_accuracy, Some(1.0));
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// A class that does not occur in `train` is never the answer, neither in the accuracies of training nor in
/// those of validation; a sample whose largest score stands there twice is not right.
///
/// A batch with fewer samples than the module [can train on](Module::least_batch), as the last of an epoch may
/// be, is left out; so is one of a single sample where the module has buffers, such as statistics of its batches.
///
/// # Errors
/// [`Error::Data`] if the data does not fit the module or the loss, or a feature is
/// [beyond `T`](Dataset::check_range); [`Error::Setting`] for a batch size of 0 or below what the module can
/// train on, early stopping without a validation set, or a setting out of its range, as given or as a `T`;
/// [`Error::NonFinite`] if the loss or a gradient leaves the finite numbers, unless such steps are left out, and
/// if all steps of an epoch were; also if a parameter does, or what the optimizer remembers of one, which no
/// later step would mend. The tape then holds what the run had come to; an observer sees every epoch before.
#[allow(clippy::too_many_arguments)] // Each is one thing a run consists of; a struct would only rename them.
pub fn fit<T: Float>(
    module: &dyn Module<T>,
    loss: &dyn Loss<T>,
    tape: &mut Tape<T>,
    optimizer: &mut Optimizer<T>,
    train: &Dataset,
    validation: Option<&Dataset>,
    options: &FitOptions,
    observers: &mut [&mut dyn Observer<T>],
) -> Result<History> {
    T::fit(module, loss, tape, optimizer, train, validation, options, observers)
}

#[allow(clippy::too_many_arguments)]
pub(super) fn fit_of<T: Float>(
    module: &dyn Module<T>,
    loss: &dyn Loss<T>,
    tape: &mut Tape<T>,
    optimizer: &mut Optimizer<T>,
    train: &Dataset,
    validation: Option<&Dataset>,
    options: &FitOptions,
    observers: &mut [&mut dyn Observer<T>],
) -> Result<History> {
    let mut own = of_options(options)?;
    let mut all = Observers(own.iter_mut().map(|o| &mut **o as &mut dyn Observer<T>).collect());
    all.0.extend(observers.iter_mut().map(|o| &mut **o as &mut dyn Observer<T>));
    tape.rewind();
    let mut steps = Steps::new(module, loss, tape, train, validation, options)?;
    let mut history = History::default();
    let mut run = Run {
        module,
        loss,
        tape,
        optimizer,
        progress: steps.progress,
        total: None,
        gradient_norm: 0.0,
        skip: false,
        history: &mut history,
        stop: None,
        checkpoint: false,
        seen: steps.seen.clone(),
    };
    let result = epochs(&mut run, &mut all, &mut steps, validation);
    run.tape.rewind();
    all.reversed(|observer| observer.end(&mut run))?;
    (run.history.unmoved, run.history.idle_epochs) = (steps.motion.unmoved(run.tape), steps.motion.idle);
    result?;
    Ok(history)
}

/// The loop over the epochs: steps, validation, record.
fn epochs<T: Float>(
    run: &mut Run<'_, T>,
    all: &mut Observers<'_, T>,
    steps: &mut Steps<'_, T>,
    validation: Option<&Dataset>,
) -> Result<()> {
    all.in_order(|observer| observer.start(run))?;
    let mut place = Standing { epoch: 1, step: 0 };
    if let Some(checkpoint) = &steps.options.resume {
        checkpoint.check_epochs(steps.options.epochs)?;
        let now = steps.kept.settled(run);
        let found = checkpoint::restore(checkpoint, run, now, steps.count, &mut steps.motion, &mut all.0);
        (place, steps.sums) = found.map_err(|error| checkpoint.named(error))?;
        let (epoch, step) = (place.epoch, place.step);
        run.progress = Progress { epoch, step, samples: steps.sums.seen, ..steps.progress };
        if let Some(stop) = run.stop {
            run.history.stop = stop;
            return Ok(());
        }
    }
    for epoch in place.epoch..=steps.options.epochs {
        let start = Clock::now();
        let first = std::mem::take(&mut place.step);
        let sums = steps.epoch(epoch, first, run, all)?;
        if let Some(stop) = run.stop {
            run.history.stop = stop;
            return Ok(());
        }
        let (seconds, lr) = (start.elapsed().as_secs_f64(), run.optimizer.lr());
        run.optimizer.check_finite(run.tape).map_err(|error| error.in_run(format_args!("epoch {epoch}")))?;
        check_buffers(run.tape).map_err(|error| error.in_run(format_args!("epoch {epoch}")))?;
        steps.motion.look(run.tape, sums.steps);
        let (samples, train_loss) = (sums.samples as f64, sums.loss / sums.weight);
        let validated = match validation {
            Some(data) => validate(run, all, data, &steps.seen, train_loss).map(Some),
            None => Ok(None),
        };
        let after = validated.as_ref().ok().and_then(Option::as_ref);
        // Also where validation failed: the epoch itself is finished.
        run.history.epochs.push(Epoch {
            epoch,
            steps: run.optimizer.steps(),
            lr,
            train_loss,
            train_accuracy: run.loss.link().classifies().then(|| sums.right / sums.counted),
            gradient_norm: sums.norm / sums.steps as f64,
            validation_loss: after.map(|e| e.loss),
            validation_accuracy: after.and_then(Evaluation::accuracy),
            audit: None,
            seconds,
            samples_per_second: samples / seconds,
        });
        let failed = validated.err();
        steps.train.check_unchanged()?;
        all.in_order(|observer| observer.epoch(run))?;
        if let Some(error) = failed {
            return Err(error);
        }
        steps.kept.hand_over(
            run,
            all,
            Standing { epoch: epoch + 1, step: 0 },
            &Sums::default(),
            &steps.motion,
        )?;
        if let Some(stop) = run.stop {
            run.history.stop = stop;
            return Ok(());
        }
    }
    steps.motion.finish(run.tape);
    Ok(())
}

/// The validation of an epoch, between the observers' two calls.
fn validate<T: Float>(
    run: &mut Run<'_, T>,
    all: &mut Observers<'_, T>,
    data: &Dataset,
    seen: &SeenClasses,
    train_loss: f64,
) -> Result<Evaluation> {
    all.in_order(|observer| observer.before_validation(run))?;
    let evaluation = evaluate_seen(run.module, run.loss, run.tape, data, seen);
    let found = evaluation.as_ref().ok();
    all.reversed(|observer| observer.after_validation(run, train_loss, found))?;
    evaluation
}

/// All observers of a run.
struct Observers<'a, T: Float>(Vec<&'a mut (dyn Observer<T> + 'a)>);

impl<'a, T: Float> Observers<'a, T> {
    fn in_order(&mut self, mut f: impl FnMut(&mut (dyn Observer<T> + 'a)) -> Result<()>) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| f(&mut **observer))
    }

    /// All of them, whatever one of them returns; then the first error.
    fn reversed(&mut self, mut f: impl FnMut(&mut (dyn Observer<T> + 'a)) -> Result<()>) -> Result<()> {
        let mut result = Ok(());
        for observer in self.0.iter_mut().rev() {
            result = result.and(f(&mut **observer));
        }
        result
    }
}

/// What checkpoints are made of, besides what changes from step to step.
struct Kept<'a> {
    /// What must be the same where the run goes on; made when it is first needed.
    settled: Option<Settled>,
    train: &'a Dataset,
    validation: Option<&'a Dataset>,
    options: &'a FitOptions,
}

impl Kept<'_> {
    fn settled<T: Float>(&mut self, run: &Run<'_, T>) -> &Settled {
        let made = || checkpoint::settled(run, self.train, self.validation, self.options);
        self.settled.get_or_insert_with(made)
    }

    /// Makes a checkpoint for the observers, if one of them asked for it.
    fn hand_over<T: Float>(
        &mut self,
        run: &mut Run<'_, T>,
        all: &mut Observers<'_, T>,
        place: Standing,
        sums: &Sums,
        motion: &Motion<T>,
    ) -> Result<()> {
        if !std::mem::take(&mut run.checkpoint) {
            return Ok(());
        }
        let made = Checkpoint::of(run, self.settled(run), place, sums, motion, &all.0)?;
        all.in_order(|observer| observer.checkpoint(run, &made))
    }
}

/// What the steps of a run are made of.
struct Steps<'a, T: Float> {
    train: &'a Dataset,
    options: &'a FitOptions,
    batches: Batches,
    labels: Vec<usize>,
    /// The classes among the training samples: no other is an answer.
    seen: SeenClasses,
    weighing: Weighing,
    /// Where steps may be left out.
    buffers: Option<Buffers<T>>,
    motion: Motion<T>,
    /// Steps in an epoch.
    count: usize,
    /// Of the epoch so far.
    sums: Sums,
    kept: Kept<'a>,
    progress: Progress,
}

impl<'a, T: Float> Steps<'a, T> {
    fn new(
        module: &dyn Module<T>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
        train: &'a Dataset,
        validation: Option<&'a Dataset>,
        options: &'a FitOptions,
    ) -> Result<Self> {
        let FitOptions { epochs, batch, seed, .. } = *options;
        for data in [Some(train), validation].into_iter().flatten() {
            check_fit(module, loss, tape, data)?;
            data.check_range::<T>()?;
            data.check_target_range::<T>()?;
        }
        let classes = loss.link().classes(module.outputs(tape, train.features()));
        let batches = Batches::shuffled(train.len(), batch, seed)?;
        let least = module.least_batch();
        if batch < least {
            let name = module.describe();
            let why = format!("{batch} is too small: {name} trains on batches of at least {least}");
            return Err(Error::setting("batch", why));
        }
        if train.len() < least {
            let (name, samples) = (module.describe(), train.len());
            return Err(Error::Data(format!("{name} needs {least} samples to train on, not {samples}")));
        }
        if options.early_stopping.is_some() && validation.is_none() {
            return Err(Error::setting("early_stopping", "it needs a validation set to judge by"));
        }
        if let Some(Penalty { lambda, .. }) = &options.penalty {
            settings::check::<T>("l2", *lambda, Range::NOT_NEGATIVE)?;
        }
        options.clip.check::<T>()?;
        // All batches are full but the last, which may be too short to train on.
        let short = train.len() % batch;
        // A block of one's own may not pass on what its parts need; buffers are statistics of batches, as a rule.
        let has_buffers = module.named_parameters().iter().any(|(_, p)| !tape.is_trained(*p));
        let least = if has_buffers { least.max(2) } else { least };
        let count = batches.per_epoch() - usize::from((1..least).contains(&short));
        Ok(Steps {
            train,
            options,
            batches,
            labels: Vec::with_capacity(batch.min(train.len())),
            seen: SeenClasses::of_weighted(
                train.labels().unwrap_or_default(),
                train.weights().filter(|_| train.labels().is_some()),
                classes,
            )?,
            weighing: train.weighing(),
            buffers: options.clip.skips().then(|| Buffers::of(tape)),
            motion: Motion::of(tape),
            count,
            sums: Sums::default(),
            kept: Kept { settled: None, train, validation, options },
            progress: Progress {
                epoch: 1,
                epochs,
                step: 0,
                steps: count,
                samples: 0,
                epoch_samples: train.len(),
                loss: 0.0,
            },
        })
    }

    /// The steps of an epoch but the first ones, until the last or until an observer ends the run.
    fn epoch(
        &mut self,
        epoch: usize,
        first: usize,
        run: &mut Run<'_, T>,
        all: &mut Observers<'_, T>,
    ) -> Result<Sums> {
        let (train, link) = (self.train, run.loss.link());
        let mut sums = std::mem::take(&mut self.sums);
        // The epoch of the random draws; that of the record is of this run alone.
        let drawn = self.options.first_epoch.saturating_add(epoch as u64 - 1);
        for (step, rows) in self.batches.epoch(drawn).take(self.count).enumerate().skip(first) {
            run.tape.rewind();
            if let Some(buffers) = &mut self.buffers {
                buffers.keep(run.tape);
            }
            let place = Place { seed: self.options.seed, epoch: drawn, step: step as u64 };
            let batch = Batch::weighed(train, rows, true, &mut self.labels, self.weighing);
            let x = run.tape.constant_with(rows.len(), train.features(), |to| train.gather(rows, to));
            let output = run.module.forward(run.tape, x, &mut Mode::training(place));
            let batch_loss = run.loss.forward(run.tape, output, &batch);
            let value = value_of(run.loss, run.tape, batch_loss);
            sums.seen += rows.len();
            run.progress =
                Progress { epoch, step: step + 1, samples: sums.seen, loss: value, ..self.progress };
            // A loss that is not finite may have a finite gradient; it is none to follow.
            run.skip = !value.is_finite();
            if run.skip && !self.options.clip.skips() {
                return Err(diverged(run.tape, epoch, step + 1, value));
            }
            if !run.skip {
                let total = match &self.options.penalty {
                    Some(Penalty { lambda, params }) => {
                        let penalty = run.tape.l2_penalty(params, T::of(*lambda));
                        run.tape.add(batch_loss, penalty)
                    }
                    None => batch_loss,
                };
                run.total = Some(total);
                run.tape.zero_grad();
                run.tape.backward(total);
                all.in_order(|observer| if run.skip { Ok(()) } else { observer.gradient(run) })?;
            }
            if run.skip {
                run.history.skipped += 1;
                if let Some(buffers) = &self.buffers {
                    buffers.restore(run.tape);
                }
            } else {
                let weight = run.loss.weight(&batch);
                sums.steps += 1;
                sums.samples += rows.len();
                sums.weight += weight;
                sums.norm += run.gradient_norm;
                sums.loss += value * weight;
                if link.classifies() {
                    let scores = run.tape.value_slice(output).chunks(run.tape.shape(output).cols);
                    for (i, (row, label)) in scores.zip(batch.labels()).enumerate() {
                        let weight = batch.weight_in_unit(i);
                        sums.counted += weight;
                        sums.right += if link.class(row, &self.seen) == Some(*label) { weight } else { 0.0 };
                    }
                }
                run.optimizer
                    .step(run.tape)
                    .map_err(|error| error.in_run(format_args!("epoch {epoch}, step {}", step + 1)))?;
            }
            all.in_order(|observer| observer.step(run))?;
            // With the last step there is an epoch to finish first, unless the run ends here.
            if run.stop.is_some() || step + 1 < self.count {
                let place = Standing { epoch, step: step + 1 };
                self.kept.hand_over(run, all, place, &sums, &self.motion)?;
            }
            if run.stop.is_some() {
                return Ok(sums);
            }
        }
        run.tape.rewind();
        run.total = None;
        if sums.steps == 0 {
            return Err(Error::NonFinite(format!(
                "epoch {epoch}: no step had a finite gradient, so all were skipped; a smaller learning rate \
                 may help"
            )));
        }
        Ok(sums)
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
