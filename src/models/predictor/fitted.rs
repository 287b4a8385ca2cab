//! A fitted model with what it needs to answer.

use super::{Inputs, Predictor, Task, usual_block};
use crate::data::preprocess::TargetScale;
use crate::models::LogisticRegression;
use crate::models::kernel::{KernelMachine, Samples};
use crate::models::linear::LinearRegression;
use crate::nn::loss::Link;
use crate::store::{Settings, Store};
use crate::text::count;
use crate::{Dataset, Float, Matrix, Result};

/// A map from prepared samples to scores or values: what a family of models brings, and all else is
/// [`Fitted`]'s.
pub trait Scores: Send + Sync + 'static {
    /// What it is, in a line.
    fn describe(&self) -> String;

    /// How its outputs are read where they stand for classes.
    fn link(&self) -> Link;

    /// The outputs, a sample a row.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if the samples have another number of features.
    fn scores(&self, data: &Dataset) -> Result<Matrix<f64>>;

    /// What it is, for a file; its numbers go to `to`.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if it cannot be saved, as by default.
    fn store(&self, to: &mut Store) -> Result<Settings> {
        let _ = to;
        Err(crate::Error::Data(format!("{} cannot be saved", self.describe())))
    }

    /// How many samples it takes at a time, if it matters: [`Predictor::block`].
    fn block(&self) -> Option<usize> {
        None
    }
}

/// A fitted model, and what it needs to answer: the preparation of the features, and what its outputs mean.
///
/// ```
/// use tapegrad::Dataset;
/// use tapegrad::models::linear::{LinearOptions, LinearRegression};
/// use tapegrad::models::{Fitted, Inputs, Predictor};
///
/// let train = Dataset::new(vec![0.0, 1.0, 2.0], 1)?.with_targets(vec![1.0, 3.0, 5.0], 1)?;
/// let model = LinearRegression::fit_dataset(&train, &LinearOptions::default())?;
/// let model = Fitted::regressor(model, Inputs::of(&train), &train)?;
/// assert!((model.predict(&[10.0])?[(0, 0)] - 21.0).abs() < 1e-12);
/// assert!(model.evaluate(&train)?.values.expect("values").r2 > Some(0.999));
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fitted<M> {
    model: M,
    inputs: Inputs,
    task: Task,
}

impl<M: Scores> Fitted<M> {
    /// A model of the classes of `train`, fitted to what `inputs` makes of its features.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if `train` has no class labels, or the model takes other features or
    /// gives another number of outputs; that of the model for the first sample.
    pub fn classifier(model: M, inputs: Inputs, train: &Dataset) -> Result<Fitted<M>> {
        let task = Task::of(train, model.link())?;
        Fitted { model, inputs, task }.tried(train)
    }

    /// A model of the targets of `train`, fitted to what `inputs` makes of its features.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if `train` has no targets, or the model takes other features or gives
    /// another number of outputs; that of the model for the first sample.
    pub fn regressor(model: M, inputs: Inputs, train: &Dataset) -> Result<Fitted<M>> {
        let task = Task::of(train, Link::Identity)?;
        Fitted { model, inputs, task }.tried(train)
    }

    /// Of what stood in a file.
    pub(crate) fn restored(model: M, inputs: Inputs, task: Task) -> Result<Fitted<M>> {
        let zeros = inputs.zeros()?;
        Fitted { model, inputs, task }.tried(&zeros)
    }

    /// An error if the model takes other features, or gives other outputs, than it should: it is asked for a sample.
    fn tried(self, train: &Dataset) -> Result<Self> {
        if self.task.labels_per_row() > 1 || self.task.reconstructs() {
            let why =
                format!("{} tells one class of each sample, or values that are not its own", self.describe());
            return Err(crate::Error::Data(why));
        }
        if train.is_empty() {
            return Ok(self);
        }
        let sample = self.inputs.prepare(&train.take(1))?;
        let (found, wanted) = (self.model.scores(&sample)?.ncols(), self.task.outputs());
        if found != wanted {
            let (name, what) = (self.describe(), if self.task.classes() > 0 { "class" } else { "target" });
            let told = self.task.classes().max(wanted);
            let why = format!(
                "{name} gives {} for a sample, but the data has {}",
                count(found, "number"),
                count(told, what)
            );
            return Err(crate::Error::Data(why));
        }
        Ok(self)
    }

    /// A model that was fitted to targets as `scale` makes them: its values are put back to their own scale.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if it tells classes, or the scale is that of another number of targets.
    pub fn with_target_scale(mut self, scale: TargetScale) -> Result<Fitted<M>> {
        let Task::Values { width, scale: own, .. } = &mut self.task else {
            return Err(crate::Error::Data("a scale of targets for a model that tells classes".into()));
        };
        if *width != scale.mean().len() {
            let (width, found) = (*width, scale.mean().len());
            return Err(crate::Error::Data(format!(
                "a scale of {} for a model of {width}",
                count(found, "target")
            )));
        }
        *own = Some(scale);
        Ok(self)
    }

    /// The model itself.
    pub fn model(&self) -> &M {
        &self.model
    }
}

impl<M: Scores> Predictor for Fitted<M> {
    fn describe(&self) -> String {
        self.model.describe()
    }

    fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    fn task(&self) -> &Task {
        &self.task
    }

    fn outputs(&self, prepared: &Dataset) -> Result<Matrix<f64>> {
        self.model.scores(prepared)
    }

    fn store(&self, to: &mut Store) -> Result<Settings> {
        self.model.store(to)
    }

    fn block(&self) -> usize {
        self.model.block().unwrap_or_else(|| usual_block(&self.inputs))
    }
}

impl Scores for LogisticRegression {
    fn describe(&self) -> String {
        format!(
            "logistic regression, {}, {}, {}",
            count(self.features(), "feature"),
            count(self.classes(), "class"),
            self.scheme()
        )
    }

    fn link(&self) -> Link {
        self.scheme().link()
    }

    fn scores(&self, data: &Dataset) -> Result<Matrix<f64>> {
        self.scores_of(data)
    }

    fn store(&self, to: &mut Store) -> Result<Settings> {
        Ok(LogisticRegression::store(self, to))
    }
}

impl Scores for LinearRegression {
    fn describe(&self) -> String {
        format!(
            "linear regression, {}, {}",
            count(self.features(), "feature"),
            count(self.targets(), "target")
        )
    }

    fn link(&self) -> Link {
        Link::Scores
    }

    fn scores(&self, data: &Dataset) -> Result<Matrix<f64>> {
        self.predict_rows(&data.try_to_rows()?, data.len(), data.features())
    }

    fn store(&self, to: &mut Store) -> Result<Settings> {
        Ok(LinearRegression::store(self, to))
    }
}

/// Every kernel machine, exact and approximate.
impl<T: Float> Scores for Box<dyn KernelMachine<T>> {
    fn describe(&self) -> String {
        self.name()
    }

    fn link(&self) -> Link {
        Link::Scores
    }

    fn scores(&self, data: &Dataset) -> Result<Matrix<f64>> {
        let (expected, found) = (KernelMachine::inputs(&**self), data.features());
        if expected != found {
            let why = format!("{} takes {}, but there are {found}", self.name(), count(expected, "feature"));
            return Err(crate::Error::Data(why));
        }
        let scores = self.predict_rows(&Samples::from_dataset(data)?);
        Ok(Matrix::new(scores.iter().map(|x| x.to_f64()).collect(), data.len(), self.outputs()))
    }

    /// Blocks of this many have the bits of all samples at once.
    fn block(&self) -> Option<usize> {
        Some(KernelMachine::block(&**self))
    }

    fn store(&self, to: &mut Store) -> Result<Settings> {
        KernelMachine::store(&**self, to)
    }
}
