//! The same fit as a Gaussian process: does its band hold the sine?

use std::sync::Arc;

use nalgebra::DMatrix;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::{N, NOISE, POINTS, SEEDS, SETS, draw, places, truth};
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

/// The band of one set, and how much of the sine those of others hold.
#[derive(Serialize, Deserialize)]
pub(super) struct Band {
    gamma: f64,
    values: Vec<f64>,
    half: Vec<f64>,
    /// Of each other set, with the likeliest γ of its own: the share of the places where its band holds the sine.
    inside: Vec<f64>,
}

pub(super) fn measure(context: &Context, gammas: &[f64], x: &Samples<f64>, y: &DMatrix<f64>) -> Result<Band> {
    let of_set = |set: usize| -> Result<f64> {
        context.check()?;
        let (x, y) = draw(derive(context.seed, SEEDS.posterior + set as u64))?;
        let (values, half) = posterior(&x, &y, likeliest(gammas, &x, &y)?)?;
        let at = places();
        let covered = |i: &usize| (values[*i] - truth(at[*i])).abs() <= half[*i];
        Ok((0..POINTS).filter(covered).count() as f64 / POINTS as f64)
    };
    let inside = (0..SETS).into_par_iter().map(of_set).collect::<Result<_>>()?;
    let gamma = likeliest(gammas, x, y)?;
    let (values, half) = posterior(x, y, gamma)?;
    Ok(Band { gamma, values, half, inside })
}

pub(super) fn report(outcome: &mut Outcome, band: &Band, samples: &[(f64, f64)]) {
    let Band { gamma, values, half, inside } = band;
    outcome.number("share inside the band", mean(inside));
    claim(outcome, "The 95 % band of the Gaussian process holds the sine where it says")
        .named("posterior-band")
        .expected("about 0.95 of all places")
        .estimated(Estimate::mean(inside).of("sets"))
        .saying(", the share of the places, each set with its likeliest γ")
        .within(
            0.90..=0.99,
            "The band promises 95 % for functions drawn from the process, of variance 1. A sine is one \
             fixed function. It may be smoother or rougher than most of them.",
        );
    let at = places();
    let band = (0..POINTS).map(|i| (at[i], values[i] - half[i], values[i] + half[i]));
    let chart = Chart::new(Axis::linear("x"), Axis::linear("y"))
        .band(band, Color::Blue, "95 % of the posterior")
        .line(Line::new(at.iter().copied().zip(values.iter().copied())).label("posterior mean"))
        .line(Line::new(at.iter().map(|x| (*x, truth(*x)))).label("sin 2πx").color(Color::Ink).dash(1))
        .points(samples.iter().copied(), Marker::Dot, Color::Vermilion, "samples");
    outcome.draw(
        "posterior",
        "The posterior of the Gaussian process",
        format!(
            "γ = {}, the likeliest, and nλ = σ². The band is about the sine, not about the noisy samples. \
             It should be wider where samples are rare, and at the ends.",
            rounded(*gamma, 3)
        ),
        [chart],
    );
}
