//! The images that the experiments train on, and parts of them.

use std::path::Path;

use flate2::Crc;
use nalgebra::DMatrix;
use rand::RngExt;

use crate::data::{Dataset, synthetic};
use crate::models::kernel::{Samples, one_vs_rest};
use crate::rng::{Purpose, stream};
use crate::{Float, Result};

/// Training and test images, what they are, and a checksum to tell them from others.
#[derive(Clone, Debug)]
pub struct ExperimentData {
    /// Training samples.
    pub train: Dataset,
    /// Test samples.
    pub test: Dataset,
    /// What they are, for people.
    pub name: String,
    /// CRC-32 of each set's samples, then its labels: the same for the same samples in the same order.
    pub checksum: u32,
}

impl ExperimentData {
    /// Training and test samples of a quick run: enough for a network to do well, few enough for seconds.
    pub const QUICK: (usize, usize) = (4_000, 1_000);

    /// Synthetic digits, the same for every seed: one draw cut in two.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if there are none of either.
    pub fn synthetic(training: usize, test: usize) -> Result<ExperimentData> {
        let digits = synthetic::find("digits")?;
        let all = digits.generate(training + test, digits.noise, 0)?;
        Ok(Self::new(all.take(training), rows(&all, training, all.len()), "synthetic digits"))
    }

    /// The four files of MNIST in `folder`.
    ///
    /// # Errors
    /// As [`Dataset::mnist`].
    pub fn mnist(folder: impl AsRef<Path>) -> Result<ExperimentData> {
        let (train, test) = Dataset::mnist(folder)?;
        Ok(Self::new(train, test, "IDX files"))
    }

    /// The first samples of each set: at most this many.
    pub fn take(&self, training: usize, test: usize) -> ExperimentData {
        Self::new(self.train.take(training), self.test.take(test), &self.name)
    }

    fn new(train: Dataset, test: Dataset, name: &str) -> ExperimentData {
        let mut crc = Crc::new();
        for set in [&train, &test] {
            for i in 0..set.len() {
                match set.bytes(i) {
                    Some(bytes) => crc.update(bytes),
                    None => {
                        let mut row = vec![0.0f64; set.features()];
                        set.gather(&[i], &mut row);
                        row.iter().for_each(|x| crc.update(&x.to_le_bytes()));
                    }
                }
            }
            for label in set.labels().unwrap_or_default() {
                crc.update(&label.to_le_bytes());
            }
        }
        ExperimentData { train, test, name: name.into(), checksum: crc.sum() }
    }

    /// One line on what there is.
    pub fn summary(&self) -> String {
        format!("{}, {} training and {} test samples", self.name, self.train.len(), self.test.len())
    }
}

/// The samples from one row to another, or to the last one where there are fewer.
pub(super) fn rows(data: &Dataset, from: usize, to: usize) -> Dataset {
    data.subset(&Vec::from_iter(from..to.min(data.len())))
}

/// Parts of some data with no sample in common, drawn by a seed: of so many samples each, or of what is left.
pub(super) fn drawn<const PARTS: usize>(
    data: &Dataset,
    counts: [usize; PARTS],
    seed: u64,
) -> [Dataset; PARTS] {
    let (mut rng, mut left) = (stream(seed, Purpose::Subsample), Vec::from_iter(0..data.len()));
    counts.map(|count| {
        let count = count.min(left.len());
        data.subset(&Vec::from_iter((0..count).map(|_| left.swap_remove(rng.random_range(0..left.len())))))
    })
}

/// What a kernel machine that tells classes apart is fitted to: samples, and a target of ±1 for each class.
pub(super) fn kernel_inputs<T: Float>(data: &Dataset) -> Result<(Samples<T>, DMatrix<T>)> {
    let targets = one_vs_rest(data.labels().unwrap_or_default(), data.classes())?;
    Ok((Samples::from_dataset(data)?, targets))
}

/// Test accuracy of a network that gives every sample the most frequent class of the training samples.
pub(super) fn accuracy_of_a_constant(train: &Dataset, test: &Dataset) -> f64 {
    let counts = train.class_counts();
    let most = (0..counts.len()).max_by_key(|class| counts[*class]).unwrap_or(0);
    test.class_counts().get(most).map_or(0.0, |count| *count as f64 / test.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_drawn_without_a_sample_in_common() {
        let data = Dataset::new(Vec::from_iter((0..10).map(f64::from)), 1).unwrap();
        let values = |seed: u64| drawn(&data, [4, 3, 9], seed).map(|part| part.to_rows::<f64>());
        let [a, b, c] = values(1);
        // Of nine there are three left.
        assert_eq!((a.len(), b.len(), c.len()), (4, 3, 3));
        let mut all = [a, b, c].concat();
        assert_ne!(all, Vec::from_iter((0..10).map(f64::from)));
        all.sort_by(f64::total_cmp);
        assert_eq!(all, Vec::from_iter((0..10).map(f64::from)));
        assert_eq!(values(1), values(1));
        assert_ne!(values(1), values(2));
    }
}
