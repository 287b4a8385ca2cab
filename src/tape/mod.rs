//! The arena: values, gradients and operations in flat buffers, walked forwards and backwards.
//!
//! [`Tape`] holds a list of nodes. A leaf (parameter, constant, variable) brings numbers in; every
//! operation appends one node behind its inputs and computes its value at once. So insertion order is a
//! topological order, and [`Tape::backward`] is one walk through the list in reverse.
//!
//! ```text
//! nodes     p0 p1 | v2 v3 v4 …        parameters | the rest, dropped by rewind
//! values    ■■■■■■■■■■■■■■■■■■■■       one buffer, a node's numbers behind those of the node before
//! gradients ■■■■■■■■■■■■■■■■■■■■       the same offsets
//! ```
//!
//! What is deliberately absent: ranks above two, a graph that is kept and replayed, gradients of
//! gradients, reference counts, and boxed closures.

mod anomaly;
mod backward;
mod check;
mod display;
mod forward;
mod inspect;
mod leaf;
mod memory;
mod node;
mod reach;
mod slots;

pub use anomaly::{Anomaly, Phase};
pub use backward::{Backward, Sum};
pub use check::{GradientCheck, check_gradient};
pub use display::Dot;
pub use forward::Forward;
pub use node::{Args, Operation, Param, Shape, Var};
pub use slots::{Slot, Slots};

use std::hash::{BuildHasher, RandomState};
use std::panic::Location;

use memory::reserve;
use node::Node;

use crate::Float;

/// A view of a value or gradient in the arena as an nalgebra matrix.
pub type MatrixView<'a, T> = nalgebra::DMatrixView<'a, T, nalgebra::Dyn, nalgebra::Dyn>;

/// The arena: a list of operations with their values and gradients.
///
/// [`Tape::new`] is a tape of `f64`; `Tape::<f32>::default()` one of `f32`.
///
/// ```
/// use tapegrad::Tape;
///
/// let mut tape = Tape::new();
/// let w = tape.param_slice(1, 1, &[3.0]);
/// let square = tape.mul(w, w);
/// tape.backward(square);
/// assert_eq!(tape.item(square), 9.0);
/// assert_eq!(tape.grad(w)[(0, 0)], 6.0);
/// ```
pub struct Tape<T: Float = f64> {
    nodes: Vec<Node<T>>,
    /// Numbers of all nodes. It only ever grows; `used` of them are in use.
    values: Vec<T>,
    grads: Vec<T>,
    used: usize,
    /// Inputs of every node, and behind them its index list.
    links: Vec<u32>,
    /// Constants of the operations that have any; the first stands for none.
    args: Vec<Args<T>>,
    /// How many of the nodes, at the front, are parameters.
    params: usize,
    names: Vec<String>,
    /// The generation of the parameters, drawn at random: tells this tape from others.
    id: u32,
    /// Changes with every rewind: tells a stale `Var` from a good one.
    generation: u32,
    /// How many nodes there were when the parameters' values were last handed out to be changed.
    changed_at: usize,
    /// During a backward pass: whether something has been added to the node's gradient.
    written: Vec<bool>,
    /// How many nodes the last backward pass saw: these have gradients to read.
    passed: usize,
    anomalies: Option<anomaly::Watch>,
}

impl Tape<f64> {
    /// An empty tape of `f64`. For `f32`, say `Tape::<f32>::default()`.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<T: Float> Default for Tape<T> {
    fn default() -> Self {
        // Random keys of the standard library: no counter shared by all tapes is needed, and no number
        // that is computed depends on it.
        let id = RandomState::new().hash_one(()) as u32;
        Tape {
            nodes: Vec::new(),
            values: Vec::new(),
            grads: Vec::new(),
            used: 0,
            links: Vec::new(),
            args: vec![Args::NONE],
            params: 0,
            names: Vec::new(),
            id,
            generation: id.wrapping_add(1),
            changed_at: 0,
            written: Vec::new(),
            passed: 0,
            anomalies: None,
        }
    }
}

/// A point on the tape to come back to: see [`Tape::mark`].
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    nodes: usize,
    args: usize,
    last: Option<Var>,
}

impl<T: Float> Tape<T> {
    /// Appends the node `op(inputs)` of the given shape and computes its value.
    ///
    /// The methods of the built-in operations end here, and so does an [`Operation`] of your own. The
    /// shape is the caller's to work out, and to check: an operation sees its inputs only afterwards.
    ///
    /// # Panics
    /// If an input is stale.
    #[track_caller]
    pub fn apply(
        &mut self,
        op: &'static dyn Operation<T>,
        inputs: &[Var],
        shape: Shape,
        args: Args<T>,
    ) -> Var {
        self.apply_indexed(op, inputs, shape, args, std::iter::empty())
    }

    /// The same for an operation with an index list: labels, row numbers, a mask.
    #[track_caller]
    pub fn apply_indexed(
        &mut self,
        op: &'static dyn Operation<T>,
        inputs: &[Var],
        shape: Shape,
        args: Args<T>,
        indices: impl IntoIterator<Item = u32>,
    ) -> Var {
        let mut differentiable = false;
        for input in inputs {
            differentiable |= self.node(op.name(), *input).differentiable;
        }
        let (links, indices) = (self.links.len(), indices.into_iter());
        if reserve(&mut self.links, inputs.len() + indices.size_hint().0).is_err() {
            panic!("{}: there is no memory for its inputs", op.name());
        }
        self.links.extend(inputs.iter().map(|v| v.index));
        self.links.extend(indices);
        let mut node = Node::new(op, shape, self.used, links, self.generation);
        node.differentiable = differentiable;
        node.inputs = count(inputs.len(), op.name(), "inputs");
        if !args.same_bits(&Args::NONE) {
            // A loop of one operation, which is what makes long tapes, stores its constants once.
            if !self.args.last().is_some_and(|last| last.same_bits(&args)) {
                self.args.push(args);
            }
            node.args = count(self.args.len() - 1, op.name(), "sets of constants");
        }
        self.make_room(&node, args.saved);
        let (before, own) = self.values.split_at_mut(node.offset);
        let (y, saved) = own[..shape.len() + args.saved].split_at_mut(shape.len());
        op.forward(Forward {
            nodes: &self.nodes,
            values: before,
            y,
            saved,
            links: &self.links[links..],
            node: &node,
            args: &args,
        });
        self.used = node.offset + shape.len() + args.saved;
        self.push(node)
    }

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

    /// A value as a matrix.
    ///
    /// # Panics
    /// If `v` is stale.
    #[track_caller]
    pub fn value(&self, v: impl Into<Var>) -> MatrixView<'_, T> {
        let node = self.node("value", v.into());
        view(&self.values[node.range()], node.shape())
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
    /// made after the last backward pass.
    #[track_caller]
    pub fn grad(&self, v: impl Into<Var>) -> MatrixView<'_, T> {
        let v = v.into();
        view(self.grad_slice(v), self.node("grad", v).shape())
    }

    /// The gradient of a value as a slice, row-major. Panics as [`grad`](Tape::grad) does.
    #[track_caller]
    pub fn grad_slice(&self, v: impl Into<Var>) -> &[T] {
        let v = v.into();
        let node = self.node("grad", v);
        assert!(node.differentiable, "grad: {v} ({}) depends on no parameter and no variable", node.name());
        assert!(
            v.index() < self.params || v.index() < self.passed,
            "grad: {v} ({}) was made after the last backward pass, if there was one",
            node.name()
        );
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

    /// Memory that the arena holds, in bytes: nodes, values and gradients, in use or kept for the
    /// next step.
    pub fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node<T>>()
            + (self.values.capacity() + self.grads.capacity()) * size_of::<T>()
            + self.links.capacity() * size_of::<u32>()
            + self.args.capacity() * size_of::<Args<T>>()
            + self.written.capacity()
    }

    /// Numbers (not bytes) in use by the values of all nodes; the gradients take as many.
    pub fn numbers(&self) -> usize {
        self.used
    }

    /// Drops all nodes behind the parameters, and keeps the memory for the next step.
    ///
    /// Values and gradients of the parameters stay. Every other `Var` is stale from here on.
    pub fn rewind(&mut self) {
        self.truncate(self.params, 1);
    }

    /// This point on the tape, to come back to with [`rewind_to`](Tape::rewind_to): what stands before
    /// it, such as a data set that every step uses, then outlives the rewind.
    pub fn mark(&self) -> Mark {
        let last = self.nodes.len().checked_sub(1);
        Mark {
            nodes: self.nodes.len(),
            args: self.args.len(),
            last: last.map(|i| Var { index: i as u32, generation: self.nodes[i].generation }),
        }
    }

    /// Drops all nodes behind `mark`, and keeps the memory.
    ///
    /// # Panics
    /// If the tape was rewound to a point before the mark since, or parameters were added behind it.
    #[track_caller]
    pub fn rewind_to(&mut self, mark: Mark) {
        if let Some(last) = mark.last {
            self.node("rewind_to: the last node before the mark", last);
        }
        assert!(mark.nodes >= self.params, "rewind_to: parameters were added behind the mark");
        self.truncate(mark.nodes, mark.args);
    }

    /// Keeps that many nodes and sets of constants, of which the first stands for none.
    fn truncate(&mut self, nodes: usize, args: usize) {
        if let Some(first) = self.nodes.get(nodes) {
            self.links.truncate(first.links as usize);
        }
        self.nodes.truncate(nodes);
        self.used =
            self.nodes.last().map_or(0, |last| last.range().end + self.args[last.args as usize].saved);
        self.args.truncate(args);
        self.changed_at = self.changed_at.min(nodes);
        self.passed = self.passed.min(nodes);
        // After 2³² rewinds a Var of the first one would pass for a good one; none lives that long.
        self.generation = self.generation.wrapping_add(1);
        if self.generation == self.id {
            self.generation = self.generation.wrapping_add(1);
        }
    }

    /// The node of a `Var`, for the operation `op`, which the message names.
    #[inline]
    #[track_caller]
    fn node(&self, op: &str, v: Var) -> &Node<T> {
        match self.nodes.get(v.index()) {
            Some(node) if node.generation == v.generation => node,
            _ => stale(op, v),
        }
    }

    /// Grows the buffer of values so that `node` fits in, with what it saves.
    ///
    /// # Panics
    /// If the machine has no memory for it.
    #[inline]
    #[track_caller]
    fn make_room(&mut self, node: &Node<T>, saved: usize) {
        let Some(end) = node.range().end.checked_add(saved) else { no_memory(node) };
        if self.values.len() < end {
            let more = end - self.values.len();
            if reserve(&mut self.values, more).is_err() {
                no_memory(node);
            }
            self.values.resize(end, T::ZERO);
        }
    }

    /// Appends a node whose value stands in the buffer.
    #[track_caller]
    fn push(&mut self, node: Node<T>) -> Var {
        let index = u32::try_from(self.nodes.len()).expect("a tape holds at most 2³² nodes");
        if reserve(&mut self.nodes, 1).is_err() {
            no_memory(&node);
        }
        self.nodes.push(node);
        if let Some(watch) = &mut self.anomalies {
            watch.called(index as usize, Location::caller());
            self.look_for_anomaly(index as usize, Phase::Forward);
        }
        Var { index, generation: node.generation }
    }
}

#[track_caller]
fn count<N: TryFrom<usize>>(n: usize, op: &str, what: &str) -> N {
    N::try_from(n).unwrap_or_else(|_| panic!("{op}: {n} {what} are more than a node can hold"))
}

#[cold]
#[track_caller]
fn stale(op: &str, v: Var) -> ! {
    panic!("{op}: {v} is stale: the tape was rewound since it was made, or it belongs to another tape")
}

#[cold]
#[track_caller]
fn no_memory<T: Float>(node: &Node<T>) -> ! {
    let shape = node.shape();
    let bytes = shape.rows as f64 * shape.cols as f64 * size_of::<T>() as f64;
    panic!("{}: there is no memory for a value of {shape}, {bytes:.0} bytes", node.name())
}

/// A row-major slice as an nalgebra view.
fn view<T: Float>(data: &[T], shape: Shape) -> MatrixView<'_, T> {
    MatrixView::from_slice_with_strides(data, shape.rows, shape.cols, shape.cols, 1)
}
