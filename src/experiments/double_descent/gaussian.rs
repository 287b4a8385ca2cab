//! Gaussian features, for which the error has a formula; and where gradient descent ends.

use nalgebra::{DMatrix, DVector};

use super::{D, N, NOISE, Regression, SIGNAL, large};
use crate::experiments::prelude::*;

const FEATURES: [usize; 23] =
    [2, 5, 10, 15, 20, 25, 30, 34, 36, 38, 39, 40, 41, 42, 44, 46, 50, 55, 60, 80, 100, 140, 200];

/// The expected error of the shortest solution with `p` features.
pub(super) fn expected(p: usize) -> f64 {
    let (n, p, used) = (N as f64, p as f64, SIGNAL * p as f64 / D as f64);
    let noise = NOISE + SIGNAL - used;
    if p <= n - 2.0 {
        noise * (1.0 + p / (n - p - 1.0))
    } else if p >= n + 2.0 {
        used * (1.0 - n / p) + noise * (1.0 + n / (p - n - 1.0))
    } else {
        f64::INFINITY
    }
}

/// Errors with so many features, one for each draw.
pub(super) struct Gaussian {
    pub(super) p: usize,
    pub(super) ridgeless: Vec<f64>,
    pub(super) ridge: Vec<f64>,
}

/// Samples with all features, and their targets.
fn draw(seed: u64) -> (DMatrix<f64>, DMatrix<f64>) {
    let mut rng = stream(seed, Purpose::Data);
    let x = DMatrix::from_fn(N, D, |_, _| standard_normal(&mut rng));
    let beta = DVector::from_element(D, (SIGNAL / D as f64).sqrt());
    let clean = &x * beta;
    let y = DMatrix::from_fn(N, 1, |i, _| clean[i] + NOISE.sqrt() * standard_normal(&mut rng));
    (x, y)
}

pub(super) fn gaussian(context: &Context) -> Result<Vec<Gaussian>> {
    let draws = context.pick(200, 1000);
    let new = |p| Gaussian { p, ridgeless: Vec::new(), ridge: Vec::new() };
    let mut rows: Vec<Gaussian> = FEATURES.map(new).into();
    let beta = (SIGNAL / D as f64).sqrt();
    for k in 0..draws {
        context.at(k, 2 * draws, "Gaussian features")?;
        let (x, y) = draw(derive(context.seed, k as u64));
        for row in &mut rows {
            let used = x.columns(0, row.p).into_owned();
            let regression = Regression::new(&used, &y)?;
            let noise = NOISE + SIGNAL * (D - row.p) as f64 / D as f64;
            // The error on a new sample, with the mean over it in closed form.
            let error = |w: &DMatrix<f64>| noise + w.iter().map(|w| (w - beta) * (w - beta)).sum::<f64>();
            row.ridgeless.push(error(&regression.solve(0.0)));
            row.ridge.push(error(&regression.solve(noise * D as f64 / SIGNAL)));
        }
    }
    Ok(rows)
}

pub(super) fn report_gaussian(outcome: &mut Outcome, rows: &[Gaussian]) {
    let draws = rows[0].ridgeless.len();
    // Close to p = n the error has a mean, but no variance that a standard error could be had from.
    let far = rows.iter().filter(|row| row.p.abs_diff(N) >= 6);
    let off = far.map(|row| {
        let (mean, error) = mean_and_error(&row.ridgeless);
        (mean - expected(row.p)).abs() / error
    });
    let worst = off.fold(0.0, f64::max);
    claim(outcome, "The exact formula for Gaussian features holds on both sides of the peak")
        .named("exact-formula")
        .expected("the measured means")
        .measured(format!("{} standard errors off at most, over {draws} draws", fixed(worst, 2)))
        .criterion("at most 4 standard errors off wherever |p − n| ≥ 6")
        .holds(
            worst <= 4.0,
            "Towards the peak a few draws make most of the mean, so that a standard error from so many draws \
             is itself too small.",
        );
    let peak = greatest(rows, |row| mean(&row.ridgeless));
    claim(outcome, "The error peaks where there are as many features as samples")
        .named("peak")
        .expected(format!("p = {N}, with n = {N}"))
        .measured(format!("p = {}, a mean error of {}", peak.p, large(mean(&peak.ridgeless))))
        .criterion("the largest mean is at a p from n − 1 to n + 1")
        .holds(
            peak.p.abs_diff(N) <= 1,
            "Next to the pole, at n ± 2, the error has a mean but no variance: among so many draws one may \
             be larger than all at n.",
        );
    let best = least(rows, |row| mean(&row.ridgeless));
    let theory = *least(&FEATURES, |p| expected(*p));
    claim(outcome, "With weak features that are all alike, the best is to take all of them")
        .named("take-all")
        .expected(format!("the least error at p = {theory}, {}", fixed(expected(theory), 3)))
        .measured(format!("at p = {}, {}", best.p, fixed(mean(&best.ridgeless), 3)))
        .criterion("the same p")
        .holds(
            best.p == theory,
            format!(
                "The theory has {} there: where that is within a few standard errors of its least, the draws \
                 decide.",
                fixed(expected(best.p), 3)
            ),
        );
    let rises = rows.windows(2).map(|pair| {
        let (mean, error) = mean_and_error(&differences(&pair[1].ridge, &pair[0].ridge));
        mean / error
    });
    let rise = rises.fold(f64::NEG_INFINITY, f64::max);
    claim(outcome, "With the best ridge there is no peak: the error never rises with the number of features")
        .named("best-ridge")
        .expected("falls from each p to the next")
        .measured(format!("the largest rise is {} standard errors", fixed(rise, 2)))
        .criterion("no mean rises by more than 3 standard errors of the difference")
        .holds(
            rise <= 3.0,
            "The theorem is about weights drawn from a normal distribution, of which this ridge is the best; \
             here they are fixed and all alike, and only the samples are drawn.",
        );

    let curve: Vec<(f64, f64)> = (2..=D).map(|p| (p as f64, expected(p))).collect();
    // Rules of the theory end at the peak: a line through infinity is two.
    let (left, right): (Vec<_>, Vec<_>) =
        curve.into_iter().filter(|(_, e)| e.is_finite()).partition(|(p, _)| *p < N as f64);
    let points = |of: fn(&Gaussian) -> &Vec<f64>| rows.iter().map(move |row| (row.p as f64, mean(of(row))));
    let chart =
        Chart::new(Axis::linear("features p"), Axis::log("squared error on new samples").range(0.5, 1e3))
            .title(format!("Gaussian features, n = {N}"))
            .line(Line::new(left).label("theory").color(Color::Blue).width(1.2))
            .line(Line::new(right).color(Color::Blue).width(1.2))
            .points(points(|row| &row.ridgeless), Marker::Circle, Color::Blue, "shortest solution")
            .line(
                Line::new(points(|row| &row.ridge))
                    .label("best ridge")
                    .color(Color::Vermilion)
                    .marker(Marker::Square),
            )
            .vertical(N as f64, Color::Muted, "p = n");
    outcome.draw(
        "gaussian",
        "Double descent in closed form",
        format!(
            "Means over {draws} draws of {N} samples with {D} features in all. To the left of p = n one fits \
             as well as one can, to the right one fits all samples in the shortest way. The jump at \
             p = n has one cause: there XXᵀ has an eigenvalue near 0, by which the noise in the targets is divided, and \
             for p from n − 1 to n + 1 the error has no mean at all: the marks are what these draws happen to give. \
             What is above 1000 is cut off. Look what the best ridge makes of the peak."
        ),
        [chart],
    );
    for row in rows {
        // At the pole rounding is amplified: another processor would give other digits.
        if row.p.abs_diff(N) > 1 {
            outcome.number(format!("error with {} Gaussian features", row.p), mean(&row.ridgeless));
        }
        outcome.number(format!("the same with a ridge, {}", row.p), mean(&row.ridge));
    }
    outcome.table(
        Table::of("gaussian", "Error with Gaussian features", rows)
            .column("features", |row| row.p)
            .column("error, shortest", |row| mean(&row.ridgeless))
            .column("standard error", |row| mean_and_error(&row.ridgeless).1)
            // A cell takes finite numbers only.
            .column("theory", |row| Cell::or(Some(expected(row.p)).filter(|x| x.is_finite()), "inf"))
            .column("error, best ridge", |row| mean(&row.ridge)),
    );
}

/// Gradient descent from 0 against the shortest solution.
pub(super) fn descent(context: &Context, outcome: &mut Outcome) -> Result<()> {
    context.check()?;
    let p = 2 * N;
    let (x, y) = draw(context.seed);
    let used = x.columns(0, p).into_owned();
    let regression = Regression::new(&used, &y)?;
    let shortest = regression.solve(0.0);
    let mut tape = Tape::new();
    let w = tape.param_with(p, 1, |_| ());
    let mut optimizer = Optimizer::new(Sgd, N as f64 / regression.eigen.values.max())?;
    for _ in 0..2000 {
        step(&mut tape, &mut optimizer, |tape| {
            let (vx, vy) = (tape.constant(&used), tape.constant(&y));
            let prediction = tape.matmul(vx, w);
            let mse = tape.mse(prediction, vy);
            tape.scale(mse, 0.5)
        })?;
    }
    let slowest = regression.eigen.values.min() / regression.eigen.values.max();
    let apart = (tape.value(w).to_dmatrix() - &shortest).norm() / shortest.norm();
    claim(outcome, "Gradient descent from 0 ends at the shortest of all solutions")
        .named("shortest-solution")
        .expected("the same weights")
        .measured(format!("{} apart, relative, after 2000 steps with p = 2n", scientific(apart, 2)))
        .criterion("at most 10⁻⁶")
        .holds(
            apart <= 1e-6,
            format!(
                "Along the eigenvector of the least eigenvalue each step leaves a share of 1 − {}: 2000 are \
                 not enough.",
                rounded(slowest, 2)
            ),
        );
    Ok(())
}
