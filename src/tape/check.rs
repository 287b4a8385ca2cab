//! Gradients against central differences.

use std::fmt;

use nalgebra::DMatrix;

use super::{Shape, Tape, Var};

/// What [`check_gradient`] found: the entry in which the two gradients differ most.
#[derive(Clone, Debug)]
pub struct GradientCheck {
    /// Name of the operation that made the checked value.
    pub op: String,
    /// Which input the worst entry belongs to.
    pub operand: usize,
    /// Row and column of the worst entry.
    pub position: (usize, usize),
    /// What the backward pass says there.
    pub analytic: f64,
    /// What central differences say there.
    pub numeric: f64,
    /// |analytic − numeric| / max(1, |analytic|, |numeric|); NaN if either is.
    pub error: f64,
}

impl GradientCheck {
    /// # Panics
    /// If the error is above `tolerance`, or not a number; the message names both gradients.
    #[track_caller]
    pub fn assert_below(&self, tolerance: f64) {
        assert!(self.error <= tolerance, "{self} (tolerance {tolerance:e})");
    }
}

impl fmt::Display for GradientCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GradientCheck { op, operand, position: (row, col), analytic, numeric, error } = self;
        write!(
            f,
            "{op}: gradient of operand {operand} at ({row}, {col}): backward says {analytic:e}, central \
             differences say {numeric:e}, relative error {error:e}"
        )
    }
}

/// Half the width of the stencil below is 2·STEP; keep kinks farther than that from the inputs.
const STEP: f64 = 1e-3;

/// Compares the gradient of `f` at `inputs` with central differences, entry by entry.
///
/// `f` builds a value of any shape from its operands; what is checked is the gradient of Σ wᵢ·yᵢ with
/// fixed weights w of both signs. The differences are of fourth order,
/// (f(x−2h) − 8f(x−h) + 8f(x+h) − f(x+2h)) / 12h with h = 10⁻³·max(1, |x|), good to about 10⁻¹⁰. The
/// backward pass starts from gradients that are not zero, so that one that overwrites is found as well.
///
/// ```
/// use nalgebra::dmatrix;
/// use tapegrad::check_gradient;
///
/// let inputs = [dmatrix![0.3, -0.7; 1.1, 0.2]];
/// check_gradient(&inputs, |tape, x| tape.exp(x[0])).assert_below(1e-8);
/// ```
///
/// # Panics
/// If `f` builds a value that depends on none of its operands.
pub fn check_gradient(inputs: &[DMatrix<f64>], f: impl Fn(&mut Tape, &[Var]) -> Var) -> GradientCheck {
    check(inputs, &f)
}

/// Compiled once, and not for each function that is checked.
fn check(inputs: &[DMatrix<f64>], f: &dyn Fn(&mut Tape, &[Var]) -> Var) -> GradientCheck {
    let weighted_sum = |inputs: &[DMatrix<f64>]| -> f64 {
        let mut tape = Tape::new();
        let operands: Vec<Var> = inputs.iter().map(|x| tape.variable(x)).collect();
        let y = f(&mut tape, &operands);
        tape.value_slice(y).iter().enumerate().map(|(i, y)| weight(i) * y).sum()
    };

    let mut tape = Tape::new();
    let params: Vec<_> = inputs.iter().map(|x| tape.param(x)).collect();
    let operands: Vec<Var> = params.iter().map(|p| p.var()).collect();
    let y = f(&mut tape, &operands);
    tape.param_grads_mut().fill(1.0);
    tape.backward_with(y, |w| w.iter_mut().enumerate().for_each(|(i, w)| *w = weight(i)));

    let mut worst = GradientCheck {
        op: tape.op_name(y).to_string(),
        operand: 0,
        position: (0, 0),
        analytic: 0.0,
        numeric: 0.0,
        error: 0.0,
    };
    for (operand, p) in params.iter().enumerate() {
        let shape: Shape = tape.param_shape(*p);
        for row in 0..shape.rows {
            for col in 0..shape.cols {
                let x = inputs[operand][(row, col)];
                let h = STEP * x.abs().max(1.0);
                let at = |steps: f64| {
                    let mut moved = inputs.to_vec();
                    moved[operand][(row, col)] = x + steps * h;
                    weighted_sum(&moved)
                };
                let numeric = (at(-2.0) - 8.0 * at(-1.0) + 8.0 * at(1.0) - at(2.0)) / (12.0 * h);
                let analytic = tape.grad(*p)[(row, col)] - 1.0;
                let error = (analytic - numeric).abs() / analytic.abs().max(numeric.abs()).max(1.0);
                if error > worst.error || error.is_nan() {
                    worst =
                        GradientCheck { operand, position: (row, col), analytic, numeric, error, ..worst };
                }
                if error.is_nan() {
                    return worst;
                }
            }
        }
    }
    worst
}

/// Upstream weights between −1 and 1, without a pattern that a wrong gradient could share.
fn weight(i: usize) -> f64 {
    ((i as f64 + 1.0) * 0.754_877_666).fract() * 2.0 - 0.9
}
