//! What the linear algebra library is asked to do, for the two types that it is compiled for.

use faer::linalg::matmul::{matmul, triangular};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, MatMut, MatRef, Par, Side};

/// Supertrait of [`Float`](crate::Float). It cannot be named outside the crate, which seals `Float`; and it keeps the
/// library's own traits out of every bound. Each function is compiled here once for each type, on one thread.
///
/// On some CPUs none of them is safe: [`linalg`](crate::linalg) asks first.
pub trait Backend: Sized {
    /// C ← scale·A·B, or C ← C + scale·A·B.
    fn product(c: MatMut<'_, Self>, accum: Accum, a: MatRef<'_, Self>, b: MatRef<'_, Self>, scale: Self);

    /// C ← C + scale·A·Aᵀ, the lower triangle.
    fn add_square(c: MatMut<'_, Self>, a: MatRef<'_, Self>, scale: Self);

    /// B ← L⁻¹·B.
    fn solve_lower(l: MatRef<'_, Self>, b: MatMut<'_, Self>);

    /// B ← U⁻¹·B.
    fn solve_upper(u: MatRef<'_, Self>, b: MatMut<'_, Self>);

    /// Ascending eigenvalues, and eigenvectors column by column, of the symmetric matrix whose lower triangle is that
    /// of `a`, with at least one row. Why it failed otherwise.
    fn symmetric_eigen(a: MatRef<'_, Self>) -> Result<(Vec<Self>, Vec<Self>), String>;

    /// U column by column, the descending singular values, and V column by column. Why it failed otherwise.
    fn thin_svd(a: MatRef<'_, Self>) -> Result<[Vec<Self>; 3], String>;
}

/// The entries column by column.
fn columns<T: Copy>(a: MatRef<'_, T>) -> Vec<T> {
    (0..a.ncols()).flat_map(|j| (0..a.nrows()).map(move |i| a[(i, j)])).collect()
}

macro_rules! backend {
    ($($t:ty)*) => {$(
        impl Backend for $t {
            fn product(c: MatMut<'_, $t>, accum: Accum, a: MatRef<'_, $t>, b: MatRef<'_, $t>, scale: $t) {
                matmul(c, accum, a, b, scale, Par::Seq);
            }

            fn add_square(c: MatMut<'_, $t>, a: MatRef<'_, $t>, scale: $t) {
                let (lower, full) =
                    (triangular::BlockStructure::TriangularLower, triangular::BlockStructure::Rectangular);
                triangular::matmul(c, lower, Accum::Add, a, full, a.transpose(), full, scale, Par::Seq);
            }

            fn solve_lower(l: MatRef<'_, $t>, b: MatMut<'_, $t>) {
                solve_lower_triangular_in_place(l, b, Par::Seq);
            }

            fn solve_upper(u: MatRef<'_, $t>, b: MatMut<'_, $t>) {
                solve_upper_triangular_in_place(u, b, Par::Seq);
            }

            fn symmetric_eigen(a: MatRef<'_, $t>) -> Result<(Vec<$t>, Vec<$t>), String> {
                let found = a.self_adjoint_eigen(Side::Lower).map_err(|e| format!("{e:?}"))?;
                let values = found.S();
                Ok(((0..a.nrows()).map(|i| values[i]).collect(), columns(found.U())))
            }

            fn thin_svd(a: MatRef<'_, $t>) -> Result<[Vec<$t>; 3], String> {
                let found = a.thin_svd().map_err(|e| format!("{e:?}"))?;
                let values = found.S();
                let values = (0..a.nrows().min(a.ncols())).map(|i| values[i]).collect();
                Ok([columns(found.U()), values, columns(found.V())])
            }
        }
    )*};
}

backend!(f32 f64);
