//! What this process is asked to run.

use std::sync::LazyLock;

/// The kernel that the environment variable `TAPEGRAD_CPU` asks for; an empty name asks for none.
pub fn asked() -> Option<&'static str> {
    static ASKED: LazyLock<Option<String>> = LazyLock::new(|| {
        let name = std::env::var_os("TAPEGRAD_CPU")?.to_string_lossy().into_owned();
        (!name.is_empty()).then_some(name)
    });
    ASKED.as_deref()
}
