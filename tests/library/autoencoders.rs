//! Autoencoders: of filters, against figures of PyTorch 2 in f64, which `reference/autoencoders.py` made, and on the real
//! images.

use std::collections::BTreeMap;

use nalgebra::DMatrix;
use serde::Deserialize;
use tapegrad::models::{ConvAutoencoder, Network, Notes, Predictor, load, save};
use tapegrad::nn::{Mode, Module, ModuleExt, Sequential};
use tapegrad::ops::ImageShape;
use tapegrad::optim::{Adam, Optimizer};
use tapegrad::rng::{Purpose, stream};
use tapegrad::train::FitOptions;
use tapegrad::{Dataset, Tape};

use super::helpers::{self, assert_near};
use super::reference::Matrix;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    image: [usize; 3],
    filters: Vec<usize>,
    parameters: BTreeMap<String, Matrix>,
    x: Matrix,
    code: Matrix,
    output: Matrix,
    loss: f64,
    gradients: BTreeMap<String, Matrix>,
}

/// The network of a case with its parameters.
fn network(case: &Case, tape: &mut Tape) -> Sequential<f64> {
    let [channels, height, width] = case.image;
    let form = ConvAutoencoder {
        filters: case.filters.clone(),
        ..ConvAutoencoder::new(ImageShape::new(channels, height, width), case.code.cols)
    };
    let net = form.build(tape, &mut stream(1, Purpose::Init)).unwrap();
    let named = net.named_parameters();
    assert_eq!(named.len(), case.parameters.len());
    for (name, param) in named {
        let values = case.parameters.get(&name).unwrap_or_else(|| panic!("no {name} in the file"));
        let shape = tape.param_shape(param);
        assert_eq!((values.rows, values.cols), (shape.rows, shape.cols), "{name}");
        tape.set_param(param, &values.data);
    }
    net
}

fn cases() -> BTreeMap<String, Case> {
    let cases: BTreeMap<String, Case> =
        serde_json::from_str(include_str!("reference/autoencoders.json")).unwrap();
    assert_eq!(cases.keys().collect::<Vec<_>>(), ["even", "line", "odd"]);
    cases
}

#[test]
fn values_and_gradients_of_pytorch() {
    for (name, case) in cases() {
        let mut tape = Tape::new();
        let net = network(&case, &mut tape);
        let x = tape.constant(&case.x.get());
        let (mut at, mut code) = (x, None);
        for (part, module) in net.modules() {
            at = module.forward(&mut tape, at, &mut Mode::evaluation());
            code = code.or((part == "code").then_some(at));
        }
        let code = tape.value(code.unwrap()).to_dmatrix();
        assert_near(&code, &case.code.get(), 1e-10);
        assert_near(&tape.value(at).to_dmatrix(), &case.output.get(), 1e-10);
        let loss = tape.mse(at, x);
        assert!((tape.item(loss) / case.loss - 1.0).abs() < 1e-10, "{name}: {}", tape.item(loss));
        tape.zero_grad();
        tape.backward(loss);
        for (part, param) in net.named_parameters() {
            let (found, expected) = (tape.grad(param).to_dmatrix(), case.gradients[&part].get());
            // Behind a ReLU that lets nothing through, both are 0.
            let (error, largest) = ((&found - &expected).amax(), expected.amax());
            assert!(error <= 1e-10 * largest, "{name}, {part}: {error:e} beside {largest:e}");
        }
    }
}

/// (f(θ + h) − f(θ − h)) / 2h for every number of every parameter.
#[test]
fn gradients_are_central_differences() {
    const H: f64 = 1e-6;
    for (name, case) in cases() {
        let mut tape = Tape::new();
        let net = network(&case, &mut tape);
        let x = case.x.get();
        let loss = |tape: &mut Tape| {
            tape.rewind();
            let x = tape.constant(&x);
            let y = net.forward(tape, x, &mut Mode::evaluation());
            tape.mse(y, x)
        };
        let whole = loss(&mut tape);
        tape.zero_grad();
        tape.backward(whole);
        let gradients: Vec<DMatrix<f64>> =
            net.named_parameters().iter().map(|(_, param)| tape.grad(*param).to_dmatrix()).collect();
        for ((part, param), gradient) in net.named_parameters().into_iter().zip(gradients) {
            // Row-major, as the tape's numbers are.
            let gradient: Vec<f64> = gradient.transpose().iter().copied().collect();
            let values = tape.value_slice(param.var()).to_vec();
            for (i, expected) in gradient.into_iter().enumerate() {
                let [above, below] = [H, -H].map(|h| {
                    let mut moved = values.clone();
                    moved[i] += h;
                    tape.set_param(param, &moved);
                    let loss = loss(&mut tape);
                    tape.item(loss)
                });
                let found = (above - below) / (2.0 * H);
                // The loss is of the order 0.1: its rounding, 1e-17, over 2h.
                assert!((found - expected).abs() < 1e-9, "{name}, {part}, {i}: {found:e}, not {expected:e}");
            }
            tape.set_param(param, &values);
        }
    }
}

/// A file in which the transposed filters say something else of themselves.
#[test]
fn a_file_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let numbers: Vec<f64> = (0..4 * 30).map(|i| f64::from(i % 11) / 10.0).collect();
    let data = Dataset::new(numbers, 30).unwrap();
    let form = ConvAutoencoder { filters: vec![2], ..ConvAutoencoder::new(ImageShape::new(1, 5, 6), 3) };
    let net = Network::<f32>::new(1).reconstructing();
    let net = net.made_by(&data, |tape, _, _, rng| form.build(tape, rng)).unwrap();
    save(&net, &path, &Notes::default()).unwrap();
    let read = load(&path).unwrap().model;
    assert_eq!(read.predict(&data).unwrap(), net.predict(&data).unwrap());
    assert_eq!(read.describe(), "conv-autoencoder 1×5×6, filters 2, code 3");
    let whole = std::fs::read(&path).unwrap();
    for (from, to, why) in [
        (r#"\"kernel\":[3,3]"#, r#"\"kernel\":[3,1]"#, "`transpose1.weight` is 9×2, where 3×2 is needed"),
        (r#"\"stride\":[2,2]"#, r#"\"stride\":[1,2]"#, "an image of 2×5×3 for 18 numbers per sample"),
        (r#"\"stride\":[2,2]"#, r#"\"stride\":[2,4]"#, "an image of 2×3×2 for 18 numbers per sample"),
        (r#"\"height\":5"#, r#"\"height\":6"#, "36"),
        (r#"\"height\":5"#, r#"\"height\":0"#, "an image of 1×0×6 has no pixels"),
        (r#"\"padding\":[1,1]"#, r#"\"padding\":[9,1]"#, "for 18 numbers per sample"),
        (r#"\"dilation\":[1,1]"#, r#"\"dilation\":[9,1]"#, "a window of 3×3, 19×3 with its dilation of 9×1,"),
        (r#"\"groups\":1"#, r#"\"groups\":2"#, "2 groups do not divide 1 channel"),
    ] {
        // The last place is that of the transpose.
        let at = whole.windows(from.len()).rposition(|part| part == from.as_bytes()).unwrap();
        let mut changed = whole.clone();
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        std::fs::write(&path, changed).unwrap();
        let error = load(&path).err().unwrap_or_else(|| panic!("read with {to}")).to_string();
        assert!(error.contains(why), "{to}: {error}");
    }
}

/// One epoch through 32 numbers leaves less than a quarter of the error of the mean image.
#[test]
fn real_images_are_told_better_than_by_their_mean() {
    let Some((train, test)) = helpers::mnist() else { return };
    let train = train.take(20_000);
    let mean = |data: &[f64], n: usize| -> Vec<f64> {
        let sum = |column: usize| data.iter().skip(column).step_by(784).sum::<f64>();
        (0..784).map(|column| sum(column) / n as f64).collect()
    };
    let [told, tested] = [&train, &test].map(|data| data.with_own_targets().unwrap());
    let (images, mean) = (tested.targets().unwrap(), mean(told.targets().unwrap(), train.len()));
    let of_mean = images.iter().enumerate().map(|(i, x)| (x - mean[i % 784]) * (x - mean[i % 784]));
    let of_mean = of_mean.sum::<f64>() / images.len() as f64;

    let form = ConvAutoencoder::new(ImageShape::new(1, 28, 28), 32);
    let optimizer = Optimizer::new(Adam::default(), 3e-3).unwrap();
    let net = Network::<f32>::new(1).reconstructing().optimizer(optimizer);
    let mut net = net.made_by(&train, |tape, _, _, rng| form.build(tape, rng)).unwrap();
    net.fit(&train, &FitOptions::new(1, 64, 1)).unwrap();
    let found = net.evaluate(&test).unwrap().loss;
    println!("mean squared error {found}, that of the mean image {of_mean}");
    assert!(found < of_mean / 4.0, "{found}, and {of_mean} of the mean image");
}
