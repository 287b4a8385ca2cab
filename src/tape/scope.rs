//! Formulas that read as formulas: [`Tape::scope`], and its expressions with operators.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::{Param, Shape, Tape, Var};
use crate::Float;

/// # Formulas
/// Operations written as expressions.
impl<T: Float> Tape<T> {
    /// Runs `formula`, in which values are expressions: operands of + − × ÷, with every operation as a method.
    ///
    /// An [`Expr`] is a [`Var`] with the tape at hand. Each operator and each method appends one node to this
    /// tape at once, the node that the method of [`Tape`] appends, and nothing else is stored. So a formula has
    /// the same nodes and the same bits as the plain calls, and `scope` returns what the closure returns: with
    /// [`Expr::var`], the [`Var`] of the result.
    ///
    /// ```
    /// use tapegrad::Tape;
    ///
    /// // Rosenbrock's function, (1 − x)² + 100·(y − x²)².
    /// let mut tape = Tape::new();
    /// let x = tape.param_slice(1, 1, &[-1.2]);
    /// let y = tape.param_slice(1, 1, &[1.0]);
    /// let loss = tape.scope(|s| {
    ///     let (x, y) = (s.var(x), s.var(y));
    ///     ((1.0 - x).square() + 100.0 * (y - x * x).square()).var()
    /// });
    /// tape.backward(loss);
    /// assert!((tape.item(loss) - 24.2).abs() < 1e-12);
    /// assert!((tape.grad_slice(x)[0] + 215.6).abs() < 1e-12);
    /// assert!((tape.grad_slice(y)[0] + 88.0).abs() < 1e-12);
    /// ```
    ///
    /// Operands are matrices here as everywhere, and are broadcast. `*` is entry by entry, as
    /// [`mul`](Tape::mul); the product of matrices is [`matmul`](Expr::matmul). An operand of an operator or a
    /// method is an expression, a [`Var`] or a [`Param`]:
    ///
    /// ```
    /// use tapegrad::Tape;
    ///
    /// let mut tape = Tape::<f32>::default();
    /// let w = tape.param_slice(2, 2, &[1.0, 0.0, 0.5, -1.0]);
    /// let b = tape.param_slice(1, 2, &[0.1, 0.2]);
    /// let x = tape.constant_slice(3, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    /// let loss = tape.scope(|s| {
    ///     let hidden = (s.var(x).matmul(w) + b).tanh();
    ///     let centred = hidden - hidden.mean_rows();
    ///     let penalty = 0.01 * s.var(w).square().sum();
    ///     (centred.cross_entropy(&[0, 1, 0]) + penalty).var()
    /// });
    /// tape.backward(loss);
    /// ```
    ///
    /// An expression cannot leave the closure; a `Var` can. Inside the closure the tape itself is reached with
    /// [`Scope::on_tape`]:
    ///
    /// ```compile_fail
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.scalar(2.0);
    /// let escaped = tape.scope(|s| s.var(x)); // without .var() at the end
    /// ```
    pub fn scope<R>(&mut self, formula: impl FnOnce(Scope<'_, T>) -> R) -> R {
        let tape = RefCell::new(self);
        formula(Scope { tape: &tape })
    }
}

/// Where the expressions of a [`Tape::scope`] are made.
#[derive(Clone, Copy)]
pub struct Scope<'s, T: Float = f64> {
    tape: &'s RefCell<&'s mut Tape<T>>,
}

impl<'s, T: Float> Scope<'s, T> {
    /// A value on the tape, a [`Var`] or a [`Param`], as an expression. It appends nothing.
    ///
    /// # Panics
    /// If `v` is stale.
    #[track_caller]
    pub fn var(self, v: impl Into<Var>) -> Expr<'s, T> {
        let var = v.into();
        self.tape().shape_for("var", var);
        Expr { scope: self, var }
    }

    /// A number as an expression: a 1×1 constant, which is a node of its own. The operators take numbers as
    /// they are; this is for the operands of methods.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.constant_slice(1, 3, &[-1.0, 2.0, 3.0]);
    /// let y = tape.scope(|s| s.var(x).minimum(s.number(2.5)).var());
    /// assert_eq!(tape.value_slice(y), [-1.0, 2.0, 2.5]);
    /// ```
    #[track_caller]
    pub fn number(self, c: T) -> Expr<'s, T> {
        let var = self.tape().scalar(c);
        Expr { scope: self, var }
    }

    /// What `append` puts on the tape, as an expression: for constants, for operations of a list of operands,
    /// and for functions that take a tape.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.constant_slice(1, 2, &[1.0, 2.0]);
    /// let y = tape.scope(|s| {
    ///     let twice = 2.0 * s.var(x);
    ///     let both = s.on_tape(|tape| tape.concat_cols(&[x, twice.var()]));
    ///     (both + 1.0).var()
    /// });
    /// assert_eq!(tape.value_slice(y), [2.0, 3.0, 3.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If an expression is computed inside `append`, where the tape is in use: compute it before.
    #[track_caller]
    pub fn on_tape(self, append: impl FnOnce(&mut Tape<T>) -> Var) -> Expr<'s, T> {
        let var = append(&mut self.tape());
        self.var(var)
    }

    #[inline]
    #[track_caller]
    fn tape(self) -> RefMut<'s, &'s mut Tape<T>> {
        match self.tape.try_borrow_mut() {
            Ok(tape) => tape,
            Err(_) => {
                panic!("an expression was computed inside of on_tape, which uses the tape: do it before")
            }
        }
    }
}

/// A value on the tape inside a [`Tape::scope`]: its operators and methods append nodes.
///
/// It is `Copy`, it prints as its [`Var`] does, and it is taken wherever a [`Var`] is. It belongs to its own
/// tape: an operator between expressions of two scopes does not compile, and as the operand of a method of
/// another tape it panics, as a [`Var`] of another tape does.
///
/// A function of expressions names their scope once, since they must be of the same one:
///
/// ```
/// use tapegrad::{Expr, Float, Tape};
///
/// fn squared_distance<'s, T: Float>(a: Expr<'s, T>, b: Expr<'s, T>) -> Expr<'s, T> {
///     (a - b).square().sum()
/// }
///
/// let mut tape = Tape::new();
/// let (a, b) = (tape.scalar(1.0), tape.scalar(4.0));
/// let y = tape.scope(|s| squared_distance(s.var(a), s.var(b)).var());
/// assert_eq!(tape.item(y), 9.0);
/// ```
///
/// Numbers stand on either side of an operator: `2.0 * x`, `x - 1.0`. What they cost:
///
/// | formula | nodes |
/// |---|---|
/// | `x + c`, `x - c`, `c + x` | [`shift`](Tape::shift) |
/// | `c * x`, `x * c` | [`scale`](Tape::scale) |
/// | `-x` | [`neg`](Tape::neg) |
/// | `c - x` | `neg`, `shift` |
/// | `x / c`, `c / x` | a 1×1 constant, [`div`](Tape::div) |
///
/// All of them are rounded once, as the operation of two values is. For a quotient that takes the constant:
/// `scale` by 1/c would round twice. Write `x * 0.25` where the reciprocal is exact or good enough.
///
/// In code that is generic over [`Float`] a number of type `T` can stand on the right side only, since Rust
/// allows no operators of a `T` from outside. There `x * c` stands for c·x, and `-x + c` for c − x.
#[derive(Clone, Copy)]
pub struct Expr<'s, T: Float = f64> {
    scope: Scope<'s, T>,
    var: Var,
}

impl<'s, T: Float> Expr<'s, T> {
    /// The value's handle, which outlives the scope.
    pub fn var(self) -> Var {
        self.var
    }

    /// Shape of the value.
    ///
    /// # Panics
    /// Inside of [`Scope::on_tape`]; so does the next method.
    #[track_caller]
    pub fn shape(self) -> Shape {
        self.tape().shape(self.var)
    }

    /// [`Tape::item`] of this expression: the number in a 1×1 value.
    ///
    /// # Panics
    /// If the value is not 1×1.
    #[track_caller]
    pub fn item(self) -> T {
        self.tape().item(self.var)
    }

    /// [`Tape::detach`] of this expression: its value as a constant.
    #[track_caller]
    pub fn detach(self) -> Self {
        let var = self.tape().detach(self.var);
        self.with(var)
    }

    /// The tape, for one operation.
    #[inline]
    #[track_caller]
    pub(crate) fn tape(self) -> RefMut<'s, &'s mut Tape<T>> {
        self.scope.tape()
    }

    /// Another value of the same tape, which has just been made.
    #[inline]
    pub(crate) fn with(self, var: Var) -> Self {
        Expr { scope: self.scope, var }
    }
}

impl<T: Float> From<Expr<'_, T>> for Var {
    fn from(x: Expr<'_, T>) -> Var {
        x.var
    }
}

impl<T: Float> fmt::Display for Expr<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.var, f)
    }
}

impl<T: Float> fmt::Debug for Expr<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.var, f)
    }
}

impl<T: Float> Neg for Expr<'_, T> {
    type Output = Self;
    #[track_caller]
    fn neg(self) -> Self {
        Expr::neg(self)
    }
}

/// An operator with a value on the right, which may be a handle, and with a handle on the left.
macro_rules! operator_of_values {
    ($Operator:ident, $method:ident: $($Handle:ty),*) => {
        impl<'s, T: Float> $Operator for Expr<'s, T> {
            type Output = Self;
            #[track_caller]
            fn $method(self, b: Self) -> Self {
                Expr::$method(self, b)
            }
        }

        $(
            impl<'s, T: Float> $Operator<$Handle> for Expr<'s, T> {
                type Output = Self;
                #[track_caller]
                fn $method(self, b: $Handle) -> Self {
                    Expr::$method(self, b)
                }
            }

            impl<'s, T: Float> $Operator<Expr<'s, T>> for $Handle {
                type Output = Expr<'s, T>;
                #[track_caller]
                fn $method(self, b: Expr<'s, T>) -> Expr<'s, T> {
                    let result = b.tape().$method(self, b);
                    b.with(result)
                }
            }
        )*
    };
}

operator_of_values!(Add, add: Var, Param);
operator_of_values!(Sub, sub: Var, Param);
operator_of_values!(Mul, mul: Var, Param);
operator_of_values!(Div, div: Var, Param);

/// An operator with a number on the right, and with one on the left for each number type.
macro_rules! operator_of_numbers {
    ($Operator:ident, $method:ident, |$x:ident, $c:ident| $right:expr, $left:expr) => {
        impl<'s, T: Float> $Operator<T> for Expr<'s, T> {
            type Output = Self;
            #[track_caller]
            fn $method(self, $c: T) -> Self {
                let $x = self;
                $right
            }
        }

        operator_of_numbers!(f32, $Operator, $method, |$x, $c| $left);
        operator_of_numbers!(f64, $Operator, $method, |$x, $c| $left);
    };
    ($T:ident, $Operator:ident, $method:ident, |$x:ident, $c:ident| $left:expr) => {
        impl<'s> $Operator<Expr<'s, $T>> for $T {
            type Output = Expr<'s, $T>;
            #[track_caller]
            fn $method(self, $x: Expr<'s, $T>) -> Expr<'s, $T> {
                let $c = self;
                $left
            }
        }
    };
}

operator_of_numbers!(Add, add, |x, c| x.shift(c), x.shift(c));
operator_of_numbers!(Sub, sub, |x, c| x.shift(-c), Expr::neg(x).shift(c));
operator_of_numbers!(Mul, mul, |x, c| x.scale(c), x.scale(c));
operator_of_numbers!(Div, div, |x, c| Expr::div(x, x.scope.number(c)), x.scope.number(c) / x);

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::ops::testing::{check_op, filled};

    type Two = for<'s> fn(Expr<'s>, Expr<'s>) -> Expr<'s>;

    #[test]
    fn operators_append_the_nodes_of_the_methods() {
        let mut tape = Tape::new();
        let p = tape.param_slice(1, 2, &[2.0, -4.0]);
        let v = tape.variable_slice(1, 2, &[0.5, 3.0]);
        let nodes = |tape: &mut Tape, f: Two| {
            let mark = tape.mark();
            let y = tape.scope(|s| f(s.var(p), s.var(v)).var());
            let text: Vec<_> = tape.nodes_behind(v).map(|node| node.op).collect();
            let value = tape.value_slice(y).to_vec();
            tape.rewind_to(mark);
            (text.join(" "), value)
        };
        let cases: [(Two, &str, [f64; 2]); 13] = [
            (|x, y| x + y, "add", [2.5, -1.0]),
            (|x, y| x - y, "sub", [1.5, -7.0]),
            (|x, y| x * y, "mul", [1.0, -12.0]),
            (|x, y| x / y, "div", [4.0, -4.0 / 3.0]),
            (|x, _| -x, "neg", [-2.0, 4.0]),
            (|x, _| x + 3.0, "shift", [5.0, -1.0]),
            (|x, _| 3.0 + x, "shift", [5.0, -1.0]),
            (|x, _| x - 3.0, "shift", [-1.0, -7.0]),
            (|x, _| 3.0 - x, "neg shift", [1.0, 7.0]),
            (|x, _| x * 3.0, "scale", [6.0, -12.0]),
            (|x, _| 3.0 * x, "scale", [6.0, -12.0]),
            (|x, _| x / 3.0, "constant div", [2.0 / 3.0, -4.0 / 3.0]),
            (|x, _| 3.0 / x, "constant div", [1.5, -0.75]),
        ];
        for (f, names, value) in cases {
            assert_eq!(nodes(&mut tape, f), (names.to_string(), value.to_vec()));
        }
        // Handles on either side, in the order in which they stand.
        let y = tape.scope(|s| {
            let (x, y) = (s.var(p), s.var(v));
            [x - v, v - x, y / p, p / y, x + p, v * x].map(Expr::var)
        });
        let values = y.map(|y| tape.value_slice(y)[0]);
        assert_eq!(values, [1.5, -1.5, 0.25, 4.0, 4.0, 1.0]);
    }

    #[test]
    fn gradients() {
        check_op(&[filled(3, 4), filled(1, 4)], |t, v| {
            t.scope(|s| {
                let (x, y) = (s.var(v[0]), s.var(v[1]));
                let quotient = (2.0 - x) / (1.0 + y * y) + 0.5 / (x.square() + 1.5);
                (x * x - quotient / 3.0 + (-y).exp() * x.sin()).var()
            })
        });
        check_op(&[filled(3, 4), filled(4, 2), filled(1, 2)], |t, v| {
            t.scope(|s| {
                let z = s.var(v[0]).linear(v[1], s.var(v[2])).tanh();
                (z.layer_norm(v[2], v[2], 1e-5).cross_entropy(&[1, 0, 1]) - z.mean()).var()
            })
        });
    }

    #[test]
    fn numbers_of_f32_and_generic_code() {
        fn generic<T: Float>(tape: &mut Tape<T>, x: Var) -> Var {
            tape.scope(|s| (-(s.var(x) * T::of(2.0)) + T::ONE).var())
        }
        let mut tape = Tape::<f32>::default();
        let x = tape.scalar(0.25);
        let y = generic(&mut tape, x);
        let z = tape.scope(|s| (1.0 - 2.0 * s.var(x)).var());
        assert_eq!((tape.item(y), tape.item(z)), (0.5, 0.5));
    }

    #[test]
    fn what_an_expression_tells() {
        let mut tape = Tape::new();
        let x = tape.variable(&filled(2, 3));
        let sum = tape.scope(|s| {
            let x = s.var(x);
            assert_eq!(
                (x.shape(), x.to_string(), format!("{x:?}")),
                (Shape::new(2, 3), "v0".into(), "v0".into())
            );
            x.sum().item()
        });
        assert!((sum - filled(2, 3).sum()).abs() < 1e-15);
        let y = tape.scope(|s| (s.var(x).detach() * x).sum().var());
        tape.backward(y);
        assert_eq!(tape.grad(x).to_dmatrix(), filled(2, 3));
    }

    type Formula = fn(Scope<'_>, Var) -> Expr<'_>;

    /// Where a panic happens is where the formula stands, and not in this file's implementation.
    #[test]
    fn a_panic_names_the_line_of_the_formula() {
        static LAST: std::sync::Mutex<Option<(String, u32)>> = std::sync::Mutex::new(None);
        let here = std::thread::current().id();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == here {
                *LAST.lock().unwrap() = info.location().map(|at| (at.file().to_string(), at.line()));
            } else {
                before(info);
            }
        }));
        // A line each; 2×3 and 3×2 do not fit.
        let formulas: [Formula; 8] = [
            |s, x| s.var(x) + s.var(x).transpose(),
            |s, x| (s.var(x) / x).matmul(x),
            |s, x| x * s.var(x).transpose(),
            |s, x| s.var(x).cross_entropy(&[0]),
            |s, x| s.var(x).reshape(5, 1),
            |s, x| 1.0 - s.var(x).slice_rows(0..9),
            |s, _| s.var(Tape::new().scalar(1.0)),
            |s, x| s.var(x).maximum(Tape::new().scalar(1.0)),
        ];
        let mut lines = Vec::new();
        for formula in formulas {
            let mut tape = Tape::new();
            let x = tape.constant(&filled(2, 3));
            let run = AssertUnwindSafe(|| tape.scope(|s| formula(s, x).var()));
            assert!(catch_unwind(run).is_err());
            lines.push(LAST.lock().unwrap().take().unwrap());
            // The tape is as it was, but for what the formula appended before.
            assert_eq!(tape.value(x).to_dmatrix(), filled(2, 3));
        }
        let _ = std::panic::take_hook();
        let first = lines[0].1;
        for (i, (file, line)) in lines.iter().enumerate() {
            assert!(file.ends_with("scope.rs"), "{file}");
            assert_eq!(*line, first + i as u32);
        }
    }

    #[test]
    #[should_panic(
        expected = "add: v0 is stale: the tape was rewound since it was made, or it belongs to another"
    )]
    fn expressions_of_two_tapes() {
        let (mut one, mut two) = (Tape::new(), Tape::new());
        let (x, y) = (one.scalar(1.0), two.scalar(2.0));
        one.scope(|s| two.scope(|t| (s.var(x) + t.var(y).var()).var()));
    }

    #[test]
    #[should_panic(
        expected = "an expression was computed inside of on_tape, which uses the tape: do it before"
    )]
    fn an_expression_while_the_tape_is_in_use() {
        let mut tape = Tape::new();
        let x = tape.scalar(1.0);
        tape.scope(|s| s.on_tape(|_| (s.var(x) + 1.0).var()).var());
    }
}
