//! Plugins: finding, inspecting, describing and loading them.

pub(crate) mod changes;
pub(crate) mod desc;
pub(crate) mod describe;
pub(crate) mod discover;
pub(crate) mod file;
pub(crate) mod guard;
pub(crate) mod inspect;
pub(crate) mod load;
pub(crate) mod loader_errors;
pub(crate) mod params;
pub(crate) mod read_desc;
pub(crate) mod shared;
pub(crate) mod validate;
pub(crate) mod watch;
