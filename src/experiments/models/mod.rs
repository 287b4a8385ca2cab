//! Logistic regression, a network and kernel ridge regression on the same samples.

use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::Instant;

use super::spiral::classify;
use super::{Context, Experiment, Outcome};
use crate::data::{Dataset, synthetic};
use crate::models::Mlp;
use crate::models::kernel::{
    KernelMachine, KernelRidge, Rbf, RidgeOptions, Samples, median_gamma, one_vs_rest,
};
use crate::nn::Activation;
use crate::optim::{Adam, Optimizer};
use crate::report::{Axis, Chart, Claim, Color, Figure, Marker, Table, grid};
use crate::rng::{Purpose, stream};
use crate::train::{FitOptions, Loss, Trace, evaluate, fit};
use crate::{Error, Float, Result, Tape};

pub const EXPERIMENT: Experiment = Experiment {
    name: "models",
    question: "How do a linear model, a network and a kernel machine compare, on a spiral and on images?",
    theory: &[
        "Three models, each with one output a class: logistic regression one against the rest, a network of \
         ReLUs on the cross-entropy, and kernel ridge regression with the Gaussian kernel on targets ±1. The \
         first draws lines only. The other two can take any form: networks by Leshno et al. (1993), and the \
         functions of a Gaussian kernel lie dense among the continuous ones (Steinwart 2001).",
        "On three spiral arms one expects about 0.60 of new points right for the lines, and about 0.97 and \
         0.95 for the other two. On all 60000 images of MNIST, LeCun, Cortes and Burges list 12.0 % wrong for a \
         linear classifier, 4.7 % for a network of 300 hidden units, and 1.4 % for a support vector machine with \
         a Gaussian kernel.",
        "The kernel machine keeps all n samples, and its fit an n×n matrix; the network and the lines keep \
         their weights, whatever n is. γ and λ come from a grid by the closed form of leaving one out: γ upwards from the \
         median heuristic, λ from 10⁻⁸ to 10⁻².",
    ],
    run,
};

const ARMS: usize = 3;
const NOISE: f64 = 0.05;
const SPAN: (f64, f64) = (-1.2, 1.2);
const CELLS: usize = 120;
const NAMES: [&str; 3] = ["logistic, one-vs-rest", "MLP", "KRR, one-vs-rest"];

/// How a model did.
struct Row {
    model: &'static str,
    /// Samples it was fitted to.
    samples: usize,
    accuracy: f64,
    fit_seconds: f64,
    /// For one sample.
    predict_seconds: f64,
    /// Bytes that the fit held at once: not the data set, but the copy of it that a kernel machine makes.
    fit_bytes: usize,
    /// Bytes that predictions need.
    kept_bytes: usize,
}

/// A network without hidden layers is a linear model.
struct Recipe {
    model: &'static str,
    hidden: &'static [usize],
    loss: Loss,
    rate: f64,
    epochs: usize,
    batch: usize,
}

/// A share of the turns, so that the arms turn 5/9 times between their ends.
const UNWOUND: f64 = 5.0 / 9.0 / (0.95 * 1.25);

/// What came out on the spiral, with the classes of the drawn plane for every model.
struct Spiral {
    train: Dataset,
    rows: Vec<Row>,
    classes: Vec<Vec<usize>>,
    chosen: Chosen,
    unwound: Unwound,
}

/// The linear model on arms that turn less.
struct Unwound {
    train: Dataset,
    accuracy: f64,
    classes: Vec<usize>,
}

struct Images {
    rows: Vec<Row>,
    chosen: Chosen,
}

/// The kernel's γ and the ridge λ.
#[derive(Clone, Copy)]
struct Chosen {
    gamma: f64,
    lambda: f64,
}

const CROSS_ENTROPY: Loss = Loss::CrossEntropy { smoothing: 0.0 };

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 8, "spiral")?;
    let spiral = spiral(context)?;
    let images = images(context)?;
    Ok(report(context, &spiral, &images))
}

fn spiral(context: &Context) -> Result<Spiral> {
    let (training, test) = context.pick((600, 600), (1500, 3000));
    let all = synthetic::spirals(training + test, ARMS, NOISE, context.seed)?;
    let (train, test) = (all.take(training), all.subset(&Vec::from_iter(training..all.len())));
    let recipes = [
        Recipe { model: NAMES[0], hidden: &[], loss: Loss::OneVsRest, rate: 1e-2, epochs: 100, batch: 32 },
        Recipe {
            model: NAMES[1],
            hidden: &[64, 64],
            loss: CROSS_ENTROPY,
            rate: 3e-3,
            epochs: 250,
            batch: 32,
        },
    ];
    let plane = grid(CELLS, SPAN, SPAN);
    let (mut rows, mut classes) = (Vec::new(), Vec::new());
    for (i, recipe) in recipes.iter().enumerate() {
        context.at(i, 8, recipe.model)?;
        let mut tape = Tape::new();
        let (model, row) = network(context, &mut tape, recipe, &train, &test)?;
        classes.push(classify(&model, &mut tape, &plane));
        rows.push(row);
    }
    context.at(2, 8, "KRR: γ and λ")?;
    let mut chosen = choose::<f64>(context, &train, 1000, 8)?;
    let (machine, row) = kernel_ridge::<f64>(context, &mut chosen, &train, &test)?;
    classes.push(machine.classify(&Samples::new(plane.as_flattened().to_vec(), 2)?));
    rows.push(row);
    let (less, test) = (unwind(&train)?, unwind(&test)?);
    let mut tape = Tape::new();
    let (model, row) = network(context, &mut tape, &recipes[0], &less, &test)?;
    let lines = classify(&model, &mut tape, &plane);
    let unwound = Unwound { train: less, accuracy: row.accuracy, classes: lines };
    Ok(Spiral { train, rows, classes, chosen, unwound })
}

/// Every point turned back around the centre, the more the further out it is.
fn unwind(data: &Dataset) -> Result<Dataset> {
    let mut points = data.to_rows::<f64>();
    for point in points.chunks_exact_mut(2) {
        let radius = Float::sqrt(point[0] * point[0] + point[1] * point[1]);
        let angle = -TAU * 1.25 * (1.0 - UNWOUND) * radius;
        let (sin, cos) = (Float::sin(angle), Float::cos(angle));
        (point[0], point[1]) = (cos * point[0] - sin * point[1], sin * point[0] + cos * point[1]);
    }
    let labels: Vec<usize> = (0..data.len()).map(|i| data.label(i)).collect();
    Dataset::new(points, 2)?.with_labels(&labels, data.classes())
}

fn images(context: &Context) -> Result<Images> {
    let (all, test) = (&context.data.train, &context.data.test);
    let train = all.take(10_000);
    let epochs = 30;
    let recipes = [
        Recipe { model: NAMES[0], hidden: &[], loss: Loss::OneVsRest, rate: 1e-3, epochs, batch: 128 },
        Recipe { model: NAMES[1], hidden: &[128], loss: CROSS_ENTROPY, rate: 1e-3, epochs, batch: 128 },
    ];
    let mut rows = Vec::new();
    for (i, recipe) in recipes.iter().enumerate() {
        context.at(3 + i, 8, recipe.model)?;
        rows.push(network(context, &mut Tape::<f32>::default(), recipe, &train, test)?.1);
    }
    context.at(5, 8, "KRR: γ and λ")?;
    let mut chosen = choose::<f32>(context, &train, context.pick(500, 1000), 4)?;
    rows.push(kernel_ridge::<f32>(context, &mut chosen, &train, test)?.1);
    // An exact fit to all of MNIST would take 14 GB; the other two take any number.
    if all.len() > train.len() {
        for (i, recipe) in recipes.iter().enumerate() {
            context.at(6 + i, 8, recipe.model)?;
            rows.push(network(context, &mut Tape::<f32>::default(), recipe, all, test)?.1);
        }
    }
    Ok(Images { rows, chosen })
}

fn network<T: Float>(
    context: &Context,
    tape: &mut Tape<T>,
    recipe: &Recipe,
    train: &Dataset,
    test: &Dataset,
) -> Result<(Mlp, Row)> {
    let widths = [&[train.features()], recipe.hidden, &[train.classes()]].concat();
    let mut rng = stream(context.seed, Purpose::Init);
    let model = Mlp::new(tape, &widths, Activation::Relu, None, &mut rng)?;
    let mut optimizer = Optimizer::new(Adam::default(), recipe.rate)?;
    let options = FitOptions::new(recipe.epochs, recipe.batch, context.seed, recipe.loss);
    let mut watch = context.observer(recipe.model);
    let start = Instant::now();
    fit(&model, tape, &mut optimizer, train, None, &options, &mut watch, &mut Trace::default())?;
    let fit_seconds = start.elapsed().as_secs_f64();
    context.check()?;
    let fit_bytes = tape.bytes() + optimizer.bytes();
    let start = Instant::now();
    let evaluation = evaluate(&model, tape, test, recipe.loss)?;
    let row = Row {
        model: recipe.model,
        samples: train.len(),
        accuracy: evaluation.accuracy().unwrap_or(f64::NAN),
        fit_seconds,
        predict_seconds: start.elapsed().as_secs_f64() / test.len() as f64,
        fit_bytes,
        kept_bytes: tape.param_numbers() * size_of::<T>(),
    };
    Ok((model, row))
}

fn targets<T: Float>(data: &Dataset) -> Result<nalgebra::DMatrix<T>> {
    one_vs_rest(data.labels().unwrap_or_default(), data.classes())
}

/// γ from 1 to 2^`octaves` times that of the median distance, and λ from 10⁻⁸ to 10⁻², with the least mean
/// squared leave-one-out residual on at most so many samples.
fn choose<T: Float>(context: &Context, train: &Dataset, most: usize, octaves: i32) -> Result<Chosen> {
    let part = train.take(most);
    let (x, y) = (Samples::<T>::from_dataset(&part)?, targets::<T>(&part)?);
    let median = median_gamma(&x, context.seed)?;
    let mut best = (f64::INFINITY, Chosen { gamma: median, lambda: 1e-4 });
    for octave in 0..=octaves {
        let gamma = median * Float::powi(2.0f64, octave);
        let kernel = Arc::new(Rbf::new(gamma)?);
        for exponent in -8..=-2 {
            context.check()?;
            let lambda = Float::powi(10.0f64, exponent);
            let fit = match KernelRidge::<T>::fit(kernel.clone(), &x, &y, RidgeOptions::new(lambda)) {
                Ok(fit) => fit,
                // Too small a ridge for this kernel in this precision.
                Err(Error::NotPositiveDefinite { .. }) => continue,
                Err(error) => return Err(error),
            };
            let residuals = fit.leave_one_out_residuals();
            let error =
                residuals.iter().map(|r| r.to_f64() * r.to_f64()).sum::<f64>() / residuals.len() as f64;
            if error < best.0 {
                best = (error, Chosen { gamma, lambda });
            }
        }
    }
    Ok(best.1)
}

/// Raises λ tenfold where rounding makes the matrix of all samples indefinite: it was chosen on a part of them.
fn kernel_ridge<T: Float>(
    context: &Context,
    chosen: &mut Chosen,
    train: &Dataset,
    test: &Dataset,
) -> Result<(KernelRidge<T>, Row)> {
    let (x, y) = (Samples::<T>::from_dataset(train)?, targets::<T>(train)?);
    let kernel = Arc::new(Rbf::new(chosen.gamma)?);
    let (machine, fit_seconds) = loop {
        context.check()?;
        let start = Instant::now();
        match KernelRidge::fit(kernel.clone(), &x, &y, RidgeOptions::new(chosen.lambda)) {
            Ok(machine) => break (machine, start.elapsed().as_secs_f64()),
            Err(Error::NotPositiveDefinite { .. }) if chosen.lambda < 1.0 => chosen.lambda *= 10.0,
            Err(error) => return Err(error),
        }
    };
    context.check()?;
    let start = Instant::now();
    let accuracy = machine.accuracy(&Samples::from_dataset(test)?, test.labels().unwrap_or_default());
    let (n, d, c) = (train.len(), train.features(), train.classes());
    let numbers = KernelRidge::<T>::numbers(n, d, c).min(usize::MAX as u128) as usize;
    let row = Row {
        model: NAMES[2],
        samples: n,
        accuracy,
        fit_seconds,
        predict_seconds: start.elapsed().as_secs_f64() / test.len() as f64,
        fit_bytes: numbers * size_of::<T>(),
        // Samples with their norms, and α.
        kept_bytes: n * (d + 1 + c) * size_of::<T>(),
    };
    Ok((machine, row))
}

fn report(context: &Context, spiral: &Spiral, images: &Images) -> Outcome {
    let mut outcome = Outcome::default();
    spiral_claims(&mut outcome, &spiral.rows, spiral.unwound.accuracy);
    image_claims(&mut outcome, &images.rows);
    outcome.figure(&boundaries(spiral));
    outcome.figure(&bars(&spiral.rows, &images.rows));
    let made = |chosen: Chosen| format!("γ = {:.4} and λ = {:.0e}", chosen.gamma, chosen.lambda);
    let caption = format!("On the spiral: 2-64-64-3 in f64, and KRR with {}", made(spiral.chosen));
    outcome.table(table("spiral", caption, &spiral.rows));
    let caption = format!(
        "On images ({}): 784-128-10 in f32, and KRR with {}; choosing these is not in its time",
        context.data.name,
        made(images.chosen)
    );
    outcome.table(table("images", caption, &images.rows));
    for (part, rows) in [("spiral", &spiral.rows), ("images", &images.rows)] {
        for row in rows {
            let name = format!("{part}, {} on {}", row.model, row.samples);
            outcome.number(format!("{name}: test accuracy"), row.accuracy);
            outcome.number(format!("{name}: bytes for predictions"), row.kept_bytes as f64);
        }
    }
    for (part, chosen) in [("spiral", spiral.chosen), ("images", images.chosen)] {
        outcome.number(format!("{part}: γ"), chosen.gamma);
        outcome.number(format!("{part}: λ"), chosen.lambda);
    }
    outcome
}

fn spiral_claims(outcome: &mut Outcome, rows: &[Row], unwound: f64) {
    let [lines, mlp, krr] = [rows[0].accuracy, rows[1].accuracy, rows[2].accuracy];
    let claim = Claim::that("Lines tell three spiral arms apart in three of five cases")
        .expected("about 0.60")
        .measured(format!("test accuracy {lines:.4}"))
        .criterion("between 0.50 and 0.70")
        .holds((0.50..=0.70).contains(&lines), "");
    outcome.claim(if claim.holds {
        claim
    } else {
        claim.because(
            "What lines can do depends on how far the arms turn. Between their ends these turn x = 0.95·1.25 = \
             1.19 times: more than once, so that a wedge of a third of a turn around the centre holds at most \
             (x − ⅔)/x = 0.44 of an arm, and a guess is right in a third of all cases. For x below 1 the wedge \
             holds 1/(3x): 0.60 belongs to arms that turn 5/9 times. The next claim tries that.",
        )
    });
    outcome.number("spiral that turns 5/9 times, logistic: test accuracy", unwound);
    outcome.claim(
        Claim::that("Of the same points on arms that turn 5/9 times, lines tell three in five apart")
            .expected("about 0.60")
            .measured(format!("test accuracy {unwound:.4}"))
            .criterion("between 0.50 and 0.70")
            .holds((0.50..=0.70).contains(&unwound), ""),
    );
    outcome.claim(
        Claim::that("A network with two hidden layers follows the arms")
            .expected("about 0.97")
            .measured(format!("test accuracy {mlp:.4}"))
            .criterion("at least 0.92")
            .holds(mlp >= 0.92, ""),
    );
    outcome.claim(
        Claim::that("So does kernel ridge regression, with γ and λ by leaving one out")
            .expected("about 0.95")
            .measured(format!("test accuracy {krr:.4}"))
            .criterion("at least 0.90")
            .holds(krr >= 0.90, ""),
    );
}

fn image_claims(outcome: &mut Outcome, rows: &[Row]) {
    let [lines, mlp, krr] = [rows[0].accuracy, rows[1].accuracy, rows[2].accuracy];
    let claim = Claim::that("On images both do better than the linear model")
        .expected("fewer mistakes")
        .measured(format!("test accuracy {mlp:.4} and {krr:.4} against {lines:.4}"))
        .criterion("each at least 0.01 above")
        .holds(mlp.min(krr) - lines >= 0.01, "");
    outcome.claim(if claim.holds {
        claim
    } else {
        claim.because("What lines leave to be gained on these images is little: see their accuracy.")
    });
    let claim =
        Claim::that("On the same images kernel ridge regression does at least as well as the network")
            .expected("at least as many right")
            .measured(format!("test accuracy {krr:.4} against {mlp:.4}"))
            .criterion("no more than 0.005 below")
            .holds(krr >= mlp - 0.005, "");
    outcome.claim(if claim.holds {
        claim
    } else {
        claim.because(
            "The kernel weighs all pixels alike and knows nothing of strokes that are shifted or turned; the \
             hidden layer learns which pixels matter.",
        )
    });
    let (mlp, krr) = (rows[1].fit_bytes as f64, rows[2].fit_bytes as f64);
    outcome.claim(
        Claim::that("The fit of the kernel machine takes far more memory than that of the network")
            .expected("n² numbers against some per weight")
            .measured(format!("{:.1} MB against {:.1} MB", krr / 1e6, mlp / 1e6))
            .criterion("at least 10 times as much on the images")
            .holds(krr >= 10.0 * mlp, ""),
    );
}

fn boundaries(spiral: &Spiral) -> Figure {
    let mut figure = Figure::new(
        "boundaries",
        "Three models on three arms",
        "Colours behind the points are the classes that the model gives. Lines cut the plane into three wedges. \
         The network's boundaries are made of straight pieces, and go on in straight lines beyond the data. \
         Those of the kernel machine are smooth. The last panel has the same points turned back, so that an \
         arm makes 5/9 of a turn: there, lines do better.",
    );
    let fitted = spiral.rows.iter().zip(&spiral.classes);
    for (row, classes) in fitted {
        let title = format!("{}: test accuracy {:.3}", row.model, row.accuracy);
        figure = figure.panel(plane(title, &spiral.train, classes));
    }
    let Unwound { train, accuracy, classes } = &spiral.unwound;
    figure.panel(plane(format!("logistic, 5/9 of a turn: {accuracy:.3}"), train, classes))
}

fn plane(title: String, data: &Dataset, classes: &[usize]) -> Chart {
    let points = data.to_rows::<f64>();
    let axis = |name: &str| Axis::linear(name).range(SPAN.0, SPAN.1);
    let mut chart =
        Chart::new(axis("x"), axis("y")).title(title).square().class_map(CELLS, SPAN, SPAN, classes);
    for arm in 0..ARMS {
        let of_arm = (0..data.len().min(600)).filter(|i| data.label(*i) == arm);
        let places = of_arm.map(|i| (points[2 * i], points[2 * i + 1]));
        chart = chart.points(places, Marker::Dot, Color::series(arm), "");
    }
    chart
}

fn bars(spiral: &[Row], images: &[Row]) -> Figure {
    let names = || Axis::categories("", ["logistic", "MLP", "KRR"]);
    let parts = [("spiral", spiral, Color::Blue), ("images", images, Color::Vermilion)];
    let chart = |y: Axis, title: &str, f: &dyn Fn(&Row) -> f64| {
        // Bars begin at the low end of the axis: the shortest is to be seen too.
        let all = parts.iter().flat_map(|(_, rows, _)| rows.iter().take(3).map(f));
        let mut chart = Chart::new(names(), y.holding(0.3 * all.fold(f64::INFINITY, f64::min))).title(title);
        for (i, (label, rows, color)) in parts.iter().enumerate() {
            // Those on the same samples.
            let bars = rows.iter().take(3).enumerate().map(|(k, row)| (k as f64, f(row)));
            chart = chart.bars(bars, (i, 2), *color, *label);
        }
        chart
    };
    Figure::new(
        "comparison",
        "What each takes, and what it gives",
        format!(
            "Fitted to {} points of the spiral and {} images, the same for all three. The lower row has \
             logarithmic axes. Times are of one run each.",
            spiral[0].samples, images[0].samples
        ),
    )
    .panel(chart(Axis::linear("test accuracy").range(0.0, 1.0), "Accuracy", &|row| row.accuracy))
    .panel(chart(Axis::log("memory of the fit (MB)"), "Memory", &|row| row.fit_bytes as f64 / 1e6))
    .panel(chart(Axis::log("time of the fit (s)"), "Time to fit", &|row| row.fit_seconds))
    .panel(chart(Axis::log("time of a prediction (µs)"), "Time to predict", &|row| {
        1e6 * row.predict_seconds
    }))
}

fn table(name: &str, caption: String, rows: &[Row]) -> Table {
    let columns = [
        "model",
        "training samples",
        "test accuracy",
        "fit (s)",
        "prediction (µs)",
        "memory of the fit (MB)",
        "kept for predictions (MB)",
    ];
    let mut table = Table::new(name, caption, columns);
    for row in rows {
        table.row([
            row.model.into(),
            row.samples.into(),
            row.accuracy.into(),
            row.fit_seconds.into(),
            (1e6 * row.predict_seconds).into(),
            (row.fit_bytes as f64 / 1e6).into(),
            (row.kept_bytes as f64 / 1e6).into(),
        ]);
    }
    table
}
