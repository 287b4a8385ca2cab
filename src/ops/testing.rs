//! What the tests of operations share.

use nalgebra::DMatrix;

use crate::check_gradient;
use crate::tape::{Tape, Var};

/// A matrix with entries of both signs, at least 0.05 away from zero and from each other's mirror.
pub fn filled(rows: usize, cols: usize) -> DMatrix<f64> {
    DMatrix::from_fn(rows, cols, |i, j| {
        let x = ((i * cols + j) as f64 * 0.618_033_99 + 0.3).fract() * 2.0 - 1.0;
        x + 0.05 * x.signum()
    })
}

/// An upstream gradient of 4×3, as it was given to the library that reference figures come from.
pub const UPSTREAM: [f64; 12] = [
    0.5900000000000001,
    -0.746068,
    0.11786400000000015,
    0.8817960000000002,
    -0.45427199999999973,
    0.40965999999999986,
    -0.9264079999999997,
    -0.162476,
    0.7014560000000005,
    -0.634612,
    0.22932000000000058,
    0.9932520000000011,
];

/// Whether an interpreter can be asked for so many numbers: Miri takes a millisecond for a few hundred.
pub fn feasible(numbers: usize) -> bool {
    !cfg!(miri) || numbers <= 100
}

/// The gradient of `f` against central differences: alone, and with every input used three times.
#[track_caller]
pub fn check_op(inputs: &[DMatrix<f64>], f: impl Fn(&mut Tape, &[Var]) -> Var) {
    check(inputs, &f);
}

#[track_caller]
fn check(inputs: &[DMatrix<f64>], f: &dyn Fn(&mut Tape, &[Var]) -> Var) {
    if cfg!(miri) {
        return run_once(inputs, f); // every entry would be moved four times: too much for an interpreter
    }
    check_gradient(inputs, f).assert_below(1e-9);
    let fan_out = |tape: &mut Tape, x: &[Var]| {
        let (first, second) = (f(tape, x), f(tape, x));
        let product = tape.mul(first, second);
        let third = f(tape, x);
        tape.sub(product, third)
    };
    check_gradient(inputs, fan_out).assert_below(1e-8);
    check_recorded(inputs, f);
}

/// The gradient as nodes: as the backward pass has it, and its own gradient against central differences.
#[track_caller]
fn check_recorded(inputs: &[DMatrix<f64>], f: &dyn Fn(&mut Tape, &[Var]) -> Var) {
    let weight = |i: usize| ((i as f64 + 1.0) * 0.754_877_666).fract() * 2.0 - 0.9;
    let upstream = |tape: &mut Tape, y: Var| -> Var {
        let shape = tape.shape(y);
        let fill = |w: &mut [f64]| w.iter_mut().enumerate().for_each(|(i, w)| *w = weight(i));
        tape.constant_with(shape.rows, shape.cols, fill)
    };
    let mut tape = Tape::new();
    let x: Vec<Var> = inputs.iter().map(|x| tape.variable(x)).collect();
    let y = f(&mut tape, &x);
    let dy = upstream(&mut tape, y);
    let recorded = tape.gradient_with(y, dy, &x);
    let dy = tape.value_slice(dy).to_vec();
    tape.backward_slice(y, &dy);
    for (k, (x, recorded)) in x.iter().zip(&recorded).enumerate() {
        for (i, (walked, recorded)) in tape.grad_slice(*x).iter().zip(tape.value_slice(*recorded)).enumerate()
        {
            let error = (walked - recorded).abs() / walked.abs().max(1.0);
            let name = tape.op_name(y);
            assert!(error < 1e-12, "{name}: operand {k}, number {i}: {walked:e}, but recorded {recorded:e}");
        }
    }
    // Another factor for each number, and squares, so that there is a gradient also where that of `f` is constant.
    let second = |tape: &mut Tape, x: &[Var]| {
        let y = f(tape, x);
        let dy = upstream(tape, y);
        let gradients = tape.gradient_with(y, dy, x);
        let mut total = tape.scalar(0.0);
        for (x, gradient) in x.iter().zip(gradients) {
            let factors = upstream(tape, gradient);
            let product = tape.mul(gradient, factors);
            let squares = tape.square(*x);
            for part in [product, squares] {
                let sum = tape.sum(part);
                total = tape.add(total, sum);
            }
        }
        total
    };
    check_gradient(inputs, second).assert_below(1e-7);
}

/// Forward and backward, without a look at the numbers.
fn run_once(inputs: &[DMatrix<f64>], f: &dyn Fn(&mut Tape, &[Var]) -> Var) {
    let mut tape = Tape::new();
    let x: Vec<Var> = inputs.iter().map(|x| tape.variable(x)).collect();
    let y = f(&mut tape, &x);
    tape.backward_with(y, |dy| dy.fill(1.0));
}

/// Value of `f` at the row `x`, and the gradient of the sum of its entries: for single points, such as
/// kinks and extremes.
pub fn value_and_grad(x: &[f64], f: impl Fn(&mut Tape, Var) -> Var) -> (Vec<f64>, Vec<f64>) {
    both(x, &f)
}

fn both(x: &[f64], f: &dyn Fn(&mut Tape, Var) -> Var) -> (Vec<f64>, Vec<f64>) {
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, x.len(), x);
    let y = f(&mut tape, x);
    tape.backward_with(y, |dy| dy.fill(1.0));
    (tape.value_slice(y).to_vec(), tape.grad_slice(x).to_vec())
}
