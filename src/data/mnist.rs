//! Datasets from pairs of IDX files, MNIST before all.

use std::io;
use std::path::{Path, PathBuf};

use super::idx::{self, IdxArray, IdxData, ReadOptions};
use super::pair::check_scale;
use super::{Dataset, Features};
use crate::memory::{try_collected, with_room};
use crate::text::count;
use crate::{Error, Result, text};

/// No file may make a program count more classes than this: a confusion matrix takes their square.
const MOST_CLASSES: i64 = 1000;

/// The form of a sample, for a message.
fn describe(data: &Dataset) -> String {
    match data.image_shape() {
        Some((height, width)) => format!("images of {height}×{width}"),
        None => format!("of {}", count(data.features(), "feature")),
    }
}

/// A set that was read, the file of its samples, and the code of their type.
struct Read {
    data: Dataset,
    path: PathBuf,
    code: u8,
}

impl Read {
    /// Bytes that the samples take in memory.
    fn held(&self) -> u64 {
        match self.data.stored() {
            Features::U8(bytes) if bytes.is_mapped() => 0,
            Features::U8(bytes) => bytes.len() as u64,
            Features::F32(values) => 4 * values.len() as u64,
            Features::F64(values) => 8 * values.len() as u64,
        }
    }
}

impl Dataset {
    /// Training and test set from the four files of MNIST, or of a set with the same file names such as
    /// Fashion-MNIST.
    ///
    /// In `folder` lie `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    /// `t10k-labels-idx1-ubyte`, each plain (taken first: it need not be unpacked) or with `.gz`, and
    /// also with a dot before `idx`. The number of classes is the largest label and one.
    ///
    /// # Errors
    /// [`Error::Io`] if a file is missing, with the names it looked for, or cannot be looked for. As
    /// [`from_idx`](Self::from_idx) otherwise; [`Error::Data`] also if the images of the two sets differ in
    /// size, or in scale: bytes come out from 0 to 1 and whole numbers of other types as they are, so that
    /// 0 to 255 in a type of 32 bits beside bytes would be two different kinds of images.
    pub fn mnist(folder: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
        Dataset::mnist_with(folder, &ReadOptions::default())
    }

    /// As [`mnist`](Self::mnist), with a bound on the memory of all samples together, and perhaps mapped.
    ///
    /// # Errors
    /// As [`mnist`](Self::mnist); [`Error::Memory`] also if the samples take more than the options allow.
    pub fn mnist_with(folder: impl AsRef<Path>, options: &ReadOptions) -> Result<(Dataset, Dataset)> {
        let folder = folder.as_ref();
        let (train, test) = both_sets(folder, options, |set, options| {
            read_set(
                find(folder, &format!("{set}-images"), IMAGES)?,
                find(folder, &format!("{set}-labels"), LABELS)?,
                options,
            )
        })?;
        let classes = train.classes().max(test.classes());
        Ok((train.with_classes(classes), test.with_classes(classes)))
    }

    /// Training and test images of a folder such as [`mnist`](Self::mnist) reads, without labels, which need not be there.
    ///
    /// # Errors
    /// As [`mnist_with`](Self::mnist_with), but for the labels.
    pub fn mnist_images_with(folder: impl AsRef<Path>, options: &ReadOptions) -> Result<(Dataset, Dataset)> {
        let folder = folder.as_ref();
        both_sets(folder, options, |set, options| {
            let path = find(folder, &format!("{set}-images"), IMAGES)?;
            let images = idx::read_with(&path, options)?;
            let code = images.data().code();
            Ok(Read { data: samples(images, &path, options)?, path, code })
        })
    }

    /// Whether a folder has the training images of MNIST and no labels at all.
    pub fn is_mnist_without_labels(folder: impl AsRef<Path>) -> bool {
        let folder = folder.as_ref();
        let has = |stem: &str, suffix: &str| find(folder, stem, suffix).is_ok();
        has("train-images", IMAGES) && !has("train-labels", LABELS) && !has("t10k-labels", LABELS)
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
        Dataset::from_idx_with(images, labels, &ReadOptions::default())
    }

    /// As [`from_idx`](Self::from_idx), with a bound on the memory of the samples, and perhaps mapped.
    ///
    /// # Errors
    /// As [`from_idx`](Self::from_idx); [`Error::Memory`] also if the samples take more than the options
    /// allow.
    pub fn from_idx_with(
        images: impl AsRef<Path>,
        labels: impl AsRef<Path>,
        options: &ReadOptions,
    ) -> Result<Dataset> {
        read_set(images.as_ref().to_path_buf(), labels.as_ref().to_path_buf(), options).map(|read| read.data)
    }

    /// The samples of one IDX file, without labels.
    ///
    /// # Errors
    /// As [`idx::read_with`] and [`from_idx_with`](Self::from_idx_with).
    pub fn from_idx_samples(images: impl AsRef<Path>, options: &ReadOptions) -> Result<Dataset> {
        let path = images.as_ref();
        samples(idx::read_with(path, options)?, path, options)
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
        self.check_one_label("IDX files")?;
        let byte = |(row, label): (usize, &usize)| {
            let why = || Error::Data(format!("row {row}: label {label} does not fit into a byte"));
            u8::try_from(*label).map_err(|_| why())
        };
        let classes = try_collected(classes.iter().enumerate().map(byte), "the labels as bytes")?;
        let mut shape = vec![self.len()];
        match self.image_shape() {
            Some((height, width)) => shape.extend([height, width]),
            None => shape.push(self.features()),
        }
        // Row by row: a subset's bytes are in no one piece.
        let rows = (0..self.len()).filter_map(|i| self.bytes(i));
        idx::write_rows(images.as_ref(), &shape, rows)?;
        idx::write_rows(labels.as_ref(), &[self.len()], std::iter::once(&classes[..]))
    }
}

/// What the names of MNIST's files end with.
const IMAGES: &str = "idx3-ubyte";
const LABELS: &str = "idx1-ubyte";

/// Training and test set as `read` reads each, if they go together.
fn both_sets(
    folder: &Path,
    options: &ReadOptions,
    read: impl Fn(&str, &ReadOptions) -> Result<Read>,
) -> Result<(Dataset, Dataset)> {
    check_folder(folder)?;
    let train = read("train", options)?;
    let left = options.memory(options.memory.saturating_sub(train.held()));
    let test = read("t10k", &left)?;
    let shape = |read: &Read| (read.data.features(), read.data.image_shape());
    if shape(&train) != shape(&test) {
        let why = format!(
            "{}: the training samples are {} and the test samples {}",
            text::path(folder),
            describe(&train.data),
            describe(&test.data)
        );
        return Err(Error::Data(why));
    }
    check_scale((&train.data, &train.path, train.code), (&test.data, &test.path, test.code))?;
    Ok((train.data, test.data))
}

fn read_set(images_path: PathBuf, labels_path: PathBuf, options: &ReadOptions) -> Result<Read> {
    let (images, labels) = idx::read_pair_with(&images_path, &labels_path, options)?;
    let code = images.data().code();
    // What is wrong with the samples is told first.
    check_rank(&images, &images_path)?;
    let labels = classes(labels.data(), &labels_path)?;
    let count = labels.iter().max().map_or(0, |largest| *largest + 1);
    let data = samples(images, &images_path, options)?.with_checked_labels(labels, 1, count);
    Ok(Read { data, path: images_path, code })
}

fn check_rank(images: &IdxArray, path: &Path) -> Result<()> {
    if images.shape().len() >= 2 {
        return Ok(());
    }
    let why = "expected samples, of rank 2 or more, found rank 1: a file of labels?".into();
    Err(Error::Idx { path: path.to_path_buf(), offset: 3, why })
}

/// Images, or other samples, without labels.
fn samples(images: IdxArray, path: &Path, options: &ReadOptions) -> Result<Dataset> {
    check_rank(&images, path)?;
    let (shape, values) = images.into_parts();
    // Cannot overflow where there are samples: all of them together have been counted already.
    let features = shape[1..].iter().fold(1usize, |product, d| product.saturating_mul(*d));
    let code = values.code();
    let converted = (values.len() as u64).saturating_mul(size_of::<f64>() as u64);
    let what = text::path(path);
    if matches!(code, 0x09 | 0x0B | 0x0C) && converted > options.memory {
        return Err(Error::Memory { what, needed: converted });
    }
    let named = |error| match error {
        Error::Data(why) => Error::Data(format!("{what}: {why}")),
        Error::Memory { what: part, needed } => Error::Memory { what: format!("{what}: {part}"), needed },
        other => other,
    };
    let values = Features::from_idx(values).map_err(named)?;
    let data = Dataset::new(values, features).map_err(named)?;
    match shape[1..] {
        [height, width] => data.with_image_shape(height, width),
        _ => Ok(data),
    }
}

/// The labels, each of which must be a class.
fn classes(labels: &IdxData, path: &Path) -> Result<Vec<usize>> {
    fn convert<X: Copy + Into<i64>>(labels: &[X], path: &Path) -> Result<Vec<usize>> {
        let mut classes = with_room(labels.len(), &text::path(path))?;
        for (row, label) in labels.iter().enumerate() {
            let label: i64 = (*label).into();
            if !(0..MOST_CLASSES).contains(&label) {
                return Err(Error::Idx {
                    path: path.to_path_buf(),
                    offset: 8 + (row * size_of::<X>()) as u64,
                    why: format!("expected a class from 0 to {}, found {label}", MOST_CLASSES - 1),
                });
            }
            classes.push(label as usize);
        }
        Ok(classes)
    }
    match labels {
        IdxData::U8(v) => convert(v, path),
        IdxData::I8(v) => convert(v, path),
        IdxData::I16(v) => convert(v, path),
        IdxData::I32(v) => convert(v, path),
        // `read_pair` takes whole numbers only.
        IdxData::F32(_) | IdxData::F64(_) => Ok(Vec::new()),
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
    let suffix = |stem: &str| if stem.ends_with("images") { IMAGES } else { LABELS };
    let paths = stems.map(|stem| folder.join(format!("{stem}-{}.gz", suffix(stem))));
    for (stem, path) in stems.iter().zip(&paths) {
        if let Ok(found) = find(folder, stem, suffix(stem))
            && found != *path
        {
            let why =
                format!("{} is in the way: it would be read instead of the new file", text::path(&found));
            return Err(Error::Data(why));
        }
    }
    train.write_idx(&paths[0], &paths[1])?;
    test.write_idx(&paths[2], &paths[3])?;
    Ok(paths)
}

/// An error unless the folder can be looked into.
fn check_folder(folder: &Path) -> Result<()> {
    let meta = std::fs::metadata(folder).map_err(Error::io(folder))?;
    if meta.is_dir() {
        return Ok(());
    }
    let why = "expected a folder with the four files of MNIST, found something else";
    Err(Error::io(folder)(io::Error::new(io::ErrorKind::NotADirectory, why)))
}

fn find(folder: &Path, stem: &str, suffix: &str) -> Result<PathBuf> {
    let names: Vec<String> = ["", ".gz"]
        .iter()
        .flat_map(|gz| [format!("{stem}-{suffix}{gz}"), format!("{stem}.{suffix}{gz}")])
        .collect();
    let mut other = None;
    for name in &names {
        let path = folder.join(name);
        match std::fs::metadata(&path) {
            Ok(meta) if meta.is_file() => return Ok(path),
            Ok(_) => other = Some((name, "is no file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if std::fs::symlink_metadata(&path).is_ok() {
                    other = Some((name, "is a link that leads nowhere"));
                }
            }
            // A file that may not be looked at, or a circle of links, is not a missing one.
            Err(error) => return Err(Error::io(path)(error)),
        }
    }
    let found = other.map_or(String::new(), |(name, why)| format!("; {name} {why}"));
    let why = format!("expected a file named {}{found}", names.join(" or "));
    Err(Error::io(folder)(io::Error::new(io::ErrorKind::NotFound, why)))
}
