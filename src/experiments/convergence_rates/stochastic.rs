//! The rates of stochastic gradient descent.

use super::{D, NOISE, Problem, append_loss, excess, noise};
use crate::experiments::prelude::*;

/// How the excess falls on one problem.
#[derive(Serialize, Deserialize)]
pub(super) struct Decay {
    problem: Problem,
    /// Steps after which it is taken.
    at: Vec<usize>,
    runs: usize,
    groups: Vec<Group>,
}

/// Mean excess of some runs after each of the steps.
#[derive(Serialize, Deserialize)]
struct Group {
    /// Of the last iterate.
    last: Vec<f64>,
    /// Of the mean of all iterates.
    averaged: Vec<f64>,
}

impl Decay {
    /// Means over the groups, with the steps.
    fn curve(&self, of: impl Fn(&Group) -> &[f64]) -> Vec<(f64, f64)> {
        let mean_at = |k: usize| mean(&self.groups.iter().map(|group| of(group)[k]).collect::<Vec<_>>());
        self.at.iter().enumerate().map(|(k, t)| (*t as f64, mean_at(k))).collect()
    }

    /// Some figure of each group's last iterates, from the step [`LATE`] on.
    fn each(&self, of: impl Fn(&[(f64, f64)]) -> f64) -> Vec<f64> {
        let points = |xs: &[f64]| -> Vec<(f64, f64)> {
            self.at.iter().zip(xs).skip(LATE).map(|(t, x)| (*t as f64, *x)).collect()
        };
        self.groups.iter().map(|group| of(&points(&group.last))).collect()
    }
}

/// The place in `at` of the first step that counts: the way to where the noise rules is no part of the rate.
const LATE: usize = 5;
/// How many groups of runs there are; a group's mean is one measurement.
const GROUPS: usize = 10;

fn rate(problem: Problem, t: usize) -> f64 {
    match problem {
        Problem::Absolute => 0.5 / (t as f64).sqrt(),
        Problem::Quadratic => 1.0 / t as f64,
    }
}

pub(super) fn measure(context: &Context) -> Result<Vec<Decay>> {
    let at: Vec<usize> = (0..=context.pick(13, 16)).map(|k| 1 << k).collect();
    let runs = context.pick(4, 10);
    let mut all = Vec::new();
    for (i, problem) in [Problem::Absolute, Problem::Quadratic].into_iter().enumerate() {
        context.at(2 * i, 10, "SGD with noise")?;
        let mut groups = Vec::new();
        for group in 0..GROUPS {
            let mut sums = Group { last: vec![0.0; at.len()], averaged: vec![0.0; at.len()] };
            for run in 0..runs {
                context.check()?;
                add(&mut sums, problem, &at, noise(context, group * runs + run))?;
            }
            for sum in sums.last.iter_mut().chain(&mut sums.averaged) {
                *sum /= runs as f64;
            }
            groups.push(sums);
        }
        all.push(Decay { problem, at: at.clone(), runs, groups });
    }
    Ok(all)
}

/// Adds the excess of one run.
fn add(to: &mut Group, problem: Problem, at: &[usize], mut rng: rand_chacha::ChaCha8Rng) -> Result<()> {
    let mut tape = Tape::new();
    let w = tape.param_slice(1, D, &[1.0; D]);
    let mut optimizer = Optimizer::new(Sgd, rate(problem, 1))?;
    let (mut next, mut sum) = (0, [0.0; D]);
    for t in 1..=at[at.len() - 1] {
        sum.iter_mut().zip(tape.value_slice(w)).for_each(|(sum, w)| *sum += w);
        optimizer.set_lr(rate(problem, t))?;
        step(&mut tape, &mut optimizer, |tape| append_loss(tape, problem, w, 1.0, &mut rng))?;
        if t == at[next] {
            to.last[next] += excess(problem, tape.value_slice(w));
            to.averaged[next] += excess(problem, &sum.map(|sum| sum / t as f64));
            next += 1;
        }
    }
    Ok(())
}

/// What the theory says of a problem.
struct Theory {
    id: &'static str,
    title: &'static str,
    statement: &'static str,
    /// How the bound is called, and its shape.
    bound: (&'static str, fn(f64) -> f64),
    /// What the slope may be above that of the bound by chance: 0 where the logarithm of the bound leaves room enough.
    margin: f64,
    remark: &'static str,
}

fn theory(problem: Problem) -> Theory {
    match problem {
        Problem::Absolute => Theory {
            id: "convex-rate",
            title: "convex: ‖w‖₁, η = 0.5/√t",
            statement: "‖w‖₁, convex: the excess falls at least as fast as log T/√T",
            bound: ("log T/√T", |t| Float::ln(t) / t.sqrt()),
            margin: 0.0,
            remark: "The logarithm belongs to the worst convex function, built for that purpose in as many \
                     dimensions as there are steps (Harvey et al. 2019). The slope shows whether it appears \
                     here: without the logarithm it would be −0.5.",
        },
        Problem::Quadratic => Theory {
            id: "strongly-convex-rate",
            title: "strongly convex: quadratic, η = 1/t",
            statement: "A quadratic, strongly convex: the excess falls at least as fast as 1/T",
            bound: ("1/T", |t| 1.0 / t),
            margin: 0.1,
            remark: "",
        },
    }
}

pub(super) fn report(outcome: &mut Outcome, decays: &[Decay]) {
    let Decay { at, runs, .. } = &decays[0];
    let mut figure = Figure::new(
        "stochastic",
        "SGD with noisy gradients",
        format!(
            "Mean excess loss over {} runs. On two logarithmic axes a power of T is a straight line. The \
             dashed line has the shape of the theory's upper bound for the last iterate. It starts somewhat \
             above the excess at T = {}. The theory proves that the excess falls as fast or faster. The \
             dotted line of the first panel is DG/√T. It bounds the mean of all iterates at the constant \
             rate D/(G√T). D is the distance of the start and G the size of a gradient in this problem. The \
             section \"Convex bounds\" tests that bound on another problem, with that rate and with a \
             falling one.",
            GROUPS * runs,
            at[LATE]
        ),
    );
    for decay in decays {
        let Theory { id, title, statement, bound: (name, bound), margin, remark } = theory(decay.problem);
        let late: Vec<f64> = decay.at[LATE..].iter().map(|t| *t as f64).collect();
        let slopes = decay.each(|points| Fit::power_law(points).slope);
        let expected = Fit::power_law(&late.iter().map(|t| (*t, bound(*t))).collect::<Vec<_>>()).slope;
        outcome.number(format!("slope on the problem {title}"), mean(&slopes));
        outcome.number(format!("slope of the bound {name}"), expected);
        let claim = Claim::that(statement)
            .named(id)
            .expected(format!("slope at most {}, that of {name} at the same T", rounded(expected, 3)))
            .estimated(Estimate::mean(&slopes).of(format!("groups of {runs} runs")))
            .saying(&format!(", the slope from T = {}", decay.at[LATE]))
            .within(
                ..=expected + margin,
                format!(
                    "The bound holds in the limit. Up to T = {} the start may still matter.",
                    late[late.len() - 1]
                ),
            );
        outcome.claim(if remark.is_empty() { claim } else { claim.remark(remark) });
        let points = decay.curve(|group| &group.last);
        let (x, y) = points[LATE];
        let scaled = late.iter().map(|t| (*t, 1.6 * y * bound(*t) / bound(x)));
        let mut chart = Chart::new(Axis::log("steps T"), Axis::log("mean excess loss"))
            .title(title)
            .line(Line::new(points.iter().copied()).label("last iterate").marker(Marker::Circle))
            .line(Line::new(scaled).label(name).color(Color::Ink).dash(1));
        if decay.problem == Problem::Absolute {
            let averaged = decay.curve(|group| &group.averaged);
            let bound = averaged.iter().map(|(t, _)| (*t, averaged_bound(*t))).collect::<Vec<_>>();
            chart = chart
                .line(Line::new(averaged).label("mean of the iterates").marker(Marker::Square))
                .line(Line::new(bound).label("DG/√T").color(Color::Muted).dash(2));
        }
        figure = figure.panel(chart);
    }
    outcome.figure(&figure);
}

/// DG/√T on ‖w‖₁: D = √d is the distance from the start, all ones, to 0. An entry of a gradient is ±1 with noise of
/// deviation σ added, and so G² = d·(1 + σ²).
fn averaged_bound(t: f64) -> f64 {
    D as f64 * (1.0 + NOISE * NOISE).sqrt() / t.sqrt()
}
