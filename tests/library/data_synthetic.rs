//! Synthetic sets: determined by the seed, and what they say they are.

use tapegrad::data::synthetic::{self, SYNTHETIC};
use tapegrad::data::{Dataset, write_mnist};
use tapegrad::{Error, linalg};

#[test]
fn every_set_is_a_function_of_its_seed() {
    for set in SYNTHETIC {
        let make = |rows, seed| set.generate(rows, set.noise, seed).unwrap();
        let (data, again) = (make(60, 1), make(60, 1));
        assert_eq!(data.len(), 60);
        assert_eq!(data.to_rows::<f64>(), again.to_rows::<f64>(), "{}", set.name);
        assert_eq!((data.labels(), data.targets()), (again.labels(), again.targets()), "{}", set.name);
        assert_ne!(data.to_rows::<f64>(), make(60, 2).to_rows::<f64>(), "{}", set.name);
        // Fewer rows are the first of many.
        assert_eq!(make(7, 1).to_rows::<f64>(), data.take(7).to_rows::<f64>(), "{}", set.name);
        assert!((data.classes() > 1) != (data.target_width() > 0), "{}", set.name);
    }
}

#[test]
fn the_table_is_found_by_name() {
    for set in SYNTHETIC {
        assert_eq!(synthetic::find(set.name).unwrap().about, set.about);
    }
    let message = synthetic::find("moon").unwrap_err().to_string();
    assert_eq!(
        message,
        "data: there is no set `moon`; there are digits, spirals, moons, circles, blobs, xor, sine, linear"
    );
}

#[test]
fn wrong_settings() {
    for set in SYNTHETIC {
        for (rows, noise) in [(0, 0.1), (5, -0.1), (5, f64::NAN), (5, f64::INFINITY)] {
            assert!(matches!(set.generate(rows, noise, 1), Err(Error::Setting { .. })), "{}", set.name);
        }
        // Far too much noise is an error or useless data, never a panic.
        for noise in [1e3, 1e30, 1e300, f64::MAX] {
            let _ = set.generate(20, noise, 1);
        }
    }
}

/// Pins the bits: a change here changes the data of every run with a seed, and must be meant.
#[test]
fn digits_are_the_same_tomorrow() {
    let data = synthetic::digits(50, 1.0, 1).unwrap();
    // FNV-1a.
    let hash = (0..50).flat_map(|i| data.bytes(i).unwrap()).fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    assert_eq!(hash, 8094120186640564733);
    assert_eq!(data.labels().unwrap()[..10], [3, 2, 7, 7, 9, 7, 1, 3, 4, 0]);
}

#[test]
fn digits_do_not_depend_on_threads() {
    let run = |threads| {
        let data = linalg::with_threads(threads, || synthetic::digits(600, 1.0, 3).unwrap());
        (data.labels().unwrap().to_vec(), (0..600).flat_map(|i| data.bytes(i).unwrap().to_vec()).collect())
    };
    let (labels, pixels): (Vec<usize>, Vec<u8>) = run(1);
    assert_eq!((labels.clone(), pixels.clone()), run(3));
    let alone = synthetic::digits(600, 1.0, 3).unwrap();
    assert_eq!(alone.labels().unwrap(), labels);
    assert_eq!(alone.bytes(599).unwrap(), &pixels[599 * 784..]);
}

#[test]
fn digits_look_like_ink_on_paper() {
    let data = synthetic::digits(3000, 1.0, 5).unwrap();
    assert_eq!((data.features(), data.classes(), data.image_shape()), (784, 10, Some((28, 28))));
    // Binomial with n = 3000, p = 1/10: four standard deviations are 66.
    assert!(data.class_counts().iter().all(|c| c.abs_diff(300) < 66), "{:?}", data.class_counts());
    for i in 0..data.len() {
        let image = data.bytes(i).unwrap();
        let ink = image.iter().filter(|p| **p > 128).count();
        assert!((15..=350).contains(&ink), "image {i}, a {}, has {ink} dark pixels", data.label(i));
        // Most of the paper is untouched, and edges are soft.
        assert!(image.iter().filter(|p| **p == 0).count() > 784 / 2, "image {i}");
        assert!(image.iter().any(|p| (1..=128).contains(p)), "image {i} has no grey");
    }
    // Without noise there are three images of each class.
    let still = synthetic::digits(2000, 0.0, 5).unwrap();
    let mut images: Vec<(usize, &[u8])> =
        (0..2000).map(|i| (still.label(i), still.bytes(i).unwrap())).collect();
    images.sort_unstable();
    images.dedup();
    assert_eq!(images.len(), 30);
}

/// Squared distance of two rows.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// The digits can be told apart by their neighbours, and not by a mean image of each class.
#[test]
fn digits_are_neither_trivial_nor_hopeless() {
    let data = synthetic::digits(3400, 1.0, 11).unwrap();
    let x = data.to_rows::<f32>();
    let row = |i: usize| &x[i * 784..(i + 1) * 784];
    let mut means = vec![vec![0.0f32; 784]; 10];
    let counts = data.take(3000).class_counts();
    for i in 0..3000 {
        let class = data.label(i);
        means[class].iter_mut().zip(row(i)).for_each(|(m, x)| *m += x / counts[class] as f32);
    }
    let nearest = |n: usize, distance: &dyn Fn(usize) -> f32| -> usize {
        (0..n).min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap()
    };
    let (mut by_neighbour, mut by_mean) = (0, 0);
    for i in 3000..3400 {
        let distances: Vec<f32> = (0..3000).map(|j| distance(row(i), row(j))).collect();
        by_neighbour += usize::from(data.label(nearest(3000, &|j| distances[j])) == data.label(i));
        by_mean += usize::from(nearest(10, &|c| distance(row(i), &means[c])) == data.label(i));
    }
    println!("of 400: nearest neighbour {by_neighbour}, nearest mean {by_mean}");
    assert!(by_neighbour >= 350 && by_mean <= 330, "{by_neighbour} {by_mean}");
}

#[test]
fn written_digits_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("new/digits");
    let all = synthetic::digits(120, 1.0, 2).unwrap();
    let (train, test) = all.split(0.75, 1).unwrap();
    let paths = write_mnist(&train, &test, &folder).unwrap();
    assert!(paths.iter().all(|p| p.is_file()) && std::fs::read_dir(&folder).unwrap().count() == 4);
    let (train_back, test_back) = Dataset::mnist(&folder).unwrap();
    for (a, b) in [(&train, &train_back), (&test, &test_back)] {
        assert_eq!((a.labels(), a.image_shape(), a.classes()), (b.labels(), b.image_shape(), b.classes()));
        assert!((0..a.len()).all(|i| a.bytes(i) == b.bytes(i)));
    }
    // The same data makes the same files.
    let before: Vec<Vec<u8>> = paths.iter().map(|p| std::fs::read(p).unwrap()).collect();
    write_mnist(&train, &test, &folder).unwrap();
    assert!(paths.iter().zip(before).all(|(p, b)| std::fs::read(p).unwrap() == b));
}

#[test]
fn what_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |data: &Dataset| write_mnist(data, data, folder).unwrap_err().to_string();
    assert!(write(&synthetic::moons(5, 0.1, 1).unwrap()).contains("only features that are bytes"));
    let bytes = Dataset::new(vec![0u8; 6], 3).unwrap();
    assert!(write(&bytes).contains("without class labels"));
    let many = bytes.clone().with_labels(&[0, 256], 300).unwrap();
    assert_eq!(write(&many), "row 1: label 256 does not fit into a byte");
    // A plain file would be read before the gzipped one.
    let few = bytes.with_labels(&[0, 1], 2).unwrap();
    std::fs::write(folder.join("train-images-idx3-ubyte"), "").unwrap();
    assert!(write(&few).contains("is in the way"));
    // A file is no folder.
    let below = folder.join("train-images-idx3-ubyte/x");
    assert!(matches!(write_mnist(&few, &few, below), Err(Error::Io { .. })));
}
