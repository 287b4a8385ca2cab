//! The images, and those that a trained network is most wrong about.

use super::prelude::*;
use super::statistics;
use crate::metrics::argmax;
use crate::nn::{Mode, Module};
use crate::report::{Image, Images};
use crate::train::{EVALUATION_ROWS, FitOptions};

pub const EXPERIMENT: Experiment = Experiment {
    name: "samples",
    question: "What do the images look like, and which ones is a trained network sure and wrong about?",
    theory: &[
        "The softmax of a network's outputs is its probability for each class. If it is calibrated, it is \
         right in a share p of the cases in which it says p. Networks trained to a small loss tend to be too \
         sure (Guo et al., \"On Calibration of Modern Neural Networks\", 2017).",
        "Where it is wrong it should still be less sure than where it is right: the probability of the \
         chosen class is a measure of trust (Hendrycks and Gimpel 2017).",
    ],
    parts: Parts::of::<Whole>(),
    finding,
};

super::whole!(run);

/// What the network says about a test sample.
struct Verdict {
    row: usize,
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

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 1, "training")?;
    let ExperimentData { train, test, .. } = context.data;
    let mut net = Net::<f32>::relu(train, &[128], context.seed)?;
    let mut optimizer = Optimizer::new(Adam::default(), 1e-3)?;
    let epochs = context.pick(12, 10);
    let options = FitOptions::new(epochs, 128, context.seed);
    let history = net.fit(context, "training", &mut optimizer, (train, None), &options, None)?;
    let verdicts = judge(&net.model, &mut net.tape, test);
    let last_loss = history.epochs.last().map_or(f64::NAN, |epoch| epoch.train_loss);
    Ok(report(context, epochs, last_loss, &verdicts))
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
            verdicts.push(Verdict { row: *row, truth: test.label(*row), predicted: argmax(z), confidence });
        }
    }
    verdicts
}

/// Mean of the confidences.
fn mean<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> f64 {
    statistics::mean(&verdicts.map(|verdict| verdict.confidence).collect::<Vec<_>>())
}

fn report(context: &Context, epochs: usize, last_loss: f64, verdicts: &[Verdict]) -> Outcome {
    let mut outcome = Outcome::default();
    let (train, test) = (&context.data.train, &context.data.test);
    let right = |v: &&Verdict| v.right();
    let mut wrong: Vec<&Verdict> = verdicts.iter().filter(|v| !v.right()).collect();
    wrong.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let accuracy = verdicts.iter().filter(right).count() as f64 / verdicts.len() as f64;
    let confidence = mean(verdicts.iter());
    let (sure_right, sure_wrong) = (mean(verdicts.iter().filter(right)), mean(wrong.iter().copied()));
    outcome.number("test accuracy", accuracy);
    outcome.number("mean confidence", confidence);
    // Without mistakes, or with nothing else, there is nothing to compare.
    if !wrong.is_empty() && wrong.len() < verdicts.len() {
        outcome.number("mean confidence where wrong", sure_wrong);
        claim(&mut outcome, "The network is less sure where it is wrong")
            .named("less-sure-where-wrong")
            .expected("a lower mean probability of the chosen class")
            .measured(format!("{} where wrong, {} where right", fixed(sure_wrong, 3), fixed(sure_right, 3)))
            .criterion("lower by at least 0.1")
            .holds(
                sure_wrong <= sure_right - 0.1,
                format!(
                    "Of {} test samples {} are wrong; a network that has fitted its training samples is sure \
                     of nearly all, whatever they are.",
                    verdicts.len(),
                    wrong.len()
                ),
            );
    }
    let too_sure = confidence - accuracy > 2.0 * (accuracy * (1.0 - accuracy) / verdicts.len() as f64).sqrt();
    claim(&mut outcome, "The network is too sure")
        .named("too-sure")
        .expected("mean probability of the chosen class above the accuracy")
        .measured(format!("{} against an accuracy of {}", fixed(confidence, 4), fixed(accuracy, 4)))
        .criterion("above by more than two standard errors of the accuracy")
        .holds(
            too_sure,
            format!(
                "Guo et al. train until the training loss is next to nothing; this network has seen each \
                 sample {epochs} times, and its training loss is {} in the last epoch.",
                rounded(last_loss, 2)
            ),
        );

    let bytes = |data: &Dataset, row: usize| {
        let (height, width) = data.image_shape()?;
        Some(Image::from_bytes(data.bytes(row)?, height, width))
    };
    // Five of each class, where there are images at all.
    let mut grid = Vec::new();
    for k in 0..5 {
        for class in 0..train.classes() {
            let mut of_class = (0..train.len()).filter(|i| train.label(*i) == class);
            let image = of_class.nth(k).and_then(|row| bytes(train, row));
            grid.extend(image.map(|image| (image, String::new())));
        }
    }
    let mistakes: Vec<(Image, String)> = wrong
        .iter()
        .filter_map(|v| {
            let (truth, predicted) = (test.class_name(v.truth), test.class_name(v.predicted?));
            Some((bytes(test, v.row)?, format!("{truth} as {predicted}, {}", fixed(v.confidence, 3))))
        })
        .take(20)
        .collect();
    let name = context.data.name.as_str();
    let figure = |caption: String| {
        Figure::new("images", "The images, and the most confident mistakes", caption)
            .panel(Images::new(10, grid).title("Training images"))
    };
    outcome.figure(&if wrong.is_empty() {
        figure(format!(
            "Five training images of each class ({name}). Of the {} test images none is wrong, and so there \
             are no mistakes to show, nor to compare with what is right.",
            verdicts.len()
        ))
    } else {
        let first = mistakes.first().map_or(String::new(), |(_, label)| {
            format!(" The first, \"{label}\", is of the class {} and is taken for the one behind.", &label[..label.find(' ').unwrap_or(0)])
        });
        figure(format!(
            "First five training images of each class ({name}), then the test images that the network gives the highest \
             probability for a wrong class, with that probability.{first}"
        ))
        .panel(Images::new(5, mistakes).title("Most confident mistakes"))
    });
    outcome.figure(&reliability(verdicts, &wrong));
    outcome.table(counts(train, verdicts));
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
    let unit = |label: &str| Axis::linear(label).range(0.0, 1.0);
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
        "First: how often the network is right, over how sure it is; below the diagonal it is too sure. \
         Groups with fewer than five samples are left out. Second: the share of samples about which it is at \
         most that sure.",
    )
    .panel(
        Chart::new(unit("probability of the chosen class"), unit("share that is right"))
            .title("Reliability")
            .line(Line::new([(0.0, 0.0), (1.0, 1.0)]).color(Color::Muted).dash(1).label("calibrated"))
            .line(Line::new(points).label("network").marker(Marker::Circle)),
    )
    .panel(shares)
}

fn counts(train: &Dataset, verdicts: &[Verdict]) -> Table {
    let rows: Vec<(usize, usize)> = train.class_counts().into_iter().enumerate().collect();
    let of_class = |class: usize| verdicts.iter().filter(move |v| v.truth == class);
    let found = |class: usize| of_class(class).filter(|v| v.right()).count() as f64;
    Table::of("classes", "Classes", &rows)
        .column("class", |(class, _)| train.class_name(*class).into_owned())
        .column("training samples", |(_, count)| *count)
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
            "The network says {} and is right in {}: {kind} sure than right",
            percent(confidence),
            percent(accuracy)
        ),
        format!(
            "The softmax is a probability only as far as training has made it one.{wrong} The mistakes that it is surest of are in \
             the next figure."
        ),
    ))
}
