//! Images that are changed in training: what comes out, from where it is drawn, and runs with it.

use proptest::prelude::*;
use tapegrad::data::preprocess::Standardize;
use tapegrad::data::{Affine, Augment, Augmenter, Dataset, synthetic};
use tapegrad::linalg::with_threads;
use tapegrad::models::{Network, Predictor};
use tapegrad::rng::Place;
use tapegrad::train::observers::Checkpoints;
use tapegrad::train::{Checkpoint, FitOptions};
use tapegrad::{Float, Result};

#[allow(dead_code, reason = "of a program, `main` and what only it uses")]
#[path = "../examples/augmented.rs"]
mod program;

const ALL: Augment = Augment { shift: 2, rotate: 12.0, scale: 0.1, shear: 0.2, elastic: 20.0, smooth: 3.0 };
const PLACE: Place = Place { seed: 5, epoch: 3, step: 9 };

fn augmented<T: Float>(augment: Augment, data: &Dataset, rows: &[usize], place: Place) -> Vec<T> {
    let mut out = vec![T::of(f64::NAN); rows.len() * data.features()];
    Augmenter::new(augment, data).unwrap().gather(data, rows, place, &mut out);
    out
}

fn gathered<T: Float>(data: &Dataset, rows: &[usize]) -> Vec<T> {
    let mut out = vec![T::of(f64::NAN); rows.len() * data.features()];
    data.gather(rows, &mut out);
    out
}

/// Digits as bytes, as both types of numbers, and standardised, which maps every column in its own way.
fn digits() -> Vec<Dataset> {
    let bytes = synthetic::digits(40, 1.0, 7).unwrap();
    let numbers: Vec<f64> =
        (0..40).flat_map(|i| bytes.bytes(i).unwrap()).map(|x| f64::from(*x) / 7.0 - 3.0).collect();
    let singles: Vec<f32> = numbers.iter().map(|x| *x as f32).collect();
    let image = |data: Result<Dataset>| data.unwrap().with_image_shape(28, 28).unwrap();
    let standardized = Standardize::fit(&bytes).unwrap().apply(&bytes).unwrap();
    vec![bytes, image(Dataset::new(numbers, 784)), image(Dataset::new(singles, 784)), standardized]
}

/// What each test of bits is done with, so that it fails where a type of numbers is left out.
fn of_both_types(check: impl Fn(&Dataset)) {
    for data in digits() {
        check(&data);
        check(&data.subset(&[39, 3, 3, 17, 0, 8]));
    }
}

#[test]
fn nothing_set_is_the_identity_to_the_bit() {
    of_both_types(|data| {
        let rows = [3, 0, 5, 3];
        assert_eq!(augmented::<f32>(Augment::default(), data, &rows, PLACE), gathered::<f32>(data, &rows));
        assert_eq!(augmented::<f64>(Augment::default(), data, &rows, PLACE), gathered::<f64>(data, &rows));
    });
}

/// On the fields of an elastic distortion as well, of which each thread has its own.
#[test]
fn an_image_depends_on_its_place_and_row_alone() {
    let rows: Vec<usize> = (0..37).rev().collect();
    for data in digits() {
        let all = augmented::<f32>(ALL, &data, &rows, PLACE);
        assert_ne!(all, gathered::<f32>(&data, &rows));
        for threads in [1, 2, 3] {
            assert_eq!(
                with_threads(threads, || augmented::<f32>(ALL, &data, &rows, PLACE)),
                all,
                "{threads}"
            );
        }
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(augmented::<f32>(ALL, &data, &[*row], PLACE), all[i * 784..][..784]);
        }
        for other in [Place { seed: 6, ..PLACE }, Place { epoch: 4, ..PLACE }, Place { step: 8, ..PLACE }] {
            assert_ne!(augmented::<f32>(ALL, &data, &rows, other), all);
        }
    }
}

/// Pixels are changed as they are stored, and mapped then: outside is what a stored 0 becomes.
#[test]
fn preparation_comes_after_it() {
    let all = digits();
    let (bytes, standardized) = (&all[0], &all[3]);
    let rows = [1, 2, 30];
    let pixels = augmented::<f64>(ALL, bytes, &rows, PLACE);
    let fitted = Standardize::fit(bytes).unwrap();
    let found = augmented::<f64>(ALL, standardized, &rows, PLACE);
    for (at, (z, x)) in found.iter().zip(&pixels).enumerate() {
        let (mean, std) = (fitted.mean()[at % 784], fitted.std()[at % 784]);
        let expected = (x - mean) / if std == 0.0 { 1.0 } else { std };
        assert!((z - expected).abs() < 1e-12 * expected.abs().max(1.0), "{at}: {z}, {expected}");
    }
    let singles = augmented::<f32>(ALL, bytes, &rows, PLACE);
    assert!(singles.iter().zip(&pixels).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6));
}

/// One bright pixel in a dark image, and where it comes to, over many rows.
fn places(augment: Augment, rows: usize, (x0, y0): (usize, usize)) -> Vec<(f64, f64)> {
    let mut image = vec![0.0; 31 * 31];
    image[y0 * 31 + x0] = 1.0;
    let data = Dataset::new(image, 31 * 31).unwrap().with_image_shape(31, 31).unwrap();
    let place = |step| {
        let image = augmented::<f64>(augment, &data, &[0], Place { step, ..PLACE });
        let sum: f64 = image.iter().sum();
        let moment = |along: fn(usize) -> usize| {
            image.iter().enumerate().map(|(i, v)| v * along(i) as f64).sum::<f64>() / sum
        };
        (moment(|i| i % 31) - 15.0, moment(|i| i / 31) - 15.0)
    };
    (0..rows as u64).map(place).collect()
}

#[test]
fn shifts_are_whole_and_equally_likely() {
    const N: usize = 5000;
    let mut counts = [[0u32; 5]; 5];
    for (x, y) in places(Augment { shift: 2, ..Augment::default() }, N, (15, 15)) {
        assert_eq!((x.fract(), y.fract()), (0.0, 0.0));
        counts[(x + 2.0) as usize][(y + 2.0) as usize] += 1;
    }
    // Chi-squared of 25 cells; its 0.9999 quantile at 24 degrees of freedom is 59.
    let expected = N as f64 / 25.0;
    let chi: f64 = counts.as_flattened().iter().map(|c| (f64::from(*c) - expected).powi(2) / expected).sum();
    assert!(chi < 59.0, "{chi}: {counts:?}");
}

/// Uniform between the bounds: mean 0, a variance of a third of the bound's square, and both ends are come near to.
#[track_caller]
fn is_uniform(found: &[f64], middle: f64, most: f64, slack: f64) {
    let n = found.len() as f64;
    let (low, high) =
        found.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(*x), h.max(*x)));
    assert!(low >= middle - most - slack && high <= middle + most + slack, "{low}, {high}");
    assert!(low < middle - 0.98 * most + slack && high > middle + 0.98 * most - slack, "{low}, {high}");
    let mean = found.iter().sum::<f64>() / n;
    assert!((mean - middle).abs() < 5.0 * most / (3.0 * n).sqrt() + slack, "{mean}");
    let variance = found.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    // Of the square of a uniform number: 4/45.
    let error = 5.0 * (4.0 / 45.0 / n).sqrt();
    assert!((variance / (most * most) - 1.0 / 3.0).abs() < error + 2.0 * slack / most, "{variance}");
}

#[test]
fn angles_factors_and_slants_are_uniform() {
    // A pixel is spread over four: its middle is found to about a tenth of a pixel.
    let of = |augment, place: fn(&(f64, f64)) -> f64, at| -> Vec<f64> {
        places(augment, 2000, at).iter().map(place).collect()
    };
    let rotate = Augment { rotate: 30.0, ..Augment::default() };
    is_uniform(&of(rotate, |(x, y)| y.atan2(*x).to_degrees(), (27, 15)), 0.0, 30.0, 1.0);
    let scale = Augment { scale: 0.2, ..Augment::default() };
    is_uniform(&of(scale, |(x, _)| x / 10.0, (25, 15)), 1.0, 0.2, 0.012);
    let shear = Augment { shear: 0.3, ..Augment::default() };
    is_uniform(&of(shear, |(x, _)| x / 12.0, (15, 27)), 0.0, 0.3, 0.01);
    // The other coordinate is left alone.
    assert!(of(shear, |(_, y)| *y, (15, 27)).iter().all(|y| *y == 12.0));
}

/// One change more moves none of the others.
#[test]
fn each_change_has_its_own_draws() {
    let shift = Augment { shift: 3, ..Augment::default() };
    // In the middle, only a shift and a distortion move a pixel.
    let alone = places(shift, 200, (15, 15));
    let others = Augment { rotate: 20.0, scale: 0.1, shear: 0.1, ..shift };
    // A turned pixel is spread evenly around its place, and its middle is found but for rounding.
    let near = |((x, y), (a, b)): (&(f64, f64), &(f64, f64))| (x - a).abs() < 1e-9 && (y - b).abs() < 1e-9;
    assert!(places(others, 200, (15, 15)).iter().zip(&alone).all(near));
    let differ = |(a, b): (&(f64, f64), &(f64, f64))| a != b;
    let elastic = Augment { elastic: 20.0, ..shift };
    assert!(places(elastic, 200, (15, 15)).iter().zip(&alone).all(differ));
}

#[test]
fn values_stay_between_those_of_the_image_and_zero() {
    proptest!(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() }, |(
        (height, width) in (1..12usize, 1..12usize),
        seed in any::<u64>(),
        degrees in 0.0..180.0f64,
        (shear, scale, elastic) in (0.0..1.0f64, 0.0..0.99f64, 0.0..100.0f64),
    )| {
        let values: Vec<f64> = (0..height * width).map(|i| ((i * 7 + 3) % 13) as f64).collect();
        let greatest = values.iter().copied().fold(0.0, f64::max);
        let data = Dataset::new(values, height * width).unwrap().with_image_shape(height, width).unwrap();
        let augment = Augment { shift: 0, rotate: degrees, scale, shear, elastic, smooth: 1.0 };
        let found = augmented::<f64>(augment, &data, &[0], Place { seed, ..PLACE });
        // A weight and its complement sum to 1 but for one rounding each.
        prop_assert!(found.iter().all(|x| (0.0..=greatest * (1.0 + 1e-14)).contains(x)), "{:?}", found);
    });
}

#[test]
fn what_is_wrong_is_named() {
    let rows = synthetic::moons(20, 0.1, 1).unwrap();
    let error = |augment: Augment, data: &Dataset| Augmenter::new(augment, data).unwrap_err().to_string();
    assert_eq!(error(ALL, &rows), "augment: it changes images, and the samples are rows of 2 features");
    let digits = &digits()[0];
    let far = Augment { shift: 28, ..Augment::default() };
    assert_eq!(
        error(far, digits),
        "augment: shift: 28 is not below the 28 pixels of the image's shorter side"
    );
    // These are small numbers once they are mapped, and what comes in from outside is not.
    let far =
        Dataset::new(vec![1e39, 1e39], 2).unwrap().mapped(&Affine::uniform(1e39, 1.0).unwrap()).unwrap();
    let far = far.with_image_shape(1, 2).unwrap().with_targets(vec![1.0], 1).unwrap();
    let turned = Augment { rotate: 1.0, ..Augment::default() };
    let options = FitOptions { augment: Some(turned), ..FitOptions::new(1, 1, 0) };
    let why = "column 0: where augmentation moves the feature 0e0 there, it is beyond f32: scale the data";
    let mut single = Network::<f32>::new(1).linear(2).outputs_for(&far).unwrap();
    assert_eq!(single.fit(&far, &options).unwrap_err().to_string(), why);
    single.fit(&far, &FitOptions { augment: None, ..options.clone() }).unwrap();
    Network::<f64>::new(1).linear(2).outputs_for(&far).unwrap().fit(&far, &options).unwrap();

    let mut augmenter = Augmenter::new(ALL, digits).unwrap();
    let panic = |run: &mut dyn FnMut()| {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
        *caught.downcast::<String>().unwrap()
    };
    let mut out = [0.0f32; 784];
    assert_eq!(
        panic(&mut || augmenter.gather(&rows, &[0], PLACE, &mut [0.0f32; 2])),
        "augment: made for images of 28×28 pixels, but the data has rows of 2 features"
    );
    assert_eq!(
        panic(&mut || augmenter.gather(digits, &[0, 1], PLACE, &mut out)),
        "augment: 2 images of 784 pixels cannot fit into 784 numbers"
    );
    assert_eq!(
        panic(&mut || augmenter.gather(digits, &[40], PLACE, &mut out)),
        "augment: row 40 of a dataset of 40 rows"
    );
}

fn network(data: &Dataset) -> Network<f32> {
    Network::<f32>::new(3).linear(16).relu().dropout(0.1).outputs_for(data).unwrap()
}

fn bits(net: &Network<f32>) -> Vec<u32> {
    net.tape().param_values().iter().map(|x| x.to_bits()).collect()
}

#[test]
fn a_run_goes_on_to_the_same_bits_at_any_number_of_threads() {
    let data = synthetic::digits(150, 1.0, 7).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let options = FitOptions { augment: Some(ALL), ..FitOptions::new(3, 32, 5) };
    let mut whole = network(&data);
    with_threads(1, || whole.fit(&data, &options)).unwrap();
    // Five steps an epoch: within the second one.
    let mut begun = network(&data);
    let mut breaks = crate::checkpoints::Breaks { after: 7, path: path.clone() };
    begun.fit_with(&data, None, &options, &mut [&mut breaks]).unwrap();
    let resume = Some(Checkpoint::load(&path).unwrap());
    let mut rest = network(&data);
    with_threads(2, || rest.fit(&data, &FitOptions { resume: resume.clone(), ..options.clone() })).unwrap();
    assert_eq!(bits(&rest), bits(&whole));

    let fails = |resume, augment, why: &str| {
        let error =
            network(&data).fit(&data, &FitOptions { resume, augment, ..options.clone() }).unwrap_err();
        assert!(error.to_string().ends_with(why), "{error}");
    };
    let less = Augment { elastic: 0.0, ..ALL };
    let then = "augmentation: it was shift=2,rotate=12,scale=0.1,shear=0.2,elastic=20,smooth=3";
    let now = "and is shift=2,rotate=12,scale=0.1,shear=0.2";
    fails(resume.clone(), Some(less), &format!("another {then}, {now}"));
    fails(resume, None, &format!("another {then}, and is nothing"));
    let mut plain = network(&data);
    let mut saves = Checkpoints { path: path.clone(), steps: 1 };
    plain.fit_with(&data, None, &FitOptions { augment: None, ..options.clone() }, &mut [&mut saves]).unwrap();
    let resume = Some(Checkpoint::load(&path).unwrap());
    fails(resume, Some(less), &format!("another augmentation: it was nothing, {now}"));
}

#[test]
fn training_with_nothing_set_moves_no_bit_and_with_something_all() {
    let data = synthetic::digits(100, 1.0, 7).unwrap();
    let fitted = |augment| {
        let mut net = network(&data);
        net.fit(&data, &FitOptions { augment, ..FitOptions::new(2, 32, 5) }).unwrap();
        bits(&net)
    };
    let plain = fitted(None);
    assert_eq!(fitted(Some(Augment::default())), plain);
    assert_ne!(fitted(Some(ALL)), plain);
}

/// Its network and its options, in a step an epoch: so few that they are done soon without optimisation too.
#[test]
fn the_program_of_augmented_images_trains() {
    let train = synthetic::digits(16, 1.0, 7).unwrap();
    let mut net = program::network(&train, 1).unwrap();
    assert_eq!(net.tape().param_numbers(), 293_354);
    let history = net.fit(&train, &program::options(16, 8, 1).unwrap()).unwrap();
    // Two steps of warming up, and the cosine from there to near 0.
    let rates: Vec<f64> = history.epochs.iter().map(|epoch| epoch.lr).collect();
    assert!(rates[0] < rates[1] && rates[2] == 2e-3 && rates[7] < 2e-4, "{rates:?}");
    assert!(
        history.epochs[0].train_loss < 5.0 && history.epochs[7].train_loss < history.epochs[0].train_loss
    );
}

/// Little data, and a network that learns it by heart: changed images teach it more.
#[test]
fn few_images_go_further() {
    let (train, test) = (synthetic::digits(200, 1.0, 7).unwrap(), synthetic::digits(1000, 1.0, 8).unwrap());
    let accuracy = |augment| {
        let mut net = Network::<f32>::new(3).linear(64).relu().outputs_for(&train).unwrap();
        net.fit(&train, &FitOptions { augment, ..FitOptions::new(40, 20, 5) }).unwrap();
        net.evaluate(&test).unwrap().accuracy().unwrap()
    };
    let augment = Augment { shift: 2, rotate: 10.0, ..Augment::default() };
    let (plain, changed) = (accuracy(None), accuracy(Some(augment)));
    assert!(changed > plain + 0.02, "{plain}, {changed}");
}
