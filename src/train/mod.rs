//! Training: the loop over batches, what it measures, and the record of it.

mod audit;
mod check;
mod checkpoint;
mod clock;
mod compiled;
mod early_stopping;
mod evaluate;
mod fit;
mod history;
mod motion;
pub mod observers;
mod options;
mod run;
mod steps;
mod trace;
mod value;

pub use crate::metrics::{ConfusionMatrix, Evaluation};
pub use audit::{ActivationFlow, Audit, ParamFlow};
pub(crate) use check::{check_batch, check_fit, is_token};
pub use checkpoint::Checkpoint;
pub(crate) use checkpoint::PART as RUN_PART;
pub(crate) use compiled::Compiled;
pub use early_stopping::{Criterion, EarlyStopping, Verdict};
#[cfg(feature = "cli")]
pub(crate) use evaluate::evaluation_rows;
pub use evaluate::{EVALUATION_ROWS, evaluate, evaluate_seen, predict};
pub use fit::fit;
pub use history::{History, Stop};
pub use observers::Recorder;
pub use options::{FitOptions, Penalty, Rate};
pub use run::{Observer, Progress, Run};
pub use trace::{Epoch, Hash, Hashes, StepHashes, Trace, TraceDiff, TraceFormat, WrittenTrace};
pub use value::Value;
