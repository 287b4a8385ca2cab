//! [`Settings`]: what a thing is and how it was set, as it stands in a file.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::known;
use crate::{Error, Result};

/// What a thing is, and how it was set: a kind, and values by name.
///
/// ```
/// use tapegrad::store::Settings;
///
/// let settings = Settings::of("dropout").with("p", 0.1);
/// assert_eq!((settings.kind(), settings.get::<f64>("p")?), ("dropout", 0.1));
/// assert!(settings.get::<f64>("q").unwrap_err().to_string().contains("dropout: `q` is missing"));
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    kind: String,
    #[serde(flatten)]
    values: Map<String, Value>,
}

/// The kind of what has nothing to be kept.
const NOTHING: &str = "nothing";

impl Settings {
    /// Of what remembers nothing.
    pub fn nothing() -> Settings {
        Settings::of(NOTHING)
    }

    /// Whether it remembers nothing.
    pub fn is_nothing(&self) -> bool {
        self.kind == NOTHING
    }

    /// A thing of that kind, without a value yet.
    pub fn of(kind: &str) -> Settings {
        Settings { kind: kind.into(), values: Map::new() }
    }

    /// With a value.
    ///
    /// # Panics
    /// If it has no form as JSON, as a map whose keys are no text.
    #[track_caller]
    pub fn with(self, name: &str, value: impl Serialize) -> Settings {
        self.with_value(name, serde_json::to_value(value))
    }

    #[track_caller]
    fn with_value(mut self, name: &str, value: serde_json::Result<Value>) -> Settings {
        match value {
            Ok(value) => self.values.insert(name.into(), value),
            Err(error) => panic!("Settings: {name}: {error}"),
        };
        self
    }

    /// What it is.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The value of that name.
    ///
    /// # Errors
    /// [`Error::Data`] if there is none, or one of another type.
    pub fn get<V: DeserializeOwned>(&self, name: &str) -> Result<V> {
        V::deserialize(self.value(name)?).map_err(|error| self.wrong(name, &error))
    }

    /// The value of that name, if there is one: files of earlier versions may not have it.
    ///
    /// # Errors
    /// [`Error::Data`] if it is of another type.
    pub fn find<V: DeserializeOwned>(&self, name: &str) -> Result<Option<V>> {
        if self.values.contains_key(name) { self.get(name).map(Some) } else { Ok(None) }
    }

    fn value(&self, name: &str) -> Result<&Value> {
        let missing = || Error::Data(format!("{}: `{name}` is missing", shown(&self.kind)));
        self.values.get(name).ok_or_else(missing)
    }

    fn wrong(&self, name: &str, error: &serde_json::Error) -> Error {
        Error::Data(format!("{}: `{name}`: {}", shown(&self.kind), shown(&error.to_string())))
    }

    /// The type of numbers, which stands under `precision`.
    pub(crate) fn precision(&self) -> Result<Precision> {
        let table = [("f32", Precision::F32), ("f64", Precision::F64)];
        known("numbers of the type", &self.get::<String>("precision")?, table)
    }

    /// Names and values, in the order in which they were given.
    pub fn values(&self) -> impl Iterator<Item = (&str, String)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.to_string()))
    }
}

/// A type of numbers.
#[derive(Clone, Copy)]
pub(crate) enum Precision {
    F32,
    F64,
}

/// Text of a file as it may be shown.
fn shown(text: &str) -> String {
    crate::text::printable(text).to_string()
}
