//! [`Features`]: the numbers of a data set, in the precision that they came in.

use std::any::Any;
use std::sync::Arc;

use super::idx::{Bytes, IdxData};
use crate::linalg::first_not_finite;
use crate::{Float, Result};

/// The stored features, row-major, a sample a row; shared by cloning.
#[derive(Clone, Debug)]
pub enum Features {
    /// Bytes, such as pixels; perhaps in a mapped file.
    U8(Bytes),
    /// Numbers in single precision.
    F32(Arc<Vec<f32>>),
    /// Numbers in double precision.
    F64(Arc<Vec<f64>>),
}

impl Features {
    /// Values in their own precision.
    pub fn of<T: Float>(values: Vec<T>) -> Features {
        let values: Box<dyn Any> = Box::new(values);
        match values.downcast::<Vec<f32>>() {
            Ok(singles) => Features::F32(Arc::new(*singles)),
            Err(doubles) => match doubles.downcast::<Vec<f64>>() {
                Ok(doubles) => Features::F64(Arc::new(*doubles)),
                Err(_) => unreachable!("there are two types of numbers"),
            },
        }
    }

    /// Number of values of all samples together.
    pub fn len(&self) -> usize {
        match self {
            Features::U8(v) => v.len(),
            Features::F32(v) => v.len(),
            Features::F64(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Place and value of the first number that is NaN or infinite.
    pub(super) fn first_not_finite(&self) -> Option<(usize, f64)> {
        match self {
            Features::U8(_) => None,
            Features::F32(v) => first_not_finite(v).map(|i| (i, f64::from(v[i]))),
            Features::F64(v) => first_not_finite(v).map(|i| (i, v[i])),
        }
    }
}

impl From<Bytes> for Features {
    fn from(values: Bytes) -> Self {
        Features::U8(values)
    }
}

impl From<Vec<u8>> for Features {
    fn from(values: Vec<u8>) -> Self {
        Features::U8(values.into())
    }
}

impl From<Vec<f32>> for Features {
    fn from(values: Vec<f32>) -> Self {
        Features::F32(Arc::new(values))
    }
}

impl From<Vec<f64>> for Features {
    fn from(values: Vec<f64>) -> Self {
        Features::F64(Arc::new(values))
    }
}

impl From<IdxData> for Features {
    /// Bytes stay bytes; other whole numbers become `f64`. Panics if there is not enough memory for that.
    fn from(values: IdxData) -> Self {
        Features::from_idx(values).unwrap_or_else(|error| panic!("Features: {error}"))
    }
}

impl Features {
    /// As `from`, with an error where the memory is not enough.
    pub(super) fn from_idx(values: IdxData) -> Result<Features> {
        Ok(match values {
            IdxData::U8(v) => v.into(),
            IdxData::F32(v) => v.into(),
            IdxData::F64(v) => v.into(),
            other => other.try_to_f64()?.into(),
        })
    }
}
