//! Warm restarts beside one long cosine.

use super::{RATE, Run, Sets, curve, train};
use crate::experiments::data::drawn;
use crate::experiments::prelude::*;
use crate::experiments::words;
use crate::optim::schedule::{Cosine, Schedule, WarmRestarts};

/// Epochs of the cycles.
const CYCLES: [usize; 3] = [4, 8, 16];
const BATCH: usize = 20;

/// What is measured.
#[derive(Serialize, Deserialize)]
pub(super) struct Restarts {
    samples: usize,
    runs: Vec<Pair>,
}

/// The runs of one seed.
#[derive(Serialize, Deserialize)]
struct Pair {
    warm: Run,
    cosine: Run,
}

/// With restarts, and with one cosine over all epochs, for so many steps in an epoch.
fn schedules(per_epoch: u64) -> Result<(WarmRestarts, Cosine)> {
    let epochs = CYCLES.iter().sum::<usize>() as u64;
    let warm = WarmRestarts::new(RATE, 0.0, (CYCLES[0] as u64 * per_epoch).max(1), 2)?;
    Ok((warm, Cosine::new(RATE, 0.0, (epochs * per_epoch).max(1))?))
}

/// A run with restarts beside one with a cosine over all its epochs.
pub(super) fn measure(context: &Context, seeds: &[u64]) -> Result<Restarts> {
    let all = &context.data.train;
    let n = context.pick(1000, 5000).min(all.len() / 2);
    let epochs = CYCLES.iter().sum::<usize>();
    let of_seed = |seed: &u64| {
        let [train_set, validation] = drawn(all, [n, n], *seed);
        let sets = Sets { train: train_set, validation, test: &context.data.test };
        let (warm, cosine) = schedules(n.div_ceil(BATCH) as u64)?;
        Ok(Pair {
            warm: train(context, &sets, warm, None, (epochs, BATCH), *seed)?,
            cosine: train(context, &sets, cosine, None, (epochs, BATCH), *seed)?,
        })
    };
    let runs = context.side_by_side(1..2, 3, "warm restarts", seeds, of_seed)?;
    Ok(Restarts { samples: n, runs })
}

/// The rates are those of each step, over the epochs that are done.
fn rates(samples: usize) -> [Vec<(f64, f64)>; 2] {
    let per_epoch = samples.div_ceil(BATCH) as u64;
    let steps = CYCLES.iter().sum::<usize>() as u64 * per_epoch;
    let of = |schedule: &dyn Schedule| -> Vec<(f64, f64)> {
        (0..steps).map(|step| (step as f64 / per_epoch as f64, schedule.lr(step))).collect()
    };
    // They were made of the same settings before anything was measured.
    schedules(per_epoch).map(|(warm, cosine)| [of(&warm), of(&cosine)]).unwrap_or_default()
}

pub(super) fn report(outcome: &mut Outcome, measured: &Restarts) {
    // Ends of the cycles, from 1.
    let ends: Vec<usize> = CYCLES
        .iter()
        .scan(0, |sum, cycle| {
            *sum += cycle;
            Some(*sum)
        })
        .collect();
    let runs = &measured.runs;
    let of = |f: &dyn Fn(&Pair) -> f64| -> Vec<f64> { runs.iter().map(f).collect() };
    let training = |run: &Run, epoch: usize| run.train[epoch - 1];
    let validation = |run: &Run, epoch: usize| run.validation[epoch - 1];
    let at_ends = |f: &dyn Fn(&Pair, usize) -> f64| -> Vec<f64> {
        ends.iter().map(|end| mean(&of(&|pair| f(pair, *end)))).collect()
    };
    let list = |xs: &[f64]| words::list(xs, |x| fixed(*x, 3));
    let lows = at_ends(&|pair, epoch| training(&pair.warm, epoch));
    let up = |end: usize| {
        Estimate::mean(&of(&|pair| log2_ratio(training(&pair.warm, end + 1), training(&pair.warm, end))))
    };
    let down = |from: usize, to: usize| {
        Estimate::mean(&of(&|pair| log2_ratio(training(&pair.warm, to), training(&pair.warm, from))))
    };
    let (ups, downs) = ([up(ends[0]), up(ends[1])], [down(ends[0], ends[1]), down(ends[1], ends[2])]);
    let values = |estimates: &[Estimate]| words::list(estimates, |estimate| fixed(estimate.value(), 2));
    claim(outcome, "A restart throws the loss up, and the next cycle gets lower than the one before")
        .named("restart-up-down")
        .expected("up at both restarts, down from cycle to cycle")
        .measured(format!(
            "training loss {} at the ends of the cycles; up by {} powers of 2 after the restarts, changed \
             by {} from end to end",
            list(&lows),
            values(&ups),
            values(&downs)
        ))
        .criterion("the 95 % intervals of the first two are above 0, of the other two below")
        .judged(
            Verdict::all(
                ups.iter()
                    .map(|up| up.against(&ABOVE_0))
                    .chain(downs.iter().map(|down| down.against(&BELOW_0))),
            ),
            "A restart raises the loss only if the first rate is large for the state of the run. If the \
             loss is nearly zero already, a restart may not raise it.",
        );
    let (early, late) = (
        at_ends(&|pair, epoch| validation(&pair.warm, epoch)),
        at_ends(&|pair, epoch| validation(&pair.cosine, epoch)),
    );
    let other = at_ends(&|pair, epoch| training(&pair.cosine, epoch));
    let gain = |end: usize| {
        Estimate::mean(&of(&|pair| log2_ratio(validation(&pair.warm, end), validation(&pair.cosine, end))))
    };
    let gains = [gain(ends[0]), gain(ends[1])];
    claim(outcome, "With restarts there is a better network early: at the ends of the first two cycles")
        .named("restarts-early")
        .expected("a smaller validation loss than on the way down one long cosine")
        .measured(format!(
            "{} with restarts, {} without, at epochs {} and {}: by {} powers of 2",
            list(&early[..2]),
            list(&late[..2]),
            ends[0],
            ends[1],
            values(&gains)
        ))
        .criterion("the 95 % intervals of both differences are below 0")
        .judged(
            Verdict::all(gains.iter().map(|gain| gain.against(&BELOW_0))),
            format!(
                "The training loss there is {} with restarts and {} without. A small rate helps where the \
                 noise of the steps is the obstacle. A run that has simply not got far enough yet is only \
                 slowed down by it.",
                list(&lows[..2]),
                list(&other[..2])
            ),
        );
    let (warm, cosine) = (&runs[0].warm, &runs[0].cosine);
    let x = || Axis::whole("epochs done");
    let mut rate = Chart::new(x(), Axis::linear("learning rate η").holding(0.0)).title("Rate");
    let mut loss = Chart::new(x(), Axis::log("cross-entropy (nats)")).title("Training loss");
    let mut check = Chart::new(x(), Axis::linear("cross-entropy (nats)")).title("Validation loss");
    let drawn = [("restarts", warm, Color::Blue, 0), ("one cosine", cosine, Color::Vermilion, 1)];
    for ((label, run, color, dash), rates) in drawn.into_iter().zip(rates(measured.samples)) {
        let line = |points| Line::new(points).label(label).color(color).dash(dash);
        rate = rate.line(line(rates));
        loss = loss.line(line(curve(&run.train)));
        check = check.line(line(curve(&run.validation)));
    }
    let [rate, loss, check] = [rate, loss, check].map(|chart| {
        ends[..2].iter().fold(chart, |chart, end| chart.vertical(*end as f64, Color::Muted, ""))
    });
    outcome.draw(
        "restarts",
        "Warm restarts",
        "Cycles of 4, 8 and 16 epochs next to one cosine over all of them, from the first seed. The rate is \
         drawn step by step; dashed lines mark the restarts. Compare how far each restart raises the losses \
         with what its cycle has gained by its end. Compare also both runs at the ends of the cycles.",
        [rate, loss, check],
    );
    for (i, epoch) in ends.iter().enumerate() {
        outcome.number(format!("restarts: training loss after {epoch}"), lows[i]);
        outcome.number(format!("one cosine: training loss after {epoch}"), other[i]);
        outcome.number(format!("restarts: validation loss after {epoch}"), early[i]);
        outcome.number(format!("one cosine: validation loss after {epoch}"), late[i]);
    }
    let rows: Vec<usize> = (0..ends.len()).collect();
    let caption = format!("Losses at the ends of the cycles: means over {} seeds", runs.len());
    outcome.table(
        Table::of("restarts", caption, &rows)
            .column("epoch", |i| ends[*i])
            .column("training, restarts", |i| lows[*i])
            .column("training, one cosine", |i| other[*i])
            .column("validation, restarts", |i| early[*i])
            .column("validation, one cosine", |i| late[*i]),
    );
}
