//! Functions of a million entries, beside a copy of as many: which share of the memory's bandwidth they reach.
//!
//! The throughput of `forward` counts the bytes of the operands and of the value; that of `backward` the bytes of the
//! upstream gradient, of the value or operand that the slope is made of, and of the gradient that is written. What stays
//! in a cache is counted as well.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tapegrad::linalg::with_threads;
use tapegrad::{Float, Tape, Var};

const ENTRIES: usize = 1_000_000;

type Build<T> = fn(&mut Tape<T>, &[Var]) -> Var;

/// Name, number of operands, and how the node is appended.
fn functions<T: Float>() -> [(&'static str, usize, Build<T>); 15] {
    [
        ("add", 2, |t, x| t.add(x[0], x[1])),
        ("mul", 2, |t, x| t.mul(x[0], x[1])),
        ("div", 2, |t, x| t.div(x[0], x[1])),
        ("relu", 1, |t, x| t.relu(x[0])),
        ("square", 1, |t, x| t.square(x[0])),
        ("sqrt", 1, |t, x| t.sqrt(x[0])),
        ("exp", 1, |t, x| t.exp(x[0])),
        ("ln", 1, |t, x| t.ln(x[0])),
        ("sin", 1, |t, x| t.sin(x[0])),
        ("tanh", 1, |t, x| t.tanh(x[0])),
        ("sigmoid", 1, |t, x| t.sigmoid(x[0])),
        ("softplus", 1, |t, x| t.softplus(x[0])),
        ("gelu_erf", 1, |t, x| t.gelu_erf(x[0])),
        ("softmax", 1, |t, x| t.softmax(x[0])),
        ("log_softmax", 1, |t, x| t.log_softmax(x[0])),
    ]
}

/// Variables: their gradients are written, where those of parameters are added to.
fn tape<T: Float>() -> (Tape<T>, [Var; 2]) {
    let mut tape = Tape::default();
    let numbers = |to: &mut [T]| {
        to.iter_mut().enumerate().for_each(|(i, x)| *x = T::of((i * 7919 % 1000) as f64 / 1000.0 + 0.1));
    };
    let variables = [(); 2].map(|()| tape.variable_with(1000, ENTRIES / 1000, numbers));
    (tape, variables)
}

fn elementwise<T: Float>(c: &mut Criterion) {
    let bytes = |arrays: usize| Throughput::Bytes((arrays * ENTRIES * size_of::<T>()) as u64);
    let mut group = c.benchmark_group(format!("a million of {}", T::NAME));
    let (from, mut to) = (vec![T::ONE; ENTRIES], vec![T::ZERO; ENTRIES]);
    group.throughput(bytes(2));
    group.bench_function("copy", |b| b.iter(|| black_box(&mut to).copy_from_slice(black_box(&from))));
    for (name, operands, build) in functions::<T>() {
        group.throughput(bytes(operands + 1));
        group.bench_function(format!("{name}/forward"), |b| {
            let (mut tape, x) = tape::<T>();
            let mark = tape.mark();
            b.iter(|| {
                black_box(build(&mut tape, &x));
                tape.rewind_to(mark);
            });
        });
        group.throughput(bytes(1 + 2 * operands));
        group.bench_function(format!("{name}/backward"), |b| {
            let (mut tape, x) = tape::<T>();
            let y = build(&mut tape, &x);
            b.iter(|| tape.backward_with(y, |upstream| upstream.fill(T::ONE)));
        });
    }
    // The same on two threads, for a function that waits for the memory and one that computes.
    for (name, operands, build) in functions::<T>().into_iter().filter(|f| ["add", "gelu_erf"].contains(&f.0))
    {
        group.throughput(bytes(operands + 1));
        group.bench_function(format!("{name}/forward/threads/2"), |b| {
            let (mut tape, x) = tape::<T>();
            let mark = tape.mark();
            with_threads(2, || {
                b.iter(|| {
                    black_box(build(&mut tape, &x));
                    tape.rewind_to(mark);
                });
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1));
    targets = elementwise::<f32>, elementwise::<f64>
}
criterion_main!(benches);
