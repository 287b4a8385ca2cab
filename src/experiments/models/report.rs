//! What is claimed of the three models, and shown.

use super::families::Row;
use super::{Images, Spiral, Unwound};
use crate::experiments::prelude::*;
use crate::experiments::spiral::{ARMS, Points, plane};
use crate::report::Columns;

pub(super) fn all(context: &Context, spiral: &Spiral, images: &Images) -> Outcome {
    let mut outcome = Outcome::default();
    spiral_claims(&mut outcome, &spiral.rows, spiral.unwound.accuracy);
    image_claims(&mut outcome, &images.rows);
    outcome.figure(&boundaries(spiral));
    outcome.figure(&less_turned(spiral));
    outcome.figure(&bars(&spiral.rows, &images.rows));
    let caption = format!("On the spiral: the MLP 2-64-64-{ARMS} in f64, and KRR with {}", spiral.chosen);
    outcome.table(table("spiral", caption, &spiral.rows));
    let caption = format!(
        "On images ({}): the MLP {}-128-{} in f32, and KRR with {}",
        context.data.name,
        context.data.train.features(),
        context.data.train.classes(),
        images.chosen
    );
    outcome.table(table("images", caption, &images.rows));
    for (part, rows) in [("spiral", &spiral.rows), ("images", &images.rows)] {
        for row in rows {
            let name = format!("{part}, {} on {}", row.model, row.samples);
            outcome.number(format!("{name}: test accuracy"), row.accuracy);
            outcome.number(format!("{name}: bytes for predictions"), row.kept_bytes as f64);
        }
    }
    for (part, chosen) in [("spiral", spiral.chosen), ("images", images.chosen)] {
        outcome.number(format!("{part}: γ"), chosen.gamma);
        outcome.number(format!("{part}: λ"), chosen.lambda);
    }
    outcome
}

fn spiral_claims(outcome: &mut Outcome, rows: &[Row], unwound: f64) {
    let [lines, mlp, krr] = [rows[0].accuracy, rows[1].accuracy, rows[2].accuracy];
    claim(outcome, "Lines tell three spiral arms apart in three of five cases")
        .named("spiral-lines")
        .expected("about 0.60")
        .measured(format!("test accuracy {}", fixed(lines, 4)))
        .criterion("between 0.50 and 0.70")
        .holds(
            (0.50..=0.70).contains(&lines),
            format!(
                "What lines can do depends on how far the arms turn. Between their ends these turn x = 0.95·1.25 \
             = 1.19 times: more than once, so that a wedge of a third of a turn around the centre holds at \
             most (x − ⅔)/x = 0.44 of an arm, and a guess is right in a third of all cases. For x below 1 \
             the wedge holds 1/(3x): 0.60 belongs to arms that turn 5/9 times; on such arms the same lines are right in {} of all cases.",
                fixed(unwound, 2)
            ),
        );
    outcome.number("spiral that turns 5/9 times, logistic: test accuracy", unwound);
    claim(outcome, "A network with two hidden layers follows the arms")
        .named("spiral-network")
        .expected("about 0.97")
        .measured(format!("test accuracy {}", fixed(mlp, 4)))
        .criterion("at least 0.92")
        .holds(
            mlp >= 0.92,
            "With noise the arms overlap near the centre; beyond that, so many epochs from one start need \
             not end near the best weights, and the samples are few.",
        );
    claim(outcome, "Kernel ridge regression follows the arms, with γ and λ by leaving one out")
        .named("spiral-kernel")
        .expected("about 0.95")
        .measured(format!("test accuracy {}", fixed(krr, 4)))
        .criterion("at least 0.90")
        .holds(
            krr >= 0.90,
            "The leave-one-out error is that of squares, not of classes, and γ goes up in octaves: the best \
             for the accuracy may be another.",
        );
}

fn image_claims(outcome: &mut Outcome, rows: &[Row]) {
    let [lines, mlp, krr] = [rows[0].accuracy, rows[1].accuracy, rows[2].accuracy];
    claim(outcome, "On images both do better than the linear model")
        .named("images-both-better")
        .expected("fewer mistakes")
        .measured(format!(
            "test accuracy {} and {} against {}",
            fixed(mlp, 4),
            fixed(krr, 4),
            fixed(lines, 4)
        ))
        .criterion("each at least 0.01 above")
        .holds(
            mlp.min(krr) - lines >= 0.01,
            if lines >= 0.95 {
                format!(
                    "What lines leave to be gained on these images is little: {} of them.",
                    fixed(1.0 - lines, 4)
                )
            } else {
                format!(
                    "Lines leave {} of the images to be gained, and so it is not for want of room: from {} \
                     samples of these not both of the others learn more that holds for new ones.",
                    fixed(1.0 - lines, 4),
                    rows[0].samples
                )
            },
        );
    claim(outcome, "On the same images kernel ridge regression does at least as well as the network")
        .named("images-kernel-network")
        .expected("at least as many right")
        .measured(format!("test accuracy {} against {}", fixed(krr, 4), fixed(mlp, 4)))
        .criterion("not below")
        .holds(
            krr >= mlp,
            "The kernel weighs all pixels alike; the hidden layer learns which of them matter. It is one run \
             of the network, and another seed may turn a small difference round.",
        );
    let (mlp, krr) = (rows[1].fit_bytes as f64 / 1e6, rows[2].fit_bytes as f64 / 1e6);
    claim(outcome, "The fit of the kernel machine takes far more memory than that of the network")
        .named("kernel-memory")
        .expected("n² numbers against some per weight")
        .measured(format!("{} MB against {} MB", fixed(krr, 1), fixed(mlp, 1)))
        .criterion("at least 10 times as much on the images")
        .holds(
            krr >= 10.0 * mlp,
            format!(
                "With {} images n² is not so much more than the weights, their gradients, what Adam keeps of \
                 each, and the values of a batch.",
                rows[2].samples
            ),
        );
}

fn boundaries(spiral: &Spiral) -> Figure {
    let figure = Figure::new(
        "boundaries",
        "Three models on three arms",
        "Test points over the classes that the model gives; a cross is a point that it takes for another arm. Lines cut \
         the plane into three wedges. The network's boundaries are made of straight pieces, and go on in straight lines \
         beyond the data. Those of the kernel machine are smooth.",
    );
    let fitted = spiral.rows.iter().zip(spiral.classes.iter().zip(&spiral.found));
    figure.panels(fitted.map(|(row, (classes, found))| {
        let title = format!("{}: test accuracy {}", row.model, fixed(row.accuracy, 3));
        plane(title, &Points::of(&spiral.test), classes, found)
    }))
}

fn less_turned(spiral: &Spiral) -> Figure {
    let Unwound { test, accuracy, classes, found } = &spiral.unwound;
    Figure::new(
        "less-turned",
        "Lines on arms that turn less",
        "The same points turned back, so that an arm makes 5/9 of a turn: look what that does for lines.",
    )
    .panel(plane(
        format!("logistic, 5/9 of a turn: {}", fixed(*accuracy, 3)),
        &Points::of(test),
        classes,
        found,
    ))
}

fn bars(spiral: &[Row], images: &[Row]) -> Figure {
    let parts = [
        ("spiral", spiral, Color::Blue, Marker::Circle),
        ("images", images, Color::Vermilion, Marker::Square),
    ];
    // Fits to more images than the kernel machine takes come behind those to the same.
    let more = images
        .iter()
        .skip(3)
        .map(|row| format!("{} on {}", row.model.split(',').next().unwrap_or(row.model), row.samples));
    let names: Vec<String> = ["logistic", "MLP", "KRR"].map(String::from).into_iter().chain(more).collect();
    let names = || Axis::categories("", names.clone());
    let values = |rows: &[Row], f: &dyn Fn(&Row) -> f64| {
        rows.iter().enumerate().map(|(k, row)| (k as f64, f(row))).collect::<Vec<_>>()
    };
    let accuracy = Chart::new(names(), Axis::linear("test accuracy").range(0.0, 1.08)).title("Accuracy");
    let accuracy = parts.iter().enumerate().fold(accuracy, |chart, (i, (label, rows, color, _))| {
        let values = values(rows, &|row| row.accuracy);
        // Over its bar, whose text begins a little to the right of the place.
        let notes = values.clone().into_iter().map(|(k, y)| ((k - 0.42 + 0.36 * i as f64, y), fixed(y, 3)));
        let chart = chart.bars(values, (i, 2), *color, *label);
        notes.fold(chart, |chart, (at, text)| chart.note(at, text, Color::Ink))
    });
    // A bar on a logarithmic axis would begin nowhere.
    let chart = |y: &str, title: &str, f: &dyn Fn(&Row) -> f64| {
        // Room for the numbers above the highest points.
        let most = range(spiral.iter().chain(images).map(f)).1;
        let chart = Chart::new(names(), Axis::log(y).holding(2.0 * most)).title(title);
        parts.iter().enumerate().fold(chart, |chart, (i, (label, rows, color, marker))| {
            let aside = 0.2 * i as f64 - 0.1;
            let places: Vec<(f64, f64)> = values(rows, f).into_iter().map(|(k, y)| (k + aside, y)).collect();
            let notes = places.clone().into_iter().map(|at| (at, rounded(at.1, 2)));
            let chart = chart.points(places, *marker, *color, *label);
            notes.fold(chart, |chart, (at, text)| chart.note(at, text, Color::Ink))
        })
    };
    Figure::new(
        "comparison",
        "What each takes, and what it gives",
        format!(
            "Fitted to {} points of the spiral and {} images, the same for all three. All but the accuracy \
             are on logarithmic axes. Times are of one run each; that of a fit is without the choice of γ \
             and λ, which is in the tables.",
            spiral[0].samples, images[0].samples
        ),
    )
    .panel(accuracy)
    .panel(chart("memory of the fit (MB)", "Memory", &|row| row.fit_bytes as f64 / 1e6))
    .panel(chart("time of the fit (s)", "Time to fit, γ and λ given", &|row| row.fit_seconds))
    .panel(chart("time of a prediction (µs)", "Time to predict", &|row| 1e6 * row.predict_seconds))
}

fn table<'a>(name: &str, caption: String, rows: &'a [Row]) -> Columns<'a, Row> {
    Table::of(name, caption, rows)
        .column("model", |row| row.model)
        .column("training samples", |row| row.samples)
        .column("test accuracy", |row| row.accuracy)
        .column("choice of γ and λ (s)", |row| Cell::or(row.choice_seconds, "none"))
        .column("fit (s)", |row| row.fit_seconds)
        .column("prediction (µs)", |row| 1e6 * row.predict_seconds)
        .column("memory of the fit (MB)", |row| row.fit_bytes as f64 / 1e6)
        .column("kept for predictions (MB)", |row| row.kept_bytes as f64 / 1e6)
}
