//! The main job on the real images: needs the MNIST files, in the folder named by `TAPEGRAD_MNIST`.

use tapegrad::data::Dataset;
use tapegrad::models::Mlp;
use tapegrad::nn::{Activation, loss};
use tapegrad::optim::{Adam, Optimizer};
use tapegrad::rng::{Purpose, stream};
use tapegrad::train::{FitOptions, evaluate, fit};
use tapegrad::{Float, Tape, linalg};

use crate::helpers;

fn accuracy<T: Float>(train: &Dataset, test: &Dataset, seed: u64, epochs: usize) -> f64 {
    let mut tape = Tape::<T>::default();
    let mut rng = stream(seed, Purpose::Init);
    let model = Mlp::new(&[784, 128, 10], Activation::Relu).build(&mut tape, &mut rng).unwrap();
    let mut optimizer = Optimizer::new(Adam::default(), 1e-3).unwrap();
    let loss = loss::suited_to(train).unwrap();
    let options = FitOptions::new(epochs, 128, seed);
    fit(&model, &*loss, &mut tape, &mut optimizer, train, None, &options, &mut []).unwrap();
    evaluate(&model, &*loss, &mut tape, test).unwrap().accuracy().unwrap()
}

/// Median test accuracy of that many seeds after ten epochs.
fn median<T: Float>(seeds: u64, train: &Dataset, test: &Dataset) -> f64 {
    let mut accuracies: Vec<f64> = linalg::with_threads(linalg::available_threads(), || {
        (0..seeds).map(|seed| accuracy::<T>(train, test, seed, 10)).collect()
    });
    accuracies.sort_by(f64::total_cmp);
    println!("{}: {accuracies:?}", T::NAME);
    accuracies[accuracies.len() / 2]
}

#[test]
fn the_standard_network_reads_mnist() {
    let Some((train, test)) = helpers::mnist() else { return };
    assert_eq!((train.len(), test.len(), train.features()), (60_000, 10_000, 784));
    // PyTorch with the same settings: 0.9757 after ten epochs.
    assert!(median::<f32>(5, &train, &test) >= 0.975);
    assert!(median::<f64>(3, &train, &test) >= 0.975);
}
