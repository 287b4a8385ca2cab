//! What a ridge does for a network with few samples, and what it means.

mod claims;
#[cfg(test)]
mod prior;

use claims::{choice_claim, figure, gap_claim};

use super::data::{accuracy_of_a_constant, drawn};
use super::prelude::*;
use crate::nn::ModuleExt;
use crate::optim::{Group, Momentum};
use crate::tape::Param;
use crate::train::FitOptions;

pub const EXPERIMENT: Experiment = Experiment {
    name: "regularisation",
    title: "Weight decay",
    question: "How does weight decay change training and test accuracy with a hundred training samples?",
    theory: &[
        "A network with more weights than samples fits them all. The penalty λ/2·‖w‖² keeps the weights \
         small. The training accuracy falls with λ, and so does its distance to the test accuracy. Between \
         too little and too much there may be a best λ (Krogh and Hertz 1991). With too much the network \
         becomes a constant, which has no gap and has learned nothing.",
        "The penalty is the logarithm of a prior. Let L be the mean negative log-likelihood and the weights \
         independent from N(0, 1/(nλ)). Then −ln p(w | data) = n·(L(w) + λ/2·‖w‖²) + const. So the minimum \
         of the penalised loss is the most probable network (MacKay 1992).",
    ],
    parts: Parts::of::<Regularisation>(),
    finding,
};

/// Training samples.
const N: usize = 100;
/// At most so many of the other training images choose λ.
const VALIDATION: usize = 2000;
const HIDDEN: usize = 64;
const RATE: f64 = 0.05;
const LAMBDAS: [f64; 9] = [0.0, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0];

/// The ends of the runs at one λ, one for each seed.
#[derive(Serialize, Deserialize)]
struct Row {
    lambda: f64,
    #[serde(with = "lossless")]
    train: Vec<f64>,
    #[serde(with = "lossless")]
    validation: Vec<f64>,
    #[serde(with = "lossless")]
    test: Vec<f64>,
    /// Of the weights.
    #[serde(with = "lossless")]
    norms: Vec<f64>,
}

/// What is measured.
#[derive(Serialize, Deserialize)]
struct Regularisation {
    features: usize,
    classes: usize,
    /// Images that choose λ.
    images: usize,
    rows: Vec<Row>,
    /// Test accuracy of a network that always names the most frequent class of the training samples, a seed each.
    constant: Vec<f64>,
}

impl Study for Regularisation {
    const EDITION: u32 = 3;

    fn measure(context: &Context) -> Result<Regularisation> {
        context.at(0, 1, "data")?;
        let all = &context.data.train;
        if all.len() <= N {
            return Err(Error::Data(format!(
                "{} training images are too few: {N} are needed to train on, and some to choose λ",
                all.len()
            )));
        }
        // What a chosen λ gains is small: of fewer seeds its sign would not be known.
        let count = context.pick(8, 64);
        let seeds = derived_seeds(context, count);
        let mut rows = Vec::new();
        for (i, lambda) in LAMBDAS.into_iter().enumerate() {
            let what = format!("λ = {lambda}");
            // The same samples and initial weights for every λ; a batch is all samples.
            let of_seed = |seed: &u64| fit_at(context, lambda, *seed);
            let ends = context.side_by_side(i..i + 1, LAMBDAS.len(), &what, &seeds, of_seed)?;
            let [train, validation, test, norms] =
                [0, 1, 2, 3].map(|k| ends.iter().map(|end| end[k]).collect::<Vec<f64>>());
            rows.push(Row { lambda, train, validation, test, norms });
        }
        let constant = |seed: &u64| accuracy_of_a_constant(&sets(all, *seed)[0], &context.data.test);
        Ok(Regularisation {
            features: all.features(),
            classes: all.classes(),
            images: VALIDATION.min(all.len() - N),
            rows,
            constant: seeds.iter().map(constant).collect(),
        })
    }

    fn report(&self) -> Outcome {
        let mut outcome = Outcome::default();
        report(&mut outcome, self);
        outcome
    }
}

/// What is trained on, and what chooses λ.
fn sets(all: &Dataset, seed: u64) -> [Dataset; 2] {
    drawn(all, [N, VALIDATION], seed)
}

/// Accuracy in training, validation and test, and the norm of the weights after a fit.
fn fit_at(context: &Context, lambda: f64, seed: u64) -> Result<[f64; 4]> {
    let [train, validation] = &sets(&context.data.train, seed);
    let mut net = Net::<f32>::relu(train, &[HIDDEN], seed)?;
    let mut optimizer = Optimizer::new(Momentum::default(), RATE)?
        .with_weight_decay(lambda)?
        .with_group(Group::new(net.model.biases(&net.tape)).with_weight_decay(0.0)?)?;
    let options = FitOptions::new(context.pick(150, 600), N, seed);
    net.fit(context, &mut optimizer, (train, None), &options)?;
    let squares =
        |p: Param| net.tape.value_slice(p).iter().map(|w| f64::from(*w) * f64::from(*w)).sum::<f64>();
    let norm = net.model.weights().into_iter().map(squares).sum::<f64>().sqrt();
    let mut accuracy = |data: &Dataset| net.evaluate(data).map(|e| e.accuracy().unwrap_or(f64::NAN));
    Ok([accuracy(train)?, accuracy(validation)?, accuracy(&context.data.test)?, norm])
}

fn report(outcome: &mut Outcome, measured: &Regularisation) {
    let Regularisation { rows, constant, .. } = measured;
    let first = &rows[0];
    claim(outcome, "Without a penalty the network fits all samples")
        .named("fits-without")
        .expected("training accuracy 1")
        .estimated(Estimate::mean(&first.train))
        .saying(", the training accuracy")
        .within(
            0.99..,
            "The number of steps and the rate are fixed, so some samples near the boundary may not be \
             fitted yet. Identical samples of different classes cannot all be fitted.",
        );
    let falls: Vec<Estimate> =
        rows.windows(2).map(|pair| Estimate::mean(&differences(&pair[0].norms, &pair[1].norms))).collect();
    claim(outcome, "The norm of the weights falls with λ")
        .named("norm-falls")
        .expected("at every step")
        .measured(format!(
            "{} at λ = {}",
            list(rows, |row| rounded(mean(&row.norms), 3)),
            list(rows, |row| rounded(row.lambda, 1))
        ))
        .criterion("the 95 % intervals of all differences of one and the next, pair by pair, are above 0")
        .judged(
            Verdict::all(falls.iter().map(|fall| fall.against(&ABOVE_0))),
            "The norms are those after a fixed number of steps, not of the minimum. If two neighbouring λ \
             both change little in that time, or both make the weights zero, rounding decides.",
        );
    gap_claim(outcome, rows);
    choice_claim(outcome, rows, measured.images);
    outcome.number("test accuracy of a constant", mean(constant));
    outcome.figure(&figure(measured));

    for row in rows {
        outcome.number(format!("training accuracy at {}", row.lambda), mean(&row.train));
        outcome.number(format!("validation accuracy at {}", row.lambda), mean(&row.validation));
        outcome.number(format!("test accuracy at {}", row.lambda), mean(&row.test));
        outcome.number(format!("norm at {}", row.lambda), mean(&row.norms));
    }
    let caption = format!(
        "Means over {} seeds, each with its own {N} samples. A network that always names the most frequent class of the training samples \
         has a test accuracy of {}",
        first.train.len(),
        fixed(mean(constant), 3)
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
    let half = found.number("half of the interval of the gain")?;
    let title = match found.claim("choice-gains")?.verdict {
        Verdict::Holds => format!(
            "Weight decay, for each seed chosen on other images, improves the test accuracy by {} ± {} points",
            fixed(100.0 * gain, 2),
            fixed(100.0 * half, 2)
        ),
        Verdict::DoesNotHold => "That weight decay improves this network is not shown".into(),
        Verdict::NotDecided => "This run does not decide whether weight decay improves this network".into(),
    };
    Some((
        "lambda",
        title,
        format!(
            "The λ that is best on validation images is {}, the median over the seeds; the gain on the test \
             set is {} ± {}. The norm of the weights falls at much smaller λ than the accuracy does.",
            rounded(found.number("chosen λ")?, 2),
            fixed(gain, 4),
            fixed(half, 4)
        ),
    ))
}
