//! How near approximations of the kernel matrix are to it.

use nalgebra::DMatrix;
use rand::seq::index;

use super::{Setting, drawn};
use crate::experiments::data::kernel_inputs;
use crate::experiments::prelude::*;
use crate::linalg::{Cholesky, Mat, gemm};
use crate::models::kernel::{FourierRidge, Rbf, RidgeOptions, Samples, gram};

/// Draws of frequencies and of centres, of which the mean square is taken.
const DRAWS: u64 = 4;
/// On the diagonal of the centres' matrix.
const JITTER: f64 = 1e-10;

#[derive(Serialize, Deserialize)]
pub(super) struct Matrices {
    pub samples: usize,
    pub rows: Vec<Errors>,
}

/// For a number of features, √ of the mean square of K̃ − K over all entries, of each seed.
#[derive(Serialize, Deserialize)]
pub(super) struct Errors {
    /// Centres, or cosines and sines.
    pub features: usize,
    pub fourier: Vec<f64>,
    pub nystrom: Vec<f64>,
}

impl Matrices {
    /// Of every seed: the slope of the error of random features over their number, both on logarithmic scales.
    pub fn slopes(&self) -> Vec<f64> {
        let of_seed = |k: usize| {
            let points: Vec<(f64, f64)> =
                self.rows.iter().map(|row| (row.features as f64, row.fourier[k])).collect();
            Fit::power_law(&points).slope
        };
        (0..self.rows[0].fourier.len()).map(of_seed).collect()
    }
}

pub(super) fn measure(context: &Context, setting: Setting, seeds: &[u64]) -> Result<Matrices> {
    let samples = context.pick(400, 600).min(context.data.train.len());
    let sizes = [16, 32, 64, 128, 256, 512].into_iter().filter(|m| *m < samples);
    let row = |features| Errors { features, fourier: vec![], nystrom: vec![] };
    let mut rows: Vec<Errors> = sizes.clone().map(row).collect();
    let kernel = Rbf::new(setting.gamma)?;
    let of_seed = |seed: &u64| -> Result<Vec<[f64; 2]>> {
        let (x, y) = kernel_inputs::<f64>(&drawn(&context.data.train, samples, *seed))?;
        let exact = gram(&kernel, &x);
        let of_size = |features: usize| -> Result<[f64; 2]> {
            let (mut fourier, mut nystrom) = (0.0, 0.0);
            for draw in 0..DRAWS {
                context.check()?;
                let seed = derive(*seed, 100 + draw);
                let options = RidgeOptions::new(setting.lambda);
                let machine = FourierRidge::fit(&kernel, &x, &y, features / 2, seed, options)?;
                let z = machine.features(&x).transpose();
                fourier += distance_squared(&exact, z.as_slice(), z.as_slice(), features);
                let (shares, across) = projected(&kernel, &x, features, seed)?;
                nystrom += distance_squared(&exact, shares.as_slice(), across.as_slice(), features);
            }
            Ok([fourier, nystrom].map(|squares| (squares / DRAWS as f64).sqrt()))
        };
        sizes.clone().map(of_size).collect()
    };
    for errors in context.side_by_side(1..2, 20, "kernel matrices", seeds, of_seed)? {
        for (row, [fourier, nystrom]) in rows.iter_mut().zip(errors) {
            row.fourier.push(fourier);
            row.nystrom.push(nystrom);
        }
    }
    Ok(Matrices { samples, rows })
}

/// K_MM⁻¹·K_Mn and K_Mn for centres drawn uniformly: the product of their transpose and themselves is Nyström's matrix.
fn projected(kernel: &Rbf, x: &Samples<f64>, m: usize, seed: u64) -> Result<(DMatrix<f64>, DMatrix<f64>)> {
    let centres = x.subset(&index::sample(&mut stream(seed, Purpose::Subsample), x.len(), m).into_vec());
    let across = crate::models::kernel::cross_gram(kernel, &centres, x);
    let mut own = gram(kernel, &centres);
    (0..m).for_each(|i| own[(i, i)] += JITTER);
    let mut shares = across.clone();
    Cholesky::new(own)?.solve_in_place(&mut shares);
    Ok((shares, across))
}

/// The mean square of AᵀB − K, for A and B with a column of `m` numbers a sample.
fn distance_squared(exact: &DMatrix<f64>, a: &[f64], b: &[f64], m: usize) -> f64 {
    let n = exact.nrows();
    let mut product = vec![0.0; n * n];
    // A column of m numbers is a row of the transpose.
    gemm(&mut product, false, Mat::new(a, n, m), Mat::new(b, n, m).t());
    let squares = product.iter().zip(exact).map(|(p, k)| (p - k) * (p - k));
    squares.sum::<f64>() / (n * n) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With all samples as centres Nyström's matrix is the kernel matrix itself.
    #[test]
    fn all_centres_leave_nothing_out() {
        let x = Samples::new((0..20).map(|i| Float::sin(f64::from(i))).collect(), 2).unwrap();
        let kernel = Rbf::new(0.5).unwrap();
        let exact = gram(&kernel, &x);
        let error = |m: usize| {
            let (shares, across) = projected(&kernel, &x, m, 1).unwrap();
            distance_squared(&exact, shares.as_slice(), across.as_slice(), m).sqrt()
        };
        assert!(error(10) < 1e-8 && error(2) > 1e-3, "{} {}", error(10), error(2));
    }
}
