//! Kernel ridge regression on a noisy sine: too smooth, too rough, and what lies between.

mod decomposition;
mod posterior;

use std::f64::consts::TAU;
use std::sync::Arc;

use nalgebra::DMatrix;

use super::{Context, Experiment, Outcome};
use crate::data::synthetic;
use crate::models::kernel::{KernelMachine, KernelRidge, Rbf, RidgeOptions, RidgePath, Samples, lambda_grid};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, rounded, scientific};
use crate::{Float, Result};

pub const EXPERIMENT: Experiment = Experiment {
    name: "kernel-ridge-sine",
    question: "How do the width of the kernel and the ridge trade bias against variance?",
    theory: &[
        "Kernel ridge regression minimises 1/n·Σ(f(xᵢ) − yᵢ)² + λ‖f‖², here with k(x, x′) = exp(−γ(x − x′)²), \
         on y = sin 2πx plus noise of deviation σ = 0.3. Small γ and large λ make f stiff, large γ and small λ \
         let it follow the noise.",
        "The expected squared error on new targets is bias² + variance + σ² (Geman, Bienenstock and Doursat \
         1992). With growing λ the fitted values are shrunk along every eigenvector of K, by dᵢ/(dᵢ + nλ), so \
         that the variance falls and the bias grows; there, at the inputs of the set. With S sets the square of \
         their mean distance to the sine exceeds bias² by variance/S, which is taken off here: what is left can be \
         below 0, and is known up to its standard error only.",
        "The error of leaving out one sample follows from a single fit: αᵢ/((K + nλI)⁻¹)ᵢᵢ. As a Gaussian \
         process the same fit has a posterior variance; the ridge that belongs to the noise is nλ = σ², and γ \
         is the one under which the targets are likeliest (Rasmussen and Williams 2006, chapter 5).",
    ],
    run,
};

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
/// Where the colours of the error stop, as log₁₀: twenty times what saying 0 everywhere costs.
const CUT: f64 = 1.0;

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

/// Mean of (f(x) − sin 2πx)² over the places.
fn error(values: &[f64]) -> f64 {
    let squares = places().iter().zip(values).map(|(x, f)| (f - truth(*x)) * (f - truth(*x))).sum::<f64>();
    squares / values.len() as f64
}

/// The fit of one set with one γ and one λ.
struct Cell {
    gamma: f64,
    lambda: f64,
    leave_one_out: f64,
    error: f64,
}

/// The values of γ and λ.
struct Grid {
    gammas: Vec<f64>,
    lambdas: Vec<f64>,
}

impl Grid {
    /// A figure of something at every γ and λ, γ by γ; what lies above `high` has the colour of `high`.
    fn heat(&self, title: &str, label: &str, (low, high): (f64, f64), log: impl Fn(usize) -> f64) -> Chart {
        let ends = |values: &[f64]| {
            let (a, b) = (libm::log10(values[0]), libm::log10(values[values.len() - 1]));
            let half = 0.5 * (b - a) / (values.len() - 1) as f64;
            (a - half, b + half)
        };
        let (columns, rows) = (self.gammas.len(), self.lambdas.len());
        let value = |column: usize, row: usize| log(column * rows + rows - 1 - row);
        Chart::new(Axis::linear("log₁₀ γ"), Axis::linear("log₁₀ λ")).title(title).heat(
            (columns, rows),
            ends(&self.gammas),
            ends(&self.lambdas),
            label,
            (low, high),
            value,
        )
    }

    /// Says so where γ or λ is the first or the last of the grid: beyond it there may be better ones.
    fn edge(&self, gamma: f64, lambda: f64) -> &'static str {
        let at_end = |values: &[f64], x: f64| values[0] == x || values[values.len() - 1] == x;
        match (at_end(&self.gammas, gamma), at_end(&self.lambdas, lambda)) {
            (true, true) => " (a corner of the grid)",
            (true, false) => " (the edge of the grid in γ)",
            (false, true) => " (the edge of the grid in λ)",
            (false, false) => "",
        }
    }
}

/// The place of a γ and a λ in a figure over the grid.
fn mark(gamma: f64, lambda: f64) -> (f64, f64) {
    (libm::log10(gamma), libm::log10(lambda))
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
    let cells = one_set(context, &grid, &x, &y)?;
    let least = |f: fn(&Cell) -> f64| {
        (1..cells.len()).fold(0, |best, i| if f(&cells[i]) < f(&cells[best]) { i } else { best })
    };
    let (chosen, ideal) = (least(|c| c.leave_one_out), least(|c| c.error));

    let parts = decomposition::measure(context, &grid)?;
    context.at(9, 10, "posterior")?;
    let mut outcome = Outcome::default();
    leave_one_out_claim(&mut outcome, &x, &y, &cells[chosen])?;
    grid_report(&mut outcome, &grid, &cells, &cells[chosen], &cells[ideal]);
    decomposition::report(&mut outcome, &grid, &parts, chosen);
    posterior::report(&mut outcome, context, &grid.gammas, &x, &y)?;
    outcome.figure(&fits(&x, &y, &cells[chosen])?);
    Ok(outcome)
}

/// All fits of a set, γ by γ.
fn one_set(context: &Context, grid: &Grid, x: &Samples<f64>, y: &DMatrix<f64>) -> Result<Vec<Cell>> {
    let at = Samples::new(places(), 1)?;
    let mut cells = Vec::new();
    for gamma in &grid.gammas {
        context.check()?;
        let kernel = Arc::new(Rbf::new(*gamma)?);
        let path = RidgePath::new(kernel.as_ref(), x, y, 1 << 30)?;
        for lambda in &grid.lambdas {
            let point = path.at(*lambda)?;
            let values = point.machine(kernel.clone(), x).predict(&at);
            cells.push(Cell {
                gamma: *gamma,
                lambda: *lambda,
                leave_one_out: point.leave_one_out_error,
                error: error(values.as_slice()),
            });
        }
    }
    Ok(cells)
}

fn leave_one_out_claim(
    outcome: &mut Outcome,
    x: &Samples<f64>,
    y: &DMatrix<f64>,
    chosen: &Cell,
) -> Result<()> {
    let kernel = Arc::new(Rbf::new(chosen.gamma)?);
    let fit = KernelRidge::fit(kernel.clone(), x, y, RidgeOptions::new(chosen.lambda))?;
    let closed = fit.leave_one_out_residuals();
    let mut largest = 0.0f64;
    for i in 0..N {
        let rest: Vec<usize> = (0..N).filter(|j| *j != i).collect();
        let others = y.select_rows(&rest);
        // The ridge nλ stays; there are n − 1 samples now.
        let lambda = chosen.lambda * N as f64 / (N - 1) as f64;
        let fit = KernelRidge::fit(kernel.clone(), &x.subset(&rest), &others, RidgeOptions::new(lambda))?;
        let residual = y[i] - fit.predict(&x.subset(&[i]))[0];
        largest = largest.max((residual - closed[i]).abs());
    }
    outcome.claim(
        Claim::that("Leaving out each sample in turn gives the residuals of the closed form")
            .expected("no difference but rounding")
            .measured(format!("largest difference {}", scientific(largest, 2)))
            .criterion("at most 10⁻⁸")
            .holds(
                largest <= 1e-8,
                "Both solve with K + nλI, whose condition may be as large as n divided by nλ: what rounding leaves is \
                 multiplied by as much.",
            ),
    );
    Ok(())
}

/// The error over the grid of γ and λ, and what leaving one out chooses.
fn grid_report(outcome: &mut Outcome, grid: &Grid, cells: &[Cell], chosen: &Cell, ideal: &Cell) {
    let place = |cell: &Cell| setting(cell.gamma, cell.lambda) + grid.edge(cell.gamma, cell.lambda);
    outcome.claim(
        Claim::that("Leaving one out chooses γ and λ nearly as well as if the sine were known")
            .expected(format!("error near the least one, {} at {}", rounded(ideal.error, 3), place(ideal)))
            .measured(format!("{} at {}", rounded(chosen.error, 3), place(chosen)))
            .criterion("at most twice the least error on the grid")
            .holds(
                chosen.error <= 2.0 * ideal.error,
                format!(
                    "Leaving one out gives {} for the chosen and {} for the best. As a mean of {N} squared residuals \
                     it has a standard error of about √(2/n) of that, {}: along the valley it is chance that \
                     chooses, and the more there is to choose from, the more so.",
                    rounded(chosen.leave_one_out, 3),
                    rounded(ideal.leave_one_out, 3),
                    rounded((2.0 / N as f64).sqrt() * chosen.leave_one_out, 2)
                ),
            ),
    );
    outcome.number("chosen gamma", chosen.gamma);
    outcome.number("chosen lambda", chosen.lambda);
    outcome.number("chosen error", chosen.error);

    let heat = |title: &str, f: fn(&Cell) -> f64| {
        let log = |i: usize| libm::log10(f(&cells[i]));
        let low = (0..cells.len()).map(log).fold(f64::INFINITY, f64::min);
        grid.heat(title, "log₁₀ of the error, cut at 1", (low, CUT), log)
            .points(
                [mark(chosen.gamma, chosen.lambda)],
                Marker::Star,
                Color::Vermilion,
                "least by leaving one out",
            )
            .points(
                [mark(ideal.gamma, ideal.lambda)],
                Marker::Cross,
                Color::Vermilion,
                "least against the sine",
            )
    };
    let edge = match grid.edge(ideal.gamma, ideal.lambda) {
        "" => "The least distance to the sine is inside the grid.".to_string(),
        edge => format!(
            "The least distance to the sine lies at its border{edge}, so that there may be a better one outside: for ever \
             smaller γ and λ fits tend to those by polynomials (Driscoll and Fornberg 2002), and the valley has no end."
        ),
    };
    outcome.figure(
        &Figure::new(
            "grid",
            "Error over γ and λ",
            format!(
                "First what can be measured on the one set, second what one would like to know. Violet is good. Look for \
                 the valley, and whether both have the same: a rougher kernel needs a larger ridge. To the upper left \
                 fits are too stiff, to the lower right they follow the noise. {edge} Errors above 10 have the colour \
                 of 10: the colours stop at log₁₀ = 1."
            ),
        )
        .panel(heat("Mean squared leave-one-out residual", |c| c.leave_one_out))
        .panel(heat("Mean squared distance to the sine", |c| c.error)),
    );
}

fn samples(x: &Samples<f64>, y: &DMatrix<f64>) -> Vec<(f64, f64)> {
    (0..x.len()).map(|i| (x.rows().row(i)[0], y[i])).collect()
}

/// Six fits: three widths of the kernel, then three ridges under a rough one.
fn fits(x: &Samples<f64>, y: &DMatrix<f64>, chosen: &Cell) -> Result<Figure> {
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
    let mut figure = Figure::new(
        "fits",
        "Too stiff, right, too free",
        "The same 60 points, and the sine as a dashed line. The first three differ in the width of the kernel. \
         The last three have a γ ten times the chosen one, and differ in the ridge: look whether that of leaving \
         one out makes up for the rougher kernel.",
    );
    for (what, gamma, lambda) in settings {
        let kernel = Arc::new(Rbf::new(gamma)?);
        let path = RidgePath::new(kernel.as_ref(), x, y, 1 << 30)?;
        let values = path.at(lambda)?.machine(kernel, x).predict(&at);
        let curve = places().into_iter().zip(values.iter().copied()).collect::<Vec<_>>();
        figure = figure.panel(
            Chart::new(Axis::linear("x"), Axis::linear("y").range(-2.0, 2.0))
                .title(format!("{what}: {}", setting(gamma, lambda)))
                .line(Line::new(places().into_iter().map(|x| (x, truth(x)))).color(Color::Muted).dash(1))
                .points(samples(x, y), Marker::Dot, Color::Vermilion, "")
                .line(Line::new(curve).color(Color::Blue)),
        );
    }
    Ok(figure)
}
