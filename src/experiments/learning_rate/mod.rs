//! Adam at rates from far too small to far too large. Training is here; what is claimed and drawn of it is longer
//! than that, and has a file of its own.

mod report;

use super::data::accuracy_of_a_constant;
use super::prelude::*;
use crate::train::{FitOptions, Observer, Run, fit};

pub const EXPERIMENT: Experiment = Experiment {
    name: "learning-rate",
    title: "Adam's learning rate",
    question: "At which learning rates does Adam train a network, and what happens outside this range?",
    theory: &[
        "A step of Adam moves each weight by about η, whatever the gradient is (Kingma and Ba 2015, section \
         2.1). So in T steps no weight moves further than about ηT. With η = 10⁻⁵ and a thousand steps the \
         weights hardly move.",
        "Xavier's initialisation gives the weights of the first layer, d×128, a standard deviation of \
         $√{{2}/{d+128}}$ for samples with d features: 0.05 for images of 28×28. A rate of that size \
         replaces every weight at each step. So training should fail above it, long before numbers \
         overflow.",
    ],
    parts: Parts::of::<LearningRate>(),
    finding,
};

const RATES: [f64; 10] = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.5];
/// The rates whose losses are drawn: more lines than colours could not be told apart.
const DRAWN: [usize; 6] = [0, 2, 4, 6, 8, 9];
/// Width of the hidden layer.
const HIDDEN: usize = 128;
/// Training images, at most: with all of them a full run takes half as long again.
const LEARNT: usize = 40_000;

/// What is measured.
#[derive(Serialize, Deserialize)]
struct LearningRate {
    rows: Vec<Row>,
    steps: usize,
    features: usize,
    /// Test accuracy of a network that names the most frequent class, whatever it sees.
    constant: f64,
}

/// What a rate comes to.
#[derive(Serialize, Deserialize)]
struct Row {
    rate: f64,
    /// Test accuracy for each seed; 0 if it left the finite numbers, as no image is then told right.
    accuracies: Vec<f64>,
    /// On how many seeds the loss left the finite numbers.
    diverged: usize,
    /// Mean losses of pieces of the run from the first seed, with the middle step, up to where they are not finite.
    losses: Vec<(f64, f64)>,
    /// Mean loss of the last tenth of that run.
    #[serde(with = "lossless")]
    last: f64,
}

impl Study for LearningRate {
    const EDITION: u32 = 3;

    fn measure(context: &Context) -> Result<LearningRate> {
        let (train, test) = (&context.data.train.take(LEARNT), &context.data.test);
        let seeds = so_many_seeds(context, context.pick(6, 10));
        let options = FitOptions::new(context.pick(6, 3), 64, 0);
        let jobs: Vec<(f64, u64)> =
            RATES.iter().flat_map(|rate| seeds.iter().map(|seed| (*rate, *seed))).collect();
        let one = |(rate, seed): &(f64, u64)| {
            run(context, train, *rate, FitOptions { seed: *seed, ..options.clone() })
        };
        let trained = context.side_by_side(0..1, 1, "training", &jobs, one)?;
        let rows = RATES.into_iter().zip(trained.chunks(seeds.len())).map(|(rate, trained)| {
            let losses = &trained[0].losses;
            Row {
                rate,
                accuracies: trained.iter().map(|one| one.accuracy.unwrap_or(0.0)).collect(),
                diverged: trained.iter().filter(|one| one.diverged).count(),
                losses: smooth(losses),
                last: mean(&losses[losses.len() - losses.len().div_ceil(10)..]),
            }
        });
        Ok(LearningRate {
            rows: rows.collect(),
            steps: options.epochs * train.len().div_ceil(options.batch),
            features: train.features(),
            constant: accuracy_of_a_constant(train, test),
        })
    }

    fn report(&self) -> Outcome {
        report::report(self)
    }
}

/// The loss of every step of a run, up to where it left the finite numbers.
struct Trained {
    losses: Vec<f64>,
    diverged: bool,
    accuracy: Option<f64>,
}

/// Keeps the loss of every step, and ends the run when it should.
struct Losses<'a, 'b> {
    context: &'b Context<'a>,
    losses: Vec<f64>,
}

impl<T: Float> Observer<T> for Losses<'_, '_> {
    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.losses.push(run.progress.loss);
        self.context.stop_if_asked(run);
        Ok(())
    }
}

/// From one seed the same initial weights and the same batches for every rate.
fn run(context: &Context, train: &Dataset, rate: f64, options: FitOptions) -> Result<Trained> {
    let mut net = Net::<f32>::relu(train, &[HIDDEN], options.seed)?;
    let mut optimizer = Optimizer::new(Adam::default(), rate)?;
    let mut record = Losses { context, losses: Vec::new() };
    let Net { tape, model, loss } = &mut net;
    let fitted = fit(model, &**loss, tape, &mut optimizer, train, None, &options, &mut [&mut record]);
    context.check()?;
    let diverged = unless_diverged(fitted)?.is_none();
    // Where the last step was refused, the weights before it may be finite still.
    let evaluation = if diverged { None } else { unless_diverged(net.evaluate(&context.data.test))? };
    let accuracy = evaluation.and_then(|evaluation| evaluation.accuracy());
    Ok(Trained { losses: record.losses, diverged, accuracy })
}

/// Means of pieces of the run, as many as a drawing shows.
fn smooth(losses: &[f64]) -> Vec<(f64, f64)> {
    let piece = (losses.len() / 60).max(1);
    let middle = |i: usize, n: usize| (i * piece) as f64 + 0.5 * (n + 1) as f64;
    let pieces = losses.chunks(piece).enumerate().map(|(i, part)| (middle(i, part.len()), mean(part)));
    pieces.take_while(|(_, loss)| loss.is_finite()).collect()
}

/// How far below the best test accuracy a rate is still usable.
const USABLE: f64 = 0.05;

/// The window of usable rates around the best one, without a gap: where the accuracy crosses what is usable, on a
/// straight line over the logarithm of the rate between two that were tried.
fn window(accuracies: &[f64]) -> (f64, f64) {
    let best = (0..accuracies.len()).max_by(|a, b| accuracies[*a].total_cmp(&accuracies[*b])).unwrap_or(0);
    let level = accuracies[best] - USABLE;
    let usable = |i: &usize| accuracies[*i] >= level;
    let low = (0..=best).rev().take_while(usable).last().unwrap_or(best);
    let high = (best..accuracies.len()).take_while(usable).last().unwrap_or(best);
    // From a rate that is usable to one that is not.
    let crossing = |inside: usize, outside: usize| {
        let share = (accuracies[inside] - level) / (accuracies[inside] - accuracies[outside]);
        RATES[inside] * Float::powf(RATES[outside] / RATES[inside], share)
    };
    (
        if low == 0 { RATES[0] } else { crossing(low, low - 1) },
        if high + 1 == accuracies.len() { RATES[high] } else { crossing(high, high + 1) },
    )
}

fn finding(found: &Found) -> Told {
    let best = found.all("test accuracy at ", "").max_by(|a, b| a.1.total_cmp(&b.1))?;
    let [from, to] = ["from", "to"].map(|end| found.number(&format!("window {end}")));
    Some((
        "window",
        format!("Adam trains this network at rates from {} to {}", rounded(from?, 1), rounded(to?, 1)),
        format!(
            "The best test accuracy, {}, is at a rate of {}. Far smaller rates do not get far in so few \
             steps. A rate of the size of the first weights replaces them at every step, and training fails \
             long before numbers overflow.",
            percent(best.1),
            best.0
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study(accuracies: [f64; 10]) -> LearningRate {
        let row = |(rate, accuracy): (f64, f64)| Row {
            rate,
            accuracies: vec![accuracy; 5],
            diverged: if accuracy == 0.0 { 5 } else { 0 },
            losses: vec![(1.0, 2.3)],
            last: f64::NAN,
        };
        let rows = RATES.into_iter().zip(accuracies).map(row).collect();
        LearningRate { rows, steps: 100, features: 784, constant: 0.1 }
    }

    #[test]
    fn no_rate_that_leaves_finite_numbers_is_a_result_too() {
        let outcome = study([0.0; 10]).report();
        assert_eq!(outcome.section.claims[0].verdict, Verdict::DoesNotHold);
        assert_eq!(outcome.section.claims[2].verdict, Verdict::DoesNotHold);
    }

    #[test]
    fn a_usual_result_holds() {
        let outcome = study([0.4, 0.7, 0.86, 0.93, 0.95, 0.965, 0.97, 0.9, 0.8, 0.1]).report();
        assert!(outcome.section.claims.iter().all(Claim::holds), "{:?}", outcome.section.claims);
    }

    #[test]
    fn the_window_has_no_gap_and_ends_between_rates() {
        let some = [0.95, 0.1, 0.95, 0.96, 0.97, 0.96, 0.0, 0.96, 0.96, 0.1];
        let (low, high) = window(&some);
        // A share of 0.03/0.85 of the way from 10⁻⁴ to 3·10⁻⁵, and 0.04/0.96 of that from 0.003 to 0.01.
        assert!((low / (1e-4 * Float::powf(0.3, 0.03 / 0.85)) - 1.0).abs() < 1e-12, "{low}");
        assert!((high / (3e-3 * Float::powf(10.0 / 3.0, 0.04 / 0.96)) - 1.0).abs() < 1e-12, "{high}");
        assert_eq!(window(&[0.5; 10]), (1e-5, 0.5));
    }
}
