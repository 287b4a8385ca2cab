//! The table of models.

use clap::builder::{PossibleValue, PossibleValuesParser};

use super::super::source::Source;
use super::super::{Failure, opening};
use super::kernel::Method;
use super::{Done, Job, TrainArgs, images, kernel, linear, logistic, mlp, texts};
use crate::Result;

/// A line of the table of models.
pub struct Entry {
    pub name: &'static str,
    about: &'static str,
    /// What the model takes, as it is set.
    pub uses: fn(&TrainArgs) -> Uses,
    pub fit: fn(&Job<'_>) -> Result<Option<Done>, Failure>,
}

/// What a model takes from the command line.
pub struct Uses {
    /// The names of the structs with its flags, which are groups to clap.
    pub groups: &'static [&'static str],
    /// The setting that chose these flags, besides the model.
    pub chosen_by: &'static str,
    /// Whether there is something to measure when Ctrl-C is pressed; else it ends the program at once.
    pub measures_when_interrupted: bool,
    /// Where its samples come from.
    pub open: fn(&TrainArgs) -> Result<Source>,
}

pub const MODELS: &[Entry] = &[
    Entry { name: "mlp", about: "multilayer perceptron", uses: mlp::uses, fit: mlp::fit },
    Entry {
        name: "lenet",
        about: "LeNet-5, a small convolutional network: of images only",
        uses: |_| images::uses_of_lenet(),
        fit: images::lenet,
    },
    Entry {
        name: "cnn",
        about: "convolutional network of 32 and 64 filters of 3×3: of images only",
        uses: |_| images::uses_of_cnn(),
        fit: images::cnn,
    },
    Entry {
        name: "vit",
        about: "vision transformer, whose tokens are squares of an image: of images only",
        uses: |_| images::uses_of_vit(),
        fit: images::vit,
    },
    Entry {
        name: "gpt",
        about: "transformer that continues a text, the bytes of any file: ask it with generate",
        uses: |_| texts::uses(),
        fit: texts::fit,
    },
    Entry {
        name: "autoencoder",
        about: "network that tells images themselves, through a code of few numbers: of images only",
        uses: |_| images::uses_of_autoencoder(),
        fit: images::autoencoder,
    },
    Entry {
        name: "conv-autoencoder",
        about: "autoencoder of filters and their transposes: of images only",
        uses: |_| images::uses_of_conv_autoencoder(),
        fit: images::conv_autoencoder,
    },
    Entry {
        name: "logistic",
        about: "logistic regression, by steps or to the exact optimum",
        uses: logistic::uses,
        fit: logistic::fit,
    },
    Entry {
        name: "linear",
        about: "linear regression, exact, its ridge chosen by leave-one-out: of values only",
        uses: |_| direct(&[]),
        fit: linear::fit,
    },
    Entry {
        name: "krr",
        about: "kernel ridge regression, exact: n² numbers of memory",
        uses: |_| direct(&["KernelArgs"]),
        fit: |job| kernel::fit(job, Method::Exact),
    },
    Entry {
        name: "nystrom",
        about: "kernel ridge regression on centres, solved directly",
        uses: |_| direct(&["KernelArgs", "CentreArgs"]),
        fit: |job| kernel::fit(job, Method::Nystrom),
    },
    Entry {
        name: "rff",
        about: "ridge regression on random Fourier features of the rbf kernel",
        uses: |_| direct(&["KernelArgs", "FeatureArgs"]),
        fit: |job| kernel::fit(job, Method::Fourier),
    },
    Entry {
        name: "falkon",
        about: "kernel ridge regression on many centres, by iteration",
        uses: |_| Uses {
            measures_when_interrupted: true,
            ..direct(&["KernelArgs", "CentreArgs", "IterationArgs"])
        },
        fit: |job| kernel::fit(job, Method::Falkon),
    },
    Entry {
        name: "cg",
        about: "kernel ridge regression on all samples, by iteration",
        uses: |_| Uses {
            measures_when_interrupted: true,
            ..direct(&["KernelArgs", "PilotArgs", "IterationArgs"])
        },
        fit: |job| kernel::fit(job, Method::Iterative),
    },
];

/// For a model that is solved in one go.
pub fn direct(groups: &'static [&'static str]) -> Uses {
    let open = |args: &TrainArgs| opening::open(args.data.as_deref(), &args.table, args.seed);
    Uses { groups, chosen_by: "", measures_when_interrupted: false, open }
}

/// Names for the help text and for messages on a wrong one.
pub fn model_names() -> PossibleValuesParser {
    let value = |entry: &Entry| PossibleValue::new(entry.name).help(entry.about);
    MODELS.iter().map(value).collect::<Vec<_>>().into()
}
