//! Cross-entropy from logits, with label smoothing and class weights.

use super::{Batch, Link, Loss, class_labels};
use crate::data::Dataset;
use crate::settings::{self, Range};
use crate::store::Settings;
use crate::tape::{Tape, Var};
use crate::text::count;
use crate::{Error, Float, Result};

const SMOOTHING: Range = Range { text: "in [0, 1)", ..Range::BELOW_ONE };

/// Mean of −ln p of the true class, with p the softmax of the outputs: [`Tape::cross_entropy`]. Where a sample has a
/// [label for each token](Dataset::with_token_labels), the outputs have a row for each, and the mean is over all tokens.
///
/// Label smoothing ε is for training only. With class weights c, a sample of class k has the weight cₖ times
/// its own, and the mean is the weighted one; where samples have no weights of their own that of the batch, as in
/// PyTorch.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossEntropy {
    smoothing: f64,
    class_weights: Option<Vec<f64>>,
    name: String,
}

impl Default for CrossEntropy {
    fn default() -> Self {
        CrossEntropy { smoothing: 0.0, class_weights: None, name: "cross-entropy".into() }
    }
}

impl CrossEntropy {
    /// What a file holds of it.
    pub(super) fn restore(settings: &Settings) -> Result<Self> {
        let loss = CrossEntropy::default().with_smoothing(settings.get("smoothing")?)?;
        match settings.get("class_weights")? {
            Some(weights) => loss.with_class_weights(weights),
            None => Ok(loss),
        }
    }

    /// With ε, the probability that is taken from the true class and spread evenly over all.
    ///
    /// # Errors
    /// [`Error::Setting`] if ε is not in [0, 1).
    pub fn with_smoothing(self, smoothing: f64) -> Result<Self> {
        settings::check::<f64>("smoothing", smoothing, SMOOTHING)?;
        Ok(CrossEntropy { smoothing, ..self }.renamed())
    }

    /// With a weight for each class.
    ///
    /// # Errors
    /// [`Error::Setting`] if a weight is negative or not finite, or none is positive.
    pub fn with_class_weights(self, weights: Vec<f64>) -> Result<Self> {
        let good = weights.iter().all(|w| *w >= 0.0 && w.is_finite()) && weights.iter().any(|w| *w > 0.0);
        if !good {
            let why = format!("{weights:?} are not finite, at least 0, and one of them positive");
            return Err(Error::setting("class_weights", why));
        }
        Ok(CrossEntropy { class_weights: Some(weights), ..self }.renamed())
    }

    /// With a weight for each class by which all that occur in `data` count alike, however many samples they have:
    /// n/(k·nᵢ), with n samples, k classes that occur, and nᵢ samples of class i; 0 for a class that does not occur.
    /// The samples' own weights do not enter. scikit-learn calls it `class_weight="balanced"`.
    ///
    /// # Errors
    /// [`Error::Data`] if the data has no classes, or no samples.
    pub fn with_balanced_classes(self, data: &Dataset) -> Result<Self> {
        class_labels("balanced classes", data)?;
        let counts = data.class_counts();
        if data.is_empty() {
            return Err(Error::Data("there are no samples to balance classes by".into()));
        }
        let seen = counts.iter().filter(|count| **count > 0).count() as f64;
        let weight =
            |count: &usize| if *count == 0 { 0.0 } else { data.len() as f64 / (seen * *count as f64) };
        self.with_class_weights(counts.iter().map(weight).collect())
    }

    /// Whether its settings are in their ranges in `T` too: as an `f32`, a smoothing of 0.99999999999 is 1.
    ///
    /// # Errors
    /// [`Error::Setting`] that names the setting, its value and `T`.
    pub fn check<T: Float>(&self) -> Result<()> {
        settings::check::<T>("smoothing", self.smoothing, SMOOTHING).map(drop)
    }

    /// The weight of the class of each row of the data, of which only the ratios matter: the largest is 1, so that
    /// products with the samples' weights stay in the range.
    fn of_classes<'a>(&'a self, batch: &Batch<'a>) -> impl Fn(usize) -> f64 + use<'a> {
        let labels = batch.data().labels().unwrap_or_default();
        let largest = self.class_weights.iter().flatten().fold(0.0f64, |largest, w| Float::max(largest, *w));
        move |row| self.class_weights.as_ref().map_or(1.0, |weights| weights[labels[row]] / largest)
    }

    fn renamed(mut self) -> Self {
        let mut name = String::from("cross-entropy");
        if self.smoothing > 0.0 {
            name += &format!(", smoothing {}", self.smoothing);
        }
        if let Some(weights) = &self.class_weights {
            name += &format!(", class weights {weights:?}");
        }
        self.name = name;
        self
    }
}

impl<T: Float> Loss<T> for CrossEntropy {
    fn name(&self) -> &str {
        &self.name
    }

    fn outputs(&self, data: &Dataset) -> Result<usize> {
        self.check::<T>()?;
        // Of tokens, the mean is over all of them: rows of outputs and labels are as many.
        let classes = match data.labels_per_row() {
            1 => class_labels("cross-entropy", data)?,
            _ if self.class_weights.is_none() => data.classes(),
            _ => class_labels("a cross-entropy with class weights", data)?,
        };
        match &self.class_weights {
            Some(weights) if weights.len() != classes => Err(Error::setting(
                "class_weights",
                format!("{} for {}", count(weights.len(), "weight"), count(classes, "class")),
            )),
            _ => Ok(classes),
        }
    }

    fn forward(&self, tape: &mut Tape<T>, output: Var, batch: &Batch<'_>) -> Var {
        let labels = batch.labels();
        let smoothing = if batch.is_training() { self.smoothing } else { 0.0 };
        if batch.is_uniform() && self.class_weights.is_none() {
            return match smoothing {
                0.0 => tape.cross_entropy(output, labels),
                _ => tape.cross_entropy_smoothed(output, labels, T::of(smoothing)),
            };
        }
        let log_p = tape.log_softmax(output);
        let of_label = tape.pick_cols(log_p, labels);
        let mut losses = tape.scale(of_label, T::of(smoothing - 1.0));
        if smoothing > 0.0 {
            let spread = tape.mean_cols(log_p);
            let spread = tape.scale(spread, T::of(-smoothing));
            losses = tape.add(losses, spread);
        }
        if self.class_weights.is_none() {
            return batch.mean(tape, losses);
        }
        let factor = self.of_classes(batch);
        batch.weighted_mean(tape, losses, batch.total(&factor), &factor)
    }

    fn link(&self) -> Link {
        Link::Softmax
    }

    fn weight(&self, batch: &Batch<'_>) -> f64 {
        if self.class_weights.is_none() { batch.total_weight() } else { batch.total(self.of_classes(batch)) }
    }

    fn store(&self) -> Option<Settings> {
        Some(
            Settings::of("cross_entropy")
                .with("smoothing", self.smoothing)
                .with("class_weights", &self.class_weights),
        )
    }
}
