//! The same fit seen as a Gaussian process: f ~ GP(0, k), y = f(x) + noise of variance nλ.
//!
//! With weights, a sample of weight w is w samples at one place with the same target and noise of variance λ·Σᵢ wᵢ
//! each, which is one with the wth part of that variance.

use super::exact::KernelRidge;
use super::gram::{cross_block, gram_diagonal};
use super::machine::{KernelMachine, block_rows};
use super::samples::Samples;
use crate::Float;
use crate::linalg::norm_squared;

impl<T: Float> KernelRidge<T> {
    /// Var f(x) given the training targets: k(x, x) − kₓᵀ(K + nλI)⁻¹kₓ, without the noise; not below 0.
    ///
    /// It does not depend on the targets. What is left of the difference has an error of some ε·k(x, x): a
    /// variance below that is rounding, and where it would be negative it is 0. Rasmussen and Williams, "Gaussian Processes for Machine
    /// Learning", 2006, algorithm 2.1.
    ///
    /// # Panics
    /// If the samples have another number of features.
    #[track_caller]
    pub fn posterior_variance(&self, x: &Samples<T>) -> Vec<T> {
        let n = self.x.len();
        let mut variance = gram_diagonal(self.kernel.as_ref(), x.rows());
        let block = block_rows(self.width());
        let mut k = vec![T::ZERO; block.min(x.len()) * n];
        for start in (0..x.len()).step_by(block) {
            let end = x.len().min(start + block);
            let k = &mut k[..(end - start) * n];
            cross_block(self.kernel.as_ref(), x.rows().range(start..end), self.x.rows(), k);
            self.weights.scale_columns(k);
            self.factor.forward(k);
            for (variance, explained) in variance[start..end].iter_mut().zip(k.chunks_exact(n)) {
                *variance = (*variance - norm_squared(explained)).max(T::ZERO);
            }
        }
        variance
    }

    /// ln p(y | X) = −½·yᵀα − ½·ln det(K + nλI) − n/2·ln 2π of every column of targets.
    ///
    /// With weights, that of every sample as often as its weight says: N = Σᵢ wᵢ is in the place of n, and
    /// ln det = ln det(W^½·K·W^½ + NλI) + (N − n)·ln Nλ. So it depends on the scale of the weights, other than the fit:
    /// twice as much data is twice as unlikely. With λ = 0 and N above n it is ∞, below n −∞: there is no noise by which
    /// a sample could be there twice.
    pub fn log_marginal_likelihood(&self) -> Vec<f64> {
        let (n, total) = (self.x.len() as f64, self.weights.total);
        let constant = total * Float::ln(std::f64::consts::TAU);
        let mut determinant = self.factor.log_determinant();
        if total != n {
            // The factor is that of weights over their mean.
            determinant += n * Float::ln(total / n) + (total - n) * Float::ln(total * self.lambda);
        }
        self.fit_terms.iter().map(|fit| -0.5 * (fit + determinant + constant)).collect()
    }
}
