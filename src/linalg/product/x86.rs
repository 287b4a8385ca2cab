//! The vectors of x86-64: AVX2 with FMA, and AVX-512.

use std::arch::x86_64::*;
use std::is_x86_feature_detected as has;

use super::convolution::{Seen, Strip, Tile, add_seen, narrow, seen_tile};
use super::vector::{Vector, compiled_for, register};
use super::{Piece, Place, copy_b, tiles};

pub fn has_avx2() -> bool {
    has!("avx2") && has!("fma")
}

pub fn has_avx512() -> bool {
    has!("avx512f") && has_avx2()
}

/// The macro [`register`] with the methods that all vectors of this architecture have: masks, and blocks that are
/// transposed.
macro_rules! vector {
    (
        $(#[$about:meta])*
        $name:ident($register:ty) of $t:ty, $features:literal, $tile:literal, $side:literal $transpose:ident:
        $splat:ident $load:ident $store:ident $fused:ident $add:ident $subtract:ident,
        $mask:ident, $load_masked:expr, $store_first:expr
    ) => {
        register! {
            $(#[$about])*
            $name($register) of $t, $features, $tile: $splat $load $store $fused $add $subtract

            const TILE_OF_ONE: usize = 12;
            const SIDE: usize = $side;

            #[inline(always)]
            fn fetch(at: *const $t) {
                // SAFETY: a hint, which reads nothing.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
            }

            #[inline(always)]
            unsafe fn load_first(from: *const $t, n: usize) -> Self {
                unsafe { $name($load_masked(from, $mask(n))) }
            }

            #[inline(always)]
            unsafe fn store_first(self, to: *mut $t, n: usize) {
                unsafe { $store_first(to, n, self.0) }
            }

            #[inline(always)]
            unsafe fn transpose(from: *const $t, pitch: usize, to: *mut $t, to_pitch: usize) {
                unsafe { $transpose(from, pitch, to, to_pitch) }
            }
        }
    };
}

vector! {
    /// 16 numbers of AVX-512.
    F32x16(__m512) of f32, "avx512f,avx2,fma", 14, 8 transpose_f32:
    _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_fmadd_ps _mm512_add_ps _mm512_sub_ps,
    bits, |from, mask| _mm512_maskz_loadu_ps(mask, from), |to, n, x| _mm512_mask_storeu_ps(to, bits(n), x)
}
vector! {
    /// Eight numbers of AVX-512.
    F64x8(__m512d) of f64, "avx512f,avx2,fma", 14, 4 transpose_f64:
    _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_fmadd_pd _mm512_add_pd _mm512_sub_pd,
    few_bits, |from, mask| _mm512_maskz_loadu_pd(mask, from), |to, n, x| _mm512_mask_storeu_pd(to, few_bits(n), x)
}
vector! {
    /// Eight numbers of AVX2.
    F32x8(__m256) of f32, "avx2,fma", 6, 8 transpose_f32:
    _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_fmadd_ps _mm256_add_ps _mm256_sub_ps,
    lanes, _mm256_maskload_ps, store_first_f32
}
vector! {
    /// Four numbers of AVX2.
    F64x4(__m256d) of f64, "avx2,fma", 6, 4 transpose_f64:
    _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_fmadd_pd _mm256_add_pd _mm256_sub_pd,
    double_lanes, _mm256_maskload_pd, store_first_f64
}

/// The mask of the first `n` of 16 numbers.
#[inline(always)]
fn bits(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}

/// The mask of the first `n` of eight numbers.
#[inline(always)]
fn few_bits(n: usize) -> __mmask8 {
    bits(n) as __mmask8
}

/// The mask of the first `n` of eight numbers of four bytes each.
///
/// # Safety
/// The CPU has AVX, and `n` is at most eight.
#[inline(always)]
unsafe fn lanes(n: usize) -> __m256i {
    /// Eight lanes that are taken, and eight that are not: a mask begins among them.
    static TAKEN: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    unsafe { _mm256_loadu_si256(TAKEN.as_ptr().add(8 - n).cast()) }
}

/// The mask of the first `n` of four numbers of eight bytes each.
///
/// # Safety
/// The CPU has AVX, and `n` is at most four.
#[inline(always)]
unsafe fn double_lanes(n: usize) -> __m256i {
    unsafe { lanes(2 * n) }
}

/// Stores the first `n` of eight numbers, in at most three parts. A store with a mask takes a Zen 3 some forty steps.
///
/// # Safety
/// The CPU has AVX, `n` is at most eight, and there is room for as many.
#[inline(always)]
unsafe fn store_first_f32(to: *mut f32, n: usize, x: __m256) {
    unsafe {
        if n == 8 {
            return _mm256_storeu_ps(to, x);
        }
        let (mut to, mut rest) = (to, _mm256_castps256_ps128(x));
        if n & 4 != 0 {
            _mm_storeu_ps(to, rest);
            (to, rest) = (to.add(4), _mm256_extractf128_ps::<1>(x));
        }
        if n & 2 != 0 {
            _mm_storel_pd(to.cast(), _mm_castps_pd(rest));
            (to, rest) = (to.add(2), _mm_movehl_ps(rest, rest));
        }
        if n & 1 != 0 {
            _mm_store_ss(to, rest);
        }
    }
}

/// Stores the first `n` of four numbers; as [`store_first_f32`].
///
/// # Safety
/// The CPU has AVX, `n` is at most four, and there is room for as many.
#[inline(always)]
unsafe fn store_first_f64(to: *mut f64, n: usize, x: __m256d) {
    unsafe {
        if n == 4 {
            return _mm256_storeu_pd(to, x);
        }
        let (mut to, mut rest) = (to, _mm256_castpd256_pd128(x));
        if n & 2 != 0 {
            _mm_storeu_pd(to, rest);
            (to, rest) = (to.add(2), _mm256_extractf128_pd::<1>(x));
        }
        if n & 1 != 0 {
            _mm_store_sd(to, rest);
        }
    }
}

/// How many numbers ahead a row is fetched: rows are read side by side, more of them than the CPU foresees.
const AHEAD: usize = 128;

/// A block of 8×8.
///
/// # Safety
/// The CPU has AVX, and both blocks are there.
#[inline(always)]
unsafe fn transpose_f32(from: *const f32, pitch: usize, to: *mut f32, to_pitch: usize) {
    unsafe {
        let mut r = [_mm256_setzero_ps(); 8];
        for (i, row) in r.iter_mut().enumerate() {
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(i * pitch + AHEAD).cast());
            *row = _mm256_loadu_ps(from.add(i * pitch));
        }
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
        }
        for l in 0..4 {
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
        let mut r = [_mm256_setzero_pd(); 4];
        for (i, row) in r.iter_mut().enumerate() {
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(i * pitch + AHEAD).cast());
            *row = _mm256_loadu_pd(from.add(i * pitch));
        }
        let a = [_mm256_unpacklo_pd(r[0], r[1]), _mm256_unpackhi_pd(r[0], r[1])];
        let b = [_mm256_unpacklo_pd(r[2], r[3]), _mm256_unpackhi_pd(r[2], r[3])];
        for l in 0..2 {
            _mm256_storeu_pd(to.add(l * to_pitch), _mm256_permute2f128_pd::<0x20>(a[l], b[l]));
        }
        for l in 0..2 {
            _mm256_storeu_pd(to.add((l + 2) * to_pitch), _mm256_permute2f128_pd::<0x31>(a[l], b[l]));
        }
    }
}
