//! Labels that are wrong: what λ, and what number of steps of descent, is best for kernel ridge regression then.

mod report;

use std::sync::Arc;

use nalgebra::DMatrix;
use rand::{Rng, RngExt};

use super::models::families::choose;
use super::prelude::*;
use crate::linalg::{Mat, gemm};
use crate::metrics::argmax;
use crate::models::kernel::{Rbf, RidgePath, Samples, cross_gram, lambda_grid, one_vs_rest};

pub const EXPERIMENT: Experiment = Experiment {
    name: "label-noise",
    title: "Wrong labels",
    question: "How much more regularisation do wrong labels need, and does early stopping do as well?",
    theory: &[
        "In a direction of eigenvalue $σ$, kernel ridge regression keeps a share ${σ}/{σ+nλ}$ of the \
         targets. The part of the noise that is kept is variance. The part of the truth that is lost is \
         bias. So with more noise the best $λ$ grows. In a direction where the truth has variance $τ²$ and \
         the noise $s²$, it is best to keep ${τ²}/{τ²+s²}$. So the best ridge for that direction is \
         proportional to $s²$.",
        "Gradient descent on the coefficients, stopped after $t$ steps of rate $η$, keeps $1−(1−ησ)^t$. \
         That is a similar filter, with $1/(ηt)$ in the place of $nλ$ (Yao, Rosasco and Caponnetto, \"On \
         Early Stopping in Gradient Descent Learning\", 2007).",
    ],
    parts: Parts::of::<Noise>(),
    finding,
};

/// Shares of the training labels that are replaced by one of the other classes.
const LEVELS: [f64; 4] = [0.0, 0.1, 0.25, 0.5];
/// From 10⁻¹⁰ to 1, four to a power of ten.
const LAMBDAS: usize = 41;

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Noise {
    data: String,
    samples: usize,
    tested: usize,
    gamma: f64,
    lambdas: Vec<f64>,
    /// For each share of wrong labels.
    levels: Vec<Level>,
}

#[derive(Serialize, Deserialize)]
struct Level {
    wrong: f64,
    seeds: Vec<Run>,
}

/// What one seed gave.
#[derive(Serialize, Deserialize)]
struct Run {
    /// For each λ.
    ridge: Vec<Errors>,
    /// For each λ the descent that is stopped where 1/(ηt) = nλ.
    stopped: Vec<Errors>,
    /// The mean squared leave-one-out residual for each λ, on the wrong labels as they are.
    leave_one_out: Vec<f64>,
}

/// On test samples with right labels.
#[derive(Serialize, Deserialize)]
struct Errors {
    /// Mean square of the scores' distance to what the noisy targets are on average, over all classes.
    square: f64,
    accuracy: f64,
}

impl Run {
    /// The place of the best λ on the test samples.
    fn best(rows: &[Errors]) -> usize {
        last_of_the_least(&rows.iter().map(|row| row.square).collect::<Vec<_>>())
    }

    /// The place of the best λ by leaving one out.
    fn chosen(&self) -> usize {
        last_of_the_least(&self.leave_one_out)
    }
}

/// What is called the best: the last place of those whose error is within 1 % of the least, which is that of the
/// largest λ. Without noise all small λ are as good, and which of them is best by a hair says nothing.
fn last_of_the_least(errors: &[f64]) -> usize {
    let most = 1.01 * range(errors.iter().copied()).0;
    errors.iter().rposition(|error| *error <= most).unwrap_or(0)
}

impl Study for Noise {
    fn measure(context: &Context) -> Result<Noise> {
        let count = context.pick(8, 10);
        context.at(0, 10, "the kernel's width")?;
        let (train, test) = (&context.data.train, &context.data.test);
        if train.classes() < 2 {
            return Err(Error::Data(
                "a wrong label is the label of another class, so at least two classes are needed".into(),
            ));
        }
        let gamma = choose::<f64>(context, train, 500, 4)?.gamma;
        let samples = context.pick(500, 1000).min(train.len());
        let lambdas = lambda_grid(1e-10, 1.0, LAMBDAS)?;
        let mut levels: Vec<Level> =
            LEVELS.iter().map(|wrong| Level { wrong: *wrong, seeds: vec![] }).collect();
        let seeds = derived_seeds(context, count);
        let one = |seed: &u64| {
            let part = super::kernel_approximations::drawn(train, samples, *seed);
            of_seed(context, &part, test, gamma, &lambdas, *seed)
        };
        for runs in context.side_by_side(1..10, 10, "wrong labels", &seeds, one)? {
            levels.iter_mut().zip(runs).for_each(|(level, run)| level.seeds.push(run));
        }
        Ok(Noise { data: context.data.name.clone(), samples, tested: test.len(), gamma, lambdas, levels })
    }

    fn report(&self) -> Outcome {
        report::all(self)
    }
}

/// The labels, of which so large a share is replaced: which, and by what, the seed decides. A larger share replaces
/// those of a smaller one as well.
fn with_noise(labels: &[usize], classes: usize, wrong: f64, seed: u64) -> Vec<usize> {
    let mut rng = stream(seed, Purpose::Augmentation);
    let mut replaced = |label: usize| {
        let drawn: f64 = rng.random_range(0.0..1.0);
        let by = 1 + rng.next_u32() as usize % (classes - 1);
        if drawn < wrong { (label + by) % classes } else { label }
    };
    labels.iter().map(|label| replaced(*label)).collect()
}

/// All levels at once: the kernel matrix, and its eigenvectors, are the same for all.
fn of_seed(
    context: &Context,
    train: &Dataset,
    test: &Dataset,
    gamma: f64,
    lambdas: &[f64],
    seed: u64,
) -> Result<Vec<Run>> {
    let (n, classes) = (train.len(), train.classes());
    let (labels, truth) = (train.labels().unwrap_or_default(), test.labels().unwrap_or_default());
    let kernel = Arc::new(Rbf::new(gamma)?);
    let (x, at) = (Samples::<f64>::from_dataset(train)?, Samples::<f64>::from_dataset(test)?);
    let mut targets = Vec::with_capacity(n * classes * LEVELS.len());
    for wrong in LEVELS {
        let y: DMatrix<f64> = one_vs_rest(&with_noise(labels, classes, wrong, seed), classes)?;
        targets.extend_from_slice(y.as_slice());
    }
    let columns = classes * LEVELS.len();
    let y = DMatrix::from_vec(n, columns, targets);
    let path = RidgePath::new(kernel.as_ref(), &x, &y, 1 << 32)?;
    context.check()?;
    let across = cross_gram(kernel.as_ref(), &at, &x).transpose();
    // Of descent: Qᵀy, and K(test, x)·Q.
    let (values, vectors) = (&path.eigen().values, &path.eigen().vectors);
    let projected = product(vectors.as_slice(), n, n, y.as_slice(), columns);
    let seen = product(across.as_slice(), at.len(), n, vectors.as_slice(), n);
    let rate = 1.0 / range(values.iter().copied()).1;

    let empty = || Run { ridge: vec![], stopped: vec![], leave_one_out: vec![] };
    let mut runs: Vec<Run> = LEVELS.iter().map(|_| empty()).collect();
    for lambda in lambdas {
        context.check()?;
        let point = path.at(*lambda)?;
        // A column of α after the other, as rows of the transpose.
        let ridge = product(across.as_slice(), at.len(), n, point.alpha.as_slice(), columns);
        let steps = 1.0 / (rate * n as f64 * lambda);
        let mut coefficients = projected.clone();
        for (row, value) in coefficients.chunks_exact_mut(columns).zip(values) {
            let factor = filter(*value, rate, steps);
            row.iter_mut().for_each(|c| *c *= factor);
        }
        let mut stopped = vec![0.0; at.len() * columns];
        gemm(&mut stopped, false, Mat::new(&seen, at.len(), n), Mat::new(&coefficients, n, columns));
        for (k, run) in runs.iter_mut().enumerate() {
            let level = k * classes..(k + 1) * classes;
            run.ridge.push(errors(&ridge, columns, level.clone(), truth, LEVELS[k]));
            run.stopped.push(errors(&stopped, columns, level.clone(), truth, LEVELS[k]));
            let residuals =
                level.map(|c| point.leave_one_out_residuals.column(c).norm_squared()).sum::<f64>();
            run.leave_one_out.push(residuals / (n * classes) as f64);
        }
    }
    Ok(runs)
}

/// A·Bᵀ, row-major, for A of `rows` rows and B of `columns` rows of n numbers.
fn product(a: &[f64], rows: usize, n: usize, b: &[f64], columns: usize) -> Vec<f64> {
    let mut out = vec![0.0; rows * columns];
    gemm(&mut out, false, Mat::new(a, rows, n), Mat::new(b, columns, n).t());
    out
}

/// (1 − (1 − ησ)^t)/σ: what descent from 0 makes of a target in a direction of eigenvalue σ, as a coefficient. An
/// eigenvalue that rounding left below 0 counts as 0, where the limit is ηt.
fn filter(value: f64, rate: f64, steps: f64) -> f64 {
    let left = 1.0 - rate * value;
    match value {
        value if value <= 0.0 => rate * steps,
        _ if left <= 0.0 => 1.0 / value,
        value => -Float::exp_m1(steps * Float::ln_1p(-rate * value)) / value,
    }
}

/// Of the scores of some columns, learnt with that share of wrong labels. There the target of a sample's own class is
/// 1 − 2w on average, and that of each other class 2w/(c − 1) − 1: that is what there is to be learnt.
fn errors(scores: &[f64], columns: usize, of: std::ops::Range<usize>, truth: &[usize], wrong: f64) -> Errors {
    let (mut squares, mut right) = (0.0, 0);
    let (own, other) = (1.0 - 2.0 * wrong, 2.0 * wrong / (of.len() as f64 - 1.0) - 1.0);
    for (row, label) in scores.chunks_exact(columns).zip(truth) {
        let row = &row[of.clone()];
        for (class, score) in row.iter().enumerate() {
            let off = score - if class == *label { own } else { other };
            squares += off * off;
        }
        right += usize::from(argmax(row) == Some(*label));
    }
    let count = truth.len() as f64;
    Errors { square: squares / (count * of.len() as f64), accuracy: right as f64 / count }
}

fn finding(found: &Found) -> Told {
    let lambdas: Vec<(&str, f64)> = found.all("", " wrong: log10 of the best λ").collect();
    let accuracies: Vec<(&str, f64)> = found.all("", " wrong: accuracy at the best λ").collect();
    let stopped: Vec<(&str, f64)> = found.all("", " wrong: accuracy of descent").collect();
    let ((_, clean), (share, noisy)) = (lambdas.first()?, lambdas.last()?);
    let lambda = |log: f64| scientific(Float::powf(10.0, log), 1);
    Some((
        "error",
        format!(
            "With {share} of wrong labels the λ with the smallest squared error is {}, without any it is {}",
            lambda(*noisy),
            lambda(*clean)
        ),
        format!(
            "With {share} of wrong labels {} of new digits are still right, without any {}: a smoother fit \
             averages the wrong labels out. The λ that is best for right labels would lose {} there. \
             Descent stopped at its best step reaches {}.",
            percent(accuracies.last()?.1),
            percent(accuracies.first()?.1),
            points(found.number("accuracy that the λ of right labels costs")?),
            percent(stopped.last()?.1)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_that_of_the_steps() {
        let (value, rate) = (0.3, 0.5);
        let mut coefficient = 0.0;
        for steps in 1..=5 {
            // Descent on ½σc² − c towards a target of 1: c ← c − η(σc − 1).
            coefficient -= rate * (value * coefficient - 1.0);
            let found = filter(value, rate, f64::from(steps));
            assert!((found - coefficient).abs() < 1e-14, "{found} {coefficient}");
        }
        assert_eq!(filter(-1e-20, rate, 7.0), 3.5);
        assert!((filter(1e-13, rate, 7.0) - 3.5).abs() < 1e-10);
        assert_eq!(filter(2.0, rate, 7.0), 0.5);
    }

    #[test]
    fn as_many_labels_are_wrong_as_is_said() {
        let labels: Vec<usize> = (0..4000).map(|i| i % 10).collect();
        let wrong = |share: f64| -> Vec<usize> {
            let noisy = with_noise(&labels, 10, share, 3);
            (0..labels.len()).filter(|i| noisy[*i] != labels[*i]).collect()
        };
        assert!(wrong(0.0).is_empty() && wrong(1.0).len() == labels.len());
        let (few, many) = (wrong(0.1), wrong(0.5));
        assert!((350..450).contains(&few.len()) && (1900..2100).contains(&many.len()));
        assert!(few.iter().all(|i| many.contains(i)));
    }
}
