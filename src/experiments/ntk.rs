//! How wide networks come to be kernel machines.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::statistics::{Fit, mean_and_deviation};
use super::{Context, Experiment, Outcome};
use crate::data::Dataset;
use crate::models::Mlp;
use crate::models::kernel::{
    InfiniteNetwork, Kernel, KernelMachine, KernelRidge, Nonlinearity, Ntk, RidgeOptions, Samples,
    one_vs_rest,
};
use crate::models::ntk::{LazyOptions, LazyPoint, LazyRun, kernel_distance, lazy_training};
use crate::nn::Activation;
use crate::optim::{Adam, Optimizer};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table, fixed, rounded};
use crate::rng::{Purpose, derive, standard_normal, stream};
use crate::train::{FitOptions, Loss, Trace, argmax, fit, predict};
use crate::{Float, Result, Tape};

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
/// Share of the mean of the kernel's diagonal that is added to all of it.
const RIDGE: f64 = 1e-3;
/// Units of the networks on images.
const HIDDEN: usize = 256;

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

/// What comes of so many training images. Of each test image, 1 if it is classified right, and 0 if not.
struct Few {
    n: usize,
    ridge: Vec<f64>,
    /// One for each start.
    networks: Vec<Vec<f64>>,
}

impl Few {
    /// Accuracies of the networks.
    fn accuracies(&self) -> Vec<f64> {
        self.networks.iter().map(|right| mean_and_deviation(right).0).collect()
    }

    fn ridge(&self) -> f64 {
        mean_and_deviation(&self.ridge).0
    }

    fn network(&self) -> f64 {
        mean_and_deviation(&self.accuracies()).0
    }

    /// By how much the kernel does better, with the standard error over the test images, each of which is a pair.
    fn lead(&self) -> (f64, f64) {
        let share =
            |i: usize| self.networks.iter().map(|right| right[i]).sum::<f64>() / self.networks.len() as f64;
        paired(&self.ridge, &Vec::from_iter((0..self.ridge.len()).map(share)))
    }
}

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 1, "kernels")?;
    let mut outcome = Outcome::default();
    report_distances(&mut outcome, &distances(context)?);
    report_lazy(&mut outcome, &lazy(context)?);
    report_few(context, &mut outcome, &few(context)?);
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

fn few(context: &Context) -> Result<Vec<Few>> {
    let counts = context.pick(&[100, 300, 1000][..], &[100, 300, 1000, 3000]);
    let seeds = context.pick(2, 5);
    let test = &context.data.test;
    let mut all = Vec::new();
    for (i, n) in counts.iter().enumerate() {
        let train = context.data.train.take(*n);
        // Of fewer images than asked for there are all, once.
        if all.last().is_some_and(|few: &Few| few.n == train.len()) {
            break;
        }
        at(context, 2, i * (seeds + 1), counts.len() * (seeds + 1), "kernel ridge")?;
        let mut row = Few { n: train.len(), ridge: ridge(&train, test)?, networks: Vec::new() };
        for k in 0..seeds {
            at(context, 2, i * (seeds + 1) + k + 1, counts.len() * (seeds + 1), "network")?;
            row.networks.push(trained(context, &train, test, derive(context.seed, k as u64))?);
        }
        all.push(row);
    }
    Ok(all)
}

/// 1 for each test sample whose class is found, and 0 for the others.
fn right(test: &Dataset, classes: impl Iterator<Item = usize>) -> Vec<f64> {
    classes.enumerate().map(|(i, class)| f64::from(u8::from(class == test.label(i)))).collect()
}

/// Which test samples ridge regression with the kernel of a hidden layer of ReLU gets right.
fn ridge(train: &Dataset, test: &Dataset) -> Result<Vec<f64>> {
    let kernel: Arc<dyn Kernel<f64>> = Arc::new(Ntk(network(1, train.features(), 0.0)?));
    let (x, z) = (Samples::from_dataset(train)?, Samples::from_dataset(test)?);
    let y = one_vs_rest(train.labels().unwrap_or_default(), train.classes())?;
    let mut diagonal = 0.0;
    for norm in x.rows().norms {
        let mut value = [*norm];
        kernel.apply(&mut value, *norm, &[*norm]);
        diagonal += value[0] / x.len() as f64;
    }
    let machine = KernelRidge::fit(kernel, &x, &y, RidgeOptions::new(RIDGE * diagonal / x.len() as f64))?;
    Ok(right(test, machine.classify(&z).into_iter()))
}

/// Which test samples a finite network gets right, trained for the same number of steps whatever the number of images.
fn trained(context: &Context, train: &Dataset, test: &Dataset, seed: u64) -> Result<Vec<f64>> {
    let mut tape = Tape::<f32>::default();
    let widths = [train.features(), HIDDEN, train.classes()];
    let model = Mlp::new(&mut tape, &widths, Activation::Relu, None, &mut stream(seed, Purpose::Init))?;
    let mut optimizer = Optimizer::new(Adam::default(), 1e-3)?;
    let loss = Loss::suited_to(train)?;
    let steps: usize = context.pick(600, 2000);
    let options = FitOptions::new(steps.div_ceil(train.len().div_ceil(32).max(1)), 32, seed, loss);
    let (mut watch, mut trace) = (context.observer("network"), Trace::default());
    fit(&model, &mut tape, &mut optimizer, train, None, &options, &mut watch, &mut trace)?;
    context.check()?;
    let outputs = predict(&model, &mut tape, test)?;
    Ok(right(test, outputs.chunks(test.classes()).map(argmax)))
}

fn report_few(context: &Context, outcome: &mut Outcome, all: &[Few]) {
    let list = |of: &dyn Fn(&Few) -> String| all.iter().map(of).collect::<Vec<_>>().join(", ");
    let lead = |few: &Few| {
        let (lead, error) = few.lead();
        format!("{} ± {}", fixed(lead, 4), fixed(error, 4))
    };
    let below = all.iter().filter(|few| few.lead().0 < 0.0);
    let below: Vec<String> = below.map(|few| format!("with {} images by {}", few.n, lead(few))).collect();
    let close = all.iter().filter(|few| few.lead().0.abs() < 2.0 * few.lead().1);
    let close: Vec<String> = close.map(|few| few.n.to_string()).collect();
    let claim = Claim::that(
        "On few images the kernel machine of the infinite network does at least as well as a finite one",
    )
    .expected("a test accuracy that is not below")
    .measured(format!(
        "{} by the kernel, {} by the network, for {} images: a lead of {} (± a standard error over the test images)",
        list(&|few| fixed(few.ridge(), 4)),
        list(&|few| fixed(few.network(), 4)),
        list(&|few| few.n.to_string()),
        list(&lead)
    ))
    .criterion("at each number of images not below the mean of the networks")
    .holds(
        below.is_empty(),
        format!(
            "It is below {}. The network also learns features, the kernel has those of the start; and the losses are not \
             the same, the squared error for the kernel and the cross-entropy for the network.",
            below.join(", ")
        ),
    );
    let remark = format!(
        "With {} images the lead is less than two standard errors: other test images may turn it round.",
        close.join(", ")
    );
    outcome.claim(if close.is_empty() { claim } else { claim.remark(&remark) });
    let spread = all.iter().map(|few| {
        let (mean, deviation) = mean_and_deviation(&few.accuracies());
        (few.n as f64, mean - deviation, mean + deviation)
    });
    let points = |of: &dyn Fn(&Few) -> f64| all.iter().map(|few| (few.n as f64, of(few))).collect::<Vec<_>>();
    let images = || Axis::log("training images");
    let (features, classes) = (context.data.train.features(), context.data.train.classes());
    let accuracies = Chart::new(images(), Axis::linear("test accuracy"))
        .title("Accuracy")
        .band(spread, Color::Vermilion, "")
        .line(Line::new(points(&Few::ridge)).label("NTK ridge").color(Color::Blue).marker(Marker::Circle))
        .line(
            Line::new(points(&Few::network))
                .label(format!("network {features}-{HIDDEN}-{classes}"))
                .color(Color::Vermilion)
                .marker(Marker::Square),
        );
    let errors = all.iter().map(|few| {
        let (lead, error) = few.lead();
        (few.n as f64, lead - 2.0 * error, lead + 2.0 * error)
    });
    let leads = Chart::new(images(), Axis::linear("lead of the kernel in accuracy").holding(0.0))
        .title("Difference")
        .horizontal(0.0, Color::Muted, "")
        .errors(errors, Color::Blue)
        .points(points(&|few| few.lead().0), Marker::Circle, Color::Blue, "kernel − network");
    outcome.figure(
        &Figure::new(
            "few-images",
            "Ridge regression with the tangent kernel, and a network",
            format!(
                "Both have one hidden layer of ReLU: infinitely wide, and of {HIDDEN} units trained by Adam. The band is a \
                 standard deviation over the seeds to each side; on the right the bars are two standard errors of the \
                 paired difference over the {} test images. Look where a bar crosses 0: there these images do not tell.",
                context.data.test.len()
            ),
        )
        .panel(accuracies)
        .panel(leads),
    );
    let columns = [
        "training images",
        "NTK ridge",
        "network, mean",
        "network, standard deviation",
        "lead",
        "standard error",
    ];
    let mut table = Table::new("few-images", "Test accuracy, and the lead of the kernel", columns);
    for few in all {
        let (mean, deviation) = mean_and_deviation(&few.accuracies());
        let (lead, error) = few.lead();
        table.row([
            few.n.into(),
            few.ridge().into(),
            mean.into(),
            deviation.into(),
            lead.into(),
            error.into(),
        ]);
        outcome.number(format!("accuracy of the kernel with {}", few.n), few.ridge());
        outcome.number(format!("accuracy of the network with {}", few.n), mean);
        outcome.number(format!("standard error of the lead with {}", few.n), error);
    }
    outcome.table(table);
}
