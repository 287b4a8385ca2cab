//! `tapegrad experiments`: claims of the theory, tried out, as a page.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::error::ErrorKind;
use indicatif::{ProgressBar, ProgressStyle};

use super::opening::{TEST_DIGITS, TRAINING_DIGITS, USUAL_FOLDER, usual_folder};
use super::{Failure, Outcome, interrupt, output, quoted};
use crate::experiments::{
    Context, EXPERIMENTS, Experiment, ExperimentData, Finished, ReportFolder, Settings, find,
};
use crate::report::Verdict;
use crate::{Error, Result, linalg, text};

/// Try out what the theory claims, and write a page about it
#[derive(Args)]
#[command(after_help = "\
Examples:
  tapegrad experiments --list
  tapegrad experiments --all --quick
  tapegrad experiments rosenbrock spiral --out /tmp/report

What is finished stays when a run is interrupted, and the next one with the same settings goes on from
there. An experiment with other settings, or of another version of the program, is run again.")]
pub struct ExperimentsArgs {
    /// Which ones
    #[arg(value_name = "NAME", value_parser = names(), hide_possible_values = true, ignore_case = true)]
    names: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Tell which there are, and what they ask
    #[arg(long)]
    list: bool,
    /// Smaller ones on synthetic digits: about two minutes for all on two cores
    #[arg(long)]
    quick: bool,
    /// Folder with the four MNIST files [default: data/mnist, else synthetic digits; the latter also
    /// with --quick]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder to write to; it is made if need be
    #[arg(long, value_name = "DIR", default_value = "report")]
    out: PathBuf,
    /// Seed of everything that is random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

fn names() -> PossibleValuesParser {
    EXPERIMENTS.iter().map(|e| PossibleValue::new(e.name).help(e.question)).collect::<Vec<_>>().into()
}

/// Runs the command.
pub fn run(args: &ExperimentsArgs) -> Outcome {
    if args.list {
        let widest = EXPERIMENTS.iter().map(|e| e.name.len()).max().unwrap_or(0);
        for experiment in EXPERIMENTS {
            output::line(format_args!("{:widest$}  {}", experiment.name, experiment.question))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.names.is_empty() && !args.all {
        // Not by declaration: that message would name the names only.
        let mut command = ExperimentsArgs::augment_args(clap::Command::new("tapegrad experiments"));
        let why = "name the experiments to run, or give --all or --list";
        command.error(ErrorKind::MissingRequiredArgument, why).exit()
    }
    let asked = interrupt::watch();
    let chosen: Vec<&Experiment> = if args.all {
        EXPERIMENTS.iter().collect()
    } else {
        args.names.iter().map(|name| find(&name.to_lowercase())).collect::<Result<_>>()?
    };
    linalg::try_with_threads(linalg::available_threads(), || -> Outcome {
        let images = args.images()?;
        let data = open_data(images, args.quick)?;
        if images.is_none() && !args.quick {
            let why = format!("no folder was named with --data and {USUAL_FOLDER} is not there");
            output::note(format_args!("note: the images are synthetic digits, as {why}"));
        }
        for difference in data.train.differences(&data.test) {
            output::warning(difference);
        }
        let folder = ReportFolder::open(&args.out)?;
        for experiment in &chosen {
            folder.check(experiment.name)?;
        }
        let (mut failed, mut page) = (Vec::new(), PageOf::new(&folder));
        let mut all = || -> std::result::Result<Option<ExitCode>, Failure> {
            for experiment in &chosen {
                if let Some(code) = interrupt::check(&asked) {
                    return Ok(Some(code));
                }
                let settings = Settings::new(experiment, args.quick, args.seed, &data);
                let kept = folder.finished(experiment.name).unwrap_or_else(|error| {
                    output::note(format_args!(
                        "note: the kept result of {} cannot be used, so it is run again: {error}",
                        experiment.name
                    ));
                    None
                });
                if let Some(finished) = kept {
                    if finished.settings == settings {
                        page.behind = true;
                        folder.restore(&finished)?;
                        output::line(summary(&finished) + ", kept from an earlier run")?;
                        continue;
                    }
                    // Other settings the user has asked for; another program may come as a surprise.
                    if finished.settings.version != settings.version {
                        output::note(format_args!(
                            "note: the kept result of {} is of another version, so it is run again",
                            experiment.name
                        ));
                    }
                }
                let bar = progress_bar(experiment.name);
                let progress = |share: f64, what: &str| {
                    bar.set_position((share * BAR_STEPS as f64) as u64);
                    bar.set_message(what.to_string());
                };
                let start = Instant::now();
                let context = Context::new(args.quick, args.seed, &data, &progress, &asked);
                let result = experiment.run(&context);
                bar.finish_and_clear();
                let measured = match result {
                    Ok(measured) => measured,
                    Err(Error::Interrupted) => {
                        output::note(format_args!(
                            "interrupted in {}; what is finished stays",
                            experiment.name
                        ));
                        return Ok(Some(ExitCode::from(interrupt::EXIT_CODE)));
                    }
                    // The others do not depend on it.
                    Err(error) => {
                        output::note(format_args!("error: {}: {error}", experiment.name));
                        failed.push(experiment.name);
                        continue;
                    }
                };
                let (command, seconds) = (args.command(experiment, images), start.elapsed().as_secs_f64());
                let finished = Finished::new(settings, command, seconds, measured);
                folder.keep(&finished)?;
                page.one_more(args.quick)?;
                output::line(summary(&finished))?;
            }
            // Its path is printed below, so that it is written even if nothing new was kept.
            page.behind = true;
            Ok(None)
        };
        // What is kept is on the page however the run ends, also by an error.
        let ended = all();
        let written = page.write_rest();
        if let Some(code) = ended? {
            written?;
            return Ok(code);
        }
        written?;
        for other in EXPERIMENTS.iter().filter(|other| chosen.iter().all(|c| c.name != other.name)) {
            if let Err(error) = folder.finished(other.name) {
                let name = other.name;
                output::note(format_args!("note: {name} is left out of the page: {error}"));
            }
        }
        output::line(text::path(&folder.page()))?;
        if failed.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let failed = failed.join(", ");
        Err(Error::Data(format!("not finished: {failed}; run the same command to try again")).into())
    })?
}

/// Writes the page of a folder as results come in. Each time all kept results are read, half a second for the quick ones:
/// after every experiment that was 12 seconds of a quick run.
struct PageOf<'a> {
    folder: &'a ReportFolder,
    /// When it was written last, or the run began.
    written: Instant,
    /// Whether there may be results that it does not show.
    behind: bool,
}

impl<'a> PageOf<'a> {
    /// In a quick run, the least time between one page and the next. The last one does not wait.
    const BETWEEN: Duration = Duration::from_secs(30);

    fn new(folder: &'a ReportFolder) -> Self {
        PageOf { folder, written: Instant::now(), behind: false }
    }

    /// A result has been kept.
    fn one_more(&mut self, quick: bool) -> Result<()> {
        self.behind = true;
        if quick && self.written.elapsed() < Self::BETWEEN { Ok(()) } else { self.write_rest() }
    }

    /// Writes it if it is behind.
    fn write_rest(&mut self) -> Result<()> {
        if self.behind {
            self.folder.write_page()?;
            (self.written, self.behind) = (Instant::now(), false);
        }
        Ok(())
    }
}

impl ExperimentsArgs {
    /// The folder with the images: that of `--data`, else the usual one, which a quick run does not look for.
    fn images(&self) -> Result<Option<&Path>> {
        match &self.data {
            Some(folder) => Ok(Some(folder)),
            None if self.quick => Ok(None),
            None => usual_folder(),
        }
    }

    /// The command that runs this one experiment in the same way.
    fn command(&self, experiment: &Experiment, images: Option<&Path>) -> String {
        let quick = if self.quick { " --quick" } else { "" };
        let data = images
            .map_or(String::new(), |folder| format!(" --data {}", quoted(&folder.display().to_string())));
        format!("tapegrad experiments {}{quick}{data} --seed {}", experiment.name, self.seed)
    }
}

/// The images to train on: those in the folder, else synthetic digits.
fn open_data(folder: Option<&Path>, quick: bool) -> Result<ExperimentData> {
    let (training, test) = ExperimentData::QUICK;
    match folder {
        Some(folder) if quick => Ok(ExperimentData::mnist(folder)?.take(training, test)),
        Some(folder) => ExperimentData::mnist(folder),
        None if quick => ExperimentData::synthetic(training, test),
        None => ExperimentData::synthetic(TRAINING_DIGITS, TEST_DIGITS),
    }
}

fn summary(finished: &Finished) -> String {
    let section = &finished.outcome().section;
    let open = match section.count(Verdict::NotDecided) {
        0 => String::new(),
        open => format!(", {open} not decided by this run"),
    };
    let (name, held, all) =
        (&finished.settings.experiment, section.count(Verdict::Holds), section.claims.len());
    format!("{name}: {held} of {all} claims hold{open} ({:.1} s)", finished.seconds)
}

const BAR_STEPS: u64 = 1000;

fn progress_bar(name: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(BAR_STEPS);
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {percent}%, {elapsed}, {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(name.to_string());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
