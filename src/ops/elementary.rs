//! Elementary functions, entry by entry.

use super::{Elementwise, Unary};
use crate::Float;
use crate::tape::{Args, Tape, Var};

impl<T: Float> Tape<T> {
    /// c·x with a constant c.
    ///
    /// # Panics
    /// If `x` is stale; so for all methods of this file.
    #[track_caller]
    pub fn scale(&mut self, x: impl Into<Var>, c: T) -> Var {
        self.elementwise(&Elementwise(Scale), x, Args::scalar(c))
    }

    /// eˣ.
    #[track_caller]
    pub fn exp(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(&Elementwise(Exp), x, Args::NONE)
    }

    /// Natural logarithm. NaN below zero, −∞ at zero.
    #[track_caller]
    pub fn ln(&mut self, x: impl Into<Var>) -> Var {
        self.elementwise(&Elementwise(Ln), x, Args::NONE)
    }
}

struct Scale;
impl<T: Float> Unary<T> for Scale {
    const NAME: &'static str = "scale";
    const SCALARS: usize = 1;
    #[inline(always)]
    fn value(x: T, args: &Args<T>) -> T {
        args.scalars[0] * x
    }
    #[inline(always)]
    fn slope(_: T, _: T, args: &Args<T>) -> T {
        args.scalars[0]
    }
}

struct Exp;
impl<T: Float> Unary<T> for Exp {
    const NAME: &'static str = "exp";
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        x.exp()
    }
    #[inline(always)]
    fn slope(_: T, y: T, _: &Args<T>) -> T {
        y
    }
}

struct Ln;
impl<T: Float> Unary<T> for Ln {
    const NAME: &'static str = "ln";
    #[inline(always)]
    fn value(x: T, _: &Args<T>) -> T {
        x.ln()
    }
    #[inline(always)]
    fn slope(x: T, _: T, _: &Args<T>) -> T {
        T::ONE / x
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check_op, filled};

    #[test]
    fn gradients() {
        for (m, n) in [(1, 1), (3, 4), (0, 3), (2, 0)] {
            let (x, positive) = (filled(m, n), filled(m, n).map(|x| x.abs() + 0.2));
            check_op(std::slice::from_ref(&x), |t, x| t.scale(x[0], -1.7));
            check_op(&[x], |t, x| t.exp(x[0]));
            check_op(&[positive], |t, x| t.ln(x[0]));
        }
    }
}
