//! Bounds of convex optimisation with their constants: the mean of SGD's iterates against DG/√T, and gradient descent
//! against L‖w₀ − w*‖²/2T, where there is an optimum and where there is none. The problem is here, in a file each are the
//! descents, and what is claimed and shown.

mod descend;
mod report;

use nalgebra::DMatrix;

use super::prelude::*;
use crate::linalg::symmetric_eigen;

pub const EXPERIMENT: Experiment = Experiment {
    name: "convex-bounds",
    title: "Convex bounds",
    question: "Do the bounds of convex optimisation hold with their constants, and how close do the \
               descents come to them?",
    theory: &[
        "Let $f$ be convex, $E‖g‖² ≤ G²$ for its stochastic gradients, and $D = ‖w_1−w*‖$. With the \
         constant rate $D/(G√T)$ the mean of the first $T$ iterates of SGD satisfies $E f(w̄) − f* ≤ \
         DG/√T$. With $η_t = D/(G√t)$ the same bound is proven on a bounded set, with a larger constant \
         (Nemirovski, Juditsky, Lan and Shapiro 2009; Bubeck, \"Convex Optimization: Algorithms and \
         Complexity\", 2015).",
        "If the gradient of $f$ is Lipschitz with constant $L$, gradient descent with $η = 1/L$ satisfies \
         $f(w_T) ≤ f(u) + L‖w_0−u‖²/(2T)$ for every point $u$. For $u = w*$ that is $O(1/T)$.",
        "Where a plane separates the classes, the binary cross-entropy has no optimum: its infimum 0 is at \
         infinity. The bound still holds for every $u$. The best $u$ on the normal of the plane gives \
         $O(ln²T/T)$. The loss itself falls as $1/T$, and the weights grow as $ln T$ (Soudry, Hoffer, \
         Nacson, Gunasekar and Srebro, \"The Implicit Bias of Gradient Descent on Separable Data\", 2018).",
    ],
    parts: Parts::of::<Bounds>(),
    finding: report::finding,
};

/// Samples: a power of two, so that a random one is a few bits.
const SAMPLES: usize = 256;
const FEATURES: usize = 5;
/// Length of the mean of class 1; that of class 0 is its opposite.
const OVERLAPPING: f64 = 1.0;
const APART: f64 = 2.0;
/// Least distance to the plane of points that are separated.
const MARGIN: f64 = 0.5;

/// What is measured, for each seed.
#[derive(Serialize, Deserialize)]
struct Bounds {
    runs: usize,
    stochastic: Vec<descend::Stochastic>,
    descent: Vec<descend::Descent>,
    separable: Vec<descend::Separable>,
}

impl Study for Bounds {
    fn measure(context: &Context) -> Result<Bounds> {
        let runs = context.pick(20, 50);
        let doublings = context.pick(12, 15);
        let seeds = derived_seeds(context, context.pick(5, 10));
        let stochastic = |seed: &u64| descend::stochastic(context, *seed, runs, doublings);
        let descent = |seed: &u64| descend::descent(context, *seed, doublings);
        let separable = |seed: &u64| descend::separable(context, *seed, doublings);
        Ok(Bounds {
            runs,
            stochastic: context.side_by_side(0..1, 3, "stochastic descents", &seeds, stochastic)?,
            descent: context.side_by_side(1..2, 3, "descents", &seeds, descent)?,
            separable: context.side_by_side(2..3, 3, "descents on separable classes", &seeds, separable)?,
        })
    }

    fn report(&self) -> Outcome {
        report::all(self)
    }
}

/// Points of two classes.
struct Problem {
    /// n×d, row-major.
    x: Vec<f64>,
    labels: Vec<usize>,
}

impl Problem {
    /// Two normal distributions of deviation 1 with means ±m·e₁. With a margin, points that are not on their own side of
    /// the plane between them by that much are drawn anew.
    fn new(mean: f64, margin: Option<f64>, seed: u64) -> Problem {
        let mut rng = stream(seed, Purpose::Data);
        let labels: Vec<usize> = (0..SAMPLES).map(|i| i % 2).collect();
        let mut x = Vec::with_capacity(SAMPLES * FEATURES);
        for label in &labels {
            let sign = if *label == 1 { 1.0 } else { -1.0 };
            loop {
                let first = mean + standard_normal(&mut rng);
                if margin.is_none_or(|margin| first >= margin) {
                    x.push(sign * first);
                    break;
                }
            }
            x.extend((1..FEATURES).map(|_| standard_normal(&mut rng)));
        }
        Problem { x, labels }
    }

    fn matrix(&self) -> DMatrix<f64> {
        DMatrix::from_row_slice(SAMPLES, FEATURES, &self.x)
    }

    fn targets(&self) -> Vec<f64> {
        self.labels.iter().map(|label| *label as f64).collect()
    }

    /// L: the largest eigenvalue of XᵀX/4n, above all second derivatives, since p(1 − p) ≤ ¼.
    fn smoothness(&self) -> Result<f64> {
        let x = self.matrix();
        let values = symmetric_eigen(&(x.transpose() * &x))?.values;
        Ok(range(values.iter().copied()).1 / (4 * SAMPLES) as f64)
    }

    /// G: √ of the mean of ‖x‖². A gradient is (p − y)·x, and |p − y| ≤ 1.
    fn gradient_bound(&self) -> f64 {
        (self.x.iter().map(|x| x * x).sum::<f64>() / SAMPLES as f64).sqrt()
    }
}

fn norm(w: &[f64]) -> f64 {
    w.iter().map(|w| w * w).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{LogisticOptions, LogisticRegression, Scheme};

    /// The constants bound what they are said to bound, at random points.
    #[test]
    fn no_derivative_is_beyond_its_bound() {
        let problem = Problem::new(OVERLAPPING, None, 3);
        let (most, largest) = (problem.smoothness().unwrap(), problem.gradient_bound());
        let mut rng = stream(4, Purpose::Init);
        for scale in [0.1, 1.0, 10.0] {
            let w = DMatrix::from_fn(FEATURES, 1, |_, _| scale * standard_normal(&mut rng));
            let model =
                LogisticRegression::from_parameters(Scheme::Binary, &w, &DMatrix::zeros(1, 1)).unwrap();
            let derivatives = model.derivatives(&problem.matrix(), &problem.labels, 0.0).unwrap();
            let hessian = derivatives.hessian.view((0, 0), (FEATURES, FEATURES)).into_owned();
            let steepest = range(symmetric_eigen(&hessian).unwrap().values.iter().copied()).1;
            assert!(steepest <= most, "{steepest} {most}");
            let probabilities = model.probabilities(&problem.matrix()).unwrap();
            let square = |i: usize| {
                let off = probabilities[(i, 1)] - problem.labels[i] as f64;
                off * off * problem.matrix().row(i).norm_squared()
            };
            let mean = (0..SAMPLES).map(square).sum::<f64>() / SAMPLES as f64;
            assert!(mean <= largest * largest, "{mean} {largest}");
        }
    }

    #[test]
    fn separated_points_lie_beyond_their_margin() {
        let problem = Problem::new(APART, Some(MARGIN), 5);
        for (point, label) in problem.x.chunks(FEATURES).zip(&problem.labels) {
            assert!(point[0] * if *label == 1 { 1.0 } else { -1.0 } >= MARGIN);
        }
        let options =
            LogisticOptions { scheme: Scheme::Binary, lambda: 0.0, intercept: false, max_steps: 50 };
        assert!(LogisticRegression::fit(&problem.matrix(), &problem.labels, 2, &options).is_err());
    }
}
