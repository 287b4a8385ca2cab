//! What became of networks whose gradients vanish, stay or explode.

use super::flow::{Flow, Run};
use super::{DEEP, NORMS, title};
use crate::experiments::prelude::*;
use crate::experiments::words;

/// A network that was trained, and its gradients before that.
type Trained<'a> = (&'a Run, &'a Flow);

/// With nine pairs a rank correlation farther from 0 has a chance of 5 % where there is none (Zar, "Significance
/// testing of the Spearman rank correlation coefficient", 1972).
const CRITICAL: f64 = 0.7;

/// Shares of right answers between which a network has learned little. Of the way from guessing to no mistake a ninth may
/// be chance, and who has learned has gone four: 0.2 and 0.5 with ten classes.
pub(super) struct Learning {
    pub chance: f64,
    pub learned: f64,
}

impl Learning {
    pub(super) fn of(classes: usize) -> Learning {
        let guess = 1.0 / classes as f64;
        Learning { chance: guess + (1.0 - guess) / 9.0, learned: guess + (1.0 - guess) * 4.0 / 9.0 }
    }

    /// A run that has diverged has learned nothing.
    fn has(&self, run: &Run) -> bool {
        run.accuracy >= self.learned
    }
}

fn list(all: &[Trained<'_>], of: impl Fn(&Trained<'_>) -> f64) -> String {
    let text = |one: &Trained<'_>| {
        format!("{} {} {}", title(one.0.activation), NORMS[one.0.norm].1, rounded(of(one), 3))
    };
    if all.is_empty() { "none".into() } else { words::list(all, text) }
}

pub(super) fn report(outcome: &mut Outcome, flows: &[Flow], runs: &[Run], classes: usize) {
    let learning = Learning::of(classes);
    let all: Vec<Trained<'_>> = runs.iter().filter_map(|run| Some((run, flow_of(flows, run)?))).collect();
    let with = |wanted: &str| -> Vec<Trained<'_>> {
        all.iter().copied().filter(|(_, flow)| fate(flow.ratios()[0]) == wanted).collect()
    };
    let accuracy = |(run, _): &Trained<'_>| run.accuracy;
    // A run without an accuracy has diverged: it ranks last.
    let pairs = all.iter().map(|(run, flow)| (flow.likeness, run.accuracy.max(-1.0)));
    // Outputs that are 0 have no angle.
    let rank = match all.iter().all(|(_, flow)| flow.likeness.is_finite()) {
        true => rank_correlation(&pairs.collect::<Vec<_>>()),
        false => f64::NAN,
    };
    outcome.number("rank correlation of likeness and training accuracy", rank);

    let kept = with("stays");
    let failed: Vec<Trained<'_>> = kept.iter().copied().filter(|(run, _)| !learning.has(run)).collect();
    claim(outcome, format!("A gradient that stays is enough to train {DEEP} layers"))
        .named("gradient-enough")
        .expected("all networks with one learn")
        .measured(format!("training accuracy {}", list(&kept, accuracy)))
        .criterion(format!(
            "at least {} for each network whose gradient neither vanishes nor explodes",
            fixed(learning.learned, 2)
        ))
        .holds(
            !kept.is_empty() && failed.is_empty(),
            if kept.is_empty() {
                "No network has one: the claim is not tried.".to_string()
            } else {
                format!(
                    "It is not enough for {}. The ratio says nothing of the size of all gradients together, \
                     nor of where they point, and one rate and so few epochs need not suit every network.",
                    list(&failed, accuracy)
                )
            },
        );
    let lost: Vec<Trained<'_>> = with("vanishes").into_iter().chain(with("explodes")).collect();
    let learned: Vec<Trained<'_>> = lost.iter().copied().filter(|(run, _)| learning.has(run)).collect();
    claim(outcome, format!("A gradient that stays is needed to train {DEEP} layers"))
        .named("gradient-needed")
        .expected("no network whose gradient vanishes or explodes learns")
        .measured(format!("training accuracy {}", list(&lost, accuracy)))
        .criterion(format!("less than {} for each of them", fixed(learning.learned, 2)))
        .holds(
            !lost.is_empty() && learned.is_empty(),
            if lost.is_empty() {
                "No network has lost it: the claim is not tried.".to_string()
            } else {
                format!(
                    "It is not needed for {}, whose gradients have the ratios {}. Behind a weight that is \
                     normalised only its direction matters: too large a step makes the weights long, and so \
                     the next steps small (van Laarhoven 2017), from which a network recovers.",
                    list(&learned, accuracy),
                    list(&learned, |(_, flow)| flow.ratios()[0])
                )
            },
        );
    let (who, others): (Vec<Trained<'_>>, Vec<Trained<'_>>) =
        all.iter().partition(|(run, _)| learning.has(run));
    let bound = who.iter().fold(f64::NEG_INFINITY, |bound, (_, flow)| bound.max(flow.likeness));
    let apart: Vec<Trained<'_>> = others.into_iter().filter(|(_, flow)| flow.likeness < bound).collect();
    let (least, most) = all.iter().fold((all[0], all[0]), |(least, most), one| {
        let likeness = one.1.likeness;
        (
            if likeness < least.1.likeness { *one } else { least },
            if likeness > most.1.likeness { *one } else { most },
        )
    });
    let place = |one: Trained<'_>| {
        format!("{} (accuracy {})", list(&[one], |(_, flow)| flow.likeness), fixed(one.0.accuracy, 3))
    };
    claim(
        outcome,
        "The more alike the outputs for two images are before training, the less a network learns",
    )
    .named("likeness")
    .expected("a negative rank correlation of their mean cosine with the training accuracy")
    .measured(format!(
        "{} over {} networks; cosines from {} to {}",
        fixed(rank, 2),
        all.len(),
        place(least),
        place(most)
    ))
    .criterion(format!("at most −{CRITICAL}, which chance reaches in one case of forty"))
    .holds(
        rank <= -CRITICAL,
        format!(
            "Cosines of those that learn: {}. Of those that do not, less alike than the most alike of these: \
             {}. The theory is about ReLU; and among networks near chance, ranks are a matter of luck.",
            list(&who, |(_, flow)| flow.likeness),
            list(&apart, |(_, flow)| flow.likeness)
        ),
    );
}

/// Spearman's ρ: the correlation of the ranks, with the mean rank for what is equal. NaN where one side is constant.
fn rank_correlation(pairs: &[(f64, f64)]) -> f64 {
    let ranks = |xs: Vec<f64>| -> Vec<f64> {
        let rank = |x: &f64| {
            let below = xs.iter().filter(|y| *y < x).count() as f64;
            let equal = xs.iter().filter(|y| *y == x).count() as f64;
            below + (equal - 1.0) / 2.0
        };
        xs.iter().map(rank).collect()
    };
    let a = ranks(pairs.iter().map(|pair| pair.0).collect());
    let b = ranks(pairs.iter().map(|pair| pair.1).collect());
    let middle = (pairs.len() as f64 - 1.0) / 2.0;
    let sum = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - middle) * (y - middle)).sum::<f64>();
    sum(&a, &b) / (sum(&a, &a) * sum(&b, &b)).sqrt()
}

/// Ratios between which a gradient counts as kept, fixed before any was measured: below it vanishes, above it explodes.
const KEPT: std::ops::RangeInclusive<f64> = 0.1..=10.0;

/// What becomes of a gradient. Where all inputs are 0 there is none, and the ratio is not a number.
pub(super) fn fate(ratio: f64) -> &'static str {
    if ratio.is_nan() {
        "is nowhere"
    } else if KEPT.contains(&ratio) {
        "stays"
    } else if ratio < *KEPT.start() {
        "vanishes"
    } else {
        "explodes"
    }
}

/// The gradients of a network before the run.
pub(super) fn flow_of<'a>(flows: &'a [Flow], run: &Run) -> Option<&'a Flow> {
    flows.iter().find(|f| (f.activation, f.norm, f.depth) == (run.activation, run.norm, DEEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_of_monotone_and_of_tied_pairs() {
        assert!((rank_correlation(&[(1.0, 1.0), (2.0, 8.0), (3.0, 27.0)]) - 1.0).abs() < 1e-15);
        assert!((rank_correlation(&[(1.0, 3.0), (5.0, 2.0), (9.0, -1.0)]) + 1.0).abs() < 1e-15);
        // Ranks 0, 1½, 1½, 3 against 0, 1, 2, 3: 4.5/√(4.5·5).
        let tied = [(1.0, 0.0), (2.0, 1.0), (2.0, 2.0), (3.0, 3.0)];
        assert!((rank_correlation(&tied) - (4.5f64 / 5.0).sqrt()).abs() < 1e-15);
        assert!(rank_correlation(&[(1.0, 2.0), (1.0, 3.0)]).is_nan());
    }

    #[test]
    fn two_and_ten_classes() {
        let ten = Learning::of(10);
        assert!((ten.chance - 0.2).abs() < 1e-15 && (ten.learned - 0.5).abs() < 1e-15);
        assert!(Learning::of(2).chance > 0.5);
    }
}
