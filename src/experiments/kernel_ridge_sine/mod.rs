//! Kernel ridge regression on a noisy sine: too smooth, too rough, and what lies between. The choice of γ and λ on
//! one set, bias and variance over many, and the Gaussian process are a file or a folder each.

mod decomposition;
mod grid;
mod posterior;

use std::f64::consts::TAU;
use std::sync::Arc;

use grid::{Cell, Grid};
use nalgebra::DMatrix;

use super::prelude::*;
use crate::data::synthetic;
use crate::models::kernel::{KernelMachine, Rbf, RidgePath, Samples, lambda_grid};

pub const EXPERIMENT: Experiment = Experiment {
    name: "kernel-ridge-sine",
    question: "How do the width of the kernel and the ridge trade bias against variance?",
    theory: &[
        "Kernel ridge regression minimises ${1}/{n}Σ_i(f(xᵢ)−yᵢ)²+λ‖f‖²$, here with $k(x,x′) = \
         exp(−γ(x−x′)²)$, on $y = \"sin \"2πx$ plus noise of deviation σ = 0.3. Small γ and large λ make f \
         stiff, large γ and small λ let it follow the noise.",
        "The expected squared error on new targets is bias² + variance + σ² (Geman, Bienenstock and Doursat \
         1992). With growing λ the fitted values are shrunk along every eigenvector of K, by ${dᵢ}/{dᵢ+nλ}$, \
         so that the variance falls and the bias grows; there, at the inputs of the set. With S sets the \
         square of their mean distance to the sine exceeds bias² by variance/S, which is taken off here: what \
         is left can be below 0, and is known up to its standard error only.",
        "The error of leaving out one sample follows from a single fit: ${αᵢ}/{((K+nλI)⁻¹)ᵢᵢ}$. As a Gaussian \
         process the same fit has a posterior variance; the ridge that belongs to the noise is $nλ = σ²$, and \
         γ is the one under which the targets are likeliest (Rasmussen and Williams 2006, chapter 5).",
    ],
    parts: Parts::of::<Whole>(),
    finding,
};

super::whole!(run);

/// Samples in a set.
const N: usize = 60;
/// σ.
const NOISE: f64 = 0.3;
/// Sets for bias and variance; as many others for the error, and for the posterior.
const SETS: usize = 100;
/// Points between −1 and 1 at which functions are compared.
const POINTS: usize = 201;
/// Where the sets of a kind have their seeds, from that of the run.
const SEEDS: Seeds = Seeds { parts: 1_000, posterior: 2_000, error: 3_000, noise: 4_000 };
struct Seeds {
    parts: u64,
    posterior: u64,
    error: u64,
    noise: u64,
}

fn truth(x: f64) -> f64 {
    Float::sin(TAU * x)
}

fn places() -> Vec<f64> {
    (0..POINTS).map(|i| -1.0 + 2.0 * i as f64 / (POINTS - 1) as f64).collect()
}

/// A noisy sample: x and y.
fn draw(seed: u64) -> Result<(Samples<f64>, DMatrix<f64>)> {
    let data = synthetic::sine(N, NOISE, seed)?;
    Ok((Samples::from_dataset(&data)?, data.targets_matrix()))
}

fn setting(gamma: f64, lambda: f64) -> String {
    format!("γ = {}, λ = {}", rounded(gamma, 3), rounded(lambda, 2))
}

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 10, "grid")?;
    let (x, y) = draw(context.seed)?;
    // In thirds and halves of powers of ten, or half of those.
    let (columns, rows) = context.pick((16, 27), (31, 53));
    let grid = Grid { gammas: lambda_grid(0.1, 1e4, columns)?, lambdas: lambda_grid(1e-12, 10.0, rows)? };
    let cells = grid::one_set(context, &grid, &x, &y)?;
    let chosen = least(&cells, |cell| cell.leave_one_out);
    let parts = decomposition::measure(context, &grid)?;
    context.at(9, 10, "posterior")?;
    let mut outcome = Outcome::default();
    grid::leave_one_out_claim(&mut outcome, &x, &y, chosen)?;
    grid::report(&mut outcome, &grid, &cells, chosen);
    decomposition::report(&mut outcome, &grid, &parts, chosen.index);
    posterior::report(&mut outcome, context, &grid.gammas, &x, &y)?;
    for figure in fits(&x, &y, chosen)? {
        outcome.figure(&figure);
    }
    Ok(outcome)
}

fn samples(x: &Samples<f64>, y: &DMatrix<f64>) -> Vec<(f64, f64)> {
    (0..x.len()).map(|i| (x.rows().row(i)[0], y[i])).collect()
}

/// Three widths of the kernel, three ridges under a rough one, and a slider for each of the two.
fn fits(x: &Samples<f64>, y: &DMatrix<f64>, chosen: &Cell) -> Result<[Figure; 3]> {
    let (gamma, lambda) = (chosen.gamma, chosen.lambda);
    let rough = 10.0 * gamma;
    let path = RidgePath::new(&Rbf::new(rough)?, x, y, 1 << 30)?;
    let best = path.best(&lambda_grid(1e-12, 10.0, 53)?)?.lambda;
    let settings = [
        ("γ too small", gamma / 100.0, lambda),
        ("chosen", gamma, lambda),
        ("γ too large", gamma * 300.0, lambda),
        ("λ too large", rough, 1.0),
        ("λ by leaving one out", rough, best),
        ("λ too small", rough, 1e-8),
    ];
    let at = Samples::new(places(), 1)?;
    let widths = Figure::new(
        "fits",
        "Too stiff, right, too free",
        format!(
            "The same {N} points, and the sine as a dashed line, by kernels of three widths: one that is too wide for the \
             sine, the one that leaving one out chooses, and one that is so narrow that it follows the noise."
        ),
    );
    let ridges = Figure::new(
        "ridges",
        "Three ridges for a rough kernel",
        "A γ ten times the chosen one: look whether the ridge of leaving one out makes up for the rougher kernel.",
    );
    let fitted = |title: String, gamma: f64, lambda: f64| -> Result<Chart> {
        let kernel = Arc::new(Rbf::new(gamma)?);
        let path = RidgePath::new(kernel.as_ref(), x, y, 1 << 30)?;
        let values = path.at(lambda)?.machine(kernel, x).predict(&at);
        let curve: Vec<(f64, f64)> = places().into_iter().zip(values.iter().copied()).collect();
        Ok(Chart::new(Axis::linear("x"), Axis::linear("y").range(-2.0, 2.0))
            .title(title)
            .line(Line::new(places().into_iter().map(|x| (x, truth(x)))).color(Color::Muted).dash(1))
            .points(samples(x, y), Marker::Dot, Color::Vermilion, "")
            .line(Line::new(curve).color(Color::Blue)))
    };
    let panels = settings
        .map(|(what, gamma, lambda)| fitted(format!("{what}: {}", setting(gamma, lambda)), gamma, lambda));
    let mut panels: Vec<Chart> = panels.into_iter().collect::<Result<_>>()?;
    let behind = panels.split_off(3);
    let gammas = [0.1, 1.0, 10.0, 100.0, 1000.0];
    let lambdas = [1e-8, 1e-6, 1e-4, 1e-2, 1.0];
    let mut all = Figure::new(
        "try",
        "Any width, any ridge",
        "The same points by kernels from wide to narrow, under ridges from small to large. Look for the fits that you would \
         draw by hand: they lie along a valley, in which a narrower kernel needs a larger ridge.",
    )
    .slider("γ", gammas.map(|gamma| rounded(gamma, 2)))
    .slider("λ", lambdas.map(|lambda| rounded(lambda, 2)));
    for gamma in gammas {
        for lambda in lambdas {
            all = all.panel(fitted(setting(gamma, lambda), gamma, lambda)?);
        }
    }
    Ok([widths.panels(panels), ridges.panels(behind), all])
}

fn finding(found: &Found) -> Told {
    Some((
        "fits",
        format!(
            "Leaving one out chooses a width and a ridge whose error is {}",
            rounded(found.number("chosen error")?, 2)
        ),
        format!(
            "A wide kernel or a large ridge makes the fit stiff: bias. A narrow kernel and a small ridge follow the \
             noise: variance. In between lies γ = {}, λ = {}, found without knowing the sine. The band of the same fit \
             as a Gaussian process holds the sine at {} of all places, where 95 % are promised.",
            rounded(found.number("chosen gamma")?, 3),
            rounded(found.number("chosen lambda")?, 2),
            percent(found.number("share inside the band")?)
        ),
    ))
}
