//! The tests of the library, one binary: what is generic is compiled once for all of them.

#![allow(clippy::disallowed_methods, reason = "tests compare with the platform's functions")]

mod arrays;
mod bits;
mod checkpoints;
mod clip;
mod custom_operation;
mod data_dataset;
mod data_preprocess;
mod data_synthetic;
mod early_stopping;
mod examples;
mod fit;
mod fuzz;
mod helpers;
mod idx_files;
mod initialization;
mod kernel_at_scale;
mod kernel_functions;
mod kernel_mnist;
mod kernel_numbers;
mod kernel_ridge;
mod limits;
mod linear;
mod logistic;
mod losses;
mod metrics;
mod mlp;
mod mnist;
mod ntk;
mod ntk_infinite;
mod ntk_mnist;
#[cfg(feature = "report")]
mod ntk_theory;
mod op_gradients;
mod optimizers;
mod predictor_edges;
mod predictor_into;
mod predictors;
mod random_graphs;
mod range;
mod reference;
mod rosenbrock;
mod same_bits;
mod sample_weights;
mod saved;
mod schedules;
mod sequence_modules;
mod sequences;
mod tables;
mod tape;
mod texts;
mod traces;
mod train;
mod transformers;
mod weights;
