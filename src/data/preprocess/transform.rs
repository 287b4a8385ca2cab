//! [`Transform`]: a fitted step of preparation, as a model keeps it; and the scale of targets.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{MinMax, Pca, RandomProjection, Standardize, check_rows, normalize_rows, smooth_images};
use crate::data::{Affine, Dataset, Features};
use crate::store::{Precision, Settings, Store, Stored, known};
use crate::text::count;
use crate::{Error, Float, Result};

/// A fitted step of preparation: what was learnt from the training samples, and is done to all that come later.
///
/// A model keeps its steps, so that who asks it hands in the features as they are.
///
/// ```
/// use tapegrad::data::preprocess::{Standardize, Transform};
/// use tapegrad::Dataset;
///
/// let train = Dataset::new(vec![1.0, 3.0], 1)?;
/// let step: Box<dyn Transform> = Box::new(Standardize::fit(&train)?);
/// assert_eq!(step.describe(), "standardised");
/// assert_eq!(step.apply(&Dataset::new(vec![4.0], 1)?)?.to_rows::<f64>(), [2.0]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
pub trait Transform: fmt::Debug + Send + Sync {
    /// What it does, in some words: `standardised`.
    fn describe(&self) -> String;

    /// How many features it takes; `None` where any number will do.
    fn inputs(&self) -> Option<usize>;

    /// The same rows, prepared.
    ///
    /// # Errors
    /// [`Error::Data`] if a number leaves the range.
    ///
    /// # Panics
    /// If `data` has another number of features than it takes.
    fn apply(&self, data: &Dataset) -> Result<Dataset>;

    /// What it does, where it maps every feature by itself: a model prepares a single sample by it, with nothing
    /// allocated. It must be what [`apply`](Self::apply) does, to the bit: [`Dataset::mapped`] by this map. `None`, as
    /// by default, where it is something else.
    fn affine(&self) -> Option<Affine> {
        None
    }

    /// What it is and how it was fitted, for a file; its numbers go to `to`. One of your own is not read again: only
    /// those of this crate are known by name.
    ///
    /// # Errors
    /// [`Error::Data`] if it cannot be saved, as by default.
    fn store(&self, to: &mut Store) -> Result<Settings> {
        let _ = to;
        Err(Error::Data(format!("the preparation `{}` cannot be saved", self.describe())))
    }
}

/// Makes a step again of what stands in a file.
type Restore = fn(&Settings, &Stored) -> Result<Arc<dyn Transform>>;

/// All steps that can be read from a file, by their kind.
const RESTORE: &[(&str, Restore)] = &[
    ("standardize", |_, from| Ok(Arc::new(Standardize::restore(from)?))),
    ("min_max", |_, from| Ok(Arc::new(MinMax::restore(from)?))),
    ("pca", |_, from| Ok(Arc::new(Pca::restore(from)?))),
    ("random_projection", |_, from| Ok(Arc::new(RandomProjection::restore(from)?))),
    ("unit_rows", |settings, _| {
        Ok(match settings.precision()? {
            Precision::F32 => Arc::new(UnitRows::<f32>::default()),
            Precision::F64 => Arc::new(UnitRows::<f64>::default()),
        })
    }),
    ("smooth_images", |settings, _| {
        let (height, width, sigma) =
            (settings.get("height")?, settings.get("width")?, settings.get("sigma")?);
        Ok(match settings.precision()? {
            Precision::F32 => Arc::new(SmoothImages::<f32>::new(height, width, sigma)?),
            Precision::F64 => Arc::new(SmoothImages::<f64>::new(height, width, sigma)?),
        })
    }),
];

/// The step of those settings, with its numbers.
///
/// # Errors
/// [`Error::Data`] if there is no such step, or something of it is missing or wrong.
pub(crate) fn restore(settings: &Settings, from: &Stored) -> Result<Arc<dyn Transform>> {
    known("preparation", settings.kind(), RESTORE.iter().copied())?(settings, from)
}

impl Transform for Standardize {
    fn describe(&self) -> String {
        "standardised".into()
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.mean().len())
    }

    fn apply(&self, data: &Dataset) -> Result<Dataset> {
        Standardize::apply(self, data)
    }

    fn affine(&self) -> Option<Affine> {
        self.map().ok()
    }

    fn store(&self, to: &mut Store) -> Result<Settings> {
        to.put("mean", 1, self.mean().len(), self.mean());
        to.put("std", 1, self.std().len(), self.std());
        Ok(Settings::of("standardize"))
    }
}

impl Transform for MinMax {
    fn describe(&self) -> String {
        "scaled to 0..1".into()
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.min().len())
    }

    fn apply(&self, data: &Dataset) -> Result<Dataset> {
        MinMax::apply(self, data)
    }

    fn affine(&self) -> Option<Affine> {
        self.map().ok()
    }

    fn store(&self, to: &mut Store) -> Result<Settings> {
        to.put("min", 1, self.min().len(), self.min());
        to.put("max", 1, self.max().len(), self.max());
        Ok(Settings::of("min_max"))
    }
}

impl Transform for Pca {
    fn describe(&self) -> String {
        count(self.explained_variance().len(), "principal component")
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.mean().len())
    }

    fn apply(&self, data: &Dataset) -> Result<Dataset> {
        Pca::apply(self, data)
    }

    fn store(&self, to: &mut Store) -> Result<Settings> {
        Pca::store(self, to);
        Ok(Settings::of("pca"))
    }
}

impl Transform for RandomProjection {
    fn describe(&self) -> String {
        format!("projected to {}", count(self.outputs(), "feature"))
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.inputs())
    }

    fn apply(&self, data: &Dataset) -> Result<Dataset> {
        RandomProjection::apply(self, data)
    }

    fn store(&self, to: &mut Store) -> Result<Settings> {
        to.put("weights", self.outputs(), self.inputs(), self.weights());
        Ok(Settings::of("random_projection"))
    }
}

/// Every row divided by its length, in numbers of type `T`: [`normalize_rows`] as a step. It is fitted to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnitRows<T = f64>(PhantomData<T>);

impl<T: Float> Transform for UnitRows<T> {
    fn describe(&self) -> String {
        "rows of length 1".into()
    }

    fn inputs(&self) -> Option<usize> {
        None
    }

    fn apply(&self, data: &Dataset) -> Result<Dataset> {
        let mut rows = data.try_to_rows::<T>()?;
        if data.features() > 0 {
            normalize_rows(&mut rows, data.features());
        }
        data.with_features(Features::of(rows), data.features())
    }

    fn store(&self, to: &mut Store) -> Result<Settings> {
        let _ = to;
        Ok(Settings::of("unit_rows").with("precision", T::NAME))
    }
}

/// Every row smoothed as an image, in numbers of type `T`: [`smooth_images`] as a step. It is fitted to nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothImages<T = f64> {
    height: usize,
    width: usize,
    sigma: f64,
    numbers: PhantomData<T>,
}

impl<T: Float> SmoothImages<T> {
    /// Rows are images of `height`×`width` numbers; σ is in pixels.
    ///
    /// # Errors
    /// As [`smooth_images`]; [`Error::Data`] if an image has no pixels.
    pub fn new(height: usize, width: usize, sigma: f64) -> Result<Self> {
        smooth_images::<T>(&mut [], 1, 1, sigma)?;
        if height.checked_mul(width).is_none_or(|pixels| pixels == 0) {
            return Err(Error::Data(format!("there are no images of {height}×{width} to smooth")));
        }
        Ok(SmoothImages { height, width, sigma, numbers: PhantomData })
    }
}

impl<T: Float> Transform for SmoothImages<T> {
    fn describe(&self) -> String {
        format!("smoothed by {}", count(self.sigma, "pixel"))
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.height * self.width)
    }

    fn apply(&self, data: &Dataset) -> Result<Dataset> {
        let (pixels, found) = (self.height * self.width, data.features());
        assert!(
            pixels == found,
            "SmoothImages: images of {}, but {}",
            count(pixels, "pixel"),
            count(found, "feature")
        );
        let mut rows = data.try_to_rows::<T>()?;
        smooth_images(&mut rows, self.height, self.width, self.sigma)?;
        data.with_features(Features::of(rows), data.features())
    }

    fn store(&self, to: &mut Store) -> Result<Settings> {
        let _ = to;
        let size = Settings::of("smooth_images").with("height", self.height).with("width", self.width);
        Ok(size.with("sigma", self.sigma).with("precision", T::NAME))
    }
}

/// The mean and the spread of each target: a network learns (y − μ)/σ, and its predictions are put back to the
/// scale of y.
///
/// σ² = Σ(y − μ)²/n. A target that never changes has σ = 1. Weights count as in [`Standardize`].
///
/// ```
/// use tapegrad::data::preprocess::TargetScale;
/// use tapegrad::Dataset;
///
/// let data = Dataset::new(vec![0.0; 2], 1)?.with_targets(vec![100.0, 300.0], 1)?;
/// let scale = TargetScale::fit(&data)?;
/// let scaled = scale.apply(&data)?;
/// assert_eq!(scaled.targets(), Some(&[-1.0, 1.0][..]));
/// let mut predictions = [0.5];
/// scale.undo(&mut predictions);
/// assert_eq!(predictions, [250.0]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetScale {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl TargetScale {
    /// Whether it is one of that many targets, as one from a file may not be.
    pub(crate) fn fits(&self, width: usize) -> bool {
        let finite = |x: &f64| x.is_finite();
        width > 0
            && self.mean.len() == width
            && self.std.len() == width
            && self.mean.iter().all(finite)
            && self.std.iter().all(|s| finite(s) && *s > 0.0)
    }

    /// μ and σ of every target of `train`.
    ///
    /// # Errors
    /// [`Error::Data`] if there are no rows or no targets, the weights are all 0, or σ leaves the range of `f64`.
    pub fn fit(train: &Dataset) -> Result<TargetScale> {
        check_rows("the scale of targets", train, 1)?;
        let (Some(targets), width) = (train.targets(), train.target_width()) else {
            return Err(Error::Data("the scale of targets needs real-valued targets".into()));
        };
        // The targets are features here: μ and σ are found in the same way.
        let mut features = Dataset::new(targets.to_vec(), width)?;
        if let Some(weights) = train.weights() {
            features = features.with_weights(weights.to_vec())?;
        }
        let fitted = Standardize::fit(&features)?;
        let std = fitted.std().iter().map(|s| if *s == 0.0 { 1.0 } else { *s }).collect();
        Ok(TargetScale { mean: fitted.mean().to_vec(), std })
    }

    /// μ of every target.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// σ of every target; 1 where it never changes.
    pub fn std(&self) -> &[f64] {
        &self.std
    }

    /// The same samples with targets (y − μ)/σ.
    ///
    /// # Errors
    /// [`Error::Data`] if `data` has another number of targets, or none.
    pub fn apply(&self, data: &Dataset) -> Result<Dataset> {
        let (width, found) = (self.mean.len(), data.target_width());
        if width != found {
            return Err(Error::Data(format!(
                "scaled for {}, but the data has {found}",
                count(width, "target")
            )));
        }
        let mut targets = data.targets().unwrap_or_default().to_vec();
        for row in targets.chunks_exact_mut(width) {
            row.iter_mut().zip(self.mean.iter().zip(&self.std)).for_each(|(y, (m, s))| *y = (*y - m) / s);
        }
        data.clone().with_targets(targets, width)
    }

    /// y = σ·ŷ + μ for predictions ŷ of the scaled targets, row-major, in place.
    ///
    /// # Panics
    /// If the predictions are not whole rows.
    #[track_caller]
    pub fn undo(&self, predictions: &mut [f64]) {
        let (width, found) = (self.mean.len(), predictions.len());
        assert!(
            found.is_multiple_of(width),
            "TargetScale: {} cannot be rows of {width}",
            count(found, "prediction")
        );
        for row in predictions.chunks_exact_mut(width) {
            row.iter_mut().zip(self.mean.iter().zip(&self.std)).for_each(|(y, (m, s))| *y = *y * s + m);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps through the trait are the steps themselves, and tell how many features they take.
    #[test]
    fn steps_by_the_trait() {
        let data = Dataset::new(vec![1.0, 5.0, 3.0, 1.0, 2.0, 9.0, -4.0, 2.0], 2).unwrap();
        let data = data.with_labels(&[0, 1, 1, 0], 2).unwrap();
        let (a, b) = (Standardize::fit(&data).unwrap(), MinMax::fit(&data).unwrap());
        let (c, d) = (Pca::fit(&data, 1).unwrap(), RandomProjection::new(2, 1, 3).unwrap());
        let direct = [a.apply(&data), b.apply(&data), c.apply(&data), d.apply(&data)];
        let steps: [Box<dyn Transform>; 4] = [Box::new(a), Box::new(b), Box::new(c), Box::new(d)];
        for (step, direct) in steps.iter().zip(direct) {
            let (found, direct) = (step.apply(&data).unwrap(), direct.unwrap());
            assert_eq!(found.to_rows::<f64>(), direct.to_rows::<f64>(), "{}", step.describe());
            assert_eq!((step.inputs(), found.labels()), (Some(2), data.labels()));
        }
        let unit =
            UnitRows::<f64>::default().apply(&Dataset::new(vec![3.0, 4.0, 0.0, 0.0], 2).unwrap()).unwrap();
        assert_eq!(unit.to_rows::<f64>(), [0.6, 0.8, 0.0, 0.0]);
    }

    #[test]
    fn targets_there_and_back() {
        let targets = vec![1e8 + 1.0, 5.0, 1e8 + 2.0, 5.0, 1e8 + 4.0, 5.0];
        let data = Dataset::new(vec![0.0; 3], 1).unwrap();
        assert!(matches!(TargetScale::fit(&data), Err(Error::Data(_))));
        let data = data.with_targets(targets.clone(), 2).unwrap();
        let scale = TargetScale::fit(&data).unwrap();
        assert_eq!(scale.std()[1], 1.0);
        let mut scaled = scale.apply(&data).unwrap().targets().unwrap().to_vec();
        let column: Vec<f64> = scaled.iter().step_by(2).copied().collect();
        assert!(column.iter().sum::<f64>().abs() < 1e-7);
        assert!((column.iter().map(|y| y * y).sum::<f64>() - 3.0).abs() < 1e-6);
        scale.undo(&mut scaled);
        assert!(scaled.iter().zip(&targets).all(|(a, b)| (a - b).abs() < 1e-7));
        let other = data.with_targets(vec![0.0; 3], 1).unwrap();
        assert!(scale.apply(&other).unwrap_err().to_string().contains("2 targets, but the data has 1"));
    }
}
