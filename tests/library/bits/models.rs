//! Kernel machines, tangent kernels, and exact logistic regression.

use std::ops::ControlFlow;

use nalgebra::DMatrix;
use tapegrad::data::{Dataset, synthetic};
use tapegrad::models::kernel::{
    Centres, FalkonOptions, FourierRidge, IterativeOptions, KernelMachine, KernelRidge, KernelSettings,
    NystromOptions, RidgeOptions, Samples, falkon, gram, iterative_ridge, kernels, leverage_scores,
    median_gamma, nystrom, one_vs_rest,
};
use tapegrad::models::ntk::{NtkOptions, Outputs, TangentRidge, empirical_ntk};
use tapegrad::models::{LogisticOptions, LogisticRegression, Mlp, Scheme};
use tapegrad::nn::Activation;
use tapegrad::rng::{Purpose, stream};
use tapegrad::{Float, Tape};

use super::{Hash, Table, numbers};

/// Samples of three classes.
fn blobs() -> Dataset {
    synthetic::blobs(40, 3, 1.0, 11).expect("settings in range")
}

pub fn entries<T: Float>(table: &mut Table) {
    let t = T::NAME;
    let data = blobs();
    let x = Samples::<T>::from_dataset(&data).expect("features");
    let y = one_vs_rest::<T>(data.labels().expect("labels"), 3).expect("classes");
    let other = Samples::new(numbers::<T>(30, 31), x.features()).expect("features");
    let ridge = RidgeOptions::new(1e-2);
    // A small length scale makes kernel matrices that need no ridge.
    let settings = KernelSettings { gamma: 0.7, ..KernelSettings::default() };
    for entry in kernels::<T>() {
        let kernel = (entry.build)(&settings).expect("settings in range");
        table.add(format!("gram {t} {}", entry.name), Hash::of(gram(kernel.as_ref(), &x).as_slice()));
        let machine = KernelRidge::fit(kernel, &x, &y, ridge).expect("a ridge");
        let hash = Hash::of(machine.alpha().as_slice())
            .and(machine.predict(&other).as_slice())
            .and(machine.leave_one_out_residuals().as_slice())
            .and(&machine.posterior_variance(&other))
            .and(&machine.log_marginal_likelihood());
        table.add(format!("krr {t} {}", entry.name), hash);
    }
    let rbf = (kernels::<T>()[0].build)(&settings).expect("settings in range");
    table.add(format!("median γ {t}"), Hash::of(&[median_gamma(&x, 3).expect("distances")]));
    let scores = leverage_scores(rbf.as_ref(), &x, 1e-2, 10, 3).expect("pilots");
    table.add(format!("leverage scores {t}"), Hash::of(&scores));

    for selection in [Centres::Uniform, Centres::LeverageScores { pilots: 12 }] {
        let options = NystromOptions { ridge, centres: 15, selection, seed: 3 };
        let machine = nystrom(rbf.clone(), &x, &y, options).expect("a ridge");
        let hash = Hash::of(machine.alpha().as_slice()).and(machine.predict(&other).as_slice());
        table.add(format!("nystrom {t} {selection:?}"), hash);
    }
    let machine = FourierRidge::fit(rbf.as_ref(), &x, &y, 20, 3, ridge).expect("a ridge");
    let hash = Hash::of(machine.weights().as_slice()).and(machine.predict(&other).as_slice());
    table.add(format!("rff {t}"), hash);
    let options = FalkonOptions {
        ridge,
        centres: 15,
        selection: Centres::Uniform,
        seed: 3,
        iterations: 20,
        tolerance: 0.0,
    };
    let fit = falkon(rbf.clone(), &x, &y, options).expect("a ridge");
    table.add(format!("falkon {t}"), Hash::of(fit.machine.alpha().as_slice()).and(&fit.residuals));
    let options = IterativeOptions { ridge, pilots: 12, seed: 3, iterations: 20, tolerance: 0.0 };
    let fit = iterative_ridge(rbf, &x, &y, options, &mut |_| ControlFlow::Continue(())).expect("a ridge");
    table.add(format!("cg {t}"), Hash::of(fit.machine.alpha().as_slice()).and(&fit.residuals));

    let mut tape = Tape::<T>::default();
    let rng = &mut stream(1, Purpose::Init);
    let network = Mlp::new(&[x.features(), 9, 3], Activation::Tanh).build(&mut tape, rng).expect("widths");
    let theta = empirical_ntk(&network, &mut tape, &x, NtkOptions::new(Outputs::All)).expect("memory");
    table.add(format!("tangent kernel {t}"), Hash::of(theta.as_slice()));
    let fit = TangentRidge::fit(Box::new(network), &tape, &x, &y, ridge).expect("a ridge");
    table.add(format!("tangent ridge {t}"), Hash::of(fit.step()).and(fit.predict(&other).as_slice()));
}

/// What is fitted in f64 only.
pub fn of_f64(table: &mut Table) {
    let data = blobs();
    let d = data.features();
    let x = DMatrix::from_row_slice(data.len(), d, &numbers::<f64>(data.len() * d, 32));
    let labels: Vec<usize> = data.labels().expect("labels").to_vec();
    for scheme in [Scheme::Binary, Scheme::OneVsRest, Scheme::Multinomial] {
        let (labels, classes) = match scheme {
            Scheme::Binary => (labels.iter().map(|label| label % 2).collect(), 2),
            _ => (labels.clone(), 3),
        };
        let options = LogisticOptions { scheme, lambda: 1e-2, ..LogisticOptions::default() };
        let model = LogisticRegression::fit(&x, &labels, classes, &options).expect("an optimum");
        let hash = Hash::of(model.weights().as_slice())
            .and(model.bias().as_slice())
            .and(model.probabilities(&x).expect("features").as_slice());
        table.add(format!("logistic {scheme}"), hash);
    }
}
