//! The walk back through the arena, and the one place where gradients are added up.

use super::leaf::{Fill, once};
use super::memory::reserve;
use super::node::{Holds, Node};
use super::{Args, Phase, Shape, Sum, Tape, Var};
use crate::Float;
use crate::linalg::parts::{Rows, by_rows};
use crate::linalg::simd::vectorize;
use crate::linalg::{Mat, add_blocks, column_sums, gemm};

/// # Gradients
/// The backward pass.
impl<T: Float> Tape<T> {
    /// Adds ∂`loss`/∂θ to the gradient of every parameter θ, and sets that of every other node.
    ///
    /// Parameters accumulate over several calls until [`zero_grad`](Tape::zero_grad); all other nodes
    /// hold what the last call found. Time is linear in the number of nodes on the tape.
    ///
    /// # Panics
    /// If `loss` is stale, is not 1×1, or depends on no parameter and no variable; if it was computed
    /// before the parameters changed.
    #[track_caller]
    pub fn backward(&mut self, loss: Var) {
        let shape = self.node("backward", loss).shape();
        assert!(
            shape == Shape::SCALAR,
            "backward: {loss} is {shape}, not a scalar: reduce it with sum or mean, or give its \
             upstream gradient with backward_with"
        );
        let root = *self.root(loss);
        self.make_room_for_gradients();
        let grad = &mut self.grads[root.offset];
        *grad = if loss.index() < self.params { *grad + T::ONE } else { T::ONE };
        self.walk(loss.index());
    }

    /// The same from a value of any shape: adds the gradient of Σ wᵢ·yᵢ, where `fill` writes the
    /// upstream gradient w, row-major, into zeros of the shape of `y`.
    ///
    /// If `fill` panics, the parameters' gradients are as they were, and those from `y` on cannot be read any more. A
    /// panic later on, in an operation, leaves no gradient to read: those of the parameters, once something was
    /// added to any, are lost until they are [set to zero](Tape::zero_grad).
    ///
    /// # Panics
    /// If `y` is stale, depends on no parameter and no variable, or was computed before the parameters
    /// changed; if a panic broke an earlier pass off, and the gradients were not set to zero since.
    #[track_caller]
    pub fn backward_with(&mut self, y: Var, fill: impl FnOnce(&mut [T])) {
        self.backward_from(y, Fill::Zeros(&mut once(fill)));
    }

    /// The same with an upstream gradient that is a row-major slice already.
    ///
    /// # Panics
    /// As [`backward_with`](Self::backward_with), and if the slice does not hold as many numbers as `y`.
    ///
    /// ```
    /// let mut tape = tapegrad::Tape::new();
    /// let x = tape.variable_slice(1, 2, &[3.0, -1.0]);
    /// let y = tape.square(x);
    /// tape.backward_slice(y, &[1.0, 10.0]);
    /// assert_eq!(tape.grad_slice(x), [6.0, -20.0]);
    /// ```
    #[track_caller]
    pub fn backward_slice(&mut self, y: Var, upstream: &[T]) {
        let shape = self.root(y).shape();
        assert!(
            shape.numel() == upstream.len(),
            "backward: {y} is {shape}, which takes an upstream gradient of {} numbers, not {}",
            shape.numel(),
            upstream.len()
        );
        self.backward_from(y, Fill::Whole(&mut |to| to.copy_from_slice(upstream)));
    }

    #[track_caller]
    fn backward_from(&mut self, y: Var, fill: Fill<'_, T>) {
        let root = *self.root(y);
        self.make_room_for_gradients();
        if y.index() < self.params {
            // What was added before must not be lost where `fill` panics half-way: behind all that is in use.
            let place = self.used..self.used + root.shape().numel();
            assert!(
                self.grow_values(place.end),
                "backward: there is no memory for an upstream gradient of {y}"
            );
            let upstream = &mut self.values[place];
            fill.write(upstream);
            self.grads[root.range()].iter_mut().zip(upstream).for_each(|(g, u)| *g += *u);
        } else {
            self.passed = self.passed.min(y.index());
            fill.write(&mut self.grads[root.range()]);
        }
        self.walk(y.index());
    }

    /// Where a pass begins, if it can.
    #[track_caller]
    fn root(&self, y: Var) -> &Node<T> {
        self.check_sums("backward");
        let root = self.node("backward", y);
        let name = root.name();
        assert!(root.differentiable, "backward: {y} ({name}) depends on no parameter and no variable");
        root
    }

    /// The buffer of gradients as long as that of the values, and room to keep account of a walk.
    ///
    /// # Panics
    /// If the machine has no memory for it.
    #[track_caller]
    fn make_room_for_gradients(&mut self) {
        if self.grads.grow(self.used).is_err() {
            panic!("backward: there is no memory for the gradients of {} numbers", self.used);
        }
        let more = self.nodes.len().saturating_sub(self.written.len());
        if reserve(&mut self.written, more).is_err() {
            panic!("backward: there is no memory for a walk over {} nodes", self.nodes.len());
        }
    }

    /// The pass itself, from the node `root`, whose upstream gradient stands in its place.
    #[track_caller]
    fn walk(&mut self, root: usize) {
        // Parameters keep what earlier passes added; of the others nothing has been written yet.
        self.written.clear();
        self.written.resize(self.params, Holds::Earlier);
        self.written.resize(self.nodes.len(), Holds::Nothing);
        self.passed = 0;
        self.walking = true;
        self.written[root] = Holds::Sum;

        if self.anomalies.is_some() {
            self.look_for_anomaly(root, Phase::Upstream);
        }

        // The engine: inputs lie before outputs, so one walk in reverse meets every node after all
        // that it feeds.
        let mut links = self.linked;
        for index in (self.params..self.nodes.len()).rev() {
            let node = &self.nodes[index];
            let next_links = std::mem::replace(&mut links, node.links as usize);
            if self.written[index] == Holds::Nothing {
                if node.differentiable {
                    self.grads[node.range()].fill(T::ZERO);
                }
                continue;
            }
            assert!(
                index >= self.changed_at || node.inputs == 0,
                "backward: v{index} ({}) was computed before the parameters changed: rewind the tape after \
                 an optimizer's step, and compute anew",
                node.name()
            );
            let (before, own) = self.grads.split_at_mut(node.offset);
            node.op.backward(Backward {
                nodes: &self.nodes,
                values: &self.values,
                links: &self.links[links..next_links],
                node,
                args: &self.args[node.args as usize],
                dy: &own[..node.shape().numel()],
                grads: before,
                written: &mut self.written,
                scratch: &mut self.scratch,
            });
            if self.anomalies.is_some() {
                self.look_for_anomaly(index, Phase::Backward);
            }
        }
        self.passed = self.nodes.len();
        self.walking = false;
    }

    /// # Panics
    /// If a backward pass was broken off after it had added something to a parameter's gradient.
    #[inline]
    #[track_caller]
    pub(super) fn check_sums(&self, op: &str) {
        if self.walking {
            let params = &self.written[..self.params.min(self.written.len())];
            assert!(
                !params.contains(&Holds::Sum),
                "{op}: a panic broke the last backward pass off, and the parameters' gradients hold a part \
                 of their sums: set them to zero with zero_grad first"
            );
        }
    }
}

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
    nodes: &'a [Node<T>],
    values: &'a [T],
    links: &'a [u32],
    node: &'a Node<T>,
    args: &'a Args<T>,
    dy: &'a [T],
    grads: &'a mut [T],
    written: &'a mut [Holds],
    scratch: &'a mut Vec<T>,
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

    /// dxᵢ += f(aᵢ) for input `k`. Of many numbers, each thread of the pool takes some.
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
    /// pool takes some.
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
    pub(crate) fn add_column_sums(&mut self, k: usize, terms: usize, add: impl FnMut(usize, &mut [T])) {
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
        add_blocks(terms, dx.len(), rows, &mut |column, sums| dx.part(column, sums.len()).add_slice(sums));
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
