//! Names and values of a trace, in words for a page.

use crate::report::rounded;

/// Parts of names that are not words.
const WORDS: [(&str, &str); 10] = [
    ("lr", "learning rate"),
    ("eps", "ε"),
    ("beta1", "β₁"),
    ("beta2", "β₂"),
    ("gamma", "γ"),
    ("l2", "L2"),
    ("pca", "PCA"),
    ("r2", "R²"),
    ("rmse", "RMSE"),
    ("mae", "MAE"),
];

/// `training_samples` as *training samples*, `lr` as *learning rate*.
pub fn of_key(key: &str) -> String {
    let word = |part| WORDS.iter().find(|(short, _)| *short == part).map_or(part, |(_, word)| *word);
    key.split('_').map(word).collect::<Vec<_>>().join(" ").replace("cross entropy", "cross-entropy")
}

/// `adam lr=0.003 beta1=0.9` as *adam, learning rate 0.003, β₁ 0.9*; a number with four digits, if it is no whole one.
pub fn of_value(value: &str) -> String {
    let mut text = String::new();
    for (i, part) in value.split(' ').enumerate() {
        match part.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                text += if i == 0 { "" } else { ", " };
                text += &format!("{} {}", of_key(key), short(value));
            }
            _ => {
                text += if i == 0 { "" } else { " " };
                text += &short(part);
            }
        }
    }
    text
}

/// A result: whole numbers as they are, others with four digits.
pub fn of_number(x: f64) -> String {
    if x.fract() == 0.0 && x.abs() < 1e15 { format!("{x}") } else { rounded(x, 4) }
}

/// Whole numbers, such as seeds, keep all of their digits.
fn short(value: &str) -> String {
    match value.parse::<f64>() {
        Ok(x) if x.is_finite() && value.contains(['.', 'e']) => of_number(x),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words() {
        assert_eq!(of_key("test_cross_entropy"), "test cross-entropy");
        assert_eq!(of_key("test_r2"), "test R²");
        for (value, words) in [
            (
                "adam lr=0.003 weight_decay=0.008333333333333333",
                "adam, learning rate 0.003, weight decay 0.008333",
            ),
            ("mlp 784-128-10 relu", "mlp 784-128-10 relu"),
            ("cosine lr=1e-3 min=0.0 steps=48", "cosine, learning rate 0.001, min 0, steps 48"),
            ("18446744073709551615", "18446744073709551615"),
            ("a=b", "a b"),
            ("= x", "= x"),
        ] {
            assert_eq!(of_value(value), words);
        }
        assert_eq!((of_number(12.0), of_number(0.37123)), ("12".to_string(), "0.3712".to_string()));
    }
}
