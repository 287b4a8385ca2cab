//! [`Stored`]: what is in a file.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;

use super::{KEY, LARGEST_TABLE, MOST_VALUES, Store, Tensor, dtype, has_too_many_values};
use crate::linalg::first_not_finite;
use crate::{Error, Float, Matrix, Result, text};

struct Contents {
    path: PathBuf,
    bytes: Vec<u8>,
    tensors: BTreeMap<String, (Dtype, Vec<usize>, Range<usize>)>,
}

/// What is in a file that [`Store`](super::Store) wrote, or the part of it whose names begin alike.
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
        let mut bytes = crate::memory::with_room(found.len() as usize, "a file of a model")?;
        bytes.extend_from_slice(&size);
        file.take(found.len() - 8).read_to_end(&mut bytes).map_err(Error::io(path))?;
        let not_whole = |error: &dyn std::fmt::Display| {
            refuse(format!("the file of a model is not whole: {}", text::printable(&error.to_string())))
        };
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| not_whole(&error))?;
        let Some(about) = metadata.metadata().as_ref().and_then(|about| about.get(KEY)) else {
            return Err(refuse(
                "a safetensors file, but none of this program: it does not say what its numbers are".into(),
            ));
        };
        if has_too_many_values(about) {
            return Err(refuse(format!("it says more than {MOST_VALUES} values of its numbers")));
        }
        let about = about.clone();
        let whole = SafeTensors::deserialize(&bytes).map_err(|error| not_whole(&error))?;
        let start = bytes.as_ptr() as usize;
        let place = |data: &[u8]| {
            let from = data.as_ptr() as usize - start;
            from..from + data.len()
        };
        let tensors = whole.tensors().into_iter();
        let tensors = tensors
            .map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), place(view.data()))))
            .collect();
        let contents = Contents { path: path.to_path_buf(), bytes, tensors };
        Ok((Stored { contents: Arc::new(contents), prefix: String::new() }, about))
    }

    /// What is going to be a file, in memory; `name` is what messages call it.
    pub(crate) fn of(store: Store, name: &str) -> Stored {
        let (mut bytes, mut tensors) = (Vec::new(), BTreeMap::new());
        for tensor in store.tensors {
            let place = bytes.len()..bytes.len() + tensor.bytes.len();
            bytes.extend_from_slice(&tensor.bytes);
            tensors.insert(tensor.name, (tensor.dtype, tensor.shape, place));
        }
        let contents = Contents { path: name.into(), bytes, tensors };
        Stored { contents: Arc::new(contents), prefix: String::new() }
    }

    /// The part whose names begin with `name` and a dot.
    pub fn part(&self, name: &str) -> Stored {
        Stored { contents: self.contents.clone(), prefix: format!("{}{name}.", self.prefix) }
    }

    /// The matrix of that name; a vector is a row.
    ///
    /// # Errors
    /// [`Error::Data`] if there is none, or it has another type of numbers, more than two dimensions, or a number that is
    /// NaN or infinite.
    pub fn matrix<T: Float>(&self, name: &str) -> Result<Matrix<T>> {
        let found = self.any_numbers::<T>(name)?;
        match first_not_finite(found.as_slice()) {
            Some(at) => {
                let (path, x) = (text::path(&self.contents.path), found.as_slice()[at]);
                let whole = format!("{}{name}", self.prefix);
                Err(Error::Data(format!("{path}: `{}` holds {x} at place {at}", text::printable(&whole))))
            }
            None => Ok(found),
        }
    }

    /// The same, where a number may also be NaN or infinite.
    pub(crate) fn any_numbers<T: Float>(&self, name: &str) -> Result<Matrix<T>> {
        let whole = format!("{}{name}", self.prefix);
        let refuse = |why: String| {
            let path = text::path(&self.contents.path);
            Err(Error::Data(format!("{path}: `{}` {why}", text::printable(&whole))))
        };
        let Some((found, shape, place)) = self.contents.tensors.get(&whole) else {
            return refuse("is missing".into());
        };
        if *found != dtype::<T>() {
            return refuse(format!("has numbers of the type {found:?}, and not {}", T::NAME));
        }
        let (rows, cols) = match shape[..] {
            [rows, cols] => (rows, cols),
            [cols] => (1, cols),
            _ => return refuse(format!("has the shape {shape:?}, and is no matrix")),
        };
        let bytes = &self.contents.bytes[place.clone()];
        let mut values = crate::memory::with_room(bytes.len() / size_of::<T>(), "the numbers of a model")?;
        if *found == Dtype::F32 {
            let (numbers, _) = bytes.as_chunks::<4>();
            values.extend(numbers.iter().map(|x| T::of(f64::from(f32::from_le_bytes(*x)))));
        } else {
            let (numbers, _) = bytes.as_chunks::<8>();
            values.extend(numbers.iter().map(|x| T::of(f64::from_le_bytes(*x))));
        }
        Ok(Matrix::new(values, rows, cols))
    }

    /// The same, of a shape that is known.
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix), and if it has another shape.
    pub fn shaped<T: Float>(&self, name: &str, rows: usize, cols: usize) -> Result<Matrix<T>> {
        let found = self.matrix(name)?;
        if found.shape() == (rows, cols) {
            return Ok(found);
        }
        let (path, whole) = (text::path(&self.contents.path), format!("{}{name}", self.prefix));
        let (m, n) = found.shape();
        let whole = text::printable(&whole);
        Err(Error::Data(format!("{path}: `{whole}` is {m}×{n}, where {rows}×{cols} is needed")))
    }

    /// The numbers of that name, as they stand in the file; none where there is no such name.
    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        match self.contents.tensors.get(name) {
            Some((_, _, place)) => &self.contents.bytes[place.clone()],
            None => &[],
        }
    }

    /// All numbers of this part, under their whole names.
    pub(super) fn tensors(&self) -> impl Iterator<Item = Tensor> {
        let own = self.contents.tensors.iter().filter(|(name, _)| name.starts_with(&self.prefix));
        own.map(|(name, (dtype, shape, place))| Tensor {
            name: name.clone(),
            dtype: *dtype,
            shape: shape.clone(),
            bytes: self.contents.bytes[place.clone()].to_vec(),
        })
    }

    /// How many numbers there are in the whole file, at most.
    pub(crate) fn numbers(&self) -> usize {
        self.contents.bytes.len() / size_of::<f32>()
    }

    /// Names, types and shapes of all that is in it.
    pub fn entries(&self) -> impl Iterator<Item = (&str, String, &[usize])> {
        let own = self.contents.tensors.iter().filter(|(name, _)| name.starts_with(&self.prefix));
        own.map(|(name, (dtype, shape, _))| (name.as_str(), format!("{dtype:?}").to_lowercase(), &shape[..]))
    }
}
