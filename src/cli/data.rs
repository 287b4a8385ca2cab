//! `tapegrad data`: make synthetic sets, look into IDX files and tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::opening::{self, MOST_SAMPLES, SYNTH};
use super::reading::{explain, is_arrays, is_table, read_options, warn_if_mapped};
use super::source::Source;
use super::table::TableArgs;
use super::{Outcome, interrupt, memory, misused, output};
use crate::data::idx::{self, Bytes, IdxArray, IdxData, ReadOptions};
use crate::data::npy::{self, NpyArray, NpyValues};
use crate::data::table::{ReadOptions as TableOptions, Table};
use crate::data::{Dataset, Features, ascii_image, synthetic, write_columns, write_mnist};
use crate::linalg::compensated_sum;
use crate::{Error, Result, text};

/// Make synthetic data, and look into IDX files and tables
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
    /// Test samples, for sets of images [default: 5000]
    #[arg(long, value_name = "N")]
    test: Option<usize>,
    /// Noise [default: the usual one of the set]
    #[arg(long, value_name = "X")]
    noise: Option<f64>,
    /// Seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Tell what an IDX file, a table or a file of arrays holds, and draw the first images
#[derive(Args)]
#[command(after_help = "\
Examples:
  tapegrad data info data/mnist/train-images-idx3-ubyte.gz
  tapegrad data info data/iris.csv")]
struct InfoArgs {
    /// An IDX file, a table (.csv, .tsv), plain or gzip, NumPy's arrays (.npy, .npz), a folder of data, or synth:NAME
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
    let test = args.test.unwrap_or(opening::TEST_DIGITS);
    for (name, n) in [("samples", args.samples), ("test", test)] {
        if n > MOST_SAMPLES {
            return Err(Error::setting(name, format!("{n} is above {MOST_SAMPLES}")).into());
        }
    }
    // What such a sample is, and whether the noise is right.
    let one = set.generate(1, noise, args.seed)?;
    let images = one.image_shape().is_some();
    if args.test.is_some() && !images {
        let command = SynthArgs::augment_args(clap::Command::new("tapegrad data synth"));
        let why =
            format!("--test has no meaning for {}: only images become a training and a test set", set.name);
        misused(command, why);
    }
    if args.samples == 0 || test == 0 {
        let why = if images {
            "images are written as a training and a test set, and neither may be empty"
        } else {
            "0 is not at least 1"
        };
        return Err(Error::setting(if args.samples == 0 { "samples" } else { "test" }, why).into());
    }
    // Sets without images are drawn with test samples as well: what is written is what `train --data synth:NAME` trains on.
    let rows = args.samples + test;
    let blamed = if test > args.samples { "test" } else { "samples" };
    check_memory(&one, rows, if images { blamed } else { "samples" })?;
    let asked = interrupt::watch();
    // One draw cut in two: no test sample is a training sample.
    let all = set.generate(rows, noise, args.seed)?;
    let test: Vec<usize> = (args.samples..rows).collect();
    let (train, test) = (all.try_take(args.samples)?, all.try_subset(&test)?);
    if let Some(code) = interrupt::check(&asked) {
        output::note("interrupted: nothing was written");
        return Ok(code);
    }
    let paths = if images {
        write_mnist(&train, &test, &args.out)?.to_vec()
    } else {
        write_columns(&train, &args.out)?
    };
    for path in paths {
        output::line(text::path(&path))?;
    }
    let Some(code) = interrupt::check(&asked) else { return Ok(ExitCode::SUCCESS) };
    // To stop between two files would leave half a set.
    output::note("interrupted while the files were written: all of them are whole");
    Ok(code)
}

/// An error if `rows` samples such as `one` take more memory than there is: a machine that gives out more than
/// it has kills the program later.
fn check_memory(one: &Dataset, rows: usize, blamed: &'static str) -> Result<()> {
    // Numbers are copied for their file, bytes are not; then there are labels or targets, and row numbers.
    let row = if let Features::U8(_) = one.stored() { 1 } else { 2 * size_of::<f64>() } * one.features() + 32;
    let needed = (row as u64).saturating_mul(rows as u64);
    let room = memory::available();
    if needed <= room.bytes {
        return Ok(());
    }
    let why = format!(
        "{} take about {}, and {room}: use fewer",
        text::count(rows, "sample"),
        output::bytes(needed)
    );
    Err(Error::setting(blamed, why))
}

fn info(args: &InfoArgs) -> Outcome {
    if is_table(&args.path) {
        output::write(describe_table(&Table::read(&args.path, &TableOptions::default())?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let is_synthetic = args.path.to_str().is_some_and(|path| path.starts_with(SYNTH));
    if is_synthetic || args.path.is_dir() {
        output::write(describe_source(&opening::open(Some(&args.path), &TableArgs::default(), 0)?)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (options, room) = read_options();
    if is_arrays(&args.path) {
        output::write(
            describe_arrays(&args.path, args.images, &options).map_err(|error| explain(error, &room))?,
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let array = idx::read_with(&args.path, &options).map_err(|error| explain(error, &room))?;
    let mapped = if let IdxData::U8(bytes) = array.data() { Some(bytes.clone()) } else { None };
    warn_if_mapped("the elements", mapped.as_ref().is_some_and(Bytes::is_mapped));
    let text = describe(&array, kind(array.data()), args.images);
    mapped.map_or(Ok(()), |bytes| bytes.check_unchanged())?;
    output::write(text)?;
    Ok(ExitCode::SUCCESS)
}

/// What `train` would read: sizes, range of the features, shares of the classes or range of the values.
fn describe_source(source: &Source) -> Result<String> {
    let mut text = source.summary() + "\n";
    for (name, data) in [("training", &source.train), ("test", &source.test)] {
        let mut row = vec![0.0; data.features()];
        let ends = |(low, high): (f64, f64), x: &f64| (low.min(*x), high.max(*x));
        let mut range = (f64::INFINITY, f64::NEG_INFINITY);
        for i in 0..data.len() {
            data.gather(&[i], &mut row);
            range = row.iter().fold(range, ends);
        }
        let _ = writeln!(text, "{name} samples: features from {} to {}", range.0, range.1);
        if data.labels().is_some() {
            let counts = data.class_counts();
            let named: Vec<String> = (0..data.classes()).map(|class| data.class_name(class).into()).collect();
            let shown: Vec<(&str, usize)> = named.iter().map(String::as_str).zip(counts).collect();
            let _ = writeln!(text, "  classes: {}", shares(&shown, data.len()));
        }
        if let Some(targets) = data.targets() {
            let (low, high) = targets.iter().fold((f64::INFINITY, f64::NEG_INFINITY), ends);
            let _ = writeln!(text, "  values: from {low} to {high}");
        }
    }
    Ok(text)
}

/// Each array of a file: its type, shape, range or shares.
fn describe_arrays(path: &Path, images: usize, options: &ReadOptions) -> Result<String> {
    let describe = |array: NpyArray| {
        let kind = format!("{} (NumPy)", text::printable(array.descr()));
        let (shape, values) = array.into_parts();
        match values {
            NpyValues::Text(texts) => {
                let mut counts = BTreeMap::new();
                texts.iter().for_each(|text| *counts.entry(&**text).or_insert(0usize) += 1);
                let mut shown: Vec<(&str, usize)> = counts.into_iter().collect();
                shown.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
                format!("elements: {kind}\nshape:    {}\n{}\n", sides(&shape), shares(&shown, texts.len()))
            }
            values => match values.into_numbers() {
                Some(numbers) => describe(&IdxArray::new(shape, numbers), &kind, images),
                None => String::new(),
            },
        }
    };
    if !npy::is_archive(path) {
        return Ok(describe(npy::read(path, options)?));
    }
    let archive = npy::Archive::open(path, options)?;
    let mut text = format!("archive of {}\n", text::count(archive.names().len(), "array"));
    for name in archive.names() {
        let _ = write!(text, "\n{}\n{}", text::printable(name), describe(archive.array(name, options)?));
    }
    Ok(text)
}

/// Texts of a column that are shown with their shares.
const MOST_TEXTS: usize = 12;

/// Each column: its type, range or shares, and what is missing.
fn describe_table(table: &Table) -> String {
    let columns = table.columns();
    let (rows, cols) = (text::count(table.len(), "row"), text::count(columns.len(), "column"));
    let mut text = format!("table: {rows} of {cols}\n");
    let names = columns.iter().map(|column| text::printable(column.name()));
    let names: Vec<_> = names.collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(30);
    for (column, name) in columns.iter().zip(names) {
        let found = match (column.range(), column.texts()) {
            (Some((least, largest)), _) => format!("numbers from {least} to {largest}"),
            (None, Some(texts)) => format!("text, {}", shares(&texts, table.len())),
            (None, None) => "numbers, all of them missing".into(),
        };
        let missing = match column.missing() {
            0 => String::new(),
            n => format!("; {n} missing"),
        };
        let _ = writeln!(text, "  {name:<width$}  {found}{missing}");
    }
    text
}

/// The most frequent texts with their shares of all.
fn shares(texts: &[(&str, usize)], all: usize) -> String {
    let share = |(name, count): &(&str, usize)| {
        format!("{} {:.1} %", text::printable(name), 100.0 * *count as f64 / all.max(1) as f64)
    };
    let shown: Vec<String> = texts.iter().take(MOST_TEXTS).map(share).collect();
    let more = if texts.len() > MOST_TEXTS { ", …" } else { "" };
    format!("{} different: {}{more}", texts.len(), shown.join(", "))
}

/// A shape, for people.
fn sides(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(|n| n.to_string()).collect();
    if shape.is_empty() { "a single element".into() } else { sides.join("×") }
}

/// The type of the elements, with its magic number.
fn kind(data: &IdxData) -> &'static str {
    match data {
        IdxData::U8(_) => "unsigned bytes (0x08)",
        IdxData::I8(_) => "signed bytes (0x09)",
        IdxData::I16(_) => "16-bit integers (0x0B)",
        IdxData::I32(_) => "32-bit integers (0x0C)",
        IdxData::F32(_) => "32-bit floats (0x0D)",
        IdxData::F64(_) => "64-bit floats (0x0E)",
    }
}

/// Type, shape, range and a look at the contents.
fn describe(array: &IdxArray, kind: &str, images: usize) -> String {
    let (shape, data) = (array.shape(), array.data());
    let mut text = String::new();
    let _ = writeln!(text, "elements: {kind}\nshape:    {}", sides(shape));
    if data.is_empty() {
        return text + "nothing in it\n";
    }
    let Range { low, high, mean, nans } = range(data);
    if nans < data.len() {
        let mean = output::number(mean);
        // Debug writes the large ones with an exponent.
        let short = |x: f64| if x.abs() < 1e9 { x.to_string() } else { format!("{x:?}") };
        let _ = writeln!(text, "range:    {} to {}, mean {mean}", short(low), short(high));
    }
    if nans > 0 {
        let _ = writeln!(text, "NaN:      {nans} of {}", data.len());
    }
    match (shape, data) {
        ([_], _) => text + &counts(data),
        ([n, height, width], IdxData::U8(pixels)) if *width <= WIDEST && *height <= WIDEST => {
            for (i, image) in pixels.chunks(height * width).take(images.min(*n)).enumerate() {
                let _ = write!(text, "\nimage {i}:\n{}", ascii_image(image, *height, *width));
            }
            text
        }
        _ => text + "no images: those are unsigned bytes of rank 3, up to 200 pixels high and wide\n",
    }
}

/// Images wider than this are not drawn: no terminal shows them.
const WIDEST: usize = 200;

/// What [`range`] finds; `low`, `high` and `mean` pass over NaN.
struct Range {
    low: f64,
    high: f64,
    mean: f64,
    nans: usize,
}

/// Smallest and largest element, and the mean, without a copy of a mapped file.
fn range(data: &IdxData) -> Range {
    fn fold<X: Copy + Into<f64>>(values: &[X]) -> Range {
        let numbers = || values.iter().map(|x| (*x).into()).filter(|x: &f64| !x.is_nan());
        let (mut low, mut high, mut n) = (f64::INFINITY, f64::NEG_INFINITY, 0usize);
        numbers().for_each(|x| (low, high, n) = (low.min(x), high.max(x), n + 1));
        // A mean is within the range even where the sum is not: a power of two takes no digits.
        let unit = if low.abs().max(high.abs()) > 1e280 { 2f64.powi(-64) } else { 1.0 };
        let mean = compensated_sum(numbers().map(|x| x * unit)) / n as f64 / unit;
        Range { low, high, mean, nans: values.len() - n }
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

/// Values up to this number are counted one by one: the classes of a file of labels.
const MOST_COUNTED: usize = 100;

/// How often each whole number occurs, where there are few of them.
fn counts(data: &IdxData) -> String {
    fn count<X: Copy + Into<i64>>(values: &[X]) -> Option<BTreeMap<i64, u64>> {
        let mut counts = BTreeMap::new();
        for value in values {
            *counts.entry((*value).into()).or_insert(0u64) += 1;
            if counts.len() > MOST_COUNTED {
                return None;
            }
        }
        Some(counts)
    }
    let counts = match data {
        IdxData::U8(v) => count(v),
        IdxData::I8(v) => count(v),
        IdxData::I16(v) => count(v),
        IdxData::I32(v) => count(v),
        IdxData::F32(_) | IdxData::F64(_) => return String::new(),
    };
    let Some(counts) = counts else { return format!("more than {MOST_COUNTED} different values\n") };
    let rows: Vec<String> = counts.iter().map(|(value, count)| format!("  {value:>5}: {count}\n")).collect();
    format!("counts:\n{}", rows.concat())
}
