//! Schedules, and when to stop.

mod quadratic;
mod restarts;
mod stopping;

use std::sync::Arc;

use super::prelude::*;
use crate::optim::Momentum;
use crate::optim::schedule::Schedule;
use crate::train::{Criterion, Epoch, Evaluation, FitOptions, History, Rate};

pub const EXPERIMENT: Experiment = Experiment {
    name: "schedule-early-stopping",
    question: "What do a cosine schedule, warm restarts and early stopping do, and is stopping early a \
               ridge?",
    theory: &[
        "The cosine takes the rate from η₀ to η₁ in T steps: $η₁+{1}/{2}(η₀−η₁)(1+cos {πt}/{T})$; SGDR starts \
         it anew in cycles that grow, so that a good network is there at the end of each (Loshchilov and \
         Hutter 2017). GL stops when the validation loss is α percent above its least, and puts the \
         parameters of the least back (Prechelt 1998). Networks learn what is common first and wrong labels \
         later (Arpit et al. 2017), so that with wrong labels stopping should pay.",
        "On a quadratic with curvatures λ, gradient descent from 0 has after τ steps $1−(1−ηλ)^τ$ of the \
         solution in each eigendirection, and a ridge α has ${λ}/{λ+α}$: they agree where $(1−ηλ)^τ = \
         {α}/{λ+α}$, and for small ηλ and λ/α that is $τ ≈ {1}/{ηα}$ (Bishop 1995; Goodfellow et al. 2016, \
         section 7.8). With one α for all directions they differ by at most $max |e^{−x}−{1}/{1+x}| = 0.204$; \
         the mean squared error of the gradient flow, whose steps are small, is at most 1.69 times that of \
         the ridge (Ali, Kolter and Tibshirani 2019).",
    ],
    parts: Parts::of::<Whole>(),
    finding,
};

super::whole!(run);

/// The first rate of every schedule.
const RATE: f64 = 0.05;
const HIDDEN: usize = 128;
/// Pieces of work that the bar counts.
const PARTS: usize = 5;

/// A run with its record, and what the test set says of the network it leaves.
struct Run {
    history: History,
    validation: f64,
    test: Evaluation,
}

impl Run {
    fn curve(&self, of: impl Fn(&Epoch) -> Option<f64>) -> Vec<(f64, f64)> {
        self.history.epochs.iter().filter_map(|e| of(e).map(|y| (e.epoch as f64, y))).collect()
    }
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
    epochs: usize,
    batch: usize,
) -> Result<Run> {
    let Sets { train, validation, test } = sets;
    let mut net = Net::<f32>::relu(train, &[HIDDEN], context.seed)?;
    let mut optimizer = Optimizer::new(Momentum::default(), schedule.lr(0))?;
    let options = FitOptions {
        rate: Rate::Schedule(Arc::new(schedule)),
        early_stopping: early,
        ..FitOptions::new(epochs, batch, context.seed)
    };
    let sets = (train, Some(validation));
    let history = net.fit(context, "training", &mut optimizer, sets, &options, None)?;
    let (validation, test) = (net.evaluate(validation)?.loss, net.evaluate(test)?);
    Ok(Run { history, validation, test })
}

fn run(context: &Context) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    stopping::measure(context, &mut outcome)?;
    restarts::measure(context, &mut outcome)?;
    quadratic::measure(context, &mut outcome)?;
    Ok(outcome)
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
            "The run stops after epoch {} and puts back epoch {}; without stopping the network learns the wrong labels \
             by heart. On a quadratic stopping is a ridge with a λ of its own for each direction, exactly; with one λ \
             for all, the shares differ by up to {} and the error is at most {} times as large.",
            fixed(of("stopped: epochs")?, 0),
            fixed(of("stopped: epoch of the parameters")?, 0),
            fixed(of("quadratic: largest difference of shares")?, 2),
            fixed(of("quadratic: largest ratio of errors")?, 2)
        ),
    ))
}
