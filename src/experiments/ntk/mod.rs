//! How wide networks come to be kernel machines.

mod few;
pub mod study;

use nalgebra::DMatrix;

use study::{LazyOptions, LazyPoint, LazyRun, kernel_distance, lazy_training};

use super::statistics::{Fit, mean_and_deviation};
use super::{Context, Experiment, Outcome};
use crate::models::kernel::{InfiniteNetwork, Nonlinearity, Samples};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table, fixed, rounded};
use crate::rng::{Purpose, derive, standard_normal, stream};
use crate::{Float, Result};

pub const EXPERIMENT: Experiment = Experiment {
    name: "ntk",
    question: "From which width on does a network train like the kernel machine of its limit?",
    theory: &[
        "The tangent kernel Θ̂(x, x′) = Σ_p ∂f(x)/∂θ_p·∂f(x′)/∂θ_p of a network of width m at its start tends to a \
         fixed kernel Θ as m → ∞ (Jacot, Gabriel and Hongler 2018). Its entries are means over the width, so that \
         the distance falls as m^(−½), with a factor that grows with the depth (Hanin and Nica 2020).",
        "In training the weights of a wide network hardly move, but all move together: with hidden layers in a \
         row, m² weights move by O(1) in all from a norm of m, so that ‖θ − θ₀‖/‖θ₀‖ falls as 1/m. The network \
         stays near the linear model f₀ + ∇f₀·(θ − θ₀), whose outputs on n samples are known in closed form, \
         f_t = y + (I − ηΘ/n)^t·(f₀ − y); the distance is O(m^(−½)) or less (Chizat, Oyallon and Bach 2019; Lee et \
         al. 2019, theorem 2.1).",
        "Ridge regression with Θ is what the infinitely wide network learns. On few samples it does at least as \
         well as a trained network (Arora et al., \"Harnessing the power of infinitely wide deep nets on \
         small-data tasks\", 2020).",
    ],
    run,
};

/// Dimension of the points of the first two parts.
const D: usize = 5;
const STEPS: [u64; 12] = [0, 1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300];

/// n points on the sphere of radius √d.
fn sphere(n: usize, seed: u64) -> Result<Samples<f64>> {
    let mut rng = stream(seed, Purpose::Data);
    let mut values: Vec<f64> = (0..n * D).map(|_| standard_normal(&mut rng)).collect();
    for row in values.chunks_mut(D) {
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        row.iter_mut().for_each(|v| *v *= (D as f64).sqrt() / norm);
    }
    Samples::new(values, D)
}

fn network(depth: usize, inputs: usize, bias: f64) -> Result<InfiniteNetwork> {
    InfiniteNetwork::new(depth, Nonlinearity::Relu, 1.0 / inputs as f64)?.with_variances(2.0, bias)
}

/// Distances of a depth: for each width, that of each seed.
struct Distances {
    depth: usize,
    at: Vec<(usize, Vec<f64>)>,
    fit: Fit,
}

/// The runs at a width.
struct Lazy {
    width: usize,
    runs: Vec<LazyRun>,
}

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 1, "kernels")?;
    let mut outcome = Outcome::default();
    report_distances(&mut outcome, &distances(context)?);
    report_lazy(&mut outcome, &lazy(context)?);
    few::report(context, &mut outcome, &few::measure(context)?);
    Ok(outcome)
}

/// Moves the progress through the third of the whole that is part `part`.
fn at(context: &Context, part: usize, done: usize, all: usize, what: &str) -> Result<()> {
    context.at(part * all + done, 3 * all, what)
}

/// The seed of a repetition at a width. Draws of different widths share nothing, as a fit through all of them takes for
/// granted; those of different depths are pairs.
fn repetition(context: &Context, width: usize, k: u64) -> u64 {
    derive(derive(context.seed, width as u64), k)
}

fn distances(context: &Context) -> Result<Vec<Distances>> {
    let x = sphere(8, context.seed)?;
    let widths = context.pick(&[32, 64, 128, 256, 512][..], &[32, 64, 128, 256, 512, 1024]);
    let seeds = context.pick(16, 32);
    let mut all = Vec::new();
    for depth in 1..=3 {
        let network = network(depth, D, 0.1)?;
        let mut rows = Vec::new();
        for (i, width) in widths.iter().enumerate() {
            let mut distances = Vec::new();
            for seed in 0..seeds {
                at(context, 0, (depth - 1) * widths.len() + i, 3 * widths.len(), "kernels at the start")?;
                distances.push(kernel_distance(&network, &x, *width, repetition(context, *width, seed))?);
            }
            rows.push((*width, distances));
        }
        let points: Vec<(f64, f64)> =
            rows.iter().flat_map(|(width, d)| d.iter().map(|d| (*width as f64, *d))).collect();
        all.push(Distances { depth, at: rows, fit: Fit::power_law(&points) });
    }
    Ok(all)
}

/// The mean of the differences a − b, and its standard error.
fn paired(a: &[f64], b: &[f64]) -> (f64, f64) {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let (mean, deviation) = mean_and_deviation(&differences);
    (mean, deviation / (differences.len() as f64).sqrt())
}

fn report_distances(outcome: &mut Outcome, all: &[Distances]) {
    let slopes: Vec<String> = all.iter().map(|d| d.fit.to_string()).collect();
    outcome.claim(
        Claim::that("The kernel of a finite network tends to its limit as the root of the width")
            .expected("slope −½ for each depth")
            .measured(format!("{} for 1, 2, 3 hidden layers", slopes.join(", ")))
            .criterion("all within 0.1")
            .holds(
                all.iter().all(|d| (d.fit.slope + 0.5).abs() <= 0.1),
                "The rule is for m → ∞. At the narrowest widths of the deeper networks the terms in 1/m still count and \
                 make the slope steeper; and the distance varies from draw to draw of the weights.",
            ),
    );
    let last = |d: &Distances| d.at.last().map_or_else(Vec::new, |(_, distances)| distances.clone());
    let lasts: Vec<Vec<f64>> = all.iter().map(last).collect();
    let means: Vec<String> = lasts.iter().map(|last| fixed(mean_and_deviation(last).0, 4)).collect();
    let rises: Vec<(f64, f64)> = lasts.windows(2).map(|pair| paired(&pair[1], &pair[0])).collect();
    let list = rises.iter().map(|(rise, error)| format!("{} ± {}", fixed(*rise, 4), fixed(*error, 4)));
    let widest = all.first().and_then(|d| d.at.last()).map_or(0, |(width, _)| *width);
    outcome.claim(
        Claim::that("Deeper networks are farther from their limit")
            .expected("a distance that grows with the depth")
            .measured(format!(
                "{} at width {widest}, rises of {} (± a standard error of the paired difference)",
                means.join(", "),
                list.collect::<Vec<_>>().join(", ")
            ))
            .criterion("each mean is above the one before by at least 2 standard errors")
            .holds(
                rises.iter().all(|(rise, error)| *rise >= 2.0 * error),
                "What lies closer together than that is a matter of the draws, of which there are too few.",
            ),
    );
    let mut chart =
        Chart::new(Axis::log("width m"), Axis::log("‖Θ̂ − Θ‖/‖Θ‖")).title("Distance of the kernels");
    let columns = ["hidden layers", "width", "mean distance", "standard deviation"];
    let mut table = Table::new("distance", "Distance of the empirical kernel from its limit", columns);
    for (i, Distances { depth, at, fit }) in all.iter().enumerate() {
        let (color, label) = (Color::series(i), format!("{depth} hidden, slope {fit}"));
        // Side by side, so that none covers another.
        let beside = |width: usize| width as f64 * (1.0 + 0.06 * (i as f64 - 1.0));
        let errors = at.iter().map(|(width, distances)| {
            let (mean, deviation) = mean_and_deviation(distances);
            let error = deviation / (distances.len() as f64).sqrt();
            (beside(*width), mean - error, mean + error)
        });
        let means = at.iter().map(|(width, distances)| (beside(*width), mean_and_deviation(distances).0));
        let line = at.iter().map(|(width, _)| (*width as f64, fit.power_at(*width as f64)));
        chart = chart.errors(errors, color).line(Line::new(line).color(color).width(1.2)).points(
            means,
            Marker::series(i),
            color,
            label,
        );
        for (width, distances) in at {
            let (mean, deviation) = mean_and_deviation(distances);
            table.row([(*depth).into(), (*width).into(), mean.into(), deviation.into()]);
            outcome.number(format!("distance at depth {depth}, width {width}"), mean);
        }
        outcome.number(format!("slope at depth {depth}"), fit.slope);
    }
    outcome.figure(
        &Figure::new(
            "distance",
            "The kernel of finite networks",
            "Marks are means over the draws of the weights, with a standard error to each side, and lines are fitted to \
             all draws. By the theory the lines are parallel, one exponent for all depths, and the deeper network has \
             the higher one.",
        )
        .panel(chart),
    );
    outcome.table(table);
}

fn lazy(context: &Context) -> Result<Vec<Lazy>> {
    let (x, test) = (sphere(12, derive(context.seed, 1))?, sphere(20, derive(context.seed, 2))?);
    let y = DMatrix::from_fn(x.len(), 1, |i, _| {
        let row = x.rows().row(i);
        (row[0] + row[1] * row[2]).signum()
    });
    let network = network(2, D, 0.1)?;
    let widths = context.pick(&[32, 128, 512][..], &[32, 64, 128, 256, 512]);
    let seeds = context.pick(6, 8);
    let mut all = Vec::new();
    for (i, width) in widths.iter().enumerate() {
        let mut runs = Vec::new();
        for k in 0..seeds {
            at(context, 1, i * seeds + k, widths.len() * seeds, "training beside the linear model")?;
            let seed = repetition(context, *width, k as u64);
            let options = LazyOptions { width: *width, seed, rate: 0.3, steps: STEPS.to_vec() };
            runs.push(lazy_training(&network, &x, &y, &test, &options)?);
        }
        all.push(Lazy { width: *width, runs });
    }
    Ok(all)
}

/// Of a claim that some slopes are at most −0.4: which are above it, and whether draws alone may do that.
fn slow(narrow: &Lazy, wide: &Lazy, measures: &[Measure], fits: &[Fit]) -> String {
    let mean = |lazy: &Lazy, of: fn(&LazyRun) -> f64| {
        mean_and_deviation(&lazy.runs.iter().map(of).collect::<Vec<_>>()).0
    };
    let above = measures.iter().zip(fits).filter(|(_, fit)| fit.slope > -0.4);
    let text = above.map(|((name, of), fit)| {
        let [from, to] = [narrow, wide].map(|lazy| rounded(mean(lazy, *of), 2));
        let (low, high) = (fixed(fit.slope - fit.half_width, 2), fixed(fit.slope + fit.half_width, 2));
        let verdict = match fit.slope - fit.half_width <= -0.5 {
            true => "which holds −½, so that draws alone may have done it",
            false => "which does not hold −½: at these widths the bound for m → ∞ is not yet reached",
        };
        format!(
            "The {name} falls from {from} at width {} to {to} at width {} with a slope between {low} and {high}, {verdict}.",
            narrow.width, wide.width
        )
    });
    text.collect::<Vec<_>>().join(" ")
}

/// Something that is measured of a run.
type Measure = (&'static str, fn(&LazyRun) -> f64);

fn report_lazy(outcome: &mut Outcome, all: &[Lazy]) {
    let measures: [Measure; 4] = [
        ("movement of the weights", LazyRun::movement),
        ("distance, training points", LazyRun::train_error),
        ("distance, test points", LazyRun::test_error),
        ("movement of the kernel", |run| run.kernel_movement),
    ];
    let mean = |lazy: &Lazy, of: fn(&LazyRun) -> f64| {
        mean_and_deviation(&lazy.runs.iter().map(of).collect::<Vec<_>>()).0
    };
    let fits = measures.map(|(_, of)| {
        let runs = all.iter().flat_map(|lazy| lazy.runs.iter().map(|run| (lazy.width as f64, of(run))));
        Fit::power_law(&runs.collect::<Vec<_>>())
    });
    outcome.claim(
        Claim::that("Training moves the weights less, the wider the network")
            .expected("‖θ − θ₀‖/‖θ₀‖ with slope −1")
            .measured(format!("slope {}", fits[0]))
            .criterion("within 0.15")
            .holds(
                (fits[0].slope + 1.0).abs() <= 0.15,
                "The rule is for m → ∞. In narrow networks the kernel moves along with the weights, and training, \
                 which ends after a fixed number of steps, gets less or more far than in wide ones.",
            ),
    );
    outcome.claim(
        Claim::that(
            "The distance to the linear model, and the movement of the kernel, fall as the root of the \
             width or faster",
        )
        .expected("slopes of −½ or below")
        .measured(format!("{}, {}, and {} of the kernel", fits[1], fits[2], fits[3]))
        .criterion("each slope is at most −0.4")
        .holds(
            fits[1..].iter().all(|fit| fit.slope <= -0.4),
            slow(&all[0], &all[all.len() - 1], &measures[1..], &fits[1..]),
        ),
    );
    let Some(widest) = all.last() else { return };
    let error = mean(widest, LazyRun::train_error);
    outcome.claim(
        Claim::that(format!("A network of width {} trains as its linear model does", widest.width))
            .expected("the same outputs at all steps")
            .measured(format!(
                "at most {} of ‖y‖ apart, a mean of {} networks; {} at width {}",
                fixed(error, 3),
                widest.runs.len(),
                fixed(mean(&all[0], LazyRun::train_error), 3),
                all[0].width
            ))
            .criterion("at most 0.03, in squares less than a thousandth of ‖y‖²")
            .holds(
                error <= 0.03,
                format!(
                    "It is still too narrow: by the slope of {} the distance halves with each {} times as many units.",
                    fixed(fits[1].slope, 2),
                    fixed(Float::powf(2.0, -1.0 / fits[1].slope), 1)
                ),
            ),
    );

    let mut chart = Chart::new(Axis::log("width m"), Axis::log("relative change")).title("Lazy training");
    for (i, ((name, of), fit)) in measures.iter().zip(&fits).enumerate() {
        let line = all.iter().map(|lazy| (lazy.width as f64, fit.power_at(lazy.width as f64)));
        let points = all.iter().map(|lazy| (lazy.width as f64, mean(lazy, *of)));
        chart = chart.line(Line::new(line).color(Color::series(i)).width(1.2)).points(
            points,
            Marker::series(i),
            Color::series(i),
            format!("{name}: {}", fixed(fit.slope, 2)),
        );
    }
    let mut figure = Figure::new(
        "lazy",
        "Networks and their linear models in training",
        "Gradient descent on 12 points. First what training changes, with fitted slopes; then how far the outputs of \
         the network are from those of its linear model, which is known in closed form; then the losses of both, for a \
         narrow network and a wide one. Look when each leaves its linear model.",
    )
    .panel(chart);
    let mut chart =
        Chart::new(Axis::log("step"), Axis::log("‖f − f_lin‖/‖y‖")).title("Distance, training points");
    for lazy in all.iter().filter(|lazy| [32, 128, 512].contains(&lazy.width)) {
        let points = STEPS.iter().enumerate().skip(1).map(|(i, step)| {
            let errors: Vec<f64> = lazy.runs.iter().map(|run| run.points[i].train_error).collect();
            (*step as f64, mean_and_deviation(&errors).0)
        });
        chart = chart.line(Line::new(points).label(format!("width {}", lazy.width)));
    }
    figure = figure.panel(chart);
    for lazy in [&all[0], widest] {
        let points = &lazy.runs[0].points;
        let at = |of: fn(&LazyPoint) -> f64| -> Vec<(f64, f64)> {
            points.iter().skip(1).map(|p| (p.step as f64, of(p))).collect()
        };
        let chart = Chart::new(Axis::log("step"), Axis::log("loss"))
            .title(format!("Width {}", lazy.width))
            .line(Line::new(at(|p| p.loss)).label("network").color(Color::Blue))
            .line(Line::new(at(|p| p.linear_loss)).label("linear model").color(Color::Ink).dash(1));
        figure = figure.panel(chart);
    }
    outcome.figure(&figure);
    let names = measures.map(|(name, _)| name);
    let caption =
        format!("Means of {} networks each; distances are the largest over the steps", widest.runs.len());
    let mut table = Table::new("lazy", caption, std::iter::once("width").chain(names));
    for lazy in all {
        let values = measures.map(|(_, of)| mean(lazy, of));
        table.row(std::iter::once(lazy.width.into()).chain(values.map(Into::into)));
        for (name, value) in names.iter().zip(values) {
            outcome.number(format!("{name} at width {}", lazy.width), value);
        }
    }
    outcome.table(table);
}
