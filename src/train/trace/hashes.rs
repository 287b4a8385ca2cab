//! Hashes of every parameter and its gradient after each step.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Float, Result};

/// An [observer](crate::train::Observer) that keeps hashes of every parameter and its gradient for each step: of two runs, they tell in which step and in which
/// parameter they parted. Put into [`Trace::hashes`](crate::train::Trace::hashes), they are written with the trace.
///
/// Gradients are those that the optimizer used: after clipping. A run that goes on from a checkpoint has hashes from
/// there on. They take 16 bytes for a parameter and a step, and about 50 in a file.
///
/// ```
/// use tapegrad::data::synthetic;
/// use tapegrad::models::Network;
/// use tapegrad::train::{FitOptions, Hashes};
///
/// let train = synthetic::moons(64, 0.1, 7)?;
/// let mut net = Network::<f32>::new(7).linear(8).relu().outputs_for(&train)?;
/// let mut hashes = Hashes::default();
/// let options = FitOptions { epochs: 1, batch: 16, ..FitOptions::default() };
/// net.fit_with(&train, None, &options, &mut [&mut hashes])?;
/// assert_eq!(hashes.parameters.len(), 4);
/// // Before the first step, and after each of the four.
/// assert_eq!(hashes.steps.len(), 5);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hashes {
    /// Names of the parameters and buffers in the order of the arena, `p3` where one has none.
    pub parameters: Vec<String>,
    /// The steps; the first one is before all, unless the run goes on from a checkpoint.
    pub steps: Vec<StepHashes>,
}

/// What a step left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepHashes {
    /// From 1.
    pub epoch: usize,
    /// Within the epoch, from 1; 0 for the parameters before the first step.
    pub step: usize,
    /// Of the gradient of each parameter, for a buffer that of no numbers. None where no step was taken: before the
    /// first, and where it was left out.
    pub gradients: Vec<Hash>,
    /// Of each parameter after the step.
    pub values: Vec<Hash>,
}

/// FNV-1a over how many numbers there are and over their bits, each as an `f64`, in bytes from the lowest. A NaN is one
/// value: its sign and its payload are not promised. Written as 16 digits in base 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(pub u64);

impl Hash {
    /// The hash of these numbers.
    pub fn of<T: Float>(numbers: &[T]) -> Hash {
        let bits = |x: &T| if x.is_nan() { f64::NAN.to_bits() } else { x.to_f64().to_bits() };
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
        let word = |hash: u64, word: u64| word.to_le_bytes().into_iter().fold(hash, step);
        let start = word(0xCBF2_9CE4_8422_2325, numbers.len() as u64);
        Hash(numbers.iter().map(bits).fold(start, word))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
        let text = String::deserialize(from)?;
        let digits = text.len() == 16 && text.bytes().all(|c| c.is_ascii_hexdigit());
        let hash = u64::from_str_radix(&text, 16).ok().filter(|_| digits).map(Hash);
        hash.ok_or_else(|| de::Error::custom(format_args!("{text:?} is no hash of 16 digits")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition of FNV-1a, in another language.
    #[test]
    fn known_values() {
        assert_eq!(Hash::of::<f64>(&[]), Hash(KNOWN[0]));
        assert_eq!(Hash::of(&[1.0f64, -0.5]), Hash(KNOWN[1]));
        assert_eq!(Hash::of(&[1.0f32, -0.5]), Hash(KNOWN[1]));
        assert_ne!(Hash::of(&[0.0f64]), Hash::of(&[-0.0f64]));
        assert_eq!(Hash::of(&[f64::NAN]), Hash::of(&[-f32::NAN]));
    }

    const KNOWN: [u64; 2] = [0xA8C7_F832_281A_39C5, 0x9626_B39C_C2F9_7C37];

    #[test]
    fn only_sixteen_digits_are_a_hash() {
        let read = |text: &str| serde_json::from_str::<Hash>(text);
        assert_eq!(read("\"00000000000000fF\"").unwrap(), Hash(255));
        assert_eq!(serde_json::to_string(&Hash(255)).unwrap(), "\"00000000000000ff\"");
        for wrong in ["\"ff\"", "\"+0000000000000ff\"", "255", "\"\"", "\"00000000000000fg\""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
