//! Synthetic sets, drawn from a seed.
//!
//! A row depends on the seed and its number alone: the first 100 rows of 1,000 are those of 100.
//! A new set is one file here and one line in [`SYNTHETIC`].

mod blobs;
mod circles;
mod digits;
mod linear;
mod moons;
mod sine;
mod spirals;
mod xor;

pub use blobs::blobs;
pub use circles::circles;
pub use digits::digits;
pub use linear::linear;
pub use moons::moons;
pub use sine::sine;
pub use spirals::{spirals, wound_spirals};
pub use xor::xor;

use rand_chacha::ChaCha8Rng;

use super::Dataset;
use crate::memory::with_room;
use crate::rng::{Purpose, standard_normal, stream};
use crate::settings::{self, Range};
use crate::text;
use crate::{Error, Result};

/// An entry of [`SYNTHETIC`].
#[derive(Clone, Copy, Debug)]
pub struct Synthetic {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// One line on what it is.
    pub about: &'static str,
    /// The usual noise.
    pub noise: f64,
    /// What else can be set, and how it usually is.
    pub settings: &'static [(&'static str, f64)],
    /// From the number of rows, the noise, a value for each of the settings, and the seed.
    make: fn(rows: usize, noise: f64, settings: &[f64], seed: u64) -> Result<Dataset>,
}

impl Synthetic {
    /// So many rows, with the usual settings.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are no rows, or the noise is out of its range.
    pub fn generate(&self, rows: usize, noise: f64, seed: u64) -> Result<Dataset> {
        let usual: Vec<f64> = self.settings.iter().map(|(_, value)| *value).collect();
        self.generate_with(rows, noise, &usual, seed)
    }

    /// The same with a value for each of [`settings`](Self::settings).
    ///
    /// # Errors
    /// As [`generate`](Self::generate), and if a setting is out of its range.
    ///
    /// # Panics
    /// If there are not as many values as settings.
    #[track_caller]
    pub fn generate_with(&self, rows: usize, noise: f64, settings: &[f64], seed: u64) -> Result<Dataset> {
        let (found, needed) = (settings.len(), self.settings.len());
        assert!(
            found == needed,
            "generate_with: {} for {} of {}",
            text::count(found, "value"),
            text::count(needed, "setting"),
            self.name
        );
        (self.make)(rows, noise, settings, seed)
    }
}

/// A whole number of at least 1, such as that of arms.
fn count(name: &'static str, value: f64) -> Result<usize> {
    if value.fract() == 0.0 && (1.0..=1e3).contains(&value) {
        return Ok(value as usize);
    }
    Err(Error::setting(name, format!("{value} is not a whole number from 1 to 1000")))
}

/// All synthetic sets, with the settings that one meets most often.
pub const SYNTHETIC: &[Synthetic] = &[
    Synthetic {
        name: "digits",
        about: "28×28 images of handwritten digits, ten classes; noise 1 is about as hard as MNIST",
        noise: 1.0,
        settings: &[],
        make: |rows, noise, _, seed| digits(rows, noise, seed),
    },
    Synthetic {
        name: "spirals",
        about: "three interleaved spiral arms in the plane, a class each",
        noise: 0.02,
        settings: &[("arms", 3.0), ("turns", 1.25)],
        make: |rows, noise, settings, seed| {
            wound_spirals(rows, count("arms", settings[0])?, settings[1], noise, seed)
        },
    },
    Synthetic {
        name: "moons",
        about: "two interleaved half circles in the plane, a class each",
        noise: 0.1,
        settings: &[],
        make: |rows, noise, _, seed| moons(rows, noise, seed),
    },
    Synthetic {
        name: "circles",
        about: "two concentric circles in the plane, a class each",
        noise: 0.05,
        settings: &[],
        make: |rows, noise, _, seed| circles(rows, noise, seed),
    },
    Synthetic {
        name: "blobs",
        about: "five normal distributions in the plane, a class each; noise is their deviation",
        noise: 1.0,
        settings: &[("classes", 5.0)],
        make: |rows, noise, settings, seed| blobs(rows, count("classes", settings[0])?, noise, seed),
    },
    Synthetic {
        name: "xor",
        about: "a square in the plane, its class whether the two signs differ",
        noise: 0.0,
        settings: &[],
        make: |rows, noise, _, seed| xor(rows, noise, seed),
    },
    Synthetic {
        name: "sine",
        about: "regression: y = sin(2πx) plus noise, x in one dimension",
        noise: 0.1,
        settings: &[],
        make: |rows, noise, _, seed| sine(rows, noise, seed),
    },
    Synthetic {
        name: "linear",
        about: "regression: y = 1.5x₁ − 2x₂ + 0.5x₃ + 3x₅ + 1 plus noise, x in five dimensions",
        noise: 0.1,
        settings: &[],
        make: |rows, noise, _, seed| linear(rows, &[1.5, -2.0, 0.5, 0.0, 3.0], 1.0, noise, seed),
    },
];

/// The set of that name.
///
/// # Errors
/// [`Error::Setting`], with all names, if there is none.
///
/// ```
/// let set = tapegrad::data::synthetic::find("moons")?;
/// let data = set.generate(100, set.noise, 7)?;
/// assert_eq!((data.len(), data.classes()), (100, 2));
/// # Ok::<(), tapegrad::Error>(())
/// ```
pub fn find(name: &str) -> Result<&'static Synthetic> {
    SYNTHETIC.iter().find(|set| set.name == name).ok_or_else(|| {
        let names: Vec<&str> = SYNTHETIC.iter().map(|set| set.name).collect();
        Error::setting("data", format!("there is no set `{name}`; there are {}", names.join(", ")))
    })
}

/// Beyond, coordinates would leave the range of the numbers.
const NOISE: Range =
    Range { text: "in the range 0 ≤ x ≤ 1e100", contains: |x| (0.0..=1e100).contains(&x) };

/// The generator of a set, once its settings have been checked.
fn source(rows: usize, noise: f64, seed: u64) -> Result<ChaCha8Rng> {
    settings::at_least_one("rows", rows)?;
    settings::check::<f64>("noise", noise, NOISE)?;
    Ok(stream(seed, Purpose::Data))
}

/// What the memory is for.
const ROWS: &str = "the rows of a synthetic set";

/// A draw from N(0, 1).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    standard_normal(rng)
}

/// Points of the plane with noise from N(0, `noise`²) on both coordinates; `point` gives place and class.
fn plane(
    rows: usize,
    classes: usize,
    noise: f64,
    mut rng: ChaCha8Rng,
    mut point: impl FnMut(&mut ChaCha8Rng, usize) -> ([f64; 2], usize),
) -> Result<Dataset> {
    let mut values = with_room(rows.saturating_mul(2), ROWS)?;
    let mut labels = with_room(rows, ROWS)?;
    for i in 0..rows {
        let (place, class) = point(&mut rng, i);
        values.extend(place.map(|x| x + noise * normal(&mut rng)));
        labels.push(class);
    }
    Dataset::new(values, 2)?.with_labels(&labels, classes)?.with_feature_names(["x", "y"])
}
