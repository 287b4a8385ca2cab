//! What the theory says of noise, variance and bias.

use super::part::{Part, largest_fall, steps};
use crate::experiments::prelude::*;

use crate::experiments::kernel_ridge_sine::{N, SETS, setting};

/// γ up to which the kernel's deviation, 1/√(2γ), is no less than the mean distance of the samples, 2/n.
const SPANNED: f64 = (N * N) as f64 / 8.0;

pub(super) fn noise_claims(outcome: &mut Outcome, parts: &[Part], rows: usize, along_gamma: &[&Part]) {
    let (mut worst, mut at) = (0.0, &parts[0]);
    for pair in parts.chunks(rows).flat_map(|column| column.windows(2)) {
        let ratio = pair[1].from_noise / pair[0].from_noise;
        (worst, at) = if ratio > worst { (ratio, &pair[1]) } else { (worst, at) };
    }
    claim(
        outcome,
        "At fixed inputs the variance, which then comes from the noise alone, falls with λ at every γ",
    )
    .named("noise-variance-lambda")
    .expected("smaller at every step of λ")
    .measured(format!(
        "the largest ratio of one to that before is {}, at {}",
        rounded(worst, 4),
        setting(at.gamma, at.lambda)
    ))
    .criterion("each is at most 1.001 times the one before")
    .holds(
        worst <= 1.001,
        "The theory is about the mean over the noise; between the samples a single draw of it may be \
         amplified a little by a larger ridge.",
    );
    let spanned: Vec<&&Part> = along_gamma.iter().filter(|part| part.gamma <= SPANNED).collect();
    let ratios = spanned.windows(2).map(|pair| pair[1].from_noise / pair[0].from_noise);
    let least = ratios.fold(f64::INFINITY, f64::min);
    claim(
        outcome,
        "The variance from the noise grows with γ, as long as the kernel reaches from a sample to the next",
    )
    .named("noise-variance-gamma")
    .expected(format!("larger at every step of γ up to n²/8 = {SPANNED}"))
    .measured(format!(
        "the least ratio of one to that before is {}, at λ = {}",
        rounded(least, 4),
        rounded(along_gamma[0].lambda, 2)
    ))
    .criterion("each is more than the one before")
    .holds(
        least > 1.0,
        "Between samples that are farther apart than most, a narrow kernel goes back to 0 before n²/8, and \
         what is 0 does not vary.",
    );
}

pub(super) fn variance_claim(outcome: &mut Outcome, along_lambda: &[&Part]) {
    let (first, last) = (along_lambda[0], along_lambda[along_lambda.len() - 1]);
    let falls = along_lambda.windows(2).all(|pair| pair[1].variance <= pair[0].variance * 1.001);
    claim(outcome, "The variance over sets with new inputs falls with λ")
        .named("variance-lambda")
        .expected("smaller at every step of λ")
        .measured(format!(
            "from {} to {}, {}",
            rounded(first.variance, 3),
            rounded(last.variance, 2),
            if falls { "in every step" } else { "not in every step" }
        ))
        .criterion("each is at most 1.001 times the one before")
        .holds(
            falls,
            "The theory is about fixed inputs. A stiff fit misses the sine in a way that depends on where \
             the inputs lie, and with new inputs in every set that counts as variance: hence the bump where \
             the bias sets in.",
        );
}

pub(super) fn bias_claims(outcome: &mut Outcome, along_lambda: &[&Part], along_gamma: &[&Part]) {
    let resolved: Vec<&&Part> = along_lambda.iter().filter(|part| part.resolved()).collect();
    let (Some(first), Some(last)) = (resolved.first(), resolved.last()) else { return };
    let fall = largest_fall(along_lambda);
    let criterion = "where both are above two standard errors, no step goes the other way by more than 3 \
                     standard errors of the difference";
    let why = "The theory is about the inputs of one fixed set. Between them, and with new ones in every \
               set, the mean fit may come nearer to the sine at one end while it leaves it at the other.";
    claim(outcome, "The bias grows with λ")
        .named("bias-lambda")
        .expected("larger at every step")
        .measured(format!(
            "from {} at the first λ where it is resolved, {}, to {}; {}",
            rounded(first.bias, 2),
            rounded(first.lambda, 2),
            rounded(last.bias, 3),
            steps(fall)
        ))
        .criterion(format!("{criterion}; the last is at least ten times the first"))
        .holds(fall <= 3.0 && last.bias >= 10.0 * first.bias, why);
    // From narrow to wide: the same direction, from little bias to much.
    let spanned: Vec<&Part> =
        along_gamma.iter().rev().filter(|part| part.gamma <= SPANNED).copied().collect();
    let resolved = spanned.iter().filter(|part| part.resolved()).count();
    let fall = largest_fall(&spanned);
    let (narrow, wide) = (spanned[0], spanned[spanned.len() - 1]);
    claim(outcome, "The bias falls with γ, as long as the kernel reaches from a sample to the next")
        .named("bias-gamma")
        .expected(format!("smaller at every step of γ up to n²/8 = {SPANNED}"))
        .measured(format!(
            "from {} at γ = {} to {} at {}, resolved at {resolved} of {} γ; {}",
            rounded(wide.bias, 3),
            rounded(wide.gamma, 2),
            rounded(narrow.bias, 2),
            rounded(narrow.gamma, 3),
            spanned.len(),
            steps(fall)
        ))
        .criterion(format!("{criterion}; the last is at most a tenth of the first"))
        .holds(
            fall <= 3.0 && 10.0 * narrow.bias <= wide.bias,
            format!(
                "The reach of the kernel is not all. A narrow kernel spreads the samples over many small \
                 eigenvalues, which the ridge, nλ = {}, shrinks, the more the larger it is; and between \
                 samples that are farther apart than most the fit goes back to 0. So the bias may rise again \
                 earlier.",
                rounded(N as f64 * along_gamma[0].lambda, 2)
            ),
        );
}

pub(super) fn sum_claim(outcome: &mut Outcome, parts: &[Part]) {
    let worst = greatest(parts, |part| part.apart().abs());
    let typical = median(&parts.iter().map(|part| part.tolerance() / part.error).collect::<Vec<_>>());
    claim(outcome, "The error of other sets, on targets with other noise, is bias² + variance + σ²")
        .named("error-sum")
        .expected("equal but for chance")
        .measured(format!(
            "at most {} standard errors apart, at {}; the middle standard error is {} % of the error",
            rounded(worst.apart().abs(), 3),
            setting(worst.gamma, worst.lambda),
            rounded(100.0 * typical, 2)
        ))
        .criterion(format!(
            "within 4 standard errors of the difference of both halves, {SETS} sets each, at all {} γ and λ",
            parts.len()
        ))
        .holds(
            worst.apart().abs() <= 4.0,
            "Where fits go far beyond the samples, a few sets make most of the error: then a standard error \
             from as few is itself too small.",
        );
}
