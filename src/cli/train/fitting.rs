//! What a training by steps can be told besides its optimizer: schedule, clipping, early stopping and so on.

use std::str::FromStr;
use std::sync::Arc;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, ValueEnum};

use super::super::{Failure, output};
use super::mlp::{Classes, Length};
use crate::data::{Augment, Batches, Dataset};
use crate::nn::Loss;
use crate::nn::loss::{CrossEntropy, MeanSquaredError, OneVsRest};
use crate::optim::schedule::{self, Goal, ReduceOnPlateau, Warmup};
use crate::optim::{Average, Clip, NonFinite};
use crate::tape::Param;
use crate::text::count;
use crate::train::{Criterion, EarlyStopping, FitOptions, History, Penalty, Rate, Stop, Trace};
use crate::{Error, Float, Result, Tape};

/// Schedule, clipping, early stopping, averages, penalties.
#[derive(Args)]
#[command(next_help_heading = "Schedule, clipping, early stopping (networks, logistic)")]
pub struct FitArgs {
    /// How the rate changes from step to step, over the whole run; plateau: when validation does not improve
    #[arg(long, value_name = "NAME", value_parser = schedule_names())]
    schedule: Option<String>,
    /// Steps in which the rate rises in a line to its first value
    #[arg(long, value_name = "STEPS", default_value_t = 0)]
    warmup: u64,
    /// Bound on the norm of all gradients together
    #[arg(long, value_name = "C")]
    clip_norm: Option<f64>,
    /// Bound on the magnitude of every entry of the gradients
    #[arg(long, value_name = "C")]
    clip_value: Option<f64>,
    /// What a gradient that is not finite does
    #[arg(long, value_enum, default_value_t = WhenNotFinite::Error)]
    non_finite: WhenNotFinite,
    /// gl:ALPHA, pq:ALPHA[:STRIP], up:TIMES[:STRIP] (Prechelt), or patience:EPOCHS[:MIN_DELTA]
    #[arg(long, value_name = "CRITERION")]
    early_stopping: Option<Stopping>,
    /// Validate and end with the exponential average of the weights, of this decay per step
    #[arg(long, value_name = "DECAY")]
    ema: Option<f64>,
    /// Probability taken from the true class and spread evenly over all
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    label_smoothing: f64,
    /// Let classes count alike in the loss, however many samples they have: n/(classes·samples of the class)
    #[arg(long, value_enum)]
    class_weight: Option<ClassWeight>,
    /// λ of λ/2·‖w‖² in the loss, of the weights and not the biases
    #[arg(long, value_name = "LAMBDA")]
    l2: Option<f64>,
    /// Change the images at random each time they are seen: shift=PIXELS, rotate=DEGREES, scale=SHARE, shear=SHARE,
    /// elastic=ALPHA[,smooth=SIGMA], several separated by commas, as shift=2,rotate=10,elastic=34
    #[arg(long, value_name = "CHANGES", default_value = "none", value_parser = augment)]
    augment: Augment,
    /// Print after the run, and write to the trace, how gradients flow through the layers
    #[arg(long)]
    audit: bool,
}

/// The message without the name of the flag, which clap puts before it.
fn augment(text: &str) -> Result<Augment, String> {
    text.parse().map_err(|error| match error {
        Error::Setting { why, .. } => why,
        other => other.to_string(),
    })
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum ClassWeight {
    /// Rare classes weigh more
    Balanced,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum WhenNotFinite {
    /// Ends the run with an error that names the parameter
    Error,
    /// Leaves the step out, and counts it
    Skip,
}

/// A criterion as it is written on the command line.
#[derive(Clone, Copy, PartialEq)]
pub struct Stopping(Criterion);

impl FromStr for Stopping {
    type Err = String;

    fn from_str(text: &str) -> Result<Stopping, String> {
        let mut parts = text.split(':');
        let (name, first, second) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        if parts.next().is_some() {
            return Err("too many parts".into());
        }
        let criterion = match name {
            "gl" if second.is_none() => {
                Criterion::GeneralizationLoss { alpha: number(first, Some(5.0), "ALPHA")? }
            }
            "gl" => return Err("gl takes ALPHA only".into()),
            "pq" => Criterion::ProgressQuotient {
                alpha: number(first, Some(1.0), "ALPHA")?,
                strip: number(second, Some(STRIP), "STRIP")?,
            },
            "up" => Criterion::Up {
                times: number(first, Some(3), "TIMES")?,
                strip: number(second, Some(STRIP), "STRIP")?,
            },
            "patience" => Criterion::Patience {
                epochs: number(first, None, "EPOCHS")?,
                min_delta: number(second, Some(0.0), "MIN_DELTA")?,
            },
            _ => return Err("there are gl, pq, up and patience".into()),
        };
        Ok(Stopping(criterion))
    }
}

/// An error about a setting under the name of the flag that set it.
pub fn renamed(flag: &'static str, error: Error) -> Error {
    match error {
        Error::Setting { why, .. } => Error::setting(flag, why),
        other => other,
    }
}

/// The same with the name of the setting within.
fn named(flag: &'static str, error: Error) -> Error {
    match error {
        Error::Setting { name, why } => Error::setting(flag, format!("{name}: {why}")),
        other => other,
    }
}

/// Prechelt's length of a training strip.
const STRIP: usize = 5;

fn number<N: FromStr>(text: Option<&str>, usual: Option<N>, name: &str) -> Result<N, String> {
    match (text, usual) {
        (Some(text), _) => text.parse().map_err(|_| format!("{name} is `{text}`, not a number that fits")),
        (None, Some(usual)) => Ok(usual),
        (None, None) => Err(format!("{name} is missing")),
    }
}

/// The schedules of the library, and the one that follows a metric.
const PLATEAU: &str = "plateau";

fn schedule_names() -> PossibleValuesParser {
    let known = schedule::schedules().iter().map(|entry| PossibleValue::new(entry.name).help(entry.about));
    let plateau = PossibleValue::new(PLATEAU).help("a tenth when the loss has not improved for 3 epochs");
    known.chain([plateau]).collect::<Vec<_>>().into()
}

/// Epochs without improvement that a plateau is borne for, with runs of ten epochs in mind.
const PLATEAU_PATIENCE: u64 = 2;

impl FitArgs {
    /// What the run is told, for a first rate `lr`; what is set stands in the trace. `weights` are what the
    /// penalty is on.
    #[allow(clippy::too_many_arguments)] // Each is one thing that a fit is told.
    pub fn options<T: Float>(
        &self,
        steps: Length,
        seed: u64,
        lr: f64,
        samples: usize,
        weights: Vec<Param>,
        least_batch: usize,
        validated: bool,
    ) -> Result<FitOptions> {
        if let Some(Stopping(criterion)) = self.early_stopping {
            EarlyStopping::<f64>::new(criterion).map_err(|error| named("early_stopping", error))?;
        }
        if let Some(decay) = self.ema {
            Average::<T>::exponential(decay).map_err(|error| renamed("ema", error))?;
        }
        // What an hour of training would end in is better said now.
        let batches = Batches::shuffled(samples, steps.batch, seed)?;
        let short = (1..least_batch).contains(&(samples % steps.batch));
        let per_epoch = (batches.per_epoch() - usize::from(short)) as u64;
        let mut clip = Clip::none().with_non_finite(match self.non_finite {
            WhenNotFinite::Error => NonFinite::Error,
            WhenNotFinite::Skip => NonFinite::Skip,
        });
        if let Some(max) = self.clip_norm {
            clip = clip.with_norm(max)?;
        }
        if let Some(max) = self.clip_value {
            clip = clip.with_value(max)?;
        }
        clip.check::<T>()?;
        if self.early_stopping.is_some() && !validated {
            let why = "it needs samples to judge by: keep some apart, with --validation 0.1";
            return Err(Error::setting("early_stopping", why));
        }
        Ok(FitOptions {
            rate: self.rate(lr, per_epoch.saturating_mul(steps.epochs as u64))?,
            clip,
            early_stopping: self.early_stopping.map(|stopping| stopping.0),
            average: self.ema,
            penalty: self.l2.map(|lambda| Penalty { lambda, params: weights }),
            audit: self.audit,
            augment: Some(self.augment),
            ..FitOptions::new(steps.epochs, steps.batch, seed)
        })
    }

    fn rate(&self, lr: f64, steps: u64) -> Result<Rate> {
        let name = match (self.schedule.as_deref(), self.warmup) {
            (None, 0) => return Ok(Rate::Fixed),
            (Some(PLATEAU), 0) => {
                let plateau = ReduceOnPlateau::new(lr, Goal::Small)?.with_patience(PLATEAU_PATIENCE);
                return Ok(Rate::Plateau(plateau));
            }
            (Some(PLATEAU), _) => {
                return Err(Error::setting(
                    "warmup",
                    "plateau follows the epochs and has no steps to warm up in",
                ));
            }
            (_, warmup) if warmup > steps => {
                let why = format!(
                    "{warmup} is more than the {} of the run, which would end below the rate",
                    count(steps, "step")
                );
                return Err(Error::setting("warmup", why));
            }
            _ => self.schedule(),
        };
        let after = (schedule::find(name)?.schedule)(lr, steps.saturating_sub(self.warmup))?;
        Ok(Rate::Schedule(match self.warmup {
            0 => Arc::from(after),
            warmup => Arc::new(Warmup::new(warmup, after)),
        }))
    }

    /// The name of the schedule, where none was said too.
    pub fn schedule(&self) -> &str {
        self.schedule.as_deref().unwrap_or("constant")
    }

    /// The loss of these classes, or of values, with what was asked for.
    pub fn loss<T: Float>(&self, classes: Option<Classes>, train: &Dataset) -> Result<Arc<dyn Loss<T>>> {
        if self.class_weight.is_some() && classes != Some(Classes::Softmax) {
            let why = "it weighs the classes of a softmax, and there is none";
            return Err(Error::setting("class_weight", why));
        }
        match classes {
            None if self.label_smoothing != 0.0 => {
                Err(Error::setting("label_smoothing", "values have no labels to smooth"))
            }
            None => Ok(Arc::new(MeanSquaredError)),
            Some(Classes::Softmax) => {
                let loss = CrossEntropy::default().with_smoothing(self.label_smoothing);
                let loss = match self.class_weight {
                    Some(ClassWeight::Balanced) => loss.and_then(|loss| loss.with_balanced_classes(train)),
                    None => loss,
                };
                let checked = loss.and_then(|loss| loss.check::<T>().map(|()| loss));
                Ok(Arc::new(checked.map_err(|error| renamed("label_smoothing", error))?))
            }
            Some(Classes::OneVsRest) if self.label_smoothing != 0.0 => {
                Err(Error::setting("label_smoothing", "only the softmax over all classes has it"))
            }
            Some(Classes::OneVsRest) => Ok(Arc::new(OneVsRest)),
            Some(Classes::Reconstruction) => Ok(Arc::new(MeanSquaredError)),
        }
    }

    /// Whether the flow of gradients was asked for.
    pub fn audits(&self) -> bool {
        self.audit
    }

    /// What is set, for the trace.
    pub fn record(&self, options: &FitOptions, trace: &mut Trace) {
        match &options.rate {
            Rate::Fixed => (),
            Rate::Schedule(schedule) => trace.set("schedule", schedule.to_string()),
            Rate::Plateau(plateau) => trace.set("schedule", plateau.to_string()),
        }
        for (name, value) in [
            ("clip_norm", self.clip_norm),
            ("clip_value", self.clip_value),
            ("ema", self.ema),
            ("l2", self.l2),
            ("label_smoothing", Some(self.label_smoothing).filter(|p| *p > 0.0)),
        ] {
            if let Some(value) = value {
                trace.set(name, value);
            }
        }
        if self.class_weight.is_some() {
            trace.set("class_weight", "balanced");
        }
        if self.non_finite == WhenNotFinite::Skip {
            trace.set("non_finite", "skip");
        }
        if let Some(augment) = options.augmentation() {
            trace.set("augment", augment.to_string());
        }
        if let Some(criterion) = options.early_stopping {
            trace.set("early_stopping", criterion.to_string());
        }
    }

    /// What came of it, for people and for the trace.
    pub fn conclude<T: Float>(
        &self,
        fitted: &History,
        tape: &Tape<T>,
        trace: &mut Trace,
        quiet: bool,
    ) -> Result<(), Failure> {
        if let Some(best) = fitted.best_epoch {
            trace.result("best_epoch", best as f64);
            if !quiet {
                let ended = match fitted.stop {
                    Stop::Early { epoch } => format!("stopped early after epoch {epoch}; "),
                    _ => String::new(),
                };
                output::line(format_args!("{ended}the weights of epoch {best} are put back"))?;
            }
        }
        if self.non_finite == WhenNotFinite::Skip {
            trace.result("skipped_steps", fitted.skipped as f64);
            if !quiet {
                output::line(format_args!(
                    "{} left out, as no gradient there was finite",
                    count(fitted.skipped as usize, "step")
                ))?;
            }
        }
        let why = "their gradients are zero, or the rate is too small for them";
        if !fitted.unmoved.is_empty() {
            let names: Vec<&str> = fitted.unmoved.iter().map(|p| tape.name(*p)).collect();
            trace.result("unmoved_parameters", names.len() as f64);
            output::note(format_args!(
                "not moved by a single bit in the whole run: {}; {why}",
                names.join(", ")
            ));
        }
        if fitted.idle_epochs > 0 {
            trace.result("idle_epochs", fitted.idle_epochs as f64);
            output::note(format_args!("no weight moved in {}; {why}", count(fitted.idle_epochs, "epoch")));
        }
        if self.audit
            && !quiet
            && let Some(audit) = trace.epochs.last().and_then(|epoch| epoch.audit.as_ref())
        {
            output::write(format_args!("\ngradient flow in the last epoch, means over its steps:\n{audit}"))?;
        }
        Ok(())
    }
}
