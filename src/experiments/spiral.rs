//! A network learns three spiral arms.

use super::data::rows;
use super::prelude::*;
use crate::data::synthetic;
use crate::metrics::argmax;
use crate::nn::{Mode, Module};
use crate::report::grid;
use crate::train::FitOptions;

pub const EXPERIMENT: Experiment = Experiment {
    name: "spiral",
    question: "How does the decision boundary of a network form while it learns three spiral arms?",
    theory: &[
        "No line tells the arms apart; a network of two hidden layers approximates any continuous boundary \
         (Leshno, Lin, Pinkus and Schocken 1993). Here it is 2-64-64-3 with ReLU, trained by Adam on the \
         cross-entropy.",
        "Networks learn what varies slowly first (Rahaman et al., \"On the Spectral Bias of Neural \
         Networks\", 2019). So the boundary should be short and smooth at first, and grow longer as it \
         follows the arms.",
    ],
    parts: Parts::of::<Spiral>(),
    finding,
};

pub(super) const ARMS: usize = 3;
const NOISE: f64 = 0.05;
pub(super) const SPAN: (f64, f64) = (-1.2, 1.2);
pub(super) const CELLS: usize = 120;
/// Epochs after which the boundary is drawn.
const STAGES: [usize; 6] = [1, 5, 15, 40, 100, 250];
/// Those that are seen first.
const SHOWN: [usize; 3] = [1, 15, 250];

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Spiral {
    test: Points,
    stages: Vec<Stage>,
    /// Mean loss of each epoch.
    #[serde(with = "lossless")]
    losses: Vec<f64>,
}

/// Points of the plane, and the arm of each.
#[derive(Serialize, Deserialize)]
pub(super) struct Points {
    places: Vec<[f64; 2]>,
    arms: Vec<usize>,
}

impl Points {
    pub fn of(data: &Dataset) -> Points {
        Points { places: places(data), arms: (0..data.len()).map(|i| data.label(i)).collect() }
    }
}

/// The state after one stage.
#[derive(Serialize, Deserialize)]
struct Stage {
    epochs: usize,
    classes: Vec<Option<usize>>,
    /// The classes that the test points are given.
    found: Vec<Option<usize>>,
    train: Right,
    test: Right,
    /// Length of the boundary in the drawn square, in units of x, along the sides of cells: a slanting line
    /// counts up to √2 times its length.
    length: f64,
}

/// Points that are classified right.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Right {
    count: u64,
    of: u64,
}

impl Right {
    fn share(self) -> f64 {
        self.count as f64 / self.of as f64
    }
}

/// Points to train on, and others to test on.
pub(super) fn points(context: &Context) -> Result<(Dataset, Dataset)> {
    let (training, test) = context.pick((600, 600), (1500, 3000));
    let all = synthetic::spirals(training + test, ARMS, NOISE, context.seed)?;
    Ok((all.take(training), rows(&all, training, all.len())))
}

impl Study for Spiral {
    fn measure(context: &Context) -> Result<Spiral> {
        context.at(0, 1, "data")?;
        let (train, test) = points(context)?;
        let mut net = Net::relu(&train, &[64, 64], context.seed)?;
        let mut optimizer = Optimizer::new(Adam::default(), 3e-3)?;
        let (mut epochs_done, mut stages, mut done) = (Vec::new(), Vec::new(), 0);
        for (i, epochs) in STAGES.into_iter().enumerate() {
            context.at(i, STAGES.len(), "training")?;
            // Each stage goes on from the one before, with an order of the samples of its own.
            let options = FitOptions::new(epochs - done, 32, derive(context.seed, i as u64));
            let history = net.fit(context, "training", &mut optimizer, (&train, None), &options, None)?;
            epochs_done.extend(history.epochs);
            done = epochs;
            let classes = classify(&net.model, &mut net.tape, &grid(CELLS, SPAN, SPAN));
            let found = classify(&net.model, &mut net.tape, &places(&test));
            let mut right = |data: &Dataset| -> Result<Right> {
                let confusion = net.evaluate(data)?.confusion;
                let count = confusion.map_or(0, |matrix| (0..ARMS).map(|arm| matrix.count(arm, arm)).sum());
                Ok(Right { count, of: data.len() as u64 })
            };
            let (train, test) = (right(&train)?, right(&test)?);
            stages.push(Stage { epochs, length: boundary_length(&classes), classes, found, train, test });
        }
        let losses = epochs_done.iter().map(|epoch| epoch.train_loss).collect();
        Ok(Spiral { test: Points::of(&test), stages, losses })
    }

    fn report(&self) -> Outcome {
        report(&self.test, &self.stages, &self.losses)
    }
}

/// The class of each point; `None` where it is undecided.
pub(super) fn classify(model: &dyn Module<f64>, tape: &mut Tape, points: &[[f64; 2]]) -> Vec<Option<usize>> {
    tape.rewind();
    let x = tape.constant_slice(points.len(), 2, points.as_flattened());
    let scores = model.forward(tape, x, &mut Mode::evaluation());
    let classes = tape.value_slice(scores).chunks(ARMS).map(argmax).collect();
    tape.rewind();
    classes
}

/// The points of some data.
pub(super) fn places(data: &Dataset) -> Vec<[f64; 2]> {
    data.to_rows::<f64>().chunks_exact(2).map(|point| [point[0], point[1]]).collect()
}

/// How many points are drawn.
pub(super) const POINTS: usize = 600;

/// Points over the classes that a model gives to the cells of the plane, with those marked that it takes for another
/// class than their own: `found` is what it takes each for.
pub(super) fn plane(
    title: String,
    points: &Points,
    classes: &[Option<usize>],
    found: &[Option<usize>],
) -> Chart {
    let axis = |name: &str| Axis::linear(name).range(SPAN.0, SPAN.1);
    let chart = Chart::new(axis("x"), axis("y")).title(title).square().class_map(CELLS, SPAN, SPAN, classes);
    let drawn = || 0..points.arms.len().min(POINTS);
    let place = |i: usize| (points.places[i][0], points.places[i][1]);
    let chart = (0..ARMS).fold(chart, |chart, arm| {
        let of_arm = drawn().filter(|i| points.arms[*i] == arm).map(place);
        chart.points(of_arm, Marker::Dot, Color::series(arm), format!("arm {}", arm + 1))
    });
    let wrong = drawn().filter(|i| found[*i] != Some(points.arms[*i])).map(place);
    chart.points(wrong, Marker::Cross, Color::Ink, "taken for another")
}

/// Sides of cells with another class beyond them, times the length of a side.
fn boundary_length(classes: &[Option<usize>]) -> f64 {
    let at = |row: usize, column: usize| classes[row * CELLS + column];
    let mut sides = 0;
    for row in 0..CELLS {
        for column in 0..CELLS {
            sides += usize::from(column + 1 < CELLS && at(row, column) != at(row, column + 1));
            sides += usize::from(row + 1 < CELLS && at(row, column) != at(row + 1, column));
        }
    }
    sides as f64 * (SPAN.1 - SPAN.0) / CELLS as f64
}

/// The least count that is 95 of 100.
fn needed(of: u64) -> u64 {
    (95 * of).div_ceil(100)
}

fn report(test: &Points, stages: &[Stage], losses: &[f64]) -> Outcome {
    let mut outcome = Outcome::default();
    let (first, last) = (&stages[0], &stages[stages.len() - 1]);
    claim(&mut outcome, "Two hidden layers tell the arms apart")
        .named("arms-apart")
        .expected("about 97 of 100 new points right")
        .measured(format!(
            "{} of {} right ({}) after {} epochs",
            last.test.count,
            last.test.of,
            fixed(last.test.share(), 4),
            last.epochs
        ))
        .criterion(format!("at least {} of {}, which is 95 of 100", needed(last.test.of), last.test.of))
        .holds(
            last.test.count >= needed(last.test.of),
            format!(
                "{} points of each arm are learned, with a noise of {NOISE} in every coordinate. Near the \
                 centre the arms are closer together than that, and no classifier tells the points there \
                 apart.",
                last.train.of / ARMS as u64
            ),
        );
    claim(&mut outcome, "The boundary is short at first and grows while the arms are learned")
        .named("boundary-grows")
        .expected("longer in the end")
        .measured(format!(
            "{} after {} epoch, {} after {} (along the sides of cells, in units of x)",
            fixed(first.length, 1),
            first.epochs,
            fixed(last.length, 1),
            last.epochs
        ))
        .criterion("the last length is at least 1.5 times the first")
        .holds(
            last.length >= 1.5 * first.length,
            format!(
                "The length is that in the whole square, also where there are no points. A boundary that is \
                 long there by chance at first need not grow; the test accuracy grows from {} to {}.",
                fixed(first.test.share(), 3),
                fixed(last.test.share(), 3)
            ),
        );
    let some = if test.arms.len() > POINTS {
        format!(" The first {POINTS} of them are drawn.")
    } else {
        String::new()
    };
    let panel = |stage: &Stage| {
        let Stage { epochs, test: right, .. } = stage;
        let plural = if *epochs == 1 { "epoch" } else { "epochs" };
        let title = format!("{epochs} {plural}, {} of {} test points right", right.count, right.of);
        plane(title, test, &stage.classes, &stage.found)
    };
    let figure = Figure::new(
        "boundary",
        "The boundary over training time",
        format!(
            "Test points over the classes that the network gives; a cross is a point that it takes for another arm. See \
             how straight the boundaries are at first, and how they bend along the arms. Beyond the points nothing was \
             learned, and the boundary there means nothing.{some}"
        ),
    );
    let shown = stages.iter().filter(|stage| SHOWN.contains(&stage.epochs));
    outcome.figure(&figure.panels(shown.map(panel)));
    outcome.figure(
        &Figure::new("stages", "Epoch by epoch", "The same with the stages between.")
            .slider("epoch", stages.iter().map(|stage| stage.epochs.to_string()))
            .panels(stages.iter().map(panel)),
    );

    let last_loss = losses.last().copied().unwrap_or(f64::NAN);
    let losses = losses.iter().enumerate().map(|(i, loss)| ((i + 1) as f64, *loss));
    let over_epochs = |f: &dyn Fn(&Stage) -> f64| -> Vec<(f64, f64)> {
        stages.iter().map(|stage| (stage.epochs as f64, f(stage))).collect()
    };
    let loss = Chart::new(Axis::log("epoch"), Axis::log("mean cross-entropy (nats)"))
        .title("Loss on the training points")
        .line(Line::new(losses));
    let accuracy = Chart::new(Axis::log("epoch"), Axis::linear("accuracy"))
        .title("Accuracy")
        .line(Line::new(over_epochs(&|s| s.train.share())).label("training").marker(Marker::Circle))
        .line(Line::new(over_epochs(&|s| s.test.share())).label("test").marker(Marker::Square));
    let length = Chart::new(Axis::log("epoch"), Axis::linear("length (units of x)").holding(0.0))
        .title("The boundary in the drawn square")
        .line(Line::new(over_epochs(&|s| s.length)).marker(Marker::Circle));
    outcome.draw(
        "curves",
        "Loss, accuracy and length of the boundary",
        "Loss after every epoch, the others after the epochs that are drawn above. Compare where the \
         accuracy and the length of the boundary rise, and whether the loss falls fastest there. The length \
         is counted along the sides of the cells that are drawn: a slanting boundary counts up to √2 times \
         what it measures.",
        [loss, accuracy, length],
    );

    for stage in stages {
        outcome.number(format!("test accuracy after {}", stage.epochs), stage.test.share());
        outcome.number(format!("boundary after {}", stage.epochs), stage.length);
    }
    outcome.number("last loss", last_loss);
    let caption = format!("The stages, of {} training and {} test points", last.train.of, last.test.of);
    outcome.table(
        Table::of("stages", caption, stages)
            .column("epochs", |stage| stage.epochs)
            .column("training points right", |stage| stage.train.count as usize)
            .column("test points right", |stage| stage.test.count as usize)
            .column("boundary, along sides of cells (units of x)", |stage| stage.length),
    );
    outcome
}

fn finding(found: &Found) -> Told {
    let accuracies: Vec<(&str, f64)> = found.all("test accuracy after ", "").collect();
    let lengths: Vec<(&str, f64)> = found.all("boundary after ", "").collect();
    let ((_, first), (epochs, last)) = (accuracies.first()?, accuracies.last()?);
    Some((
        "boundary",
        format!("A network of two hidden layers gets {} of new spiral points right", percent(*last)),
        format!(
            "After one epoch the boundary is nearly straight, {} long, and {} of new points are right. It bends along \
             the arms as they are learned: {} long after {epochs} epochs. Far from the points nothing was learned, and \
             the boundary means nothing there.",
            fixed(lengths.first()?.1, 1),
            percent(*first),
            fixed(lengths.last()?.1, 1)
        ),
    ))
}
