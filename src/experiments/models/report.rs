//! What is claimed of the three models, and shown.

use super::families::{NAMES, Row};
use super::{Fitted, Images, Models, Spiral, TRAINING, between_ends};
use crate::experiments::prelude::*;
use crate::experiments::spiral::{ARMS, NOISE, plane, small_plane};

pub(super) fn all(models: &Models) -> Outcome {
    let Models { spirals, images } = models;
    let mut outcome = Outcome::default();
    let (few, many) = (&spirals[0], &spirals[1]);
    spiral_claims(&mut outcome, few, many);
    image_claims(&mut outcome, images);
    outcome.figure(&boundaries(spirals));
    outcome.figure(&given(spirals));
    outcome.figure(&bars(spirals, images));
    for spiral in spirals {
        let name = format!("spiral-{}", (100.0 * spiral.turns).round());
        let caption = format!(
            "On arms of {} turns, by the first seed: the MLP 2-64-64-{ARMS} in f64, and KRR with {}",
            spiral.turns, spiral.chosen
        );
        outcome.table(table(&name, caption, spiral.fits.iter().map(|fit| &fit.row)));
        for fit in &spiral.fits {
            let name = format!("{} turns, {}", spiral.turns, fit.row.model);
            outcome.number(format!("{name}: mean test accuracy"), mean(&fit.accuracy));
            outcome.number(format!("{name}: bytes for predictions"), fit.row.kept_bytes as f64);
        }
        outcome.number(format!("{} turns: γ", spiral.turns), spiral.chosen.gamma);
        outcome.number(format!("{} turns: λ", spiral.turns), spiral.chosen.lambda);
    }
    let caption = format!(
        "On images ({}): the MLP {}-128-{} in f32, and KRR with {}",
        images.name, images.features, images.classes, images.chosen
    );
    outcome.table(table("images", caption, &images.rows));
    for row in &images.rows {
        let name = format!("images, {} on {}", row.model, row.samples);
        outcome.number(format!("{name}: test accuracy"), row.accuracy);
        outcome.number(format!("{name}: bytes for predictions"), row.kept_bytes as f64);
    }
    for (k, name) in NAMES.iter().take(3).enumerate() {
        let name = format!("images, {name} on {} drawn: mean test accuracy", images.drawn);
        outcome.number(name, mean(&of_images(images, k)));
    }
    outcome.number("images: γ", images.chosen.gamma);
    outcome.number("images: λ", images.chosen.lambda);
    outcome
}

fn of_images(images: &Images, model: usize) -> Vec<f64> {
    images.accuracy.iter().map(|of_seed| of_seed[model]).collect()
}

fn spiral_claims(outcome: &mut Outcome, few: &Spiral, many: &Spiral) {
    let accuracy = |spiral: &Spiral, model: usize| spiral.fits[model].accuracy.clone();
    let estimate = |spiral: &Spiral, model: usize| Estimate::mean(&accuracy(spiral, model));
    claim(
        outcome,
        format!("Lines tell three spiral arms of {} turns apart in three of five cases", few.turns),
    )
    .named("spiral-lines")
    .expected("about 0.60; a wedge of a third of a turn holds 0.595 of such an arm")
    .estimated(estimate(few, 0))
    .saying(", the test accuracy")
    .within(0.57..=0.63, "One against the rest need not find the wedges that hold most of the arms.");
    claim(outcome, format!("On arms of {} turns lines do little better than a guess", many.turns))
        .named("spiral-lines-many-turns")
        .expected(
            "at most 0.44, the share of an arm that a wedge of a third of a turn holds; a guess has 0.33",
        )
        .estimated(estimate(many, 0))
        .saying(", the test accuracy")
        .within(..=0.44, "The bound is for a wedge around the centre, but the lines need not meet there.");
    claim(outcome, format!("A network with two hidden layers follows arms of {} turns", few.turns))
        .named("spiral-network")
        .expected("about 0.97")
        .estimated(estimate(few, 1))
        .saying(", the test accuracy")
        .within(
            0.95..,
            "With noise the arms overlap near the centre. Also, this number of epochs from one start need \
             not end near the best weights, and there are few samples.",
        );
    claim(outcome, "Kernel ridge regression with γ = 1 and λ = 10⁻³ follows them")
        .named("spiral-kernel")
        .expected("about 0.95")
        .estimated(estimate(few, 3))
        .saying(", the test accuracy")
        .within(
            0.93..=0.97,
            "Nothing has been chosen. This kernel and this ridge may be too stiff, or may suit the arms \
             better than expected.",
        );
    for (id, spiral) in [("spiral-choice", few), ("spiral-choice-many-turns", many)] {
        claim(outcome, format!("On arms of {} turns it gains by a γ and a λ that are chosen", spiral.turns))
            .named(id)
            .expected("a difference above 0")
            .estimated(Estimate::mean(&differences(&accuracy(spiral, 2), &accuracy(spiral, 3))))
            .saying(&format!(
                ", the test accuracy with {} minus that with γ = 1 and λ = 10⁻³, pair by pair",
                spiral.chosen
            ))
            .within(
                ABOVE_0,
                "The leave-one-out error is that of squares, not of classes. Also, γ goes up in factors of \
                 two, and the best may lie between.",
            );
    }
}

fn image_claims(outcome: &mut Outcome, images: &Images) {
    let [lines, mlp, krr] = [0, 1, 2].map(|model| of_images(images, model));
    let said = |a: &[f64], b: &[f64]| {
        format!(
            ", the difference of the test accuracies, {} and {}, on {} images",
            fixed(mean(a), 3),
            fixed(mean(b), 3),
            images.drawn
        )
    };
    let claims = [
        (
            "images-network-lines",
            "On images a network does better than a linear model",
            &mlp,
            &lines,
            "With so few samples it may learn nothing more that holds for new ones.",
        ),
        (
            "images-kernel-lines",
            "On images kernel ridge regression does better than a linear model",
            &krr,
            &lines,
            "With so few samples it may learn nothing more that holds for new ones.",
        ),
        (
            "images-kernel-network",
            "On the same images kernel ridge regression does better than the network",
            &krr,
            &mlp,
            "The kernel weighs all pixels alike; the hidden layer learns which of them matter.",
        ),
    ];
    for (id, statement, a, b, why) in claims {
        claim(outcome, statement)
            .named(id)
            .expected("a difference above 0")
            .estimated(Estimate::mean(&differences(a, b)))
            .saying(&said(a, b))
            .within(ABOVE_0, why);
    }
}

fn panel(spiral: &Spiral, fit: &Fitted, name: &str) -> Chart {
    let title = format!("{} turns, {name}: {}", spiral.turns, fixed(fit.row.accuracy, 3));
    plane(title, &spiral.test, &fit.classes, &fit.found)
}

fn small_panel(spiral: &Spiral, fit: &Fitted, name: &str) -> Chart {
    let title = format!("{} turns, {name}: {}", spiral.turns, fixed(fit.row.accuracy, 3));
    small_plane(title, &spiral.test, &fit.classes, &fit.found)
}

fn boundaries(spirals: &[Spiral]) -> Figure {
    let figure = Figure::new(
        "boundaries",
        "Three models on three arms",
        format!(
            "Fitted to {TRAINING} points with noise of {NOISE}. The first {} of {} test points over the classes predicted by the model; a cross is a \
             misclassified point. The arms turn {} or {} times for each unit of the distance to the centre, \
             that is {} or {} times from one end to the other. The numbers are test accuracies of the first \
             seed, for KRR with the chosen γ and λ; the title has the means over the seeds. Lines cut the \
             plane into three wedges. The network's boundaries consist of straight pieces, those of the \
             kernel machine are smooth.",
            spirals[0].test.len(),
            spirals[0].test_points,
            spirals[0].turns,
            spirals[1].turns,
            fixed(between_ends(spirals[0].turns), 2),
            fixed(between_ends(spirals[1].turns), 2)
        ),
    );
    let three = |spiral| ["logistic", "MLP", "KRR"].into_iter().enumerate().map(move |k| (spiral, k));
    figure.panels(
        spirals.iter().flat_map(three).map(|(spiral, (k, name))| small_panel(spiral, &spiral.fits[k], name)),
    )
}

fn given(spirals: &[Spiral]) -> Figure {
    Figure::new(
        "not-chosen",
        "The kernel machine with fixed γ and λ",
        "The same arms, of the first seed, with γ = 1 and a ridge of λ = 10⁻³. Compare with the chosen \
         values. On the arms that turn more this kernel is too wide: its boundaries cannot bend as often as \
         the arms do.",
    )
    .panels(spirals.iter().map(|spiral| panel(spiral, &spiral.fits[3], "KRR, γ = 1, λ = 10⁻³")))
}

fn bars(spirals: &[Spiral], images: &Images) -> Figure {
    let images = &images.rows;
    // Fits to more images than the kernel machine takes come behind those to the same.
    let more = images
        .iter()
        .skip(3)
        .map(|row| format!("{}, all", row.model.split(',').next().unwrap_or(&row.model)));
    let names: Vec<String> =
        ["logistic", "MLP", "KRR", "γ = 1"].map(String::from).into_iter().chain(more).collect();
    let names = || Axis::categories("", names.clone());
    // There is no untuned kernel machine on images.
    let place = |k: usize| if k < 3 { k as f64 } else { (k + 1) as f64 };
    let of_images = |f: &dyn Fn(&Row) -> f64| -> Vec<(f64, f64)> {
        images.iter().enumerate().map(|(k, row)| (place(k), f(row))).collect()
    };
    let of_spiral = |spiral: &Spiral, f: &dyn Fn(&Fitted) -> f64| -> Vec<(f64, f64)> {
        spiral.fits.iter().enumerate().map(|(k, fit)| (k as f64, f(fit))).collect()
    };
    let chart = Chart::new(names(), Axis::linear("right (%)").range(0.0, 112.0)).title("Test accuracy");
    let mean_of = |fit: &Fitted| mean(&fit.accuracy);
    let bars = [
        (format!("{} turns", spirals[0].turns), of_spiral(&spirals[0], &mean_of), Color::Green),
        (format!("{} turns", spirals[1].turns), of_spiral(&spirals[1], &mean_of), Color::Blue),
        ("images".to_string(), of_images(&|row| row.accuracy), Color::Vermilion),
    ];
    let percents = |values: &[(f64, f64)]| values.iter().map(|(k, y)| (*k, 100.0 * y)).collect::<Vec<_>>();
    let accuracy = bars.iter().enumerate().fold(chart, |chart, (i, (label, values, color))| {
        chart.bars(percents(values), (i, 3), *color, label.clone())
    });
    // Over the middle of its bar, and after all bars, which would cover it. Numbers over bars of equal height would
    // touch: those of the middle bars stand higher.
    let accuracy = bars.iter().enumerate().fold(accuracy, |chart, (i, (_, values, _))| {
        percents(values).into_iter().fold(chart, |chart, (k, y)| {
            let above = if i == 1 { 9.0 } else { 4.0 };
            chart.text((k + 0.255 * (i as f64 - 1.0), y + above), fixed(y, 0), Color::Ink)
        })
    });
    // A bar on a logarithmic axis would begin nowhere.
    let chart = |y: &str, title: &str, f: &dyn Fn(&Row) -> f64| {
        let spiral = of_spiral(&spirals[1], &|fit| f(&fit.row));
        let parts = [
            ("spiral of 1.25 turns", spiral, Color::Blue, Marker::Circle),
            ("images", of_images(f), Color::Vermilion, Marker::Square),
        ];
        // Numbers stand above the higher of two points and below the lower one, where nothing covers them; there is room
        // for those of the highest and of the lowest.
        let (least, most) = range(parts.iter().flat_map(|part| part.1.iter().map(|(_, y)| *y)));
        let off = Float::powf(most / least, 0.08).max(1.2);
        let axis = Axis::log(y).holding(most * off * off).holding(least / (off * off));
        let chart = Chart::new(names(), axis).title(title);
        let others = [parts[1].1.clone(), parts[0].1.clone()];
        parts.into_iter().zip(others).enumerate().fold(
            chart,
            |chart, (i, ((label, values, color, marker), others))| {
                let aside = 0.2 * i as f64 - 0.1;
                let is_lower = |(k, y): &(f64, f64)| others.iter().any(|other| other.0 == *k && *y < other.1);
                let notes: Vec<_> = values
                    .iter()
                    .map(|at| {
                        ((at.0 + aside, if is_lower(at) { at.1 / off } else { at.1 * off }), rounded(at.1, 2))
                    })
                    .collect();
                let chart =
                    chart.points(values.into_iter().map(|(k, y)| (k + aside, y)), marker, color, label);
                notes.into_iter().fold(chart, |chart, (at, text)| chart.text(at, text, Color::Ink))
            },
        )
    };
    let all = images
        .get(3)
        .map_or(String::new(), |row| format!(", and where it says \"all\" to {} images", row.samples));
    Figure::new(
        "comparison",
        "Cost and accuracy of the models",
        format!(
            "Fitted to {} points of a spiral and {} images, the same for all{all}. \"γ = 1\" is the kernel \
             machine with γ = 1 and λ = 10⁻³, without a choice. Accuracies on the spirals are means over {} \
             seeds. All axes but the accuracy are logarithmic. Times are of one run each. The time of a fit \
             does not include the choice of γ and λ, which is in the tables. Memory is what is held after \
             the fit.",
            spirals[0].fits[0].row.samples,
            images[0].samples,
            spirals[0].fits[0].accuracy.len()
        ),
    )
    .panel(accuracy)
    .panel(chart("memory of the fit (MB)", "Memory", &|row| row.fit_bytes as f64 / 1e6))
    .panel(chart("time of the fit (s)", "Time to fit, γ and λ given", &|row| row.fit_seconds))
    .panel(chart("time of a prediction (µs)", "Time to predict", &|row| 1e6 * row.predict_seconds))
}

fn table<'a>(name: &str, caption: String, rows: impl IntoIterator<Item = &'a Row>) -> Table {
    let rows = Vec::from_iter(rows);
    Table::of(name, caption, &rows)
        .column("model", |row| row.model.clone())
        .column("training samples", |row| row.samples)
        .column("test accuracy", |row| row.accuracy)
        .column("choice of γ and λ (s)", |row| Cell::or(row.choice_seconds, "none"))
        .column("fit (s)", |row| row.fit_seconds)
        .column("prediction (µs)", |row| 1e6 * row.predict_seconds)
        .column("memory of the fit (MB)", |row| row.fit_bytes as f64 / 1e6)
        .column("kept for predictions (MB)", |row| row.kept_bytes as f64 / 1e6)
        .into()
}
