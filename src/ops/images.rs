//! What the operations on images have in common.

use crate::Float;
use crate::linalg::image::ImageShape;
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

/// Lines and columns of a window, where they are the sizes of a node.
pub(super) fn describe_window<T: Float>(args: &Args<T>) -> String {
    let [height, width] = args.sizes;
    format!(" {height}×{width}")
}
