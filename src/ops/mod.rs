//! The operations: one file each, or one for a family; this is the table of contents.
//!
//! A file holds, in this order: the methods of [`Tape`](crate::Tape) with formula and shape rule, the
//! forward and backward pass, the tests. To add an operation, add a file, a line here, and one in `builtin.rs`,
//! which also makes the method of an [expression](crate::tape::Expr).

mod activation; // relu leaky_relu gelu gelu_tanh sigmoid tanh softplus silu
mod arithmetic; // add sub mul div, broadcast
mod attention; // softmax(Q·Kᵀ)·V, by sequences and heads
mod batch_norm; // statistics of a batch, normalisation by column
mod circular; // sin cos
mod concat; // several matrices below or beside each other
mod conditional; // select: one of two operands, as a condition says
mod conv2d; // filters over images, the transpose, and the gradient of weights
mod cross_entropy; // from logits and labels, with label smoothing
mod cross_entropy_ignoring; // of the rows whose label counts
mod cumsum; // running sums, down the rows, along the columns
mod dropout; // with the mask in the node's index list
mod elementary; // neg scale shift exp expm1 ln sqrt square erf abs clamp
mod embedding; // rows of a table by token
mod extremum; // maximum minimum of two, broadcast; max over all, rows, columns
mod gelu_erf; // the gelu by the error function, and its saved slope
mod group_norm; // normalisation by row and group of channels
mod images; // what operations on images check and print
mod layer_norm; // normalisation by row
mod layout; // transpose reshape
mod linear; // x·W + b
mod loss; // mse mae huber bce_with_logits
mod matmul; // A·B, A·Bᵀ, Aᵀ·B
mod norm; // ‖x‖, over all, rows, columns
mod penalty; // λ/2·Σ‖w‖²
mod pick; // pick_cols: one entry of each row
mod pool; // largest and mean of windows over images
mod positions; // added to tokens: a table, sines and cosines
mod power; // powi powf
mod recurrent; // rnn lstm gru, over whole sequences
mod reduce; // sum mean, over all, rows, columns
mod rms_norm; // normalisation by row, by the mean square
mod rotary; // positions as angles
mod select; // slice_rows slice_cols gather_rows scatter_rows
mod softmax; // softmax log_softmax logsumexp, per row
mod triangle; // tril triu
mod upsample; // larger images, by repetition
mod variance; // biased and unbiased, over all, rows, columns
mod weighting; // weights of samples and margins, for losses

mod broadcast;
mod builtin;
mod elementwise;

#[cfg(test)]
mod edges;
#[cfg(test)]
mod recorded;
#[cfg(test)]
pub(crate) mod testing;

pub use attention::Attention;
pub use broadcast::{Binary, Broadcast};
pub(crate) use builtin::{Op, Operations};
pub use elementwise::{Elementwise, Unary, pass_if};

pub use crate::linalg::image::{Convolution, ImageShape, Window};
pub(crate) use positions::fill_sinusoidal;
pub(crate) use upsample::upsampled;
