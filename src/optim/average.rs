//! Averages of the parameters over the steps.

use crate::settings::{self, Range};
use crate::tape::{Param, Tape};
use crate::text::count;
use crate::{Error, Float, Result};

/// A running average a of the parameters θ over the steps, to evaluate with in place of the last ones.
///
/// Exponential with decay β: a ← βa + (1 − β)θ, and a = θ after the first update, so that there is
/// no bias towards zero. Uniform: a ← a + (θ − a)/n in update n, the mean of all; Polyak and Juditsky,
/// *Acceleration of Stochastic Approximation by Averaging*, SIAM J. Control Optim. 30, 1992.
///
/// [`swap`](Average::swap) exchanges a and θ, and once more brings θ back to go on training.
/// The first update allocates one number per parameter; nothing does after it. A change that is less than half a
/// unit in the last place of a is lost, so that in `f32` an average over more than some 10⁵ steps is off by
/// more than its last digits.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::optim::Average;
///
/// let mut tape = Tape::new();
/// let w = tape.param_slice(1, 1, &[1.0]);
/// let mut average = Average::exponential(0.75)?;
/// average.update(&tape);
/// tape.param_values_mut()[0] = 5.0;
/// average.update(&tape);
/// average.swap(&mut tape);
/// assert_eq!(tape.item(w), 2.0);
/// average.swap(&mut tape);
/// assert_eq!(tape.item(w), 5.0);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Average<T> {
    /// β; `None` for the uniform average.
    decay: Option<f64>,
    values: Vec<T>,
    /// The first parameter of the tape that is averaged, which no other tape has.
    first: Option<Param>,
    updates: u64,
}

impl<T: Float> Average<T> {
    /// An exponential moving average; the last 1/(1 − β) steps or so count.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if `decay` is not in [0, 1), or becomes 0 or 1 as a `T`.
    pub fn exponential(decay: f64) -> Result<Self> {
        let decay = settings::check::<T>("decay", decay, Range::BELOW_ONE)?;
        Ok(Average { decay: Some(decay), values: Vec::new(), first: None, updates: 0 })
    }

    /// The mean over all updates.
    pub fn uniform() -> Self {
        Average { decay: None, values: Vec::new(), first: None, updates: 0 }
    }

    /// Takes the parameters in, after an optimizer's step.
    ///
    /// # Panics
    /// If there are more or fewer of them than at the first update, or the tape is another.
    #[track_caller]
    pub fn update(&mut self, tape: &Tape<T>) {
        self.updates += 1;
        if self.updates == 1 {
            self.values = tape.param_values().to_vec();
            self.first = tape.params().next();
            return;
        }
        self.check("update", tape);
        let weight = T::of(self.decay.map_or(1.0 / self.updates as f64, |decay| 1.0 - decay));
        for (a, x) in self.values.iter_mut().zip(tape.param_values()) {
            let way = *x - *a;
            // Between ends of opposite sign the way may be out of range where the average is not.
            *a = if way.is_finite() { *a + weight * way } else { *a * (T::ONE - weight) + weight * *x };
        }
    }

    /// Puts back what [`values`](Self::values) and [`updates`](Self::updates) returned.
    ///
    /// # Errors
    /// [`Error::Data`] if there are not as many numbers as the tape's parameters hold, or none without an update.
    pub fn restore(&mut self, tape: &Tape<T>, updates: u64, values: Vec<T>) -> Result<()> {
        let needed = if updates == 0 { 0 } else { tape.param_numbers() };
        if values.len() != needed {
            let found = values.len();
            return Err(Error::Data(format!(
                "an average over {} holds {}, not {needed}",
                count(updates, "update"),
                count(found, "number")
            )));
        }
        (self.values, self.updates) = (values, updates);
        self.first = if updates == 0 { None } else { tape.params().next() };
        Ok(())
    }

    /// Exchanges the average and the parameters.
    ///
    /// # Panics
    /// If there was no update, there are more or fewer parameters than at the first, or the tape is another.
    #[track_caller]
    pub fn swap(&mut self, tape: &mut Tape<T>) {
        assert!(self.updates > 0, "Average::swap: there is no average before the first update");
        self.check("swap", tape);
        self.values.swap_with_slice(tape.param_values_mut());
    }

    /// The average, laid out as [`Tape::param_values`]; empty before the first update.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Number of updates.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    #[track_caller]
    fn check(&self, what: &str, tape: &Tape<T>) {
        let (before, now) = (self.values.len(), tape.param_numbers());
        assert!(
            before == now,
            "Average::{what}: the parameters hold {}, but held {before} at the first update",
            count(now, "number")
        );
        assert!(
            tape.params().next() == self.first,
            "Average::{what}: this tape is another than at the first update: use an average on one tape only"
        );
    }
}
