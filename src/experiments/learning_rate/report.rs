//! What is claimed of the rates, and shown.

use super::{DRAWN, HIDDEN, Row, USABLE, window};
use crate::experiments::prelude::*;

/// Means of pieces of the run, as many as a drawing shows.
fn smooth(losses: &[f64]) -> Vec<(f64, f64)> {
    let piece = (losses.len() / 60).max(1);
    let middle = |i: usize, n: usize| (i * piece) as f64 + 0.5 * (n + 1) as f64;
    losses.chunks(piece).enumerate().map(|(i, part)| (middle(i, part.len()), mean(part))).collect()
}

pub(super) fn report(rows: &[Row], features: usize, constant: f64) -> Outcome {
    let mut outcome = Outcome::default();
    let found = window(rows);
    let best = found.map_or(f64::NAN, |(best, _)| best);
    let ends = found.and_then(|(_, usable)| Some((usable.first()?.rate, usable.last()?.rate)));
    let first = &rows[0];
    // The deviation of Xavier's initialisation.
    let size = (2.0 / (features + HIDDEN) as f64).sqrt();
    claim(&mut outcome, "There is a window of usable rates, a factor of ten wide and more")
        .named("window")
        .expected("at least a factor of 10")
        .measured(match ends {
            Some((low, high)) => format!(
                "from {} to {}: within {USABLE} of the best test accuracy, {}; always the same class has {}",
                rounded(low, 1),
                rounded(high, 1),
                fixed(best, 4),
                fixed(constant, 4)
            ),
            None => "none: no rate has left finite numbers".into(),
        })
        .criterion(
            "the ratio of its ends is at least 10, and something is learned there: the best is at least 0.05 \
             above what a network has that always names the most frequent class",
        )
        .holds(
            // The rates are decimal, and 0.001/0.0001 is a little less than 10 in binary.
            ends.is_some_and(|(low, high)| high / low >= 10.0 * (1.0 - 1e-9)) && best - constant >= 0.05,
            "The steps of this run are few: a rate that is too small for them would do in a longer one, \
             which moves the lower end of the window down. And the window is known only to the distance of \
             the rates that were tried, a factor of about three.",
        );
    claim(&mut outcome, "A rate of 10⁻⁵ is too small for so few steps")
        .named("too-small")
        .expected("a clearly lower test accuracy")
        .measured(format!(
            "{} after {} steps, {} below the best",
            fixed(first.accuracy, 4),
            first.losses.len(),
            fixed(best - first.accuracy, 4)
        ))
        .criterion("at least 0.05 below the best test accuracy")
        .holds(
            best - first.accuracy >= 0.05,
            format!(
                "In {} steps a weight may go as far as {} with this rate, and need not go far: the initial \
                 weights of the first layer are about {} in size.",
                first.losses.len(),
                rounded(first.rate * first.losses.len() as f64, 2),
                rounded(size, 2)
            ),
        );
    let above: Vec<&Row> = rows.iter().filter(|row| row.rate > size).collect();
    let ends = list(&above, |row| format!("{} at {}", fixed(row.accuracy, 4), row.rate));
    claim(
        &mut outcome,
        format!("Rates above the size of the first weights, {}, spoil the training", rounded(size, 2)),
    )
    .named("too-large")
    .expected("clearly worse at each of them")
    .measured(match above.is_empty() {
        true => "no rate as large was tried".into(),
        false => format!("test accuracy {ends}; {} at the best rate", fixed(best, 4)),
    })
    .criterion("at least 0.05 below the best at every rate above it, or not finite")
    .holds(
        !above.is_empty() && above.iter().all(|row| row.accuracy.is_nan() || best - row.accuracy >= 0.05),
        match above.is_empty() {
            true => "Here the first weights are larger than all rates.",
            false => {
                "The first steps throw the weights far out, and what follows is a network of large weights. \
                 Adam's steps are as long there as anywhere, hence small beside such weights, and it may \
                 learn from there as well."
            }
        },
    );

    let chart = |y: Axis, title: &str| {
        Chart::new(Axis::linear("step"), y).title(title).lines(DRAWN.map(|i| {
            let end = if rows[i].diverged { ", not finite from its end on" } else { "" };
            Line::new(smooth(&rows[i].losses)).label(format!("η = {}{end}", rounded(rows[i].rate, 1)))
        }))
    };
    outcome.draw(
        "loss",
        "Loss over the steps",
        "Means over pieces of the run; a line ends where the loss stops being finite. On the linear axis see \
         which rates learn, on the logarithmic one how far they get, and how far off the large ones are \
         thrown. The linear axis ends at 3.",
        [
            chart(Axis::linear("cross-entropy (nats)").range(0.0, 3.0), "Linear axis"),
            chart(Axis::log("cross-entropy (nats)"), "Logarithmic axis"),
        ],
    );
    outcome.figure(&usable(rows));
    let last = |row: &Row| mean(&row.losses[row.losses.len() - row.losses.len().div_ceil(10)..]);
    for row in rows {
        outcome.number(format!("test accuracy at {}", row.rate), row.accuracy);
        outcome.number(format!("loss of the last tenth at {}", row.rate), last(row));
    }
    outcome.table(
        Table::of("rates", "What each rate comes to", rows)
            .column("rate", |row| row.rate)
            .column("mean loss of the last tenth", last)
            .column("test accuracy", |row| row.accuracy)
            .column("finite", |row| if row.diverged { "no" } else { "yes" }),
    );
    outcome
}

/// The window, of accuracies and of errors.
fn usable(rows: &[Row]) -> Figure {
    let found = window(rows);
    let inside = found.map_or(&[][..], |(_, inside)| inside);
    let rate = || Axis::log("learning rate η");
    let panel = |y: Axis, (bottom, top): (f64, f64), title: &str, of: fn(f64) -> f64| {
        let points = |rows: &[Row]| rows.iter().map(|row| (row.rate, of(row.accuracy))).collect::<Vec<_>>();
        let mut chart = Chart::new(rate(), y.range(bottom, top)).title(title);
        // From halfway to the rate before to halfway to the one behind, since a single rate has no width.
        if let (Some(low), Some(high)) = (inside.first(), inside.last()) {
            let (low, high) = (low.rate / 3.0f64.sqrt(), high.rate * 3.0f64.sqrt());
            chart = chart.band([(low, bottom, top), (high, bottom, top)], Color::Green, "usable");
        }
        chart = chart.line(Line::new(points(rows)).color(Color::Blue).marker(Marker::Circle));
        if let Some((best, _)) = found {
            chart = chart.horizontal(of(best - USABLE), Color::Ink, format!("{USABLE} below the best"));
        }
        chart
    };
    let errors = rows.iter().map(|row| 1.0 - row.accuracy).filter(|error| *error > 0.0);
    let least = errors.fold(USABLE, f64::min);
    let perfect = match rows.iter().filter(|row| row.accuracy == 1.0).count() {
        0 => "",
        _ => " A rate without mistakes has no place on the axis of errors.",
    };
    Figure::new(
        "window",
        "Test accuracy over the rate",
        format!(
            "Shaded is the usable window: the rates without a gap around the best at which the accuracy is \
             at most {USABLE} below the best. The errors are on a logarithmic axis, on which that distance \
             can be seen. Look how steeply the window ends on either side. At small rates, with which the \
             weights have not come far, more epochs could help. A rate without a point has left the finite \
             numbers.{perfect}"
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
