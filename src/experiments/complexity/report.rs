//! What is claimed of times and counts, and shown.

use super::figures::{growth, memory, slopes};
use super::measure::{Held, OptimizerCost, Series};
use super::{Measured, crossing};
use crate::experiments::prelude::*;

/// How far the slope of a time may be from the theory's.
const TOLERANCE: f64 = 0.25;

/// How far that of a count may be.
const COUNT_TOLERANCE: f64 = 0.1;

impl Series {
    pub(super) fn seconds(&self) -> Vec<(f64, f64)> {
        self.points.iter().map(|p| (p.size, p.seconds)).collect()
    }

    /// Billions of operations a second at the smallest and at the largest size.
    fn rates(&self) -> [f64; 2] {
        [self.points[0], self.points[self.points.len() - 1]].map(|p| p.operations / p.seconds / 1e9)
    }
}

pub(super) fn all(measured: &Measured) -> Outcome {
    let mut outcome = Outcome::default();
    let times: Vec<&Series> =
        measured.times.iter().chain(measured.optimizers.iter().map(|cost| &cost.series)).collect();
    let fits: Vec<(&Series, Fit)> =
        times.iter().map(|series| (*series, Fit::power_law(&series.seconds()))).collect();
    for (series, fit) in &fits {
        outcome.claim(time_claim(series, fit, series.rates()));
    }
    held_claim(&mut outcome, &measured.held);
    state_claim(&mut outcome, &measured.optimizers);
    outcome.figure(&growth(measured));
    outcome.figure(&memory(&measured.held));
    outcome.figure(&slopes(&times));
    outcome.table(
        Table::of(
            "times",
            "Slopes of times on one thread. Operations are nodes of the chain, parameters of an optimizer, \
             and else multiply-adds",
            &fits,
        )
        .column("time of", |(series, _)| series.name)
        .column("against", |(series, _)| series.against)
        .column("theory", |(series, _)| series.theory)
        .column("slope", |(_, fit)| fit.slope)
        .column("±", |(_, fit)| fit.half_width)
        .column("R²", |(_, fit)| fit.r_squared)
        .column("10⁹ operations/s, smallest", |(series, _)| series.rates()[0])
        .column("largest", |(series, _)| series.rates()[1]),
    );
    outcome.table(
        Table::of("memory", "Slopes of counts, which are the same in every run", &measured.held)
            .column("numbers held by the", |held| held.name)
            .column("against", |held| held.against)
            .column("theory", |held| held.theory)
            .column("slope", |held| digits(Fit::power_law(&held.points).slope))
            .column("±", |held| digits(Fit::power_law(&held.points).half_width))
            .column("at the largest size", |held| held.points[held.points.len() - 1].1),
    );
    outcome.table(
        Table::of("optimizers", "What a step of an optimizer takes", &measured.optimizers)
            .column("optimizer", |cost| cost.name)
            .column("numbers remembered for a parameter", |cost| cost.state)
            .column("smallest: ns a parameter", |cost| 1.0 / cost.series.rates()[0])
            .column("largest: ns", |cost| 1.0 / cost.series.rates()[1]),
    );
    crossing::report(&mut outcome, &measured.widths);
    outcome
}

fn time_claim(series: &Series, fit: &Fit, [smallest, largest]: [f64; 2]) -> Claim {
    // The short name in small letters, with hyphens.
    let words = series.short.to_lowercase();
    let words = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let id = std::iter::once("time").chain(words).collect::<Vec<_>>().join("-");
    let (name, against, theory) = (series.name, series.against, series.theory);
    let why = if fit.slope < theory {
        "small sizes do not reach the speed of large ones, as calls, loops and what is done once for each \
         entry weigh more there, and so the time grows more slowly than the operations"
    } else {
        "what fits into the caches at small sizes comes from memory at large ones, and a large result has to \
         be fetched from the operating system first"
    };
    Claim::that(format!("Time of the {name} against {against}"))
        .named(&id)
        .expected(format!("slope {theory}"))
        .estimated(Estimate::from(fit).of("sizes"))
        .within(
            theory - TOLERANCE..=theory + TOLERANCE,
            format!(
                "The operations grow as they should, but {} billion of them are done in a second at the \
                 smallest size and {} billion at the largest: {why}.",
                rounded(smallest, 3),
                rounded(largest, 3)
            ),
        )
        .timed()
}

/// One claim for all counts.
fn held_claim(outcome: &mut Outcome, all: &[Held]) {
    for held in all {
        for (size, count) in &held.points {
            outcome.number(format!("{}, {} = {size}", held.name, held.against), *count);
        }
    }
    let off = |(held, fit): &(&Held, Fit)| (fit.slope - held.theory).abs();
    let fits: Vec<(&Held, Fit)> = all.iter().map(|held| (held, Fit::power_law(&held.points))).collect();
    // Of several that are as far off, the last.
    let farthest = fits.iter().max_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(&fits[0]);
    let (held, fit) = farthest;
    claim(
        outcome,
        "The numbers that graphs, weights and kernel machines hold grow with the exponents of the theory",
    )
    .named("counts")
    .expected("see the table of counts")
    .measured(format!(
        "the slope that is furthest off: {} for {}, {} against {}",
        fixed(fit.slope, 3),
        held.theory,
        held.name,
        held.against
    ))
    .criterion(format!("all slopes within {COUNT_TOLERANCE}"))
    .holds(
        off(farthest) <= COUNT_TOLERANCE,
        "Terms of lower order still count at small sizes: biases, the batch, the samples and α.",
    );
}

/// Without the rounding errors of a fit: the slope of a constant is 0.
fn digits(x: f64) -> f64 {
    (1e9 * x).round() / 1e9
}

fn state_claim(outcome: &mut Outcome, optimizers: &[OptimizerCost]) {
    for cost in optimizers {
        outcome.number(format!("{}: numbers remembered for a parameter", cost.name), cost.state);
    }
    claim(outcome, "For each parameter momentum and RMSProp remember a number, Adam two, and SGD none")
        .named("optimizer-state")
        .expected("SGD 0, momentum 1, RMSProp 1, Adam 2")
        .measured(list(optimizers, |cost| format!("{} {}", cost.name, cost.state)))
        .criterion("exactly these")
        .holds(
            optimizers.iter().map(|cost| cost.state).eq([0.0, 1.0, 1.0, 2.0]),
            "An optimizer that remembers more than the theory names keeps something that it could compute, \
             one that remembers less has lost something.",
        );
}
