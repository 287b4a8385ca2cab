//! Gradients of gradients.

use crate::ops::{Attention, Convolution, ImageShape};
use crate::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// d/dx of sin x, again and again.
#[test]
fn higher_orders() {
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 1, &[0.7]);
    let mut y = tape.sin(x);
    for expected in [0.7f64.cos(), -0.7f64.sin(), -0.7f64.cos(), 0.7f64.sin(), 0.7f64.cos()] {
        y = tape.gradient(y, &[x])[0];
        assert!((tape.item(y) - expected).abs() < 1e-15, "{} and not {expected}", tape.item(y));
    }
}

/// Values on the way, what is asked for twice, and what there is no way to.
#[test]
fn values_on_the_way() {
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 2, &[1.0, 2.0]);
    let square = tape.square(x);
    let other = tape.variable_slice(1, 1, &[1.0]);
    let product = tape.mul(square, x);
    let y = tape.sum(product);
    let found = tape.gradient(y, &[x, square, x, other, y]);
    let values: Vec<&[f64]> = found.iter().map(|v| tape.value_slice(*v)).collect();
    assert_eq!(values, [&[3.0, 12.0][..], &[1.0, 2.0], &[3.0, 12.0], &[0.0], &[1.0]]);
    let constant = tape.scalar(1.0);
    let zero = tape.gradient(constant, &[x])[0];
    assert_eq!(tape.value_slice(zero), [0.0; 2]);
}

/// Of a function that is linear, or in which nothing counts, the gradient is the same everywhere: its own is 0.
#[test]
fn gradients_that_are_constant() {
    let sum: fn(&mut Tape, Var) -> Var = |t, x| t.sum(x);
    let nothing: fn(&mut Tape, Var) -> Var = |t, x| {
        let loss = t.cross_entropy_ignoring(x, &[2, 2, 2], 2);
        t.scale(loss, 3.0)
    };
    let hidden: fn(&mut Tape, Var) -> Var = |t, x| {
        let y = t.attention(x, x, x, Attention::new(3, 1).with_lengths(&[0, 0, 0]));
        t.sum(y)
    };
    for (function, slope) in [(sum, 1.0), (nothing, 0.0), (hidden, 0.0)] {
        let mut tape = Tape::new();
        // An infinite entry is not multiplied by 0.
        let x = tape.variable_slice(3, 2, &[1.0, 2.0, 3.0, -4.0, f64::INFINITY, 0.0]);
        let y = function(&mut tape, x);
        let g = tape.gradient(y, &[x])[0];
        assert_eq!(tape.value_slice(g), [slope; 6]);
        let squares = tape.square(g);
        let penalty = tape.sum(squares);
        let again = tape.gradient(penalty, &[x])[0];
        assert_eq!(tape.value_slice(again), [0.0; 6]);
        tape.backward(penalty);
        assert_eq!(tape.grad_slice(x), [0.0; 6]);
    }
}

/// Images and factors that no convolution takes, and a factor that nothing is done with.
#[test]
fn windows_of_any_size() {
    let mut tape = Tape::<f32>::default();
    let x = tape.variable_with(1, 20_000, |x| x.fill(2.0));
    let mean = tape.global_avg_pool(x, ImageShape::new(1, 1, 20_000));
    let square = tape.square(mean);
    let g = tape.gradient(square, &[x])[0];
    assert_eq!(tape.value_slice(g), [4.0 / 20_000.0; 20_000]);
    let sum = tape.sum(g);
    tape.backward(sum);
    // Σ 2·mean/n over n pixels is 2·mean, and its gradient 2/n.
    assert!(tape.grad_slice(x).iter().all(|g| (g - 1e-4).abs() < 1e-10));

    let none = tape.variable_with(0, 1, |_| ());
    let larger = tape.upsample(none, ImageShape::new(1, 1, 1), 20_000);
    let sum = tape.sum(larger);
    let g = tape.gradient(sum, &[none])[0];
    assert_eq!(tape.shape(g), Shape::new(0, 1));
}

/// A product of the Hessian and a vector, of a network of filters, against differences of gradients.
#[test]
fn the_hessian_of_a_network() {
    let form = Convolution::new(ImageShape::new(2, 4, 4), 3, 3).padding(1);
    let fill = |x: &mut [f64], shift: f64| {
        x.iter_mut().enumerate().for_each(|(i, x)| *x = ((i as f64 + shift) * 0.618_034).fract() - 0.5);
    };
    let gradient = |step: f64| -> (Vec<f64>, Vec<f64>) {
        let mut tape = Tape::new();
        let w = tape.param_with(18, 3, |w| fill(w, 0.0));
        let u = tape.param_with(48, 2, |u| fill(u, 5.0));
        let mut v = vec![0.0; 18 * 3 + 48 * 2];
        fill(&mut v, 9.0);
        tape.param_values_mut().iter_mut().zip(&v).for_each(|(x, v)| *x += step * v);
        let x = tape.constant_with(3, 32, |x| fill(x, 2.0));
        let y = tape.conv2d(x, w, None, &form);
        let y = tape.tanh(y);
        let y = tape.matmul(y, u);
        let loss = tape.cross_entropy(y, &[0, 1, 1]);
        let gradients = tape.gradient(loss, &[w.var(), u.var()]);
        let flat: Vec<f64> = gradients.iter().flat_map(|g| tape.value_slice(*g).to_vec()).collect();
        let mut along = tape.scalar(0.0);
        for (gradient, v) in gradients.iter().zip([&v[..54], &v[54..]]) {
            let shape = tape.shape(*gradient);
            let v = tape.constant_slice(shape.rows, shape.cols, v);
            let product = tape.mul(*gradient, v);
            let sum = tape.sum(product);
            along = tape.add(along, sum);
        }
        tape.backward(along);
        (flat, tape.param_grads().to_vec())
    };
    let (_, hessian) = gradient(0.0);
    let [a, b, c, d] = [-2.0, -1.0, 1.0, 2.0].map(|steps| gradient(steps * 1e-3).0);
    assert!(hessian.iter().any(|x| x.abs() > 1e-3));
    for (i, found) in hessian.iter().enumerate() {
        let numeric = (a[i] - 8.0 * b[i] + 8.0 * c[i] - d[i]) / 12e-3;
        assert!((found - numeric).abs() < 1e-9, "{i}: {found} and {numeric}");
    }
}

/// A long chain takes time and memory in proportion to its length, and no stack.
#[test]
fn a_long_chain() {
    let n = if cfg!(miri) { 50 } else { 100_000 };
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 1, &[0.5]);
    let y = (0..n).fold(x, |y, _| tape.sin(y));
    let before = tape.len();
    let slope = tape.gradient(y, &[x])[0];
    assert!(tape.len() - before <= 2 * n + 2);
    tape.backward(y);
    assert!((tape.item(slope) / tape.grad_slice(x)[0] - 1.0).abs() < 1e-9);
}

/// Cut into as many parts as it has rows, a value gets one gradient of its size, and not one for each part.
#[test]
fn parts_of_a_value_are_put_together_once() {
    let n = if cfg!(miri) { 5 } else { 300 };
    for by_rows in [true, false] {
        let mut tape = Tape::new();
        let x =
            tape.variable_with(n, n, |x| x.iter_mut().enumerate().for_each(|(i, x)| *x = i as f64 * 1e-3));
        let square = tape.square(x);
        let mut total = tape.scalar(0.0);
        for i in (0..n).rev().filter(|i| *i != 1) {
            let part =
                if by_rows { tape.slice_rows(square, i..i + 1) } else { tape.slice_cols(square, i..i + 1) };
            let sines = tape.sin(part);
            let sum = tape.sum(sines);
            total = tape.add(total, sum);
        }
        let before = tape.numbers();
        let gradient = tape.gradient(total, &[x])[0];
        assert!(tape.numbers() - before <= 12 * n * n, "{} numbers", tape.numbers() - before);
        tape.backward(total);
        let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
        assert!(tape.value_slice(gradient).iter().zip(tape.grad_slice(x)).all(close));
    }
}

/// Parts that overlap, that come again, and that hold nothing.
#[test]
fn parts_that_overlap() {
    let ranges = [(0, 2), (1, 3), (0, 2), (3, 3), (0, 4), (2, 4), (0, 0), (1, 2)];
    for by_rows in [true, false] {
        let mut tape = Tape::new();
        let x = tape.variable_with(4, 4, |x| x.iter_mut().enumerate().for_each(|(i, x)| *x = i as f64 * 0.1));
        let mut total = tape.sum(x);
        for (from, to) in ranges {
            let part = if by_rows { tape.slice_rows(x, from..to) } else { tape.slice_cols(x, from..to) };
            let product = tape.mul(part, part);
            let cubes = tape.mul(product, part);
            let sum = tape.sum(cubes);
            total = tape.add(total, sum);
        }
        let gradient = tape.gradient(total, &[x])[0];
        let again = tape.square(gradient);
        let again = tape.sum(again);
        let second = tape.gradient(again, &[x])[0];
        tape.backward(total);
        let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
        assert!(tape.value_slice(gradient).iter().zip(tape.grad_slice(x)).all(close));
        tape.backward(again);
        assert!(tape.value_slice(second).iter().zip(tape.grad_slice(x)).all(close));
    }
}

/// The identity, by way of nothing but its input, a constant, and a value from before.
struct Same;

impl Operation<f64> for Same {
    fn name(&self) -> &'static str {
        "same"
    }
    fn forward(&self, mut cx: Forward<'_, f64>) {
        cx.map(|x| x);
    }
    fn backward(&self, mut cx: Backward<'_, f64>) {
        let dy = cx.dy();
        cx.add_map(0, dy, |dy| dy);
    }
    fn record(&self, mut cx: Recorder<'_, f64>) {
        cx.through(|_, x| x[0]);
    }
}

#[test]
fn what_stands_for_a_value_may_be_an_input() {
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 1, &[0.7]);
    let y = tape.apply(&Same, &[x], Shape::SCALAR, Args::NONE);
    let product = tape.mul(y, x);
    let both = tape.gradient(product, &[y, x]);
    assert_eq!(both.iter().map(|v| tape.item(*v)).collect::<Vec<_>>(), [0.7, 1.4]);
}

struct Wrong;

impl Operation<f64> for Wrong {
    fn name(&self) -> &'static str {
        "wrong"
    }
    fn forward(&self, mut cx: Forward<'_, f64>) {
        cx.y().fill(0.0);
    }
    fn backward(&self, _: Backward<'_, f64>) {}
    fn record(&self, mut cx: Recorder<'_, f64>) {
        let dy = cx.dy();
        cx.add(0, dy);
    }
}

#[test]
#[should_panic(expected = "gradient: wrong gives 2×2 for its input 0, v0, which is 3×3")]
fn a_term_of_another_shape_is_named() {
    let mut tape = Tape::new();
    let x = tape.variable_with(3, 3, |_| ());
    let y = tape.apply(&Wrong, &[x], Shape::new(2, 2), Args::NONE);
    let sum = tape.sum(y);
    tape.gradient(sum, &[x]);
}

#[test]
#[should_panic(expected = "gradient: v1 (square) was computed before the parameters changed")]
fn after_an_optimizers_step() {
    let mut tape = Tape::new();
    let p = tape.param_slice(1, 1, &[0.7]);
    let y = tape.square(p);
    tape.param_values_mut()[0] = 0.5;
    tape.gradient(y, &[p.var()]);
}

#[test]
#[should_panic(expected = "gradient: v1 is stale")]
fn after_a_rewind() {
    let mut tape = Tape::new();
    let p = tape.param_slice(1, 1, &[0.7]);
    let y = tape.square(p);
    tape.rewind();
    tape.gradient(y, &[p.var()]);
}

/// What is cut off gets nothing, buffers have no gradient, and a clone goes on with the handles of the first one.
#[test]
fn constants_and_clones() {
    let mut tape = Tape::new();
    let p = tape.param_slice(1, 1, &[0.7]);
    let buffer = tape.buffer_with(1, 1, |x| x[0] = 3.0);
    let square = tape.square(p);
    let cut = tape.detach(square);
    let product = tape.mul(cut, p);
    let y = tape.mul(product, buffer);
    let slope = tape.gradient(y, &[p.var()])[0];
    assert!((tape.item(slope) - 3.0 * 0.49).abs() < 1e-15);
    let line = tape.mul(slope, p);
    let mut clone = tape.clone();
    for tape in [&mut tape, &mut clone] {
        let again = tape.gradient(line, &[p.var()])[0];
        // The slope itself is a constant.
        assert!((tape.item(again) - 3.0 * 0.49).abs() < 1e-15);
        tape.zero_grad();
        tape.backward(line);
        assert!((tape.grad_slice(p)[0] - 3.0 * 0.49).abs() < 1e-15);
    }
}

/// The upstream gradient may depend on the same values: then the result depends on it. This is how a derivative along
/// a direction is made of two gradients.
#[test]
fn a_derivative_along_a_direction() {
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 2, &[0.3, -0.8]);
    let y = tape.sin(x);
    let any = tape.variable_slice(1, 2, &[0.0; 2]);
    let back = tape.gradient_with(y, any, &[x])[0];
    let direction = tape.constant_slice(1, 2, &[2.0, 5.0]);
    let along = tape.gradient_with(back, direction, &[any])[0];
    for (found, expected) in tape.value_slice(along).iter().zip([2.0 * 0.3f64.cos(), 5.0 * 0.8f64.cos()]) {
        assert!((found - expected).abs() < 1e-15);
    }
}

/// The line that asked for the gradient is told, and a mask is no anomaly.
#[test]
fn anomalies_name_the_line() {
    let mut tape = Tape::new();
    tape.detect_anomalies(true);
    let x = tape.variable_with(4, 2, |x| x.iter_mut().enumerate().for_each(|(i, x)| *x = i as f64 * 0.3));
    let y = tape.attention(x, x, x, crate::ops::Attention::new(1, 1).causal());
    let y = tape.norm(y);
    let slope = tape.gradient(y, &[x])[0];
    let slope = tape.norm(slope);
    tape.gradient(slope, &[x]);
    assert!(tape.anomaly().is_none(), "{}", tape.anomaly().unwrap());
    let zero = tape.variable_slice(1, 1, &[0.0]);
    let root = tape.sqrt(zero);
    let (line, _) = (line!(), tape.gradient(root, &[zero]));
    let found = tape.anomaly().expect("1/0");
    let caller = found.caller.expect("it was called under watch");
    assert_eq!((found.op, caller.file(), caller.line()), ("div", file!(), line));
    tape.detect_anomalies(true);
    let _ = tape.ln(zero);
    assert_eq!(tape.anomaly().unwrap().caller.unwrap().line(), line!() - 1);
}

struct Twice;

impl Operation<f64> for Twice {
    fn name(&self) -> &'static str {
        "twice"
    }
    fn forward(&self, mut cx: Forward<'_, f64>) {
        cx.map(|x| 2.0 * x);
    }
    fn backward(&self, mut cx: Backward<'_, f64>) {
        let dy = cx.dy();
        cx.add_map(0, dy, |dy| 2.0 * dy);
    }
}

#[test]
#[should_panic(expected = "gradient: v1 (twice) has no gradient that can be recorded")]
fn an_operation_without_one_is_named() {
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 1, &[0.7]);
    let y = tape.apply(&Twice, &[x], Shape::SCALAR, Args::NONE);
    tape.gradient(y, &[x]);
}

#[test]
#[should_panic(expected = "gradient: v1 (constant) depends on no parameter and no variable")]
fn for_a_constant() {
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 1, &[0.7]);
    let c = tape.scalar(1.0);
    let y = tape.mul(x, c);
    tape.gradient(y, &[c]);
}

#[test]
#[should_panic(expected = "gradient: v1 is 1×2, not a scalar")]
fn no_scalar() {
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 2, &[0.7, 0.1]);
    let y = tape.exp(x);
    tape.gradient(y, &[x]);
}

#[test]
#[should_panic(expected = "gradient: v1 is 1×2, but its upstream gradient v2 is 1×1")]
fn another_upstream() {
    let mut tape = Tape::new();
    let x = tape.variable_slice(1, 2, &[0.7, 0.1]);
    let y = tape.exp(x);
    let one = tape.scalar(1.0);
    tape.gradient_with(y, one, &[x]);
}
