//! Rows of a [`Dataset`] into a slice of numbers: the way from the data to the arena.

use nalgebra::DMatrix;

use super::affine::Map;
use super::dataset::{Dataset, Labels};
use super::features::Features;
use crate::linalg::first_not_finite;
use crate::linalg::simd::vectorize;
use crate::linalg::threads::join;
use crate::memory::{filled, with_room};
use crate::text::count;
use crate::{Error, Float, Result};

/// Numbers that one thread converts at a time, in some 5 µs.
const PART: usize = 32_768;

impl Dataset {
    /// Writes the rows `indices` into `out`, row-major, converted and mapped on the way.
    ///
    /// Bytes are mapped in `T`, numbers in `f64` and then rounded to `T`. Allocates nothing.
    ///
    /// # Panics
    /// If `out` does not hold `indices.len() * features()` numbers, or there is no such row.
    #[track_caller]
    pub fn gather<T: Float>(&self, indices: &[usize], out: &mut [T]) {
        let (rows, width) = (indices.len(), self.features());
        assert!(
            rows.checked_mul(width) == Some(out.len()),
            "gather: {} of {} cannot fit into {}",
            count(rows, "row"),
            count(width, "feature"),
            count(out.len(), "number")
        );
        self.check_rows("gather", indices);
        T::gather(self, indices, out);
    }

    /// An error if a feature, mapped, leaves the finite numbers of `T`, such as 1e300 in `f32`.
    ///
    /// What [`gather`](Self::gather) writes is finite only if this is `Ok`. Costs a pass over the data where
    /// they are not bytes, nor numbers of `T` as they are.
    ///
    /// # Errors
    /// [`Error::Data`] that names row, column, number and `T`.
    pub fn check_range<T: Float>(&self) -> Result<()> {
        T::check_range(self)
    }

    pub(super) fn check_range_of<T: Float>(&self) -> Result<()> {
        let as_stored = self.map.0 == Map::Uniform { center: 0.0, scale: 1.0 };
        let fits = match &self.stored {
            // Mapped bytes lie between the ends.
            Features::U8(_) => (0..self.map.features().unwrap_or(1)).all(|column| {
                let (center, scale) = self.map.column(column);
                let map = |x| (T::of(x) - T::of(center)) / T::of(scale);
                map(0.0).is_finite() && map(255.0).is_finite()
            }),
            Features::F32(_) => as_stored,
            Features::F64(_) => as_stored && size_of::<T>() == size_of::<f64>(),
        };
        if fits {
            return Ok(());
        }
        let mut row = filled(self.features(), T::ZERO, "a row of features")?;
        for i in 0..self.len() {
            self.gather(&[i], &mut row);
            if let Some(column) = first_not_finite(&row) {
                let mut exact = filled(self.features(), 0.0, "a row of features")?;
                self.gather(&[i], &mut exact);
                let (x, name) = (exact[column], T::NAME);
                let other = if size_of::<T>() < size_of::<f64>() { " or take f64" } else { "" };
                return Err(Error::Data(format!(
                    "row {i}, column {column}: the feature is {x:e}, which is beyond {name}: scale the data{other}"
                )));
            }
        }
        Ok(())
    }

    /// Halves the rows until a part is small enough for one thread.
    pub(super) fn gather_part<T: Float>(&self, indices: &[usize], out: &mut [T]) {
        if out.len() > PART && indices.len() > 1 {
            let (first, second) = indices.split_at(indices.len() / 2);
            let (to_first, to_second) = out.split_at_mut(first.len() * self.features());
            return join(|| self.gather_part(first, to_first), || self.gather_part(second, to_second));
        }
        match &self.stored {
            Features::U8(v) => {
                let of = |x: u8| T::of(f64::from(x));
                match &self.map.0 {
                    // Pixels as a rule, and worth a loop without the subtraction.
                    Map::Uniform { center: 0.0, scale } => {
                        let scale = T::of(*scale);
                        self.uniform_rows(v, indices, out, move |x| of(x) / scale);
                    }
                    Map::Uniform { center, scale } => {
                        let (center, scale) = (T::of(*center), T::of(*scale));
                        self.uniform_rows(v, indices, out, move |x| (of(x) - center) / scale);
                    }
                    Map::Columns { center, scale } => {
                        let map = |x, c, s| (of(x) - T::of(c)) / T::of(s);
                        self.column_rows(v, indices, out, center, scale, map);
                    }
                }
            }
            Features::F32(v) => self.numbers_into(v, indices, out, f64::from),
            Features::F64(v) => self.numbers_into(v, indices, out, |x| x),
        }
    }

    #[inline(always)]
    fn numbers_into<S: Copy, T: Float>(
        &self,
        stored: &[S],
        indices: &[usize],
        out: &mut [T],
        of: impl Fn(S) -> f64 + Copy,
    ) {
        match &self.map.0 {
            Map::Uniform { center: 0.0, scale: 1.0 } => {
                self.uniform_rows(stored, indices, out, |x| T::of(of(x)));
            }
            Map::Uniform { center, scale } => {
                let (center, scale) = (*center, *scale);
                self.uniform_rows(stored, indices, out, move |x| T::of((of(x) - center) / scale));
            }
            Map::Columns { center, scale } => {
                let map = |x, c, s| T::of((of(x) - c) / s);
                self.column_rows(stored, indices, out, center, scale, map);
            }
        }
    }

    #[inline(always)]
    fn uniform_rows<S: Copy, T>(&self, stored: &[S], indices: &[usize], out: &mut [T], map: impl Fn(S) -> T) {
        let width = self.features();
        vectorize(
            out.len(),
            #[inline(always)]
            // By value: behind a reference, every store to `out` could change the scale.
            move || {
                for (out, index) in out.chunks_exact_mut(width).zip(indices) {
                    let row = &stored[self.stored_row(*index) * width..][..width];
                    for (z, x) in out.iter_mut().zip(row) {
                        *z = map(*x);
                    }
                }
            },
        );
    }

    #[inline(always)]
    fn column_rows<S: Copy, T>(
        &self,
        stored: &[S],
        indices: &[usize],
        out: &mut [T],
        center: &[f64],
        scale: &[f64],
        map: impl Fn(S, f64, f64) -> T,
    ) {
        let width = self.features();
        vectorize(
            out.len(),
            #[inline(always)]
            || {
                for (out, index) in out.chunks_exact_mut(width).zip(indices) {
                    let row = &stored[self.stored_row(*index) * width..][..width];
                    for (((z, x), c), s) in out.iter_mut().zip(row).zip(center).zip(scale) {
                        *z = map(*x, *c, *s);
                    }
                }
            },
        );
    }

    /// Replaces the contents of `out` by the class indices of the rows `indices`, all those of a row side by side.
    ///
    /// # Panics
    /// If there are no class labels, or no such row.
    #[track_caller]
    pub fn gather_labels(&self, indices: &[usize], out: &mut Vec<usize>) {
        self.check_rows("gather_labels", indices);
        let Some(labels) = self.labels() else { panic!("gather_labels: the dataset has no class labels") };
        out.clear();
        match self.labels_per_row() {
            1 => out.extend(indices.iter().map(|i| labels[*i])),
            each => indices.iter().for_each(|i| out.extend_from_slice(&labels[i * each..(i + 1) * each])),
        }
    }

    /// Writes the targets of the rows `indices` into `out`, row-major.
    ///
    /// # Panics
    /// If there are no targets, `out` does not hold `indices.len() * target_width()` numbers, or there
    /// is no such row.
    #[track_caller]
    pub fn gather_targets<T: Float>(&self, indices: &[usize], out: &mut [T]) {
        self.check_rows("gather_targets", indices);
        let Labels::Targets { values, width } = &self.labels else {
            panic!("gather_targets: the dataset has no targets")
        };
        let rows = indices.len();
        assert!(
            rows * width == out.len(),
            "gather_targets: {} of {} cannot fit into {}",
            count(rows, "row"),
            count(*width, "target"),
            count(out.len(), "number")
        );
        for (out, i) in out.chunks_exact_mut(*width).zip(indices) {
            for (z, x) in out.iter_mut().zip(&values[i * width..(i + 1) * width]) {
                *z = T::of(*x);
            }
        }
    }

    /// All rows as a matrix of `len()`×`features()`, mapped as in [`gather`](Self::gather).
    ///
    /// # Panics
    /// If there is not enough memory; [`try_to_matrix`](Self::try_to_matrix) returns an error then.
    #[track_caller]
    pub fn to_matrix<T: Float>(&self) -> DMatrix<T> {
        self.try_to_matrix().unwrap_or_else(|error| panic!("to_matrix: {error}"))
    }

    /// As [`to_matrix`](Self::to_matrix).
    ///
    /// # Errors
    /// [`Error::Memory`] if there is not enough of it.
    pub fn try_to_matrix<T: Float>(&self) -> Result<DMatrix<T>> {
        let rows = self.try_to_rows::<T>()?;
        let (n, d) = (self.len(), self.features());
        let mut values = with_room(rows.len(), "the samples as a matrix")?;
        for column in 0..d {
            values.extend(rows.iter().skip(column).step_by(d));
        }
        Ok(DMatrix::from_vec(n, d, values))
    }

    /// All rows, one behind the other, mapped as in [`gather`](Self::gather).
    ///
    /// # Panics
    /// If there is not enough memory; [`try_to_rows`](Self::try_to_rows) returns an error then.
    #[track_caller]
    pub fn to_rows<T: Float>(&self) -> Vec<T> {
        self.try_to_rows().unwrap_or_else(|error| panic!("to_rows: {error}"))
    }

    /// 64 bits that tell these samples from others: of features, labels, targets and weights, in their order. Not
    /// made against those who mean to deceive.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = 0x243F_6A88_85A3_08D3u64;
        let mut take = |x: u64| hash = (hash.rotate_left(23) ^ x).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let (n, d) = (self.len(), self.features());
        [n, d, self.classes(), self.target_width()].into_iter().for_each(|size| take(size as u64));
        let mut row = vec![0.0f64; d];
        for i in 0..n {
            self.gather(&[i], &mut row);
            row.iter().for_each(|x| take(x.to_bits()));
        }
        self.labels().into_iter().flatten().for_each(|label| take(*label as u64));
        self.targets().into_iter().flatten().for_each(|x| take(x.to_bits()));
        self.weights().into_iter().flatten().for_each(|x| take(x.to_bits()));
        hash
    }

    /// As [`to_rows`](Self::to_rows).
    ///
    /// # Errors
    /// [`Error::Memory`] if there is not enough of it.
    pub fn try_to_rows<T: Float>(&self) -> Result<Vec<T>> {
        let (n, d) = (self.len(), self.features());
        let what = format!("{} of {} in {}", count(n, "sample"), count(d, "feature"), T::NAME);
        let mut out = filled(n.saturating_mul(d), T::ZERO, &what)?;
        // In blocks: a list of all rows would take more than the bytes of a narrow set.
        let mut indices = [0; 4096];
        let mut start = 0;
        for block in out.chunks_mut(indices.len().saturating_mul(d)) {
            let indices = &mut indices[..block.len() / d];
            indices.iter_mut().enumerate().for_each(|(i, row)| *row = start + i);
            self.gather(indices, block);
            start += indices.len();
        }
        Ok(out)
    }

    /// All targets as a matrix of `len()`×`target_width()`; without columns where there are none.
    ///
    /// # Panics
    /// If there is not enough memory; [`try_targets_matrix`](Self::try_targets_matrix) returns an error then.
    #[track_caller]
    pub fn targets_matrix<T: Float>(&self) -> DMatrix<T> {
        self.try_targets_matrix().unwrap_or_else(|error| panic!("targets_matrix: {error}"))
    }

    /// As [`targets_matrix`](Self::targets_matrix).
    ///
    /// # Errors
    /// [`Error::Memory`] if there is not enough of it.
    pub fn try_targets_matrix<T: Float>(&self) -> Result<DMatrix<T>> {
        let (targets, width) = (self.targets().unwrap_or(&[]), self.target_width());
        let mut values = with_room(targets.len(), "the targets as a matrix")?;
        for column in 0..width {
            values.extend(targets.iter().skip(column).step_by(width).map(|x| T::of(*x)));
        }
        Ok(DMatrix::from_vec(self.len(), width, values))
    }

    /// An error if a target leaves the finite numbers of `T`, or becomes 0 there and is not.
    ///
    /// # Errors
    /// [`Error::Data`] that names row, column, number and `T`.
    pub fn check_target_range<T: Float>(&self) -> Result<()> {
        T::check_target_range(self)
    }

    pub(super) fn check_target_range_of<T: Float>(&self) -> Result<()> {
        let (targets, width) = (self.targets().unwrap_or_default(), self.target_width());
        let lost = |y: &f64| !T::of(*y).is_finite() || (T::of(*y) == T::ZERO && *y != 0.0);
        match targets.iter().position(lost) {
            Some(at) => {
                let (row, column, y, name) = (at / width, at % width, targets[at], T::NAME);
                let why = format!(
                    "row {row}, target {column}: {y:e} is beyond {name}; scale the targets, or use f64"
                );
                Err(Error::Data(why))
            }
            None => Ok(()),
        }
    }

    #[track_caller]
    fn check_rows(&self, operation: &str, indices: &[usize]) {
        if let Some(bad) = indices.iter().find(|i| **i >= self.len()) {
            panic!("{operation}: row {bad} of a dataset of {}", count(self.len(), "row"));
        }
    }
}
