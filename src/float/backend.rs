//! What the linear algebra library is asked to do, for the two types that it is compiled for.

use faer::{MatRef, Side};

use crate::linalg::Kernels;

/// Supertrait of [`Float`](crate::Float). It cannot be named outside the crate, which seals `Float`; and it keeps the
/// library's own traits out of every bound. Each function is compiled here once for each type, on one thread.
///
/// On some CPUs none of them is safe: [`linalg`](crate::linalg) asks first.
pub trait Backend: Kernels {
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
