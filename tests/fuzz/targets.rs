//! What the fuzzers feed to each reader: any bytes are an error or what they say, in bounded memory, and never a panic.
//!
//! The fuzzers call these, and a test does with the files in `corpus`. Who finds a new input adds it there.

use std::io::Write;

use tapegrad::data::idx::{self, ReadOptions};
use tapegrad::data::npy::Archive;
use tapegrad::data::table::{self, Schema, Table, TableOptions, Task};
use tapegrad::data::{Augment, Augmenter};
use tapegrad::models;
use tapegrad::train::Checkpoint;
use tapegrad::{Dataset, data::npy};

/// A reader and what is asked of it.
pub type Target = (&'static str, fn(&[u8]));

/// All of them; each has a file in `fuzz_targets` and a folder in `corpus` of that name.
pub const TARGETS: &[Target] = &[
    ("idx", read_idx),
    ("table", read_table),
    ("npy", read_npy),
    ("npz", read_npz),
    ("model", read_model),
    ("checkpoint", read_checkpoint),
    ("augment", read_augment),
    #[cfg(feature = "png")]
    ("png", read_png),
];

/// Memory that the elements of a file may take.
const MEMORY: u64 = 1 << 24;

/// The bytes as a file, where a reader takes nothing else.
fn with_file(bytes: &[u8], ending: &str, read: impl FnOnce(&std::path::Path)) {
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    let mut file = tempfile::Builder::new().suffix(ending).tempfile_in(folder).expect("a temporary file");
    file.write_all(bytes).expect("room for it");
    read(file.path());
}

/// Elements of an array; where a side is 0, the others may be of any size.
fn elements(shape: &[usize]) -> usize {
    if shape.contains(&0) { 0 } else { shape.iter().product() }
}

#[cfg(feature = "png")]
pub fn read_png(bytes: &[u8]) {
    with_file(bytes, ".png", |path| {
        if let Ok(images) = Dataset::from_png(&[path]) {
            let (height, width) = images.image_shape().expect("an image has a shape");
            assert_eq!((images.len(), images.features()), (1, height * width));
        }
    });
}

/// How images are changed, as `--augment` and a run's file say it. What is printed is read as the same; what passes for an
/// image changes it to finite numbers.
pub fn read_augment(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let augment: Augment = match text.parse() {
        Ok(augment) => augment,
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            return;
        }
    };
    let printed = augment.to_string();
    let again: Augment = printed.parse().expect("what was printed");
    assert_eq!(again.to_string(), printed);
    let Augment { rotate, scale, shear, elastic, smooth, .. } = augment;
    let is_nan = [rotate, scale, shear, elastic, smooth].iter().any(|x| x.is_nan());
    assert!(again == augment || is_nan, "{augment:?} is printed as {printed}");
    assert_eq!(augment.changes(), printed != "none");

    let data = Dataset::new((0..20u8).collect::<Vec<_>>(), 20).and_then(|data| data.with_image_shape(4, 5));
    let data = data.expect("an image");
    let Ok(mut augmenter) = Augmenter::new(augment, &data) else { return };
    let mut image = [f32::NAN; 20];
    augmenter.gather(&data, &[0], tapegrad::rng::Place::default(), &mut image);
    assert!(image.iter().all(|x| (0.0..=1.0).contains(x)), "{printed}: {image:?}");
    assert!(augment.changes() || image.iter().zip(0u8..).all(|(x, byte)| *x == f32::from(byte) / 255.0));
}

pub fn read_idx(bytes: &[u8]) {
    with_file(bytes, ".idx", |path| {
        let options = ReadOptions::default().memory(MEMORY);
        if let Ok(array) = idx::read_with(path, &options) {
            assert_eq!(elements(array.shape()), array.data().len());
        }
        let _ = Dataset::from_idx_samples(path, &options);
        let _ = Dataset::from_idx_with(path, path, &options);
    });
}

pub fn read_table(bytes: &[u8]) {
    let Ok(table) = Table::from_reader(bytes, "t", &table::ReadOptions::default()) else { return };
    assert!(!table.is_empty() && table.columns().iter().all(|column| column.missing() <= table.len()));
    let last = table.columns().last().expect("a table has columns").name().to_string();
    for (missing, task) in [
        (table::Missing::Error, Task::Auto),
        (table::Missing::Mean, Task::Classification),
        (table::Missing::Drop, Task::Regression),
    ] {
        let options = TableOptions { missing, task, ..TableOptions::target(&last) };
        let Ok(schema) = Schema::fit(&table, &options) else { continue };
        schema.encode(&table).expect("the table that it was fitted to");
        // A text of a row that was left out may be one that no other row has.
        let schema = schema.without_target();
        let Ok(whole) = schema.encode(&table) else { continue };
        // What comes in blocks is what comes at once.
        let mut blocks = schema.blocks(bytes, "t", &table::ReadOptions::default()).expect("as at once");
        let mut rows = 0;
        while let Some(block) = blocks.next_block(3).expect("as at once") {
            rows += block.data.len();
            assert_eq!(block.rows.len(), block.data.len());
        }
        assert_eq!(rows, whole.data.len());
    }
}

pub fn read_npy(bytes: &[u8]) {
    let options = ReadOptions::default().memory(MEMORY);
    if let Ok(array) = npy::read_from(&mut &bytes[..], "a", &options) {
        assert_eq!(elements(array.shape()), array.values().len());
    }
}

pub fn read_npz(bytes: &[u8]) {
    let options = ReadOptions::default().memory(MEMORY);
    let Ok(archive) = Archive::new(bytes.to_vec(), "z".into()) else { return };
    for name in archive.names().iter().take(10) {
        let _ = archive.array(name, &options);
    }
    with_file(bytes, ".npz", |path| {
        let _ = Dataset::from_npz(path, Task::Auto, &options);
        let _ = Dataset::from_npy_samples(path, &options);
    });
}

pub fn read_model(bytes: &[u8]) {
    with_file(bytes, ".safetensors", |path| {
        let Ok(saved) = models::load(path) else { return };
        let features = saved.model.inputs().features();
        if features < 10_000 {
            let _ = saved.model.scores(&vec![0.5; features]);
            let _ = saved.model.describe();
        }
        let _ = saved.npz();
    });
}

pub fn read_checkpoint(bytes: &[u8]) {
    with_file(bytes, ".safetensors", |path| {
        let Ok(checkpoint) = Checkpoint::load(path) else { return };
        let train = tapegrad::data::synthetic::moons(12, 0.1, 1).expect("a set");
        let net = models::Network::<f64>::new(1).linear(2).relu().outputs_for(&train);
        let mut net = net.expect("a network");
        let options = tapegrad::train::FitOptions {
            epochs: checkpoint.epochs().min(2) + 1,
            batch: 6,
            resume: Some(checkpoint),
            ..Default::default()
        };
        let _ = net.fit(&train, &options);
    });
}
