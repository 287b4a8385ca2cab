//! Products, decompositions and kernel matrices, on one thread.
//!
//! The throughput of a product is in floating-point operations: `Gelem/s` are GFLOPS. That of a decomposition counts
//! n³/3 operations for Cholesky and 4n³/3 for the reduction that eigenvalues begin with. A kernel matrix stands beside
//! the product alone that it contains.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nalgebra::DMatrix;
use tapegrad::Float;
use tapegrad::linalg::{Cholesky, Mat, gemm, symmetric_eigen};
use tapegrad::models::kernel::{Kernel, Laplacian, Matern52, Rbf, Samples, cross_gram};

/// Numbers between −1 and 1.
fn numbers<T: Float>(count: usize) -> Vec<T> {
    (0..count).map(|i| T::of((i * 7919 % 2003) as f64 / 1001.0 - 1.0)).collect()
}

fn products<T: Float>(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("product {}", T::NAME));
    let squares = [64, 128, 512, 1024, 2048].map(|n| (n, n, n));
    // A layer of 1024 outputs at a batch of 128; a layer of ten outputs; a row.
    for (m, k, n) in squares.into_iter().chain([(128, 1024, 1024), (128, 784, 10), (1, 784, 128)]) {
        let (a, b) = (numbers::<T>(m * k), numbers::<T>(k * n));
        let mut out = vec![T::ZERO; m * n];
        group.throughput(Throughput::Elements(2 * (m * k * n) as u64));
        let size = format!("{m}×{k}×{n}");
        group.bench_function(BenchmarkId::new("A·B", &size), |bench| {
            bench.iter(|| gemm(&mut out, false, Mat::new(&a, m, k), Mat::new(&b, k, n)));
        });
        group.bench_function(BenchmarkId::new("A·Bᵀ", &size), |bench| {
            bench.iter(|| gemm(&mut out, false, Mat::new(&a, m, k), Mat::new(&b, n, k).t()));
        });
        group.bench_function(BenchmarkId::new("Aᵀ·B", &size), |bench| {
            bench.iter(|| gemm(&mut out, false, Mat::new(&a, k, m).t(), Mat::new(&b, k, n)));
        });
    }
    group.finish();
}

/// Symmetric, and well above 0.
fn positive<T: Float>(n: usize) -> DMatrix<T> {
    DMatrix::from_fn(n, n, |i, j| {
        let (low, high) = (i.min(j), i.max(j));
        T::of((low * 7919 + high * 104_729) as f64 % 2003.0 / 2003.0 + if i == j { n as f64 } else { 0.0 })
    })
}

fn decompositions<T: Float>(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("decomposition {}", T::NAME));
    for n in [10, 100, 500, 2000] {
        let a = positive::<T>(n);
        let cubed = (n as u64).pow(3);
        group.throughput(Throughput::Elements(cubed / 3));
        group.bench_function(BenchmarkId::new("Cholesky", n), |b| b.iter(|| Cholesky::new(a.clone())));
        let factor = Cholesky::new(a.clone()).expect("positive definite");
        group.throughput(Throughput::Elements(2 * (n * n) as u64));
        let mut x = DMatrix::from_element(n, 1, T::ONE);
        group.bench_function(BenchmarkId::new("solve", n), |b| {
            b.iter(|| {
                x.fill(T::ONE);
                factor.solve_in_place(&mut x);
            });
        });
        if n <= 500 {
            group.throughput(Throughput::Elements(4 * cubed / 3));
            group.bench_function(BenchmarkId::new("eigenvalues", n), |b| b.iter(|| symmetric_eigen(&a)));
        }
    }
    group.finish();
}

fn kernels<T: Float>(c: &mut Criterion) {
    let (n, d) = (1000, 64);
    let x = Samples::new(numbers::<T>(n * d), d).expect("finite");
    let mut group = c.benchmark_group(format!("kernel matrix {}", T::NAME));
    group.throughput(Throughput::Elements((n * n) as u64));
    let rows = numbers::<T>(n * d);
    let mut out = vec![T::ZERO; n * n];
    group.bench_function("product alone", |b| {
        b.iter(|| gemm(&mut out, false, Mat::new(&rows, n, d), Mat::new(&rows, n, d).t()));
    });
    let all: [(&str, Box<dyn Kernel<T>>); 3] = [
        ("RBF", Box::new(Rbf::new(0.1).expect("above 0"))),
        ("Laplacian", Box::new(Laplacian::new(0.1).expect("above 0"))),
        ("Matérn 5/2", Box::new(Matern52::new(3.0).expect("above 0"))),
    ];
    for (name, kernel) in &all {
        group.bench_function(*name, |b| b.iter(|| black_box(cross_gram(&**kernel, &x, &x))));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = products::<f32>, products::<f64>, decompositions::<f32>, decompositions::<f64>, kernels::<f32>, kernels::<f64>
}
criterion_main!(benches);
