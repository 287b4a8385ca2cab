//! Whole transformers against figures of PyTorch 2, in f64: `reference/transformers.py` made them.

use std::collections::BTreeMap;

use serde::Deserialize;
use tapegrad::Tape;
use tapegrad::models::{Gpt, Trunk, Vit};
use tapegrad::nn::{Mode, Module, ModuleExt, Sequential};
use tapegrad::ops::ImageShape;
use tapegrad::rng::{Purpose, stream};

use super::helpers::assert_near;
use super::reference::Matrix;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    parameters: BTreeMap<String, Matrix>,
    x: Matrix,
    labels: Vec<usize>,
    output: Matrix,
    loss: f64,
    gradients: BTreeMap<String, Matrix>,
}

type Build = fn(&mut Tape) -> Sequential<f64>;

fn networks() -> Vec<(&'static str, Build)> {
    vec![
        ("vit", |tape| {
            let form = Vit { patch: 3, trunk: TRUNK, ..Vit::new(ImageShape::new(2, 6, 9), 3) };
            form.build(tape, &mut stream(1, Purpose::Init)).unwrap()
        }),
        ("gpt", |tape| {
            let form = Gpt { vocabulary: 7, trunk: TRUNK, ..Gpt::new(5) };
            form.build(tape, &mut stream(1, Purpose::Init)).unwrap()
        }),
    ]
}

const TRUNK: Trunk = Trunk { blocks: 2, width: 4, heads: 2, expansion: 2, dropout: 0.0 };

#[test]
fn values_and_gradients_of_pytorch() {
    let mut cases: BTreeMap<String, Case> =
        serde_json::from_str(include_str!("reference/transformers.json")).unwrap();
    for (name, build) in networks() {
        let mut case = cases.remove(name).unwrap_or_else(|| panic!("{name} is not in the file"));
        let mut tape = Tape::new();
        let net = build(&mut tape);
        let named = net.named_parameters();
        for (name, param) in &named {
            let values = case.parameters.remove(name).unwrap_or_else(|| panic!("no {name} in the file"));
            assert_eq!(
                (values.rows, values.cols),
                (tape.param_shape(*param).rows, tape.param_shape(*param).cols)
            );
            tape.set_param(*param, &values.data);
        }
        assert!(case.parameters.is_empty(), "not set: {:?}", case.parameters.keys());
        let x = tape.constant(&case.x.get());
        let y = net.forward(&mut tape, x, &mut Mode::evaluation());
        assert_near(&tape.value(y).to_dmatrix(), &case.output.get(), 1e-10);
        let loss = tape.cross_entropy(y, &case.labels);
        assert!((tape.item(loss) / case.loss - 1.0).abs() < 1e-10, "{}", tape.item(loss));
        tape.zero_grad();
        tape.backward(loss);
        // What softmax does not see is 0 but for roundings: gradients are compared on one scale.
        let largest = case.gradients.values().flat_map(|g| &g.data).fold(0.0f64, |most, g| most.max(g.abs()));
        for (name, param) in &named {
            let (found, expected) = (tape.grad(*param).to_dmatrix(), case.gradients[name].get());
            let error = (found - expected).amax() / largest;
            assert!(error < 1e-10, "{name}: {error:e}");
        }
    }
    assert!(cases.is_empty(), "not compared: {:?}", cases.keys());
}
