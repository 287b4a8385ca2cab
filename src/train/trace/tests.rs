//! How a trace is written.

use super::*;

fn example() -> Trace {
    let mut trace = Trace::default();
    trace.set("model", "mlp 4-2");
    for epoch in 1..=2 {
        trace.epochs.push(Epoch {
            epoch,
            steps: 10 * epoch as u64,
            lr: 1e-3,
            train_loss: 1.0 / 3.0 / epoch as f64,
            train_accuracy: Some(0.1 + 0.2),
            gradient_norm: 1e-17,
            validation_loss: None,
            validation_accuracy: None,
            audit: None,
            seconds: 0.5,
            samples_per_second: 1e5,
        });
    }
    trace.result("test_accuracy", 0.975);
    trace
}

#[test]
fn numbers_read_back_to_the_same_bits() {
    let trace = example();
    let csv = trace.render(TraceFormat::Csv, false);
    let row: Vec<&str> = csv.lines().nth(3).unwrap().split(',').collect();
    assert_eq!(row.len(), COLUMNS.len());
    assert_eq!(row[3].parse::<f64>().unwrap().to_bits(), (1.0f64 / 3.0).to_bits());
    assert_eq!(row[4].parse::<f64>().unwrap().to_bits(), (0.1f64 + 0.2).to_bits());
    assert_eq!(row[5].parse::<f64>().unwrap().to_bits(), 1e-17f64.to_bits());
    assert_eq!(row[6], "");

    let json = trace.render(TraceFormat::JsonLines, false);
    let row: serde_json::Value = serde_json::from_str(json.lines().nth(1).unwrap()).unwrap();
    assert_eq!(row["train_accuracy"].as_f64().unwrap().to_bits(), (0.1f64 + 0.2).to_bits());
    assert!(row["validation_loss"].is_null());
    let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!(last["results"]["test_accuracy"], 0.975);
}

/// Reads CSV as RFC 4180 has it, without the comment lines.
fn parse(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut chars = csv.chars().peekable();
    let (mut quoted, mut start) = (false, true);
    while let Some(c) = chars.next() {
        if start && c == '#' {
            chars.by_ref().find(|c| *c == '\n');
            continue;
        }
        start = false;
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
                start = true;
            }
            c => field.push(c),
        }
    }
    assert!(row.is_empty() && field.is_empty() && !quoted);
    rows
}

#[test]
fn any_name_and_any_setting_is_one_column_and_one_line() {
    use crate::train::ParamFlow;
    let names = ["conv,1", "say \"no\"", "two\nlines", "two\r\nlines", "w#1", "#", "", "w", "w", " w "];
    let mut trace = example();
    let flow = |name: &&str| ParamFlow {
        name: name.to_string(),
        gradient_norm: 1.0,
        weight_norm: 2.0,
        update_ratio: 0.5,
    };
    let mut audit = Audit::default();
    audit.params = names.iter().map(flow).collect();
    trace.epochs.iter_mut().for_each(|epoch| epoch.audit = Some(audit.clone()));
    trace.set("note", "first\nsecond,\"third\"\r\u{1b}[2J");
    trace.set("two\nlines", "\"quoted\"");
    trace.result("a\nb", 1.0);
    let csv = trace.render(TraceFormat::Csv, false);
    let rows = parse(&csv);
    assert_eq!(rows.len(), 3, "{csv}");
    assert!(rows.iter().all(|row| row.len() == COLUMNS.len() + 2 * names.len()), "{csv}");
    let heads: Vec<&str> = rows[0].iter().filter_map(|head| head.strip_prefix("gradient_norm:")).collect();
    assert_eq!(heads[..8], names[..8]);
    assert!(rows[0].contains(&"gradient_norm:w (2)".to_string()), "{csv}");
    let comments: Vec<&str> = csv.lines().filter(|line| line.starts_with("# ")).collect();
    assert_eq!(
        comments,
        [
            &*format!("# order_of_sums = {ORDER}"),
            "# model = mlp 4-2",
            r##"# note = "first\nsecond,\"third\"\r\u001b[2J""##,
            r##"# "two\nlines" = "\"quoted\"""##,
            "# test_accuracy = 0.975",
            r##"# "a\nb" = 1"##,
        ]
    );
    // The others: as many lines as there are settings, epochs and results.
    let text = trace.render(TraceFormat::Text, false);
    assert_eq!(text.lines().count(), 1 + 3 + 1 + 2 + 2, "{text}");
    let json = trace.render(TraceFormat::JsonLines, false);
    let lines: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1 + 2 + 1);
    assert_eq!(lines[0]["settings"]["note"], "first\nsecond,\"third\"\r\u{1b}[2J");
    assert_eq!(lines[1]["gradient_norm:conv,1"], 1.0);
    assert_eq!(lines[1].as_object().unwrap().len(), COLUMNS.len() + 2 * names.len());
}

#[test]
fn an_activation_that_is_missing_in_an_epoch_moves_no_other() {
    use crate::train::ActivationFlow;
    let mut trace = example();
    for (epoch, shares) in
        trace.epochs.iter_mut().zip([&[("relu1", 0.5), ("relu2", 0.25)][..], &[("relu2", 0.75)]])
    {
        let flow = |(name, dead): &(&str, f64)| ActivationFlow {
            name: name.to_string(),
            dead: Some(*dead),
            saturated: None,
        };
        let mut audit = Audit::default();
        audit.activations = shares.iter().map(flow).collect();
        epoch.audit = Some(audit);
    }
    let rows = parse(&trace.render(TraceFormat::Csv, false));
    let of_audit: Vec<&[String]> = rows.iter().map(|row| &row[COLUMNS.len()..]).collect();
    assert_eq!(of_audit, [["dead:relu1", "dead:relu2"], ["0.5", "0.25"], ["", "0.75"]]);
}

/// Whatever the value: the setting decides.
#[test]
fn the_type_of_a_setting_does_not_follow_its_value() {
    for (value, json, text) in [
        (Value::from(1.0), "1.0", "1"),
        (Value::from(0.5), "0.5", "0.5"),
        (Value::from(1e-300), "1e-300", &1e-300f64.to_string()),
        (Value::from(f64::INFINITY), "null", "inf"),
        (Value::Scientific(1e-7), "1e-7", "1e-7"),
        (Value::Scientific(1.0), "1.0", "1e0"),
        (Value::from("007"), "\"007\"", "007"),
        (Value::from("1".to_string()), "\"1\"", "1"),
        (Value::from(format_args!("{}", 1)), "\"1\"", "1"),
        (Value::from(7usize), "7", "7"),
        (Value::from(u64::MAX), "18446744073709551615", "18446744073709551615"),
        (Value::from(-3), "-3.0", "-3"),
        (Value::from(true), "true", "true"),
        (Value::from("true"), "\"true\"", "true"),
    ] {
        let mut trace = Trace::default();
        trace.set("x", value);
        let expected = format!("{{\"order_of_sums\":{ORDER},\"settings\":{{\"x\":{json}}}}}\n");
        assert_eq!(trace.render(TraceFormat::JsonLines, false), expected);
        assert_eq!(trace.render(TraceFormat::Csv, false).lines().nth(1), Some(&*format!("# x = {text}")));
    }
}

#[test]
fn times_stand_in_it_on_request_only() {
    for format in [TraceFormat::Text, TraceFormat::Csv, TraceFormat::JsonLines] {
        assert!(!example().render(format, false).contains("seconds"));
        assert!(example().render(format, true).contains("samples_per_second"));
    }
}

#[test]
fn the_ending_chooses_the_format() {
    assert_eq!(TraceFormat::of(Path::new("a/run.csv")), TraceFormat::Csv);
    assert_eq!(TraceFormat::of(Path::new("run.jsonl")), TraceFormat::JsonLines);
    assert_eq!(TraceFormat::of(Path::new("run")), TraceFormat::Text);
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let error = example().write("/no/such/folder/run.csv", false).unwrap_err();
    assert!(error.to_string().starts_with("/no/such/folder/run.csv: "), "{error}");
}

/// What `text` is read as, in a file with that ending.
fn read(ending: &str, text: &str) -> Result<WrittenTrace> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("t.{ending}"));
    std::fs::write(&path, text).unwrap();
    WrittenTrace::read(&path)
}

fn hashed() -> Trace {
    use crate::train::trace::Hash;
    let mut trace = example();
    let step = |step, gradients: &[u64], values: &[u64]| StepHashes {
        epoch: 1,
        step,
        gradients: gradients.iter().map(|x| Hash(*x)).collect(),
        values: values.iter().map(|x| Hash(*x)).collect(),
    };
    let steps = vec![step(0, &[], &[1, 2]), step(1, &[3, 4], &[5, 6]), step(2, &[], &[5, 6])];
    trace.hashes = Some(Hashes { parameters: vec!["w".into(), "a b\n\"c\"".into()], steps });
    trace.set("eta = 2", "x = \"y\"");
    trace.set("two\nlines", " \"quoted\"");
    trace
}

#[test]
fn what_is_written_is_read() {
    let trace = hashed();
    for (ending, format) in
        [("txt", TraceFormat::Text), ("csv", TraceFormat::Csv), ("jsonl", TraceFormat::JsonLines)]
    {
        let found = read(ending, &trace.render(format, true)).unwrap();
        assert_eq!(found.order_of_sums, Some(ORDER));
        assert_eq!(found.hashes, trace.hashes);
        assert_eq!(found.figures[..COLUMNS.len()], COLUMNS.map(|(name, _)| name.to_string()));
        assert_eq!(found.settings[0], ("model".to_string(), "mlp 4-2".to_string()));
        assert_eq!(found.settings[2], ("two\nlines".to_string(), " \"quoted\"".to_string()));
        assert_eq!(found.results, [("test_accuracy".to_string(), "0.975".to_string())]);
        assert_eq!(found.epochs.len(), 2);
        assert_eq!(found.epochs[1][0], Some(2.0));
        assert_eq!(found.epochs[1][3], Some(1.0 / 3.0 / 2.0));
        assert_eq!(found.epochs[1][6], None);
        // Without an epoch there is no row.
        let none = Trace { epochs: Vec::new(), ..hashed() };
        let found = read(ending, &none.render(format, false)).unwrap();
        assert_eq!((found.epochs.len(), found.hashes), (0, none.hashes));
    }
}

#[test]
fn the_formats_are_read_alike() {
    let [text, csv, json] =
        [("txt", TraceFormat::Text), ("csv", TraceFormat::Csv), ("jsonl", TraceFormat::JsonLines)].map(
            |(ending, format)| {
                let mut trace = hashed();
                // A setting with an equals sign in its name is cut there in all but JSON.
                trace.settings.retain(|(name, _)| name != "eta = 2");
                trace.set("tolerance", Value::Scientific(1e-7));
                trace.set("l2", 1.0);
                trace.result("undecided", 3.0);
                read(ending, &trace.render(format, false)).unwrap()
            },
        );
    for (x, y) in [(&text, &csv), (&csv, &json), (&json, &text)] {
        assert_eq!(x.diff(y, ["a", "b"]), TraceDiff::default());
    }
    // Within a format, a setting is its text.
    let of = |model: &str| {
        let mut trace = Trace::default();
        trace.set("model", model);
        read("csv", &trace.render(TraceFormat::Csv, false)).unwrap()
    };
    assert_eq!(of("007").diff(&of("7"), ["a", "b"]).differences, ["setting model: 007 in a, 7 in b"]);
}

#[test]
fn columns_of_text_with_blanks_in_their_names() {
    let text = "epoch  a  b c  d\n    1  2    -  4\n";
    let found = read("txt", text).unwrap();
    assert_eq!(found.figures, ["epoch", "a", "b c", "d"]);
    assert_eq!(found.epochs, [[Some(1.0), Some(2.0), None, Some(4.0)]]);
}

#[test]
fn broken_traces_are_errors_with_their_line() {
    let csv = hashed().render(TraceFormat::Csv, false);
    let json = hashed().render(TraceFormat::JsonLines, false);
    // Cut anywhere within a line, it is no trace.
    for (ending, whole) in [("csv", &csv), ("jsonl", &json)] {
        for end in 1..whole.len() {
            if whole.is_char_boundary(end) && !whole[..end].ends_with('\n') {
                assert!(read(ending, &whole[..end]).is_err(), "{:?}", &whole[..end]);
            }
        }
    }
    let hashes = "epoch\n#hashes {\"parameters\":[\"w\"]}\n#hashes ";
    let step = |step: usize, values: &str| {
        format!("{{\"epoch\":1,\"step\":{step},\"gradients\":[],\"values\":[{values}]}}\n")
    };
    let one = "\"0000000000000001\"";
    for (ending, text, line, why) in [
        ("csv", "", 0, "no names of figures"),
        ("csv", "precious\n", 1, "no trace"),
        ("txt", "precious\n", 1, "no trace"),
        ("txt", "epoch  steps\n  1  2\n", 2, "do not stand above"),
        ("csv", "# seed = 1\nepoch,lr\n1,x\n", 3, "`x` is no number"),
        ("csv", "epoch,lr\n1\n", 2, "1 figure, and there are names for 2"),
        ("csv", "epoch,lr\n1,2\n1,2\n", 3, "epoch 1 after epoch 1"),
        ("csv", "epoch,lr\n,2\n", 2, "without its number"),
        ("csv", "epoch,\"l\nr\"\n1,x\n", 3, "`x` is no number"),
        ("csv", "epoch,lr,lr\n", 1, "two figures of the name `lr`"),
        ("csv", "# order_of_sums = x\nepoch\n", 1, "no order of sums"),
        ("csv", "# seed\nepoch\n", 1, "no name with a value"),
        ("csv", &format!("{hashes}{}", step(1, "")), 3, "not one hash for each of 1"),
        (
            "csv",
            &format!("{hashes}{}#hashes {}", step(1, one), step(1, one)),
            4,
            "after those of epoch 1, step 1",
        ),
        ("csv", &format!("{hashes}{}", step(1, "\"1\"")), 3, "no hash of 16 digits"),
        ("csv", "epoch\n#hashes {}\n", 2, "hashes that cannot be read"),
        ("csv", "epoch\n#hashes {\n", 2, "no JSON"),
        ("jsonl", "", 0, "the file is empty"),
        ("jsonl", "precious\n", 1, "no JSON"),
        ("jsonl", "[]\n", 1, "no object"),
        ("jsonl", "{}\n", 1, "no settings"),
        ("jsonl", "{\"settings\":1}\n", 1, "names and values"),
        ("jsonl", "{\"settings\":{},\"order_of_sums\":-1}\n", 1, "no order of sums: -1"),
        ("jsonl", "{\"settings\":{}}\n{\"epoch\":1,\"lr\":\"x\"}\n", 2, "lr: \"x\" is no number"),
        ("jsonl", "{\"settings\":{}}\n{\"epoch\":1}\n{\"epoch\":2,\"lr\":1}\n", 3, "other figures"),
        ("jsonl", "{\"settings\":{}}\n{\"x\":1}\n", 2, "neither an epoch"),
    ] {
        let error = read(ending, text).unwrap_err().to_string();
        assert!(error.contains(&format!("line {line}: ")) && error.contains(why), "{text:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn every_kind_of_difference_is_named() {
    let plain = |trace: &Trace| read("csv", &trace.render(TraceFormat::Csv, true)).unwrap();
    let whole = hashed();
    let said = |change: &dyn Fn(&mut Trace)| {
        let mut other = whole.clone();
        change(&mut other);
        plain(&whole).diff(&plain(&other), ["a", "b"]).differences
    };
    let steps = |t: &mut Trace| t.hashes.take().unwrap().steps;
    assert!(said(&|t| t.epochs.iter_mut().for_each(|e| e.seconds *= 2.0)).is_empty());
    assert_eq!(
        said(&|t| t.results[0].1 = 0.95),
        ["result test_accuracy: 0.975 in a, 0.95 in b: 2.500e-2 apart, relative 2.6e-2"]
    );
    assert_eq!(said(&|t| t.results.clear()), ["result test_accuracy: 0.975 in a, none in b"]);
    assert_eq!(
        said(&|t| t.epochs[1].validation_loss = Some(0.5)),
        ["first figure that differs: epoch 2, steps 11 to 20: validation_loss: none in a, 0.5 in b"]
    );
    assert_eq!(
        said(&|t| t.epochs[1].gradient_norm = -1e-17),
        [
            "first figure that differs: epoch 2, steps 11 to 20: gradient_norm: 1e-17 in a, -1e-17 in b: 2.000e-17 apart, \
         relative 2.0e0"
        ]
    );
    assert_eq!(said(&|t| drop(t.epochs.pop())), ["epochs: 2 in a, 1 in b"]);
    assert_eq!(said(&|t| t.hashes = None), ["hashes of the steps: in a only"]);
    assert_eq!(
        said(&|t| t.hashes.as_mut().unwrap().parameters[0] = "v".into()),
        ["parameters: w, a b\\n\"c\" in a, v, a b\\n\"c\" in b: their hashes are not compared"]
    );
    let step =
        |change: &dyn Fn(&mut Vec<StepHashes>)| said(&|t| change(&mut t.hashes.as_mut().unwrap().steps));
    assert_eq!(steps(&mut whole.clone()).len(), 3);
    assert_eq!(
        step(&|s| (s[0].values[1].0, s[1].gradients[0].0) = (9, 9)),
        [
            "first step that differs: before the first step: the value of a b\\n\"c\", by its hash 0000000000000002 in a, \
         0000000000000009 in b"
        ]
    );
    assert_eq!(
        step(&|s| (s[1].gradients[1].0, s[1].values[0].0) = (9, 9)),
        [
            "first step that differs: epoch 1, step 1: the gradient of a b\\n\"c\", by its hash 0000000000000004 in a, \
         0000000000000009 in b"
        ]
    );
    assert_eq!(
        step(&|s| (s[1].values[0].0, s[1].values[1].0) = (9, 9)),
        ["first step that differs: epoch 1, step 1: the value of w, by its hash 0000000000000005 in a, \
         0000000000000009 in b; 1 more of its values differ"]
    );
    assert_eq!(
        step(&|s| s[2].gradients = s[1].gradients.clone()),
        ["first step that differs: epoch 1, step 2: it was left out in a only"]
    );
    assert_eq!(
        step(&|s| drop(s.drain(..2))),
        ["hashes: 2 lines in a only, the first: before the first step"]
    );
    // Zero has two signs.
    assert_eq!(said(&|t| t.epochs[0].lr = 0.0).len(), 1);
    let (mut zero, mut other) = (whole.clone(), whole.clone());
    (zero.epochs[0].lr, other.epochs[0].lr) = (0.0, -0.0);
    assert_eq!(
        plain(&zero).diff(&plain(&other), ["a", "b"]).differences,
        ["first figure that differs: epoch 1, steps 1 to 10: lr: 0.0 in a, -0.0 in b"]
    );
}

#[test]
fn the_order_of_sums_is_told() {
    let now = read("csv", "# order_of_sums = 2\nepoch\n").unwrap();
    let [other, none] = ["# order_of_sums = 77\nepoch\n", "epoch\n"].map(|text| read("csv", text).unwrap());
    let first = |x: &WrittenTrace, y: &WrittenTrace| x.diff(y, ["a", "b"]).differences.concat();
    assert!(first(&now, &other).starts_with("order of sums: 2 in a, 77 in b: "));
    assert!(first(&none, &now).starts_with("order of sums: not said in a, 2 in b: "));
    for (trace, note) in [(&other, "both has number 77"), (&none, "neither says")] {
        let found = trace.diff(trace, ["a", "b"]);
        assert!(found.differences.is_empty() && found.notes.concat().contains(note), "{found:?}");
    }
}
