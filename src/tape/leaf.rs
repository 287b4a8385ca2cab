//! Leaves: what brings numbers onto the tape.
//!
//! Each of the three kinds comes from an nalgebra matrix, from a row-major slice, or from a closure
//! that writes straight into the arena, so that a batch need not be built elsewhere first. Where such a
//! closure panics, the tape is as it was before.
//!
//! A closure of the caller's gets zeros: what it forgets is 0, and not a number of an earlier step. What writes every
//! entry for sure is spared them; for a batch of images they are a twentieth of a small network's step.

use nalgebra::DMatrix;

use super::memory::reserve;
use super::node::{Leaf, Operation, Param, Shape, Var};
use super::{Phase, Tape};
use crate::Float;
use crate::text::count;

/// # Leaves
/// What brings numbers onto the tape: parameters, buffers, constants, variables.
impl<T: Float> Tape<T> {
    /// A trainable parameter. It stays through every [`rewind`](Tape::rewind).
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already: parameters come first.
    #[track_caller]
    pub fn param(&mut self, value: &DMatrix<T>) -> Param {
        self.slot(&Leaf::Param, value.nrows(), value.ncols(), Fill::Whole(&mut |to| copy(value, to)))
    }

    /// A parameter from a row-major slice.
    ///
    /// # Panics
    /// As [`param`](Tape::param), and if the slice does not hold `rows * cols` numbers.
    #[track_caller]
    pub fn param_slice(&mut self, rows: usize, cols: usize, value: &[T]) -> Param {
        check_length("param", rows, cols, value.len());
        self.slot(&Leaf::Param, rows, cols, Fill::Whole(&mut |to| to.copy_from_slice(value)))
    }

    /// A parameter that `fill` writes, row-major, into zeros.
    ///
    /// # Panics
    /// As [`param`](Tape::param).
    #[track_caller]
    pub fn param_with(&mut self, rows: usize, cols: usize, fill: impl FnOnce(&mut [T])) -> Param {
        self.slot(&Leaf::Param, rows, cols, Fill::Zeros(&mut once(fill)))
    }

    /// A buffer: a parameter that is not trained, such as the running statistics of a normalisation.
    ///
    /// It stands among the parameters, outlives every rewind, and is saved, restored and averaged with
    /// them. It has no gradient, and no optimizer sees it; [`update_buffer`](Tape::update_buffer) changes it.
    /// `fill` writes it, row-major, into zeros.
    ///
    /// # Panics
    /// As [`param`](Tape::param).
    #[track_caller]
    pub fn buffer_with(&mut self, rows: usize, cols: usize, fill: impl FnOnce(&mut [T])) -> Param {
        self.slot(&Leaf::Buffer, rows, cols, Fill::Zeros(&mut once(fill)))
    }

    /// What stays at the front of the arena.
    #[track_caller]
    fn slot(&mut self, kind: &'static Leaf, rows: usize, cols: usize, fill: Fill<'_, T>) -> Param {
        assert!(
            self.params == self.nodes.len(),
            "{}: parameters come first, but v{} ({}) is on the tape already: create all of them \
             before the first constant or operation, or rewind before",
            Operation::<T>::name(kind),
            self.params,
            self.nodes[self.params].name(),
        );
        let no_memory = || -> ! {
            panic!("{}: there is no memory for {rows}×{cols} numbers", Operation::<T>::name(kind))
        };
        let numbers = rows.checked_mul(cols).and_then(|numbers| self.used.checked_add(numbers));
        let end = numbers.unwrap_or_else(|| no_memory());
        let no_room = !self.lean && self.grads.grow(end).is_err();
        if no_room || reserve(&mut self.names, 1).is_err() {
            no_memory();
        }
        self.leaf(kind, rows, cols, fill);
        let param = self.param_at(self.params);
        self.params += 1;
        self.names.push(String::new());
        let there = self.grads.len().min(end);
        self.grads[there.min(end - rows * cols)..there].fill(T::ZERO);
        param
    }

    /// A constant: no gradient is computed for it.
    #[track_caller]
    pub fn constant(&mut self, value: &DMatrix<T>) -> Var {
        self.leaf(&Leaf::Constant, value.nrows(), value.ncols(), Fill::Whole(&mut |to| copy(value, to)))
    }

    /// A constant from a row-major slice.
    ///
    /// # Panics
    /// If the slice does not hold `rows * cols` numbers.
    #[track_caller]
    pub fn constant_slice(&mut self, rows: usize, cols: usize, value: &[T]) -> Var {
        check_length("constant", rows, cols, value.len());
        self.leaf(&Leaf::Constant, rows, cols, Fill::Whole(&mut |to| to.copy_from_slice(value)))
    }

    /// A constant that `fill` writes, row-major, into zeros.
    #[track_caller]
    pub fn constant_with(&mut self, rows: usize, cols: usize, fill: impl FnOnce(&mut [T])) -> Var {
        self.leaf(&Leaf::Constant, rows, cols, Fill::Zeros(&mut once(fill)))
    }

    /// A constant that `fill` writes whole: unlike [`constant_with`](Self::constant_with), it does not get zeros, but
    /// what an earlier step left there.
    #[track_caller]
    pub(crate) fn constant_whole(&mut self, rows: usize, cols: usize, fill: impl FnOnce(&mut [T])) -> Var {
        self.leaf(&Leaf::Constant, rows, cols, Fill::Whole(&mut once(fill)))
    }

    /// A constant of zeros, in which `fill` writes ones: what [`select`](Tape::select) chooses by. It is drawn as such.
    #[track_caller]
    pub(crate) fn mask_with(&mut self, rows: usize, cols: usize, fill: impl FnOnce(&mut [T])) -> Var {
        self.leaf(&Leaf::Mask, rows, cols, Fill::Zeros(&mut once(fill)))
    }

    /// A 1×1 constant.
    #[track_caller]
    pub fn scalar(&mut self, value: T) -> Var {
        self.constant_with(1, 1, |to| to[0] = value)
    }

    /// A leaf with a gradient that is not a parameter, such as an input whose influence is asked for.
    /// A rewind drops it.
    #[track_caller]
    pub fn variable(&mut self, value: &DMatrix<T>) -> Var {
        self.leaf(&Leaf::Variable, value.nrows(), value.ncols(), Fill::Whole(&mut |to| copy(value, to)))
    }

    /// A variable from a row-major slice.
    ///
    /// # Panics
    /// If the slice does not hold `rows * cols` numbers.
    #[track_caller]
    pub fn variable_slice(&mut self, rows: usize, cols: usize, value: &[T]) -> Var {
        check_length("variable", rows, cols, value.len());
        self.leaf(&Leaf::Variable, rows, cols, Fill::Whole(&mut |to| to.copy_from_slice(value)))
    }

    /// A variable that `fill` writes, row-major, into zeros.
    #[track_caller]
    pub fn variable_with(&mut self, rows: usize, cols: usize, fill: impl FnOnce(&mut [T])) -> Var {
        self.leaf(&Leaf::Variable, rows, cols, Fill::Zeros(&mut once(fill)))
    }

    /// A constant with the value of `v`: what depends on it sends no gradient back to `v`.
    ///
    /// # Panics
    /// If `v` is stale.
    #[track_caller]
    pub fn detach(&mut self, v: impl Into<Var>) -> Var {
        let source = *self.node("detach", v.into());
        let Shape { rows, cols } = source.shape();
        // Zeros, since the numbers come only behind the look for an anomaly.
        let var = self.leaf(&Leaf::Constant, rows, cols, Fill::Zeros(&mut |_| ()));
        let offset = self.nodes[var.index()].offset;
        self.values.copy_within(source.range(), offset);
        if self.anomalies.is_some() {
            self.look_for_anomaly(var.index(), Phase::Forward);
        }
        var
    }

    #[track_caller]
    fn leaf(&mut self, kind: &'static Leaf, rows: usize, cols: usize, fill: Fill<'_, T>) -> Var {
        let shape = Shape::new(rows, cols);
        self.prepare(kind, shape);
        let mut node = self.new_node(kind, shape);
        node.differentiable = matches!(kind, Leaf::Param | Leaf::Variable);
        if matches!(kind, Leaf::Param | Leaf::Buffer) {
            // Without a gap: the parameters are one slice.
            node.offset = self.used;
        }
        self.make_room(&node, 0);
        fill.write(&mut self.values[node.range()]);
        self.commit(node, 0)
    }
}

/// What writes numbers into the arena.
pub(super) enum Fill<'a, T> {
    /// Into zeros, so that an entry that it forgets is not one of an earlier step.
    Zeros(&'a mut dyn FnMut(&mut [T])),
    /// Every entry, whatever stands there.
    Whole(&'a mut dyn FnMut(&mut [T])),
}

impl<T: Float> Fill<'_, T> {
    pub fn write(self, to: &mut [T]) {
        match self {
            Fill::Zeros(fill) => {
                to.fill(T::ZERO);
                fill(to);
            }
            Fill::Whole(fill) => fill(to),
        }
    }
}

/// `fill`, to be called once: behind a reference, so that what calls it is not compiled for each closure.
pub(super) fn once<X: ?Sized>(fill: impl FnOnce(&mut X)) -> impl FnMut(&mut X) {
    let mut fill = Some(fill);
    move |to| {
        if let Some(fill) = fill.take() {
            fill(to);
        }
    }
}

/// nalgebra stores columns, the arena rows.
fn copy<T: Float>(from: &DMatrix<T>, to: &mut [T]) {
    for (row, to) in from.row_iter().zip(to.chunks_mut(from.ncols().max(1))) {
        to.iter_mut().zip(row.iter()).for_each(|(to, from)| *to = *from);
    }
}

#[track_caller]
fn check_length(op: &str, rows: usize, cols: usize, found: usize) {
    let shape = Shape::new(rows, cols);
    assert!(shape.numel() == found, "{op}: {shape} takes {}, not {found}", count(shape.numel(), "number"));
}
