//! Datasets from pairs of IDX files, MNIST before all.

use std::io;
use std::path::{Path, PathBuf};

use super::idx::{self, IdxArray, IdxData};
use super::{Dataset, Features};
use crate::{Error, Result};

/// No file may make a program count more classes than this: a confusion matrix takes their square.
const MOST_CLASSES: i64 = 1000;

/// The form of a sample, for a message.
fn describe(data: &Dataset) -> String {
    match data.image_shape() {
        Some((height, width)) => format!("images of {height}×{width}"),
        None => format!("of {} features", data.features()),
    }
}

impl Dataset {
    /// Training and test set from the four files of MNIST, or of a set with the same file names such as
    /// Fashion-MNIST.
    ///
    /// In `folder` lie `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    /// `t10k-labels-idx1-ubyte`, each plain (taken first: it is mapped, not unpacked) or with `.gz`, and
    /// also with a dot before `idx`. There are at least ten classes, and more if a label asks for it.
    ///
    /// # Errors
    /// [`Error::Io`] if a file is missing, with the names it looked for. As [`from_idx`](Self::from_idx)
    /// otherwise; [`Error::Data`] also if the images of the two sets differ in size.
    pub fn mnist(folder: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
        let folder = folder.as_ref();
        let pair = |set: &str| -> Result<Dataset> {
            Dataset::from_idx(
                find(folder, &format!("{set}-images"), "idx3-ubyte")?,
                find(folder, &format!("{set}-labels"), "idx1-ubyte")?,
            )
        };
        let (train, test) = (pair("train")?, pair("t10k")?);
        if (train.features(), train.image_shape()) != (test.features(), test.image_shape()) {
            let why = format!(
                "{}: the training samples are {} and the test samples {}",
                folder.display(),
                describe(&train),
                describe(&test)
            );
            return Err(Error::Data(why));
        }
        let classes = train.classes().max(test.classes()).max(10);
        Ok((train.with_classes(classes), test.with_classes(classes)))
    }

    /// A dataset from an IDX file of samples and one of labels. The first dimension counts samples; the
    /// others are flattened, and where there are two, they are the image shape. The number of classes is
    /// the largest label and one.
    ///
    /// # Errors
    /// As [`idx::read_pair`]; [`Error::Idx`] also if the samples have rank 1, or a
    /// label is negative or above 999; [`Error::Data`]
    /// if a feature is NaN or infinite, or samples have no features.
    pub fn from_idx(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<Dataset> {
        let (images_path, labels_path) = (images.as_ref(), labels.as_ref());
        let (images, labels) = idx::read_pair(images_path, labels_path)?;
        if images.shape().len() < 2 {
            return Err(Error::Idx {
                path: images_path.to_path_buf(),
                offset: 3,
                why: "expected samples, of rank 2 or more, found rank 1: a file of labels?".into(),
            });
        }
        let integers = labels.data().to_i64().unwrap_or_default();
        if let Some(row) = integers.iter().position(|x| !(0..MOST_CLASSES).contains(x)) {
            // Types 0x08 and 0x09 take one byte, 0x0B two, 0x0C four.
            let size = [1, 1, 1, 2, 4][usize::from(labels.data().code() - 0x08)];
            return Err(Error::Idx {
                path: labels_path.to_path_buf(),
                offset: 8 + row as u64 * size,
                why: format!("expected a class from 0 to {}, found {}", MOST_CLASSES - 1, integers[row]),
            });
        }
        let labels: Vec<usize> = integers.into_iter().map(|x| x as usize).collect();
        let classes = labels.iter().max().map_or(0, |largest| largest + 1);
        let (shape, values) = images.into_parts();
        // Cannot overflow where there are samples: all of them together have been counted already.
        let features = shape[1..].iter().fold(1usize, |product, d| product.saturating_mul(*d));
        let named = |e| match e {
            Error::Data(why) => Error::Data(format!("{}: {why}", images_path.display())),
            other => other,
        };
        let data = Dataset::new(values, features).map_err(named)?.with_labels(&labels, classes)?;
        match shape[1..] {
            [height, width] => data.with_image_shape(height, width),
            _ => Ok(data),
        }
    }

    /// Writes the features, which must be bytes, and the labels as a pair of IDX files, gzipped where a
    /// name ends in `.gz`. Images have rank 3, other samples rank 2.
    ///
    /// # Errors
    /// [`Error::Data`] if the features are not bytes, there are no class labels, or a label is above 255;
    /// [`Error::Io`] if a file cannot be written.
    pub fn write_idx(&self, images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<()> {
        let Features::U8(_) = self.stored() else {
            return Err(Error::Data("only features that are bytes can be written as IDX images".into()));
        };
        let Some(classes) = self.labels() else {
            return Err(Error::Data("a dataset without class labels cannot be written as IDX".into()));
        };
        let byte = |(row, label): (usize, &u32)| {
            let why = || Error::Data(format!("row {row}: label {label} does not fit into a byte"));
            u8::try_from(*label).map_err(|_| why())
        };
        let classes = classes.iter().enumerate().map(byte).collect::<Result<Vec<u8>>>()?;
        let pixels: Vec<u8> =
            (0..self.len()).flat_map(|i| self.bytes(i).unwrap_or_default()).copied().collect();
        let mut shape = vec![self.len()];
        match self.image_shape() {
            Some((height, width)) => shape.extend([height, width]),
            None => shape.push(self.features()),
        }
        idx::write(images, &IdxArray::new(shape, IdxData::U8(pixels.into())))?;
        idx::write(labels, &IdxArray::new(vec![self.len()], IdxData::U8(classes.into())))
    }
}

/// Writes a training and a test set as the four gzipped files that [`Dataset::mnist`] reads, into
/// `folder`, which is made if it does not exist. Returns their paths.
///
/// # Errors
/// As [`Dataset::write_idx`]; [`Error::Data`] also if the folder holds a plain file that
/// [`Dataset::mnist`] would read instead of the one to be written.
pub fn write_mnist(train: &Dataset, test: &Dataset, folder: impl AsRef<Path>) -> Result<[PathBuf; 4]> {
    let folder = folder.as_ref();
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let stems = ["train-images", "train-labels", "t10k-images", "t10k-labels"];
    let suffix = |stem: &str| if stem.ends_with("images") { "idx3-ubyte" } else { "idx1-ubyte" };
    let paths = stems.map(|stem| folder.join(format!("{stem}-{}.gz", suffix(stem))));
    for (stem, path) in stems.iter().zip(&paths) {
        if let Ok(found) = find(folder, stem, suffix(stem))
            && found != *path
        {
            let why = format!("{} is in the way: it would be read instead of the new file", found.display());
            return Err(Error::Data(why));
        }
    }
    train.write_idx(&paths[0], &paths[1])?;
    test.write_idx(&paths[2], &paths[3])?;
    Ok(paths)
}

fn find(folder: &Path, stem: &str, suffix: &str) -> Result<PathBuf> {
    let names: Vec<String> = ["", ".gz"]
        .iter()
        .flat_map(|gz| [format!("{stem}-{suffix}{gz}"), format!("{stem}.{suffix}{gz}")])
        .collect();
    let found = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let why = format!("expected a file named {}", names.join(" or "));
        Error::io(folder)(io::Error::new(io::ErrorKind::NotFound, why))
    })
}
