//! Parts of matrices: what the products and decompositions of this folder hand to one another.

#![allow(
    unsafe_code,
    reason = "the halves of a matrix that lie between one another in memory cannot be two slices; copies would take as \
              long as the small products"
)]

use std::marker::PhantomData;
use std::ops::{Bound, Index, IndexMut, RangeBounds};

/// A part of a matrix that is read: entry (i, j) is `i · row + j · column` numbers behind the first.
pub struct View<'a, T> {
    at: *const T,
    rows: usize,
    columns: usize,
    row: usize,
    column: usize,
    of: PhantomData<&'a [T]>,
}

/// A part of a matrix that is written. No two of its entries are the same number.
pub struct ViewMut<'a, T> {
    // Its entries belong to this view alone, as long as it lives.
    view: View<'a, T>,
    of: PhantomData<&'a mut [T]>,
}

// SAFETY: a view is a reference to its entries, in another form; so it may go where such a reference may.
unsafe impl<T: Sync> Send for View<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for View<'_, T> {}
// SAFETY: as above; a mutable reference may go where its numbers may. What `view` could hand out is borrowed from `self`.
unsafe impl<T: Send> Send for ViewMut<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for ViewMut<'_, T> {}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

/// Asks for the line of the cache that an address lies in, where this is known how. Any address is good: it is a hint.
#[inline(always)]
fn fetch_line(at: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: nothing is read.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

/// Start and end of a range within `len`.
fn bounds(range: impl RangeBounds<usize>, len: usize) -> (usize, usize) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(_) => unreachable!("no range of this crate leaves its start out"),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => *end + 1,
        Bound::Excluded(end) => *end,
        Bound::Unbounded => len,
    };
    assert!(start <= end && end <= len, "view: {start} to {end} of {len}");
    (start, end)
}

impl<'a, T> View<'a, T> {
    /// The `rows`×`columns` matrix whose rows lie one behind the other in `data`.
    ///
    /// # Panics
    /// If `data` does not hold as many numbers.
    pub fn by_rows(data: &'a [T], rows: usize, columns: usize) -> Self {
        View::by_columns(data, columns, rows).transpose()
    }

    /// The `rows`×`columns` matrix whose columns lie one behind the other in `data`.
    ///
    /// # Panics
    /// If `data` does not hold as many numbers.
    pub fn by_columns(data: &'a [T], rows: usize, columns: usize) -> Self {
        assert!(
            rows.checked_mul(columns) == Some(data.len()),
            "view: {} for {rows}×{columns}",
            crate::text::count(data.len(), "number")
        );
        View { at: data.as_ptr(), rows, columns, row: 1, column: rows, of: PhantomData }
    }

    pub fn nrows(self) -> usize {
        self.rows
    }

    pub fn ncols(self) -> usize {
        self.columns
    }

    /// How far the rows are apart.
    pub fn row_stride(self) -> usize {
        self.row
    }

    /// How far the columns are apart.
    pub fn col_stride(self) -> usize {
        self.column
    }

    /// The address of entry (0, 0).
    pub fn as_ptr(self) -> *const T {
        self.at
    }

    pub fn transpose(self) -> Self {
        View { rows: self.columns, columns: self.rows, row: self.column, column: self.row, ..self }
    }

    /// The entries of some rows and columns.
    ///
    /// # Panics
    /// If they are not there.
    pub fn get(self, rows: impl RangeBounds<usize>, columns: impl RangeBounds<usize>) -> Self {
        let ((top, bottom), (left, right)) = (bounds(rows, self.rows), bounds(columns, self.columns));
        // An empty part may begin behind the last number; nothing is read there.
        let at = self.at.wrapping_add(top * self.row).wrapping_add(left * self.column);
        View { at, rows: bottom - top, columns: right - left, ..self }
    }

    /// Asks for the entries, which lie in rows, so that they are in the nearest cache when they are read. For parts of a few
    /// columns, which a CPU does not foresee.
    #[inline]
    pub fn fetch(self) {
        /// The bytes of a cache line.
        const LINE: usize = 64;
        for i in 0..self.rows {
            let row = self.at.wrapping_add(i * self.row).cast::<u8>();
            for line in (0..self.columns * size_of::<T>()).step_by(LINE) {
                fetch_line(row.wrapping_add(line));
            }
        }
    }

    /// The rows above row `i`, and the others.
    pub fn split_at_row(self, i: usize) -> (Self, Self) {
        (self.get(..i, ..), self.get(i.., ..))
    }

    /// The columns before column `j`, and the others.
    pub fn split_at_col(self, j: usize) -> (Self, Self) {
        (self.get(.., ..j), self.get(.., j..))
    }

    /// Top left, top right, bottom left and bottom right of entry (i, j).
    pub fn split_at(self, i: usize, j: usize) -> [Self; 4] {
        [self.get(..i, ..j), self.get(..i, j..), self.get(i.., ..j), self.get(i.., j..)]
    }

    /// Row `i`, of a view whose rows lie in one stretch.
    ///
    /// # Panics
    /// If it is not there, or its entries lie apart.
    #[inline]
    pub fn row(self, i: usize) -> &'a [T] {
        let first = self.first_of_row(i);
        // SAFETY: the entries of the row are there, one behind the other, and borrowed as long as the view.
        unsafe { std::slice::from_raw_parts(first, self.columns) }
    }

    #[inline]
    fn first_of_row(self, i: usize) -> *const T {
        assert!(i < self.rows, "view: row {i} of {}×{}", self.rows, self.columns);
        assert!(self.columns <= 1 || self.column == 1, "view: the entries of a row lie apart");
        self.at.wrapping_add(i * self.row)
    }

    #[inline(always)]
    fn address(self, (i, j): (usize, usize)) -> *const T {
        assert!(
            i < self.rows && j < self.columns,
            "view: entry ({i}, {j}) of {}×{}",
            self.rows,
            self.columns
        );
        self.at.wrapping_add(i * self.row + j * self.column)
    }
}

impl<T> Index<(usize, usize)> for View<'_, T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, at: (usize, usize)) -> &T {
        // SAFETY: the entry is there, as was asked for, and borrowed as long as the view.
        unsafe { &*self.address(at) }
    }
}

impl<'a, T> ViewMut<'a, T> {
    /// As [`View::by_rows`].
    pub fn by_rows(data: &'a mut [T], rows: usize, columns: usize) -> Self {
        ViewMut::by_columns(data, columns, rows).transpose()
    }

    /// As [`View::by_columns`].
    pub fn by_columns(data: &'a mut [T], rows: usize, columns: usize) -> Self {
        let at = data.as_mut_ptr();
        let view = View { at, ..View::by_columns(data, rows, columns) };
        ViewMut { view: View { of: PhantomData, ..view }, of: PhantomData }
    }

    /// The entries, to be read.
    pub fn rb(&self) -> View<'_, T> {
        self.view
    }

    /// The entries, for a shorter time.
    pub fn rb_mut(&mut self) -> ViewMut<'_, T> {
        ViewMut { view: self.view, of: PhantomData }
    }

    pub fn nrows(&self) -> usize {
        self.view.rows
    }

    pub fn ncols(&self) -> usize {
        self.view.columns
    }

    /// As [`View::row_stride`].
    pub fn row_stride(&self) -> usize {
        self.view.row
    }

    /// As [`View::col_stride`].
    pub fn col_stride(&self) -> usize {
        self.view.column
    }

    /// The address of entry (0, 0).
    pub fn as_mut_ptr(&mut self) -> *mut T {
        self.view.at.cast_mut()
    }

    pub fn transpose(self) -> Self {
        ViewMut { view: self.view.transpose(), ..self }
    }

    /// As [`View::get`].
    pub fn get(self, rows: impl RangeBounds<usize>, columns: impl RangeBounds<usize>) -> Self {
        ViewMut { view: self.view.get(rows, columns), ..self }
    }

    /// Row `i`, to be written; as [`View::row`].
    #[inline]
    pub fn row_mut(&mut self, i: usize) -> &mut [T] {
        let first = self.view.first_of_row(i).cast_mut();
        // SAFETY: the entries of the row are there, one behind the other; they belong to this view alone, which is
        // borrowed for writing, and their address was taken from a mutable slice.
        unsafe { std::slice::from_raw_parts_mut(first, self.view.columns) }
    }

    /// As [`View::split_at_row`].
    pub fn split_at_row(self, i: usize) -> (Self, Self) {
        // The parts have no entry in common.
        let (above, below) = self.view.split_at_row(i);
        (ViewMut { view: above, of: PhantomData }, ViewMut { view: below, of: PhantomData })
    }

    /// As [`View::split_at_col`].
    pub fn split_at_col(self, j: usize) -> (Self, Self) {
        let (left, right) = self.transpose().split_at_row(j);
        (left.transpose(), right.transpose())
    }

    /// As [`View::split_at`].
    pub fn split_at(self, i: usize, j: usize) -> [Self; 4] {
        self.view.split_at(i, j).map(|view| ViewMut { view, of: PhantomData })
    }
}

impl<T> Index<(usize, usize)> for ViewMut<'_, T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, at: (usize, usize)) -> &T {
        // SAFETY: as for a view that is read.
        unsafe { &*self.view.address(at) }
    }
}

impl<T> IndexMut<(usize, usize)> for ViewMut<'_, T> {
    #[inline(always)]
    fn index_mut(&mut self, at: (usize, usize)) -> &mut T {
        // SAFETY: the entry is there; it belongs to this view alone, which is borrowed for writing, and its address was
        // taken from a mutable slice.
        unsafe { &mut *self.view.address(at).cast_mut() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_where_they_should_be() {
        let data: Vec<usize> = (0..20).collect();
        let (rows, columns) = (View::by_rows(&data, 4, 5), View::by_columns(&data, 4, 5));
        for (i, j) in (0..4).flat_map(|i| (0..5).map(move |j| (i, j))) {
            assert_eq!(
                (rows[(i, j)], columns[(i, j)], rows.transpose()[(j, i)]),
                (i * 5 + j, j * 4 + i, i * 5 + j)
            );
        }
        let part = rows.get(1..3, 2..);
        assert_eq!((part.nrows(), part.ncols(), part[(1, 2)]), (2, 3, 14));
        for (i, j) in [(0, 0), (2, 3), (4, 5), (0, 5)] {
            let [a, b, c, d] = columns.split_at(i, j);
            let all = |v: View<'_, usize>| -> usize {
                (0..v.nrows()).flat_map(|i| (0..v.ncols()).map(move |j| v[(i, j)])).sum()
            };
            assert_eq!(all(a) + all(b) + all(c) + all(d), 190);
        }
    }

    #[test]
    fn parts_are_written_apart() {
        let mut data = vec![0; 20];
        let view = ViewMut::by_rows(&mut data, 4, 5);
        let [mut a, mut b, mut c, mut d] = view.split_at(1, 2);
        (a[(0, 1)], b[(0, 2)], c[(2, 0)], d[(0, 0)]) = (1, 2, 3, 4);
        d.rb_mut().transpose()[(2, 2)] = 5;
        assert_eq!((a.rb()[(0, 1)], d.rb()[(2, 2)]), (1, 5));
        let right = [(1, 1), (4, 2), (15, 3), (7, 4), (19, 5)];
        for (at, x) in data.iter().enumerate() {
            assert_eq!(*x, right.iter().find(|(place, _)| *place == at).map_or(0, |(_, x)| *x), "{at}");
        }
    }

    #[test]
    fn rows_are_slices() {
        let mut data: Vec<usize> = (0..20).collect();
        assert_eq!(View::by_rows(&data, 4, 5).get(1..3, 2..).row(1), [12, 13, 14]);
        assert_eq!(View::by_columns(&data, 4, 5).get(.., 1..2).row(2), [6]);
        assert!(View::by_rows(&data, 4, 5).get(.., 5..).row(3).is_empty());
        let (_, mut right) = ViewMut::by_rows(&mut data, 4, 5).split_at_col(3);
        right.row_mut(1).fill(0);
        assert_eq!(data[5..11], [5, 6, 7, 0, 0, 10]);
    }

    #[test]
    #[should_panic(expected = "view: the entries of a row lie apart")]
    fn a_row_that_is_no_slice() {
        View::by_columns(&[0; 6], 2, 3).row(0);
    }

    #[test]
    fn what_is_not_there_is_not_given() {
        let data = [0; 6];
        let view = View::by_rows(&data, 2, 3);
        let panics = |f: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err();
        assert!(
            panics(&|| _ = view[(2, 0)])
                && panics(&|| _ = view[(0, 3)])
                && panics(&|| _ = view.get(1..3, ..))
        );
        assert!(panics(&|| _ = View::by_rows(&data, 2, 2)) && panics(&|| _ = view.split_at_row(3)));
        let empty = View::<f64>::by_rows(&[], 0, 3);
        assert_eq!((empty.nrows(), empty.get(.., 3..).ncols()), (0, 0));
    }
}
