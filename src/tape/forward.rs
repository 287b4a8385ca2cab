//! What an operation sees while it computes its value.

use super::node::Node;
use super::{Args, Shape};
use crate::Float;
use crate::linalg::parts::{Rows, by_rows};
use crate::linalg::simd::vectorize;
use crate::linalg::{Mat, affine, gemm};
use crate::text::count;

/// The inputs and the place of the value, for [`Operation::forward`](super::Operation::forward).
///
/// The place holds old numbers when the operation begins, and NaN in debug builds: **every entry must be
/// written**, and all that is saved.
pub struct Forward<'a, T: Float> {
    pub(super) nodes: &'a [Node<T>],
    pub(super) values: &'a [T],
    pub(super) y: &'a mut [T],
    pub(super) saved: &'a mut [T],
    pub(super) links: &'a [u32],
    pub(super) node: &'a Node<T>,
    pub(super) args: &'a Args<T>,
}

impl<'a, T: Float> Forward<'a, T> {
    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.node.inputs as usize
    }

    /// Input `k`, row-major.
    #[inline]
    pub fn x(&self, k: usize) -> &'a [T] {
        &self.values[self.input(k).range()]
    }

    /// Input `k`, row-major, and its shape, looked up once.
    #[inline]
    pub(crate) fn operand(&self, k: usize) -> (&'a [T], Shape) {
        let input = self.input(k);
        (&self.values[input.range()], input.shape())
    }

    /// Input `k` as an operand of a product.
    pub fn x_mat(&self, k: usize) -> Mat<'a, T> {
        let shape = self.shape(k);
        Mat::new(self.x(k), shape.rows, shape.cols)
    }

    /// Shape of input `k`.
    #[inline]
    pub fn shape(&self, k: usize) -> Shape {
        self.input(k).shape()
    }

    /// The value to write, row-major.
    #[inline]
    pub fn y(&mut self) -> &mut [T] {
        self.y
    }

    /// Shape of the value.
    #[inline]
    pub fn y_shape(&self) -> Shape {
        self.node.shape()
    }

    /// The value, and what the forward pass leaves for the backward pass.
    pub fn y_and_saved(&mut self) -> (&mut [T], &mut [T]) {
        (self.y, self.saved)
    }

    /// The node's constants.
    #[inline]
    pub fn args(&self) -> &'a Args<T> {
        self.args
    }

    /// The node's index list.
    pub fn indices(&self) -> &'a [u32] {
        &self.links[self.node.inputs as usize..]
    }

    /// y ← f(x), entry by entry, of input 0. Of many numbers, each thread of the pool takes some: `f` may hold only what can be
    /// copied, such as numbers and references, and is called in any order.
    #[inline(always)]
    pub fn map(&mut self, f: impl Fn(T) -> T + Copy + Sync) {
        let x = self.x(0);
        let y = &mut *self.y;
        let (name, n) = (self.node.name(), y.len());
        assert!(
            x.len() == n,
            "{name}: map takes an input of the value's {}, not of {}",
            count(n, "entry"),
            x.len()
        );
        by_rows(n, n, Rows { numbers: y, cols: 1 }, &move |first, Rows { numbers: y, .. }| {
            let x = &x[first..][..y.len()];
            // Moved in: behind a reference, what `f` holds would be read again for every entry.
            vectorize(
                y.len(),
                #[inline(always)]
                move || {
                    for (y, x) in y.iter_mut().zip(x) {
                        *y = f(*x);
                    }
                },
            );
        });
    }

    /// y ← A·B, or y ← y + A·B with `accumulate`.
    pub fn matmul(&mut self, accumulate: bool, a: Mat<'_, T>, b: Mat<'_, T>) {
        gemm(self.y, accumulate, a, b);
    }

    /// y ← A·B + `bias`, a row that is added to every row.
    pub fn affine(&mut self, bias: &[T], a: Mat<'_, T>, b: Mat<'_, T>) {
        affine(self.y, bias, a, b);
    }

    #[inline]
    fn input(&self, k: usize) -> &'a Node<T> {
        &self.nodes[self.node.input(self.links, k)]
    }
}
