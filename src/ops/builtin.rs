//! The table of the operations, a line each: what the methods of [`Tape`](crate::Tape) put on the tape.
//!
//! A line is `Name = operation => method(arguments);`. It makes two things:
//!
//! - an entry `Name` of [`Op`], with which the method of [`Tape`](crate::Tape) asks for the operation. Code for
//!   a type parameter is compiled where the type is known, and that would be the program that uses the crate.
//!   The two tables below make it be here, so that such a program does not compile the operations anew;
//! - the method of an [`Expr`]. It takes the place of the first operand, and the
//!   arguments are the others of the method of [`Tape`](crate::Tape) of the same name.
//!
//! So there is no operation without a method of an expression, but for the last lines, `[without a method]`: those
//! whose first argument is a list of operands, and those that only losses and gradients of the crate use.

use std::ops::Range;

use rand::Rng;

use super::activation::{self, Gated};
use super::broadcast::Broadcast;
use super::circular::Circular;
use super::elementwise::Elementwise;
use super::gelu_erf::{self, GeluErf};
use super::loss::{self, MeanOf};
use super::power::Power;
use super::recurrent::{self, Recurrence};
use super::reduce::Over::{All, Cols, Rows};
use super::triangle::Triangle;
use super::{
    Convolution, ImageShape, Window, arithmetic, attention, batch_norm, concat, conditional, conv2d,
    cross_entropy, cross_entropy_ignoring, cumsum, dropout, elementary, embedding, extremum, group_norm,
    layer_norm, layout, linear, matmul, norm, penalty, pick, pool, positions, reduce, rms_norm, rotary,
    select, softmax, upsample, variance, weighting,
};
use crate::Float;
use crate::tape::{Expr, Operation, Var};

macro_rules! operations {
    (
        $($name:ident = $operation:expr => $method:ident($($arg:ident: $type:ty),*);)*
        [without a method]
        $($list:ident = $of_list:expr;)*
    ) => {
        /// A built-in operation; the name is that of the method in another case.
        #[derive(Clone, Copy)]
        pub enum Op {
            $($name,)*
            $($list,)*
        }

        static OF_F32: &[&dyn Operation<f32>] = &[$(&$operation,)* $(&$of_list,)*];
        static OF_F64: &[&dyn Operation<f64>] = &[$(&$operation,)* $(&$of_list,)*];

        /// The operations, each as the method of [`Tape`](crate::Tape) of the same name. An operand may be a
        /// [`Var`], a [`Param`](crate::Param) or an expression.
        impl<T: Float> Expr<'_, T> {
            $(
                #[doc = concat!("[`Tape::", stringify!($method), "`](crate::Tape::", stringify!($method), ") ")]
                #[doc = "of this expression."]
                // The operators are there as well; `add(b)` takes handles too.
                #[allow(clippy::should_implement_trait)]
                #[track_caller]
                pub fn $method(self, $($arg: $type),*) -> Self {
                    let result = self.tape().$method(self, $($arg),*);
                    self.with(result)
                }
            )*
        }

        /// Each operation that has a method of an expression, and that method's name.
        #[cfg(test)]
        pub const METHODS: &[(Op, &str)] = &[$((Op::$name, stringify!($method))),*];
    };
}

operations! {
    Add = Broadcast(arithmetic::Add) => add(b: impl Into<Var>);
    Sub = Broadcast(arithmetic::Sub) => sub(b: impl Into<Var>);
    Mul = Broadcast(arithmetic::Mul) => mul(b: impl Into<Var>);
    Div = Broadcast(arithmetic::Div) => div(b: impl Into<Var>);
    Maximum = Broadcast(extremum::Maximum) => maximum(b: impl Into<Var>);
    Minimum = Broadcast(extremum::Minimum) => minimum(b: impl Into<Var>);
    Select = conditional::Select => select(a: impl Into<Var>, b: impl Into<Var>);

    Neg = Elementwise(elementary::Neg) => neg();
    Scale = Elementwise(elementary::Scale) => scale(c: T);
    Shift = Elementwise(elementary::Shift) => shift(c: T);
    Exp = Elementwise(elementary::Exp) => exp();
    Expm1 = Elementwise(elementary::Expm1) => expm1();
    Ln = Elementwise(elementary::Ln) => ln();
    Sqrt = Elementwise(elementary::Sqrt) => sqrt();
    Square = Elementwise(elementary::Square) => square();
    Powi = Power { name: "powi", whole: true } => powi(p: i32);
    Powf = Power { name: "powf", whole: false } => powf(p: T);
    Erf = Elementwise(elementary::Erf) => erf();
    Sin = Circular { name: "sin", cosine: false } => sin();
    Cos = Circular { name: "cos", cosine: true } => cos();
    Abs = Elementwise(elementary::Abs) => abs();
    Clamp = Elementwise(elementary::Clamp) => clamp(low: T, high: T);

    Relu = Elementwise(activation::Relu) => relu();
    LeakyRelu = Elementwise(activation::LeakyRelu) => leaky_relu(slope: T);
    Sigmoid = Elementwise(activation::Sigmoid) => sigmoid();
    Tanh = Elementwise(activation::Tanh) => tanh();
    Softplus = Elementwise(activation::Softplus) => softplus();
    Gelu = Gated(activation::Gelu) => gelu();
    GeluTanh = Gated(activation::GeluTanh) => gelu_tanh();
    GeluErf = GeluErf => gelu_erf();
    Silu = Gated(activation::Silu) => silu();

    Sum = reduce::Reduce { name: "sum", over: All, mean: false } => sum();
    SumRows = reduce::Reduce { name: "sum_rows", over: Rows, mean: false } => sum_rows();
    SumCols = reduce::Reduce { name: "sum_cols", over: Cols, mean: false } => sum_cols();
    Mean = reduce::Reduce { name: "mean", over: All, mean: true } => mean();
    MeanRows = reduce::Reduce { name: "mean_rows", over: Rows, mean: true } => mean_rows();
    MeanCols = reduce::Reduce { name: "mean_cols", over: Cols, mean: true } => mean_cols();
    Max = extremum::Max { name: "max", over: All } => max();
    MaxRows = extremum::Max { name: "max_rows", over: Rows } => max_rows();
    MaxCols = extremum::Max { name: "max_cols", over: Cols } => max_cols();
    Norm = norm::Norm { name: "norm", over: All } => norm();
    NormRows = norm::Norm { name: "norm_rows", over: Rows } => norm_rows();
    NormCols = norm::Norm { name: "norm_cols", over: Cols } => norm_cols();
    Variance = variance::Variance { name: "variance", over: All, unbiased: false } => variance();
    VarianceRows = variance::Variance { name: "variance_rows", over: Rows, unbiased: false }
        => variance_rows();
    VarianceCols = variance::Variance { name: "variance_cols", over: Cols, unbiased: false }
        => variance_cols();
    UnbiasedVariance = variance::Variance { name: "unbiased_variance", over: All, unbiased: true }
        => unbiased_variance();
    UnbiasedVarianceRows = variance::Variance { name: "unbiased_variance_rows", over: Rows, unbiased: true }
        => unbiased_variance_rows();
    UnbiasedVarianceCols = variance::Variance { name: "unbiased_variance_cols", over: Cols, unbiased: true }
        => unbiased_variance_cols();

    Matmul = matmul::Matmul => matmul(b: impl Into<Var>);
    MatmulNt = matmul::MatmulNt => matmul_nt(b: impl Into<Var>);
    MatmulTn = matmul::MatmulTn => matmul_tn(b: impl Into<Var>);
    Linear = linear::Linear => linear(w: impl Into<Var>, b: impl Into<Var>);
    Conv2d = conv2d::Conv2d => conv2d(w: impl Into<Var>, b: Option<Var>, form: &Convolution);
    Conv2dTranspose = conv2d::Conv2dTranspose
        => conv2d_transpose(w: impl Into<Var>, b: Option<Var>, form: &Convolution);
    Conv2dWeights = conv2d::Conv2dWeights => conv2d_weights(m: impl Into<Var>, form: &Convolution);
    MaxPool = pool::MaxPool => max_pool(image: ImageShape, window: &Window);
    AvgPool = pool::AvgPool { name: "avg_pool" } => avg_pool(image: ImageShape, window: &Window);
    GlobalAvgPool = pool::AvgPool { name: "global_avg_pool" } => global_avg_pool(image: ImageShape);
    Upsample = upsample::Upsample => upsample(image: ImageShape, factor: usize);
    CumsumRows = cumsum::ROWS => cumsum_rows();
    CumsumCols = cumsum::COLS => cumsum_cols();
    Tril = Triangle::Lower => tril(diagonal: isize, fill: T);
    Triu = Triangle::Upper => triu(diagonal: isize, fill: T);
    Transpose = layout::Transpose => transpose();
    Reshape = layout::Reshape => reshape(rows: usize, cols: usize);
    SliceRows = select::SliceRows => slice_rows(range: Range<usize>);
    SliceCols = select::SliceCols => slice_cols(range: Range<usize>);
    GatherRows = select::GatherRows => gather_rows(indices: &[usize]);
    ScatterRows = select::ScatterRows => scatter_rows(indices: &[usize], rows: usize);
    PickCols = pick::PickCols => pick_cols(columns: &[usize]);

    Softmax = softmax::Softmax => softmax();
    LogSoftmax = softmax::LogSoftmax => log_softmax();
    LogSumExp = softmax::LogSumExp => logsumexp();
    LayerNorm = layer_norm::LayerNorm => layer_norm(gamma: impl Into<Var>, beta: impl Into<Var>, epsilon: T);
    BatchStatistics = batch_norm::BatchStatistics => batch_statistics();
    BatchNorm = batch_norm::BatchNorm
        => batch_norm(statistics: impl Into<Var>, gamma: impl Into<Var>, beta: impl Into<Var>, epsilon: T);
    RmsNorm = rms_norm::RmsNorm => rms_norm(gamma: impl Into<Var>, epsilon: T);
    GroupNorm = group_norm::GroupNorm
        => group_norm(gamma: impl Into<Var>, beta: impl Into<Var>, groups: usize, epsilon: T);
    Embedding = embedding::Embedding => embedding(tokens: impl Into<Var>);
    AddPositions = positions::AddPositions => add_positions(table: impl Into<Var>, length: usize);
    Rotary = rotary::Rotary => rotary(heads: usize, length: usize, base: T);
    Attention = attention::ScaledDotProduct
        => attention(k: impl Into<Var>, v: impl Into<Var>, form: attention::Attention<'_>);
    Rnn = Recurrence::<recurrent::Rnn>::NEW
        => rnn(u: impl Into<Var>, state: impl Into<Var>, length: usize);
    Lstm = Recurrence::<recurrent::Lstm>::NEW
        => lstm(u: impl Into<Var>, state: impl Into<Var>, length: usize);
    Gru = Recurrence::<recurrent::Gru>::NEW
        => gru(u: impl Into<Var>, state: impl Into<Var>, bias: impl Into<Var>, length: usize);
    Dropout = dropout::Dropout => dropout(p: T, rng: &mut impl Rng);

    CrossEntropy = cross_entropy::CrossEntropy { smoothed: false } => cross_entropy(labels: &[usize]);
    CrossEntropySmoothed = cross_entropy::CrossEntropy { smoothed: true }
        => cross_entropy_smoothed(labels: &[usize], smoothing: T);
    CrossEntropyIgnoring = cross_entropy_ignoring::CrossEntropyIgnoring
        => cross_entropy_ignoring(labels: &[usize], ignored: usize);
    Mse = MeanOf(loss::Squared) => mse(target: impl Into<Var>);
    Mae = MeanOf(loss::Absolute) => mae(target: impl Into<Var>);
    Huber = MeanOf(loss::Huber) => huber(target: impl Into<Var>, delta: T);
    BceWithLogits = MeanOf(loss::Bce) => bce_with_logits(targets: impl Into<Var>);

    [without a method]
    ConcatRows = concat::ConcatRows;
    ConcatCols = concat::ConcatCols;
    L2 = penalty::L2;
    Weighted = Broadcast(weighting::Weighted);
    Violation = Broadcast(weighting::Violation);
    NormalCdf = Elementwise(gelu_erf::NormalCdf);
    PoolShares = pool::PoolShares;
}

impl Op {
    /// The operation for the number type that is asked for.
    #[inline]
    pub fn get<T: Float>(self) -> &'static dyn Operation<T> {
        T::operation(self)
    }
}

/// The number types have a table each.
pub trait Operations: Sized {
    #[doc(hidden)]
    fn operation(op: Op) -> &'static dyn Operation<Self>;
}

impl Operations for f32 {
    #[inline]
    fn operation(op: Op) -> &'static dyn Operation<f32> {
        OF_F32[op as usize]
    }
}

impl Operations for f64 {
    #[inline]
    fn operation(op: Op) -> &'static dyn Operation<f64> {
        OF_F64[op as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An expression's method is called as the operation is, and that is the name of the method of the tape.
    #[test]
    fn a_method_is_named_as_its_operation() {
        for (op, method) in METHODS {
            assert_eq!(op.get::<f32>().name(), *method);
            assert_eq!(op.get::<f64>().name(), *method);
        }
        let of_lists: Vec<_> = OF_F64[METHODS.len()..].iter().map(|op| op.name()).collect();
        assert_eq!(
            of_lists,
            [
                "concat_rows",
                "concat_cols",
                "l2_penalty",
                "weighted",
                "violation",
                "normal_cdf",
                "pool_shares"
            ]
        );
    }
}
