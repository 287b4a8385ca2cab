//! The one seam to the linear algebra below: products, the Cholesky factor and the
//! spectral decomposition.
//!
//! Everything here runs on [faer](https://docs.rs/faer), which picks the CPU's vectors at run time.
//! No other module names it, so that it can be exchanged in this folder alone.
//!
//! **Threads.** Work is done on the rayon pool it is called from, and on the calling thread alone
//! where there is none: see [`with_threads`]. How a product is split depends on its size only, so the
//! number of threads never changes a bit of a result.

pub(crate) mod backend;
mod cholesky;
mod eigen;
mod gemm;
pub(crate) mod simd;
mod sum;
pub(crate) mod threads;

pub use cholesky::Cholesky;
pub(crate) use cholesky::add_gram;
pub use eigen::{SymmetricEigen, symmetric_eigen};
pub use gemm::{Mat, gemm};
pub(crate) use sum::reduce;
pub use sum::{dot, norm_squared, sum};
pub use threads::{available_threads, with_threads};

pub use backend::Backend;
