//! What is claimed of the bounds, and shown.

use super::Bounds;
use super::descend::{Excess, Separated, Stochastic};
use crate::experiments::prelude::*;

/// Steps from which the rate on separable classes is taken.
const LATE: usize = 64;

pub(super) fn all(study: &Bounds) -> Outcome {
    let mut outcome = Outcome::default();
    claims(&mut outcome, study);
    stochastic_figure(&mut outcome, study);
    descent_figure(&mut outcome, study);
    table(&mut outcome, study);
    outcome
}

/// Of each seed the largest share of the bound over all numbers of steps.
fn largest<S, R>(seeds: &[S], rows: impl Fn(&S) -> &Vec<R>, share: impl Fn(&S, &R) -> f64) -> Vec<f64> {
    seeds.iter().map(|seed| range(rows(seed).iter().map(|row| share(seed, row))).1).collect()
}

/// Of each seed: the exponent by which the loss falls on separable classes.
fn exponents(study: &Bounds) -> Vec<f64> {
    let late = |point: &&Separated| point.steps >= LATE;
    let of_seed = |points: &[Separated]| {
        let points: Vec<(f64, f64)> =
            points.iter().filter(late).map(|point| (point.steps as f64, point.loss)).collect();
        Fit::power_law(&points).slope
    };
    study.separable.iter().map(|seed| of_seed(&seed.points)).collect()
}

fn claims(outcome: &mut Outcome, study: &Bounds) {
    let share = |seed: &Stochastic, row: &Excess| row.average / seed.bound(row.steps);
    let constant = largest(&study.stochastic, |seed| &seed.constant, share);
    let decaying = largest(&study.stochastic, |seed| &seed.decaying, share);
    let descent = largest(&study.descent, |seed| &seed.points, |seed, row| row.1 / seed.bound(row.0));
    let separable = largest(&study.separable, |seed| &seed.points, |_, row| row.loss / row.bound);
    for (id, statement, shares, why) in [
        (
            "average-bound",
            "With the rate D/(G√T) the mean of SGD's iterates is within DG/√T of the optimum, for every T",
            &constant,
            "The bound is on the expectation; the measured figure is a mean over some runs.",
        ),
        (
            "average-bound-decaying",
            "With the rate D/(G√t), which falls, the mean is within DG/√T as well",
            &decaying,
            "The proof for this rate has a larger constant and needs a bounded set.",
        ),
        (
            "descent-bound",
            "Gradient descent on the binary cross-entropy is within L‖w₀ − w*‖²/2T of the optimum, for every T",
            &descent,
            "This is a theorem. If it does not hold here, the steps or the constants are wrong.",
        ),
        (
            "separable-bound",
            "Where no optimum exists, the loss is within f(u) + L‖w₀ − u‖²/2T, for every T and u",
            &separable,
            "This is a theorem. If it does not hold here, the steps or the constants are wrong.",
        ),
    ] {
        outcome.number(format!("{id}: share of the bound"), mean(shares));
        claim(outcome, statement)
            .named(id)
            .expected("at most 1")
            .estimated(Estimate::mean(shares))
            .saying(", the largest share of the bound that is reached at any T")
            .within(..=1.0, why);
    }
    let exponents = exponents(study);
    outcome.number("exponent on separable classes", mean(&exponents));
    let points = &study.separable[0].points;
    let shape = |point: &Separated| {
        let (t, log) = (point.steps as f64, Float::ln(point.steps as f64));
        (t, log * log / t)
    };
    let late: Vec<(f64, f64)> = points.iter().filter(|point| point.steps >= LATE).map(shape).collect();
    let slowest = Fit::power_law(&late).slope;
    claim(outcome, "Where no optimum exists, the loss falls at least as fast as ln²T/T")
        .named("separable-rate")
        .expected(format!(
            "at most {}, the exponent of ln²T/T at the same T; in the limit −1",
            rounded(slowest, 3)
        ))
        .estimated(Estimate::mean(&exponents))
        .saying(&format!(", the exponent of the loss over the steps from {LATE} on"))
        .within(..=slowest, "The proof is for large T.");
}

/// The mean over the seeds at each place of their rows.
fn curve<S, R>(
    seeds: &[S],
    rows: impl Fn(&S) -> &Vec<R>,
    at: impl Fn(&S, &R) -> (usize, f64),
) -> Vec<(f64, f64)> {
    let place = |k: usize| {
        let values: Vec<(usize, f64)> = seeds.iter().map(|seed| at(seed, &rows(seed)[k])).collect();
        (values[0].0 as f64, mean(&values.iter().map(|value| value.1).collect::<Vec<_>>()))
    };
    (0..rows(&seeds[0]).len()).map(place).collect()
}

fn stochastic_figure(outcome: &mut Outcome, study: &Bounds) {
    let seeds = &study.stochastic;
    let panel = |title: &str, rows: fn(&Stochastic) -> &Vec<Excess>| {
        let average = curve(seeds, rows, |_, row| (row.steps, row.average));
        let last = curve(seeds, rows, |_, row| (row.steps, row.last));
        let bound = curve(seeds, rows, |seed, row| (row.steps, seed.bound(row.steps)));
        Chart::new(Axis::log("steps T"), Axis::log("loss above the least"))
            .title(title)
            .line(Line::new(bound).label("DG/√T").color(Color::Ink).dash(1))
            .line(Line::new(average).label("mean of iterates").marker(Marker::Circle))
            .line(Line::new(last).label("last iterate").marker(Marker::Square))
    };
    outcome.draw(
        "average",
        "The mean of SGD's iterates, and its bound",
        format!(
            "Logistic regression on {} samples of overlapping classes, one sample per step; means over {} \
             runs of each of {} seeds. The bound uses the constants of each problem; nothing is fitted. \
             Compare how far below it the mean stays. The bound says nothing about the last iterate.",
            super::SAMPLES,
            study.runs,
            seeds.len()
        ),
        [panel("rate D/(G√T)", |seed| &seed.constant), panel("rate D/(G√t)", |seed| &seed.decaying)],
    );
}

fn descent_figure(outcome: &mut Outcome, study: &Bounds) {
    let (seeds, apart) = (&study.descent, &study.separable);
    let axes = || (Axis::log("steps T"), Axis::log("loss above the infimum"));
    let bound = curve(seeds, |seed| &seed.points, |seed, row| (row.0, seed.bound(row.0)));
    // Below that the least loss itself is rounded.
    let excess = curve(seeds, |seed| &seed.points, |_, row| (row.0, row.1));
    let excess = excess.into_iter().filter(|(_, y)| *y > 1e-14);
    let (x, y) = axes();
    let overlapping = Chart::new(x, y)
        .title("overlapping classes")
        .line(Line::new(bound).label("L‖w₀ − w*‖²/2T").color(Color::Ink).dash(1))
        .line(Line::new(excess).label("descent").marker(Marker::Circle));
    let (x, y) = axes();
    let separated = Chart::new(x, y)
        .title("separable classes: no optimum")
        .line(
            Line::new(curve(apart, |seed| &seed.points, |_, row| (row.steps, row.bound)))
                .label("least f(u) + L‖u‖²/2T")
                .color(Color::Ink)
                .dash(1),
        )
        .line(
            Line::new(curve(apart, |seed| &seed.points, |_, row| (row.steps, row.loss)))
                .label("descent")
                .marker(Marker::Circle),
        );
    let norms = Chart::new(Axis::log("steps T"), Axis::linear("‖w‖").holding(0.0))
        .title("separable classes: weights")
        .line(
            Line::new(curve(apart, |seed| &seed.points, |_, row| (row.steps, row.norm)))
                .marker(Marker::Circle),
        );
    outcome.draw(
        "descent",
        "Gradient descent, and its bound",
        "Means over the seeds, at the rate 1/L. Where the classes overlap, the loss is strongly convex near \
         its optimum, and descent is soon far below the bound. Where a plane separates them, the loss falls \
         nearly as 1/T, below the bound. The weights keep growing, in the limit as the logarithm of the \
         steps. In the first panel the line of descent ends where the minimum of the loss itself is \
         rounded. In the second panel the bound is the smallest of the bounds for 200 points u on the \
         normal of the plane.",
        [overlapping, separated, norms],
    );
}

fn table(outcome: &mut Outcome, study: &Bounds) {
    let rows: Vec<(usize, &Stochastic)> = study.stochastic.iter().enumerate().collect();
    outcome.table(
        Table::of("constants", "Constants of the problems, and what SGD reaches at the last T", &rows)
            .column("seed", |(k, _)| k + 1)
            .column("D", |(_, seed)| seed.distance)
            .column("G", |(_, seed)| seed.gradient)
            .column("DG/√T", |(_, seed)| seed.constant.last().map_or(f64::NAN, |row| seed.bound(row.steps)))
            .column("mean, constant rate", |(_, seed)| {
                seed.constant.last().map_or(f64::NAN, |row| row.average)
            })
            .column("mean, falling rate", |(_, seed)| {
                seed.decaying.last().map_or(f64::NAN, |row| row.average)
            })
            .column("L", |(k, _)| study.descent[*k].smoothness),
    );
}

pub(super) fn finding(found: &Found) -> Told {
    let share = |id: &str| found.number(&format!("{id}: share of the bound"));
    let below = found.by("average-bound", ["stays below", "goes beyond", "goes near"])?;
    let separable = found.by(
        "separable-bound",
        [
            "the bound still holds with a distant point in the place of the optimum",
            "the bound with a distant point in the place of the optimum does not hold",
            "this run does not decide whether the bound holds with a distant point in the place of the \
             optimum",
        ],
    )?;
    Some((
        "average",
        format!(
            "The mean of SGD's iterates {below} DG/√T, at {} of it at the most unfavourable T",
            percent(share("average-bound")?)
        ),
        format!(
            "All constants are those of the problem; nothing is fitted. Shares are the largest over T, \
             means over the seeds. With a rate that falls as 1/√t the share of DG/√T is {}. Gradient \
             descent on the whole data reaches {} of L‖w₀ − w*‖²/2T. Where a plane separates the classes \
             there is no optimum. Here {separable}, and the loss falls with an exponent of {}.",
            percent(share("average-bound-decaying")?),
            percent(share("descent-bound")?),
            fixed(found.number("exponent on separable classes")?, 2)
        ),
    ))
}
