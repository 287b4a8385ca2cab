//! What the tests of several files need.

use nalgebra::DMatrix;
use rand::RngExt;
use tapegrad::models::kernel::Samples;
use tapegrad::rng::{Purpose, stream};
use tapegrad::{Dataset, Float, Param, Tape};

/// The real MNIST, training and test part; `None`, and said so, where this machine has none.
pub fn mnist() -> Option<(Dataset, Dataset)> {
    let Some(folder) = std::env::var_os("TAPEGRAD_MNIST") else {
        println!("SKIPPED: TAPEGRAD_MNIST does not name a folder with the MNIST files");
        return None;
    };
    Some(Dataset::mnist(folder).unwrap())
}

/// n samples of d features in [−1, 1).
pub fn random(n: usize, d: usize, seed: u64) -> Samples<f64> {
    let mut rng = stream(seed, Purpose::Data);
    Samples::new((0..n * d).map(|_| rng.random_range(-1.0..1.0)).collect(), d).unwrap()
}

/// Equal up to `tolerance` times the largest entry of `b`.
#[track_caller]
pub fn assert_near(a: &DMatrix<f64>, b: &DMatrix<f64>, tolerance: f64) {
    assert_eq!(a.shape(), b.shape());
    let error = (a - b).amax() / b.amax();
    assert!(error < tolerance, "{error:e}\n{a}{b}");
}

/// Three parameters of different shapes, one of them empty, with gradients.
pub fn three_params<T: Float>() -> (Tape<T>, [Param; 3]) {
    let mut tape = Tape::<T>::default();
    let fill = |from: f64| {
        move |to: &mut [T]| to.iter_mut().enumerate().for_each(|(i, x)| *x = T::of((from + i as f64).sin()))
    };
    // More than 64 numbers, and no multiple of a vector's length: the rest of a loop must be done too.
    let params = [
        tape.param_with(7, 11, fill(0.3)),
        tape.param_with(0, 5, fill(0.0)),
        tape.param_with(1, 3, fill(2.0)),
    ];
    fill(5.0)(tape.param_grads_mut());
    (tape, params)
}
