//! What a module is run for.

use rand_chacha::ChaCha8Rng;

use crate::rng::{Place, Purpose, at};

/// What a module is run for: some do in training what they do not do in evaluation.
///
/// In evaluation nothing is random, the output for a sample depends on no other sample, and nothing that the
/// module keeps changes. In training the mode knows where the run stands, and every random draw is a function
/// of that place: a run can begin anywhere, and no generator has to be wound forward.
///
/// ```
/// use rand::Rng;
/// use tapegrad::nn::Mode;
/// use tapegrad::rng::Place;
///
/// let place = Place { seed: 7, epoch: 3, step: 12 };
/// let (mut first, mut again) = (Mode::training(place), Mode::training(place));
/// let (mut a, mut b) = (first.rng(), again.rng());
/// assert_eq!(a.next_u64(), b.next_u64());
/// // The next layer that draws in this step has a generator of its own.
/// assert_ne!(first.rng().next_u64(), b.next_u64());
/// ```
#[derive(Clone, Debug)]
pub struct Mode {
    place: Option<Place>,
    draws: u64,
}

impl Mode {
    /// Predictions, and what is measured.
    pub fn evaluation() -> Mode {
        Mode { place: None, draws: 0 }
    }

    /// One step of training, at that place of the run.
    pub fn training(place: Place) -> Mode {
        Mode { place: Some(place), draws: 0 }
    }

    /// Whether this is a step of training.
    pub fn is_training(&self) -> bool {
        self.place.is_some()
    }

    /// Where the run stands; `None` in evaluation.
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// A generator for the next module that draws in this step: a function of the place, and of how many drew
    /// before in the same step.
    ///
    /// # Panics
    /// In evaluation, where nothing is random.
    #[track_caller]
    pub fn rng(&mut self) -> ChaCha8Rng {
        let Some(place) = self.place else { panic!("Mode::rng: nothing is random in evaluation") };
        self.draws += 1;
        at(place, Purpose::Dropout, self.draws - 1)
    }
}
