//! NumPy's files: those that NumPy wrote, read; and ours, as it reads them.

use tapegrad::Dataset;
use tapegrad::data::idx::ReadOptions;
use tapegrad::data::npy::{self, Archive, NpyValues, Written, write_archive};
use tapegrad::data::table::Task;

/// Written by NumPy 2 (`numpy.save`, `savez`, `savez_compressed`).
fn file(name: &str) -> String {
    format!("{}/tests/reference/numpy/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn options() -> ReadOptions {
    ReadOptions::default()
}

#[test]
fn samples_and_classes() {
    let (data, test) = Dataset::from_npz(file("pairs.npz"), Task::Auto, &options()).unwrap();
    assert!(test.is_none());
    assert_eq!((data.len(), data.features(), data.classes()), (8, 3, 3));
    let expected: Vec<f64> = (0..24).map(|i| f64::from(i) / 7.0).collect();
    assert_eq!(data.to_rows::<f64>(), expected);
    assert_eq!(data.labels().unwrap(), [0, 1, 2, 0, 1, 2, 0, 1]);
    assert_eq!(data.class_name(2), "2");
    let (values, _) = Dataset::from_npz(file("pairs.npz"), Task::Regression, &options()).unwrap();
    assert_eq!(values.targets().unwrap(), [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0]);
    let (two, _) = Dataset::from_npz(file("values.npz"), Task::Auto, &options()).unwrap();
    assert_eq!((two.target_width(), two.targets().unwrap()[1]), (2, -1.0 / 7.0));
    // Numbers of 16 bits, and truth values.
    let (half, _) = Dataset::from_npz(file("half.npz"), Task::Auto, &options()).unwrap();
    assert_eq!(half.labels().unwrap(), [1, 0, 1, 0, 1, 0, 1, 0]);
    assert_eq!(half.to_rows::<f64>()[1], 0.142822265625);
}

#[test]
fn training_and_test_images_apart() {
    let (train, test) = Dataset::from_npz(file("packed.npz"), Task::Classification, &options()).unwrap();
    let test = test.unwrap();
    assert_eq!((train.len(), test.len(), train.image_shape()), (5, 2, Some((3, 4))));
    // Bytes are shares of 255; classes are the numbers that occur, in one column.
    assert_eq!(train.to_rows::<f64>()[59], 236.0 / 255.0);
    assert_eq!((train.labels().unwrap(), test.labels().unwrap()), (&[0, 1, 0, 1, 0][..], &[1, 0][..]));
    assert_eq!((train.class_name(0), train.class_name(1)), ("1".into(), "3".into()));
    // What is asked about are the samples that were not trained on.
    assert_eq!(Dataset::from_npy_samples(file("packed.npz"), &options()).unwrap().len(), 2);
    let names: Vec<String> = ["3", "1", "0"].map(String::from).into();
    assert_eq!(test.clone().with_classes_of(&names).unwrap().labels().unwrap(), [0, 1]);
    let error = test.with_classes_of(&names[1..]).unwrap_err().to_string();
    assert!(error.contains("there is no class `3`"), "{error}");
}

#[test]
fn files_of_one_array() {
    let array = npy::read(file("columns_first.npy"), &options()).unwrap();
    assert_eq!((array.shape(), array.descr()), (&[8, 3][..], ">f4"));
    let expected: Vec<f32> = (0..24).map(|i| (f64::from(i) / 7.0) as f32).collect();
    assert_eq!(array.values(), &NpyValues::F32(expected));
    let data =
        Dataset::from_npy(file("columns_first.npy"), file("named.npy"), Task::Auto, &options()).unwrap();
    assert_eq!(data.labels().unwrap(), [1, 0, 1, 2, 0, 2, 1, 2]);
    assert_eq!(data.class_name(2), "é");
    for (found, why) in [
        (npy::read(file("objects.npy"), &options()).map(drop), "its elements"),
        (npy::read(file("none.npy"), &options()).map(drop), "No such file"),
        (npy::read(file("pairs.npz"), &options()).map(drop), "does not begin as one"),
        (Dataset::from_npz(file("named.npy"), Task::Auto, &options()).map(drop), "not a whole archive"),
        (Dataset::from_npy_samples(file("named.npy"), &options()).map(drop), "two dimensions or more"),
        (
            Dataset::from_npy(file("named.npy"), file("named.npy"), Task::Auto, &options()).map(drop),
            "two dimensions",
        ),
        (
            Dataset::from_npy(file("columns_first.npy"), file("named.npy"), Task::Regression, &options())
                .map(drop),
            "texts are no values",
        ),
        (
            Dataset::from_npy(
                file("columns_first.npy"),
                file("columns_first.npy"),
                Task::Classification,
                &options(),
            )
            .map(drop),
            "classes are one column",
        ),
    ] {
        let error = found.unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
    assert!(Archive::open(file("values.npz"), &options()).unwrap().array("X", &options()).is_err());
    let small = ReadOptions::default().memory(100);
    assert!(npy::read(file("named.npy"), &small).unwrap_err().to_string().contains("memory"));
}

#[test]
fn a_file_broken_anywhere_is_an_error_or_a_data_set() {
    for name in ["pairs.npz", "packed.npz"] {
        let whole = std::fs::read(file(name)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.npz");
        let limit = ReadOptions::default().memory(1 << 20);
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Dataset::from_npz(&path, Task::Auto, &limit).is_ok()
        };
        assert!(read(&whole));
        for end in (0..whole.len()).step_by(7) {
            assert!(!read(&whole[..end]), "{end}");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            read(&bytes);
        }
    }
}

#[test]
fn arrays_are_written_as_numpy_has_them() {
    let numbers: Vec<u8> = [1.0f32, -2.0, 3.5, 0.0, 5.0, 6.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let arrays = [
        Written { name: "a.weight", descr: "<f4", shape: &[2, 3], bytes: &numbers },
        Written { name: "none", descr: "<f8", shape: &[0, 4], bytes: &[] },
    ];
    let bytes = write_archive(arrays).unwrap();
    // The same bytes each time: no clock is in them.
    assert_eq!(bytes, write_archive(arrays).unwrap());
    let archive = Archive::new(bytes.clone(), "z".into()).unwrap();
    assert_eq!(archive.names(), ["a.weight", "none"]);
    let found = archive.array("a.weight", &options()).unwrap();
    assert_eq!(
        (found.shape(), found.values()),
        (&[2, 3][..], &NpyValues::F32(vec![1.0, -2.0, 3.5, 0.0, 5.0, 6.0]))
    );
    assert_eq!(archive.array("none", &options()).unwrap().shape(), [0, 4]);
    let header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,3,), }";
    assert!(bytes.windows(header.len()).any(|part| part == header));
}
