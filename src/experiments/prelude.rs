//! What most experiments are made of: claims, drawings and tables, networks in training, statistics.

pub(super) use super::findings::{Found, Told, percent, points};
pub(super) use super::outcome::{ABOVE_0, BELOW_0, claim};
pub(super) use super::statistics::{
    Fit, differences, distance, greatest, least, log2_ratio, log10, mean, mean_and_deviation, mean_and_error,
    mean_of, median, range,
};
pub(super) use super::study::{Parts, Study};
pub(super) use super::training::{Net, derived_seeds, seeds, so_many_seeds, step, unless_diverged, widths};
pub(super) use super::words::list;
pub(super) use super::{Context, Experiment, ExperimentData, Outcome};
pub(super) use crate::data::Dataset;
pub(super) use crate::optim::{Adam, Optimizer, Sgd};
pub(super) use crate::report::{
    Axis, Cell, Chart, Claim, Color, Estimate, Figure, Line, Marker, Table, Verdict, fixed, rounded,
    scientific,
};
pub(super) use crate::rng::{Purpose, derive, standard_normal, stream};
pub(super) use crate::store::lossless;
pub(super) use crate::{Error, Float, Result, Tape, Var};
pub(super) use serde::{Deserialize, Serialize};
