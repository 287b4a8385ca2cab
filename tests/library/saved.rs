//! Models in files: every family comes back and answers the same bits; no file does harm.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nalgebra::DMatrix;
use tapegrad::data::preprocess::{Pca, RandomProjection, SmoothImages, TargetScale, UnitRows};
use tapegrad::models::kernel::{
    Expansion, FourierRidge, KernelMachine, KernelRidge, KernelSettings, RidgeOptions, Samples, kernels,
    one_vs_rest,
};
use tapegrad::models::linear::{LinearOptions, LinearRegression};
use tapegrad::models::{
    Fitted, Inputs, LogisticOptions, LogisticRegression, Network, Notes, Predictor, Scheme, load, save,
};
use tapegrad::nn::loss::{
    BinaryCrossEntropy, CrossEntropy, Focal, Hinge, Huber, Loss, MeanAbsoluteError, OneVsRest,
};
use tapegrad::nn::{Activation, Init, Linear, Mode, Module, ModuleExt, Sequential};
use tapegrad::store::{Settings, Store, Stored};
use tapegrad::tape::Param;
use tapegrad::train::FitOptions;
use tapegrad::{Dataset, Error, Float, Tape, Var};

fn shipped(name: &str, target: &str) -> Dataset {
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    Dataset::read_csv(file, target).unwrap()
}

fn iris() -> Dataset {
    shipped("iris.csv", "species")
}

fn diabetes() -> Dataset {
    shipped("diabetes.csv", "progression")
}

/// Saved and read again, it answers and measures the same, to the bit.
#[track_caller]
fn comes_back(model: &dyn Predictor, data: &Dataset) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let notes = Notes { about: vec![("seed".into(), "7".into())], ..Notes::default() };
    save(model, &path, &notes).unwrap();
    let read = load(&path).unwrap();
    assert_eq!(read.model.scores(data).unwrap(), model.scores(data).unwrap(), "{}", model.describe());
    assert_eq!(read.model.describe(), model.describe());
    assert_eq!(read.model.inputs().describe(), model.inputs().describe());
    assert_eq!(read.model.inputs().names(), model.inputs().names());
    assert_eq!(read.model.task().class_names(), model.task().class_names());
    let (found, expected) = (read.model.evaluate(data).unwrap(), model.evaluate(data).unwrap());
    assert_eq!(found.to_string(), expected.to_string());
    assert_eq!(read.notes.about, notes.about);
    // The same model is the same file.
    let again = folder.path().join("again.safetensors");
    save(&*read.model, &again, &notes).unwrap();
    let (first, second) = (fs::read(&path).unwrap(), fs::read(&again).unwrap());
    assert!(first == second, "{}: another file", model.describe());
}

fn options(epochs: usize) -> FitOptions {
    FitOptions { epochs, ..Default::default() }
}

fn network<T: Float>(train: &Dataset) -> Network<T> {
    let parts = Network::<T>::new(3).standardize(train).unwrap().linear(16).batch_norm().relu().dropout(0.1);
    let parts = parts.residual(|b| b.linear(8).layer_norm().activation(Activation::Silu).linear(16));
    let mut net = parts.linear_without_bias(8).tanh().outputs_for(train).unwrap();
    net.fit(train, &options(3)).unwrap();
    net
}

#[test]
fn networks_of_both_types() {
    let train = iris();
    comes_back(&network::<f32>(&train), &train);
    comes_back(&network::<f64>(&train), &train);
    let train = diabetes();
    let net = Network::<f32>::new(1).min_max(&train).unwrap().standardize_targets(&train).unwrap();
    let mut net = net.linear(8).relu().outputs_for(&train).unwrap();
    net.fit(&train, &options(3)).unwrap();
    comes_back(&net, &train);
}

#[test]
fn every_loss() {
    let train = iris();
    let rows: Vec<usize> = (0..100).collect();
    let two = Dataset::new(train.subset(&rows).to_rows::<f64>(), 4).unwrap();
    let labels: Vec<usize> = (0..100).map(|i| i / 50).collect();
    let two = two.with_labels(&labels, 2).unwrap();
    let values = diabetes();
    let smooth = CrossEntropy::default().with_smoothing(0.1).unwrap();
    let weighted = smooth.clone().with_class_weights(vec![1.0, 2.0, 0.5]).unwrap();
    let cases: [(&Dataset, Arc<dyn Loss<f32>>); 8] = [
        (&train, Arc::new(smooth)),
        (&train, Arc::new(weighted)),
        (&train, Arc::new(OneVsRest)),
        (&train, Arc::new(Focal::new(2.0).unwrap())),
        (&train, Arc::new(Hinge)),
        (&two, Arc::new(BinaryCrossEntropy)),
        (&values, Arc::new(Huber::new(1.5).unwrap())),
        (&values, Arc::new(MeanAbsoluteError)),
    ];
    for (data, loss) in cases {
        let net = Network::<f32>::new(2).standardize(data).unwrap().linear(4).relu().loss(loss);
        let mut net = net.outputs_for(data).unwrap();
        net.fit(data, &options(2)).unwrap();
        comes_back(&net, data);
    }
}

#[test]
fn every_step_of_preparation() {
    let train = iris();
    let inputs = Inputs::of(&train).standardize(&train).unwrap().min_max(&train).unwrap();
    let prepared = inputs.prepare(&train).unwrap();
    let inputs = inputs.then(Pca::fit(&prepared, 3).unwrap()).then(RandomProjection::new(3, 3, 5).unwrap());
    let inputs = inputs.then(UnitRows::<f64>::default()).then(UnitRows::<f32>::default());
    let inputs = inputs.then(SmoothImages::<f64>::new(1, 3, 0.5).unwrap());
    let options = LogisticOptions { lambda: 0.01, ..Default::default() };
    let model = LogisticRegression::fit_dataset(&inputs.prepare(&train).unwrap(), &options).unwrap();
    comes_back(&Fitted::classifier(model, inputs, &train).unwrap(), &train);
}

#[test]
fn linear_and_logistic() {
    let train = diabetes();
    let model = LinearRegression::fit_dataset(&train, &LinearOptions::default()).unwrap();
    comes_back(&Fitted::regressor(model, Inputs::of(&train), &train).unwrap(), &train);
    let scale = TargetScale::fit(&train).unwrap();
    let scaled = scale.apply(&train).unwrap();
    let model =
        LinearRegression::fit_dataset(&scaled, &LinearOptions { lambda: 0.1, intercept: false }).unwrap();
    let model = Fitted::regressor(model, Inputs::of(&train), &train).unwrap();
    comes_back(&model.with_target_scale(scale).unwrap(), &train);
    let train = iris();
    for scheme in [Scheme::Multinomial, Scheme::OneVsRest] {
        let options = LogisticOptions { scheme, lambda: 0.01, ..Default::default() };
        let model = LogisticRegression::fit_dataset(&train, &options).unwrap();
        comes_back(&Fitted::classifier(model, Inputs::of(&train), &train).unwrap(), &train);
    }
}

fn machines<T: Float>() {
    let train = iris();
    let inputs = Inputs::of(&train).standardize(&train).unwrap();
    let prepared = inputs.prepare(&train).unwrap();
    let x = Samples::<T>::from_dataset(&prepared).unwrap();
    let y: DMatrix<T> = one_vs_rest(prepared.labels().unwrap(), 3).unwrap();
    let ridge = RidgeOptions::new(1e-3);
    let settings = KernelSettings {
        gamma: 0.3,
        degree: 2,
        length_scale: 1.7,
        depth: 2,
        bias_variance: 0.1,
        ..Default::default()
    };
    for entry in kernels::<T>() {
        let kernel = (entry.build)(&settings).unwrap();
        let fitted = KernelRidge::fit(kernel.clone(), &x, &y, ridge).unwrap();
        let some = Expansion::new("ours".into(), kernel, x.clone(), fitted.alpha().clone());
        for model in [Box::new(fitted) as Box<dyn KernelMachine<T>>, Box::new(some)] {
            comes_back(&Fitted::classifier(model, inputs.clone(), &train).unwrap(), &train);
        }
    }
    let rbf = (kernels::<T>()[0].build)(&settings).unwrap();
    let fourier: Box<dyn KernelMachine<T>> =
        Box::new(FourierRidge::fit(&*rbf, &x, &y, 20, 3, ridge).unwrap());
    comes_back(&Fitted::classifier(fourier, inputs, &train).unwrap(), &train);
}

#[test]
fn kernel_machines_with_every_kernel() {
    machines::<f64>();
    machines::<f32>();
}

/// y = x ∘ s.
struct Scale(Param);

impl<T: Float> Module<T> for Scale {
    fn describe(&self) -> String {
        "scale".into()
    }
    fn forward(&self, tape: &mut Tape<T>, x: Var, _: &mut Mode) -> Var {
        tape.mul(x, self.0)
    }
    fn parameters(&self, visit: &mut dyn FnMut(&str, Param)) {
        visit("factors", self.0);
    }
}

fn with_own_module(train: &Dataset, seed: u64) -> Network<f32> {
    let net = Network::<f32>::new(seed).standardize(train).unwrap().linear(8).relu();
    let net = net.add_with(|tape, width, _| Ok(Scale(tape.param_with(1, width, |s| s.fill(1.0)))));
    net.outputs_for(train).unwrap()
}

#[test]
fn modules_of_ones_own_by_name_and_shape() {
    let (train, folder) = (iris(), tempfile::tempdir().unwrap());
    let mut net = with_own_module(&train, 1);
    net.fit(&train, &options(3)).unwrap();
    let path = folder.path().join("own.safetensors");
    let error = save(&net, &path, &Notes::default()).unwrap_err().to_string();
    assert!(error.contains("scale") && error.contains("not of this crate"), "{error}");
    assert!(!path.exists());

    // Its numbers by hand, and into a network that was made again.
    let mut store = Store::default();
    for (name, param) in tapegrad::nn::ModuleExt::named_parameters(net.module()) {
        let (shape, values) = (net.tape().param_shape(param), net.tape().value_slice(param.var()));
        store.put(&name, shape.rows, shape.cols, values);
    }
    store.write(&path, &"parameters").unwrap();
    let mut again = with_own_module(&train, 2);
    assert_ne!(again.scores(&train).unwrap(), net.scores(&train).unwrap());
    again.load_parameters(&path).unwrap();
    assert_eq!(again.scores(&train).unwrap(), net.scores(&train).unwrap());

    let mut other = Network::<f32>::new(1).linear(9).relu().outputs_for(&train).unwrap();
    let before = other.tape().param_values().to_vec();
    let error = other.load_parameters(&path).unwrap_err().to_string();
    assert!(error.contains("`linear1.weight` is 4×8, where 4×9 is needed"), "{error}");
    assert_eq!(other.tape().param_values(), before);
    let mut other = Network::<f64>::new(1).linear(8).relu().outputs_for(&train).unwrap();
    let error = other.load_parameters(&path).unwrap_err().to_string();
    assert!(error.contains("type F32, and not f64"), "{error}");
    let mut other = Network::<f32>::new(1).linear(8).tanh().linear(8).outputs_for(&train).unwrap();
    let error = other.load_parameters(&path).unwrap_err().to_string();
    assert!(error.contains("`linear2.weight` is 8×3, where 8×8 is needed"), "{error}");
}

fn is_refused(path: &Path, why: &str) {
    match load(path) {
        Err(Error::Data(text)) => {
            assert!(text.contains(why), "{text}, not {why}");
            assert!(
                text.contains(path.file_name().unwrap().to_str().unwrap()) && !text.contains('\n'),
                "{text}"
            );
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("read, but {why}"),
    }
}

#[test]
fn files_that_are_none_are_refused() {
    let (folder, train) = (tempfile::tempdir().unwrap(), iris());
    let path = folder.path().join("m.safetensors");
    for (bytes, why) in [
        (vec![], "too short"),
        (b"5.1,3.5,1.4,0.2\n".to_vec(), "does not begin with a table of names"),
        (vec![0; 8], "not whole"),
        ([&2u64.to_le_bytes()[..], b"{}"].concat(), "does not say what its numbers are"),
        ([&u64::MAX.to_le_bytes()[..], b"{}"].concat(), "does not begin"),
    ] {
        fs::write(&path, bytes).unwrap();
        is_refused(&path, why);
    }
    assert!(matches!(load(folder.path()), Err(Error::Data(_) | Error::Io { .. })));
    assert!(matches!(load(folder.path().join("none")), Err(Error::Io { .. })));

    let mut net =
        Network::<f32>::new(1).standardize(&train).unwrap().linear(4).relu().outputs_for(&train).unwrap();
    net.fit(&train, &options(1)).unwrap();
    save(&net, &path, &Notes::default()).unwrap();
    let whole = fs::read(&path).unwrap();
    let text = String::from_utf8_lossy(&whole).into_owned();
    // The same length, so that the table of names still fits.
    for (from, to, why) in [
        (r#"\"format\":1"#, r#"\"format\":7"#, "newer version"),
        (r#"\"kind\":\"network\""#, r#"\"kind\":\"nftwork\""#, "knows no model `nftwork`"),
        (r#"\"precision\":\"f32\""#, r#"\"precision\":\"f64\""#, "type F32, and not f64"),
        (r#"\"features\":4"#, r#"\"features\":5"#, "5 features"),
        (r#"\"name\":\"relu\""#, r#"\"name\":\"rilu\""#, "no activation `rilu`"),
        (r#"\"kind\":\"standardize\""#, r#"\"kind\":\"standardice\""#, "no preparation"),
        (r#"\"bias\":true"#, r#"\"bias\":1234"#, "`bias`"),
        (r#"linear1.weight"#, r#"linear1.weighd"#, "`linear1.weight` is missing"),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(&path, replaced(&whole, from, to)).unwrap();
        is_refused(&path, why);
    }
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
    let mut changed = bytes.to_vec();
    changed[at..at + to.len()].copy_from_slice(to.as_bytes());
    changed
}

/// Numbers are read when they are asked for: of the file that was opened, or not at all.
#[test]
fn a_file_that_changes_while_it_is_open_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let mut store = Store::default();
    store.put("a", 1, 2, &[1.0, 2.0]);
    store.write(&path, &0).unwrap();
    let (stored, _) = Stored::open::<i32>(&path).unwrap();
    // Written anew as all files of this crate are: the open one is still there.
    let mut other = Store::default();
    other.put("a", 1, 2, &[3.0, 4.0]);
    other.write(&path, &0).unwrap();
    assert_eq!(stored.matrix::<f64>("a").unwrap().as_slice(), [1.0, 2.0]);
    // Written over in place.
    let (stored, _) = Stored::open::<i32>(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 8]).unwrap();
    let error = stored.matrix::<f64>("a").unwrap_err().to_string();
    assert!(error.contains("the file has changed since it was opened"), "{error}");
}

/// Cut anywhere, or with any byte changed: an error, or a model that answers; never a panic.
#[test]
fn broken_files_do_no_harm() {
    let (folder, train) = (tempfile::tempdir().unwrap(), iris());
    let path = folder.path().join("m.safetensors");
    let net = Network::<f32>::new(1).standardize(&train).unwrap().linear(3).batch_norm().relu();
    let mut net = net.residual(|b| b.linear(3)).outputs_for(&train).unwrap();
    net.fit(&train, &options(1)).unwrap();
    save(&net, &path, &Notes::default()).unwrap();
    let whole = fs::read(&path).unwrap();
    for len in (0..whole.len()).step_by(7) {
        fs::write(&path, &whole[..len]).unwrap();
        assert!(load(&path).is_err(), "{len} bytes of {}", whole.len());
    }
    let mut read = 0;
    for at in 0..whole.len() {
        for bit in [1u8, 0x10, 0x80] {
            let mut changed = whole.clone();
            changed[at] ^= bit;
            fs::write(&path, changed).unwrap();
            if let Ok(saved) = load(&path) {
                read += 1;
                let width = saved.model.inputs().features();
                let _ = saved.model.scores(&vec![0.5; width]);
            }
        }
    }
    assert!(read > 0, "a changed weight is a model all the same");
}

#[test]
fn settings_and_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("n.safetensors");
    let mut store = Store::default();
    store.put("a", 2, 3, &[1.0f64, -0.0, f64::MIN_POSITIVE, 1e308, 5e-324, 0.1]);
    store.within("part", |store| store.put("b", 0, 4, &[0.0f32; 0]));
    store.put("nan", 1, 1, &[f32::NAN]);
    store.write(&path, &Settings::of("x").with("n", 3)).unwrap();
    let (stored, about) = Stored::open::<Settings>(&path).unwrap();
    assert_eq!((about.kind(), about.get::<usize>("n").unwrap()), ("x", 3));
    let a = stored.matrix::<f64>("a").unwrap();
    assert_eq!(a.shape(), (2, 3));
    assert!(
        a.as_slice()
            .iter()
            .zip([1.0, -0.0, f64::MIN_POSITIVE, 1e308, 5e-324, 0.1])
            .all(|(a, b)| a.to_bits() == b.to_bits())
    );
    assert_eq!(stored.part("part").matrix::<f32>("b").unwrap().shape(), (0, 4));
    assert!(stored.matrix::<f32>("nan").unwrap_err().to_string().contains("holds NaN at place 0"));
    assert!(stored.matrix::<f32>("a").unwrap_err().to_string().contains("type F64, and not f32"));
    let many = vec![0u8; 600_000];
    assert!(store.write(&path, &many).unwrap_err().to_string().contains("more than 500000 values"));
    store.put("a", 1, 1, &[1.0f32]);
    assert!(store.write(&path, &0).unwrap_err().to_string().contains("two matrices of the name `a`"));
}

/// What PyTorch says with the numbers of a saved network: see tests/reference/pytorch.py.
#[test]
fn pytorch_says_the_same() {
    let folder = format!("{}/tests/reference/torch", env!("CARGO_MANIFEST_DIR"));
    for name in ["relu", "tanh", "layer"] {
        let model = load(format!("{folder}/{name}.safetensors")).unwrap().model;
        let text = std::fs::read_to_string(format!("{folder}/{name}.csv")).unwrap();
        assert_eq!(text.lines().count(), 10);
        for line in text.lines() {
            let numbers: Vec<f64> = line.split(',').map(|x| x.parse().unwrap()).collect();
            let found = model.probabilities(&&numbers[..4]).unwrap();
            for (found, torch) in found.as_slice().iter().zip(&numbers[4..]) {
                assert!((found - torch).abs() < 1e-6, "{name}: {found} and {torch}");
            }
        }
    }
}

/// A module that stands in two places has one parameter: it is counted once, and a file that would make two of it is not
/// written.
#[test]
fn a_shared_module_is_no_file() {
    let data = iris();
    let build = |shared: bool| {
        Network::<f64>::new(1)
            .made_by(&data, |tape, inputs, outputs, rng| {
                let mut linear = |from, to| -> Arc<dyn Module<f64>> {
                    Arc::new(Linear::new(tape, from, to, true, Init::default(), rng))
                };
                let (first, middle, last) = (linear(inputs, 4), linear(4, 4), linear(4, outputs));
                let again = if shared { middle.clone() } else { linear(4, 4) };
                let net = Sequential::new().push_shared("first", first).push_shared("middle", middle);
                Ok(net.push_shared("again", again).push_shared("last", last))
            })
            .unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    save(&build(false), &path, &Notes::default()).unwrap();
    let net = build(true);
    assert_eq!((build(false).module().weights().len(), net.module().weights().len()), (4, 3));
    fs::remove_file(&path).unwrap();
    let error = save(&net, &path, &Notes::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "`middle.weight` and `again.weight` are one parameter, and a file would make two of it"
    );
    assert!(!path.exists());
}
