//! What is claimed of the network, and shown.

use super::plane::{plane, small_plane};
use super::{ARMS, NOISE, Right, Run, SHOWN, Spiral, Stage};
use crate::experiments::prelude::*;
use crate::text;

pub(super) fn all(spiral: &Spiral) -> Outcome {
    let Spiral { test, stages, losses, runs } = spiral;
    let mut outcome = Outcome::default();
    let (first, last) = (&stages[0], &stages[stages.len() - 1]);
    let end = stages.len() - 1;
    let of = |f: &dyn Fn(&Run) -> f64| -> Vec<f64> { runs.iter().map(f).collect() };
    let (accuracy, best) = (of(&|run| run.accuracy[end]), mean(&of(&|run| run.best)));
    claim(&mut outcome, "Two hidden layers tell the arms apart nearly as well as the noise allows")
        .named("arms-apart")
        .expected(format!("the accuracy of a classifier that knows the densities, {}", fixed(best, 3)))
        .estimated(Estimate::mean(&of(&|run| run.best - run.accuracy[end])))
        .saying(&format!(
            ", by which the test accuracy ({} after {} epochs) is below that",
            fixed(mean(&accuracy), 3),
            last.epochs
        ))
        .within(
            ..=0.03,
            format!(
                "{} points of each arm are learned, with a noise of {NOISE} in every coordinate. So few \
                 points do not show where between the arms the densities are equal.",
                last.train.of / ARMS as u64
            ),
        );
    claim(&mut outcome, "The boundary is short at first and grows while the arms are learned")
        .named("boundary-grows")
        .expected("a ratio above 1")
        .estimated(Estimate::mean(&of(&|run| run.length[end] / run.length[0])))
        .saying(&format!(
            ", the length after {} epochs over that after {} (along the sides of cells)",
            last.epochs, first.epochs
        ))
        .within(
            1.5..,
            "The length is that in the whole square, also where there are no points. A boundary that is \
             long there by chance at first need not grow.",
        );
    let epochs = |stage: &Stage| text::count(stage.epochs, "epoch");
    let drawn = |stage: &Stage| {
        let right = stage.found.iter().zip(&test.arms).filter(|(found, arm)| **found == Some(**arm)).count();
        Right { count: right as u64, of: test.arms.len() as u64 }
    };
    let small_panel = |stage: &Stage| {
        let title = format!("{}: {} right", epochs(stage), percent(drawn(stage).share()));
        small_plane(title, test, &stage.classes, &stage.found)
    };
    let panel = |stage: &Stage| {
        let Right { count, of } = drawn(stage);
        let title = format!("{}, {count} of {of} points right", epochs(stage));
        plane(title, test, &stage.classes, &stage.found)
    };
    let figure = Figure::new(
        "boundary",
        "The boundary over training time",
        format!(
            "The first {} of {} test points over the classes predicted by the network, from the first seed; \
             titles count these points. A cross is a misclassified point; a name stands where its arm ends. \
             See how straight the boundaries are at first, and how they bend along the arms. Beyond the \
             points nothing was learned, and the boundary there means nothing.",
            test.arms.len(),
            last.test.of
        ),
    );
    let shown = stages.iter().filter(|stage| SHOWN.contains(&stage.epochs));
    outcome.figure(&figure.panels(shown.map(small_panel)));
    outcome.figure(
        &Figure::new("stages", "Epoch by epoch", "The same points, with the stages in between.")
            .slider("epoch", stages.iter().map(|stage| stage.epochs.to_string()))
            .panels(stages.iter().map(panel)),
    );

    let last_loss = losses.last().copied().unwrap_or(f64::NAN);
    let losses = losses.iter().enumerate().map(|(i, loss)| ((i + 1) as f64, *loss));
    let of_stage =
        |of: fn(&Run) -> &[f64], i: usize| -> Vec<f64> { runs.iter().map(|run| of(run)[i]).collect() };
    let with_range = |chart: Chart, of: fn(&Run) -> &[f64]| {
        let at = || stages.iter().enumerate().map(|(i, stage)| (stage.epochs as f64, of_stage(of, i)));
        let band = at().map(|(epoch, all)| {
            let (low, high) = range(all);
            (epoch, low, high)
        });
        let means = Line::new(at().map(|(epoch, all)| (epoch, mean(&all))));
        chart.band(band, Color::Blue, "").line(means.color(Color::Blue).marker(Marker::Circle))
    };
    let loss = Chart::new(Axis::log("epoch"), Axis::log("mean cross-entropy (nats)"))
        .title("Loss on the training points, first seed")
        .line(Line::new(losses));
    let accuracy =
        Chart::new(Axis::log("epoch"), Axis::linear("test accuracy")).title("Accuracy on new points");
    let accuracy = with_range(accuracy, |run| &run.accuracy);
    let accuracy = accuracy.horizontal(best, Color::Muted, "the best possible");
    let length = Chart::new(Axis::log("epoch"), Axis::linear("length (units of x)").holding(0.0))
        .title("The boundary in the drawn square");
    let length = with_range(length, |run| &run.length);
    outcome.draw(
        "curves",
        "Loss, accuracy and length of the boundary",
        format!(
            "Loss after every epoch; the other quantities after the epochs drawn above. Means over {} \
             seeds, and their range. Compare where the accuracy and the length of the boundary rise, and \
             whether the loss falls fastest there. The length is counted along the sides of the drawn \
             cells: a slanting boundary counts up to √2 times its true length.",
            runs.len()
        ),
        [loss, accuracy, length],
    );

    for (i, stage) in stages.iter().enumerate() {
        let of = |of: fn(&Run) -> &[f64]| mean(&of_stage(of, i));
        outcome.number(format!("test accuracy after {}", stage.epochs), of(|run| &run.accuracy));
        outcome.number(format!("boundary after {}", stage.epochs), of(|run| &run.length));
    }
    outcome.number("accuracy of the best classifier", best);
    outcome.number("last loss", last_loss);
    let caption = format!(
        "The stages of the first seed, with {} training and {} test points",
        last.train.of, last.test.of
    );
    outcome.table(
        Table::of("stages", caption, stages)
            .column("epochs", |stage| stage.epochs)
            .column("training points right", |stage| stage.train.count as usize)
            .column("test points right", |stage| stage.test.count as usize)
            .column("boundary, along sides of cells (units of x)", |stage| stage.length),
    );
    outcome
}
