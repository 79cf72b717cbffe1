//! The machine: devices and libtorch, other processes and signals, and the user's folders.

pub(crate) mod child;
pub(crate) mod cuda;
pub mod device;
pub(crate) mod dirs;
pub(crate) mod file;
pub(crate) mod git;
pub(crate) mod last_words;
pub(crate) mod library;
pub mod libtorch;
pub(crate) mod memory;
pub(crate) mod proc_fs;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod signals;
pub mod threads;
