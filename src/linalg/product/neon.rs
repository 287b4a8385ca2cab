//! The vectors of aarch64.

use std::arch::aarch64::*;

use super::convolution::{Seen, Strip, Tile, add_seen, narrow, seen_tile};
use super::vector::{Vector, compiled_for, register};
use super::{Piece, Place, copy_b, tiles};

register! {
    /// Four numbers.
    F32x4(float32x4_t) of f32, "neon", 12:
    vdupq_n_f32 vld1q_f32 vst1q_f32 fused_f32 vaddq_f32 vsubq_f32
}
register! {
    /// Two numbers.
    F64x2(float64x2_t) of f64, "neon", 12:
    vdupq_n_f64 vld1q_f64 vst1q_f64 fused_f64 vaddq_f64 vsubq_f64
}

// What is added to stands first in these instructions.

#[inline(always)]
unsafe fn fused_f32(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
    // SAFETY: every aarch64 has the instruction.
    unsafe { vfmaq_f32(c, a, b) }
}

#[inline(always)]
unsafe fn fused_f64(a: float64x2_t, b: float64x2_t, c: float64x2_t) -> float64x2_t {
    // SAFETY: every aarch64 has the instruction.
    unsafe { vfmaq_f64(c, a, b) }
}
