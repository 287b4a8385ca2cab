//! Whether probabilities are right as such: of logistic regression, a network, and kernel ridge regression, before and
//! after a temperature is fitted on held-out samples.

use super::models::families::{choose, fit_kernel};
use super::prelude::*;
use crate::metrics::{argmax, expected_calibration_error, log_loss, softmax_in_place};
use crate::models::kernel::{KernelMachine, Samples};
use crate::train::{FitOptions, predict};

pub const EXPERIMENT: Experiment = Experiment {
    name: "calibration",
    question: "Of ten images of which a model is 80 % sure, are eight right?",
    theory: &[
        "Probabilities are calibrated if of the samples with confidence $p$ a share $p$ is right. The expected calibration \
         error is the mean distance of confidence and share, in bins of confidence. A network that fits its training \
         samples perfectly goes on lowering its loss by larger scores: it is too sure (Guo, Pleiss, Sun and Weinberger, \
         \"On Calibration of Modern Neural Networks\", 2017).",
        "A temperature $T$ divides all scores before the softmax, and is fitted to the likelihood of held-out samples. The \
         order of the classes is the same at any temperature, and so is every answer.",
        "The scores of kernel ridge regression are about 1 for the class and −1 for the others, and no logits. Their \
         softmax is at most ${e²}/{e²+9} = 0.45$ with ten classes: far less sure than the model is right.",
    ],
    parts: Parts::of::<Calibration>(),
    finding,
};

const BINS: usize = 10;
/// Long enough to fit nearly all training samples.
const EPOCHS: usize = 100;

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Calibration {
    data: String,
    samples: usize,
    held_out: usize,
    tested: usize,
    models: Vec<Model>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Logistic,
    Network,
    Kernel,
}

const KINDS: [Kind; 3] = [Kind::Logistic, Kind::Network, Kind::Kernel];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Logistic => "logistic regression",
            Kind::Network => "a network",
            Kind::Kernel => "kernel ridge regression",
        }
    }

    /// For names of claims.
    fn id(self) -> &'static str {
        match self {
            Kind::Logistic => "logistic",
            Kind::Network => "network",
            Kind::Kernel => "kernel",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Model {
    kind: Kind,
    seeds: Vec<Run>,
}

/// What one seed gave.
#[derive(Serialize, Deserialize)]
struct Run {
    temperature: f64,
    accuracy: f64,
    /// With the scores as they are.
    before: Probabilities,
    /// At the temperature.
    after: Probabilities,
}

/// Of the test samples.
#[derive(Serialize, Deserialize)]
struct Probabilities {
    /// Mean of the largest probability.
    confidence: f64,
    error: f64,
    #[serde(with = "lossless")]
    log_loss: f64,
    bins: Vec<Bin>,
}

/// Test samples whose confidence lies in a bin.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Bin {
    samples: usize,
    right: usize,
    /// Sum of their confidences.
    confidence: f64,
}

/// Scores, a sample a row, with the labels.
struct Scores {
    values: Vec<f64>,
    labels: Vec<usize>,
    classes: usize,
}

impl Scores {
    fn of(values: Vec<f32>, data: &Dataset) -> Scores {
        let values = values.into_iter().map(f64::from).collect();
        Scores { values, labels: data.labels().unwrap_or_default().to_vec(), classes: data.classes() }
    }

    fn at(&self, temperature: f64) -> Vec<f64> {
        let mut all: Vec<f64> = self.values.iter().map(|score| score / temperature).collect();
        all.chunks_exact_mut(self.classes).for_each(|row| {
            softmax_in_place(row);
        });
        all
    }

    fn log_loss(&self, temperature: f64) -> Result<f64> {
        log_loss(&self.labels, &self.at(temperature), self.classes, None)
    }

    /// The temperature of the least log loss. In 1/T the loss is convex, so that there is one valley: a search
    /// by the golden section finds it.
    fn temperature(&self) -> Result<f64> {
        let at = |log: f64| self.log_loss(Float::exp(log));
        let ratio = 0.5 * (5.0f64.sqrt() - 1.0);
        let (mut low, mut high) = (-6.0, 6.0);
        let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
        let (mut of_a, mut of_b) = (at(a)?, at(b)?);
        while high - low > 1e-4 {
            if of_a < of_b {
                (high, b, of_b) = (b, a, of_a);
                a = high - ratio * (high - low);
                of_a = at(a)?;
            } else {
                (low, a, of_a) = (a, b, of_b);
                b = low + ratio * (high - low);
                of_b = at(b)?;
            }
        }
        Ok(Float::exp(0.5 * (low + high)))
    }

    fn measured(&self, temperature: f64) -> Result<Probabilities> {
        let all = self.at(temperature);
        let mut bins = vec![Bin::default(); BINS];
        for (row, label) in all.chunks_exact(self.classes).zip(&self.labels) {
            let confidence = range(row.iter().copied()).1;
            let bin = &mut bins[((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1];
            bin.samples += 1;
            bin.right += usize::from(argmax(row) == Some(*label));
            bin.confidence += confidence;
        }
        Ok(Probabilities {
            confidence: bins.iter().map(|bin| bin.confidence).sum::<f64>() / self.labels.len() as f64,
            error: expected_calibration_error(&self.labels, &all, self.classes, BINS, None)?,
            log_loss: log_loss(&self.labels, &all, self.classes, None)?,
            bins,
        })
    }

    fn accuracy(&self) -> f64 {
        let rows = self.values.chunks_exact(self.classes).zip(&self.labels);
        let right = rows.filter(|(row, label)| argmax(row) == Some(**label)).count();
        right as f64 / self.labels.len() as f64
    }
}

impl Study for Calibration {
    fn measure(context: &Context) -> Result<Calibration> {
        let (all, test) = (&context.data.train, &context.data.test);
        let seeds = context.pick(8, 10);
        let parts = 1 + KINDS.len() * seeds;
        context.at(0, parts, "the kernel's width")?;
        let mut chosen = choose::<f32>(context, all, 500, 4)?;
        let samples = context.pick(500, 2000).min(all.len() / 2);
        let held_out = context.pick(1000, 5000).min(all.len() - samples);
        let mut models: Vec<Model> = KINDS.iter().map(|kind| Model { kind: *kind, seeds: vec![] }).collect();
        for k in 0..seeds {
            let seed = derive(context.seed, k as u64);
            let both = super::kernel_approximations::drawn(all, samples + held_out, seed);
            let train = both.take(samples);
            let held = super::data::rows(&both, samples, samples + held_out);
            for (i, model) in models.iter_mut().enumerate() {
                context.at(1 + k * KINDS.len() + i, parts, model.kind.name())?;
                let [held, tested] = match model.kind {
                    Kind::Logistic => network(context, &[], seed, &train, [&held, test])?,
                    Kind::Network => network(context, &[100], seed, &train, [&held, test])?,
                    Kind::Kernel => {
                        let (machine, _) = fit_kernel::<f32>(context, &mut chosen, &train)?;
                        let scores = |data: &Dataset| -> Result<Scores> {
                            Ok(Scores::of(machine.predict_rows(&Samples::from_dataset(data)?), data))
                        };
                        [scores(&held)?, scores(test)?]
                    }
                };
                let temperature = held.temperature()?;
                model.seeds.push(Run {
                    temperature,
                    accuracy: tested.accuracy(),
                    before: tested.measured(1.0)?,
                    after: tested.measured(temperature)?,
                });
            }
        }
        Ok(Calibration { data: context.data.name.clone(), samples, held_out, tested: test.len(), models })
    }

    fn report(&self) -> Outcome {
        report(self)
    }
}

/// The scores of a network, trained long enough to fit its samples.
fn network(
    context: &Context,
    hidden: &[usize],
    seed: u64,
    train: &Dataset,
    on: [&Dataset; 2],
) -> Result<[Scores; 2]> {
    let mut net = Net::<f32>::relu(train, hidden, seed)?;
    let mut optimizer = Optimizer::new(Adam::default(), 3e-3)?;
    net.fit(context, "training", &mut optimizer, (train, None), &FitOptions::new(EPOCHS, 32, seed), None)?;
    let mut scores = |data: &Dataset| -> Result<Scores> {
        Ok(Scores::of(predict(&net.model, &mut net.tape, data)?, data))
    };
    Ok([scores(on[0])?, scores(on[1])?])
}

fn of(model: &Model, value: impl Fn(&Run) -> f64) -> Vec<f64> {
    model.seeds.iter().map(value).collect()
}

fn report(study: &Calibration) -> Outcome {
    let mut outcome = Outcome::default();
    for model in &study.models {
        let name = model.kind.name();
        let sure = of(model, |run| run.before.confidence - run.accuracy);
        let (statement, expected, range, otherwise) = match model.kind {
            Kind::Kernel => (
                format!("Taken for logits, the scores of {name} are not sure enough"),
                "below 0",
                BELOW_0,
                "With fewer classes the softmax of such scores is surer: with two, 0.88.",
            ),
            Kind::Logistic | Kind::Network => (
                format!("Trained for long, {name} is too sure"),
                "above 0",
                ABOVE_0,
                "On images that are simple, hardly any answer is wrong, and little can be too sure.",
            ),
        };
        claim(&mut outcome, statement)
            .named(&format!("{}-confidence", model.kind.id()))
            .expected(expected)
            .estimated(Estimate::mean(&sure))
            .saying(", the mean confidence minus the accuracy")
            .within(range, otherwise);
        outcome.number(format!("{}: confidence less accuracy", model.kind.id()), mean(&sure));
    }
    for model in &study.models {
        claim(&mut outcome, format!("A temperature makes the probabilities of {} better", model.kind.name()))
            .named(&format!("temperature-{}", model.kind.id()))
            .expected("above 0")
            .estimated(Estimate::mean(&of(model, |run| run.before.log_loss - run.after.log_loss)))
            .saying(" nats, by which the log loss on new samples falls")
            .within(ABOVE_0, "What is calibrated already cannot gain.");
    }
    for model in study.models.iter().filter(|model| model.kind != Kind::Logistic) {
        claim(&mut outcome, format!("A temperature lowers the calibration error of {}", model.kind.name()))
            .named(&format!("error-{}", model.kind.id()))
            .expected("above 0")
            .estimated(Estimate::mean(&of(model, |run| run.before.error - run.after.error)))
            .saying(", by which the expected calibration error falls")
            .within(ABOVE_0, "A bin of few samples has an error of its own, at any temperature.");
    }
    let chart = |title: String, model: &Model| {
        let line = |of: fn(&Run) -> &Probabilities| -> Vec<(f64, f64)> {
            let bins = (0..BINS).map(|b| {
                let add = |a: Bin, b: Bin| Bin {
                    samples: a.samples + b.samples,
                    right: a.right + b.right,
                    confidence: a.confidence + b.confidence,
                };
                model.seeds.iter().map(|run| of(run).bins[b]).fold(Bin::default(), add)
            });
            // A share of so few says nothing.
            let told = bins.filter(|bin| bin.samples >= 20);
            told.map(|bin| {
                let count = bin.samples as f64;
                (bin.confidence / count, bin.right as f64 / count)
            })
            .collect()
        };
        Chart::new(
            Axis::linear("confidence").range(0.0, 1.03),
            Axis::linear("share that is right").range(0.0, 1.03),
        )
        .title(title)
        .line(Line::new([(0.0, 0.0), (1.0, 1.0)]).label("calibrated").color(Color::Muted).dash(1))
        .line(Line::new(line(|run| &run.before)).label("as it is").marker(Marker::Circle))
        .line(Line::new(line(|run| &run.after)).label("with a temperature").marker(Marker::Square))
    };
    outcome.draw(
        "reliability",
        "Confidence, and how often it is right",
        format!(
            "On {}: {} training samples, {} to fit the temperature, {} to test, of {} seeds together. A point is a bin \
             of confidence, where there are 20 samples or more. Below the diagonal a model is too sure, above it not \
             sure enough.",
            study.data,
            study.samples,
            study.held_out,
            study.tested,
            study.models[0].seeds.len()
        ),
        study.models.iter().map(|model| {
            let temperature = mean(&of(model, |run| run.temperature));
            chart(format!("{}, T = {}", model.kind.name(), rounded(temperature, 2)), model)
        }),
    );
    outcome.table(
        Table::of("models", "Means over the seeds, on test samples", &study.models)
            .column("model", |model| model.kind.name())
            .column("accuracy", |model| mean(&of(model, |run| run.accuracy)))
            .column("confidence", |model| mean(&of(model, |run| run.before.confidence)))
            .column("calibration error", |model| mean(&of(model, |run| run.before.error)))
            .column("log loss (nats)", |model| mean(&of(model, |run| run.before.log_loss)))
            .column("temperature", |model| mean(&of(model, |run| run.temperature)))
            .column("calibration error with it", |model| mean(&of(model, |run| run.after.error)))
            .column("log loss with it (nats)", |model| mean(&of(model, |run| run.after.log_loss))),
    );
    for model in &study.models {
        let id = model.kind.id();
        outcome.number(format!("{id}: accuracy"), mean(&of(model, |run| run.accuracy)));
        outcome.number(format!("{id}: confidence"), mean(&of(model, |run| run.before.confidence)));
        outcome.number(format!("{id}: temperature"), mean(&of(model, |run| run.temperature)));
        outcome.number(format!("{id}: calibration error"), mean(&of(model, |run| run.before.error)));
        outcome.number(format!("{id}: calibration error with it"), mean(&of(model, |run| run.after.error)));
    }
    outcome
}

fn finding(found: &Found) -> Told {
    let number = |kind: &str, what: &str| found.number(&format!("{kind}: {what}")).map(percent);
    Some((
        "reliability",
        format!(
            "A network that is {} sure on average is right on {}",
            number("network", "confidence")?,
            number("network", "accuracy")?
        ),
        format!(
            "Logistic regression is {} sure and right on {}. The softmax of kernel ridge regression's scores is {} sure, and \
             right on {}. One number, a temperature fitted on held-out samples, brings the calibration error of the network \
             from {} to {}, and that of kernel ridge regression from {} to {}. It changes no answer. Logistic regression \
             has {} before and {} after: what is left there is no matter of scale.",
            number("logistic", "confidence")?,
            number("logistic", "accuracy")?,
            number("kernel", "confidence")?,
            number("kernel", "accuracy")?,
            number("network", "calibration error")?,
            number("network", "calibration error with it")?,
            number("kernel", "calibration error")?,
            number("kernel", "calibration error with it")?,
            number("logistic", "calibration error")?,
            number("logistic", "calibration error with it")?
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels drawn from the softmax of scores; these times 3 need the temperature 3.
    #[test]
    fn the_temperature_is_found() {
        let mut rng = stream(1, Purpose::Data);
        let classes = 4;
        let values: Vec<f64> = (0..classes * 20_000).map(|_| standard_normal(&mut rng)).collect();
        let mut right = Scores { values, labels: vec![0; 20_000], classes };
        let probabilities = right.at(1.0);
        for (label, row) in right.labels.iter_mut().zip(probabilities.chunks(classes)) {
            let mut left: f64 = rand::RngExt::random_range(&mut rng, 0.0..1.0);
            while *label < classes - 1 && left >= row[*label] {
                left -= row[*label];
                *label += 1;
            }
        }
        let sharp = Scores { values: right.values.iter().map(|z| 3.0 * z).collect(), ..right };
        let temperature = sharp.temperature().unwrap();
        assert!((temperature - 3.0).abs() < 0.1, "{temperature}");
        let (before, after) = (sharp.measured(1.0).unwrap(), sharp.measured(temperature).unwrap());
        assert!(before.error > 0.1 && after.error < 0.02, "{} {}", before.error, after.error);
        assert_eq!(after.bins.iter().map(|bin| bin.samples).sum::<usize>(), 20_000);
    }
}
