//! Ridge regression: how far diabetes has gone after a year, by ten measurements. The training part alone chooses λ.
//!
//! `cargo run --release --example diabetes`
//!
//! Fitted to 331 patients, measured on 111 others; everything is in closed form, so there is no seed.
//!
//! | | λ | R² | RMSE | R² with λ = 0 |
//! |---|---|---|---|---|
//! | tapegrad | 0.079433 | 0.429978 | 59.966927 | 0.429756 |
//! | scikit-learn 1.9.1, `RidgeCV` and `LinearRegression` | 0.079433 | 0.429978 | 59.966927 | 0.429756 |

use tapegrad::metrics::ValueErrors;
use tapegrad::models::kernel::lambda_grid;
use tapegrad::models::linear::RidgePath;
use tapegrad::models::{Fitted, Inputs, Predictor};
use tapegrad::{Dataset, Result};

/// Training and test part.
pub fn split() -> Result<(Dataset, Dataset)> {
    let (test, train) = Dataset::read_csv("data/diabetes.csv", "progression")?.split(0.25, 1)?;
    Ok((train, test))
}

/// λ, R² and RMSE on the test part, and R² of plain least squares there.
pub fn figures() -> Result<[f64; 4]> {
    let (train, test) = split()?;
    let inputs = Inputs::of(&train).standardize(&train)?;
    // One decomposition; every λ of the grid, with its leave-one-out error, follows from it.
    let path = RidgePath::from_dataset(&inputs.prepare(&train)?, true)?;
    let best = path.best(&lambda_grid(1e-4, 10.0, 51)?)?;

    let measured = |model| -> Result<ValueErrors> {
        let evaluation = Fitted::regressor(model, inputs.clone(), &train)?.evaluate(&test)?;
        Ok(evaluation.values.expect("values have errors"))
    };
    let (ridge, plain) = (measured(best.model)?, measured(path.model(0.0)?)?);
    Ok([best.lambda, ridge.r2.unwrap_or(f64::NAN), ridge.rmse, plain.r2.unwrap_or(f64::NAN)])
}

fn main() -> Result<()> {
    let [lambda, r2, rmse, plain] = figures()?;
    println!("λ = {lambda:.6}: R² {r2:.6}, RMSE {rmse:.4}; least squares: R² {plain:.6}");
    Ok(())
}
