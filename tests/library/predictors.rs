//! What has been trained, asked in one way: networks and all other families.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nalgebra::{DMatrix, RowDVector, dmatrix};
use tapegrad::data::preprocess::{Standardize, UnitRows};
use tapegrad::linalg::{sum, with_threads};
use tapegrad::models::kernel::{KernelMachine, KernelRidge, Rbf, RidgeOptions, Samples, one_vs_rest};
use tapegrad::models::linear::{LinearOptions, LinearRegression};
use tapegrad::models::{
    Fitted, Inputs, LogisticOptions, LogisticRegression, Network, Predictor, Scheme, Task,
};
use tapegrad::nn::loss::{BinaryCrossEntropy, Hinge, OneVsRest};
use tapegrad::nn::{Activation, Init, Linear, Mode, Module, ModuleExt};
use tapegrad::optim::{Adam, Optimizer};
use tapegrad::tape::Param;
use tapegrad::train::{FitOptions, Observer, Run, evaluate, predict};
use tapegrad::{Dataset, Error, Float, Matrix, Result, Tape, Var};

fn shipped(name: &str, target: &str) -> Dataset {
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    Dataset::read_csv(file, target).unwrap()
}

fn iris() -> (Dataset, Dataset) {
    let (test, train) = shipped("iris.csv", "species").stratified_split(0.2, 1).unwrap();
    (train, test)
}

fn diabetes() -> (Dataset, Dataset) {
    let (test, train) = shipped("diabetes.csv", "progression").split(0.25, 1).unwrap();
    (train, test)
}

fn options(epochs: usize) -> FitOptions {
    FitOptions { epochs, ..Default::default() }
}

fn net(train: &Dataset) -> Network<f32> {
    let net = Network::<f32>::new(3).standardize(train).unwrap();
    net.linear(32).relu().dropout(0.1).linear(16).tanh().outputs_for(train).unwrap()
}

#[track_caller]
fn fails<X>(result: Result<X>, expected: &str) {
    let Err(error) = result else { panic!("no error: {expected}") };
    assert!(error.to_string().contains(expected), "{error}, not {expected}");
}

#[test]
fn a_network_of_classes() {
    let (train, test) = iris();
    let mut net = net(&train);
    let history = net.fit(&train, &options(60)).unwrap();
    assert_eq!(history.epochs.len(), 60);
    let evaluation = net.evaluate(&test).unwrap();
    assert!(evaluation.accuracy().unwrap() > 0.9, "{evaluation}");
    let printed = evaluation.to_string();
    assert!(printed.starts_with("cross-entropy 0.") && printed.contains("virginica"), "{printed}");

    // A data set, matrices and rows are the same samples.
    let p = net.probabilities(&test).unwrap();
    assert_eq!(p.shape(), (30, 3));
    assert!(p.rows().all(|row| (sum(row) - 1.0).abs() < 1e-12));
    let rows = test.to_matrix::<f64>();
    assert_eq!(net.probabilities(&rows).unwrap(), p);
    assert_eq!(net.probabilities(&Matrix::from(&rows)).unwrap(), p);
    for i in 0..3 {
        let row: Vec<f64> = rows.row(i).iter().copied().collect();
        let array: [f64; 4] = row.clone().try_into().unwrap();
        for one in [net.probabilities(&row), net.probabilities(&array)] {
            let one = one.unwrap();
            assert_eq!(one.shape(), (1, 3));
            // Another number of rows in a product may round otherwise.
            assert!(one.row(0).iter().zip(p.row(i)).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }
    // The class is that of the largest probability and of the largest logit.
    let (classes, scores) = (net.classify(&test).unwrap(), net.scores(&test).unwrap());
    for ((class, p), z) in classes.iter().zip(p.rows()).zip(scores.rows()) {
        let class = class.unwrap();
        assert!((0..3).all(|other| p[other] <= p[class] && z[other] <= z[class]));
    }
    let right = classes.iter().enumerate().filter(|(i, class)| **class == Some(test.label(*i))).count();
    assert_eq!(evaluation.accuracy(), Some(right as f64 / 30.0));

    // What the parts say by themselves.
    let prepared = net.inputs().prepare(&test).unwrap();
    let mut tape = net.tape().clone();
    let direct = evaluate(net.module(), net.loss(), &mut tape, &prepared).unwrap();
    assert_eq!((direct.loss, direct.accuracy()), (evaluation.loss, evaluation.accuracy()));
    let direct = predict(net.module(), &mut tape, &prepared).unwrap();
    assert!(direct.iter().map(|x| f64::from(*x)).eq(scores.as_slice().iter().copied()));
    assert_eq!(net.inputs().describe(), "4 features, standardised");
    assert_eq!(net.describe(), "linear 4→32, relu, dropout 0.1, linear 32→16, tanh, linear 16→3");
    assert!(net.summary(32).unwrap().to_string().contains("linear 16→3"));
}

#[test]
fn the_same_seed_gives_the_same_network() {
    let (train, test) = iris();
    let trained = |threads| {
        let mut net = net(&train);
        with_threads(threads, || net.fit(&train, &options(5))).unwrap();
        net.scores(&test).unwrap()
    };
    assert_eq!(trained(1), trained(2));
    // Two trainings of some epochs start again at the first place of the run, but go on from the parameters.
    let mut twice = net(&train);
    twice.fit(&train, &options(5)).unwrap();
    let before = twice.evaluate(&train).unwrap().loss;
    twice.fit(&train, &options(5)).unwrap();
    assert!(twice.evaluate(&train).unwrap().loss < before);
}

#[test]
fn many_threads_ask_at_once() {
    let (train, test) = iris();
    let mut net = net(&train);
    net.fit(&train, &options(5)).unwrap();
    let (alone, row) = (net.probabilities(&test).unwrap(), test.to_rows::<f64>()[..4].to_vec());
    let (one, net) = (net.probabilities(&row).unwrap(), &net);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(net.probabilities(&test).unwrap(), alone);
                    assert_eq!(net.probabilities(&row).unwrap(), one);
                    assert!(net.evaluate(&test).is_ok());
                }
            });
        }
    });
    fn shared<P: Send + Sync>() {}
    shared::<Network<f32>>();
    shared::<Box<dyn Predictor>>();
}

/// After a change of the parameters no old copy of them answers.
#[test]
fn changed_parameters_answer_at_once() {
    let (train, test) = iris();
    let mut net = net(&train);
    net.fit(&train, &options(1)).unwrap();
    let before = net.scores(&test).unwrap();
    net.tape_mut().param_values_mut().fill(0.0);
    assert!(net.scores(&test).unwrap().as_slice().iter().all(|z| *z == 0.0));
    assert!(net.classify(&test).unwrap().iter().all(Option::is_none), "a tie is undecided");
    net.fit(&train, &options(1)).unwrap();
    assert_ne!(net.scores(&test).unwrap(), before);
}

#[test]
fn values_on_their_own_scale() {
    let (train, test) = diabetes();
    let mut net = Network::<f64>::new(1)
        .standardize(&train)
        .unwrap()
        .standardize_targets(&train)
        .unwrap()
        .linear(16)
        .tanh()
        .optimizer(Optimizer::new(Adam::default(), 0.005).unwrap())
        .outputs_for(&train)
        .unwrap();
    net.fit(&train, &options(40)).unwrap();
    let evaluation = net.evaluate(&test).unwrap();
    let values = evaluation.values.unwrap();
    assert!(values.r2 > Some(0.3) && values.rmse > 30.0 && values.mae < values.rmse, "{evaluation}");
    // The loss is on the scale of the network.
    assert!(evaluation.loss < 1.5 && evaluation.to_string().contains("R² 0."), "{evaluation}");
    let predicted = net.predict(&test).unwrap();
    let mean = sum(predicted.as_slice()) / predicted.nrows() as f64;
    assert!((100.0..200.0).contains(&mean), "{mean}");
    fails(net.classify(&test), "tells values, and no classes");
    fails(net.probabilities(&test), "tells values, and no probabilities");
}

/// y = x ∘ s: a module with a parameter, from outside the crate.
struct Factors(Param);

impl<T: Float> Module<T> for Factors {
    fn describe(&self) -> String {
        "factors".into()
    }
    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        tape.mul(x, self.0)
    }
    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        visit("factors", self.0);
    }
}

#[test]
fn own_modules_and_residual_blocks() {
    let (train, test) = iris();
    let mut net = Network::<f64>::new(1)
        .transform(&train, Standardize::fit(&train).unwrap())
        .transform(&train, UnitRows::<f64>::default())
        .add_with(|tape, inputs, _| Ok(Factors(tape.param_with(1, inputs, |s| s.fill(1.0)))))
        .linear(8)
        .batch_norm()
        .relu()
        .residual(|block| block.linear(8).layer_norm().gelu().linear(8))
        .add(Activation::Softplus)
        .optimizer(Optimizer::new(Adam::default(), 0.01).unwrap())
        .outputs_for(&train)
        .unwrap();
    let names: Vec<String> = net.module().named_parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "module1.factors",
            "linear1.weight",
            "linear1.bias",
            "norm1.gamma",
            "norm1.beta",
            "norm1.running",
            "residual1.linear1.weight",
            "residual1.linear1.bias",
            "residual1.norm1.gamma",
            "residual1.norm1.beta",
            "residual1.linear2.weight",
            "residual1.linear2.bias",
            "linear2.weight",
            "linear2.bias"
        ]
    );
    net.fit(&train, &options(40)).unwrap();
    assert!(net.evaluate(&test).unwrap().accuracy().unwrap() > 0.85);
    assert_ne!(net.tape().value_slice(net.module().named_parameters()[0].1), [1.0; 4]);
}

/// One logit, a logit each, and scores without probabilities.
#[test]
fn links_of_all_kinds() {
    let (train, test) = {
        let (test, train) = shipped("breast_cancer.csv", "diagnosis").stratified_split(0.25, 2).unwrap();
        (train, test)
    };
    let start = || Network::<f64>::new(5).standardize(&train).unwrap().linear(8).relu();
    let mut nets = [
        start().loss(BinaryCrossEntropy).outputs_for(&train).unwrap(),
        start().loss(OneVsRest).outputs_for(&train).unwrap(),
        start().loss(Hinge).outputs_for(&train).unwrap(),
    ];
    for (net, width) in nets.iter_mut().zip([1, 2, 2]) {
        net.fit(&train, &options(15)).unwrap();
        assert_eq!(net.scores(&test).unwrap().ncols(), width);
        assert!(net.evaluate(&test).unwrap().accuracy().unwrap() > 0.93);
        if let Ok(p) = net.probabilities(&test) {
            assert!(p.ncols() == 2 && p.rows().all(|row| (sum(row) - 1.0).abs() < 1e-12));
        }
    }
    fails(nets[2].probabilities(&test), "scores of classes, but no probabilities");
}

/// The same numbers as by the families' own methods.
#[test]
fn logistic_linear_and_kernel_models() {
    let (train, test) = iris();
    let inputs = Inputs::of(&train).standardize(&train).unwrap();
    let prepared = (inputs.prepare(&train).unwrap(), inputs.prepare(&test).unwrap());

    for scheme in [Scheme::Multinomial, Scheme::OneVsRest] {
        let options = LogisticOptions { lambda: 0.01, scheme, ..Default::default() };
        let model = LogisticRegression::fit_dataset(&prepared.0, &options).unwrap();
        let fitted = Fitted::classifier(model.clone(), inputs.clone(), &train).unwrap();
        let p = fitted.probabilities(&test).unwrap().to_dmatrix();
        let direct = model.probabilities(&prepared.1.to_matrix()).unwrap();
        assert!((p - direct).amax() < 1e-14);
        assert_eq!(fitted.classify(&test).unwrap(), model.predict_dataset(&prepared.1).unwrap());
    }

    let samples = Samples::<f64>::from_dataset(&prepared.0).unwrap();
    let targets = one_vs_rest::<f64>(train.labels().unwrap(), 3).unwrap();
    let kernel = Arc::new(Rbf::new(0.5).unwrap());
    let machine = KernelRidge::fit(kernel, &samples, &targets, RidgeOptions::new(1e-3)).unwrap();
    let direct = machine.predict(&Samples::from_dataset(&prepared.1).unwrap());
    let machine: Box<dyn KernelMachine<f64>> = Box::new(machine);
    let fitted = Fitted::classifier(machine, inputs, &train).unwrap();
    assert_eq!(fitted.scores(&test).unwrap().to_dmatrix(), direct);
    assert!(fitted.evaluate(&test).unwrap().accuracy().unwrap() > 0.9);

    let (train, test) = diabetes();
    let model = LinearRegression::fit_dataset(&train, &LinearOptions::default()).unwrap();
    let fitted = Fitted::regressor(model.clone(), Inputs::of(&train), &train).unwrap();
    let direct = model.predict_dataset(&test).unwrap();
    assert_eq!(fitted.predict(&test).unwrap().to_dmatrix(), direct);
    let families: Vec<Box<dyn Predictor>> = vec![Box::new(fitted)];
    assert!(families[0].evaluate(&test).unwrap().values.unwrap().r2 > Some(0.3));
}

/// Weights in the data count in every figure.
#[test]
fn weights_count() {
    let model = LinearRegression::from_parameters(&dmatrix![1.0], &RowDVector::from_element(1, 0.0)).unwrap();
    let data = Dataset::new(vec![0.0, 0.0, 0.0], 1).unwrap().with_targets(vec![1.0, -1.0, 3.0], 1).unwrap();
    let weighted = data.clone().with_weights(vec![1.0, 1.0, 0.0]).unwrap();
    let fitted = Fitted::regressor(model, Inputs::of(&data), &data).unwrap();
    assert_eq!(fitted.evaluate(&weighted).unwrap().values.unwrap().rmse, 1.0);
    let plain = fitted.evaluate(&data).unwrap();
    assert!((plain.loss - 11.0 / 3.0).abs() < 1e-14);
}

/// Both sides are named.
#[test]
fn what_does_not_fit() {
    let (train, test) = iris();
    let mut net = net(&train);
    net.fit(&train, &options(1)).unwrap();
    fails(net.probabilities(&[1.0, 2.0, 3.0]), "the model takes 4 features, but there are 3");
    fails(net.probabilities(&dmatrix![1.0, 2.0]), "the model takes 4 features, but there are 2");
    fails(net.scores(&[1.0, f64::NAN, 0.0, 0.0]), "the feature is NaN");
    fails(net.predict(&test), "tells classes: ask it to classify");
    fails(net.evaluate(&test.subset(&[])), "there are no samples");
    // Of no samples there are no scores, which is no error.
    assert_eq!(net.scores(&DMatrix::<f64>::zeros(0, 4)).unwrap().shape(), (0, 3));
    assert_eq!(net.classify(&test.subset(&[])).unwrap(), []);
}

struct Stops;
impl<T: Float> Observer<T> for Stops {
    fn epoch(&mut self, _: &mut Run<'_, T>) -> Result<()> {
        Err(Error::Interrupted)
    }
}

#[test]
fn builders_that_cannot_be_made() {
    let (train, _) = iris();
    let start = || Network::<f64>::new(0);
    fails(start().linear(0).outputs_for(&train), "width 0");
    fails(start().dropout(1.0).outputs_for(&train), "dropout: 1 is not in the range");
    fails(start().init(Init::Constant(f64::NAN)).outputs_for(&train), "init");
    let three = |tape: &mut Tape<f64>, _, rng: &mut _| Ok(Linear::new(tape, 3, 2, true, Init::HeNormal, rng));
    fails(
        start().linear(5).relu().add_with(three).outputs_for(&train),
        "linear 3→2 takes 3 numbers, but relu gives 5",
    );
    fails(start().add_with(three).outputs_for(&train), "linear 3→2 takes 3 numbers, but the data gives 4");
    fails(
        start().residual(|block| block.linear(7)).outputs_for(&train),
        "a residual block takes 4 numbers, but gives 7",
    );
    fails(start().standardize_targets(&train).map(|_| ()), "needs real-valued targets");
    let (values, _) = diabetes();
    fails(start().loss(Hinge).outputs_for(&values), "needs class labels");
    fails(start().standardize(&train).unwrap().outputs_for(&values), "takes 4 features, but there are 10");
    fails(start().outputs_for(&Dataset::new(vec![1.0], 1).unwrap()), "neither labels nor targets");

    // An error ends a training, and the network still answers.
    let mut net = net(&train);
    let result = net.fit_with(&train, None, &options(5), &mut [&mut Stops]);
    assert!(matches!(result, Err(Error::Interrupted)));
    assert!(net.evaluate(&train).is_ok());
}

#[test]
fn labels_and_names_mean_what_they_meant() {
    let (train, test) = iris();
    let mut net = net(&train);
    net.fit(&train, &options(1)).unwrap();
    let labels: Vec<usize> = (0..test.len()).map(|i| test.label(i)).collect();
    let named = |names: [&str; 3]| test.clone().with_class_names(names).unwrap();
    fails(
        net.evaluate(&named(["setosa", "virginica", "versicolor"])),
        "class 1 is `versicolor` for the model, but `virginica` in the data",
    );
    let more = test.clone().with_labels(&labels, 4).unwrap();
    fails(net.evaluate(&more), "the model knows 3 classes, the data 4");
    let values = test.clone().with_targets(vec![0.0; test.len()], 1).unwrap();
    fails(net.evaluate(&values), "tells classes, but the data has no labels");
    fails(net.fit(&values, &options(1)).map(|_| ()), "tells classes, but the data has no labels");
    let renamed = test.clone().with_feature_names(["a", "b", "c", "d"]).unwrap();
    fails(net.scores(&renamed), "feature 0 is `sepal_length` for the model, but `a` in the data");
}

/// A class without training samples is never an answer; a further training adds its classes.
#[test]
fn classes_that_were_not_seen() {
    let (train, test) = iris();
    let of = |classes: &[usize]| {
        let rows: Vec<usize> = (0..train.len()).filter(|i| classes.contains(&train.label(*i))).collect();
        train.subset(&rows)
    };
    let mut net = net(&train);
    net.fit(&of(&[0, 1]), &options(3)).unwrap();
    assert!(net.classify(&test).unwrap().iter().all(|class| *class != Some(2)));
    let Task::Classes { seen, .. } = net.task() else { panic!("no classes") };
    assert!(seen.contains(0) && seen.contains(1) && !seen.contains(2));
    net.fit(&of(&[2]), &options(20)).unwrap();
    let Task::Classes { seen, .. } = net.task() else { panic!("no classes") };
    assert!((0..3).all(|class| seen.contains(class)));
    assert!(net.classify(&test).unwrap().contains(&Some(2)));
}
