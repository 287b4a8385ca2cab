//! What is claimed of approximations, and shown.

use super::fits::{Accuracies, Score, Smooth};
use super::whole::{Method, Whole};
use super::{Approximations, matrix::Errors};
use crate::experiments::prelude::*;

/// Features at which Nyström and random features are compared.
const COMPARED: usize = 128;

pub(super) fn all(study: &Approximations) -> Outcome {
    let mut outcome = Outcome::default();
    matrix_claims(&mut outcome, study);
    fit_claims(&mut outcome, study);
    time_claims(&mut outcome, study);
    whole_figure(&mut outcome, study);
    matrix_figure(&mut outcome, study);
    tables(&mut outcome, study);
    numbers(&mut outcome, study);
    outcome
}

/// The row of the features that are compared, or the last of fewer.
fn compared<R>(rows: &[R], features: impl Fn(&R) -> usize) -> &R {
    rows.iter().find(|row| features(row) == COMPARED).unwrap_or(&rows[rows.len() - 1])
}

fn matrix_claims(outcome: &mut Outcome, study: &Approximations) {
    claim(outcome, "The kernel matrix of random features comes nearer as one over the root of their number")
        .named("kernel-error-rate")
        .expected("an exponent of −0.5")
        .estimated(Estimate::mean(&study.matrix.slopes()))
        .saying(", the exponent of the error over the number of features")
        .within(-0.55..=-0.45, "With few frequencies, at the left end, the error varies much.");
    let row: &Errors = compared(&study.matrix.rows, |row| row.features);
    let ratios: Vec<f64> = row.nystrom.iter().zip(&row.fourier).map(|(a, b)| Float::ln(a / b)).collect();
    claim(
        outcome,
        format!("The matrix of {} Nyström centres is nearer than that of as many features", row.features),
    )
    .named("nystrom-nearer")
    .expected("below 0")
    .estimated(Estimate::mean(&ratios))
    .saying(", the logarithm of the ratio of the errors, Nyström over random features")
    .within(
        BELOW_0,
        "Where the spectrum of the matrix falls slowly, a few samples say little about the others.",
    );
}

fn fit_claims(outcome: &mut Outcome, study: &Approximations) {
    let fits = &study.fits;
    let row: &Accuracies = compared(&fits.rows, |row| row.features);
    claim(
        outcome,
        format!(
            "With {} centres Nyström is right more often than with as many random features",
            row.features
        ),
    )
    .named("nystrom-more-accurate")
    .expected("above 0")
    .estimated(Estimate::mean(&differences(&row.nystrom, &row.fourier)))
    .saying(", the difference of the test accuracies")
    .within(ABOVE_0, "A more accurate matrix need not predict better.");
    claim(outcome, "Conjugate gradients on the whole matrix are as good as its factor")
        .named("gradients-reach-exact")
        .expected("about 0: both solve the same system")
        .estimated(Estimate::mean(&differences(&fits.exact, &fits.gradients)))
        .saying(", the test accuracy of the exact fit minus that of conjugate gradients")
        .within(-0.005..=0.005, "With so small a λ they need more iterations than they were given.");
    let last = &fits.smooth[fits.smooth.len() - 1];
    claim(
        outcome,
        format!(
            "At λ = 1/√n, FALKON with √n·ln n = {} centres is nearly as good as the exact fit",
            last.centres
        ),
    )
    .named("falkon-root-n")
    .expected("about 1: the same rate, with a constant that the theory does not tell")
    .estimated(Estimate::mean(&last.excess()))
    .saying(", the squared test error of FALKON over that of the exact fit")
    .within(..=1.1, "The theory has an unknown constant before √n·ln n.");
    let slopes: Vec<f64> = (0..last.exact.len())
        .map(|k| {
            let points: Vec<(f64, f64)> =
                fits.smooth.iter().map(|row| (row.samples as f64, row.excess()[k])).collect();
            Fit::power_law(&points).slope
        })
        .collect();
    claim(outcome, "What FALKON loses with √n·ln n centres does not grow with n")
        .named("falkon-constant")
        .expected("at most 0: √n·ln n grows faster than the effective dimension at λ = 1/√n")
        .estimated(Estimate::mean(&slopes))
        .saying(", the exponent of that ratio over n")
        .within(..=0.02, "The samples are too few to see the limit.");
    outcome.number("exponent of what FALKON loses", mean(&slopes));
}

fn time_claims(outcome: &mut Outcome, study: &Approximations) {
    let times = &study.times;
    for (id, name, seconds) in
        [("nystrom-time-n", "Nyström", &times.nystrom), ("fourier-time-n", "random features", &times.fourier)]
    {
        let claim = Claim::that(format!(
            "With {} centres or features the time of {name} is linear in n",
            times.features
        ))
        .named(id)
        .expected("an exponent of 1")
        .estimated(Estimate::median(&times.exponents(seconds)))
        .saying(&format!(", the exponent of the time from n = {} to {}", times.samples[0], times.samples[1]))
        .within(0.8..=1.2, "Costs that do not depend on n matter at small n, and caches matter at large n.");
        outcome.claim(claim.timed());
    }
}

impl Smooth {
    /// Of each seed: the squared error of FALKON over that of the exact fit.
    fn excess(&self) -> Vec<f64> {
        self.falkon.iter().zip(&self.exact).map(|(falkon, exact)| falkon.square / exact.square).collect()
    }
}

/// The rows of a method.
fn of(rows: &[Whole], method: Method) -> impl Iterator<Item = &Whole> {
    rows.iter().filter(move |row| row.method == method)
}

fn whole_figure(outcome: &mut Outcome, study: &Approximations) {
    let (whole, fits) = (&study.whole, &study.fits);
    let chart = Chart::new(Axis::log("time of the fit (s)"), Axis::linear("test error (%)").holding(0.0))
        .title(format!("Against time, up to {} samples", whole.samples));
    let chart = Method::ALL.into_iter().fold(chart, |chart, method| {
        let points = of(&whole.rows, method).map(|row| (row.seconds, wrong(row.accuracy)));
        chart.line(line_of(method, points).label(method.name()))
    });
    let line = |of: fn(&Accuracies) -> &Vec<f64>| -> Vec<(f64, f64)> {
        fits.rows.iter().map(|row| (row.features as f64, wrong(mean(of(row))))).collect()
    };
    let falkon = [(fits.centres as f64, wrong(mean(&fits.falkon)))];
    let features =
        Chart::new(Axis::log("centres or features m"), Axis::linear("test error (%)").holding(0.0))
            .title(format!("Against their number, {} samples", fits.samples))
            .line(line_of(Method::Fourier, line(|row| &row.fourier)).label("random features"))
            .line(line_of(Method::Nystrom, line(|row| &row.nystrom)).label("Nyström"))
            .points(
                falkon,
                Marker::series(Method::Falkon.series()),
                Color::series(Method::Falkon.series()),
                "FALKON",
            )
            .horizontal(wrong(mean(&fits.exact)), Color::series(Method::Exact.series()), "exact");
    // An approximation that some exact fit to fewer samples beats in both.
    let approximations = || whole.rows.iter().filter(|row| row.method != Method::Exact);
    let beaten = approximations()
        .filter(|row| {
            of(&whole.rows, Method::Exact).any(|exact| {
                exact.samples < row.samples && exact.seconds <= row.seconds && exact.accuracy >= row.accuracy
            })
        })
        .count();
    outcome.draw(
        "time",
        "Error against time, and against the number of centres",
        format!(
            "On {}, with {} test images; γ = {}, λ = {}. First panel: the exact method is fitted to parts of the \
             samples (see the table), conjugate gradients to parts and to all (there with at most {} iterations), the other methods to all. Along a \
             line the number of centres, features or samples grows. Of the {} fits that are not exact, an exact \
             fit to fewer samples beats {beaten}: it takes no longer and is right at least as often. \
             Approximations save more the more samples there are. Second panel: means over {} seeds.",
            study.data,
            whole.tested,
            rounded(study.gamma, 2),
            scientific(study.lambda, 0),
            super::whole::FEW_ITERATIONS,
            approximations().count(),
            fits.exact.len()
        ),
        [chart, features],
    );
}

/// A line with the colour and the mark of a method.
fn line_of(method: Method, points: impl IntoIterator<Item = (f64, f64)>) -> Line {
    let i = method.series();
    Line::new(points).color(Color::series(i)).marker(Marker::series(i)).dash(i / 4)
}

/// The share that is wrong, in percent.
fn wrong(accuracy: f64) -> f64 {
    100.0 * (1.0 - accuracy)
}

fn matrix_figure(outcome: &mut Outcome, study: &Approximations) {
    let rows = &study.matrix.rows;
    let line = |of: fn(&Errors) -> &Vec<f64>| -> Vec<(f64, f64)> {
        rows.iter().map(|row| (row.features as f64, mean(of(row)))).collect()
    };
    let fourier = line(|row| &row.fourier);
    let root: Vec<(f64, f64)> =
        fourier.iter().map(|(m, _)| (*m, 0.7 * fourier[0].1 * (fourier[0].0 / m).sqrt())).collect();
    outcome.draw(
        "matrix",
        "Error of the approximate kernel matrix",
        format!(
            "Root mean square error of an entry, of {} samples; means over the seeds. The dashed line falls \
             as 1/√m. Random features follow it. Nyström's centres are samples themselves: the error of an \
             entry between two of them is 0.",
            study.matrix.samples
        ),
        [Chart::new(Axis::log("centres or features m"), Axis::log("error of an entry"))
            .line(line_of(Method::Fourier, fourier).label("random features"))
            .line(line_of(Method::Nystrom, line(|row| &row.nystrom)).label("Nyström"))
            .line(Line::new(root).label("1/√m").color(Color::Ink).dash(1))],
    );
}

fn tables(outcome: &mut Outcome, study: &Approximations) {
    let caption = format!("{}, {} test samples: fits, from one seed", study.data, study.whole.tested);
    outcome.table(
        Table::of("whole", caption, &study.whole.rows)
            .column("method", |row| row.method.name())
            .column("training samples", |row| row.samples)
            .column("centres or features", |row| row.features)
            .column("test accuracy", |row| row.accuracy)
            .column("fit (s)", |row| row.seconds),
    );
    outcome.table(
        Table::of("smooth", "λ = 1/√n: squared test error, means over the seeds", &study.fits.smooth)
            .column("training samples", |row| row.samples)
            .column("centres √n·ln n", |row| row.centres)
            .column("exact", |row| mean_of(&row.exact, |score| score.square))
            .column("FALKON", |row| mean_of(&row.falkon, |score| score.square))
            .column("ratio", |row| mean(&row.excess())),
    );
    let [few, many] = study.times.samples;
    let middle = |times: &[[f64; 2]], i: usize| median(&times.iter().map(|t| t[i]).collect::<Vec<_>>());
    let rows = [("Nyström", &study.times.nystrom), ("random features", &study.times.fourier)];
    let caption = format!("Median times on one thread, of {} centres or features", study.times.features);
    outcome.table(
        Table::of("times", caption, &rows)
            .column("method", |row| row.0)
            .column(format!("{few} samples (s)"), |row| middle(row.1, 0))
            .column(format!("{many} samples (s)"), |row| middle(row.1, 1)),
    );
}

fn numbers(outcome: &mut Outcome, study: &Approximations) {
    let fits = &study.fits;
    outcome.number("γ", study.gamma);
    outcome.number("λ", study.lambda);
    outcome.number("exponent of the error of random features", mean(&study.matrix.slopes()));
    outcome.number("exact: test accuracy", mean(&fits.exact));
    for row in &fits.rows {
        outcome.number(format!("Nyström of {}: test accuracy", row.features), mean(&row.nystrom));
        outcome.number(format!("random features, {}: test accuracy", row.features), mean(&row.fourier));
    }
    outcome.number("FALKON: test accuracy", mean(&fits.falkon));
    outcome.number("FALKON: centres", fits.centres as f64);
    outcome.number("conjugate gradients: test accuracy", mean(&fits.gradients));
    for row in &fits.smooth {
        outcome.number(
            format!("λ = 1/√n, {} samples: FALKON's error over exact", row.samples),
            mean(&row.excess()),
        );
    }
    let last = &fits.smooth[fits.smooth.len() - 1];
    let accuracy = |scores: &[Score]| mean_of(scores, |score| score.accuracy);
    outcome.number("λ = 1/√n, exact: test accuracy", accuracy(&last.exact));
    outcome.number("λ = 1/√n, FALKON: test accuracy", accuracy(&last.falkon));
    for row in &study.whole.rows {
        outcome.number(
            format!("all, {}, {} of {}: test accuracy", row.method.name(), row.features, row.samples),
            row.accuracy,
        );
    }
}

pub(super) fn finding(found: &Found) -> Told {
    let exact = found.number("exact: test accuracy")?;
    let (centres, nystrom) = found.all("Nyström of ", ": test accuracy").last()?;
    let (_, fourier) = found.all("random features, ", ": test accuracy").last()?;
    Some((
        "time",
        format!(
            "{centres} Nyström centres get {} of new digits right, the exact fit {}",
            percent(nystrom),
            percent(exact)
        ),
        format!(
            "{centres} random features get {}. The error of their matrix falls as one over the root of \
             their number, for any data. Nyström's centres are samples, so they adapt to the data. FALKON \
             takes {} centres and gets {} with the same λ. So small a λ needs more centres than the √n·ln n \
             of the theory, which is for λ = 1/√n. With that λ FALKON has {}, and the exact fit {}.",
            percent(fourier),
            fixed(found.number("FALKON: centres")?, 0),
            percent(found.number("FALKON: test accuracy")?),
            percent(found.number("λ = 1/√n, FALKON: test accuracy")?),
            percent(found.number("λ = 1/√n, exact: test accuracy")?)
        ),
    ))
}
