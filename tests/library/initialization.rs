//! What initial weights are for: the mean square of values and gradients, carried through ten layers.
//!
//! Through a layer of n inputs and outputs with weights of variance V, whose rows are independent of
//! what comes in, the mean square s of the values goes to s·V·Σᵢ f(zᵢ)² with zᵢ ~ N(0, 1) for a
//! homogeneous f. For ReLU and V = 2/n that factor has mean 1 and variance 4/n·Var(relu(z)²) = 5/n; for
//! the identity and V = 1/n, mean 1 and variance Var(z²)/n = 2/n. The factors of different layers are
//! independent, so that after L layers s has mean 1 and variance (1 + c/n)^L − 1, c = 5 or 2. That is
//! exact at any width for normal weights.
//!
//! Backwards from random gradients of mean square 1 the mean is 1 as well: given what goes into a layer,
//! E[dww'] = ½·(2/n)·1 for a row w of its weights and the slope d of its unit, and gradients from above
//! are uncorrelated whatever goes up. A factor's variance has a part 2/n from the directions of the
//! rows, and a part 3/n from which units are on, in leading order.

use tapegrad::Tape;
use tapegrad::linalg::norm_squared;
use tapegrad::nn::{Activation, Init, Linear, Mode, Module};
use tapegrad::rng::{Purpose, standard_normal, stream};

const WIDTH: usize = 256;
const LAYERS: usize = 10;
const SEEDS: u64 = 100;

/// By what the mean squares of values and gradients are multiplied, each averaged over the seeds; the
/// values go in with the given mean square.
fn gain(activation: Activation, init: Init, mean_square: f64) -> [f64; 2] {
    let mut totals = [0.0; 2];
    let mut tape = Tape::new();
    let rng = &mut stream(0, Purpose::Init);
    let layers: Vec<_> =
        (0..LAYERS).map(|_| Linear::new(&mut tape, WIDTH, WIDTH, false, Init::Zeros, rng)).collect();
    for seed in 0..SEEDS {
        // One tape for all seeds: most of the time would go into fetching its memory again and again.
        tape.rewind();
        let rng = &mut stream(seed, Purpose::Init);
        tape.slots().for_each(|slot| init.fill(slot.values, WIDTH, WIDTH, rng));
        let data = &mut stream(seed, Purpose::Data);
        let mut normal = |to: &mut [f64]| to.iter_mut().for_each(|x| *x = standard_normal(data));
        let x = tape.variable_with(1, WIDTH, |x| {
            normal(x);
            let scale = (mean_square * WIDTH as f64 / norm_squared(x)).sqrt();
            x.iter_mut().for_each(|x| *x *= scale);
        });
        let mut h = x;
        for layer in &layers {
            h = layer.forward(&mut tape, h, &mut Mode::evaluation());
            h = activation.apply(&mut tape, h);
        }
        tape.backward_with(h, &mut normal);
        let ratio = |numerator: &[f64], denominator: f64| norm_squared(numerator) / denominator;
        totals[0] += ratio(tape.value_slice(h), WIDTH as f64 * mean_square);
        totals[1] += ratio(tape.grad_slice(x), norm_squared(tape.grad_slice(h)));
    }
    totals.map(|total| total / SEEDS as f64)
}

/// Four standard deviations of the average over the seeds.
fn tolerance(c: f64) -> f64 {
    let variance = (1.0 + c / WIDTH as f64).powi(LAYERS as i32) - 1.0;
    4.0 * (variance / SEEDS as f64).sqrt()
}

#[track_caller]
fn check(activation: Activation, init: Init, mean_square: f64, expected: f64, tolerance: f64) {
    let gains = gain(activation, init, mean_square);
    println!("{activation} with {init}: {gains:?}, expected {expected} ± {:.0}%", 100.0 * tolerance);
    for (found, what) in gains.iter().zip(["values", "gradients"]) {
        let error = (found / expected - 1.0).abs();
        assert!(error <= tolerance, "{activation} with {init}: the {what} are multiplied by {found}");
    }
}

#[test]
fn he_carries_relu() {
    check(Activation::Relu, Init::HeNormal, 1.0, 1.0, tolerance(5.0));
    check(Activation::Relu, Init::HeUniform, 1.0, 1.0, tolerance(5.0));
}

#[test]
fn xavier_carries_the_identity() {
    check(Activation::Identity, Init::XavierNormal, 1.0, 1.0, tolerance(2.0));
    check(Activation::Identity, Init::XavierUniform, 1.0, 1.0, tolerance(2.0));
}

/// tanh²(x) = x²(1 − ⅔x² + …) loses 2s of a mean square s a layer, and its slope squared as much: with
/// s = 10⁻⁴ that is at most 0.2 % in ten layers.
#[test]
fn xavier_carries_small_values_through_tanh() {
    check(Activation::Tanh, Init::XavierNormal, 1e-4, 1.0, tolerance(2.0) + 2e-3);
    check(Activation::Tanh, Init::XavierUniform, 1e-4, 1.0, tolerance(2.0) + 2e-3);
}

/// Half the variance: a factor of 2 is lost with every layer, of both values and gradients.
#[test]
fn xavier_starves_relu() {
    let expected = 0.5f64.powi(LAYERS as i32);
    check(Activation::Relu, Init::XavierNormal, 1.0, expected, tolerance(5.0));
    check(Activation::Relu, Init::XavierUniform, 1.0, expected, tolerance(5.0));
}

/// And the other way round: He's variance doubles the mean square where nothing is dropped.
#[test]
fn he_inflates_the_identity() {
    let expected = 2f64.powi(LAYERS as i32);
    check(Activation::Identity, Init::HeNormal, 1.0, expected, tolerance(2.0));
}
