//! Five optimizers on one network, from the same weights and on the same batches.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::statistics::mean_and_deviation;
use super::{Context, Experiment, Outcome};
use crate::data::{Dataset, preprocess::RandomProjection};
use crate::models::Mlp;
use crate::nn::{Activation, loss};
use crate::optim::{Adam, Momentum, Optimizer, RmsProp, Sgd};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Table, fixed, rounded};
use crate::rng::{Purpose, derive, stream};
use crate::train::{FitOptions, Observer, Recorder, Run as Training, Stop, evaluate, fit};
use crate::{Error, Float, Result, Tape};

pub const EXPERIMENT: Experiment = Experiment {
    name: "optimizers",
    question: "How fast do SGD, momentum, RMSProp and Adam train the same network, and how well does it do?",
    theory: &[
        "A network with one hidden layer of 128 ReLU learns the classes from 64 random projections of the pixels, by the \
         cross-entropy on batches of 128. In each of three seeds all optimizers begin at the same weights and \
         see the same batches; the projection is the same throughout.",
        "Momentum (Polyak 1964) sums the gradients with weights βᵏ. As long as these change slowly, k steps go \
         as far as (k − β/(1−β))/(1−β) of plain descent with the same rate (Goh, \"Why Momentum Really Works\", \
         2017): ten times as fast for β = 0.9, but for a start of 9 steps.",
        "A step of Adam moves a weight by about η whatever the gradient (Kingma and Ba 2015, section 2.1), so \
         that a tenth of the rate should take ten times as many steps for the same way, while rounding and \
         the noise of the batches play no part. RMSProp (Tieleman and Hinton 2012) is Adam without momentum \
         and without the correction for its start at zero.",
        "Adaptive rates make fast progress at first, and are said to generalise worse in the end than SGD \
         with momentum (Wilson et al., \"The Marginal Value of Adaptive Gradient Methods\", 2017).",
    ],
    run,
};

const PROJECTED: usize = 64;
const HIDDEN: usize = 128;
const BATCH: usize = 128;
const SEEDS: usize = 3;
const NAMES: [&str; 5] = ["SGD 0.01", "momentum 0.01", "RMSProp 0.001", "Adam 0.001", "Adam 0.0001"];
const SGD: usize = 0;
const MOMENTUM: usize = 1;
const RMSPROP: usize = 2;
const ADAM: usize = 3;
const SLOW_ADAM: usize = 4;
const BETA: f64 = 0.9;

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
        let ends = |i: usize| {
            let numbers = self.runs.iter().map(|run| f(run)[i]);
            numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)))
        };
        (0..self.epochs(&f)).map(ends).collect()
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
    let mut tape = Tape::new();
    let mut rng = stream(seed, Purpose::Init);
    let widths = [PROJECTED, HIDDEN, train.classes()];
    let model = Mlp::new(&widths, Activation::Relu).build(&mut tape, &mut rng)?;
    let mut optimizer = optimizer(which)?;
    let loss = loss::suited_to(train)?;
    let options = FitOptions::new(epochs, BATCH, seed);
    let before = evaluate(&model, &*loss, &mut tape, test)?;
    let mut record = Recorder::default();
    // The test set takes part in no choice: every epoch is kept, and none stopped at.
    let observers: &mut [&mut dyn Observer<f64>] = &mut [&mut record, watch];
    let fitted = fit(&model, &*loss, &mut tape, &mut optimizer, train, Some(test), &options, observers);
    watch.context.check()?;
    let diverged = match fitted {
        Ok(_) => false,
        Err(Error::NonFinite(_)) => true,
        Err(error) => return Err(error),
    };
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

/// How many times as fast `fast` comes to where `slow` is after half of the epochs, by the test loss.
fn speed(rows: &[Row], fast: usize, slow: usize, epochs: usize) -> f64 {
    let (fast, slow) = (rows[fast].curve(|run| &run.test), rows[slow].curve(|run| &run.test));
    let half = epochs / 2;
    let level = slow.get(half).copied().unwrap_or(f64::NAN);
    reaches(&fast, level).map_or(f64::NAN, |epoch| half as f64 / epoch)
}

fn report(rows: &[Row], epochs: usize, steps: usize) -> Outcome {
    let mut outcome = Outcome::default();
    speed_claims(&mut outcome, rows, epochs, steps);
    start_claim(&mut outcome, rows, epochs);
    end_claims(&mut outcome, rows);
    outcome.figure(&curves(rows));
    outcome.figure(&shifted(rows, epochs));

    let columns = [
        "optimizer",
        "training loss",
        "test loss",
        "least test loss in epoch",
        "test accuracy",
        "its deviation over the seeds",
    ];
    let caption = format!("After {epochs} epochs: means over {SEEDS} seeds");
    let mut table = Table::new("ends", caption, columns);
    for row in rows {
        let ((train, _), (test, _)) = (row.last(|r| &r.train), row.last(|r| &r.test));
        let (accuracy, deviation) = row.last(|r| &r.accuracy);
        let curve = row.curve(|r| &r.test);
        let least = (0..curve.len()).min_by(|a, b| curve[*a].total_cmp(&curve[*b])).unwrap_or(0);
        let name = match row.runs.iter().filter(|run| run.diverged).count() {
            0 => row.name.to_string(),
            n => format!("{}, not finite in {n} of {SEEDS} runs", row.name),
        };
        table.row([name.into(), train.into(), test.into(), least.into(), accuracy.into(), deviation.into()]);
        outcome.number(format!("{}: training loss", row.name), train);
        outcome.number(format!("{}: test loss", row.name), test);
        outcome.number(format!("{}: test accuracy", row.name), accuracy);
        outcome.number(format!("{}: deviation of the accuracy", row.name), deviation);
    }
    outcome.table(table);
    outcome
}

fn times(factor: f64, until: &str) -> String {
    match factor.is_nan() {
        true => format!("no factor: there are no epochs after which {until}"),
        false => format!("{} times: epochs until {until}", rounded(factor, 3)),
    }
}

fn speed_claims(outcome: &mut Outcome, rows: &[Row], epochs: usize, steps: usize) {
    let half = epochs / 2;
    let momentum = speed(rows, MOMENTUM, SGD, epochs);
    outcome.number("momentum against SGD", momentum);
    // Plain descent has done `plain` steps where momentum needs (1−β)·plain and those of its start.
    let plain = (half * steps) as f64;
    let expected = plain / (plain * (1.0 - BETA) + BETA / (1.0 - BETA));
    outcome.claim(
        Claim::that("Momentum goes the way of SGD 1/(1−β) times as fast, but for its start")
            .expected(format!("{} times", rounded(expected, 3)))
            .measured(times(momentum, &format!("the test loss is that of SGD after {half}")))
            .criterion("within 15 % of the expected factor")
            .holds(
                (momentum / expected - 1.0).abs() <= 0.15,
                "The sum of the gradients stands for ten steps of plain descent only as long as they change \
                 slowly: where the loss curves much along the way, the ten go elsewhere. Momentum also keeps \
                 more of the noise of the batches, which adds to its loss.",
            ),
    );
    let slow = speed(rows, ADAM, SLOW_ADAM, epochs);
    outcome.number("Adam 0.001 against 0.0001", slow);
    outcome.claim(
        Claim::that("Adam with a tenth of the rate takes ten times as long")
            .expected("about 10 times")
            .measured(times(slow, &format!("the test loss is that of the slow one after {half}")))
            .criterion("between 7 and 14")
            .holds(
                (7.0..=14.0).contains(&slow),
                "What the theory has in mind is the start. The average of the squared gradients looks back a \
                 thousand steps at either rate, which no scaling of time makes equal; and the shorter the \
                 steps, the less the noise of the batches adds to the loss.",
            ),
    );
}

fn start_claim(outcome: &mut Outcome, rows: &[Row], epochs: usize) {
    let early = (epochs / 10).max(1);
    let curves: Vec<Vec<f64>> = rows.iter().map(|row| row.curve(|run| &run.train)).collect();
    let losses: Vec<f64> =
        curves.iter().map(|curve| curve.get(early - 1).copied().unwrap_or(f64::NAN)).collect();
    let leads = (0..rows.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap_or(0);
    let named: Vec<String> =
        rows.iter().zip(&losses).map(|(row, loss)| format!("{}: {}", row.name, rounded(*loss, 3))).collect();
    let overtakes = curves[RMSPROP].iter().zip(&curves[leads]).position(|(a, b)| a < b);
    let when = overtakes.map_or("never gets ahead".into(), |i| format!("gets ahead in epoch {}", i + 1));
    outcome.claim(
        Claim::that("Adaptive rates make the fastest progress at first")
            .expected("the least training loss")
            .measured(format!("in epoch {early}. {}", named.join("; ")))
            .criterion("after a tenth of the epochs, the least mean training loss is RMSProp's or Adam's")
            .holds(
                [RMSPROP, ADAM, SLOW_ADAM].contains(&leads),
                format!(
                    "Who is fast at first is a matter of the rates as much as of the rule. Random projections \
                     mix all pixels, so that all inputs have about the same scale, and there is little that a \
                     rate of its own for each weight could mend at the start. RMSProp {when}."
                ),
            ),
    );
}

fn end_claims(outcome: &mut Outcome, rows: &[Row]) {
    let accuracy = |which: usize| rows[which].last(|run| &run.accuracy);
    let fast = [MOMENTUM, RMSPROP, ADAM];
    let ends: Vec<String> = fast
        .iter()
        .map(|which| {
            let (mean, deviation) = accuracy(*which);
            format!("{}: {} ± {}", NAMES[*which], fixed(mean, 4), fixed(deviation, 4))
        })
        .collect();
    let measured = format!("means and deviations over {SEEDS} seeds. {}", ends.join("; "));
    let train = |which: usize| rounded(rows[which].last(|run| &run.train).0, 2);
    outcome.claim(
        Claim::that("In the end SGD with momentum generalises better than RMSProp and Adam at 0.001")
            .expected("a higher test accuracy")
            .measured(measured)
            .criterion("the mean over the seeds is above both after the last epoch")
            .holds(
                accuracy(MOMENTUM).0 > accuracy(RMSPROP).0.max(accuracy(ADAM).0),
                format!(
                    "The training losses are {} with momentum, {} with RMSProp and {} with Adam: a smaller one \
                     means that more of the training set has been fitted. Wilson et al. tuned the rate of each \
                     optimizer and decayed it; here the rates are given and fixed.",
                    train(MOMENTUM),
                    train(RMSPROP),
                    train(ADAM)
                ),
            ),
    );
    let (low, high) = fast
        .iter()
        .map(|which| accuracy(*which).0)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), mean| (a.min(mean), b.max(mean)));
    let deviation = fast.iter().map(|which| accuracy(*which).1).fold(0.0, f64::max);
    // A run that is not finite has no accuracy, which minima and maxima would pass over.
    let all_finite = fast.iter().all(|which| accuracy(*which).0.is_finite());
    outcome.claim(
        Claim::that("At the end, which of the three fast optimizers it is matters more than the seed")
            .expected("test accuracies further apart than those of two seeds")
            .measured(format!(
                "a range of {} against a deviation of at most {}",
                fixed(high - low, 4),
                fixed(deviation, 4)
            ))
            .criterion(format!(
                "the means of {}, {} and {} differ, and span at least twice the largest of their deviations over the seeds",
                NAMES[MOMENTUM], NAMES[RMSPROP], NAMES[ADAM]
            ))
            .holds(
                all_finite && high - low > 0.0 && high - low >= 2.0 * deviation,
                format!(
                    "{SEEDS} seeds do not tell these three apart: what lies between them is of the size of what \
                     other initial weights and another order of the samples change."
                ),
            ),
    );
}

/// Lines of means (x, mean), with bands from the least to the greatest (x, low, high).
fn lines(
    mut chart: Chart,
    rows: &[Row],
    means: impl Fn(&Row) -> Vec<(f64, f64)>,
    bands: impl Fn(&Row) -> Vec<(f64, f64, f64)>,
) -> Chart {
    for (i, row) in rows.iter().enumerate() {
        chart = chart.band(bands(row), Color::series(i), "");
    }
    for (i, row) in rows.iter().enumerate() {
        // Dashed where two go side by side.
        let dash = [0, 1, 0, 1, 3][i];
        chart = chart.line(Line::new(means(row)).label(row.name).color(Color::series(i)).dash(dash));
    }
    chart
}

fn curves(rows: &[Row]) -> Figure {
    let epoch = || Axis::linear("epoch");
    let train = lines(
        Chart::new(epoch(), Axis::log("mean cross-entropy (nats)")).title("Training loss"),
        rows,
        // The mean of an epoch belongs to its end; of the loss before the first nothing is known.
        |row| (1..).zip(row.curve(|run| &run.train)).map(|(k, x)| (f64::from(k), x)).collect(),
        |row| (1..).zip(row.range(|run| &run.train)).map(|(k, (a, b))| (f64::from(k), a, b)).collect(),
    );
    let error = lines(
        Chart::new(epoch(), Axis::log("share of wrong answers")).title("Test error: 1 − accuracy"),
        rows,
        |row| (0..).zip(row.curve(|run| &run.accuracy)).map(|(k, x)| (f64::from(k), 1.0 - x)).collect(),
        |row| {
            let range = row.range(|run| &run.accuracy);
            (0..).zip(range).map(|(k, (a, b))| (f64::from(k), 1.0 - b, 1.0 - a)).collect()
        },
    );
    Figure::new(
        "curves",
        "Training loss, and errors on the test set",
        format!(
            "Lines are means over {SEEDS} seeds, bands reach from the least to the greatest of them. See who \
             falls first, and whether a loss that goes on falling in the first panel still brings anything in \
             the second."
        ),
    )
    .panel(train)
    .panel(error)
}

/// The test loss over a logarithmic axis, on which a faster way is the same curve further to the left.
fn shifted(rows: &[Row], epochs: usize) -> Figure {
    let chart =
        || Chart::new(Axis::log("epoch").range(1.0, epochs as f64), Axis::log("mean cross-entropy (nats)"));
    let pair = |title: &str, slow: usize, fast: usize| {
        let mut chart = chart().title(title);
        let test = |which: usize| (0..).map(f64::from).zip(rows[which].curve(|run| &run.test)).skip(1);
        for which in [slow, fast] {
            chart = chart.line(Line::new(test(which)).label(rows[which].name).color(Color::series(which)));
        }
        let line = Line::new(test(fast).map(|(epoch, mean)| (10.0 * epoch, mean)));
        chart.line(line.label(format!("{}, ten times later", rows[fast].name)).color(Color::Ink).dash(2))
    };
    Figure::new(
        "shifted",
        "Ten times as fast",
        "Test loss. On a logarithmic axis of epochs, to go the same way ten times as fast means the same \
         curve a power of ten to the left. The dotted line is the fast curve moved back by that: where it \
         lies on the slow one, the theory holds.",
    )
    .panel(pair("Momentum against SGD", SGD, MOMENTUM))
    .panel(pair("Adam at ten times the rate", SLOW_ADAM, ADAM))
}
