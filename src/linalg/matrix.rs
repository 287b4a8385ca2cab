//! A row-major matrix that owns its numbers.

use std::fmt;
use std::ops::{Index, IndexMut};

use nalgebra::{DMatrix, Scalar};

use super::MatrixRef;
use crate::Float;
use crate::text::count;

/// A row-major matrix: what predictions come out as. Rows are slices; nalgebra's `DMatrix` comes in and goes
/// out by [`From`] and [`to_dmatrix`](Matrix::to_dmatrix), with a copy.
///
/// ```
/// use tapegrad::Matrix;
///
/// let a = Matrix::from_rows([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(a.row(1), [3.0, 4.0]);
/// assert_eq!(a[(0, 1)], 2.0);
/// assert_eq!(a.to_dmatrix().column(0).as_slice(), [1.0, 3.0]);
/// ```
#[derive(Clone, PartialEq)]
pub struct Matrix<T> {
    data: Vec<T>,
    rows: usize,
    cols: usize,
}

impl<T> Matrix<T> {
    /// The `rows`×`cols` matrix whose rows lie one behind the other in `data`.
    ///
    /// # Panics
    /// If `data` does not hold `rows * cols` numbers.
    #[track_caller]
    pub fn new(data: Vec<T>, rows: usize, cols: usize) -> Self {
        let found = data.len();
        assert!(
            rows.checked_mul(cols) == Some(found),
            "Matrix: {} for {rows}×{cols}",
            count(found, "number")
        );
        Matrix { data, rows, cols }
    }

    /// The matrix of these rows.
    pub fn from_rows<const N: usize>(rows: impl IntoIterator<Item = [T; N]>) -> Self {
        let mut data = Vec::new();
        let mut count = 0;
        for row in rows {
            data.extend(row);
            count += 1;
        }
        Matrix { data, rows: count, cols: N }
    }

    /// Number of rows.
    pub fn nrows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn ncols(&self) -> usize {
        self.cols
    }

    /// Number of rows and of columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// The same matrix, borrowed: entries, columns and more methods.
    pub fn view(&self) -> MatrixRef<'_, T> {
        MatrixRef::new(&self.data, self.rows, self.cols)
    }

    /// All entries, row-major.
    pub fn as_slice(&self) -> &[T] {
        &self.data
    }

    /// All entries, row-major, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// All entries, row-major, without a copy.
    pub fn into_vec(self) -> Vec<T> {
        self.data
    }

    /// Row `i`.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn row(&self, i: usize) -> &[T] {
        self.view().row(i)
    }

    /// Row `i`, to be changed.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn row_mut(&mut self, i: usize) -> &mut [T] {
        assert!(i < self.rows, "row {i} of {}×{}", self.rows, self.cols);
        &mut self.data[i * self.cols..][..self.cols]
    }

    /// All rows, from the first.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &[T]> + ExactSizeIterator + Clone {
        self.view().rows()
    }

    /// A copy as nalgebra's matrix.
    pub fn to_dmatrix(&self) -> DMatrix<T>
    where
        T: Scalar,
    {
        self.view().to_dmatrix()
    }
}

impl<T: Float> Matrix<T> {
    /// The `rows`×`cols` matrix of zeros.
    ///
    /// # Panics
    /// If it has more entries than memory has addresses.
    #[track_caller]
    pub fn zeros(rows: usize, cols: usize) -> Self {
        let len = rows.checked_mul(cols);
        let len = len.unwrap_or_else(|| panic!("Matrix: {rows}×{cols} are more entries than addresses"));
        Matrix { data: vec![T::ZERO; len], rows, cols }
    }
}

impl<T: Scalar> From<&DMatrix<T>> for Matrix<T> {
    fn from(from: &DMatrix<T>) -> Self {
        let mut data = Vec::with_capacity(from.len());
        for row in from.row_iter() {
            data.extend(row.iter().cloned());
        }
        Matrix { data, rows: from.nrows(), cols: from.ncols() }
    }
}

impl<T: Clone> From<MatrixRef<'_, T>> for Matrix<T> {
    fn from(from: MatrixRef<'_, T>) -> Self {
        Matrix { data: from.as_slice().to_vec(), rows: from.nrows(), cols: from.ncols() }
    }
}

impl<T> Index<(usize, usize)> for Matrix<T> {
    type Output = T;

    #[track_caller]
    fn index(&self, (i, j): (usize, usize)) -> &T {
        assert!(i < self.rows && j < self.cols, "entry ({i}, {j}) of {}×{}", self.rows, self.cols);
        &self.data[i * self.cols + j]
    }
}

impl<T> IndexMut<(usize, usize)> for Matrix<T> {
    #[track_caller]
    fn index_mut(&mut self, (i, j): (usize, usize)) -> &mut T {
        assert!(i < self.rows && j < self.cols, "entry ({i}, {j}) of {}×{}", self.rows, self.cols);
        &mut self.data[i * self.cols + j]
    }
}

/// Shape and rows, such as `2×2 [[1.0, 2.0], [3.0, 4.0]]`.
impl<T: fmt::Debug> fmt::Debug for Matrix<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::dmatrix;

    use super::*;

    #[test]
    fn there_and_back() {
        let from = dmatrix![1.0, 2.0, 3.0; 4.0, 5.0, 6.0];
        let mut a = Matrix::from(&from);
        assert_eq!((a.shape(), a.as_slice()), ((2, 3), &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0][..]));
        assert_eq!(a.to_dmatrix(), from);
        assert_eq!(Matrix::from(a.view()), a);
        a.row_mut(1)[2] = 0.0;
        a[(0, 0)] = 7.0;
        assert_eq!(a, Matrix::from_rows([[7.0, 2.0, 3.0], [4.0, 5.0, 0.0]]));
        assert_eq!(a.rows().map(<[f64]>::len).collect::<Vec<_>>(), [3, 3]);
        for (rows, cols) in [(0, 3), (3, 0), (0, 0)] {
            let empty = Matrix::<f32>::zeros(rows, cols);
            assert_eq!((empty.shape(), empty.rows().len()), ((rows, cols), rows));
            assert_eq!(Matrix::from(&empty.to_dmatrix()), empty);
        }
    }

    #[test]
    #[should_panic(expected = "entry (0, 2) of 1×2")]
    fn an_entry_that_is_not_there() {
        let _ = Matrix::from_rows([[1.0, 2.0]])[(0, 2)];
    }

    #[test]
    #[should_panic(expected = "Matrix: 3 numbers for 2×2")]
    fn numbers_that_do_not_fit() {
        Matrix::new(vec![1.0; 3], 2, 2);
    }
}
