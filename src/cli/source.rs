//! The samples that a command works on, and what is said of them.

use std::path::Path;

use super::opening::USUAL_FOLDER;
use super::output;
use super::reading::warn_if_mapped;
use crate::data::table::Schema;
use crate::data::{Dataset, Features};
use crate::text::{self, count};
use crate::{Error, Result};

/// Training and test set, and what they are.
pub struct Source {
    pub train: Dataset,
    pub test: Dataset,
    /// For people, such as `MNIST files in data/mnist`.
    pub description: String,
    /// For the trace: the same for the same data, wherever it lies.
    pub name: &'static str,
    /// Whether the features are columns of a table, each on a scale of its own.
    pub is_table: bool,
    /// How rows of a table become samples.
    pub schema: Option<Schema>,
    /// Of windows over a text, how far each is behind the one before.
    pub stride: Option<usize>,
    /// What the arguments may leave open about the data, as it is here: the name of an argument, and its value.
    pub worked_out: Vec<(&'static str, String)>,
}

/// Samples of which a share was kept apart for the test.
pub struct Cut {
    pub train: Dataset,
    pub test: Dataset,
    pub share: f64,
}

impl Cut {
    /// They and what they were.
    pub fn of(self, all: &str, name: &'static str) -> Source {
        let Cut { train, test, share } = self;
        let description = format!("{all}, {share} of them kept apart for the test");
        let worked_out = vec![("test", share.to_string())];
        Source { worked_out, ..Source::of(train, test, description, name) }
    }
}

/// A share of the samples, and the rest: class by class where there are classes.
pub fn kept_apart(data: &Dataset, share: f64, seed: u64) -> Result<(Dataset, Dataset)> {
    if data.labels().is_some() { data.stratified_split(share, seed) } else { data.split(share, seed) }
}

impl Source {
    /// Images, or what is no table and like one.
    pub fn of(train: Dataset, test: Dataset, description: String, name: &'static str) -> Source {
        // Points and values are columns, as those of a table are.
        let is_table = train.image_shape().is_none();
        Source {
            train,
            test,
            description,
            name,
            is_table,
            schema: None,
            stride: None,
            worked_out: Vec::new(),
        }
    }

    /// For a page that others may read: the name of the file or folder, without the way to it, or what is synthetic.
    pub fn label(&self, path: Option<&Path>) -> String {
        let (first, is_synthetic) =
            (self.description.split(',').next(), self.description.starts_with("synthetic "));
        if let Some(first) = first.filter(|_| is_synthetic) {
            return first.into();
        }
        let name = path.unwrap_or(Path::new(USUAL_FOLDER)).file_name();
        name.map_or(self.name.into(), |name| text::printable(&name.to_string_lossy()).into_owned())
    }

    /// Keeps the first `limit` training samples.
    pub fn limit(&mut self, limit: Option<usize>) -> Result<()> {
        match limit {
            Some(0) => Err(Error::setting("limit", "0 leaves no training samples")),
            Some(n) => {
                self.train = self.train.try_take(n)?;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Tells on standard error what is odd about the data. To be called once all settings are known to be
    /// right: an error about one of them stands alone.
    pub fn warn(&self) {
        let mapped = |data: &Dataset| matches!(data.stored(), Features::U8(bytes) if bytes.is_mapped());
        warn_if_mapped("the images", mapped(&self.train) || mapped(&self.test));
        // Of a text, bytes that only one part has are no wonder: the mean loss counts them.
        if self.stride.is_some() {
            return;
        }
        for difference in self.train.differences(&self.test) {
            output::warning(difference);
        }
    }

    /// An error if the files have been changed under a run that uses them where they lie.
    pub fn check_unchanged(&self) -> Result<()> {
        self.train.check_unchanged()?;
        self.test.check_unchanged()
    }

    /// One line on what there is.
    pub fn summary(&self) -> String {
        let shape = match self.train.image_shape() {
            _ if self.stride.is_some() => format!("windows of {}", count(self.train.features(), "byte")),
            Some((height, width)) => format!("images of {height}×{width}"),
            None => format!("samples of {}", count(self.train.features(), "feature")),
        };
        let told = match self.train.classes() {
            0 if self.train.targets().is_none() => "nothing told of them".into(),
            0 => "values to tell".into(),
            classes => count(classes, "class"),
        };
        format!(
            "data: {} ({} training and {} test {shape}, {told})",
            self.description,
            self.train.len(),
            self.test.len(),
        )
    }
}
