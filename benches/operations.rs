//! Cost of every operation, forward and backward apart, at three sizes.
//!
//! `forward` appends the node and computes its value; `backward` walks from it to its inputs, all of
//! which need a gradient. Values are n×n matrices of `f32`, and a row, a column or a scalar where an
//! operation's name says so, on one thread. At n = 1 the time is what a node costs whatever it holds.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tapegrad::{Param, Tape, Var};

const SIZES: [usize; 3] = [1, 128, 512];

type Build = fn(&mut Tape<f32>, &[Param]) -> Var;

/// Name, and how the node is appended.
const OPERATIONS: &[(&str, Build)] = &[
    ("add", |t, x| t.add(x[0], x[1])),
    ("sub", |t, x| t.sub(x[0], x[1])),
    ("mul", |t, x| t.mul(x[0], x[1])),
    ("div", |t, x| t.div(x[0], x[1])),
    ("mul row", |t, x| t.mul(x[0], x[ROW])),
    ("mul column", |t, x| t.mul(x[0], x[COLUMN])),
    ("mul scalar", |t, x| t.mul(x[0], x[SCALAR])),
    ("mul row by column", |t, x| t.mul(x[ROW], x[COLUMN])),
    ("maximum", |t, x| t.maximum(x[0], x[1])),
    ("minimum", |t, x| t.minimum(x[0], x[1])),
    ("select", |t, x| t.select(x[0], x[1], x[0])),
    ("select row by column", |t, x| t.select(x[ROW], x[0], x[COLUMN])),
    ("neg", |t, x| t.neg(x[0])),
    ("scale", |t, x| t.scale(x[0], 0.5)),
    ("shift", |t, x| t.shift(x[0], 0.5)),
    ("matmul", |t, x| t.matmul(x[0], x[1])),
    ("matmul_nt", |t, x| t.matmul_nt(x[0], x[1])),
    ("matmul_tn", |t, x| t.matmul_tn(x[0], x[1])),
    ("linear", |t, x| t.linear(x[0], x[1], x[ROW])),
    ("transpose", |t, x| t.transpose(x[0])),
    ("reshape", |t, x| t.reshape(x[0], 1, size(t, x[0]).pow(2))),
    ("concat_rows", |t, x| t.concat_rows(&[x[0].var(), x[1].var()])),
    ("concat_cols", |t, x| t.concat_cols(&[x[0].var(), x[1].var()])),
    ("slice_rows", |t, x| t.slice_rows(x[0], 0..size(t, x[0]).div_ceil(2))),
    ("slice_cols", |t, x| t.slice_cols(x[0], 0..size(t, x[0]).div_ceil(2))),
    ("gather_rows", |t, x| t.gather_rows(x[0], &LABELS[..size(t, x[0])])),
    ("tril", |t, x| t.tril(x[0], 0, f32::NEG_INFINITY)),
    ("triu", |t, x| t.triu(x[0], 0, 0.0)),
    ("exp", |t, x| t.exp(x[0])),
    ("expm1", |t, x| t.expm1(x[0])),
    ("ln", |t, x| t.ln(x[0])),
    ("sqrt", |t, x| t.sqrt(x[0])),
    ("square", |t, x| t.square(x[0])),
    ("powi 3", |t, x| t.powi(x[0], 3)),
    ("powf 1.7", |t, x| t.powf(x[0], 1.7)),
    ("sin", |t, x| t.sin(x[0])),
    ("cos", |t, x| t.cos(x[0])),
    ("abs", |t, x| t.abs(x[0])),
    ("clamp", |t, x| t.clamp(x[0], 0.5, 1.0)),
    ("relu", |t, x| t.relu(x[0])),
    ("leaky_relu", |t, x| t.leaky_relu(x[0], 0.01)),
    ("gelu", |t, x| t.gelu(x[0])),
    ("gelu_tanh", |t, x| t.gelu_tanh(x[0])),
    ("gelu_erf", |t, x| t.gelu_erf(x[0])),
    ("sigmoid", |t, x| t.sigmoid(x[0])),
    ("tanh", |t, x| t.tanh(x[0])),
    ("softplus", |t, x| t.softplus(x[0])),
    ("silu", |t, x| t.silu(x[0])),
    ("sum", |t, x| t.sum(x[0])),
    ("sum_rows", |t, x| t.sum_rows(x[0])),
    ("sum_cols", |t, x| t.sum_cols(x[0])),
    ("cumsum_rows", |t, x| t.cumsum_rows(x[0])),
    ("cumsum_cols", |t, x| t.cumsum_cols(x[0])),
    ("mean", |t, x| t.mean(x[0])),
    ("mean_rows", |t, x| t.mean_rows(x[0])),
    ("mean_cols", |t, x| t.mean_cols(x[0])),
    ("variance", |t, x| t.variance(x[0])),
    ("variance_rows", |t, x| t.variance_rows(x[0])),
    ("variance_cols", |t, x| t.variance_cols(x[0])),
    ("unbiased_variance", |t, x| t.unbiased_variance(x[0])),
    ("unbiased_variance_rows", |t, x| t.unbiased_variance_rows(x[0])),
    ("unbiased_variance_cols", |t, x| t.unbiased_variance_cols(x[0])),
    ("max", |t, x| t.max(x[0])),
    ("max_rows", |t, x| t.max_rows(x[0])),
    ("max_cols", |t, x| t.max_cols(x[0])),
    ("softmax", |t, x| t.softmax(x[0])),
    ("log_softmax", |t, x| t.log_softmax(x[0])),
    ("logsumexp", |t, x| t.logsumexp(x[0])),
    ("cross_entropy", |t, x| t.cross_entropy(x[0], &LABELS[..size(t, x[0])])),
    ("cross_entropy_smoothed", |t, x| t.cross_entropy_smoothed(x[0], &LABELS[..size(t, x[0])], 0.1)),
    ("bce_with_logits", |t, x| t.bce_with_logits(x[0], x[1])),
    ("mse", |t, x| t.mse(x[0], x[1])),
    ("mae", |t, x| t.mae(x[0], x[1])),
    ("huber", |t, x| t.huber(x[0], x[1], 0.3)),
    ("l2_penalty", |t, x| t.l2_penalty(&x[..1], 0.1)),
    ("dropout", |t, x| t.dropout(x[0], 0.5, &mut ChaCha8Rng::seed_from_u64(0))),
];

/// Class labels, and row numbers: the first is one for every size, the others for 16 and above.
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

/// The places of the operands that are not n×n.
const ROW: usize = 2;
const COLUMN: usize = 3;
const SCALAR: usize = 4;

/// A tape with two n×n parameters, a row, a column and a scalar, all entries between 0.1 and 1.1.
fn tape(n: usize) -> (Tape<f32>, Vec<Param>) {
    let mut tape = Tape::default();
    let fill = |k: usize| {
        move |to: &mut [f32]| {
            for (i, x) in to.iter_mut().enumerate() {
                *x = ((i * 7919 + k * 104_729) % 1000) as f32 / 1000.0 + 0.1;
            }
        }
    };
    let shapes = [(n, n), (n, n), (1, n), (n, 1), (1, 1)];
    let params =
        shapes.iter().enumerate().map(|(k, &(rows, cols))| tape.param_with(rows, cols, fill(k))).collect();
    (tape, params)
}

fn operations(c: &mut Criterion) {
    for (name, build) in OPERATIONS {
        let mut group = c.benchmark_group(*name);
        for n in SIZES {
            group.throughput(Throughput::Elements((n * n) as u64));
            group.bench_function(BenchmarkId::new("forward", n), |b| {
                let (mut tape, x) = tape(n);
                b.iter(|| {
                    black_box(build(&mut tape, &x));
                    tape.rewind();
                });
            });
            group.bench_function(BenchmarkId::new("backward", n), |b| {
                let (mut tape, x) = tape(n);
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
