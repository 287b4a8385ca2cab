//! The form of matrices in the files of reference figures.

use nalgebra::DMatrix;
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Matrix {
    pub rows: usize,
    pub cols: usize,
    /// Row-major.
    pub data: Vec<f64>,
}

impl Matrix {
    pub fn get(&self) -> DMatrix<f64> {
        DMatrix::from_row_slice(self.rows, self.cols, &self.data)
    }
}
