//! The vectors of aarch64.

use std::arch::aarch64::*;

use super::{Vector, compiled_for};

macro_rules! vector {
    (
        $(#[$about:meta])*
        $name:ident($register:ty) of $t:ty:
        $splat:ident $load:ident $store:ident $fused:ident $add:ident $subtract:ident
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy)]
        pub struct $name($register);

        // SAFETY, of all methods: every aarch64 has the instructions, and the pointers are good, as the trait says.
        impl Vector<$t> for $name {
            const TILE: usize = 12;
            const SIDE: usize = 1;

            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                unsafe { $name($splat(x)) }
            }

            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                unsafe { $name($load(from)) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                unsafe { $store(to, self.0) }
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
                unsafe { $name($fused(c.0, self.0, b.0)) }
            }

            #[inline(always)]
            unsafe fn add(self, b: Self) -> Self {
                unsafe { $name($add(self.0, b.0)) }
            }

            #[inline(always)]
            unsafe fn subtract(self, b: Self) -> Self {
                unsafe { $name($subtract(self.0, b.0)) }
            }

            #[inline(always)]
            unsafe fn transpose(from: *const $t, _: usize, to: *mut $t, _: usize) {
                unsafe { to.write(from.read()) }
            }

            compiled_for!($t, "neon");
        }
    };
}

vector! {
    /// Four numbers.
    F32x4(float32x4_t) of f32: vdupq_n_f32 vld1q_f32 vst1q_f32 vfmaq_f32 vaddq_f32 vsubq_f32
}
vector! {
    /// Two numbers.
    F64x2(float64x2_t) of f64: vdupq_n_f64 vld1q_f64 vst1q_f64 vfmaq_f64 vaddq_f64 vsubq_f64
}
