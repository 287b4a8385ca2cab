//! How operands stand in a result that they are stretched to.

use crate::Float;
use crate::linalg::{PIECE, row_or_rows};
use crate::tape::Shape;

/// What an operand holds, and its shape.
pub(super) type Value<'a, T> = (&'a [T], Shape);

/// Why no loop is needed for two operands of one column each.
const ALL_COLUMNS: &str = "one of the operands has all columns";

/// Both operands as they stand in the result, and its gradient.
pub(super) struct Pair<'a, T> {
    pub a: Stretched<'a, T>,
    pub b: Stretched<'a, T>,
    pub dy: &'a [T],
}

impl<'a, T: Float> Pair<'a, T> {
    /// Beside it how many numbers of the result are worked on at a time: all of them where no row and no column is
    /// stretched.
    #[inline(always)]
    pub fn new(
        a: Value<'a, T>,
        b: Value<'a, T>,
        dy: &'a [T],
        result: Shape,
        [tile_a, tile_b]: &'a mut [[T; PIECE]; 2],
    ) -> (Self, usize) {
        let whole = |shape: Shape| shape == result || shape == Shape::SCALAR;
        let stride = if whole(a.1) && whole(b.1) { result.numel() } else { row_or_rows(result.cols) };
        let (a, b) = (Stretched::new(a, result, tile_a), Stretched::new(b, result, tile_b));
        (Pair { a, b, dy }, stride)
    }

    /// What stands for the `len` numbers of the result from `start` on, row-major: a part of one row,
    /// or whole rows where they are short.
    #[inline(always)]
    pub fn pieces(&mut self, start: usize, len: usize) -> (Piece<'_, T>, Piece<'_, T>) {
        (self.a.piece(start, len), self.b.piece(start, len))
    }
}

/// An operand as it stands in a result.
pub(super) struct Stretched<'a, T> {
    x: &'a [T],
    cols: usize,
    how: How,
    /// Stretched, as many rows as [`row_or_rows`] says, where rows are short.
    tile: &'a mut [T; PIECE],
}

/// How an operand is stretched.
#[derive(Clone, Copy)]
enum How {
    /// It has all rows and columns.
    Not,
    Scalar,
    Row,
    Column,
    /// Of a result with short rows.
    ShortRow,
    /// Of a result with short rows.
    ShortColumn,
}

/// What an operand has for a part of the result: a number for each of its numbers, or one for all.
pub(super) enum Piece<'a, T> {
    Many(&'a [T]),
    One(T),
}

impl<'a, T: Float> Stretched<'a, T> {
    #[inline(always)]
    pub fn new((x, shape): Value<'a, T>, result: Shape, tile: &'a mut [T; PIECE]) -> Self {
        let (cols, len) = (result.cols, row_or_rows(result.cols));
        let how = if shape == result {
            How::Not
        } else if shape == Shape::SCALAR {
            How::Scalar
        } else if shape.rows == 1 && len != cols {
            tile[..len].chunks_mut(cols).for_each(|row| row.copy_from_slice(x));
            How::ShortRow
        } else if shape.rows == 1 {
            How::Row
        } else if len != cols {
            How::ShortColumn
        } else {
            How::Column
        };
        Stretched { x, cols, how, tile }
    }

    #[inline(always)]
    pub fn piece(&mut self, start: usize, len: usize) -> Piece<'_, T> {
        let (x, cols) = (self.x, self.cols);
        match self.how {
            How::Not => Piece::Many(&x[start..][..len]),
            How::Scalar => Piece::One(x[0]),
            How::Row => Piece::Many(&x[start % cols..][..len]),
            How::Column => Piece::One(x[start / cols]),
            How::ShortRow => Piece::Many(&self.tile[..len]),
            How::ShortColumn => {
                let rows = &x[start / cols..];
                for j in 0..cols {
                    self.tile[j..len].iter_mut().step_by(cols).zip(rows).for_each(|(to, x)| *to = *x);
                }
                Piece::Many(&self.tile[..len])
            }
        }
    }
}

/// f(y, a, b) for each y with what the operands have for it.
#[inline(always)]
pub(super) fn pairs<T: Float, Y>(
    y: impl Iterator<Item = Y>,
    a: Piece<'_, T>,
    b: Piece<'_, T>,
    f: impl Fn(Y, T, T),
) {
    match (a, b) {
        (Piece::Many(a), Piece::Many(b)) => {
            for (y, (a, b)) in y.zip(a.iter().zip(b)) {
                f(y, *a, *b);
            }
        }
        (Piece::Many(a), Piece::One(b)) => {
            for (y, a) in y.zip(a) {
                f(y, *a, b);
            }
        }
        (Piece::One(a), Piece::Many(b)) => {
            for (y, b) in y.zip(b) {
                f(y, a, *b);
            }
        }
        (Piece::One(_), Piece::One(_)) => unreachable!("{ALL_COLUMNS}"),
    }
}
