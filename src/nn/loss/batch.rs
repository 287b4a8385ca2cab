//! What a loss compares the outputs with.

use crate::Float;
use crate::data::Dataset;
use crate::ops::Op;
use crate::tape::{Tape, Var};

/// The samples of a step: which rows of which data, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    data: &'a Dataset,
    rows: &'a [usize],
    labels: &'a [usize],
    training: bool,
}

impl<'a> Batch<'a> {
    /// The rows `rows` of `data`, for training or for evaluation. `labels` is overwritten with their class
    /// labels, where there are any; once it is large enough, nothing is allocated.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn new(data: &'a Dataset, rows: &'a [usize], training: bool, labels: &'a mut Vec<usize>) -> Self {
        labels.clear();
        if data.labels().is_some() {
            data.gather_labels(rows, labels);
        }
        Batch { data, rows, labels, training }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether this is a step of training, and no evaluation.
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// The data that the samples are of.
    pub fn data(&self) -> &'a Dataset {
        self.data
    }

    /// The places of the samples in the data.
    pub fn rows(&self) -> &'a [usize] {
        self.rows
    }

    /// The class of each sample.
    ///
    /// # Panics
    /// If the data has no class labels.
    #[track_caller]
    pub fn labels(&self) -> &'a [usize] {
        assert!(self.data.labels().is_some(), "Batch::labels: the data has no class labels");
        self.labels
    }

    /// Appends the targets, m×k.
    ///
    /// # Panics
    /// If the data has no real-valued targets.
    #[track_caller]
    pub fn targets<T: Float>(&self, tape: &mut Tape<T>) -> Var {
        assert!(self.data.targets().is_some(), "Batch::targets: the data has no real-valued targets");
        tape.constant_with(self.len(), self.data.target_width(), |to| self.data.gather_targets(self.rows, to))
    }

    /// The weight of the sample in place `i` of the batch; 1 where the data has no weights.
    ///
    /// # Panics
    /// If there is no such sample.
    #[track_caller]
    pub fn weight(&self, i: usize) -> f64 {
        self.data.weights().map_or(1.0, |weights| weights[self.rows[i]])
    }

    /// Whether all samples count the same.
    pub fn is_uniform(&self) -> bool {
        self.data.weights().is_none()
    }

    /// Appends the mean of m×k losses: over all entries, or with sample weights w
    /// ΣᵢΣⱼ wᵢℓᵢⱼ/(k·Σᵢwᵢ). A batch in which all weights are 0 has the loss 0.
    ///
    /// # Panics
    /// If `losses` is stale or does not have a row for each sample.
    #[track_caller]
    pub fn mean<T: Float>(&self, tape: &mut Tape<T>, losses: Var) -> Var {
        if self.is_uniform() {
            tape.mean(losses)
        } else {
            self.weighted_mean(tape, losses, |i| self.weight(i))
        }
    }

    /// The same with the weights of `weight`, which is asked for each place in the batch.
    #[track_caller]
    pub(super) fn weighted_mean<T: Float>(
        &self,
        tape: &mut Tape<T>,
        losses: Var,
        weight: impl Fn(usize) -> f64,
    ) -> Var {
        let shape = tape.shape_for("Batch::mean", losses);
        assert!(
            shape.rows == self.len(),
            "Batch::mean: {losses} is {shape}, but the batch has {} samples",
            self.len()
        );
        let total: f64 = (0..self.len()).map(&weight).sum::<f64>() * shape.cols as f64;
        let share = |i| if total > 0.0 { weight(i) / total } else { 0.0 };
        let shares = tape.constant_with(self.len(), 1, |to| {
            to.iter_mut().enumerate().for_each(|(i, to)| *to = T::of(share(i)));
        });
        let weighted = tape.broadcast(Op::Weighted.get(), losses, shares);
        tape.sum(weighted)
    }
}
