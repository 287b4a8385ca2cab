//! A row-major matrix that is looked at where it lies.

use std::fmt;
use std::ops::Index;

use nalgebra::{DMatrix, Scalar};

/// A row-major matrix borrowed from a slice: what the arena hands out.
///
/// It is a type of its own, and no strided view of nalgebra's: over views whose rows do not lie a step of 1
/// apart nalgebra 0.35 loops by the length of the slice instead of the vector's, so that a product or an
/// `axpy` writes out of bounds, from safe code
/// ([its issue 1616](https://github.com/dimforge/nalgebra/issues/1616)), and iterating over a part of one
/// moves a pointer past its allocation. To compute with nalgebra, [copy it](MatrixRef::to_dmatrix). An operand
/// of this crate's own products, which may also be transposed, is a [`Mat`](super::Mat).
///
/// ```
/// use nalgebra::dmatrix;
/// use tapegrad::Tape;
///
/// let mut tape = Tape::new();
/// let x = tape.constant(&dmatrix![1.0, 2.0, 3.0; 4.0, 5.0, 6.0]);
/// let value = tape.value(x);
/// assert_eq!(value.shape(), (2, 3));
/// assert_eq!(value[(1, 0)], 4.0);
/// assert_eq!(value.row(1), [4.0, 5.0, 6.0]);
/// assert!(value.column(2).eq(&[3.0, 6.0]));
/// assert_eq!(value.to_dmatrix() * dmatrix![1.0; 0.0; -1.0], dmatrix![-2.0; -2.0]);
/// ```
pub struct MatrixRef<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
}

// By hand: a reference is copied whatever `T` is.
impl<T> Clone for MatrixRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for MatrixRef<'_, T> {}

impl<'a, T> MatrixRef<'a, T> {
    /// The `rows`×`cols` matrix whose rows lie one behind the other in `data`.
    ///
    /// # Panics
    /// If `data` does not hold `rows * cols` numbers.
    #[track_caller]
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        let found = data.len();
        assert!(
            rows.checked_mul(cols) == Some(found),
            "MatrixRef: {} for {rows}×{cols}",
            crate::text::count(found, "number")
        );
        MatrixRef { data, rows, cols }
    }

    /// Number of rows.
    pub fn nrows(self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn ncols(self) -> usize {
        self.cols
    }

    /// Number of rows and of columns.
    pub fn shape(self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Number of entries.
    pub fn len(self) -> usize {
        self.data.len()
    }

    /// No entries at all: 0×n or n×0.
    pub fn is_empty(self) -> bool {
        self.data.is_empty()
    }

    /// All entries, row-major.
    pub fn as_slice(self) -> &'a [T] {
        self.data
    }

    /// All entries in order, row by row.
    pub fn iter(self) -> std::slice::Iter<'a, T> {
        self.data.iter()
    }

    /// The entry in row `i` and column `j`; `None` if there is none.
    pub fn get(self, i: usize, j: usize) -> Option<&'a T> {
        if i < self.rows && j < self.cols { self.data.get(i * self.cols + j) } else { None }
    }

    /// Row `i`.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn row(self, i: usize) -> &'a [T] {
        assert!(i < self.rows, "row {i} of {}×{}", self.rows, self.cols);
        &self.data[i * self.cols..][..self.cols]
    }

    /// All rows, from the first.
    pub fn rows(self) -> impl DoubleEndedIterator<Item = &'a [T]> + ExactSizeIterator + Clone {
        // Not the chunks of the slice: a matrix without columns has its rows as well, all of them empty.
        (0..self.rows).map(move |i| &self.data[i * self.cols..][..self.cols])
    }

    /// The entries of column `j`, from the first row.
    ///
    /// # Panics
    /// If there is no such column.
    #[track_caller]
    pub fn column(self, j: usize) -> impl DoubleEndedIterator<Item = &'a T> + ExactSizeIterator + Clone {
        assert!(j < self.cols, "column {j} of {}×{}", self.rows, self.cols);
        (0..self.rows).map(move |i| &self.data[i * self.cols + j])
    }

    /// All columns, from the first, each as [`column`](Self::column) gives it.
    pub fn columns(
        self,
    ) -> impl DoubleEndedIterator<Item: DoubleEndedIterator<Item = &'a T> + ExactSizeIterator + Clone>
    + ExactSizeIterator
    + Clone {
        (0..self.cols).map(move |j| self.column(j))
    }

    /// A copy as nalgebra's matrix, which can be computed with.
    pub fn to_dmatrix(self) -> DMatrix<T>
    where
        T: Scalar,
    {
        DMatrix::from_row_slice(self.rows, self.cols, self.data)
    }

    /// f of every entry, as nalgebra's matrix.
    pub fn map<U: Scalar>(self, f: impl FnMut(&T) -> U) -> DMatrix<U> {
        DMatrix::from_row_iterator(self.rows, self.cols, self.data.iter().map(f))
    }
}

impl<T> Index<(usize, usize)> for MatrixRef<'_, T> {
    type Output = T;

    #[track_caller]
    fn index(&self, (i, j): (usize, usize)) -> &T {
        self.get(i, j).unwrap_or_else(|| panic!("entry ({i}, {j}) of {}×{}", self.rows, self.cols))
    }
}

impl<T: Scalar> From<MatrixRef<'_, T>> for DMatrix<T> {
    fn from(matrix: MatrixRef<'_, T>) -> DMatrix<T> {
        matrix.to_dmatrix()
    }
}

impl<T: PartialEq> PartialEq for MatrixRef<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.shape() == other.shape() && self.data == other.data
    }
}

impl<T: PartialEq> PartialEq<DMatrix<T>> for MatrixRef<'_, T> {
    fn eq(&self, other: &DMatrix<T>) -> bool {
        let entry = |(at, x): (usize, &T)| *x == other[(at / self.cols, at % self.cols)];
        self.shape() == other.shape() && self.data.iter().enumerate().all(entry)
    }
}

impl<T: PartialEq> PartialEq<MatrixRef<'_, T>> for DMatrix<T> {
    fn eq(&self, other: &MatrixRef<'_, T>) -> bool {
        other == self
    }
}

/// Shape and rows, such as `2×2 [[1.0, 2.0], [3.0, 4.0]]`.
impl<T: fmt::Debug> fmt::Debug for MatrixRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{} ", self.rows, self.cols)?;
        f.debug_list().entries(self.rows()).finish()
    }
}

/// As nalgebra prints a matrix.
impl<T: Scalar + fmt::Display> fmt::Display for MatrixRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_dmatrix().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{DVector, dmatrix};

    use super::*;
    use crate::Tape;

    const SHAPES: [(usize, usize); 9] =
        [(40, 30), (3, 4), (4, 3), (1, 1), (1, 7), (7, 1), (0, 5), (5, 0), (0, 0)];

    /// Whole numbers: every order of summation gives the same result.
    fn entry(i: usize, j: usize) -> f64 {
        ((i * 31 + j * 17) % 23) as f64 - 11.0
    }

    /// The value and the gradient of a variable on a tape, each with `entry` in it.
    fn on_a_tape(rows: usize, cols: usize, check: impl Fn(MatrixRef<'_, f64>)) {
        let mut tape = Tape::new();
        let entries: Vec<f64> = (0..rows * cols).map(|at| entry(at / cols, at % cols)).collect();
        let x = tape.variable_slice(rows, cols, &entries);
        tape.backward_slice(x, &entries);
        check(tape.value(x));
        check(tape.grad(x));
    }

    #[test]
    fn entries_rows_and_columns() {
        for (m, n) in SHAPES {
            on_a_tape(m, n, |a| {
                assert_eq!((a.nrows(), a.ncols(), a.shape(), a.len()), (m, n, (m, n), m * n));
                assert_eq!((a.is_empty(), a.rows().len(), a.columns().len()), (m * n == 0, m, n));
                for (i, row) in a.rows().enumerate() {
                    assert_eq!(row, a.row(i));
                    assert!(row.iter().enumerate().all(|(j, x)| *x == entry(i, j) && a[(i, j)] == *x));
                }
                for (j, column) in a.columns().enumerate() {
                    assert_eq!(column.len(), m);
                    assert!(column.clone().eq(a.column(j)));
                    assert!(column.enumerate().all(|(i, x)| *x == entry(i, j)));
                }
                assert!(a.iter().eq(a.as_slice()));
                assert!(a.get(m, 0).is_none() && a.get(0, n).is_none());
            });
        }
    }

    #[test]
    fn copies_compute_as_plain_loops_do() {
        for (m, n) in SHAPES {
            on_a_tape(m, n, |view| {
                let a = view.to_dmatrix();
                assert_eq!(a, DMatrix::from_fn(m, n, entry));
                assert_eq!(a, DMatrix::from(view));
                assert_eq!(view, a);
                assert_eq!(a, view);
                assert_eq!(view, MatrixRef::new(view.as_slice(), m, n));
                assert_eq!(view.map(|x| 2.0 * x), &a * 2.0);

                let v = DVector::from_fn(n, |j, _| entry(j, 2));
                let product = DVector::from_fn(m, |i, _| (0..n).map(|j| entry(i, j) * v[j]).sum());
                assert_eq!(&a * &v, product);
                for j in 0..n {
                    let mut y = DVector::from_element(m, 5.0);
                    y.axpy(2.0, &a.column(j), 3.0);
                    assert_eq!(y, DVector::from_fn(m, |i, _| 2.0 * entry(i, j) + 15.0));
                    let squares: f64 = (0..m).map(|i| entry(i, j) * entry(i, j)).sum();
                    assert_eq!(a.column(j).dot(&a.column(j)), squares);
                }
                if cfg!(miri) && m * n > 100 {
                    return; // the products of matrices below take minutes there
                }
                let b = DMatrix::from_fn(n, 4, |i, j| entry(j, i));
                let plain = |i, j| (0..n).map(|l| entry(i, l) * b[(l, j)]).sum();
                assert_eq!(&a * &b, DMatrix::from_fn(m, 4, plain));
                let mut sum = DMatrix::from_element(m, 4, 3.0);
                sum.gemm(2.0, &a, &b, 1.0);
                assert_eq!(sum, DMatrix::from_fn(m, 4, |i, j| 3.0 + 2.0 * plain(i, j)));
                assert_eq!(a.tr_mul(&a), a.transpose() * &a);

                for (i, row) in a.row_iter().enumerate() {
                    assert!(row.iter().eq(view.row(i)) && row.iter().rev().eq(view.row(i).iter().rev()));
                }
                if m > 1 && n > 1 {
                    let part = a.view((1, 1), (m - 1, n - 1));
                    let entries = (1..n).flat_map(|j| (1..m).map(move |i| entry(i, j)));
                    assert!(part.iter().copied().eq(entries));
                    let ones = DVector::from_element(n - 1, 1.0);
                    let sums = DVector::from_fn(m - 1, |i, _| (1..n).map(|j| entry(i + 1, j)).sum());
                    assert_eq!(part * ones, sums);
                }
            });
        }
    }

    /// The lint of `.clippy.toml` that forbids such views: clippy complains here should it not fire.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "shows that the lint knows the constructors")]
    fn views_that_are_forbidden() {
        let (mut data, mut matrix) = ([1.0, 2.0, 3.0, 4.0], dmatrix![1.0, 2.0; 3.0, 4.0; 5.0, 6.0]);
        let view = nalgebra::DMatrixView::<f64, nalgebra::Dyn, nalgebra::Dyn>::from_slice_with_strides(
            &data, 2, 2, 2, 1,
        );
        assert_eq!(view.strides(), (2, 1));
        let view = nalgebra::DMatrixViewMut::<f64, nalgebra::Dyn, nalgebra::Dyn>::from_slice_with_strides_mut(
            &mut data, 2, 2, 2, 1,
        );
        assert_eq!(view.strides(), (2, 1));
        assert_eq!(matrix.rows_with_step(0, 2, 1).strides(), (2, 3));
        assert_eq!(matrix.view_with_steps_mut((0, 0), (2, 1), (1, 0)).strides(), (2, 3));
    }

    #[test]
    fn comparisons_and_text() {
        let a = MatrixRef::new(&[1.0, 2.0, 3.0, 4.0], 2, 2);
        assert_eq!(a, dmatrix![1.0, 2.0; 3.0, 4.0]);
        assert_ne!(a, dmatrix![1.0, 3.0; 2.0, 4.0]);
        assert_ne!(a, MatrixRef::new(&[1.0, 2.0, 3.0, 4.0], 1, 4));
        assert_ne!(MatrixRef::<f64>::new(&[], 0, 3), DMatrix::zeros(3, 0));
        assert_ne!(MatrixRef::<f64>::new(&[], 0, 3), MatrixRef::new(&[], 3, 0));
        assert_ne!(MatrixRef::new(&[f64::NAN], 1, 1), MatrixRef::new(&[f64::NAN], 1, 1));
        assert_eq!(format!("{a:?}"), "2×2 [[1.0, 2.0], [3.0, 4.0]]");
        assert_eq!(format!("{a:.1}"), format!("{:.1}", dmatrix![1.0, 2.0; 3.0, 4.0]));
    }

    #[test]
    fn what_is_not_there_panics() {
        let message = |f: fn(MatrixRef<'_, f64>) -> f64| {
            let a = MatrixRef::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3);
            *std::panic::catch_unwind(|| f(a)).unwrap_err().downcast::<String>().unwrap()
        };
        assert_eq!(message(|a| a[(0, 3)]), "entry (0, 3) of 2×3");
        assert_eq!(message(|a| a[(2, 0)]), "entry (2, 0) of 2×3");
        assert_eq!(message(|a| a.row(2)[0]), "row 2 of 2×3");
        assert_eq!(message(|a| a.column(3).sum()), "column 3 of 2×3");
        assert_eq!(message(|a| MatrixRef::new(a.as_slice(), 2, 2)[(0, 0)]), "MatrixRef: 6 numbers for 2×2");
        let huge = message(|a| MatrixRef::new(a.as_slice(), usize::MAX, 2)[(0, 0)]);
        assert!(huge.starts_with("MatrixRef: 6 numbers for"), "{huge}");
    }
}
