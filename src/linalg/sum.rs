//! Sums in a fixed order that vectors can follow.

use super::simd::{self, vectorize};
use crate::Float;

/// Partial sums kept side by side: as many as the widest vectors hold of `f32`, times two.
pub(crate) const LANES: usize = 32;

const HALF: usize = LANES / 2;

/// Σ aᵢ in a fixed order: 32 interleaved partial sums over blocks of 2¹³ numbers of `f32` or 2²¹ of `f64`, those of
/// all blocks, pairwise, and then the 32, pairwise.
///
/// The rounding error stops growing with n, but for its logarithm: beyond a block, one rounding more goes into
/// the sum each time that n doubles. The order is the same on every machine.
pub fn sum<T: Float>(a: &[T]) -> T {
    reduce(a, a, |x, _| x)
}

/// Σ aᵢ·bᵢ, in the order of [`sum`].
///
/// # Panics
/// If the slices differ in length.
pub fn dot<T: Float>(a: &[T], b: &[T]) -> T {
    assert_eq!(a.len(), b.len(), "dot: the lengths differ");
    reduce(a, b, |x, y| x * y)
}

/// Σ aᵢ², in the order of [`sum`].
pub fn norm_squared<T: Float>(a: &[T]) -> T {
    dot(a, a)
}

/// How many numbers, one after the other, are added to a partial sum before it is added pairwise: so few that
/// their roundings stay in the last digits, 256 of 2⁻²⁴ and 65536 of 2⁻⁵³.
pub(super) const fn running<T: Float>() -> usize {
    if size_of::<T>() == 4 { 1 << 8 } else { 1 << 16 }
}

/// Σ term(aᵢ, bᵢ), in the order of [`sum`]. The slices must be equally long.
#[inline(always)]
pub(crate) fn reduce<T: Float>(a: &[T], b: &[T], term: impl Fn(T, T) -> T) -> T {
    if let ([a], [b]) = (a, b) {
        // Of many 1×1 values, the lanes are most of the time.
        return T::ZERO + term(*a, *b);
    }
    vectorize(
        a.len(),
        #[inline(always)]
        move || reduce_within(a, b, term),
    )
}

/// [`reduce`] for what is compiled for the CPU's vectors already, and has many short slices: to look for the vectors takes as
/// long as to sum twenty numbers.
#[inline(always)]
pub(crate) fn reduce_within<T: Float>(a: &[T], b: &[T], term: impl Fn(T, T) -> T) -> T {
    if let (Some((a, [])), Some((b, []))) = (a.split_first_chunk(), b.split_first_chunk()) {
        // A row of a head: the other lanes are 0, and no lane is −0, so that to add them changes nothing.
        let mut sums = [T::ZERO; HALF];
        let (a, b): (&[T; HALF], &[T; HALF]) = (a, b);
        let mut i = 0;
        while i < HALF {
            sums[i] += term(a[i], b[i]);
            i += 1;
        }
        return sum_of_lanes(&mut sums);
    }
    reduce_lanes(
        a.len(),
        #[inline(always)]
        |from, to, sums| add_to_lanes(sums, &a[from..to], &b[from..to], &term),
    )
}

/// How many numbers are added before the partial sums of the next ones are kept apart.
pub(crate) const fn block_of<T: Float>() -> usize {
    running::<T>() * LANES
}

/// The place of the first number that is infinite or NaN.
pub(crate) fn first_not_finite<T: Float>(a: &[T]) -> Option<usize> {
    // A sum of finite numbers may be infinite, but one with others among them is never finite; and it is faster than a
    // search.
    if sum(a).is_finite() { None } else { a.iter().position(|x| !x.is_finite()) }
}

/// Σ of `len` terms, in the order of [`sum`]: `add(from, to, lanes)` is to [add](add_to_lanes) those from number `from`
/// to `to`.
#[inline(always)]
pub(crate) fn reduce_lanes<T: Float>(len: usize, mut add: impl FnMut(usize, usize, &mut [T; LANES])) -> T {
    let (block, mut sums) = (block_of::<T>(), [T::ZERO; LANES]);
    if len <= block {
        add(0, len, &mut sums);
        return sum_of_lanes(&mut sums);
    }
    let mut blocks = Pairwise::<T, LANES>::new();
    for from in (0..len).step_by(block) {
        sums = [T::ZERO; LANES];
        add(from, len.min(from + block), &mut sums);
        blocks.add(&mut sums);
    }
    sum_of_lanes(&mut blocks.total())
}

/// Σ term(xᵢ)/n. Of numbers whose sum overflows it is finite as well, but for roundings: Σ (term(xᵢ)/n) then. Of none:
/// NaN, as in NumPy.
#[inline(always)]
pub(crate) fn mean_of<T: Float>(x: &[T], term: impl Fn(T) -> T) -> T {
    let n = T::of(x.len() as f64);
    let mean = reduce(
        x,
        x,
        #[inline(always)]
        |x, _| term(x),
    ) / n;
    if mean.is_finite() || x.is_empty() {
        return mean;
    }
    mean_of_quotients(x, n, &term)
}

#[cold]
#[inline(never)]
fn mean_of_quotients<T: Float>(x: &[T], n: T, term: &dyn Fn(T) -> T) -> T {
    reduce(x, x, |x, _| term(x) / n)
}

/// y ← f(x), entry by entry, and Σ yᵢ² in the order of [`sum`]; compiled for the CPU's vectors by its caller. The slices must be
/// equally long.
#[inline(always)]
pub(crate) fn map_and_square_within<T: Float>(x: &[T], y: &mut [T], f: impl Fn(T) -> T) -> T {
    // Each stretch is read again while it is in the nearest cache.
    const STRETCH: usize = 32 * LANES;
    reduce_lanes(
        x.len(),
        #[inline(always)]
        |from, to, sums| {
            for (x, y) in x[from..to].chunks(STRETCH).zip(y[from..to].chunks_mut(STRETCH)) {
                for (y, x) in y.iter_mut().zip(x) {
                    *y = f(*x);
                }
                add_to_lanes(
                    sums,
                    y,
                    y,
                    #[inline(always)]
                    |y, _| y * y,
                );
            }
        },
    )
}

/// The interleaved partial sums of a block, added to `sums`.
#[inline(always)]
pub(crate) fn add_to_lanes<T: Float>(sums: &mut [T; LANES], a: &[T], b: &[T], term: impl Fn(T, T) -> T) {
    let mut lanes = *sums;
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        let mut terms = [T::ZERO; LANES];
        for ((term_i, x), y) in terms.iter_mut().zip(x).zip(y) {
            *term_i = term(*x, *y);
        }
        lanes = simd::lanes(lanes, &terms, |lane, term| lane + term);
    }
    // Half a block, such as a row of a head: without the way through memory, which takes longer than all of it.
    let (mut first, mut a_rest, mut b_rest) = (0, a_rest, b_rest);
    if let (Some((x, a)), Some((y, b))) = (a_rest.split_first_chunk(), b_rest.split_first_chunk()) {
        let mut terms = [T::ZERO; HALF];
        for ((term_i, x), y) in terms.iter_mut().zip::<&[T; HALF]>(x).zip::<&[T; HALF]>(y) {
            *term_i = term(*x, *y);
        }
        for (lane, term) in lanes.iter_mut().zip(terms) {
            *lane += term;
        }
        (first, a_rest, b_rest) = (HALF, a, b);
    }
    *sums = lanes;
    if a_blocks.is_empty() && a_rest.is_empty() {
        return;
    }
    for (lane, (x, y)) in kept_apart(sums)[first..].iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += term(*x, *y);
    }
}

/// Keeps the compiler from carrying the pairs of the tree that comes behind a loop into the loop: it would add two
/// numbers at a time there, which takes four times as long.
#[inline(always)]
fn kept_apart<T>(sums: &mut [T; LANES]) -> &mut [T; LANES] {
    std::hint::black_box(sums)
}

/// The sum of the partial sums, pairwise.
#[inline(always)]
pub(crate) fn sum_of_lanes<T: Float, const N: usize>(lanes: &mut [T; N]) -> T {
    let mut width = N / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Sums of blocks, N of them side by side, added up pairwise: level k holds the sum of 2ᵏ blocks, or nothing,
/// like the digits of a binary counter.
pub(super) struct Pairwise<T, const N: usize> {
    /// Enough for 2²⁰ blocks. What is empty is not written.
    levels: [Option<[T; N]>; 20],
}

impl<T: Float, const N: usize> Pairwise<T, N> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Pairwise { levels: [const { None }; 20] }
    }

    /// Adds one more block; `sums` is room to work in afterwards.
    #[inline(always)]
    pub(super) fn add(&mut self, sums: &mut [T; N]) {
        for level in &mut self.levels {
            let Some(before) = level else {
                *level = Some(*sums);
                return;
            };
            sums.iter_mut().zip(before).for_each(|(sum, before)| *sum = *before + *sum);
            *level = None;
        }
        // Of more blocks, the last level is a running sum.
        self.levels[self.levels.len() - 1] = Some(*sums);
    }

    /// The sum of all blocks; 0 of none.
    #[inline(always)]
    pub(super) fn total(&self) -> [T; N] {
        let mut levels = self.levels.iter().flatten();
        let mut total = levels.next().copied().unwrap_or([T::ZERO; N]);
        for level in levels {
            total.iter_mut().zip(level).for_each(|(sum, level)| *sum = *level + *sum);
        }
        total
    }
}

/// Σ aᵢ·bᵢ·cᵢ in a fixed order, by lanes and blocks as [`sum`]. The slices must be equally long.
pub(crate) fn dot3<T: Float>(a: &[T], b: &[T], c: &[T]) -> T {
    vectorize(
        a.len(),
        #[inline(always)]
        || dot3_within(a, b, c),
    )
}

/// [`dot3`], as [`reduce_within`].
#[inline(always)]
pub(crate) fn dot3_within<T: Float>(a: &[T], b: &[T], c: &[T]) -> T {
    let block = running::<T>() * DOT3_LANES;
    if a.len() <= block {
        return block_of_dot3(a, b, c);
    }
    let mut blocks = Pairwise::<T, 1>::new();
    for ((a, b), c) in a.chunks(block).zip(b.chunks(block)).zip(c.chunks(block)) {
        blocks.add(&mut [block_of_dot3(a, b, c)]);
    }
    blocks.total()[0]
}

/// Partial sums of [`dot3`], kept side by side.
const DOT3_LANES: usize = 16;

/// One block of [`dot3`].
#[inline(always)]
fn block_of_dot3<T: Float>(a: &[T], b: &[T], c: &[T]) -> T {
    let mut lanes = [T::ZERO; DOT3_LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<DOT3_LANES>(), b.as_chunks::<DOT3_LANES>());
    let (c, c_rest) = c.as_chunks::<DOT3_LANES>();
    for ((a, b), c) in a.iter().zip(b).zip(c) {
        for (((lane, a), b), c) in lanes.iter_mut().zip(a).zip(b).zip(c) {
            *lane += *a * *b * *c;
        }
    }
    for (((lane, a), b), c) in lanes.iter_mut().zip(a_rest).zip(b_rest).zip(c_rest) {
        *lane += *a * *b * *c;
    }
    reduce_within(
        &lanes,
        &lanes,
        #[inline(always)]
        |x, _| x,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_every_length() {
        for n in [0usize, 1, 2, 31, 32, 33, 100, 1000] {
            let a: Vec<f64> = (1..=n).map(|i| i as f64).collect();
            assert_eq!(sum(&a), (n * (n + 1) / 2) as f64);
            assert_eq!(norm_squared(&a), (n * (n + 1) * (2 * n + 1) / 6) as f64);
        }
    }

    /// Half a block, and what is left behind it, go to the lanes that they would go to one by one.
    #[test]
    fn every_rest_goes_to_its_lanes() {
        fn check<T: Float>() {
            let numbers: Vec<T> = (0..130).map(|i| T::of(1.0 / (3.0 + f64::from(i)))).collect();
            for n in 0..=numbers.len() {
                let (a, b) = (&numbers[..n], &numbers[numbers.len() - n..]);
                let mut lanes = [T::ZERO; LANES];
                for (i, (a, b)) in a.iter().zip(b).enumerate() {
                    lanes[i % LANES] += *a * *b;
                }
                assert_eq!(dot(a, b), sum_of_lanes(&mut lanes), "{n} numbers of {}", T::NAME);
            }
        }
        check::<f32>();
        check::<f64>();
    }

    /// A running sum of so many is off by several per cent, and one of ones stays at 2²⁴.
    #[test]
    #[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
    fn many_small_numbers_keep_their_weight() {
        for n in [8192, 8193, 100_000, 1_000_000, 17_000_000] {
            let x = if n < 10_000_000 { 0.1f32 } else { 1.0 };
            let (a, exact) = (vec![x; n], n as f64 * f64::from(x));
            let error = f64::from(sum(&a)) / exact - 1.0;
            assert!(error.abs() < 4e-6, "{n} times {x}: {error:e}");
            let dot = f64::from(dot(&a, &a)) / (exact * f64::from(x)) - 1.0;
            assert!(dot.abs() < 4e-6, "{n} times {x}: {dot:e}");
        }
    }
}
