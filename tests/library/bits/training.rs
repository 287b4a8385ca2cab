//! Optimizers, and 20 steps of networks, of images and of sequences too.

use tapegrad::data::{Dataset, synthetic};
use tapegrad::models::{LeNet, Network, NetworkBuilder, Predictor};
use tapegrad::nn::{
    Activation, AttentionOptions, Cell, Init, Linear, Mode, Module, Recurrent, Sequential, Tokens,
    TransformerBlock, TransformerOptions, loss,
};
use tapegrad::ops::ImageShape;
use tapegrad::optim::schedule::Cosine;
use tapegrad::optim::{
    Adam, Clip, Lbfgs, MinimizeOptions, Minimizer, NewtonCg, Optimizer, minimize, optimizers,
};
use tapegrad::rng::{Place, Purpose, stream};
use tapegrad::train::{FitOptions, Rate};
use tapegrad::{Float, Tape};

use super::{Hash, Table, numbers};

/// 4 epochs of 5 batches.
const SAMPLES: usize = 80;

fn options() -> FitOptions {
    FitOptions { epochs: 4, batch: 16, seed: 3, ..FitOptions::default() }
}

pub fn entries<T: Float>(table: &mut Table) {
    let t = T::NAME;
    for entry in optimizers::<T>() {
        for (decayed, decay) in [("", 0.0), (" decayed", 0.01)] {
            let mut optimizer =
                entry.optimizer(None).and_then(|o| o.with_weight_decay(decay)).expect("usual settings");
            let mut tape = Tape::<T>::default();
            let w = tape.param_slice(5, 13, &numbers::<T>(65, 21));
            let factors = numbers::<T>(65, 22);
            for _ in 0..6 {
                tape.rewind();
                let factors = tape.constant_slice(5, 13, &factors);
                let product = tape.mul(w, factors);
                let product = tape.tanh(product);
                let total = tape.sum(product);
                tape.zero_grad();
                tape.backward(total);
                optimizer.step(&mut tape).expect("finite numbers");
            }
            let hash = Hash::of(tape.param_values()).and(optimizer.state());
            table.add(format!("optimizer {t} {}{decayed}", entry.name), hash);
        }
    }

    minimized::<T>(table, "lbfgs", &mut Lbfgs::default());
    minimized::<T>(table, "newton-cg", &mut NewtonCg::default());

    let data = synthetic::spirals(SAMPLES, 3, 0.1, 5).expect("settings in range");
    for (activation, name) in Activation::TABLE {
        let network = Network::<T>::new(7).linear(19).activation(activation);
        trained(table, &format!("network {name}"), network, &data, &options());
    }
    for entry in optimizers::<T>() {
        let optimizer: Optimizer<T> = entry.optimizer(None).expect("usual settings");
        let network = Network::<T>::new(8).linear(11).tanh().optimizer(optimizer);
        trained(table, &format!("network by {}", entry.name), network, &data, &options());
    }
    let normalized =
        Network::<T>::new(9).linear(24).batch_norm().relu().dropout(0.3).linear(9).layer_norm().gelu();
    trained(table, "network of norms and dropout", normalized, &data, &options());
    let residual = Network::<T>::new(9).linear(8).residual(|block| block.relu().linear(8));
    let everything = FitOptions {
        rate: Rate::Schedule(std::sync::Arc::new(Cosine::new(0.05, 0.001, 20).expect("settings in range"))),
        clip: Clip::none().with_norm(0.5).expect("a bound"),
        average: Some(0.9),
        ..options()
    };
    trained(table, "network residual, scheduled, clipped, averaged", residual, &data, &everything);
    let values = synthetic::sine(SAMPLES, 0.1, 5).expect("settings in range");
    let regression = Network::<T>::new(10).linear(16).tanh();
    trained(table, "network of values", regression, &values, &options());
    trained(
        table,
        "network of values, huber",
        Network::<T>::new(10).linear(16).relu().loss(loss::Huber::new(0.5).expect("δ > 0")),
        &values,
        &options(),
    );
    trained(table, "logistic by steps", Network::<T>::new(1), &data, &options());
    of_images_and_sequences::<T>(table);
}

/// 20 steps of LeNet-5, of a small transformer and of an LSTM, each on numbers of its own.
fn of_images_and_sequences<T: Float>(table: &mut Table) {
    let image = ImageShape::new(1, 12, 12);
    let mut tape = Tape::<T>::default();
    let rng = &mut stream(1, Purpose::Init);
    let lenet = LeNet::new(image, 3).build(&mut tape, rng).expect("an image that is large enough");
    stepped(table, "steps of lenet", tape, &lenet, image.numel());

    const LENGTH: usize = 6;
    let mut tape = Tape::<T>::default();
    let attention = AttentionOptions { causal: true, ..AttentionOptions::new(2, LENGTH) };
    let options = TransformerOptions { attention, hidden: 20, dropout: 0.1 };
    let init = Init::default();
    let split = || Tokens::split(LENGTH).expect("tokens");
    let transformer = Sequential::new()
        .push("tokens", split())
        .push("in", Linear::new(&mut tape, 4, 8, true, init, rng))
        .push("block", TransformerBlock::new(&mut tape, 8, options, init, rng).expect("settings in range"))
        .push("join", Tokens::join(LENGTH).expect("tokens"))
        .push("out", Linear::new(&mut tape, 8 * LENGTH, 3, true, init, rng));
    stepped(table, "steps of a transformer", tape, &transformer, 4 * LENGTH);

    let mut tape = Tape::<T>::default();
    let lstm = Sequential::new()
        .push("tokens", split())
        .push(
            "lstm",
            Recurrent::new(&mut tape, Cell::Lstm, 4, 7, LENGTH, init, rng).expect("settings in range"),
        )
        .push("join", Tokens::join(LENGTH).expect("tokens"))
        .push("out", Linear::new(&mut tape, 7 * LENGTH, 3, true, init, rng));
    stepped(table, "steps of an lstm", tape, &lstm, 4 * LENGTH);
}

/// Parameters and value after eight steps on the loss of a network with a hidden layer.
fn minimized<T: Float>(table: &mut Table, name: &str, method: &mut dyn Minimizer<T>) {
    let mut tape = Tape::<T>::default();
    let (w1, w2) =
        (tape.param_slice(5, 7, &numbers::<T>(35, 51)), tape.param_slice(7, 3, &numbers::<T>(21, 52)));
    let x = tape.constant_slice(9, 5, &numbers::<T>(45, 53));
    let function = |tape: &mut Tape<T>| {
        let hidden = tape.matmul(x, w1);
        let hidden = tape.tanh(hidden);
        let scores = tape.matmul(hidden, w2);
        tape.cross_entropy(scores, &[0, 1, 2, 0, 1, 2, 0, 1, 2])
    };
    let options = MinimizeOptions { iterations: 8, gradient_tolerance: 0.0 };
    let found = minimize(&mut tape, function, method, &options).expect("finite numbers");
    assert_eq!(found.iterations, 8, "{found:?}");
    let hash = Hash::of(tape.param_values()).and(&[found.value]);
    table.add(format!("minimizer {} {name}", T::NAME), hash);
}

/// Parameters and losses after 20 steps of Adam on batches of random numbers.
fn stepped<T: Float>(table: &mut Table, name: &str, mut tape: Tape<T>, net: &dyn Module<T>, columns: usize) {
    const BATCH: usize = 9;
    let mut optimizer = Optimizer::new(Adam::default(), 1e-2).expect("a rate");
    let mut losses = Vec::new();
    for step in 0..20 {
        tape.rewind();
        let x = tape.constant_slice(BATCH, columns, &numbers::<T>(BATCH * columns, 40 + step % 3));
        let mode = &mut Mode::training(Place { seed: 2, epoch: 0, step });
        let scores = net.forward(&mut tape, x, mode);
        let labels: Vec<usize> = (0..BATCH).map(|i| (i + step as usize) % 3).collect();
        let loss = tape.cross_entropy(scores, &labels);
        tape.zero_grad();
        tape.backward(loss);
        optimizer.step(&mut tape).expect("finite numbers");
        losses.push(tape.item(loss));
    }
    assert!(losses.iter().all(|loss| loss.is_finite()) && losses[19] != losses[0], "{name}");
    table.add(format!("{name} {}", T::NAME), Hash::of(tape.param_values()).and(&losses));
}

/// Parameters, losses and scores.
fn trained<T: Float>(
    table: &mut Table,
    name: &str,
    network: NetworkBuilder<T>,
    data: &Dataset,
    options: &FitOptions,
) {
    let mut network = network.outputs_for(data).expect("a network that fits");
    let history = network.fit(data, options).expect("finite numbers");
    assert_eq!(history.epochs.last().map(|epoch| epoch.steps), Some(20), "{name}");
    let figures: Vec<f64> =
        history.epochs.iter().flat_map(|e| [e.train_loss, e.gradient_norm, e.lr]).collect();
    let scores = network.scores(data).expect("a network that fits");
    let hash = Hash::of(network.tape().param_values()).and(&figures).and(scores.as_slice());
    table.add(format!("{name} {}", T::NAME), hash);
}
