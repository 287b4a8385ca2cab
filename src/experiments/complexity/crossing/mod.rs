//! Where an exact kernel machine begins to cost more than a network. What is claimed of it is in a file of its own:
//! the claims have to say why they fail where few crossings were found.

mod claims;

use claims::{claims, growth, in_depth};

use super::measure::{self, BATCH, kernels};
use crate::experiments::prelude::*;

/// Layers of the networks.
const DEPTHS: [usize; 2] = [2, 8];
const EPOCHS: [usize; 3] = [2, 10, 50];

/// Times at one number of features, which is also the width of the network.
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
    let widths: &[usize] = context.pick(&[8, 16, 32], &[8, 16, 32, 64]);
    let mut all = Vec::new();
    for d in widths {
        tell("crossing")?;
        let mut training = [0.0; DEPTHS.len()];
        for (to, depth) in training.iter_mut().zip(DEPTHS) {
            *to = measure::training_seconds(context, *d, depth)?;
        }
        let mut fits = Vec::new();
        for n in measure::doubling(64, context.pick(6, 7)) {
            fits.push((n as f64, kernels::fit_seconds(context, n, *d)?));
        }
        all.push(Width { d: *d, training, fits });
    }
    Ok(all)
}

impl Width {
    /// The n at which the fit takes as long as so many epochs, where the measured times enclose it. Between
    /// two of them the logarithms are taken for linear.
    fn crossing(&self, depth: usize, epochs: usize) -> Option<f64> {
        // Above 0 where the fit takes longer.
        let excess =
            |(n, seconds): (f64, f64)| Float::ln(seconds / (self.training[depth] * n * epochs as f64));
        self.fits.windows(2).find_map(|pair| {
            let (a, b) = (excess(pair[0]), excess(pair[1]));
            let share = a / (a - b);
            let (from, to) = (Float::ln(pair[0].0), Float::ln(pair[1].0));
            (a <= 0.0 && b > 0.0).then(|| Float::exp(from + share * (to - from)))
        })
    }
}

pub fn report(outcome: &mut Outcome, widths: &[Width]) {
    let mut all = Vec::new();
    for width in widths {
        for (depth, layers) in DEPTHS.into_iter().enumerate() {
            for epochs in EPOCHS {
                let work = (layers * width.d * width.d * epochs) as f64;
                let n = width.crossing(depth, epochs).unwrap_or(f64::NAN);
                all.push(Crossing { d: width.d, depth, epochs, work, n });
            }
        }
    }
    let crossings: Vec<Crossing> = all.iter().copied().filter(|crossing| crossing.n.is_finite()).collect();
    let growth = growth(widths, &crossings);
    claims(outcome, &crossings, growth);
    outcome.claim(in_depth(widths, &crossings, growth));
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
    Figure::new(
        "crossing",
        "Network or kernel machine",
        format!(
            "Networks of {} and {} layers of width d, trained for E epochs, against exact kernel ridge \
             regression on as many features. The fit is measured whole; of training one step of Adam on a \
             batch of {BATCH} is measured, and taken n·E/{BATCH} times. Below the crossing the kernel \
             machine is done first. Parallel to the dashed line, the crossing moves with L·d²·E as the \
             theory has it; above it, the network's multiply-adds are the slower ones, below it those of the \
             kernel machine. Look whether triangles lie on the line of the circles of their colour: then L \
             counts as much as E.",
            DEPTHS[0], DEPTHS[1]
        ),
    )
    .panel(times)
    .panel(at)
}
