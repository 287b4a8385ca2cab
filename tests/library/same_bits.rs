//! The same bits on every CPU and at any number of threads: the table of hashes is computed and compared with the stored
//! one. See `bits` for what is in it, and `tests/wasm.sh` for WebAssembly.

use std::path::PathBuf;
use std::process::Command;

use tapegrad::linalg::{ORDER, kernel_in_use, with_threads};

use super::bits::{self, Table};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(name)
}

const PROMISED: (&str, &str) = ("bits.txt", include_str!("../../snapshots/bits.txt"));

/// Each entry that differs from the stored table or is in one of them only, by its name.
fn differences(found: &Table, stored: &str) -> Vec<String> {
    let found: Vec<(String, &str)> =
        found.0.iter().map(|(name, hash)| (format!("{hash:016x}"), name.as_str())).collect();
    let stored: Vec<(&str, &str)> = stored.lines().filter_map(|line| line.split_once(' ')).collect();
    let mut differences = Vec::new();
    for (hash, name) in &found {
        match stored.iter().find(|(_, there)| there == name) {
            None => differences.push(format!("{name}: not in the stored table")),
            Some((there, _)) if there != hash => differences.push(format!("{name}: {hash}, stored {there}")),
            Some(_) => (),
        }
    }
    for (i, (_, name)) in found.iter().enumerate() {
        if found[..i].iter().any(|(_, other)| other == name) {
            differences.push(format!("{name}: twice in the table"));
        }
    }
    let lost = stored.iter().filter(|(_, name)| !found.iter().any(|(_, there)| there == name));
    differences.extend(lost.map(|(_, name)| format!("{name}: in the stored table only")));
    differences
}

fn check(what: &str, found: &Table, (name, stored): (&str, &str)) {
    let differences = differences(found, stored);
    assert!(
        differences.is_empty(),
        "{what}: {} of {} entries differ from snapshots/{name}, in order {ORDER} of sums:\n{}",
        differences.len(),
        found.0.len(),
        differences.join("\n")
    );
}

/// What the tests below, and emulated CPUs, run under one kernel.
#[test]
fn bits_of_this_cpu() {
    let kernel = match kernel_in_use() {
        Ok(kernel) => kernel,
        // The test below asks for kernels that this CPU may not have.
        Err(error) => return println!("left out: {error}"),
    };
    let found = bits::promised();
    check(kernel, &found, PROMISED);
    println!("{} entries are the same by the kernel {kernel}", found.0.len());
}

#[test]
fn bits_of_each_kernel_of_this_cpu() {
    let program = std::env::current_exe().unwrap();
    let mut compared = 0;
    for kernel in ["avx512", "avx2", "neon", "portable"] {
        let mut command = Command::new(&program);
        command.args(["--exact", "same_bits::bits_of_this_cpu", "--nocapture"]).env("TAPEGRAD_CPU", kernel);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{kernel}: {text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("1 passed"), "{kernel}: {text}");
        let same = text.contains(&format!("are the same by the kernel {kernel}"));
        assert!(same || text.contains("left out: ") && kernel != "portable", "{kernel}: {text}");
        compared += usize::from(same);
        if !same {
            println!("left out: {kernel}, which this CPU has not");
        }
    }
    assert!(compared >= 1);
}

#[test]
fn bits_of_several_threads() {
    let found = with_threads(3, bits::promised);
    check("3 threads", &found, PROMISED);
}

/// The table names every operation of the library's own.
#[test]
fn every_operation_is_in_the_table() {
    let source = include_str!("../../src/ops/builtin.rs");
    let table =
        source.split("operations! {\n").nth(1).and_then(|rest| rest.split("[without a method]").next());
    let methods: Vec<&str> = table
        .expect("the table of operations")
        .split("=> ")
        .skip(1)
        .filter_map(|line| line.split('(').next())
        .collect();
    assert!(methods.len() > 70, "{methods:?}");
    let names = bits::operations::names();
    let missing: Vec<_> = methods.iter().filter(|method| !names.contains(method)).collect();
    assert!(missing.is_empty(), "not in the table of hashes: {missing:?}");
}

#[test]
fn a_difference_is_named() {
    let table = Table(vec![("a".into(), 1), ("b b".into(), 2), ("c".into(), 3)]);
    let stored = "0000000000000001 a\n0000000000000007 b b\n0000000000000004 d\n";
    let expected = [
        "b b: 0000000000000002, stored 0000000000000007",
        "c: not in the stored table",
        "d: in the stored table only",
    ];
    assert_eq!(differences(&table, stored), expected);
    let twice = Table(vec![("a".into(), 1), ("a".into(), 1)]);
    assert_eq!(differences(&twice, "0000000000000001 a\n"), ["a: twice in the table"]);
    assert!(differences(&Table(table.0[..1].to_vec()), &table.text()[..18]).is_empty());
}

/// Writes the table anew: `cargo test --release --test library same_bits::write -- --ignored`. The difference is to be
/// read before it is committed; where products or functions change, `linalg::ORDER` rises.
#[test]
#[ignore = "writes the stored table anew"]
fn write_the_table() {
    std::fs::write(file(PROMISED.0), bits::promised().text()).unwrap();
}
