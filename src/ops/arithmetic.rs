//! a + b, a − b, a ∘ b, a / b with broadcasting.

use super::broadcast::entry;
use super::{Binary, Op};
use crate::Float;
use crate::tape::{Recorder, Shape, Tape, Var};

/// # Arithmetic
/// Of two operands, entry by entry; a row, a column or a scalar is stretched.
impl<T: Float> Tape<T> {
    /// a + b, with NumPy's broadcasting: m×n with m×n, 1×n, m×1 or 1×1, on either side.
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let a = tape.constant_slice(2, 2, &[1.0, 2.0, 3.0, 4.0]);
    /// let row = tape.constant_slice(1, 2, &[10.0, 20.0]);
    /// let y = tape.add(a, row);
    /// assert_eq!(tape.value_slice(y), [11.0, 22.0, 13.0, 24.0]);
    /// ```
    #[track_caller]
    pub fn add(&mut self, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        self.broadcast(Op::Add.get(), a, b)
    }

    /// a − b, broadcast as [`add`](Tape::add).
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    #[track_caller]
    pub fn sub(&mut self, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        self.broadcast(Op::Sub.get(), a, b)
    }

    /// a ∘ b, entry by entry, broadcast as [`add`](Tape::add). For the matrix product see
    /// [`matmul`](Tape::matmul).
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    #[track_caller]
    pub fn mul(&mut self, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        self.broadcast(Op::Mul.get(), a, b)
    }

    /// a / b, entry by entry, broadcast as [`add`](Tape::add). Division by zero gives ±∞ or NaN, as
    /// IEEE 754 has it.
    ///
    /// Backward: da = dy/b, db = −(dy/b)·(a/b), which is 0 for dy = 0 and every b but 0.
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    #[track_caller]
    pub fn div(&mut self, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        self.broadcast(Op::Div.get(), a, b)
    }
}

pub(super) struct Add;
impl<T: Float> Binary<T> for Add {
    const NAME: &'static str = "add";
    #[inline(always)]
    fn value(a: T, b: T) -> T {
        a + b
    }
    #[inline(always)]
    fn backward_a(_: T, _: T, dy: T) -> T {
        dy
    }
    #[inline(always)]
    fn backward_b(_: T, _: T, dy: T) -> T {
        dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        cx.add(0, dy);
        cx.add(1, dy);
    }
}

pub(super) struct Sub;
impl<T: Float> Binary<T> for Sub {
    const NAME: &'static str = "sub";
    #[inline(always)]
    fn value(a: T, b: T) -> T {
        a - b
    }
    #[inline(always)]
    fn backward_a(_: T, _: T, dy: T) -> T {
        dy
    }
    #[inline(always)]
    fn backward_b(_: T, _: T, dy: T) -> T {
        -dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let dy = cx.dy();
        cx.add(0, dy);
        cx.add_with(1, |tape| tape.neg(dy));
    }
}

pub(super) struct Mul;
impl<T: Float> Binary<T> for Mul {
    const NAME: &'static str = "mul";
    #[inline(always)]
    fn value(a: T, b: T) -> T {
        a * b
    }
    #[inline(always)]
    fn backward_a(_: T, b: T, dy: T) -> T {
        b * dy
    }
    #[inline(always)]
    fn backward_b(a: T, _: T, dy: T) -> T {
        a * dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let (a, b, dy) = (cx.x(0), cx.x(1), cx.dy());
        cx.add_with(0, |tape| tape.mul(b, dy));
        cx.add_with(1, |tape| tape.mul(a, dy));
    }
}

pub(super) struct Div;
impl<T: Float> Binary<T> for Div {
    const NAME: &'static str = "div";
    #[inline(always)]
    fn value(a: T, b: T) -> T {
        a / b
    }
    #[inline(always)]
    fn backward_a(_: T, b: T, dy: T) -> T {
        // Not by 1/b, which is infinite for a subnormal b, and NaN times 0.
        dy / b
    }
    #[inline(always)]
    fn backward_b(a: T, b: T, dy: T) -> T {
        // Not by −a/b²: the square leaves the range of the type long before the two quotients do. Where one of
        // these does, above or below, the other one may bring the product back.
        let (of_dy, of_a) = (dy / b, a / b);
        let fits = |quotient: T| quotient.is_finite() && quotient.abs() >= T::MIN_POSITIVE;
        if fits(of_dy) && fits(of_a) {
            -of_dy * of_a
        } else if of_a.is_finite() && (of_dy.abs() < of_a.abs() || !of_dy.is_finite()) {
            -(dy * of_a) / b
        } else {
            -(of_dy * a) / b
        }
    }

    fn record(mut cx: Recorder<'_, T>) {
        let (a, b, y, dy) = (cx.x(0), cx.x(1), cx.y(), cx.dy());
        cx.add_with(0, |tape| tape.div(dy, b));
        cx.add_with(1, |tape| {
            let quotient = tape.div(dy, b);
            let product = tape.mul(quotient, y);
            let fits = |x: T| x.is_finite() && x.abs() >= T::MIN_POSITIVE;
            let Shape { rows, cols } = tape.shape(product);
            let shape_of_a = tape.shape(a);
            let (q, of_dy, of_a) = (tape.value_slice(quotient), tape.value_slice(dy), tape.value_slice(a));
            let is_out = |quotient: T, of: T| of != T::ZERO && !fits(quotient);
            let mut quotients = q.iter().zip(of_dy).zip(tape.value_slice(y)).enumerate();
            if !quotients
                .any(|(i, ((q, dy), y))| is_out(*q, *dy) || is_out(*y, of_a[entry(shape_of_a, i, cols)]))
            {
                return tape.neg(product);
            }
            // As in the backward pass, where one of the two leaves the range: the other one first.
            let of_y = tape.mul(dy, y);
            let of_a = tape.mul(quotient, a);
            let (of_y, of_a) = (tape.div(of_y, b), tape.div(of_a, b));
            let both: Vec<(T, T)> =
                tape.value_slice(quotient).iter().copied().zip(tape.value_slice(y).iter().copied()).collect();
            let mut mask = |is: &dyn Fn(T, T) -> bool| {
                let one = |(q, y): &(T, T)| if is(*q, *y) { T::ONE } else { T::ZERO };
                let mask: Vec<T> = both.iter().map(one).collect();
                tape.mask_with(rows, cols, |to| to.copy_from_slice(&mask))
            };
            let as_usual = mask(&|q, y| fits(q) && fits(y));
            let by_y = mask(&|q, y| y.is_finite() && (q.abs() < y.abs() || !q.is_finite()));
            let other = tape.select(by_y, of_y, of_a);
            let term = tape.select(as_usual, product, other);
            tape.neg(term)
        });
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use crate::Tape;
    use crate::ops::testing::{check_op, feasible, filled};
    use crate::tape::Var;

    type Op = fn(&mut Tape, Var, Var) -> Var;

    #[test]
    fn gradients_under_every_broadcast() {
        let ops: [Op; 4] =
            [|t, a, b| t.add(a, b), |t, a, b| t.sub(a, b), |t, a, b| t.mul(a, b), |t, a, b| t.div(a, b)];
        let shapes = [(3, 4), (1, 4), (3, 1), (1, 1)];
        for op in ops {
            for a in shapes {
                for b in shapes {
                    // Denominators away from zero.
                    let b = filled(b.0, b.1).map(|x| x + 2.0 * x.signum());
                    check_op(&[filled(a.0, a.1), b], |t, x| op(t, x[0], x[1]));
                }
            }
            for (a, b) in [((0, 3), (0, 3)), ((0, 3), (1, 3)), ((1, 1), (3, 0)), ((1, 0), (2, 0))] {
                check_op(&[filled(a.0, a.1), filled(b.0, b.1)], |t, x| op(t, x[0], x[1]));
            }
            check_op(&[filled(2, 2)], |t, x| op(t, x[0], x[0]));
        }
    }

    /// Shapes on both sides of where several rows are taken as one, of a part of a row, and of a block.
    #[test]
    fn gradients_under_broadcasts_of_many_sizes() {
        let shapes = [(2, 2), (70, 2), (130, 3), (9, 32), (3, 33), (2, 128), (3, 129), (2, 300), (200, 1)];
        for (m, n) in shapes.into_iter().filter(|(m, n)| feasible(m * n)) {
            for (a, b) in [((m, n), (1, n)), ((m, n), (m, 1)), ((m, n), (1, 1)), ((m, 1), (1, n))] {
                let whole =
                    |(rows, cols)| DMatrix::from_fn(rows, cols, |i, j| ((i * 5 + j * 3) % 7 + 1) as f64);
                let (value_a, value_b, upstream) = (whole(a), whole(b), whole((m, n)));
                for swapped in [false, true] {
                    let mut tape = Tape::new();
                    let (x, y) = (tape.param(&value_a), tape.param(&value_b));
                    let product = if swapped { tape.mul(y, x) } else { tape.mul(x, y) };
                    let weights = tape.constant(&upstream);
                    let weighted = tape.mul(product, weights);
                    let loss = tape.sum(weighted);
                    tape.backward(loss);
                    let (mut da, mut db) = (DMatrix::zeros(a.0, a.1), DMatrix::zeros(b.0, b.1));
                    for i in 0..m {
                        for j in 0..n {
                            let (in_a, in_b) = ((i % a.0, j % a.1), (i % b.0, j % b.1));
                            // Whole numbers: every order of summation gives the same result.
                            assert_eq!(tape.value(product)[(i, j)], value_a[in_a] * value_b[in_b], "{m}×{n}");
                            da[in_a] += value_b[in_b] * upstream[(i, j)];
                            db[in_b] += value_a[in_a] * upstream[(i, j)];
                        }
                    }
                    assert_eq!(tape.grad(x), da, "{m}×{n}, {a:?} and {b:?}");
                    assert_eq!(tape.grad(y), db, "{m}×{n}, {a:?} and {b:?}");
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
    fn gradients_of_many_entries_keep_their_digits() {
        // Each addition rounds by at most ε/2; a plain running sum has as many of them as there are entries,
        // and misses these bounds.
        let check = |a: (usize, usize), b: (usize, usize), additions: usize| {
            let bound = additions as f32 * f32::EPSILON / 2.0;
            let mut tape = Tape::<f32>::default();
            let (x, y) = (tape.constant_with(a.0, a.1, |_| ()), tape.variable_with(b.0, b.1, |_| ()));
            let sum = tape.add(x, y);
            let count = tape.value_slice(sum).len() / (b.0 * b.1);
            tape.backward_with(sum, |dy| dy.fill(0.1));
            for dy in tape.grad_slice(y) {
                assert!((dy / (0.1 * count as f32) - 1.0).abs() < bound, "{a:?} and {b:?}: {dy}");
            }
        };
        let lanes = 1_000_000 / 32;
        check((1_000_000, 1), (1, 1), lanes);
        // 64 and 42 rows in a block, and the blocks.
        check((100_000, 3), (1, 3), 64 + 42 + 100_000 / (64 * 42));
        check((10_000, 200), (1, 200), 64 + 10_000 / 64);
        check((100_000, 1), (1, 40), 64 + 100_000 / 64);
        check((3, 1_000_000), (3, 1), lanes);
        check((1, 1_000_000), (3, 1), lanes);
    }

    #[test]
    fn quotients_of_large_and_small_numbers() {
        let grad_f32 = |x: f32| {
            let mut tape = Tape::<f32>::default();
            let (a, b) = (tape.scalar(x), tape.variable_slice(1, 1, &[x]));
            let y = tape.div(a, b);
            tape.backward(y);
            f64::from(tape.grad_slice(b)[0] * x)
        };
        let grad_f64 = |x: f64| {
            let mut tape = Tape::new();
            let (a, b) = (tape.scalar(x), tape.variable_slice(1, 1, &[x]));
            let y = tape.div(a, b);
            tape.backward(y);
            tape.grad_slice(b)[0] * x
        };
        // d(a/b)/db = −1/b where a = b.
        for slope in [grad_f32(1e-25), grad_f32(1e20), grad_f64(1e-200), grad_f64(1e200)] {
            assert!((slope + 1.0).abs() < 1e-6, "{slope}");
        }
    }

    #[test]
    fn quotients_whose_parts_leave_the_range() {
        let slope = |a: f32, b: f32, dy: f32| {
            let mut tape = Tape::<f32>::default();
            let (x, y) = (tape.scalar(a), tape.variable_slice(1, 1, &[b]));
            let quotient = tape.div(x, y);
            tape.backward_with(quotient, |g| g[0] = dy);
            tape.grad_slice(y)[0]
        };
        let near =
            |found: f32, right: f32| assert!((found / right - 1.0).abs() < 1e-6, "{found:e} {right:e}");
        // dy/b underflows, a/b underflows, dy/b overflows, a/b overflows.
        near(slope(1e38, 1e20, 1e-30), -1e-32);
        near(slope(1e-30, 1e20, 1e38), -1e-32);
        near(slope(1e-36, 1e-20, 1e25), -1e29);
        near(slope(1e25, 1e-20, 1e-36), -1e29);
        assert_eq!(slope(1e38, 1e-30, 0.0), 0.0);
        assert_eq!(slope(0.0, 1e-30, 1e30), 0.0);
    }

    #[test]
    #[should_panic(expected = "add: v0 is 2×3 but v1 is 3×2")]
    fn shapes_that_do_not_fit() {
        let mut tape = Tape::new();
        let (a, b) = (tape.constant(&filled(2, 3)), tape.constant(&filled(3, 2)));
        tape.add(a, b);
    }
}
