//! Which samples become the centres of an approximation.

use std::sync::Arc;

use rand::RngExt;
use rand::seq::index;

use super::functions::Kernel;
use super::gram::{check_kernel, cross_block, gram_diagonal, gram_lower};
use super::machine::block_rows;
use super::options::check_lambda;
use super::samples::Samples;
use super::weights::only_counted;
use crate::linalg::{Cholesky, norm_squared};
use crate::rng::{Purpose, stream};
use crate::{Error, Float, Result};

/// How centres are drawn, without replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Centres {
    /// Each sample is as likely as any other, whatever its weight; but one of weight 0 is never drawn.
    Uniform,
    /// In proportion to approximate [leverage scores](leverage_scores) from so many pilot samples: rare
    /// kinds of samples come in before more of the common ones.
    LeverageScores {
        /// Number of pilot samples, drawn uniformly.
        pilots: usize,
    },
}

impl Centres {
    /// `count` row numbers, ascending.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are not as many samples, `count` is 0, or as [`leverage_scores`].
    pub(super) fn choose<T: Float>(
        self,
        kernel: &Arc<dyn Kernel<T>>,
        x: &Samples<T>,
        count: usize,
        lambda: f64,
        seed: u64,
    ) -> Result<Vec<usize>> {
        let n = x.len();
        check_count("centres", count, n)?;
        let mut chosen = match self {
            Centres::Uniform => uniform(n, count, seed),
            Centres::LeverageScores { pilots } => {
                let scores = leverage_scores(kernel.as_ref(), x, lambda, pilots, seed)?;
                weighted(&scores, count, seed)
            }
        };
        chosen.sort_unstable();
        Ok(chosen)
    }
}

/// An error unless `count` is from 1 to n.
pub(super) fn check_count(name: &'static str, count: usize, n: usize) -> Result<()> {
    if (1..=n).contains(&count) {
        return Ok(());
    }
    Err(Error::setting(name, format!("{count}: must be from 1 to the number of samples, {n}")))
}

fn uniform(n: usize, count: usize, seed: u64) -> Vec<usize> {
    index::sample(&mut stream(seed, Purpose::Subsample), n, count).into_vec()
}

/// Draws without replacement in proportion to weights: the largest of uᵢ^(1/wᵢ), u uniform in (0, 1)
/// (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006).
fn weighted(weights: &[f64], count: usize, seed: u64) -> Vec<usize> {
    let mut rng = stream(seed, Purpose::Subsample);
    // The pilots came from the start of the stream.
    rng.set_word_pos(1 << 40);
    let mut keys: Vec<(f64, usize)> = weights
        .iter()
        .enumerate()
        .map(|(i, weight)| {
            let u: f64 = rng.random_range(f64::MIN_POSITIVE..1.0);
            (Float::ln(u) / weight.max(f64::MIN_POSITIVE), i)
        })
        .collect();
    keys.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    keys[..count].iter().map(|(_, i)| *i).collect()
}

/// Approximate ridge leverage scores ℓᵢ = (K(K + nλI)⁻¹)ᵢᵢ, whose sum is the effective dimension:
/// ℓ̃ᵢ = (k(xᵢ, xᵢ) − kᵢᵀ(K_SS + |S|λI)⁻¹kᵢ)/(nλ), from uniformly drawn pilot samples S.
///
/// A score below ε·k(xᵢ, xᵢ)/(nλ) is rounding. Never below the true score (up to the chance of the draw), and equal to it where S is all samples
/// (Alaoui and Mahoney, "Fast randomized kernel ridge regression with statistical guarantees", 2015; Musco
/// and Musco, "Recursive sampling for the Nyström method", 2017).
///
/// With weights ωᵢ, divided by their mean, K is the matrix of √ωᵢ·Kᵢⱼ·√ωⱼ, and the pilots' ridge is λ times the sum of
/// theirs: a sample of weight 2 has the score of two. The score of a sample of weight 0 is 0, and it is no pilot.
///
/// # Errors
/// [`Error::Setting`] if λ is not above 0 or not finite, nλ or a setting of the kernel is beyond `T`, or
/// `pilots` is 0 or more than there are samples; [`Error::NonFinite`] if k(x, x) of a sample is beyond `T`;
/// [`Error::NotPositiveDefinite`] if λ is too small for the pilots.
pub fn leverage_scores<T: Float>(
    kernel: &dyn Kernel<T>,
    x: &Samples<T>,
    lambda: f64,
    pilots: usize,
    seed: u64,
) -> Result<Vec<f64>> {
    T::leverage_scores(kernel, x, lambda, pilots, seed)
}

pub fn leverage_scores_of<T: Float>(
    kernel: &dyn Kernel<T>,
    x: &Samples<T>,
    lambda: f64,
    pilots: usize,
    seed: u64,
) -> Result<Vec<f64>> {
    if let Some(rows) = x.counted_rows() {
        let of_counted = leverage_scores(kernel, &only_counted(x)?.0, lambda, pilots, seed)?;
        let mut scores = vec![0.0; x.len()];
        rows.iter().zip(of_counted).for_each(|(row, score)| scores[*row] = score);
        return Ok(scores);
    }
    let (_, weights) = only_counted(x)?;
    check_lambda::<T>(lambda, x.len())?;
    if lambda == 0.0 {
        return Err(Error::setting("lambda", "0: leverage scores need a ridge above 0"));
    }
    let n = x.len();
    check_count("pilots", pilots, n)?;
    check_lambda::<T>(lambda, pilots)?;
    check_kernel(kernel, x)?;
    let chosen = if pilots == n { (0..n).collect() } else { uniform(n, pilots, seed) };
    let pilot = x.subset(&chosen);
    let mut k = gram_lower(kernel, &pilot)?;
    let of_pilots = weights.of(&chosen);
    // As large as their weights make it; by their own mean they would not be those of all samples.
    let ridge = T::of(lambda * of_pilots.total);
    of_pilots.scale_both(&mut k);
    (0..pilots).for_each(|i| k[(i, i)] += ridge);
    let factor = Cholesky::new(k)?;
    let diagonal = gram_diagonal(kernel, x.rows());
    let block = block_rows(pilots).min(n);
    let mut k = vec![T::ZERO; block * pilots];
    let mut scores = Vec::with_capacity(n);
    for start in (0..n).step_by(block) {
        let end = n.min(start + block);
        let k = &mut k[..(end - start) * pilots];
        cross_block(kernel, x.rows().range(start..end), pilot.rows(), k);
        of_pilots.scale_columns(k);
        factor.forward(k);
        for (i, explained) in (start..end).zip(k.chunks_exact(pilots)) {
            let left = (diagonal[i] - norm_squared(explained)).max(T::ZERO);
            let root = weights.root(i).to_f64();
            scores.push(root * root * left.to_f64() / (lambda * n as f64));
        }
    }
    Ok(scores)
}

/// The factor of K_MM with a jitter on the diagonal that rounding cannot undo: 4·M·ε times the largest
/// k(c, c), and ten times as much as often as that is not enough, up to a hundredth. Without it, duplicated
/// centres would make the matrix singular; and the distances have errors of up to 64ε.
pub(super) fn factor_centres<T: Float>(kernel: &dyn Kernel<T>, centres: &Samples<T>) -> Result<Cholesky<T>> {
    let m = centres.len();
    let mut share = 4.0 * m as f64 * T::EPSILON.to_f64();
    loop {
        let mut k = gram_lower(kernel, centres)?;
        let largest = (0..m).map(|i| k[(i, i)]).fold(T::ZERO, Float::max);
        // Where all are 0, as of a linear kernel at the origin, anything will do: what is fitted is 0.
        let largest = if largest > T::ZERO { largest } else { T::ONE };
        (0..m).for_each(|i| k[(i, i)] += T::of(share) * largest);
        match Cholesky::new(k) {
            Err(Error::NotPositiveDefinite { .. }) if share < 1e-2 => share *= 10.0,
            Err(Error::NotPositiveDefinite { pivot, value, .. }) => {
                let hint = format!("the kernel matrix of the centres is beyond {}: take f64", T::NAME);
                return Err(Error::NotPositiveDefinite { pivot, value, hint });
            }
            other => return other,
        }
    }
}
