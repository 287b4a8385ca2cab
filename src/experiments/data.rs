//! The images that the experiments train on.

use std::path::Path;

use flate2::Crc;

use crate::Result;
use crate::data::{Dataset, synthetic};

/// Training and test images, what they are, and a checksum to tell them from others.
#[derive(Clone, Debug)]
pub struct ExperimentData {
    /// Training samples.
    pub train: Dataset,
    /// Test samples.
    pub test: Dataset,
    /// What they are, for people.
    pub name: String,
    /// The same for the same samples.
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

/// Test accuracy of a network that gives every sample the most frequent class of the training samples.
pub(super) fn accuracy_of_a_constant(train: &Dataset, test: &Dataset) -> f64 {
    let counts = train.class_counts();
    let most = (0..counts.len()).max_by_key(|class| counts[*class]).unwrap_or(0);
    test.class_counts().get(most).map_or(0.0, |count| *count as f64 / test.len() as f64)
}
