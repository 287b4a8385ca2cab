//! The layer of attention.

use std::sync::Arc;

use rand::Rng;

use super::restore::{Made, Place, set};
use super::tokens::sequences_of;
use super::{Init, Linear, Mode, Module, visit_part};
use crate::ops::Attention;
use crate::rng::{Purpose, stream};
use crate::settings::{self, Range};
use crate::store::Settings;
use crate::tape::{Param, Tape, Var};
use crate::text::count;
use crate::{Error, Float, Result};

/// How a layer of attention looks at its sequences.
///
/// ```
/// use tapegrad::nn::AttentionOptions;
///
/// let options = AttentionOptions { causal: true, ..AttentionOptions::new(4, 16) };
/// assert_eq!((options.heads, options.length, options.rotary), (4, 16, None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionOptions {
    /// Heads, which divide the width.
    pub heads: usize,
    /// Tokens of a sequence. A single sequence may be shorter.
    pub length: usize,
    /// Whether a token sees only itself and those before it.
    pub causal: bool,
    /// With a base, queries and keys are turned by their positions: [`Tape::rotary`]; 10,000 is usual.
    pub rotary: Option<f64>,
}

impl AttentionOptions {
    /// So many heads, and sequences of so many tokens; every token sees all, and none knows where it stands.
    pub const fn new(heads: usize, length: usize) -> Self {
        AttentionOptions { heads, length, causal: false, rotary: None }
    }

    /// # Errors
    /// [`Error::Setting`] if a setting is out of its range, or does not fit the width.
    pub(crate) fn check<T: Float>(&self, width: usize) -> Result<()> {
        settings::at_least_one("heads", self.heads)?;
        settings::at_least_one("length", self.length)?;
        if width == 0 || !width.is_multiple_of(self.heads) {
            return Err(Error::setting(
                "heads",
                format!("{} do not divide a width of {width}", count(self.heads, "head")),
            ));
        }
        let Some(base) = self.rotary else { return Ok(()) };
        settings::check::<T>("rotary", base, Range::POSITIVE)?;
        if !(width / self.heads).is_multiple_of(2) {
            let columns = width / self.heads;
            let why = format!("pairs of columns are turned, but a head of a width of {width} has {columns}");
            return Err(Error::setting("rotary", why));
        }
        Ok(())
    }

    pub(super) fn store(&self, settings: Settings) -> Settings {
        let settings = settings.with("heads", self.heads).with("length", self.length);
        settings.with("causal", self.causal).with("rotary", self.rotary)
    }

    pub(super) fn of(settings: &Settings) -> Result<Self> {
        Ok(AttentionOptions {
            heads: settings.get("heads")?,
            length: settings.get("length")?,
            causal: settings.get("causal")?,
            rotary: settings.get("rotary")?,
        })
    }

    fn describe(&self) -> String {
        let causal = if self.causal { ", causal" } else { "" };
        let rotary = if self.rotary.is_some() { ", rotary" } else { "" };
        // The same for one of them: checkpoints hold this text, and one of before is compared with it.
        format!("{} heads over {} tokens{causal}{rotary}", self.heads, self.length)
    }
}

/// Attention of the tokens of a sequence to each other, by several heads: queries, keys and values are affine maps of
/// the tokens, and so is what comes out, of the heads' values side by side: [`Tape::attention`].
///
/// Vaswani et al., *Attention Is All You Need*, arXiv:1706.03762, section 3.2.2.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::nn::{AttentionOptions, Init, Mode, Module, ModuleExt, MultiHeadAttention};
/// use tapegrad::rng::{Purpose, stream};
///
/// let mut tape = Tape::new();
/// let rng = &mut stream(1, Purpose::Init);
/// let options = AttentionOptions::new(2, 5);
/// let layer = MultiHeadAttention::new(&mut tape, 8, options, Init::default(), rng)?;
/// let named = ModuleExt::<f64>::named_parameters(&layer);
/// assert_eq!((named[0].0.as_str(), named[1].0.as_str()), ("query.weight", "query.bias"));
/// // Three sequences of five tokens.
/// let x = tape.constant_with(15, 8, |_| ());
/// let y = layer.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.shape(y).to_string(), "15×8");
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MultiHeadAttention {
    /// What makes the queries, d×d.
    pub query: Linear,
    /// The keys.
    pub key: Linear,
    /// The values.
    pub value: Linear,
    /// What comes out, of the heads side by side.
    pub out: Linear,
    options: AttentionOptions,
    width: usize,
}

impl MultiHeadAttention {
    /// For tokens of `width` numbers.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are no heads, no tokens or no columns, the heads do not divide the width, or a base is
    /// not positive and finite or turns heads with an odd number of columns.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn new<T: Float>(
        tape: &mut Tape<T>,
        width: usize,
        options: AttentionOptions,
        init: Init,
        rng: &mut impl Rng,
    ) -> Result<Self> {
        options.check::<T>(width)?;
        init.check::<T>()?;
        let mut linear = || Linear::new(tape, width, width, true, init, rng);
        let [query, key, value, out] = [linear(), linear(), linear(), linear()];
        Ok(MultiHeadAttention { query, key, value, out, options, width })
    }

    fn parts(&self) -> [(&'static str, &Linear); 4] {
        [("query", &self.query), ("key", &self.key), ("value", &self.value), ("out", &self.out)]
    }
}

impl<T: Float> Module<T> for MultiHeadAttention {
    fn describe(&self) -> String {
        format!("attention {}, {}", self.width, self.options.describe())
    }

    /// # Panics
    /// If x has another number of columns, or its rows are no sequences.
    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        let AttentionOptions { heads, length, causal, rotary } = self.options;
        let (sequences, length) = sequences_of(tape, "MultiHeadAttention", x, length);
        let [mut q, mut k, v] = [self.query, self.key, self.value].map(|part| part.forward(tape, x, mode));
        if let Some(base) = rotary {
            [q, k] = [q, k].map(|x| tape.rotary(x, heads, length, T::of(base)));
        }
        let form = Attention { is_causal: causal, ..Attention::new(sequences, heads) };
        let y = tape.attention(q, k, v, form);
        self.out.forward(tape, y, mode)
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        for (name, part) in self.parts() {
            visit_part::<T>(name, part, visit);
        }
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.width)
    }

    fn keeps_width(&self) -> bool {
        true
    }

    fn rows(&self, rows: usize) -> Option<usize> {
        rows.is_multiple_of(self.options.length).then_some(rows)
    }

    fn store(&self) -> Option<Settings> {
        Some(self.options.store(Settings::of("attention")))
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
    from.from.check_shape::<T>("query.weight", width, width)?;
    let (options, rng) = (AttentionOptions::of(settings)?, &mut stream(0, Purpose::Init));
    let layer = MultiHeadAttention::new(tape, width, options, Init::Zeros, rng)?;
    set(tape, &layer, from.from)?;
    Ok((Arc::new(layer), width))
}
