//! A transformer that continues texts.

use std::fmt;

use rand::Rng;

use super::Trunk;
use crate::data::BYTES;
use crate::nn::{Dropout, Embedding, Init, Linear, ModuleExt, Positions, Sequential};
use crate::tape::Tape;
use crate::text::count;
use crate::{Error, Float, Result, settings};

/// The form of a generative transformer: tokens and their positions become vectors, which pass the blocks of a
/// [`Trunk`] in which no token sees those behind it; an affine layer tells for each token which one follows.
///
/// Radford et al., *Language Models are Unsupervised Multitask Learners*, 2019 (GPT-2), without the tie between the
/// first and the last weights. It takes m×l, a text a row, and gives (m·l)×v, a token a row: data for it has
/// [as many labels a row](crate::Dataset::with_token_labels) as tokens, such as the [windows](crate::data::Text::windows)
/// of a text. [`generate`](super::generate()) continues texts by it.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::models::Gpt;
/// use tapegrad::nn::{Mode, Module};
/// use tapegrad::rng::{Purpose, stream};
///
/// let form = Gpt::new(32);
/// let mut tape = Tape::<f32>::default();
/// let net = form.build(&mut tape, &mut stream(42, Purpose::Init))?;
/// assert_eq!(net.describe(), "gpt of 256 tokens, context 32, 2 blocks of width 64, 4 heads, hidden 256");
/// let x = tape.constant_slice(1, 5, &[104.0, 101.0, 108.0, 108.0, 111.0]);
/// let logits = net.forward(&mut tape, x, &mut Mode::evaluation());
/// assert_eq!(tape.shape(logits).to_string(), "5×256");
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Gpt {
    /// How many different tokens there are.
    pub vocabulary: usize,
    /// How many tokens it sees at most.
    pub context: usize,
    /// The blocks; their dropout is that of the vectors of the tokens as well.
    pub trunk: Trunk,
    /// What the weights of the blocks and of the last layer are drawn from.
    pub init: Init,
}

impl Gpt {
    /// For bytes, of which it sees so many, with the usual trunk.
    pub fn new(context: usize) -> Gpt {
        Gpt { vocabulary: BYTES, context, trunk: Trunk::default(), init: Init::default() }
    }

    /// Makes the network. Its biases are zero, unless [`Init::PyTorch`] draws them.
    ///
    /// # Errors
    /// [`Error::Setting`] if the context is below 2, the heads do not divide the width, something else is 0 that is to be at
    /// least 1, or the dropout is not in [0, 1) or a constant to begin with not finite, as given or in the type of the
    /// tape.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn build<T: Float>(&self, tape: &mut Tape<T>, rng: &mut impl Rng) -> Result<Sequential<T>> {
        // Before room is made for any.
        self.check::<T>()?;
        self.init.check::<T>()?;
        let Gpt { vocabulary, context, trunk, init } = *self;
        let embedding = Embedding::new(tape, vocabulary, context, trunk.width, Positions::Learned, rng)?;
        let mut net = Sequential::new().named(self.to_string()).push("embedding", embedding);
        if trunk.dropout > 0.0 {
            net = net.push("dropout", Dropout::new::<T>(trunk.dropout)?);
        }
        let net = trunk
            .push(net, tape, (context, true), init, rng)?
            .push("head", Linear::new(tape, trunk.width, vocabulary, true, init, rng));
        net.name_parameters(tape);
        Ok(net)
    }

    fn check<T: Float>(&self) -> Result<()> {
        settings::at_least_one("vocabulary", self.vocabulary)?;
        if self.context < 2 {
            return Err(Error::setting("context", format!("{} is not at least 2", self.context)));
        }
        for (name, n) in [("context", self.context), ("vocabulary", self.vocabulary)] {
            if u32::try_from(n).is_err() {
                return Err(Error::setting(name, format!("{n} are more than a matrix has rows")));
            }
        }
        self.trunk.check::<T>(self.context)
    }

    /// Numbers of all weights and biases, and those that a step holds for a sample with its loss, without making the
    /// network.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn numbers(&self) -> Result<(usize, usize)> {
        self.check::<f64>()?;
        let Gpt { vocabulary, context, trunk, .. } = self;
        let (weights, sample) = trunk.numbers(*context);
        let embedding = vocabulary.saturating_add(*context).saturating_mul(trunk.width);
        let head = vocabulary.saturating_mul(trunk.width + 1);
        // For each token its number, its vector without and with the position, what is dropped of it, and the logits with
        // what the loss saves of them.
        let vectors = if trunk.dropout > 0.0 { 3 } else { 2 };
        let token =
            (1 + vectors * trunk.width).saturating_add(vocabulary.saturating_mul(2)).saturating_add(1);
        let weights = weights.saturating_add(embedding).saturating_add(head);
        Ok((weights, sample.saturating_add(token.saturating_mul(*context))))
    }
}

/// The name of the network: `gpt of 256 tokens, context 32, 2 blocks of width 64, 4 heads, hidden 256`.
impl fmt::Display for Gpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Gpt { vocabulary, context, trunk, .. } = self;
        write!(f, "gpt of {}, context {context}, {trunk}", count(*vocabulary, "token"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Module, Summary};
    use crate::rng::{Purpose, stream};

    #[test]
    fn parts_and_their_numbers() {
        for dropout in [0.0, 0.25] {
            let trunk = Trunk { blocks: 2, width: 6, heads: 3, expansion: 2, dropout };
            let form = Gpt { vocabulary: 11, trunk, ..Gpt::new(7) };
            let mut tape = Tape::<f64>::default();
            let net = form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
            let names: Vec<&str> =
                net.modules().map(|(name, _)| name).filter(|name| *name != "dropout").collect();
            assert_eq!(names.join(" "), "embedding block1 block2 norm head");
            let (weights, sample) = form.numbers().unwrap();
            assert_eq!(tape.param_numbers(), weights);
            let summary = Summary { batch: 1, ..Summary::of(&net, &mut tape, 7, 2) };
            let found = summary.training_numbers() - weights;
            assert!(sample >= found && sample < found + found / 10, "{found} numbers a sample, not {sample}");
            assert_eq!((net.rows(1), net.vocabulary()), (Some(7), Some(11)));
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let why = |form: Gpt| {
            let mut tape = Tape::<f32>::default();
            let error = form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap_err().to_string();
            assert_eq!(tape.params().len(), 0, "{error}");
            assert_eq!(form.numbers().unwrap_err().to_string(), error);
            error
        };
        assert_eq!(why(Gpt::new(1)), "context: 1 is not at least 2");
        assert_eq!(why(Gpt { vocabulary: 0, ..Gpt::new(8) }), "vocabulary: 0 is not at least 1");
        let heads = Trunk { heads: 3, ..Trunk::default() };
        assert_eq!(why(Gpt { trunk: heads, ..Gpt::new(8) }), "heads: 3 heads do not divide a width of 64");
        assert_eq!(
            why(Gpt::new(usize::MAX)),
            "context: 18446744073709551615 are more than a matrix has rows"
        );
    }

    /// What stands behind a token does not change what is told of those before it.
    #[test]
    fn nothing_is_seen_ahead() {
        let form = Gpt { vocabulary: 5, ..Gpt::new(6) };
        let mut tape = Tape::<f64>::default();
        let net = form.build(&mut tape, &mut stream(1, Purpose::Init)).unwrap();
        let mut told = |text: [f64; 6]| {
            tape.rewind();
            let x = tape.constant_slice(1, 6, &text);
            let y = net.forward(&mut tape, x, &mut crate::nn::Mode::evaluation());
            tape.value_slice(y).to_vec()
        };
        let (a, b) = (told([0.0, 1.0, 2.0, 3.0, 4.0, 0.0]), told([0.0, 1.0, 2.0, 3.0, 1.0, 2.0]));
        assert_eq!(a[..4 * 5], b[..4 * 5]);
        assert_ne!(a[4 * 5..], b[4 * 5..]);
    }
}
