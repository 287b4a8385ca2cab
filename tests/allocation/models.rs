//! Reading a model takes the memory of its numbers, once; asking a network about a sample takes none.

use std::fs;

use nalgebra::DMatrix;
use tapegrad::models::kernel::{FourierRidge, KernelMachine, KernelRidge, RidgeOptions, Samples, kernels};
use tapegrad::models::linear::{LinearOptions, LinearRegression};
use tapegrad::models::{
    self, Fitted, Inputs, LogisticOptions, LogisticRegression, Network, Notes, Predictor,
};
use tapegrad::nn::loss::BinaryCrossEntropy;
use tapegrad::{Dataset, Float, linalg};

use crate::{calls, measure};

/// What may come on top of the size of a file: blocks on their way, names, settings.
const BESIDE: usize = 1 << 20;

pub fn models() {
    let (classes, values) = (noise(60, 500).0, noise(400, 1500).1);
    let network = || Network::<f32>::new(1).linear(1000).layer_norm().relu().linear(1500).relu();
    check(&network().outputs_for(&classes).unwrap(), 8_000_000);

    let options = LogisticOptions { lambda: 1.0, ..Default::default() };
    let logistic = LogisticRegression::fit_dataset(&classes, &options).unwrap();
    check(&Fitted::classifier(logistic, Inputs::of(&classes), &classes).unwrap(), 10_000);
    let linear =
        LinearRegression::fit_dataset(&values, &LinearOptions { lambda: 1.0, intercept: true }).unwrap();
    check(&Fitted::regressor(linear, Inputs::of(&values), &values).unwrap(), 1000);

    let x = Samples::new(values.to_rows::<f64>(), 1500).unwrap();
    let y = DMatrix::from_fn(400, 1, |i, _| values.targets().unwrap()[i]);
    let options = RidgeOptions::new(1e-3);
    let rbf = (kernels::<f64>()[0].build)(&Default::default()).unwrap();
    let machine =
        |model: Box<dyn KernelMachine<f64>>| Fitted::regressor(model, Inputs::of(&values), &values).unwrap();
    check(&machine(Box::new(KernelRidge::fit(rbf.clone(), &x, &y, options).unwrap())), 4_000_000);
    let fourier = FourierRidge::fit(&*rbf, &x, &y, 300, 1, options).unwrap();
    check(&machine(Box::new(fourier)), 3_000_000);
}

/// Features of no meaning, with labels of three classes and with values.
fn noise(rows: usize, features: usize) -> (Dataset, Dataset) {
    let mut state = 1u64;
    let mut draw = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as f64 / f64::from(1u32 << 31)
    };
    let x: Vec<f64> = (0..rows * features).map(|_| draw()).collect();
    let labels: Vec<usize> = (0..rows).map(|i| i % 3).collect();
    let targets = (0..rows).map(|_| draw()).collect();
    let data = Dataset::new(x, features).unwrap();
    let values = data.clone().with_targets(targets, 1).unwrap();
    (data.with_labels(&labels, 3).unwrap(), values)
}

fn check(model: &dyn Predictor, least: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    models::save(model, &path, &Notes::default()).unwrap();
    let size = fs::metadata(&path).unwrap().len() as usize;
    assert!(size >= least, "{}: {size} bytes show nothing", model.describe());
    let (read, _, peak) = measure(|| models::load(&path).unwrap());
    assert!(peak < size + BESIDE, "{}: {peak} bytes to read {size}", model.describe());
    assert_eq!(read.model.describe(), model.describe());
}

/// One sample after another, by all three questions, with a buffer of the caller's.
pub fn predictions() {
    for threads in [1, 2] {
        networks::<f32>(threads);
        networks::<f64>(threads);
    }
}

fn networks<T: Float>(threads: usize) {
    let (classes, values) = noise(60, 784);
    let two = classes.clone().with_labels(&[0, 1].repeat(30), 2).unwrap();
    let inputs = Inputs::of(&classes);
    for prepared in [
        inputs.clone(),
        inputs.clone().standardize(&classes).unwrap(),
        inputs.clone().standardize(&classes).unwrap().min_max(&classes).unwrap(),
    ] {
        let what = |net: &Network<T>| format!("{}, {}, {}", T::NAME, prepared.describe(), net.describe());
        let new = || {
            let net =
                Network::<T>::new(1).inputs(prepared.clone()).linear(128).batch_norm().relu().dropout(0.1);
            net.residual(|block| block.linear(128).layer_norm().gelu())
        };
        let net = new().outputs_for(&classes).unwrap();
        assert!(!allocates(&net, threads, 3), "{}", what(&net));
        let net = new().loss(BinaryCrossEntropy).outputs_for(&two).unwrap();
        assert!(!allocates(&net, threads, 1), "binary, {}", what(&net));
        let net = new().standardize_targets(&values).unwrap().outputs_for(&values).unwrap();
        assert!(!allocates(&net, threads, 1), "values, {}", what(&net));
    }
}

/// Whether it does in three runs out of three: the threads of the pool before may still be ending.
fn allocates(net: &dyn Predictor, threads: usize, scores: usize) -> bool {
    let samples: Vec<Vec<f32>> =
        (0..5).map(|k| (0..784).map(|i| ((i * 7919 + k) % 251) as f32 / 251.0).collect()).collect();
    let doubles: Vec<Vec<f64>> = samples.iter().map(|x| x.iter().map(|x| f64::from(*x)).collect()).collect();
    let (mut to, mut p) = (vec![0.0; scores], vec![0.0; net.task().classes()]);
    let mut run = || {
        let mut ask = || {
            for (single, double) in samples.iter().zip(&doubles) {
                net.scores_into(single, &mut to).unwrap();
                net.task().class_of(&to);
                if p.is_empty() {
                    net.predict_into(&&double[..], &mut to).unwrap();
                } else {
                    net.probabilities_into(&&double[..], &mut p).unwrap();
                }
            }
        };
        linalg::with_threads(threads, || {
            ask();
            let before = calls();
            ask();
            calls() - before
        })
    };
    (0..3).all(|_| run() > 0)
}
