//! The walk back through the arena.

use super::leaf::{Fill, once};
use super::memory::reserve;
use super::node::{Holds, Node};
use super::{Backward, Phase, Shape, Tape, Var};
use crate::Float;
use crate::text::count;

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
            "backward: {y} is {shape}, which takes an upstream gradient of {}, not {}",
            count(shape.numel(), "number"),
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
            panic!("backward: there is no memory for the gradients of {}", count(self.used, "number"));
        }
        let more = self.nodes.len().saturating_sub(self.written.len());
        if reserve(&mut self.written, more).is_err() {
            panic!("backward: there is no memory for a walk over {}", count(self.nodes.len(), "node"));
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
