//! Kernel ridge regression on a noisy sine: too smooth, too rough, and what lies between.

use std::f64::consts::TAU;
use std::sync::Arc;

use nalgebra::DMatrix;

use super::{Context, Experiment, Outcome};
use crate::data::synthetic;
use crate::models::kernel::{KernelMachine, KernelRidge, Rbf, RidgeOptions, RidgePath, Samples, lambda_grid};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table};
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
         that the variance falls and the bias grows.",
        "The error of leaving out one sample follows from a single fit: αᵢ/((K + nλI)⁻¹)ᵢᵢ. As a Gaussian \
         process the same fit has a posterior variance; the ridge that belongs to the noise is nλ = σ², and γ \
         is the one under which the targets are likeliest (Rasmussen and Williams 2006, chapter 5).",
    ],
    run,
};

const N: usize = 60;
const NOISE: f64 = 0.3;
/// Resampled sets for bias and variance.
const SETS: usize = 100;
/// Points between −1 and 1 at which functions are compared.
const POINTS: usize = 201;

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

struct Cell {
    gamma: f64,
    lambda: f64,
    leave_one_out: f64,
    error: f64,
}

/// Bias² and variance at one λ, means over the places; and the error on new noisy targets.
struct Decomposition {
    lambda: f64,
    bias: f64,
    variance: f64,
    /// The part of the variance that comes from the noise, at fixed inputs.
    from_noise: f64,
    error: f64,
}

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 10, "grid")?;
    let (x, y) = draw(context.seed)?;
    let steps = context.pick(15, 29);
    let gammas = lambda_grid(0.1, 1e4, steps)?;
    let lambdas = lambda_grid(1e-8, 10.0, steps)?;
    let at = Samples::new(places(), 1)?;
    let mut cells = Vec::new();
    for gamma in &gammas {
        context.check()?;
        let kernel = Arc::new(Rbf::new(*gamma)?);
        let path = RidgePath::new(kernel.as_ref(), &x, &y, 1 << 30)?;
        for lambda in &lambdas {
            let point = path.at(*lambda)?;
            let values = point.machine(kernel.clone(), &x).predict(&at);
            cells.push(Cell {
                gamma: *gamma,
                lambda: *lambda,
                leave_one_out: point.leave_one_out_error,
                error: error(values.as_slice()),
            });
        }
    }
    let least = |f: fn(&Cell) -> f64| {
        (1..cells.len()).fold(0, |best, i| if f(&cells[i]) < f(&cells[best]) { i } else { best })
    };
    let (chosen, ideal) = (least(|c| c.leave_one_out), least(|c| c.error));

    let gamma = cells[chosen].gamma;
    let parts = decompose(context, gamma, &lambda_grid(1e-8, 10.0, context.pick(19, 37))?)?;
    context.at(9, 10, "posterior")?;
    let mut outcome = Outcome::default();
    leave_one_out_claim(&mut outcome, &x, &y, &cells[chosen])?;
    grid_report(&mut outcome, &gammas, &lambdas, &cells, chosen, ideal);
    decomposition_report(&mut outcome, gamma, &parts);
    let likely = likeliest(&gammas, &x, &y)?;
    posterior_report(&mut outcome, context, &x, &y, likely)?;
    outcome.figure(&fits(&x, &y, &cells[chosen])?);
    Ok(outcome)
}

/// From [`SETS`] new sets, of which each is fitted at all λ.
fn decompose(context: &Context, gamma: f64, lambdas: &[f64]) -> Result<Vec<Decomposition>> {
    let places = places();
    let at = Samples::new(places.clone(), 1)?;
    let kernel = Arc::new(Rbf::new(gamma)?);
    let mut sums = vec![Sums::default(); lambdas.len()];
    for set in 0..SETS {
        if set % 10 == 0 {
            context.at(1 + 8 * set / SETS, 10, "resampled sets")?;
        }
        // Seeds far from those of the sets above and below.
        let seed = context.seed.wrapping_add(1_000 + set as u64);
        let (x, y) = draw(seed)?;
        let noise = fresh_noise(seed)?;
        // Beside the noisy targets those without noise: the difference of the fits is what the noise does.
        let clean = DMatrix::from_fn(N, 1, |i, _| truth(x.rows().row(i)[0]));
        let both = DMatrix::from_columns(&[y.column(0), clean.column(0)]);
        let path = RidgePath::new(kernel.as_ref(), &x, &both, 1 << 30)?;
        for (lambda, sums) in lambdas.iter().zip(&mut sums) {
            let values = path.at(*lambda)?.machine(kernel.clone(), &x).predict(&at);
            for i in 0..POINTS {
                let (value, without) = (values[(i, 0)], values[(i, 1)]);
                sums.values[i] += value;
                sums.squares[i] += value * value;
                sums.from_noise += (value - without) * (value - without);
                let residual = truth(places[i]) + noise[i] - value;
                sums.errors += residual * residual;
            }
        }
    }
    let (sets, points) = (SETS as f64, POINTS as f64);
    let part = |(lambda, sums): (&f64, &Sums)| {
        let (mut bias, mut variance) = (0.0, 0.0);
        for ((sum, squares), x) in sums.values.iter().zip(&sums.squares).zip(&places) {
            let mean = sum / sets;
            variance += (squares / sets - mean * mean).max(0.0) / points;
            bias += (mean - truth(*x)) * (mean - truth(*x)) / points;
        }
        let mean = |sum: f64| sum / (sets * points);
        let (from_noise, error) = (mean(sums.from_noise), mean(sums.errors));
        Decomposition { lambda: *lambda, bias, variance, from_noise, error }
    };
    Ok(lambdas.iter().zip(&sums).map(part).collect())
}

/// Over the sets at one λ: Σ f(x) and Σ f(x)² at each place, and sums over all places.
#[derive(Clone)]
struct Sums {
    values: Vec<f64>,
    squares: Vec<f64>,
    from_noise: f64,
    errors: f64,
}

impl Default for Sums {
    fn default() -> Self {
        Sums { values: vec![0.0; POINTS], squares: vec![0.0; POINTS], from_noise: 0.0, errors: 0.0 }
    }
}

/// Noise for the targets at the places.
fn fresh_noise(seed: u64) -> Result<Vec<f64>> {
    let data = synthetic::sine(POINTS, NOISE, seed.wrapping_add(1 << 40))?;
    let x = data.to_rows::<f64>();
    let targets = data.targets().unwrap_or_default();
    Ok(x.iter().zip(targets).map(|(x, y)| y - truth(*x)).collect())
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
            .measured(format!("largest difference {largest:.1e}"))
            .criterion("at most 10⁻⁸")
            .holds(largest <= 1e-8, ""),
    );
    Ok(())
}

/// The error over the grid of γ and λ, and what leaving one out chooses.
fn grid_report(
    outcome: &mut Outcome,
    gammas: &[f64],
    lambdas: &[f64],
    cells: &[Cell],
    chosen: usize,
    ideal: usize,
) {
    let (chosen, ideal) = (&cells[chosen], &cells[ideal]);
    outcome.claim(
        Claim::that("Leaving one out chooses γ and λ nearly as well as if the sine were known")
            .expected(format!("error near the least one, {:.4}", ideal.error))
            .measured(format!("{:.4} at γ = {:.3}, λ = {:.1e}", chosen.error, chosen.gamma, chosen.lambda))
            .criterion("at most twice the least error on the grid")
            .holds(chosen.error <= 2.0 * ideal.error, ""),
    );
    outcome.number("chosen gamma", chosen.gamma);
    outcome.number("chosen lambda", chosen.lambda);
    outcome.number("chosen error", chosen.error);
    outcome.number("least error", ideal.error);

    let ends = |values: &[f64]| {
        let (a, b) = (libm::log10(values[0]), libm::log10(values[values.len() - 1]));
        let half = 0.5 * (b - a) / (values.len() - 1) as f64;
        (a - half, b + half)
    };
    let (columns, rows) = (gammas.len(), lambdas.len());
    let heat = |title: &str, f: fn(&Cell) -> f64| {
        let value = |column: usize, row: usize| libm::log10(f(&cells[column * rows + rows - 1 - row]));
        let all = || cells.iter().map(|c| libm::log10(f(c)));
        let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        let mark = |cell: &Cell| (libm::log10(cell.gamma), libm::log10(cell.lambda));
        Chart::new(Axis::linear("log₁₀ γ"), Axis::linear("log₁₀ λ"))
            .title(title)
            .heat(
                (columns, rows),
                ends(gammas),
                ends(lambdas),
                "log₁₀ of the error",
                (low, high.min(1.0)),
                value,
            )
            .points([mark(chosen)], Marker::Star, Color::Vermilion, "least by leaving one out")
            .points([mark(ideal)], Marker::Cross, Color::Vermilion, "least against the sine")
    };
    outcome.figure(
        &Figure::new(
            "grid",
            "Error over γ and λ",
            "Left what can be measured, right what one would like to know. Dark is good. Both have the same \
             valley: a rougher kernel needs a larger ridge. The upper left is too stiff, the lower right \
             follows the noise.",
        )
        .panel(heat("Mean squared leave-one-out residual", |c| c.leave_one_out))
        .panel(heat("Mean squared distance to the sine", |c| c.error)),
    );
}

fn decomposition_report(outcome: &mut Outcome, gamma: f64, parts: &[Decomposition]) {
    type Part = fn(&Decomposition) -> f64;
    let variances: [(&str, Part); 2] = [
        ("At fixed inputs the variance, which then comes from the noise alone, falls with λ", |p| {
            p.from_noise
        }),
        ("The variance over sets with new inputs falls with λ", |p| p.variance),
    ];
    for (statement, f) in variances {
        let falls = parts.windows(2).all(|pair| f(&pair[1]) <= f(&pair[0]) * 1.001);
        let claim = Claim::that(statement)
            .expected("smaller at every step of λ")
            .measured(format!("from {:.4} to {:.1e}", f(&parts[0]), f(&parts[parts.len() - 1])))
            .criterion("each is at most 1.001 times the one before")
            .holds(falls, "");
        outcome.claim(if falls {
            claim
        } else {
            claim.because(
                "The theory is about fixed inputs. A stiff fit misses the sine in a way that depends on where \
                 the inputs lie, and with new inputs in every set that counts as variance: hence the bump \
                 where the bias sets in.",
            )
        });
    }
    let (first, last) = (&parts[0], &parts[parts.len() - 1]);
    outcome.claim(
        Claim::that("The bias grows with λ")
            .expected("larger in the end")
            .measured(format!("bias² from {:.1e} to {:.4}", first.bias, last.bias))
            .criterion("the last bias² is at least ten times the first")
            .holds(last.bias >= 10.0 * first.bias, ""),
    );
    let noise = NOISE * NOISE;
    let deviation =
        parts.iter().map(|p| ((p.bias + p.variance + noise) / p.error - 1.0).abs()).fold(0.0, f64::max);
    outcome.claim(
        Claim::that("Error on new targets = bias² + variance + σ²")
            .expected("equal on average")
            .measured(format!("largest deviation {:.1} %", 100.0 * deviation))
            .criterion("within 3 % at every λ")
            .holds(deviation <= 0.03, ""),
    );
    let line = |f: &dyn Fn(&Decomposition) -> f64| {
        Line::new(parts.iter().map(|p| (p.lambda, f(p))).collect::<Vec<_>>())
    };
    let chart = Chart::new(Axis::log("λ"), Axis::log("mean square"))
        .line(line(&|p| p.bias).label("bias²"))
        .line(line(&|p| p.variance).label("variance"))
        .line(line(&|p| p.from_noise).label("variance from the noise").dash(1))
        .line(line(&|p| p.bias + p.variance + noise).label("bias² + variance + σ²").color(Color::Ink))
        .points(parts.iter().map(|p| (p.lambda, p.error)), Marker::Cross, Color::Purple, "error")
        .horizontal(noise, Color::Muted, "σ²");
    outcome.figure(
        &Figure::new(
            "bias-variance",
            "Bias and variance",
            format!(
                "From {SETS} resampled sets of {N} points, at γ = {gamma:.3}. To the left the fit follows the \
                 noise, to the right it no longer follows the sine. The measured error on new noisy targets \
                 lies on the sum of the parts, and cannot fall below σ²."
            ),
        )
        .panel(chart),
    );
    let mut table = Table::new(
        "bias-variance",
        "Bias and variance",
        ["λ", "bias²", "variance", "from the noise", "error"],
    );
    for part in parts {
        let Decomposition { lambda, bias, variance, from_noise, error } = *part;
        table.row([lambda, bias, variance, from_noise, error].map(Into::into));
    }
    outcome.table(table);
    for part in [first, &parts[parts.len() / 2], last] {
        outcome.number(format!("bias² at {:.1e}", part.lambda), part.bias);
        outcome.number(format!("variance at {:.1e}", part.lambda), part.variance);
    }
}

/// Values, and the width of the 95 % interval, at the places.
fn posterior(x: &Samples<f64>, y: &DMatrix<f64>, gamma: f64) -> Result<(Vec<f64>, Vec<f64>)> {
    let lambda = NOISE * NOISE / N as f64;
    let fit = KernelRidge::fit(Arc::new(Rbf::new(gamma)?), x, y, RidgeOptions::new(lambda))?;
    let at = Samples::new(places(), 1)?;
    let half = fit.posterior_variance(&at).iter().map(|v| 1.96 * v.sqrt()).collect();
    Ok((fit.predict(&at).as_slice().to_vec(), half))
}

/// The γ of the largest marginal likelihood, with the ridge of the noise.
fn likeliest(gammas: &[f64], x: &Samples<f64>, y: &DMatrix<f64>) -> Result<f64> {
    let mut best = (f64::NEG_INFINITY, gammas[0]);
    for gamma in gammas {
        let options = RidgeOptions::new(NOISE * NOISE / N as f64);
        let fit = KernelRidge::fit(Arc::new(Rbf::new(*gamma)?), x, y, options)?;
        let likelihood = fit.log_marginal_likelihood()[0];
        if likelihood > best.0 {
            best = (likelihood, *gamma);
        }
    }
    Ok(best.1)
}

fn posterior_report(
    outcome: &mut Outcome,
    context: &Context,
    x: &Samples<f64>,
    y: &DMatrix<f64>,
    gamma: f64,
) -> Result<()> {
    let mut inside = 0;
    for set in 0..SETS {
        let (x, y) = draw(context.seed.wrapping_add(2_000 + set as u64))?;
        let (values, half) = posterior(&x, &y, gamma)?;
        let covered = |i: &usize| (values[*i] - truth(places()[*i])).abs() <= half[*i];
        inside += (0..POINTS).filter(covered).count();
    }
    let share = inside as f64 / (SETS * POINTS) as f64;
    outcome.number("share inside the band", share);
    outcome.claim(
        Claim::that("The 95 % band of the Gaussian process holds the sine where it says")
.expected("about 0.95 of all places")
.measured(format!("{share:.3}, over {SETS} sets"))
.criterion("between 0.90 and 0.99")
.holds((0.90..=0.99).contains(&share), "")
        .because(
            "The band promises 95 % for functions drawn from the process, of variance 1; a sine is one fixed \
             function, and smoother or rougher than most of them.",
        ),
    );
    let (values, half) = posterior(x, y, gamma)?;
    let at = places();
    let band = (0..POINTS).map(|i| (at[i], values[i] - half[i], values[i] + half[i]));
    let chart = Chart::new(Axis::linear("x"), Axis::linear("y"))
        .band(band, Color::Blue, "95 % of the posterior")
        .line(Line::new(at.iter().copied().zip(values)).label("posterior mean"))
        .line(Line::new(at.iter().map(|x| (*x, truth(*x)))).label("sin 2πx").color(Color::Ink).dash(1))
        .points(samples(x, y), Marker::Dot, Color::Vermilion, "samples");
    outcome.figure(
        &Figure::new(
            "posterior",
            "The posterior of the Gaussian process",
            format!(
                "γ = {gamma:.3}, the likeliest, and nλ = σ². The band is about the sine, not about the noisy samples: it is \
                 wider where samples are rare."
            ),
        )
        .panel(chart),
    );
    Ok(())
}

fn samples(x: &Samples<f64>, y: &DMatrix<f64>) -> Vec<(f64, f64)> {
    (0..x.len()).map(|i| (x.rows().row(i)[0], y[i])).collect()
}

/// Six fits: three widths of the kernel, then three ridges under a rough one.
fn fits(x: &Samples<f64>, y: &DMatrix<f64>, chosen: &Cell) -> Result<Figure> {
    let (gamma, lambda) = (chosen.gamma, chosen.lambda);
    let rough = 10.0 * gamma;
    let path = RidgePath::new(&Rbf::new(rough)?, x, y, 1 << 30)?;
    let best = path.best(&lambda_grid(1e-8, 10.0, 37)?)?.lambda;
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
         The last three have a kernel that is ten times rougher than the chosen one, and differ in the ridge: \
         with a larger one it does nearly as well.",
    );
    for (what, gamma, lambda) in settings {
        let kernel = Arc::new(Rbf::new(gamma)?);
        let path = RidgePath::new(kernel.as_ref(), x, y, 1 << 30)?;
        let values = path.at(lambda)?.machine(kernel, x).predict(&at);
        let curve = places().into_iter().zip(values.iter().copied()).collect::<Vec<_>>();
        figure = figure.panel(
            Chart::new(Axis::linear("x"), Axis::linear("y").range(-2.0, 2.0))
                .title(format!("{what}: γ = {gamma:.3}, λ = {lambda:.0e}"))
                .line(Line::new(places().into_iter().map(|x| (x, truth(x)))).color(Color::Muted).dash(1))
                .points(samples(x, y), Marker::Dot, Color::Vermilion, "")
                .line(Line::new(curve).color(Color::Blue)),
        );
    }
    Ok(figure)
}
