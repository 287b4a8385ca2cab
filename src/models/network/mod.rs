//! [`Network`]: a network with its tape, trained, measured and asked.

mod asked;
mod builder;
mod images;
mod parts;

pub use builder::NetworkBuilder;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::pool::Pool;

use super::predictor::{copy, errors};
use super::{Inputs, Predictor, Rows, Task};
use crate::data::preprocess::TargetScale;
use crate::float::Numbers;
use crate::linalg::first_not_finite;
use crate::metrics::{Evaluation, SeenClasses};
use crate::nn::loss::{self, Loss};
use crate::nn::{Mode, Module, ModuleExt, Sequential, Summary, restore};
use crate::optim::{Adam, Optimizer};
use crate::store::{Settings, Store, Stored};
use crate::tape::{Param, Tape};
use crate::text::count;
use crate::train::{self, FitOptions, History, Observer, RUN_PART, Run, is_token};
use crate::{Dataset, Error, Float, Matrix, Result};

/// A network with the tape of its parameters, the preparation of its data and its loss: a [`Predictor`] that can
/// be trained.
///
/// ```
/// use tapegrad::models::{Network, Predictor};
/// use tapegrad::train::FitOptions;
/// # use tapegrad::data::synthetic;
/// # let (data, seed) = (synthetic::moons(300, 0.1, 7)?, 7);
///
/// let (test, train) = data.stratified_split(0.2, seed)?;
/// let mut net = Network::<f32>::new(seed)
///     .standardize(&train)?
///     .linear(64).relu().dropout(0.1).linear(32).relu()
///     .outputs_for(&train)?;
/// let history = net.fit(&train, &FitOptions { epochs: 50, ..Default::default() })?;
/// println!("{}", net.evaluate(&test)?);
/// let p = net.probabilities(&[0.5, -0.3])?;
/// # assert_eq!((history.epochs.len(), p.shape()), (50, (1, data.classes())));
/// # assert!(net.evaluate(&test)?.accuracy() > Some(0.6), "{:?}", net.evaluate(&test)?);
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// A module of one's own goes in with [`add`](NetworkBuilder::add), or with
/// [`add_with`](NetworkBuilder::add_with) if it has parameters; a loss of one's own with
/// [`loss`](NetworkBuilder::loss). Handles of parameters are good on a clone as well.
pub struct Network<T: Float> {
    module: Sequential<T>,
    tape: Tape<T>,
    loss: Arc<dyn Loss<T>>,
    optimizer: Optimizer<T>,
    inputs: Inputs,
    task: Task,
    /// Whether classes were seen in training already: a further training adds to them.
    trained: bool,
    /// Epochs that were finished: the next training draws what follows on them.
    epochs: u64,
    pool: Pool<T>,
}

/// Whether a network gives a row for each label of a sample.
fn check_rows(rows: usize, labels: usize) -> Result<()> {
    if rows == labels {
        return Ok(());
    }
    let why = format!("the network gives {} for a sample, and not ", count(rows, "row"));
    Err(Error::Data(match labels {
        1 => why + "one: Tokens::join makes one of its tokens",
        _ => format!("{why}{labels}: as many as there are labels for each"),
    }))
}

impl<T: Float> Network<T> {
    /// The parts of a network, none yet; `seed` is that of its initial weights.
    #[expect(clippy::new_ret_no_self, reason = "what is made first is a list of parts")]
    pub fn new(seed: u64) -> NetworkBuilder<T> {
        NetworkBuilder::new(seed)
    }

    /// Trains it: [`train::fit`]. A second call goes on from where the first one ended, with the optimizer's state
    /// and with the order of the samples and the masks of the epochs that follow.
    ///
    /// # Errors
    /// As [`train::fit`]; [`Error::Data`] if the samples have other features, or their labels or targets do not mean
    /// what those of [`outputs_for`](NetworkBuilder::outputs_for) did.
    pub fn fit(&mut self, train: &Dataset, options: &FitOptions) -> Result<History> {
        self.fit_with(train, None, options, &mut [])
    }

    /// The same with a validation set, and with observers.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and those of the observers.
    pub fn fit_with(
        &mut self,
        train: &Dataset,
        validation: Option<&Dataset>,
        options: &FitOptions,
        observers: &mut [&mut dyn Observer<T>],
    ) -> Result<History> {
        if self.task.reconstructs() && options.augmentation().is_some() {
            let why = "a network that tells its own features would be asked for what was there before they were changed";
            return Err(Error::setting("augment", why));
        }
        let prepared = self.prepared(train)?;
        let validation = validation.map(|data| self.prepared(data)).transpose()?;
        let untrained = (self.task.clone(), self.trained);
        if let (Task::Classes { names, .. }, Some(labels)) = (&self.task, train.labels()) {
            self.has_seen(&SeenClasses::of_weighted(labels, train.weights(), names.len())?);
        }
        // Whatever happens from here on, the parameters may have changed.
        self.pool = Pool::default();
        // A run that goes on draws as it did before: the epochs of this network's own part of it are not counted twice.
        let first_epoch = match &options.resume {
            Some(checkpoint) => checkpoint.first_epoch()?,
            None => options.first_epoch.saturating_add(self.epochs),
        };
        let before = first_epoch.saturating_sub(options.first_epoch);
        let options = &FitOptions { first_epoch, ..options.clone() };
        let steps = self.optimizer.steps();
        let fitted = train::fit(
            &self.module,
            &*self.loss,
            &mut self.tape,
            &mut self.optimizer,
            &prepared,
            validation.as_ref(),
            options,
            observers,
        );
        match &fitted {
            Ok(history) => {
                let done = history.epochs.last().map_or(0, |epoch| epoch.epoch as u64);
                self.epochs = before.saturating_add(done);
            }
            // Nothing was learnt of these samples.
            Err(_) if self.optimizer.steps() == steps => (self.task, self.trained) = untrained,
            Err(_) => (),
        }
        fitted
    }

    /// Adds the classes of a training to those that may be answers.
    fn has_seen(&mut self, now: &SeenClasses) {
        let Task::Classes { names, seen, .. } = &mut self.task else { return };
        let either = |class| now.contains(class) || (self.trained && seen.contains(class));
        *seen = SeenClasses::from_flags((0..names.len()).map(either).collect());
        self.trained = true;
    }

    /// A copy of this network with the parameters that stand on the tape of a run: what an observer, which holds a clone
    /// of the network that is trained, can measure, ask and save.
    ///
    /// # Panics
    /// If the run is of another network.
    #[track_caller]
    pub fn within(&self, run: &Run<'_, T>) -> Network<T> {
        let (own, others) = (self.tape.param_numbers(), run.tape.param_numbers());
        assert!(
            own == others,
            "Network::within: the run has {}, and the network {own}",
            count(others, "parameter")
        );
        let mut network = self.clone();
        network.tape = run.tape.clone_parameters();
        if run.loss.link().classifies() {
            network.has_seen(&run.seen);
        }
        network.epochs = self.epochs.saturating_add(run.history.epochs.len() as u64);
        network
    }

    /// The data as the module and its loss take it.
    fn prepared(&self, data: &Dataset) -> Result<Dataset> {
        let data = self.task.told(data)?;
        self.task.check(&data)?;
        let data = self.inputs.prepare(&data)?;
        match self.scale() {
            Some(scale) => scale.apply(&data),
            None => Ok(data),
        }
    }

    fn scale(&self) -> Option<&TargetScale> {
        if let Task::Values { scale, .. } = &self.task { scale.as_ref() } else { None }
    }

    /// The scores of one sample, with nothing allocated but a tape for a thread that has none yet. `false` where that is
    /// not possible, or something is not as it should be: the way of many samples then answers, or says what it is.
    fn sample_into(&self, sample: Numbers<'_>, to: &mut [f64]) -> bool {
        let Some(map) = self.inputs.map_for(sample) else { return false };
        let width = sample.len();
        if !self.module.takes(width) {
            return false;
        }
        let vocabulary = self.module.vocabulary();
        let fits = self.pool.with(&self.tape, |tape| {
            tape.rewind();
            let x = tape.constant_with(1, width, |x| map.apply(sample, x));
            if vocabulary.is_some_and(|v| !tape.value_slice(x).iter().all(|x| is_token(*x, v))) {
                return false;
            }
            let y = self.module.forward(tape, x, &mut Mode::evaluation());
            let y = tape.value_slice(y);
            let rows = self.task.labels_per_row().max(1);
            let fits = to.len().checked_mul(rows) == Some(y.len());
            // Of a text, what follows its last token.
            to.iter_mut().rev().zip(y.iter().rev()).for_each(|(to, y)| *to = y.to_f64());
            fits
        });
        if let (true, Some(scale)) = (fits, self.scale()) {
            scale.undo(to);
        }
        fits && first_not_finite(to).is_none()
    }

    /// What a file holds of it.
    pub(crate) fn restore(settings: &Settings, from: &Stored, inputs: Inputs, task: Task) -> Result<Self> {
        // Room for all at once: where the arena grows, it is there twice for a moment.
        let mut tape = Tape::with_room(from.most_numbers::<T>(RUN_PART))?;
        let width = inputs.prepared_width()?;
        let (module, given) = restore::network(&mut tape, &settings.get("module")?, from, width)?;
        let outputs = given.cols;
        if outputs != task.outputs() {
            let why = format!(
                "the network gives {} for a sample, and what is told has {}",
                count(outputs, "number"),
                task.outputs()
            );
            return Err(Error::Data(why));
        }
        check_rows(given.rows, task.labels_per_row().max(1))?;
        module.name_parameters(&mut tape);
        Ok(Network {
            module,
            tape,
            loss: loss::restore(&settings.get("loss")?)?,
            optimizer: Optimizer::new(Adam::default(), 1e-3)?,
            inputs,
            task,
            trained: true,
            epochs: settings.get("epochs")?,
            pool: Pool::default(),
        })
    }

    /// Reads the parameters and buffers of a [saved](crate::models::save) network into this one, by name: the way in
    /// for a network with modules of one's own, which is made first.
    ///
    /// # Errors
    /// As [`Stored::open`]; [`Error::Data`] if one is missing in the file, or has another shape or type of numbers. Then
    /// nothing has been changed.
    pub fn load_parameters(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let (from, _) = Stored::open::<serde::de::IgnoredAny>(path)?;
        let named = self.module.named_parameters();
        let read = |(name, param): &(String, Param)| {
            let shape = self.tape.param_shape(*param);
            from.shaped::<T>(name, shape.rows, shape.cols)
        };
        let values = named.iter().map(read).collect::<Result<Vec<_>>>()?;
        self.pool = Pool::default();
        for ((_, param), values) in named.iter().zip(values) {
            self.tape.set_param(*param, values.as_slice());
        }
        Ok(())
    }

    /// The module itself.
    pub fn module(&self) -> &Sequential<T> {
        &self.module
    }

    /// The loss.
    pub fn loss(&self) -> &dyn Loss<T> {
        &*self.loss
    }

    /// The tape of the parameters.
    pub fn tape(&self) -> &Tape<T> {
        &self.tape
    }

    /// The tape of the parameters, to change them.
    pub fn tape_mut(&mut self) -> &mut Tape<T> {
        self.pool = Pool::default();
        &mut self.tape
    }

    /// What takes the steps.
    pub fn optimizer_mut(&mut self) -> &mut Optimizer<T> {
        &mut self.optimizer
    }

    /// Layers, numbers of parameters and memory of a step with `batch` samples: printed, a table.
    ///
    /// # Errors
    /// As [`Inputs::prepare`]: the module is run on one sample of zeros.
    pub fn summary(&self, batch: usize) -> Result<Summary> {
        let features = self.inputs.prepare(&self.inputs.zeros()?)?.features();
        Ok(Summary::of(&self.module, &mut self.tape.clone_parameters(), features, batch))
    }
}

impl<T: Float> Clone for Network<T> {
    fn clone(&self) -> Self {
        Network {
            module: self.module.clone(),
            tape: self.tape.clone_parameters(),
            loss: self.loss.clone(),
            optimizer: self.optimizer.clone(),
            inputs: self.inputs.clone(),
            task: self.task.clone(),
            pool: Pool::default(),
            ..*self
        }
    }
}

/// The parts, the inputs, and how the network learns.
impl<T: Float> fmt::Debug for Network<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("module", &self.module)
            .field("inputs", &self.inputs)
            .field("task", &self.task)
            .field("loss", &self.loss.name())
            .field("optimizer", &self.optimizer.to_string())
            .finish_non_exhaustive()
    }
}

impl<T: Float> Predictor for Network<T> {
    fn describe(&self) -> String {
        self.module.describe()
    }

    fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    fn task(&self) -> &Task {
        &self.task
    }

    fn outputs(&self, prepared: &Dataset) -> Result<Matrix<f64>> {
        if prepared.is_empty() {
            let cols = self.pool.with(&self.tape, |tape| self.module.outputs(tape, prepared.features()));
            return Ok(Matrix::zeros(0, cols));
        }
        let numbers = self.pool.with(&self.tape, |tape| train::predict(&self.module, tape, prepared))?;
        let all = numbers.len() / prepared.len();
        if let Some(at) = first_not_finite(&numbers) {
            let (row, output, value) = (at / all, at % all, numbers[at]);
            return Err(Error::NonFinite(format!("row {row}: output {output} of the network is {value}")));
        }
        // Of a text, what follows its last token.
        let cols = all / self.task.labels_per_row().max(1);
        let last = numbers.chunks(all.max(1)).flat_map(|sample| &sample[all - cols..]);
        Ok(Matrix::new(last.map(|x| x.to_f64()).collect(), prepared.len(), cols))
    }

    fn behind(&self, part: &str, rows: &dyn Rows) -> Result<Matrix<f64>> {
        self.numbers_behind(part, rows)
    }

    fn context(&self) -> Option<usize> {
        self.bytes_seen()
    }

    fn next_scores(&self, text: &[u8]) -> Result<Vec<f64>> {
        self.scores_of_next(text)
    }

    /// One sample goes past the data set.
    fn scores_into(&self, rows: &dyn Rows, to: &mut [f64]) -> Result<()> {
        if !rows.sample().is_some_and(|sample| self.sample_into(sample, to)) {
            copy("scores_into", &self.scores(rows)?, to);
        }
        Ok(())
    }

    /// The optimizer is not kept: what is read can be used, and trained anew.
    fn store(&self, to: &mut Store) -> Result<Settings> {
        let own = |what: &str, name: &str| {
            Error::Data(format!(
                "the {what} `{name}` is not of this crate, and a file cannot tell how to make it again"
            ))
        };
        let module = self.module.store().ok_or_else(|| own("network", &self.module.describe()))?;
        let loss = self.loss.store().ok_or_else(|| own("loss", self.loss.name()))?;
        let mut stored = HashMap::new();
        for (name, param) in self.module.named_parameters() {
            if let Some(other) = stored.insert(param, name.clone()) {
                return Err(Error::Data(format!(
                    "`{other}` and `{name}` are one parameter, and a file would make two of it"
                )));
            }
            let (shape, values) = (self.tape.param_shape(param), self.tape.value_slice(param.var()));
            to.put(&name, shape.rows, shape.cols, values);
        }
        let settings =
            Settings::of("network").with("precision", T::NAME).with("module", module).with("loss", loss);
        Ok(settings.with("optimizer", self.optimizer.to_string()).with("epochs", self.epochs))
    }

    /// The loss is the network's own, on the scale on which it learns; errors of values are on the targets' own.
    fn evaluate(&self, data: &Dataset) -> Result<Evaluation> {
        let data = &self.task.told(data)?;
        let prepared = self.prepared(data)?;
        let all;
        let seen = match &self.task {
            Task::Classes { seen, .. } => seen,
            Task::Values { .. } => {
                all = SeenClasses::all(0);
                &all
            }
        };
        let (mut found, tells_values) = (Vec::new(), matches!(self.task, Task::Values { .. }));
        let mut evaluation = self.pool.with(&self.tape, |tape| {
            T::evaluate(&self.module, &*self.loss, tape, &prepared, seen, &mut |outputs| {
                if tells_values {
                    found.extend(outputs.iter().map(|y| y.to_f64()));
                }
            })
        })?;
        if let (Task::Values { width, scale, reconstructs }, Some(targets)) = (&self.task, data.targets()) {
            // A loss of one's own may have more outputs than there are targets: they are no values then.
            if found.len() == targets.len() {
                scale.iter().for_each(|scale| scale.undo(&mut found));
                evaluation.values = Some(errors(targets, &found, *width, data.weights(), *reconstructs)?);
            }
        }
        if let Some(confusion) = evaluation.confusion.take() {
            evaluation.confusion = Some(match self.task.class_names() {
                names if names.len() == confusion.classes() => confusion.with_names(names.iter().cloned())?,
                _ => confusion,
            });
        }
        Ok(evaluation)
    }
}
