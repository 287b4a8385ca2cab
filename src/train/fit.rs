//! The training loop.

use super::check::{check_buffers, no_weight};
use super::checkpoint::{Standing, Sums};
use super::clock::Clock;
use super::observers::of_options;
use super::steps::{Observers, Steps};
use super::{Epoch, Evaluation, FitOptions, History, Observer, Run, evaluate_seen};
use crate::data::Dataset;
use crate::metrics::SeenClasses;
use crate::nn::{Loss, Module};
use crate::optim::Optimizer;
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

/// The loop over the epochs.
fn epochs<T: Float>(
    run: &mut Run<'_, T>,
    all: &mut Observers<'_, T>,
    steps: &mut Steps<'_, T>,
    validation: Option<&Dataset>,
) -> Result<()> {
    all.in_order(|observer| observer.start(run))?;
    let mut place = steps.resume(run, all)?;
    while run.stop.is_none() && place.epoch <= steps.options.epochs {
        let start = Clock::now();
        let sums = steps.epoch(place, run, all)?;
        // Not within the epoch.
        if run.stop.is_none() {
            finish(place.epoch, &sums, &start, run, all, steps, validation)?;
            place = Standing { epoch: place.epoch + 1, step: 0 };
            steps.hand_over(run, all, place, &Sums::default())?;
        }
    }
    match run.stop {
        Some(stop) => run.history.stop = stop,
        None => steps.motion.finish(run.tape),
    }
    Ok(())
}

/// What comes behind the steps of an epoch: checks, validation, record.
fn finish<T: Float>(
    epoch: usize,
    sums: &Sums,
    start: &Clock,
    run: &mut Run<'_, T>,
    all: &mut Observers<'_, T>,
    steps: &mut Steps<'_, T>,
    validation: Option<&Dataset>,
) -> Result<()> {
    let (seconds, lr) = (start.elapsed().as_secs_f64(), run.optimizer.lr());
    let in_epoch = |error: Error| error.in_run(format_args!("epoch {epoch}"));
    run.optimizer.check_finite(run.tape).map_err(in_epoch)?;
    check_buffers(run.tape).map_err(in_epoch)?;
    steps.motion.look(run.tape, sums.steps);
    if sums.weight == 0.0 && sums.samples > 0 {
        return Err(no_weight(steps.train));
    }
    let train_loss = sums.loss / sums.weight;
    let validated = validation.map(|data| validate(run, all, data, &steps.seen, train_loss)).transpose();
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
        samples_per_second: sums.samples as f64 / seconds,
    });
    steps.train.check_unchanged()?;
    all.in_order(|observer| observer.epoch(run))?;
    validated.map(drop)
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
