//! The vision transformer.

use std::fmt;

use rand::Rng;

use super::Trunk;
use crate::nn::{Conv2d, Init, Linear, ModuleExt, Pool, PositionEmbedding, Sequential, Tokens};
use crate::ops::{Convolution, ImageShape};
use crate::tape::Tape;
use crate::{Error, Float, Result, settings};

/// The form of a vision transformer: the squares that an image is cut into are tokens, which get positions that are
/// learnt and pass the blocks of a [`Trunk`]; an affine layer tells the classes from the mean of them all.
///
/// Dosovitskiy et al., *An Image is Worth 16x16 Words*, arXiv:2010.11929. The squares and their affine map are one
/// convolution, whose kernel is as large as its stride: its image of `width` channels is a row of tokens as it stands, and
/// nothing is copied. The mean stands where that paper has a token of its own for the class: Beyer, Zhai and Kolesnikov,
/// *Better plain ViT baselines for ImageNet-1k*, arXiv:2205.01580, measure it to be the better one, and all sequences
/// keep the length that the image gives them.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::models::Vit;
/// use tapegrad::nn::{Mode, Module};
/// use tapegrad::ops::ImageShape;
/// use tapegrad::rng::{Purpose, stream};
///
/// let form = Vit::new(ImageShape::new(1, 28, 28), 10);
/// let mut tape = Tape::<f32>::default();
/// let net = form.build(&mut tape, &mut stream(42, Purpose::Init))?;
/// assert_eq!(
///     net.describe(),
///     "vit 1×28×28-10, patches of 4×4, 2 blocks of width 64, 4 heads, hidden 256"
/// );
/// let x = tape.constant_with(64, 784, |_| ());
/// let logits = net.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.shape(logits).to_string(), "64×10");
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Vit {
    /// What goes in.
    pub image: ImageShape,
    /// How many numbers come out.
    pub outputs: usize,
    /// The side of a square, which divides both sides of the image.
    pub patch: usize,
    /// The blocks.
    pub trunk: Trunk,
    /// What the weights are drawn from.
    pub init: Init,
}

impl Vit {
    /// For such images, and that many numbers that come out: squares of 4×4, and the usual trunk.
    pub fn new(image: ImageShape, outputs: usize) -> Vit {
        Vit { image, outputs, patch: 4, trunk: Trunk::default(), init: Init::default() }
    }

    /// Makes the network. Its biases are zero, unless [`Init::PyTorch`] draws them.
    ///
    /// # Errors
    /// [`Error::Setting`] if the squares do not divide the image, the heads do not divide the width, something is 0 that is
    /// to be at least 1, or the dropout is not in [0, 1) or a constant to begin with not finite, as given or in the type
    /// of the tape.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn build<T: Float>(&self, tape: &mut Tape<T>, rng: &mut impl Rng) -> Result<Sequential<T>> {
        // Before room is made for any.
        let grid = self.check::<T>()?;
        self.init.check::<T>()?;
        let (init, length) = (self.init, grid.height * grid.width);
        let net = Sequential::new()
            .named(self.to_string())
            .push("patches", Conv2d::new(tape, self.convolution(), true, init, rng)?)
            .push("tokens", Tokens::split(length)?)
            .push("positions", PositionEmbedding::new(tape, length, self.trunk.width, rng)?);
        let net = self
            .trunk
            .push(net, tape, (length, false), init, rng)?
            .push("image", Tokens::join(length)?)
            .push("mean", Pool::global_avg(grid)?)
            .push("head", Linear::new(tape, self.trunk.width, self.outputs, true, init, rng));
        net.name_parameters(tape);
        Ok(net)
    }

    fn convolution(&self) -> Convolution {
        Convolution::new(self.image, self.trunk.width, self.patch).stride(self.patch)
    }

    /// What the convolution gives: a pixel for each square, and a channel for each number of a token.
    fn check<T: Float>(&self) -> Result<ImageShape> {
        self.image.check()?;
        settings::at_least_one("patch", self.patch)?;
        let (image, p) = (self.image, self.patch);
        if !image.height.is_multiple_of(p) || !image.width.is_multiple_of(p) {
            let why =
                format!("squares of {p}×{p} do not divide an image of {}×{}", image.height, image.width);
            return Err(Error::setting("patch", why));
        }
        match self.outputs {
            0 => return Err(Error::setting("outputs", "a layer of width 0 lets nothing through")),
            n if u32::try_from(n).is_err() => {
                return Err(Error::setting("outputs", format!("{n} are more than a matrix has columns")));
            }
            _ => (),
        }
        self.trunk.check::<T>((image.height / p) * (image.width / p))?;
        self.convolution().output().map_err(|error| match error {
            // All but the width was looked at above.
            Error::Setting { why, .. } => Error::setting("width", why),
            other => other,
        })
    }

    /// Numbers of all weights and biases, and those that a step holds for a sample, without making the network.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn numbers(&self) -> Result<(usize, usize)> {
        let grid = self.check::<f64>()?;
        let (length, d) = (grid.height * grid.width, self.trunk.width);
        let (weights, sample) = self.trunk.numbers(length);
        let affine = |inputs: usize, outputs: usize| inputs.saturating_add(1).saturating_mul(outputs);
        let own =
            [affine(self.convolution().weights().0, d), length.saturating_mul(d), affine(d, self.outputs)];
        let weights = own.into_iter().fold(weights, usize::saturating_add);
        // The image, the tokens three times and once more for the mean, and what comes out.
        let own = [self.image.numel(), grid.numel().saturating_mul(4), d, self.outputs];
        Ok((weights, own.into_iter().fold(sample, usize::saturating_add)))
    }
}

/// The name of the network: `vit 1×28×28-10, patches of 4×4, 2 blocks of width 64, 4 heads, hidden 256`.
impl fmt::Display for Vit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Vit { image, outputs, patch, trunk, .. } = self;
        write!(f, "vit {image}-{outputs}, patches of {patch}×{patch}, {trunk}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Module, Summary};
    use crate::rng::{Purpose, stream};

    #[test]
    fn parts_and_their_numbers() {
        let trunk = Trunk { blocks: 3, width: 6, heads: 3, expansion: 2, dropout: 0.0 };
        for (image, patch, dropout) in
            [(ImageShape::new(1, 28, 28), 7, 0.0), (ImageShape::new(3, 8, 12), 4, 0.25)]
        {
            let form = Vit { patch, trunk: Trunk { dropout, ..trunk }, ..Vit::new(image, 5) };
            let mut tape = Tape::<f64>::default();
            let net = form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
            let names: Vec<&str> = net.modules().map(|(name, _)| name).collect();
            assert_eq!(names.join(" "), "patches tokens positions block1 block2 block3 norm image mean head");
            let (weights, sample) = form.numbers().unwrap();
            assert_eq!(tape.param_numbers(), weights);
            let found = Summary { batch: 1, ..Summary::of(&net, &mut tape, image.numel(), 2) };
            let found = found.forward_numbers() - weights;
            assert!(sample >= found && sample < found + found / 10, "{found} numbers a sample, not {sample}");
            assert_eq!(net.rows(7), Some(7));
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let usual = || Vit::new(ImageShape::new(1, 28, 20), 10);
        let why = |form: Vit| {
            let mut tape = Tape::<f32>::default();
            let error = form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap_err().to_string();
            assert_eq!(tape.params().len(), 0, "{error}");
            assert_eq!(form.numbers().unwrap_err().to_string(), error);
            error
        };
        assert_eq!(why(Vit { patch: 7, ..usual() }), "patch: squares of 7×7 do not divide an image of 28×20");
        assert_eq!(why(Vit { patch: 0, ..usual() }), "patch: 0 is not at least 1");
        assert_eq!(why(Vit { outputs: 0, ..usual() }), "outputs: a layer of width 0 lets nothing through");
        let with = |change: fn(&mut Trunk)| {
            let mut form = usual();
            change(&mut form.trunk);
            why(form)
        };
        assert_eq!(with(|trunk| trunk.heads = 5), "heads: 5 heads do not divide a width of 64");
        assert_eq!(with(|trunk| trunk.heads = 0), "heads: 0 is not at least 1");
        assert_eq!(with(|trunk| trunk.blocks = 0), "blocks: 0 is not at least 1");
        assert_eq!(with(|trunk| trunk.width = 0), "width: 0 is not at least 1");
        assert_eq!(with(|trunk| trunk.expansion = 0), "expansion: 0 is not at least 1");
        let wide = with(|trunk| (trunk.width, trunk.heads, trunk.expansion) = (1 << 31, 1, 1));
        assert!(wide.starts_with("width: an image of 2147483648×7×5 has more than"), "{wide}");
        assert_eq!(with(|trunk| trunk.dropout = 1.0), "dropout: 1 is not in the range 0 ≤ p < 1");
        assert_eq!(
            with(|trunk| trunk.expansion = usize::MAX),
            "expansion: 18446744073709551615 times 64 numbers are more than a matrix has columns"
        );
    }
}
