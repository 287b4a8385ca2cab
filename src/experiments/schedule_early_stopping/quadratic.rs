//! Stopping early and a ridge, where both have a closed form.

use nalgebra::DMatrix;

use crate::experiments::prelude::*;
use crate::linalg::{Cholesky, SymmetricEigen, symmetric_eigen};

/// Descent and ridges on one draw of the samples.
#[derive(Serialize, Deserialize)]
pub(super) struct Design {
    /// Eigenvalues of the Hessian.
    values: Vec<f64>,
    points: Vec<Point>,
}

/// Weights of descent after some steps beside those of the ridge 1/(ητ).
#[derive(Serialize, Deserialize)]
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
const DRAWS: usize = 50;
const NOISE: f64 = 0.5;
/// ηλ of the largest curvature: small, so that descent is near the flow that the bound is for.
const LARGEST_STEP: f64 = 0.1;

pub(super) fn measure(context: &Context, seeds: &[u64]) -> Result<Vec<Design>> {
    let powers = context.pick(14, 16);
    let of_seed = |seed: &u64| design(context, *seed, powers);
    context.side_by_side(2..3, 3, "early stopping on a quadratic", seeds, of_seed)
}

/// Least squares with as many draws of the noise as the targets have columns, for 2 to the power of `powers` steps.
fn design(context: &Context, seed: u64, powers: u32) -> Result<Design> {
    let mut rng = stream(seed, Purpose::Data);
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
    let (mut points, mut done) = (Vec::new(), 0u32);
    for power in 0..=powers {
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
    Ok(Design { values: values.as_slice().to_vec(), points })
}

pub(super) fn report(outcome: &mut Outcome, designs: &[Design]) {
    let ratio = |design: &Design| range(design.points.iter().map(|p| p.errors[0] / p.errors[1])).1;
    let ratios: Vec<f64> = designs.iter().map(ratio).collect();
    claim(outcome, "The mean squared error of descent is at most 1.69 times that of the ridge 1/(ητ)")
        .named("stopping-risk")
        .expected("at most 1.6862, at all times")
        .estimated(Estimate::mean(&ratios))
        .saying(", the largest ratio over the times")
        .within(
            ..=1.6862,
            format!(
                "The bound is for the gradient flow and the mean over all noise. Here steps are up to ηλ = \
                 {LARGEST_STEP}, and the mean is over {DRAWS} draws."
            ),
        );
    let Design { values, points } = &designs[0];
    let apart = |point: &Point| range(point.shares.iter().map(|[a, b]| (a - b).abs())).1;
    let shares_apart = range(points.iter().map(apart)).1;
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
                .label("1 − e⁻ˣ")
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
            "Least squares with {N} samples, {D} weights, {DRAWS} draws of the noise. First panel: the \
             share of the solution that each method reaches in a direction of curvature λ. Compare which \
             has the sharper edge. The shares differ by {} at most, and by 0.204 in the limit of small \
             steps. With its own ridge for each direction there would be no difference. Second panel: the \
             error over time. The smallest error of descent is {}, at ητ = {}. That of the ridge is {}, at \
             1/α = {}. All from the first seed.",
            fixed(shares_apart, 3),
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
    outcome.number("quadratic: largest ratio of errors", range(ratios).1);
    outcome.number("quadratic: least error of descent", least(0).1);
    outcome.number("quadratic: least error of the ridge", least(1).1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::context::on_little_data;

    /// After τ steps descent is a ridge with (1 − ηλ)^τ = α/(λ + α) in each eigendirection; with a single α = 1/(ητ)
    /// the shares differ, by no more than |(1 − ηλ)^τ − α/(λ + α)|.
    #[test]
    fn stopping_is_a_ridge_for_each_direction() {
        let Design { values, points } = on_little_data(|context| design(context, 3, 9).unwrap());
        for Point { tau, alpha, shares, apart, .. } in points {
            assert!(apart < 1e-12, "{apart} after {tau}");
            for (value, [descent, ridge]) in values.iter().zip(shares) {
                let left = Float::exp(tau * Float::ln_1p(-value / (alpha * tau)));
                assert!((1.0 - descent - left).abs() < 1e-10, "{descent} {left}");
                assert!((ridge - value / (value + alpha)).abs() < 1e-10);
            }
        }
    }
}
