//! The tests of the command line and of the report.

mod arrays;
mod autoencoder;
mod commands;
mod data;
mod experiments;
mod fit;
mod graph;
mod images;
mod models;
mod program;
mod report_browser;
mod reports;
mod resume;
mod saved;
#[cfg(unix)]
mod signals;
mod tables;
mod texts;
mod trace;
