//! Matrix products: C ← A·B and C ← C + A·B, either side transposed without copying.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use crate::Float;

/// A product of more than this many multiply-adds is halved, and the halves go to two threads.
///
/// Such a piece takes about 50 µs at 100 GFLOPS. Measured on 128×784×128 in `f32`: pieces of this size
/// cost one thread 2 % and give two threads 1.95 times the speed; smaller ones gain nothing more.
const GRAIN: usize = 2_500_000;

/// A row-major matrix, or the transpose of one, borrowed from a slice.
#[derive(Clone, Copy)]
pub struct Mat<'a, T>(MatRef<'a, T>);

impl<'a, T: Float> Mat<'a, T> {
    /// The `rows`×`cols` matrix whose rows lie one behind the other in `data`.
    ///
    /// # Panics
    /// If `data` does not hold `rows * cols` numbers.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Mat(MatRef::from_row_major_slice(data, rows, cols))
    }

    /// The transpose; a view, nothing is copied.
    pub fn t(self) -> Self {
        Mat(self.0.transpose())
    }

    /// Number of rows.
    pub fn rows(self) -> usize {
        self.0.nrows()
    }

    /// Number of columns.
    pub fn cols(self) -> usize {
        self.0.ncols()
    }
}

/// C ← A·B, or C ← C + A·B with `accumulate`; `c` is row-major.
///
/// # Panics
/// If the shapes do not fit.
pub fn gemm<T: Float>(c: &mut [T], accumulate: bool, a: Mat<'_, T>, b: Mat<'_, T>) {
    assert_eq!(a.cols(), b.rows(), "gemm: the inner dimensions differ");
    let c = MatMut::from_row_major_slice_mut(c, a.rows(), b.cols());
    let accum = if accumulate { Accum::Add } else { Accum::Replace };
    product(c, accum, a.0, b.0, T::ONE);
}

/// Halves the output until a piece is small enough for one thread. The pieces are the same at any
/// number of threads: kernels for blocks of other sizes may sum in another order.
///
/// C ← scale·A·B, or C ← C + scale·A·B.
pub(super) fn product<T: Float>(
    c: MatMut<'_, T>,
    accum: Accum,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    scale: T,
) {
    let (rows, cols, depth) = (c.nrows(), c.ncols(), a.ncols());
    if rows.max(cols) < 64 || rows * cols * depth <= GRAIN {
        matmul(c, accum, a, b, scale, Par::Seq);
    } else if rows >= cols {
        // Multiples of 16 keep the pieces on whole vectors.
        let middle = (rows / 2).next_multiple_of(16);
        let (c1, c2) = c.split_at_row_mut(middle);
        let (a1, a2) = a.split_at_row(middle);
        super::threads::join(|| product(c1, accum, a1, b, scale), || product(c2, accum, a2, b, scale));
    } else {
        let middle = (cols / 2).next_multiple_of(16);
        let (c1, c2) = c.split_at_col_mut(middle);
        let (b1, b2) = b.split_at_col(middle);
        super::threads::join(|| product(c1, accum, a, b1, scale), || product(c2, accum, a, b2, scale));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(m: usize, k: usize, n: usize) {
        let fill = |len: usize, step: usize| -> Vec<f64> {
            (0..len).map(|i| ((i * step) % 17) as f64 - 8.0).collect()
        };
        let (a, b) = (fill(m * k, 7), fill(k * n, 5));
        let mut expected = fill(m * n, 3);
        let mut c = expected.clone();
        for i in 0..m {
            for j in 0..n {
                for l in 0..k {
                    expected[i * n + j] += a[i * k + l] * b[l * n + j];
                }
            }
        }
        gemm(&mut c, true, Mat::new(&a, m, k), Mat::new(&b, k, n));
        // Whole numbers: every order of summation gives the same result.
        assert_eq!(c, expected, "{m}×{k}×{n}");

        let transpose = |x: &[f64], r: usize, c: usize| -> Vec<f64> {
            (0..r * c).map(|i| x[(i % r) * c + i / r]).collect()
        };
        let (at, bt) = (transpose(&a, m, k), transpose(&b, k, n));
        let mut product = vec![f64::NAN; m * n];
        gemm(&mut product, false, Mat::new(&at, k, m).t(), Mat::new(&bt, n, k).t());
        let plain = &expected;
        let start = fill(m * n, 3);
        for i in 0..m * n {
            assert_eq!(product[i], plain[i] - start[i], "transposed {m}×{k}×{n}");
        }
    }

    #[test]
    fn products_of_every_form() {
        for (m, k, n) in
            [(0, 3, 2), (3, 0, 2), (1, 1, 1), (2, 3, 4), (65, 33, 70), (300, 170, 260), (10, 300, 4000)]
        {
            check(m, k, n);
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let fill =
            |len: usize| -> Vec<f32> { (0..len).map(|i| ((i * 7919) % 1013) as f32 / 1013.0).collect() };
        let (a, b) = (fill(301 * 784), fill(784 * 203));
        let run = |threads: usize| {
            crate::linalg::with_threads(threads, || {
                let mut c = vec![0.0; 301 * 203];
                gemm(&mut c, false, Mat::new(&a, 301, 784), Mat::new(&b, 784, 203));
                c
            })
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(3));
    }
}
