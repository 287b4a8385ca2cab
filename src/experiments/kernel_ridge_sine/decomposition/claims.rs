//! What the theory says of noise, variance and bias.

use super::part::Grouped;
use crate::experiments::kernel_ridge_sine::N;
use crate::experiments::prelude::*;

/// γ up to which the kernel's deviation, 1/√(2γ), is no less than the mean distance of the samples, 2/n.
const SPANNED: f64 = (N * N) as f64 / 8.0;

/// λ between which the variance goes from much to little: below, the noise is followed already.
const RIDGES: (f64, f64) = (0.99e-6, 1.01);

type Of = fn(&Grouped) -> &Vec<f64>;

/// The exponent with which something grows with λ or γ, group by group.
fn slopes(along: &[&Grouped], x: fn(&Grouped) -> f64, of: Of) -> Vec<f64> {
    let groups = 0..of(along[0]).len();
    groups.map(|k| Fit::power_law(&Vec::from_iter(along.iter().map(|g| (x(g), of(g)[k])))).slope).collect()
}

/// The one at a λ or γ that is nearest to a number.
fn at<'a>(along: &[&'a Grouped], x: fn(&Grouped) -> f64, to: f64) -> &'a Grouped {
    let nearest: &&Grouped = least(along, |g| Float::ln(x(g) / to).abs());
    nearest
}

pub(super) fn noise_claims(outcome: &mut Outcome, along_lambda: &[Grouped], along_gamma: &[Grouped]) {
    let between = |g: &&Grouped| (RIDGES.0..=RIDGES.1).contains(&g.lambda);
    let of_lambda: Vec<&Grouped> = along_lambda.iter().filter(between).collect();
    let of_noise: Of = |g| &g.from_noise;
    claim(outcome, "At fixed inputs the variance, which then comes from the noise alone, falls with λ")
        .named("noise-variance-lambda")
        .expected("a negative exponent")
        .estimated(Estimate::mean(&slopes(&of_lambda, |g| g.lambda, of_noise)).of("groups of sets"))
        .saying(&format!(
            ", the exponent of λ at γ = {}, from λ = {} to {}",
            rounded(of_lambda[0].gamma, 3),
            rounded(of_lambda[0].lambda, 1),
            rounded(of_lambda[of_lambda.len() - 1].lambda, 1)
        ))
        .within(BELOW_0, "A mean over a few draws of the noise is not exact.");
    let of_gamma: Vec<&Grouped> = along_gamma.iter().filter(|g| g.gamma <= SPANNED).collect();
    claim(
        outcome,
        "The variance from the noise grows with γ, as long as the kernel reaches from a sample to the next",
    )
    .named("noise-variance-gamma")
    .expected(format!("a positive exponent up to γ = n²/8 = {SPANNED}"))
    .estimated(Estimate::mean(&slopes(&of_gamma, |g| g.gamma, of_noise)).of("groups of sets"))
    .saying(&format!(", the exponent of γ at λ = {}", rounded(of_gamma[0].lambda, 2)))
    .within(
        ABOVE_0,
        "Between samples with a large gap, a narrow kernel falls to 0 before n²/8, and a fit that is 0 does \
         not vary.",
    );
}

pub(super) fn bias_claims(outcome: &mut Outcome, along_lambda: &[Grouped], along_gamma: &[Grouped]) {
    let (along_lambda, along_gamma) = (Vec::from_iter(along_lambda), Vec::from_iter(along_gamma));
    let why = "The theory is about one fixed set of inputs. Between these inputs, and with new inputs in \
               every set, the mean fit may come closer to the sine in one part and move away in another.";
    // Decade by decade, from about the best λ on.
    let of = |lambda: f64| at(&along_lambda, |g| g.lambda, lambda);
    let steps: Vec<(&Grouped, Estimate)> = [1e-4, 1e-3, 1e-2, 0.1, 1.0]
        .map(|lambda| {
            let (from, to) = (of(lambda), of(10.0 * lambda));
            (to, Estimate::mean(&differences(&to.bias, &from.bias)).of("groups of sets"))
        })
        .into();
    claim(outcome, "The bias grows with λ")
        .named("bias-lambda")
        .expected("bias² is larger at each λ than at a tenth of it")
        .measured(format!(
            "at γ = {} and λ = {}: bias² {}, larger than at a tenth of λ by {}",
            rounded(along_lambda[0].gamma, 3),
            list(&steps, |(to, _)| rounded(to.lambda, 1)),
            list(&steps, |(to, _)| rounded(mean(&to.bias), 2)),
            list(&steps, |(_, estimate)| rounded(estimate.value(), 2))
        ))
        .criterion("the 95 % intervals of all these differences are above 0")
        .judged(Verdict::all(steps.iter().map(|(_, estimate)| estimate.against(&ABOVE_0))), why);
    let of = |gamma: f64| at(&along_gamma, |g| g.gamma, gamma);
    let (wide, narrow) = (of(0.1), of(10.0));
    claim(outcome, "With a γ a hundred times as large there is less bias, as long as the kernel reaches from a sample to the next")
        .named("bias-gamma")
        .expected("bias² is smaller for a narrow kernel")
        .estimated(Estimate::mean(&differences(&wide.bias, &narrow.bias)).of("groups of sets"))
        .saying(&format!(
            ", bias² at γ = {} minus that at γ = {}, with λ = {}",
            rounded(wide.gamma, 2),
            rounded(narrow.gamma, 2),
            rounded(wide.lambda, 2)
        ))
        .within(ABOVE_0, why);
}
