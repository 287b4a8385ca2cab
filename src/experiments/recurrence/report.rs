//! What is claimed of recurrences, and shown.

use super::clipping::{self, BOUND, Pair};
use super::flow::{self, Flow};
use super::memory::{KINDS, Memory};
use super::{Kind, LENGTH, Recurrence};
use crate::experiments::prelude::*;

pub(super) fn all(study: &Recurrence) -> Outcome {
    let Recurrence { gradients: flows, clipping: pairs, memory } = study;
    let mut outcome = Outcome::default();
    flow_claims(&mut outcome, flows);
    clip_claims(&mut outcome, pairs);
    memory_claims(&mut outcome, memory);
    flow_figure(&mut outcome, flows);
    memory_figure(&mut outcome, memory);
    clip_figure(&mut outcome, pairs);
    outcome.table(
        Table::of(
            "gradients",
            format!("What is left of a gradient through {LENGTH} steps, before training"),
            flows,
        )
        .column("recurrence", |flow| flow.kind.name())
        .column("factor a step", |flow| mean(&flow.factors()))
        .column("log₁₀ of what is left", |flow| mean(&flow.left())),
    );
    outcome.table(
        Table::of(
            "memory",
            format!("Bits that are kept, after {} steps of training", memory.steps),
            &memory.all,
        )
        .column("recurrence", |learnt| learnt.kind.name())
        .column("steps", |learnt| learnt.length)
        .column("test accuracy", |learnt| mean(&learnt.accuracy))
        .column("least of the seeds", |learnt| range(learnt.accuracy.iter().copied()).0)
        .column("log₁₀ of what is left before", |learnt| mean(&learnt.before.left()))
        .column("and after training", |learnt| mean(&learnt.after.left())),
    );
    for flow in flows {
        outcome.number(format!("{}: factor a step", flow.kind.name()), mean(&flow.factors()));
        outcome.number(format!("{}: log10 of what is left", flow.kind.name()), mean(&flow.left()));
    }
    for learnt in &memory.all {
        let name = format!("{} over {}", learnt.kind.name(), learnt.length);
        outcome.number(format!("{name}: accuracy"), mean(&learnt.accuracy));
    }
    outcome
}

fn of(flows: &[Flow], kind: Kind) -> &Flow {
    flows.iter().find(|flow| flow.kind == kind).expect("each kind is followed")
}

fn flow_claims(outcome: &mut Outcome, flows: &[Flow]) {
    let what = "log₁₀ of what is left at the first step";
    claim(
        outcome,
        format!("In a plain recurrence with small weights the gradient is gone after {LENGTH} steps"),
    )
    .named("plain-vanishes")
    .expected("about log₁₀ 0.5 = −0.30 a step, and −30 in all")
    .estimated(Estimate::mean(&of(flows, Kind::Plain(0.5)).left()))
    .saying(&format!(", the {what}"))
    .within(..-15.0, "The largest eigenvalue of a random matrix can be well above the typical size.");
    claim(outcome, "In a plain recurrence with large weights the gradient grows")
        .named("plain-explodes")
        .expected("above 0: at most log₁₀ 2 = 0.30 a step, less where the units are saturated")
        .estimated(Estimate::mean(&of(flows, Kind::Plain(2.0)).left()))
        .saying(&format!(", the {what}"))
        .within(ABOVE_0, "Large weights also saturate the units: there φ' is small and makes up for U.");
    outcome.claim(
        Claim::that(
            "The gradient of an LSTM with a forget bias of 1 vanishes as well, but slower than by a factor of σ(1) a step",
        )
        .named("lstm-vanishes")
        .expected("a factor between σ(1) = 0.731, from cell to cell alone, and 1")
        .estimated(Estimate::mean(&of(flows, Kind::Lstm).factors()))
        .saying(", the factor a step")
        .within(
            0.731..=1.0,
            "The second path, through the output and the gates of the next step, need not add to the first.",
        )
        .remark(
            "σ(1) is the factor from cell to cell if nothing moves the gate. But input and state do move \
             it. The norm is soon dominated by the few cells and sequences with the most open gates: \
             products of random factors are dominated by their largest values. There is also a second path, \
             through the output and the gates of the next step.",
        ),
    );
    outcome.claim(
        Claim::that(
            "With a forget bias of ln(T − 1) the gradient of an LSTM is not lost: 1/e of it is left or more",
        )
        .named("open-lstm-keeps")
        .expected("at least log₁₀ 1/e = −0.43, from cell to cell alone")
        .estimated(Estimate::mean(&of(flows, Kind::OpenLstm).left()))
        .saying(&format!(", the {what}"))
        .within(-0.43.., "Gates are as open as that only if input and state do not move them.")
        .remark(
            "(1 − 1/T)^T, nearly 1/e, is the factor from cell to cell. The second path, through the output \
             and the gates of the next step, adds to it at each step. What was added is kept as well.",
        ),
    );
}

fn clip_claims(outcome: &mut Outcome, pairs: &[Pair]) {
    let norms = pairs.iter().map(|pair| range(pair.norms.iter().copied()).1);
    let greatest: Vec<f64> = norms.map(log10).collect();
    outcome.number("log10 of the largest gradient", mean(&greatest));
    // Losses of one seed and another differ by powers of ten.
    let tail = |losses: &[f64]| log10(mean(&losses[losses.len().saturating_sub(30)..]));
    let gain: Vec<f64> = pairs.iter().map(|pair| tail(&pair.free) - tail(&pair.clipped)).collect();
    outcome.number("log10 of the loss without clipping over that with it", mean(&gain));
    claim(
        outcome,
        format!(
            "Where gradients explode, clipping is vital: trained on {} steps, the loss ends lower with it",
            clipping::LENGTH
        ),
    )
    .named("clipping-vital")
    .expected("a ratio of the losses above 1, whose log₁₀ is 0")
    .estimated(Estimate::mean(&gain))
    .saying(", the log₁₀ of the loss of the last 30 steps without clipping, over that with it")
    .within(
        ABOVE_0,
        "A bounded nonlinearity limits the damage. An exploded step saturates the tanh units, and small \
         steps of chaotic gradients teach little.",
    );
}

fn memory_claims(outcome: &mut Outcome, memory: &Memory) {
    let (first, last) = (memory.lengths[0], memory.lengths[memory.lengths.len() - 1]);
    let accuracy = |kind, length| {
        memory
            .of(kind)
            .find(|learnt| learnt.length == length)
            .map_or(vec![], |learnt| learnt.accuracy.clone())
    };
    claim(outcome, format!("Over {first} steps a plain recurrence learns to keep a bit"))
        .named("plain-learns-short")
        .expected("nearly all right")
        .estimated(Estimate::mean(&accuracy(Kind::Plain(1.0), first)))
        .saying(", the test accuracy")
        .within(0.9.., "The bit has to be told apart from noise that comes in at every step.");
    let lost = differences(&accuracy(Kind::Plain(1.0), first), &accuracy(Kind::Plain(1.0), last));
    claim(outcome, format!("Over {last} steps a plain recurrence keeps less"))
        .named("plain-forgets-long")
        .expected("0.5 less, as by guessing; now and then one finds a state that it holds")
        .estimated(Estimate::mean(&lost))
        .saying(&format!(", the test accuracy over {first} steps minus that over {last}"))
        .within(
            ABOVE_0,
            "With a largest eigenvalue near 1 a plain recurrence does not forget geometrically from the \
             start.",
        );
    for (id, other, name) in [
        ("open-beats-plain", Kind::Plain(1.0), "a plain recurrence"),
        ("open-beats-closed", Kind::Lstm, "an LSTM with a forget bias of 1"),
    ] {
        claim(outcome, format!("Over {last} steps an LSTM whose gate is open keeps more than {name}"))
            .named(id)
            .expected("a difference of about 0.5: one right, one guessing")
            .estimated(Estimate::mean(&differences(&accuracy(Kind::OpenLstm, last), &accuracy(other, last))))
            .saying(", the difference of the test accuracies")
            .within(ABOVE_0, "In this number of training steps both may learn it, or neither.");
    }
}

/// A kind has one colour in all figures.
fn color(kind: Kind) -> Color {
    Color::series(flow::KINDS.iter().position(|other| *other == kind).unwrap_or(KINDS.len()))
}

fn flow_figure(outcome: &mut Outcome, flows: &[Flow]) {
    let lines =
        flows.iter().map(|flow| Line::new(flow.curve()).label(flow.kind.name()).color(color(flow.kind)));
    let chart =
        Chart::new(Axis::linear("steps before the loss"), Axis::log("norm of the gradient by the state"))
            .lines(lines);
    outcome.draw(
        "gradients",
        "A gradient on its way back",
        "Geometric means over the seeds, before training. A straight line is a constant factor per step. \
         See which lines fall, which rise, and how far the LSTM with a forget bias of 1 falls.",
        [chart],
    );
}

fn memory_figure(outcome: &mut Outcome, memory: &Memory) {
    let accuracy = KINDS.iter().enumerate().fold(
        Chart::new(
            Axis::log("steps over which the bit is kept"),
            Axis::linear("test accuracy").range(0.4, 1.04),
        )
        .title("What is learnt")
        .horizontal(0.5, Color::Muted, "guessing"),
        |chart, (i, kind)| {
            let points: Vec<(f64, f64)> =
                memory.of(*kind).map(|learnt| (learnt.length as f64, mean(&learnt.accuracy))).collect();
            chart.line(Line::new(points).label(kind.name()).color(color(*kind)).marker(Marker::series(i)))
        },
    );
    let longest = memory.lengths.len() - 1;
    let flow = KINDS.iter().fold(
        Chart::new(Axis::linear("steps before the loss"), Axis::log("norm of the gradient by the state"))
            .title(format!("Before training (dashed) and after, {} steps", memory.lengths[longest])),
        |chart, kind| {
            let Some(learnt) = memory.of(*kind).nth(longest) else { return chart };
            chart
                .line(Line::new(learnt.before.curve()).color(color(*kind)).dash(1))
                .line(Line::new(learnt.after.curve()).color(color(*kind)).label(kind.name()))
        },
    );
    outcome.draw(
        "memory",
        "The task: keep a bit",
        format!(
            "The first token holds a bit, all tokens have noise. After the last token the state is asked \
             for the bit, after {} steps of training. Compare where each network falls to guessing, and \
             which gradients it had at the start.",
            memory.steps
        ),
        [accuracy, flow],
    );
}

fn clip_figure(outcome: &mut Outcome, pairs: &[Pair]) {
    let at = |losses: &dyn Fn(&Pair) -> &Vec<f64>, step: usize| {
        let there: Vec<f64> = pairs.iter().filter_map(|pair| losses(pair).get(step).copied()).collect();
        ((step + 1) as f64, median(&there))
    };
    let until =
        |losses: &dyn Fn(&Pair) -> &Vec<f64>| pairs.iter().map(|pair| losses(pair).len()).max().unwrap_or(0);
    let curve =
        |losses: &dyn Fn(&Pair) -> &Vec<f64>| (0..until(losses)).map(|k| at(losses, k)).collect::<Vec<_>>();
    let chart = |y: Axis, title: &str| Chart::new(Axis::linear("step"), y).title(title);
    let loss = chart(Axis::log("loss"), "Loss")
        .line(Line::new(curve(&|pair| &pair.free)).label("without clipping"))
        .line(Line::new(curve(&|pair| &pair.clipped)).label(format!("norm at most {BOUND}")));
    let norms = chart(Axis::log("norm of the gradient"), "With clipping, before it is clipped")
        .line(Line::new(curve(&|pair| &pair.norms)).color(Color::series(1)))
        .horizontal(BOUND, Color::Muted, "bound");
    outcome.draw(
        "clipping",
        "Exploding gradients, with clipping and without",
        "Medians over the seeds of a plain recurrent network whose weights are twice the usual ones, \
         trained by plain gradient descent.",
        [loss, norms],
    );
}
