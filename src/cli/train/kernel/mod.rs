//! Kernel machines: exact, on centres, on random features.

mod prepare;

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use nalgebra::DMatrix;
use prepare::Budget;

use super::super::{Failure, output};
use super::{Done, INTERRUPTED, Job, Precision, TrainArgs, YesNo, check_range};
use crate::data::preprocess::TargetScale;
use crate::models::Fitted;
use crate::models::kernel::{
    Centres, FalkonOptions, FourierRidge, IterativeOptions, IterativeProgress, Kernel, KernelMachine,
    KernelRidge, Nonlinearity, NystromOptions, RidgeOptions, Samples, falkon_observed, iterative_ridge,
    kernels, nystrom as fit_nystrom, one_vs_rest,
};
use crate::train::{Trace, Value};
use crate::{Error, Float, Result, text};

/// Preparation of the samples, kernel, ridge and memory.
#[derive(Args)]
#[command(next_help_heading = "Kernel machines (krr, nystrom, rff, falkon, cg)")]
pub struct KernelArgs {
    /// Smooth images by a bell of so many pixels' standard deviation; 0 for none
    #[arg(long, value_name = "SIGMA", default_value_t = 1.2)]
    smooth: f64,
    /// Scale every sample to length 1 [default: yes; no for tables]
    #[arg(long, value_enum)]
    normalize: Option<YesNo>,
    /// Kernel; rff takes rbf only
    #[arg(long, value_name = "NAME", default_value = "rbf", value_parser = kernel_names())]
    kernel: String,
    /// γ, or `median` for the median heuristic [default: by the scale of the data; for rbf
    /// 5 × median, of a table the median]
    #[arg(long, value_name = "GAMMA", allow_hyphen_values = true)]
    gamma: Option<Gamma>,
    /// ℓ of the Matérn kernels [default: the median distance]
    #[arg(long, value_name = "LENGTH")]
    length_scale: Option<f64>,
    /// Degree of the polynomial kernel [default: 3]
    #[arg(long, value_name = "D")]
    degree: Option<u32>,
    /// c₀ of the polynomial kernel [default: 1]
    #[arg(long, value_name = "C")]
    offset: Option<f64>,
    /// Hidden layers of the infinite network behind nngp and ntk [default: 1]
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Activation of that network: relu or erf [default: relu]
    #[arg(long, value_name = "NAME")]
    nonlinearity: Option<Nonlinearity>,
    /// Variance of that network's weights, times its width [default: 2]
    #[arg(long, value_name = "VARIANCE")]
    weight_variance: Option<f64>,
    /// Variance of that network's biases [default: 0]
    #[arg(long, value_name = "VARIANCE")]
    bias_variance: Option<f64>,
    /// λ of K + nλI [default: 1e-3/n; 1/n for rff and for tables, 0.1/n for cg]
    #[arg(long, value_name = "LAMBDA")]
    ridge: Option<f64>,
    /// Memory that the fit may take, in GiB, within what control groups and ulimit leave [default: 8, or what
    /// the machine has left]
    #[arg(long, value_name = "GIB")]
    memory: Option<f64>,
}

/// Centres of an approximation.
#[derive(Args)]
#[command(next_help_heading = "Kernel machines on centres (nystrom, falkon)")]
pub struct CentreArgs {
    /// Number of centres, at most as many as samples [default: 4000, for falkon 16000, or all]
    #[arg(long, value_name = "M")]
    centres: Option<usize>,
    /// Each sample alike, or by its approximate leverage
    #[arg(long, value_enum, default_value_t = Selection::Uniform)]
    selection: Selection,
}

/// Size of a map to random features.
#[derive(Args)]
#[command(next_help_heading = "Random Fourier features (rff)")]
pub struct FeatureArgs {
    /// Number of features, even: each frequency has a cosine and a sine
    #[arg(long, value_name = "N", default_value_t = 8000)]
    features: usize,
}

/// What the preconditioner is made of.
#[derive(Args)]
#[command(next_help_heading = "Conjugate gradients on all samples (cg)")]
pub struct PilotArgs {
    /// Samples that the preconditioner is made of [default: 2000, or all samples]
    #[arg(long, value_name = "S")]
    pilots: Option<usize>,
}

/// How long to iterate.
#[derive(Args)]
#[command(next_help_heading = "Conjugate gradients (falkon, cg)")]
pub struct IterationArgs {
    /// Most iterations
    #[arg(long, value_name = "N", default_value_t = 20)]
    iterations: usize,
    /// Stop where the residual is below this part of the first
    #[arg(long, value_name = "SHARE", default_value_t = 1e-4)]
    tolerance: f64,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Selection {
    Uniform,
    Leverage,
}

/// γ as it may be asked for.
#[derive(Clone, Copy, PartialEq)]
enum Gamma {
    Median,
    Number(f64),
}

impl FromStr for Gamma {
    type Err = String;

    fn from_str(text: &str) -> Result<Gamma, String> {
        match text {
            "median" => Ok(Gamma::Median),
            _ => text.parse().map(Gamma::Number).map_err(|_| "neither a number nor `median`".into()),
        }
    }
}

fn kernel_names() -> PossibleValuesParser {
    let value =
        |entry: &crate::models::kernel::KernelEntry<f64>| PossibleValue::new(entry.name).help(entry.formula);
    kernels::<f64>().iter().map(value).collect::<Vec<_>>().into()
}

/// How a kernel machine is fitted.
#[derive(Clone, Copy, PartialEq)]
pub enum Method {
    Exact,
    /// On centres, solved directly.
    Nystrom,
    /// On random Fourier features.
    Fourier,
    /// On centres, by iteration.
    Falkon,
    /// On all samples, by iteration.
    Iterative,
}

/// Fits by the method.
pub fn fit(job: &Job<'_>, method: Method) -> Result<Option<Done>, Failure> {
    // The exact fit has the most to lose by rounding: its matrix is the largest and not preconditioned.
    let usual = if method == Method::Exact { Precision::F64 } else { Precision::F32 };
    match job.args.precision.unwrap_or(usual) {
        Precision::F32 => fit_in::<f32>(job, method),
        Precision::F64 => fit_in::<f64>(job, method),
    }
}

fn fit_in<T: Float>(job: &Job<'_>, method: Method) -> Result<Option<Done>, Failure> {
    let Job { args, source, train, .. } = job;
    check_range::<T>(source)?;
    let (lambda, budget) = (ridge(job, method), Budget::new(args)?);
    let ridge = RidgeOptions { lambda, memory: budget.bytes };
    ridge.check_lambda::<T>(train.len())?;
    prepare::check_samples::<T>(train, &budget)?;
    let inputs = prepare::inputs::<T>(job)?;
    let x = Samples::<T>::from_dataset(&inputs.prepare(train)?)?;
    // Of values, only how they differ from their mean: a kernel machine has no intercept.
    let scale = if train.targets().is_some() { Some(TargetScale::fit(train)?) } else { None };
    let y = match (&scale, train.labels()) {
        (Some(scale), _) => scale.apply(train)?.targets_matrix::<T>(),
        (None, Some(labels)) => one_vs_rest::<T>(labels, train.classes())?,
        (None, None) => return Err(Error::Data("there are neither classes nor values to tell".into()).into()),
    };
    let kernel = prepare::kernel(job, &x)?;

    let mut trace = Trace::default();
    trace.set("model", &args.model);
    trace.set("smooth", args.kernel.smooth);
    trace.set("normalize", prepare::normalizes(job));
    trace.set("kernel", kernel.name());
    trace.set("ridge", Value::Scientific(lambda));
    job.record(&mut trace, T::NAME);
    if !args.quiet {
        output::line(source.summary())?;
        output::line(format_args!("kernel: {}, λ={lambda:e}, precision: {}", kernel.name(), T::NAME))?;
        if let Some(note) = budget.note(args) {
            output::line(note)?;
        }
    }
    let start = Instant::now();
    let Machine { machine, interrupted } = match solve(job, method, kernel, &x, &y, ridge, &mut trace) {
        Err(Failure::Error(Error::Interrupted)) => {
            output::note("interrupted before the first iteration was finished: there is nothing to measure");
            return Ok(None);
        }
        Err(Failure::Error(error)) => return Err(budget.explain(error).into()),
        fitted => fitted?,
    };
    let seconds = start.elapsed().as_secs_f64();
    // Only now: the fit itself knows whether its settings are right, and whether the memory is enough.
    source.warn();
    if args.trace_times {
        trace.result("fit_seconds", seconds);
    }
    if !args.quiet {
        output::line(format_args!("{}: fitted in {seconds:.1} s", machine.name()))?;
    }
    if interrupted {
        trace.result(INTERRUPTED, 1.0);
    }
    let model = Box::new(match scale {
        Some(scale) => Fitted::regressor(machine, inputs, train)?.with_target_scale(scale)?,
        None => Fitted::classifier(machine, inputs, train)?,
    });
    Ok(Some(Done { interrupted, ..Done::at_once(model, trace) }))
}

struct Machine<T: Float> {
    machine: Box<dyn KernelMachine<T>>,
    interrupted: bool,
}

/// The machine itself; the settings of the method go to the trace first.
fn solve<T: Float>(
    job: &Job<'_>,
    method: Method,
    kernel: Arc<dyn Kernel<T>>,
    x: &Samples<T>,
    y: &DMatrix<T>,
    ridge: RidgeOptions,
    trace: &mut Trace,
) -> Result<Machine<T>, Failure> {
    let Job { args, asked, .. } = job;
    let seed = args.seed;
    let selection = match args.centres.selection {
        Selection::Uniform => Centres::Uniform,
        Selection::Leverage => Centres::LeverageScores { pilots: PILOTS.min(x.len()) },
    };
    let usual = if method == Method::Falkon { 16_000 } else { 4000 };
    let centres = args.centres.centres.unwrap_or(usual.min(x.len()));
    if matches!(method, Method::Nystrom | Method::Falkon) {
        trace.set("centres", centres);
        let leverage = args.centres.selection == Selection::Leverage;
        trace.set("selection", if leverage { "leverage" } else { "uniform" });
    }
    let whole = |machine: Box<dyn KernelMachine<T>>| Machine { machine, interrupted: false };
    match method {
        Method::Exact => {
            let _bar = waiting(args, 0);
            let fit = KernelRidge::fit(kernel, x, y, ridge).map_err(name_models)?;
            Ok(whole(Box::new(fit)))
        }
        Method::Nystrom => {
            let _bar = waiting(args, 0);
            let fit = fit_nystrom(kernel, x, y, NystromOptions { ridge, centres, selection, seed })?;
            Ok(whole(Box::new(fit)))
        }
        Method::Fourier => {
            let features = args.features.features;
            if !features.is_multiple_of(2) {
                let why = format!("{features} is odd: each frequency has a cosine and a sine");
                return Err(Error::setting("features", why).into());
            }
            trace.set("features", features);
            let _bar = waiting(args, 0);
            let fit = FourierRidge::fit(kernel.as_ref(), x, y, features / 2, seed, ridge)?;
            Ok(whole(Box::new(fit)))
        }
        Method::Falkon | Method::Iterative => {
            let IterationArgs { iterations, tolerance } = args.iterations;
            let pilots = args.pilots.pilots.unwrap_or(2000.min(x.len()));
            if method == Method::Iterative {
                trace.set("pilots", pilots);
            }
            trace.set("iterations", iterations);
            trace.set("tolerance", Value::Scientific(tolerance));
            let bar = waiting(args, iterations as u64);
            let mut interrupted = false;
            let mut observe = |progress| {
                if let IterativeProgress::Iteration { number, residual } = progress {
                    bar.set_position(number as u64);
                    bar.set_message(format!("residual {residual:.1e}"));
                }
                interrupted = asked.load(Ordering::SeqCst);
                if interrupted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let (machine, residuals, held) = if method == Method::Falkon {
                let options = FalkonOptions { ridge, centres, selection, seed, iterations, tolerance };
                let fit = falkon_observed(kernel, x, y, options, &mut observe)?;
                (fit.machine, fit.residuals, fit.rows_held)
            } else {
                let options = IterativeOptions { ridge, pilots, seed, iterations, tolerance };
                let fit = iterative_ridge(kernel, x, y, options, &mut observe)?;
                (fit.machine, fit.residuals, fit.rows_held)
            };
            bar.finish_and_clear();
            let done = residuals.len();
            let residual = residuals.last().copied().unwrap_or(1.0);
            // With the last iteration there was nothing left to interrupt.
            let interrupted = interrupted && done < iterations && residual > tolerance;
            if interrupted {
                output::note(format_args!("interrupted after iteration {done}; measuring what there is"));
            }
            trace.result("iterations_done", done as f64);
            trace.result("residual", residual);
            if residual > 1.0 {
                output::note(format_args!(
                    "note: the iteration has not converged: its residual is {residual:.1e} of the first; more \
                     centres or pilots, a larger ridge or f64 may help"
                ));
            }
            if !args.quiet {
                let (done, rows) = (text::count(done, "iteration"), text::count(x.len(), "row"));
                output::line(format_args!(
                    "{done} to a residual of {residual:.1e}; {held} of {rows} held in memory"
                ))?;
            }
            Ok(Machine { machine: Box::new(machine), interrupted })
        }
    }
}

/// Samples from which leverages are estimated.
const PILOTS: usize = 1000;

/// λ.
fn ridge(job: &Job<'_>, method: Method) -> f64 {
    let usual = match method {
        // Rows of a table have noise in what is told of them; the classes of images next to none.
        _ if job.source.is_table => 1.0,
        // Features in single precision lose a smaller ridge to rounding.
        Method::Fourier => 1.0,
        // A smaller one is too far from solved after the usual number of iterations.
        Method::Iterative => 0.1,
        _ => 1e-3,
    };
    job.args.kernel.ridge.unwrap_or(usual / job.train.len() as f64)
}

/// Names the flag to the way out of too little memory.
fn name_models(error: Error) -> Error {
    match error {
        Error::Setting { name: "memory", why } => {
            Error::setting("memory", format!("{why} (--model nystrom, rff, falkon or cg)"))
        }
        other => other,
    }
}

/// A sign of life on a terminal, with as many iterations as are known.
fn waiting(args: &TrainArgs, iterations: u64) -> Waiting {
    if args.quiet || !std::io::stderr().is_terminal() {
        return Waiting(ProgressBar::hidden());
    }
    let bar = ProgressBar::new(iterations);
    let template = if iterations == 0 {
        "{spinner} fitting, {elapsed}"
    } else {
        "{spinner} {elapsed} iteration {pos}/{len} {wide_bar} {msg}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    Waiting(bar)
}

/// A bar that goes away with an error too.
struct Waiting(ProgressBar);

impl std::ops::Deref for Waiting {
    type Target = ProgressBar;

    fn deref(&self) -> &ProgressBar {
        &self.0
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
