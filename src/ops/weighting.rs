//! What losses are made of besides the operations that are methods: weights of samples, and margins.

use super::{Binary, pass_if};
use crate::Float;
use crate::tape::Recorder;

/// loss·share, and 0 for a sample that does not count, even if its loss is infinite.
pub(super) struct Weighted;

impl<T: Float> Binary<T> for Weighted {
    const NAME: &'static str = "weighted";
    #[inline(always)]
    fn value(loss: T, share: T) -> T {
        pass_if(share != T::ZERO, loss * share)
    }
    #[inline(always)]
    fn backward_a(_: T, share: T, dy: T) -> T {
        pass_if(share != T::ZERO, share * dy)
    }
    #[inline(always)]
    fn backward_b(loss: T, _: T, dy: T) -> T {
        loss * dy
    }

    fn record(mut cx: Recorder<'_, T>) {
        let (loss, share, dy) = (cx.x(0), cx.x(1), cx.dy());
        cx.add_with(0, |tape| tape.slope_times(share, dy));
        cx.add_with(1, |tape| tape.mul(loss, dy));
    }
}

/// max(0, margin + d) where there is a margin, and 0 for the true class, which has none: beside itself its score is
/// 0, or NaN if it is infinite.
pub(super) struct Violation;

impl<T: Float> Binary<T> for Violation {
    const NAME: &'static str = "violation";
    #[inline(always)]
    fn value(d: T, margin: T) -> T {
        // In this form, and not as a maximum, NaN is kept.
        if margin == T::ZERO || d < -margin { T::ZERO } else { margin + d }
    }
    #[inline(always)]
    fn backward_a(d: T, margin: T, dy: T) -> T {
        pass_if(margin != T::ZERO && d > -margin, dy)
    }
    #[inline(always)]
    fn backward_b(d: T, margin: T, dy: T) -> T {
        pass_if(margin != T::ZERO && d > -margin, dy)
    }

    fn record(mut cx: Recorder<'_, T>) {
        let (y, dy) = (cx.y(), cx.dy());
        for k in [0, 1] {
            // The slope is 1 where the value is above 0.
            cx.add_with(k, |tape| tape.kept(y, |y| y > T::ZERO, dy));
        }
    }
}
