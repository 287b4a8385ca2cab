//! The tangent kernel of a model at its parameters, from Jacobians sample by sample.

use std::ops::Range;

use nalgebra::DMatrix;

use crate::linalg::{Mat, gemm};
use crate::models::kernel::{Rows, Samples};
use crate::nn::{Mode, Module, ModuleExt};
use crate::tape::Tape;
use crate::text::count;
use crate::{Error, Float, Result};

/// What becomes of several outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// A row for each output of each sample: nk×nk, with output o of sample i in row i·k + o.
    All,
    /// The mean over the outputs, tr Θ(x, y)/k: n×n. For wide networks Θ(x, y) is nearly a multiple of the
    /// identity, of which this is the factor.
    Mean,
}

/// How a tangent kernel is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NtkOptions {
    /// What becomes of several outputs.
    pub outputs: Outputs,
    /// Bytes that may be held at once: the kernel, and Jacobians as they fit besides. Where not all do, some
    /// are computed several times.
    pub memory: u64,
}

impl NtkOptions {
    /// With 4 GiB.
    pub fn new(outputs: Outputs) -> Self {
        NtkOptions { outputs, memory: 4 << 30 }
    }

    /// With another limit of memory, in bytes.
    pub fn with_memory(self, memory: u64) -> Self {
        NtkOptions { memory, ..self }
    }
}

/// Samples whose products with those held are made at a time.
const STRIPE: usize = 128;

/// The nk×P Jacobian of `model` at the parameters on `tape`: ∂f_o(xᵢ)/∂θ_p in row i·k + o.
///
/// The columns are as [`Tape::param_values`] has the parameters, with zeros for buffers; the model is that of
/// evaluation. Samples go through the tape one by one, so that a backward pass costs one sample and not the
/// batch. The tape is rewound, and the gradients on it are zero after.
///
/// # Panics
/// If the samples have another number of features than the model has inputs; if the outputs do not depend
/// on any parameter.
#[track_caller]
pub fn jacobian<T: Float>(model: &dyn Module<T>, tape: &mut Tape<T>, x: &Samples<T>) -> DMatrix<T> {
    check_inputs(model, x);
    let (k, p) = (model.outputs(tape, x.features()), tape.param_numbers());
    let rows = x.len() * k;
    let mut out = vec![T::ZERO; rows * p];
    for (i, rows) in out.chunks_exact_mut((k * p).max(1)).enumerate() {
        for_gradients(model, tape, x.rows().row(i), |o, _, gradient| {
            rows[o * p..(o + 1) * p].copy_from_slice(gradient);
        });
    }
    tape.rewind();
    DMatrix::from_row_slice(rows, p, &out)
}

/// Θ(X, X) of `model` at the parameters on `tape`, exactly symmetric: nk×nk or n×n.
///
/// Θ = J·Jᵀ by blocks of samples. It takes k backward passes for each sample where all Jacobians, nkP
/// numbers, fit into the memory; where only a share s of them does, some 1/(2s) times as many. The tape is
/// left as [`jacobian`] leaves it.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::models::Mlp;
/// use tapegrad::models::kernel::Samples;
/// use tapegrad::models::ntk::{NtkOptions, Outputs, empirical_ntk};
/// use tapegrad::nn::Activation;
/// use tapegrad::rng::{Purpose, stream};
///
/// // f(x) = x·w + b: the kernel is ⟨x, y⟩ + 1.
/// let mut tape = Tape::new();
/// let rng = &mut stream(1, Purpose::Init);
/// let linear = Mlp::new(&[2, 1], Activation::Identity).build(&mut tape, rng)?;
/// let x = Samples::new(vec![1.0, 2.0, -3.0, 1.0], 2)?;
/// let theta = empirical_ntk(&linear, &mut tape, &x, NtkOptions::new(Outputs::All))?;
/// assert_eq!(theta, nalgebra::dmatrix![6.0, 0.0; 0.0, 11.0]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// # Errors
/// [`Error::Setting`] if the kernel and the Jacobians of two samples do not fit into the memory.
///
/// # Panics
/// As [`jacobian`].
#[track_caller]
pub fn empirical_ntk<T: Float>(
    model: &dyn Module<T>,
    tape: &mut Tape<T>,
    x: &Samples<T>,
    options: NtkOptions,
) -> Result<DMatrix<T>> {
    T::empirical_ntk(model, tape, x, options)
}

#[track_caller]
pub fn empirical_ntk_of<T: Float>(
    model: &dyn Module<T>,
    tape: &mut Tape<T>,
    x: &Samples<T>,
    options: NtkOptions,
) -> Result<DMatrix<T>> {
    check_inputs(model, x);
    let plan = Plan::new(model, tape, x.features(), options);
    let n = x.len();
    let (resident, stripe) = plan.blocks(n, n)?;
    let mut theta = DMatrix::<T>::zeros(n * plan.rows, n * plan.rows);
    let (mut held, mut streamed) = (Jacobians::new(&plan), Jacobians::new(&plan));
    for start in (0..n).step_by(resident) {
        let end = n.min(start + resident);
        held.fill(model, tape, x.rows().range(start..end));
        // The upper triangle: against each stripe of those held, those up to its own.
        for from in (start..end).step_by(stripe) {
            let to = end.min(from + stripe);
            plan.products(
                &mut theta,
                held.part(0..to - start),
                start,
                held.part(from - start..to - start),
                from,
            );
        }
        for from in (end..n).step_by(stripe) {
            let to = n.min(from + stripe);
            streamed.fill(model, tape, x.rows().range(from..to));
            plan.products(&mut theta, held.part(0..end - start), start, streamed.part(0..to - from), from);
        }
    }
    theta.fill_lower_triangle_with_upper_triangle();
    Ok(theta)
}

/// Θ(X, Y) at the parameters on `tape`: nk×mk or n×m. See [`empirical_ntk`].
///
/// # Errors
/// As [`empirical_ntk`].
///
/// # Panics
/// As [`jacobian`].
#[track_caller]
pub fn empirical_cross_ntk<T: Float>(
    model: &dyn Module<T>,
    tape: &mut Tape<T>,
    x: &Samples<T>,
    y: &Samples<T>,
    options: NtkOptions,
) -> Result<DMatrix<T>> {
    T::empirical_cross_ntk(model, tape, x, y, options)
}

#[track_caller]
pub fn empirical_cross_ntk_of<T: Float>(
    model: &dyn Module<T>,
    tape: &mut Tape<T>,
    x: &Samples<T>,
    y: &Samples<T>,
    options: NtkOptions,
) -> Result<DMatrix<T>> {
    check_inputs(model, x);
    check_inputs(model, y);
    let plan = Plan::new(model, tape, x.features(), options);
    let (n, m) = (x.len(), y.len());
    let (resident, stripe) = plan.blocks(n, m)?;
    let mut theta = DMatrix::<T>::zeros(n * plan.rows, m * plan.rows);
    let (mut held, mut streamed) = (Jacobians::new(&plan), Jacobians::new(&plan));
    for start in (0..n).step_by(resident) {
        let end = n.min(start + resident);
        held.fill(model, tape, x.rows().range(start..end));
        for from in (0..m).step_by(stripe) {
            let to = m.min(from + stripe);
            streamed.fill(model, tape, y.rows().range(from..to));
            plan.products(&mut theta, held.part(0..end - start), start, streamed.part(0..to - from), from);
        }
    }
    Ok(theta)
}

/// The sizes that a kernel is made of.
struct Plan {
    /// Rows of the kernel for each sample.
    rows: usize,
    /// Numbers in each, over which the products run.
    depth: usize,
    /// 1 or 1/k.
    factor: f64,
    /// Bytes of a number.
    bytes: u128,
    memory: u64,
}

impl Plan {
    fn new<T: Float>(model: &dyn Module<T>, tape: &mut Tape<T>, inputs: usize, options: NtkOptions) -> Plan {
        let (k, p) = (model.outputs(tape, inputs), tape.param_numbers());
        // The Jacobian of a sample, k rows of p numbers, is one row of kp for the mean.
        let (rows, depth, factor) = match options.outputs {
            Outputs::All => (k, p, 1.0),
            Outputs::Mean => (1, k * p, 1.0 / k as f64),
        };
        Plan { rows, depth, factor, bytes: size_of::<T>() as u128, memory: options.memory }
    }

    /// Numbers in the Jacobian of a sample.
    fn numbers(&self) -> usize {
        self.rows * self.depth
    }

    /// How many samples' Jacobians are held, and how many are made at a time to be multiplied with them.
    fn blocks(&self, n: usize, m: usize) -> Result<(usize, usize)> {
        let (rows, wide) = (self.rows as u128, |x: usize| x as u128);
        let kernel = wide(n) * wide(m) * rows * rows;
        let product = wide(n) * wide(m.min(STRIPE)) * rows * rows;
        let all = u128::from(self.memory) / self.bytes;
        let sample = wide(self.numbers()).max(1);
        let needed = kernel + product + 2 * sample;
        if needed > all {
            let gib = |numbers: u128| (numbers * self.bytes) as f64 / f64::from(1 << 30);
            let (needed, allowed) = (gib(needed), gib(all));
            let why = format!(
                "the kernel and the Jacobians of two samples take {needed:.3} GiB, and {allowed:.3} GiB are \
                 allowed; take fewer samples, or the mean over the outputs"
            );
            return Err(Error::setting("memory", why));
        }
        let fit = usize::try_from((all - kernel - product) / sample).unwrap_or(usize::MAX);
        // A kernel of samples with themselves streams none where all are held.
        let stripe = (fit / 8).clamp(1, STRIPE);
        Ok(if fit >= n + stripe { (n, stripe) } else { (fit - stripe, stripe) })
    }

    /// The products of samples held, the first of them number `first`, with others, from number `from` on: a
    /// part of the columns of `theta`.
    fn products<T: Float>(
        &self,
        theta: &mut DMatrix<T>,
        held: Part<'_, T>,
        first: usize,
        others: Part<'_, T>,
        from: usize,
    ) {
        let (height, width) = (held.rows.len(), others.rows.len());
        let mut products = vec![T::ZERO; height * width];
        for start in (0..self.depth).step_by(CHUNK) {
            gemm(&mut products, start > 0, others.chunk(start), held.chunk(start).t());
        }
        let (factor, size) = (T::of(self.factor), theta.nrows());
        for (j, row) in products.chunks_exact(height.max(1)).enumerate() {
            let at = (from * self.rows + j) * size + first * self.rows;
            let part = &mut theta.as_mut_slice()[at..at + height];
            part.iter_mut().zip(row).for_each(|(to, product)| *to = factor * *product);
        }
    }
}

/// Numbers of a Jacobian's rows that lie together, and go into one product: with some dozens of rows they
/// fit into the nearer caches, where whole rows, of as many numbers as a model has parameters, do not.
const CHUNK: usize = 1024;

/// The Jacobians of some samples: of all rows the first [`CHUNK`] columns, then the next, and so on.
struct Jacobians<T> {
    values: Vec<T>,
    rows: usize,
    rows_per_sample: usize,
    depth: usize,
}

impl<T: Float> Jacobians<T> {
    fn new(plan: &Plan) -> Self {
        Jacobians { values: Vec::new(), rows: 0, rows_per_sample: plan.rows, depth: plan.depth }
    }

    /// Those of the samples `x`.
    fn fill(&mut self, model: &dyn Module<T>, tape: &mut Tape<T>, x: Rows<'_, T>) {
        self.rows = x.len() * self.rows_per_sample;
        self.values.resize(self.rows * self.depth, T::ZERO);
        let p = tape.param_numbers();
        for i in 0..x.len() {
            for_gradients(model, tape, x.row(i), |o, _, gradient| {
                if self.rows_per_sample == 1 {
                    self.write(i, o * p, gradient);
                } else {
                    self.write(i * self.rows_per_sample + o, 0, gradient);
                }
            });
        }
        tape.rewind();
    }

    /// Puts `values` into the columns from `column` on.
    fn write(&mut self, row: usize, mut column: usize, mut values: &[T]) {
        while !values.is_empty() {
            let start = column - column % CHUNK;
            let width = CHUNK.min(self.depth - start);
            let (now, later) = values.split_at(values.len().min(start + width - column));
            let at = start * self.rows + row * width + (column - start);
            self.values[at..at + now.len()].copy_from_slice(now);
            (column, values) = (column + now.len(), later);
        }
    }

    /// The rows of some of the samples.
    fn part(&self, samples: Range<usize>) -> Part<'_, T> {
        let rows = samples.start * self.rows_per_sample..samples.end * self.rows_per_sample;
        Part { all: self, rows }
    }
}

/// Some rows of [`Jacobians`].
struct Part<'a, T> {
    all: &'a Jacobians<T>,
    rows: Range<usize>,
}

impl<'a, T: Float> Part<'a, T> {
    /// Their columns from `start` on, up to [`CHUNK`] of them.
    fn chunk(&self, start: usize) -> Mat<'a, T> {
        let (all, rows) = (self.all, &self.rows);
        let width = CHUNK.min(all.depth - start);
        let chunk = &all.values[start * all.rows..];
        Mat::new(&chunk[rows.start * width..rows.end * width], rows.len(), width)
    }
}

/// Calls `f` with the number of each output, its value and its gradient by all parameters, for one sample.
pub(super) fn for_gradients<T: Float>(
    model: &dyn Module<T>,
    tape: &mut Tape<T>,
    x: &[T],
    mut f: impl FnMut(usize, T, &[T]),
) {
    tape.rewind();
    let x = tape.constant_slice(1, x.len(), x);
    let y = model.forward(tape, x, &mut Mode::evaluation());
    for o in 0..tape.shape(y).numel() {
        tape.zero_grad();
        tape.backward_with(y, |upstream| upstream[o] = T::ONE);
        f(o, tape.value_slice(y)[o], tape.param_grads());
    }
    tape.zero_grad();
}

#[track_caller]
pub(super) fn check_inputs<T: Float>(model: &dyn Module<T>, x: &Samples<T>) {
    let (d, inputs) = (x.features(), model.inputs().unwrap_or(x.features()));
    assert!(d == inputs, "{}: takes {}, not {d}", model.describe(), count(inputs, "feature"));
}
