//! What a run is told.

use std::fmt;
use std::sync::Arc;

#[cfg(doc)]
use super::Audit;
use super::{Checkpoint, Criterion};
use crate::data::Augment;
use crate::optim::Clip;
use crate::optim::schedule::{ReduceOnPlateau, Schedule};
use crate::tape::Param;
#[cfg(doc)]
use crate::tape::Tape;

/// What [`fit`](super::fit) is told.
///
/// ```
/// use std::sync::Arc;
/// use tapegrad::optim::Clip;
/// use tapegrad::optim::schedule::Cosine;
/// use tapegrad::train::{Criterion, FitOptions, Rate};
///
/// let options = FitOptions {
///     rate: Rate::Schedule(Arc::new(Cosine::new(0.1, 0.0, 1000)?)),
///     clip: Clip::none().with_norm(1.0)?,
///     early_stopping: Some(Criterion::GeneralizationLoss { alpha: 5.0 }),
///     ..FitOptions::default()
/// };
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// How many times every sample is seen, at most.
    pub epochs: usize,
    /// Samples in a step.
    pub batch: usize,
    /// Seed of the order of the samples, of dropout and of augmentation.
    pub seed: u64,
    /// Which epoch of the random draws is the first one, from 0 on: a run that goes on where another one ended has
    /// its number of epochs here.
    pub first_epoch: u64,
    /// Where the learning rate comes from.
    pub rate: Rate,
    /// An L2 penalty that is added to the loss.
    pub penalty: Option<Penalty>,
    /// Bounds on the gradient, and what is done when it is not finite.
    pub clip: Clip,
    /// When to stop before the last epoch; the best parameters are then put back, and also when the last
    /// epoch is reached. Needs a validation set.
    pub early_stopping: Option<Criterion>,
    /// β of the exponential average of the parameters that is validated and, in the end, put in their place.
    pub average: Option<f64>,
    /// Whether each epoch is [audited](Audit), as the mean over [some of its steps](super::observers::EpochAudited); the
    /// gradients are those before clipping, of the loss with its penalty. That allocates memory.
    pub audit: bool,
    /// How the images are changed, anew in every epoch; what is measured in training is measured on changed images, and
    /// validation on those that were given. The data has to have an [image shape](crate::Dataset::with_image_shape).
    pub augment: Option<Augment>,
    /// Where to go on from: a run's [`Checkpoint`]. `epochs` are those of the whole run, and may be more than they were.
    pub resume: Option<Checkpoint>,
}

impl FitOptions {
    /// How the images are changed, where they are.
    pub(crate) fn augmentation(&self) -> Option<Augment> {
        self.augment.filter(Augment::changes)
    }

    /// The optimizer's own rate, and none of the rest.
    pub fn new(epochs: usize, batch: usize, seed: u64) -> FitOptions {
        FitOptions {
            epochs,
            batch,
            seed,
            first_epoch: 0,
            rate: Rate::Fixed,
            penalty: None,
            clip: Clip::none(),
            early_stopping: None,
            average: None,
            audit: false,
            augment: None,
            resume: None,
        }
    }
}

/// Ten epochs in batches of 32 from seed 0.
impl Default for FitOptions {
    fn default() -> Self {
        FitOptions::new(10, 32, 0)
    }
}

/// Where the learning rate of a run comes from.
#[derive(Clone, Default)]
pub enum Rate {
    /// The optimizer's own, throughout.
    #[default]
    Fixed,
    /// That of a schedule, for each step by the number of steps that the optimizer has done.
    Schedule(Arc<dyn Schedule>),
    /// From the plateau's first rate on, reduced when the validation loss, or without a validation set the
    /// training loss, has not improved.
    Plateau(ReduceOnPlateau),
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Fixed => f.write_str("Fixed"),
            Rate::Schedule(schedule) => write!(f, "Schedule({schedule})"),
            Rate::Plateau(plateau) => write!(f, "Plateau({plateau})"),
        }
    }
}

/// λ/2 · Σ‖w‖² in the loss: see [`Tape::l2_penalty`].
///
/// The losses that a run records are without it.
#[derive(Clone, Debug, PartialEq)]
pub struct Penalty {
    /// λ ≥ 0.
    pub lambda: f64,
    /// Of what: usually the weights and not the biases.
    pub params: Vec<Param>,
}
