//! What theory says of wide networks, measured: the kernel's convergence, lazy training, the linear model.

use nalgebra::DMatrix;
use tapegrad::Error;
use tapegrad::experiments::ntk_study::{LazyOptions, LazyRun, kernel_distance, lazy_training};
use tapegrad::experiments::statistics::{Fit, mean_and_deviation};
use tapegrad::linalg::with_threads;
use tapegrad::models::kernel::{InfiniteNetwork, Nonlinearity, Samples};
use tapegrad::rng::{Purpose, standard_normal, stream};

/// n points on the sphere of radius √d.
fn sphere(n: usize, d: usize, seed: u64) -> Samples<f64> {
    let mut rng = stream(seed, Purpose::Data);
    let mut values = Vec::new();
    for _ in 0..n {
        let row: Vec<f64> = (0..d).map(|_| standard_normal(&mut rng)).collect();
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        values.extend(row.iter().map(|v| v * (d as f64).sqrt() / norm));
    }
    Samples::new(values, d).unwrap()
}

fn network(depth: usize, nonlinearity: Nonlinearity, bias: f64) -> InfiniteNetwork {
    InfiniteNetwork::new(depth, nonlinearity, 0.2).unwrap().with_variances(2.0, bias).unwrap()
}

#[test]
fn the_empirical_kernel_converges_like_the_root_of_the_width() {
    let x = sphere(8, 5, 1);
    let widths = [32, 64, 128, 256, 512];
    let mut means = Vec::new();
    for (depth, nonlinearity, bias, seeds) in [
        (1, Nonlinearity::Relu, 0.0, 32),
        (2, Nonlinearity::Relu, 0.1, 24),
        (1, Nonlinearity::Erf, 0.1, 32),
        (3, Nonlinearity::Relu, 0.0, 24),
    ] {
        let network = network(depth, nonlinearity, bias);
        let points = widths.map(|width| {
            let distances: Vec<f64> =
                (0..seeds).map(|seed| kernel_distance(&network, &x, width, seed).unwrap()).collect();
            let (mean, deviation) = mean_and_deviation(&distances);
            println!("  width {width:4}: {mean:.4} ± {:.4}", deviation / (seeds as f64).sqrt());
            (width as f64, mean)
        });
        let slope = Fit::power_law(&points).slope;
        println!("{nonlinearity} depth {depth}: slope {slope:.3}");
        // The means over the seeds are off by 3 to 20 %, and the slope by 0.02 to 0.06.
        assert!((slope + 0.5).abs() < 0.15, "{nonlinearity} depth {depth}: {slope}");
        means.push(points[4].1);
    }
    // Deeper networks are farther from their limit.
    assert!(means[0] < means[1] && means[1] < means[3], "{means:?}");
}

fn run(width: usize, seed: u64) -> LazyRun {
    let (x, test) = (sphere(12, 5, 2), sphere(20, 5, 3));
    let y = DMatrix::from_fn(12, 1, |i, _| {
        let row = x.rows().row(i);
        (row[0] + row[1] * row[2]).signum()
    });
    let options = LazyOptions { width, seed, rate: 0.3, steps: vec![1, 3, 10, 30, 100, 300] };
    lazy_training(&network(2, Nonlinearity::Relu, 0.1), &x, &y, &test, &options).unwrap()
}

#[test]
fn wide_networks_train_as_their_linearization_does() {
    let widths = [32, 128, 512];
    let seeds = 12;
    let (mut movement, mut train, mut test, mut kernel) = (vec![], vec![], vec![], vec![]);
    for width in widths {
        let runs: Vec<LazyRun> = (0..seeds).map(|seed| run(width, seed)).collect();
        let mean = |f: &dyn Fn(&LazyRun) -> f64| runs.iter().map(f).sum::<f64>() / seeds as f64;
        let at = width as f64;
        movement.push((at, mean(&|r| r.movement())));
        train.push((at, mean(&|r| r.train_error())));
        test.push((at, mean(&|r| r.test_error())));
        kernel.push((at, mean(&|r| r.kernel_movement)));
        for r in &runs {
            let (first, last) = (r.points[0], r.points[5]);
            // It is trained, and not only started.
            assert!(last.loss < 0.1 * first.loss, "{r:?}");
            assert!(last.movement > 0.0 && (last.movement / last.linear_movement - 1.0).abs() < 0.5, "{r:?}");
        }
    }
    for (name, points) in [
        ("movement", &movement),
        ("train error", &train),
        ("test error", &test),
        ("kernel movement", &kernel),
    ] {
        println!("{name}: {points:?}, slope {:.3}", Fit::power_law(points).slope);
        assert!(points[0].1 > points[1].1 && points[1].1 > points[2].1, "{name} {points:?}");
    }
    // n² weights that move by O(1) together, from a norm of n.
    let slope = Fit::power_law(&movement).slope;
    assert!((slope + 1.0).abs() < 0.15, "{slope}");
    // The bound is n^−½ (Lee et al., 2019), the leading term of smooth networks 1/n (Dyer and Gur-Ari, 2020);
    // with the kinks of ReLU and widths like these it lies between.
    for points in [&train, &test, &kernel] {
        let slope = Fit::power_law(points).slope;
        assert!((-1.1..-0.4).contains(&slope), "{slope} {points:?}");
    }
}

#[test]
fn the_same_bits_at_any_number_of_threads() {
    assert_eq!(with_threads(1, || run(64, 1)), with_threads(2, || run(64, 1)));
}

#[test]
fn settings_are_checked() {
    let (x, network) = (sphere(3, 5, 1), network(1, Nonlinearity::Relu, 0.0));
    assert!(matches!(kernel_distance(&network, &x, 0, 1), Err(Error::Setting { name: "widths", .. })));
    let y = DMatrix::from_element(3, 1, 1.0);
    let options = LazyOptions { width: 8, seed: 0, rate: 1.0, steps: vec![10, 2] };
    let error = lazy_training(&network, &x, &y, &x, &options);
    assert!(matches!(error, Err(Error::Setting { name: "steps", .. })), "{error:?}");
    let options = LazyOptions { rate: 1000.0, steps: vec![400], ..options };
    let error = lazy_training(&network, &x, &y, &x, &options);
    assert!(matches!(error, Err(Error::NonFinite(_))), "{error:?}");
    for y in [DMatrix::zeros(3, 1), DMatrix::from_element(2, 1, 1.0), DMatrix::from_element(3, 1, f64::NAN)] {
        let error = lazy_training(&network, &x, &y, &x, &options);
        assert!(matches!(error, Err(Error::Data(_))), "{error:?}");
    }
}
