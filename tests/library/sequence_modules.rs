//! The modules for sequences: in networks that learn and come back from files, their shapes, and what does not fit.

use rand::RngExt;
use tapegrad::models::{Network, Notes, Predictor, load, save};
use tapegrad::nn::{
    AttentionOptions, Cell, Embedding, Init, Mode, Module, ModuleExt, MultiHeadAttention, Positions,
    Recurrent, Tokens, TransformerBlock, TransformerOptions,
};
use tapegrad::optim::{Adam, Optimizer};
use tapegrad::rng::{Place, Purpose, stream};
use tapegrad::train::FitOptions;
use tapegrad::{Dataset, Tape};

const TOKENS: usize = 5;
const LENGTH: usize = 5;

/// Texts of random tokens; the label is the token that stands behind the one token 0, which each has.
fn behind_the_mark(n: usize, seed: u64) -> Dataset {
    let mut rng = stream(seed, Purpose::Data);
    let (mut texts, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let mut text: Vec<usize> = (0..LENGTH).map(|_| rng.random_range(1..TOKENS)).collect();
        let mark = rng.random_range(0..LENGTH - 1);
        text[mark] = 0;
        labels.push(text[mark + 1] - 1);
        texts.extend(text.iter().map(|t| *t as f32));
    }
    Dataset::new(texts, LENGTH).unwrap().with_labels(&labels, TOKENS - 1).unwrap()
}

fn block(
    tape: &mut Tape<f32>,
    width: usize,
    rotary: bool,
    dropout: f64,
) -> tapegrad::Result<TransformerBlock> {
    let rotary = rotary.then_some(100.0);
    let attention = AttentionOptions { rotary, ..AttentionOptions::new(2, LENGTH) };
    let options = TransformerOptions { attention, hidden: 2 * width, dropout };
    TransformerBlock::new(tape, width, options, Init::default(), &mut stream(5, Purpose::Init))
}

/// Networks with the module between an embedding and the join.
fn networks(train: &Dataset) -> Vec<(&'static str, Network<f32>)> {
    let with = |positions: Positions, width: usize| {
        Network::<f32>::new(3)
            .optimizer(Optimizer::new(Adam::default(), 3e-3).unwrap())
            .add_with(move |tape, length, rng| Embedding::new(tape, TOKENS, length, width, positions, rng))
    };
    let join = || Tokens::join(LENGTH).unwrap();
    let mut all = vec![
        (
            "transformer",
            with(Positions::Learned, 16)
                .add_with(|tape, width, _| block(tape, width, false, 0.0))
                .add_with(|tape, width, _| block(tape, width, false, 0.0))
                .add(join())
                .outputs_for(train)
                .unwrap(),
        ),
        (
            "rotary",
            with(Positions::Sinusoidal, 8)
                .add_with(|tape, width, _| block(tape, width, true, 0.1))
                .add_with(|tape, width, rng| {
                    let options = AttentionOptions { causal: true, ..AttentionOptions::new(4, LENGTH) };
                    MultiHeadAttention::new(tape, width, options, Init::PyTorch, rng)
                })
                .add(join())
                .outputs_for(train)
                .unwrap(),
        ),
    ];
    for (cell, name) in Cell::TABLE {
        let parts = with(Positions::None, 8).add_with(move |tape, width, rng| {
            Recurrent::new(tape, cell, width, 24, LENGTH, Init::default(), rng)
        });
        all.push((name, parts.add(join()).outputs_for(train).unwrap()));
    }
    all
}

#[test]
fn they_learn_and_come_back() {
    let (train, test) = (behind_the_mark(600, 1), behind_the_mark(200, 2));
    for (name, mut net) in networks(&train) {
        let before = net.evaluate(&test).unwrap().accuracy().unwrap();
        let epochs = if name == "rotary" { 3 } else { 40 };
        net.fit(&train, &FitOptions { epochs, batch: 64, ..Default::default() }).unwrap();
        let after = net.evaluate(&test).unwrap().accuracy().unwrap();
        println!("{name}: {before} before, {after} after {epochs} epochs");
        if name == "transformer" || name == "gru" || name == "lstm" {
            assert!(after > 0.9, "{name}: {before} before, and {after} after");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        save(&net, &path, &Notes::default()).unwrap();
        let read = load(&path).unwrap();
        assert_eq!(read.model.scores(&test).unwrap(), net.scores(&test).unwrap(), "{name}");
        assert_eq!(read.model.describe(), net.describe());
        // What is read and saved again is the same file from there on: the first names the optimizer of the training.
        let (second, third) =
            (folder.path().join("second.safetensors"), folder.path().join("third.safetensors"));
        save(&*read.model, &second, &Notes::default()).unwrap();
        save(&*load(&second).unwrap().model, &third, &Notes::default()).unwrap();
        assert!(std::fs::read(second).unwrap() == std::fs::read(third).unwrap(), "{name}: another file");
    }
}

/// Data is no mistake in the program.
#[test]
fn numbers_that_are_no_tokens_are_an_error() {
    let train = behind_the_mark(100, 1);
    let embedding = |tape: &mut Tape<f32>, length: usize, rng: &mut _| {
        Embedding::new(tape, TOKENS, length, 4, Positions::None, rng)
    };
    let made = |width: usize| {
        Network::<f32>::new(1)
            .add_with(move |tape, _, rng| embedding(tape, width, rng))
            .add(Tokens::join(width).unwrap())
    };
    let mut net = made(LENGTH).outputs_for(&train).unwrap();
    for (wrong, why) in [(0.5, "0.5 is no token"), (7.0, "7 is no token"), (-1.0, "-1 is no token")] {
        let mut texts = vec![1.0f32; 2 * LENGTH];
        texts[LENGTH + 2] = wrong;
        let data = Dataset::new(texts, LENGTH).unwrap().with_labels(&[0, 1], TOKENS - 1).unwrap();
        let why = format!("row 1, column 2: {why}, a whole number below 5");
        assert_eq!(net.scores(&data).unwrap_err().to_string(), why);
        assert_eq!(net.evaluate(&data).unwrap_err().to_string(), why);
        let options = FitOptions { epochs: 1, batch: 2, ..Default::default() };
        assert_eq!(net.fit(&data, &options).unwrap_err().to_string(), why);
        let row = [1.0, wrong as f64, 0.0, 0.0, 0.0];
        assert!(net.scores(&&row[..]).unwrap_err().to_string().contains("is no token"));
    }
    let text = |net: Result<Network<f32>, _>| tapegrad::Error::to_string(&net.unwrap_err());
    let behind = Network::<f32>::new(1).relu().add_with(move |tape, _, rng| embedding(tape, LENGTH, rng));
    let error = text(behind.add(Tokens::join(LENGTH).unwrap()).outputs_for(&train));
    assert!(error.contains("takes tokens, and stands behind another module"), "{error}");
    let split = Network::<f32>::new(1).add(Tokens::split(3).unwrap()).add(Tokens::join(3).unwrap());
    let error = text(split.outputs_for(&train));
    assert!(error.contains("does not take the 5 numbers"), "{error}");
}

/// Central differences along the parameters and the input of a module.
#[track_caller]
fn check_module(name: &str, make: &dyn Fn(&mut Tape) -> Box<dyn Module<f64>>) {
    let mut tape = Tape::new();
    let module = make(&mut tape);
    let x =
        tape.param_with(6, 4, |x| x.iter_mut().enumerate().for_each(|(i, x)| *x = (i as f64 * 0.7).sin()));
    let weight = |i: usize| (1.3 * i as f64).cos();
    let value = |tape: &mut Tape| -> f64 {
        tape.rewind();
        let y = module.forward(tape, x.var(), &mut Mode::training(Place::default()));
        tape.value_slice(y).iter().enumerate().map(|(i, y)| weight(i) * y).sum()
    };
    tape.zero_grad();
    let y = module.forward(&mut tape, x.var(), &mut Mode::training(Place::default()));
    tape.backward_with(y, |dy| dy.iter_mut().enumerate().for_each(|(i, dy)| *dy = weight(i)));
    let (gradient, start) = (tape.param_grads().to_vec(), tape.param_values().to_vec());
    assert!(gradient.iter().filter(|g| **g != 0.0).count() > start.len() / 2, "{name}");
    for i in (0..start.len()).step_by(3) {
        let h = 1e-3;
        let mut at = |steps: f64| {
            tape.param_values_mut()[i] = start[i] + steps * h;
            let found = value(&mut tape);
            tape.param_values_mut()[i] = start[i];
            found
        };
        let numeric = (at(-2.0) - 8.0 * at(-1.0) + 8.0 * at(1.0) - at(2.0)) / (12.0 * h);
        let error = (gradient[i] - numeric).abs() / numeric.abs().max(1.0);
        assert!(error < 1e-8, "{name}: number {i}: {} by the backward pass, and {numeric}", gradient[i]);
    }
}

#[test]
fn gradients_of_whole_modules() {
    let rng = || stream(4, Purpose::Init);
    let attention = AttentionOptions { causal: true, rotary: Some(50.0), ..AttentionOptions::new(2, 3) };
    check_module("attention", &|tape| {
        Box::new(MultiHeadAttention::new(tape, 4, attention, Init::PyTorch, &mut rng()).unwrap())
    });
    let options = TransformerOptions { attention, hidden: 6, dropout: 0.2 };
    check_module("transformer", &|tape| {
        Box::new(TransformerBlock::new(tape, 4, options, Init::PyTorch, &mut rng()).unwrap())
    });
    for (cell, name) in Cell::TABLE {
        check_module(name, &|tape| {
            Box::new(Recurrent::new(tape, cell, 4, 5, 3, Init::PyTorch, &mut rng()).unwrap())
        });
    }
}

#[test]
fn names_of_parameters() {
    let mut tape = Tape::<f32>::default();
    let block = block(&mut tape, 4, false, 0.0).unwrap();
    let names: Vec<String> =
        ModuleExt::<f32>::named_parameters(&block).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "norm1.gamma",
            "norm1.beta",
            "attention.query.weight",
            "attention.query.bias",
            "attention.key.weight",
            "attention.key.bias",
            "attention.value.weight",
            "attention.value.bias",
            "attention.out.weight",
            "attention.out.bias",
            "norm2.gamma",
            "norm2.beta",
            "up.weight",
            "up.bias",
            "down.weight",
            "down.bias",
        ]
    );
    let rng = &mut stream(1, Purpose::Init);
    let gru = Recurrent::new(&mut tape, Cell::Gru, 3, 2, 4, Init::default(), rng).unwrap();
    let names: Vec<String> =
        ModuleExt::<f32>::named_parameters(&gru).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["input.weight", "input.bias", "hidden.weight", "hidden.bias"]);
    assert_eq!(ModuleExt::<f32>::weights(&gru).len(), 2);
}

/// While a text is written there is one sequence, and it is shorter: what comes later changes nothing before.
#[test]
fn a_single_sequence_may_be_shorter() {
    let rng = &mut stream(4, Purpose::Init);
    let mut tape = Tape::new();
    let attention = AttentionOptions { causal: true, ..AttentionOptions::new(2, 5) };
    let layer = MultiHeadAttention::new(&mut tape, 4, attention, Init::default(), rng).unwrap();
    let lstm = Recurrent::new(&mut tape, Cell::Lstm, 4, 3, 5, Init::default(), rng).unwrap();
    let x = tape.constant_with(5, 4, |x| x.iter_mut().enumerate().for_each(|(i, x)| *x = (i as f64).sin()));
    let modules: [&dyn Module<f64>; 2] = [&layer, &lstm];
    for module in modules {
        let whole = module.forward(&mut tape, x, &mut Mode::evaluation());
        let start = tape.slice_rows(x, 0..3);
        let part = module.forward(&mut tape, start, &mut Mode::evaluation());
        let cols = tape.shape(part).cols;
        assert_eq!(tape.value_slice(part), &tape.value_slice(whole)[..3 * cols], "{}", module.describe());
    }
}

#[test]
fn settings_that_cannot_be() {
    let mut tape = Tape::<f32>::default();
    let mut of = |width, options| {
        let rng = &mut stream(1, Purpose::Init);
        MultiHeadAttention::new(&mut tape, width, options, Init::default(), rng).unwrap_err().to_string()
    };
    let plain = AttentionOptions::new(3, 4);
    assert_eq!(of(64, plain), "heads: 3 heads do not divide a width of 64");
    assert_eq!(of(64, AttentionOptions { heads: 0, ..plain }), "heads: 0 is not at least 1");
    assert_eq!(of(6, AttentionOptions { length: 0, ..plain }), "length: 0 is not at least 1");
    assert_eq!(
        of(9, AttentionOptions { rotary: Some(10.0), ..plain }),
        "rotary: pairs of columns are turned, but a head of a width of 9 has 3"
    );
    assert_eq!(
        of(6, AttentionOptions { rotary: Some(0.0), ..plain }),
        "rotary: 0 is not positive and finite"
    );
    assert_eq!(Tokens::join(0).unwrap_err().to_string(), "length: 0 is not at least 1");
    // Sizes whose product no machine has, or no number tells.
    for (inputs, outputs) in [(1 << 40, 1 << 20), (1 << 63, 2), (usize::MAX, 2), (1 << 31, 1 << 31)] {
        for cell in [Cell::Plain, Cell::Lstm, Cell::Gru] {
            let mut tape = Tape::new();
            let made = Recurrent::new(
                &mut tape,
                cell,
                inputs,
                outputs,
                4,
                Init::default(),
                &mut stream(0, Purpose::Init),
            );
            let error = made.unwrap_err().to_string();
            assert!(error.contains("memory"), "{error}");
            assert!(tape.is_empty());
        }
    }
    let error = "elman".parse::<Cell>().unwrap_err().to_string();
    assert_eq!(error, "cell: there is no `elman`; there are rnn, lstm, gru");
}

/// Rows that are no samples are errors before the training.
#[test]
fn networks_whose_rows_do_not_fit() {
    let train = behind_the_mark(20, 1);
    let start = || {
        Network::<f32>::new(1)
            .add_with(|tape, length, rng| Embedding::new(tape, TOKENS, length, 4, Positions::None, rng))
    };
    let error =
        |parts: tapegrad::models::NetworkBuilder<f32>| parts.outputs_for(&train).err().unwrap().to_string();
    let found = error(start());
    assert!(found.contains("the network gives 5 rows for a sample, and not one"), "{found}");
    let found = error(start().add(Tokens::join(3).unwrap()));
    assert!(
        found.contains("samples of 3 tokens does not take the 5 rows that there are for a sample"),
        "{found}"
    );
    let found =
        error(start().add_with(|tape, width, rng| {
            Recurrent::new(tape, Cell::Plain, width, 3, 4, Init::default(), rng)
        }));
    assert!(found.contains("rnn 4→3 over 4 tokens does not take the 5 rows"), "{found}");
}

#[test]
#[should_panic(expected = "MultiHeadAttention: v8 is 7×4, whose rows are no sequences of 5 tokens each")]
fn rows_that_are_no_sequences() {
    let mut tape = Tape::new();
    let rng = &mut stream(1, Purpose::Init);
    let options = AttentionOptions::new(2, 5);
    let layer = MultiHeadAttention::new(&mut tape, 4, options, Init::default(), rng).unwrap();
    let x = tape.constant_with(7, 4, |_| ());
    layer.forward(&mut tape, x, &mut Mode::evaluation());
}
