//! Steps by condition number, with momentum and without.

use crate::experiments::prelude::*;
use crate::optim::Momentum;

/// Steps until ‖w‖ has fallen to 10⁻⁶ of where it was, on ½·Σ hᵢwᵢ² with 20 curvatures from 1 to κ.
fn steps_on_quadratic(context: &Context, kappa: f64, momentum: bool) -> Result<usize> {
    const DIMENSION: usize = 20;
    let curvatures: Vec<f64> =
        (0..DIMENSION).map(|i| Float::powf(kappa, i as f64 / (DIMENSION - 1) as f64)).collect();
    let mut tape = Tape::new();
    let w = tape.param_slice(1, DIMENSION, &[1.0; DIMENSION]);
    let mut optimizer = if momentum {
        let root = kappa.sqrt();
        let beta = (root - 1.0) / (root + 1.0);
        Optimizer::new(Momentum::new(beta * beta)?, 4.0 / ((root + 1.0) * (root + 1.0)))?
    } else {
        Optimizer::new(Sgd, 2.0 / (kappa + 1.0))?
    };
    let target = 1e-12 * DIMENSION as f64;
    for t in 1.. {
        if t % 10_000 == 0 {
            context.check()?;
        }
        step(&mut tape, &mut optimizer, |tape| {
            let h = tape.constant_slice(1, DIMENSION, &curvatures);
            let square = tape.square(w);
            let terms = tape.mul(h, square);
            let sum = tape.sum(terms);
            tape.scale(sum, 0.5)
        })?;
        if tape.value_slice(w).iter().map(|x| x * x).sum::<f64>() <= target {
            return Ok(t);
        }
        // The rate of the theory is proven for both; this is for a defect.
        if t as f64 > 1e3 * kappa + 1e4 {
            break;
        }
    }
    Err(crate::Error::NonFinite(format!("no convergence at condition number {kappa}")))
}

pub(super) fn conditioning(context: &Context, outcome: &mut Outcome) -> Result<()> {
    let most = context.pick(4, 5);
    let kappas: Vec<f64> = (2..=2 * most).map(|k| Float::powf(10.0, 0.5 * f64::from(k))).collect();
    let mut figure = Chart::new(Axis::log("condition number κ"), Axis::log("steps to 10⁻⁶ of the distance"));
    let mut table = Table::new("conditioning", "Steps to 10⁻⁶ of the distance", ["κ", "descent", "momentum"]);
    let mut rows = vec![Vec::new(); 2];
    for (i, kappa) in kappas.iter().enumerate() {
        context.at(4 * kappas.len() + 2 * i, 10 * kappas.len(), "condition number")?;
        rows[0].push((*kappa, steps_on_quadratic(context, *kappa, false)? as f64));
        rows[1].push((*kappa, steps_on_quadratic(context, *kappa, true)? as f64));
        table.row([(*kappa).into(), (rows[0][i].1 as usize).into(), (rows[1][i].1 as usize).into()]);
    }
    let runs = [
        ("gradient descent", "descent-kappa", "Steps of gradient descent grow as κ", 1.0, Marker::Circle),
        ("momentum", "momentum-root-kappa", "Steps of momentum grow as √κ", 0.5, Marker::Square),
    ];
    for ((name, id, statement, expected, marker), points) in runs.into_iter().zip(&rows) {
        let fit = Fit::power_law(points);
        outcome.number(format!("exponent of κ, {name}"), fit.slope);
        outcome.number(format!("steps at the largest κ, {name}"), points[points.len() - 1].1);
        claim(outcome, statement)
            .named(id)
            .expected(format!("exponent {expected}"))
            .estimated(Estimate::from(&fit).of("condition numbers"))
            .saying(", the exponent")
            .within(
                expected - 0.1..=expected + 0.1,
                "The exponent is that of large κ. At small ones whole steps count, and the terms that the \
                 theory drops; at its best rate the matrix of the heavy ball has no full set of \
                 eigenvectors, so that some steps come on top in proportion to ln κ.",
            );
        figure = figure.line(Line::new(points.iter().copied()).label(name).marker(marker));
    }
    outcome.draw(
        "conditioning",
        "What a condition number costs",
        format!(
            "A quadratic with curvatures from 1 to κ, each method at its best rate. At κ = {} momentum needs \
             {} steps where descent needs {}: see how the two part.",
            rounded(kappas[kappas.len() - 1], 2),
            fixed(rows[1][rows[1].len() - 1].1, 0),
            fixed(rows[0][rows[0].len() - 1].1, 0)
        ),
        [figure],
    );
    outcome.table(table);
    Ok(())
}

/// Least squares with 50 unknowns and 20 equations, at η = 1/L.
pub(super) fn polyak(context: &Context, outcome: &mut Outcome) -> Result<()> {
    context.at(6, 10, "PL condition")?;
    const EQUATIONS: usize = 20;
    const UNKNOWNS: usize = 50;
    let mut rng = stream(context.seed, Purpose::Projection);
    let a = nalgebra::DMatrix::from_fn(EQUATIONS, UNKNOWNS, |_, _| standard_normal(&mut rng));
    let b = nalgebra::DMatrix::from_fn(EQUATIONS, 1, |_, _| standard_normal(&mut rng));
    // AAᵀ has the eigenvalues of AᵀA that are not zero: μ is the least, L the largest.
    let eigen = crate::linalg::symmetric_eigen(&(&a * a.transpose()))?;
    let (mu, l) = (eigen.values[0], eigen.values[EQUATIONS - 1]);
    let mut tape = Tape::new();
    let w = tape.param_slice(UNKNOWNS, 1, &[0.0; UNKNOWNS]);
    let mut optimizer = Optimizer::new(Sgd, 1.0 / l)?;
    let mut losses = Vec::new();
    for t in 0..=400 {
        let loss = step(&mut tape, &mut optimizer, |tape| {
            let (a, b) = (tape.constant(&a), tape.constant(&b));
            let product = tape.matmul(a, w);
            let residual = tape.sub(product, b);
            let square = tape.square(residual);
            let sum = tape.sum(square);
            tape.scale(sum, 0.5)
        })?;
        losses.push((f64::from(t), loss));
    }
    let bound = 1.0 - mu / l;
    // Below this the loss is rounding.
    let ratios = losses.windows(2).filter(|p| p[1].1 > 1e-24).map(|p| p[1].1 / p[0].1);
    let worst = ratios.fold(0.0, f64::max);
    outcome.number("PL bound on the ratio", bound);
    outcome.number("largest ratio of losses", worst);
    claim(outcome, "Under the PL condition each step leaves at most 1 − μ/L of the loss")
        .named("pl-factor")
        .expected(format!("at most {}", fixed(bound, 5)))
        .measured(format!("at most {} over 400 steps", fixed(worst, 5)))
        .criterion("the largest ratio of two losses is not above the bound")
        .holds(
            worst <= bound,
            "The bound is proven: either μ and L, which come from eigenvalues with rounding, are off, or the \
             losses are so small that what is left is rounding.",
        );
    let start = losses[0].1;
    // The last loss that is more than rounding.
    let (end, last) = *losses.iter().rev().find(|(_, loss)| *loss > 1e-24).unwrap_or(&losses[0]);
    let chart = Chart::new(Axis::linear("step"), Axis::log("loss"))
        .line(Line::new(losses.iter().copied()).label("gradient descent, η = 1/L"))
        .line(
            Line::new(losses.iter().map(|(t, _)| (*t, start * Float::powf(bound, *t))))
                .label("bound (1 − μ/L)ᵗ")
                .color(Color::Muted)
                .dash(1),
        )
        .line(
            Line::new(losses.iter().map(|(t, _)| (*t, last * Float::powf(bound * bound, *t - end))))
                .label("(1 − μ/L)²ᵗ, through the end")
                .color(Color::Vermilion)
                .dash(2),
        );
    outcome.draw(
        "pl",
        "A linear rate without strong convexity",
        format!(
            "Least squares with {UNKNOWNS} unknowns and {EQUATIONS} equations: flat in {} directions. See \
             whether the loss stays below the bound, and how far: in the long run the direction of the \
             smallest curvature is all that is left, and along it the loss falls by (1 − μ/L)² a step, which is the \
             dotted line, twice as steep as the bound.",
            UNKNOWNS - EQUATIONS
        ),
        [chart],
    );
    Ok(())
}
