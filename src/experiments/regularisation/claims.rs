//! What λ does to the gap between training and test.

use super::{FITS, HIDDEN, N, Row, Sets};
use crate::experiments::prelude::*;

/// Training minus test accuracy, seed by seed.
fn gaps(row: &Row) -> Vec<f64> {
    differences(&row.train, &row.test)
}

/// What the penalty does to the gap while there is a network left.
pub(super) fn gap_claim(outcome: &mut Outcome, rows: &[Row], constant: f64) {
    let first = &rows[0];
    let fits = |row: &&Row| mean(&row.train) >= FITS;
    let dead = match list(rows.iter().filter(|row| !fits(row)), |row| rounded(row.lambda, 1)) {
        none if none.is_empty() => "every λ is judged".to_string(),
        some => format!("not judged, since the network no longer fits: λ = {some}"),
    };
    let gap = mean(&gaps(first));
    let strongest = rows.iter().skip(1).rev().find(fits);
    let (shrinks, deviation) = strongest
        .map_or((f64::NAN, f64::NAN), |row| mean_and_deviation(&differences(&gaps(first), &gaps(row))));
    let at = strongest.map_or("no λ above 0 leaves a network that fits".to_string(), |row| {
        format!(
            "{} at λ = {}, smaller by {} over the seeds",
            fixed(mean(&gaps(row)), 3),
            rounded(row.lambda, 1),
            plus_minus((shrinks, deviation), 4)
        )
    });
    claim(
        outcome,
        "The gap between training and test accuracy shrinks as λ grows, while the samples are still fitted",
    )
    .named("gap-shrinks")
    .expected("a smaller gap at the largest λ that leaves a network that fits")
    .measured(format!("{} at λ = 0; {at}; {dead}", fixed(gap, 3)))
    .criterion(format!(
        "at the largest λ with a training accuracy of {FITS} or more, smaller by at least a tenth of the gap \
         without a penalty, which is above 0, and by at least twice the deviation of the difference"
    ))
    .holds(
        gap > 0.0 && shrinks >= 0.1 * gap && shrinks >= 2.0 * deviation,
        match strongest {
            None => "No penalty that was tried leaves a network that fits its samples: there is nothing to \
                     compare."
                .to_string(),
            Some(_) => format!(
                "As long as the samples are fitted the training accuracy is {FITS} to 1, and little but a \
                 better test accuracy could close the gap. A large λ does close it, as soon as nothing is \
                 left of the network: one that always names the same class has a test accuracy of {}.",
                fixed(constant, 3)
            ),
        },
    );
}

/// λ is chosen on images that take no other part, and judged on the test set.
pub(super) fn choice_claim(outcome: &mut Outcome, rows: &[Row], images: usize) {
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    let best = greatest(rows, |row| mean(&row.validation));
    let (gain, deviation) = mean_and_deviation(&differences(&best.test, &first.test));
    let between = best.lambda > first.lambda && best.lambda < last.lambda;
    outcome.number("chosen λ", best.lambda);
    outcome.number("gain of the chosen λ", gain);
    outcome.number("deviation of the gain", deviation);
    outcome.claim(
        Claim::that("Some λ between, chosen on other images, gives a better test accuracy than none")
            .named("choice-gains")
            .expected("an inner λ is chosen, and is better on the test set")
            .measured(format!(
                "λ = {} is the best on {images} images that are neither trained on nor tested on. Its test \
                 accuracy is {}, against {} without: a gain of {} over {} seeds",
                rounded(best.lambda, 1),
                fixed(mean(&best.test), 4),
                fixed(mean(&first.test), 4),
                plus_minus((gain, deviation), 4),
                first.test.len()
            ))
            .criterion(
                "λ is neither 0 nor the largest, and the mean gain on the test set is at least 0.01 and at \
                 least twice its deviation over the seeds",
            )
            .holds(
                between && gain >= 0.01 && gain >= 2.0 * deviation,
                "Gradient descent from small weights already prefers networks of small norm, and is stopped \
                 after a fixed number of steps: there is little left for the penalty to do. And what other \
                 initial weights change as much cannot be told from chance.",
            )
            .remark("The seeds differ in the initial weights only: the samples are the same in all of them."),
    );
}

pub(super) fn figure(rows: &[Row], sets: &Sets, constant: f64) -> Figure {
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
    chart = chart.horizontal(constant, Color::Muted, "always one class, test");
    let share = Chart::new(axis(), Axis::linear("share").holding(0.0))
        .title("Gap and weights")
        .line(
            Line::new(rows.iter().map(|row| (at(row), mean(&gaps(row)))))
                .label("training minus test accuracy")
                .color(Color::Green)
                .marker(Marker::Triangle),
        )
        .line(
            Line::new(rows.iter().map(|row| (at(row), mean(&row.norms) / mean(&first.norms))))
                .label("norm of the weights, of that at λ = 0")
                .color(Color::Purple)
                .dash(1),
        );
    Figure::new(
        "lambda",
        "Accuracy over the weight decay",
        format!(
            "A network {}-{HIDDEN}-{} on {N} samples; means over {} seeds, with a standard deviation to each \
             side. See where the training accuracy begins to fall, where the norm of the weights does, and \
             whether the test accuracy has its best between the two. Where the accuracy comes down to the \
             dashed line, which is that of a network that always names one class, nothing is left of the \
             network, and a gap that closes there means nothing.",
            sets.train.features(),
            sets.train.classes(),
            first.train.len()
        ),
    )
    .panel(chart)
    .panel(share)
}
