//! The test error of interpolating models: up at as many features as samples, and down again.

mod gaussian;
mod images;

use nalgebra::{DMatrix, DVector};

use super::prelude::*;
use crate::linalg::{SymmetricEigen, symmetric_eigen};

pub const EXPERIMENT: Experiment = Experiment {
    name: "double-descent",
    title: "Double descent",
    question: "Why does a model with far more features than samples predict well, and one with as many \
               features as samples badly?",
    theory: &[
        "Least squares with p of D Gaussian features, n samples and noise variance σ²; where there are \
         several solutions, the shortest. Let β_T be the weights of the features in use and $s² = \
         σ²+‖β−β_T‖²$. The expected squared error on new samples is $s²·(1+{p}/{n−p−1})$ for p ≤ n − 2. It \
         is infinite for p from n − 1 to n + 1. For p ≥ n + 2 it is \
         $‖β_T‖²·(1−{n}/{p})+s²·(1+{n}/{p−n−1})$. This is exact at any size (Belkin, Hsu and Xu, \"Two \
         models of double descent for weak features\", 2020, theorem 1; Hastie et al. 2022 for the limit).",
        "The peak is variance: at p = n the only solution that fits all samples has large weights. With the \
         best ridge for each p, $s²·D/‖β‖²$ when the weights are alike, there is no peak. The error then \
         never rises with p (Nakkiran et al., \"Optimal regularization can mitigate double descent\", \
         2021).",
        "Gradient descent from 0 never leaves the span of the samples, so it ends at the shortest of all \
         solutions. The second descent therefore needs no explicit penalty. It was first seen in networks \
         with random first layers and in other models (Belkin et al. 2019).",
    ],
    parts: Parts::of::<DoubleDescent>(),
    finding,
};

const N: usize = 40;
const D: usize = 200;
/// σ².
const NOISE: f64 = 0.1;

/// ‖β‖²; the entries of β are equal.
const SIGNAL: f64 = 1.0;

/// The solutions of ‖Xw − Y‖² + α‖w‖² for any α: w = Xᵀ(XXᵀ + α)⁻¹Y.
struct Regression<'a> {
    x: &'a DMatrix<f64>,
    eigen: SymmetricEigen<f64>,
    projected: DMatrix<f64>,
}

impl<'a> Regression<'a> {
    fn new(x: &'a DMatrix<f64>, y: &DMatrix<f64>) -> Result<Self> {
        let eigen = symmetric_eigen(&(x * x.transpose()))?;
        let projected = eigen.vectors.transpose() * y;
        Ok(Regression { x, eigen, projected })
    }

    /// For α = 0, the shortest of all that are best: eigenvalues that are rounding count as none.
    fn solve(&self, alpha: f64) -> DMatrix<f64> {
        let values = &self.eigen.values;
        let least = 1e-13 * values.max();
        let inverse = values.map(|value| if value > least { 1.0 / (value + alpha) } else { 0.0 });
        self.x.transpose() * self.scaled(&inverse)
    }

    /// The targets with each eigenvector's share of them multiplied by its factor.
    fn scaled(&self, factors: &DVector<f64>) -> DMatrix<f64> {
        let mut scaled = self.projected.clone();
        scaled.column_iter_mut().for_each(|mut column| column.component_mul_assign(factors));
        &self.eigen.vectors * scaled
    }

    /// Of some α, that with the least error on samples left out one at a time, which is that of the residuals over the
    /// diagonal of I − H = α(XXᵀ + α)⁻¹.
    fn leave_one_out(&self, alphas: &[f64]) -> f64 {
        let error = |alpha: f64| {
            let inverse = self.eigen.values.map(|value| 1.0 / (value + alpha));
            let residuals = self.scaled(&inverse);
            let rows = self.eigen.vectors.row_iter().zip(residuals.row_iter());
            rows.map(|(vector, residual)| {
                let diagonal: f64 = vector.iter().zip(&inverse).map(|(v, i)| v * v * i).sum();
                residual.norm_squared() / (diagonal * diagonal)
            })
            .sum::<f64>()
        };
        *least(alphas, |alpha| error(*alpha))
    }
}

/// What is measured.
#[derive(Serialize, Deserialize)]
struct DoubleDescent {
    gaussian: Vec<gaussian::Gaussian>,
    images: images::RandomFeatures,
}

impl Study for DoubleDescent {
    const EDITION: u32 = 2;

    fn measure(context: &Context) -> Result<DoubleDescent> {
        context.at(0, 2, "Gaussian features")?;
        let gaussian = gaussian::measure(context)?;
        context.at(1, 2, "random features")?;
        Ok(DoubleDescent { gaussian, images: images::measure(context)? })
    }

    fn report(&self) -> Outcome {
        let mut outcome = Outcome::default();
        gaussian::report(&mut outcome, &self.gaussian);
        images::report(&mut outcome, &self.images);
        outcome
    }
}

fn finding(found: &Found) -> Told {
    let errors: Vec<(&str, f64)> = found.all("error with ", " Gaussian features").collect();
    let ((few, first), (many, last)) = (errors.first()?, errors.last()?);
    Some((
        "gaussian",
        format!("The error peaks where features equal samples, and falls to {} beyond", fixed(*last, 2)),
        format!(
            "With {few} features the error is {}, with {many} it is {}; in between it has no bound. At the \
             peak only one solution fits all samples, and it has large weights. With more features many \
             solutions fit, and the shortest one has small weights. With the best ridge there is no peak.",
            fixed(*first, 2),
            fixed(*last, 2)
        ),
    ))
}
