//! The parts of a network, made one behind the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;

use crate::nn::{
    BatchNorm, BatchNorm2d, Init, Linear, Module, ModuleExt, Norm, Residual, Sequential, image_behind,
};
use crate::ops::ImageShape;
use crate::tape::{Shape, Tape};
use crate::text::count;
use crate::{Error, Float, Result};

/// Where a part is made: what comes to it, and what it is made of.
pub(super) struct Making<'a, T: Float> {
    pub tape: &'a mut Tape<T>,
    pub rng: &'a mut ChaCha8Rng,
    pub init: Init,
    /// Of the numbers of a sample.
    pub shape: Shape,
    /// What they stand for, where that is known to be an image.
    image: Option<ImageShape>,
}

/// Makes the module of a part; none where the part only says what the numbers are.
type Make<T> = Box<dyn FnOnce(&mut Making<'_, T>) -> Result<Option<Arc<dyn Module<T>>>>>;

/// A part that is still to be made.
pub(super) struct Part<T: Float> {
    kind: &'static str,
    make: Make<T>,
}

impl<T: Float> Part<T> {
    pub fn new<M: Module<T> + 'static>(
        kind: &'static str,
        make: impl FnOnce(&mut Making<'_, T>) -> Result<M> + 'static,
    ) -> Self {
        Part { kind, make: Box::new(move |at| Ok(Some(Arc::new(make(at)?)))) }
    }

    pub fn told(tell: impl FnOnce(&mut Making<'_, T>) -> Result<()> + 'static) -> Self {
        Part { kind: "", make: Box::new(move |at| tell(at).map(|()| None)) }
    }
}

impl<'a, T: Float> Making<'a, T> {
    pub fn new(tape: &'a mut Tape<T>, inputs: usize, init: Init, rng: &'a mut ChaCha8Rng) -> Self {
        Making { tape, rng, init, shape: Shape::new(1, inputs), image: None }
    }

    /// The image that comes to it.
    ///
    /// # Errors
    /// [`Error::Data`] if it is none.
    pub fn image(&self) -> Result<ImageShape> {
        self.image.ok_or_else(|| {
            let why = "a layer of images is given numbers that are none: say with image(channels, height, width) what \
                       they stand for";
            Error::Data(why.into())
        })
    }

    /// Says what the numbers stand for from here on.
    ///
    /// # Errors
    /// [`Error::Setting`] if the image has no pixels, [`Error::Data`] if it has another number of numbers.
    pub fn tell_image(&mut self, image: ImageShape) -> Result<()> {
        image.check()?;
        let (numbers, width) = (image.numel(), self.shape.cols);
        if numbers != width {
            let why =
                format!("an image of {image} has {}, but what goes in has {width}", count(numbers, "number"));
            return Err(Error::Data(why));
        }
        self.image = Some(image);
        Ok(())
    }

    /// # Errors
    /// [`Error::Setting`] if there are no outputs, or the initial weights cannot be.
    pub fn linear(&mut self, outputs: usize, bias: bool) -> Result<Linear> {
        if outputs == 0 {
            return Err(Error::setting("widths", "a layer of width 0 lets nothing through"));
        }
        self.init.check::<T>()?;
        Ok(Linear::new(self.tape, self.shape.cols, outputs, bias, self.init, self.rng))
    }

    /// By channel, where what comes is an image.
    pub fn batch_norm(&mut self) -> Result<Arc<dyn Module<T>>> {
        Ok(match self.image {
            Some(image) => Arc::new(BatchNorm2d::new(self.tape, image, Norm::MOMENTUM, Norm::EPSILON)?),
            None => Arc::new(BatchNorm::new(self.tape, self.shape.cols, Norm::MOMENTUM, Norm::EPSILON)?),
        })
    }

    /// # Errors
    /// Those of its parts, and [`Error::Data`] if it gives anything else than it takes.
    pub fn residual(&mut self, parts: Vec<Part<T>>) -> Result<Residual<Sequential<T>>> {
        let taken = self.shape;
        let mut inner =
            Making { tape: self.tape, rng: self.rng, init: self.init, shape: taken, image: self.image };
        let block = build(parts, &mut inner)?;
        let given = inner.shape;
        if let Some((takes, gives)) = Module::<T>::images(&block)
            && takes != gives
        {
            let why = format!("a residual block takes an image of {takes}, but gives one of {gives}");
            return Err(Error::Data(why));
        }
        if given.cols != taken.cols {
            let why =
                format!("a residual block takes {}, but gives {}", count(taken.cols, "number"), given.cols);
            return Err(Error::Data(why));
        }
        if given.rows != taken.rows {
            let why = format!(
                "a residual block takes {} for a sample, but gives {}",
                count(taken.rows, "row"),
                given.rows
            );
            return Err(Error::Data(why));
        }
        Ok(Residual::new(block))
    }

    /// Goes on behind the module, which is made already.
    ///
    /// # Errors
    /// [`Error::Data`] if it does not take what comes; `before` is what stands in front of it.
    fn pass(&mut self, module: &dyn Module<T>, before: Option<&dyn Module<T>>) -> Result<()> {
        let Shape { rows, cols: width } = self.shape;
        if let Some(takes) = module.inputs().filter(|takes| *takes != width) {
            let before = before.map_or("the data".to_string(), |last| last.describe());
            let why =
                format!("{} takes {}, but {before} gives {width}", module.describe(), count(takes, "number"));
            return Err(Error::Data(why));
        }
        if !module.takes(width) {
            let why =
                format!("{} does not take the {} that come to it", module.describe(), count(width, "number"));
            return Err(Error::Data(why));
        }
        if module.vocabulary().is_some() && before.is_some() {
            let why = format!("{} takes tokens, and stands behind another module", module.describe());
            return Err(Error::Data(why));
        }
        self.image = image_behind(module, self.image)?;
        let given = module.rows(rows).ok_or_else(|| {
            let why = format!(
                "{} does not take the {} that there are for a sample",
                module.describe(),
                count(rows, "row")
            );
            Error::Data(why)
        })?;
        self.shape = Shape::new(given, module.columns_behind(self.tape, self.shape));
        Ok(())
    }
}

/// The parts one behind the other; `at` then says what comes out. They are named by what they are and a number:
/// `linear1`, `relu1`, `linear2`.
pub(super) fn build<T: Float>(parts: Vec<Part<T>>, at: &mut Making<'_, T>) -> Result<Sequential<T>> {
    let (mut net, mut counts) = (Sequential::new(), BTreeMap::new());
    for Part { kind, make } in parts {
        let Some(module) = make(at)? else { continue };
        at.pass(&*module, net.modules().last().map(|(_, last)| last))?;
        let number: &mut usize = counts.entry(kind).or_default();
        *number += 1;
        net = net.push_shared(format!("{kind}{number}"), module);
    }
    Ok(net)
}
