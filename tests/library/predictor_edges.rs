//! Predictors at their edges: own layers and losses, rows in every form, scores beyond the range, second trainings.

use nalgebra::DMatrix;
use tapegrad::data::{preprocess::Transform, synthetic};
use tapegrad::metrics::mse;
use tapegrad::models::linear::{LinearOptions, LinearRegression};
use tapegrad::models::{Fitted, Inputs, LogisticOptions, LogisticRegression, Network, Predictor};
use tapegrad::nn::loss::{Batch, CrossEntropy, Link, Loss, MeanSquaredError, real_targets};
use tapegrad::nn::{Init, Linear, Mode, Module};
use tapegrad::rng::{Purpose, stream};
use tapegrad::train::{FitOptions, evaluate};
use tapegrad::{Dataset, Error, Float, Matrix, Result, Tape, Var};

/// x → (x, x²), with nothing said but what must be.
struct Expand;

impl<T: Float> Module<T> for Expand {
    fn describe(&self) -> String {
        "expand".into()
    }
    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        let square = tape.square(x);
        tape.concat_cols(&[x, square])
    }
}

#[test]
fn an_own_layer_may_change_the_width_anywhere() {
    let data = synthetic::moons(80, 0.1, 3).unwrap();
    let mut net = Network::<f64>::new(1).add(Expand).linear(8).relu().outputs_for(&data).unwrap();
    net.fit(&data, &FitOptions { epochs: 2, ..Default::default() }).unwrap();
    assert_eq!(net.classify(&data).unwrap().len(), 80);
    let block = Network::<f64>::new(1).linear(2).residual(|b| b.add(Expand).linear(2));
    let mut net = block.outputs_for(&data).unwrap();
    net.fit(&data, &FitOptions { epochs: 2, ..Default::default() }).unwrap();
    // Behind what keeps the width, the first affine map still says what goes in.
    let net = Network::<f64>::new(1).dropout(0.1).relu().linear(3).outputs_for(&data).unwrap();
    assert_eq!(Module::<f64>::inputs(net.module()), Some(2));
    let narrow = Dataset::new(vec![0.0; 3], 1).unwrap().with_labels(&[0, 1, 0], 2).unwrap();
    let loss = tapegrad::nn::loss::CrossEntropy::default();
    let error = evaluate(net.module(), &loss, &mut net.tape().clone(), &narrow).unwrap_err();
    assert!(error.to_string().contains("takes 2 features, but the data has 1"), "{error}");
}

#[test]
fn rows_in_every_form() {
    let data = Dataset::new(vec![0.0, 1.0, 1.0, 3.0], 2).unwrap().with_targets(vec![1.0, 2.0], 1).unwrap();
    let net = Network::<f64>::new(1).outputs_for(&data).unwrap();
    let row: &[f64] = &[0.0, 1.0];
    let right = net.predict(&row).unwrap();
    let single: &[f32] = &[0.0, 1.0];
    let value = Matrix::new(vec![0.0f32, 1.0], 1, 2);
    let forms = [
        net.predict(&single),
        net.predict(&[0.0, 1.0]),
        net.predict(&[0f32, 1.0]),
        net.predict(&vec![0.0, 1.0]),
        net.predict(&value),
        net.predict(&DMatrix::<f32>::from_row_slice(1, 2, &[0.0, 1.0])),
        net.predict(&data.take(1)),
    ];
    for form in forms {
        assert_eq!(form.unwrap(), right);
    }
    assert_eq!(net.predict(&Matrix::<f64>::zeros(0, 2)).unwrap().shape(), (0, 1));
}

#[test]
fn scores_beyond_the_range_are_an_error() {
    let data = Dataset::new(vec![-1e-10, 1e-10], 1).unwrap().with_labels(&[0, 1], 2).unwrap();
    let options = LogisticOptions { lambda: 1e-30, intercept: false, ..Default::default() };
    let model = LogisticRegression::fit_dataset(&data, &options).unwrap();
    let model = Fitted::classifier(model, Inputs::of(&data), &data).unwrap();
    for found in [model.scores(&[1e307]).map(drop), model.classify(&[1e307]).map(drop)] {
        assert!(matches!(found, Err(Error::NonFinite(_))), "{found:?}");
    }
}

#[test]
fn errors_of_values() {
    // Of columns with errors 0 and √6, the mean of the squares is 3; that of the roots, squared, is 1.5.
    let (y, found) = ([0.0, 0.0, 0.0, 0.0], [0.0, 6f64.sqrt(), 0.0, -6f64.sqrt()]);
    assert!((mse(&y, &found, 2, None).unwrap() - 3.0).abs() < 1e-12);
    assert!(matches!(mse(&[1e200], &[-1e200], 1, None), Err(Error::Data(_))));
    // A single sample has no R², and all the rest.
    let data = Dataset::new(vec![0.0, 1.0, 2.0], 1).unwrap().with_targets(vec![1.0, 3.0, 4.0], 1).unwrap();
    let model = LinearRegression::fit_dataset(&data, &LinearOptions::default()).unwrap();
    let model = Fitted::regressor(model, Inputs::of(&data), &data).unwrap();
    let one = model.evaluate(&data.take(1)).unwrap();
    assert_eq!(one.values.unwrap().r2, None);
    assert!(one.loss > 0.0 && one.to_string().contains("no R² as 1 target does not vary, RMSE "), "{one}");
    assert!(model.evaluate(&data).unwrap().values.unwrap().r2 > Some(0.9));
    // One of two targets is the same for all samples, and for one sample both are.
    let data = Dataset::new(vec![0.0, 1.0, 2.0], 1).unwrap();
    let data = data.with_targets(vec![1.0, 5.0, 3.0, 5.0, 4.0, 5.0], 2).unwrap();
    let model = LinearRegression::fit_dataset(&data, &LinearOptions::default()).unwrap();
    let model = Fitted::regressor(model, Inputs::of(&data), &data).unwrap();
    for (data, constant, why) in [(&data, 1, "1 target does"), (&data.take(1), 2, "2 targets do")] {
        let found = model.evaluate(data).unwrap();
        let values = found.values.unwrap();
        assert_eq!((values.r2, values.constant), (None, constant));
        assert!(found.to_string().contains(&format!("no R² as {why} not vary, RMSE ")), "{found}");
    }
}

/// Mean and log-variance of each target.
struct GaussianNll;

impl<T: Float> Loss<T> for GaussianNll {
    fn name(&self) -> &str {
        "gaussian nll"
    }
    fn outputs(&self, data: &Dataset) -> Result<usize> {
        Ok(2 * real_targets("gaussian nll", data)?)
    }
    fn forward(&self, tape: &mut Tape<T>, output: Var, batch: &Batch<'_>) -> Var {
        let y = batch.targets(tape);
        let (mean, log_variance) = (tape.slice_cols(output, 0..1), tape.slice_cols(output, 1..2));
        let d = tape.sub(y, mean);
        let square = tape.square(d);
        let minus = tape.neg(log_variance);
        let precision = tape.exp(minus);
        let scaled = tape.mul(square, precision);
        let each = tape.add(scaled, log_variance);
        batch.mean(tape, each)
    }
    fn link(&self) -> Link {
        Link::Identity
    }
}

#[test]
fn a_loss_with_more_outputs_than_targets() {
    let data = Dataset::new(vec![0.0, 1.0, 2.0], 1).unwrap().with_targets(vec![1.0, 3.0, 4.0], 1).unwrap();
    let mut net = Network::<f64>::new(1).loss(GaussianNll).outputs_for(&data).unwrap();
    net.fit(&data, &FitOptions::default()).unwrap();
    let found = net.evaluate(&data).unwrap();
    assert!(found.values.is_none() && found.loss.is_finite());
    assert_eq!(net.scores(&[1.0]).unwrap().shape(), (1, 2));
    let scaled = Network::<f64>::new(1).loss(GaussianNll).standardize_targets(&data).unwrap();
    let error = scaled.outputs_for(&data).map(drop).unwrap_err().to_string();
    assert!(error.contains("2 outputs for 1 target"), "{error}");
}

#[test]
fn a_second_training_goes_on_as_one_would() {
    let data = synthetic::moons(60, 0.1, 5).unwrap();
    let new = || Network::<f32>::new(2).linear(8).relu().dropout(0.3).outputs_for(&data).unwrap();
    let options = |epochs| FitOptions { epochs, batch: 8, seed: 4, ..Default::default() };
    let (mut whole, mut parts) = (new(), new());
    whole.fit(&data, &options(6)).unwrap();
    parts.fit(&data, &options(2)).unwrap();
    parts.fit(&data, &options(4)).unwrap();
    assert_eq!(whole.tape().param_values(), parts.tape().param_values());
    // One that does not begin learns no class.
    let mut net = new();
    assert!(net.fit(&data, &FitOptions { batch: 0, ..options(1) }).is_err());
    net.fit(&data.subset(&(0..60).filter(|i| data.label(*i) == 1).collect::<Vec<_>>()), &options(1)).unwrap();
    assert!(net.classify(&data).unwrap().iter().all(|class| *class == Some(1)));
}

/// A transform of one's own.
#[derive(Debug)]
struct Log;

impl Transform for Log {
    fn describe(&self) -> String {
        "logarithms".into()
    }
    fn inputs(&self) -> Option<usize> {
        None
    }
    fn apply(&self, data: &Dataset) -> Result<Dataset> {
        let rows: Vec<f64> = data.to_rows::<f64>().iter().map(|x| x.abs().ln_1p()).collect();
        data.with_features(rows, data.features())
    }
}

#[test]
fn a_transform_of_ones_own_keeps_labels_weights_and_places() {
    let data = synthetic::moons(40, 0.1, 5).unwrap().with_weights(vec![2.0; 40]).unwrap();
    let part = data.subset(&[7, 3, 5]);
    let changed = Log.apply(&part).unwrap();
    assert_eq!((changed.labels(), changed.weights(), changed.place(0)), (part.labels(), part.weights(), 7));
    let mut net = Network::<f64>::new(1).transform(&data, Log).linear(4).relu().outputs_for(&data).unwrap();
    net.fit(&data, &FitOptions { epochs: 1, ..Default::default() }).unwrap();
    assert!(data.with_features(vec![0.0], 1).unwrap_err().to_string().contains("1 row for a data set of 40"));
}

#[test]
fn targets_beyond_the_type_are_an_error() {
    for y in [1e300, 1e-300] {
        let data = Dataset::new(vec![0.0, 1.0], 1).unwrap().with_targets(vec![1.0, y], 1).unwrap();
        let mut net = Network::<f32>::new(1).outputs_for(&data).unwrap();
        let error = net.fit(&data, &FitOptions::default()).unwrap_err().to_string();
        assert!(error.contains("row 1, target 0") && error.contains("beyond f32"), "{error}");
    }
}

#[test]
fn names_of_classes_come_from_training() {
    let train = Dataset::new(vec![0.0, 1.0, 2.0], 1).unwrap().with_labels(&[0, 1, 2], 3).unwrap();
    let train = train.with_class_names(["a", "b", "c"]).unwrap();
    let test = Dataset::new(vec![0.0, 1.0], 1).unwrap().with_labels(&[0, 1], 2).unwrap();
    let test = test.with_class_names(["a", "b"]).unwrap();
    let net = Network::<f64>::new(1).outputs_for(&train).unwrap();
    let text = net.evaluate(&test).unwrap().to_string();
    assert!(
        text.lines().nth(1).unwrap().split_whitespace().take(4).eq(["true\\predicted", "a", "b", "c"]),
        "{text}"
    );
}

/// A block around a batch normalisation that says nothing of it.
struct Quiet<T: Float>(tapegrad::nn::Sequential<T>);

impl<T: Float> Module<T> for Quiet<T> {
    fn describe(&self) -> String {
        "quiet".into()
    }
    fn forward(&self, tape: &mut Tape<T>, x: Var, mode: &mut Mode) -> Var {
        self.0.forward(tape, x, mode)
    }
    fn parameters(&self, visit: &mut dyn FnMut(&str, tapegrad::Param)) {
        self.0.parameters(visit);
    }
}

#[test]
fn a_last_batch_of_one_sample_is_left_out_where_there_are_statistics() {
    let data = synthetic::moons(33, 0.1, 5).unwrap();
    let inner = Network::<f64>::new(1).linear(4).batch_norm().outputs_for(&data).unwrap();
    assert_eq!(inner.module().least_batch(), 2);
    let mut net = Network::<f64>::new(1)
        .add_with(|tape, inputs, rng| {
            let form = tapegrad::models::Mlp {
                norm: tapegrad::nn::Norm::Batch,
                ..tapegrad::models::Mlp::new(&[inputs, 4, 3], tapegrad::nn::Activation::Relu)
            };
            Ok(Quiet(form.build(tape, rng)?))
        })
        .outputs_for(&data)
        .unwrap();
    net.fit(&data, &FitOptions { epochs: 1, batch: 32, ..Default::default() }).unwrap();
}

/// A loss whose outputs are not what its link needs.
struct Outputs(usize);

impl<T: Float> Loss<T> for Outputs {
    fn name(&self) -> &str {
        "a loss of one's own"
    }

    fn outputs(&self, _: &Dataset) -> Result<usize> {
        Ok(self.0)
    }

    fn forward(&self, tape: &mut Tape<T>, output: Var, _: &Batch<'_>) -> Var {
        tape.square(output)
    }

    fn link(&self) -> Link {
        Link::Softmax
    }
}

#[test]
fn a_loss_says_by_its_name_what_does_not_fit() {
    let iris = Dataset::read_csv("data/iris.csv", "species").unwrap();
    let values = Dataset::read_csv("data/diabetes.csv", "progression").unwrap();
    let made = |loss, data: &Dataset| Network::<f32>::new(1).loss(loss).outputs_for(data).map(drop);
    for outputs in [1, 4] {
        let error = made(Outputs(outputs), &iris).unwrap_err().to_string();
        let given = tapegrad::text::count(outputs, "output");
        let expected = format!("a loss of one's own: it takes {given}, which cannot stand for 3 classes");
        assert!(error.contains(&expected), "{error}");
    }
    let error =
        Network::<f32>::new(1).loss(CrossEntropy::default()).outputs_for(&values).map(drop).unwrap_err();
    assert!(error.to_string().contains("cross-entropy"), "{error}");
    let error = Network::<f32>::new(1).loss(MeanSquaredError).outputs_for(&iris).map(drop).unwrap_err();
    assert!(error.to_string().contains("squared error needs"), "{error}");

    let mut net = Network::<f32>::new(1).loss(Outputs(3)).outputs_for(&iris).unwrap();
    let fit = std::panic::AssertUnwindSafe(|| net.fit(&iris, &FitOptions::default()).map(drop));
    let panic = std::panic::catch_unwind(fit).unwrap_err();
    let said = panic.downcast_ref::<String>().unwrap();
    assert!(said.contains("a loss of one's own: a loss is 1×1") && said.contains("32×3"), "{said}");

    let error = iris.with_class_names(["a", "b", "a"]).unwrap_err().to_string();
    assert!(error.contains("two classes have the name `a`"), "{error}");
}

/// PyTorch draws the bias as well, from the same interval; all others begin at 0.
#[test]
fn biases_of_every_initialisation() {
    for init in [Init::PyTorch, Init::XavierUniform, Init::HeNormal] {
        let mut tape = Tape::<f64>::default();
        let layer = Linear::new(&mut tape, 16, 200, true, init, &mut stream(1, Purpose::Init));
        let bias = tape.value_slice(layer.bias.unwrap());
        if init == Init::PyTorch {
            let mean_square = bias.iter().map(|b| b * b).sum::<f64>() / 200.0;
            assert!(
                bias.iter().all(|b| b.abs() <= 0.25) && (mean_square * 48.0 - 1.0).abs() < 0.3,
                "{mean_square}"
            );
        } else {
            assert!(bias.iter().all(|b| *b == 0.0), "{init}");
        }
    }
}
