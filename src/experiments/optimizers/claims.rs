//! Which optimizer is faster, and which ends lower.

use std::ops::Bound;

use super::{BETA, Kind, Optimizers, Row, reaches};
use crate::experiments::prelude::*;

/// For each seed, how many times as fast `fast` comes to where `slow` is after half of the epochs, by the test loss.
fn speeds(fast: &Row, slow: &Row, epochs: usize) -> Vec<f64> {
    let half = epochs / 2;
    let speed = |(fast, slow): (&super::Run, &super::Run)| {
        let level = slow.test.get(half).copied().unwrap_or(f64::NAN);
        reaches(&fast.test, level).map_or(f64::NAN, |epoch| half as f64 / epoch)
    };
    fast.runs.iter().zip(&slow.runs).map(speed).collect()
}

pub(super) fn all(outcome: &mut Outcome, study: &Optimizers) {
    speed_claims(outcome, study);
    standardised_claims(outcome, study);
    start_claim(outcome, study);
    adaptive_claim(outcome, study);
    end_claims(outcome, study);
}

fn speed_claims(outcome: &mut Outcome, study: &Optimizers) {
    let (epochs, half) = (study.epochs, study.epochs / 2);
    let momentum = speeds(study.row(Kind::Momentum), study.row(Kind::Sgd), epochs);
    outcome.number("momentum against SGD", mean(&momentum));
    // Plain descent has done `plain` steps where momentum needs (1−β)·plain and those of its start.
    let plain = (half * study.steps) as f64;
    let expected = plain / (plain * (1.0 - BETA) + BETA / (1.0 - BETA));
    claim(outcome, "Momentum goes the way of SGD 1/(1−β) times as fast, but for its start")
        .named("momentum-times")
        .expected(format!("{} times, within 15 %", rounded(expected, 3)))
        .estimated(Estimate::mean(&momentum))
        .saying(&format!(" times: epochs until the test loss is that of SGD after {half}"))
        .within(
            0.85 * expected..=1.15 * expected,
            "The sum of the gradients equals ten steps of plain descent only while they change slowly. \
             Where the curvature is large along the path, the ten steps go elsewhere. Momentum also keeps \
             more of the noise of the batches, which adds to its loss.",
        );
    let slow = speeds(study.row(Kind::Adam), study.row(Kind::SlowAdam), epochs);
    outcome.number("Adam 0.001 against 0.0001", mean(&slow));
    claim(outcome, "Adam with a tenth of the rate takes about ten times as long")
        .named("adam-tenth")
        .expected("about 10 times")
        .estimated(Estimate::mean(&slow))
        .saying(&format!(" times: epochs until the test loss is that of the slow one after {half}"))
        .within(
            7.0..=14.0,
            "The theory is about the start of training. The average of the squared gradients covers a \
             thousand steps at both rates, which no scaling of time makes equal. Also, shorter steps add \
             less noise of the batches to the loss.",
        );
}

/// So many times as fast is faster: less could not be told from how much the seeds differ.
const FASTER: f64 = 1.1;

/// A lead in accuracy that counts: of less, the next run with another seed would say something else.
const LEAD: f64 = 0.005;

/// The name of an optimizer without its rate, in texts.
pub(super) fn short_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Sgd => "SGD",
        Kind::Momentum => "momentum",
        Kind::RmsProp => "RMSProp",
        Kind::Adam | Kind::SlowAdam => "Adam",
    }
}

/// For each seed, how many times as fast an optimizer is on projections that are standardised.
pub(super) fn standardised(study: &Optimizers, raw: &Row) -> Vec<f64> {
    speeds(study.row(raw.kind), raw, study.epochs)
}

/// Its verdict.
pub(super) fn faster_if_standardised(study: &Optimizers, raw: &Row) -> Verdict {
    Estimate::mean(&standardised(study, raw)).against(&(FASTER..))
}

fn standardised_claims(outcome: &mut Outcome, study: &Optimizers) {
    // Adam first, of which the section's text tells.
    for raw in study.raw.iter().rev() {
        let faster = standardised(study, raw);
        let name = short_name(raw.kind);
        claim(outcome, format!("{name} is faster on projections that are standardised"))
            .named(&format!("standardising-{}", name.to_lowercase()))
            .expected(format!("more than 1 times as fast: {FASTER} times at least"))
            .estimated(Estimate::mean(&faster))
            .saying(&format!(
                " times: epochs until the test loss is that on the projections as they are after {}",
                study.epochs / 2
            ))
            .within(
                FASTER..,
                "Random projections mix all pixels, so all inputs have about the same scale already. The \
                 biases can remove the mean of all images. Dividing an input by its standard deviation s \
                 makes SGD's step for it 1/s² times as long, and Adam's 1/s times.",
            );
    }
    for raw in &study.raw {
        let name = format!("{}, standardised against not", raw.kind.name());
        outcome.number(name, mean(&standardised(study, raw)));
    }
}

/// The epoch whose training loss tells who is ahead at first: a tenth of all.
fn early(study: &Optimizers) -> usize {
    (study.epochs / 10).max(1)
}

/// The training loss of a seed in that epoch.
fn early_loss(study: &Optimizers, kind: Kind, k: usize) -> f64 {
    study.row(kind).runs[k].train.get(early(study) - 1).copied().unwrap_or(f64::NAN)
}

fn start_claim(outcome: &mut Outcome, study: &Optimizers) {
    let early = early(study);
    let loss = |kind: Kind, k: usize| early_loss(study, kind, k);
    let lead = |k: usize| {
        let fixed = loss(Kind::Sgd, k).min(loss(Kind::Momentum, k));
        fixed - loss(Kind::RmsProp, k).min(loss(Kind::Adam, k))
    };
    let leads: Vec<f64> = (0..study.seeds()).map(lead).collect();
    let means = list([Kind::Sgd, Kind::Momentum, Kind::RmsProp, Kind::Adam], |kind| {
        let losses: Vec<f64> = (0..study.seeds()).map(|k| loss(kind, k)).collect();
        format!("{} {}", kind.name(), rounded(mean(&losses), 3))
    });
    claim(outcome, "Adaptive rates make the fastest progress at first")
        .named("adaptive-first")
        .expected("the least training loss")
        .estimated(Estimate::mean(&leads))
        .saying(&format!(
            ", the training loss of the better fixed-rate method minus that of the better adaptive one, in \
             epoch {early} of {}. Losses: {means}",
            study.epochs
        ))
        .within(
            (Bound::Excluded(0.0), Bound::Unbounded),
            "Which one is fast at first depends on the rates as much as on the rule. Random projections mix \
             all pixels, so all inputs have about the same scale. Then individual rates for the weights \
             gain little at the start.",
        );
}

/// Which of the two adaptive rules is ahead at first.
fn adaptive_claim(outcome: &mut Outcome, study: &Optimizers) {
    let lead = |k: usize| early_loss(study, Kind::Adam, k) - early_loss(study, Kind::RmsProp, k);
    let leads: Vec<f64> = (0..study.seeds()).map(lead).collect();
    claim(outcome, "At the same rate RMSProp is ahead of Adam at first")
        .named("rmsprop-first")
        .expected("a smaller training loss")
        .estimated(Estimate::mean(&leads))
        .saying(&format!(
            ", the training loss of Adam minus that of RMSProp, in epoch {} of {}",
            early(study),
            study.epochs
        ))
        .within(
            (Bound::Excluded(0.0), Bound::Unbounded),
            "Where gradients keep their sign from step to step, Adam's mean of them is as large as they are.",
        );
}

/// For each seed, the last test accuracy of one optimizer less that of each of others, and less that of the best of
/// these.
fn ahead(study: &Optimizers, kind: Kind, others: &[Kind]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let accuracy = |kind: Kind| study.row(kind).ends(|run| &run.accuracy);
    let each: Vec<Vec<f64>> =
        others.iter().map(|other| differences(&accuracy(kind), &accuracy(*other))).collect();
    // Of a run that is not finite there is no accuracy, which a minimum would pass over.
    let least = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) };
    let of_seed = |k: usize| each.iter().map(|less| less[k]).fold(f64::INFINITY, least);
    let best = (0..study.seeds()).map(of_seed).collect();
    (each, best)
}

/// `−0.0132 against RMSProp's, …`: the means over the seeds.
fn each_in_words(others: &[Kind], each: &[Vec<f64>]) -> String {
    list(others.iter().zip(each), |(kind, less)| {
        let sign = if mean(less) > 0.0 { "+" } else { "" };
        format!("{sign}{} against {}'s", fixed(mean(less), 4), short_name(*kind))
    })
}

fn end_claims(outcome: &mut Outcome, study: &Optimizers) {
    let others = [Kind::Sgd, Kind::Momentum, Kind::RmsProp];
    let (each, best) = ahead(study, Kind::Adam, &others);
    claim(outcome, "In the end Adam at 0.001 has the best test accuracy of the four by half a point")
        .named("adam-best")
        .expected("half a point more than the best of SGD, momentum and RMSProp on the same seed")
        .estimated(Estimate::mean(&best))
        .saying(&format!(
            ", its accuracy after the last epoch minus that of the best of the others. Difference to each: \
             {}",
            each_in_words(&others, &each)
        ))
        .within(
            LEAD..,
            "All four begin with the same weights and see the same batches. Which one is best at the end \
             depends on the rates and the number of epochs as much as on the rule.",
        );
}
