//! What a transformer of images and one of texts have in common.

use rand::Rng;

use crate::nn::{
    AttentionOptions, Dropout, Init, LayerNorm, Sequential, TransformerBlock, TransformerOptions,
};
use crate::tape::Tape;
use crate::text::count;
use crate::{Error, Float, Result, settings};

/// The middle of a transformer: [blocks](TransformerBlock) with the normalisation before each half, and one more behind
/// the last.
///
/// ```
/// use tapegrad::models::Trunk;
///
/// let trunk = Trunk { dropout: 0.1, ..Trunk::default() };
/// assert_eq!(trunk.to_string(), "2 blocks of width 64, 4 heads, hidden 256, dropout 0.1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trunk {
    /// Blocks, one behind the other.
    pub blocks: usize,
    /// Numbers of a token.
    pub width: usize,
    /// Heads of the attention, which divide the width.
    pub heads: usize,
    /// The hidden numbers of a block, as a multiple of the width.
    pub expansion: usize,
    /// Share of what each half of a block gives that a training step drops, in [0, 1).
    pub dropout: f64,
}

/// Two blocks of width 64 with four heads and 256 hidden numbers, and no dropout.
impl Default for Trunk {
    fn default() -> Self {
        Trunk { blocks: 2, width: 64, heads: 4, expansion: 4, dropout: 0.0 }
    }
}

/// ε of the normalisation: PyTorch's default, and that of the blocks.
const EPSILON: f64 = 1e-5;

impl Trunk {
    fn options(&self, length: usize, causal: bool) -> TransformerOptions {
        let attention = AttentionOptions { causal, ..AttentionOptions::new(self.heads, length) };
        TransformerOptions { attention, hidden: self.width * self.expansion, dropout: self.dropout }
    }

    /// Whether it can be made for sequences of so many tokens.
    ///
    /// # Errors
    /// [`Error::Setting`] if something is 0 that is to be at least 1, the heads do not divide the width, the hidden numbers
    /// are more than a matrix has columns, or the dropout is not in [0, 1), as given or as a `T`.
    pub(super) fn check<T: Float>(&self, length: usize) -> Result<()> {
        settings::at_least_one("blocks", self.blocks)?;
        settings::at_least_one("width", self.width)?;
        settings::at_least_one("expansion", self.expansion)?;
        let hidden = self.width.checked_mul(self.expansion).filter(|hidden| u32::try_from(*hidden).is_ok());
        if hidden.is_none() {
            let why = format!(
                "{} times {} are more than a matrix has columns",
                self.expansion,
                count(self.width, "number")
            );
            return Err(Error::setting("expansion", why));
        }
        self.options(length, false).attention.check::<T>(self.width)?;
        Dropout::new::<T>(self.dropout).map(drop)
    }

    /// `net` with the blocks and the norm behind them.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(super) fn push<T: Float>(
        &self,
        mut net: Sequential<T>,
        tape: &mut Tape<T>,
        (length, causal): (usize, bool),
        init: Init,
        rng: &mut impl Rng,
    ) -> Result<Sequential<T>> {
        let options = self.options(length, causal);
        for i in 1..=self.blocks {
            net = net.push(format!("block{i}"), TransformerBlock::new(tape, self.width, options, init, rng)?);
        }
        Ok(net.push("norm", LayerNorm::new(tape, self.width, EPSILON)?))
    }

    /// Numbers of its weights, and those that a step holds for a sequence.
    pub(super) fn numbers(&self, length: usize) -> (usize, usize) {
        let (d, hidden) = (self.width, self.width.saturating_mul(self.expansion));
        let affine = |inputs: usize, outputs: usize| inputs.saturating_add(1).saturating_mul(outputs);
        let block = [affine(d, d).saturating_mul(4), affine(d, hidden), affine(hidden, d), 4 * d];
        let block = block.into_iter().fold(0, usize::saturating_add);
        let weights = block.saturating_mul(self.blocks).saturating_add(2 * d);
        // For each token: two norms with what they save, queries, keys, values, what the attention sees and what it gives,
        // two sums, and the hidden numbers before and behind the activation, which saves as many. Dropout twice.
        let dropout = if self.dropout > 0.0 { 2 * d } else { 0 };
        let block =
            (12 * d + 2 * self.heads + 2).saturating_add(dropout).saturating_add(hidden.saturating_mul(3));
        let token = block.saturating_mul(self.blocks).saturating_add(2 * d + 1);
        (weights, token.saturating_mul(length))
    }
}

/// In a line, without the dropout where there is none.
impl std::fmt::Display for Trunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Trunk { blocks, width, heads, expansion, dropout } = self;
        let blocks = count(*blocks, "block");
        let hidden = width.saturating_mul(*expansion);
        // The same for one of them: checkpoints hold this text, and one of before is compared with it.
        write!(f, "{blocks} of width {width}, {heads} heads, hidden {hidden}")?;
        if *dropout > 0.0 {
            write!(f, ", dropout {dropout}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_that_checkpoints_hold_is_that_of_before() {
        let trunk = Trunk { blocks: 1, width: 8, heads: 1, expansion: 4, dropout: 0.0 };
        assert_eq!(trunk.to_string(), "1 block of width 8, 1 heads, hidden 32");
    }
}
