//! Kernels of infinite networks: against the reference, quadrature, sampling, and at their edges.

use std::sync::Arc;

use nalgebra::DMatrix;
use serde::Deserialize;
use tapegrad::Error;
use tapegrad::models::kernel::{
    InfiniteNetwork, Kernel, KernelMachine, KernelRidge, KernelSettings, Nngp, Nonlinearity, Ntk,
    RidgeOptions, Samples, cross_gram, gram, kernels,
};
use tapegrad::rng::{Purpose, standard_normal, stream};

use crate::reference::Matrix;

use crate::helpers::{assert_near, random};

#[derive(Deserialize)]
struct Infinite {
    hidden_layers: usize,
    nngp: Matrix,
    ntk: Matrix,
}

#[derive(Deserialize)]
struct Reference {
    x: Matrix,
    infinite: Vec<Infinite>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/ntk.json")).unwrap()
}

#[test]
fn infinite_relu_networks_of_the_reference() {
    let reference = reference();
    let x = Samples::from_matrix(&reference.x.get()).unwrap();
    assert_eq!(reference.infinite.len(), 3);
    for case in &reference.infinite {
        let network = InfiniteNetwork::new(case.hidden_layers, Nonlinearity::Relu, 1.0 / 3.0).unwrap();
        let (k, theta) = (gram(&Nngp(network), &x), gram(&Ntk(network), &x));
        for (found, expected) in [(&k, case.nngp.get()), (&theta, case.ntk.get())] {
            for (f, e) in found.iter().zip(&expected) {
                assert!((f - e).abs() <= 1e-14 * e.abs().max(1.0), "{found}{expected}");
            }
        }
        assert_near(&cross_gram(&Ntk(network), &x, &x), &theta, 1e-14);
    }
}

/// E f(u)·f(v) over (u, v) ~ N(0, [a c; c b]), by the trapezoidal rule, which for analytic functions that
/// decay converges faster than any power of the step.
fn expectation(a: f64, b: f64, c: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (step, half) = (0.05, 200);
    let mut sum = 0.0;
    for i in -half..=half {
        for j in -half..=half {
            let (s, t) = (f64::from(i) * step, f64::from(j) * step);
            let (u, v) = (a.sqrt() * s, c / a.sqrt() * s + (b - c * c / a).max(0.0).sqrt() * t);
            sum += (-0.5 * (s * s + t * t)).exp() * f(u) * f(v);
        }
    }
    sum * step * step / std::f64::consts::TAU
}

#[test]
fn infinite_erf_networks_by_quadrature() {
    let x = random(3, 2, 1);
    let (weight, bias) = (1.7, 0.3);
    let network =
        InfiniteNetwork::new(3, Nonlinearity::Erf, 0.8).unwrap().with_variances(weight, bias).unwrap();
    let (k, theta) = (gram(&Nngp(network), &x), gram(&Ntk(network), &x));
    let slope = |z: f64| std::f64::consts::FRAC_2_SQRT_PI * (-z * z).exp();
    for i in 0..3 {
        for j in 0..=i {
            let rows = x.rows();
            let inner = |x: &[f64], y: &[f64]| 0.8 * x.iter().zip(y).map(|(a, b)| a * b).sum::<f64>() + bias;
            let (x, y) = (rows.row(i), rows.row(j));
            let (mut a, mut b, mut c) = (inner(x, x), inner(y, y), inner(x, y));
            let mut tangent = c;
            for _ in 0..3 {
                let next = |a, b, c| weight * expectation(a, b, c, libm::erf) + bias;
                let slopes = weight * expectation(a, b, c, slope);
                (a, b, c) = (next(a, a, a), next(b, b, b), next(a, b, c));
                tangent = c + slopes * tangent;
            }
            assert!((k[(i, j)] - c).abs() < 1e-12, "{i} {j}: {} {c}", k[(i, j)]);
            assert!((theta[(i, j)] - tangent).abs() < 1e-12, "{i} {j}: {} {tangent}", theta[(i, j)]);
        }
    }
}

/// ReLU with biases and another variance, by sampling: five standard errors of 4·10⁶ draws.
#[test]
fn a_relu_layer_with_biases_by_sampling() {
    let x = Samples::new(vec![1.0, 0.5, -0.3, 0.8], 2).unwrap();
    let (weight, bias) = (1.3, 0.4);
    let network =
        InfiniteNetwork::new(1, Nonlinearity::Relu, 0.7).unwrap().with_variances(weight, bias).unwrap();
    let (k, theta) = (gram(&Nngp(network), &x)[(1, 0)], gram(&Ntk(network), &x)[(1, 0)]);
    let mut rng = stream(3, Purpose::Data);
    let (n, mut values, mut squares, mut both) = (4_000_000, 0.0, 0.0, 0.0);
    let (w, s) = (0.7f64.sqrt(), bias.sqrt());
    for _ in 0..n {
        let (p, q, r) =
            (w * standard_normal(&mut rng), w * standard_normal(&mut rng), s * standard_normal(&mut rng));
        let (u, v) = (p + 0.5 * q + r, -0.3 * p + 0.8 * q + r);
        let product = u.max(0.0) * v.max(0.0);
        values += product;
        squares += product * product;
        both += if u > 0.0 && v > 0.0 { 1.0 } else { 0.0 };
    }
    let n = f64::from(n);
    let (values, share) = (values / n, both / n);
    let error = ((squares / n - values * values) / n).sqrt();
    assert!((k - bias - weight * values).abs() < 5.0 * weight * error, "{k}");
    let start = 0.7 * (-0.3 + 0.4) + bias;
    let (slopes, error) = ((theta - k) / weight / start, (share * (1.0 - share) / n).sqrt());
    assert!((slopes - share).abs() < 5.0 * error, "{slopes} {share}");
}

#[test]
fn equal_opposite_and_zero_inputs() {
    for (nonlinearity, depth, bias) in
        [(Nonlinearity::Relu, 1, 0.0), (Nonlinearity::Relu, 4, 0.0), (Nonlinearity::Relu, 4, 0.5)]
            .into_iter()
            .chain([(Nonlinearity::Erf, 1, 0.0), (Nonlinearity::Erf, 4, 0.5)])
    {
        let network =
            InfiniteNetwork::new(depth, nonlinearity, 0.01).unwrap().with_variances(2.0, bias).unwrap();
        // Equal, opposite, on a ray, zero, and tiny rows, where rounding puts cosines outside [−1, 1].
        for scale in [1.0, 1e-3, 1e3] {
            let base: Vec<f64> = random(1, 50, 2).rows().values.iter().map(|v| v * scale).collect();
            let rows = [1.0, 1.0, -1.0, 3.0, 0.0, 1e-30, -0.7];
            let x = Samples::new(rows.iter().flat_map(|f| base.iter().map(move |v| f * v)).collect(), 50)
                .unwrap();
            for kernel in [Arc::new(Nngp(network)) as Arc<dyn Kernel<f64>>, Arc::new(Ntk(network))] {
                let k = gram(kernel.as_ref(), &x);
                assert!(k.iter().all(|v| v.is_finite()), "{k}");
                let cross = cross_gram(kernel.as_ref(), &x, &x);
                for i in 0..rows.len() {
                    // The diagonal to the last digits.
                    let own = kernel_of_one(&network, x.rows().norms[i], kernel.name().starts_with("ntk"));
                    assert!(
                        (k[(i, i)] - own).abs() <= 4e-16 * 10.0 * own,
                        "{}: {} {own}",
                        kernel.name(),
                        k[(i, i)]
                    );
                    for j in 0..rows.len() {
                        let size = (k[(i, i)] * k[(j, j)]).sqrt();
                        assert!(k[(i, j)].abs() <= size * (1.0 + 1e-15), "{} {i} {j}", kernel.name());
                        assert!(
                            (cross[(i, j)] - k[(i, j)]).abs() <= 1e-13 * size,
                            "{} {i} {j}",
                            kernel.name()
                        );
                    }
                }
                assert!((k[(0, 1)] / k[(0, 0)] - 1.0).abs() < 1e-13);
                if nonlinearity == Nonlinearity::Relu && bias == 0.0 {
                    // Homogeneous: on a ray the product of the lengths; a zero input has no kernel.
                    assert!((k[(0, 3)] / k[(0, 0)] - 3.0).abs() < 1e-13);
                    assert!(k.column(4).amax() == 0.0);
                    // One layer of opposite inputs shares no active unit.
                    assert!(depth > 1 || k[(0, 2)].abs() < 1e-15 * k[(0, 0)], "{k}");
                }
            }
        }
    }
}

/// K or Θ of an input with itself, from the recursion of its variance alone.
fn kernel_of_one(network: &InfiniteNetwork, norm: f64, tangent: bool) -> f64 {
    let (weight, bias) = (network.weight_variance(), network.bias_variance());
    let mut a = network.input_scale() * norm + bias;
    let mut theta = a;
    for _ in 0..network.depth() {
        let (values, slopes) = match network.nonlinearity() {
            Nonlinearity::Relu => (a / 2.0, 0.5),
            Nonlinearity::Erf => {
                let pi = std::f64::consts::PI;
                (2.0 / pi * (2.0 * a).atan2((1.0 + 4.0 * a).sqrt()), 4.0 / pi / (1.0 + 4.0 * a).sqrt())
            }
        };
        a = weight * values + bias;
        theta = a + weight * slopes * theta;
    }
    if tangent { theta } else { a }
}

#[test]
fn duplicated_rows_make_a_singular_matrix() {
    let x = random(30, 100, 3);
    let twice = [x.rows().values, x.rows().values].concat();
    let y = DMatrix::from_fn(60, 1, |i, _| i as f64);
    let network = InfiniteNetwork::new(2, Nonlinearity::Relu, 0.1).unwrap();
    let double = Samples::new(twice.clone(), 100).unwrap();
    let fit = KernelRidge::fit(Arc::new(Ntk(network)), &double, &y, RidgeOptions::new(0.0));
    assert!(matches!(fit, Err(Error::NotPositiveDefinite { .. })), "{fit:?}");
    let single = Samples::new(twice.iter().map(|v| *v as f32).collect(), 100).unwrap();
    let fit = KernelRidge::fit(Arc::new(Ntk(network)), &single, &y.map(|v| v as f32), RidgeOptions::new(0.0));
    assert!(matches!(fit, Err(Error::NotPositiveDefinite { .. })), "{fit:?}");
}

#[test]
fn erf_networks_of_large_variance() {
    // 2/π·arcsin(2a/(1 + 2a)) = 1 − 2/π·arctan(√(1 + 4a)/2a), where the arcsine loses half of its digits.
    let network = InfiniteNetwork::new(1, Nonlinearity::Erf, 1.0).unwrap().with_variances(1.0, 0.0).unwrap();
    for a in [1e3, 1e8, 1e12] {
        let k = gram(&Nngp(network), &Samples::new(vec![f64::sqrt(a)], 1).unwrap())[0];
        let exact = 1.0 - 2.0 / std::f64::consts::PI * ((1.0 + 4.0 * a).sqrt() / (2.0 * a)).atan();
        assert!((k - exact).abs() < 3e-16, "{a}: {k} {exact}");
    }
}

#[test]
fn single_precision_is_near_double() {
    let x = random(40, 30, 5);
    let single = Samples::new(x.rows().values.iter().map(|v| *v as f32).collect(), 30).unwrap();
    for nonlinearity in [Nonlinearity::Relu, Nonlinearity::Erf] {
        let network = InfiniteNetwork::new(3, nonlinearity, 0.1).unwrap().with_variances(1.5, 0.1).unwrap();
        let (a, b) = (gram(&Ntk(network), &x), gram::<f32>(&Ntk(network), &single).map(f64::from));
        assert_near(&b, &a, 1e-6);
    }
}

#[test]
fn rows_of_very_different_lengths_in_single_precision() {
    // Everything is in the range of f32: the rows, the kernels, and what f64 makes of the same numbers.
    let rows: [f32; 8] = [1e10, 2e10, -3e-10, 1e-10, 2.0, 1.0, 1e10, -3e10];
    let single = Samples::<f32>::new(rows.to_vec(), 2).unwrap();
    let double = Samples::new(rows.map(f64::from).to_vec(), 2).unwrap();
    let networks = [
        (Nonlinearity::Erf, 3, 2.0, 0.1, 1e-5),
        (Nonlinearity::Relu, 3, 2.0, 0.0, 1e-5),
        (Nonlinearity::Relu, 2, 2.0, 0.5, 1e-5),
        // From layer to layer by 1e-9, and by 1e8.
        (Nonlinearity::Relu, 2, 2e-9, 0.0, 1e-5),
        (Nonlinearity::Relu, 2, 2e8, 0.0, 1e-5),
    ];
    for (nonlinearity, depth, weight, bias, tolerance) in networks {
        let network = InfiniteNetwork::new(depth, nonlinearity, 0.5).unwrap();
        let network = network.with_variances(weight, bias).unwrap();
        let check = |single: DMatrix<f32>, double: DMatrix<f64>| {
            for i in 0..4 {
                for j in 0..4 {
                    let (f, e) = (f64::from(single[(i, j)]), double[(i, j)]);
                    assert!((f - e).abs() <= tolerance * e.abs(), "{network:?} at {i}, {j}: {f:e} for {e:e}");
                    assert_eq!(single[(i, j)], single[(j, i)], "{network:?} at {i}, {j}");
                }
            }
        };
        check(cross_gram(&Nngp(network), &single, &single), cross_gram(&Nngp(network), &double, &double));
        check(cross_gram(&Ntk(network), &single, &single), cross_gram(&Ntk(network), &double, &double));
    }
}

#[test]
fn the_table_has_both_with_their_settings() {
    let x = random(8, 3, 6);
    let settings = KernelSettings {
        gamma: 0.2,
        depth: 2,
        nonlinearity: Nonlinearity::Erf,
        weight_variance: 1.5,
        bias_variance: 0.1,
        ..Default::default()
    };
    let network = InfiniteNetwork::new(2, Nonlinearity::Erf, 0.2).unwrap().with_variances(1.5, 0.1).unwrap();
    let find = |name: &str| {
        let entry = kernels::<f64>().into_iter().find(|k| k.name == name).unwrap();
        (entry.build)(&settings).unwrap()
    };
    assert_eq!(gram(find("ntk").as_ref(), &x), gram(&Ntk(network), &x));
    assert_eq!(gram(find("nngp").as_ref(), &x), gram(&Nngp(network), &x));
    assert_eq!(find("ntk").name(), "ntk erf depth=2 γ=0.2 σ_w²=1.5 σ_b²=0.1");
    // A ridge takes it as any other.
    let y = DMatrix::from_fn(8, 1, |i, _| i as f64);
    let fit = KernelRidge::fit(find("ntk"), &x, &y, RidgeOptions::new(1e-12)).unwrap();
    assert!((fit.predict(&x) - y).amax() < 1e-6);

    let error = |settings: KernelSettings| {
        let entry = kernels::<f64>().into_iter().find(|k| k.name == "ntk").unwrap();
        match (entry.build)(&settings) {
            Err(Error::Setting { name, .. }) => name,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(error(KernelSettings { depth: 0, ..settings }), "depth");
    assert_eq!(error(KernelSettings { depth: 2000, ..settings }), "depth");
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(error(KernelSettings { gamma: bad, ..settings }), "gamma");
        assert_eq!(error(KernelSettings { weight_variance: bad, ..settings }), "weight_variance");
        let bad = if bad == 0.0 { -0.1 } else { bad };
        assert_eq!(error(KernelSettings { bias_variance: bad, ..settings }), "bias_variance");
    }
    assert_eq!("erf".parse::<Nonlinearity>().unwrap(), Nonlinearity::Erf);
    assert!(matches!("tanh".parse::<Nonlinearity>(), Err(Error::Setting { name: "nonlinearity", .. })));
}
