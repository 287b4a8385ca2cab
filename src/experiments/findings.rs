//! What each experiment found, in a sentence and a paragraph, made from the numbers and claims that are kept: a changed
//! sentence needs no new run.

use super::Outcome;
use crate::report::{Claim, Verdict, fixed, rounded, scientific};

/// The title of a section, its paragraph, and the figure that it opens with.
pub(super) struct Finding {
    pub title: String,
    pub paragraph: String,
    pub headline: &'static str,
}

/// The finding of that experiment; `None` where there is none, or a number is missing that it is told in.
pub(super) fn finding(experiment: &str, outcome: &Outcome) -> Option<Finding> {
    let found = Found(outcome);
    let (headline, title, paragraph) = match experiment {
        "graph-size" => graph_size(&found),
        "rosenbrock" => rosenbrock(&found),
        "convergence-rates" => convergence_rates(&found),
        "logistic" => logistic(&found),
        "gradient-flow" => gradient_flow(&found),
        "spiral" => spiral(&found),
        "kernel-ridge-sine" => kernel_ridge_sine(&found),
        "samples" => samples(&found),
        "optimizers" => optimizers(&found),
        "learning-rate" => learning_rate(&found),
        "regularisation" => regularisation(&found),
        "models" => models(&found),
        "complexity" => complexity(&found),
        "schedule-early-stopping" => schedule_early_stopping(&found),
        "ntk" => ntk(&found),
        "double-descent" => double_descent(&found),
        "images" => images(&found),
        "recurrence" => recurrence(&found),
        "algorithms" => algorithms(&found),
        _ => None,
    }?;
    Some(Finding { title, paragraph, headline })
}

/// Figure, title, paragraph.
type Told = Option<(&'static str, String, String)>;

struct Found<'a>(&'a Outcome);

impl Found<'_> {
    fn number(&self, name: &str) -> Option<f64> {
        self.0.number_named(name)
    }

    fn claim(&self, id: &str) -> Option<&Claim> {
        self.0.section.claims.iter().find(|claim| claim.id == id)
    }

    /// One of three texts, by the verdict of a claim.
    fn by(&self, id: &str, [holds, not, open]: [&'static str; 3]) -> Option<&'static str> {
        Some(match self.claim(id)?.verdict {
            Verdict::Holds => holds,
            Verdict::DoesNotHold => not,
            Verdict::NotDecided => open,
        })
    }

    /// Names and values of all numbers whose name begins and ends so, with what stands between.
    fn all<'b>(&'b self, begin: &'b str, end: &'b str) -> impl Iterator<Item = (&'b str, f64)> {
        let numbers = self.0.numbers.iter();
        numbers.filter_map(move |(name, x)| Some((name.strip_prefix(begin)?.strip_suffix(end)?, x.value())))
    }
}

fn percent(x: f64) -> String {
    format!("{}\u{a0}%", fixed(100.0 * x, 1))
}

fn graph_size(found: &Found) -> Told {
    let (depth, nodes) = found.all("nodes at ", "").last()?;
    let times = found.by(
        "backward-linear",
        ["and so does the time", "the time grows otherwise", "of the time this run does not decide"],
    )?;
    Some((
        "growth",
        "Graph and memory grow in proportion to the depth of a network".to_string(),
        format!(
            "A network of {depth} layers makes a graph of {} nodes, and twice as many layers make twice as many. Memory \
             follows, {times}. Value and gradient together take {} times as long as the value alone.",
            fixed(nodes, 0),
            found.claim("both-five-times")?.measured.split(',').next()?
        ),
    ))
}

fn rosenbrock(found: &Found) -> Told {
    let steps = |name: &str| found.number(&format!("{name}: steps to 0.1"));
    let end = |name: &str| found.number(&format!("{name}: distance"));
    let [sgd, momentum, adam] = ["SGD, η = 0.0005", "momentum, η = 0.0002", "Adam, η = 0.02"];
    let title = match found.claim("adam-first")?.holds() {
        true => format!(
            "Adam is first in the valley, after {} steps; momentum ends closest, at {}",
            fixed(steps(adam)?, 0),
            scientific(end(momentum)?, 1)
        ),
        false => {
            format!("Adam is not first in the valley; momentum ends at {}", scientific(end(momentum)?, 1))
        }
    };
    Some((
        "valley",
        title,
        format!(
            "SGD is not stuck. It creeps along the floor at the rate that the flat direction sets, comes within 0.1 \
             after {} steps and goes on. Momentum adds up its steps and needs {}. RMSProp and Adam divide by the size \
             of recent gradients: fast at first, and without rest at a fixed rate.",
            fixed(steps(sgd)?, 0),
            fixed(steps(momentum)?, 0)
        ),
    ))
}

fn convergence_rates(found: &Found) -> Told {
    let (descent, momentum) =
        (found.number("exponent of κ, gradient descent")?, found.number("exponent of κ, momentum")?);
    let steps = |name: &str| found.number(&format!("steps at the largest κ, {name}"));
    Some((
        "conditioning",
        format!(
            "Steps grow as the condition number to the {} for descent, to the {} for momentum",
            fixed(descent, 2),
            fixed(momentum, 2)
        ),
        format!(
            "At the largest condition number momentum needs {} steps where gradient descent needs {}: the root, as the \
             theory says, and not the step from a square to a first power. Under the PL condition no step left more \
             than {} of the loss, where at most {} is proven. Adam takes the same path whatever the loss is multiplied \
             by.",
            fixed(steps("momentum")?, 0),
            fixed(steps("gradient descent")?, 0),
            fixed(found.number("largest ratio of losses")?, 3),
            fixed(found.number("PL bound on the ratio")?, 3)
        ),
    ))
}

fn logistic(found: &Found) -> Told {
    let title = found.by(
        "one-optimum",
        [
            "Descent from six starts comes to one optimum, the one that Newton's method finds",
            "From some starts these steps are too few to come to the one optimum",
            "Whether descent comes to the one optimum is not decided by this run",
        ],
    )?;
    Some((
        "landscape",
        title.into(),
        format!(
            "The loss is one bowl; close to its bottom, at {}, the excess shrinks at the rate that the smallest \
             curvature sets. The model is right on {} of new points. With a hidden layer the loss is no bowl any more: \
             on the straight way between two ends it rises by {}.",
            fixed(found.number("loss at the optimum")?, 4),
            percent(found.number("test accuracy")?),
            rounded(found.number("barrier between two ends with a hidden layer")?, 2)
        ),
    ))
}

fn gradient_flow(found: &Found) -> Told {
    let factor = |name: &str| found.number(&format!("{name}, 30 layers: factor"));
    let [sigmoid, normalised] = [factor("sigmoid, no norm")?, factor("sigmoid, batch norm")?];
    let relu = factor("ReLU, batch norm")?;
    let mean_field = found.by(
        "mean-field-factors",
        [
            "Mean-field theory tells the factors.",
            "Mean-field theory tells most of the factors; where it does not, the claim below says why.",
            "Whether mean-field theory tells the factors is not decided by this run.",
        ],
    )?;
    Some((
        "gradient-norms",
        format!(
            "A layer of sigmoids leaves {} of the gradient; batch normalisation makes that {}",
            fixed(sigmoid, 2),
            fixed(normalised, 2)
        ),
        format!(
            "Over 30 layers the first is next to nothing, and the second stays. For ReLU it is the other way round: \
             He's weights keep the gradient without help, and with batch normalisation it grows by a factor of {} at each layer. \
             The product of norms is a bound only. {mean_field}",
            fixed(relu, 2)
        ),
    ))
}

fn spiral(found: &Found) -> Told {
    let accuracies: Vec<(&str, f64)> = found.all("test accuracy after ", "").collect();
    let lengths: Vec<(&str, f64)> = found.all("boundary after ", "").collect();
    let ((_, first), (epochs, last)) = (accuracies.first()?, accuracies.last()?);
    Some((
        "boundary",
        format!("A network of two hidden layers gets {} of new spiral points right", percent(*last)),
        format!(
            "After one epoch the boundary is nearly straight, {} long, and {} of new points are right. It bends along \
             the arms as they are learned: {} long after {epochs} epochs. Far from the points nothing was learned, and \
             the boundary means nothing there.",
            fixed(lengths.first()?.1, 1),
            percent(*first),
            fixed(lengths.last()?.1, 1)
        ),
    ))
}

fn kernel_ridge_sine(found: &Found) -> Told {
    Some((
        "fits",
        format!(
            "Leaving one out chooses a width and a ridge whose error is {}",
            rounded(found.number("chosen error")?, 2)
        ),
        format!(
            "A wide kernel or a large ridge makes the fit stiff: bias. A narrow kernel and a small ridge follow the \
             noise: variance. In between lies γ = {}, λ = {}, found without knowing the sine. The band of the same fit \
             as a Gaussian process holds the sine at {} of all places, where 95 % are promised.",
            rounded(found.number("chosen gamma")?, 3),
            rounded(found.number("chosen lambda")?, 2),
            percent(found.number("share inside the band")?)
        ),
    ))
}

fn samples(found: &Found) -> Told {
    let (accuracy, confidence) = (found.number("test accuracy")?, found.number("mean confidence")?);
    let kind = if confidence > accuracy { "more" } else { "less" };
    let wrong = match found.number("mean confidence where wrong") {
        Some(wrong) => format!(" Where it is wrong it says {} on average.", fixed(wrong, 2)),
        None => String::new(),
    };
    Some((
        "reliability",
        format!(
            "The network says {} and is right in {}: {kind} sure than right",
            percent(confidence),
            percent(accuracy)
        ),
        format!(
            "The softmax is a probability only as far as training has made it one.{wrong} The mistakes that it is surest of are in \
             the next figure."
        ),
    ))
}

fn optimizers(found: &Found) -> Told {
    let names = ["momentum 0.01", "RMSProp 0.001", "Adam 0.001"];
    let accuracy = |name: &str| found.number(&format!("{name}: test accuracy"));
    let mut ends = Vec::new();
    for name in names {
        ends.push((name, accuracy(name)?));
    }
    let apart = found.by(
        "seed-or-optimizer",
        [
            "That is more than another seed changes.",
            "Another seed changes as much: which of the three ends best is not decided.",
            "Whether that is more than a seed changes is not decided by this run.",
        ],
    )?;
    Some((
        "curves",
        format!(
            "Momentum needs {} times fewer steps than SGD",
            fixed(found.number("momentum against SGD")?, 1)
        ),
        format!(
            "At the end {} have test accuracies of {}. {apart} With a tenth of its rate Adam takes {} times as long.",
            names.join(", "),
            ends.iter().map(|(_, accuracy)| percent(*accuracy)).collect::<Vec<_>>().join(", "),
            fixed(found.number("Adam 0.001 against 0.0001")?, 1)
        ),
    ))
}

fn learning_rate(found: &Found) -> Told {
    let best = found.all("test accuracy at ", "").max_by(|a, b| a.1.total_cmp(&b.1))?;
    let window = found.claim("window")?.measured.split(':').next()?;
    Some((
        "window",
        format!("Adam trains this network at rates {window}"),
        format!(
            "The best test accuracy, {}, is at a rate of {}. Rates far below get nowhere in so few steps; a rate of the \
             size of the first weights replaces them at every step, and training fails long before numbers overflow.",
            percent(best.1),
            best.0
        ),
    ))
}

fn regularisation(found: &Found) -> Told {
    let gain = found.number("gain of the chosen λ")?;
    let title = found.by(
        "choice-gains",
        [
            "Weight decay, chosen on other images, improves the test accuracy",
            "That weight decay improves this network is not shown",
            "Whether weight decay improves this network is not decided by this run",
        ],
    )?;
    Some((
        "lambda",
        title.into(),
        format!(
            "The λ that is best on other images is {}; its gain on the test set is {} ± {}. The norm of the weights \
             falls with λ long before the accuracy does.",
            rounded(found.number("chosen λ")?, 2),
            fixed(gain, 4),
            fixed(found.number("deviation of the gain")?, 4)
        ),
    ))
}

fn models(found: &Found) -> Told {
    let of = |part: &str| -> Vec<f64> {
        let begin = format!("{part}, ");
        found.all(&begin, ": test accuracy").map(|(_, accuracy)| accuracy).collect()
    };
    let (spiral, images) = (of("spiral"), of("images"));
    let ([lines, mlp, krr, ..], [image_lines, image_mlp, image_krr, ..]) = (&spiral[..], &images[..]) else {
        return None;
    };
    Some((
        "boundaries",
        format!(
            "On the spiral lines get {} right, a network {}, a kernel machine {}",
            percent(*lines),
            percent(*mlp),
            percent(*krr)
        ),
        format!(
            "Lines cut the plane into wedges, which these arms cross. The other two follow them: the network by \
             straight pieces, the kernel machine smoothly. On images the three get {}, {} and {}; the kernel machine \
             pays with an n×n matrix, the network with epochs.",
            percent(*image_lines),
            percent(*image_mlp),
            percent(*image_krr)
        ),
    ))
}

fn complexity(found: &Found) -> Told {
    let times: Vec<&Claim> =
        found.0.section.claims.iter().filter(|claim| claim.id.starts_with("time-")).collect();
    let held = times.iter().filter(|claim| claim.holds()).count();
    let slope = |id: &str| Some(found.claim(id)?.estimate.as_ref()?.value());
    Some((
        "slopes",
        format!("{held} of {} times grow with the exponent of the theory", times.len()),
        format!(
            "The counts of numbers are exact, times are not: at small sizes calls and caches cost more than \
             multiply-adds. The network grows with the slope {} in its samples, the solution of the kernel machine with \
             {} where the theory has 3 in the limit.",
            fixed(slope("time-network-n")?, 2),
            fixed(slope("time-solution-n")?, 2)
        ),
    ))
}

fn schedule_early_stopping(found: &Found) -> Told {
    let of = |name: &str| found.number(name);
    let (stopped, free) = (of("stopped: test loss")?, of("not stopped: test loss")?);
    Some((
        "early-stopping",
        format!(
            "With a fifth of the labels wrong, stopping leaves a test loss of {} in place of {}",
            fixed(stopped, 2),
            fixed(free, 2)
        ),
        format!(
            "The run stops after epoch {} and puts back epoch {}; without stopping the network learns the wrong labels \
             by heart. On a quadratic stopping is a ridge with a λ of its own for each direction, exactly; with one λ \
             for all, the shares differ by up to {} and the error is at most {} times as large.",
            fixed(of("stopped: epochs")?, 0),
            fixed(of("stopped: epoch of the parameters")?, 0),
            fixed(of("quadratic: largest difference of shares")?, 2),
            fixed(of("quadratic: largest ratio of errors")?, 2)
        ),
    ))
}

fn ntk(found: &Found) -> Told {
    let slopes: Vec<f64> = found.all("slope at depth ", "").map(|(_, slope)| slope).collect();
    let moved: Vec<(&str, f64)> = found.all("movement of the weights at width ", "").collect();
    let ((narrow, most), (wide, least)) = (moved.first()?, moved.last()?);
    let slope = slopes.iter().sum::<f64>() / slopes.len() as f64;
    Some((
        "distance",
        format!("The kernel of a network comes to its limit as the width to the power {}", fixed(slope, 2)),
        format!(
            "The wider a network, the less its weights move in training: {} of their norm at width {narrow}, {} at \
             {wide}. So the network trains as the linear model at its start does, at most {} of the targets apart at \
             the largest width: training is lazy there.",
            percent(*most),
            percent(*least),
            percent(found.number(&format!("distance, training points at width {wide}"))?)
        ),
    ))
}

fn double_descent(found: &Found) -> Told {
    let errors: Vec<(&str, f64)> = found.all("error with ", " Gaussian features").collect();
    let ((few, first), (many, last)) = (errors.first()?, errors.last()?);
    Some((
        "gaussian",
        format!("The error peaks where features equal samples, and falls to {} behind", fixed(*last, 2)),
        format!(
            "With {few} features the error is {}, with {many} it is {}, and in between it has no bound. At the peak one \
             solution fits all samples, and it has to be long. With more features there are many, and the shortest \
             shares the work. The best ridge has no peak at all.",
            fixed(*first, 2),
            fixed(*last, 2)
        ),
    ))
}

fn images(found: &Found) -> Told {
    let of = |name: &str, what: &str| found.all(name, what).next().map(|(_, x)| percent(x));
    let accuracy = |name: &str| of(name, ": test accuracy");
    let lost = |name: &str| of(name, ": lost by a shift of 3");
    Some((
        "shifts",
        format!(
            "LeNet-5 gets {} of new digits right, a perceptron {}; both lose where images move",
            accuracy("LeNet-5 on")?,
            accuracy("MLP on")?
        ),
        format!(
            "The weights of a filter are the same at every place of an image. Where images move by three pixels, LeNet-5 still loses {} and a perceptron {}: the affine \
             layers behind the filters know places. Shown moved images in training, they lose {} and {}.",
            lost("LeNet-5 on")?,
            lost("MLP on")?,
            lost("LeNet-5, moved on")?,
            lost("MLP, moved on")?
        ),
    ))
}

fn recurrence(found: &Found) -> Told {
    let left = |name: &str| found.number(&format!("{name}: log10 of what is left"));
    let power = |x: f64| format!("$10^{{{}}}$", fixed(x, 0));
    let [plain, closed, open] = [left("plain")?, left("LSTM, bias 1")?, left("LSTM, bias ln(T − 1)")?];
    let kept = found.by(
        "open-beats-closed",
        [
            "Over the longest sequences only the open gate keeps a bit.",
            "Over the longest sequences the open gate does not keep more than the other.",
            "Whether the open gate keeps more over the longest sequences than the other is not decided by this run.",
        ],
    )?;
    let clipped = found.by(
        "clipping-vital",
        [
            "with clipping the training ends at a lower loss",
            "clipping does not lower the loss",
            "whether clipping lowers the loss is not decided by this run",
        ],
    )?;
    Some((
        "memory",
        format!(
            "Through 100 steps a plain recurrence leaves {} of a gradient, an LSTM with an open gate {}",
            power(plain),
            power(open)
        ),
        format!(
            "It is the gate that keeps, and not the LSTM as such: with the usual forget bias of 1, {} is left. What is \
             gone on the way back cannot be learnt. {kept} Large weights do the opposite: gradients reach {}, and {clipped}.",
            power(closed),
            power(found.number("log10 of the largest gradient")?)
        ),
    ))
}

fn algorithms(found: &Found) -> Told {
    let share = |task: &str| found.number(&format!("{task}: share of answers")).map(percent);
    Some((
        "accuracy",
        format!(
            "A small transformer learns to reverse ({}) and to sort ({}) digits",
            share("reverse")?,
            share("sort")?
        ),
        format!(
            "It has seen no rule, only questions with answers. Sums take longer, {} are whole in as many steps, and are \
             learnt digit by digit. How it reverses can be looked at: one head gives the place across a weight of {}.",
            share("add")?,
            fixed(found.number("reverse: weight of the place across")?, 2)
        ),
    ))
}
