//! What the Rust sides share: the questions on standard input, the clock, the data.
//!
//! A question is a line `THREADS SECONDS ROW…`, as `2 0.5 gemm f32 1024 nn`. The answer is a line: `SECONDS CHECK`,
//! the median time of a call and a number by which the sides are compared; `none WHY` if this side has no such row; or
//! `error WHY`.

use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// What a row came to.
pub struct Answer {
    /// The median time of a call.
    pub seconds: f64,
    /// A figure of what was computed, the same on every side up to rounding; NaN where there is none.
    pub check: f64,
}

/// A row's words after the first, on a clock. `Ok(None)`: this side leaves the row out.
pub type Row = fn(&[&str], &Clock) -> Result<Option<Answer>, String>;

/// Takes the time of calls for about so many seconds.
#[derive(Clone, Copy)]
pub struct Clock {
    pub seconds: f64,
}

/// Of a millisecond or more, so that reading the clock costs nothing beside it.
const BATCH: f64 = 1e-3;

impl Clock {
    /// The median of the time of a call, in seconds. One or two calls go before: the first takes memory. A call that
    /// lasts longer than the clock is to run is timed once. What the last call returns is kept until the clock is read.
    pub fn time<R>(&self, mut work: impl FnMut() -> R) -> f64 {
        let mut once = |calls: usize| {
            let start = Instant::now();
            for _ in 1..calls {
                std::hint::black_box(work());
            }
            let kept = std::hint::black_box(work());
            let time = start.elapsed().as_secs_f64() / calls as f64;
            drop(kept);
            time
        };
        let first = once(1);
        // Of a row of seconds, one call is enough to begin with.
        let second = if first > self.seconds { first } else { once(1) };
        let calls = (BATCH / second.max(1e-9)).ceil() as usize;
        let begin = Instant::now();
        let mut times = Vec::new();
        while times.len() < 3 || begin.elapsed() < Duration::from_secs_f64(self.seconds) {
            times.push(once(calls));
            if first > self.seconds {
                break;
            }
        }
        median(&mut times)
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    (times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2.0
}

/// Answers one question after the other, until there are no more; `around` brings the threads about.
pub fn serve(rows: &[(&str, Row)], around: impl Fn(usize, &mut (dyn FnMut() + Send))) {
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("the driver writes text");
        let answer = match catch_unwind(AssertUnwindSafe(|| ask(&line, rows, &around))) {
            Ok(Ok(Some(Answer { seconds, check }))) => format!("{seconds:e} {check:e}"),
            Ok(Ok(None)) => "none".to_string(),
            Ok(Err(why)) => format!("error {}", why.replace('\n', " ")),
            // The message itself is on standard error.
            Err(_) => "error it panicked".to_string(),
        };
        println!("{answer}");
        std::io::stdout().flush().expect("the driver reads");
    }
}

fn ask(
    line: &str,
    rows: &[(&str, Row)],
    around: &impl Fn(usize, &mut (dyn FnMut() + Send)),
) -> Result<Option<Answer>, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [threads, seconds, name, rest @ ..] = &words[..] else {
        return Err(format!("no question: {line:?}"));
    };
    let threads = threads.parse().map_err(|_| format!("{threads:?} is no number of threads"))?;
    let clock = Clock { seconds: seconds.parse().map_err(|_| format!("{seconds:?} is no time"))? };
    let Some((_, row)) = rows.iter().find(|(own, _)| own == name) else { return Ok(None) };
    let mut answer = Ok(None);
    around(threads, &mut || answer = row(rest, &clock));
    answer
}

/// Number `i` of stream `k`, from 0 to 1: an integer hash, so that every side has the same data without a file.
pub fn uniform(i: usize, k: usize) -> f64 {
    let mut x = (i as u32).wrapping_mul(2_654_435_761).wrapping_add((k as u32).wrapping_mul(40_503));
    for _ in 0..2 {
        x ^= x >> 16;
        x = x.wrapping_mul(0x45d9_f3b);
    }
    x ^= x >> 16;
    f64::from(x >> 8) / f64::from(1 << 24)
}

/// The first `n` numbers of stream `k`, from `low` to `high`.
pub fn filled<T>(n: usize, k: usize, (low, high): (f64, f64), of: impl Fn(f64) -> T) -> Vec<T> {
    (0..n).map(|i| of(low + (high - low) * uniform(i, k))).collect()
}

/// Widths as in `784-128-10`.
pub fn widths(text: &str) -> Result<Vec<usize>, String> {
    numbers(text, '-')
}

/// Rows of A, columns of A, columns of B, as in `128x1024x1024`; of squares as in `512`.
pub fn sizes(text: &str) -> Result<[usize; 3], String> {
    match numbers(text, 'x')?[..] {
        [n] => Ok([n, n, n]),
        [m, k, n] => Ok([m, k, n]),
        _ => Err(format!("{text:?} is no size of a product")),
    }
}

fn numbers(text: &str, between: char) -> Result<Vec<usize>, String> {
    text.split(between)
        .map(|word| word.parse().map_err(|_| format!("{text:?} is no list of numbers")))
        .collect()
}

/// Weights of a network before training, one inputs×outputs matrix a layer, row-major: uniform within √(3/inputs). Biases
/// are 0.
pub fn weights<T>(widths: &[usize], of: impl Fn(f64) -> T) -> Vec<Vec<T>> {
    let layer = |(l, pair): (usize, &[usize])| {
        let bound = (3.0 / pair[0] as f64).sqrt();
        filled(pair[0] * pair[1], 10 + l, (-bound, bound), &of)
    };
    widths.windows(2).enumerate().map(layer).collect()
}

/// Steps of the small training before its loss is compared.
pub const STEPS: usize = 20;

/// Samples in a step of it.
pub const SMALL_BATCH: usize = 64;

/// Rows and columns of what the operations are applied to.
pub const SIDE: usize = 1000;

/// The classes of the small training.
pub fn small_labels(classes: usize) -> Vec<usize> {
    (0..SMALL_BATCH).map(|i| i % classes).collect()
}
