//! Models of texts: their losses, what they are asked, and counting beside them.

use std::collections::HashMap;
use std::path::Path;

use tapegrad::Dataset;
use tapegrad::data::Text;
use tapegrad::models::{Gpt, Network, Notes, Predictor, Sampling, Trunk, generate, load, save};
use tapegrad::nn::loss::{CrossEntropy, Hinge, Loss};
use tapegrad::nn::{Embedding, Init, Positions, Tokens};
use tapegrad::optim::schedule::{Cosine, Warmup};
use tapegrad::optim::{Adam, Optimizer};
use tapegrad::train::{FitOptions, Rate};

const TRUNK: Trunk = Trunk { blocks: 1, width: 12, heads: 3, expansion: 2, dropout: 0.0 };

fn network(windows: &Dataset, init: Init) -> Network<f64> {
    let form = Gpt { trunk: TRUNK, init, ..Gpt::new(windows.features()) };
    Network::<f64>::new(1).made_by(windows, |tape, _, _, rng| form.build(tape, rng)).unwrap()
}

/// A text with something to learn.
fn text(lines: usize) -> Text {
    Text::new((0..lines).map(|i| format!("{} {}\n", i % 7, i * 3 % 7)).collect::<String>())
}

#[test]
fn a_model_that_knows_nothing_takes_eight_bits_a_byte() {
    let windows = text(40).windows(8, 8).unwrap();
    let found = network(&windows, Init::Zeros).evaluate(&windows).unwrap();
    assert_eq!((found.samples, found.tokens), (19, Some(19 * 8)));
    assert!((found.bits_per_token().unwrap() - 8.0).abs() < 1e-12, "{found}");
    // Equal scores are no answer.
    assert_eq!(found.accuracy(), Some(0.0));
    assert!(found.to_string().contains(" bits, accuracy 0.0000 (152 tokens)"), "{found}");
}

/// The loss is the mean over all tokens, however the windows are put into blocks, and what is asked is the last of them.
#[test]
fn windows_and_texts_are_asked_alike() {
    let windows = text(90).windows(30, 7).unwrap();
    let mut net = network(&windows, Init::default());
    net.fit(&windows, &FitOptions { epochs: 2, ..Default::default() }).unwrap();
    let found = net.evaluate(&windows).unwrap();
    let mut sum = 0.0;
    for i in 0..windows.len() {
        sum += net.evaluate(&windows.subset(&[i])).unwrap().loss;
    }
    assert!((sum / windows.len() as f64 - found.loss).abs() < 1e-12);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.st");
    save(&net, &path, &Notes::default()).unwrap();
    let read = load(&path).unwrap().model;
    assert_eq!((read.context(), read.task().labels_per_row()), (Some(30), 30));
    let bytes: Vec<u8> = windows.to_rows::<f32>()[..30].iter().map(|x| *x as u8).collect();
    for model in [&net as &dyn Predictor, &*read] {
        let scores = model.next_scores(&bytes).unwrap();
        let sample = windows.subset(&[0]);
        assert_eq!(model.scores(&sample).unwrap().as_slice(), scores);
        let mut to = [0.0; 256];
        model.scores_into(&sample.to_rows::<f64>(), &mut to).unwrap();
        assert_eq!(to[..], scores[..]);
        assert_eq!(model.next_scores(&[b"xx", &bytes[..]].concat()).unwrap(), scores);
        assert_eq!(model.classify(&windows).unwrap().len(), windows.len());
        assert!(model.next_scores(b"").is_err());
        let next = generate(model, &bytes, Sampling { temperature: 0.0, ..Default::default() }).unwrap();
        let next = next.take(1).collect::<Result<Vec<u8>, _>>().unwrap();
        assert_eq!(Some(usize::from(next[0])), model.classify(&sample).unwrap()[0]);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let windows = text(40).windows(8, 8).unwrap();
    let why = |result: tapegrad::Result<usize>| result.unwrap_err().to_string();
    assert_eq!(
        why(Loss::<f64>::outputs(&Hinge, &windows)),
        "the hinge loss takes one label for each sample, and the data has 8"
    );
    let weighted = CrossEntropy::default().with_class_weights(vec![1.0; 256]).unwrap();
    assert!(why(Loss::<f64>::outputs(&weighted, &windows)).contains("takes one label for each sample"));
    let n = windows.len();
    let with_weights = windows.clone().with_weights(vec![1.0; n]).unwrap_err().to_string();
    assert_eq!(with_weights, "weights take one label for each sample, and the data has 8");
    assert!(windows.stratified_split(0.5, 1).unwrap_err().to_string().starts_with("strata take one label"));
    let plain = Dataset::new(vec![1.0; 6], 2).unwrap();
    let labels = |labels: Vec<usize>, each, classes| {
        plain.clone().with_token_labels(labels, each, classes).unwrap_err().to_string()
    };
    assert_eq!(labels(vec![0; 5], 2, 3), "5 labels cannot be 2 for each of 3 rows");
    assert_eq!(labels(vec![0, 1, 2, 3, 0, 0], 2, 3), "row 1: label 3 is not below the 3 classes");
    assert!(labels(vec![], 0, 3).contains("0 labels cannot be 0 for each"));
    // One row for a sample, where there is a label for each token.
    let joined = Network::<f32>::new(1)
        .add_with(|tape, length, rng| Embedding::new(tape, 256, length, 4, Positions::Learned, rng))
        .add(Tokens::join(8).unwrap())
        .outputs_for(&windows);
    let joined = joined.err().unwrap().to_string();
    assert_eq!(
        joined,
        "the network gives 1 row for a sample, and not 8: as many as there are labels for each"
    );
    let net = network(&windows, Init::default());
    let other = net.evaluate(&text(40).windows(8, 1).unwrap().subset(&[3]));
    assert!(other.is_ok());
    let one = Dataset::new(vec![1.0; 8], 8).unwrap().with_labels(&[3], 256).unwrap();
    let one = one.with_class_names((0..256).map(|b| windows.class_name(b).into_owned())).unwrap();
    assert_eq!(
        net.evaluate(&one).unwrap_err().to_string(),
        "the model tells 8 classes of each sample, but the data has 1"
    );
    let moons = tapegrad::data::synthetic::moons(20, 0.1, 1).unwrap();
    let mlp = Network::<f32>::new(1).linear(3).relu().outputs_for(&moons).unwrap();
    let refused = generate(&mlp, b"a", Sampling::default()).err().unwrap().to_string();
    assert!(refused.ends_with("is no model of text, byte by byte"), "{refused}");
}

/// Rows, subsets and batches carry all labels of a row.
#[test]
fn labels_go_with_their_rows() {
    let windows = text(40).windows(8, 3).unwrap();
    let part = windows.subset(&[5, 2]).subset(&[1]);
    assert_eq!(part.labels().unwrap(), &windows.labels().unwrap()[16..24]);
    let mut labels = vec![7];
    windows.gather_labels(&[3, 1], &mut labels);
    assert_eq!(labels, [&windows.labels().unwrap()[24..32], &windows.labels().unwrap()[8..16]].concat());
    assert_eq!(windows.class_counts().iter().sum::<usize>(), windows.len() * 8);
    assert_ne!(windows.fingerprint(), windows.subset(&[0]).fingerprint());
}

/// Bits a byte of `held` by counts of what followed each `order` bytes in `train`, smoothed by shorter ones:
/// p(c|h) = (n(h, c) + t(h)·p(c|h′))/(n(h) + t(h)), where t(h) is how many different bytes followed h, h′ is h without its
/// first byte, and without any byte left p is 1/256.
///
/// Witten and Bell, "The zero-frequency problem: estimating the probabilities of novel events in adaptive text
/// compression", IEEE Transactions on Information Theory 37, 1991, method C.
fn counting(order: usize, train: &[u8], held: &[u8]) -> f64 {
    let mut counts: HashMap<&[u8], HashMap<u8, f64>> = HashMap::new();
    for k in 0..=order {
        for window in train.windows(k + 1) {
            *counts.entry(&window[..k]).or_default().entry(window[k]).or_default() += 1.0;
        }
    }
    let all = [&train[train.len() - order..], held].concat();
    let bits = all.windows(order + 1).map(|window| {
        let (history, byte) = (&window[..order], window[order]);
        let p =
            (0..=order).rev().map(|from| &history[from..]).fold(1.0 / 256.0, |p, h| match counts.get(h) {
                Some(found) => {
                    let (n, t) = (found.values().sum::<f64>(), found.len() as f64);
                    (found.get(&byte).copied().unwrap_or(0.0) + t * p) / (n + t)
                }
                None => p,
            });
        -p.log2()
    });
    bits.sum::<f64>() / held.len() as f64
}

#[test]
fn counting_by_hand() {
    // After `aab`: a 2 times and b once.
    let p = |n: f64| (n + 2.0 / 256.0) / 5.0;
    let bits = counting(0, b"aab", b"ab");
    assert!((bits + (p(2.0).log2() + p(1.0).log2()) / 2.0).abs() < 1e-12, "{bits}");
    // What followed the last byte `b`: nothing. And a was followed by a and b.
    let first = counting(1, b"aab", b"a");
    assert!((first + p(2.0).log2()).abs() < 1e-12, "{first}");
    let second = counting(1, b"aab", b"ab") * 2.0 - first;
    assert!((second + ((1.0 + 2.0 * p(1.0)) / 4.0).log2()).abs() < 1e-12, "{second}");
}

/// The project's own documents: the README and all documentation of the source, file by file.
fn documents() -> Text {
    fn sources(folder: &Path, all: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, all);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                all.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(root.join("README.md")).unwrap();
    let mut paths = Vec::new();
    sources(&root.join("src"), &mut paths);
    paths.sort();
    for path in paths {
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let line = line.trim_start();
            if let Some(line) = line.strip_prefix("///").or(line.strip_prefix("//!")) {
                text.extend([line.strip_prefix(' ').unwrap_or(line), "\n"]);
            }
        }
    }
    Text::new(text)
}

/// Learns the project's own documents, some minutes long, where that is asked for: `TAPEGRAD_GPT` is the number of epochs.
/// With the same settings, 10 of them, the program came to 1.859 bits a byte on such a text, and counts of three to 2.182.
#[test]
fn gpt_is_better_than_counts_of_three_bytes() {
    let Some(epochs) = std::env::var_os("TAPEGRAD_GPT") else {
        println!(
            "SKIPPED: TAPEGRAD_GPT does not say for how many epochs to learn the project's own documents"
        );
        return;
    };
    let epochs: usize = epochs.to_str().unwrap().parse().unwrap();
    let (train, held) = documents().split(0.1).unwrap();
    let counted = counting(3, train.bytes(), held.bytes());
    let (windows, test) = (train.windows(128, 64).unwrap(), held.windows(128, 128).unwrap());
    let form = Gpt { trunk: Trunk { width: 96, ..Trunk::default() }, ..Gpt::new(128) };
    let mut net = Network::<f32>::new(0)
        .optimizer(Optimizer::new(Adam::default(), 3e-3).unwrap())
        .made_by(&windows, |tape, _, _, rng| form.build(tape, rng))
        .unwrap();
    let steps = (epochs * windows.len().div_ceil(32)) as u64;
    let schedule = Warmup::new(100, Cosine::new(3e-3, 0.0, steps - 100).unwrap());
    let rate = Rate::Schedule(std::sync::Arc::new(schedule));
    net.fit(&windows, &FitOptions { rate, ..FitOptions::new(epochs, 32, 0) }).unwrap();
    let found = net.evaluate(&test).unwrap().bits_per_token().unwrap();
    println!("{} bytes: {found:.4} bits a byte, by counting {counted:.4}", train.len() + held.len());
    assert!(found < counted, "{found} bits a byte, and by counting {counted}");
}
