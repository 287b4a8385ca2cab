//! The images, and those that a trained network is most wrong about.

use super::prelude::*;
use crate::metrics::argmax;
use crate::nn::{Mode, Module};
use crate::report::{Image, Images};
use crate::train::{EVALUATION_ROWS, FitOptions};

pub const EXPERIMENT: Experiment = Experiment {
    name: "samples",
    title: "Confident mistakes",
    question: "What do the images look like, and for which ones is a trained network confident but wrong?",
    theory: &[
        "The softmax of a network's outputs gives its probability for each class. If it is calibrated, it \
         is right in a share p of the cases in which it says p. Networks trained to a small loss are often \
         too sure (Guo et al., \"On Calibration of Modern Neural Networks\", 2017).",
        "Where it is wrong it should still be less sure than where it is right. The probability of the \
         chosen class is then a measure of trust (Hendrycks and Gimpel 2017).",
    ],
    parts: Parts::of::<Samples>(),
    finding,
};

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Samples {
    data: String,
    epochs: usize,
    classes: Vec<Class>,
    /// Ten training images of each class, where there are images at all.
    images: Vec<Picture>,
    /// Of the first seed, for each test sample.
    verdicts: Vec<Verdict>,
    /// Its most confident mistakes.
    mistakes: Vec<Mistake>,
    /// A seed each.
    runs: Vec<Run>,
}

/// A class: its name, and the training samples of it.
#[derive(Serialize, Deserialize)]
struct Class {
    name: String,
    training: usize,
}

/// What one seed gave.
#[derive(Serialize, Deserialize)]
struct Run {
    /// Mean training loss of the last epoch.
    #[serde(with = "lossless")]
    loss: f64,
    accuracy: f64,
    /// Mean probability of the chosen class; where that is right, and where it is wrong.
    confidence: f64,
    #[serde(with = "lossless")]
    where_right: f64,
    #[serde(with = "lossless")]
    where_wrong: f64,
}

/// The bytes of an image, row by row.
#[derive(Serialize, Deserialize)]
struct Picture {
    height: usize,
    width: usize,
    bytes: Vec<u8>,
}

impl Picture {
    fn of(data: &Dataset, row: usize) -> Option<Picture> {
        let (height, width) = data.image_shape()?;
        Some(Picture { height, width, bytes: data.bytes(row)?.to_vec() })
    }

    fn image(&self) -> Image {
        Image::from_bytes(&self.bytes, self.height, self.width)
    }
}

/// A test image that is taken for another class.
#[derive(Serialize, Deserialize)]
struct Mistake {
    picture: Picture,
    truth: usize,
    predicted: usize,
    confidence: f64,
}

/// What the network says about a test sample.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Verdict {
    truth: usize,
    /// `None` where the largest output stands there twice.
    predicted: Option<usize>,
    /// The largest probability.
    confidence: f64,
}

impl Verdict {
    fn right(&self) -> bool {
        self.predicted == Some(self.truth)
    }
}

/// Mistakes that are drawn.
const MISTAKES: usize = 20;

impl Study for Samples {
    const EDITION: u32 = 2;

    fn measure(context: &Context) -> Result<Samples> {
        let ExperimentData { train, test, .. } = context.data;
        let epochs = context.pick(12, 10);
        let of_seed = |seed: &u64| -> Result<(Run, Vec<Verdict>)> {
            let mut net = Net::<f32>::relu(train, &[128], *seed)?;
            let mut optimizer = Optimizer::new(Adam::default(), 1e-3)?;
            let options = FitOptions::new(epochs, 128, *seed);
            let history = net.fit(context, &mut optimizer, (train, None), &options)?;
            let verdicts = judge(&net.model, &mut net.tape, test);
            let loss = history.epochs.last().map_or(f64::NAN, |epoch| epoch.train_loss);
            Ok((run(loss, &verdicts), verdicts))
        };
        let all = context.side_by_side(0..1, 1, "training", &seeds(context), of_seed)?;
        let (runs, mut verdicts): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let verdicts = verdicts.swap_remove(0);
        let mut wrong: Vec<(usize, &Verdict)> =
            verdicts.iter().enumerate().filter(|(_, v)| !v.right()).collect();
        wrong.sort_by(|a, b| b.1.confidence.total_cmp(&a.1.confidence));
        let mistake = |(row, v): (usize, &Verdict)| {
            let (picture, predicted) = (Picture::of(test, row)?, v.predicted?);
            Some(Mistake { picture, truth: v.truth, predicted, confidence: v.confidence })
        };
        let mistakes = wrong.into_iter().filter_map(mistake).take(MISTAKES).collect();
        let counts = train.class_counts().into_iter().enumerate();
        let class = |(class, training)| Class { name: train.class_name(class).into_owned(), training };
        let mut images = Vec::new();
        for k in 0..10 {
            for class in 0..train.classes() {
                let mut of_class = (0..train.len()).filter(|i| train.label(*i) == class);
                images.extend(of_class.nth(k).and_then(|row| Picture::of(train, row)));
            }
        }
        let data = context.data.name.clone();
        Ok(Samples { data, epochs, classes: counts.map(class).collect(), images, verdicts, mistakes, runs })
    }

    fn report(&self) -> Outcome {
        report(self)
    }
}

fn run(loss: f64, verdicts: &[Verdict]) -> Run {
    let right = |v: &&Verdict| v.right();
    Run {
        loss,
        accuracy: verdicts.iter().filter(right).count() as f64 / verdicts.len() as f64,
        confidence: mean_confidence(verdicts.iter()),
        where_right: mean_confidence(verdicts.iter().filter(right)),
        where_wrong: mean_confidence(verdicts.iter().filter(|v| !v.right())),
    }
}

fn judge(model: &dyn Module<f32>, tape: &mut Tape<f32>, test: &Dataset) -> Vec<Verdict> {
    let rows: Vec<usize> = (0..test.len()).collect();
    let mut verdicts = Vec::new();
    for batch in rows.chunks(EVALUATION_ROWS) {
        tape.rewind();
        let x = tape.constant_with(batch.len(), test.features(), |to| test.gather(batch, to));
        let logits = model.forward(tape, x, &mut Mode::evaluation());
        let probabilities = tape.softmax(logits);
        let rows = |v| tape.value_slice(v).chunks(test.classes());
        for (row, (z, p)) in batch.iter().zip(rows(logits).zip(rows(probabilities))) {
            let confidence = f64::from(p.iter().copied().fold(0.0, f32::max));
            verdicts.push(Verdict { truth: test.label(*row), predicted: argmax(z), confidence });
        }
    }
    verdicts
}

fn mean_confidence<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> f64 {
    mean(&verdicts.map(|verdict| verdict.confidence).collect::<Vec<_>>())
}

fn report(samples: &Samples) -> Outcome {
    let mut outcome = Outcome::default();
    let Samples { data, epochs, classes, images, verdicts, mistakes, runs } = samples;
    let of = |f: fn(&Run) -> f64| -> Vec<f64> { runs.iter().map(f).collect() };
    let wrong: Vec<&Verdict> = verdicts.iter().filter(|v| !v.right()).collect();
    outcome.number("test accuracy", mean(&of(|run| run.accuracy)));
    outcome.number("mean confidence", mean(&of(|run| run.confidence)));
    // Without mistakes, or with nothing else, there is nothing to compare.
    if runs.iter().all(|run| run.where_wrong.is_finite() && run.where_right.is_finite()) {
        outcome.number("mean confidence where wrong", mean(&of(|run| run.where_wrong)));
        claim(&mut outcome, "The network is less sure where it is wrong")
            .named("less-sure-where-wrong")
            .expected("a lower mean probability of the chosen class")
            .estimated(Estimate::mean(&differences(&of(|run| run.where_right), &of(|run| run.where_wrong))))
            .saying(&format!(
                ", by which the mean probability where wrong, {}, is below that where right, {}",
                fixed(mean(&of(|run| run.where_wrong)), 3),
                fixed(mean(&of(|run| run.where_right)), 3)
            ))
            .within(
                0.1..,
                format!(
                    "A network that has seen each sample {epochs} times is sure of nearly all samples, \
                     right or wrong."
                ),
            );
    }
    claim(&mut outcome, "The network is too sure")
        .named("too-sure")
        .expected("mean probability of the chosen class above the accuracy")
        .estimated(Estimate::mean(&differences(&of(|run| run.confidence), &of(|run| run.accuracy))))
        .saying(&format!(
            ", the difference of a mean probability of {} and an accuracy of {}",
            fixed(mean(&of(|run| run.confidence)), 4),
            fixed(mean(&of(|run| run.accuracy)), 4)
        ))
        .within(
            ABOVE_0,
            format!(
                "Guo et al. train until the training loss is almost zero. These networks have seen each \
                 sample {epochs} times, and the training loss is {} in the last epoch.",
                rounded(mean(&of(|run| run.loss)), 2)
            ),
        );

    let name = |class: usize| classes.get(class).map_or(String::new(), |class| class.name.clone());
    let figure = |caption: String| {
        let grid = images.iter().map(|picture| (picture.image(), String::new()));
        Figure::new("images", "The images, and the most confident mistakes", caption)
            .panel(Images::new(10, grid).title("Training images"))
    };
    outcome.figure(&match mistakes.first() {
        None => figure(format!(
            "Ten training images of each class ({data}). Of the {} test images {} are wrong, so there is no \
             mistake to show.",
            verdicts.len(),
            wrong.len()
        )),
        Some(first) => figure(format!(
            "First ten training images of each class ({data}). Then the {} most confident of the {} \
             mistakes of the first seed's network on {} test images. Each has its class, the predicted \
             class and the probability of that, from {} down to {}. The first is of the class {} and is \
             taken for {}.",
            mistakes.len(),
            wrong.len(),
            verdicts.len(),
            fixed(first.confidence, 3),
            fixed(mistakes[mistakes.len() - 1].confidence, 3),
            name(first.truth),
            name(first.predicted)
        ))
        .panel(
            Images::new(
                5,
                mistakes.iter().map(|mistake| {
                    let Mistake { picture, truth, predicted, confidence } = mistake;
                    let label =
                        format!("{} as {}, {}", name(*truth), name(*predicted), fixed(*confidence, 3));
                    (picture.image(), label)
                }),
            )
            .title("Most confident mistakes"),
        ),
    });
    outcome.figure(&reliability(verdicts, &wrong));
    outcome.table(counts(classes, verdicts));
    outcome
}

/// How often the network is right where it says p, and how its confidence is spread.
fn reliability(verdicts: &[Verdict], wrong: &[&Verdict]) -> Figure {
    const BINS: usize = 10;
    let mut bins = vec![(0.0, 0.0, 0usize); BINS];
    for v in verdicts {
        let bin = &mut bins[((v.confidence * BINS as f64) as usize).min(BINS - 1)];
        *bin = (bin.0 + v.confidence, bin.1 + f64::from(u8::from(v.right())), bin.2 + 1);
    }
    // A share of few samples says little.
    let points: Vec<(f64, f64)> = bins
        .iter()
        .filter(|(_, _, n)| *n >= 5)
        .map(|(confidence, right, n)| (confidence / *n as f64, right / *n as f64))
        .collect();
    let sorted = |mut xs: Vec<f64>| {
        xs.sort_by(f64::total_cmp);
        let n = xs.len() as f64;
        xs.into_iter().enumerate().map(move |(i, x)| (x, (i + 1) as f64 / n)).collect::<Vec<_>>()
    };
    let right: Vec<f64> = verdicts.iter().filter(|v| v.right()).map(|v| v.confidence).collect();
    let unit = |label: &str| Axis::linear(label).range(0.0, 1.03);
    let sides = [("where right", right), ("where wrong", wrong.iter().map(|v| v.confidence).collect())];
    let shares = Chart::new(unit("probability of the chosen class"), unit("share of samples"));
    // Of a side without samples there is no share.
    let shares = sides
        .into_iter()
        .filter(|(_, confidences)| !confidences.is_empty())
        .fold(shares.title("How sure it is"), |chart, (label, confidences)| {
            chart.line(Line::new(sorted(confidences)).label(label))
        });
    Figure::new(
        "reliability",
        "Confidence",
        "Of the first seed. First: how often the network is right, over how sure it is; below the diagonal \
         it is too sure. Groups with fewer than five samples are left out. Second: the share of samples \
         with at most that confidence.",
    )
    .panel(
        Chart::new(unit("probability of the chosen class"), unit("share that is right"))
            .title("Reliability")
            .line(Line::new([(0.0, 0.0), (1.0, 1.0)]).color(Color::Muted).dash(1).label("calibrated"))
            .line(Line::new(points).label("network").marker(Marker::Circle)),
    )
    .panel(shares)
}

fn counts(classes: &[Class], verdicts: &[Verdict]) -> Table {
    let rows: Vec<(usize, &Class)> = classes.iter().enumerate().collect();
    let of_class = |class: usize| verdicts.iter().filter(move |v| v.truth == class);
    let found = |class: usize| of_class(class).filter(|v| v.right()).count() as f64;
    Table::of("classes", "Classes, by the first seed", &rows)
        .column("class", |(_, class)| class.name.clone())
        .column("training samples", |(_, class)| class.training)
        .column("test samples", |(class, _)| of_class(*class).count())
        .column("share found", |(class, _)| found(*class) / of_class(*class).count().max(1) as f64)
        .into()
}

fn finding(found: &Found) -> Told {
    let (accuracy, confidence) = (found.number("test accuracy")?, found.number("mean confidence")?);
    let kind = if confidence > accuracy { "more" } else { "less" };
    let wrong = match found.number("mean confidence where wrong") {
        Some(wrong) => format!(" Where it is wrong it says {} on average.", fixed(wrong, 2)),
        None => String::new(),
    };
    Some((
        "reliability",
        format!(
            "The network is {} sure on average and right on {} of new digits: {kind} sure than right",
            percent(confidence),
            percent(accuracy)
        ),
        format!(
            "The softmax is a probability only as far as training has made it one.{wrong} Its most confident \
             mistakes are in the next figure."
        ),
    ))
}
