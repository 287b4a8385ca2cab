//! Every operation against figures computed elsewhere, and in `f32` against `f64`.
//!
//! `reference/op_gradients.json` holds, per operation, inputs, an upstream gradient w, the value y, and
//! the gradients of Σ wᵢ·yᵢ, in f64 by JAX and PyTorch; `reference/more_operations.json` the same by PyTorch alone.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tapegrad::ops::{Attention, Convolution, ImageShape};
use tapegrad::rng::{Purpose, stream};
use tapegrad::{Float, Param, Tape, Var};

#[derive(Deserialize)]
struct Matrix {
    rows: usize,
    cols: usize,
    /// Row-major.
    data: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    inputs: Vec<Matrix>,
    upstream: Matrix,
    output: Matrix,
    gradients: Vec<Matrix>,
    #[serde(default)]
    labels: Vec<usize>,
    #[serde(default)]
    targets: Vec<f64>,
}

type Cases = BTreeMap<String, Case>;

fn cases() -> Cases {
    serde_json::from_str(include_str!("reference/op_gradients.json")).unwrap()
}

fn more_cases() -> Cases {
    serde_json::from_str(include_str!("reference/more_operations.json")).unwrap()
}

type Op<T> = fn(&mut Tape<T>, &[Var], &Case) -> Var;

/// The operations of the file, by its names for them.
fn operations<T: Float>() -> [(&'static str, Op<T>); 40] {
    [
        ("add", |t, x, _| t.add(x[0], x[1])),
        ("add_row", |t, x, _| t.add(x[0], x[1])),
        ("add_col", |t, x, _| t.add(x[0], x[1])),
        ("add_scalar", |t, x, _| t.add(x[0], x[1])),
        ("sub", |t, x, _| t.sub(x[0], x[1])),
        ("sub_row_left", |t, x, _| t.sub(x[0], x[1])),
        ("mul", |t, x, _| t.mul(x[0], x[1])),
        ("mul_row", |t, x, _| t.mul(x[0], x[1])),
        ("mul_col", |t, x, _| t.mul(x[0], x[1])),
        ("outer_broadcast", |t, x, _| t.mul(x[0], x[1])),
        ("div", |t, x, _| t.div(x[0], x[1])),
        ("div_row", |t, x, _| t.div(x[0], x[1])),
        ("neg", |t, x, _| t.neg(x[0])),
        ("matmul", |t, x, _| t.matmul(x[0], x[1])),
        ("transpose", |t, x, _| t.transpose(x[0])),
        ("exp", |t, x, _| t.exp(x[0])),
        ("ln", |t, x, _| t.ln(x[0])),
        ("sqrt", |t, x, _| t.sqrt(x[0])),
        ("powi_3", |t, x, _| t.powi(x[0], 3)),
        ("powf_1.7", |t, x, _| t.powf(x[0], T::of(1.7))),
        ("square", |t, x, _| t.square(x[0])),
        ("relu", |t, x, _| t.relu(x[0])),
        ("gelu_sigmoid", |t, x, _| t.gelu(x[0])),
        ("gelu_tanh", |t, x, _| t.gelu_tanh(x[0])),
        ("gelu_erf", |t, x, _| t.gelu_erf(x[0])),
        ("sigmoid", |t, x, _| t.sigmoid(x[0])),
        ("tanh", |t, x, _| t.tanh(x[0])),
        ("softplus", |t, x, _| t.softplus(x[0])),
        ("abs", |t, x, _| t.abs(x[0])),
        ("sum", |t, x, _| t.sum(x[0])),
        ("mean", |t, x, _| t.mean(x[0])),
        ("sum_rows", |t, x, _| t.sum_rows(x[0])),
        ("sum_cols", |t, x, _| t.sum_cols(x[0])),
        ("softmax", |t, x, _| t.softmax(x[0])),
        ("log_softmax", |t, x, _| t.log_softmax(x[0])),
        ("logsumexp", |t, x, _| t.logsumexp(x[0])),
        ("cross_entropy", |t, x, case| t.cross_entropy(x[0], &case.labels)),
        ("bce_with_logits", |t, x, case| {
            let targets: Vec<T> = case.targets.iter().map(|&y| T::of(y)).collect();
            let targets = t.constant_slice(targets.len(), 1, &targets);
            t.bce_with_logits(x[0], targets)
        }),
        ("mse", |t, x, _| t.mse(x[0], x[1])),
        // In the file this is x·x + x: one value used three times.
        ("x_times_x", |t, x, _| {
            let square = t.mul(x[0], x[0]);
            t.add(square, x[0])
        }),
    ]
}

/// Those of the other file, with two inputs of 3×4, the second one positive.
fn more_operations<T: Float>() -> [(&'static str, Op<T>); 51] {
    [
        ("matmul_nt", |t, x, _| t.matmul_nt(x[0], x[1])),
        ("matmul_tn", |t, x, _| t.matmul_tn(x[0], x[1])),
        ("linear", |t, x, _| {
            let (w, b) = (t.transpose(x[1]), t.slice_rows(x[0], 1..2));
            let b = t.slice_cols(b, 0..3);
            t.linear(x[0], w, b)
        }),
        ("scale", |t, x, _| t.scale(x[0], T::of(-1.3))),
        ("shift", |t, x, _| t.shift(x[0], T::of(0.7))),
        ("powi_negative", |t, x, _| t.powi(x[1], -2)),
        ("powf_negative", |t, x, _| t.powf(x[1], T::of(-0.5))),
        ("clamp", |t, x, _| t.clamp(x[0], T::of(-0.4), T::of(0.6))),
        ("maximum", |t, x, _| t.maximum(x[0], x[1])),
        ("minimum", |t, x, _| t.minimum(x[0], x[1])),
        ("leaky_relu", |t, x, _| t.leaky_relu(x[0], T::of(0.1))),
        ("silu", |t, x, _| t.silu(x[0])),
        ("sin", |t, x, _| t.sin(x[0])),
        ("cos", |t, x, _| t.cos(x[0])),
        ("expm1", |t, x, _| t.expm1(x[0])),
        ("select", |t, x, _| {
            let (condition, square) = (t.relu(x[0]), t.square(x[0]));
            t.select(condition, x[1], square)
        }),
        ("cumsum_rows", |t, x, _| t.cumsum_rows(x[0])),
        ("cumsum_cols", |t, x, _| t.cumsum_cols(x[0])),
        ("tril", |t, x, _| t.tril(x[0], 1, T::ZERO)),
        ("triu", |t, x, _| t.triu(x[0], -1, T::ZERO)),
        ("norm", |t, x, _| t.norm(x[0])),
        ("norm_rows", |t, x, _| t.norm_rows(x[0])),
        ("norm_cols", |t, x, _| t.norm_cols(x[0])),
        ("pick_cols", |t, x, _| t.pick_cols(x[0], &[2, 0, 3])),
        ("mean_rows", |t, x, _| t.mean_rows(x[0])),
        ("mean_cols", |t, x, _| t.mean_cols(x[0])),
        ("max", |t, x, _| t.max(x[0])),
        ("max_rows", |t, x, _| t.max_rows(x[0])),
        ("max_cols", |t, x, _| t.max_cols(x[0])),
        ("variance", |t, x, _| t.variance(x[0])),
        ("variance_rows", |t, x, _| t.variance_rows(x[0])),
        ("variance_cols", |t, x, _| t.variance_cols(x[0])),
        ("unbiased_variance", |t, x, _| t.unbiased_variance(x[0])),
        ("unbiased_variance_rows", |t, x, _| t.unbiased_variance_rows(x[0])),
        ("unbiased_variance_cols", |t, x, _| t.unbiased_variance_cols(x[0])),
        ("reshape", |t, x, _| t.reshape(x[0], 2, 6)),
        ("concat_rows", |t, x, _| t.concat_rows(&[x[0], x[1], x[0]])),
        ("concat_cols", |t, x, _| t.concat_cols(&[x[0], x[1], x[0]])),
        ("slice_rows", |t, x, _| t.slice_rows(x[0], 1..3)),
        ("slice_cols", |t, x, _| t.slice_cols(x[0], 1..3)),
        ("gather_rows", |t, x, _| t.gather_rows(x[0], &[2, 0, 2, 2])),
        ("mae", |t, x, _| t.mae(x[0], x[1])),
        ("huber", |t, x, _| t.huber(x[0], x[1], T::of(0.9))),
        ("bce_soft_targets", |t, x, _| t.bce_with_logits(x[0], x[1])),
        ("cross_entropy_smoothed", |t, x, _| t.cross_entropy_smoothed(x[0], &[3, 0, 1], T::of(0.1))),
        ("l2_penalty", |t, _, _| {
            let params: Vec<Param> = t.params().collect();
            t.l2_penalty(&params, T::of(0.3))
        }),
        ("layer_norm", |t, x, _| {
            let (gamma, beta) = (t.slice_rows(x[1], 0..1), t.slice_rows(x[1], 1..2));
            t.layer_norm(x[0], gamma, beta, T::of(1e-5))
        }),
        ("batch_norm", |t, x, _| {
            let (gamma, beta) = (t.slice_rows(x[1], 0..1), t.slice_rows(x[1], 1..2));
            let statistics = t.batch_statistics(x[0]);
            t.batch_norm(x[0], statistics, gamma, beta, T::of(1e-2))
        }),
        ("div_by_root", |t, x, _| {
            let root = t.sqrt(x[1]);
            t.div(x[0], root)
        }),
        ("ln_of_sum", |t, x, _| {
            let sum = t.sum(x[1]);
            t.ln(sum)
        }),
        ("square_of_difference", |t, x, _| {
            let difference = t.sub(x[0], x[1]);
            t.square(difference)
        }),
    ]
}

/// Those of sequences and dropout, whose figures are elsewhere or nowhere, with the same inputs.
fn operations_without_figures<T: Float>() -> [(&'static str, Op<T>); 13] {
    [
        ("scatter_rows", |t, x, _| t.scatter_rows(x[0], &[1, 0, 1], 2)),
        ("conv2d_weights", |t, x, _| {
            t.conv2d_weights(x[0], x[1], &Convolution::new(ImageShape::new(1, 2, 2), 1, 1))
        }),
        ("dropout", |t, x, _| t.dropout(x[0], T::of(0.25), &mut stream(5, Purpose::Dropout))),
        ("rms_norm", |t, x, _| {
            let gamma = t.slice_rows(x[1], 0..1);
            t.rms_norm(x[0], gamma, T::of(1e-5))
        }),
        ("group_norm", |t, x, _| {
            let (gamma, beta) = (t.slice_rows(x[1], 0..1), t.slice_rows(x[1], 1..2));
            t.group_norm(x[0], gamma, beta, 2, T::of(1e-2))
        }),
        ("embedding", |t, x, _| {
            let tokens = t.constant_slice(1, 3, &[T::of(2.0), T::ZERO, T::of(2.0)]);
            t.embedding(x[0], tokens)
        }),
        ("add_positions", |t, x, _| t.add_positions(x[0], x[1], 3)),
        ("rotary", |t, x, _| t.rotary(x[0], 2, 3, T::of(100.0))),
        ("attention", |t, x, _| t.attention(x[0], x[1], x[0], Attention::new(1, 2).causal())),
        ("cross_entropy_ignoring", |t, x, _| t.cross_entropy_ignoring(x[0], &[3, 0, 1], 0)),
        ("rnn", |t, x, _| {
            let (u, state) = (t.matmul_tn(x[1], x[0]), t.slice_rows(x[1], 0..1));
            t.rnn(x[0], u, state, 3)
        }),
        ("lstm", |t, x, _| {
            let (u, state) = (t.slice_rows(x[1], 0..1), t.slice_rows(x[1], 1..2));
            let state = t.slice_cols(state, 0..2);
            t.lstm(x[0], u, state, 3)
        }),
        ("gru", |t, x, _| {
            let [gates, u] = [x[0], x[1]].map(|x| t.slice_cols(x, 0..3));
            let (u, state) = (t.slice_rows(u, 0..1), t.slice_cols(u, 2..3));
            let [state, bias] = [0, 1].map(|i| t.slice_rows(state, i..i + 1));
            t.gru(gates, u, state, bias, 3)
        }),
    ]
}

/// Value and gradients of `op` at the inputs of `case`, with parameters whose gradients hold `before`.
fn run<T: Float>(op: Op<T>, case: &Case, before: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let mut tape = Tape::<T>::default();
    let convert = |to: &mut [T], from: &[f64]| to.iter_mut().zip(from).for_each(|(t, f)| *t = T::of(*f));
    let params: Vec<Param> =
        case.inputs.iter().map(|x| tape.param_with(x.rows, x.cols, |to| convert(to, &x.data))).collect();
    let inputs: Vec<Var> = params.iter().map(|p| p.var()).collect();
    tape.param_grads_mut().fill(T::of(before));
    let y = op(&mut tape, &inputs, case);
    tape.backward_with(y, |dy| match case.upstream.data[..] {
        [weight] => dy.fill(T::of(weight)),
        ref weights => {
            assert_eq!(dy.len(), weights.len(), "upstream");
            convert(dy, weights);
        }
    });
    let numbers = |x: &[T]| x.iter().map(|x| x.to_f64()).collect::<Vec<f64>>();
    let gradients = params.iter().map(|p| numbers(tape.grad_slice(*p))).collect();
    (numbers(tape.value_slice(y)), gradients)
}

#[track_caller]
fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: number of entries");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        let error = (a - b).abs() / b.abs().max(1.0);
        assert!(error <= tolerance, "{what} at {i}: {a:e}, expected {b:e}, relative error {error:e}");
    }
}

#[test]
fn values_and_gradients_of_the_reference() {
    check_against(&cases(), &operations());
    check_against(&more_cases(), &more_operations());
}

fn check_against(cases: &Cases, operations: &[(&'static str, Op<f64>)]) {
    let names: BTreeSet<&str> = operations.iter().map(|(name, _)| *name).collect();
    let in_file: BTreeSet<&str> = cases.keys().map(String::as_str).collect();
    assert_eq!(names, in_file, "the table and the file name different operations");

    for (name, op) in operations {
        let case = &cases[*name];
        // The second run finds an operation that overwrites a gradient.
        for before in [0.0, -2.75] {
            let (y, gradients) = run(*op, case, before);
            assert_close(&format!("{name}, value"), &y, &case.output.data, 1e-10);
            assert_eq!(gradients.len(), case.gradients.len(), "{name}");
            for (k, (found, expected)) in gradients.iter().zip(&case.gradients).enumerate() {
                let found: Vec<f64> = found.iter().map(|g| g - before).collect();
                let what = format!("{name}, gradient {k} on top of {before}");
                assert_close(&what, &found, &expected.data, 1e-10);
            }
        }
    }
}

#[test]
fn f32_agrees_with_f64() {
    let check = |name: &str, single: Op<f32>, double: Op<f64>, case: &Case| {
        let ((y, dx), (expected_y, expected_dx)) = (run(single, case, 0.0), run(double, case, 0.0));
        assert_close(&format!("{name} in f32, value"), &y, &expected_y, 1e-5);
        for (found, expected) in dx.iter().zip(&expected_dx) {
            assert_close(&format!("{name} in f32, gradient"), found, expected, 1e-5);
        }
        assert!(expected_dx.iter().flatten().any(|&g| g != 0.0), "{name}: no gradient at all");
    };
    let (cases, more) = (cases(), more_cases());
    for ((name, single), (_, double)) in operations().into_iter().zip(operations()) {
        check(name, single, double, &cases[name]);
    }
    for ((name, single), (_, double)) in more_operations().into_iter().zip(more_operations()) {
        check(name, single, double, &more[name]);
    }
    for ((name, single), (_, double)) in
        operations_without_figures().into_iter().zip(operations_without_figures())
    {
        // One weight for all entries.
        check(name, single, double, &more["norm"]);
    }
}
