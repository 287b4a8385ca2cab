//! IDX, the format of the MNIST files: reading and writing, plain or gzipped.
//!
//! A file is a magic number (two zero bytes, a type code, the rank), one big-endian `u32` a dimension,
//! and the elements, big-endian, the last dimension running fastest. There is no checksum and no name:
//! the header is all that can be checked, so all of it is. Format: Y. LeCun, C. Cortes, C. J. C. Burges,
//! *The MNIST database of handwritten digits*.

mod bytes;
mod gzip;
mod read;
mod write;

pub use bytes::Bytes;
pub use read::{ReadOptions, read, read_mapped, read_pair, read_pair_with, read_with};
pub use write::write;
pub(super) use write::write_rows;

use crate::Result;
use crate::memory::collected;
use crate::text::count;

/// The elements of an IDX file, by the type code in its header.
#[derive(Clone, Debug, PartialEq)]
pub enum IdxData {
    /// Code 0x08. Borrowed from the memory map where the file was mapped.
    U8(Bytes),
    /// Code 0x09.
    I8(Vec<i8>),
    /// Code 0x0B.
    I16(Vec<i16>),
    /// Code 0x0C.
    I32(Vec<i32>),
    /// Code 0x0D.
    F32(Vec<f32>),
    /// Code 0x0E.
    F64(Vec<f64>),
}

impl IdxData {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            IdxData::U8(v) => v.len(),
            IdxData::I8(v) => v.len(),
            IdxData::I16(v) => v.len(),
            IdxData::I32(v) => v.len(),
            IdxData::F32(v) => v.len(),
            IdxData::F64(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type code of the header: 0x08 for `u8` to 0x0E for `f64`.
    pub fn code(&self) -> u8 {
        match self {
            IdxData::U8(_) => 0x08,
            IdxData::I8(_) => 0x09,
            IdxData::I16(_) => 0x0B,
            IdxData::I32(_) => 0x0C,
            IdxData::F32(_) => 0x0D,
            IdxData::F64(_) => 0x0E,
        }
    }

    /// All elements as `f64`; exact for every type.
    ///
    /// # Panics
    /// If there is not enough memory; [`try_to_f64`](Self::try_to_f64) returns an error then.
    #[track_caller]
    pub fn to_f64(&self) -> Vec<f64> {
        self.try_to_f64().unwrap_or_else(|error| panic!("to_f64: {error}"))
    }

    /// As [`to_f64`](Self::to_f64).
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) if there is not enough of it.
    pub fn try_to_f64(&self) -> Result<Vec<f64>> {
        const WHAT: &str = "the elements as f64";
        match self {
            IdxData::U8(v) => collected(v.iter().map(|x| f64::from(*x)), WHAT),
            IdxData::I8(v) => collected(v.iter().map(|x| f64::from(*x)), WHAT),
            IdxData::I16(v) => collected(v.iter().map(|x| f64::from(*x)), WHAT),
            IdxData::I32(v) => collected(v.iter().map(|x| f64::from(*x)), WHAT),
            IdxData::F32(v) => collected(v.iter().map(|x| f64::from(*x)), WHAT),
            IdxData::F64(v) => collected(v.iter().copied(), WHAT),
        }
    }

    /// All elements as whole numbers; `None` for the floating-point types.
    ///
    /// # Panics
    /// If there is not enough memory.
    #[track_caller]
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        const WHAT: &str = "the elements as i64";
        let values = match self {
            IdxData::U8(v) => collected(v.iter().map(|x| i64::from(*x)), WHAT),
            IdxData::I8(v) => collected(v.iter().map(|x| i64::from(*x)), WHAT),
            IdxData::I16(v) => collected(v.iter().map(|x| i64::from(*x)), WHAT),
            IdxData::I32(v) => collected(v.iter().map(|x| i64::from(*x)), WHAT),
            IdxData::F32(_) | IdxData::F64(_) => return None,
        };
        Some(values.unwrap_or_else(|error| panic!("to_i64: {error}")))
    }
}

/// An array of any rank, as an IDX file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct IdxArray {
    shape: Vec<usize>,
    data: IdxData,
}

impl IdxArray {
    /// An array of `shape`; the last dimension runs fastest. Rank 0 holds one element.
    ///
    /// # Panics
    /// If the shape does not hold as many elements as `data`, the rank is above 255, or a dimension
    /// above 2³² − 1: the format has no way to say so.
    #[track_caller]
    pub fn new(shape: Vec<usize>, data: IdxData) -> Self {
        assert!(shape.len() <= 255, "IdxArray: rank {} is above the format's 255", shape.len());
        assert!(
            shape.iter().all(|d| u32::try_from(*d).is_ok()),
            "IdxArray: shape {shape:?} has a dimension above the format's 4294967295"
        );
        let expected = elements(&shape);
        assert!(
            expected == Some(data.len()),
            "IdxArray: shape {shape:?} does not hold the {} given",
            count(data.len(), "element")
        );
        IdxArray { shape, data }
    }

    /// The dimensions; as many as the rank.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, the last dimension running fastest.
    pub fn data(&self) -> &IdxData {
        &self.data
    }

    /// Shape and elements, without a copy.
    pub fn into_parts(self) -> (Vec<usize>, IdxData) {
        (self.shape, self.data)
    }
}

/// Π shape; `None` when it overflows. A zero anywhere makes it 0, however large the others are.
fn elements(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1usize, |product, d| product.checked_mul(*d))
}

#[cfg(test)]
mod parsing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_elements() {
        assert_eq!(elements(&[]), Some(1));
        assert_eq!(elements(&[2, 3]), Some(6));
        assert_eq!(elements(&[usize::MAX, 2]), None);
        assert_eq!(elements(&[usize::MAX, 2, 0]), Some(0));
    }

    #[test]
    #[should_panic(expected = "shape [2, 2] does not hold the 3 elements")]
    fn a_shape_that_does_not_fit_panics() {
        IdxArray::new(vec![2, 2], IdxData::I8(vec![1, 2, 3]));
    }

    #[test]
    fn conversions() {
        let data = IdxData::I8(vec![-1, 2]);
        assert_eq!(data.to_f64(), [-1.0, 2.0]);
        assert_eq!(data.to_i64(), Some(vec![-1, 2]));
        assert_eq!(IdxData::F32(vec![0.5]).to_i64(), None);
        assert!(!data.is_empty());
    }
}
