//! Nyström, random Fourier features and FALKON against the exact fit, and against each other.

use std::ops::ControlFlow;
use std::sync::Arc;

use nalgebra::DMatrix;
use tapegrad::linalg::with_threads;
use tapegrad::models::kernel::{
    Centres, FalkonOptions, FourierRidge, IterativeOptions, IterativeProgress, Kernel, KernelMachine,
    KernelRidge, Laplacian, LinearKernel, NystromOptions, Rbf, RidgeOptions, Samples, cross_gram, falkon,
    falkon_observed, gram, iterative_ridge, leverage_scores, nystrom,
};
use tapegrad::rng::{Purpose, standard_normal, stream};
use tapegrad::{Error, Float};

use crate::helpers::random;

/// Two smooth functions of the samples.
fn targets(x: &Samples<f64>) -> DMatrix<f64> {
    DMatrix::from_fn(x.len(), 2, |i, j| {
        let row = x.rows().row(i);
        if j == 0 { Float::sin(2.0 * row[0] + row[1]) } else { row[0] * row[1] }
    })
}

fn rbf(gamma: f64) -> Arc<dyn Kernel<f64>> {
    Arc::new(Rbf::new(gamma).unwrap())
}

const RIDGE: RidgeOptions = RidgeOptions { lambda: 1e-4, memory: 1 << 30 };

fn nystrom_options(centres: usize) -> NystromOptions {
    NystromOptions { ridge: RIDGE, centres, selection: Centres::Uniform, seed: 1 }
}

fn falkon_options(centres: usize) -> FalkonOptions {
    let ridge = RIDGE;
    FalkonOptions { ridge, centres, selection: Centres::Uniform, seed: 1, iterations: 100, tolerance: 1e-12 }
}

#[test]
fn with_all_samples_as_centres_they_are_exact() {
    let (x, z) = (random(150, 3, 1), random(40, 3, 2));
    let y = targets(&x);
    let exact = KernelRidge::fit(rbf(0.5), &x, &y, RIDGE).unwrap().predict(&z);
    let direct = nystrom(rbf(0.5), &x, &y, nystrom_options(150)).unwrap().predict(&z);
    assert!((&direct - &exact).abs().max() < 1e-9, "{:e}", (&direct - &exact).abs().max());
    let iterated = falkon(rbf(0.5), &x, &y, falkon_options(150)).unwrap();
    let iterated = iterated.machine.predict(&z);
    assert!((&iterated - &exact).abs().max() < 1e-8, "{:e}", (&iterated - &exact).abs().max());
}

#[test]
fn the_solution_is_that_of_the_normal_equations() {
    let x = random(400, 2, 3);
    let y = targets(&x);
    for kernel in [rbf(1.0), Arc::new(Laplacian::new(0.5).unwrap()) as Arc<dyn Kernel<f64>>] {
        let direct = nystrom(kernel.clone(), &x, &y, nystrom_options(30)).unwrap();
        let c = direct.centres();
        let (k_nm, k_mm) = (cross_gram(kernel.as_ref(), &x, c), gram(kernel.as_ref(), c));
        let h = k_nm.tr_mul(&k_nm) + &k_mm * (400.0 * RIDGE.lambda);
        let gradient = &h * direct.alpha() - k_nm.tr_mul(&y);
        let scale = k_nm.tr_mul(&y).abs().max();
        assert!(gradient.abs().max() < 1e-9 * scale, "{:e}", gradient.abs().max() / scale);
        let iterated = falkon(kernel, &x, &y, falkon_options(30)).unwrap();
        // The same seed draws the same centres.
        assert_eq!(iterated.machine.centres().rows().values, c.rows().values);
        let difference = iterated.machine.predict(&x) - direct.predict(&x);
        assert!(difference.abs().max() < 1e-8, "{:e}", difference.abs().max());
    }
}

#[test]
fn the_preconditioner_makes_iterations_few() {
    // Few where M is well above the effective dimension; at λ = 1e-6, with as many as centres, it takes 60.
    let x = random(3000, 4, 4);
    let mut options = falkon_options(300);
    options.tolerance = 1e-6;
    options.ridge.lambda = 1e-3;
    let fit = falkon(rbf(0.5), &x, &targets(&x), options).unwrap();
    assert!(fit.residuals.len() <= 30, "{:?}", fit.residuals);
    assert!(*fit.residuals.last().unwrap() <= 1e-6);
    // Where M is n, the preconditioner is the inverse.
    let x = random(200, 4, 5);
    let mut options = falkon_options(200);
    options.tolerance = 1e-8;
    let fit = falkon(rbf(0.5), &x, &targets(&x), options).unwrap();
    assert!(fit.residuals.len() <= 2, "{:?}", fit.residuals);
}

#[test]
fn neither_memory_nor_threads_change_a_bit() {
    // 1500 centres: two blocks of rows.
    let x = random(4500, 3, 6);
    let y = targets(&x);
    let fit = |threads, memory| {
        let mut options = falkon_options(1500);
        options.ridge.memory = memory;
        options.iterations = 3;
        with_threads(threads, || falkon(rbf(0.5), &x, &y, options).unwrap())
    };
    let (rich, poor) = (fit(1, 1 << 30), fit(2, 82 << 20));
    assert!(rich.rows_held == 4500 && poor.rows_held < 4500, "{} {}", rich.rows_held, poor.rows_held);
    assert_eq!(rich.machine.alpha(), poor.machine.alpha());
    assert_eq!(rich.residuals, poor.residuals);
    let run = |threads| {
        with_threads(threads, || {
            let direct = nystrom(rbf(0.5), &x, &y, nystrom_options(200)).unwrap();
            let kernel = rbf(0.5);
            let fourier = FourierRidge::fit(kernel.as_ref(), &x, &y, 100, 1, RIDGE).unwrap();
            (direct.predict(&x), fourier.predict(&x))
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn random_features_approach_the_kernel() {
    let x = random(60, 5, 7);
    let k = gram(rbf(0.8).as_ref(), &x);
    let error = |frequencies: usize| -> f64 {
        let mean_of = |seed| {
            let fit = FourierRidge::fit(rbf(0.8).as_ref(), &x, &targets(&x), frequencies, seed, RIDGE);
            let z = fit.unwrap().features(&x);
            assert_eq!(z.shape(), (60, 2 * frequencies));
            (&z * z.transpose() - &k).norm_squared() / 3600.0
        };
        (0..10).map(mean_of).sum::<f64>() / 10.0
    };
    // The mean squared error falls like 1/F, from at most 1/F.
    let (few, many) = (error(10), error(400));
    assert!(few < 1.0 / 10.0 && many < 1.0 / 400.0, "{few} {many}");
    let ratio = few / many;
    assert!((20.0..80.0).contains(&ratio), "{ratio}");
}

#[test]
fn many_random_features_predict_like_the_kernel() {
    let (x, z) = (random(300, 2, 8), random(50, 2, 9));
    let y = targets(&x);
    let exact = KernelRidge::fit(rbf(1.0), &x, &y, RIDGE).unwrap().predict(&z);
    let fourier = FourierRidge::fit(rbf(1.0).as_ref(), &x, &y, 1000, 1, RIDGE).unwrap();
    let difference = (fourier.predict(&z) - exact).abs().max();
    assert!(difference < 0.02, "{difference}");
}

#[test]
fn leverage_scores_are_exact_from_all_pilots() {
    let x = random(200, 2, 10);
    let lambda = 1e-3;
    let fit = KernelRidge::fit(rbf(3.0), &x, &targets(&x), RidgeOptions::new(lambda)).unwrap();
    let inverse = fit.factor().inverse_diagonal();
    let kernel = rbf(3.0);
    let exact = leverage_scores(kernel.as_ref(), &x, lambda, 200, 0).unwrap();
    for i in 0..200 {
        assert!((exact[i] - (1.0 - 200.0 * lambda * inverse[i])).abs() < 1e-11);
    }
    assert!((exact.iter().sum::<f64>() - fit.effective_dimension()).abs() < 1e-9);
    // Fewer pilots: near, and never far below.
    let rough = leverage_scores(kernel.as_ref(), &x, lambda, 100, 0).unwrap();
    assert!(rough.iter().zip(&exact).all(|(rough, exact)| *rough > 0.5 * exact));
    assert!(rough.iter().sum::<f64>() < 3.0 * exact.iter().sum::<f64>());
}

#[test]
fn leverage_scores_find_rare_samples() {
    // 1990 samples close together, 10 far away and apart.
    let mut rng = stream(11, Purpose::Data);
    let mut values: Vec<f64> = (0..1990 * 2).map(|_| 0.1 * standard_normal(&mut rng)).collect();
    values.extend((0..10).flat_map(|i| [20.0 + 5.0 * f64::from(i), 0.0]));
    let x = Samples::new(values, 2).unwrap();
    let y = DMatrix::from_fn(2000, 1, |i, _| if i < 1990 { 0.0 } else { 1.0 });
    let rare = |selection| {
        let options = NystromOptions { selection, ..nystrom_options(60) };
        let fit = nystrom(rbf(1.0), &x, &y, options).unwrap();
        (fit.centres().rows().values.chunks(2).filter(|row| row[0] > 10.0).count(), fit)
    };
    let (by_chance, _) = rare(Centres::Uniform);
    let (by_leverage, fit) = rare(Centres::LeverageScores { pilots: 200 });
    assert!(by_chance <= 3 && by_leverage == 10, "{by_chance} {by_leverage}");
    // λ = 1e-4: a sample of its own is fitted to 1/(1 + nλ) = 1/1.2.
    let fitted = fit.predict(&x);
    assert!((1990..2000).all(|i| (fitted[i] - 1.0 / 1.2).abs() < 1e-6));
}

#[test]
fn duplicated_centres_are_no_trouble() {
    let once = random(50, 2, 12);
    let twice = Samples::new(once.rows().values.repeat(2), 2).unwrap();
    let y = targets(&twice);
    let expected = KernelRidge::fit(rbf(1.0), &twice, &y, RIDGE).unwrap().predict(&once);
    let direct = nystrom(rbf(1.0), &twice, &y, nystrom_options(100)).unwrap().predict(&once);
    assert!((direct - &expected).abs().max() < 1e-8);
    let iterated = falkon(rbf(1.0), &twice, &y, falkon_options(100)).unwrap().machine.predict(&once);
    assert!((iterated - expected).abs().max() < 1e-8);
}

#[test]
fn single_precision_is_enough_to_predict() {
    let x = random(2000, 3, 13);
    let y = targets(&x);
    let x32 = Samples::new(x.rows().values.iter().map(|v| *v as f32).collect(), 3).unwrap();
    let kernel: Arc<dyn Kernel<f32>> = Arc::new(Rbf::new(0.5).unwrap());
    let fit = falkon(kernel, &x32, &y.map(|v| v as f32), falkon_options(200)).unwrap();
    let expected = falkon(rbf(0.5), &x, &y, falkon_options(200)).unwrap();
    let difference = fit.machine.predict(&x32).map(f64::from) - expected.machine.predict(&x);
    assert!(difference.abs().max() < 1e-2, "{}", difference.abs().max());
}

#[test]
fn bad_settings_are_errors() {
    let x = random(20, 2, 14);
    let y = targets(&x);
    let name = |error: Error| if let Error::Setting { name, .. } = error { name } else { panic!("{error}") };
    for centres in [0, 21] {
        assert_eq!(name(nystrom(rbf(1.0), &x, &y, nystrom_options(centres)).unwrap_err()), "centres");
        assert_eq!(name(falkon(rbf(1.0), &x, &y, falkon_options(centres)).unwrap_err()), "centres");
    }
    for lambda in [-1.0, f64::NAN] {
        let ridge = RidgeOptions { lambda, ..RIDGE };
        let options = NystromOptions { ridge, ..nystrom_options(5) };
        assert_eq!(name(nystrom(rbf(1.0), &x, &y, options).unwrap_err()), "lambda");
        let options = FalkonOptions { ridge, ..falkon_options(5) };
        assert_eq!(name(falkon(rbf(1.0), &x, &y, options).unwrap_err()), "lambda");
        assert_eq!(name(FourierRidge::fit(rbf(1.0).as_ref(), &x, &y, 5, 0, ridge).unwrap_err()), "lambda");
    }
    let zero = RidgeOptions { lambda: 0.0, ..RIDGE };
    assert_eq!(
        name(falkon(rbf(1.0), &x, &y, FalkonOptions { ridge: zero, ..falkon_options(5) }).unwrap_err()),
        "lambda"
    );
    assert_eq!(name(leverage_scores(rbf(1.0).as_ref(), &x, 0.0, 5, 0).unwrap_err()), "lambda");
    assert_eq!(name(leverage_scores(rbf(1.0).as_ref(), &x, 0.1, 21, 0).unwrap_err()), "pilots");
    let options = FalkonOptions { iterations: 0, ..falkon_options(5) };
    assert_eq!(name(falkon(rbf(1.0), &x, &y, options).unwrap_err()), "iterations");
    let options = FalkonOptions { tolerance: f64::NAN, ..falkon_options(5) };
    assert_eq!(name(falkon(rbf(1.0), &x, &y, options).unwrap_err()), "tolerance");
    assert_eq!(name(FourierRidge::fit(rbf(1.0).as_ref(), &x, &y, 0, 0, RIDGE).unwrap_err()), "frequencies");
    let laplacian = Laplacian::new(1.0).unwrap();
    assert_eq!(name(FourierRidge::fit(&laplacian, &x, &y, 5, 0, RIDGE).unwrap_err()), "kernel");
    let little = RidgeOptions { memory: 1000, ..RIDGE };
    let options = NystromOptions { ridge: little, ..nystrom_options(5) };
    assert_eq!(name(nystrom(rbf(1.0), &x, &y, options).unwrap_err()), "memory");
    let options = FalkonOptions { ridge: little, ..falkon_options(5) };
    assert_eq!(name(falkon(rbf(1.0), &x, &y, options).unwrap_err()), "memory");
    assert_eq!(name(FourierRidge::fit(rbf(1.0).as_ref(), &x, &y, 5, 0, little).unwrap_err()), "memory");
    let huge = FourierRidge::fit(rbf(1.0).as_ref(), &x, &y, usize::MAX, 0, RIDGE);
    assert_eq!(name(huge.unwrap_err()), "memory");
}

/// Centres far from the origin for their spread, most of them twice.
#[test]
fn rounded_distances_do_not_stop_an_approximation() {
    let x = Samples::new((0..300).map(|i| 10.0 + (i % 61) as f32 / 1e3).collect(), 1).unwrap();
    let y = DMatrix::from_fn(300, 1, |i, _| if i % 61 < 30 { -1.0f32 } else { 1.0 });
    let kernel: Arc<dyn Kernel<f32>> = Arc::new(Rbf::new(100.0).unwrap());
    let fit = nystrom(kernel.clone(), &x, &y, nystrom_options(100)).unwrap();
    let wrong = |z: DMatrix<f32>| z.iter().zip(&y).filter(|(z, y)| **z * **y < 0.0).count();
    assert!(wrong(fit.predict(&x)) < 30, "{}", wrong(fit.predict(&x)));
    let fit = falkon(kernel, &x, &y, falkon_options(100)).unwrap();
    assert!(wrong(fit.machine.predict(&x)) < 30, "{}", wrong(fit.machine.predict(&x)));
}

#[test]
fn an_observer_ends_the_iterations() {
    let x = random(300, 3, 15);
    let y = targets(&x);
    let mut seen = Vec::new();
    let fit = falkon_observed(rbf(0.5), &x, &y, falkon_options(30), &mut |progress| {
        let IterativeProgress::Iteration { number, residual } = progress else {
            return ControlFlow::Continue(());
        };
        seen.push((number, residual));
        if number == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let fit = fit.unwrap();
    assert_eq!(seen.iter().map(|(iteration, _)| *iteration).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(seen.iter().map(|(_, residual)| *residual).collect::<Vec<_>>(), fit.residuals);
    let three = falkon(rbf(0.5), &x, &y, FalkonOptions { iterations: 3, ..falkon_options(30) }).unwrap();
    assert_eq!(fit.machine.alpha(), three.machine.alpha());
}

fn iterative_options(pilots: usize) -> IterativeOptions {
    IterativeOptions { ridge: RIDGE, pilots, seed: 1, iterations: 200, tolerance: 1e-13 }
}

/// Whether a fit of 700 samples, which are some blocks, is ended between any two of them with what the
/// iterations before had, or with an error if there was none.
#[test]
fn an_observer_ends_an_iteration_between_two_blocks() {
    let x = random(700, 3, 17);
    let y = targets(&x);
    let alpha = |iterations, observe: &mut dyn FnMut(IterativeProgress) -> ControlFlow<()>| {
        let options = IterativeOptions { iterations, ..iterative_options(20) };
        let cg = iterative_ridge(rbf(0.5), &x, &y, options, observe);
        cg.map(|fit| (fit.machine.alpha().clone(), fit.residuals))
    };
    let two = alpha(2, &mut go_on).unwrap();
    // Calls before the end of the third iteration, and those of them that are in it.
    let (mut calls, mut in_third) = (0, 0);
    let mut finished = 0;
    let count = &mut |progress| {
        match progress {
            IterativeProgress::Working => {
                (calls, in_third) = (calls + 1, in_third + usize::from(finished == 2))
            }
            IterativeProgress::Iteration { number, .. } => finished = number,
        }
        ControlFlow::Continue(())
    };
    alpha(3, count).unwrap();
    // 3 blocks of 256 rows each.
    assert_eq!((calls, in_third), (3 + 3 * 3, 3));
    for last in 0..calls {
        let mut seen = 0;
        let found = alpha(3, &mut |progress| {
            seen += usize::from(progress == IterativeProgress::Working);
            if seen > last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match last / 3 {
            0 | 1 => assert!(matches!(found, Err(Error::Interrupted)), "{last}"),
            2 => assert_eq!(found.unwrap().1.len(), 1),
            _ => assert_eq!(found.unwrap(), two),
        }
    }
}

/// To the end, whatever it is.
fn go_on(_: IterativeProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn by_iteration_on_all_samples_it_is_exact() {
    // 700 samples: two whole blocks of rows, and a last one that is not.
    for (n, pilots) in [(1, 1), (2, 1), (300, 20), (700, 100), (700, 700)] {
        let (x, z) = (random(n, 3, 17), random(40, 3, 18));
        let y = targets(&x);
        for kernel in [rbf(0.5), Arc::new(Laplacian::new(0.5).unwrap()) as Arc<dyn Kernel<f64>>] {
            let exact = KernelRidge::fit(kernel.clone(), &x, &y, RIDGE).unwrap();
            let fit = iterative_ridge(kernel, &x, &y, iterative_options(pilots), &mut go_on).unwrap();
            let difference = (fit.machine.predict(&z) - exact.predict(&z)).abs().max();
            assert!(difference < 1e-9, "{n} {pilots}: {difference:e}, {:?}", fit.residuals);
        }
    }
}

#[test]
fn pilots_make_its_iterations_few() {
    let x = random(1500, 4, 19);
    let y = targets(&x);
    let iterations = |pilots| {
        let options = IterativeOptions { tolerance: 1e-6, ..iterative_options(pilots) };
        let fit = iterative_ridge(rbf(0.5), &x, &y, options, &mut go_on).unwrap();
        assert!(*fit.residuals.last().unwrap() <= 1e-6, "{:?}", fit.residuals);
        fit.residuals.len()
    };
    let (few, many) = (iterations(5), iterations(300));
    assert!(many <= 20 && 3 * many < few, "{few} {many}");
}

#[test]
fn neither_memory_nor_threads_change_a_bit_of_it() {
    let x = random(2000, 3, 20);
    let y = targets(&x);
    let fit = |threads, memory| {
        let mut options = IterativeOptions { iterations: 3, ..iterative_options(50) };
        options.ridge.memory = memory;
        with_threads(threads, || iterative_ridge(rbf(0.5), &x, &y, options, &mut go_on).unwrap())
    };
    // The triangle takes 17 MB, all else 10.
    let (rich, poor, poorest) = (fit(1, 1 << 30), fit(2, 18 << 20), fit(3, 10 << 20));
    assert_eq!(rich.rows_held, 2000);
    assert!((256..2000).contains(&poor.rows_held) && poorest.rows_held == 0, "{}", poorest.rows_held);
    assert_eq!(rich.machine.alpha(), poor.machine.alpha());
    assert_eq!(rich.machine.alpha(), poorest.machine.alpha());
    assert_eq!(rich.residuals, poor.residuals);
}

/// A sine with noise, on one feature.
fn sine<T: Float>(n: usize) -> (Samples<T>, DMatrix<T>) {
    let part = |i: usize, a: f64| (i as f64 * a).fract();
    let x: Vec<T> = (0..n).map(|i| T::of(4.0 * part(i, 0.618_033_988_7))).collect();
    let y = |i: usize| Float::sin(x[i].to_f64()) + 0.1 * part(i, 0.754_877_666_2);
    let y = DMatrix::from_fn(n, 1, |i, _| T::of(y(i)));
    (Samples::new(x, 1).unwrap(), y)
}

/// Where λ is lost in the rounding of K, an iterative fit is not far from the targets, tells that it is not solved, or is an
/// error that names λ.
fn lost_or_fitted<T: Float>(n: usize, lambda: f64) -> Result<(), Error> {
    let (x, y) = sine::<T>(n);
    let kernel: Arc<dyn Kernel<T>> = Arc::new(Rbf::new(0.5).unwrap());
    let (ridge, seed, tolerance) = (RidgeOptions::new(lambda), 1, 1e-3);
    let options = IterativeOptions { ridge, pilots: n / 5, seed, iterations: 20, tolerance };
    let found = iterative_ridge(kernel.clone(), &x, &y, options, &mut go_on);
    let worst = |machine: &dyn KernelMachine<T>| {
        let off = machine.predict(&x) - &y;
        off.iter().fold(0.0f64, |most, x| most.max(x.to_f64().abs()))
    };
    let options =
        FalkonOptions { ridge, centres: n / 3, selection: Centres::Uniform, seed, iterations: 20, tolerance };
    match falkon(kernel, &x, &y, options) {
        Ok(fit) => {
            let (worst, last) = (worst(&fit.machine), fit.residuals[fit.residuals.len() - 1]);
            assert!(worst < 2.0 || last > 1e-2, "FALKON, n = {n}, λ = {lambda:e}: {worst}, {last}");
        }
        Err(error) => assert!(error.to_string().contains("lambda") || error.to_string().contains("pivot")),
    }
    let found = found?;
    let (worst, last) = (worst(&found.machine), found.residuals[found.residuals.len() - 1]);
    // What is told as solved is.
    assert!(worst < 0.5 || last > 1e-2, "n = {n}, λ = {lambda:e}: {worst}, {last}");
    Ok(())
}

#[test]
fn a_ridge_that_rounding_takes_is_told() {
    for n in [50, 300, 1000] {
        for lambda in [1e-9, 1e-8, 3e-8, 1e-7, 3e-7, 1e-6] {
            if let Err(error) = lost_or_fitted::<f32>(n, lambda) {
                assert!(lambda < 1e-7, "f32, n = {n}, λ = {lambda:e}: {error}");
            }
        }
        for lambda in [1e-18, 1e-17, 1e-16, 1e-15, 1e-13] {
            if let Err(error) = lost_or_fitted::<f64>(n, lambda) {
                assert!(lambda < 1e-14, "f64, n = {n}, λ = {lambda:e}: {error}");
            }
        }
    }
    let error = lost_or_fitted::<f32>(300, 1e-9).unwrap_err().to_string();
    assert!(error.starts_with("lambda: 1e-9 is too small for f32") && error.contains("f64"), "{error}");
}

/// A linear kernel at the origin, where it is 0: so is what is fitted.
#[test]
fn centres_whose_kernel_is_zero() {
    let x = Samples::new(vec![0.0; 12], 2).unwrap();
    let y = DMatrix::from_element(6, 1, 1.0);
    let kernel: Arc<dyn Kernel<f64>> = Arc::new(LinearKernel);
    let ridge = RidgeOptions { lambda: 10.0, ..RIDGE };
    let by_centres = nystrom(kernel.clone(), &x, &y, NystromOptions { ridge, ..nystrom_options(3) }).unwrap();
    assert_eq!(by_centres.predict(&x), DMatrix::zeros(6, 1));
    let iterated = falkon(kernel.clone(), &x, &y, FalkonOptions { ridge, ..falkon_options(3) }).unwrap();
    assert_eq!(iterated.machine.predict(&x), DMatrix::zeros(6, 1));
    let options = IterativeOptions { ridge, ..iterative_options(3) };
    let iterated = iterative_ridge(kernel, &x, &y, options, &mut go_on).unwrap();
    assert_eq!(iterated.machine.predict(&x), DMatrix::zeros(6, 1));
}

#[test]
fn bad_settings_of_an_iterative_fit_are_errors() {
    let x = random(20, 2, 21);
    let y = targets(&x);
    let usual = iterative_options(5);
    let ridge = |lambda, memory| IterativeOptions { ridge: RidgeOptions { lambda, memory }, ..usual };
    for (options, expected) in [
        (ridge(0.0, 1 << 30), "lambda"),
        (ridge(-1.0, 1 << 30), "lambda"),
        (ridge(f64::NAN, 1 << 30), "lambda"),
        (ridge(1e-4, 1000), "memory"),
        (IterativeOptions { pilots: 0, ..usual }, "pilots"),
        (IterativeOptions { pilots: 21, ..usual }, "pilots"),
        (IterativeOptions { iterations: 0, ..usual }, "iterations"),
        (IterativeOptions { tolerance: f64::NAN, ..usual }, "tolerance"),
    ] {
        match iterative_ridge(rbf(1.0), &x, &y, options, &mut go_on) {
            Err(Error::Setting { name, .. }) => assert_eq!(name, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let short = targets(&random(19, 2, 0));
    assert!(matches!(iterative_ridge(rbf(1.0), &x, &short, usual, &mut go_on), Err(Error::Data(_))));
}

/// For a comparison with other programs in the same minute; each line is the time of one fit.
#[test]
#[ignore = "takes seconds, and prints times"]
fn times_of_an_exact_fit_of_4000_samples() {
    let x = random(4000, 64, 16);
    let y = DMatrix::from_fn(4000, 1, |i, _| x.rows().row(i)[0]);
    with_threads(tapegrad::linalg::available_threads(), || {
        for _ in 0..3 {
            let start = std::time::Instant::now();
            let fit = KernelRidge::fit(rbf(1.0 / 64.0), &x, &y, RidgeOptions::new(1.0 / 4000.0)).unwrap();
            println!("tapegrad {:.3}", start.elapsed().as_secs_f64());
            assert!(fit.alpha().iter().all(|alpha| alpha.is_finite()));
        }
    });
}
