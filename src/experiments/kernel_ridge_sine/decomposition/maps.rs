//! The parts over λ and γ: maps, curves, tables.

use super::Part;
use crate::experiments::prelude::*;

use crate::experiments::kernel_ridge_sine::grid::{Cell, Grid, mark};
use crate::experiments::kernel_ridge_sine::{N, NOISE, SETS};
use crate::report::Columns;

pub(super) fn maps(outcome: &mut Outcome, grid: &Grid, parts: &[Part], chosen: &Cell) {
    const LOW: f64 = -4.0;
    let panel = |title: &str, of: &dyn Fn(&Part) -> f64| {
        let log = |i: usize| {
            let value = of(&parts[i]);
            if value > 0.0 { libm::log10(value).max(LOW) } else { f64::NAN }
        };
        grid.heat(title, "log₁₀, cut at −4 and 0", (LOW, 0.0), log).points(
            [mark(chosen.gamma, chosen.lambda)],
            Marker::Star,
            Color::Vermilion,
            "least by leaving one out",
        )
    };
    let unresolved = parts.iter().filter(|part| !part.resolved()).count();
    outcome.draw(
        "bias-variance-grid",
        "Bias and variance over γ and λ",
        format!(
            "From {SETS} sets, in one scale for all three maps. Violet is little, yellow much. Expect bias \
             where fits are stiff, at the upper left, and at the right, where the kernel is narrower than \
             the gaps between samples. Expect variance at the lower right. The star was chosen on one set; \
             it should lie between them. Bias² is grey at {unresolved} of {} places, where it is below two \
             of its standard errors. The colours stop at 10⁻⁴ and at 1.",
            parts.len()
        ),
        [
            panel("Bias²", &|part| if part.resolved() { part.bias } else { f64::NAN }),
            panel("Variance", &|part| part.variance),
            panel("Error on noisy targets, other sets", &|part| part.error),
        ],
    );
}

pub(super) fn lines(outcome: &mut Outcome, along_lambda: &[&Part], along_gamma: &[&Part]) {
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
            .line(line(&|p| p.floor).label("floor of bias²").color(Color::Blue).dash(2).width(1.2))
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
    outcome.draw(
        "bias-variance",
        "Bias and variance",
        format!(
            "Means over {SETS} sets of {N} points. λ and γ vary along lines through a setting with nearly \
             the best fits. Look where variance decreases and bias begins. Bias² is drawn where it is above \
             its floor of two standard errors. The error is that of {SETS} other sets, on targets with \
             other noise, with two standard errors to each side. It should lie on the sum of the parts, and \
             above σ². Values below 10⁻⁵ or above 10 are cut off."
        ),
        [
            panel(format!("γ = {}", rounded(gamma, 3)), Axis::log("λ"), along_lambda, |p| p.lambda),
            panel(format!("λ = {}", rounded(lambda, 2)), Axis::log("γ"), along_gamma, |p| p.gamma),
        ],
    );
}

pub(super) fn table<'a>(
    name: &str,
    along: &str,
    parts: &'a [&Part],
    of: fn(&Part) -> f64,
) -> Columns<'a, &'a Part> {
    let caption = format!("Bias and variance along {along}: bias² (corrected), its floor, and the error");
    Table::of(name, caption, parts)
        .column(along, |part| of(part))
        .column("bias²", |part| part.bias)
        .column("floor of bias²", |part| part.floor)
        .column("variance", |part| part.variance)
        .column("from the noise", |part| part.from_noise)
        .column("sum with σ²", |part| part.sum())
        .column("error", |part| part.error)
        .column("apart (standard errors)", |part| part.apart())
}
