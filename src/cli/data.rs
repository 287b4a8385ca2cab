//! `tapegrad data`: make synthetic sets, look into IDX files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use tapegrad::data::idx::{self, IdxArray, IdxData};
use tapegrad::data::{Dataset, ascii_image, synthetic, write_mnist};
use tapegrad::{Error, Result};

use super::{Outcome, output};

/// Make synthetic data, and look into IDX files
#[derive(Args)]
#[command(after_help = "Example:\n  tapegrad data synth digits --out /tmp/digits")]
pub struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Subcommand)]
enum DataCommand {
    Synth(SynthArgs),
    Info(InfoArgs),
}

/// Draw a synthetic set and write it as IDX files
///
/// Sets of images become the four files of MNIST; all others become features.idx and labels.idx, or
/// targets.idx where they are for regression.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tapegrad data synth digits --out /tmp/digits
  tapegrad train --data /tmp/digits")]
struct SynthArgs {
    /// Which set
    #[arg(value_name = "NAME", value_parser = set_names())]
    name: String,
    /// Folder to write to; it is made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Training samples
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    samples: usize,
    /// Test samples, for sets of images
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    test: usize,
    /// Noise [default: the usual one of the set]
    #[arg(long, value_name = "X")]
    noise: Option<f64>,
    /// Seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Tell what an IDX file holds, and draw its first images
#[derive(Args)]
#[command(after_help = "Example:\n  tapegrad data info data/mnist/train-images-idx3-ubyte.gz")]
struct InfoArgs {
    /// The file, plain or gzip
    path: PathBuf,
    /// How many images to draw
    #[arg(long, value_name = "N", default_value_t = 3)]
    images: usize,
}

fn set_names() -> clap::builder::PossibleValuesParser {
    synthetic::SYNTHETIC
        .iter()
        .map(|set| clap::builder::PossibleValue::new(set.name).help(set.about))
        .collect::<Vec<_>>()
        .into()
}

/// Runs the command.
pub fn run(args: &DataArgs) -> Outcome {
    match &args.command {
        DataCommand::Synth(args) => synth(args),
        DataCommand::Info(args) => info(args),
    }
}

fn synth(args: &SynthArgs) -> Outcome {
    let set = synthetic::find(&args.name)?;
    let noise = args.noise.unwrap_or(set.noise);
    let rows = args.samples.checked_add(args.test).ok_or_else(|| Error::setting("samples", "too many"))?;
    for (name, n) in [("samples", args.samples), ("test", args.test)] {
        if n == 0 {
            return Err(Error::setting(name, "0 is no set; it must be at least 1").into());
        }
        if n > MOST_SAMPLES {
            return Err(Error::setting(name, format!("{n} is above {MOST_SAMPLES}")).into());
        }
    }
    // One draw cut in two: no test sample is a training sample.
    let all = (set.generate)(rows, noise, args.seed)?;
    let test: Vec<usize> = (args.samples..rows).collect();
    let (train, test) = (all.take(args.samples), all.subset(&test));
    let paths = if all.image_shape().is_some() {
        write_mnist(&train, &test, &args.out)?.to_vec()
    } else {
        write_columns(&train, &args.out)?
    };
    for path in paths {
        output::line(path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// As many samples as a synthetic set may have; 10 million digits are 8 GB.
const MOST_SAMPLES: usize = 10_000_000;

/// Features, and labels or targets, as IDX files of their own.
fn write_columns(data: &Dataset, folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let write = |name: &str, shape: Vec<usize>, values: IdxData| {
        let path = folder.join(name);
        idx::write(&path, &IdxArray::new(shape, values)).map(|()| path)
    };
    let n = data.len();
    let mut paths =
        vec![write("features.idx", vec![n, data.features()], IdxData::F64(data.to_rows::<f64>()))?];
    if data.labels().is_some() {
        let labels = (0..n).map(|i| data.label(i) as i32).collect();
        paths.push(write("labels.idx", vec![n], IdxData::I32(labels))?);
    }
    if data.targets().is_some() {
        let targets = data.targets_matrix::<f64>().transpose().as_slice().to_vec();
        paths.push(write("targets.idx", vec![n, data.target_width()], IdxData::F64(targets))?);
    }
    Ok(paths)
}

fn info(args: &InfoArgs) -> Outcome {
    let array = idx::read(&args.path)?;
    output::write(describe(&array, args.images))?;
    Ok(ExitCode::SUCCESS)
}

/// Type, shape, range and a look at the contents.
fn describe(array: &IdxArray, images: usize) -> String {
    let (shape, data) = (array.shape(), array.data());
    let sides: Vec<String> = shape.iter().map(|n| n.to_string()).collect();
    let kind = match data {
        IdxData::U8(_) => "unsigned bytes (0x08)",
        IdxData::I8(_) => "signed bytes (0x09)",
        IdxData::I16(_) => "16-bit integers (0x0B)",
        IdxData::I32(_) => "32-bit integers (0x0C)",
        IdxData::F32(_) => "32-bit floats (0x0D)",
        IdxData::F64(_) => "64-bit floats (0x0E)",
    };
    let mut text = String::new();
    let dimensions = if shape.is_empty() { "a single element".into() } else { sides.join("×") };
    let _ = writeln!(text, "elements: {kind}\nshape:    {dimensions}");
    if data.is_empty() {
        return text + "nothing in it\n";
    }
    let (low, high, sum) = range(data);
    let _ = writeln!(text, "range:    {low} to {high}, mean {:.4}", sum / data.len() as f64);
    match (shape, data) {
        ([_], _) => text + &histogram(data),
        ([n, height, width], IdxData::U8(pixels)) if *width <= WIDEST && *height <= WIDEST => {
            for (i, image) in pixels.chunks(height * width).take(images.min(*n)).enumerate() {
                let _ = write!(text, "\nimage {i}:\n{}", ascii_image(image, *height, *width));
            }
            text
        }
        _ => text,
    }
}

/// Images wider than this are not drawn: no terminal shows them.
const WIDEST: usize = 200;

/// Smallest and largest element, and the sum, without a copy of a mapped file.
fn range(data: &IdxData) -> (f64, f64, f64) {
    fn fold<X: Copy + Into<f64>>(values: &[X]) -> (f64, f64, f64) {
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY, 0.0), |(low, high, sum), x| {
            let x: f64 = (*x).into();
            (low.min(x), high.max(x), sum + x)
        })
    }
    match data {
        IdxData::U8(v) => fold(v),
        IdxData::I8(v) => fold(v),
        IdxData::I16(v) => fold(v),
        IdxData::I32(v) => fold(v),
        IdxData::F32(v) => fold(v),
        IdxData::F64(v) => fold(v),
    }
}

/// How often each whole number occurs, where there are few of them: the classes of a file of labels.
fn histogram(data: &IdxData) -> String {
    let Some(values) = data.to_i64() else { return String::new() };
    let mut counts = BTreeMap::new();
    for value in &values {
        *counts.entry(*value).or_insert(0u64) += 1;
    }
    if counts.len() > 100 {
        return format!("{} different values\n", counts.len());
    }
    let rows: Vec<String> = counts.iter().map(|(value, count)| format!("  {value:>5}: {count}\n")).collect();
    format!("counts:\n{}", rows.concat())
}
