//! Kernel functions and Gram matrices against the formulas, pair by pair.

use std::f64::consts::PI;
use std::sync::Arc;

use tapegrad::Error;
use tapegrad::linalg::{symmetric_eigen, with_threads};
use tapegrad::models::kernel::{
    Kernel, KernelSettings, Nonlinearity, Polynomial, Rbf, Samples, cross_gram, gram, kernels, median_gamma,
};

use crate::helpers::random;

const SETTINGS: KernelSettings = KernelSettings {
    gamma: 0.3,
    degree: 3,
    offset: 0.5,
    length_scale: 1.7,
    depth: 3,
    nonlinearity: Nonlinearity::Relu,
    weight_variance: 2.0,
    bias_variance: 0.0,
};

/// k(x, y) as the formulas say it.
fn formula(name: &str, x: &[f64], y: &[f64]) -> f64 {
    let KernelSettings { gamma, degree, offset, length_scale, .. } = SETTINGS;
    let pairs = || x.iter().zip(y);
    let inner: f64 = pairs().map(|(a, b)| a * b).sum();
    let r = pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt() / length_scale;
    match name {
        "rbf" => (-gamma * pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>()).exp(),
        "laplacian" => (-gamma * pairs().map(|(a, b)| (a - b).abs()).sum::<f64>()).exp(),
        "polynomial" => (gamma * inner + offset).powi(degree as i32),
        "linear" => inner,
        "matern32" => (1.0 + 3f64.sqrt() * r) * (-3f64.sqrt() * r).exp(),
        "matern52" => (1.0 + 5f64.sqrt() * r + 5.0 * r * r / 3.0) * (-5f64.sqrt() * r).exp(),
        "nngp" => relu_network(x, y).0,
        "ntk" => relu_network(x, y).1,
        other => panic!("no formula for {other}"),
    }
}

/// K and Θ of three layers of ReLU by the angle between the inputs, which for σ_w² = 2 and no biases is all
/// that changes from layer to layer: Cho and Saul's arc-cosine kernels.
fn relu_network(x: &[f64], y: &[f64]) -> (f64, f64) {
    let norm = |x: &[f64]| x.iter().map(|v| v * v).sum::<f64>().sqrt();
    let (nx, ny) = (norm(x), norm(y));
    // Kahan's formula for the angle: as good near 0 as anywhere.
    let pairs = || x.iter().zip(y).map(|(a, b)| (a / nx, b / ny));
    let difference = pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let sum = pairs().map(|(a, b)| (a + b).powi(2)).sum::<f64>().sqrt();
    let mut angle = 2.0 * difference.atan2(sum);
    let size = SETTINGS.gamma * nx * ny;
    let (mut k, mut theta) = (size * angle.cos(), size * angle.cos());
    for _ in 0..SETTINGS.depth {
        let share = 1.0 - angle / PI;
        let cosine = angle.sin() / PI + share * angle.cos();
        k = size * cosine;
        theta = k + share * theta;
        angle = cosine.min(1.0).acos();
    }
    (k, theta)
}

#[test]
fn every_kernel_is_its_formula() {
    for (n, m, d) in [(1, 1, 1), (5, 3, 2), (300, 70, 40)] {
        let (x, y) = (random(n, d, 1), random(m, d, 2));
        for entry in kernels::<f64>() {
            let kernel = (entry.build)(&SETTINGS).unwrap();
            assert!(kernel.name().starts_with(entry.name));
            let all = cross_gram(kernel.as_ref(), &x, &y);
            let own = gram(kernel.as_ref(), &x);
            for i in 0..n {
                for j in 0..m {
                    let expected = formula(entry.name, x.rows().row(i), y.rows().row(j));
                    assert!(
                        (all[(i, j)] - expected).abs() < 1e-13 * expected.abs().max(1.0),
                        "{} {i} {j}",
                        entry.name
                    );
                }
                for j in 0..n {
                    let expected = formula(entry.name, x.rows().row(i), x.rows().row(j));
                    // Matérn has a root at a distance that is ε of itself: not at the diagonal.
                    assert!(
                        (own[(i, j)] - expected).abs() < 1e-13 * expected.abs().max(1.0),
                        "{} {i} {j}",
                        entry.name
                    );
                    assert!(own[(i, j)] == own[(j, i)]);
                }
            }
        }
    }
}

#[test]
fn the_diagonal_is_exact() {
    // Far from the origin ‖x‖² + ‖x‖² − 2⟨x, x⟩ is not 0 in every order of summation.
    let values = random(300, 77, 3).rows().values.iter().map(|x| 1000.0 + x).collect();
    let x = Samples::new(values, 77).unwrap();
    for entry in kernels::<f64>() {
        let kernel = (entry.build)(&SETTINGS).unwrap();
        let k = gram(kernel.as_ref(), &x);
        for i in 0..300 {
            let expected = match entry.name {
                "linear" => x.rows().norms[i],
                "polynomial" => (0.3 * x.rows().norms[i] + 0.5).powi(3),
                "nngp" => 0.3 * x.rows().norms[i],
                "ntk" => 4.0 * 0.3 * x.rows().norms[i],
                _ => 1.0,
            };
            assert!((k[(i, i)] / expected - 1.0).abs() < 1e-15, "{} {i}: {}", entry.name, k[(i, i)]);
        }
        // No distance below 0: no value above 1.
        assert!(
            ["linear", "polynomial", "nngp", "ntk"].contains(&entry.name) || k.max() == 1.0,
            "{}",
            entry.name
        );
    }
}

#[test]
fn every_gram_matrix_is_positive_semi_definite() {
    let x = random(60, 3, 4);
    for entry in kernels::<f64>() {
        let kernel = (entry.build)(&SETTINGS).unwrap();
        let values = symmetric_eigen(&gram(kernel.as_ref(), &x)).unwrap().values;
        assert!(values[0] > -1e-14 * values[59], "{}: {}", entry.name, values[0]);
    }
}

#[test]
fn the_same_bits_at_any_number_of_threads() {
    let (x, y) = (random(600, 50, 5), random(300, 50, 6));
    for entry in kernels::<f64>() {
        let kernel = (entry.build)(&SETTINGS).unwrap();
        let run = |n| with_threads(n, || (gram(kernel.as_ref(), &x), cross_gram(kernel.as_ref(), &x, &y)));
        assert_eq!(run(1), run(3), "{}", entry.name);
    }
}

#[test]
fn settings_are_checked() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        for entry in kernels::<f32>() {
            let gamma = KernelSettings { gamma: bad, ..SETTINGS };
            let length = KernelSettings { length_scale: bad, ..SETTINGS };
            let name = |settings| match (entry.build)(settings) {
                Err(Error::Setting { name, .. }) => Some(name),
                _ => None,
            };
            let takes_gamma = ["rbf", "laplacian", "polynomial", "nngp", "ntk"].contains(&entry.name);
            let takes_length = entry.name.starts_with("matern");
            assert_eq!(name(&gamma) == Some("gamma"), takes_gamma, "{}", entry.name);
            assert_eq!(name(&length) == Some("length_scale"), takes_length, "{}", entry.name);
        }
    }
    assert!(matches!(Polynomial::new(0, 1.0, 1.0), Err(Error::Setting { name: "degree", .. })));
    assert!(matches!(Polynomial::new(2, 1.0, -0.1), Err(Error::Setting { name: "offset", .. })));
    assert!(Polynomial::new(2, 1.0, 0.0).is_ok());
}

#[test]
#[should_panic(expected = "samples of 2 features against samples of 3")]
fn features_must_agree() {
    let kernel: Arc<dyn Kernel<f64>> = Arc::new(Rbf::new(1.0).unwrap());
    cross_gram(kernel.as_ref(), &random(4, 2, 0), &random(4, 3, 0));
}

#[test]
fn the_median_of_distances() {
    // Distances² 1, 9, 4: the median is 4. With a fourth sample at 7: 1, 4, 9, 16, 36, 49.
    let x = Samples::new(vec![0.0, 1.0, 3.0], 1).unwrap();
    assert_eq!(median_gamma(&x, 0).unwrap(), 1.0 / 8.0);
    let x = Samples::new(vec![0.0, 1.0, 3.0, 7.0], 1).unwrap();
    assert_eq!(median_gamma(&x, 0).unwrap(), 1.0 / 25.0);
    // The subsample is drawn by the seed, and near the whole: in 10 dimensions E‖x − y‖² = 10·2/3.
    let x = random(3000, 10, 7);
    let (a, b) = (median_gamma(&x, 1).unwrap(), median_gamma(&x, 2).unwrap());
    assert_eq!(a, median_gamma(&x, 1).unwrap());
    assert!(a != b && (0.5 / a - 6.67).abs() < 0.4 && (a / b - 1.0).abs() < 0.05, "{a} {b}");
    for bad in [vec![1.0], vec![1.0, 1.0, 1.0, 1.0, 2.0]] {
        assert!(matches!(median_gamma(&Samples::new(bad, 1).unwrap(), 0), Err(Error::Data(_))));
    }
}

#[test]
fn suited_settings_follow_the_scale_of_the_data() {
    // Distances 1, 3, 2; squared 1, 9, 4; squared norms 0, 1, 9.
    for scale in [1.0, 100.0] {
        let x = Samples::new(vec![0.0, scale, 3.0 * scale], 1).unwrap();
        for entry in kernels::<f64>() {
            let found = (entry.suited)(&x, 0).unwrap();
            let usual = KernelSettings::default();
            let expected = match entry.name {
                "rbf" => KernelSettings { gamma: 0.625 / (scale * scale), ..usual },
                "laplacian" => KernelSettings { gamma: 0.5 / scale, ..usual },
                "polynomial" | "nngp" | "ntk" => KernelSettings { gamma: 0.3 / (scale * scale), ..usual },
                "linear" => usual,
                _ => KernelSettings { length_scale: 2.0 * scale, ..usual },
            };
            let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-12;
            assert!(near(found.gamma, expected.gamma), "{}: {found:?}", entry.name);
            assert!(near(found.length_scale, expected.length_scale), "{}: {found:?}", entry.name);
            assert_eq!((found.degree, found.offset), (expected.degree, expected.offset));
        }
    }
    // What a kernel does not take is not looked at.
    let single = Samples::new(vec![2.0], 1).unwrap();
    for entry in kernels::<f64>() {
        let needs_distances = !matches!(entry.name, "polynomial" | "linear" | "nngp" | "ntk");
        assert_eq!((entry.suited)(&single, 0).is_err(), needs_distances, "{}", entry.name);
    }
    let zero = Samples::new(vec![0.0, 0.0], 1).unwrap();
    assert!(kernels::<f64>().iter().filter(|k| k.name != "linear").all(|k| (k.suited)(&zero, 0).is_err()));
}
