//! One trained model, asked by many threads at once: a reader of digits that serves four callers.
//!
//! A `Predictor` is `Send + Sync` and answers by `&self`: threads share a reference, and no lock is needed. They get
//! the bits that one thread gets.
//!
//! `cargo run --release --example parallel`
//!
//! Kernel ridge regression of 1348 images, asked about 449 others, one at a time:
//!
//! | | accuracy | answers that differ between one thread and four |
//! |---|---|---|
//! | tapegrad | 0.9866 | 0 |
//! | scikit-learn 1.9.1, `KernelRidge(alpha=1348e-4, kernel="rbf", gamma=0.001)` | 0.9866 | |

mod common;

use std::sync::Arc;
use std::thread;

use tapegrad::models::kernel::{KernelMachine, KernelRidge, Rbf, RidgeOptions, Samples, one_vs_rest};
use tapegrad::models::{Fitted, Inputs, Predictor};
use tapegrad::{Dataset, Result};

/// A kernel machine with a column of targets for each digit.
pub fn fitted(train: &Dataset) -> Result<Fitted<Box<dyn KernelMachine<f64>>>> {
    let targets = one_vs_rest(train.labels().unwrap_or_default(), train.classes())?;
    let (samples, kernel) = (Samples::from_dataset(train)?, Arc::new(Rbf::new(0.001)?));
    let machine = KernelRidge::fit(kernel, &samples, &targets, RidgeOptions::new(1e-4))?;
    Fitted::classifier(Box::new(machine), Inputs::of(train), train)
}

/// The scores of every image, each asked for by itself, by so many threads.
pub fn asked(model: &dyn Predictor, images: &[Vec<f64>], threads: usize) -> Result<Vec<f64>> {
    let one_by_one = |part: &[Vec<f64>]| -> Result<Vec<f64>> {
        let mut scores = Vec::new();
        for image in part {
            scores.extend_from_slice(model.scores(image)?.as_slice());
        }
        Ok(scores)
    };
    thread::scope(|scope| {
        let parts = images.chunks(images.len().div_ceil(threads));
        let asking: Vec<_> = parts.map(|part| scope.spawn(move || one_by_one(part))).collect();
        let answers: Result<Vec<_>> =
            asking.into_iter().map(|thread| thread.join().expect("no thread panics")).collect();
        Ok(answers?.concat())
    })
}

/// Accuracy, and how many scores of four threads differ in any bit from those of one.
pub fn figures() -> Result<(f64, usize)> {
    let (train, test) = common::digits()?;
    let model = fitted(&train)?;
    let images: Vec<Vec<f64>> = test.to_rows().chunks(test.features()).map(<[f64]>::to_vec).collect();
    let (alone, together) = (asked(&model, &images, 1)?, asked(&model, &images, 4)?);
    let differ = alone.iter().zip(&together).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    Ok((model.evaluate(&test)?.accuracy().expect("classes have an accuracy"), differ))
}

fn main() -> Result<()> {
    let (accuracy, differ) = figures()?;
    println!("accuracy {accuracy:.4}; scores that differ between one thread and four: {differ}");
    Ok(())
}
