//! Files of what has been trained: numbers under readable names, and beside them what is to be made of them.
//!
//! A file is in the safetensors format, which Python and many others read: a table of names, types and shapes, and the
//! numbers behind it. What this crate needs besides stands in the metadata of that table, as JSON text under the key
//! `tapegrad`.

pub(crate) mod lossless;
mod read;
mod settings;

pub use read::Stored;
pub(crate) use settings::Precision;
pub use settings::Settings;

use std::collections::HashMap;
use std::path::Path;

use nalgebra::DMatrix;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Serialize;

use crate::text::count;
use crate::{Error, Float, Result, file};

/// The key of the metadata under which the text of this crate stands.
const KEY: &str = "tapegrad";

/// Largest table of names, with what is said of the numbers, that is written and read. What is made of it in reading
/// takes some times its memory.
const LARGEST_TABLE: u64 = 8 << 20;

/// Most values in what is said of the numbers: read, each takes some 70 bytes.
const MOST_VALUES: usize = 500_000;

/// Whether a JSON text has more values than are read; counted are the signs before and between them.
fn has_too_many_values(text: &str) -> bool {
    // An object takes as much as eight values.
    let count = |byte| match byte {
        b',' | b':' | b'[' => 1,
        b'{' => 8,
        _ => 0,
    };
    text.bytes().map(count).sum::<usize>() > MOST_VALUES
}

struct Tensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// What is going to be a file: numbers by name.
///
/// ```
/// use tapegrad::store::{Store, Stored};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("numbers.safetensors");
/// let mut store = Store::default();
/// store.put("weight", 1, 2, &[1.5f32, -2.0]);
/// store.write(&path, &"what they are")?;
///
/// let (stored, text) = Stored::open::<String>(&path)?;
/// assert_eq!(text, "what they are");
/// assert_eq!(stored.matrix::<f32>("weight")?.as_slice(), [1.5, -2.0]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Default)]
pub struct Store {
    tensors: Vec<Tensor>,
    prefix: String,
}

impl Store {
    /// `rows`×`cols` numbers, row-major.
    ///
    /// # Panics
    /// If there are not as many.
    #[track_caller]
    pub fn put<T: Float>(&mut self, name: &str, rows: usize, cols: usize, values: &[T]) {
        assert!(
            values.len() == rows * cols,
            "{name}: {} cannot be {rows}×{cols}",
            count(values.len(), "number")
        );
        let mut bytes = Vec::with_capacity(size_of_val(values));
        for x in values {
            match dtype::<T>() {
                Dtype::F32 => bytes.extend((x.to_f64() as f32).to_le_bytes()),
                _ => bytes.extend(x.to_f64().to_le_bytes()),
            }
        }
        let name = format!("{}{name}", self.prefix);
        self.tensors.push(Tensor { name, dtype: dtype::<T>(), shape: vec![rows, cols], bytes });
    }

    /// A matrix.
    pub fn put_matrix<T: Float>(&mut self, name: &str, matrix: &DMatrix<T>) {
        self.put(name, matrix.nrows(), matrix.ncols(), matrix.transpose().as_slice());
    }

    /// All numbers of what was stored before, under their whole names.
    pub(crate) fn add(&mut self, stored: &Stored) -> Result<()> {
        self.tensors.extend(stored.tensors()?);
        Ok(())
    }

    /// Has `f` put numbers whose names begin with `name` and a dot.
    pub fn within<R>(&mut self, name: &str, f: impl FnOnce(&mut Store) -> R) -> R {
        let outer = self.prefix.len();
        self.prefix.push_str(name);
        self.prefix.push('.');
        let result = f(self);
        self.prefix.truncate(outer);
        result
    }

    /// Writes the file, whole or not at all; `about` goes with the numbers.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written; [`Error::Data`] if two matrices have the same name.
    pub fn write(&self, path: impl AsRef<Path>, about: &impl Serialize) -> Result<()> {
        let path = path.as_ref();
        let broken = |error: &dyn std::fmt::Display| {
            Error::Data(format!("{}: cannot be saved: {error}", crate::text::path(path)))
        };
        let mut names: Vec<&str> = self.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(broken(&format!("there are two matrices of the name `{}`", twice[0])));
        }
        let text = serde_json::to_string(about).map_err(|error| broken(&error))?;
        if has_too_many_values(&text) {
            return Err(broken(&format!("more than {MOST_VALUES} values are to be said of its numbers")));
        }
        // The table of names holds as much for each matrix, and room for its numbers.
        let table = text.len() + self.tensors.iter().map(|tensor| tensor.name.len() + 100).sum::<usize>();
        if table as u64 > LARGEST_TABLE {
            let (found, most) = (crate::text::bytes(table as u64), crate::text::bytes(LARGEST_TABLE));
            let why = format!("what is said of the numbers takes about {found}, and a file may have {most}");
            return Err(broken(&why));
        }
        let views = self.tensors.iter().map(|tensor| {
            let made = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
            made.map(|view| (tensor.name.as_str(), view)).map_err(|error| broken(&error))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        // One entry only: the order of several would change from run to run.
        let metadata = HashMap::from([(KEY.to_string(), text)]);
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| broken(&error))?;
        file::write(path, |out| out.write_all(&bytes))
    }
}

/// What a table has under a name that stands in a file.
///
/// # Errors
/// [`Error::Data`] if there is none: a name of a newer version, or of nothing.
pub(crate) fn known<V>(
    what: &str,
    name: &str,
    table: impl IntoIterator<Item = (impl AsRef<str>, V)>,
) -> Result<V> {
    let found = table.into_iter().find(|(known, _)| known.as_ref() == name);
    found.map(|(_, value)| value).ok_or_else(|| {
        Error::Data(format!("this version knows no {what} `{}`", crate::text::printable(name)))
    })
}

fn dtype<T: Float>() -> Dtype {
    if size_of::<T>() == size_of::<f32>() { Dtype::F32 } else { Dtype::F64 }
}
