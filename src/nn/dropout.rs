//! The layer of dropout.

use super::Mode;
use super::module::Module;
use crate::settings::{self, Range};
use crate::store::Settings;
use crate::tape::{Tape, Var};
use crate::{Float, Result};

/// [`Tape::dropout`] in training, and nothing in evaluation.
///
/// It may be used with the other type of numbers as well, if p is in its range there too: 1 − 10⁻¹² is 1 in `f32`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    p: f64,
    /// The type of numbers that p was checked for.
    made_for: &'static str,
}

const RANGE: Range = Range { text: "in the range 0 ≤ p < 1", ..Range::BELOW_ONE };

impl Dropout {
    /// Drops each entry with probability p.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if p is not in [0, 1), as given or in `T`.
    pub fn new<T: Float>(p: f64) -> Result<Self> {
        Ok(Dropout { p: settings::check::<T>("dropout", p, RANGE)?, made_for: T::NAME })
    }
}

impl<T: Float> Module<T> for Dropout {
    fn describe(&self) -> String {
        format!("dropout {}", self.p)
    }

    fn keeps_width(&self) -> bool {
        true
    }

    /// # Panics
    /// If p is not in [0, 1) in `T`, which is another type than that of [`new`](Self::new).
    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        // In evaluation as well: a network is run there once when it is made, long before a training comes here.
        if let Err(error) = settings::check::<T>("Dropout", self.p, RANGE) {
            let (name, made_for) = (T::NAME, self.made_for);
            panic!("{error}; it was made by Dropout::new::<{made_for}>, but is used with {name}");
        }
        if self.p == 0.0 || !mode.is_training() {
            return x;
        }
        tape.dropout(x, T::of(self.p), &mut mode.rng())
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("dropout").with("p", self.p))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Place;

    fn run<T: Float>(dropout: Dropout, mut mode: Mode) -> Vec<T> {
        let mut tape = Tape::<T>::default();
        let x = tape.constant_slice(1, 4, &[T::ONE; 4]);
        let y = dropout.forward(&mut tape, x, &mut mode);
        tape.value_slice(y).to_vec()
    }

    #[test]
    fn the_other_type_will_do_where_p_is_in_range() {
        let (single, double) = (Dropout::new::<f32>(0.5).unwrap(), Dropout::new::<f64>(0.5).unwrap());
        let training = || Mode::training(Place::default());
        assert_eq!(run::<f32>(single, training()), run::<f32>(double, training()));
        assert_eq!(run::<f64>(single, training()), run::<f64>(double, training()));
    }

    #[test]
    #[should_panic(
        expected = "0.999999999999 is 1 as f32, though it is to be in the range 0 ≤ p < 1: f64 holds such numbers; \
                    it was made by Dropout::new::<f64>, but is used with f32"
    )]
    fn a_probability_that_is_one_in_the_other_type() {
        run::<f32>(Dropout::new::<f64>(1.0 - 1e-12).unwrap(), Mode::evaluation());
    }

    #[test]
    #[should_panic(expected = "1e-50 is 0 as f32")]
    fn a_probability_that_is_none_in_the_other_type() {
        run::<f32>(Dropout::new::<f64>(1e-50).unwrap(), Mode::training(Place::default()));
    }
}
