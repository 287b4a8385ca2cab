//! [`Batches`]: which rows come in which step.

use rand::seq::SliceRandom;

use crate::memory::collected;
use crate::rng::{Purpose, stream};
use crate::settings::at_least_one;
use crate::text::count;
use crate::{Error, Result};

/// Cuts the rows 0..n of a dataset into batches, in a new random order every epoch.
///
/// The order of epoch e is a function of (seed, e) alone: to resume at epoch 7 nothing has to be
/// replayed. Epoch e draws from words e·2³⁶ onwards of the seed's shuffling stream.
///
/// Nothing is allocated after construction.
///
/// ```
/// use tapegrad::data::Batches;
///
/// let mut batches = Batches::shuffled(10, 4, 7)?;
/// let sizes: Vec<usize> = batches.epoch(0).map(|indices| indices.len()).collect();
/// assert_eq!(sizes, [4, 4, 2]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batches {
    order: Vec<usize>,
    size: usize,
    drop_last: bool,
    seed: Option<u64>,
}

impl Batches {
    /// Batches of `size` of the rows 0..`rows`, shuffled anew every epoch. The last one is shorter
    /// where `size` does not divide `rows`; see [`drop_last`](Self::drop_last).
    ///
    /// # Errors
    /// [`Error::Setting`] if `size` is 0; [`Error::Data`] if there are no rows; [`Error::Memory`] if there is
    /// not enough of it for their order.
    pub fn shuffled(rows: usize, size: usize, seed: u64) -> Result<Batches> {
        Batches::new(rows, size, Some(seed))
    }

    /// As [`shuffled`](Self::shuffled), with the rows in ascending order in every epoch.
    ///
    /// # Errors
    /// As [`shuffled`](Self::shuffled).
    pub fn in_order(rows: usize, size: usize) -> Result<Batches> {
        Batches::new(rows, size, None)
    }

    fn new(rows: usize, size: usize, seed: Option<u64>) -> Result<Batches> {
        at_least_one("batch", size)?;
        if rows == 0 {
            return Err(Error::Data("there are no rows to make batches of".into()));
        }
        Ok(Batches { order: collected(0..rows, "the order of the rows")?, size, drop_last: false, seed })
    }

    /// Leaves out a last batch that is not full. Which rows are left out changes from epoch to epoch.
    ///
    /// # Errors
    /// [`Error::Setting`] if not one batch is full.
    pub fn drop_last(mut self) -> Result<Batches> {
        if self.order.len() < self.size {
            let why =
                format!("{} is above the {}: no batch is full", self.size, count(self.order.len(), "row"));
            return Err(Error::setting("batch", why));
        }
        self.drop_last = true;
        Ok(self)
    }

    /// Number of batches in an epoch.
    pub fn per_epoch(&self) -> usize {
        if self.drop_last { self.order.len() / self.size } else { self.order.len().div_ceil(self.size) }
    }

    /// Rows of a full batch.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The batches of an epoch, counted from 0, each a slice of row indices. Epochs repeat after 2³².
    pub fn epoch(&mut self, epoch: u64) -> std::slice::Chunks<'_, usize> {
        self.draw(epoch);
        let end = if self.drop_last { self.per_epoch() * self.size } else { self.order.len() };
        self.order[..end].chunks(self.size)
    }

    /// Brings the rows into the order of an epoch, for [`batch`](Self::batch).
    pub(crate) fn draw(&mut self, epoch: u64) {
        if let Some(seed) = self.seed {
            // From the same start each time: the order must not depend on the epochs before.
            self.order.iter_mut().enumerate().for_each(|(i, row)| *row = i);
            let mut rng = stream(seed, Purpose::Shuffle);
            rng.set_word_pos(u128::from(epoch) << 36);
            self.order.shuffle(&mut rng);
        }
    }

    /// A batch, counted from 0, of the epoch that was drawn last.
    pub(crate) fn batch(&self, step: usize) -> &[usize] {
        let start = step * self.size;
        &self.order[start..(start + self.size).min(self.order.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(batches: &mut Batches, epoch: u64) -> Vec<usize> {
        batches.epoch(epoch).flatten().copied().collect()
    }

    #[test]
    fn every_row_once_in_every_epoch() {
        for (n, size) in [(1, 1), (10, 3), (10, 5), (10, 100), (1000, 128)] {
            let mut batches = Batches::shuffled(n, size, 3).unwrap();
            for epoch in 0..3 {
                assert_eq!(batches.epoch(epoch).count(), batches.per_epoch());
                let mut rows = rows(&mut batches, epoch);
                rows.sort_unstable();
                assert!(rows.into_iter().eq(0..n));
            }
        }
    }

    #[test]
    fn the_order_is_a_function_of_seed_and_epoch() {
        let mut a = Batches::shuffled(500, 32, 9).unwrap();
        let mut b = Batches::shuffled(500, 7, 9).unwrap();
        let (first, second) = (rows(&mut a, 0), rows(&mut a, 1));
        assert_ne!(first, second);
        assert_ne!(first, (0..500).collect::<Vec<_>>());
        assert_eq!(rows(&mut b, 1), second, "no epoch was replayed before");
        assert_ne!(rows(&mut Batches::shuffled(500, 32, 10).unwrap(), 0), first);
    }

    /// Pins the bits: a change here changes every run with a seed, and must be meant.
    #[test]
    fn the_order_is_the_same_tomorrow() {
        let mut batches = Batches::shuffled(10, 10, 42).unwrap();
        assert_eq!(rows(&mut batches, 0), [7, 2, 6, 5, 3, 1, 0, 9, 4, 8]);
        assert_eq!(rows(&mut batches, 3), [2, 9, 0, 5, 7, 4, 3, 8, 6, 1]);
    }

    #[test]
    fn every_position_is_equally_likely() {
        // Chi-squared of 5×5 counts; its 0.9999 quantile at 16 degrees of freedom is 46.
        let mut batches = Batches::shuffled(5, 5, 1).unwrap();
        let (epochs, mut counts) = (20_000, [[0u32; 5]; 5]);
        for epoch in 0..epochs {
            for (at, row) in rows(&mut batches, epoch).into_iter().enumerate() {
                counts[at][row] += 1;
            }
        }
        let expected = epochs as f64 / 5.0;
        let chi: f64 = counts.iter().flatten().map(|c| (f64::from(*c) - expected).powi(2) / expected).sum();
        assert!(chi < 46.0, "{chi}");
    }

    #[test]
    fn the_last_batch() {
        let mut batches = Batches::shuffled(10, 4, 0).unwrap().drop_last().unwrap();
        assert!(batches.epoch(0).map(<[usize]>::len).eq([4, 4]));
        assert_eq!(batches.per_epoch(), 2);
        assert!(Batches::in_order(10, 11).unwrap().drop_last().is_err());
        assert!(rows(&mut Batches::in_order(10, 3).unwrap(), 5).into_iter().eq(0..10));
        assert!(Batches::in_order(10, 0).is_err() && Batches::in_order(0, 10).is_err());
    }
}
