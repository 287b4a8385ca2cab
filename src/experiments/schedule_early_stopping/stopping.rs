//! Early stopping where some labels are wrong.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{HIDDEN, PARTS, RATE, Run, Sets, train};
use crate::experiments::data::rows;
use crate::experiments::prelude::*;
use crate::optim::schedule::Cosine;
use crate::train::{Criterion, Stop};

/// α of GL, in percent.
const ALPHA: f64 = 5.0;
/// Share of the training labels that are wrong.
const WRONG: f64 = 0.2;
const EPOCHS: usize = 100;

/// The same run twice, with the criterion and without.
pub fn measure(context: &Context, outcome: &mut Outcome) -> Result<()> {
    context.at(0, PARTS, "early stopping")?;
    let all = &context.data.train;
    let (n, batch) = (300.min(all.len()), 30);
    let train_rows = all.take(n);
    let mut rng = stream(context.seed, Purpose::Subsample);
    let classes = all.classes();
    let wrong = |i: usize, rng: &mut ChaCha8Rng| match rng.random::<f64>() < WRONG && classes > 1 {
        true => (train_rows.label(i) + rng.random_range(1..classes)) % classes,
        false => train_rows.label(i),
    };
    if all.len() <= n {
        let why = format!(
            "{} training images are too few: it takes {n} to train on, and some to validate",
            all.len()
        );
        return Err(Error::Data(why));
    }
    let labels: Vec<usize> = (0..n).map(|i| wrong(i, &mut rng)).collect();
    let sets = Sets {
        train: train_rows.clone().with_labels(&labels, classes)?,
        validation: rows(all, n, n + 500),
        test: &context.data.test,
    };
    let steps = (EPOCHS * n.div_ceil(batch)) as u64;
    let cosine = Cosine::new(RATE, 0.0, steps)?;
    let criterion = Criterion::GeneralizationLoss { alpha: ALPHA };
    let stopped = train(context, &sets, cosine, Some(criterion), EPOCHS, batch)?;
    context.at(1, PARTS, "the same without stopping")?;
    let free = train(context, &sets, cosine, None, EPOCHS, batch)?;

    report(outcome, &sets.train, steps, &stopped, &free);
    Ok(())
}

/// `steps` is the length of the schedule.
fn report(outcome: &mut Outcome, train: &Dataset, steps: u64, stopped: &Run, free: &Run) {
    let losses = free.curve(|e| e.validation_loss);
    let mut least = (0.0, f64::INFINITY);
    let mut expected = None;
    let mut generalization = Vec::new();
    for (epoch, loss) in losses.iter().copied() {
        least = if loss < least.1 { (epoch, loss) } else { least };
        let gl = 100.0 * (loss / least.1 - 1.0);
        generalization.push((epoch, gl));
        if gl > ALPHA && expected.is_none() {
            expected = Some((epoch, least));
        }
    }
    let end = match stopped.history.stop {
        Stop::Early { epoch } => Some(epoch as f64),
        _ => None,
    };
    let epoch_name = |epoch: Option<f64>| epoch.map_or("none".into(), |epoch| format!("epoch {epoch}"));
    claim(
        outcome,
        format!("GL stops at the first epoch with a validation loss more than {ALPHA} % above its least"),
    )
    .named("gl-stops")
    .expected(format!("{}, from the run that goes on", epoch_name(expected.map(|e| e.0))))
    .measured(epoch_name(end))
    .criterion("the same epoch")
    .holds(
        end.is_some() && end == expected.map(|e| e.0),
        match (end, expected) {
            (None, None) => "The validation loss never rises that far: there is nothing to stop for.",
            _ => {
                "Both runs have the same weights, batches and rates to the last bit: one of the two computes \
                 the criterion wrongly."
            }
        },
    );
    let (best, best_loss) = expected.map_or(least, |e| e.1);
    let restored = stopped.history.best_epoch.map(|epoch| epoch as f64);
    claim(outcome, "It puts back the parameters of the least validation loss")
        .named("gl-restores")
        .expected(format!("epoch {best}, {}", fixed(best_loss, 6)))
        .measured(format!("{}, {} when evaluated again", epoch_name(restored), fixed(stopped.validation, 6)))
        .criterion("the same epoch, the same loss to the last bit")
        .holds(
            restored == Some(best) && stopped.validation == best_loss,
            format!(
                "The losses differ by {}: something besides the parameters is not put back.",
                rounded(stopped.validation - best_loss, 2)
            ),
        );
    let off = free.history.epochs.iter().map(|epoch| {
        let t = (epoch.steps - 1) as f64;
        let theory = 0.5 * RATE * (1.0 + Float::cos(std::f64::consts::PI * t / steps as f64));
        (epoch.lr - theory).abs()
    });
    let off = off.fold(0.0, f64::max);
    claim(outcome, "The rate follows the cosine")
        .named("cosine")
        .expected("½·η₀·(1 + cos πt/T)")
        .measured(format!("{} off at most", rounded(off, 2)))
        .criterion("at most 10⁻¹⁵ off at the last step of each epoch")
        .holds(
            off <= 1e-15,
            "The formula may be rounded in another order: η₀ has a spacing of 7·10⁻¹⁸ in f64, so that more \
             than some hundred of these would be another curve.",
        );
    claim(outcome, format!("With {:.0} % wrong labels stopping pays", 100.0 * WRONG))
        .named("stopping-pays")
        .expected("a smaller test loss than at the end")
        .measured(format!(
            "{} restored, {} after {EPOCHS} epochs",
            fixed(stopped.test.loss, 4),
            fixed(free.test.loss, 4)
        ))
        .criterion("smaller by at least 5 %")
        .holds(
            stopped.test.loss <= 0.95 * free.test.loss,
            "With a falling rate the network may not get as far as to learn the wrong labels by heart.",
        );
    // What stopping missed.
    let later = losses.iter().filter(|(epoch, _)| end.is_some_and(|end| *epoch > end));
    let later = later.min_by(|a, b| a.1.total_cmp(&b.1));
    let later = later.map_or(String::new(), |(epoch, loss)| {
        format!(
            " The least validation loss behind the stop is {}, in epoch {epoch}; what was put back has {}.",
            fixed(*loss, 3),
            fixed(stopped.validation, 3)
        )
    });

    let mark = |chart: Chart| {
        let chart = chart.vertical(best, Color::Green, "restored");
        match end {
            Some(end) => chart.vertical(end, Color::Ink, "stopped"),
            None => chart,
        }
    };
    let gl_at =
        |at: f64| generalization.iter().find(|(epoch, _)| *epoch == at).map_or(f64::NAN, |(_, gl)| *gl);
    outcome.number("GL where it stops", end.map_or(f64::NAN, gl_at));
    outcome.number("largest GL", range(generalization.iter().map(|(_, gl)| *gl)).1);
    let x = || Axis::whole("epoch");
    let loss = Chart::new(x(), Axis::linear("cross-entropy (nats)").holding(0.0))
        .title("Losses")
        .line(Line::new(free.curve(|e| Some(e.train_loss))).label("training").color(Color::Blue))
        .line(Line::new(losses).label("validation").color(Color::Vermilion));
    let gl = Chart::new(x(), Axis::linear("GL (%)"))
        .title("Loss above its least so far")
        .line(Line::new(generalization).color(Color::Vermilion))
        .horizontal(ALPHA, Color::Muted, "α");
    let rate = Chart::new(x(), Axis::linear("learning rate η").holding(0.0))
        .title("Rate")
        .line(Line::new(free.curve(|e| Some(e.lr))).label("if it goes on").color(Color::Muted))
        .line(Line::new(stopped.curve(|e| Some(e.lr))).label("until it stops").color(Color::Blue).width(3.0));
    outcome.draw(
        "early-stopping",
        "A cosine with early stopping",
        format!(
            "A network {}-{HIDDEN}-{} on {} samples, {:.0} % of them with a wrong label, with stopping and \
             without. See where GL is above α for the first time, and what the losses do behind that: \
             whether the training loss goes on to zero, for which the wrong labels must be learned by heart, \
             and the validation loss rises.{later}",
            train.features(),
            train.classes(),
            train.len(),
            100.0 * WRONG
        ),
        [mark(loss), mark(gl), mark(rate)],
    );
    let of = |run: &Run| run.history.best_epoch.unwrap_or(run.history.epochs.len());
    let accuracy = |run: &Run| run.test.accuracy().unwrap_or(f64::NAN);
    let runs = [("stopped", stopped), ("not stopped", free)];
    for (name, run) in runs {
        outcome.number(format!("{name}: epochs"), run.history.epochs.len() as f64);
        outcome.number(format!("{name}: epoch of the parameters"), of(run) as f64);
        outcome.number(format!("{name}: validation loss"), run.validation);
        outcome.number(format!("{name}: test loss"), run.test.loss);
        outcome.number(format!("{name}: test accuracy"), accuracy(run));
    }
    outcome.table(
        Table::of("early-stopping", "What is left of both runs", &runs)
            .column("run", |(name, _)| *name)
            .column("epochs", |(_, run)| run.history.epochs.len())
            .column("epoch of the parameters", |(_, run)| of(run))
            .column("validation loss", |(_, run)| run.validation)
            .column("test loss", |(_, run)| run.test.loss)
            .column("test accuracy", |(_, run)| accuracy(run)),
    );
}
