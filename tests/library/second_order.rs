//! Gradients of gradients against figures of PyTorch 2.15, in f64: `reference/second_order.py` made them.

use std::collections::BTreeMap;

use serde::Deserialize;
use tapegrad::ops::{Attention, Convolution, ImageShape, Window};
use tapegrad::{Tape, Var};

use super::reference::Matrix;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    inputs: Vec<Matrix>,
    upstream: Matrix,
    factors: Vec<Matrix>,
    first: Vec<Matrix>,
    second: Vec<Matrix>,
}

type Op = fn(&mut Tape, &[Var]) -> Var;

const POOLS: Window = Window { stride: [2; 2], padding: [1; 2], ..Window::new(3, 3) };

fn operations() -> Vec<(&'static str, Op)> {
    vec![
        ("conv2d", |t, x| {
            let form = Convolution::new(ImageShape::new(2, 5, 4), 3, 3).stride(2).padding(1);
            let window = Window { kernel: [3, 2], dilation: [1, 2], ..form.window };
            t.conv2d(x[0], x[1], Some(x[2]), &Convolution { window, ..form })
        }),
        ("conv2d_groups", |t, x| {
            let form = Convolution::new(ImageShape::new(4, 3, 3), 6, 2).groups(2);
            t.conv2d(x[0], x[1], Some(x[2]), &form)
        }),
        ("conv2d_depthwise", |t, x| {
            let form = Convolution::new(ImageShape::new(3, 3, 3), 3, 2).padding(1).groups(3);
            t.conv2d(x[0], x[1], Some(x[2]), &form)
        }),
        ("conv2d_transpose", |t, x| {
            let form = Convolution::new(ImageShape::new(2, 4, 5), 3, 3).stride(2).padding(1);
            t.conv2d_transpose(x[0], x[1], Some(x[2]), &form)
        }),
        ("max_pool", |t, x| t.max_pool(x[0], ImageShape::new(2, 5, 4), &POOLS)),
        ("avg_pool", |t, x| t.avg_pool(x[0], ImageShape::new(2, 5, 4), &POOLS)),
        ("global_avg_pool", |t, x| t.global_avg_pool(x[0], ImageShape::new(3, 2, 2))),
        ("upsample", |t, x| t.upsample(x[0], ImageShape::new(2, 2, 3), 2)),
        ("attention", |t, x| t.attention(x[0], x[1], x[2], Attention::new(2, 2))),
        ("attention_causal", |t, x| t.attention(x[0], x[1], x[2], Attention::new(2, 2).causal())),
        ("layer_norm", |t, x| t.layer_norm(x[0], x[1], x[2], 1e-2)),
        ("rms_norm", |t, x| t.rms_norm(x[0], x[1], 1e-2)),
        ("group_norm", |t, x| t.group_norm(x[0], x[1], x[2], 2, 1e-2)),
        ("batch_norm", |t, x| {
            let statistics = t.batch_statistics(x[0]);
            t.batch_norm(x[0], statistics, x[1], x[2], 1e-2)
        }),
        ("embedding", |t, x| {
            let tokens = t.constant_slice(1, 5, &[2.0, 0.0, 2.0, 1.0, 2.0]);
            t.embedding(x[0], tokens)
        }),
        ("cross_entropy", |t, x| t.cross_entropy(x[0], &[3, 0, 1])),
        ("gelu_erf", |t, x| t.gelu_erf(x[0])),
        ("gelu_tanh", |t, x| t.gelu_tanh(x[0])),
        ("silu", |t, x| t.silu(x[0])),
        ("norm", |t, x| t.norm_cols(x[0])),
        ("logsumexp", |t, x| t.logsumexp(x[0])),
        ("variance", |t, x| t.unbiased_variance_rows(x[0])),
    ]
}

/// Numbers that are 0 in the file are among them: of a bias, on which no gradient depends.
#[track_caller]
fn assert_close(found: &[f64], expected: &Matrix) {
    assert_eq!(found.len(), expected.data.len());
    for (i, (found, expected)) in found.iter().zip(&expected.data).enumerate() {
        let error = (found - expected).abs() / expected.abs().max(1.0);
        assert!(error < 1e-10, "number {i}: {found:e}, expected {expected:e}");
    }
}

#[test]
fn gradients_of_gradients_of_pytorch() {
    let mut cases: BTreeMap<String, Case> =
        serde_json::from_str(include_str!("reference/second_order.json")).unwrap();
    for (name, op) in operations() {
        let case = cases.remove(name).unwrap_or_else(|| panic!("{name} is not in the file"));
        println!("{name}");
        let mut tape = Tape::new();
        let x: Vec<Var> = case.inputs.iter().map(|x| tape.variable(&x.get())).collect();
        let mut inputs = x.clone();
        inputs[0] = tape.tanh(x[0]);
        let y = op(&mut tape, &inputs);
        let upstream = tape.constant(&case.upstream.get());
        let first = tape.gradient_with(y, upstream, &x);
        let mut total = tape.scalar(0.0);
        for ((gradient, expected), factors) in first.iter().zip(&case.first).zip(&case.factors) {
            assert_close(tape.value_slice(*gradient), expected);
            let factors = tape.constant(&factors.get());
            let product = tape.mul(*gradient, factors);
            let sum = tape.sum(product);
            total = tape.add(total, sum);
        }
        let second = tape.gradient(total, &x);
        tape.backward(total);
        for (k, expected) in case.second.iter().enumerate() {
            assert_close(tape.grad_slice(x[k]), expected);
            assert_close(tape.value_slice(second[k]), expected);
        }
    }
    assert!(cases.is_empty(), "not compared: {:?}", cases.keys());
}
