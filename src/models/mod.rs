//! Models: what turns a batch into predictions, and what it takes to train them.

pub mod kernel;
pub mod linear;
mod logistic;
mod mlp;
pub mod ntk;
mod summary;

pub use logistic::{Derivatives, LogisticOptions, LogisticRegression, Scheme};
pub use mlp::{Mlp, MlpOptions};
pub use summary::{LayerSummary, Summary};

use crate::Float;
use crate::nn::Mode;
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

    /// Appends the predictions for the m×[`inputs`](Model::inputs) batch `x`, for training or for
    /// evaluation: m×[`outputs`](Model::outputs), a sample a row.
    ///
    /// # Panics
    /// If `x` is stale or has another number of columns, or fewer rows than
    /// [`least_batch`](Model::least_batch) in training.
    fn append(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode<'_>) -> Var;

    /// Appends the predictions for `x`: [`append`](Model::append) in evaluation.
    ///
    /// # Panics
    /// If `x` is stale or has another number of columns.
    fn forward(&self, tape: &mut Tape<T>, x: Var) -> Var {
        self.append(tape, x, &mut Mode::Evaluation)
    }

    /// The fewest samples that a training step makes sense with: 2 with batch normalisation.
    fn least_batch(&self) -> usize {
        1
    }

    /// The layers from input to output: what [`append`](Model::append) appends in training, in order.
    fn layers(&self) -> Vec<LayerSummary>;

    /// Layers, parameters, and the memory that training on batches of that size takes.
    fn summary(&self, batch: usize) -> Summary {
        Summary::new::<T>(self.name(), self.inputs(), self.layers(), batch)
    }
}
