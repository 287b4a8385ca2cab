//! Adam at rates from far too small to far too large. Training is here; what is claimed and drawn of it is longer
//! than that, and has a file of its own.

mod report;

use report::report;

use super::data::accuracy_of_a_constant;
use super::prelude::*;
use crate::train::{FitOptions, Observer, Run};

pub const EXPERIMENT: Experiment = Experiment {
    name: "learning-rate",
    question: "At which learning rates does Adam train a network, and what happens outside of them?",
    theory: &[
        "A step of Adam moves each weight by about η, whatever the gradient (Kingma and Ba 2015, section \
         2.1). So in T steps no weight gets further than about ηT: with η = 10⁻⁵ and a thousand steps the \
         weights have hardly moved.",
        "Xavier's initialisation gives the weights of the first layer, d×128, a deviation of $√{{2}/{d+128}}$ \
         where a sample has d features: 0.05 for images of 28×28. A rate of that size replaces every weight \
         at each step: training should fail above it, long before numbers overflow.",
    ],
    parts: Parts::of::<Whole>(),
    finding,
};

super::whole!(run);

const RATES: [f64; 10] = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.5];
/// The rates whose losses are drawn: more lines than colours could not be told apart.
const DRAWN: [usize; 6] = [0, 2, 4, 6, 8, 9];
/// Width of the hidden layer.
const HIDDEN: usize = 128;

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
    let (train, test) = (&context.data.train, &context.data.test);
    Ok(report(&rows, train.features(), accuracy_of_a_constant(train, test)))
}

/// The loss of every step.
struct Losses(Vec<f64>);

impl<T: Float> Observer<T> for Losses {
    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.0.push(run.progress.loss);
        Ok(())
    }
}

/// The same initial weights and the same batches for every rate.
fn train(context: &Context, rate: f64) -> Result<Row> {
    let ExperimentData { train, test, .. } = context.data;
    let mut net = Net::<f32>::relu(train, &[HIDDEN], context.seed)?;
    let mut optimizer = Optimizer::new(Adam::default(), rate)?;
    let options = FitOptions::new(context.pick(10, 5), 64, context.seed);
    let mut losses = Losses(Vec::new());
    let fitted = net.fit(context, "training", &mut optimizer, (train, None), &options, Some(&mut losses));
    let diverged = unless_diverged(fitted)?.is_none();
    let accuracy = unless_diverged(net.evaluate(test))?.and_then(|evaluation| evaluation.accuracy());
    Ok(Row { rate, losses: losses.0, diverged, accuracy: accuracy.unwrap_or(f64::NAN) })
}

/// How far below the best test accuracy a rate is still usable.
const USABLE: f64 = 0.02;

/// The best test accuracy, and the rates around it that are usable, without a gap; none if no rate has left
/// finite numbers.
fn window(rows: &[Row]) -> Option<(f64, &[Row])> {
    let finite = (0..rows.len()).filter(|i| rows[*i].accuracy.is_finite());
    let best = finite.max_by(|a, b| rows[*a].accuracy.total_cmp(&rows[*b].accuracy))?;
    let usable = |row: &Row| row.accuracy >= rows[best].accuracy - USABLE;
    let low = (0..=best).rev().take_while(|i| usable(&rows[*i])).last().unwrap_or(best);
    let high = (best..rows.len()).take_while(|i| usable(&rows[*i])).last().unwrap_or(best);
    Some((rows[best].accuracy, &rows[low..=high]))
}

fn finding(found: &Found) -> Told {
    let best = found.all("test accuracy at ", "").max_by(|a, b| a.1.total_cmp(&b.1))?;
    let window = found.claim("window")?.measured.split(':').next()?;
    Some((
        "window",
        format!("Adam trains this network at rates {window}"),
        format!(
            "The best test accuracy, {}, is at a rate of {}. Rates far below get nowhere in so few steps; a rate of the \
             size of the first weights replaces them at every step, and training fails long before numbers overflow.",
            percent(best.1),
            best.0
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(accuracies: [f64; 10]) -> Vec<Row> {
        let row = |(rate, accuracy): (f64, f64)| Row {
            rate,
            losses: Vec::new(),
            diverged: accuracy.is_nan(),
            accuracy,
        };
        RATES.into_iter().zip(accuracies).map(row).collect()
    }

    #[test]
    fn no_rate_that_leaves_finite_numbers_is_a_result_too() {
        let outcome = report(&rows([f64::NAN; 10]), 784, 0.1);
        assert!(!outcome.section.claims[0].holds() && !outcome.section.claims[1].holds());
        assert!(outcome.section.claims[0].measured.contains("no rate"));
    }

    #[test]
    fn the_window_has_no_gap() {
        let some = rows([0.95, 0.1, 0.95, 0.96, 0.97, 0.96, f64::NAN, 0.96, 0.96, 0.1]);
        let (best, usable) = window(&some).unwrap();
        assert_eq!(best, 0.97);
        assert_eq!((usable[0].rate, usable[usable.len() - 1].rate), (1e-4, 3e-3));
    }
}
