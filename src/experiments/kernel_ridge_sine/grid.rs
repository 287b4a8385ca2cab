//! The error over γ and λ, and what leaving one out chooses.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::{N, places, setting, truth};
use crate::experiments::prelude::*;
use crate::models::kernel::{KernelMachine, KernelRidge, Rbf, RidgeOptions, RidgePath, Samples};

/// Where the colours of the error stop, as log₁₀: twenty times what saying 0 everywhere costs.
const CUT: f64 = 1.0;

/// The fit of one set with one γ and one λ.
pub(super) struct Cell {
    /// Its place among all, γ by γ.
    pub index: usize,
    pub gamma: f64,
    pub lambda: f64,
    pub leave_one_out: f64,
    pub error: f64,
}

/// The values of γ and λ.
pub(super) struct Grid {
    pub gammas: Vec<f64>,
    pub lambdas: Vec<f64>,
}

impl Grid {
    /// A figure of something at every γ and λ, γ by γ; what lies above `high` has the colour of `high`.
    pub fn heat(
        &self,
        title: &str,
        label: &str,
        (low, high): (f64, f64),
        log: impl Fn(usize) -> f64,
    ) -> Chart {
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
pub(super) fn mark(gamma: f64, lambda: f64) -> (f64, f64) {
    (libm::log10(gamma), libm::log10(lambda))
}

/// Mean of (f(x) − sin 2πx)² over the places.
fn error(values: &[f64]) -> f64 {
    let squares = places().iter().zip(values).map(|(x, f)| (f - truth(*x)) * (f - truth(*x))).sum::<f64>();
    squares / values.len() as f64
}

/// All fits of a set, γ by γ.
pub(super) fn one_set(
    context: &Context,
    grid: &Grid,
    x: &Samples<f64>,
    y: &DMatrix<f64>,
) -> Result<Vec<Cell>> {
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
                index: cells.len(),
                gamma: *gamma,
                lambda: *lambda,
                leave_one_out: point.leave_one_out_error,
                error: error(values.as_slice()),
            });
        }
    }
    Ok(cells)
}

pub(super) fn leave_one_out_claim(
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
    claim(outcome, "Leaving out each sample in turn gives the residuals of the closed form")
        .named("loo-closed-form")
        .expected("no difference but rounding")
        .measured(format!("largest difference {}", scientific(largest, 2)))
        .criterion("at most 10⁻⁸")
        .holds(
            largest <= 1e-8,
            "Both solve with K + nλI, whose condition may be as large as n divided by nλ: what rounding \
             leaves is multiplied by as much.",
        );
    Ok(())
}

/// The error over the grid of γ and λ, and what leaving one out chooses.
pub(super) fn report(outcome: &mut Outcome, grid: &Grid, cells: &[Cell], chosen: &Cell) {
    let ideal = least(cells, |cell| cell.error);
    let place = |cell: &Cell| setting(cell.gamma, cell.lambda) + grid.edge(cell.gamma, cell.lambda);
    claim(outcome, "Leaving one out chooses γ and λ nearly as well as if the sine were known")
        .named("loo-chooses")
        .expected(format!("error near the least one, {} at {}", rounded(ideal.error, 3), place(ideal)))
        .measured(format!("{} at {}", rounded(chosen.error, 3), place(chosen)))
        .criterion("at most twice the least error on the grid")
        .holds(
            chosen.error <= 2.0 * ideal.error,
            format!(
                "Leaving one out gives {} for the chosen and {} for the best. As a mean of {N} squared \
                 residuals it has a standard error of about √(2/n) of that, {}: along the valley it is \
                 chance that chooses, and the more there is to choose from, the more so.",
                rounded(chosen.leave_one_out, 3),
                rounded(ideal.leave_one_out, 3),
                rounded((2.0 / N as f64).sqrt() * chosen.leave_one_out, 2)
            ),
        );
    outcome.number("chosen gamma", chosen.gamma);
    outcome.number("chosen lambda", chosen.lambda);
    outcome.number("chosen error", chosen.error);

    // One scale of colours for both, so that they can be compared.
    let (low, _) = range(cells.iter().flat_map(|cell| [cell.leave_one_out, cell.error]).map(libm::log10));
    let heat = |title: &str, f: fn(&Cell) -> f64| {
        let log = |i: usize| libm::log10(f(&cells[i]));
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
            "The least distance to the sine lies at its border{edge}, so that there may be a better one \
             outside: for ever smaller γ and λ fits tend to those by polynomials (Driscoll and Fornberg \
             2002), and the valley has no end."
        ),
    };
    outcome.draw(
        "grid",
        "Error over γ and λ",
        format!(
            "First what can be measured on the one set, second what one would like to know. Violet is good, in one scale for both. \
             Look for the valley, and whether both have the same: a rougher kernel needs a larger ridge. To \
             the upper left fits are too stiff, to the lower right they follow the noise. {edge} Errors \
             above 10 have the colour of 10: the colours stop at log₁₀ = 1."
        ),
        [
            heat("Mean squared leave-one-out residual", |c| c.leave_one_out),
            heat("Mean squared distance to the sine", |c| c.error),
        ],
    );
}
