//! [`Checkpoint`]: a run as it stands between two steps, to go on from.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::check::check_buffers;
use super::motion::Motion;
use super::{Audit, Epoch, FitOptions, Observer, Run, Stop};
use crate::data::Dataset;
use crate::linalg::ORDER;
use crate::nn::ModuleExt;
use crate::store::{Settings, Store, Stored, bits};
use crate::{Error, Float, Result, text};

/// The version of what stands in a file.
const FORMAT: u32 = 1;

/// What stands in front of the names of its numbers.
pub(crate) const PART: &str = "run";

/// Kinds of observers that only look on: a run is the same with them and without.
const LOOKS_ON: &str = "audit";

/// Where a run stands between two steps, and all that it remembers: parameters and buffers, what the optimizer and the
/// observers remember, the sums of an epoch that is not finished, the records of those that are.
///
/// Put into [`FitOptions::resume`], the run goes on as if it had never ended: **the same bits**, at any number of
/// threads. Module, loss, optimizer, data, batch, seed and observers must be those of the first run. Most of what differs is an
/// error that names it; the settings of observers handed over by the caller, and which parameters a penalty or a group of
/// the optimizer is of, are not compared. [`Checkpoints`](super::observers::Checkpoints) writes them to a file; any
/// observer can ask for one by [`Run::checkpoint`](super::Run::checkpoint), and is then given it. In the file of a model,
/// it stands beside the model: [`save_run`](crate::models::save_run).
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
    epochs: Vec<Epoch>,
    numbers: Stored,
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Standing { epoch, step } = self.state.place;
        write!(f, "Checkpoint(epoch {epoch}, after step {step})")
    }
}

/// The name under which the epoch of the first random draws is kept.
const FIRST_EPOCH: &str = "first epoch";

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
    /// The other numbers of the epochs are a matrix.
    audits: Vec<(usize, Audit)>,
    skipped: u64,
    stopped: Option<usize>,
    motion: Settings,
    observers: Vec<Settings>,
    /// The order of the sums in products; before there was a number, 0.
    #[serde(default)]
    order_of_sums: u32,
}

/// What is looked at first: the rest may be of another version.
#[derive(Deserialize)]
struct Format {
    checkpoint: Option<u32>,
}

impl Checkpoint {
    /// The epoch of the random draws with which the run began.
    pub(crate) fn first_epoch(&self) -> Result<u64> {
        let of_run = self.state.settled.iter().find(|(name, _)| name == FIRST_EPOCH);
        let epoch = of_run.and_then(|(_, epoch)| epoch.parse().ok());
        epoch.ok_or_else(|| self.named(Error::Data(format!("it does not tell its {FIRST_EPOCH}"))))
    }

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
            None => return Err(refuse("the file has no run to go on from: a model alone?".into())),
            Some(format) if format > FORMAT => {
                return Err(refuse(format!(
                    "a checkpoint of a newer version, in format {format}: update the program"
                )));
            }
            Some(_) => (),
        }
        let state: State = numbers.about(&about)?;
        if state.order_of_sums != ORDER {
            return Err(refuse(format!(
                "the run was begun by a version whose products are summed in order {}, and this one has order {ORDER}: it \
                 would go on with other bits",
                state.order_of_sums
            )));
        }
        let Standing { epoch, step } = state.place;
        let counts =
            [state.optimizer_steps, state.skipped, state.sums.seen as u64, epoch as u64, step as u64];
        let sums =
            [state.sums.loss, state.sums.weight, state.sums.counted, state.sums.right, state.sums.norm];
        let epochs = epochs_of(&numbers.part(PART), &state.audits)?;
        if epoch != epochs.len() + 1
            || state.sums.steps > step
            || counts.iter().any(|count| *count >> 48 > 0)
            || sums.iter().chain([&state.lr]).any(|x| x.is_nan())
        {
            return Err(refuse("what it says of the run does not fit together".into()));
        }
        Ok(Checkpoint { state, epochs, numbers })
    }

    /// Writes it to a file of its own, whole or not at all, over one that is there.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written; [`Error::Data`] if audits say more than a file may hold.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut store = Store::default();
        store.add(&self.numbers)?;
        store.write(path, &self.state)
    }

    /// Puts its numbers beside those of a model; what is to be said of them.
    pub(crate) fn store(&self, to: &mut Store) -> Result<impl Serialize + '_> {
        to.add(&self.numbers.part(PART))?;
        Ok(&self.state)
    }

    /// An error if the run has come further than that.
    pub(super) fn check_epochs(&self, epochs: usize) -> Result<()> {
        let Standing { epoch, step } = self.state.place;
        if self.epochs.len() + usize::from(step > 0) <= epochs {
            return Ok(());
        }
        Err(Error::setting(
            "epochs",
            format!("{epochs} is too few: the run has come to epoch {epoch} already"),
        ))
    }

    /// Epochs that were finished.
    pub fn epochs(&self) -> usize {
        self.epochs.len()
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
    optimizer +=
        &format!(" weight_decay={:?}{}", run.optimizer.weight_decay(), run.optimizer.groups_in_text());
    let penalty =
        options.penalty.as_ref().map_or("none".into(), |p| format!("{:?} of {}", p.lambda, p.params.len()));
    [
        ("type of numbers", T::NAME.to_string()),
        ("training data", format!("{:016x}", train.fingerprint())),
        ("validation data", validation.map_or("none".into(), |data| format!("{:016x}", data.fingerprint()))),
        // What follows may be so because of the data.
        ("module", run.module.describe()),
        ("settings of the module", format!("{:?}", run.module.store())),
        ("loss", run.loss.name().to_string()),
        ("optimizer", optimizer),
        ("batch", options.batch.to_string()),
        ("seed", options.seed.to_string()),
        (FIRST_EPOCH, options.first_epoch.to_string()),
        ("rate", format!("{:?}", options.rate)),
        ("clipping", format!("{:?}", options.clip)),
        ("early stopping", format!("{:?}", options.early_stopping)),
        ("average", format!("{:?}", options.average)),
        ("penalty", penalty),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .to_vec()
}

impl Checkpoint {
    /// A run as it stands.
    pub(super) fn of<T: Float>(
        run: &Run<'_, T>,
        settled: &Settled,
        place: Standing,
        sums: &Sums,
        motion: &Motion<T>,
        observers: &[&mut (dyn Observer<T> + '_)],
    ) -> Result<Checkpoint> {
        // It may be written over the one before, which can be read: what is not finite could not.
        run.optimizer.check_finite(run.tape)?;
        check_buffers(run.tape)?;
        let mut store = Store::default();
        for (name, param) in run.module.named_parameters() {
            let shape = run.tape.param_shape(param);
            store.put(&name, shape.rows, shape.cols, run.tape.value_slice(param.var()));
        }
        let (motion, observers) = store.within(PART, |to| -> Result<_> {
            // Parameters of the tape that are not the module's move as well.
            let all = run.tape.param_values();
            to.put("parameters", 1, all.len(), all);
            let state = run.optimizer.state();
            to.put("optimizer", 1, state.len(), state);
            let epochs: Vec<f64> = run.history.epochs.iter().flat_map(row_of).collect();
            to.put("epochs", run.history.epochs.len(), COLUMNS, &epochs);
            let motion = to.within("motion", |to| motion.store(to));
            let each = |(i, observer): (usize, &&mut (dyn Observer<T> + '_))| {
                to.within("observers", |to| to.within(&i.to_string(), |to| observer.store(to)))
            };
            Ok((motion, observers.iter().enumerate().map(each).collect::<Result<Vec<_>>>()?))
        })?;
        let audits = run.history.epochs.iter().enumerate();
        let state = State {
            checkpoint: FORMAT,
            settled: settled.clone(),
            place,
            sums: sums.clone(),
            optimizer_steps: run.optimizer.steps(),
            lr: run.optimizer.lr(),
            audits: audits.filter_map(|(i, epoch)| Some((i, epoch.audit.clone()?))).collect(),
            skipped: run.history.skipped,
            stopped: if let Some(Stop::Early { epoch }) = run.stop { Some(epoch) } else { None },
            motion,
            observers,
            order_of_sums: ORDER,
        };
        Ok(Checkpoint { state, epochs: run.history.epochs.clone(), numbers: Stored::of(store, "checkpoint") })
    }
}

/// Columns of the matrix of epochs: which of the numbers that an epoch may lack there are, its number and steps, and the
/// numbers.
const COLUMNS: usize = 11;

fn row_of(epoch: &Epoch) -> [f64; COLUMNS] {
    let may_lack = [epoch.train_accuracy, epoch.validation_loss, epoch.validation_accuracy];
    let there = may_lack.iter().rev().fold(0u32, |bits, x| 2 * bits + u32::from(x.is_some()));
    let [accuracy, validation_loss, validation_accuracy] = may_lack.map(|x| x.unwrap_or(0.0));
    [
        f64::from(there),
        epoch.epoch as f64,
        epoch.steps as f64,
        epoch.lr,
        epoch.train_loss,
        accuracy,
        epoch.gradient_norm,
        validation_loss,
        validation_accuracy,
        epoch.seconds,
        epoch.samples_per_second,
    ]
}

/// The records of a file's epochs.
fn epochs_of(from: &Stored, audits: &[(usize, Audit)]) -> Result<Vec<Epoch>> {
    // A loss that has grown beyond every number is a record too.
    let rows = from.any_numbers::<f64>("epochs")?;
    let (rows, rest) = rows.as_slice().as_chunks::<COLUMNS>();
    let mut epochs: Vec<Epoch> = rows
        .iter()
        .map(|row| {
            let [there, epoch, steps, lr, train_loss, accuracy, gradient_norm, loss, found, seconds, rate] =
                *row;
            let has = |bit: u32, x: f64| (there as u32 >> bit & 1 == 1).then_some(x);
            Epoch {
                epoch: epoch as usize,
                steps: steps as u64,
                lr,
                train_loss,
                train_accuracy: has(0, accuracy),
                gradient_norm,
                validation_loss: has(1, loss),
                validation_accuracy: has(2, found),
                audit: None,
                seconds,
                samples_per_second: rate,
            }
        })
        .collect();
    for (i, audit) in audits {
        match epochs.get_mut(*i) {
            Some(epoch) => epoch.audit = Some(audit.clone()),
            None => return Err(from.refused(format!("an audit of epoch {}, of {}", i + 1, epochs.len()))),
        }
    }
    if !rest.is_empty() || epochs.iter().enumerate().any(|(i, epoch)| epoch.epoch != i + 1) {
        return Err(from.refused("its epochs do not fit together".into()));
    }
    Ok(epochs)
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
    let Checkpoint { state, epochs, numbers } = checkpoint;
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
    let from = numbers.part(PART);
    let values = from.shaped::<T>("parameters", 1, run.tape.param_numbers())?;
    let optimizer = from.matrix::<T>("optimizer")?;
    motion.restore(&state.motion, &from.part("motion"))?;
    run.optimizer.restore(run.tape, state.optimizer_steps, optimizer.as_slice())?;
    run.optimizer.follow(state.lr)?;
    run.tape.param_values_mut().copy_from_slice(values.as_slice());
    run.tape.rewind();
    run.history.epochs.clone_from(epochs);
    run.history.skipped = state.skipped;
    put_back(state, run, &from.part("observers"), observers)?;
    run.stop = state.stopped.map(|epoch| Stop::Early { epoch });
    Ok((state.place, state.sums.clone()))
}

/// Gives each observer what one of its kind remembered, in order.
fn put_back<T: Float>(
    state: &State,
    run: &mut Run<'_, T>,
    from: &Stored,
    observers: &mut [&mut (dyn Observer<T> + '_)],
) -> Result<()> {
    let matters = |settings: &Settings| !settings.is_nothing() && settings.kind() != LOOKS_ON;
    let mut then = state.observers.iter().enumerate().filter(|(_, settings)| matters(settings));
    for observer in observers {
        let now = observer.store(&mut Store::default())?;
        let found = if matters(&now) {
            let Some((i, settings)) = then.next() else {
                return Err(Error::Data(format!(
                    "a run that goes on has an observer more, `{}`",
                    now.kind()
                )));
            };
            if settings.kind() != now.kind() {
                let (now, then) = (now.kind(), text::printable(settings.kind()));
                return Err(Error::Data(format!("an observer was of the kind `{then}`, and is of `{now}`")));
            }
            Some((i, settings))
        } else {
            state.observers.iter().enumerate().find(|(_, settings)| settings.kind() == now.kind())
        };
        match found {
            Some((i, settings)) => observer.restore(run, settings, &from.part(&i.to_string()))?,
            // It may still want to know where the run stands.
            None if now.is_nothing() => observer.restore(run, &now, from)?,
            None => (),
        }
    }
    match then.next() {
        Some((_, settings)) => {
            let kind = text::printable(settings.kind());
            Err(Error::Data(format!("a run that goes on lacks an observer, `{kind}`")))
        }
        None => Ok(()),
    }
}
