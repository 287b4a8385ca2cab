//! The curves of all runs.

use super::{ADAM, MOMENTUM, Row, SEEDS, SGD, SLOW_ADAM};
use crate::experiments::prelude::*;

/// Lines of means (x, mean), with bands from the least to the greatest (x, low, high).
fn lines(
    chart: Chart,
    rows: &[Row],
    means: impl Fn(&Row) -> Vec<(f64, f64)>,
    bands: impl Fn(&Row) -> Vec<(f64, f64, f64)>,
) -> Chart {
    let chart =
        rows.iter().enumerate().fold(chart, |chart, (i, row)| chart.band(bands(row), Color::series(i), ""));
    // Dashed where two go side by side.
    let lines = rows.iter().zip([0, 1, 0, 1, 3]).enumerate();
    chart.lines(
        lines
            .map(|(i, (row, dash))| Line::new(means(row)).label(row.name).color(Color::series(i)).dash(dash)),
    )
}

pub(super) fn curves(rows: &[Row]) -> Figure {
    let epoch = || Axis::linear("epoch");
    let train = lines(
        Chart::new(epoch(), Axis::log("mean cross-entropy (nats)")).title("Training loss"),
        rows,
        // The mean of an epoch belongs to its end; of the loss before the first nothing is known.
        |row| (1..).zip(row.curve(|run| &run.train)).map(|(k, x)| (f64::from(k), x)).collect(),
        |row| (1..).zip(row.range(|run| &run.train)).map(|(k, (a, b))| (f64::from(k), a, b)).collect(),
    );
    let error = lines(
        Chart::new(epoch(), Axis::log("share of wrong answers")).title("Test error: 1 − accuracy"),
        rows,
        |row| (0..).zip(row.curve(|run| &run.accuracy)).map(|(k, x)| (f64::from(k), 1.0 - x)).collect(),
        |row| {
            let range = row.range(|run| &run.accuracy);
            (0..).zip(range).map(|(k, (a, b))| (f64::from(k), 1.0 - b, 1.0 - a)).collect()
        },
    );
    Figure::new(
        "curves",
        "Training loss, and errors on the test set",
        format!(
            "Lines are means over {SEEDS} seeds, bands reach from the least to the greatest of them. See who \
             falls first, and whether a loss that goes on falling in the first panel still brings anything \
             in the second."
        ),
    )
    .panel(train)
    .panel(error)
}

/// The test loss over a logarithmic axis, on which a faster way is the same curve further to the left.
pub(super) fn shifted(rows: &[Row], epochs: usize) -> Figure {
    let chart =
        || Chart::new(Axis::log("epoch").range(1.0, epochs as f64), Axis::log("mean cross-entropy (nats)"));
    let pair = |title: &str, slow: usize, fast: usize| {
        let mut chart = chart().title(title);
        let test = |which: usize| (0..).map(f64::from).zip(rows[which].curve(|run| &run.test)).skip(1);
        for which in [slow, fast] {
            chart = chart.line(Line::new(test(which)).label(rows[which].name).color(Color::series(which)));
        }
        let line = Line::new(test(fast).map(|(epoch, mean)| (10.0 * epoch, mean)));
        chart.line(line.label(format!("{}, ten times later", rows[fast].name)).color(Color::Ink).dash(2))
    };
    Figure::new(
        "shifted",
        "Ten times as fast",
        "Test loss. On a logarithmic axis of epochs, to go the same way ten times as fast means the same \
         curve a power of ten to the left. The dotted line is the fast curve moved back by that: where it \
         lies on the slow one, the theory holds.",
    )
    .panel(pair("Momentum against SGD", SGD, MOMENTUM))
    .panel(pair("Adam at ten times the rate", SLOW_ADAM, ADAM))
}
