//! `tapegrad train`: a model on MNIST or what stands in for it.
//!
//! A family of models is a file here, which reads its flags and fits; a model is a line of `entries`. What is done
//! with what has been fitted is in `measure`, for every family alike.

mod entries;
mod fitting;
mod form;
mod images;
mod keeping;
mod kernel;
mod linear;
mod logistic;
mod measure;
mod mlp;
mod resume;

mod shape;
mod texts;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ValueEnum};

use super::source::{Source, kept_apart};
use super::table::TableArgs;
use super::{Outcome, interrupt, memory, misused, output};
use crate::data::Dataset;
use crate::models::{Inputs, Notes, Predictor};
use crate::text::count;
use crate::train::{Checkpoint, Trace};
use crate::{Error, Float, Result, file, linalg, text};
use entries::{Entry, MODELS, Uses, direct, model_names};
pub use fitting::renamed;
pub use form::{Form, check_memory};
pub use measure::last_line;
use measure::{INTERRUPTED, measure, write_trace};
use resume::Resumed;
pub use shape::ShapeArgs;
pub use texts::read as read_text;

/// Train a model and measure it on the test set
#[derive(Args)]
#[command(after_help = "\
Examples:
  tapegrad train
  tapegrad train --data ~/mnist --epochs 12 --seed 1 --trace run.csv
  tapegrad train --hidden 256,128 --activation gelu --optimizer momentum --lr 0.05
  tapegrad train --schedule cosine --clip-norm 1 --validation 0.1 --early-stopping gl:5
  tapegrad train --hidden 256,256 --norm batch --dropout 0.2 --audit
  tapegrad train --model lenet --epochs 5
  tapegrad train --model cnn --epochs 5 --save cnn.safetensors
  tapegrad train --model vit --patch 7 --epochs 10
  tapegrad train --model gpt --data README.md --epochs 20 --save text.safetensors
  tapegrad train --model lenet --schedule cosine --lr 3e-3 --augment shift=2,rotate=10,elastic=34
  tapegrad train --model logistic --weight-decay 1e-4
  tapegrad train --model krr --limit 10000
  tapegrad train --model falkon --centres 10000 --iterations 15
  tapegrad train --data data/iris.csv --target species --save iris.safetensors
  tapegrad train --epochs 20 --save digits.safetensors --save-every 500
  tapegrad train --resume digits.safetensors

Same settings and same seed give the same numbers to the last bit, at any number of threads.")]
pub struct TrainArgs {
    /// Folder with the four MNIST files, plain or .gz, or those of `data synth`; a table, .csv or .tsv; NumPy's arrays,
    /// .npz or .npy; for gpt any file; or synth:NAME, a synthetic set, as synth:spirals,turns=0.59,noise=0.05,samples=3000,test=1000
    /// [default: data/mnist, else synthetic digits]
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// What is trained
    #[arg(long, value_name = "NAME", default_value = "mlp", value_parser = model_names())]
    model: String,
    /// Seed of everything that is random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Number type [default: f32; f64 for krr and for Newton's method]
    #[arg(long, value_enum)]
    precision: Option<Precision>,
    /// Threads [default: as many as the machine runs at once]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Train on the first N samples only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Keep this share of the training samples apart and measure on it, after every epoch if there are some
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    validation: f64,
    /// Write a record of the run; .csv, .jsonl, or text for any other ending
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Put wall-clock times into the trace, which two identical runs do not share
    #[arg(long, requires = "trace")]
    trace_times: bool,
    /// Write a page about the run: curves, flow of gradients, and what the model tells of the test set, as a confusion matrix
    /// and the worst mistakes (HTML)
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Keep the model in a file, in the safetensors format: for predict, evaluate, inspect
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Go on with the run in that file, to which --save-every or Ctrl-C has saved it. The file says how; said anew may be
    /// --epochs, to go further where no schedule ends with the run, --threads, --data, and what is written [default of
    /// --save: the same file]
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Print the last line only
    #[arg(long, short)]
    quiet: bool,
    /// Bring every feature to mean 0 and variance 1 [default: yes for tables, no for images]
    #[arg(long, value_enum, num_args = 0..=1, default_missing_value = "yes")]
    standardize: Option<YesNo>,
    /// Put K principal components of the training samples in place of the features
    #[arg(long, value_name = "K", conflicts_with = "project")]
    pca: Option<usize>,
    /// Put K random projections in place of the features, drawn from the seed
    #[arg(long, value_name = "K")]
    project: Option<usize>,
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    shape: ShapeArgs,
    #[command(flatten)]
    steps: mlp::StepArgs,
    #[command(flatten)]
    fitting: fitting::FitArgs,
    #[command(flatten)]
    keeping: keeping::KeepArgs,
    #[command(flatten)]
    penalty: mlp::PenaltyArgs,
    #[command(flatten)]
    logistic: logistic::LogisticArgs,
    #[command(flatten)]
    kernel: kernel::KernelArgs,
    #[command(flatten)]
    centres: kernel::CentreArgs,
    #[command(flatten)]
    features: kernel::FeatureArgs,
    #[command(flatten)]
    pilots: kernel::PilotArgs,
    #[command(flatten)]
    iterations: kernel::IterationArgs,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum YesNo {
    Yes,
    No,
}

#[derive(Clone, Copy, ValueEnum)]
enum Precision {
    F32,
    F64,
}

/// What a family is given to fit.
struct Job<'a> {
    args: &'a TrainArgs,
    source: &'a Source,
    train: Dataset,
    /// What was kept apart.
    validation: Option<Dataset>,
    /// Whether Ctrl-C was pressed.
    asked: Arc<AtomicBool>,
    /// Where the run goes on from.
    resume: Option<Checkpoint>,
    /// What makes the run what it is, for its file.
    arguments: Vec<String>,
    /// What the data is, likewise.
    data: Vec<(String, String)>,
}

impl Job<'_> {
    /// What every trace says of the data.
    fn record_data(&self, trace: &mut Trace) {
        trace.set("data", self.source.name);
        trace.set("training_samples", self.train.len());
        self.source.stride.into_iter().for_each(|stride| trace.set("stride", stride));
        for (name, k) in [("pca", self.args.pca), ("project", self.args.project)] {
            k.into_iter().for_each(|k| trace.set(name, k));
        }
        trace.set("validation_samples", self.validation.as_ref().map_or(0, |v| v.len()));
    }

    /// The same with seed and precision, as it stands in the trace of what is not trained by steps.
    fn record(&self, trace: &mut Trace, precision: &'static str) {
        self.record_data(trace);
        trace.set("seed", self.args.seed);
        trace.set("precision", precision);
    }

    /// What a file says of the model: settings and results, and how to come to it again.
    fn notes(&self, trace: &Trace, worked_out: &[(String, String)]) -> Notes {
        let settings = trace.settings.iter().map(|(name, value)| (name.clone(), value.to_string()));
        let results = trace.results.iter().map(|(name, value)| (name.clone(), value.to_string()));
        let about = settings.chain(results).collect();
        let (schema, arguments) = (self.source.schema.clone(), self.arguments.clone());
        let (data, worked_out) = (self.data.clone(), worked_out.to_vec());
        Notes { about, schema, arguments, data, worked_out }
    }

    /// Of an exact fit in `f64` with `width` numbers a sample: what it takes and what there is, if that is less.
    fn lacks_memory(&self, width: usize) -> Option<String> {
        let numbers = COPIES.saturating_mul(self.train.len() as u64).saturating_mul(width as u64);
        let (needed, room) = (numbers.saturating_mul(size_of::<f64>() as u64), memory::available());
        (needed > room.bytes).then(|| format!("about {}, and {room}", output::bytes(needed)))
    }

    /// Whether every feature is brought to mean 0 and variance 1: as asked for, or for tables.
    fn standardizes(&self) -> bool {
        self.args.standardize.map_or(self.source.is_table, |asked| asked == YesNo::Yes)
    }

    /// The preparation that every family begins with, fitted on the training samples.
    fn inputs(&self) -> Result<Inputs> {
        self.inputs_with(Ok)
    }

    /// The same with something between: what is done to a sample as it is, before it is made smaller.
    fn inputs_with(&self, between: impl FnOnce(Inputs) -> Result<Inputs>) -> Result<Inputs> {
        let (args, inputs) = (self.args, Inputs::of(&self.train));
        let inputs = between(if self.standardizes() { inputs.standardize(&self.train)? } else { inputs })?;
        match (args.pca, args.project) {
            (Some(k), _) => inputs.pca(&self.train, k).map_err(|error| fitting::renamed("pca", error)),
            (None, Some(k)) => {
                inputs.project(k, args.seed).map_err(|error| fitting::renamed("project", error))
            }
            (None, None) => Ok(inputs),
        }
    }

    /// How many features the model gets.
    fn width(&self) -> usize {
        self.args.pca.or(self.args.project).unwrap_or(self.train.features())
    }
}

/// Copies of the samples that an exact fit in `f64` holds: the data set's, one with ones or centred, and those of the
/// solver.
const COPIES: u64 = 4;

/// What has been fitted.
struct Done {
    model: Box<dyn Predictor>,
    trace: Trace,
    /// Whether the validation samples are still to be measured on.
    validates: bool,
    /// Whether Ctrl-C ended the fit before its time.
    interrupted: bool,
    /// Whether the trace is to be written: until there is an epoch, an old one is worth more.
    saves: bool,
    /// The run, where its file is to hold it too.
    run: Option<Checkpoint>,
    /// What was worked out for it: see [`Notes`].
    worked_out: Vec<(String, String)>,
}

impl Done {
    /// What was fitted in one go: there are no epochs that could have measured or kept anything on the way.
    fn at_once(model: Box<dyn Predictor>, trace: Trace) -> Done {
        Done {
            model,
            trace,
            validates: true,
            interrupted: false,
            saves: true,
            run: None,
            worked_out: Vec::new(),
        }
    }
}

/// Runs the command, whose arguments were parsed from `matches`.
pub fn run(args: &TrainArgs, matches: &ArgMatches) -> Outcome {
    match &args.resume {
        None => train(args, matches, None),
        Some(path) => {
            let (args, all, resumed) = resume::resumed(path, matches)?;
            // What is said anew is not among all: it says the same.
            let entry = entry(&args)?;
            refuse_others(entry, &(entry.uses)(&args), matches);
            train(&args, &all, Some(resumed))
        }
    }
}

/// The model that was asked for.
fn entry(args: &TrainArgs) -> Result<&'static Entry> {
    let found = MODELS.iter().find(|entry| entry.name == args.model);
    found.ok_or_else(|| Error::setting("model", format!("there is no `{}`", args.model)))
}

fn train(args: &TrainArgs, matches: &ArgMatches, resumed: Option<Resumed>) -> Outcome {
    let entry = entry(args)?;
    let uses = (entry.uses)(args);
    refuse_others(entry, &uses, matches);
    let asked = if uses.measures_when_interrupted { interrupt::watch() } else { interrupt::end_at_once() };
    let threads = args.threads.unwrap_or_else(linalg::available_threads);
    if !(1..=MOST_THREADS).contains(&threads) {
        return Err(
            Error::setting("threads", format!("{threads} is not between 1 and {MOST_THREADS}")).into()
        );
    }
    linalg::try_with_threads(threads, || {
        args.keeping.check(args)?;
        let mut source = (uses.open)(args).map_err(|error| match &resumed {
            Some(resumed) => resumed.explain(error),
            None => error,
        })?;
        source.limit(args.limit)?;
        if let Some(code) = interrupt::check(&asked) {
            return Ok(code);
        }
        // What an hour of training would end in is better said now.
        if source.test.is_empty() {
            return Err(Error::Data("there are no test samples to measure on".into()).into());
        }
        args.trace.as_ref().map_or(Ok(()), file::check_writable)?;
        args.report.as_ref().map_or(Ok(()), file::check_writable)?;
        args.save.as_ref().map_or(Ok(()), file::check_writable)?;
        let outputs = [("trace", &args.trace), ("report", &args.report), ("save", &args.save)];
        let outputs: Vec<_> =
            outputs.iter().filter_map(|(name, path)| Some((*name, path.as_ref()?))).collect();
        for (i, (name, path)) in outputs.iter().enumerate() {
            if let Some((other, _)) = outputs[..i].iter().find(|(_, other)| output::same_file(other, path)) {
                return Err(
                    Error::setting(name, format!("{} is the {other} already", text::path(path))).into()
                );
            }
        }
        keeping::refuse_inputs(args, &outputs)?;
        for (name, k) in [("pca", args.pca), ("project", args.project)] {
            let features = source.train.features();
            if let Some(k) = k.filter(|k| !(1..=features).contains(k)) {
                let why = format!(
                    "{} of {}; allowed is 1 to {features}",
                    count(k, "dimension"),
                    count(features, "feature")
                );
                return Err(Error::setting(name, why).into());
            }
        }
        let (train, validation) = hold_out(&source, args)?;
        let arguments = resume::arguments(matches);
        // Only for a file: it takes a look at every number.
        let data = match args.save {
            Some(_) => resume::data_of(&source.train, &source.test),
            None => Vec::new(),
        };
        if let Some(resumed) = &resumed {
            resumed.check(&data)?;
        }
        let resume = resumed.map(|resumed| resumed.checkpoint);
        let job = Job { args, source: &source, train, validation, asked, resume, arguments, data };
        match (entry.fit)(&job)? {
            Some(done) => measure(&job, done),
            None => Ok(ExitCode::from(interrupt::EXIT_CODE)),
        }
    })?
}

/// More threads than this are a slip of the finger; the operating system may not even start them.
const MOST_THREADS: usize = 1024;

/// Ends the program as wrong usage if a flag was given that the model does not take.
fn refuse_others(entry: &Entry, uses: &Uses, matches: &ArgMatches) {
    let command = TrainArgs::augment_args(clap::Command::new("tapegrad train"));
    // That of the command itself is not among them.
    let taken = [uses.groups, &["TrainArgs", "TableArgs"]].concat();
    let Some(flag) = not_taken(&command, &taken, matches) else { return };
    let why = format!("--{flag} has no meaning for --model {}{}", entry.name, uses.chosen_by);
    misused(command, why)
}

/// The first flag that was given and belongs to none of the structs `taken`.
pub fn not_taken(command: &clap::Command, taken: &[&str], matches: &ArgMatches) -> Option<String> {
    let given = |id: &clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    let others = command.get_groups().filter(|group| !taken.contains(&group.get_id().as_str()));
    let id = others.flat_map(|group| group.get_args()).find(|id| given(id))?;
    let flag = command.get_arguments().find(|arg| arg.get_id() == id).and_then(|arg| arg.get_long());
    Some(flag.unwrap_or(id.as_str()).to_string())
}

/// A share that leaves something.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| format!("{text} is not a share in [0, 1)"))
}

/// An error if a number of the data is beyond `T`, before anything is made of it.
fn check_range<T: Float>(source: &Source) -> Result<()> {
    source.train.check_range::<T>()?;
    source.test.check_range::<T>().map_err(|error| Error::Data(format!("test set: {error}")))
}

/// The last windows of a text, and those of the others that share no byte with them.
fn end_apart(windows: &Dataset, share: f64, stride: usize) -> Result<(Dataset, Dataset)> {
    let apart = (share * windows.len() as f64).round() as usize;
    let (first, overlap) = (windows.len() - apart, windows.features() / stride);
    let rows: Vec<usize> = (first..windows.len()).collect();
    Ok((windows.try_subset(&rows)?, windows.try_take(first.saturating_sub(overlap))?))
}

/// Training and validation samples; the split is drawn from the seed, class by class.
fn hold_out(source: &Source, args: &TrainArgs) -> Result<(Dataset, Option<Dataset>)> {
    let share = args.validation;
    if share == 0.0 {
        return Ok((source.train.clone(), None));
    }
    let (validation, train) = match source.stride {
        Some(stride) => end_apart(&source.train, share, stride)?,
        None => kept_apart(&source.train, share, args.seed)?,
    };
    if validation.is_empty() || train.is_empty() {
        let all = source.train.len();
        return Err(Error::setting(
            "validation",
            format!("{share} of {} leaves a set without any", count(all, "sample")),
        ));
    }
    Ok((train, Some(validation)))
}
