//! IDX files: what is written reads back, and no file, however broken, does harm.

#![allow(unsafe_code, reason = "mapped files are what is tested")]

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tapegrad::Error;
use tapegrad::data::idx::{self, IdxArray, IdxData};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Reads `contents` as a file; the error as offset and text.
fn read(contents: &[u8]) -> Result<IdxArray, (u64, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, contents).unwrap();
    match idx::read(&path) {
        Ok(array) => Ok(array),
        Err(Error::Idx { path: named, offset, why }) => {
            assert_eq!(named, path);
            Err((offset, why))
        }
        Err(other) => panic!("not an IDX error: {other}"),
    }
}

#[track_caller]
fn check_error(contents: &[u8], offset: u64, text: &str) {
    let (at, why) = read(contents).unwrap_err();
    assert!(at == offset && why.contains(text), "byte {at}: {why}");
}

#[test]
fn known_bytes() {
    let array = read(&[0, 0, 0x0B, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0x01, 0x02, 0xff, 0xfe]).unwrap();
    assert_eq!(array, IdxArray::new(vec![2, 1], IdxData::I16(vec![258, -2])));
    let scalar = read(&[0, 0, 0x0E, 0, 0xbf, 0xf8, 0, 0, 0, 0, 0, 0]).unwrap();
    assert_eq!(scalar, IdxArray::new(vec![], IdxData::F64(vec![-1.5])));
    let empty = read(&[0, 0, 8, 2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).unwrap();
    assert_eq!(empty.shape(), [0, 0xffff_ffff]);
    assert!(empty.data().is_empty());
}

#[test]
fn what_was_read_stays_whatever_becomes_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.idx");
    let array = IdxArray::new(vec![3], IdxData::U8(vec![7, 8, 9].into()));
    idx::write(&path, &array).unwrap();
    let back = idx::read(&path).unwrap();
    let IdxData::U8(bytes) = back.data() else { panic!() };
    assert!(!bytes.is_mapped());
    // In place: a map would show the new byte, and then kill the process.
    fs::OpenOptions::new().write(true).open(&path).unwrap().write_all(&[0, 0, 8, 1, 0, 0, 0, 3, 1]).unwrap();
    assert_eq!(back, array);
    fs::File::create(&path).unwrap();
    assert_eq!(back, array);
    bytes.check_unchanged().unwrap();
}

#[test]
fn a_mapped_file_outlives_its_name_and_a_change_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.idx");
    let array = IdxArray::new(vec![3], IdxData::U8(vec![7, 8, 9].into()));
    idx::write(&path, &array).unwrap();
    // SAFETY: the file is changed in place at the end only, and nothing is read from the map after that.
    let back = unsafe { idx::read_mapped(&path).unwrap() };
    let IdxData::U8(bytes) = back.data() else { panic!() };
    assert!(bytes.is_mapped());
    // Above a bound means above it.
    // SAFETY: as before.
    for (bound, mapped) in [(2, true), (3, false)] {
        let options = unsafe { idx::ReadOptions::default().map_above(bound) };
        let read = idx::read_with(&path, &options).unwrap();
        assert!(matches!(read.data(), IdxData::U8(bytes) if bytes.is_mapped() == mapped));
    }
    // Writing again replaces the name and leaves the mapped contents alone.
    idx::write(&path, &IdxArray::new(vec![1], IdxData::U8(vec![0].into()))).unwrap();
    assert_eq!(back, array);
    assert_eq!(idx::read(&path).unwrap().shape(), [1]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file stayed");
    bytes.check_unchanged().unwrap();

    // SAFETY: as before.
    let changed = unsafe { idx::read_mapped(&path).unwrap() };
    let IdxData::U8(bytes) = changed.data() else { panic!() };
    let data = tapegrad::Dataset::new(bytes.clone(), 1).unwrap();
    data.check_unchanged().unwrap();
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&[1]).unwrap();
    let error = data.take(1).check_unchanged().unwrap_err().to_string();
    assert!(error.contains("a.idx: the file was changed") && error.contains("9 bytes and has 10"), "{error}");
}

/// A file that grows or shrinks while it is read is told as such, whatever looks wrong about its contents.
#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.idx");
    let n = 4_000_000;
    let plain = [&[0, 0, 8, 1][..], &(n as u32).to_be_bytes(), &vec![1; n]].concat();
    fs::write(&path, &plain).unwrap();
    let done = AtomicBool::new(false);
    let noticed = std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            while !done.load(Ordering::Relaxed) {
                file.set_len(n as u64 / 2).unwrap();
                file.set_len(n as u64 + 8).unwrap();
            }
        });
        // By the clock, not by the number of reads: while the writer has no processor, thousands of reads find the
        // short file as it lies there.
        let start = std::time::Instant::now();
        let noticed = std::iter::from_fn(|| (start.elapsed().as_secs() < 60).then(|| idx::read(&path)))
            .find_map(|read| match read {
                Err(Error::Io { source, .. }) => Some(source.to_string()),
                _ => None,
            });
        done.store(true, Ordering::Relaxed);
        noticed
    });
    let text = noticed.unwrap();
    assert!(text.contains("the file was changed while it was read"), "{text}");
}

#[test]
fn gzip_is_recognised_by_content() {
    let plain = [0, 0, 9, 1, 0, 0, 0, 2, 1, 0xff];
    let expected = IdxArray::new(vec![2], IdxData::I8(vec![1, -1]));
    assert_eq!(read(&gzip(&plain)).unwrap(), expected);
    // Several members one behind the other are one file.
    let members = [gzip(&plain[..5]), gzip(&plain[5..])].concat();
    assert_eq!(read(&members).unwrap(), expected);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.gz");
    fs::write(&path, plain).unwrap();
    assert_eq!(idx::read(&path).unwrap(), expected);
}

#[test]
fn errors_say_where_and_what() {
    check_error(b"", 0, "found an empty file");
    check_error(&[0, 0, 8], 3, "expected a magic number of 4 bytes, found the end after 3");
    check_error(&[0, 1, 8, 1], 0, "found 00 01");
    check_error(&[0, 0, 0x0A, 1], 2, "found 0a");
    check_error(&[0, 0, 8, 2, 0, 0, 0, 1, 0, 0], 10, "expected 2 dimensions");
    check_error(&[0, 0, 0x0C, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5], 13, "2 elements in 8 bytes");
    check_error(&[0, 0, 8, 1, 0, 0, 0, 1, 1, 2, 3], 9, "found 2 more bytes");
    let mut huge = vec![0, 0, 0x0E, 3];
    huge.extend([0xff; 12]);
    check_error(&huge, 4, "[4294967295, 4294967295, 4294967295]");
    // Fits into 64 bits, and into no memory.
    let mut large = vec![0, 0, 8, 2];
    large.extend([0x7f; 8]);
    check_error(&large, 12, "found the end after 0");
}

#[test]
fn gzip_errors_say_where_and_what() {
    let plain = [0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3];
    check_error(&gzip(b""), 0, "found the end after 0");
    check_error(&gzip(&plain[..10]), 10, "found the end after 2");
    check_error(&gzip(&[&plain[..], &[9]].concat()), 11, "expected the end");
    let packed = gzip(&plain);
    check_error(&packed[..packed.len() - 3], 11, "cut short");
    check_error(&packed[..5], 0, "cut short");
    let mut wrong = packed.clone();
    let checksum = wrong.len() - 8;
    wrong[checksum] ^= 1;
    check_error(&wrong, 11, "corrupt");
    let garbage = "corrupt: what follows is neither another gzip member nor zeros";
    check_error(&[&packed[..], b"this is no gzip"].concat(), 11, garbage);
    check_error(&[&packed[..], &[0; 1000], b"this is no gzip"].concat(), 11, garbage);
    // The beginning of another member, and no more.
    check_error(&[&packed[..], &[0; 3], &[0x1f]].concat(), 11, "cut short");
}

/// As `gzip` and Python have it, which a tape's last block has made common.
#[test]
fn zeros_behind_a_gzip_member_are_passed_over() {
    let plain = [0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3];
    let expected = IdxArray::new(vec![3], IdxData::U8(vec![1, 2, 3].into()));
    let (first, second, none) = (gzip(&plain[..6]), gzip(&plain[6..]), gzip(b""));
    for zeros in [0, 1, 2, 511, 512, 8192, 100_000] {
        let zeros = vec![0; zeros];
        for parts in [
            &[&gzip(&plain), &zeros][..],
            &[&first, &second, &zeros],
            &[&first, &zeros, &second],
            &[&first, &zeros, &second, &zeros, &none, &zeros],
            &[&none, &zeros, &first, &none, &none, &second, &none],
        ] {
            assert_eq!(
                read(&parts.iter().flat_map(|part| part.to_vec()).collect::<Vec<u8>>()).unwrap(),
                expected,
                "{} zeros, {} parts",
                zeros.len(),
                parts.len()
            );
        }
    }
    // More of the array behind the zeros is too much, like anything else.
    check_error(&[&gzip(&plain), &[0; 9][..], &gzip(&[1])].concat(), 11, "expected the end");
}

#[cfg(unix)]
#[test]
fn a_circle_of_links_is_no_missing_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train-images-idx3-ubyte");
    std::os::unix::fs::symlink(&path, &path).unwrap();
    for error in [idx::read(&path).unwrap_err(), tapegrad::Dataset::mnist(folder.path()).unwrap_err()] {
        let text = error.to_string();
        assert!(text.contains("train-images-idx3-ubyte: ") && text.contains("symbolic links"), "{text}");
    }
    let error = tapegrad::Dataset::mnist(&path).unwrap_err().to_string();
    assert!(error.contains("symbolic links"), "{error}");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("gone", &path).unwrap();
    let error = tapegrad::Dataset::mnist(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("train-images-idx3-ubyte is a link that leads nowhere"), "{error}");
}

#[test]
fn a_bomb_is_left_unexploded() {
    // 32 MB of zeros in about 32 KB; the header claims 8 bytes.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&[0, 0, 8, 1, 0, 0, 0, 8]).unwrap();
    encoder.write_all(&vec![0; 32 << 20]).unwrap();
    let mut bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 50_000);
    // Who unpacks it to the end finds a wrong checksum.
    let checksum = bomb.len() - 8;
    bomb[checksum] ^= 1;
    check_error(&bomb, 16, "expected the end after the 8 elements");
}

#[test]
fn a_gzip_header_that_claims_too_much_takes_no_memory() {
    check_error(&gzip(&[0, 0, 8, 1, 0xff, 0xff, 0xff, 0xff, 1]), 4, "can unpack to at most");
    // Within what deflate could hold: read to the true end.
    check_error(&gzip(&[0, 0, 8, 1, 0, 0, 0x10, 0, 1]), 9, "found the end after 1");
}

#[test]
fn folders_and_missing_files() {
    let folder = tempfile::tempdir().unwrap();
    let read = |path: &Path| match idx::read(path).unwrap_err() {
        Error::Io { path: named, source } => {
            assert_eq!(named, path);
            source
        }
        other => panic!("{other}"),
    };
    assert_eq!(read(folder.path()).to_string(), "expected an IDX file, found a folder");
    assert_eq!(read(&folder.path().join("none")).kind(), std::io::ErrorKind::NotFound);
    #[cfg(unix)]
    assert_eq!(read(Path::new("/dev/zero")).to_string(), "expected an IDX file, found a device or pipe");
    let array = IdxArray::new(vec![], IdxData::I8(vec![1]));
    assert!(matches!(idx::write(folder.path().join("no/such/folder"), &array), Err(Error::Io { .. })));
    assert!(matches!(idx::write(folder.path(), &array), Err(Error::Io { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a temporary file stayed");
}

#[test]
fn pairs() {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str, array: IdxArray| {
        let path = folder.path().join(name);
        idx::write(&path, &array).unwrap();
        path
    };
    let images = save("images", IdxArray::new(vec![2, 1, 1], IdxData::U8(vec![1, 2].into())));
    let labels = save("labels", IdxArray::new(vec![2], IdxData::U8(vec![0, 1].into())));
    let three = save("three", IdxArray::new(vec![3], IdxData::U8(vec![0, 1, 2].into())));
    let real = save("real", IdxArray::new(vec![2], IdxData::F32(vec![0.0, 1.0])));
    let scalar = save("scalar", IdxArray::new(vec![], IdxData::I8(vec![0])));
    idx::read_pair(&images, &labels).unwrap();
    let message = |images: &Path, labels: &Path| idx::read_pair(images, labels).unwrap_err().to_string();
    assert!(message(&images, &three).contains("three: byte 4: expected 2 labels, as many as"));
    assert!(message(&images, &images).contains("expected labels, so rank 1, found rank 3"));
    assert!(message(&images, &real).contains("found type 0x0d"));
    assert!(message(&scalar, &labels).contains("found rank 0"));
}

/// Shapes of rank 0 to 5 with few elements, and some of high rank.
fn shapes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        4 => prop::collection::vec(0usize..5, 0..6),
        1 => (0usize..250, prop::collection::vec(1usize..4, 0..6))
            .prop_map(|(ones, tail)| [vec![1; ones], tail].concat()),
    ]
}

fn arrays() -> impl Strategy<Value = IdxArray> {
    (shapes(), 0..6usize, any::<u64>()).prop_map(|(shape, kind, seed)| {
        let len = shape.iter().product();
        // Any bit pattern may occur, NaN with all its payloads too.
        let mut state = seed;
        let bits: Vec<u64> = (0..len)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                state ^ (state >> 31)
            })
            .collect();
        let bits = bits.iter();
        let data = match kind {
            0 => IdxData::U8(bits.map(|b| *b as u8).collect::<Vec<_>>().into()),
            1 => IdxData::I8(bits.map(|b| *b as i8).collect()),
            2 => IdxData::I16(bits.map(|b| *b as i16).collect()),
            3 => IdxData::I32(bits.map(|b| *b as i32).collect()),
            4 => IdxData::F32(bits.map(|b| f32::from_bits(*b as u32)).collect()),
            _ => IdxData::F64(bits.map(|b| f64::from_bits(*b)).collect()),
        };
        IdxArray::new(shape, data)
    })
}

/// Equal to the last bit; `==` would call a NaN unequal to itself.
fn same_bits(a: &IdxArray, b: &IdxArray) -> bool {
    let data = match (a.data(), b.data()) {
        (IdxData::F32(a), IdxData::F32(b)) => a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits())),
        (IdxData::F64(a), IdxData::F64(b)) => a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits())),
        (a, b) => a == b,
    };
    data && a.shape() == b.shape()
}

fn file_of(array: &IdxArray, name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    idx::write(&path, array).unwrap();
    fs::read(&path).unwrap()
}

#[test]
fn rank_255_and_no_more() {
    let array = IdxArray::new([vec![1; 254], vec![3]].concat(), IdxData::I32(vec![1, 2, 3]));
    assert_eq!(read(&file_of(&array, "a")).unwrap(), array);
    assert!(std::panic::catch_unwind(|| IdxArray::new(vec![1; 256], IdxData::I8(vec![0]))).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn round_trip(array in arrays()) {
        for name in ["a.idx", "a.idx.gz", "a.GZ"] {
            let file = file_of(&array, name);
            prop_assert_eq!(file.starts_with(&[0x1f, 0x8b]), name != "a.idx");
            prop_assert!(same_bits(&read(&file).unwrap(), &array));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_do_no_harm(
        start in prop::sample::select(vec![vec![], vec![0, 0], vec![0, 0, 8], vec![0x1f, 0x8b, 8, 0]]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = read(&[start, rest].concat());
    }

    #[test]
    fn broken_files_do_no_harm(
        array in arrays(),
        gz in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut file = file_of(&array, if gz { "a.gz" } else { "a" });
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        if let Ok(read) = read(&file) {
            // A file of this size holds no more than this, whatever its header says.
            prop_assert!(read.data().len() <= 1032 * file.len());
        }
    }
}
