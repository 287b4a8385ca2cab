//! The kernels of finite networks at their start, and their limit.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::study::kernel_distance;
use super::{D, network, repetition, sphere};
use crate::experiments::prelude::*;

/// Distances of a depth.
#[derive(Serialize, Deserialize)]
pub(super) struct Distances {
    depth: usize,
    at: Vec<AtWidth>,
}

/// The distance of each draw of the weights.
#[derive(Serialize, Deserialize)]
struct AtWidth {
    width: usize,
    distances: Vec<f64>,
}

impl Distances {
    /// The power law through all draws.
    fn fit(&self) -> Fit {
        let of = |at: &AtWidth| at.distances.iter().map(|d| (at.width as f64, *d)).collect::<Vec<_>>();
        Fit::power_law(&self.at.iter().flat_map(of).collect::<Vec<_>>())
    }
}

pub(super) fn measure(context: &Context) -> Result<Vec<Distances>> {
    let x = sphere(8, context.seed)?;
    let widths = context.pick(&[64, 128, 256, 512][..], &[64, 128, 256, 512, 1024]);
    let draws = context.pick(32, 48);
    let of_depth = |depth: usize| -> Result<Distances> {
        let network = network(depth, D, 0.1)?;
        let at_width = |width: &usize| -> Result<AtWidth> {
            let draw = |k: u64| {
                context.check()?;
                kernel_distance(&network, &x, *width, repetition(context, *width, k))
            };
            let distances = (0..draws).into_par_iter().map(draw).collect::<Result<_>>()?;
            Ok(AtWidth { width: *width, distances })
        };
        Ok(Distances { depth, at: widths.iter().map(at_width).collect::<Result<_>>()? })
    };
    (1..=3).map(of_depth).collect()
}

pub(super) fn report(outcome: &mut Outcome, all: &[Distances]) {
    let fits: Vec<Fit> = all.iter().map(Distances::fit).collect();
    claim(outcome, "The kernel of a finite network tends to its limit as the root of the width")
        .named("kernel-limit")
        .expected("exponent −½ for each depth")
        .measured(format!("{} for 1, 2, 3 hidden layers", list(&fits, |fit| fit.to_string())))
        .criterion("all 95 % intervals are nearer to −½ than to 0 or −1: between −0.75 and −0.25")
        .judged(
            Verdict::all(fits.iter().map(|fit| Estimate::from(fit).against(&(-0.75..=-0.25)))),
            "The rule is for m → ∞. At the narrowest widths of the deeper networks the terms in 1/m still \
             count and make the slope steeper. The distance also varies from draw to draw of the weights.",
        );
    // Draws of one width are pairs for all depths.
    let rise = |pair: &[Distances]| {
        let ratios = pair[0].at.iter().zip(&pair[1].at).flat_map(|(less, more)| {
            less.distances.iter().zip(&more.distances).map(|(a, b)| log2_ratio(*b, *a))
        });
        Estimate::mean(&ratios.collect::<Vec<_>>()).of("draws")
    };
    let rises: Vec<Estimate> = all.windows(2).map(rise).collect();
    claim(outcome, "Deeper networks are farther from their limit")
        .named("deeper-farther")
        .expected("a distance that grows with the depth")
        .measured(format!(
            "each added layer increases the distance by {} powers of 2, averaged over all widths and draws",
            list(&rises, |rise| rise.to_string())
        ))
        .criterion("both 95 % intervals are above 0")
        .judged(
            Verdict::all(rises.iter().map(|rise| rise.against(&ABOVE_0))),
            "Smaller differences depend on the draws, of which there are too few.",
        );
    let mut chart =
        Chart::new(Axis::log("width m"), Axis::log("‖Θ̂ − Θ‖/‖Θ‖")).title("Distance of the kernels");
    for (i, (Distances { depth, at }, fit)) in all.iter().zip(&fits).enumerate() {
        let (color, label) = (Color::series(i), format!("{depth} hidden, slope {fit}"));
        // Side by side, so that none covers another.
        let beside = |width: usize| width as f64 * (1.0 + 0.06 * (i as f64 - 1.0));
        let errors = at.iter().map(|AtWidth { width, distances }| {
            let (mean, error) = mean_and_error(distances);
            (beside(*width), mean - error, mean + error)
        });
        let means = at.iter().map(|at| (beside(at.width), mean(&at.distances)));
        let line = at.iter().map(|at| (at.width as f64, fit.power_at(at.width as f64)));
        chart = chart.errors(errors, color).line(Line::new(line).color(color).width(1.2)).points(
            means,
            Marker::series(i),
            color,
            label,
        );
        for AtWidth { width, distances } in at {
            outcome.number(format!("distance at depth {depth}, width {width}"), mean(distances));
        }
        outcome.number(format!("slope at depth {depth}"), fit.slope);
    }
    outcome.draw(
        "distance",
        "The kernel of finite networks",
        "Marks are means over the draws of the weights, with a standard error to each side. They are \
         shifted a little so that the depths do not cover each other. Lines are fitted to the logarithms of \
         all draws. A mean of logarithms is below the logarithm of the mean, so most marks are above their \
         line. By the theory the lines are parallel, with one exponent for all depths, and a deeper network \
         has a higher line.",
        [chart],
    );
    let rows: Vec<_> = all.iter().flat_map(|d| d.at.iter().map(|at| (d.depth, at))).collect();
    outcome.table(
        Table::of("distance", "Distance of the empirical kernel from its limit", &rows)
            .column("hidden layers", |(depth, _)| *depth)
            .column("width", |(_, at)| at.width)
            .column("mean distance", |(_, at)| mean(&at.distances))
            .column("standard deviation", |(_, at)| mean_and_deviation(&at.distances).1),
    );
}
