//! Names that become those of files.

/// The name of a figure or a table, to which only an extension is added: small letters, digits, hyphens.
///
/// So it is no path, whatever it was made of: there are no separators in it, no dots, no drives, no control
/// characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// File systems take 255 bytes, extension and what a temporary file is called included.
const LONGEST: usize = 100;

impl Name {
    /// The name.
    ///
    /// # Panics
    /// If it has other characters, none or more than 100.
    #[track_caller]
    pub fn new(name: &str) -> Name {
        if let Some(why) = wrong(name) {
            panic!("{why}");
        }
        Name(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the file with that extension.
    pub fn file(&self, extension: &str) -> String {
        format!("{}.{extension}", self.0)
    }
}

/// What is wrong with a name; `None` if nothing is.
fn wrong(name: &str) -> Option<String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(good) {
        return Some(format!("the name {name:?} is not of small letters, digits, hyphens"));
    }
    (name.len() > LONGEST)
        .then(|| format!("a name of {} is longer than {LONGEST}", crate::text::count(name.len(), "letter")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path() {
        let long = "a".repeat(101);
        for bad in [
            "",
            ".",
            "..",
            "../evil",
            "../../evil",
            "/tmp/evil",
            "a/b",
            "a\\b",
            "c:evil",
            "C:\\evil",
            "a.svg",
            "evil\n",
            "evil\0",
            "\u{1b}[31m",
            "Evil",
            "é",
            " a",
            "~",
            "$HOME",
            "<script>",
            &long,
        ] {
            assert!(wrong(bad).is_some(), "{bad:?}");
        }
        for good in ["paths", "a-1", &long[1..]] {
            assert_eq!(Name::new(good).file("csv"), format!("{good}.csv"));
        }
    }

    #[test]
    #[should_panic(expected = "the name \"../evil\" is not of small letters, digits, hyphens")]
    fn a_name_is_checked_when_it_is_made() {
        let _ = Name::new("../evil");
    }
}
