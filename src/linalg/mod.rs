//! The one seam to the linear algebra below: products, the Cholesky factor, the spectral
//! and the singular value decomposition.
//!
//! Everything here runs on [faer](https://docs.rs/faer), which picks the CPU's vectors at run time, but on
//! CPUs that its kernels do not know: there plain loops do the work. No other module names it, so that it
//! can be exchanged in this folder alone.
//!
//! **Threads.** Work is done on the rayon pool it is called from, and on the calling thread alone
//! where there is none: see [`with_threads`]. How a product is split depends on its size only, so the
//! number of threads never changes a bit of a result.
//!
//! **Other machines.** [`sum`], [`dot`], [`norm_squared`] give the same bits on every
//! machine: their order is fixed, and so is every rounding. Products, and with them the factors, solves and
//! eigenvalues, do so on every x86-64 CPU with AVX2 and FMA, with AVX-512 or without: there they are fused
//! multiply-adds in one order. On an older CPU, one whose virtual machine hides one of the two, and on another
//! architecture the multiply-adds are not fused or the order is another, so that the last bits differ; and
//! what is ill-conditioned, such as an eigenvector of close eigenvalues, may differ in more than those.

pub(crate) mod cholesky;
mod compensated;
mod cpu;
mod eigen;
mod gemm;
mod matrix;
mod matrix_ref;
mod moments;
mod portable;
mod scale;
pub(crate) mod simd;
mod sum;
mod svd;
pub(crate) mod threads;

pub use cholesky::Cholesky;
pub(crate) use cholesky::add_gram;
pub use compensated::{CompensatedSum, compensated_sum};
pub use eigen::{SymmetricEigen, symmetric_eigen};
pub use gemm::{Mat, gemm};
pub use matrix::Matrix;
pub use matrix_ref::MatrixRef;
pub(crate) use moments::{Huge, Moments, centre, centre_columns};
pub(crate) use sum::{
    LANES, PIECE, add_blocks, add_to_lanes, block_of, column_sums, dot3, first_not_finite, mean_of, reduce,
    reduce_lanes, row_or_rows, sum_of_lanes,
};
pub use sum::{dot, norm_squared, sum};
pub use svd::{ThinSvd, thin_svd};
pub use threads::{available_threads, try_with_threads, with_threads};

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::*;

    /// FNV-1a of the bits.
    fn checksum<'a>(numbers: impl IntoIterator<Item = &'a f64>) -> u64 {
        let bytes = numbers.into_iter().flat_map(|x| x.to_bits().to_le_bytes());
        bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
    }

    /// Numbers between −0.5 and 0.5 with all their bits.
    fn numbers(n: usize) -> Vec<f64> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        (0..n).map(|_| next()).collect()
    }

    /// What has the same bits on every machine is held to it; what has not is printed, for a look at two of
    /// them: `cargo test checksums -- --nocapture`.
    #[test]
    fn checksums() {
        let x = numbers(90 * 90);
        let sums = [sum(&x), dot(&x[..4000], &x[4000..8000]), norm_squared(&x)];
        // By the same loops in another language.
        assert_eq!(checksum(&sums), 0x8045_87F2_9706_84BF);

        let mut product = vec![0.0; 90 * 90];
        gemm(&mut product, false, Mat::new(&x, 90, 90), Mat::new(&x, 90, 90).t());
        println!("products    {:016x}", checksum(&product));
        let mut a = DMatrix::from_row_slice(90, 90, &product);
        a.fill_diagonal(20.0);
        let cholesky = Cholesky::new(a.clone()).unwrap();
        println!("factors     {:016x}", checksum(cholesky.l()));
        let mut b = DMatrix::from_row_slice(90, 90, &x);
        cholesky.solve_in_place(&mut b);
        println!("solves      {:016x}", checksum(&b));
        let eigen = symmetric_eigen(&a).unwrap();
        println!("eigenvalues {:016x}", checksum(&eigen.values));
    }
}
