//! A trained network, asked: 784-128-10, one sample and a thousand.
//!
//! `row` takes the features of one sample as a slice and writes into a buffer of the caller's, as a program with a
//! sample at hand does, and allocates nothing; `samples` takes a matrix and returns one.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tapegrad::data::Dataset;
use tapegrad::linalg::{self, Matrix};
use tapegrad::models::{Network, Predictor};

const FEATURES: usize = 784;

/// Untrained: what is in the weights does not change the time.
fn network() -> Network<f32> {
    let pixels: Vec<f32> = (0..20 * FEATURES).map(|i| (i * 7919 % 251) as f32 / 251.0).collect();
    let labels: Vec<usize> = (0..20).map(|i| i % 10).collect();
    let train = Dataset::new(pixels, FEATURES).and_then(|data| data.with_labels(&labels, 10));
    let train = train.expect("valid by construction");
    Network::new(0).linear(128).relu().outputs_for(&train).expect("valid widths")
}

fn ask(c: &mut Criterion) {
    let net = network();
    let row: Vec<f32> = (0..FEATURES).map(|i| (i * 7919 % 251) as f32 / 251.0).collect();
    let thousand = Matrix::new(row.repeat(1000), 1000, FEATURES);
    let mut probabilities = [0.0; 10];
    let mut group = c.benchmark_group("predict");
    for threads in [1, 2] {
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("row", threads), |b| {
            linalg::with_threads(threads, || {
                b.iter(|| net.probabilities_into(&&row[..], &mut probabilities))
            });
        });
        group.throughput(Throughput::Elements(1000));
        group.bench_function(BenchmarkId::new("samples", threads), |b| {
            linalg::with_threads(threads, || b.iter(|| net.probabilities(&thousand)));
        });
    }
    group.finish();
}

criterion_group!(benches, ask);
criterion_main!(benches);
