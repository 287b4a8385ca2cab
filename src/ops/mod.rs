//! The operations: one file each, or one for a family; this is the table of contents.
//!
//! A file holds, in this order: the methods of [`Tape`](crate::Tape) with formula and shape rule, the
//! forward and backward pass, the tests. To add an operation, add a file and a line here.

mod activation; // relu leaky_relu gelu gelu_tanh gelu_erf sigmoid tanh softplus silu
mod arithmetic; // add sub mul div, broadcast
mod cross_entropy; // from logits and labels, with label smoothing
mod elementary; // neg scale shift exp ln sqrt square powi powf abs clamp
mod linear; // x·W + b
mod matmul; // A·B, A·Bᵀ, Aᵀ·B
mod reduce; // sum mean, over all, rows, columns
mod softmax; // softmax log_softmax logsumexp, per row

mod broadcast;
mod elementwise;

#[cfg(test)]
mod testing;

pub use broadcast::{Binary, Broadcast};
pub use elementwise::{Elementwise, Unary};
