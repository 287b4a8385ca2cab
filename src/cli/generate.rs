//! `tapegrad generate`: a text, continued by a saved model.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Failure, Outcome, output};
use crate::models::{self, Sampling};
use crate::text::count;
use crate::{Error, text};

/// Continue a text by a model that was trained on one
#[derive(Args)]
#[command(after_help = "\
Examples:
  tapegrad train --model gpt --data book.txt --save book.safetensors
  tapegrad generate book.safetensors --prompt \"It was a \"
  tapegrad generate book.safetensors --prompt \"It was a \" --temperature 0.7 --top-k 20 --seed 3 --length 2000

Same model, prompt and settings give the same bytes, at any number of threads. For each byte the model looks anew at the
last bytes that its context has room for. A terminal is shown what it would act on, such as an escape code, as \\x1b;
a file gets the bytes as they are.")]
pub struct GenerateArgs {
    /// A file of `train --model gpt --save`
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// What is continued
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: String,
    /// What the scores are divided by before the draw: below 1 what is likely becomes more so; 0 takes the likeliest byte
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    temperature: f64,
    /// Draw from the K likeliest bytes only [default: all]
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Bytes that are written
    #[arg(long, value_name = "N", default_value_t = 500)]
    length: usize,
}

/// Runs the command.
pub fn run(args: &GenerateArgs) -> Outcome {
    let saved = models::load(&args.model)?;
    let sampling = Sampling { temperature: args.temperature, top_k: args.top_k, seed: args.seed };
    let bytes =
        models::generate(&*saved.model, args.prompt.as_bytes(), sampling).map_err(|error| match error {
            Error::Data(why) => Error::Data(format!("{}: {why}", text::path(&args.model))),
            other => other,
        })?;
    if let Some(context) = saved.model.context().filter(|context| args.prompt.len() > *context) {
        let len = args.prompt.len();
        output::note(format_args!(
            "note: the prompt has {}, and the model sees the last {context}",
            count(len, "byte")
        ));
    }
    let mut out = Stream { is_terminal: io::stdout().is_terminal(), waiting: Vec::new() };
    for byte in bytes.take(args.length) {
        out.write(byte?)?;
    }
    out.end()?;
    Ok(ExitCode::SUCCESS)
}

/// Writes bytes as they come.
struct Stream {
    is_terminal: bool,
    /// The beginning of a character, for a terminal.
    waiting: Vec<u8>,
}

impl Stream {
    fn write(&mut self, byte: u8) -> Result<(), Failure> {
        if !self.is_terminal {
            return raw(&[byte]);
        }
        self.waiting.push(byte);
        self.show(false)
    }

    fn end(&mut self) -> Result<(), Failure> {
        if !self.is_terminal {
            return Ok(());
        }
        self.show(true)?;
        output::write("\n")
    }

    /// Shows the characters that are whole; at the end all that is left.
    fn show(&mut self, ends: bool) -> Result<(), Failure> {
        let shown = shown(&mut self.waiting, ends);
        if shown.is_empty() { Ok(()) } else { output::write(shown) }
    }
}

/// Takes what is whole from the front of `waiting`: characters as they are, and bytes of none as `\x80`.
fn shown(waiting: &mut Vec<u8>, ends: bool) -> String {
    let mut shown = String::new();
    while !waiting.is_empty() {
        let (whole, bad) = match std::str::from_utf8(waiting) {
            Ok(all) => (all.len(), 0),
            Err(error) => (
                error.valid_up_to(),
                match error.error_len() {
                    Some(len) => len,
                    None if ends => waiting.len() - error.valid_up_to(),
                    None => 0,
                },
            ),
        };
        for c in String::from_utf8_lossy(&waiting[..whole]).chars() {
            match c {
                '\n' | '\t' => shown.push(c),
                c if c.is_ascii_control() => shown += &format!("\\x{:02x}", u32::from(c)),
                c => shown.push(c),
            }
        }
        waiting[whole..whole + bad].iter().for_each(|byte| shown += &format!("\\x{byte:02x}"));
        waiting.drain(..whole + bad);
        if bad == 0 {
            break;
        }
    }
    shown
}

/// Writes bytes to standard output as they are: what is made is data there.
fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Error::io("standard output")(error).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_terminal_is_shown_whole_characters() {
        let stream = |bytes: &[u8]| {
            let mut waiting = Vec::new();
            let mut all: Vec<String> = bytes
                .iter()
                .map(|byte| {
                    waiting.push(*byte);
                    shown(&mut waiting, false)
                })
                .collect();
            all.push(shown(&mut waiting, true));
            all.join("|")
        };
        assert_eq!(stream("aé\n".as_bytes()), "a||é|\n|");
        assert_eq!(stream(b"\x1b[2J\r"), "\\x1b|[|2|J|\\x0d|");
        assert_eq!(stream(b"\x80b\xE2\x82"), "\\x80|b|||\\xe2\\x82");
        assert_eq!(stream(b"\xE2b"), "|\\xe2b|");
    }
}
