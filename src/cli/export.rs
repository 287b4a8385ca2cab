//! `tapegrad export`: the numbers of a saved model, for other programs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::reading::refuse_input;
use super::{Outcome, output};
use crate::{file, models, text};

/// Write the numbers of a saved model as NumPy has them
#[derive(Args)]
#[command(after_help = "\
Example:
  tapegrad export iris.safetensors --npz iris.npz
  python -c \"import numpy; print(dict(numpy.load('iris.npz')))\"")]
pub struct ExportArgs {
    /// A file of `train --save`
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The file to write: an array for each matrix, under its name
    #[arg(long, value_name = "FILE")]
    npz: PathBuf,
}

/// Runs the command.
pub fn run(args: &ExportArgs) -> Outcome {
    file::check_writable(&args.npz)?;
    refuse_input("npz", &args.npz, &[&args.model])?;
    let saved = models::load(&args.model)?;
    let bytes = saved.npz()?;
    file::write(&args.npz, |out| out.write_all(&bytes))?;
    output::line(format_args!("{}", text::count(saved.numbers.entries().count(), "array")))?;
    Ok(ExitCode::SUCCESS)
}
