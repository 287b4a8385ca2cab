//! Random features of images.

use nalgebra::DMatrix;

use super::{Regression, large};
use crate::experiments::prelude::*;
use crate::metrics::SeenClasses;
use crate::models::kernel::one_vs_rest;
use crate::nn::Activation;

/// Features of the images, relative to the number of samples.
const SHARES: [f64; 17] =
    [0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0];

/// The ridge for the images, as a share of the mean of the kernel's diagonal.
const RIDGE: f64 = 1e-3;

/// The ridges to choose from, as such shares.
const CHOICES: [f64; 11] = [1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];

/// Means over draws of the random features of images.
#[derive(Default)]
pub(super) struct Random {
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

/// relu(x·W) of all samples.
pub(super) fn features(data: &Dataset, weights: &DMatrix<f64>) -> DMatrix<f64> {
    let mut tape = Tape::new();
    let rows: Vec<usize> = (0..data.len()).collect();
    let x = tape.constant_with(data.len(), data.features(), |to| data.gather(&rows, to));
    let w = tape.constant(weights);
    let z = tape.matmul(x, w);
    let h = Activation::Relu.apply(&mut tape, z);
    tape.value(h).to_dmatrix()
}

pub(super) fn random_features(context: &Context) -> Result<(usize, Vec<Random>)> {
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
    let mut rows: Vec<Random> = counts.map(|p| Random { p, ..Default::default() }).into();
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

/// The name of what is claimed, and the claim, the error that it is claimed of, and why it may not hold.
type RidgeClaim = (&'static str, &'static str, fn(&Random) -> f64, String);

pub(super) fn report_random(outcome: &mut Outcome, n: usize, rows: &[Random]) {
    let peak = greatest(rows, |row| row.test);
    let before = *least(&Vec::from_iter(rows.iter().filter(|row| row.p < n)), |row| row.test);
    let last = &rows[rows.len() - 1];
    claim(outcome, "A network with a random first layer has the peak on images too")
        .named("images-peak")
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
            (peak.p as f64 / n as f64 - 1.0).abs() <= 0.1 && peak.test >= 2.0 * before.test.max(last.test),
            "Features of images are far from alike: where most of what they hold lies in a few directions, \
             the others are so small that they fit late, and the peak is broad or elsewhere.",
        );
    claim(outcome, "Behind the peak the error falls below the best in front of it")
        .named("images-below")
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
        );
    let claims: [RidgeClaim; 2] = [
        (
            "small-ridge",
            "A small ridge, the same for all p, takes the peak away",
            |row| row.ridge,
            format!(
                "It is {} of the mean of the kernel's diagonal for every p: less than the best ridge, it \
                 still leaves part of the peak.",
                rounded(RIDGE, 1)
            ),
        ),
        (
            "chosen-ridge",
            "A ridge that is chosen for each p by leaving one out takes it away",
            |row| row.chosen,
            format!(
                "It is the one of {} ridges, from {} to {} of that mean, that {n} samples favour. What they \
                 favour is an estimate, the steps between them are a factor of 3, and the best may lie \
                 beyond their ends; and the theorem is about features that are alike, while those of images \
                 differ by orders of magnitude.",
                CHOICES.len(),
                rounded(CHOICES[0], 1),
                rounded(CHOICES[CHOICES.len() - 1], 1)
            ),
        ),
    ];
    for (id, statement, of, why) in claims {
        let rises = rows.windows(2).map(|pair| (of(&pair[1]) / of(&pair[0]), &pair[1]));
        let (rise, there) = rises.fold((0.0, &rows[0]), |a, b| if b.0 > a.0 { b } else { a });
        let at = there.p;
        claim(outcome, statement)
            .named(id)
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
    outcome.draw(
        "images",
        "Double descent on images",
        format!(
            "Least squares on p random features relu(xW) of {n} images, means over three W. From p = n on \
             all training images can be fitted, and their error leaves the axis, which ends at 10⁻² and 10². \
             Look where the test error and the weights are largest, and whether both get smaller as more \
             features share the work."
        ),
        [at_n(squares), at_n(wrong), at_n(size)],
    );
    for row in rows {
        if row.p != n {
            outcome.number(format!("test error with {} features of images", row.p), row.test);
            outcome.number(format!("wrong classes with {} features", row.p), row.wrong);
        }
        outcome.number(format!("the same with a small ridge, {}", row.p), row.ridge);
        outcome.number(format!("the same with a chosen ridge, {}", row.p), row.chosen);
    }
    outcome.table(
        Table::of("images", "Mean squared errors, and the share of wrong classes", rows)
            .column("features", |row| row.p)
            .column("training error", |row| row.train)
            .column("test error", |row| row.test)
            .column("small ridge", |row| row.ridge)
            .column("chosen ridge", |row| row.chosen)
            .column("wrong", |row| row.wrong)
            .column("‖w‖²", |row| row.size),
    );
}
