//! Five optimizers on one network, from the same weights and on the same batches.

mod claims;
mod curves;

use claims::{end_claims, speed_claims, start_claim};
use curves::{curves, shifted};

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::prelude::*;
use crate::data::preprocess::RandomProjection;
use crate::optim::{Momentum, RmsProp};
use crate::train::{FitOptions, Observer, Recorder, Run as Training, Stop, evaluate, fit};

pub const EXPERIMENT: Experiment = Experiment {
    name: "optimizers",
    question: "How fast do SGD, momentum, RMSProp and Adam train the same network, and how well does it do?",
    theory: &[
        "A network with one hidden layer of 128 ReLU learns the classes from 64 random projections of the \
         pixels, by the cross-entropy on batches of 128. In each of three seeds all optimizers begin at the \
         same weights and see the same batches; the projection is the same throughout.",
        "Momentum (Polyak 1964) sums the gradients with weights $βᵏ$. As long as these change slowly, k steps \
         go as far as ${k−β/(1−β)}/{1−β}$ of plain descent with the same rate (Goh, \"Why Momentum Really \
         Works\", 2017): ten times as fast for β = 0.9, but for a start of 9 steps.",
        "A step of Adam moves a weight by about η whatever the gradient (Kingma and Ba 2015, section 2.1), so \
         that a tenth of the rate should take ten times as many steps for the same way, while rounding and \
         the noise of the batches play no part. RMSProp (Tieleman and Hinton 2012) is Adam without momentum \
         and without the correction for its start at zero.",
        "Adaptive rates make fast progress at first, and are said to generalise worse in the end than SGD \
         with momentum (Wilson et al., \"The Marginal Value of Adaptive Gradient Methods\", 2017).",
    ],
    parts: Parts::of::<Whole>(),
    finding,
};

super::whole!(run);

const PROJECTED: usize = 64;
const HIDDEN: usize = 128;
const BATCH: usize = 128;
const SEEDS: usize = 3;
const BETA: f64 = 0.9;

const NAMES: [&str; 5] = ["SGD 0.01", "momentum 0.01", "RMSProp 0.001", "Adam 0.001", "Adam 0.0001"];

const SGD: usize = 0;
const MOMENTUM: usize = 1;
const RMSPROP: usize = 2;
const ADAM: usize = 3;
const SLOW_ADAM: usize = 4;

fn optimizer(which: usize) -> Result<Optimizer<f64>> {
    match which {
        SGD => Optimizer::new(Sgd, 1e-2),
        MOMENTUM => Optimizer::new(Momentum::new(BETA)?, 1e-2),
        RMSPROP => Optimizer::new(RmsProp::default(), 1e-3),
        ADAM => Optimizer::new(Adam::default(), 1e-3),
        _ => Optimizer::new(Adam::default(), 1e-4),
    }
}

/// One optimizer from one seed: a number for every epoch, and of the test also one before the first.
struct Run {
    train: Vec<f64>,
    test: Vec<f64>,
    accuracy: Vec<f64>,
    diverged: bool,
}

/// The runs of one optimizer.
struct Row {
    name: &'static str,
    runs: Vec<Run>,
}

impl Row {
    /// How many epochs all seeds got through.
    fn epochs(&self, f: impl Fn(&Run) -> &[f64]) -> usize {
        self.runs.iter().map(|run| f(run).len()).min().unwrap_or(0)
    }

    /// Mean over the seeds, epoch by epoch.
    fn curve(&self, f: impl Fn(&Run) -> &[f64]) -> Vec<f64> {
        let mean = |i: usize| self.runs.iter().map(|run| f(run)[i]).sum::<f64>() / self.runs.len() as f64;
        (0..self.epochs(&f)).map(mean).collect()
    }

    /// Least and greatest of the seeds, epoch by epoch.
    fn range(&self, f: impl Fn(&Run) -> &[f64]) -> Vec<(f64, f64)> {
        (0..self.epochs(&f)).map(|i| range(self.runs.iter().map(|run| f(run)[i]))).collect()
    }

    /// Mean and deviation over the seeds of the last value; NaN if a run left the finite numbers.
    fn last(&self, f: impl Fn(&Run) -> &[f64]) -> (f64, f64) {
        let last = |run| f(run).last().copied().unwrap_or(f64::NAN);
        let ends = self.runs.iter().map(|run| if run.diverged { f64::NAN } else { last(run) });
        mean_and_deviation(&ends.collect::<Vec<_>>())
    }
}

/// Ends the run when it should, and counts the epochs of all runs, which go side by side.
struct Watch<'a, 'b> {
    context: &'b Context<'a>,
    done: &'b AtomicUsize,
    all: usize,
    what: &'static str,
}

impl<T: Float> Observer<T> for Watch<'_, '_> {
    fn step(&mut self, run: &mut Training<'_, T>) -> Result<()> {
        if self.context.check().is_err() {
            run.stop = Some(Stop::Interrupted { epoch: run.progress.epoch });
        }
        Ok(())
    }

    fn epoch(&mut self, _: &mut Training<'_, T>) -> Result<()> {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.context.at(done, self.all, self.what)
    }
}

fn run(context: &Context) -> Result<Outcome> {
    let epochs = context.pick(50, 100);
    let all = epochs * NAMES.len() * SEEDS;
    context.at(0, all, "random projection")?;
    let features = context.data.train.features();
    if features < PROJECTED {
        return Err(Error::Data(format!(
            "the images are projected to {PROJECTED} numbers, and have {features} pixels only"
        )));
    }
    let projection = RandomProjection::new(features, PROJECTED, context.seed)?;
    let (train, test) = (projection.apply(&context.data.train)?, projection.apply(&context.data.test)?);
    let done = AtomicUsize::new(0);
    // The products are too small to be shared out; the runs are not.
    let runs: Vec<Run> = (0..NAMES.len() * SEEDS)
        .into_par_iter()
        .map(|k| {
            let (which, seed) = (k / SEEDS, derive(context.seed, (k % SEEDS) as u64));
            let mut watch = Watch { context, done: &done, all, what: NAMES[which] };
            train_one(which, seed, epochs, &train, &test, &mut watch)
        })
        .collect::<Result<_>>()?;
    let mut runs = runs.into_iter();
    let rows: Vec<Row> =
        NAMES.iter().map(|name| Row { name, runs: runs.by_ref().take(SEEDS).collect() }).collect();
    Ok(report(&rows, epochs, train.len().div_ceil(BATCH)))
}

fn train_one(
    which: usize,
    seed: u64,
    epochs: usize,
    train: &Dataset,
    test: &Dataset,
    watch: &mut Watch<'_, '_>,
) -> Result<Run> {
    let Net { mut tape, model, loss } = Net::relu(train, &[HIDDEN], seed)?;
    let mut optimizer = optimizer(which)?;
    let options = FitOptions::new(epochs, BATCH, seed);
    let before = evaluate(&model, &*loss, &mut tape, test)?;
    let mut record = Recorder::default();
    // The test set takes part in no choice: every epoch is kept, and none stopped at.
    let observers: &mut [&mut dyn Observer<f64>] = &mut [&mut record, watch];
    let fitted = fit(&model, &*loss, &mut tape, &mut optimizer, train, Some(test), &options, observers);
    watch.context.check()?;
    let diverged = unless_diverged(fitted)?.is_none();
    let after = |f: fn(&crate::train::Epoch) -> Option<f64>| {
        record.epochs.iter().map(move |epoch| f(epoch).unwrap_or(f64::NAN))
    };
    Ok(Run {
        train: after(|epoch| Some(epoch.train_loss)).collect(),
        test: std::iter::once(before.loss).chain(after(|epoch| epoch.validation_loss)).collect(),
        accuracy: std::iter::once(before.accuracy().unwrap_or(f64::NAN))
            .chain(after(|epoch| epoch.validation_accuracy))
            .collect(),
        diverged,
    })
}

/// The epoch, from 0 and with fractions, at which a curve first comes down to `level`; between two epochs
/// the logarithm is taken for linear.
fn reaches(curve: &[f64], level: f64) -> Option<f64> {
    let after = curve.iter().position(|mean| *mean <= level)?;
    let Some(before) = after.checked_sub(1) else { return Some(0.0) };
    let share = Float::ln(curve[before] / level) / Float::ln(curve[before] / curve[after]);
    Some(before as f64 + share)
}

fn report(rows: &[Row], epochs: usize, steps: usize) -> Outcome {
    let mut outcome = Outcome::default();
    speed_claims(&mut outcome, rows, epochs, steps);
    start_claim(&mut outcome, rows, epochs);
    end_claims(&mut outcome, rows);
    outcome.figure(&curves(rows));
    outcome.figure(&shifted(rows, epochs));

    for row in rows {
        outcome.number(format!("{}: training loss", row.name), row.last(|run| &run.train).0);
        outcome.number(format!("{}: test loss", row.name), row.last(|run| &run.test).0);
        outcome.number(format!("{}: test accuracy", row.name), row.last(|run| &run.accuracy).0);
        outcome.number(format!("{}: deviation of the accuracy", row.name), row.last(|run| &run.accuracy).1);
    }
    let least = |row: &Row| {
        let curve = row.curve(|run| &run.test);
        (0..curve.len()).min_by(|a, b| curve[*a].total_cmp(&curve[*b])).unwrap_or(0)
    };
    let name = |row: &Row| match row.runs.iter().filter(|run| run.diverged).count() {
        0 => row.name.to_string(),
        n => format!("{}, not finite in {n} of {SEEDS} runs", row.name),
    };
    let caption = format!("After {epochs} epochs: means over {SEEDS} seeds");
    outcome.table(
        Table::of("ends", caption, rows)
            .column("optimizer", name)
            .column("training loss", |row| row.last(|run| &run.train).0)
            .column("test loss", |row| row.last(|run| &run.test).0)
            .column("least test loss in epoch", least)
            .column("test accuracy", |row| row.last(|run| &run.accuracy).0)
            .column("its deviation over the seeds", |row| row.last(|run| &run.accuracy).1),
    );
    outcome
}

fn finding(found: &Found) -> Told {
    let names = ["momentum 0.01", "RMSProp 0.001", "Adam 0.001"];
    let accuracy = |name: &str| found.number(&format!("{name}: test accuracy"));
    let mut ends = Vec::new();
    for name in names {
        ends.push((name, accuracy(name)?));
    }
    let apart = found.by(
        "seed-or-optimizer",
        [
            "That is more than another seed changes.",
            "Another seed changes as much: which of the three ends best is not decided.",
            "Whether that is more than a seed changes is not decided by this run.",
        ],
    )?;
    Some((
        "curves",
        format!(
            "Momentum needs {} times fewer steps than SGD",
            fixed(found.number("momentum against SGD")?, 1)
        ),
        format!(
            "At the end {} have test accuracies of {}. {apart} With a tenth of its rate Adam takes {} times as long.",
            names.join(", "),
            ends.iter().map(|(_, accuracy)| percent(*accuracy)).collect::<Vec<_>>().join(", "),
            fixed(found.number("Adam 0.001 against 0.0001")?, 1)
        ),
    ))
}
