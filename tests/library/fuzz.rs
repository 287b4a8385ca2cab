//! The inputs that fuzzers found worth keeping, read again: see tests/fuzz.

#[allow(dead_code)] // Each fuzzer uses one of the functions.
#[path = "../fuzz/targets.rs"]
mod targets;

#[test]
fn the_corpus_is_read_without_a_panic() {
    for &(name, read) in targets::TARGETS {
        let folder = format!("{}/tests/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty(), "{folder} is empty");
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            let outcome = std::panic::catch_unwind(|| read(&bytes));
            assert!(outcome.is_ok(), "{}", file.display());
        }
    }
}
