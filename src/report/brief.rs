//! A measured figure in few words, for a line among others.

/// What an interval is known by.
const INTERVAL: [&str; 2] = ["(", "±"];

fn has_interval(text: &str) -> bool {
    INTERVAL.iter().any(|sign| text.contains(sign))
}

/// What was measured in about `most` letters: its intervals without what they were taken from, and as many of its
/// clauses as there is room for, but at least those up to the first interval, or the first. Clauses are whole, so that no
/// number is cut.
///
/// `0.91 (95 %: 0.50 to 1.20; 12 steps), the slope from 192 layers on, which take 38 MB` becomes
/// `0.91 (0.50 to 1.20), the slope from 192 layers on`.
pub fn brief(measured: &str, most: usize) -> String {
    let text = short_intervals(measured);
    let with_interval = |end: &usize| has_interval(&text[..*end]);
    let first = clause_ends(&text).find(|end| !has_interval(&text) || with_interval(end));
    let fitting = clause_ends(&text).filter(|end| text[..*end].chars().count() <= most).last();
    let end = first.max(fitting).unwrap_or(text.len());
    let kept = &text[..end];
    // A figure with its interval is complete; a list of which there is more says so.
    if end == text.len() || with_interval(&end) { kept.into() } else { format!("{kept} …") }
}

/// The text with `(low to high)` in place of `(95 %: low to high; 5 seeds)`.
fn short_intervals(text: &str) -> String {
    let mut parts = text.split("(95\u{a0}%: ");
    let mut short = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let (inside, behind) = part.split_once(')').unwrap_or((part, ""));
        let interval = inside.split(';').next().unwrap_or(inside);
        short = short + "(" + interval + ")" + behind;
    }
    short
}

/// Where clauses end: before a comma, a semicolon or a colon outside of brackets that a space follows, and at the end.
fn clause_ends(text: &str) -> impl Iterator<Item = usize> {
    let mut depth = 0;
    let inner = text.char_indices().filter_map(move |(at, c)| {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        let ends = depth == 0 && matches!(c, ',' | ';' | ':') && text[at + 1..].starts_with(' ');
        ends.then_some(at)
    });
    inner.chain([text.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_clauses_and_whole_numbers() {
        let cases = [
            (
                "0.91 (95\u{a0}%: 0.50 to 1.20; 12 steps), the slope from 192 layers on, which take 38 MB",
                20,
                "0.91 (0.50 to 1.20)",
            ),
            (
                "0.91 (95\u{a0}%: 0.50 to 1.20; 12 steps), the slope from 192 layers on, which take 38 MB",
                60,
                "0.91 (0.50 to 1.20), the slope from 192 layers on",
            ),
            ("0.05 (95\u{a0}%: 0.04 to 0.07; 8 seeds) nats", 80, "0.05 (0.04 to 0.07) nats"),
            ("14.0, 13.9, 8.33 at λ = 0, 0.1", 12, "14.0, 13.9 …"),
            (
                "farthest off is ReLU: 0.1 (95\u{a0}%: 0.0 to 0.2; 5 seeds), of all",
                9,
                "farthest off is ReLU: 0.1 (0.0 to 0.2)",
            ),
            (
                "forward 1.0 (95\u{a0}%: 0.9 to 1.1; 20 networks); backward 2.0",
                20,
                "forward 1.0 (0.9 to 1.1)",
            ),
            ("0.3 on [0, 1], at most", 9, "0.3 on [0, 1] …"),
            ("1234567890 and more", 3, "1234567890 and more"),
            ("0 (the same in all 8 seeds), the share that is closed", 20, "0 (the same in all 8 seeds)"),
            ("0.5 (1 seed: no interval)", 9, "0.5 (1 seed: no interval)"),
            ("", 9, ""),
        ];
        for (measured, most, short) in cases {
            assert_eq!(brief(measured, most), short, "{measured}");
        }
    }
}
