//! Parameters as an optimizer sees them: slots of values and gradients at the front of the arena.

use super::generation::Identity;
use super::node::Node;
use super::{Param, Shape, Tape, Var};
use crate::Float;
use crate::text::count;

/// One parameter's place in the arena.
pub struct Slot<'a, T> {
    /// Whose place it is.
    pub param: Param,
    /// Where the slot begins, in numbers from the front of the arena: also the place for what an
    /// optimizer remembers about it.
    pub offset: usize,
    /// The parameter's value, row-major.
    pub values: &'a mut [T],
    /// Its gradient.
    pub grads: &'a mut [T],
}

/// The slots in order: see [`Tape::slots`].
pub struct Slots<'a, T: Float> {
    nodes: std::iter::Enumerate<std::slice::Iter<'a, Node<T>>>,
    values: &'a mut [T],
    grads: &'a mut [T],
    tape: Identity,
}

impl<'a, T: Float> Iterator for Slots<'a, T> {
    type Item = Slot<'a, T>;

    fn next(&mut self) -> Option<Slot<'a, T>> {
        loop {
            let (index, node) = self.nodes.next()?;
            let len = node.shape().numel();
            let (values, grads) = (self.values.split_off_mut(..len)?, self.grads.split_off_mut(..len)?);
            // Buffers lie among the parameters, but are not trained.
            if node.differentiable {
                let param = Param { index: index as u32, tape: self.tape };
                return Some(Slot { param, offset: node.offset, values, grads });
            }
        }
    }
}

/// # Parameters
/// As an optimizer sees them: values and gradients, one behind the other.
impl<T: Float> Tape<T> {
    /// All parameters, buffers included, in the order in which they were made.
    pub fn params(&self) -> impl ExactSizeIterator<Item = Param> + use<T> {
        let tape = self.generations.identity();
        (0..self.params as u32).map(move |index| Param { index, tape })
    }

    /// The parameters' values and gradients, one slot each: the way in for an optimizer. Buffers are left
    /// out.
    ///
    /// The values count as changed from here on: a backward pass through what was computed from the old
    /// ones panics. Rewind first.
    ///
    /// # Panics
    /// If a panic broke the last backward pass off: the gradients are not whole before
    /// [`zero_grad`](Tape::zero_grad). So for the two methods below that hand out gradients.
    #[track_caller]
    pub fn slots(&mut self) -> Slots<'_, T> {
        self.check_sums("slots");
        let n = self.make_gradients();
        self.changed_at = self.nodes.len();
        Slots {
            nodes: self.nodes[..self.params].iter().enumerate(),
            values: &mut self.values[..n],
            grads: &mut self.grads[..n],
            tape: self.generations.identity(),
        }
    }

    /// Whether a parameter is trained: whether it is none of the [buffers](Tape::buffer_with).
    ///
    /// # Panics
    /// If `p` belongs to another tape.
    #[track_caller]
    pub fn is_trained(&self, p: Param) -> bool {
        self.node("is_trained", p.var()).differentiable
    }

    /// Changes a buffer by a value on the tape: `f` gets both, row-major. Allowed between the forward and
    /// the backward pass as well.
    ///
    /// What was computed from the buffer keeps the value that it was computed from. An operation whose
    /// derivative reads the buffer, instead of what it saved, would read the new one. If `f` panics, the
    /// buffer is as it was.
    ///
    /// # Panics
    /// If `p` is a parameter that is trained, or belongs to another tape; if `v` is stale or a parameter.
    #[track_caller]
    pub fn update_buffer(&mut self, p: Param, v: impl Into<Var>, f: impl FnOnce(&mut [T], &[T])) {
        let v = v.into();
        let (buffer, node) = (self.node("update_buffer", p.var()), self.node("update_buffer", v));
        assert!(!buffer.differentiable, "update_buffer: {p} is trained: only an optimizer changes it");
        assert!(v.index() >= self.params, "update_buffer: {v} is a parameter, not a value behind them");
        let (to, from) = (buffer.range(), node.range());
        // On a copy behind all that is in use, since `f` may panic half-way.
        let copy = self.used..self.used + to.len();
        assert!(self.grow_values(copy.end), "update_buffer: there is no memory for a copy of {p}");
        self.values.copy_within(to.clone(), copy.start);
        let (used, copied) = self.values.split_at_mut(copy.start);
        f(&mut copied[..to.len()], &used[from]);
        self.values.copy_within(copy, to.start);
    }

    /// Numbers in all parameters together, buffers included.
    pub fn param_numbers(&self) -> usize {
        self.params.checked_sub(1).map_or(0, |last| self.nodes[last].range().end)
    }

    /// Values of all parameters, one behind the other.
    pub fn param_values(&self) -> &[T] {
        &self.values[..self.param_numbers()]
    }

    /// The same, to change: to restore parameters that were saved, for instance. They count as changed,
    /// as after [`slots`](Tape::slots).
    pub fn param_values_mut(&mut self) -> &mut [T] {
        let n = self.param_numbers();
        self.changed_at = self.nodes.len();
        &mut self.values[..n]
    }

    /// Sets the values of one parameter or buffer, row-major, as from a file. The parameters count as changed.
    ///
    /// # Panics
    /// If `p` belongs to another tape, or there is another number of values.
    #[track_caller]
    pub fn set_param(&mut self, p: Param, values: &[T]) {
        let place = self.node("set_param", p.var()).range();
        assert!(
            place.len() == values.len(),
            "set_param: {p} has {}, and not {}",
            count(place.len(), "number"),
            values.len()
        );
        self.param_values_mut()[place].copy_from_slice(values);
    }

    /// Gradients of all parameters, one behind the other.
    ///
    /// # Panics
    /// As [`slots`](Tape::slots), and if there are none yet: on the tape of a network that was read or cloned, before the
    /// first backward pass or [`zero_grad`](Tape::zero_grad).
    #[track_caller]
    pub fn param_grads(&self) -> &[T] {
        self.check_sums("param_grads");
        let n = self.param_numbers();
        assert!(
            self.grads.len() >= n,
            "param_grads: there are none on the tape of a network that was read or cloned, before its first backward \
             pass: zero_grad makes them"
        );
        &self.grads[..n]
    }

    /// The same, to change: to clip them, for instance.
    #[track_caller]
    pub fn param_grads_mut(&mut self) -> &mut [T] {
        self.check_sums("param_grads_mut");
        let n = self.make_gradients();
        &mut self.grads[..n]
    }

    /// Gradients of zero for parameters that have none yet, as after [`clone_parameters`](Tape::clone_parameters); how many
    /// numbers they are in all.
    ///
    /// # Panics
    /// If the machine has no memory for them.
    #[track_caller]
    fn make_gradients(&mut self) -> usize {
        let n = self.param_numbers();
        assert!(self.grads.grow(n).is_ok(), "there is no memory for the gradients of {}", count(n, "number"));
        n
    }

    /// Sets the gradients of all parameters to zero.
    ///
    /// # Panics
    /// If there are none yet, and the machine has no memory for them.
    #[track_caller]
    pub fn zero_grad(&mut self) {
        let n = self.make_gradients();
        self.grads[..n].fill(T::ZERO);
        // What a pass that broke off has left there is gone.
        self.walking = false;
    }

    /// Names a parameter where the tape is printed or drawn, and where an anomaly is reported.
    ///
    /// # Panics
    /// If `p` belongs to another tape; so for the two methods below.
    #[track_caller]
    pub fn set_name(&mut self, p: Param, name: impl Into<String>) {
        self.node("set_name", p.var());
        self.names[p.index()] = name.into();
    }

    /// The name given to a parameter; empty where there is none.
    #[track_caller]
    pub fn name(&self, p: Param) -> &str {
        self.node("name", p.var());
        &self.names[p.index()]
    }

    /// Shape of a parameter.
    #[track_caller]
    pub fn param_shape(&self, p: Param) -> Shape {
        self.node("param_shape", p.var()).shape()
    }
}
