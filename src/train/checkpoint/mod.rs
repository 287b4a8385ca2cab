//! [`Checkpoint`]: a run as it stands between two steps, to go on from.

mod records;
pub(super) mod resume;

use std::path::Path;

use serde::{Deserialize, Serialize};

use records::epochs_of;

use super::{Audit, Epoch};
use crate::linalg::ORDER;
use crate::store::{Settings, Store, Stored, lossless};
use crate::{Error, Result};

/// The version of what stands in a file. In 1 single numbers were their bits, which are read as well.
const FORMAT: u32 = 2;

/// What stands in front of the names of its numbers.
pub(crate) const PART: &str = "run";

/// Where a run stands between two steps, and all that it remembers: parameters and buffers, what the optimizer and the
/// observers remember, the sums of an epoch that is not finished, the records of those that are.
///
/// Put into [`FitOptions::resume`](super::FitOptions::resume), the run goes on as if it had never ended: **the same bits**, at any number of
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
pub(in crate::train) type Settled = Vec<(String, String)>;

/// Between two steps.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(in crate::train) struct Standing {
    /// From 1.
    pub epoch: usize,
    /// Steps of it that are done.
    pub step: usize,
}

/// Sums over the steps of an epoch.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(in crate::train) struct Sums {
    pub steps: usize,
    pub samples: usize,
    /// Samples of steps that were left out as well.
    pub seen: usize,
    /// By which the losses are joined: [`Loss::weight`](crate::nn::Loss::weight).
    #[serde(with = "lossless")]
    pub weight: f64,
    #[serde(with = "lossless")]
    pub loss: f64,
    /// Weights of the samples, 1 each where there are none, and of those whose class was found.
    #[serde(with = "lossless")]
    pub counted: f64,
    #[serde(with = "lossless")]
    pub right: f64,
    #[serde(with = "lossless")]
    pub norm: f64,
}

#[derive(Clone, Serialize, Deserialize)]
struct State {
    checkpoint: u32,
    settled: Settled,
    place: Standing,
    sums: Sums,
    optimizer_steps: u64,
    #[serde(with = "lossless")]
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
    pub(in crate::train) fn named(&self, error: Error) -> Error {
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
                "the run was begun by a version whose order of sums has number {}, and that of this one has number {ORDER}: it \
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
    pub(in crate::train) fn check_epochs(&self, epochs: usize) -> Result<()> {
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
