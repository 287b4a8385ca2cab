//! What is claimed of times and counts, and shown.

use super::figures::{growth, memory, slopes};
use super::measure::Series;
use super::{Measured, crossing};
use crate::experiments::prelude::*;

/// How far the exponent of a time may be from the theory's, which are whole numbers: beyond, another one is nearer.
const TOLERANCE: f64 = 0.5;

impl Series {
    pub(super) fn seconds(&self) -> Vec<(f64, f64)> {
        self.points.iter().map(|p| (p.size, p.seconds)).collect()
    }

    /// The exponent between the two largest sizes.
    pub(super) fn exponent(&self) -> Estimate {
        Estimate::median(&self.exponents)
    }

    /// Size and seconds as they are drawn. The two largest stand around the mean of their logarithms, as far apart as
    /// the exponent has it: each least time may be that of another moment of the machine, and a line through two of
    /// them would show another slope than what is claimed.
    pub(super) fn drawn(&self) -> Vec<(f64, f64)> {
        let mut points = self.seconds();
        if let [.., (small, below), (large, above)] = &mut points[..] {
            let middle = (*below * *above).sqrt();
            let half = Float::powf(*large / *small, 0.5 * self.exponent().value());
            (*below, *above) = (middle / half, middle * half);
        }
        points
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
    for series in &times {
        outcome.claim(time_claim(series));
    }
    for held in &measured.held {
        for (size, count) in &held.points {
            outcome.number(format!("{}, {} = {size}", held.name, held.against), *count);
        }
    }
    for cost in &measured.optimizers {
        outcome.number(format!("{}: numbers remembered for a parameter", cost.name), cost.state);
    }
    outcome.figure(&growth(measured));
    outcome.figure(&memory(&measured.held));
    outcome.figure(&slopes(&times));
    outcome.table(
        Table::of(
            "times",
            "Exponents of times on one thread. Operations are nodes of the chain, parameters of an \
             optimizer, and multiply-adds for all others",
            &times,
        )
        .column("time of", |series| series.name.clone())
        .column("against", |series| series.against.clone())
        .column("theory", |series| series.theory)
        .column("between the largest sizes", |series| series.exponent().value())
        .column("from", |series| Cell::or(Some(series.exponent().interval().0), "none"))
        .column("to", |series| Cell::or(Some(series.exponent().interval().1), "none"))
        .column("through all sizes", |series| Fit::power_law(&series.seconds()).slope)
        .column("10⁹ operations/s, smallest", |series| series.rates()[0])
        .column("largest", |series| series.rates()[1]),
    );
    outcome.table(
        Table::of("memory", "Slopes of counts, the same in every run", &measured.held)
            .column("numbers held by the", |held| held.name.clone())
            .column("against", |held| held.against.clone())
            .column("theory", |held| held.theory)
            .column("slope", |held| digits(Fit::power_law(&held.points).slope))
            .column("±", |held| digits(Fit::power_law(&held.points).half_width))
            .column("at the largest size", |held| held.points[held.points.len() - 1].1),
    );
    outcome.table(
        Table::of("optimizers", "What a step of an optimizer costs", &measured.optimizers)
            .column("optimizer", |cost| cost.name.clone())
            .column("numbers remembered for a parameter", |cost| cost.state)
            .column("smallest: ns a parameter", |cost| 1.0 / cost.series.rates()[0])
            .column("largest: ns", |cost| 1.0 / cost.series.rates()[1]),
    );
    crossing::report(&mut outcome, &measured.widths);
    outcome
}

fn time_claim(series: &Series) -> Claim {
    // The short name in small letters, with hyphens.
    let words = series.short.to_lowercase();
    let words = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let id = std::iter::once("time").chain(words).collect::<Vec<_>>().join("-");
    let Series { name, against, theory, ends: [small, large], .. } = series;
    let (exponent, [smallest, largest]) = (series.exponent(), series.rates());
    let why = if exponent.value() < *theory {
        "Small sizes are slower per operation, because calls and loops cost relatively more there. So the \
         time grows more slowly than the operations."
    } else if largest > smallest {
        "Of the two largest sizes, the smaller may still fit into a cache where the larger does not."
    } else {
        "At large sizes data comes from memory instead of the caches. The system also has to provide the \
         memory of a large result first."
    };
    Claim::that(format!("Time of the {name}: it grows with {against} to the power {theory}"))
        .named(&id)
        .expected(format!("exponent {theory}"))
        .estimated(exponent)
        .saying(&format!(", between {small} and {large}"))
        .within(
            theory - TOLERANCE..=theory + TOLERANCE,
            format!(
                "The operations grow as they should. But {} billion of them are done per second at the \
                 smallest size and {} billion at the largest. {why}",
                rounded(smallest, 3),
                rounded(largest, 3)
            ),
        )
        .timed()
}

/// Without the rounding errors of a fit: the slope of a constant is 0.
fn digits(x: f64) -> f64 {
    (1e9 * x).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::super::measure::Point;
    use super::*;

    /// One of two least times may be that of a lucky moment: what is drawn has the slope that is claimed.
    #[test]
    fn the_last_two_points_have_the_claimed_slope() {
        let point = |size: f64, seconds: f64| Point { size, seconds, operations: size };
        let series = Series {
            name: "work".into(),
            short: "work".into(),
            against: "n".into(),
            theory: 1.0,
            points: vec![point(256.0, 0.7), point(512.0, 1.1), point(1024.0, 2.9)],
            ends: [512, 1024],
            exponents: vec![1.0, 1.1, 1.07, 1.05, 1.2, 1.06, 1.08],
        };
        let drawn = series.drawn();
        assert_eq!(drawn[0], (256.0, 0.7));
        assert!((log2_ratio(drawn[2].1, drawn[1].1) - 1.07).abs() < 1e-12);
        // Their mean on the axis of logarithms is that of what was measured.
        assert!((drawn[1].1 * drawn[2].1 - 1.1 * 2.9).abs() < 1e-12);
    }
}
