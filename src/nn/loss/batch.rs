//! What a loss compares the outputs with.

use crate::Float;
use crate::data::{Dataset, Weighing};
use crate::ops::Op;
use crate::tape::{Tape, Var};
use crate::text::count;

/// The samples of a step: which rows of which data, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    data: &'a Dataset,
    rows: &'a [usize],
    labels: &'a [usize],
    training: bool,
    weighing: Weighing,
}

impl<'a> Batch<'a> {
    /// The rows `rows` of `data`, for training or for evaluation. `labels` is overwritten with their class
    /// labels, where there are any; once it is large enough, nothing is allocated.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn new(data: &'a Dataset, rows: &'a [usize], training: bool, labels: &'a mut Vec<usize>) -> Self {
        Batch::weighed(data, rows, training, labels, data.weighing())
    }

    /// The same, where what [`Dataset::weighing`] finds is known already.
    #[track_caller]
    pub(crate) fn weighed(
        data: &'a Dataset,
        rows: &'a [usize],
        training: bool,
        labels: &'a mut Vec<usize>,
        weighing: Weighing,
    ) -> Self {
        labels.clear();
        if data.labels().is_some() {
            data.gather_labels(rows, labels);
        }
        Batch { data, rows, labels, training, weighing }
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

    /// The class of each sample, or of each of its tokens, sample by sample: see
    /// [`Dataset::with_token_labels`].
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
        tape.constant_whole(self.len(), self.data.target_width(), |to| {
            self.data.gather_targets(self.rows, to)
        })
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

    /// How much the batch counts in a mean over batches, in a unit that the data set chooses: in evaluation Σᵢwᵢ; in
    /// training m·w̄ with the mean weight w̄ of the data set. So the mean over the batches of an epoch is that over
    /// all samples, and a step in which a heavy sample stands is a large one, whatever stands beside it.
    pub fn total_weight(&self) -> f64 {
        if self.is_uniform() {
            self.len() as f64
        } else if self.training {
            self.weighing.mean * self.len() as f64
        } else {
            self.sum_of_weights(self.rows.iter().copied(), |_| 1.0)
        }
    }

    /// The same with a factor for each row of the data; where samples have no weights of their own, the sum of the
    /// factors of the batch.
    pub(super) fn total(&self, factor: impl Fn(usize) -> f64) -> f64 {
        if self.training && !self.is_uniform() {
            let n = self.data.len();
            self.sum_of_weights(0..n, factor) / n as f64 * self.len() as f64
        } else {
            self.sum_of_weights(self.rows.iter().copied(), factor)
        }
    }

    /// The weight of a row of the data, in the unit of all of them.
    fn weight_of_row(&self, row: usize) -> f64 {
        self.data.weights().map_or(1.0, |weights| weights[row] * self.weighing.unit)
    }

    /// [`weight`](Self::weight) in a unit that the data set chooses, in which sums and products stay in the range.
    pub(crate) fn weight_in_unit(&self, i: usize) -> f64 {
        self.weight_of_row(self.rows[i])
    }

    /// [`weight_in_unit`](Self::weight_in_unit) of the sample of a label.
    pub(crate) fn weight_of_label(&self, i: usize) -> f64 {
        self.weight_in_unit(i / self.data.labels_per_row())
    }

    fn sum_of_weights(&self, rows: impl Iterator<Item = usize>, factor: impl Fn(usize) -> f64) -> f64 {
        rows.map(|row| self.weight_of_row(row) * factor(row)).sum()
    }

    /// Appends the mean of m×k losses: over all entries, or with sample weights w
    /// ΣᵢΣⱼ wᵢℓᵢⱼ/(k·W), where W is the [total weight](Self::total_weight). A batch with W = 0 has the loss 0.
    ///
    /// # Panics
    /// If `losses` is stale or does not have a row for each sample.
    #[track_caller]
    pub fn mean<T: Float>(&self, tape: &mut Tape<T>, losses: Var) -> Var {
        if self.is_uniform() {
            tape.mean(losses)
        } else {
            self.weighted_mean(tape, losses, self.total_weight(), |_| 1.0)
        }
    }

    /// The same with a factor for each row of the data beside its weight, and their total.
    #[track_caller]
    pub(super) fn weighted_mean<T: Float>(
        &self,
        tape: &mut Tape<T>,
        losses: Var,
        total: f64,
        factor: impl Fn(usize) -> f64,
    ) -> Var {
        let shape = tape.shape_for("Batch::mean", losses);
        assert!(
            shape.rows == self.len(),
            "Batch::mean: {losses} is {shape}, but the batch has {}",
            count(self.len(), "sample")
        );
        let shares = self.shares(tape, total * shape.cols as f64, factor);
        let weighted = tape.broadcast(Op::Weighted.get(), losses, shares);
        tape.sum(weighted)
    }

    /// [`mean`](Self::mean) of the squares of m×k differences: the weights are taken in before the squares, which may
    /// leave the range where their mean does not.
    #[track_caller]
    pub(super) fn mean_of_squares<T: Float>(&self, tape: &mut Tape<T>, differences: Var) -> Var {
        let total = self.total_weight() * tape.shape(differences).cols as f64;
        let shares = self.shares(tape, total, |_| 1.0);
        let roots = tape.sqrt(shares);
        let weighted = tape.broadcast(Op::Weighted.get(), differences, roots);
        let squares = tape.square(weighted);
        tape.sum(squares)
    }

    /// Appends the share of every sample in a total, m×1.
    fn shares<T: Float>(&self, tape: &mut Tape<T>, total: f64, factor: impl Fn(usize) -> f64) -> Var {
        let weight = |i: usize| self.weight_in_unit(i) * factor(self.rows[i]);
        let share = |i| if total > 0.0 { weight(i) / total } else { 0.0 };
        tape.constant_whole(self.len(), 1, |to| {
            to.iter_mut().enumerate().for_each(|(i, to)| *to = T::of(share(i)));
        })
    }
}
