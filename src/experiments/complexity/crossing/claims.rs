//! How the crossing moves with layers, width and epochs.

use super::{Crossing, DEPTHS, Width};
use crate::experiments::prelude::*;

/// How far an exponent may be from ½.
const TOLERANCE: f64 = 0.1;

/// Fewer crossings than this give no slope.
const ENOUGH: usize = 3;

/// The exponent in n of the time of a fit, where it crosses that of the networks: by all steps between two of the measured
/// n within the crossings. Three in theory.
pub(super) fn growth(widths: &[Width], crossings: &[Crossing]) -> Option<f64> {
    let (low, high) = range(crossings.iter().map(|crossing| crossing.n));
    let pairs = widths.iter().flat_map(|width| width.fits.windows(2));
    let slopes: Vec<f64> = pairs
        .filter(|pair| pair[1].0 >= low && pair[0].0 <= high)
        .map(|pair| Float::ln(pair[1].1 / pair[0].1) / Float::ln(pair[1].0 / pair[0].0))
        .collect();
    (!slopes.is_empty()).then(|| mean(&slopes))
}

/// What a fit that grows otherwise than as n³ does to the crossing.
fn consequence(growth: Option<f64>) -> String {
    growth.map_or_else(String::new, |growth| {
        format!(
            " At these n the time of a fit grows as n to the {}, and not as n³: then the crossing moves as \
             the time of training to the {} instead of ½.",
            fixed(growth, 2),
            fixed(1.0 / (growth - 1.0), 2)
        )
    })
}

/// The mean exponent in L of the time of a step of training.
fn of_depth(widths: &[Width]) -> f64 {
    let steps = Float::ln(DEPTHS[DEPTHS.len() - 1] as f64 / DEPTHS[0] as f64);
    let exponent = |width: &Width| Float::ln(width.training[DEPTHS.len() - 1] / width.training[0]) / steps;
    mean(&widths.iter().map(exponent).collect::<Vec<_>>())
}

/// Whether the crossing moves with the number of layers alone as it should.
pub(super) fn in_depth(widths: &[Width], crossings: &[Crossing], growth: Option<f64>) -> Claim {
    let [few, many] = [0, DEPTHS.len() - 1];
    let shallow = crossings.iter().filter(|c| c.depth == few);
    let exponents: Vec<f64> = shallow
        .filter_map(|a| {
            let b = crossings.iter().find(|b| (b.d, b.depth, b.epochs) == (a.d, many, a.epochs))?;
            Some(Float::ln(b.n / a.n) / Float::ln(DEPTHS[many] as f64 / DEPTHS[few] as f64))
        })
        .collect();
    let pairs = exponents.len();
    let estimate = (pairs >= ENOUGH).then(|| Estimate::mean(&exponents).of("pairs"));
    Claim::that("At the same width and epochs that n grows as √L, the root of the depth")
        .named("crossing-depth")
        .expected("exponent 0.5")
        .measured(match &estimate {
            Some(estimate) => format!("{estimate}, between {} and {} layers", DEPTHS[few], DEPTHS[many]),
            None => format!("{pairs} pairs found among the measured n"),
        })
        .criterion(format!(
            "the 95 % interval of the mean within {TOLERANCE} of 0.5, of {ENOUGH} pairs at least"
        ))
        .judged(
            verdict(&estimate, 0.5 - TOLERANCE..=0.5 + TOLERANCE),
            match estimate {
                Some(_) => format!(
                    "The time of a step of training grows as L to the {}.{}",
                    fixed(of_depth(widths), 2),
                    consequence(growth)
                ),
                None => "At too few widths and epochs both depths have their crossing among the measured n."
                    .into(),
            },
        )
        .timed()
}

/// Too few crossings decide nothing.
fn verdict(estimate: &Option<Estimate>, range: std::ops::RangeInclusive<f64>) -> Verdict {
    estimate.as_ref().map_or(Verdict::NotDecided, |estimate| estimate.against(&range))
}

pub(super) fn claims(outcome: &mut Outcome, crossings: &[Crossing], growth: Option<f64>) {
    let points: Vec<(f64, f64)> = crossings.iter().map(|c| (c.work, c.n)).collect();
    let varied = points.iter().any(|(work, _)| *work != points[0].0);
    let fit = (points.len() >= ENOUGH && varied).then(|| Fit::power_law(&points));
    let found = format!("{} found among the measured n", crossings.len());
    let too_few = format!(
        "Fewer than {ENOUGH} crossings lie among the measured n: at all others one of the two is always the \
         faster, which says nothing about how the crossing moves."
    );
    let claim = Claim::that("Network and kernel machine take the same time at an n that grows as √(L·d²·E)")
        .named("crossing-work")
        .expected("slope 0.5")
        .measured(match &fit {
            Some(fit) => format!("slope {fit}, R² {}; {found}", fixed(fit.r_squared, 3)),
            None => found.clone(),
        })
        .criterion(format!(
            "the 95 % interval of the slope within {TOLERANCE} of 0.5, through {ENOUGH} crossings at least"
        ))
        .judged(
            verdict(&fit.as_ref().map(Estimate::from), 0.5 - TOLERANCE..=0.5 + TOLERANCE),
            match fit {
                Some(_) => format!(
                    "The theory counts multiply-adds and takes each for equally fast. Narrow layers and \
                     small matrices do not run at the speed of large ones, and a fit of few samples is \
                     mostly the n² exponentials of its kernel: see the rates in the table of times.{}",
                    consequence(growth)
                ),
                None => too_few.clone(),
            },
        )
        .timed();
    outcome.claim(claim);
    let ratios: Vec<f64> = crossings.iter().map(|c| c.n / Float::sqrt(c.work)).collect();
    let estimate = (ratios.len() >= ENOUGH).then(|| Estimate::median(&ratios).of("crossings"));
    let ratio = estimate.as_ref().map(Estimate::value);
    let expected = Float::sqrt(18.0f64);
    let cheaper = match ratio {
        Some(ratio) if ratio < expected => {
            "A multiply-add of the kernel machine costs more than one of the network: below some thousand \
             samples its factor is slow, and distances and exponentials come on top."
        }
        Some(_) => {
            "A multiply-add of the network costs more than one of the kernel machine: its matrices are \
             small, and activations, loss and optimizer come on top."
        }
        None => &too_few,
    };
    outcome.claim(
        Claim::that("They take the same time where they need the same number of multiply-adds")
            .named("crossing-place")
            .expected(format!("n³/6 = 3·n·L·d²·E, that is n/√(L·d²·E) = √18 = {}", fixed(expected, 2)))
            .measured(estimate.as_ref().map_or(found, |estimate| format!("{estimate}, the median")))
            .criterion(format!(
                "the interval of the median within a factor of 3, over {ENOUGH} crossings at least"
            ))
            .judged(verdict(&estimate, expected / 3.0..=expected * 3.0), cheaper)
            .timed(),
    );
}
