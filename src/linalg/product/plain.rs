//! Vectors of plain numbers, for every CPU.

use super::convolution::{Seen, Strip, Tile, add_seen, narrow, seen_tile};
use super::fused::Fused;
use super::vector::{Vector, compiled_for};
use super::{Piece, Place, copy_b, tiles};
use crate::linalg::simd::lanes;

/// Four numbers.
#[derive(Clone, Copy)]
pub struct Plain<T>([T; 4]);

macro_rules! vector {
    ($($t:ty)*) => {$(
        // SAFETY, of all methods: the pointers are good, as the trait says.
        impl Vector<$t> for Plain<$t> {
            const TILE: usize = 4;

            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                Plain([x; 4])
            }

            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                Plain(unsafe { from.cast::<[$t; 4]>().read() })
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                unsafe { to.cast::<[$t; 4]>().write(self.0) }
            }

            #[inline(always)]
            unsafe fn fused(self, b: Self, c: Self) -> Self {
                let mut sums = c.0;
                (0..4).for_each(|i| sums[i] = self.0[i].fused(b.0[i], c.0[i]));
                Plain(sums)
            }

            #[inline(always)]
            unsafe fn add(self, b: Self) -> Self {
                Plain(lanes(self.0, &b.0, |a, b| a + b))
            }

            #[inline(always)]
            unsafe fn subtract(self, b: Self) -> Self {
                Plain(lanes(self.0, &b.0, |a, b| a - b))
            }

            compiled_for!($t);
        }
    )*};
}

vector!(f32 f64);
