//! The one seam to the linear algebra below: products, the Cholesky factor, the spectral
//! and the singular value decomposition.
//!
//! Products are written for the vectors of AVX-512, AVX2 and NEON, picked at run time, and for any other CPU. All else
//! stands on them, and on loops that the compiler makes vectors of.
//!
//! **The order of sums.** An entry of a product A·B is a sum over k from first to last, in blocks of 256: within a block
//! a chain of fused multiply-adds, s ← fma(aᵢₖ, bₖⱼ, s), that begins at 0; then the sums of the blocks are added from
//! first to last, to C where there is one. Neither shapes nor vectors nor threads have a say in it, so that a row of a
//! product is the same whatever stands beside it. This is order [`ORDER`]; the number rises as well when a function of
//! [`Float`](crate::Float) rounds otherwise: order 2 has the products of order 1, and exponentials, logarithms and what rests
//! on them by fused multiply-adds.
//!
//! **The order of convolutions** is that of the products they stand for. For the map, k goes over what a filter sees, line by
//! line of the window, and padding is zeros that are multiplied like any other number. For the weights, k goes over the pixels
//! of the map, and blocks begin anew with each sample: the sums of a sample's blocks are added to those of the samples before.
//! For the image, each pixel adds up what the pixels of the window send to it, one by one in the order of the window; each of
//! these terms is a product over the filters, in blocks of 256 as above. Where an image or a map is worked on in parts, the
//! terms of one part are added before those of the next, and how large a part is, shapes alone decide. A convolution with a
//! filter for each channel has a chain of plain multiplications and additions in place of the product, and leaves out what is
//! padding.
//!
//! **Threads.** Work is done on the rayon pool it is called from, and on the calling thread alone
//! where there is none: see [`with_threads`]. The number of threads never changes a bit of a result.
//!
//! **Other machines.** All of this folder gives the same bits on every machine: the order of sums is fixed, and so is
//! every rounding. Where a CPU has no fused multiply-add it is computed in several steps, exactly and slowly.

pub(crate) mod cholesky;
mod column_sums;
mod compensated;
mod compiled;
pub(crate) mod convolution;
mod cpu;
mod eigen;
mod gemm;
pub(crate) mod image;
mod matrix;
mod matrix_ref;
mod moments;
pub(crate) mod parts;
pub(crate) mod product;
mod reflector;
mod rotation;
mod scale;
pub(crate) mod simd;
mod sum;
mod svd;
pub(crate) mod threads;
mod triangular;
pub(crate) mod view;

pub use cholesky::Cholesky;
pub(crate) use cholesky::add_gram;
pub(crate) use column_sums::{PIECE, add_blocks_in_turn, column_sums, row_or_rows};
pub use compensated::{CompensatedSum, compensated_sum};
pub(crate) use compiled::Compiled;
pub use eigen::{SymmetricEigen, symmetric_eigen};
pub use gemm::{Mat, gemm};
pub(crate) use gemm::{affine, product};
pub use matrix::Matrix;
pub use matrix_ref::MatrixRef;
pub(crate) use moments::{Huge, Moments, centre, centre_columns, centre_within};
pub(crate) use product::{Fused, Into, Kernels};
pub use product::{ORDER, kernel_in_use};
pub(crate) use sum::{
    LANES, add_to_lanes, block_of, dot3, dot3_within, first_not_finite, mean_of, reduce, reduce_lanes,
    reduce_within, sum_of_lanes,
};
pub use sum::{dot, norm_squared, sum};
pub use svd::{ThinSvd, thin_svd};
pub use threads::{available_threads, try_with_threads, with_threads};
pub(crate) use view::{View, ViewMut};

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

    /// What has the same bits on every machine is held to it.
    #[test]
    fn checksums() {
        let x = numbers(90 * 90);
        let sums = [sum(&x), dot(&x[..4000], &x[4000..8000]), norm_squared(&x)];
        // By the same loops in another language.
        assert_eq!(checksum(&sums), 0x8045_87F2_9706_84BF);

        let mut product = vec![0.0; 90 * 90];
        gemm(&mut product, false, Mat::new(&x, 90, 90), Mat::new(&x, 90, 90).t());
        assert_eq!(checksum(&product), 0x8E46_BA0B_1571_66F9);
        let mut a = DMatrix::from_row_slice(90, 90, &product);
        a.fill_diagonal(20.0);
        let cholesky = Cholesky::new(a.clone()).unwrap();
        assert_eq!(checksum(cholesky.l()), 0x6B1B_31FF_1DF0_38B9);
        let mut b = DMatrix::from_row_slice(90, 90, &x);
        cholesky.solve_in_place(&mut b);
        assert_eq!(checksum(&b), 0xEBC3_4F80_86AD_4F66);
        let eigen = symmetric_eigen(&a).unwrap();
        assert_eq!(checksum(&eigen.values), 0xC580_7C1C_655D_13F8);
        assert_eq!(checksum(&eigen.vectors), 0x001E_5748_090F_1C86);
        let svd = thin_svd(&DMatrix::from_row_slice(135, 60, &x)).unwrap();
        assert_eq!(checksum(svd.values.iter().chain(&svd.u).chain(&svd.v)), 0x5A52_475C_EA0F_ED90);
    }
}
