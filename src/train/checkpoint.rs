//! [`Checkpoint`]: a run in a file, to go on from.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::check::check_buffers;
use super::motion::Motion;
use super::{Epoch, FitOptions, Observer, Run, Stop};
use crate::data::Dataset;
use crate::nn::ModuleExt;
use crate::store::{Settings, Store, Stored, bits};
use crate::{Error, Float, Result, text};

/// The version of what stands in a file.
const FORMAT: u32 = 1;

/// Where a run stands between two steps, and all that it remembers: parameters and buffers, what the optimizer and the
/// observers remember, the sums of an epoch that is not finished, the records of those that are.
///
/// Put into [`FitOptions::resume`], the run goes on as if it had never ended: **the same bits**, at any number of
/// threads. Module, loss, optimizer, data, batch, seed and observers must be those of the first run. Most of what differs is an
/// error that names it; the settings of observers handed over by the caller, groups of the optimizer, and which
/// parameters a penalty is on are not compared. [`Checkpoints`](super::observers::Checkpoints) writes them, and any observer can, by
/// [`Run::save`](super::Run::save).
///
/// ```
/// use tapegrad::data::synthetic;
/// use tapegrad::models::Network;
/// use tapegrad::train::observers::Checkpoints;
/// use tapegrad::train::{Checkpoint, FitOptions};
///
/// let train = synthetic::moons(200, 0.1, 7)?;
/// let made = || Network::<f32>::new(7).linear(8).relu().outputs_for(&train);
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("run.safetensors");
///
/// let mut whole = made()?;
/// let options = FitOptions { epochs: 4, ..Default::default() };
/// whole.fit(&train, &options)?;
///
/// let mut begun = made()?;
/// let half = FitOptions { epochs: 2, ..options.clone() };
/// let mut saves = Checkpoints { path: path.clone(), steps: 10 };
/// begun.fit_with(&train, None, &half, &mut [&mut saves])?;
///
/// let mut rest = made()?;
/// let options = FitOptions { resume: Some(Checkpoint::load(&path)?), ..options };
/// rest.fit_with(&train, None, &options, &mut [&mut saves])?;
/// assert_eq!(rest.tape().param_values(), whole.tape().param_values());
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone)]
pub struct Checkpoint {
    state: State,
    numbers: Stored,
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Standing { epoch, step } = self.state.place;
        write!(f, "Checkpoint(epoch {epoch}, after step {step})")
    }
}

/// What must be the same where a run goes on: what it is called in messages, and as text.
pub(super) type Settled = Vec<(String, String)>;

/// Between two steps.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Standing {
    /// From 1.
    pub epoch: usize,
    /// Steps of it that are done.
    pub step: usize,
}

/// Sums over the steps of an epoch.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Sums {
    pub steps: usize,
    pub samples: usize,
    /// Samples of steps that were left out as well.
    pub seen: usize,
    /// By which the losses are joined: [`Loss::weight`](crate::nn::Loss::weight).
    #[serde(with = "bits::number")]
    pub weight: f64,
    #[serde(with = "bits::number")]
    pub loss: f64,
    /// Weights of the samples, 1 each where there are none, and of those whose class was found.
    #[serde(with = "bits::number")]
    pub counted: f64,
    #[serde(with = "bits::number")]
    pub right: f64,
    #[serde(with = "bits::number")]
    pub norm: f64,
}

#[derive(Clone, Serialize, Deserialize)]
struct State {
    checkpoint: u32,
    settled: Settled,
    place: Standing,
    sums: Sums,
    optimizer_steps: u64,
    #[serde(with = "bits::number")]
    lr: f64,
    epochs: Vec<Epoch>,
    skipped: u64,
    stopped: Option<usize>,
    motion: Settings,
    observers: Vec<Settings>,
}

/// What is looked at first: the rest may be of another version.
#[derive(Deserialize)]
struct Format {
    checkpoint: Option<u32>,
}

impl Checkpoint {
    /// An error that names the file.
    pub(super) fn named(&self, error: Error) -> Error {
        self.numbers.named(error)
    }

    /// Reads one.
    ///
    /// # Errors
    /// As [`Stored::open`]; [`Error::Data`] if the file is no checkpoint, or one of a newer version.
    pub fn load(path: impl AsRef<Path>) -> Result<Checkpoint> {
        let (numbers, about) = Stored::open_text(path.as_ref())?;
        let refuse = |why: String| numbers.refused(why);
        match numbers.about::<Format>(&about)?.checkpoint {
            None => return Err(refuse("no checkpoint: a file of a model?".into())),
            Some(format) if format > FORMAT => {
                return Err(refuse(format!(
                    "a checkpoint of a newer version, in format {format}: update the program"
                )));
            }
            Some(_) => (),
        }
        let state: State = numbers.about(&about)?;
        let Standing { epoch, step } = state.place;
        let counts =
            [state.optimizer_steps, state.skipped, state.sums.seen as u64, epoch as u64, step as u64];
        let sums =
            [state.sums.loss, state.sums.weight, state.sums.counted, state.sums.right, state.sums.norm];
        if epoch != state.epochs.len() + 1
            || state.sums.steps > step
            || counts.iter().any(|count| *count >> 48 > 0)
            || sums.iter().chain([&state.lr]).any(|x| x.is_nan())
        {
            return Err(refuse("what it says of the run does not fit together".into()));
        }
        Ok(Checkpoint { state, numbers })
    }

    /// Epochs that were finished.
    pub fn epochs(&self) -> usize {
        self.state.epochs.len()
    }

    /// Steps that the optimizer had done.
    pub fn steps(&self) -> u64 {
        self.state.optimizer_steps
    }
}

/// What must be the same where a run goes on.
pub(super) fn settled<T: Float>(
    run: &Run<'_, T>,
    train: &Dataset,
    validation: Option<&Dataset>,
    options: &FitOptions,
) -> Settled {
    let mut optimizer = run.optimizer.name().to_string();
    for (name, value) in run.optimizer.settings() {
        optimizer += &format!(" {name}={value:?}");
    }
    optimizer += &format!(" weight_decay={:?}", run.optimizer.weight_decay());
    let penalty =
        options.penalty.as_ref().map_or("none".into(), |p| format!("{:?} of {}", p.lambda, p.params.len()));
    [
        ("type of numbers", T::NAME.to_string()),
        ("module", run.module.describe()),
        ("settings of the module", format!("{:?}", run.module.store())),
        ("loss", run.loss.name().to_string()),
        ("optimizer", optimizer),
        ("training data", format!("{:016x}", train.fingerprint())),
        ("validation data", validation.map_or("none".into(), |data| format!("{:016x}", data.fingerprint()))),
        ("batch", options.batch.to_string()),
        ("seed", options.seed.to_string()),
        ("first epoch", options.first_epoch.to_string()),
        ("rate", format!("{:?}", options.rate)),
        ("clipping", format!("{:?}", options.clip)),
        ("early stopping", format!("{:?}", options.early_stopping)),
        ("average", format!("{:?}", options.average)),
        ("audit", options.audit.to_string()),
        ("penalty", penalty),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .to_vec()
}

/// Writes a run as it stands.
pub(super) fn write<T: Float>(
    path: &Path,
    run: &Run<'_, T>,
    settled: &Settled,
    place: Standing,
    sums: &Sums,
    motion: &Motion<T>,
    observers: &[&mut (dyn Observer<T> + '_)],
) -> Result<()> {
    // Over the one before, which can be read: what is not finite could not.
    run.optimizer.check_finite(run.tape)?;
    check_buffers(run.tape)?;
    let mut store = Store::default();
    for (name, param) in run.module.named_parameters() {
        let shape = run.tape.param_shape(param);
        store.put(&name, shape.rows, shape.cols, run.tape.value_slice(param.var()));
    }
    let (motion, observers) = store.within("run", |to| -> Result<_> {
        // Parameters of the tape that are not the module's move as well.
        let all = run.tape.param_values();
        to.put("parameters", 1, all.len(), all);
        let state = run.optimizer.state();
        to.put("optimizer", 1, state.len(), state);
        let motion = to.within("motion", |to| motion.store(to));
        let each = |(i, observer): (usize, &&mut (dyn Observer<T> + '_))| {
            to.within("observers", |to| to.within(&i.to_string(), |to| observer.store(to)))
        };
        Ok((motion, observers.iter().enumerate().map(each).collect::<Result<Vec<_>>>()?))
    })?;
    let stopped = if let Some(Stop::Early { epoch }) = run.stop { Some(epoch) } else { None };
    let state = State {
        checkpoint: FORMAT,
        settled: settled.clone(),
        place,
        sums: sums.clone(),
        optimizer_steps: run.optimizer.steps(),
        lr: run.optimizer.lr(),
        epochs: run.history.epochs.clone(),
        skipped: run.history.skipped,
        stopped,
        motion,
        observers,
    };
    store.write(path, &state)
}

/// Puts a run of `count` steps an epoch back to where it stood.
pub(super) fn restore<T: Float>(
    checkpoint: &Checkpoint,
    run: &mut Run<'_, T>,
    now: &Settled,
    count: usize,
    motion: &mut Motion<T>,
    observers: &mut [&mut (dyn Observer<T> + '_)],
) -> Result<(Standing, Sums)> {
    let Checkpoint { state, numbers } = checkpoint;
    for (name, then) in &state.settled {
        match now.iter().find(|(other, _)| other == name) {
            Some((_, now)) if now == then => (),
            found => {
                let (name, then) = (text::printable(name), text::printable(then));
                let now = found.map_or("nothing", |(_, now)| now);
                return Err(Error::Data(format!(
                    "a run that goes on has another {name}: it was {then}, and is {now}"
                )));
            }
        }
    }
    if state.place.step > count {
        return Err(Error::Data(format!("{} steps of an epoch of {count}", state.place.step)));
    }
    if state.observers.len() != observers.len() {
        let (then, now) = (state.observers.len(), observers.len());
        return Err(Error::Data(format!("a run that goes on has {now} observers, and had {then}")));
    }
    let from = numbers.part("run");
    let values = from.shaped::<T>("parameters", 1, run.tape.param_numbers())?;
    let optimizer = from.matrix::<T>("optimizer")?;
    motion.restore(&state.motion, &from.part("motion"))?;
    run.optimizer.restore(run.tape, state.optimizer_steps, optimizer.as_slice())?;
    run.optimizer.follow(state.lr)?;
    run.tape.param_values_mut().copy_from_slice(values.as_slice());
    run.tape.rewind();
    run.history.epochs.clone_from(&state.epochs);
    run.history.skipped = state.skipped;
    for (i, (observer, settings)) in observers.iter_mut().zip(&state.observers).enumerate() {
        let now = observer.store(&mut Store::default())?;
        if now.kind() != settings.kind() {
            let (now, then) = (now.kind(), text::printable(settings.kind()));
            return Err(Error::Data(format!("observer {i} was of the kind `{then}`, and is of `{now}`")));
        }
        observer.restore(run, settings, &from.part("observers").part(&i.to_string()))?;
    }
    run.stop = state.stopped.map(|epoch| Stop::Early { epoch });
    Ok((state.place, state.sums.clone()))
}
