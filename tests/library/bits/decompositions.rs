//! Eigenvalues, singular values, and what is built on them.

use nalgebra::DMatrix;
use tapegrad::Float;
use tapegrad::data::synthetic;
use tapegrad::linalg::{symmetric_eigen, thin_svd};
use tapegrad::models::linear::{LinearOptions, LinearRegression};

use super::algebra::symmetric;
use super::{Hash, Table, numbers};

pub fn entries<T: Float>(table: &mut Table) {
    let t = T::NAME;
    for n in [1, 2, 3, 10, 33, 70] {
        let eigen = symmetric_eigen(&symmetric::<T>(n)).expect("finite numbers");
        let hash = Hash::of(eigen.values.as_slice()).and(eigen.vectors.as_slice());
        table.add(format!("eigenvalues {t} {n}"), hash);
    }
    for (m, n) in [(1, 1), (5, 3), (3, 5), (40, 17), (65, 64)] {
        let svd = thin_svd(&DMatrix::from_vec(m, n, numbers::<T>(m * n, 41))).expect("finite numbers");
        let hash = Hash::of(svd.u.as_slice()).and(svd.values.as_slice()).and(svd.v.as_slice());
        table.add(format!("singular values {t} {m}×{n}"), hash);
    }
}

/// What is fitted in f64 only.
pub fn of_f64(table: &mut Table) {
    let data = synthetic::linear(50, &[1.0, -2.0, 0.5], 0.3, 0.2, 7).expect("settings in range");
    for lambda in [0.0, 1e-2] {
        let options = LinearOptions { lambda, ..LinearOptions::default() };
        let model = LinearRegression::fit_dataset(&data, &options).expect("a fit");
        let hash = Hash::of(model.weights().as_slice()).and(model.intercept().as_slice());
        table.add(format!("linear λ={lambda}"), hash);
    }
}
