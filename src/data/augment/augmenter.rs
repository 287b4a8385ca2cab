//! [`Augmenter`]: changed images, straight from the data to the arena.

use rand_chacha::ChaCha8Rng;

use super::Augment;
use super::elastic::Elastic;
use super::warp::{self, Warp};
use crate::data::Dataset;
use crate::data::features::Features;
use crate::linalg::threads::join;
use crate::memory::filled;
use crate::rng::{Place, Purpose, at, fraction};
use crate::text::count;
use crate::{Error, Float, Result};

/// [`Augment`] at work: [`Dataset::gather`] with changed images.
///
/// ```
/// use tapegrad::data::{Augment, Augmenter, synthetic};
/// use tapegrad::rng::Place;
///
/// let digits = synthetic::digits(10, 1.0, 7)?;
/// let mut augmenter = Augmenter::new(Augment { rotate: 15.0, ..Augment::default() }, &digits)?;
/// let place = Place { seed: 7, epoch: 2, step: 30 };
/// let (mut turned, mut again) = (vec![0f32; 2 * 784], vec![0f32; 784]);
/// augmenter.gather(&digits, &[4, 8], place, &mut turned);
/// augmenter.gather(&digits, &[8], place, &mut again);
/// assert_eq!(turned[784..], again, "a function of place and row");
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Augmenter {
    augment: Augment,
    shape: (usize, usize),
    elastic: Option<Elastic>,
    /// A random field for each piece of a batch.
    room: Vec<f32>,
}

/// Pieces of a batch that threads may take on, each with a field of its own: enough for any usual number of threads.
const PIECES: usize = 16;

impl Augmenter {
    /// For the images of that data.
    ///
    /// # Errors
    /// [`Error::Setting`] if the samples are no images, or a setting is [out of its range](Augment::check) for them;
    /// [`Error::Memory`] if there is not enough of it for the random fields.
    pub fn new(augment: Augment, data: &Dataset) -> Result<Augmenter> {
        let Some((height, width)) = data.image_shape() else {
            let why = format!(
                "it changes images, and the samples are rows of {}",
                count(data.features(), "feature")
            );
            return Err(Error::setting("augment", why));
        };
        augment.check(height, width)?;
        let elastic =
            (augment.elastic > 0.0).then(|| Elastic::new(augment.elastic, augment.smooth, height, width));
        let room = elastic.as_ref().map_or(0, |elastic| elastic.room().saturating_mul(PIECES));
        let room = filled(room, 0.0, "random fields of the size of an image")?;
        Ok(Augmenter { augment, shape: (height, width), elastic, room })
    }

    /// An error if a pixel could leave the finite numbers of `T` where it is moved to: features may be mapped column by
    /// column.
    ///
    /// # Errors
    /// [`Error::Data`] that names the column and the number.
    pub(crate) fn check_range<T: Float>(&self, data: &Dataset) -> Result<()> {
        let (least, greatest) = match data.stored() {
            Features::U8(_) => (0.0, 255.0),
            Features::F32(values) => ends(values.iter().map(|x| f64::from(*x))),
            Features::F64(values) => ends(values.iter().copied()),
        };
        for column in 0..data.map.features().unwrap_or(1) {
            let (center, scale) = data.map.column(column);
            for x in [least, greatest] {
                if !T::of((x - center) / scale).is_finite() {
                    return Err(Error::Data(format!(
                        "column {column}: where augmentation moves the feature {x:e} there, it is beyond {}: scale the data",
                        T::NAME
                    )));
                }
            }
        }
        Ok(())
    }

    /// Writes the images `rows` into `out`, changed as the place says, row-major, converted and mapped on the way. What
    /// becomes of a row depends on no other. Allocates nothing, and runs on the threads of the pool it is called from.
    ///
    /// # Panics
    /// If the data is of other images, `out` does not hold `rows.len() * data.features()` numbers, or there is no such row.
    #[track_caller]
    pub fn gather<T: Float>(&mut self, data: &Dataset, rows: &[usize], place: Place, out: &mut [T]) {
        let (height, width) = self.shape;
        let (count, features) = (rows.len(), data.features());
        assert!(
            data.image_shape() == Some(self.shape),
            "augment: made for images of {height}×{width} pixels, but the data has {}",
            match data.image_shape() {
                Some((height, width)) => format!("images of {height}×{width}"),
                None => format!("rows of {}", crate::text::count(features, "feature")),
            }
        );
        assert!(
            count.checked_mul(features) == Some(out.len()),
            "augment: {} of {} cannot fit into {}",
            crate::text::count(count, "image"),
            crate::text::count(features, "pixel"),
            crate::text::count(out.len(), "number")
        );
        if let Some(bad) = rows.iter().find(|row| **row >= data.len()) {
            panic!("augment: row {bad} of a dataset of {}", crate::text::count(data.len(), "row"));
        }
        let (augment, elastic) = (self.augment, self.elastic.as_ref());
        let work = Work { augment, shape: self.shape, elastic, data, place };
        work.pieces(PIECES.min(count), rows, out, &mut self.room);
    }
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    // 0 is outside of every image.
    values.fold((0.0, 0.0), |(least, greatest), x| (Float::min(least, x), Float::max(greatest, x)))
}

/// What all rows of a batch share.
struct Work<'a> {
    augment: Augment,
    shape: (usize, usize),
    elastic: Option<&'a Elastic>,
    data: &'a Dataset,
    place: Place,
}

impl Work<'_> {
    /// Halves the rows until there are as many pieces.
    fn pieces<T: Float>(&self, pieces: usize, rows: &[usize], out: &mut [T], room: &mut [f32]) {
        if pieces > 1 {
            let half = pieces / 2;
            let (before, after) = rows.split_at(rows.len() * half / pieces);
            let (to_before, to_after) = out.split_at_mut(before.len() * self.data.features());
            let of_piece = self.elastic.map_or(0, Elastic::room);
            let (with_before, with_after) = room.split_at_mut(half * of_piece);
            return join(
                || self.pieces(half, before, to_before, with_before),
                || self.pieces(pieces - half, after, to_after, with_after),
            );
        }
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(self.data.features())) {
            let mut rng = at(self.place, Purpose::Augmentation, *row as u64);
            let warp = self.draw(&mut rng);
            let field = self.elastic.map(|elastic| elastic.draw(&mut rng, room));
            let start = self.data.stored_row(*row) * self.data.features();
            let stored = start..start + self.data.features();
            // As in Dataset::gather: bytes are mapped in T, numbers in f64.
            match &self.data.stored {
                Features::U8(v) => {
                    let map = |x, c, s| (T::of(x) - T::of(c)) / T::of(s);
                    self.image(&v[stored], f64::from, &warp, field, out, map);
                }
                Features::F32(v) => {
                    self.image(&v[stored], f64::from, &warp, field, out, |x, c, s| T::of((x - c) / s));
                }
                Features::F64(v) => {
                    self.image(&v[stored], |x| x, &warp, field, out, |x, c, s| T::of((x - c) / s));
                }
            }
        }
    }

    /// All five draws, also those of what is off: none moves the next.
    fn draw(&self, rng: &mut ChaCha8Rng) -> Warp {
        let Augment { shift, rotate, scale, shear, .. } = self.augment;
        let mut pixels = || (fraction(rng) * (2 * shift + 1) as f64).floor() - shift as f64;
        let moves = [pixels(), pixels()];
        let mut within = |most: f64| most * (2.0 * fraction(rng) - 1.0);
        let (degrees, stretch, slant) = (within(rotate), within(scale), within(shear));
        Warp::new(self.shape, moves, degrees, 1.0 + stretch, slant)
    }

    #[inline(always)]
    fn image<S: Copy, T: Float>(
        &self,
        stored: &[S],
        number: impl Fn(S) -> f64 + Copy,
        warp: &Warp,
        field: Option<(&[f32], &[f32])>,
        out: &mut [T],
        map: impl Fn(f64, f64, f64) -> T,
    ) {
        let width = self.shape.1;
        for (pixel, out) in out.iter_mut().enumerate() {
            let [mut x, mut y] = warp.origin(pixel % width, pixel / width);
            if let Some((right, down)) = field {
                x += f64::from(right[pixel]);
                y += f64::from(down[pixel]);
            }
            let (center, scale) = self.data.map.column(pixel);
            *out = map(warp::at(stored, width, [x, y], number), center, scale);
        }
    }
}
