use std::fmt;

use super::{check_decay, check_lr, check_min};
use crate::Result;
use crate::settings::{self, Range};

/// Which metrics are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Small ones, such as a loss.
    Small,
    /// Large ones, such as an accuracy.
    Large,
}

/// Multiplies the rate with a factor when a metric has not improved for some time.
///
/// A metric m improves on the best so far, b, if it is better than b by more than ε|b| (better means
/// smaller or larger, as the [`Goal`] says). After more than `patience` observations in a row without,
/// the rate becomes max(factor·η, min); the `cooldown` observations after that are not counted. The
/// same rule as PyTorch's `ReduceLROnPlateau`, except that ε is relative to |b|: there, a loss
/// below 0 counts as an improvement when it is worse. A metric that is NaN is no improvement.
///
/// ```
/// use tapegrad::optim::schedule::{Goal, ReduceOnPlateau};
///
/// let mut schedule = ReduceOnPlateau::new(0.1, Goal::Small)?.with_patience(1);
/// let rates: Vec<f64> = [1.0, 0.5, 0.5, 0.5, 0.5].map(|loss| schedule.observe(loss)).into();
/// assert_eq!(rates, [0.1, 0.1, 0.1, 0.1 * 0.1, 0.1 * 0.1]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReduceOnPlateau {
    lr: f64,
    goal: Goal,
    factor: f64,
    patience: u64,
    threshold: f64,
    cooldown: u64,
    min: f64,
    /// The best so far: an infinity before the first observation.
    best: f64,
    /// Observations in a row without improvement.
    bad: u64,
    /// Observations left that are not counted.
    resting: u64,
}

impl ReduceOnPlateau {
    /// What it remembers: the rate, the best metric, epochs without improvement, and those left to rest.
    pub(crate) fn state(&self) -> [u64; 4] {
        [self.lr.to_bits(), self.best.to_bits(), self.bad, self.resting]
    }

    /// Puts it back.
    pub(crate) fn restore(&mut self, [lr, best, bad, resting]: [u64; 4]) {
        (self.lr, self.best) = (f64::from_bits(lr), f64::from_bits(best));
        (self.bad, self.resting) = (bad, resting);
    }

    /// From `lr`, with factor 0.1, patience 10, threshold 10⁻⁴, no cooldown, and least rate 0.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if `lr` is negative or not finite.
    pub fn new(lr: f64, goal: Goal) -> Result<Self> {
        Ok(ReduceOnPlateau {
            lr: check_lr("lr", lr)?,
            goal,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            cooldown: 0,
            min: 0.0,
            best: if goal == Goal::Small { f64::INFINITY } else { f64::NEG_INFINITY },
            bad: 0,
            resting: 0,
        })
    }

    /// The same with another factor.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if it is not in (0, 1].
    pub fn with_factor(self, factor: f64) -> Result<Self> {
        Ok(ReduceOnPlateau { factor: check_decay("factor", factor)?, ..self })
    }

    /// The same with another patience: how many observations without improvement are borne.
    pub fn with_patience(self, patience: u64) -> Self {
        ReduceOnPlateau { patience, ..self }
    }

    /// The same with another threshold ε.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if it is not in [0, 1).
    pub fn with_threshold(self, threshold: f64) -> Result<Self> {
        let threshold = settings::check::<f64>("threshold", threshold, Range::BELOW_ONE)?;
        Ok(ReduceOnPlateau { threshold, ..self })
    }

    /// The same with another cooldown.
    pub fn with_cooldown(self, cooldown: u64) -> Self {
        ReduceOnPlateau { cooldown, ..self }
    }

    /// The same with a rate below which it does not fall.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if it is negative, not finite, or above the first rate.
    pub fn with_min(self, min: f64) -> Result<Self> {
        Ok(ReduceOnPlateau { min: check_min(min, self.lr)?, ..self })
    }

    /// Takes the metric of an epoch, and returns the rate of the next.
    pub fn observe(&mut self, metric: f64) -> f64 {
        if self.improves(metric) {
            self.best = metric;
            self.bad = 0;
        } else {
            self.bad += 1;
        }
        if self.resting > 0 {
            self.resting -= 1;
            self.bad = 0;
        }
        if self.bad > self.patience {
            self.lr = (self.lr * self.factor).max(self.min);
            self.resting = self.cooldown;
            self.bad = 0;
        }
        self.lr
    }

    fn improves(&self, metric: f64) -> bool {
        // Before the first observation ε|b| would be infinite.
        let margin = if self.best.is_finite() { self.threshold * self.best.abs() } else { 0.0 };
        match self.goal {
            Goal::Small => metric < self.best - margin,
            Goal::Large => metric > self.best + margin,
        }
    }

    /// The rate at present.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// The best metric so far; an infinity of the wrong sign before the first.
    pub fn best(&self) -> f64 {
        self.best
    }
}

impl fmt::Display for ReduceOnPlateau {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReduceOnPlateau { lr, factor, patience, threshold, cooldown, min, .. } = self;
        write!(f, "plateau lr={lr:?} factor={factor:?} patience={patience} threshold={threshold:?}")?;
        write!(f, " cooldown={cooldown} min={min:?}")
    }
}
