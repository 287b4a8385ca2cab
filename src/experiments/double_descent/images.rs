//! Random features of images.

use std::ops::Bound;

use nalgebra::DMatrix;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::Regression;
use crate::experiments::data::drawn;
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

/// What is measured.
#[derive(Serialize, Deserialize)]
pub(super) struct RandomFeatures {
    n: usize,
    rows: Vec<Random>,
}

/// With so many random features: what each draw of images and features gave.
#[derive(Serialize, Deserialize)]
struct Random {
    p: usize,
    draws: Vec<Draw>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Draw {
    /// Mean squared error on the training set and on the test set, and share of errors on the latter.
    #[serde(with = "lossless")]
    train: f64,
    #[serde(with = "lossless")]
    test: f64,
    wrong: f64,
    /// Mean squared error on the test set with the small ridge, and with the one chosen by leaving one out.
    #[serde(with = "lossless")]
    ridge: f64,
    #[serde(with = "lossless")]
    chosen: f64,
    /// ‖w‖².
    #[serde(with = "lossless")]
    size: f64,
}

impl Random {
    fn all(&self, of: fn(&Draw) -> f64) -> Vec<f64> {
        self.draws.iter().map(of).collect()
    }

    fn mean(&self, of: fn(&Draw) -> f64) -> f64 {
        mean(&self.all(of))
    }
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

pub(super) fn measure(context: &Context) -> Result<RandomFeatures> {
    let (n, test) = context.pick((200, 1000), (500, 2000));
    let (n, test) = (n.min(context.data.train.len()), context.data.test.take(test));
    if n < 20 || test.is_empty() {
        return Err(Error::Data(format!("{n} training and {} test samples are too few", test.len())));
    }
    let counts = SHARES.map(|share| (share * n as f64).round() as usize);
    let of_seed = |seed: &u64| draws(context, n, &test, &counts, *seed);
    let all: Vec<Vec<Draw>> = seeds(context).par_iter().map(of_seed).collect::<Result<_>>()?;
    let of = |(i, p): (usize, usize)| Random { p, draws: all.iter().map(|of_seed| of_seed[i]).collect() };
    Ok(RandomFeatures { n, rows: counts.into_iter().enumerate().map(of).collect() })
}

/// For each number of features, on images that the seed draws.
fn draws(context: &Context, n: usize, test: &Dataset, counts: &[usize], seed: u64) -> Result<Vec<Draw>> {
    let [train] = drawn(&context.data.train, [n], seed);
    let (d, classes) = (train.features(), train.classes());
    let targets = |data: &Dataset| one_vs_rest::<f64>(data.labels().unwrap_or_default(), classes);
    let (y, z) = (targets(&train)?, targets(test)?);
    let mut rng = stream(seed, Purpose::Projection);
    let scale = (1.0 / d as f64).sqrt();
    let weights = DMatrix::from_fn(d, counts[counts.len() - 1], |_, _| scale * standard_normal(&mut rng));
    let (own, other) = (features(&train, &weights), features(test, &weights));
    let mut all = Vec::new();
    for p in counts {
        context.check()?;
        let used = own.columns(0, *p).into_owned();
        let used_other = other.columns(0, *p);
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
        all.push(Draw {
            train: error(&used * &w, &y),
            test: error(predicted, &z),
            wrong: wrong as f64 / test.len() as f64,
            ridge: error(used_other * damped, &z),
            chosen: error(used_other * chosen, &z),
            size: w.norm_squared(),
        });
    }
    Ok(all)
}

fn claims(outcome: &mut Outcome, n: usize, rows: &[Random]) {
    let at = |share: f64| least(rows, |row| (row.p as f64 / n as f64 - share).abs());
    let test = |share: f64| at(share).all(|draw| draw.test);
    let ratio = |a: &[f64], b: &[f64]| {
        let logs = a.iter().zip(b).map(|(a, b)| log2_ratio(*a, *b));
        Estimate::mean(&logs.collect::<Vec<_>>())
    };
    let last = SHARES[SHARES.len() - 1];
    let sides = [0.2, 0.8, 1.25, last];
    let ratios = sides.map(|share| ratio(&test(1.0), &test(share)));
    claim(outcome, "A network with a random first layer has the peak on images too")
        .named("images-peak")
        .expected(format!("at p = n = {n}"))
        .measured(format!(
            "log₂ of the error at p = {n} over those at {} is {}",
            list(sides, |share| at(share).p.to_string()),
            list(&ratios, |ratio| fixed(ratio.value(), 1))
        ))
        .criterion("the 95 % intervals of all four, seed by seed, are above 1: more than twice the error")
        .judged(
            Verdict::all(ratios.iter().map(|ratio| ratio.against(&(Bound::Excluded(1.0), Bound::Unbounded)))),
            "Features of images are far from alike. Where most of their variance lies in a few directions, \
             the others are so small that they are fitted late. Then the peak is broad or elsewhere.",
        );
    let widest = &rows[rows.len() - 1];
    // Chosen by the errors that it is then judged by: that is in its favour, and makes the claim the harder.
    let best = *least(&Vec::from_iter(rows.iter().filter(|row| row.p < n)), |row| row.mean(|draw| draw.test));
    claim(outcome, "Behind the peak the error falls below the best in front of it")
        .named("images-below")
        .expected("the widest network is best")
        .estimated(Estimate::mean(&differences(&widest.all(|draw| draw.test), &best.all(|draw| draw.test))))
        .saying(&format!(
            ", the mean squared error on the test set at p = {} minus that at p = {}. Wrong answers: {} and \
             {}",
            widest.p,
            best.p,
            percent(widest.mean(|draw| draw.wrong)),
            percent(best.mean(|draw| draw.wrong))
        ))
        .within(
            BELOW_0,
            format!("The error keeps falling with p; at {last} times n it may not be low enough yet."),
        );
    let of_draw =
        |k: usize| range(rows.windows(2).map(|pair| pair[1].draws[k].chosen / pair[0].draws[k].chosen)).1;
    let rises: Vec<f64> = (0..rows[0].draws.len()).map(of_draw).collect();
    claim(outcome, "A ridge that is chosen for each p by leaving one out takes the peak away")
        .named("chosen-ridge")
        .expected("an error that falls with p")
        .estimated(Estimate::mean(&rises))
        .saying(", the largest ratio of an error to the one at the p before")
        .within(
            ..=1.1,
            format!(
                "The ridge is one of {}, from {} to {} of the mean of the kernel's diagonal; leave-one-out \
                 chooses it on the {n} training images. That choice is an estimate, neighbouring ridges \
                 differ by a factor of 3, and the best may lie outside this range. Also, the theorem is \
                 about features that are alike, and those of images differ by orders of magnitude.",
                CHOICES.len(),
                rounded(CHOICES[0], 1),
                rounded(CHOICES[CHOICES.len() - 1], 1)
            ),
        );
}

pub(super) fn report(outcome: &mut Outcome, measured: &RandomFeatures) {
    let RandomFeatures { n, rows } = measured;
    let n = *n;
    claims(outcome, n, rows);
    let peak = least(rows, |row| row.p.abs_diff(n) as f64);
    let line = |of: fn(&Draw) -> f64| Line::new(rows.iter().map(move |row| (row.p as f64, row.mean(of))));
    let x = || Axis::log("features p");
    let at_n = |chart: Chart| chart.vertical(n as f64, Color::Muted, "p = n");
    let squares = Chart::new(x(), Axis::log("mean squared error").range(1e-2, 1e2))
        .title("Squared error")
        .line(line(|row| row.train).label("training").color(Color::Green).marker(Marker::Triangle))
        .line(line(|row| row.test).label("test").color(Color::Blue).marker(Marker::Circle))
        .line(line(|row| row.ridge).label("small ridge").color(Color::Brown).dash(1))
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
            "Least squares on p random features relu(xW) of {n} images, means over {} draws of images and \
             W. From p = n on all training images can be fitted: their error leaves the axis, which ends at \
             10⁻² and 10². At p = n the last direction needed for this fit is the smallest of all. So the \
             weights must be long: compare the third panel. A small ridge, the same for all p, leaves an \
             error of {} there. A ridge chosen for each p leaves {}.",
            rows[0].draws.len(),
            rounded(peak.mean(|draw| draw.ridge), 2),
            rounded(peak.mean(|draw| draw.chosen), 2)
        ),
        [at_n(squares), at_n(wrong), at_n(size)],
    );
    for row in rows {
        if row.p != n {
            outcome
                .number(format!("test error with {} features of images", row.p), row.mean(|draw| draw.test));
            outcome.number(format!("wrong classes with {} features", row.p), row.mean(|draw| draw.wrong));
        }
        outcome.number(format!("the same with a small ridge, {}", row.p), row.mean(|draw| draw.ridge));
        outcome.number(format!("the same with a chosen ridge, {}", row.p), row.mean(|draw| draw.chosen));
    }
    outcome.table(
        Table::of("images", "Mean squared errors, and the share of wrong classes", rows)
            .column("features", |row| row.p)
            .column("training error", |row| row.mean(|draw| draw.train))
            .column("test error", |row| row.mean(|draw| draw.test))
            .column("small ridge", |row| row.mean(|draw| draw.ridge))
            .column("chosen ridge", |row| row.mean(|draw| draw.chosen))
            .column("wrong", |row| row.mean(|draw| draw.wrong))
            .column("‖w‖²", |row| row.mean(|draw| draw.size)),
    );
}
