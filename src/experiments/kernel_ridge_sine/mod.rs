//! Kernel ridge regression on a noisy sine: too smooth, too rough, and what lies between. The choice of γ and λ on
//! one set, bias and variance over many, and the Gaussian process are a file or a folder each.

mod decomposition;
mod grid;
mod posterior;

use std::f64::consts::TAU;
use std::sync::Arc;

use grid::{Cell, Choice, Grid};
use nalgebra::DMatrix;

use super::prelude::*;
use crate::data::synthetic;
use crate::models::kernel::{KernelMachine, Rbf, RidgePath, Samples, lambda_grid};

pub const EXPERIMENT: Experiment = Experiment {
    name: "kernel-ridge-sine",
    title: "Kernel ridge on a sine",
    question: "How do the width of the kernel and the ridge trade bias against variance?",
    theory: &[
        "Kernel ridge regression minimises ${1}/{n}Σ_i(f(xᵢ)−yᵢ)²+λ‖f‖²$. Here $k(x,x′) = exp(−γ(x−x′)²)$, \
         and the data is $y = \"sin \"2πx$ plus noise of standard deviation σ = 0.3. Small γ and large λ \
         make f stiff; large γ and small λ let it follow the noise.",
        "The expected squared error on new targets is bias² + variance + σ² (Geman, Bienenstock and Doursat \
         1992). With growing λ the fitted values shrink along every eigenvector of K, by ${dᵢ}/{dᵢ+nλ}$. So \
         at the inputs of the set the variance falls and the bias grows. The square of the mean distance to \
         the sine over S sets exceeds bias² by variance/S, which is subtracted here. The difference can be \
         below 0, and it is known only up to its standard error.",
        "The leave-one-out error follows from a single fit: ${αᵢ}/{((K+nλI)⁻¹)ᵢᵢ}$. As a Gaussian process \
         the same fit has a posterior variance. The ridge that matches the noise is $nλ = σ²$, and γ is \
         chosen to maximise the likelihood of the targets (Rasmussen and Williams 2006, chapter 5).",
    ],
    parts: Parts::of::<Sine>(),
    finding,
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
const SEEDS: Seeds = Seeds { parts: 1_000, posterior: 2_000, error: 3_000, noise: 4_000, choice: 5_000 };
struct Seeds {
    choice: u64,
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

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Sine {
    /// The set that is drawn.
    samples: Vec<(f64, f64)>,
    grid: Grid,
    cells: Vec<Cell>,
    /// What is chosen of other sets.
    choices: Vec<Choice>,
    parts: decomposition::Decomposition,
    band: posterior::Band,
    /// Three widths of the kernel, then three ridges under a rough one.
    fits: Vec<Fitted>,
    /// By γ, and for each of them by λ.
    tries: Vec<Fitted>,
}

/// A fit to the set that is drawn.
#[derive(Serialize, Deserialize)]
struct Fitted {
    gamma: f64,
    lambda: f64,
    /// At the places.
    #[serde(with = "lossless")]
    values: Vec<f64>,
}

/// γ and λ of the sliders.
const GAMMAS: [f64; 5] = [0.1, 1.0, 10.0, 100.0, 1000.0];
const LAMBDAS: [f64; 5] = [1e-8, 1e-6, 1e-4, 1e-2, 1.0];

impl Study for Sine {
    const EDITION: u32 = 3;

    fn measure(context: &Context) -> Result<Sine> {
        context.at(0, 10, "grid")?;
        let (x, y) = draw(context.seed)?;
        // In thirds and halves of powers of ten, or half of those.
        let (columns, rows) = context.pick((16, 27), (31, 53));
        let grid = Grid { gammas: lambda_grid(0.1, 1e4, columns)?, lambdas: lambda_grid(1e-12, 10.0, rows)? };
        let cells = grid::one_set(context, &grid, &x, &y)?;
        context.at(1, 10, "choices of other sets")?;
        let choices = grid::choices(context, &grid, context.pick(160, 400))?;
        let parts = decomposition::measure(context, &grid)?;
        context.at(9, 10, "posterior")?;
        let band = posterior::measure(context, &grid.gammas, &x, &y)?;
        let Cell { gamma, lambda, .. } = *least(&cells, |cell| cell.leave_one_out);
        let rough = 10.0 * gamma;
        let best =
            RidgePath::new(&Rbf::new(rough)?, &x, &y, 1 << 30)?.best(&lambda_grid(1e-12, 10.0, 53)?)?;
        let settings = [
            (gamma / 100.0, lambda),
            (gamma, lambda),
            (gamma * 300.0, lambda),
            (rough, 1.0),
            (rough, best.lambda),
            (rough, 1e-8),
        ];
        let at = Samples::new(places(), 1)?;
        let fitted = |(gamma, lambda): (f64, f64)| -> Result<Fitted> {
            let kernel = Arc::new(Rbf::new(gamma)?);
            let path = RidgePath::new(kernel.as_ref(), &x, &y, 1 << 30)?;
            let values = path.at(lambda)?.machine(kernel, &x).predict(&at).as_slice().to_vec();
            Ok(Fitted { gamma, lambda, values })
        };
        let fits = settings.into_iter().map(fitted).collect::<Result<_>>()?;
        let tried = GAMMAS.iter().flat_map(|gamma| LAMBDAS.map(|lambda| (*gamma, lambda)));
        let tries = tried.map(fitted).collect::<Result<_>>()?;
        let samples = (0..x.len()).map(|i| (x.rows().row(i)[0], y[i])).collect();
        Ok(Sine { samples, grid, cells, choices, parts, band, fits, tries })
    }

    fn report(&self) -> Outcome {
        let mut outcome = Outcome::default();
        let chosen = least(&self.cells, |cell| cell.leave_one_out);
        grid::report(&mut outcome, &self.grid, &self.cells, &self.choices);
        decomposition::report(&mut outcome, &self.grid, &self.parts, chosen);
        posterior::report(&mut outcome, &self.band, &self.samples);
        for figure in fits(self) {
            outcome.figure(&figure);
        }
        outcome
    }
}

/// Three widths of the kernel, three ridges under a rough one, and a slider for each of the two.
fn fits(sine: &Sine) -> [Figure; 3] {
    let names =
        ["γ too small", "chosen", "γ too large", "λ too large", "λ by leaving one out", "λ too small"];
    let widths = Figure::new(
        "fits",
        "Too stiff, right, too free",
        format!(
            "The same {N} points, with the sine as a dashed line, fitted with kernels of three widths. One \
             is too wide for the sine. One is chosen by leave-one-out. One is so narrow that it follows the \
             noise."
        ),
    );
    let ridges = Figure::new(
        "ridges",
        "Three ridges for a rough kernel",
        "A γ ten times the chosen one: check whether the ridge chosen by leave-one-out makes up for the \
         rougher kernel.",
    );
    let panel = |title: String, fitted: &Fitted| {
        let curve: Vec<(f64, f64)> = places().into_iter().zip(fitted.values.iter().copied()).collect();
        Chart::new(Axis::linear("x"), Axis::linear("y").range(-2.0, 2.0))
            .title(title)
            .line(
                Line::new(places().into_iter().map(|x| (x, truth(x))))
                    .named("the sine")
                    .color(Color::Muted)
                    .dash(1),
            )
            .points(sine.samples.iter().copied(), Marker::Dot, Color::Vermilion, "")
            .line(Line::new(curve).named("the fit").color(Color::Blue))
    };
    let named = |(what, fitted): (&str, &Fitted)| {
        panel(format!("{what}: {}", setting(fitted.gamma, fitted.lambda)), fitted)
    };
    let mut panels: Vec<Chart> = names.into_iter().zip(&sine.fits).map(named).collect();
    let behind = panels.split_off(3);
    let all = Figure::new(
        "try",
        "Any width, any ridge",
        "The same points, with kernels from wide to narrow and ridges from small to large. Look for the \
         fits that you would draw by hand: they lie along a valley. In it a narrower kernel needs a larger \
         ridge.",
    )
    .slider("γ", GAMMAS.map(|gamma| rounded(gamma, 2)))
    .slider("λ", LAMBDAS.map(|lambda| rounded(lambda, 2)))
    .panels(sine.tries.iter().map(|fitted| panel(setting(fitted.gamma, fitted.lambda), fitted)));
    [widths.panels(panels), ridges.panels(behind), all]
}

fn finding(found: &Found) -> Told {
    Some((
        "fits",
        format!(
            "Leave-one-out chooses a width and a ridge with {} times the smallest error on the grid, in the \
             median",
            rounded(found.number("median ratio of the chosen error to the least")?, 2)
        ),
        format!(
            "A wide kernel or a large ridge makes the fit stiff: bias. A narrow kernel and a small ridge \
             follow the noise: variance. Between them is γ = {}, λ = {}, chosen without knowing the sine. \
             The median is over other sets of points; on some the choice is poor. The 95 % band of the fit \
             as a Gaussian process, with the likeliest γ and the ridge of the noise, contains the sine at \
             {} of all places.",
            rounded(found.number("chosen gamma")?, 3),
            rounded(found.number("chosen lambda")?, 2),
            percent(found.number("share inside the band")?)
        ),
    ))
}
