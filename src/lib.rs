//! Machine learning on the CPU from first principles, on one flat arena.
//!
//! Every operation appends a node to a [`Tape`] and returns a [`Var`], an index. Inputs always stand
//! before outputs, so the order of insertion is a topological order, and the backward pass is one walk
//! through the arena in reverse. Parameters lie at the front, so an optimizer is a loop over two slices
//! and a training step is "append, walk back, update, rewind" — after the first one without any
//! allocation. The same seed gives the same bits at any number of threads.
//!
//! ```
//! use tapegrad::Tape;
//! use tapegrad::optim::{Optimizer, Sgd};
//!
//! // Fit y = 2x + 1 from four points.
//! let mut tape = Tape::new();
//! let w = tape.param_slice(1, 1, &[0.0]);
//! let b = tape.param_slice(1, 1, &[0.0]);
//! let mut optimizer = Optimizer::new(Sgd, 0.1)?;
//! for _ in 0..500 {
//!     let x = tape.constant_slice(4, 1, &[0.0, 1.0, 2.0, 3.0]);
//!     let y = tape.constant_slice(4, 1, &[1.0, 3.0, 5.0, 7.0]);
//!     let prediction = tape.linear(x, w, b);
//!     let loss = tape.mse(prediction, y);
//!     tape.zero_grad();
//!     tape.backward(loss);
//!     optimizer.step(&mut tape)?;
//!     tape.rewind();
//! }
//! assert!((tape.item(w) - 2.0).abs() < 1e-6 && (tape.item(b) - 1.0).abs() < 1e-6);
//! # Ok::<(), tapegrad::Error>(())
//! ```
//!
//! # A tour, in reading order
//!
//! The modules stand in the order in which data flows, and each knows only those before it. The one exception is
//! [`Float`]: it carries tables of what is long to compile for its type (operations, linear algebra, training, fits of
//! kernel machines), so that these are compiled once, in this crate, and not anew in every program. Its functions for
//! many numbers at once use the vectors of [`linalg`].
//!
//! 1. [`error`], [`float`], [`rng`], [`mod@file`], [`text`]: the one error type, the two number types, the
//!    random streams, files written whole, text from outside as it may be shown.
//! 2. [`linalg`]: the seam to the linear algebra below, and the [threads](linalg::with_threads); [`store`]: files
//!    of what has been trained.
//! 3. [`data`]: IDX files, [tables](data::table), [texts](data::Text) and generators → [`Dataset`] → batches.
//! 4. [`tape`]: the arena, and the engine that walks it. **Start here** to read the source.
//!    [Formulas](Tape::scope) with operators are written in a scope of it.
//! 5. [`ops`]: the operations, one file each or one for a family. An image is a row as well; what it is an image of stands
//!    in an [`ImageShape`](ops::ImageShape), which convolutions and pools are given.
//! 6. [`metrics`]: from scores to a class, and how good predictions are.
//! 7. [`nn`]: layers, for images and sequences as well, initial weights, losses.
//! 8. [`optim`]: the optimizers, one file each; [schedules](optim::schedule), clipping, averages;
//!    [minimization](optim::minimize()) of a whole loss.
//! 9. [`train`]: the training loop, evaluation, early stopping, and the
//!    [`Trace`](train::Trace) of a run.
//! 10. [`models`]: a [`Network`](models::Network) with its tape, forms of networks such as [`Vit`](models::Vit) and
//!     [`Gpt`](models::Gpt), which [continues texts](models::generate()), [linear](models::linear) and logistic regression
//!     to their exact optimum, kernel ridge regression exact and at scale, [tangent kernels](models::ntk); and
//!     what all of them answer to, the [`Predictor`](models::Predictor).
//! 11. `report` and `experiments`, with the feature `report`: figures as SVG, the page that shows them,
//!     and what the theory claims beside what comes out.
//!
//! # What panics and what returns an error
//!
//! A mistake in a program panics with a message that names the operation, its operands and their
//! shapes. What depends on the world — files, data, settings, numbers that leave the finite range — is
//! an [`Error`] that says where and what to do.
//!
//! # Features
//!
//! `cli` (on by default) brings the command line and what it alone needs, and with it `report`: figures
//! and experiments. Depend on the crate with `default-features = false` to leave both out.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests compare with the platform's functions"))]

/// What the program `tapegrad` does. Here, and not in the program, what the library has compiled is not compiled again.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod compiled;
pub mod data;
pub mod error;
#[cfg(feature = "report")]
pub mod experiments;
pub mod file;
pub mod float;
pub mod linalg;
mod memory;
pub mod metrics;
pub mod models;
pub mod nn;
pub mod ops;
pub mod optim;
#[cfg(feature = "report")]
pub mod report;
pub mod rng;
mod settings;
pub mod store;
pub mod tape;
pub mod text;
pub mod train;

pub use data::{Batches, Dataset};
pub use error::{Error, Result};
pub use float::Float;
pub use linalg::{Matrix, MatrixRef};
/// The matrices that come in and go out are of this version.
pub use nalgebra;
pub use tape::{Args, Backward, Expr, Forward, Operation, Param, Recorder, Shape, Tape, Var, check_gradient};

/// The README's example is compiled and run with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
