//! `tapegrad evaluate`: a saved model, measured on data that it has not learnt from.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::predict::{is_folder_of_images, samples};
use super::reading::{is_arrays, is_table, warn_if_left_out, within_memory};
use super::train::{last_line, read_text};
use super::{Outcome, output};
use crate::data::Dataset;
use crate::data::npy::is_archive;
use crate::data::table::{ReadOptions, Task as TableTask};
use crate::models::{self, Task};
use crate::{Error, text};

/// Measure a saved model on data with what it tells
#[derive(Args)]
#[command(after_help = "\
Examples:
  tapegrad evaluate iris.safetensors --data more.csv
  tapegrad evaluate digits.safetensors --data ~/mnist")]
pub struct EvaluateArgs {
    /// A file of `train --save`
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// A table with the column that is told, an archive of arrays (.npz) with X and y, a folder with the files of `data
    /// synth`, or one with MNIST files; where there is a test set, that is taken; for a gpt any file; for an
    /// autoencoder also samples alone: an IDX file of images, .npy, .png, or a folder of .png
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Print the last line only
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command.
pub fn run(args: &EvaluateArgs) -> Outcome {
    let saved = models::load(&args.model)?;
    let data = if let Some(context) = saved.model.context() {
        let found = read_text(&args.data)?;
        if found.len() <= context {
            let path = text::path(&args.data);
            let why = format!(
                "{path}: a text of {} is too short: the model needs the {context} that it sees, and the next one",
                text::count(found.len(), "byte")
            );
            return Err(Error::Data(why).into());
        }
        found.windows(context, context)?
    } else if saved.model.task().reconstructs() && (!args.data.is_dir() || is_folder_of_images(&args.data)?) {
        // What it is measured by are the samples themselves.
        samples(&saved, &args.data)?
    } else if is_table(&args.data) {
        let Some(schema) = &saved.notes.schema else {
            let path = text::path(&args.data);
            let why =
                format!("{path}: the model was not trained on a table, and knows no column to measure by");
            return Err(Error::Data(why).into());
        };
        let found = schema.read(&args.data, &ReadOptions::default())?;
        warn_if_left_out(&text::path(&args.data), found.left_out);
        found.data
    } else if is_archive(&args.data) {
        // Of values or classes: what the model tells.
        let task = match saved.model.task() {
            Task::Classes { .. } => TableTask::Classification,
            Task::Values { .. } => TableTask::Regression,
        };
        let found = within_memory(|options| Dataset::from_npz(&args.data, task, options))?;
        let data = found.1.unwrap_or(found.0);
        data.with_classes_of(saved.model.task().class_names()).map_err(|error| match error {
            Error::Data(why) => Error::Data(format!("{}: {why}", text::path(&args.data))),
            other => other,
        })?
    } else if is_arrays(&args.data) {
        let path = text::path(&args.data);
        let why = format!("{path}: samples alone: put them into an archive, .npz, as X beside y");
        return Err(Error::Data(why).into());
    } else if Dataset::are_columns(&args.data) {
        within_memory(|options| Dataset::from_columns(&args.data, options))?
    } else if saved.model.task().reconstructs() && Dataset::is_mnist_without_labels(&args.data) {
        within_memory(|options| Dataset::mnist_images_with(&args.data, options))?.1
    } else {
        within_memory(|options| Dataset::mnist_with(&args.data, options))?.1
    };
    let is_told = saved.model.task().reconstructs() || data.labels().is_some() || data.targets().is_some();
    if !is_told {
        let path = text::path(&args.data);
        let why = match saved.notes.schema.as_ref().and_then(|schema| schema.target()) {
            Some(column) => format!("{path} has no column {column} to measure by"),
            None => {
                format!("{path}: the model was not trained on a table, and knows no column to measure by")
            }
        };
        return Err(Error::Data(why).into());
    }
    let found = saved.model.evaluate(&data)?;
    if !args.quiet {
        output::line(format_args!("{found}"))?;
    }
    last_line("test", &found)?;
    Ok(ExitCode::SUCCESS)
}
