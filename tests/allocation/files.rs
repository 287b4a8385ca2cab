//! The loop over batches allocates nothing, and a file that claims much takes little.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tapegrad::data::idx::{self, IdxArray, IdxData, ReadOptions};
use tapegrad::data::preprocess::Standardize;
use tapegrad::data::{Augment, Augmenter, Batches, Dataset, synthetic};
use tapegrad::linalg;
use tapegrad::rng::Place;

use crate::measure;

pub fn batches() {
    let bytes = synthetic::digits(1000, 1.0, 1).unwrap();
    let views = bytes.split(0.9, 1).unwrap().0;
    let standardised = Standardize::fit(&views).unwrap().apply(&views).unwrap();
    let numbers = Dataset::new(views.to_rows::<f64>(), 784).unwrap();
    let numbers = numbers.with_labels(&vec![0; views.len()], 10).unwrap();
    for data in [bytes, views, standardised, numbers] {
        let mut batches = Batches::shuffled(data.len(), 128, 1).unwrap();
        let (mut x, mut y) = (vec![0.0f32; 128 * 784], Vec::with_capacity(128));
        let ((), calls, _) = measure(|| {
            for epoch in 0..3 {
                for indices in batches.epoch(epoch) {
                    data.gather(indices, &mut x[..indices.len() * 784]);
                    data.gather_labels(indices, &mut y);
                }
            }
        });
        assert_eq!(calls, 0);
    }
}

/// The same with images that are changed, on one thread and on two; three tries, as for [steps](super::steps).
pub fn augmented() {
    let data = synthetic::digits(300, 1.0, 1).unwrap();
    let augment =
        Augment { shift: 2, rotate: 10.0, scale: 0.1, shear: 0.1, elastic: 34.0, ..Augment::default() };
    for threads in [1, 2] {
        linalg::with_threads(threads, || {
            let mut augmenter = Augmenter::new(augment, &data).unwrap();
            let mut batches = Batches::shuffled(data.len(), 128, 1).unwrap();
            let mut x = vec![0.0f32; 128 * 784];
            let mut run = |epoch| {
                for (step, rows) in batches.epoch(epoch).enumerate() {
                    let place = Place { seed: 1, epoch, step: step as u64 };
                    augmenter.gather(&data, rows, place, &mut x[..rows.len() * 784]);
                }
            };
            // The threads' first look at each other's work takes memory.
            run(0);
            let least = (1..4).map(|epoch| measure(|| run(epoch)).1).min();
            assert_eq!(least, Some(0), "threads: {threads}");
        });
    }
}

pub fn files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");

    let big = IdxArray::new(vec![1000, 10_000], IdxData::U8(vec![1; 10_000_000].into()));
    idx::write(&path, &big).unwrap();
    let (back, _, peak) = measure(|| idx::read(&path).unwrap());
    assert!(peak < 10_000_000 + 100_000, "a plain file was copied twice: {peak} bytes");
    assert_eq!(back, big);
    // SAFETY: nobody else knows the file.
    let (back, _, peak) = measure(|| unsafe { idx::read_mapped(&path).unwrap() });
    assert!(peak < 100_000, "a mapped file was copied: {peak} bytes");
    assert_eq!(back, big);

    // Numbers are converted block by block, plain and packed: they are in memory once.
    let numbers = IdxArray::new(vec![1_000_000], IdxData::F64((0..1_000_000).map(f64::from).collect()));
    for name in ["numbers", "numbers.gz"] {
        let path = folder.path().join(name);
        idx::write(&path, &numbers).unwrap();
        let (back, _, peak) = measure(|| idx::read(&path).unwrap());
        assert!(peak < 8_000_000 + 4_300_000, "{name}: {peak} bytes for numbers of 8 MB");
        assert_eq!(back, numbers);
    }

    // A bound on the memory is asked about before it is taken.
    let options = ReadOptions::default().memory(9_999_999);
    let (outcome, _, peak) = measure(|| idx::read_with(&path, &options));
    assert!(peak < 100_000, "{peak} bytes");
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("10.0 MB of memory are needed"), "{error}");

    // A header that claims 4 GB, or as much as can just be true, over next to nothing.
    for claim in [u32::MAX, 40_000] {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&[&[0, 0, 8, 1][..], &claim.to_be_bytes(), &[1; 20]].concat()).unwrap();
        std::fs::write(&path, encoder.finish().unwrap()).unwrap();
        let (outcome, _, peak) = measure(|| idx::read(&path));
        assert!(outcome.is_err() && peak < 300_000, "{peak} bytes for a file of 20");
    }

    // 64 MB of zeros behind a header that claims 1 MB.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&[0, 0, 8, 1, 0, 0x10, 0, 0]).unwrap();
    (0..64).for_each(|_| encoder.write_all(&vec![0; 1 << 20]).unwrap());
    std::fs::write(&path, encoder.finish().unwrap()).unwrap();
    let (outcome, _, peak) = measure(|| idx::read(&path));
    assert!(outcome.unwrap_err().to_string().contains("expected the end after the 1048576 elements"));
    assert!(peak < 4_000_000, "{peak} bytes for an array of 1 MB");
}
