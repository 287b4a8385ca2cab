//! The table of the operations, a line each: what the methods of [`Tape`](crate::Tape) put on the tape.
//!
//! It is why a program that uses the crate does not compile the operations anew. Code for a type parameter is
//! compiled where the type is known, and that would be there; the two tables below make it be here.

use super::activation::{self, Gated};
use super::broadcast::Broadcast;
use super::elementwise::Elementwise;
use super::loss::{self, MeanOf};
use super::reduce::Over::{All, Cols, Rows};
use super::triangle::Triangle;
use super::{
    arithmetic, batch_norm, concat, conditional, cross_entropy, cumsum, dropout, elementary, extremum,
    layer_norm, layout, linear, matmul, norm, penalty, pick, reduce, select, softmax, variance,
};
use crate::Float;
use crate::tape::Operation;

macro_rules! operations {
    ($($name:ident = $operation:expr;)*) => {
        /// A built-in operation; the name is that of the method in another case.
        #[derive(Clone, Copy)]
        pub enum Op {
            $($name),*
        }

        static OF_F32: &[&dyn Operation<f32>] = &[$(&$operation),*];
        static OF_F64: &[&dyn Operation<f64>] = &[$(&$operation),*];
    };
}

operations! {
    Add = Broadcast(arithmetic::Add);
    Sub = Broadcast(arithmetic::Sub);
    Mul = Broadcast(arithmetic::Mul);
    Div = Broadcast(arithmetic::Div);
    Maximum = Broadcast(extremum::Maximum);
    Minimum = Broadcast(extremum::Minimum);
    Select = conditional::Select;

    Neg = Elementwise(elementary::Neg);
    Scale = Elementwise(elementary::Scale);
    Shift = Elementwise(elementary::Shift);
    Exp = Elementwise(elementary::Exp);
    Ln = Elementwise(elementary::Ln);
    Sqrt = Elementwise(elementary::Sqrt);
    Square = Elementwise(elementary::Square);
    Powi = Elementwise(elementary::Powi);
    Powf = Elementwise(elementary::Powf);
    Erf = Elementwise(elementary::Erf);
    Sin = Elementwise(elementary::Sin);
    Cos = Elementwise(elementary::Cos);
    Abs = Elementwise(elementary::Abs);
    Clamp = Elementwise(elementary::Clamp);

    Relu = Elementwise(activation::Relu);
    LeakyRelu = Elementwise(activation::LeakyRelu);
    Sigmoid = Elementwise(activation::Sigmoid);
    Tanh = Elementwise(activation::Tanh);
    Softplus = Elementwise(activation::Softplus);
    Gelu = Gated(activation::Gelu);
    GeluTanh = Gated(activation::GeluTanh);
    GeluErf = Gated(activation::GeluErf);
    Silu = Gated(activation::Silu);

    Sum = reduce::Reduce { name: "sum", over: All, mean: false };
    SumRows = reduce::Reduce { name: "sum_rows", over: Rows, mean: false };
    SumCols = reduce::Reduce { name: "sum_cols", over: Cols, mean: false };
    Mean = reduce::Reduce { name: "mean", over: All, mean: true };
    MeanRows = reduce::Reduce { name: "mean_rows", over: Rows, mean: true };
    MeanCols = reduce::Reduce { name: "mean_cols", over: Cols, mean: true };
    Max = extremum::Max { name: "max", over: All };
    MaxRows = extremum::Max { name: "max_rows", over: Rows };
    MaxCols = extremum::Max { name: "max_cols", over: Cols };
    Norm = norm::Norm { name: "norm", over: All };
    NormRows = norm::Norm { name: "norm_rows", over: Rows };
    NormCols = norm::Norm { name: "norm_cols", over: Cols };
    Variance = variance::Variance { name: "variance", over: All, unbiased: false };
    VarianceRows = variance::Variance { name: "variance_rows", over: Rows, unbiased: false };
    VarianceCols = variance::Variance { name: "variance_cols", over: Cols, unbiased: false };
    UnbiasedVariance = variance::Variance { name: "unbiased_variance", over: All, unbiased: true };
    UnbiasedVarianceRows = variance::Variance { name: "unbiased_variance_rows", over: Rows, unbiased: true };
    UnbiasedVarianceCols = variance::Variance { name: "unbiased_variance_cols", over: Cols, unbiased: true };

    Matmul = matmul::Matmul;
    MatmulNt = matmul::MatmulNt;
    MatmulTn = matmul::MatmulTn;
    Linear = linear::Linear;
    CumsumRows = cumsum::ROWS;
    CumsumCols = cumsum::COLS;
    Tril = Triangle::Lower;
    Triu = Triangle::Upper;
    Transpose = layout::Transpose;
    Reshape = layout::Reshape;
    SliceRows = select::SliceRows;
    SliceCols = select::SliceCols;
    GatherRows = select::GatherRows;
    PickCols = pick::PickCols;
    ConcatRows = concat::ConcatRows;
    ConcatCols = concat::ConcatCols;

    Softmax = softmax::Softmax;
    LogSoftmax = softmax::LogSoftmax;
    LogSumExp = softmax::LogSumExp;
    LayerNorm = layer_norm::LayerNorm;
    BatchStatistics = batch_norm::BatchStatistics;
    BatchNorm = batch_norm::BatchNorm;
    Dropout = dropout::Dropout;

    CrossEntropy = cross_entropy::CrossEntropy { smoothed: false };
    CrossEntropySmoothed = cross_entropy::CrossEntropy { smoothed: true };
    Mse = MeanOf(loss::Squared);
    Mae = MeanOf(loss::Absolute);
    Huber = MeanOf(loss::Huber);
    BceWithLogits = MeanOf(loss::Bce);
    L2 = penalty::L2;
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
