//! Randomness: one ChaCha stream per purpose, all drawn from one seed.
//!
//! A seed names 2⁶⁴ independent streams. Each purpose has its own, so that one more draw for dropout
//! does not move the shuffling, and a run can be compared with another that differs in one thing.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Initial weights.
    Init = 1,
    /// Order of the samples.
    Shuffle = 2,
    /// Dropout masks.
    Dropout = 3,
    /// Synthetic data.
    Data = 4,
    /// Which samples go to training, validation and test.
    Split = 5,
    /// Random projections and features.
    Projection = 6,
}

/// The generator of `seed` for one purpose: ChaCha with 8 rounds.
///
/// ```
/// use rand::Rng;
/// use tapegrad::rng::{Purpose, stream};
///
/// let (mut a, mut b) = (stream(7, Purpose::Init), stream(7, Purpose::Init));
/// assert_eq!(a.next_u64(), b.next_u64());
/// assert_ne!(a.next_u64(), stream(7, Purpose::Shuffle).next_u64());
/// ```
pub fn stream(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose as u64);
    rng
}
