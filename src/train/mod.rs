//! Training: the loop over batches, what it measures, and the record of it.

mod audit;
mod buffers;
mod early_stopping;
mod evaluate;
mod fit;
mod loss;
mod motion;
mod options;
mod trace;

pub use crate::metrics::ConfusionMatrix;
pub use audit::{ActivationFlow, Audit, ParamFlow};
pub use early_stopping::{Criterion, EarlyStopping, Verdict};
pub use evaluate::{EVALUATION_ROWS, Evaluation, evaluate, evaluate_seen, predict};
pub use fit::{Fitted, Observer, Progress, Silent, Stop, fit};
pub use loss::Loss;
pub use options::{FitOptions, Penalty, Rate};
pub use trace::{Epoch, Trace, TraceFormat, Value};
