//! Files and folders that others may move, replace or fill up.

pub mod inside;
pub(crate) mod open_dir;
pub(crate) mod remote;
pub(crate) mod reserve;
pub(crate) mod shared;
pub(crate) mod temporary;
pub(crate) mod watcher;
