//! Tangent kernels of finite networks, their linearization and its training: against the reference,
//! differences, and step by step.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use serde::Deserialize;
use tapegrad::linalg::{symmetric_eigen, with_threads};
use tapegrad::models::Mlp;
use tapegrad::models::kernel::{
    InfiniteNetwork, KernelMachine, KernelRidge, Nngp, Nonlinearity, Ntk, RidgeOptions, Samples, cross_gram,
    gram,
};
use tapegrad::models::ntk::{
    Dynamics, Linearization, NtkMlp, NtkOptions, Outputs, empirical_cross_ntk, empirical_ntk, jacobian,
};
use tapegrad::nn::{Activation, Mode, Module, Norm, Sequential, Summary};
use tapegrad::rng::{Place, Purpose, standard_normal, stream};
use tapegrad::{Error, Param, Tape, Var};

use crate::reference::Matrix;

use crate::helpers::{assert_near, random};

#[derive(Deserialize)]
struct Reference {
    x: Matrix,
    w1: Matrix,
    b1: Matrix,
    w2: Matrix,
    empirical_ntk: Matrix,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/ntk.json")).unwrap()
}

/// The network of the reference: a hidden layer of ReLU with biases, and no bias behind it.
struct ReluNet {
    w1: Param,
    b1: Param,
    w2: Param,
}

impl Module<f64> for ReluNet {
    fn describe(&self) -> String {
        "relu net".into()
    }
    fn forward(&self, tape: &mut Tape, x: Var, _: &mut Mode) -> Var {
        let z = tape.linear(x, self.w1, self.b1);
        let h = tape.relu(z);
        tape.matmul(h, self.w2)
    }
}

#[test]
fn the_empirical_kernel_of_the_reference() {
    let r = reference();
    let mut tape = Tape::new();
    let net =
        ReluNet { w1: tape.param(&r.w1.get()), b1: tape.param(&r.b1.get()), w2: tape.param(&r.w2.get()) };
    let x = Samples::from_matrix(&r.x.get()).unwrap();
    for outputs in [Outputs::All, Outputs::Mean] {
        let theta = empirical_ntk(&net, &mut tape, &x, NtkOptions::new(outputs)).unwrap();
        assert_near(&theta, &r.empirical_ntk.get(), 1e-14);
    }
}

/// A small network with several outputs, and samples for it.
fn small() -> (Tape, Sequential<f64>, Samples<f64>) {
    let mut tape = Tape::new();
    let rng = &mut stream(4, Purpose::Init);
    let mlp = Mlp::new(&[3, 7, 5, 2], Activation::Tanh).build(&mut tape, rng).unwrap();
    (tape, mlp, random(9, 3, 7))
}

fn outputs(model: &dyn Module<f64>, tape: &mut Tape, x: &Samples<f64>) -> Vec<f64> {
    tape.rewind();
    let input = tape.constant_slice(x.len(), x.features(), x.rows().values);
    let y = model.forward(tape, input, &mut Mode::evaluation());
    let y = tape.value_slice(y).to_vec();
    tape.rewind();
    y
}

#[test]
fn the_jacobian_by_differences() {
    let (mut tape, mlp, x) = small();
    let j = jacobian(&mlp, &mut tape, &x);
    assert!(tape.param_grads().iter().all(|g| *g == 0.0) && tape.len() == 6);
    let theta = tape.param_values().to_vec();
    assert_eq!(j.shape(), (18, theta.len()));
    let step = 1e-5;
    let mut differences = DMatrix::zeros(18, theta.len());
    for p in 0..theta.len() {
        let mut at = |t| {
            tape.param_values_mut()[p] = t;
            outputs(&mlp, &mut tape, &x)
        };
        let (up, down) = (at(theta[p] + step), at(theta[p] - step));
        at(theta[p]);
        for (i, (u, d)) in up.iter().zip(&down).enumerate() {
            differences[(i, p)] = (u - d) / (2.0 * step);
        }
    }
    assert_near(&j, &differences, 1e-9);
    let options = NtkOptions::new(Outputs::All);
    let kernel = empirical_ntk(&mlp, &mut tape, &x, options).unwrap();
    assert_near(&kernel, &(&differences * differences.transpose()), 1e-9);
    // The Jacobian of an affine layer by hand: ∂f_o/∂b₃ is the identity.
    let biases = j.columns(theta.len() - 2, 2);
    assert!((0..18).all(|r| biases[(r, r % 2)] == 1.0 && biases[(r, 1 - r % 2)] == 0.0));
}

/// Running statistics are no parameters of the function: the kernel knows the model in evaluation.
#[test]
fn buffers_have_no_part_in_the_kernel() {
    let mut tape = Tape::new();
    let options = Mlp { norm: Norm::Batch, ..Mlp::new(&[3, 6, 2], Activation::Tanh) };
    let mlp = options.build(&mut tape, &mut stream(4, Purpose::Init)).unwrap();
    let x = random(9, 3, 7);
    let input = tape.constant_slice(9, 3, x.rows().values);
    mlp.forward(&mut tape, input, &mut Mode::training(Place::default()));
    let trained: Vec<bool> =
        tape.params().flat_map(|p| vec![tape.is_trained(p); tape.param_shape(p).numel()]).collect();
    assert!(trained.contains(&false));
    let j = jacobian(&mlp, &mut tape, &x);
    let mut expected = DMatrix::zeros(18, 18);
    let step = 1e-5;
    for (p, trained) in trained.iter().enumerate() {
        if !trained {
            assert_eq!(j.column(p).amax(), 0.0);
            continue;
        }
        let theta = tape.param_values()[p];
        let mut at = |t| {
            tape.param_values_mut()[p] = t;
            DVector::from_vec(outputs(&mlp, &mut tape, &x))
        };
        let column = (at(theta + step) - at(theta - step)) / (2.0 * step);
        at(theta);
        expected += &column * column.transpose();
    }
    let theta = empirical_ntk(&mlp, &mut tape, &x, NtkOptions::new(Outputs::All)).unwrap();
    assert_near(&theta, &expected, 1e-9);
    assert_near(&theta, &(&j * j.transpose()), 1e-14);
}

#[test]
fn the_empirical_kernel_is_symmetric_and_positive_semi_definite() {
    let (mut tape, mlp, x) = small();
    let j = jacobian(&mlp, &mut tape, &x);
    let all = empirical_ntk(&mlp, &mut tape, &x, NtkOptions::new(Outputs::All)).unwrap();
    let mean = empirical_ntk(&mlp, &mut tape, &x, NtkOptions::new(Outputs::Mean)).unwrap();
    assert_near(&all, &(&j * j.transpose()), 1e-14);
    let half_trace = DMatrix::from_fn(9, 9, |a, b| 0.5 * (all[(2 * a, 2 * b)] + all[(2 * a + 1, 2 * b + 1)]));
    assert_near(&mean, &half_trace, 1e-14);
    for theta in [all, mean] {
        assert_eq!(theta, theta.transpose());
        let values = symmetric_eigen(&theta).unwrap().values;
        assert!(values[0] > -1e-14 * values.max(), "{values}");
    }
}

#[test]
fn blocks_do_not_change_the_kernel() {
    let mut tape = Tape::new();
    let rng = &mut stream(4, Purpose::Init);
    let mlp = Mlp::new(&[3, 40, 2], Activation::Tanh).build(&mut tape, rng).unwrap();
    let (x, y) = (random(90, 3, 7), random(41, 3, 8));
    let sample = 2 * tape.param_numbers() as u64 * 8;
    for outputs in [Outputs::All, Outputs::Mean] {
        let options = NtkOptions::new(outputs);
        let whole = empirical_ntk(&mlp, &mut tape, &x, options).unwrap();
        let cross = empirical_cross_ntk(&mlp, &mut tape, &x, &y, options).unwrap();
        let rows = if outputs == Outputs::All { 2 } else { 1 };
        for held in [2, 3, 7, 20, 95, 130] {
            let kernel = |m: u64| 90 * m * rows * rows * 8 + 90 * m.min(128) * rows * rows * 8;
            let options = options.with_memory(kernel(90) + held * sample);
            let blocks = empirical_ntk(&mlp, &mut tape, &x, options).unwrap();
            assert_near(&blocks, &whole, 1e-14);
            assert_eq!(blocks, blocks.transpose());
            let options = options.with_memory(kernel(41) + held * sample);
            let blocks = empirical_cross_ntk(&mlp, &mut tape, &x, &y, options).unwrap();
            assert_near(&blocks, &cross, 1e-14);
        }
        let own = empirical_cross_ntk(&mlp, &mut tape, &x, &x, options).unwrap();
        assert_near(&own, &whole, 1e-14);
        let little = options.with_memory(90 * 90 * rows * rows * 8);
        let error = empirical_ntk(&mlp, &mut tape, &x, little).unwrap_err().to_string();
        assert!(error.starts_with("memory: the kernel and the Jacobians of two samples take"), "{error}");
    }
    let options = NtkOptions::new(Outputs::All);
    let mut run = |threads| with_threads(threads, || empirical_ntk(&mlp, &mut tape, &x, options).unwrap());
    let one = run(1);
    assert_eq!(one, run(2));
}

#[test]
#[should_panic(expected = "mlp 3-7-5-2 tanh: takes 3 features, not 4")]
fn features_must_fit_the_model() {
    let (mut tape, mlp, _) = small();
    let _ = empirical_ntk(&mlp, &mut tape, &random(2, 4, 1), NtkOptions::new(Outputs::All));
}

/// With erf and biases, whose mean over draws of the weights is exactly the limit's K for the last layer.
#[test]
fn the_finite_network_is_a_draw_of_the_limit() {
    let network = InfiniteNetwork::new(2, Nonlinearity::Erf, 0.5).unwrap().with_variances(1.4, 0.2).unwrap();
    let x = random(4, 3, 9);
    let (seeds, width) = (150, 60);
    let mut covariance = DMatrix::<f64>::zeros(4, 4);
    let mut tangent = DMatrix::<f64>::zeros(4, 4);
    for seed in 0..seeds {
        let mut tape = Tape::new();
        let rng = &mut stream(seed, Purpose::Init);
        let net = NtkMlp::new(&mut tape, &network, 3, width, 20, rng).unwrap();
        let f = DMatrix::from_row_slice(4, 20, &outputs(&net, &mut tape, &x));
        covariance += &f * f.transpose() / 20.0;
        let mut first = Tape::new();
        let rng = &mut stream(seed, Purpose::Init);
        let net = NtkMlp::new(&mut first, &network, 3, width, 1, rng).unwrap();
        tangent += empirical_ntk(&net, &mut first, &x, NtkOptions::new(Outputs::All)).unwrap();
    }
    let n = seeds as f64;
    // Of 3000 outputs: 1/√1500; of 150 kernels that are some 20 % off each.
    assert_near(&(covariance / n), &gram(&Nngp(network), &x), 0.08);
    assert_near(&(tangent / n), &gram(&Ntk(network), &x), 0.04);
}

#[test]
fn the_summary_of_the_finite_network_predicts_the_arena() {
    for (depth, bias, nonlinearity) in [(1, 0.0, Nonlinearity::Relu), (3, 0.3, Nonlinearity::Erf)] {
        let network =
            InfiniteNetwork::new(depth, nonlinearity, 0.5).unwrap().with_variances(1.0, bias).unwrap();
        let mut tape = Tape::new();
        let rng = &mut stream(1, Purpose::Init);
        let net = NtkMlp::new(&mut tape, &network, 4, 6, 3, rng).unwrap();
        let summary = Summary::of(&net, &mut tape, 4, 10);
        assert_eq!(summary.trainable(), tape.param_numbers());
        let x = tape.constant_with(10, 4, |_| ());
        net.forward(&mut tape, x, &mut Mode::evaluation());
        assert_eq!(summary.forward_numbers(), tape.numbers());
        // Parameters, batch and layers, and the loss that the summary counts.
        assert_eq!(summary.training_nodes(), tape.len() + 1);
        assert_eq!((summary.outputs(), net.widths().len(), net.limit().depth()), (3, depth + 2, depth));
    }
    for (inputs, width, outputs) in [(0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1 << 31, 1), (usize::MAX, 1, 1)] {
        let network = InfiniteNetwork::new(2, Nonlinearity::Relu, 0.5).unwrap();
        let mut tape = Tape::<f64>::default();
        let made = NtkMlp::new(&mut tape, &network, inputs, width, outputs, &mut stream(1, Purpose::Init));
        assert!(matches!(made, Err(Error::Setting { name: "widths", .. })));
        assert!(tape.is_empty());
    }
}

#[test]
fn the_linearization_touches_the_model() {
    let (mut tape, mlp, x) = small();
    let linear = Linearization::new(&mlp, &tape);
    let origin = linear.origin().to_vec();
    let mut rng = stream(1, Purpose::Data);
    let direction: Vec<f64> = origin.iter().map(|_| standard_normal(&mut rng)).collect();
    let at = |h: f64| -> Vec<f64> { origin.iter().zip(&direction).map(|(o, d)| o + h * d).collect() };
    let j = jacobian(&mlp, &mut tape, &x);
    let mut error = |h: f64| {
        let theta = at(h);
        tape.param_values_mut().copy_from_slice(&theta);
        let expected = DMatrix::from_row_slice(9, 2, &outputs(&mlp, &mut tape, &x));
        let found = linear.predict(&mut tape, &theta, &x);
        // The parameters on the tape are left alone.
        assert_eq!(tape.param_values(), theta);
        (found - expected).norm()
    };
    assert!(error(0.0) < 1e-14);
    // What is dropped is of second order.
    let ratio = error(2e-3) / error(1e-3);
    assert!((ratio - 4.0).abs() < 0.1, "{ratio}");
    let moved = linear.predict(&mut tape, &at(0.3), &x) - linear.predict(&mut tape, &at(0.0), &x);
    let expected = j * DVector::from_fn(direction.len(), |i, _| 0.3 * direction[i]);
    assert_near(&moved, &DMatrix::from_row_slice(9, 2, expected.as_slice()), 1e-13);
}

/// Gradient descent on the linear model itself, step by step, with its Jacobian.
#[test]
fn dynamics_are_gradient_descent_on_the_linear_model() {
    let (mut tape, mlp, x) = small();
    let test = random(5, 3, 11);
    let options = NtkOptions::new(Outputs::All);
    let theta = empirical_ntk(&mlp, &mut tape, &x, options).unwrap();
    let cross = empirical_cross_ntk(&mlp, &mut tape, &test, &x, options).unwrap();
    let (j, j_test) = (jacobian(&mlp, &mut tape, &x), jacobian(&mlp, &mut tape, &test));
    let start = DMatrix::from_row_slice(9, 2, &outputs(&mlp, &mut tape, &x));
    let test_start = DMatrix::from_row_slice(5, 2, &outputs(&mlp, &mut tape, &test));
    let y = DMatrix::from_fn(9, 2, |i, k| ((3 * i + 5 * k) % 7) as f64 - 3.0);
    let dynamics = Dynamics::new(&theta, &start, &y).unwrap();
    // In the middle, beyond the largest eigenvalue's own 1/λ where it swings, and where it diverges.
    for share in [0.3, 0.9, 1.02] {
        let rate = share * dynamics.largest_rate();
        let mut moved = DVector::<f64>::zeros(tape.param_numbers());
        let flat = |m: &DMatrix<f64>| DVector::from_column_slice(m.transpose().as_slice());
        for steps in 0..=40 {
            let f = flat(&start) + &j * &moved;
            let g = flat(&test_start) + &j_test * &moved;
            if [0, 1, 2, 17, 40].contains(&steps) {
                let (found, at) = (
                    dynamics.descent(rate, steps).unwrap(),
                    dynamics.descent_at(&cross, &test_start, rate, steps).unwrap(),
                );
                assert_near(&found, &DMatrix::from_row_slice(9, 2, f.as_slice()), 1e-11);
                assert_near(&at, &DMatrix::from_row_slice(5, 2, g.as_slice()), 1e-11);
                let distance = dynamics.descent_distance(rate, steps).unwrap();
                assert!((distance - moved.norm()).abs() < 1e-11 * moved.norm().max(1.0));
            }
            moved -= j.tr_mul(&(f - flat(&y))) * (rate / 9.0);
        }
    }
    // Many small steps are the flow.
    let time = 5.0;
    let (flow, steps) = (dynamics.flow(time).unwrap(), dynamics.descent(time / 1e7, 10_000_000).unwrap());
    assert_near(&steps, &flow, 1e-5);
    let at = dynamics.flow_at(&cross, &test_start, time).unwrap();
    assert_near(&dynamics.descent_at(&cross, &test_start, time / 1e7, 10_000_000).unwrap(), &at, 1e-5);
    let distance = dynamics.flow_distance(time).unwrap();
    assert!((dynamics.descent_distance(time / 1e7, 10_000_000).unwrap() / distance - 1.0).abs() < 1e-5);
}

#[test]
fn dynamics_with_a_kernel_for_all_outputs() {
    let (x, z) = (random(6, 3, 12), random(4, 3, 13));
    let kernel = Ntk(InfiniteNetwork::new(2, Nonlinearity::Relu, 0.4).unwrap());
    let (theta, cross) = (gram(&kernel, &x), cross_gram(&kernel, &z, &x));
    let start = DMatrix::from_fn(6, 2, |i, k| (i as f64 - 2.0) * (k as f64 + 0.5));
    let test_start = DMatrix::from_fn(4, 2, |i, k| (i + k) as f64);
    let y = DMatrix::from_fn(6, 2, |i, k| ((i * 5 + k * 3) % 4) as f64);
    let both = Dynamics::new(&theta, &start, &y).unwrap();
    // One output after the other.
    for k in 0..2 {
        let column = |m: &DMatrix<f64>| m.columns(k, 1).into_owned();
        let one = Dynamics::new(&theta, &column(&start), &column(&y)).unwrap();
        assert_near(&column(&both.flow(3.0).unwrap()), &one.flow(3.0).unwrap(), 1e-12);
        let (a, b) = (
            both.descent_at(&cross, &test_start, 0.5, 30).unwrap(),
            one.descent_at(&cross, &column(&test_start), 0.5, 30).unwrap(),
        );
        assert_near(&column(&a), &b, 1e-12);
    }
    // The other order: Θ ⊗ I has the outputs of a sample together.
    let full = Dynamics::new(&theta.kronecker(&DMatrix::identity(2, 2)), &start, &y).unwrap();
    assert_near(&full.flow(3.0).unwrap(), &both.flow(3.0).unwrap(), 1e-12);
    assert!((full.flow_distance(3.0).unwrap() / both.flow_distance(3.0).unwrap() - 1.0).abs() < 1e-12);
    // Trained for long from f₀ = 0 it is the interpolation by the kernel.
    let zero = Dynamics::new(&theta, &DMatrix::zeros(6, 2), &y).unwrap();
    let ridge = KernelRidge::fit(Arc::new(kernel), &x, &y, RidgeOptions::new(0.0)).unwrap();
    let late = zero.flow_at(&cross, &DMatrix::zeros(4, 2), 1e9).unwrap();
    assert_near(&late, &ridge.predict(&z), 1e-9);
}

/// No samples to predict are no predictions, whether the kernel is for one output or for all.
#[test]
fn dynamics_at_no_other_samples() {
    let (start, y) = (DMatrix::<f64>::zeros(3, 2), DMatrix::from_element(3, 2, 1.0));
    for rows in [3, 6] {
        let dynamics = Dynamics::new(&DMatrix::identity(rows, rows), &start, &y).unwrap();
        let (cross, none) = (DMatrix::zeros(0, rows), DMatrix::zeros(0, 2));
        assert_eq!(dynamics.descent_at(&cross, &none, 0.1, 5).unwrap(), none);
        assert_eq!(dynamics.flow_at(&cross, &none, 5.0).unwrap(), none);
    }
}

#[test]
fn dynamics_of_no_samples() {
    let none = DMatrix::<f64>::zeros(0, 2);
    let dynamics = Dynamics::new(&DMatrix::zeros(0, 0), &none, &none).unwrap();
    assert_eq!(dynamics.largest_rate(), f64::INFINITY);
    assert_eq!(dynamics.flow(1.0).unwrap(), none);
    assert_eq!(dynamics.descent_distance(0.1, 3).unwrap(), 0.0);
}

#[test]
fn dynamics_at_the_edges() {
    // Singular: what Θ does not see stays.
    let theta = nalgebra::dmatrix![1.0, 1.0; 1.0, 1.0];
    let y = nalgebra::dmatrix![1.0; 0.0];
    let zero = DMatrix::<f64>::zeros(2, 1);
    let dynamics = Dynamics::new(&theta, &zero, &y).unwrap();
    let late = dynamics.flow(1e6).unwrap();
    assert_near(&late, &nalgebra::dmatrix![0.5; 0.5], 1e-12);
    for still in [dynamics.descent(0.7, 0), dynamics.descent(0.0, 9), dynamics.flow(0.0)] {
        assert!(still.unwrap().amax() < 1e-15);
    }
    // η·λ/n = 1: done in one step, and right at the edge of ln|1 − x|.
    let done =
        Dynamics::new(&nalgebra::dmatrix![2.0], &nalgebra::dmatrix![3.0], &nalgebra::dmatrix![1.0]).unwrap();
    assert_eq!(done.descent(0.5, 1).unwrap()[0], 1.0);
    assert_eq!(done.descent(0.5, 7).unwrap()[0], 1.0);
    // A factor of −1: it swings.
    assert_eq!(done.descent(1.0, 3).unwrap()[0], -1.0);
    assert_eq!(done.descent(1.0, 4).unwrap()[0], 3.0);
    let still = Dynamics::new(&DMatrix::zeros(2, 2), &zero, &y).unwrap();
    assert_eq!((still.flow(1.0).unwrap(), still.largest_rate()), (zero.clone(), f64::INFINITY));
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(dynamics.descent(bad, 1), Err(Error::Setting { name: "rate", .. })));
        assert!(matches!(dynamics.flow(bad), Err(Error::Setting { name: "time", .. })));
    }
    // What has hardly moved is told from the start, however far away the targets are.
    let far = Dynamics::new(&theta, &zero, &nalgebra::dmatrix![1e10; 0.0]).unwrap();
    assert_eq!(far.flow(0.0).unwrap(), zero);
    for moved in [far.flow(1e-20).unwrap(), far.descent(1e-20, 1).unwrap()] {
        assert_near(&moved, &nalgebra::dmatrix![5e-11; 5e-11], 1e-15);
    }
    let nan = DMatrix::from_element(2, 1, f64::NAN);
    assert!(matches!(Dynamics::new(&theta, &nan, &y), Err(Error::NonFinite(_))));
    assert!(matches!(Dynamics::new(&theta, &zero, &nan), Err(Error::NonFinite(_))));
}

#[test]
#[should_panic(expected = "Dynamics: a kernel of (3, 3) for 2 samples of 2 outputs")]
fn a_kernel_that_does_not_fit() {
    let zeros = DMatrix::<f64>::zeros(2, 2);
    let _ = Dynamics::new(&DMatrix::zeros(3, 3), &zeros, &zeros);
}
