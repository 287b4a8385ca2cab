//! Vectors of plain numbers, for every CPU.

use super::fused::Fused;
use super::vector::{Vector, compiled_for};
use super::{Piece, Place, copy_b, tile};

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
                Plain(std::array::from_fn(|i| self.0[i].fused(b.0[i], c.0[i])))
            }

            #[inline(always)]
            unsafe fn add(self, b: Self) -> Self {
                Plain(std::array::from_fn(|i| self.0[i] + b.0[i]))
            }

            #[inline(always)]
            unsafe fn subtract(self, b: Self) -> Self {
                Plain(std::array::from_fn(|i| self.0[i] - b.0[i]))
            }

            compiled_for!($t);
        }
    )*};
}

vector!(f32 f64);
