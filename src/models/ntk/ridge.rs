//! Ridge regression with the tangent kernel of a model.

use nalgebra::DMatrix;

use super::super::pool::Pool;
use super::empirical::for_gradients;
use super::linearization::outputs_after;
use super::{NtkOptions, Outputs, empirical_ntk};
use crate::linalg::{Cholesky, Matrix};
use crate::models::Scores;
use crate::models::kernel::{Counted, RidgeOptions, Samples};
use crate::nn::loss::Link;
use crate::nn::{Module, ModuleExt};
use crate::tape::Tape;
use crate::text::count;
use crate::{Dataset, Error, Float, Result};

/// A model linearised at its parameters θ₀ and fitted exactly: f(x; θ₀) + Θ̂(x, X)·(Θ̂ + nλI)⁻¹·(Y − f(X; θ₀)).
///
/// With λ → 0 it is what gradient flow on the squared error makes of the linear model in the end, and so, nearly, of
/// a wide network (Jacot et al., 2018; Lee et al., 2019). The fit is kept as a step in the parameters,
/// Σᵢ ∇f(xᵢ)·αᵢ, so that an answer takes k backward passes for a sample, however many samples there were.
///
/// ```
/// use nalgebra::DMatrix;
/// use tapegrad::models::kernel::{RidgeOptions, Samples};
/// use tapegrad::models::ntk::TangentRidge;
/// use tapegrad::models::{Fitted, Inputs, Mlp, Predictor};
/// use tapegrad::nn::Activation;
/// use tapegrad::rng::{Purpose, stream};
/// use tapegrad::{Dataset, Tape};
///
/// let train = Dataset::new(vec![-1.0, -0.5, 0.0, 0.5, 1.0], 1)?.with_targets(vec![-1.0, -0.6, 0.0, 0.6, 1.0], 1)?;
/// let mut tape = Tape::new();
/// let mlp = Mlp::new(&[1, 50, 1], Activation::Tanh).build(&mut tape, &mut stream(1, Purpose::Init))?;
/// let (x, y) = (Samples::from_dataset(&train)?, DMatrix::from_row_slice(5, 1, train.targets().expect("targets")));
/// let model = TangentRidge::fit(Box::new(mlp), &tape, &x, &y, RidgeOptions::new(1e-10))?;
/// let model = Fitted::regressor(model, Inputs::of(&train), &train)?;
/// assert!((model.predict(&[0.5])?[(0, 0)] - 0.6).abs() < 0.01);
/// # Ok::<(), tapegrad::Error>(())
/// ```
pub struct TangentRidge<T: Float> {
    model: Box<dyn Module<T>>,
    /// Of the parameters θ₀.
    tape: Tape<T>,
    step: Vec<T>,
    features: usize,
    pool: Pool<T>,
}

impl<T: Float> TangentRidge<T> {
    /// Fits `model`, at the parameters on `tape`, to targets `y`, n×k. Takes nk(nk + P) numbers of memory, where P is
    /// that of the parameters, or less with more work, and (nk)³/6 multiply-adds. Nothing on `tape` is changed. The
    /// [weights](super::super::kernel) of the samples count.
    ///
    /// # Errors
    /// [`Error::Data`] if samples, targets and model do not fit each other, or the kernel with its ridge is singular;
    /// [`Error::Setting`] if λ is out of range, or the kernel is beyond the memory; [`Error::NonFinite`] if the fit
    /// leaves the range of `T`.
    pub fn fit(
        model: Box<dyn Module<T>>,
        tape: &Tape<T>,
        x: &Samples<T>,
        y: &DMatrix<T>,
        options: RidgeOptions,
    ) -> Result<Self> {
        T::tangent_ridge(model, tape, x, y, options)
    }

    pub(crate) fn fit_of(
        model: Box<dyn Module<T>>,
        tape: &Tape<T>,
        x: &Samples<T>,
        y: &DMatrix<T>,
        options: RidgeOptions,
    ) -> Result<Self> {
        let (n, features) = (x.len(), x.features());
        options.check_lambda::<T>(n)?;
        if let Some(inputs) = model.inputs().filter(|inputs| *inputs != features) {
            let why =
                format!("{} takes {}, but there are {features}", model.describe(), count(inputs, "feature"));
            return Err(Error::Data(why));
        }
        let mut own = tape.clone_parameters();
        let k = model.outputs(&mut own, features);
        if y.shape() != (n, k) {
            let (rows, cols) = y.shape();
            let why = format!(
                "{rows}×{cols} targets for {} and a model of {}",
                count(n, "sample"),
                count(k, "output")
            );
            return Err(Error::Data(why));
        }
        let Counted { x, y, weights } = Counted::new(x, y)?;
        let (n, x, y) = (x.len(), &x, &*y);
        let mut theta =
            empirical_ntk(&*model, &mut own, x, NtkOptions::new(Outputs::All).with_memory(options.memory))?;
        // Row and column i·k + o are those of sample i.
        let weigh =
            |rows: &mut [T]| (0..n).for_each(|i| weights.scale_rows(i, k, &mut rows[i * k..(i + 1) * k]));
        if weights.are_some() {
            for (j, mut column) in theta.column_iter_mut().enumerate() {
                weigh(column.as_mut_slice());
                column *= weights.root(j / k);
            }
        }
        let ridge = T::of(options.ridge(n));
        (0..n * k).for_each(|i| theta[(i, i)] += ridge);
        let factor = Cholesky::new(theta).map_err(|error| {
            Error::Data(format!("tangent kernel with λ = {:e}: {error}; a larger λ may help", options.lambda))
        })?;
        let mut step = vec![T::ZERO; own.param_numbers()];
        let start = outputs_after(&*model, &mut own, &step, x);
        // Output o of sample i in row i·k + o.
        let mut alpha = DMatrix::from_iterator(n * k, 1, (y - start).transpose().iter().copied());
        weigh(alpha.as_mut_slice());
        factor.solve_in_place(&mut alpha);
        weigh(alpha.as_mut_slice());
        // In f64: a running sum of so many terms.
        let mut total = vec![0.0f64; step.len()];
        for i in 0..n {
            for_gradients(&*model, &mut own, x.rows().row(i), |o, _, gradient| {
                let alpha = alpha[i * k + o].to_f64();
                total.iter_mut().zip(gradient).for_each(|(total, g)| *total += alpha * g.to_f64());
            });
        }
        step.iter_mut().zip(total).for_each(|(step, total)| *step = T::of(total));
        own.rewind();
        if let Some(x) = step.iter().find(|x| !x.is_finite()) {
            return Err(Error::NonFinite(format!(
                "the fitted step in the parameters has met {x}: scale the targets, or use f64"
            )));
        }
        Ok(TangentRidge { model, tape: own, step, features, pool: Pool::default() })
    }

    /// θ − θ₀: as [`Tape::param_values`] has the parameters, with zeros for buffers.
    pub fn step(&self) -> &[T] {
        &self.step
    }

    /// The outputs, n×k.
    ///
    /// # Panics
    /// If the samples have another number of features.
    #[track_caller]
    pub fn predict(&self, x: &Samples<T>) -> DMatrix<T> {
        let (expected, found) = (self.features, x.features());
        assert!(
            expected == found,
            "the tangent model takes {}, but there are {found}",
            count(expected, "feature")
        );
        self.pool.with(&self.tape, |tape| outputs_after(&*self.model, tape, &self.step, x))
    }
}

impl<T: Float> Scores for TangentRidge<T> {
    fn describe(&self) -> String {
        format!("tangent kernel of {}", self.model.describe())
    }

    fn link(&self) -> Link {
        Link::Scores
    }

    fn scores(&self, data: &Dataset) -> Result<Matrix<f64>> {
        let (expected, found) = (self.features, data.features());
        if expected != found {
            let why = format!(
                "{} takes {}, but there are {found}",
                Scores::describe(self),
                count(expected, "feature")
            );
            return Err(Error::Data(why));
        }
        Ok(Matrix::from(&self.predict(&Samples::from_dataset(data)?).map(|x| x.to_f64())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::kernel::one_vs_rest;
    use crate::models::ntk::empirical_cross_ntk;
    use crate::models::{Fitted, Inputs, Mlp, Predictor};
    use crate::nn::{Activation, Sequential};
    use crate::rng::{Purpose, stream};

    fn network(sizes: &[usize], tape: &mut Tape<f64>) -> Sequential<f64> {
        Mlp::new(sizes, Activation::Tanh).build(tape, &mut stream(3, Purpose::Init)).unwrap()
    }

    fn samples(n: usize, d: usize, at: f64) -> Samples<f64> {
        Samples::new((0..n * d).map(|i| libm::sin(at + 1.7 * i as f64)).collect(), d).unwrap()
    }

    /// Against the formula, with the kernels between both sets.
    #[test]
    fn is_the_formula() {
        let mut tape = Tape::new();
        let model = network(&[3, 8, 2], &mut tape);
        let (x, test) = (samples(6, 3, 0.0), samples(4, 3, 0.4));
        let y = DMatrix::from_fn(6, 2, |i, j| libm::cos((i * 2 + j) as f64));
        let (lambda, all) = (0.01, NtkOptions::new(Outputs::All));
        let zeros = vec![0.0; tape.param_numbers()];
        let mut theta = empirical_ntk(&model, &mut tape, &x, all).unwrap();
        let cross = empirical_cross_ntk(&model, &mut tape, &test, &x, all).unwrap();
        (0..12).for_each(|i| theta[(i, i)] += 6.0 * lambda);
        let flat = |m: DMatrix<f64>| DMatrix::from_column_slice(m.len(), 1, m.transpose().as_slice());
        let start = outputs_after(&model, &mut tape, &zeros, &x);
        let alpha = theta.lu().solve(&flat(&y - start)).unwrap();
        let expected = flat(outputs_after(&model, &mut tape, &zeros, &test)) + cross * alpha;

        let fit = TangentRidge::fit(Box::new(model), &tape, &x, &y, RidgeOptions::new(lambda)).unwrap();
        let error = (flat(fit.predict(&test)) - expected).amax();
        assert!(error < 1e-10, "{error:e}");
    }

    #[test]
    fn without_a_ridge_it_meets_the_targets() {
        let mut tape = Tape::new();
        let model = network(&[2, 40, 1], &mut tape);
        let (x, y) = (samples(7, 2, 0.0), DMatrix::from_fn(7, 1, |i, _| (i % 3) as f64));
        let fit = TangentRidge::fit(Box::new(model), &tape, &x, &y, RidgeOptions::new(0.0)).unwrap();
        let error = (fit.predict(&x) - &y).amax();
        assert!(error < 1e-6, "{error:e}");
    }

    /// Asked as every other model; two threads at once give the bits of one.
    #[test]
    fn is_a_predictor() {
        let train = crate::data::synthetic::find("moons").unwrap();
        let (train, test) = (train.generate(80, 0.1, 1).unwrap(), train.generate(60, 0.1, 2).unwrap());
        let mut tape = Tape::new();
        let model = network(&[2, 60, 2], &mut tape);
        let y = one_vs_rest(train.labels().unwrap(), 2).unwrap();
        let x = Samples::from_dataset(&train).unwrap();
        let fit = TangentRidge::fit(Box::new(model), &tape, &x, &y, RidgeOptions::new(1e-6)).unwrap();
        let fit = Fitted::classifier(fit, Inputs::of(&train), &train).unwrap();
        assert!(fit.describe().starts_with("tangent kernel of "), "{}", fit.describe());
        let accuracy = fit.evaluate(&test).unwrap().accuracy().unwrap();
        assert!(accuracy > 0.9, "{accuracy}");
        let (alone, [a, b]) = (
            fit.scores(&test).unwrap(),
            std::thread::scope(|scope| {
                [(); 2]
                    .map(|()| scope.spawn(|| fit.scores(&test).unwrap()))
                    .map(|thread| thread.join().unwrap())
            }),
        );
        assert!(alone == a && alone == b);
        let error = fit.scores(&[1.0, 2.0, 3.0]).unwrap_err().to_string();
        assert!(error.contains('2') && error.contains('3'), "{error}");
    }

    #[test]
    fn what_does_not_fit_is_an_error_that_names_both_sides() {
        let fit = |sizes: &[usize], x: &Samples<f64>, y: &DMatrix<f64>, lambda| {
            let mut tape = Tape::new();
            let model = network(sizes, &mut tape);
            TangentRidge::fit(Box::new(model), &tape, x, y, RidgeOptions::new(lambda))
                .err()
                .unwrap()
                .to_string()
        };
        let (x, y) = (samples(3, 2, 0.0), DMatrix::from_element(3, 1, 1.0));
        assert!(fit(&[4, 2, 1], &x, &y, 0.1).contains("takes 4 features, but there are 2"));
        let error = fit(&[2, 2, 5], &x, &y, 0.1);
        assert!(error.contains("3×1 targets for 3 samples and a model of 5 outputs"), "{error}");
        assert!(fit(&[2, 2, 1], &x, &y, -1.0).contains("lambda"));
        // The same sample twice, without a ridge.
        let twice = Samples::new(vec![0.5; 4], 2).unwrap();
        let error = fit(&[2, 2, 1], &twice, &DMatrix::from_element(2, 1, 1.0), 0.0);
        assert!(error.contains("a larger λ may help"), "{error}");
    }
}
