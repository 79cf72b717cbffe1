//! Helpers for parameters of experiments.

use gradtop_sdk::{Error, ErrorKind};

/// Returns the error for an invalid parameter.
pub fn invalid(text: impl std::fmt::Display) -> Error {
    Error::of_kind(ErrorKind::Invalid, text)
}
