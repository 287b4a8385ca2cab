//! What every fitted kernel machine can do.

use nalgebra::DMatrix;

use super::samples::{Rows, Samples};
use crate::float::power_below;
use crate::metrics::SeenClasses;
use crate::store::{Settings, Store};
use crate::text::count;
use crate::{Error, Float, Result};

/// Kernel values, or features, that a prediction holds at a time.
const NUMBERS: usize = 4 << 20;

/// A fitted map from samples to predictions, exact or approximate.
pub trait KernelMachine<T: Float>: Send + Sync {
    /// What it is, in a line.
    fn name(&self) -> String;

    /// d.
    fn inputs(&self) -> usize;

    /// Columns of the targets it was fitted to.
    fn outputs(&self) -> usize;

    /// The columns that were the largest target of some training sample. Of targets of
    /// [`one_vs_rest`](super::one_vs_rest) these are the classes that occur in training.
    fn seen(&self) -> &SeenClasses;

    /// Numbers that a prediction holds for each sample: training samples, centres, or features.
    fn width(&self) -> usize;

    /// Predictions for `x` into `out`, row-major, in one go.
    fn predict_block(&self, x: Rows<'_, T>, out: &mut [T]);

    /// What it is, for a file; its numbers go to `to`.
    ///
    /// # Errors
    /// [`Error::Data`] if it cannot be saved, as by default.
    fn store(&self, to: &mut Store) -> Result<Settings> {
        let _ = to;
        Err(Error::Data(format!("{} cannot be saved", self.name())))
    }

    /// How many samples [`predict`](Self::predict) takes at a time. Those who hand it blocks of this many
    /// have the bits that it finds for all samples at once.
    fn block(&self) -> usize {
        block_rows(self.width())
    }

    /// m×[`outputs`](Self::outputs) predictions, a sample a row, in blocks of samples.
    ///
    /// # Panics
    /// If the samples have another number of features.
    #[track_caller]
    fn predict(&self, x: &Samples<T>) -> DMatrix<T> {
        DMatrix::from_row_slice(x.len(), self.outputs(), &self.predict_rows(x))
    }

    /// The same, row-major.
    ///
    /// # Panics
    /// As [`predict`](Self::predict).
    #[track_caller]
    fn predict_rows(&self, x: &Samples<T>) -> Vec<T> {
        let (d, found) = (self.inputs(), x.features());
        assert!(d == found, "predict: fitted to {}, found {found}", count(d, "feature"));
        row_major(self, x)
    }

    /// The column of the largest prediction for every sample, among the classes that
    /// [occurred in training](Self::seen); `None` where that is [undecided](crate::metrics::argmax).
    ///
    /// # Panics
    /// As [`predict`](Self::predict).
    #[track_caller]
    fn classify(&self, x: &Samples<T>) -> Vec<Option<usize>> {
        let (d, found) = (self.inputs(), x.features());
        assert!(d == found, "classify: fitted to {}, found {found}", count(d, "feature"));
        self.seen().decide(&row_major(self, x))
    }

    /// The share of samples, by their weights, whose [class](Self::classify) is its label; an undecided sample is not
    /// right. NaN if all weights are 0.
    ///
    /// # Panics
    /// As [`predict`](Self::predict), and if there are not as many labels as samples.
    #[track_caller]
    fn accuracy(&self, x: &Samples<T>, labels: &[usize]) -> f64 {
        assert!(
            labels.len() == x.len(),
            "accuracy: {} for {}",
            count(labels.len(), "label"),
            count(x.len(), "sample")
        );
        let classes = self.classify(x);
        let is_right = |i: &usize| classes[*i] == Some(labels[*i]);
        match x.weights() {
            None => (0..x.len()).filter(is_right).count() as f64 / x.len() as f64,
            Some(weights) => {
                let scale = power_below(weights.iter().copied().fold(0.0, f64::max));
                let sum =
                    |rows: &mut dyn Iterator<Item = usize>| rows.map(|i| weights[i] * scale).sum::<f64>();
                sum(&mut (0..x.len()).filter(is_right)) / sum(&mut (0..x.len()))
            }
        }
    }
}

/// The predictions, row-major, block by block.
fn row_major<T: Float>(machine: &(impl KernelMachine<T> + ?Sized), x: &Samples<T>) -> Vec<T> {
    let (m, c, block) = (x.len(), machine.outputs(), machine.block().max(1));
    let mut out = vec![T::ZERO; m * c];
    for start in (0..m).step_by(block) {
        let end = m.min(start + block);
        machine.predict_block(x.rows().range(start..end), &mut out[start * c..end * c]);
    }
    out
}

/// How many samples make a block, where each takes `width` numbers.
pub(super) fn block_rows(width: usize) -> usize {
    (NUMBERS / width.max(1)).clamp(32, 4096)
}
