//! What is claimed of networks of images, and shown.

use super::{CNN, FAMILIES, KERNEL, LENET, MLP, MOVED, MOVED_LENET, MOVED_MLP, Networks, Row, SHIFTS, VIT};
use crate::experiments::prelude::*;
use crate::report::Images;

/// The shift at which networks are compared.
const COMPARED: usize = 3;

pub(super) fn all(study: &Networks) -> Outcome {
    let Networks { data, moved, rows } = study;
    let mut outcome = Outcome::default();
    let single: Vec<&str> = (0..KERNEL).filter(|k| !is_judged(rows, *k)).map(|k| FAMILIES[k].name).collect();
    let single =
        if single.is_empty() { String::new() } else { format!(" ({}: one seed)", single.join(", ")) };
    accuracy_claims(&mut outcome, rows);
    shift_claims(&mut outcome, rows);
    let chart = Chart::new(
        Axis::linear("shift of the test images (pixels)"),
        Axis::linear("test accuracy").range(0.0, 1.04),
    );
    // What one seed gave on more samples is in the table only.
    let chart = rows.iter().take(KERNEL + 1).enumerate().fold(chart, |chart, (i, row)| {
        let at = |shift: usize| mean_of(&row.moved, |by_shift| by_shift[shift]);
        let points: Vec<(f64, f64)> = (0..=SHIFTS).map(|shift| (shift as f64, at(shift))).collect();
        chart.line(Line::new(points).label(row.name.clone()).marker(Marker::series(i)))
    });
    outcome.draw(
        "shifts",
        "Images that have moved",
        format!(
            "Trained on {} images: means over the seeds{single} and over four directions, on the first \
             {moved} test images. The accuracies of title and table are on all test images. \"Moved\" means \
             trained on images moved by up to {MOVED} pixels along each axis. Compare how fast each line \
             falls. Compare also what augmentation does for a network without convolutions.",
            rows[0].samples
        ),
        [chart],
    );
    // Of the row with the most samples.
    let most = |k: usize| rows.iter().rfind(|row| row.name == FAMILIES[k].name);
    let filters = [LENET, CNN, MLP]
        .into_iter()
        .filter_map(most)
        .filter_map(|row| Some((&row.name, row.filters.as_ref()?)));
    let seen = most(LENET).map_or(0, |row| row.samples);
    outcome.figure(&filters.fold(
        Figure::new(
            "filters",
            "What the first layer looks for",
            format!(
                "Weights of the first layer, each filter on its own scale: grey is 0, bright positive, dark \
                 negative. Of the perceptron, the first 32 units are shown; each sees the whole image. They \
                 are from the first seed, trained on {seen} images."
            ),
        ),
        |figure, (name, filters)| {
            let pictures = filters.pictures().map(|picture| (picture, String::new()));
            figure.panel(Images::new(8, pictures).title(name))
        },
    ));
    let caption = format!("{data}: accuracy, size and time; results of a single seed are part of no claim");
    outcome.table(
        Table::of("models", caption, rows)
            .column("model", |row| row.name.clone())
            .column("training samples", |row| row.samples)
            .column("epochs", |row| Cell::or(Some(row.epochs).filter(|epochs| *epochs > 0), "none"))
            .column("parameters", |row| row.parameters)
            .column("seeds", |row| row.accuracy.len())
            .column("test accuracy", |row| mean(&row.accuracy))
            .column("least of the seeds", |row| range(row.accuracy.iter().copied()).0)
            .column(format!("lost by a shift of {COMPARED}"), |row| mean(&row.lost(COMPARED)))
            .column("training (s)", |row| row.seconds),
    );
    for row in rows {
        let name = format!("{} on {}", row.name, row.samples);
        outcome.number(format!("{name}: test accuracy"), mean(&row.accuracy));
        outcome.number(format!("{name}: lost by a shift of {COMPARED}"), mean(&row.lost(COMPARED)));
        outcome.number(format!("{name}: parameters"), row.parameters as f64);
    }
    outcome
}

fn accuracy_claims(outcome: &mut Outcome, rows: &[Row]) {
    for (id, statement, better, worse, otherwise) in [
        (
            "lenet-beats-perceptron",
            "LeNet-5 is right on more digits than a perceptron, with fewer weights",
            LENET,
            MLP,
            "On few or simple images the prior knowledge in the filters may not matter.",
        ),
        (
            "lenet-beats-kernel",
            "LeNet-5 is right on more digits than kernel ridge regression",
            LENET,
            KERNEL,
            "A Gaussian kernel with a chosen width is strong on few samples, where a network of many layers \
             has seen little data.",
        ),
        (
            "lenet-beats-transformer",
            "LeNet-5 is right on more digits than a transformer, which has to learn what neighbours are",
            LENET,
            VIT,
            "With many epochs a transformer may have learned it; the table has the number of epochs.",
        ),
    ] {
        if ![better, worse].iter().all(|k| is_judged(rows, *k)) {
            continue;
        }
        let seeds = rows[better].accuracy.len();
        let other = if worse == KERNEL {
            vec![rows[KERNEL].accuracy[0]; seeds]
        } else {
            rows[worse].accuracy.clone()
        };
        claim(outcome, statement)
            .named(id)
            .expected("above 0")
            .estimated(Estimate::mean(&differences(&rows[better].accuracy, &other)))
            .saying(", the difference of the test accuracies")
            .within(ABOVE_0, otherwise);
    }
}

/// Whether claims are made about this row. One seed of a network says nothing of the others; a kernel machine begins at no
/// random weights.
fn is_judged(rows: &[Row], k: usize) -> bool {
    k == KERNEL || rows[k].accuracy.len() > 1
}

fn shift_claims(outcome: &mut Outcome, rows: &[Row]) {
    let lost = |k: usize| rows[k].lost(COMPARED);
    claim(outcome, format!("LeNet-5 loses less than a perceptron where images move by {COMPARED} pixels"))
        .named("lenet-loses-less")
        .expected("less lost")
        .estimated(Estimate::mean(&differences(&lost(MLP), &lost(LENET))))
        .saying(", the loss of accuracy of the MLP, minus that of the network")
        .within(
            0.02..,
            "The affine layers behind the filters depend on positions as much as a perceptron does.",
        );
    claim(outcome, format!("LeNet-5 is not invariant: it loses much where images move by {SHIFTS} pixels"))
        .named("lenet-not-invariant")
        .expected("much is lost: pools of 2×2 forget a pixel or two")
        .estimated(Estimate::mean(&rows[LENET].lost(SHIFTS)))
        .saying(", the accuracy that LeNet-5 loses")
        .within(0.2.., "Small digits leave a margin, and training images are not centred exactly.");
    for (id, k, plain, name) in
        [("moved-perceptron", MOVED_MLP, MLP, "a perceptron"), ("moved-lenet", MOVED_LENET, LENET, "LeNet-5")]
    {
        claim(outcome, format!("Trained on moved images, {name} loses less on moved ones"))
            .named(id)
            .expected("less lost than without")
            .estimated(Estimate::mean(&differences(&lost(plain), &lost(k))))
            .saying(", the loss of accuracy without augmentation, minus that with it")
            .within(0.02.., "Where little is lost without augmentation, little can be gained.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_from_one_seed_is_part_of_no_claim() {
        let claims = |seeds: usize| -> Vec<String> {
            let row = |k: usize| Row {
                name: String::new(),
                parameters: 1,
                samples: 100,
                epochs: 1,
                accuracy: vec![0.5; if k == CNN || k == VIT { seeds } else { 10 }],
                moved: vec![],
                seconds: 1.0,
                filters: None,
            };
            let mut outcome = Outcome::default();
            accuracy_claims(&mut outcome, &(0..=KERNEL).map(row).collect::<Vec<_>>());
            outcome.section.claims.iter().map(|claim| claim.id.clone()).collect()
        };
        let of_all = ["lenet-beats-perceptron", "lenet-beats-kernel"];
        assert_eq!(claims(1), of_all);
        assert_eq!(claims(10), [&of_all[..], &["lenet-beats-transformer"]].concat());
    }
}
