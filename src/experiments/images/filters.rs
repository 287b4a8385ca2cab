//! What the first layer looks for, as pictures of its weights.

use crate::experiments::prelude::*;
use crate::nn::ModuleExt;
use crate::report::Image;

/// Units that are drawn, at most.
const DRAWN: usize = 32;

/// Weights of the first units of a first layer, which are squares of an image.
#[derive(Serialize, Deserialize)]
pub(super) struct Filters {
    side: usize,
    /// Grey levels line by line, of each unit on its own scale: 0 the most negative weight, 255 the most positive.
    units: Vec<Vec<u8>>,
}

/// Those of a network; `None` where they are no squares. They are image by image as a column of the weights has them.
pub(super) fn of(net: &Net<f32>) -> Option<Filters> {
    let (_, weight) = net.model.named_parameters().into_iter().next()?;
    let (shape, values) = (net.tape.param_shape(weight), net.tape.value_slice(weight));
    let side = (1..=shape.rows).find(|side| side * side == shape.rows)?;
    let unit = |unit: usize| {
        let at = |k: usize| f64::from(values[k * shape.cols + unit]);
        let greatest = Float::max(range((0..shape.rows).map(|k| at(k).abs())).1, f64::MIN_POSITIVE);
        (0..shape.rows).map(|k| (127.5 + 127.5 * at(k) / greatest).round() as u8).collect()
    };
    Some(Filters { side, units: (0..shape.cols.min(DRAWN)).map(unit).collect() })
}

impl Filters {
    pub fn pictures(&self) -> impl Iterator<Item = Image> {
        let side = self.side;
        let enlarged = if side < 10 { 6 } else { 2 };
        self.units.iter().map(move |unit| {
            Image::from_fn(side * enlarged, side * enlarged, |x, y| {
                let grey = unit[y / enlarged * side + x / enlarged];
                [grey, grey, grey, 255]
            })
        })
    }
}
