use std::fmt;

use super::{Schedule, check_steps};
use crate::{Error, Result};

/// One schedule after the other: each for its number of steps, counted from 0 of its own, and the last
/// for as long as it takes.
///
/// ```
/// use tapegrad::optim::schedule::{Constant, Linear, Schedule, Sequence};
///
/// // Flat for ten steps, then down to zero in ten more.
/// let schedule = Sequence::new(Constant::new(0.1)?).then(10, Linear::new(0.1, 0.0, 10)?)?;
/// assert_eq!((schedule.lr(9), schedule.lr(10), schedule.lr(15), schedule.lr(99)), (0.1, 0.1, 0.05, 0.0));
/// # Ok::<(), tapegrad::Error>(())
/// ```
pub struct Sequence {
    /// Each with the step at which it begins, in ascending order; the first begins at 0.
    parts: Vec<(u64, Box<dyn Schedule>)>,
}

impl Sequence {
    /// Begins with `first`.
    pub fn new(first: impl Schedule + 'static) -> Self {
        Sequence { parts: vec![(0, Box::new(first))] }
    }

    /// After `steps` steps of the schedule that was last so far, `next` follows.
    ///
    /// # Errors
    /// [`Error::Setting`] if `steps` is 0, so that the schedule before would never be used, or if there are more
    /// than 2⁶⁴ − 1 steps before `next`, which would never be.
    pub fn then(mut self, steps: u64, next: impl Schedule + 'static) -> Result<Self> {
        let begun = self.parts.last().map_or(0, |(begin, _)| *begin);
        let begin = begun.checked_add(check_steps("steps", steps)?).ok_or_else(|| {
            Error::setting("steps", format!("{steps} after {begun} are more than there are numbers for"))
        })?;
        self.parts.push((begin, Box::new(next)));
        Ok(self)
    }
}

impl Schedule for Sequence {
    fn lr(&self, step: u64) -> f64 {
        let after = self.parts.partition_point(|(begin, _)| *begin <= step);
        // The first begins at 0, so at least one has begun.
        let (begin, schedule) = &self.parts[after - 1];
        schedule.lr(step - begin)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (begin, schedule) in &self.parts {
            if *begin > 0 {
                write!(f, "; from step {begin}: ")?;
            }
            write!(f, "{schedule}")?;
        }
        Ok(())
    }
}
