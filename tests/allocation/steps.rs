//! After the first step of a fixed shape, a training step takes no memory from the heap.

use tapegrad::data::{Batches, Dataset};
use tapegrad::models::Mlp;
use tapegrad::nn::{Activation, Mode, Module, Norm};
use tapegrad::optim::schedule::{Cosine, Schedule, Warmup};
use tapegrad::optim::{self, Average, Clip};
use tapegrad::rng::{Place, Purpose, stream};
use tapegrad::{Float, Tape, linalg};

use crate::calls;

fn allocations_of_steps<T: Float>(optimizer: &str, norm: Norm) -> usize {
    let pixels: Vec<u8> = (0..256 * 784).map(|i| (i * 7 % 256) as u8).collect();
    let labels: Vec<usize> = (0..256).map(|i| i % 10).collect();
    let data = Dataset::new(pixels, 784).unwrap().with_labels(&labels, 10).unwrap();
    let mut batches = Batches::shuffled(256, 128, 0).unwrap();
    let mut labels = Vec::with_capacity(128);
    let mut tape = Tape::<T>::default();
    let mut rng = stream(0, Purpose::Init);
    let plain = Mlp::new(&[784, 128, 64, 10], Activation::Gelu);
    let model = Mlp { norm, dropout: 0.2, ..plain }.build(&mut tape, &mut rng).unwrap();
    let mut optimizer = optim::find::<T>(optimizer).unwrap().optimizer(None).unwrap();
    let schedule = Warmup::new(2, Cosine::new(1e-3, 0.0, 10).unwrap());
    let mut clip = Clip::none().with_norm(0.5).unwrap().with_value(0.1).unwrap();
    let mut average = Average::exponential(0.9).unwrap();
    let mut after_first = None;
    for epoch in 0..5 {
        for (step, indices) in batches.epoch(epoch).enumerate() {
            tape.rewind();
            let x = tape.constant_with(indices.len(), 784, |to| data.gather(indices, to));
            let place = Place { seed: 0, epoch, step: step as u64 };
            let logits = model.forward(&mut tape, x, &mut Mode::training(place));
            data.gather_labels(indices, &mut labels);
            let loss = tape.cross_entropy(logits, &labels);
            tape.zero_grad();
            tape.backward(loss);
            clip.apply(&mut tape).unwrap();
            optimizer.set_lr(schedule.lr(optimizer.steps())).unwrap();
            optimizer.step(&mut tape).unwrap();
            average.update(&tape);
            after_first.get_or_insert_with(calls);
        }
    }
    calls() - after_first.unwrap()
}

/// Whether steps allocate, which they must in three runs out of three: threads of the pool before may still be
/// ending, and what that takes is no part of a step.
fn allocate<T: Float>(optimizer: &str, norm: Norm) -> bool {
    (0..3).all(|_| allocations_of_steps::<T>(optimizer, norm) > 0)
}

/// One pool for all: each that ends frees, and asks for, memory at a time of its own.
pub fn steps() {
    for threads in [1, 2] {
        linalg::with_threads(threads, || {
            for entry in optim::optimizers::<f32>() {
                for (norm, norm_name) in Norm::TABLE {
                    let name = entry.name;
                    assert!(!allocate::<f32>(name, norm), "{name} in f32, {norm_name}, threads: {threads}");
                    assert!(!allocate::<f64>(name, norm), "{name} in f64, {norm_name}, threads: {threads}");
                }
            }
        });
    }
}
