//! What lies in a run folder beside its rows, and who is at work there.

pub(crate) mod birth;
pub(crate) mod contents;
pub(crate) mod control;
pub(crate) mod damage;
pub(crate) mod ending;
pub(crate) mod events;
pub(crate) mod held;
mod holder;
pub mod inside;
pub(crate) mod job;
pub(crate) mod lock;
pub(crate) mod machine;
pub(crate) mod manifest;
pub(crate) mod notes;
pub(crate) mod owner;
pub(crate) mod queue;
pub(crate) mod remote;
pub(crate) mod reserve;
pub(crate) mod run_dir;
pub(crate) mod run_table;
pub(crate) mod runs;
pub(crate) mod serde_float;
pub(crate) mod settle;
pub(crate) mod shared;
pub(crate) mod status;
pub(crate) mod temporary;
pub(crate) mod view;
