//! What a model is run for.

use rand_chacha::ChaCha8Rng;

/// What a model is run for: some layers do in training what they do not do in evaluation.
#[derive(Debug)]
pub enum Mode<'a> {
    /// Predictions: nothing is random, a sample's prediction depends on no other sample, and nothing that
    /// the model keeps changes.
    Evaluation,
    /// A step of training: dropout draws from this stream
    /// ([`Purpose::Dropout`](crate::rng::Purpose::Dropout)), and batch normalisation uses the batch's own
    /// statistics and takes them in.
    Training(&'a mut ChaCha8Rng),
}
