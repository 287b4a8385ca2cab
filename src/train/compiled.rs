//! What is compiled once for each type of numbers.

use super::{Evaluation, FitOptions, History, Observer, evaluate, fit};
use crate::compiled::compiled_once;
use crate::metrics::SeenClasses;
use crate::nn::{Loss, Module};
use crate::optim::Optimizer;
use crate::{Dataset, Result, Tape};

compiled_once! {
    /// Training, and what it measures.
    Compiled:
    fn fit(
        module: &dyn Module<Self>,
        loss: &dyn Loss<Self>,
        tape: &mut Tape<Self>,
        optimizer: &mut Optimizer<Self>,
        train: &Dataset,
        validation: Option<&Dataset>,
        options: &FitOptions,
        observers: &mut [&mut dyn Observer<Self>],
    ) -> Result<History> = fit::fit_of;
    fn evaluate(
        module: &dyn Module<Self>,
        loss: &dyn Loss<Self>,
        tape: &mut Tape<Self>,
        data: &Dataset,
        seen: &SeenClasses,
        outputs: &mut dyn FnMut(&[Self]),
    ) -> Result<Evaluation> = evaluate::evaluate_of;
}
