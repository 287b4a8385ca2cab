//! Randomness: one ChaCha stream per purpose, all drawn from one seed.
//!
//! A seed names 2⁶⁴ independent streams. Each purpose has its own, so that one more draw for dropout
//! does not move the shuffling, and a run can be compared with another that differs in one thing.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Float;
use crate::linalg::simd::fused;

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
    /// How images are changed in training.
    Augmentation = 8,
    /// Subsamples that stand for the whole: centres of kernel machines, heuristics.
    Subsample = 16,
    /// Tokens of a text that a model continues.
    Text = 24,
    /// Seeds of repetitions: see [`derive()`].
    Repetition = 17,
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

/// Where a training run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// The run's seed.
    pub seed: u64,
    /// Epoch, from 0.
    pub epoch: u64,
    /// Step within the epoch, from 0.
    pub step: u64,
}

/// The generator for draw number `draw` at a place of a run: ChaCha with 8 rounds, whose key is the place and
/// the number, so that no two of them share a draw, and none has to be wound forward.
///
/// ```
/// use rand::Rng;
/// use tapegrad::rng::{Place, Purpose, at};
///
/// let place = Place { seed: 7, epoch: 0, step: 0 };
/// let first = at(place, Purpose::Dropout, 0).next_u64();
/// assert_eq!(at(place, Purpose::Dropout, 0).next_u64(), first);
/// assert_ne!(at(Place { step: 1, ..place }, Purpose::Dropout, 0).next_u64(), first);
/// assert_ne!(at(place, Purpose::Dropout, 1).next_u64(), first);
/// ```
pub fn at(place: Place, purpose: Purpose, draw: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (to, word) in key.chunks_exact_mut(8).zip([place.seed, place.epoch, place.step, draw]) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(purpose as u64);
    rng
}

/// The seed of repetition `k` of a run with that seed.
///
/// Not seed + k: repetitions of one seed would be those of the next one, but for the last.
///
/// ```
/// use tapegrad::rng::derive;
///
/// assert_eq!(derive(7, 1), derive(7, 1));
/// assert_ne!(derive(7, 1), derive(8, 0));
/// ```
pub fn derive(seed: u64, k: u64) -> u64 {
    let mut rng = stream(seed, Purpose::Repetition);
    // Two words of 32 bits a number.
    rng.set_word_pos(2 * u128::from(k));
    rng.next_u64()
}

/// A draw from the normal distribution N(0, 1), by the transform of Box and Muller ("A Note on the
/// Generation of Random Normal Deviates", 1958): √(−2 ln u)·cos 2πv with u and v uniform.
///
/// Not the ziggurat of the `rand_distr` crate, which takes logarithm and exponential from the machine's
/// C library: the bits of a run would depend on it.
pub fn standard_normal(rng: &mut impl Rng) -> f64 {
    // u in (0, 1]: the logarithm of zero must not come up.
    let u = (unit(rng) + 1.0) / UNITS;
    let v = fraction(rng);
    (-2.0
        * fused(
            #[inline(always)]
            || Float::ln(u),
        ))
    .sqrt()
        * Float::cos(std::f64::consts::TAU * v)
}

/// A draw from the uniform distribution on [0, 1).
pub(crate) fn fraction(rng: &mut impl Rng) -> f64 {
    unit(rng) / UNITS
}

/// How many numbers an `f64` tells apart evenly in [0, 1).
const UNITS: f64 = (1u64 << 53) as f64;

/// A whole number from 0 to 2⁵³ − 1.
fn unit(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_draws_have_the_moments_of_the_normal_distribution() {
        let mut rng = stream(0, Purpose::Data);
        let n = 1_000_000;
        let draws: Vec<f64> = (0..n).map(|_| standard_normal(&mut rng)).collect();
        // The k-th moment of a sample has variance (E x²ᵏ − (E xᵏ)²)/n: five standard deviations.
        for (k, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let moment = draws.iter().map(|x| Float::powi(*x, k)).sum::<f64>() / f64::from(n);
            let tolerance = 5.0 * (variance / f64::from(n)).sqrt();
            assert!((moment - expected).abs() < tolerance, "moment {k} is {moment}");
        }
        // P(|x| > 3) = 0.0026998.
        let far = draws.iter().filter(|x| x.abs() > 3.0).count() as f64 / f64::from(n);
        assert!((far - 0.002_699_8).abs() < 5.0 * (0.0027f64 / f64::from(n)).sqrt(), "{far}");
    }
}
