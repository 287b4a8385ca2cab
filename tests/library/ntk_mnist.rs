//! Tangent kernels on the real images: needs the MNIST files, in the folder named by `TAPEGRAD_MNIST`.
//!
//! Ridge regression with the kernel of an infinite network, on pixels/255, beside finite networks: one
//! trained as usual, and the empirical kernel of one at its start.

use std::sync::Arc;
use std::time::Instant;

use nalgebra::DMatrix;
use tapegrad::data::Dataset;
use tapegrad::linalg::{Cholesky, available_threads, with_threads};
use tapegrad::metrics::SeenClasses;
use tapegrad::models::Mlp;
use tapegrad::models::kernel::{
    InfiniteNetwork, Kernel, KernelMachine, KernelRidge, Nngp, Nonlinearity, Ntk, Rbf, RidgeOptions, Samples,
    gram, one_vs_rest,
};
use tapegrad::models::ntk::{NtkMlp, NtkOptions, Outputs, empirical_cross_ntk, empirical_ntk};
use tapegrad::nn::{Activation, loss};
use tapegrad::optim::{Adam, Optimizer};
use tapegrad::rng::{Purpose, stream};
use tapegrad::train::{FitOptions, evaluate, fit};
use tapegrad::{Float, Tape};

use crate::helpers;

/// The first `n` training images, and all for the test.
fn images(n: usize) -> Option<(Dataset, Dataset)> {
    let (train, test) = helpers::mnist()?;
    Some((train.take(n), test))
}

fn network(depth: usize, nonlinearity: Nonlinearity, bias_variance: f64) -> InfiniteNetwork {
    let network = InfiniteNetwork::new(depth, nonlinearity, 1.0 / 784.0).unwrap();
    network.with_variances(2.0, bias_variance).unwrap()
}

/// Test accuracy of ridge regression with the ridge nλ, as a share of the mean of the kernel's diagonal.
fn ridge(kernel: Arc<dyn Kernel<f64>>, share: f64, train: &Dataset, test: &Dataset) -> f64 {
    let (x, z) = (Samples::from_dataset(train).unwrap(), Samples::from_dataset(test).unwrap());
    let y = one_vs_rest(train.labels().unwrap(), 10).unwrap();
    let mut diagonal = 0.0;
    for norm in x.rows().norms {
        let mut value = [if kernel.gaussian_gamma().is_some() { 0.0 } else { *norm }];
        kernel.apply(&mut value, *norm, &[*norm]);
        diagonal += value[0] / (x.len() as f64).powi(2);
    }
    let start = Instant::now();
    let fit = KernelRidge::fit(kernel, &x, &y, RidgeOptions::new(share * diagonal)).unwrap();
    let accuracy = fit.accuracy(&z, test.labels().unwrap());
    println!("{}: accuracy {accuracy:.4}, {:.1} s", fit.name(), start.elapsed().as_secs_f64());
    accuracy
}

/// Test accuracy of a network with a hidden layer, trained by Adam until it knows the training images.
fn trained_mlp(width: usize, epochs: usize, seed: u64, train: &Dataset, test: &Dataset) -> f64 {
    let mut tape = Tape::<f32>::default();
    let rng = &mut stream(seed, Purpose::Init);
    let mlp = Mlp::new(&[784, width, 10], Activation::Relu).build(&mut tape, rng).unwrap();
    let mut optimizer = Optimizer::new(Adam::default(), 1e-3).unwrap();
    let loss = loss::suited_to(train).unwrap();
    let options = FitOptions::new(epochs, 32, seed);
    let start = Instant::now();
    let history = fit(&mlp, &*loss, &mut tape, &mut optimizer, train, None, &options, &mut []).unwrap();
    let accuracy = evaluate(&mlp, &*loss, &mut tape, test).unwrap().accuracy().unwrap();
    let own = history.epochs.last().unwrap().train_accuracy.unwrap();
    println!(
        "mlp 784-{width}-10, {epochs} epochs, seed {seed}: accuracy {accuracy:.4} (training {own:.4}), {:.1} s",
        start.elapsed().as_secs_f64()
    );
    accuracy
}

/// The kernel of a hidden layer of ReLU against three networks of one.
fn compare(n: usize, least_ntk: f64, least_mlp: f64) {
    let Some((train, test)) = images(n) else { return };
    with_threads(available_threads(), || {
        let ntk = ridge(Arc::new(Ntk(network(1, Nonlinearity::Relu, 0.0))), 1e-3, &train, &test);
        assert!(ntk >= least_ntk, "{ntk}");
        for seed in 1..=3 {
            let mlp = trained_mlp(256, 20, seed, &train, &test);
            assert!(mlp >= least_mlp && mlp < ntk, "{mlp} {ntk}");
        }
    });
}

#[test]
fn ridge_and_network_on_1000_images() {
    compare(1000, 0.914, 0.875);
}

#[test]
#[ignore = "takes half a minute"]
fn ridge_and_network_on_5000_images() {
    compare(5000, 0.959, 0.935);
}

#[test]
#[ignore = "takes half a minute"]
fn deeper_kernels_on_5000_images() {
    let Some((train, test)) = images(5000) else { return };
    with_threads(available_threads(), || {
        for (depth, nonlinearity, bias) in [
            (2, Nonlinearity::Relu, 0.0),
            (3, Nonlinearity::Relu, 0.0),
            (5, Nonlinearity::Relu, 0.0),
            (1, Nonlinearity::Erf, 0.0),
            (3, Nonlinearity::Erf, 0.0),
        ] {
            let ntk = ridge(Arc::new(Ntk(network(depth, nonlinearity, bias))), 1e-3, &train, &test);
            assert!(ntk > 0.94, "{nonlinearity} {depth}: {ntk}");
        }
        ridge(Arc::new(Nngp(network(1, Nonlinearity::Relu, 0.0))), 1e-3, &train, &test);
        ridge(Arc::new(Rbf::new(0.03).unwrap()), 1e-3, &train, &test);
    });
}

#[test]
#[ignore = "takes a minute"]
fn the_empirical_kernel_of_a_wide_network_is_nearly_as_good_as_its_limit() {
    let Some((train, test)) = images(1000) else { return };
    with_threads(available_threads(), || {
        let limit = network(1, Nonlinearity::Relu, 0.0);
        let (width, test) = (512, test.take(2000));
        let expected = ridge(Arc::new(Ntk(limit)), 1e-3, &train, &test);
        let (x, z) = (Samples::<f32>::from_dataset(&train).unwrap(), Samples::from_dataset(&test).unwrap());
        let mut tape = Tape::default();
        let rng = &mut stream(1, Purpose::Init);
        let net = NtkMlp::new(&mut tape, &limit, 784, width, 1, rng).unwrap();
        let options = NtkOptions::new(Outputs::Mean);
        let start = Instant::now();
        let theta = empirical_ntk(&net, &mut tape, &x, options).unwrap();
        let own = start.elapsed().as_secs_f64();
        let cross = empirical_cross_ntk(&net, &mut tape, &z, &x, options).unwrap();
        let both = start.elapsed().as_secs_f64();
        let mut k = theta.map(f64::from);
        let share = 1e-3 * k.trace() / 1000.0 / 1000.0;
        (0..1000).for_each(|i| k[(i, i)] += share * 1000.0);
        let mut alpha = one_vs_rest::<f64>(train.labels().unwrap(), 10).unwrap();
        Cholesky::new(k).unwrap().solve_in_place(&mut alpha);
        let predictions = cross.map(f64::from) * alpha;
        let classes = SeenClasses::all(10).decide(predictions.transpose().as_slice());
        let pairs = classes.iter().zip(test.labels().unwrap());
        let right = pairs.filter(|(class, label)| **class == Some(**label)).count();
        let accuracy = right as f64 / 2000.0;
        println!(
            "width {width}: accuracy {accuracy:.4}, kernel {own:.1} s, with 2000 test images {both:.1} s"
        );
        assert!(accuracy > expected - 0.03, "{accuracy} {expected}");
    });
}

/// Gram matrices of 10,000 images, each the best of three.
#[test]
#[ignore = "takes a minute"]
fn time_of_gram_matrices() {
    fn measure<T: Float>(name: &str, kernel: &dyn Kernel<T>, train: &Dataset) {
        let x = Samples::<T>::from_dataset(train).unwrap();
        let mut times: Vec<f64> = (0..3)
            .map(|_| {
                let start = Instant::now();
                let k: DMatrix<T> = gram(kernel, &x);
                assert!(k[(0, 1)].is_finite());
                start.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!("{} {name}: {:.2} s ({:.2} to {:.2})", T::NAME, times[0], times[0], times[2]);
    }
    let Some((train, _)) = images(10_000) else { return };
    with_threads(available_threads(), || {
        measure::<f32>("rbf", &Rbf::new(0.03).unwrap(), &train);
        measure::<f64>("rbf", &Rbf::new(0.03).unwrap(), &train);
        for nonlinearity in [Nonlinearity::Relu, Nonlinearity::Erf] {
            for depth in [1, 3] {
                let kernel = Ntk(network(depth, nonlinearity, 0.0));
                let name = format!("ntk {nonlinearity} {depth}");
                measure::<f32>(&name, &kernel, &train);
                measure::<f64>(&name, &kernel, &train);
            }
        }
    });
}
