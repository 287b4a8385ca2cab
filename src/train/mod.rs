//! Training: the loop over batches, what it measures, and the record of it.

mod audit;
mod early_stopping;
mod evaluate;
mod fit;
mod loss;
mod metrics;
mod trace;

pub use audit::{ActivationFlow, Audit, ParamFlow};
pub use early_stopping::{Criterion, EarlyStopping, Verdict};
pub use evaluate::{EVALUATION_ROWS, Evaluation, evaluate, predict};
pub use fit::{FitOptions, Fitted, Observer, Penalty, Progress, Rate, Silent, Stop, fit};
pub use loss::Loss;
pub use metrics::{ConfusionMatrix, argmax};
pub use trace::{Epoch, Trace, TraceFormat};
