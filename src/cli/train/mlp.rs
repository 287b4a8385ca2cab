//! What is trained by steps: a multilayer perceptron, and logistic regression as one of two widths.

use std::fmt;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use tapegrad::metrics::SeenClasses;
use tapegrad::models::Mlp;
use tapegrad::nn::loss::Link;
use tapegrad::nn::{Activation, Module, ModuleExt, Norm, Summary};
use tapegrad::optim::{self, Group};
use tapegrad::rng::{Purpose, stream};
use tapegrad::train::{EVALUATION_ROWS, Observer, Progress, Run, Stop, Trace, evaluate_seen, fit, predict};
use tapegrad::{Error, Float, Result, Tape};

use super::super::source::Source;
use super::super::{Failure, Outcome, interrupt, memory, output};
use super::{Answers, INTERRUPTED, Precision, TrainArgs, Uses};
use super::{accuracy_line, check_range, hold_out, record_undecided, save, write_report};

/// How a model is trained by steps.
#[derive(Args)]
#[command(next_help_heading = "Training by steps (mlp, logistic)")]
pub struct StepArgs {
    /// Optimizer
    #[arg(long, value_name = "NAME", default_value = "adam", value_parser = optimizer_names())]
    optimizer: String,
    /// Learning rate [default: 1e-3 for adam; the others each have their own]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// Samples in a step; all, if there are fewer
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub batch: usize,
    /// How many times every sample is seen
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub epochs: usize,
    /// Stop at the first NaN or infinity and name the operation that made it; slower
    #[arg(long)]
    detect_anomalies: bool,
}

/// What keeps weights small, by steps or in one go.
#[derive(Args)]
#[command(next_help_heading = "Training by steps (mlp, logistic)")]
pub struct PenaltyArgs {
    /// Weight decay λ, of the weights and not the biases [default: 0; 1e-4 for Newton's method]
    #[arg(long, value_name = "LAMBDA")]
    pub weight_decay: Option<f64>,
}

/// The form of a network.
#[derive(Args)]
#[command(next_help_heading = "Form of the network (mlp)")]
pub struct MlpArgs {
    /// Widths of the hidden layers, separated by commas
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',', default_value = "128")]
    hidden: Vec<usize>,
    /// Activation of the hidden layers
    #[arg(long, value_name = "NAME", default_value = "relu", value_parser = activation_names())]
    activation: Activation,
    /// What normalises the values in front of each activation
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = norm_names())]
    norm: Norm,
    /// Share of the values behind each activation that a training step drops
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    dropout: f64,
}

/// Names for the help text and for messages on a wrong one.
fn optimizer_names() -> PossibleValuesParser {
    optim::optimizers::<f32>()
        .iter()
        .map(|entry| PossibleValue::new(entry.name).help(entry.about))
        .collect::<Vec<_>>()
        .into()
}

fn activation_names() -> impl TypedValueParser<Value = Activation> {
    PossibleValuesParser::new(Activation::TABLE.map(|(_, name)| name))
        .try_map(|name| name.parse::<Activation>())
}

fn norm_names() -> impl TypedValueParser<Value = Norm> {
    PossibleValuesParser::new(Norm::TABLE.map(|(_, name)| name)).try_map(|name| name.parse::<Norm>())
}

impl MlpArgs {
    /// The network from the features to the classes.
    pub fn options(&self, inputs: usize, outputs: usize) -> Mlp {
        let widths = [&[inputs], &self.hidden[..], &[outputs]].concat();
        Mlp { norm: self.norm, dropout: self.dropout, ..Mlp::new(&widths, self.activation) }
    }
}

/// The flags of a network.
pub fn uses(_: &TrainArgs) -> Uses {
    Uses {
        groups: &["MlpArgs", "StepArgs", "FitArgs", "PenaltyArgs"],
        chosen_by: "",
        measures_when_interrupted: true,
    }
}

/// Trains and measures a network.
pub fn run(args: &TrainArgs, source: &Source, asked: Arc<AtomicBool>) -> Outcome {
    let network = Network {
        form: args.shape.options(source.train.features(), source.train.classes()),
        name: None,
        classes: Classes::Softmax,
    };
    by_steps(args, source, asked, &network)
}

/// What is trained by steps.
pub struct Network {
    pub form: Mlp,
    /// If it is not to be known as an mlp.
    pub name: Option<String>,
    pub classes: Classes,
}

/// How the outputs tell classes apart.
#[derive(Clone, Copy, PartialEq)]
pub enum Classes {
    /// By the softmax over all.
    Softmax,
    /// Each on its own, by the logistic function.
    OneVsRest,
}

/// Trains and measures a network in the precision that was asked for, or in `f32`.
pub fn by_steps(args: &TrainArgs, source: &Source, asked: Arc<AtomicBool>, network: &Network) -> Outcome {
    match args.precision {
        None | Some(Precision::F32) => train::<f32>(args, source, asked, network),
        Some(Precision::F64) => train::<f64>(args, source, asked, network),
    }
}

fn train<T: Float>(args: &TrainArgs, source: &Source, asked: Arc<AtomicBool>, network: &Network) -> Outcome {
    let StepArgs { lr, batch: asked_batch, epochs, .. } = args.steps;
    check_range::<T>(source)?;
    let (train, validation) = hold_out(source, args)?;
    let batch = asked_batch.min(train.len());
    check_memory::<T>(&network.form, batch.max(EVALUATION_ROWS.min(source.test.len())))?;
    let loss = args.fitting.loss::<T>(network.classes)?;
    let mut tape = Tape::<T>::default();
    tape.detect_anomalies(args.steps.detect_anomalies);
    let mut rng = stream(args.seed, Purpose::Init);
    let model = network.form.build(&mut tape, &mut rng)?;
    let name = network.name.clone().unwrap_or(model.describe());
    let mut optimizer = optim::find::<T>(&args.steps.optimizer)?
        .optimizer(lr)?
        .with_weight_decay(args.penalty.weight_decay.unwrap_or(0.0))?
        .with_group(Group::new(model.biases(&tape)).with_weight_decay(0.0)?)?;

    let (weights, lr) = (model.weights(), optimizer.lr());
    let samples = train.len();
    let mut options = args.fitting.options::<T>(
        &args.steps,
        args.seed,
        lr,
        samples,
        weights,
        model.least_batch(),
        validation.is_some(),
    )?;
    options.audit |= args.report.is_some();

    let mut trace = Trace::default();
    trace.set("model", name.clone());
    trace.set("optimizer", optimizer.to_string());
    trace.set("data", source.name);
    trace.set("training_samples", train.len());
    trace.set("validation_samples", validation.as_ref().map_or(0, |v| v.len()));
    trace.set("epochs", epochs);
    trace.set("batch", asked_batch);
    trace.set("seed", args.seed);
    trace.set("precision", T::NAME);
    args.fitting.record(&options, &mut trace);

    source.warn();
    if !args.quiet {
        output::line(source.summary())?;
        let summary = Summary { model: name, ..Summary::of(&model, &mut tape, train.features(), batch) };
        output::write(format_args!("\n{summary}precision: {}\n\n", T::NAME))?;
        output::line(format_args!("optimizer: {optimizer}"))?;
    }
    let bar = progress_bar(args);
    let mut report = Report { args, asked, bar, trace, saved: None, failure: None };
    let observers: &mut [&mut dyn Observer<T>] = &mut [&mut report];
    let validation = validation.as_ref();
    let fitted = fit(&model, &*loss, &mut tape, &mut optimizer, &train, validation, &options, observers);
    report.bar.finish_and_clear();
    let mut trace = report.trace;
    // Until an epoch is finished, an old trace is worth more than the settings of this run.
    let finished = !trace.epochs.is_empty() || fitted.as_ref().is_ok_and(|f| f.stop == Stop::Finished);
    let save_finished = |trace: &Trace| if finished { save(args, trace) } else { Ok(()) };
    let saved = save_finished(&trace);
    if let Some(failure) = report.failure {
        return Err(failure);
    }
    let fitted = fitted?;
    saved?;
    let stop = fitted.stop;

    if let Stop::Interrupted { epoch } = stop {
        let steps = optimizer.steps();
        output::note(format_args!(
            "interrupted in epoch {epoch} after step {steps}; measuring what there is"
        ));
    }
    let seen = SeenClasses::of_labels(train.labels().unwrap_or_default(), train.classes())?;
    let evaluation = evaluate_seen(&model, &*loss, &mut tape, &source.test, &seen)?;
    source.check_unchanged()?;
    let accuracy = evaluation.accuracy().unwrap_or(f64::NAN);
    // The weights of an interrupted epoch are no epoch's: the trace ends with what is finished.
    if matches!(stop, Stop::Interrupted { .. }) {
        trace.result(INTERRUPTED, 1.0);
        trace.result("steps_done", optimizer.steps() as f64);
    } else {
        args.fitting.conclude(&fitted, &tape, &mut trace, args.quiet)?;
        trace.result("test_loss", evaluation.loss);
        trace.result("test_accuracy", accuracy);
        record_undecided(&mut trace, "test_undecided", evaluation.undecided());
    }
    save_finished(&trace)?;
    if args.report.is_some() {
        let outputs = predict(&model, &mut tape, &source.test)?;
        let scores = probabilities(&outputs, loss.link(), source.test.classes());
        let answers = Answers { scores, unit: "probability", predicted: seen.decide(&outputs) };
        write_report(args, &trace, &source.test, &answers)?;
    }
    if !args.quiet
        && let Some(confusion) = &evaluation.confusion
    {
        let loss = output::number(evaluation.loss);
        output::line(format_args!("\ntest set, loss {loss}:\n{confusion}"))?;
    }
    accuracy_line("test", accuracy, evaluation.samples, evaluation.undecided())?;
    Ok(match stop {
        Stop::Finished | Stop::Early { .. } => ExitCode::SUCCESS,
        Stop::Interrupted { .. } => ExitCode::from(interrupt::EXIT_CODE),
    })
}

/// What the loss takes the outputs for: the softmax of each row, or the logistic function of each entry.
fn probabilities<T: Float>(outputs: &[T], link: Link, classes: usize) -> Vec<f64> {
    let mut values: Vec<f64> = outputs.iter().map(|x| x.to_f64()).collect();
    for row in values.chunks_mut(classes.max(1)) {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if link == Link::Sigmoid {
            row.iter_mut().for_each(|x| *x = Float::sigmoid(*x));
            continue;
        }
        row.iter_mut().for_each(|x| *x = Float::exp(*x - largest));
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|x| *x /= sum);
    }
    values
}

/// An error if the network is beyond the machine, before it takes the memory.
pub fn check_memory<T: Float>(form: &Mlp, batch: usize) -> Result<()> {
    // Values, gradients and two numbers of an optimizer for each weight; for each sample of a batch values and
    // gradients of up to four nodes behind each layer. The arena's buffers may hold twice what is in use.
    let widths = &form.widths;
    let per_sample = widths.iter().fold(0usize, |sum, width| sum.saturating_add(width.saturating_mul(4)));
    let numbers = form
        .trainable()?
        .saturating_mul(6)
        .saturating_add(per_sample.saturating_mul(4).saturating_mul(batch));
    let (needed, room) = (numbers.saturating_mul(size_of::<T>()) as u64, memory::available());
    if needed <= room.bytes {
        return Ok(());
    }
    let widest = widths[1..widths.len() - 1].iter().copied().max().unwrap_or(0);
    let name = if widest >= batch { "hidden" } else { "batch" };
    let needed = output::bytes(needed);
    let why = format!("widths {widths:?} at batch {batch} take about {needed}, and {room}: use smaller ones");
    Err(Error::setting(name, why))
}

fn progress_bar(args: &TrainArgs) -> ProgressBar {
    if args.quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {rate}, {eta} left, {msg}") {
        bar.set_style(style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{:.0} samples/s", state.per_sec());
        }));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Shows how far a run is, and ends it when Ctrl-C was pressed.
struct Report<'a> {
    args: &'a TrainArgs,
    asked: Arc<AtomicBool>,
    bar: ProgressBar,
    /// The settings, and the epochs so far.
    trace: Trace,
    /// When the trace was last written.
    saved: Option<Instant>,
    /// Why nothing more could be printed.
    failure: Option<Failure>,
}

impl Report<'_> {
    /// Whether the run is to end after this step.
    fn ends(&self, progress: &Progress) -> bool {
        // With the last step there is nothing left to interrupt.
        let last = progress.epoch == progress.epochs && progress.step == progress.steps;
        (self.asked.load(Ordering::SeqCst) && !last) || self.failure.is_some()
    }
}

impl<T: Float> Observer<T> for Report<'_> {
    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let progress = run.progress;
        if !self.bar.is_hidden() {
            let before = (progress.epoch - 1).saturating_mul(progress.epoch_samples);
            self.bar.set_length(progress.epochs.saturating_mul(progress.epoch_samples) as u64);
            self.bar.set_position(before.saturating_add(progress.samples) as u64);
            self.bar.set_prefix(format!("epoch {}/{}", progress.epoch, progress.epochs));
            self.bar.set_message(format!("loss {}", output::number(progress.loss)));
        }
        if self.ends(&progress) {
            run.stop = Some(Stop::Interrupted { epoch: progress.epoch });
        }
        Ok(())
    }

    fn epoch(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.trace.epochs.extend(run.history.epochs.last().cloned());
        // Short epochs by the thousand would spend their time on writing.
        if self.saved.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
            save(self.args, &self.trace)?;
            self.saved = Some(Instant::now());
        }
        if self.args.quiet {
            return Ok(());
        }
        let Some(epoch) = self.trace.epochs.last() else { return Ok(()) };
        let validated = epoch.validation_loss.is_some();
        let number = |x: Option<f64>| x.map_or("-".to_string(), output::number);
        let mut text = String::new();
        if epoch.epoch == 1 {
            text += "\nepoch  train loss  accuracy";
            text += if validated { "  valid loss  accuracy" } else { "" };
            text += "  |gradient|      rate   samples/s  seconds\n";
        }
        let loss = output::number(epoch.train_loss);
        text += &format!("{:>5}  {loss:>10}  {:>8}", epoch.epoch, number(epoch.train_accuracy));
        if validated {
            let (loss, accuracy) = (number(epoch.validation_loss), number(epoch.validation_accuracy));
            text += &format!("  {loss:>10}  {accuracy:>8}");
        }
        text += &format!(
            "  {:>10}  {:>8}  {:>10.0}  {:>7.2}",
            output::number(epoch.gradient_norm),
            output::number(epoch.lr),
            epoch.samples_per_second,
            epoch.seconds
        );
        // A reader that has left ends the run with the next step.
        self.failure = self.bar.suspend(|| output::line(text)).err();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    /// Whoever asks for an end during the last step of all gets the whole run.
    #[test]
    fn the_last_step_is_not_interrupted() {
        let command = TrainArgs::augment_args(clap::Command::new("train"));
        let args = TrainArgs::from_arg_matches(&command.get_matches_from(["train", "--quiet"])).unwrap();
        let asked = Arc::new(AtomicBool::new(true));
        let bar = ProgressBar::hidden();
        let trace = Trace::default();
        let mut report = Report { args: &args, asked, bar, trace, saved: None, failure: None };
        for (epoch, step, ends) in [(1, 3, true), (2, 2, true), (2, 3, false)] {
            let (epochs, steps, samples) = (2, 3, step * 10);
            let progress = Progress { epoch, epochs, step, steps, samples, epoch_samples: 30, loss: 1.0 };
            assert_eq!(report.ends(&progress), ends, "epoch {epoch}, step {step}");
        }
        report.failure = Some(Failure::OutputClosed);
        let last =
            Progress { epoch: 2, epochs: 2, step: 3, steps: 3, samples: 30, epoch_samples: 30, loss: 1.0 };
        assert!(report.ends(&last));
    }
}
