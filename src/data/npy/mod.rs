//! NumPy's arrays: a file of one, `.npy`, and an archive of several by name, `.npz`.
//!
//! A file is a magic number, a version, a header that is the text of a Python dictionary with type, order and shape, and
//! the elements behind it. An archive is a zip file of such files. Format: NumPy Enhancement Proposal 1, *A Simple File
//! Format for NumPy Arrays*; versions 1.0 to 3.0. Pickled objects are not read: they are programs.

mod archive;
mod header;
mod read;
mod samples;
mod write;

pub use archive::Archive;
pub use read::{read, read_from};
pub use samples::is_archive;
pub use write::{Written, write_archive};

use crate::data::idx::IdxData;

/// An array, row-major whatever the order in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct NpyArray {
    shape: Vec<usize>,
    descr: String,
    values: NpyValues,
}

/// The elements of an array.
#[derive(Clone, Debug, PartialEq)]
pub enum NpyValues {
    /// `uint8`, and `bool` as 0 and 1.
    U8(Vec<u8>),
    /// `float32`.
    F32(Vec<f32>),
    /// All other numbers.
    F64(Vec<f64>),
    /// Texts, of `str` and `bytes`.
    Text(Vec<String>),
}

impl NpyValues {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            NpyValues::U8(v) => v.len(),
            NpyValues::F32(v) => v.len(),
            NpyValues::F64(v) => v.len(),
            NpyValues::Text(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers, as an IDX file has them; `None` of texts.
    pub fn into_numbers(self) -> Option<IdxData> {
        match self {
            NpyValues::U8(v) => Some(IdxData::U8(v.into())),
            NpyValues::F32(v) => Some(IdxData::F32(v)),
            NpyValues::F64(v) => Some(IdxData::F64(v)),
            NpyValues::Text(_) => None,
        }
    }
}

impl NpyArray {
    /// Length of each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The type as the file calls it, such as `<f8`.
    pub fn descr(&self) -> &str {
        &self.descr
    }

    /// The elements.
    pub fn values(&self) -> &NpyValues {
        &self.values
    }

    /// Shape and elements.
    pub fn into_parts(self) -> (Vec<usize>, NpyValues) {
        (self.shape, self.values)
    }
}
