//! The vectors of x86-64: AVX2 with FMA, and AVX-512.

use std::arch::x86_64::*;
use std::is_x86_feature_detected as has;

use super::{Vector, compiled_for};

pub fn has_avx2() -> bool {
    has!("avx2") && has!("fma")
}

pub fn has_avx512() -> bool {
    has!("avx512f") && has_avx2()
}

macro_rules! vector {
    (
        $(#[$about:meta])*
        $name:ident($register:ty) of $t:ty, $features:literal, $tile:literal, $side:literal, $transpose:ident:
        $splat:ident $load:ident $store:ident $load_first:ident $store_first:ident $fused:ident $add:ident $subtract:ident
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy)]
        pub struct $name($register);

        // SAFETY, of all methods: as the trait says, the CPU has the instructions, and the pointers are good.
        impl Vector<$t> for $name {
            const TILE: usize = $tile;
            const SIDE: usize = $side;

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
                unsafe { $name($load_first(from, n)) }
            }

            #[inline(always)]
            unsafe fn store_first(self, to: *mut $t, n: usize) {
                unsafe { $store_first(to, n, self.0) }
            }

            #[inline(always)]
            unsafe fn fused(self, b: Self, c: Self) -> Self {
                unsafe { $name($fused(self.0, b.0, c.0)) }
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
            unsafe fn transpose(from: *const $t, pitch: usize, to: *mut $t, to_pitch: usize) {
                unsafe { $transpose(from, pitch, to, to_pitch) }
            }

            compiled_for!($t, $features);
        }
    };
}

vector! {
    /// 16 numbers of AVX-512.
    F32x16(__m512) of f32, "avx512f,avx2,fma", 14, 8, transpose_f32:
    _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps load_f32x16 store_f32x16 _mm512_fmadd_ps _mm512_add_ps _mm512_sub_ps
}
vector! {
    /// Eight numbers of AVX-512.
    F64x8(__m512d) of f64, "avx512f,avx2,fma", 14, 4, transpose_f64:
    _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd load_f64x8 store_f64x8 _mm512_fmadd_pd _mm512_add_pd _mm512_sub_pd
}
vector! {
    /// Eight numbers of AVX2.
    F32x8(__m256) of f32, "avx2,fma", 6, 8, transpose_f32:
    _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps load_f32x8 store_f32x8 _mm256_fmadd_ps _mm256_add_ps _mm256_sub_ps
}
vector! {
    /// Four numbers of AVX2.
    F64x4(__m256d) of f64, "avx2,fma", 6, 4, transpose_f64:
    _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd load_f64x4 store_f64x4 _mm256_fmadd_pd _mm256_add_pd _mm256_sub_pd
}

/// Loads and stores of the first `n` numbers of a vector: what is behind them is not touched.
macro_rules! first_wide {
    ($t:ty, $register:ty: $load_first:ident $store_first:ident, $mask:ty, $load:ident $store:ident) => {
        #[inline(always)]
        unsafe fn $load_first(from: *const $t, n: usize) -> $register {
            unsafe { $load(((1u32 << n) - 1) as $mask, from) }
        }

        #[inline(always)]
        unsafe fn $store_first(to: *mut $t, n: usize, x: $register) {
            unsafe { $store(to, ((1u32 << n) - 1) as $mask, x) }
        }
    };
}
first_wide! { f32, __m512: load_f32x16 store_f32x16, __mmask16, _mm512_maskz_loadu_ps _mm512_mask_storeu_ps }
first_wide! { f64, __m512d: load_f64x8 store_f64x8, __mmask8, _mm512_maskz_loadu_pd _mm512_mask_storeu_pd }

/// Eight lanes that are taken, and eight that are not: a mask begins among them.
static TAKEN: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

macro_rules! first_narrow {
    ($t:ty, $register:ty: $load_first:ident $store_first:ident, $lanes:literal, $load:ident $store:ident) => {
        #[inline(always)]
        unsafe fn $load_first(from: *const $t, n: usize) -> $register {
            unsafe { $load(from, _mm256_loadu_si256(TAKEN.as_ptr().add(8 - n * $lanes).cast())) }
        }

        #[inline(always)]
        unsafe fn $store_first(to: *mut $t, n: usize, x: $register) {
            unsafe { $store(to, _mm256_loadu_si256(TAKEN.as_ptr().add(8 - n * $lanes).cast()), x) }
        }
    };
}
first_narrow! { f32, __m256: load_f32x8 store_f32x8, 1, _mm256_maskload_ps _mm256_maskstore_ps }
first_narrow! { f64, __m256d: load_f64x4 store_f64x4, 2, _mm256_maskload_pd _mm256_maskstore_pd }

/// How many numbers ahead a row is fetched: rows are read side by side, more of them than the CPU foresees.
const AHEAD: usize = 128;

/// A block of 8×8.
///
/// # Safety
/// The CPU has AVX, and both blocks are there.
#[inline(always)]
unsafe fn transpose_f32(from: *const f32, pitch: usize, to: *mut f32, to_pitch: usize) {
    unsafe {
        let r: [__m256; 8] = std::array::from_fn(|i| {
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(i * pitch + AHEAD).cast());
            _mm256_loadu_ps(from.add(i * pitch))
        });
        // Pairs of rows, then of pairs, then of halves.
        let low = |i: usize| _mm256_unpacklo_ps(r[i], r[i + 1]);
        let high = |i: usize| _mm256_unpackhi_ps(r[i], r[i + 1]);
        let (a, b) = ([low(0), low(2), low(4), low(6)], [high(0), high(2), high(4), high(6)]);
        let first = |x: __m256, y: __m256| _mm256_shuffle_ps::<0b01_00_01_00>(x, y);
        let second = |x: __m256, y: __m256| _mm256_shuffle_ps::<0b11_10_11_10>(x, y);
        let upper = [first(a[0], a[1]), second(a[0], a[1]), first(b[0], b[1]), second(b[0], b[1])];
        let lower = [first(a[2], a[3]), second(a[2], a[3]), first(b[2], b[3]), second(b[2], b[3])];
        for l in 0..4 {
            _mm256_storeu_ps(to.add(l * to_pitch), _mm256_permute2f128_ps::<0x20>(upper[l], lower[l]));
            _mm256_storeu_ps(to.add((l + 4) * to_pitch), _mm256_permute2f128_ps::<0x31>(upper[l], lower[l]));
        }
    }
}

/// A block of 4×4.
///
/// # Safety
/// The CPU has AVX, and both blocks are there.
#[inline(always)]
unsafe fn transpose_f64(from: *const f64, pitch: usize, to: *mut f64, to_pitch: usize) {
    unsafe {
        let r: [__m256d; 4] = std::array::from_fn(|i| {
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(i * pitch + AHEAD).cast());
            _mm256_loadu_pd(from.add(i * pitch))
        });
        let a = [_mm256_unpacklo_pd(r[0], r[1]), _mm256_unpackhi_pd(r[0], r[1])];
        let b = [_mm256_unpacklo_pd(r[2], r[3]), _mm256_unpackhi_pd(r[2], r[3])];
        for l in 0..2 {
            _mm256_storeu_pd(to.add(l * to_pitch), _mm256_permute2f128_pd::<0x20>(a[l], b[l]));
            _mm256_storeu_pd(to.add((l + 2) * to_pitch), _mm256_permute2f128_pd::<0x31>(a[l], b[l]));
        }
    }
}
