//! Adam at rates from far too small to far too large.

use std::ops::ControlFlow;

use super::{Context, Experiment, Outcome};
use crate::models::Mlp;
use crate::nn::Activation;
use crate::optim::{Adam, Optimizer};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table};
use crate::rng::{Purpose, stream};
use crate::train::{FitOptions, Loss, Observer, Progress, Trace, evaluate, fit};
use crate::{Error, Result, Tape};

pub const EXPERIMENT: Experiment = Experiment {
    name: "learning-rate",
    question: "At which learning rates does Adam train a network, and what happens outside of them?",
    theory: &[
        "A step of Adam moves each weight by about η, whatever the gradient (Kingma and Ba 2015, section \
         2.1). So in T steps no weight gets further than about ηT: with η = 10⁻⁵ and a thousand steps the \
         weights have hardly moved.",
        "He's initialisation gives the weights of the first layer a deviation of √(2/784) = 0.05. A rate of \
         that size replaces every weight at each step: training should fail above it, long before numbers \
         overflow.",
    ],
    run,
};

const RATES: [f64; 10] = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.5];
/// The rates whose losses are drawn: more lines than colours could not be told apart.
const DRAWN: [usize; 6] = [0, 2, 4, 6, 8, 9];

struct Row {
    rate: f64,
    /// Loss of every batch, up to where it left the finite numbers.
    losses: Vec<f64>,
    diverged: bool,
    accuracy: f64,
}

fn run(context: &Context) -> Result<Outcome> {
    let mut rows = Vec::new();
    for (i, rate) in RATES.into_iter().enumerate() {
        context.at(i, RATES.len(), &format!("η = {rate}"))?;
        rows.push(train(context, rate)?);
    }
    Ok(report(&rows))
}

/// Keeps the loss of every step.
struct Record<O> {
    inner: O,
    losses: Vec<f64>,
}

impl<O: Observer> Observer for Record<O> {
    fn step(&mut self, progress: &Progress) -> ControlFlow<()> {
        self.losses.push(progress.loss);
        self.inner.step(progress)
    }
}

/// The same initial weights and the same batches for every rate.
fn train(context: &Context, rate: f64) -> Result<Row> {
    let (train, test) = (&context.data.train, &context.data.test);
    let mut tape = Tape::<f32>::default();
    let mut rng = stream(context.seed, Purpose::Init);
    let widths = [train.features(), 128, train.classes()];
    let model = Mlp::new(&mut tape, &widths, Activation::Relu, None, &mut rng)?;
    let mut optimizer = Optimizer::new(Adam::default(), rate)?;
    let loss = Loss::suited_to(train)?;
    let options = FitOptions::new(context.pick(10, 5), 64, context.seed, loss);
    let mut record = Record { inner: context.observer("training"), losses: Vec::new() };
    let mut trace = Trace::default();
    let fitted = fit(&model, &mut tape, &mut optimizer, train, None, &options, &mut record, &mut trace);
    context.check()?;
    let diverged = match fitted {
        Ok(_) => false,
        Err(Error::NonFinite(_)) => true,
        Err(error) => return Err(error),
    };
    let accuracy = match evaluate(&model, &mut tape, test, loss) {
        Ok(evaluation) => evaluation.accuracy().unwrap_or(f64::NAN),
        Err(Error::NonFinite(_)) => f64::NAN,
        Err(error) => return Err(error),
    };
    Ok(Row { rate, losses: record.losses, diverged, accuracy })
}

/// Means of pieces of the run, as many as a drawing shows.
fn smooth(losses: &[f64]) -> Vec<(f64, f64)> {
    let piece = (losses.len() / 60).max(1);
    let middle = |i: usize, n: usize| (i * piece) as f64 + 0.5 * (n + 1) as f64;
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    losses.chunks(piece).enumerate().map(|(i, part)| (middle(i, part.len()), mean(part))).collect()
}

fn report(rows: &[Row]) -> Outcome {
    let mut outcome = Outcome::default();
    let best = rows.iter().map(|row| row.accuracy).filter(|a| a.is_finite()).fold(0.0, f64::max);
    let usable: Vec<f64> = rows.iter().filter(|r| r.accuracy >= best - 0.02).map(|r| r.rate).collect();
    let (low, high) = (usable[0], usable[usable.len() - 1]);
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    let window = Claim::that("There is a window of usable rates, a factor of ten wide and more")
        .expected("at least a factor of 10")
        .measured(format!("from {low} to {high}: within 0.02 of the best test accuracy, {best:.4}"))
        .criterion("the ratio of its ends is at least 10")
        .holds(high / low >= 10.0, "");
    outcome.claim(if window.holds {
        window
    } else {
        window.because(
            "The steps of this run are few: a rate that is too small for them would do in a longer one, which \
             moves the lower end of the window down.",
        )
    });
    outcome.claim(
        Claim::that("A rate of 10⁻⁵ is too small for so few steps")
            .expected("weights that have hardly moved")
            .measured(format!(
                "test accuracy {:.4}, {:.4} below the best",
                first.accuracy,
                best - first.accuracy
            ))
            .criterion("at least 0.05 below the best test accuracy")
            .holds(best - first.accuracy >= 0.05, ""),
    );
    let large = rows.iter().find(|row| row.rate >= 0.1).unwrap_or(last);
    outcome.claim(
        Claim::that("Rates above the size of the first weights, 0.05, spoil the training")
            .expected("clearly worse at 0.1 and above")
            .measured(format!(
                "test accuracy {:.4} at {}, {:.4} at {}",
                large.accuracy, large.rate, last.accuracy, last.rate
            ))
            .criterion("at least 0.05 below the best at both, or not finite")
            .holds([large, last].iter().all(|row| row.accuracy.is_nan() || best - row.accuracy >= 0.05), ""),
    );

    let chart = |y: Axis, title: &str| {
        let mut chart = Chart::new(Axis::linear("step"), y).title(title);
        for i in DRAWN {
            let row = &rows[i];
            let end = if row.diverged { ", not finite from its end on" } else { "" };
            chart = chart.line(Line::new(smooth(&row.losses)).label(format!("η = {}{end}", row.rate)));
        }
        chart
    };
    outcome.figure(
        &Figure::new(
            "loss",
            "Loss over the steps",
            "Means over pieces of the run. On the linear axis one sees which rates learn, on the logarithmic \
             one how far they get, and how far off the large ones are thrown. The axis on the left ends at 3.",
        )
        .panel(chart(Axis::linear("cross-entropy (nats)").range(0.0, 3.0), "Linear axis"))
        .panel(chart(Axis::log("cross-entropy (nats)"), "Logarithmic axis")),
    );
    let accuracies: Vec<(f64, f64)> = rows.iter().map(|row| (row.rate, row.accuracy)).collect();
    outcome.figure(
        &Figure::new(
            "window",
            "Test accuracy over the rate",
            "The dashed line is 0.02 below the best: what lies above it is the usable window. It ends \
             steeply at the side of the large rates, and slowly at the other, where more epochs would help.",
        )
        .panel(
            Chart::new(Axis::log("learning rate η"), Axis::linear("test accuracy").range(0.0, 1.04))
                .line(Line::new(accuracies).marker(Marker::Circle))
                .horizontal(best - 0.02, Color::Muted, "0.02 below the best"),
        ),
    );
    let columns = ["rate", "mean loss of the last tenth", "test accuracy", "finite"];
    let mut table = Table::new("rates", "What each rate comes to", columns);
    for row in rows {
        let tail = &row.losses[row.losses.len() - row.losses.len().div_ceil(10)..];
        let loss = tail.iter().sum::<f64>() / tail.len() as f64;
        let finite = if row.diverged { "no" } else { "yes" };
        table.row([row.rate.into(), loss.into(), row.accuracy.into(), finite.into()]);
        outcome.number(format!("test accuracy at {}", row.rate), row.accuracy);
    }
    outcome.table(table);
    outcome
}
