//! [`Dataset`]: samples as rows, with labels.

use std::borrow::Cow;
use std::sync::Arc;

use nalgebra::DMatrix;

use super::affine::Affine;
use super::features::Features;
use super::weights::{Weighing, check_weights};
use crate::float::power_below;
use crate::linalg::first_not_finite;
use crate::memory::{collected, reserve, with_room};
use crate::text::count;
use crate::{Error, Float, Result};

#[derive(Clone, Debug)]
pub(super) enum Labels {
    None,
    /// `each` for each row, one behind the other.
    Classes {
        of_row: Arc<Vec<usize>>,
        count: usize,
        each: usize,
    },
    Targets {
        values: Arc<Vec<f64>>,
        width: usize,
    },
}

/// Samples as rows, with class labels, real-valued targets, or neither.
///
/// Cloning, [subsets](Self::subset), splits and [`mapped`](Self::mapped) share the stored features; only
/// labels and row numbers are copied. Features are finite and labels in range from construction on.
///
/// ```
/// use tapegrad::data::Dataset;
///
/// let data = Dataset::new(vec![0u8, 255, 51, 102], 2)?.with_labels(&[1, 0], 2)?;
/// let mut batch = [0.0f32; 4];
/// data.gather(&[1, 0], &mut batch);
/// assert_eq!(batch, [0.2, 0.4, 0.0, 1.0]);
/// assert_eq!(data.label(1), 0);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dataset {
    pub(super) stored: Features,
    /// Row i is stored row `rows[i]`; all in their order where `None`.
    pub(super) rows: Option<Arc<Vec<u32>>>,
    pub(super) map: Arc<Affine>,
    pub(super) labels: Labels,
    weights: Option<Arc<Vec<f64>>>,
    /// Where the stored rows come from, if they were computed from those of another data set.
    origin: Option<Arc<Vec<u32>>>,
    len: usize,
    features: usize,
    class_names: Option<Arc<[String]>>,
    feature_names: Option<Arc<[String]>>,
    image: Option<(usize, usize)>,
}

impl Dataset {
    /// Samples of `features` values each, one behind the other in `values`: bytes or numbers.
    ///
    /// Bytes are read as x/255, numbers as they are; [`mapped`](Self::mapped) changes that.
    ///
    /// # Errors
    /// [`Error::Data`] if `features` is 0 or does not divide the number of values, a value is NaN or
    /// infinite, or there are more than 2³² − 1 samples.
    pub fn new(values: impl Into<Features>, features: usize) -> Result<Dataset> {
        let stored = values.into();
        if features == 0 {
            return Err(Error::Data("the samples have no features".into()));
        }
        let len = stored.len() / features;
        if !stored.len().is_multiple_of(features) {
            let why = format!(
                "{} cannot be whole samples of {}",
                count(stored.len(), "value"),
                count(features, "feature")
            );
            return Err(Error::Data(why));
        }
        if u32::try_from(len).is_err() {
            return Err(Error::Data(format!(
                "{} are more than the 4294967295 possible",
                count(len, "sample")
            )));
        }
        if let Some((at, value)) = stored.first_not_finite() {
            let why = format!("row {}, column {}: the feature is {value}", at / features, at % features);
            return Err(Error::Data(why));
        }
        let map = Arc::new(if matches!(stored, Features::U8(_)) { Affine::PIXELS } else { Affine::IDENTITY });
        Ok(Dataset {
            stored,
            rows: None,
            map,
            labels: Labels::None,
            weights: None,
            origin: None,
            len,
            features,
            class_names: None,
            feature_names: None,
            image: None,
        })
    }

    /// Samples from the rows of a matrix, which is copied.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::Memory`] if there is not enough of it for the copy.
    pub fn from_matrix<T: Float>(matrix: &DMatrix<T>) -> Result<Dataset> {
        let mut values = with_room::<f64>(matrix.len(), "the samples of a matrix")?;
        for row in matrix.row_iter() {
            values.extend(row.iter().map(|x| x.to_f64()));
        }
        Dataset::new(values, matrix.ncols())
    }

    /// With a class index for each row.
    ///
    /// # Errors
    /// [`Error::Data`] if there are not as many labels as rows, or a label is not below `classes`.
    pub fn with_labels(mut self, labels: &[usize], classes: usize) -> Result<Dataset> {
        if labels.len() != self.len {
            return Err(Error::Data(format!(
                "{} for {}",
                crate::text::count(labels.len(), "label"),
                crate::text::count(self.len, "row")
            )));
        }
        if let Some(row) = labels.iter().position(|label| *label >= classes) {
            let label = labels[row];
            return Err(Error::Data(format!(
                "row {row}: label {label} is not below the {}",
                crate::text::count(classes, "class")
            )));
        }
        let of_row = collected(labels.iter().copied(), "the labels")?;
        self.labels = Labels::Classes { of_row: Arc::new(of_row), count: classes, each: 1 };
        self.class_names = None;
        Ok(self)
    }

    /// With another map of the stored features in place of the one there is.
    pub(super) fn with_map(self, map: Affine) -> Dataset {
        Dataset { map: Arc::new(map), ..self }
    }

    /// With labels that are below `classes`, `each` for each row.
    pub(super) fn with_checked_labels(mut self, of_row: Vec<usize>, each: usize, classes: usize) -> Dataset {
        debug_assert!(of_row.len() == self.len * each && of_row.iter().all(|label| *label < classes));
        self.labels = Labels::Classes { of_row: Arc::new(of_row), count: classes, each };
        self.class_names = None;
        self
    }

    /// With room for `classes` classes; no fewer than there are.
    pub(super) fn with_classes(mut self, classes: usize) -> Dataset {
        if let Labels::Classes { count, .. } = &mut self.labels {
            *count = classes.max(*count);
        }
        self
    }

    /// With `width` real-valued targets for each row, row-major.
    ///
    /// # Errors
    /// [`Error::Data`] if there are not `width` targets for each row, `width` is 0, or a target is NaN
    /// or infinite.
    pub fn with_targets(mut self, targets: Vec<f64>, width: usize) -> Result<Dataset> {
        if width == 0 || self.len.checked_mul(width) != Some(targets.len()) {
            let why = format!(
                "{} cannot be {width} for each of {}",
                count(targets.len(), "target"),
                count(self.len, "row")
            );
            return Err(Error::Data(why));
        }
        if let Some(at) = first_not_finite(&targets) {
            let (row, column) = (at / width, at % width);
            return Err(Error::Data(format!("row {row}, column {column}: the target is {}", targets[at])));
        }
        self.labels = Labels::Targets { values: Arc::new(targets), width };
        self.class_names = None;
        Ok(self)
    }

    /// With a weight for each row, with which it counts wherever something is learnt from the rows or measured on them:
    /// a weight of 2 is the row twice, and one of 0 leaves it out. In the training of a network, the loss
    /// and what is measured count weights; a batch still holds rows of weight 0, and batch norm's statistics are those
    /// of its rows.
    ///
    /// # Errors
    /// [`Error::Data`] if there are not as many weights as rows, one is negative, NaN or infinite, all are 0, or
    /// their sum is infinite.
    pub fn with_weights(mut self, weights: Vec<f64>) -> Result<Dataset> {
        check_weights(&weights, self.len)?;
        self.check_one_label("weights")?;
        self.weights = Some(Arc::new(weights));
        Ok(self)
    }

    /// With a name for each class.
    ///
    /// # Errors
    /// [`Error::Data`] if there are not as many names as classes, or two are the same.
    pub fn with_class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<Dataset> {
        let names: Arc<[String]> = names.into_iter().map(Into::into).collect();
        if names.len() != self.classes() {
            return Err(Error::Data(format!(
                "{} for {}",
                count(names.len(), "name"),
                count(self.classes(), "class")
            )));
        }
        let twice = |i: &usize| names[..*i].contains(&names[*i]);
        if let Some(i) = (0..names.len()).find(twice) {
            let name = crate::text::printable(&names[i]);
            return Err(Error::Data(format!("two classes have the name `{name}`")));
        }
        self.class_names = Some(names);
        Ok(self)
    }

    /// With a name for each feature.
    ///
    /// # Errors
    /// [`Error::Data`] if there are not as many names as features.
    pub fn with_feature_names(
        mut self,
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Dataset> {
        let names: Arc<[String]> = names.into_iter().map(Into::into).collect();
        if names.len() != self.features {
            return Err(Error::Data(format!(
                "{} for {}",
                count(names.len(), "name"),
                count(self.features, "feature")
            )));
        }
        self.feature_names = Some(names);
        Ok(self)
    }

    /// With the note that a row is an image of `height`×`width` pixels, row-major.
    ///
    /// # Errors
    /// [`Error::Data`] if an image of this size does not have as many pixels as there are features.
    pub fn with_image_shape(mut self, height: usize, width: usize) -> Result<Dataset> {
        if height.checked_mul(width) != Some(self.features) {
            return Err(Error::Data(format!(
                "{} cannot be an image of {height}×{width}",
                count(self.features, "feature")
            )));
        }
        self.image = Some((height, width));
        Ok(self)
    }

    /// The same samples with `map` applied on top of what is applied already; no feature is copied.
    ///
    /// # Errors
    /// [`Error::Data`] if the composed map leaves the range of the numbers.
    ///
    /// # Panics
    /// If `map` is made for another number of features.
    #[track_caller]
    pub fn mapped(&self, map: &Affine) -> Result<Dataset> {
        if let Some(n) = map.features() {
            assert!(
                n == self.features,
                "mapped: a map of {}, but the data has {}",
                count(n, "feature"),
                self.features
            );
        }
        Ok(Dataset { map: Arc::new(self.map.then(map)?), ..self.clone() })
    }

    /// The same rows, labels, weights, class names and places with other features, for a
    /// [`Transform`](super::preprocess::Transform): row i of `values` belongs to row i. Feature names and image shape
    /// are dropped.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::Data`] if there is another number of rows.
    pub fn with_features(&self, values: impl Into<Features>, features: usize) -> Result<Dataset> {
        let new = Dataset::new(values, features)?;
        if new.len != self.len {
            let (found, rows) = (new.len, self.len);
            return Err(Error::Data(format!("features of {} for a data set of {rows}", count(found, "row"))));
        }
        let (labels, weights) = (self.labels.clone(), self.weights.clone());
        let origin = match (&self.rows, &self.origin) {
            (None, None) => None,
            _ => {
                Some(Arc::new(collected((0..self.len).map(|i| self.place(i) as u32), "the places of rows")?))
            }
        };
        Ok(Dataset { labels, weights, origin, class_names: self.class_names.clone(), ..new })
    }

    /// The rows `indices`, in that order; a row may come twice. The features are shared.
    ///
    /// # Panics
    /// If an index is not below [`len`](Self::len), or there is not enough memory for the row numbers and
    /// labels; [`try_subset`](Self::try_subset) returns an error then.
    #[track_caller]
    pub fn subset(&self, indices: &[usize]) -> Dataset {
        self.try_subset(indices).unwrap_or_else(|error| panic!("subset: {error}"))
    }

    /// As [`subset`](Self::subset).
    ///
    /// # Errors
    /// [`Error::Memory`] if there is not enough of it for the row numbers and labels.
    ///
    /// # Panics
    /// If an index is not below [`len`](Self::len).
    #[track_caller]
    pub fn try_subset(&self, indices: &[usize]) -> Result<Dataset> {
        if let Some(bad) = indices.iter().find(|i| **i >= self.len) {
            panic!("subset: row {bad} of a dataset of {}", count(self.len, "row"));
        }
        self.chosen(indices.iter().copied())
    }

    /// Rows that are there.
    fn chosen(&self, indices: impl ExactSizeIterator<Item = usize> + Clone) -> Result<Dataset> {
        let len = indices.len();
        let rows = collected(indices.clone().map(|i| self.stored_row(i) as u32), "the rows of a subset")?;
        let weights = match &self.weights {
            Some(all) => {
                Some(Arc::new(collected(indices.clone().map(|i| all[i]), "the weights of a subset")?))
            }
            None => None,
        };
        let labels = match &self.labels {
            Labels::None => Labels::None,
            Labels::Classes { of_row, count, each: 1 } => {
                let of_row = collected(indices.map(|i| of_row[i]), "the labels of a subset")?;
                Labels::Classes { of_row: Arc::new(of_row), count: *count, each: 1 }
            }
            Labels::Classes { of_row, count, each } => {
                let mut chosen = Vec::new();
                reserve(&mut chosen, len.saturating_mul(*each), "the labels of a subset")?;
                indices.for_each(|i| chosen.extend_from_slice(&of_row[i * each..(i + 1) * each]));
                Labels::Classes { of_row: Arc::new(chosen), count: *count, each: *each }
            }
            Labels::Targets { values, width } => {
                let mut chosen = Vec::new();
                reserve(&mut chosen, len.saturating_mul(*width), "the targets of a subset")?;
                indices.for_each(|i| chosen.extend_from_slice(&values[i * width..(i + 1) * width]));
                Labels::Targets { values: Arc::new(chosen), width: *width }
            }
        };
        Ok(Dataset { rows: Some(Arc::new(rows)), labels, weights, len, ..self.clone() })
    }

    /// The first `n` rows, or all if there are fewer.
    ///
    /// # Panics
    /// If there is not enough memory for the row numbers and labels; [`try_take`](Self::try_take) returns an
    /// error then.
    #[track_caller]
    pub fn take(&self, n: usize) -> Dataset {
        self.try_take(n).unwrap_or_else(|error| panic!("take: {error}"))
    }

    /// As [`take`](Self::take).
    ///
    /// # Errors
    /// [`Error::Memory`] if there is not enough of it for the row numbers and labels.
    pub fn try_take(&self, n: usize) -> Result<Dataset> {
        if n >= self.len { Ok(self.clone()) } else { self.chosen(0..n) }
    }

    /// An error if the features lie in a mapped file that is not what it was when it was mapped; without
    /// meaning where they lie in memory.
    ///
    /// # Errors
    /// [`Error::Io`] that names the file.
    pub fn check_unchanged(&self) -> Result<()> {
        if let Features::U8(bytes) = &self.stored { bytes.check_unchanged() } else { Ok(()) }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Number of classes; 0 without class labels.
    pub fn classes(&self) -> usize {
        if let Labels::Classes { count, .. } = self.labels { count } else { 0 }
    }

    /// Number of real-valued targets of a row; 0 without.
    pub fn target_width(&self) -> usize {
        if let Labels::Targets { width, .. } = self.labels { width } else { 0 }
    }

    /// The class index of every row, or all those of each, row by row; `None` without class labels.
    pub fn labels(&self) -> Option<&[usize]> {
        if let Labels::Classes { of_row, .. } = &self.labels { Some(of_row) } else { None }
    }

    /// The targets of all rows, row-major; `None` without.
    pub fn targets(&self) -> Option<&[f64]> {
        if let Labels::Targets { values, .. } = &self.labels { Some(values) } else { None }
    }

    /// The weight of every row; `None` where all count the same.
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref().map(Vec::as_slice)
    }

    /// The class index of row `i`.
    ///
    /// # Panics
    /// If there are no class labels, or several for each row, or no such row.
    #[track_caller]
    pub fn label(&self, i: usize) -> usize {
        let each = self.labels_per_row();
        assert!(each == 1, "label: the rows have {} each", count(each, "label"));
        match self.labels() {
            None => panic!("label: the dataset has no class labels"),
            Some(labels) => labels[i],
        }
    }

    /// How many rows each class has, or tokens where rows have several labels.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes()];
        self.labels().into_iter().flatten().for_each(|label| counts[*label] += 1);
        counts
    }

    /// The name of a class: the given one, or its index.
    ///
    /// # Panics
    /// If names were given and `class` has none.
    #[track_caller]
    pub fn class_name(&self, class: usize) -> Cow<'_, str> {
        match &self.class_names {
            Some(names) => Cow::Borrowed(&names[class]),
            None => Cow::Owned(class.to_string()),
        }
    }

    /// The names of the features, where they were given.
    pub fn feature_names(&self) -> Option<&[String]> {
        self.feature_names.as_deref()
    }

    /// Height and width, where a row is an image.
    pub fn image_shape(&self) -> Option<(usize, usize)> {
        self.image
    }

    /// The stored bytes of row `i`, before any map; `None` where features are not bytes.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn bytes(&self, i: usize) -> Option<&[u8]> {
        assert!(i < self.len, "bytes: row {i} of a dataset of {}", count(self.len, "row"));
        let start = self.stored_row(i) * self.features;
        if let Features::U8(v) = &self.stored { Some(&v[start..start + self.features]) } else { None }
    }

    /// The place of row `i` in the data set that was read or made in the beginning: its row number there, through
    /// all subsets, splits, folds and preparations.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn place(&self, i: usize) -> usize {
        assert!(i < self.len, "place: row {i} of a dataset of {}", count(self.len, "row"));
        let stored = self.stored_row(i);
        self.origin.as_ref().map_or(stored, |origin| origin[stored] as usize)
    }

    /// What is stored, of all rows, those of other subsets too.
    pub fn stored(&self) -> &Features {
        &self.stored
    }

    #[inline]
    pub(super) fn stored_row(&self, i: usize) -> usize {
        self.rows.as_ref().map_or(i, |rows| rows[i] as usize)
    }
}

impl Dataset {
    /// What a mean over batches has to know of all weights; found in a pass over them.
    pub(crate) fn weighing(&self) -> Weighing {
        let Some(weights) = self.weights() else { return Weighing { unit: 1.0, mean: 1.0 } };
        let largest = weights.iter().copied().fold(0.0, f64::max);
        let near = largest == 0.0 || (1e-100..=1e100).contains(&largest);
        let unit = if near { 1.0 } else { power_below(largest) };
        Weighing { unit, mean: weights.iter().map(|w| w * unit / weights.len() as f64).sum() }
    }

    /// The rows whose weight is not 0: to whatever learns from data, the others are not there.
    ///
    /// # Errors
    /// [`Error::Data`] if all weights are 0, as in a subset; [`Error::Memory`] for too many rows.
    pub(crate) fn counted(&self) -> Result<Cow<'_, Dataset>> {
        let Some(weights) = self.weights().filter(|weights| weights.contains(&0.0)) else {
            return Ok(Cow::Borrowed(self));
        };
        let rows: Vec<usize> = (0..self.len()).filter(|row| weights[*row] > 0.0).collect();
        if rows.is_empty() {
            return Err(Error::Data("the weights of all samples are 0".into()));
        }
        self.try_subset(&rows).map(Cow::Owned)
    }
}
