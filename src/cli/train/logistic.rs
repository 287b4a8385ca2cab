//! Logistic regression: by steps on the tape, or by Newton's method to the exact optimum.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use clap::{Args, ValueEnum};
use tapegrad::Error;
use tapegrad::models::{LogisticOptions, LogisticRegression, Mlp, Scheme};
use tapegrad::nn::Activation;
use tapegrad::train::Trace;

use super::super::source::Source;
use super::super::{Outcome, memory, output};
use super::{Answers, Precision, TrainArgs, Uses, conclude, direct, hold_out, mlp, validate};

/// How classes are told apart, and how the optimum is looked for.
#[derive(Args)]
#[command(next_help_heading = "Logistic regression (logistic)")]
pub struct LogisticArgs {
    /// One softmax over all classes, or each class against the rest
    #[arg(long, value_enum, default_value_t = Classes::Multinomial)]
    scheme: Classes,
    /// By steps like a network, or by Newton's method to the exact optimum: up to some thousand images
    #[arg(long, value_enum, default_value_t = Solver::Steps)]
    solver: Solver,
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
    match args.logistic.solver {
        Solver::Steps => Uses {
            measures_when_interrupted: true,
            ..direct(&["LogisticArgs", "StepArgs", "FitArgs", "PenaltyArgs"])
        },
        Solver::Newton => Uses { chosen_by: " --solver newton", ..direct(&["LogisticArgs", "PenaltyArgs"]) },
    }
}

/// Trains and measures.
pub fn run(args: &TrainArgs, source: &Source, asked: Arc<AtomicBool>) -> Outcome {
    if args.logistic.solver == Solver::Newton {
        return newton(args, source);
    }
    let (d, classes) = (source.train.features(), source.train.classes());
    let (classes_by, scheme) = match args.logistic.scheme {
        Classes::Multinomial => (mlp::Classes::Softmax, "multinomial"),
        Classes::OneVsRest => (mlp::Classes::OneVsRest, "one-vs-rest"),
    };
    let network = mlp::Network {
        form: Mlp::new(&[d, classes], Activation::Identity),
        name: Some(format!("logistic {d}-{classes} {scheme}")),
        classes: classes_by,
    };
    mlp::by_steps(args, source, asked, &network)
}

/// Copies of the samples, in f64, that a fit holds: the data set's, with ones, and those of a step.
const COPIES: u64 = 4;

fn newton(args: &TrainArgs, source: &Source) -> Outcome {
    if let Some(Precision::F32) = args.precision {
        return Err(Error::setting("precision", "f32: Newton's method works in f64 only").into());
    }
    let (train, validation) = hold_out(source, args)?;
    let (n, d, classes) = (train.len(), train.features(), train.classes());
    let needed =
        (COPIES * size_of::<f64>() as u64).saturating_mul(n as u64).saturating_mul((d + classes) as u64);
    let room = memory::available();
    if needed > room.bytes {
        let needed = output::bytes(needed);
        let why = format!("newton takes about {needed} for {n} samples, and {room}: take steps");
        return Err(Error::setting("solver", why).into());
    }
    let scheme = match args.logistic.scheme {
        Classes::Multinomial => Scheme::Multinomial,
        Classes::OneVsRest => Scheme::OneVsRest,
    };
    let usual = LogisticOptions::default();
    let options =
        LogisticOptions { scheme, lambda: args.penalty.weight_decay.unwrap_or(usual.lambda), ..usual };
    if !(options.lambda.is_finite() && options.lambda >= 0.0) {
        let why = format!("{:?} is not finite and at least 0", options.lambda);
        return Err(Error::setting("weight_decay", why).into());
    }

    let mut trace = Trace::default();
    trace.set("model", format!("logistic {d}-{classes} {scheme}, exact optimum"));
    trace.set("weight_decay", options.lambda);
    trace.set("data", source.name);
    trace.set("training_samples", n);
    trace.set("validation_samples", validation.as_ref().map_or(0, |v| v.len()));
    trace.set("seed", args.seed);
    trace.set("precision", "f64");
    source.warn();
    if !args.quiet {
        output::line(source.summary())?;
        output::line(format_args!(
            "model: logistic regression, {scheme}, by Newton's method, λ={:e}",
            options.lambda
        ))?;
    }
    let start = Instant::now();
    let model = LogisticRegression::fit_dataset(&train, &options)?;
    let seconds = start.elapsed().as_secs_f64();
    trace.result("newton_steps", model.steps() as f64);
    if args.trace_times {
        trace.result("fit_seconds", seconds);
    }
    if !args.quiet {
        output::line(format_args!("optimum after {} steps, {seconds:.1} s", model.steps()))?;
    }
    if let Some(validation) = &validation {
        validate(args, &mut trace, validation, &model.predict_dataset(validation)?)?;
    }
    let test = &source.test;
    // By the logits: probabilities of 1 are equal where those are not.
    let predicted = model.predict_dataset(test)?;
    let answers = Answers { scores: model.probabilities_dataset(test)?, unit: "probability", predicted };
    source.check_unchanged()?;
    conclude(args, trace, test, &answers, false)
}
