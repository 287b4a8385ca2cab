//! One of two operands, entry by entry, as a third one says.

use super::Op;
use super::broadcast::broadcast_shape;
use super::pass_if;
use crate::Float;
use crate::linalg::{reduce, sum};
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// # Choice
/// One of two operands, as a condition says.
impl<T: Float> Tape<T> {
    /// `a` where the entry of `condition` is not 0, and `b` where it is. This is `where` of NumPy and PyTorch,
    /// which is a keyword in Rust.
    ///
    /// All three are broadcast to one shape, as by [`add`](Tape::add): along each dimension they agree, or have
    /// a single row or column, which stands for all. −0 is 0. NaN is not 0, and so it chooses `a`, as in NumPy.
    ///
    /// Backward: dY goes to the operand that was chosen. The other one gets 0, also where dY is infinite or
    /// NaN. The condition has no gradient: a step function is flat. So `select` keeps a value out of a formula
    /// where the value is not finite. Only what feeds it must be finite as well: `sqrt` at −1 has the slope NaN,
    /// and NaN times that 0 is NaN.
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let mask = tape.constant_slice(1, 3, &[1.0, 0.0, 1.0]);
    /// let a = tape.variable_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    /// let b = tape.variable_slice(1, 1, &[-9.0]);
    /// let y = tape.select(mask, a, b);
    /// assert_eq!(tape.value_slice(y), [1.0, -9.0, 3.0, 4.0, -9.0, 6.0]);
    /// tape.backward_with(y, |dy| dy.fill(1.0));
    /// assert_eq!(tape.grad_slice(a), [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]);
    /// assert_eq!(tape.grad_slice(b), [2.0]);
    /// ```
    #[track_caller]
    pub fn select(&mut self, condition: impl Into<Var>, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        let inputs = [condition.into(), a.into(), b.into()];
        let shapes = inputs.map(|v| self.shape_for("select", v));
        let shape = broadcast_shape(shapes[1], shapes[2]).and_then(|ab| broadcast_shape(shapes[0], ab));
        let Some(shape) = shape else {
            panic!(
                "select: the condition {} is {}, {} is {} and {} is {} (rows and columns must agree, or be 1)",
                inputs[0], shapes[0], inputs[1], shapes[1], inputs[2], shapes[2],
            )
        };
        self.apply(Op::Select.get(), &inputs, shape, Args::NONE)
    }
}

/// Where the entry of an operand lies that stands for entry (i, j) of the result.
#[derive(Clone, Copy)]
struct Stretch {
    row: usize,
    col: usize,
}

impl Stretch {
    fn new(operand: Shape) -> Self {
        let row = if operand.rows == 1 { 0 } else { operand.cols };
        Stretch { row, col: usize::from(operand.cols != 1) }
    }

    #[inline(always)]
    fn at(self, i: usize, j: usize) -> usize {
        i * self.row + j * self.col
    }
}

/// Whether a condition chooses the first operand.
#[inline(always)]
fn holds<T: Float>(condition: T) -> bool {
    condition != T::ZERO
}

pub(super) struct Select;
impl<T: Float> Operation<T> for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let [(c, at_c), (a, at_a), (b, at_b)] = [0, 1, 2].map(|k| (cx.x(k), Stretch::new(cx.shape(k))));
        let cols = cx.y_shape().cols;
        for (i, y) in cx.y().chunks_mut(cols.max(1)).enumerate() {
            for (j, y) in y.iter_mut().enumerate() {
                *y = if holds(c[at_c.at(i, j)]) { a[at_a.at(i, j)] } else { b[at_b.at(i, j)] };
            }
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        if cx.dy().is_empty() {
            // An operand may have entries although the result has none: a row that stands for no rows.
            [1, 2].into_iter().for_each(|k| cx.add_constant(k, T::ZERO));
            return;
        }
        add_chosen(&mut cx, 1, true);
        add_chosen(&mut cx, 2, false);
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (x, dy) = (cx.x(0), cx.dy());
        let zero = cx.tape().scalar(T::ZERO);
        cx.add_with(1, |tape| tape.select(x, dy, zero));
        cx.add_with(2, |tape| tape.select(x, zero, dy));
    }
}

/// Adds dy to the gradient of operand `k` where the condition holds or does not, as `when` says, summed over
/// all that each of its entries stands for.
fn add_chosen<T: Float>(cx: &mut Backward<'_, T>, k: usize, when: bool) {
    let (condition, at, shape, own, dy) =
        (cx.x(0), Stretch::new(cx.shape(0)), cx.y_shape(), cx.shape(k), cx.dy());
    let cols = shape.cols;
    let term = |c: T, dy: T| pass_if(holds(c) == when, dy);
    if own == shape {
        cx.add_rows(
            k,
            #[inline(always)]
            |i, mut dx| {
                dx.add_each(
                    #[inline(always)]
                    |j| term(condition[at.at(i, j)], dy[i * cols + j]),
                )
            },
        );
    } else if own.rows == 1 {
        // A row, or a single number: the sum of all terms of its column, or of all.
        cx.add_column_sums(k, dy.len(), |start, part| {
            let (mut i, mut j) = (start / cols, start % cols);
            for (sum, dy) in part.iter_mut().zip(&dy[start..]) {
                *sum += term(condition[at.at(i, j)], *dy);
                j += 1;
                if j == cols {
                    (i, j) = (i + 1, 0);
                }
            }
        });
    } else {
        cx.add_rows(
            k,
            #[inline(always)]
            |i, mut dx| {
                let dy = &dy[i * cols..][..cols];
                let condition = &condition[at.at(i, 0)..];
                dx.add(
                    0,
                    if at.col == 1 {
                        reduce(&condition[..cols], dy, term)
                    } else {
                        term(condition[0], sum(dy))
                    },
                );
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use crate::Tape;
    use crate::ops::testing::{check_op, feasible, filled};

    /// 0 and numbers that are not 0, in no order.
    fn mask(rows: usize, cols: usize) -> DMatrix<f64> {
        DMatrix::from_fn(rows, cols, |i, j| [0.0, 1.0, -2.0, -0.0, 0.5][(i * 7 + j * 3) % 5])
    }

    /// Value and gradients by the definition, in one loop.
    #[test]
    fn every_way_to_stretch() {
        let stretch = |x: &DMatrix<f64>, i: usize, j: usize| {
            (if x.nrows() == 1 { 0 } else { i }, if x.ncols() == 1 { 0 } else { j })
        };
        let all = [(3, 4), (5, 40), (70, 3), (2, 130)];
        for (m, n) in all.into_iter().filter(|(m, n)| feasible(m * n)) {
            let shapes = [(m, n), (1, n), (m, 1), (1, 1)];
            for way in 0..shapes.len().pow(3) {
                let [c, a, b] = [way / 16, way / 4 % 4, way % 4].map(|k| shapes[k]);
                let (c, a, b) = (mask(c.0, c.1), filled(a.0, a.1), filled(b.0, b.1) * 2.0);
                let rows = c.nrows().max(a.nrows()).max(b.nrows());
                let cols = c.ncols().max(a.ncols()).max(b.ncols());
                let upstream = filled(rows, cols);
                let (mut y, mut da, mut db) = (DMatrix::zeros(rows, cols), &a * 0.0, &b * 0.0);
                for (i, j) in (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j))) {
                    let (x, dx) = if c[stretch(&c, i, j)] != 0.0 { (&a, &mut da) } else { (&b, &mut db) };
                    y[(i, j)] = x[stretch(x, i, j)];
                    dx[stretch(x, i, j)] += upstream[(i, j)];
                }
                let mut tape = Tape::new();
                let (vc, va, vb) = (tape.variable(&c), tape.variable(&a), tape.variable(&b));
                let found = tape.select(vc, va, vb);
                assert_eq!(tape.value(found).to_dmatrix(), y);
                tape.backward_slice(found, upstream.transpose().as_slice());
                assert!(tape.grad_slice(vc).iter().all(|dc| *dc == 0.0));
                for (v, right) in [(va, da), (vb, db)] {
                    let off = (tape.grad(v).to_dmatrix() - right).amax();
                    assert!(off < 1e-13, "{off}: {:?} {:?} {:?}", c.shape(), a.shape(), b.shape());
                }
            }
        }
    }

    #[test]
    fn gradients() {
        let shapes = [(3, 4), (1, 4), (3, 1), (1, 1)];
        for c in shapes {
            for a in shapes {
                for b in shapes.into_iter().filter(|b| feasible(20 * b.0 * b.1)) {
                    let inputs = [filled(a.0, a.1), filled(b.0, b.1).map(|x| 0.13 - x)];
                    check_op(&inputs, |t, x| {
                        let c = t.constant(&mask(c.0, c.1));
                        t.select(c, x[0], x[1])
                    });
                }
            }
        }
        for (c, a, b) in [((0, 3), (1, 3), (1, 1)), ((2, 1), (2, 0), (1, 1)), ((1, 1), (0, 3), (0, 3))] {
            check_op(&[mask(c.0, c.1), filled(a.0, a.1), filled(b.0, b.1)], |t, x| {
                t.select(x[0], x[1], x[2])
            });
        }
    }

    /// Of an operand against itself, and of the condition as an operand.
    #[test]
    fn one_value_in_several_places() {
        let mut tape = Tape::new();
        let x = tape.variable_slice(1, 3, &[0.0, 2.0, -3.0]);
        let y = tape.select(x, x, x);
        tape.backward_slice(y, &[1.0, 2.0, 3.0]);
        assert_eq!(tape.value_slice(y), [0.0, 2.0, -3.0]);
        assert_eq!(tape.grad_slice(x), [1.0, 2.0, 3.0]);
    }

    /// As `np.where(np.array([0, 1, nan]).astype(bool), [[1], [2]], 10)` in NumPy 2.4.
    #[test]
    fn figures_of_numpy() {
        let mut tape = Tape::new();
        let c = tape.constant_slice(1, 3, &[0.0, 1.0, f64::NAN]);
        let (a, b) = (tape.constant_slice(2, 1, &[1.0, 2.0]), tape.scalar(10.0));
        let y = tape.select(c, a, b);
        assert_eq!(tape.value_slice(y), [10.0, 1.0, 1.0, 10.0, 2.0, 2.0]);
    }

    /// Nothing of the operand that was not chosen comes through, neither its value nor a gradient.
    #[test]
    fn infinite_and_nan() {
        for (a, b) in [((2, 3), (2, 3)), ((1, 3), (2, 1)), ((1, 1), (2, 3)), ((2, 1), (1, 1))] {
            for dy in [f64::INFINITY, -f64::INFINITY, f64::NAN] {
                for first in [true, false] {
                    let mut tape = Tape::new();
                    let c = tape.constant_with(2, 3, |c| c.fill(if first { 1.0 } else { 0.0 }));
                    let wild = |other| if other { f64::NAN } else { 1.0 };
                    let va = tape.variable_with(a.0, a.1, |a| a.fill(wild(!first)));
                    let vb = tape.variable_with(b.0, b.1, |b| b.fill(wild(first)));
                    let y = tape.select(c, va, vb);
                    tape.backward_with(y, |to| to.fill(dy));
                    assert_eq!(tape.value_slice(y), [1.0; 6]);
                    let (chosen, other) = if first { (va, vb) } else { (vb, va) };
                    assert!(tape.grad_slice(other).iter().all(|dx| *dx == 0.0));
                    assert!(tape.grad_slice(chosen).iter().all(|dx| !dx.is_finite()));
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "select: the condition v0 is 2×3, v1 is 2×3 and v2 is 3×1 (rows and columns")]
    fn shapes_that_do_not_fit() {
        let mut tape = Tape::new();
        let (a, b) = (tape.constant(&filled(2, 3)), tape.constant(&filled(2, 3)));
        let c = tape.constant(&filled(3, 1));
        tape.select(a, b, c);
    }
}
