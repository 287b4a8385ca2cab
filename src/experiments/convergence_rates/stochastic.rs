//! The rates of stochastic gradient descent.

use super::{D, Problem, append_loss, excess, noise};
use crate::experiments::prelude::*;

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
            optimizer.set_lr(rate(t))?;
            step(&mut tape, &mut optimizer, |tape| append_loss(tape, problem, w, 1.0, &mut rng))?;
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
    id: &'static str,
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
        id: "convex-rate",
        title: "convex: ‖w‖₁, η = 0.5/√t",
        statement: "‖w‖₁, convex: the excess falls at least as fast as log T/√T",
        bound: ("log T/√T", |t| Float::ln(t) / t.sqrt()),
        tolerance: 0.0,
        otherwise: "The bound is that of large T.",
    },
    Theory {
        problem: Problem::Quadratic,
        id: "strongly-convex-rate",
        title: "strongly convex: quadratic, η = 1/t",
        statement: "A quadratic, strongly convex: the excess falls at least as fast as 1/T",
        bound: ("1/T", |t| 1.0 / t),
        tolerance: 0.1,
        otherwise: "The slope is that of the limit.",
    },
];

pub(super) fn stochastic(context: &Context, outcome: &mut Outcome) -> Result<()> {
    let doublings = context.pick(13, 16);
    let at: Vec<usize> = (0..=doublings).map(|k| 1 << k).collect();
    let runs = context.pick(40, 100);
    let mut figure = Figure::new(
        "stochastic",
        "SGD with noisy gradients",
        format!(
            "Mean excess loss of the last iterate over {runs} runs. On two logarithmic axes a power of T is \
             a line. The dashed one has the shape of the theory's upper bound, from somewhat above the \
             excess at T = {}: what is proven is that the excess falls as fast or faster. The dotted line of \
             the first panel is the bound without its logarithm.",
            at[5]
        ),
    );
    for (i, theory) in THEORIES.into_iter().enumerate() {
        let Theory { problem, id, title, statement, bound: (name, bound), tolerance, otherwise } = theory;
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
            .named(id)
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
                "The logarithm belongs to the worst convex function, made for that purpose in as many \
                 dimensions as there are steps (Harvey et al. 2019). Whether it shows on this one, the slope \
                 tells: without it that would be −0.5.",
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
