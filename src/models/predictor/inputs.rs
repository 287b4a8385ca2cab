//! What a model is handed, and what is done to it first.

use std::sync::Arc;

use nalgebra::DMatrix;

use crate::data::preprocess::{MinMax, Pca, RandomProjection, Standardize, Transform, restore};
use crate::data::{Affine, Features};
use crate::float::Numbers;
use crate::linalg::first_not_finite;
use crate::store::{Settings, Store, Stored};
use crate::text::count;
use crate::{Dataset, Error, Float, Matrix, MatrixRef, Result};

/// What goes into a model: the number and names of the features as they come, and the fitted steps of
/// preparation.
///
/// ```
/// use tapegrad::Dataset;
/// use tapegrad::models::Inputs;
///
/// let train = Dataset::new(vec![1.0, 10.0, 3.0, 30.0], 2)?;
/// let inputs = Inputs::of(&train).standardize(&train)?;
/// assert_eq!(inputs.describe(), "2 features, standardised");
/// assert_eq!(inputs.prepare(&train)?.to_rows::<f64>(), [-1.0, -1.0, 1.0, 1.0]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Inputs {
    features: usize,
    names: Option<Vec<String>>,
    /// Height and width, where the training samples were images.
    image: Option<(usize, usize)>,
    steps: Vec<Arc<dyn Transform>>,
    /// The steps as one map of every feature, as a data set composes them; `None` where a step is none.
    map: Option<Arc<Affine>>,
}

/// Features that a file may claim without as many numbers: an image of 2048×2048.
const MOST_WITHOUT_NUMBERS: usize = 1 << 22;

impl Inputs {
    /// The features of this data, as they are.
    pub fn of(data: &Dataset) -> Inputs {
        let names = data.feature_names().map(<[String]>::to_vec);
        Inputs { image: data.image_shape(), ..Inputs::new(data.features(), names) }
    }

    /// As they are.
    fn new(features: usize, names: Option<Vec<String>>) -> Inputs {
        Inputs { features, names, image: None, steps: Vec::new(), map: Some(Arc::new(Affine::IDENTITY)) }
    }

    /// With one more step, which takes what the steps before it give.
    pub fn then(mut self, step: impl Transform + 'static) -> Inputs {
        self.push(Arc::new(step));
        self
    }

    fn push(&mut self, step: Arc<dyn Transform>) {
        let affine = || step.affine().filter(|map| map.features().is_none_or(|n| n == self.features));
        // What does not fit together is an error of `prepare`.
        self.map = self.map.as_ref().and_then(|map| Some(Arc::new(map.then(&affine()?).ok()?)));
        self.steps.push(step);
    }

    /// With every feature brought to mean 0 and variance 1, fitted on `train`: [`Standardize`].
    ///
    /// # Errors
    /// As [`Standardize::fit`] and [`prepare`](Self::prepare).
    pub fn standardize(self, train: &Dataset) -> Result<Inputs> {
        let step = Standardize::fit(&self.prepare(train)?)?;
        Ok(self.then(step))
    }

    /// With every feature brought to the interval from 0 to 1, fitted on `train`: [`MinMax`].
    ///
    /// # Errors
    /// As [`MinMax::fit`] and [`prepare`](Self::prepare).
    pub fn min_max(self, train: &Dataset) -> Result<Inputs> {
        let step = MinMax::fit(&self.prepare(train)?)?;
        Ok(self.then(step))
    }

    /// With `k` principal components in place of the features, fitted on `train`: [`Pca`].
    ///
    /// # Errors
    /// As [`Pca::fit`] and [`prepare`](Self::prepare).
    pub fn pca(self, train: &Dataset, k: usize) -> Result<Inputs> {
        let step = Pca::fit(&self.prepare(train)?, k)?;
        Ok(self.then(step))
    }

    /// With `k` random projections in place of the features, drawn from `seed`: [`RandomProjection`].
    ///
    /// # Errors
    /// As [`RandomProjection::new`].
    pub fn project(self, k: usize, seed: u64) -> Result<Inputs> {
        let step = RandomProjection::new(self.prepared_width()?, k, seed)?;
        Ok(self.then(step))
    }

    /// What a file holds of it: the numbers of step i under `preparation.i`.
    pub(crate) fn store(&self, to: &mut Store) -> Result<Settings> {
        let step = |(i, step): (usize, &Arc<dyn Transform>)| {
            to.within("preparation", |to| to.within(&i.to_string(), |to| step.store(to)))
        };
        let steps = self.steps.iter().enumerate().map(step).collect::<Result<Vec<_>>>()?;
        let settings = Settings::of("inputs").with("features", self.features).with("names", &self.names);
        let settings = match self.image {
            Some(image) => settings.with("image", image),
            None => settings,
        };
        Ok(settings.with("steps", steps))
    }

    /// The inverse.
    pub(crate) fn restore(settings: &Settings, from: &Stored) -> Result<Inputs> {
        let (features, names) = (settings.get("features")?, settings.get::<Option<Vec<String>>>("names")?);
        // A sample is made, with zeros. Filters and activations have no number for each feature.
        if features == 0
            || features > from.numbers().max(MOST_WITHOUT_NUMBERS)
            || names.as_ref().is_some_and(|names| names.len() != features)
        {
            return Err(Error::Data(format!(
                "{} in the file cannot fit the rest of it",
                count(features, "feature")
            )));
        }
        let mut inputs = Inputs::new(features, names);
        // Files of earlier versions do not have it.
        inputs.image = settings.find("image")?;
        if inputs.image.is_some_and(|(height, width)| height.checked_mul(width) != Some(features)) {
            return Err(Error::Data(format!(
                "the image in the file has not its {}",
                count(features, "feature")
            )));
        }
        for (i, step) in settings.get::<Vec<Settings>>("steps")?.iter().enumerate() {
            inputs.push(restore(step, &from.part("preparation").part(&i.to_string()))?);
        }
        Ok(inputs)
    }

    /// How many features the model itself gets.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare): a sample of zeros is prepared.
    pub(crate) fn prepared_width(&self) -> Result<usize> {
        Ok(self.prepare(&self.zeros()?)?.features())
    }

    /// A sample of zeros.
    pub(crate) fn zeros(&self) -> Result<Dataset> {
        Dataset::new(crate::memory::filled(self.features, 0.0, "a sample")?, self.features)
    }

    /// How many features come in.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Their names, where the training data had them.
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// The steps of preparation, in order.
    pub fn steps(&self) -> &[Arc<dyn Transform>] {
        &self.steps
    }

    /// In a line: `4 features, standardised`.
    pub fn describe(&self) -> String {
        let steps = self.steps.iter().map(|step| format!(", {}", step.describe()));
        format!("{}{}", count(self.features, "feature"), steps.collect::<String>())
    }

    /// The map that prepares this sample, to the bits of [`prepare`](Self::prepare). `None` where the steps are no such
    /// map, or where `prepare` has an error to tell.
    pub(crate) fn map_for(&self, sample: Numbers<'_>) -> Option<&Affine> {
        let finite = match sample {
            Numbers::F32(x) => first_not_finite(x).is_none(),
            Numbers::F64(x) => first_not_finite(x).is_none(),
        };
        self.map.as_deref().filter(|_| finite && sample.len() == self.features && self.features > 0)
    }

    /// The data as the model itself takes it.
    ///
    /// # Errors
    /// [`Error::Data`] if `data` has another number of features, names them otherwise, or has images of another shape; that
    /// of a step.
    pub fn prepare(&self, data: &Dataset) -> Result<Dataset> {
        let (expected, found) = (self.features, data.features());
        if expected != found {
            return Err(Error::Data(format!(
                "the model takes {}, but there are {found}",
                count(expected, "feature")
            )));
        }
        if let (Some(ours), Some(theirs)) = (self.names(), data.feature_names())
            && let Some(at) = (0..expected).find(|at| ours[*at] != theirs[*at])
        {
            let (ours, theirs) = (&ours[at], &theirs[at]);
            let why = format!("feature {at} is `{ours}` for the model, but `{theirs}` in the data");
            return Err(Error::Data(why));
        }
        if let (Some((height, width)), Some((found_height, found_width))) = (self.image, data.image_shape())
            && (height, width) != (found_height, found_width)
        {
            return Err(Error::Data(format!(
                "the model takes images {height} high and {width} wide, but these are {found_height} high and \
                 {found_width} wide"
            )));
        }
        let mut data = data.clone();
        for step in &self.steps {
            let (takes, found) = (step.inputs(), data.features());
            if let Some(takes) = takes.filter(|takes| *takes != found) {
                let why =
                    format!("{} takes {}, but there are {found}", step.describe(), count(takes, "feature"));
                return Err(Error::Data(why));
            }
            data = step.apply(&data)?;
        }
        Ok(data)
    }
}

/// Samples in any form in which a model is asked about them: a data set, a matrix with a sample a row, or the
/// features of one sample.
pub trait Rows {
    /// As a data set.
    ///
    /// # Errors
    /// [`Error::Data`] if a number is NaN or infinite, or there are no features.
    fn to_dataset(&self) -> Result<Dataset>;

    /// The features of the sample, where it is one and they lie one behind the other without names: a
    /// [network](crate::models::Network) is asked about these without a copy. They must be those of
    /// [`to_dataset`](Self::to_dataset). `None` by default.
    fn sample(&self) -> Option<Numbers<'_>> {
        None
    }
}

impl Rows for Dataset {
    fn to_dataset(&self) -> Result<Dataset> {
        Ok(self.clone())
    }
}

impl<T: Float> Rows for Matrix<T> {
    fn to_dataset(&self) -> Result<Dataset> {
        Dataset::new(Features::of(self.as_slice().to_vec()), self.ncols())
    }

    fn sample(&self) -> Option<Numbers<'_>> {
        (self.nrows() == 1).then(|| T::numbers(self.as_slice()))
    }
}

impl<T: Float> Rows for MatrixRef<'_, T> {
    fn to_dataset(&self) -> Result<Dataset> {
        Dataset::new(Features::of(self.as_slice().to_vec()), self.ncols())
    }

    fn sample(&self) -> Option<Numbers<'_>> {
        (self.nrows() == 1).then(|| T::numbers(self.as_slice()))
    }
}

impl<T: Float> Rows for DMatrix<T> {
    fn to_dataset(&self) -> Result<Dataset> {
        Dataset::from_matrix(self)
    }

    fn sample(&self) -> Option<Numbers<'_>> {
        (self.nrows() == 1).then(|| T::numbers(self.as_slice()))
    }
}

/// One sample.
impl<T: Float> Rows for &[T] {
    fn to_dataset(&self) -> Result<Dataset> {
        Dataset::new(Features::of(self.to_vec()), self.len())
    }

    fn sample(&self) -> Option<Numbers<'_>> {
        Some(T::numbers(self))
    }
}

/// One sample.
impl<T: Float, const N: usize> Rows for [T; N] {
    fn to_dataset(&self) -> Result<Dataset> {
        self.as_slice().to_dataset()
    }

    fn sample(&self) -> Option<Numbers<'_>> {
        Some(T::numbers(self))
    }
}

/// One sample.
impl<T: Float> Rows for Vec<T> {
    fn to_dataset(&self) -> Result<Dataset> {
        self.as_slice().to_dataset()
    }

    fn sample(&self) -> Option<Numbers<'_>> {
        Some(T::numbers(self))
    }
}
