//! The inputs that fuzzers found worth keeping, read again: see tests/fuzz.

use proptest::prelude::*;
use proptest::sample::select;

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

/// Texts of `--augment` by what they are made of, with slips of the pen.
#[test]
fn any_text_of_augment() {
    let name = select(vec!["shift", "rotate", "scale", "shear", "elastic", "smooth", "Shift", "", "none"]);
    let number = prop_oneof![
        "[-+]?[0-9]{1,3}(\\.[0-9]{0,3})?(e[-+]?[0-9]{1,3})?",
        (0..30u32).prop_map(|x| x.to_string()),
        (0..1000u32).prop_map(|x| (f64::from(x) / 999.0).to_string()),
        any::<f64>().prop_map(|x| format!("{x:?}")),
        select(vec![
            "",
            "NaN",
            "inf",
            "-inf",
            "0",
            "-0",
            "18446744073709551615",
            "1e39",
            "0x1",
            " 1",
            "1 ",
            "1_0"
        ])
        .prop_map(String::from),
    ];
    let part = (name, select(vec!["=", "=", "=", "=", "=", "", "==", ":"]), number);
    let texts =
        proptest::collection::vec(part.prop_map(|(name, is, number)| format!("{name}{is}{number}")), 0..6);
    let config = ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() };
    proptest!(config, |(parts in texts)| targets::read_augment(parts.join(",").as_bytes()));
}
