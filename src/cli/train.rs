//! `tapegrad train`: a model on MNIST or what stands in for it.

use std::fmt;
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use tapegrad::data::{Batches, Dataset};
use tapegrad::models::{Mlp, MlpOptions, Model, Summary};
use tapegrad::nn::Activation;
use tapegrad::optim::{self, Group};
use tapegrad::rng::{Purpose, stream};
use tapegrad::train::{EVALUATION_ROWS, FitOptions, Loss, Observer, Progress, Stop, Trace, evaluate, fit};
use tapegrad::{Error, Float, Result, Tape, file, linalg};

use super::source::Source;
use super::{Failure, Outcome, interrupt, output};

/// Train a model and measure it on the test set
#[derive(Args)]
#[command(after_help = "\
Examples:
  tapegrad train
  tapegrad train --data ~/mnist --epochs 12 --seed 1 --trace run.csv
  tapegrad train --hidden 256,128 --activation gelu --optimizer momentum --lr 0.05

Same settings and same seed give the same numbers to the last bit, at any number of threads.")]
pub struct TrainArgs {
    /// Folder with the four MNIST files, plain or .gz [default: data/mnist, else synthetic digits]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What is trained
    #[arg(long, value_enum, default_value_t = ModelKind::Mlp)]
    model: ModelKind,
    #[command(flatten)]
    shape: MlpArgs,
    /// Optimizer
    #[arg(long, value_name = "NAME", default_value = "adam", value_parser = optimizer_names())]
    optimizer: String,
    /// Learning rate [default: 1e-3 for adam; the others each have their own]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// Weight decay λ, of the weights and not the biases
    #[arg(long, value_name = "LAMBDA", default_value_t = 0.0)]
    weight_decay: f64,
    /// Samples in a step
    #[arg(long, value_name = "N", default_value_t = 128)]
    batch: usize,
    /// How many times every sample is seen
    #[arg(long, value_name = "N", default_value_t = 10)]
    epochs: usize,
    /// Seed of everything that is random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Number type of the arena
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
    /// Threads [default: as many as the machine runs at once]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Train on the first N samples only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Keep this share of the training samples apart and measure on it after every epoch
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    validation: f64,
    /// Write a record of the run; .csv, .jsonl, or text for any other ending
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Put wall-clock times into the trace, which two identical runs do not share
    #[arg(long, requires = "trace")]
    trace_times: bool,
    /// Stop at the first NaN or infinity and name the operation that made it; slower
    #[arg(long)]
    detect_anomalies: bool,
    /// Print the last line only
    #[arg(long, short)]
    quiet: bool,
}

/// The form of a network.
#[derive(Args)]
pub struct MlpArgs {
    /// Widths of the hidden layers, separated by commas
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',', default_value = "128")]
    hidden: Vec<usize>,
    /// Activation of the hidden layers
    #[arg(long, value_name = "NAME", default_value = "relu", value_parser = activation_names())]
    pub activation: Activation,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ModelKind {
    /// Multilayer perceptron
    Mlp,
}

#[derive(Clone, Copy, ValueEnum)]
enum Precision {
    F32,
    F64,
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

impl MlpArgs {
    /// Widths of all layers, from the features to the classes.
    pub fn widths(&self, inputs: usize, outputs: usize) -> Vec<usize> {
        [&[inputs], &self.hidden[..], &[outputs]].concat()
    }
}

/// Runs the command.
pub fn run(args: &TrainArgs) -> Outcome {
    let asked = interrupt::watch();
    let threads = args.threads.unwrap_or_else(linalg::available_threads);
    if !(1..=MOST_THREADS).contains(&threads) {
        return Err(
            Error::setting("threads", format!("{threads} is not between 1 and {MOST_THREADS}")).into()
        );
    }
    linalg::try_with_threads(threads, || {
        let mut source = Source::open(args.data.as_deref(), args.seed)?;
        source.limit(args.limit)?;
        if let Some(code) = interrupt::check(&asked) {
            return Ok(code);
        }
        match args.precision {
            Precision::F32 => train::<f32>(args, &source, asked),
            Precision::F64 => train::<f64>(args, &source, asked),
        }
    })?
}

/// More threads than this are a slip of the finger; the operating system may not even start them.
const MOST_THREADS: usize = 1024;

fn train<T: Float>(args: &TrainArgs, source: &Source, asked: Arc<AtomicBool>) -> Outcome {
    let (train, validation) = hold_out(source, args.validation, args.seed)?;
    let widths = args.shape.widths(train.features(), train.classes());
    let batch = args.batch.min(train.len());
    plan::<T>(&args.shape, &widths, batch.max(EVALUATION_ROWS.min(source.test.len())))?;
    // What an hour of training would end in is better said now.
    Batches::shuffled(train.len(), args.batch, args.seed)?;
    if source.test.is_empty() {
        return Err(Error::Data("there are no test samples to measure on".into()).into());
    }
    args.trace.as_ref().map_or(Ok(()), file::check_writable)?;
    let mut tape = Tape::<T>::default();
    tape.detect_anomalies(args.detect_anomalies);
    let mut rng = stream(args.seed, Purpose::Init);
    let model = match args.model {
        ModelKind::Mlp => Mlp::new(&mut tape, &widths, args.shape.activation, None, &mut rng)?,
    };
    let mut optimizer = optim::find::<T>(&args.optimizer)?
        .optimizer(args.lr)?
        .with_weight_decay(args.weight_decay)?
        .with_group(Group::new(model.biases()).with_weight_decay(0.0)?);
    let loss = Loss::suited_to(&train)?;

    let mut trace = Trace::default();
    trace.set("model", Model::<T>::name(&model));
    trace.set("optimizer", &optimizer);
    trace.set("data", source.name);
    trace.set("training_samples", train.len());
    trace.set("validation_samples", validation.as_ref().map_or(0, |v| v.len()));
    trace.set("epochs", args.epochs);
    trace.set("batch", args.batch);
    trace.set("seed", args.seed);
    trace.set("precision", T::NAME);

    if !args.quiet {
        output::line(source.summary())?;
        let summary = Model::<T>::summary(&model, batch);
        output::write(format_args!("\n{summary}precision: {}\n\n", T::NAME))?;
        output::line(format_args!("optimizer: {optimizer}"))?;
    }
    let mut report = Report { args, asked, bar: progress_bar(args), saved: None, failure: None };
    let options = FitOptions { epochs: args.epochs, batch: args.batch, seed: args.seed, loss };
    let fitted = fit(
        &model,
        &mut tape,
        &mut optimizer,
        &train,
        validation.as_ref(),
        &options,
        &mut report,
        &mut trace,
    );
    report.bar.finish_and_clear();
    save(args, &trace)?;
    if let Some(failure) = report.failure {
        return Err(failure);
    }
    let stop = fitted?;

    if let Stop::Interrupted { epoch } = stop {
        let steps = optimizer.steps();
        output::note(format_args!(
            "interrupted in epoch {epoch} after step {steps}; measuring what there is"
        ));
    }
    let evaluation = evaluate(&model, &mut tape, &source.test, loss)?;
    let accuracy = evaluation.accuracy().unwrap_or(f64::NAN);
    // The weights of an interrupted epoch are no epoch's: the trace ends with what is finished.
    if stop == Stop::Finished {
        trace.result("test_loss", evaluation.loss);
        trace.result("test_accuracy", accuracy);
    }
    save(args, &trace)?;
    if !args.quiet
        && let Some(confusion) = &evaluation.confusion
    {
        let loss = output::number(evaluation.loss);
        output::line(format_args!("\ntest set, loss {loss}:\n{confusion}"))?;
    }
    output::line(format_args!("test accuracy {accuracy:.4} ({} samples)", evaluation.samples))?;
    Ok(match stop {
        Stop::Finished => ExitCode::SUCCESS,
        Stop::Interrupted { .. } => ExitCode::from(interrupt::EXIT_CODE),
    })
}

/// Training and validation samples; the split is drawn from the seed, class by class.
fn hold_out(source: &Source, share: f64, seed: u64) -> Result<(Dataset, Option<Dataset>)> {
    if share == 0.0 {
        return Ok((source.train.clone(), None));
    }
    if !(0.0..1.0).contains(&share) {
        return Err(Error::setting("validation", format!("{share} is not a share in [0, 1)")));
    }
    let (validation, train) = source.train.stratified_split(share, seed)?;
    if validation.is_empty() || train.is_empty() {
        let all = source.train.len();
        return Err(Error::setting(
            "validation",
            format!("{share} of {all} samples leaves a set without any"),
        ));
    }
    Ok((train, Some(validation)))
}

fn save(args: &TrainArgs, trace: &Trace) -> Result<()> {
    args.trace.as_ref().map_or(Ok(()), |path| trace.write(path, args.trace_times))
}

/// What the network will be; an error if it is beyond the machine, before it takes the memory.
pub fn plan<T: Float>(shape: &MlpArgs, widths: &[usize], batch: usize) -> Result<Summary> {
    let layers = MlpOptions::new(widths, shape.activation).plan()?;
    let summary = Summary::new::<T>("mlp", widths[0], layers, batch);
    // The arena's buffers may hold twice what is in use, and an optimizer two numbers for each.
    let state = summary.trainable().saturating_mul(2 * size_of::<T>());
    let needed = summary.training_bytes().saturating_mul(2).saturating_add(state) as u64;
    match memory_available() {
        Some(available) if needed > available => Err(Error::setting(
            "hidden",
            format!(
                "widths {widths:?} at batch {batch} take about {}, and the machine has {} left: use \
                 smaller ones",
                output::bytes(needed),
                output::bytes(available)
            ),
        )),
        _ => Ok(summary),
    }
}

/// Memory that can be had without swapping, where the operating system tells.
fn memory_available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
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
    /// When the trace was last written.
    saved: Option<Instant>,
    /// Why nothing more could be printed.
    failure: Option<Failure>,
}

impl Observer for Report<'_> {
    fn step(&mut self, progress: &Progress) -> ControlFlow<()> {
        if !self.bar.is_hidden() {
            let before = (progress.epoch - 1).saturating_mul(progress.epoch_samples);
            self.bar.set_length(progress.epochs.saturating_mul(progress.epoch_samples) as u64);
            self.bar.set_position(before.saturating_add(progress.samples) as u64);
            self.bar.set_prefix(format!("epoch {}/{}", progress.epoch, progress.epochs));
            self.bar.set_message(format!("loss {}", output::number(progress.loss)));
        }
        if self.asked.load(Ordering::SeqCst) || self.failure.is_some() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn epoch(&mut self, trace: &Trace) -> Result<()> {
        // Short epochs by the thousand would spend their time on writing.
        if self.saved.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
            save(self.args, trace)?;
            self.saved = Some(Instant::now());
        }
        if self.args.quiet {
            return Ok(());
        }
        let Some(epoch) = trace.epochs.last() else { return Ok(()) };
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
