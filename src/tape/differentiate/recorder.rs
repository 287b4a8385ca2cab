//! What an operation appends its gradient with.

use super::terms::Found;
use crate::Float;
use crate::ops::Op;
use crate::tape::{Args, Shape, Tape, Var};

/// A node, its inputs and its gradient, for [`Operation::record`](crate::Operation::record), which appends to the tape
/// what the gradients of the inputs are.
///
/// Where a [`Backward`](crate::Backward) has numbers, this has the values on the tape that they belong to.
pub struct Recorder<'a, T: Float> {
    pub(super) tape: &'a mut Tape<T>,
    pub(super) found: &'a mut Found,
    pub(super) index: usize,
    pub(super) dy: Var,
}

impl<T: Float> Recorder<'_, T> {
    /// The tape, to look at values, and to append to.
    pub fn tape(&mut self) -> &mut Tape<T> {
        self.tape
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.tape.nodes[self.index].inputs as usize
    }

    /// Input `k`.
    ///
    /// # Panics
    /// If there are not so many.
    #[track_caller]
    pub fn x(&self, k: usize) -> Var {
        let node = &self.tape.nodes[self.index];
        self.tape.var(node.input(self.tape.inputs_of(node), k))
    }

    /// The value.
    pub fn y(&self) -> Var {
        self.tape.var(self.index)
    }

    /// The gradient of the value, of its shape.
    pub fn dy(&self) -> Var {
        self.dy
    }

    /// Shape of input `k`.
    #[track_caller]
    pub fn shape(&self, k: usize) -> Shape {
        self.tape.nodes[self.x(k).index()].shape()
    }

    /// The node's constants.
    pub fn args(&self) -> Args<T> {
        self.tape.args[self.tape.nodes[self.index].args as usize]
    }

    /// The node's index list.
    pub fn indices(&self) -> Vec<u32> {
        let node = &self.tape.nodes[self.index];
        let end = self.tape.nodes.get(self.index + 1).map_or(self.tape.linked, |next| next.links as usize);
        self.tape.links[node.links as usize + node.inputs as usize..end].to_vec()
    }

    /// What the forward pass saved.
    pub fn saved(&self) -> Vec<T> {
        let node = &self.tape.nodes[self.index];
        self.tape.values[node.range().end..][..self.args().saved].to_vec()
    }

    /// Whether input `k` needs a gradient: whether work for it is worth starting.
    #[track_caller]
    pub fn needs(&mut self, k: usize) -> bool {
        let index = self.x(k).index();
        self.found.depends(self.tape, index)
    }

    /// dx += `term` for input `k`. Along a dimension in which the input has one row or column, the term is summed; along one
    /// in which the term has a single one, that stands for all.
    ///
    /// # Panics
    /// If the shapes differ in another way.
    #[track_caller]
    pub fn add(&mut self, k: usize, mut term: Var) {
        if !self.needs(k) {
            return;
        }
        let to = self.shape(k);
        if to.rows == 1 && self.tape.shape(term).rows != 1 {
            term = self.tape.sum_rows(term);
        }
        if to.cols == 1 && self.tape.shape(term).cols != 1 {
            term = self.tape.sum_cols(term);
        }
        let found = self.tape.shape(term);
        if found != to {
            let stretches = |n: usize, to: usize| n == 1 || n == to;
            assert!(
                stretches(found.rows, to.rows) && stretches(found.cols, to.cols),
                "gradient: {} gives {found} for its input {k}, {}, which is {to}",
                self.tape.op_name(self.y()),
                self.x(k)
            );
            let zeros = self.tape.constant_with(to.rows, to.cols, |_| ());
            term = self.tape.add(zeros, term);
        }
        let index = self.x(k).index();
        self.found.add(self.tape, index, term);
    }

    /// The same, if input `k` needs a gradient: `term` makes it on the tape.
    #[track_caller]
    pub fn add_with(&mut self, k: usize, term: impl FnOnce(&mut Tape<T>) -> Var) {
        if self.needs(k) {
            let term = term(self.tape);
            self.add(k, term);
        }
    }

    /// dx += slope ∘ dy for input `k`, if it needs a gradient: `slope` makes the slope on the tape.
    #[track_caller]
    pub(crate) fn add_slope(&mut self, k: usize, slope: impl FnOnce(&mut Tape<T>) -> Var) {
        let dy = self.dy;
        self.add_with(k, |tape| {
            let slope = slope(tape);
            tape.mul(slope, dy)
        });
    }

    /// dx += dy for an operation that passes some entries on: dy where `passes` holds of an entry of the first input, and
    /// 0 elsewhere, also where dy is infinite or NaN.
    ///
    /// # Panics
    /// If the first input has another shape than the value.
    #[track_caller]
    pub fn add_where(&mut self, k: usize, passes: impl Fn(T) -> bool) {
        let (x, dy) = (self.x(0), self.dy);
        self.add_with(k, |tape| tape.kept(x, passes, dy));
    }

    /// dx += `term` for the rows of input `k` from row `start` on.
    pub(crate) fn add_to_rows(&mut self, k: usize, start: usize, term: Var) {
        if self.needs(k) {
            let index = self.x(k).index();
            self.found.waiting.entry(index).or_default().rows.push((start, term));
        }
    }

    /// dx += `term` for the columns of input `k` from column `start` on.
    pub(crate) fn add_to_cols(&mut self, k: usize, start: usize, term: Var) {
        if self.needs(k) {
            let index = self.x(k).index();
            self.found.waiting.entry(index).or_default().cols.push((start, term));
        }
    }

    /// The gradients of the inputs are those of the value that `build` makes of them by other operations, which must be
    /// the same.
    ///
    /// # Panics
    /// If it has another shape.
    #[track_caller]
    pub fn through(&mut self, build: impl FnOnce(&mut Tape<T>, &[Var]) -> Var) {
        let inputs: Vec<Var> = (0..self.inputs()).map(|k| self.x(k)).collect();
        let (name, shape) = (self.tape.op_name(self.y()), self.tape.shape(self.y()));
        let y = build(self.tape, &inputs);
        let found = self.tape.shape(y);
        assert!(found == shape, "gradient: {name} gives {shape}, but what stands for it gives {found}");
        if self.found.depends(self.tape, y.index()) {
            self.found.add(self.tape, y.index(), self.dy);
        }
    }

    /// There is no gradient that can be recorded: what an operation says by default.
    ///
    /// # Panics
    /// Always.
    #[track_caller]
    pub(crate) fn none(self) -> ! {
        let (y, name) = (self.y(), self.tape.op_name(self.y()));
        panic!(
            "gradient: {y} ({name}) has no gradient that can be recorded: backward goes through it, and so does gradient \
             once Operation::record is written for it"
        )
    }
}

/// What gradients are made of besides the operations that everybody calls.
impl<T: Float> Tape<T> {
    /// `then` where `keep` holds of the entry of `x`, and 0 elsewhere, also where `then` is infinite or NaN.
    pub(crate) fn kept(&mut self, x: Var, keep: impl Fn(T) -> bool, then: Var) -> Var {
        let zero = self.scalar(T::ZERO);
        self.chosen(x, keep, then, zero)
    }

    /// `then` where `condition` holds of the entry of `x`, and `other` elsewhere.
    pub(crate) fn chosen(&mut self, x: Var, condition: impl Fn(T) -> bool, then: Var, other: Var) -> Var {
        let mask = self.mask(x, condition);
        self.select(mask, then, other)
    }

    /// 1 where `condition` holds of the entry of `x`, and 0 elsewhere: a constant.
    pub(crate) fn mask(&mut self, x: Var, condition: impl Fn(T) -> bool) -> Var {
        let Shape { rows, cols } = self.shape(x);
        let one = |x: &T| if condition(*x) { T::ONE } else { T::ZERO };
        let mask: Vec<T> = self.value_slice(x).iter().map(one).collect();
        self.mask_with(rows, cols, |to| to.copy_from_slice(&mask))
    }

    /// 1 − x.
    pub(crate) fn one_minus(&mut self, x: Var) -> Var {
        let minus = self.neg(x);
        self.shift(minus, T::ONE)
    }

    /// `slope` ∘ dy, and 0 where the slope is 0, also where dy is infinite or NaN.
    pub(crate) fn slope_times(&mut self, slope: Var, dy: Var) -> Var {
        self.broadcast(Op::Weighted.get(), dy, slope)
    }

    /// Whether `condition` holds of some entry of `x`.
    pub(crate) fn some(&self, x: Var, condition: impl Fn(T) -> bool) -> bool {
        self.value_slice(x).iter().any(|x| condition(*x))
    }

    /// The parts below each other, or beside each other: however many there are.
    pub(crate) fn joined(&mut self, mut parts: Vec<Var>, along_rows: bool) -> Var {
        while parts.len() > 1 {
            let join =
                |parts: &[Var]| if along_rows { self.concat_rows(parts) } else { self.concat_cols(parts) };
            parts = parts.chunks(u16::MAX as usize).map(join).collect();
        }
        parts[0]
    }
}
