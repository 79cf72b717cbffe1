//! The machine: its devices and libtorch, other processes and their signals, the user's folders.

pub mod device;
pub(crate) mod git;
pub mod libtorch;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod signals;
