//! Steps by condition number, with momentum and without; and a linear rate without strong convexity.

use crate::experiments::prelude::*;
use crate::optim::Momentum;
use crate::tape::Param;

/// Steps to 10⁻⁶ of the first distance, for each condition number and start.
#[derive(Serialize, Deserialize)]
pub(super) struct Conditioning {
    kappas: Vec<f64>,
    descent: Vec<Vec<usize>>,
    momentum: Vec<Vec<usize>>,
}

pub(super) const DIMENSION: usize = 20;

/// 20 curvatures from 1 to κ.
pub(super) fn curvatures(kappa: f64) -> Vec<f64> {
    (0..DIMENSION).map(|i| Float::powf(kappa, i as f64 / (DIMENSION - 1) as f64)).collect()
}

/// Appends ½·Σ hᵢwᵢ², over all rows of w.
pub(super) fn append_quadratic(tape: &mut Tape, w: Param, curvatures: &[f64]) -> Var {
    let h = tape.constant_slice(1, DIMENSION, curvatures);
    let square = tape.square(w);
    let terms = tape.mul(h, square);
    let sum = tape.sum(terms);
    tape.scale(sum, 0.5)
}

/// Steps until ‖w‖ has fallen to 10⁻⁶ of where it was, on ½·Σ hᵢwᵢ² with 20 curvatures from 1 to κ. A row of w is a
/// start: their gradients do not mix.
fn steps_on_quadratic(context: &Context, starts: &[f64], kappa: f64, momentum: bool) -> Result<Vec<usize>> {
    let curvatures = curvatures(kappa);
    let square = |w: &[f64]| w.iter().map(|x| x * x).sum::<f64>();
    let targets: Vec<f64> = starts.chunks(DIMENSION).map(|w| 1e-12 * square(w)).collect();
    let mut tape = Tape::new();
    let w = tape.param_slice(targets.len(), DIMENSION, starts);
    let mut optimizer = if momentum {
        let root = kappa.sqrt();
        let beta = (root - 1.0) / (root + 1.0);
        Optimizer::new(Momentum::new(beta * beta)?, 4.0 / ((root + 1.0) * (root + 1.0)))?
    } else {
        Optimizer::new(Sgd, 2.0 / (kappa + 1.0))?
    };
    let mut steps = vec![None; targets.len()];
    // The rate of the theory is proven for both; more steps are for a defect.
    for t in 1..=(1e3 * kappa + 1e4) as usize {
        if t % 10_000 == 0 {
            context.check()?;
        }
        step(&mut tape, &mut optimizer, |tape| append_quadratic(tape, w, &curvatures))?;
        for ((steps, target), w) in steps.iter_mut().zip(&targets).zip(tape.value_slice(w).chunks(DIMENSION))
        {
            if steps.is_none() && square(w) <= *target {
                *steps = Some(t);
            }
        }
        if let Some(all) = steps.iter().copied().collect() {
            return Ok(all);
        }
    }
    Err(Error::NonFinite(format!("no convergence at condition number {kappa}")))
}

impl Conditioning {
    pub fn measure(context: &Context) -> Result<Conditioning> {
        let most = context.pick(4, 5);
        let kappas: Vec<f64> = (2..=2 * most).map(|k| Float::powf(10.0, 0.5 * f64::from(k))).collect();
        // The same starts at all condition numbers.
        let mut rng = stream(context.seed, Purpose::Init);
        let starts: Vec<f64> =
            (0..context.pick(5, 10) * DIMENSION).map(|_| standard_normal(&mut rng)).collect();
        let (mut descent, mut momentum) = (Vec::new(), Vec::new());
        for (i, kappa) in kappas.iter().enumerate() {
            context.at(4 * kappas.len() + 2 * i, 10 * kappas.len(), "condition number")?;
            descent.push(steps_on_quadratic(context, &starts, *kappa, false)?);
            momentum.push(steps_on_quadratic(context, &starts, *kappa, true)?);
        }
        Ok(Conditioning { kappas, descent, momentum })
    }

    pub fn report(&self, outcome: &mut Outcome) {
        let mut figure =
            Chart::new(Axis::log("condition number κ"), Axis::log("steps to 10⁻⁶ of the distance"));
        let runs = [
            (
                "gradient descent",
                "descent-kappa",
                "Steps of gradient descent grow as κ",
                1.0,
                Marker::Circle,
                &self.descent,
            ),
            (
                "momentum",
                "momentum-root-kappa",
                "Steps of momentum grow as √κ",
                0.5,
                Marker::Square,
                &self.momentum,
            ),
        ];
        let means = |steps: &[Vec<usize>]| -> Vec<(f64, f64)> {
            let mean = |steps: &[usize]| steps.iter().sum::<usize>() as f64 / steps.len() as f64;
            self.kappas.iter().zip(steps).map(|(kappa, steps)| (*kappa, mean(steps))).collect()
        };
        for (name, id, statement, expected, marker, steps) in runs {
            let slope = |start: usize| {
                let steps = steps.iter().map(|steps| steps[start] as f64);
                Fit::power_law(&self.kappas.iter().copied().zip(steps).collect::<Vec<_>>()).slope
            };
            let slopes: Vec<f64> = (0..steps[0].len()).map(slope).collect();
            let points = means(steps);
            outcome.number(format!("exponent of κ, {name}"), mean(&slopes));
            outcome.number(format!("steps at the largest κ, {name}"), points[points.len() - 1].1);
            claim(outcome, statement)
                .named(id)
                .expected(format!("exponent {expected}"))
                .estimated(Estimate::mean(&slopes).of("starts"))
                .saying(", the exponent")
                .within(
                    expected - 0.1..=expected + 0.1,
                    "The exponent is that of large κ. At small κ the rounding to whole steps matters, and \
                     so do the terms that the theory drops. Also, at its best rate the matrix of the heavy \
                     ball has no full set of eigenvectors. This adds a factor to its steps that grows \
                     slowly, like ln κ.",
                );
            figure = figure.line(Line::new(points).label(name).marker(marker));
        }
        let (descent, momentum) = (means(&self.descent), means(&self.momentum));
        let last = self.kappas.len() - 1;
        outcome.draw(
            "conditioning",
            "What a condition number costs",
            format!(
                "A quadratic with curvatures from 1 to κ, each method at its best rate; means over {} \
                 starts. At κ = {} momentum needs {} steps and gradient descent {}. Compare how the two \
                 lines move apart.",
                self.descent[0].len(),
                rounded(self.kappas[last], 2),
                fixed(momentum[last].1, 0),
                fixed(descent[last].1, 0)
            ),
            [figure],
        );
        outcome.table(
            Table::of(
                "conditioning",
                "Steps to 10⁻⁶ of the distance, means over the starts",
                &Vec::from_iter(0..=last),
            )
            .column("κ", |k| self.kappas[*k])
            .column("descent", |k| descent[*k].1)
            .column("momentum", |k| momentum[*k].1),
        );
    }
}

const EQUATIONS: usize = 20;
const UNKNOWNS: usize = 50;
/// Below this share of the first the loss is rounding: the residual has lost half of its digits.
const SMALLEST: f64 = 1e-20;

/// Least squares with 50 unknowns and 20 equations, at η = 1/L.
#[derive(Serialize, Deserialize)]
pub(super) struct Polyak {
    /// Losses of one problem, to where they are rounding.
    losses: Vec<f64>,
    problems: Vec<Problem>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Problem {
    /// 1 − μ/L.
    bound: f64,
    /// The largest ratio of a loss to the one before.
    worst: f64,
}

impl Problem {
    /// What a step takes off the loss at least, in units of μ/L.
    fn gain(self) -> f64 {
        (1.0 - self.worst) / (1.0 - self.bound)
    }
}

fn underdetermined(seed: u64) -> Result<(Vec<f64>, Problem)> {
    let mut rng = stream(seed, Purpose::Projection);
    let a = nalgebra::DMatrix::from_fn(EQUATIONS, UNKNOWNS, |_, _| standard_normal(&mut rng));
    let b = nalgebra::DMatrix::from_fn(EQUATIONS, 1, |_, _| standard_normal(&mut rng));
    // AAᵀ has the eigenvalues of AᵀA that are not zero: μ is the least, L the largest.
    let eigen = crate::linalg::symmetric_eigen(&(&a * a.transpose()))?;
    let (mu, l) = (eigen.values[0], eigen.values[EQUATIONS - 1]);
    let mut tape = Tape::new();
    let w = tape.param_slice(UNKNOWNS, 1, &[0.0; UNKNOWNS]);
    let mut optimizer = Optimizer::new(Sgd, 1.0 / l)?;
    let mut losses: Vec<f64> = Vec::new();
    for _ in 0..=400 {
        let loss = step(&mut tape, &mut optimizer, |tape| {
            let (a, b) = (tape.constant(&a), tape.constant(&b));
            let product = tape.matmul(a, w);
            let residual = tape.sub(product, b);
            let square = tape.square(residual);
            let sum = tape.sum(square);
            tape.scale(sum, 0.5)
        })?;
        if losses.first().is_some_and(|first| loss < SMALLEST * first) {
            break;
        }
        losses.push(loss);
    }
    let worst = range(losses.windows(2).map(|pair| pair[1] / pair[0])).1;
    Ok((losses, Problem { bound: 1.0 - mu / l, worst }))
}

impl Polyak {
    pub fn measure(context: &Context) -> Result<Polyak> {
        context.at(6, 10, "PL condition")?;
        let (mut drawn, mut problems) = (None, Vec::new());
        for seed in seeds(context) {
            context.check()?;
            let (losses, problem) = underdetermined(seed)?;
            drawn.get_or_insert(losses);
            problems.push(problem);
        }
        Ok(Polyak { losses: drawn.unwrap_or_default(), problems })
    }

    pub fn report(&self, outcome: &mut Outcome) {
        let Problem { bound, worst } = self.problems[0];
        outcome.number("PL bound on the ratio", bound);
        outcome.number("largest ratio of losses", worst);
        let gains: Vec<f64> = self.problems.iter().map(|problem| problem.gain()).collect();
        outcome.number("what a step takes off, in units of μ/L", mean(&gains));
        claim(outcome, "Under the PL condition each step takes at least μ/L off the loss")
            .named("pl-factor")
            .expected("at least 1 times μ/L; in the long run 2 times")
            .estimated(Estimate::mean(&gains).of("problems"))
            .saying(" times μ/L, at the step that removes the least")
            .within(
                1.0..,
                "The bound is proven. So μ and L, which come from rounded eigenvalues, are inexact, or the \
                 losses are so small that they are rounding errors.",
            );
        let start = self.losses[0];
        let points = || (0..).map(f64::from).zip(self.losses.iter().copied());
        let (end, last) = points().last().unwrap_or((0.0, start));
        let chart = Chart::new(Axis::linear("step"), Axis::log("loss"))
            .line(Line::new(points()).label("gradient descent, η = 1/L").width(5.0))
            .line(
                Line::new(points().map(|(t, _)| (t, start * Float::powf(bound, t))))
                    .label("bound (1 − μ/L)ᵗ")
                    .color(Color::Muted)
                    .dash(1),
            )
            .line(
                Line::new(points().map(|(t, _)| (t, last * Float::powf(bound * bound, t - end))))
                    .label("(1 − μ/L)²ᵗ, through the end")
                    .color(Color::Vermilion)
                    .dash(1),
            );
        outcome.draw(
            "pl",
            "A linear rate without strong convexity",
            format!(
                "Least squares with {UNKNOWNS} unknowns and {EQUATIONS} equations: the loss is flat in {} \
                 directions. Check whether the loss stays below the bound, and how far. In the long run \
                 only the direction of the smallest curvature is left. Along it each step multiplies the \
                 loss by (1 − μ/L)². That is the dashed line on the loss, twice as steep as the other \
                 dashed line, which is the bound.",
                UNKNOWNS - EQUATIONS
            ),
            [chart],
        );
    }
}
