//! The block that transformers are made of.

use std::sync::Arc;

use rand::Rng;

use super::restore::{Made, Place, set};
use super::{
    Activation, AttentionOptions, Dropout, Init, LayerNorm, Linear, Mode, Module, MultiHeadAttention,
    visit_part,
};
use crate::rng::{Purpose, stream};
use crate::store::Settings;
use crate::tape::{Param, Tape, Var};
use crate::{Float, Result, settings};

/// How a block is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransformerOptions {
    /// Of its attention.
    pub attention: AttentionOptions,
    /// Numbers between the two affine maps that follow; four times the width is usual.
    pub hidden: usize,
    /// The probability of dropout behind the attention and behind the affine maps, in training.
    pub dropout: f64,
}

/// y = x + attention(norm x), then y + W₂·gelu(W₁·norm y): a block of a transformer with the normalisation before
/// each half. It takes and gives (m·l)×d, a token a row.
///
/// Vaswani et al., *Attention Is All You Need*, arXiv:1706.03762, section 3.1, with the order of Xiong et al., *On Layer
/// Normalization in the Transformer Architecture*, arXiv:2002.04745. ε of the normalisations is 10⁻⁵, and the activation
/// [`Tape::gelu`].
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::nn::{AttentionOptions, Init, Mode, Module, TransformerBlock, TransformerOptions};
/// use tapegrad::rng::{Purpose, stream};
///
/// let mut tape = Tape::new();
/// let attention = AttentionOptions { causal: true, ..AttentionOptions::new(2, 5) };
/// let options = TransformerOptions { attention, hidden: 32, dropout: 0.1 };
/// let rng = &mut stream(1, Purpose::Init);
/// let block = TransformerBlock::new(&mut tape, 8, options, Init::default(), rng)?;
/// let x = tape.constant_with(15, 8, |_| ());
/// let y = block.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.shape(y).to_string(), "15×8");
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransformerBlock {
    /// Before the attention.
    pub norm1: LayerNorm,
    /// The attention.
    pub attention: MultiHeadAttention,
    /// Before the affine maps.
    pub norm2: LayerNorm,
    /// From the width to the hidden numbers.
    pub up: Linear,
    /// And back.
    pub down: Linear,
    dropout: Dropout,
    options: TransformerOptions,
    width: usize,
}

/// ε of the normalisations: PyTorch's default.
const EPSILON: f64 = 1e-5;

impl TransformerBlock {
    /// For tokens of `width` numbers.
    ///
    /// # Errors
    /// As [`MultiHeadAttention::new`], and [`Error::Setting`](crate::Error::Setting) if there are no hidden numbers, or the
    /// dropout is not in [0, 1).
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn new<T: Float>(
        tape: &mut Tape<T>,
        width: usize,
        options: TransformerOptions,
        init: Init,
        rng: &mut impl Rng,
    ) -> Result<Self> {
        // All before the first parameter is made.
        init.check::<T>()?;
        options.attention.check::<T>(width)?;
        settings::at_least_one("hidden", options.hidden)?;
        let dropout = Dropout::new::<T>(options.dropout)?;
        Ok(TransformerBlock {
            norm1: LayerNorm::new(tape, width, EPSILON)?,
            attention: MultiHeadAttention::new(tape, width, options.attention, init, rng)?,
            norm2: LayerNorm::new(tape, width, EPSILON)?,
            up: Linear::new(tape, width, options.hidden, true, init, rng),
            down: Linear::new(tape, options.hidden, width, true, init, rng),
            dropout,
            options,
            width,
        })
    }
}

impl<T: Float> Module<T> for TransformerBlock {
    fn describe(&self) -> String {
        let attention = Module::<T>::describe(&self.attention);
        let dropout = if self.options.dropout == 0.0 {
            String::new()
        } else {
            format!(", dropout {}", self.options.dropout)
        };
        format!("transformer block ({attention}; hidden {}{dropout})", self.options.hidden)
    }

    /// # Panics
    /// As [`MultiHeadAttention`].
    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        let y = self.norm1.forward(tape, x, mode);
        let y = self.attention.forward(tape, y, mode);
        let y = self.dropout.forward(tape, y, mode);
        let x = tape.add(x, y);
        let y = self.norm2.forward(tape, x, mode);
        let y = self.up.forward(tape, y, mode);
        let y = Activation::Gelu.apply(tape, y);
        let y = self.down.forward(tape, y, mode);
        let y = self.dropout.forward(tape, y, mode);
        tape.add(x, y)
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        let parts: [(&str, &dyn Module<T>); 5] = [
            ("norm1", &self.norm1),
            ("attention", &self.attention),
            ("norm2", &self.norm2),
            ("up", &self.up),
            ("down", &self.down),
        ];
        for (name, part) in parts {
            visit_part(name, part, visit);
        }
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.width)
    }

    fn keeps_width(&self) -> bool {
        true
    }

    fn rows(&self, rows: usize) -> Option<usize> {
        Module::<T>::rows(&self.attention, rows)
    }

    fn store(&self) -> Option<Settings> {
        let settings = self.options.attention.store(Settings::of("transformer_block"));
        Some(settings.with("dropout", self.options.dropout))
    }
}

/// What a file holds of it.
pub(super) fn restore<T: Float>(
    tape: &mut Tape<T>,
    settings: &Settings,
    from: &Place<'_>,
    width: usize,
) -> Result<Made<T>> {
    // Before room is made for as many.
    from.from.check_shape::<T>("attention.query.weight", width, width)?;
    let (_, hidden) = from.from.shape::<T>("up.weight")?;
    from.from.check_shape::<T>("up.weight", width, hidden)?;
    let attention = AttentionOptions::of(settings)?;
    let options = TransformerOptions { attention, hidden, dropout: settings.get("dropout")? };
    let block = TransformerBlock::new(tape, width, options, Init::Zeros, &mut stream(0, Purpose::Init))?;
    set(tape, &block, from.from)?;
    Ok((Arc::new(block), width))
}
