//! Where an exact kernel machine begins to cost more than a network.

use std::ops::Bound;

use super::measure::{self, BATCH, kernels};
use crate::experiments::prelude::*;

/// Layers of the networks.
const DEPTHS: [usize; 2] = [2, 8];
const EPOCHS: [usize; 3] = [2, 10, 50];
/// Below so many samples the n² exponentials of the kernel take longer than what grows as n³.
const ENOUGH: f64 = 256.0;

/// Times at one number of features, which is also the width of the network.
#[derive(Serialize, Deserialize)]
pub struct Width {
    d: usize,
    /// Of training, for each sample in an epoch, at each depth: that of a step by the samples of its batch.
    training: [f64; DEPTHS.len()],
    /// n, and the time of the exact fit.
    fits: Vec<(f64, f64)>,
}

/// Where both take the same time.
#[derive(Clone, Copy)]
struct Crossing {
    d: usize,
    /// Of [`DEPTHS`].
    depth: usize,
    epochs: usize,
    /// L·d²·E.
    work: f64,
    /// NaN where it lies outside the measured n.
    n: f64,
}

pub fn measure(context: &Context, mut tell: impl FnMut(&str) -> Result<()>) -> Result<Vec<Width>> {
    let widths: &[usize] = context.pick(&[16, 32, 64], &[16, 32, 64, 128]);
    let mut all = Vec::new();
    for d in widths {
        tell("crossing")?;
        let mut training = [0.0; DEPTHS.len()];
        for (to, depth) in training.iter_mut().zip(DEPTHS) {
            *to = measure::training_seconds(context, *d, depth)?;
        }
        let mut fits = Vec::new();
        for n in measure::doubling(64, 6) {
            fits.push((n as f64, kernels::fit_seconds(context, n, *d)?));
        }
        all.push(Width { d: *d, training, fits });
    }
    Ok(all)
}

impl Width {
    /// log of the time of the fit over that of so many epochs, at each measured n.
    fn excess(&self, depth: usize, epochs: usize) -> Vec<(f64, f64)> {
        let of = |(n, seconds): &(f64, f64)| {
            (Float::ln(*n), Float::ln(seconds / (self.training[depth] * n * epochs as f64)))
        };
        self.fits.iter().map(of).collect()
    }

    /// The n at which the fit takes as long as so many epochs, where the measured times enclose it. Between
    /// two of them the logarithms are taken for linear.
    fn crossing(&self, depth: usize, epochs: usize) -> Option<f64> {
        self.excess(depth, epochs).windows(2).find_map(|pair| {
            let ((from, a), (to, b)) = (pair[0], pair[1]);
            (a <= 0.0 && b > 0.0).then(|| Float::exp(from + a / (a - b) * (to - from)))
        })
    }

    /// The time of the fit over that of the network at some n, where that is between the measured ones.
    fn ratio(&self, depth: usize, epochs: usize, n: f64) -> Option<f64> {
        let at = Float::ln(n);
        self.excess(depth, epochs).windows(2).find_map(|pair| {
            let ((from, a), (to, b)) = (pair[0], pair[1]);
            (from <= at && at <= to).then(|| Float::exp(a + (at - from) / (to - from) * (b - a)))
        })
    }
}

/// All widths, depths and numbers of epochs, with L·d²·E.
fn settings(widths: &[Width]) -> impl Iterator<Item = (&Width, usize, usize, f64)> {
    widths.iter().flat_map(|width| {
        DEPTHS.into_iter().enumerate().flat_map(move |(depth, layers)| {
            EPOCHS
                .into_iter()
                .map(move |epochs| (width, depth, epochs, (layers * width.d * width.d * epochs) as f64))
        })
    })
}

/// Which of the two is cheaper where n² is as large as L·d²·E, and where it is a hundred times as large.
fn claims(outcome: &mut Outcome, widths: &[Width]) {
    let ratios = |times: f64| -> Vec<f64> {
        settings(widths)
            .map(|(width, depth, epochs, work)| (width, depth, epochs, times * Float::sqrt(work)))
            .filter(|(_, _, _, n)| *n >= ENOUGH)
            .filter_map(|(width, depth, epochs, n)| width.ratio(depth, epochs, n))
            .collect()
    };
    let (equal, beyond) = (ratios(1.0), ratios(10.0));
    let why = "The theory counts multiply-adds and treats all of them as equally fast. Narrow layers and \
               small matrices run slower than large ones. A fit of few samples spends most of its time on \
               the n² exponentials of the kernel. The table of times gives the rates.";
    let of = "settings of 256 samples or more";
    let below = (Bound::Unbounded, Bound::Excluded(1.0));
    let above = (Bound::Excluded(1.0), Bound::Unbounded);
    let told = ", the median of the time of the fit over that of the network";
    for (id, statement, expected, found, range) in [
        (
            "crossing-place",
            "Where n² = L·d²·E the kernel machine is cheaper than the network",
            "1/18 of the multiply-adds",
            &equal,
            below,
        ),
        (
            "crossing-work",
            "Where n² = 100·L·d²·E the network is cheaper",
            "100/18 of the multiply-adds",
            &beyond,
            above,
        ),
    ] {
        if found.is_empty() {
            let claim =
                Claim::that(statement).named(id).expected(expected).measured("no such n was measured");
            let claim = claim.criterion("the median over all settings");
            outcome.claim(claim.judged(Verdict::NotDecided, "The measured n do not reach that far.").timed());
            continue;
        }
        let estimate = Estimate::median(found).of(of);
        outcome.claim(
            Claim::that(statement)
                .named(id)
                .expected(expected)
                .estimated(estimate)
                .saying(told)
                .within(range, why)
                .timed(),
        );
    }
}

pub fn report(outcome: &mut Outcome, widths: &[Width]) {
    let of = |(width, depth, epochs, work): (&Width, usize, usize, f64)| {
        let n = width.crossing(depth, epochs).unwrap_or(f64::NAN);
        Crossing { d: width.d, depth, epochs, work, n }
    };
    let all: Vec<Crossing> = settings(widths).map(of).collect();
    let crossings: Vec<Crossing> = all.iter().copied().filter(|crossing| crossing.n.is_finite()).collect();
    claims(outcome, widths);
    outcome.figure(&figure(widths, &crossings));
    outcome.table(
        Table::of("crossing", "Where the exact fit begins to take longer than the network", &all)
            .column("width d", |crossing| crossing.d)
            .column("layers L", |crossing| DEPTHS[crossing.depth])
            .column("epochs E", |crossing| crossing.epochs)
            .column("L·d²·E", |crossing| crossing.work)
            .column("√(18·L·d²·E)", |crossing| Float::sqrt(18.0 * crossing.work))
            .column("measured n", |crossing| {
                Cell::or(Some(crossing.n).filter(|n| n.is_finite()), "outside the measured n")
            }),
    );
}

fn figure(widths: &[Width], crossings: &[Crossing]) -> Figure {
    let mut times = Chart::new(Axis::log("samples n"), Axis::log("time (s)")).title("Time of a fit");
    if let Some(width) = widths.last() {
        let fit = Line::new(width.fits.clone()).label(format!("exact KRR, d = {}", width.d));
        times = times.line(fit.color(Color::Ink).marker(Marker::Circle));
        times = times.lines(EPOCHS.into_iter().enumerate().map(|(k, epochs)| {
            let training = width.fits.iter().map(|(n, _)| (*n, width.training[0] * n * epochs as f64));
            let label = format!("{} layers, {epochs} epochs", DEPTHS[0]);
            Line::new(training).label(label).color(Color::series(k)).dash(k)
        }));
        let of_width = crossings.iter().filter(|c| (c.d, c.depth) == (width.d, 0));
        let at = of_width.map(|c| (c.n, width.training[0] * c.n * c.epochs as f64));
        times = times.points(at, Marker::Star, Color::Vermilion, "the same time");
    }
    let mut at = Chart::new(Axis::log("L·d²·E"), Axis::log("n of equal time")).title("Where they cross");
    for (i, width) in widths.iter().enumerate() {
        for (depth, layers) in DEPTHS.into_iter().enumerate() {
            let found = crossings.iter().filter(|c| (c.d, c.depth) == (width.d, depth));
            let marker = [Marker::Circle, Marker::Triangle][depth % 2];
            let label = format!("d = {}, L = {layers}", width.d);
            at = at.points(found.map(|c| (c.work, c.n)), marker, Color::series(i), label);
        }
    }
    let ends = range(crossings.iter().map(|crossing| crossing.work));
    if ends.0 < ends.1 {
        let theory = [ends.0, ends.1].map(|work| (work, Float::sqrt(18.0 * work)));
        at = at.line(Line::new(theory).label("n² = 18·L·d²·E").color(Color::Muted).dash(1));
    }
    // Different networks can have as much work.
    let slope = if ends.0 < ends.1 {
        let places: Vec<(f64, f64)> = crossings.iter().map(|c| (c.work, c.n)).collect();
        format!(
            " The measured crossings grow with the power {}. Crossings outside the measured n are left out.",
            fixed(Fit::power_law(&places).slope, 2)
        )
    } else {
        String::new()
    };
    Figure::new(
        "crossing",
        "Network or kernel machine",
        format!(
            "Networks of {} and {} layers of width d, trained for E epochs, against exact kernel ridge \
             regression on as many features. The whole fit is measured. Of the training, one step of Adam \
             on a batch of {BATCH} is measured and multiplied by n·E/{BATCH}. Below the crossing the kernel \
             machine is faster. The dashed line counts all multiply-adds as equally fast; it grows as the \
             power 0.5 of L·d²·E.{} Where crossings lie below the line, a multiply-add takes longer in the \
             kernel machine. Where they lie above it, it takes longer in the network. Check whether \
             triangles and circles of one colour lie on one line: then L counts as much as E.",
            DEPTHS[0], DEPTHS[1], slope
        ),
    )
    .panel(times)
    .panel(at)
}
