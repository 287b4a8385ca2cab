//! What the operations on images have in common.

use crate::Float;
use crate::linalg::image::{Convolution, ImageShape, Window};
use crate::tape::{Args, Shape, Tape, Var};
use crate::text::count;

impl<T: Float> Tape<T> {
    /// The shape of `x`, of which each row is to be an image.
    ///
    /// # Panics
    /// If it is stale, or has another number of columns than the image has numbers.
    #[track_caller]
    pub(super) fn shape_of_images(&self, name: &str, x: Var, image: ImageShape) -> Shape {
        let (shape, numbers) = (self.shape_for(name, x), image.numel());
        assert!(
            shape.cols == numbers,
            "{name}: {x} is {shape} but an image of {image} has {} ({} ≠ {numbers})",
            count(numbers, "number"),
            shape.cols
        );
        shape
    }
}

/// The sum of each window, channel by channel, as operations: a convolution of each channel on its own.
pub(super) fn window_sums<T: Float>(tape: &mut Tape<T>, x: Var, image: ImageShape, window: Window) -> Var {
    let form = Convolution { image, filters: image.channels, window, groups: image.channels };
    let (rows, cols) = form.weights();
    let ones = tape.constant_with(rows, cols, |ones| ones.fill(T::ONE));
    tape.conv2d(x, ones, None, &form)
}

/// Lines and columns of a window, where they are the sizes of a node.
pub(super) fn describe_window<T: Float>(args: &Args<T>) -> String {
    let [height, width] = args.sizes;
    format!(" {height}×{width}")
}
