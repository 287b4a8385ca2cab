//! `tapegrad predict`: a saved model, asked.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::reading::{has_ending, is_arrays, is_table, refuse_input, warn_if_left_out, within_memory};
use super::train::read_text;
use super::{Failure, Outcome, output};
use crate::data::Dataset;
use crate::data::table::{ReadOptions, Schema};
use crate::linalg::Matrix;
use crate::models::{self, Saved, Task};
use crate::text::count;
use crate::{Error, Result, file, text};

/// Ask a saved model about new samples
#[derive(Args)]
#[command(after_help = "\
Examples:
  tapegrad predict iris.safetensors new.csv
  tapegrad predict iris.safetensors new.csv --format csv --out answers.csv
  cat new.csv | tapegrad predict iris.safetensors - --format jsonl
  tapegrad predict digits.safetensors t10k-images-idx3-ubyte.gz")]
pub struct PredictArgs {
    /// A file of `train --save`
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// A table (.csv, .tsv), arrays (.npy, .npz), an IDX file of images, an image or a folder of images (.png), or - for a
    /// table on standard input; for a model of text any file: which byte follows it
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// Answer with the numbers behind this part of a network, such as the code of an autoencoder; `inspect` shows the names
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// How answers are written [default: by the ending of --out, else a table]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// class and a probability for each class, or prediction
    Csv,
    /// An object in each line
    Jsonl,
}

/// How rows of a table become samples of the model: as in its own table, or where it had none, by the names of its
/// features.
fn schema(saved: &Saved, input: &Path) -> Result<Schema> {
    match (&saved.notes.schema, saved.model.inputs().names()) {
        // Whether what is told stands in the table already makes no difference.
        (Some(schema), _) => Ok(schema.without_target()),
        (None, Some(names)) => Ok(Schema::of_numbers(names)),
        (None, None) => {
            let name = text::path(input);
            Err(Error::Data(format!(
                "{name}: the model was not trained on a table: give it an IDX file of samples, or .npy"
            )))
        }
    }
}

/// The samples of a file as the model's table had them, or of an IDX file.
pub fn samples(saved: &Saved, input: &Path) -> Result<Dataset> {
    if is_arrays(input) {
        return within_memory(|options| Dataset::from_npy_samples(input, options));
    }
    if let Some(images) = images(input)? {
        let data = Dataset::from_png(&images)?;
        let (takes, found) = (saved.model.inputs().features(), data.features());
        if takes != found
            && let Some((height, width)) = data.image_shape()
        {
            let name = text::path(input);
            let why = format!(
                "{name}: an image of {width}×{height} has {}, and the model takes {takes}",
                count(found, "pixel")
            );
            return Err(Error::Data(why));
        }
        return Ok(data);
    }
    if !is_table(input) {
        return within_memory(|options| Dataset::from_idx_samples(input, options));
    }
    let found = schema(saved, input)?.read(input, &ReadOptions::default())?;
    warn_if_left_out(&text::path(input), found.left_out);
    Ok(found.data)
}

/// The image of that name, or all of a folder, by their names.
pub fn images(input: &Path) -> Result<Option<Vec<PathBuf>>> {
    if has_ending(input, "png") {
        return Ok(Some(vec![input.to_path_buf()]));
    }
    if !input.is_dir() {
        return Ok(None);
    }
    let (mut paths, mut others): (Vec<_>, Vec<_>) =
        entries(input)?.into_iter().partition(|path| has_ending(path, "png"));
    paths.sort();
    others.sort();
    let folder = text::path(input);
    if paths.is_empty() {
        return Err(Error::Data(format!("{folder}: a folder without an image, .png")));
    }
    if let Some(first) = others.first().and_then(|path| path.file_name()) {
        let (left_out, first) = (count(others.len(), "file"), text::path(Path::new(first)));
        let more = if others.len() > 1 { ", …" } else { "" };
        output::note(format_args!("{left_out} of {folder} left out, no .png: {first}{more}"));
    }
    Ok(Some(paths))
}

/// All that lies in a folder, in no order.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    entries.map(|entry| Ok(entry.map_err(Error::io(folder))?.path())).collect()
}

/// Whether it is a folder of images in files of their own, and not one of a set in IDX files.
pub fn is_folder_of_images(input: &Path) -> Result<bool> {
    if !input.is_dir() {
        return Ok(false);
    }
    let paths = entries(input)?;
    let is_of_set =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains("-ubyte"));
    Ok(paths.iter().any(|path| has_ending(path, "png")) && !paths.iter().any(is_of_set))
}

/// Runs the command.
pub fn run(args: &PredictArgs) -> Outcome {
    args.out.as_ref().map_or(Ok(()), file::check_writable)?;
    if let Some(out) = &args.out {
        let mut images = if args.input.is_dir() { entries(&args.input)? } else { Vec::new() };
        images.retain(|path| has_ending(path, "png"));
        let read = [&args.model, &args.input].into_iter().chain(&images);
        refuse_input("out", out, &read.map(PathBuf::as_path).collect::<Vec<_>>())?;
    }
    let saved = models::load(&args.model)?;
    let ending = args.out.as_ref().and_then(|out| out.extension()).and_then(|ending| ending.to_str());
    let format = args.format.unwrap_or(match ending {
        Some("csv") => Format::Csv,
        Some("jsonl") => Format::Jsonl,
        _ => Format::Table,
    });
    let Some(out) = &args.out else {
        let mut show = |answers: &str| match format {
            Format::Table => output::write(answers),
            Format::Csv | Format::Jsonl => output::data(answers),
        };
        answer(args, &saved, format, &mut show)?;
        return Ok(ExitCode::SUCCESS);
    };
    // What goes wrong with the samples, and not with the file.
    let mut failure = None;
    let written = file::write(out, |to| {
        let written = answer(args, &saved, format, &mut |answers| {
            to.write_all(answers.as_bytes()).map_err(|error| Error::io(out)(error).into())
        });
        written.map_err(|error| {
            failure = Some(error);
            io::Error::other("not written")
        })
    });
    match failure {
        Some(failure) => Err(failure),
        None => Ok(written.map(|()| ExitCode::SUCCESS)?),
    }
}

/// Rows of a stream that are answered together at most.
const BLOCK: usize = 4096;

/// Hands the answers to all samples of the input to `write`; those of a stream as its rows come in.
fn answer(
    args: &PredictArgs,
    saved: &Saved,
    format: Format,
    write: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut answers = Answers { saved, format, part: args.part.as_deref(), done: 0 };
    if args.input != Path::new("-") {
        if saved.model.context().is_some() {
            if args.part.is_some() {
                return Err(Error::setting("part", "it has no meaning for a model of text").into());
            }
            return write(&answers.following(read_text(&args.input)?.bytes())?);
        }
        let data = samples(saved, &args.input)?;
        return answers.to(&data, write);
    }
    if saved.model.context().is_some() {
        let why = "standard input: a model of text is asked about a file, or by generate";
        return Err(Error::Data(why.into()).into());
    }
    let schema = schema(saved, Path::new("standard input"))?;
    let mut blocks = schema.blocks(io::stdin().lock(), "standard input", &ReadOptions::default())?;
    let mut rows = 0;
    while let Some(block) = blocks.next_block(BLOCK)? {
        rows += block.rows.len() + block.left_out;
        warn_if_left_out("standard input", block.left_out);
        answers.to(&block.data, write)?;
    }
    if rows == 0 {
        return Err(Error::Data("standard input: there is a header and no row below it".into()).into());
    }
    Ok(())
}

/// Samples that a model is asked about at a time.
const TOGETHER: usize = 64;

/// What is written for a class that is undecided.
const UNDECIDED: &str = "undecided";

/// Writes answers.
struct Answers<'a> {
    saved: &'a Saved,
    format: Format,
    /// The part whose numbers are the answer, if it is not the last.
    part: Option<&'a str>,
    /// Samples that have been answered.
    done: usize,
}

impl Answers<'_> {
    /// Which byte follows the text.
    fn following(&mut self, text: &[u8]) -> Result<String> {
        let scores = self.saved.model.next_scores(text)?;
        let width = scores.len();
        self.written(&Matrix::new(scores, 1, width))
    }

    /// Hands the answers to `write`, those to [`TOGETHER`] samples at a time: what lies behind a part may be far more numbers
    /// than the samples have. A product of one row may round otherwise than that of many: asked about as many at a time each
    /// time, a model says the same of a row whichever rows come in with it.
    fn to(
        &mut self,
        data: &Dataset,
        write: &mut dyn FnMut(&str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (model, part) = (&*self.saved.model, self.part);
        let asked = |block: &Dataset| match part {
            None => model.scores(block),
            Some(part) => model.behind(part, block),
        };
        let text = |answers: &mut Self, found: &Matrix<f64>| match part {
            None => answers.written(found),
            Some(part) => Ok(answers.numbers(found, part)),
        };
        if data.is_empty() {
            return write(&text(self, &asked(data)?)?);
        }
        for start in (0..data.len()).step_by(TOGETHER) {
            let (end, first) = (data.len().min(start + TOGETHER), self.done);
            let rows: Vec<usize> = (start..start + TOGETHER).map(|row| row.min(end - 1)).collect();
            let found = asked(&data.try_subset(&rows)?).map_err(|error| match error {
                Error::NonFinite(why) if first > 0 => {
                    Error::NonFinite(format!("of the rows from {first} on, counted from there: {why}"))
                }
                other => other,
            })?;
            let own = &found.as_slice()[..(end - start) * found.ncols()];
            write(&text(self, &Matrix::new(own.to_vec(), end - start, found.ncols()))?)?;
        }
        Ok(())
    }

    /// Rows of numbers, `name` with a number for each, or alone where it is one.
    fn numbers(&mut self, rows: &Matrix<f64>, name: &str) -> String {
        let (first, width, mut out) = (self.done, rows.ncols(), String::new());
        let name = |k: usize| if width == 1 { name.to_string() } else { format!("{name}_{k}") };
        if self.done == 0 && self.format == Format::Csv {
            let names: Vec<String> = (0..width).map(|k| text::csv_field(&name(k)).into_owned()).collect();
            let _ = writeln!(out, "{}", names.join(","));
        }
        self.done += rows.nrows();
        for (i, row) in rows.rows().enumerate() {
            let numbers = row.iter().map(f64::to_string);
            let _ = match self.format {
                Format::Csv => writeln!(out, "{}", numbers.collect::<Vec<_>>().join(",")),
                Format::Jsonl => {
                    let fields = numbers.enumerate().map(|(k, x)| format!("{}:{x}", json(&name(k))));
                    writeln!(out, "{{{}}}", fields.collect::<Vec<_>>().join(","))
                }
                Format::Table => {
                    let numbers: Vec<String> = row.iter().map(|x| output::number(*x)).collect();
                    writeln!(out, "{}: {}", first + i, numbers.join(" "))
                }
            };
        }
        out
    }

    /// The answers of these scores.
    fn written(&mut self, scores: &Matrix<f64>) -> Result<String> {
        let (model, format, mut out) = (&self.saved.model, self.format, String::new());
        let (first, header) = (self.done, self.done == 0 && format == Format::Csv);
        self.done += scores.nrows();
        match model.task() {
            task @ Task::Classes { names, .. } => {
                let (classes, probabilities) = (task.classes_of(scores), task.probabilities_of(scores));
                if header {
                    let columns =
                        names.iter().filter(|_| probabilities.is_some()).map(|name| text::csv_field(name));
                    let header: Vec<_> = ["class".into()].into_iter().chain(columns).collect();
                    let _ = writeln!(out, "{}", header.join(","));
                }
                for (i, class) in classes.iter().enumerate() {
                    let class = class.map_or(UNDECIDED, |class| &names[class]);
                    let row = probabilities.as_ref().map_or(&[][..], |probabilities| probabilities.row(i));
                    write_class(&mut out, format, first + i, class, names, row);
                }
            }
            Task::Values { .. } => {
                self.done = first;
                out = self.numbers(scores, "prediction");
            }
        }
        Ok(out)
    }
}

fn write_class(out: &mut String, format: Format, i: usize, class: &str, names: &[String], row: &[f64]) {
    let _ = match format {
        Format::Csv => {
            let numbers = row.iter().map(f64::to_string);
            let fields: Vec<String> =
                [text::csv_field(class).into_owned()].into_iter().chain(numbers).collect();
            writeln!(out, "{}", fields.join(","))
        }
        Format::Jsonl => {
            let fields: Vec<String> =
                names.iter().zip(row).map(|(name, p)| format!("{}:{p}", json(name))).collect();
            let probabilities = match fields.is_empty() {
                true => String::new(),
                false => format!(",\"probabilities\":{{{}}}", fields.join(",")),
            };
            writeln!(out, "{{\"class\":{}{probabilities}}}", json(class))
        }
        Format::Table => {
            let largest = row.iter().copied().fold(f64::NAN, f64::max);
            let sure = if row.is_empty() { String::new() } else { format!(" ({largest:.3})") };
            writeln!(out, "{i}: {}{sure}", text::printable(class))
        }
    };
}

/// A text as JSON has it.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    // What a terminal would act on, and the output would write in a form that is none of JSON's.
    quoted.chars().fold(String::new(), |mut out, c| {
        if crate::text::printable(c.encode_utf8(&mut [0; 4])).len() == c.len_utf8() {
            out.push(c);
        } else {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
        out
    })
}
