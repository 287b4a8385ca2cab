//! Cost of a node: a chain of operations on 1×1 values, where nothing but the arena's own work counts.
//!
//! The figure to read is the time per element: one operation, forward and backward together. It does
//! not depend on the length of the chain. The formula shows what operators cost beside the
//! plain calls: measured, 7 % more time where every value is 1×1, for the tape is borrowed anew for each.

use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tapegrad::{Param, Tape, Var};

/// From a smaller number the gradients of a long chain would be subnormal on their way to 0, on which a CPU computes many
/// times as slowly.
const START: f64 = 1.0;

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
        let x = tape.param_slice(1, 1, &[START]);
        group.bench_function(BenchmarkId::new("on a rewound tape", length), |b| {
            b.iter(|| {
                chain(&mut tape, x, length);
                tape.rewind();
            });
        });
        group.bench_function(BenchmarkId::new("on a new tape", length), |b| {
            let new = || {
                let mut tape = Tape::new();
                let x = tape.param_slice(1, 1, &[START]);
                (tape, x)
            };
            b.iter_batched_ref(new, |(tape, x)| chain(tape, *x, length), BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// Rosenbrock's function by plain calls.
fn by_calls(tape: &mut Tape, x: Param, y: Param) -> Var {
    let minus = tape.neg(x);
    let first = tape.shift(minus, 1.0);
    let first = tape.square(first);
    let curve = tape.mul(x, x);
    let second = tape.sub(y, curve);
    let second = tape.square(second);
    let second = tape.scale(second, 100.0);
    tape.add(first, second)
}

/// The same eight nodes as a formula.
fn by_scope(tape: &mut Tape, x: Param, y: Param) -> Var {
    tape.scope(|s| {
        let (x, y) = (s.var(x), s.var(y));
        ((1.0 - x).square() + 100.0 * (y - x * x).square()).var()
    })
}

/// A thousand formulas of eight nodes, and the walk back from the last one.
fn formula(c: &mut Criterion) {
    let mut group = c.benchmark_group("formula");
    group.throughput(Throughput::Elements(8 * 1000));
    type Way = fn(&mut Tape, Param, Param) -> Var;
    let ways: [(&str, Way); 2] = [("calls", by_calls), ("scope", by_scope)];
    for (name, build) in ways {
        let mut tape = Tape::new();
        let (x, y) = (tape.param_slice(1, 1, &[-1.2]), tape.param_slice(1, 1, &[1.0]));
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut loss = build(&mut tape, x, y);
                for _ in 1..1000 {
                    loss = build(&mut tape, x, y);
                }
                tape.backward(loss);
                tape.rewind();
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500));
    targets = per_node, formula
}
criterion_main!(benches);
