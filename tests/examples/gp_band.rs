//! A Gaussian process with an amplitude: a curve through noisy points, and a band that says where to trust it.
//!
//! The kernel is one's own, a²·exp(−‖x − y‖²/2ℓ²) with a = 3 and ℓ = 1; the noise has variance 0.04. Kernel ridge
//! regression with nλ = 0.04 has the process's mean, and knows the variance and the likelihood of the data.
//!
//! `cargo run --release --example gp_band`
//!
//! scikit-learn 1.9.1, `GaussianProcessRegressor(ConstantKernel(9) * RBF(1), alpha=0.04, optimizer=None)`, finds
//! the same to twelve digits behind the point:
//!
//! | | mean ± standard deviation at 1.1 | in the gap, at 3.3 | outside, at 9 | log-likelihood |
//! |---|---|---|---|---|
//! | a = 3 | 2.6907 ± 0.1486 | −1.0950 ± 1.1111 | 0.0409 ± 2.9997 | −13.2002 |
//! | a = 1 | 2.6519 ± 0.1351 | −0.5539 ± 0.5404 | 0.0105 ± 0.9999 | −14.8468 |
//!
//! Far from the data the band is as wide as the amplitude. The data are five times as likely with a = 3.

use std::sync::Arc;

use nalgebra::DMatrix;
use tapegrad::models::kernel::{Kernel, KernelMachine, KernelRidge, Pairwise, Rbf, RidgeOptions, Samples};
use tapegrad::{Float, Result};

/// A kernel times a²: f then has the standard deviation a before any data are seen.
#[derive(Debug)]
pub struct Amplitude {
    /// a².
    pub variance: f64,
    /// The kernel, 1 for x = y.
    pub kernel: Rbf,
}

impl<T: Float> Kernel<T> for Amplitude {
    fn name(&self) -> String {
        format!("{}·{}", self.variance, Kernel::<T>::name(&self.kernel))
    }

    fn pairwise(&self) -> Pairwise {
        Kernel::<T>::pairwise(&self.kernel)
    }

    fn apply(&self, values: &mut [T], x_norm: T, y_norms: &[T]) {
        self.kernel.apply(values, x_norm, y_norms);
        values.iter_mut().for_each(|k| *k *= T::of(self.variance));
    }
}

/// What the process says at 1.1, 3.3 and 9.
pub struct Band {
    /// The mean of f.
    pub mean: [f64; 3],
    /// The standard deviation of f.
    pub deviation: [f64; 3],
    /// The log-likelihood of the data.
    pub likelihood: f64,
}

/// The band with the amplitude a = √`variance`.
pub fn band(variance: f64) -> Result<Band> {
    let x = vec![0.0, 0.4, 0.9, 1.3, 1.8, 2.2, 4.4, 4.9, 5.3, 5.8];
    let y = vec![0.11, 1.02, 2.51, 2.76, 3.05, 2.34, -2.98, -2.81, -2.62, -1.26];
    let (x, y) = (Samples::<f64>::new(x, 1)?, DMatrix::from_vec(10, 1, y));
    let kernel = Arc::new(Amplitude { variance, kernel: Rbf::new(0.5)? });
    let process = KernelRidge::fit(kernel, &x, &y, RidgeOptions::new(0.04 / 10.0))?;
    let at = Samples::new(vec![1.1, 3.3, 9.0], 1)?;
    let (mean, variance) = (process.predict(&at), process.posterior_variance(&at));
    Ok(Band {
        mean: [mean[0], mean[1], mean[2]],
        deviation: [0, 1, 2].map(|i| variance[i].sqrt()),
        likelihood: process.log_marginal_likelihood()[0],
    })
}

/// The band with a = 1, and with a = 3.
pub fn figures() -> Result<[Band; 2]> {
    Ok([band(1.0)?, band(9.0)?])
}

fn main() -> Result<()> {
    for (a, band) in [1, 3].iter().zip(figures()?) {
        println!("a = {a}: log-likelihood {:.4}", band.likelihood);
        for (at, (mean, deviation)) in [1.1, 3.3, 9.0].iter().zip(band.mean.iter().zip(band.deviation)) {
            println!("    at {at}: {mean:.4} ± {deviation:.4}");
        }
    }
    Ok(())
}
