//! [`Value`]: what a setting of a [`Trace`](super::Trace) is set to.

use std::fmt;

/// A setting's value. The setting decides on its type, whatever the value is: `1` and `0.5` are both numbers
/// where the setting is one, and `007` is a text where it is a name.
///
/// ```
/// use tapegrad::train::{Trace, TraceFormat};
///
/// let mut trace = Trace::default();
/// trace.set("epochs", 3_usize);
/// trace.set("l2", 1.0);
/// trace.set("model", "007");
/// let json = trace.render(TraceFormat::JsonLines, false);
/// assert!(json.ends_with("\"settings\":{\"epochs\":3,\"l2\":1.0,\"model\":\"007\"}}\n"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Words.
    Text(String),
    /// A whole number.
    Count(u64),
    /// A number. One that is not finite is `null` in JSON, which has no other.
    Number(f64),
    /// A number that reads better with an exponent, such as 1e-7.
    Scientific(f64),
    /// Yes or no.
    Flag(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Count(n) => n.fmt(f),
            Value::Number(x) => x.fmt(f),
            Value::Scientific(x) => write!(f, "{x:e}"),
            Value::Flag(flag) => flag.fmt(f),
        }
    }
}

macro_rules! value_from {
    ($($t:ty => $value:expr),* $(,)?) => {
        $(impl From<$t> for Value {
            fn from(value: $t) -> Value {
                #[allow(clippy::redundant_closure_call)]
                $value(value)
            }
        })*
    };
}

value_from! {
    String => Value::Text,
    &String => |text: &String| Value::Text(text.clone()),
    &str => |text: &str| Value::Text(text.into()),
    fmt::Arguments<'_> => |text: fmt::Arguments<'_>| Value::Text(text.to_string()),
    u64 => Value::Count,
    u32 => |n| Value::Count(u64::from(n)),
    usize => |n| Value::Count(n as u64),
    // A whole number that may be negative is a number.
    i32 => |n: i32| u64::try_from(n).map_or(Value::Number(f64::from(n)), Value::Count),
    f64 => Value::Number,
    f32 => |x| Value::Number(f64::from(x)),
    bool => Value::Flag,
}

impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> serde_json::Value {
        match value {
            Value::Text(text) => text.as_str().into(),
            Value::Count(n) => (*n).into(),
            Value::Number(x) | Value::Scientific(x) => (*x).into(),
            Value::Flag(flag) => (*flag).into(),
        }
    }
}
