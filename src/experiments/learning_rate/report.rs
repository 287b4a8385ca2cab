//! What is claimed of the rates, and shown.

use super::{DRAWN, HIDDEN, LEARNT, LearningRate, RATES, Row, USABLE, window};
use crate::experiments::prelude::*;

/// The rates that the source document recommends.
const RECOMMENDED: std::ops::RangeInclusive<f64> = 1e-3..=1e-2;

/// How far the accuracies of the rates that are chosen are behind the best, for each seed: the [`highest`] or the
/// [`lowest`] of them, as `of` has it.
fn behind(rows: &[Row], chosen: impl Fn(f64) -> bool, of: fn(&[f64]) -> f64) -> Vec<f64> {
    let seed = |k: usize| {
        let best = range(rows.iter().map(|row| row.accuracies[k])).1;
        let chosen = rows.iter().filter(|row| chosen(row.rate));
        of(&chosen.map(|row| best - row.accuracies[k]).collect::<Vec<_>>())
    };
    (0..rows[0].accuracies.len()).map(seed).collect()
}

fn highest(xs: &[f64]) -> f64 {
    range(xs.iter().copied()).1
}

fn lowest(xs: &[f64]) -> f64 {
    range(xs.iter().copied()).0
}

/// Means over the seeds.
fn means(rows: &[Row]) -> Vec<f64> {
    rows.iter().map(|row| mean(&row.accuracies)).collect()
}

fn window_claim(outcome: &mut Outcome, rows: &[Row], constant: f64) {
    let seeds = 0..rows[0].accuracies.len();
    let of_seed = |k: usize| rows.iter().map(|row| row.accuracies[k]).collect::<Vec<f64>>();
    let widths: Vec<f64> = seeds
        .clone()
        .map(|k| {
            let (low, high) = window(&of_seed(k));
            log10(high / low)
        })
        .collect();
    let learned: Vec<f64> = seeds.map(|k| highest(&of_seed(k)) - constant).collect();
    let (width, learned) = (Estimate::mean(&widths), Estimate::mean(&learned));
    let (low, high) = window(&means(rows));
    outcome.number("window from", low);
    outcome.number("window to", high);
    outcome.number("powers of ten in the window", width.value());
    let verdict = width.against(&(1.0..)).and(learned.against(&(0.05..)));
    let claim = Claim::that("There is a window of usable rates, a factor of ten wide and more")
        .named("window")
        .expected("at least 1 power of ten")
        .estimated(width)
        .saying(&format!(
            " powers of ten, about from {} to {}: within {USABLE} of the best test accuracy",
            rounded(low, 1),
            rounded(high, 1)
        ))
        .criterion(
            "the whole 95\u{a0}% interval is at least 1, and the best accuracy is at least 0.05 above that \
             of always naming the most frequent class",
        )
        .judged(
            verdict,
            "This run has few steps. A rate that is too small here would be enough in a longer run, so the \
             lower end of the window would move down.",
        );
    outcome.claim(claim);
}

pub(super) fn report(study: &LearningRate) -> Outcome {
    let LearningRate { rows, steps, features, constant } = study;
    let mut outcome = Outcome::default();
    window_claim(&mut outcome, rows, *constant);
    claim(&mut outcome, "Rates from 10⁻³ to 10⁻² are usable")
        .named("recommended-rates")
        .expected("a test accuracy close to the best")
        .estimated(Estimate::mean(&behind(rows, |rate| RECOMMENDED.contains(&rate), highest)))
        .saying(" below the best, at the worst of these rates")
        .within(
            ..=USABLE,
            "Which rates are good depends on the network, the batches and the number of steps.",
        );
    // The deviation of Xavier's initialisation.
    let size = (2.0 / (features + HIDDEN) as f64).sqrt();
    let first = RATES[0];
    claim(&mut outcome, "A rate of 10⁻⁵ is too small for so few steps")
        .named("too-small")
        .expected("a clearly lower test accuracy")
        .estimated(Estimate::mean(&behind(rows, |rate| rate == first, highest)))
        .saying(&format!(" below the best, after {steps} steps"))
        .within(
            0.05..,
            format!(
                "In {steps} steps a weight can move by {} with this rate, but may move less. The initial \
                 weights of the first layer have a size of about {}.",
                rounded(first * *steps as f64, 2),
                rounded(size, 2)
            ),
        );
    let above = RATES.iter().filter(|rate| **rate > size);
    claim(
        &mut outcome,
        format!("Rates above the size of the first weights, {}, spoil the training", rounded(size, 2)),
    )
    .named("too-large")
    .expected("clearly worse at each of them")
    .estimated(Estimate::mean(&behind(rows, |rate| rate > size, lowest)))
    .saying(&match above.clone().count() {
        0 => ": no rate as large was tried".to_string(),
        _ => format!(" below the best, at the better of {}", list(above, |rate| rate.to_string())),
    })
    .within(
        0.05..,
        "The first steps make the weights large, and training continues from there. Adam's steps have the \
         usual size, which is small compared with such weights. So it may still learn.",
    );

    let chart = |y: Axis, title: &str| {
        Chart::new(Axis::linear("step"), y).title(title).lines(DRAWN.map(|i| {
            let end = if rows[i].diverged > 0 { ", not finite in the end" } else { "" };
            Line::new(rows[i].losses.iter().copied()).label(format!("η = {}{end}", rounded(rows[i].rate, 1)))
        }))
    };
    outcome.draw(
        "loss",
        "Loss over the steps",
        format!(
            "From one seed, on at most {LEARNT} training images; means over pieces of the run. A line would \
             end where its loss stops being finite. The linear axis shows which rates learn. The \
             logarithmic axis shows how far they get, and how large the loss becomes at large rates. The \
             linear axis ends at 3."
        ),
        [
            chart(Axis::linear("cross-entropy (nats)").range(0.0, 3.0), "Linear axis"),
            chart(Axis::log("cross-entropy (nats)"), "Logarithmic axis"),
        ],
    );
    outcome.figure(&usable(rows));
    for row in rows {
        outcome.number(format!("test accuracy at {}", row.rate), mean(&row.accuracies));
        outcome.number(format!("loss of the last tenth at {}", row.rate), row.last);
    }
    let caption =
        format!("Results of each rate: the accuracy is the mean over {} seeds", rows[0].accuracies.len());
    outcome.table(
        Table::of("rates", caption, rows)
            .column("rate", |row| row.rate)
            .column("mean loss of the last tenth, one seed", |row| row.last)
            .column("test accuracy", |row| mean(&row.accuracies))
            .column("least of the seeds", |row| lowest(&row.accuracies))
            .column("greatest", |row| highest(&row.accuracies))
            .column("not finite", |row| row.diverged),
    );
    outcome
}

/// The window, of accuracies and of errors.
fn usable(rows: &[Row]) -> Figure {
    let all = means(rows);
    let (low, high) = window(&all);
    let best = highest(&all);
    let rate = || Axis::log("learning rate η");
    let panel = |y: Axis, (bottom, top): (f64, f64), title: &str, of: fn(f64) -> f64| {
        let ends = |row: &Row| (row.rate, of(highest(&row.accuracies)), of(lowest(&row.accuracies)));
        let ends = rows.iter().map(ends).map(|(rate, a, b)| (rate, a.min(b), a.max(b)));
        Chart::new(rate(), y.range(bottom, top))
            .title(title)
            .band([(low, bottom, top), (high, bottom, top)], Color::Green, "usable")
            .band(ends, Color::Blue, "")
            .line(
                Line::new(rows.iter().zip(&all).map(|(row, mean)| (row.rate, of(*mean))))
                    .color(Color::Blue)
                    .marker(Marker::Circle),
            )
            .horizontal(of(best - USABLE), Color::Ink, format!("{USABLE} below the best"))
    };
    let errors = rows.iter().map(|row| 1.0 - highest(&row.accuracies)).filter(|error| *error > 0.0);
    let least = errors.fold(USABLE, f64::min);
    let perfect = match rows.iter().filter(|row| highest(&row.accuracies) == 1.0).count() {
        0 => "",
        _ => " A run without mistakes cannot be drawn on the axis of errors.",
    };
    Figure::new(
        "window",
        "Test accuracy over the rate",
        format!(
            "Means over {} seeds, with a band from the smallest to the largest. Green is the usable window: \
             the range of rates around the best in which every accuracy is at most {USABLE} below the best. \
             Look how steeply it ends on both sides. At small rates more epochs could help. A run that \
             leaves the finite numbers counts as getting no image right.{perfect}",
            rows[0].accuracies.len()
        ),
    )
    .panel(panel(Axis::linear("test accuracy"), (0.0, 1.04), "Accuracy", |accuracy| accuracy))
    .panel(panel(
        Axis::log("share of wrong answers"),
        (0.7 * least, 1.1),
        "Error: 1 − accuracy",
        |a| 1.0 - a,
    ))
}
