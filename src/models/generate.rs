//! Texts continued by a model, token by token.

use super::predictor::no_text;
use super::{Predictor, Task};
use crate::metrics::SeenClasses;
use crate::rng::{Place, Purpose, at, fraction};
use crate::settings::{self, Range};
use crate::text::count;
use crate::{Error, Float, Result};

/// How a token is chosen by its scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Scores are divided by it before their softmax: below 1, what is likely becomes more so; at 0 the token with the
    /// largest score is taken, the first of equal ones.
    pub temperature: f64,
    /// Only so many tokens with the largest scores are left in the draw; all of them where this is `None`.
    pub top_k: Option<usize>,
    /// What the draws are a function of, each with its number.
    pub seed: u64,
}

/// Temperature 1, all tokens, seed 0.
impl Default for Sampling {
    fn default() -> Self {
        Sampling { temperature: 1.0, top_k: None, seed: 0 }
    }
}

impl Sampling {
    fn check(&self, tokens: usize) -> Result<()> {
        settings::check::<f64>("temperature", self.temperature, Range::NOT_NEGATIVE)?;
        match self.top_k {
            Some(k) if !(1..=tokens).contains(&k) => Err(Error::setting(
                "top_k",
                format!("{k} of {}; allowed is 1 to {tokens}", count(tokens, "token")),
            )),
            _ => Ok(()),
        }
    }

    /// The token of draw number `step`, among those that occurred in training.
    ///
    /// p ∝ e^((s − max s)/t), and the token in whose share a number from [0, 1) falls, shares in the order of the tokens.
    fn choose(&self, scores: &[f64], seen: &SeenClasses, step: u64) -> Result<usize> {
        let mut order: Vec<usize> = (0..scores.len()).filter(|token| seen.contains(*token)).collect();
        // Stable: of equal scores the first token comes first. The zeros are equal, whatever their signs.
        let score = |token: &usize| scores[*token] + 0.0;
        order.sort_by(|a, b| score(b).total_cmp(&score(a)));
        let Some(&best) = order.first() else {
            return Err(Error::Data("the model has seen no token".into()));
        };
        if self.temperature == 0.0 {
            return Ok(best);
        }
        order.truncate(self.top_k.unwrap_or(order.len()));
        order.sort_unstable();
        let weight = |token: &usize| Float::exp((scores[*token] - scores[best]) / self.temperature);
        let total: f64 = order.iter().map(weight).sum();
        let place = Place { seed: self.seed, epoch: 0, step };
        let mut left = fraction(&mut at(place, Purpose::Text, 0)) * total;
        for token in &order {
            left -= weight(token);
            if left < 0.0 {
                return Ok(*token);
            }
        }
        // Roundings of the sums.
        Ok(best)
    }
}

/// A text that a model continues without end, byte by byte: see [`generate`].
pub struct Generation<'a> {
    model: &'a dyn Predictor,
    seen: &'a SeenClasses,
    sampling: Sampling,
    text: Vec<u8>,
    context: usize,
    step: u64,
}

/// Continues a text: an iterator over the bytes that follow it.
///
/// Byte number i is a function of the model, the bytes before it and (seed, i). For each, the model looks anew at the
/// last bytes that its context has room for; keys and values of earlier bytes are not kept, since the positions of all of
/// them change as soon as the text is longer than the context.
///
/// ```
/// use tapegrad::data::Text;
/// use tapegrad::models::{Gpt, Network, Sampling, Trunk, generate};
/// use tapegrad::train::FitOptions;
///
/// let windows = Text::new("abcabcabcabcabcabcabcabcabcabcabcabc").windows(6, 1)?;
/// let form = Gpt { trunk: Trunk { blocks: 1, width: 16, ..Trunk::default() }, ..Gpt::new(6) };
/// let mut net = Network::<f32>::new(1).made_by(&windows, |tape, _, _, rng| form.build(tape, rng))?;
/// net.fit(&windows, &FitOptions { epochs: 60, ..Default::default() })?;
/// let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
/// let bytes = generate(&net, b"ab", sampling)?.take(5).collect::<Result<Vec<u8>, _>>()?;
/// assert_eq!(bytes, b"cabca");
/// # Ok::<(), tapegrad::Error>(())
/// ```
///
/// # Errors
/// [`Error::Data`] if the model is none of text, by bytes; [`Error::Setting`] if there is nothing to continue, the
/// temperature is negative or not finite, or more tokens are to be left than there are, or none. Each byte may be an
/// [`Error::NonFinite`].
pub fn generate<'a>(model: &'a dyn Predictor, prompt: &[u8], sampling: Sampling) -> Result<Generation<'a>> {
    let (Some(context), Task::Classes { seen, names, .. }) = (model.context(), model.task()) else {
        return Err(no_text(model));
    };
    sampling.check(names.len())?;
    if prompt.is_empty() {
        return Err(Error::setting("prompt", "it is empty: there is nothing to continue"));
    }
    let text = prompt[prompt.len().saturating_sub(context)..].to_vec();
    Ok(Generation { model, seen, sampling, text, context, step: 0 })
}

impl Iterator for Generation<'_> {
    type Item = Result<u8>;

    fn next(&mut self) -> Option<Result<u8>> {
        let scores = self.model.next_scores(&self.text);
        let found = scores.and_then(|scores| self.sampling.choose(&scores, self.seen, self.step));
        let byte = match found {
            Ok(token) => token as u8,
            Err(error) => return Some(Err(error)),
        };
        if self.text.len() == self.context {
            self.text.remove(0);
        }
        self.text.push(byte);
        self.step += 1;
        Some(Ok(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(sampling: Sampling, scores: &[f64], seen: &SeenClasses) -> Vec<usize> {
        (0..4000).map(|step| sampling.choose(scores, seen, step).unwrap()).collect()
    }

    #[test]
    fn shares_are_those_of_the_softmax() {
        let (scores, all) = ([1.0, 0.0, 2.0, -1.0], SeenClasses::all(4));
        for temperature in [0.5, 1.0, 3.0] {
            let tokens = drawn(Sampling { temperature, ..Default::default() }, &scores, &all);
            let weights = scores.map(|s| Float::exp(s / temperature));
            for (token, weight) in weights.iter().enumerate() {
                let p = weight / weights.iter().sum::<f64>();
                let share = tokens.iter().filter(|t| **t == token).count() as f64 / 4000.0;
                // Five standard deviations.
                assert!(
                    (share - p).abs() < 5.0 * (p * (1.0 - p) / 4000.0).sqrt(),
                    "{token}: {share} for {p}"
                );
            }
        }
    }

    #[test]
    fn the_draw_is_a_function_of_seed_and_step() {
        let (scores, all) = ([0.3, 0.1, 0.2], SeenClasses::all(3));
        let of = |seed| drawn(Sampling { seed, ..Default::default() }, &scores, &all);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn what_is_left_in_the_draw() {
        let scores = [1.0, 3.0, 2.0, 3.0, 9.0];
        let seen = SeenClasses::from_flags(vec![true, true, true, true, false]);
        let of = |temperature, top_k| {
            let mut found = drawn(Sampling { temperature, top_k, seed: 3 }, &scores, &seen);
            found.sort_unstable();
            found.dedup();
            found
        };
        assert_eq!(of(0.0, None), [1], "the first of equal ones, and none that was never seen");
        assert_eq!(of(5.0, None), [0, 1, 2, 3]);
        assert_eq!(of(5.0, Some(3)), [1, 2, 3]);
        assert_eq!(of(5.0, Some(1)), [1]);
        // So cold that nothing else has a share.
        assert_eq!(of(1e-300, None), [1, 3]);
    }

    #[test]
    fn settings_that_are_none() {
        let why = |sampling: Sampling| sampling.check(256).unwrap_err().to_string();
        let usual = Sampling::default();
        assert!(why(Sampling { temperature: -1.0, ..usual }).starts_with("temperature: -1 is not"));
        assert!(why(Sampling { temperature: f64::NAN, ..usual }).starts_with("temperature: NaN is not"));
        assert_eq!(why(Sampling { top_k: Some(0), ..usual }), "top_k: 0 of 256 tokens; allowed is 1 to 256");
        assert_eq!(
            why(Sampling { top_k: Some(257), ..usual }),
            "top_k: 257 of 256 tokens; allowed is 1 to 256"
        );
    }
}
