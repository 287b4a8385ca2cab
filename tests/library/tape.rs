//! The arena as a user sees it.

use nalgebra::{DMatrix, dmatrix};
use tapegrad::{Shape, Tape, Var};

#[test]
fn handles_are_small_and_print() {
    // Place, tape and generation: wide enough that no two are ever taken for each other.
    assert_eq!(size_of::<Var>(), 16);
    let mut tape = Tape::new();
    let w = tape.param_slice(1, 2, &[1.0, 2.0]);
    let x = tape.constant_slice(1, 2, &[3.0, 4.0]);
    assert_eq!(format!("{w} {x} {x:?} {}", tape.shape(x)), "p0 v1 v1 1×2");
}

#[test]
fn matrices_slices_and_closures_bring_the_same_numbers() {
    let m = dmatrix![1.0, 2.0, 3.0; 4.0, 5.0, 6.0];
    let row_major = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let mut tape = Tape::new();
    let p = [
        tape.param(&m),
        tape.param_slice(2, 3, &row_major),
        tape.param_with(2, 3, |to| to.copy_from_slice(&row_major)),
    ];
    let v = [
        tape.constant(&m),
        tape.constant_slice(2, 3, &row_major),
        tape.constant_with(2, 3, |to| to.copy_from_slice(&row_major)),
        tape.variable(&m),
        tape.variable_slice(2, 3, &row_major),
        tape.variable_with(2, 3, |to| to.copy_from_slice(&row_major)),
    ];
    for var in p.map(Var::from).into_iter().chain(v) {
        assert_eq!(tape.value(var), m);
        assert_eq!(tape.value_slice(var), row_major);
    }
    assert_eq!(tape.param_numbers(), 18);
    assert_eq!(tape.param_values()[6..12], row_major);
}

#[test]
fn empty_values_have_views() {
    let mut tape = Tape::new();
    for (rows, cols) in [(0, 0), (0, 3), (3, 0)] {
        let v = tape.variable(&DMatrix::zeros(rows, cols));
        assert_eq!(tape.value(v).shape(), (rows, cols));
        let y = tape.sum(v);
        tape.backward(y);
        assert_eq!(tape.grad(v).shape(), (rows, cols));
    }
}

#[test]
fn gradients_add_up_over_micro_batches_until_zeroed() {
    let mut tape = Tape::new();
    let w = tape.param_slice(1, 1, &[3.0]);
    for factor in [1.0, 10.0] {
        tape.rewind();
        let y = tape.scale(w, factor);
        tape.backward(y);
    }
    assert_eq!(tape.grad(w)[(0, 0)], 11.0);
    tape.zero_grad();
    assert_eq!(tape.grad(w)[(0, 0)], 0.0);
}

#[test]
fn two_backward_passes_on_one_tape() {
    let mut tape = Tape::new();
    let w = tape.param_slice(1, 1, &[2.0]);
    let square = tape.mul(w, w);
    let cube = tape.mul(square, w);
    tape.backward(square);
    assert_eq!((tape.grad(w)[(0, 0)], tape.grad(cube)[(0, 0)]), (4.0, 0.0));
    tape.backward(cube);
    // 2w + 3w²: the parameter adds up; the value in between holds the last pass only.
    assert_eq!(tape.grad(w)[(0, 0)], 16.0);
    assert_eq!(tape.grad(square)[(0, 0)], 2.0);
    tape.backward(square);
    assert_eq!(tape.grad(w)[(0, 0)], 20.0);
    assert_eq!(tape.grad(square)[(0, 0)], 1.0);
}

#[test]
fn a_value_used_many_times_adds_up() {
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 2, &[3.0, -1.0]);
    let square = tape.mul(x, x);
    let fourth = tape.mul(square, square);
    let sum = tape.add(fourth, square);
    let sum = tape.add(sum, x);
    let total = tape.sum(sum);
    tape.backward(total);
    // 4x³ + 2x + 1.
    assert_eq!(tape.grad_slice(x), [115.0, -5.0]);
}

#[test]
fn an_upstream_gradient_from_any_shape() {
    let mut tape = Tape::new();
    let x = tape.variable_slice(2, 2, &[1.0, 2.0, 3.0, 4.0]);
    let y = tape.mul(x, x);
    tape.backward_slice(y, &[1.0, 0.0, 0.0, -1.0]);
    assert_eq!(tape.grad_slice(x), [2.0, 0.0, 0.0, -8.0]);

    let mut tape = Tape::new();
    let w = tape.param_slice(1, 2, &[1.0, 2.0]);
    tape.backward_with(w.var(), |u| u.copy_from_slice(&[5.0, 6.0]));
    assert_eq!(tape.grad_slice(w), [5.0, 6.0]);
}

#[test]
fn rewinding_keeps_parameters_and_memory() {
    let mut tape = Tape::new();
    let w = tape.param_slice(2, 2, &[1.0, 2.0, 3.0, 4.0]);
    let step = |tape: &mut Tape| {
        let x = tape.constant_slice(1, 2, &[1.0, -1.0]);
        let y = tape.matmul(x, w);
        let loss = tape.sum(y);
        tape.backward(loss);
        tape.rewind();
    };
    step(&mut tape);
    let held = tape.bytes();
    for _ in 0..10 {
        step(&mut tape);
    }
    assert_eq!((tape.len(), tape.numbers(), tape.bytes()), (1, 4, held));
    assert_eq!(tape.value_slice(w), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(tape.grad_slice(w), [11.0, 11.0, -11.0, -11.0]);
}

#[test]
fn a_mark_keeps_what_stands_before_it() {
    let mut tape = Tape::new();
    let w = tape.param_slice(1, 1, &[2.0]);
    let x = tape.constant_slice(1, 1, &[5.0]);
    let mark = tape.mark();
    for _ in 0..3 {
        let y = tape.mul(w, x);
        assert_eq!(tape.item(y), 10.0);
        tape.rewind_to(mark);
    }
    assert_eq!(tape.item(x), 5.0);
    tape.rewind();
    let stale = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tape.rewind_to(mark)));
    assert!(stale.is_err());
}

#[test]
fn operations_with_constants_survive_a_rewind_of_those_behind() {
    let mut tape = Tape::new();
    let w = tape.param_slice(1, 1, &[1.0]);
    let kept = tape.scale(w, 3.0);
    let mark = tape.mark();
    for factor in [5.0, 7.0] {
        let y = tape.scale(kept, factor);
        tape.zero_grad();
        tape.backward(y);
        assert_eq!(tape.grad(w)[(0, 0)], 3.0 * factor);
        tape.rewind_to(mark);
    }
}

#[test]
fn the_tape_prints_a_line_per_node() {
    let mut tape = Tape::new();
    let w = tape.param_slice(2, 1, &[1.0, 2.0]);
    tape.set_name(w, "weights");
    let x = tape.constant_slice(3, 2, &[0.0; 6]);
    let y = tape.matmul(x, w);
    tape.scale(y, 0.5);
    assert_eq!(
        tape.to_string(),
        "v0: 2×1 = param weights\nv1: 3×2 = constant\nv2: 3×1 = matmul v1 v0\nv3: 3×1 = scale v2 0.5\n"
    );
    let dot = tape.dot().to_string();
    assert!(dot.starts_with("digraph tape {") && dot.ends_with("}\n"));
    assert!(dot.contains("v1 -> v2;") && dot.contains("v0 -> v2;") && dot.contains("v0 param weights"));
}

#[test]
fn no_gradient_is_computed_for_constants() {
    let mut tape = Tape::new();
    let w = tape.param_slice(1, 1, &[2.0]);
    let x = tape.constant_slice(1, 1, &[3.0]);
    let y = tape.mul(w, x);
    tape.backward(y);
    let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tape.grad(x)[(0, 0)]));
    let message = *asked.unwrap_err().downcast::<String>().unwrap();
    assert_eq!(message, "grad: v1 (constant) depends on no parameter and no variable");
}

#[test]
fn a_detached_value_sends_nothing_back() {
    let mut tape = Tape::new();
    let w = tape.param_slice(1, 1, &[3.0]);
    let square = tape.mul(w, w);
    let fixed = tape.detach(square);
    let y = tape.mul(fixed, w);
    tape.backward(y);
    assert_eq!((tape.item(y), tape.grad(w)[(0, 0)]), (27.0, 9.0));
}

#[test]
fn a_long_chain_neither_overflows_nor_loses_its_gradient() {
    let mut tape = Tape::new();
    let x = tape.param_slice(1, 1, &[1.0]);
    let mut y = x.var();
    for _ in 0..10_000_000 {
        y = tape.add(y, x);
    }
    tape.backward(y);
    assert_eq!((tape.len(), tape.item(y), tape.grad(x)[(0, 0)]), (10_000_001, 10_000_001.0, 10_000_001.0));
}

#[track_caller]
fn message(f: impl FnOnce(&mut Tape)) -> String {
    let mut tape = Tape::new();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f(&mut tape)));
    let panic = result.expect_err("it should have panicked");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().unwrap().to_string(),
    }
}

#[test]
fn mistakes_panic_with_names_and_shapes() {
    let stale = message(|tape| {
        let x = tape.constant_slice(1, 1, &[1.0]);
        tape.rewind();
        tape.exp(x);
    });
    assert!(stale.starts_with("exp: v0 is stale: the tape was rewound since it was made"), "{stale}");

    let replaced = message(|tape| {
        let x = tape.constant_slice(1, 1, &[1.0]);
        tape.rewind();
        tape.constant_slice(1, 1, &[2.0]);
        tape.value(x);
    });
    assert!(replaced.starts_with("value: v0 is stale"), "{replaced}");

    let matrix = message(|tape| {
        let x = tape.variable_slice(2, 1, &[1.0, 2.0]);
        tape.backward(x);
    });
    assert!(matrix.starts_with("backward: v0 is 2×1, not a scalar"), "{matrix}");

    let late = message(|tape| {
        tape.constant_slice(1, 1, &[1.0]);
        tape.param_slice(1, 1, &[1.0]);
    });
    assert!(late.starts_with("param: parameters come first, but v0 (constant)"), "{late}");

    let nothing = message(|tape| {
        let x = tape.constant_slice(1, 1, &[1.0]);
        tape.backward(x);
    });
    assert_eq!(nothing, "backward: v0 (constant) depends on no parameter and no variable");

    let length = message(|tape| {
        tape.constant_slice(2, 2, &[1.0]);
    });
    assert_eq!(length, "constant: 2×2 takes 4 numbers, not 1");

    let foreign = message(|tape| {
        let mut other = Tape::new();
        let (p, x) = (other.param_slice(1, 1, &[1.0]), other.constant_slice(1, 1, &[1.0]));
        tape.param_slice(1, 1, &[2.0]);
        tape.constant_slice(1, 1, &[2.0]);
        let by_param = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tape.item(p)));
        assert!(by_param.is_err());
        tape.exp(x);
    });
    assert!(foreign.contains("exp: v1 is stale") && foreign.contains("belongs to another tape"), "{foreign}");

    let changed = message(|tape| {
        let w = tape.param_slice(1, 1, &[3.0]);
        let square = tape.mul(w, w);
        let cube = tape.mul(square, w);
        tape.backward(cube);
        tape.param_values_mut()[0] = 0.3;
        tape.backward(cube);
    });
    assert!(
        changed.starts_with("backward: v2 (mul) was computed before the parameters changed"),
        "{changed}"
    );

    let behind = message(|tape| {
        let mark = tape.mark();
        tape.param_slice(1, 1, &[1.0]);
        tape.rewind_to(mark);
    });
    assert_eq!(behind, "rewind_to: parameters were added behind the mark");

    let old = message(|tape| {
        let x = tape.variable_slice(1, 1, &[1.0]);
        tape.backward(x);
        tape.rewind();
        let y = tape.variable_slice(1, 1, &[1.0]);
        tape.grad(y);
    });
    assert!(old.starts_with("grad: v0 (variable) has none: no backward pass has ended since"), "{old}");

    let large = message(|tape| {
        tape.constant_with(4_000_000_000, 4_000_000_000, |_| ());
    });
    assert!(
        large.starts_with("constant: there is no memory for a value of 4000000000×4000000000"),
        "{large}"
    );

    let young = message(|tape| {
        let x = tape.variable_slice(1, 1, &[1.0]);
        let y = tape.exp(x);
        tape.backward(y);
        let z = tape.exp(x);
        tape.grad(z);
    });
    assert_eq!(young, "grad: v2 (exp) has none: no backward pass has ended since it was made");
}

#[test]
fn the_first_anomaly_is_named_with_its_line() {
    let mut tape = Tape::new();
    tape.detect_anomalies(true);
    let x = tape.variable_slice(1, 2, &[1.0, 0.0]);
    let line = line!() + 1;
    let y = tape.ln(x);
    tape.exp(y);
    let found = tape.anomaly().unwrap();
    assert_eq!((found.op, found.node, found.position, found.value), ("ln", y, (0, 1), f64::NEG_INFINITY));
    assert_eq!((found.caller.unwrap().file(), found.caller.unwrap().line()), (file!(), line));
    assert!(
        found
            .to_string()
            .contains("ln v0 (v1, 1×2) produced -inf at (0, 1); called at tests/library/tape.rs:")
    );

    // √x is fine at 0; its slope is not.
    let mut tape = Tape::new();
    tape.detect_anomalies(true);
    let x = tape.variable_slice(1, 2, &[1.0, 0.0]);
    let line = line!() + 1;
    let root = tape.sqrt(x);
    let y = tape.sum(root);
    assert!(tape.anomaly().is_none());
    tape.backward(y);
    let found = tape.anomaly().unwrap();
    assert_eq!((found.op, found.input, found.position), ("sqrt", Some(x), (0, 1)));
    assert_eq!((found.phase, found.caller.unwrap().line()), (tapegrad::tape::Phase::Backward, line));
    let error: tapegrad::Error = found.clone().into();
    assert!(error.to_string().contains("sqrt v0 (v1) sent the gradient inf at (0, 1) to its input v0, 1×2"));
}

#[test]
fn the_watch_tells_what_is_to_blame() {
    // A parameter that an optimizer has spoilt, and not the operation that meets it first.
    let mut tape = Tape::new();
    let w = tape.param_slice(1, 1, &[1.0]);
    tape.set_name(w, "w1");
    tape.detect_anomalies(true);
    tape.param_values_mut()[0] = f64::NAN;
    tape.exp(w);
    assert!(tape.anomaly().unwrap().to_string().starts_with("param w1 (v0, 1×1) holds NaN at (0, 0)"));

    // What a backward pass is started with.
    let mut tape = Tape::new();
    tape.detect_anomalies(true);
    let x = tape.variable_slice(1, 1, &[1.0]);
    let y = tape.exp(x);
    tape.backward_with(y, |w| w[0] = f64::INFINITY);
    assert!(tape.anomaly().unwrap().to_string().starts_with("backward from exp v0 (v1, 1×1) began with inf"));

    // A mask is no anomaly, and NaN in a constant is one; so in one that was detached.
    let mut tape = Tape::new();
    tape.detect_anomalies(true);
    let mask = tape.constant_slice(1, 2, &[0.0, f64::NEG_INFINITY]);
    tape.softmax(mask);
    assert!(tape.anomaly().is_none());
    // What stood in the arena before is none.
    let marked = tape.mark();
    tape.detect_anomalies(false);
    tape.constant_slice(1, 4, &[1.0, 1.0, f64::NAN, f64::NAN]);
    tape.rewind_to(marked);
    tape.detect_anomalies(true);
    let one = tape.constant_slice(1, 2, &[1.0, 2.0]);
    tape.detach(one);
    assert!(tape.anomaly().is_none());
    let nan = tape.constant_slice(1, 1, &[f64::NAN]);
    assert_eq!(tape.anomaly().unwrap().op, "constant");
    tape.detect_anomalies(true);
    tape.detach(nan);
    assert_eq!(tape.anomaly().unwrap().op, "constant");
}

#[test]
fn promises_of_zeros_hold_on_a_tape_that_was_used() {
    let mut tape = Tape::new();
    let w = tape.param_slice(1, 2, &[1.0, 2.0]);
    let x = tape.variable_slice(1, 2, &[7.0, 7.0]);
    let y = tape.mul(w, x);
    tape.backward_with(y, |w| w.fill(5.0));
    tape.rewind();
    // Values of leaves, and upstream gradients, begin as zeros.
    let x = tape.variable_with(1, 2, |to| to[0] = 3.0);
    assert_eq!(tape.value_slice(x), [3.0, 0.0]);
    let y = tape.mul(w, x);
    tape.zero_grad();
    tape.backward_with(y, |w| w[0] = 1.0);
    assert_eq!((tape.grad_slice(w), tape.grad_slice(x)), (&[3.0, 0.0][..], &[1.0, 0.0][..]));
    // Gradients of parameters that are made later begin as zeros.
    tape.rewind();
    let late = tape.param_slice(1, 2, &[1.0, 1.0]);
    assert_eq!(tape.grad_slice(late), [0.0, 0.0]);
}

/// y = x ∘ c, which must not be asked for the gradient of the constant c.
struct Picky;

impl tapegrad::Operation<f64> for Picky {
    fn name(&self) -> &'static str {
        "picky"
    }
    fn forward(&self, mut cx: tapegrad::Forward<'_, f64>) {
        let (x, c) = (cx.x(0), cx.x(1));
        cx.y().iter_mut().zip(x.iter().zip(c)).for_each(|(y, (x, c))| *y = x * c);
    }
    fn backward(&self, mut cx: tapegrad::Backward<'_, f64>) {
        let (c, dy) = (cx.x(1), cx.dy());
        cx.add_zip(0, c, dy, |c, dy| c * dy);
        cx.add_map(1, dy, |_| panic!("work for a constant"));
    }
}

#[test]
fn nothing_is_worked_out_for_a_constant() {
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 2, &[1.0, 2.0]);
    let c = tape.constant_slice(1, 2, &[3.0, 4.0]);
    let y = tape.apply(&Picky, &[x, c], Shape::new(1, 2), tapegrad::Args::NONE);
    tape.backward_with(y, |w| w.fill(1.0));
    assert_eq!(tape.grad_slice(x), [3.0, 4.0]);
}

#[test]
fn shapes() {
    assert_eq!(Shape::new(2, 3).numel(), 6);
    assert_eq!(Shape::new(2, 3).t(), Shape::new(3, 2));
    assert!(Shape::new(0, 3).is_empty() && !Shape::SCALAR.is_empty());
}
