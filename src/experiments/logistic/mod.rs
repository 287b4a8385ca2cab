//! Logistic regression: one optimum, whatever the start. What a hidden layer changes is in a file of its own, and so
//! are the figures.

mod figures;
mod hidden;

use nalgebra::DMatrix;

use super::prelude::*;
use crate::linalg::symmetric_eigen;
use crate::models::{LogisticOptions, LogisticRegression, Scheme};

pub const EXPERIMENT: Experiment = Experiment {
    name: "logistic",
    question: "Does logistic regression come to the same optimum from every start, at the rate of the \
               theory?",
    theory: &[
        "The binary cross-entropy of a linear model is convex: its second derivatives ${XᵀSX}/{n}$ with $S = \
         diag(p(1−p))$ are positive semi-definite everywhere. So gradient descent reaches the same optimum \
         from every start. A hidden layer takes that away: where a loss rises between two points above what \
         it is at both, it is not convex, and descents may come to rest in several places. A ridge on all \
         weights keeps those from running off to infinity, where nothing comes to rest.",
        "Close to the optimum the loss is a quadratic with these second derivatives, and each step of \
         gradient descent leaves $(1−ηλₘᵢₙ)²$ of the excess loss.",
        "For two normal distributions with the same covariance $σ²I$ and means ±m the best boundary is \
         linear, and is right with probability $Φ(‖m‖/σ)$.",
    ],
    parts: Parts::of::<Whole>(),
    finding,
};

super::whole!(run);

/// Mean of class 1; that of class 0 is its opposite. Both have deviation 1 in each coordinate.
const MEAN: [f64; 2] = [1.0, 0.5];
const TRAINING: usize = 400;
const TEST: usize = 20_000;
const STARTS: usize = 6;
const RATE: f64 = 1.0;
const STEPS: usize = 400;

/// n points (n×2) and their classes, half of each.
fn draw(n: usize, seed: u64) -> (DMatrix<f64>, Vec<usize>) {
    let mut rng = stream(seed, Purpose::Data);
    let labels: Vec<usize> = (0..n).map(|i| i % 2).collect();
    let sign = |i: usize| if labels[i] == 1 { 1.0 } else { -1.0 };
    let mut x = DMatrix::zeros(n, 2);
    for i in 0..n {
        for (j, mean) in MEAN.iter().enumerate() {
            x[(i, j)] = sign(i) * mean + standard_normal(&mut rng);
        }
    }
    (x, labels)
}

/// One descent: w₁, w₂, b and the loss before each step and after the last.
struct Descent {
    points: Vec<[f64; 3]>,
    losses: Vec<f64>,
}

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 10, "optimum")?;
    let (x, labels) = draw(TRAINING, context.seed);
    let options = LogisticOptions { scheme: Scheme::Binary, lambda: 0.0, ..Default::default() };
    let optimum = LogisticRegression::fit(&x, &labels, 2, &options)?;
    let derivatives = optimum.derivatives(&x, &labels, 0.0)?;
    let mut rng = stream(context.seed, Purpose::Init);
    let mut descents = Vec::new();
    for i in 0..STARTS {
        context.at(1 + i, 10, "descent")?;
        let start = [(); 3].map(|()| 2.0 * standard_normal(&mut rng));
        descents.push(descend(&x, &labels, start, context.pick(STEPS, 2 * STEPS))?);
    }
    context.at(7, 10, "curvature")?;
    let least = least_curvature(context, &x, &labels)?;
    context.at(8, 10, "a hidden layer")?;
    let hidden = hidden::descents(context, &x, &labels, context.pick(20_000, 50_000))?;

    let mut outcome = Outcome::default();
    let best = [optimum.weights()[0], optimum.weights()[1], optimum.bias()[0]];
    let ends = descents.iter().map(|descent| descent.points[descent.points.len() - 1]);
    let farthest = ends.map(|end| distance(&end, &best)).fold(0.0, f64::max);
    claim(&mut outcome, "Gradient descent from every start comes to the optimum that Newton's method finds")
        .named("one-optimum")
        .expected("distance 0")
        .measured(format!("at most {} from {STARTS} starts", scientific(farthest, 2)))
        .criterion("at most 10⁻⁶")
        .holds(
            farthest <= 1e-6,
            "A start where the loss is nearly linear takes long to leave, and these steps may be too few for \
             it.",
        );
    claim(&mut outcome, "The second derivatives are positive semi-definite everywhere")
        .named("hessian-psd")
        .expected("no eigenvalue below 0")
        .measured(format!("the smallest is {}, at 200 random points", scientific(least, 2)))
        .criterion("none below −10⁻¹²")
        .holds(least >= -1e-12, "XᵀSX/n has none for any S ≥ 0: this would be a defect, or rounding.");
    rate_claim(&mut outcome, &descents, derivatives.value, &derivatives.hessian)?;
    accuracy_claim(&mut outcome, context, &optimum)?;
    let barrier = hidden::highest_barrier(context, &x, &labels, &hidden)?;
    hidden::claims(&mut outcome, &hidden, &barrier);
    outcome.number("loss at the optimum", derivatives.value);
    best.iter().zip(["w1", "w2", "b"]).for_each(|(x, name)| outcome.number(name, *x));
    outcome.figure(&figures::convergence(&descents, derivatives.value));
    outcome.figure(&figures::landscape(&x, &labels, &descents, best));
    outcome.figure(&hidden::figure(&hidden, &barrier));

    outcome.table(
        Table::of("starts", "From each start", &Vec::from_iter(descents.iter().enumerate()))
            .column("start", |(i, _)| i + 1)
            .column("first loss", |(_, descent)| descent.losses[0])
            .column("excess loss at the end", |(_, descent)| {
                descent.losses[descent.losses.len() - 1] - derivatives.value
            }),
    );
    outcome.table(hidden::table(&hidden));
    Ok(outcome)
}

/// The classes as a column of 0 and 1.
fn append_targets(tape: &mut Tape, labels: &[usize]) -> Var {
    tape.constant_with(labels.len(), 1, |to| {
        to.iter_mut().zip(labels).for_each(|(y, label)| *y = *label as f64);
    })
}

fn descend(x: &DMatrix<f64>, labels: &[usize], start: [f64; 3], steps: usize) -> Result<Descent> {
    let mut tape = Tape::new();
    let w = tape.param_slice(2, 1, &start[..2]);
    let b = tape.param_slice(1, 1, &start[2..]);
    let mut optimizer = Optimizer::new(Sgd, RATE)?;
    let (mut points, mut losses) = (Vec::new(), Vec::new());
    for _ in 0..=steps {
        let weights = tape.value_slice(w);
        points.push([weights[0], weights[1], tape.item(b)]);
        losses.push(step(&mut tape, &mut optimizer, |tape| {
            let (inputs, targets) = (tape.constant(x), append_targets(tape, labels));
            let logits = tape.linear(inputs, w, b);
            tape.bce_with_logits(logits, targets)
        })?);
    }
    Ok(Descent { points, losses })
}

/// The smallest eigenvalue of the second derivatives at random points.
fn least_curvature(context: &Context, x: &DMatrix<f64>, labels: &[usize]) -> Result<f64> {
    let mut rng = stream(context.seed, Purpose::Subsample);
    let mut least = f64::INFINITY;
    for _ in 0..200 {
        let [w1, w2, b] = [(); 3].map(|()| 3.0 * standard_normal(&mut rng));
        let (weights, bias) = (DMatrix::from_column_slice(2, 1, &[w1, w2]), DMatrix::from_element(1, 1, b));
        let model = LogisticRegression::from_parameters(Scheme::Binary, &weights, &bias)?;
        least = least.min(symmetric_eigen(&model.derivatives(x, labels, 0.0)?.hessian)?.values[0]);
    }
    Ok(least)
}

fn rate_claim(outcome: &mut Outcome, descents: &[Descent], best: f64, hessian: &DMatrix<f64>) -> Result<()> {
    let smallest = symmetric_eigen(hessian)?.values[0];
    let expected = 2.0 * Float::ln_1p(-RATE * smallest);
    let late = |d: &Descent| -> Vec<(f64, f64)> {
        let excess = d.losses.iter().enumerate().map(|(t, loss)| (t as f64, loss - best));
        excess.filter(|(_, e)| (1e-11..1e-6).contains(e)).map(|(t, e)| (t, Float::ln(e))).collect()
    };
    // A start that is close from the beginning may have no such steps.
    let slopes: Vec<f64> =
        descents.iter().map(late).filter(|p| p.len() > 2).map(|p| Fit::line(&p).slope).collect();
    let worst = slopes.iter().map(|s| (s / expected - 1.0).abs()).fold(0.0, f64::max);
    let mean = mean(&slopes);
    outcome.number("rate of the excess loss", mean);
    claim(outcome, "Close to the optimum a step leaves (1 − ηλₘᵢₙ)² of the excess loss")
        .named("linear-rate")
        .expected(format!("slope {} of its logarithm", fixed(expected, 5)))
        .measured(format!(
            "{}, mean of {} starts, at most {} % off",
            fixed(mean, 5),
            slopes.len(),
            fixed(100.0 * worst, 1)
        ))
        .criterion("every start within 3 %, while the excess falls from 10⁻⁶ to 10⁻¹¹")
        .holds(
            !slopes.is_empty() && worst <= 0.03,
            "A start whose way has little of the flattest direction shows the faster fall of the others for \
             long, and where no start has three steps in that range there is nothing to fit.",
        );
    Ok(())
}

fn accuracy_claim(outcome: &mut Outcome, context: &Context, optimum: &LogisticRegression) -> Result<()> {
    let (x, labels) = draw(TEST, derive(context.seed, 1_000));
    let right = optimum.predict(&x)?.iter().zip(&labels).filter(|(a, b)| **a == Some(**b)).count();
    let accuracy = right as f64 / TEST as f64;
    let length = (MEAN[0] * MEAN[0] + MEAN[1] * MEAN[1]).sqrt();
    let expected = 0.5 * (1.0 + Float::erf(length / 2.0f64.sqrt()));
    outcome.number("test accuracy", accuracy);
    claim(outcome, "The model is as good as any can be on these two normal distributions")
        .named("bayes-accuracy")
        .expected(format!("{} = Φ(‖m‖/σ)", fixed(expected, 4)))
        .measured(format!("{} on {TEST} new points", fixed(accuracy, 4)))
        .criterion("within 0.01")
        .holds(
            (accuracy - expected).abs() <= 0.01,
            format!(
                "{TRAINING} points leave the boundary somewhat off, and {TEST} tell an accuracy to about \
                 0.0024 (one standard error)."
            ),
        );
    Ok(())
}

fn finding(found: &Found) -> Told {
    let title = found.by(
        "one-optimum",
        [
            "Descent from six starts comes to one optimum, the one that Newton's method finds",
            "From some starts these steps are too few to come to the one optimum",
            "Whether descent comes to the one optimum is not decided by this run",
        ],
    )?;
    Some((
        "landscape",
        title.into(),
        format!(
            "The loss is one bowl; close to its bottom, at {}, the excess shrinks at the rate that the smallest \
             curvature sets. The model is right on {} of new points. With a hidden layer the loss is no bowl any more: \
             on the straight way between two ends it rises by {}.",
            fixed(found.number("loss at the optimum")?, 4),
            percent(found.number("test accuracy")?),
            rounded(found.number("barrier between two ends with a hidden layer")?, 2)
        ),
    ))
}
