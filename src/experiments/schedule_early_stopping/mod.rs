//! Schedules, and when to stop.

mod quadratic;
mod restarts;
mod stopping;

use std::sync::Arc;

use super::prelude::*;
use crate::optim::Momentum;
use crate::optim::schedule::Schedule;
use crate::train::{Criterion, FitOptions, Rate, Stop};

pub const EXPERIMENT: Experiment = Experiment {
    name: "schedule-early-stopping",
    title: "Schedules and stopping",
    question: "What do a cosine schedule, warm restarts and early stopping do, and is early stopping a \
               ridge?",
    theory: &[
        "The cosine takes the rate from η₀ to η₁ in T steps: $η₁+{1}/{2}(η₀−η₁)(1+cos {πt}/{T})$. SGDR \
         restarts it in cycles of growing length, so there is a good network at the end of each cycle \
         (Loshchilov and Hutter 2017). GL stops when the validation loss is α percent above its minimum so \
         far. It then restores the parameters of that minimum (Prechelt 1998). Networks learn common \
         patterns first and wrong labels later (Arpit et al. 2017). So with wrong labels stopping should \
         help.",
        "On a quadratic with curvatures λ, gradient descent from 0 reaches after τ steps a share \
         $1−(1−ηλ)^τ$ of the solution in each eigendirection. A ridge α reaches ${λ}/{λ+α}$. They agree \
         where $(1−ηλ)^τ = {α}/{λ+α}$. For small ηλ and λ/α that is $τ ≈ {1}/{ηα}$ (Bishop 1995; Goodfellow \
         et al. 2016, section 7.8). For small steps, a single $α = {1}/{ητ}$ for all directions gives a \
         difference of at most $max |e^{−x}−{1}/{1+x}| = 0.204$. The mean squared error of the gradient \
         flow, the limit of small steps, is at most 1.69 times that of the ridge (Ali, Kolter and \
         Tibshirani 2019).",
    ],
    parts: Parts::of::<Schedules>(),
    finding,
};

/// The first rate of every schedule.
const RATE: f64 = 0.05;
const HIDDEN: usize = 128;

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Schedules {
    stopping: stopping::Stopping,
    restarts: restarts::Restarts,
    designs: Vec<quadratic::Design>,
}

impl Study for Schedules {
    const EDITION: u32 = 2;

    fn measure(context: &Context) -> Result<Schedules> {
        context.at(0, 3, "early stopping")?;
        let seeds = seeds(context);
        let stopping = stopping::measure(context, &seeds)?;
        let restarts = restarts::measure(context, &seeds)?;
        let designs = quadratic::measure(context, &seeds)?;
        Ok(Schedules { stopping, restarts, designs })
    }

    fn report(&self) -> Outcome {
        let mut outcome = Outcome::default();
        stopping::report(&mut outcome, &self.stopping);
        restarts::report(&mut outcome, &self.restarts);
        quadratic::report(&mut outcome, &self.designs);
        outcome
    }
}

/// A run epoch by epoch, and what the other sets say of the network it leaves.
#[derive(Serialize, Deserialize)]
struct Run {
    /// Mean training loss of each epoch.
    #[serde(with = "lossless")]
    train: Vec<f64>,
    /// Validation loss after each epoch.
    #[serde(with = "lossless")]
    validation: Vec<f64>,
    /// The rate of the last step of each epoch.
    rates: Vec<f64>,
    /// The epoch with which the criterion has ended it.
    stopped: Option<usize>,
    /// The epoch whose parameters it leaves.
    left: usize,
    #[serde(with = "lossless")]
    left_validation: f64,
    #[serde(with = "lossless")]
    test_loss: f64,
    #[serde(with = "lossless")]
    test_accuracy: f64,
}

impl Run {
    fn epochs(&self) -> usize {
        self.train.len()
    }
}

/// Something of each epoch, from 1.
fn curve(of: &[f64]) -> Vec<(f64, f64)> {
    of.iter().enumerate().map(|(i, y)| ((i + 1) as f64, *y)).collect()
}

/// Sets for training, validation and test.
struct Sets<'a> {
    train: Dataset,
    validation: Dataset,
    test: &'a Dataset,
}

fn train(
    context: &Context,
    sets: &Sets,
    schedule: impl Schedule + 'static,
    early: Option<Criterion>,
    (epochs, batch): (usize, usize),
    seed: u64,
) -> Result<Run> {
    let Sets { train, validation, test } = sets;
    let mut net = Net::<f32>::relu(train, &[HIDDEN], seed)?;
    let mut optimizer = Optimizer::new(Momentum::default(), schedule.lr(0))?;
    let options = FitOptions {
        rate: Rate::Schedule(Arc::new(schedule)),
        early_stopping: early,
        ..FitOptions::new(epochs, batch, seed)
    };
    let history = net.fit(context, &mut optimizer, (train, Some(validation)), &options)?;
    let (validation, test) = (net.evaluate(validation)?.loss, net.evaluate(test)?);
    let epochs = &history.epochs;
    Ok(Run {
        train: epochs.iter().map(|epoch| epoch.train_loss).collect(),
        validation: epochs.iter().map(|epoch| epoch.validation_loss.unwrap_or(f64::NAN)).collect(),
        rates: epochs.iter().map(|epoch| epoch.lr).collect(),
        stopped: match history.stop {
            Stop::Early { epoch } => Some(epoch),
            _ => None,
        },
        left: history.best_epoch.unwrap_or(epochs.len()),
        left_validation: validation,
        test_loss: test.loss,
        test_accuracy: test.accuracy().unwrap_or(f64::NAN),
    })
}

fn finding(found: &Found) -> Told {
    let of = |name: &str| found.number(name);
    let (stopped, free) = (of("stopped: test loss")?, of("not stopped: test loss")?);
    Some((
        "early-stopping",
        format!(
            "With a fifth of the labels wrong, stopping leaves a test loss of {} in place of {}",
            fixed(stopped, 2),
            fixed(free, 2)
        ),
        format!(
            "The first run stops after epoch {} and restores epoch {}; without stopping the network \
             memorises the wrong labels. On a quadratic stopping is exactly a ridge with its own λ for each \
             direction. With one λ for all, the shares differ by up to {}, and the error is at most {} \
             times as large.",
            fixed(of("stopped: epochs")?, 0),
            fixed(of("stopped: epoch of the parameters")?, 0),
            fixed(of("quadratic: largest difference of shares")?, 2),
            fixed(of("quadratic: largest ratio of errors")?, 2)
        ),
    ))
}
