//! The descents of the linear model, and what is claimed of them.

use nalgebra::DMatrix;

use super::{Drawn, STARTS, TEST, TRAINING, append_targets, best_accuracy, draw};
use crate::experiments::prelude::*;
use crate::linalg::symmetric_eigen;
use crate::models::{LogisticOptions, LogisticRegression, Scheme};

const RATE: f64 = 1.0;
/// Where a descent ends.
const GRADIENT: f64 = 1e-12;
/// It ends here at the latest, which would be for a defect.
const MOST_STEPS: usize = 50_000;
/// The size of the gradient while the rate is measured: what is not flattest has gone by then.
const LATE: std::ops::Range<f64> = 1e-12..1e-8;

/// The descents on one set of points.
#[derive(Serialize, Deserialize)]
pub(super) struct Convex {
    /// The farthest distance of an end from the optimum of Newton's method.
    farthest: f64,
    /// The most steps of a descent.
    steps: usize,
    /// For each start the slope of ln‖gradient‖², over that of the theory.
    #[serde(with = "lossless")]
    slopes: Vec<f64>,
    /// The largest excess loss of a step T, in units of ‖w₀−w*‖²/2ηT.
    of_bound: f64,
    /// Share of new points on which the optimum is right.
    accuracy: f64,
}

/// A step of a descent that is drawn.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Sample {
    pub step: usize,
    /// w₁, w₂ and b.
    pub at: [f64; 3],
    pub excess: f64,
    /// Share of new points that are right.
    pub accuracy: f64,
}

/// One descent: w₁, w₂, b, the loss and the norm of the gradient before each step.
struct Descent {
    points: Vec<[f64; 3]>,
    losses: Vec<f64>,
    gradients: Vec<f64>,
}

/// The descents on the points of a seed, and what is drawn of them if it should be.
pub(super) fn measure(context: &Context, seed: u64, drawn: bool) -> Result<(Convex, Option<Drawn>)> {
    let (x, labels) = draw(TRAINING, seed);
    let options = LogisticOptions { scheme: Scheme::Binary, lambda: 0.0, ..Default::default() };
    let optimum = LogisticRegression::fit(&x, &labels, 2, &options)?;
    let derivatives = optimum.derivatives(&x, &labels, 0.0)?;
    let best = [optimum.weights()[0], optimum.weights()[1], optimum.bias()[0]];
    let smallest = symmetric_eigen(&derivatives.hessian)?.values[0];
    let expected = 2.0 * Float::ln_1p(-RATE * smallest);
    let mut rng = stream(seed, Purpose::Init);
    let mut descents = Vec::new();
    for _ in 0..STARTS {
        context.check()?;
        let start = [(); 3].map(|()| 2.0 * standard_normal(&mut rng));
        descents.push(descend(&x, &labels, start)?);
    }
    let (test, classes) = draw(TEST, derive(seed, 1_000));
    let right = |at: [f64; 3]| {
        let right =
            |i: usize| (at[0] * test[(i, 0)] + at[1] * test[(i, 1)] + at[2] > 0.0) == (classes[i] == 1);
        (0..TEST).filter(|i| right(*i)).count() as f64 / TEST as f64
    };
    let of_bound = |descent: &Descent| {
        let far = distance(&descent.points[0], &best);
        let excess = descent.losses.iter().enumerate().skip(1);
        range(excess.map(|(t, loss)| 2.0 * RATE * t as f64 * (loss - derivatives.value) / (far * far))).1
    };
    let convex = Convex {
        farthest: range(descents.iter().map(|d| distance(&d.points[d.points.len() - 1], &best))).1,
        steps: descents.iter().map(|descent| descent.losses.len() - 1).max().unwrap_or(0),
        slopes: descents.iter().map(|descent| descent.slope() / expected).collect(),
        of_bound: range(descents.iter().map(of_bound)).1,
        accuracy: right(best),
    };
    let drawn = drawn.then(|| Drawn {
        best,
        loss: derivatives.value,
        descents: descents
            .iter()
            .map(|descent| {
                let sample = |step: usize| Sample {
                    step,
                    at: descent.points[step],
                    excess: descent.losses[step] - derivatives.value,
                    accuracy: right(descent.points[step]),
                };
                descent.drawn().map(sample).collect()
            })
            .collect(),
    });
    Ok((convex, drawn))
}

impl Descent {
    /// The slope of ln‖gradient‖², close to the optimum; NaN if there are not enough steps there.
    fn slope(&self) -> f64 {
        let late: Vec<(f64, f64)> = (0..)
            .map(f64::from)
            .zip(&self.gradients)
            .filter(|(_, g)| LATE.contains(*g))
            .map(|(t, g)| (t, 2.0 * Float::ln(*g)))
            .collect();
        if late.len() > 2 { Fit::line(&late).slope } else { f64::NAN }
    }

    /// The steps that are drawn: all at first, later each a few hundredths behind the one before, and the last.
    fn drawn(&self) -> impl Iterator<Item = usize> {
        let last = self.losses.len() - 1;
        let next = move |step: &usize| (*step < last).then(|| (step + 1 + step / 30).min(last));
        std::iter::successors(Some(0), next)
    }
}

fn descend(x: &DMatrix<f64>, labels: &[usize], start: [f64; 3]) -> Result<Descent> {
    let mut tape = Tape::new();
    let w = tape.param_slice(2, 1, &start[..2]);
    let b = tape.param_slice(1, 1, &start[2..]);
    let mut optimizer = Optimizer::new(Sgd, RATE)?;
    let mut descent = Descent { points: Vec::new(), losses: Vec::new(), gradients: Vec::new() };
    for _ in 0..=MOST_STEPS {
        let weights = tape.value_slice(w);
        descent.points.push([weights[0], weights[1], tape.item(b)]);
        descent.losses.push(step(&mut tape, &mut optimizer, |tape| {
            let (inputs, targets) = (tape.constant(x), append_targets(tape, labels));
            let logits = tape.linear(inputs, w, b);
            tape.bce_with_logits(logits, targets)
        })?);
        let gradient = tape.param_grads().iter().map(|g| g * g).sum::<f64>().sqrt();
        descent.gradients.push(gradient);
        if gradient <= GRADIENT {
            break;
        }
    }
    Ok(descent)
}

pub(super) fn claims(outcome: &mut Outcome, sets: &[&Convex]) {
    let each = |of: &dyn Fn(&Convex) -> f64| sets.iter().map(|set| of(set)).collect::<Vec<f64>>();
    let steps = sets.iter().map(|set| set.steps).max().unwrap_or(0);
    claim(outcome, "Gradient descent from every start comes to the optimum that Newton's method finds")
        .named("one-optimum")
        .expected("distance 0")
        .estimated(Estimate::mean(&each(&|set| set.farthest)).of("sets of points").at_least(0.0))
        .saying(&format!(
            ", the farthest of {STARTS} starts where its gradient is 10⁻¹², after at most {steps} steps"
        ))
        .within(
            ..=1e-6,
            "Far from the optimum, where the loss is nearly linear, descent takes long. If a line separates \
             the classes, there is no optimum.",
        );
    let of_bound = each(&|set| set.of_bound);
    outcome.number("largest excess, of the 1/T bound", mean(&of_bound));
    claim(outcome, "The excess loss after T steps is within the bound ‖w₀−w*‖²/2ηT")
        .named("one-over-t")
        .expected("at most 1 times the bound")
        .estimated(Estimate::mean(&of_bound).of("sets of points"))
        .saying(" times, at the worst step of the worst start")
        .within(
            ..=1.0,
            "The bound is proven for rates up to 1/L, where L is the largest curvature at any point.",
        );
    // The middle start: one whose way has nothing of the flattest direction shows the fall of another.
    let slopes = each(&|set| median(&set.slopes));
    outcome.number("rate of the excess loss, of that of the theory", mean(&slopes));
    claim(
        outcome,
        "Close to the optimum a step leaves (1 − ηλₘᵢₙ)² of the excess loss, as of the squared gradient",
    )
    .named("linear-rate")
    .expected("1 times the slope that this gives to the logarithm")
    .estimated(Estimate::mean(&slopes).of("sets of points"))
    .saying(" times, the median of the starts, while the gradient falls from 10⁻⁸ to 10⁻¹²")
    .within(
        0.97..=1.03,
        "A start with little error in the flattest direction shows the faster decrease of the other \
         directions for a long time.",
    );
    let accuracy = each(&|set| set.accuracy);
    let expected = best_accuracy();
    outcome.number("test accuracy", mean(&accuracy));
    claim(outcome, "The model is as good as any can be on these two normal distributions")
        .named("bayes-accuracy")
        .expected(format!("{} = Φ(‖m‖/σ)", fixed(expected, 4)))
        .estimated(Estimate::mean(&accuracy).of("sets of points"))
        .saying(&format!(" on {TEST} new points"))
        .within(
            expected - 0.01..=expected + 0.01,
            format!("{TRAINING} points determine the boundary only approximately."),
        );
}
