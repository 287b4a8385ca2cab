//! The focal loss.

use super::{Batch, Link, Loss, class_labels};
use crate::data::Dataset;
use crate::settings::{self, Range};
use crate::store::Settings;
use crate::tape::{Tape, Var};
use crate::{Float, Result};

const GAMMA: Range =
    Range { text: "0, or finite and at least 1", contains: |x| x == 0.0 || (x >= 1.0 && x.is_finite()) };

/// Mean of −(1 − p)^γ·ln p of the true class, with p from the softmax of the outputs: samples that are
/// classified well count less than in the cross-entropy, which it is for γ = 0.
///
/// Lin, Goyal, Girshick, He and Dollár, "Focal Loss for Dense Object Detection", ICCV 2017
/// (arXiv:1708.02002), equation 4, here for any number of classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Focal {
    gamma: f64,
    name: String,
}

impl Focal {
    /// With the exponent γ; the paper's best is 2.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if γ is neither 0 nor at least 1 and finite: between, the slope of (1 − p)^γ at
    /// p = 1 is infinite.
    pub fn new(gamma: f64) -> Result<Self> {
        settings::check::<f64>("gamma", gamma, GAMMA)?;
        Ok(Focal { gamma, name: format!("focal, gamma {gamma}") })
    }
}

impl<T: Float> Loss<T> for Focal {
    fn name(&self) -> &str {
        &self.name
    }

    fn outputs(&self, data: &Dataset) -> Result<usize> {
        settings::check::<T>("gamma", self.gamma, GAMMA)?;
        class_labels("the focal loss", data)
    }

    fn forward(&self, tape: &mut Tape<T>, output: Var, batch: &Batch<'_>) -> Var {
        let log_p = tape.log_softmax(output);
        let log_p = tape.pick_cols(log_p, batch.labels());
        let mut losses = tape.neg(log_p);
        if self.gamma > 0.0 {
            // 1 − p with all its digits, also where p is nearly 1.
            let minus = tape.expm1(log_p);
            let rest = tape.neg(minus);
            let factor = tape.powf(rest, T::of(self.gamma));
            losses = tape.mul(factor, losses);
        }
        batch.mean(tape, losses)
    }

    fn link(&self) -> Link {
        Link::Softmax
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("focal").with("gamma", self.gamma))
    }
}
