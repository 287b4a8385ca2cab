//! The curves of all runs.

use super::claims::{self, faster_if_standardised, short_name};
use super::{Kind, Optimizers, Row};
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
    chart.lines(lines.map(|(i, (row, dash))| {
        Line::new(means(row)).label(row.kind.name()).color(Color::series(i)).dash(dash)
    }))
}

pub(super) fn curves(study: &Optimizers) -> Figure {
    let rows = &study.rows;
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
            "Lines are means over {} seeds; bands reach from the smallest to the largest of them. See which \
             loss falls first. See also whether a loss that keeps falling in the first panel still lowers \
             the errors in the second.",
            study.seeds()
        ),
    )
    .panel(train)
    .panel(error)
}

/// Mean test losses with their epochs, from the first on.
fn test(row: &Row) -> impl Iterator<Item = (f64, f64)> {
    (0..).map(f64::from).zip(row.curve(|run| &run.test)).skip(1)
}

fn chart(study: &Optimizers, title: &str) -> Chart {
    let epoch = Axis::log("epoch").range(1.0, study.epochs as f64);
    Chart::new(epoch, Axis::log("mean cross-entropy (nats)")).title(title)
}

/// The test loss over a logarithmic axis, on which a faster way is the same curve further to the left.
pub(super) fn shifted(study: &Optimizers) -> Figure {
    let pair = |title: &str, slow: Kind, fast: Kind| {
        let chart = [slow, fast].into_iter().fold(chart(study, title), |chart, kind| {
            let color = Color::series(Kind::ALL.iter().position(|other| *other == kind).unwrap_or(0));
            chart.line(Line::new(test(study.row(kind))).label(kind.name()).color(color))
        });
        let line = Line::new(test(study.row(fast)).map(|(epoch, mean)| (10.0 * epoch, mean)));
        chart.line(line.label(format!("{}, ten times later", fast.name())).color(Color::Ink).dash(2))
    };
    Figure::new(
        "shifted",
        "Ten times as fast",
        "Test loss. On a logarithmic axis of epochs, training ten times as fast moves the curve a power of \
         ten to the left. The dotted line is the fast curve moved back by that: where it lies on the slow \
         one, the theory holds.",
    )
    .panel(pair("Momentum against SGD", Kind::Sgd, Kind::Momentum))
    .panel(pair("Adam at ten times the rate", Kind::SlowAdam, Kind::Adam))
}

/// Which optimizer gains by standardised inputs, as the claims have it.
pub(super) fn standardised_in_words(study: &Optimizers) -> String {
    let of = |raw: &Row| {
        let verdict = match faster_if_standardised(study, raw) {
            Verdict::Holds => "gains by it",
            Verdict::DoesNotHold => "does not gain a tenth by it",
            Verdict::NotDecided => "may or may not gain by it",
        };
        let times = fixed(mean(&claims::standardised(study, raw)), 2);
        format!("{} {verdict}: {times} times as fast", short_name(raw.kind))
    };
    let all: Vec<String> = study.raw.iter().map(of).collect();
    format!("{}.", all.join("; "))
}

/// The test loss with standardised inputs and without.
pub(super) fn standardised(study: &Optimizers) -> Figure {
    let figure = Figure::new(
        "standardised",
        "Inputs as they are, and standardised",
        format!(
            "Test loss, means over {} seeds, on the 64 projections as they are and standardised to mean 0 \
             and deviation 1. The horizontal distance between the lines shows how much faster one reaches a \
             loss. At the loss used by the claims, {}",
            study.seeds(),
            standardised_in_words(study)
        ),
    );
    figure.panels(study.raw.iter().map(|raw| {
        chart(study, raw.kind.name())
            .line(Line::new(test(raw)).label("as they are").color(Color::Muted))
            .line(Line::new(test(study.row(raw.kind))).label("standardised").color(Color::Blue))
    }))
}
