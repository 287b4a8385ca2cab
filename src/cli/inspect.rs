//! `tapegrad inspect`: what is in the file of a model.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Outcome, output};
use crate::data::table::Task as TableTask;
use crate::models::{self, Task};
use crate::text;

/// Tell what a saved model is, what it takes, and how it was trained
#[derive(Args)]
#[command(after_help = "\
Example:
  tapegrad inspect iris.safetensors")]
pub struct InspectArgs {
    /// A file of `train --save`
    #[arg(value_name = "MODEL")]
    model: PathBuf,
}

/// Runs the command.
pub fn run(args: &InspectArgs) -> Outcome {
    let saved = models::load(&args.model)?;
    let (model, numbers) = (&saved.model, &saved.numbers);
    output::line(format_args!("model: {}", model.describe()))?;
    output::line(format_args!("takes: {}", model.inputs().describe()))?;
    if let Some(names) = model.inputs().names() {
        output::line(format_args!("features: {}", output::names(names)))?;
    }
    match model.task() {
        Task::Classes { .. } if model.context().is_some() => output::line("tells: the byte that follows")?,
        Task::Classes { names, .. } => {
            output::line(format_args!("tells: {}: {}", text::count(names.len(), "class"), names.join(", ")))?;
        }
        Task::Values { reconstructs: true, .. } => output::line("tells: what it takes")?,
        Task::Values { width, .. } => output::line(format_args!("tells: {}", text::count(*width, "value")))?,
    }
    if let Some(schema) = &saved.notes.schema
        && let Some(target) = schema.target()
    {
        let what = if schema.task() == Some(TableTask::Regression) { "values" } else { "classes" };
        output::line(format_args!("table: {what} of the column {target}"))?;
    }
    output::line(format_args!("saved by: tapegrad {}", text::printable(&saved.version)))?;
    output::line("\nnumbers:")?;
    for (name, numbers_type, shape) in numbers.entries() {
        let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
        let norm = match &*numbers_type {
            "f32" | "f64" if shape.len() <= 2 => format!("norm {}", output::number(numbers.norm(name)?)),
            _ => "not numbers of a model".to_string(),
        };
        output::line(format_args!("  {name}: {numbers_type} {}, {norm}", shape.join("×")))?;
    }
    output::line("\nhow it was trained:")?;
    for (name, value) in saved.notes.data.iter().filter(|(name, _)| name != "classes") {
        output::line(format_args!("  hash of the {name}: {value}"))?;
    }
    for (name, value) in &saved.notes.about {
        output::line(format_args!("  {name}: {value}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
