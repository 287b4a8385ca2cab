//! After the first step of a fixed shape, a training step takes no memory from the heap.

use tapegrad::data::{Batches, Dataset};
use tapegrad::models::{Cnn, LeNet, Mlp};
use tapegrad::nn::{
    Activation, AttentionOptions, Cell, Embedding, Init, Linear, Mode, Module, Norm, Positions, Recurrent,
    TransformerBlock, TransformerOptions,
};
use tapegrad::ops::ImageShape;
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

/// Steps of a transformer, a recurrence of each cell and the losses of tokens, on texts.
fn allocations_on_sequences<T: Float>() -> usize {
    const LENGTH: usize = 70;
    let mut tape = Tape::<T>::default();
    let mut rng = stream(0, Purpose::Init);
    let rng = &mut rng;
    let embedding = Embedding::new(&mut tape, 50, LENGTH, 16, Positions::Learned, rng).unwrap();
    let attention =
        AttentionOptions { causal: true, rotary: Some(100.0), ..AttentionOptions::new(2, LENGTH) };
    let options = TransformerOptions { attention, hidden: 32, dropout: 0.1 };
    let block = TransformerBlock::new(&mut tape, 16, options, Init::default(), rng).unwrap();
    let cells = Cell::TABLE
        .map(|(cell, _)| Recurrent::new(&mut tape, cell, 16, 16, LENGTH, Init::default(), rng).unwrap());
    let head = Linear::new(&mut tape, 16, 50, true, Init::default(), rng);
    let gamma = tape.param_with(1, 16, |gamma| gamma.fill(T::ONE));
    let mut optimizer = optim::find::<T>("adam").unwrap().optimizer(None).unwrap();
    let labels: Vec<usize> = (0..4 * LENGTH).map(|i| i * 7 % 50).collect();
    let mut after_first = None;
    for step in 0..5 {
        tape.rewind();
        let tokens =
            |to: &mut [T]| to.iter_mut().enumerate().for_each(|(i, to)| *to = T::of((i * 3 % 50) as f64));
        let x = tape.constant_with(4, LENGTH, tokens);
        let mode = &mut Mode::training(Place { seed: 0, epoch: 0, step });
        let x = embedding.forward(&mut tape, x, mode);
        let mut x = block.forward(&mut tape, x, mode);
        for cell in &cells {
            x = cell.forward(&mut tape, x, mode);
        }
        let x = tape.rms_norm(x, gamma, T::of(1e-5));
        let x = tape.group_norm(x, gamma, gamma, 4, T::of(1e-5));
        let logits = head.forward(&mut tape, x, mode);
        let loss = tape.cross_entropy_ignoring(logits, &labels, 0);
        tape.zero_grad();
        tape.backward(loss);
        optimizer.step(&mut tape).unwrap();
        after_first.get_or_insert_with(calls);
    }
    calls() - after_first.unwrap()
}

/// Steps of both networks of images.
fn allocations_on_images<T: Float>() -> usize {
    const BATCH: usize = 20;
    let image = ImageShape::new(1, 28, 28);
    let mut most = 0;
    for is_lenet in [true, false] {
        let mut tape = Tape::<T>::default();
        let rng = &mut stream(0, Purpose::Init);
        let net = if is_lenet {
            LeNet::new(image, 10).build(&mut tape, rng).unwrap()
        } else {
            Cnn::new(image, 10).build(&mut tape, rng).unwrap()
        };
        let mut optimizer = optim::find::<T>("adam").unwrap().optimizer(None).unwrap();
        let labels: Vec<usize> = (0..BATCH).map(|i| i * 7 % 10).collect();
        let mut after_first = None;
        for step in 0..4 {
            tape.rewind();
            let x = tape.constant_with(BATCH, 784, |to| {
                to.iter_mut().enumerate().for_each(|(i, to)| *to = T::of((i * 3 % 50) as f64 / 50.0));
            });
            let mode = &mut Mode::training(Place { seed: 0, epoch: 0, step });
            let logits = net.forward(&mut tape, x, mode);
            let loss = tape.cross_entropy(logits, &labels);
            tape.zero_grad();
            tape.backward(loss);
            optimizer.step(&mut tape).unwrap();
            after_first.get_or_insert_with(calls);
        }
        most = most.max(calls() - after_first.unwrap());
    }
    most
}

/// As [`steps`].
pub fn images() {
    for threads in [1, 2] {
        linalg::with_threads(threads, || {
            let allocates = |run: fn() -> usize| (0..3).all(|_| run() > 0);
            assert!(!allocates(allocations_on_images::<f32>), "images in f32, threads: {threads}");
            assert!(!allocates(allocations_on_images::<f64>), "images in f64, threads: {threads}");
        });
    }
}

/// As [`steps`].
pub fn sequences() {
    for threads in [1, 2] {
        linalg::with_threads(threads, || {
            let allocates = |run: fn() -> usize| (0..3).all(|_| run() > 0);
            assert!(!allocates(allocations_on_sequences::<f32>), "sequences in f32, threads: {threads}");
            assert!(!allocates(allocations_on_sequences::<f64>), "sequences in f64, threads: {threads}");
        });
    }
}
