//! Hashes of the steps of a run, in its trace.

use tapegrad::data::Dataset;
use tapegrad::data::synthetic;
use tapegrad::models::Network;
use tapegrad::optim::{Clip, NonFinite};
use tapegrad::train::observers::Checkpoints;
use tapegrad::train::{Checkpoint, FitOptions, Hash, Hashes, Observer};

fn network(train: &Dataset) -> Network<f64> {
    Network::new(3).linear(6).batch_norm().relu().outputs_for(train).unwrap()
}

fn hashes(options: &FitOptions) -> (Hashes, Network<f64>) {
    let train = synthetic::moons(50, 0.1, 3).unwrap();
    let mut net = network(&train);
    let mut hashes = Hashes::default();
    net.fit_with(&train, None, options, &mut [&mut hashes]).unwrap();
    (hashes, net)
}

#[test]
fn traces_have_every_step_and_end_at_the_parameters_of_the_run() {
    let options = FitOptions { epochs: 2, batch: 10, ..FitOptions::default() };
    let (found, net) = hashes(&options);
    let places: Vec<(usize, usize)> = found.steps.iter().map(|step| (step.epoch, step.step)).collect();
    let expected: Vec<_> = (1..=2).flat_map(|epoch| (1..=5).map(move |step| (epoch, step))).collect();
    assert_eq!(places, [&[(1, 0)], &expected[..]].concat());
    let tape = net.tape();
    let last = found.steps.last().unwrap();
    let values: Vec<Hash> = tape.params().map(|p| Hash::of(tape.value_slice(p))).collect();
    assert_eq!(last.values, values);
    assert_eq!(found.parameters.len(), values.len());
    assert!(found.steps[0].gradients.is_empty());
    // The values of a step differ from those of the one before; buffers have no gradient.
    for pair in found.steps.windows(2) {
        assert!(pair[0].values.iter().zip(&pair[1].values).any(|(x, y)| x != y));
    }
    for (p, gradient) in tape.params().zip(&last.gradients) {
        assert_eq!(*gradient == Hash::of::<f64>(&[]), !tape.is_trained(p), "{p}");
    }
    assert_eq!(hashes(&options).0, found);
    let clipped = FitOptions { clip: Clip::none().with_norm(1e-3).unwrap(), ..options };
    let (other, _) = hashes(&clipped);
    assert_eq!(other.steps[0], found.steps[0]);
    assert_ne!(other.steps[1].gradients, found.steps[1].gradients);
}

/// A run that goes on has the hashes of the rest.
#[test]
fn traces_of_a_run_that_goes_on_have_the_same_hashes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.st");
    let train = synthetic::moons(50, 0.1, 3).unwrap();
    let options = FitOptions { epochs: 3, batch: 10, ..FitOptions::default() };
    let mut saves = Checkpoints { path: path.clone(), steps: 7 };
    let mut whole = Hashes::default();
    network(&train)
        .fit_with(&train, None, &FitOptions { epochs: 2, ..options.clone() }, &mut [&mut saves, &mut whole])
        .unwrap();
    let (all, _) = hashes(&options);
    assert_eq!(whole.steps, all.steps[..11]);
    let resume = Some(Checkpoint::load(&path).unwrap());
    let mut rest = Hashes::default();
    let observers: &mut [&mut dyn Observer<f64>] = &mut [&mut saves, &mut rest];
    network(&train).fit_with(&train, None, &FitOptions { resume, ..options }, observers).unwrap();
    assert_eq!(rest.parameters, all.parameters);
    assert_eq!(rest.steps, all.steps[8..]);
}

/// A step that was left out has no gradients, and moves nothing.
#[test]
fn traces_tell_steps_that_were_left_out() {
    let train = synthetic::moons(50, 0.1, 3).unwrap();
    struct Spoils;
    impl Observer<f64> for Spoils {
        fn gradient(&mut self, run: &mut tapegrad::train::Run<'_, f64>) -> tapegrad::Result<()> {
            run.skip |= run.progress.step == 3;
            Ok(())
        }
    }
    let mut found = Hashes::default();
    let clip = Clip::none().with_non_finite(NonFinite::Skip);
    let options = FitOptions { epochs: 1, batch: 10, clip, ..FitOptions::default() };
    network(&train).fit_with(&train, None, &options, &mut [&mut Spoils, &mut found]).unwrap();
    let left_out: Vec<bool> = found.steps.iter().map(|step| step.gradients.is_empty()).collect();
    assert_eq!(left_out, [true, false, false, true, false, false]);
    assert_eq!(found.steps[3].values, found.steps[2].values);
}
