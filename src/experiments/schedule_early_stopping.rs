//! Schedules, and when to stop.

use std::sync::Arc;

use nalgebra::DMatrix;
use rand::RngExt;

use super::{Context, Experiment, Outcome};
use crate::data::Dataset;
use crate::linalg::{Cholesky, SymmetricEigen, symmetric_eigen};
use crate::models::Mlp;
use crate::nn::Activation;
use crate::optim::schedule::{Cosine, Schedule, WarmRestarts};
use crate::optim::{Momentum, Optimizer, Sgd};
use crate::report::{Axis, Chart, Claim, Color, Figure, Line, Marker, Table};
use crate::rng::{Purpose, standard_normal, stream};
use crate::train::{Criterion, Evaluation, FitOptions, Fitted, Loss, Rate, Stop, Trace, evaluate, fit};
use crate::{Error, Float, Result, Tape};

pub const EXPERIMENT: Experiment = Experiment {
    name: "schedule-early-stopping",
    question: "What do a cosine schedule, warm restarts and early stopping do, and is stopping early a ridge?",
    theory: &[
        "The cosine takes the rate from η₀ to η₁ in T steps: η₁ + ½(η₀ − η₁)(1 + cos πt/T); SGDR starts it anew in \
         cycles that grow, so that a good network is there at the end of each (Loshchilov and Hutter 2017). GL \
         stops when the validation loss is α percent above its least, and puts the parameters of the least back \
         (Prechelt 1998). Networks learn what is common first and wrong labels later (Arpit et al. 2017), so \
         that with wrong labels stopping should pay.",
        "On a quadratic with curvatures λ, gradient descent from 0 has after τ steps 1 − (1 − ηλ)^τ of the \
         solution in each eigendirection, and a ridge α has λ/(λ + α): they agree where (1 − ηλ)^τ = α/(λ + α), and \
         for small ηλ and λ/α that is τ ≈ 1/(ηα) (Bishop 1995; Goodfellow et al. 2016, section 7.8). With \
         one α for all directions they differ by at most max |e^(−x) − 1/(1 + x)| = 0.204; the mean squared \
         error of the gradient flow, whose steps are small, is at most 1.69 times that of the ridge (Ali, Kolter and \
         Tibshirani 2019).",
    ],
    run,
};

/// α of GL, in percent.
const ALPHA: f64 = 5.0;
/// Share of the training labels that are wrong.
const WRONG: f64 = 0.2;
const RATE: f64 = 0.05;
const EPOCHS: usize = 100;

/// A run with its record, and what the test set says of the network it leaves.
struct Run {
    fitted: Fitted,
    trace: Trace,
    validation: f64,
    test: Evaluation,
}

impl Run {
    fn curve(&self, of: impl Fn(&crate::train::Epoch) -> Option<f64>) -> Vec<(f64, f64)> {
        self.trace.epochs.iter().filter_map(|e| of(e).map(|y| (e.epoch as f64, y))).collect()
    }
}

/// Sets for training, validation and test.
struct Sets<'a> {
    train: Dataset,
    validation: Dataset,
    test: &'a Dataset,
}

fn train(
    context: &Context,
    sets: &Sets,
    schedule: impl Schedule + 'static,
    early: Option<Criterion>,
    epochs: usize,
    batch: usize,
) -> Result<Run> {
    let Sets { train, validation, test } = sets;
    let mut tape = Tape::<f32>::default();
    let widths = [train.features(), 128, train.classes()];
    let mut rng = stream(context.seed, Purpose::Init);
    let model = Mlp::new(&mut tape, &widths, Activation::Relu, None, &mut rng)?;
    let mut optimizer = Optimizer::new(Momentum::default(), schedule.lr(0))?;
    let loss = Loss::suited_to(train)?;
    let options = FitOptions {
        rate: Rate::Schedule(Arc::new(schedule)),
        early_stopping: early,
        ..FitOptions::new(epochs, batch, context.seed, loss)
    };
    let (mut watch, mut trace) = (context.observer("training"), Trace::default());
    let fitted =
        fit(&model, &mut tape, &mut optimizer, train, Some(validation), &options, &mut watch, &mut trace)?;
    context.check()?;
    let validation = evaluate(&model, &mut tape, validation, loss)?.loss;
    let test = evaluate(&model, &mut tape, test, loss)?;
    Ok(Run { fitted, trace, validation, test })
}

fn run(context: &Context) -> Result<Outcome> {
    context.at(0, 6, "early stopping")?;
    let mut outcome = Outcome::default();
    early_stopping(context, &mut outcome)?;
    restarts(context, &mut outcome)?;
    quadratic(context, &mut outcome)?;
    Ok(outcome)
}

fn early_stopping(context: &Context, outcome: &mut Outcome) -> Result<()> {
    let all = &context.data.train;
    let (n, batch) = (300.min(all.len()), 30);
    let train_rows = all.take(n);
    let mut rng = stream(context.seed, Purpose::Subsample);
    let classes = all.classes();
    let wrong = |i: usize, rng: &mut rand_chacha::ChaCha8Rng| match rng.random::<f64>() < WRONG && classes > 1
    {
        true => (train_rows.label(i) + rng.random_range(1..classes)) % classes,
        false => train_rows.label(i),
    };
    if all.len() <= n {
        let why = format!(
            "{} training images are too few: it takes {n} to train on, and some to validate",
            all.len()
        );
        return Err(Error::Data(why));
    }
    let labels: Vec<usize> = (0..n).map(|i| wrong(i, &mut rng)).collect();
    let sets = Sets {
        train: train_rows.clone().with_labels(&labels, classes)?,
        validation: all.subset(&Vec::from_iter(n..all.len().min(n + 500))),
        test: &context.data.test,
    };
    let steps = (EPOCHS * n.div_ceil(batch)) as u64;
    let cosine = Cosine::new(RATE, 0.0, steps)?;
    let criterion = Criterion::GeneralizationLoss { alpha: ALPHA };
    let stopped = train(context, &sets, cosine, Some(criterion), EPOCHS, batch)?;
    context.at(1, 6, "the same without stopping")?;
    let free = train(context, &sets, cosine, None, EPOCHS, batch)?;

    let losses = free.curve(|e| e.validation_loss);
    let mut least = (0.0, f64::INFINITY);
    let mut expected = None;
    let mut generalization = Vec::new();
    for (epoch, loss) in losses.iter().copied() {
        least = if loss < least.1 { (epoch, loss) } else { least };
        let gl = 100.0 * (loss / least.1 - 1.0);
        generalization.push((epoch, gl));
        if gl > ALPHA && expected.is_none() {
            expected = Some((epoch, least));
        }
    }
    let end = match stopped.fitted.stop {
        Stop::Early { epoch } => Some(epoch as f64),
        _ => None,
    };
    let epoch_name = |epoch: Option<f64>| epoch.map_or("none".into(), |epoch| format!("epoch {epoch}"));
    let claim = Claim::that(format!(
        "GL stops at the first epoch with a validation loss more than {ALPHA} % above its least"
    ))
    .expected(format!("{}, from the run that goes on", epoch_name(expected.map(|e| e.0))))
    .measured(epoch_name(end))
    .criterion("the same epoch")
    .holds(end.is_some() && end == expected.map(|e| e.0), "");
    outcome.claim(if end.is_none() && expected.is_none() {
        claim.because("The validation loss never rises that far: there is nothing to stop for.")
    } else {
        claim
    });
    let (best, best_loss) = expected.map_or(least, |e| e.1);
    let restored = stopped.fitted.best_epoch.map(|epoch| epoch as f64);
    outcome.claim(
        Claim::that("It puts back the parameters of the least validation loss")
            .expected(format!("epoch {best}, {best_loss:.6}"))
            .measured(format!("{}, {:.6} when evaluated again", epoch_name(restored), stopped.validation))
            .criterion("the same epoch, the same loss to the last bit")
            .holds(restored == Some(best) && stopped.validation == best_loss, ""),
    );
    let off = free.trace.epochs.iter().map(|epoch| {
        let t = (epoch.steps - 1) as f64;
        let theory = 0.5 * RATE * (1.0 + Float::cos(std::f64::consts::PI * t / steps as f64));
        (epoch.lr - theory).abs()
    });
    let off = off.fold(0.0, f64::max);
    outcome.claim(
        Claim::that("The rate follows the cosine")
            .expected("½·η₀·(1 + cos πt/T)")
            .measured(format!("{off:.1e} off at most"))
            .criterion("at most 10⁻¹⁵ off at the last step of each epoch")
            .holds(off <= 1e-15, ""),
    );
    let claim = Claim::that(format!("With {:.0} % wrong labels stopping pays", 100.0 * WRONG))
        .expected("a smaller test loss than at the end")
        .measured(format!("{:.4} restored, {:.4} after {EPOCHS} epochs", stopped.test.loss, free.test.loss))
        .criterion("smaller by at least 5 %")
        .holds(stopped.test.loss <= 0.95 * free.test.loss, "");
    outcome.claim(if claim.holds {
        claim
    } else {
        claim.because(
            "With a falling rate the network may not get as far as to learn the wrong labels by heart.",
        )
    });

    let mark = |chart: Chart| {
        let chart = chart.vertical(best, Color::Green, "restored");
        match end {
            Some(end) => chart.vertical(end, Color::Ink, "stopped"),
            None => chart,
        }
    };
    let x = || Axis::log("epoch");
    let loss = Chart::new(x(), Axis::linear("cross-entropy (nats)").holding(0.0))
        .title("Losses")
        .line(Line::new(free.curve(|e| Some(e.train_loss))).label("training").color(Color::Blue))
        .line(Line::new(losses).label("validation").color(Color::Vermilion));
    let gl = Chart::new(x(), Axis::linear("GL (%)"))
        .title("Loss above its least so far")
        .line(Line::new(generalization).color(Color::Vermilion))
        .horizontal(ALPHA, Color::Muted, "α");
    let rate = Chart::new(x(), Axis::linear("learning rate η").holding(0.0))
        .title("Rate")
        .line(Line::new(free.curve(|e| Some(e.lr))).label("if it goes on").color(Color::Muted))
        .line(Line::new(stopped.curve(|e| Some(e.lr))).label("until it stops").color(Color::Blue).width(3.0));
    outcome.figure(
        &Figure::new(
            "early-stopping",
            "A cosine with early stopping",
            format!(
                "A network 784-128-10 on {n} samples, {:.0} % of them with a wrong label. GL stops at the first bump that \
                 is high enough, even where the validation loss comes down once more. Curves go on behind it: the \
                 training loss goes to zero as the wrong labels are learned by heart, and the validation loss rises.",
                100.0 * WRONG
            ),
        )
        .panel(mark(loss))
        .panel(mark(gl))
        .panel(mark(rate)),
    );
    let columns = ["run", "epochs", "of the parameters", "validation loss", "test loss", "test accuracy"];
    let mut table = Table::new("early-stopping", "What is left of both runs", columns);
    for (name, run) in [("stopped", &stopped), ("not stopped", &free)] {
        let epochs = run.trace.epochs.len();
        let of = run.fitted.best_epoch.unwrap_or(epochs);
        let accuracy = run.test.accuracy().unwrap_or(f64::NAN);
        table.row([
            name.into(),
            epochs.into(),
            of.into(),
            run.validation.into(),
            run.test.loss.into(),
            accuracy.into(),
        ]);
        outcome.number(format!("{name}: epochs"), epochs as f64);
        outcome.number(format!("{name}: epoch of the parameters"), of as f64);
        outcome.number(format!("{name}: test loss"), run.test.loss);
        outcome.number(format!("{name}: test accuracy"), accuracy);
    }
    outcome.table(table);
    Ok(())
}

fn restarts(context: &Context, outcome: &mut Outcome) -> Result<()> {
    /// Epochs of the cycles.
    const CYCLES: [usize; 3] = [4, 8, 16];
    context.at(2, 6, "warm restarts")?;
    let all = &context.data.train;
    let batch = 50;
    let n = context.pick(1500, 10_000).min(all.len() / 2);
    let sets = Sets {
        train: all.take(n),
        validation: all.subset(&Vec::from_iter(n..all.len().min(2 * n))),
        test: &context.data.test,
    };
    let per_epoch = n.div_ceil(batch) as u64;
    let epochs = CYCLES.iter().sum::<usize>();
    let warm = WarmRestarts::new(RATE, 0.0, (CYCLES[0] as u64 * per_epoch).max(1), 2)?;
    let warm = train(context, &sets, warm, None, epochs, batch)?;
    context.at(3, 6, "one long cosine")?;
    let cosine = Cosine::new(RATE, 0.0, (epochs as u64 * per_epoch).max(1))?;
    let cosine = train(context, &sets, cosine, None, epochs, batch)?;

    // Ends of the cycles, from 1.
    let ends: Vec<usize> = CYCLES
        .iter()
        .scan(0, |sum, cycle| {
            *sum += cycle;
            Some(*sum)
        })
        .collect();
    let training = |run: &Run, epoch: usize| run.trace.epochs[epoch - 1].train_loss;
    let validation =
        |run: &Run, epoch: usize| run.trace.epochs[epoch - 1].validation_loss.unwrap_or(f64::NAN);
    let at_ends = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { ends.iter().map(|e| f(*e)).collect() };
    let list = |xs: &[f64]| xs.iter().map(|x| format!("{x:.4}")).collect::<Vec<_>>().join(", ");
    let lows = at_ends(&|epoch| training(&warm, epoch));
    let after: Vec<f64> = ends[..2].iter().map(|epoch| training(&warm, epoch + 1)).collect();
    outcome.claim(
        Claim::that("A restart throws the loss up, and the next cycle gets lower than the one before")
            .expected("up at both restarts, down from cycle to cycle")
            .measured(format!(
                "training loss {} at the ends of the cycles, {} after the restarts",
                list(&lows),
                list(&after)
            ))
            .criterion("each first epoch of a cycle is above the last of the one before, each last below it")
            .holds(
                after.iter().zip(&lows).all(|(up, low)| up > low)
                    && lows.windows(2).all(|pair| pair[1] < pair[0]),
                "",
            ),
    );
    let (early, late) =
        (at_ends(&|epoch| validation(&warm, epoch)), at_ends(&|epoch| validation(&cosine, epoch)));
    let claim =
        Claim::that("With restarts there is a better network early: at the ends of the first two cycles")
            .expected("a smaller validation loss than on the way down one long cosine")
            .measured(format!(
                "{} with restarts, {} without, at epochs 4 and 12",
                list(&early[..2]),
                list(&late[..2])
            ))
            .criterion("smaller at both")
            .holds((0..2).all(|i| early[i] < late[i]), "");
    outcome.claim(if claim.holds {
        claim
    } else {
        let other = at_ends(&|epoch| training(&cosine, epoch));
        claim.because(format!(
            "The training loss there is {} with restarts and {} without. A small rate gains something where the noise \
             of the steps is in the way; where a run has just not got far enough yet, it only slows it down.",
            list(&lows[..2]),
            list(&other[..2])
        ))
    });
    let x = || Axis::linear("epoch");
    let mut rate = Chart::new(x(), Axis::linear("learning rate η").holding(0.0)).title("Rate");
    let mut loss = Chart::new(x(), Axis::log("cross-entropy (nats)")).title("Training loss");
    let mut check = Chart::new(x(), Axis::linear("cross-entropy (nats)")).title("Validation loss");
    let runs = [("restarts", &warm, Color::Blue, 0), ("one cosine", &cosine, Color::Vermilion, 1)];
    for (label, run, color, dash) in runs {
        let line = |points| Line::new(points).label(label).color(color).dash(dash);
        rate = rate.line(line(run.curve(|e| Some(e.lr))));
        loss = loss.line(line(run.curve(|e| Some(e.train_loss))));
        check = check.line(line(run.curve(|e| e.validation_loss)));
    }
    outcome.figure(
        &Figure::new(
            "restarts",
            "Warm restarts",
            "Cycles of 4, 8 and 16 epochs beside one cosine over all of them; rates are those of each epoch's last \
             step. Each restart undoes a little of the training loss, and the end of the cycle more than makes up \
             for it.",
        )
        .panel(rate)
        .panel(loss)
        .panel(check),
    );
    let columns = [
        "epoch",
        "training, restarts",
        "training, one cosine",
        "validation, restarts",
        "validation, one cosine",
    ];
    let mut table = Table::new("restarts", "Losses at the ends of the cycles", columns);
    for (i, epoch) in ends.iter().enumerate() {
        table.row([
            (*epoch).into(),
            lows[i].into(),
            training(&cosine, *epoch).into(),
            early[i].into(),
            late[i].into(),
        ]);
        outcome.number(format!("restarts: training loss after {epoch}"), lows[i]);
        outcome.number(format!("restarts: validation loss after {epoch}"), early[i]);
        outcome.number(format!("one cosine: validation loss after {epoch}"), late[i]);
    }
    outcome.table(table);
    Ok(())
}

/// Weights of descent after some steps beside those of the ridge 1/(ητ).
struct Point {
    tau: f64,
    alpha: f64,
    /// For each eigenvalue: the share of the solution that descent has, and the ridge.
    shares: Vec<[f64; 2]>,
    /// Mean over the noise of ‖w − w*‖²: of descent, of the ridge.
    errors: [f64; 2],
    /// Largest distance of descent from the ridge of an α for each direction, relative to the solution.
    apart: f64,
}

/// Least squares with as many draws of the noise as the targets have columns.
fn quadratic(context: &Context, outcome: &mut Outcome) -> Result<()> {
    const N: usize = 60;
    const D: usize = 20;
    const DRAWS: usize = 200;
    const NOISE: f64 = 0.5;
    context.at(4, 6, "early stopping on a quadratic")?;
    let mut rng = stream(context.seed, Purpose::Data);
    let scale = |j: usize| Float::powf(10.0, -1.5 * j as f64 / (D - 1) as f64);
    let truth = DMatrix::from_fn(D, 1, |_, _| standard_normal(&mut rng));
    let mut x = DMatrix::from_fn(N, D, |_, _| standard_normal(&mut rng));
    (0..D).for_each(|j| x.column_mut(j).scale_mut(scale(j)));
    let clean = &x * &truth;
    let y = DMatrix::from_fn(N, DRAWS, |i, _| clean[i] + NOISE * standard_normal(&mut rng));
    let hessian = x.transpose() * &x / N as f64;
    let moment = x.transpose() * &y / N as f64;
    let SymmetricEigen { values, vectors } = symmetric_eigen(&hessian)?;
    let mut solution = moment.clone();
    Cholesky::new(hessian.clone())?.solve_in_place(&mut solution);
    let in_modes = vectors.transpose() * &solution;
    // Small, so that descent is near the flow that the bound is for.
    let rate = 0.1 / values[D - 1];

    let mut tape = Tape::new();
    let w = tape.param_with(D, DRAWS, |_| ());
    let mut optimizer = Optimizer::new(Sgd, rate)?;
    let steps = context.pick(14, 16);
    let (mut points, mut done) = (Vec::new(), 0u32);
    for power in 0..=steps {
        while done < 1 << power {
            if done % 64 == 0 {
                context.check()?;
            }
            tape.rewind();
            let (vx, vy) = (tape.constant(&x), tape.constant(&y));
            let prediction = tape.matmul(vx, w);
            let mse = tape.mse(prediction, vy);
            // A half of the mean over the samples, of the sum over the columns.
            let loss = tape.scale(mse, 0.5 * DRAWS as f64);
            tape.zero_grad();
            tape.backward(loss);
            optimizer.step(&mut tape);
            done += 1;
        }
        let descent = tape.value(w).into_owned();
        let tau = f64::from(done);
        let alpha = 1.0 / (rate * tau);
        let ridge = |penalty: DMatrix<f64>| -> Result<DMatrix<f64>> {
            let mut weights = moment.clone();
            Cholesky::new(&hessian + penalty)?.solve_in_place(&mut weights);
            Ok(weights)
        };
        let single = ridge(DMatrix::identity(D, D) * alpha)?;
        let left = values.map(|value| Float::exp(tau * Float::ln_1p(-rate * value)));
        let each = values.zip_map(&left, |value, left| value * left / (1.0 - left));
        let matched = ridge(&vectors * DMatrix::from_diagonal(&each) * vectors.transpose())?;
        let share = |weights: &DMatrix<f64>, i: usize| {
            let own = vectors.column(i).transpose() * weights;
            own.dot(&in_modes.row(i)) / in_modes.row(i).norm_squared()
        };
        let error = |weights: &DMatrix<f64>| {
            weights.column_iter().map(|column| (column - truth.column(0)).norm_squared()).sum::<f64>()
                / DRAWS as f64
        };
        points.push(Point {
            tau,
            alpha,
            shares: (0..D).map(|i| [share(&descent, i), share(&single, i)]).collect(),
            errors: [error(&descent), error(&single)],
            apart: (&descent - matched).norm() / solution.norm(),
        });
    }
    report_quadratic(outcome, values.as_slice(), &points);
    Ok(())
}

fn report_quadratic(outcome: &mut Outcome, values: &[f64], points: &[Point]) {
    let largest = |of: &dyn Fn(&Point) -> f64| points.iter().map(of).fold(0.0, f64::max);
    let apart = largest(&|point| point.apart);
    outcome.claim(
        Claim::that("Stopping after τ steps is a ridge with (1 − ηλ)^τ = α/(λ + α) in each eigendirection")
            .expected("the same weights")
            .measured(format!("{apart:.1e} apart at most, relative"))
            .criterion(format!("at most 10⁻¹⁰ at each of {} times", points.len()))
            .holds(apart <= 1e-10, ""),
    );
    let shares_apart = largest(&|point| point.shares.iter().map(|[a, b]| (a - b).abs()).fold(0.0, f64::max));
    let claim = Claim::that("With a single α = 1/(ητ) they differ a little in every direction")
        .expected("shares of the solution at most 0.204 apart, in the limit of small steps")
        .measured(format!("{shares_apart:.4}"))
        .criterion("at most 0.21")
        .holds(shares_apart <= 0.21, "");
    outcome.claim(if claim.holds {
        claim
    } else {
        let exact = points.iter().flat_map(|point| values.iter().map(move |value| (point, value)));
        let exact = exact.map(|(Point { tau, alpha, .. }, value)| {
            let left = Float::exp(tau * Float::ln_1p(-value / (alpha * tau)));
            (left - alpha / (value + alpha)).abs()
        });
        claim.because(format!(
            "The steps are not small enough for the limit: up to ηλ = 0.1. For these eigenvalues, steps and times the \
             largest |(1 − ηλ)^τ − α/(λ + α)| is {:.4}.",
            exact.fold(0.0, f64::max)
        ))
    });
    let ratio = largest(&|point| point.errors[0] / point.errors[1]);
    outcome.claim(
        Claim::that("The mean squared error of descent is at most 1.69 times that of the ridge 1/(ητ)")
            .expected("at most 1.6862, at all times")
            .measured(format!("{ratio:.3} at most"))
            .criterion("at most 1.6862")
            .holds(ratio <= 1.6862, ""),
    );
    let least = |which: usize| points.iter().map(|p| p.errors[which]).fold(f64::INFINITY, f64::min);
    let scaled = |which: usize| -> Vec<(f64, f64)> {
        let of = |point: &Point| {
            let alpha = point.alpha;
            values.iter().zip(&point.shares).map(|(l, s)| (l / alpha, s[which])).collect::<Vec<_>>()
        };
        points.iter().flat_map(of).filter(|(x, _)| (1e-2..=1e2).contains(x)).collect()
    };
    let xs: Vec<f64> = (0..=100).map(|i| Float::powf(10.0, -2.0 + 0.04 * f64::from(i))).collect();
    let shares = Chart::new(Axis::log("λ/α = ητλ"), Axis::linear("share of the solution").holding(0.0))
        .title("Every direction at every time")
        .line(
            Line::new(xs.iter().map(|x| (*x, -Float::exp_m1(-x))))
                .label("1 − e^(−x)")
                .color(Color::Blue)
                .width(1.2),
        )
        .line(
            Line::new(xs.iter().map(|x| (*x, x / (1.0 + x))))
                .label("x/(1 + x)")
                .color(Color::Vermilion)
                .width(1.2),
        )
        .points(scaled(0), Marker::Dot, Color::Blue, "descent")
        .points(scaled(1), Marker::Cross, Color::Vermilion, "ridge");
    let curve = |which: usize| points.iter().map(move |p| (1.0 / p.alpha, p.errors[which]));
    let errors = Chart::new(Axis::log("ητ, and 1/α"), Axis::log("mean of ‖w − w*‖²"))
        .title("Error")
        .line(Line::new(curve(0)).label("descent").color(Color::Blue).marker(Marker::Circle))
        .line(Line::new(curve(1)).label("ridge").color(Color::Vermilion).marker(Marker::Cross).dash(1));
    outcome.figure(
        &Figure::new(
            "quadratic",
            "Stopping early and a ridge, on a quadratic",
            "Least squares with 60 samples, 20 weights, 200 draws of the noise. Left: both take the directions of \
             large curvature first; descent has a somewhat sharper edge between what it takes and what it \
             leaves. Right: both err least in between, where most of the signal is fitted and little of the noise.",
        )
        .panel(shares)
        .panel(errors),
    );
    let columns = ["ητ", "error of descent", "error of the ridge", "apart, with an α for each direction"];
    let mut table = Table::new("quadratic", "Descent after τ steps and ridges", columns);
    for point in points {
        table.row([1.0 / point.alpha, point.errors[0], point.errors[1], point.apart].map(Into::into));
    }
    outcome.table(table);
    outcome.number("quadratic: largest difference of shares", shares_apart);
    outcome.number("quadratic: largest ratio of errors", ratio);
    outcome.number("quadratic: least error of descent", least(0));
    outcome.number("quadratic: least error of the ridge", least(1));
}
