//! Networks of images: LeNet-5, a convolutional network, a vision transformer, autoencoders.

use std::path::Path;

use super::super::predict::{images, is_folder_of_images};
use super::super::reading::{is_arrays, is_table, within_memory};
use super::super::source::Source;
use super::super::table::TableArgs;
use super::super::{Failure, opening};
use super::fitting::renamed;
use super::form::Form;
use super::mlp::{Classes, by_steps};
use super::{Done, Job, TrainArgs, Uses, direct};
use crate::data::Dataset;
use crate::data::npy::{Archive, is_archive};
use crate::models::{Autoencoder, LeNet};
use crate::ops::ImageShape;
use crate::text::count;
use crate::{Error, Result, text};

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
        groups: &[
            "MlpArgs",
            "LayerArgs",
            "CodeArgs",
            "DropoutArgs",
            "StepArgs",
            "FitArgs",
            "KeepArgs",
            "PenaltyArgs",
        ],
        open,
        ..uses_of_lenet()
    }
}

/// The flags of the convolutional autoencoder.
pub fn uses_of_conv_autoencoder() -> Uses {
    Uses {
        groups: &[
            "FilterArgs",
            "LayerArgs",
            "CodeArgs",
            "DropoutArgs",
            "StepArgs",
            "FitArgs",
            "KeepArgs",
            "PenaltyArgs",
        ],
        ..uses_of_autoencoder()
    }
}

/// The images of the data, whether something is told of them or not.
fn open(args: &TrainArgs) -> Result<Source> {
    match args.data.as_deref() {
        Some(path) => match images_alone(path, &args.table, args.seed)? {
            Some(source) => Ok(source),
            None => opening::open(Some(path), &args.table, args.seed),
        },
        None => opening::open(None, &args.table, args.seed),
    }
}

/// Images that nothing is told of, if the data is of these: an IDX file or the two of a folder, `.npy`, an archive of one
/// array, a folder of pictures.
fn images_alone(path: &Path, table: &TableArgs, seed: u64) -> Result<Option<Source>> {
    let is_folder_of_pairs = path.is_dir() && !is_folder_of_images(path)?;
    let is_alone = match () {
        () if is_arrays(path) => table.target_file().is_none() && is_one_array(path)?,
        () if is_folder_of_pairs => Dataset::is_mnist_without_labels(path),
        () => (path.is_file() && !is_table(path)) || path.is_dir(),
    };
    if !is_alone {
        return Ok(None);
    }
    table.refuse(&["test"], "it has no meaning for images alone")?;
    let what = format!("images of {}", text::path(path));
    let all = if is_arrays(path) {
        within_memory(|options| Dataset::from_npy_samples(path, options))?
    } else if is_folder_of_pairs {
        table.refuse(&[], "it has no meaning for such data, which has test images of its own")?;
        let (train, test) = within_memory(|options| Dataset::mnist_images_with(path, options))?;
        return Ok(Some(Source::of(train, test, what, "images")));
    } else if let Some(pictures) = images(path)? {
        Dataset::from_png(&pictures)?
    } else {
        within_memory(|options| Dataset::from_idx_samples(path, options))?
    };
    Ok(Some(table.apart(&all, seed)?.of(&what, "images")))
}

/// Whether the file holds no array but the samples.
fn is_one_array(path: &Path) -> Result<bool> {
    if !is_archive(path) {
        return Ok(true);
    }
    within_memory(|options| Ok(Archive::open(path, options)?.names().len() == 1))
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
            format!("{model} takes images, and {} in place of the pixels cannot be one", count(k, "number"))
        }
        (None, _) => {
            format!(
                "{model} takes images, and the samples are rows of {}",
                count(job.train.features(), "feature")
            )
        }
    };
    Err(Error::setting("model", why))
}
