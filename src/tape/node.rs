//! What the arena is made of: handles, shapes, nodes, and the trait of an operation.

use std::fmt;

use super::generation::Identity;
use super::{Backward, Forward, Recorder};
use crate::Float;

/// Handle of a value on a [`Tape`](super::Tape): an index, and the generation that made it.
///
/// It prints as `v12`. A `Var` is good on its own tape, until that is rewound behind it; using it after
/// that, or on another tape, panics.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Var {
    /// Position in the arena below, the tape's identity above 2³². As two numbers, and not three, a handle is
    /// passed in registers: measured, a chain of 1×1 operations takes a tenth less time.
    place: u64,
    /// Together with the identity it differs from tape to tape.
    pub(super) generation: u64,
}

const _: () = assert!(size_of::<Var>() == 16);

/// Place of [`Args::NONE`] in every tape's list of constants.
pub(super) const NO_ARGS: u32 = 0;

impl Var {
    #[inline]
    pub(super) fn new(index: usize, tape: u32, generation: u64) -> Var {
        Var { place: u64::from(tape) << 32 | index as u64, generation }
    }

    /// The identity of the tape.
    #[inline]
    pub(super) fn tape(self) -> u32 {
        (self.place >> 32) as u32
    }

    /// Position of the node in the arena; inputs of a node always have a smaller one.
    #[inline]
    pub fn index(self) -> usize {
        self.place as u32 as usize
    }
}

impl fmt::Display for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.index())
    }
}

impl fmt::Debug for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Handle of a parameter: a trainable value at the front of the arena, which outlives every rewind.
///
/// Only a `Param` reaches an optimizer. Wherever an operation takes a [`Var`], a `Param` does as well.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Param {
    pub(super) index: u32,
    pub(super) tape: Identity,
}

impl Param {
    /// Position among the parameters, from 0, in the order in which they were made.
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// The parameter's value as an operand.
    #[inline]
    pub fn var(self) -> Var {
        Var::new(self.index as usize, self.tape.tape, self.tape.first)
    }
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.index)
    }
}

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Param> for Var {
    fn from(p: Param) -> Var {
        p.var()
    }
}

/// Rows and columns of a value. Every value is a matrix, row-major; a scalar is 1×1.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Number of rows; in a batch, the samples.
    pub rows: usize,
    /// Number of columns; in a batch, the features.
    pub cols: usize,
}

impl Shape {
    /// 1×1.
    pub const SCALAR: Shape = Shape { rows: 1, cols: 1 };

    /// `rows`×`cols`.
    pub const fn new(rows: usize, cols: usize) -> Shape {
        Shape { rows, cols }
    }

    /// Number of entries: rows times columns.
    ///
    /// # Panics
    /// If it overflows a `usize`.
    #[inline]
    #[track_caller]
    pub const fn numel(self) -> usize {
        match self.rows.checked_mul(self.cols) {
            Some(n) => n,
            None => panic!("a shape has more entries than memory has addresses"),
        }
    }

    /// No entries at all: 0×n or n×0.
    pub const fn is_empty(self) -> bool {
        self.rows == 0 || self.cols == 0
    }

    /// Columns and rows exchanged.
    pub const fn t(self) -> Shape {
        Shape { rows: self.cols, cols: self.rows }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.rows, self.cols)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The constants of one node: plain data, so that no operation allocates.
///
/// What they mean is the operation's own affair. Lists (labels, row numbers) go to the tape's index
/// list instead: see [`Tape::apply_indexed`](super::Tape::apply_indexed).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Args<T> {
    /// Up to two numbers, such as the bounds of a clamp.
    pub scalars: [T; 2],
    /// Up to two sizes, such as the first row of a slice.
    pub sizes: [usize; 2],
    /// How many numbers the forward pass leaves for the backward pass behind the node's value.
    pub saved: usize,
}

impl<T: Float> Args<T> {
    /// No constants.
    pub const NONE: Args<T> = Args { scalars: [T::ZERO; 2], sizes: [0; 2], saved: 0 };

    /// Equal in all bits: −0 is not 0 here, and NaN is NaN.
    pub(super) fn same_bits(&self, other: &Self) -> bool {
        let bits = |args: &Self| args.scalars.map(|x| x.to_f64().to_bits());
        (self.sizes, self.saved, bits(self)) == (other.sizes, other.saved, bits(other))
    }

    /// One number.
    pub fn scalar(a: T) -> Args<T> {
        Args { scalars: [a, T::ZERO], ..Self::NONE }
    }

    /// Two numbers.
    pub fn scalars(a: T, b: T) -> Args<T> {
        Args { scalars: [a, b], ..Self::NONE }
    }

    /// One size.
    pub fn size(n: usize) -> Args<T> {
        Args { sizes: [n, 0], ..Self::NONE }
    }

    /// The same, with room for `n` numbers that the forward pass leaves for the backward pass.
    pub fn saving(self, n: usize) -> Args<T> {
        Args { saved: n, ..self }
    }
}

/// An operation on the tape: what the built-in ones are made of, and any of your own.
///
/// Operations are constants without state (`struct Exp;`), so that a node is plain data; what differs
/// from node to node stands in [`Args`]. To add one from outside the crate, implement this trait and
/// hand a reference to the constant to [`Tape::apply`](super::Tape::apply):
///
/// ```
/// use tapegrad::{Args, Backward, Forward, Operation, Recorder, Tape};
///
/// /// y = sin x; dx = cos x ∘ dy.
/// struct Sin;
///
/// impl Operation<f64> for Sin {
///     fn name(&self) -> &'static str {
///         "sin"
///     }
///     fn forward(&self, mut cx: Forward<'_, f64>) {
///         cx.map(|x| x.sin());
///     }
///     fn backward(&self, mut cx: Backward<'_, f64>) {
///         let (x, dy) = (cx.x(0), cx.dy());
///         cx.add_zip(0, x, dy, |x, dy| x.cos() * dy);
///     }
///     // Only for gradients of gradients: the same of operations.
///     fn record(&self, mut cx: Recorder<'_, f64>) {
///         let (x, dy) = (cx.x(0), cx.dy());
///         cx.add_with(0, |tape| tape.scope(|s| (s.var(x).cos() * dy).var()));
///     }
/// }
///
/// let mut tape = Tape::new();
/// let x = tape.variable_slice(1, 1, &[0.5]);
/// let shape = tape.shape(x);
/// let y = tape.apply(&Sin, &[x], shape, Args::NONE);
/// tape.backward(y);
/// assert_eq!(tape.grad(x)[(0, 0)], 0.5f64.cos());
///
/// let slope = tape.gradient(y, &[x])[0];
/// tape.backward(slope);
/// assert!((tape.grad(x)[(0, 0)] + 0.5f64.sin()).abs() < 1e-15);
/// ```
pub trait Operation<T: Float>: Sync {
    /// The name in messages and drawings: that of the method, such as `matmul`.
    fn name(&self) -> &'static str;

    /// Writes every entry of the value, and all that it asked to save.
    fn forward(&self, cx: Forward<'_, T>);

    /// Adds this node's contribution to the gradient of each input, through the methods of
    /// [`Backward`], which alone know where gradients lie.
    fn backward(&self, cx: Backward<'_, T>);

    /// Appends this node's contribution to the gradient of each input, made of operations, through the methods of
    /// [`Recorder`]: what [`Tape::gradient`](super::Tape::gradient) asks for. By default there is none, and it panics.
    ///
    /// The numbers must be those of [`backward`](Operation::backward), at kinks and under infinite gradients as well: choose
    /// with [`add_where`](Recorder::add_where) or [`Tape::select`](super::Tape::select), and do not multiply by 0.
    fn record(&self, cx: Recorder<'_, T>) {
        cx.none()
    }

    /// The constants for [`Display`](fmt::Display), such as `" 0.01"`; nothing where there are none.
    fn describe(&self, args: &Args<T>) -> String {
        let _ = args;
        String::new()
    }
}

/// One entry of the arena: kept small, since a long chain of scalars is bound by memory.
#[derive(Clone, Copy)]
pub(super) struct Node<T: Float> {
    pub op: &'static dyn Operation<T>,
    /// Where value and gradient lie in their buffers.
    pub offset: usize,
    /// Where the inputs stand in the tape's list, and behind them, up to the next node's inputs, the index
    /// list.
    pub links: u32,
    pub rows: u32,
    pub cols: u32,
    /// Place of the constants in the tape's list.
    pub args: u32,
    pub inputs: u16,
    /// Whether a parameter or a variable stands above: whether it has a gradient.
    pub differentiable: bool,
}

/// Less where a pointer takes four bytes.
const _: () = assert!(size_of::<Node<f64>>() <= 48);

/// The operation of a leaf: it has no inputs, and its value is written by whoever makes it.
pub(super) enum Leaf {
    Param,
    Buffer,
    Constant,
    /// A constant of zeros and ones, for a choice.
    Mask,
    Variable,
}

impl<T: Float> Operation<T> for Leaf {
    fn name(&self) -> &'static str {
        match self {
            Leaf::Param => "param",
            Leaf::Buffer => "buffer",
            Leaf::Constant => "constant",
            Leaf::Mask => "mask",
            Leaf::Variable => "variable",
        }
    }

    fn forward(&self, _: Forward<'_, T>) {}

    fn backward(&self, _: Backward<'_, T>) {}
}

impl<T: Float> Node<T> {
    /// A node without inputs; the caller fills in what it has more.
    #[inline(always)]
    #[track_caller]
    pub fn new(op: &'static dyn Operation<T>, shape: Shape, offset: usize, links: usize) -> Self {
        let side = |n: usize| {
            u32::try_from(n).unwrap_or_else(|_| panic!("a value of {shape}: a side is longer than 2³² − 1"))
        };
        Node {
            op,
            offset,
            links: u32::try_from(links).expect("a tape holds at most 2³² inputs and indices"),
            rows: side(shape.rows),
            cols: side(shape.cols),
            args: NO_ARGS,
            inputs: 0,
            differentiable: false,
        }
    }

    #[inline]
    pub fn shape(&self) -> Shape {
        Shape::new(self.rows as usize, self.cols as usize)
    }

    pub fn name(&self) -> &'static str {
        self.op.name()
    }

    /// The entries of the value (or the gradient) in its buffer.
    #[inline]
    pub fn range(&self) -> std::ops::Range<usize> {
        // They lie in memory: no product overflows.
        self.offset..self.offset + self.rows as usize * self.cols as usize
    }

    /// The node that is input `k`; `links` are this node's own.
    ///
    /// # Panics
    /// If there are not so many inputs.
    #[inline]
    pub fn input(&self, links: &[u32], k: usize) -> usize {
        if k >= self.inputs as usize {
            no_input(self.name(), k, self.inputs);
        }
        links[k] as usize
    }
}

#[cold]
fn no_input(op: &str, k: usize, inputs: u16) -> ! {
    panic!("{op}: there is no input {k}, only {inputs}")
}

/// What a node's gradient holds during a backward pass.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Old numbers: the first term overwrites them.
    Nothing,
    /// A parameter's: the sum of earlier passes.
    Earlier,
    /// Something of this pass.
    Sum,
}
