//! Logistic regression: one optimum, whatever the start. What a hidden layer changes is in a file of its own, and so
//! are the descents and the figures.

mod descent;
mod figures;
mod hidden;

use nalgebra::DMatrix;

use super::prelude::*;
use descent::{Convex, Sample};
use hidden::{Ends, Landscape};

pub const EXPERIMENT: Experiment = Experiment {
    name: "logistic",
    title: "Logistic regression",
    question: "Does logistic regression come to the same optimum from every start, at the rate of the \
               theory?",
    theory: &[
        "The binary cross-entropy of a linear model is convex: its second derivatives ${XᵀSX}/{n}$ with $S \
         = diag(p(1−p))$ are positive semi-definite everywhere. So, if there is an optimum, gradient \
         descent comes to it from every start. Let L be the largest curvature. At a rate η of at most 1/L \
         the excess loss after T steps is at most ${‖w₀−w*‖²}/{2ηT}$ (Nesterov 2004, section 2.1). With a \
         hidden layer the loss is no longer convex: between two points it can rise above both, and descents \
         may end in several places. A ridge on all weights prevents weights that grow to infinity, where no \
         descent ends.",
        "Close to the optimum the loss is a quadratic with these second derivatives. Each step of gradient \
         descent leaves $(1−ηλₘᵢₙ)²$ of the excess loss.",
        "For two normal distributions with the same covariance $σ²I$ and means ±m the best boundary is \
         linear, and is right with probability $Φ(‖m‖/σ)$.",
    ],
    parts: Parts::of::<Logistic>(),
    finding,
};

/// Mean of class 1; that of class 0 is its opposite. Both have deviation 1 in each coordinate.
const MEAN: [f64; 2] = [1.0, 0.5];
const TRAINING: usize = 400;
const TEST: usize = 20_000;
const STARTS: usize = 6;

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Logistic {
    points: Points,
    /// Of these points.
    drawn: Drawn,
    landscape: Landscape,
    /// For each set of points, the first being that which is drawn.
    sets: Vec<Set>,
}

/// Points of the plane, and the class of each.
#[derive(Serialize, Deserialize)]
struct Points {
    places: Vec<[f64; 2]>,
    labels: Vec<usize>,
}

/// What is drawn of the descents.
#[derive(Serialize, Deserialize)]
struct Drawn {
    /// w₁, w₂ and b at the optimum, and the loss there.
    best: [f64; 3],
    loss: f64,
    descents: Vec<Vec<Sample>>,
}

/// One set of points.
#[derive(Serialize, Deserialize)]
struct Set {
    convex: Convex,
    hidden: Ends,
}

/// n points (n×2) and their classes, half of each.
fn draw(n: usize, seed: u64) -> (DMatrix<f64>, Vec<usize>) {
    let mut rng = stream(seed, Purpose::Data);
    let labels: Vec<usize> = (0..n).map(|i| i % 2).collect();
    let sign = |i: usize| if labels[i] == 1 { 1.0 } else { -1.0 };
    let mut x = DMatrix::zeros(n, 2);
    for i in 0..n {
        for (j, mean) in MEAN.iter().enumerate() {
            x[(i, j)] = sign(i) * mean + standard_normal(&mut rng);
        }
    }
    (x, labels)
}

/// The probability with which the best boundary is right.
fn best_accuracy() -> f64 {
    let length = (MEAN[0] * MEAN[0] + MEAN[1] * MEAN[1]).sqrt();
    0.5 * (1.0 + Float::erf(length / 2.0f64.sqrt()))
}

/// The classes as a column of 0 and 1.
fn append_targets(tape: &mut Tape, labels: &[usize]) -> Var {
    tape.constant_with(labels.len(), 1, |to| {
        to.iter_mut().zip(labels).for_each(|(y, label)| *y = *label as f64);
    })
}

impl Study for Logistic {
    fn measure(context: &Context) -> Result<Logistic> {
        let seeds = context.pick(5, 10);
        let (mut drawn, mut sets) = (None, Vec::new());
        let seed = |k: usize| if k == 0 { context.seed } else { derive(context.seed, 500 + k as u64) };
        for k in 0..seeds {
            context.at(k, 2 * seeds, "descent")?;
            let (convex, this) = descent::measure(context, seed(k), k == 0)?;
            drawn = drawn.or(this);
            sets.push(convex);
        }
        context.at(1, 2, "a hidden layer")?;
        let (ends, landscape) = hidden::measure(context, &(0..seeds).map(seed).collect::<Vec<_>>())?;
        let sets = sets.into_iter().zip(ends).map(|(convex, hidden)| Set { convex, hidden }).collect();
        let (x, labels) = draw(TRAINING, context.seed);
        let points = Points { places: x.row_iter().map(|row| [row[0], row[1]]).collect(), labels };
        let drawn = drawn.expect("the first set is drawn");
        Ok(Logistic { points, drawn, landscape, sets })
    }

    fn report(&self) -> Outcome {
        let mut outcome = Outcome::default();
        let Logistic { points, drawn, landscape, sets } = self;
        descent::claims(&mut outcome, &sets.iter().map(|set| &set.convex).collect::<Vec<_>>());
        let ends: Vec<&Ends> = sets.iter().map(|set| &set.hidden).collect();
        hidden::claims(&mut outcome, &ends);
        outcome.number("loss at the optimum", drawn.loss);
        drawn.best.iter().zip(["w1", "w2", "b"]).for_each(|(x, name)| outcome.number(name, *x));
        outcome.figure(&figures::convergence(drawn));
        outcome.figure(&figures::landscape(points, drawn));
        outcome.figure(&hidden::figure(landscape, &ends));
        outcome.table(
            Table::of("starts", "From each start", &Vec::from_iter(drawn.descents.iter().enumerate()))
                .column("start", |(i, _)| i + 1)
                .column("first excess loss", |(_, samples)| samples[0].excess)
                .column("steps to a gradient of 10⁻¹²", |(_, samples)| samples[samples.len() - 1].step),
        );
        outcome.table(hidden::table(landscape));
        outcome
    }
}

fn finding(found: &Found) -> Told {
    let title = found.by(
        "one-optimum",
        [
            "Descent from six starts comes to one optimum, the one that Newton's method finds",
            "From some starts these steps are too few to come to the one optimum",
            "This run does not decide whether descent comes to the one optimum",
        ],
    )?;
    Some((
        "landscape",
        title.into(),
        format!(
            "The loss has one valley. Close to its bottom, at {}, the excess shrinks at the rate of the \
             smallest curvature. The model is right on {} of new points. With a hidden layer the loss is not \
             convex: on the straight line between two ends it rises by {}, the mean over the sets of points.",
            fixed(found.number("loss at the optimum")?, 4),
            percent(found.number("test accuracy")?),
            rounded(found.number("barrier between two ends with a hidden layer")?, 2)
        ),
    ))
}
