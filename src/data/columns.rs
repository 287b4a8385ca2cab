//! Data sets that are no images, as IDX files.

use std::path::{Path, PathBuf};

use super::Dataset;
use super::idx::{self, IdxArray, IdxData, ReadOptions};
use crate::text::count;
use crate::{Error, Result, text};

/// The file of the samples.
const FEATURES: &str = "features.idx";
/// That of their classes.
const LABELS: &str = "labels.idx";
/// That of their values.
const TARGETS: &str = "targets.idx";

/// Images of MNIST in the same folder, if there are such: another data set.
fn images_beside(folder: &Path) -> Option<String> {
    let names = ["train", "t10k"].into_iter().flat_map(|set| {
        ["-", "."]
            .into_iter()
            .flat_map(move |mark| ["", ".gz"].map(|packed| format!("{set}-images{mark}idx3-ubyte{packed}")))
    });
    names.into_iter().find(|name| folder.join(name).is_file())
}

/// Writes features, and labels or targets, as IDX files of their own into `folder`, which is made if it does not exist:
/// `features.idx` in double precision, `labels.idx` in whole numbers of 32 bits, `targets.idx`. Returns their paths.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written; [`Error::Data`] if a row has several labels, the samples have weights, for
/// which there is no file, or the folder has images of MNIST, beside which they could not be read; [`Error::Memory`] if
/// there is not enough for the numbers.
pub fn write_columns(data: &Dataset, folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let folder = folder.as_ref();
    data.check_one_label("IDX files")?;
    if data.weights().is_some() {
        return Err(Error::Data(
            "the weights of samples have no place in IDX files; take them off first".into(),
        ));
    }
    if let Some(images) = images_beside(folder) {
        let why = format!("there is {images}, another data set: take another folder");
        return Err(Error::Data(format!("{}: {why}", text::path(folder))));
    }
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let write = |name: &str, shape: Vec<usize>, values: IdxData| {
        let path = folder.join(name);
        idx::write(&path, &IdxArray::new(shape, values)).map(|()| path)
    };
    let n = data.len();
    let mut paths =
        vec![write(FEATURES, vec![n, data.features()], IdxData::F64(data.try_to_rows::<f64>()?))?];
    if let Some(labels) = data.labels() {
        let labels = labels.iter().map(|label| *label as i32).collect();
        paths.push(write(LABELS, vec![n], IdxData::I32(labels))?);
    }
    if let Some(targets) = data.targets() {
        let shape = vec![n, data.target_width()];
        paths.push(write(TARGETS, shape, IdxData::F64(targets.to_vec()))?);
    }
    Ok(paths)
}

impl Dataset {
    /// Whether the folder holds what [`write_columns`] writes.
    pub fn are_columns(folder: impl AsRef<Path>) -> bool {
        folder.as_ref().join(FEATURES).is_file()
    }

    /// The samples that [`write_columns`] wrote: `features.idx` with `labels.idx` or `targets.idx`. The number of classes
    /// is the largest label and one.
    ///
    /// # Errors
    /// As [`from_idx_with`](Self::from_idx_with); [`Error::Data`] if there are both labels and targets, or neither, or
    /// images of MNIST as well.
    pub fn from_columns(folder: impl AsRef<Path>, options: &ReadOptions) -> Result<Dataset> {
        let folder = folder.as_ref();
        let path = |name: &str| folder.join(name);
        let refuse = |why: &str| Err(Error::Data(format!("{}: {why}", text::path(folder))));
        if let Some(images) = images_beside(folder) {
            return refuse(&format!(
                "there are {FEATURES} and {images}: which data set is meant? remove one"
            ));
        }
        match (path(LABELS).is_file(), path(TARGETS).is_file()) {
            (true, true) => refuse("there are labels.idx and targets.idx: which is told? remove one"),
            (false, false) => refuse("there is neither labels.idx nor targets.idx beside features.idx"),
            (true, false) => Dataset::from_idx_with(path(FEATURES), path(LABELS), options),
            (false, true) => {
                let data = Dataset::from_idx_samples(path(FEATURES), options)?;
                let (name, (shape, values)) =
                    (text::path(&path(TARGETS)), idx::read_with(path(TARGETS), options)?.into_parts());
                let width = match shape[..] {
                    [rows] if rows == data.len() => 1,
                    [rows, width] if rows == data.len() => width,
                    _ => {
                        let why =
                            format!("{name}: its shape {shape:?} is not of {}", count(data.len(), "sample"));
                        return Err(Error::Data(why));
                    }
                };
                let targets = match values {
                    IdxData::F64(targets) => targets,
                    other => other.try_to_f64()?,
                };
                data.with_targets(targets, width).map_err(|error| match error {
                    Error::Data(why) => Error::Data(format!("{name}: {why}")),
                    other => other,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let options = ReadOptions::default();
        let moons = synthetic::moons(20, 0.1, 1).unwrap();
        write_columns(&moons, folder.path()).unwrap();
        assert!(Dataset::are_columns(folder.path()));
        let read = Dataset::from_columns(folder.path(), &options).unwrap();
        assert_eq!((read.to_rows::<f64>(), read.labels()), (moons.to_rows::<f64>(), moons.labels()));
        let sine = synthetic::sine(20, 0.1, 1).unwrap();
        write_columns(&sine, folder.path()).unwrap();
        let error = Dataset::from_columns(folder.path(), &options).unwrap_err().to_string();
        assert!(error.contains("which is told"), "{error}");
        std::fs::remove_file(folder.path().join(LABELS)).unwrap();
        let read = Dataset::from_columns(folder.path(), &options).unwrap();
        assert_eq!((read.to_rows::<f64>(), read.targets()), (sine.to_rows::<f64>(), sine.targets()));
        let images = folder.path().join("t10k-images.idx3-ubyte.gz");
        std::fs::write(&images, "").unwrap();
        let error = Dataset::from_columns(folder.path(), &options).unwrap_err().to_string();
        let expected =
            "there are features.idx and t10k-images.idx3-ubyte.gz: which data set is meant? remove one";
        assert!(error.ends_with(expected), "{error}");
        std::fs::remove_file(images).unwrap();
        std::fs::remove_file(folder.path().join(TARGETS)).unwrap();
        assert!(Dataset::from_columns(folder.path(), &options).unwrap_err().to_string().contains("neither"));
    }
}
