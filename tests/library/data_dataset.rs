//! Datasets: construction, views, gathering; and the real MNIST where it is at hand.

use std::path::PathBuf;

use nalgebra::DMatrix;
use tapegrad::data::idx::{self, IdxArray, IdxData};
use tapegrad::data::{Affine, Batches, Dataset};
use tapegrad::{Error, Float};

use crate::helpers;

fn small() -> Dataset {
    let bytes: Vec<u8> = (0..24).map(|i| i * 10).collect();
    Dataset::new(bytes, 4).unwrap().with_labels(&[0, 1, 2, 0, 1, 2], 3).unwrap()
}

#[test]
fn bytes_are_scaled_and_numbers_are_not() {
    let expected: Vec<f64> = (0..24).map(|i| f64::from(i * 10) / 255.0).collect();
    assert_eq!(small().to_rows::<f64>(), expected);
    let numbers = Dataset::new(vec![1.5f32, -2.0, 3.0, 0.25], 2).unwrap();
    assert_eq!(numbers.to_matrix::<f32>(), DMatrix::from_row_slice(2, 2, &[1.5, -2.0, 3.0, 0.25]));
    let matrix = DMatrix::from_row_slice(3, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(Dataset::from_matrix(&matrix).unwrap().to_matrix::<f64>(), matrix);
}

/// `gather` against one number at a time, for every kind of storage and map, at widths around the
/// vectors' lengths.
#[test]
fn gathering_is_exact() {
    fn check<T: Float>(data: &Dataset, stored: &[f64], maps: &[Affine], bytes: bool) {
        let (n, d) = (data.len(), data.features());
        let indices: Vec<usize> = (0..2 * n).map(|i| i * 7 % n).collect();
        let mut mapped = data.clone();
        for map in maps {
            mapped = mapped.mapped(map).unwrap();
        }
        let all = maps
            .iter()
            .fold(if bytes { Affine::PIXELS } else { Affine::IDENTITY }, |a, m| a.then(m).unwrap());
        let mut out = vec![T::ZERO; indices.len() * d];
        mapped.gather(&indices, &mut out);
        for (i, row) in indices.iter().enumerate() {
            for j in 0..d {
                let (x, (c, s)) = (stored[row * d + j], all.column(j));
                let z = if bytes { (T::of(x) - T::of(c)) / T::of(s) } else { T::of((x - c) / s) };
                assert!(out[i * d + j] == z, "row {row}, column {j} of {d}");
            }
        }
    }
    let widths: &[usize] = if cfg!(miri) { &[1, 7] } else { &[1, 7, 31, 32, 33, 100] };
    for &d in widths {
        let n = 5;
        let bytes: Vec<u8> = (0..n * d).map(|i| (i * 37 % 256) as u8).collect();
        let reals: Vec<f64> = bytes.iter().map(|b| f64::from(*b) * 0.37 - 20.0).collect();
        let singles: Vec<f32> = reals.iter().map(|x| *x as f32).collect();
        let as_f64 = |v: &[f32]| v.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
        let columns = Affine::columns(
            (0..d).map(|j| j as f64 * 0.1).collect(),
            (0..d).map(|j| 0.3 + j as f64).collect(),
        )
        .unwrap();
        let uniform = Affine::uniform(0.5, 3.0).unwrap();
        for maps in [vec![], vec![uniform.clone()], vec![columns.clone()], vec![columns, uniform]] {
            let data = Dataset::new(bytes.clone(), d).unwrap();
            let stored: Vec<f64> = bytes.iter().map(|b| f64::from(*b)).collect();
            check::<f32>(&data, &stored, &maps, true);
            check::<f64>(&data, &stored, &maps, true);
            check::<f32>(&Dataset::new(reals.clone(), d).unwrap(), &reals, &maps, false);
            check::<f64>(&Dataset::new(reals.clone(), d).unwrap(), &reals, &maps, false);
            check::<f64>(&Dataset::new(singles.clone(), d).unwrap(), &as_f64(&singles), &maps, false);
        }
    }
}

#[test]
fn views_of_views() {
    let data = small();
    let view = data.subset(&[5, 3, 3, 0]);
    assert_eq!(view.labels().unwrap(), [2, 0, 0, 0]);
    assert_eq!(view.class_counts(), [3, 0, 1]);
    assert_eq!(view.bytes(0).unwrap(), [200, 210, 220, 230]);
    let again = view.subset(&[0, 3]).take(9);
    assert_eq!((again.len(), again.label(0), again.label(1)), (2, 2, 0));
    assert_eq!(again.bytes(1).unwrap(), [0, 10, 20, 30]);
    assert_eq!(again.classes(), 3);
    let mut labels = vec![9; 7];
    again.gather_labels(&[1, 0, 1], &mut labels);
    assert_eq!(labels, [0, 2, 0]);
    let none = data.take(0);
    assert!(none.is_empty() && none.to_rows::<f32>().is_empty());
}

#[test]
fn targets_go_with_their_rows() {
    let data = Dataset::new(vec![1.0, 2.0, 3.0], 1).unwrap();
    let data = data.with_targets(vec![10.0, 11.0, 20.0, 21.0, 30.0, 31.0], 2).unwrap();
    let view = data.subset(&[2, 0]);
    assert_eq!(view.targets().unwrap(), [30.0, 31.0, 10.0, 11.0]);
    let mut out = [0.0f32; 2];
    view.gather_targets(&[1], &mut out);
    assert_eq!(out, [10.0, 11.0]);
    assert_eq!(view.targets_matrix::<f64>()[(0, 1)], 31.0);
    assert_eq!((view.target_width(), view.classes(), view.labels()), (2, 0, None));
}

#[test]
fn bad_data_is_named() {
    let message = |e: Result<Dataset, Error>| match e.unwrap_err() {
        Error::Data(why) => why,
        other => panic!("{other}"),
    };
    let two = || Dataset::new(vec![1.0, 2.0, 3.0, 4.0], 2).unwrap();
    assert_eq!(message(Dataset::new(vec![1.0, 2.0, f64::NAN], 1)), "row 2, column 0: the feature is NaN");
    let single = vec![1.0, 2.0, 3.0, f32::NEG_INFINITY];
    assert_eq!(message(Dataset::new(single, 2)), "row 1, column 1: the feature is -inf");
    assert_eq!(message(Dataset::new(vec![1u8; 3], 2)), "3 values cannot be whole samples of 2 features");
    assert_eq!(message(Dataset::new(vec![1u8; 3], 0)), "the samples have no features");
    assert_eq!(message(two().with_labels(&[0], 2)), "1 label for 2 rows");
    assert_eq!(message(two().with_labels(&[0, 2], 2)), "row 1: label 2 is not below the 2 classes");
    assert_eq!(message(two().with_targets(vec![1.0], 1)), "1 target cannot be 1 for each of 2 rows");
    let target = two().with_targets(vec![1.0, f64::INFINITY], 1);
    assert_eq!(message(target), "row 1, column 0: the target is inf");
    assert_eq!(message(two().with_image_shape(1, 3)), "2 features cannot be an image of 1×3");
    assert_eq!(message(two().with_feature_names(["a"])), "1 name for 2 features");
    let labelled = two().with_labels(&[0, 1], 2).unwrap();
    assert_eq!(message(labelled.clone().with_class_names(["a"])), "1 name for 2 classes");
    assert_eq!(labelled.class_name(1), "1");
    assert_eq!(labelled.with_class_names(["a", "b"]).unwrap().class_name(1), "b");
}

#[test]
fn mistakes_in_a_program_panic() {
    let panics = |f: fn(Dataset)| std::panic::catch_unwind(|| f(small())).is_err();
    assert!(panics(|d| d.gather(&[0], &mut [0.0f32; 3])));
    assert!(panics(|d| d.gather(&[6], &mut [0.0f32; 4])));
    assert!(panics(|d| drop(d.subset(&[6]))));
    assert!(panics(|d| d.gather_targets(&[0], &mut [0.0f32; 1])));
    assert!(panics(|d| drop(d.mapped(&Affine::columns(vec![0.0], vec![1.0]).unwrap()))));
}

fn save(folder: &std::path::Path, name: &str, shape: Vec<usize>, bytes: Vec<u8>) -> PathBuf {
    let path = folder.join(name);
    idx::write(&path, &IdxArray::new(shape, IdxData::U8(bytes.into()))).unwrap();
    path
}

#[test]
fn a_folder_of_idx_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    save(folder, "train-images-idx3-ubyte.gz", vec![3, 1, 2], vec![1, 2, 3, 4, 5, 6]);
    save(folder, "train-labels-idx1-ubyte", vec![3], vec![3, 12, 0]);
    save(folder, "t10k-images.idx3-ubyte", vec![1, 1, 2], vec![7, 8]);
    let message = Dataset::mnist(folder).unwrap_err().to_string();
    assert_eq!(
        message,
        format!(
            "{}: expected a file named t10k-labels-idx1-ubyte or t10k-labels.idx1-ubyte or \
             t10k-labels-idx1-ubyte.gz or t10k-labels.idx1-ubyte.gz",
            folder.display()
        )
    );
    save(folder, "t10k-labels.idx1-ubyte.gz", vec![1], vec![1]);
    let (train, test) = Dataset::mnist(folder).unwrap();
    assert_eq!((train.len(), test.len(), train.image_shape()), (3, 1, Some((1, 2))));
    assert_eq!((train.classes(), test.classes()), (13, 13), "the largest label of both sets counts");
    assert_eq!(test.bytes(0).unwrap(), [7, 8]);
    save(folder, "t10k-images.idx3-ubyte", vec![1, 2, 2], vec![7, 8, 9, 9]);
    assert!(matches!(Dataset::mnist(folder), Err(Error::Data(_))));
}

#[test]
fn idx_files_that_are_no_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let images = save(folder, "images", vec![2, 0], vec![]);
    let labels = save(folder, "labels", vec![2], vec![0, 1]);
    let message = Dataset::from_idx(&images, &labels).unwrap_err().to_string();
    assert!(message.ends_with("images: the samples have no features"), "{message}");
    let images = save(folder, "images", vec![2, 1], vec![0, 1]);
    let negative = folder.join("negative");
    for (data, text) in [
        (IdxData::I16(vec![3, -1]), "byte 10: expected a class from 0 to 999, found -1"),
        (IdxData::I32(vec![0, 1 << 30]), "byte 12: expected a class from 0 to 999, found 1073741824"),
        (IdxData::I8(vec![-7, 1]), "byte 8: expected a class from 0 to 999, found -7"),
    ] {
        idx::write(&negative, &IdxArray::new(vec![2], data)).unwrap();
        let message = Dataset::from_idx(&images, &negative).unwrap_err().to_string();
        assert!(message.ends_with(text), "{message}");
    }
    idx::write(&images, &IdxArray::new(vec![2, 1], IdxData::F32(vec![0.0, f32::NAN]))).unwrap();
    let message = Dataset::from_idx(&images, &labels).unwrap_err().to_string();
    assert!(message.ends_with("images: row 1, column 0: the feature is NaN"), "{message}");
}

#[test]
fn mnist() {
    let Some((train, test)) = helpers::mnist() else { return };
    assert_eq!((train.len(), test.len(), train.features(), train.classes()), (60_000, 10_000, 784, 10));
    assert_eq!(train.labels().unwrap()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert_eq!(train.image_shape(), Some((28, 28)));
    // Mean and standard deviation of the training pixels, as every tutorial has them.
    let mut sums = (0.0, 0.0);
    let mut batch = vec![0.0f64; 1000 * 784];
    for indices in Batches::in_order(60_000, 1000).unwrap().epoch(0) {
        train.gather(indices, &mut batch);
        sums.0 += batch.iter().sum::<f64>();
        sums.1 += batch.iter().map(|x| x * x).sum::<f64>();
    }
    let n = 60_000.0 * 784.0;
    let mean = sums.0 / n;
    assert!((mean - 0.1307).abs() < 5e-5 && ((sums.1 / n - mean * mean).sqrt() - 0.3081).abs() < 5e-5);
}

/// What gather writes is finite where the range is said to fit, and the first number that is not is named.
#[test]
fn the_range_of_a_number_type() {
    let large = Dataset::new(vec![1.0, 2.0, 3.0, -1e300], 2).unwrap();
    let bytes = Dataset::new(vec![0u8, 9, 200, 255], 2).unwrap();
    let single = Dataset::new(vec![0.0f32, 1.0, 2.0, 3e38], 2).unwrap();
    let stretch = |scale| Affine::columns(vec![0.0, 0.0], vec![1.0, scale]).unwrap();
    let message = |data: &Dataset| {
        let found = [data.check_range::<f32>(), data.check_range::<f64>()];
        found.map(|found| found.err().map(|error| error.to_string()))
    };
    let fits = [None, None];
    for data in [&bytes, &single, &large.subset(&[0])] {
        assert_eq!(message(data), fits);
    }
    let beyond = |row, column, x: &str, name, other| {
        let place = format!("row {row}, column {column}: the feature is {x}, which is beyond {name}");
        Some(format!("{place}: scale the data{other}"))
    };
    let or_f64 = " or take f64";
    assert_eq!(message(&large), [beyond(1, 1, "-1e300", "f32", or_f64), None]);
    // A row of its own is the first one there.
    assert_eq!(message(&large.subset(&[1])), [beyond(0, 1, "-1e300", "f32", or_f64), None]);
    let mapped = large.mapped(&stretch(1e-200)).unwrap();
    assert_eq!(message(&mapped)[1], beyond(1, 1, "-inf", "f64", ""));
    assert_eq!(message(&large.mapped(&stretch(1e299)).unwrap()), fits);
    // 9/255/1e-40 is beyond f32.
    let mapped = bytes.mapped(&stretch(1e-40)).unwrap();
    let why = message(&mapped);
    assert!(why[0].as_ref().is_some_and(|why| why.starts_with("row 0, column 1: the feature is 3.5")));
    assert_eq!(why[1], None);
    // A center that is, too.
    let far = bytes.mapped(&Affine::uniform(1e300, 1e300).unwrap()).unwrap();
    assert!(message(&far)[0].is_some() && message(&far)[1].is_none());
    let mapped = single.mapped(&stretch(0.1)).unwrap();
    assert!(
        message(&mapped)[0].as_ref().is_some_and(|why| why.starts_with("row 1, column 1: the feature is 3"))
    );
    // 255 in that column would be beyond, but there is none.
    let small = Dataset::new(vec![255u8, 0, 255, 1], 2).unwrap().mapped(&stretch(1e-40)).unwrap();
    assert_eq!(message(&small), fits);
}
