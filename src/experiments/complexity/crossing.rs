//! Where an exact kernel machine begins to cost more than a network.

use super::measure::{self, BATCH};
use crate::experiments::statistics::{Fit, median};
use crate::experiments::{Context, Outcome};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table, fixed};
use crate::{Float, Result};

/// Layers of the network.
const DEPTH: usize = 3;
const EPOCHS: [usize; 3] = [2, 10, 50];

/// Times at one number of features, which is also the width of the network.
pub struct Width {
    d: usize,
    /// Of training, for each sample in an epoch: that of a step by the samples of its batch.
    training: f64,
    /// n, and the time of the exact fit.
    fits: Vec<(f64, f64)>,
}

/// Where both take the same time.
struct Crossing {
    d: usize,
    epochs: usize,
    /// L·d²·E.
    work: f64,
    n: f64,
}

pub fn measure(context: &Context, mut tell: impl FnMut(&str) -> Result<()>) -> Result<Vec<Width>> {
    let widths: &[usize] = context.pick(&[8, 16, 32], &[8, 16, 32, 64]);
    let mut all = Vec::new();
    for d in widths {
        tell("crossing")?;
        let training = measure::training_seconds(context, *d, DEPTH)?;
        let mut fits = Vec::new();
        for n in measure::doubling(64, context.pick(6, 7)) {
            fits.push((n as f64, measure::fit_seconds(context, n, *d)?));
        }
        all.push(Width { d: *d, training, fits });
    }
    Ok(all)
}

impl Width {
    /// The n at which the fit takes as long as so many epochs, where the measured times enclose it. Between
    /// two of them the logarithms are taken for linear.
    fn crossing(&self, epochs: usize) -> Option<f64> {
        // Above 0 where the fit takes longer.
        let excess = |(n, seconds): (f64, f64)| Float::ln(seconds / (self.training * n * epochs as f64));
        self.fits.windows(2).find_map(|pair| {
            let (a, b) = (excess(pair[0]), excess(pair[1]));
            let share = a / (a - b);
            let (from, to) = (Float::ln(pair[0].0), Float::ln(pair[1].0));
            (a <= 0.0 && b > 0.0).then(|| Float::exp(from + share * (to - from)))
        })
    }
}

pub fn report(outcome: &mut Outcome, widths: &[Width]) {
    let mut crossings = Vec::new();
    let columns = ["width d", "epochs E", "L·d²·E", "√(18·L·d²·E)", "measured n"];
    let mut table =
        Table::new("crossing", "Where the exact fit begins to take longer than the network", columns);
    for width in widths {
        for epochs in EPOCHS {
            let work = (DEPTH * width.d * width.d * epochs) as f64;
            let n = width.crossing(epochs);
            table.row([
                width.d.into(),
                epochs.into(),
                work.into(),
                Float::sqrt(18.0 * work).into(),
                n.map_or("outside the measured n".into(), Into::into),
            ]);
            if let Some(n) = n {
                crossings.push(Crossing { d: width.d, epochs, work, n });
            }
        }
    }
    claims(outcome, &crossings);
    outcome.figure(&figure(widths, &crossings));
    outcome.table(table);
}

/// Fewer crossings than this give no slope.
const ENOUGH: usize = 3;

fn claims(outcome: &mut Outcome, crossings: &[Crossing]) {
    let points: Vec<(f64, f64)> = crossings.iter().map(|c| (c.work, c.n)).collect();
    let varied = points.iter().any(|(work, _)| *work != points[0].0);
    let fit = (points.len() >= ENOUGH && varied).then(|| Fit::power_law(&points));
    let found = format!("{} found among the measured n", crossings.len());
    let too_few = format!(
        "Fewer than {ENOUGH} crossings lie among the measured n: at all others one of the two is always the \
         faster, which says nothing about how the crossing moves."
    );
    outcome.claim(
        Claim::that("Network and kernel machine take the same time at an n that grows as √(L·d²·E)")
            .expected("slope 0.5")
            .measured(match &fit {
                Some(fit) => format!("slope {fit}, R² {}; {found}", fixed(fit.r_squared, 3)),
                None => found.clone(),
            })
            .criterion(format!("slope within 0.1 of 0.5, through {ENOUGH} crossings at least"))
            .holds(
                fit.is_some_and(|fit| (fit.slope - 0.5).abs() <= 0.1),
                match fit {
                    Some(_) => "The theory counts multiply-adds and takes each for equally fast. Narrow layers \
                                and small matrices do not run at the speed of large ones, and a fit of few \
                                samples is mostly the n² exponentials of its kernel: see the rates in the table \
                                of slopes."
                        .to_string(),
                    None => too_few.clone(),
                },
            )
            .timed(),
    );
    let ratios: Vec<f64> = crossings.iter().map(|c| c.n / Float::sqrt(c.work)).collect();
    let ratio = (ratios.len() >= ENOUGH).then(|| median(&ratios));
    let expected = Float::sqrt(18.0f64);
    let cheaper = match ratio {
        Some(ratio) if ratio < expected => {
            "A multiply-add of the kernel machine costs more than one of the network: below some thousand samples \
             its factor is slow, and distances and exponentials come on top."
        }
        Some(_) => {
            "A multiply-add of the network costs more than one of the kernel machine: its matrices are small, and \
             activations, loss and optimizer come on top."
        }
        None => &too_few,
    };
    outcome.claim(
        Claim::that("They take the same time where they need the same number of multiply-adds")
            .expected(format!("n³/6 = 3·n·L·d²·E, that is n/√(L·d²·E) = √18 = {}", fixed(expected, 2)))
            .measured(ratio.map_or(found, |ratio| format!("{}, the median", fixed(ratio, 2))))
            .criterion(format!("within a factor of 3, over {ENOUGH} crossings at least"))
            .holds(ratio.is_some_and(|r| (expected / 3.0..=expected * 3.0).contains(&r)), cheaper)
            .timed(),
    );
}

fn figure(widths: &[Width], crossings: &[Crossing]) -> Figure {
    let mut times = Chart::new(Axis::log("samples n"), Axis::log("time (s)")).title("Time of a fit");
    for (i, width) in widths.iter().enumerate().rev().take(1) {
        let fit = Line::new(width.fits.clone()).label(format!("exact KRR, d = {}", width.d));
        times = times.line(fit.color(Color::Ink).marker(Marker::Circle));
        for (k, epochs) in EPOCHS.into_iter().enumerate() {
            let training = width.fits.iter().map(|(n, _)| (*n, width.training * n * epochs as f64));
            let line = Line::new(training).label(format!("network, {epochs} epochs"));
            times = times.line(line.color(Color::series(k)).dash(k));
        }
        let of_width = crossings.iter().filter(|c| c.d == widths[i].d);
        let at = of_width.map(|c| (c.n, width.training * c.n * c.epochs as f64));
        times = times.points(at, Marker::Star, Color::Vermilion, "the same time");
    }
    let mut at = Chart::new(Axis::log("L·d²·E"), Axis::log("n of equal time")).title("Where they cross");
    for (i, width) in widths.iter().enumerate() {
        let of_width = crossings.iter().filter(|c| c.d == width.d).map(|c| (c.work, c.n));
        at = at.points(of_width, Marker::series(i), Color::series(i), format!("d = {}", width.d));
    }
    let ends = crossings.iter().fold((f64::INFINITY, 0.0f64), |(a, b), c| (a.min(c.work), b.max(c.work)));
    if ends.0 < ends.1 {
        let theory = [ends.0, ends.1].map(|work| (work, Float::sqrt(18.0 * work)));
        at = at.line(Line::new(theory).label("n² = 18·L·d²·E").color(Color::Muted).dash(1));
    }
    Figure::new(
        "crossing",
        "Network or kernel machine",
        format!(
            "A network of {DEPTH} layers of width d, trained for E epochs, against exact kernel ridge regression \
             on as many features. The fit is measured whole; of training one step of Adam on a batch of {BATCH} is \
             measured, and taken n·E/{BATCH} times. Below the crossing the kernel machine is done first. Parallel \
             to the dashed line, the crossing moves with L·d²·E as the theory has it; above it, the network's \
             multiply-adds are the slower ones, below it those of the kernel machine."
        ),
    )
    .panel(times)
    .panel(at)
}
