//! The error over γ and λ, and what leaving one out chooses.

use std::sync::Arc;

use nalgebra::DMatrix;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::{N, SEEDS, draw, places, truth};
use crate::experiments::prelude::*;
use crate::models::kernel::{Expansion, KernelMachine, PathPoint, Rbf, RidgePath, Samples};
use crate::report::Image;

/// Where the colours of the error stop, as log₁₀: twenty times what saying 0 everywhere costs.
const CUT: f64 = 1.0;

/// The fit of one set with one γ and one λ.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Cell {
    pub gamma: f64,
    pub lambda: f64,
    #[serde(with = "lossless")]
    pub leave_one_out: f64,
    #[serde(with = "lossless")]
    pub error: f64,
}

/// What leaving one out chooses of one set, and what would have been best.
#[derive(Serialize, Deserialize)]
pub(super) struct Choice {
    pub chosen: f64,
    pub best: f64,
}

/// The values of γ and λ.
#[derive(Serialize, Deserialize)]
pub(super) struct Grid {
    pub gammas: Vec<f64>,
    pub lambdas: Vec<f64>,
}

impl Grid {
    /// A figure of something at every γ and λ, γ by γ; what lies above `high` has the colour of `high`, and a
    /// cell without a value is grey.
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
        let (x, y) = (ends(&self.gammas), ends(&self.lambdas));
        // Under the cells without a value, which are transparent: on a dark page they would look like the least colour.
        let grey = Image::from_fn(1, 1, |_, _| [0x9A, 0x9A, 0x9A, 255]);
        Chart::new(Axis::linear("log₁₀ γ"), Axis::linear("log₁₀ λ"))
            .title(title)
            .raster(grey, x, y, false)
            .heat((columns, rows), x, y, label, (low, high), value)
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
        let points: Vec<PathPoint<f64>> =
            grid.lambdas.iter().map(|lambda| path.at(*lambda)).collect::<Result<_>>()?;
        // The kernel between samples and places is the same for all λ: a column of α for each. No sample has weight 0.
        let alphas: Vec<_> = points.iter().map(|point| point.alpha.column(0)).collect();
        let alphas = DMatrix::from_columns(&alphas);
        let values = Expansion::new("all ridges".into(), kernel, x.clone(), alphas).predict(&at);
        cells.extend(points.iter().zip(values.column_iter()).map(|(point, values)| Cell {
            gamma: *gamma,
            lambda: point.lambda,
            leave_one_out: point.leave_one_out_error,
            error: error(values.as_slice()),
        }));
    }
    Ok(cells)
}

/// The choices of so many sets.
pub(super) fn choices(context: &Context, grid: &Grid, sets: u64) -> Result<Vec<Choice>> {
    let of_set = |set: u64| {
        let (x, y) = draw(derive(context.seed, SEEDS.choice + set))?;
        let cells = one_set(context, grid, &x, &y)?;
        let chosen = least(&cells, |cell| cell.leave_one_out);
        Ok(Choice { chosen: chosen.error, best: least(&cells, |cell| cell.error).error })
    };
    (0..sets).into_par_iter().map(of_set).collect()
}

/// The error over the grid of γ and λ, and what leaving one out chooses.
pub(super) fn report(outcome: &mut Outcome, grid: &Grid, cells: &[Cell], choices: &[Choice]) {
    let chosen = least(cells, |cell| cell.leave_one_out);
    let ideal = least(cells, |cell| cell.error);
    let ratios: Vec<f64> = choices.iter().map(|choice| choice.chosen / choice.best).collect();
    let of = |f: fn(&Choice) -> f64| mean_of(choices, f);
    claim(outcome, "On half of the sets or more, leaving one out chooses γ and λ with at most twice the least error on the grid")
        .named("loo-chooses")
        .expected("a ratio of the errors near 1")
        .estimated(Estimate::median(&ratios).of("sets"))
        .saying(&format!(
            ", the median of the error with the chosen γ and λ over the smallest on the grid. The mean \
             errors are {} and {}",
            rounded(of(|choice| choice.chosen), 3),
            rounded(of(|choice| choice.best), 3)
        ))
        .within(
            ..=2.0,
            format!(
                "The leave-one-out error is a mean of {N} squared residuals. Its standard error is about \
                 √(2/n) of it, {}. Along the valley the choice is mostly chance, and more so with more \
                 candidates.",
                rounded((2.0 / N as f64).sqrt() * chosen.leave_one_out, 2)
            ),
        );
    outcome.number("chosen gamma", chosen.gamma);
    outcome.number("chosen lambda", chosen.lambda);
    outcome.number("chosen error", chosen.error);
    outcome.number("median ratio of the chosen error to the least", median(&ratios));
    outcome.number("mean chosen error", of(|choice| choice.chosen));

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
        "" => "The smallest distance to the sine is inside the grid.".to_string(),
        edge => format!(
            "The smallest distance to the sine is at its border{edge}, so there may be a better fit outside \
             the grid. For ever smaller γ and λ fits tend to polynomials (Driscoll and Fornberg 2002), so \
             the valley has no end."
        ),
    };
    outcome.draw(
        "grid",
        "Error over γ and λ",
        format!(
            "For the set of the figures: first what can be measured on it, second what one would like to \
             know. Violet is good, in one scale for both. Look for the valley, and whether it is the same \
             in both: a rougher kernel needs a larger ridge. At the upper left fits are too stiff, at the \
             lower right they follow the noise. {edge} The colours stop at log₁₀ = 1: errors above 10 have \
             the colour of 10."
        ),
        [
            heat("Mean squared leave-one-out residual", |c| c.leave_one_out),
            heat("Mean squared distance to the sine", |c| c.error),
        ],
    );
}
