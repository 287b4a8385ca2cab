//! The layer of batch normalisation.

use super::layer_norm::ones_and_zeros;
use super::{Mode, Module};
use crate::settings::{self, Range};
use crate::store::Settings;
use crate::tape::{Param, Tape, Var};
use crate::text::count;
use crate::{Float, Result};

/// Batch normalisation with a scale γ and a shift β that are learnt, and running statistics for evaluation.
///
/// In training a batch is normalised by its own means and population variances
/// ([`Tape::batch_statistics`]), and these are taken in: r ← (1 − ρ)r + ρs with the momentum ρ. In
/// evaluation any number of samples is normalised by what has been taken in. As in PyTorch, the means
/// begin at 0 and the variances at 1, and the variance that is taken in is the sample variance
/// m/(m − 1)·σ². A batch whose mean is not finite, or that has a NaN, changes nothing. A variance that overflows while the
/// mean is finite is taken in, and the training ends with an error. Ioffe and Szegedy, *Batch Normalization*,
/// arXiv:1502.03167.
///
/// The running statistics are a [buffer](Tape::buffer_with) on the tape, so that they are saved, restored
/// and averaged with the parameters.
///
/// ```
/// use tapegrad::Tape;
/// use tapegrad::nn::{BatchNorm, Mode, Module};
/// use tapegrad::rng::Place;
///
/// let mut tape = Tape::new();
/// let norm = BatchNorm::new(&mut tape, 1, 1.0, 1e-9)?;
/// let x = tape.constant_slice(2, 1, &[3.0, 5.0]);
/// let y = norm.forward(&mut tape, x, &mut Mode::training(Place::default()));
/// assert!((tape.value(y)[(1, 0)] - 1.0).abs() < 1e-8);
/// // The sample variance of 3 and 5 is 2.
/// assert_eq!(tape.value_slice(norm.running), [4.0, 2.0]);
/// let y = norm.forward(&mut tape, x, &mut Mode::evaluation());
/// assert!((tape.value(y)[(1, 0)] - 0.5f64.sqrt()).abs() < 1e-8);
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// The scale γ, 1×n.
    pub gamma: Param,
    /// The shift β, 1×n.
    pub beta: Param,
    /// The running means, and below them the variances: a buffer of 2×n.
    pub running: Param,
    momentum: f64,
    epsilon: f64,
    columns: usize,
}

impl BatchNorm {
    /// For n columns, with γ = 1 and β = 0; momentum ρ = 0.1 and ε = 10⁻⁵ are usual.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if ρ is not in [0, 1], or ε not positive and finite, as given or
    /// in the type of the tape.
    ///
    /// # Panics
    /// If something other than a parameter is on the tape already.
    #[track_caller]
    pub fn new<T: Float>(tape: &mut Tape<T>, columns: usize, momentum: f64, epsilon: f64) -> Result<Self> {
        settings::check::<T>("momentum", momentum, Range::SHARE)?;
        settings::check::<T>("eps", epsilon, Range::POSITIVE)?;
        let (gamma, beta) = ones_and_zeros(tape, columns);
        let running = tape.buffer_with(2, columns, |to| to[columns..].fill(T::ONE));
        Ok(BatchNorm { gamma, beta, running, momentum, epsilon, columns })
    }

    fn take_in<T: Float>(&self, running: &mut [T], statistics: &[T], rows: usize) {
        let unbiased = T::of(rows as f64 / (rows as f64 - 1.0));
        let (keep, momentum) = (T::ONE - T::of(self.momentum), T::of(self.momentum));
        let columns = running.len() / 2;
        // A batch that is not finite itself must not spoil them for good: its step is going to be left out. Of
        // numbers whose variance alone leaves the range of the type, the running one does as well, which the
        // training tells.
        if !statistics[..columns].iter().all(|mean| mean.is_finite()) || statistics.iter().any(|s| s.is_nan())
        {
            return;
        }
        for (j, (value, new)) in running.iter_mut().zip(statistics).enumerate() {
            let new = if j < columns { *new } else { unbiased * *new };
            *value = keep * *value + momentum * new;
        }
    }
}

impl<T: Float> Module<T> for BatchNorm {
    fn describe(&self) -> String {
        format!("batch norm {}", self.columns)
    }

    /// Normalises m×n: by the batch itself in training, which is taken in, and by the running statistics
    /// in evaluation.
    ///
    /// # Panics
    /// For a single sample in training, as [`Tape::batch_statistics`]; if `x` is stale or does not have n
    /// columns.
    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        let found = tape.shape_for("BatchNorm", x);
        assert!(
            found.cols == self.columns,
            "BatchNorm: {x} is {found}, but the statistics are of {}",
            count(self.columns, "column")
        );
        let statistics = if mode.is_training() {
            let statistics = tape.batch_statistics(x);
            tape.update_buffer(self.running, statistics, |running, new| {
                self.take_in(running, new, found.rows);
            });
            statistics
        } else {
            self.running.var()
        };
        tape.batch_norm(x, statistics, self.gamma, self.beta, T::of(self.epsilon))
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        visit("gamma", self.gamma);
        visit("beta", self.beta);
        visit("running", self.running);
    }

    fn keeps_width(&self) -> bool {
        true
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.columns)
    }

    fn least_batch(&self) -> usize {
        2
    }

    fn store(&self) -> Option<Settings> {
        Some(Settings::of("batch_norm").with("momentum", self.momentum).with("epsilon", self.epsilon))
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{DMatrix, dmatrix};

    use super::BatchNorm;
    use crate::nn::{Mode, Module};
    use crate::ops::testing::{UPSTREAM, filled};
    use crate::optim::{Adam, Optimizer};
    use crate::rng::Place;
    use crate::{Error, Tape, Var};

    fn train(norm: &BatchNorm, tape: &mut Tape, x: Var) -> Var {
        norm.forward(tape, x, &mut Mode::training(Place::default()))
    }

    #[track_caller]
    fn close(found: &[f64], expected: &[f64]) {
        let error = found.iter().zip(expected).fold(0.0f64, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(found.len() == expected.len() && error < 1e-12, "{error:e}: {found:?}");
    }

    /// With the scale and shift of the figures below.
    fn layer(tape: &mut Tape) -> BatchNorm {
        let norm = BatchNorm::new(tape, 3, 0.1, 1e-5).unwrap();
        for (param, values) in [(norm.gamma, [1.5, -0.5, 2.0]), (norm.beta, [0.1, -0.2, 0.3])] {
            tape.slots().filter(|s| s.param == param).for_each(|s| s.values.copy_from_slice(&values));
        }
        norm
    }

    #[test]
    fn figures_of_pytorch() {
        let mut tape = Tape::new();
        let norm = layer(&mut tape);
        let x = tape.variable(&filled(4, 3));
        let y = train(&norm, &mut tape, x);
        tape.backward_slice(y, &UPSTREAM);
        close(
            tape.value_slice(y),
            &[
                -0.09026814099032128,
                -0.8411460874574875,
                3.141720410702262,
                -0.7261872200595393,
                -0.4368100342251881,
                0.9701040760284413,
                -1.3621062991287562,
                -0.032473980992889735,
                -0.6472401369007541,
                2.5785616601786168,
                0.5104301026755653,
                -2.264584349829949,
            ],
        );
        close(
            tape.grad_slice(x),
            &[
                1.2856144100812563,
                4.923697305370481e-05,
                0.13573860830170556,
                1.75843044717187,
                1.819037761754731e-05,
                -0.20458644391401054,
                -2.3453405541141104,
                -1.2856217819052492e-05,
                -0.045246202767235344,
                -0.6987043031390157,
                -5.457113285229578e-05,
                0.11409403837953985,
            ],
        );
        close(tape.grad_slice(norm.gamma), &[-0.7061365260066073, -1.4432232414522783, -1.3011372209171663]);
        close(tape.grad_slice(norm.beta), &[-0.0892239999999993, -1.1334959999999992, 2.2222320000000018]);
        close(
            &tape.value_slice(norm.running)[..3],
            &[-0.036269408999999975, 0.042337389, -0.03905581299999999],
        );
        close(
            &tape.value_slice(norm.running)[3..],
            &[0.9631636508385872, 0.9173587840385873, 0.9173587840385873],
        );

        let other = tape.constant(&(filled(4, 3) * 2.0).add_scalar(1.0));
        train(&norm, &mut tape, other);
        close(
            &tape.value_slice(norm.running)[..3],
            &[-0.005181286099999929, 0.2227784281, -0.01326185769999996],
        );
        close(
            &tape.value_slice(norm.running)[3..],
            &[1.1195018891090773, 0.8950580417890778, 0.8950580417890777],
        );

        tape.zero_grad();
        let before = tape.value(norm.running).to_dmatrix();
        let y = norm.forward(&mut tape, x, &mut Mode::evaluation());
        tape.backward_slice(y, &UPSTREAM);
        close(
            tape.value_slice(y),
            &[
                -0.530608694241009,
                -0.5505460963405046,
                0.586229000965262,
                -0.9442808861502688,
                -0.3963329484512687,
                -0.24202212405952406,
                -1.3579530780595281,
                -0.24211980056203322,
                -0.8588747156164659,
                1.2054937597036683,
                -0.03505701930583648,
                -1.4757273071734076,
            ],
        );
        close(
            tape.grad_slice(x),
            &[
                0.8364286797651193,
                0.394294202668214,
                0.2491627674865371,
                1.250100786613836,
                0.24008108648875817,
                0.8660152322043595,
                -1.3133461362099055,
                0.08586797030930257,
                1.482867696922184,
                -0.8996740293611893,
                -0.12119477923711387,
                2.099720161640008,
            ],
        );
        close(tape.grad_slice(norm.gamma), &[-0.4292013657200345, -0.7907759344246496, -1.3824765050972614]);
        close(tape.grad_slice(norm.beta), &[-0.0892239999999993, -1.1334959999999992, 2.2222320000000018]);
        assert_eq!(tape.value(norm.running), before);
        assert!(!tape.is_trained(norm.running));
    }

    #[test]
    fn columns_have_mean_zero_and_variance_one() {
        let mut tape = Tape::new();
        let norm = BatchNorm::new(&mut tape, 6, 0.1, 1e-12).unwrap();
        // Far from zero: the mean is taken away before anything is squared.
        let x = tape.constant(&filled(50, 6).map(|x| 1e6 + x));
        let y = train(&norm, &mut tape, x);
        for column in tape.value(y).to_dmatrix().column_iter() {
            assert!(column.mean().abs() < 1e-8 && (column.variance() - 1.0).abs() < 1e-9, "{column}");
        }
        // The same batch over and over: what is taken in converges to its statistics.
        for _ in 0..400 {
            train(&norm, &mut tape, x);
        }
        let again = norm.forward(&mut tape, x, &mut Mode::evaluation());
        let shrunk = tape.value(y).to_dmatrix() * (49.0f64 / 50.0).sqrt();
        assert!((tape.value(again).to_dmatrix() - shrunk).abs().max() < 1e-7);
    }

    #[test]
    fn no_optimizer_touches_the_statistics() {
        let mut tape = Tape::new();
        let norm = BatchNorm::new(&mut tape, 3, 0.1, 1e-5).unwrap();
        let after = tape.param(&DMatrix::from_element(3, 1, 1.0));
        let optimizer = Optimizer::new(Adam::default(), 0.1).unwrap();
        let mut optimizer = optimizer.with_weight_decay(0.5).unwrap();
        let x = tape.constant(&filled(4, 3));
        let y = train(&norm, &mut tape, x);
        let y = tape.matmul(y, after);
        let loss = tape.mean(y);
        tape.backward(loss);
        let before = tape.value(norm.running).to_dmatrix();
        optimizer.step(&mut tape).unwrap();
        assert_eq!(tape.value(norm.running), before);
        assert_ne!(tape.value(after), dmatrix![1.0; 1.0; 1.0]);
    }

    #[test]
    fn one_sample_in_evaluation() {
        let mut tape = Tape::new();
        let norm = BatchNorm::new(&mut tape, 1, 0.1, 1e-5).unwrap();
        let x = tape.constant(&filled(1, 1));
        let y = norm.forward(&mut tape, x, &mut Mode::evaluation());
        assert!(tape.item(y).is_finite());
    }

    #[test]
    #[should_panic(expected = "is 1×3, but batch normalisation needs at least two samples")]
    fn one_sample_in_training() {
        let mut tape = Tape::new();
        let norm = BatchNorm::new(&mut tape, 3, 0.1, 1e-5).unwrap();
        let x = tape.constant(&filled(1, 3));
        train(&norm, &mut tape, x);
    }

    #[test]
    #[should_panic(expected = "BatchNorm: v3 is 2×3, but the statistics are of 4 columns")]
    fn statistics_of_another_layer() {
        let mut tape = Tape::new();
        let norm = BatchNorm::new(&mut tape, 4, 0.1, 1e-5).unwrap();
        let x = tape.constant(&filled(2, 3));
        train(&norm, &mut tape, x);
    }

    #[test]
    fn settings_out_of_range() {
        for (momentum, epsilon, expected) in [
            (-0.1, 1e-5, "momentum"),
            (1.5, 1e-5, "momentum"),
            (f64::NAN, 1e-5, "momentum"),
            (0.1, 0.0, "eps"),
            (0.1, 1e-60, "eps"),
        ] {
            match BatchNorm::new(&mut Tape::<f32>::default(), 3, momentum, epsilon) {
                Err(Error::Setting { name, .. }) => assert_eq!(name, expected),
                other => panic!("{other:?}"),
            }
        }
    }
}
