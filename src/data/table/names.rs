//! Names and cells in messages.

/// Characters of a cell or a name that a message shows.
const SHOWN: usize = 40;

/// In quotation marks, on one line, and cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

/// The name that takes the fewest edits to become `name`, if those are fewer than half of its letters.
/// Capitals do not count.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.to_lowercase().chars().take(SHOWN).collect();
    let near = names.map(|candidate| {
        let letters: Vec<char> = candidate.to_lowercase().chars().take(SHOWN).collect();
        (edits(&wanted, &letters), candidate)
    });
    let (distance, candidate) = near.min_by_key(|(distance, _)| *distance)?;
    (2 * distance < wanted.len().max(1)).then_some(candidate)
}

/// The distance of Levenshtein: letters to insert, delete or replace.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names() {
        let names = ["species", "petal_width", "petal_length"];
        let find = |name| nearest(name, names.into_iter());
        assert_eq!(find("specie"), Some("species"));
        assert_eq!(find("Species"), Some("species"));
        assert_eq!(find("petal width"), Some("petal_width"));
        assert_eq!(find("weight"), None);
        assert_eq!(find(""), None);
        assert_eq!(nearest("x", std::iter::empty()), None);
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(edits(&letters("kitten"), &letters("sitting")), 3);
    }

    #[test]
    fn cells_stay_on_one_line() {
        assert_eq!(quoted("a\nb\u{7}"), "\"a\\nb\\u{7}\"");
        assert_eq!(quoted(&"ä".repeat(100)), format!("\"{}\"…", "ä".repeat(40)));
    }
}
