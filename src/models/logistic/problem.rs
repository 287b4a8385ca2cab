//! The objective of one fit: its value, gradient and Hessian.

use crate::linalg::simd::fused;
use crate::linalg::{Mat, gemm, norm_squared, sum};
use crate::memory::filled;
use crate::metrics::softmax_in_place;
use crate::{Float, Result};

/// Mean cross-entropy of a linear model plus λ/2·‖W‖², as a function of the parameters Θ.
///
/// Θ is p×k, row-major: the d rows of W, and below them the row of biases b if there is one. With one
/// column, the model is binary: p = σ(z), and class 1 is what it is the probability of. With more, it is
/// p = softmax(z). In both cases z = X·Θ, where X is n×p and has a last column of ones for b.
pub(super) struct Problem<'a> {
    /// n×p, row-major.
    pub x: &'a [f64],
    /// The class of each of the n rows; with one column of Θ, 0 or 1.
    pub labels: &'a [usize],
    /// A weight above 0 for each row, with a mean of 1.
    pub weights: Option<&'a [f64]>,
    /// Columns of X.
    pub p: usize,
    /// Columns of Θ.
    pub k: usize,
    /// Rows of Θ that are penalised: d.
    pub d: usize,
    pub lambda: f64,
}

/// The objective at one Θ.
pub(super) struct Point {
    /// z = X·Θ, n×k.
    pub z: Vec<f64>,
    /// The probabilities, n×k.
    pub probabilities: Vec<f64>,
    pub value: f64,
    /// Xᵀ(p − y)/n + λW, p×k.
    pub gradient: Vec<f64>,
}

impl Problem<'_> {
    pub fn n(&self) -> usize {
        self.labels.len()
    }

    /// z = X·Θ.
    pub fn scores(&self, theta: &[f64]) -> Vec<f64> {
        let mut z = vec![0.0; self.n() * self.k];
        gemm(&mut z, false, Mat::new(self.x, self.n(), self.p), Mat::new(theta, self.p, self.k));
        z
    }

    /// Xᵀ·U/n + λV, with the penalty on the first d rows only.
    fn pull_back(&self, u: &[f64], v: &[f64]) -> Vec<f64> {
        let mut g = vec![0.0; self.p * self.k];
        gemm(&mut g, false, Mat::new(self.x, self.n(), self.p).t(), Mat::new(u, self.n(), self.k));
        let n = self.n() as f64;
        g.iter_mut().for_each(|g| *g /= n);
        let penalised = self.d * self.k;
        g[..penalised].iter_mut().zip(v).for_each(|(g, v)| *g += self.lambda * v);
        g
    }

    /// Multiplies the `width` numbers of each row by its weight.
    fn weigh(&self, values: &mut [f64], width: usize) {
        let Some(weights) = self.weights else { return };
        for (row, weight) in values.chunks_mut(width).zip(weights) {
            row.iter_mut().for_each(|x| *x *= weight);
        }
    }

    pub fn penalty(&self, theta: &[f64]) -> f64 {
        0.5 * self.lambda * norm_squared(&theta[..self.d * self.k])
    }

    pub fn at(&self, theta: &[f64]) -> Point {
        let z = self.scores(theta);
        let (mut probabilities, mut residuals) = (vec![0.0; z.len()], vec![0.0; z.len()]);
        let mut losses = vec![0.0; self.n()];
        let rows = z.chunks(self.k).zip(probabilities.chunks_mut(self.k)).zip(residuals.chunks_mut(self.k));
        for (((z, p), r), (loss, &label)) in rows.zip(losses.iter_mut().zip(self.labels)) {
            *loss = if self.k == 1 { binary(z[0], label, p, r) } else { softmax(z, label, p, r) };
        }
        self.weigh(&mut losses, 1);
        self.weigh(&mut residuals, self.k);
        let value = sum(&losses) / self.n() as f64 + self.penalty(theta);
        let gradient = self.pull_back(&residuals, theta);
        Point { z, probabilities, value, gradient }
    }

    /// The Hessian times V, p×k: Xᵀ(S·XV)/n + λV, where S is diag(p) − ppᵀ for each sample.
    pub fn hessian_times(&self, probabilities: &[f64], v: &[f64]) -> Vec<f64> {
        let mut u = self.scores(v);
        for (u, p) in u.chunks_mut(self.k).zip(probabilities.chunks(self.k)) {
            if self.k == 1 {
                u[0] *= p[0] * (1.0 - p[0]);
            } else {
                let mean: f64 = u.iter().zip(p).map(|(u, p)| u * p).sum();
                u.iter_mut().zip(p).for_each(|(u, p)| *u = p * (*u - mean));
            }
        }
        self.weigh(&mut u, self.k);
        self.pull_back(&u, v)
    }

    /// The entry (j, l) of S for one sample.
    fn curvature(&self, p: &[f64], j: usize, l: usize) -> f64 {
        if j == l { p[j] * (1.0 - p[j]) } else { -p[j] * p[l] }
    }

    /// The diagonal of the Hessian, p×k.
    pub fn hessian_diagonal(&self, probabilities: &[f64]) -> Vec<f64> {
        let squares: Vec<f64> = self.x.iter().map(|x| x * x).collect();
        let mut weights: Vec<f64> = probabilities.iter().map(|p| p * (1.0 - p)).collect();
        self.weigh(&mut weights, self.k);
        let ones = vec![1.0; self.p * self.k];
        Problem { x: &squares, ..*self }.pull_back(&weights, &ones)
    }

    /// The Hessian, (pk)×(pk) and row-major, in the order of Θ: (XᵀS_jl X)/n for columns j and l, + λI.
    pub fn hessian(&self, probabilities: &[f64]) -> Result<Vec<f64>> {
        let (n, p, k) = (self.n(), self.p, self.k);
        let side = p * k;
        let mut hessian = filled(side.saturating_mul(side), 0.0, "the Hessian")?;
        let mut weighted = filled(n * p, 0.0, "weighted samples")?;
        let mut block = filled(p * p, 0.0, "a block of the Hessian")?;
        for j in 0..k {
            for l in j..k {
                let rows = weighted.chunks_mut(p.max(1)).zip(self.x.chunks(p.max(1)));
                for ((weighted, x), probabilities) in rows.zip(probabilities.chunks(k)) {
                    let s = self.curvature(probabilities, j, l) / n as f64;
                    weighted.iter_mut().zip(x).for_each(|(w, x)| *w = s * x);
                }
                self.weigh(&mut weighted, p.max(1));
                gemm(&mut block, false, Mat::new(self.x, n, p).t(), Mat::new(&weighted, n, p));
                for r in 0..p {
                    for s in 0..p {
                        // A product of a matrix with its weighted self, rounded to be symmetric.
                        let entry = 0.5 * (block[r * p + s] + block[s * p + r]);
                        hessian[(r * k + j) * side + s * k + l] = entry;
                        hessian[(r * k + l) * side + s * k + j] = entry;
                    }
                }
            }
        }
        for i in 0..self.d * k {
            hessian[i * side + i] += self.lambda;
        }
        Ok(hessian)
    }

    /// How much scores speak for the true class against every other: the least margin over all samples
    /// and classes, and the largest magnitude.
    pub fn margins(&self, z: &[f64]) -> (f64, f64) {
        let (mut least, mut largest) = (f64::INFINITY, 0.0f64);
        for (z, &label) in z.chunks(self.k).zip(self.labels) {
            let mut take = |margin: f64| {
                least = least.min(margin);
                largest = largest.max(margin.abs());
            };
            if self.k == 1 {
                take(if label == 1 { z[0] } else { -z[0] });
            } else {
                (0..self.k).filter(|j| *j != label).for_each(|j| take(z[label] - z[j]));
            }
        }
        (least, largest)
    }
}

/// One sample of two classes: p = σ(z), r = p − y; returns the loss.
fn binary(z: f64, label: usize, p: &mut [f64], r: &mut [f64]) -> f64 {
    fused(
        #[inline(always)]
        || {
            p[0] = Float::sigmoid(z);
            // −σ(−z), not p − 1, which loses its digits where p is near 1.
            r[0] = if label == 1 { -Float::sigmoid(-z) } else { p[0] };
            let margin = if label == 1 { z } else { -z };
            (-margin).max(0.0) + Float::ln_1p(Float::exp(-margin.abs()))
        },
    )
}

/// One sample of several classes: p = softmax(z), r = p − onehot(label); returns the loss.
fn softmax(z: &[f64], label: usize, p: &mut [f64], r: &mut [f64]) -> f64 {
    p.copy_from_slice(z);
    let (max, total) = softmax_in_place(p);
    r.copy_from_slice(p);
    // Minus the sum of the others, not p − 1, which loses its digits where p is near 1.
    r[label] = 0.0;
    let others: f64 = r.iter().sum();
    r[label] = -others;
    fused(
        #[inline(always)]
        || if others < 0.5 { -Float::ln_1p(-others) } else { Float::ln(total) - (z[label] - max) },
    )
}
