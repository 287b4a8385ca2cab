//! The log-loss, or cross-entropy.

use super::input::{Weights, check_labels, check_probabilities};
use crate::{Float, Result};

/// The mean of −ln p over the samples, p being the probability given to the true class; in nats.
///
/// A probability below 2⁻⁵² = 2.2·10⁻¹⁶ counts as that, as in scikit-learn's `log_loss`: a sample costs 36.04
/// at most, also where its class was called impossible. A row's probabilities are to sum to 1, up to
/// 3.5·10⁻⁴ for those of a softmax in `f32`.
///
/// ```
/// use tapegrad::metrics::log_loss;
///
/// let loss = log_loss(&[0, 1], &[0.5, 0.5, 0.0, 1.0], 2, None)?;
/// assert!((loss - 2.0f64.ln() / 2.0).abs() < 1e-15);
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// # Errors
/// See [the module](super#errors).
pub fn log_loss(
    labels: &[usize],
    probabilities: &[f64],
    classes: usize,
    weights: Option<&[f64]>,
) -> Result<f64> {
    let name = "log-loss";
    let weights = Weights::new(name, labels.len(), weights)?;
    check_labels(name, labels, classes)?;
    check_probabilities(name, labels.len(), probabilities, classes)?;
    let of_truth = |i: usize| probabilities[i * classes + labels[i]];
    Ok(weights.mean(labels.len(), |i| -Float::ln(of_truth(i).max(f64::EPSILON))))
}
