//! What parameters of experiments have in common.

use gradtop_sdk::{Error, ErrorKind};

/// The error of a parameter that cannot be meant.
pub fn invalid(text: impl std::fmt::Display) -> Error {
    Error::of_kind(ErrorKind::Invalid, text)
}
