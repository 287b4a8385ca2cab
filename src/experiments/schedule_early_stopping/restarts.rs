//! Warm restarts beside one long cosine.

use super::{PARTS, RATE, Run, Sets, train};
use crate::experiments::data::rows;
use crate::experiments::prelude::*;
use crate::experiments::words;
use crate::optim::schedule::{Cosine, Schedule, WarmRestarts};

/// Epochs of the cycles.
const CYCLES: [usize; 3] = [4, 8, 16];

/// A run with restarts beside one with a cosine over all its epochs.
pub fn measure(context: &Context, outcome: &mut Outcome) -> Result<()> {
    context.at(2, PARTS, "warm restarts")?;
    let all = &context.data.train;
    let batch = 50;
    let n = context.pick(1500, 10_000).min(all.len() / 2);
    let sets = Sets { train: all.take(n), validation: rows(all, n, 2 * n), test: &context.data.test };
    let per_epoch = n.div_ceil(batch) as u64;
    let epochs = CYCLES.iter().sum::<usize>();
    let warm = WarmRestarts::new(RATE, 0.0, (CYCLES[0] as u64 * per_epoch).max(1), 2)?;
    let rates = |schedule: &dyn Schedule| -> Vec<(f64, f64)> {
        let steps = 0..epochs as u64 * per_epoch;
        steps.map(|step| (step as f64 / per_epoch as f64, schedule.lr(step))).collect()
    };
    let warm_rates = rates(&warm);
    let warm = train(context, &sets, warm, None, epochs, batch)?;
    context.at(3, PARTS, "one long cosine")?;
    let cosine = Cosine::new(RATE, 0.0, (epochs as u64 * per_epoch).max(1))?;
    let cosine_rates = rates(&cosine);
    let cosine = train(context, &sets, cosine, None, epochs, batch)?;

    report(outcome, &warm, &cosine, [warm_rates, cosine_rates]);
    Ok(())
}

/// The rates are those of each step, over the epochs that are done.
fn report(outcome: &mut Outcome, warm: &Run, cosine: &Run, rates: [Vec<(f64, f64)>; 2]) {
    // Ends of the cycles, from 1.
    let ends: Vec<usize> = CYCLES
        .iter()
        .scan(0, |sum, cycle| {
            *sum += cycle;
            Some(*sum)
        })
        .collect();
    let training = |run: &Run, epoch: usize| run.history.epochs[epoch - 1].train_loss;
    let validation =
        |run: &Run, epoch: usize| run.history.epochs[epoch - 1].validation_loss.unwrap_or(f64::NAN);
    let at_ends = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { ends.iter().map(|e| f(*e)).collect() };
    let list = |xs: &[f64]| words::list(xs, |x| fixed(*x, 4));
    let lows = at_ends(&|epoch| training(warm, epoch));
    let after: Vec<f64> = ends[..2].iter().map(|epoch| training(warm, epoch + 1)).collect();
    claim(outcome, "A restart throws the loss up, and the next cycle gets lower than the one before")
        .named("restart-up-down")
        .expected("up at both restarts, down from cycle to cycle")
        .measured(format!(
            "training loss {} at the ends of the cycles, {} after the restarts",
            list(&lows),
            list(&after)
        ))
        .criterion("each first epoch of a cycle is above the last of the one before, each last below it")
        .holds(
            after.iter().zip(&lows).all(|(up, low)| up > low)
                && lows.windows(2).all(|pair| pair[1] < pair[0]),
            "A restart throws the loss up only if the first rate is large for where the run is by then. \
             Where the loss is nearly zero already, it may pass a restart without being thrown up.",
        );
    let (early, late) =
        (at_ends(&|epoch| validation(warm, epoch)), at_ends(&|epoch| validation(cosine, epoch)));
    let other = at_ends(&|epoch| training(cosine, epoch));
    claim(outcome, "With restarts there is a better network early: at the ends of the first two cycles")
        .named("restarts-early")
        .expected("a smaller validation loss than on the way down one long cosine")
        .measured(format!(
            "{} with restarts, {} without, at epochs {} and {}",
            list(&early[..2]),
            list(&late[..2]),
            ends[0],
            ends[1]
        ))
        .criterion("smaller at both")
        .holds(
            (0..2).all(|i| early[i] < late[i]),
            format!(
                "The training loss there is {} with restarts and {} without. A small rate gains something \
                 where the noise of the steps is in the way; where a run has just not got far enough yet, it \
                 only slows it down. And it is one seed: small differences mean little.",
                list(&lows[..2]),
                list(&other[..2])
            ),
        );
    let x = || Axis::whole("epochs done");
    let mut rate = Chart::new(x(), Axis::linear("learning rate η").holding(0.0)).title("Rate");
    let mut loss = Chart::new(x(), Axis::log("cross-entropy (nats)")).title("Training loss");
    let mut check = Chart::new(x(), Axis::linear("cross-entropy (nats)")).title("Validation loss");
    let runs = [("restarts", warm, Color::Blue, 0), ("one cosine", cosine, Color::Vermilion, 1)];
    for ((label, run, color, dash), rates) in runs.into_iter().zip(rates) {
        let line = |points| Line::new(points).label(label).color(color).dash(dash);
        rate = rate.line(line(rates));
        loss = loss.line(line(run.curve(|e| Some(e.train_loss))));
        check = check.line(line(run.curve(|e| e.validation_loss)));
    }
    let [rate, loss, check] = [rate, loss, check].map(|chart| {
        ends[..2].iter().fold(chart, |chart, end| chart.vertical(*end as f64, Color::Muted, ""))
    });
    outcome.draw(
        "restarts",
        "Warm restarts",
        "Cycles of 4, 8 and 16 epochs beside one cosine over all of them. The rate is drawn step by step, and dashed \
         lines mark the restarts. Compare how far each restart throws the losses up with what its cycle has gained by its \
         end, and both runs at the ends of the cycles.",
        [rate, loss, check],
    );
    for (i, epoch) in ends.iter().enumerate() {
        outcome.number(format!("restarts: training loss after {epoch}"), lows[i]);
        outcome.number(format!("one cosine: training loss after {epoch}"), other[i]);
        outcome.number(format!("restarts: validation loss after {epoch}"), early[i]);
        outcome.number(format!("one cosine: validation loss after {epoch}"), late[i]);
    }
    outcome.table(
        Table::of("restarts", "Losses at the ends of the cycles", &ends)
            .column("epoch", |epoch| *epoch)
            .column("training, restarts", |epoch| training(warm, *epoch))
            .column("training, one cosine", |epoch| training(cosine, *epoch))
            .column("validation, restarts", |epoch| validation(warm, *epoch))
            .column("validation, one cosine", |epoch| validation(cosine, *epoch)),
    );
}
