//! Logistic regression to its exact optimum: three cultivars of wine by thirteen measurements.
//!
//! `cargo run --release --example wine`
//!
//! Fitted to 107 wines, measured on 71 others; the optimum is unique, so there is no seed.
//!
//! | | accuracy | loss |
//! |---|---|---|
//! | tapegrad | 0.971831 | 0.070640300 |
//! | scikit-learn 1.9.1, `LogisticRegression(C=1/(107·0.01))` | 0.971831 | 0.070640300 |

use tapegrad::models::{Fitted, Inputs, LogisticOptions, LogisticRegression, Predictor};
use tapegrad::{Dataset, Result};

/// Training and test part.
pub fn split() -> Result<(Dataset, Dataset)> {
    let (test, train) = Dataset::read_csv("data/wine.csv", "cultivar")?.stratified_split(0.4, 1)?;
    Ok((train, test))
}

/// The model with the preparation of its features.
pub fn fitted(train: &Dataset) -> Result<Fitted<LogisticRegression>> {
    let inputs = Inputs::of(train).standardize(train)?;
    let options = LogisticOptions { lambda: 0.01, ..Default::default() };
    let model = LogisticRegression::fit_dataset(&inputs.prepare(train)?, &options)?;
    Fitted::classifier(model, inputs, train)
}

/// Accuracy and mean loss on the test part.
pub fn figures() -> Result<[f64; 2]> {
    let (train, test) = split()?;
    let evaluation = fitted(&train)?.evaluate(&test)?;
    Ok([evaluation.accuracy().expect("classes have an accuracy"), evaluation.loss])
}

fn main() -> Result<()> {
    let (train, test) = split()?;
    let model = fitted(&train)?;
    println!("{}, {} Newton steps", model.describe(), model.model().steps());
    println!("{}", model.evaluate(&test)?);
    let [accuracy, loss] = figures()?;
    println!("accuracy {accuracy:.4}, loss {loss:.6}");
    Ok(())
}
