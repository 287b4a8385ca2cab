//! What an operation sees on the way back, and the one place where gradients are added up.

use super::memory::reserve;
use super::node::{Holds, Node};
use super::{Args, Shape, Sum};
use crate::Float;
use crate::linalg::parts::{Rows, by_rows};
use crate::linalg::simd::vectorize;
use crate::linalg::{Mat, add_blocks_in_turn, column_sums, gemm};

/// The value, its gradient and the inputs, for [`Operation::backward`](super::Operation::backward).
///
/// All slices live as long as the walk, so they can be taken first and used in the closures:
///
/// ```text
/// let (y, dy) = (cx.y(), cx.dy());
/// cx.add_zip(0, y, dy, |y, dy| y * dy);
/// ```
///
/// The `add…` methods do nothing for an input that needs no gradient, and are the only code that
/// writes gradients: no operation can overwrite what another one added.
pub struct Backward<'a, T: Float> {
    pub(super) nodes: &'a [Node<T>],
    pub(super) values: &'a [T],
    pub(super) links: &'a [u32],
    pub(super) node: &'a Node<T>,
    pub(super) args: &'a Args<T>,
    pub(super) dy: &'a [T],
    pub(super) grads: &'a mut [T],
    pub(super) written: &'a mut [Holds],
    pub(super) scratch: &'a mut Vec<T>,
}

/// An input of a node as the backward pass sees it.
pub(crate) struct Operand<'a, T> {
    /// Row-major.
    pub x: &'a [T],
    pub shape: Shape,
    /// Whether it has a gradient.
    pub needed: bool,
    index: usize,
}

impl<'a, T: Float> Backward<'a, T> {
    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.node.inputs as usize
    }

    /// Input `k`, row-major.
    #[inline]
    pub fn x(&self, k: usize) -> &'a [T] {
        &self.values[self.input(k).range()]
    }

    /// Input `k` with all that is known about it, looked up once.
    #[inline]
    pub(crate) fn operand(&self, k: usize) -> Operand<'a, T> {
        let index = self.node.input(self.links, k);
        let input = &self.nodes[index];
        Operand { x: &self.values[input.range()], shape: input.shape(), needed: input.differentiable, index }
    }

    /// dx += `term` of an operand that is 1×1 and [needed](Operand::needed).
    #[inline]
    pub(crate) fn add_to_scalar(&mut self, operand: &Operand<'a, T>, term: T) {
        let held = std::mem::replace(&mut self.written[operand.index], Holds::Sum);
        let dx = &mut self.grads[self.nodes[operand.index].offset];
        *dx = if held == Holds::Nothing { term } else { *dx + term };
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

    /// The value that the forward pass wrote.
    #[inline]
    pub fn y(&self) -> &'a [T] {
        &self.values[self.node.range()]
    }

    /// What the forward pass saved.
    pub fn saved(&self) -> &'a [T] {
        &self.values[self.node.range().end..][..self.args.saved]
    }

    /// The gradient of the value.
    #[inline]
    pub fn dy(&self) -> &'a [T] {
        self.dy
    }

    /// The gradient of the value as an operand of a product.
    pub fn dy_mat(&self) -> Mat<'a, T> {
        Mat::new(self.dy, self.y_shape().rows, self.y_shape().cols)
    }

    /// Shape of the value and of its gradient.
    #[inline]
    pub fn y_shape(&self) -> Shape {
        self.node.shape()
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

    /// Whether input `k` needs a gradient: whether work for it is worth starting.
    pub fn needs(&self, k: usize) -> bool {
        self.input(k).differentiable
    }

    /// dxᵢ += f(aᵢ) for input `k`. Of many numbers, each thread of the pool takes some: `f` may hold only what can be copied,
    /// such as numbers and references, and is called in any order. What changes something as it goes is for
    /// [`add_at`](Self::add_at).
    ///
    /// # Panics
    /// If `a` and the input differ in length; the other `add…` methods panic likewise.
    #[inline(always)]
    pub fn add_map(&mut self, k: usize, a: &[T], f: impl Fn(T) -> T + Copy + Sync) {
        self.add_zip(
            k,
            a,
            a,
            #[inline(always)]
            move |a, _| f(a),
        );
    }

    /// dxᵢ += f(aᵢ, bᵢ) for input `k`.
    #[inline(always)]
    pub fn add_zip(&mut self, k: usize, a: &[T], b: &[T], f: impl Fn(T, T) -> T + Copy + Sync) {
        self.add_zip3(
            k,
            a,
            b,
            b,
            #[inline(always)]
            move |a, b, _| f(a, b),
        );
    }

    /// dxᵢ += f(aᵢ, bᵢ, cᵢ) for input `k`.
    #[inline(always)]
    pub fn add_zip3(&mut self, k: usize, a: &[T], b: &[T], c: &[T], f: impl Fn(T, T, T) -> T + Copy + Sync) {
        let Some((dx, written)) = self.dx(k) else { return };
        let n = dx.len();
        assert!(a.len() == n && b.len() == n && c.len() == n, "a gradient's terms differ in length");
        by_rows(n, n, Rows { numbers: dx, cols: 1 }, &move |first, Rows { numbers: dx, .. }| {
            let part = first..first + dx.len();
            let (a, b, c) = (&a[part.clone()], &b[part.clone()], &c[part]);
            // Moved in: behind a reference, what `f` holds would be read again for every entry.
            vectorize(
                dx.len(),
                #[inline(always)]
                move || {
                    let terms = dx.iter_mut().zip(a.iter().zip(b).zip(c));
                    if written {
                        for (dx, ((a, b), c)) in terms {
                            *dx += f(*a, *b, *c);
                        }
                    } else {
                        for (dx, ((a, b), c)) in terms {
                            *dx = f(*a, *b, *c);
                        }
                    }
                },
            );
        });
    }

    /// dX += A·B for input `k`.
    pub fn add_matmul(&mut self, k: usize, a: Mat<'_, T>, b: Mat<'_, T>) {
        if let Some((dx, written)) = self.dx(k) {
            gemm(dx, written, a, b);
        }
    }

    /// dxᵢ += c for every entry of input `k`.
    pub fn add_constant(&mut self, k: usize, c: T) {
        let Some((dx, written)) = self.dx(k) else { return };
        vectorize(
            dx.len(),
            #[inline(always)]
            move || {
                if written {
                    for dx in dx {
                        *dx += c;
                    }
                } else {
                    dx.fill(c);
                }
            },
        );
    }

    /// Row by row: `f` gets the number of the row and the row of dX to add to, for input `k`. Of many rows, each thread of the
    /// pool takes some, in any order; as for [`add_map`](Self::add_map), `f` changes nothing but the row.
    #[inline(always)]
    pub fn add_rows(&mut self, k: usize, f: impl Fn(usize, Sum<'_, T>) + Sync) {
        let Shape { rows, cols } = self.shape(k);
        let Some((dx, written)) = self.dx(k) else { return };
        if cols == 0 {
            return;
        }
        let numbers = dx.len();
        by_rows(numbers, rows, Rows { numbers: dx, cols }, &|first, Rows { numbers: dx, .. }| {
            vectorize(
                dx.len(),
                #[inline(always)]
                || {
                    for (i, row) in dx.chunks_exact_mut(cols).enumerate() {
                        if !written {
                            // Row by row: it is in the nearest cache when `f` adds to it.
                            row.fill(T::ZERO);
                        }
                        f(first + i, Sum(row));
                    }
                },
            );
        });
    }

    /// Anywhere in dX, for what touches a part of input `k` only, or the same entry several times.
    #[inline(always)]
    pub fn add_at(&mut self, k: usize, f: impl FnOnce(Sum<'_, T>)) {
        if let Some(dx) = self.sum(k) {
            vectorize(
                dx.len(),
                #[inline(always)]
                move || f(dx),
            );
        }
    }

    /// dx += the sum of each column of an m×n matrix of terms, for input `k`, whose n entries get one sum each.
    ///
    /// `add(start, part)` adds the terms from number `start` on, row-major, to `part`, a part of one row, or
    /// several whole rows.
    #[inline(always)]
    pub(crate) fn add_column_sums(&mut self, k: usize, terms: usize, add: impl Fn(usize, &mut [T]) + Sync) {
        let Some(mut dx) = self.sum(k) else { return };
        column_sums(
            terms,
            dx.len(),
            add,
            #[inline(always)]
            |column, sums| dx.part(column, sums.len()).add_slice(sums),
        );
    }

    /// [`add_column_sums`](Self::add_column_sums) of a function that adds a block of rows at once: `rows(from, end,
    /// part)` adds the terms from number `from` to `end`, a row of which goes to `part` again and again.
    pub(crate) fn add_column_blocks(
        &mut self,
        k: usize,
        terms: usize,
        rows: &mut dyn FnMut(usize, usize, &mut [T]),
    ) {
        let Some(mut dx) = self.sum(k) else { return };
        add_blocks_in_turn(terms, dx.len(), rows, &mut |column, sums| {
            dx.part(column, sums.len()).add_slice(sums)
        });
    }

    /// The gradient of input `k`, to be added to, and beside it as many zeros to work with, which must be zeros again
    /// afterwards; `None` where no gradient is needed. The tape keeps the memory.
    ///
    /// # Panics
    /// If there is no memory for them.
    pub(crate) fn sum_and_zeros(&mut self, k: usize) -> Option<(Sum<'_, T>, &mut [T])> {
        let len = self.shape(k).numel();
        if self.needs(k) && self.scratch.len() < len {
            let more = len - self.scratch.len();
            assert!(
                reserve(self.scratch, more).is_ok(),
                "{}: there is no memory for its sums",
                self.node.name()
            );
            self.scratch.resize(len, T::ZERO);
        }
        let (dx, written) = claim(self.nodes, self.links, self.node, self.grads, self.written, k)?;
        if !written {
            dx.fill(T::ZERO);
        }
        Some((Sum(dx), &mut self.scratch[..len]))
    }

    /// Gives `work` that many zeros to work with. The tape keeps the memory; what is left there is cleared.
    ///
    /// # Panics
    /// If there is no memory for them.
    pub(crate) fn with_zeros(&mut self, len: usize, work: impl FnOnce(&mut Self, &mut [T])) {
        // Taken out, so that gradients can be added to meanwhile. If `work` panics, the memory is gone, and no more.
        let mut zeros = std::mem::take(self.scratch);
        let more = len.saturating_sub(zeros.len());
        assert!(reserve(&mut zeros, more).is_ok(), "{}: there is no memory for its sums", self.node.name());
        let all = zeros.len().max(len);
        zeros.resize(all, T::ZERO);
        work(self, &mut zeros[..len]);
        zeros[..len].fill(T::ZERO);
        *self.scratch = zeros;
    }

    /// The gradient of input `k`, to be added to; `None` where none is needed.
    #[inline]
    pub(crate) fn sum(&mut self, k: usize) -> Option<Sum<'_, T>> {
        let (dx, written) = self.dx(k)?;
        if !written {
            dx.fill(T::ZERO);
        }
        Some(Sum(dx))
    }

    /// The gradient of input `k` and whether it already holds something to add to; `None` where no
    /// gradient is needed. From here on it counts as written.
    #[inline]
    pub(crate) fn dx(&mut self, k: usize) -> Option<(&mut [T], bool)> {
        claim(self.nodes, self.links, self.node, self.grads, self.written, k)
    }

    /// The gradients of those inputs, to be written whole, if they are of different values, all are needed, and nothing has
    /// been added to them yet. From here on they count as written.
    pub(crate) fn fresh<const N: usize>(&mut self, inputs: [usize; N]) -> Option<[&mut [T]; N]> {
        let indices = inputs.map(|k| self.node.input(self.links, k));
        let is_fresh = |i: &usize| self.nodes[*i].differentiable && self.written[*i] == Holds::Nothing;
        if !indices.iter().all(is_fresh) {
            return None;
        }
        let parts = self.grads.get_disjoint_mut(indices.map(|i| self.nodes[i].range())).ok()?;
        indices.iter().for_each(|i| self.written[*i] = Holds::Sum);
        Some(parts)
    }

    #[inline]
    fn input(&self, k: usize) -> &'a Node<T> {
        &self.nodes[self.node.input(self.links, k)]
    }
}

/// The gradient of input `k` of `node`, as [`Backward::dx`] has it. A function of the parts, so that the other
/// ones can be used beside it.
#[inline(always)]
fn claim<'g, T: Float>(
    nodes: &[Node<T>],
    links: &[u32],
    node: &Node<T>,
    grads: &'g mut [T],
    written: &mut [Holds],
    k: usize,
) -> Option<(&'g mut [T], bool)> {
    let index = node.input(links, k);
    let input = &nodes[index];
    input.differentiable.then(|| {
        let held = std::mem::replace(&mut written[index], Holds::Sum);
        (&mut grads[input.range()], held != Holds::Nothing)
    })
}
