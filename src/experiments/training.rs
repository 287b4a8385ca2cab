//! Networks in training, as most experiments need them.

use std::sync::Arc;

use super::Context;
use crate::models::Mlp;
use crate::nn::{Activation, Loss, Sequential, loss};
use crate::optim::Optimizer;
use crate::rng::{Purpose, derive, stream};
use crate::train::{Evaluation, FitOptions, History, Observer, Run, evaluate, fit};
use crate::{Dataset, Error, Float, Result, Tape, Var};

/// A network on its tape, and the loss that suits the data.
pub struct Net<T: Float> {
    pub tape: Tape<T>,
    pub model: Sequential<T>,
    pub loss: Arc<dyn Loss<T>>,
}

/// The widths of a network for some data, with these hidden layers.
pub fn widths(data: &Dataset, hidden: &[usize]) -> Vec<usize> {
    [&[data.features()], hidden, &[data.classes()]].concat()
}

impl<T: Float> Net<T> {
    /// A network of ReLUs with these hidden layers; its initial weights depend on the seed alone.
    pub fn relu(data: &Dataset, hidden: &[usize], seed: u64) -> Result<Net<T>> {
        Net::new(&Mlp::new(&widths(data, hidden), Activation::Relu), data, seed)
    }

    /// Any network.
    pub fn new(options: &Mlp, data: &Dataset, seed: u64) -> Result<Net<T>> {
        let mut tape = Tape::default();
        let model = options.build(&mut tape, &mut stream(seed, Purpose::Init))?;
        Ok(Net { tape, model, loss: loss::suited_to(data)? })
    }

    /// Trains it, and ends when somebody has asked for it.
    ///
    /// # Errors
    /// Those of [`fit`](fn@crate::train::fit), and [`Error::Interrupted`].
    pub fn fit(
        &mut self,
        context: &Context,
        optimizer: &mut Optimizer<T>,
        sets: (&Dataset, Option<&Dataset>),
        options: &FitOptions,
    ) -> Result<History> {
        self.fit_observed(context, optimizer, sets, options, None)
    }

    /// As [`fit`](Net::fit), with an observer: one that records, or [`Context::observer`], which moves the bar where
    /// this is all that is being done.
    ///
    /// # Errors
    /// As [`fit`](Net::fit).
    pub fn fit_observed(
        &mut self,
        context: &Context,
        optimizer: &mut Optimizer<T>,
        (train, validation): (&Dataset, Option<&Dataset>),
        options: &FitOptions,
        observer: Option<&mut dyn Observer<T>>,
    ) -> Result<History> {
        let Net { tape, model, loss } = self;
        let mut ends = Ends(context);
        let mut observers: Vec<&mut dyn Observer<T>> = vec![&mut ends];
        if let Some(observer) = observer {
            observers.push(observer);
        }
        let fitted = fit(model, &**loss, tape, optimizer, train, validation, options, &mut observers);
        context.check()?;
        fitted
    }

    /// Loss and accuracy on some data.
    pub fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation> {
        evaluate(&self.model, &*self.loss, &mut self.tape, data)
    }
}

/// Ends a run once somebody has asked for an end.
struct Ends<'a, 'b>(&'a Context<'b>);

impl<T: Float> Observer<T> for Ends<'_, '_> {
    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.0.stop_if_asked(run);
        Ok(())
    }
}

/// The seeds over which claims are judged: that of the run, of which single pictures are drawn, and others.
pub fn seeds(context: &Context) -> Vec<u64> {
    so_many_seeds(context, context.pick(5, 10))
}

/// As [`seeds`], where an experiment needs another number of them; one at least.
pub fn so_many_seeds(context: &Context, count: usize) -> Vec<u64> {
    let others = (1..count as u64).map(|k| derive(context.seed, k));
    std::iter::once(context.seed).chain(others).collect()
}

/// Seeds of repetitions of which none is drawn by itself: the seed of the run is none of them.
pub fn derived_seeds(context: &Context, count: u64) -> Vec<u64> {
    (0..count).map(|k| derive(context.seed, k)).collect()
}

/// `None` for what left the finite numbers, where that is a result and no failure.
pub fn unless_diverged<X>(result: Result<X>) -> Result<Option<X>> {
    match result {
        Ok(x) => Ok(Some(x)),
        Err(Error::NonFinite(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A step of gradient descent: the loss that `append` puts on the rewound tape, its gradient, and the step.
/// Returns the loss before it.
pub fn step<T: Float>(
    tape: &mut Tape<T>,
    optimizer: &mut Optimizer<T>,
    append: impl FnOnce(&mut Tape<T>) -> Var,
) -> Result<T> {
    tape.rewind();
    let loss = append(tape);
    tape.zero_grad();
    tape.backward(loss);
    let value = tape.item(loss);
    optimizer.step(tape)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::Sgd;

    #[test]
    fn a_step_tells_the_loss_before_it() {
        let mut tape = Tape::new();
        let w = tape.param_slice(1, 1, &[3.0]);
        let mut optimizer = Optimizer::new(Sgd, 0.25).unwrap();
        let losses = [(); 2].map(|()| step(&mut tape, &mut optimizer, |tape| tape.square(w)).unwrap());
        // w² with w ← w − ¼·2w: 3, 1.5, 0.75.
        assert_eq!((losses, tape.item(w)), ([9.0, 2.25], 0.75));
    }

    #[test]
    fn only_what_left_the_finite_numbers_is_none() {
        assert_eq!(unless_diverged(Ok(1)).unwrap(), Some(1));
        assert_eq!(unless_diverged::<i32>(Err(Error::NonFinite("far off".into()))).unwrap(), None);
        assert!(matches!(unless_diverged::<i32>(Err(Error::Interrupted)), Err(Error::Interrupted)));
    }
}
