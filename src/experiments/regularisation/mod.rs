//! What a ridge does for a network with few samples, and what it means.

mod claims;
mod small;

use claims::{choice_claim, figure, gap_claim};
use small::{decay_claim, posterior_claim};

use super::data::{self, accuracy_of_a_constant};
use super::prelude::*;
use crate::nn::ModuleExt;
use crate::optim::{Group, Momentum};
use crate::tape::Param;
use crate::train::FitOptions;

pub const EXPERIMENT: Experiment = Experiment {
    name: "regularisation",
    question: "How does weight decay change training and test accuracy with a hundred training samples?",
    theory: &[
        "A network with more weights than samples fits them all. The penalty λ/2·‖w‖² keeps the weights \
         small: the training accuracy falls with λ, and so does its distance to the test accuracy; between \
         too little and too much there may be a best λ (Krogh and Hertz 1991). With too much the network \
         becomes a constant, which has no gap and has learned nothing.",
        "The penalty is the logarithm of a prior: with independent weights from N(0, 1/(nλ)) the posterior \
         −ln p(w | data) = n·(L(w) + λ/2·‖w‖²) + const, so that the minimum of the penalised loss is the \
         most probable network (MacKay 1992).",
    ],
    parts: Parts::of::<Whole>(),
    finding,
};

super::whole!(run);

/// Training samples.
const N: usize = 100;
/// At most so many of the other training images choose λ.
const VALIDATION: usize = 2000;
const HIDDEN: usize = 64;
const RATE: f64 = 0.05;
const LAMBDAS: [f64; 9] = [0.0, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0];

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
    let sets =
        Sets { train: all.take(N), validation: data::rows(all, N, N + VALIDATION), test: &context.data.test };
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
    let mut net = Net::<f32>::relu(train, &[HIDDEN], seed)?;
    let mut optimizer = Optimizer::new(Momentum::default(), RATE)?
        .with_weight_decay(lambda)?
        .with_group(Group::new(net.model.biases(&net.tape)).with_weight_decay(0.0)?)?;
    let options = FitOptions::new(context.pick(150, 600), N, seed);
    net.fit(context, "training", &mut optimizer, (train, None), &options, None)?;
    let squares =
        |p: Param| net.tape.value_slice(p).iter().map(|w| f64::from(*w) * f64::from(*w)).sum::<f64>();
    let norm = net.model.weights().into_iter().map(squares).sum::<f64>().sqrt();
    let mut accuracy = |data: &Dataset| net.evaluate(data).map(|e| e.accuracy().unwrap_or(f64::NAN));
    Ok([accuracy(train)?, accuracy(&sets.validation)?, accuracy(sets.test)?, norm])
}

fn report(outcome: &mut Outcome, rows: &[Row], sets: &Sets) {
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    claim(outcome, "Without a penalty the network fits all samples")
        .named("fits-without")
        .expected("training accuracy 1")
        .measured(fixed(mean(&first.train), 4))
        .criterion("at least 0.99")
        .holds(
            mean(&first.train) >= 0.99,
            "A fixed number of steps at a fixed rate: some samples near the boundary may be left when it is \
             over. And samples that are the same, but of different classes, cannot all be fitted.",
        );
    let falls = rows.windows(2).all(|pair| mean(&pair[1].norms) <= mean(&pair[0].norms));
    claim(outcome, "The norm of the weights falls with λ")
        .named("norm-falls")
        .expected("at every step")
        .measured(format!("from {} to {}", rounded(mean(&first.norms), 3), rounded(mean(&last.norms), 2)))
        .criterion("each mean norm is not above the one before")
        .holds(
            falls,
            "The norms are those after a fixed number of steps, not of the minimum. At two neighbouring λ \
             that both change little in that time, or that both leave nothing, rounding decides.",
        );
    let constant = accuracy_of_a_constant(&sets.train, sets.test);
    gap_claim(outcome, rows, constant);
    choice_claim(outcome, rows, sets.validation.len());
    outcome.number("test accuracy of a constant", constant);
    outcome.figure(&figure(rows, sets, constant));

    for row in rows {
        outcome.number(format!("training accuracy at {}", row.lambda), mean(&row.train));
        outcome.number(format!("validation accuracy at {}", row.lambda), mean(&row.validation));
        outcome.number(format!("test accuracy at {}", row.lambda), mean(&row.test));
        outcome.number(format!("norm at {}", row.lambda), mean(&row.norms));
    }
    let caption = format!(
        "Means over {} seeds. A network that always names the most frequent class of the training samples \
         has a test accuracy of {}",
        first.train.len(),
        fixed(constant, 3)
    );
    outcome.table(
        Table::of("lambda", caption, rows)
            .column("λ", |row| row.lambda)
            .column("training accuracy", |row| mean(&row.train))
            .column("validation accuracy", |row| mean(&row.validation))
            .column("test accuracy", |row| mean(&row.test))
            .column("training minus test", |row| mean(&row.train) - mean(&row.test))
            .column("norm of the weights", |row| mean(&row.norms)),
    );
}

fn finding(found: &Found) -> Told {
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
