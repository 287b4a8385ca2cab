//! What is done to each row by itself: smoothing of images, and scaling to unit length.

use crate::memory::filled;
use crate::settings::{Range, check};
use crate::text::count;
use crate::{Float, Result};

/// Replaces every image by its convolution with a Gaussian bell of standard deviation `sigma` pixels, in
/// place. `images` holds images of `height`×`width` numbers, row-major, one behind the other.
///
/// The bell is cut at 4σ, or at the size of the image if that is less, and sums to 1 before that; beyond
/// the border there are zeros. Distances between smoothed images change little when a stroke moves by a
/// pixel, which distances between the images themselves do not forgive (Simard, LeCun and Denker,
/// "Efficient pattern recognition using a new transformation distance", 1993).
///
/// ```
/// use tapegrad::data::preprocess::smooth_images;
///
/// let mut image = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
/// smooth_images(&mut image, 3, 3, 0.5)?;
/// assert!(image[4] > image[1] && image[1] == image[3] && image[1] > image[0]);
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if σ is not above 0 and at most 10⁶: beyond, the weights of the
/// bell leave `f32`; [`Error::Memory`](crate::Error::Memory) if there is not enough of it for an image.
///
/// # Panics
/// If the numbers are not whole images.
#[track_caller]
pub fn smooth_images<T: Float>(images: &mut [T], height: usize, width: usize, sigma: f64) -> Result<()> {
    let widths = Range { text: "in the range 0 < σ ≤ 1e6", contains: |x| x > 0.0 && x <= 1e6 };
    check::<f64>("smooth", sigma, widths)?;
    let pixels = height.saturating_mul(width);
    assert!(
        pixels > 0 && images.len().is_multiple_of(pixels),
        "smooth_images: {} cannot be whole images of {height}×{width}",
        count(images.len(), "number")
    );
    let bell = bell::<T>(sigma, height.max(width));
    let mut between = filled(pixels, T::ZERO, "an image")?;
    for image in images.chunks_exact_mut(pixels) {
        // Along the rows, then along the columns: row r of the result is a sum of whole rows.
        between.fill(T::ZERO);
        for (to, from) in between.chunks_exact_mut(width).zip(image.chunks_exact(width)) {
            for (distance, weight) in bell.iter().enumerate() {
                add_shifted(to, from, distance, *weight);
            }
        }
        image.fill(T::ZERO);
        for (distance, weight) in bell.iter().enumerate() {
            add_shifted(image, &between, distance * width, *weight);
        }
    }
    Ok(())
}

/// The bell from its middle outwards.
fn bell<T: Float>(sigma: f64, size: usize) -> Vec<T> {
    let weight = |i: usize| Float::exp(-0.5 * (i as f64 / sigma) * (i as f64 / sigma));
    let reach = (4.0 * sigma).ceil() as usize;
    let total = 1.0 + 2.0 * (1..=reach).map(weight).sum::<f64>();
    (0..=reach.min(size)).map(|i| T::of(weight(i) / total)).collect()
}

/// Adds `from`, shifted by so many places to both sides, times the weight; once for no places.
fn add_shifted<T: Float>(to: &mut [T], from: &[T], places: usize, weight: T) {
    if places >= to.len() {
        return;
    }
    let (rest, add) = (to.len() - places, |(to, from): (&mut T, &T)| *to += weight * *from);
    to[places..].iter_mut().zip(&from[..rest]).for_each(add);
    if places > 0 {
        to[..rest].iter_mut().zip(&from[places..]).for_each(add);
    }
}

/// Divides every row of `features` numbers by its length ‖x‖, in place; a row of zeros stays one.
///
/// ⟨x, y⟩ is the cosine of the angle then, and ‖x − y‖² = 2 − 2·cos: how bright an image is no longer counts.
///
/// # Panics
/// If the numbers are not whole rows.
#[track_caller]
pub fn normalize_rows<T: Float>(values: &mut [T], features: usize) {
    assert!(
        features > 0 && values.len().is_multiple_of(features),
        "normalize_rows: {} cannot be whole rows of {features}",
        count(values.len(), "number")
    );
    for row in values.chunks_exact_mut(features) {
        // Scaled by the largest first, so that no square leaves the range.
        let largest = row.iter().fold(T::ZERO, |largest, x| largest.max(x.abs()));
        if largest > T::ZERO && largest.is_finite() {
            row.iter_mut().for_each(|x| *x /= largest);
            let length = crate::linalg::norm_squared(row).sqrt();
            row.iter_mut().for_each(|x| *x /= length);
        }
    }
}
