//! Kernel machines where numbers are lost: far from the origin, far apart, at scales at the ends of the
//! range, and with settings beyond the type.

use std::ops::ControlFlow;
use std::sync::Arc;

use nalgebra::{DMatrix, dmatrix};
use rand::RngExt;
use tapegrad::linalg::with_threads;
use tapegrad::models::kernel::{
    Centres, FalkonOptions, FourierRidge, InfiniteNetwork, IterativeOptions, Kernel, KernelMachine,
    KernelRidge, KernelSettings, Laplacian, Matern32, Matern52, Nngp, Nonlinearity, Ntk, NystromOptions,
    Polynomial, Rbf, RidgeOptions, RidgePath, Samples, cross_gram, falkon, gram, iterative_ridge, kernels,
    leverage_scores, median_gamma, nystrom,
};
use tapegrad::models::ntk::{Dynamics, NtkMlp};
use tapegrad::rng::{Purpose, stream};
use tapegrad::{Error, Float, Result, Tape};

const RIDGE: RidgeOptions = RidgeOptions { lambda: 1e-3, memory: 1 << 30 };

/// Multiples of 1/256 between −2 and 2, moved by an offset: exact in `f32` up to 2¹⁵.
fn grid<T: Float>(n: usize, d: usize, offset: f64, seed: u64) -> Samples<T> {
    let mut rng = stream(seed, Purpose::Data);
    let values = (0..n * d).map(|_| T::of(offset + f64::from(rng.random_range(-512..512i32)) / 256.0));
    Samples::new(values.collect(), d).unwrap()
}

fn targets<T: Float>(n: usize) -> DMatrix<T> {
    DMatrix::from_fn(n, 2, |i, j| T::of(f64::from((i * 7 + j * 3) as u32 % 11) / 8.0 - 0.5))
}

/// The kernels of a distance, with the distance at which each is at about a half.
fn of_distances<T: Float>() -> [Arc<dyn Kernel<T>>; 4] {
    [
        Arc::new(Rbf::new(0.3).unwrap()),
        Arc::new(Laplacian::new(0.3).unwrap()),
        Arc::new(Matern32::new(1.7).unwrap()),
        Arc::new(Matern52::new(1.7).unwrap()),
    ]
}

fn formula(kernel: usize, x: &[f64], y: &[f64]) -> f64 {
    let squared: f64 = x.iter().zip(y).map(|(a, b)| (a - b).powi(2)).sum();
    let r = squared.sqrt() / 1.7;
    match kernel {
        0 => (-0.3 * squared).exp(),
        1 => (-0.3 * x.iter().zip(y).map(|(a, b)| (a - b).abs()).sum::<f64>()).exp(),
        2 => (1.0 + 3f64.sqrt() * r) * (-3f64.sqrt() * r).exp(),
        _ => (1.0 + 5f64.sqrt() * r + 5.0 * r * r / 3.0) * (-5f64.sqrt() * r).exp(),
    }
}

fn check_grams<T: Float>(offset: f64, tolerance: f64) {
    for (n, m, d) in [(20, 9, 1), (9, 70, 3), (40, 70, 33)] {
        let (x, y) = (grid::<T>(n, d, offset, 1), grid::<T>(m, d, offset, 2));
        let numbers = |x: &Samples<T>, i| x.rows().row(i).iter().map(|v| v.to_f64()).collect::<Vec<_>>();
        for (which, kernel) in of_distances::<T>().iter().enumerate() {
            let (own, again) = (gram(kernel.as_ref(), &x), cross_gram(kernel.as_ref(), &x, &x));
            let cross = cross_gram(kernel.as_ref(), &x, &y);
            for i in 0..n {
                assert_eq!((own[(i, i)], again[(i, i)]), (T::ONE, T::ONE), "{} {offset}", kernel.name());
                let row = numbers(&x, i);
                let near = |found: T, other: &[f64]| {
                    let expected = formula(which, &row, other);
                    let error = (found.to_f64() - expected).abs();
                    assert!(error <= tolerance, "{} {offset} {i}: {found} {expected}", kernel.name());
                };
                (0..n).for_each(|j| near(own[(i, j)], &numbers(&x, j)));
                (0..n).for_each(|j| near(again[(i, j)], &numbers(&x, j)));
                (0..m).for_each(|j| near(cross[(i, j)], &numbers(&y, j)));
            }
        }
    }
}

#[test]
fn distances_do_not_depend_on_the_origin() {
    for offset in [0.0, 10.0, 100.0, 1e4] {
        check_grams::<f32>(offset, 2e-5);
    }
    for offset in [0.0, 10.0, 1e4, f64::from(1 << 30), 1e12] {
        check_grams::<f64>(offset, 3e-13);
    }
}

#[test]
fn a_half_apart_at_ten_thousand() {
    let x = Samples::new(vec![1e4f32, 1e4 + 0.5], 1).unwrap();
    let rbf = Rbf::new(2.0).unwrap();
    for k in [gram(&rbf, &x), cross_gram(&rbf, &x, &x)] {
        assert_eq!(k, dmatrix![1.0, 0.606_530_66; 0.606_530_66, 1.0]);
    }
    let k = gram(&Matern32::new(1.0).unwrap(), &x);
    assert!((f64::from(k[(0, 1)]) - 0.784_887_653_957_450_7).abs() < 1e-7, "{k}");
}

fn go_on(_: tapegrad::models::kernel::IterativeProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Predictions of every kind of fit at `z`.
fn all_fits<T: Float>(x: &Samples<T>, y: &DMatrix<T>, z: &Samples<T>) -> Result<Vec<(String, DMatrix<T>)>> {
    let rbf = || -> Arc<dyn Kernel<T>> { Arc::new(Rbf::new(0.5).unwrap()) };
    let (ridge, selection, seed) = (RIDGE, Centres::Uniform, 1);
    let (iterations, tolerance) = (30, 1e-6);
    let path = RidgePath::new(rbf().as_ref(), x, y, 1 << 30)?;
    let point = path.best(&[1e-2, 1e-3])?;
    let falkon_options = FalkonOptions { ridge, centres: 30, selection, seed, iterations, tolerance };
    let iterative_options = IterativeOptions { ridge, pilots: 10, seed, iterations, tolerance };
    let machines: Vec<Box<dyn KernelMachine<T>>> = vec![
        Box::new(KernelRidge::fit(rbf(), x, y, ridge)?),
        Box::new(point.machine(rbf(), x)),
        Box::new(nystrom(rbf(), x, y, NystromOptions { ridge, centres: 30, selection, seed })?),
        Box::new(falkon(rbf(), x, y, falkon_options)?.machine),
        Box::new(iterative_ridge(rbf(), x, y, iterative_options, &mut go_on)?.machine),
        Box::new(FourierRidge::fit(rbf().as_ref(), x, y, 40, 1, ridge)?),
    ];
    Ok(machines.iter().map(|machine| (machine.name(), machine.predict(z))).collect())
}

#[test]
fn fits_do_not_depend_on_the_origin() {
    let y = targets::<f32>(60);
    let at = |offset| (grid::<f32>(60, 2, offset, 3), grid::<f32>(20, 2, offset, 4));
    let (x, z) = at(0.0);
    let (far_x, far_z) = at(8192.0);
    let (here, there) = (all_fits(&x, &y, &z).unwrap(), all_fits(&far_x, &y, &far_z).unwrap());
    for ((name, here), (_, there)) in here.iter().zip(&there) {
        let difference = (here - there).amax();
        assert!(difference < 2e-3, "{name}: {difference}");
    }
    let rbf: Arc<dyn Kernel<f32>> = Arc::new(Rbf::new(0.5).unwrap());
    let fit = |x: &Samples<f32>| KernelRidge::fit(rbf.clone(), x, &y, RIDGE).unwrap();
    let variances = fit(&x).posterior_variance(&z).into_iter().zip(fit(&far_x).posterior_variance(&far_z));
    for (here, there) in variances {
        assert!((here - there).abs() < 1e-4, "{here} {there}");
    }
    assert_eq!(median_gamma(&x, 0).unwrap(), median_gamma(&far_x, 0).unwrap());
    let scores = |x| leverage_scores(rbf.as_ref(), x, 1e-2, 20, 0).unwrap();
    for (here, there) in scores(&x).into_iter().zip(scores(&far_x)) {
        assert!((here - there).abs() < 1e-4, "{here} {there}");
    }
}

/// Of an angle of many turns little is left in f32: ⟨z(x), z(y)⟩ is a function of x − y all the same.
#[test]
fn random_features_do_not_lose_their_phase() {
    let y = targets::<f32>(60);
    let inner_products = |offset| {
        let x = grid::<f32>(60, 2, offset, 3);
        let fit = FourierRidge::fit(&Rbf::new(0.5).unwrap(), &x, &y, 40, 1, RIDGE).unwrap();
        let z = fit.features(&x);
        &z * z.transpose()
    };
    let here = inner_products(0.0);
    for offset in [10.0, 1e3, 16384.0] {
        let difference = (inner_products(offset) - &here).amax();
        assert!(difference < 2e-5, "{offset}: {difference}");
    }
}

#[test]
fn close_pairs_have_the_same_bits_at_any_number_of_threads() {
    let (x, y) = (grid::<f32>(300, 7, 100.0, 5), grid::<f32>(200, 7, 100.0, 6));
    for kernel in of_distances::<f32>() {
        let run = |n| with_threads(n, || (gram(kernel.as_ref(), &x), cross_gram(kernel.as_ref(), &x, &y)));
        let (one, three) = (run(1), run(3));
        assert_eq!(one, three, "{}", kernel.name());
        // A row of its own is what it is among others.
        let rows: Vec<usize> = (100..150).collect();
        assert_eq!(cross_gram(kernel.as_ref(), &x.subset(&rows), &y), one.1.rows(100, 50));
        let all = cross_gram(kernel.as_ref(), &x, &x);
        assert_eq!(all, one.0, "{}", kernel.name());
    }
}

/// To the bit: a power of two is only carried along.
fn check_scale<T: Float>(exponent: i32) {
    let (x, z, y) = (grid::<T>(60, 2, 0.0, 7), grid::<T>(20, 2, 0.0, 8), targets::<T>(60));
    let factor = T::of(2f64.powi(exponent));
    // Every column at its own scale, one of zeros between them.
    let scaled = DMatrix::from_fn(60, 3, |i, j| match j {
        0 => y[(i, 0)] * factor,
        1 => T::ZERO,
        _ => y[(i, 1)],
    });
    let (usual, found) = (all_fits(&x, &y, &z).unwrap(), all_fits(&x, &scaled, &z).unwrap());
    for (which, ((name, usual), (_, found))) in usual.iter().zip(&found).enumerate() {
        for i in 0..20 {
            assert_eq!(found[(i, 1)], T::ZERO, "{name}");
            // All but the iterations go on to the same end.
            let near = |found: T, expected: T| (found - expected).abs().to_f64() < 1e-3;
            let alike = near(found[(i, 0)] / factor, usual[(i, 0)]) && near(found[(i, 2)], usual[(i, 1)]);
            // The path's λ is chosen for all columns together, and here for the largest.
            assert!(which == 1 || alike, "{name} {exponent}: {} {}", found.row(i), usual.row(i));
        }
    }
    let both = &y * factor;
    let found = all_fits(&x, &both, &z).unwrap();
    for ((name, usual), (_, found)) in usual.iter().zip(&found) {
        assert_eq!(usual * factor, *found, "{name} {exponent}");
    }
    let rbf: Arc<dyn Kernel<T>> = Arc::new(Rbf::new(0.5).unwrap());
    let residuals = |y: &DMatrix<T>| {
        let direct = KernelRidge::fit(rbf.clone(), &x, y, RIDGE).unwrap().leave_one_out_residuals();
        let path = RidgePath::new(rbf.as_ref(), &x, y, 1 << 30).unwrap();
        let lambdas = [1e-9, 1e-5, 1e-3, 1e-1, 10.0];
        let best = path.best(&lambdas).unwrap();
        (direct, best.leave_one_out_residuals, best.lambda)
    };
    let (usual, found) = (residuals(&y), residuals(&both));
    assert_eq!((usual.0 * factor, usual.1 * factor, usual.2), found);
}

#[test]
fn fits_do_not_depend_on_the_scale_of_the_targets() {
    // 10^±25 in f32, 10^±200 in f64.
    [-83, 83].into_iter().for_each(check_scale::<f32>);
    [-664, 664].into_iter().for_each(check_scale::<f64>);
}

#[test]
fn the_likelihood_is_that_of_scaled_targets() {
    let (x, y) = (grid::<f32>(60, 2, 0.0, 7), targets::<f32>(60));
    let rbf: Arc<dyn Kernel<f32>> = Arc::new(Rbf::new(0.5).unwrap());
    let fit = |y: &DMatrix<f32>| KernelRidge::fit(rbf.clone(), &x, y, RIDGE).unwrap();
    let usual = fit(&y);
    let own = -0.5 * usual.factor().log_determinant() - 30.0 * std::f64::consts::TAU.ln();
    for exponent in [-83, 83] {
        let factor = 2f64.powi(exponent);
        let found = fit(&(&y * factor as f32)).log_marginal_likelihood();
        for (usual, found) in usual.log_marginal_likelihood().into_iter().zip(found) {
            let expected = own + (usual - own) * factor * factor;
            assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
        }
    }
}

#[test]
fn targets_that_are_not_finite_are_errors() {
    let (x, mut y) = (grid::<f32>(60, 2, 0.0, 7), targets::<f32>(60));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        y[(17, 1)] = bad;
        let error = all_fits(&x, &y, &x).unwrap_err();
        assert_eq!(error.to_string(), format!("row 17, column 1: the target is {bad}"));
    }
    // α is 10³⁸ over nλ.
    let large = DMatrix::from_element(60, 1, 1e38f32);
    let options = RidgeOptions { lambda: 1e-6, ..RIDGE };
    let apart = Samples::new((0..60).map(|i| 100.0 * i as f32).collect(), 1).unwrap();
    let narrow: Arc<dyn Kernel<f32>> = Arc::new(Polynomial::new(1, 1e-9, 0.0).unwrap());
    let error = KernelRidge::fit(narrow, &apart, &large, options).unwrap_err();
    assert!(
        matches!(error, Error::NonFinite(_)) && error.to_string().contains("scale the targets"),
        "{error}"
    );
}

#[test]
fn far_apart_a_kernel_of_distances_is_0() {
    // The distance itself, its square, and the exponent leave the range.
    for (values, far) in [([0.0f32, 1e18], 1e18), ([-1.5e19, 1.5e19], 3e19), ([0.0, 1e5], 1e5)] {
        let x = Samples::new(values.to_vec(), 1).unwrap();
        for width in [1e-3, 1.0, 10.0] {
            let kernels: [Arc<dyn Kernel<f32>>; 4] = [
                Arc::new(Rbf::new(1.0 / (width * width)).unwrap()),
                Arc::new(Laplacian::new(1.0 / width).unwrap()),
                Arc::new(Matern32::new(width).unwrap()),
                Arc::new(Matern52::new(width).unwrap()),
            ];
            for kernel in kernels {
                let expected = DMatrix::identity(2, 2);
                assert_eq!(gram(kernel.as_ref(), &x), expected, "{} {far}", kernel.name());
                assert_eq!(cross_gram(kernel.as_ref(), &x, &x), expected, "{} {far}", kernel.name());
            }
        }
    }
    let x = Samples::new(vec![0.0, 1e150], 1).unwrap();
    for kernel in of_distances::<f64>() {
        assert_eq!(gram(kernel.as_ref(), &x), DMatrix::identity(2, 2), "{}", kernel.name());
    }
}

/// The right value is 0.27, and an infinite distance would make 0 of it.
#[test]
fn distances_beyond_the_type_are_an_error() {
    let x = Samples::new(vec![1.8e19f32, -1.8e19], 1).unwrap();
    let error = KernelRidge::fit(Arc::new(Rbf::new(1e-38).unwrap()), &x, &targets(2), RidgeOptions::new(0.1));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("squared distances of the samples may leave the range of f32"), "{error}");
}

#[test]
fn kernel_values_beyond_the_type_are_named() {
    let x = grid::<f32>(60, 2, 1e4, 7);
    let y = targets::<f32>(60);
    let polynomial: Arc<dyn Kernel<f32>> = Arc::new(Polynomial::new(9, 1.0, 1.0).unwrap());
    let (ridge, selection, seed) = (RIDGE, Centres::Uniform, 1);
    let (iterations, tolerance) = (30, 1e-6);
    let falkon_options = FalkonOptions { ridge, centres: 30, selection, seed, iterations, tolerance };
    let iterative_options = IterativeOptions { ridge, pilots: 10, seed, iterations, tolerance };
    let errors = [
        KernelRidge::fit(polynomial.clone(), &x, &y, ridge).unwrap_err(),
        RidgePath::new(polynomial.as_ref(), &x, &y, 1 << 30).unwrap_err(),
        nystrom(polynomial.clone(), &x, &y, NystromOptions { ridge, centres: 9, selection, seed })
            .unwrap_err(),
        falkon(polynomial.clone(), &x, &y, falkon_options).unwrap_err(),
        iterative_ridge(polynomial.clone(), &x, &y, iterative_options, &mut go_on).unwrap_err(),
        leverage_scores(polynomial.as_ref(), &x, 0.1, 9, 0).unwrap_err(),
    ];
    for error in errors {
        let text = error.to_string();
        assert!(matches!(error, Error::NonFinite(_)), "{text}");
        assert!(text.contains("polynomial d=9") && text.contains("row 0 is inf in f32"), "{text}");
    }
}

/// The exact sum over eigenvalues, in f64.
#[test]
fn the_effective_dimension_has_its_digits_at_every_ridge() {
    let (x, y) = (grid::<f64>(200, 2, 0.0, 9), targets::<f64>(200));
    let x32 = grid::<f32>(200, 2, 0.0, 9);
    let rbf = Rbf::new(0.5).unwrap();
    let path = RidgePath::new(&rbf, &x, &y, 1 << 30).unwrap();
    for (lambda, f64_error, f32_error) in [
        (1e-9, 1e-5, f64::INFINITY),
        (1e-5, 1e-9, 1e-2),
        (1e-2, 1e-12, 1e-4),
        (1.0, 1e-12, 1e-4),
        (1e3, 1e-12, 1e-5),
        (1e5, 1e-12, 1e-5),
        (1e30, 1e-12, 1e-5),
    ] {
        let expected = path.at(lambda).unwrap().effective_dimension;
        let options = RidgeOptions { lambda, ..RIDGE };
        let double = KernelRidge::fit(Arc::new(rbf), &x, &y, options).unwrap().effective_dimension();
        assert!((double / expected - 1.0).abs() < f64_error, "{lambda:e}: {double:e} {expected:e}");
        if f32_error.is_finite() {
            let single = KernelRidge::fit(Arc::new(rbf), &x32, &targets::<f32>(200), options).unwrap();
            let single = single.effective_dimension();
            assert!((single / expected - 1.0).abs() < f32_error, "{lambda:e}: {single:e} {expected:e}");
        }
    }
    // k(x, x) = 1: Σ σᵢ/(σᵢ + nλ) is 1/λ less a millionth.
    let fit =
        KernelRidge::fit(Arc::new(rbf), &x32, &targets::<f32>(200), RidgeOptions { lambda: 1e5, ..RIDGE });
    let found = fit.unwrap().effective_dimension();
    assert!((found / 1e-5 - 1.0).abs() < 1e-5, "{found:e}");
}

#[track_caller]
fn setting<X>(result: Result<X>, expected: &str, in_f32: bool) {
    match result {
        Err(Error::Setting { name, why }) => {
            assert_eq!(name, expected, "{why}");
            assert!(!in_f32 || why.contains("f32"), "{why}");
        }
        Err(other) => panic!("{expected}: {other}"),
        Ok(_) => panic!("{expected}: accepted"),
    }
}

#[test]
fn settings_beyond_the_type_are_named() {
    let usual = KernelSettings { bias_variance: 0.1, ..Default::default() };
    for entry in kernels::<f32>() {
        for bad in [1e39, 1e-50] {
            let settings = [
                ("gamma", KernelSettings { gamma: bad, ..usual }),
                ("length_scale", KernelSettings { length_scale: bad, ..usual }),
                ("offset", KernelSettings { offset: bad, ..usual }),
                ("weight_variance", KernelSettings { weight_variance: bad, ..usual }),
                ("bias_variance", KernelSettings { bias_variance: bad, ..usual }),
            ];
            for (name, settings) in settings {
                let result = (entry.build)(&settings);
                if entry.settings.contains(&name) {
                    setting(result, name, true);
                } else {
                    assert!(result.is_ok(), "{} {name}", entry.name);
                }
            }
        }
    }
    // Its square is 0: a sample at that distance would be at none.
    let short = KernelSettings { length_scale: 1e-25, ..usual };
    for entry in kernels::<f32>().iter().filter(|entry| entry.settings.contains(&"length_scale")) {
        setting((entry.build)(&short), "length_scale", true);
    }
    let (x, y) = (grid::<f32>(20, 2, 0.0, 1), targets::<f32>(20));
    let rbf: Arc<dyn Kernel<f32>> = Arc::new(Rbf::new(1.0).unwrap());
    let huge: Arc<dyn Kernel<f32>> = Arc::new(Rbf::new(1e39).unwrap());
    let (ridge, selection, seed) = (RIDGE, Centres::Uniform, 1);
    let falkon_options =
        FalkonOptions { ridge, centres: 10, selection, seed, iterations: 9, tolerance: 1e-6 };
    let iterative_options = IterativeOptions { ridge, pilots: 10, seed, iterations: 9, tolerance: 1e-6 };
    let nystrom_options = NystromOptions { ridge, centres: 10, selection, seed };
    setting(KernelRidge::fit(huge.clone(), &x, &y, ridge), "gamma", true);
    setting(RidgePath::new(huge.as_ref(), &x, &y, 1 << 30), "gamma", true);
    setting(nystrom(huge.clone(), &x, &y, nystrom_options), "gamma", true);
    setting(falkon(huge.clone(), &x, &y, falkon_options), "gamma", true);
    setting(iterative_ridge(huge.clone(), &x, &y, iterative_options, &mut go_on), "gamma", true);
    setting(FourierRidge::fit(huge.as_ref(), &x, &y, 5, 0, ridge), "gamma", true);
    setting(leverage_scores(huge.as_ref(), &x, 0.1, 10, 0), "gamma", true);
    for lambda in [1e39, 1e-50] {
        let ridge = RidgeOptions { lambda, ..RIDGE };
        setting(KernelRidge::fit(rbf.clone(), &x, &y, ridge), "lambda", true);
        setting(nystrom(rbf.clone(), &x, &y, NystromOptions { ridge, ..nystrom_options }), "lambda", true);
        setting(falkon(rbf.clone(), &x, &y, FalkonOptions { ridge, ..falkon_options }), "lambda", true);
        let options = IterativeOptions { ridge, ..iterative_options };
        setting(iterative_ridge(rbf.clone(), &x, &y, options, &mut go_on), "lambda", true);
        setting(FourierRidge::fit(rbf.as_ref(), &x, &y, 5, 0, ridge), "lambda", true);
        setting(leverage_scores(rbf.as_ref(), &x, lambda, 10, 0), "lambda", true);
        setting(RidgePath::new(rbf.as_ref(), &x, &y, 1 << 30).unwrap().at(lambda), "lambda", true);
    }
    for tolerance in [f64::INFINITY, f64::NAN, -1e-3, 1.0] {
        setting(
            falkon(rbf.clone(), &x, &y, FalkonOptions { tolerance, ..falkon_options }),
            "tolerance",
            false,
        );
        let options = IterativeOptions { tolerance, ..iterative_options };
        setting(iterative_ridge(rbf.clone(), &x, &y, options, &mut go_on), "tolerance", false);
    }
}

#[test]
#[should_panic(expected = "gram, rbf γ=1e39: gamma: 1e39 is not positive")]
fn a_gram_matrix_with_a_setting_beyond_the_type() {
    gram(&Rbf::new(1e39).unwrap(), &grid::<f32>(3, 1, 0.0, 0));
}

#[test]
fn settings_of_networks_and_their_training_are_named() {
    let relu = |scale| InfiniteNetwork::new(2, Nonlinearity::Relu, scale).unwrap();
    let rng = &mut stream(0, Purpose::Init);
    // The factors are roots.
    let mut made = |network| NtkMlp::new(&mut Tape::<f32>::default(), &network, 3, 10, 1, rng);
    setting(made(relu(1e80)), "gamma", true);
    setting(made(relu(1.0).with_variances(1e-120, 0.0).unwrap()), "weight_variance", true);
    setting(made(relu(1.0).with_variances(1.0, 1e80).unwrap()), "bias_variance", true);
    assert!(made(relu(1e39)).is_ok());
    let dynamics =
        Dynamics::new(&dmatrix![2.0, 0.0; 0.0, 4.0], &dmatrix![0.0; 0.0], &dmatrix![1.0; 1.0]).unwrap();
    setting(dynamics.descent(1e308, 1000), "rate", false);
    setting(dynamics.descent(f64::INFINITY, 1), "rate", false);
    setting(dynamics.flow(f64::NAN), "time", false);
    assert!(matches!(dynamics.descent(100.0, 1_000_000), Err(Error::NonFinite(_))));
    // θ_t − θ₀ is linear in the targets.
    let theta = dmatrix![2.0, 0.0; 0.0, 4.0];
    let distance = |scale| {
        let dynamics = Dynamics::new(&theta, &dmatrix![0.0; 0.0], &dmatrix![scale; scale]).unwrap();
        dynamics.flow_distance(1.0).unwrap() / scale
    };
    for scale in [1e-200, 1e200] {
        assert!((distance(scale) / distance(1.0) - 1.0).abs() < 1e-14, "{scale:e}");
    }
}

/// Of ‖x‖²‖y‖² only the ratio counts with ReLU: samples at any scale have the kernel of theirs at scale 1.
#[test]
fn infinite_networks_of_relu_at_every_scale() {
    let network = InfiniteNetwork::new(3, Nonlinearity::Relu, 0.5).unwrap();
    let x = grid::<f32>(30, 3, 0.0, 3);
    for exponent in [-40, 60] {
        let factor = 2f32.powi(exponent);
        let scaled = Samples::new(x.rows().values.iter().map(|v| v * factor).collect(), 3).unwrap();
        for kernel in [Arc::new(Ntk(network)) as Arc<dyn Kernel<f32>>, Arc::new(Nngp(network))] {
            let expected = gram(kernel.as_ref(), &x) * (factor * factor);
            assert_eq!(gram(kernel.as_ref(), &scaled), expected, "{}", kernel.name());
        }
    }
}

/// Distances whose squares are 0 in f32: what is asked for is told, and not that rows are equal.
#[test]
fn tiny_samples() {
    let tiny = Samples::new(vec![0.0f32, 1e-25, 3e-25], 1).unwrap();
    let gamma = median_gamma(&tiny, 0).unwrap();
    assert!((gamma / 0.125e50 - 1.0).abs() < 1e-5, "{gamma:e}");
    setting(
        (kernels::<f32>()[0].suited)(&tiny, 0).and_then(|s| (kernels::<f32>()[0].build)(&s)),
        "gamma",
        true,
    );
}
