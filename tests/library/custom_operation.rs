//! An operation added from outside of the crate, with all that one can have: constants, numbers saved
//! for the backward pass, and an index list.

use nalgebra::DMatrix;
use tapegrad::ops::{Binary, Broadcast};
use tapegrad::{Args, Backward, Float, Forward, Operation, Recorder, Shape, Tape, Var, check_gradient};

/// yᵢ = √(ε + ‖row rᵢ of x‖²) for a list of rows r: k×1.
///
/// Backward: row rᵢ of dX gets that row of x times dyᵢ/yᵢ; 1/y is saved.
struct RowNorms;

impl<T: Float> Operation<T> for RowNorms {
    fn name(&self) -> &'static str {
        "row_norms"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, cols, rows, epsilon) = (cx.x(0), cx.shape(0).cols, cx.indices(), cx.args().scalars[0]);
        let (y, inverse) = cx.y_and_saved();
        for ((y, inverse), &row) in y.iter_mut().zip(inverse).zip(rows) {
            let row = &x[row as usize * cols..][..cols];
            *y = (epsilon + tapegrad::linalg::norm_squared(row)).sqrt();
            *inverse = T::ONE / *y;
        }
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (x, cols, rows) = (cx.x(0), cx.shape(0).cols, cx.indices());
        let (inverse, dy) = (cx.saved(), cx.dy());
        cx.add_at(0, |mut dx| {
            for (i, &row) in rows.iter().enumerate() {
                let start = row as usize * cols;
                let factor = inverse[i] * dy[i];
                dx.part(start, cols).add_map(&x[start..][..cols], |x| factor * x);
            }
        });
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (x, y, dy, all) = (cx.x(0), cx.y(), cx.dy(), cx.shape(0).rows);
        let rows: Vec<usize> = cx.indices().iter().map(|row| *row as usize).collect();
        cx.add_with(0, |tape| {
            let (factors, of_rows) = (tape.div(dy, y), tape.gather_rows(x, &rows));
            let terms = tape.mul(of_rows, factors);
            tape.scatter_rows(terms, &rows, all)
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        format!(" {}", args.scalars[0])
    }
}

#[track_caller]
fn row_norms<T: Float>(tape: &mut Tape<T>, x: Var, rows: &[u32], epsilon: T) -> Var {
    let shape = tape.shape(x);
    assert!(rows.iter().all(|&row| (row as usize) < shape.rows), "row_norms: {x} is {shape}");
    let args = Args::scalar(epsilon).saving(rows.len());
    tape.apply_indexed(&RowNorms, &[x], Shape::new(rows.len(), 1), args, rows.iter().copied())
}

fn matrix(rows: usize, cols: usize) -> DMatrix<f64> {
    DMatrix::from_fn(rows, cols, |i, j| (1.0 + i as f64 * 1.7 + j as f64 * 0.6).sin())
}

#[test]
fn gradients() {
    for rows in [&[0u32, 2][..], &[1, 1, 1, 0], &[]] {
        for cols in [1, 4, 0] {
            check_gradient(&[matrix(3, cols)], |t, x| row_norms(t, x[0], rows, 0.5)).assert_below(1e-9);
            let of_gradient = |t: &mut Tape, x: &[Var]| {
                let norms = row_norms(t, x[0], rows, 0.5);
                let cubes = t.powi(norms, 3);
                let sum = t.sum(cubes);
                t.gradient(sum, &[x[0]])[0]
            };
            check_gradient(&[matrix(3, cols)], of_gradient).assert_below(1e-8);
        }
    }
}

#[test]
fn between_built_in_operations() {
    // What is saved, and the list, must stay apart from those of the nodes before and behind.
    let network = |t: &mut Tape, x: &[Var]| {
        let norms = row_norms(t, x[0], &[2, 0, 2], 0.1);
        let scores = t.matmul_nt(norms, norms);
        let logs = t.log_softmax(scores);
        let more = row_norms(t, logs, &[1, 2], 0.2);
        let scores = t.concat_cols(&[more, more, x[1]]);
        t.cross_entropy(scores, &[2, 0])
    };
    check_gradient(&[matrix(3, 4), matrix(2, 1)], network).assert_below(1e-9);
}

#[test]
fn after_a_rewind_the_result_is_the_same() {
    let mut tape = Tape::<f32>::default();
    let w = tape.param(&matrix(3, 4).map(|x| x as f32));
    let mut step = |rows: &[u32]| {
        tape.rewind();
        tape.zero_grad();
        let y = row_norms(&mut tape, w.var(), rows, 0.5);
        let loss = tape.sum(y);
        tape.backward(loss);
        (tape.item(loss), tape.grad_slice(w).to_vec())
    };
    let first = step(&[1, 2]);
    assert_ne!(step(&[0, 0, 1]), first);
    assert_eq!(step(&[1, 2]), first);
}

#[test]
fn is_printed_as_the_others_are() {
    let mut tape = Tape::new();
    let x = tape.constant(&matrix(3, 4));
    row_norms(&mut tape, x, &[0, 2], 0.5);
    assert_eq!(tape.to_string(), "v0: 3×4 = constant\nv1: 2×1 = row_norms v0 0.5\n");
}

#[test]
#[should_panic(expected = "row_norms: v2 is stale")]
fn a_stale_operand() {
    let mut tape = Tape::new();
    tape.param(&matrix(2, 2));
    tape.scalar(1.0);
    let x = tape.constant(&matrix(3, 4));
    tape.rewind();
    tape.apply(&RowNorms, &[x], Shape::SCALAR, Args::NONE);
}

/// √(a² + b²), with broadcasting from the crate.
struct Hypotenuse;

impl Binary<f64> for Hypotenuse {
    const NAME: &'static str = "hypotenuse";

    fn value(a: f64, b: f64) -> f64 {
        Float::sqrt(a * a + b * b)
    }

    fn backward_a(a: f64, b: f64, dy: f64) -> f64 {
        a / Self::value(a, b) * dy
    }

    fn backward_b(a: f64, b: f64, dy: f64) -> f64 {
        b / Self::value(a, b) * dy
    }
}

#[test]
fn a_function_of_two_numbers() {
    let (column, row) = (matrix(3, 1), matrix(1, 4).map(|x| x + 2.0));
    check_gradient(&[column, row], |t, x| t.apply(&Broadcast(Hypotenuse), x, Shape::new(3, 4), Args::NONE))
        .assert_below(1e-9);
}
