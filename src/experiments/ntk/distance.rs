//! The kernels of finite networks at their start, and their limit.

use super::study::kernel_distance;
use super::{D, at, network, repetition, sphere};
use crate::experiments::prelude::*;

/// Distances of a depth: for each width, that of each seed.
pub(super) struct Distances {
    depth: usize,
    at: Vec<(usize, Vec<f64>)>,
    fit: Fit,
}

pub(super) fn measure(context: &Context) -> Result<Vec<Distances>> {
    let x = sphere(8, context.seed)?;
    let widths = context.pick(&[32, 64, 128, 256, 512][..], &[32, 64, 128, 256, 512, 1024]);
    let seeds = context.pick(16, 32);
    let mut all = Vec::new();
    for depth in 1..=3 {
        let network = network(depth, D, 0.1)?;
        let mut rows = Vec::new();
        for (i, width) in widths.iter().enumerate() {
            let mut distances = Vec::new();
            for seed in 0..seeds {
                at(context, 0, (depth - 1) * widths.len() + i, 3 * widths.len(), "kernels at the start")?;
                distances.push(kernel_distance(&network, &x, *width, repetition(context, *width, seed))?);
            }
            rows.push((*width, distances));
        }
        let points: Vec<(f64, f64)> =
            rows.iter().flat_map(|(width, d)| d.iter().map(|d| (*width as f64, *d))).collect();
        all.push(Distances { depth, at: rows, fit: Fit::power_law(&points) });
    }
    Ok(all)
}

pub(super) fn report(outcome: &mut Outcome, all: &[Distances]) {
    claim(outcome, "The kernel of a finite network tends to its limit as the root of the width")
        .named("kernel-limit")
        .expected("slope −½ for each depth")
        .measured(format!("{} for 1, 2, 3 hidden layers", list(all, |d| d.fit.to_string())))
        .criterion("all within 0.1")
        .holds(
            all.iter().all(|d| (d.fit.slope + 0.5).abs() <= 0.1),
            "The rule is for m → ∞. At the narrowest widths of the deeper networks the terms in 1/m still \
             count and make the slope steeper; and the distance varies from draw to draw of the weights.",
        );
    let last = |d: &Distances| d.at.last().map_or_else(Vec::new, |(_, distances)| distances.clone());
    let lasts: Vec<Vec<f64>> = all.iter().map(last).collect();
    let rises: Vec<(f64, f64)> =
        lasts.windows(2).map(|pair| mean_and_error(&differences(&pair[1], &pair[0]))).collect();
    let widest = all.first().and_then(|d| d.at.last()).map_or(0, |(width, _)| *width);
    claim(outcome, "Deeper networks are farther from their limit")
        .named("deeper-farther")
        .expected("a distance that grows with the depth")
        .measured(format!(
            "{} at width {widest}, rises of {} (± a standard error of the paired difference)",
            list(&lasts, |last| fixed(mean(last), 4)),
            list(&rises, |rise| plus_minus(*rise, 4))
        ))
        .criterion("each mean is above the one before by at least 2 standard errors")
        .holds(
            rises.iter().all(|(rise, error)| *rise >= 2.0 * error),
            "What lies closer together than that is a matter of the draws, of which there are too few.",
        );
    let mut chart =
        Chart::new(Axis::log("width m"), Axis::log("‖Θ̂ − Θ‖/‖Θ‖")).title("Distance of the kernels");
    for (i, Distances { depth, at, fit }) in all.iter().enumerate() {
        let (color, label) = (Color::series(i), format!("{depth} hidden, slope {fit}"));
        // Side by side, so that none covers another.
        let beside = |width: usize| width as f64 * (1.0 + 0.06 * (i as f64 - 1.0));
        let errors = at.iter().map(|(width, distances)| {
            let (mean, error) = mean_and_error(distances);
            (beside(*width), mean - error, mean + error)
        });
        let means = at.iter().map(|(width, distances)| (beside(*width), mean(distances)));
        let line = at.iter().map(|(width, _)| (*width as f64, fit.power_at(*width as f64)));
        chart = chart.errors(errors, color).line(Line::new(line).color(color).width(1.2)).points(
            means,
            Marker::series(i),
            color,
            label,
        );
        for (width, distances) in at {
            outcome.number(format!("distance at depth {depth}, width {width}"), mean(distances));
        }
        outcome.number(format!("slope at depth {depth}"), fit.slope);
    }
    outcome.draw(
        "distance",
        "The kernel of finite networks",
        "Marks are means over the draws of the weights, with a standard error to each side, and lines are \
         fitted to all draws. By the theory the lines are parallel, one exponent for all depths, and the \
         deeper network has the higher one.",
        [chart],
    );
    let rows: Vec<_> = all.iter().flat_map(|d| d.at.iter().map(|at| (d.depth, at))).collect();
    outcome.table(
        Table::of("distance", "Distance of the empirical kernel from its limit", &rows)
            .column("hidden layers", |(depth, _)| *depth)
            .column("width", |(_, (width, _))| *width)
            .column("mean distance", |(_, (_, distances))| mean(distances))
            .column("standard deviation", |(_, (_, distances))| mean_and_deviation(distances).1),
    );
}
