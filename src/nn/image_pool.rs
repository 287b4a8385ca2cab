//! The layers that make images smaller.

use super::{Mode, Module};
use crate::ops::{ImageShape, Window};
use crate::store::Settings;
use crate::tape::{Tape, Var};
use crate::{Float, Result};

/// What a pool takes of each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolKind {
    Max,
    Mean,
    MeanOfAll,
}

impl PoolKind {
    /// All of them, by what they are called in files.
    pub(super) const TABLE: [(&str, PoolKind); 3] =
        [("max_pool", PoolKind::Max), ("avg_pool", PoolKind::Mean), ("global_avg_pool", PoolKind::MeanOfAll)];

    fn name(self) -> &'static str {
        let found = Self::TABLE.iter().find(|(_, kind)| *kind == self);
        found.map_or("pool", |(name, _)| name)
    }
}

/// One number for each window of an image, channel by channel: [`Tape::max_pool`], [`Tape::avg_pool`] or
/// [`Tape::global_avg_pool`].
///
/// ```
/// use tapegrad::nn::{Mode, Module, Pool};
/// use tapegrad::ops::{ImageShape, Window};
///
/// let mut tape = tapegrad::Tape::new();
/// let pool = Pool::max(ImageShape::new(1, 2, 4), Pool::whole(2))?;
/// let x = tape.constant_slice(1, 8, &[1.0, 2.0, 3.0, 4.0, 8.0, 7.0, 6.0, 5.0]);
/// let y = pool.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.value_slice(y), [8.0, 6.0]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    kind: PoolKind,
    image: ImageShape,
    window: Window,
    output: ImageShape,
}

impl Pool {
    /// The largest number of each window.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) as [`Window::pooled`]; so for the two below.
    pub fn max(image: ImageShape, window: Window) -> Result<Pool> {
        Pool::new(PoolKind::Max, image, window)
    }

    /// The mean of each window.
    pub fn avg(image: ImageShape, window: Window) -> Result<Pool> {
        Pool::new(PoolKind::Mean, image, window)
    }

    /// The mean of all pixels.
    pub fn global_avg(image: ImageShape) -> Result<Pool> {
        Pool::new(PoolKind::MeanOfAll, image, Window::new(1, 1))
    }

    /// A window of `side`×`side` that moves on by as much, as pools usually have it.
    pub const fn whole(side: usize) -> Window {
        Window { stride: [side; 2], ..Window::new(side, side) }
    }

    pub(super) fn new(kind: PoolKind, image: ImageShape, window: Window) -> Result<Pool> {
        let window = match kind {
            PoolKind::MeanOfAll => Window::new(1, 1),
            _ => window,
        };
        let pooled = window.pooled(image)?;
        let output = match kind {
            PoolKind::MeanOfAll => ImageShape::new(image.channels, 1, 1),
            _ => pooled,
        };
        Ok(Pool { kind, image, window, output })
    }
}

impl<T: Float> Module<T> for Pool {
    fn describe(&self) -> String {
        let Pool { image, output, window, .. } = self;
        match self.kind {
            PoolKind::Max => format!("max pool {image}→{output}, {window}"),
            PoolKind::Mean => format!("average pool {image}→{output}, {window}"),
            PoolKind::MeanOfAll => format!("global average pool {image}→{output}"),
        }
    }

    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        match self.kind {
            PoolKind::Max => tape.max_pool(x, self.image, &self.window),
            PoolKind::Mean => tape.avg_pool(x, self.image, &self.window),
            PoolKind::MeanOfAll => tape.global_avg_pool(x, self.image),
        }
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.image.numel())
    }

    fn images(&self) -> Option<(ImageShape, ImageShape)> {
        Some((self.image, self.output))
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of(self.kind.name()).with("image", self.image).with("window", self.window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_kinds() {
        let image = ImageShape::new(2, 2, 2);
        let mut tape = Tape::new();
        let x = tape.constant_slice(1, 8, &[1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 6.0, 40.0]);
        for (pool, expected, about) in [
            (Pool::max(image, Pool::whole(2)), [6.0, 40.0], "max pool 2×2×2→2×1×1, 2×2, stride 2×2"),
            (Pool::avg(image, Pool::whole(2)), [3.0, 25.0], "average pool 2×2×2→2×1×1, 2×2, stride 2×2"),
            (Pool::global_avg(image), [3.0, 25.0], "global average pool 2×2×2→2×1×1"),
        ] {
            let pool = pool.unwrap();
            let y = pool.forward(&mut tape, x, &mut Mode::evaluation());
            assert_eq!(tape.value_slice(y), expected);
            assert_eq!(Module::<f64>::describe(&pool), about);
            assert_eq!(Module::<f64>::images(&pool), Some((image, ImageShape::new(2, 1, 1))));
        }
        assert_eq!(
            Pool::max(image, Pool::whole(3)).unwrap_err().to_string(),
            "kernel: a window of 3×3 is larger than an image of 2×2"
        );
    }
}
