//! What is done with a model that has been fitted, of whatever family: measured, written, told.

use std::process::ExitCode;

use super::super::source::Source;
use super::super::{Failure, Outcome, interrupt, output};
use super::{Done, Job, TrainArgs};
use crate::metrics::{Evaluation, ValueErrors};
use crate::models::{self, Predictor};
use crate::report::{Continued, Reconstructed, RunReport, Scored, Told};
use crate::train::{Checkpoint, Trace};
use crate::{Result, file, text};

/// Writes the trace, if that was asked for.
pub fn write_trace(args: &TrainArgs, trace: &Trace) -> Result<()> {
    let Some(path) = &args.trace else { return Ok(()) };
    if args.fitting.audits() {
        return trace.write(path, args.trace_times);
    }
    // Others are a report's, or of the run that this one goes on from: a trace does not depend on whether there is one.
    let mut trace = trace.clone();
    trace.epochs.iter_mut().for_each(|epoch| epoch.audit = None);
    trace.write(path, args.trace_times)
}

/// Measures what has been fitted: trace, report, confusion matrix, last line. An interrupted run has all that too,
/// but the trace says so in place of its accuracy: its settings would not lead there.
pub fn measure(job: &Job<'_>, done: Done) -> Outcome {
    let Job { args, source, .. } = job;
    let Done { model, mut trace, validates, interrupted, saves, run, worked_out } = done;
    let kept = (run.as_ref(), &worked_out[..]);
    if let Some(validation) = job.validation.as_ref().filter(|_| validates && !interrupted) {
        let found = model.evaluate(validation)?;
        record(&mut trace, "validation", &found);
        if !args.quiet {
            last_line("validation", &found)?;
        }
    }
    let found = model.evaluate(&source.test);
    if found.is_err() {
        // What there is of the run is worth keeping.
        if saves {
            write_trace(args, &trace)?;
        }
        save_model(job, &*model, &trace, kept)?;
    }
    let found = found?;
    source.check_unchanged()?;
    if !interrupted {
        // Families measure in different losses: a trace says in which.
        let name: String =
            found.loss_name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        trace.result(&format!("test_{name}"), found.loss);
        record(&mut trace, "test", &found);
        found.bits_per_token().into_iter().for_each(|bits| trace.result("test_bits_per_byte", bits));
    }
    if saves {
        write_trace(args, &trace)?;
    }
    write_report(args, &trace, &*model, source)?;
    save_model(job, &*model, &trace, kept)?;
    if let Some(path) = args.save.as_ref().filter(|_| interrupted && run.is_some()) {
        let path = text::path(path);
        output::note(format_args!("saved; to go on: tapegrad train --resume {path}"));
    }
    if !args.quiet
        && found.tokens.is_none()
        && let Some(confusion) = &found.confusion
    {
        output::line(format_args!(
            "\ntest set, {} {}:\n{confusion}",
            found.loss_name,
            output::number(found.loss)
        ))?;
    }
    if !args.quiet
        && let Some(errors) = &found.values
    {
        output::line(format_args!(
            "\ntest set, {} {}: RMSE {}, MAE {}",
            found.loss_name,
            output::number(found.loss),
            output::number(errors.rmse),
            output::number(errors.mae)
        ))?;
    }
    last_line("test", &found)?;
    Ok(if interrupted { ExitCode::from(interrupt::EXIT_CODE) } else { ExitCode::SUCCESS })
}

/// Keeps the model, if that was asked for, and its run, if there is one to go on with.
fn save_model(
    job: &Job<'_>,
    model: &dyn Predictor,
    trace: &Trace,
    (run, worked_out): (Option<&Checkpoint>, &[(String, String)]),
) -> Result<()> {
    let Some(path) = &job.args.save else { return Ok(()) };
    match run {
        Some(run) => models::save_run(model, path, &job.notes(trace, worked_out), run),
        None => models::save(model, path, &job.notes(trace, worked_out)),
    }
}

/// Writes the page about the run, if it was asked for.
fn write_report(args: &TrainArgs, trace: &Trace, model: &dyn Predictor, source: &Source) -> Result<()> {
    let Some(path) = &args.report else { return Ok(()) };
    let (test, data) = (&source.test, source.label(args.data.as_deref()));
    let words = std::env::args_os().skip(1).map(|word| crate::cli::quoted(&word.to_string_lossy()));
    let command = std::iter::once("tapegrad".to_string()).chain(words).collect::<Vec<_>>().join(" ");
    let page = |told: Told<'_>| RunReport { trace, told, data: &data, command: &command }.page().html();
    let page = if model.context().is_some() {
        page(Told::Texts(&Continued::of_test(model, test)?))
    } else if model.task().reconstructs() {
        page(Told::Images(Reconstructed { test, told: model.scores(test)?.as_slice() }))
    } else {
        let scores = model.scores(test)?;
        let tells_values = test.targets().is_some();
        let predicted = if tells_values { Vec::new() } else { model.task().classes_of(&scores) };
        let (scores, unit) = match model.task().probabilities_of(&scores) {
            Some(probabilities) => (probabilities, "probability"),
            None => (scores, if tells_values { "value" } else { "score" }),
        };
        page(Told::Samples(Scored { test, scores: scores.as_slice(), predicted: &predicted, unit }))
    };
    file::write(path, |out| out.write_all(page.as_bytes()))?;
    output::note(format_args!("report: {}", crate::text::path(path)));
    Ok(())
}

/// The result that marks the trace and the page of a run that was ended before its time.
pub const INTERRUPTED: &str = "interrupted";

/// The figures of a set, as results: its accuracy, or the errors of its values.
fn record(trace: &mut Trace, set: &str, found: &Evaluation) {
    if let Some(accuracy) = found.accuracy() {
        trace.result(&format!("{set}_accuracy"), accuracy);
    }
    // Runs without have none.
    if found.undecided() > 0 {
        trace.result(&format!("{set}_undecided"), found.undecided() as f64);
    }
    if let Some(ValueErrors { r2, rmse, mae, .. }) = found.values {
        for (name, value) in [("r2", r2), ("rmse", Some(rmse)), ("mae", Some(mae))] {
            value.into_iter().for_each(|value| trace.result(&format!("{set}_{name}"), value));
        }
    }
}

/// The line that every measurement ends with.
pub fn last_line(set: &str, found: &Evaluation) -> Result<(), Failure> {
    let samples = text::count(found.samples, "sample");
    if let (Some(tokens), Some(bits)) = (found.tokens, found.bits_per_token()) {
        let (nats, accuracy) = (found.loss, found.accuracy().unwrap_or(f64::NAN));
        return output::line(format_args!(
            "{set} loss {nats:.4} nats a byte, {bits:.4} bits, accuracy {accuracy:.4} ({})",
            text::count(tokens, "byte")
        ));
    }
    if let Some(errors) = found.values {
        let rmse = errors.rmse;
        return match (errors.r2, errors.why_no_r2()) {
            (Some(r2), _) => output::line(format_args!("{set} R2 {r2:.4} ({samples})")),
            (None, Some(why)) => {
                output::line(format_args!("{set} RMSE {rmse:.4}, R2 is not defined as {why} ({samples})"))
            }
            (None, None) => output::line(format_args!("{set} RMSE {rmse:.4} ({samples})")),
        };
    }
    let (accuracy, undecided) = (found.accuracy().unwrap_or(f64::NAN), found.undecided());
    let note = if undecided > 0 { format!(", {undecided} of them undecided") } else { String::new() };
    output::line(format_args!("{set} accuracy {accuracy:.4} ({samples}{note})"))
}
