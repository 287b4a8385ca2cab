//! Networks of images: LeNet-5, a convolutional network, a vision transformer, autoencoders.

use super::super::Failure;
use super::fitting::renamed;
use super::form::Form;
use super::mlp::{Classes, by_steps};
use super::{Done, Job, Uses, direct};
use crate::models::{Autoencoder, LeNet};
use crate::ops::ImageShape;
use crate::{Error, Result};

/// The flags of LeNet, whose form is fixed.
pub fn uses_of_lenet() -> Uses {
    Uses { measures_when_interrupted: true, ..direct(&["StepArgs", "FitArgs", "KeepArgs", "PenaltyArgs"]) }
}

/// The flags of the convolutional network.
pub fn uses_of_cnn() -> Uses {
    Uses { groups: &["DropoutArgs", "StepArgs", "FitArgs", "KeepArgs", "PenaltyArgs"], ..uses_of_lenet() }
}

/// The flags of the vision transformer.
pub fn uses_of_vit() -> Uses {
    Uses {
        groups: &[
            "TransformerArgs",
            "PatchArgs",
            "DropoutArgs",
            "StepArgs",
            "FitArgs",
            "KeepArgs",
            "PenaltyArgs",
        ],
        ..uses_of_lenet()
    }
}

/// Trains LeNet.
pub fn lenet(job: &Job<'_>) -> Result<Option<Done>, Failure> {
    let form = LeNet::new(image(job)?, outputs(job));
    form.numbers().map_err(|error| renamed("model", error))?;
    by_steps(job, &form, None, Classes::Softmax)
}

/// Trains the convolutional network.
pub fn cnn(job: &Job<'_>) -> Result<Option<Done>, Failure> {
    let form = job.args.shape.cnn(image(job)?, outputs(job));
    form.numbers().map_err(|error| renamed("model", error))?;
    by_steps(job, &form, None, Classes::Softmax)
}

/// Trains the vision transformer.
pub fn vit(job: &Job<'_>) -> Result<Option<Done>, Failure> {
    let form = job.args.shape.vit(image(job)?, outputs(job));
    form.numbers()?;
    by_steps(job, &form, None, Classes::Softmax)
}

/// The flags of the autoencoder.
pub fn uses_of_autoencoder() -> Uses {
    Uses {
        measures_when_interrupted: true,
        ..direct(&["MlpArgs", "CodeArgs", "DropoutArgs", "StepArgs", "FitArgs", "KeepArgs", "PenaltyArgs"])
    }
}

/// The flags of the convolutional autoencoder.
pub fn uses_of_conv_autoencoder() -> Uses {
    Uses {
        groups: &["FilterArgs", "CodeArgs", "StepArgs", "FitArgs", "KeepArgs", "PenaltyArgs"],
        ..uses_of_lenet()
    }
}

/// Trains the autoencoder.
pub fn autoencoder(job: &Job<'_>) -> Result<Option<Done>, Failure> {
    reconstruct(job, &job.args.shape.autoencoder(image(job)?.numel()))
}

/// Trains the convolutional autoencoder.
pub fn conv_autoencoder(job: &Job<'_>) -> Result<Option<Done>, Failure> {
    reconstruct(job, &job.args.shape.conv_autoencoder(image(job)?))
}

/// Trains a network to tell the images themselves.
fn reconstruct(job: &Job<'_>, form: &impl Form) -> Result<Option<Done>, Failure> {
    Autoencoder::check(&job.train)?;
    form.numbers()?;
    by_steps(job, form, None, Classes::Reconstruction)
}

/// One of the two is 0.
fn outputs(job: &Job<'_>) -> usize {
    job.train.classes() + job.train.target_width()
}

/// What the samples are images of.
///
/// # Errors
/// [`Error::Setting`] if they are none, or are none any more once they have been prepared.
fn image(job: &Job<'_>) -> Result<ImageShape> {
    let model = &job.args.model;
    let why = match (job.train.image_shape(), job.args.pca.or(job.args.project)) {
        (Some((height, width)), None) => return Ok(ImageShape::new(1, height, width)),
        (Some(_), Some(k)) => {
            format!("{model} takes images, and {k} numbers in place of the pixels are none")
        }
        (None, _) => {
            format!("{model} takes images, and the samples are rows of {} features", job.train.features())
        }
    };
    Err(Error::setting("model", why))
}
