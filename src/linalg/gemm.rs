//! Matrix products: C ← A·B and C ← C + A·B, either side transposed without copying.

use faer::{Accum, MatMut, MatRef};

use super::MatrixRef;
use super::cpu::kernels_are_safe;
use super::portable::{self, Part};
use crate::Float;

/// A product of more than this many multiply-adds is halved, and the halves go to two threads.
///
/// Such a piece takes about 50 µs at 100 GFLOPS. Measured on 128×784×128 in `f32`: pieces of this size
/// cost one thread 2 % and give two threads 1.95 times the speed; smaller ones gain nothing more.
const GRAIN: usize = 2_500_000;

/// Products of at most this many multiply-adds are done in a plain loop: below, the way into the
/// kernels takes longer than the product.
const TINY: usize = 64;

/// An operand of a product: a row-major matrix, or the transpose of one, borrowed from a slice.
#[derive(Clone, Copy)]
pub struct Mat<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    /// The rows are columns of `data`. Never so for a single row or column, which is its own
    /// transpose in memory: the kernels take it for scattered otherwise, and are 30 times as slow.
    transposed: bool,
}

impl<'a, T: Float> Mat<'a, T> {
    /// The `rows`×`cols` matrix whose rows lie one behind the other in `data`.
    ///
    /// # Panics
    /// If `data` does not hold `rows * cols` numbers.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert!(rows.checked_mul(cols) == Some(data.len()), "Mat: {} numbers for {rows}×{cols}", data.len());
        Mat { data, rows, cols, transposed: false }
    }

    /// The transpose; a view, nothing is copied.
    pub fn t(self) -> Self {
        let vector = self.rows == 1 || self.cols == 1;
        Mat { rows: self.cols, cols: self.rows, transposed: !self.transposed && !vector, ..self }
    }

    /// Number of rows.
    pub fn rows(self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(self) -> usize {
        self.cols
    }

    fn view(self) -> MatRef<'a, T> {
        if self.transposed {
            MatRef::from_row_major_slice(self.data, self.cols, self.rows).transpose()
        } else {
            MatRef::from_row_major_slice(self.data, self.rows, self.cols)
        }
    }

    /// How far apart the rows, and the columns, lie in `data`.
    #[inline(always)]
    fn strides(self) -> (usize, usize) {
        if self.transposed { (1, self.rows) } else { (self.cols, 1) }
    }
}

impl<'a, T: Float> From<MatrixRef<'a, T>> for Mat<'a, T> {
    fn from(matrix: MatrixRef<'a, T>) -> Self {
        Mat::new(matrix.as_slice(), matrix.nrows(), matrix.ncols())
    }
}

/// C ← A·B, or C ← C + A·B with `accumulate`; `c` is row-major.
///
/// # Panics
/// If the shapes do not fit.
pub fn gemm<T: Float>(c: &mut [T], accumulate: bool, a: Mat<'_, T>, b: Mat<'_, T>) {
    assert_eq!(a.cols(), b.rows(), "gemm: the inner dimensions differ");
    let (rows, cols, depth) = (a.rows, b.cols, a.cols);
    // Miri, which interprets, has no vector instructions.
    if cfg!(miri) || rows.saturating_mul(cols).saturating_mul(depth) <= TINY {
        return tiny(c, accumulate, a, b);
    }
    let c = MatMut::from_row_major_slice_mut(c, rows, cols);
    let accum = if accumulate { Accum::Add } else { Accum::Replace };
    product(c, accum, a.view(), b.view(), T::ONE);
}

fn tiny<T: Float>(c: &mut [T], accumulate: bool, a: Mat<'_, T>, b: Mat<'_, T>) {
    assert_eq!(c.len(), a.rows * b.cols, "gemm: the product has another size");
    let ((a_row, a_col), (b_row, b_col)) = (a.strides(), b.strides());
    for (i, row) in c.chunks_mut(b.cols.max(1)).enumerate() {
        for (j, c) in row.iter_mut().enumerate() {
            let mut sum = T::ZERO;
            for l in 0..a.cols {
                sum += a.data[i * a_row + l * a_col] * b.data[l * b_row + j * b_col];
            }
            *c = if accumulate { *c + sum } else { sum };
        }
    }
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
        if kernels_are_safe() {
            T::product(c, accum, a, b, scale);
        } else {
            portable::product(c, Part::All, accum, a, b, scale);
        }
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
        for (m, k, n) in [
            (0, 3, 2),
            (3, 0, 2),
            (20, 0, 30),
            (1, 1, 1),
            (2, 3, 4),
            (4, 4, 4),
            (5, 4, 4),
            (1, 90, 1),
            (7, 90, 1),
            (90, 1, 9),
            (65, 33, 70),
            (300, 170, 260),
            (10, 300, 4000),
        ] {
            // An interpreter takes minutes for the large ones.
            if !cfg!(miri) || m * k * n < 100_000 {
                check(m, k, n);
            }
        }
    }

    /// A row or a column lies in memory as its transpose does, and must be seen so.
    #[test]
    fn a_vector_is_contiguous_either_way() {
        let data = [0.0f32; 12];
        let strides = |rows, cols| Mat::new(&data, rows, cols).t().strides();
        assert_eq!(strides(12, 1), Mat::new(&data, 1, 12).strides());
        assert_eq!(strides(1, 12), Mat::new(&data, 12, 1).strides());
        assert_eq!(strides(3, 4), (1, 4));
        assert_eq!(Mat::new(&data, 3, 4).t().t().strides(), (4, 1));
    }

    #[test]
    #[cfg_attr(miri, ignore = "the thread library's queues are not what is looked at here")]
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
