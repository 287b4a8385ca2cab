//! Models: what turns a batch into predictions, and what it takes to train them.

pub mod kernel;
mod logistic;
mod mlp;
pub mod ntk;
mod summary;

pub use logistic::{Derivatives, LogisticOptions, LogisticRegression, Scheme};
pub use mlp::Mlp;
pub use summary::{LayerSummary, Summary};

use crate::Float;
use crate::tape::{Tape, Var};

/// A map from samples to predictions with parameters on a tape.
///
/// The model holds handles only; the numbers are the tape's. A model belongs to the tape that it was
/// made on: **never use it on another one**, unless that has the same parameters in the same order.
pub trait Model<T: Float>: Sync {
    /// What it is, in a line: `mlp 784-128-10 relu`.
    fn name(&self) -> &str;

    /// Numbers per sample that go in.
    fn inputs(&self) -> usize;

    /// Numbers per sample that come out.
    fn outputs(&self) -> usize;

    /// Appends the predictions for the m×[`inputs`](Model::inputs) batch `x`:
    /// m×[`outputs`](Model::outputs), a sample a row.
    ///
    /// # Panics
    /// If `x` is stale or has another number of columns.
    fn forward(&self, tape: &mut Tape<T>, x: Var) -> Var;

    /// The layers from input to output: what [`forward`](Model::forward) appends, in order.
    fn layers(&self) -> Vec<LayerSummary>;

    /// Layers, parameters, and the memory that training on batches of that size takes.
    fn summary(&self, batch: usize) -> Summary {
        Summary::new::<T>(self.name(), self.inputs(), self.layers(), batch)
    }
}
