//! What is claimed of the three tasks, and shown.

use super::maps::Map;
use super::network::{BLOCKS, HEADS, WIDTH};
use super::{Algorithms, MAPPED, TASKS, Task};
use crate::experiments::prelude::*;
use crate::report::{Image, Images};

/// Pixels of a weight.
const ENLARGED: usize = 8;

pub(super) fn all(study: &Algorithms) -> Outcome {
    let Algorithms { learnt } = study;
    let mut outcome = Outcome::default();
    let of = |task: Task| learnt.iter().filter(move |learnt| learnt.task == task);
    let last = |task: Task| -> Vec<f64> {
        of(task).map(|l| l.marks.last().map_or(0.0, |mark| mark.answers)).collect()
    };
    let steps = |task: Task| of(task).next().and_then(|l| l.marks.last()).map_or(0, |mark| mark.step);
    for (id, task, least) in
        [("reverses", Task::Reverse, 0.95), ("sorts", Task::Sort, 0.9), ("adds", Task::Add, 0.5)]
    {
        let statement = match task {
            Task::Reverse => format!("It learns to turn six digits round in {} steps", steps(task)),
            Task::Sort => format!("It learns to sort six digits in {} steps", steps(task)),
            Task::Add => {
                format!("It learns to add most pairs of numbers of three digits in {} steps", steps(task))
            }
        };
        claim(&mut outcome, statement)
            .named(id)
            .expected(match task {
                Task::Reverse | Task::Sort => "nearly all answers right, to the last digit",
                Task::Add => {
                    "more than half by the median network, where guessing has one of 10,000; now and then one is late"
                }
            })
            .estimated(Estimate::median(&last(task)))
            .saying(", the share of whole answers; the median of the seeds")
            .within(
                least..,
                "An answer counts only if all its digits are right. How many steps a network needs until it \
                 has found the method differs from seed to seed.",
            );
    }
    // Half way of a long training all may be right: what counts is when they are learnt.
    let gap: Vec<f64> =
        of(Task::Add).map(|l| range(l.marks.iter().map(|mark| mark.digits - mark.answers)).1).collect();
    claim(
        &mut outcome,
        "Sums are learnt digit by digit: for a time, far more digits are right than whole answers",
    )
    .named("digit-by-digit")
    .expected("a share of the digits far above that of the answers")
    .estimated(Estimate::mean(&gap))
    .saying(", the largest share of digits minus share of answers at any mark")
    .within(0.3.., "Guesses also have some digits right, but no whole answer.");

    let across = |map: &Map| map.at(|query| map.length - 1 - query);
    let reversed: Vec<f64> = of(Task::Reverse).map(|l| range(l.maps.iter().map(across)).1).collect();
    claim(&mut outcome, "To turn a sequence round, a head looks at the place across")
        .named("head-looks-across")
        .expected("a weight near 1 there; 1/6 where it looks everywhere alike")
        .estimated(Estimate::mean(&reversed))
        .saying(", the mean weight of the place across, in the head that has most")
        .within(0.5.., "Two heads and two blocks can share the work, each for a part of the places.");
    outcome.draw(
        "accuracy",
        "How accuracy grows",
        format!(
            "Means over the seeds ({}), on problems not used in training. Each step uses {} new problems. \
             Compare where whole answers begin to be right, and how long digits are right before that.",
            list(TASKS, |task| format!("{}: {}", task.name(), of(task).count())),
            super::BATCH
        ),
        TASKS.map(|task| {
            let first = of(task).next().map_or(0, |l| l.marks.len());
            let mean_of = |value: fn(&super::Mark) -> f64| -> Vec<(f64, f64)> {
                let at = |k: usize| {
                    let values: Vec<f64> = of(task).filter_map(|l| l.marks.get(k)).map(value).collect();
                    let step = of(task).next().map_or(0, |l| l.marks[k].step);
                    (step as f64, mean(&values))
                };
                (0..first).map(at).collect()
            };
            Chart::new(Axis::linear("step"), Axis::linear("share that is right").range(0.0, 1.04))
                .title(task.name())
                .line(Line::new(mean_of(|mark| mark.digits)).label("digits").marker(Marker::Circle))
                .line(Line::new(mean_of(|mark| mark.answers)).label("answers").marker(Marker::Square))
        }),
    );
    let pictures = TASKS.map(|task| {
        let maps = of(task).take(1).flat_map(|learnt| &learnt.maps);
        let images =
            maps.map(|map| (picture(map), format!("block {}, head {}", map.block + 1, map.head + 1)));
        Images::new(BLOCKS * HEADS, images).title(task.name())
    });
    outcome.figure(&pictures.into_iter().fold(
        Figure::new(
            "attention",
            "Where each token looks",
            format!(
                "Attention weights of the first seed, means over {MAPPED} sequences. Each row is a token \
                 that looks, each column a token that is looked at. Dark is 0, bright is 1. For the \
                 reversed sequence, look for the diagonal that rises to the right: each place looks at its \
                 mirrored place. For a sum, the first four rows give the answer; columns 1 to 3 and 5 to 7 \
                 hold the numbers."
            ),
        ),
        |figure, images| figure.panel(images),
    ));
    let rows: Vec<(Task, Vec<f64>)> = TASKS.iter().map(|task| (*task, last(*task))).collect();
    let parameters = learnt.first().map_or(0, |l| l.parameters);
    let caption = format!(
        "Answers of a transformer of {BLOCKS} blocks of width {WIDTH} with {HEADS} heads, about \
         {parameters} parameters"
    );
    outcome.table(
        Table::of("tasks", caption, &rows)
            .column("task", |(task, _)| task.name())
            .column("steps", |(task, _)| steps(*task))
            .column("seeds", |(_, shares)| shares.len())
            .column("share of whole answers", |(_, shares)| mean(shares))
            .column("least of the seeds", |(_, shares)| range(shares.iter().copied()).0)
            .column("digits", |(task, _)| {
                let digits: Vec<f64> =
                    of(*task).filter_map(|l| l.marks.last()).map(|mark| mark.digits).collect();
                mean(&digits)
            }),
    );
    for (task, shares) in &rows {
        outcome.number(format!("{}: share of answers", task.name()), mean(shares));
    }
    outcome.number("add: digits less answers, at most", mean(&gap));
    outcome.number("reverse: weight of the place across", mean(&reversed));
    outcome
}

/// A map as a picture, each weight a square.
fn picture(map: &Map) -> Image {
    let side = map.length * ENLARGED;
    Image::from_fn(side, side, |x, y| {
        let weight = map.weights[y / ENLARGED * map.length + x / ENLARGED];
        let grey = (255.0 * weight.clamp(0.0, 1.0)).round() as u8;
        [grey, grey, grey, 255]
    })
}
