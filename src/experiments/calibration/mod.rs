//! Whether probabilities are right as such: of logistic regression, a network, and kernel ridge regression, before and
//! after a temperature is fitted on held-out samples.

mod report;

use super::models::families::{choose, fit_kernel};
use super::prelude::*;
use crate::metrics::{argmax, expected_calibration_error, log_loss, softmax_in_place};
use crate::models::kernel::{KernelMachine, Samples};
use crate::train::{FitOptions, predict};

pub const EXPERIMENT: Experiment = Experiment {
    name: "calibration",
    title: "Calibration",
    question: "If a model is 80 % sure of each of ten images, are eight of its answers right?",
    theory: &[
        "Probabilities are calibrated if, of the samples with confidence $p$, a share $p$ is right. The \
         expected calibration error is the mean distance between confidence and accuracy, in bins of \
         confidence. A network that already fits its training samples perfectly can still lower its loss by \
         larger scores. It becomes overconfident (Guo, Pleiss, Sun and Weinberger, \"On Calibration of \
         Modern Neural Networks\", 2017).",
        "A temperature $T$ divides all scores before the softmax. It is fitted to the likelihood of \
         held-out samples. The order of the classes is the same at every temperature, and so is every \
         answer.",
        "The scores of kernel ridge regression are about 1 for the right class and −1 for the others. They \
         are no logits. For exactly these scores and ten classes the softmax gives the right class \
         ${e²}/{e²+9} = 0.45$, far less than the share of right answers.",
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
        context.at(0, 10, "the kernel's width")?;
        let chosen = choose::<f32>(context, all, 500, 4)?;
        let samples = context.pick(500, 2000).min(all.len() / 2);
        let held_out = context.pick(1000, 5000).min(all.len() - samples);
        let seeds = derived_seeds(context, context.pick(8, 10));
        let of_seed = |seed: &u64| -> Result<Vec<Run>> {
            let both = super::kernel_approximations::drawn(all, samples + held_out, *seed);
            let train = both.take(samples);
            let held = super::data::rows(&both, samples, samples + held_out);
            let run = |kind: Kind| -> Result<Run> {
                let [held, tested] = match kind {
                    Kind::Logistic => network(context, &[], *seed, &train, [&held, test])?,
                    Kind::Network => network(context, &[100], *seed, &train, [&held, test])?,
                    Kind::Kernel => {
                        // What one draw needs is not for the others.
                        let mut own = chosen;
                        let (machine, _) = fit_kernel::<f32>(context, &mut own, &train)?;
                        let scores = |data: &Dataset| -> Result<Scores> {
                            Ok(Scores::of(machine.predict_rows(&Samples::from_dataset(data)?), data))
                        };
                        [scores(&held)?, scores(test)?]
                    }
                };
                let temperature = held.temperature()?;
                Ok(Run {
                    temperature,
                    accuracy: tested.accuracy(),
                    before: tested.measured(1.0)?,
                    after: tested.measured(temperature)?,
                })
            };
            KINDS.into_iter().map(run).collect()
        };
        let mut models: Vec<Model> = KINDS.iter().map(|kind| Model { kind: *kind, seeds: vec![] }).collect();
        for runs in context.side_by_side(1..10, 10, "all three models", &seeds, of_seed)? {
            models.iter_mut().zip(runs).for_each(|(model, run)| model.seeds.push(run));
        }
        Ok(Calibration { data: context.data.name.clone(), samples, held_out, tested: test.len(), models })
    }

    fn report(&self) -> Outcome {
        report::all(self)
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
    net.fit(context, &mut optimizer, (train, None), &FitOptions::new(EPOCHS, 32, seed))?;
    let mut scores = |data: &Dataset| -> Result<Scores> {
        Ok(Scores::of(predict(&net.model, &mut net.tape, data)?, data))
    };
    Ok([scores(on[0])?, scores(on[1])?])
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
            "Logistic regression is {} sure and right on {}. The softmax of kernel ridge regression's \
             scores is {} sure and right on {}. One number, a temperature fitted on held-out samples, \
             lowers the calibration error of the network from {} to {}. For kernel ridge regression it goes \
             from {} to {}. No answer changes. Logistic regression has {} before and {} after: the rest is \
             no matter of scale.",
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
