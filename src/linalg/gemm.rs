//! Matrix products: C ← A·B and C ← C + A·B, either side transposed without copying.

use super::MatrixRef;
use super::product::Into;
use super::threads::{in_pieces_of, join};
use super::view::{View, ViewMut};
use crate::Float;
use crate::text::count;

/// Multiply-adds of the smallest pieces that a product is cut into where there are threads: they take about 20 µs.
pub(super) const GRAIN: usize = 2_500_000;

/// An operand of a product: a row-major matrix, or the transpose of one, borrowed from a slice.
#[derive(Clone, Copy)]
pub struct Mat<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    /// The rows are columns of `data`.
    transposed: bool,
}

impl<'a, T: Float> Mat<'a, T> {
    /// The `rows`×`cols` matrix whose rows lie one behind the other in `data`.
    ///
    /// # Panics
    /// If `data` does not hold `rows * cols` numbers.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert!(
            rows.checked_mul(cols) == Some(data.len()),
            "Mat: {} for {rows}×{cols}",
            count(data.len(), "number")
        );
        Mat { data, rows, cols, transposed: false }
    }

    /// The transpose; a view, nothing is copied.
    pub fn t(self) -> Self {
        Mat { rows: self.cols, cols: self.rows, transposed: !self.transposed, ..self }
    }

    /// Number of rows.
    pub fn rows(self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(self) -> usize {
        self.cols
    }

    fn view(self) -> View<'a, T> {
        if self.transposed {
            View::by_rows(self.data, self.cols, self.rows).transpose()
        } else {
            View::by_rows(self.data, self.rows, self.cols)
        }
    }
}

impl<'a, T: Float> From<MatrixRef<'a, T>> for Mat<'a, T> {
    fn from(matrix: MatrixRef<'a, T>) -> Self {
        Mat::new(matrix.as_slice(), matrix.nrows(), matrix.ncols())
    }
}

/// C ← A·B, or C ← C + A·B with `accumulate`; `c` is row-major.
///
/// Each entry is a sum in one defined order, with the same bits on every machine and at any number of threads: see the
/// docs of [`linalg`](crate::linalg).
///
/// # Panics
/// If the shapes do not fit.
pub fn gemm<T: Float>(c: &mut [T], accumulate: bool, a: Mat<'_, T>, b: Mat<'_, T>) {
    assert_eq!(a.cols(), b.rows(), "gemm: the inner dimensions differ");
    let (rows, cols) = (a.rows, b.cols);
    assert_eq!(c.len(), rows * cols, "gemm: the product has another size");
    if let ([c], [a], [b]) = (&mut *c, a.data, b.data) {
        return one_by_one(c, accumulate, *a, *b);
    }
    let into = if accumulate { Into::Add } else { Into::Replace };
    product(ViewMut::by_rows(c, rows, cols), into, a.view(), b.view());
}

/// C ← A·B, C + A·B or C − A·B, on all threads of the pool that this is called from.
pub(crate) fn product<T: Float>(c: ViewMut<'_, T>, into: Into, a: View<'_, T>, b: View<'_, T>) {
    T::product(c, into, a, b);
}

pub(super) fn product_of<T: Float>(c: ViewMut<'_, T>, into: Into, a: View<'_, T>, b: View<'_, T>) {
    in_pieces(pieces_of(&c, a), c, (into, None), a, b);
}

/// C ← A·B + `bias`, a row that is added to every row; `c` is row-major. The bits are those of a C that holds these rows, and
/// to which A·B is added.
///
/// # Panics
/// If the shapes do not fit.
pub(crate) fn affine<T: Float>(c: &mut [T], bias: &[T], a: Mat<'_, T>, b: Mat<'_, T>) {
    assert!(a.cols == b.rows && b.cols == bias.len(), "affine: shapes do not fit");
    if let ([c], [bias], [a], [b]) = (&mut *c, bias, a.data, b.data) {
        *c = *bias;
        return one_by_one(c, true, *a, *b);
    }
    T::affine(ViewMut::by_rows(c, a.rows, b.cols), bias, a.view(), b.view());
}

pub(super) fn affine_of<T: Float>(c: ViewMut<'_, T>, bias: &[T], a: View<'_, T>, b: View<'_, T>) {
    in_pieces(pieces_of(&c, a), c, (Into::Replace, Some(bias)), a, b);
}

fn pieces_of<T>(c: &ViewMut<'_, T>, a: View<'_, T>) -> usize {
    in_pieces_of(GRAIN, c.nrows().saturating_mul(c.ncols()).saturating_mul(a.ncols()))
}

/// The same for numbers, to the bit: in the arena, a product of scalars is a common operation, and a kernel takes longer to
/// begin.
#[inline]
fn one_by_one<T: Float>(c: &mut T, accumulate: bool, a: T, b: T) {
    // A kernel adds the product to 0: of −0 that makes 0, but not of what is −0 by rounding only.
    let product = if a == T::ZERO || b == T::ZERO { a * b + T::ZERO } else { a * b };
    *c = if accumulate { *c + product } else { product };
}

/// Halves C until there are about as many pieces. Where it is cut does not change a bit: see [`super::product`].
fn in_pieces<T: Float>(
    pieces: usize,
    c: ViewMut<'_, T>,
    (into, bias): (Into, Option<&[T]>),
    a: View<'_, T>,
    b: View<'_, T>,
) {
    let (rows, cols) = (c.nrows(), c.ncols());
    let half = pieces / 2;
    // Multiples of 32 keep the pieces on whole vectors.
    let middle = (rows.max(cols) / 2).next_multiple_of(32);
    if half == 0 || middle >= rows.max(cols) {
        match bias {
            Some(bias) => super::product::affine(c, bias, a, b),
            None => super::product::product(c, into, a, b),
        }
    } else if rows > cols {
        let (c1, c2) = c.split_at_row(middle);
        let (a1, a2) = a.split_at_row(middle);
        let how = (into, bias);
        join(|| in_pieces(half, c1, how, a1, b), || in_pieces(half, c2, how, a2, b));
    } else {
        let (c1, c2) = c.split_at_col(middle);
        let (b1, b2) = b.split_at_col(middle);
        let (bias1, bias2) = bias.map(|bias| bias.split_at(middle)).unzip();
        join(|| in_pieces(half, c1, (into, bias1), a, b1), || in_pieces(half, c2, (into, bias2), a, b2));
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

    #[test]
    fn numbers_have_the_bits_of_matrices() {
        let least = f64::MIN_POSITIVE;
        let all = [0.0, -0.0, 1.0, -1.3, 1e-200, -1e-200, least, -least, 1e300, f64::INFINITY, f64::NAN];
        for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b))) {
            for (accumulate, into) in [(false, Into::Replace), (true, Into::Add)] {
                for before in [0.0, -0.0, 2.5] {
                    let (mut found, mut expected) = ([before], [before]);
                    let (x, y) = ([a], [b]);
                    gemm(&mut found, accumulate, Mat::new(&x, 1, 1), Mat::new(&y, 1, 1).t());
                    let (x, y) = (View::by_rows(&x, 1, 1), View::by_rows(&y, 1, 1));
                    super::super::product::product(ViewMut::by_rows(&mut expected, 1, 1), into, x, y);
                    let same = found[0].to_bits() == expected[0].to_bits();
                    assert!(
                        same || found[0].is_nan() && expected[0].is_nan(),
                        "{a:?}·{b:?}: {found:?}, {expected:?}"
                    );
                }
            }
        }
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
