//! Gaussian features, for which the error has a formula; and, in a test, where gradient descent ends.

use nalgebra::{DMatrix, DVector};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::{D, N, NOISE, Regression, SIGNAL};
use crate::experiments::prelude::*;

const FEATURES: [usize; 23] =
    [2, 5, 10, 15, 20, 25, 30, 34, 36, 38, 39, 40, 41, 42, 44, 46, 50, 55, 60, 80, 100, 140, 200];

/// The expected error of the shortest solution with `p` features.
fn expected(p: usize) -> f64 {
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
#[derive(Serialize, Deserialize)]
pub(super) struct Gaussian {
    p: usize,
    #[serde(with = "lossless")]
    ridgeless: Vec<f64>,
    #[serde(with = "lossless")]
    ridge: Vec<f64>,
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

pub(super) fn measure(context: &Context) -> Result<Vec<Gaussian>> {
    let draws = context.pick(200, 500);
    let beta = (SIGNAL / D as f64).sqrt();
    // The errors of a draw, with the shortest solution and with the best ridge.
    let of_draw = |k: u64| -> Result<Vec<(f64, f64)>> {
        context.check()?;
        let (x, y) = draw(derive(context.seed, k));
        let of_features = |p: &usize| {
            let used = x.columns(0, *p).into_owned();
            let regression = Regression::new(&used, &y)?;
            let noise = NOISE + SIGNAL * (D - p) as f64 / D as f64;
            // The error on a new sample, with the mean over it in closed form.
            let error = |w: &DMatrix<f64>| noise + w.iter().map(|w| (w - beta) * (w - beta)).sum::<f64>();
            Ok((error(&regression.solve(0.0)), error(&regression.solve(noise * D as f64 / SIGNAL))))
        };
        FEATURES.iter().map(of_features).collect()
    };
    let all: Vec<Vec<(f64, f64)>> = (0..draws).into_par_iter().map(of_draw).collect::<Result<_>>()?;
    let of = |(i, p): (usize, usize)| {
        let (ridgeless, ridge) = all.iter().map(|of_draw| of_draw[i]).unzip();
        Gaussian { p, ridgeless, ridge }
    };
    Ok(FEATURES.into_iter().enumerate().map(of).collect())
}

/// log₂ of the ratio of the errors at two numbers of features, draw by draw.
fn ratios(rows: &[Gaussian], p: usize, to: usize) -> Vec<f64> {
    let pairs = at(rows, p).ridgeless.iter().zip(&at(rows, to).ridgeless);
    pairs.map(|(a, b)| log2_ratio(*a, *b)).collect()
}

fn at(rows: &[Gaussian], p: usize) -> &Gaussian {
    least(rows, |row| row.p.abs_diff(p) as f64)
}

fn claims(outcome: &mut Outcome, rows: &[Gaussian]) {
    let of_draws = |xs: &[f64]| Estimate::mean(xs).of("draws");
    // Close to p = n the error has a mean, but no variance that an interval could be had from.
    let far: Vec<&Gaussian> = rows.iter().filter(|row| row.p.abs_diff(N) >= 10).collect();
    let of_draw = |k: usize| mean_of(&far, |row| row.ridgeless[k] / expected(row.p));
    let relative: Vec<f64> = (0..rows[0].ridgeless.len()).map(of_draw).collect();
    claim(outcome, "The exact formula for Gaussian features holds on both sides of the peak")
        .named("exact-formula")
        .expected("a ratio of 1 of the measured error to that of the formula")
        .estimated(of_draws(&relative))
        .saying(", the mean ratio over all p with |p − n| ≥ 10")
        .within(
            0.9..=1.1,
            "Near the peak a few draws dominate the mean. So an interval from this number of draws is too \
             short.",
        );
    let [left, right] = [N - 10, N + 10].map(|p| of_draws(&ratios(rows, N, p)));
    claim(outcome, "The error peaks where there are as many features as samples")
        .named("peak")
        .expected(format!("a larger error at p = n = {N} than on either side"))
        .measured(format!(
            "log₂ of the error at p = {N} over that at {} is {left}, over that at {} it is {right}",
            N - 10,
            N + 10
        ))
        .criterion("both 95 % intervals are above 0")
        .judged(
            left.against(&ABOVE_0).and(right.against(&ABOVE_0)),
            "At the pole the error has no finite mean. So the mean of its logarithm is judged, draw by draw.",
        );
    let drops = [2, 140].map(|p| of_draws(&differences(&at(rows, D).ridgeless, &at(rows, p).ridgeless)));
    claim(outcome, "With weak features that are all alike, the best is to take all of them")
        .named("take-all")
        .expected(format!(
            "by the formula {} at p = {D}, against {} at p = 2, the best in front of the peak",
            fixed(expected(D), 3),
            fixed(expected(2), 3)
        ))
        .measured(format!(
            "{} at p = {D}: against p = 2 a difference of {}, against p = 140 one of {}",
            fixed(mean(&at(rows, D).ridgeless), 3),
            drops[0],
            drops[1]
        ))
        .criterion("both 95 % intervals are below 0")
        .judged(
            Verdict::all(drops.iter().map(|drop| drop.against(&BELOW_0))),
            "If the features differ in their information, the first few may be enough.",
        );
    const STEPS: [usize; 6] = [2, 20, 40, 80, 140, 200];
    let falls: Vec<Estimate> = STEPS
        .windows(2)
        .map(|pair| of_draws(&differences(&at(rows, pair[1]).ridge, &at(rows, pair[0]).ridge)))
        .collect();
    claim(outcome, "With the best ridge there is no peak: the error falls with the number of features")
        .named("best-ridge")
        .expected("smaller from each p to the next")
        .measured(format!(
            "{} for p = {}: differences of {}",
            list(STEPS, |p| fixed(mean(&at(rows, p).ridge), 3)),
            list(STEPS, |p| p.to_string()),
            list(&falls, |fall| fixed(fall.value(), 4))
        ))
        .criterion("the 95 % intervals of all differences, draw by draw, are below 0")
        .judged(
            Verdict::all(falls.iter().map(|fall| fall.against(&BELOW_0))),
            "The theorem is about weights drawn from a normal distribution; this ridge is the best for \
             those. Here the weights are fixed and all alike, and only the samples are drawn.",
        );
}

pub(super) fn report(outcome: &mut Outcome, rows: &[Gaussian]) {
    claims(outcome, rows);
    let draws = rows[0].ridgeless.len();
    let curve: Vec<(f64, f64)> = (2..=D).map(|p| (p as f64, expected(p))).collect();
    // Rules of the theory end at the peak: a line through infinity is two.
    let (left, right): (Vec<_>, Vec<_>) =
        curve.into_iter().filter(|(_, e)| e.is_finite()).partition(|(p, _)| *p < N as f64);
    let points = |of: fn(&Gaussian) -> &Vec<f64>| rows.iter().map(move |row| (row.p as f64, mean(of(row))));
    let largest = range(points(|row| &row.ridgeless).map(|(_, error)| error)).1;
    let error = Axis::log("squared error on new samples").range(0.5, (2.0 * largest).max(1e4));
    let chart = Chart::new(Axis::linear("features p"), error)
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
            "Means over {draws} draws of {N} samples with {D} features in all. To the left of p = n the fit \
             is the least-squares fit. To the right it fits all samples and has the smallest norm. The jump \
             at p = n has one cause: there XXᵀ has an eigenvalue near 0, and the noise in the targets is \
             divided by it. For p from n − 1 to n + 1 the error has no finite mean, so these marks depend \
             on the draws. Close to that a few rare draws dominate the mean, so most means of so few draws \
             lie below the theory. Look whether the best ridge has a peak."
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Gradient descent from 0 ends at the shortest of all solutions: the second descent needs nobody to ask for it.
    #[test]
    fn descent_ends_at_the_shortest_solution() {
        let p = 2 * N;
        let (x, y) = draw(0);
        let used = x.columns(0, p).into_owned();
        let regression = Regression::new(&used, &y).unwrap();
        let shortest = regression.solve(0.0);
        assert!((&used * &shortest - &y).norm() < 1e-10 * y.norm());
        let mut tape = Tape::new();
        let w = tape.param_with(p, 1, |_| ());
        let mut optimizer = Optimizer::new(Sgd, N as f64 / regression.eigen.values.max()).unwrap();
        for _ in 0..2000 {
            step(&mut tape, &mut optimizer, |tape| {
                let (vx, vy) = (tape.constant(&used), tape.constant(&y));
                let prediction = tape.matmul(vx, w);
                let mse = tape.mse(prediction, vy);
                tape.scale(mse, 0.5)
            })
            .unwrap();
        }
        let apart = (tape.value(w).to_dmatrix() - &shortest).norm() / shortest.norm();
        assert!(apart < 1e-6, "{apart}");
    }
}
