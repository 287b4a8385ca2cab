//! The test error of interpolating models: up at as many features as samples, and down again.

use nalgebra::{DMatrix, DVector};

use super::statistics::mean_and_deviation;
use super::{Context, Experiment, Outcome};
use crate::data::Dataset;
use crate::linalg::{SymmetricEigen, symmetric_eigen};
use crate::metrics::SeenClasses;
use crate::models::kernel::one_vs_rest;
use crate::nn::Activation;
use crate::optim::{Optimizer, Sgd};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table, fixed, rounded, scientific};
use crate::rng::{Purpose, derive, standard_normal, stream};
use crate::{Error, Result, Tape};

pub const EXPERIMENT: Experiment = Experiment {
    name: "double-descent",
    question: "Why does a model with far more features than samples predict well, and one with just as many badly?",
    theory: &[
        "Least squares with p of D Gaussian features, n samples, noise σ² and the shortest solution where there \
         are several. With β_T the weights of the features in use and s² = σ² + ‖β − β_T‖² the expected squared error \
         on new samples is s²·(1 + p/(n − p − 1)) for p ≤ n − 2, infinite for p from n − 1 to n + 1, and \
         ‖β_T‖²·(1 − n/p) + s²·(1 + n/(p − n − 1)) for p ≥ n + 2: exactly, at any size (Belkin, Hsu and Xu, \"Two \
         models of double descent for weak features\", 2020, theorem 1; Hastie et al. 2022 for the limit).",
        "The peak is variance: at p = n the one solution that fits all samples has to be long. The ridge that is \
         best for each p, s²·D/‖β‖² when the weights are alike, has none: the error then never rises with p \
         (Nakkiran et al., \"Optimal regularization can mitigate double descent\", 2021).",
        "Gradient descent from 0 never leaves the span of the samples, and so it ends at the shortest of all \
         solutions: the second descent needs nobody to ask for it. It was first seen in networks with random \
         first layers and others (Belkin et al. 2019).",
    ],
    run,
};

const N: usize = 40;
const D: usize = 200;
/// σ².
const NOISE: f64 = 0.1;
/// ‖β‖²; the entries of β are equal.
const SIGNAL: f64 = 1.0;
const FEATURES: [usize; 23] =
    [2, 5, 10, 15, 20, 25, 30, 34, 36, 38, 39, 40, 41, 42, 44, 46, 50, 55, 60, 80, 100, 140, 200];
/// Features of the images, relative to the number of samples.
const SHARES: [f64; 17] =
    [0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0];
/// The ridge for the images, as a share of the mean of the kernel's diagonal.
const RIDGE: f64 = 1e-3;
/// The ridges to choose from, as such shares.
const CHOICES: [f64; 11] = [1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];

/// The solutions of ‖Xw − Y‖² + α‖w‖² for any α: w = Xᵀ(XXᵀ + α)⁻¹Y.
struct Regression<'a> {
    x: &'a DMatrix<f64>,
    eigen: SymmetricEigen<f64>,
    projected: DMatrix<f64>,
}

impl<'a> Regression<'a> {
    fn new(x: &'a DMatrix<f64>, y: &DMatrix<f64>) -> Result<Self> {
        let eigen = symmetric_eigen(&(x * x.transpose()))?;
        let projected = eigen.vectors.transpose() * y;
        Ok(Regression { x, eigen, projected })
    }

    /// For α = 0, the shortest of all that are best: eigenvalues that are rounding count as none.
    fn solve(&self, alpha: f64) -> DMatrix<f64> {
        let values = &self.eigen.values;
        let least = 1e-13 * values.max();
        let inverse = values.map(|value| if value > least { 1.0 / (value + alpha) } else { 0.0 });
        let mut scaled = self.projected.clone();
        scaled.column_iter_mut().for_each(|mut column| column.component_mul_assign(&inverse));
        self.x.transpose() * (&self.eigen.vectors * scaled)
    }
}

impl Regression<'_> {
    /// Of some α, that with the least error on samples left out one at a time, which is that of the residuals over the
    /// diagonal of I − H = α(XXᵀ + α)⁻¹.
    fn leave_one_out(&self, alphas: &[f64]) -> f64 {
        let error = |alpha: f64| {
            let inverse = self.eigen.values.map(|value| 1.0 / (value + alpha));
            let mut scaled = self.projected.clone();
            scaled.column_iter_mut().for_each(|mut column| column.component_mul_assign(&inverse));
            let residuals = &self.eigen.vectors * scaled;
            let rows = self.eigen.vectors.row_iter().zip(residuals.row_iter());
            rows.map(|(vector, residual)| {
                let diagonal: f64 = vector.iter().zip(&inverse).map(|(v, i)| v * v * i).sum();
                residual.norm_squared() / (diagonal * diagonal)
            })
            .sum::<f64>()
        };
        let all = alphas.iter().map(|alpha| (*alpha, error(*alpha)));
        all.fold((0.0, f64::INFINITY), |a, b| if b.1 < a.1 { b } else { a }).0
    }
}

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
struct Gaussian {
    p: usize,
    ridgeless: Vec<f64>,
    ridge: Vec<f64>,
}

/// Means over draws of the random features of images.
struct Random {
    p: usize,
    /// Mean squared error on the training set and on the test set, and share of errors on the latter.
    train: f64,
    test: f64,
    wrong: f64,
    /// Mean squared error on the test set with the small ridge, and with the one chosen by leaving one out.
    ridge: f64,
    chosen: f64,
    /// ‖w‖².
    size: f64,
}

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 2, "Gaussian features")?;
    let mut outcome = Outcome::default();
    let gaussian = gaussian(context)?;
    let (n, random) = random_features(context)?;
    report_gaussian(&mut outcome, &gaussian);
    descent(context, &mut outcome)?;
    report_random(&mut outcome, n, &random);
    Ok(outcome)
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

fn gaussian(context: &Context) -> Result<Vec<Gaussian>> {
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

/// An error at the peak, which may be as large as rounding lets it.
fn large(x: f64) -> String {
    if x < 1e4 { rounded(x, 3) } else { scientific(x, 3) }
}

fn report_gaussian(outcome: &mut Outcome, rows: &[Gaussian]) {
    let draws = rows[0].ridgeless.len();
    let mean = |xs: &[f64]| mean_and_deviation(xs).0;
    // Close to p = n the error has a mean, but no variance that a standard error could be had from.
    let far = rows.iter().filter(|row| row.p.abs_diff(N) >= 6);
    let off = far.map(|row| {
        let (mean, deviation) = mean_and_deviation(&row.ridgeless);
        (mean - expected(row.p)).abs() / (deviation / (draws as f64).sqrt())
    });
    let worst = off.fold(0.0, f64::max);
    outcome.claim(
        Claim::that("The exact formula for Gaussian features holds on both sides of the peak")
            .expected("the measured means")
            .measured(format!("{} standard errors off at most, over {draws} draws", fixed(worst, 2)))
            .criterion("at most 4 standard errors off wherever |p − n| ≥ 6")
            .holds(
                worst <= 4.0,
                "Towards the peak a few draws make most of the mean, so that a standard error from so many draws is \
                 itself too small.",
            ),
    );
    let peak = rows.iter().fold(&rows[0], |a, b| if mean(&b.ridgeless) > mean(&a.ridgeless) { b } else { a });
    outcome.claim(
        Claim::that("The error peaks where there are as many features as samples")
            .expected(format!("p = {N}, with n = {N}"))
            .measured(format!("p = {}, a mean error of {}", peak.p, large(mean(&peak.ridgeless))))
            .criterion("the largest mean is at a p from n − 1 to n + 1")
            .holds(
                peak.p.abs_diff(N) <= 1,
                "Next to the pole, at n ± 2, the error has a mean but no variance: among so many draws one may be \
                 larger than all at n.",
            ),
    );
    let best = rows.iter().fold(&rows[0], |a, b| if mean(&b.ridgeless) < mean(&a.ridgeless) { b } else { a });
    let theory = FEATURES.into_iter().fold(FEATURES[0], |a, b| if expected(b) < expected(a) { b } else { a });
    outcome.claim(
        Claim::that("With weak features that are all alike, the best is to take all of them")
            .expected(format!("the least error at p = {theory}, {}", fixed(expected(theory), 3)))
            .measured(format!("at p = {}, {}", best.p, fixed(mean(&best.ridgeless), 3)))
            .criterion("the same p")
            .holds(
                best.p == theory,
                format!(
                    "The theory has {} there: where that is within a few standard errors of its least, the draws decide.",
                    fixed(expected(best.p), 3)
                ),
            ),
    );
    let rises = rows.windows(2).map(|pair| {
        let differences: Vec<f64> = pair[0].ridge.iter().zip(&pair[1].ridge).map(|(a, b)| b - a).collect();
        let (mean, deviation) = mean_and_deviation(&differences);
        mean / (deviation / (draws as f64).sqrt())
    });
    let rise = rises.fold(f64::NEG_INFINITY, f64::max);
    outcome.claim(
        Claim::that(
            "With the best ridge there is no peak: the error never rises with the number of features",
        )
        .expected("falls from each p to the next")
        .measured(format!("the largest rise is {} standard errors", fixed(rise, 2)))
        .criterion("no mean rises by more than 3 standard errors of the difference")
        .holds(
            rise <= 3.0,
            "The theorem is about weights drawn from a normal distribution, of which this ridge is the best; here they \
             are fixed and all alike, and only the samples are drawn.",
        ),
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
    outcome.figure(
        &Figure::new(
            "gaussian",
            "Double descent in closed form",
            format!(
                "Means over {draws} draws of {N} samples with {D} features in all. To the left of p = n one fits as well \
                 as one can, to the right one fits all samples in the shortest way. Where the curve has its pole the \
                 error has no mean, and the marks are what these draws happen to give; what is above 1000 is cut off. Look \
                 what the best ridge makes of the peak."
            ),
        )
        .panel(chart),
    );
    let columns = ["features", "error, shortest", "standard error", "theory", "error, best ridge"];
    let mut table = Table::new("gaussian", "Error with Gaussian features", columns);
    for row in rows {
        let (mean_error, deviation) = mean_and_deviation(&row.ridgeless);
        let error = deviation / (draws as f64).sqrt();
        let ridge = mean(&row.ridge);
        let theory = expected(row.p);
        // A cell takes finite numbers only.
        let theory = if theory.is_finite() { theory.into() } else { "inf".into() };
        table.row([row.p.into(), mean_error.into(), error.into(), theory, ridge.into()]);
        // At the pole rounding is amplified: another processor would give other digits.
        if row.p.abs_diff(N) > 1 {
            outcome.number(format!("error with {} Gaussian features", row.p), mean_error);
        }
        outcome.number(format!("the same with a ridge, {}", row.p), ridge);
    }
    outcome.table(table);
}

/// Gradient descent from 0 against the shortest solution.
fn descent(context: &Context, outcome: &mut Outcome) -> Result<()> {
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
        tape.rewind();
        let (vx, vy) = (tape.constant(&used), tape.constant(&y));
        let prediction = tape.matmul(vx, w);
        let mse = tape.mse(prediction, vy);
        let loss = tape.scale(mse, 0.5);
        tape.zero_grad();
        tape.backward(loss);
        optimizer.step(&mut tape)?;
    }
    let slowest = regression.eigen.values.min() / regression.eigen.values.max();
    let apart = (tape.value(w).to_dmatrix() - &shortest).norm() / shortest.norm();
    outcome.claim(
        Claim::that("Gradient descent from 0 ends at the shortest of all solutions")
            .expected("the same weights")
            .measured(format!("{} apart, relative, after 2000 steps with p = 2n", scientific(apart, 2)))
            .criterion("at most 10⁻⁶")
            .holds(
                apart <= 1e-6,
                format!(
                    "Along the eigenvector of the least eigenvalue each step leaves a share of 1 − {}: 2000 are not enough.",
                    rounded(slowest, 2)
                ),
            ),
    );
    Ok(())
}

/// relu(x·W) of all samples.
fn features(data: &Dataset, weights: &DMatrix<f64>) -> DMatrix<f64> {
    let mut tape = Tape::new();
    let rows: Vec<usize> = (0..data.len()).collect();
    let x = tape.constant_with(data.len(), data.features(), |to| data.gather(&rows, to));
    let w = tape.constant(weights);
    let z = tape.matmul(x, w);
    let h = Activation::Relu.apply(&mut tape, z);
    tape.value(h).to_dmatrix()
}

fn random_features(context: &Context) -> Result<(usize, Vec<Random>)> {
    let (n, test) = context.pick((200, 1000), (500, 2000));
    let (train, test) = (context.data.train.take(n), context.data.test.take(test));
    let (n, d, classes) = (train.len(), train.features(), train.classes());
    if n < 20 || test.is_empty() {
        return Err(Error::Data(format!("{n} training and {} test samples are too few", test.len())));
    }
    let targets = |data: &Dataset| one_vs_rest::<f64>(data.labels().unwrap_or_default(), classes);
    let (y, z) = (targets(&train)?, targets(&test)?);
    let counts = SHARES.map(|share| (share * n as f64).round() as usize);
    let widest = counts[counts.len() - 1];
    let mut rows: Vec<Random> = counts
        .map(|p| Random { p, train: 0.0, test: 0.0, wrong: 0.0, ridge: 0.0, chosen: 0.0, size: 0.0 })
        .into();
    let seeds = 3;
    for k in 0..seeds {
        context.at(seeds + k, 2 * seeds, "random features")?;
        let mut rng = stream(derive(context.seed, k as u64), Purpose::Projection);
        let scale = (1.0 / d as f64).sqrt();
        let weights = DMatrix::from_fn(d, widest, |_, _| scale * standard_normal(&mut rng));
        let (own, other) = (features(&train, &weights), features(&test, &weights));
        for row in &mut rows {
            context.check()?;
            let used = own.columns(0, row.p).into_owned();
            let used_other = other.columns(0, row.p);
            let regression = Regression::new(&used, &y)?;
            let diagonal = regression.eigen.values.sum() / n as f64;
            let (w, damped) = (regression.solve(0.0), regression.solve(RIDGE * diagonal));
            let alphas = CHOICES.map(|share| share * diagonal);
            let chosen = regression.solve(regression.leave_one_out(&alphas));
            let error = |x: DMatrix<f64>, y: &DMatrix<f64>| (x - y).norm_squared() / y.len() as f64;
            let predicted = used_other * &w;
            let classes = SeenClasses::all(predicted.ncols()).decide(predicted.transpose().as_slice());
            let pairs = classes.iter().zip(test.labels().unwrap_or_default());
            let wrong = pairs.filter(|(class, label)| **class != Some(**label)).count();
            let share = 1.0 / seeds as f64;
            row.train += share * error(&used * &w, &y);
            row.test += share * error(predicted, &z);
            row.wrong += share * wrong as f64 / test.len() as f64;
            row.ridge += share * error(used_other * damped, &z);
            row.chosen += share * error(used_other * chosen, &z);
            row.size += share * w.norm_squared();
        }
    }
    Ok((n, rows))
}

/// What is claimed, the error that it is claimed of, and why it may not hold.
type RidgeClaim = (&'static str, fn(&Random) -> f64, String);

fn report_random(outcome: &mut Outcome, n: usize, rows: &[Random]) {
    let peak = rows.iter().fold(&rows[0], |a, b| if b.test > a.test { b } else { a });
    let before =
        rows.iter().filter(|row| row.p < n).fold(&rows[0], |a, b| if b.test < a.test { b } else { a });
    let last = &rows[rows.len() - 1];
    outcome.claim(
        Claim::that("A network with a random first layer has the peak on images too")
            .expected(format!("at p = n = {n}"))
            .measured(format!(
                "at p = {}: {}, against {} at its best before and {} at p = {}",
                peak.p,
                large(peak.test),
                fixed(before.test, 4),
                fixed(last.test, 4),
                last.p
            ))
            .criterion("within 10 % of n, and at least twice both others")
            .holds(
                (peak.p as f64 / n as f64 - 1.0).abs() <= 0.1
                    && peak.test >= 2.0 * before.test.max(last.test),
                "Features of images are far from alike: where most of what they hold lies in a few directions, the others \
                 are so small that they fit late, and the peak is broad or elsewhere.",
            ),
    );
    outcome.claim(
        Claim::that("Behind the peak the error falls below the best in front of it")
            .expected("the widest network is best")
            .measured(format!(
                "{} at p = {}, {} at p = {}; errors {} % and {} %",
                fixed(last.test, 4),
                last.p,
                fixed(before.test, 4),
                before.p,
                fixed(100.0 * last.wrong, 1),
                fixed(100.0 * before.wrong, 1)
            ))
            .criterion("a smaller mean squared error on the test set at the largest p")
            .holds(
                last.test < before.test,
                format!(
                    "The error falls on with p; at {} times n it may not have come down so far yet.",
                    SHARES[SHARES.len() - 1]
                ),
            ),
    );
    let claims: [RidgeClaim; 2] = [
        (
            "A small ridge, the same for all p, takes the peak away",
            |row| row.ridge,
            format!(
                "It is {} of the mean of the kernel's diagonal for every p: less than the best ridge, it still leaves part \
                 of the peak.",
                rounded(RIDGE, 1)
            ),
        ),
        (
            "A ridge that is chosen for each p by leaving one out takes it away",
            |row| row.chosen,
            format!(
                "It is the one of {} ridges, from {} to {} of that mean, that {n} samples favour. What they favour is an \
                 estimate, the steps between them are a factor of 3, and the best may lie beyond their ends; and the theorem \
                 is about features that are alike, while those of images differ by orders of magnitude.",
                CHOICES.len(),
                rounded(CHOICES[0], 1),
                rounded(CHOICES[CHOICES.len() - 1], 1)
            ),
        ),
    ];
    for (statement, of, why) in claims {
        let rises = rows.windows(2).map(|pair| (of(&pair[1]) / of(&pair[0]), &pair[1]));
        let (rise, there) = rises.fold((0.0, &rows[0]), |a, b| if b.0 > a.0 { b } else { a });
        let at = there.p;
        outcome.claim(
            Claim::that(statement)
                .expected("an error that falls with p")
                .measured(format!(
                    "the largest ratio of an error to the one before is {}, at p = {at}",
                    fixed(rise, 3)
                ))
                .criterion("no error is more than 1.1 times the one at the p before")
                .holds(
                    rise <= 1.1,
                    format!(
                        "At p = {at} the small ridge leaves {}, the chosen one {}, and none at all {}. {why}",
                        fixed(there.ridge, 3),
                        fixed(there.chosen, 3),
                        large(there.test)
                    ),
                ),
        );
    }
    let line = |of: fn(&Random) -> f64| Line::new(rows.iter().map(move |row| (row.p as f64, of(row))));
    let x = || Axis::log("features p");
    let at_n = |chart: Chart| chart.vertical(n as f64, Color::Muted, "p = n");
    let squares = Chart::new(x(), Axis::log("mean squared error").range(1e-2, 1e2))
        .title("Squared error")
        .line(line(|row| row.train).label("training").color(Color::Green).marker(Marker::Triangle))
        .line(line(|row| row.test).label("test").color(Color::Blue).marker(Marker::Circle))
        .line(line(|row| row.ridge).label("small ridge").color(Color::Orange).dash(1))
        .line(line(|row| row.chosen).label("chosen ridge").color(Color::Vermilion).marker(Marker::Square));
    let wrong = Chart::new(x(), Axis::linear("share of errors").holding(0.0).holding(1.0))
        .title("Classification on the test set")
        .line(line(|row| row.wrong).color(Color::Blue).marker(Marker::Circle));
    let size = Chart::new(x(), Axis::log("‖w‖²"))
        .title("Size of the weights")
        .line(line(|row| row.size).color(Color::Purple).marker(Marker::Circle));
    outcome.figure(
        &Figure::new(
            "images",
            "Double descent on images",
            format!(
                "Least squares on p random features relu(xW) of {n} images, means over three W. From p = n on all \
                 training images can be fitted, and their error leaves the axis, which ends at 10⁻² and 10². Look where the \
                 test error and the weights are largest, and whether both get smaller as more features share the work."
            ),
        )
        .panel(at_n(squares))
        .panel(at_n(wrong))
        .panel(at_n(size)),
    );
    let columns =
        ["features", "training error", "test error", "small ridge", "chosen ridge", "wrong", "‖w‖²"];
    let mut table = Table::new("images", "Mean squared errors, and the share of wrong classes", columns);
    for row in rows {
        let numbers = [row.train, row.test, row.ridge, row.chosen, row.wrong, row.size].map(Into::into);
        table.row(std::iter::once(row.p.into()).chain(numbers));
        if row.p != n {
            outcome.number(format!("test error with {} features of images", row.p), row.test);
            outcome.number(format!("wrong classes with {} features", row.p), row.wrong);
        }
        outcome.number(format!("the same with a small ridge, {}", row.p), row.ridge);
        outcome.number(format!("the same with a chosen ridge, {}", row.p), row.chosen);
    }
    outcome.table(table);
}
