//! Rates of convergence, where the theory knows them.

use rand_chacha::ChaCha8Rng;

use super::statistics::Fit;
use super::{Context, Experiment, Outcome};
use crate::optim::{Adam, Momentum, Optimizer, Sgd};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table, fixed, rounded};
use crate::rng::{Purpose, derive, standard_normal, stream};
use crate::{Error, Float, Result, Tape, Var};

pub const EXPERIMENT: Experiment = Experiment {
    name: "convergence-rates",
    question: "Do SGD, momentum and Adam converge at the rates of the theory?",
    theory: &[
        "Convex, with noisy gradients and η = c/√t: the last iterate's excess loss is O(log T/√T) \
         (Shamir and Zhang 2013). Strongly convex with constant μ and η = 1/(μt): O(1/T) (Rakhlin, Shamir and \
         Sridharan 2012).",
        "On a quadratic of condition number κ, gradient descent at its best rate needs steps in proportion \
         to κ, the heavy ball of Polyak (1964) at its best in proportion to √κ.",
        "The PL condition ½‖∇f‖² ≥ μ(f − f*) gives a linear rate without convexity: at η = 1/L each step \
         leaves at most 1 − μ/L of the excess (Polyak 1963; Karimi, Nutini and Schmidt 2016). Least squares \
         with more unknowns than equations meets it, and is not strongly convex.",
        "Adam divides the mean gradient by the root of the mean square: a loss multiplied by c gives the \
         same steps but for ε (Kingma and Ba 2015).",
    ],
    run,
};

/// Dimension of the stochastic problems.
const D: usize = 10;
/// Deviation of the noise in each entry of a gradient.
const NOISE: f64 = 1.0;

/// Which stochastic problem: both have their minimum 0 at w = 0.
#[derive(Clone, Copy, PartialEq)]
enum Problem {
    /// ‖w‖₁.
    Absolute,
    /// ½·Σ hᵢwᵢ² with h from μ = 1 to L = 2.
    Quadratic,
}

fn curvature(i: usize) -> f64 {
    1.0 + i as f64 / (D - 1) as f64
}

fn excess(problem: Problem, w: &[f64]) -> f64 {
    match problem {
        Problem::Absolute => w.iter().map(|x| x.abs()).sum(),
        Problem::Quadratic => w.iter().enumerate().map(|(i, x)| 0.5 * curvature(i) * x * x).sum(),
    }
}

/// The loss c·(f(w) + ξᵀw) with noise ξ from N(0, σ²I): its mean over ξ is c·f(w).
fn append_loss(
    tape: &mut Tape,
    problem: Problem,
    w: impl Into<Var>,
    scale: f64,
    rng: &mut ChaCha8Rng,
) -> Var {
    let w = w.into();
    let noise = tape.constant_with(1, D, |to| to.fill_with(|| NOISE * standard_normal(rng)));
    let f = match problem {
        Problem::Absolute => tape.abs(w),
        Problem::Quadratic => {
            let h = tape.constant_with(1, D, |to| {
                to.iter_mut().enumerate().for_each(|(i, h)| *h = 0.5 * curvature(i));
            });
            let square = tape.square(w);
            tape.mul(h, square)
        }
    };
    let linear = tape.mul(noise, w);
    let total = tape.add(f, linear);
    let sum = tape.sum(total);
    tape.scale(sum, scale)
}

/// The noise of run `i`.
fn noise(context: &Context, run: usize) -> ChaCha8Rng {
    stream(derive(context.seed, run as u64), Purpose::Data)
}

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 10, "SGD on a convex problem")?;
    let mut outcome = Outcome::default();
    stochastic(context, &mut outcome)?;
    conditioning(context, &mut outcome)?;
    polyak(context, &mut outcome)?;
    scale_invariance(context, &mut outcome)?;
    Ok(outcome)
}

/// Mean excess over the runs at each of the steps in `at`.
fn mean_excess(
    context: &Context,
    problem: Problem,
    at: &[usize],
    runs: usize,
    rate: impl Fn(usize) -> f64,
) -> Result<Vec<(f64, f64)>> {
    let mut sums = vec![0.0; at.len()];
    for run in 0..runs {
        context.check()?;
        let mut rng = noise(context, run);
        let mut tape = Tape::new();
        let w = tape.param_slice(1, D, &[1.0; D]);
        let mut optimizer = Optimizer::new(Sgd, rate(1))?;
        let mut next = 0;
        for t in 1..=at[at.len() - 1] {
            tape.rewind();
            let loss = append_loss(&mut tape, problem, w, 1.0, &mut rng);
            tape.zero_grad();
            tape.backward(loss);
            optimizer.set_lr(rate(t))?;
            optimizer.step(&mut tape)?;
            if t == at[next] {
                sums[next] += excess(problem, tape.value_slice(w));
                next += 1;
            }
        }
    }
    Ok(at.iter().zip(&sums).map(|(t, sum)| (*t as f64, sum / runs as f64)).collect())
}

/// A stochastic problem and what the theory says of it.
struct Theory {
    problem: Problem,
    title: &'static str,
    statement: &'static str,
    /// How the bound is called, and its shape.
    bound: (&'static str, fn(f64) -> f64),
    /// What the slope may be above that of the bound: 0 where the bound bends.
    tolerance: f64,
    otherwise: &'static str,
}

const THEORIES: [Theory; 2] = [
    Theory {
        problem: Problem::Absolute,
        title: "convex: ‖w‖₁, η = 0.5/√t",
        statement: "‖w‖₁, convex: the excess falls at least as fast as log T/√T",
        bound: ("log T/√T", |t| Float::ln(t) / t.sqrt()),
        tolerance: 0.0,
        otherwise: "The bound is that of large T.",
    },
    Theory {
        problem: Problem::Quadratic,
        title: "strongly convex: quadratic, η = 1/t",
        statement: "A quadratic, strongly convex: the excess falls at least as fast as 1/T",
        bound: ("1/T", |t| 1.0 / t),
        tolerance: 0.1,
        otherwise: "The slope is that of the limit.",
    },
];

fn stochastic(context: &Context, outcome: &mut Outcome) -> Result<()> {
    let doublings = context.pick(13, 16);
    let at: Vec<usize> = (0..=doublings).map(|k| 1 << k).collect();
    let runs = context.pick(40, 100);
    let mut figure = Figure::new(
        "stochastic",
        "SGD with noisy gradients",
        format!(
            "Mean excess loss of the last iterate over {runs} runs. On two logarithmic axes a power of T is a \
             line. The dashed one has the shape of the theory's upper bound, from somewhat above the excess at T = {}: \
             what is proven is that the excess falls as fast or faster. The dotted line of the first panel is the \
             bound without its logarithm.",
            at[5]
        ),
    );
    for (i, theory) in THEORIES.into_iter().enumerate() {
        let Theory { problem, title, statement, bound: (name, bound), tolerance, otherwise } = theory;
        context.at(2 * i, 10, title)?;
        let points = mean_excess(context, problem, &at, runs, |t| match problem {
            Problem::Absolute => 0.5 / (t as f64).sqrt(),
            Problem::Quadratic => 1.0 / t as f64,
        })?;
        // The way to where the noise rules is no part of the rate.
        let late = &points[5..];
        let fit = Fit::power_law(late);
        let expected = Fit::power_law(&late.iter().map(|(t, _)| (*t, bound(*t))).collect::<Vec<_>>()).slope;
        outcome.number(format!("slope on the problem {title}"), fit.slope);
        outcome.number(format!("slope of the bound {name}"), expected);
        let criterion = match tolerance {
            0.0 => {
                "the slope and its interval are not above the slope of the bound at the same T".to_string()
            }
            _ => format!("the slope is at most {tolerance} above that of the bound"),
        };
        let holds = match tolerance {
            0.0 => fit.slope + fit.half_width <= expected,
            _ => fit.slope <= expected + tolerance,
        };
        let claim = Claim::that(statement)
            .expected(format!("slope at most {}, that of {name}", rounded(expected, 3)))
            .measured(format!("slope {fit}, from T = {}", at[5]))
            .criterion(criterion)
            .holds(
                holds,
                format!(
                    "{otherwise} Up to T = {} the start may still show, and a mean over {runs} runs wavers.",
                    at[at.len() - 1]
                ),
            );
        outcome.claim(match problem {
            Problem::Absolute => claim.remark(
                "The logarithm belongs to the worst convex function, made for that purpose in as many dimensions as \
                 there are steps (Harvey et al. 2019). Whether it shows on this one, the slope tells: without it \
                 that would be −0.5.",
            ),
            Problem::Quadratic => claim,
        });
        let (x, y) = late[0];
        let scaled = |f: fn(f64) -> f64| {
            late.iter().map(move |(t, _)| (*t, 1.6 * y * f(*t) / f(x))).collect::<Vec<_>>()
        };
        let mut chart = Chart::new(Axis::log("steps T"), Axis::log("mean excess loss"))
            .title(title)
            .line(Line::new(points.iter().copied()).label("SGD").marker(Marker::Circle))
            .line(Line::new(scaled(bound)).label(name).color(Color::Ink).dash(1));
        if problem == Problem::Absolute {
            chart =
                chart.line(Line::new(scaled(|t| 1.0 / t.sqrt())).label("1/√T").color(Color::Muted).dash(2));
        }
        figure = figure.panel(chart);
    }
    outcome.figure(&figure);
    Ok(())
}

/// Steps until ‖w‖ has fallen to 10⁻⁶ of where it was, on ½·Σ hᵢwᵢ² with 20 curvatures from 1 to κ.
fn steps_on_quadratic(context: &Context, kappa: f64, momentum: bool) -> Result<usize> {
    const DIMENSION: usize = 20;
    let curvatures: Vec<f64> =
        (0..DIMENSION).map(|i| Float::powf(kappa, i as f64 / (DIMENSION - 1) as f64)).collect();
    let mut tape = Tape::new();
    let w = tape.param_slice(1, DIMENSION, &[1.0; DIMENSION]);
    let mut optimizer = if momentum {
        let root = kappa.sqrt();
        let beta = (root - 1.0) / (root + 1.0);
        Optimizer::new(Momentum::new(beta * beta)?, 4.0 / ((root + 1.0) * (root + 1.0)))?
    } else {
        Optimizer::new(Sgd, 2.0 / (kappa + 1.0))?
    };
    let target = 1e-12 * DIMENSION as f64;
    for t in 1.. {
        if t % 10_000 == 0 {
            context.check()?;
        }
        tape.rewind();
        let h = tape.constant_slice(1, DIMENSION, &curvatures);
        let square = tape.square(w);
        let terms = tape.mul(h, square);
        let sum = tape.sum(terms);
        let loss = tape.scale(sum, 0.5);
        tape.zero_grad();
        tape.backward(loss);
        optimizer.step(&mut tape)?;
        if tape.value_slice(w).iter().map(|x| x * x).sum::<f64>() <= target {
            return Ok(t);
        }
        // The rate of the theory is proven for both; this is for a defect.
        if t as f64 > 1e3 * kappa + 1e4 {
            break;
        }
    }
    Err(crate::Error::NonFinite(format!("no convergence at condition number {kappa}")))
}

fn conditioning(context: &Context, outcome: &mut Outcome) -> Result<()> {
    let most = context.pick(4, 5);
    let kappas: Vec<f64> = (2..=2 * most).map(|k| Float::powf(10.0, 0.5 * f64::from(k))).collect();
    let mut figure = Chart::new(Axis::log("condition number κ"), Axis::log("steps to 10⁻⁶ of the distance"));
    let mut table = Table::new("conditioning", "Steps to 10⁻⁶ of the distance", ["κ", "descent", "momentum"]);
    let mut rows = vec![Vec::new(); 2];
    for (i, kappa) in kappas.iter().enumerate() {
        context.at(4 * kappas.len() + 2 * i, 10 * kappas.len(), "condition number")?;
        rows[0].push((*kappa, steps_on_quadratic(context, *kappa, false)? as f64));
        rows[1].push((*kappa, steps_on_quadratic(context, *kappa, true)? as f64));
        table.row([(*kappa).into(), (rows[0][i].1 as usize).into(), (rows[1][i].1 as usize).into()]);
    }
    let runs = [
        ("gradient descent", "Steps of gradient descent grow as κ", 1.0, Marker::Circle),
        ("momentum", "Steps of momentum grow as √κ", 0.5, Marker::Square),
    ];
    for ((name, statement, expected, marker), points) in runs.into_iter().zip(&rows) {
        let fit = Fit::power_law(points);
        outcome.number(format!("exponent of κ, {name}"), fit.slope);
        outcome.number(format!("steps at the largest κ, {name}"), points[points.len() - 1].1);
        outcome.claim(
            Claim::that(statement)
                .expected(format!("exponent {expected}"))
                .measured(format!("exponent {fit}"))
                .criterion("within 0.1 of it")
                .holds(
                    (fit.slope - expected).abs() <= 0.1,
                    "The exponent is that of large κ. At small ones whole steps count, and the terms that the \
                     theory drops; at its best rate the matrix of the heavy ball has no full set of \
                     eigenvectors, so that some steps come on top in proportion to ln κ.",
                ),
        );
        figure = figure.line(Line::new(points.iter().copied()).label(name).marker(marker));
    }
    outcome.figure(
        &Figure::new(
            "conditioning",
            "What a condition number costs",
            format!(
                "A quadratic with curvatures from 1 to κ, each method at its best rate. At κ = {} momentum needs \
                 {} steps where descent needs {}: see how the two part.",
                rounded(kappas[kappas.len() - 1], 2),
                fixed(rows[1][rows[1].len() - 1].1, 0),
                fixed(rows[0][rows[0].len() - 1].1, 0)
            ),
        )
        .panel(figure),
    );
    outcome.table(table);
    Ok(())
}

/// Least squares with 50 unknowns and 20 equations, at η = 1/L.
fn polyak(context: &Context, outcome: &mut Outcome) -> Result<()> {
    context.at(6, 10, "PL condition")?;
    const EQUATIONS: usize = 20;
    const UNKNOWNS: usize = 50;
    let mut rng = stream(context.seed, Purpose::Projection);
    let a = nalgebra::DMatrix::from_fn(EQUATIONS, UNKNOWNS, |_, _| standard_normal(&mut rng));
    let b = nalgebra::DMatrix::from_fn(EQUATIONS, 1, |_, _| standard_normal(&mut rng));
    // AAᵀ has the eigenvalues of AᵀA that are not zero: μ is the least, L the largest.
    let eigen = crate::linalg::symmetric_eigen(&(&a * a.transpose()))?;
    let (mu, l) = (eigen.values[0], eigen.values[EQUATIONS - 1]);
    let mut tape = Tape::new();
    let w = tape.param_slice(UNKNOWNS, 1, &[0.0; UNKNOWNS]);
    let mut optimizer = Optimizer::new(Sgd, 1.0 / l)?;
    let mut losses = Vec::new();
    for t in 0..=400 {
        tape.rewind();
        let (a, b) = (tape.constant(&a), tape.constant(&b));
        let product = tape.matmul(a, w);
        let residual = tape.sub(product, b);
        let square = tape.square(residual);
        let sum = tape.sum(square);
        let loss = tape.scale(sum, 0.5);
        tape.zero_grad();
        tape.backward(loss);
        losses.push((f64::from(t), tape.item(loss)));
        optimizer.step(&mut tape)?;
    }
    let bound = 1.0 - mu / l;
    // Below this the loss is rounding.
    let ratios = losses.windows(2).filter(|p| p[1].1 > 1e-24).map(|p| p[1].1 / p[0].1);
    let worst = ratios.fold(0.0, f64::max);
    outcome.number("PL bound on the ratio", bound);
    outcome.number("largest ratio of losses", worst);
    outcome.claim(
        Claim::that("Under the PL condition each step leaves at most 1 − μ/L of the loss")
            .expected(format!("at most {}", fixed(bound, 5)))
            .measured(format!("at most {} over 400 steps", fixed(worst, 5)))
            .criterion("the largest ratio of two losses is not above the bound")
            .holds(
                worst <= bound,
                "The bound is proven: either μ and L, which come from eigenvalues with rounding, are off, or the \
                 losses are so small that what is left is rounding.",
            ),
    );
    let start = losses[0].1;
    let chart = Chart::new(Axis::linear("step"), Axis::log("loss"))
        .line(Line::new(losses.iter().copied()).label("gradient descent, η = 1/L"))
        .line(
            Line::new(losses.iter().map(|(t, _)| (*t, start * Float::powf(bound, *t))))
                .label("bound (1 − μ/L)ᵗ")
                .color(Color::Muted)
                .dash(1),
        );
    outcome.figure(
        &Figure::new(
            "pl",
            "A linear rate without strong convexity",
            format!(
                "Least squares with {UNKNOWNS} unknowns and {EQUATIONS} equations: flat in {} directions. See \
                 whether the loss stays below the bound, and how far: in the long run the direction of the smallest \
                 curvature is all that is left, and along it the loss falls by (1 − μ/L)² a step, twice as steep \
                 as the bound.",
                UNKNOWNS - EQUATIONS
            ),
        )
        .panel(chart),
    );
    Ok(())
}

/// Distances to the minimum along the way, and the last w.
type ScaledRun = (Vec<(f64, f64)>, Vec<f64>);

/// A run on a loss multiplied by `scale`.
fn scaled_run(
    context: &Context,
    mut optimizer: Optimizer<f64>,
    scale: f64,
    steps: usize,
) -> Result<ScaledRun> {
    let mut rng = noise(context, 0);
    let mut tape = Tape::new();
    let w = tape.param_slice(1, D, &[1.0; D]);
    let mut points = Vec::new();
    for t in 1..=steps {
        tape.rewind();
        let loss = append_loss(&mut tape, Problem::Quadratic, w, scale, &mut rng);
        tape.zero_grad();
        tape.backward(loss);
        match optimizer.step(&mut tape) {
            // A rate that is too large is part of what is shown.
            Ok(()) | Err(Error::NonFinite(_)) => (),
            Err(error) => return Err(error),
        }
        let distance = tape.value_slice(w).iter().map(|x| x * x).sum::<f64>().sqrt();
        points.push((t as f64, distance));
    }
    Ok((points, tape.value_slice(w).to_vec()))
}

fn scale_invariance(context: &Context, outcome: &mut Outcome) -> Result<()> {
    context.at(8, 10, "scale of the loss")?;
    let scales = [1e-2, 1.0, 1e2];
    let labels = ["loss × 0.01", "loss × 1", "loss × 100"];
    let steps = 1000;
    let mut figure = Figure::new(
        "scale",
        "A loss times a constant",
        "The same problem, noise and rate, with the loss multiplied. See whether the three lines lie on each \
         other, as they should with Adam, which knows no scale; for SGD a factor of the loss is one of the rate, and \
         one that is too large throws it out within a few steps. A line ends where it leaves the axes or the finite \
         numbers; a cross marks a step on the way there.",
    );
    // Where the axes of the figure end.
    const FARTHEST: f64 = 1e4;
    let (mut ends, mut charts) = (Vec::new(), Vec::new());
    for adam in [true, false] {
        let mut chart =
            Chart::new(Axis::log("step"), Axis::log("distance to the minimum").range(1e-2, FARTHEST))
                .title(if adam { "Adam, η = 0.01" } else { "SGD, η = 0.05" });
        for (i, (scale, label)) in scales.iter().zip(labels).enumerate() {
            let optimizer =
                if adam { Optimizer::new(Adam::default(), 0.01)? } else { Optimizer::new(Sgd, 0.05)? };
            let (points, last) = scaled_run(context, optimizer, *scale, steps)?;
            // The first is drawn widest, so that all three are seen where they agree.
            let width = [7.0, 3.5, 1.6][i];
            let leaves = points.iter().position(|(_, distance)| distance.is_nan() || *distance > FARTHEST);
            let line = match leaves {
                Some(end) => Line::new(points[..end].to_vec()).marker(Marker::Cross).width(3.5),
                None => Line::new(points).width(width).dash(i / 2),
            };
            chart = chart.line(line.label(label));
            if adam {
                ends.push(last);
            }
        }
        charts.push(chart);
    }
    for chart in charts {
        figure = figure.panel(chart);
    }
    let start = (D as f64).sqrt();
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
    let largest = apart(&ends[0], &ends[1]).max(apart(&ends[2], &ends[1])) / start;
    outcome.number("Adam's ends apart, of the first distance", largest);
    outcome.claim(
        Claim::that("Adam does not see the scale of the loss")
            .expected("the same path, but for ε")
            .measured(format!("after {steps} steps {} of the first distance apart", rounded(largest, 2)))
            .criterion("at most 10⁻³ of the first distance, for losses from 0.01 to 100 times")
            .holds(
                largest <= 1e-3,
                "ε = 10⁻⁸ stands beside the root of the mean square, and does not scale with the loss: it counts \
                 where the gradients of the smallest loss come near it.",
            ),
    );
    outcome.figure(&figure);
    Ok(())
}
