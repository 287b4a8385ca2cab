//! `tapegrad graph`: the tape of a model, as text or as a drawing.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ValueEnum};

use super::reading::refuse_input;
use super::train::{Form, ShapeArgs, check_memory, not_taken, renamed};
use super::{Outcome, memory, misused, output};
use crate::models::{self, LeNet, Mlp, Predictor};
use crate::nn::{Mode, Module};
use crate::ops::ImageShape;
use crate::rng::{Place, Purpose, stream};
use crate::settings::at_least_one;
use crate::text::count;
use crate::train::check_batch;
use crate::{Error, Float, Result, Tape, Var, file, text};

/// Print the tape of one training step of a model
#[derive(Args)]
#[command(after_help = "\
Examples:
  tapegrad graph --hidden 64,32 --activation gelu
  tapegrad graph --model lenet
  tapegrad graph digits.safetensors --batch 32
  tapegrad graph --format dot | dot -Tsvg > tape.svg")]
pub struct GraphArgs {
    /// A file of `train --save` with a network in it, which is drawn as it stands there; without a file, what the flags say
    #[arg(value_name = "MODEL")]
    file: Option<PathBuf>,
    /// Which network
    #[arg(long, value_enum, default_value_t = Network::Mlp)]
    model: Network,
    #[command(flatten)]
    shape: ShapeArgs,
    /// Features of a sample; for lenet, cnn, vit and conv-autoencoder the pixels of an image that is as high as it is wide
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

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Network {
    /// Multilayer perceptron
    Mlp,
    /// LeNet-5
    Lenet,
    /// Convolutional network of 32 and 64 filters of 3×3
    Cnn,
    /// Vision transformer
    Vit,
    /// Transformer of texts
    Gpt,
    /// Network that tells images themselves
    Autoencoder,
    /// Autoencoder of filters and their transposes
    ConvAutoencoder,
}

impl Network {
    /// Its name, and the structs with its flags.
    fn uses(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Network::Mlp => ("mlp", &["MlpArgs", "LayerArgs", "DropoutArgs"]),
            Network::Lenet => ("lenet", &[]),
            Network::Cnn => ("cnn", &["DropoutArgs"]),
            Network::Vit => ("vit", &["TransformerArgs", "PatchArgs", "DropoutArgs"]),
            Network::Autoencoder => ("autoencoder", &["MlpArgs", "LayerArgs", "CodeArgs", "DropoutArgs"]),
            Network::ConvAutoencoder => {
                ("conv-autoencoder", &["FilterArgs", "LayerArgs", "CodeArgs", "DropoutArgs"])
            }
            Network::Gpt => ("gpt", &["TransformerArgs", "TextArgs", "DropoutArgs"]),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Dot,
}

/// An error about the size of the network, under the name of the flag that has the largest share in it.
fn blame(args: &GraphArgs, form: &Mlp, error: Error) -> Error {
    let hidden = &form.widths[1..form.widths.len() - 1];
    match error {
        // A width of 0 is not too large.
        Error::Setting { why, name: "widths" | "hidden" | "batch" } if !hidden.contains(&0) => {
            let widest = hidden.iter().copied().max().unwrap_or(0);
            let sizes = [
                ("hidden", widest),
                ("inputs", args.inputs),
                ("outputs", args.outputs),
                ("batch", args.batch),
            ];
            // The first of equal ones.
            let (name, _) = sizes.into_iter().rev().max_by_key(|(_, size)| *size).unwrap_or(sizes[0]);
            Error::setting(name, why)
        }
        other => other,
    }
}

/// Ends the program as wrong usage.
fn refuse(why: String) -> ! {
    misused(GraphArgs::augment_args(clap::Command::new("tapegrad graph")), why)
}

/// Runs the command.
pub fn run(args: &GraphArgs, matches: &ArgMatches) -> Outcome {
    for (name, count) in [("batch", args.batch), ("inputs", args.inputs), ("outputs", args.outputs)] {
        at_least_one(name, count)?;
    }
    let command = GraphArgs::augment_args(clap::Command::new("tapegrad graph"));
    if let Some(path) = &args.file {
        return of_file(args, path, &command, matches);
    }
    let (name, groups) = args.model.uses();
    if let Some(flag) = not_taken(&command, &[groups, &["GraphArgs"]].concat(), matches) {
        refuse(format!("--{flag} has no meaning for --model {name}"));
    }
    match args.model {
        Network::Mlp => {
            let form = args.shape.mlp(args.inputs, args.outputs);
            check_memory::<f32>(&form, args.batch).map_err(|error| blame(args, &form, error))?;
            draw(args, &form, args.inputs, of_classes)
        }
        Network::Autoencoder => reconstructing(args, matches, &args.shape.autoencoder(args.inputs)),
        Network::ConvAutoencoder => reconstructing(args, matches, &args.shape.conv_autoencoder(image(args)?)),
        Network::Gpt => {
            for id in ["inputs", "outputs"] {
                if matches.value_source(id) == Some(ValueSource::CommandLine) {
                    refuse(format!("--{id} has no meaning for --model gpt: --context says what goes in"));
                }
            }
            let form = args.shape.gpt();
            check_memory::<f32>(&form, args.batch)?;
            draw(args, &form, form.context, of_classes)
        }
        Network::Lenet => of_image(args, &LeNet::new(image(args)?, args.outputs)),
        Network::Cnn => of_image(args, &args.shape.cnn(image(args)?, args.outputs)),
        Network::Vit => {
            let form = args.shape.vit(image(args)?, args.outputs);
            form.numbers()?;
            of_image(args, &form)
        }
    }
}

/// Draws the network in a file.
fn of_file(args: &GraphArgs, path: &Path, command: &clap::Command, matches: &ArgMatches) -> Outcome {
    let said = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let own = ["model", "inputs", "outputs"].iter().find(|id| said(id)).map(|id| (*id).to_string());
    if let Some(flag) = own.or_else(|| not_taken(command, &["GraphArgs"], matches)) {
        let path = text::path(path);
        refuse(format!("--{flag} has no meaning for the model of a file: {path} says what it is"));
    }
    if let Some(out) = &args.out {
        refuse_input("out", out, &[path])?;
    }
    let model = models::load(path)?.model;
    let drawn = of_numbers::<f32>(args, &*model).or_else(|| of_numbers::<f64>(args, &*model));
    drawn.unwrap_or_else(|| {
        let why = format!(
            "{}: {} was not trained on a tape. What is drawn is a network, or logistic regression by --solver steps",
            text::path(path),
            model.describe()
        );
        Err(Error::Data(why).into())
    })
}

/// Draws the model if it is a network of such numbers.
fn of_numbers<T: Float>(args: &GraphArgs, model: &dyn Predictor) -> Option<Outcome> {
    let network = (model as &dyn Any).downcast_ref::<models::Network<T>>()?;
    let tape = network.summary(args.batch).and_then(|step| {
        // The buffer of values may hold twice what is in use.
        let numbers = step.training_numbers().saturating_mul(2);
        let (needed, room) = (numbers.saturating_mul(size_of::<T>()) as u64, memory::available());
        if needed > room.bytes {
            let (name, needed) = (model.describe(), output::bytes(needed));
            let why = format!("{name} at batch {} takes about {needed}, and {room}", args.batch);
            return Err(Error::setting("batch", why));
        }
        network.training_tape(args.batch)
    });
    Some(tape.map_err(Into::into).and_then(|tape| write(args, &tape)))
}

/// Draws a network that tells what goes in.
fn reconstructing(args: &GraphArgs, matches: &ArgMatches, form: &impl Form) -> Outcome {
    if matches.value_source("outputs") == Some(ValueSource::CommandLine) {
        let name = args.model.uses().0;
        refuse(format!("--outputs has no meaning for --model {name}: what goes in comes out"));
    }
    check_memory::<f32>(form, args.batch)?;
    draw(args, form, args.inputs, |tape, x, y| tape.mse(y, x))
}

/// Draws a network whose form can only fail for its image.
fn of_image(args: &GraphArgs, form: &impl Form) -> Outcome {
    form.numbers().map_err(|error| renamed("inputs", error))?;
    check_memory::<f32>(form, args.batch)?;
    draw(args, form, args.inputs, of_classes)
}

/// A square image of so many pixels.
fn image(args: &GraphArgs) -> Result<ImageShape> {
    let side = args.inputs.isqrt();
    if side.checked_mul(side) != Some(args.inputs) {
        let why = format!("{} are no image that is as high as it is wide", count(args.inputs, "pixel"));
        return Err(Error::setting("inputs", why));
    }
    Ok(ImageShape::new(1, side, side))
}

/// Appends the loss of what comes out beside what goes in.
type Loss = fn(&mut Tape<f32>, Var, Var) -> Var;

/// The cross-entropy, with class 0 for each row.
fn of_classes(tape: &mut Tape<f32>, _: Var, logits: Var) -> Var {
    let rows = tape.shape(logits).rows;
    tape.cross_entropy(logits, &vec![0; rows])
}

fn draw(args: &GraphArgs, form: &impl Form, inputs: usize, loss: Loss) -> Outcome {
    let mut tape = Tape::<f32>::default();
    let model = form.build(&mut tape, &mut stream(0, Purpose::Init))?;
    check_batch(&model, args.batch)?;
    let x = tape.constant_with(args.batch, inputs, |_| ());
    let logits = model.forward(&mut tape, x, &mut Mode::training(Place::default()));
    loss(&mut tape, x, logits);
    write(args, &tape)
}

fn write<T: Float>(args: &GraphArgs, tape: &Tape<T>) -> Outcome {
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
