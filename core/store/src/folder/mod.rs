//! The files of a run folder except its rows, and what a viewer can believe about the run.

pub(crate) mod contents;
pub(crate) mod control;
pub(crate) mod damage;
pub(crate) mod ending;
pub(crate) mod events;
pub(crate) mod holdings;
pub(crate) mod job;
pub(crate) mod lines;
pub(crate) mod manifest;
pub(crate) mod notes;
pub(crate) mod rebuild;
pub(crate) mod run_dir;
pub(crate) mod run_table;
pub(crate) mod serde_float;
pub(crate) mod settle;
pub(crate) mod status;
pub(crate) mod unknown;
pub(crate) mod view;
