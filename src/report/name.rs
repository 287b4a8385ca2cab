//! Names that become those of files.

use serde::{Deserialize, Serialize};

/// The name of a figure or a table, to which only an extension is added: small letters, digits, hyphens.
///
/// So it is no path, whoever wrote it: there are no separators in it, no dots, no drives, no control
/// characters. What is read from a file is checked as it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// File systems take 255 bytes, extension and what a temporary file is called included.
const LONGEST: usize = 100;

impl Name {
    /// The name, from a program.
    ///
    /// # Panics
    /// If it has other characters, none or more than 100.
    #[track_caller]
    pub fn new(name: &str) -> Name {
        Name::try_from(name.to_string()).unwrap_or_else(|why| panic!("{why}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the file with that extension.
    pub fn file(&self, extension: &str) -> String {
        format!("{}.{extension}", self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Name, String> {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(good) {
            return Err(format!("the name {name:?} is not of small letters, digits, hyphens"));
        }
        if name.len() > LONGEST {
            return Err(format!("a name of {} letters is longer than {LONGEST}", name.len()));
        }
        Ok(Name(name))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
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
            let json = serde_json::to_string(bad).unwrap();
            assert!(serde_json::from_str::<Name>(&json).is_err(), "{bad:?}");
        }
        for good in ["paths", "a-1", &long[1..]] {
            let json = serde_json::to_string(good).unwrap();
            assert_eq!(serde_json::from_str::<Name>(&json).unwrap().file("csv"), format!("{good}.csv"));
        }
    }
}
