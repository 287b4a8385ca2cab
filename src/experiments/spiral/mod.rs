//! A network learns three spiral arms.

mod plane;
mod report;

use std::f64::consts::TAU;

use super::data::rows;
use super::prelude::*;
use crate::data::synthetic;
use crate::metrics::argmax;
use crate::nn::{Mode, Module};
use crate::report::grid;
use crate::train::FitOptions;

pub(super) use plane::{plane, small_plane};

pub const EXPERIMENT: Experiment = Experiment {
    name: "spiral",
    title: "A network on a spiral",
    question: "How does the decision boundary of a network form while it learns three spiral arms?",
    theory: &[
        "No line separates the arms; a network of two hidden layers approximates any continuous boundary \
         (Leshno, Lin, Pinkus and Schocken 1993). Here it is 2-64-64-3 with ReLU, trained by Adam on the \
         cross-entropy.",
        "With noise the arms overlap, most of all near the centre. The best possible classifier takes the \
         arm with the largest density at a point. How often that is right is the bound here (Devroye, \
         Györfi and Lugosi, \"A Probabilistic Theory of Pattern Recognition\", 1996, chapter 2).",
        "Networks learn slowly varying functions first (Rahaman et al., \"On the Spectral Bias of Neural \
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
pub(super) fn points(training: usize, turns: f64, seed: u64) -> Result<(Dataset, Dataset)> {
    let test = 3000;
    let all = synthetic::wound_spirals(training + test, ARMS, turns, NOISE, seed)?;
    Ok((all.take(training), rows(&all, training, all.len())))
}

impl Study for Spiral {
    const EDITION: u32 = 2;

    fn measure(context: &Context) -> Result<Spiral> {
        let of_seed = |seed: &u64| learn(context, *seed);
        let learnt = context.side_by_side(0..1, 1, "networks on the spiral", &seeds(context), of_seed)?;
        let (firsts, runs): (Vec<_>, Vec<_>) = learnt
            .into_iter()
            .map(|Learnt { test, stages, losses, run }| ((test, stages, losses), run))
            .unzip();
        let (test, stages, losses) = firsts.into_iter().next().expect("there is a seed");
        Ok(Spiral { test, stages, losses, runs })
    }

    fn report(&self) -> Outcome {
        report::all(self)
    }
}

struct Learnt {
    test: Points,
    stages: Vec<Stage>,
    losses: Vec<f64>,
    run: Run,
}

fn learn(context: &Context, seed: u64) -> Result<Learnt> {
    let (train, test) = points(context.pick(600, 1500), TURNS, seed)?;
    let mut net = Net::relu(&train, &[64, 64], seed)?;
    let mut optimizer = Optimizer::new(Adam::default(), 3e-3)?;
    let (mut losses, mut stages, mut done) = (Vec::new(), Vec::new(), 0);
    for (i, epochs) in STAGES.into_iter().enumerate() {
        // Each stage goes on from the one before, with an order of the samples of its own.
        let options = FitOptions::new(epochs - done, 32, derive(seed, i as u64));
        let history = net.fit(context, &mut optimizer, (&train, None), &options)?;
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

fn finding(found: &Found) -> Told {
    let accuracies: Vec<(&str, f64)> = found.all("test accuracy after ", "").collect();
    let lengths: Vec<(&str, f64)> = found.all("boundary after ", "").collect();
    let ((_, first), (epochs, last)) = (accuracies.first()?, accuracies.last()?);
    Some((
        "boundary",
        format!("A network of two hidden layers gets {} of new spiral points right", percent(*last)),
        format!(
            "The arms turn {TURNS} times for each unit of the distance to the centre. After one epoch, on \
             average over the seeds, the boundary is nearly straight, {} long, and {} of new points are \
             right. It bends along the arms as they are learned: {} long after {epochs} epochs. Far from \
             the points nothing was learned, and the boundary means nothing there. Near the centre the arms \
             overlap: no classifier at all would get more than {} right.",
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
