//! What a ridge does for a network with few samples, and what it means.

use super::statistics::mean_and_deviation;
use super::{Context, Experiment, Outcome};
use crate::data::Dataset;
use crate::models::Mlp;
use crate::nn::{Activation, Mode, Module, ModuleExt, Sequential, loss};
use crate::optim::{Group, Momentum, Optimizer, Sgd};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table, fixed, rounded};
use crate::rng::{Purpose, derive, stream};
use crate::tape::Param;
use crate::train::{FitOptions, evaluate, fit};
use crate::{Error, Float, Result, Tape, Var};

pub const EXPERIMENT: Experiment = Experiment {
    name: "regularisation",
    question: "How does weight decay change training and test accuracy with a hundred training samples?",
    theory: &[
        "A network with more weights than samples fits them all. The penalty λ/2·‖w‖² keeps the weights \
         small: the training accuracy falls with λ, and so does its distance to the test accuracy; between \
         too little and too much there may be a best λ (Krogh and Hertz 1991). With too much the network \
         becomes a constant, which has no gap and has learned nothing.",
        "The penalty is the logarithm of a prior: with independent weights from N(0, 1/(nλ)) the posterior \
         −ln p(w | data) = n·(L(w) + λ/2·‖w‖²) + const, so that the minimum of the penalised loss is the most \
         probable network (MacKay 1992).",
    ],
    run,
};

/// Training samples.
const N: usize = 100;
/// At most so many of the other training images choose λ.
const VALIDATION: usize = 2000;
const HIDDEN: usize = 64;
const LAMBDAS: [f64; 9] = [0.0, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0];
const RATE: f64 = 0.05;
/// Training accuracy from which on a network counts as one that fits its samples. One that the penalty has
/// emptied gives every sample the same class, and has no gap for that reason alone.
const FITS: f64 = 0.9;

/// The ends of the runs at one λ, one for each seed.
struct Row {
    lambda: f64,
    train: Vec<f64>,
    validation: Vec<f64>,
    test: Vec<f64>,
    norms: Vec<f64>,
}

/// What is trained on, what chooses λ, and what is measured on.
struct Sets<'a> {
    train: Dataset,
    validation: Dataset,
    test: &'a Dataset,
}

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 1, "data")?;
    let all = &context.data.train;
    if all.len() <= N {
        return Err(Error::Data(format!(
            "{} training images are too few: it takes {N} to train on, and some to choose λ by",
            all.len()
        )));
    }
    let sets = Sets {
        train: all.take(N),
        validation: all.subset(&Vec::from_iter(N..all.len().min(N + VALIDATION))),
        test: &context.data.test,
    };
    let seeds = context.pick(3, 5);
    let mut rows = Vec::new();
    for (i, lambda) in LAMBDAS.into_iter().enumerate() {
        let (train, validation, test, norms) = Default::default();
        let mut row = Row { lambda, train, validation, test, norms };
        for k in 0..seeds {
            context.at(i * seeds + k, LAMBDAS.len() * seeds, &format!("λ = {lambda}"))?;
            // The same initial weights for every λ; a batch is all samples.
            let end = fit_at(context, &sets, lambda, derive(context.seed, k as u64))?;
            row.train.push(end[0]);
            row.validation.push(end[1]);
            row.test.push(end[2]);
            row.norms.push(end[3]);
        }
        rows.push(row);
    }
    let mut outcome = Outcome::default();
    report(&mut outcome, &rows, &sets);
    posterior_claim(&mut outcome, context, &sets.train)?;
    decay_claim(&mut outcome, context, &sets.train)?;
    Ok(outcome)
}

/// Accuracy in training, validation and test, and the norm of the weights after a fit.
fn fit_at(context: &Context, sets: &Sets, lambda: f64, seed: u64) -> Result<[f64; 4]> {
    let train = &sets.train;
    let mut tape = Tape::<f32>::default();
    let widths = [train.features(), HIDDEN, train.classes()];
    let mut rng = stream(seed, Purpose::Init);
    let model = Mlp::new(&widths, Activation::Relu).build(&mut tape, &mut rng)?;
    let mut optimizer = Optimizer::new(Momentum::default(), RATE)?
        .with_weight_decay(lambda)?
        .with_group(Group::new(model.biases(&tape)).with_weight_decay(0.0)?)?;
    let loss = loss::suited_to(train)?;
    let options = FitOptions::new(context.pick(150, 600), N, seed);
    let mut watch = context.observer("training");
    fit(&model, &*loss, &mut tape, &mut optimizer, train, None, &options, &mut [&mut watch])?;
    context.check()?;
    let squares = |p: Param| tape.value_slice(p).iter().map(|w| f64::from(*w) * f64::from(*w)).sum::<f64>();
    let norm = model.weights().into_iter().map(squares).sum::<f64>().sqrt();
    let mut accuracy =
        |data: &Dataset| evaluate(&model, &*loss, &mut tape, data).map(|e| e.accuracy().unwrap_or(f64::NAN));
    Ok([accuracy(train)?, accuracy(&sets.validation)?, accuracy(sets.test)?, norm])
}

/// Test accuracy of a network that gives every sample the most frequent class of the training samples.
fn accuracy_of_a_constant(train: &Dataset, test: &Dataset) -> f64 {
    let counts = train.class_counts();
    let most = (0..counts.len()).max_by_key(|class| counts[*class]).unwrap_or(0);
    test.class_counts().get(most).map_or(0.0, |count| *count as f64 / test.len() as f64)
}

fn mean(xs: &[f64]) -> f64 {
    mean_and_deviation(xs).0
}

/// Training minus test accuracy, seed by seed.
fn gaps(row: &Row) -> Vec<f64> {
    row.train.iter().zip(&row.test).map(|(train, test)| train - test).collect()
}

/// Mean and deviation over the seeds of a − b: the initial weights of a pair are the same.
fn paired(a: &[f64], b: &[f64]) -> (f64, f64) {
    mean_and_deviation(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}

fn report(outcome: &mut Outcome, rows: &[Row], sets: &Sets) {
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    outcome.claim(
        Claim::that("Without a penalty the network fits all samples")
            .expected("training accuracy 1")
            .measured(fixed(mean(&first.train), 4))
            .criterion("at least 0.99")
            .holds(
                mean(&first.train) >= 0.99,
                "A fixed number of steps at a fixed rate: some samples near the boundary may be left when it is over. And \
                 samples that are the same, but of different classes, cannot all be fitted.",
            ),
    );
    let falls = rows.windows(2).all(|pair| mean(&pair[1].norms) <= mean(&pair[0].norms));
    outcome.claim(
        Claim::that("The norm of the weights falls with λ")
            .expected("at every step")
            .measured(format!("from {} to {}", rounded(mean(&first.norms), 3), rounded(mean(&last.norms), 2)))
            .criterion("each mean norm is not above the one before")
            .holds(
                falls,
                "The norms are those after a fixed number of steps, not of the minimum. At two neighbouring λ that both \
                 change little in that time, or that both leave nothing, rounding decides.",
            ),
    );
    let constant = accuracy_of_a_constant(&sets.train, sets.test);
    gap_claim(outcome, rows, constant);
    choice_claim(outcome, rows, sets.validation.len());
    outcome.number("test accuracy of a constant", constant);
    outcome.figure(&figure(rows, sets, constant));

    let columns = [
        "λ",
        "training accuracy",
        "validation accuracy",
        "test accuracy",
        "training minus test",
        "norm of the weights",
    ];
    let caption = format!(
        "Means over {} seeds. A network that always names the most frequent class of the training samples has a \
         test accuracy of {}",
        first.train.len(),
        fixed(constant, 3)
    );
    let mut table = Table::new("lambda", caption, columns);
    for row in rows {
        let (train, validation, test) = (mean(&row.train), mean(&row.validation), mean(&row.test));
        let norm = mean(&row.norms);
        table.row([row.lambda, train, validation, test, train - test, norm].map(Into::into));
        outcome.number(format!("training accuracy at {}", row.lambda), train);
        outcome.number(format!("validation accuracy at {}", row.lambda), validation);
        outcome.number(format!("test accuracy at {}", row.lambda), test);
        outcome.number(format!("norm at {}", row.lambda), norm);
    }
    outcome.table(table);
}

/// What the penalty does to the gap while there is a network left.
fn gap_claim(outcome: &mut Outcome, rows: &[Row], constant: f64) {
    let first = &rows[0];
    let fits = |row: &&Row| mean(&row.train) >= FITS;
    let dead: Vec<String> = rows.iter().filter(|row| !fits(row)).map(|row| rounded(row.lambda, 1)).collect();
    let dead = match dead.as_slice() {
        [] => "every λ is judged".to_string(),
        some => format!("not judged, since the network no longer fits: λ = {}", some.join(", ")),
    };
    let gap = mean(&gaps(first));
    let strongest = rows.iter().skip(1).rev().find(fits);
    let (shrinks, deviation) = strongest.map_or((f64::NAN, f64::NAN), |row| paired(&gaps(first), &gaps(row)));
    let at = strongest.map_or("no λ above 0 leaves a network that fits".to_string(), |row| {
        format!(
            "{} at λ = {}, smaller by {} ± {} over the seeds",
            fixed(mean(&gaps(row)), 3),
            rounded(row.lambda, 1),
            fixed(shrinks, 4),
            fixed(deviation, 4)
        )
    });
    outcome.claim(
        Claim::that(
            "The gap between training and test accuracy shrinks as λ grows, while the samples are still fitted",
        )
        .expected("a smaller gap at the largest λ that leaves a network that fits")
        .measured(format!("{} at λ = 0; {at}; {dead}", fixed(gap, 3)))
        .criterion(format!(
            "at the largest λ with a training accuracy of {FITS} or more, smaller by at least a tenth of the gap \
             without a penalty, which is above 0, and by at least twice the deviation of the difference"
        ))
        .holds(
            gap > 0.0 && shrinks >= 0.1 * gap && shrinks >= 2.0 * deviation,
            match strongest {
                None => "No penalty that was tried leaves a network that fits its samples: there is nothing to \
                         compare."
                    .to_string(),
                Some(_) => format!(
                    "As long as the samples are fitted the training accuracy is {FITS} to 1, and little but a better \
                     test accuracy could close the gap. A large λ does close it, as soon as nothing is left of the \
                     network: one that always names the same class has a test accuracy of {}.",
                    fixed(constant, 3)
                ),
            },
        ),
    );
}

/// λ is chosen on images that take no other part, and judged on the test set.
fn choice_claim(outcome: &mut Outcome, rows: &[Row], images: usize) {
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    let best = rows.iter().fold(first, |a, b| if mean(&b.validation) > mean(&a.validation) { b } else { a });
    let (gain, deviation) = paired(&best.test, &first.test);
    let between = best.lambda > first.lambda && best.lambda < last.lambda;
    outcome.number("chosen λ", best.lambda);
    outcome.number("gain of the chosen λ", gain);
    outcome.number("deviation of the gain", deviation);
    outcome.claim(
        Claim::that("Some λ between, chosen on other images, gives a better test accuracy than none")
            .expected("an inner λ is chosen, and is better on the test set")
            .measured(format!(
                "λ = {} is the best on {images} images that are neither trained on nor tested on. Its test accuracy is \
                 {}, against {} without: a gain of {} ± {} over {} seeds",
                rounded(best.lambda, 1),
                fixed(mean(&best.test), 4),
                fixed(mean(&first.test), 4),
                fixed(gain, 4),
                fixed(deviation, 4),
                first.test.len()
            ))
            .criterion(
                "λ is neither 0 nor the largest, and the mean gain on the test set is at least 0.01 and at least twice \
                 its deviation over the seeds",
            )
            .holds(
                between && gain >= 0.01 && gain >= 2.0 * deviation,
                "Gradient descent from small weights already prefers networks of small norm, and is stopped after \
                 a fixed number of steps: there is little left for the penalty to do. And what other initial weights \
                 change as much cannot be told from chance.",
            )
            .remark("The seeds differ in the initial weights only: the samples are the same in all of them."),
    );
}

fn figure(rows: &[Row], sets: &Sets, constant: f64) -> Figure {
    let first = &rows[0];
    let axis = || {
        // A zero has no place on a scale of powers of ten.
        Axis::log("λ (the leftmost points are λ = 0)")
    };
    let at = |row: &Row| if row.lambda == 0.0 { 2e-5 } else { row.lambda };
    let mut chart = Chart::new(axis(), Axis::linear("accuracy").range(0.0, 1.04)).title("Accuracy");
    type Of = fn(&Row) -> &[f64];
    let accuracies: [(_, _, _, Of); 2] = [
        ("training", Color::Blue, Marker::Circle, |row| &row.train),
        ("test", Color::Vermilion, Marker::Square, |row| &row.test),
    ];
    for (label, color, marker, of) in accuracies {
        let spread = |row: &Row| {
            let (mean, deviation) = mean_and_deviation(of(row));
            (at(row), mean - deviation, mean + deviation)
        };
        chart = chart.band(rows.iter().map(spread), color, "").line(
            Line::new(rows.iter().map(|row| (at(row), mean(of(row)))))
                .label(label)
                .color(color)
                .marker(marker),
        );
    }
    chart = chart.horizontal(constant, Color::Muted, "always one class, test");
    let share = Chart::new(axis(), Axis::linear("share").holding(0.0))
        .title("Gap and weights")
        .line(
            Line::new(rows.iter().map(|row| (at(row), mean(&gaps(row)))))
                .label("training minus test accuracy")
                .color(Color::Green)
                .marker(Marker::Triangle),
        )
        .line(
            Line::new(rows.iter().map(|row| (at(row), mean(&row.norms) / mean(&first.norms))))
                .label("norm of the weights, of that at λ = 0")
                .color(Color::Purple)
                .dash(1),
        );
    Figure::new(
        "lambda",
        "Accuracy over the weight decay",
        format!(
            "A network {}-{HIDDEN}-{} on {N} samples; means over {} seeds, with a standard deviation to \
             each side. See where the training accuracy begins to fall, where the norm of the weights does, and \
             whether the test accuracy has its best between the two. Where the accuracy comes down to the dashed \
             line, which is that of a network that always names one class, nothing is left of the network, and a gap \
             that closes there means nothing.",
            sets.train.features(),
            sets.train.classes(),
            first.train.len()
        ),
    )
    .panel(chart)
    .panel(share)
}

/// A small network in f64 with the cross-entropy of all samples, for the two equalities.
struct Small {
    tape: Tape,
    model: Sequential<f64>,
    labels: Vec<usize>,
    rows: Vec<usize>,
}

impl Small {
    fn new(context: &Context, train: &Dataset) -> Result<Small> {
        let mut tape = Tape::new();
        let mut rng = stream(context.seed, Purpose::Init);
        let widths = [train.features(), 16, train.classes()];
        let model = Mlp::new(&widths, Activation::Tanh).build(&mut tape, &mut rng)?;
        let rows: Vec<usize> = (0..train.len()).collect();
        let labels = rows.iter().map(|row| train.label(*row)).collect();
        Ok(Small { tape, model, labels, rows })
    }

    /// The mean cross-entropy, appended to a rewound tape.
    fn loss(&mut self, train: &Dataset) -> Var {
        let Small { tape, model, labels, rows } = self;
        tape.rewind();
        let x = tape.constant_with(rows.len(), train.features(), |to| train.gather(rows, to));
        let logits = model.forward(tape, x, &mut Mode::evaluation());
        tape.cross_entropy(logits, labels)
    }
}

/// The gradient of n·(L + λ/2·‖w‖²), and that of −ln p(data | w) − Σ ln N(w; 0, 1/(nλ)).
fn posterior_claim(outcome: &mut Outcome, context: &Context, train: &Dataset) -> Result<()> {
    context.check()?;
    let lambda = 0.03;
    let n = train.len() as f64;
    let mut small = Small::new(context, train)?;
    let weights = small.model.weights();

    let loss = small.loss(train);
    let penalty = small.tape.l2_penalty(&weights, lambda);
    let sum = small.tape.add(loss, penalty);
    let penalised = small.tape.scale(sum, n);
    small.tape.zero_grad();
    small.tape.backward(penalised);
    let first = small.tape.param_grads().to_vec();
    let first_value = small.tape.item(penalised);

    // The density of a weight, written out: ½·ln(2πs²) + w²/(2s²) with s² = 1/(nλ).
    let variance = 1.0 / (n * lambda);
    let loss = small.loss(train);
    let mut posterior = small.tape.scale(loss, n);
    let mut numbers = 0;
    for w in &weights {
        numbers += small.tape.value_slice(*w).len();
        let square = small.tape.square(*w);
        let scaled = small.tape.scale(square, 0.5 / variance);
        let term = small.tape.shift(scaled, 0.5 * Float::ln(std::f64::consts::TAU * variance));
        let sum = small.tape.sum(term);
        posterior = small.tape.add(posterior, sum);
    }
    small.tape.zero_grad();
    small.tape.backward(posterior);
    let second = small.tape.param_grads();
    let constant = numbers as f64 * 0.5 * Float::ln(std::f64::consts::TAU * variance);

    let size = first.iter().map(|g| g.abs()).fold(0.0, f64::max);
    let apart = first.iter().zip(second).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / size;
    let value = (small.tape.item(posterior) - constant - first_value).abs() / first_value.abs();
    outcome.claim(
        Claim::that("The penalised loss is the posterior with a Gaussian prior: equal but for a constant")
            .expected("equal gradients, values a constant apart")
            .measured(format!(
                "gradients {} apart, values {}, relative",
                rounded(apart, 2),
                rounded(value, 2)
            ))
            .criterion("both at most 10⁻¹²")
            .holds(
                apart <= 1e-12 && value <= 1e-12,
                format!(
                    "The constant is a sum over {numbers} weights and large beside the loss: what is left after it is \
                     taken away has lost as many digits. A larger difference is a mistake in one of the two."
                ),
            ),
    );
    Ok(())
}

/// Steps with the optimizer's weight decay against steps on the penalised loss.
fn decay_claim(outcome: &mut Outcome, context: &Context, train: &Dataset) -> Result<()> {
    context.check()?;
    let lambda = 0.1;
    let ends: Vec<Vec<f64>> = [true, false]
        .into_iter()
        .map(|decay| -> Result<Vec<f64>> {
            let mut small = Small::new(context, train)?;
            let weights = small.model.weights();
            let mut optimizer = Optimizer::new(Sgd, RATE)?
                .with_weight_decay(if decay { lambda } else { 0.0 })?
                .with_group(Group::new(small.model.biases(&small.tape)).with_weight_decay(0.0)?)?;
            for _ in 0..50 {
                let mut loss = small.loss(train);
                if !decay {
                    let penalty = small.tape.l2_penalty(&weights, lambda);
                    loss = small.tape.add(loss, penalty);
                }
                small.tape.zero_grad();
                small.tape.backward(loss);
                optimizer.step(&mut small.tape)?;
            }
            Ok(small.tape.param_values().to_vec())
        })
        .collect::<Result<_>>()?;
    let apart = ends[0].iter().zip(&ends[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    outcome.claim(
        Claim::that("For plain gradient descent weight decay is the gradient of the penalty")
            .expected("the same weights")
            .measured(format!("at most {} apart after 50 steps", rounded(apart, 2)))
            .criterion("at most 10⁻¹²")
            .holds(
                apart <= 1e-12,
                "Both are rounded at every step, and what they differ by grows where the loss curves downwards: after \
                 50 steps it may be more than rounding alone.",
            ),
    );
    Ok(())
}
