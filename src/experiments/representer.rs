//! The representer theorem and the reproducing property, to be seen: an inner product as an integral, and a descent in more
//! functions than the data has, whose orthogonal part dies.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use rand::seq::index;

use super::prelude::*;
use crate::linalg::Cholesky;
use crate::models::kernel::{Expansion, KernelMachine, KernelRidge, Laplacian, RidgeOptions, Samples, gram};

pub const EXPERIMENT: Experiment = Experiment {
    name: "representer",
    title: "Representer theorem",
    question: "Why does a fit in a space of infinitely many dimensions need only one number per sample?",
    theory: &[
        "The kernel $k(x, y) = exp(−γ|x−y|)$ belongs to the functions on the line with the inner product \
         $⟨f, g⟩ = {1}/{2γ}·∫ (f′g′ + γ²fg) dx$. The reproducing property says $⟨f, k(x, ·)⟩ = f(x)$: a \
         value is an inner product (Aronszajn, \"Theory of Reproducing Kernels\", 1950).",
        "So a part of $f$ that is orthogonal to all $k(x_i, ·)$ changes no value at the data, and only adds \
         to $‖f‖²$. The minimiser of ${1}/{n}·Σ_i (f(x_i)−y_i)² + λ‖f‖²$ has no such part: it is a sum of \
         $k(x_i, ·)$ (Kimeldorf and Wahba 1971; Schölkopf, Herbrich and Smola, \"A Generalized Representer \
         Theorem\", 2001). Gradient descent in the space multiplies the orthogonal part by $1−2ηλ$ at each \
         step, for any data.",
    ],
    parts: Parts::of::<Representer>(),
    finding,
};

const GAMMA: f64 = 4.0;
const LAMBDA: f64 = 0.01;
/// Places of a grid on [0, 1] from which samples and the other centres are drawn.
const PLACES: usize = 64;
const SAMPLES: usize = 8;
const OTHERS: usize = 24;
const NOISE: f64 = 0.2;
/// Beyond [0, 1] to both sides, where functions are below e^(−20).
const BEYOND: usize = 5;
const STEPS: usize = 1500;

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Representer {
    picture: Picture,
    seeds: Vec<Run>,
}

/// Of the run's own seed.
#[derive(Serialize, Deserialize)]
struct Picture {
    samples: Vec<(f64, f64)>,
    /// The minimiser, and the same with two orthogonal parts.
    curves: Vec<Curve>,
}

#[derive(Serialize, Deserialize)]
struct Curve {
    points: Vec<(f64, f64)>,
    /// ‖f‖².
    norm: f64,
    /// Mean square of what is left at the samples.
    residual: f64,
}

/// What one seed gave.
#[derive(Serialize, Deserialize)]
struct Run {
    /// Width of the integral's cells, and the largest |⟨f, k(x, ·)⟩ − f(x)|.
    integrals: Vec<(f64, f64)>,
    /// −ln(1 − 2ηλ).
    decay: f64,
    descent: Vec<Moment>,
}

/// After some steps.
#[derive(Serialize, Deserialize)]
struct Moment {
    step: usize,
    /// Norm of the orthogonal part.
    orthogonal: f64,
    /// √ of the mean square of the distance to the minimiser, on [0, 1].
    distance: f64,
}

impl Study for Representer {
    fn measure(context: &Context) -> Result<Representer> {
        let count = context.pick(5, 10);
        context.at(0, count + 1, "a picture")?;
        let picture = Space::new(context.seed)?.picture()?;
        let mut seeds = Vec::new();
        for k in 0..count {
            context.at(k + 1, count + 1, "descents")?;
            seeds.push(run(context, derive(context.seed, k as u64))?);
        }
        Ok(Representer { picture, seeds })
    }

    fn report(&self) -> Outcome {
        report(self)
    }
}

/// Functions that are sums of k(z, ·) at samples and at other places, by their coordinates in an orthonormal basis.
struct Space {
    kernel: Arc<Laplacian>,
    /// The others first: the split is not to be seen in the coordinates.
    centres: Samples<f64>,
    /// L·Lᵀ of the centres' kernel matrix. Function number j of the basis has the value L_ij at centre i.
    factor: Cholesky<f64>,
    /// The places of the samples.
    x: Samples<f64>,
    y: Vec<f64>,
    /// Of the samples alone.
    own: Cholesky<f64>,
}

fn samples(values: Vec<f64>) -> Result<Samples<f64>> {
    Samples::new(values, 1)
}

impl Space {
    fn new(seed: u64) -> Result<Space> {
        let kernel = Arc::new(Laplacian::new(GAMMA)?);
        let mut rng = stream(seed, Purpose::Data);
        let places = index::sample(&mut rng, PLACES + 1, OTHERS + SAMPLES).into_vec();
        let centres: Vec<f64> = places.iter().map(|place| *place as f64 / PLACES as f64).collect();
        let x = centres[OTHERS..].to_vec();
        let value = |x: &f64| Float::sin(std::f64::consts::TAU * x) + NOISE * standard_normal(&mut rng);
        let y = x.iter().map(value).collect();
        let (centres, x) = (samples(centres)?, samples(x)?);
        let factor = Cholesky::new(gram(kernel.as_ref(), &centres))?;
        let own = Cholesky::new(gram(kernel.as_ref(), &x))?;
        Ok(Space { kernel, centres, factor, x, y, own })
    }

    /// Values of the basis at the samples: n×M.
    fn values(&self) -> DMatrix<f64> {
        self.factor.l().rows(OTHERS, SAMPLES).into_owned()
    }

    /// The part of some coordinates that is orthogonal to all k(xᵢ, ·).
    fn orthogonal(&self, beta: &DVector<f64>) -> DVector<f64> {
        let values = self.values();
        let mut shares = DMatrix::from_column_slice(SAMPLES, 1, (&values * beta).as_slice());
        self.own.solve_in_place(&mut shares);
        beta - values.transpose() * shares.column(0)
    }

    /// The function of some coordinates.
    fn function(&self, beta: &DVector<f64>) -> Expansion<f64> {
        let mut alpha = DMatrix::from_column_slice(beta.len(), 1, beta.as_slice());
        self.factor.solve_upper_in_place(&mut alpha);
        Expansion::new("a function".into(), self.kernel.clone(), self.centres.clone(), alpha)
    }

    /// Kernel ridge regression, on the samples alone.
    fn minimiser(&self) -> Result<KernelRidge<f64>> {
        let y = DMatrix::from_column_slice(SAMPLES, 1, &self.y);
        KernelRidge::fit(self.kernel.clone(), &self.x, &y, RidgeOptions::new(LAMBDA))
    }

    /// Coordinates drawn by the seed.
    fn drawn(&self, seed: u64) -> DVector<f64> {
        let mut rng = stream(seed, Purpose::Init);
        DVector::from_fn(SAMPLES + OTHERS, |_, _| {
            standard_normal(&mut rng) / ((SAMPLES + OTHERS) as f64).sqrt()
        })
    }

    fn picture(&self) -> Result<Picture> {
        let fit = self.minimiser()?;
        let grid: Vec<f64> = (0..=256).map(|i| f64::from(i) / 256.0).collect();
        let at = samples(grid.clone())?;
        let alpha = fit.alpha();
        let norm = alpha.dot(&(gram(self.kernel.as_ref(), &self.x) * alpha));
        let own = fit.predict_rows(&at);
        let at_samples = fit.predict_rows(&self.x);
        let curve = |part: Option<DVector<f64>>| {
            let (more, more_at_samples, more_norm) = match &part {
                Some(beta) => {
                    let function = self.function(beta);
                    (function.predict_rows(&at), function.predict_rows(&self.x), beta.norm_squared())
                }
                None => (vec![0.0; at.len()], vec![0.0; SAMPLES], 0.0),
            };
            let left = |i: usize| at_samples[i] + more_at_samples[i] - self.y[i];
            Curve {
                points: (0..grid.len()).map(|i| (grid[i], own[i] + more[i])).collect(),
                // The parts are orthogonal.
                norm: norm + more_norm,
                residual: (0..SAMPLES).map(|i| left(i) * left(i)).sum::<f64>() / SAMPLES as f64,
            }
        };
        let part = |seed: u64| 3.0 * self.orthogonal(&self.drawn(seed));
        let curves = vec![curve(None), curve(Some(part(1))), curve(Some(part(2)))];
        let samples = self.x.rows().values.iter().copied().zip(self.y.iter().copied()).collect();
        Ok(Picture { samples, curves })
    }
}

fn run(context: &Context, seed: u64) -> Result<Run> {
    let space = Space::new(seed)?;
    let fit = space.minimiser()?;
    let integrals = (0..6).map(|k| integral(context, &space, &fit, 1 << k)).collect::<Result<_>>()?;

    let values = space.values();
    let curvature = crate::linalg::symmetric_eigen(&gram(space.kernel.as_ref(), &space.x))?.values;
    let largest = range(curvature.iter().copied()).1 / SAMPLES as f64;
    // 1/L of the whole: 2(σ/n + λ) is the steepest curvature.
    let rate = 0.5 / (largest + LAMBDA);
    let grid = samples((0..=PLACES).map(|i| i as f64 / PLACES as f64).collect())?;
    let aim = fit.predict_rows(&grid);

    let mut tape = Tape::new();
    let beta = tape.param_slice(SAMPLES + OTHERS, 1, space.drawn(seed).as_slice());
    let mut optimizer = Optimizer::new(Sgd, rate)?;
    let rows: Vec<f64> = values.transpose().as_slice().to_vec();
    let mut descent = Vec::new();
    for done in 0..=STEPS {
        if done % (STEPS / 30) == 0 {
            context.check()?;
            let now = DVector::from_column_slice(tape.param_values());
            let found = space.function(&now).predict_rows(&grid);
            let distance = distance(&found, &aim) / (aim.len() as f64).sqrt();
            descent.push(Moment { step: done, orthogonal: space.orthogonal(&now).norm(), distance });
        }
        step(&mut tape, &mut optimizer, |tape| {
            let values = tape.constant_slice(SAMPLES, SAMPLES + OTHERS, &rows);
            let y = tape.constant_slice(SAMPLES, 1, &space.y);
            let f = tape.matmul(values, beta);
            let off = tape.sub(f, y);
            let squares = tape.square(off);
            let fit = tape.mean(squares);
            let norms = tape.square(beta);
            let norm = tape.sum(norms);
            let penalty = tape.scale(norm, LAMBDA);
            tape.add(fit, penalty)
        })?;
    }
    Ok(Run { integrals, decay: -Float::ln_1p(-2.0 * rate * LAMBDA), descent })
}

/// ⟨f, k(x, ·)⟩ by the midpoints of cells, 64·`finer` to the unit, at every eighth place of [0, 1] that a sample may have:
/// f and k(x, ·) bend at ends of cells only. The width, and the largest distance to f(x).
fn integral(context: &Context, space: &Space, f: &KernelRidge<f64>, finer: usize) -> Result<(f64, f64)> {
    context.check()?;
    let to_unit = PLACES * finer;
    let width = 1.0 / to_unit as f64;
    let ends = to_unit * (2 * BEYOND + 1);
    let line = samples((0..=ends).map(|i| i as f64 * width - BEYOND as f64).collect())?;
    let of_f = f.predict_rows(&line);
    let mut largest: f64 = 0.0;
    for place in (0..=PLACES).step_by(8) {
        let x = place as f64 / PLACES as f64;
        let section = Expansion::new(
            "a section".into(),
            space.kernel.clone(),
            samples(vec![x])?,
            DMatrix::from_element(1, 1, 1.0),
        );
        let of_k = section.predict_rows(&line);
        let cell = |i: usize| {
            let slope = |v: &[f64]| (v[i + 1] - v[i]) / width;
            let middle = |v: &[f64]| 0.5 * (v[i + 1] + v[i]);
            slope(&of_f) * slope(&of_k) + GAMMA * GAMMA * middle(&of_f) * middle(&of_k)
        };
        let product = (0..ends).map(cell).sum::<f64>() * width / (2.0 * GAMMA);
        let value = f.predict_rows(&samples(vec![x])?)[0];
        largest = Float::max(largest, (product - value).abs());
    }
    Ok((width, largest))
}

/// The decay of the orthogonal part a step, as it is measured, over that of the theory.
fn decays(study: &Representer) -> Vec<f64> {
    let of_seed = |run: &Run| {
        // Below that the rounding of the rest is a part of it.
        let clear = |at: &&Moment| at.orthogonal > 1e-8 * run.descent[0].orthogonal;
        let logs: Vec<(f64, f64)> =
            run.descent.iter().filter(clear).map(|at| (at.step as f64, Float::ln(at.orthogonal))).collect();
        -Fit::line(&logs).slope / run.decay
    };
    study.seeds.iter().map(of_seed).collect()
}

fn report(study: &Representer) -> Outcome {
    let mut outcome = Outcome::default();
    let orders: Vec<f64> = study.seeds.iter().map(|run| Fit::power_law(&run.integrals).slope).collect();
    claim(&mut outcome, "The integral of the inner product with k(x, ·) gives the value at x")
        .named("reproducing")
        .expected("a distance that falls as the square of the width of cells: an exponent of 2")
        .estimated(Estimate::mean(&orders))
        .saying(", the exponent of the largest distance over the width")
        .within(1.9..=2.1, "The cells are wide compared with the bends of the functions.");
    let decays = decays(study);
    claim(
        &mut outcome,
        "A descent that may use 24 other centres loses what is orthogonal to the samples, by 1 − 2ηλ a step",
    )
    .named("orthogonal-dies")
    .expected("1")
    .estimated(Estimate::mean(&decays))
    .saying(", the measured decay a step over ln 1/(1 − 2ηλ)")
    .within(0.99..=1.01, "The orthogonal part at the end is below the rounding errors of the rest.");
    let left: Vec<f64> = study
        .seeds
        .iter()
        .map(|run| run.descent[run.descent.len() - 1].distance / run.descent[0].distance)
        .collect();
    claim(&mut outcome, "That descent comes to kernel ridge regression on the samples alone")
        .named("same-function")
        .expected("0 in the limit")
        .estimated(Estimate::mean(&left).at_least(0.0))
        .saying(&format!(
            ", the distance to it on [0, 1] after {STEPS} steps, as a share of that at the start"
        ))
        .within(..=0.01, "The steps are too few, or the theorem is wrong.");

    let Picture { samples, curves } = &study.picture;
    let axes = || Chart::new(Axis::linear("x"), Axis::linear("f(x)"));
    let names = ["the minimiser", "with one orthogonal part", "with another one"];
    let chart = curves.iter().enumerate().rev().fold(axes(), |chart, (i, curve)| {
        let line = Line::new(curve.points.iter().copied())
            .label(format!("{}: ‖f‖² = {}", names[i], rounded(curve.norm, 3)))
            .color(Color::series(i))
            .dash(usize::from(i > 0));
        chart.line(line.width(if i == 0 { 2.6 } else { 1.4 }))
    });
    let chart = chart.points(samples.iter().copied(), Marker::Circle, Color::Ink, "samples");
    outcome.draw(
        "parts",
        "Functions with the same values at the samples",
        format!(
            "Kernel ridge regression on {SAMPLES} samples, and the same with parts that are orthogonal to \
             every $k(x_i, ·)$. All functions have the same values at the samples, where the mean squared \
             residual is {}. The other functions have a larger norm and gain nothing. Only the minimiser, \
             the thick line, has no such part.",
            rounded(curves[0].residual, 3)
        ),
        [chart],
    );
    let integrals = Chart::new(Axis::log("width of a cell"), Axis::log("largest distance to f(x)"))
        .title("⟨f, k(x, ·)⟩ as an integral");
    let integrals = study.seeds.iter().fold(integrals, |chart, run| {
        let line = Line::new(run.integrals.iter().copied()).named("measured in a seed");
        chart.line(line.color(Color::Blue).marker(Marker::Dot))
    });
    let square: Vec<(f64, f64)> = study.seeds[0].integrals.iter().map(|(h, _)| (*h, h * h)).collect();
    let integrals =
        integrals.line(Line::new(square).label("the square of the width").color(Color::Ink).dash(1));
    let descents = Chart::new(Axis::linear("steps"), Axis::log("norm of the orthogonal part"))
        .title("Descent in more functions");
    let descents = study.seeds.iter().fold(descents, |chart, run| {
        let points = run.descent.iter().map(|at| (at.step as f64, at.orthogonal));
        chart.line(Line::new(points).named("measured in a seed").color(Color::Blue).width(3.0))
    });
    // Each on the line of its seed, whose samples set its rate.
    let descents = study.seeds.iter().enumerate().fold(descents, |chart, (i, run)| {
        let at_step = |step: usize| run.descent[0].orthogonal * Float::exp(-run.decay * step as f64);
        let theory = run.descent.iter().map(|at| (at.step as f64, at_step(at.step)));
        let label = if i == 0 { "(1 − 2ηλ)ᵗ of each" } else { "" };
        chart.line(
            Line::new(theory).label(label).named("theory of a seed").color(Color::Ink).dash(1).width(1.2),
        )
    });
    outcome.draw(
        "seen",
        "Both as measured",
        "A line for each seed. First panel: the integral approaches the value as the cells become smaller. \
         Second panel: descent, without any information about this splitting, loses the orthogonal part. \
         Check whether each line follows the dashed one, the theory with the rate η of that seed. The \
         samples of the seed determine η.",
        [integrals, descents],
    );
    outcome.number("exponent of the integral's error", mean(&orders));
    outcome.number("decay over that of the theory", mean(&decays));
    outcome.number("squared norm of the minimiser", curves[0].norm);
    outcome.number("squared norm with an orthogonal part", curves[1].norm);
    outcome
}

fn finding(found: &Found) -> Told {
    Some((
        "parts",
        "A part orthogonal to the samples adds norm and changes no value, so the best fit has none".into(),
        format!(
            "The minimiser here has a squared norm of {}; a function with the same values at the samples \
             has {}. Gradient descent among the sums of 32 kernel functions, 8 of them at samples, loses \
             the orthogonal part. Its decay is {} times that of the theory, and it reaches kernel ridge \
             regression on the 8. The reproducing property is also measured, as an integral. Its error \
             falls with the width of cells to the power {}.",
            fixed(found.number("squared norm of the minimiser")?, 2),
            fixed(found.number("squared norm with an orthogonal part")?, 2),
            fixed(found.number("decay over that of the theory")?, 4),
            fixed(found.number("exponent of the integral's error")?, 2)
        ),
    ))
}
