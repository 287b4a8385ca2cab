//! `tapegrad graph`: the tape of a model, as text or as a drawing.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tapegrad::models::{Mlp, Model};
use tapegrad::rng::{Purpose, stream};
use tapegrad::{Error, Tape, file};

use super::train::MlpArgs;
use super::{Outcome, output};

/// Print the tape of one training step of a model
#[derive(Args)]
#[command(after_help = "\
Examples:
  tapegrad graph --hidden 64,32 --activation gelu
  tapegrad graph --format dot | dot -Tsvg > tape.svg")]
pub struct GraphArgs {
    #[command(flatten)]
    shape: MlpArgs,
    /// Features of a sample
    #[arg(long, value_name = "N", default_value_t = 784)]
    inputs: usize,
    /// Classes
    #[arg(long, value_name = "N", default_value_t = 10)]
    outputs: usize,
    /// Samples in the step
    #[arg(long, value_name = "N", default_value_t = 128)]
    batch: usize,
    /// A line per node, or the DOT language of Graphviz
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Dot,
}

/// Runs the command.
pub fn run(args: &GraphArgs) -> Outcome {
    if args.batch == 0 {
        return Err(Error::setting("batch", "0 is no batch; it must be at least 1").into());
    }
    let widths = args.shape.widths(args.inputs, args.outputs);
    super::train::plan::<f32>(&widths, args.shape.activation, args.batch)?;
    let mut tape = Tape::<f32>::default();
    let mut rng = stream(0, Purpose::Init);
    let model = Mlp::new(&mut tape, &widths, args.shape.activation, None, &mut rng)?;
    let x = tape.constant_with(args.batch, args.inputs, |_| ());
    let logits = model.forward(&mut tape, x);
    tape.cross_entropy(logits, &vec![0; args.batch]);
    let text = match args.format {
        Format::Text => tape.to_string(),
        Format::Dot => tape.dot().to_string(),
    };
    match &args.out {
        Some(path) => file::write(path, |out| out.write_all(text.as_bytes()))?,
        None => output::write(text)?,
    }
    Ok(ExitCode::SUCCESS)
}
