//! Dropout.

use rand::Rng;

use super::Op;
use crate::Float;
use crate::linalg::parts::{Rows, by_rows};
use crate::linalg::simd::vectorize;
use crate::tape::{Args, Backward, Forward, Operation, Recorder, Shape, Tape, Var};

/// # Dropout
/// With a mask that is drawn.
impl<T: Float> Tape<T> {
    /// Sets each entry to 0 with probability `p`, on its own, and divides the others by 1 − p, so that
    /// the mean stays.
    ///
    /// Each entry takes one `u32` of `rng`. With p = 0 this is `x` itself, and nothing is drawn.
    /// Srivastava et al., *Dropout*, JMLR 15, 2014, with the scaling at training time.
    /// Backward, by the same mask: dx = mask/(1 − p) ∘ dy.
    ///
    /// # Panics
    /// If `x` is stale, or `p` is outside of [0, 1).
    #[track_caller]
    pub fn dropout(&mut self, x: impl Into<Var>, p: T, rng: &mut impl Rng) -> Var {
        let x = x.into();
        let shape = self.shape_for("dropout", x);
        assert!(p >= T::ZERO && p < T::ONE, "dropout: the probability is {p}, not in [0, 1)");
        if p == T::ZERO {
            return x;
        }
        // Dropped if the draw is below: p to within 2⁻³³.
        let threshold = (p.to_f64() * 2f64.powi(32)).round() as u64;
        let len = shape.numel();
        let mask = (0..len).step_by(32).map(|start| {
            (0..(len - start).min(32))
                .fold(0, |bits, i| bits | (u32::from(u64::from(rng.next_u32()) >= threshold) << i))
        });
        self.apply_indexed(Op::Dropout.get(), &[x], shape, Args::scalars(T::ONE / (T::ONE - p), p), mask)
    }
}

/// The index list is the mask: bit i of word w says whether entry 32w + i is kept.
pub(super) struct Dropout;

#[inline(always)]
fn masked<T: Float>(word: u32, i: usize, x: T, scale: T) -> T {
    // Chosen, not multiplied by 0: what is dropped may be infinite.
    if word >> i & 1 == 1 { x * scale } else { T::ZERO }
}

/// Calls `work` with the number of the first entry, some entries and their words, on the threads of the pool.
fn by_words<T: Float>(to: &mut [T], mask: &[u32], work: &(impl Fn(usize, &mut [T], &[u32]) + Sync)) {
    let (len, whole) = (to.len(), to.len() / 32 * 32);
    let (to, rest) = to.split_at_mut(whole);
    by_rows(len, whole / 32, Rows { numbers: to, cols: 32 }, &|first, Rows { numbers, .. }| {
        work(32 * first, numbers, &mask[first..]);
    });
    if !rest.is_empty() {
        work(whole, rest, &mask[whole / 32..]);
    }
}

/// `store` of each entry and what its bit leaves of the other one.
#[inline(always)]
fn words<T: Float>(to: &mut [T], from: &[T], mask: &[u32], store: impl Fn(&mut T, T) + Copy, scale: T) {
    vectorize(
        to.len(),
        #[inline(always)]
        move || {
            for ((to, from), &word) in to.chunks_mut(32).zip(from.chunks(32)).zip(mask) {
                for (i, (to, from)) in to.iter_mut().zip(from).enumerate() {
                    store(to, masked(word, i, *from, scale));
                }
            }
        },
    );
}

impl<T: Float> Operation<T> for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn forward(&self, mut cx: Forward<'_, T>) {
        let (x, mask, scale) = (cx.x(0), cx.indices(), cx.args().scalars[0]);
        by_words(cx.y(), mask, &|first, y, mask| {
            words(y, &x[first..], mask, |y, x| *y = x, scale);
        });
    }

    fn backward(&self, mut cx: Backward<'_, T>) {
        let (dy, mask, scale) = (cx.dy(), cx.indices(), cx.args().scalars[0]);
        let Some((dx, written)) = cx.dx(0) else { return };
        by_words(dx, mask, &|first, dx, mask| {
            if written {
                words(dx, &dy[first..], mask, |dx, dy| *dx += dy, scale);
            } else {
                words(dx, &dy[first..], mask, |dx, dy| *dx = dy, scale);
            }
        });
    }

    fn record(&self, mut cx: Recorder<'_, T>) {
        let (dy, scale, mask) = (cx.dy(), cx.args().scalars[0], cx.indices());
        cx.add_with(0, |tape| {
            let Shape { rows, cols } = tape.shape(dy);
            let factors: Vec<T> =
                (0..rows * cols).map(|i| masked(mask[i / 32], i % 32, T::ONE, scale)).collect();
            let factors = tape.constant_slice(rows, cols, &factors);
            tape.slope_times(factors, dy)
        });
    }

    fn describe(&self, args: &Args<T>) -> String {
        format!(" {}", args.scalars[1])
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use crate::ops::testing::{check_op, filled};
    use crate::rng::{Purpose, stream};

    #[test]
    fn gradients() {
        for (m, n) in [(1, 1), (3, 4), (5, 13), (8, 8), (0, 3), (2, 0)] {
            check_op(&[filled(m, n)], |t, x| t.dropout(x[0], 0.4, &mut stream(3, Purpose::Dropout)));
        }
    }

    #[test]
    fn keeps_a_share_and_the_mean() {
        let rows = if cfg!(miri) { 1 } else { 200 };
        for p in [0.1, 0.5, 0.9] {
            let mut tape = Tape::new();
            let x = tape.variable_with(rows, 501, |x| x.fill(2.0));
            let y = tape.dropout(x, p, &mut stream(1, Purpose::Dropout));
            let scaled = 2.0 * (1.0 / (1.0 - p));
            let values = tape.value_slice(y);
            assert!(values.iter().all(|&y| y == 0.0 || y == scaled));
            let dropped = values.iter().filter(|&&y| y == 0.0).count() as f64;
            let n = values.len() as f64;
            // Within five standard deviations of the binomial distribution.
            assert!((dropped - p * n).abs() < 5.0 * (n * p * (1.0 - p)).sqrt(), "{dropped} of {n} at {p}");

            tape.backward_with(y, |dy| dy.fill(2.0));
            assert_eq!(tape.grad_slice(x), tape.value_slice(y));
        }
    }

    #[test]
    fn the_seed_decides() {
        let run = |seed| {
            let mut tape = Tape::new();
            let x = tape.constant(&filled(10, 10));
            let rng = &mut stream(seed, Purpose::Dropout);
            let (first, second) = (tape.dropout(x, 0.5, rng), tape.dropout(x, 0.5, rng));
            assert_ne!(tape.value(first), tape.value(second));
            tape.value(first).to_dmatrix()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn with_probability_zero_is_the_identity() {
        use rand::Rng;
        let mut tape = Tape::new();
        let x = tape.variable(&filled(2, 3));
        let mut rng = stream(1, Purpose::Dropout);
        assert_eq!(tape.dropout(x, 0.0, &mut rng), x);
        assert_eq!(rng.next_u64(), stream(1, Purpose::Dropout).next_u64());
    }

    #[test]
    fn what_is_dropped_is_gone() {
        let mut tape = Tape::new();
        let x = tape.constant_with(1, 64, |x| x.fill(f64::INFINITY));
        let y = tape.dropout(x, 0.5, &mut stream(1, Purpose::Dropout));
        assert!(tape.value_slice(y).iter().all(|&y| y == 0.0 || y == f64::INFINITY));
    }

    #[test]
    fn probabilities_out_of_range() {
        for p in [-0.1, 1.0, 1.5, f64::NAN] {
            let run = || {
                let mut tape = Tape::new();
                let x = tape.scalar(1.0);
                tape.dropout(x, p, &mut stream(1, Purpose::Dropout));
            };
            let message = std::panic::catch_unwind(run).unwrap_err();
            let message = message.downcast_ref::<String>().unwrap();
            assert_eq!(message, &format!("dropout: the probability is {p}, not in [0, 1)"));
        }
    }
}
