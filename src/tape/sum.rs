//! Where gradients are added up.

use crate::Float;

/// A stretch of a gradient that can be added to, and not overwritten.
pub struct Sum<'a, T>(pub(super) &'a mut [T]);

impl<T: Float> Sum<'_, T> {
    /// Entry `i` += `x`.
    #[inline(always)]
    pub fn add(&mut self, i: usize, x: T) {
        self.0[i] += x;
    }

    /// Every entry += the one of `x` at its place.
    ///
    /// # Panics
    /// If the lengths differ.
    #[inline(always)]
    pub fn add_slice(&mut self, x: &[T]) {
        assert_eq!(self.0.len(), x.len(), "a gradient's terms differ in length");
        self.0.iter_mut().zip(x).for_each(|(sum, x)| *sum += *x);
    }

    /// Every entry += `c`.
    #[inline(always)]
    pub fn add_constant(&mut self, c: T) {
        self.0.iter_mut().for_each(|sum| *sum += c);
    }

    /// Entry i += f(aᵢ).
    ///
    /// # Panics
    /// If the lengths differ.
    #[inline(always)]
    pub fn add_map(&mut self, a: &[T], f: impl Fn(T) -> T) {
        assert_eq!(self.0.len(), a.len(), "a gradient's terms differ in length");
        for (sum, a) in self.0.iter_mut().zip(a) {
            *sum += f(*a);
        }
    }

    /// Entry i += f(aᵢ, bᵢ).
    ///
    /// # Panics
    /// If the lengths differ.
    #[inline(always)]
    pub fn add_zip(&mut self, a: &[T], b: &[T], f: impl Fn(T, T) -> T) {
        assert!(a.len() == self.0.len() && b.len() == self.0.len(), "a gradient's terms differ in length");
        for (sum, (a, b)) in self.0.iter_mut().zip(a.iter().zip(b)) {
            *sum += f(*a, *b);
        }
    }

    /// Entry i += f(aᵢ, bᵢ, cᵢ).
    ///
    /// # Panics
    /// If the lengths differ.
    #[inline(always)]
    pub fn add_zip3(&mut self, a: &[T], b: &[T], c: &[T], f: impl Fn(T, T, T) -> T) {
        let n = self.0.len();
        assert!(a.len() == n && b.len() == n && c.len() == n, "a gradient's terms differ in length");
        for (sum, ((a, b), c)) in self.0.iter_mut().zip(a.iter().zip(b).zip(c)) {
            *sum += f(*a, *b, *c);
        }
    }

    /// Entry i += f(i).
    #[inline(always)]
    pub fn add_each(&mut self, f: impl Fn(usize) -> T) {
        for (i, sum) in self.0.iter_mut().enumerate() {
            *sum += f(i);
        }
    }

    /// The `len` entries from `start` on.
    #[inline(always)]
    pub fn part(&mut self, start: usize, len: usize) -> Sum<'_, T> {
        Sum(&mut self.0[start..start + len])
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// No entries at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
