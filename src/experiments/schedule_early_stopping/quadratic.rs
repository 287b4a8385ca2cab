//! Stopping early and a ridge, where both have a closed form.

use nalgebra::DMatrix;

use super::PARTS;
use crate::experiments::prelude::*;
use crate::linalg::{Cholesky, SymmetricEigen, symmetric_eigen};

/// Weights of descent after some steps beside those of the ridge 1/(ητ).
struct Point {
    tau: f64,
    alpha: f64,
    /// For each eigenvalue: the share of the solution that descent has, and the ridge.
    shares: Vec<[f64; 2]>,
    /// Mean over the noise of ‖w − w*‖²: of descent, of the ridge.
    errors: [f64; 2],
    /// Largest distance of descent from the ridge of an α for each direction, relative to the solution.
    apart: f64,
}

const N: usize = 60;
const D: usize = 20;
/// Draws of the noise.
const DRAWS: usize = 200;
const NOISE: f64 = 0.5;
/// ηλ of the largest curvature: small, so that descent is near the flow that the bound is for.
const LARGEST_STEP: f64 = 0.1;

/// Least squares with as many draws of the noise as the targets have columns.
pub fn measure(context: &Context, outcome: &mut Outcome) -> Result<()> {
    context.at(4, PARTS, "early stopping on a quadratic")?;
    let mut rng = stream(context.seed, Purpose::Data);
    let scale = |j: usize| Float::powf(10.0, -1.5 * j as f64 / (D - 1) as f64);
    let truth = DMatrix::from_fn(D, 1, |_, _| standard_normal(&mut rng));
    let mut x = DMatrix::from_fn(N, D, |_, _| standard_normal(&mut rng));
    (0..D).for_each(|j| x.column_mut(j).scale_mut(scale(j)));
    let clean = &x * &truth;
    let y = DMatrix::from_fn(N, DRAWS, |i, _| clean[i] + NOISE * standard_normal(&mut rng));
    let hessian = x.transpose() * &x / N as f64;
    let moment = x.transpose() * &y / N as f64;
    let SymmetricEigen { values, vectors } = symmetric_eigen(&hessian)?;
    let mut solution = moment.clone();
    Cholesky::new(hessian.clone())?.solve_in_place(&mut solution);
    let in_modes = vectors.transpose() * &solution;
    let rate = LARGEST_STEP / values[D - 1];

    let mut tape = Tape::new();
    let w = tape.param_with(D, DRAWS, |_| ());
    let mut optimizer = Optimizer::new(Sgd, rate)?;
    let steps = context.pick(14, 16);
    let (mut points, mut done) = (Vec::new(), 0u32);
    for power in 0..=steps {
        while done < 1 << power {
            if done % 64 == 0 {
                context.check()?;
            }
            step(&mut tape, &mut optimizer, |tape| {
                let (vx, vy) = (tape.constant(&x), tape.constant(&y));
                let prediction = tape.matmul(vx, w);
                let mse = tape.mse(prediction, vy);
                // A half of the mean over the samples, of the sum over the columns.
                tape.scale(mse, 0.5 * DRAWS as f64)
            })?;
            done += 1;
        }
        let descent = tape.value(w).to_dmatrix();
        let tau = f64::from(done);
        let alpha = 1.0 / (rate * tau);
        let ridge = |penalty: DMatrix<f64>| -> Result<DMatrix<f64>> {
            let mut weights = moment.clone();
            Cholesky::new(&hessian + penalty)?.solve_in_place(&mut weights);
            Ok(weights)
        };
        let single = ridge(DMatrix::identity(D, D) * alpha)?;
        let left = values.map(|value| Float::exp(tau * Float::ln_1p(-rate * value)));
        let each = values.zip_map(&left, |value, left| value * left / (1.0 - left));
        let matched = ridge(&vectors * DMatrix::from_diagonal(&each) * vectors.transpose())?;
        let share = |weights: &DMatrix<f64>, i: usize| {
            let own = vectors.column(i).transpose() * weights;
            own.dot(&in_modes.row(i)) / in_modes.row(i).norm_squared()
        };
        let error = |weights: &DMatrix<f64>| {
            weights.column_iter().map(|column| (column - truth.column(0)).norm_squared()).sum::<f64>()
                / DRAWS as f64
        };
        points.push(Point {
            tau,
            alpha,
            shares: (0..D).map(|i| [share(&descent, i), share(&single, i)]).collect(),
            errors: [error(&descent), error(&single)],
            apart: (&descent - matched).norm() / solution.norm(),
        });
    }
    report(outcome, values.as_slice(), &points);
    Ok(())
}

fn report(outcome: &mut Outcome, values: &[f64], points: &[Point]) {
    let largest = |of: &dyn Fn(&Point) -> f64| points.iter().map(of).fold(0.0, f64::max);
    let apart = largest(&|point| point.apart);
    claim(outcome, "Stopping after τ steps is a ridge with (1 − ηλ)^τ = α/(λ + α) in each eigendirection")
        .named("stopping-ridge")
        .expected("the same weights")
        .measured(format!("{} apart at most, relative", rounded(apart, 2)))
        .criterion(format!("at most 10⁻¹⁰ at each of {} times", points.len()))
        .holds(
            apart <= 1e-10,
            format!(
                "Each of up to {} steps is rounded, and so is the eigendecomposition; α is λ(1 − ηλ)^τ over \
                 what is left of 1, which loses digits where (1 − ηλ)^τ is near 1.",
                largest(&|point| point.tau)
            ),
        );
    let shares_apart = largest(&|point| point.shares.iter().map(|[a, b]| (a - b).abs()).fold(0.0, f64::max));
    // The same difference for these curvatures and times, from the formula alone.
    let exact = points.iter().flat_map(|point| values.iter().map(move |value| (point, value)));
    let exact = exact.map(|(Point { tau, alpha, .. }, value)| {
        let left = Float::exp(tau * Float::ln_1p(-value / (alpha * tau)));
        (left - alpha / (value + alpha)).abs()
    });
    let exact = exact.fold(0.0, f64::max);
    claim(outcome, "With a single α = 1/(ητ) they differ a little in every direction")
        .named("stopping-single-ridge")
        .expected("shares of the solution at most 0.204 apart, in the limit of small steps")
        .measured(fixed(shares_apart, 4))
        .criterion("at most 0.21")
        .holds(
            shares_apart <= 0.21,
            format!(
                "The steps are not small enough for the limit: up to ηλ = {LARGEST_STEP}. For these \
                 curvatures, steps and times the largest |(1 − ηλ)^τ − α/(λ + α)| is {}.",
                fixed(exact, 4)
            ),
        );
    let ratio = largest(&|point| point.errors[0] / point.errors[1]);
    claim(outcome, "The mean squared error of descent is at most 1.69 times that of the ridge 1/(ητ)")
        .named("stopping-risk")
        .expected("at most 1.6862, at all times")
        .measured(format!("{} at most", fixed(ratio, 3)))
        .criterion("at most 1.6862")
        .holds(
            ratio <= 1.6862,
            format!(
                "The bound is that of the flow and of the mean over all noise; here steps are up to ηλ = \
                 {LARGEST_STEP}, and the mean is over {DRAWS} draws."
            ),
        );
    // ητ and the error, where that is least.
    let least = |which: usize| {
        let errors = points.iter().map(|p| (1.0 / p.alpha, p.errors[which]));
        errors.fold((f64::NAN, f64::INFINITY), |a, b| if b.1 < a.1 { b } else { a })
    };
    let scaled = |which: usize| -> Vec<(f64, f64)> {
        let of = |point: &Point| {
            let alpha = point.alpha;
            values.iter().zip(&point.shares).map(|(l, s)| (l / alpha, s[which])).collect::<Vec<_>>()
        };
        points.iter().flat_map(of).filter(|(x, _)| (1e-2..=1e2).contains(x)).collect()
    };
    let xs: Vec<f64> = (0..=100).map(|i| Float::powf(10.0, -2.0 + 0.04 * f64::from(i))).collect();
    let shares = Chart::new(Axis::log("λ/α = ητλ"), Axis::linear("share of the solution").holding(0.0))
        .title("Every direction at every time")
        .line(
            Line::new(xs.iter().map(|x| (*x, -Float::exp_m1(-x))))
                .label("1 − e^(−x)")
                .color(Color::Blue)
                .width(1.2),
        )
        .line(
            Line::new(xs.iter().map(|x| (*x, x / (1.0 + x))))
                .label("x/(1 + x)")
                .color(Color::Vermilion)
                .width(1.2),
        )
        .points(scaled(0), Marker::Dot, Color::Blue, "descent")
        .points(scaled(1), Marker::Cross, Color::Vermilion, "ridge");
    let curve = |which: usize| points.iter().map(move |p| (1.0 / p.alpha, p.errors[which]));
    let errors = Chart::new(Axis::log("ητ, and 1/α"), Axis::log("mean of ‖w − w*‖²"))
        .title("Error")
        .line(Line::new(curve(0)).label("descent").color(Color::Blue).marker(Marker::Circle))
        .line(Line::new(curve(1)).label("ridge").color(Color::Vermilion).marker(Marker::Cross).dash(1));
    outcome.draw(
        "quadratic",
        "Stopping early and a ridge, on a quadratic",
        format!(
            "Least squares with {N} samples, {D} weights, {DRAWS} draws of the noise. First panel: how much \
             each takes of a direction, whose curvature is λ, and which of the two has the sharper edge \
             between what it takes and what it leaves. Second panel: the error over time. That of descent is \
             least, {}, at ητ = {}, and that of the ridge, {}, at 1/α = {}.",
            rounded(least(0).1, 3),
            rounded(least(0).0, 3),
            rounded(least(1).1, 3),
            rounded(least(1).0, 3)
        ),
        [shares, errors],
    );
    outcome.table(
        Table::of("quadratic", "Descent after τ steps and ridges", points)
            .column("ητ", |point| 1.0 / point.alpha)
            .column("error of descent", |point| point.errors[0])
            .column("error of the ridge", |point| point.errors[1])
            .column("apart, with an α for each direction", |point| point.apart),
    );
    outcome.number("quadratic: largest difference of shares", shares_apart);
    outcome.number("quadratic: largest ratio of errors", ratio);
    outcome.number("quadratic: least error of descent", least(0).1);
    outcome.number("quadratic: least error of the ridge", least(1).1);
}
