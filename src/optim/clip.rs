//! Clipping of gradients, and what is done about gradients that are not finite.

use super::described;
use crate::linalg::norm_squared;
use crate::settings::{self, Range};
use crate::tape::Tape;
use crate::{Error, Float, Result};

/// What to do when an entry of the gradient is NaN or infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NonFinite {
    /// An error that names the parameter.
    #[default]
    Error,
    /// No step with this gradient; such steps are counted.
    Skip,
}

/// Bounds the gradient of all parameters between the backward pass and the optimizer's step.
///
/// By norm: with the norm ‖g‖ of all gradients of all parameters taken as one vector, and a bound c,
/// g ← g·min(1, c/‖g‖). The direction is kept, within a parameter and between parameters. Pascanu,
/// Mikolov and Bengio, *On the difficulty of training recurrent neural networks*, arXiv:1211.5063,
/// algorithm 1.
///
/// By value: gᵢ ← min(max(gᵢ, −c), c), which changes the direction. With both, by value first.
///
/// Nothing is allocated unless there is an error to report.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::optim::{Clip, Clipped, Optimizer, Sgd};
///
/// let mut tape = Tape::new();
/// let w = tape.param_slice(1, 2, &[3.0, 4.0]);
/// let mut optimizer = Optimizer::new(Sgd, 1.0)?;
/// let mut clip = Clip::none().with_norm(1.0)?;
/// tape.param_grads_mut().copy_from_slice(&[30.0, 40.0]);
/// match clip.apply(&mut tape)? {
///     Clipped::Ready { norm } => {
///         assert_eq!(norm, 50.0);
///         optimizer.step(&mut tape)?;
///     }
///     Clipped::Skip => (),
/// }
/// assert_eq!(tape.value_slice(w), [2.4, 3.2]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clip {
    norm: Option<f64>,
    value: Option<f64>,
    non_finite: NonFinite,
    skipped: u64,
}

/// What [`Clip::apply`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clipped {
    /// The gradients are finite, and within the bounds by now.
    Ready {
        /// Their norm ‖g‖ before anything was clipped. Infinite if it is beyond `f64` though no entry is.
        norm: f64,
    },
    /// A gradient is not finite: leave out the optimizer's step. The gradients are as they were.
    Skip,
}

impl Clip {
    /// No bounds; a gradient that is not finite is an error.
    pub fn none() -> Self {
        Self::default()
    }

    /// The same with a bound on the norm of all gradients together.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is not positive and finite.
    pub fn with_norm(self, max: f64) -> Result<Self> {
        Ok(Clip { norm: Some(check::<f64>("clip_norm", max)?), ..self })
    }

    /// The same with a bound on the magnitude of every entry.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is not positive and finite.
    pub fn with_value(self, max: f64) -> Result<Self> {
        Ok(Clip { value: Some(check::<f64>("clip_value", max)?), ..self })
    }

    /// The same with another way to deal with gradients that are not finite.
    pub fn with_non_finite(self, non_finite: NonFinite) -> Self {
        Clip { non_finite, ..self }
    }

    /// Whether steps whose gradient is not finite are skipped.
    pub fn skips(&self) -> bool {
        self.non_finite == NonFinite::Skip
    }

    /// Number of steps that were to be skipped: their gradient was not finite.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether the bounds are in their range in `T` as well: 10⁻⁵⁰ is 0 as an `f32`, and would make every
    /// gradient 0.
    ///
    /// # Errors
    /// [`Error::Setting`] that names the bound, its value and `T`.
    pub fn check<T: Float>(&self) -> Result<()> {
        for (name, bound) in [("clip_norm", self.norm), ("clip_value", self.value)] {
            bound.map(|max| check::<T>(name, max)).transpose()?;
        }
        Ok(())
    }

    /// Clips the gradients that stand on `tape`.
    ///
    /// # Errors
    /// [`Error::Setting`] as [`check`](Clip::check).
    /// [`Error::NonFinite`] that names the first parameter with an entry that is NaN or infinite, unless
    /// such steps are skipped. The gradients are then as they were.
    pub fn apply<T: Float>(&mut self, tape: &mut Tape<T>) -> Result<Clipped> {
        self.check::<T>()?;
        let Some(norm) = norm(tape.param_grads()) else {
            if self.non_finite == NonFinite::Skip {
                self.skipped += 1;
                return Ok(Clipped::Skip);
            }
            return Err(report(tape));
        };
        let mut now = norm;
        if let Some(max) = self.value {
            let bound = T::of(max);
            tape.param_grads_mut().iter_mut().for_each(|g| *g = (*g).max(-bound).min(bound));
            if self.norm.is_some() {
                now = self::norm(tape.param_grads()).unwrap_or(norm);
            }
        }
        if let Some(max) = self.norm.filter(|max| now.value() > *max) {
            scale(tape.param_grads_mut(), max, now);
        }
        Ok(Clipped::Ready { norm: norm.value() })
    }
}

/// A norm as a product, which may be beyond `f64` where its factors are not.
#[derive(Clone, Copy)]
struct Norm {
    largest: f64,
    /// ‖g‖/largest.
    rest: f64,
}

impl Norm {
    fn value(self) -> f64 {
        self.largest * self.rest
    }
}

/// ‖g‖, or `None` if an entry is not finite.
fn norm<T: Float>(grads: &[T]) -> Option<Norm> {
    let squared = norm_squared(grads).to_f64();
    // Squares leave the range of T long before their roots do: then once more, slower, in f64 and scaled.
    let safe = f64::from(f32::MIN_POSITIVE) / f64::from(f32::EPSILON);
    if squared.is_finite() && squared > safe {
        return Some(Norm { largest: 1.0, rest: squared.sqrt() });
    }
    let mut largest = 0.0f64;
    for g in grads {
        if !g.is_finite() {
            return None;
        }
        largest = largest.max(g.to_f64().abs());
    }
    if largest == 0.0 {
        return Some(Norm { largest: 0.0, rest: 1.0 });
    }
    let squared: f64 = grads.iter().map(|g| g.to_f64() / largest).map(|g| g * g).sum();
    Some(Norm { largest, rest: squared.sqrt() })
}

/// g ← g·max/norm.
fn scale<T: Float>(grads: &mut [T], max: f64, norm: Norm) {
    let factor = T::of(max / norm.value());
    if factor > T::of(f64::from(f32::MIN_POSITIVE)) {
        grads.iter_mut().for_each(|g| *g *= factor);
    } else {
        // The factor alone would lose its digits, or be zero.
        grads.iter_mut().for_each(|g| *g = T::of(g.to_f64() / norm.largest / norm.rest * max));
    }
}

/// Names the first parameter whose gradient is not finite.
#[cold]
fn report<T: Float>(tape: &Tape<T>) -> Error {
    for p in tape.params().filter(|p| tape.is_trained(*p)) {
        let grads = tape.grad_slice(p);
        if let Some(at) = grads.iter().position(|g| !g.is_finite()) {
            let (name, cols) = (described(tape, p), tape.param_shape(p).cols);
            return Error::NonFinite(format!(
                "the gradient of {name}, is {} at ({}, {}); a smaller learning rate may help, and \
                 detect_anomalies names the operation at fault",
                grads[at],
                at / cols,
                at % cols
            ));
        }
    }
    Error::NonFinite("the gradients are not finite".into())
}

fn check<T: Float>(name: &'static str, max: f64) -> Result<f64> {
    settings::check::<T>(name, max, Range::POSITIVE)
}
