//! Five optimizers on one network, from the same weights and on the same batches.

mod claims;
mod curves;

use curves::{curves, shifted, standardised};

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::prelude::*;
use crate::data::preprocess::{RandomProjection, Standardize};
use crate::optim::{Momentum, RmsProp};
use crate::train::{FitOptions, Observer, Recorder, Run as Training, evaluate, fit};

pub const EXPERIMENT: Experiment = Experiment {
    name: "optimizers",
    title: "Optimizers compared",
    question: "How fast do SGD, momentum, RMSProp and Adam train the same network, and how good is the \
               result?",
    theory: &[
        "A network with one hidden layer of 128 ReLU learns the classes from 64 random projections of the \
         pixels, each standardised to mean 0 and deviation 1. The loss is the cross-entropy on batches of \
         128, in single precision. For each seed all optimizers begin with the same weights and see the \
         same batches. The projection is the same for all seeds.",
        "Momentum (Polyak 1964) sums the gradients with weights $βᵏ$. While these change slowly, k steps go \
         about as far as ${k−β/(1−β)}/{1−β}$ steps of plain descent with the same rate (Goh, \"Why Momentum \
         Really Works\", 2017). So it is ten times as fast for β = 0.9, after a start of 9 steps.",
        "A step of Adam moves a weight by about η, whatever the gradient is (Kingma and Ba 2015, section \
         2.1). So a tenth of the rate should take ten times as many steps, if rounding and the noise of the \
         batches do not matter. RMSProp (Tieleman and Hinton 2012) is Adam without momentum and without the \
         correction for its start at zero.",
        "A mean shared by all inputs makes the loss steep in one direction, and so do inputs of different \
         scales. Without them a given rate gets further (LeCun, Bottou, Orr and Müller, \"Efficient \
         BackProp\", 1998, section 4.3).",
        "Adaptive rates make fast progress at first. They are said to generalise worse in the end than SGD \
         with momentum (Wilson et al., \"The Marginal Value of Adaptive Gradient Methods\", 2017). That is \
         not judged here.",
    ],
    parts: Parts::of::<Optimizers>(),
    finding,
};

const PROJECTED: usize = 64;
const HIDDEN: usize = 128;
const BATCH: usize = 128;
const BETA: f64 = 0.9;

/// An optimizer with its rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Sgd,
    Momentum,
    RmsProp,
    Adam,
    SlowAdam,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Sgd, Kind::Momentum, Kind::RmsProp, Kind::Adam, Kind::SlowAdam];
    /// Those that are tried on inputs that are not standardised as well.
    const RAW: [Kind; 2] = [Kind::Sgd, Kind::Adam];

    fn name(self) -> &'static str {
        match self {
            Kind::Sgd => "SGD 0.01",
            Kind::Momentum => "momentum 0.01",
            Kind::RmsProp => "RMSProp 0.001",
            Kind::Adam => "Adam 0.001",
            Kind::SlowAdam => "Adam 0.0001",
        }
    }

    fn optimizer(self) -> Result<Optimizer<f32>> {
        match self {
            Kind::Sgd => Optimizer::new(Sgd, 1e-2),
            Kind::Momentum => Optimizer::new(Momentum::new(BETA)?, 1e-2),
            Kind::RmsProp => Optimizer::new(RmsProp::default(), 1e-3),
            Kind::Adam => Optimizer::new(Adam::default(), 1e-3),
            Kind::SlowAdam => Optimizer::new(Adam::default(), 1e-4),
        }
    }
}

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Optimizers {
    rows: Vec<Row>,
    /// On projections that are not standardised.
    raw: Vec<Row>,
    epochs: usize,
    /// In an epoch.
    steps: usize,
}

impl Optimizers {
    fn row(&self, kind: Kind) -> &Row {
        self.rows.iter().find(|row| row.kind == kind).expect("each is run")
    }

    fn seeds(&self) -> usize {
        self.rows[0].runs.len()
    }
}

/// One optimizer from one seed: a number for every epoch, and of the test also one before the first.
#[derive(Serialize, Deserialize)]
struct Run {
    #[serde(with = "lossless")]
    train: Vec<f64>,
    #[serde(with = "lossless")]
    test: Vec<f64>,
    #[serde(with = "lossless")]
    accuracy: Vec<f64>,
    diverged: bool,
}

/// The runs of one optimizer, a seed each.
#[derive(Serialize, Deserialize)]
struct Row {
    kind: Kind,
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

    /// The last value of each seed; NaN if a run left the finite numbers.
    fn ends(&self, f: impl Fn(&Run) -> &[f64]) -> Vec<f64> {
        let last = |run| f(run).last().copied().unwrap_or(f64::NAN);
        self.runs.iter().map(|run| if run.diverged { f64::NAN } else { last(run) }).collect()
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
        self.context.stop_if_asked(run);
        Ok(())
    }

    fn epoch(&mut self, _: &mut Training<'_, T>) -> Result<()> {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.context.at(done, self.all, self.what)
    }
}

impl Study for Optimizers {
    const EDITION: u32 = 3;

    fn measure(context: &Context) -> Result<Optimizers> {
        // With fewer than 20 epochs the fast optimizers would come to the compared loss within their first epoch, and
        // inside an epoch nothing is measured.
        let (epochs, seeds) = context.pick((24, 8), (25, 10));
        let kinds = [&Kind::ALL[..], &Kind::RAW].concat();
        let all = epochs * kinds.len() * seeds;
        context.at(0, all, "random projection")?;
        let features = context.data.train.features();
        if features < PROJECTED {
            return Err(Error::Data(format!(
                "the images are projected to {PROJECTED} numbers, but have only {features} pixels"
            )));
        }
        let projection = RandomProjection::new(features, PROJECTED, context.seed)?;
        let raw = (projection.apply(&context.data.train)?, projection.apply(&context.data.test)?);
        let scale = Standardize::fit(&raw.0)?;
        let scaled = (scale.apply(&raw.0)?, scale.apply(&raw.1)?);
        let done = AtomicUsize::new(0);
        // The products are too small to be shared out; the runs are not.
        let runs: Vec<Run> = (0..kinds.len() * seeds)
            .into_par_iter()
            .map(|k| {
                let (which, seed) = (k / seeds, derive(context.seed, (k % seeds) as u64));
                let mut watch = Watch { context, done: &done, all, what: kinds[which].name() };
                let (train, test) = if which < Kind::ALL.len() { &scaled } else { &raw };
                train_one(kinds[which], seed, epochs, train, test, &mut watch)
            })
            .collect::<Result<_>>()?;
        let mut runs = runs.into_iter();
        let mut rows: Vec<Row> =
            kinds.into_iter().map(|kind| Row { kind, runs: runs.by_ref().take(seeds).collect() }).collect();
        let raw = rows.split_off(Kind::ALL.len());
        Ok(Optimizers { rows, raw, epochs, steps: context.data.train.len().div_ceil(BATCH) })
    }

    fn report(&self) -> Outcome {
        report(self)
    }
}

fn train_one(
    kind: Kind,
    seed: u64,
    epochs: usize,
    train: &Dataset,
    test: &Dataset,
    watch: &mut Watch<'_, '_>,
) -> Result<Run> {
    let Net { mut tape, model, loss } = Net::relu(train, &[HIDDEN], seed)?;
    let mut optimizer = kind.optimizer()?;
    let options = FitOptions::new(epochs, BATCH, seed);
    let before = evaluate(&model, &*loss, &mut tape, test)?;
    let mut record = Recorder::default();
    // The test set takes part in no choice: every epoch is kept, and none stopped at.
    let observers: &mut [&mut dyn Observer<f32>] = &mut [&mut record, watch];
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

fn report(study: &Optimizers) -> Outcome {
    let mut outcome = Outcome::default();
    claims::all(&mut outcome, study);
    outcome.figure(&curves(study));
    outcome.figure(&shifted(study));
    outcome.figure(&standardised(study));

    let Optimizers { rows, epochs, .. } = study;
    for row in rows {
        let name = row.kind.name();
        let (accuracy, deviation) = mean_and_deviation(&row.ends(|run| &run.accuracy));
        outcome.number(format!("{name}: training loss"), mean(&row.ends(|run| &run.train)));
        outcome.number(format!("{name}: test loss"), mean(&row.ends(|run| &run.test)));
        outcome.number(format!("{name}: test accuracy"), accuracy);
        outcome.number(format!("{name}: deviation of the accuracy"), deviation);
    }
    let least = |row: &Row| {
        let curve = row.curve(|run| &run.test);
        (0..curve.len()).min_by(|a, b| curve[*a].total_cmp(&curve[*b])).unwrap_or(0)
    };
    let name = |row: &Row| {
        let raw = if std::ptr::eq(row, study.row(row.kind)) { "" } else { ", not standardised" };
        let diverged = row.runs.iter().filter(|run| run.diverged).count();
        let diverged = if diverged == 0 { String::new() } else { format!(", not finite in {diverged} runs") };
        format!("{}{raw}{diverged}", row.kind.name())
    };
    let caption = format!("After {epochs} epochs: means over {} seeds", study.seeds());
    outcome.table(
        Table::of("ends", caption, &rows.iter().chain(&study.raw).collect::<Vec<&Row>>())
            .column("optimizer", |row| name(row))
            .column("training loss", |row| mean(&row.ends(|run| &run.train)))
            .column("test loss", |row| mean(&row.ends(|run| &run.test)))
            .column("least test loss in epoch", |row| least(row))
            .column("test accuracy", |row| mean(&row.ends(|run| &run.accuracy)))
            .column("its deviation over the seeds", |row| {
                mean_and_deviation(&row.ends(|run| &run.accuracy)).1
            }),
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
    Some((
        "curves",
        format!(
            "At the same rate momentum needs {} times fewer steps than SGD",
            fixed(found.number("momentum against SGD")?, 1)
        ),
        format!(
            "At the end {} have test accuracies of {}. With a tenth of its rate Adam takes {} times as \
             long. Standardised projections make Adam {} times as fast, and SGD {} times.",
            names.join(", "),
            ends.iter().map(|(_, accuracy)| percent(*accuracy)).collect::<Vec<_>>().join(", "),
            fixed(found.number("Adam 0.001 against 0.0001")?, 1),
            fixed(found.number("Adam 0.001, standardised against not")?, 2),
            fixed(found.number("SGD 0.01, standardised against not")?, 2)
        ),
    ))
}
