//! Where an exact kernel machine begins to cost more than a network.

use super::measure::{self, BATCH};
use super::with_doubt;
use crate::experiments::statistics::{Fit, mean_and_deviation, median};
use crate::experiments::{Context, Outcome};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table, fixed};
use crate::{Float, Result};

/// Layers of the networks.
const DEPTHS: [usize; 2] = [2, 8];
/// How far an exponent may be from ½.
const TOLERANCE: f64 = 0.1;
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
struct Crossing {
    d: usize,
    /// Of [`DEPTHS`].
    depth: usize,
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
        let mut training = [0.0; DEPTHS.len()];
        for (to, depth) in training.iter_mut().zip(DEPTHS) {
            *to = measure::training_seconds(context, *d, depth)?;
        }
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
    let mut crossings = Vec::new();
    let columns = ["width d", "layers L", "epochs E", "L·d²·E", "√(18·L·d²·E)", "measured n"];
    let mut table =
        Table::new("crossing", "Where the exact fit begins to take longer than the network", columns);
    for width in widths {
        for (depth, layers) in DEPTHS.into_iter().enumerate() {
            for epochs in EPOCHS {
                let work = (layers * width.d * width.d * epochs) as f64;
                let n = width.crossing(depth, epochs);
                table.row([
                    width.d.into(),
                    layers.into(),
                    epochs.into(),
                    work.into(),
                    Float::sqrt(18.0 * work).into(),
                    n.map_or("outside the measured n".into(), Into::into),
                ]);
                if let Some(n) = n {
                    crossings.push(Crossing { d: width.d, depth, epochs, work, n });
                }
            }
        }
    }
    let growth = growth(widths, &crossings);
    claims(outcome, &crossings, growth);
    outcome.claim(in_depth(widths, &crossings, growth));
    outcome.figure(&figure(widths, &crossings));
    outcome.table(table);
}

/// Fewer crossings than this give no slope.
const ENOUGH: usize = 3;

/// The exponent in n of the time of a fit, where it crosses that of the networks: by all steps between two of the measured
/// n within the crossings. Three in theory.
fn growth(widths: &[Width], crossings: &[Crossing]) -> Option<f64> {
    let (low, high) = crossings.iter().fold((f64::INFINITY, 0.0f64), |(a, b), c| (a.min(c.n), b.max(c.n)));
    let pairs = widths.iter().flat_map(|width| width.fits.windows(2));
    let slopes: Vec<f64> = pairs
        .filter(|pair| pair[1].0 >= low && pair[0].0 <= high)
        .map(|pair| Float::ln(pair[1].1 / pair[0].1) / Float::ln(pair[1].0 / pair[0].0))
        .collect();
    (!slopes.is_empty()).then(|| mean_and_deviation(&slopes).0)
}

/// What a fit that grows otherwise than as n³ does to the crossing.
fn consequence(growth: Option<f64>) -> String {
    growth.map_or_else(String::new, |growth| {
        format!(
            " At these n the time of a fit grows as n to the {}, and not as n³: then the crossing moves as the time of \
             training to the {} instead of ½.",
            fixed(growth, 2),
            fixed(1.0 / (growth - 1.0), 2)
        )
    })
}

/// The mean exponent in L of the time of a step of training.
fn of_depth(widths: &[Width]) -> f64 {
    let steps = Float::ln(DEPTHS[DEPTHS.len() - 1] as f64 / DEPTHS[0] as f64);
    let exponent = |width: &Width| Float::ln(width.training[DEPTHS.len() - 1] / width.training[0]) / steps;
    mean_and_deviation(&widths.iter().map(exponent).collect::<Vec<_>>()).0
}

/// Whether the crossing moves with the number of layers alone as it should.
fn in_depth(widths: &[Width], crossings: &[Crossing], growth: Option<f64>) -> Claim {
    let [few, many] = [0, DEPTHS.len() - 1];
    let shallow = crossings.iter().filter(|c| c.depth == few);
    let exponents: Vec<f64> = shallow
        .filter_map(|a| {
            let b = crossings.iter().find(|b| (b.d, b.depth, b.epochs) == (a.d, many, a.epochs))?;
            Some(Float::ln(b.n / a.n) / Float::ln(DEPTHS[many] as f64 / DEPTHS[few] as f64))
        })
        .collect();
    let pairs = exponents.len();
    let enough = pairs >= ENOUGH;
    let (mean, deviation) = mean_and_deviation(&exponents);
    let half = 2.0 * deviation / (pairs as f64).sqrt();
    let claim = Claim::that("At the same width and epochs that n grows as √L, the root of the depth")
        .expected("exponent 0.5")
        .measured(match enough {
            true => format!(
                "{} ± {} between {} and {} layers, mean of {pairs} pairs and two standard errors",
                fixed(mean, 3),
                fixed(half, 3),
                DEPTHS[few],
                DEPTHS[many]
            ),
            false => format!("{pairs} pairs found among the measured n"),
        })
        .criterion(format!("mean within {TOLERANCE} of 0.5, of {ENOUGH} pairs at least"))
        .holds(
            enough && (mean - 0.5).abs() <= TOLERANCE,
            match enough {
                true => format!(
                    "The time of a step of training grows as L to the {}.{}",
                    fixed(of_depth(widths), 2),
                    consequence(growth)
                ),
                false => "At too few widths and epochs both depths have their crossing among the measured n."
                    .into(),
            },
        )
        .timed();
    match enough && half > ((mean - 0.5).abs() - TOLERANCE).abs() {
        true => claim.remark(
            "Two standard errors reach over the bound of the criterion: times of another run may come to the other verdict.",
        ),
        false => claim,
    }
}

fn claims(outcome: &mut Outcome, crossings: &[Crossing], growth: Option<f64>) {
    let points: Vec<(f64, f64)> = crossings.iter().map(|c| (c.work, c.n)).collect();
    let varied = points.iter().any(|(work, _)| *work != points[0].0);
    let fit = (points.len() >= ENOUGH && varied).then(|| Fit::power_law(&points));
    let found = format!("{} found among the measured n", crossings.len());
    let too_few = format!(
        "Fewer than {ENOUGH} crossings lie among the measured n: at all others one of the two is always the \
         faster, which says nothing about how the crossing moves."
    );
    let claim =
        Claim::that("Network and kernel machine take the same time at an n that grows as √(L·d²·E)")
            .expected("slope 0.5")
            .measured(match &fit {
                Some(fit) => format!("slope {fit}, R² {}; {found}", fixed(fit.r_squared, 3)),
                None => found.clone(),
            })
            .criterion(format!("slope within {TOLERANCE} of 0.5, through {ENOUGH} crossings at least"))
            .holds(
                fit.is_some_and(|fit| (fit.slope - 0.5).abs() <= TOLERANCE),
                match fit {
                    Some(_) => format!("The theory counts multiply-adds and takes each for equally fast. Narrow layers \
                                and small matrices do not run at the speed of large ones, and a fit of few \
                                samples is mostly the n² exponentials of its kernel: see the rates in the table \
                                of times.{}", consequence(growth)),
                    None => too_few.clone(),
                },
            )
            .timed();
    outcome.claim(match &fit {
        Some(fit) => with_doubt(claim, fit, 0.5, TOLERANCE),
        None => claim,
    });
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
    if let Some(width) = widths.last() {
        let fit = Line::new(width.fits.clone()).label(format!("exact KRR, d = {}", width.d));
        times = times.line(fit.color(Color::Ink).marker(Marker::Circle));
        for (k, epochs) in EPOCHS.into_iter().enumerate() {
            let training = width.fits.iter().map(|(n, _)| (*n, width.training[0] * n * epochs as f64));
            let line = Line::new(training).label(format!("{} layers, {epochs} epochs", DEPTHS[0]));
            times = times.line(line.color(Color::series(k)).dash(k));
        }
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
    let ends = crossings.iter().fold((f64::INFINITY, 0.0f64), |(a, b), c| (a.min(c.work), b.max(c.work)));
    if ends.0 < ends.1 {
        let theory = [ends.0, ends.1].map(|work| (work, Float::sqrt(18.0 * work)));
        at = at.line(Line::new(theory).label("n² = 18·L·d²·E").color(Color::Muted).dash(1));
    }
    Figure::new(
        "crossing",
        "Network or kernel machine",
        format!(
            "Networks of {} and {} layers of width d, trained for E epochs, against exact kernel ridge regression \
             on as many features. The fit is measured whole; of training one step of Adam on a batch of {BATCH} is \
             measured, and taken n·E/{BATCH} times. Below the crossing the kernel machine is done first. Parallel \
             to the dashed line, the crossing moves with L·d²·E as the theory has it; above it, the network's \
             multiply-adds are the slower ones, below it those of the kernel machine. Look whether triangles lie on the \
             line of the circles of their colour: then L counts as much as E.",
            DEPTHS[0], DEPTHS[1]
        ),
    )
    .panel(times)
    .panel(at)
}
