//! After the first step, a training step asks the heap for nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tapegrad::models::{Mlp, Model};
use tapegrad::nn::Activation;
use tapegrad::optim::{Group, optimizers};
use tapegrad::rng::{Purpose, stream};
use tapegrad::{Float, Tape};

/// The system's allocator, counting the requests of each thread.
struct Counting;

thread_local! {
    static REQUESTS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    REQUESTS.with(|requests| requests.set(requests.get() + 1));
}

// SAFETY: every request goes to the system's allocator as it came. The counter has a constant initial
// value and no destructor, so reaching it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn requests(work: impl FnOnce()) -> usize {
    let before = REQUESTS.get();
    work();
    REQUESTS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(requests(|| drop(std::hint::black_box(vec![1u8; 100]))), 1);
}

fn check<T: Float>() {
    for entry in optimizers::<T>() {
        let mut tape = Tape::<T>::default();
        let rng = &mut stream(1, Purpose::Init);
        let mlp = Mlp::new(&mut tape, &[784, 128, 10], Activation::Relu, None, rng).unwrap();
        let group = Group::new(mlp.biases()).with_weight_decay(0.0).unwrap();
        let mut optimizer = entry.optimizer(None).unwrap().with_group(group);
        let labels: Vec<usize> = (0..64).map(|i| i % 10).collect();
        let mut step = |i: usize| {
            tape.rewind();
            let fill =
                |x: &mut [T]| x.iter_mut().enumerate().for_each(|(k, x)| *x = T::of((k % (i + 2)) as f64));
            let x = tape.constant_with(64, 784, fill);
            let logits = mlp.forward(&mut tape, x);
            let loss = tape.cross_entropy(logits, &labels);
            tape.zero_grad();
            tape.backward(loss);
            optimizer.set_lr(0.001 / i as f64).unwrap();
            optimizer.step(&mut tape);
        };
        assert!(requests(|| step(1)) > 0);
        for i in 2..5 {
            assert_eq!(requests(|| step(i)), 0, "{} {}, step {i}", entry.name, T::NAME);
        }
    }
}

#[test]
fn a_step_in_double_precision() {
    check::<f64>();
}

#[test]
fn a_step_in_single_precision() {
    check::<f32>();
}
