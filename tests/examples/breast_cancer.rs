//! Cross-validation: is a tumour malignant? A network with one logit, by 30 measurements of cell nuclei.
//!
//! `cargo run --release --example breast_cancer`
//!
//! Each of the 569 patients is in one of five test parts. A figure is the mean over the five networks, and here the
//! median of seven seeds.
//!
//! | | accuracy | area under the ROC curve |
//! |---|---|---|
//! | tapegrad | 0.972 | 0.992 |
//! | PyTorch 2.15, the same network and folds | 0.975 | 0.993 |

mod common;

use tapegrad::metrics::roc_auc;
use tapegrad::models::{Network, Predictor};
use tapegrad::nn::loss::BinaryCrossEntropy;
use tapegrad::optim::{Adam, Optimizer};
use tapegrad::train::FitOptions;
use tapegrad::{Dataset, Result};

/// Five pairs of a training and a test part.
pub fn folds() -> Result<Vec<(Dataset, Dataset)>> {
    Dataset::read_csv("data/breast_cancer.csv", "diagnosis")?.stratified_folds(5, 1)
}

/// Accuracy and area under the ROC curve, each the mean over the folds.
pub fn cross_validated(folds: &[(Dataset, Dataset)], seed: u64) -> Result<[f64; 2]> {
    let mut means = [0.0; 2];
    for (train, test) in folds {
        let mut net = Network::<f32>::new(seed)
            .standardize(train)?
            .linear(16)
            .relu()
            .loss(BinaryCrossEntropy)
            .optimizer(Optimizer::new(Adam::default(), 0.01)?)
            .outputs_for(train)?;
        net.fit(train, &FitOptions { epochs: 20, seed, ..Default::default() })?;
        // One logit a patient: the higher, the more it speaks for class 1, malignant.
        let scores = net.scores(test)?;
        let area = roc_auc(test.labels().unwrap_or_default(), scores.as_slice(), None)?;
        means[0] += net.evaluate(test)?.accuracy().expect("classes have an accuracy") / folds.len() as f64;
        means[1] += area / folds.len() as f64;
    }
    Ok(means)
}

/// The medians of seven seeds.
pub fn figures() -> Result<[f64; 2]> {
    let folds = folds()?;
    common::medians(|seed| cross_validated(&folds, seed))
}

fn main() -> Result<()> {
    let [accuracy, area] = figures()?;
    println!(
        "five folds, medians of seven seeds: accuracy {accuracy:.4}, area under the ROC curve {area:.4}"
    );
    Ok(())
}
