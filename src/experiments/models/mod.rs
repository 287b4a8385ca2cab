//! Logistic regression, a network and kernel ridge regression on the same samples.

mod report;

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
use crate::nn::loss::{CrossEntropy, OneVsRest};
use crate::nn::{Activation, Loss, Sequential};
use crate::optim::{Adam, Optimizer};
use crate::report::{grid, rounded};
use crate::rng::{Purpose, stream};
use crate::train::{FitOptions, evaluate, fit};
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
         median heuristic, λ from 10⁻¹² to 1.",
    ],
    run,
};

const ARMS: usize = 3;
const NOISE: f64 = 0.05;
const SPAN: (f64, f64) = (-1.2, 1.2);
const CELLS: usize = 120;
/// Of 10, for λ.
const EXPONENTS: std::ops::RangeInclusive<i32> = -12..=0;
const NAMES: [&str; 3] = ["logistic, one-vs-rest", "MLP", "KRR, one-vs-rest"];

/// How a model did.
struct Row {
    model: &'static str,
    /// Samples it was fitted to.
    samples: usize,
    accuracy: f64,
    fit_seconds: f64,
    /// Of choosing γ and λ before that, where there is such a choice.
    choice_seconds: Option<f64>,
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
    one_vs_rest: bool,
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
    classes: Vec<Vec<Option<usize>>>,
    chosen: Chosen,
    unwound: Unwound,
}

/// The linear model on arms that turn less.
struct Unwound {
    train: Dataset,
    accuracy: f64,
    classes: Vec<Option<usize>>,
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
    /// Where they lie at an end of what was tried, or λ had to be raised: a remark behind the numbers.
    remark: &'static str,
    /// What the choice took.
    seconds: f64,
}

impl std::fmt::Display for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "γ = {} and λ = {}{}", rounded(self.gamma, 4), rounded(self.lambda, 1), self.remark)
    }
}

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 8, "spiral")?;
    let spiral = spiral(context)?;
    let images = images(context)?;
    Ok(report::all(context, &spiral, &images))
}

fn spiral(context: &Context) -> Result<Spiral> {
    let (training, test) = context.pick((600, 600), (1500, 3000));
    let all = synthetic::spirals(training + test, ARMS, NOISE, context.seed)?;
    let (train, test) = (all.take(training), all.subset(&Vec::from_iter(training..all.len())));
    let recipes = [
        Recipe { model: NAMES[0], hidden: &[], one_vs_rest: true, rate: 1e-2, epochs: 100, batch: 32 },
        Recipe { model: NAMES[1], hidden: &[64, 64], one_vs_rest: false, rate: 3e-3, epochs: 250, batch: 32 },
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
        Recipe { model: NAMES[0], hidden: &[], one_vs_rest: true, rate: 1e-3, epochs, batch: 128 },
        Recipe { model: NAMES[1], hidden: &[128], one_vs_rest: false, rate: 1e-3, epochs, batch: 128 },
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
) -> Result<(Sequential<T>, Row)> {
    let widths = [&[train.features()], recipe.hidden, &[train.classes()]].concat();
    let mut rng = stream(context.seed, Purpose::Init);
    let model = Mlp::new(&widths, Activation::Relu).build(tape, &mut rng)?;
    let mut optimizer = Optimizer::new(Adam::default(), recipe.rate)?;
    let options = FitOptions::new(recipe.epochs, recipe.batch, context.seed);
    let loss: Arc<dyn Loss<T>> =
        if recipe.one_vs_rest { Arc::new(OneVsRest) } else { Arc::new(CrossEntropy::default()) };
    let mut watch = context.observer(recipe.model);
    let start = Instant::now();
    fit(&model, &*loss, tape, &mut optimizer, train, None, &options, &mut [&mut watch])?;
    let fit_seconds = start.elapsed().as_secs_f64();
    context.check()?;
    let fit_bytes = tape.bytes() + optimizer.bytes();
    let start = Instant::now();
    let evaluation = evaluate(&model, &*loss, tape, test)?;
    let row = Row {
        model: recipe.model,
        samples: train.len(),
        accuracy: evaluation.accuracy().unwrap_or(f64::NAN),
        fit_seconds,
        choice_seconds: None,
        predict_seconds: start.elapsed().as_secs_f64() / test.len() as f64,
        fit_bytes,
        kept_bytes: tape.param_numbers() * size_of::<T>(),
    };
    Ok((model, row))
}

fn targets<T: Float>(data: &Dataset) -> Result<nalgebra::DMatrix<T>> {
    one_vs_rest(data.labels().unwrap_or_default(), data.classes())
}

/// γ from 1 to 2^`octaves` times that of the median distance, and λ from 10⁻¹² to 1, with the least mean squared
/// leave-one-out residual on at most so many samples.
///
/// Where a smaller ridge does no more, errors differ by rounding: the largest λ is taken of those whose error is within
/// 10⁻⁴ of the least, as a share of it.
fn choose<T: Float>(context: &Context, train: &Dataset, most: usize, octaves: i32) -> Result<Chosen> {
    let part = train.take(most);
    let (x, y) = (Samples::<T>::from_dataset(&part)?, targets::<T>(&part)?);
    let start = Instant::now();
    let median = median_gamma(&x, context.seed)?;
    let mut tried = Vec::new();
    for octave in 0..=octaves {
        let kernel = Arc::new(Rbf::new(median * Float::powi(2.0f64, octave))?);
        for exponent in EXPONENTS {
            context.check()?;
            let options = RidgeOptions::new(Float::powi(10.0f64, exponent));
            let fit = match KernelRidge::<T>::fit(kernel.clone(), &x, &y, options) {
                Ok(fit) => fit,
                // Too small a ridge for this kernel in this precision.
                Err(Error::NotPositiveDefinite { .. }) => continue,
                Err(error) => return Err(error),
            };
            let residuals = fit.leave_one_out_residuals();
            let squares = residuals.iter().map(|r| r.to_f64() * r.to_f64()).sum::<f64>();
            tried.push((squares / residuals.len() as f64, octave, exponent));
        }
    }
    let least = tried.iter().copied().reduce(|a, b| if b.0 < a.0 { b } else { a });
    let (error, octave, _) =
        least.ok_or_else(|| Error::Data("no ridge up to 1 makes the kernel definite".into()))?;
    let of_gamma = || tried.iter().filter(|t| t.1 == octave).map(|t| (t.0, t.2));
    let close = of_gamma().filter(|t| t.0 <= error * (1.0 + 1e-4)).map(|t| t.1);
    let exponent = close.max().unwrap_or(*EXPONENTS.end());
    let remark = match (octave == 0 || octave == octaves, exponent) {
        (true, _) => " (γ is at an end of its grid)",
        (_, e) if e == *EXPONENTS.start() || e == *EXPONENTS.end() => " (λ is at an end of its grid)",
        (_, e) if of_gamma().all(|t| t.1 >= e) => " (the least λ that leaves the matrix definite)",
        _ => "",
    };
    let seconds = start.elapsed().as_secs_f64();
    Ok(Chosen {
        gamma: median * Float::powi(2.0f64, octave),
        lambda: Float::powi(10.0f64, exponent),
        remark,
        seconds,
    })
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
            Err(Error::NotPositiveDefinite { .. }) if chosen.lambda < 1.0 => {
                chosen.lambda *= 10.0;
                chosen.remark = " (raised until rounding left the matrix of all samples definite)";
            }
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
        choice_seconds: Some(chosen.seconds),
        predict_seconds: start.elapsed().as_secs_f64() / test.len() as f64,
        fit_bytes: numbers * size_of::<T>(),
        // Samples with their norms, and α.
        kept_bytes: n * (d + 1 + c) * size_of::<T>(),
    };
    Ok((machine, row))
}
