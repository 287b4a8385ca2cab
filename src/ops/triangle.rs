//! The lower and the upper triangle of a matrix.

use std::ops::Range;

use super::Op;
use crate::Float;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// # Triangles
/// One side of a diagonal, as in a causal mask.
impl<T: Float> Tape<T> {
    /// The lower triangle of m×n: the entries with j − i ≤ `diagonal` stay, and `fill` takes the place of all
    /// others. The shape stays.
    ///
    /// With `diagonal` 0, the main diagonal is the last one that stays. A positive number keeps so many more
    /// diagonals to the right of it, a negative one so many less. With `fill` −∞ this is the mask of causal
    /// attention: before a softmax, token i then sees the tokens 0 to i only. With `fill` 0 it is `tril` of
    /// NumPy and PyTorch.
    ///
    /// Backward: what stays gets dY, and what does not gets 0, also where dY is infinite or NaN.
    ///
    /// # Panics
    /// If `x` is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let scores = tape.variable_slice(3, 3, &[0.0; 9]);
    /// let masked = tape.tril(scores, 0, f64::NEG_INFINITY);
    /// let attention = tape.softmax(masked);
    /// assert_eq!(tape.value_slice(attention)[..6], [1.0, 0.0, 0.0, 0.5, 0.5, 0.0]);
    /// ```
    #[track_caller]
    pub fn tril(&mut self, x: impl Into<Var>, diagonal: isize, fill: T) -> Var {
        self.elementwise(Op::Tril.get(), x, args(diagonal, fill))
    }

    /// The upper triangle of m×n: the entries with j − i ≥ `diagonal` stay, and `fill` takes the place of all
    /// others. The shape stays.
    ///
    /// With `diagonal` 0, the main diagonal is the first one that stays. With `fill` 0 it is `triu` of NumPy
    /// and PyTorch.
    ///
    /// Backward: what stays gets dY, and what does not gets 0, also where dY is infinite or NaN.
    ///
    /// # Panics
    /// If `x` is stale.
    #[track_caller]
    pub fn triu(&mut self, x: impl Into<Var>, diagonal: isize, fill: T) -> Var {
        self.elementwise(Op::Triu.get(), x, args(diagonal, fill))
    }
}

/// The diagonal is stored as the `usize` of the same bits.
fn args<T: Float>(diagonal: isize, fill: T) -> Args<T> {
    Args { scalars: [fill, T::ZERO], ..Args::size(diagonal as usize) }
}

pub(super) enum Triangle {
    Lower,
    Upper,
}

impl Triangle {
    /// The columns of row `i` that stay.
    #[inline]
    fn kept<T>(&self, i: usize, shape: Shape, args: &Args<T>) -> Range<usize> {
        let diagonal = args.sizes[0] as isize;
        // The column in which the diagonal crosses this row; it may lie to the left of the first one.
        let column = |i: usize| i.saturating_add_signed(diagonal).min(shape.cols);
        match self {
            Triangle::Lower => 0..column(i + 1),
            Triangle::Upper => column(i)..shape.cols,
        }
    }
}

impl<T: Float> Operation<T> for Triangle {
    fn name(&self) -> &'static str {
        match self {
            Triangle::Lower => "tril",
            Triangle::Upper => "triu",
        }
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, shape, args) = (cx.x(0), cx.y_shape(), cx.args());
        let y = cx.y();
        y.fill(args.scalars[0]);
        if shape.is_empty() {
            return;
        }
        for (i, (y, x)) in y.chunks_exact_mut(shape.cols).zip(x.chunks_exact(shape.cols)).enumerate() {
            let kept = self.kept(i, shape, args);
            y[kept.clone()].copy_from_slice(&x[kept]);
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (dy, shape, args) = (cx.dy(), cx.y_shape(), cx.args());
        cx.add_rows(
            0,
            #[inline(always)]
            |i, mut dx| {
                let kept = self.kept(i, shape, args);
                dx.part(kept.start, kept.len()).add_slice(&dy[i * shape.cols..][kept]);
            },
        );
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        let diagonal = cx.args().sizes[0] as isize;
        cx.add_with(0, |tape| match self {
            Triangle::Lower => tape.tril(dy, diagonal, T::ZERO),
            Triangle::Upper => tape.triu(dy, diagonal, T::ZERO),
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        format!(" {} {}", args.sizes[0] as isize, args.scalars[0])
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use crate::Tape;
    use crate::ops::testing::{check_op, filled};

    const DIAGONALS: [isize; 9] = [isize::MIN, -9, -2, -1, 0, 1, 2, 9, isize::MAX];

    #[test]
    fn gradients() {
        for (m, n) in [(1, 1), (3, 4), (5, 2), (1, 7), (4, 1), (0, 3), (2, 0)] {
            for diagonal in DIAGONALS {
                check_op(&[filled(m, n)], |t, x| t.tril(x[0], diagonal, 0.7));
                check_op(&[filled(m, n)], |t, x| t.triu(x[0], diagonal, -0.7));
            }
        }
    }

    #[test]
    fn every_entry_by_its_definition() {
        for (m, n) in [(1, 1), (3, 4), (5, 2)] {
            for diagonal in DIAGONALS {
                let mut tape = Tape::new();
                let x = tape.variable(&filled(m, n));
                let above = |i, j| j as i128 - i as i128 - diagonal as i128;
                let by = |kept: &dyn Fn(i128) -> bool,
                          kept_value: &dyn Fn(usize, usize) -> f64,
                          other: f64| {
                    DMatrix::from_fn(m, n, |i, j| if kept(above(i, j)) { kept_value(i, j) } else { other })
                };
                for lower in [true, false] {
                    let y = if lower {
                        tape.tril(x, diagonal, -f64::INFINITY)
                    } else {
                        tape.triu(x, diagonal, 3.0)
                    };
                    let kept = |above: i128| if lower { above <= 0 } else { above >= 0 };
                    let fill = if lower { -f64::INFINITY } else { 3.0 };
                    let right = by(&kept, &|i, j| filled(m, n)[(i, j)], fill);
                    assert_eq!(tape.value(y).to_dmatrix(), right, "{diagonal}");
                    tape.backward_with(y, |dy| dy.fill(f64::INFINITY));
                    assert_eq!(
                        tape.grad(x).to_dmatrix(),
                        by(&kept, &|_, _| f64::INFINITY, 0.0),
                        "{diagonal}"
                    );
                }
            }
        }
    }

    /// What `np.tril(np.ones((4, 3)), k)` and `np.triu(…)` of NumPy 2.4 print.
    #[test]
    fn figures_of_numpy() {
        let run = |diagonal, lower| {
            let mut tape = Tape::new();
            let x = tape.constant_with(4, 3, |x| x.fill(1.0));
            let y = if lower { tape.tril(x, diagonal, 0.0) } else { tape.triu(x, diagonal, 0.0) };
            tape.value_slice(y).to_vec()
        };
        assert_eq!(run(-1, true), [0., 0., 0., 1., 0., 0., 1., 1., 0., 1., 1., 1.]);
        assert_eq!(run(0, true), [1., 0., 0., 1., 1., 0., 1., 1., 1., 1., 1., 1.]);
        assert_eq!(run(1, true), [1., 1., 0., 1., 1., 1., 1., 1., 1., 1., 1., 1.]);
        assert_eq!(run(-1, false), [1., 1., 1., 1., 1., 1., 0., 1., 1., 0., 0., 1.]);
        assert_eq!(run(0, false), [1., 1., 1., 0., 1., 1., 0., 0., 1., 0., 0., 0.]);
        assert_eq!(run(1, false), [0., 1., 1., 0., 0., 1., 0., 0., 0., 0., 0., 0.]);
    }

    #[test]
    fn the_diagonal_is_shown() {
        let mut tape = Tape::new();
        let x = tape.constant(&filled(2, 2));
        tape.tril(x, -1, 0.5);
        assert!(tape.to_string().contains("v1: 2×2 = tril v0 -1 0.5\n"), "{tape}");
    }
}
