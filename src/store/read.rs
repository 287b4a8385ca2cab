//! [`Stored`]: what is in a file.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use nalgebra::DMatrix;
use safetensors::Dtype;
use safetensors::tensor;
use serde::de::DeserializeOwned;

use super::{KEY, LARGEST_TABLE, MOST_VALUES, Store, dtype, has_too_many_values};
use crate::linalg::{first_not_finite, norm_squared};
use crate::memory::with_room;
use crate::text::count;
use crate::{Error, Float, Matrix, Result, text};

/// Bytes that are read from a file at a time.
const BLOCK: usize = 1 << 16;

/// Where the numbers are.
enum Source {
    Memory(Vec<u8>),
    /// From this place of the file on. It stays open: a file that is put into its place later is another one.
    File {
        file: Mutex<File>,
        start: u64,
        found: Standing,
    },
}

/// Length of a file, and when it was written.
type Standing = (u64, Option<SystemTime>);

fn standing(found: &Metadata) -> Standing {
    (found.len(), found.modified().ok())
}

struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    place: Range<usize>,
}

struct Contents {
    path: PathBuf,
    source: Source,
    tensors: BTreeMap<String, Tensor>,
}

impl Contents {
    /// Reads the bytes from `at` on.
    fn read(&self, at: usize, to: &mut [u8]) -> Result<()> {
        match &self.source {
            Source::Memory(bytes) => to.copy_from_slice(&bytes[at..at + to.len()]),
            Source::File { file, start, found } => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let now = file.metadata().map_err(Error::io(&self.path))?;
                if standing(&now) != *found {
                    let path = text::path(&self.path);
                    return Err(Error::Data(format!("{path}: the file has changed since it was opened")));
                }
                file.seek(SeekFrom::Start(start + at as u64)).map_err(Error::io(&self.path))?;
                file.read_exact(to).map_err(Error::io(&self.path))?;
            }
        }
        Ok(())
    }
}

/// What is in a file that [`Store`](super::Store) wrote, or the part of it whose names begin alike.
///
/// Numbers are read when they are asked for, so that to read a large file takes no more memory than what is made of it.
/// The file stays open as long as this or a clone of it is there; one that changes meanwhile is an error.
#[derive(Clone)]
pub struct Stored {
    contents: Arc<Contents>,
    prefix: String,
}

impl Stored {
    /// Reads a file, and what was written about its numbers.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Data`] if it is no such file, is not whole, or is not of this
    /// crate.
    pub fn open<A: DeserializeOwned>(path: impl AsRef<Path>) -> Result<(Stored, A)> {
        let (stored, text) = Stored::open_text(path.as_ref())?;
        let about = stored.about(&text)?;
        Ok((stored, about))
    }

    /// What was written about the numbers.
    pub(crate) fn about<A: DeserializeOwned>(&self, text: &str) -> Result<A> {
        serde_json::from_str(text).map_err(|error| {
            let error = error.to_string();
            self.refused(format!("what the file says of its numbers is wrong: {}", text::printable(&error)))
        })
    }

    /// An error about the file.
    pub(crate) fn refused(&self, why: String) -> Error {
        Error::Data(format!("{}: {why}", text::path(&self.contents.path)))
    }

    /// An error that names the file, if it does not already.
    pub(crate) fn named(&self, error: Error) -> Error {
        let path = format!("{}: ", text::path(&self.contents.path));
        match error {
            Error::Data(why) | Error::NonFinite(why) if !why.starts_with(&path) => self.refused(why),
            Error::NonFinite(why) => Error::Data(why),
            Error::Setting { name, why } => self.refused(format!("{name}: {why}")),
            Error::Memory { what, needed } => Error::Memory { what: format!("{path}{what}"), needed },
            other => other,
        }
    }

    /// The same, with what was written about the numbers as its text.
    pub(crate) fn open_text(path: &Path) -> Result<(Stored, String)> {
        let refuse = |why: String| Error::Data(format!("{}: {why}", text::path(path)));
        let mut file = crate::file::open(path, "a file of a model")?;
        let found = file.metadata().map_err(Error::io(path))?;
        // The size of the table stands first: nobody's claim of it is believed.
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(|_| refuse("not a file of a model: it is too short".into()))?;
        let table = u64::from_le_bytes(size);
        if table > found.len().saturating_sub(8) || table > LARGEST_TABLE {
            return Err(refuse("not a file of a model: it does not begin with a table of names".into()));
        }
        let mut names = vec![0; table as usize];
        file.read_exact(&mut names).map_err(Error::io(path))?;
        let not_whole =
            |why: &str| refuse(format!("the file of a model is not whole: {}", text::printable(why)));
        // Checked in being read: the numbers lie one behind the other, as many as their shapes say.
        let metadata: tensor::Metadata =
            serde_json::from_slice(&names).map_err(|error| not_whole(&error.to_string()))?;
        drop(names);
        let (start, told) = (8 + table, metadata.data_len() as u64);
        if start.checked_add(told) != Some(found.len()) {
            let there = found.len() - start;
            return Err(not_whole(&format!(
                "its numbers take {}, and {there} are there",
                count(told, "byte")
            )));
        }
        let Some(about) = metadata.metadata().as_ref().and_then(|about| about.get(KEY)) else {
            return Err(refuse(
                "a safetensors file, but none of this program: it does not say what its numbers are".into(),
            ));
        };
        if has_too_many_values(about) {
            return Err(refuse(format!("it says more than {MOST_VALUES} values of its numbers")));
        }
        let about = about.clone();
        let tensors = metadata.tensors().into_iter();
        let tensors = tensors
            .map(|(name, told)| {
                let (from, to) = told.data_offsets;
                (name, Tensor { dtype: told.dtype, shape: told.shape.clone(), place: from..to })
            })
            .collect();
        let contents = Contents {
            path: path.to_path_buf(),
            source: Source::File { file: Mutex::new(file), start, found: standing(&found) },
            tensors,
        };
        Ok((Stored { contents: Arc::new(contents), prefix: String::new() }, about))
    }

    /// What is going to be a file, in memory; `name` is what messages call it.
    pub(crate) fn of(store: Store, name: &str) -> Stored {
        let (mut bytes, mut tensors) = (Vec::new(), BTreeMap::new());
        for tensor in store.tensors {
            let place = bytes.len()..bytes.len() + tensor.bytes.len();
            bytes.extend_from_slice(&tensor.bytes);
            tensors.insert(tensor.name, Tensor { dtype: tensor.dtype, shape: tensor.shape, place });
        }
        let contents = Contents { path: name.into(), source: Source::Memory(bytes), tensors };
        Stored { contents: Arc::new(contents), prefix: String::new() }
    }

    /// The part whose names begin with `name` and a dot.
    pub fn part(&self, name: &str) -> Stored {
        Stored { contents: self.contents.clone(), prefix: format!("{}{name}.", self.prefix) }
    }

    /// An error about the numbers of that name.
    fn wrong(&self, name: &str, why: impl std::fmt::Display) -> Error {
        let whole = format!("{}{name}", self.prefix);
        self.refused(format!("`{}` {why}", text::printable(&whole)))
    }

    /// The numbers of that name, if they are of that type, and the shape of their matrix; a vector is a row.
    fn found<T: Float>(&self, name: &str) -> Result<(&Tensor, (usize, usize))> {
        let Some(tensor) = self.contents.tensors.get(&format!("{}{name}", self.prefix)) else {
            return Err(self.wrong(name, "is missing"));
        };
        let Tensor { dtype: found, shape, .. } = tensor;
        if *found != dtype::<T>() {
            return Err(
                self.wrong(name, format_args!("has numbers of the type {found:?}, and not {}", T::NAME))
            );
        }
        match shape[..] {
            [rows, cols] => Ok((tensor, (rows, cols))),
            [cols] => Ok((tensor, (1, cols))),
            _ => Err(self.wrong(name, format_args!("has the shape {shape:?}, and is no matrix"))),
        }
    }

    /// How many rows and columns the matrix of that name has; a vector is a row.
    ///
    /// # Errors
    /// [`Error::Data`] if there is none, or it has another type of numbers, or more than two dimensions.
    pub fn shape<T: Float>(&self, name: &str) -> Result<(usize, usize)> {
        Ok(self.found::<T>(name)?.1)
    }

    /// Gives `take` all numbers of that name a block at a time, with the place of its first.
    fn each_block<T: Float>(
        &self,
        name: &str,
        mut take: impl FnMut(usize, &[T]) -> Result<()>,
    ) -> Result<()> {
        let place = self.found::<T>(name)?.0.place.clone();
        let mut bytes = vec![0; BLOCK.min(place.len())];
        let mut numbers = Vec::with_capacity(bytes.len() / size_of::<T>());
        for at in place.clone().step_by(BLOCK) {
            let bytes = &mut bytes[..BLOCK.min(place.end - at)];
            self.contents.read(at, bytes)?;
            numbers.clear();
            if dtype::<T>() == Dtype::F32 {
                let (bytes, _) = bytes.as_chunks::<4>();
                numbers.extend(bytes.iter().map(|x| T::of(f64::from(f32::from_le_bytes(*x)))));
            } else {
                let (bytes, _) = bytes.as_chunks::<8>();
                numbers.extend(bytes.iter().map(|x| T::of(f64::from_le_bytes(*x))));
            }
            take((at - place.start) / size_of::<T>(), &numbers)?;
        }
        Ok(())
    }

    /// The same, where each number must be finite.
    fn each_finite_block<T: Float>(&self, name: &str, mut take: impl FnMut(usize, &[T])) -> Result<()> {
        self.each_block::<T>(name, |first, block| match first_not_finite(block) {
            Some(at) => Err(self.wrong(name, format_args!("holds {} at place {}", block[at], first + at))),
            None => {
                take(first, block);
                Ok(())
            }
        })
    }

    /// Reads the matrix of that name, row-major, into `to`.
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix); then `to` holds a part of it.
    ///
    /// # Panics
    /// If `to` is not as long as [`shape`](Self::shape) says.
    #[track_caller]
    pub fn read<T: Float>(&self, name: &str, to: &mut [T]) -> Result<()> {
        let (rows, cols) = self.shape::<T>(name)?;
        assert!(to.len() == rows * cols, "read: {} for {rows}×{cols}", count(to.len(), "number"));
        self.each_finite_block(name, |first, block| to[first..first + block.len()].copy_from_slice(block))
    }

    /// The matrix of that name; a vector is a row.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Data`] if there is no such matrix, or it has another type of
    /// numbers, more than two dimensions, or a number that is NaN or infinite.
    pub fn matrix<T: Float>(&self, name: &str) -> Result<Matrix<T>> {
        let (rows, cols) = self.shape::<T>(name)?;
        let mut values = with_room(rows * cols, "the numbers of a model")?;
        self.each_finite_block(name, |_, block| values.extend_from_slice(block))?;
        Ok(Matrix::new(values, rows, cols))
    }

    /// The same as nalgebra's matrix, whose columns lie one behind the other.
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix).
    pub fn dmatrix<T: Float>(&self, name: &str) -> Result<DMatrix<T>> {
        let (rows, cols) = self.shape::<T>(name)?;
        let mut values = crate::memory::filled(rows * cols, T::ZERO, "the numbers of a model")?;
        self.each_finite_block(name, |first, block| {
            for (at, x) in (first..).zip(block) {
                values[at % cols * rows + at / cols] = *x;
            }
        })?;
        Ok(DMatrix::from_vec(rows, cols, values))
    }

    /// The same as [`matrix`](Self::matrix), where a number may also be NaN or infinite.
    pub(crate) fn any_numbers<T: Float>(&self, name: &str) -> Result<Matrix<T>> {
        let (rows, cols) = self.shape::<T>(name)?;
        let mut values = with_room(rows * cols, "the numbers of a model")?;
        self.each_block(name, |_, block| {
            values.extend_from_slice(block);
            Ok(())
        })?;
        Ok(Matrix::new(values, rows, cols))
    }

    /// [`shape`](Self::shape), where it is known.
    ///
    /// # Errors
    /// As there, and if it is another one.
    pub fn check_shape<T: Float>(&self, name: &str, rows: usize, cols: usize) -> Result<()> {
        let (m, n) = self.shape::<T>(name)?;
        if (m, n) == (rows, cols) {
            return Ok(());
        }
        Err(self.wrong(name, format_args!("is {m}×{n}, where {rows}×{cols} is needed")))
    }

    /// The matrix of that name, of a shape that is known.
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix), and if it has another shape.
    pub fn shaped<T: Float>(&self, name: &str, rows: usize, cols: usize) -> Result<Matrix<T>> {
        self.check_shape::<T>(name, rows, cols)?;
        self.matrix(name)
    }

    /// ‖A‖, the root of the sum of squares of the numbers of that name, of either type.
    ///
    /// # Errors
    /// As [`shape`](Self::shape), and [`Error::Io`] if the file cannot be read.
    pub fn norm(&self, name: &str) -> Result<f64> {
        let mut sum = 0.0;
        if self.found::<f32>(name).is_ok() {
            self.each_block::<f32>(name, |_, block| {
                let wide: Vec<f64> = block.iter().map(|x| f64::from(*x)).collect();
                sum += norm_squared(&wide);
                Ok(())
            })?;
        } else {
            self.each_block::<f64>(name, |_, block| {
                sum += norm_squared(block);
                Ok(())
            })?;
        }
        Ok(Float::sqrt(sum))
    }

    /// The numbers of that name, as they stand in the file.
    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        let Some(tensor) = self.contents.tensors.get(name) else {
            return Err(self.refused(format!("`{}` is missing", text::printable(name))));
        };
        let mut bytes = crate::memory::filled(tensor.place.len(), 0, "the numbers of a model")?;
        self.contents.read(tensor.place.start, &mut bytes)?;
        Ok(bytes)
    }

    /// All numbers of this part, under their whole names.
    fn own(&self) -> impl Iterator<Item = (&String, &Tensor)> {
        self.contents.tensors.iter().filter(|(name, _)| name.starts_with(&self.prefix))
    }

    /// The same, to be written.
    pub(super) fn tensors(&self) -> Result<Vec<super::Tensor>> {
        let written = |(name, tensor): (&String, &Tensor)| {
            let (name, bytes) = (name.clone(), self.bytes(name)?);
            Ok(super::Tensor { name, dtype: tensor.dtype, shape: tensor.shape.clone(), bytes })
        };
        self.own().map(written).collect()
    }

    /// How many numbers of the type `T` there are, but for those whose names begin with `other` and a dot: no model
    /// can have more parameters.
    pub(crate) fn most_numbers<T: Float>(&self, other: &str) -> usize {
        let numbers = |(name, tensor): (&String, &Tensor)| {
            let counted = tensor.dtype == dtype::<T>()
                && !name.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'));
            if counted { tensor.place.len() / size_of::<T>() } else { 0 }
        };
        self.own().map(numbers).sum()
    }

    /// How many numbers there are in the whole file, at most.
    pub(crate) fn numbers(&self) -> usize {
        self.contents.tensors.values().map(|tensor| tensor.place.len() / size_of::<f32>()).sum()
    }

    /// Names, types and shapes of all that is in it.
    pub fn entries(&self) -> impl Iterator<Item = (&str, String, &[usize])> {
        self.own()
            .map(|(name, told)| (name.as_str(), format!("{:?}", told.dtype).to_lowercase(), &told.shape[..]))
    }
}
