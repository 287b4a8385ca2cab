//! Four optimizers in a bent valley. The function, what is measured, and the claims are here; the walks are in a file
//! of their own, and so are the figures.

mod figures;
mod walk;

use super::prelude::*;
use crate::optim::{Momentum, RmsProp};
use walk::{Drawn, Late, Sweep};

pub const EXPERIMENT: Experiment = Experiment {
    name: "rosenbrock",
    title: "Rosenbrock's valley",
    question: "How do SGD, momentum, RMSProp and Adam find their way through a bent valley?",
    theory: &[
        "The function $(1−x)²+100(y−x²)²$ (Rosenbrock 1960) has its minimum at (1, 1), at the end of a \
         valley that is steep across and flat along its floor. Its second derivatives there have the \
         eigenvalues $λ₁ = 1001.6$ and $λ₂ = 0.3994$: the condition number is 2508.",
        "Which optimizer is fastest depends on the rate as much as on the rule. So each gets the best of \
         some fixed rates. That is the rate with the fewest steps to a distance of 0.001 from the minimum, \
         from all of several starts around (−1.2, 1). The drawn paths have rates that make them visible.",
        "Close to the minimum the flat direction decides. SGD multiplies the distance by $1−ηλ₂$ per step. \
         Momentum adds up its steps and acts as if its rate were ${η}/{1−β}$. RMSProp divides by the size \
         of recent gradients, so its steps do not shrink with them. With a fixed rate it does not come to \
         rest. Adam divides in the same way, but it divides an average of gradients. In that average, steps \
         back and forth across the valley cancel (Kingma and Ba 2015).",
    ],
    parts: Parts::of::<Rosenbrock>(),
    finding,
};

const START: (f64, f64) = (-1.2, 1.0);
const STEPS: usize = 30_000;
const BETA: f64 = 0.9;

/// λ₂: the smaller eigenvalue of the second derivatives (802, −400; −400, 200) at (1, 1).
fn flat_curvature() -> f64 {
    let (a, b, c) = (802.0, -400.0, 200.0f64);
    (a + c) / 2.0 - ((a - c) * (a - c) / 4.0 + b * b).sqrt()
}

fn value(x: f64, y: f64) -> f64 {
    (1.0 - x) * (1.0 - x) + 100.0 * (y - x * x) * (y - x * x)
}

fn distance((x, y): (f64, f64)) -> f64 {
    super::statistics::distance(&[x, y], &[1.0, 1.0])
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Sgd,
    Momentum,
    RmsProp,
    Adam,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Sgd, Kind::Momentum, Kind::RmsProp, Kind::Adam];

    fn name(self) -> &'static str {
        match self {
            Kind::Sgd => "SGD",
            Kind::Momentum => "momentum",
            Kind::RmsProp => "RMSProp",
            Kind::Adam => "Adam",
        }
    }

    fn optimizer(self, rate: f64) -> Result<Optimizer<f64>> {
        match self {
            Kind::Sgd => Optimizer::new(Sgd, rate),
            Kind::Momentum => Optimizer::new(Momentum::new(BETA)?, rate),
            Kind::RmsProp => Optimizer::new(RmsProp::default(), rate),
            Kind::Adam => Optimizer::new(Adam::default(), rate),
        }
    }

    /// The rate of the path that is drawn.
    fn rate(self) -> f64 {
        match self {
            Kind::Sgd => 5e-4,
            Kind::Momentum => 2e-4,
            Kind::RmsProp => 1e-2,
            Kind::Adam => 2e-2,
        }
    }

    /// Two or three rates in each power of ten, from what takes very long to what throws it out, or never rests.
    fn rates(self) -> &'static [f64] {
        match self {
            Kind::Sgd => &[3e-4, 1e-3, 3e-3],
            Kind::Momentum => &[1e-4, 3e-4, 1e-3, 3e-3],
            Kind::RmsProp => &[3e-4, 1e-3, 3e-3, 1e-2],
            Kind::Adam => &[1e-2, 3e-2, 0.1, 0.3, 1.0],
        }
    }
}

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Rosenbrock {
    /// From (−1.2, 1), in the order of [`Kind::ALL`].
    drawn: Vec<Drawn>,
    /// From starts around it.
    late: Vec<Late>,
    sweeps: Vec<Sweep>,
}

impl Rosenbrock {
    fn drawn(&self, kind: Kind) -> &Drawn {
        self.drawn.iter().find(|drawn| drawn.kind == kind).expect("each is walked")
    }

    fn late(&self, kind: Kind, rate: f64) -> &Late {
        self.late.iter().find(|late| late.kind == kind && late.rate == rate).expect("each is walked")
    }

    /// The sweep over rates in which it came within a thousandth first, with the median of its steps; `None` if at no
    /// rate it came there from all starts.
    fn best(&self, kind: Kind) -> Option<(&Sweep, f64)> {
        let all = self.sweeps.iter().filter(|sweep| sweep.kind == kind);
        let steps = all.filter_map(|sweep| Some((sweep, median(&sweep.arrived()?))));
        steps.min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

impl Study for Rosenbrock {
    fn measure(context: &Context) -> Result<Rosenbrock> {
        let all = Kind::ALL.len() + 1 + Kind::ALL.map(|kind| kind.rates().len()).iter().sum::<usize>();
        let mut done = 0;
        let mut tell = |kind: Kind| {
            done += 1;
            context.at(done - 1, all, kind.name())
        };
        let starts = walk::starts(context.seed);
        let (mut drawn, mut late, mut sweeps) = (Vec::new(), Vec::new(), Vec::new());
        for kind in Kind::ALL {
            tell(kind)?;
            let (own, of_starts) = walk::far(context, kind, kind.rate(), &starts)?;
            drawn.push(own);
            late.push(of_starts);
        }
        // Against RMSProp at the same rate.
        tell(Kind::Adam)?;
        late.push(walk::far(context, Kind::Adam, Kind::RmsProp.rate(), &starts)?.1);
        for kind in Kind::ALL {
            for rate in kind.rates() {
                tell(kind)?;
                sweeps.push(Sweep::walk(context, kind, *rate, &starts)?);
            }
        }
        Ok(Rosenbrock { drawn, late, sweeps })
    }

    fn report(&self) -> Outcome {
        let mut outcome = Outcome::default();
        rate_claims(&mut outcome, self);
        first_claim(&mut outcome, self);
        rest_claims(&mut outcome, self);
        figures::all(&mut outcome, self);
        for drawn in &self.drawn {
            outcome.number(format!("{}: distance", drawn.name()), distance(drawn.end));
            outcome.number(
                format!("{}: steps to 0.1", drawn.name()),
                drawn.reached.map_or(f64::NAN, |step| step as f64),
            );
        }
        outcome.table(
            Table::of("ends", format!("After {STEPS} steps from (−1.2, 1)"), &self.drawn)
                .column("optimizer", |drawn| drawn.name())
                .column("loss at the end", |drawn| value(drawn.end.0, drawn.end.1))
                .column("distance at the end", |drawn| distance(drawn.end))
                .column("steps to distance 0.1", |drawn| Cell::or(drawn.reached, "not reached")),
        );
        let caption = format!("Steps to a distance of {NEAR}, median of the starts, by the rate");
        outcome.table(
            Table::of("rates", caption, &self.sweeps)
                .column("optimizer", |sweep| sweep.kind.name())
                .column("rate", |sweep| sweep.rate)
                .column("steps", |sweep| {
                    Cell::or(
                        sweep.arrived().map(|steps| median(&steps).round() as usize),
                        "not from every start",
                    )
                }),
        );
        outcome
    }
}

/// Where an optimizer counts as having converged, when rates are compared.
const NEAR: f64 = 1e-3;

fn rate_claims(outcome: &mut Outcome, study: &Rosenbrock) {
    let curvature = flat_curvature();
    for (kind, id, along, formula) in [
        (Kind::Sgd, "sgd-late-rate", 1.0, "ln(1 − ηλ₂)"),
        (Kind::Momentum, "momentum-late-rate", 1.0 / (1.0 - BETA), "ln(1 − ηλ₂/(1−β))"),
    ] {
        let expected = Float::ln_1p(-kind.rate() * along * curvature);
        let slopes = &study.late(kind, kind.rate()).slopes;
        let name = if kind == Kind::Sgd { "SGD" } else { "Momentum" };
        outcome.number(format!("late rate of {name}"), mean(slopes));
        let of_expected: Vec<f64> = slopes.iter().map(|slope| slope / expected).collect();
        claim(outcome, format!("{name} ends with a linear rate that the flat direction sets"))
            .named(id)
            .expected(format!("1 times {formula} = {} a step", scientific(expected, 4)))
            .estimated(Estimate::mean(&of_expected).of("starts"))
            .saying(&format!(
                " times, that is {} per step. It is fitted to ln(distance) between 10⁻² and 10⁻³, or the \
                 part of that which a run reaches",
                scientific(mean(slopes), 4)
            ))
            .within(
                0.98..=1.02,
                "The rate is that of a quadratic, and the function is one only at (1, 1). At a distance of \
                 10⁻² the valley is still bent, and its floor has another slope. A run that has not come to \
                 10⁻² has no late rate.",
            );
    }
}

fn first_claim(outcome: &mut Outcome, study: &Rosenbrock) {
    let best = Kind::ALL.map(|kind| (kind, study.best(kind)));
    for (kind, found) in best {
        outcome.number(
            format!("{} at its best rate: steps to {NEAR}", kind.name()),
            found.map_or(f64::NAN, |(_, steps)| steps),
        );
    }
    let text = list(best, |(kind, found)| match found {
        Some((sweep, steps)) => format!("{} {} at {}", kind.name(), fixed(steps, 0), sweep.rate),
        None => format!("{} at no rate", kind.name()),
    });
    // By how much Adam is faster than the fastest of the others, from each start; NaN where it does not arrive.
    let others = best.iter().filter(|(kind, _)| *kind != Kind::Adam).filter_map(|(_, found)| *found);
    let other = others.min_by(|a, b| a.1.total_cmp(&b.1)).and_then(|(sweep, _)| sweep.arrived());
    let adam = study.best(Kind::Adam).and_then(|(sweep, _)| sweep.arrived());
    let ratios: Vec<f64> = match (adam, other) {
        (Some(adam), Some(other)) => {
            other.iter().zip(adam).map(|(other, adam)| Float::ln(other / adam)).collect()
        }
        (Some(_), None) => vec![f64::INFINITY],
        (None, _) => vec![f64::NAN],
    };
    let ratio = Estimate::mean(&ratios).of("starts");
    let verdict = match ratios[0] {
        f64::INFINITY => Verdict::Holds,
        _ => ratio.against(&(std::ops::Bound::Excluded(0.0), std::ops::Bound::Unbounded)),
    };
    let times = Float::exp(mean(&ratios));
    outcome.claim(
        Claim::that("Each at its best rate, Adam is the first to converge")
            .named("adam-first")
            .expected(format!("the fewest steps to a distance of {NEAR}"))
            .estimated(ratio)
            .saying(&format!(
                ", ln of the steps of the fastest other one over those of Adam: {} times as many. Medians: {text}",
                rounded(times, 3)
            ))
            .criterion("the whole 95\u{a0}% interval is above 0, or no other one comes there from all starts")
            .judged(verdict,
                "The rates tried differ by factors of about three, and one between two of them may be \
                 better."),
    );
}

fn rest_claims(outcome: &mut Outcome, study: &Rosenbrock) {
    let rate = Kind::RmsProp.rate();
    let (rmsprop, adam) = (study.late(Kind::RmsProp, rate), study.late(Kind::Adam, rate));
    let lengths = &rmsprop.lengths;
    outcome.number("length of RMSProp's last steps", mean(lengths));
    claim(outcome, "RMSProp at a fixed rate does not come to rest: its steps stay about as long as η")
        .named("rmsprop-no-rest")
        .expected(format!("about {rate}"))
        .estimated(Estimate::mean(lengths).of("starts"))
        .saying(&format!(", mean length of the last {LAST} steps of {STEPS}"))
        .within(
            rate / 10.0..=rate * 10.0,
            "Its step is η times the gradient over the root mean square of past gradients. It is much \
             shorter if the gradients shrink faster than that mean forgets. It is much longer if they grow \
             faster than the mean follows.",
        );
    outcome.number("median of RMSProp's last distances", mean(&rmsprop.hovers));
    outcome.number("median of Adam's last distances", mean(&adam.hovers));
    let closer: Vec<f64> = rmsprop.hovers.iter().zip(&adam.hovers).map(|(r, a)| Float::ln(r / a)).collect();
    claim(
        outcome,
        "At the same rate Adam, whose first moment averages opposite steps away, stays closer to (1, 1) than RMSProp",
    )
    .named("adam-closer")
    .expected("a smaller distance")
    .estimated(Estimate::mean(&closer).of("starts"))
    .saying(&format!(
        ", ln of RMSProp's distance over Adam's, both at {rate}: medians of the last {LAST} steps, in the mean {} \
         against {}",
        rounded(mean(&rmsprop.hovers), 2),
        rounded(mean(&adam.hovers), 2)
    ))
    .within(
        (std::ops::Bound::Excluded(0.0), std::ops::Bound::Unbounded),
        "Adam's second moment averages over a hundred times as many steps. When the gradients have become \
         small, a single larger one throws it far out, and it takes long to come back.",
    );
}

/// The last steps, over which what does not come to rest is judged.
const LAST: usize = 1000;

fn finding(found: &Found) -> Told {
    let steps = |name: &str| found.number(&format!("{name} at its best rate: steps to 0.001"));
    let reached = |name: &str| found.number(&format!("{name}: steps to 0.1"));
    let end = found.number("momentum, η = 0.0002: distance")?;
    let title = match found.claim("adam-first")?.holds() {
        true => format!(
            "Each at its best rate, Adam is through the valley after {} steps, momentum after {}",
            fixed(steps("Adam")?, 0),
            fixed(steps("momentum")?, 0)
        ),
        false => "Even at its best rate Adam is not clearly the first through the valley".to_string(),
    };
    Some((
        "valley",
        title,
        format!(
            "SGD is not stuck. It moves slowly along the floor, at the rate of the flat direction: on the \
             drawn path it comes within 0.1 after {} steps and goes on. Momentum adds up its steps, needs \
             {}, and ends closest, at {}. RMSProp and Adam divide by the size of recent gradients: fast at \
             first, but at a fixed rate never at rest.",
            fixed(reached("SGD, η = 0.0005")?, 0),
            fixed(reached("momentum, η = 0.0002")?, 0),
            scientific(end, 1)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The determinant of the second derivatives is 400, their trace 1002.
    #[test]
    fn the_eigenvalue_of_the_flat_direction() {
        let small = flat_curvature();
        assert!((small * (1002.0 - small) - 400.0).abs() < 1e-9, "{small}");
        assert_eq!((value(1.0, 1.0), distance((1.0, 1.0))), (0.0, 0.0));
    }
}
