//! The operations: one file each, or one for a family; this is the table of contents.
//!
//! A file holds, in this order: the methods of [`Tape`](crate::Tape) with formula and shape rule, the
//! forward and backward pass, the tests. To add an operation, add a file and a line here.

mod arithmetic; // add sub mul div, broadcast
mod elementary; // neg scale shift exp ln sqrt square powi powf abs clamp
mod linear; // x·W + b
mod matmul; // A·B, A·Bᵀ, Aᵀ·B

mod broadcast;
mod elementwise;

#[cfg(test)]
mod testing;

pub use broadcast::{Binary, Broadcast};
pub use elementwise::{Elementwise, Unary};
