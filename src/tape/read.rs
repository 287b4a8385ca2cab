//! What stands on the tape: shapes, values, gradients, sizes.

use super::node::Node;
use super::{Args, Operation, Shape, Tape, Var, stale};
use crate::Float;
use crate::linalg::MatrixRef;

/// # Values and gradients
/// What stands on the tape, and how much of it there is.
impl<T: Float> Tape<T> {
    /// Shape of a value.
    ///
    /// # Panics
    /// If `v` is stale.
    #[track_caller]
    pub fn shape(&self, v: impl Into<Var>) -> Shape {
        self.node("shape", v.into()).shape()
    }

    /// Name of the operation that made a value, such as `matmul`; for a leaf `param`, `constant` or
    /// `variable`.
    ///
    /// # Panics
    /// If `v` is stale.
    #[track_caller]
    pub fn op_name(&self, v: impl Into<Var>) -> &'static str {
        self.node("op_name", v.into()).name()
    }

    /// Shape of an operand of `op`, which the message names if the operand is stale.
    #[track_caller]
    pub(crate) fn shape_for(&self, op: &str, v: Var) -> Shape {
        self.node(op, v).shape()
    }

    /// The same, for an operation itself, whose name is asked for only where it is needed.
    #[inline]
    #[track_caller]
    pub(crate) fn shape_under(&self, op: &dyn Operation<T>, v: Var) -> Shape {
        self.operand(op, v).0
    }

    /// Shape of an operand of `op`, and whether it has a gradient.
    #[inline]
    #[track_caller]
    pub(crate) fn operand(&self, op: &dyn Operation<T>, v: Var) -> (Shape, bool) {
        match self.find(v) {
            Some(node) => (node.shape(), node.differentiable),
            None => stale(op.name(), v),
        }
    }

    /// A value as a matrix.
    ///
    /// # Panics
    /// If `v` is stale.
    #[track_caller]
    pub fn value(&self, v: impl Into<Var>) -> MatrixRef<'_, T> {
        let node = self.node("value", v.into());
        let Shape { rows, cols } = node.shape();
        MatrixRef::new(&self.values[node.range()], rows, cols)
    }

    /// A value as a slice, row-major.
    ///
    /// # Panics
    /// If `v` is stale.
    #[track_caller]
    pub fn value_slice(&self, v: impl Into<Var>) -> &[T] {
        &self.values[self.node("value", v.into()).range()]
    }

    /// The number in a 1×1 value.
    ///
    /// # Panics
    /// If `v` is stale, or not 1×1.
    #[track_caller]
    pub fn item(&self, v: impl Into<Var>) -> T {
        let v = v.into();
        let node = self.node("item", v);
        assert!(node.shape() == Shape::SCALAR, "item: {v} is {}, not 1×1", node.shape());
        self.values[node.offset]
    }

    /// The gradient of a value as a matrix, after [`backward`](Tape::backward).
    ///
    /// # Panics
    /// If `v` is stale, has no gradient because it depends on no parameter and no variable, or was
    /// made after the last backward pass; if a panic broke that pass off.
    #[track_caller]
    pub fn grad(&self, v: impl Into<Var>) -> MatrixRef<'_, T> {
        let v = v.into();
        let Shape { rows, cols } = self.node("grad", v).shape();
        MatrixRef::new(self.grad_slice(v), rows, cols)
    }

    /// The gradient of a value as a slice, row-major. Panics as [`grad`](Tape::grad) does.
    #[track_caller]
    pub fn grad_slice(&self, v: impl Into<Var>) -> &[T] {
        let v = v.into();
        let node = self.node("grad", v);
        assert!(node.differentiable, "grad: {v} ({}) depends on no parameter and no variable", node.name());
        if v.index() < self.params {
            self.check_sums("grad");
            let none = "has none before its first backward pass: it is a parameter of a network that was read or cloned";
            assert!(self.grads.len() >= node.range().end, "grad: {v} ({}) {none}", node.name());
        } else if v.index() >= self.passed {
            let name = node.name();
            assert!(!self.walking, "grad: {v} ({name}) has none: a panic broke the last backward pass off");
            panic!("grad: {v} ({name}) has none: no backward pass has ended since it was made");
        }
        &self.grads[node.range()]
    }

    /// Number of nodes, parameters included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes at all.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Memory that the arena holds, in bytes: nodes, values, gradients and room to work in, in use or kept for the
    /// next step.
    pub fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node<T>>()
            + self.values.bytes()
            + self.grads.bytes()
            + self.scratch.capacity() * size_of::<T>()
            + self.links.capacity() * size_of::<u32>()
            + self.args.capacity() * size_of::<Args<T>>()
            + self.written.capacity() * size_of::<super::node::Holds>()
    }

    /// Numbers (not bytes) that the values of all nodes are made of, with what operations save; the gradients take as
    /// many. Counted node by node; gaps between long values, which begin at a cache line, are not among them.
    pub fn numbers(&self) -> usize {
        self.nodes.iter().map(|node| node.shape().numel() + self.args[node.args as usize].saved).sum()
    }
}
