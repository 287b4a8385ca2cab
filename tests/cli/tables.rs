//! `train` on tables: what it reads, how it cuts and prepares, what it says.

use std::fs;
use std::path::Path;

use crate::program::{data, error, iris_in_two, run, stderr, stdout};

/// The number of the last line, `test accuracy 0.9667 (30 samples)` or `test R2 …`.
#[track_caller]
fn figure(folder: &Path, args: &[&str], what: &str) -> f64 {
    let output = run(folder, &[&["train"], args].concat());
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    let text = stdout(&output);
    let line = text.lines().last().and_then(|line| line.strip_prefix(what)).expect(what);
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    0.5 * (numbers[half] + numbers[(numbers.len() - 1) / 2])
}

#[test]
fn classes_of_a_table_are_told_without_a_flag() {
    let folder = tempfile::tempdir().unwrap();
    for (name, target, least) in
        [("iris", "species", 0.95), ("wine", "cultivar", 0.95), ("breast_cancer", "diagnosis", 0.95)]
    {
        for model in ["mlp", "logistic", "krr"] {
            let of_seed = |seed: &str| {
                let args =
                    ["--data", &data(name), "--target", target, "--model", model, "--seed", seed, "-q"];
                figure(folder.path(), &args, "test accuracy")
            };
            let found = median(["0", "1", "2", "3", "4", "5"].map(of_seed).to_vec());
            assert!(found >= least, "{name}, {model}: {found}");
        }
    }
}

#[test]
fn values_of_a_table_are_told_without_a_flag() {
    let folder = tempfile::tempdir().unwrap();
    for model in ["mlp", "linear", "krr", "nystrom", "rff", "falkon", "cg"] {
        let of_seed = |seed: &str| {
            let args = [
                "--data",
                &data("diabetes"),
                "--target",
                "progression",
                "--model",
                model,
                "--seed",
                seed,
                "-q",
            ];
            figure(folder.path(), &args, "test R2")
        };
        // Its default of frequencies takes three seconds.
        let seeds: &[&str] = if model == "rff" { &["0", "1", "2"] } else { &["0", "1", "2", "3", "4"] };
        let found = median(seeds.iter().map(|seed| of_seed(seed)).collect());
        assert!((0.35..0.6).contains(&found), "{model}: {found}");
    }
}

#[test]
fn a_second_table_is_the_test() {
    let folder = tempfile::tempdir().unwrap();
    iris_in_two(folder.path());
    let args = ["--data", "train.csv", "--target", "species", "--test", "test.csv", "--model", "logistic"];
    let text = stdout(&run(folder.path(), &[&["train"], &args[..]].concat()));
    assert!(text.contains("tested on test.csv (100 training and 50 test samples of 4 features, 3 classes)"));
    assert!(figure(folder.path(), &args, "test accuracy") >= 0.9, "{text}");
}

#[test]
fn missing_cells_and_columns_to_leave_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "id,colour,weight,fruit\n".to_string();
    for i in 0..40 {
        let (colour, fruit) = if i % 2 == 0 { ("red", "apple") } else { ("yellow", "banana") };
        let weight = if i == 7 { String::new() } else { (100 + i % 5).to_string() };
        text += &format!("{i},{colour},{weight},{fruit}\n");
    }
    fs::write(folder.path().join("fruit.csv"), text).unwrap();
    let args = ["train", "--data", "fruit.csv", "--target", "fruit", "--drop", "id", "--model", "logistic"];
    let message = error(folder.path(), &args);
    assert!(message.starts_with("error: fruit.csv: line 9: column \"weight\""), "{message}");
    for missing in ["mean", "drop"] {
        let args = [&args[..], &["--missing", missing]].concat();
        assert_eq!(figure(folder.path(), &args[1..], "test accuracy"), 1.0);
        let note = stderr(&run(folder.path(), &args));
        assert_eq!(note.contains("1 row of fruit.csv left out"), missing == "drop", "{note}");
    }
}

#[test]
fn what_does_not_fit_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (iris, diabetes) = (data("iris"), data("diabetes"));
    let cases: [(&[&str], &str); 8] = [
        (&["--data", &iris], "--target: which column is to be told?"),
        (&["--data", &iris, "--target", "specie"], "did you mean \"species\"?"),
        (&["--target", "species"], "--target: it has no meaning for such data"),
        (
            &["--data", &iris, "--target", "species", "--model", "linear"],
            "logistic is the linear model of classes",
        ),
        (&["--data", &iris, "--target", "species", "--task", "regression"], "species"),
        (&["--data", &iris, "--target", "species", "--test", "0.001"], "leaves a set without any"),
        (
            &["--data", &diabetes, "--target", "progression", "--model", "logistic"],
            "linear is the linear model of values",
        ),
        (
            &["--data", &diabetes, "--target", "progression", "--label-smoothing", "0.1"],
            "--label-smoothing: ",
        ),
    ];
    for (args, expected) in cases {
        let message = error(folder.path(), &[&["train"], args].concat());
        assert!(message.contains(expected), "{args:?}: {message}");
    }
}

#[test]
fn synthetic_sets_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let set = "synth:moons,samples=400,test=100,noise=0.1";
    for model in ["mlp", "logistic", "krr"] {
        let args = ["--data", set, "--model", model, "-q"];
        let steps: &[&str] = match model {
            "mlp" => &["--epochs", "200"],
            "logistic" => &["--solver", "newton"],
            _ => &[],
        };
        assert!(figure(folder.path(), &[&args[..], steps].concat(), "test accuracy") > 0.8, "{model}");
    }
    let kernel = ["--model", "krr", "--gamma", "20", "--ridge", "1e-6", "-q"];
    let values = [&["--data", "synth:sine,samples=200,test=50,noise=0.01"], &kernel[..]].concat();
    assert!(figure(folder.path(), &values, "test R2") > 0.99);
    for (set, why) in [
        ("synth:mooms", "there is no set `mooms`"),
        ("synth:moons,size=3", "there is no setting `size`; there are samples, test, noise"),
        ("synth:moons,samples=many", "`many` is not a number for samples"),
        ("synth:moons,samples=0", "each at least 1"),
        ("synth:moons,samples=18446744073709551615", "at most 10000000"),
        ("synth:moons,noise=-1", "noise"),
    ] {
        assert!(error(folder.path(), &["train", "--data", set]).contains(why), "{set}");
    }
}

/// One class in ten is rare and overlaps with the other: with weights more of it is told.
#[test]
fn balanced_classes() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "x,y,kind\n".to_string();
    for i in 0..1000 {
        // Two overlapping normal-like clouds by sums of fractions.
        let noise = |k: f64| (0..4).map(|j| ((i * 4 + j) as f64 * k).fract()).sum::<f64>() - 2.0;
        let rare = i % 10 == 0;
        let shift = if rare { 0.6 } else { 0.0 };
        text += &format!(
            "{},{},{}\n",
            noise(0.618_034) + shift,
            noise(0.754_877) + shift,
            if rare { "rare" } else { "usual" }
        );
    }
    fs::write(folder.path().join("t.csv"), text).unwrap();
    let found = |more: &[&str]| {
        let args = ["train", "--data", "t.csv", "--target", "kind", "--model", "mlp", "--epochs", "40"];
        let output = run(folder.path(), &[&args[..], more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let text = stdout(&output);
        // The row of the rare class in the confusion matrix: how many of its 20 test samples were told.
        let row =
            text.lines().find(|line| line.trim_start().starts_with("rare ")).expect("a confusion matrix");
        row.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap()
    };
    let (plain, balanced) = (found(&[]), found(&["--class-weight", "balanced"]));
    assert!(balanced >= plain + 3.0, "{plain} of 20 without, {balanced} with");
    let values =
        ["train", "--data", &data("diabetes"), "--target", "progression", "--class-weight", "balanced"];
    assert!(error(folder.path(), &values).contains("--class-weight: it weighs the classes"));
}

/// What is done to the features is part of the model, for every family.
#[test]
fn preparation_by_flags_is_saved_with_the_model() {
    let folder = tempfile::tempdir().unwrap();
    iris_in_two(folder.path());
    let base =
        ["train", "--data", "train.csv", "--target", "species", "--test", "test.csv", "--save", "m.st"];
    for model in ["mlp", "logistic", "krr", "rff"] {
        for (flags, shown) in [
            (&["--pca", "2"][..], "4 features, standardised, 2 principal components"),
            (&["--project", "3"], "4 features, standardised, projected to 3 features"),
            (&["--pca", "3", "--standardize", "no"], "4 features, 3 principal components"),
            (&["--standardize"], "4 features, standardised"),
        ] {
            let features: &[&str] = if model == "rff" { &["--features", "100"] } else { &[] };
            let output = run(folder.path(), &[&base[..], &["--model", model], flags, features].concat());
            assert!(output.status.success(), "{model} {flags:?}: {}", stderr(&output));
            let last = stdout(&output).lines().last().unwrap().to_string();
            let accuracy: f64 = last.split(' ').nth(2).unwrap().parse().unwrap();
            assert!(accuracy > 0.7, "{model} {flags:?}: {last}");
            let measured = run(folder.path(), &["evaluate", "m.st", "--data", "test.csv", "-q"]);
            assert_eq!(stdout(&measured).trim_end(), last, "{model} {flags:?}");
            let inspected = stdout(&run(folder.path(), &["inspect", "m.st"]));
            assert!(inspected.contains(shown), "{model} {flags:?}: {inspected}");
        }
    }
    for (flags, why) in [
        (&["--pca", "5"][..], "--pca: 5 dimensions of 4 features"),
        (&["--project", "0"], "--project: 0 dimensions of 4 features"),
    ] {
        let message = error(folder.path(), &[&base[..], flags].concat());
        assert!(message.contains(why), "{message}");
    }
    assert_eq!(
        run(folder.path(), &[&base[..], &["--pca", "2", "--project", "2"]].concat()).status.code(),
        Some(2)
    );
}

/// A column of numbers that are names: without the flag, no line through them tells the classes apart.
#[test]
fn numbers_that_are_names() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String =
        (0..300).map(|i| format!("{},{}\n", [10, 20, 30][i % 3], ["a", "b", "a"][i % 3])).collect();
    fs::write(folder.path().join("t.csv"), format!("code,class\n{rows}")).unwrap();
    let train = |flags: &[&str]| {
        let args = ["train", "--data", "t.csv", "--target", "class", "--model", "logistic", "--save", "m.st"];
        stdout(&run(folder.path(), &[&args[..], flags].concat()))
    };
    let (as_number, one_hot) = (train(&[]), train(&["--one-hot", "code"]));
    assert!(as_number.ends_with("test accuracy 0.6667 (60 samples)\n"), "{as_number}");
    assert!(one_hot.ends_with("test accuracy 1.0000 (60 samples)\n"), "{one_hot}");
    let measured = run(folder.path(), &["evaluate", "m.st", "--data", "t.csv", "-q"]);
    assert_eq!(stdout(&measured), "test accuracy 1.0000 (300 samples)\n");
    assert!(stdout(&run(folder.path(), &["inspect", "m.st"])).contains("code=10"));
    let message =
        error(folder.path(), &["train", "--data", "t.csv", "--target", "class", "--one-hot", "cod"]);
    assert!(message.contains("cod") && message.contains("code"), "{message}");
}

#[test]
fn a_page_about_values() {
    let folder = tempfile::tempdir().unwrap();
    for model in ["mlp", "linear", "krr"] {
        let diabetes = data("diabetes");
        let args = [
            "train",
            "-q",
            "--data",
            &diabetes,
            "--target",
            "progression",
            "--model",
            model,
            "--report",
            "r.html",
        ];
        let output = run(folder.path(), &args);
        assert!(output.status.success(), "{model}: {}", stderr(&output));
        let page = fs::read_to_string(folder.path().join("r.html")).unwrap();
        for part in [
            "test R² 0.",
            "Predicted and true values",
            "Residuals",
            "Largest errors",
            "test RMSE",
            "Predictions are off by ",
        ] {
            assert!(page.contains(part), "{model}: {part}");
        }
        assert!(!page.contains("Confusion") && !page.contains(">accuracy<"), "{model}");
        // The weights of the layers have their lines.
        assert_eq!(page.contains(">linear1.weight<"), model == "mlp");
    }
}
