//! A whole training step of the standard network, and its parts: 784-128-10, batch 128, Adam.
//!
//! `step` is batch → forward → loss → backward → optimizer → rewind. 469 of them are an epoch on the
//! 60,000 images of MNIST.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tapegrad::data::Dataset;
use tapegrad::models::Mlp;
use tapegrad::nn::{Activation, Mode, Module, Sequential};
use tapegrad::optim::{self, Adam, Optimizer};
use tapegrad::rng::{Purpose, stream};
use tapegrad::{Float, Tape, linalg};

const BATCH: usize = 128;

/// Rows enough that a batch does not lie in the cache already.
const ROWS: usize = 20_000;

/// Noise in place of images: what is in the pixels does not change the time.
fn data() -> Dataset {
    let pixels: Vec<u8> = (0..ROWS * 784).map(|i| (i * 7919 % 251) as u8).collect();
    let labels: Vec<usize> = (0..ROWS).map(|i| i % 10).collect();
    Dataset::new(pixels, 784).and_then(|data| data.with_labels(&labels, 10)).expect("valid by construction")
}

fn network<T: Float>() -> (Tape<T>, Sequential<T>) {
    let mut tape = Tape::default();
    let mut rng = stream(0, Purpose::Init);
    let model = Mlp::new(&[784, 128, 10], Activation::Relu).build(&mut tape, &mut rng);
    (tape, model.expect("valid widths"))
}

fn steps<T: Float>(c: &mut Criterion) {
    let data = data();
    let mut group = c.benchmark_group(format!("step {}", T::NAME));
    group.throughput(Throughput::Elements(BATCH as u64));
    for threads in [1, 2] {
        group.bench_function(BenchmarkId::new("threads", threads), |b| {
            linalg::with_threads(threads, || {
                let (mut tape, model) = network::<T>();
                let mut optimizer = Optimizer::new(Adam::default(), 1e-3).expect("a valid rate");
                let mut labels = Vec::new();
                let mut start = 0;
                b.iter(|| {
                    let indices: [usize; BATCH] = std::array::from_fn(|i| (start + i * 101) % ROWS);
                    start += 1;
                    let x = tape.constant_with(BATCH, 784, |to| data.gather(&indices, to));
                    let logits = model.forward(&mut tape, x, &mut Mode::evaluation());
                    data.gather_labels(&indices, &mut labels);
                    let loss = tape.cross_entropy(logits, &labels);
                    tape.zero_grad();
                    tape.backward(loss);
                    let stepped = optimizer.step(&mut tape);
                    tape.rewind();
                    stepped
                });
            });
        });
    }
    group.finish();
}

fn parts(c: &mut Criterion) {
    let data = data();
    let mut group = c.benchmark_group("parts of a step f32");
    group.bench_function("gather a batch", |b| {
        let mut batch = vec![0f32; BATCH * 784];
        let mut start = 0;
        b.iter(|| {
            let indices: [usize; BATCH] = std::array::from_fn(|i| (start + i * 101) % ROWS);
            start += 1;
            data.gather(&indices, &mut batch);
        });
    });
    group.bench_function("forward", |b| {
        let (mut tape, model) = network::<f32>();
        let x = tape.constant_with(BATCH, 784, |to| to.fill(0.5));
        let mark = tape.mark();
        b.iter(|| {
            let logits = model.forward(&mut tape, x, &mut Mode::evaluation());
            tape.cross_entropy(logits, &[0; BATCH]);
            tape.rewind_to(mark);
        });
    });
    group.bench_function("backward", |b| {
        let (mut tape, model) = network::<f32>();
        let x = tape.constant_with(BATCH, 784, |to| to.fill(0.5));
        let logits = model.forward(&mut tape, x, &mut Mode::evaluation());
        let loss = tape.cross_entropy(logits, &[0; BATCH]);
        b.iter(|| tape.backward(loss));
    });
    for entry in optim::optimizers::<f32>() {
        group.bench_function(BenchmarkId::new("optimizer", entry.name), |b| {
            let (mut tape, _) = network::<f32>();
            tape.param_grads_mut().fill(1e-3);
            let mut optimizer = entry.optimizer(None).expect("a valid rate");
            b.iter(|| optimizer.step(&mut tape));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = steps::<f32>, steps::<f64>, parts
}
criterion_main!(benches);
