//! What λ does to the gap between training and test.

use super::{HIDDEN, N, Regularisation, Row};
use crate::experiments::prelude::*;
use crate::experiments::statistics::mean_and_interval;

/// The λ of the document.
const SMALL: f64 = 1e-4;

/// Training minus test accuracy, seed by seed.
fn gaps(row: &Row) -> Vec<f64> {
    differences(&row.train, &row.test)
}

/// What the document's λ does to the gap.
pub(super) fn gap_claim(outcome: &mut Outcome, rows: &[Row]) {
    let (first, row) = (&rows[0], least(rows, |row| (row.lambda - SMALL).abs()));
    let closed: Vec<f64> = gaps(first).iter().zip(gaps(row)).map(|(gap, other)| 1.0 - other / gap).collect();
    claim(
        outcome,
        format!("A λ of {} narrows the gap between training and test accuracy", rounded(SMALL, 1)),
    )
    .named("gap-small-lambda")
    .expected("a tenth of the gap or more is closed")
    .estimated(Estimate::mean(&closed))
    .saying(&format!(
        ", the share of the gap that λ = {} closes. The gap is {} without and {} with it. With it the \
             training accuracy is {}, and the norm is {} times that without",
        rounded(row.lambda, 1),
        fixed(mean(&gaps(first)), 3),
        fixed(mean(&gaps(row)), 3),
        fixed(mean(&row.train), 3),
        fixed(mean(&row.norms) / mean(&first.norms), 2)
    ))
    .within(0.1.., "So small a λ hardly changes the weights in this number of steps.");
}

/// λ is chosen on images that take no other part, and judged on the test set.
pub(super) fn choice_claim(outcome: &mut Outcome, rows: &[Row], images: usize) {
    let first = &rows[0];
    let seeds = 0..first.test.len();
    let best: Vec<&Row> = seeds.clone().map(|k| greatest(rows, |row| row.validation[k])).collect();
    let gains: Vec<f64> = seeds.map(|k| best[k].test[k] - first.test[k]).collect();
    let lambdas: Vec<f64> = best.iter().map(|row| row.lambda).collect();
    let (gain, half) = mean_and_interval(&gains);
    outcome.number("chosen λ", median(&lambdas));
    outcome.number("gain of the chosen λ", gain);
    outcome.number("half of the interval of the gain", half);
    claim(outcome, "A λ that is chosen on other images gives a better test accuracy than none")
        .named("choice-gains")
        .expected("a gain above 0")
        .estimated(Estimate::mean(&gains))
        .saying(&format!(
            ", the gain in test accuracy, from {}; chosen on {images} images are λ from {} to {}",
            fixed(mean(&first.test), 3),
            rounded(range(lambdas.iter().copied()).0, 1),
            rounded(range(lambdas.iter().copied()).1, 1)
        ))
        .within(
            ABOVE_0,
            "Gradient descent from small weights already prefers networks of small norm, and it stops after \
             a fixed number of steps. This leaves little for the penalty to do.",
        );
}

pub(super) fn figure(measured: &Regularisation) -> Figure {
    let Regularisation { features, classes, rows, constant, .. } = measured;
    let first = &rows[0];
    let axis = || {
        // A zero has no place on a scale of powers of ten.
        Axis::log("λ (the leftmost points are λ = 0)")
    };
    let at = |row: &Row| if row.lambda == 0.0 { 2e-5 } else { row.lambda };
    let mut chart = Chart::new(axis(), Axis::linear("accuracy").range(0.0, 1.04)).title("Accuracy");
    type Of = fn(&Row) -> &[f64];
    let accuracies: [(_, _, _, Of); 2] = [
        ("training", Color::Blue, Marker::Circle, |row| &row.train),
        ("test", Color::Vermilion, Marker::Square, |row| &row.test),
    ];
    for (label, color, marker, of) in accuracies {
        let spread = |row: &Row| {
            let (mean, deviation) = mean_and_deviation(of(row));
            (at(row), mean - deviation, mean + deviation)
        };
        chart = chart.band(rows.iter().map(spread), color, "").line(
            Line::new(rows.iter().map(|row| (at(row), mean(of(row)))))
                .label(label)
                .color(color)
                .marker(marker),
        );
    }
    chart = chart.horizontal(mean(constant), Color::Muted, "always one class, test");
    let share = Chart::new(axis(), Axis::linear("gap, or relative norm").holding(0.0))
        .title("Gap and weights")
        .line(
            Line::new(rows.iter().map(|row| (at(row), mean(&gaps(row)))))
                .label("training minus test accuracy")
                .color(Color::Green)
                .marker(Marker::Triangle),
        )
        .line(
            Line::new(rows.iter().map(|row| (at(row), mean(&row.norms) / mean(&first.norms))))
                .label("norm of the weights over that at λ = 0")
                .color(Color::Purple)
                .dash(1),
        );
    Figure::new(
        "lambda",
        "Accuracy over the weight decay",
        format!(
            "A network {features}-{HIDDEN}-{classes} on {N} samples; means over {} seeds, with a standard \
             deviation to each side. With growing λ the norm of the weights falls first and the training \
             accuracy later. Check whether the test accuracy is best between the two. Where the accuracy \
             falls to the dashed line, that of always naming one class, a closed gap means nothing. For the \
             claims each seed has its own λ, chosen on other images: that gain does not show in means over \
             the seeds.",
            first.train.len()
        ),
    )
    .panel(chart)
    .panel(share)
}
