//! Catches panics of decoding libraries, whose input may be damaged. The only place that catches panics.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::error::{FormatContext as _, Result, StoreError};

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether this thread is decoding a file, so that a panic is an expected result and the panic hook should not report it.
pub fn decoding() -> bool {
    DECODING.get()
}

/// Runs a decoder. Any error, including a panic, means that the file is damaged.
pub(crate) fn decode<T, E: std::error::Error + 'static>(
    path: &Path,
    work: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    be_quiet();
    let before = DECODING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    DECODING.set(before);
    let Ok(result) = result else {
        let message = "its content is invalid".to_owned();
        return Err(StoreError::Damaged { path: path.to_owned(), message });
    };
    result.format_at("read", path)
}

/// Keeps the panic hook from reporting panics that are caught here.
fn be_quiet() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !decoding() {
                before(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_damage_and_the_thread_goes_on() {
        let path = Path::new("part-00001.parquet");
        let caught: Result<()> = decode(path, || -> std::io::Result<()> { panic!("index out of bounds") });
        assert!(matches!(caught, Err(StoreError::Damaged { .. })), "{caught:?}");
        assert!(!decoding());
        assert_eq!(decode(path, || Ok::<_, std::io::Error>(1)).ok(), Some(1));
    }
}
