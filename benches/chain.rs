//! Cost of a node: a chain of operations on 1×1 values, where nothing but the arena's own work counts.
//!
//! The figure to read is the time per element: one operation, forward and backward together. It does
//! not depend on the length of the chain.

use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tapegrad::{Param, Tape};

/// A chain on x, and the walk back.
fn chain(tape: &mut Tape, x: Param, length: usize) {
    let mut y = x.var();
    for i in 0..length {
        y = if i % 2 == 0 { tape.mul(y, x) } else { tape.add(y, x) };
    }
    tape.backward(y);
}

fn per_node(c: &mut Criterion) {
    let mut group = c.benchmark_group("chain");
    for length in [1_000, 100_000, 10_000_000] {
        group.throughput(Throughput::Elements(length as u64));
        // Out here, since each sample calls the closure below: its memory is there after the first of them.
        let mut tape = Tape::new();
        let x = tape.param_slice(1, 1, &[0.5]);
        group.bench_function(BenchmarkId::new("on a rewound tape", length), |b| {
            b.iter(|| {
                chain(&mut tape, x, length);
                tape.rewind();
            });
        });
        group.bench_function(BenchmarkId::new("on a new tape", length), |b| {
            let new = || {
                let mut tape = Tape::new();
                let x = tape.param_slice(1, 1, &[0.5]);
                (tape, x)
            };
            b.iter_batched_ref(new, |(tape, x)| chain(tape, *x, length), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500));
    targets = per_node
}
criterion_main!(benches);
