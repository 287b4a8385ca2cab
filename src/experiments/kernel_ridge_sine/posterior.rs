//! The same fit as a Gaussian process: does its band hold the sine?

use std::sync::Arc;

use nalgebra::DMatrix;

use super::{N, NOISE, POINTS, SEEDS, SETS, draw, places, samples, truth};
use crate::experiments::prelude::*;
use crate::models::kernel::{KernelMachine, KernelRidge, Rbf, RidgeOptions, Samples};

/// The fit whose ridge is that of the noise.
fn fitted(x: &Samples<f64>, y: &DMatrix<f64>, gamma: f64) -> Result<KernelRidge<f64>> {
    KernelRidge::fit(Arc::new(Rbf::new(gamma)?), x, y, RidgeOptions::new(NOISE * NOISE / N as f64))
}

/// Values, and the width of the 95 % interval, at the places.
fn posterior(x: &Samples<f64>, y: &DMatrix<f64>, gamma: f64) -> Result<(Vec<f64>, Vec<f64>)> {
    let (fit, at) = (fitted(x, y, gamma)?, Samples::new(places(), 1)?);
    let half = fit.posterior_variance(&at).iter().map(|v| 1.96 * v.sqrt()).collect();
    Ok((fit.predict(&at).as_slice().to_vec(), half))
}

/// The γ of the largest marginal likelihood.
fn likeliest(gammas: &[f64], x: &Samples<f64>, y: &DMatrix<f64>) -> Result<f64> {
    let likelihood = |gamma: &f64| Ok((fitted(x, y, *gamma)?.log_marginal_likelihood()[0], *gamma));
    let all: Vec<(f64, f64)> = gammas.iter().map(likelihood).collect::<Result<_>>()?;
    Ok(greatest(&all, |(likelihood, _)| *likelihood).1)
}

pub(super) fn report(
    outcome: &mut Outcome,
    context: &Context,
    gammas: &[f64],
    x: &Samples<f64>,
    y: &DMatrix<f64>,
) -> Result<()> {
    let gamma = likeliest(gammas, x, y)?;
    let mut inside = 0;
    for set in 0..SETS {
        let (x, y) = draw(derive(context.seed, SEEDS.posterior + set as u64))?;
        let (values, half) = posterior(&x, &y, gamma)?;
        let covered = |i: &usize| (values[*i] - truth(places()[*i])).abs() <= half[*i];
        inside += (0..POINTS).filter(covered).count();
    }
    let share = inside as f64 / (SETS * POINTS) as f64;
    outcome.number("share inside the band", share);
    claim(outcome, "The 95 % band of the Gaussian process holds the sine where it says")
        .named("posterior-band")
        .expected("about 0.95 of all places")
        .measured(format!("{} over {SETS} sets, at γ = {}", fixed(share, 3), rounded(gamma, 3)))
        .criterion("between 0.90 and 0.99")
        .holds(
            (0.90..=0.99).contains(&share),
            "The band promises 95 % for functions drawn from the process, of variance 1; a sine is one fixed \
             function, and smoother or rougher than most of them.",
        );
    let (values, half) = posterior(x, y, gamma)?;
    let at = places();
    let band = (0..POINTS).map(|i| (at[i], values[i] - half[i], values[i] + half[i]));
    let chart = Chart::new(Axis::linear("x"), Axis::linear("y"))
        .band(band, Color::Blue, "95 % of the posterior")
        .line(Line::new(at.iter().copied().zip(values)).label("posterior mean"))
        .line(Line::new(at.iter().map(|x| (*x, truth(*x)))).label("sin 2πx").color(Color::Ink).dash(1))
        .points(samples(x, y), Marker::Dot, Color::Vermilion, "samples");
    outcome.draw(
        "posterior",
        "The posterior of the Gaussian process",
        format!(
            "γ = {}, the likeliest, and nλ = σ². The band is about the sine, not about the noisy samples: \
             look for where samples are rare, and at the ends, where it is to be wider.",
            rounded(gamma, 3)
        ),
        [chart],
    );
    Ok(())
}
