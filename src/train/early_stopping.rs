//! When to stop, and the parameters to go back to.

use std::fmt;

use crate::settings::{self, Range};
use crate::store::{Settings, Store, Stored};
use crate::tape::{Shape, Tape};
use crate::text::count;
use crate::{Error, Float, Result};

/// When to end a training, judged by the error on a validation set.
///
/// With E_va(t) and E_tr(t) the validation and the training error of epoch t, from 1, and E_opt(t) the
/// least validation error so far: Prechelt, *Early Stopping — But When?*, in: Neural Networks: Tricks of
/// the Trade, LNCS 1524, 1998. His criteria are relative to the error, so they need one that is positive,
/// such as a cross-entropy or a mean square; patience does not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Criterion {
    /// GL_α, the generalization loss: stop when 100·(E_va(t)/E_opt(t) − 1) > α.
    GeneralizationLoss {
        /// α, in percent; Prechelt tries 1 to 5.
        alpha: f64,
    },
    /// PQ_α, its quotient with the progress: at the end of each strip of k epochs, stop when
    /// GL(t)/P_k(t) > α, where P_k(t) = 1000·(Σ E_tr/(k·min E_tr) − 1), sum and minimum over the strip.
    /// So a loss is borne while training still goes fast.
    ProgressQuotient {
        /// α; Prechelt tries 0.5 to 3.
        alpha: f64,
        /// k; Prechelt takes 5.
        strip: usize,
    },
    /// UP_s: stop when the validation error at the end of a strip of k epochs was larger than at the end
    /// of the one before, s times in a row. The first strip has none before it.
    Up {
        /// s; Prechelt tries 2 to 8.
        times: usize,
        /// k; Prechelt takes 5.
        strip: usize,
    },
    /// Stop after so many epochs in a row in which the validation error did not fall by more than
    /// `min_delta` below the least that counted.
    Patience {
        /// Epochs in a row.
        epochs: usize,
        /// What an improvement must exceed, in the units of the error; often 0.
        min_delta: f64,
    },
}

/// Follows a training, keeps the best parameters, and says when to stop.
///
/// The best are those of the least validation error, the first of equal ones, whatever the criterion.
/// What is kept are whole parameters, [`Tape::param_values`], which fit every tape of the same shapes; nothing
/// of one epoch is mixed with another's. With them go the buffers: the running statistics of batch
/// normalisation. State elsewhere is the caller's to keep when [`Verdict::improved`] says so.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::train::{Criterion, EarlyStopping};
///
/// let mut tape = Tape::new();
/// let w = tape.param_slice(1, 1, &[0.0]);
/// let mut stopping = EarlyStopping::new(Criterion::GeneralizationLoss { alpha: 5.0 })?;
/// let mut epoch = 0;
/// for validation in [1.0, 0.6, 0.5, 0.52, 0.54, 0.6] {
///     epoch += 1;
///     tape.param_values_mut()[0] = f64::from(epoch);
///     if stopping.observe(&tape, 0.1, validation)?.stop {
///         break;
///     }
/// }
/// assert_eq!(epoch, 5);
/// assert_eq!(stopping.restore(&mut tape), Some(3));
/// assert_eq!(tape.item(w), 3.0);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct EarlyStopping<T> {
    criterion: Criterion,
    /// Epochs observed.
    epochs: usize,
    /// E_opt, its epoch, and the parameters then.
    best: f64,
    best_epoch: usize,
    parameters: Vec<T>,
    /// Their shapes, so that they go back to none of other shapes.
    shapes: Vec<Shape>,
    /// Training errors of the strip that is not finished: their sum, and the least.
    strip_sum: f64,
    strip_least: f64,
    /// The validation error at the end of the last strip, or the least that counted for patience.
    before: Option<f64>,
    /// Strips or epochs in a row that speak for an end.
    bad: usize,
}

/// What one epoch means: see [`EarlyStopping::observe`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The validation error is the least so far: these parameters are kept.
    pub improved: bool,
    /// The criterion is met.
    pub stop: bool,
    /// 100·(E_va/E_opt − 1), in percent: 0 for the best, ∞ where the best is 0 and this is not.
    pub generalization_loss: f64,
}

impl Criterion {
    fn check(self) -> Result<Self> {
        let positive = settings::at_least_one;
        // Errors are kept and compared in f64, whatever the tape is of.
        let not_negative = |name: &'static str, x: f64| settings::check::<f64>(name, x, Range::NOT_NEGATIVE);
        match self {
            Criterion::GeneralizationLoss { alpha } => {
                not_negative("alpha", alpha)?;
            }
            Criterion::ProgressQuotient { alpha, strip } => {
                not_negative("alpha", alpha)?;
                positive("strip", strip)?;
            }
            Criterion::Up { times, strip } => {
                positive("times", times)?;
                positive("strip", strip)?;
            }
            Criterion::Patience { epochs, min_delta } => {
                positive("patience", epochs)?;
                not_negative("min_delta", min_delta)?;
            }
        }
        Ok(self)
    }

    /// Length of a strip of epochs at whose end the criterion is looked at.
    fn strip(self) -> usize {
        match self {
            Criterion::ProgressQuotient { strip, .. } | Criterion::Up { strip, .. } => strip,
            _ => 1,
        }
    }

    fn is_relative(self) -> bool {
        !matches!(self, Criterion::Patience { .. })
    }
}

impl<T: Float> EarlyStopping<T> {
    /// Before the first epoch.
    ///
    /// # Errors
    /// [`Error::Setting`] if α or `min_delta` is negative or not finite, or a count is 0.
    pub fn new(criterion: Criterion) -> Result<Self> {
        Ok(EarlyStopping {
            criterion: criterion.check()?,
            epochs: 0,
            best: f64::INFINITY,
            best_epoch: 0,
            parameters: Vec::new(),
            shapes: Vec::new(),
            strip_sum: 0.0,
            strip_least: f64::INFINITY,
            before: None,
            bad: 0,
        })
    }

    /// Takes the errors of a finished epoch, on the training set and on the validation set; the
    /// parameters on `tape` are kept if they are the best.
    ///
    /// After `stop` a caller may go on: the criterion is judged anew with every epoch.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if an error is NaN or infinite, [`Error::Data`] if one is negative and the
    /// criterion needs positive ones. Nothing has changed then.
    pub fn observe(&mut self, tape: &Tape<T>, train: f64, validation: f64) -> Result<Verdict> {
        let epoch = self.epochs + 1;
        for (name, error) in [("training", train), ("validation", validation)] {
            if !error.is_finite() {
                return Err(Error::NonFinite(format!("epoch {epoch}: the {name} error is {error}")));
            }
            if error < 0.0 && self.criterion.is_relative() {
                return Err(Error::Data(format!(
                    "epoch {epoch}: the {name} error is {error}, but {} is for errors that are not negative: \
                     stop by patience",
                    self.criterion
                )));
            }
        }
        self.epochs = epoch;
        let improved = validation < self.best;
        if improved {
            self.best = validation;
            self.best_epoch = epoch;
            self.parameters.clear();
            self.parameters.extend_from_slice(tape.param_values());
            self.shapes.clear();
            self.shapes.extend(tape.params().map(|p| tape.param_shape(p)));
        }
        let generalization_loss =
            if validation == self.best { 0.0 } else { 100.0 * (validation / self.best - 1.0) };
        let stop = self.judge(train, validation, generalization_loss);
        Ok(Verdict { improved, stop, generalization_loss })
    }

    fn judge(&mut self, train: f64, validation: f64, generalization_loss: f64) -> bool {
        self.strip_sum += train;
        self.strip_least = self.strip_least.min(train);
        let strip = self.criterion.strip();
        if !self.epochs.is_multiple_of(strip) {
            return false;
        }
        let mean = std::mem::take(&mut self.strip_sum) / strip as f64;
        let least = std::mem::replace(&mut self.strip_least, f64::INFINITY);
        match self.criterion {
            Criterion::GeneralizationLoss { alpha } => generalization_loss > alpha,
            Criterion::ProgressQuotient { alpha, .. } => {
                // Multiplied out, so that no progress at all is no division by zero.
                let progress = if mean == least { 0.0 } else { 1000.0 * (mean / least - 1.0) };
                generalization_loss > 0.0 && generalization_loss > alpha * progress
            }
            Criterion::Up { times, .. } => {
                let up = self.before.replace(validation).is_some_and(|before| validation > before);
                self.bad = if up { self.bad + 1 } else { 0 };
                self.bad >= times
            }
            Criterion::Patience { epochs, min_delta } => {
                if self.before.is_none_or(|least| validation < least - min_delta) {
                    self.before = Some(validation);
                    self.bad = 0;
                } else {
                    self.bad += 1;
                }
                self.bad >= epochs
            }
        }
    }

    /// Puts the best parameters back, and returns the epoch they are of, from 1; `None`, and nothing
    /// changes, before the first epoch.
    ///
    /// # Panics
    /// If the tape has more or fewer parameters than it had then, or they have other shapes.
    #[track_caller]
    pub fn restore(&self, tape: &mut Tape<T>) -> Option<usize> {
        let epoch = self.best_epoch()?;
        let (kept, there) = (self.parameters.len(), tape.param_numbers());
        assert!(
            kept == there,
            "EarlyStopping::restore: it kept {}, but the parameters hold {there}",
            count(kept, "number")
        );
        let shapes = || tape.params().map(|p| (p, tape.param_shape(p)));
        assert!(
            shapes().len() == self.shapes.len(),
            "EarlyStopping::restore: it kept {}, but the tape has {}",
            count(self.shapes.len(), "parameter"),
            shapes().len()
        );
        for ((p, now), then) in shapes().zip(&self.shapes) {
            assert!(now == *then, "EarlyStopping::restore: {p} is {now}, but was {then} when it was kept");
        }
        tape.param_values_mut().copy_from_slice(&self.parameters);
        Some(epoch)
    }

    /// What it remembers, for a file.
    pub(crate) fn store(&self, to: &mut Store) -> Settings {
        to.put("parameters", 1, self.parameters.len(), &self.parameters);
        let numbers = [self.best, self.strip_sum, self.strip_least].map(f64::to_bits);
        let settings = Settings::of("early_stopping").with("criterion", self.criterion.to_string());
        let settings = settings.with("epochs", self.epochs).with("best_epoch", self.best_epoch);
        let settings = settings.with("numbers", numbers).with("before", self.before.map(f64::to_bits));
        settings.with("bad", self.bad)
    }

    /// Puts it back, for the parameters of `tape`.
    pub(crate) fn load(&mut self, tape: &Tape<T>, settings: &Settings, from: &Stored) -> Result<()> {
        let (criterion, own) = (settings.get::<String>("criterion")?, self.criterion.to_string());
        if criterion != own {
            let why = format!("early stopping was {}, and is {own} now", crate::text::printable(&criterion));
            return Err(Error::Data(why));
        }
        let best_epoch: usize = settings.get("best_epoch")?;
        let parameters = from.matrix::<T>("parameters")?.into_vec();
        let needed = if best_epoch == 0 { 0 } else { tape.param_numbers() };
        if parameters.len() != needed {
            return Err(Error::Data(format!(
                "it kept {}, and not {needed}",
                count(parameters.len(), "number")
            )));
        }
        let [best, sum, least] = settings.get::<[u64; 3]>("numbers")?.map(f64::from_bits);
        (self.best, self.strip_sum, self.strip_least) = (best, sum, least);
        (self.epochs, self.bad) = (settings.get("epochs")?, settings.get("bad")?);
        self.before = settings.get::<Option<u64>>("before")?.map(f64::from_bits);
        (self.best_epoch, self.parameters) = (best_epoch, parameters);
        self.shapes =
            if best_epoch == 0 { Vec::new() } else { tape.params().map(|p| tape.param_shape(p)).collect() };
        Ok(())
    }

    /// The criterion.
    pub fn criterion(&self) -> Criterion {
        self.criterion
    }

    /// The epoch with the least validation error, from 1; `None` before the first.
    pub fn best_epoch(&self) -> Option<usize> {
        (self.best_epoch > 0).then_some(self.best_epoch)
    }

    /// The least validation error; ∞ before the first epoch.
    pub fn best(&self) -> f64 {
        self.best
    }

    /// Parameters of the epoch with the least validation error; empty before the first.
    pub fn parameters(&self) -> &[T] {
        &self.parameters
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Criterion::GeneralizationLoss { alpha } => write!(f, "GL alpha={alpha:?}"),
            Criterion::ProgressQuotient { alpha, strip } => write!(f, "PQ alpha={alpha:?} strip={strip}"),
            Criterion::Up { times, strip } => write!(f, "UP times={times} strip={strip}"),
            Criterion::Patience { epochs, min_delta } => {
                write!(f, "patience epochs={epochs} min_delta={min_delta:?}")
            }
        }
    }
}
