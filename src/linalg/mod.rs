//! The one seam to the linear algebra below: products, the Cholesky factor, the spectral
//! and the singular value decomposition.
//!
//! Everything here runs on [faer](https://docs.rs/faer), which picks the CPU's vectors at run time.
//! No other module names it, so that it can be exchanged in this folder alone.
//!
//! **Threads.** Work is done on the rayon pool it is called from, and on the calling thread alone
//! where there is none: see [`with_threads`]. How a product is split depends on its size only, so the
//! number of threads never changes a bit of a result.
//!
//! **Other machines.** All but the products gives the same bits on every machine. The products of faer
//! use fused multiply-adds and one order of summation on every x86-64 CPU with AVX2 or AVX-512, and gave
//! the same bits with both; on a CPU without, or of another architecture, the last bits may differ.

pub(crate) mod backend;
mod cholesky;
mod cpu;
mod eigen;
mod gemm;
mod matrix_ref;
mod moments;
mod portable;
pub(crate) mod simd;
mod sum;
mod svd;
pub(crate) mod threads;

pub use cholesky::Cholesky;
pub(crate) use cholesky::add_gram;
pub use eigen::{SymmetricEigen, symmetric_eigen};
pub use gemm::{Mat, gemm};
pub use matrix_ref::MatrixRef;
pub(crate) use moments::{Huge, Moments, centre, centre_columns};
pub(crate) use sum::{PIECE, column_sums, dot3, reduce, row_or_rows};
pub use sum::{dot, norm_squared, sum};
pub use svd::{ThinSvd, thin_svd};
pub use threads::{available_threads, try_with_threads, with_threads};

pub use backend::Backend;
