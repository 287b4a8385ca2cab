//! Bias and variance from resampled sets, and the error from others.

use nalgebra::DMatrix;

use super::{Grid, N, NOISE, POINTS, SEEDS, SETS, draw, mark, places, setting, truth};
use crate::experiments::statistics::{mean_and_deviation, median};
use crate::experiments::{Context, Outcome};
use crate::models::kernel::{Rbf, RidgePath, Samples, cross_gram};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table, rounded};
use crate::rng::{Purpose, derive, standard_normal, stream};
use crate::{Float, Result};

/// What the sets say of one γ and one λ, as means over the places.
pub(super) struct Part {
    gamma: f64,
    lambda: f64,
    /// Without its own bias, so that it may be below 0.
    bias: f64,
    /// The same with one set left out, for each of them.
    without: Vec<f64>,
    variance: f64,
    /// The part of the variance that comes from the noise, at fixed inputs.
    from_noise: f64,
    /// Standard error of bias² + variance.
    sum_deviation: f64,
    /// On noisy targets, by the other sets; and its standard error.
    error: f64,
    error_deviation: f64,
}

impl Part {
    /// Two standard errors of bias², by the jackknife (Efron and Stein 1981): what is below is not resolved.
    fn floor(&self) -> f64 {
        2.0 * jackknife(self.without.iter().copied())
    }

    fn resolved(&self) -> bool {
        self.bias > self.floor()
    }

    /// bias² + variance + σ².
    fn sum(&self) -> f64 {
        self.bias + self.variance + NOISE * NOISE
    }

    /// Error less the sum, in standard errors: those of two independent halves.
    fn apart(&self) -> f64 {
        (self.error - self.sum()) / self.tolerance()
    }

    fn tolerance(&self) -> f64 {
        Float::sqrt(self.error_deviation * self.error_deviation + self.sum_deviation * self.sum_deviation)
    }
}

/// Standard error of something, from what it is with each set left out.
fn jackknife(without: impl Iterator<Item = f64>) -> f64 {
    let (_, deviation) = mean_and_deviation(&without.collect::<Vec<_>>());
    deviation * (SETS as f64 - 1.0) / (SETS as f64).sqrt()
}

/// A set: its inputs, and in columns the targets to fit.
struct Set {
    x: Samples<f64>,
    y: DMatrix<f64>,
}

/// For every γ, and for every λ of it.
pub(super) fn measure(context: &Context, grid: &Grid) -> Result<Vec<Part>> {
    let seed = |kind: u64, set: usize| derive(context.seed, kind + set as u64);
    let (mut sets, mut others, mut targets) = (Vec::new(), Vec::new(), Vec::new());
    for set in 0..SETS {
        let (x, y) = draw(seed(SEEDS.parts, set))?;
        // Beside the noisy targets those without noise: the difference of the fits is what the noise does.
        let clean = DMatrix::from_fn(N, 1, |i, _| truth(x.rows().row(i)[0]));
        sets.push(Set { y: DMatrix::from_columns(&[y.column(0), clean.column(0)]), x });
        let (x, y) = draw(seed(SEEDS.error, set))?;
        others.push(Set { x, y });
        let mut noise = stream(seed(SEEDS.noise, set), Purpose::Data);
        targets.push(
            places().iter().map(|x| truth(*x) + NOISE * standard_normal(&mut noise)).collect::<Vec<_>>(),
        );
    }
    let at = Samples::new(places(), 1)?;
    let truths: Vec<f64> = places().into_iter().map(truth).collect();
    let mut parts = Vec::new();
    for (column, gamma) in grid.gammas.iter().enumerate() {
        context.at(1 + 8 * column / grid.gammas.len(), 10, "resampled sets")?;
        let kernel = Rbf::new(*gamma)?;
        let mut sums = vec![Sums::default(); grid.lambdas.len()];
        for (own, (other, targets)) in sets.iter().zip(others.iter().zip(&targets)) {
            context.check()?;
            let values = fitted(&kernel, own, &at, &grid.lambdas)?;
            let other = fitted(&kernel, other, &at, &grid.lambdas)?;
            for (k, sums) in sums.iter_mut().enumerate() {
                let (noisy, clean) = (values.column(2 * k), values.column(2 * k + 1));
                sums.distances.extend(noisy.iter().zip(&truths).map(|(f, t)| f - t));
                sums.from_noise += (noisy - clean).norm_squared();
                let fitted = other.column(k);
                let squares = fitted.iter().zip(targets).map(|(f, y)| (y - f) * (y - f));
                sums.errors.push(squares.sum::<f64>() / POINTS as f64);
            }
        }
        let all = grid.lambdas.iter().zip(sums);
        parts.extend(all.map(|(lambda, sums)| sums.part(*gamma, *lambda)));
    }
    Ok(parts)
}

/// Values at the places, a column for each λ and each column of targets: the λ one after another.
fn fitted(kernel: &Rbf, set: &Set, at: &Samples<f64>, lambdas: &[f64]) -> Result<DMatrix<f64>> {
    let path = RidgePath::new(kernel, &set.x, &set.y, 1 << 30)?;
    let targets = set.y.ncols();
    let mut alphas = DMatrix::zeros(N, lambdas.len() * targets);
    for (k, lambda) in lambdas.iter().enumerate() {
        alphas.columns_mut(k * targets, targets).copy_from(&path.at(*lambda)?.alpha);
    }
    Ok(cross_gram(kernel, at, &set.x) * alphas)
}

/// What is gathered of one γ and one λ.
#[derive(Clone, Default)]
struct Sums {
    /// f − sin at the places, set by set.
    distances: Vec<f64>,
    from_noise: f64,
    /// Of each of the other sets.
    errors: Vec<f64>,
}

impl Sums {
    fn part(self, gamma: f64, lambda: f64) -> Part {
        let (sets, points) = (SETS as f64, POINTS as f64);
        // ⟨dₛ, dₜ⟩ of the distances d of two sets, as a mean over the places: for s ≠ t it has the mean bias².
        let distances = DMatrix::from_vec(POINTS, SETS, self.distances);
        let products = distances.tr_mul(&distances) / points;
        let squares: Vec<f64> = products.diagonal().iter().copied().collect();
        let rows: Vec<f64> = products.row_iter().zip(&squares).map(|(row, own)| row.sum() - own).collect();
        let total: f64 = rows.iter().sum();
        let bias = total / (sets * (sets - 1.0));
        let without = rows.iter().map(|row| (total - 2.0 * row) / ((sets - 1.0) * (sets - 2.0))).collect();
        let (square, deviation) = mean_and_deviation(&squares);
        let (error, error_deviation) = mean_and_deviation(&self.errors);
        Part {
            gamma,
            lambda,
            bias,
            without,
            variance: square - bias,
            from_noise: self.from_noise / (sets * points),
            sum_deviation: deviation / sets.sqrt(),
            error,
            error_deviation: error_deviation / sets.sqrt(),
        }
    }
}

/// How far bias² falls at most from one of some settings to the next, in standard errors of the difference, and
/// where it is resolved; there, the paired sets tell more than the two standard errors would.
fn largest_fall(parts: &[&Part]) -> f64 {
    let resolved = parts.windows(2).filter(|pair| pair.iter().all(|part| part.resolved()));
    let falls = resolved.map(|pair| {
        let differences = pair[0].without.iter().zip(&pair[1].without).map(|(a, b)| a - b);
        (pair[0].bias - pair[1].bias) / jackknife(differences)
    });
    falls.fold(f64::NEG_INFINITY, f64::max)
}

/// The largest fall in words.
fn steps(fall: f64) -> String {
    match fall > 0.0 {
        true => format!("one step goes the other way, by {} standard errors", rounded(fall, 2)),
        false => format!("each step between resolved ones is at least {} standard errors", rounded(-fall, 2)),
    }
}

pub(super) fn report(outcome: &mut Outcome, grid: &Grid, parts: &[Part], chosen: usize) {
    let rows = grid.lambdas.len();
    let along_lambda: Vec<&Part> = parts[chosen / rows * rows..][..rows].iter().collect();
    let along_gamma: Vec<&Part> = parts.iter().skip(chosen % rows).step_by(rows).collect();
    noise_claims(outcome, parts, rows, &along_gamma);
    variance_claim(outcome, &along_lambda);
    bias_claims(outcome, &along_lambda, &along_gamma);
    sum_claim(outcome, parts);
    maps(outcome, grid, parts, chosen);
    lines(outcome, &along_lambda, &along_gamma);
    outcome.table(table("bias-variance-lambda", "λ", &along_lambda, |part| part.lambda));
    outcome.table(table("bias-variance-gamma", "γ", &along_gamma, |part| part.gamma));
    // Below, where fits go far beyond the samples, rounding is amplified: another processor gives other digits.
    let stable: Vec<&&Part> = along_lambda.iter().filter(|part| part.lambda > 0.99e-8).collect();
    for part in [stable[0], stable[stable.len() / 2], stable[stable.len() - 1]] {
        outcome.number(format!("bias² at λ = {}", rounded(part.lambda, 2)), part.bias);
        outcome.number(format!("variance at λ = {}", rounded(part.lambda, 2)), part.variance);
        outcome.number(format!("error at λ = {}", rounded(part.lambda, 2)), part.error);
    }
}

/// γ up to which the kernel's deviation, 1/√(2γ), is no less than the mean distance of the samples, 2/n.
const SPANNED: f64 = (N * N) as f64 / 8.0;

fn noise_claims(outcome: &mut Outcome, parts: &[Part], rows: usize, along_gamma: &[&Part]) {
    let (mut worst, mut at) = (0.0, &parts[0]);
    for pair in parts.chunks(rows).flat_map(|column| column.windows(2)) {
        let ratio = pair[1].from_noise / pair[0].from_noise;
        (worst, at) = if ratio > worst { (ratio, &pair[1]) } else { (worst, at) };
    }
    outcome.claim(
        Claim::that(
            "At fixed inputs the variance, which then comes from the noise alone, falls with λ at every γ",
        )
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
        ),
    );
    let spanned: Vec<&&Part> = along_gamma.iter().filter(|part| part.gamma <= SPANNED).collect();
    let ratios = spanned.windows(2).map(|pair| pair[1].from_noise / pair[0].from_noise);
    let least = ratios.fold(f64::INFINITY, f64::min);
    outcome.claim(
        Claim::that("The variance from the noise grows with γ, as long as the kernel reaches from a sample to the next")
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
            ),
    );
}

fn variance_claim(outcome: &mut Outcome, along_lambda: &[&Part]) {
    let (first, last) = (along_lambda[0], along_lambda[along_lambda.len() - 1]);
    let falls = along_lambda.windows(2).all(|pair| pair[1].variance <= pair[0].variance * 1.001);
    outcome.claim(
        Claim::that("The variance over sets with new inputs falls with λ")
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
                 the inputs lie, and with new inputs in every set that counts as variance: hence the bump \
                 where the bias sets in.",
            ),
    );
}

fn bias_claims(outcome: &mut Outcome, along_lambda: &[&Part], along_gamma: &[&Part]) {
    let resolved: Vec<&&Part> = along_lambda.iter().filter(|part| part.resolved()).collect();
    let (Some(first), Some(last)) = (resolved.first(), resolved.last()) else { return };
    let fall = largest_fall(along_lambda);
    let criterion = "where both are above two standard errors, no step goes the other way by more than 3 standard \
                     errors of the difference";
    let why = "The theory is about the inputs of one fixed set. Between them, and with new ones in every set, the mean \
               fit may come nearer to the sine at one end while it leaves it at the other.";
    outcome.claim(
        Claim::that("The bias grows with λ")
            .expected("larger at every step")
            .measured(format!(
                "from {} at the first λ where it is resolved, {}, to {}; {}",
                rounded(first.bias, 2),
                rounded(first.lambda, 2),
                rounded(last.bias, 3),
                steps(fall)
            ))
            .criterion(format!("{criterion}; the last is at least ten times the first"))
            .holds(fall <= 3.0 && last.bias >= 10.0 * first.bias, why),
    );
    // From narrow to wide: the same direction, from little bias to much.
    let spanned: Vec<&Part> =
        along_gamma.iter().rev().filter(|part| part.gamma <= SPANNED).copied().collect();
    let resolved = spanned.iter().filter(|part| part.resolved()).count();
    let fall = largest_fall(&spanned);
    let (narrow, wide) = (spanned[0], spanned[spanned.len() - 1]);
    outcome.claim(
        Claim::that("The bias falls with γ, as long as the kernel reaches from a sample to the next")
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
                    "The reach of the kernel is not all. A narrow kernel spreads the samples over many small eigenvalues, \
                     which the ridge, nλ = {}, shrinks, the more the larger it is; and between samples that are farther \
                     apart than most the fit goes back to 0. So the bias may rise again earlier.",
                    rounded(N as f64 * along_gamma[0].lambda, 2)
                ),
            ),
    );
}

fn sum_claim(outcome: &mut Outcome, parts: &[Part]) {
    let worst = parts.iter().fold(&parts[0], |a, b| if b.apart().abs() > a.apart().abs() { b } else { a });
    let typical = median(&parts.iter().map(|part| part.tolerance() / part.error).collect::<Vec<_>>());
    outcome.claim(
        Claim::that("The error of other sets, on targets with other noise, is bias² + variance + σ²")
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
                "Where fits go far beyond the samples, a few sets make most of the error: then a standard error from \
                 as few is itself too small.",
            ),
    );
}

fn maps(outcome: &mut Outcome, grid: &Grid, parts: &[Part], chosen: usize) {
    const LOW: f64 = -4.0;
    let panel = |title: &str, of: &dyn Fn(&Part) -> f64| {
        let log = |i: usize| {
            let value = of(&parts[i]);
            if value > 0.0 { libm::log10(value).max(LOW) } else { f64::NAN }
        };
        let part = &parts[chosen];
        grid.heat(title, "log₁₀, cut at −4 and 0", (LOW, 0.0), log).points(
            [mark(part.gamma, part.lambda)],
            Marker::Star,
            Color::Vermilion,
            "least by leaving one out",
        )
    };
    let empty = parts.iter().filter(|part| !part.resolved()).count();
    outcome.figure(
        &Figure::new(
            "bias-variance-grid",
            "Bias and variance over γ and λ",
            format!(
                "From {SETS} sets. Violet is little, yellow much. Bias is to be sought where fits are stiff, to the upper left, and where the \
                 kernel is narrower than the gaps between samples, to the right; variance to the lower right. The star, \
                 chosen on one set, should stand between. Bias² is empty at {empty} of {} places, where it is below two \
                 of its standard errors. All colours stop at 10⁻⁴ and at 1: what is less or more looks the same.",
                parts.len()
            ),
        )
        .panel(panel("Bias²", &|part| if part.resolved() { part.bias } else { f64::NAN }))
        .panel(panel("Variance", &|part| part.variance))
        .panel(panel("Error on noisy targets, other sets", &|part| part.error)),
    );
}

fn lines(outcome: &mut Outcome, along_lambda: &[&Part], along_gamma: &[&Part]) {
    const LOW: f64 = 1e-5;
    let panel = |title: String, axis: Axis, parts: &[&Part], x: fn(&Part) -> f64| {
        let line =
            |f: &dyn Fn(&Part) -> f64| Line::new(parts.iter().map(|p| (x(p), f(p))).collect::<Vec<_>>());
        // An interval that reaches 0 goes down to the axis.
        let error = |p: &&Part| {
            let reach = 2.0 * p.error_deviation;
            (x(p), (p.error - reach).max(LOW), p.error + reach)
        };
        Chart::new(axis, Axis::log("mean square").range(LOW, 10.0))
            .title(title)
            .line(line(&|p| if p.resolved() { p.bias } else { f64::NAN }).label("bias²").color(Color::Blue))
            .line(line(&|p| p.floor()).label("floor of bias²").color(Color::Blue).dash(2).width(1.2))
            .line(line(&|p| p.variance).label("variance").color(Color::Vermilion))
            .line(line(&|p| p.from_noise).label("from the noise").color(Color::Green).dash(1))
            .line(line(&|p| p.sum()).label("bias² + variance + σ²").color(Color::Ink))
            .errors(parts.iter().map(error), Color::Purple)
            .points(
                parts.iter().map(|p| (x(p), p.error)),
                Marker::Cross,
                Color::Purple,
                "error of other sets",
            )
            .horizontal(NOISE * NOISE, Color::Muted, "σ²")
    };
    let (gamma, lambda) = (along_lambda[0].gamma, along_gamma[0].lambda);
    outcome.figure(
        &Figure::new(
            "bias-variance",
            "Bias and variance",
            format!(
                "Means over {SETS} sets of {N} points, along λ and along γ, through the setting that leaving one out \
                 chooses. Look where variance gives way to bias. Bias² is drawn where it is above its floor, two standard \
                 errors. The error is that of {SETS} other sets on targets with other noise, with two standard errors to each side: \
                 it should lie on the sum of the parts, and above σ². What is below 10⁻⁵ or above 10 is cut off."
            ),
        )
        .panel(panel(format!("γ = {}", rounded(gamma, 3)), Axis::log("λ"), along_lambda, |p| p.lambda))
        .panel(panel(format!("λ = {}", rounded(lambda, 2)), Axis::log("γ"), along_gamma, |p| p.gamma)),
    );
}

fn table(name: &str, along: &str, parts: &[&Part], of: fn(&Part) -> f64) -> Table {
    let caption =
        format!("Bias and variance along {along}: bias² without its own bias, its floor, and the error");
    let columns = [
        along,
        "bias²",
        "floor of bias²",
        "variance",
        "from the noise",
        "sum with σ²",
        "error",
        "apart (standard errors)",
    ];
    let mut table = Table::new(name, caption, columns);
    for part in parts {
        let Part { bias, variance, from_noise, error, .. } = **part;
        let numbers = [of(part), bias, part.floor(), variance, from_noise, part.sum(), error, part.apart()];
        table.row(numbers.map(Into::into));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distances of all sets to the sine: the same bias of ½ at every place, and noise of deviation 2.
    fn distances(seed: u64) -> Vec<f64> {
        let mut rng = stream(seed, Purpose::Data);
        (0..SETS * POINTS).map(|_| 0.5 + 2.0 * standard_normal(&mut rng)).collect()
    }

    #[test]
    fn bias_and_variance_by_products_are_those_by_means() {
        let distances = distances(1);
        let sums = Sums { distances: distances.clone(), from_noise: 0.0, errors: vec![1.0; SETS] };
        let part = sums.part(1.0, 1.0);
        let (mut bias, mut variance) = (0.0, 0.0);
        for place in 0..POINTS {
            let values: Vec<f64> = distances.iter().skip(place).step_by(POINTS).copied().collect();
            let (mean, deviation) = mean_and_deviation(&values);
            bias += (mean * mean - deviation * deviation / SETS as f64) / POINTS as f64;
            variance += deviation * deviation / POINTS as f64;
        }
        assert!((part.bias - bias).abs() < 1e-12 && (part.variance - variance).abs() < 1e-12);
        // Without the correction bias² would be 0.25 + 4/100.
        assert!(
            (part.bias - 0.25).abs() < part.floor() && part.floor() < 0.04,
            "{} {}",
            part.bias,
            part.floor()
        );
        assert!(part.resolved() && (part.variance - 4.0).abs() < 0.2);
    }

    #[test]
    fn the_jackknife_of_a_mean_is_its_standard_error() {
        let mut rng = stream(2, Purpose::Data);
        let values: Vec<f64> = (0..SETS).map(|_| standard_normal(&mut rng)).collect();
        let total: f64 = values.iter().sum();
        let without = values.iter().map(|value| (total - value) / (SETS as f64 - 1.0));
        let (_, deviation) = mean_and_deviation(&values);
        assert!((jackknife(without) - deviation / (SETS as f64).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_fall_counts_where_both_are_resolved() {
        let part = |seed: u64, shift: f64| {
            let distances = distances(seed).into_iter().map(|d| d + shift).collect();
            Sums { distances, from_noise: 0.0, errors: vec![1.0; SETS] }.part(1.0, 1.0)
        };
        let (low, high, none) = (part(3, 0.5), part(3, 1.0), part(4, -0.5));
        assert!(!none.resolved(), "{} {}", none.bias, none.floor());
        assert!(largest_fall(&[&low, &high]) < -3.0 && largest_fall(&[&high, &low]) > 3.0);
        assert_eq!(largest_fall(&[&high, &none, &low]), f64::NEG_INFINITY);
    }
}
