//! Cost of every operation, forward and backward apart, at three sizes.
//!
//! `forward` appends the node and computes its value; `backward` walks from it to its inputs, all of
//! which need a gradient. Values are n×n matrices of `f32`, on one thread.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tapegrad::{Param, Tape, Var};

const SIZES: [usize; 3] = [16, 128, 512];

type Build = fn(&mut Tape<f32>, &[Param]) -> Var;

/// Name, number of operands, and how the node is appended.
const OPERATIONS: &[(&str, usize, Build)] = &[
    ("add", 2, |t, x| t.add(x[0], x[1])),
    ("sub", 2, |t, x| t.sub(x[0], x[1])),
    ("mul", 2, |t, x| t.mul(x[0], x[1])),
    ("div", 2, |t, x| t.div(x[0], x[1])),
    ("maximum", 2, |t, x| t.maximum(x[0], x[1])),
    ("minimum", 2, |t, x| t.minimum(x[0], x[1])),
    ("neg", 1, |t, x| t.neg(x[0])),
    ("scale", 1, |t, x| t.scale(x[0], 0.5)),
    ("shift", 1, |t, x| t.shift(x[0], 0.5)),
    ("matmul", 2, |t, x| t.matmul(x[0], x[1])),
    ("matmul_nt", 2, |t, x| t.matmul_nt(x[0], x[1])),
    ("matmul_tn", 2, |t, x| t.matmul_tn(x[0], x[1])),
    ("linear", 3, |t, x| {
        let row = t.slice_rows(x[2], 0..1);
        t.linear(x[0], x[1], row)
    }),
    ("transpose", 1, |t, x| t.transpose(x[0])),
    ("reshape", 1, |t, x| t.reshape(x[0], 1, size(t, x[0]).pow(2))),
    ("concat_rows", 2, |t, x| t.concat_rows(&[x[0].var(), x[1].var()])),
    ("concat_cols", 2, |t, x| t.concat_cols(&[x[0].var(), x[1].var()])),
    ("slice_rows", 1, |t, x| t.slice_rows(x[0], 0..size(t, x[0]) / 2)),
    ("slice_cols", 1, |t, x| t.slice_cols(x[0], 0..size(t, x[0]) / 2)),
    ("gather_rows", 1, |t, x| t.gather_rows(x[0], &LABELS[..size(t, x[0])])),
    ("exp", 1, |t, x| t.exp(x[0])),
    ("ln", 1, |t, x| t.ln(x[0])),
    ("sqrt", 1, |t, x| t.sqrt(x[0])),
    ("square", 1, |t, x| t.square(x[0])),
    ("powi 3", 1, |t, x| t.powi(x[0], 3)),
    ("powf 1.7", 1, |t, x| t.powf(x[0], 1.7)),
    ("abs", 1, |t, x| t.abs(x[0])),
    ("clamp", 1, |t, x| t.clamp(x[0], 0.5, 1.0)),
    ("relu", 1, |t, x| t.relu(x[0])),
    ("leaky_relu", 1, |t, x| t.leaky_relu(x[0], 0.01)),
    ("gelu", 1, |t, x| t.gelu(x[0])),
    ("gelu_tanh", 1, |t, x| t.gelu_tanh(x[0])),
    ("gelu_erf", 1, |t, x| t.gelu_erf(x[0])),
    ("sigmoid", 1, |t, x| t.sigmoid(x[0])),
    ("tanh", 1, |t, x| t.tanh(x[0])),
    ("softplus", 1, |t, x| t.softplus(x[0])),
    ("silu", 1, |t, x| t.silu(x[0])),
    ("sum", 1, |t, x| t.sum(x[0])),
    ("sum_rows", 1, |t, x| t.sum_rows(x[0])),
    ("sum_cols", 1, |t, x| t.sum_cols(x[0])),
    ("mean", 1, |t, x| t.mean(x[0])),
    ("mean_rows", 1, |t, x| t.mean_rows(x[0])),
    ("mean_cols", 1, |t, x| t.mean_cols(x[0])),
    ("variance", 1, |t, x| t.variance(x[0])),
    ("variance_rows", 1, |t, x| t.variance_rows(x[0])),
    ("variance_cols", 1, |t, x| t.variance_cols(x[0])),
    ("max", 1, |t, x| t.max(x[0])),
    ("max_rows", 1, |t, x| t.max_rows(x[0])),
    ("max_cols", 1, |t, x| t.max_cols(x[0])),
    ("softmax", 1, |t, x| t.softmax(x[0])),
    ("log_softmax", 1, |t, x| t.log_softmax(x[0])),
    ("logsumexp", 1, |t, x| t.logsumexp(x[0])),
    ("cross_entropy", 1, |t, x| t.cross_entropy(x[0], &LABELS[..size(t, x[0])])),
    ("cross_entropy_smoothed", 1, |t, x| t.cross_entropy_smoothed(x[0], &LABELS[..size(t, x[0])], 0.1)),
    ("bce_with_logits", 2, |t, x| t.bce_with_logits(x[0], x[1])),
    ("mse", 2, |t, x| t.mse(x[0], x[1])),
    ("mae", 2, |t, x| t.mae(x[0], x[1])),
    ("huber", 2, |t, x| t.huber(x[0], x[1], 0.3)),
    ("l2_penalty", 1, |t, x| t.l2_penalty(x, 0.1)),
    ("dropout", 1, |t, x| t.dropout(x[0], 0.5, &mut ChaCha8Rng::seed_from_u64(0))),
];

/// Class labels, and row numbers, for the smallest size and above.
const LABELS: [usize; 512] = {
    let mut labels = [0; 512];
    let mut i = 0;
    while i < labels.len() {
        labels[i] = i * 7 % 16;
        i += 1;
    }
    labels
};

fn size(tape: &Tape<f32>, x: Param) -> usize {
    tape.param_shape(x).rows
}

/// A tape with `operands` n×n parameters, all entries between 0.1 and 1.1.
fn tape(n: usize, operands: usize) -> (Tape<f32>, Vec<Param>) {
    let mut tape = Tape::default();
    let fill = |k: usize| {
        move |to: &mut [f32]| {
            for (i, x) in to.iter_mut().enumerate() {
                *x = ((i * 7919 + k * 104_729) % 1000) as f32 / 1000.0 + 0.1;
            }
        }
    };
    let params = (0..operands).map(|k| tape.param_with(n, n, fill(k))).collect();
    (tape, params)
}

fn operations(c: &mut Criterion) {
    for (name, operands, build) in OPERATIONS {
        let mut group = c.benchmark_group(*name);
        for n in SIZES {
            group.throughput(Throughput::Elements((n * n) as u64));
            group.bench_function(BenchmarkId::new("forward", n), |b| {
                let (mut tape, x) = tape(n, *operands);
                b.iter(|| {
                    black_box(build(&mut tape, &x));
                    tape.rewind();
                });
            });
            group.bench_function(BenchmarkId::new("backward", n), |b| {
                let (mut tape, x) = tape(n, *operands);
                let y = build(&mut tape, &x);
                b.iter(|| tape.backward_with(y, |upstream| upstream.fill(1.0)));
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    // Hundreds of short ones: a second each is enough for a median within a few per cent.
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(150))
        .measurement_time(Duration::from_millis(400));
    targets = operations
}
criterion_main!(benches);
