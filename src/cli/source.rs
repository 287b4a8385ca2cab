//! Where the data comes from: a folder that was named, the usual folder, or the generator.

use std::path::{Path, PathBuf};

use tapegrad::data::{Dataset, synthetic};
use tapegrad::{Error, Result};

/// Where `train` looks for MNIST by itself.
pub const USUAL_FOLDER: &str = "data/mnist";

/// Size of the synthetic set that stands in for MNIST.
pub const TRAINING_DIGITS: usize = 20_000;
pub const TEST_DIGITS: usize = 5_000;

/// Training and test set, and what they are.
pub struct Source {
    pub train: Dataset,
    pub test: Dataset,
    /// For people, such as `MNIST files in data/mnist`.
    pub description: String,
    /// For the trace: the same for the same data, wherever it lies.
    pub name: &'static str,
}

impl Source {
    /// The IDX files in `folder`; without one those in `data/mnist`, and where that is not there
    /// either, synthetic digits.
    pub fn open(folder: Option<&Path>, seed: u64) -> Result<Source> {
        let usual = Path::new(USUAL_FOLDER);
        let folder = match folder {
            Some(folder) => Some(folder.to_path_buf()),
            None => usual.is_dir().then(|| PathBuf::from(usual)),
        };
        match folder {
            Some(folder) => {
                let (train, test) = Dataset::mnist(&folder)?;
                let description = format!("IDX files in {}", folder.display());
                Ok(Source { train, test, description, name: "idx" })
            }
            None => {
                // One draw cut in two: the test digits differ from all training digits.
                let digits = synthetic::find("digits")?;
                let all = (digits.generate)(TRAINING_DIGITS + TEST_DIGITS, digits.noise, seed)?;
                let rows: Vec<usize> = (TRAINING_DIGITS..all.len()).collect();
                let description = format!(
                    "synthetic digits, as no folder was named with --data and {USUAL_FOLDER} is not there"
                );
                let (train, test) = (all.take(TRAINING_DIGITS), all.subset(&rows));
                Ok(Source { train, test, description, name: "synthetic digits" })
            }
        }
    }

    /// Keeps the first `limit` training samples.
    pub fn limit(&mut self, limit: Option<usize>) -> Result<()> {
        match limit {
            Some(0) => Err(Error::setting("limit", "0 leaves no training samples")),
            Some(n) => {
                self.train = self.train.take(n);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// One line on what there is.
    pub fn summary(&self) -> String {
        let shape = match self.train.image_shape() {
            Some((height, width)) => format!("images of {height}×{width}"),
            None => format!("samples of {} features", self.train.features()),
        };
        format!(
            "data: {} ({} training and {} test {shape}, {} classes)",
            self.description,
            self.train.len(),
            self.test.len(),
            self.train.classes()
        )
    }
}
