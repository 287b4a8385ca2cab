//! Vectors of plain numbers, for every CPU.

use super::fused::Fused;
use super::{Vector, compiled_for};

/// Four numbers.
#[derive(Clone, Copy)]
pub struct Plain<T>([T; 4]);

macro_rules! vector {
    ($($t:ty)*) => {$(
impl Vector<$t> for Plain<$t> {
    const TILE: usize = 4;
    const SIDE: usize = 1;

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
    unsafe fn load_first(from: *const $t, n: usize) -> Self {
        let mut numbers = [0.0; <Self as Vector<$t>>::LANES];
        (0..n).for_each(|i| numbers[i] = unsafe { from.add(i).read() });
        unsafe { Self::load(numbers.as_ptr()) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut $t, n: usize) {
        let mut numbers = [0.0; <Self as Vector<$t>>::LANES];
        unsafe { self.store(numbers.as_mut_ptr()) };
        (0..n).for_each(|i| unsafe { to.add(i).write(numbers[i]) });
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

    #[inline(always)]
    unsafe fn transpose(from: *const $t, _: usize, to: *mut $t, _: usize) {
        unsafe { to.write(from.read()) }
    }

    compiled_for!($t,);
}
    )*};
}

vector!(f32 f64);
