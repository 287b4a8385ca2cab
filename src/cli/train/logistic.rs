//! Logistic regression: by steps on the tape, or by Newton's method to the exact optimum.

use std::time::Instant;

use clap::{Args, ValueEnum};

use super::super::reading::is_table;
use super::super::{Failure, output};
use super::{Done, Job, Precision, TrainArgs, Uses, direct, mlp};
use crate::Error;
use crate::models::{Fitted, LogisticOptions, LogisticRegression, Mlp, Scheme};
use crate::nn::Activation;
use crate::text::count;
use crate::train::Trace;

/// How classes are told apart, and how the optimum is looked for.
#[derive(Args)]
#[command(next_help_heading = "Logistic regression (logistic)")]
pub struct LogisticArgs {
    /// One softmax over all classes, or each class against the rest
    #[arg(long, value_enum, default_value_t = Classes::Multinomial)]
    scheme: Classes,
    /// By steps like a network, or by Newton's method to the exact optimum: up to some thousand images [default:
    /// steps; newton for tables]
    #[arg(long, value_enum)]
    solver: Option<Solver>,
}

fn solver(args: &TrainArgs) -> Solver {
    let is_table = args.data.as_deref().is_some_and(is_table);
    args.logistic.solver.unwrap_or(if is_table { Solver::Newton } else { Solver::Steps })
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Classes {
    Multinomial,
    OneVsRest,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Solver {
    Steps,
    Newton,
}

/// The flags of logistic regression.
pub fn uses(args: &TrainArgs) -> Uses {
    match solver(args) {
        Solver::Steps => Uses {
            measures_when_interrupted: true,
            ..direct(&["LogisticArgs", "StepArgs", "FitArgs", "KeepArgs", "PenaltyArgs"])
        },
        Solver::Newton => Uses { chosen_by: " --solver newton", ..direct(&["LogisticArgs", "PenaltyArgs"]) },
    }
}

/// Fits.
pub fn fit(job: &Job<'_>) -> Result<Option<Done>, Failure> {
    let args = job.args;
    if job.train.labels().is_none() {
        let why = "logistic tells classes, and the target has values: linear is the linear model of values";
        return Err(Error::setting("model", why).into());
    }
    if solver(args) == Solver::Newton {
        return newton(job).map(Some);
    }
    let (d, classes) = (job.width(), job.train.classes());
    let (classes_by, scheme) = match args.logistic.scheme {
        Classes::Multinomial => (mlp::Classes::Softmax, "multinomial"),
        Classes::OneVsRest => (mlp::Classes::OneVsRest, "one-vs-rest"),
    };
    let form = Mlp::new(&[d, classes], Activation::Identity);
    mlp::by_steps(job, &form, Some(format!("logistic {d}-{classes} {scheme}")), classes_by)
}

fn newton(job: &Job<'_>) -> Result<Done, Failure> {
    let Job { args, source, train, .. } = job;
    if let Some(Precision::F32) = args.precision {
        return Err(Error::setting("precision", "f32: Newton's method works in f64 only").into());
    }
    let (n, d, classes) = (train.len(), job.width(), train.classes());
    if let Some(lack) = job.lacks_memory(d + classes) {
        let why = format!("newton takes, for {}, {lack}: take steps", count(n, "sample"));
        return Err(Error::setting("solver", why).into());
    }
    let scheme = match args.logistic.scheme {
        Classes::Multinomial => Scheme::Multinomial,
        Classes::OneVsRest => Scheme::OneVsRest,
    };
    let usual = LogisticOptions::default();
    let options =
        LogisticOptions { scheme, lambda: args.penalty.weight_decay.unwrap_or(usual.lambda), ..usual };

    options.check().map_err(|error| match error {
        Error::Setting { why, .. } => Error::setting("weight_decay", why),
        other => other,
    })?;

    let mut trace = Trace::default();
    trace.set("model", format!("logistic {d}-{classes} {scheme}, exact optimum"));
    trace.set("weight_decay", options.lambda);
    job.record(&mut trace, "f64");
    source.warn();
    if !args.quiet {
        output::line(source.summary())?;
        output::line(format_args!(
            "model: logistic regression, {scheme}, by Newton's method, λ={:e}",
            options.lambda
        ))?;
    }
    let start = Instant::now();
    let inputs = job.inputs()?;
    let model = LogisticRegression::fit_dataset(&inputs.prepare(train)?, &options)?;
    let seconds = start.elapsed().as_secs_f64();
    trace.result("newton_steps", model.steps() as f64);
    if args.trace_times {
        trace.result("fit_seconds", seconds);
    }
    if !args.quiet {
        output::line(format_args!(
            "optimum after {}, {seconds:.1} s",
            crate::text::count(model.steps(), "step")
        ))?;
    }
    let model = Fitted::classifier(model, inputs, train)?;
    Ok(Done::at_once(Box::new(model), trace))
}
