//! What is claimed of wrong labels, and shown.

use super::{Errors, Level, Noise, Run};
use crate::experiments::prelude::*;

/// A share as a whole number of percent.
fn whole_percent(share: f64) -> String {
    format!("{}\u{a0}%", fixed(100.0 * share, 0))
}

/// log₁₀ of the λ of each seed whose place `of` tells.
fn chosen(study: &Noise, level: &Level, of: impl Fn(&Run) -> usize) -> Vec<f64> {
    level.seeds.iter().map(|run| log10(study.lambdas[of(run)])).collect()
}

fn best_ridge(run: &Run) -> usize {
    Run::best(&run.ridge)
}

pub(super) fn all(study: &Noise) -> Outcome {
    let mut outcome = Outcome::default();
    let (clean, noisy) = (&study.levels[0], &study.levels[study.levels.len() - 1]);
    let share = whole_percent(noisy.wrong);
    let few = &study.levels[1];
    let growth = |from: &Level, to: &Level| {
        differences(&chosen(study, to, best_ridge), &chosen(study, from, best_ridge))
    };
    claim(&mut outcome, format!("The best λ grows with the share of wrong labels: from none to {share}"))
        .named("lambda-grows")
        .expected("above 0")
        .estimated(Estimate::mean(&growth(clean, noisy)))
        .saying(", the growth of log₁₀ of the largest λ whose squared test error is within 1 % of the least")
        .within(ABOVE_0, "Where the truth itself is rough, a large λ may be best even without noise.");
    claim(
        &mut outcome,
        format!("The best λ grows from {} to {share} of wrong labels as well", whole_percent(few.wrong)),
    )
    .named("lambda-grows-further")
    .expected("above 0")
    .estimated(Estimate::mean(&growth(few, noisy)))
    .saying(", the growth of log₁₀ of λ")
    .within(ABOVE_0, "More noise leaves less of the truth in the labels as well.");
    let regret = |level: &Level, of: &dyn Fn(&Run) -> usize, instead: &dyn Fn(usize) -> usize| -> Vec<f64> {
        let of_seed = |(k, run): (usize, &Run)| run.ridge[of(run)].accuracy - run.ridge[instead(k)].accuracy;
        level.seeds.iter().enumerate().map(of_seed).collect()
    };
    let without = |k: usize| best_ridge(&clean.seeds[k]);
    let lost = regret(noisy, &best_ridge, &without);
    claim(
        &mut outcome,
        format!("With {share} of wrong labels the λ that is best for right ones costs accuracy"),
    )
    .named("lambda-matters")
    .expected("above 0")
    .estimated(Estimate::mean(&lost))
    .saying(", the test accuracy of the best λ minus that of the λ that is best for right labels")
    .within(ABOVE_0, "The largest score may be right even where all scores are far off.");
    let by_loo = regret(noisy, &best_ridge, &|k| noisy.seeds[k].chosen());
    claim(&mut outcome, "Leave-one-out on wrong labels finds a λ that is as good for right ones")
        .named("leave-one-out-finds")
        .expected("about 0: the noise adds to all λ the same error on average")
        .estimated(Estimate::mean(&by_loo))
        .saying(", the test accuracy of the best λ minus that of the λ of least leave-one-out error")
        .within(..=0.02, "A residual on a wrong label says nothing about the right one.");
    let stopped = |run: &Run| run.stopped[Run::best(&run.stopped)].accuracy;
    let ridge = |run: &Run| run.ridge[best_ridge(run)].accuracy;
    let behind: Vec<f64> = noisy.seeds.iter().map(|run| ridge(run) - stopped(run)).collect();
    claim(&mut outcome, "Descent that is stopped at its best number of steps is as good as the best λ")
        .named("stopping-as-good")
        .expected("about 0")
        .estimated(Estimate::mean(&behind))
        .saying(", the test accuracy of the best λ minus that of the best number of steps")
        .within(-0.02..=0.02, "The two filters differ, and one may suit the spectrum better.");

    let curve = |level: &Level, of: fn(&Run) -> &Vec<Errors>| -> Vec<(f64, f64)> {
        let at = |i: usize| mean_of(&level.seeds, |run| 100.0 * (1.0 - of(run)[i].accuracy));
        study.lambdas.iter().enumerate().map(|(i, lambda)| (*lambda, at(i))).collect()
    };
    let panel = |title: &str, x: &str, of: fn(&Run) -> &Vec<Errors>| {
        let chart = Chart::new(Axis::log(x), Axis::linear("test error (%)").holding(0.0)).title(title);
        study.levels.iter().fold(chart, |chart, level| {
            let label = format!("{} wrong", whole_percent(level.wrong));
            chart.line(Line::new(curve(level, of)).label(label))
        })
    };
    outcome.draw(
        "error",
        "Test error against λ, and against the number of steps",
        format!(
            "On {}: {} training samples, means over {} seeds; the {} test labels are right. Second panel: \
             descent is stopped where 1/(ηt) = nλ, so later stops are on the left. Look how the valley \
             moves with more noise. The λ called best has the smallest squared error of \
             the scores. The λ with the fewest wrong answers, which are drawn, can be a neighbour.",
            study.data,
            study.samples,
            clean.seeds.len(),
            study.tested
        ),
        [
            panel("kernel ridge regression", "λ", |run| &run.ridge),
            panel("descent, stopped", "1/(ηtn)", |run| &run.stopped),
        ],
    );
    let best = |of: &dyn Fn(&Run) -> usize| -> Vec<(f64, f64)> {
        study
            .levels
            .iter()
            .map(|level| {
                (100.0 * level.wrong, Float::exp(mean(&chosen(study, level, of)) * std::f64::consts::LN_10))
            })
            .collect()
    };
    outcome.draw(
        "lambda",
        "The best λ against the noise",
        "Geometric means over the seeds of two λ. One has the smallest squared error on the test samples. \
         The other is chosen by leave-one-out, which sees only the labels with errors. Of all λ within 1 % \
         of the smallest error, the largest is taken.",
        [Chart::new(Axis::linear("wrong labels (%)"), Axis::log("λ"))
            .line(Line::new(best(&best_ridge)).label("best").marker(Marker::Circle))
            .line(Line::new(best(&Run::chosen)).label("leave-one-out").marker(Marker::Square))],
    );
    outcome.table(
        Table::of("levels", "Test accuracy, means over the seeds", &study.levels)
            .column("wrong labels", |level| whole_percent(level.wrong))
            .column("log₁₀ of the best λ", |level| mean(&chosen(study, level, best_ridge)))
            .column("accuracy at the best λ", |level| mean_of(&level.seeds, ridge))
            .column("as leave-one-out chooses", |level| {
                mean_of(&level.seeds, |run| run.ridge[run.chosen()].accuracy)
            })
            .column("descent, stopped at its best", |level| mean_of(&level.seeds, stopped)),
    );
    for level in &study.levels {
        let wrong = whole_percent(level.wrong);
        outcome
            .number(format!("{wrong} wrong: log10 of the best λ"), mean(&chosen(study, level, best_ridge)));
        outcome.number(format!("{wrong} wrong: accuracy at the best λ"), mean_of(&level.seeds, ridge));
        outcome.number(format!("{wrong} wrong: accuracy of descent"), mean_of(&level.seeds, stopped));
    }
    outcome.number("γ", study.gamma);
    outcome.number("accuracy that the λ of right labels costs", mean(&lost));
    outcome
}
