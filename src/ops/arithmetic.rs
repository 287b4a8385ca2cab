//! a + b, a − b, a ∘ b, a / b with broadcasting.

use super::{Binary, Broadcast};
use crate::Float;
use crate::tape::{Tape, Var};

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
        self.broadcast(&Broadcast(Add), a, b)
    }

    /// a − b, broadcast as [`add`](Tape::add).
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    #[track_caller]
    pub fn sub(&mut self, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        self.broadcast(&Broadcast(Sub), a, b)
    }

    /// a ∘ b, entry by entry, broadcast as [`add`](Tape::add). For the matrix product see
    /// [`matmul`](Tape::matmul).
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    #[track_caller]
    pub fn mul(&mut self, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        self.broadcast(&Broadcast(Mul), a, b)
    }

    /// a / b, entry by entry, broadcast as [`add`](Tape::add). Division by zero gives ±∞ or NaN, as
    /// IEEE 754 has it.
    ///
    /// # Panics
    /// If the shapes do not fit, or an operand is stale.
    #[track_caller]
    pub fn div(&mut self, a: impl Into<Var>, b: impl Into<Var>) -> Var {
        self.broadcast(&Broadcast(Div), a, b)
    }
}

struct Add;
impl<T: Float> Binary<T> for Add {
    const NAME: &'static str = "add";
    #[inline(always)]
    fn value(a: T, b: T) -> T {
        a + b
    }
    #[inline(always)]
    fn slope_a(_: T, _: T) -> T {
        T::ONE
    }
    #[inline(always)]
    fn slope_b(_: T, _: T) -> T {
        T::ONE
    }
}

struct Sub;
impl<T: Float> Binary<T> for Sub {
    const NAME: &'static str = "sub";
    #[inline(always)]
    fn value(a: T, b: T) -> T {
        a - b
    }
    #[inline(always)]
    fn slope_a(_: T, _: T) -> T {
        T::ONE
    }
    #[inline(always)]
    fn slope_b(_: T, _: T) -> T {
        -T::ONE
    }
}

struct Mul;
impl<T: Float> Binary<T> for Mul {
    const NAME: &'static str = "mul";
    #[inline(always)]
    fn value(a: T, b: T) -> T {
        a * b
    }
    #[inline(always)]
    fn slope_a(_: T, b: T) -> T {
        b
    }
    #[inline(always)]
    fn slope_b(a: T, _: T) -> T {
        a
    }
}

struct Div;
impl<T: Float> Binary<T> for Div {
    const NAME: &'static str = "div";
    #[inline(always)]
    fn value(a: T, b: T) -> T {
        a / b
    }
    #[inline(always)]
    fn slope_a(_: T, b: T) -> T {
        T::ONE / b
    }
    #[inline(always)]
    fn slope_b(a: T, b: T) -> T {
        -a / (b * b)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled};
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

    #[test]
    #[should_panic(expected = "add: v0 is 2×3 but v1 is 3×2")]
    fn shapes_that_do_not_fit() {
        let mut tape = Tape::new();
        let (a, b) = (tape.constant(&filled(2, 3)), tape.constant(&filled(3, 2)));
        tape.add(a, b);
    }
}
