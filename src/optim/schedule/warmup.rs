use std::fmt;

use super::Schedule;

/// η·(t + 1)/(w + 1) for the first w steps, with the first rate η of another schedule, which follows
/// from its own step 0 on.
///
/// No step has rate 0, and η is first used in step w. Goyal et al., *Accurate, Large Minibatch SGD*,
/// arXiv:1706.02677, section 2.2.
pub struct Warmup {
    steps: u64,
    then: Box<dyn Schedule>,
}

impl Warmup {
    /// `steps` steps in front of `then`; none if `steps` is 0.
    pub fn new(steps: u64, then: impl Schedule + 'static) -> Self {
        Warmup { steps, then: Box::new(then) }
    }
}

impl Schedule for Warmup {
    fn lr(&self, step: u64) -> f64 {
        match step.checked_sub(self.steps) {
            Some(step) => self.then.lr(step),
            None => self.then.lr(0) * ((step + 1) as f64 / (self.steps as f64 + 1.0)),
        }
    }
}

impl fmt::Display for Warmup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "warmup steps={}, then {}", self.steps, self.then)
    }
}
