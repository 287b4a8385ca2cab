//! A run that goes on from a file is the run that never ended, to the bit.

use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use tapegrad::data::synthetic;
use tapegrad::linalg::with_threads;
use tapegrad::models::{self, Network, Notes, Predictor};
use tapegrad::optim::schedule::{Cosine, Goal, ReduceOnPlateau};
use tapegrad::optim::{self, Clip};
use tapegrad::train::observers::Checkpoints;
use tapegrad::train::{Checkpoint, Criterion, FitOptions, History, Observer, Rate, Run, Stop};
use tapegrad::{Dataset, Error, Float, Result};

/// Ends a run after so many steps, and has it saved there.
pub struct Breaks {
    pub after: u64,
    pub path: PathBuf,
}

impl<T: Float> Observer<T> for Breaks {
    fn step(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if run.optimizer.steps() == self.after {
            run.checkpoint = true;
            run.stop = Some(Stop::Interrupted { epoch: run.progress.epoch });
        }
        Ok(())
    }

    fn checkpoint(&mut self, _: &mut Run<'_, T>, checkpoint: &Checkpoint) -> Result<()> {
        checkpoint.save(&self.path)
    }
}

/// What is drawn for a run.
#[derive(Clone, Debug)]
struct Setting {
    rule: usize,
    norm: usize,
    dropout: bool,
    rate: usize,
    average: bool,
    stopping: bool,
    clip: bool,
    audit: bool,
    batch: usize,
    after: u64,
    threads: usize,
}

fn settings() -> impl Strategy<Value = Setting> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let rules = optim::optimizers::<f64>().len();
    (0..rules, 0..3usize, 0..3usize, flags, 5..30usize, 1..40u64, 1..3usize).prop_map(
        |(rule, norm, rate, (dropout, average, stopping, clip, audit), batch, after, threads)| Setting {
            rule,
            norm,
            dropout,
            rate,
            average,
            stopping,
            clip,
            audit,
            batch,
            after,
            threads,
        },
    )
}

fn network<T: Float>(train: &Dataset, setting: &Setting) -> Network<T> {
    let optimizer = optim::optimizers::<T>()[setting.rule].optimizer(Some(0.01)).unwrap();
    let optimizer = optimizer.with_weight_decay(0.01).unwrap();
    let net = Network::<T>::new(3).standardize(train).unwrap().optimizer(optimizer).linear(9);
    let net = match setting.norm {
        1 => net.batch_norm(),
        2 => net.layer_norm(),
        _ => net,
    };
    let net = if setting.dropout { net.relu().dropout(0.2) } else { net.tanh() };
    net.outputs_for(train).unwrap()
}

fn options(setting: &Setting) -> FitOptions {
    let rate = match setting.rate {
        0 => Rate::Fixed,
        1 => Rate::Schedule(Arc::new(Cosine::new(0.02, 0.0, 40).unwrap())),
        _ => Rate::Plateau(ReduceOnPlateau::new(0.02, Goal::Small).unwrap().with_patience(1)),
    };
    FitOptions {
        epochs: 6,
        batch: setting.batch,
        seed: 5,
        rate,
        average: setting.average.then_some(0.9),
        early_stopping: setting.stopping.then_some(Criterion::Patience { epochs: 2, min_delta: 0.0 }),
        clip: if setting.clip { Clip::none().with_norm(0.5).unwrap() } else { Clip::none() },
        audit: setting.audit,
        ..Default::default()
    }
}

/// All that a run found, but for the time that it took.
fn found(history: &History) -> String {
    let mut history = history.clone();
    for epoch in &mut history.epochs {
        (epoch.seconds, epoch.samples_per_second) = (0.0, 0.0);
    }
    history.unmoved.clear();
    format!("{history:?}")
}

fn goes_on<T: Float>(setting: &Setting) {
    let data = synthetic::moons(90, 0.2, 7).unwrap();
    let (validation, train) = data.stratified_split(0.3, 7).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let mut whole = network::<T>(&train, setting);
    let expected = with_threads(1, || {
        whole.fit_with(
            &train,
            Some(&validation),
            &options(setting),
            &mut [&mut Breaks { after: u64::MAX, path: path.clone() }],
        )
    });
    let expected = expected.unwrap();

    let mut begun = network::<T>(&train, setting);
    let mut breaks = Breaks { after: setting.after, path: path.clone() };
    begun.fit_with(&train, Some(&validation), &options(setting), &mut [&mut breaks]).unwrap();
    if !path.exists() {
        return; // the run had ended before
    }
    let checkpoint = Checkpoint::load(&path).unwrap();
    assert_eq!(checkpoint.steps(), setting.after);
    let mut rest = network::<T>(&train, setting);
    let resumed = FitOptions { resume: Some(checkpoint), ..options(setting) };
    let history = with_threads(setting.threads, || {
        rest.fit_with(
            &train,
            Some(&validation),
            &resumed,
            &mut [&mut Breaks { after: u64::MAX, path: path.clone() }],
        )
    });
    let history = history.unwrap();
    let bits =
        |net: &Network<T>| net.tape().param_values().iter().map(|x| x.to_f64().to_bits()).collect::<Vec<_>>();
    assert_eq!(found(&history), found(&expected));
    assert_eq!(bits(&rest), bits(&whole));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]
    #[test]
    fn the_same_bits_as_without_a_break(setting in settings()) {
        goes_on::<f64>(&setting);
        goes_on::<f32>(&setting);
    }
}

#[test]
fn what_differs_is_named() {
    let train = synthetic::moons(60, 0.2, 7).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let options = FitOptions { epochs: 2, ..Default::default() };
    let made = || Network::<f32>::new(1).linear(4).relu().outputs_for(&train).unwrap();
    let mut saves = Checkpoints { path: path.clone(), steps: 1 };
    made().fit_with(&train, None, &options, &mut [&mut saves]).unwrap();
    let checkpoint = Checkpoint::load(&path).unwrap();
    assert_eq!((checkpoint.epochs(), checkpoint.steps()), (2, 4));
    let resume = Some(checkpoint);
    let same = FitOptions { resume: resume.clone(), epochs: 3, ..options.clone() };
    let history = made().fit_with(&train, None, &same, &mut [&mut saves]).unwrap();
    assert_eq!(history.epochs.len(), 3);

    let other = synthetic::moons(60, 0.2, 8).unwrap();
    let mut fails = |net: &mut Network<f32>, data: &Dataset, options: &FitOptions, why: &str| {
        let error = net.fit_with(data, None, options, &mut [&mut saves]).unwrap_err();
        assert!(matches!(error, Error::Data(_)) && error.to_string().contains(why), "{error}, not {why}");
    };
    fails(&mut made(), &other, &same, "another training data");
    fails(
        &mut made(),
        &train,
        &FitOptions { batch: 16, ..same.clone() },
        "another batch: it was 32, and is 16",
    );
    fails(&mut made(), &train, &FitOptions { seed: 9, ..same.clone() }, "another seed");
    fails(&mut made(), &train, &FitOptions { average: Some(0.9), ..same.clone() }, "another average");
    let mut wide = Network::<f32>::new(1).linear(5).relu().outputs_for(&train).unwrap();
    fails(&mut wide, &train, &same, "another module");
    let mut double = Network::<f64>::new(1).linear(4).relu().outputs_for(&train).unwrap();
    let error =
        double.fit_with(&train, None, &same, &mut [&mut Checkpoints { path: path.clone(), steps: 1 }]);
    assert!(error.unwrap_err().to_string().contains("another type of numbers: it was f32, and is f64"));
    // An observer that remembers nothing, or only looks on, may come and go.
    made().fit(&train, &same).unwrap();
    made().fit(&train, &FitOptions { audit: true, ..same.clone() }).unwrap();
    let plateau = Rate::Plateau(ReduceOnPlateau::new(1e-3, Goal::Small).unwrap());
    fails(&mut made(), &train, &FitOptions { rate: plateau, ..same.clone() }, "another rate");

    std::fs::write(&path, b"not one").unwrap();
    assert!(Checkpoint::load(&path).unwrap_err().to_string().contains("too short"));
    tapegrad::models::save(&made(), &path, &Default::default()).unwrap();
    assert!(
        Checkpoint::load(&path).unwrap_err().to_string().contains("no run to go on from: a model alone?")
    );
}

/// One step in an epoch, and a rate of 0 in the first two: epochs are looked at together, whether a run ends between
/// them or not.
#[test]
fn epochs_without_motion_are_counted_alike() {
    let train = synthetic::moons(20, 0.2, 7).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let made = || Network::<f64>::new(1).linear(4).relu().outputs_for(&train).unwrap();
    struct Starts;
    impl<T: Float> Observer<T> for Starts {
        fn gradient(&mut self, run: &mut Run<'_, T>) -> Result<()> {
            run.optimizer.set_lr(if run.progress.epoch > 2 { 0.01 } else { 0.0 })
        }
    }
    let options = FitOptions { epochs: 4, ..Default::default() };
    let mut saves = Checkpoints { path: path.clone(), steps: 1 };
    let whole = made().fit_with(&train, None, &options, &mut [&mut Starts, &mut saves]).unwrap();
    let half = FitOptions { epochs: 2, ..options.clone() };
    let begun = made().fit_with(&train, None, &half, &mut [&mut Starts, &mut saves]).unwrap();
    assert_eq!((whole.idle_epochs, begun.idle_epochs), (0, 2));
    let resumed = FitOptions { resume: Some(Checkpoint::load(&path).unwrap()), ..options };
    let rest = made().fit_with(&train, None, &resumed, &mut [&mut Starts, &mut saves]).unwrap();
    assert_eq!(found(&rest), found(&whole));
}

/// Saves the model and the run in one file, each epoch.
struct Both {
    network: Network<f32>,
    path: PathBuf,
}

impl Observer<f32> for Both {
    fn epoch(&mut self, run: &mut Run<'_, f32>) -> Result<()> {
        run.checkpoint = true;
        Ok(())
    }

    fn checkpoint(&mut self, run: &mut Run<'_, f32>, checkpoint: &Checkpoint) -> Result<()> {
        models::save_run(&self.network.within(run), &self.path, &Notes::default(), checkpoint)
    }
}

/// One file to ask and to go on from, while the run still lasts.
#[test]
fn a_model_and_its_run_in_one_file() {
    let train = synthetic::moons(120, 0.2, 7).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("both.safetensors");
    let made = || Network::<f32>::new(1).linear(8).batch_norm().relu().outputs_for(&train).unwrap();
    let options = FitOptions { epochs: 3, ..Default::default() };
    let mut net = made();
    let mut both = Both { network: net.clone(), path: path.clone() };
    net.fit_with(&train, None, &options, &mut [&mut both]).unwrap();
    let read = models::load(&path).unwrap();
    assert_eq!(read.model.scores(&train).unwrap(), net.scores(&train).unwrap());
    assert_eq!(read.model.evaluate(&train).unwrap().accuracy(), net.evaluate(&train).unwrap().accuracy());

    let further = FitOptions { epochs: 5, ..options.clone() };
    let mut whole = made();
    whole.fit(&train, &further).unwrap();
    let resumed = FitOptions { resume: Some(Checkpoint::load(&path).unwrap()), ..further };
    let mut rest = made();
    rest.fit(&train, &resumed).unwrap();
    assert_eq!(rest.scores(&train).unwrap(), whole.scores(&train).unwrap());
    // Of a class that has not been seen, no model in between tells.
    let some = train.subset(&(0..120).filter(|i| train.labels().unwrap()[*i] == 0).collect::<Vec<_>>());
    let mut net = made();
    let mut both = Both { network: net.clone(), path: path.clone() };
    net.fit_with(&some, None, &options, &mut [&mut both]).unwrap();
    let told = models::load(&path).unwrap().model.classify(&train).unwrap();
    assert!(told.iter().all(|class| *class == Some(0)));
}

/// The network that was interrupted goes on itself, also behind an earlier training.
#[test]
fn the_same_network_goes_on() {
    let data = synthetic::moons(90, 0.1, 1).unwrap();
    let options = FitOptions { epochs: 4, batch: 32, seed: 5, ..Default::default() };
    let made = || {
        let mut net = Network::<f64>::new(1).linear(6).relu().dropout(0.2).outputs_for(&data).unwrap();
        net.fit(&data, &FitOptions { epochs: 1, ..options.clone() }).unwrap();
        net
    };
    let (mut whole, folder) = (made(), tempfile::tempdir().unwrap());
    whole.fit(&data, &options).unwrap();
    // Three steps make an epoch, and three were done before: within the first, at its end, in the third, at the last.
    for after in [4, 6, 11, 15] {
        let path = folder.path().join(format!("{after}.safetensors"));
        let mut net = made();
        let mut breaks = Breaks { after, path: path.clone() };
        net.fit_with(&data, None, &options, &mut [&mut breaks]).unwrap();
        let resumed = FitOptions { resume: Some(Checkpoint::load(&path).unwrap()), ..options.clone() };
        net.fit(&data, &resumed).unwrap();
        assert_eq!(net.tape().param_values(), whole.tape().param_values(), "after step {after}");
        // And what comes behind it draws what it would have drawn.
        let mut whole = whole.clone();
        net.fit(&data, &options).unwrap();
        whole.fit(&data, &options).unwrap();
        assert_eq!(
            net.tape().param_values(),
            whole.tape().param_values(),
            "trained again, after step {after}"
        );
    }
}
