//! A network learns three spiral arms.

use std::f64::consts::TAU;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

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
        "With noise the arms overlap, most of all near the centre. The best that any classifier can do is to take the \
         arm of the largest density at a point; how often that is right is the bound here (Devroye, Györfi and Lugosi, \
         \"A Probabilistic Theory of Pattern Recognition\", 1996, chapter 2).",
        "Networks learn what varies slowly first (Rahaman et al., \"On the Spectral Bias of Neural \
         Networks\", 2019). So the boundary should be short and smooth at first, and grow longer as it \
         follows the arms.",
    ],
    parts: Parts::of::<Spiral>(),
    finding,
};

pub(super) const ARMS: usize = 3;
pub(super) const NOISE: f64 = 0.05;
/// Turns of the arms for each unit of the distance to the centre.
pub(super) const TURNS: f64 = 1.25;
pub(super) const SPAN: (f64, f64) = (-1.2, 1.2);
pub(super) const CELLS: usize = 120;
/// Epochs after which the boundary is drawn.
const STAGES: [usize; 6] = [1, 5, 15, 40, 100, 250];
/// Those that are seen first.
const SHOWN: [usize; 3] = [1, 15, 250];

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Spiral {
    /// Test points of the first run that are drawn.
    test: Points,
    /// The first run.
    stages: Vec<Stage>,
    /// Mean loss of each epoch of it.
    #[serde(with = "lossless")]
    losses: Vec<f64>,
    /// All of them, a seed each.
    runs: Vec<Run>,
}

/// What one seed gave.
#[derive(Serialize, Deserialize)]
struct Run {
    /// After each stage.
    accuracy: Vec<f64>,
    /// Length of the boundary after each stage.
    length: Vec<f64>,
    /// The share of the same test points that the best of all classifiers gets right.
    best: f64,
}

/// Points of the plane, and the arm of each.
#[derive(Serialize, Deserialize)]
pub(super) struct Points {
    places: Vec<[f64; 2]>,
    arms: Vec<usize>,
}

impl Points {
    pub fn len(&self) -> usize {
        self.arms.len()
    }

    /// Those that are drawn of some data.
    pub fn of(data: &Dataset) -> Points {
        let data = &data.take(POINTS);
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

/// Points to train on, and others to test on, on arms of so many turns.
pub(super) fn points(context: &Context, turns: f64, seed: u64) -> Result<(Dataset, Dataset)> {
    let (training, test) = context.pick((600, 3000), (1500, 3000));
    let all = synthetic::wound_spirals(training + test, ARMS, turns, NOISE, seed)?;
    Ok((all.take(training), rows(&all, training, all.len())))
}

impl Study for Spiral {
    const EDITION: u32 = 2;

    fn measure(context: &Context) -> Result<Spiral> {
        context.at(0, 1, "networks on the spiral")?;
        let of_seed = |seed: &u64| learn(context, *seed);
        let learnt: Vec<Learnt> = seeds(context).par_iter().map(of_seed).collect::<Result<_>>()?;
        let (firsts, runs): (Vec<_>, Vec<_>) = learnt
            .into_iter()
            .map(|Learnt { test, stages, losses, run }| ((test, stages, losses), run))
            .unzip();
        let (test, stages, losses) = firsts.into_iter().next().expect("there is a seed");
        Ok(Spiral { test, stages, losses, runs })
    }

    fn report(&self) -> Outcome {
        report(self)
    }
}

struct Learnt {
    test: Points,
    stages: Vec<Stage>,
    losses: Vec<f64>,
    run: Run,
}

fn learn(context: &Context, seed: u64) -> Result<Learnt> {
    let (train, test) = points(context, TURNS, seed)?;
    let mut net = Net::relu(&train, &[64, 64], seed)?;
    let mut optimizer = Optimizer::new(Adam::default(), 3e-3)?;
    let (mut losses, mut stages, mut done) = (Vec::new(), Vec::new(), 0);
    for (i, epochs) in STAGES.into_iter().enumerate() {
        // Each stage goes on from the one before, with an order of the samples of its own.
        let options = FitOptions::new(epochs - done, 32, derive(seed, i as u64));
        let history = net.fit_silently(context, &mut optimizer, (&train, None), &options)?;
        losses.extend(history.epochs.iter().map(|epoch| epoch.train_loss));
        done = epochs;
        let classes = classify(&net.model, &mut net.tape, &grid(CELLS, SPAN, SPAN));
        let found = classify(&net.model, &mut net.tape, &places(&test.take(POINTS)));
        let mut right = |data: &Dataset| -> Result<Right> {
            let confusion = net.evaluate(data)?.confusion;
            let count = confusion.map_or(0, |matrix| (0..ARMS).map(|arm| matrix.count(arm, arm)).sum());
            Ok(Right { count, of: data.len() as u64 })
        };
        let (train, test) = (right(&train)?, right(&test)?);
        stages.push(Stage { epochs, length: boundary_length(&classes), classes, found, train, test });
    }
    let run = Run {
        accuracy: stages.iter().map(|stage| stage.test.share()).collect(),
        length: stages.iter().map(|stage| stage.length).collect(),
        best: best_possible(&test),
    };
    Ok(Learnt { test: Points::of(&test), stages, losses, run })
}

/// The share of some points that lie where their own arm has the largest density of all: with c(t) on the arm, the mean
/// of exp(−‖x − c(t)‖²/(2σ²)) over t.
fn best_possible(data: &Dataset) -> f64 {
    const STEPS: usize = 200;
    let on_arm = |arm: usize| {
        (0..STEPS).map(move |k| {
            let t = 0.05 + 0.95 * (k as f64 + 0.5) / STEPS as f64;
            let angle = TAU * (arm as f64 / ARMS as f64 + TURNS * t);
            [t * Float::cos(angle), t * Float::sin(angle)]
        })
    };
    let arms: Vec<Vec<[f64; 2]>> = (0..ARMS).map(|arm| on_arm(arm).collect()).collect();
    let density = |[x, y]: [f64; 2], arm: &Vec<[f64; 2]>| -> f64 {
        let square = |c: &[f64; 2]| (x - c[0]) * (x - c[0]) + (y - c[1]) * (y - c[1]);
        arm.iter().map(|c| Float::exp(-square(c) / (2.0 * NOISE * NOISE))).sum()
    };
    let best = |point| argmax(&arms.iter().map(|arm| density(point, arm)).collect::<Vec<f64>>());
    let points = places(data).into_iter().enumerate();
    points.filter(|(i, point)| best(*point) == Some(data.label(*i))).count() as f64 / data.len() as f64
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
    let drawn = || 0..points.arms.len();
    let place = |i: usize| (points.places[i][0], points.places[i][1]);
    let chart = (0..ARMS).fold(chart, |chart, arm| {
        let of_arm = drawn().filter(|i| points.arms[*i] == arm).map(place);
        chart.points(of_arm, Marker::Dot, Color::series(arm), format!("arm {}", arm + 1))
    });
    let wrong = drawn().filter(|i| found[*i] != Some(points.arms[*i])).map(place);
    chart.points(wrong, Marker::Cross, Color::Ink, "taken for another")
}

/// The same as a small square, which names each arm near its outer end.
pub(super) fn small_plane(
    title: String,
    points: &Points,
    classes: &[Option<usize>],
    found: &[Option<usize>],
) -> Chart {
    let radius = |[x, y]: [f64; 2]| x * x + y * y;
    (0..ARMS).fold(plane(title, points, classes, found).bare(), |chart, arm| {
        let of_arm = (0..points.len()).filter(|i| points.arms[*i] == arm).map(|i| points.places[i]);
        // At the edge the name would be cut off.
        let within = of_arm.filter(|place| place.iter().all(|x| x.abs() < 0.9 * SPAN.1));
        match within.max_by(|a, b| radius(*a).total_cmp(&radius(*b))) {
            Some([x, y]) => chart.note((x, y), format!("arm {}", arm + 1), Color::Ink),
            None => chart,
        }
    })
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

fn report(spiral: &Spiral) -> Outcome {
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
            ", by which the test accuracy, {}, is less than that after {} epochs",
            fixed(mean(&accuracy), 3),
            last.epochs
        ))
        .within(
            ..=0.03,
            format!(
                "{} points of each arm are learned, with a noise of {NOISE} in every coordinate. So few do not tell \
                 where between the arms the densities are equal.",
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
            "The length is that in the whole square, also where there are no points. A boundary that is long there by \
             chance at first need not grow.",
        );
    let epochs = |stage: &Stage| match stage.epochs {
        1 => "1 epoch".to_string(),
        epochs => format!("{epochs} epochs"),
    };
    let small_panel = |stage: &Stage| {
        let title = format!("{}: {} right", epochs(stage), percent(stage.test.share()));
        small_plane(title, test, &stage.classes, &stage.found)
    };
    let panel = |stage: &Stage| {
        let Right { count, of } = stage.test;
        let title = format!("{}, {count} of {of} test points right", epochs(stage));
        plane(title, test, &stage.classes, &stage.found)
    };
    let figure = Figure::new(
        "boundary",
        "The boundary over training time",
        format!(
            "The first {} of {} test points over the classes that the network gives, by the first seed; a cross is a point \
             that it takes for another arm. See how straight the boundaries are at first, and how they bend along the \
             arms. Beyond the points nothing was learned, and the boundary there means nothing.",
            test.arms.len(),
            last.test.of
        ),
    );
    let shown = stages.iter().filter(|stage| SHOWN.contains(&stage.epochs));
    outcome.figure(&figure.panels(shown.map(small_panel)));
    outcome.figure(
        &Figure::new("stages", "Epoch by epoch", "The same with the stages between.")
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
            "Loss after every epoch, the others after the epochs that are drawn above: means over {} seeds, and their \
             range. Compare where the accuracy and the length of the boundary rise, and whether the loss falls fastest \
             there. The length is counted along the sides of the cells that are drawn: a slanting boundary counts up to \
             √2 times what it measures.",
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
             the boundary means nothing there. Near the centre the arms overlap: no classifier at all would get more than \
             {} right.",
            fixed(lengths.first()?.1, 1),
            percent(*first),
            fixed(lengths.last()?.1, 1),
            percent(found.number("accuracy of the best classifier")?)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without noise every point lies on its own arm; far from all arms there is still a nearest one.
    #[test]
    fn the_best_classifier_knows_the_arms() {
        let still = synthetic::wound_spirals(600, ARMS, TURNS, 0.0, 1).unwrap();
        assert!(best_possible(&still) > 0.99);
        let drawn = |noise| synthetic::wound_spirals(3000, ARMS, TURNS, noise, 1).unwrap();
        let [some, much] = [NOISE, 1.0].map(|noise| best_possible(&drawn(noise)));
        assert!((0.9..0.999).contains(&some) && much < 0.6, "{some} {much}");
        // The labels of another turn of the arms: as good as a guess.
        let other = drawn(NOISE);
        let labels: Vec<usize> = (0..other.len()).map(|i| (other.label(i) + 1) % ARMS).collect();
        assert!(best_possible(&other.with_labels(&labels, ARMS).unwrap()) < 0.05);
    }
}
