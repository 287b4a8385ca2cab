//! The experiments: claims of the theory, and what comes out when they are tried.
//!
//! An experiment is one file here, or one folder where it has parts, and one line in [`EXPERIMENTS`]. It asks a
//! question, says what the theory claims and by which criterion a claim counts as held, runs the library's public
//! functions, and keeps what it measured as [`Rows`]. Of these alone an [`Outcome`] is made: claims beside measured
//! figures, drawings, tables, and the numbers that two runs with the same seed share. A claim that does not hold is
//! shown as such, with the reason.
//!
//! What the source document says of all that is in [`sentences`], a line each, with the claims that answer it.
//!
//! What they share is in `prelude`: networks in training and steps of descent (`training`), means, slopes and
//! extremes ([`statistics`]), lists and numbers in sentences (`words`), claims (`outcome`).

mod context;
mod data;
mod estimate;
mod findings;
mod folder;
mod outcome;
mod prelude;
pub mod sentences;
pub mod statistics;
mod stopwatch;
mod study;
mod training;
mod words;

pub use context::{Context, Progress};
pub use data::ExperimentData;
pub use folder::{Finished, ReportFolder, Settings};
pub use ntk::study as ntk_study;
pub use outcome::Outcome;
pub use study::{Measured, Rows};

use crate::{Error, Result};

/// An entry of [`EXPERIMENTS`].
#[derive(Clone, Copy, Debug)]
pub struct Experiment {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What it is about, in a few words, for readers of the page.
    pub title: &'static str,
    /// What it asks, in one line.
    pub question: &'static str,
    /// What the theory says, a paragraph each, with the source.
    pub theory: &'static [&'static str],
    /// What it measures, and what that says.
    parts: study::Parts,
    /// What it found, in words.
    finding: fn(&findings::Found<'_>) -> findings::Told,
}

impl Experiment {
    /// Which edition of its code measures. It is raised by one when the same settings give other rows; rows of another
    /// edition are not used.
    pub fn edition(&self) -> u32 {
        self.parts.edition
    }

    /// Runs it.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if it was asked to end; else what went wrong in the run.
    pub fn run(&self, context: &Context) -> Result<Measured> {
        (self.parts.run)(context)
    }

    /// What rows of an earlier run say, as this version of the library puts it.
    ///
    /// # Errors
    /// [`Error::Data`] if they are not rows of this experiment.
    pub fn report(&self, rows: &Rows) -> Result<Outcome> {
        (self.parts.report)(rows)
    }
}

/// One line for each experiment: the name of its file. Makes the module, and the entry of the table from
/// the constant `EXPERIMENT` in it.
macro_rules! experiments {
    ($($module:ident,)*) => {
        $(mod $module;)*

        /// All experiments, in the order in which they are shown.
        pub const EXPERIMENTS: &[Experiment] = &[$($module::EXPERIMENT,)*];
    };
}

experiments! {
    graph_size,
    rosenbrock,
    convergence_rates,
    convex_bounds,
    logistic,
    gradient_flow,
    spiral,
    representer,
    kernel_ridge_sine,
    samples,
    optimizers,
    learning_rate,
    regularisation,
    models,
    calibration,
    label_noise,
    complexity,
    kernel_approximations,
    second_order,
    schedule_early_stopping,
    ntk,
    double_descent,
    images,
    recurrence,
    algorithms,
}

/// The experiment of that name.
///
/// # Errors
/// [`Error::Setting`], with all names, if there is none.
///
/// ```
/// assert_eq!(tapegrad::experiments::find("rosenbrock")?.name, "rosenbrock");
/// # Ok::<(), tapegrad::Error>(())
/// ```
pub fn find(name: &str) -> Result<&'static Experiment> {
    EXPERIMENTS.iter().find(|experiment| experiment.name == name).ok_or_else(|| {
        let names: Vec<&str> = EXPERIMENTS.iter().map(|experiment| experiment.name).collect();
        let why = format!("there is no experiment `{name}`; there are {}", names.join(", "));
        Error::setting("experiment", why)
    })
}
