//! What is compiled once for each type of numbers.

use nalgebra::DMatrix;

use super::product::Into;
use super::view::{View, ViewMut};
use super::{Cholesky, SymmetricEigen, ThinSvd, eigen, gemm, svd};
use crate::Result;
use crate::compiled::compiled_once;

compiled_once! {
    /// Linear algebra.
    Compiled:
    fn product(c: ViewMut<'_, Self>, into: Into, a: View<'_, Self>, b: View<'_, Self>) = gemm::product_of;
    fn affine(c: ViewMut<'_, Self>, bias: &[Self], a: View<'_, Self>, b: View<'_, Self>) = gemm::affine_of;
    fn cholesky(a: DMatrix<Self>) -> Result<Cholesky<Self>> = Cholesky::<Self>::factored;
    fn solve_lower(factor: &Cholesky<Self>, b: &mut [Self]) = Cholesky::<Self>::forward_of;
    fn solve_upper(factor: &Cholesky<Self>, b: &mut [Self]) = Cholesky::<Self>::backward_of;
    fn symmetric_eigen(a: &DMatrix<Self>) -> Result<SymmetricEigen<Self>> = eigen::symmetric_eigen_of;
    fn thin_svd(a: &DMatrix<Self>) -> Result<ThinSvd<Self>> = svd::thin_svd_of;
}
