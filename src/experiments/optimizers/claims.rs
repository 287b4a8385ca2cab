//! Which optimizer is faster, and which ends lower.

use super::{ADAM, BETA, MOMENTUM, NAMES, RMSPROP, Row, SEEDS, SGD, SLOW_ADAM, reaches};
use crate::experiments::prelude::*;

/// How many times as fast `fast` comes to where `slow` is after half of the epochs, by the test loss.
fn speed(rows: &[Row], fast: usize, slow: usize, epochs: usize) -> f64 {
    let (fast, slow) = (rows[fast].curve(|run| &run.test), rows[slow].curve(|run| &run.test));
    let half = epochs / 2;
    let level = slow.get(half).copied().unwrap_or(f64::NAN);
    reaches(&fast, level).map_or(f64::NAN, |epoch| half as f64 / epoch)
}

pub(super) fn times(factor: f64, until: &str) -> String {
    match factor.is_nan() {
        true => format!("no factor: there are no epochs after which {until}"),
        false => format!("{} times: epochs until {until}", rounded(factor, 3)),
    }
}

pub(super) fn speed_claims(outcome: &mut Outcome, rows: &[Row], epochs: usize, steps: usize) {
    let half = epochs / 2;
    let momentum = speed(rows, MOMENTUM, SGD, epochs);
    outcome.number("momentum against SGD", momentum);
    // Plain descent has done `plain` steps where momentum needs (1−β)·plain and those of its start.
    let plain = (half * steps) as f64;
    let expected = plain / (plain * (1.0 - BETA) + BETA / (1.0 - BETA));
    claim(outcome, "Momentum goes the way of SGD 1/(1−β) times as fast, but for its start")
        .named("momentum-times")
        .expected(format!("{} times", rounded(expected, 3)))
        .measured(times(momentum, &format!("the test loss is that of SGD after {half}")))
        .criterion("within 15 % of the expected factor")
        .holds(
            (momentum / expected - 1.0).abs() <= 0.15,
            "The sum of the gradients stands for ten steps of plain descent only as long as they change \
             slowly: where the loss curves much along the way, the ten go elsewhere. Momentum also keeps \
             more of the noise of the batches, which adds to its loss.",
        );
    let slow = speed(rows, ADAM, SLOW_ADAM, epochs);
    outcome.number("Adam 0.001 against 0.0001", slow);
    claim(outcome, "Adam with a tenth of the rate takes ten times as long")
        .named("adam-tenth")
        .expected("about 10 times")
        .measured(times(slow, &format!("the test loss is that of the slow one after {half}")))
        .criterion("between 7 and 14")
        .holds(
            (7.0..=14.0).contains(&slow),
            "What the theory has in mind is the start. The average of the squared gradients looks back a \
             thousand steps at either rate, which no scaling of time makes equal; and the shorter the steps, \
             the less the noise of the batches adds to the loss.",
        );
}

pub(super) fn start_claim(outcome: &mut Outcome, rows: &[Row], epochs: usize) {
    let early = (epochs / 10).max(1);
    let curves: Vec<Vec<f64>> = rows.iter().map(|row| row.curve(|run| &run.train)).collect();
    let losses: Vec<f64> =
        curves.iter().map(|curve| curve.get(early - 1).copied().unwrap_or(f64::NAN)).collect();
    let leads = (0..rows.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap_or(0);
    let named: Vec<String> =
        rows.iter().zip(&losses).map(|(row, loss)| format!("{}: {}", row.name, rounded(*loss, 3))).collect();
    let overtakes = curves[RMSPROP].iter().zip(&curves[leads]).position(|(a, b)| a < b);
    let when = overtakes.map_or("never gets ahead".into(), |i| format!("gets ahead in epoch {}", i + 1));
    claim(outcome, "Adaptive rates make the fastest progress at first")
        .named("adaptive-first")
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
        );
}

pub(super) fn end_claims(outcome: &mut Outcome, rows: &[Row]) {
    let accuracy = |which: usize| rows[which].last(|run| &run.accuracy);
    let fast = [MOMENTUM, RMSPROP, ADAM];
    let ends: Vec<String> =
        fast.iter().map(|which| format!("{}: {}", NAMES[*which], plus_minus(accuracy(*which), 4))).collect();
    let measured = format!("means and deviations over {SEEDS} seeds. {}", ends.join("; "));
    let train = |which: usize| rounded(rows[which].last(|run| &run.train).0, 2);
    claim(outcome, "In the end SGD with momentum generalises better than RMSProp and Adam at 0.001")
        .named("momentum-generalises")
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
        );
    let (low, high) = range(fast.map(|which| accuracy(which).0));
    let deviation = fast.iter().map(|which| accuracy(*which).1).fold(0.0, f64::max);
    // A run that is not finite has no accuracy, which minima and maxima would pass over.
    let all_finite = fast.iter().all(|which| accuracy(*which).0.is_finite());
    claim(outcome, "At the end, which of the three fast optimizers it is matters more than the seed")
        .named("seed-or-optimizer")
        .expected("test accuracies further apart than those of two seeds")
        .measured(format!(
            "a range of {} against a deviation of at most {}",
            fixed(high - low, 4),
            fixed(deviation, 4)
        ))
        .criterion(format!(
            "the means of {}, {} and {} differ, and span at least twice the largest of their deviations over \
             the seeds",
            NAMES[MOMENTUM], NAMES[RMSPROP], NAMES[ADAM]
        ))
        .holds(
            all_finite && high - low > 0.0 && high - low >= 2.0 * deviation,
            format!(
                "{SEEDS} seeds do not tell these three apart: what lies between them is of the size of what \
                 other initial weights and another order of the samples change."
            ),
        );
}
