//! Gradients that vanish, stay or explode, and networks that have learned.

use std::ops::{Bound, RangeBounds};

use super::flow::{Flow, Run};
use super::{DEEP, Kind};
use crate::experiments::statistics::log10;

/// What becomes of a gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    Vanishes,
    Stays,
    Explodes,
}

impl Fate {
    pub fn of(log10_of_ratio: f64) -> Option<Fate> {
        let fates = [Fate::Vanishes, Fate::Stays, Fate::Explodes];
        fates.into_iter().find(|fate| fate.range().contains(&log10_of_ratio))
    }

    /// log₁₀ of what is left of it: fixed before any was measured.
    pub fn range(self) -> (Bound<f64>, Bound<f64>) {
        match self {
            Fate::Vanishes => (Bound::Unbounded, Bound::Excluded(-1.0)),
            Fate::Stays => (Bound::Included(-1.0), Bound::Included(1.0)),
            Fate::Explodes => (Bound::Excluded(1.0), Bound::Unbounded),
        }
    }
}

/// Shares of right answers between which a network has learned little. Of the way from guessing to no mistake a ninth
/// may be chance, and who has learned has gone four: 0.2 and 0.5 with ten classes.
pub(super) struct Learning {
    pub chance: f64,
    pub learned: f64,
}

impl Learning {
    pub fn of(classes: usize) -> Learning {
        let guess = 1.0 / classes as f64;
        Learning { chance: guess + (1.0 - guess) / 9.0, learned: guess + (1.0 - guess) * 4.0 / 9.0 }
    }

    fn has(&self, run: &Run) -> bool {
        run.accuracies[0] >= self.learned
    }
}

/// How many networks learn, with a gradient that stays and without: that it arrives is not all that counts.
pub(super) fn in_words(flows: &[Flow], runs: &[Run], learning: &Learning) -> String {
    let stays = |run: &&Run| {
        flow_of(flows, run.kind).is_some_and(|flow| Fate::of(log10(flow.ratios()[0])) == Some(Fate::Stays))
    };
    let (with, without): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(stays);
    let learned = |runs: &[&Run]| runs.iter().filter(|run| learning.has(run)).count();
    let some = |runs: &[&Run]| match learned(runs) {
        0 => "none learns".to_string(),
        1 => "one learns".to_string(),
        n => format!("{n} learn"),
    };
    format!(
        "Of {} networks whose gradient stays {}; of {} whose gradient vanishes or explodes {}.",
        with.len(),
        some(&with),
        without.len(),
        some(&without)
    )
}

/// The gradients of a network before it was trained.
pub(super) fn flow_of(flows: &[Flow], kind: Kind) -> Option<&Flow> {
    flows.iter().find(|flow| (flow.kind, flow.depth) == (kind, DEEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_and_ten_classes() {
        let ten = Learning::of(10);
        assert!((ten.chance - 0.2).abs() < 1e-15 && (ten.learned - 0.5).abs() < 1e-15);
        assert!(Learning::of(2).chance > 0.5);
    }

    #[test]
    fn one_fate_for_each_ratio() {
        for (log10, fate) in
            [(-20.0, Fate::Vanishes), (-1.0, Fate::Stays), (1.0, Fate::Stays), (1.01, Fate::Explodes)]
        {
            assert_eq!(Fate::of(log10), Some(fate));
        }
        assert_eq!((Fate::of(f64::NEG_INFINITY), Fate::of(f64::NAN)), (Some(Fate::Vanishes), None));
    }
}
