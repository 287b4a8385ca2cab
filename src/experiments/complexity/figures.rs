//! Time and memory against the formulas.

use super::measure::{Held, Series};
use super::{Measured, NETWORK};
use crate::experiments::prelude::*;

/// A line of slope `theory` through the last point.
fn guide(points: &[(f64, f64)], theory: f64) -> Line {
    let (x, y) = points[points.len() - 1];
    let at = move |size: f64| y * Float::powf(size / x, theory);
    let line = Line::new(points.iter().map(move |(size, _)| (*size, at(*size))));
    line.named(format!("slope {theory}")).color(Color::Muted).dash(1).width(1.2)
}

pub(super) fn growth(measured: &Measured) -> Figure {
    let [samples, width, layers] = NETWORK;
    let panel = |title: &str, x: &str, series: &[(&Series, String)]| {
        let lines = series.iter().enumerate().flat_map(|(i, (series, label))| {
            let points: Vec<(f64, f64)> =
                series.drawn().into_iter().map(|(size, seconds)| (size, 1e3 * seconds)).collect();
            let guide = guide(&points, series.theory);
            [guide, Line::new(points).label(label).color(Color::series(i)).marker(Marker::series(i))]
        });
        Chart::new(Axis::log(x), Axis::log("time (ms)")).title(title).lines(lines)
    };
    let labelled = |label: &str, series: &Series| format!("{label}, slope {}", series.theory);
    let named = |name: &str, against: &str, label: &str| {
        let found = measured.times.iter().find(|s| s.name.starts_with(name) && s.against == against);
        found.map(|series| (series, labelled(label, series)))
    };
    let pick = |keys: &[(&str, &str, &str)]| -> Vec<(&Series, String)> {
        keys.iter().filter_map(|(name, against, label)| named(name, against, label)).collect()
    };
    let optimizers: Vec<(&Series, String)> =
        measured.optimizers.iter().map(|cost| (&cost.series, labelled(&cost.name, &cost.series))).collect();
    Figure::new(
        "growth",
        "Time over size",
        "One thread, double precision, processor times: the minimum of repeated measurements. The time at \
         the largest size is computed: the time of the size before, times the median of the measured \
         ratios. The claims take their exponents from the same ratios, because a minimum may come from a \
         single lucky moment. The dashed lines have the slope of the theory, given in the legend, and go \
         through the last point. Points on the left above their line: small sizes run slower per operation. \
         Points below it: large sizes have to use the main memory.",
    )
    .panel(panel("A chain of scalars", "depth", &pick(&[("value", "depth", "value and gradient")])))
    .panel(panel(
        &format!("A network of {layers} layers of width {width}, a batch of {samples}"),
        "samples n, width d or depth L",
        &pick(&[("network", "samples n", "n"), ("network", "width d", "d"), ("network", "depth L", "L")]),
    ))
    .panel(panel(
        "Matrices",
        "size n",
        &pick(&[
            ("product", "size n", "product"),
            ("solution", "samples n", "solution"),
            ("Gram", "samples n", "Gram matrix"),
            ("predictions", "samples n", "256 predictions"),
        ]),
    ))
    .panel(panel(
        "Features of 512 samples",
        "features d",
        &pick(&[("Gram", "features d", "Gram matrix"), ("predictions", "features d", "256 predictions")]),
    ))
    .panel(panel("A step of an optimizer", "parameters", &optimizers))
}

pub(super) fn memory(held: &[Held]) -> Figure {
    let [samples, width, layers] = NETWORK;
    let named = |name: &str, against: &str| held.iter().find(|h| h.name == *name && h.against == *against);
    let chart = |title: &str, x: &str, keys: &[(&str, &str, &str)]| {
        let mut chart = Chart::new(Axis::log(x), Axis::log("numbers held")).title(title);
        for (i, (name, against, label)) in keys.iter().enumerate() {
            let Some(held) = named(name, against) else { continue };
            let line = Line::new(held.points.clone())
                .label(format!("{label}, slope {}", held.theory))
                .color(Color::series(i));
            // The widest is drawn first, so that the width d is seen where it lies on the samples n.
            let wide = *name == "graph of a network" && i == 0;
            chart = chart.line(if wide { line.width(6.0) } else { line.dash(i).marker(Marker::series(i)) });
        }
        chart
    };
    let (graph, weights) = ("graph of a network", "weights of a network");
    Figure::new(
        "memory",
        "Numbers held over size",
        format!(
            "Counted, not timed: the same in every run. First panel: the graph of a network of {layers} \
             layers of width {width} on a batch of {samples}, with one of the three varied. The lines of \
             samples and width coincide, because the graph holds about n·d·L numbers and the other of the \
             two is {samples}. Second panel: the weights, and what a kernel machine has to keep."
        ),
    )
    .panel(chart(
        "The graph of a network",
        "samples n, width d or depth L",
        &[(graph, "samples n", "n"), (graph, "width d", "d"), (graph, "depth L", "L")],
    ))
    .panel(chart(
        "Weights and a kernel machine",
        "width d, depth L or samples n",
        &[
            ("kernel machine", "samples n", "kernel machine, n"),
            (weights, "width d", "weights, d"),
            (weights, "depth L", "weights, L"),
        ],
    ))
}

/// All slopes of times in one picture.
pub(super) fn slopes(times: &[&Series]) -> Figure {
    let names = times.iter().map(|series| series.short.clone());
    let mut chart = Chart::new(Axis::linear("exponent").range(0.0, 4.0), Axis::categories("", names));
    let mut found = Vec::new();
    for (i, series) in times.iter().enumerate() {
        let (exponent, y) = (series.exponent(), i as f64);
        let (low, high) = exponent.interval();
        let ends = [(low, y), (high, y)];
        chart = chart.line(Line::new(ends).color(Color::Blue).width(2.4));
        found.push((exponent.value(), y));
    }
    let theory = times.iter().enumerate().map(|(i, series)| (series.theory, i as f64));
    Figure::new(
        "slopes",
        "Measured exponents and those of the theory",
        "Exponents between the two largest sizes: medians of repeated measurements, with 95 % intervals. \
         Exponents of the theory are whole numbers. A measured one agrees with the theory if its whole \
         interval is nearer to that number than to any other, so a bar need not reach its cross. The table \
         of times shows the reasons. It gives the operations per second at the smallest and at the largest \
         size. Fewer at the smallest size: calls and loops cost relatively more. Fewer at the largest size: \
         numbers have to come from memory.",
    )
    .panel(chart.points(found, Marker::Circle, Color::Blue, "exponent of the time").points(
        theory,
        Marker::Cross,
        Color::Vermilion,
        "theory",
    ))
}
