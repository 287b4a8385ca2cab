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
//! What is deliberately absent: ranks above two, a graph that is kept and replayed, reference counts, and boxed
//! closures. A gradient that is itself to be differentiated is appended to the list: [`Tape::gradient`].

mod anomaly;
mod backward;
mod check;
mod clone;
mod differentiate;
mod display;
mod forward;
mod generation;
mod gradients;
mod inspect;
mod leaf;
mod memory;
mod node;
mod numbers;
mod reach;
mod read;
mod scope;
mod slots;
mod sum;
#[cfg(test)]
mod tests;

pub use anomaly::{Anomaly, Phase};
pub use check::{GradientCheck, check_gradient};
pub use differentiate::Recorder;
pub use display::Dot;
pub use forward::Forward;
pub use gradients::Backward;
pub(crate) use gradients::Operand;
pub use node::{Args, Operation, Param, Shape, Var};
pub use scope::{Expr, Scope};
pub use slots::{Slot, Slots};
pub use sum::Sum;

use std::panic::Location;

use generation::{Generations, Identity};
use memory::reserve;
use node::{Holds, NO_ARGS, Node};
use numbers::Numbers;

use crate::Float;

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
///
/// # Panics
/// Every method that takes a handle panics if that is stale: if the tape was rewound since the handle was made, or it
/// belongs to another tape. Operations panic if the machine has no memory for their value. What a method panics at
/// besides stands with it.
pub struct Tape<T: Float = f64> {
    nodes: Vec<Node<T>>,
    /// Numbers of all nodes. It only ever grows; `used` of them are in use.
    values: Numbers<T>,
    grads: Numbers<T>,
    used: usize,
    /// Inputs of every node, and behind them its index list; the first `linked` of them are in use.
    links: Vec<u32>,
    linked: usize,
    /// Constants of the operations that have any; the first stands for none.
    args: Vec<Args<T>>,
    /// How many of the nodes, at the front, are parameters.
    params: usize,
    /// Whether parameters get their gradients with the first backward pass only: models that are asked need none.
    lean: bool,
    names: Vec<String>,
    /// Tells a good `Var` from a stale one, and from those of other tapes.
    generations: Generations,
    /// How many nodes there were when the parameters' values were last handed out to be changed.
    changed_at: usize,
    /// During a backward pass: what the gradient of each node holds.
    written: Vec<Holds>,
    /// Zeros for operations to work with during a backward pass.
    scratch: Vec<T>,
    /// Whether a backward pass has begun and not ended: after a panic in the middle of one.
    walking: bool,
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
        Tape {
            nodes: Vec::new(),
            values: Numbers::new(),
            grads: Numbers::new(),
            used: 0,
            links: Vec::new(),
            linked: 0,
            args: vec![Args::NONE],
            params: 0,
            lean: false,
            names: Vec::new(),
            generations: Generations::new(),
            changed_at: 0,
            written: Vec::new(),
            scratch: Vec::new(),
            walking: false,
            passed: 0,
            anomalies: None,
        }
    }
}

/// A point on the tape to come back to: see [`Tape::mark`].
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    tape: Identity,
    nodes: usize,
    args: usize,
    last: Option<Var>,
}

/// # The tape itself
/// Appending operations, and going back to an earlier point.
impl<T: Float> Tape<T> {
    /// Appends the node `op(inputs)` of the given shape and computes its value.
    ///
    /// The methods of the built-in operations end here, and so does an [`Operation`] of your own. The
    /// shape is the caller's to work out, and to check: an operation sees its inputs only afterwards.
    ///
    /// All or nothing: where this panics, or the operation does, the tape is as it was before.
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
            match self.find(*input) {
                Some(node) => differentiable |= node.differentiable,
                None => stale(op.name(), *input),
            }
        }
        self.append(op, inputs, differentiable, shape, args, indices)
    }

    /// [`apply_indexed`](Tape::apply_indexed) of inputs that were found to be good; `differentiable` says whether one
    /// of them is.
    #[inline]
    #[track_caller]
    pub(crate) fn append(
        &mut self,
        op: &'static dyn Operation<T>,
        inputs: &[Var],
        differentiable: bool,
        shape: Shape,
        args: Args<T>,
        indices: impl IntoIterator<Item = u32>,
    ) -> Var {
        self.prepare(op, shape);
        let Ok(count_of_inputs) = u16::try_from(inputs.len()) else {
            too_many(inputs.len(), op.name(), "inputs")
        };
        self.link(op, inputs, indices);
        let (mut new_args, mut args_at) = (false, NO_ARGS);
        if !args.same_bits(&Args::NONE) {
            // A loop of one operation, which is what makes long tapes, stores its constants once.
            new_args = !self.args.last().is_some_and(|last| last.same_bits(&args));
            let place = if new_args { self.args.len() } else { self.args.len() - 1 };
            let Ok(place) = u32::try_from(place) else { too_many(place, op.name(), "sets of constants") };
            args_at = place;
            if reserve(&mut self.args, 1).is_err() {
                no_memory(op, shape, args.saved);
            }
        }
        // Complete from the start: to change a part of it and copy it then costs more than the value of a 1×1.
        let node =
            Node { args: args_at, inputs: count_of_inputs, differentiable, ..self.new_node(op, shape) };
        self.make_room(&node, args.saved);
        let (before, own) = self.values.split_at_mut(node.offset);
        let own = &mut own[..shape.numel() + args.saved];
        if cfg!(debug_assertions) {
            // Old numbers would pass for right ones where an operation forgets an entry.
            own.fill(T::NAN);
        }
        let (y, saved) = own.split_at_mut(shape.numel());
        op.forward(Forward {
            nodes: &self.nodes,
            values: before,
            y,
            saved,
            links: &self.links[self.linked..],
            node: &node,
            args: &args,
        });
        if new_args {
            self.args.push(args);
        }
        self.commit(node, args.saved)
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
        Mark {
            tape: self.generations.identity(),
            nodes: self.nodes.len(),
            args: self.args.len(),
            last: self.nodes.len().checked_sub(1).map(|last| self.var(last)),
        }
    }

    /// Drops all nodes behind `mark`, and keeps the memory.
    ///
    /// # Panics
    /// If the mark was made on another tape, the tape was rewound to a point before the mark since, or
    /// parameters were added behind it.
    #[track_caller]
    pub fn rewind_to(&mut self, mark: Mark) {
        assert!(mark.tape == self.generations.identity(), "rewind_to: the mark was made on another tape");
        if let Some(last) = mark.last {
            self.node("rewind_to: the last node before the mark", last);
        }
        assert!(mark.nodes >= self.params, "rewind_to: parameters were added behind the mark");
        self.truncate(mark.nodes, mark.args);
    }

    /// Keeps that many nodes and sets of constants, of which the first stands for none.
    fn truncate(&mut self, nodes: usize, args: usize) {
        if let Some(first) = self.nodes.get(nodes) {
            self.linked = first.links as usize;
        }
        self.links.truncate(self.linked);
        self.nodes.truncate(nodes);
        self.used =
            self.nodes.last().map_or(0, |last| last.range().end + self.args[last.args as usize].saved);
        self.args.truncate(args);
        self.changed_at = self.changed_at.min(nodes);
        self.passed = self.passed.min(nodes);
        self.written.truncate(nodes);
        self.generations.rewind(nodes, self.params);
    }

    /// The node of a `Var`, for the operation `op`, which the message names.
    #[inline]
    #[track_caller]
    fn node(&self, op: &str, v: Var) -> &Node<T> {
        match self.find(v) {
            Some(node) => node,
            None => stale(op, v),
        }
    }

    /// The node of a `Var`; `None` if that is stale.
    #[inline]
    fn find(&self, v: Var) -> Option<&Node<T>> {
        let node = self.nodes.get(v.index())?;
        let made = self.generations.of(v.index(), self.params);
        (v.generation == made && v.tape() == self.generations.identity().tape).then_some(node)
    }

    /// The handle of a node that was just appended, and is no parameter.
    #[inline]
    fn new_var(&self, index: usize) -> Var {
        let generation = self.generations.current();
        Var::new(index, self.generations.identity().tape, generation)
    }

    /// The handle of the node at `index`.
    #[inline]
    fn var(&self, index: usize) -> Var {
        let generation = self.generations.of(index, self.params);
        Var::new(index, self.generations.identity().tape, generation)
    }

    /// The handle of the parameter at `index`.
    fn param_at(&self, index: usize) -> Param {
        Param { index: index as u32, tape: self.generations.identity() }
    }

    /// Room for a node behind the last one, which is part of nothing before [`commit`](Tape::commit). Between the two
    /// a panic may come from anywhere: nothing that is in use may change there.
    #[inline]
    #[track_caller]
    fn prepare(&mut self, op: &dyn Operation<T>, shape: Shape) {
        u32::try_from(self.nodes.len()).expect("a tape holds at most 2³² nodes");
        // What an append that panicked left there belongs to no node.
        self.links.truncate(self.linked);
        if reserve(&mut self.nodes, 1).is_err() {
            no_memory(op, shape, 0);
        }
    }

    /// A node behind the last one, without inputs.
    #[inline(always)]
    #[track_caller]
    fn new_node(&self, op: &'static dyn Operation<T>, shape: Shape) -> Node<T> {
        // Whether the product overflows is seen where room is made.
        let offset = Numbers::<T>::place(self.used, shape.rows.wrapping_mul(shape.cols));
        Node::new(op, shape, offset, self.linked)
    }

    /// Appends inputs and index list to the list of links.
    #[inline]
    #[track_caller]
    fn link(&mut self, op: &dyn Operation<T>, inputs: &[Var], indices: impl IntoIterator<Item = u32>) {
        let no_memory = || -> ! { panic!("{}: there is no memory for its inputs", op.name()) };
        if reserve(&mut self.links, inputs.len()).is_err() {
            no_memory();
        }
        self.links.extend(inputs.iter().map(|v| v.index() as u32));
        let indices = indices.into_iter();
        // The hint may be wrong, either way: no more than this is taken on its word.
        let _ = reserve(&mut self.links, indices.size_hint().0.min(1 << 16));
        for index in indices {
            if reserve(&mut self.links, 1).is_err() {
                no_memory();
            }
            self.links.push(index);
        }
    }

    /// Grows the buffer of values so that `node` fits in, with what it saves.
    ///
    /// # Panics
    /// If the machine has no memory for it.
    #[inline]
    #[track_caller]
    fn make_room(&mut self, node: &Node<T>, saved: usize) {
        let numbers = node.shape().numel().checked_add(saved);
        let end = numbers.and_then(|numbers| node.offset.checked_add(numbers));
        if !end.is_some_and(|end| self.grow_values(end)) {
            no_memory(node.op, node.shape(), saved);
        }
    }

    /// Whether the buffer of values holds `end` numbers now.
    #[inline]
    fn grow_values(&mut self, end: usize) -> bool {
        self.values.grow(end).is_ok()
    }

    /// Appends a node that was [prepared](Tape::prepare), and whose value stands in the buffer with the
    /// numbers that it saved behind it.
    #[inline]
    #[track_caller]
    fn commit(&mut self, node: Node<T>, saved: usize) -> Var {
        let index = self.nodes.len();
        self.used = node.range().end + saved;
        self.linked = self.links.len();
        self.nodes.push(node);
        let var = self.new_var(index);
        if let Some(watch) = &mut self.anomalies {
            watch.called(index, Location::caller());
            self.look_for_anomaly(index, Phase::Forward);
        }
        var
    }
}

#[cold]
#[track_caller]
fn too_many(n: usize, op: &str, what: &str) -> ! {
    panic!("{op}: {n} {what} are more than a node can hold")
}

#[cold]
#[track_caller]
fn stale(op: &str, v: Var) -> ! {
    panic!("{op}: {v} is stale: the tape was rewound since it was made, or it belongs to another tape")
}

#[cold]
#[track_caller]
fn no_memory<T: Float>(op: &dyn Operation<T>, shape: Shape, saved: usize) -> ! {
    let bytes = |numbers: f64| numbers * size_of::<T>() as f64;
    let value = bytes(shape.rows as f64 * shape.cols as f64);
    let (op, kept) = (op.name(), bytes(saved as f64));
    if saved == 0 {
        panic!("{op}: there is no memory for a value of {shape}, {value:.0} bytes");
    }
    panic!(
        "{op}: there is no memory for a value of {shape}, {value:.0} bytes, and for what is kept for its gradient, \
         {kept:.0} bytes"
    )
}
